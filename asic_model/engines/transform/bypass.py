"""Lossless macroblocks: qpprime_y_zero_transform_bypass_flag with QP 0 (H.264 8.5.15): levels are the residual."""

import numpy as np

from asic_model.codecs.h264.macroblock import (
    LEVELS_CB_AC,
    LEVELS_CB_DC,
    LEVELS_CR_AC,
    LEVELS_CR_DC,
    LEVELS_LUMA_DC,
)
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
from asic_model.engines.transform.blocks import DC_BLOCKS, offset_of_levels
from asic_model.kernel_cache import kernel
from asic_model.simd.transforms import SCANS_4X4, SCANS_8X8

# How residuals run on: 8.5.15 with the prediction mode vertical or horizontal, else not.
PLAIN, VERTICAL, HORIZONTAL = range(3)


@kernel
def _add(dst, dst_offset, dst_stride, residual, size, direction):
    """Add int16 residual[y * size + x] to the prediction in `dst`, summed up along `direction` first."""
    if direction == VERTICAL:
        for i in range(size, size * size):
            residual[i] += residual[i - size]
    elif direction == HORIZONTAL:
        for y in range(size):
            for i in range(y * size + 1, (y + 1) * size):
                residual[i] += residual[i - 1]
    for y in range(size):
        for x in range(size):
            at = dst_offset + y * dst_stride + x
            dst[at] = min(max(np.int64(dst[at]) + np.int64(residual[y * size + x]), 0), 255)


@kernel
def bypass_block_4x4(dst, dst_offset, dst_stride, levels, mb, block, coefs, field, direction):
    """Luma block `block` (blkIdx) of an Intra4x4 or inter macroblock."""
    at = offset_of_levels(mb, block)
    for i in range(16):
        coefs[SCANS_4X4[field, i]] = levels[at + i]
    _add(dst, dst_offset, dst_stride, coefs, 4, direction)


@kernel
def bypass_block_8x8(dst, dst_offset, dst_stride, levels, mb, quadrant, coefs, field, direction):
    """Luma 8x8 block of a macroblock with transform_size_8x8_flag."""
    at = offset_of_levels(mb, 4 * quadrant)
    for i in range(64):
        coefs[SCANS_8X8[field, i]] = levels[at + i]
    _add(dst, dst_offset, dst_stride, coefs, 8, direction)


@kernel
def bypass_luma_16x16(dst, dst_offset, dst_stride, levels, mb, coefs, field, direction):
    """Luma of an Intra16x16 macroblock: residuals run through the whole macroblock."""
    for block in range(16):
        at = offset_of_levels(mb, block)
        corner = 64 * BLOCK_Y[block] + 4 * BLOCK_X[block]
        for i in range(1, 16):
            raster = SCANS_4X4[field, i]
            coefs[corner + 16 * (raster >> 2) + (raster & 3)] = levels[at + i]
    dc = offset_of_levels(mb, LEVELS_LUMA_DC)
    for i in range(16):
        block = DC_BLOCKS[field, i]
        coefs[64 * BLOCK_Y[block] + 4 * BLOCK_X[block]] = levels[dc + i]
    _add(dst, dst_offset, dst_stride, coefs, 16, direction)


@kernel
def bypass_chroma(dst, dst_offset, dst_stride, levels, mb, component, coefs, field, direction):
    """One 4:2:0 chroma component (0 Cb, 1 Cr)."""
    dc = offset_of_levels(mb, LEVELS_CR_DC if component else LEVELS_CB_DC)
    ac_row = LEVELS_CR_AC if component else LEVELS_CB_AC
    for block in range(4):
        at = offset_of_levels(mb, ac_row + block)
        corner = 32 * (block >> 1) + 4 * (block & 1)
        coefs[corner] = levels[dc + block]
        for i in range(1, 16):
            raster = SCANS_4X4[field, i]
            coefs[corner + 8 * (raster >> 2) + (raster & 3)] = levels[at + i]
    _add(dst, dst_offset, dst_stride, coefs, 8, direction)
