"""The 8x8 transform RTL gives the model's levels and samples, sixteen samples a cycle.

The model's kernels (asic_model/engines/transform) are the reference; tests/engines/test_transform.py holds those to a
twin written from the standard.
"""

import cocotb
import numpy as np

from asic_model.codecs.h264.macroblock import I_8X8
from asic_model.codecs.h264.tables import ZIGZAG_8X8
from asic_model.config import load_chip
from asic_model.engines.transform import (
    INTER_Y_8X8,
    INTRA_Y_8X8,
    SCRATCH,
    add_block_8x8,
    forward_block_8x8,
    quantiser,
)
from asic_model.engines.transform.timing import cycles as transform_cycles
from asic_model.work import encode_work
from rtl_tests.accuracy import Record
from rtl_tests.clips import coded_pictures, source_name
from rtl_tests.handshake import Bench, Sink, Source, pack, rerun, unpack

TABLES = quantiser()
BEATS = 4


class Block:
    """One block and the model's answer: levels in scan order, reconstructed samples."""

    def __init__(self, source, prediction, qp, inter, levels=None):
        self.qp, self.inter, self.inverse = qp, inter, levels is not None
        self.prediction = np.ascontiguousarray(prediction, np.uint8).reshape(8, 8)
        number = INTER_Y_8X8 if inter else INTRA_Y_8X8
        coefs = np.zeros(SCRATCH, np.int16)
        if levels is None:
            source = np.ascontiguousarray(source, np.uint8).reshape(8, 8)
            self.data = source.astype(np.int16) - self.prediction
            self.levels = np.zeros(64, np.int16)
            forward_block_8x8(
                self.levels, 0, coefs, source.reshape(-1), 0, 8, self.prediction.reshape(-1), 0, 8, TABLES, number, qp,
                inter, 0,
            )  # fmt: skip
        else:
            self.levels = np.asarray(levels, np.int16)
            self.data = np.zeros(64, np.int16)
            self.data[ZIGZAG_8X8] = self.levels
            self.data = self.data.reshape(8, 8)
        samples = self.prediction.reshape(-1).copy()
        add_block_8x8(samples, 0, 8, self.levels, 0, coefs, TABLES, number, qp, 0)
        self.recon = samples.reshape(8, 8)

    def items(self):
        for beat in range(BEATS):
            pair = slice(2 * beat, 2 * beat + 2)
            yield {
                "inverse": int(self.inverse),
                "qp": self.qp,
                "inter": self.inter,
                "data": pack(self.data[:, pair].T.reshape(-1), 16),
                "pred": pack(self.prediction[:, pair].T.reshape(-1), 8),
            }


def random_block(rng, inverse=None):
    """What an encoder at this QP can meet, or levels as a stream may hold them."""
    qp, inter = int(rng.integers(52)), int(rng.integers(2))
    spread = int(rng.choice([1, 4, 32, 255]))
    prediction = rng.integers(0, 256, 64, dtype=np.uint8)
    if rng.random() < 0.2:
        prediction[:] = rng.choice([0, 255])
    source = np.clip(prediction + rng.integers(-spread, spread + 1, 64), 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        source = rng.choice([0, 255], 64).astype(np.uint8)
    block = Block(source, prediction, qp, inter)
    if inverse or (inverse is None and rng.random() < 0.4):
        levels = block.levels.copy()
        levels[rng.integers(64)] = 0  # what a decision may leave of them
        return Block(None, prediction, qp, inter, levels)
    return block


class InTurn(Source):
    """Offers a block when the one before has left; `left()` beats have."""

    def __init__(self, dut, items, left):
        super().__init__(dut, "in", items)
        self.left = left

    def drive(self, rng):
        if self.next % BEATS or self.left() == self.next:
            super().drive(rng)


class TB(Bench):
    async def start(self):
        await self.reset(("in_valid_i", "out_ready_i"))

    async def send(self, blocks, pause_in=0.0, pause_out=0.0, in_turn=False):
        """Pass `blocks`; return the cycles in which beats were taken and given."""
        state = [0]

        def take(fields):
            number, beat = divmod(state[0], BEATS)
            block = blocks[number]
            where = f"block {number}, QP {block.qp}, inter {block.inter}, inverse {block.inverse}, beat {beat}"
            levels = unpack(fields["levels"], 16, 16, True)
            wanted = block.levels[16 * beat : 16 * beat + 16].tolist()
            assert levels == wanted, f"{where}: RTL levels {levels}, model {wanted}; {rerun()}"
            samples = unpack(fields["recon"], 8, 16, False)
            wanted = block.recon[:, 2 * beat : 2 * beat + 2].T.reshape(-1).tolist()
            assert samples == wanted, f"{where}: RTL samples {samples}, model {wanted}; {rerun()}"
            assert fields["count"] == np.count_nonzero(block.levels), f"{where}: count {fields['count']}; {rerun()}"
            assert fields["last"] == (beat == BEATS - 1), f"{where}: last {fields['last']}; {rerun()}"
            state[0] += 1

        items = [item for block in blocks for item in block.items()]
        if in_turn:
            source = InTurn(self.dut, items, lambda: state[0])
        else:
            source = Source(self.dut, "in", items, pause_in)
        sink = Sink(self.dut, "out", ("levels", "recon", "count", "last"), take, pause_out)
        total = BEATS * len(blocks)
        await self.run([source], [sink], lambda: state[0] == total, 1000 + 40 * total)
        return source.taken_at, sink.given_at


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def corners(dut):
    """Nothing gives nothing; a flat residual one level; single samples at both ends of the range and of the QPs."""
    tb = TB(dut)
    await tb.start()
    black, white = np.zeros(64, np.uint8), np.full(64, 255, np.uint8)
    spike = np.zeros(64, np.uint8)
    spike[27] = 255
    blocks = [
        Block(source, prediction, qp, inter)
        for qp in (0, 5, 6, 26, 51)
        for inter in (0, 1)
        for source, prediction in ((black, black), (white, black), (black, white), (spike, black), (white, spike))
    ]
    assert not blocks[0].levels.any()
    # QP 0: DC 64 * 255 = 16320; (16320 * 13107 + 21844) >> 16 = 3264
    assert blocks[1].levels.tolist() == [3264] + [0] * 63
    await tb.send(blocks)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def random_blocks(dut):
    """All QPs, both dead zones, forward and inverse alone: a beat a cycle, at the structure's latency."""
    tb = TB(dut)
    await tb.start()
    record = Record("transform_8x8", "random_blocks")
    record.bins("qp", range(52))
    record.bins("kind", ("intra", "inter", "inverse"))
    record.bins("sample", ("clipped_low", "clipped_high"))
    latency = int(dut.LATENCY.value)
    for count in (1, 4, 400):
        blocks = [random_block(tb.rng) for _ in range(count)]
        taken, given = await tb.send(blocks)
        expected = BEATS * count - 1 + latency
        record.cycles(model=expected, rtl=given[-1] - taken[0])
        assert given[-1] - taken[0] == expected, f"{count} blocks took {given[-1] - taken[0]} cycles, not {expected}"
        for block in blocks:
            record.hit("qp", block.qp)
            record.hit("kind", "inverse" if block.inverse else "inter" if block.inter else "intra")
            for name, value in (("clipped_low", 0), ("clipped_high", 255)):
                if (block.recon == value).any():
                    record.hit("sample", name)
    assert not record.open_bins(), f"bins never hit: {record.open_bins()}; {rerun()}"
    record.write()
    config = load_chip("tiny").encode.core.transform
    assert config.latency_8x8_cycles == BEATS - 1 + latency, "model and RTL differ in latency"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def macroblock(dut):
    """Four blocks, each needing the samples of the one before: the model's law of Intra8x8, to the cycle. Chroma's
    passes (`transform`) fit beside them."""
    tb = TB(dut)
    await tb.start()
    record = Record("transform_8x8", "macroblock")
    work = encode_work(1)
    work["mb_type"], work["transform_blocks"] = I_8X8, 16 + 8 + 2
    law = int(transform_cycles(load_chip("tiny").encode.core.transform, work)[0])
    for _ in range(3):
        taken, given = await tb.send([random_block(tb.rng, inverse=False) for _ in range(4)], in_turn=True)
        rtl = given[-1] - taken[0]
        record.cycles(model=law, rtl=rtl)
        assert rtl == law, f"four blocks in turn took {rtl} cycles, the model says {law}; {rerun()}"
    record.write()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def random_blocks_under_pressure(dut):
    """The same answers with bubbles between beats and back-pressure."""
    tb = TB(dut)
    await tb.start()
    for pause_in, pause_out in ((0.5, 0.0), (0.0, 0.5), (0.4, 0.4)):
        await tb.send([random_block(tb.rng) for _ in range(60)], pause_in, pause_out)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def blocks_of_a_clip(dut):
    """8x8 luma blocks of a coded clip against a flat prediction of their own mean, at the picture's QP."""
    tb = TB(dut)
    await tb.start()
    blocks = []
    for picture in coded_pictures(count=1):
        luma = picture.source[0]
        for y in range(0, luma.shape[0], 24):
            for x in range(0, luma.shape[1] - 7, 24):
                source = luma[y : y + 8, x : x + 8]
                blocks.append(Block(source, np.full(64, int(source.mean()), np.uint8), picture.parameters.qp, 0))
    dut._log.info(f"{source_name()}: {len(blocks)} blocks")
    await tb.send(blocks)
