"""Sizes and places that the parse kernels share."""

import numpy as np

from asic_model.codecs.h264.macroblock import LEVELS_ROWS, SUB_4X4, SUB_4X8, SUB_8X4, SUB_8X8, SUB_DIRECT
from asic_model.codecs.h264.tables import table

SLICE_P, SLICE_B, SLICE_I = 0, 1, 2  # slice_type % 5

LEVELS_PER_MB = LEVELS_ROWS * 16
PCM_CBP = 0x2F  # as a neighbour, I_PCM has everything coded

# Table 7-14, mb_type 1..21 of B slices: shape, lists of the first and of the second partition (bit 0: L0, bit 1: L1)
B_SHAPE = np.array([0, 6, 6, 6] + [7, 8] * 9, np.uint8)
B_LISTS_0 = np.array([0, 1, 2, 3, 1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3], np.uint8)
B_LISTS_1 = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 3, 3, 3, 3, 1, 1, 2, 2, 3, 3], np.uint8)
B_8X8 = 22
# Table 7-18, sub_mb_type of B slices
_BOTH_HALVES = [SUB_8X4, SUB_4X8] * 3
SUB_SHAPE = np.array([SUB_DIRECT, *[SUB_8X8] * 3, *_BOTH_HALVES, *[SUB_4X4] * 3], np.uint8)
SUB_LISTS = np.array([0, 1, 2, 3, 1, 1, 2, 2, 3, 3, 1, 2, 3], np.uint8)
# [SUB_8X8..SUB_4X4]: size of a sub-partition in 4x4 blocks
SUB_WIDTH = np.array([2, 2, 1, 1], np.uint8)
SUB_HEIGHT = np.array([2, 1, 2, 1], np.uint8)

_CBP_ME = table("table_9_4_coded_block_pattern_me")
CBP_COLOUR = np.array(_CBP_ME["chroma_format_1_or_2"], np.uint8).reshape(-1)  # [codeNum][intra NxN, inter]
CBP_MONO = np.array(_CBP_ME["chroma_format_0_or_3"], np.uint8).reshape(-1)

# Cache of one macroblock with its left and upper border: luma block (x, y) at CACHE_LUMA + 8 * y + x
CACHE_LUMA = 9
CACHE_CB = 40 + 9  # same layout, 2x2 blocks; Cr CACHE_PLANE behind
CACHE_PLANE = 24
CACHE_SIZE = 96
NOT_THERE = 0x40  # total_coeff of a block that is not available

# Figures a macroblock, columns of the statistics
STAT_BINS = 0  # bins, or codewords
STAT_BITS = 1
STAT_BLOCKS = 2  # 4x4 blocks with levels, an 8x8 one as four; DC blocks count as one
STAT_LEVELS = 3  # non-zero levels
STATS = 4
