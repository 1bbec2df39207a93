"""Each vector primitive gives the result of its scalar twin: all widths, offsets, strides, saturation corners."""

import inspect
from typing import Any

import numba
import numpy as np
import pytest

from asic_model import simd
from asic_model.simd import transforms
from asic_model.simd.emit import SCALAR, TWINS

pytestmark = pytest.mark.skipif(SCALAR, reason="the twin is what runs here")

SIZE = 64 * 64
COMPARE = [name for name in simd.__all__ if name.startswith(("sad_", "satd_", "ssd_"))]
MOMENTS = [name for name in simd.__all__ if name.startswith("moments_")]
MOVES = [name for name in simd.__all__ if name.startswith(("copy_", "average_", "residual_"))]
ADDS = [name for name in simd.__all__ if name.startswith("add_clip_")]
TRANSFORMS = [name for name in dir(transforms) if name.startswith(("forward_", "inverse_4", "inverse_8"))]
FILLS = [name for name in simd.__all__ if name.startswith("fill_")]
HALVES = ["half_horizontal_row", "half_vertical_row", "half_vertical_sums_row"]


def compiled(name: str) -> Any:
    """A callable that runs primitive `name` inside a kernel."""
    names = ", ".join(inspect.signature(TWINS[name][1]).parameters)
    scope: dict[str, Any] = {"primitive": TWINS[name][0]}
    exec(f"def run({names}):\n    return primitive({names})", scope)
    return numba.njit(scope["run"])


def contents() -> list[np.ndarray]:
    """Flat arrays: random, all 0, all 255, checkered extremes, small values."""
    rng = np.random.default_rng(7)
    return [
        rng.integers(0, 256, SIZE, np.uint8),
        np.zeros(SIZE, np.uint8),
        np.full(SIZE, 255, np.uint8),
        (rng.integers(0, 2, SIZE) * 255).astype(np.uint8),
        rng.integers(0, 4, SIZE, np.uint8),
    ]


PLACES = [(0, 16), (1, 16), (3, 21), (64, 64), (127, 33), (17, 0)]  # (offset, stride), unaligned ones too


def test_every_primitive_is_covered() -> None:
    assert set(COMPARE + MOMENTS + MOVES + ADDS + FILLS + HALVES + ["half_centre_row"]) >= set(simd.__all__)


@pytest.mark.parametrize("name", COMPARE)
def test_comparisons(name: str) -> None:
    run, twin = compiled(name), TWINS[name][1]
    rows_choices = [()] if name.endswith("quarters") else [(4,), (8,), (16,)]
    for a in contents():
        for b in contents():
            for (a_offset, a_stride), (b_offset, b_stride) in zip(PLACES, reversed(PLACES), strict=True):
                for rows in rows_choices:
                    arguments = (a, a_offset, a_stride, b, b_offset, b_stride, *rows)
                    assert run(*arguments) == twin(*arguments), arguments


@pytest.mark.parametrize("name", ["satd_4xn_average", "satd_8xn_average"])
def test_comparisons_with_a_mean(name: str) -> None:
    run, twin = compiled(name), TWINS[name][1]
    for a in contents():
        for b in contents():
            for rows in (4, 8):
                arguments = (a, 3, 21, b, 127, 130, 33, rows)
                assert run(*arguments) == twin(*arguments), arguments


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name: str) -> None:
    run, twin = compiled(name), TWINS[name][1]
    for a in contents():
        for offset, stride in PLACES:
            assert run(a, offset, stride, 16) == twin(a, offset, stride, 16)


def same_writes(name: str, destination: np.ndarray, arguments: tuple[Any, ...]) -> None:
    """The vector form writes what the twin writes, and nowhere else."""
    ours, theirs = destination.copy(), destination.copy()
    compiled_forms.setdefault(name, compiled(name))(ours, *arguments)
    TWINS[name][1](theirs, *arguments)
    np.testing.assert_array_equal(ours, theirs, err_msg=f"{name} {arguments}")
    assert not np.array_equal(ours, destination)


compiled_forms: dict[str, Any] = {}


@pytest.mark.parametrize("name", MOVES)
def test_moves(name: str) -> None:
    pictures = contents()
    kind = np.int16 if name.startswith("residual_") else np.uint8
    destination = np.full(SIZE, 77, kind)
    for a in pictures:
        for b in pictures if not name.startswith("copy_") else pictures[:1]:
            for (a_offset, a_stride), (b_offset, b_stride) in zip(PLACES, reversed(PLACES), strict=True):
                second = () if name.startswith("copy_") else (b, b_offset, b_stride)
                same_writes(name, destination, (5, 23, a, a_offset, a_stride, *second, 7))


@pytest.mark.parametrize("name", ADDS)
def test_add_and_clip(name: str) -> None:
    rng = np.random.default_rng(3)
    destination = np.full(SIZE, 77, np.uint8)
    for residual in (rng.integers(-300, 300, SIZE).astype(np.int16), np.full(SIZE, 32767, np.int16)):
        for a in contents():
            for (a_offset, a_stride), (b_offset, b_stride) in zip(PLACES, reversed(PLACES), strict=True):
                for sign in (residual, (-1 - residual).astype(np.int16)):
                    same_writes(name, destination, (5, 23, a, a_offset, a_stride, sign, b_offset, b_stride, 8))


@pytest.mark.parametrize("name", FILLS)
def test_fills(name: str) -> None:
    for value in (0, 1, 255):
        same_writes(name, np.full(SIZE, 77, np.uint8), (9, 19, value, 6))


@pytest.mark.parametrize("count", [16, 17, 31, 32, 47, 64])
def test_half_sample_rows(count: int) -> None:
    for a in contents():
        if a.max() == 0:
            continue
        same_writes("half_horizontal_row", np.full(SIZE, 77, np.uint8), (3, a, 131, count))
        for stride in (64, 71):
            same_writes("half_vertical_row", np.full(SIZE, 77, np.uint8), (3, a, 200, stride, count))
            same_writes("half_vertical_sums_row", np.full(SIZE, 77, np.int16), (3, a, 200, stride, count))
    sums = np.random.default_rng(5).integers(-2550, 10711, SIZE).astype(np.int16)
    for source in (sums, np.full(SIZE, -2550, np.int16), np.full(SIZE, 10710, np.int16)):
        same_writes("half_centre_row", np.full(SIZE, 77, np.uint8), (3, source, 131, count))


@pytest.mark.parametrize("field", [0, 1])
@pytest.mark.parametrize(
    "name", [name for name in dir(transforms) if name.startswith(("forward_", "inverse_4", "inverse_8"))]
)
def test_transforms(name: str, field: int) -> None:
    """Any 16-bit coefficient, not only what conforming streams hold."""
    run, twin = compiled(name), TWINS[name][1]
    rng = np.random.default_rng(9)
    for a in contents():
        for b in contents():
            coefs = rng.integers(-32768, 32768, 256).astype(np.int16)
            if name.startswith("forward_"):
                theirs = coefs.copy()
                blocks = (a, 70, 64, b, 133, 33, field)
                run(coefs, 16, *blocks)
                twin(theirs, 16, *blocks)
                np.testing.assert_array_equal(coefs, theirs)
            else:
                ours, theirs = np.full(SIZE, 77, np.uint8), np.full(SIZE, 77, np.uint8)
                place = (a, 70, 64, coefs // (1 + int(b[0])), 16, field)
                run(ours, 9, 31, *place)
                twin(theirs, 9, 31, *place)
                np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("count", [16, 64])
def test_quantisation_and_scaling(count: int) -> None:
    rng = np.random.default_rng(10)
    quantise, scale = compiled(f"quantise_{count}"), compiled(f"scale_{count}")
    for _ in range(50):
        coefs = rng.integers(-16320, 16321, 256).astype(np.int16)
        factor = rng.integers(1, 50000, 256).astype(np.int32)
        ours, theirs = np.zeros(256, np.int16), np.zeros(256, np.int16)
        arguments = (coefs, 5, factor, 7, int(rng.integers(0, 1 << 22)), int(rng.integers(15, 25)))
        assert quantise(ours, 3, *arguments) == TWINS[f"quantise_{count}"][1](theirs, 3, *arguments)
        np.testing.assert_array_equal(ours, theirs)
        levels = rng.integers(-32768, 32768, 256).astype(np.int16)
        factor = rng.integers(1, 1 << 21, 256).astype(np.int32)
        scale(ours, 3, levels, 5, factor, 7)
        TWINS[f"scale_{count}"][1](theirs, 3, levels, 5, factor, 7)
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["scale_16_with_dc", "inverse_luma_dc_16"])
def test_dc(name: str) -> None:
    rng = np.random.default_rng(12)
    run = compiled(name)
    for _ in range(50):
        levels = rng.integers(-2063, 2064, 64).astype(np.int16)
        scale = rng.integers(1, 29 * 255 << 8, 64).astype(np.int32)
        value = int(rng.integers(-32768, 32768))
        ours, theirs = np.zeros(64, np.int16), np.zeros(64, np.int16)
        place = (3, levels, 5)
        tail = (scale, 7, value) if name == "scale_16_with_dc" else (int(scale[0]), value & 1)
        run(ours, *place, *tail)
        TWINS[name][1](theirs, *place, *tail)
        np.testing.assert_array_equal(ours, theirs)


def test_interleaved_counts() -> None:
    rng = np.random.default_rng(13)
    run = compiled("interleaved_counts")
    for density in (0.0, 0.1, 0.9, 1.0):
        levels = ((rng.random(80) < density) * rng.integers(-3, 4, 80)).astype(np.int16)
        assert run(levels, 9) == TWINS["interleaved_counts"][1](levels, 9)
