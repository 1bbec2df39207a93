"""Motion vector prediction (H.264 8.4.1.1 and 8.4.1.3) from the macroblock record, for pictures without MBAFF.

The one place that predicts vectors: `mode_decision` calls it for its costs and for P_Skip, `entropy` for the
differences it writes, `parse` for the vectors it reads.

What is read: `slice_id`, `ref_idx` and `mv` of the macroblock and of its neighbours to the left, above, above right
and above left. A neighbour is available when it carries the slice number of the current macroblock, so
`slice_id[mb]` must be set first; inside the macroblock the partitions before this one (coding order) must be in place.
Intra macroblocks and unused lists must have `ref_idx` -1; what stands in `mv` there does not matter.

Positions and sizes are in 4x4 luma blocks: a partition is (x, y, width, height) with x, y in 0..3 and width, height in
1, 2, 4. Only the 16x8 and 8x16 shapes, (4, 2) and (2, 4), are predicted directionally.
"""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.macroblock import Macroblocks
from asic_model.kernel_cache import kernel

# ref_idx of a neighbour that is not there at all; one that is there but does not use the list has -1.
UNAVAILABLE_REFERENCE = -2

# [row y]: bit (x + width) is set when block (x + width, y - 1) of the same macroblock precedes (x, y) in coding order
_ABOVE_RIGHT_CODED = (0, 0b01010, 0b01110, 0b01010)


class MotionField(NamedTuple):
    """The arrays that prediction reads; shapes as in `Macroblocks`. A light argument for inner loops."""

    slice_id: np.ndarray
    ref_idx: np.ndarray
    mv: np.ndarray


def motion_field(mbs: Macroblocks) -> MotionField:
    """Return the motion arrays of `mbs`; in kernels write `MotionField(mbs.slice_id, mbs.ref_idx, mbs.mv)`."""
    return MotionField(mbs.slice_id, mbs.ref_idx, mbs.mv)


@kernel
def _neighbour(motion, mb, lst, block_x, block_y):
    """Return (ref_idx, mv_x, mv_y) of one block; zero vector where the list is not used (8.4.1.3.2)."""
    ref = np.int64(motion.ref_idx[mb, lst, (block_y >> 1) * 2 + (block_x >> 1)])
    if ref < 0:
        return np.int64(-1), np.int64(0), np.int64(0)
    block = block_y * 4 + block_x
    return ref, np.int64(motion.mv[mb, lst, block, 0]), np.int64(motion.mv[mb, lst, block, 1])


@kernel
def neighbour_motion(motion, mb_width, mb, lst, x, y, width):
    """Return ((ref, mv_x, mv_y) of A, of B, of C) around a partition `width` blocks wide at block (x, y).

    C is replaced by D where it is not available (6.4.11.7, 8.4.1.3.2). `ref` is -2 for what is not available, -1 for
    what is intra or does not use the list; vectors are zero there.
    """
    none = (np.int64(-2), np.int64(0), np.int64(0))
    slice_id = motion.slice_id[mb]
    mb_x = mb % mb_width
    left = x > 0 or (mb_x > 0 and motion.slice_id[mb - 1] == slice_id)
    up_row = mb - mb_width
    up = y > 0 or (up_row >= 0 and motion.slice_id[up_row] == slice_id)

    a = none
    if left:
        a = _neighbour(motion, mb if x > 0 else mb - 1, lst, (x - 1) & 3, y)
    b = none
    if up:
        b = _neighbour(motion, mb if y > 0 else up_row, lst, x, (y - 1) & 3)

    c = none
    right_x = x + width
    if y > 0:
        if (_ABOVE_RIGHT_CODED[y] >> right_x) & 1:
            c = _neighbour(motion, mb, lst, right_x, y - 1)
    elif right_x < 4:
        if up:
            c = _neighbour(motion, up_row, lst, right_x, 3)
    elif up_row >= 0 and mb_x + 1 < mb_width and motion.slice_id[up_row + 1] == slice_id:
        c = _neighbour(motion, up_row + 1, lst, 0, 3)
    if c[0] == UNAVAILABLE_REFERENCE:
        if x > 0:
            if up:
                c = _neighbour(motion, mb if y > 0 else up_row, lst, x - 1, (y - 1) & 3)
        elif y > 0:
            if left:
                c = _neighbour(motion, mb - 1, lst, 3, y - 1)
        elif up_row >= 1 and mb_x > 0 and motion.slice_id[up_row - 1] == slice_id:
            c = _neighbour(motion, up_row - 1, lst, 3, 3)
    return a, b, c


@kernel
def _median(a, b, c):
    return max(min(a, b), min(max(a, b), c))


@kernel
def median_mv(a, b, c, ref):
    """Return the median prediction (8.4.1.3.1) for reference `ref` from the neighbours of `neighbour_motion`."""
    if b[0] == UNAVAILABLE_REFERENCE and c[0] == UNAVAILABLE_REFERENCE and a[0] != UNAVAILABLE_REFERENCE:
        return a[1], a[2]
    same_a = a[0] == ref
    same_b = b[0] == ref
    same_c = c[0] == ref
    if same_a and not same_b and not same_c:
        return a[1], a[2]
    if same_b and not same_a and not same_c:
        return b[1], b[2]
    if same_c and not same_a and not same_b:
        return c[1], c[2]
    return _median(a[1], b[1], c[1]), _median(a[2], b[2], c[2])


@kernel
def predict_mv(motion, mb_width, mb, lst, x, y, width, height, ref):
    """Return the predicted vector (x, y) in quarter samples of one partition that uses reference `ref` of list `lst`.

    motion   : MotionField; build it once outside the loop (passing the whole `Macroblocks` costs 5 times the time)
    mb_width : PicWidthInMbs
    """
    a, b, c = neighbour_motion(motion, mb_width, mb, lst, x, y, width)
    if width == 4 and height == 2:  # 16x8: above for the upper one, left for the lower one
        if y == 0:
            if b[0] == ref:
                return b[1], b[2]
        elif a[0] == ref:
            return a[1], a[2]
    elif width == 2 and height == 4:  # 8x16: left for the left one, above right for the right one
        if x == 0:
            if a[0] == ref:
                return a[1], a[2]
        elif c[0] == ref:
            return c[1], c[2]
    return median_mv(a, b, c, ref)


@kernel
def skip_mv(motion, mb_width, mb):
    """Return the vector of a P_Skip macroblock (8.4.1.1), which uses reference 0 of list 0."""
    a, b, c = neighbour_motion(motion, mb_width, mb, 0, 0, 0, 4)
    zero_a = a[0] == UNAVAILABLE_REFERENCE or (a[0] == 0 and a[1] == 0 and a[2] == 0)
    zero_b = b[0] == UNAVAILABLE_REFERENCE or (b[0] == 0 and b[1] == 0 and b[2] == 0)
    if zero_a or zero_b:
        return np.int64(0), np.int64(0)
    return median_mv(a, b, c, 0)
