"""Packed vectors, their prediction, and what motion derivation of a slice is given (H.264 8.4.1.3).

A vector is one int32: x in the low half, y in the high one, quarter samples.
"""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.macroblock import INTER_8X16, INTER_16X8
from asic_model.kernel_cache import kernel

# Variants of a reference list: of frame macroblocks (and of field pictures, where entries are fields), and of the top
# and bottom field macroblocks of MBAFF (8.4.2.1: entry i is a field of frame entry i >> 1, of equal parity if i is
# even).
LIST_SIZE = 32
VARIANTS = 3

# Coding structure of the co-located picture
COL_NONE = -1  # no motion is known: as if all of it were intra
COL_FRAME = 0
COL_MBAFF = 1
COL_FIELDS = 2

NO_SCALE = 0x7FFF

# What stands for a reference index where there is none
NOT_AVAILABLE = -2
UNUSED = -1  # intra, or the list is not used
# Neighbour cache, a list in 40 entries: 4x4 block (x, y) at ORIGIN + 8 * y + x, x in -1..4, y in -1..3. With MBAFF the
# block to the left of and above (0, y) is not the one to the left of (0, y - 1): it stands at x = LEFT_ABOVE.
CACHE = 40
ORIGIN = 9
LEFT_ABOVE = 6


class MotionSlice(NamedTuple):
    """What derivation depends on besides the record, all integers."""

    slice_id: int
    is_b: int
    spatial: int  # direct_spatial_mv_pred_flag
    inference: int  # direct_8x8_inference_flag
    mbaff: int
    field_picture: int
    bottom_field: int
    mb_width: int
    first_mb: int
    macroblocks: int  # macroblocks of the slice, from first_mb on
    ref_count_0: int  # entries of list 0 (frames for MBAFF)
    col_structure: int  # COL_*
    col_parity: (
        int  # field of the co-located picture: its own in a field picture, the nearer one in a frame (8.4.1.2.1)
    )
    col_field_mbs: int  # macroblocks of one field of the co-located picture: where its bottom field begins
    col_short_term: int  # RefPicList1[0] is a short-term reference
    keep: int  # later pictures may look at this one's motion


class MotionTables(NamedTuple):
    """Reference lists as arrays [VARIANTS, 2, LIST_SIZE], flat.

    ids        int32   identity of the picture: 4 * number + structure (0 frame, 1 top field, 2 bottom field)
    scale      int16   DistScaleFactor of list 0 entries towards RefPicList1[0] (8.4.1.2.3); 0x7FFF: do not scale
                       (long-term, or no distance). List 1 unused.
    """

    ids: np.ndarray
    scale: np.ndarray


class ColocatedMotion(NamedTuple):
    """What a picture leaves behind for direct prediction, by macroblock address; fields one behind the other.

    mv      int32[n * 16]  vector of each 4x4 block (raster), of list 0 if used, else of list 1
    ref_idx int8[n * 4]    its index, -1: intra
    ref_id  int32[n * 4]   its picture, as in MotionTables.ids
    field   uint8[n]       field macroblock
    """

    mv: np.ndarray
    ref_idx: np.ndarray
    ref_id: np.ndarray
    field: np.ndarray


@kernel
def mv_x(packed):
    return ((packed & 0xFFFF) ^ 0x8000) - 0x8000


@kernel
def pack(x, y):
    return np.int32((x & 0xFFFF) | (((y & 0xFFFF) ^ 0x8000) - 0x8000) << 16)


@kernel
def _median(a, b, c):
    return max(min(a, b), min(max(a, b), c))


@kernel
def median_mv(ref_a, mv_a, ref_b, mv_b, ref_c, mv_c, ref):
    """Median prediction (8.4.1.3.1) on packed vectors; unused ones are zero."""
    if ref_b == NOT_AVAILABLE and ref_c == NOT_AVAILABLE and ref_a != NOT_AVAILABLE:
        return mv_a
    same_a, same_b, same_c = ref_a == ref, ref_b == ref, ref_c == ref
    matches = np.int64(same_a) + np.int64(same_b) + np.int64(same_c)
    if matches == 1:
        if same_a:
            return mv_a
        if same_b:
            return mv_b
        return mv_c
    return np.int64(pack(_median(mv_x(mv_a), mv_x(mv_b), mv_x(mv_c)), _median(mv_a >> 16, mv_b >> 16, mv_c >> 16)))


@kernel
def predict(cache_ref, cache_mv, at, width, ref, shape, part, mixed):
    """Predicted vector, packed, of the partition whose first block stands at `at` of the cache (8.4.1.3)."""
    ref_a, mv_a = np.int64(cache_ref[at - 1]), np.int64(cache_mv[at - 1])
    ref_b, mv_b = np.int64(cache_ref[at - 8]), np.int64(cache_mv[at - 8])
    other = at - 8 + width
    if cache_ref[other] == NOT_AVAILABLE:
        other = at - 9
        if mixed and (at & 7) == 1 and at % CACHE != ORIGIN:
            other = at + LEFT_ABOVE
    ref_c, mv_c = np.int64(cache_ref[other]), np.int64(cache_mv[other])
    if shape == INTER_16X8:
        if part == 0:
            if ref_b == ref:
                return mv_b
        elif ref_a == ref:
            return mv_a
    elif shape == INTER_8X16:
        if part == 0:
            if ref_a == ref:
                return mv_a
        elif ref_c == ref:
            return mv_c
    return median_mv(ref_a, mv_a, ref_b, mv_b, ref_c, mv_c, ref)


@kernel
def fill(array, base, x, y, width, height, value):
    """array[base + 4 * row + column] = value over a partition (4x4 block units)."""
    for row in range(height):
        at = base + 4 * (y + row) + x
        for column in range(width):
            array[at + column] = value


@kernel
def fill_16(array, base, value):
    """All blocks of a macroblock."""
    for i in range(16):
        array[base + i] = value
