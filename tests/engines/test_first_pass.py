"""The first pass: what a macroblock costs and is worth, against sums written out and formulas in floating point."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.engines import first_pass
from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.inter_prediction import half_sample_planes
from asic_model.engines.motion_search import GUARD_BYTES, PAD_PX, Plane
from asic_model.work import encode_work


@pytest.mark.parametrize(("width", "height"), [(32, 32), (50, 38), (16, 18)])
def test_half_size_is_the_rounded_mean(width: int, height: int) -> None:
    rng = np.random.default_rng(width)
    source = rng.integers(0, 256, (height, width + 6), dtype=np.uint8)
    columns, rows = -(-width // 32) * 16, -(-height // 32) * 16
    half = np.zeros(rows * (columns + 3), np.uint8)
    first_pass.shrink(source.ravel(), 0, width + 6, width, height, half, columns + 3, columns, rows)
    wide = source[:, :width].astype(int)
    expected = (wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2] + 2) // 4
    expected = np.pad(expected, ((0, rows - height // 2), (0, columns - width // 2)), mode="edge")
    assert np.array_equal(half.reshape(rows, columns + 3)[:, :columns], expected)


@given(st.integers(1, 2**31 - 1))
def test_logarithm(value: int) -> None:
    """Cut to six bits of mantissa: from 1/43 below the true value to a rounding above it."""
    assert -256 / 43 <= first_pass.log2_q8(value) - 256 * math.log2(value) <= 1


def test_variance_offset_is_x264_s_formula() -> None:
    rng = np.random.default_rng(3)
    source = np.concatenate(
        [rng.normal(128, spread, (16, 16)).clip(0, 255).astype(np.uint8) for spread in (0.1, 1, 4, 10, 30, 60)], axis=1
    )
    found = np.zeros(6, np.int8)
    first_pass.variances(source.ravel(), 0, 96, 96, 16, 6, 1, found)
    for mb in range(6):
        block = source[:, 16 * mb : 16 * mb + 16].astype(float)
        energy = max(1.0, 256 * block.var())
        assert abs(found[mb] / 8 - 1.0397 * (math.log2(energy) - 14.427)) < 0.2


def _reference(luma: np.ndarray) -> tuple[ReferencePlanes, Plane]:
    height, width = luma.shape
    stride = width + 2 * PAD_PX
    plane_bytes = stride * (height + 2 * PAD_PX)
    data = np.zeros(4 * plane_bytes + GUARD_BYTES, np.uint8)
    offset = PAD_PX * stride + PAD_PX
    data[:plane_bytes].reshape(-1, stride)[PAD_PX : PAD_PX + height, PAD_PX : PAD_PX + width] = luma
    half_sample_planes(data, offset, stride, plane_bytes, width, height, PAD_PX, np.empty(width + 32, np.int16))
    from asic_model.cores.encode.reference import quarter_plane

    return ReferencePlanes(data, offset, stride, plane_bytes), quarter_plane(
        Plane(data, offset, stride), width, height, PAD_PX
    )


def _plane(luma: np.ndarray) -> tuple[Plane, Plane]:
    from asic_model.cores.encode.reference import quarter_plane

    data = np.concatenate([luma.ravel(), np.zeros(GUARD_BYTES, np.uint8)])
    whole = Plane(data, 0, luma.shape[1])
    return whole, quarter_plane(whole, luma.shape[1], luma.shape[0], 0)


def test_looking_finds_motion_and_bi_prediction() -> None:
    """A texture that moves by (3, 2) samples is found, at next to no cost; the mean of two pictures is predicted by
    both."""
    rng = np.random.default_rng(9)
    texture = rng.normal(128, 300, (102, 134))
    for _ in range(6):
        texture = (texture[:-1, :-1] + texture[1:, :-1] + texture[:-1, 1:] + texture[1:, 1:]) / 4
    smooth = texture.clip(0, 255).astype(np.uint8)
    first, moved = smooth[8:72, 8:104], smooth[10:74, 11:107] // 2 + 50
    first = first // 2 + 50
    other = (first + rng.integers(0, 2, first.shape) * 30).astype(np.uint8)
    mean = ((first.astype(int) + other + 1) // 2).astype(np.uint8)
    references = [_reference(picture) for picture in (first, other)]
    planes, quarters = zip(*references, strict=True)
    settings_ = first_pass.settings_of(64, 32, 16)
    for picture, lists, expected in ((moved, 1, 1), (mean, 3, 3)):
        records = np.zeros(8 * 12, first_pass.RECORD)
        work = encode_work(4 * 6)
        sums = first_pass.look(*_plane(picture), planes, quarters, lists, 6, 4, 12, 8, settings_, 16, 1, records, work)
        inner = records.reshape(8, 12)[1:-1, 1:-1]
        assert sums[1] < sums[0] / 4
        assert np.mean(inner["inter"] >> first_pass.COST_BITS == expected) > 0.95
        if lists == 1:
            assert np.mean(np.all(inner["mv"][:, :, 0] == (12, 8), axis=2)) > 0.9  # quarter samples
        assert sums[0] == records["intra"].sum(dtype=int)
        assert sums[1] == (records["inter"] & first_pass.COST_MOST).sum(dtype=int)
        assert work["fractional_search_blocks"].min() > 0
        assert np.all(work["intra_prediction_blocks"] == 4 * first_pass.INTRA_BLOCKS)


def test_the_window_at_half_size_is_what_the_second_pass_reaches() -> None:
    """Half of it; 32 samples across where half would be less than the search has, and no more than half otherwise."""
    assert [first_pass.reach(x, y) for x, y in ((64, 32), (32, 16), (96, 40), (512, 248))] == [
        (32, 16), (32, 8), (32, 20), (256, 124),
    ]  # fmt: skip


def _handed(records, worth, width, height, target, lst):  # type: ignore[no-untyped-def]
    """The rule, in plain Python: what one list's share of each macroblock adds to `target`."""
    for mb in range(width * height):
        used = int(records["inter"][mb]) >> 14
        if not used >> lst & 1:
            continue
        intra, best = int(records["intra"][mb]), int(records["inter"][mb]) & 16383
        amount = (int(worth[mb]) + intra) * (intra - best) // intra
        if used == 3:
            amount = (amount + 1) // 2
        x = 32 * (mb % width) + int(records["mv"][mb, lst, 0])
        y = 32 * (mb // width) + int(records["mv"][mb, lst, 1])
        for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
            wide = x % 32 if column else 32 - x % 32
            high = y % 32 if row else 32 - y % 32
            to_x, to_y = x // 32 + column, y // 32 + row
            if wide * high and 0 <= to_x < width and 0 <= to_y < height:
                at = to_y * width + to_x
                target[at] = min(int(target[at]) + (amount * wide * high + 512) // 1024, 2**31 - 1)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from((1, 2, 3)))
def test_handing_on_follows_the_rule(seed: int, lists: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = 5, 4
    records = np.zeros(width * height, first_pass.RECORD)
    records["intra"] = rng.integers(1, 16384, width * height)
    best = (records["intra"] * rng.random(width * height)).astype(np.uint16)
    records["inter"] = best | (rng.integers(0, 4, width * height) & lists).astype(np.uint16) << 14
    records["mv"] = rng.integers(-200, 200, (width * height, 2, 2))
    worth = rng.integers(0, 2**30, width * height).astype(np.uint32)
    nothing = np.zeros(width * height, np.int8)
    targets = [rng.integers(0, 1000, width * height).astype(np.uint32) for _ in range(2)]
    expected = [target.copy() for target in targets]
    work = encode_work(height)
    first_pass.hand_on(records, worth, nothing, 0, *targets, width, height, work)
    for lst in range(2):
        _handed(records, worth, width, height, expected[lst], lst)
        assert np.array_equal(targets[lst], expected[lst])
    used = records["inter"] >> 14
    assert work["first_pass_lists"].sum() == np.sum(used & 1) + np.sum(used >> 1)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_map_is_the_tree_s_formula(seed: int) -> None:
    """Offset of a macroblock: strength * log2((intra + worth) / intra), within a rounding; the picture's is their mean;
    the cost is the sum of costs at those quantisers."""
    rng = np.random.default_rng(seed)
    records = np.zeros(50, first_pass.RECORD)
    records["intra"] = rng.integers(1, 16384, 50)
    records["inter"] = records["intra"] // 2
    worth = (records["intra"] * rng.exponential(20, 50)).astype(np.uint32)
    variance = rng.integers(-100, 60, 50).astype(np.int8)
    qp_map = np.zeros(50, np.int8)
    mean, cost = first_pass.finish(records, worth, variance, 16, 32, 0, qp_map)
    exact = variance / 8 - 2 * np.log2((records["intra"] + worth.astype(float)) / records["intra"])
    offsets = qp_map + int(mean)
    assert np.all(np.abs(offsets - exact.clip(-30, 30)) < 0.6)
    assert abs(offsets.mean() - mean) <= 0.5
    weighed = (records["inter"] * 2.0 ** (-offsets / 6)).sum()
    assert cost == pytest.approx(weighed, rel=0.01, abs=60)
    # an I picture in the middle of a scene costs what its macroblocks cost by themselves: twice as much here
    assert first_pass.finish(records, worth, variance, 16, 32, 1, qp_map)[0] == mean
    assert first_pass.finish(records, worth, variance, 16, 32, 1, qp_map)[1] == pytest.approx(
        2 * weighed, rel=0.01, abs=60
    )
