"""The encode core in RTL writes the model's slice and the model's reconstruction, and takes the model's time.

The model is `asic_model.cores.encode` on the `tiny` chip without trials; FFmpeg decodes what the RTL wrote.
"""

import os
import time

import cocotb
import numpy as np

from asic_model.codecs.h264 import macroblock as m
from asic_model.cores.encode.account import MODE_DECISION
from asic_model.cores.result import STATUS_OK, STATUS_OUTPUT_FULL
from driver.selftest import pattern
from rtl_tests import clips
from rtl_tests.accuracy import Record
from rtl_tests.encode_core.job import job_word
from rtl_tests.encode_core.picture import IDLE, LIMIT_CYCLES_MB, Memory, Picture, compare
from rtl_tests.handshake import Bench, Sink, Source, rerun
from tests.cores import encoding

CODERS = ("CAVLC", "CABAC")
P_TYPES = {"P_SKIP": m.P_SKIP, "INTER_16X16": m.INTER_16X16, "I_4X4": m.I_4X4, "I_16X16": m.I_16X16}
STORE_HIDDEN_MBS = 4  # a row of w macroblocks reads 106 * (w + 6) + 102 * w words; at 4 that is 1468 cycles of 1680
BOUND_P = 14  # cycles of a P macroblock beside its law: 6 of motion_search, 6 of fractional_search, and 2


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
        encoding.check_against_ffmpeg(stream, picture.reconstructions(memory.data), what)
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
    """OUTPUT_FULL, not a byte behind the stream's room, which is a byte less than it takes or much less; and the next
    picture is as it should be, whose stream just fits."""
    tb = TB(dut)
    await tb.start()
    planes = encoding.noise(32, 32, 1, seed=3)[0]
    size = Picture(planes, qp=20).result.output_bytes
    for capacity in (100, size - 1):
        picture = Picture(planes, qp=20, out_capacity=capacity)
        assert picture.result.status == STATUS_OUTPUT_FULL
        memory = Memory(dut, picture.memory.copy())
        done = []
        job = Source(dut, "job", [{"": job_word(picture.job)}])
        sink = Sink(dut, "done", ("status", "bytes", "cycles"), done.append)
        await tb.run([job], [memory, sink], lambda done=done: bool(done), 40000)
        assert done[0]["status"] == STATUS_OUTPUT_FULL, f"{capacity} of {size} bytes; {rerun()}"
        end = picture.job.out_address + capacity
        assert not memory.data[end:].any(), f"bytes behind the stream's room; {rerun()}"
        await tb.encode(Picture(planes, qp=20, out_capacity=size), "after a full one")


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


def sequence(planes, **fields):
    """An I picture and P pictures, each of which refers to the one before."""
    pictures = [Picture(planes[0], **fields)]
    for number in range(1, len(planes)):
        pictures.append(Picture(planes[number], pictures[-1], frame_num=number, poc_lsb=0, **fields))
    return pictures


def zoomed(plane, scale, ahead):
    """The plane between its samples, from `ahead` (rows, columns) on in steps of `scale`: motion of all fractions."""
    found = plane.astype(float)
    for axis in (0, 1):
        places = np.clip(np.arange(plane.shape[axis]) * scale + ahead[axis], 0, plane.shape[axis] - 1)
        before = np.minimum(places.astype(int), plane.shape[axis] - 2)
        share = (places - before)[:, None] if axis == 0 else places - before
        found = (1 - share) * found.take(before, axis) + share * found.take(before + 1, axis)
    return np.round(found).astype(np.uint8)


def new_p_record(test):
    record = Record("encode_core", test)
    record.bins("mb_type", tuple(P_TYPES))
    record.bins("beside it", ("inter left, intra above", "intra left, inter above", "intra both", "inter both"))
    record.bins("fraction", [(y, x) for y in range(4) for x in range(4)])
    record.bins("beyond the edge", ("left", "right", "above", "below"))
    record.bins("cbp_chroma", range(3))
    record.bins("cbp_luma", ("none", "some", "all"))
    record.bins("coder", CODERS)
    record.bins("cabac_init_idc", range(3))
    record.bins("motion", ("none", "out", "both"))
    record.bins("skip vector", ("zero", "other"))
    return record


def cover_p(record, picture):
    job, mbs = picture.job, picture.mbs
    for mb in range(picture.macroblocks):
        skip = mbs.mb_type[mb] == m.P_SKIP
        record.hit("mb_type", next(name for name, kind in P_TYPES.items() if kind == mbs.mb_type[mb]))
        if mbs.mb_type[mb] <= m.I_16X16:
            continue
        if mb % job.mb_width and mb >= job.mb_width:
            left, up = mbs.mb_type[mb - 1] <= m.I_16X16, mbs.mb_type[mb - job.mb_width] <= m.I_16X16
            beside = ("inter both", "inter left, intra above", "intra left, inter above", "intra both")
            record.hit("beside it", beside[2 * left + up])
        x, y = (int(value) for value in mbs.mv[mb, 0, 0])
        record.hit("fraction", (y & 3, x & 3))
        left, top = 64 * (mb % job.mb_width) + x, 64 * (mb // job.mb_width) + y
        for name, beyond in (
            ("left", left < 0), ("right", left > 64 * (job.mb_width - 1)),
            ("above", top < 0), ("below", top > 64 * (job.mb_height - 1)),
        ):  # fmt: skip
            if beyond:
                record.hit("beyond the edge", name)
        if skip:
            record.hit("skip vector", "other" if x or y else "zero")
            continue
        record.hit("cbp_chroma", int(mbs.cbp[mb]) >> 4)
        luma = int(mbs.cbp[mb]) & 15
        record.hit("cbp_luma", "none" if luma == 0 else "all" if luma == 15 else "some")
    record.hit("coder", CODERS[job.entropy])
    if job.entropy:
        record.hit("cabac_init_idc", job.cabac_init_idc)
    given, wanted = job.motion_in_address != 0, job.motion_out_address != 0
    record.hit("motion", "both" if given else "out" if wanted else "none")


def account_p(dut, record, picture, ends):
    """The law of a P macroblock, within BOUND_P cycles, wherever its successor does not wait for a free bank.

    Not in narrow pictures, whose rows read more than fits into their time."""
    if picture.job.mb_width < STORE_HIDDEN_MBS:
        return
    decided, coded = ends
    banks = int(dut.BANKS.value)
    law = picture.result.cycles[:, MODE_DECISION]
    for mb in range(1, picture.macroblocks):
        if mb < banks or coded[mb - banks] <= decided[mb - 1]:
            rtl = decided[mb] - decided[mb - 1]
            record.cycles(model=int(law[mb]), rtl=rtl)
            x, y = mb % picture.job.mb_width, mb // picture.job.mb_width
            assert abs(rtl - law[mb]) <= BOUND_P, f"P macroblock ({x}, {y}): {rtl} cycles, law {law[mb]}; {rerun()}"


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def p_directed(dut):
    """A picture that stands still, and one that moves by whole samples.

    The flat picture leaves no residual: every macroblock is P_Skip, with CAVLC two bytes of slice data at most. The
    other one has been moved three samples to the right and two down: away from the edges its vector is (-12, -8).
    """
    tb = TB(dut)
    await tb.start()
    for entropy in (0, 1):
        flat = encoding.flat(48, 32, 1)[0]
        _, second = sequence([flat, flat], qp=27, entropy=entropy)
        await tb.encode(second, f"flat, {CODERS[entropy]}")
        assert (second.mbs.mb_type == m.P_SKIP).all()
        assert second.result.output_bytes <= 4 + 1 + 4 + 2  # start code, NAL header, slice header, data
        still = encoding.natural(96, 80, 1, seed=8)[0]
        moved = tuple(
            np.roll(plane, shift, (0, 1)) for plane, shift in zip(still, ((2, 3), (1, 1), (1, 1)), strict=True)
        )
        _, second = sequence([still, moved], qp=20, entropy=entropy)
        await tb.encode(second, f"moved, {CODERS[entropy]}")
        inner = second.mbs.mv.reshape(5, 6, 2, 16, 2)[1:-1, 1:-1, 0, 0]
        assert (inner == (-12, -8)).all(), inner


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def p_random(dut):
    """Sequences of random content, sizes, QPs, filters, motion records; the law holds for every macroblock."""
    tb = TB(dut)
    await tb.start()
    record = new_p_record("p_random")
    for number in range(12):
        rng = tb.rng
        width, height = 2 * int(rng.integers(8, 41)), 2 * int(rng.integers(8, 33))
        if number % 4 < 2:
            width, height = 112, 80
        kind = ("natural", "natural", "screen", "noise")[number % 4]
        planes = encoding.CONTENT[kind](width, height, 3, seed=int(rng.integers(1 << 30)))
        if number % 4 == 0:
            scale, ahead = rng.uniform(0.94, 0.99), rng.uniform(-2, 4, 2)
            planes[2] = tuple(
                zoomed(plane, scale, ahead if plane.shape[0] == height else ahead / 2) for plane in planes[1]
            )
        if number % 4 == 1:  # jumps about, also beyond the edges, and every fourth macroblock is another picture's
            by = rng.integers(-15, 16, 2)
            planes[2] = tuple(
                np.roll(plane, by if plane.shape[0] == height else by // 2, (0, 1)) for plane in planes[1]
            )
            for y in range(0, height - 15, 16):
                for x in range(0, width - 15, 16):
                    if rng.integers(4) == 0:
                        planes[2][0][y : y + 16, x : x + 16] = rng.integers(256)
        if number % 4 == 2:  # stands still
            planes[2] = planes[1]
        pictures = sequence(
            planes, qp=int(rng.integers(12, 45)), entropy=number % 2, chroma_qp_offset=int(rng.integers(-12, 13)),
            deblock_disable=int(rng.integers(4) == 0), deblock_alpha=int(rng.integers(-6, 7)),
            deblock_beta=int(rng.integers(-6, 7)), nal_ref_idc=int(rng.integers(1, 4)),
            cabac_init_idc=number // 2 % 3, intra=number % 5 > 0, motion=int(rng.integers(2)),
            motion_in=int(rng.integers(2)),
        )  # fmt: skip
        for picture in pictures[1:]:
            _, ends = await tb.encode(picture, f"sequence {number}, {kind}, {CODERS[picture.job.entropy]}")
            account_p(dut, record, picture, ends)
            cover_p(record, picture)
    dut._log.info(f"law - RTL cycles: {sorted(record.errors.items())}")
    assert not record.open_bins(), f"bins never hit: {record.open_bins()}; {rerun()}"
    record.write()


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def p_latency_and_pressure(dut):
    """The same bytes when reads take up to 200 cycles and every port refuses; within 5 % of the model's total where the
    memory is as fast as a chip's. A P picture and an I picture may follow each other in any order."""
    tb = TB(dut)
    await tb.start()
    record = Record("encode_core", "p_latency_and_pressure")
    first, second, third = sequence(encoding.natural(64, 48, 3, seed=2), qp=27, motion=1, motion_in=1)
    for picture, latency, pause in (
        (second, (1, 200), 0.0), (first, (1, 1), 0.7), (third, (1, 1), 0.7), (second, (20, 120), 0.5),
    ):  # fmt: skip
        await tb.encode(picture, f"latency {latency}, pause {pause}", latency, pause)
    for entropy in (1, 0):
        planes = encoding.natural(112, 96, 2, seed=int(tb.rng.integers(1 << 30)))
        picture = sequence(planes, qp=27, entropy=entropy)[1]
        cycles, _ = await tb.encode(picture, "natural", (10, 60), 0.1)
        total(dut, record, picture, cycles, f"P, 112x96, {CODERS[entropy]}, latency 10 to 60")
    record.write()


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def p_clip(dut):
    """A clip's P pictures: one of 96x80 samples by default, three QCIF ones of both coders at several QPs where
    TASIC_RTL_DEEP is set."""
    tb = TB(dut)
    await tb.start()
    record = Record("encode_core", "p_clip")
    deep = bool(os.environ.get("TASIC_RTL_DEEP"))
    for entropy in (1, 0) if deep else (1,):
        for qp in (27, 20, 37) if deep else (27,):
            planes = list(clips.pictures(4 if deep else 2))
            if not deep:
                planes = [(y[:80, :96], cb[:40, :48], cr[:40, :48]) for y, cb, cr in planes]
            for picture in sequence(planes, qp=qp, entropy=entropy, motion=1, motion_in=1)[1:]:
                what = f"{clips.source_name()}, P, {picture.job.width}x{picture.job.height}, {CODERS[entropy]}, QP {qp}"
                cycles, ends = await tb.encode(picture, what)
                account_p(dut, record, picture, ends)
                total(dut, record, picture, cycles, what)
                kinds = {name: int((picture.mbs.mb_type == kind).sum()) for name, kind in P_TYPES.items()}
                dut._log.info(f"{what}: {cycles / picture.macroblocks:.0f} cycles a macroblock, {kinds}")
    record.write()
