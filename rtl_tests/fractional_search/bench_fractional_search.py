"""The fractional search RTL finds the model's vectors and costs, whatever partitions share a centre.

The model's kernel (asic_model/engines/fractional_search.py) is the reference; tests/engines/test_fractional_search.py
holds it to a plain twin with interpolation written from the standard.
"""

import cocotb
import numpy as np

from asic_model.config import load_chip
from asic_model.engines.fractional_search import ReferencePlanes, cycles, fractional_scratch, refine
from asic_model.engines.inter_prediction import half_sample_planes
from asic_model.engines.lagrangian import MOTION_LAMBDA
from asic_model.engines.motion_search import GUARD_BYTES, PAD_PX
from asic_model.work import encode_work
from rtl_tests.accuracy import Record
from rtl_tests.clips import coded_pictures, source_name
from rtl_tests.handshake import Bench, Sink, Source, pack, rerun, unpack

SIDE = 22
CURRENT_ROWS = 16


def planes_of(luma):
    """Whole- and half-sample planes of a picture, as the model keeps them."""
    height, width = luma.shape
    stride = width + 2 * PAD_PX
    size = stride * (height + 2 * PAD_PX)
    data = np.zeros(4 * size + GUARD_BYTES, np.uint8)
    data[:size].reshape(-1, stride)[PAD_PX : PAD_PX + height, PAD_PX : PAD_PX + width] = luma
    offset = PAD_PX * stride + PAD_PX
    half_sample_planes(data, offset, stride, size, width, height, PAD_PX, np.empty(width + 32, np.int16))
    return ReferencePlanes(data, offset, stride, size)


class Macroblock:
    """One macroblock, the whole-sample vectors of its partitions, and what the model makes of them."""

    def __init__(self, current, planes, padded, mb_x, mb_y, whole, wanted, predicted, lambda_motion):
        self.samples = current[16 * mb_y : 16 * mb_y + 16, 16 * mb_x : 16 * mb_x + 16]
        self.padded, self.mb_x, self.mb_y = padded, mb_x, mb_y
        self.whole, self.wanted, self.predicted = whole, wanted, predicted
        self.lambda_motion = lambda_motion
        width = current.shape[1]
        self.vectors, self.costs = np.zeros((9, 2), np.int32), np.zeros(9, np.int32)
        self.positions = refine(
            np.ascontiguousarray(current).reshape(-1), 16 * mb_y * width + 16 * mb_x, width, planes, 16 * mb_x,
            16 * mb_y, whole, wanted, *predicted, lambda_motion, self.vectors, self.costs, fractional_scratch(), 0,
        )  # fmt: skip
        self.centres = len({tuple(whole[p]) for p in range(9) if wanted >> p & 1})

    def command(self):
        return {
            "wanted": self.wanted, "whole_x": pack(self.whole[:, 0], 11), "whole_y": pack(self.whole[:, 1], 11),
            "predicted": pack(self.predicted, 16), "lambda": self.lambda_motion,
        }  # fmt: skip

    def window(self, x, y):
        """Rows of the window of centre (x, y)."""
        left, top = PAD_PX + 16 * self.mb_x + x - 3, PAD_PX + 16 * self.mb_y + y - 3
        return [pack(self.padded[top + row, left : left + SIDE], 8) for row in range(SIDE)]


def random_macroblocks(rng, count, content=None):
    """Macroblocks of one picture pair; partitions agree, nearly agree, or all differ."""
    content = content or str(rng.choice(["noise", "smooth", "flat", "extreme"]))
    height = width = 48
    if content == "smooth":
        coarse = np.kron(rng.integers(0, 256, (14, 14)), np.ones((4, 4)))
        reference = ((np.roll(coarse, 1, 0) + coarse + np.roll(coarse, 1, 1)) / 3).astype(np.uint8)[:height, :width]
        across, down = int(rng.integers(2)), int(rng.integers(2))  # by half a sample, or not at all
        shifted = reference.astype(int) + np.roll(reference, across, 1)
        shifted = (shifted + np.roll(shifted, down, 0) + 2) >> 2
        current = np.clip(shifted + rng.integers(-1, 2, shifted.shape), 0, 255).astype(np.uint8)
    elif content == "flat":
        reference, current = (np.full((height, width), int(rng.integers(256)), np.uint8) for _ in range(2))
    else:
        values = (0, 255) if content == "extreme" else range(256)
        reference, current = (rng.choice(values, (height, width)).astype(np.uint8) for _ in range(2))
        if content == "same":
            current = reference
    planes, padded = planes_of(reference), np.pad(reference, PAD_PX, mode="edge")
    found = []
    for _ in range(count):
        spread = int(rng.choice([0, 1, 12]))
        whole = rng.integers(-spread, spread + 1, (9, 2)).astype(np.int16)
        wanted = 0x1FF if rng.random() < 0.5 else int(rng.choice([rng.integers(1, 512), 1]))
        predicted = tuple(int(value) for value in rng.integers(-40, 41, 2))
        found.append(
            Macroblock(
                current, planes, padded, int(rng.integers(3)), int(rng.integers(3)), whole, wanted, predicted,
                int(MOTION_LAMBDA[rng.integers(52)]),
            )
        )  # fmt: skip
    return found


class _Commands(Source):
    """A macroblock is offered when its samples have been written, which begins when the one before has its result."""

    def __init__(self, dut, macroblocks, results, pause):
        super().__init__(dut, "cmd", [mb.command() for mb in macroblocks], pause)
        self.dut, self.macroblocks, self.results, self.rows = dut, macroblocks, results, 0

    def settle(self):
        super().settle()
        self.dut.current_valid_i.value = 0

    def drive(self, rng):
        if self.offered or self.next == len(self.items) or len(self.results) < self.next:
            return
        if self.rows < CURRENT_ROWS:
            self.dut.current_valid_i.value = 1
            self.dut.current_row_i.value = self.rows
            self.dut.current_data_i.value = pack(self.macroblocks[self.next].samples[self.rows], 8)
            self.rows += 1
            return
        super().drive(rng)

    def sample(self, cycle):
        before = self.next
        super().sample(cycle)
        if self.next != before:
            self.rows = 0


class _Windows(Source):
    """Rows of the windows that have been asked for."""

    def __init__(self, dut, pause):
        super().__init__(dut, "window", [{"data": 0}], pause)
        self.items = []

    @property
    def done(self):
        return self.next == len(self.items)


class TB(Bench):
    async def start(self):
        await self.reset(("cmd_valid_i", "out_ready_i", "current_valid_i", "window_valid_i", "request_ready_i"))

    async def send(self, macroblocks, pause_in=0.0, pause_out=0.0):
        """Refine `macroblocks`; return the cycles in which commands were taken and results given."""
        results, windows = [], _Windows(self.dut, pause_in)

        def ask(fields):
            mb = macroblocks[len(results)]
            x, y = unpack(fields["x"], 11, 1, True)[0], unpack(fields["y"], 11, 1, True)[0]
            windows.items += [{"data": row} for row in mb.window(x, y)]

        def take(fields):
            number = len(results)
            mb = macroblocks[number]
            x, y = unpack(fields["mv_x"], 14, 9, True), unpack(fields["mv_y"], 14, 9, True)
            cost = unpack(fields["cost"], 18, 9, False)
            for p in range(9):
                if mb.wanted >> p & 1:
                    found, wanted = (x[p], y[p], cost[p]), (*mb.vectors[p].tolist(), int(mb.costs[p]))
                    assert found == wanted, (
                        f"macroblock {number} at ({mb.mb_x}, {mb.mb_y}), partition {p}, whole {mb.whole[p].tolist()}: "
                        f"RTL (x, y, cost) {found}, model {wanted}; {rerun()}"
                    )
            results.append(number)

        commands = _Commands(self.dut, macroblocks, results, pause_in)
        request = Sink(self.dut, "request", ("x", "y"), ask, pause_in)
        sink = Sink(self.dut, "out", ("mv_x", "mv_y", "cost"), take, pause_out)
        limit = 4000 * len(macroblocks) + 2000
        await self.run([commands, windows], [request, sink], lambda: len(results) == len(macroblocks), limit)
        return commands.taken_at, sink.given_at


def account(record, macroblocks, taken, given):
    config = load_chip("tiny").encode.core.fractional_search
    for mb, start, end in zip(macroblocks, taken, given, strict=True):
        work = encode_work(1)
        work["fractional_search_blocks"] = 16 * mb.positions
        law, rtl = int(cycles(config, work)[0]), end - start
        record.cycles(model=law, rtl=rtl)
        late = 5 + (mb.centres - 1) * CENTRE + RINGS
        assert -late <= law - rtl <= 6, f"law {law}, RTL {rtl} cycles, {mb.centres} centres; {rerun()}"


CENTRE = 3  # a further centre
RINGS = 9  # a cycle between the rings of one centre


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def corners(dut):
    """Flat samples of one value: no distance anywhere, so the vector of fewest bits wins, the predicted one."""
    tb = TB(dut)
    await tb.start()
    flat = np.full((48, 48), 50, np.uint8)
    planes, padded = planes_of(flat), np.pad(flat, PAD_PX, mode="edge")
    whole = np.zeros((9, 2), np.int16)
    mb = Macroblock(flat, planes, padded, 1, 1, whole, 0x1FF, (1, -2), 16)
    assert mb.vectors.tolist() == [[1, -2]] * 9
    assert mb.costs.tolist() == [2] * 9
    white = np.full((48, 48), 255, np.uint8)
    black = planes_of(np.zeros((48, 48), np.uint8)), np.zeros((112, 112), np.uint8)
    other = Macroblock(white, *black, 0, 0, whole, 1, (0, 0), 16)
    # SATD of 255 everywhere: DC of each 4x4 block 16 * 255, halved: 16 * 2040, and two bits
    assert other.costs[0] == 16 * 2040 + 2
    await tb.send([mb, other])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_macroblocks_alone(dut):
    """Noise, half-sample shifts, flat, equal and extreme samples; one to nine centres; all subsets of partitions."""
    tb = TB(dut)
    await tb.start()
    record = Record("fractional_search", "random_macroblocks_alone")
    record.bins("fraction", [f"{x},{y}" for y in range(4) for x in range(4)])
    record.bins("centres", ("1", "2-8", "9"))
    record.bins("wanted", ("all", "some", "one"))
    for content in ("noise", "smooth", "flat", "extreme", "same", *["smooth"] * 3):
        macroblocks = random_macroblocks(tb.rng, 12, content)
        taken, given = await tb.send(macroblocks)
        account(record, macroblocks, taken, given)
        for mb in macroblocks:
            record.hit("centres", "1" if mb.centres == 1 else "9" if mb.centres == 9 else "2-8")
            count = mb.wanted.bit_count()
            record.hit("wanted", "all" if count == 9 else "one" if count == 1 else "some")
            for p in range(9):
                if mb.wanted >> p & 1:
                    x, y = mb.vectors[p].tolist()
                    record.hit("fraction", f"{x & 3},{y & 3}")
    dut._log.info(f"model - RTL cycles a macroblock: {sorted(record.errors.items())}")
    assert not record.open_bins(), f"bins never hit: {record.open_bins()}; {rerun()}"
    record.write()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_macroblocks_under_pressure(dut):
    """The same results when commands, windows and results are slow."""
    tb = TB(dut)
    await tb.start()
    for pause_in, pause_out in ((0.6, 0.0), (0.0, 0.95), (0.5, 0.9)):
        await tb.send(random_macroblocks(tb.rng, 4), pause_in, pause_out)


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def coded_clip(dut):
    """Macroblocks of a P picture with the vectors that the model's motion search found."""
    tb = TB(dut)
    await tb.start()
    record = Record("fractional_search", "coded_clip")
    first, second = coded_pictures(count=2)
    reference = first.filtered[0]
    planes, padded = planes_of(reference), np.pad(reference, PAD_PX, mode="edge")
    width = second.parameters.mb_width
    macroblocks = []
    for mb in range(0, len(second.mbs.mb_type), 2):
        whole = second.search["results"].vectors[0][mb]
        macroblocks.append(
            Macroblock(
                second.source[0], planes, padded, mb % width, mb // width, whole, 0x1FF, (0, 0),
                second.search["settings"].lambda_motion,
            )
        )  # fmt: skip
    taken, given = await tb.send(macroblocks)
    account(record, macroblocks, taken, given)
    dut._log.info(f"{source_name()}: model - RTL cycles a macroblock: {sorted(record.errors.items())}")
    record.write()
