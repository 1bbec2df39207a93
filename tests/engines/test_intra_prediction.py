"""Intra prediction: every mode under every availability equals the standard, and nothing else is written."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264.macroblock import I_4X4, I_16X16
from asic_model.engines import intra_prediction as intra
from asic_model.work import encode_work
from tests.oracle import intra_prediction as oracle

STRIDE, ROWS = 48, 40
X0, Y0 = 9, 7  # the block in its plane
seeds = st.integers(0, 2**32 - 1)
flags = st.integers(0, 31)


def plane(seed: int) -> np.ndarray:
    """Flat samples: random, extremes, or a ramp (so that plane prediction does not always saturate)."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3)
    if kind == 0:
        return rng.integers(0, 256, STRIDE * ROWS, np.uint8)
    if kind == 1:
        return (rng.integers(0, 2, STRIDE * ROWS) * 255).astype(np.uint8)
    y, x = np.mgrid[0:ROWS, 0:STRIDE]
    slope_x, slope_y, noise = rng.integers(-4, 5), rng.integers(-4, 5), rng.integers(0, 4, (ROWS, STRIDE))
    return np.clip(slope_x * x + slope_y * y + noise + 100, 0, 255).astype(np.uint8).ravel()


def neighbours(samples: np.ndarray, available: int, size: int, corner: tuple[int, int]) -> oracle.Neighbours:
    """p(x, y) of the block at (X0, Y0)."""
    rows = samples.reshape(ROWS, STRIDE)

    def p(x: int, y: int) -> int | None:
        if x == -1 and y == -1:
            return int(rows[corner]) if available & intra.CORNER else None
        if x == -1:
            half = intra.LEFT_LOWER if size in (8, 16) and y >= size // 2 else intra.LEFT_UPPER
            return int(rows[Y0 + y, X0 - 1]) if available & half else None
        if x < size:
            return int(rows[Y0 - 1, X0 + x]) if available & intra.TOP else None
        return int(rows[Y0 - 1, X0 + x]) if available & intra.TOP_RIGHT and available & intra.TOP else None

    return p


def whole_left(available: int) -> int:
    """4x4 and 8x8 blocks have one left neighbour: both halves or none."""
    return available | intra.LEFT_LOWER if available & intra.LEFT_UPPER else available & ~intra.LEFT_LOWER


def expect(samples: np.ndarray, block: list[list[int]], ours: np.ndarray, note: str) -> None:
    expected = samples.copy().reshape(ROWS, STRIDE)
    expected[Y0 : Y0 + len(block), X0 : X0 + len(block)] = block
    np.testing.assert_array_equal(ours.reshape(ROWS, STRIDE), expected, err_msg=note)


OFFSET = Y0 * STRIDE + X0


@settings(max_examples=80, deadline=None)
@given(seed=seeds, available=flags, far_corner=st.booleans())
def test_4x4_and_8x8(seed: int, available: int, far_corner: bool) -> None:
    samples, available = plane(seed), whole_left(available)
    corner = (Y0 - 2, X0 - 1) if far_corner else (Y0 - 1, X0 - 1)
    at = corner[0] * STRIDE + corner[1]
    line, predictions = np.full(intra.LINE, 201, np.uint8), np.zeros(intra.PREDICTIONS, np.uint8)
    for size, twin, gather, predict, predict_all in (
        (4, oracle.intra_4x4, intra.gather_4x4, intra.predict_4x4, intra.predict_4x4_all),
        (8, oracle.intra_8x8, intra.gather_8x8, intra.predict_8x8, intra.predict_8x8_all),
    ):
        dc = gather(line, samples, OFFSET, STRIDE, at, available)
        for mode in range(9):
            block = twin(neighbours(samples, available, size, corner), mode)
            assert (block is not None) == bool((int(intra.ALLOWED_4X4[available]) >> mode) & 1)
            if block is None:
                continue
            ours = samples.copy()
            predict(ours, OFFSET, STRIDE, mode, line, dc, predictions)
            expect(samples, block, ours, f"{size}x{size} mode {mode} available {available}")
            predict_all(predictions, line, dc)
            area = size * size
            np.testing.assert_array_equal(predictions[mode * area : (mode + 1) * area], np.ravel(block))


@settings(max_examples=80, deadline=None)
@given(seed=seeds, available=flags, far_corner=st.booleans())
def test_16x16_and_chroma(seed: int, available: int, far_corner: bool) -> None:
    samples = plane(seed)
    corner = (Y0 - 2, X0 - 1) if far_corner else (Y0 - 1, X0 - 1)
    at = corner[0] * STRIDE + corner[1]
    for size, twin, predict, allowed in (
        (16, oracle.intra_16x16, intra.predict_16x16, intra.ALLOWED_16X16),
        (8, oracle.chroma, intra.predict_chroma, intra.ALLOWED_CHROMA),
    ):
        for mode in range(4):
            block = twin(neighbours(samples, available, size, corner), mode)
            assert (block is not None) == bool((int(allowed[available]) >> mode) & 1)
            if block is None:
                continue
            ours = samples.copy()
            predict(ours, OFFSET, STRIDE, mode, ours, OFFSET, STRIDE, at, available)
            expect(samples, block, ours, f"{size}x{size} mode {mode} available {available}")


def test_cycles() -> None:
    work = encode_work(3)
    work["mb_type"] = [I_4X4, I_16X16, I_16X16]
    work["intra_prediction_blocks"] = [200, 64, 0]
    cfg = intra.IntraPredictionConfig(blocks_per_cycle=3, latency_cycles=5)
    assert intra.cycles(cfg, work).tolist() == [67 + 80, 22 + 5, 0]
