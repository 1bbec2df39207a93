"""Motion search finds what its slow twin finds, in every macroblock and partition, and counts what it tried."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.engines.lagrangian import MOTION_LAMBDA, VECTOR_BITS, VECTOR_SPAN
from asic_model.engines.motion_search import (
    GUARD_BYTES,
    PAD_PX,
    MotionSearchConfig,
    Plane,
    SearchSettings,
    cycles,
    decimate,
    search_row,
)
from asic_model.work import encode_work
from tests.oracle.search import Picture, search, vector_bits


def _plane(samples: np.ndarray, pad: int) -> Plane:
    padded = np.pad(samples, pad, mode="edge")
    data = np.concatenate([padded.ravel(), np.zeros(GUARD_BYTES, np.uint8)])
    return Plane(data, pad * padded.shape[1] + pad, padded.shape[1])


def _quarter(plane: Plane, width: int, height: int, pad: int) -> Plane:
    columns, rows = (width + 2 * pad) // 4, (height + 2 * pad) // 4
    data = np.zeros(columns * rows + GUARD_BYTES, np.uint8)
    decimate(plane.data, 0, plane.stride, columns, rows, data, 0, columns)
    return Plane(data, pad // 4 * columns + pad // 4, columns)


def _run(current: np.ndarray, reference: np.ndarray, chosen: SearchSettings, colocated: np.ndarray):
    height, width = current.shape
    mbs_x, mbs_y = width // 16, height // 16
    now, past = _plane(current, 0), _plane(reference, PAD_PX)
    now_quarter, past_quarter = _quarter(now, width, height, 0), _quarter(past, width, height, PAD_PX)
    count = mbs_x * mbs_y
    vectors, costs = np.zeros((count, 9, 2), np.int16), np.zeros((count, 9), np.int32)
    work = encode_work(count)
    for row in range(mbs_y):
        search_row(
            row, mbs_x, mbs_y, now, now_quarter, past, past_quarter, colocated, chosen, vectors, costs, work
        )  # fmt: skip
    return vectors, costs, work


def _pictures(content: str, width: int, height: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if content == "flat":
        return np.full((height, width), 90, np.uint8), np.full((height, width), 90, np.uint8)
    if content == "extreme":
        return tuple((rng.integers(0, 2, (height, width)) * 255).astype(np.uint8) for _ in range(2))
    canvas = np.kron(rng.integers(0, 256, (height // 4 + 20, width // 4 + 20)), np.ones((4, 4)))
    canvas = (np.roll(canvas, 1, 0) + 2 * canvas + np.roll(canvas, 1, 1)) / 4
    x, y = rng.integers(0, 40, 2)
    return (
        canvas[20 : 20 + height, 20 : 20 + width].astype(np.uint8),
        canvas[y : y + height, x : x + width].astype(np.uint8),
    )


@pytest.mark.parametrize("content", ["flat", "extreme", "moving"])
@pytest.mark.parametrize("size", [(16, 16), (48, 32)])
@pytest.mark.parametrize("temporal", [0, 1])
def test_as_the_twin(content, size, temporal):
    """Flat pictures tie everywhere (the first candidate wins), 0 and 255 reach the largest SAD."""
    current, reference = _pictures(content, *size, seed=7)
    count = size[0] * size[1] // 256
    colocated = np.random.default_rng(3).integers(-60, 61, (count, 2)).astype(np.int16)
    chosen = SearchSettings(32, 16, 2, 1, 1, temporal, int(MOTION_LAMBDA[27]))
    vectors, costs, work = _run(current, reference, chosen, colocated)
    expected = search(
        Picture(current.tolist()), Picture(reference.tolist()), 32, 16, 2, 1, 1, int(MOTION_LAMBDA[27]),
        colocated.tolist() if temporal else None,
    )  # fmt: skip
    for mb in range(count):
        assert [tuple(v) for v in vectors[mb].tolist()] == expected[0][mb], f"macroblock {mb}"
        assert costs[mb].tolist() == expected[1][mb], f"macroblock {mb}"
    assert work["motion_search_coarse"].tolist() == expected[2]
    assert work["motion_search_fine"].tolist() == expected[3]


@pytest.mark.parametrize("content", ["flat", "moving"])
def test_the_search_ends_with_a_predictor_that_is_good_enough(content):
    """In flat pictures the zero vector costs SAD 0 and two bits of lambda 16/16: 2, where the threshold counts too."""
    size = (64, 48)
    current, reference = _pictures(content, *size, seed=5)
    if content == "moving":  # every other macroblock as it was
        for mb in range(0, 12, 2):
            place = np.s_[16 * (mb // 4) : 16 * (mb // 4) + 16, 16 * (mb % 4) : 16 * (mb % 4) + 16]
            current[place] = reference[place]
    colocated = np.zeros((12, 2), np.int16)
    arguments = (32, 16, 2, 1, 1)
    found, coarse = {}, {}
    for enough in (-1, 1, 2, 60):
        vectors, costs, work = _run(current, reference, SearchSettings(*arguments, 1, 16, enough), colocated)
        expected = search(
            Picture(current.tolist()), Picture(reference.tolist()), *arguments, 16, colocated.tolist(), enough
        )
        assert [[tuple(v) for v in mb] for mb in vectors.tolist()] == expected[0], f"enough {enough}"
        assert costs.tolist() == expected[1], f"enough {enough}"
        assert work["motion_search_coarse"].tolist() == expected[2], f"enough {enough}"
        assert work["motion_search_fine"].tolist() == expected[3], f"enough {enough}"
        coarse[enough] = int((work["motion_search_coarse"] > 0).sum())
        found[enough] = int(work["motion_search_fine"].sum())
    assert coarse[-1] == 12
    assert coarse[60] < 12
    if content == "flat":
        assert (coarse[1], coarse[2]) == (12, 0)
    assert found[60] < found[-1]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), qp=st.integers(0, 51), range_x=st.sampled_from([32, 64]), centres=st.integers(1, 6))
def test_vectors_stay_in_the_window(seed, qp, range_x, centres):
    """No vector leaves the window or the padding, whatever the content."""
    width, height = 64, 48
    current, reference = _pictures("moving" if seed % 2 else "extreme", width, height, seed)
    chosen = SearchSettings(range_x, 16, centres, 2, 1, 0, int(MOTION_LAMBDA[qp]))
    vectors, _, work = _run(current, reference, chosen, np.zeros((12, 2), np.int16))
    x, y = vectors[..., 0].astype(int), vectors[..., 1].astype(int)
    left = 16 * (np.arange(12) % 4)[:, None] + x
    top = 16 * (np.arange(12) // 4)[:, None] + y
    assert abs(x).max() <= range_x
    assert abs(y).max() <= 16
    assert left.min() >= -24
    assert left.max() <= width - 16 + 24
    assert top.min() >= -24
    assert top.max() <= height - 16 + 24
    assert (work["motion_search_fine"] > 0).all()


def test_a_shift_is_found():
    """Texture that moved by (13, -9) without a change: SAD 0, hence cost = rate alone."""
    rng = np.random.default_rng(11)
    canvas = np.kron(rng.integers(0, 256, (60, 60)), np.ones((3, 3))).astype(np.uint8)
    current, reference = canvas[40:104, 40:104], canvas[49:113, 27:91]
    chosen = SearchSettings(64, 32, 2, 2, 1, 0, 16)
    vectors, costs, _ = _run(current, reference, chosen, np.zeros((16, 2), np.int16))
    inner = [5, 6, 9, 10]
    assert (vectors[inner][:, 0] == (13, -9)).all()
    assert costs[5, 0] <= 2 * 40


def test_vector_bits_are_those_of_the_standard():
    for difference in (*range(-300, 301), -VECTOR_SPAN, VECTOR_SPAN - 1):
        assert VECTOR_BITS[VECTOR_SPAN + difference] == vector_bits(difference)


def test_cycles():
    """1024 subtractors: 512 coarse positions of 16 take 8 cycles, 60 of 256 take 15, and 16 of latency each."""
    work = encode_work(2)
    work["motion_search_coarse"][0], work["motion_search_fine"][0] = 512, 60
    assert cycles(MotionSearchConfig(), work).tolist() == [8 + 15 + 2 * 16, 0]
