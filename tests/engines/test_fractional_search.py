"""Fractional search finds the vectors and costs of its slow twin, whatever partitions share a centre."""

import numpy as np
import pytest

from asic_model.engines.fractional_search import (
    FractionalSearchConfig,
    ReferencePlanes,
    cycles,
    fractional_scratch,
    refine,
    satd_at,
)
from asic_model.engines.inter_prediction import half_sample_planes
from asic_model.engines.motion_search import GUARD_BYTES, PAD_PX
from asic_model.work import encode_work
from tests.oracle.search import Picture, sample, satd
from tests.oracle.search import refine as slow_refine

WIDTH, HEIGHT = 48, 48


def _planes(samples: np.ndarray) -> ReferencePlanes:
    stride = WIDTH + 2 * PAD_PX
    size = stride * (HEIGHT + 2 * PAD_PX)
    data = np.zeros(4 * size + GUARD_BYTES, np.uint8)
    data[:size].reshape(-1, stride)[PAD_PX : PAD_PX + HEIGHT, PAD_PX : PAD_PX + WIDTH] = samples
    offset = PAD_PX * stride + PAD_PX
    half_sample_planes(data, offset, stride, size, WIDTH, HEIGHT, PAD_PX, np.empty(WIDTH + 32, np.int16))
    return ReferencePlanes(data, offset, stride, size)


def _samples(content: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if content == "flat":
        return np.full((HEIGHT, WIDTH), 77, np.uint8)
    if content == "extreme":
        return (rng.integers(0, 2, (HEIGHT, WIDTH)) * 255).astype(np.uint8)
    wide = np.kron(rng.integers(0, 256, (12, 12)), np.ones((4, 4)))
    return ((np.roll(wide, 1, 0) + wide + np.roll(wide, 1, 1)) / 3).astype(np.uint8)


@pytest.mark.parametrize("content", ["flat", "extreme", "smooth"])
@pytest.mark.parametrize("spread", [0, 1, 20])
def test_as_the_twin(content, spread):
    """spread 0: one centre serves all; 1: several; 20: all differ and reach beyond the picture's edge."""
    current, reference = _samples(content, 1), _samples(content, 2)
    whole = np.random.default_rng(5).integers(-spread, spread + 1, (9, 2)).astype(np.int16)
    vectors, costs = np.zeros((9, 2), np.int32), np.zeros(9, np.int32)
    data = np.ascontiguousarray(current).ravel()
    for mb_x, mb_y in ((0, 0), (2, 1)):
        positions = refine(
            data, 16 * mb_y * WIDTH + 16 * mb_x, WIDTH, _planes(reference), 16 * mb_x, 16 * mb_y, whole, 0x1FF,
            3, -2, 90, vectors, costs, fractional_scratch(), 0,
        )  # fmt: skip
        expected = slow_refine(
            Picture(current.tolist()), Picture(reference.tolist()), mb_x, mb_y, whole.tolist(), (3, -2), 90
        )
        assert [(tuple(v), c) for v, c in zip(vectors.tolist(), costs.tolist(), strict=True)] == expected
        centres = len({tuple(v) for v in whole.tolist()})
        assert 17 * centres <= positions <= 9 * centres + 8 * 9


@pytest.mark.parametrize("spread", [0, 1, 20])
def test_a_second_call_gives_the_same(spread):
    """16x16 alone, then the others with what that call left: vectors, costs and positions as without it."""
    current, planes = _samples("extreme", 1).ravel(), _planes(_samples("smooth", 2))
    rng = np.random.default_rng(8)
    for _ in range(20):
        whole = rng.integers(-spread, spread + 1, (9, 2)).astype(np.int16)
        wanted = int(rng.integers(1, 256)) << 1
        found = []
        for again in (0, 1):
            vectors, costs, scratch = np.zeros((9, 2), np.int32), np.zeros(9, np.int32), fractional_scratch()
            place = (current, 16 * WIDTH + 16, WIDTH, planes, 16, 16, whole)
            if again:
                refine(*place, 1, 3, -2, 90, vectors, costs, scratch, 0)
                vectors[:], costs[:] = 0, 0
            positions = refine(*place, wanted, 3, -2, 90, vectors, costs, scratch, again)
            found.append((vectors.tolist(), costs.tolist(), positions))
        assert found[0] == found[1]


def test_satd_at_every_fraction():
    """The 16 fractional positions, by the filters of 8.4.2.2.1."""
    current, reference = _samples("extreme", 3), _samples("smooth", 4)
    planes, picture = _planes(reference), Picture(reference.tolist())
    block = Picture(current.tolist()).block(16, 16, 16, 16)
    for y in range(4):
        for x in range(4):
            other = [[sample(picture, 64 + 4 * i + x, 64 + 4 * j + y) for i in range(16)] for j in range(16)]
            got = satd_at(np.ascontiguousarray(current).ravel(), 16 * WIDTH + 16, WIDTH, planes, 16, 16, x, y)
            assert got == satd(block, other), (x, y)


def test_cycles():
    """17 positions of 16 blocks at 16 a cycle are 17 cycles; the pipeline drains twice."""
    work = encode_work(2)
    work["fractional_search_blocks"][0] = 17 * 16
    assert cycles(FractionalSearchConfig(), work).tolist() == [17 + 2 * 24, 0]
