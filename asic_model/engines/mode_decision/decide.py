"""Mode decision of one macroblock: from search results to the macroblock record and the reconstruction."""

import numpy as np

from asic_model.codecs.h264.macroblock import (
    I_4X4,
    I_16X16,
    I_PCM,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    P_SKIP,
)
from asic_model.codecs.h264.motion_prediction import MotionField, predict_mv, skip_mv
from asic_model.engines.fractional_search import refine
from asic_model.engines.intra_prediction import CORNER, LEFT, TOP, TOP_RIGHT
from asic_model.engines.lagrangian import (
    MODE_LAMBDA,
    MOTION_LAMBDA,
    MOTION_LAMBDA_BITS,
)
from asic_model.engines.mode_decision.inter import code_inter, motion_rate, predict, set_vector, skip_rate
from asic_model.engines.mode_decision.intra import choose_16x16, choose_chroma, finish_intra, try_4x4, try_16x16
from asic_model.engines.mode_decision.levels import LAMBDA_STEPS
from asic_model.engines.mode_decision.rate import ONE_BIT
from asic_model.engines.mode_decision.state import (
    COUNTS_CB,
    COUNTS_CR,
    LEVELS_SLOT,
    NEVER,
    R_AVAILABLE,
    R_CABAC,
    R_CHROMA_INC,
    R_EFFORT,
    R_HIGH_X,
    R_HIGH_Y,
    R_INTRA_BLOCKS,
    R_LAMBDA,
    R_LAMBDA_MOTION,
    R_LEFT,
    R_LEFT_CBP,
    R_LEFT_DC,
    R_LOW_X,
    R_LOW_Y,
    R_MB,
    R_MB_X,
    R_MB_Y,
    R_P_SLICE,
    R_QP,
    R_QP_CB,
    R_QP_CHANGED,
    R_QP_CR,
    R_REFERENCES,
    R_SATD_BLOCKS,
    R_SKIP_ALLOWED,
    R_SKIP_INC,
    R_SKIP_X,
    R_SKIP_Y,
    R_TRANSFORM_BLOCKS,
    R_TRIALS,
    R_TYPE_INC,
    R_UP,
    R_UP_CBP,
    R_UP_DC,
    R_UP_LEFT,
    R_UP_RIGHT,
    R_WEIGHT,
    R_WEIGHT_CB,
    R_WEIGHT_CR,
    SAMPLES,
    SLOT_SKIP,
    T_CBP,
    T_CHROMA_MODE,
    T_COST,
    T_DC,
    T_I16_MODE,
    T_RATE,
    T_SSD,
    T_TYPE,
)
from asic_model.engines.motion_search import BORDER_PX, LEFT as LEFT_PART, LOWER, QUADRANT, RIGHT, UPPER, WHOLE
from asic_model.engines.transform.quantiser import chroma_qp
from asic_model.kernel_cache import kernel
from asic_model.simd.blocks import copy_8xn, copy_16xn
from asic_model.simd.compare import satd_16xn, ssd_8xn, ssd_16xn

_LUMA_RASTER = np.array([0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15], np.int64)  # raster -> blkIdx
PCM_RATE = (3072 + 12) * ONE_BIT
RATE_MAX = 3100 * ONE_BIT  # A.3.1: a macroblock has at most 3200 bits; beyond this estimate it becomes I_PCM
_CHROMA_WEIGHT = np.array([round(LAMBDA_STEPS * 2 ** (steps / 3)) for steps in range(-12, 40)], np.int64)


@kernel
def begin(r, t, mbs, motion, coded, mb, mb_width, mb_height, qp, previous_qp, chroma_offset):
    """Set the registers of a macroblock from its neighbours; slice_id[mb] must be set."""
    slice_id = mbs.slice_id
    own = slice_id[mb]
    mb_x, mb_y = mb % mb_width, mb // mb_width
    left = mb - 1 if mb_x > 0 and slice_id[mb - 1] == own else np.int64(-1)
    up = mb - mb_width if mb_y > 0 and slice_id[mb - mb_width] == own else np.int64(-1)
    up_right = np.int64(-1)
    if mb_y > 0 and mb_x + 1 < mb_width and slice_id[mb - mb_width + 1] == own:
        up_right = mb - mb_width + 1
    up_left = np.int64(-1)
    if mb_y > 0 and mb_x > 0 and slice_id[mb - mb_width - 1] == own:
        up_left = mb - mb_width - 1
    r[R_MB], r[R_MB_X], r[R_MB_Y] = mb, mb_x, mb_y
    r[R_LEFT], r[R_UP], r[R_UP_RIGHT], r[R_UP_LEFT] = left, up, up_right, up_left
    r[R_AVAILABLE] = (
        (LEFT if left >= 0 else 0)
        | (TOP if up >= 0 else 0)
        | (TOP_RIGHT if up_right >= 0 else 0)
        | (CORNER if up_left >= 0 else 0)
    )
    qp_chroma = chroma_qp(qp, chroma_offset)
    r[R_QP], r[R_QP_CB], r[R_QP_CR] = qp, qp_chroma, qp_chroma
    r[R_QP_CHANGED] = 1 if qp != previous_qp else 0
    r[R_LAMBDA], r[R_LAMBDA_MOTION] = MODE_LAMBDA[qp], MOTION_LAMBDA[qp]
    r[R_WEIGHT] = LAMBDA_STEPS
    r[R_WEIGHT_CB] = r[R_WEIGHT_CR] = _CHROMA_WEIGHT[min(max(qp - qp_chroma + 12, 0), 51)]
    skip_inc = type_inc = chroma_inc = 0
    for side in range(2):
        other = up if side else left
        cbp, dc = np.int64(15), np.int64(-1)
        if other >= 0:
            kind = mbs.mb_type[other]
            skip_inc += 0 if kind == P_SKIP else 1
            type_inc += 0 if kind == I_4X4 else 1
            chroma_inc += 1 if kind < I_PCM and mbs.chroma_mode[other] else 0
            cbp, dc = np.int64(coded.pattern[other]), np.int64(coded.dc[other])
        if side:
            r[R_UP_CBP], r[R_UP_DC] = cbp, dc
        else:
            r[R_LEFT_CBP], r[R_LEFT_DC] = cbp, dc
    r[R_SKIP_INC], r[R_TYPE_INC], r[R_CHROMA_INC] = skip_inc, type_inc, chroma_inc
    counts = t.counts
    for i in range(4):
        counts[5 * (i + 1)] = np.int64(mbs.total_coeff[left, _LUMA_RASTER[4 * i + 3]]) if left >= 0 else -1
        counts[i + 1] = np.int64(mbs.total_coeff[up, _LUMA_RASTER[12 + i]]) if up >= 0 else -1
    for i in range(2):
        for component in range(2):
            at = COUNTS_CR if component else COUNTS_CB
            first = 16 + 4 * component
            counts[at + 3 * (i + 1)] = np.int64(mbs.total_coeff[left, first + 2 * i + 1]) if left >= 0 else -1
            counts[at + i + 1] = np.int64(mbs.total_coeff[up, first + 2 + i]) if up >= 0 else -1
    # Vectors whose whole block stays within the padding.
    r[R_LOW_X], r[R_LOW_Y] = 4 * (-16 * mb_x - BORDER_PX) - 3, 4 * (-16 * mb_y - BORDER_PX) - 3
    r[R_HIGH_X] = 4 * (16 * (mb_width - mb_x - 1) + BORDER_PX) + 3
    r[R_HIGH_Y] = 4 * (16 * (mb_height - mb_y - 1) + BORDER_PX) + 3
    r[R_TRIALS] = r[R_SATD_BLOCKS] = r[R_INTRA_BLOCKS] = r[R_TRANSFORM_BLOCKS] = 0


@kernel
def distortion(samples, at, source, source_y, source_u, source_v, stride, chroma_stride):
    """SSD of a macroblock in a slot against the source."""
    return (
        ssd_16xn(source, source_y, stride, samples, at, 16, 16)
        + ssd_8xn(source, source_u, chroma_stride, samples, at + 256, 8, 8)
        + ssd_8xn(source, source_v, chroma_stride, samples, at + 320, 8, 8)
    )


@kernel
def _settle(t, r, slot, best, source, source_y, source_u, source_v, stride, chroma_stride):
    """Cost of a finished trial; return the better one of it and slot `best`."""
    result = t.result[slot]
    ssd = distortion(t.samples, slot * SAMPLES, source, source_y, source_u, source_v, stride, chroma_stride)
    result[T_SSD] = ssd
    result[T_COST] = (ssd << 8) + ((r[R_LAMBDA] * result[T_RATE]) >> 8)
    if result[T_RATE] > RATE_MAX:
        result[T_COST] = NEVER
    r[R_TRIALS] += 1
    return slot if best < 0 or result[T_COST] < t.result[best, T_COST] else best


@kernel
def _free_slot(best):
    return 0 if best != 0 else 1


@kernel
def _try_intra(t, r, q, best, mbs, source, source_y, source_u, source_v, stride, chroma_stride, recon, bound):
    """Try both intra types when the SATD of Intra16x16 is below `bound`; return the best slot."""
    data, recon_y, recon_u, recon_v = recon.data, recon.y, recon.u, recon.v
    recon_y += 16 * r[R_MB_Y] * recon.stride + 16 * r[R_MB_X]
    recon_u += 8 * r[R_MB_Y] * recon.chroma_stride + 8 * r[R_MB_X]
    recon_v += 8 * r[R_MB_Y] * recon.chroma_stride + 8 * r[R_MB_X]
    slot = _free_slot(best)
    mode, satd = choose_16x16(t, r, slot, source, source_y, stride, data, recon_y, recon.stride)
    if satd > bound:
        return best
    chroma_mode = choose_chroma(
        t, r, slot, source, source_u, source_v, chroma_stride, data, recon_u, recon_v, recon.chroma_stride
    )
    extra = skip_rate(t, r, 0) if r[R_P_SLICE] else np.int64(0)
    try_16x16(t, r, q, slot, mode, source, source_y, stride)
    finish_intra(t, r, q, slot, chroma_mode, source, source_u, source_v, chroma_stride)
    t.result[slot, T_RATE] += extra
    chroma_from = slot
    best = _settle(t, r, slot, best, source, source_y, source_u, source_v, stride, chroma_stride)
    # The slot of Intra4x4 is one of the others; chroma's prediction is the same.
    slot = np.int64(0)
    while slot == best or slot == chroma_from:
        slot += 1
    limit = NEVER
    if try_4x4(
        t, r, q, slot, mbs.mb_type, mbs.intra_mode, source, source_y, stride, data, recon_y, recon.stride, limit
    ):
        for i in range(256, SAMPLES):
            t.prediction[slot * SAMPLES + i] = t.prediction[chroma_from * SAMPLES + i]
        finish_intra(t, r, q, slot, chroma_mode, source, source_u, source_v, chroma_stride)
        t.result[slot, T_RATE] += extra
        best = _settle(t, r, slot, best, source, source_y, source_u, source_v, stride, chroma_stride)
    return best


@kernel
def decide_intra(t, r, q, mbs, source, source_y, source_u, source_v, stride, chroma_stride, recon):
    """Macroblock of an I slice; return the best slot, -1 for I_PCM."""
    best = _try_intra(
        t, r, q, np.int64(-1), mbs, source, source_y, source_u, source_v, stride, chroma_stride, recon, NEVER
    )
    return _or_pcm(t, r, best)


@kernel
def _or_pcm(t, r, best):
    pcm = (r[R_LAMBDA] * PCM_RATE) >> 8
    return np.int64(-1) if t.result[best, T_COST] > pcm else np.int64(best)


@kernel
def _try_shape(
    t, r, q, slot, mb_type, motion, references, scratch,
    source, source_y, source_u, source_v, stride, chroma_stride,
):  # fmt: skip
    """Predict and code the slot's motion candidate."""
    predict(t, r, slot, mb_type, references, scratch)
    rate = motion_rate(t, r, motion, slot, mb_type)
    code_inter(t, r, q, slot, mb_type, rate, source, source_y, source_u, source_v, stride, chroma_stride)


@kernel
def decide_inter(
    t, r, q, settings, mbs, motion, references, scratch, whole, search, source, source_y, source_u, source_v, stride,
    chroma_stride, recon,
):  # fmt: skip
    """Macroblock of a P slice; return the best slot, SLOT_SKIP for P_Skip, -1 for I_PCM.

    whole  : int16[references, n, 9, 2]  results of motion_search
    search : arrays of the fractional search (vectors, costs, best)
    """
    mb = r[R_MB]
    field = MotionField(motion.slice_id, motion.ref_idx, motion.mv)
    lambda_motion = r[R_LAMBDA_MOTION]

    # P_Skip
    skip_x, skip_y = skip_mv(field, motion.mb_width, mb)
    r[R_SKIP_X], r[R_SKIP_Y] = skip_x, skip_y
    skip_cost = np.int64(NEVER)
    best = np.int64(-1)
    inside = r[R_LOW_X] <= skip_x <= r[R_HIGH_X] and r[R_LOW_Y] <= skip_y <= r[R_HIGH_Y]
    r[R_SKIP_ALLOWED] = 1 if inside else 0
    if inside:
        for slot in (SLOT_SKIP, 0):
            for quadrant in range(4):
                t.ref_idx[slot, quadrant] = 0
            set_vector(t, slot, 0, 0, 4, 4, skip_x, skip_y)
        predict(t, r, SLOT_SKIP, INTER_16X16, references, scratch)
        ssd = distortion(
            t.prediction, SLOT_SKIP * SAMPLES, source, source_y, source_u, source_v, stride, chroma_stride
        )
        skip_rate_1 = skip_rate(t, r, 1)
        skip_cost = (ssd << 8) + ((r[R_LAMBDA] * skip_rate_1) >> 8)
        for i in range(SAMPLES):
            t.prediction[i] = t.prediction[SLOT_SKIP * SAMPLES + i]
        rate = motion_rate(t, r, motion, 0, INTER_16X16)
        code_inter(t, r, q, 0, INTER_16X16, rate, source, source_y, source_u, source_v, stride, chroma_stride)
        t.result[SLOT_SKIP, T_RATE], t.result[SLOT_SKIP, T_SSD] = skip_rate_1, ssd
        t.result[SLOT_SKIP, T_TYPE], t.result[SLOT_SKIP, T_COST] = P_SKIP, skip_cost
        if t.result[0, T_CBP] == 0:
            r[R_TRIALS] += 1
            if settings.early_skip:
                return np.int64(SLOT_SKIP)
        else:
            best = _settle(t, r, np.int64(0), best, source, source_y, source_u, source_v, stride, chroma_stride)

    # Vectors of all partitions, best reference of each.
    wanted = 1
    if settings.partitions & 1:
        wanted |= 1 << UPPER | 1 << LOWER
    if settings.partitions & 2:
        wanted |= 1 << LEFT_PART | 1 << RIGHT
    if settings.partitions & 4:
        wanted |= 15 << QUADRANT
    vectors, costs = search.vectors, search.costs
    chosen = search.chosen
    for ref in range(settings.references):
        predicted_x, predicted_y = predict_mv(field, motion.mb_width, mb, 0, 0, 0, 4, 4, ref)
        planes = references.luma[ref]
        positions = refine(
            source, source_y, stride, planes, 16 * r[R_MB_X], 16 * r[R_MB_Y], whole[ref, mb], wanted,
            predicted_x, predicted_y, lambda_motion, vectors[ref], costs[ref], search.best,
        )  # fmt: skip
        r[R_SATD_BLOCKS] += 16 * positions
        ref_bits = 0 if settings.references == 1 else (2 * ref + 1 if ref else 1)
        for p in range(9):
            costs[ref, p] += (lambda_motion * ref_bits) >> MOTION_LAMBDA_BITS
            if ref == 0 or costs[ref, p] < costs[chosen[p], p]:
                chosen[p] = ref

    whole_cost = np.int64(costs[chosen[WHOLE], WHOLE])
    wide_cost = tall_cost = quad_cost = np.int64(NEVER)
    bit = lambda_motion >> MOTION_LAMBDA_BITS
    if settings.partitions & 1:
        wide_cost = np.int64(costs[chosen[UPPER], UPPER]) + costs[chosen[LOWER], LOWER] + 2 * bit
    if settings.partitions & 2:
        tall_cost = np.int64(costs[chosen[LEFT_PART], LEFT_PART]) + costs[chosen[RIGHT], RIGHT] + 2 * bit
    if settings.partitions & 4:
        quad_cost = 4 * bit
        for p in range(QUADRANT, QUADRANT + 4):
            quad_cost += costs[chosen[p], p]
    least = min(min(whole_cost, wide_cost), min(tall_cost, quad_cost))
    bound = (least * settings.inter_margin) >> 4

    for shape in range(4):
        if shape == 0:
            mb_type, cost = INTER_16X16, whole_cost
        elif shape == 1:
            mb_type, cost = INTER_16X8, wide_cost
        elif shape == 2:
            mb_type, cost = INTER_8X16, tall_cost
        else:
            mb_type, cost = INTER_8X8, quad_cost
        if cost > bound and shape > 0:
            continue
        slot = _free_slot(best)
        for quadrant in range(4):
            if shape == 0:
                p = WHOLE
            elif shape == 1:
                p = UPPER + (quadrant >> 1)
            elif shape == 2:
                p = LEFT_PART + (quadrant & 1)
            else:
                p = QUADRANT + quadrant
            ref = chosen[p]
            t.ref_idx[slot, quadrant] = ref
            t.sub_type[slot, quadrant] = 0
            set_vector(
                t, slot, 2 * (quadrant & 1), 2 * (quadrant >> 1), 2, 2, np.int64(vectors[ref, p, 0]),
                np.int64(vectors[ref, p, 1]),
            )  # fmt: skip
        if shape == 0 and best >= 0 and t.ref_idx[slot, 0] == 0:
            if t.vector[slot, 0, 0] == skip_x and t.vector[slot, 0, 1] == skip_y:
                continue
        _try_shape(
            t, r, q, slot, mb_type, motion, references, scratch,
            source, source_y, source_u, source_v, stride, chroma_stride,
        )  # fmt: skip
        best = _settle(t, r, slot, best, source, source_y, source_u, source_v, stride, chroma_stride)

    best = _try_intra(
        t, r, q, best, mbs, source, source_y, source_u, source_v, stride, chroma_stride, recon,
        (least * settings.intra_margin) >> 4,
    )  # fmt: skip
    if skip_cost <= t.result[best, T_COST]:
        return np.int64(SLOT_SKIP)
    return _or_pcm(t, r, best)


@kernel
def commit(t, r, slot, previous_qp, mbs, levels, motion, coded, source, source_y, source_u, source_v, stride,
           chroma_stride, recon):  # fmt: skip
    """Put the decision into the macroblock record and the reconstructed picture; return the QP that stays in force.

    levels : mbs.levels seen flat
    """
    mb = r[R_MB]
    mb_y, mb_x = r[R_MB_Y], r[R_MB_X]
    to_y = recon.y + 16 * mb_y * recon.stride + 16 * mb_x
    to_u = recon.u + 8 * mb_y * recon.chroma_stride + 8 * mb_x
    to_v = recon.v + 8 * mb_y * recon.chroma_stride + 8 * mb_x
    target = mb * LEVELS_SLOT
    if slot < 0:
        copy_16xn(recon.data, to_y, recon.stride, source, source_y, stride, 16)
        copy_8xn(recon.data, to_u, recon.chroma_stride, source, source_u, chroma_stride, 8)
        copy_8xn(recon.data, to_v, recon.chroma_stride, source, source_v, chroma_stride, 8)
        for y in range(16):
            for x in range(16):
                levels[target + 16 * y + x] = source[source_y + y * stride + x]
        for y in range(8):
            for x in range(8):
                levels[target + 256 + 8 * y + x] = source[source_u + y * chroma_stride + x]
                levels[target + 320 + 8 * y + x] = source[source_v + y * chroma_stride + x]
        mbs.mb_type[mb], mbs.cbp[mb], mbs.qp[mb] = I_PCM, 47, previous_qp
        mbs.chroma_mode[mb] = 0
        coded.pattern[mb], coded.dc[mb] = 47, 7
        for block in range(24):
            mbs.total_coeff[mb, block] = 16
        _clear_motion(motion, mb)
        for block in range(16):
            mbs.intra_mode[mb, block] = 2
        return previous_qp
    result = t.result[slot]
    kind = result[T_TYPE]
    origin = t.prediction if kind == P_SKIP else t.samples
    area = slot * SAMPLES
    copy_16xn(recon.data, to_y, recon.stride, origin, area, 16, 16)
    copy_8xn(recon.data, to_u, recon.chroma_stride, origin, area + 256, 8, 8)
    copy_8xn(recon.data, to_v, recon.chroma_stride, origin, area + 320, 8, 8)
    pattern = result[T_CBP] if kind != P_SKIP else np.int64(0)
    mbs.mb_type[mb], mbs.cbp[mb] = kind, pattern
    coded.pattern[mb] = pattern
    coded.dc[mb] = result[T_DC] if pattern or kind == I_16X16 else 0
    qp = previous_qp
    if pattern or kind == I_16X16:
        qp = r[R_QP]
        copy_16xn(levels, target, 16, t.levels, slot * LEVELS_SLOT, 16, 27)
        for block in range(24):
            mbs.total_coeff[mb, block] = t.total[slot, block]
    else:
        for block in range(24):
            mbs.total_coeff[mb, block] = 0
    mbs.qp[mb] = qp
    if kind == I_4X4 or kind == I_16X16:
        _clear_motion(motion, mb)
        mbs.chroma_mode[mb] = result[T_CHROMA_MODE]
        for block in range(16):
            mbs.intra_mode[mb, block] = result[T_I16_MODE] if kind == I_16X16 else t.intra_mode[slot, block]
        return qp
    mbs.chroma_mode[mb] = 0
    if kind == P_SKIP:
        for quadrant in range(4):
            motion.ref_idx[mb, 0, quadrant] = 0
        for block in range(16):
            motion.mv[mb, 0, block, 0], motion.mv[mb, 0, block, 1] = r[R_SKIP_X], r[R_SKIP_Y]
            motion.mvd[mb, 0, block, 0] = motion.mvd[mb, 0, block, 1] = 0
        return qp
    if (
        kind == INTER_16X16 and pattern == 0 and t.ref_idx[slot, 0] == 0 and r[R_SKIP_ALLOWED]
        and t.vector[slot, 0, 0] == r[R_SKIP_X] and t.vector[slot, 0, 1] == r[R_SKIP_Y]
    ):  # fmt: skip
        mbs.mb_type[mb] = P_SKIP
    for quadrant in range(4):
        mbs.sub_type[mb, quadrant] = t.sub_type[slot, quadrant]
    motion_rate(t, r, motion, slot, kind)
    if mbs.mb_type[mb] == P_SKIP:
        for block in range(16):
            motion.mvd[mb, 0, block, 0] = motion.mvd[mb, 0, block, 1] = 0
    return qp


@kernel
def _clear_motion(motion, mb):
    for quadrant in range(4):
        motion.ref_idx[mb, 0, quadrant] = -1
    for block in range(16):
        motion.mv[mb, 0, block, 0] = motion.mv[mb, 0, block, 1] = 0
        motion.mvd[mb, 0, block, 0] = motion.mvd[mb, 0, block, 1] = 0
