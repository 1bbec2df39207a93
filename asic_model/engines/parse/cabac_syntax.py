"""Syntax elements of the macroblock layer in CABAC: binarisations and context choice (H.264 9.3.2 and 9.3.3.1).

The caller hands over what depends on neighbours as a context increment.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CTX_CBP_CHROMA,
    CTX_CBP_LUMA,
    CTX_INTRA_CHROMA_MODE,
    CTX_MB_QP_DELTA,
    CTX_MB_TYPE_B,
    CTX_MB_TYPE_B_INTRA,
    CTX_MB_TYPE_I,
    CTX_MB_TYPE_P,
    CTX_MB_TYPE_P_INTRA,
    CTX_PREV_INTRA_MODE_FLAG,
    CTX_REF_IDX,
    CTX_REM_INTRA_MODE,
    CTX_SUB_MB_TYPE_B,
    CTX_SUB_MB_TYPE_P,
)
from asic_model.engines.parse.arithmetic import decode_bin, decode_bypass, decode_terminate
from asic_model.engines.parse.state import BAD_CODE, BAD_VALUE, ERROR
from asic_model.kernel_cache import kernel

# Prefix of mvd: context increment of bins 1..8 (Table 9-39)
_MVD_PREFIX = np.array([0, 3, 4, 5, 6, 6, 6, 6, 6], np.uint8)
_MVD_CUTOFF = 9


@kernel
def intra_mb_type(st, cx, words, first, later):
    """mb_type of an intra macroblock but for its first bin, which was 1: 1..24 Intra16x16, 25 I_PCM (Table 9-36).

    first : ctxIdxOffset of the remaining bins (their increments start at 1 in P and B, at 3 in I slices)
    later : 1 in I slices, where the bins have contexts of their own
    """
    if decode_terminate(st, words):
        return np.int64(25)
    kind = 1 + 12 * decode_bin(st, cx, words, first)  # coded luma AC
    if decode_bin(st, cx, words, first + 1):  # chroma: none, DC, DC and AC
        kind += 4 + 4 * decode_bin(st, cx, words, first + 1 + later)
    kind += 2 * decode_bin(st, cx, words, first + 2 + later)
    kind += decode_bin(st, cx, words, first + 2 + 2 * later)
    return kind


@kernel
def mb_type_i(st, cx, words, increment):
    """mb_type of an I slice: 0 I_NxN, 1..24 Intra16x16, 25 I_PCM."""
    if not decode_bin(st, cx, words, CTX_MB_TYPE_I + increment):
        return np.int64(0)
    return intra_mb_type(st, cx, words, CTX_MB_TYPE_I + 3, 1)


@kernel
def mb_type_p(st, cx, words):
    """mb_type of a P slice as in Table 7-13; intra types from 5 on."""
    if decode_bin(st, cx, words, CTX_MB_TYPE_P):
        if not decode_bin(st, cx, words, CTX_MB_TYPE_P_INTRA):
            return np.int64(5)
        return 5 + intra_mb_type(st, cx, words, CTX_MB_TYPE_P_INTRA + 1, 0)
    if decode_bin(st, cx, words, CTX_MB_TYPE_P + 1):
        return 2 - decode_bin(st, cx, words, CTX_MB_TYPE_P + 3)  # 16x8 or 8x16
    return 3 * decode_bin(st, cx, words, CTX_MB_TYPE_P + 2)  # 16x16 or 8x8


@kernel
def mb_type_b(st, cx, words, increment):
    """mb_type of a B slice as in Table 7-14; intra types from 23 on."""
    if not decode_bin(st, cx, words, CTX_MB_TYPE_B + increment):
        return np.int64(0)
    if not decode_bin(st, cx, words, CTX_MB_TYPE_B + 3):
        return 1 + decode_bin(st, cx, words, CTX_MB_TYPE_B + 5)
    code = decode_bin(st, cx, words, CTX_MB_TYPE_B + 4)
    for _ in range(3):
        code = code * 2 + decode_bin(st, cx, words, CTX_MB_TYPE_B + 5)
    if code < 8:
        return code + 3
    if code == 13:
        if not decode_bin(st, cx, words, CTX_MB_TYPE_B_INTRA):
            return np.int64(23)
        return 23 + intra_mb_type(st, cx, words, CTX_MB_TYPE_B_INTRA + 1, 0)
    if code == 14:
        return np.int64(11)
    if code == 15:
        return np.int64(22)
    return code * 2 + decode_bin(st, cx, words, CTX_MB_TYPE_B + 5) - 4


@kernel
def sub_mb_type_p(st, cx, words):
    """sub_mb_type of P (Table 7-17)."""
    if decode_bin(st, cx, words, CTX_SUB_MB_TYPE_P):
        return np.int64(0)
    if not decode_bin(st, cx, words, CTX_SUB_MB_TYPE_P + 1):
        return np.int64(1)
    return 3 - decode_bin(st, cx, words, CTX_SUB_MB_TYPE_P + 2)


@kernel
def sub_mb_type_b(st, cx, words):
    """sub_mb_type of B (Table 7-18)."""
    if not decode_bin(st, cx, words, CTX_SUB_MB_TYPE_B):
        return np.int64(0)
    if not decode_bin(st, cx, words, CTX_SUB_MB_TYPE_B + 1):
        return 1 + decode_bin(st, cx, words, CTX_SUB_MB_TYPE_B + 3)
    kind = np.int64(3)
    if decode_bin(st, cx, words, CTX_SUB_MB_TYPE_B + 2):
        if decode_bin(st, cx, words, CTX_SUB_MB_TYPE_B + 3):
            return 11 + decode_bin(st, cx, words, CTX_SUB_MB_TYPE_B + 3)
        kind = np.int64(7)
    kind += 2 * decode_bin(st, cx, words, CTX_SUB_MB_TYPE_B + 3)
    return kind + decode_bin(st, cx, words, CTX_SUB_MB_TYPE_B + 3)


@kernel
def ref_idx(st, cx, words, increment, count):
    """ref_idx_lX, unary, of a list of `count` entries."""
    value = np.int64(0)
    context = CTX_REF_IDX + increment
    while decode_bin(st, cx, words, context):
        value += 1
        if value >= count:
            st[ERROR] = BAD_VALUE
            return np.int64(0)
        context = CTX_REF_IDX + 4 if value == 1 else CTX_REF_IDX + 5
    return value


@kernel
def mvd(st, cx, words, offset, neighbours_sum):
    """One component of mvd_lX: UEG3 with sign and uCoff 9. neighbours_sum: absMvdComp of A and B (9.3.3.1.1.7)."""
    increment = 0
    if neighbours_sum > 2:
        increment = 2 if neighbours_sum > 32 else 1
    if not decode_bin(st, cx, words, offset + increment):
        return np.int64(0)
    value = np.int64(1)
    while value < _MVD_CUTOFF and decode_bin(st, cx, words, offset + np.int64(_MVD_PREFIX[value])):
        value += 1
    if value == _MVD_CUTOFF:
        order = 3
        while decode_bypass(st, words):
            value += 1 << order
            order += 1
            if order > 15:  # beyond any vector
                st[ERROR] = BAD_CODE
                return np.int64(0)
        while order:
            order -= 1
            value += decode_bypass(st, words) << order
    if decode_bypass(st, words):
        return -value
    return value


@kernel
def mb_qp_delta(st, cx, words, increment):
    """mb_qp_delta. increment: 1 if the macroblock before in decoding order had a delta other than 0."""
    code = np.int64(0)
    context = CTX_MB_QP_DELTA + increment
    while decode_bin(st, cx, words, context):
        context = CTX_MB_QP_DELTA + (2 if code == 0 else 3)
        code += 1
        if code > 52:
            st[ERROR] = BAD_VALUE
            return np.int64(0)
    if code & 1:
        return (code + 1) >> 1
    return -(code >> 1)


@kernel
def intra_chroma_pred_mode(st, cx, words, increment):
    """intra_chroma_pred_mode, 0..3."""
    if not decode_bin(st, cx, words, CTX_INTRA_CHROMA_MODE + increment):
        return np.int64(0)
    if not decode_bin(st, cx, words, CTX_INTRA_CHROMA_MODE + 3):
        return np.int64(1)
    return 2 + decode_bin(st, cx, words, CTX_INTRA_CHROMA_MODE + 3)


@kernel
def rem_intra_pred_mode(st, cx, words):
    """prev_intraNxN_pred_mode_flag and rem_intraNxN_pred_mode: -1 if the mode is the predicted one, else 0..7."""
    if decode_bin(st, cx, words, CTX_PREV_INTRA_MODE_FLAG):
        return np.int64(-1)
    value = decode_bin(st, cx, words, CTX_REM_INTRA_MODE)
    value += decode_bin(st, cx, words, CTX_REM_INTRA_MODE) << 1
    return value + (decode_bin(st, cx, words, CTX_REM_INTRA_MODE) << 2)


@kernel
def coded_block_pattern(st, cx, words, left, above, chroma):
    """coded_block_pattern (9.3.2.6).

    left, above : neighbours' patterns as they count here: 0x0F where not available, 0x2F for I_PCM, else the pattern;
                  `left` with the bits of the quadrants that adjoin on the right, at bits 1 and 3
    chroma      : 1 in 4:2:0, 0 in monochrome
    """
    no_left, no_above = ~left, ~above
    pattern = decode_bin(st, cx, words, CTX_CBP_LUMA + ((no_left >> 1) & 1) + ((no_above >> 1) & 2))
    pattern |= decode_bin(st, cx, words, CTX_CBP_LUMA + (~pattern & 1) + ((no_above >> 2) & 2)) << 1
    pattern |= decode_bin(st, cx, words, CTX_CBP_LUMA + ((no_left >> 3) & 1) + 2 * (~pattern & 1)) << 2
    pattern |= decode_bin(st, cx, words, CTX_CBP_LUMA + ((~pattern >> 2) & 1) + (~pattern & 2)) << 3
    if chroma:
        left_chroma, above_chroma = left >> 4, above >> 4
        increment = (1 if left_chroma else 0) + (2 if above_chroma else 0)
        if decode_bin(st, cx, words, CTX_CBP_CHROMA + increment):
            increment = 4 + (left_chroma >> 1) + (above_chroma & 2)
            pattern |= 16 << decode_bin(st, cx, words, CTX_CBP_CHROMA + increment)
    return pattern
