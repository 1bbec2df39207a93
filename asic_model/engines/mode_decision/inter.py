"""Inter macroblocks: prediction of a candidate, rate of its motion, coding on trial."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CTX_MB_SKIP_P,
    CTX_MB_TYPE_P,
    CTX_MVD_X,
    CTX_MVD_Y,
    CTX_REF_IDX,
    CTX_SUB_MB_TYPE_P,
)
from asic_model.codecs.h264.macroblock import (
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    SUB_4X8,
    SUB_8X4,
    SUB_8X8,
)
from asic_model.codecs.h264.motion_prediction import MotionField, predict_mv
from asic_model.engines.entropy.cavlc import CBP_CODE_NUM
from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.inter_prediction import predict_chroma, predict_luma_from_planes
from asic_model.engines.mode_decision.intra import qp_delta_rate
from asic_model.engines.mode_decision.rate import ONE_BIT, mvd_rate_cabac, se_rate, ue_rate
from asic_model.engines.mode_decision.residual import (
    code_chroma,
    code_luma,
    code_luma_8x8,
    copy_chroma,
    pattern_rate_cabac,
    transform_flag_rate,
)
from asic_model.engines.mode_decision.state import (
    CB,
    INTER,
    SAMPLES,
    T_8X8,
    T_CBP,
    T_CHROMA,
    T_CHROMA_DC,
    T_CHROMA_RATE,
    T_DC,
    T_MOTION_RATE,
    T_RATE,
    T_TYPE,
)
from asic_model.kernel_cache import kernel


class References(NamedTuple):
    """Reference pictures of the slice, list 0.

    luma   : tuple of four ReferencePlanes (the last one repeated where there are fewer)
    memory : uint8[...]    device memory, which holds chroma
    chroma : int64[4, 2]   offsets of Cb and Cr in it
    chroma_stride, chroma_width, chroma_height : of the chroma planes
    """

    luma: tuple[ReferencePlanes, ...]
    memory: np.ndarray
    chroma: np.ndarray
    chroma_stride: int
    chroma_width: int
    chroma_height: int


class Motion(NamedTuple):
    """Arrays of `Macroblocks` that motion needs."""

    slice_id: np.ndarray
    ref_idx: np.ndarray
    mv: np.ndarray
    mvd: np.ndarray
    mb_width: int


@kernel
def _predict_part(t, slot, references, x, y, width, height):
    """Luma and chroma of a partition at sample (x, y) of the macroblock, with the vector of its first block."""
    block = (y >> 2) * 4 + (x >> 2)
    ref = t.ref_idx[slot, (y >> 3) * 2 + (x >> 3)]
    x_qpel = 4 * (16 * t.mb_x + x) + t.vector[slot, block, 0]
    y_qpel = 4 * (16 * t.mb_y + y) + t.vector[slot, block, 1]
    area = slot * SAMPLES
    planes = references.luma[ref]
    predict_luma_from_planes(
        t.prediction, area + 16 * y + x, 16, planes.data, planes.offset, planes.stride, planes.plane_bytes,
        x_qpel, y_qpel, width, height,
    )  # fmt: skip
    for component in range(2):
        # A luma vector in quarter samples is a chroma vector in eighths (8.4.1.4), positions likewise.
        predict_chroma(
            t.prediction, area + CB + 64 * component + 4 * y + (x >> 1), 8, references.memory,
            references.chroma[ref, component], references.chroma_stride, references.chroma_width,
            references.chroma_height, x_qpel, y_qpel, width >> 1, height >> 1, t.patch,
        )  # fmt: skip


@kernel
def predict(t, slot, mb_type, references):
    """Inter prediction of the slot's candidate, luma and chroma."""
    if mb_type == INTER_16X8:
        _predict_part(t, slot, references, 0, 0, 16, 8)
        _predict_part(t, slot, references, 0, 8, 16, 8)
    elif mb_type == INTER_8X16:
        _predict_part(t, slot, references, 0, 0, 8, 16)
        _predict_part(t, slot, references, 8, 0, 8, 16)
    elif mb_type == INTER_8X8:
        for quadrant in range(4):
            x0, y0 = 8 * (quadrant & 1), 8 * (quadrant >> 1)
            sub = t.sub_type[slot, quadrant]
            width = 8 if sub == SUB_8X8 or sub == SUB_8X4 else 4
            height = 8 if sub == SUB_8X8 or sub == SUB_4X8 else 4
            for y in range(y0, y0 + 8, height):
                for x in range(x0, x0 + 8, width):
                    _predict_part(t, slot, references, x, y, width, height)
    else:
        _predict_part(t, slot, references, 0, 0, 16, 16)


@kernel
def set_vector(t, slot, x, y, width, height, vector_x, vector_y):
    """Give a partition (in 4x4 blocks) its vector."""
    for j in range(y, y + height):
        for i in range(x, x + width):
            t.vector[slot, 4 * j + i, 0] = vector_x
            t.vector[slot, 4 * j + i, 1] = vector_y


@kernel
def skip_rate(t, skipped):
    """mb_skip_flag; for CAVLC a share of mb_skip_run."""
    if t.cabac:
        return np.int64(t.costs[2 * (CTX_MB_SKIP_P + t.skip_inc) + skipped])
    return np.int64(64 if skipped else ONE_BIT)


@kernel
def _ref_rate(t, motion, quadrant, ref):
    """ref_idx; `quadrant` is the first of its partition."""
    if t.references == 1:
        return np.int64(0)
    if not t.cabac:
        return np.int64(ONE_BIT) if t.references == 2 else ue_rate(ref)
    mb = t.mb
    left_mb = mb if quadrant & 1 else t.left
    up_mb = mb if quadrant & 2 else t.up
    inc = 0
    if left_mb >= 0 and motion.ref_idx[left_mb, 0, quadrant ^ 1] > 0:
        inc = 1
    if up_mb >= 0 and motion.ref_idx[up_mb, 0, quadrant ^ 2] > 0:
        inc += 2
    rate = np.int64(0)
    for _ in range(ref):
        rate += t.costs[2 * (CTX_REF_IDX + inc) + 1]
        inc = 4 if inc < 4 else 5
    return rate + t.costs[2 * (CTX_REF_IDX + inc)]


@kernel
def _part_rate(t, motion, slot, x, y, width, height):
    """Put a partition's vector and difference into the record; return the rate of the difference."""
    mb = t.mb
    block = 4 * y + x
    vector_x, vector_y = t.vector[slot, block, 0], t.vector[slot, block, 1]
    ref = t.ref_idx[slot, (y >> 1) * 2 + (x >> 1)]
    field = MotionField(motion.slice_id, motion.ref_idx, motion.mv)
    predicted_x, predicted_y = predict_mv(field, motion.mb_width, mb, 0, x, y, width, height, ref)
    mvd_x, mvd_y = vector_x - predicted_x, vector_y - predicted_y
    if t.cabac:
        sum_x = sum_y = np.int64(0)
        other = mb if x else t.left
        if other >= 0:
            sum_x += abs(np.int64(motion.mvd[other, 0, 4 * y + ((x - 1) & 3), 0]))
            sum_y += abs(np.int64(motion.mvd[other, 0, 4 * y + ((x - 1) & 3), 1]))
        other = mb if y else t.up
        if other >= 0:
            sum_x += abs(np.int64(motion.mvd[other, 0, 4 * ((y - 1) & 3) + x, 0]))
            sum_y += abs(np.int64(motion.mvd[other, 0, 4 * ((y - 1) & 3) + x, 1]))
        rate = mvd_rate_cabac(t.costs, CTX_MVD_X, mvd_x, sum_x) + mvd_rate_cabac(t.costs, CTX_MVD_Y, mvd_y, sum_y)
    else:
        rate = se_rate(mvd_x) + se_rate(mvd_y)
    for j in range(y, y + height):
        for i in range(x, x + width):
            motion.mv[mb, 0, 4 * j + i, 0], motion.mv[mb, 0, 4 * j + i, 1] = vector_x, vector_y
            motion.mvd[mb, 0, 4 * j + i, 0], motion.mvd[mb, 0, 4 * j + i, 1] = mvd_x, mvd_y
    return rate


@kernel
def motion_rate(t, motion, slot, mb_type):
    """Put the candidate's motion into the record of the macroblock; return the rate of type, references and vectors."""
    mb = t.mb
    costs = t.costs
    rate = skip_rate(t, 0)
    if t.cabac:
        wide = mb_type == INTER_16X8 or mb_type == INTER_8X16
        rate += np.int64(costs[2 * CTX_MB_TYPE_P]) + np.int64(costs[2 * (CTX_MB_TYPE_P + 1) + (1 if wide else 0)])
        if wide:
            rate += costs[2 * (CTX_MB_TYPE_P + 3) + (1 if mb_type == INTER_16X8 else 0)]
        else:
            rate += costs[2 * (CTX_MB_TYPE_P + 2) + (1 if mb_type == INTER_8X8 else 0)]
    else:
        rate += ue_rate(mb_type - INTER_16X16)
    for quadrant in range(4):
        motion.ref_idx[mb, 0, quadrant] = t.ref_idx[slot, quadrant]
    if mb_type == INTER_16X16:
        rate += _ref_rate(t, motion, 0, t.ref_idx[slot, 0])
        rate += _part_rate(t, motion, slot, 0, 0, 4, 4)
    elif mb_type == INTER_16X8:
        rate += _ref_rate(t, motion, 0, t.ref_idx[slot, 0]) + _ref_rate(t, motion, 2, t.ref_idx[slot, 2])
        rate += _part_rate(t, motion, slot, 0, 0, 4, 2)
        rate += _part_rate(t, motion, slot, 0, 2, 4, 2)
    elif mb_type == INTER_8X16:
        rate += _ref_rate(t, motion, 0, t.ref_idx[slot, 0]) + _ref_rate(t, motion, 1, t.ref_idx[slot, 1])
        rate += _part_rate(t, motion, slot, 0, 0, 2, 4)
        rate += _part_rate(t, motion, slot, 2, 0, 2, 4)
    else:
        for quadrant in range(4):
            sub = t.sub_type[slot, quadrant]
            if t.cabac:
                rate += costs[2 * CTX_SUB_MB_TYPE_P + (1 if sub == SUB_8X8 else 0)]
                if sub != SUB_8X8:
                    rate += costs[2 * (CTX_SUB_MB_TYPE_P + 1) + (0 if sub == SUB_8X4 else 1)]
                    if sub != SUB_8X4:
                        rate += costs[2 * (CTX_SUB_MB_TYPE_P + 2) + (1 if sub == SUB_4X8 else 0)]
            else:
                rate += ue_rate(sub)
            rate += _ref_rate(t, motion, quadrant, t.ref_idx[slot, quadrant])
        for quadrant in range(4):
            x0, y0 = 2 * (quadrant & 1), 2 * (quadrant >> 1)
            sub = t.sub_type[slot, quadrant]
            width = 2 if sub == SUB_8X8 or sub == SUB_8X4 else 1
            height = 2 if sub == SUB_8X8 or sub == SUB_4X8 else 1
            for y in range(y0, y0 + 2, height):
                for x in range(x0, x0 + 2, width):
                    rate += _part_rate(t, motion, slot, x, y, width, height)
    return rate


@kernel
def may_use_8x8(t, slot, mb_type):
    """Whether transform_size_8x8_flag may be sent for the slot's motion (7.3.5)."""
    if not t.transform_8x8:
        return False
    if mb_type == INTER_8X8:
        for quadrant in range(4):
            if t.sub_type[slot, quadrant] != SUB_8X8:
                return False
    return True


@kernel
def code_inter(t, slot, mb_type, rate, eights, other):
    """Code the residual of the predicted slot; `rate` is that of its motion. Fills the result but for the cost.

    eights : 1: with 8x8 transforms, which the motion must allow
    other  : a slot with the same prediction, coded: its chroma is taken; -1: none
    """
    if eights:
        luma, luma_rate = code_luma_8x8(t, slot)
    else:
        luma, luma_rate = code_luma(t, slot)
    if other < 0:
        code_chroma(t, slot, INTER)
    else:
        copy_chroma(t, slot, other)
    result = t.result[slot]
    pattern = luma | result[T_CHROMA] << 4
    result[T_MOTION_RATE] = rate
    rate += luma_rate + result[T_CHROMA_RATE]
    rate += pattern_rate_cabac(t, pattern) if t.cabac else ue_rate(np.int64(CBP_CODE_NUM[0, 1, pattern]))
    if luma and may_use_8x8(t, slot, mb_type):
        rate += transform_flag_rate(t, eights)
    if pattern:
        rate += qp_delta_rate(t)
    result[T_TYPE], result[T_CBP], result[T_DC], result[T_RATE] = mb_type, pattern, result[T_CHROMA_DC], rate
    result[T_8X8] = eights if luma else 0
