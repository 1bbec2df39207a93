"""Trials: what all macroblocks share between the search and the choice."""

import numpy as np

from asic_model.descriptors import Tool
from asic_model.engines.mode_decision.inter import code_inter, copy_motion, may_use_8x8, motion_rate, skip_rate
from asic_model.engines.mode_decision.intra import (
    choose_16x16,
    choose_chroma,
    finish_intra,
    trial_cost,
    try_4x4,
    try_8x8,
    try_16x16,
)
from asic_model.engines.mode_decision.rate import ONE_BIT
from asic_model.engines.mode_decision.state import (
    CB,
    CHROMA,
    CR,
    LUMA,
    NEVER,
    SAMPLES,
    SLICE_I,
    SLOT_SKIP,
    T_8X8,
    T_CBP,
    T_CHROMA_RATE,
    T_COST,
    T_MOTION_RATE,
    T_RATE,
    T_SSD,
    T_TYPE,
)
from asic_model.kernel_cache import inlined, kernel
from asic_model.simd.blocks import copy_16xn
from asic_model.simd.compare import ssd_8xn, ssd_16xn

_INTRA_4X4, _INTRA_8X8, _INTRA_IN_INTER = int(Tool.INTRA_4X4), int(Tool.INTRA_8X8), int(Tool.INTRA_IN_INTER)
PCM_RATE = (3072 + 12) * ONE_BIT
RATE_MAX = 3100 * ONE_BIT  # A.3.1: a macroblock has at most 3200 bits; beyond this estimate it becomes I_PCM


@kernel
def distortion(t, samples, area):
    """SSD of a macroblock's samples, luma and chroma, against the source."""
    return (
        ssd_16xn(t.source, 0, 16, samples, area, 16, 16)
        + ssd_8xn(t.source, CB, 8, samples, area + CB, 8, 8)
        + ssd_8xn(t.source, CR, 8, samples, area + CR, 8, 8)
    )


@kernel
def skip_distortion(t):
    """(SSD of the prediction in SLOT_SKIP, whether `code_inter` would leave all of its residual untransformed)."""
    area = SLOT_SKIP * SAMPLES
    total = np.int64(0)
    negligible = True
    for quadrant in range(4):
        at = 128 * (quadrant >> 1) + 8 * (quadrant & 1)
        ssd = ssd_8xn(t.source, at, 16, t.prediction, area + at, 16, 8)
        total += ssd
        negligible = negligible and ssd < t.zero_ssd[LUMA]
    for plane in (CB, CR):
        ssd = ssd_8xn(t.source, plane, 8, t.prediction, area + plane, 8, 8)
        total += ssd
        negligible = negligible and ssd < t.zero_ssd[CHROMA]
    return total, negligible


@kernel
def rate_skip(t):
    """Distortion, rate and cost of the skip predicted in SLOT_SKIP; whether nothing of its residual is worth coding."""
    result = t.result[SLOT_SKIP]
    ssd, negligible = skip_distortion(t)
    result[T_RATE], result[T_SSD] = skip_rate(t, 1), ssd
    result[T_COST] = (ssd << 8) + ((t.lambda_mode * result[T_RATE]) >> 8)
    t.trials += 1
    return negligible


@inlined
def code_skip(t, motion, mb_type):
    """Code the motion and prediction of SLOT_SKIP with a residual as `mb_type` in slot 0; whether none was worth it."""
    copy_motion(t, 0, SLOT_SKIP)
    copy_16xn(t.prediction, 0, 16, t.prediction, SLOT_SKIP * SAMPLES, 16, 24)
    code_inter(t, 0, mb_type, np.int64(0), t.transform_8x8, -1)
    result = t.result[0]
    if result[T_CBP] == 0:
        return True
    rate = motion_rate(t, motion, 0, mb_type)
    result[T_MOTION_RATE] = rate
    result[T_RATE] += rate
    t.recorded = SLOT_SKIP  # has the same motion
    return False


@kernel
def settle(t, slot, best):
    """Cost of a finished trial; return the better one of it and slot `best` (-1: none yet)."""
    result = t.result[slot]
    ssd = distortion(t, t.samples, slot * SAMPLES)
    result[T_SSD] = ssd
    result[T_COST] = trial_cost(t, ssd, result[T_RATE])
    if result[T_RATE] > RATE_MAX:
        result[T_COST] = NEVER
    t.trials += 1
    return np.int64(slot) if best < 0 or result[T_COST] < t.result[best, T_COST] else np.int64(best)


@kernel
def free_slot(one, other):
    slot = np.int64(0)
    while slot == one or slot == other:
        slot += 1
    return slot


@kernel
def or_pcm(t, best):
    return np.int64(-1) if t.result[best, T_COST] > (t.lambda_mode * PCM_RATE) >> 8 else np.int64(best)


@kernel
def _left_for_luma(t, best, first):
    """What the luma of another intra trial with the chroma of slot `first` must cost less than."""
    if best < 0:
        return np.int64(NEVER)
    area = first * SAMPLES
    ssd = ssd_8xn(t.source, CB, 8, t.samples, area + CB, 8, 8) + ssd_8xn(t.source, CR, 8, t.samples, area + CR, 8, 8)
    return t.result[best, T_COST] - trial_cost(t, ssd, t.result[first, T_CHROMA_RATE])


@kernel
def try_intra(t, best, bound, settings):
    """Try the intra types if the SATD of Intra16x16 is at most `bound`; return the best slot.

    A trial ends where what it has cost so far leaves it no chance against the best one.
    """
    if t.tools_off & _INTRA_IN_INTER and best >= 0:
        return np.int64(best)
    slot = free_slot(best, -1)
    mode, satd = choose_16x16(t, slot)
    if satd > bound:
        return np.int64(best)
    chroma_mode = choose_chroma(t, slot)
    extra = skip_rate(t, 0) if t.slice_type != SLICE_I else np.int64(0)
    try_16x16(t, slot, mode)
    finish_intra(t, slot, chroma_mode, -1)
    t.result[slot, T_RATE] += extra
    first, before = slot, best
    best = settle(t, slot, best)
    if before >= 0 and 16 * t.result[first, T_COST] > settings.intra_trial_margin * t.result[before, T_COST]:
        return best
    if t.transform_8x8 and not t.tools_off & _INTRA_8X8:
        slot = free_slot(best, first)
        if try_8x8(t, slot, _left_for_luma(t, best, first)):
            finish_intra(t, slot, chroma_mode, first)
            t.result[slot, T_RATE] += extra
            best = settle(t, slot, best)
        else:
            t.trials += 1
    if t.tools_off & _INTRA_4X4:
        return np.int64(best)
    slot = free_slot(best, first)
    if try_4x4(t, slot, np.int64(NEVER), _left_for_luma(t, best, first)):
        finish_intra(t, slot, chroma_mode, first)
        t.result[slot, T_RATE] += extra
        best = settle(t, slot, best)
    else:
        t.trials += 1
    return best


@kernel
def try_other_transform(t, best):
    """Code the inter macroblock of slot `best` with the other transform size; return the better slot."""
    mb_type = t.result[best, T_TYPE]
    if t.result[best, T_CBP] & 15 == 0 or not may_use_8x8(t, best, mb_type):
        return np.int64(best)
    slot = free_slot(best, -1)
    copy_16xn(t.prediction, slot * SAMPLES, 16, t.prediction, best * SAMPLES, 16, 24)
    copy_motion(t, slot, best)
    code_inter(t, slot, mb_type, t.result[best, T_MOTION_RATE], 1 - t.result[best, T_8X8], best)
    return settle(t, slot, best)
