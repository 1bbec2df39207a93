"""CABAC: binarisation of a macroblock and its contexts (H.264 9.3.2, 9.3.3.1), and slices of them.

As in hardware the binariser and the arithmetic coder are two stages with a queue between them: here a macroblock's
bins go to `symbols`, then through `arithmetic.encode_symbols`. Functions called `put_*` append to `sym` from index
`n` on and return the new index.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CAT_CHROMA_AC,
    CAT_CHROMA_DC,
    CAT_I16_AC,
    CAT_I16_DC,
    CAT_LUMA_4X4,
    CAT_LUMA_8X8,
    CTX_ABS_LEVEL,
    CTX_BYPASS,
    CTX_CBP_CHROMA,
    CTX_CBP_LUMA,
    CTX_CODED_BLOCK_FLAG,
    CTX_INTRA_CHROMA_MODE,
    CTX_LAST,
    CTX_MB_QP_DELTA,
    CTX_MB_SKIP_B,
    CTX_MB_SKIP_P,
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
    CTX_TRANSFORM_8X8,
    initial_states,
)
from asic_model.codecs.h264.macroblock import (
    B_DIRECT_16X16,
    B_SKIP,
    I_4X4,
    I_8X8,
    I_16X16,
    I_PCM,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    LEVELS_CB_AC,
    LEVELS_CB_DC,
    LEVELS_LUMA_DC,
    P_SKIP,
    SUB_4X4,
    SUB_4X8,
    SUB_8X4,
    SUB_8X8,
    SUB_DIRECT,
)
from asic_model.codecs.h264.motion_prediction import MotionField, skip_mv
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y, table
from asic_model.engines.entropy.arithmetic import encode_symbols, flush
from asic_model.engines.entropy.elements import (
    B_SUB_TYPE,
    BLOCK_INDEX,
    FAULT_QP,
    FAULT_SKIP_MV,
    OUTPUT_FULL,
    TRANSFORM_8X8_BIT,
    UNCODABLE,
    b_mb_type,
    block_mask,
    check_type,
    clear_differences,
    intra_mode_element,
    is_intra,
    level_mask,
    may_use_8x8,
    neighbour_available,
    prediction_code,
    set_differences,
)
from asic_model.kernel_cache import kernel

_INC_8X8 = table("table_9_43_ctxIdxInc_8x8")
_SIGNIFICANT_8X8 = np.array([_INC_8X8["significant_frame"], _INC_8X8["significant_field"]], np.uint8)  # [field]
_LAST_8X8 = np.array(_INC_8X8["last"], np.uint8)

_ALL_CODED = (1 << 27) - 1


@kernel
def _put(sym, n, ctx, value):
    sym[n] = ctx << 1 | value
    return n + 1


@kernel
def _put_exp_golomb(sym, n, value, k):
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
def _put_level(sym, n, level, base, eq1, gt1, gt1_limit):
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
            n = _put_exp_golomb(sym, n, rest - 14, 0)
    sym[n] = CTX_BYPASS << 1 | (level < 0)
    return n + 1


@kernel
def put_block(sym, n, levels, mb, row, first, count, mask, field, cat):
    """Significance map and levels of one block with `mask` != 0, coded_block_flag left aside (7.3.5.3.3).

    The block is levels[mb, row, first : first + count]; bit i of `mask` says that its entry i is not zero.
    """
    significant = CTX_SIGNIFICANT[field][cat]
    last = CTX_LAST[field][cat]
    rest = mask
    i = 0
    while i < count - 1:
        bit = rest & 1
        rest >>= 1
        sym[n] = (significant + i) << 1 | bit
        sym[n + 1] = (last + i) << 1 | (rest == 0)
        n += 1 + bit
        i += 1
        if rest == 0:
            break
    base = CTX_ABS_LEVEL[cat]
    gt1_limit = 3 if cat == CAT_CHROMA_DC else 4
    eq1 = 0
    gt1 = 0
    block = levels[mb, row]
    for k in range(i if rest else i - 1, -1, -1):
        if (mask >> k) & 1:
            level = np.int64(block[first + k])
            n = _put_level(sym, n, level, base, eq1, gt1, gt1_limit)
            if level == 1 or level == -1:
                eq1 += 1
            else:
                gt1 += 1
    return n


@kernel
def _put_block_8x8(sym, n, levels, mb, row, mask, field):
    """An 8x8 luma block, four rows from `row` on (ctxBlockCat 5; its coded_block_flag exists in 4:4:4 only)."""
    significant = CTX_SIGNIFICANT[field][CAT_LUMA_8X8]
    last = CTX_LAST[field][CAT_LUMA_8X8]
    rest = np.uint64(mask)
    i = 0
    while i < 63:
        bit = np.int64(rest & np.uint64(1))
        rest >>= np.uint64(1)
        sym[n] = (significant + np.int64(_SIGNIFICANT_8X8[field, i])) << 1 | bit
        sym[n + 1] = (last + np.int64(_LAST_8X8[i])) << 1 | (rest == 0)
        n += 1 + bit
        i += 1
        if rest == 0:
            break
    eq1 = 0
    gt1 = 0
    for k in range(i if rest != 0 else i - 1, -1, -1):
        level = np.int64(levels[mb, row + (k >> 4), k & 15])
        if level != 0:
            n = _put_level(sym, n, level, CTX_ABS_LEVEL[CAT_LUMA_8X8], eq1, gt1, 4)
            if level == 1 or level == -1:
                eq1 += 1
            else:
                gt1 += 1
    return n


@kernel
def _put_mb_type_intra(sym, n, base, first_inc, mbs, mb, cbp, suffix):
    """mb_type of an intra macroblock; `base`: first context, `suffix`: 1 behind a P or B prefix (Table 9-39)."""
    mb_type = mbs.mb_type[mb]
    if mb_type in (I_4X4, I_8X8):
        return _put(sym, n, base + first_inc, 0)
    n = _put(sym, n, base + first_inc, 1)
    if mb_type == I_PCM:
        return _put(sym, n, CTX_TERMINATE, 1)
    n = _put(sym, n, CTX_TERMINATE, 0)
    # increments of the four kinds of bins that follow, in I slices and behind a prefix
    luma_ctx = base + (1 if suffix else 3)
    chroma_ctx = base + (2 if suffix else 4)
    which_ctx = base + (2 if suffix else 5)
    mode_ctx = base + (3 if suffix else 6)
    n = _put(sym, n, luma_ctx, 1 if cbp & 15 else 0)
    chroma = cbp >> 4
    n = _put(sym, n, chroma_ctx, 1 if chroma else 0)
    if chroma:
        n = _put(sym, n, which_ctx, chroma >> 1)
    mode = np.int64(mbs.intra_mode[mb, 0])
    n = _put(sym, n, mode_ctx, mode >> 1)
    return _put(sym, n, mode_ctx + (0 if suffix else 1), mode & 1)


@kernel
def _put_mb_type_p(sym, n, mb_type):
    """Prefix of mb_type in P slices (Table 9-37)."""
    if is_intra(mb_type):
        return _put(sym, n, CTX_MB_TYPE_P, 1)
    n = _put(sym, n, CTX_MB_TYPE_P, 0)
    wide = mb_type in (INTER_16X8, INTER_8X16)
    n = _put(sym, n, CTX_MB_TYPE_P + 1, 1 if wide else 0)
    if wide:
        return _put(sym, n, CTX_MB_TYPE_P + 3, 1 if mb_type == INTER_16X8 else 0)
    return _put(sym, n, CTX_MB_TYPE_P + 2, 1 if mb_type == INTER_8X8 else 0)


@kernel
def _put_mb_type_b(sym, n, code, inc):
    """mb_type in B slices by its number of Table 7-14; 23 is the intra prefix."""
    n = _put(sym, n, CTX_MB_TYPE_B + inc, 1 if code else 0)
    if code == 0:
        return n
    n = _put(sym, n, CTX_MB_TYPE_B + 3, 0 if code <= 2 else 1)
    if code <= 2:
        return _put(sym, n, CTX_MB_TYPE_B + 5, code - 1)
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
    n = _put(sym, n, CTX_MB_TYPE_B + 4, bits >> 3)
    for shift in (2, 1, 0):
        n = _put(sym, n, CTX_MB_TYPE_B + 5, (bits >> shift) & 1)
    if extra >= 0:
        n = _put(sym, n, CTX_MB_TYPE_B + 5, extra)
    return n


@kernel
def _put_sub_type_p(sym, n, sub):
    """sub_mb_type in P slices: 8x8 "1", 8x4 "00", 4x8 "011", 4x4 "010"."""
    n = _put(sym, n, CTX_SUB_MB_TYPE_P, 1 if sub == SUB_8X8 else 0)
    if sub != SUB_8X8:
        n = _put(sym, n, CTX_SUB_MB_TYPE_P + 1, 0 if sub == SUB_8X4 else 1)
        if sub != SUB_8X4:
            n = _put(sym, n, CTX_SUB_MB_TYPE_P + 2, 1 if sub == SUB_4X8 else 0)
    return n


@kernel
def _put_sub_type_b(sym, n, code):
    """sub_mb_type in B slices by its number of Table 7-18 (Table 9-38)."""
    n = _put(sym, n, CTX_SUB_MB_TYPE_B, 1 if code else 0)
    if code == 0:
        return n
    if code <= 2:
        n = _put(sym, n, CTX_SUB_MB_TYPE_B + 1, 0)
        return _put(sym, n, CTX_SUB_MB_TYPE_B + 3, code - 1)
    n = _put(sym, n, CTX_SUB_MB_TYPE_B + 1, 1)
    if code >= 11:
        n = _put(sym, n, CTX_SUB_MB_TYPE_B + 2, 1)
        n = _put(sym, n, CTX_SUB_MB_TYPE_B + 3, 1)
        return _put(sym, n, CTX_SUB_MB_TYPE_B + 3, code - 11)
    bits = code - 3
    n = _put(sym, n, CTX_SUB_MB_TYPE_B + 2, bits >> 2)
    if bits >> 2:
        n = _put(sym, n, CTX_SUB_MB_TYPE_B + 3, 0)
    n = _put(sym, n, CTX_SUB_MB_TYPE_B + 3, (bits >> 1) & 1)
    return _put(sym, n, CTX_SUB_MB_TYPE_B + 3, bits & 1)


@kernel
def _put_mvd(sym, n, base, value, neighbours):
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
        n = _put_exp_golomb(sym, n, size - 9, 3)
    sym[n] = CTX_BYPASS << 1 | (value < 0)
    return n + 1


@kernel
def _put_partition_mvd(sym, n, mvd, mb, left_mb, up_mb, lst, x, y):
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
    n = _put_mvd(sym, n, CTX_MVD_X, np.int64(mvd[mb, lst, block, 0]), sum_x)
    return _put_mvd(sym, n, CTX_MVD_Y, np.int64(mvd[mb, lst, block, 1]), sum_y)


@kernel
def _refers_beyond_first(mbs, other, lst, quadrant):
    """condTermFlag of ref_idx (9.3.3.1.1.6): the neighbour's index is above 0 and was coded, not derived."""
    if other < 0 or mbs.ref_idx[other, lst, quadrant] <= 0:
        return 0
    mb_type = mbs.mb_type[other]
    derived = mb_type in (B_SKIP, B_DIRECT_16X16) or (
        mb_type == INTER_8X8 and mbs.sub_type[other, quadrant] == SUB_DIRECT
    )
    return 0 if derived else 1


@kernel
def _put_ref_idx(sym, n, mbs, mb, left_mb, up_mb, lst, quadrant):
    left = _refers_beyond_first(mbs, mb if quadrant & 1 else left_mb, lst, quadrant ^ 1)
    up = _refers_beyond_first(mbs, mb if quadrant & 2 else up_mb, lst, quadrant ^ 2)
    inc = left + 2 * up
    for _ in range(mbs.ref_idx[mb, lst, quadrant]):
        n = _put(sym, n, CTX_REF_IDX + inc, 1)
        inc = 4 if inc < 4 else 5
    return _put(sym, n, CTX_REF_IDX + inc, 0)


@kernel
def _put_motion(sym, n, mbs, p, mb, left_mb, up_mb):
    """Sub-macroblock types, reference indices and vector differences of an inter macroblock."""
    mb_type = mbs.mb_type[mb]
    lists = 2 if p.slice_type == 1 else 1
    if mb_type == INTER_8X8:
        for quadrant in range(4):
            sub = mbs.sub_type[mb, quadrant]
            if p.slice_type == 1:
                code = B_SUB_TYPE[sub, max(0, prediction_code(mbs.ref_idx, mb, quadrant))]
                n = _put_sub_type_b(sym, n, np.int64(code))
            else:
                n = _put_sub_type_p(sym, n, sub)
    # 8x8 quadrants that begin a partition
    step = 4 if mb_type == INTER_16X16 else (2 if mb_type == INTER_16X8 else 1)
    end = 2 if mb_type == INTER_8X16 else 4
    for lst in range(lists):
        if (p.num_ref_idx_l1 if lst else p.num_ref_idx_l0) > 1:
            for quadrant in range(0, end, step):
                direct = mb_type == INTER_8X8 and mbs.sub_type[mb, quadrant] == SUB_DIRECT
                if mbs.ref_idx[mb, lst, quadrant] >= 0 and not direct:
                    n = _put_ref_idx(sym, n, mbs, mb, left_mb, up_mb, lst, quadrant)
    for lst in range(lists):
        for quadrant in range(0, end, step):
            if mbs.ref_idx[mb, lst, quadrant] < 0:
                continue
            sub = np.int64(mbs.sub_type[mb, quadrant]) if mb_type == INTER_8X8 else SUB_8X8
            if sub == SUB_DIRECT:
                continue
            x, y = (quadrant & 1) * 2, (quadrant >> 1) * 2
            n = _put_partition_mvd(sym, n, mbs.mvd, mb, left_mb, up_mb, lst, x, y)
            if sub in (SUB_4X8, SUB_4X4):
                n = _put_partition_mvd(sym, n, mbs.mvd, mb, left_mb, up_mb, lst, x + 1, y)
            if sub in (SUB_8X4, SUB_4X4):
                n = _put_partition_mvd(sym, n, mbs.mvd, mb, left_mb, up_mb, lst, x, y + 1)
            if sub == SUB_4X4:
                n = _put_partition_mvd(sym, n, mbs.mvd, mb, left_mb, up_mb, lst, x + 1, y + 1)
    return n


@kernel
def _put_intra_modes(sym, n, mbs, p, mb):
    """Luma prediction modes of an I_NxN macroblock."""
    for block in range(0, 16, 4 if mbs.mb_type[mb] == I_8X8 else 1):
        code = intra_mode_element(mbs, p, mb, block)
        n = _put(sym, n, CTX_PREV_INTRA_MODE_FLAG, 1 if code < 0 else 0)
        if code >= 0:
            for bit in range(3):
                n = _put(sym, n, CTX_REM_INTRA_MODE, (code >> bit) & 1)
    return n


@kernel
def _sends_chroma_mode(mbs, other):
    """condTermFlag of intra_chroma_pred_mode (9.3.3.1.1.8)."""
    if other < 0 or mbs.mb_type[other] >= I_PCM:
        return 0
    return 1 if mbs.chroma_mode[other] else 0


@kernel
def _put_chroma_mode(sym, n, mbs, mb, left_mb, up_mb):
    inc = _sends_chroma_mode(mbs, left_mb) + _sends_chroma_mode(mbs, up_mb)
    mode = np.int64(mbs.chroma_mode[mb])
    n = _put(sym, n, CTX_INTRA_CHROMA_MODE + inc, 1 if mode else 0)
    for _i in range(1, mode):
        n = _put(sym, n, CTX_INTRA_CHROMA_MODE + 3, 1)
    if 0 < mode < 3:
        n = _put(sym, n, CTX_INTRA_CHROMA_MODE + 3, 0)
    return n


@kernel
def _put_cbp(sym, n, cbp, left_cbp, up_cbp, monochrome):
    """coded_block_pattern (9.3.2.6, 9.3.3.1.1.4); neighbours as in the scratch, 15 where unavailable."""
    for b8 in range(4):
        left = (cbp >> (b8 - 1)) if b8 & 1 else (left_cbp >> (b8 + 1))
        up = (cbp >> (b8 - 2)) if b8 & 2 else (up_cbp >> (b8 + 2))
        inc = (1 - (left & 1)) + 2 * (1 - (up & 1))
        n = _put(sym, n, CTX_CBP_LUMA + inc, (cbp >> b8) & 1)
    if monochrome:
        return n
    chroma = cbp >> 4
    left, up = left_cbp >> 4, up_cbp >> 4
    inc = (1 if left else 0) + (2 if up else 0)
    n = _put(sym, n, CTX_CBP_CHROMA + inc, 1 if chroma else 0)
    if chroma:
        n = _put(sym, n, CTX_CBP_CHROMA + 4 + (left >> 1) + 2 * (up >> 1), chroma >> 1)
    return n


@kernel
def _put_qp_delta(sym, n, delta, after_delta):
    """mb_qp_delta; after_delta: 1 when the previous macroblock in the slice changed the QP (9.3.3.1.1.5)."""
    mapped = 2 * delta - 1 if delta > 0 else -2 * delta
    inc = after_delta
    for _ in range(mapped):
        n = _put(sym, n, CTX_MB_QP_DELTA + inc, 1)
        inc = 2 if inc < 2 else 3
    return _put(sym, n, CTX_MB_QP_DELTA + inc, 0)


@kernel
def _put_residual(sym, n, levels, mb, field, i16, eights, cbp, left, up):
    """All residual blocks of a macroblock. Returns (n, its `coded` bits).

    left, up : `coded` bits of the neighbours, as 9.3.3.1.1.9 sees unavailable ones
    """
    coded = np.int64(0)
    if i16:
        mask = block_mask(levels, mb, LEVELS_LUMA_DC)
        flag = 1 if mask else 0
        inc = ((left >> 24) & 1) + 2 * ((up >> 24) & 1)
        n = _put(sym, n, CTX_CODED_BLOCK_FLAG[CAT_I16_DC] + inc, flag)
        if flag:
            n = put_block(sym, n, levels, mb, LEVELS_LUMA_DC, 0, 16, mask, field, CAT_I16_DC)
            coded |= 1 << 24
    first = 1 if i16 else 0
    cat = CAT_I16_AC if i16 else CAT_LUMA_4X4
    for b8 in range(4):
        if not (cbp >> b8) & 1:
            continue
        if eights:
            mask = level_mask(levels, mb, 4 * b8, 0, 64)
            n = _put_block_8x8(sym, n, levels, mb, 4 * b8, mask, field)
            coded |= 15 << (4 * b8)
            continue
        for block in range(4 * b8, 4 * b8 + 4):
            x, y = np.int64(BLOCK_X[block]), np.int64(BLOCK_Y[block])
            near_left = np.int64(BLOCK_INDEX[y * 4 + ((x - 1) & 3)])
            near_up = np.int64(BLOCK_INDEX[((y - 1) & 3) * 4 + x])
            inc = (((coded if x else left) >> near_left) & 1) + 2 * (((coded if y else up) >> near_up) & 1)
            mask = block_mask(levels, mb, block) >> first
            flag = 1 if mask else 0
            n = _put(sym, n, CTX_CODED_BLOCK_FLAG[cat] + inc, flag)
            if flag:
                n = put_block(sym, n, levels, mb, block, first, 16 - first, mask, field, cat)
                coded |= 1 << block
    if cbp >> 4:
        for plane in range(2):
            mask = block_mask(levels, mb, LEVELS_CB_DC + plane) & 15
            flag = 1 if mask else 0
            inc = ((left >> (25 + plane)) & 1) + 2 * ((up >> (25 + plane)) & 1)
            n = _put(sym, n, CTX_CODED_BLOCK_FLAG[CAT_CHROMA_DC] + inc, flag)
            if flag:
                n = put_block(sym, n, levels, mb, LEVELS_CB_DC + plane, 0, 4, mask, field, CAT_CHROMA_DC)
                coded |= 1 << (25 + plane)
    if cbp >> 5:
        for block in range(8):
            # positions 0..3 of a plane in raster order: left neighbour differs in bit 0, upper one in bit 1
            inc = ((coded if block & 1 else left) >> (16 + (block ^ 1))) & 1
            inc += 2 * (((coded if block & 2 else up) >> (16 + (block ^ 2))) & 1)
            mask = block_mask(levels, mb, LEVELS_CB_AC + block) >> 1
            flag = 1 if mask else 0
            n = _put(sym, n, CTX_CODED_BLOCK_FLAG[CAT_CHROMA_AC] + inc, flag)
            if flag:
                n = put_block(sym, n, levels, mb, LEVELS_CB_AC + block, 1, 15, mask, field, CAT_CHROMA_AC)
                coded |= 1 << (16 + block)
    return n, coded


@kernel
def _put_macroblock(mbs, p, s, mb, qp, after_delta):
    """Bins of one macroblock, end_of_slice_flag left aside. Returns (count or UNCODABLE, qp, after_delta).

    qp, after_delta : QPY of the previous macroblock, and whether it sent a difference
    """
    sym = s.symbols
    n = 0
    left_mb = mb - 1
    if mb % p.mb_width == 0 or not neighbour_available(mbs.slice_id, mb, left_mb):
        left_mb = -1
    up_mb = mb - p.mb_width
    if not neighbour_available(mbs.slice_id, mb, up_mb):
        up_mb = -1
    mb_type = mbs.mb_type[mb]
    intra = is_intra(mb_type)
    s.fault[0] = mb
    s.fault[1] = check_type(mbs, p, mb)
    if s.fault[1]:
        return UNCODABLE, qp, after_delta

    if p.slice_type != 2:
        clear_differences(mbs, mb, 2 if p.slice_type == 1 else 1)
        skipped = mb_type in (P_SKIP, B_SKIP)
        inc = 0
        if left_mb >= 0:
            inc += 0 if mbs.mb_type[left_mb] == P_SKIP or mbs.mb_type[left_mb] == B_SKIP else 1
        if up_mb >= 0:
            inc += 0 if mbs.mb_type[up_mb] == P_SKIP or mbs.mb_type[up_mb] == B_SKIP else 1
        n = _put(sym, n, (CTX_MB_SKIP_B if p.slice_type == 1 else CTX_MB_SKIP_P) + inc, 1 if skipped else 0)
        if skipped:
            s.coded[mb] = 0
            s.cbp[mb] = 0
            if mbs.qp[mb] != qp:
                s.fault[1] = FAULT_QP
                return UNCODABLE, qp, after_delta
            if mb_type == P_SKIP:
                x, y = skip_mv(MotionField(mbs.slice_id, mbs.ref_idx, mbs.mv), p.mb_width, mb)
                if mbs.mv[mb, 0, 0, 0] != x or mbs.mv[mb, 0, 0, 1] != y or mbs.ref_idx[mb, 0, 0] != 0:
                    s.fault[1] = FAULT_SKIP_MV
                    return UNCODABLE, qp, after_delta
            return n, qp, 0

    cbp = np.int64(mbs.cbp[mb])
    if p.slice_type == 0:
        n = _put_mb_type_p(sym, n, mb_type)
        if intra:
            n = _put_mb_type_intra(sym, n, CTX_MB_TYPE_P_INTRA, 0, mbs, mb, cbp, 1)
    elif p.slice_type == 1:
        inc = 0
        if left_mb >= 0:
            inc += 0 if mbs.mb_type[left_mb] == B_SKIP or mbs.mb_type[left_mb] == B_DIRECT_16X16 else 1
        if up_mb >= 0:
            inc += 0 if mbs.mb_type[up_mb] == B_SKIP or mbs.mb_type[up_mb] == B_DIRECT_16X16 else 1
        n = _put_mb_type_b(sym, n, 23 if intra else b_mb_type(mbs, mb), inc)
        if intra:
            n = _put_mb_type_intra(sym, n, CTX_MB_TYPE_B_INTRA, 0, mbs, mb, cbp, 1)
    else:
        inc = 0
        if left_mb >= 0:
            inc += 0 if mbs.mb_type[left_mb] == I_4X4 or mbs.mb_type[left_mb] == I_8X8 else 1
        if up_mb >= 0:
            inc += 0 if mbs.mb_type[up_mb] == I_4X4 or mbs.mb_type[up_mb] == I_8X8 else 1
        n = _put_mb_type_intra(sym, n, CTX_MB_TYPE_I, inc, mbs, mb, cbp, 0)

    if mb_type == I_PCM:
        s.coded[mb] = _ALL_CODED
        s.cbp[mb] = 47
        return n, qp, 0

    eights = mb_type == I_8X8 or (not intra and mbs.transform_8x8[mb] != 0 and cbp & 15 != 0)
    own_8x8 = 1 << TRANSFORM_8X8_BIT if eights else 0
    inc = np.int64(0)
    if left_mb >= 0:
        inc += (np.int64(s.coded[left_mb]) >> TRANSFORM_8X8_BIT) & 1
    if up_mb >= 0:
        inc += (np.int64(s.coded[up_mb]) >> TRANSFORM_8X8_BIT) & 1
    if intra:
        if mb_type != I_16X16:
            if p.transform_8x8_mode:
                n = _put(sym, n, CTX_TRANSFORM_8X8 + inc, 1 if eights else 0)
            n = _put_intra_modes(sym, n, mbs, p, mb)
        if not p.monochrome:
            n = _put_chroma_mode(sym, n, mbs, mb, left_mb, up_mb)
    elif mb_type != B_DIRECT_16X16:
        set_differences(mbs, p, mb)
        n = _put_motion(sym, n, mbs, p, mb, left_mb, up_mb)

    s.cbp[mb] = cbp
    if mb_type != I_16X16:
        left_cbp = np.int64(s.cbp[left_mb]) if left_mb >= 0 else 15
        up_cbp = np.int64(s.cbp[up_mb]) if up_mb >= 0 else 15
        n = _put_cbp(sym, n, cbp, left_cbp, up_cbp, p.monochrome)
        if not intra and cbp & 15 and p.transform_8x8_mode and may_use_8x8(mbs, p, mb):
            n = _put(sym, n, CTX_TRANSFORM_8X8 + inc, 1 if eights else 0)

    if cbp == 0 and mb_type != I_16X16:
        s.coded[mb] = own_8x8
        if mbs.qp[mb] != qp:
            s.fault[1] = FAULT_QP
            return UNCODABLE, qp, after_delta
        return n, qp, 0
    delta = np.int64(mbs.qp[mb]) - qp
    delta = delta - 52 if delta > 25 else (delta + 52 if delta < -26 else delta)
    n = _put_qp_delta(sym, n, delta, after_delta)
    missing = np.int64(_ALL_CODED if intra else 0)
    left = np.int64(s.coded[left_mb]) if left_mb >= 0 else missing
    up = np.int64(s.coded[up_mb]) if up_mb >= 0 else missing
    n, coded = _put_residual(sym, n, mbs.levels, mb, p.field, mb_type == I_16X16, eights, cbp, left, up)
    s.coded[mb] = coded | own_8x8
    return n, np.int64(mbs.qp[mb]), 1 if delta else 0


@kernel
def write_slice_data_cabac(mbs, p, s, work, position):
    """slice_data() of one slice to s.rbsp from byte `position` on (7.3.4), rbsp_slice_trailing_bits included.

    Returns the position after the last byte, OUTPUT_FULL or UNCODABLE (reason in s.fault). Fills entropy_bins and
    entropy_bits of `work`, one row a macroblock of the picture.
    """
    initial_states(s.states, 0 if p.slice_type == 2 else 1 + p.cabac_init_idc, p.qp)
    out = s.rbsp
    low, rng, queue = np.int64(0), np.int64(510), np.int64(0)
    position = np.int64(position)
    qp = np.int64(p.qp)
    after_delta = 0
    for mb in range(p.first_mb, p.first_mb + p.mb_count):
        begin = position * 8 + queue
        n, qp, after_delta = _put_macroblock(mbs, p, s, mb, qp, after_delta)
        if n < 0:
            return np.int64(n)
        last = mb == p.first_mb + p.mb_count - 1
        if position + 2 * n + 800 > out.size:
            return np.int64(OUTPUT_FULL)
        bins = n + 1
        if mbs.mb_type[mb] == I_PCM:
            low, rng, queue, position = encode_symbols(s.symbols, n, s.states, low, rng, queue, out, position)
            position, _ = flush(low, queue, out, position)
            for i in range(256 if p.monochrome else 384):
                out[position + i] = np.uint8(mbs.levels[mb, i >> 4, i & 15])
            position += 256 if p.monochrome else 384
            low, rng, queue = np.int64(0), np.int64(510), np.int64(0)
            n = 0
        s.symbols[n] = CTX_TERMINATE << 1 | (1 if last else 0)
        low, rng, queue, position = encode_symbols(s.symbols, n + 1, s.states, low, rng, queue, out, position)
        work[mb].entropy_bins = min(bins, 65535)
        work[mb].entropy_bits = min(position * 8 + queue - begin, 65535)
    position, _ = flush(low, queue, out, position)
    return position
