"""Vector primitives that move and combine blocks of samples: copy, rounding average, residual, add and clip.

Sample (x, y) of a block stands at `array[offset + y * stride + x]` of a flat array; the destination comes first.
Any number of rows. A destination may be one of the sources, but not overlap it shifted.
"""

from typing import Any

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.simd.emit import primitive


def _copy_emission(width: int) -> Any:
    def emission(emitter, dst, dst_offset, dst_stride, src, src_offset, src_stride, rows):
        with emitter.rows(rows) as y:
            dst.store(emitter.row(dst_offset, dst_stride, y), src.load(emitter.row(src_offset, src_stride, y), width))

    return emission


@kernel
def _copy(dst, dst_offset, dst_stride, src, src_offset, src_stride, width, rows):
    for y in range(rows):
        for x in range(width):
            dst[dst_offset + y * dst_stride + x] = src[src_offset + y * src_stride + x]


@primitive(_copy_emission(16), results=0)
def copy_16xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, rows):
    """Copy 16 x `rows` elements (arrays of equal dtype)."""
    _copy(dst, dst_offset, dst_stride, src, src_offset, src_stride, 16, rows)


@primitive(_copy_emission(8), results=0)
def copy_8xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, rows):
    """Copy 8 x `rows` elements."""
    _copy(dst, dst_offset, dst_stride, src, src_offset, src_stride, 8, rows)


@primitive(_copy_emission(4), results=0)
def copy_4xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, rows):
    """Copy 4 x `rows` elements."""
    _copy(dst, dst_offset, dst_stride, src, src_offset, src_stride, 4, rows)


@primitive(_copy_emission(2), results=0)
def copy_2xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, rows):
    """Copy 2 x `rows` elements."""
    _copy(dst, dst_offset, dst_stride, src, src_offset, src_stride, 2, rows)


def _fill_emission(width: int) -> Any:
    def emission(emitter, dst, dst_offset, dst_stride, value, rows):
        vector = emitter.splat(value, width, dst.bits)
        with emitter.rows(rows) as y:
            dst.store(emitter.row(dst_offset, dst_stride, y), vector)

    return emission


@kernel
def _fill(dst, dst_offset, dst_stride, value, width, rows):
    for y in range(rows):
        for x in range(width):
            dst[dst_offset + y * dst_stride + x] = value


@primitive(_fill_emission(16), results=0)
def fill_16xn(dst, dst_offset, dst_stride, value, rows):
    """Set 16 x `rows` elements to `value`."""
    _fill(dst, dst_offset, dst_stride, value, 16, rows)


@primitive(_fill_emission(8), results=0)
def fill_8xn(dst, dst_offset, dst_stride, value, rows):
    """Set 8 x `rows` elements to `value`."""
    _fill(dst, dst_offset, dst_stride, value, 8, rows)


@primitive(_fill_emission(4), results=0)
def fill_4xn(dst, dst_offset, dst_stride, value, rows):
    """Set 4 x `rows` elements to `value`."""
    _fill(dst, dst_offset, dst_stride, value, 4, rows)


def _average_emission(width: int) -> Any:
    def emission(emitter, dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, rows):
        with emitter.rows(rows) as y:
            one = a.load(emitter.row(a_offset, a_stride, y), width)
            two = b.load(emitter.row(b_offset, b_stride, y), width)
            dst.store(emitter.row(dst_offset, dst_stride, y), one.average(two))

    return emission


@kernel
def _average(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, width, rows):
    for y in range(rows):
        for x in range(width):
            both = np.int32(a[a_offset + y * a_stride + x]) + np.int32(b[b_offset + y * b_stride + x])
            dst[dst_offset + y * dst_stride + x] = (both + 1) >> 1


@primitive(_average_emission(16), results=0)
def average_16xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """dst = (a + b + 1) >> 1 over 16 x `rows` samples (H.264 8.4.2.3.1)."""
    _average(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, 16, rows)


@primitive(_average_emission(8), results=0)
def average_8xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """dst = (a + b + 1) >> 1 over 8 x `rows` samples."""
    _average(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, 8, rows)


@primitive(_average_emission(4), results=0)
def average_4xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """dst = (a + b + 1) >> 1 over 4 x `rows` samples."""
    _average(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, 4, rows)


@primitive(_average_emission(2), results=0)
def average_2xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """dst = (a + b + 1) >> 1 over 2 x `rows` samples."""
    _average(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, 2, rows)


def _residual_emission(width: int) -> Any:
    def emission(emitter, dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, rows):
        with emitter.rows(rows) as y:
            source = a.load(emitter.row(a_offset, a_stride, y), width).widen_unsigned(16)
            prediction = b.load(emitter.row(b_offset, b_stride, y), width).widen_unsigned(16)
            dst.store(emitter.row(dst_offset, dst_stride, y), source - prediction)

    return emission


@kernel
def _residual(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, width, rows):
    for y in range(rows):
        for x in range(width):
            difference = np.int32(a[a_offset + y * a_stride + x]) - np.int32(b[b_offset + y * b_stride + x])
            dst[dst_offset + y * dst_stride + x] = difference


@primitive(_residual_emission(16), results=0)
def residual_16xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """dst (int16) = a - b over 16 x `rows` samples."""
    _residual(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, 16, rows)


@primitive(_residual_emission(8), results=0)
def residual_8xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """dst (int16) = a - b over 8 x `rows` samples."""
    _residual(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, 8, rows)


@primitive(_residual_emission(4), results=0)
def residual_4xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """dst (int16) = a - b over 4 x `rows` samples."""
    _residual(dst, dst_offset, dst_stride, a, a_offset, a_stride, b, b_offset, b_stride, 4, rows)


def _add_clip_emission(width: int) -> Any:
    def emission(
        emitter, dst, dst_offset, dst_stride, a, a_offset, a_stride, residual, residual_offset, residual_stride, rows
    ):
        with emitter.rows(rows) as y:
            prediction = a.load(emitter.row(a_offset, a_stride, y), width).widen_unsigned(32)
            difference = residual.load(emitter.row(residual_offset, residual_stride, y), width).widen(32)
            dst.store(emitter.row(dst_offset, dst_stride, y), (prediction + difference).to_samples())

    return emission


@kernel
def _add_clip(
    dst, dst_offset, dst_stride, a, a_offset, a_stride, residual, residual_offset, residual_stride, width, rows
):
    for y in range(rows):
        for x in range(width):
            value = np.int32(a[a_offset + y * a_stride + x]) + np.int32(
                residual[residual_offset + y * residual_stride + x]
            )
            dst[dst_offset + y * dst_stride + x] = min(max(value, 0), 255)


@primitive(_add_clip_emission(16), results=0)
def add_clip_16xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, residual, residual_offset, residual_stride, rows):
    """dst = Clip1(a + residual) over 16 x `rows` samples; residual is int16."""
    _add_clip(dst, dst_offset, dst_stride, a, a_offset, a_stride, residual, residual_offset, residual_stride, 16, rows)


@primitive(_add_clip_emission(8), results=0)
def add_clip_8xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, residual, residual_offset, residual_stride, rows):
    """dst = Clip1(a + residual) over 8 x `rows` samples; residual is int16."""
    _add_clip(dst, dst_offset, dst_stride, a, a_offset, a_stride, residual, residual_offset, residual_stride, 8, rows)


@primitive(_add_clip_emission(4), results=0)
def add_clip_4xn(dst, dst_offset, dst_stride, a, a_offset, a_stride, residual, residual_offset, residual_stride, rows):
    """dst = Clip1(a + residual) over 4 x `rows` samples; residual is int16."""
    _add_clip(dst, dst_offset, dst_stride, a, a_offset, a_stride, residual, residual_offset, residual_stride, 4, rows)
