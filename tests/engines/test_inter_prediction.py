"""Inter prediction: samples equal the standard at all positions, inside and far outside; weights; whole planes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.engines import inter_prediction as inter
from tests.oracle import inter_prediction as oracle

seeds = st.integers(0, 2**32 - 1)
PARTITIONS = [(16, 16), (16, 8), (8, 16), (8, 8), (8, 4), (4, 8), (4, 4)]
WIDTH, HEIGHT, STRIDE, OFFSET = 40, 36, 47, 13


def memory(seed: int, stride: int = STRIDE, height: int = HEIGHT) -> np.ndarray:
    """Flat memory around a plane: random samples, or extremes that saturate every filter."""
    rng = np.random.default_rng(seed)
    size = OFFSET + stride * height + 64
    if rng.integers(2):
        return rng.integers(0, 256, size, np.uint8)
    return (rng.integers(0, 2, size) * 255).astype(np.uint8)


def plane(mem: np.ndarray, offset: int, stride: int, width: int, height: int) -> oracle.Plane:
    return [[int(v) for v in mem[offset + y * stride : offset + y * stride + width]] for y in range(height)]


def check(ours: np.ndarray, at: int, stride: int, block: oracle.Plane, note: str) -> None:
    """`ours`, 77 everywhere before, holds `block` and nothing else."""
    expected = np.full_like(ours, 77)
    for y, line in enumerate(block):
        expected[at + y * stride : at + y * stride + len(line)] = line
    np.testing.assert_array_equal(ours, expected, err_msg=note)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, size=st.sampled_from(PARTITIONS), field=st.booleans(), far=st.booleans(), data=st.data())
def test_luma_and_chroma(seed: int, size: tuple[int, int], field: bool, far: bool, data: st.DataObject) -> None:
    mem = memory(seed)
    offset, stride, height = (OFFSET + STRIDE, 2 * STRIDE, HEIGHT // 2) if field else (OFFSET, STRIDE, HEIGHT)
    reach = 4000 if far else 60
    x = data.draw(st.integers(-4 * reach, 4 * (WIDTH + reach)))
    y = data.draw(st.integers(-4 * reach, 4 * (height + reach)))
    scratch = np.zeros(inter.SCRATCH, np.uint8)
    ref = plane(mem, offset, stride, WIDTH, height)
    ours = np.full(64 * 32, 77, np.uint8)
    inter.predict_luma(ours, 35, 33, mem, offset, stride, WIDTH, height, x, y, *size, scratch)
    check(ours, 35, 33, oracle.luma(ref, x, y, *size), f"luma {size} at {x}, {y}")
    half = (size[0] // 2, size[1] // 2)
    ours = np.full(64 * 32, 77, np.uint8)
    inter.predict_chroma(ours, 35, 33, mem, offset, stride, WIDTH, height, x, y, *half, scratch)
    check(ours, 35, 33, oracle.chroma(ref, x, y, *half), f"chroma {half} at {x}, {y}")


@pytest.mark.parametrize("size", PARTITIONS)
def test_every_fraction_everywhere_near_the_edges(size: tuple[int, int]) -> None:
    """All 16 luma and 64 chroma fractions, just inside and just outside each edge."""
    mem, scratch = memory(5), np.zeros(inter.SCRATCH, np.uint8)
    ref = plane(mem, OFFSET, STRIDE, WIDTH, HEIGHT)
    half = (size[0] // 2, size[1] // 2)
    places = [(9, 7), (0, 3), (2, 2), (WIDTH - size[0], HEIGHT - size[1]), (WIDTH - size[0] - 3, HEIGHT - size[1] - 2)]
    for column, row in places:
        for fraction in range(16):
            x, y = 4 * column + fraction % 4, 4 * row + fraction // 4
            ours = np.full(64 * 32, 77, np.uint8)
            inter.predict_luma(ours, 35, 33, mem, OFFSET, STRIDE, WIDTH, HEIGHT, x, y, *size, scratch)
            check(ours, 35, 33, oracle.luma(ref, x, y, *size), f"luma {size} at {x}, {y}")
        for fraction in range(0, 64, 3):
            x, y = 8 * column + fraction % 8, 8 * row + fraction // 8
            ours = np.full(64 * 32, 77, np.uint8)
            inter.predict_chroma(ours, 35, 33, mem, OFFSET, STRIDE, WIDTH, HEIGHT, x, y, *half, scratch)
            check(ours, 35, 33, oracle.chroma(ref, x, y, *half), f"chroma {half} at {x}, {y}")


@pytest.mark.parametrize("width", [16, 8, 4, 2])
@settings(max_examples=30, deadline=None)
@given(
    seed=seeds,
    weights=st.tuples(st.integers(-128, 127), st.integers(-128, 127)),
    offsets=st.tuples(st.integers(-128, 127), st.integers(-128, 127)),
    log_wd=st.integers(0, 7),
)
def test_weighting(width: int, seed: int, weights: tuple[int, int], offsets: tuple[int, int], log_wd: int) -> None:
    one, two = memory(seed), memory(seed + 1)
    height = max(width // 2, 2)
    p0, p1 = plane(one, 3, 21, width, height), plane(two, 9, 34, width, height)

    def expect(blocks: oracle.Plane, ours: np.ndarray) -> None:
        expected = one.copy()
        for y, line in enumerate(blocks):
            expected[3 + y * 21 : 3 + y * 21 + width] = line
        np.testing.assert_array_equal(ours, expected)

    ours = one.copy()
    inter.average_prediction(ours, 3, 21, two, 9, 34, width, height)
    expect([[(a + b + 1) >> 1 for a, b in zip(*rows, strict=True)] for rows in zip(p0, p1, strict=True)], ours)
    ours = one.copy()
    inter.weight_prediction(ours, 3, 21, width, height, weights[0], offsets[0], log_wd)
    expect([[oracle.weighted(a, weights[0], offsets[0], log_wd) for a in row] for row in p0], ours)
    ours = one.copy()
    inter.weight_prediction_bi(ours, 3, 21, two, 9, 34, width, height, *weights, *offsets, log_wd)
    pairs = [list(zip(*rows, strict=True)) for rows in zip(p0, p1, strict=True)]
    expect([[oracle.weighted_bi(a, b, *weights, *offsets, log_wd) for a, b in row] for row in pairs], ours)


@settings(max_examples=300, deadline=None)
@given(
    current=st.integers(-300, 300), poc_0=st.integers(-300, 300), poc_1=st.integers(-300, 300), long_term=st.booleans()
)
def test_implicit_weights(current: int, poc_0: int, poc_1: int, long_term: bool) -> None:
    w1 = inter.implicit_weight(current, poc_0, poc_1, int(long_term))
    assert (64 - w1, w1) == oracle.implicit_weights(current, poc_0, poc_1, long_term)


@pytest.mark.parametrize(("width", "height", "pad"), [(16, 16, 8), (36, 20, 24), (49, 17, 11)])
def test_planes_equal_blocks(width: int, height: int, pad: int) -> None:
    """Predicting from padded half-sample planes is predicting from the picture, as far as the padding reaches."""
    rng = np.random.default_rng(4)
    stride = width + 2 * pad + 5
    plane_bytes = stride * (height + 2 * pad) + 3
    data = rng.integers(0, 256, 4 * plane_bytes, np.uint8)
    offset = pad * stride + pad
    picture = (rng.integers(0, 2, (height, width)) * 255).astype(np.uint8)
    for y in range(height):
        data[offset + y * stride : offset + y * stride + width] = picture[y]
    inter.half_sample_planes(data, offset, stride, plane_bytes, width, height, pad, np.zeros(width + 32, np.int16))
    flat, scratch = picture.ravel(), np.zeros(inter.SCRATCH, np.uint8)
    for _ in range(600):
        size = PARTITIONS[rng.integers(len(PARTITIONS))]
        x = int(rng.integers(-4 * pad, 4 * (width + pad - size[0] - 1) + 1))
        y = int(rng.integers(-4 * pad, 4 * (height + pad - size[1] - 1) + 1))
        ours, theirs = np.zeros(512, np.uint8), np.zeros(512, np.uint8)
        inter.predict_luma_from_planes(ours, 3, 18, data, offset, stride, plane_bytes, x, y, *size)
        inter.predict_luma(theirs, 3, 18, flat, 0, width, width, height, x, y, *size, scratch)
        np.testing.assert_array_equal(ours, theirs, err_msg=f"{size} at {x}, {y}")


def test_cycles() -> None:
    work = np.zeros(2, [("inter_prediction_partitions", "u1"), ("inter_prediction_samples", "u2")])
    work["inter_prediction_partitions"] = [2, 0]
    work["inter_prediction_samples"] = [inter.filter_samples(1, 16, 8) + inter.filter_samples(4, 16, 8), 0]
    cfg = inter.InterPredictionConfig(samples_per_cycle=8, partition_cycles=4, latency_cycles=10)
    assert inter.cycles(cfg, work).tolist() == [(16 * 13 + 16 * 8) // 8 + 8 + 10, 0]
