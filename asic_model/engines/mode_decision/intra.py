"""Intra macroblocks: choice of prediction modes by SATD, coding on trial in the window of `t`."""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CTX_INTRA_CHROMA_MODE,
    CTX_MB_QP_DELTA,
    CTX_PREV_INTRA_MODE_FLAG,
    CTX_REM_INTRA_MODE,
)
from asic_model.codecs.h264.macroblock import I_4X4, I_8X8, I_16X16
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
from asic_model.engines.entropy.binarization import B_TYPES, INTRA_TYPES, P_TYPES
from asic_model.engines.entropy.cavlc import CBP_CODE_NUM
from asic_model.engines.intra_prediction import (
    ALLOWED_4X4,
    ALLOWED_16X16,
    ALLOWED_CHROMA,
    CORNER,
    LEFT,
    TOP,
    TOP_RIGHT,
    gather_4x4,
    gather_8x8,
    predict_4x4_all,
    predict_8x8_all,
    predict_16x16,
    predict_chroma,
)
from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS
from asic_model.engines.mode_decision.rate import ONE_BIT, se_rate, string_rate, ue_rate
from asic_model.engines.mode_decision.residual import (
    BLOCK_OF_RASTER,
    code_block,
    code_block_8x8,
    code_chroma,
    code_luma_16x16,
    copy_chroma,
    pattern_rate_cabac,
    transform_flag_rate,
)
from asic_model.engines.mode_decision.state import (
    CB,
    CR,
    INTRA,
    NEVER,
    SAMPLES,
    SLICE_I,
    SLICE_P,
    T_8X8,
    T_CBP,
    T_CHROMA,
    T_CHROMA_DC,
    T_CHROMA_MODE,
    T_CHROMA_RATE,
    T_DC,
    T_I16_MODE,
    T_RATE,
    T_TYPE,
    WINDOW_CB,
    WINDOW_CHROMA_STRIDE,
    WINDOW_CR,
    WINDOW_STRIDE,
    WINDOW_Y,
)
from asic_model.kernel_cache import kernel
from asic_model.simd.blocks import copy_4xn, copy_8xn, copy_16xn
from asic_model.simd.compare import satd_8xn, satd_16xn, ssd_8xn
from asic_model.simd.search import satd_4x4_nine

# [mask of modes]: how many
MODES_ALLOWED = np.array([bin(mask).count("1") for mask in range(512)], np.int64)
# [y]: bit (x + 1) is set when the block above right of 4x4 block (x, y) is coded before it, y > 0
_ABOVE_RIGHT_CODED = (0, 0b01010, 0b01110, 0b01010)


@kernel
def _on_satd_scale(t, rate):
    """A rate in 1/256 bit as a SATD cost."""
    return (t.lambda_motion * rate) >> (MOTION_LAMBDA_BITS + 8)


@kernel
def trial_cost(t, ssd, rate):
    """Cost of a trial, or of a part of one: (SSD << 8) + lambda * rate."""
    return (ssd << 8) + ((t.lambda_mode * rate) >> 8)


@kernel
def choose_16x16(t, slot):
    """Predict with the best Intra16x16 mode into the slot; return (mode, SATD)."""
    best_mode, best = np.int64(-1), np.int64(NEVER)
    allowed = ALLOWED_16X16[t.available]
    area = slot * SAMPLES
    corner = WINDOW_Y - WINDOW_STRIDE - 1
    for mode in range(4):
        if not (allowed >> mode) & 1:
            continue
        predict_16x16(t.prediction, area, 16, mode, t.window, WINDOW_Y, WINDOW_STRIDE, corner, t.available)
        cost = satd_16xn(t.source, 0, 16, t.prediction, area, 16, 16)
        t.intra_blocks += 16
        if cost < best:
            best_mode, best = np.int64(mode), cost
    predict_16x16(t.prediction, area, 16, best_mode, t.window, WINDOW_Y, WINDOW_STRIDE, corner, t.available)
    return best_mode, best


@kernel
def chroma_mode_rate(t, mode):
    """intra_chroma_pred_mode."""
    if not t.cabac:
        return ue_rate(mode)
    first = 2 * (CTX_INTRA_CHROMA_MODE + t.chroma_inc)
    if mode == 0:
        return np.int64(t.costs[first])
    following = 2 * (CTX_INTRA_CHROMA_MODE + 3)
    rate = np.int64(t.costs[first + 1]) + (mode - 1) * np.int64(t.costs[following + 1])
    if mode < 3:
        rate += np.int64(t.costs[following])
    return rate


@kernel
def _predict_chroma(t, slot, mode):
    area = slot * SAMPLES
    stride = WINDOW_CHROMA_STRIDE
    predict_chroma(t.prediction, area + CB, 8, mode, t.window, WINDOW_CB, stride, WINDOW_CB - stride - 1, t.available)
    predict_chroma(t.prediction, area + CR, 8, mode, t.window, WINDOW_CR, stride, WINDOW_CR - stride - 1, t.available)


@kernel
def choose_chroma(t, slot):
    """Predict chroma with the best intra mode into the slot; return the mode."""
    best_mode, best = np.int64(0), np.int64(NEVER)
    allowed = ALLOWED_CHROMA[t.available]
    area = slot * SAMPLES
    for mode in range(4):
        if not (allowed >> mode) & 1:
            continue
        _predict_chroma(t, slot, mode)
        cost = _on_satd_scale(t, chroma_mode_rate(t, mode))
        cost += satd_8xn(t.source, CB, 8, t.prediction, area + CB, 8, 8)
        cost += satd_8xn(t.source, CR, 8, t.prediction, area + CR, 8, 8)
        t.intra_blocks += 8
        if cost < best:
            best_mode, best = np.int64(mode), cost
    _predict_chroma(t, slot, best_mode)
    return best_mode


@kernel
def _intra_type_rate(t, i16, pattern, mode):
    """mb_type of an intra macroblock in any slice (Tables 9-36, 9-37, 7-11)."""
    number = 1 + mode + 4 * (pattern >> 4) + (12 if pattern & 15 else 0) if i16 else np.int64(0)
    if not t.cabac:
        return ue_rate(number + (0 if t.slice_type == SLICE_I else (5 if t.slice_type == SLICE_P else 23)))
    if t.slice_type == SLICE_I:
        return string_rate(t.costs, INTRA_TYPES, number, t.type_inc)
    if t.slice_type == SLICE_P:
        return string_rate(t.costs, P_TYPES, 4, 0) + string_rate(t.costs, INTRA_TYPES, 26 + number, 0)
    return string_rate(t.costs, B_TYPES, 23, t.type_inc) + string_rate(t.costs, INTRA_TYPES, 52 + number, 0)


@kernel
def qp_delta_rate(t):
    """mb_qp_delta, as if a change were by one."""
    if not t.cabac:
        return se_rate(t.qp_changed)
    first = 2 * CTX_MB_QP_DELTA
    if not t.qp_changed:
        return np.int64(t.costs[first])
    return np.int64(t.costs[first + 1]) + np.int64(t.costs[first + 4])


@kernel
def try_16x16(t, slot, mode):
    """Code luma as Intra16x16 from the slot's prediction; chroma comes after (`finish_intra`)."""
    pattern, dc, rate = code_luma_16x16(t, slot)
    result = t.result[slot]
    result[T_TYPE], result[T_I16_MODE] = I_16X16, mode
    result[T_CBP], result[T_DC], result[T_RATE], result[T_8X8] = pattern, dc, rate, 0


@kernel
def finish_intra(t, slot, chroma_mode, other):
    """Code chroma from the slot's prediction and add the rates of all syntax elements.

    other : a slot with the same chroma prediction, coded: its chroma is taken; -1: none
    """
    result = t.result[slot]
    if other < 0:
        code_chroma(t, slot, INTRA)
    else:
        copy_chroma(t, slot, other)
    rate = result[T_CHROMA_RATE]
    pattern = result[T_CBP] | result[T_CHROMA] << 4
    i16 = result[T_TYPE] == I_16X16
    rate += _intra_type_rate(t, i16, pattern, result[T_I16_MODE]) + chroma_mode_rate(t, chroma_mode)
    if not i16:
        rate += pattern_rate_cabac(t, pattern) if t.cabac else ue_rate(np.int64(CBP_CODE_NUM[0, 0, pattern]))
        if t.transform_8x8:
            rate += transform_flag_rate(t, result[T_8X8])
    if i16 or pattern:
        rate += qp_delta_rate(t)
    result[T_CBP], result[T_CHROMA_MODE] = pattern, chroma_mode
    result[T_DC] |= result[T_CHROMA_DC]
    result[T_RATE] += rate


@kernel
def _mode_rates(t):
    """(rate of the predicted mode, about that of any other one)."""
    if t.cabac:
        flag = 2 * CTX_PREV_INTRA_MODE_FLAG
        return np.int64(t.costs[flag + 1]), np.int64(t.costs[flag]) + 3 * ONE_BIT
    return np.int64(ONE_BIT), np.int64(4 * ONE_BIT)


@kernel
def _mode_rate(t, mode, likely):
    """prev_intra_pred_mode_flag and rem_intra_pred_mode of `mode` where `likely` is predicted."""
    if mode == likely:
        return np.int64(t.costs[2 * CTX_PREV_INTRA_MODE_FLAG + 1]) if t.cabac else np.int64(ONE_BIT)
    if not t.cabac:
        return np.int64(4 * ONE_BIT)
    code = mode - (1 if mode > likely else 0)
    rate = np.int64(t.costs[2 * CTX_PREV_INTRA_MODE_FLAG])
    for bit in range(3):
        rate += t.costs[2 * CTX_REM_INTRA_MODE + ((code >> bit) & 1)]
    return rate


@kernel
def _modes_predicted(t, allowed):
    """Predictions of a 4x4 block that the work record counts: RTL leaves out modes that are not allowed, a search by
    trials is taken to make all nine."""
    return MODES_ALLOWED[allowed] if t.single_pass else np.int64(9)


@kernel
def _quadrant_distortion(t, quadrant):
    """SSD of a quadrant in the window against the source."""
    x, y = 8 * (quadrant & 1), 8 * (quadrant >> 1)
    return ssd_8xn(t.source, 16 * y + x, 16, t.window, WINDOW_Y + y * WINDOW_STRIDE + x, WINDOW_STRIDE, 8)


@kernel
def try_4x4(t, slot, limit, most):
    """Code luma as Intra4x4 in the window, block by block with the best mode by SATD; chroma comes after.

    Returns False, the trial unfinished, as soon as the sum of SATD and mode rates passes `limit`, or after the quadrant
    with which luma alone costs `most` (on the scale of T_COST).
    """
    own = t.intra_mode[slot]
    rate = ssd = np.int64(0)
    total = np.int64(0)
    pattern = np.int64(0)
    likely_rate, other_rate = _mode_rates(t)
    likely_cost, other_cost = _on_satd_scale(t, likely_rate), _on_satd_scale(t, other_rate)
    for block in range(16):
        x, y = np.int64(BLOCK_X[block]), np.int64(BLOCK_Y[block])
        left_there = x > 0 or t.left >= 0
        up_there = y > 0 or t.up >= 0
        available = (LEFT if left_there else 0) | (TOP if up_there else 0)
        if y > 0:
            corner_there = left_there
            right_there = (_ABOVE_RIGHT_CODED[y] >> (x + 1)) & 1 != 0
        else:
            corner_there = t.up >= 0 if x > 0 else t.up_left >= 0
            right_there = t.up >= 0 if x < 3 else t.up_right >= 0
        available |= (CORNER if corner_there else 0) | (TOP_RIGHT if right_there else 0)
        at = WINDOW_Y + 4 * (y * WINDOW_STRIDE + x)
        dc = gather_4x4(t.line, t.window, at, WINDOW_STRIDE, at - WINDOW_STRIDE - 1, available)
        predict_4x4_all(t.predictions, t.line, dc)
        satd_4x4_nine(t.source, 64 * y + 4 * x, 16, t.predictions, t.intra_costs)
        left = own[BLOCK_OF_RASTER[4 * y + x - 1]] if x > 0 else t.left_modes[y]
        up = own[BLOCK_OF_RASTER[4 * y + x - 4]] if y > 0 else t.up_modes[x]
        likely = np.int64(2) if left < 0 or up < 0 else min(left, up)
        allowed = ALLOWED_4X4[available]
        best_mode, best = np.int64(2), np.int64(NEVER)
        for mode in range(9):
            if (allowed >> mode) & 1:
                cost = np.int64(t.intra_costs[mode]) + (likely_cost if mode == likely else other_cost)
                if cost < best:
                    best_mode, best = np.int64(mode), cost
        t.intra_blocks += _modes_predicted(t, allowed)
        own[block] = best_mode
        total += best
        if total > limit:
            return False
        rate += _mode_rate(t, best_mode, likely)
        copy_4xn(t.window, at, WINDOW_STRIDE, t.predictions, 16 * best_mode, 4, 4)
        rate += code_block(t, slot, block)
        if t.total[slot, block]:
            pattern |= 1 << (block >> 2)
        if block & 3 == 3 and most < NEVER:
            ssd += _quadrant_distortion(t, block >> 2)
            if trial_cost(t, ssd, rate) >= most:
                # The work record is that of an engine that ends every trial.
                t.intra_blocks += 9 * (15 - block)
                t.transform_blocks += 15 - block
                return False
    # Quadrants without levels send no flags after all; the few they were charged with stay in the rate.
    copy_16xn(t.samples, slot * SAMPLES, 16, t.window, WINDOW_Y, WINDOW_STRIDE, 16)
    result = t.result[slot]
    result[T_TYPE], result[T_I16_MODE] = I_4X4, 0
    result[T_CBP], result[T_DC], result[T_RATE], result[T_8X8] = pattern, 0, rate, 0
    return True


@kernel
def try_8x8(t, slot, most):
    """Code luma as Intra8x8 in the window, block by block with the best mode by SATD; chroma comes after.

    Returns False, the trial unfinished, after the block with which luma alone costs `most` (on the scale of T_COST).
    """
    own = t.intra_mode[slot]
    rate = ssd = np.int64(0)
    pattern = np.int64(0)
    likely_rate, other_rate = _mode_rates(t)
    likely_cost, other_cost = _on_satd_scale(t, likely_rate), _on_satd_scale(t, other_rate)
    for quadrant in range(4):
        x, y = quadrant & 1, quadrant >> 1
        left_there = x > 0 or t.left >= 0
        up_there = y > 0 or t.up >= 0
        if y > 0:
            corner_there = left_there
            right_there = x == 0
        else:
            corner_there = t.up >= 0 if x > 0 else t.up_left >= 0
            right_there = t.up >= 0 if x == 0 else t.up_right >= 0
        available = (LEFT if left_there else 0) | (TOP if up_there else 0)
        available |= (CORNER if corner_there else 0) | (TOP_RIGHT if right_there else 0)
        at = WINDOW_Y + 8 * (y * WINDOW_STRIDE + x)
        dc = gather_8x8(t.line, t.window, at, WINDOW_STRIDE, at - WINDOW_STRIDE - 1, available)
        predict_8x8_all(t.predictions, t.line, dc)
        # the neighbours are the 4x4 blocks next to the block's first one (8.3.2.1)
        left = np.int64(own[4 * (quadrant - 1)] if x > 0 else t.left_modes[2 * y])
        up = np.int64(own[4 * (quadrant - 2)] if y > 0 else t.up_modes[2 * x])
        likely = np.int64(2) if left < 0 or up < 0 else min(left, up)
        allowed = ALLOWED_4X4[available]
        best_mode, best = np.int64(2), np.int64(NEVER)
        for mode in range(9):
            if (allowed >> mode) & 1:
                cost = satd_8xn(t.source, 128 * y + 8 * x, 16, t.predictions, 64 * mode, 8, 8)
                cost += likely_cost if mode == likely else other_cost
                if cost < best:
                    best_mode, best = np.int64(mode), cost
        t.intra_blocks += 36
        for index in range(4):
            own[4 * quadrant + index] = best_mode
        rate += _mode_rate(t, best_mode, likely)
        copy_8xn(t.window, at, WINDOW_STRIDE, t.predictions, 64 * best_mode, 8, 8)
        number, block_rate = code_block_8x8(t, slot, quadrant)
        rate += block_rate
        if number:
            pattern |= 1 << quadrant
        if most < NEVER:
            ssd += _quadrant_distortion(t, quadrant)
            if trial_cost(t, ssd, rate) >= most:
                t.intra_blocks += 36 * (3 - quadrant)  # as in `try_4x4`
                t.transform_blocks += 4 * (3 - quadrant)
                return False
    copy_16xn(t.samples, slot * SAMPLES, 16, t.window, WINDOW_Y, WINDOW_STRIDE, 16)
    result = t.result[slot]
    result[T_TYPE], result[T_I16_MODE] = I_8X8, 0
    result[T_CBP], result[T_DC], result[T_RATE], result[T_8X8] = pattern, 0, rate, 1
    return True
