"""Mode decision of macroblocks in B slices: B_Skip and direct, then one list, the other or both for each partition."""

import numpy as np

from asic_model.codecs.h264.direct_prediction import spatial_direct, temporal_direct
from asic_model.codecs.h264.macroblock import (
    B_DIRECT_16X16,
    B_SKIP,
    INTER_8X8,
    SUB_8X8,
    SUB_DIRECT,
)
from asic_model.codecs.h264.motion_prediction import MotionField
from asic_model.descriptors import Tool
from asic_model.engines.inter_prediction import average_prediction, predict_luma_from_planes
from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS
from asic_model.engines.mode_decision.candidates import (
    SHAPE_PART,
    SHAPE_SET,
    SHAPE_TYPE,
    is_skipped,
    near_shapes,
    refine_list,
    shape_cost,
)
from asic_model.engines.mode_decision.inter import (
    code_inter,
    may_use_8x8,
    motion_rate,
    predict,
    predict_whole,
    set_vector,
)
from asic_model.engines.mode_decision.state import (
    LIST_1,
    NEVER,
    OTHER,
    SAMPLES,
    SLOT_SKIP,
    T_COST,
    T_TYPE,
)
from asic_model.engines.mode_decision.trial import (
    code_skip,
    free_slot,
    or_pcm,
    rate_skip,
    settle,
    try_intra,
    try_other_transform,
)
from asic_model.engines.motion_search import QUADRANT, WHOLE
from asic_model.kernel_cache import inlined, kernel
from asic_model.simd.compare import satd_8xn, satd_16xn

_BI_PREDICTION, _DIRECT = int(Tool.BI_PREDICTION), int(Tool.DIRECT)
IN_LIST_0, IN_LIST_1, IN_BOTH, DIRECT = range(4)
# bits of mb_type (16x16) or a share of it or of sub_mb_type, by prediction: B_L0, B_L1, B_Bi, direct
_LIST_BITS = np.array([3, 3, 5, 1], np.int64)
# [partition] -> x, y, width, height [samples]
_PLACE = np.array(
    [
        [0, 0, 16, 16], [0, 0, 16, 8], [0, 8, 16, 8], [0, 0, 8, 16], [8, 0, 8, 16],
        [0, 0, 8, 8], [8, 0, 8, 8], [0, 8, 8, 8], [8, 8, 8, 8],
    ],
    np.int64,
)  # fmt: skip


@kernel
def _put_direct(t, slot, quadrant):
    """Give a quadrant of the slot its direct motion."""
    for lst in range(2):
        t.ref_idx[slot, lst, quadrant] = t.direct_ref[lst, quadrant]
        set_vector(
            t, slot, lst, 2 * (quadrant & 1), 2 * (quadrant >> 1), 2, 2, t.direct_vector[lst, quadrant, 0],
            t.direct_vector[lst, quadrant, 1],
        )  # fmt: skip


@inlined
def try_direct(t, settings, motion, references, cost, colocated, pictures, temporal):
    """B_Skip: predict into SLOT_SKIP.

    Returns as `decide.try_skip`.
    cost : as in `decide_bipredictive`
    colocated, pictures, temporal : of direct prediction; temporal 0: spatial
    """
    valid = not t.tools_off & _DIRECT
    if temporal:
        valid = temporal_direct(t.mb, colocated, pictures, t.direct_ref, t.direct_vector) and valid
    else:
        field = MotionField(motion.slice_id, motion.ref_idx, motion.mv)
        spatial_direct(field, motion.mb_width, t.mb, colocated, t.direct_ref, t.direct_vector)
    uniform = True
    for lst in range(2):
        for quadrant in range(4):
            x, y = t.direct_vector[lst, quadrant, 0], t.direct_vector[lst, quadrant, 1]
            if t.direct_ref[lst, quadrant] >= 0:
                valid = valid and t.low_x <= x <= t.high_x and t.low_y <= y <= t.high_y
            uniform = (
                uniform and x == t.direct_vector[lst, 0, 0] and y == t.direct_vector[lst, 0, 1]
                and t.direct_ref[lst, quadrant] == t.direct_ref[lst, 0]
            )  # fmt: skip
    result = t.result[SLOT_SKIP]
    result[T_TYPE], result[T_COST] = B_SKIP, NEVER
    t.direct_valid = 1 if valid else 0
    if not valid:
        return False, False
    for quadrant in range(4):
        t.sub_type[SLOT_SKIP, quadrant] = SUB_8X8
        _put_direct(t, SLOT_SKIP, quadrant)
    if uniform:
        predict_whole(t, SLOT_SKIP, references)
    else:
        predict(t, SLOT_SKIP, INTER_8X8, references)
    negligible = rate_skip(t)
    return negligible and is_skipped(t, settings, cost), negligible


@kernel
def _satd(t, samples, area, p):
    """SATD of a partition against samples of a macroblock at `area`."""
    at = 16 * _PLACE[p, 1] + _PLACE[p, 0]
    if _PLACE[p, 2] == 16:
        return satd_16xn(t.source, at, 16, samples, area + at, 16, _PLACE[p, 3])
    return satd_8xn(t.source, at, 16, samples, area + at, 16, _PLACE[p, 3])


@kernel
def _choose_lists(t, references, p):
    """Cheapest prediction of a partition by SATD and rate, into `part_list` and `part_cost`."""
    bit = t.lambda_motion >> MOTION_LAMBDA_BITS
    x, y, width, height = _PLACE[p, 0], _PLACE[p, 1], _PLACE[p, 2], _PLACE[p, 3]
    best, least = np.int64(IN_LIST_0), np.int64(NEVER)
    rate = bit * _LIST_BITS[IN_BOTH]
    for lst in range(2):
        place = t.chosen[lst, p]
        cost = np.int64(t.vector_costs[place, p]) + bit * _LIST_BITS[lst]
        if cost < least:
            best, least = np.int64(lst), cost
        rate += t.vector_rates[place, p]
        planes = references.luma[place]
        x_qpel = 4 * (16 * t.mb_x + x) + np.int64(t.vectors[place, p, 0])
        y_qpel = 4 * (16 * t.mb_y + y) + np.int64(t.vectors[place, p, 1])
        predict_luma_from_planes(
            t.prediction, OTHER + SAMPLES * lst + 16 * y + x, 16,
            planes.data, planes.offset, planes.stride, planes.plane_bytes, x_qpel, y_qpel, width, height,
        )  # fmt: skip
    at = OTHER + 16 * y + x
    average_prediction(t.prediction, at, 16, t.prediction, at + SAMPLES, 16, width, height)
    t.satd_blocks += (width * height) >> 4
    cost = _satd(t, t.prediction, OTHER, p) + rate
    if cost < least and not t.tools_off & _BI_PREDICTION:
        best, least = np.int64(IN_BOTH), cost
    if p >= QUADRANT and t.direct_valid:
        cost = _satd(t, t.prediction, SLOT_SKIP * SAMPLES, p) + bit * _LIST_BITS[DIRECT]
        t.satd_blocks += 4
        if cost <= least:
            best, least = np.int64(DIRECT), cost
    t.part_list[p], t.part_cost[p] = best, least


@kernel
def _put_part(t, slot, quadrant, p, lists):
    """Give a quadrant of the slot the motion of partition `p`, predicted from `lists`."""
    t.sub_type[slot, quadrant] = SUB_8X8
    if lists == DIRECT:
        t.sub_type[slot, quadrant] = SUB_DIRECT
        _put_direct(t, slot, quadrant)
        return
    for lst in range(2):
        if lists != IN_BOTH and lists != lst:
            t.ref_idx[slot, lst, quadrant] = -1
            continue
        place = t.chosen[lst, p]
        t.ref_idx[slot, lst, quadrant] = place - LIST_1 * lst
        set_vector(
            t, slot, lst, 2 * (quadrant & 1), 2 * (quadrant >> 1), 2, 2, np.int64(t.vectors[place, p, 0]),
            np.int64(t.vectors[place, p, 1]),
        )  # fmt: skip


@inlined
def _try(t, motion, references, shape, best):
    """Code a shape as `part_list` predicts it; return the better one of it and slot `best`."""
    slot = free_slot(best, -1)
    for quadrant in range(4):
        p = SHAPE_PART[shape, quadrant]
        _put_part(t, slot, quadrant, p, t.part_list[p])
    mb_type = SHAPE_TYPE[shape]
    predict(t, slot, mb_type, references)
    eights = 1 if may_use_8x8(t, slot, mb_type) else 0
    code_inter(t, slot, mb_type, motion_rate(t, motion, slot, mb_type), eights, -1)
    return settle(t, slot, best)


@inlined
def decide_bipredictive(t, settings, motion, references, whole, cost, negligible):
    """Macroblock of a B slice that `try_direct` did not skip; return the best slot, SLOT_SKIP for B_Skip, -1 for I_PCM.

    whole, cost : results of motion_search, int16[6, n, 9, 2] and int32[6, n, 9]
    negligible  : what `try_direct` found
    """
    best = np.int64(-1)
    empty = negligible
    if not negligible and t.direct_valid:
        empty = code_skip(t, motion, B_DIRECT_16X16)
        if empty and is_skipped(t, settings, cost):
            return np.int64(SLOT_SKIP)
        if not empty:
            best = settle(t, 0, best)

    for lst in range(2):
        refine_list(t, motion, references, whole, 1 << WHOLE, lst, 0)
    _choose_lists(t, references, WHOLE)
    bit = t.lambda_motion >> MOTION_LAMBDA_BITS
    least = t.part_cost[WHOLE]
    direct = np.int64(NEVER)
    if t.direct_valid:
        direct = _satd(t, t.prediction, SLOT_SKIP * SAMPLES, WHOLE) + bit
        t.satd_blocks += 16
    if empty and settings.early_skip and direct <= least + bit:
        return np.int64(SLOT_SKIP)

    shapes = near_shapes(t, settings, cost)
    wanted = np.int64(0)
    for shape in range(1, 4):
        if (shapes >> shape) & 1:
            wanted |= SHAPE_SET[shape]
    if wanted:
        for lst in range(2):
            refine_list(t, motion, references, whole, wanted, lst, 1)
        for p in range(1, 9):
            if (wanted >> p) & 1:
                _choose_lists(t, references, p)
    least = min(least, direct)
    for shape in range(1, 4):
        if (shapes >> shape) & 1:
            least = min(least, shape_cost(t, shape, bit))
    bound = (least * settings.inter_margin) >> 4
    for shape in range(4):
        if not (shapes >> shape) & 1:
            continue
        if best >= 0 and (t.part_cost[WHOLE] if shape == 0 else shape_cost(t, shape, bit)) > bound:
            continue
        best = _try(t, motion, references, shape, best)

    if settings.both_transforms and best >= 0:
        best = try_other_transform(t, best)
    best = try_intra(t, best, (least * settings.intra_margin) >> 4, settings)
    skip = t.result[SLOT_SKIP, T_COST]  # NEVER where it cannot be predicted
    if skip < NEVER and skip <= t.result[best, T_COST]:
        return np.int64(SLOT_SKIP)
    return or_pcm(t, best)
