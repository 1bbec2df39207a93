"""The transform RTL gives the model's levels and samples, one block a cycle, on the model's cycle.

The model's kernels (asic_model/engines/transform) are the reference; tests/engines/test_transform.py holds those to a
twin written from the standard, and FFmpeg decodes what they make.
"""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge

from asic_model.codecs.h264.macroblock import I_4X4, I_16X16, INTER_16X16
from asic_model.codecs.h264.tables import ZIGZAG_4X4
from asic_model.engines.transform import (
    INTER_Y,
    INTRA_Y,
    SCRATCH,
    add_block_4x4,
    forward_block_4x4,
    forward_chroma_dc,
    forward_luma_dc,
    inverse_chroma_dc,
    inverse_luma_dc,
    quantise_4x4,
    quantiser,
)
from asic_model.engines.transform.blocks import scale_offset_4x4
from asic_model.engines.transform.timing import TransformConfig
from asic_model.engines.transform.timing import cycles as transform_cycles
from asic_model.kernel_cache import kernel
from asic_model.simd.transforms import forward_4x4, inverse_4x4_add, scale_16
from asic_model.work import encode_work
from rtl_tests.accuracy import Record

OP_BLOCK, OP_AC, OP_LUMA_DC, OP_CHROMA_DC, OP_INVERSE = range(5)
OP_NAMES = ("block", "ac", "luma_dc", "chroma_dc", "inverse")
TABLES = quantiser()
# blkIdx of the 4x4 luma block at raster place 0..15 (figure 6-10), written out from the figure
BLOCK_OF_RASTER = (0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15)


@kernel
def forward_ac(levels, coefs, source, prediction, number, qp, inter):
    """First pass of a block whose DC is coded apart: levels without DC; return the DC coefficient."""
    forward_4x4(coefs, 0, source, 0, 4, prediction, 0, 4, 0)
    dc = coefs[0]
    quantise_4x4(levels, 0, coefs, 0, TABLES, number, qp, inter, 0)
    levels[0] = 0
    return dc


@kernel
def inverse_with_dc(samples, coefs, levels, number, qp, dc):
    """Second pass: levels and a scaled DC value, added to `samples`."""
    scale_16(coefs, 0, levels, 0, TABLES.scale_4x4, scale_offset_4x4(0, number, qp))
    coefs[0] = dc
    inverse_4x4_add(samples, 0, 4, samples, 0, 4, coefs, 0, 0)


class Vector:
    """One transaction and the model's answer. `fields` names what the operation defines."""

    def __init__(self, op, qp, inter, source, prediction, data, dc):
        self.op, self.qp, self.inter, self.dc = op, qp, inter, dc
        self.source, self.prediction, self.data = source, prediction, data
        self.expected = self._model()

    def __str__(self):
        return f"{OP_NAMES[self.op]} qp={self.qp} inter={self.inter} dc={self.dc} data={self.data.tolist()}"

    def _model(self):
        coefs = np.zeros(SCRATCH, np.int16)
        levels = np.zeros(16, np.int16)
        number = INTER_Y if self.inter else INTRA_Y
        samples = self.prediction.copy()
        if self.op == OP_BLOCK:
            count = forward_block_4x4(
                levels, 0, coefs, self.source, 0, 4, self.prediction, 0, 4, TABLES, number, self.qp, self.inter, 0
            )  # fmt: skip
            add_block_4x4(samples, 0, 4, levels, 0, coefs, TABLES, number, self.qp, 0)
            return {"levels": levels, "count": count, "recon": samples}
        if self.op == OP_AC:
            dc = int(forward_ac(levels, coefs, self.source, self.prediction, number, self.qp, self.inter))
            return {"levels": levels, "count": int(np.count_nonzero(levels)), "dc": dc}
        if self.op == OP_LUMA_DC:
            for raster, block in enumerate(BLOCK_OF_RASTER):
                coefs[16 * block] = self.data[raster]
            count = forward_luma_dc(levels, 0, coefs, TABLES, INTRA_Y, self.qp, 0)
            inverse_luma_dc(coefs, levels, 0, TABLES, INTRA_Y, self.qp, 0)
            return {"levels": levels, "count": count, "scaled": coefs[256:272][list(BLOCK_OF_RASTER)].copy()}
        if self.op == OP_CHROMA_DC:
            coefs[0:64:16] = self.data[:4]
            count = forward_chroma_dc(levels, 0, coefs, TABLES, number, self.qp, self.inter, 0)
            inverse_chroma_dc(coefs, levels, 0, TABLES, number, self.qp, 0)
            return {"levels": levels, "count": count, "scaled": coefs[256:260].copy()}
        inverse_with_dc(samples, coefs, self.data, number, self.qp, self.dc)
        return {"recon": samples}


def residual_vector(op, qp, inter, source, prediction):
    """A vector whose data is source - prediction."""
    source, prediction = (np.ascontiguousarray(block, np.uint8) for block in (source, prediction))
    return Vector(op, qp, inter, source, prediction, source.astype(np.int16) - prediction, 0)


def random_vector(rng, op=None):
    """A legal transaction: what an encoder at this QP can meet, all operations (or one) and QPs."""
    op = int(rng.integers(5)) if op is None else op
    qp, inter = int(rng.integers(52)), int(rng.integers(2))
    spread = int(rng.choice([1, 4, 32, 255]))
    prediction = rng.integers(0, 256, 16, dtype=np.uint8)
    noise = rng.integers(-spread, spread + 1, 16)
    source = np.clip(prediction.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    if op in (OP_BLOCK, OP_AC):
        return residual_vector(op, qp, inter, source, prediction)
    limit = int(rng.choice([16, 256, 4080]))  # 16 samples of 255
    data = rng.integers(-limit, limit + 1, 16).astype(np.int16)
    if op == OP_LUMA_DC:
        return Vector(op, qp, 0, source, prediction, data, 0)
    if op == OP_CHROMA_DC:
        return Vector(op, qp, inter, source, prediction, data, 0)
    forward = residual_vector(OP_AC, qp, inter, source, prediction)
    return Vector(op, qp, inter, source, prediction, forward.expected["levels"], int(rng.integers(-16384, 16384)))


def cover(record, vector):
    """Enter what `vector` exercised."""
    record.hit("operation", OP_NAMES[vector.op])
    record.hit("qp", vector.qp)
    if "count" in vector.expected and vector.op in (OP_BLOCK, OP_LUMA_DC):
        count = int(vector.expected["count"])
        record.hit("levels", "none" if count == 0 else "all" if count == 16 else "some")
    if "recon" in vector.expected and np.isin(vector.expected["recon"], (0, 255)).any():
        record.hit("levels", "clipped_sample")


def pack(values, width):
    """Entries of `width` bits, entry 0 lowest, as one integer."""
    word = 0
    for i, value in enumerate(values):
        word |= (int(value) & ((1 << width) - 1)) << (width * i)
    return word


def unpack(word, width, count, signed):
    """The reverse of `pack`."""
    values = [(word >> (width * i)) & ((1 << width) - 1) for i in range(count)]
    return [value - (1 << width) if signed and value >> (width - 1) else value for value in values]


class TB:
    """Drives and samples on the falling edge; both sides may pause at random."""

    def __init__(self, dut):
        self.dut = dut
        self.rng = np.random.default_rng(cocotb.RANDOM_SEED)

    async def reset(self):
        dut = self.dut
        cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
        dut.rst_n.value = 0
        dut.in_valid_i.value = 0
        dut.out_ready_i.value = 1
        await ClockCycles(dut.clk, 3)
        await FallingEdge(dut.clk)
        dut.rst_n.value = 1

    def _drive(self, vector):
        dut = self.dut
        dut.in_op_i.value = vector.op
        dut.in_qp_i.value = vector.qp
        dut.in_inter_i.value = vector.inter
        dut.in_data_i.value = pack(vector.data, 16)
        dut.in_dc_i.value = vector.dc
        dut.in_pred_i.value = pack(vector.prediction, 8)

    def _check(self, number, vector):
        dut = self.dut
        assert int(dut.out_op_o.value) == vector.op, f"block {number}: operation out of order"
        for name, expected in vector.expected.items():
            if name == "levels":
                found = unpack(int(dut.out_levels_o.value), 16, 16, True)
            elif name == "recon":
                found = unpack(int(dut.out_recon_o.value), 8, 16, False)
            elif name == "scaled":
                found = unpack(int(dut.out_scaled_o.value), 16, len(expected), True)
            elif name == "dc":
                found = dut.out_dc_o.value.to_signed()
            else:
                found = int(dut.out_count_o.value)
            wanted = expected.tolist() if isinstance(expected, np.ndarray) else int(expected)
            assert found == wanted, (
                f"block {number}: {name}: RTL {found}, model {wanted}; {vector}; "
                f"rerun with COCOTB_RANDOM_SEED={cocotb.RANDOM_SEED}"
            )

    async def run(self, vectors, pause_in=0.0, pause_out=0.0):
        """Pass `vectors` through; return the cycles from the first block's acceptance to the last block's result."""
        dut, sent, taken, cycle = self.dut, 0, 0, 0
        first = last = 0
        offered = False
        while taken < len(vectors):
            await FallingEdge(dut.clk)
            if offered and self._ready_at_edge:
                sent += 1
                offered = False
            if not offered and sent < len(vectors) and self.rng.random() >= pause_in:
                self._drive(vectors[sent])
                offered = True
                if sent == 0:
                    first = cycle
            dut.in_valid_i.value = int(offered)
            dut.out_ready_i.value = int(self.rng.random() >= pause_out)
            await cocotb.triggers.ReadWrite()
            self._ready_at_edge = bool(int(dut.in_ready_o.value))
            if int(dut.out_valid_o.value) and int(dut.out_ready_i.value):
                self._check(taken, vectors[taken])
                last = cycle
                taken += 1
            cycle += 1
            assert cycle < 50 * len(vectors) + 100, f"no progress: {sent} blocks in, {taken} out"
        return last - first

    async def run_steps(self, steps):
        """Pass one random block for each of `steps` (operation, what must have left); return the cycles of all.

        In each cycle the first that may enters.
        """
        dut = self.dut
        left, entered, waiting, cycle, last = {}, [], list(range(len(steps))), 0, 0
        vectors = []
        dut.out_ready_i.value = 1
        while len(left) < len(steps):
            await FallingEdge(dut.clk)
            ready = (n for n in waiting if all(left.get(need, cycle) < cycle for need in steps[n][1]))
            number = next(ready, None)
            dut.in_valid_i.value = int(number is not None)
            if number is not None:
                waiting.remove(number)
                entered.append(number)
                vectors.append(random_vector(self.rng, steps[number][0]))
                self._drive(vectors[-1])
            await cocotb.triggers.ReadWrite()
            assert int(dut.in_ready_o.value)
            if int(dut.out_valid_o.value):
                self._check(len(left), vectors[len(left)])
                last = cycle
                left[entered[len(left)]] = cycle
            cycle += 1
            assert cycle < 1000, f"no progress: {len(entered)} blocks in, {len(left)} out"
        await FallingEdge(dut.clk)
        dut.in_valid_i.value = 0
        return last


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def corners(dut):
    """Residuals of 0, +-255 and single samples at the ends of the QP range; a flat block has one level."""
    tb = TB(dut)
    await tb.reset()
    black, white = np.zeros(16, np.uint8), np.full(16, 255, np.uint8)
    spike = np.zeros(16, np.uint8)
    spike[5] = 255
    vectors = [
        residual_vector(OP_BLOCK, qp, inter, source, prediction)
        for qp in (0, 5, 6, 26, 51)
        for inter in (0, 1)
        for source, prediction in ((black, black), (white, black), (black, white), (spike, black), (white, spike))
    ]
    # qp 0, residual 255 everywhere: DC = 16 * 255 = 4080; (4080 * 13107 + 10922) >> 15 = 1632 levels of 1/0.4 samples
    assert vectors[1].expected["levels"].tolist() == [1632] + [0] * 15
    await tb.run(vectors)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def one_block_a_cycle(dut):
    """Without pauses n blocks take n - 1 cycles plus the latency, which the model's default covers."""
    tb = TB(dut)
    await tb.reset()
    record = Record("transform", "one_block_a_cycle")
    config = TransformConfig()
    assert config.latency_cycles == int(dut.LATENCY.value), "model and RTL differ in latency"
    for blocks in (1, 2, 16, 24, 500):
        cycles = await tb.run([random_vector(tb.rng) for _ in range(blocks)])
        expected = -(-blocks // config.blocks_per_cycle) - 1 + config.latency_cycles
        record.cycles(model=expected, rtl=cycles)
        assert cycles == expected, f"{blocks} blocks took {cycles} cycles, the model says {expected}"
    record.write()


def macroblock_operations(kind, trials):
    """Operations of one macroblock: (operation, numbers of those that must have left), the most urgent first."""
    steps = [(OP_BLOCK, ()) for _ in range(trials)]

    def add(operation, count, needs):
        begin = len(steps)
        for n in range(count):
            steps.append((operation, needs(begin, n)))
        return tuple(range(begin, len(steps)))

    def chroma():
        planes = [add(OP_AC, 4, lambda *_: ()) for _ in range(2)]
        dcs = [add(OP_CHROMA_DC, 1, lambda *_, plane=plane: plane) for plane in planes]
        return lambda: [add(OP_INVERSE, 4, lambda *_, dc=dc: dc) for dc in dcs]

    if kind == "intra_16x16":
        luma = add(OP_AC, 16, lambda *_: ())
        second = chroma()
        dc = add(OP_LUMA_DC, 1, lambda *_: luma)
        add(OP_INVERSE, 16, lambda *_: dc)
        second()
    elif kind == "intra_4x4":  # each block needs the samples of the one before
        add(OP_BLOCK, 16, lambda begin, n: (begin + n - 1,) if n else ())
        chroma()()
    else:
        chroma()()
        add(OP_BLOCK, 16, lambda *_: ())
    return steps


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def macroblocks(dut):
    """Whole macroblocks, each block entering when what it needs has left: the model's law, to the cycle."""
    tb = TB(dut)
    await tb.reset()
    record = Record("transform", "macroblocks")
    types = {"streamed": INTER_16X16, "intra_16x16": I_16X16, "intra_4x4": I_4X4}
    record.bins("macroblock", types)
    for kind, mb_type in types.items():
        for trials in (0, 1, 50):
            steps = macroblock_operations(kind, trials)
            work = encode_work(1)
            work["mb_type"], own = mb_type, 27 if kind == "intra_16x16" else 26
            work["transform_blocks"] = trials + own
            law = int(transform_cycles(TransformConfig(), work)[0])
            rtl = await tb.run_steps(steps)
            record.hit("macroblock", kind)
            record.cycles(model=law, rtl=rtl)
            assert rtl == law, f"{kind} behind {trials} trials took {rtl} cycles, the model says {law}"
    record.write()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def random_blocks_under_pressure(dut):
    """All operations and QPs with random bubbles on the input and back-pressure on the output."""
    tb = TB(dut)
    await tb.reset()
    record = Record("transform", "random_blocks_under_pressure")
    record.bins("operation", OP_NAMES)
    record.bins("qp", range(52))
    record.bins("levels", ("none", "some", "all", "clipped_sample"))
    for pause_in, pause_out in ((0.3, 0.0), (0.0, 0.3), (0.5, 0.5)):
        vectors = [random_vector(tb.rng) for _ in range(700)]
        await tb.run(vectors, pause_in, pause_out)
        for vector in vectors:
            cover(record, vector)
    assert not record.open_bins(), f"bins never hit: {record.open_bins()}"
    record.write()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def scan_order(dut):
    """A coefficient at raster place p belongs to the level that figure 8-8 numbers: one level at a time."""
    tb = TB(dut)
    await tb.reset()
    vectors = []
    for position, raster in enumerate(ZIGZAG_4X4):
        data = np.zeros(16, np.int16)
        data[position] = 40
        flat = np.full(16, 128, np.uint8)
        vectors.append(Vector(OP_INVERSE, 24, 0, flat, flat, data, 0))
        column_sign = vectors[-1].expected["recon"].reshape(4, 4)
        if raster == 1 and position == 1:  # first horizontal frequency: left half brighter than right
            assert (column_sign[:, 0] > column_sign[:, 3]).all()
    await tb.run(vectors)
