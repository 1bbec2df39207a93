"""Partitions below 8x8 in P slices: which quadrants are worth splitting, and the vectors of their parts.

Each part is searched around its quadrant's vector: the eight whole-sample neighbours until none is better (at most
WHOLE_ROUNDS times), then half and quarter samples, all by SATD and the bits of the difference to the quadrant's vector.
A macroblock has at most VECTORS_MAX vectors, so that two in succession keep MaxMvsPer2Mb of every level (A.3.1,
Table A-1: 16 from level 3.1 on); the quadrants that gain most are split first.
"""

import numpy as np

from asic_model.codecs.h264.macroblock import INTER_8X8, SUB_8X8
from asic_model.engines.fractional_search import source_offsets, vector_rate
from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS
from asic_model.engines.mode_decision.inter import code_inter, motion_rate, predict, set_vector
from asic_model.engines.mode_decision.trial import free_slot, settle
from asic_model.engines.motion_search import QUADRANT
from asic_model.kernel_cache import kernel
from asic_model.simd.search import satd_4xn_average, satd_8xn_average

VECTORS_MAX = 8
WHOLE_ROUNDS = 2
# [sub_mb_type] -> width and height in samples, and bits of sub_mb_type beyond that of 8x8 (Table 9-38)
SUB_WIDTH = np.array([8, 8, 4, 4], np.int64)
SUB_HEIGHT = np.array([8, 4, 8, 4], np.int64)
SUB_BITS = np.array([0, 1, 2, 2], np.int64)
SUB_VECTORS = np.array([1, 2, 2, 4], np.int64)


@kernel
def _satd(t, planes, x, y, width, height, vector_x, vector_y):
    """SATD of the part at sample (x, y) of the macroblock against its prediction, quarter samples."""
    first, second = source_offsets(planes, 4 * (16 * t.mb_x + x) + vector_x, 4 * (16 * t.mb_y + y) + vector_y)
    t.satd_blocks += (width * height) >> 4
    if width == 8:
        return satd_8xn_average(t.source, 16 * y + x, 16, planes.data, first, second, planes.stride, height)
    return satd_4xn_average(t.source, 16 * y + x, 16, planes.data, first, second, planes.stride, height)


@kernel
def _search_part(t, planes, x, y, width, height, start_x, start_y):
    """Vector of a part, found around (start_x, start_y); returns (x, y, cost)."""
    best_x, best_y = start_x, start_y
    cost = _satd(t, planes, x, y, width, height, start_x, start_y)
    step, rounds = 4, 0
    while step:
        centre_x, centre_y = best_x, best_y
        for dy in range(-step, step + 1, step):
            for dx in range(-step, step + 1, step):
                vector_x, vector_y = centre_x + dx, centre_y + dy
                if dx == 0 and dy == 0:
                    continue
                if vector_x < t.low_x or vector_x > t.high_x or vector_y < t.low_y or vector_y > t.high_y:
                    continue
                other = _satd(t, planes, x, y, width, height, vector_x, vector_y)
                other += vector_rate(vector_x, vector_y, start_x, start_y, t.lambda_motion)
                if other < cost:
                    best_x, best_y, cost = vector_x, vector_y, other
        rounds += 1
        moved = best_x != centre_x or best_y != centre_y
        if step < 4 or not moved or rounds == WHOLE_ROUNDS:
            step >>= 1
    return best_x, best_y, cost


@kernel
def _search_quadrant(t, references, quadrant):
    """Fill `sub_cost` and `sub_vector` of a quadrant: costs of leaving it whole and of each way to split it."""
    p = QUADRANT + quadrant
    ref = t.chosen[0, p]
    planes = references.search[ref]
    x0, y0 = 8 * (quadrant & 1), 8 * (quadrant >> 1)
    start_x, start_y = np.int64(t.vectors[ref, p, 0]), np.int64(t.vectors[ref, p, 1])
    two_bits = (2 * t.lambda_motion) >> MOTION_LAMBDA_BITS  # a difference of zero
    t.sub_cost[quadrant, SUB_8X8] = _satd(t, planes, x0, y0, 8, 8, start_x, start_y)
    for sub in range(1, 4):
        width, height = SUB_WIDTH[sub], SUB_HEIGHT[sub]
        total = (t.lambda_motion * SUB_BITS[sub]) >> MOTION_LAMBDA_BITS
        part = 0
        for y in range(y0, y0 + 8, height):
            for x in range(x0, x0 + 8, width):
                # The quadrant's own difference is paid whole or split; each further part pays at least two bits more.
                vector_x, vector_y, cost = _search_part(t, planes, x, y, width, height, start_x, start_y)
                total += cost + (two_bits if part else 0)
                t.sub_vector[quadrant, sub, part, 0], t.sub_vector[quadrant, sub, part, 1] = vector_x, vector_y
                part += 1
        t.sub_cost[quadrant, sub] = total


@kernel
def try_sub_partitions(t, motion, references, best):
    """Code the four quadrants with those split that gain by it; return the better one of that and slot `best`.

    The vectors of the quadrants (`chosen`, `vectors`) must have been searched.
    """
    floor = (4 * t.lambda_motion) >> MOTION_LAMBDA_BITS  # what a split costs at least
    for quadrant in range(4):
        for sub in range(4):
            t.sub_cost[quadrant, sub] = 0
        p = QUADRANT + quadrant
        if t.part_cost[p] > floor:
            _search_quadrant(t, references, quadrant)
    slot = free_slot(best, -1)
    for quadrant in range(4):
        p = QUADRANT + quadrant
        ref = t.chosen[0, p]
        t.ref_idx[slot, 0, quadrant], t.sub_type[slot, quadrant] = ref, SUB_8X8
        set_vector(
            t, slot, 0, 2 * (quadrant & 1), 2 * (quadrant >> 1), 2, 2, np.int64(t.vectors[ref, p, 0]),
            np.int64(t.vectors[ref, p, 1]),
        )  # fmt: skip
    left = VECTORS_MAX - 4
    while True:
        gain, where, how = np.int64(0), 0, 0
        for quadrant in range(4):
            if t.sub_type[slot, quadrant] != SUB_8X8:
                continue
            for sub in range(1, 4):
                if SUB_VECTORS[sub] - 1 > left:
                    continue
                more = t.sub_cost[quadrant, SUB_8X8] - t.sub_cost[quadrant, sub]
                if more > gain:
                    gain, where, how = more, quadrant, sub
        if gain == 0:
            break
        t.sub_type[slot, where] = how
        left -= SUB_VECTORS[how] - 1
        width, height = SUB_WIDTH[how] >> 2, SUB_HEIGHT[how] >> 2
        x0, y0 = 2 * (where & 1), 2 * (where >> 1)
        part = 0
        for y in range(y0, y0 + 2, height):
            for x in range(x0, x0 + 2, width):
                vector = t.sub_vector[where, how, part]
                set_vector(t, slot, 0, x, y, width, height, np.int64(vector[0]), np.int64(vector[1]))
                part += 1
    if left == VECTORS_MAX - 4:
        return np.int64(best)
    predict(t, slot, INTER_8X8, references)
    code_inter(t, slot, INTER_8X8, motion_rate(t, motion, slot, INTER_8X8), 0, -1)
    return settle(t, slot, best)
