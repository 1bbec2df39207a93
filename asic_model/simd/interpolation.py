"""Vector primitives of motion compensation (H.264 8.4.2.2, 8.4.2.3): fractional samples and weighting of blocks.

Sources must be readable as far as the filters reach: two samples before and three behind, in the directions in which
the position is fractional. `rows` is a multiple of 4 for luma, of 2 for chroma.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.simd.emit import Emitter, Vector, primitive
from asic_model.simd.filters import six_tap

GROUP = 4  # rows of luma done together


class _Luma:
    """Emits one block of `width` samples for each kind of fractional position (names of Figure 8-4)."""

    def __init__(self, emitter: Emitter, width: int, dst: Any, src: Any, fraction: Any, rows: Any) -> None:
        self.e, self.width, self.rows = emitter, width, rows
        self.dst, self.dst_offset, self.dst_stride = dst
        self.src, self.src_offset, self.src_stride = src
        # 1 where the nearer whole sample lies behind: to the right (x = 3), below (y = 3)
        self.right = emitter.divide(emitter.builder.and_(fraction, emitter.i64(2)), 2)
        self.below = emitter.divide(fraction, 8)

    def sample(self, row: Any, x: Any = 0) -> Vector:
        at = self.e.add(self.e.row(self.src_offset, self.src_stride, row), x)
        return self.src.load(at, self.width)

    def across(self, row: Any) -> Vector:
        """Six taps along a row, 16 bits, not rounded ("b1")."""
        return six_tap([self.sample(row, x).widen_unsigned(16) for x in range(-2, 4)])

    def downward(self, row: Any, x: Any = 0) -> Vector:
        """Six taps down a column, 16 bits, not rounded ("h1")."""
        return six_tap([self.sample(self.e.add(row, y), x).widen_unsigned(16) for y in range(-2, 4)])

    def each_row(self, make: Callable[[Any], Vector]) -> Callable[[], None]:
        def emission() -> None:
            with self.e.rows(self.rows) as row:
                self.dst.store(self.e.row(self.dst_offset, self.dst_stride, row), make(row))

        return emission

    def whole(self) -> None:
        """The block itself. Four rows at a time keep LLVM from making gathers of it."""
        with self.e.rows(self.e.divide(self.rows, GROUP)) as group:
            rows = [self.e.add(self.e.mul(group, GROUP), y) for y in range(GROUP)]
            for row, samples in zip(rows, [self.sample(row) for row in rows], strict=True):
                self.dst.store(self.e.row(self.dst_offset, self.dst_stride, row), samples)

    def centre(self, partner: Callable[[Any, list[Vector], int], Vector] | None) -> Callable[[], None]:
        """Samples "j", alone or averaged with what `partner(row, sums along rows, index)` makes."""

        def emission() -> None:
            with self.e.rows(self.e.divide(self.rows, GROUP)) as group:
                first = self.e.mul(group, GROUP)
                sums = [self.across(self.e.add(first, y)) for y in range(-2, GROUP + 3)]
                wide = [vector.widen(32) for vector in sums]
                for y in range(GROUP):
                    row = self.e.add(first, y)
                    value = ((six_tap(wide[y : y + 6]) + 512) >> 10).to_samples()
                    if partner is not None:
                        value = value.average(partner(row, sums, y))
                    self.dst.store(self.e.row(self.dst_offset, self.dst_stride, row), value)

        return emission

    def beside(self, row: Any, _sums: list[Vector], _index: int) -> Vector:
        """Sample "h" or "m", left or right of "j"."""
        return rounded(self.downward(row, self.right))

    def over(self, _row: Any, sums: list[Vector], index: int) -> Vector:
        """Sample "b" or "s", above or below "j"."""
        return rounded(self.e.choose(self.below, sums[index + 3], sums[index + 2]))


def rounded(total: Vector) -> Vector:
    return ((total + 16) >> 5).to_samples()


def _luma_emission(width: int) -> Any:
    def emission(emitter, dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, rows):
        m = _Luma(
            emitter, width, (dst, dst_offset, dst_stride), (src, src_offset, src_stride), fraction, rows
        )  # fmt: skip
        emitter.switch(
            fraction,  # 4 * y + x
            {
                (0,): m.whole,
                (2,): m.each_row(lambda row: rounded(m.across(row))),
                (1, 3): m.each_row(lambda row: rounded(m.across(row)).average(m.sample(row, m.right))),
                (8,): m.each_row(lambda row: rounded(m.downward(row))),
                (4, 12): m.each_row(lambda row: rounded(m.downward(row)).average(m.sample(emitter.add(row, m.below)))),
                (5, 7, 13, 15): m.each_row(
                    lambda row: rounded(m.across(emitter.add(row, m.below))).average(rounded(m.downward(row, m.right)))
                ),
                (10,): m.centre(None),
                (6, 14): m.centre(m.over),
                (9, 11): m.centre(m.beside),
            },
        )

    return emission


@kernel
def _six(a, b, c, d, e, f):
    return a - 5 * b + 20 * c + 20 * d - 5 * e + f


@kernel
def _across(src, at):
    return _six(
        np.int64(src[at - 2]), np.int64(src[at - 1]), np.int64(src[at]),
        np.int64(src[at + 1]), np.int64(src[at + 2]), np.int64(src[at + 3]),
    )  # fmt: skip


@kernel
def _downward(src, at, stride):
    return _six(
        np.int64(src[at - 2 * stride]), np.int64(src[at - stride]), np.int64(src[at]),
        np.int64(src[at + stride]), np.int64(src[at + 2 * stride]), np.int64(src[at + 3 * stride]),
    )  # fmt: skip


@kernel
def _round_clip(total, shift):
    return min(max((total + (1 << (shift - 1))) >> shift, 0), 255)


@kernel
def _luma_sample(src, at, stride, x, y):
    """Sample at fraction (x, y) behind src[at], as 8.4.2.2.1 names its neighbours."""
    right, below = at + (x == 3), at + (y == 3) * stride
    if x == 0 and y == 0:
        return np.int64(src[at])
    if y == 0:
        b = _round_clip(_across(src, at), 5)
        return b if x == 2 else (b + np.int64(src[right]) + 1) >> 1
    if x == 0:
        h = _round_clip(_downward(src, at, stride), 5)
        return h if y == 2 else (h + np.int64(src[below]) + 1) >> 1
    if x != 2 and y != 2:
        return (_round_clip(_across(src, below), 5) + _round_clip(_downward(src, right, stride), 5) + 1) >> 1
    j = _round_clip(
        _six(
            _across(src, at - 2 * stride), _across(src, at - stride), _across(src, at),
            _across(src, at + stride), _across(src, at + 2 * stride), _across(src, at + 3 * stride),
        ),
        10,
    )  # fmt: skip
    if x == 2 and y == 2:
        return j
    if x == 2:
        return (j + _round_clip(_across(src, below), 5) + 1) >> 1
    return (j + _round_clip(_downward(src, right, stride), 5) + 1) >> 1


@kernel
def _luma(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, width, rows):
    for y in range(rows):
        for x in range(width):
            at = src_offset + y * src_stride + x
            dst[dst_offset + y * dst_stride + x] = _luma_sample(src, at, src_stride, fraction & 3, fraction >> 2)


@primitive(_luma_emission(16), results=0)
def luma_16xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, rows):
    """16 x `rows` luma samples at quarter position `fraction` = 4 * yFrac + xFrac of the source block (8.4.2.2.1)."""
    _luma(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, 16, rows)


@primitive(_luma_emission(8), results=0)
def luma_8xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, rows):
    """8 x `rows` luma samples, as `luma_16xn`."""
    _luma(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, 8, rows)


@primitive(_luma_emission(4), results=0)
def luma_4xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, rows):
    """4 x `rows` luma samples, as `luma_16xn`."""
    _luma(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, 4, rows)


def _chroma_emission(width: int, together: int) -> Any:
    """Bilinear samples, `together` rows of a narrow block in one vector; one or no filter where a fraction is 0."""

    def emission(emitter, dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, rows):
        lanes = width * together

        def samples(row: Any, extra: Any = 0) -> Vector:
            """Rows from `row` on, `extra` bytes further."""
            at = emitter.add(emitter.row(src_offset, src_stride, row), extra)
            return emitter.stack([src.load(emitter.row(at, src_stride, each), width) for each in range(together)])

        def rows_of(make: Callable[[Any], Vector]) -> None:
            with emitter.rows(emitter.divide(rows, together)) as step:
                row = emitter.mul(step, together)
                found = make(row)
                for each in range(together):
                    at = emitter.row(dst_offset, dst_stride, emitter.add(row, each))
                    dst.store(at, found.part(each * width, width))

        def weighted(parts: list[tuple[Any, Any]]) -> Callable[[], None]:
            """Mean of samples `extra` bytes on, by weights whose sum is 64."""

            def emit() -> None:
                by = [(emitter.splat(weight, lanes, 16), extra) for extra, weight in parts]

                def make(row: Any) -> Vector:
                    total = None
                    for weight, extra in by:
                        part = samples(row, extra).widen_unsigned(16) * weight
                        total = part + 32 if total is None else total + part
                    assert total is not None
                    return (total >> 6).narrow(8)

                rows_of(make)

            return emit

        def rest(fraction: Any) -> Any:
            return emitter.builder.sub(emitter.i64(8), fraction)

        eighths = [
            emitter.mul(fraction, 8) for fraction in (rest(x_fraction), x_fraction, rest(y_fraction), y_fraction)
        ]
        both = [
            (extra, emitter.mul(x, y))
            for extra, x, y in (
                (0, rest(x_fraction), rest(y_fraction)),
                (1, x_fraction, rest(y_fraction)),
                (src_stride, rest(x_fraction), y_fraction),
                (emitter.add(src_stride, 1), x_fraction, y_fraction),
            )
        ]
        # Nothing beyond the block is read where the position is whole.
        emitter.switch(
            emitter.add(emitter.nonzero(x_fraction), emitter.mul(emitter.nonzero(y_fraction), 2)),
            {
                (0,): lambda: rows_of(samples),
                (1,): weighted([(0, eighths[0]), (1, eighths[1])]),
                (2,): weighted([(0, eighths[2]), (src_stride, eighths[3])]),
                (3,): weighted(both),
            },
        )

    return emission


@kernel
def _chroma(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, width, rows):
    right, below = (1 if x_fraction else 0), (src_stride if y_fraction else 0)
    for y in range(rows):
        for x in range(width):
            at = src_offset + y * src_stride + x
            total = (8 - x_fraction) * (8 - y_fraction) * np.int64(src[at])
            total += x_fraction * (8 - y_fraction) * np.int64(src[at + right])
            total += (8 - x_fraction) * y_fraction * np.int64(src[at + below])
            total += x_fraction * y_fraction * np.int64(src[at + below + right])
            dst[dst_offset + y * dst_stride + x] = (total + 32) >> 6


@primitive(_chroma_emission(8, 2), results=0)
def chroma_8xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, rows):
    """8 x `rows` chroma samples at eighth position (x_fraction, y_fraction), 0..7 (8.4.2.2.2)."""
    _chroma(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, 8, rows)


@primitive(_chroma_emission(4, 2), results=0)
def chroma_4xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, rows):
    """4 x `rows` chroma samples, as `chroma_8xn`."""
    _chroma(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, 4, rows)


@primitive(_chroma_emission(2, 2), results=0)
def chroma_2xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, rows):
    """2 x `rows` chroma samples, as `chroma_8xn`."""
    _chroma(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, 2, rows)


def _weight_emission(width: int) -> Any:
    def emission(
        emitter, dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight,
        rounding, shift, offset, rows,
    ):  # fmt: skip
        one, two, half, by, add = (
            emitter.splat(value, width, 32) for value in (weight, other_weight, rounding, shift, offset)
        )
        with emitter.rows(rows) as y:
            at = emitter.row(dst_offset, dst_stride, y)
            total = dst.load(at, width).widen_unsigned(32) * one + half
            total += other.load(emitter.row(other_offset, other_stride, y), width).widen_unsigned(32) * two
            dst.store(at, ((total >> by) + add).to_samples())

    return emission


@kernel
def _weight(
    dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight,
    rounding, shift, offset, width, rows,
):  # fmt: skip
    for y in range(rows):
        for x in range(width):
            at = dst_offset + y * dst_stride + x
            total = np.int64(dst[at]) * weight + rounding
            total += np.int64(other[other_offset + y * other_stride + x]) * other_weight
            dst[at] = min(max((total >> shift) + offset, 0), 255)


@primitive(_weight_emission(16), results=0)
def weight_16xn(
    dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight, rounding, shift, offset, rows
):  # fmt: skip
    """dst = Clip1(((dst * weight + other * other_weight + rounding) >> shift) + offset), 16 x `rows` (8.4.2.3.2)."""
    _weight(
        dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight,
        rounding, shift, offset, 16, rows,
    )  # fmt: skip


@primitive(_weight_emission(8), results=0)
def weight_8xn(
    dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight, rounding, shift, offset, rows
):  # fmt: skip
    """As `weight_16xn`, 8 x `rows` samples."""
    _weight(
        dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight,
        rounding, shift, offset, 8, rows,
    )  # fmt: skip


@primitive(_weight_emission(4), results=0)
def weight_4xn(
    dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight, rounding, shift, offset, rows
):  # fmt: skip
    """As `weight_16xn`, 4 x `rows` samples."""
    _weight(
        dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight,
        rounding, shift, offset, 4, rows,
    )  # fmt: skip


@primitive(_weight_emission(2), results=0)
def weight_2xn(
    dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight, rounding, shift, offset, rows
):  # fmt: skip
    """As `weight_16xn`, 2 x `rows` samples."""
    _weight(
        dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight,
        rounding, shift, offset, 2, rows,
    )  # fmt: skip
