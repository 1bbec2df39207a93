"""Transform and quantisation of single blocks, and the DC blocks (H.264 8.5.9 to 8.5.14).

`levels` is `Macroblocks.levels.ravel()`, a flat view; `level_offset` counts its entries, as `offset_of_levels` gives
them. `coefs` is scratch, int16[SCRATCH], of one owner. `number` picks the scaling list (`quantiser.INTRA_Y`...),
`inter` (0 or 1) the dead zone, `field` (0 or 1) the scan. Sample blocks are (array, offset, stride).
"""

import numpy as np

from asic_model.codecs.h264.macroblock import LEVELS_ROWS
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y, FIELD_SCAN_4X4, ZIGZAG_4X4
from asic_model.engines.transform.quantiser import SHIFT_4X4, SHIFT_8X8
from asic_model.kernel_cache import kernel
from asic_model.simd.transforms import (
    forward_4x4,
    forward_8x8,
    inverse_4x4_add,
    inverse_8x8_add,
    inverse_luma_dc_16,
    quantise_16,
    quantise_64,
    scale_16,
    scale_64,
)

SCRATCH = 512  # int16 entries of a `coefs` buffer: 16 x 16 of blocks, then room for DC values
# [scan][position] -> blkIdx of the luma block whose DC stands there in the list of Intra16x16 DC levels (8.5.2)
_BLOCK_AT = {(int(BLOCK_X[block]), int(BLOCK_Y[block])): block for block in range(16)}
DC_BLOCKS = np.array(
    [[_BLOCK_AT[int(raster) % 4, int(raster) // 4] for raster in scan] for scan in (ZIGZAG_4X4, FIELD_SCAN_4X4)],
    np.int64,
)
_RASTER_BLOCKS = np.array([_BLOCK_AT[raster % 4, raster // 4] for raster in range(16)], np.int64)
_DC_SCANS = np.stack([ZIGZAG_4X4, FIELD_SCAN_4X4]).astype(np.int64)


@kernel
def offset_of_levels(mb, row):
    """Flat offset of `levels[mb, row]`."""
    return (np.int64(mb) * LEVELS_ROWS + row) * 16


@kernel
def factor_offset_4x4(field, number, qp):
    """Place of 16 forward multipliers in `Quantiser.factor_4x4`."""
    return ((field * 6 + number) * 6 + qp % 6) * 16


@kernel
def scale_offset_4x4(field, number, qp):
    """Place of 16 scaling factors in `Quantiser.scale_4x4`."""
    return ((field * 6 + number) * 52 + qp) * 16


@kernel
def quantise_4x4(levels, level_offset, coefs, coefs_offset, quantiser, number, qp, inter, field):
    """Quantise 16 coefficients; return the number of levels that are not zero."""
    factor_offset = factor_offset_4x4(field, number, qp)
    rounding, shift = quantiser.rounding[inter, qp], SHIFT_4X4 + qp // 6
    return quantise_16(levels, level_offset, coefs, coefs_offset, quantiser.factor_4x4, factor_offset, rounding, shift)


@kernel
def quantise_8x8(levels, level_offset, coefs, coefs_offset, quantiser, number, qp, inter, field):
    """Quantise 64 coefficients; `number` is INTRA_Y_8X8 or INTER_Y_8X8. Return how many levels are not zero."""
    factor_offset = ((field * 2 + number) * 6 + qp % 6) * 64
    rounding, shift = 2 * quantiser.rounding[inter, qp], SHIFT_8X8 + qp // 6
    return quantise_64(levels, level_offset, coefs, coefs_offset, quantiser.factor_8x8, factor_offset, rounding, shift)


@kernel
def forward_block_4x4(
    levels, level_offset, coefs, src, src_offset, src_stride, pred, pred_offset, pred_stride,
    quantiser, number, qp, inter, field,
):  # fmt: skip
    """Transform and quantise the 4x4 block src - pred; return the number of levels that are not zero."""
    forward_4x4(coefs, 0, src, src_offset, src_stride, pred, pred_offset, pred_stride, field)
    return quantise_4x4(levels, level_offset, coefs, 0, quantiser, number, qp, inter, field)


@kernel
def forward_block_8x8(
    levels, level_offset, coefs, src, src_offset, src_stride, pred, pred_offset, pred_stride,
    quantiser, number, qp, inter, field,
):  # fmt: skip
    """Transform and quantise the 8x8 block src - pred; return the number of levels that are not zero."""
    forward_8x8(coefs, 0, src, src_offset, src_stride, pred, pred_offset, pred_stride, field)
    return quantise_8x8(levels, level_offset, coefs, 0, quantiser, number, qp, inter, field)


@kernel
def add_block_4x4(dst, dst_offset, dst_stride, levels, level_offset, coefs, quantiser, number, qp, field):
    """Add the residual of 16 levels to the prediction that stands in `dst` (8.5.12, 8.5.14)."""
    scale_16(coefs, 0, levels, level_offset, quantiser.scale_4x4, scale_offset_4x4(field, number, qp))
    inverse_4x4_add(dst, dst_offset, dst_stride, dst, dst_offset, dst_stride, coefs, 0, field)


@kernel
def add_block_8x8(dst, dst_offset, dst_stride, levels, level_offset, coefs, quantiser, number, qp, field):
    """Add the residual of 64 levels to the prediction that stands in `dst` (8.5.13, 8.5.14)."""
    scale_64(coefs, 0, levels, level_offset, quantiser.scale_8x8, ((field * 2 + number) * 52 + qp) * 64)
    inverse_8x8_add(dst, dst_offset, dst_stride, dst, dst_offset, dst_stride, coefs, 0, field)


@kernel
def _wrap16(value):
    """`value` as it is kept in 16 bits."""
    return ((value + 32768) & 65535) - 32768


@kernel
def _hadamard_4(values):
    """4x4 Hadamard transform in place of int64[16] in raster order; its own inverse up to a factor of 16."""
    for axis in range(2):
        step, line = (1, 4) if axis == 0 else (4, 1)
        for i in range(4):
            at = i * line
            p, q, r, s = values[at], values[at + step], values[at + 2 * step], values[at + 3 * step]
            values[at], values[at + step] = p + q + r + s, p + q - r - s
            values[at + 2 * step], values[at + 3 * step] = p - q - r + s, p - q + r - s


@kernel
def forward_luma_dc(levels, level_offset, coefs, quantiser, number, qp, field):
    """Transform and quantise the DC values of Intra16x16, `coefs[16 * blkIdx]`; return the non-zero levels.

    The Hadamard sums are taken unhalved and quantised with two more bits of shift.
    """
    values = np.empty(16, np.int64)
    for raster in range(16):
        values[raster] = coefs[16 * _RASTER_BLOCKS[raster]]
    _hadamard_4(values)
    factor = np.int64(quantiser.factor_4x4[factor_offset_4x4(field, number, qp)])
    rounding, shift = 4 * np.int64(quantiser.rounding[0, qp]), SHIFT_4X4 + qp // 6 + 2
    count = 0
    for i in range(16):
        value = values[_DC_SCANS[field, i]]
        level = (abs(value) * factor + rounding) >> shift
        levels[level_offset + i] = -level if value < 0 else level
        count += level != 0
    return count


@kernel
def inverse_luma_dc(coefs, levels, level_offset, quantiser, number, qp, field):
    """Scaled DC values of Intra16x16 (8.5.10) into `coefs[256 + blkIdx]`."""
    scale = quantiser.scale_4x4[scale_offset_4x4(field, number, qp)]
    inverse_luma_dc_16(coefs, 256, levels, level_offset, scale, field)


@kernel
def forward_chroma_dc(levels, level_offset, coefs, quantiser, number, qp, inter, field):
    """Transform and quantise the 2x2 DC values `coefs[16 * blkIdx]` of a component; return the non-zero levels."""
    a, b, c, d = np.int64(coefs[0]), np.int64(coefs[16]), np.int64(coefs[32]), np.int64(coefs[48])
    factor = np.int64(quantiser.factor_4x4[factor_offset_4x4(field, number, qp)])
    rounding, shift = 2 * np.int64(quantiser.rounding[inter, qp]), SHIFT_4X4 + qp // 6 + 1
    count = 0
    for i, value in enumerate((a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d)):
        level = (abs(value) * factor + rounding) >> shift
        levels[level_offset + i] = -level if value < 0 else level
        count += level != 0
    return count


@kernel
def inverse_chroma_dc(coefs, levels, level_offset, quantiser, number, qp, field):
    """Scaled DC values of a 4:2:0 chroma component (8.5.11) into `coefs[256 + blkIdx]`."""
    o = level_offset
    a, b = np.int64(levels[o]), np.int64(levels[o + 1])
    c, d = np.int64(levels[o + 2]), np.int64(levels[o + 3])
    scale = np.int64(quantiser.scale_4x4[scale_offset_4x4(field, number, qp)])
    coefs[256] = _wrap16(((a + b + c + d) * scale) >> 5)
    coefs[257] = _wrap16(((a - b + c - d) * scale) >> 5)
    coefs[258] = _wrap16(((a + b - c - d) * scale) >> 5)
    coefs[259] = _wrap16(((a - b - c + d) * scale) >> 5)
