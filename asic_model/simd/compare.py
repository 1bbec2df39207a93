"""Vector primitives that compare blocks of samples: SAD, SATD, SSD, sums.

Blocks stand in flat uint8 arrays: sample (x, y) of block a is `a[a_offset + y * a_stride + x]`; strides may have any
value. `rows` is a multiple of 4 and at most 16 (SATD is summed up in 16 bits). A constant `rows` lets LLVM unroll.
"""

from typing import Any

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.simd.emit import Emitter, Pointer, Vector, primitive


def _load_rows(
    emitter: Emitter, block: Pointer, offset: Any, stride: Any, first: Any, count: int, width: int
) -> Vector:
    """`count` rows of `width` samples from row `first` on, in one vector of bytes."""
    return emitter.stack(
        [block.load(emitter.row(offset, stride, emitter.add(first, row)), width) for row in range(count)]
    )


def _sad_emission(width: int) -> Any:
    """SAD of `width` samples a row, 16 lanes at a time.

    Differences of bytes widened to 32 bits, summed over all lanes, are what LLVM knows as one instruction
    (`psadbw` on x86, `uabdl`/`uadalp` on ARM).
    """
    together = 16 // width

    def emission(emitter, a, a_offset, a_stride, b, b_offset, b_stride, rows):
        total = emitter.variable(emitter.zero(16, 32))
        with emitter.rows(emitter.divide(rows, together)) as step:
            first = emitter.mul(step, together)
            left = _load_rows(emitter, a, a_offset, a_stride, first, together, width).widen_unsigned(32)
            right = _load_rows(emitter, b, b_offset, b_stride, first, together, width).widen_unsigned(32)
            total.set(total.get() + (left - right).abs())
        return total.get().sum()

    return emission


@kernel
def _sad(a, a_offset, a_stride, b, b_offset, b_stride, width, rows):
    total = 0
    for y in range(rows):
        for x in range(width):
            total += abs(np.int32(a[a_offset + y * a_stride + x]) - np.int32(b[b_offset + y * b_stride + x]))
    return total


@primitive(_sad_emission(16))
def sad_16xn(a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """Sum of absolute differences of 16 x `rows` samples."""
    return _sad(a, a_offset, a_stride, b, b_offset, b_stride, 16, rows)


@primitive(_sad_emission(8))
def sad_8xn(a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """Sum of absolute differences of 8 x `rows` samples."""
    return _sad(a, a_offset, a_stride, b, b_offset, b_stride, 8, rows)


@primitive(_sad_emission(4))
def sad_4xn(a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """Sum of absolute differences of 4 x `rows` samples."""
    return _sad(a, a_offset, a_stride, b, b_offset, b_stride, 4, rows)


def _quarters_emission(emitter, a, a_offset, a_stride, b, b_offset, b_stride):
    quarter = _sad_emission(8)
    sums = []
    for y in (0, 8):
        for x in (0, 8):
            at_a = emitter.add(emitter.row(a_offset, a_stride, y), x)
            at_b = emitter.add(emitter.row(b_offset, b_stride, y), x)
            sums.append(quarter(emitter, a, at_a, a_stride, b, at_b, b_stride, 8))
    return tuple(sums)


@primitive(_quarters_emission, results=4)
def sad_16x16_quarters(a, a_offset, a_stride, b, b_offset, b_stride):
    """SADs of the four 8x8 quadrants of a macroblock (top left, top right, bottom left, bottom right)."""
    low_a, low_b = a_offset + 8 * a_stride, b_offset + 8 * b_stride
    return (
        _sad(a, a_offset, a_stride, b, b_offset, b_stride, 8, 8),
        _sad(a, a_offset + 8, a_stride, b, b_offset + 8, b_stride, 8, 8),
        _sad(a, low_a, a_stride, b, low_b, b_stride, 8, 8),
        _sad(a, low_a + 8, a_stride, b, low_b + 8, b_stride, 8, 8),
    )


def hadamard_magnitudes(rows: list[Vector]) -> Vector:
    """Half the sum of absolute Hadamard coefficients of the 4x4 blocks that stand side by side in four rows.

    rows: 4 vectors of 16-bit differences, blocks in groups of 4 lanes. The result's lanes sum up to the SATD.
    The last butterfly is not computed: |a + b| + |a - b| = 2 max(|a|, |b|) also halves the sum.
    """
    lanes = rows[0].lanes
    even = [lane + half for lane in range(0, lanes, 2) for half in (0, lanes)]
    low = [lane + half + step for lane in range(0, lanes, 4) for half in (0, lanes) for step in (0, 1)]
    sums, differences = (rows[0] + rows[2], rows[1] + rows[3]), (rows[0] - rows[2], rows[1] - rows[3])
    columns = [sums[0] + sums[1], sums[0] - sums[1], differences[0] + differences[1], differences[0] - differences[1]]
    paired = []
    for one, two in ((columns[0], columns[1]), (columns[2], columns[3])):
        left, right = one.shuffle(even, two), one.shuffle([lane + 1 for lane in even], two)
        paired += [left + right, left - right]
    total = None
    for one, two in ((paired[0], paired[1]), (paired[2], paired[3])):
        largest = one.shuffle(low, two).abs().max(one.shuffle([lane + 2 for lane in low], two).abs())
        total = largest if total is None else total + largest
    assert total is not None
    return total


def satd_lanes(rows: list[Vector]) -> Vector:
    """As `hadamard_magnitudes` from four rows of `Emitter.sums_and_differences` of both blocks, subtracted.

    What counts stands in the odd lanes (the even ones may wrap): of 4x4 block i in number 2 * i + 1 of each half.
    """
    sums, differences = (rows[0] + rows[2], rows[1] + rows[3]), (rows[0] - rows[2], rows[1] - rows[3])
    columns = [sums[0] + sums[1], sums[0] - sums[1], differences[0] + differences[1], differences[0] - differences[1]]
    total = None
    for column in columns:
        magnitude = column.abs()
        largest = magnitude.max((magnitude.as_lanes(32) << 16).as_lanes(16))
        total = largest if total is None else total + largest
    assert total is not None
    return total


def odd_lanes(total: Vector) -> Vector:
    """The odd lanes, unsigned, in twice their width."""
    return total.as_lanes(2 * total.bits).shift_right_unsigned(total.bits)


def _wide_satd_emission(width: int) -> Any:
    def emission(emitter, a, a_offset, a_stride, b, b_offset, b_stride, rows):
        total = emitter.variable(emitter.zero(width, 16))
        with emitter.rows(emitter.divide(rows, 4)) as step:
            differences = []
            for row in range(4):
                y = emitter.add(emitter.mul(step, 4), row)
                left = emitter.sums_and_differences(a.load(emitter.row(a_offset, a_stride, y), width))
                right = emitter.sums_and_differences(b.load(emitter.row(b_offset, b_stride, y), width))
                differences.append(left - right)
            total.set(total.get() + satd_lanes(differences))
        return odd_lanes(total.get()).sum()

    return emission


def _satd_emission(width: int) -> Any:
    def emission(emitter, a, a_offset, a_stride, b, b_offset, b_stride, rows):
        total = emitter.variable(emitter.zero(width, 16))
        with emitter.rows(emitter.divide(rows, 4)) as step:
            differences = []
            for row in range(4):
                y = emitter.add(emitter.mul(step, 4), row)
                left = a.load(emitter.row(a_offset, a_stride, y), width).widen_unsigned(16)
                right = b.load(emitter.row(b_offset, b_stride, y), width).widen_unsigned(16)
                differences.append(left - right)
            total.set(total.get() + hadamard_magnitudes(differences))
        return total.get().widen(32).sum()

    return emission


@kernel
def _satd_4x4(a, a_offset, a_stride, b, b_offset, b_stride):
    work = np.empty(16, np.int32)
    for y in range(4):
        p, q = a_offset + y * a_stride, b_offset + y * b_stride
        d0 = np.int32(a[p]) - np.int32(b[q])
        d1 = np.int32(a[p + 1]) - np.int32(b[q + 1])
        d2 = np.int32(a[p + 2]) - np.int32(b[q + 2])
        d3 = np.int32(a[p + 3]) - np.int32(b[q + 3])
        work[4 * y] = d0 + d1 + d2 + d3
        work[4 * y + 1] = d0 - d1 + d2 - d3
        work[4 * y + 2] = d0 + d1 - d2 - d3
        work[4 * y + 3] = d0 - d1 - d2 + d3
    total = 0
    for x in range(4):
        d0, d1, d2, d3 = work[x], work[4 + x], work[8 + x], work[12 + x]
        total += abs(d0 + d1 + d2 + d3) + abs(d0 - d1 + d2 - d3) + abs(d0 + d1 - d2 - d3) + abs(d0 - d1 - d2 + d3)
    return total >> 1


@kernel
def _satd(a, a_offset, a_stride, b, b_offset, b_stride, width, rows):
    total = 0
    for y in range(0, rows, 4):
        for x in range(0, width, 4):
            at_a, at_b = a_offset + y * a_stride + x, b_offset + y * b_stride + x
            total += _satd_4x4(a, at_a, a_stride, b, at_b, b_stride)
    return total


@primitive(_wide_satd_emission(16))
def satd_16xn(a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """SATD of 16 x `rows` samples: over its 4x4 blocks, sum of absolute Hadamard coefficients / 2 (always whole)."""
    return _satd(a, a_offset, a_stride, b, b_offset, b_stride, 16, rows)


@primitive(_wide_satd_emission(8))
def satd_8xn(a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """SATD of 8 x `rows` samples, as `satd_16xn`."""
    return _satd(a, a_offset, a_stride, b, b_offset, b_stride, 8, rows)


@primitive(_satd_emission(4))
def satd_4xn(a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """SATD of 4 x `rows` samples, as `satd_16xn`."""
    return _satd(a, a_offset, a_stride, b, b_offset, b_stride, 4, rows)


def _ssd_emission(width: int) -> Any:
    together = 16 // width

    def emission(emitter, a, a_offset, a_stride, b, b_offset, b_stride, rows):
        total = emitter.variable(emitter.zero(16, 32))
        with emitter.rows(emitter.divide(rows, together)) as step:
            first = emitter.mul(step, together)
            left = _load_rows(emitter, a, a_offset, a_stride, first, together, width).widen_unsigned(16)
            right = _load_rows(emitter, b, b_offset, b_stride, first, together, width).widen_unsigned(16)
            difference = (left - right).widen(32)
            total.set(total.get() + difference * difference)
        return total.get().sum()

    return emission


@kernel
def _ssd(a, a_offset, a_stride, b, b_offset, b_stride, width, rows):
    total = 0
    for y in range(rows):
        for x in range(width):
            difference = np.int32(a[a_offset + y * a_stride + x]) - np.int32(b[b_offset + y * b_stride + x])
            total += difference * difference
    return total


@primitive(_ssd_emission(16))
def ssd_16xn(a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """Sum of squared differences of 16 x `rows` samples."""
    return _ssd(a, a_offset, a_stride, b, b_offset, b_stride, 16, rows)


@primitive(_ssd_emission(8))
def ssd_8xn(a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """Sum of squared differences of 8 x `rows` samples."""
    return _ssd(a, a_offset, a_stride, b, b_offset, b_stride, 8, rows)


@primitive(_ssd_emission(4))
def ssd_4xn(a, a_offset, a_stride, b, b_offset, b_stride, rows):
    """Sum of squared differences of 4 x `rows` samples."""
    return _ssd(a, a_offset, a_stride, b, b_offset, b_stride, 4, rows)


def _moments_emission(width: int) -> Any:
    together = 16 // width

    def emission(emitter, a, a_offset, a_stride, rows):
        total, squares = emitter.variable(emitter.zero(16, 32)), emitter.variable(emitter.zero(16, 32))
        with emitter.rows(emitter.divide(rows, together)) as step:
            samples = _load_rows(emitter, a, a_offset, a_stride, emitter.mul(step, together), together, width)
            wide = samples.widen_unsigned(32)
            total.set(total.get() + wide)
            squares.set(squares.get() + wide * wide)
        return total.get().sum(), squares.get().sum()

    return emission


@kernel
def _moments(a, a_offset, a_stride, width, rows):
    total = squares = 0
    for y in range(rows):
        for x in range(width):
            sample = np.int32(a[a_offset + y * a_stride + x])
            total += sample
            squares += sample * sample
    return total, squares


@primitive(_moments_emission(16), results=2)
def moments_16xn(a, a_offset, a_stride, rows):
    """(sum, sum of squares) of 16 x `rows` samples; variance * n^2 = n * squares - sum^2."""
    return _moments(a, a_offset, a_stride, 16, rows)


@primitive(_moments_emission(8), results=2)
def moments_8xn(a, a_offset, a_stride, rows):
    """(sum, sum of squares) of 8 x `rows` samples."""
    return _moments(a, a_offset, a_stride, 8, rows)


def _unequal_emission(emitter, a, a_offset, b, b_offset, groups):
    found, wide = emitter.variable(emitter.zero(16, 8)), emitter.variable(emitter.zero(64, 8))
    fours = emitter.divide(groups, 4)
    with emitter.rows(fours) as four:
        at = emitter.mul(four, 64)
        left, right = a.load(emitter.add(a_offset, at), 64), b.load(emitter.add(b_offset, at), 64)
        wide.set(wide.get() | (left ^ right))
    with emitter.rows(emitter.add(groups, emitter.mul(fours, -4))) as rest:
        at = emitter.add(emitter.mul(fours, 64), emitter.mul(rest, 16))
        left, right = a.load(emitter.add(a_offset, at), 16), b.load(emitter.add(b_offset, at), 16)
        found.set(found.get() | (left ^ right))
    every = wide.get()
    for part in range(4):
        found.set(found.get() | every.part(16 * part, 16))
    return found.get().differs(0).bits_i64()


@primitive(_unequal_emission)
def unequal(a, a_offset, b, b_offset, groups):
    """0 where 16 * `groups` samples are the same: bit i is set where samples with that number modulo 16 differ."""
    found = 0
    for i in range(16 * groups):
        if a[a_offset + i] != b[b_offset + i]:
            found |= 1 << (i & 15)
    return found
