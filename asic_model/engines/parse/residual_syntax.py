"""residual() of a macroblock (H.264 7.3.5.3): which blocks are coded, in what context; and the samples of I_PCM."""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CAT_CHROMA_AC,
    CAT_CHROMA_DC,
    CAT_I16_AC,
    CAT_I16_DC,
    CAT_LUMA_4X4,
    CAT_LUMA_8X8,
    CTX_CODED_BLOCK_FLAG,
)
from asic_model.codecs.h264.macroblock import LEVELS_CB_AC, LEVELS_CB_DC, LEVELS_LUMA_DC
from asic_model.engines.parse.arithmetic import consumed_bits, decode_bin, init_engine
from asic_model.engines.parse.bitstream import read_bits
from asic_model.engines.parse.layout import (
    CACHE_CB,
    CACHE_LUMA,
    CACHE_PLANE,
    LEVELS_PER_MB,
    NOT_THERE,
    STAT_BLOCKS,
    STAT_LEVELS,
    STATS,
)
from asic_model.engines.parse.neighbours import ABOVE, LEFT, LEFT_ROW
from asic_model.engines.parse.residual import levels_cabac, levels_cavlc
from asic_model.engines.parse.state import DATA_ENDS, END, ERROR, POSITION
from asic_model.kernel_cache import kernel

_CODED_BLOCK_FLAG = np.array(CTX_CODED_BLOCK_FLAG, np.int16)


@kernel
def _load_coefficient_cache(cache, total_coeff, nb, chroma, missing):
    """Put the neighbours' total_coeff around the macroblock; `missing` for what is not available."""
    above = nb[ABOVE]
    for i in range(4):
        left = nb[LEFT + i]
        row = nb[LEFT_ROW + i]
        cache[CACHE_LUMA + 8 * i - 1] = (
            missing if left < 0 else total_coeff[left * 24 + 5 + (row & 1) * 2 + (row >> 1) * 8]
        )
        cache[CACHE_LUMA - 8 + i] = missing if above < 0 else total_coeff[above * 24 + 10 + (i & 1) + (i >> 1) * 4]
    if chroma:
        for i in range(2):
            left = nb[LEFT + 2 * i]
            row = nb[LEFT_ROW + 2 * i] >> 1
            for plane in range(2):
                at = CACHE_CB + CACHE_PLANE * plane
                cache[at + 8 * i - 1] = missing if left < 0 else total_coeff[left * 24 + 17 + 4 * plane + 2 * row]
                cache[at - 8 + i] = missing if above < 0 else total_coeff[above * 24 + 18 + 4 * plane + i]


@kernel
def _coefficient_context(left, above):
    """nC from the two neighbours' total_coeff (9.2.1)."""
    if left < NOT_THERE and above < NOT_THERE:
        return (left + above + 1) >> 1
    return (left + above) & (NOT_THERE - 1)


@kernel
def _dc_flag(st, cx, words, dc_flags, nb, bit, cat, intra):
    """coded_block_flag of a DC block, `bit` of dc_flags (9.3.3.1.1.9)."""
    increment = 0
    left, above = nb[LEFT], nb[ABOVE]
    if intra if left < 0 else (dc_flags[left] >> bit) & 1:
        increment = 1
    if intra if above < 0 else (dc_flags[above] >> bit) & 1:
        increment += 2
    return decode_bin(st, cx, words, np.int64(_CODED_BLOCK_FLAG[cat]) + increment)


@kernel
def _block(st, cx, words, cabac_mode, levels, cache, at, base, cat, is_field, found):
    """One 4x4 block whose neighbourhood stands around cache[at]. Returns its number of levels, also put there."""
    left, above = np.int64(cache[at - 1]), np.int64(cache[at - 8])
    total = np.int64(0)
    if cabac_mode:
        increment = (1 if left else 0) + (2 if above else 0)
        if decode_bin(st, cx, words, np.int64(_CODED_BLOCK_FLAG[cat]) + increment):
            total = levels_cabac(st, cx, words, levels, base, cat, is_field, found)
    else:
        n_c = _coefficient_context(left, above)
        total = levels_cavlc(st, words, levels, base, 1, n_c, 16 if cat == CAT_LUMA_4X4 else 15, found)
    cache[at] = total
    return total


@kernel
def residual_syntax(
    st, cx, words, nb, cabac_mode, chroma, mb, cbp, intra_16x16, eight, is_field, intra,
    levels, total_coeff, dc_flags, cache, found, stats,
):  # fmt: skip
    """residual() of one macroblock (7.3.5.3)."""
    missing = NOT_THERE if intra or not cabac_mode else 0
    _load_coefficient_cache(cache, total_coeff, nb, chroma, missing)
    origin = mb * LEVELS_PER_MB
    flags = 0
    blocks = np.int64(0)
    count = np.int64(0)
    if intra_16x16:
        base = origin + LEVELS_LUMA_DC * 16
        total = np.int64(0)
        if cabac_mode:
            if _dc_flag(st, cx, words, dc_flags, nb, 0, CAT_I16_DC, intra):
                total = levels_cabac(st, cx, words, levels, base, CAT_I16_DC, is_field, found)
        else:
            n_c = _coefficient_context(np.int64(cache[CACHE_LUMA - 1]), np.int64(cache[CACHE_LUMA - 8]))
            total = levels_cavlc(st, words, levels, base, 1, n_c, 16, found)
        if total:
            flags = 1
            blocks += 1
            count += total
    cat = CAT_I16_AC if intra_16x16 else CAT_LUMA_4X4
    first = 1 if intra_16x16 else 0
    for quadrant in range(4):
        coded = (cbp >> quadrant) & 1
        at = CACHE_LUMA + (quadrant & 1) * 2 + (quadrant >> 1) * 16
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
                at = CACHE_CB + CACHE_PLANE * plane + (i & 1) + (i >> 1) * 8
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
def pcm_samples(st, words, cabac_mode, count, levels, origin):
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
def clear_macroblock(mb, total_coeff, ref_idx):
    """No levels, no references: what a macroblock without them looks like to its neighbours."""
    base = mb * 24
    for i in range(24):
        total_coeff[base + i] = 0
    base = mb * 8
    for i in range(8):
        ref_idx[base + i] = -1
