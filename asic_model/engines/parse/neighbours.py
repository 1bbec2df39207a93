"""Neighbouring macroblocks of the macroblock being parsed (H.264 6.4.9 to 6.4.12), with and without MBAFF.

The neighbourhood is a vector int64[NEIGHBOURS_SIZE]. To the left, MBAFF can put two macroblocks beside one, so the left
edge is told row by row: for row r of 4x4 blocks, `LEFT + r` is the macroblock and `LEFT_ROW + r` the row of 4x4
blocks in it (of the block beside the first sample row; for chroma blocks take row 2 * r and halve the result).
Above there is one macroblock, of which always the last row counts. -1: not available.
"""

import numpy as np

from asic_model.kernel_cache import kernel

LEFT = 0
LEFT_ROW = 4
ABOVE = 8
LEFT_PAIR = 9  # MBAFF: top macroblock of the pair to the left / above
ABOVE_PAIR = 10
NEIGHBOURS_SIZE = 11


@kernel
def find_pairs(nb, mb, mb_width, slice_of, slice_id):
    """MBAFF: set the neighbouring pairs of the pair whose top macroblock is `mb` (6.4.10)."""
    pair = mb >> 1
    left = mb - 2
    above = mb - 2 * mb_width
    nb[LEFT_PAIR] = left if pair % mb_width != 0 and slice_of[left] == slice_id else -1
    nb[ABOVE_PAIR] = above if above >= 0 and slice_of[above] == slice_id else -1


@kernel
def find_neighbours_mbaff(nb, mb, field_of):
    """MBAFF: set the neighbourhood of `mb` for the pair's field flag as it stands in field_of (Table 6-4)."""
    is_field = field_of[mb] != 0
    bottom = mb & 1
    above_pair = nb[ABOVE_PAIR]
    if bottom != 0 and not is_field:
        nb[ABOVE] = mb - 1
    elif above_pair < 0:
        nb[ABOVE] = -1
    elif is_field and bottom == 0 and field_of[above_pair] != 0:
        nb[ABOVE] = above_pair  # top field above top field
    else:
        nb[ABOVE] = above_pair + 1
    left_pair = nb[LEFT_PAIR]
    if left_pair < 0:
        for row in range(4):
            nb[LEFT + row] = -1
    elif (field_of[left_pair] != 0) == is_field:
        for row in range(4):
            nb[LEFT + row] = left_pair + bottom
            nb[LEFT_ROW + row] = row
    elif is_field:  # frame macroblocks to the left: every other row of the pair
        for row in range(4):
            nb[LEFT + row] = left_pair + (row >> 1)
            nb[LEFT_ROW + row] = (row & 1) * 2
    else:  # field macroblocks to the left: the first sample row of each block lies in the top field
        for row in range(4):
            nb[LEFT + row] = left_pair
            nb[LEFT_ROW + row] = (row >> 1) + 2 * bottom


@kernel
def find_neighbours(nb, mb, mb_x, mb_width, slice_of, slice_id):
    """Frame and field pictures: set the neighbourhood of `mb`, which stands in column `mb_x`."""
    left = mb - 1 if mb_x > 0 and slice_of[mb - 1] == slice_id else np.int64(-1)
    for row in range(4):
        nb[LEFT + row] = left
        nb[LEFT_ROW + row] = row
    above = mb - mb_width
    nb[ABOVE] = above if above >= 0 and slice_of[above] == slice_id else np.int64(-1)
