"""Explicit weights: a picture made from its reference by (8-298) gets these weights; planes are weighted as it says."""

import numpy as np
import pytest

from asic_model.cores.encode.job import SLICE_P, EncodeJob
from asic_model.cores.encode.lists import ReferenceLists, reference_lists
from asic_model.cores.encode.weights import find_weights, weighted_planes
from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.mode_decision.state import Samples
from asic_model.engines.motion_search import GUARD_BYTES, Plane
from asic_model.memory.surface import surface

WIDTH, HEIGHT = 128, 64  # a surface's rows have no padding
LUMA = WIDTH * HEIGHT
BYTES = LUMA * 3 // 2
PAGE = 4096


def weighted(samples: np.ndarray, weight: int, offset: int) -> np.ndarray:
    """Clip1(((sample * w + 2^(logWD - 1)) >> logWD) + o), logWD 5."""
    return np.clip(((samples.astype(np.int64) * weight + 16) >> 5) + offset, 0, 255).astype(np.uint8)


def found_for(current: np.ndarray, reference: np.ndarray) -> ReferenceLists:
    """Weights of a picture, uint8[BYTES], against one reference."""
    memory = np.zeros(8 * PAGE + GUARD_BYTES, np.uint8)
    memory[4 * PAGE : 4 * PAGE + BYTES] = reference
    job = EncodeJob(
        width=WIDTH, height=HEIGHT, src_address=0, recon_address=0, out_address=0, out_capacity=64, slice_type=SLICE_P,
        idr=0, ref_count=1, ref_address_0=4 * PAGE, weighted=1, poc=2, ref_poc_0=0,
    )  # fmt: skip
    lists = reference_lists(memory, job)
    layout = surface(WIDTH, HEIGHT)
    find_weights(
        memory, job, lists,
        Samples(current, 0, layout.cb_address, layout.cr_address, layout.pitch, layout.chroma_pitch),
    )  # fmt: skip
    return lists


# 20 to 120: what is weighted is not clipped
REFERENCE = np.random.default_rng(3).integers(20, 121, BYTES, np.uint8)


@pytest.mark.parametrize(("weight", "offset"), [(16, 10), (32, 25), (48, 0), (24, -4)])
def test_weights_are_those_that_made_the_picture(weight: int, offset: int) -> None:
    """(8-298) rounds to whole samples: the spread's ratio is within half a unit of weight, the means within a step."""
    lists = found_for(weighted(REFERENCE, weight, offset), REFERENCE)
    assert lists.weighted.tolist() == [1, 0, 0, 0, 0, 0]
    for component in range(3):
        assert lists.weights[0, component].tolist() == [weight, offset, 5]


def test_pictures_that_differ_otherwise_are_not_weighted() -> None:
    """Another texture with the same mean and spread; the reference itself."""
    for current in (np.random.default_rng(4).integers(20, 121, BYTES, np.uint8), REFERENCE):
        assert not found_for(current, REFERENCE).weighted.any()


@pytest.mark.parametrize(("weight", "offset"), [(1, 0), (40, -90), (127, 127), (127, -128)])
def test_weighted_planes(weight: int, offset: int) -> None:
    """All positions are weighted by the standard's formula, clipped; the reference stays as it is."""
    rng = np.random.default_rng(5)
    luma = rng.integers(0, 256, 4 * 48 * 48 + GUARD_BYTES, np.uint8)
    quarter = rng.integers(0, 256, 12 * 12 + GUARD_BYTES, np.uint8)
    before = luma.copy()
    planes, small = weighted_planes(ReferencePlanes(luma, 5, 48, 48 * 48), Plane(quarter, 3, 12), weight, offset)
    assert (planes[1:], small[1:]) == ((5, 48, 48 * 48), (3, 12))
    assert np.array_equal(planes.data[: 4 * 48 * 48], weighted(before, weight, offset)[: 4 * 48 * 48])
    assert np.array_equal(small.data[:144], weighted(quarter, weight, offset)[:144])
    assert np.array_equal(luma, before)
