"""Inter macroblocks: prediction of a candidate, rate of its motion, coding on trial."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.cabac_contexts import CTX_MB_SKIP_B, CTX_MB_SKIP_P, CTX_MVD_X, CTX_MVD_Y, CTX_REF_IDX
from asic_model.codecs.h264.macroblock import (
    B_DIRECT_16X16,
    B_SKIP,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    SUB_4X4,
    SUB_4X8,
    SUB_8X4,
    SUB_8X8,
    SUB_DIRECT,
)
from asic_model.codecs.h264.motion_prediction import MotionField, predict_mv
from asic_model.engines.entropy.binarization import B_SUB_TYPES, B_TYPES, P_SUB_TYPES, P_TYPES
from asic_model.engines.entropy.cavlc import CBP_CODE_NUM
from asic_model.engines.entropy.elements import B_SUB_TYPE, b_mb_type, prediction_code
from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.inter_prediction import (
    average_prediction,
    predict_chroma,
    predict_luma_from_planes,
    weight_prediction,
    weight_prediction_bi,
)
from asic_model.engines.mode_decision.intra import qp_delta_rate
from asic_model.engines.mode_decision.rate import ONE_BIT, mvd_rate_cabac, se_rate, string_rate, ue_rate
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
    LIST_1,
    OTHER,
    SAMPLES,
    SLICE_B,
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
from asic_model.kernel_cache import inlined, kernel


class References(NamedTuple):
    """Reference pictures of the slice: list 0 from place 0 on, list 1 from LIST_1 on; places without a picture repeat
    another one.

    luma     : tuple of six ReferencePlanes
    search   : the same as the searches see them: weighted where the slice weights
    memory   : uint8[...]       device memory, which holds chroma
    chroma   : int64[6, 2]      offsets of Cb and Cr in it
    chroma_stride, chroma_width, chroma_height : of the chroma planes
    implicit : int64[4, 2]      weight of the list 1 reference in 1/64, by reference indices (8.4.2.3.1); 32: the mean
    weighted : int64[6]         1: predictions from this picture alone are weighted
    weights  : int64[6, 3, 3]   [place][Y, Cb, Cr] -> weight, offset, log2 of the denominator
    """

    luma: tuple[ReferencePlanes, ...]
    search: tuple[ReferencePlanes, ...]
    memory: np.ndarray
    chroma: np.ndarray
    chroma_stride: int
    chroma_width: int
    chroma_height: int
    implicit: np.ndarray
    weighted: np.ndarray
    weights: np.ndarray


class Motion(NamedTuple):
    """Arrays of `Macroblocks` that motion needs."""

    slice_id: np.ndarray
    ref_idx: np.ndarray
    mv: np.ndarray
    mvd: np.ndarray
    mb_type: np.ndarray
    sub_type: np.ndarray
    mb_width: int


@inlined
def _predict_list(t, area, references, place, vector_x, vector_y, x, y, width, height):
    """Luma and chroma of a partition at sample (x, y) of the macroblock from one reference, unweighted."""
    x_qpel = 4 * (16 * t.mb_x + x) + vector_x
    y_qpel = 4 * (16 * t.mb_y + y) + vector_y
    planes = references.luma[place]
    predict_luma_from_planes(
        t.prediction, area + 16 * y + x, 16, planes.data, planes.offset, planes.stride, planes.plane_bytes,
        x_qpel, y_qpel, width, height,
    )  # fmt: skip
    for component in range(2):
        # A luma vector in quarter samples is a chroma vector in eighths (8.4.1.4), positions likewise.
        predict_chroma(
            t.prediction, area + CB + 64 * component + 4 * y + (x >> 1), 8, references.memory,
            references.chroma[place, component], references.chroma_stride, references.chroma_width,
            references.chroma_height, x_qpel, y_qpel, width >> 1, height >> 1, t.patch,
        )  # fmt: skip


@kernel
def _weigh_part(t, area, references, x, y, width, height, ref_0, ref_1):
    """Join the predictions of both lists, or weight that of one, where the slice says so."""
    both = ref_0 >= 0 and ref_1 >= 0
    place = ref_0 if ref_0 >= 0 else LIST_1 + ref_1
    weight = np.int64(references.implicit[ref_0, ref_1]) if both else np.int64(0)
    for plane in range(3):
        at, stride, columns, rows = 16 * y + x, 16, width, height
        if plane:
            at, stride, columns, rows = CB + 64 * (plane - 1) + 4 * y + (x >> 1), 8, width >> 1, height >> 1
        if not both:
            weights = references.weights[place, plane]
            weight_prediction(
                t.prediction, area + at, stride, columns, rows, np.int64(weights[0]), np.int64(weights[1]),
                np.int64(weights[2]),
            )  # fmt: skip
        elif weight == 32:
            average_prediction(t.prediction, area + at, stride, t.prediction, OTHER + at, stride, columns, rows)
        else:
            weight_prediction_bi(
                t.prediction,
                area + at,
                stride,
                t.prediction,
                OTHER + at,
                stride,
                columns,
                rows,
                64 - weight,
                weight,
                0,
                0,
                5,
            )


@inlined
def _predict_part(t, slot, references, x, y, width, height):
    """A partition at sample (x, y) of the macroblock, with references and vectors of its first block."""
    block, quadrant = (y >> 2) * 4 + (x >> 2), (y >> 3) * 2 + (x >> 3)
    ref_0, ref_1 = t.ref_idx[slot, 0, quadrant], t.ref_idx[slot, 1, quadrant]
    area = slot * SAMPLES
    for lst in range(2):
        ref = ref_1 if lst else ref_0
        if ref < 0:
            continue
        vector = t.vector[slot, lst, block]
        at = OTHER if lst and ref_0 >= 0 else area  # that from list 1 waits there to be joined
        _predict_list(t, at, references, lst * LIST_1 + ref, vector[0], vector[1], x, y, width, height)
    if (ref_0 >= 0 and ref_1 >= 0) or references.weighted[ref_0 if ref_0 >= 0 else LIST_1 + ref_1]:
        _weigh_part(t, area, references, x, y, width, height, ref_0, ref_1)


@kernel
def predict(t, slot, mb_type, references):
    """Inter prediction of the slot's candidate, luma and chroma."""
    step_x = 16 if mb_type == INTER_16X16 or mb_type == INTER_16X8 else 8
    step_y = 16 if mb_type == INTER_16X16 or mb_type == INTER_8X16 else 8
    for y0 in range(0, 16, step_y):
        for x0 in range(0, 16, step_x):
            width, height = step_x, step_y
            if mb_type == INTER_8X8:
                sub = t.sub_type[slot, (y0 >> 3) * 2 + (x0 >> 3)]
                width = 4 if sub == SUB_4X8 or sub == SUB_4X4 else 8
                height = 4 if sub == SUB_8X4 or sub == SUB_4X4 else 8
            for y in range(y0, y0 + step_y, height):
                for x in range(x0, x0 + step_x, width):
                    _predict_part(t, slot, references, x, y, width, height)


@inlined
def predict_whole(t, slot, references):
    """`predict` of a candidate of one partition, without a call: of skips."""
    _predict_part(t, slot, references, 0, 0, 16, 16)


@kernel
def set_vector(t, slot, lst, x, y, width, height, vector_x, vector_y):
    """Give a partition (in 4x4 blocks) its vector."""
    for j in range(y, y + height):
        for i in range(x, x + width):
            t.vector[slot, lst, 4 * j + i, 0] = vector_x
            t.vector[slot, lst, 4 * j + i, 1] = vector_y


@kernel
def copy_motion(t, slot, other):
    """Give a slot the motion of another one."""
    t.recorded = slot if t.recorded == other else -1
    for lst in range(2):
        for quadrant in range(4):
            t.ref_idx[slot, lst, quadrant] = t.ref_idx[other, lst, quadrant]
        for block in range(16):
            t.vector[slot, lst, block, 0] = t.vector[other, lst, block, 0]
            t.vector[slot, lst, block, 1] = t.vector[other, lst, block, 1]
    for quadrant in range(4):
        t.sub_type[slot, quadrant] = t.sub_type[other, quadrant]


@kernel
def skip_rate(t, skipped):
    """mb_skip_flag; for CAVLC a share of mb_skip_run."""
    if t.cabac:
        first = CTX_MB_SKIP_B if t.slice_type == SLICE_B else CTX_MB_SKIP_P
        return np.int64(t.costs[2 * (first + t.skip_inc) + skipped])
    return np.int64(64 if skipped else ONE_BIT)


@kernel
def _refers_beyond_first(t, motion, slot, other, lst, quadrant):
    """condTermFlag of ref_idx (9.3.3.1.1.6): the neighbour's index is above 0 and was coded, not derived."""
    if other < 0 or motion.ref_idx[other, lst, quadrant] <= 0:
        return 0
    if other == t.mb:
        return 0 if t.sub_type[slot, quadrant] == SUB_DIRECT else 1
    mb_type = motion.mb_type[other]
    if mb_type == B_SKIP or mb_type == B_DIRECT_16X16:
        return 0
    return 0 if mb_type == INTER_8X8 and motion.sub_type[other, quadrant] == SUB_DIRECT else 1


@kernel
def _ref_rate(t, motion, slot, lst, quadrant):
    """ref_idx of a list that has several; `quadrant` is the first of its partition."""
    ref = t.ref_idx[slot, lst, quadrant]
    if not t.cabac:
        return np.int64(ONE_BIT) if t.ref_counts[lst] == 2 else ue_rate(ref)
    inc = _refers_beyond_first(t, motion, slot, t.mb if quadrant & 1 else t.left, lst, quadrant ^ 1)
    inc += 2 * _refers_beyond_first(t, motion, slot, t.mb if quadrant & 2 else t.up, lst, quadrant ^ 2)
    rate = np.int64(0)
    for _ in range(ref):
        rate += t.costs[2 * (CTX_REF_IDX + inc) + 1]
        inc = 4 if inc < 4 else 5
    return rate + t.costs[2 * (CTX_REF_IDX + inc)]


@kernel
def _put_vector(motion, mb, lst, x, y, width, height, vector_x, vector_y, mvd_x, mvd_y):
    for j in range(y, y + height):
        for i in range(x, x + width):
            motion.mv[mb, lst, 4 * j + i, 0], motion.mv[mb, lst, 4 * j + i, 1] = vector_x, vector_y
            motion.mvd[mb, lst, 4 * j + i, 0], motion.mvd[mb, lst, 4 * j + i, 1] = mvd_x, mvd_y


@kernel
def _part_rate(t, motion, slot, lst, x, y, width, height):
    """Put a partition's vector and difference into the record; return the rate of the difference."""
    mb = t.mb
    block = 4 * y + x
    vector_x, vector_y = t.vector[slot, lst, block, 0], t.vector[slot, lst, block, 1]
    ref = t.ref_idx[slot, lst, (y >> 1) * 2 + (x >> 1)]
    field = MotionField(motion.slice_id, motion.ref_idx, motion.mv)
    predicted_x, predicted_y = predict_mv(field, motion.mb_width, mb, lst, x, y, width, height, ref)
    mvd_x, mvd_y = vector_x - predicted_x, vector_y - predicted_y
    if t.cabac:
        sum_x = sum_y = np.int64(0)
        other = mb if x else t.left
        if other >= 0:
            sum_x += abs(np.int64(motion.mvd[other, lst, 4 * y + ((x - 1) & 3), 0]))
            sum_y += abs(np.int64(motion.mvd[other, lst, 4 * y + ((x - 1) & 3), 1]))
        other = mb if y else t.up
        if other >= 0:
            sum_x += abs(np.int64(motion.mvd[other, lst, 4 * ((y - 1) & 3) + x, 0]))
            sum_y += abs(np.int64(motion.mvd[other, lst, 4 * ((y - 1) & 3) + x, 1]))
        rate = mvd_rate_cabac(t.costs, CTX_MVD_X, mvd_x, sum_x) + mvd_rate_cabac(t.costs, CTX_MVD_Y, mvd_y, sum_y)
    else:
        rate = se_rate(mvd_x) + se_rate(mvd_y)
    _put_vector(motion, mb, lst, x, y, width, height, vector_x, vector_y, mvd_x, mvd_y)
    return rate


@kernel
def _type_rate(t, motion, slot, mb_type):
    """mb_type and sub_mb_type; the record must hold the reference indices."""
    b_slice = t.slice_type == SLICE_B
    number = np.int64(b_mb_type(motion.ref_idx, t.mb, mb_type) if b_slice else mb_type - INTER_16X16)
    if not t.cabac:
        rate = ue_rate(number)
    elif b_slice:
        rate = string_rate(t.costs, B_TYPES, number, t.type_inc)
    else:
        rate = string_rate(t.costs, P_TYPES, number, 0)
    if mb_type != INTER_8X8:
        return rate
    for quadrant in range(4):
        number = np.int64(t.sub_type[slot, quadrant])
        if b_slice:
            number = np.int64(B_SUB_TYPE[number, max(0, prediction_code(motion.ref_idx, t.mb, quadrant))])
        if not t.cabac:
            rate += ue_rate(number)
        elif b_slice:
            rate += string_rate(t.costs, B_SUB_TYPES, number, 0)
        else:
            rate += string_rate(t.costs, P_SUB_TYPES, number, 0)
    return rate


@kernel
def motion_rate(t, motion, slot, mb_type):
    """Put the candidate's motion into the record of the macroblock; return the rate of type, references and vectors.

    A direct macroblock or quadrant has its motion in the slot like any other; only nothing is coded of it.
    """
    mb = t.mb
    t.recorded = slot
    lists = 2 if t.slice_type == SLICE_B else 1
    for lst in range(lists):
        for quadrant in range(4):
            motion.ref_idx[mb, lst, quadrant] = t.ref_idx[slot, lst, quadrant]
    rate = skip_rate(t, 0) + _type_rate(t, motion, slot, mb_type)
    # 8x8 quadrants that begin a partition, as in the entropy engine
    step = 4 if mb_type == INTER_16X16 else (2 if mb_type == INTER_16X8 else 1)
    end = 2 if mb_type == INTER_8X16 else 4
    all_direct = mb_type == B_DIRECT_16X16
    for lst in range(lists):
        if t.ref_counts[lst] > 1 and not all_direct:
            for quadrant in range(0, end, step):
                direct = mb_type == INTER_8X8 and t.sub_type[slot, quadrant] == SUB_DIRECT
                if t.ref_idx[slot, lst, quadrant] >= 0 and not direct:
                    rate += _ref_rate(t, motion, slot, lst, quadrant)
    width = 4 if step != 1 else 2
    height = 4 if mb_type == INTER_16X16 or mb_type == INTER_8X16 else 2
    for lst in range(lists):
        for quadrant in range(0, end, step):
            x0, y0 = 2 * (quadrant & 1), 2 * (quadrant >> 1)
            sub = t.sub_type[slot, quadrant] if mb_type == INTER_8X8 else np.int64(SUB_8X8)
            if t.ref_idx[slot, lst, quadrant] < 0:
                _put_vector(motion, mb, lst, x0, y0, width, height, 0, 0, 0, 0)
            elif all_direct or sub == SUB_DIRECT:
                vector = t.vector[slot, lst, 4 * y0 + x0]
                _put_vector(motion, mb, lst, x0, y0, width, height, vector[0], vector[1], 0, 0)
            elif sub == SUB_8X8:
                rate += _part_rate(t, motion, slot, lst, x0, y0, width, height)
            else:
                sub_width = 1 if sub == SUB_4X8 or sub == SUB_4X4 else 2
                sub_height = 1 if sub == SUB_8X4 or sub == SUB_4X4 else 2
                for y in range(y0, y0 + 2, sub_height):
                    for x in range(x0, x0 + 2, sub_width):
                        rate += _part_rate(t, motion, slot, lst, x, y, sub_width, sub_height)
    return rate


@kernel
def may_use_8x8(t, slot, mb_type):
    """Whether transform_size_8x8_flag may be sent for the slot's motion (7.3.5)."""
    if not t.transform_8x8:
        return False
    if mb_type == INTER_8X8:
        for quadrant in range(4):
            sub = t.sub_type[slot, quadrant]
            if sub != SUB_8X8 and sub != SUB_DIRECT:  # direct_8x8_inference_flag is 1
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
