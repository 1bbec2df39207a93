"""The macroblock record: what a slice says about each macroblock, between syntax and samples.

Both directions share it. An encoder's `mode_decision` and `transform` fill it and `entropy` writes it as a
stream; `parse` fills it from a stream and reconstruction reads it. One row a macroblock, in raster order of
the picture (for MBAFF in decoding order: pair by pair, top then bottom).
"""

from typing import NamedTuple

import numpy as np

# mb_type: one code for all slice types (Tables 7-11, 7-13 and 7-14 of H.264 map to these).
I_4X4 = 0
I_8X8 = 1  # Intra NxN with transform_size_8x8_flag
I_16X16 = 2
I_PCM = 3
P_SKIP = 4
B_SKIP = 5
INTER_16X16 = 6
INTER_16X8 = 7
INTER_8X16 = 8
INTER_8X8 = 9
B_DIRECT_16X16 = 10
UNAVAILABLE = 255  # not decoded (lost, or not yet reached)

# sub_type of each 8x8 quadrant of INTER_8X8
SUB_8X8 = 0
SUB_8X4 = 1
SUB_4X8 = 2
SUB_4X4 = 3
SUB_DIRECT = 4

# Rows of `levels`: 16 entries each, in scan order (zig-zag or field).
LEVELS_LUMA = 0  # rows 0..15: luma 4x4 block blkIdx (6.4.3); 8x8 block b takes rows 4b..4b+3 as 64 entries
LEVELS_LUMA_DC = 16  # Intra16x16 DC; then entry 0 of rows 0..15 is unused and AC stands at 1..15
LEVELS_CB_DC = 17  # entries 0..3
LEVELS_CR_DC = 18
LEVELS_CB_AC = 19  # rows 19..22, AC at entries 1..15
LEVELS_CR_AC = 23  # rows 23..26
LEVELS_ROWS = 27

# Blocks of `total_coeff`: luma 0..15 by blkIdx, Cb 16..19, Cr 20..23.
NO_REFERENCE = -1


class Macroblocks(NamedTuple):
    """All macroblocks of one picture; `n` = PicSizeInMbs. Arrays are C-contiguous.

    mb_type           uint8[n]          codes above
    slice_id          int32[n]          counts slices from 0; -1: not coded yet, hence unavailable
    field             uint8[n]          mb_field_decoding_flag (1 for all of a field picture's too)
    qp                int8[n]           QPY after mb_qp_delta, 0..51
    cbp               uint8[n]          coded_block_pattern: luma in bits 0..3, chroma 0..2 in bits 4..5
    transform_8x8     uint8[n]          transform_size_8x8_flag
    intra_mode        int8[n, 16]       Intra4x4PredMode by blkIdx; 8x8: same value in the block's four;
                                        Intra16x16: the mode in all 16; 2 (DC) where another macroblock sees DC
    chroma_mode       uint8[n]          intra_chroma_pred_mode
    sub_type          uint8[n, 4]       by mbPartIdx
    ref_idx           int8[n, 2, 4]     [list][8x8 quadrant], -1: list not used
    mv                int16[n, 2, 16, 2]  [list][4x4 block in raster order: 4*y + x][x, y] in quarter samples
    mvd               int16[n, 2, 16, 2]  differences as coded, same order (CABAC contexts look at them)
    levels            int16[n, 27, 16]  transform levels in scan order, rows as above; for I_PCM the first
                                        384 entries are the samples (Y, Cb, Cr in raster order)
    total_coeff       uint8[n, 24]      non-zero levels of each 4x4 block (7.4.5.3.3, 9.2.1)
    """

    mb_type: np.ndarray
    slice_id: np.ndarray
    field: np.ndarray
    qp: np.ndarray
    cbp: np.ndarray
    transform_8x8: np.ndarray
    intra_mode: np.ndarray
    chroma_mode: np.ndarray
    sub_type: np.ndarray
    ref_idx: np.ndarray
    mv: np.ndarray
    mvd: np.ndarray
    levels: np.ndarray
    total_coeff: np.ndarray


def allocate(count: int, cleared_levels: bool = True) -> Macroblocks:
    """Return cleared records for `count` macroblocks (all unavailable).

    cleared_levels : False where all levels that are looked at are written before
    """
    levels = (count, LEVELS_ROWS, 16)
    return Macroblocks(
        mb_type=np.full(count, UNAVAILABLE, np.uint8),
        slice_id=np.full(count, -1, np.int32),
        field=np.zeros(count, np.uint8),
        qp=np.zeros(count, np.int8),
        cbp=np.zeros(count, np.uint8),
        transform_8x8=np.zeros(count, np.uint8),
        intra_mode=np.full((count, 16), 2, np.int8),
        chroma_mode=np.zeros(count, np.uint8),
        sub_type=np.zeros((count, 4), np.uint8),
        ref_idx=np.full((count, 2, 4), NO_REFERENCE, np.int8),
        mv=np.zeros((count, 2, 16, 2), np.int16),
        mvd=np.zeros((count, 2, 16, 2), np.int16),
        levels=np.zeros(levels, np.int16) if cleared_levels else np.empty(levels, np.int16),
        total_coeff=np.zeros((count, 24), np.uint8),
    )
