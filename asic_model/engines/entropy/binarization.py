"""Binarisation of CABAC's syntax elements with their contexts (H.264 9.3.2, 9.3.3.1).

Functions called `put_*` append the bins of one element to `sym` (uint16[:], ctxIdx << 1 | bin) from index `n` on and
return the new index. Macroblock addresses of neighbours are -1 where unavailable.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CAT_CHROMA_DC,
    CAT_LUMA_8X8,
    CTX_ABS_LEVEL,
    CTX_BYPASS,
    CTX_CBP_CHROMA,
    CTX_CBP_LUMA,
    CTX_INTRA_CHROMA_MODE,
    CTX_LAST,
    CTX_MB_QP_DELTA,
    CTX_MB_TYPE_B,
    CTX_MB_TYPE_P,
    CTX_MVD_X,
    CTX_MVD_Y,
    CTX_PREV_INTRA_MODE_FLAG,
    CTX_REF_IDX,
    CTX_REM_INTRA_MODE,
    CTX_SIGNIFICANT,
    CTX_SUB_MB_TYPE_B,
    CTX_SUB_MB_TYPE_P,
    CTX_TERMINATE,
)
from asic_model.codecs.h264.macroblock import (
    I_4X4,
    I_8X8,
    I_PCM,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    SUB_4X8,
    SUB_8X4,
    SUB_8X8,
)
from asic_model.codecs.h264.tables import table
from asic_model.kernel_cache import kernel

_MAX_INT64 = (1 << 63) - 1  # makes a right shift logical

_INC_8X8 = table("table_9_43_ctxIdxInc_8x8")
# ctxIdxInc by scan position: [4x4 and DC, 8x8 in frames, 8x8 in fields] (9.3.3.1.3)
_SIGNIFICANT_INC = np.array([range(63), _INC_8X8["significant_frame"], _INC_8X8["significant_field"]], np.uint8)
_LAST_INC = np.array([range(63), _INC_8X8["last"], _INC_8X8["last"]], np.uint8)


@kernel
def put_bin(sym, n, ctx, value):
    sym[n] = ctx << 1 | value
    return n + 1


@kernel
def put_exp_golomb(sym, n, value, k):
    """k-th order Exp-Golomb suffix (9.3.2.3), bypass bins."""
    while value >= 1 << k:
        sym[n] = CTX_BYPASS << 1 | 1
        n += 1
        value -= 1 << k
        k += 1
    sym[n] = CTX_BYPASS << 1
    n += 1
    while k > 0:
        k -= 1
        sym[n] = CTX_BYPASS << 1 | ((value >> k) & 1)
        n += 1
    return n


@kernel
def put_level(sym, n, level, base, eq1, gt1, gt1_limit):
    """coeff_abs_level_minus1 and coeff_sign_flag of one level."""
    rest = abs(level) - 1
    ctx = base + (0 if gt1 else min(4, 1 + eq1))
    sym[n] = ctx << 1 | (rest > 0)
    n += 1
    if rest > 0:
        ctx = base + 5 + min(gt1_limit, gt1)
        for _ in range(min(rest, 14) - 1):
            sym[n] = ctx << 1 | 1
            n += 1
        if rest < 14:
            sym[n] = ctx << 1
            n += 1
        else:
            n = put_exp_golomb(sym, n, rest - 14, 0)
    sym[n] = CTX_BYPASS << 1 | (level < 0)
    return n + 1


@kernel
def put_block(sym, n, block, first, count, mask, field, cat):
    """Significance map and levels of one block with `mask` != 0, coded_block_flag left aside (7.3.5.3.3).

    block : int16[:], the levels are block[first : first + count]; bit i of `mask`: entry first + i is not 0
    cat   : ctxBlockCat 0..5
    """
    significant = CTX_SIGNIFICANT[field][cat]
    last = CTX_LAST[field][cat]
    inc = (1 + field) if cat == CAT_LUMA_8X8 else 0
    rest = mask
    i = 0
    while i < count - 1 and rest != 0:
        bit = rest & 1
        rest = (rest >> 1) & _MAX_INT64
        sym[n] = (significant + np.int64(_SIGNIFICANT_INC[inc, i])) << 1 | bit
        sym[n + 1] = (last + np.int64(_LAST_INC[inc, i])) << 1 | (rest == 0)
        n += 1 + bit
        i += 1
    base = CTX_ABS_LEVEL[cat]
    gt1_limit = 3 if cat == CAT_CHROMA_DC else 4
    eq1 = 0
    gt1 = 0
    for k in range(i if rest != 0 else i - 1, -1, -1):
        level = np.int64(block[first + k])
        if level != 0:
            n = put_level(sym, n, level, base, eq1, gt1, gt1_limit)
            if level in (1, -1):
                eq1 += 1
            else:
                gt1 += 1
    return n


@kernel
def put_mb_type_intra(sym, n, base, inc, mb_type, mode, cbp, suffix):
    """mb_type of an intra macroblock (Table 9-36).

    base, inc : first context and the increment of the first bin
    mode      : Intra16x16PredMode
    suffix    : 1 behind the prefix of P and B slices
    """
    if mb_type in (I_4X4, I_8X8):
        return put_bin(sym, n, base + inc, 0)
    n = put_bin(sym, n, base + inc, 1)
    if mb_type == I_PCM:
        return put_bin(sym, n, CTX_TERMINATE, 1)
    n = put_bin(sym, n, CTX_TERMINATE, 0)
    # increments of the four kinds of bins that follow, in I slices and behind a prefix
    luma_ctx = base + (1 if suffix else 3)
    chroma_ctx = base + (2 if suffix else 4)
    which_ctx = base + (2 if suffix else 5)
    mode_ctx = base + (3 if suffix else 6)
    n = put_bin(sym, n, luma_ctx, 1 if cbp & 15 else 0)
    chroma = cbp >> 4
    n = put_bin(sym, n, chroma_ctx, 1 if chroma else 0)
    if chroma:
        n = put_bin(sym, n, which_ctx, chroma >> 1)
    n = put_bin(sym, n, mode_ctx, mode >> 1)
    return put_bin(sym, n, mode_ctx + (0 if suffix else 1), mode & 1)


@kernel
def put_mb_type_p(sym, n, mb_type):
    """Prefix of mb_type in P slices (Table 9-37)."""
    if mb_type <= I_PCM:
        return put_bin(sym, n, CTX_MB_TYPE_P, 1)
    n = put_bin(sym, n, CTX_MB_TYPE_P, 0)
    wide = mb_type in (INTER_16X8, INTER_8X16)
    n = put_bin(sym, n, CTX_MB_TYPE_P + 1, 1 if wide else 0)
    if wide:
        return put_bin(sym, n, CTX_MB_TYPE_P + 3, 1 if mb_type == INTER_16X8 else 0)
    return put_bin(sym, n, CTX_MB_TYPE_P + 2, 1 if mb_type == INTER_8X8 else 0)


@kernel
def put_mb_type_b(sym, n, code, inc):
    """mb_type in B slices by its number of Table 7-14; 23 is the intra prefix."""
    n = put_bin(sym, n, CTX_MB_TYPE_B + inc, 1 if code else 0)
    if code == 0:
        return n
    n = put_bin(sym, n, CTX_MB_TYPE_B + 3, 0 if code <= 2 else 1)
    if code <= 2:
        return put_bin(sym, n, CTX_MB_TYPE_B + 5, code - 1)
    extra = -1
    if code <= 10:
        bits = code - 3
    elif code == 11:
        bits = 14
    elif code == 22:
        bits = 15
    elif code == 23:
        bits = 13
    else:
        bits = (code + 4) >> 1
        extra = (code + 4) & 1
    n = put_bin(sym, n, CTX_MB_TYPE_B + 4, bits >> 3)
    for shift in (2, 1, 0):
        n = put_bin(sym, n, CTX_MB_TYPE_B + 5, (bits >> shift) & 1)
    if extra >= 0:
        n = put_bin(sym, n, CTX_MB_TYPE_B + 5, extra)
    return n


@kernel
def put_sub_type_p(sym, n, sub):
    """sub_mb_type in P slices: 8x8 "1", 8x4 "00", 4x8 "011", 4x4 "010"."""
    n = put_bin(sym, n, CTX_SUB_MB_TYPE_P, 1 if sub == SUB_8X8 else 0)
    if sub != SUB_8X8:
        n = put_bin(sym, n, CTX_SUB_MB_TYPE_P + 1, 0 if sub == SUB_8X4 else 1)
        if sub != SUB_8X4:
            n = put_bin(sym, n, CTX_SUB_MB_TYPE_P + 2, 1 if sub == SUB_4X8 else 0)
    return n


@kernel
def put_sub_type_b(sym, n, code):
    """sub_mb_type in B slices by its number of Table 7-18 (Table 9-38)."""
    n = put_bin(sym, n, CTX_SUB_MB_TYPE_B, 1 if code else 0)
    if code == 0:
        return n
    if code <= 2:
        n = put_bin(sym, n, CTX_SUB_MB_TYPE_B + 1, 0)
        return put_bin(sym, n, CTX_SUB_MB_TYPE_B + 3, code - 1)
    n = put_bin(sym, n, CTX_SUB_MB_TYPE_B + 1, 1)
    if code >= 11:
        n = put_bin(sym, n, CTX_SUB_MB_TYPE_B + 2, 1)
        n = put_bin(sym, n, CTX_SUB_MB_TYPE_B + 3, 1)
        return put_bin(sym, n, CTX_SUB_MB_TYPE_B + 3, code - 11)
    bits = code - 3
    n = put_bin(sym, n, CTX_SUB_MB_TYPE_B + 2, bits >> 2)
    if bits >> 2:
        n = put_bin(sym, n, CTX_SUB_MB_TYPE_B + 3, 0)
    n = put_bin(sym, n, CTX_SUB_MB_TYPE_B + 3, (bits >> 1) & 1)
    return put_bin(sym, n, CTX_SUB_MB_TYPE_B + 3, bits & 1)


@kernel
def put_mvd(sym, n, base, value, neighbours):
    """One component of mvd: UEG3, signedValFlag 1, uCoff 9. neighbours: sum of the magnitudes of A and B."""
    size = abs(value)
    inc = (0 if neighbours < 3 else 1) + (1 if neighbours > 32 else 0)
    sym[n] = (base + inc) << 1 | (size > 0)
    n += 1
    if size == 0:
        return n
    for i in range(1, min(size, 9)):
        sym[n] = (base + min(2 + i, 6)) << 1 | 1
        n += 1
    if size < 9:
        sym[n] = (base + min(2 + size, 6)) << 1
        n += 1
    else:
        n = put_exp_golomb(sym, n, size - 9, 3)
    sym[n] = CTX_BYPASS << 1 | (value < 0)
    return n + 1


@kernel
def put_partition_mvd(sym, n, mvd, mb, left_mb, up_mb, lst, x, y):
    """Both components of the partition whose first 4x4 block is (x, y); left_mb, up_mb: -1 when unavailable."""
    block = y * 4 + x
    sum_x = np.int64(0)
    sum_y = np.int64(0)
    other = mb if x else left_mb
    if other >= 0:
        near = y * 4 + ((x - 1) & 3)
        sum_x += abs(np.int64(mvd[other, lst, near, 0]))
        sum_y += abs(np.int64(mvd[other, lst, near, 1]))
    other = mb if y else up_mb
    if other >= 0:
        near = ((y - 1) & 3) * 4 + x
        sum_x += abs(np.int64(mvd[other, lst, near, 0]))
        sum_y += abs(np.int64(mvd[other, lst, near, 1]))
    n = put_mvd(sym, n, CTX_MVD_X, np.int64(mvd[mb, lst, block, 0]), sum_x)
    return put_mvd(sym, n, CTX_MVD_Y, np.int64(mvd[mb, lst, block, 1]), sum_y)


@kernel
def put_ref_idx(sym, n, ref, inc):
    """ref_idx; inc: 1 for A, 2 for B where the neighbour's index was coded above 0 (9.3.3.1.1.6)."""
    for _ in range(ref):
        n = put_bin(sym, n, CTX_REF_IDX + inc, 1)
        inc = 4 if inc < 4 else 5
    return put_bin(sym, n, CTX_REF_IDX + inc, 0)


@kernel
def put_intra_mode(sym, n, code):
    """prev_intra_pred_mode_flag and rem_intra_pred_mode; code -1: as predicted."""
    n = put_bin(sym, n, CTX_PREV_INTRA_MODE_FLAG, 1 if code < 0 else 0)
    if code >= 0:
        for bit in range(3):
            n = put_bin(sym, n, CTX_REM_INTRA_MODE, (code >> bit) & 1)
    return n


@kernel
def put_chroma_mode(sym, n, mode, inc):
    """intra_chroma_pred_mode; inc: neighbours that sent another mode than 0."""
    n = put_bin(sym, n, CTX_INTRA_CHROMA_MODE + inc, 1 if mode else 0)
    for _ in range(1, mode):
        n = put_bin(sym, n, CTX_INTRA_CHROMA_MODE + 3, 1)
    if 0 < mode < 3:
        n = put_bin(sym, n, CTX_INTRA_CHROMA_MODE + 3, 0)
    return n


@kernel
def put_cbp(sym, n, cbp, left_cbp, up_cbp, monochrome):
    """coded_block_pattern (9.3.2.6, 9.3.3.1.1.4); neighbours as in the scratch, 15 where unavailable."""
    for b8 in range(4):
        left = (cbp >> (b8 - 1)) if b8 & 1 else (left_cbp >> (b8 + 1))
        up = (cbp >> (b8 - 2)) if b8 & 2 else (up_cbp >> (b8 + 2))
        inc = (1 - (left & 1)) + 2 * (1 - (up & 1))
        n = put_bin(sym, n, CTX_CBP_LUMA + inc, (cbp >> b8) & 1)
    if monochrome:
        return n
    chroma = cbp >> 4
    left, up = left_cbp >> 4, up_cbp >> 4
    inc = (1 if left else 0) + (2 if up else 0)
    n = put_bin(sym, n, CTX_CBP_CHROMA + inc, 1 if chroma else 0)
    if chroma:
        n = put_bin(sym, n, CTX_CBP_CHROMA + 4 + (left >> 1) + 2 * (up >> 1), chroma >> 1)
    return n


@kernel
def put_qp_delta(sym, n, delta, after_delta):
    """mb_qp_delta; after_delta: 1 when the previous macroblock in the slice changed the QP (9.3.3.1.1.5)."""
    mapped = 2 * delta - 1 if delta > 0 else -2 * delta
    inc = after_delta
    for _ in range(mapped):
        n = put_bin(sym, n, CTX_MB_QP_DELTA + inc, 1)
        inc = 2 if inc < 2 else 3
    return put_bin(sym, n, CTX_MB_QP_DELTA + inc, 0)
