"""Transform: inverse, scaling, DC blocks and lossless equal the standard; forward and inverse fit together."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264.macroblock import (
    I_4X4,
    I_16X16,
    INTER_16X16,
    LEVELS_CB_AC,
    LEVELS_CB_DC,
    LEVELS_CR_AC,
    LEVELS_CR_DC,
    LEVELS_LUMA_DC,
    LEVELS_ROWS,
    P_SKIP,
)
from asic_model.engines import transform
from asic_model.work import encode_work
from tests.oracle import transform as oracle

RNG = np.random.default_rng(11)
FLAT = [16] * 64
FLAT_TABLES = transform.quantiser()
WEIGHTS_4 = RNG.integers(1, 256, (6, 16)).astype(np.uint8)
WEIGHTS_8 = RNG.integers(1, 256, (2, 64)).astype(np.uint8)
MATRIX_TABLES = transform.quantiser(WEIGHTS_4, WEIGHTS_8)
STRIDE = 24

seeds = st.integers(0, 2**32 - 1)
qps = st.integers(0, 51)
flags = st.integers(0, 1)


def plane(rng: np.random.Generator) -> np.ndarray:
    """Flat 24 x 24 samples: random, or extremes."""
    if rng.integers(2):
        return rng.integers(0, 256, STRIDE * STRIDE, np.uint8)
    return (rng.integers(0, 2, STRIDE * STRIDE) * 255).astype(np.uint8)


def random_levels(rng: np.random.Generator, qp: int) -> np.ndarray:
    """levels[1, 27, 16] of a size that conforming streams have at `qp`, sparse or dense."""
    limit = max(2, 2063 >> (qp // 6))
    levels = rng.integers(-limit, limit + 1, (1, LEVELS_ROWS, 16))
    levels[rng.random(levels.shape) < rng.choice([0.0, 0.6, 0.95])] = 0
    return levels.astype(np.int16)


def block(samples: np.ndarray, x: int, y: int, size: int) -> list[list[int]]:
    return [[int(v) for v in row] for row in samples.reshape(STRIDE, STRIDE)[y : y + size, x : x + size]]


def paste(samples: np.ndarray, x: int, y: int, values: list[list[int]]) -> None:
    size = len(values)
    samples.reshape(STRIDE, STRIDE)[y : y + size, x : x + size] = values


def scratch() -> np.ndarray:
    return RNG.integers(-30000, 30000, transform.SCRATCH).astype(np.int16)


def counts(levels: np.ndarray) -> np.ndarray:
    """total_coeff[1, 24] of blocks whose rows hold all 16 levels (luma), AC only (chroma)."""
    total = np.zeros((1, 24), np.uint8)
    total[0, :16] = (levels[0, :16] != 0).sum(axis=1)
    total[0, 16:20] = (levels[0, LEVELS_CB_AC : LEVELS_CB_AC + 4, 1:] != 0).sum(axis=1)
    total[0, 20:] = (levels[0, LEVELS_CR_AC : LEVELS_CR_AC + 4, 1:] != 0).sum(axis=1)
    return total


@pytest.mark.parametrize("tables", [FLAT_TABLES, MATRIX_TABLES], ids=["flat", "matrix"])
@settings(max_examples=60, deadline=None)
@given(seed=seeds, qp=qps, field=flags, number=st.integers(0, 5))
def test_luma_4x4_equals_the_standard(tables: transform.Quantiser, seed: int, qp: int, field: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    levels, samples = random_levels(rng, qp), plane(rng)
    expected = samples.copy()
    weights = FLAT if tables is FLAT_TABLES else [int(w) for w in WEIGHTS_4[number]]
    pattern = int(rng.integers(16))
    for index in range(16):
        if (pattern >> (index // 4)) & 1:
            x, y = oracle.block_position(index)
            c = oracle.unscan([int(v) for v in levels[0, index]], 4, field)
            residual = oracle.inverse_4x4(oracle.scale_4x4(c, weights, qp))
            paste(expected, x + 3, y + 2, oracle.add_residual(block(samples, x + 3, y + 2, 4), residual))
    at = 2 * STRIDE + 3
    transform.add_luma_4x4(
        samples, at, STRIDE, levels.ravel(), counts(levels), 0, scratch(), tables, number, qp, field, pattern
    )
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("tables", [FLAT_TABLES, MATRIX_TABLES], ids=["flat", "matrix"])
@settings(max_examples=40, deadline=None)
@given(seed=seeds, qp=qps, field=flags, number=flags)
def test_luma_8x8_equals_the_standard(tables: transform.Quantiser, seed: int, qp: int, field: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    levels, samples = random_levels(rng, qp), plane(rng)
    expected = samples.copy()
    weights = FLAT if tables is FLAT_TABLES else [int(w) for w in WEIGHTS_8[number]]
    for quadrant in range(4):
        x, y = 8 * (quadrant % 2) + 3, 8 * (quadrant // 2) + 2
        c = oracle.unscan([int(v) for v in levels[0, 4 * quadrant : 4 * quadrant + 4].reshape(-1)], 8, field)
        residual = oracle.inverse_8x8(oracle.scale_8x8(c, weights, qp))
        paste(expected, x, y, oracle.add_residual(block(samples, x, y, 8), residual))
    transform.add_luma_8x8(samples, 2 * STRIDE + 3, STRIDE, levels.ravel(), 0, scratch(), tables, number, qp, field, 15)
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("tables", [FLAT_TABLES, MATRIX_TABLES], ids=["flat", "matrix"])
@settings(max_examples=40, deadline=None)
@given(seed=seeds, qp=qps, field=flags, coded=flags)
def test_intra_16x16_equals_the_standard(
    tables: transform.Quantiser, seed: int, qp: int, field: int, coded: int
) -> None:
    rng = np.random.default_rng(seed)
    levels, samples = random_levels(rng, qp), plane(rng)
    levels[0, :16, 0] = 0
    expected = samples.copy()
    weights = FLAT if tables is FLAT_TABLES else [int(w) for w in WEIGHTS_4[transform.INTRA_Y]]
    dc = oracle.luma_dc([int(v) for v in levels[0, LEVELS_LUMA_DC]], weights, qp, field)
    for index in range(16):
        x, y = oracle.block_position(index)
        c = oracle.unscan([int(v) * coded for v in levels[0, index]], 4, field)
        residual = oracle.inverse_4x4(oracle.scale_4x4(c, weights, qp, dc[y // 4][x // 4]))
        paste(expected, x + 3, y + 2, oracle.add_residual(block(samples, x + 3, y + 2, 4), residual))
    at = 2 * STRIDE + 3
    transform.add_luma_16x16(samples, at, STRIDE, levels.ravel(), 0, scratch(), tables, qp, field, 15 * coded)
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("tables", [FLAT_TABLES, MATRIX_TABLES], ids=["flat", "matrix"])
@settings(max_examples=40, deadline=None)
@given(seed=seeds, qp=st.integers(0, 39), field=flags, component=flags, inter=flags, coded=st.integers(0, 2))
def test_chroma_equals_the_standard(
    tables: transform.Quantiser, seed: int, qp: int, field: int, component: int, inter: int, coded: int
) -> None:
    rng = np.random.default_rng(seed)
    levels, samples = random_levels(rng, qp), plane(rng)
    expected = samples.copy()
    number = 1 + component + 3 * inter
    weights = FLAT if tables is FLAT_TABLES else [int(w) for w in WEIGHTS_4[number]]
    dc_levels = [int(v) * (coded > 0) for v in levels[0, LEVELS_CB_DC + component]]
    dc = oracle.chroma_dc(dc_levels, weights, qp)
    for index in range(4):
        ac = [0] + [int(v) * (coded == 2) for v in levels[0, LEVELS_CB_AC + 4 * component + index, 1:]]
        residual = oracle.inverse_4x4(oracle.scale_4x4(oracle.unscan(ac, 4, field), weights, qp, dc[index]))
        x, y = 4 * (index % 2) + 5, 4 * (index // 2) + 1
        paste(expected, x, y, oracle.add_residual(block(samples, x, y, 4), residual))
    at = STRIDE + 5
    transform.add_chroma(samples, at, STRIDE, levels.ravel(), 0, component, scratch(), tables, qp, inter, field, coded)
    np.testing.assert_array_equal(samples, expected)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, field=flags, direction=st.integers(0, 2), component=flags)
def test_lossless_equals_the_standard(seed: int, field: int, direction: int, component: int) -> None:
    rng = np.random.default_rng(seed)
    levels, start = random_levels(rng, 24), plane(rng)
    coefs = scratch()

    def expect(samples: np.ndarray, x: int, y: int, residual: list[list[int]]) -> None:
        if direction:
            residual = oracle.bypass(residual, direction == transform.HORIZONTAL)
        paste(samples, x, y, oracle.add_residual(block(start, x, y, len(residual)), residual))

    luma = [oracle.unscan([int(v) for v in levels[0, index]], 4, field) for index in range(16)]
    samples, expected = start.copy(), start.copy()
    transform.bypass_block_4x4(samples, STRIDE, STRIDE, levels.ravel(), 0, 5, coefs, field, direction)
    expect(expected, 0, 1, luma[5])
    np.testing.assert_array_equal(samples, expected)

    samples, expected = start.copy(), start.copy()
    transform.bypass_block_8x8(samples, STRIDE, STRIDE, levels.ravel(), 0, 2, coefs, field, direction)
    expect(expected, 0, 1, oracle.unscan([int(v) for v in levels[0, 8:12].reshape(-1)], 8, field))
    np.testing.assert_array_equal(samples, expected)

    whole = [[0] * 16 for _ in range(16)]
    dc = oracle.unscan([int(v) for v in levels[0, LEVELS_LUMA_DC]], 4, field)
    for index in range(16):
        x, y = oracle.block_position(index)
        for i in range(16):
            whole[y + i // 4][x + i % 4] = luma[index][i // 4][i % 4] if i else dc[y // 4][x // 4]
    samples, expected = start.copy(), start.copy()
    transform.bypass_luma_16x16(samples, STRIDE, STRIDE, levels.ravel(), 0, coefs, field, direction)
    expect(expected, 0, 1, whole)
    np.testing.assert_array_equal(samples, expected)

    whole = [[0] * 8 for _ in range(8)]
    for index in range(4):
        ac = oracle.unscan([int(v) for v in levels[0, LEVELS_CB_AC + 4 * component + index]], 4, field)
        for i in range(16):
            x, y = 4 * (index % 2) + i % 4, 4 * (index // 2) + i // 4
            whole[y][x] = ac[i // 4][i % 4] if i else int(levels[0, LEVELS_CB_DC + component, index])
    samples, expected = start.copy(), start.copy()
    transform.bypass_chroma(samples, STRIDE, STRIDE, levels.ravel(), 0, component, coefs, field, direction)
    expect(expected, 0, 1, whole)
    np.testing.assert_array_equal(samples, expected)


def test_multipliers_are_the_published_ones() -> None:
    """The multipliers that follow from normAdjust are those that encoders print (classes (0,0), (1,1), other)."""
    published = [
        [13107, 5243, 8066],
        [11916, 4660, 7490],
        [10082, 4194, 6554],
        [9362, 3647, 5825],
        [8192, 3355, 5243],
        [7282, 2893, 4559],
    ]
    zigzag = FLAT_TABLES.factor_4x4.reshape(2, 6, 6, 16)[0, 0]
    for remainder in range(6):
        assert [int(zigzag[remainder, position]) for position in (0, 4, 1)] == published[remainder]
    assert [int(FLAT_TABLES.factor_8x8[position]) for position in (0, 4)] == [13107, 11428]


def forward_everything(source: np.ndarray, prediction: np.ndarray, qp: int, field: int, kind: str) -> np.ndarray:
    """Encode and reconstruct a macroblock's luma by way of `kind`; return the reconstruction."""
    levels = np.zeros((1, LEVELS_ROWS, 16), np.int16)
    total = np.full((1, 24), 99, np.uint8)
    coefs, result = scratch(), prediction.copy()
    place = (source, STRIDE + 1, STRIDE, prediction, STRIDE + 1, STRIDE)
    if kind == "4x4":
        pattern = transform.forward_luma_4x4(levels.ravel(), total, 0, coefs, *place, FLAT_TABLES, 3, qp, 1, field)
        np.testing.assert_array_equal(total[0, :16], counts(levels)[0, :16])
        transform.add_luma_4x4(
            result, STRIDE + 1, STRIDE, levels.ravel(), total, 0, coefs, FLAT_TABLES, 3, qp, field, pattern
        )
    elif kind == "8x8":
        pattern = transform.forward_luma_8x8(levels.ravel(), total, 0, coefs, *place, FLAT_TABLES, 1, qp, 1, field)
        flat = levels[0, :16].reshape(4, 16, 4)
        np.testing.assert_array_equal(total[0, :16].reshape(4, 4), (flat != 0).sum(axis=1))
        transform.add_luma_8x8(result, STRIDE + 1, STRIDE, levels.ravel(), 0, coefs, FLAT_TABLES, 1, qp, field, pattern)
    else:
        pattern = transform.forward_luma_16x16(levels.ravel(), total, 0, coefs, *place, FLAT_TABLES, qp, field)
        assert not levels[0, :16, 0].any()
        assert pattern == (15 if levels[0, :16].any() else 0)
        transform.add_luma_16x16(result, STRIDE + 1, STRIDE, levels.ravel(), 0, coefs, FLAT_TABLES, qp, field, pattern)
    return result


@pytest.mark.parametrize("kind", ["4x4", "8x8", "16x16"])
@settings(max_examples=30, deadline=None)
@given(seed=seeds, qp=qps, field=flags)
def test_forward_then_inverse_stays_within_the_step(kind: str, seed: int, qp: int, field: int) -> None:
    """Reconstruction error (mean square) is below that of a dead-zone quantiser, (5/6 step)^2 and rounding."""
    rng = np.random.default_rng(seed)
    source, prediction = plane(rng), plane(rng)
    result = forward_everything(source, prediction, qp, field, kind)
    step = 0.625 * 2 ** (qp / 6)
    error = (np.array(block(source, 1, 1, 16)) - np.array(block(result, 1, 1, 16))).astype(float)
    assert np.mean(error**2) <= (step * 5 / 6) ** 2 + 1.0
    outside = np.ones((STRIDE, STRIDE), bool)
    outside[1:17, 1:17] = False
    np.testing.assert_array_equal(result.reshape(STRIDE, STRIDE)[outside], prediction.reshape(STRIDE, STRIDE)[outside])


@settings(max_examples=30, deadline=None)
@given(seed=seeds, qp=st.integers(0, 39), component=flags, inter=flags)
def test_chroma_forward_then_inverse(seed: int, qp: int, component: int, inter: int) -> None:
    rng = np.random.default_rng(seed)
    source, prediction = plane(rng), plane(rng)
    levels, total = np.zeros((1, LEVELS_ROWS, 16), np.int16), np.zeros((1, 24), np.uint8)
    place = (source, STRIDE + 1, STRIDE, prediction, STRIDE + 1, STRIDE)
    result = prediction.copy()
    coefs = scratch()
    coded = transform.forward_chroma(levels.ravel(), total, 0, component, coefs, *place, FLAT_TABLES, qp, inter, 0)
    ac = levels[0, LEVELS_CB_AC + 4 * component : LEVELS_CB_AC + 4 * component + 4]
    dc = levels[0, LEVELS_CR_DC if component else LEVELS_CB_DC]
    assert coded == (2 if ac.any() else 1 if dc.any() else 0)
    transform.add_chroma(
        result, STRIDE + 1, STRIDE, levels.ravel(), 0, component, coefs, FLAT_TABLES, qp, inter, 0, coded
    )
    error = (np.array(block(source, 1, 1, 8)) - np.array(block(result, 1, 1, 8))).astype(float)
    assert np.mean(error**2) <= (0.625 * 2 ** (qp / 6) * 5 / 6) ** 2 + 1.0


def test_single_blocks_agree_with_macroblocks() -> None:
    rng = np.random.default_rng(2)
    for qp in (0, 17, 30, 51):
        source, prediction = plane(rng), plane(rng)
        levels = np.zeros((2, LEVELS_ROWS, 16), np.int16)
        total, coefs = np.zeros((2, 24), np.uint8), scratch()
        place: tuple[Any, ...] = (source, 0, STRIDE, prediction, 0, STRIDE)
        transform.forward_luma_4x4(levels.ravel(), total, 0, coefs, *place, FLAT_TABLES, 0, qp, 0, 0)
        for index in range(16):
            x, y = oracle.block_position(index)
            at = y * STRIDE + x
            count = transform.forward_block_4x4(
                levels.ravel(), transform.offset_of_levels(1, index), coefs, source, at, STRIDE, prediction, at, STRIDE,
                FLAT_TABLES, 0, qp, 0, 0,
            )  # fmt: skip
            assert count == total[0, index]
        np.testing.assert_array_equal(levels[0], levels[1])


def test_chroma_qp() -> None:
    assert [transform.chroma_qp(qp, offset) for qp, offset in ((0, -12), (29, 0), (30, 0), (51, 0), (51, 12))] == [
        0, 29, 29, 39, 39,
    ]  # fmt: skip


def test_cycles() -> None:
    """Two blocks a cycle, latency 10. Inter: 8 chroma blocks enter until cycle 3, their DC at 14, its second pass at 25
    and 26, out at 36 (34 passes need 17 entries: fewer). Intra4x4: 134 trials in 67 cycles, 15 blocks wait 11 each."""
    work = encode_work(5)
    work["mb_type"] = [INTER_16X16, I_4X4, INTER_16X16, I_16X16, P_SKIP]
    work["transform_blocks"] = [26, 160, 0, 27, 30]
    work["transform_coded_blocks"] = [10, 24, 0, 20, 0]
    cfg = transform.TransformConfig(blocks_per_cycle=2, latency_cycles=10, dc_cycles=3)
    # Intra16x16: 16 luma blocks until 7, DC at 18, second pass of 24 from 29 to 40, out at 50
    assert transform.cycles(cfg, work).tolist() == [36, 67 + 15 * 11 + 10, 0, 50, 15 - 1 + 10]
    assert transform.inverse_cycles(cfg, work).tolist() == [5 + 13, 12 + 13, 0, 10 + 13, 0]
