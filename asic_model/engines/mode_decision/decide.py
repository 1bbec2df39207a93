"""Mode decision of one macroblock: from search results to the macroblock record and the reconstruction.

begin          loads the macroblock: source, surroundings, neighbours' data, tables at its QP
decide_intra   I slices
decide_inter   P slices: P_Skip, inter shapes, intra
commit         puts the winner into the record and the picture
"""

import numpy as np

from asic_model.codecs.h264.macroblock import (
    I_4X4,
    I_8X8,
    I_16X16,
    I_PCM,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    P_SKIP,
)
from asic_model.codecs.h264.motion_prediction import MotionField, predict_mv, skip_mv
from asic_model.engines.fractional_search import refine, satd_at
from asic_model.engines.intra_prediction import CORNER, LEFT, TOP, TOP_RIGHT
from asic_model.engines.lagrangian import MODE_LAMBDA, MOTION_LAMBDA, MOTION_LAMBDA_BITS
from asic_model.engines.mode_decision.inter import code_inter, may_use_8x8, motion_rate, predict, set_vector, skip_rate
from asic_model.engines.mode_decision.intra import (
    choose_16x16,
    choose_chroma,
    finish_intra,
    try_4x4,
    try_8x8,
    try_16x16,
)
from asic_model.engines.mode_decision.levels import LAMBDA_STEPS
from asic_model.engines.mode_decision.rate import ONE_BIT
from asic_model.engines.mode_decision.residual import BLOCK_OF_RASTER
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
    NEVER,
    SAMPLES,
    SLOT_SKIP,
    T_8X8,
    T_CBP,
    T_CHROMA_MODE,
    T_COST,
    T_DC,
    T_I16_MODE,
    T_MOTION_RATE,
    T_RATE,
    T_SSD,
    T_TYPE,
    WINDOW_CB,
    WINDOW_CHROMA_STRIDE,
    WINDOW_CR,
    WINDOW_STRIDE,
    WINDOW_Y,
)
from asic_model.engines.motion_search import BORDER_PX, LOWER, QUADRANT, RIGHT, UPPER, WHOLE
from asic_model.engines.motion_search import LEFT as LEFT_HALF
from asic_model.engines.transform.quantiser import INTRA_CB, INTRA_Y, INTRA_Y_8X8, chroma_qp
from asic_model.kernel_cache import kernel
from asic_model.simd.blocks import copy_8xn, copy_16xn
from asic_model.simd.compare import ssd_8xn, ssd_16xn

PCM_RATE = (3072 + 12) * ONE_BIT
RATE_MAX = 3100 * ONE_BIT  # A.3.1: a macroblock has at most 3200 bits; beyond this estimate it becomes I_PCM
_CHROMA_WEIGHT = np.array([round(LAMBDA_STEPS * 2 ** (steps / 3)) for steps in range(-12, 40)], np.int64)
_SHAPE_TYPE = np.array([INTER_16X16, INTER_16X8, INTER_8X16, INTER_8X8], np.int64)
# [shape][quadrant] -> partition whose vector the quadrant takes
_SHAPE_PART = np.array(
    [
        [WHOLE] * 4,
        [UPPER, UPPER, LOWER, LOWER],
        [LEFT_HALF, RIGHT, LEFT_HALF, RIGHT],
        [QUADRANT, QUADRANT + 1, QUADRANT + 2, QUADRANT + 3],
    ],
    np.int64,
)
# [shape] -> partitions as a bit set, number of vectors beyond the first
_SHAPE_SET = np.array([1 << WHOLE, 1 << UPPER | 1 << LOWER, 1 << LEFT_HALF | 1 << RIGHT, 15 << QUADRANT], np.int64)
_SHAPE_EXTRA = np.array([0, 2, 2, 5], np.int64)  # bits of mb_type and sub_mb_type beyond 16x16's


@kernel
def _load_tables(t, q):
    """Multipliers and scales at the macroblock's QP. Flat scaling lists: all six are alike."""
    for plane in range(2):
        qp = t.qp_chroma if plane else t.qp
        first_list = INTRA_CB if plane else INTRA_Y
        factor, scale = (first_list * 6 + qp % 6) * 16, (first_list * 52 + qp) * 16
        for i in range(16):
            t.factor[16 * plane + i] = q.factor_4x4[factor + i]
            t.dc_factor[16 * plane + i] = q.factor_4x4[factor]
            t.scale[16 * plane + i] = q.scale_4x4[scale + i]
    factor, scale = (INTRA_Y_8X8 * 6 + t.qp % 6) * 64, (INTRA_Y_8X8 * 52 + t.qp) * 64
    for i in range(64):
        t.factor_8x8[i] = q.factor_8x8[factor + i]
        t.scale_8x8[i] = q.scale_8x8[scale + i]


@kernel
def _load_samples(t, source, recon, mb_x, mb_y):
    """Source samples, and the window's row above and column to the left."""
    y, u, v = (
        source.y + 16 * (mb_y * source.stride + mb_x),
        source.u + 8 * (mb_y * source.chroma_stride + mb_x),
        source.v + 8 * (mb_y * source.chroma_stride + mb_x),
    )
    copy_16xn(t.source, 0, 16, source.data, y, source.stride, 16)
    copy_8xn(t.source, CB, 8, source.data, u, source.chroma_stride, 8)
    copy_8xn(t.source, CR, 8, source.data, v, source.chroma_stride, 8)
    data = recon.data
    for plane in range(3):
        if plane == 0:
            at, origin, stride, step, size = recon.y, WINDOW_Y, recon.stride, WINDOW_STRIDE, 16
        else:
            at, origin = (recon.u, WINDOW_CB) if plane == 1 else (recon.v, WINDOW_CR)
            stride, step, size = recon.chroma_stride, WINDOW_CHROMA_STRIDE, 8
        at += size * (mb_y * stride + mb_x)
        if mb_y > 0:
            if plane == 0:
                copy_16xn(t.window, origin - step, 0, data, at - stride, 0, 1)
                copy_8xn(t.window, origin - step + 16, 0, data, at - stride + 16, 0, 1)
            else:
                copy_8xn(t.window, origin - step, 0, data, at - stride, 0, 1)
            t.window[origin - step - 1] = data[at - stride - 1]
        if mb_x > 0:
            for row in range(size):
                t.window[origin + row * step - 1] = data[at + row * stride - 1]


@kernel
def begin(t, q, settings, mbs, coded, source, recon, mb, mb_width, mb_height, qp, previous_qp, chroma_offset):
    """Load a macroblock; slice_id[mb] must be set."""
    slice_id = mbs.slice_id
    own = slice_id[mb]
    mb_x, mb_y = mb % mb_width, mb // mb_width
    t.mb, t.mb_x, t.mb_y = mb, mb_x, mb_y
    above = mb - mb_width
    t.left = mb - 1 if mb_x > 0 and slice_id[mb - 1] == own else -1
    t.up = above if mb_y > 0 and slice_id[above] == own else -1
    t.up_right = above + 1 if mb_y > 0 and mb_x + 1 < mb_width and slice_id[above + 1] == own else -1
    t.up_left = above - 1 if mb_y > 0 and mb_x > 0 and slice_id[above - 1] == own else -1
    t.available = (
        (LEFT if t.left >= 0 else 0)
        | (TOP if t.up >= 0 else 0)
        | (TOP_RIGHT if t.up_right >= 0 else 0)
        | (CORNER if t.up_left >= 0 else 0)
    )
    _load_samples(t, source, recon, mb_x, mb_y)
    t.qp, t.qp_chroma = qp, chroma_qp(qp, chroma_offset)
    t.qp_changed = 1 if qp != previous_qp else 0
    if qp != t.table_qp:
        t.table_qp = qp
        _load_tables(t, q)
        t.lambda_mode, t.lambda_motion = (MODE_LAMBDA[qp] * settings.mode_lambda) >> 4, MOTION_LAMBDA[qp]
        chroma = _CHROMA_WEIGHT[min(max(qp - t.qp_chroma + 12, 0), 51)]
        t.weight[INTER, LUMA] = (LAMBDA_STEPS * settings.weight_inter) >> 4
        t.weight[INTER, CHROMA] = (chroma * settings.weight_inter) >> 4
        t.weight[INTRA, LUMA] = (LAMBDA_STEPS * settings.weight_intra) >> 4
        t.weight[INTRA, CHROMA] = (chroma * settings.weight_intra) >> 4
    t.skip_inc = t.type_inc = t.chroma_inc = t.transform_inc = 0
    for side in range(2):
        other = t.up if side else t.left
        cbp, dc = np.int64(15), np.int64(-1)
        kind = np.int64(-1)
        if other >= 0:
            kind = np.int64(mbs.mb_type[other])
            t.skip_inc += 0 if kind == P_SKIP else 1
            t.type_inc += 0 if kind == I_4X4 or kind == I_8X8 else 1
            t.transform_inc += mbs.transform_8x8[other]
            t.chroma_inc += 1 if kind < I_PCM and mbs.chroma_mode[other] else 0
            cbp, dc = np.int64(coded.pattern[other]), np.int64(coded.dc[other])
        for i in range(4):
            mode = np.int64(-1 if other < 0 else 2)
            if side:
                if kind == I_4X4 or kind == I_8X8:
                    mode = np.int64(mbs.intra_mode[other, BLOCK_OF_RASTER[12 + i]])
                t.up_modes[i] = mode
            else:
                if kind == I_4X4 or kind == I_8X8:
                    mode = np.int64(mbs.intra_mode[other, BLOCK_OF_RASTER[4 * i + 3]])
                t.left_modes[i] = mode
        if side:
            t.up_cbp, t.up_dc = cbp, dc
        else:
            t.left_cbp, t.left_dc = cbp, dc
    counts, total = t.counts, mbs.total_coeff
    for i in range(4):
        counts[5 * (i + 1)] = np.int64(total[t.left, BLOCK_OF_RASTER[4 * i + 3]]) if t.left >= 0 else -1
        counts[i + 1] = np.int64(total[t.up, BLOCK_OF_RASTER[12 + i]]) if t.up >= 0 else -1
    for component in range(2):
        at = COUNTS_CR if component else COUNTS_CB
        for i in range(2):
            block = 16 + 4 * component + i
            counts[at + 3 * (i + 1)] = np.int64(total[t.left, block + i + 1]) if t.left >= 0 else -1
            counts[at + i + 1] = np.int64(total[t.up, block + 2]) if t.up >= 0 else -1
    t.low_x, t.low_y = 4 * (-16 * mb_x - BORDER_PX) - 3, 4 * (-16 * mb_y - BORDER_PX) - 3
    t.high_x = 4 * (16 * (mb_width - mb_x - 1) + BORDER_PX) + 3
    t.high_y = 4 * (16 * (mb_height - mb_y - 1) + BORDER_PX) + 3
    t.trials = t.satd_blocks = t.intra_blocks = t.transform_blocks = 0


@kernel
def distortion(t, samples, area):
    """SSD of a macroblock's samples, luma and chroma, against the source."""
    return (
        ssd_16xn(t.source, 0, 16, samples, area, 16, 16)
        + ssd_8xn(t.source, CB, 8, samples, area + CB, 8, 8)
        + ssd_8xn(t.source, CR, 8, samples, area + CR, 8, 8)
    )


@kernel
def _settle(t, slot, best):
    """Cost of a finished trial; return the better one of it and slot `best` (-1: none yet)."""
    result = t.result[slot]
    ssd = distortion(t, t.samples, slot * SAMPLES)
    result[T_SSD] = ssd
    result[T_COST] = (ssd << 8) + ((t.lambda_mode * result[T_RATE]) >> 8)
    if result[T_RATE] > RATE_MAX:
        result[T_COST] = NEVER
    t.trials += 1
    return np.int64(slot) if best < 0 or result[T_COST] < t.result[best, T_COST] else np.int64(best)


@kernel
def _free_slot(one, other):
    slot = np.int64(0)
    while slot == one or slot == other:
        slot += 1
    return slot


@kernel
def _or_pcm(t, best):
    return np.int64(-1) if t.result[best, T_COST] > (t.lambda_mode * PCM_RATE) >> 8 else np.int64(best)


@kernel
def try_intra(t, best, bound):
    """Try all intra types if the SATD of Intra16x16 is at most `bound`; return the best slot."""
    slot = _free_slot(best, -1)
    mode, satd = choose_16x16(t, slot)
    if satd > bound:
        return np.int64(best)
    chroma_mode = choose_chroma(t, slot)
    extra = skip_rate(t, 0) if t.p_slice else np.int64(0)
    try_16x16(t, slot, mode)
    finish_intra(t, slot, chroma_mode, -1)
    t.result[slot, T_RATE] += extra
    first = slot
    best = _settle(t, slot, best)
    if t.transform_8x8:
        slot = _free_slot(best, first)
        try_8x8(t, slot)
        finish_intra(t, slot, chroma_mode, first)
        t.result[slot, T_RATE] += extra
        best = _settle(t, slot, best)
    slot = _free_slot(best, first)
    if try_4x4(t, slot, np.int64(NEVER)):
        finish_intra(t, slot, chroma_mode, first)
        t.result[slot, T_RATE] += extra
        best = _settle(t, slot, best)
    return best


@kernel
def decide_intra(t):
    """Macroblock of an I slice; return the best slot, -1 for I_PCM."""
    return _or_pcm(t, try_intra(t, np.int64(-1), np.int64(NEVER)))


@kernel
def _try_skip(t, motion, references):
    """P_Skip: predict into SLOT_SKIP, and code the same motion with its residual in slot 0.

    Returns (cost of P_Skip or NEVER, whether nothing of the residual was worth coding).
    """
    field = MotionField(motion.slice_id, motion.ref_idx, motion.mv)
    t.skip_x, t.skip_y = skip_mv(field, motion.mb_width, t.mb)
    result = t.result[SLOT_SKIP]
    result[T_TYPE], result[T_COST] = P_SKIP, NEVER
    if t.skip_x < t.low_x or t.skip_x > t.high_x or t.skip_y < t.low_y or t.skip_y > t.high_y:
        return False
    for slot in (0, SLOT_SKIP):
        for quadrant in range(4):
            t.ref_idx[slot, quadrant] = 0
        set_vector(t, slot, 0, 0, 4, 4, t.skip_x, t.skip_y)
    predict(t, 0, INTER_16X16, references)
    copy_16xn(t.prediction, SLOT_SKIP * SAMPLES, 16, t.prediction, 0, 16, 24)
    ssd = distortion(t, t.prediction, 0)
    result[T_RATE], result[T_SSD] = skip_rate(t, 1), ssd
    result[T_COST] = (ssd << 8) + ((t.lambda_mode * result[T_RATE]) >> 8)
    code_inter(t, 0, INTER_16X16, motion_rate(t, motion, 0, INTER_16X16), t.transform_8x8, -1)
    t.trials += 1
    return t.result[0, T_CBP] == 0


@kernel
def _refine(t, settings, motion, references, whole, wanted):
    """Fractional search of the partitions in `wanted`, all references; the best reference of each into `chosen`."""
    field = MotionField(motion.slice_id, motion.ref_idx, motion.mv)
    for ref in range(settings.references):
        predicted_x, predicted_y = predict_mv(field, motion.mb_width, t.mb, 0, 0, 0, 4, 4, ref)
        positions = refine(
            t.source, 0, 16, references.luma[ref], 16 * t.mb_x, 16 * t.mb_y, whole[ref, t.mb], wanted,
            predicted_x, predicted_y, t.lambda_motion, t.vectors[ref], t.vector_costs[ref], t.search_best,
        )  # fmt: skip
        if wanted & 1 and t.low_x <= predicted_x <= t.high_x and t.low_y <= predicted_y <= t.high_y:
            satd = satd_at(t.source, 0, 16, references.luma[ref], 16 * t.mb_x, 16 * t.mb_y, predicted_x, predicted_y)
            cost = satd + ((2 * t.lambda_motion) >> MOTION_LAMBDA_BITS)
            positions += 1
            if cost <= t.vector_costs[ref, WHOLE]:
                t.vectors[ref, WHOLE, 0], t.vectors[ref, WHOLE, 1] = predicted_x, predicted_y
                t.vector_costs[ref, WHOLE] = cost
        t.satd_blocks += 16 * positions
        reference_bits = 0 if settings.references == 1 else 2 * ref + 1
        for p in range(9):
            if (wanted >> p) & 1:
                t.vector_costs[ref, p] += (t.lambda_motion * reference_bits) >> MOTION_LAMBDA_BITS
                if ref == 0 or t.vector_costs[ref, p] < t.vector_costs[t.chosen[p], p]:
                    t.chosen[p] = ref


@kernel
def _try_shape(t, motion, references, shape, best):
    """Code one inter shape with the vectors that the search chose; return the better one of it and slot `best`."""
    slot = _free_slot(best, -1)
    for quadrant in range(4):
        p = _SHAPE_PART[shape, quadrant]
        ref = t.chosen[p]
        t.ref_idx[slot, quadrant] = ref
        t.sub_type[slot, quadrant] = 0
        set_vector(
            t, slot, 2 * (quadrant & 1), 2 * (quadrant >> 1), 2, 2, np.int64(t.vectors[ref, p, 0]),
            np.int64(t.vectors[ref, p, 1]),
        )  # fmt: skip
    mb_type = _SHAPE_TYPE[shape]
    predict(t, slot, mb_type, references)
    eights = 1 if may_use_8x8(t, slot, mb_type) else 0
    code_inter(t, slot, mb_type, motion_rate(t, motion, slot, mb_type), eights, -1)
    return _settle(t, slot, best)


@kernel
def _try_other_transform(t, best):
    """Code the inter macroblock of slot `best` with the other transform size; return the better slot."""
    mb_type = t.result[best, T_TYPE]
    if t.result[best, T_CBP] & 15 == 0 or not may_use_8x8(t, best, mb_type):
        return np.int64(best)
    slot = _free_slot(best, -1)
    copy_16xn(t.prediction, slot * SAMPLES, 16, t.prediction, best * SAMPLES, 16, 24)
    for quadrant in range(4):
        t.ref_idx[slot, quadrant] = t.ref_idx[best, quadrant]
        t.sub_type[slot, quadrant] = t.sub_type[best, quadrant]
    for block in range(16):
        t.vector[slot, block, 0], t.vector[slot, block, 1] = t.vector[best, block, 0], t.vector[best, block, 1]
    code_inter(t, slot, mb_type, t.result[best, T_MOTION_RATE], 1 - t.result[best, T_8X8], best)
    return _settle(t, slot, best)


@kernel
def decide_inter(t, settings, motion, references, whole, cost):
    """Macroblock of a P slice; return the best slot, SLOT_SKIP for P_Skip, -1 for I_PCM.

    whole, cost : results of motion_search, int16[references, n, 9, 2] and int32[references, n, 9]
    """
    empty = _try_skip(t, motion, references)
    best = np.int64(-1)
    if not empty and t.result[SLOT_SKIP, T_COST] < NEVER:
        best = _settle(t, 0, best)

    _refine(t, settings, motion, references, whole, 1 << WHOLE)
    ref = t.chosen[WHOLE]
    x, y = np.int64(t.vectors[ref, WHOLE, 0]), np.int64(t.vectors[ref, WHOLE, 1])
    if empty and settings.early_skip and ref == 0 and abs(x - t.skip_x) <= 1 and abs(y - t.skip_y) <= 1:
        return np.int64(SLOT_SKIP)

    # Shapes whose whole-sample cost is near that of 16x16 are refined too.
    bit = t.lambda_motion >> MOTION_LAMBDA_BITS
    least_whole = np.int64(0x7FFFFFFF)
    for r in range(settings.references):
        least_whole = min(least_whole, np.int64(cost[r, t.mb, WHOLE]))
    shapes = 1
    for shape in range(1, 4):
        if not (settings.partitions >> (shape - 1)) & 1:
            continue
        total = bit * _SHAPE_EXTRA[shape]
        for p in range(1, 9):
            if (_SHAPE_SET[shape] >> p) & 1:
                least = np.int64(cost[0, t.mb, p])
                for r in range(1, settings.references):
                    least = min(least, np.int64(cost[r, t.mb, p]))
                total += least
        if total * 16 <= least_whole * settings.shape_margin:
            shapes |= 1 << shape
    wanted = np.int64(0)
    for shape in range(1, 4):
        if (shapes >> shape) & 1:
            wanted |= _SHAPE_SET[shape]
    if wanted:
        _refine(t, settings, motion, references, whole, wanted)

    least = np.int64(t.vector_costs[ref, WHOLE])
    for shape in range(1, 4):
        if (shapes >> shape) & 1:
            least = min(least, _shape_cost(t, shape, bit))
    bound = (least * settings.inter_margin) >> 4
    for shape in range(4):
        if not (shapes >> shape) & 1:
            continue
        if shape == 0:
            if best >= 0 and ref == 0 and x == t.skip_x and y == t.skip_y:
                continue
            if best >= 0 and t.vector_costs[ref, WHOLE] > bound:
                continue
        elif _shape_cost(t, shape, bit) > bound:
            continue
        best = _try_shape(t, motion, references, shape, best)

    if settings.both_transforms and best >= 0:
        best = _try_other_transform(t, best)
    best = try_intra(t, best, (least * settings.intra_margin) >> 4)
    if t.result[SLOT_SKIP, T_COST] <= t.result[best, T_COST]:
        return np.int64(SLOT_SKIP)
    return _or_pcm(t, best)


@kernel
def _shape_cost(t, shape, bit):
    """SATD cost of a shape from its partitions."""
    total = bit * _SHAPE_EXTRA[shape]
    for p in range(1, 9):
        if (_SHAPE_SET[shape] >> p) & 1:
            total += t.vector_costs[t.chosen[p], p]
    return total


@kernel
def _store(recon, mb_x, mb_y, samples, area):
    """Put a macroblock's samples into the picture."""
    at = recon.y + 16 * (mb_y * recon.stride + mb_x)
    within = 8 * (mb_y * recon.chroma_stride + mb_x)
    copy_16xn(recon.data, at, recon.stride, samples, area, 16, 16)
    copy_8xn(recon.data, recon.u + within, recon.chroma_stride, samples, area + CB, 8, 8)
    copy_8xn(recon.data, recon.v + within, recon.chroma_stride, samples, area + CR, 8, 8)


@kernel
def _clear_motion(motion, mb):
    for quadrant in range(4):
        motion.ref_idx[mb, 0, quadrant] = -1
    for block in range(16):
        motion.mv[mb, 0, block, 0] = motion.mv[mb, 0, block, 1] = 0
        motion.mvd[mb, 0, block, 0] = motion.mvd[mb, 0, block, 1] = 0


@kernel
def commit(t, slot, previous_qp, mbs, levels, motion, coded, recon):
    """Put the decision into the macroblock record and the reconstructed picture; return the QP that stays in force.

    slot   : of the winner, -1 for I_PCM
    levels : mbs.levels seen flat
    """
    mb = t.mb
    kind = np.int64(I_PCM)
    pattern, dc = np.int64(47), np.int64(7)
    if slot >= 0:
        kind = t.result[slot, T_TYPE]
        pattern = t.result[slot, T_CBP] if kind != P_SKIP else np.int64(0)
        if (
            kind == INTER_16X16 and pattern == 0 and t.ref_idx[slot, 0] == 0
            and t.vector[slot, 0, 0] == t.skip_x and t.vector[slot, 0, 1] == t.skip_y
        ):  # fmt: skip
            kind = np.int64(P_SKIP)
        dc = t.result[slot, T_DC] if pattern or kind == I_16X16 else np.int64(0)
    if slot < 0:
        _store(recon, t.mb_x, t.mb_y, t.source, 0)
    elif t.result[slot, T_TYPE] == P_SKIP:
        _store(recon, t.mb_x, t.mb_y, t.prediction, slot * SAMPLES)
    else:
        _store(recon, t.mb_x, t.mb_y, t.samples, slot * SAMPLES)

    mbs.mb_type[mb], mbs.cbp[mb] = kind, pattern
    mbs.transform_8x8[mb] = t.result[slot, T_8X8] if kind != I_PCM and kind != P_SKIP else 0
    coded.pattern[mb], coded.dc[mb] = pattern, dc
    target = mb * LEVELS_SLOT
    qp = np.int64(previous_qp)
    if kind == I_PCM:
        for i in range(SAMPLES):
            levels[target + i] = t.source[i]
        for block in range(24):
            mbs.total_coeff[mb, block] = 16
    elif pattern or kind == I_16X16:
        qp = t.qp
        copy_16xn(levels, target, 16, t.levels, slot * LEVELS_SLOT, 16, 27)
        for block in range(24):
            mbs.total_coeff[mb, block] = t.total[slot, block]
    else:
        for block in range(24):
            mbs.total_coeff[mb, block] = 0
    mbs.qp[mb] = qp
    mbs.chroma_mode[mb] = t.result[slot, T_CHROMA_MODE] if kind < I_PCM else 0
    if kind <= I_PCM:
        _clear_motion(motion, mb)
        for block in range(16):
            mode = np.int64(2)
            if kind == I_16X16:
                mode = t.result[slot, T_I16_MODE]
            elif kind != I_PCM:
                mode = t.intra_mode[slot, block]
            mbs.intra_mode[mb, block] = mode
    else:
        for quadrant in range(4):
            mbs.sub_type[mb, quadrant] = t.sub_type[slot, quadrant]
        motion_rate(t, motion, slot, kind if kind != P_SKIP else np.int64(INTER_16X16))
        if kind == P_SKIP:
            for block in range(16):
                motion.mvd[mb, 0, block, 0] = motion.mvd[mb, 0, block, 1] = 0
    return qp
