"""The deblocking RTL gives the model's picture, block for block, in the model's fixed time a macroblock.

The model's kernels (asic_model/engines/deblock) are the reference; tests/engines/test_deblock.py holds them to a twin
written from the standard.
"""

import cocotb
import numpy as np

from asic_model.codecs.h264 import macroblock as m
from asic_model.config import load_chip
from asic_model.engines import deblock as model
from asic_model.work import encode_work
from rtl_tests.accuracy import Record
from rtl_tests.clips import coded_pictures, source_name
from rtl_tests.handshake import Bench, Sink, Source, pack, pack_record, rerun, unpack

PLANES = ("Y", "Cb", "Cr")


class Picture:
    """A picture before and after the model's filter, with its macroblocks as records."""

    def __init__(self, mbs, slices, planes, width, height, *, field=0, lists=2):
        self.mbs, self.slices, self.width, self.height = mbs, slices, width, height
        self.before = [plane.copy() for plane in planes]
        flat = np.concatenate([plane.reshape(-1) for plane in planes] + [np.zeros(64, np.uint8)])
        luma, chroma = 256 * width * height, 64 * width * height
        count = width * height
        scratch, self.edges = model.allocate_scratch(count), np.zeros(count, np.uint8)
        places = model.Planes(flat, 0, 16 * width, luma, luma + chroma, 8 * width, 1)
        model.deblock_picture(places, mbs, slices, scratch, width, height, field, lists, self.edges)
        self.after = [
            flat[:luma].reshape(16 * height, 16 * width),
            flat[luma : luma + chroma].reshape(8 * height, 8 * width),
            flat[luma + chroma : luma + 2 * chroma].reshape(8 * height, 8 * width),
        ]
        self.field, self.scratch = field, scratch
        self.items = [self._record(mb) for mb in range(count)]
        self.blocks = [{"": pack(block, 8)} for mb in range(count) for block in self._blocks(mb)]

    def _record(self, mb):
        mbs, s = self.mbs, self.slices
        number = int(mbs.slice_id[mb])
        own = s.disable[number] == 2
        left, top = mb - 1, mb - self.width
        has_left = mb % self.width > 0 and not (own and mbs.slice_id[left] != number)
        has_top = top >= 0 and not (own and mbs.slice_id[top] != number)
        kind = int(mbs.mb_type[mb])
        intra = kind <= m.I_PCM
        pictures = self.scratch.pictures[8 * mb : 8 * mb + 8] if not intra else np.full(8, -1)
        coded = self.scratch.coded[16 * mb : 16 * mb + 16] if not intra else np.zeros(16)
        record = pack_record(
            [
                (s.disable[number] != 1, 1), (has_left, 1), (has_top, 1), (self.field, 1), (intra, 1),
                (mbs.transform_8x8[mb] != 0, 1), (0 if kind == m.I_PCM else mbs.qp[mb], 6), (s.alpha_offset[number], 5),
                (s.beta_offset[number], 5), (s.cb_offset[number], 5), (s.cr_offset[number], 5), (pack(coded, 1), 16),
                (pack(pictures, 7), 56),
            ]
        )  # fmt: skip
        return {
            "": record, "motion": pack(mbs.mv[mb].ravel(), 16), "x": mb % self.width, "y": mb // self.width,
            "width": self.width, "height": self.height,
        }  # fmt: skip

    def _blocks(self, mb):
        x, y = mb % self.width, mb // self.width
        for plane, size in zip(self.before, (16, 8, 8), strict=True):
            for row in range(0, size, 4):
                for column in range(0, size, 4):
                    at_y, at_x = size * y + row, size * x + column
                    yield plane[at_y : at_y + 4, at_x : at_x + 4].reshape(-1)


def random_picture(rng, width=None, height=None, lists=None):
    """Macroblocks of all kinds, few references, vectors a step apart, samples that the filter takes for artefacts."""
    width, height = width or int(rng.integers(1, 5)), height or int(rng.integers(1, 4))
    lists = lists or int(rng.integers(1, 3))
    count, number = width * height, int(rng.integers(1, 4))
    mbs = m.allocate(count)
    kinds = [m.I_4X4, m.I_16X16, m.I_PCM] + 7 * [m.P_SKIP, m.INTER_16X16, m.INTER_8X8]
    mbs.mb_type[:] = rng.choice(kinds, count)
    mbs.slice_id[:] = np.sort(rng.integers(0, number, count))
    mbs.qp[:] = rng.integers(20, 52, count) if rng.integers(2) else rng.choice([0, 51])
    mbs.cbp[:] = rng.integers(0, 48, count)
    mbs.transform_8x8[:] = rng.integers(0, 2, count)
    mbs.total_coeff[:] = rng.integers(1, 17, (count, 24)) * (rng.random((count, 24)) < 0.2)
    mbs.ref_idx[:, 0] = rng.integers(-1 if lists == 2 else 0, 2, (count, 4))
    if lists == 2:
        mbs.ref_idx[:, 1] = rng.integers(-1, 2, (count, 4))
        mbs.ref_idx[:, 1][mbs.ref_idx[:, 0] < 0] = rng.integers(0, 2)
    mbs.mv[:] = rng.integers(-3, 4, mbs.mv.shape) * rng.choice([0, 1, 2, 700])
    slices = model.allocate_slices(number)
    slices.disable[:] = rng.choice([0, 0, 1, 2], number)
    for offsets in (slices.alpha_offset, slices.beta_offset):
        offsets[:] = 2 * rng.integers(-6, 7, number) if rng.integers(2) else 0
    slices.cb_offset[:], slices.cr_offset[:] = rng.integers(-12, 13, (2, number))
    slices.pictures[:] = rng.integers(0, 3, slices.pictures.shape)
    planes = []
    for size in (16, 8, 8):
        shape = (size * height, size * width)
        noise = rng.integers(-4, 5, shape).cumsum(1) * rng.choice([0, 1]) + rng.integers(-6, 7, shape)
        planes.append(np.clip(noise + rng.integers(0, 256), 0, 255).astype(np.uint8))
    return Picture(mbs, slices, planes, width, height, field=int(rng.integers(4) == 0), lists=lists)


class TB(Bench):
    async def start(self):
        await self.reset(("mb_valid_i", "block_valid_i", "out_ready_i"))

    async def send(self, picture, pause_in=0.0, pause_out=0.0):
        """Filter a picture; return the cycles in which its macroblocks were taken and finished."""
        found = [np.zeros_like(plane) for plane in picture.after]
        seen = [np.zeros((plane.shape[0] // 4, plane.shape[1] // 4), bool) for plane in found]
        total = 24 * picture.width * picture.height
        count = [0]

        def take(fields):
            plane, x, y = fields["plane"], fields["x"], fields["y"]
            where = f"{PLANES[plane]} block ({x}, {y})"
            inside = y < seen[plane].shape[0] and x < seen[plane].shape[1]
            assert inside, f"{where} is outside the picture; {rerun()}"
            assert not seen[plane][y, x], f"{where} left twice; {rerun()}"
            seen[plane][y, x] = True
            samples = np.array(unpack(fields["samples"], 8, 16, False)).reshape(4, 4)
            wanted = picture.after[plane][4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
            if not np.array_equal(samples, wanted):
                at_y, at_x = np.argwhere(samples != wanted)[0]
                per = 4 if plane == 0 else 2
                raise AssertionError(
                    f"macroblock ({x // per}, {y // per}) of {picture.width}x{picture.height}, {where}, sample "
                    f"({at_x}, {at_y}): RTL {samples[at_y, at_x]}, model {wanted[at_y, at_x]}; {rerun()}"
                )
            count[0] += 1

        mb = Source(self.dut, "mb", picture.items, pause_in)
        blocks = Source(self.dut, "block", picture.blocks, pause_in)
        sink = Sink(self.dut, "out", ("plane", "x", "y", "samples"), take, pause_out)
        ends = []
        await self.run([mb, blocks], [sink], lambda: count[0] == total, 4000 + 40 * total, [(self.dut.mb_end_o, ends)])
        assert mb.done
        assert blocks.done
        return mb.taken_at, ends


def new_record(test):
    record = Record("deblock", test)
    record.bins("edges", ("none", "some", "all"))
    record.bins("kind", ("intra", "inter"))
    record.bins("transform_8x8", (0, 1))
    record.bins("lists", (1, 2))
    record.bins("field", (0, 1))
    record.bins("disable", (0, 1, 2))
    record.bins("qp", ("0", "low", "high"))
    record.bins("changed", PLANES)
    return record


def cover(record, picture, lists):
    record.hit("lists", lists)
    record.hit("field", picture.field)
    for mb in range(picture.width * picture.height):
        edges = int(picture.edges[mb])
        record.hit("edges", "none" if edges == 0 else "all" if edges >= 48 else "some")
        record.hit("kind", "intra" if picture.mbs.mb_type[mb] <= m.I_PCM else "inter")
        record.hit("transform_8x8", int(picture.mbs.transform_8x8[mb]))
        record.hit("disable", int(picture.slices.disable[picture.mbs.slice_id[mb]]))
        qp = int(picture.mbs.qp[mb])
        record.hit("qp", "0" if qp == 0 else "low" if qp < 36 else "high")
    for name, before, after in zip(PLANES, picture.before, picture.after, strict=True):
        if (before != after).any():
            record.hit("changed", name)


def account(record, picture, taken, ends):
    """Every macroblock takes the same time, from its acceptance to its end."""
    config = load_chip("tiny").encode.core.deblock
    work = encode_work(len(taken))
    work["deblock_edges"] = picture.edges
    for law, start, end in zip(model.cycles(config, work), taken, ends, strict=True):
        rtl = end - start + 1
        record.cycles(model=int(law), rtl=rtl)
        assert rtl == law, f"law {law}, RTL {rtl} cycles; {rerun()}"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def corners(dut):
    """Intra macroblocks with a step of 8 between them at QP 40: the strong filter makes a ramp, four samples a side."""
    tb = TB(dut)
    await tb.start()
    mbs = m.allocate(2)
    mbs.mb_type[:], mbs.slice_id[:], mbs.qp[:] = m.I_16X16, 0, 40
    slices = model.allocate_slices(1)
    planes = [np.repeat(np.repeat(np.array([[100, 108]], np.uint8), s, 0), s, 1) for s in (16, 8, 8)]
    picture = Picture(mbs, slices, planes, 2, 1)
    # 8.7.2.4 by hand: p0' = (3 * 100 + 2 * 100 + 2 * 108 + 108 + 4) >> 3 = 103, p1' = 102, p2' = 101
    assert picture.after[0][0, 12:20].tolist() == [100, 101, 102, 103, 105, 106, 107, 108]
    await tb.send(picture)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_pictures(dut):
    """Pictures of one to twelve random macroblocks: all strengths, fields, slices and offsets."""
    tb = TB(dut)
    await tb.start()
    record = new_record("random_pictures")
    for number in range(30):
        lists = 1 + number % 2
        picture = random_picture(tb.rng, lists=lists)
        taken, ends = await tb.send(picture)
        account(record, picture, taken, ends)
        cover(record, picture, lists)
    assert not record.open_bins(), f"bins never hit: {record.open_bins()}; {rerun()}"
    record.write()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_pictures_under_pressure(dut):
    """The same samples with bubbles on both inputs and back-pressure on the output."""
    tb = TB(dut)
    await tb.start()
    for pause_in, pause_out in ((0.8, 0.0), (0.0, 0.9), (0.5, 0.6)):
        for _ in range(3):
            await tb.send(random_picture(tb.rng), pause_in, pause_out)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def coded_clip(dut):
    """I and P pictures of a clip, as the model's encoder reconstructed them: filtered samples, one after another."""
    tb = TB(dut)
    await tb.start()
    record = Record("deblock", "coded_clip")
    for picture in coded_pictures(count=2, qp=37):
        slices = model.allocate_slices(1)
        slices.pictures[:] = np.arange(slices.pictures.shape[2])
        width = picture.parameters.mb_width
        filtered = Picture(picture.mbs, slices, picture.unfiltered, width, len(picture.mbs.mb_type) // width, lists=1)
        for ours, theirs in zip(filtered.after, picture.filtered, strict=True):
            assert np.array_equal(ours, theirs), "not what the encode core filtered"
        taken, ends = await tb.send(filtered)
        account(record, filtered, taken, ends)
        slots = np.diff(ends)
        dut._log.info(
            f"{source_name()}: {len(ends)} macroblocks, {slots.min()} to {slots.max()} cycles from end to end"
        )
    record.write()
