"""Vector primitives of the searches: whole rows of decimated candidates, SATD by quadrants.

Blocks stand in flat arrays as in `asic_model.simd.compare`.
"""

from typing import Any

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.simd.compare import hadamard_magnitudes, odd_lanes, satd_lanes
from asic_model.simd.emit import primitive

LANES = 16  # candidates of one row that `sad_4x4_window` compares at once


def _window_emission(emitter, cur, cur_offset, cur_stride, ref, ref_offset, ref_stride, groups, rows, out):
    lines = [cur.load(emitter.row(cur_offset, cur_stride, y), 4).shuffle([0, 1, 2, 3] * 8) for y in range(4)]
    with emitter.rows(rows) as dy, emitter.rows(groups) as group:
        start = emitter.add(emitter.row(ref_offset, ref_stride, dy), emitter.mul(group, LANES))
        total = None
        for y in range(4):
            line = emitter.row(start, ref_stride, y)
            samples = emitter.stack([ref.load(line, 16), ref.load(emitter.add(line, 8), 16)])
            sads = emitter.sads_of_four(samples, lines[y])
            total = sads if total is None else total + sads
        out.store(emitter.mul(emitter.add(emitter.mul(dy, groups), group), LANES), total)


@primitive(_window_emission, results=0)
def sad_4x4_window(cur, cur_offset, cur_stride, ref, ref_offset, ref_stride, groups, rows, out):
    """SAD of one 4x4 block against 16 * `groups` x `rows` positions of `ref`.

    out : int16[rows * groups * 16], candidate (dx, dy) at `dy * groups * 16 + dx`; position (0, 0) is `ref_offset`.
    """
    for dy in range(rows):
        for dx in range(groups * 16):
            total = 0
            for y in range(4):
                for x in range(4):
                    sample = np.int32(ref[ref_offset + (dy + y) * ref_stride + dx + x])
                    total += abs(np.int32(cur[cur_offset + y * cur_stride + x]) - sample)
            out[dy * groups * 16 + dx] = total


def _add_rates_emission(emitter, values, groups, rows, column_rates, row_rates, shift):
    shift = emitter.splat(shift, LANES, 32)
    with emitter.rows(rows) as dy:
        row = emitter.splat(emitter.builder.extract_element(row_rates.load(dy, 1).value, emitter.i64(0)), LANES, 32)
        with emitter.rows(groups) as group:
            column = emitter.mul(group, LANES)
            at = emitter.add(emitter.mul(emitter.mul(dy, groups), LANES), column)
            rates = column_rates.load(column, LANES) + row
            rates = rates._new(emitter.builder.ashr(rates.value, shift.value))
            values.store(at, (values.load(at, LANES).widen(32) + rates).min(NEVER_16).narrow(16))


NEVER_16 = 32767  # a cost


@primitive(_add_rates_emission, results=0)
def add_rates(values, groups, rows, column_rates, row_rates, shift):
    """Add (column_rates[x] + row_rates[y]) >> `shift` to values[y * 16 * groups + x], at most up to NEVER_16.

    values : int16[rows * groups * 16]; column_rates, row_rates : int32[16 * groups or more], int32[rows or more]
    """
    for y in range(rows):
        for x in range(16 * groups):
            at = y * 16 * groups + x
            rate = (np.int64(column_rates[x]) + np.int64(row_rates[y])) >> shift
            values[at] = min(np.int64(values[at]) + rate, NEVER_16)


def _smallest_emission(emitter, values, offset, groups):
    lanes = emitter.constant(list(range(LANES)), 32)
    best = emitter.variable(emitter.constant([0x7FFFFFFF] * LANES, 32))
    with emitter.rows(groups) as group:
        at = emitter.mul(group, LANES)
        value = values.load(emitter.add(offset, at), LANES).widen(32)
        packed = (value << 16) + (lanes + emitter.splat(at, LANES, 32))
        best.set(best.get().min(packed))
    return best.get()._call("vector.reduce.smin", result=best.get().value.type.element)


@primitive(_smallest_emission)
def smallest(values, offset, groups):
    """(value << 16) + index of the smallest of 16 * `groups` values; on a tie the first one wins.

    values : int16[...], from `offset` on; at most 65536 of them
    """
    best = 0x7FFFFFFF
    for index in range(groups * 16):
        packed = (np.int64(values[offset + index]) << 16) + index
        if packed < best:
            best = packed
    return best


def _quarters(emitter, left, b, offsets, stride):
    """SATDs of the quadrants, four lanes of 32 bits; `left(y)`: sums and differences of row y of the macroblock.

    offsets : of the block in `b`, or of two whose rounded mean it is
    """
    halves = []
    for half in (0, 8):
        total = None
        for strip in (half, half + 4):
            differences = []
            for y in range(strip, strip + 4):
                rows = [b.load(emitter.row(offset, stride, y), 16) for offset in offsets]
                samples = rows[0].average(rows[1]) if len(rows) > 1 else rows[0]
                differences.append(left(y) - emitter.sums_and_differences(samples))
            lanes = satd_lanes(differences)
            total = lanes if total is None else total + lanes
        sums = odd_lanes(total)  # left, left, right, right, of the horizontal sums, and again of the differences
        halves.append(sums.part(0, 4) + sums.part(4, 4))
    return halves[0].shuffle([0, 2, 4, 6], halves[1]) + halves[0].shuffle([1, 3, 5, 7], halves[1])


def _quarters_emission(average: bool):
    def emission(emitter, a, a_offset, a_stride, b, *rest):
        def left(y):
            return emitter.sums_and_differences(a.load(emitter.row(a_offset, a_stride, y), 16))

        sums = _quarters(emitter, left, b, rest[:2] if average else rest[:1], rest[-1])
        return tuple(emitter.builder.extract_element(sums.value, emitter.i64(lane)) for lane in range(4))

    return emission


@kernel
def _satd_4x4_average(a, a_offset, a_stride, b, b_offset, c_offset, stride):
    work = np.empty((4, 4), np.int32)
    for y in range(4):
        p, q = a_offset + y * a_stride, y * stride
        for x in range(4):
            mean = (np.int32(b[b_offset + q + x]) + np.int32(b[c_offset + q + x]) + 1) >> 1
            work[y, x] = np.int32(a[p + x]) - mean
    total = 0
    for y in range(4):
        s, d = work[y, 0] + work[y, 2], work[y, 0] - work[y, 2]
        t, e = work[y, 1] + work[y, 3], work[y, 1] - work[y, 3]
        work[y, 0], work[y, 1], work[y, 2], work[y, 3] = s + t, s - t, d + e, d - e
    for x in range(4):
        s, d = work[0, x] + work[2, x], work[0, x] - work[2, x]
        t, e = work[1, x] + work[3, x], work[1, x] - work[3, x]
        total += abs(s + t) + abs(s - t) + abs(d + e) + abs(d - e)
    return total >> 1


@kernel
def _satd_8x8(a, a_offset, a_stride, b, b_offset, c_offset, stride):
    total = 0
    for block in range(4):
        x, y = (block & 1) * 4, (block >> 1) * 4
        at = y * stride + x
        total += _satd_4x4_average(a, a_offset + y * a_stride + x, a_stride, b, b_offset + at, c_offset + at, stride)
    return total


@primitive(_quarters_emission(False), results=4)
def satd_16x16_quarters(a, a_offset, a_stride, b, b_offset, b_stride):
    """SATDs (as `satd_16xn`) of the four 8x8 quadrants of a macroblock: top left, top right, bottom left, right."""
    low_a, low_b = a_offset + 8 * a_stride, b_offset + 8 * b_stride
    return (
        _satd_8x8(a, a_offset, a_stride, b, b_offset, b_offset, b_stride),
        _satd_8x8(a, a_offset + 8, a_stride, b, b_offset + 8, b_offset + 8, b_stride),
        _satd_8x8(a, low_a, a_stride, b, low_b, low_b, b_stride),
        _satd_8x8(a, low_a + 8, a_stride, b, low_b + 8, low_b + 8, b_stride),
    )


@primitive(_quarters_emission(True), results=4)
def satd_16x16_quarters_average(a, a_offset, a_stride, b, b_offset, c_offset, b_stride):
    """As `satd_16x16_quarters` against the rounded mean of two blocks of `b`, a quarter sample (8.4.2.2.1)."""
    low = 8 * b_stride
    low_a = a_offset + 8 * a_stride
    return (
        _satd_8x8(a, a_offset, a_stride, b, b_offset, c_offset, b_stride),
        _satd_8x8(a, a_offset + 8, a_stride, b, b_offset + 8, c_offset + 8, b_stride),
        _satd_8x8(a, low_a, a_stride, b, b_offset + low, c_offset + low, b_stride),
        _satd_8x8(a, low_a + 8, a_stride, b, b_offset + low + 8, c_offset + low + 8, b_stride),
    )


def _average_emission(width: int) -> Any:
    def emission(emitter, a, a_offset, a_stride, b, b_offset, c_offset, b_stride, rows):
        total = emitter.variable(emitter.zero(width, 16))
        with emitter.rows(emitter.divide(rows, 4)) as step:
            differences = []
            for row in range(4):
                y = emitter.add(emitter.mul(step, 4), row)
                left = a.load(emitter.row(a_offset, a_stride, y), width).widen_unsigned(16)
                right = b.load(emitter.row(b_offset, b_stride, y), width).widen_unsigned(16)
                other = b.load(emitter.row(c_offset, b_stride, y), width).widen_unsigned(16)
                differences.append(left - ((right + other + 1) >> 1))
            total.set(total.get() + hadamard_magnitudes(differences))
        return total.get().widen(32).sum()

    return emission


@primitive(_average_emission(8))
def satd_8xn_average(a, a_offset, a_stride, b, b_offset, c_offset, b_stride, rows):
    """SATD of 8 x `rows` samples against the rounded mean of two blocks of `b`, a quarter sample (8.4.2.2.1)."""
    total = 0
    for y in range(0, rows, 4):
        for x in (0, 4):
            at = y * b_stride + x
            total += _satd_4x4_average(
                a, a_offset + y * a_stride + x, a_stride, b, b_offset + at, c_offset + at, b_stride
            )
    return total


@primitive(_average_emission(4))
def satd_4xn_average(a, a_offset, a_stride, b, b_offset, c_offset, b_stride, rows):
    """SATD of 4 x `rows` samples, as `satd_8xn_average`."""
    total = 0
    for y in range(0, rows, 4):
        at = y * b_stride
        total += _satd_4x4_average(a, a_offset + y * a_stride, a_stride, b, b_offset + at, c_offset + at, b_stride)
    return total


# Quadrants that make up each partition, in the order of `PARTITIONS`: whole, 16x8 upper and lower, 8x16 left and
# right, 8x8 in raster order. Lanes 9..15 are unused.
_FIRST = [0, 0, 2, 0, 1, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0]
_SECOND = [1, 1, 3, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]  # lane 4 holds zero
_THIRD = [2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]
_FOURTH = [3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]
_FIRST_LANES, _SECOND_LANES, _THIRD_LANES, _FOURTH_LANES = (
    np.array(lanes, np.int64) for lanes in (_FIRST, _SECOND, _THIRD, _FOURTH)
)
PARTITIONS = 9
INDEX_BITS = 10  # of a candidate's number in a packed cost


def _keep_better(emitter, quarters, rate, number, best):
    """Costs of all partitions from those of the quadrants (four lanes of 32 bits), packed with the candidate's number,
    into `best`."""
    values = quarters.join(emitter.zero(4, 32))
    costs = values.shuffle(_FIRST) + values.shuffle(_SECOND) + values.shuffle(_THIRD) + values.shuffle(_FOURTH)
    builder = emitter.builder
    same = builder.add(builder.shl(rate, emitter.i64(INDEX_BITS)), number)
    packed = (costs << INDEX_BITS) + emitter.splat(same, 16, 32)
    best.store(0, best.load(0, 16).min(packed))


def _candidate_emission(emitter, cur, cur_offset, cur_stride, ref, ref_offset, ref_stride, rate, number, best):
    quarters = []
    for half in (0, 8):
        total = None
        for row in range(half, half + 8, 2):
            rows = (row, row + 1)
            left = emitter.stack([cur.load(emitter.row(cur_offset, cur_stride, y), 16) for y in rows])
            right = emitter.stack([ref.load(emitter.row(ref_offset, ref_stride, y), 16) for y in rows])
            sums = emitter.sad_groups(left, right)
            total = sums if total is None else total + sums
        quarters.append(total.part(0, 2) + total.part(2, 2))
    _keep_better(emitter, quarters[0].join(quarters[1]).narrow(32), rate, number, best)


@kernel
def _keep_better_scalar(s0, s1, s2, s3, rate, number, best):
    values = np.empty(5, np.int64)
    values[0], values[1], values[2], values[3], values[4] = s0, s1, s2, s3, 0
    for p in range(PARTITIONS):
        cost = values[_FIRST_LANES[p]] + values[_SECOND_LANES[p]] + values[_THIRD_LANES[p]] + values[_FOURTH_LANES[p]]
        best[p] = min(best[p], ((cost + rate) << INDEX_BITS) + number)


@primitive(_candidate_emission, results=0)
def try_candidate(cur, cur_offset, cur_stride, ref, ref_offset, ref_stride, rate, number, best):
    """Compare a macroblock with candidate `number` (0..1023) and keep the better one for each partition.

    best : int32[16]; entry p < PARTITIONS holds (cost << INDEX_BITS) + number of the best candidate of partition p,
           cost = SAD + `rate`. On a tie the smaller number stays.
    """
    sads = [0, 0, 0, 0]
    for y in range(16):
        for x in range(16):
            sample = np.int32(ref[ref_offset + y * ref_stride + x])
            sads[(y >> 3) * 2 + (x >> 3)] += abs(np.int32(cur[cur_offset + y * cur_stride + x]) - sample)
    _keep_better_scalar(sads[0], sads[1], sads[2], sads[3], rate, number, best)


def _lines_emission(emitter, source, offset, stride, lines):
    for y in range(16):
        row = source.load(emitter.row(offset, stride, y), 16)
        lines.store(emitter.i64(16 * y), emitter.sums_and_differences(row))


@primitive(_lines_emission, results=0)
def satd_lines(source, offset, stride, lines):
    """Make a macroblock ready for `try_fraction`.

    lines : int16[256], of each row the sums of neighbours two by two, then their differences
    """
    for y in range(16):
        for x in range(8):
            at = offset + y * stride + 2 * x
            lines[16 * y + x] = np.int16(source[at]) + np.int16(source[at + 1])
            lines[16 * y + 8 + x] = np.int16(source[at]) - np.int16(source[at + 1])


def _fraction_emission(emitter, lines, b, b_offset, c_offset, stride, rate, number, best):
    quarters = _quarters(emitter, lambda y: lines.load(emitter.i64(16 * y), 16), b, (b_offset, c_offset), stride)
    _keep_better(emitter, quarters, rate, number, best)


@primitive(_fraction_emission, results=0)
def try_fraction(lines, b, b_offset, c_offset, stride, rate, number, best):
    """As `try_candidate` by SATD against the rounded mean of two blocks of `b` (the same one twice: that block).

    lines : the macroblock, as `satd_lines` makes it
    """
    samples = np.empty(256, np.uint8)
    for y in range(16):
        for x in range(8):
            total, difference = np.int32(lines[16 * y + x]), np.int32(lines[16 * y + 8 + x])
            samples[16 * y + 2 * x], samples[16 * y + 2 * x + 1] = (total + difference) >> 1, (total - difference) >> 1
    low = 8 * stride
    s0 = _satd_8x8(samples, 0, 16, b, b_offset, c_offset, stride)
    s1 = _satd_8x8(samples, 8, 16, b, b_offset + 8, c_offset + 8, stride)
    s2 = _satd_8x8(samples, 128, 16, b, b_offset + low, c_offset + low, stride)
    s3 = _satd_8x8(samples, 136, 16, b, b_offset + low + 8, c_offset + low + 8, stride)
    _keep_better_scalar(s0, s1, s2, s3, rate, number, best)


def _nine_emission(emitter, source, offset, stride, predictions, costs):
    rows = [source.load(emitter.row(offset, stride, y), 4).widen_unsigned(16) for y in range(4)]
    for group in range(3):  # four predictions side by side; the last group has one and three that do not count
        blocks = [predictions.load(emitter.i64(16 * (4 * group + i)), 16) for i in range(4)]
        pairs = [blocks[0].join(blocks[1]), blocks[2].join(blocks[3])]
        differences = []
        for y in range(4):
            lanes = [16 * (i & 1) + 4 * y + x for i in range(2) for x in range(4)]
            one, two = pairs[0].shuffle(lanes), pairs[1].shuffle(lanes)
            differences.append(
                rows[y].shuffle([x for _ in range(4) for x in range(4)]) - one.join(two).widen_unsigned(16)
            )
        sums = hadamard_magnitudes(differences)
        sums = sums.widen(32)
        # Lanes of the result stand in groups of 4 by block.
        pairs_of = [sums.shuffle([4 * i + k for i in range(4)]) for k in range(4)]
        total = pairs_of[0] + pairs_of[1] + pairs_of[2] + pairs_of[3]
        costs.store(emitter.i64(4 * group), total)


@primitive(_nine_emission, results=0)
def satd_4x4_nine(source, offset, stride, predictions, costs):
    """SATDs of a 4x4 block against nine predictions of 16 contiguous samples each (as `intra_4x4_predictions` makes).

    predictions : uint8[192] or more, samples behind the ninth are looked at but do not count
    costs       : int32[12] or more, the first nine entries are the result
    """
    for mode in range(9):
        total = 0
        work = np.empty((4, 4), np.int32)
        for y in range(4):
            for x in range(4):
                sample = np.int32(predictions[16 * mode + 4 * y + x])
                work[y, x] = np.int32(source[offset + y * stride + x]) - sample
        for y in range(4):
            s, d = work[y, 0] + work[y, 2], work[y, 0] - work[y, 2]
            t, e = work[y, 1] + work[y, 3], work[y, 1] - work[y, 3]
            work[y, 0], work[y, 1], work[y, 2], work[y, 3] = s + t, s - t, d + e, d - e
        for x in range(4):
            s, d = work[0, x] + work[2, x], work[0, x] - work[2, x]
            t, e = work[1, x] + work[3, x], work[1, x] - work[3, x]
            total += abs(s + t) + abs(s - t) + abs(d + e) + abs(d - e)
        costs[mode] = total >> 1
