"""Transform of whole macroblocks over the level layout of `codecs.h264.macroblock`.

levels       int16[n * 27 * 16]  `Macroblocks.levels.ravel()`; the rows of macroblock `mb` are read or written
total_coeff  uint8[n, 24]

"forward" functions transform and quantise src - pred and fill both. "add" functions add the residual to the prediction
that already stands in `dst` and are what both directions reconstruct with. Other arguments as in `blocks`.
"""

from asic_model.codecs.h264.macroblock import (
    LEVELS_CB_AC,
    LEVELS_CB_DC,
    LEVELS_CR_AC,
    LEVELS_CR_DC,
    LEVELS_LUMA_DC,
)
from asic_model.engines.transform.blocks import (
    add_block_4x4,
    add_block_8x8,
    forward_block_8x8,
    forward_chroma_dc,
    forward_luma_dc,
    inverse_chroma_dc,
    inverse_luma_dc,
    offset_of_levels,
    quantise_4x4,
    scale_offset_4x4,
)
from asic_model.engines.transform.quantiser import INTRA_CB, INTRA_Y
from asic_model.kernel_cache import kernel
from asic_model.simd.blocks import fill_16xn
from asic_model.simd.transforms import (
    forward_4x4_quad,
    interleaved_counts,
    inverse_4x4_quad_add,
    scale_16,
    scale_16_with_dc,
)


@kernel
def forward_luma_4x4(
    levels, total_coeff, mb, coefs, src, src_offset, src_stride, pred, pred_offset, pred_stride,
    quantiser, number, qp, inter, field,
):  # fmt: skip
    """Luma of a macroblock as sixteen 4x4 blocks; return the luma half of coded_block_pattern (a bit a quadrant)."""
    pattern = 0
    for quadrant in range(4):
        x, y = 8 * (quadrant & 1), 8 * (quadrant >> 1)
        at_src, at_pred = src_offset + y * src_stride + x, pred_offset + y * pred_stride + x
        forward_4x4_quad(coefs, 0, src, at_src, src_stride, pred, at_pred, pred_stride, field)
        for index in range(4):
            block = 4 * quadrant + index
            at = offset_of_levels(mb, block)
            count = quantise_4x4(levels, at, coefs, 16 * index, quantiser, number, qp, inter, field)
            total_coeff[mb, block] = count
            if count:
                pattern |= 1 << quadrant
    return pattern


@kernel
def add_luma_4x4(
    dst, dst_offset, dst_stride, levels, total_coeff, mb, coefs, quantiser, number, qp, field, pattern
):  # fmt: skip
    """Add the sixteen 4x4 blocks of luma, quadrants of `pattern` (luma bits of coded_block_pattern) only."""
    scale_offset = scale_offset_4x4(field, number, qp)
    for quadrant in range(4):
        if not (pattern >> quadrant) & 1:
            continue
        at = dst_offset + 8 * (quadrant >> 1) * dst_stride + 8 * (quadrant & 1)
        first = 4 * quadrant
        coded = (
            (total_coeff[mb, first] != 0) + 2 * (total_coeff[mb, first + 1] != 0)
            + 4 * (total_coeff[mb, first + 2] != 0) + 8 * (total_coeff[mb, first + 3] != 0)
        )  # fmt: skip
        if coded & (coded - 1):  # more than one block
            for index in range(4):
                scale_16(
                    coefs, 16 * index, levels, offset_of_levels(mb, first + index), quantiser.scale_4x4, scale_offset
                )
            inverse_4x4_quad_add(dst, at, dst_stride, dst, at, dst_stride, coefs, 0, field)
        elif coded:
            index = (coded >> 1) - (coded >> 3)
            at += 4 * (index >> 1) * dst_stride + 4 * (index & 1)
            level_offset = offset_of_levels(mb, first + index)
            add_block_4x4(dst, at, dst_stride, levels, level_offset, coefs, quantiser, number, qp, field)


@kernel
def forward_luma_8x8(
    levels, total_coeff, mb, coefs, src, src_offset, src_stride, pred, pred_offset, pred_stride,
    quantiser, number, qp, inter, field,
):  # fmt: skip
    """Luma of a macroblock as four 8x8 blocks; return the luma half of coded_block_pattern.

    total_coeff of an 8x8 block's four entries are the counts of its interleaved quarters (7.3.5.3.2), as CAVLC has it.
    """
    pattern = 0
    for quadrant in range(4):
        x, y = 8 * (quadrant & 1), 8 * (quadrant >> 1)
        at = offset_of_levels(mb, 4 * quadrant)
        count = forward_block_8x8(
            levels, at, coefs, src, src_offset + y * src_stride + x, src_stride,
            pred, pred_offset + y * pred_stride + x, pred_stride, quantiser, number, qp, inter, field,
        )  # fmt: skip
        if count:
            pattern |= 1 << quadrant
        first, second, third, fourth = interleaved_counts(levels, at)
        total_coeff[mb, 4 * quadrant], total_coeff[mb, 4 * quadrant + 1] = first, second
        total_coeff[mb, 4 * quadrant + 2], total_coeff[mb, 4 * quadrant + 3] = third, fourth
    return pattern


@kernel
def add_luma_8x8(dst, dst_offset, dst_stride, levels, mb, coefs, quantiser, number, qp, field, pattern):
    """Add the 8x8 blocks of luma that `pattern` marks."""
    for quadrant in range(4):
        if (pattern >> quadrant) & 1:
            at = dst_offset + 8 * (quadrant >> 1) * dst_stride + 8 * (quadrant & 1)
            level_offset = offset_of_levels(mb, 4 * quadrant)
            add_block_8x8(dst, at, dst_stride, levels, level_offset, coefs, quantiser, number, qp, field)


@kernel
def forward_luma_16x16(
    levels, total_coeff, mb, coefs, src, src_offset, src_stride, pred, pred_offset, pred_stride, quantiser, qp, field
):  # fmt: skip
    """Luma of an Intra16x16 macroblock; return 15 if an AC level is not zero, else 0 (its coded_block_pattern).

    total_coeff counts AC levels; DC levels stand in row LEVELS_LUMA_DC.
    """
    pattern = 0
    for quadrant in range(4):
        x, y = 8 * (quadrant & 1), 8 * (quadrant >> 1)
        at_src, at_pred = src_offset + y * src_stride + x, pred_offset + y * pred_stride + x
        forward_4x4_quad(coefs, 64 * quadrant, src, at_src, src_stride, pred, at_pred, pred_stride, field)
    for block in range(16):
        at = offset_of_levels(mb, block)
        count = quantise_4x4(levels, at, coefs, 16 * block, quantiser, INTRA_Y, qp, 0, field)
        if levels[at]:
            levels[at] = 0
            count -= 1
        total_coeff[mb, block] = count
        if count:
            pattern = 15
    forward_luma_dc(levels, offset_of_levels(mb, LEVELS_LUMA_DC), coefs, quantiser, INTRA_Y, qp, field)
    return pattern


@kernel
def _add_quad_with_dc(
    dst, dst_offset, dst_stride, levels, level_offset, coefs, first_dc, quantiser, number, qp, field, with_ac
):  # fmt: skip
    """Four 4x4 blocks whose DC values stand scaled in coefs[first_dc..]; levels at entries 1..15 if `with_ac`."""
    scale_offset = scale_offset_4x4(field, number, qp)
    for index in range(4):
        dc = coefs[first_dc + index]
        if with_ac:
            at = level_offset + 16 * index
            scale_16_with_dc(coefs, 16 * index, levels, at, quantiser.scale_4x4, scale_offset, dc)
        else:
            fill_16xn(coefs, 16 * index, 0, 0, 1)
            coefs[16 * index] = dc
    inverse_4x4_quad_add(dst, dst_offset, dst_stride, dst, dst_offset, dst_stride, coefs, 0, field)


@kernel
def add_luma_16x16(dst, dst_offset, dst_stride, levels, mb, coefs, quantiser, qp, field, pattern):
    """Add luma of an Intra16x16 macroblock (8.5.2); AC levels are looked at if `pattern` is not 0."""
    inverse_luma_dc(coefs, levels, offset_of_levels(mb, LEVELS_LUMA_DC), quantiser, INTRA_Y, qp, field)
    for quadrant in range(4):
        at = dst_offset + 8 * (quadrant >> 1) * dst_stride + 8 * (quadrant & 1)
        dc = 256 + 4 * quadrant
        if pattern or coefs[dc] or coefs[dc + 1] or coefs[dc + 2] or coefs[dc + 3]:
            level_offset = offset_of_levels(mb, 4 * quadrant)
            _add_quad_with_dc(
                dst, at, dst_stride, levels, level_offset, coefs, dc, quantiser, INTRA_Y, qp, field, pattern
            )


@kernel
def forward_chroma(
    levels, total_coeff, mb, component, coefs, src, src_offset, src_stride, pred, pred_offset, pred_stride,
    quantiser, qp, inter, field,
):  # fmt: skip
    """One 8x8 chroma component (0 Cb, 1 Cr) at QPC `qp`; return 0 no level, 1 DC only, 2 AC, as it is coded."""
    number = INTRA_CB + 3 * inter + component
    forward_4x4_quad(coefs, 0, src, src_offset, src_stride, pred, pred_offset, pred_stride, field)
    result = 0
    dc_row = LEVELS_CR_DC if component else LEVELS_CB_DC
    if forward_chroma_dc(levels, offset_of_levels(mb, dc_row), coefs, quantiser, number, qp, inter, field):
        result = 1
    ac_row = LEVELS_CR_AC if component else LEVELS_CB_AC
    for index in range(4):
        at = offset_of_levels(mb, ac_row + index)
        count = quantise_4x4(levels, at, coefs, 16 * index, quantiser, number, qp, inter, field)
        if levels[at]:
            levels[at] = 0
            count -= 1
        total_coeff[mb, 16 + 4 * component + index] = count
        if count:
            result = 2
    return result


@kernel
def add_chroma(dst, dst_offset, dst_stride, levels, mb, component, coefs, quantiser, qp, inter, field, coded):
    """Add one chroma component (8.5.4); `coded` is the chroma part of coded_block_pattern: 0, 1 DC, 2 DC and AC."""
    if not coded:
        return
    number = INTRA_CB + 3 * inter + component
    dc_row = LEVELS_CR_DC if component else LEVELS_CB_DC
    inverse_chroma_dc(coefs, levels, offset_of_levels(mb, dc_row), quantiser, number, qp, field)
    if coded == 2 or coefs[256] or coefs[257] or coefs[258] or coefs[259]:
        at = offset_of_levels(mb, LEVELS_CR_AC if component else LEVELS_CB_AC)
        _add_quad_with_dc(dst, dst_offset, dst_stride, levels, at, coefs, 256, quantiser, number, qp, field, coded == 2)
