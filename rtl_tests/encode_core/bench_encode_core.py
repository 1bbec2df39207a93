"""The encode core in RTL writes the model's slice and the model's reconstruction, and takes the model's time.

The model is `asic_model.cores.encode` on the `tiny` chip without trials; FFmpeg decodes what the RTL wrote.
"""

from collections import deque
from dataclasses import replace

import cocotb
import numpy as np

from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.config import load_chip
from asic_model.cores.encode import EncodeJob, run
from asic_model.cores.result import STATUS_OK
from asic_model.descriptors import Tool
from asic_model.memory.surface import surface
from rtl_tests import clips
from rtl_tests.accuracy import Record
from rtl_tests.encode_core.job import job_word, refused_field
from rtl_tests.handshake import Bench, Sink, Source, rerun
from tests.cores import encoding

PAGE = 4096
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
    """A source picture in memory, its job, and what the model makes of it."""

    def __init__(self, planes, **fields):
        height, width = planes[0].shape
        coded = surface(-(-width // 16) * 16, -(-height // 16) * 16)
        source = PAGE
        recon = source + -(-surface(width, height).size_bytes // PAGE) * PAGE
        out = recon + -(-coded.size_bytes // PAGE) * PAGE
        capacity = fields.pop("out_capacity", coded.width * coded.height * 4 + 4096)
        self.job = EncodeJob(
            width=width, height=height, src_address=source, recon_address=recon, out_address=out, out_capacity=capacity,
            tools_off=int(Tool.TRIALS), **fields,
        )  # fmt: skip
        assert refused_field(self.job) is None, refused_field(self.job)
        self.memory = np.zeros(out + -(-capacity // PAGE) * PAGE + PAGE, np.uint8)
        for view, plane in zip(encoding._planes(self.memory, self.job.source, width, height), planes, strict=True):
            view[:] = plane
        self.expected = self.memory.copy()
        self.result = run(self.expected, self.job, load_chip("tiny").encode.core)

    @property
    def macroblocks(self):
        return self.job.mb_width * self.job.mb_height

    def reconstruction(self, memory):
        return encoding._planes(memory, self.job.reconstruction, self.job.coded_width, self.job.coded_height)

    def stream(self, memory, size):
        """Annex B: parameter sets and the slice in `memory`."""
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
        head = encoding.START_CODE + sps.to_nal() + encoding.START_CODE + pps.to_nal()
        return head + memory[job.out_address : job.out_address + size].tobytes()


def compare(picture, found, size, what):
    """Assert that memory is the model's byte for byte; say where the first difference is."""
    job, expected = picture.job, picture.expected
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
    begin = job.out_address
    ours, theirs = found[begin : begin + job.out_capacity], expected[begin : begin + job.out_capacity]
    if not np.array_equal(ours, theirs):
        at = int(np.argmax(ours != theirs))
        bits = np.cumsum(picture.result.work["entropy_bits"].astype(np.int64))
        mb = min(int(np.searchsorted(bits, 8 * max(0, at - 16))), picture.macroblocks - 1)
        raise AssertionError(
            f"{what}: about macroblock ({mb % job.mb_width}, {mb // job.mb_width}), byte {at} of the slice: RTL "
            f"{ours[at]:#x}, model {theirs[at]:#x}; {rerun()}"
        )
    assert size == picture.result.output_bytes, f"{what}: {size} bytes, model {picture.result.output_bytes}; {rerun()}"
    stray = np.flatnonzero(found != expected)
    assert not stray.size, f"{what}: byte {stray[0]:#x} outside stream and reconstruction was written; {rerun()}"


class TB(Bench):
    async def start(self):
        await self.reset(IDLE)

    async def encode(self, picture, what, latency=(1, 1), pause=0.0, check=True):
        """Code a picture; return (cycles, [cycles in which macroblocks were decided, coded, filtered])."""
        dut = self.dut
        memory = Memory(dut, picture.memory.copy(), latency, pause)
        done = []
        job = Source(dut, "job", [{"": job_word(picture.job)}])
        sink = Sink(dut, "done", ("status", "bytes", "cycles"), done.append, pause)
        ends = [[], [], []]
        watch = list(zip((dut.decided_o, dut.coded_o, dut.filtered_o), ends, strict=True))
        limit = 20000 + LIMIT_CYCLES_MB * picture.macroblocks
        await self.run([job], [memory, sink], lambda: bool(done), limit, watch)
        status, size, cycles = done[0]["status"], done[0]["bytes"], done[0]["cycles"]
        assert status == picture.result.status == STATUS_OK, f"{what}: status {status}; {rerun()}"
        if check:
            compare(picture, memory.data, size, what)
            stream = picture.stream(memory.data, size)
            encoding.check_against_ffmpeg(stream, [picture.reconstruction(memory.data)], what)
        return cycles, ends


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def directed(dut):
    """Flat, gradient and checker pictures of 2x2 macroblocks, both coders."""
    tb = TB(dut)
    await tb.start()
    y, x = np.mgrid[0:32, 0:32]
    kinds = {
        "flat": np.full((32, 32), 77),
        "gradient": 4 * x + 3 * y,
        "checker": np.where((x // 4 + y // 4) % 2, 200, 40),
    }
    for name, luma in kinds.items():
        luma = np.clip(luma, 0, 255).astype(np.uint8)
        planes = (luma, luma[::2, ::2].copy(), 255 - luma[::2, ::2])
        for entropy in (1, 0):
            picture = Picture(planes, qp=27, entropy=entropy)
            cycles, _ = await tb.encode(picture, f"{name}, {'CABAC' if entropy else 'CAVLC'}")
            dut._log.info(f"{name}: {cycles} cycles, {picture.result.output_bytes} bytes")
