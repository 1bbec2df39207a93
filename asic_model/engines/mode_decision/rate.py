"""Rates: what syntax elements cost, in 1/256 bit.

CABAC costs come from a table of bin costs by context, made from context states (those at the start of the slice, or
the entropy engine's as they stand); adaptation within one macroblock is left aside. CAVLC costs of blocks are the
codewords' exact lengths.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import CAT_LUMA_8X8, CONTEXTS, CTX_ABS_LEVEL, CTX_LAST, CTX_SIGNIFICANT
from asic_model.codecs.h264.tables import table
from asic_model.engines.entropy.cavlc import COEFF_TOKEN, RUN_BEFORE, TOTAL_ZEROS, TOTAL_ZEROS_CHROMA_DC, bit_length
from asic_model.kernel_cache import kernel
from asic_model.simd.bits import bit_length as bits_of
from asic_model.simd.bits import nonzero_mask_16, nonzero_mask_64

ONE_BIT = 256
CAT_CHROMA_DC = 3

ABS_LEVEL = np.array(CTX_ABS_LEVEL, np.int64)


def _map_contexts(first: tuple[int, ...], name: str) -> np.ndarray:
    """int64[cat, 63]: twice the context of a position of the significance map in frames (9.3.3.1.3)."""
    rows = np.array(first[: CAT_LUMA_8X8 + 1], np.int64)[:, None] + np.arange(63)
    rows[CAT_LUMA_8X8] = first[CAT_LUMA_8X8] + np.array(table("table_9_43_ctxIdxInc_8x8")[name], np.int64)
    rows *= 2
    rows.flags.writeable = False
    return rows


SIGNIFICANT_AT = _map_contexts(CTX_SIGNIFICANT[0], "significant_frame")
LAST_AT = _map_contexts(CTX_LAST[0], "last")


def _state_costs() -> np.ndarray:
    """int32[130 * 2]: cost of bin b in state s (pStateIdx << 1 | valMPS) at 2 * s + b.

    pLPS = 0.5 * a^pStateIdx, a = (0.01875 / 0.5)^(1 / 63) (9.3.1.2). State 63 terminates, 64 stands for bypass.
    """
    costs = np.zeros(260, np.int32)
    for state in range(130):
        index, mps = state >> 1, state & 1
        lps = 0.5 if index == 64 else 0.5 * (0.01875 / 0.5) ** (index / 63)
        for value in range(2):
            probability = 1 - lps if value == mps else lps
            if index == 63:
                probability = 254 / 256 if value == 0 else 2 / 256
            costs[2 * state + value] = round(-ONE_BIT * np.log2(probability))
    costs.flags.writeable = False
    return costs


STATE_COSTS = _state_costs()


ZERO_RUNS = 2 * CONTEXTS  # where they stand in `costs`, 64 a category
COSTS = ZERO_RUNS + 64 * len(SIGNIFICANT_AT)


@kernel
def set_bin_costs(costs, states):
    """Fill costs (int32[COSTS]) from context states (uint8[CONTEXTS]).

    costs[2 * ctx + bin]            cost of a bin
    costs[ZERO_RUNS + 64 * cat + i] cost of zeros at positions 0 .. i - 1 of the significance map, i < 64
    """
    for ctx in range(CONTEXTS):
        state = np.int64(states[ctx])
        costs[2 * ctx] = STATE_COSTS[2 * state]
        costs[2 * ctx + 1] = STATE_COSTS[2 * state + 1]
    for cat in range(len(SIGNIFICANT_AT)):
        total = np.int64(0)
        for i in range(64):
            costs[ZERO_RUNS + 64 * cat + i] = total
            if i < 63:
                total += costs[SIGNIFICANT_AT[cat, i]]


@kernel
def _exp_golomb_rate(value, k):
    """Bits of the k-th order Exp-Golomb suffix (9.3.2.3)."""
    bits = 1 + k
    while value >= 1 << k:
        value -= 1 << k
        k += 1
        bits += 2
    return bits


@kernel
def level_rate(costs, base, size, ones, larger, larger_limit):
    """coeff_abs_level_minus1 and sign of a level of magnitude `size` >= 1.

    base   : first context of the block's category
    ones, larger : levels coded before it in the block that are 1, and that are larger (9.3.3.1.3)
    """
    first = 2 * (base + (0 if larger else min(4, 1 + ones)))
    if size == 1:
        return np.int64(costs[first]) + ONE_BIT
    following = 2 * (base + 5 + min(larger_limit, larger))
    rate = np.int64(costs[first + 1]) + ONE_BIT
    if size < 15:
        return rate + (size - 2) * np.int64(costs[following + 1]) + np.int64(costs[following])
    return rate + 13 * np.int64(costs[following + 1]) + ONE_BIT * _exp_golomb_rate(size - 15, 0)


@kernel
def block_rate_cabac(costs, levels, offset, first, count, cat):
    """Significance map and levels of a block that is not all zero; coded_block_flag left aside.

    levels : flat int16; the block is levels[offset + first : offset + first + count]
    """
    base = ABS_LEVEL[cat]
    zeros = ZERO_RUNS + 64 * cat
    start = offset + first
    larger_limit = 3 if cat == CAT_CHROMA_DC else 4
    rate = np.int64(0)
    left = nonzero_mask_64(levels, start) if count == 64 else nonzero_mask_16(levels, start) & ((1 << count) - 1)
    i = np.int64(63)
    if left >= 0:
        i = bits_of(left) - 1
    if i < count - 1:
        rate += np.int64(costs[SIGNIFICANT_AT[cat, i] + 1]) + np.int64(costs[LAST_AT[cat, i] + 1])
    ones = larger = 0
    while True:
        size = abs(np.int64(levels[start + i]))
        rate += level_rate(costs, base, size, ones, larger, larger_limit)
        if size == 1:
            ones += 1
        else:
            larger += 1
        left &= (np.int64(1) << i) - 1
        if left == 0:
            return rate + costs[zeros + i]
        following = bits_of(left) - 1
        rate += np.int64(costs[zeros + i]) - np.int64(costs[zeros + following + 1])
        i = following
        rate += np.int64(costs[SIGNIFICANT_AT[cat, i] + 1]) + np.int64(costs[LAST_AT[cat, i]])


@kernel
def block_rate_cavlc(levels, offset, first, count, column):
    """All of residual_block_cavlc (9.2) of a block, also an empty one. `column` of COEFF_TOKEN; 4: chroma DC."""
    start = offset + first
    total = ones = 0
    suffix_rate = np.int64(0)
    trailing = True
    suffix_length = np.int64(0)
    end = -1
    for i in range(count):
        if levels[start + i]:
            total += 1
            end = i
    if total == 0:
        return np.int64(ONE_BIT) * (COEFF_TOKEN[column, 0, 0] & 255)
    zeros_left = end + 1 - total
    run = 0
    waiting = False
    seen = 0
    rate = np.int64(0)
    for i in range(end, -1, -1):
        level = np.int64(levels[start + i])
        if level == 0:
            run += 1
            continue
        if waiting and zeros_left > 0:
            rate += RUN_BEFORE[min(zeros_left, 7), run] & 255
            zeros_left -= run
        run = 0
        waiting = True
        size = abs(level)
        if trailing and size == 1 and ones < 3:
            ones += 1
            suffix_rate += 1
            continue
        code = 2 * size - 2 + (level < 0)
        if trailing:
            trailing = False
            suffix_length = np.int64(1 if total > 10 and ones < 3 else 0)
            if ones < 3:
                code -= 2
        if suffix_length == 0:
            suffix_rate += code + 1 if code < 14 else (19 if code < 30 else 28)
        elif code < 15 << suffix_length:
            suffix_rate += (code >> suffix_length) + 1 + suffix_length
        else:
            suffix_rate += 28
        if suffix_length == 0:
            suffix_length = np.int64(1)
        if suffix_length < 6 and size > 3 << (suffix_length - 1):
            suffix_length += 1
        seen += 1
    rate += (COEFF_TOKEN[column, total, ones] & 255) + suffix_rate
    if total < count:
        zeros = end + 1 - total
        rate += (TOTAL_ZEROS_CHROMA_DC[total, zeros] if column == 4 else TOTAL_ZEROS[total, zeros]) & 255
    return rate * ONE_BIT


@kernel
def string_rate(costs, strings, row, inc):
    """Row `row` of a table of bin strings (`binarization`); inc: ctxIdxInc of the first bin."""
    rate = np.int64(costs[np.int64(strings[row, 1]) + 2 * inc])
    for i in range(2, np.int64(strings[row, 0]) + 1):
        rate += np.int64(costs[strings[row, i]])
    return rate


@kernel
def ue_rate(value):
    """ue(v) (9.1)."""
    return ONE_BIT * (2 * bit_length(np.int64(value) + 1) - 1)


@kernel
def se_rate(value):
    """se(v) (9.1.1)."""
    return ue_rate(2 * value - 1 if value > 0 else -2 * value)


@kernel
def mvd_rate_cabac(costs, base, value, neighbours):
    """One component of mvd (9.3.2.3 UEG3, uCoff 9); neighbours: sum of the magnitudes to the left and above."""
    size = abs(value)
    inc = (0 if neighbours < 3 else 1) + (1 if neighbours > 32 else 0)
    if size == 0:
        return np.int64(costs[2 * (base + inc)])
    rate = np.int64(costs[2 * (base + inc) + 1]) + ONE_BIT
    for i in range(1, min(size, 9)):
        rate += costs[2 * (base + min(2 + i, 6)) + 1]
    if size < 9:
        return rate + costs[2 * (base + min(2 + size, 6))]
    return rate + ONE_BIT * _exp_golomb_rate(size - 9, 3)
