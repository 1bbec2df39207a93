"""Mode decision of macroblocks in I and P slices: from search results to the best slot."""

import numpy as np

from asic_model.codecs.h264.macroblock import INTER_16X16, P_SKIP
from asic_model.codecs.h264.motion_prediction import MotionField, skip_mv
from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS
from asic_model.engines.mode_decision.candidates import (
    SHAPE_8X8,
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
from asic_model.engines.mode_decision.single_pass import decide_single_pass, decide_single_pass_inter
from asic_model.engines.mode_decision.state import (
    NEVER,
    SLOT_SKIP,
    T_COST,
    T_TYPE,
)
from asic_model.engines.mode_decision.sub_partitions import try_sub_partitions
from asic_model.engines.mode_decision.trial import (
    code_skip,
    free_slot,
    or_pcm,
    rate_skip,
    settle,
    try_intra,
    try_other_transform,
)
from asic_model.engines.motion_search import WHOLE
from asic_model.kernel_cache import inlined, kernel


@kernel
def decide_intra(t, settings):
    """Macroblock of an I slice; return the best slot, -1 for I_PCM."""
    if t.single_pass:
        return decide_single_pass(t)
    return or_pcm(t, try_intra(t, np.int64(-1), np.int64(NEVER), settings))


@inlined
def try_skip(t, settings, motion, references, cost):
    """P_Skip: predict into SLOT_SKIP.

    Returns (whether the macroblock is skipped without a further look, whether nothing of the residual is worth coding).
    cost : as in `decide_inter`
    """
    if t.single_pass:
        return False, False
    field = MotionField(motion.slice_id, motion.ref_idx, motion.mv)
    t.skip_x, t.skip_y = skip_mv(field, motion.mb_width, t.mb)
    result = t.result[SLOT_SKIP]
    result[T_TYPE], result[T_COST] = P_SKIP, NEVER
    if t.skip_x < t.low_x or t.skip_x > t.high_x or t.skip_y < t.low_y or t.skip_y > t.high_y:
        return False, False
    for quadrant in range(4):
        t.ref_idx[SLOT_SKIP, 0, quadrant] = 0
        t.sub_type[SLOT_SKIP, quadrant] = 0
    set_vector(t, SLOT_SKIP, 0, 0, 0, 4, 4, t.skip_x, t.skip_y)
    predict_whole(t, SLOT_SKIP, references)
    negligible = rate_skip(t)
    return negligible and is_skipped(t, settings, cost), negligible


@inlined
def _try_shape(t, motion, references, shape, best):
    """Code one inter shape with the vectors that the search chose; return the better one of it and slot `best`."""
    slot = free_slot(best, -1)
    for quadrant in range(4):
        p = SHAPE_PART[shape, quadrant]
        ref = t.chosen[0, p]
        t.ref_idx[slot, 0, quadrant] = ref
        t.sub_type[slot, quadrant] = 0
        set_vector(
            t, slot, 0, 2 * (quadrant & 1), 2 * (quadrant >> 1), 2, 2, np.int64(t.vectors[ref, p, 0]),
            np.int64(t.vectors[ref, p, 1]),
        )  # fmt: skip
    mb_type = SHAPE_TYPE[shape]
    predict(t, slot, mb_type, references)
    eights = 1 if may_use_8x8(t, slot, mb_type) else 0
    code_inter(t, slot, mb_type, motion_rate(t, motion, slot, mb_type), eights, -1)
    return settle(t, slot, best)


@inlined
def decide_inter(t, settings, motion, references, whole, cost, negligible):
    """Macroblock of a P slice that `try_skip` did not skip; return the best slot, SLOT_SKIP for P_Skip, -1 for I_PCM.

    whole, cost : results of motion_search, int16[references, n, 9, 2] and int32[references, n, 9]
    negligible  : what `try_skip` found
    """
    if t.single_pass:
        return decide_single_pass_inter(t, motion, references, whole)
    best = np.int64(-1)
    empty = negligible
    if not negligible and t.result[SLOT_SKIP, T_COST] < NEVER:
        empty = code_skip(t, motion, INTER_16X16)
        if empty and is_skipped(t, settings, cost):
            return np.int64(SLOT_SKIP)
        if not empty:
            best = settle(t, 0, best)

    refine_list(t, motion, references, whole, 1 << WHOLE, 0, 0)
    ref = t.chosen[0, WHOLE]
    x, y = np.int64(t.vectors[ref, WHOLE, 0]), np.int64(t.vectors[ref, WHOLE, 1])
    if empty and settings.early_skip and ref == 0 and abs(x - t.skip_x) <= 1 and abs(y - t.skip_y) <= 1:
        return np.int64(SLOT_SKIP)

    bit = t.lambda_motion >> MOTION_LAMBDA_BITS
    shapes = near_shapes(t, settings, cost)
    wanted = np.int64(0)
    for shape in range(1, 4):
        if (shapes >> shape) & 1:
            wanted |= SHAPE_SET[shape]
    if wanted:
        refine_list(t, motion, references, whole, wanted, 0, 1)
        for p in range(1, 9):
            if (wanted >> p) & 1:
                t.part_cost[p] = t.vector_costs[t.chosen[0, p], p]

    least = np.int64(t.vector_costs[ref, WHOLE])
    for shape in range(1, 4):
        if (shapes >> shape) & 1:
            least = min(least, shape_cost(t, shape, bit))
    bound = (least * settings.inter_margin) >> 4
    for shape in range(4):
        if not (shapes >> shape) & 1:
            continue
        if shape == 0:
            if best >= 0 and ref == 0 and x == t.skip_x and y == t.skip_y:
                continue
            if best >= 0 and t.vector_costs[ref, WHOLE] > bound:
                continue
        elif shape_cost(t, shape, bit) > bound:
            continue
        best = _try_shape(t, motion, references, shape, best)
        if shape == SHAPE_8X8 and settings.sub_partitions:
            best = try_sub_partitions(t, motion, references, best)

    if settings.both_transforms and best >= 0:
        best = try_other_transform(t, best)
    best = try_intra(t, best, (least * settings.intra_margin) >> 4, settings)
    skip = t.result[SLOT_SKIP, T_COST]  # NEVER where it cannot be predicted
    if skip < NEVER and skip <= t.result[best, T_COST]:
        return np.int64(SLOT_SKIP)
    return or_pcm(t, best)
