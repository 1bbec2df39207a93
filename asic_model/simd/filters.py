"""Vector primitives of the six-tap half-sample filter (H.264 8.4.2.2.1), whole rows at a time.

A row of `count` samples is filtered 16 at a time; `count` is at least 16, and a remainder is done by a last step
that overlaps the one before, so that nothing beyond the row is written. Taps are (1, -5, 20, 20, -5, 1): sample i of
the result lies half-way between samples i and i + 1 of the source, which is read from i - 2 to i + 3.
"""

from typing import Any

import numpy as np

from asic_model.simd.emit import Vector, primitive

LANES = 16


def six_tap(taps: list[Vector]) -> Vector:
    """1, -5, 20, 20, -5, 1 times six vectors; of samples the sum needs 15 bits (-2550..10710)."""
    return (taps[0] + taps[5]) - (taps[1] + taps[4]) * 5 + (taps[2] + taps[3]) * 20


def _row_emission(load: Any, finish: Any) -> Any:
    def emission(emitter, dst, dst_offset, src, src_offset, *stride_and_count):
        *stride, count = stride_and_count
        step = stride[0] if stride else 1
        with emitter.rows(emitter.divide(emitter.add(count, LANES - 1), LANES)) as index:
            x = emitter.smaller(emitter.mul(index, LANES), emitter.add(count, -LANES))
            taps = []
            for tap in range(-2, 4):
                at = emitter.add(emitter.add(src_offset, x), emitter.mul(step, tap))
                taps.append(load(src.load(at, LANES)))
            dst.store(emitter.add(dst_offset, x), finish(six_tap(taps)))

    return emission


def _from_samples(samples: Vector) -> Vector:
    return samples.widen_unsigned(16)


def _round_5(total: Vector) -> Vector:
    return ((total + 16) >> 5).to_samples()


@primitive(_row_emission(_from_samples, _round_5), results=0)
def half_horizontal_row(dst, dst_offset, src, src_offset, count):
    """Row of samples "b": dst[i] = Clip1((sum of six samples of the row around src[i + 1/2] + 16) >> 5)."""
    for i in range(src_offset, src_offset + count):
        total = np.int32(src[i - 2]) + np.int32(src[i + 3]) - 5 * (np.int32(src[i - 1]) + np.int32(src[i + 2]))
        total += 20 * (np.int32(src[i]) + np.int32(src[i + 1]))
        dst[dst_offset + i - src_offset] = min(max((total + 16) >> 5, 0), 255)


@primitive(_row_emission(_from_samples, _round_5), results=0)
def half_vertical_row(dst, dst_offset, src, src_offset, src_stride, count):
    """Row of samples "h", half-way to the row below: rows -2..3 around src_offset are read."""
    s = src_stride
    for i in range(src_offset, src_offset + count):
        total = np.int32(src[i - 2 * s]) + np.int32(src[i + 3 * s])
        total += 20 * (np.int32(src[i]) + np.int32(src[i + s])) - 5 * (np.int32(src[i - s]) + np.int32(src[i + 2 * s]))
        dst[dst_offset + i - src_offset] = min(max((total + 16) >> 5, 0), 255)


@primitive(_row_emission(_from_samples, lambda total: total), results=0)
def half_vertical_sums_row(dst, dst_offset, src, src_offset, src_stride, count):
    """Row of intermediate values "h1" (int16, neither rounded nor clipped) for `half_centre_row`."""
    s = src_stride
    for i in range(src_offset, src_offset + count):
        total = np.int32(src[i - 2 * s]) + np.int32(src[i + 3 * s])
        total += 20 * (np.int32(src[i]) + np.int32(src[i + s])) - 5 * (np.int32(src[i - s]) + np.int32(src[i + 2 * s]))
        dst[dst_offset + i - src_offset] = total


@primitive(
    _row_emission(lambda sums: sums.widen(32), lambda total: ((total + 512) >> 10).to_samples()),
    results=0,
)
def half_centre_row(dst, dst_offset, src, src_offset, count):
    """Row of samples "j" from a row of intermediate values: Clip1((six taps over src + 512) >> 10)."""
    for i in range(src_offset, src_offset + count):
        total = np.int32(src[i - 2]) + np.int32(src[i + 3]) - 5 * (np.int32(src[i - 1]) + np.int32(src[i + 2]))
        total += 20 * (np.int32(src[i]) + np.int32(src[i + 1]))
        dst[dst_offset + i - src_offset] = min(max((total + 512) >> 10, 0), 255)
