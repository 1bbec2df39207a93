"""The encode core in RTL writes the model's slice and the model's reconstruction, and takes the model's time.

The model is `asic_model.cores.encode` on the `tiny` chip without trials; FFmpeg decodes what the RTL wrote.
"""

import os
import time
from collections import deque

import cocotb
import numpy as np

from asic_model.codecs.h264 import macroblock as m
from asic_model.codecs.h264.nal import parse_nal
from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.slice_header import parse_slice_header
from asic_model.config import load_chip
from asic_model.cores.encode import EncodeJob, run
from asic_model.cores.encode.account import MODE_DECISION
from asic_model.cores.encode.syntax import slice_parameters
from asic_model.cores.fabric import Fabric
from asic_model.cores.result import STATUS_OK, STATUS_OUTPUT_FULL
from asic_model.descriptors import Tool
from asic_model.memory.surface import surface
from driver.selftest import pattern
from rtl_tests import clips
from rtl_tests.accuracy import Record
from rtl_tests.encode_core.job import job_word, refused_field
from rtl_tests.handshake import Bench, Sink, Source, rerun
from tests.cores import encoding
from tests.engines.test_entropy import first_difference
from tests.oracle.slice_data import Slice, parse_slice_data

PAGE = 4096
PERIOD_PS = 10**6 // 200  # of `tiny`'s cores
PLANES = ("Y", "Cb", "Cr")
CODERS = ("CAVLC", "CABAC")
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
        motion = out + -(-capacity // PAGE) * PAGE
        fields["motion_out_address"] = motion if fields.pop("motion", 0) else 0
        self.job = EncodeJob(
            width=width, height=height, src_address=source, recon_address=recon, out_address=out, out_capacity=capacity,
            tools_off=int(Tool.TRIALS), **fields,
        )  # fmt: skip
        assert refused_field(self.job) is None, refused_field(self.job)
        self.memory = np.zeros(motion + -(-self.macroblocks * 32 // PAGE) * PAGE + PAGE, np.uint8)
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
        """Annex B: parameter sets and the slice in `memory`."""
        slice_bytes = memory[self.job.out_address : self.job.out_address + size].tobytes()
        return b"".join(encoding.START_CODE + part.to_nal() for part in self.parameter_sets) + slice_bytes

    def first_field(self, memory, size):
        """What the slice in `memory` says first that is not the model's decision: macroblock, field, both values.

        Read by the oracle; empty where it cannot be read to its end.
        """
        sps, pps = self.parameter_sets
        job, begin = self.job, self.job.out_address + len(encoding.START_CODE)
        try:
            unit = parse_nal(memory[begin : self.job.out_address + size].tobytes())
            header = parse_slice_header(unit.rbsp, unit.nal_unit_type, unit.nal_ref_idc, {0: sps}, {0: pps})
            place = Slice(job.mb_width, 0, 2, 26 + header.slice_qp_delta, bool(job.entropy), mb_limit=self.macroblocks)
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


class TB(Bench):
    async def start(self):
        await self.reset(IDLE)

    async def encode(self, picture, what, latency=(1, 1), pause=0.0):
        """Code a picture, compare all of memory, decode it; return (cycles, [when macroblocks were decided, coded])."""
        dut = self.dut
        memory = Memory(dut, picture.memory.copy(), latency, pause)
        done = []
        job = Source(dut, "job", [{"": job_word(picture.job)}])
        sink = Sink(dut, "done", ("status", "bytes", "cycles"), done.append, pause)
        ends = [[], []]
        watch = list(zip((dut.decided_o, dut.coded_o), ends, strict=True))
        limit = 20000 + LIMIT_CYCLES_MB * picture.macroblocks
        await self.run([job], [memory, sink], lambda: bool(done), limit, watch)
        status, size, cycles = done[0]["status"], done[0]["bytes"], done[0]["cycles"]
        assert status == picture.result.status == STATUS_OK, f"{what}: status {status}; {rerun()}"
        compare(picture, memory.data, size, what)
        stream = picture.stream(memory.data, size)
        encoding.check_against_ffmpeg(stream, [picture.reconstruction(memory.data)], what)
        return cycles, ends


def new_record(test):
    record = Record("encode_core", test)
    record.bins("mb_type", ("I_4X4", "I_16X16"))
    record.bins("intra_4x4_mode", range(9))
    record.bins("intra_16x16_mode", range(4))
    record.bins("chroma_mode", range(4))
    record.bins("cbp_chroma", range(3))
    record.bins("cbp_luma", ("none", "some", "all"))
    record.bins("coder", CODERS)
    record.bins("deblock_disable", (0, 1))
    record.bins("size", ("whole", "partial"))
    record.bins("qp", ("low", "mid", "high"))
    record.bins("idr", (0, 1))
    record.bins("poc", ("none", "lsb"))
    record.bins("motion", ("none", "written"))
    return record


def cover(record, picture):
    job, mbs = picture.job, picture.mbs
    for mb in range(picture.macroblocks):
        whole = mbs.mb_type[mb] == m.I_16X16
        record.hit("mb_type", "I_16X16" if whole else "I_4X4")
        for mode in mbs.intra_mode[mb][: 1 if whole else 16]:
            record.hit("intra_16x16_mode" if whole else "intra_4x4_mode", int(mode))
        record.hit("chroma_mode", int(mbs.chroma_mode[mb]))
        record.hit("cbp_chroma", int(mbs.cbp[mb]) >> 4)
        luma = int(mbs.cbp[mb]) & 15
        record.hit("cbp_luma", "none" if luma == 0 else "all" if luma == 15 else "some")
    record.hit("coder", CODERS[job.entropy])
    record.hit("deblock_disable", job.deblock_disable)
    record.hit("size", "partial" if job.width % 16 or job.height % 16 else "whole")
    record.hit("qp", "low" if job.qp < 18 else "mid" if job.qp < 36 else "high")
    record.hit("idr", job.idr)
    record.hit("poc", "lsb" if job.log2_max_poc_lsb else "none")
    record.hit("motion", "written" if job.motion_out_address else "none")


def account(dut, record, picture, ends):
    """The law of mode decision holds to the cycle wherever a macroblock's successor does not wait for a free bank; from
    the cycle in which one macroblock is decided to the one in which the next one is."""
    decided, coded = ends
    banks = int(dut.BANKS.value)
    law = picture.result.cycles[:, MODE_DECISION]
    held = 0
    for mb in range(1, picture.macroblocks):
        # Entropy takes levels out of a bank before it has coded them: nothing waits if they were coded in time.
        free = mb < banks or coded[mb - banks] <= decided[mb - 1]
        if not free:
            held += 1
            continue
        rtl = decided[mb] - decided[mb - 1]
        record.cycles(model=int(law[mb]), rtl=rtl)
        x, y = mb % picture.job.mb_width, mb // picture.job.mb_width
        assert rtl == law[mb], f"macroblock ({x}, {y}) is decided in {rtl} cycles, law {law[mb]}; {rerun()}"
    return held


def content(rng, width, height):
    """Planes that lead to all kinds of macroblocks: texture, noise of any strength, ramps, strokes."""
    kind = rng.choice(["natural", "noise", "screen", "ramp"])
    if kind == "ramp":
        y, x = np.mgrid[0:height, 0:width]
        planes = []
        for step in (1, 2, 2):
            slope = rng.integers(-5, 6, 2)
            plane = rng.integers(0, 256) + slope[0] * x[::step, ::step] + slope[1] * y[::step, ::step]
            planes.append(plane + rng.integers(-2, 3, plane.shape) * rng.integers(0, 2))
    else:
        planes = encoding.CONTENT[kind](width, height, 1, seed=int(rng.integers(1 << 30)))[0]
        strength = rng.choice([0.05, 0.3, 1.0])
        planes = [128 + (plane.astype(float) - 128) * strength for plane in planes]
    return tuple(np.clip(plane, 0, 255).astype(np.uint8) for plane in planes)


def random_picture(rng, **fixed):
    """A picture of 2x1 to 4x3 macroblocks with a random job."""
    width, height = 2 * int(rng.integers(9, 33)), 2 * int(rng.integers(8, 25))
    if rng.integers(2):
        width, height = -(-width // 16) * 16, -(-height // 16) * 16
    lsb = int(rng.integers(2)) * int(rng.integers(4, 17))
    number = int(rng.integers(4, 17))
    idr = int(rng.integers(2))
    fields = {
        "qp": int(rng.integers(10, 52)),
        "chroma_qp_offset": int(rng.integers(-12, 13)),
        "entropy": int(rng.integers(2)),
        "deblock_disable": int(rng.integers(4) == 0),
        "deblock_alpha": int(rng.integers(-6, 7)),
        "deblock_beta": int(rng.integers(-6, 7)),
        "idr": idr,
        "nal_ref_idc": int(rng.integers(1, 4)) if idr else int(rng.integers(4)),
        "idr_pic_id": int(rng.choice([0, 1, 65535])) if idr else 0,
        "frame_num": 0 if idr else int(rng.integers(1 << number)),
        "log2_max_frame_num": number,
        "log2_max_poc_lsb": lsb,
        "poc_lsb": int(rng.integers(1 << lsb)) if lsb and not idr else 0,
        "motion": int(rng.integers(2)),
    } | fixed
    return Picture(content(rng, width, height), **fields)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def directed(dut):
    """Flat, gradient and checker pictures of 2x2 macroblocks, both coders.

    128 everywhere is what DC predicts without neighbours, and every neighbour is 128 then: no level is coded, each
    macroblock is Intra16x16 with prediction DC, and comes out as it went in.
    """
    tb = TB(dut)
    await tb.start()
    y, x = np.mgrid[0:32, 0:32]
    kinds = {
        "flat": np.full((32, 32), 128),
        "gradient": 4 * x + 3 * y,
        "checker": np.where((x // 4 + y // 4) % 2, 200, 40),
    }
    for name, luma in kinds.items():
        luma = np.clip(luma, 0, 255).astype(np.uint8)
        other = luma if name == "flat" else 255 - luma
        for entropy in (1, 0):
            picture = Picture((luma, luma[::2, ::2].copy(), other[::2, ::2].copy()), qp=27, entropy=entropy)
            cycles, _ = await tb.encode(picture, f"{name}, {CODERS[entropy]}")
            dut._log.info(f"{name}: {cycles} cycles, {picture.result.output_bytes} bytes")
            if name == "flat":
                assert (picture.reconstruction(picture.expected)[0] == 128).all()
                assert (picture.mbs.mb_type == m.I_16X16).all()
                assert not picture.mbs.cbp.any()


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def random_pictures(dut):
    """Random content, sizes, QPs, filter offsets, header fields; the decision's law holds for every macroblock."""
    tb = TB(dut)
    await tb.start()
    record = new_record("random_pictures")
    held = macroblocks = 0
    for number in range(24):
        picture = random_picture(tb.rng, entropy=number % 2)
        _, ends = await tb.encode(picture, f"picture {number}, {CODERS[picture.job.entropy]}, QP {picture.job.qp}")
        held += account(dut, record, picture, ends)
        macroblocks += picture.macroblocks
        cover(record, picture)
    dut._log.info(f"{macroblocks} macroblocks, {held} of them behind a bank that entropy had not left")
    assert not record.open_bins(), f"bins never hit: {record.open_bins()}; {rerun()}"
    record.write()


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def random_latency_and_pressure(dut):
    """The same bytes when reads take up to 200 cycles and every port refuses; within 5 % of the model's total where
    the memory is as fast as a chip's."""
    tb = TB(dut)
    await tb.start()
    record = Record("encode_core", "random_latency_and_pressure")
    for latency, pause in (((1, 200), 0.0), ((1, 1), 0.7), ((20, 120), 0.5)):
        picture = random_picture(tb.rng)
        await tb.encode(picture, f"latency {latency}, pause {pause}", latency, pause)
    for entropy in (1, 0):
        planes = encoding.natural(96, 80, 1, seed=int(tb.rng.integers(1 << 30)))[0]
        picture = Picture(planes, qp=27, entropy=entropy)
        cycles, _ = await tb.encode(picture, "natural", (10, 60), 0.1)
        total(dut, record, picture, cycles, f"96x80, {CODERS[entropy]}, latency 10 to 60")
    record.write()


def total(dut, record, picture, cycles, what):
    """The picture's cycles are the model's within 5 %."""
    model = picture.model_cycles
    record.cycles(model=model, rtl=cycles)
    dut._log.info(
        f"{what}: {cycles} cycles, {cycles / picture.macroblocks:.1f} a macroblock, model {model} "
        f"({100 * (model - cycles) / cycles:+.1f} %)"
    )
    assert abs(model - cycles) <= 0.05 * cycles, f"{what}: {cycles} cycles, model {model}; {rerun()}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def stream_that_does_not_fit(dut):
    """OUTPUT_FULL, not a byte behind the stream's room, and the next picture is as it should be."""
    tb = TB(dut)
    await tb.start()
    planes = encoding.noise(32, 32, 1, seed=3)[0]
    picture = Picture(planes, qp=20, out_capacity=100)
    assert picture.result.status == STATUS_OUTPUT_FULL
    memory = Memory(dut, picture.memory.copy())
    done = []
    job = Source(dut, "job", [{"": job_word(picture.job)}])
    sink = Sink(dut, "done", ("status", "bytes", "cycles"), done.append)
    await tb.run([job], [memory, sink], lambda: bool(done), 40000)
    assert done[0]["status"] == STATUS_OUTPUT_FULL
    end = picture.job.out_address + picture.job.out_capacity
    assert not memory.data[end:].any(), f"bytes behind the stream's room; {rerun()}"
    await tb.encode(Picture(planes, qp=20), "after a full one")


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def clip(dut):
    """A clip's I pictures, at QP 27 within 700 cycles a macroblock: one of 96x80 samples by default, QCIF pictures of
    both coders where TASIC_RTL_DEEP is set."""
    tb = TB(dut)
    await tb.start()
    record = Record("encode_core", "clip")
    deep = bool(os.environ.get("TASIC_RTL_DEEP"))
    for entropy in (1, 0) if deep else (1,):
        for qp in (27, 20, 37) if deep else (27,):
            for planes in clips.pictures(2 if deep else 1):
                if not deep:
                    planes = (planes[0][:80, :96], planes[1][:40, :48], planes[2][:40, :48])
                picture = Picture(planes, qp=qp, entropy=entropy)
                what = f"{clips.source_name()}, {picture.job.width}x{picture.job.height}, {CODERS[entropy]}, QP {qp}"
                began = time.process_time()
                cycles, ends = await tb.encode(picture, what)
                dut._log.info(f"{time.process_time() - began:.1f} s of CPU time in simulator and bench")
                held = account(dut, record, picture, ends)
                total(dut, record, picture, cycles, what)
                dut._log.info(f"{held} macroblocks waited for a bank")
                if qp == 27:
                    assert cycles <= 700 * picture.macroblocks, f"{what}: {cycles} cycles; {rerun()}"
    dut._log.info(f"model - RTL cycles: {sorted(record.errors.items())}")
    record.write()


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def noise_beside_flat(dut):
    """The self-test's pictures, which the chip's bench codes too: entropy falls behind over noise and catches up over
    flat ground, so the room between decision and entropy decides how long the picture takes; within 5 %."""
    tb = TB(dut)
    await tb.start()
    record = Record("encode_core", "noise_beside_flat")
    held = 0
    for number in range(2):
        source = pattern(number)
        picture = Picture((source.y, source.cb, source.cr), qp=27, entropy=1)
        cycles, ends = await tb.encode(picture, "noise beside flat", (10, 40))
        held += account(dut, record, picture, ends)
        total(dut, record, picture, cycles, f"self-test picture {number}")
    assert held, "no macroblock waited for a bank"
    record.write()
