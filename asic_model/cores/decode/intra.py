"""Intra macroblocks: which neighbours may be used, and luma prediction plus residual (H.264 8.3)."""

import numpy as np

from asic_model.codecs.h264.macroblock import I_8X8, I_16X16, I_PCM
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
from asic_model.engines import intra_prediction as intra
from asic_model.engines.parse.neighbours import ABOVE, LEFT, LEFT_PAIR
from asic_model.engines.transform import (
    INTRA_Y,
    INTRA_Y_8X8,
    add_block_4x4,
    add_block_8x8,
    add_luma_16x16,
    bypass_block_4x4,
    bypass_block_8x8,
    bypass_luma_16x16,
    offset_of_levels,
)
from asic_model.kernel_cache import kernel

# [y]: bit x + 1 is set when block (x + 1, y - 1) of the same macroblock comes before block (x, y)
_ABOVE_RIGHT_CODED = np.array([0, 0b01010, 0b01110, 0b01010], np.int64)


@kernel
def intra_available(nb, m_type, slice_of, field_of, slice_id, constrained, mbaff, mb, mb_x, mb_width):
    """Neighbours that intra prediction of `mb` may use, bits of `intra_prediction`; nb is set (6.4.9, 8.3.1.2)."""
    flags = 0
    left, above = nb[LEFT], nb[ABOVE]
    bottom = mbaff and mb & 1
    is_field = field_of[mb] != 0
    if left >= 0:
        if not constrained:
            flags = intra.LEFT
        elif mbaff and (field_of[nb[LEFT_PAIR]] != 0) != is_field:
            upper = m_type[nb[LEFT_PAIR]] <= I_PCM
            lower = m_type[nb[LEFT_PAIR] + 1] <= I_PCM
            if is_field:  # upper half beside the top, lower half beside the bottom frame macroblock
                flags = (intra.LEFT_UPPER if upper else 0) | (intra.LEFT_LOWER if lower else 0)
            elif upper and lower:
                flags = intra.LEFT
        elif m_type[left] <= I_PCM:
            flags = intra.LEFT
    if above >= 0 and (not constrained or m_type[above] <= I_PCM):
        flags |= intra.TOP
    # above right and above left
    if mbaff:
        pair = mb & ~1
        right = pair - 2 * mb_width + 2
        corner = pair - 2 * mb_width - 2
        there = right >= 0 and mb_x + 1 < mb_width and slice_of[right] == slice_id and (is_field or not bottom)
        right = right + (0 if there and is_field and not bottom and field_of[right] != 0 else 1)
        if there and (not constrained or m_type[right] <= I_PCM):
            flags |= intra.TOP_RIGHT
        if bottom and not is_field:
            corner = nb[LEFT_PAIR]
            there = corner >= 0
            if there and field_of[corner] != 0:
                corner += 1
        else:
            there = corner >= 0 and mb_x > 0 and slice_of[corner] == slice_id
            corner = corner + (0 if there and is_field and not bottom and field_of[corner] != 0 else 1)
        if there and (not constrained or m_type[corner] <= I_PCM):
            flags |= intra.CORNER
    else:
        right = mb - mb_width + 1
        if right >= 0 and mb_x + 1 < mb_width and slice_of[right] == slice_id:
            if not constrained or m_type[right] <= I_PCM:
                flags |= intra.TOP_RIGHT
        corner = mb - mb_width - 1
        if corner >= 0 and mb_x > 0 and slice_of[corner] == slice_id:
            if not constrained or m_type[corner] <= I_PCM:
                flags |= intra.CORNER
    return flags


@kernel
def _block_available(flags, x, y):
    """Neighbours of 4x4 block (x, y) of a macroblock whose own are `flags`."""
    found = 0
    if x > 0 or flags & (intra.LEFT_UPPER if y < 2 else intra.LEFT_LOWER):
        found = intra.LEFT
    if y > 0 or flags & intra.TOP:
        found |= intra.TOP
    if y > 0:
        if (_ABOVE_RIGHT_CODED[y] >> (x + 1)) & 1:
            found |= intra.TOP_RIGHT
    elif flags & (intra.TOP if x < 3 else intra.TOP_RIGHT):
        found |= intra.TOP_RIGHT
    if x > 0:
        if y > 0 or flags & intra.TOP:
            found |= intra.CORNER
    elif y > 0:
        if flags & (intra.LEFT_UPPER if y < 3 else intra.LEFT_LOWER):
            found |= intra.CORNER
    elif flags & intra.CORNER:
        found |= intra.CORNER
    return found


@kernel
def intra_luma(
    mem, at, stride, levels, intra_mode, total_coeff, mb, kind, cbp, flags, bypass, qp, is_field, quantiser, coefs,
    line, predictions,
):  # fmt: skip
    """Luma of an Intra4x4, 8x8 or 16x16 macroblock, prediction and residual. Returns the modes that were impossible."""
    wrong = 0
    if kind == I_16X16:
        mode = np.int64(intra_mode[mb * 16])
        if not (intra.ALLOWED_16X16[flags] >> mode) & 1:
            mode = np.int64(intra.DC_16X16)
            wrong += 1
        intra.predict_16x16(mem, at, stride, mode, mem, at, stride, at - stride - 1, flags)
        if bypass:
            direction = 1 if mode == intra.VERTICAL_16X16 else (2 if mode == intra.HORIZONTAL_16X16 else 0)
            bypass_luma_16x16(mem, at, stride, levels, mb, coefs, is_field, direction)
        else:
            add_luma_16x16(mem, at, stride, levels, mb, coefs, quantiser, qp, is_field, cbp & 15)
        return wrong
    if kind == I_8X8:
        for quadrant in range(4):
            x, y = (quadrant & 1) * 2, quadrant & 2
            have = _block_available(flags, x, y)
            if x or y:  # of the 8x8 block, not of its first 4x4 block
                have = have & ~intra.TOP_RIGHT
                if quadrant == 2 or (quadrant == 1 and flags & intra.TOP_RIGHT):
                    have |= intra.TOP_RIGHT
            mode = np.int64(intra_mode[mb * 16 + quadrant * 4])
            if not (intra.ALLOWED_4X4[have] >> mode) & 1:
                mode = np.int64(intra.DC)
                wrong += 1
            block = at + 4 * y * stride + 4 * x
            dc = intra.gather_8x8(line, mem, block, stride, block - stride - 1, have)
            intra.predict_8x8(mem, block, stride, mode, line, dc, predictions)
            if (cbp >> quadrant) & 1:
                if bypass:
                    direction = 1 if mode == intra.VERTICAL else (2 if mode == intra.HORIZONTAL else 0)
                    bypass_block_8x8(mem, block, stride, levels, mb, quadrant, coefs, is_field, direction)
                else:
                    first = offset_of_levels(mb, 4 * quadrant)
                    add_block_8x8(mem, block, stride, levels, first, coefs, quantiser, INTRA_Y_8X8, qp, is_field)
        return wrong
    for index in range(16):
        x, y = np.int64(BLOCK_X[index]), np.int64(BLOCK_Y[index])
        have = _block_available(flags, x, y)
        mode = np.int64(intra_mode[mb * 16 + index])
        if not (intra.ALLOWED_4X4[have] >> mode) & 1:
            mode = np.int64(intra.DC)
            wrong += 1
        block = at + 4 * y * stride + 4 * x
        dc = intra.gather_4x4(line, mem, block, stride, block - stride - 1, have)
        intra.predict_4x4(mem, block, stride, mode, line, dc, predictions)
        if (cbp >> (index >> 2)) & 1 and total_coeff[mb, index]:
            if bypass:
                direction = 1 if mode == intra.VERTICAL else (2 if mode == intra.HORIZONTAL else 0)
                bypass_block_4x4(mem, block, stride, levels, mb, index, coefs, is_field, direction)
            else:
                first = offset_of_levels(mb, index)
                add_block_4x4(mem, block, stride, levels, first, coefs, quantiser, INTRA_Y, qp, is_field)
    return wrong
