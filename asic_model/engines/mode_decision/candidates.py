"""Inter candidates: which shapes are worth refining, and fractional search of their partitions."""

import numpy as np

from asic_model.codecs.h264.macroblock import INTER_8X8, INTER_8X16, INTER_16X8, INTER_16X16
from asic_model.codecs.h264.motion_prediction import MotionField, predict_mv
from asic_model.engines.fractional_search import FractionalScratch, refine, satd_at, vector_rate
from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS
from asic_model.engines.mode_decision.state import LIST_1, SAMPLES, SLOT_SKIP, T_SSD
from asic_model.engines.motion_search import LEFT as LEFT_HALF
from asic_model.engines.motion_search import LOWER, QUADRANT, RIGHT, UPPER, WHOLE
from asic_model.kernel_cache import inlined, kernel
from asic_model.simd.compare import sad_16xn

SHAPE_8X8 = 3
SHAPE_TYPE = np.array([INTER_16X16, INTER_16X8, INTER_8X16, INTER_8X8], np.int64)
# [shape][quadrant] -> partition whose vector the quadrant takes
SHAPE_PART = np.array(
    [
        [WHOLE] * 4,
        [UPPER, UPPER, LOWER, LOWER],
        [LEFT_HALF, RIGHT, LEFT_HALF, RIGHT],
        [QUADRANT, QUADRANT + 1, QUADRANT + 2, QUADRANT + 3],
    ],
    np.int64,
)
# [shape] -> partitions as a bit set, bits of mb_type and sub_mb_type beyond 16x16's
SHAPE_SET = np.array([1 << WHOLE, 1 << UPPER | 1 << LOWER, 1 << LEFT_HALF | 1 << RIGHT, 15 << QUADRANT], np.int64)
SHAPE_EXTRA = np.array([0, 2, 2, 5], np.int64)


@kernel
def _least_cost(t, cost, p):
    """Smallest whole-sample cost of a partition over all references of both lists."""
    least = np.int64(0x7FFFFFFF)
    for lst in range(2):
        for ref in range(t.ref_counts[lst]):
            least = min(least, np.int64(cost[lst * LIST_1 + ref, t.mb, p]))
    return least


@kernel
def skip_is_near(t, settings, cost):
    """Whether the SAD of the skip's prediction is within a margin of the best whole-sample cost of 16x16."""
    if settings.skip_sad == 0:
        return False
    sad = sad_16xn(t.source, 0, 16, t.prediction, SLOT_SKIP * SAMPLES, 16, 16)
    return 16 * sad <= settings.skip_sad * _least_cost(t, cost, WHOLE)


@kernel
def is_skipped(t, settings, cost):
    """Whether a skip that leaves no residual ends the decision: it has little energy, or the search found no better."""
    return t.result[SLOT_SKIP, T_SSD] < t.skip_ssd or skip_is_near(t, settings, cost)


@kernel
def near_shapes(t, settings, cost):
    """Bit set of the shapes whose whole-sample cost is near that of 16x16, which is always among them."""
    bit = t.lambda_motion >> MOTION_LAMBDA_BITS
    whole = _least_cost(t, cost, WHOLE)
    shapes = 1
    for shape in range(1, 4):
        if not (settings.partitions >> (shape - 1)) & 1:
            continue
        total = bit * SHAPE_EXTRA[shape]
        for p in range(1, 9):
            if (SHAPE_SET[shape] >> p) & 1:
                total += _least_cost(t, cost, p)
        if total * 16 <= whole * settings.shape_margin:
            shapes |= 1 << shape
    return shapes


@inlined
def refine_list(t, motion, references, whole, wanted, lst, again):
    """Fractional search of the partitions in `wanted` in all references of a list; the best one of each goes into
    `chosen`, by its place.

    again : 1: the call before for this list was of this macroblock and wanted 16x16 alone
    """
    field = MotionField(motion.slice_id, motion.ref_idx, motion.mv)
    count = t.ref_counts[lst]
    for ref in range(count):
        place = lst * LIST_1 + ref
        planes = references.search[place]
        predicted_x, predicted_y = predict_mv(field, motion.mb_width, t.mb, lst, 0, 0, 4, 4, ref)
        positions = refine(
            t.source, 0, 16, planes, 16 * t.mb_x, 16 * t.mb_y, whole[place, t.mb], wanted,
            predicted_x, predicted_y, t.lambda_motion, t.vectors[place], t.vector_costs[place],
            FractionalScratch(t.search_best[place], t.search_lines), again,
        )  # fmt: skip
        if wanted & 1 and t.low_x <= predicted_x <= t.high_x and t.low_y <= predicted_y <= t.high_y:
            satd = satd_at(t.source, 0, 16, planes, 16 * t.mb_x, 16 * t.mb_y, predicted_x, predicted_y)
            cost = satd + ((2 * t.lambda_motion) >> MOTION_LAMBDA_BITS)
            positions += 1
            if cost <= t.vector_costs[place, WHOLE]:
                t.vectors[place, WHOLE, 0], t.vectors[place, WHOLE, 1] = predicted_x, predicted_y
                t.vector_costs[place, WHOLE] = cost
        t.satd_blocks += 16 * positions
        reference_bits = 0 if count == 1 else 2 * ref + 1
        for p in range(9):
            if (wanted >> p) & 1:
                rate = (t.lambda_motion * reference_bits) >> MOTION_LAMBDA_BITS
                t.vector_costs[place, p] += rate
                x, y = np.int64(t.vectors[place, p, 0]), np.int64(t.vectors[place, p, 1])
                t.vector_rates[place, p] = rate + vector_rate(x, y, predicted_x, predicted_y, t.lambda_motion)
                if ref == 0 or t.vector_costs[place, p] < t.vector_costs[t.chosen[lst, p], p]:
                    t.chosen[lst, p] = place


@kernel
def shape_cost(t, shape, bit):
    """SATD cost of a shape from its partitions' (`part_cost`)."""
    total = bit * SHAPE_EXTRA[shape]
    for p in range(1, 9):
        if (SHAPE_SET[shape] >> p) & 1:
            total += t.part_cost[p]
    return total
