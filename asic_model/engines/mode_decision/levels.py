"""Choice of levels: rate-distortion optimised quantisation of one block.

In the transform domain one level step is Qstep for every coefficient (the forward multipliers see to it), so the
cost of a level with error e steps is e^2 + (lambda / Qstep^2) * rate, and lambda / Qstep^2 does not depend on QP. The
engine walks from the highest frequency down, as levels are coded, picks each level from the two nearest ones with the
contexts that its predecessors imply, and keeps account of what it would cost to end the block here: one pass over the
coefficients, two candidates each.
"""

import numpy as np

from asic_model.engines.mode_decision.rate import (
    ABS_LEVEL,
    CAT_CHROMA_DC,
    LAST_AT,
    SIGNIFICANT_AT,
    ZERO_RUNS,
    level_rate,
)
from asic_model.kernel_cache import kernel
from asic_model.simd.bits import bit_length, nonzero_mask_16, nonzero_mask_64
from asic_model.simd.transforms import quantise_16, quantise_64

FRACTION_BITS = 8  # of scaled coefficients: 1/256 of a level step
# lambda / Qstep^2 = 0.85 * 2^((QP - 12) / 3) / (0.625^2 * 2^(QP / 3)) = 0.136; errors are in (1/256 step)^2, rates in
# 1/256 bit: 0.136 * 65536 / 256
LAMBDA_STEPS = 35
_ROUNDING = 102  # of the upper candidate, 1/256 step: a level that rounds up from less than 0.6 never pays
_ALWAYS = 1 << 40  # a gain that no rate outweighs
UNKNOWN_RATE = -(1 << 60)
LEVEL_MAX = 2063  # the largest level of every CAVLC profile


@kernel
def luma_dc_by_dead_zone(levels, offset, sums, factor, shift, dead_zone):
    """Quantise the DC values of Intra16x16 as the transform's RTL does, `dead_zone` below 0; return the number that are
    not zero.

    sums : int64[16], Hadamard sums in scan order, unhalved: two bits more than `shift` stands for
    """
    rounding = ((np.int64(1) << shift) // -dead_zone) << 2
    number = np.int64(0)
    for i in range(16):
        level = min((abs(sums[i]) * factor + rounding) >> (shift + 2), LEVEL_MAX)
        levels[offset + i] = -level if sums[i] < 0 else level
        number += level != 0
    return number


@kernel
def choose_levels(
    levels, offset, coefs, coefs_offset, factor, factor_offset, shift, first, count, cat, costs, weight, flag_gain,
    dead_zone,
):  # fmt: skip
    """Quantise coefs[coefs_offset + first ...][: count] to `levels` at offset + first.

    coefs     : int16, forward transform in scan order; count 64: an 8x8 block, else (part of) a row of 16
    factor    : int32, forward multipliers in scan order from factor_offset on (entry `first` is the first one's)
    shift     : of factor * coef to whole levels
    costs     : bin costs (`rate.set_bin_costs`)
    weight    : lambda / Qstep^2 on the scale of LAMBDA_STEPS
    flag_gain : rate that coded_block_flag 0 saves against 1
    dead_zone : not 0: no choice at all. Above 0: levels round up from 1 - dead_zone / 256 on; below 0: from
                1 + 1 / dead_zone on, as in the transform's RTL
    Returns (levels not zero, gain, rate): what coding the block gains over leaving it zero, (1/256 step)^2, 0 if it is
    zero; what `rate.block_rate_cabac` says of the levels, UNKNOWN_RATE where they were not chosen by it.
    """
    start = offset + first
    rounding = np.int64(dead_zone if dead_zone > 0 else _ROUNDING) << (shift - FRACTION_BITS)
    if dead_zone < 0:
        wider = 1 if cat == CAT_CHROMA_DC else 0  # sums of DC have one bit more
        rounding = ((np.int64(1) << (shift - wider)) // -dead_zone) << wider
    if count == 64:
        if quantise_64(levels, offset, coefs, coefs_offset, factor, factor_offset, rounding, shift) == 0:
            return np.int64(0), np.int64(0), np.int64(0)
        present = nonzero_mask_64(levels, start)
    else:
        if quantise_16(levels, offset, coefs, coefs_offset, factor, factor_offset, rounding, shift) == 0:
            return np.int64(0), np.int64(0), np.int64(0)
        present = (nonzero_mask_16(levels, offset) >> first) & ((1 << count) - 1)
        if present == 0:
            return np.int64(0), np.int64(0), np.int64(0)
    end = np.int64(63)
    if present >= 0:
        end = bit_length(present) - 1
    if dead_zone:
        number = np.int64(0)
        for i in range(end + 1):
            number += levels[start + i] != 0
            levels[start + i] = min(max(np.int64(levels[start + i]), -LEVEL_MAX), LEVEL_MAX)
        return number, np.int64(_ALWAYS), np.int64(UNKNOWN_RATE)
    base = ABS_LEVEL[cat]
    larger_limit = 3 if cat == CAT_CHROMA_DC else 4
    # `total`: cost of this coefficient and all behind it, relative to zeros, when the block ends at `stop`; the rate in
    # it is `spent`.
    total = spent = np.int64(0)
    stop = -1
    ones = larger = 0
    zeros = ZERO_RUNS + 64 * cat
    left, i = np.int64(present), end
    while True:
        upper = abs(np.int64(levels[start + i]))
        zero_rate = one_rate = end_rate = np.int64(0)
        if i < count - 1:
            at, at_last = SIGNIFICANT_AT[cat, i], LAST_AT[cat, i]
            zero_rate = np.int64(costs[at])
            one_rate = np.int64(costs[at + 1])
            end_rate = one_rate + np.int64(costs[at_last + 1])
            one_rate += costs[at_last]
        coef = abs(np.int64(coefs[coefs_offset + first + i]))
        value = (coef * np.int64(factor[factor_offset + first + i])) >> (shift - FRACTION_BITS)
        error = value - (upper << FRACTION_BITS)
        gain = error * error - value * value
        error += 1 << FRACTION_BITS
        lower_gain = error * error - value * value if upper > 1 else np.int64(0)
        # As the last level of the block: no level was coded before it.
        end_spent = end_rate + level_rate(costs, base, upper, 0, 0, larger_limit)
        end_cost = gain + weight * end_spent
        end_size = upper
        if upper > 1:
            rate = end_rate + level_rate(costs, base, upper - 1, 0, 0, larger_limit)
            cost = lower_gain + weight * rate
            if cost < end_cost:
                end_cost, end_size, end_spent = cost, upper - 1, rate
        # Before levels already chosen.
        joins = False
        if stop >= 0:
            joined_spent = one_rate + level_rate(costs, base, upper, ones, larger, larger_limit)
            joined = gain + weight * joined_spent
            size = upper
            rate = zero_rate
            if upper > 1:
                rate = one_rate + level_rate(costs, base, upper - 1, ones, larger, larger_limit)
            cost = lower_gain + weight * rate
            if cost < joined:
                joined, size, joined_spent = cost, upper - 1, rate
            joined += total
            if joined <= end_cost:
                joins = True
                total = joined
                spent += joined_spent
                if size == 1:
                    ones += 1
                elif size > 1:
                    larger += 1
                levels[start + i] = size
        if not joins:
            for k in range(i + 1, stop + 1):
                levels[start + k] = 0
            total, spent, stop = end_cost, end_spent, i
            ones, larger = (1, 0) if end_size == 1 else (0, 1)
            levels[start + i] = end_size
        # On to the next level that is not zero; the zeros between cost their flags.
        left &= (np.int64(1) << i) - 1
        if left == 0:
            total += weight * np.int64(costs[zeros + i])
            spent += np.int64(costs[zeros + i])
            break
        following = bit_length(left) - 1
        rate = np.int64(costs[zeros + i]) - np.int64(costs[zeros + following + 1])
        total += weight * rate
        spent += rate
        i = following
    gain = -(total + weight * flag_gain)
    if gain <= 0:
        for i in range(end + 1):
            levels[start + i] = 0
        return np.int64(0), np.int64(0), np.int64(0)
    number = np.int64(0)
    left, i = np.int64(present), end
    while True:
        level = np.int64(levels[start + i])
        if level > LEVEL_MAX:
            level, spent = np.int64(LEVEL_MAX), np.int64(UNKNOWN_RATE)
        number += level != 0
        levels[start + i] = -level if coefs[coefs_offset + first + i] < 0 else level
        left &= (np.int64(1) << i) - 1
        if left == 0:
            return number, gain, spent
        i = bit_length(left) - 1
