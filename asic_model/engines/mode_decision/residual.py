"""Coding the residual of a macroblock on trial: levels, coded block pattern, reconstruction, rate.

All functions work on one slot of the macroblock's record `t` (`state`): the prediction stands in `prediction`, levels
go to `levels`, their counts to `total` and `counts`, the reconstruction to `samples`.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CAT_CHROMA_AC,
    CAT_CHROMA_DC,
    CAT_I16_AC,
    CAT_I16_DC,
    CAT_LUMA_4X4,
    CAT_LUMA_8X8,
    CTX_CBP_CHROMA,
    CTX_CBP_LUMA,
    CTX_CODED_BLOCK_FLAG,
    CTX_TRANSFORM_8X8,
)
from asic_model.codecs.h264.macroblock import LEVELS_CB_AC, LEVELS_CB_DC, LEVELS_LUMA_DC
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y, ZIGZAG_4X4
from asic_model.engines.entropy.cavlc import TOKEN_COLUMN
from asic_model.engines.mode_decision.levels import UNKNOWN_RATE, choose_levels, luma_dc_by_dead_zone
from asic_model.engines.mode_decision.rate import ONE_BIT, block_rate_cabac, block_rate_cavlc
from asic_model.engines.mode_decision.state import (
    CB,
    CHROMA,
    COUNTS_CB,
    COUNTS_CR,
    CR,
    INTER,
    INTRA,
    LEVELS_SLOT,
    LUMA,
    SAMPLES,
    T_CHROMA,
    T_CHROMA_DC,
    T_CHROMA_RATE,
    WINDOW_STRIDE,
    WINDOW_Y,
)
from asic_model.engines.transform.quantiser import SHIFT_4X4, SHIFT_8X8
from asic_model.kernel_cache import kernel
from asic_model.simd.blocks import copy_8xn, copy_16xn
from asic_model.simd.compare import ssd_8xn
from asic_model.simd.transforms import (
    forward_4x4,
    forward_4x4_quad,
    forward_8x8,
    interleaved_counts,
    inverse_4x4_add,
    inverse_4x4_quad_add,
    inverse_8x8_add,
    inverse_luma_dc_16,
    scale_16,
    scale_64,
)

_FLAG = np.array(CTX_CODED_BLOCK_FLAG, np.int64)
# [blkIdx] -> place in `counts`
COUNT_AT = np.array([5 * (int(BLOCK_Y[b]) + 1) + int(BLOCK_X[b]) + 1 for b in range(16)], np.int64)
BLOCK_OF_RASTER = np.array([0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15], np.int64)
# Rate of the coded_block_flag of an empty block, on average, 1/256 bit
_EMPTY_LUMA, _EMPTY_CHROMA = 100, 60
_DC_COEFS = 288  # where DC coefficients stand in `coefs`
_INTERLEAVED = 320  # where the four parts of an 8x8 block stand as CAVLC codes them


@kernel
def flag_increment(counts, at, width, intra):
    """ctxIdxInc of coded_block_flag from the counts of the neighbours (9.3.3.1.1.9)."""
    left, up = counts[at - 1], counts[at - width]
    inc = intra if left < 0 else (1 if left > 0 else 0)
    return inc + 2 * (intra if up < 0 else (1 if up > 0 else 0))


@kernel
def _token_column(counts, at, width):
    """Column of coeff_token from nC (9.2.1)."""
    left, up = counts[at - 1], counts[at - width]
    if left < 0:
        return np.int64(TOKEN_COLUMN[max(up, 0)])
    if up < 0:
        return np.int64(TOKEN_COLUMN[left])
    return np.int64(TOKEN_COLUMN[(left + up + 1) >> 1])


@kernel
def _flag_gain(costs, cat, inc):
    """Rate that coded_block_flag 0 saves against 1."""
    at = 2 * (_FLAG[cat] + inc)
    return np.int64(costs[at + 1]) - np.int64(costs[at])


@kernel
def block_rate(t, levels_offset, first, count, cat, at, width, intra):
    """Rate of one block with its coded_block_flag; `at`, `width` place it in `counts`, which says if it is empty."""
    if not t.cabac:
        return block_rate_cavlc(t.levels, levels_offset, first, count, _token_column(t.counts, at, width))
    flag = 2 * (_FLAG[cat] + flag_increment(t.counts, at, width, intra))
    if t.counts[at] == 0:
        return np.int64(t.costs[flag])
    return np.int64(t.costs[flag + 1]) + block_rate_cabac(t.costs, t.levels, levels_offset, first, count, cat)


@kernel
def _known_rate(t, levels_rate, levels_offset, first, count, cat, at, width, intra):
    """`block_rate` where `choose_levels` has said what the levels cost."""
    if not t.cabac or levels_rate == UNKNOWN_RATE:
        return block_rate(t, levels_offset, first, count, cat, at, width, intra)
    flag = 2 * (_FLAG[cat] + flag_increment(t.counts, at, width, intra))
    return np.int64(t.costs[flag + 1]) + levels_rate if t.counts[at] else np.int64(t.costs[flag])


@kernel
def _dc_rate(t, levels_offset, count, cat, coded, bit, intra):
    """Rate of a DC block with its flag."""
    if not t.cabac:
        column = np.int64(4) if cat == CAT_CHROMA_DC else _token_column(t.counts, COUNT_AT[0], 5)
        return block_rate_cavlc(t.levels, levels_offset, 0, count, column)
    left = t.left_dc if t.left_dc >= 0 else 7 * intra
    up = t.up_dc if t.up_dc >= 0 else 7 * intra
    flag = 2 * (_FLAG[cat] + ((left >> bit) & 1) + 2 * ((up >> bit) & 1))
    if not coded:
        return np.int64(t.costs[flag])
    return np.int64(t.costs[flag + 1]) + block_rate_cabac(t.costs, t.levels, levels_offset, 0, count, cat)


@kernel
def _pattern_context(t, pattern, quadrant):
    """Context of a luma bit of coded_block_pattern (9.3.3.1.1.4); `pattern` holds the bits before it."""
    left = (pattern >> (quadrant - 1)) if quadrant & 1 else (t.left_cbp >> (quadrant + 1))
    up = (pattern >> (quadrant - 2)) if quadrant & 2 else (t.up_cbp >> (quadrant + 2))
    return CTX_CBP_LUMA + 1 - (left & 1) + 2 * (1 - (up & 1))


@kernel
def pattern_rate_cabac(t, pattern):
    """coded_block_pattern."""
    rate = np.int64(0)
    for quadrant in range(4):
        rate += t.costs[2 * _pattern_context(t, pattern, quadrant) + ((pattern >> quadrant) & 1)]
    chroma, left, up = pattern >> 4, t.left_cbp >> 4, t.up_cbp >> 4
    rate += t.costs[2 * (CTX_CBP_CHROMA + (1 if left else 0) + (2 if up else 0)) + (1 if chroma else 0)]
    if chroma:
        rate += t.costs[2 * (CTX_CBP_CHROMA + 4 + (left >> 1) + 2 * (up >> 1)) + (chroma >> 1)]
    return rate


@kernel
def code_luma(t, slot):
    """Luma of an inter macroblock; returns (luma bits of the pattern, rate of the blocks).

    A quadrant whose levels gain less than they and its pattern bit cost is left zero.
    """
    levels, coefs, counts = t.levels, t.coefs, t.counts
    base = slot * LEVELS_SLOT
    area = slot * SAMPLES
    weight = t.weight[INTER, LUMA]
    shift = SHIFT_4X4 + t.qp // 6
    pattern = np.int64(0)
    rate = np.int64(0)
    for quadrant in range(4):
        at_source = 128 * (quadrant >> 1) + 8 * (quadrant & 1)
        at_area = area + at_source
        if ssd_8xn(t.source, at_source, 16, t.prediction, at_area, 16, 8) < t.zero_ssd[LUMA]:
            for index in range(4):
                counts[COUNT_AT[4 * quadrant + index]] = 0
                t.total[slot, 4 * quadrant + index] = 0
            copy_8xn(t.samples, at_area, 16, t.prediction, at_area, 16, 8)
            continue
        t.transform_blocks += 4
        forward_4x4_quad(coefs, 0, t.source, at_source, 16, t.prediction, at_area, 16, 0)
        gain = np.int64(0)
        empty = np.int64(0)
        for index in range(4):
            block = 4 * quadrant + index
            at = COUNT_AT[block]
            saved = _flag_gain(t.costs, CAT_LUMA_4X4, flag_increment(counts, at, 5, 0))
            number, block_gain, _ = choose_levels(
                levels, base + 16 * block, coefs, 16 * index, t.factor, 0, shift, 0, 16, CAT_LUMA_4X4, t.costs,
                weight, saved, t.dead_zone[INTER],
            )  # fmt: skip
            counts[at] = number
            gain += block_gain
            empty += number == 0
        if gain > 0:
            bit = ONE_BIT
            if t.cabac:
                context = 2 * _pattern_context(t, pattern, quadrant)
                bit = np.int64(t.costs[context + 1]) - np.int64(t.costs[context])
            if gain <= weight * (bit + _EMPTY_LUMA * empty):
                gain = np.int64(0)
        if gain == 0:
            for index in range(4):
                counts[COUNT_AT[4 * quadrant + index]] = 0
                t.total[slot, 4 * quadrant + index] = 0
            copy_8xn(t.samples, at_area, 16, t.prediction, at_area, 16, 8)
            continue
        pattern |= 1 << quadrant
        for index in range(4):
            block = 4 * quadrant + index
            at = COUNT_AT[block]
            t.total[slot, block] = counts[at]
            rate += block_rate(t, base + 16 * block, 0, 16, CAT_LUMA_4X4, at, 5, 0)
            scale_16(coefs, 16 * index, levels, base + 16 * block, t.scale, 0)
        inverse_4x4_quad_add(t.samples, at_area, 16, t.prediction, at_area, 16, coefs, 0, 0)
    return pattern, rate


@kernel
def transform_flag_rate(t, eights):
    """transform_size_8x8_flag."""
    if not t.cabac:
        return np.int64(ONE_BIT)
    return np.int64(t.costs[2 * (CTX_TRANSFORM_8X8 + t.transform_inc) + eights])


@kernel
def _finish_8x8(t, slot, quadrant, number, levels_rate):
    """Counts of an 8x8 block with `number` levels; return its rate.

    levels_rate : as `choose_levels` says it

    CAVLC codes every fourth level as a block of its own (7.3.5.3.2). CABAC has no flag for the block: neighbours see
    levels in all of its 4x4 blocks (9.3.3.1.1.9).
    """
    counts, at_levels = t.counts, slot * LEVELS_SLOT + 64 * quadrant
    if number == 0 or t.cabac:
        for index in range(4):
            block = 4 * quadrant + index
            counts[COUNT_AT[block]] = number
            t.total[slot, block] = min(number, 16)
        if number == 0:
            return np.int64(0)
        if levels_rate != UNKNOWN_RATE:
            return levels_rate
        return block_rate_cabac(t.costs, t.levels, at_levels, 0, 64, CAT_LUMA_8X8)
    parts = interleaved_counts(t.levels, at_levels)
    rate = np.int64(0)
    for index in range(4):
        block = 4 * quadrant + index
        at = COUNT_AT[block]
        counts[at] = parts[index]
        t.total[slot, block] = parts[index]
        for i in range(16):
            t.coefs[_INTERLEAVED + i] = t.levels[at_levels + 4 * i + index]
        rate += block_rate_cavlc(t.coefs, _INTERLEAVED, 0, 16, _token_column(counts, at, 5))
    return rate


@kernel
def code_luma_8x8(t, slot):
    """As `code_luma` with 8x8 transforms."""
    levels, coefs = t.levels, t.coefs
    base = slot * LEVELS_SLOT
    area = slot * SAMPLES
    weight = t.weight[INTER, LUMA]
    shift = SHIFT_8X8 + t.qp // 6
    pattern = np.int64(0)
    rate = np.int64(0)
    for quadrant in range(4):
        at_source = 128 * (quadrant >> 1) + 8 * (quadrant & 1)
        at_area = area + at_source
        if ssd_8xn(t.source, at_source, 16, t.prediction, at_area, 16, 8) < t.zero_ssd[LUMA]:
            _finish_8x8(t, slot, quadrant, np.int64(0), np.int64(0))
            copy_8xn(t.samples, at_area, 16, t.prediction, at_area, 16, 8)
            continue
        t.transform_blocks += 4
        forward_8x8(coefs, 0, t.source, at_source, 16, t.prediction, at_area, 16, 0)
        number, gain, levels_rate = choose_levels(
            levels, base + 64 * quadrant, coefs, 0, t.factor_8x8, 0, shift, 0, 64, CAT_LUMA_8X8, t.costs, weight,
            np.int64(0), t.dead_zone[INTER],
        )  # fmt: skip
        if number:
            bit = np.int64(ONE_BIT)
            if t.cabac:
                context = 2 * _pattern_context(t, pattern, quadrant)
                bit = np.int64(t.costs[context + 1]) - np.int64(t.costs[context])
            if gain <= weight * bit:
                number = np.int64(0)
        rate += _finish_8x8(t, slot, quadrant, number, levels_rate)
        if number == 0:
            copy_8xn(t.samples, at_area, 16, t.prediction, at_area, 16, 8)
            continue
        pattern |= 1 << quadrant
        scale_64(coefs, 0, levels, base + 64 * quadrant, t.scale_8x8, 0)
        inverse_8x8_add(t.samples, at_area, 16, t.prediction, at_area, 16, coefs, 0, 0)
    return pattern, rate


@kernel
def code_block_8x8(t, slot, quadrant):
    """One Intra8x8 block: its prediction stands in the window, where it is reconstructed; return (levels, rate)."""
    base = slot * LEVELS_SLOT + 64 * quadrant
    x, y = 8 * (quadrant & 1), 8 * (quadrant >> 1)
    origin = WINDOW_Y + y * WINDOW_STRIDE + x
    forward_8x8(t.coefs, 0, t.source, 16 * y + x, 16, t.window, origin, WINDOW_STRIDE, 0)
    number, _, levels_rate = choose_levels(
        t.levels, base, t.coefs, 0, t.factor_8x8, 0, SHIFT_8X8 + t.qp // 6, 0, 64, CAT_LUMA_8X8, t.costs,
        t.weight[INTRA, LUMA], np.int64(0), t.dead_zone[INTRA],
    )  # fmt: skip
    t.transform_blocks += 4
    rate = _finish_8x8(t, slot, quadrant, number, levels_rate)
    if number:
        scale_64(t.coefs, 0, t.levels, base, t.scale_8x8, 0)
        inverse_8x8_add(t.window, origin, WINDOW_STRIDE, t.window, origin, WINDOW_STRIDE, t.coefs, 0, 0)
    return number, rate


@kernel
def code_block(t, slot, block):
    """One Intra4x4 block: its prediction stands in the window, where it is reconstructed; return its rate."""
    base = slot * LEVELS_SLOT + 16 * block
    at = COUNT_AT[block]
    x, y = np.int64(BLOCK_X[block]), np.int64(BLOCK_Y[block])
    origin = WINDOW_Y + 4 * (y * WINDOW_STRIDE + x)
    forward_4x4(t.coefs, 0, t.source, 64 * y + 4 * x, 16, t.window, origin, WINDOW_STRIDE, 0)
    saved = _flag_gain(t.costs, CAT_LUMA_4X4, flag_increment(t.counts, at, 5, 1))
    number, _, levels_rate = choose_levels(
        t.levels, base, t.coefs, 0, t.factor, 0, SHIFT_4X4 + t.qp // 6, 0, 16, CAT_LUMA_4X4, t.costs,
        t.weight[INTRA, LUMA], saved, t.dead_zone[INTRA],
    )  # fmt: skip
    t.counts[at] = number
    t.total[slot, block] = number
    t.transform_blocks += 1
    if number:
        scale_16(t.coefs, 0, t.levels, base, t.scale, 0)
        inverse_4x4_add(t.window, origin, WINDOW_STRIDE, t.window, origin, WINDOW_STRIDE, t.coefs, 0, 0)
    return _known_rate(t, levels_rate, base, 0, 16, CAT_LUMA_4X4, at, 5, 1)


@kernel
def _hadamard(values):
    """4x4 Hadamard transform in place, int64[16] in raster order."""
    for axis in range(2):
        step, line = (1, 4) if axis == 0 else (4, 1)
        for i in range(4):
            k = i * line
            a, b, c, d = values[k], values[k + step], values[k + 2 * step], values[k + 3 * step]
            values[k], values[k + step] = a + b + c + d, a + b - c - d
            values[k + 2 * step], values[k + 3 * step] = a - b - c + d, a - b + c - d


@kernel
def _add_quad(t, slot, at, stride, levels_offset, dc, with_ac, scale):
    """Reconstruct four blocks whose DC values stand scaled in coefs[dc ..]; AC from levels where `with_ac`."""
    for index in range(4):
        if with_ac:
            scale_16(t.coefs, 16 * index, t.levels, levels_offset + 16 * index, t.scale, scale)
        else:
            for i in range(16):
                t.coefs[16 * index + i] = 0
        t.coefs[16 * index] = t.coefs[dc + index]
    inverse_4x4_quad_add(t.samples, at, stride, t.prediction, at, stride, t.coefs, 0, 0)


@kernel
def code_luma_16x16(t, slot):
    """Luma of Intra16x16. Returns (luma bits of the pattern: 0 or 15, 1 if DC levels, rate of the blocks)."""
    levels, coefs, counts = t.levels, t.coefs, t.counts
    base, area = slot * LEVELS_SLOT, slot * SAMPLES
    shift = SHIFT_4X4 + t.qp // 6
    weight = t.weight[INTRA, LUMA]
    gain = np.int64(0)
    empty = np.int64(0)
    for quadrant in range(4):
        at = 128 * (quadrant >> 1) + 8 * (quadrant & 1)
        forward_4x4_quad(coefs, 64 * quadrant, t.source, at, 16, t.prediction, area + at, 16, 0)
    for block in range(16):
        at = COUNT_AT[block]
        saved = _flag_gain(t.costs, CAT_I16_AC, flag_increment(counts, at, 5, 1))
        number, block_gain, _ = choose_levels(
            levels,
            base + 16 * block,
            coefs,
            16 * block,
            t.factor,
            0,
            shift,
            1,
            15,
            CAT_I16_AC,
            t.costs,
            weight,
            saved,
            t.dead_zone[INTRA],
        )
        levels[base + 16 * block] = 0
        counts[at] = number
        gain += block_gain
        empty += number == 0
    pattern = np.int64(15 if gain > weight * _EMPTY_LUMA * empty else 0)
    values = np.empty(16, np.int64)
    for i in range(16):
        values[i] = coefs[16 * BLOCK_OF_RASTER[i]]
    _hadamard(values)
    dc = base + 16 * LEVELS_LUMA_DC
    if t.dead_zone[INTRA] < 0:
        values = values[ZIGZAG_4X4]
        number = luma_dc_by_dead_zone(levels, dc, values, np.int64(t.factor[0]), shift, t.dead_zone[INTRA])
    else:
        for i in range(16):  # halved, as the sums of sixteen need 17 bits
            coefs[_DC_COEFS + i] = values[ZIGZAG_4X4[i]] >> 1
        number, _, _ = choose_levels(
            levels, dc, coefs, _DC_COEFS, t.dc_factor, 0, shift + 1, 0, 16, CAT_I16_DC, t.costs, weight, np.int64(0),
            t.dead_zone[INTRA],
        )  # fmt: skip
    rate = _dc_rate(t, dc, 16, CAT_I16_DC, number, 0, 1)
    inverse_luma_dc_16(coefs, 256, levels, dc, np.int64(t.scale[0]), 0)
    for block in range(16):
        at = COUNT_AT[block]
        if pattern:
            rate += block_rate(t, base + 16 * block, 1, 15, CAT_I16_AC, at, 5, 1)
        else:
            counts[at] = 0
        t.total[slot, block] = counts[at]
    for quadrant in range(4):
        at = area + 128 * (quadrant >> 1) + 8 * (quadrant & 1)
        _add_quad(t, slot, at, 16, base + 64 * quadrant, 256 + 4 * quadrant, pattern, 0)
    t.transform_blocks += 17
    return pattern, np.int64(1 if number else 0), rate


@kernel
def _chroma_dc_coefs(coefs, levels, offset, scale):
    """Scaled DC values of a chroma component (8.5.11) into coefs[256..259]."""
    a, b = np.int64(levels[offset]), np.int64(levels[offset + 1])
    c, d = np.int64(levels[offset + 2]), np.int64(levels[offset + 3])
    coefs[256], coefs[257] = ((a + b + c + d) * scale) >> 5, ((a - b + c - d) * scale) >> 5
    coefs[258], coefs[259] = ((a + b - c - d) * scale) >> 5, ((a - b - c + d) * scale) >> 5


@kernel
def code_chroma(t, slot, intra):
    """Both chroma components: into the result go the chroma part of the pattern, the rate of the blocks, and the flags
    of DC in bits 1 and 2."""
    levels, coefs, counts = t.levels, t.coefs, t.counts
    base, area = slot * LEVELS_SLOT, slot * SAMPLES
    weight = t.weight[intra, CHROMA]
    shift = SHIFT_4X4 + t.qp_chroma // 6
    gain_ac = np.int64(0)
    empty = np.int64(0)
    dc_flags = np.int64(0)
    zeros = 0
    if intra == INTER:
        for plane in (CB, CR):
            zeros += ssd_8xn(t.source, plane, 8, t.prediction, area + plane, 8, 8) < t.zero_ssd[CHROMA]
    if zeros == 2:
        copy_16xn(t.samples, area + CB, 16, t.prediction, area + CB, 16, 8)
        for block in range(16, 24):
            t.total[slot, block] = 0
        result = t.result[slot]
        result[T_CHROMA] = result[T_CHROMA_DC] = result[T_CHROMA_RATE] = 0
        return
    for component in range(2):
        plane = CB + 64 * component
        c = 64 * component
        forward_4x4_quad(coefs, c, t.source, plane, 8, t.prediction, area + plane, 8, 0)
        k0, k1, k2, k3 = np.int64(coefs[c]), np.int64(coefs[c + 16]), np.int64(coefs[c + 32]), np.int64(coefs[c + 48])
        for i in range(4, 16):
            coefs[_DC_COEFS + i] = 0
        coefs[_DC_COEFS], coefs[_DC_COEFS + 1] = k0 + k1 + k2 + k3, k0 - k1 + k2 - k3
        coefs[_DC_COEFS + 2], coefs[_DC_COEFS + 3] = k0 + k1 - k2 - k3, k0 - k1 - k2 + k3
        number, _, _ = choose_levels(
            levels, base + 16 * (LEVELS_CB_DC + component), coefs, _DC_COEFS, t.dc_factor, 16, shift + 1, 0, 4,
            CAT_CHROMA_DC, t.costs, weight, np.int64(0), t.dead_zone[intra],
        )  # fmt: skip
        if number:
            dc_flags |= 2 << component
        for index in range(4):
            at = (COUNTS_CR if component else COUNTS_CB) + 3 * (index >> 1) + (index & 1) + 4
            saved = _flag_gain(t.costs, CAT_CHROMA_AC, flag_increment(counts, at, 3, intra))
            row = base + 16 * (LEVELS_CB_AC + 4 * component + index)
            number, gain, _ = choose_levels(
                levels,
                row,
                coefs,
                c + 16 * index,
                t.factor,
                16,
                shift,
                1,
                15,
                CAT_CHROMA_AC,
                t.costs,
                weight,
                saved,
                t.dead_zone[intra],
            )
            levels[row] = 0
            counts[at] = number
            gain_ac += gain
            empty += number == 0
    t.transform_blocks += 10
    pattern = np.int64(1 if dc_flags else 0)
    if gain_ac > weight * (_EMPTY_CHROMA * empty + ONE_BIT):
        pattern = np.int64(2)
    rate = np.int64(0)
    for component in range(2):
        plane = area + CB + 64 * component
        row = base + 16 * (LEVELS_CB_DC + component)
        if pattern:
            rate += _dc_rate(t, row, 4, CAT_CHROMA_DC, (dc_flags >> (1 + component)) & 1, 1 + component, intra)
    for component in range(2):
        plane = area + CB + 64 * component
        ac = base + 16 * (LEVELS_CB_AC + 4 * component)
        for index in range(4):
            at = (COUNTS_CR if component else COUNTS_CB) + 3 * (index >> 1) + (index & 1) + 4
            if pattern == 2:
                rate += block_rate(t, ac + 16 * index, 1, 15, CAT_CHROMA_AC, at, 3, intra)
            else:
                counts[at] = 0
            t.total[slot, 16 + 4 * component + index] = counts[at]
        if pattern:
            _chroma_dc_coefs(coefs, levels, base + 16 * (LEVELS_CB_DC + component), np.int64(t.scale[16]))
            _add_quad(t, slot, plane, 8, ac, 256, pattern == 2, 16)
        else:
            copy_8xn(t.samples, plane, 8, t.prediction, plane, 8, 8)
    result = t.result[slot]
    result[T_CHROMA], result[T_CHROMA_DC], result[T_CHROMA_RATE] = pattern, dc_flags, rate


@kernel
def copy_chroma(t, slot, other):
    """Give a slot the coded chroma of another one, whose chroma prediction is the same."""
    to, since = slot * LEVELS_SLOT + 16 * LEVELS_LUMA_DC, other * LEVELS_SLOT + 16 * LEVELS_LUMA_DC
    copy_16xn(t.levels, to, 16, t.levels, since, 16, 11)
    copy_16xn(t.samples, slot * SAMPLES + CB, 16, t.samples, other * SAMPLES + CB, 16, 8)
    for block in range(16, 24):
        t.total[slot, block] = t.total[other, block]
    for field in (T_CHROMA, T_CHROMA_DC, T_CHROMA_RATE):
        t.result[slot, field] = t.result[other, field]
