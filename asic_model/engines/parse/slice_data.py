"""The parse kernel: slice_data() and macroblock_layer() of one slice into the macroblock record (H.264 7.3.4, 7.3.5).

Syntax only: vectors stay differences (`mvd`), direct macroblocks stay direct, which is why a slice can be parsed
without looking at any other picture. The decode core's `motion` turns that into vectors afterwards.
"""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CTX_MB_FIELD,
    CTX_MB_SKIP_B,
    CTX_MB_SKIP_P,
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
    INTER_16X16,
    P_SKIP,
    UNAVAILABLE,
)
from asic_model.engines.parse import cabac_syntax as cabac
from asic_model.engines.parse.arithmetic import consumed_bits, decode_bin, decode_terminate, init_engine
from asic_model.engines.parse.bitstream import read_bits, read_se, read_ue
from asic_model.engines.parse.layout import (
    B_8X8,
    B_SHAPE,
    CBP_COLOUR,
    CBP_MONO,
    LEVELS_PER_MB,
    PCM_CBP,
    SLICE_B,
    SLICE_I,
    STAT_BINS,
    STAT_BITS,
    STAT_BLOCKS,
    STAT_LEVELS,
    STATS,
)
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
from asic_model.engines.parse.prediction_syntax import intra_modes, motion_syntax
from asic_model.engines.parse.residual_syntax import clear_macroblock, pcm_samples, residual_syntax
from asic_model.engines.parse.state import BAD_VALUE, BINS, DATA_ENDS, END, ERROR, OVERLAP, POSITION, TOO_LONG
from asic_model.kernel_cache import kernel


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
def _count_set(values, left, above):
    """ctxIdxInc: neighbours that are there and whose value is not 0."""
    count = 0
    if left >= 0 and values[left] != 0:
        count = 1
    if above >= 0 and values[above] != 0:
        count += 1
    return count


@kernel
def _count_not(m_type, left, above, one, two):
    """ctxIdxInc: neighbours that are there and of neither type."""
    count = 0
    if left >= 0 and m_type[left] != one and m_type[left] != two:
        count = 1
    if above >= 0 and m_type[above] != one and m_type[above] != two:
        count += 1
    return count


@kernel
def _read_flag(st, cx, words, is_cabac, context):
    """A flag: one bin with `context`, or one bit."""
    if is_cabac:
        return decode_bin(st, cx, words, context)
    return read_bits(st, words, 1)


@kernel
def _read_mb_type(st, cx, words, is_cabac, slice_type, m_type, left, above):
    """mb_type as coded. Returns (type as in the slice type's table, type as in Table 7-11 or negative)."""
    if slice_type == SLICE_I:
        if is_cabac:
            code = cabac.mb_type_i(st, cx, words, _count_not(m_type, left, above, I_4X4, I_8X8))
        else:
            code = read_ue(st, words)
        return code, code
    if slice_type == SLICE_B:
        if is_cabac:
            code = cabac.mb_type_b(st, cx, words, _count_not(m_type, left, above, B_SKIP, B_DIRECT_16X16))
        else:
            code = read_ue(st, words)
        return code, code - 23
    code = cabac.mb_type_p(st, cx, words) if is_cabac else read_ue(st, words)
    return code, code - 5


@kernel
def _read_cbp(st, cx, words, is_cabac, m_cbp, nb, chroma, intra):
    """coded_block_pattern."""
    left, above = nb[LEFT], nb[ABOVE]
    if not is_cabac:
        code = read_ue(st, words)
        if code > (47 if chroma else 15):
            st[ERROR] = BAD_VALUE
            return np.int64(0)
        at = code * 2 + (0 if intra else 1)
        return np.int64(CBP_COLOUR[at]) if chroma else np.int64(CBP_MONO[at])
    near_left = np.int64(0x0F)
    if left >= 0:  # the quadrants that adjoin: MBAFF may take both from one or one each from two macroblocks
        upper = (np.int64(m_cbp[left]) >> ((nb[LEFT_ROW] & 2) + 1)) & 1
        lower = (np.int64(m_cbp[nb[LEFT + 2]]) >> ((nb[LEFT_ROW + 2] & 2) + 1)) & 1
        near_left = (np.int64(m_cbp[left]) & 0x30) | upper << 1 | lower << 3
    near_above = np.int64(m_cbp[above]) if above >= 0 else np.int64(0x0F)
    return cabac.coded_block_pattern(st, cx, words, near_left, near_above, chroma)


@kernel
def _no_levels(mb, total_coeff, dc_flags, stats):
    dc_flags[mb] = 0
    base = mb * 24
    for i in range(24):
        total_coeff[base + i] = 0
    stats[mb * STATS + STAT_BLOCKS] = 0
    stats[mb * STATS + STAT_LEVELS] = 0


@kernel
def parse_slice(words, s, m, st, cx, nb, cache, found, dc_flags, stats):
    """Parse the data of one slice. Returns (macroblocks parsed, fault code).

    words  : uint32[...], see `bitstream.load_words`; st[END] and st[LAST_WORD] are set from it
    s      : SliceSyntax
    m      : `Macroblocks`, all arrays flat; mv and mvd as int32 with x in the low half
    st, cx, nb, cache, found : scratch: int64[STATE_SIZE], uint8[CONTEXTS], int64[NEIGHBOURS_SIZE],
             int16[CACHE_SIZE], int32[64]
    dc_flags : uint8[n], coded_block_flag of the DC blocks (bit 0 luma, 1 Cb, 2 Cr)
    stats  : int32[n * STATS]

    On a fault the macroblock in work is left unavailable, its levels cleared; those before it stand.
    """
    m_type, slice_of, field_of, m_qp, m_cbp = m.mb_type, m.slice_id, m.field, m.qp, m.cbp
    m_eight, intra_mode, chroma_mode, sub_type = m.transform_8x8, m.intra_mode, m.chroma_mode, m.sub_type
    ref_idx, mvd, levels, total_coeff = m.ref_idx, m.mvd, m.levels, m.total_coeff
    is_cabac = s.cabac != 0
    is_b = s.slice_type == SLICE_B
    mbaff = s.mbaff != 0
    st[POSITION] = s.first_bit
    st[ERROR] = 0
    st[BINS] = 0
    if is_cabac:
        st[POSITION] = (s.first_bit + 7) & ~7
        initial_states(cx, s.cabac_table, s.qp)
        init_engine(st, words)
    qp = s.qp
    had_delta = 0  # the macroblock before had mb_qp_delta other than 0
    skip_run = np.int64(-1)  # CAVLC: macroblocks still to skip, -1: mb_skip_run comes next
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
        bottom = mbaff and mb & 1 != 0
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
                context = CTX_MB_SKIP_B if is_b else CTX_MB_SKIP_P
                context += _count_not(m_type, nb[LEFT], nb[ABOVE], P_SKIP, B_SKIP)
                skipped = decode_bin(st, cx, words, context) != 0
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
            clear_macroblock(mb, total_coeff, ref_idx)
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
                context = CTX_MB_FIELD + _count_set(field_of, nb[LEFT_PAIR], nb[ABOVE_PAIR])
                flag = _read_flag(st, cx, words, is_cabac, context)
                if flag != field_of[mb]:
                    field_of[mb] = flag
                    field_of[mb ^ 1] = flag
                    find_neighbours_mbaff(nb, mb, field_of)
            left, above = nb[LEFT], nb[ABOVE]
            is_field = np.int64(field_of[mb])
            code, intra_code = _read_mb_type(st, cx, words, is_cabac, s.slice_type, m_type, left, above)
            intra = intra_code >= 0
            intra_16x16 = intra_code > 0
            if intra_code > 25:
                st[ERROR] = BAD_VALUE
            elif intra_code == 25:
                m_type[mb] = I_PCM
                pcm_samples(st, words, is_cabac, 384 if s.chroma else 256, levels, mb * LEVELS_PER_MB)
                m_qp[mb] = 0
                m_cbp[mb] = PCM_CBP
                m_eight[mb] = 0
                chroma_mode[mb] = 0
                clear_macroblock(mb, total_coeff, ref_idx)
                _no_levels(mb, total_coeff, dc_flags, stats)
                dc_flags[mb] = 7
                base = mb * 24
                for i in range(24):
                    total_coeff[base + i] = 16
                had_delta = 0
            else:
                cbp = np.int64(0)
                eight = np.int64(0)
                may_8x8 = np.int64(0)  # 1: transform_size_8x8_flag may follow, 2: if direct_8x8_inference_flag
                if intra or (is_b and code == 0):
                    base = mb * 8
                    for i in range(8):
                        ref_idx[base + i] = -1
                if intra:
                    if intra_16x16:
                        m_type[mb] = I_16X16
                        mode = (intra_code - 1) & 3
                        base = mb * 16
                        for i in range(16):
                            intra_mode[base + i] = mode
                        cbp = (15 if intra_code > 12 else 0) | (((intra_code - 1) >> 2) % 3) << 4
                    else:
                        if s.transform_8x8:
                            context = CTX_TRANSFORM_8X8 + _count_set(m_eight, left, above)
                            eight = _read_flag(st, cx, words, is_cabac, context)
                        m_type[mb] = I_8X8 if eight else I_4X4
                        intra_modes(
                            st, cx, words, nb, is_cabac, s.constrained_intra, mb, eight, m_type, intra_mode, cache
                        )
                    mode = np.int64(0)
                    if s.chroma:
                        if is_cabac:
                            mode = cabac.intra_chroma_pred_mode(st, cx, words, _count_set(chroma_mode, left, above))
                        else:
                            mode = read_ue(st, words)
                            if mode > 3:
                                st[ERROR] = BAD_VALUE
                    chroma_mode[mb] = mode
                else:
                    chroma_mode[mb] = 0
                    if is_b and code == 0:
                        m_type[mb] = B_DIRECT_16X16
                        may_8x8 = np.int64(2)
                    else:
                        if is_b:
                            m_type[mb] = INTER_8X8 if code == B_8X8 else B_SHAPE[code]
                        else:
                            m_type[mb] = INTER_16X16 + min(code, 3)
                        counts = s.ref_count_0 | s.ref_count_1 << 8
                        if mbaff and is_field:
                            counts *= 2
                        may_8x8 = motion_syntax(
                            st, cx, words, nb, is_cabac, mbaff, counts, mb, code, is_b,
                            m_type, field_of, sub_type, ref_idx, mvd,
                        )  # fmt: skip
                if not intra_16x16 and st[ERROR] == 0:
                    cbp = _read_cbp(st, cx, words, is_cabac, m_cbp, nb, s.chroma, intra)
                    if may_8x8 and s.transform_8x8 and cbp & 15 and (may_8x8 == 1 or s.direct_8x8_inference):
                        context = CTX_TRANSFORM_8X8 + _count_set(m_eight, left, above)
                        eight = _read_flag(st, cx, words, is_cabac, context)
                m_cbp[mb] = cbp
                m_eight[mb] = eight
                if st[ERROR] == 0 and (cbp or intra_16x16):
                    delta = cabac.mb_qp_delta(st, cx, words, had_delta) if is_cabac else read_se(st, words)
                    if delta < -26 or delta > 25:
                        st[ERROR] = BAD_VALUE
                        delta = np.int64(0)
                    had_delta = 1 if delta else 0
                    qp = (qp + delta + 52) % 52
                    residual_syntax(
                        st, cx, words, nb, is_cabac, s.chroma, mb, cbp, intra_16x16, eight, is_field, intra,
                        levels, total_coeff, dc_flags, cache, found, stats,
                    )  # fmt: skip
                else:
                    had_delta = 0
                    _no_levels(mb, total_coeff, dc_flags, stats)
                m_qp[mb] = qp

        if is_cabac:
            if bottom or not mbaff:  # else the pair goes on
                done = decode_terminate(st, words) != 0
        elif not skipped:
            done = st[POSITION] >= st[END]
        bits = consumed_bits(st) if is_cabac else st[POSITION]
        if bits > st[END] + 8 and st[ERROR] == 0:
            st[ERROR] = DATA_ENDS
        if st[ERROR] != 0:
            m_type[mb] = UNAVAILABLE
            slice_of[mb] = -1
            base = mb * LEVELS_PER_MB
            for i in range(LEVELS_PER_MB):
                levels[base + i] = 0
            break
        stats[mb * STATS + STAT_BINS] = st[BINS] - bins_before
        stats[mb * STATS + STAT_BITS] = bits - bits_before
        mb += 1
        if not mbaff or mb & 1 == 0:
            mb_x += 1
            if mb_x == s.mb_width:
                mb_x = 0
    return mb - s.first_mb, st[ERROR]
