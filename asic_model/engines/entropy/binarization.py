"""Binarisation of CABAC's syntax elements with their contexts (H.264 9.3.2, 9.3.3.1).

Functions called `put_*` append the bins of one element to `sym` (uint16[:], ctxIdx << 1 | bin) from index `n` on and
return the new index. Macroblock addresses of neighbours are -1 where unavailable.
"""

from collections.abc import Callable

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
    CTX_MB_TYPE_B_INTRA,
    CTX_MB_TYPE_I,
    CTX_MB_TYPE_P,
    CTX_MB_TYPE_P_INTRA,
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
from asic_model.codecs.h264.tables import table
from asic_model.kernel_cache import kernel

_MAX_INT64 = (1 << 63) - 1  # makes a right shift logical

_INC_8X8 = table("table_9_43_ctxIdxInc_8x8")
# ctxIdxInc by scan position: [4x4 and DC, 8x8 in frames, 8x8 in fields] (9.3.3.1.3)
_SIGNIFICANT_INC = np.array([range(63), _INC_8X8["significant_frame"], _INC_8X8["significant_field"]], np.uint8)
_LAST_INC = np.array([range(63), _INC_8X8["last"], _INC_8X8["last"]], np.uint8)


def _strings(rows: list[list[tuple[int, int]]]) -> np.ndarray:
    """uint16[rows, 9]: number of bins, then the bins' symbols; a bin is (ctxIdx, value)."""
    table_ = np.zeros((len(rows), 9), np.uint16)
    for row, bins in zip(table_, rows, strict=True):
        row[0] = len(bins)
        row[1 : 1 + len(bins)] = [ctx << 1 | value for ctx, value in bins]
    return table_


def _intra_types() -> np.ndarray:
    """mb_type of intra macroblocks (Table 9-36): rows 0..25 in I slices, 26.. and 52.. behind the P and B prefixes."""
    rows: list[list[tuple[int, int]]] = []
    # first context, then increments for: luma pattern, chroma pattern, which chroma pattern, two bins of the mode
    for base, luma, any_chroma, which, high, low in (
        (CTX_MB_TYPE_I, 3, 4, 5, 6, 7),
        (CTX_MB_TYPE_P_INTRA, 1, 2, 2, 3, 3),
        (CTX_MB_TYPE_B_INTRA, 1, 2, 2, 3, 3),
    ):
        rows.append([(base, 0)])
        for number in range(24):
            mode, chroma, ac = number % 4, number // 4 % 3, number // 12
            bins = [(base, 1), (CTX_TERMINATE, 0), (base + luma, ac), (base + any_chroma, int(chroma > 0))]
            bins += [(base + which, chroma >> 1)] if chroma else []
            rows.append([*bins, (base + high, mode >> 1), (base + low, mode & 1)])
        rows.append([(base, 1), (CTX_TERMINATE, 1)])
    return _strings(rows)


def _typed(strings: str, context: Callable[[str], int]) -> np.ndarray:
    """Bin strings, and the context of the bin that follows those before it in its string."""
    return _strings([[(context(bins[:i]), int(bins[i])) for i in range(len(bins))] for bins in strings.split()])


INTRA_TYPES = _intra_types()
# Table 9-37 (a): 16x16, 16x8, 8x16, 8x8, intra prefix
P_TYPES = _typed("000 011 010 001 1", lambda b: CTX_MB_TYPE_P + (len(b) if len(b) < 2 else 3 if b[1] == "1" else 2))
# Table 9-37 (b): by the number of Table 7-14; 23 is the intra prefix
B_TYPES = _typed(
    "0 100 101 110000 110001 110010 110011 110100 110101 110110 110111 111110 1110000 1110001 1110010 1110011"
    " 1110100 1110101 1110110 1110111 1111000 1111001 111111 111101",
    lambda b: CTX_MB_TYPE_B + (0, 3, 5 - int(b[1:2] or 0), 5)[min(len(b), 3)],
)
# Table 9-38: by the numbers of Tables 7-17 and 7-18
P_SUB_TYPES = _typed("1 00 011 010", lambda b: CTX_SUB_MB_TYPE_P + len(b))
B_SUB_TYPES = _typed(
    "0 100 101 11000 11001 11010 11011 111000 111001 111010 111011 11110 11111",
    lambda b: CTX_SUB_MB_TYPE_B + (0, 1, 3 - int(b[1:2] or 0), 3)[min(len(b), 3)],
)
# prev_intra_pred_mode_flag 1, then flag 0 with rem_intra_pred_mode 0..7, lowest bit first
INTRA_MODES = _typed(
    "1 0000 0100 0010 0110 0001 0101 0011 0111", lambda b: CTX_REM_INTRA_MODE if b else CTX_PREV_INTRA_MODE_FLAG
)
CHROMA_MODES = _typed("0 10 110 111", lambda b: CTX_INTRA_CHROMA_MODE + (3 if b else 0))


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
def put_string(sym, n, strings, row, inc):
    """Row `row` of a table of bin strings; inc: ctxIdxInc of the first bin."""
    count = np.int64(strings[row, 0])
    sym[n] = strings[row, 1] + 2 * inc
    for i in range(1, count):
        sym[n + i] = strings[row, 1 + i]
    return n + count


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
