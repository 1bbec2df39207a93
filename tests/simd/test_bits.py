"""The bit primitives give the results of their scalar twins."""

from typing import Any

import numpy as np
import pytest

from asic_model.kernel_cache import kernel
from asic_model.simd.bits import bit_count, bit_length, group_bits, nonzero_mask_16, nonzero_mask_64
from asic_model.simd.compare import unequal
from asic_model.simd.emit import SCALAR, TWINS

pytestmark = pytest.mark.skipif(SCALAR, reason="the twin is what runs here")


@kernel
def run_length(value: Any) -> Any:
    return bit_length(value)


@kernel
def run_count(value: Any) -> Any:
    return bit_count(value)


@kernel
def run_16(values: Any, offset: Any) -> Any:
    return nonzero_mask_16(values, offset)


@kernel
def run_64(values: Any, offset: Any) -> Any:
    return nonzero_mask_64(values, offset)


def test_lengths_and_counts_are_python_s() -> None:
    for value in [0, 1, 2, 3, 255, 256, 65535, (1 << 62) + 5, (1 << 63) - 1]:
        assert run_length(value) == TWINS["bit_length"][1](value) == value.bit_length()
        assert run_count(value) == TWINS["bit_count"][1](value) == value.bit_count()


def test_masks_mark_what_is_not_zero() -> None:
    rng = np.random.default_rng(2)
    for density in (0.0, 0.1, 0.9, 1.0):
        values = np.where(rng.random(100) < density, rng.choice([1, -1, -32768, 32767], 100), 0).astype(np.int16)
        for offset in (0, 1, 7, 36):
            for run, name, lanes in ((run_16, "nonzero_mask_16", 16), (run_64, "nonzero_mask_64", 64)):
                mask = int(run(values, offset))
                assert mask == int(TWINS[name][1](values, offset))
                assert [mask >> i & 1 for i in range(lanes)] == [int(v != 0) for v in values[offset : offset + lanes]]


@kernel
def run_unequal(a: Any, a_offset: Any, b: Any, b_offset: Any, groups: Any) -> Any:
    return unequal(a, a_offset, b, b_offset, groups)


@kernel
def run_group_bits(samples: Any, at: Any, up: Any, first: Any, groups: Any) -> Any:
    return group_bits(samples, at, up, first, groups)


def test_unequal_names_the_lanes_that_differ() -> None:
    rng = np.random.default_rng(3)
    a = rng.integers(0, 256, 200, np.uint8)
    for groups in (0, 1, 2, 5):
        for place in (None, 0, 15, 16 * groups - 1, 16 * groups):  # the last is behind what is compared
            b = np.concatenate([np.zeros(7, np.uint8), a])
            if place is not None:
                b[7 + 3 + place] ^= 128
            inside = place is not None and 0 <= place < 16 * groups
            mask = int(run_unequal(a, 3, b, 10, groups))
            assert mask == int(TWINS["unequal"][1](a, 3, b, 10, groups)) == (1 << (place & 15) if inside else 0)


def test_group_bits_are_the_twin_s() -> None:
    rng = np.random.default_rng(4)
    for low, high in ((0, 1), (0, 256), (100, 104), (0, 2)):
        samples = (rng.integers(low, high, 400) * (255 if high == 2 else 1)).astype(np.uint8)
        for first in (0, 1):
            for groups in (1, 2, 4):
                found = int(run_group_bits(samples, 101, 17, first, groups))
                assert found == int(TWINS["group_bits"][1](samples, 101, 17, first, groups))
