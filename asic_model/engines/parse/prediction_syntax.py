"""mb_pred() and sub_mb_pred(): intra modes, reference indices and vector differences (H.264 7.3.5.1, 7.3.5.2)."""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import CTX_MVD_X, CTX_MVD_Y
from asic_model.codecs.h264.macroblock import (
    I_8X8,
    I_PCM,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    SUB_8X8,
    SUB_DIRECT,
)
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
from asic_model.engines.parse import cabac_syntax as cabac
from asic_model.engines.parse.bitstream import peek, read_se, read_te, read_ue
from asic_model.engines.parse.layout import (
    B_LISTS_0,
    B_LISTS_1,
    CACHE_LUMA,
    SUB_HEIGHT,
    SUB_LISTS,
    SUB_SHAPE,
    SUB_WIDTH,
)
from asic_model.engines.parse.neighbours import ABOVE, LEFT, LEFT_ROW
from asic_model.engines.parse.state import BAD_VALUE, BINS, ERROR, POSITION
from asic_model.kernel_cache import kernel


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
        dx = cabac.mvd(st, cx, words, CTX_MVD_X, near)
        near = _mvd_sum(mvd, mb_type, field_of, nb, mb, lst, x, y, mbaff, 16)
        dy = cabac.mvd(st, cx, words, CTX_MVD_Y, near)
    else:
        dx = read_se(st, words)
        dy = read_se(st, words)
    if dx < -0x8000 or dx > 0x7FFF or dy < -0x8000 or dy > 0x7FFF:
        st[ERROR] = BAD_VALUE
        return
    packed = np.int32((dx & 0xFFFF) | (dy << 16))
    _fill_block(mvd, (mb * 2 + lst) * 16, x, y, width, height, packed)


@kernel
def motion_syntax(
    st, cx, words, nb, cabac_mode, mbaff, counts, mb, code, is_b, m_type, field_of, sub_type, ref_idx, mvd
):
    """sub_mb_types, ref_idx and mvd of an inter macroblock whose type is set.

    counts : entries of list 0 in the low, of list 1 in the high byte (doubled already for field macroblocks)
    code   : mb_type as coded (Tables 7-13 and 7-14)
    Returns 1 where transform_size_8x8_flag may follow as far as sub-macroblocks are concerned (2: if
    direct_8x8_inference_flag), else 0.
    """
    base = mb * 32
    for i in range(32):
        mvd[base + i] = 0
    base = mb * 8
    for i in range(8):
        ref_idx[base + i] = -1
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
                lists |= np.int64(SUB_LISTS[sub]) << (2 * quadrant)
                sub = np.int64(SUB_SHAPE[sub])
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
        lists = np.int64(B_LISTS_0[code]) | np.int64(B_LISTS_1[code]) << 2 if is_b else np.int64(5)
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
                sub_width, sub_height = np.int64(SUB_WIDTH[sub]), np.int64(SUB_HEIGHT[sub])
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
def intra_modes(st, cx, words, nb, cabac_mode, constrained, mb, eight, m_type, intra_mode, cache):
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
        cache[CACHE_LUMA + 8 * i - 1] = mode
        mode = np.int64(-1)
        if above >= 0 and (m_type[above] <= I_PCM or not constrained):
            mode = np.int64(2)
            if m_type[above] <= I_8X8:
                mode = np.int64(intra_mode[above * 16 + 10 + (i & 1) + (i >> 1) * 4])
        cache[CACHE_LUMA - 8 + i] = mode
    step = 4 if eight else 1
    for block in range(0, 16, step):
        x, y = np.int64(BLOCK_X[block]), np.int64(BLOCK_Y[block])
        at = CACHE_LUMA + 8 * y + x
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
