"""The bit primitives give the results of their scalar twins."""

from typing import Any

import numpy as np
import pytest

from asic_model.kernel_cache import kernel
from asic_model.simd.bits import bit_count, bit_length, nonzero_mask_16, nonzero_mask_64
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
