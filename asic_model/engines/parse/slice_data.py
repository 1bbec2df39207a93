"""The parse kernel: slice_data() and macroblock_layer() of one slice into the macroblock record (H.264 7.3.4, 7.3.5).

Syntax only: vectors stay differences (`mvd`), direct macroblocks stay direct, which is why a slice can be parsed
without looking at any other picture. `motion` turns that into vectors afterwards.
"""

from typing import NamedTuple

import numpy as np

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
    LEVELS_ROWS,
    P_SKIP,
    SUB_4X4,
    SUB_4X8,
    SUB_8X4,
    SUB_8X8,
    SUB_DIRECT,
    UNAVAILABLE,
)
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y, table
from asic_model.engines.parse import cabac_syntax as cabac
from asic_model.engines.parse.arithmetic import (
    consumed_bits,
    decode_bin,
    decode_terminate,
    init_contexts,
    init_engine,
)
from asic_model.engines.parse.bitstream import peek, read_bits, read_se, read_te, read_ue
from asic_model.engines.parse.neighbours import (
    ABOVE,
    ABOVE_PAIR,
    LEFT,
    LEFT_PAIR,
    LEFT_ROW,
    find_neighbours,
    find_neighbours_mbaff,
    find_pairs,
)
from asic_model.engines.parse.residual import (
    CAT_CHROMA_AC,
    CAT_CHROMA_DC,
    CAT_LUMA_4X4,
    CAT_LUMA_8X8,
    CAT_LUMA_AC,
    CAT_LUMA_DC,
    CODED_BLOCK_FLAG,
    levels_cabac,
    levels_cavlc,
)
from asic_model.engines.parse.state import (
    BAD_VALUE,
    BINS,
    DATA_ENDS,
    END,
    ERROR,
    OVERLAP,
    POSITION,
    TOO_LONG,
)
from asic_model.kernel_cache import kernel

SLICE_P, SLICE_B, SLICE_I = 0, 1, 2  # slice_type % 5

LEVELS_PER_MB = LEVELS_ROWS * 16
PCM_CBP = 0x2F

# Table 7-14, mb_type 1..21 of B slices: shape, lists of the first and of the second partition (bit 0: L0, bit 1: L1)
_B_SHAPE = np.array([0, 6, 6, 6] + [7, 8] * 9, np.uint8)
_B_LISTS_0 = np.array([0, 1, 2, 3, 1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3], np.uint8)
_B_LISTS_1 = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 3, 3, 3, 3, 1, 1, 2, 2, 3, 3], np.uint8)
# Table 7-18, sub_mb_type of B slices
_SUB_SHAPE = np.array(
    [SUB_DIRECT, SUB_8X8, SUB_8X8, SUB_8X8, SUB_8X4, SUB_4X8, SUB_8X4, SUB_4X8, SUB_8X4, SUB_4X8]
    + [SUB_4X4, SUB_4X4, SUB_4X4],
    np.uint8,
)
_SUB_LISTS = np.array([0, 1, 2, 3, 1, 1, 2, 2, 3, 3, 1, 2, 3], np.uint8)
# [SUB_8X8..SUB_4X4]: size of a sub-partition in 4x4 blocks
_SUB_WIDTH = np.array([2, 2, 1, 1], np.uint8)
_SUB_HEIGHT = np.array([2, 1, 2, 1], np.uint8)

_CBP_ME = table("table_9_4_coded_block_pattern_me")
_CBP_COLOUR = np.array(_CBP_ME["chroma_format_1_or_2"], np.uint8).reshape(-1)  # [codeNum][intra NxN, inter]
_CBP_MONO = np.array(_CBP_ME["chroma_format_0_or_3"], np.uint8).reshape(-1)

# Caches of one macroblock with its left and upper border: luma block (x, y) at 8 * (y + 1) + x + 1
_CACHE_LUMA = 9
_CACHE_CB = 40 + 9  # same layout, 2x2 blocks
_CACHE_CR = 64 + 9
CACHE_SIZE = 96
_NOT_THERE = 0x40  # total_coeff of a block that is not available

# Figures a macroblock, columns of the statistics
STAT_BINS = 0  # bins, or codewords
STAT_BITS = 1
STAT_BLOCKS = 2  # 4x4 blocks with levels, an 8x8 one as four; DC blocks count as one
STAT_LEVELS = 3  # non-zero levels
STATS = 4


class SliceSyntax(NamedTuple):
    """What parsing of slice data depends on, all plain integers, all checked by the caller."""

    slice_id: int  # written to the record; distinct for each slice of the picture
    slice_type: int  # SLICE_P, SLICE_B, SLICE_I
    cabac: int  # entropy_coding_mode_flag
    first_mb: int  # address of the first macroblock (MBAFF: twice first_mb_in_slice)
    mb_width: int  # PicWidthInMbs
    mb_count: int  # PicSizeInMbs
    mbaff: int  # MbaffFrameFlag
    field_picture: int  # field_pic_flag
    qp: int  # SliceQPY, 0..51
    cabac_table: int  # 0 for I, cabac_init_idc + 1
    ref_count_0: int  # num_ref_idx_l0_active_minus1 + 1
    ref_count_1: int
    transform_8x8: int  # transform_8x8_mode_flag
    direct_8x8_inference: int
    chroma: int  # 1: 4:2:0, 0: monochrome
    constrained_intra: int
    first_bit: int  # of slice_data() in the RBSP


@kernel
def _fill_block(array, base, x, y, width, height, value):
    """array[base + 4 * row + column] = value over a partition (4x4 block units)."""
    for row in range(y, y + height):
        for column in range(x, x + width):
            array[base + 4 * row + column] = value


@kernel
def _mvd_sum(mvd, mb_type, field_of, nb, mb, lst, x, y, mbaff, shift):
    """absMvdComp of A plus that of B for the component at bit `shift` (0: x, 16: y) of packed differences."""
    total = np.int64(0)
    for side in range(2):
        if side == 0:
            if x > 0:
                other, at = mb, 4 * y + x - 1
            else:
                other, at = nb[LEFT + y], 4 * nb[LEFT_ROW + y] + 3
        elif y > 0:
            other, at = mb, 4 * y + x - 4
        else:
            other, at = nb[ABOVE], 12 + x
        if other >= 0 and mb_type[other] >= INTER_16X16 and mb_type[other] <= INTER_8X8:
            packed = np.int64(mvd[(other * 2 + lst) * 16 + at])
            if shift:
                size = abs(packed >> 16)
                if mbaff and field_of[other] != field_of[mb]:
                    size = size >> 1 if field_of[mb] else size << 1
            else:
                size = abs(((packed & 0xFFFF) ^ 0x8000) - 0x8000)
            total += size
    return total


@kernel
def _ref_increment(ref_idx, field_of, nb, mb, lst, quadrant, mbaff):
    """ctxIdxInc of ref_idx (9.3.3.1.1.6). Skipped, direct and intra neighbours hold no index above 0 here."""
    increment = 0
    for side in range(2):
        if side == 0:
            if quadrant & 1:
                other, at = mb, quadrant - 1
            else:
                other, at = nb[LEFT + quadrant], (nb[LEFT_ROW + quadrant] & 2) + 1
        elif quadrant & 2:
            other, at = mb, quadrant - 2
        else:
            other, at = nb[ABOVE], quadrant + 2
        if other >= 0:
            least = 1 if mbaff and field_of[other] != 0 and field_of[mb] == 0 else 0
            if ref_idx[(other * 2 + lst) * 4 + at] > least:
                increment += 1 + side
    return increment


@kernel
def _read_mvd(st, cx, words, cabac_mode, mvd, mb_type, field_of, nb, mb, lst, x, y, width, height, mbaff):
    """Read one vector difference and spread it over its partition, packed: x in the low half, y in the high."""
    if cabac_mode:
        near = _mvd_sum(mvd, mb_type, field_of, nb, mb, lst, x, y, mbaff, 0)
        dx = cabac.mvd(st, cx, words, cabac.MVD_X, near)
        near = _mvd_sum(mvd, mb_type, field_of, nb, mb, lst, x, y, mbaff, 16)
        dy = cabac.mvd(st, cx, words, cabac.MVD_Y, near)
    else:
        dx = read_se(st, words)
        dy = read_se(st, words)
    if dx < -0x8000 or dx > 0x7FFF or dy < -0x8000 or dy > 0x7FFF:
        st[ERROR] = BAD_VALUE
        return
    packed = np.int32((dx & 0xFFFF) | (dy << 16))
    _fill_block(mvd, (mb * 2 + lst) * 16, x, y, width, height, packed)


@kernel
def _motion_syntax(
    st, cx, words, nb, cabac_mode, mbaff, counts, mb, code, is_b, m_type, field_of, sub_type, ref_idx, mvd
):
    """sub_mb_types, ref_idx and mvd of an inter macroblock whose type is set.

    counts : entries of list 0 in the low, of list 1 in the high byte (doubled already for field macroblocks)
    code   : mb_type as coded (Tables 7-13 and 7-14)
    Returns 1 where transform_size_8x8_flag may follow as far as sub-macroblocks are concerned (2: if
    direct_8x8_inference_flag), else 0.
    """
    for i in range(mb * 32, mb * 32 + 32):
        mvd[i] = 0
    for i in range(mb * 8, mb * 8 + 8):
        ref_idx[i] = -1
    shape = np.int64(m_type[mb])
    # lists[partition or quadrant], two bits each, packed into one integer
    lists = np.int64(0)
    may_8x8 = 1
    if shape == INTER_8X8:
        for quadrant in range(4):
            if is_b:
                sub = cabac.sub_mb_type_b(st, cx, words) if cabac_mode else read_ue(st, words)
                if sub > 12:
                    st[ERROR] = BAD_VALUE
                    return np.int64(0)
                lists |= np.int64(_SUB_LISTS[sub]) << (2 * quadrant)
                sub = np.int64(_SUB_SHAPE[sub])
                if sub == SUB_DIRECT:
                    may_8x8 = 2 if may_8x8 else 0
            else:
                sub = cabac.sub_mb_type_p(st, cx, words) if cabac_mode else read_ue(st, words)
                if sub > 3:
                    st[ERROR] = BAD_VALUE
                    return np.int64(0)
                lists |= 1 << (2 * quadrant)
            if sub != SUB_8X8 and sub != SUB_DIRECT:
                may_8x8 = 0
            sub_type[mb * 4 + quadrant] = sub
        parts, width, height = 4, 2, 2
    else:
        if is_b:
            lists = np.int64(_B_LISTS_0[code]) | np.int64(_B_LISTS_1[code]) << 2
        else:
            lists = np.int64(5)
        parts = 1 if shape == INTER_16X16 else 2
        width = 2 if shape == INTER_8X16 else 4
        height = 2 if shape == INTER_16X8 else 4
    for lst in range(2):
        count = (counts >> (8 * lst)) & 0xFF
        for part in range(parts):
            if not (lists >> (2 * part + lst)) & 1:
                continue
            # first quadrant of the partition, and how its index spreads
            quadrant = part * 2 if shape == INTER_16X8 else part
            ref = np.int64(0)
            if count > 1 and not (shape == INTER_8X8 and not is_b and not cabac_mode and code == 4):
                if cabac_mode:
                    increment = _ref_increment(ref_idx, field_of, nb, mb, lst, quadrant, mbaff)
                    ref = cabac.ref_idx(st, cx, words, increment, count)
                else:
                    ref = read_te(st, words, count - 1)
                    if ref >= count:
                        st[ERROR] = BAD_VALUE
                        return np.int64(0)
            at = (mb * 2 + lst) * 4 + quadrant
            ref_idx[at] = ref
            if shape != INTER_8X8:
                if width == 4:
                    ref_idx[at + 1] = ref
                if height == 4:
                    ref_idx[at + 2] = ref
                    if width == 4:
                        ref_idx[at + 3] = ref
    for lst in range(2):
        for part in range(parts):
            if not (lists >> (2 * part + lst)) & 1:
                continue
            if shape == INTER_8X8:
                sub = np.int64(sub_type[mb * 4 + part])
                sub_width, sub_height = np.int64(_SUB_WIDTH[sub]), np.int64(_SUB_HEIGHT[sub])
                x0, y0 = (part & 1) * 2, part & 2
                for y in range(y0, y0 + 2, sub_height):
                    for x in range(x0, x0 + 2, sub_width):
                        _read_mvd(
                            st, cx, words, cabac_mode, mvd, m_type, field_of, nb, mb, lst, x, y,
                            sub_width, sub_height, mbaff,
                        )  # fmt: skip
            else:
                x = part * 2 if shape == INTER_8X16 else 0
                y = part * 2 if shape == INTER_16X8 else 0
                _read_mvd(st, cx, words, cabac_mode, mvd, m_type, field_of, nb, mb, lst, x, y, width, height, mbaff)
    return np.int64(may_8x8)


@kernel
def _intra_modes(st, cx, words, nb, cabac_mode, constrained, mb, eight, m_type, intra_mode, cache):
    """prev_intraNxN_pred_mode_flag and rem_intraNxN_pred_mode, and from them the modes (8.3.1.1, 8.3.2.1)."""
    above = nb[ABOVE]
    # -1 marks what makes dcPredModePredictedFlag 1: not available, or inter under constrained_intra_pred_flag
    for i in range(4):
        left = nb[LEFT + i]
        mode = np.int64(-1)
        if left >= 0 and (m_type[left] <= I_PCM or not constrained):
            mode = np.int64(2)
            if m_type[left] <= I_8X8:
                row = nb[LEFT_ROW + i]
                mode = np.int64(intra_mode[left * 16 + 5 + (row & 1) * 2 + (row >> 1) * 8])
        cache[_CACHE_LUMA + 8 * i - 1] = mode
        mode = np.int64(-1)
        if above >= 0 and (m_type[above] <= I_PCM or not constrained):
            mode = np.int64(2)
            if m_type[above] <= I_8X8:
                mode = np.int64(intra_mode[above * 16 + 10 + (i & 1) + (i >> 1) * 4])
        cache[_CACHE_LUMA - 8 + i] = mode
    step = 4 if eight else 1
    for block in range(0, 16, step):
        x, y = np.int64(BLOCK_X[block]), np.int64(BLOCK_Y[block])
        at = _CACHE_LUMA + 8 * y + x
        mode = min(np.int64(cache[at - 1]), np.int64(cache[at - 8]))
        if mode < 0:
            mode = np.int64(2)
        if cabac_mode:
            rem = cabac.rem_intra_pred_mode(st, cx, words)
        else:
            bits = peek(st, words) >> 28
            st[BINS] += 1
            if bits & 8:
                st[POSITION] += 1
                rem = np.int64(-1)
            else:
                st[POSITION] += 4
                rem = bits
        if rem >= 0:
            mode = rem + 1 if rem >= mode else rem
        cache[at] = mode
        intra_mode[mb * 16 + block] = mode
        if eight:
            cache[at + 1] = mode
            cache[at + 8] = mode
            cache[at + 9] = mode
            for i in range(1, 4):
                intra_mode[mb * 16 + block + i] = mode


@kernel
def _load_coefficient_cache(cache, total_coeff, nb, chroma, missing):
    """Put the neighbours' total_coeff around the macroblock; `missing` for what is not available."""
    above = nb[ABOVE]
    for i in range(4):
        left = nb[LEFT + i]
        row = nb[LEFT_ROW + i]
        cache[_CACHE_LUMA + 8 * i - 1] = (
            missing if left < 0 else total_coeff[left * 24 + 5 + (row & 1) * 2 + (row >> 1) * 8]
        )
        cache[_CACHE_LUMA - 8 + i] = missing if above < 0 else total_coeff[above * 24 + 10 + (i & 1) + (i >> 1) * 4]
    if chroma:
        for i in range(2):
            left = nb[LEFT + 2 * i]
            row = nb[LEFT_ROW + 2 * i] >> 1
            for plane in range(2):
                at = _CACHE_CB + 24 * plane
                cache[at + 8 * i - 1] = missing if left < 0 else total_coeff[left * 24 + 17 + 4 * plane + 2 * row]
                cache[at - 8 + i] = missing if above < 0 else total_coeff[above * 24 + 18 + 4 * plane + i]


@kernel
def _coefficient_context(left, above):
    """nC from the two neighbours' total_coeff (9.2.1)."""
    if left < _NOT_THERE and above < _NOT_THERE:
        return (left + above + 1) >> 1
    return (left + above) & (_NOT_THERE - 1)


@kernel
def _dc_flag(st, cx, words, dc_flags, nb, bit, cat, intra):
    """coded_block_flag of a DC block, `bit` of dc_flags (9.3.3.1.1.9)."""
    increment = 0
    left, above = nb[LEFT], nb[ABOVE]
    if intra if left < 0 else (dc_flags[left] >> bit) & 1:
        increment = 1
    if intra if above < 0 else (dc_flags[above] >> bit) & 1:
        increment += 2
    return decode_bin(st, cx, words, np.int64(CODED_BLOCK_FLAG[cat]) + increment)


@kernel
def _block(st, cx, words, cabac_mode, levels, cache, at, base, cat, is_field, found):
    """One 4x4 block whose neighbourhood stands around cache[at]. Returns its number of levels, also put there."""
    left, above = np.int64(cache[at - 1]), np.int64(cache[at - 8])
    total = np.int64(0)
    if cabac_mode:
        increment = (1 if left else 0) + (2 if above else 0)
        if decode_bin(st, cx, words, np.int64(CODED_BLOCK_FLAG[cat]) + increment):
            total = levels_cabac(st, cx, words, levels, base, cat, is_field, found)
    else:
        n_c = _coefficient_context(left, above)
        total = levels_cavlc(st, words, levels, base, 1, n_c, 16 if cat == CAT_LUMA_4X4 else 15, found)
    cache[at] = total
    return total


@kernel
def _residual(
    st, cx, words, nb, cabac_mode, chroma, mb, cbp, intra_16x16, eight, is_field, intra,
    levels, total_coeff, dc_flags, cache, found, stats,
):  # fmt: skip
    """residual() of one macroblock (7.3.5.3)."""
    missing = _NOT_THERE if intra or not cabac_mode else 0
    _load_coefficient_cache(cache, total_coeff, nb, chroma, missing)
    origin = mb * LEVELS_PER_MB
    flags = 0
    blocks = np.int64(0)
    count = np.int64(0)
    if intra_16x16:
        base = origin + LEVELS_LUMA_DC * 16
        total = np.int64(0)
        if cabac_mode:
            if _dc_flag(st, cx, words, dc_flags, nb, 0, CAT_LUMA_DC, intra):
                total = levels_cabac(st, cx, words, levels, base, CAT_LUMA_DC, is_field, found)
        else:
            n_c = _coefficient_context(np.int64(cache[_CACHE_LUMA - 1]), np.int64(cache[_CACHE_LUMA - 8]))
            total = levels_cavlc(st, words, levels, base, 1, n_c, 16, found)
        if total:
            flags = 1
            blocks += 1
            count += total
    cat = CAT_LUMA_AC if intra_16x16 else CAT_LUMA_4X4
    first = 1 if intra_16x16 else 0
    for quadrant in range(4):
        coded = (cbp >> quadrant) & 1
        at = _CACHE_LUMA + (quadrant & 1) * 2 + (quadrant >> 1) * 16
        if coded and eight and cabac_mode:
            total = levels_cabac(st, cx, words, levels, origin + quadrant * 64, CAT_LUMA_8X8, is_field, found)
            cache[at] = cache[at + 1] = cache[at + 8] = cache[at + 9] = total
            blocks += 4
            count += total
        elif coded:
            for i in range(4):
                block_at = at + (i & 1) + (i >> 1) * 8
                if eight:
                    n_c = _coefficient_context(np.int64(cache[block_at - 1]), np.int64(cache[block_at - 8]))
                    total = levels_cavlc(st, words, levels, origin + quadrant * 64 + i, 4, n_c, 16, found)
                    cache[block_at] = total
                else:
                    base = origin + (quadrant * 4 + i) * 16 + first
                    total = _block(st, cx, words, cabac_mode, levels, cache, block_at, base, cat, is_field, found)
                if total:
                    blocks += 1
                    count += total
        else:
            cache[at] = cache[at + 1] = cache[at + 8] = cache[at + 9] = 0
        for i in range(4):
            total_coeff[mb * 24 + quadrant * 4 + i] = cache[at + (i & 1) + (i >> 1) * 8]
    if chroma:
        if cbp & 0x30:
            for plane in range(2):
                base = origin + (LEVELS_CB_DC + plane) * 16
                total = np.int64(0)
                if cabac_mode:
                    if _dc_flag(st, cx, words, dc_flags, nb, 1 + plane, CAT_CHROMA_DC, intra):
                        total = levels_cabac(st, cx, words, levels, base, CAT_CHROMA_DC, is_field, found)
                else:
                    total = levels_cavlc(st, words, levels, base, 1, -1, 4, found)
                if total:
                    flags |= 2 << plane
                    blocks += 1
                    count += total
        for plane in range(2):
            for i in range(4):
                at = _CACHE_CB + 24 * plane + (i & 1) + (i >> 1) * 8
                total = np.int64(0)
                if cbp & 0x20:
                    base = origin + (LEVELS_CB_AC + 4 * plane + i) * 16 + 1
                    total = _block(st, cx, words, cabac_mode, levels, cache, at, base, CAT_CHROMA_AC, is_field, found)
                    if total:
                        blocks += 1
                        count += total
                total_coeff[mb * 24 + 16 + 4 * plane + i] = total
    dc_flags[mb] = flags
    stats[mb * STATS + STAT_BLOCKS] = blocks
    stats[mb * STATS + STAT_LEVELS] = count


@kernel
def _pcm_samples(st, words, cabac_mode, count, levels, origin):
    """pcm_alignment_zero_bit and pcm_sample (7.3.5); the arithmetic decoder starts anew behind them."""
    position = consumed_bits(st) if cabac_mode else st[POSITION]
    st[POSITION] = (position + 7) & ~7
    if st[POSITION] + 8 * count > st[END]:
        st[ERROR] = DATA_ENDS
        return
    for i in range(count):
        levels[origin + i] = read_bits(st, words, 8)
    if cabac_mode:
        init_engine(st, words)


@kernel
def _clear_macroblock(mb, total_coeff, ref_idx):
    for i in range(mb * 24, mb * 24 + 24):
        total_coeff[i] = 0
    for i in range(mb * 8, mb * 8 + 8):
        ref_idx[i] = -1


@kernel
def parse_slice(words, s, m, st, cx, nb, cache, found, dc_flags, stats):
    """Parse the data of one slice. Returns (macroblocks parsed, fault code).

    words  : uint32[...], see `bitstream.rbsp_words`; st[END] and st[LAST_WORD] are set from it
    s      : SliceSyntax
    m      : `Macroblocks`, all arrays flat; mv and mvd as int32 with x in the low half
    st, cx, nb, cache, found : scratch: int64[STATE_SIZE], uint8[1024], int64[NEIGHBOURS_SIZE], int16[CACHE_SIZE],
             int32[64]
    dc_flags : uint8[n], coded_block_flag of the DC blocks (bit 0 luma, 1 Cb, 2 Cr)
    stats  : int32[n * STATS]

    On a fault the macroblock in work is left unavailable, its levels cleared; those before it stand.
    """
    m_type, slice_of, field_of, m_qp, m_cbp = m.mb_type, m.slice_id, m.field, m.qp, m.cbp
    m_eight, intra_mode, chroma_mode, sub_type = m.transform_8x8, m.intra_mode, m.chroma_mode, m.sub_type
    ref_idx, mvd, levels, total_coeff = m.ref_idx, m.mvd, m.levels, m.total_coeff
    is_cabac = s.cabac != 0
    is_b = s.slice_type == SLICE_B
    mbaff = s.mbaff
    st[POSITION] = s.first_bit
    st[ERROR] = 0
    st[BINS] = 0
    if is_cabac:
        st[POSITION] = (s.first_bit + 7) & ~7
        init_contexts(cx, s.cabac_table, s.qp)
        init_engine(st, words)
    qp = s.qp
    had_delta = 0  # the macroblock before had mb_qp_delta other than 0
    skip_run = np.int64(-1)
    mb = s.first_mb
    mb_x = (mb >> 1 if mbaff else mb) % s.mb_width
    pair_skipped = False  # MBAFF: the top macroblock of this pair was skipped
    done = False
    while not done:
        if mb >= s.mb_count:
            st[ERROR] = TOO_LONG
            break
        if slice_of[mb] >= 0:
            st[ERROR] = OVERLAP
            break
        bits_before = consumed_bits(st) if is_cabac else st[POSITION]
        bins_before = st[BINS]
        if bits_before > st[END] + 8:
            st[ERROR] = DATA_ENDS
            break
        bottom = mbaff and mb & 1
        if mbaff:
            if not bottom:
                find_pairs(nb, mb, s.mb_width, slice_of, s.slice_id)
                inferred = 0  # 7.4.4: as to the left, else as above, else frame
                if nb[LEFT_PAIR] >= 0:
                    inferred = field_of[nb[LEFT_PAIR]]
                elif nb[ABOVE_PAIR] >= 0:
                    inferred = field_of[nb[ABOVE_PAIR]]
                field_of[mb] = inferred
                field_of[mb + 1] = inferred
                pair_skipped = False
            find_neighbours_mbaff(nb, mb, field_of)
        else:
            field_of[mb] = s.field_picture
            find_neighbours(nb, mb, mb_x, s.mb_width, slice_of, s.slice_id)

        skipped = False
        if s.slice_type != SLICE_I:
            if is_cabac:
                increment = 0
                if nb[LEFT] >= 0 and m_type[nb[LEFT]] != P_SKIP and m_type[nb[LEFT]] != B_SKIP:
                    increment = 1
                if nb[ABOVE] >= 0 and m_type[nb[ABOVE]] != P_SKIP and m_type[nb[ABOVE]] != B_SKIP:
                    increment += 1
                offset = cabac.MB_SKIP_B if is_b else cabac.MB_SKIP_P
                skipped = decode_bin(st, cx, words, offset + increment) != 0
            else:
                if skip_run < 0:
                    skip_run = read_ue(st, words)
                    if skip_run > s.mb_count - mb:
                        st[ERROR] = TOO_LONG
                        break
                skipped = skip_run > 0

        slice_of[mb] = s.slice_id
        if skipped:
            m_type[mb] = B_SKIP if is_b else P_SKIP
            m_qp[mb] = qp
            m_cbp[mb] = 0
            m_eight[mb] = 0
            chroma_mode[mb] = 0
            dc_flags[mb] = 0
            _clear_macroblock(mb, total_coeff, ref_idx)
            stats[mb * STATS + STAT_BLOCKS] = 0
            stats[mb * STATS + STAT_LEVELS] = 0
            had_delta = 0
            if not bottom:
                pair_skipped = True
            if not is_cabac:
                skip_run -= 1
                if skip_run == 0 and st[POSITION] >= st[END]:
                    done = True
        else:
            skip_run = np.int64(-1)
            if mbaff and (not bottom or pair_skipped):
                if is_cabac:
                    increment = 0
                    if nb[LEFT_PAIR] >= 0 and field_of[nb[LEFT_PAIR]] != 0:
                        increment = 1
                    if nb[ABOVE_PAIR] >= 0 and field_of[nb[ABOVE_PAIR]] != 0:
                        increment += 1
                    flag = decode_bin(st, cx, words, cabac.MB_FIELD + increment)
                else:
                    flag = read_bits(st, words, 1)
                if flag != field_of[mb]:
                    field_of[mb] = flag
                    field_of[mb ^ 1] = flag
                    find_neighbours_mbaff(nb, mb, field_of)
            left, above = nb[LEFT], nb[ABOVE]
            is_field = np.int64(field_of[mb])

            # mb_type
            code = np.int64(0)
            if s.slice_type == SLICE_I:
                if is_cabac:
                    increment = 0
                    if left >= 0 and m_type[left] != I_4X4 and m_type[left] != I_8X8:
                        increment = 1
                    if above >= 0 and m_type[above] != I_4X4 and m_type[above] != I_8X8:
                        increment += 1
                    code = cabac.mb_type_i(st, cx, words, increment)
                else:
                    code = read_ue(st, words)
                intra_code = code
            elif is_b:
                if is_cabac:
                    increment = 0
                    if left >= 0 and m_type[left] != B_SKIP and m_type[left] != B_DIRECT_16X16:
                        increment = 1
                    if above >= 0 and m_type[above] != B_SKIP and m_type[above] != B_DIRECT_16X16:
                        increment += 1
                    code = cabac.mb_type_b(st, cx, words, increment)
                else:
                    code = read_ue(st, words)
                intra_code = code - 23
            else:
                code = cabac.mb_type_p(st, cx, words) if is_cabac else read_ue(st, words)
                intra_code = code - 5
            if intra_code > 25:
                st[ERROR] = BAD_VALUE

            if st[ERROR] == 0 and intra_code == 25:
                m_type[mb] = I_PCM
                _pcm_samples(st, words, is_cabac, 384 if s.chroma else 256, levels, mb * LEVELS_PER_MB)
                m_qp[mb] = 0
                m_cbp[mb] = PCM_CBP
                m_eight[mb] = 0
                chroma_mode[mb] = 0
                dc_flags[mb] = 7
                _clear_macroblock(mb, total_coeff, ref_idx)
                for i in range(mb * 24, mb * 24 + 24):
                    total_coeff[i] = 16
                stats[mb * STATS + STAT_BLOCKS] = 0
                stats[mb * STATS + STAT_LEVELS] = 0
                had_delta = 0
            elif st[ERROR] == 0:
                cbp = np.int64(0)
                eight = np.int64(0)
                may_8x8 = np.int64(0)
                intra = intra_code >= 0
                intra_16x16 = intra_code > 0
                if intra:
                    for i in range(mb * 8, mb * 8 + 8):
                        ref_idx[i] = -1
                    if intra_16x16:
                        m_type[mb] = I_16X16
                        mode = (intra_code - 1) & 3
                        for i in range(mb * 16, mb * 16 + 16):
                            intra_mode[i] = mode
                        cbp = (15 if intra_code > 12 else 0) | (((intra_code - 1) >> 2) % 3) << 4
                    else:
                        if s.transform_8x8:
                            if is_cabac:
                                increment = 0
                                if left >= 0 and m_eight[left] != 0:
                                    increment = 1
                                if above >= 0 and m_eight[above] != 0:
                                    increment += 1
                                eight = decode_bin(st, cx, words, cabac.TRANSFORM_8X8 + increment)
                            else:
                                eight = read_bits(st, words, 1)
                        m_type[mb] = I_8X8 if eight else I_4X4
                        _intra_modes(
                            st, cx, words, nb, is_cabac, s.constrained_intra, mb, eight, m_type, intra_mode, cache
                        )
                    mode = np.int64(0)
                    if s.chroma:
                        if is_cabac:
                            increment = 0
                            if left >= 0 and chroma_mode[left] != 0:
                                increment = 1
                            if above >= 0 and chroma_mode[above] != 0:
                                increment += 1
                            mode = cabac.intra_chroma_pred_mode(st, cx, words, increment)
                        else:
                            mode = read_ue(st, words)
                            if mode > 3:
                                st[ERROR] = BAD_VALUE
                    chroma_mode[mb] = mode
                else:
                    chroma_mode[mb] = 0
                    if is_b and code == 0:
                        m_type[mb] = B_DIRECT_16X16
                        for i in range(mb * 8, mb * 8 + 8):
                            ref_idx[i] = -1
                        may_8x8 = np.int64(2)
                    else:
                        if is_b:
                            m_type[mb] = INTER_8X8 if code == 22 else _B_SHAPE[code]
                        else:
                            m_type[mb] = INTER_16X16 + min(code, 3)
                        counts = s.ref_count_0 | (s.ref_count_1 << 8)
                        if mbaff and is_field:
                            counts *= 2
                        may_8x8 = _motion_syntax(
                            st, cx, words, nb, is_cabac, mbaff, counts, mb, code, is_b,
                            m_type, field_of, sub_type, ref_idx, mvd,
                        )  # fmt: skip
                        # ctxIdxInc of mvd looks only at types INTER_*; direct parts of B_8x8 hold mvd 0
                if not intra_16x16 and st[ERROR] == 0:
                    if is_cabac:
                        near_left = np.int64(0x0F)
                        if left >= 0:  # quadrants that adjoin: MBAFF may take both from one or from two macroblocks
                            low = nb[LEFT + 2]
                            upper = (np.int64(m_cbp[left]) >> ((nb[LEFT_ROW] & 2) + 1)) & 1
                            lower = (np.int64(m_cbp[low]) >> ((nb[LEFT_ROW + 2] & 2) + 1)) & 1
                            near_left = (np.int64(m_cbp[left]) & 0x30) | upper << 1 | lower << 3
                        near_above = np.int64(m_cbp[above]) if above >= 0 else np.int64(0x0F)
                        cbp = cabac.coded_block_pattern(st, cx, words, near_left, near_above, s.chroma)
                    else:
                        cbp_code = read_ue(st, words)
                        if cbp_code > (47 if s.chroma else 15):
                            st[ERROR] = BAD_VALUE
                        else:
                            at = cbp_code * 2 + (0 if intra else 1)
                            cbp = np.int64(_CBP_COLOUR[at]) if s.chroma else np.int64(_CBP_MONO[at])
                    if may_8x8 and s.transform_8x8 and cbp & 15 and (may_8x8 == 1 or s.direct_8x8_inference):
                        if is_cabac:
                            increment = 0
                            if left >= 0 and m_eight[left] != 0:
                                increment = 1
                            if above >= 0 and m_eight[above] != 0:
                                increment += 1
                            eight = decode_bin(st, cx, words, cabac.TRANSFORM_8X8 + increment)
                        else:
                            eight = read_bits(st, words, 1)
                m_cbp[mb] = cbp
                m_eight[mb] = eight
                if st[ERROR] == 0 and (cbp or intra_16x16):
                    delta = cabac.mb_qp_delta(st, cx, words, had_delta) if is_cabac else read_se(st, words)
                    if delta < -26 or delta > 25:
                        st[ERROR] = BAD_VALUE
                        delta = np.int64(0)
                    had_delta = 1 if delta else 0
                    qp = (qp + delta + 52) % 52
                    _residual(
                        st, cx, words, nb, is_cabac, s.chroma, mb, cbp, intra_16x16, eight, is_field, intra,
                        levels, total_coeff, dc_flags, cache, found, stats,
                    )  # fmt: skip
                else:
                    had_delta = 0
                    dc_flags[mb] = 0
                    for i in range(mb * 24, mb * 24 + 24):
                        total_coeff[i] = 0
                    stats[mb * STATS + STAT_BLOCKS] = 0
                    stats[mb * STATS + STAT_LEVELS] = 0
                m_qp[mb] = qp

        if is_cabac and not bottom and mbaff:
            pass  # the pair goes on
        elif is_cabac:
            done = decode_terminate(st, words) != 0
        elif not skipped:
            done = st[POSITION] >= st[END]
        bits = consumed_bits(st) if is_cabac else st[POSITION]
        if bits > st[END] + 8 and st[ERROR] == 0:
            st[ERROR] = DATA_ENDS
        if st[ERROR] != 0:
            m_type[mb] = UNAVAILABLE
            slice_of[mb] = -1
            for i in range(mb * LEVELS_PER_MB, (mb + 1) * LEVELS_PER_MB):
                levels[i] = 0
            break
        stats[mb * STATS + STAT_BINS] = st[BINS] - bins_before
        stats[mb * STATS + STAT_BITS] = bits - bits_before
        mb += 1
        if not mbaff or not mb & 1:
            mb_x += 1
            if mb_x == s.mb_width:
                mb_x = 0
    return mb - s.first_mb, st[ERROR]
