"""Pictures of the encode core's benches: in memory, with their jobs, and what the model makes of them.

The model is `asic_model.cores.encode` on the `tiny` chip without trials.
"""

from collections import deque

import numpy as np

from asic_model.codecs.h264.nal import parse_nal
from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.slice_header import parse_slice_header
from asic_model.config import load_chip
from asic_model.cores.encode import EncodeJob, run
from asic_model.cores.encode.effort import SINGLE_PASS_P
from asic_model.cores.encode.job import MOTION_BYTES, SLICE_P
from asic_model.cores.encode.syntax import slice_parameters
from asic_model.cores.fabric import Fabric
from asic_model.descriptors import Tool
from asic_model.memory.surface import surface
from rtl_tests.encode_core.job import refused_field
from rtl_tests.handshake import rerun
from tests.cores import encoding
from tests.engines.test_entropy import first_difference
from tests.oracle.slice_data import Slice, parse_slice_data

PAGE = 4096
PERIOD_PS = 10**6 // 200  # of `tiny`'s cores
PLANES = ("Y", "Cb", "Cr")
IDLE = ("job_valid_i", "done_ready_i", "read_ready_i", "read_data_valid_i", "write_ready_i")
LIMIT_CYCLES_MB = 20000


class Memory:
    """Device memory behind the core's ports: a word a cycle each way, reads come back in order after `latency` cycles.

    latency : (least, most) cycles; pause : share of the cycles in which the ports take nothing
    """

    def __init__(self, dut, data, latency=(1, 1), pause=0.0):
        self.dut, self.data, self.latency, self.pause = dut, data, latency, pause
        self.words = data[: data.size // 8 * 8].view("<u8")
        self.pending = deque()
        self.cycle = 0
        self.reads = self.writes = 0
        self.answering = False
        self.ready = [True, True]
        dut.read_ready_i.value = dut.write_ready_i.value = 1

    def drive(self, rng):
        dut = self.dut
        if self.pause:
            for side, port in enumerate((dut.read_ready_i, dut.write_ready_i)):
                ready = bool(rng.random() >= self.pause)
                if ready != self.ready[side]:
                    self.ready[side] = ready
                    port.value = int(ready)
        if self.pending and self.pending[0][0] <= self.cycle:
            dut.read_data_i.value = self.pending.popleft()[1]
            if not self.answering:
                dut.read_data_valid_i.value = 1
                self.answering = True
        elif self.answering:
            dut.read_data_valid_i.value = 0
            self.answering = False
        self.wait = int(rng.integers(self.latency[0], self.latency[1] + 1)) if self.latency[1] > 1 else 1

    def sample(self, cycle):
        dut = self.dut
        if self.ready[0] and int(dut.read_valid_o.value):
            address = int(dut.read_address_o.value)
            assert address % 8 == 0, f"read of {address:#x}; {rerun()}"
            self.pending.append((self.cycle + self.wait, int(self.words[address // 8])))
            self.reads += 1
        if self.ready[1] and int(dut.write_valid_o.value):
            address, strobe = int(dut.write_address_o.value), int(dut.write_strobe_o.value)
            assert address % 8 == 0, f"write to {address:#x}; {rerun()}"
            word = int(dut.write_data_o.value).to_bytes(8, "little")
            for byte in range(8):
                if strobe >> byte & 1:
                    self.data[address + byte] = word[byte]
            self.writes += 1
        self.cycle += 1


class Picture:
    """A source picture in memory, its job, and what the model makes of it.

    reference : the Picture before: this one is a P picture, which refers to its reconstruction
    intra     : P: it may have intra macroblocks
    """

    def __init__(self, planes, reference=None, *, intra=1, **fields):
        height, width = planes[0].shape
        coded = surface(-(-width // 16) * 16, -(-height // 16) * 16)
        source = PAGE
        recon = source + -(-surface(width, height).size_bytes // PAGE) * PAGE
        out = recon + -(-coded.size_bytes // PAGE) * PAGE
        capacity = fields.pop("out_capacity", coded.width * coded.height * 4 + 4096)
        motion = out + -(-capacity // PAGE) * PAGE
        fields["motion_out_address"] = motion if fields.pop("motion", 0) else 0
        records = coded.width * coded.height // 256 * MOTION_BYTES
        before = motion + -(-records // PAGE) * PAGE
        motion_in = fields.pop("motion_in", 0)
        tools_off = Tool.TRIALS
        if reference is not None:
            if motion_in and reference.job.motion_out_address:
                fields["motion_in_address"] = before + coded.size_bytes
            tools_off = SINGLE_PASS_P if intra else SINGLE_PASS_P | Tool.INTRA_IN_INTER
            fields = fields | {"slice_type": SLICE_P, "idr": 0, "ref_count": 1, "ref_address_0": before}
        self.job = EncodeJob(
            width=width, height=height, src_address=source, recon_address=recon, out_address=out, out_capacity=capacity,
            tools_off=int(tools_off), **fields,
        )  # fmt: skip
        assert refused_field(self.job) is None, refused_field(self.job)
        self.memory = np.zeros(before + (reference is not None) * (coded.size_bytes + records) + PAGE, np.uint8)
        self.reference = reference
        if reference is not None:
            samples = reference.reconstruction(reference.expected)
            place = surface(coded.width, coded.height, before)
            for view, plane in zip(
                encoding.planes(self.memory, place, coded.width, coded.height), samples, strict=True
            ):
                view[:] = plane
            if self.job.motion_in_address:
                begin = reference.job.motion_out_address
                at = self.job.motion_in_address
                self.memory[at : at + records] = reference.expected[begin : begin + records]
        for view, plane in zip(encoding.planes(self.memory, self.job.source, width, height), planes, strict=True):
            view[:] = plane
        self.expected = self.memory.copy()
        recordings = []
        self.result = run(self.expected, self.job, load_chip("tiny").encode.core, recordings)
        self.mbs = recordings[0].mbs

    @property
    def model_cycles(self):
        """Cycles of the whole picture on the `tiny` chip: the stages' laws through its pipeline and its memory."""
        fabric = Fabric(load_chip("tiny"))
        fabric.start(0, self.result, 0)
        while not (ends := fabric.advance(1 << 60)):
            pass
        return ends[0][1] // PERIOD_PS

    @property
    def macroblocks(self):
        return self.job.mb_width * self.job.mb_height

    def reconstruction(self, memory):
        return encoding.planes(memory, self.job.reconstruction, self.job.coded_width, self.job.coded_height)

    @property
    def parameter_sets(self):
        job = self.job
        sps = Sps(
            profile_idc=77, level_idc=51, max_num_ref_frames=1,
            log2_max_frame_num_minus4=job.log2_max_frame_num - 4, pic_order_cnt_type=0 if job.log2_max_poc_lsb else 2,
            log2_max_pic_order_cnt_lsb_minus4=max(job.log2_max_poc_lsb - 4, 0),
        )  # fmt: skip
        sps.set_size(job.coded_width, job.coded_height)
        pps = Pps(
            entropy_coding_mode_flag=bool(job.entropy), deblocking_filter_control_present_flag=True,
            chroma_qp_index_offset=job.chroma_qp_offset, second_chroma_qp_index_offset=job.chroma_qp_offset,
        )  # fmt: skip
        return sps, pps

    def stream(self, memory, size):
        """Annex B: parameter sets, slices of the pictures before as the model writes them, and the one in `memory`."""
        slice_bytes = memory[self.job.out_address : self.job.out_address + size].tobytes()
        if self.reference is not None:
            return self.reference.stream(self.reference.expected, self.reference.result.output_bytes) + slice_bytes
        return b"".join(encoding.START_CODE + part.to_nal() for part in self.parameter_sets) + slice_bytes

    def reconstructions(self, memory):
        """Those of the pictures before as the model leaves them, and the one in `memory`."""
        before = [] if self.reference is None else self.reference.reconstructions(self.reference.expected)
        return [*before, self.reconstruction(memory)]

    def first_field(self, memory, size):
        """What the slice in `memory` says first that is not the model's decision: macroblock, field, both values.

        Read by the oracle; empty where it cannot be read to its end.
        """
        sps, pps = self.parameter_sets
        job, begin = self.job, self.job.out_address + len(encoding.START_CODE)
        try:
            unit = parse_nal(memory[begin : self.job.out_address + size].tobytes())
            header = parse_slice_header(unit.rbsp, unit.nal_unit_type, unit.nal_ref_idc, {0: sps}, {0: pps})
            place = Slice(
                job.mb_width,
                0,
                job.slice_type,
                26 + header.slice_qp_delta,
                bool(job.entropy),
                mb_limit=self.macroblocks,
            )
            parsed, _ = parse_slice_data(unit.rbsp, header.header_bits, place)
        except (ValueError, AssertionError, LookupError):
            return ""
        told = (
            first_difference(self.mbs, slice_parameters(job, 0, self.macroblocks), *found) for found in parsed.items()
        )
        return next(filter(None, told), "")


def compare(picture, found, size, what):
    """Assert that memory is the model's byte for byte; say where the first difference is."""
    job, expected = picture.job, picture.expected
    begin = job.out_address
    ours, theirs = found[begin : begin + job.out_capacity], expected[begin : begin + job.out_capacity]
    if not np.array_equal(ours, theirs):
        at = int(np.argmax(ours != theirs))
        bits = np.cumsum(picture.result.work["entropy_bits"].astype(np.int64))
        mb = min(int(np.searchsorted(bits, 8 * max(0, at - 16))), picture.macroblocks - 1)
        field = picture.first_field(found, size) or f"about macroblock {mb}"
        raise AssertionError(
            f"{what}: {field}; byte {at} of the slice: RTL {ours[at]:#x}, model {theirs[at]:#x}; {rerun()}"
        )
    for name, ours, theirs in zip(PLANES, picture.reconstruction(found), picture.reconstruction(expected), strict=True):
        if not np.array_equal(ours, theirs):
            per = 16 if name == "Y" else 8
            wrong = np.argwhere(ours != theirs)
            order = wrong[:, 0] // per * job.mb_width + wrong[:, 1] // per
            y, x = wrong[np.argmin(order)]
            raise AssertionError(
                f"{what}: macroblock ({x // per}, {y // per}), reconstruction of {name}, sample ({x % per}, "
                f"{y % per}): RTL {ours[y, x]}, model {theirs[y, x]}; {rerun()}"
            )
    assert size == picture.result.output_bytes, f"{what}: {size} bytes, model {picture.result.output_bytes}; {rerun()}"
    stray = np.flatnonzero(found != expected)
    if stray.size:
        at = int(stray[0])
        raise AssertionError(
            f"{what}: byte {at:#x}, neither stream nor reconstruction: RTL {found[at]:#x}, model {expected[at]:#x}; "
            f"{rerun()}"
        )
