"""Coding the residual of a macroblock on trial: levels, coded block pattern, reconstruction, rate.

All functions work on one slot of `Trials`: the prediction stands in `prediction`, levels go to `levels`, their counts
to `total` and `counts`, the reconstruction to `samples`. `r` are the registers of the macroblock (`state`).
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CAT_CHROMA_AC,
    CAT_CHROMA_DC,
    CAT_I16_AC,
    CAT_I16_DC,
    CAT_LUMA_4X4,
    CTX_CBP_CHROMA,
    CTX_CBP_LUMA,
    CTX_CODED_BLOCK_FLAG,
)
from asic_model.codecs.h264.macroblock import LEVELS_CB_AC, LEVELS_CB_DC, LEVELS_LUMA_DC
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y, ZIGZAG_4X4
from asic_model.engines.entropy.cavlc import TOKEN_COLUMN
from asic_model.engines.mode_decision.levels import choose_levels
from asic_model.engines.mode_decision.rate import ONE_BIT, block_rate_cabac, block_rate_cavlc
from asic_model.engines.mode_decision.state import (
    COUNTS_CB,
    COUNTS_CR,
    LEVELS_SLOT,
    R_CABAC,
    R_LEFT_CBP,
    R_LEFT_DC,
    R_P_SLICE,
    R_QP,
    R_QP_CB,
    R_QP_CR,
    R_TRANSFORM_BLOCKS,
    R_UP_CBP,
    R_UP_DC,
    R_WEIGHT,
    R_WEIGHT_CB,
    R_WEIGHT_CR,
    SAMPLES,
)
from asic_model.engines.transform.blocks import inverse_chroma_dc, inverse_luma_dc
from asic_model.engines.transform.quantiser import INTER_CB, INTER_Y, INTRA_CB, INTRA_Y, SHIFT_4X4
from asic_model.kernel_cache import kernel
from asic_model.simd.blocks import copy_8xn, copy_16xn
from asic_model.simd.transforms import forward_4x4, forward_4x4_quad, inverse_4x4_add, inverse_4x4_quad_add, scale_16

_FLAG = np.array(CTX_CODED_BLOCK_FLAG, np.int64)
# [blkIdx] -> place in `counts`
COUNT_AT = np.array([5 * (int(BLOCK_Y[b]) + 1) + int(BLOCK_X[b]) + 1 for b in range(16)], np.int64)
_BLOCK_OF_RASTER = np.array(
    [[b for b in range(16) if (BLOCK_X[b], BLOCK_Y[b]) == (i % 4, i // 4)][0] for i in range(16)], np.int64
)
_DC_AT = np.array([_BLOCK_OF_RASTER[int(raster)] for raster in ZIGZAG_4X4], np.int64)  # [scan position] -> blkIdx


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
    at = 2 * (_FLAG[cat] + inc)
    return np.int64(costs[at + 1]) - np.int64(costs[at])


@kernel
def block_rate(t, r, levels_offset, first, count, cat, at, width, intra):
    """Rate of one block with its coded_block_flag; `at`, `width` place it in `counts`, which says if it is empty."""
    if not r[R_CABAC]:
        return block_rate_cavlc(t.levels, levels_offset, first, count, _token_column(t.counts, at, width))
    flag = 2 * (_FLAG[cat] + flag_increment(t.counts, at, width, intra))
    if t.counts[at] == 0:
        return np.int64(t.costs[flag])
    return np.int64(t.costs[flag + 1]) + block_rate_cabac(t.costs, t.levels, levels_offset, first, count, cat)


@kernel
def _dc_rate(t, r, levels_offset, count, cat, coded, bit, intra):
    """Rate of a DC block with its flag."""
    if not r[R_CABAC]:
        column = np.int64(4) if cat == CAT_CHROMA_DC else _token_column(t.counts, COUNT_AT[0], 5)
        return block_rate_cavlc(t.levels, levels_offset, 0, count, column)
    left = r[R_LEFT_DC] if r[R_LEFT_DC] >= 0 else 7 * intra
    up = r[R_UP_DC] if r[R_UP_DC] >= 0 else 7 * intra
    flag = 2 * (_FLAG[cat] + ((left >> bit) & 1) + 2 * ((up >> bit) & 1))
    if not coded:
        return np.int64(t.costs[flag])
    return np.int64(t.costs[flag + 1]) + block_rate_cabac(t.costs, t.levels, levels_offset, 0, count, cat)


@kernel
def _pattern_bit_cost(t, r, pattern, quadrant):
    """(cost of bit 0, cost of bit 1) of a luma bit of coded_block_pattern; `pattern` holds the bits before it."""
    if not r[R_CABAC]:
        return np.int64(0), np.int64(ONE_BIT)
    left = (pattern >> (quadrant - 1)) if quadrant & 1 else (r[R_LEFT_CBP] >> (quadrant + 1))
    up = (pattern >> (quadrant - 2)) if quadrant & 2 else (r[R_UP_CBP] >> (quadrant + 2))
    at = 2 * (CTX_CBP_LUMA + 1 - (left & 1) + 2 * (1 - (up & 1)))
    return np.int64(t.costs[at]), np.int64(t.costs[at + 1])


@kernel
def pattern_rate_cabac(costs, r, pattern):
    """coded_block_pattern (9.3.3.1.1.4)."""
    rate = np.int64(0)
    for quadrant in range(4):
        left = (pattern >> (quadrant - 1)) if quadrant & 1 else (r[R_LEFT_CBP] >> (quadrant + 1))
        up = (pattern >> (quadrant - 2)) if quadrant & 2 else (r[R_UP_CBP] >> (quadrant + 2))
        at = 2 * (CTX_CBP_LUMA + 1 - (left & 1) + 2 * (1 - (up & 1)))
        rate += costs[at + ((pattern >> quadrant) & 1)]
    chroma, left, up = pattern >> 4, r[R_LEFT_CBP] >> 4, r[R_UP_CBP] >> 4
    at = 2 * (CTX_CBP_CHROMA + (1 if left else 0) + (2 if up else 0))
    rate += costs[at + (1 if chroma else 0)]
    if chroma:
        rate += costs[2 * (CTX_CBP_CHROMA + 4 + (left >> 1) + 2 * (up >> 1)) + (chroma >> 1)]
    return rate


@kernel
def code_luma(t, r, q, slot, source, source_offset, source_stride, number):
    """Luma as sixteen 4x4 blocks, inter (`number` INTER_Y); returns (luma bits of the pattern, rate of the blocks).

    A quadrant whose levels gain less than they and its pattern bit cost is left zero.
    """
    qp = r[R_QP]
    levels, coefs, counts = t.levels, t.coefs, t.counts
    base = slot * LEVELS_SLOT
    area = slot * SAMPLES
    weight = r[R_WEIGHT]
    factor_offset = (number * 6 + qp % 6) * 16
    scale_offset = (number * 52 + qp) * 16
    pattern = np.int64(0)
    rate = np.int64(0)
    for quadrant in range(4):
        x, y = 8 * (quadrant & 1), 8 * (quadrant >> 1)
        at_prediction = area + 16 * y + x
        forward_4x4_quad(
            coefs, 0, source, source_offset + y * source_stride + x, source_stride, t.prediction, at_prediction, 16, 0
        )
        gain = np.int64(0)
        flags = np.int64(0)
        for index in range(4):
            block = 4 * quadrant + index
            at = COUNT_AT[block]
            saved = _flag_gain(t.costs, CAT_LUMA_4X4, flag_increment(counts, at, 5, 0))
            number_of_levels, block_gain = choose_levels(
                levels, base + 16 * block, coefs, 16 * index, q.factor_4x4, factor_offset, SHIFT_4X4 + qp // 6,
                0, 16, CAT_LUMA_4X4, t.costs, weight, saved,
            )  # fmt: skip
            counts[at] = number_of_levels
            gain += block_gain
            if number_of_levels == 0:
                flags += 100  # an empty block's flag, on average
        if gain > 0:
            zero, one = _pattern_bit_cost(t, r, pattern, quadrant)
            if gain <= weight * (one - zero + flags):
                gain = np.int64(0)
        if gain == 0:
            for index in range(4):
                counts[COUNT_AT[4 * quadrant + index]] = 0
                t.total[slot, 4 * quadrant + index] = 0
            copy_8xn(t.samples, at_prediction, 16, t.prediction, at_prediction, 16, 8)
            continue
        pattern |= 1 << quadrant
        for index in range(4):
            block = 4 * quadrant + index
            at = COUNT_AT[block]
            t.total[slot, block] = counts[at]
            rate += block_rate(t, r, base + 16 * block, 0, 16, CAT_LUMA_4X4, at, 5, 0)
            scale_16(coefs, 16 * index, levels, base + 16 * block, q.scale_4x4, scale_offset)
        inverse_4x4_quad_add(t.samples, at_prediction, 16, t.prediction, at_prediction, 16, coefs, 0, 0)
    r[R_TRANSFORM_BLOCKS] += 16
    return pattern, rate


@kernel
def code_block(t, r, q, slot, block, source, source_offset, source_stride, target, target_offset, target_stride):
    """One Intra4x4 block, predicted in t.predictions[0..15] (stride 4), reconstructed to `target`; return its rate."""
    qp = r[R_QP]
    base = slot * LEVELS_SLOT + 16 * block
    at = COUNT_AT[block]
    forward_4x4(t.coefs, 0, source, source_offset, source_stride, target, target_offset, target_stride, 0)
    saved = _flag_gain(t.costs, CAT_LUMA_4X4, flag_increment(t.counts, at, 5, 1))
    number, _ = choose_levels(
        t.levels, base, t.coefs, 0, q.factor_4x4, (INTRA_Y * 6 + qp % 6) * 16, SHIFT_4X4 + qp // 6,
        0, 16, CAT_LUMA_4X4, t.costs, r[R_WEIGHT], saved,
    )  # fmt: skip
    t.counts[at] = number
    t.total[slot, block] = number
    r[R_TRANSFORM_BLOCKS] += 1
    if number:
        scale_16(t.coefs, 0, t.levels, base, q.scale_4x4, (INTRA_Y * 52 + qp) * 16)
        inverse_4x4_add(target, target_offset, target_stride, target, target_offset, target_stride, t.coefs, 0, 0)
    return block_rate(t, r, base, 0, 16, CAT_LUMA_4X4, at, 5, 1)


@kernel
def code_luma_16x16(t, r, q, slot, source, source_offset, source_stride):
    """Luma of Intra16x16. Returns (luma bits of the pattern: 0 or 15, 1 if DC levels, rate of the blocks)."""
    qp = r[R_QP]
    levels, coefs, counts = t.levels, t.coefs, t.counts
    base, area = slot * LEVELS_SLOT, slot * SAMPLES
    factor_offset = (INTRA_Y * 6 + qp % 6) * 16
    scale_offset = (INTRA_Y * 52 + qp) * 16
    gain = np.int64(0)
    empty = np.int64(0)
    for quadrant in range(4):
        x, y = 8 * (quadrant & 1), 8 * (quadrant >> 1)
        forward_4x4_quad(
            coefs, 64 * quadrant, source, source_offset + y * source_stride + x, source_stride,
            t.prediction, area + 16 * y + x, 16, 0,
        )  # fmt: skip
    for block in range(16):
        at = COUNT_AT[block]
        saved = _flag_gain(t.costs, CAT_I16_AC, flag_increment(counts, at, 5, 1))
        number, block_gain = choose_levels(
            levels, base + 16 * block, coefs, 16 * block, q.factor_4x4, factor_offset, SHIFT_4X4 + qp // 6,
            1, 15, CAT_I16_AC, t.costs, r[R_WEIGHT], saved,
        )  # fmt: skip
        levels[base + 16 * block] = 0
        counts[at] = number
        gain += block_gain
        empty += number == 0
    pattern = np.int64(15 if gain > r[R_WEIGHT] * 100 * empty else 0)
    # DC: Hadamard sums, halved so that they fit 16 bits (8.5.10 the other way round)
    values = np.empty(16, np.int64)
    for i in range(16):
        values[i] = coefs[16 * _BLOCK_OF_RASTER[i]]
    for axis in range(2):
        step, line = (1, 4) if axis == 0 else (4, 1)
        for i in range(4):
            k = i * line
            a, b, c, d = values[k], values[k + step], values[k + 2 * step], values[k + 3 * step]
            values[k], values[k + step] = a + b + c + d, a + b - c - d
            values[k + 2 * step], values[k + 3 * step] = a - b - c + d, a - b + c - d
    dc = base + 16 * LEVELS_LUMA_DC
    for i in range(16):
        coefs[288 + i] = values[ZIGZAG_4X4[i]] >> 1
    number, _ = choose_levels(
        levels, dc, coefs, 288, t.dc_factor, 16 * (qp % 6), SHIFT_4X4 + qp // 6 + 1, 0, 16, CAT_I16_DC, t.costs,
        r[R_WEIGHT], np.int64(0),
    )  # fmt: skip
    rate = _dc_rate(t, r, dc, 16, CAT_I16_DC, number, 0, 1)
    inverse_luma_dc(coefs, levels, dc, q, INTRA_Y, qp, 0)
    for block in range(16):
        if not pattern:
            counts[COUNT_AT[block]] = 0
        t.total[slot, block] = counts[COUNT_AT[block]]
    for quadrant in range(4):
        for index in range(4):
            block = 4 * quadrant + index
            if pattern:
                rate += block_rate(t, r, base + 16 * block, 1, 15, CAT_I16_AC, COUNT_AT[block], 5, 1)
                scale_16(coefs, 16 * index, levels, base + 16 * block, q.scale_4x4, scale_offset)
            else:
                for i in range(16):
                    coefs[16 * index + i] = 0
            coefs[16 * index] = coefs[256 + block]
        at = area + 128 * (quadrant >> 1) + 8 * (quadrant & 1)
        inverse_4x4_quad_add(t.samples, at, 16, t.prediction, at, 16, coefs, 0, 0)
    r[R_TRANSFORM_BLOCKS] += 17
    return pattern, np.int64(1 if number else 0), rate


@kernel
def code_chroma(t, r, q, slot, source, source_u, source_v, source_stride, intra):
    """Both chroma components. Returns (chroma part of the pattern, flags of DC in bits 1 and 2, rate of the blocks)."""
    levels, coefs, counts = t.levels, t.coefs, t.counts
    base, area = slot * LEVELS_SLOT, slot * SAMPLES
    first_list = INTRA_CB if intra else INTER_CB
    gain_ac = gain_dc = np.int64(0)
    empty = np.int64(0)
    dc_flags = np.int64(0)
    for component in range(2):
        qp = r[R_QP_CB + component]
        weight = r[R_WEIGHT_CB + component]
        plane = area + 256 + 64 * component
        factor_offset = ((first_list + component) * 6 + qp % 6) * 16
        c = 128 * component
        forward_4x4_quad(
            coefs, c, source, source_v if component else source_u, source_stride, t.prediction, plane, 8, 0
        )
        k0, k1, k2, k3 = np.int64(coefs[c]), np.int64(coefs[c + 16]), np.int64(coefs[c + 32]), np.int64(coefs[c + 48])
        for i in range(4, 16):
            coefs[288 + i] = 0
        coefs[288], coefs[289] = k0 + k1 + k2 + k3, k0 - k1 + k2 - k3
        coefs[290], coefs[291] = k0 + k1 - k2 - k3, k0 - k1 - k2 + k3
        row = base + 16 * (LEVELS_CB_DC + component)
        number, gain = choose_levels(
            levels, row, coefs, 288, t.dc_factor, 16 * (qp % 6), SHIFT_4X4 + qp // 6 + 1, 0, 4, CAT_CHROMA_DC,
            t.costs, weight, np.int64(0),
        )  # fmt: skip
        gain_dc += gain
        if number:
            dc_flags |= 2 << component
        at = COUNTS_CR if component else COUNTS_CB
        for index in range(4):
            place = at + 3 * ((index >> 1) + 1) + (index & 1) + 1
            saved = _flag_gain(t.costs, CAT_CHROMA_AC, flag_increment(counts, place, 3, intra))
            row = base + 16 * (LEVELS_CB_AC + 4 * component + index)
            number, gain = choose_levels(
                levels, row, coefs, c + 16 * index, q.factor_4x4, factor_offset, SHIFT_4X4 + qp // 6,
                1, 15, CAT_CHROMA_AC, t.costs, weight, saved,
            )  # fmt: skip
            levels[row] = 0
            counts[place] = number
            gain_ac += gain
            empty += number == 0
    r[R_TRANSFORM_BLOCKS] += 10
    pattern = np.int64(1 if dc_flags else 0)
    if gain_ac > r[R_WEIGHT_CB] * (60 * empty + ONE_BIT):
        pattern = np.int64(2)
    rate = np.int64(0)
    for component in range(2):
        qp = r[R_QP_CB + component]
        plane = area + 256 + 64 * component
        at = COUNTS_CR if component else COUNTS_CB
        row = base + 16 * (LEVELS_CB_DC + component)
        ac = base + 16 * (LEVELS_CB_AC + 4 * component)
        if pattern:
            coded = (dc_flags >> (1 + component)) & 1
            rate += _dc_rate(t, r, row, 4, CAT_CHROMA_DC, coded, 1 + component, intra)
            inverse_chroma_dc(coefs, levels, row, q, first_list + component, qp, 0)
        scale_offset = ((first_list + component) * 52 + qp) * 16
        for index in range(4):
            place = at + 3 * ((index >> 1) + 1) + (index & 1) + 1
            if pattern < 2:
                counts[place] = 0
            else:
                rate += block_rate(t, r, ac + 16 * index, 1, 15, CAT_CHROMA_AC, place, 3, intra)
            t.total[slot, 16 + 4 * component + index] = counts[place]
        if not pattern:
            copy_8xn(t.samples, plane, 8, t.prediction, plane, 8, 8)
            continue
        for index in range(4):
            if pattern == 2:
                scale_16(coefs, 16 * index, levels, ac + 16 * index, q.scale_4x4, scale_offset)
            else:
                for i in range(16):
                    coefs[16 * index + i] = 0
            coefs[16 * index] = coefs[256 + index]
        inverse_4x4_quad_add(t.samples, plane, 8, t.prediction, plane, 8, coefs, 0, 0)
    return pattern, dc_flags, rate
