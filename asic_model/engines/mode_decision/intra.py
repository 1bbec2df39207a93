"""Intra macroblocks: choice of prediction modes by SATD, coding on trial."""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CTX_INTRA_CHROMA_MODE,
    CTX_MB_TYPE_I,
    CTX_MB_TYPE_P,
    CTX_MB_TYPE_P_INTRA,
    CTX_PREV_INTRA_MODE_FLAG,
    CTX_REM_INTRA_MODE,
)
from asic_model.codecs.h264.macroblock import I_4X4, I_16X16
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
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
    predict_4x4_all,
    predict_16x16,
    predict_chroma,
)
from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS
from asic_model.engines.mode_decision.rate import ONE_BIT, se_rate, ue_rate
from asic_model.engines.mode_decision.residual import code_block, code_chroma, code_luma_16x16, pattern_rate_cabac
from asic_model.engines.mode_decision.state import (
    NEVER,
    R_AVAILABLE,
    R_CABAC,
    R_CHROMA_INC,
    R_INTRA_BLOCKS,
    R_LAMBDA_MOTION,
    R_LEFT,
    R_P_SLICE,
    R_QP_CHANGED,
    R_TYPE_INC,
    R_UP,
    R_UP_RIGHT,
    SAMPLES,
    T_CBP,
    T_CHROMA_MODE,
    T_DC,
    T_I16_MODE,
    T_RATE,
    T_TYPE,
)
from asic_model.kernel_cache import kernel
from asic_model.simd.blocks import copy_4xn, copy_8xn, copy_16xn
from asic_model.simd.compare import satd_8xn, satd_16xn
from asic_model.simd.search import satd_4x4_nine

# [y]: bit (x + 1) is set when the block above right of 4x4 block (x, y) is coded before it, y > 0
_ABOVE_RIGHT_CODED = (0, 0b01010, 0b01110, 0b01010)
_BLOCK_INDEX = np.array([0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15], np.int64)  # raster -> blkIdx


@kernel
def _motion_cost(rate, r):
    """A rate in 1/256 bit on the scale of SATD."""
    return (r[R_LAMBDA_MOTION] * rate) >> (MOTION_LAMBDA_BITS + 8)


@kernel
def choose_16x16(t, r, slot, source, source_y, source_stride, recon, recon_y, recon_stride):
    """Predict with the best Intra16x16 mode into the slot; return (mode, SATD)."""
    best_mode, best = np.int64(-1), np.int64(NEVER)
    allowed = ALLOWED_16X16[r[R_AVAILABLE]]
    area = slot * SAMPLES
    corner = recon_y - recon_stride - 1
    for mode in range(4):
        if not (allowed >> mode) & 1:
            continue
        predict_16x16(t.prediction, area, 16, mode, recon, recon_y, recon_stride, corner, r[R_AVAILABLE])
        cost = satd_16xn(source, source_y, source_stride, t.prediction, area, 16, 16)
        r[R_INTRA_BLOCKS] += 16
        if cost < best:
            best_mode, best = np.int64(mode), cost
    if best_mode != 3:
        predict_16x16(t.prediction, area, 16, best_mode, recon, recon_y, recon_stride, corner, r[R_AVAILABLE])
    return best_mode, best


@kernel
def chroma_mode_rate(t, r, mode):
    if not r[R_CABAC]:
        return ue_rate(mode)
    first = 2 * (CTX_INTRA_CHROMA_MODE + r[R_CHROMA_INC])
    if mode == 0:
        return np.int64(t.costs[first])
    rate = np.int64(t.costs[first + 1])
    following = 2 * (CTX_INTRA_CHROMA_MODE + 3)
    rate += (mode - 1) * np.int64(t.costs[following + 1])
    if mode < 3:
        rate += np.int64(t.costs[following])
    return rate


@kernel
def choose_chroma(t, r, slot, source, source_u, source_v, source_stride, recon, recon_u, recon_v, recon_stride):
    """Predict chroma with the best intra mode into the slot; return the mode."""
    best_mode, best = np.int64(0), np.int64(NEVER)
    last = np.int64(0)
    allowed = ALLOWED_CHROMA[r[R_AVAILABLE]]
    area = slot * SAMPLES
    for step in range(5):
        mode = best_mode if step == 4 else np.int64(step)
        if not (allowed >> mode) & 1 or (step == 4 and mode == last):
            continue
        cost = _motion_cost(chroma_mode_rate(t, r, mode), r)
        last = mode
        for component in range(2):
            plane = recon_v if component else recon_u
            at = area + 256 + 64 * component
            corner = plane - recon_stride - 1
            predict_chroma(t.prediction, at, 8, mode, recon, plane, recon_stride, corner, r[R_AVAILABLE])
            if step < 4:
                origin = source_v if component else source_u
                cost += satd_8xn(source, origin, source_stride, t.prediction, at, 8, 8)
        if step < 4:
            r[R_INTRA_BLOCKS] += 8
            if cost < best:
                best_mode, best = mode, cost
    return best_mode


@kernel
def _intra_type_rate(t, r, i16, pattern, mode):
    """mb_type of an intra macroblock (Tables 9-36, 9-38, 7-11)."""
    if not r[R_CABAC]:
        number = 1 + mode + 4 * (pattern >> 4) + (12 if pattern & 15 else 0) if i16 else 0
        return ue_rate(number + 5 * r[R_P_SLICE])
    rate = np.int64(0)
    if r[R_P_SLICE]:
        rate += t.costs[2 * CTX_MB_TYPE_P + 1]
        base, inc = CTX_MB_TYPE_P_INTRA, 0
        luma, chroma, which, high, low = base + 1, base + 2, base + 2, base + 3, base + 3
    else:
        base, inc = CTX_MB_TYPE_I, r[R_TYPE_INC]
        luma, chroma, which, high, low = base + 3, base + 4, base + 5, base + 6, base + 7
    if not i16:
        return rate + t.costs[2 * (base + inc)]
    rate += np.int64(t.costs[2 * (base + inc) + 1]) + 3
    rate += t.costs[2 * luma + (1 if pattern & 15 else 0)]
    rate += t.costs[2 * chroma + (1 if pattern >> 4 else 0)]
    if pattern >> 4:
        rate += t.costs[2 * which + (pattern >> 5)]
    return rate + t.costs[2 * high + (mode >> 1)] + t.costs[2 * low + (mode & 1)]


@kernel
def qp_delta_rate(t, r):
    """mb_qp_delta, as if a change were by one."""
    if not r[R_CABAC]:
        return se_rate(np.int64(r[R_QP_CHANGED]))
    at = 2 * 60
    if not r[R_QP_CHANGED]:
        return np.int64(t.costs[at])
    return np.int64(t.costs[at + 1]) + np.int64(t.costs[at + 4])


@kernel
def try_16x16(t, r, q, slot, mode, source, source_y, source_stride):
    """Code luma as Intra16x16 from the slot's prediction; chroma comes after. Fills the result but for chroma."""
    pattern, dc, rate = code_luma_16x16(t, r, q, slot, source, source_y, source_stride)
    result = t.result[slot]
    result[T_TYPE], result[T_I16_MODE] = I_16X16, mode
    result[T_CBP], result[T_DC], result[T_RATE] = pattern, dc, rate


@kernel
def finish_intra(t, r, q, slot, chroma_mode, source, source_u, source_v, source_stride):
    """Code chroma from the slot's prediction and add the rates of all syntax elements."""
    result = t.result[slot]
    chroma, dc_flags, rate = code_chroma(t, r, q, slot, source, source_u, source_v, source_stride, 1)
    pattern = result[T_CBP] | chroma << 4
    i16 = result[T_TYPE] == I_16X16
    rate += _intra_type_rate(t, r, i16, pattern, result[T_I16_MODE]) + chroma_mode_rate(t, r, chroma_mode)
    if not i16:
        if r[R_CABAC]:
            rate += pattern_rate_cabac(t.costs, r, pattern)
        else:
            rate += ue_rate(np.int64(CBP_CODE_NUM[0, 0, pattern]))
    if i16 or pattern:
        rate += qp_delta_rate(t, r)
    result[T_CBP], result[T_CHROMA_MODE] = pattern, chroma_mode
    result[T_DC] |= dc_flags
    result[T_RATE] += rate


@kernel
def _seen_mode(mbs_type, intra_mode, own, other, block):
    """Intra4x4PredMode of a neighbouring block (8.3.1.1); -1: not available. `own`: modes of this macroblock."""
    if other == -2:
        return own[block]
    if other < 0:
        return np.int64(-1)
    return np.int64(intra_mode[other, block]) if mbs_type[other] == I_4X4 else np.int64(2)


@kernel
def try_4x4(t, r, q, slot, mb_type, intra_mode, source, source_y, source_stride, recon, recon_y, recon_stride, limit):
    """Code luma as Intra4x4 in the reconstructed picture itself, block by block with the best mode by SATD.

    Fills the result but for chroma and copies the reconstruction to the slot. Returns False, with the trial
    unfinished, as soon as the sum of SATD and mode rates passes `limit`.
    """
    own = t.intra_mode[slot]
    rate = np.int64(0)
    total = np.int64(0)
    pattern = np.int64(0)
    for block in range(16):
        x, y = np.int64(BLOCK_X[block]), np.int64(BLOCK_Y[block])
        available = 0
        if x > 0 or r[R_LEFT] >= 0:
            available |= LEFT
        if y > 0 or r[R_UP] >= 0:
            available |= TOP
        if y > 0:
            if (_ABOVE_RIGHT_CODED[y] >> (x + 1)) & 1:
                available |= TOP_RIGHT
            if x > 0 or r[R_LEFT] >= 0:
                available |= CORNER
        else:
            if (r[R_UP] >= 0) if x < 3 else (r[R_UP_RIGHT] >= 0):
                available |= TOP_RIGHT
            if (r[R_UP] >= 0) if x > 0 else (r[R_AVAILABLE] & CORNER) != 0:
                available |= CORNER
        at = recon_y + 4 * y * recon_stride + 4 * x
        origin = source_y + 4 * y * source_stride + 4 * x
        dc = gather_4x4(t.line, recon, at, recon_stride, at - recon_stride - 1, available)
        predict_4x4_all(t.predictions, t.line, dc)
        satd_4x4_nine(source, origin, source_stride, t.predictions, t.intra_costs)
        left = _seen_mode(
            mb_type, intra_mode, own, -2 if x > 0 else r[R_LEFT], _BLOCK_INDEX[4 * y + ((x - 1) & 3)]
        )
        up = _seen_mode(mb_type, intra_mode, own, -2 if y > 0 else r[R_UP], _BLOCK_INDEX[4 * ((y - 1) & 3) + x])
        likely = np.int64(2) if left < 0 or up < 0 else min(left, up)
        if r[R_CABAC]:
            flag = 2 * CTX_PREV_INTRA_MODE_FLAG
            likely_rate = np.int64(t.costs[flag + 1])
            other_rate = np.int64(t.costs[flag]) + ONE_BIT * 3
        else:
            likely_rate, other_rate = np.int64(ONE_BIT), np.int64(4 * ONE_BIT)
        likely_cost, other_cost = _motion_cost(likely_rate, r), _motion_cost(other_rate, r)
        allowed = ALLOWED_4X4[available]
        best_mode, best = np.int64(2), np.int64(NEVER)
        for mode in range(9):
            if (allowed >> mode) & 1:
                cost = np.int64(t.intra_costs[mode]) + (likely_cost if mode == likely else other_cost)
                if cost < best:
                    best_mode, best = np.int64(mode), cost
        r[R_INTRA_BLOCKS] += 9
        own[block] = best_mode
        total += best
        if total > limit:
            return False
        if best_mode == likely:
            rate += likely_rate
        elif r[R_CABAC]:
            code = best_mode - (1 if best_mode > likely else 0)
            rate += t.costs[2 * CTX_PREV_INTRA_MODE_FLAG]
            for bit in range(3):
                rate += t.costs[2 * CTX_REM_INTRA_MODE + ((code >> bit) & 1)]
        else:
            rate += other_rate
        copy_4xn(recon, at, recon_stride, t.predictions, 16 * best_mode, 4, 4)
        block_rate = code_block(t, r, q, slot, block, source, origin, source_stride, recon, at, recon_stride)
        rate += block_rate
        if t.total[slot, block]:
            pattern |= 1 << (block >> 2)
    # Blocks of quadrants without levels send nothing after all; their flags were cheap and are left in the rate.
    copy_16xn(t.samples, slot * SAMPLES, 16, recon, recon_y, recon_stride, 16)
    result = t.result[slot]
    result[T_TYPE], result[T_I16_MODE] = I_4X4, 0
    result[T_CBP], result[T_DC], result[T_RATE] = pattern, 0, rate
    return True
