"""End of a macroblock: the decision goes into the macroblock record and the reconstructed picture."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.macroblock import (
    B_DIRECT_16X16,
    B_SKIP,
    I_8X8,
    I_16X16,
    I_PCM,
    INTER_16X16,
    P_SKIP,
    Macroblocks,
)
from asic_model.engines.mode_decision.inter import motion_rate
from asic_model.engines.mode_decision.state import (
    CB,
    CR,
    LEVELS_SLOT,
    SAMPLES,
    SLICE_B,
    SLICE_P,
    T_8X8,
    T_CBP,
    T_CHROMA_MODE,
    T_DC,
    T_I16_MODE,
    T_TYPE,
)
from asic_model.kernel_cache import inlined, kernel
from asic_model.simd.blocks import copy_8xn, copy_16xn


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
    for lst in range(2):
        for quadrant in range(4):
            motion.ref_idx[mb, lst, quadrant] = -1
        for block in range(16):
            motion.mv[mb, lst, block, 0] = motion.mv[mb, lst, block, 1] = 0
            motion.mvd[mb, lst, block, 0] = motion.mvd[mb, lst, block, 1] = 0


class VectorWords(NamedTuple):
    """`mv` and `mvd` of `Macroblocks` as int32[32 * n]: a vector a word, x in its low half, on little-endian hosts."""

    mv: np.ndarray
    mvd: np.ndarray


def vector_words(mbs: Macroblocks) -> VectorWords:
    """Views of the record's arrays."""
    return VectorWords(mbs.mv.view(np.int32).reshape(-1), mbs.mvd.view(np.int32).reshape(-1))


@inlined
def _record_derived(t, motion, words, slot):
    """Motion of P_Skip and B_Skip: nothing of it is coded. The slot's vectors are zero where a list is not used."""
    mb = t.mb
    for lst in range(2 if t.slice_type == SLICE_B else 1):
        for quadrant in range(4):
            motion.ref_idx[mb, lst, quadrant] = t.ref_idx[slot, lst, quadrant]
        at = 32 * mb + 16 * lst
        for block in range(16):
            words.mv[at + block] = (t.vector[slot, lst, block, 0] & 0xFFFF) | (t.vector[slot, lst, block, 1] << 16)
            words.mvd[at + block] = 0


@inlined
def commit(t, slot, previous_qp, mbs, levels, words, motion, coded, recon):
    """Put the decision into the macroblock record and the reconstructed picture; return the QP that stays in force.

    slot   : of the winner, -1 for I_PCM
    levels : mbs.levels seen flat; words : `vector_words` of mbs
    """
    mb = t.mb
    kind = np.int64(I_PCM)
    pattern, dc = np.int64(47), np.int64(7)
    if slot >= 0:
        kind = t.result[slot, T_TYPE]
        pattern = t.result[slot, T_CBP] if kind != P_SKIP and kind != B_SKIP else np.int64(0)
        if (
            t.slice_type == SLICE_P and kind == INTER_16X16 and pattern == 0 and t.ref_idx[slot, 0, 0] == 0
            and t.vector[slot, 0, 0, 0] == t.skip_x and t.vector[slot, 0, 0, 1] == t.skip_y
        ):  # fmt: skip
            kind = np.int64(P_SKIP)
        if kind == B_DIRECT_16X16 and pattern == 0:
            kind = np.int64(B_SKIP)
        dc = t.result[slot, T_DC] if pattern or kind == I_16X16 else np.int64(0)
    if slot < 0:
        _store(recon, t.mb_x, t.mb_y, t.source, 0)
    elif t.result[slot, T_TYPE] == P_SKIP or t.result[slot, T_TYPE] == B_SKIP:
        _store(recon, t.mb_x, t.mb_y, t.prediction, slot * SAMPLES)
    else:
        _store(recon, t.mb_x, t.mb_y, t.samples, slot * SAMPLES)

    mbs.mb_type[mb], mbs.cbp[mb] = kind, pattern
    mbs.transform_8x8[mb] = t.result[slot, T_8X8] if kind != I_PCM and (pattern & 15 or kind == I_8X8) else 0
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
        if kind == P_SKIP or kind == B_SKIP:
            _record_derived(t, motion, words, slot)
        elif t.recorded != slot:
            motion_rate(t, motion, slot, kind)
    return qp
