"""Motion vectors and reference indices of one slice, from the parsed differences (H.264 8.4.1).

What S-coded syntax leaves open is derived here: predicted vectors, P_Skip, and direct prediction, spatial and temporal,
with co-located pictures of every coding structure; frame, field and MBAFF pictures.

`codecs.h264.motion_prediction` is the same prediction for pictures without MBAFF, one partition at a time; here a whole
slice runs over a small cache of the neighbouring vectors, in which MBAFF's scaling is done once a neighbour. The median
rule itself is shared.
"""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.macroblock import (
    B_DIRECT_16X16,
    B_SKIP,
    I_PCM,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    P_SKIP,
    SUB_DIRECT,
)
from asic_model.engines.parse.neighbours import (
    ABOVE,
    LEFT,
    LEFT_PAIR,
    LEFT_ROW,
    find_neighbours,
    find_neighbours_mbaff,
    find_pairs,
)
from asic_model.kernel_cache import kernel

# Variants of a reference list: of frame macroblocks (and of field pictures, where entries are fields), and of the top
# and bottom field macroblocks of MBAFF (8.4.2.1: entry i is a field of frame entry i >> 1, of equal parity if i is even).
LIST_SIZE = 32
VARIANTS = 3

# Coding structure of the co-located picture
COL_NONE = -1  # no motion is known: as if all of it were intra
COL_FRAME = 0
COL_MBAFF = 1
COL_FIELDS = 2

_NOT_AVAILABLE = -2
_INTRA = -1
# Neighbour cache, a list in 40 entries: 4x4 block (x, y) at 9 + 8 * y + x, x in -1..4, y in -1..3. With MBAFF the block
# to the left of and above (0, y) is not the one to the left of (0, y - 1): it stands at x = 6.
_CACHE = 40
_ORIGIN = 9
_LEFT_ABOVE = 6


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
    count: int  # macroblocks of the slice, from first_mb on
    ref_count_0: int  # entries of list 0 (frames for MBAFF)
    col_structure: int  # COL_*
    col_parity: (
        int  # field of the co-located picture: its own in a field picture, the nearer one in a frame (8.4.1.2.1)
    )
    col_field_mbs: int  # macroblocks of one field of the co-located picture: where its bottom field begins
    col_short_term: int  # RefPicList1[0] is a short-term reference


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


NO_SCALE = 0x7FFF


@kernel
def _mv_x(packed):
    return ((packed & 0xFFFF) ^ 0x8000) - 0x8000


@kernel
def _pack(x, y):
    return np.int32((x & 0xFFFF) | (((y & 0xFFFF) ^ 0x8000) - 0x8000) << 16)


@kernel
def _median(a, b, c):
    return max(min(a, b), min(max(a, b), c))


@kernel
def _median_mv(ref_a, mv_a, ref_b, mv_b, ref_c, mv_c, ref):
    """Median prediction (8.4.1.3.1) on packed vectors; unused ones are zero."""
    if ref_b == _NOT_AVAILABLE and ref_c == _NOT_AVAILABLE and ref_a != _NOT_AVAILABLE:
        return mv_a
    same_a, same_b, same_c = ref_a == ref, ref_b == ref, ref_c == ref
    matches = np.int64(same_a) + np.int64(same_b) + np.int64(same_c)
    if matches == 1:
        if same_a:
            return mv_a
        if same_b:
            return mv_b
        return mv_c
    return np.int64(_pack(_median(_mv_x(mv_a), _mv_x(mv_b), _mv_x(mv_c)), _median(mv_a >> 16, mv_b >> 16, mv_c >> 16)))


@kernel
def _predict(cache_ref, cache_mv, at, width, ref, shape, part, mixed):
    """Predicted vector, packed, of the partition whose first block stands at `at` of the cache (8.4.1.3)."""
    ref_a, mv_a = np.int64(cache_ref[at - 1]), np.int64(cache_mv[at - 1])
    ref_b, mv_b = np.int64(cache_ref[at - 8]), np.int64(cache_mv[at - 8])
    other = at - 8 + width
    if cache_ref[other] == _NOT_AVAILABLE:
        other = at - 9
        if mixed and (at & 7) == 1 and at % _CACHE != _ORIGIN:
            other = at + _LEFT_ABOVE
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
    return _median_mv(ref_a, mv_a, ref_b, mv_b, ref_c, mv_c, ref)


@kernel
def _put(cache_ref, cache_mv, at, ref_idx, mv, mb, lst, block, scaling):
    """Enter 4x4 block `block` (raster) of neighbour `mb` (-1: not there) into the cache.

    scaling : 0 as it is, 1 current is a field and the neighbour a frame macroblock, 2 the other way round (8.4.1.3.2)
    """
    if mb < 0:
        cache_ref[at] = _NOT_AVAILABLE
        cache_mv[at] = 0
        return
    ref = np.int64(ref_idx[(mb * 2 + lst) * 4 + (block >> 3) * 2 + ((block >> 1) & 1)])
    if ref < 0:
        cache_ref[at] = _INTRA
        cache_mv[at] = 0
        return
    packed = np.int64(mv[(mb * 2 + lst) * 16 + block])
    if scaling == 1:
        y = packed >> 16
        ref *= 2
        packed = np.int64(_pack(packed, (y + (1 if y < 0 else 0)) >> 1))  # towards zero
    elif scaling == 2:
        ref >>= 1
        packed = np.int64(_pack(packed, (packed >> 16) * 2))
    cache_ref[at] = ref
    cache_mv[at] = packed


@kernel
def _load_list(cache_ref, cache_mv, lst, nb, ref_idx, mv, above_left, above_right):
    """Fill the border of the cache for one list; frame and field pictures."""
    origin = lst * _CACHE + _ORIGIN
    left, above = nb[LEFT], nb[ABOVE]
    for i in range(4):
        _put(cache_ref, cache_mv, origin + 8 * i - 1, ref_idx, mv, left, lst, 4 * i + 3, 0)
        _put(cache_ref, cache_mv, origin - 8 + i, ref_idx, mv, above, lst, 12 + i, 0)
    _put(cache_ref, cache_mv, origin - 9, ref_idx, mv, above_left, lst, 15, 0)
    _put(cache_ref, cache_mv, origin - 4, ref_idx, mv, above_right, lst, 12, 0)


@kernel
def _scaling(field_of, mb, other):
    if other < 0 or field_of[mb] == field_of[other]:
        return 0
    return 1 if field_of[mb] else 2


@kernel
def _load_list_mbaff(cache_ref, cache_mv, lst, nb, ref_idx, mv, field_of, mb, left_above_pair, right_above_pair):
    """Fill the border of the cache for one list; MBAFF (6.4.12.2). Returns 1 where the left pair is of another kind."""
    origin = lst * _CACHE + _ORIGIN
    is_field = field_of[mb] != 0
    bottom = mb & 1
    above = nb[ABOVE]
    scaling = _scaling(field_of, mb, above)
    for i in range(4):
        _put(cache_ref, cache_mv, origin - 8 + i, ref_idx, mv, above, lst, 12 + i, scaling)
    left_pair = nb[LEFT_PAIR]
    scaling = _scaling(field_of, mb, left_pair)
    for i in range(4):
        _put(cache_ref, cache_mv, origin + 8 * i - 1, ref_idx, mv, nb[LEFT + i], lst, 4 * nb[LEFT_ROW + i] + 3, scaling)
        if scaling and i:  # beside the sample row above block row i
            if is_field:
                other = left_pair + (1 if i == 3 else 0)
                row = 3 if i == 2 else 1
            else:
                other = left_pair + 1
                row = (4 * i - 1 + 16 * bottom) >> 3
            _put(cache_ref, cache_mv, origin + 8 * i + _LEFT_ABOVE, ref_idx, mv, other, lst, 4 * row + 3, scaling)
    # above left
    other = left_above_pair
    row = 3
    if bottom and not is_field:
        other = left_pair
        if left_pair >= 0 and scaling:
            other = left_pair + 1  # row 15 of the pair is row 7 of its bottom field
            row = 1
    elif other >= 0 and not (is_field and not bottom and field_of[other] != 0):
        other += 1
    _put(cache_ref, cache_mv, origin - 9, ref_idx, mv, other, lst, 4 * row + 3, _scaling(field_of, mb, other))
    # above right
    other = right_above_pair
    if bottom and not is_field:
        other = np.int64(-1)
    elif other >= 0 and not (is_field and not bottom and field_of[other] != 0):
        other += 1
    _put(cache_ref, cache_mv, origin - 4, ref_idx, mv, other, lst, 12, _scaling(field_of, mb, other))
    return 1 if scaling else 0


@kernel
def _fill(array, base, x, y, width, height, value):
    for row in range(y, y + height):
        for column in range(x, x + width):
            array[base + 4 * row + column] = value


@kernel
def _colocated_block(s, col_field, mb, x, y, is_field, part):
    """Where the co-located block of quadrant `part` stands (8.4.1.2.1, Table 8-6).

    Returns (macroblock, 4x4 block, quadrant, vertical scale: 0 one to one, 1 frame to field, 2 field to frame).
    x, y : column and row of the macroblock in its picture; for MBAFF the row is the pair's
    """
    x8, y8 = part & 1, part >> 1
    structure = s.col_structure
    bottom = mb & 1
    corner = 12 * y8 + 3 * x8
    if s.field_picture:
        if structure == COL_FIELDS:
            return mb + s.col_parity * s.col_field_mbs, corner, part, 0
        if structure == COL_FRAME:
            return (2 * y + y8) * s.mb_width + x, 8 * y8 + 3 * x8, part, 1
        if col_field[2 * mb]:
            return 2 * mb + s.bottom_field, corner, part, 0
        return 2 * mb + y8, 8 * y8 + 3 * x8, part, 1
    if not s.mbaff:
        if structure == COL_FRAME:
            return mb, corner, part, 0
        half = y & 1
        if structure == COL_FIELDS:
            other = (y >> 1) * s.mb_width + x + s.col_parity * s.col_field_mbs
            return other, 4 * (2 * half + y8) + 3 * x8, 2 * half + x8, 2
        return 2 * ((y >> 1) * s.mb_width + x) + half, corner, part, 0
    if structure == COL_FIELDS:
        if is_field:
            return (mb >> 1) + bottom * s.col_field_mbs, corner, part, 0
        other = (mb >> 1) + s.col_parity * s.col_field_mbs
        return other, 4 * (2 * bottom + y8) + 3 * x8, 2 * bottom + x8, 2
    if (col_field[mb] != 0) == is_field:
        return mb, corner, part, 0
    if is_field:
        return (mb & ~1) + y8, 8 * y8 + 3 * x8, part, 1
    return (mb & ~1) + s.col_parity, 4 * (2 * bottom + y8) + 3 * x8, 2 * bottom + x8, 2


@kernel
def _direct_spatial(
    s, col_mv, col_ref_idx, col_field, cache_ref, cache_mv, ref_idx, mv, mb, x, y, is_field, quadrants
):  # fmt: skip
    """Spatial direct prediction (8.4.1.2.2) of the quadrants in the bit mask `quadrants`."""
    refs = (np.int64(-1), np.int64(-1))
    vectors = (np.int64(0), np.int64(0))
    for lst in range(2):
        at = lst * _CACHE + _ORIGIN
        ref_a, ref_b = np.int64(cache_ref[at - 1]), np.int64(cache_ref[at - 8])
        other = at - 4 if cache_ref[at - 4] != _NOT_AVAILABLE else at - 9
        ref_c = np.int64(cache_ref[other])
        ref = np.int64(-1)  # MinPositive of the three
        if ref_a >= 0:
            ref = ref_a
        if ref_b >= 0 and (ref < 0 or ref_b < ref):
            ref = ref_b
        if ref_c >= 0 and (ref < 0 or ref_c < ref):
            ref = ref_c
        if ref >= 0:
            vector = _median_mv(
                ref_a, np.int64(cache_mv[at - 1]), ref_b, np.int64(cache_mv[at - 8]), ref_c,
                np.int64(cache_mv[other]), ref,
            )  # fmt: skip
            refs = (ref, refs[1]) if lst == 0 else (refs[0], ref)
            vectors = (vector, vectors[1]) if lst == 0 else (vectors[0], vector)
    ref_0, ref_1 = refs
    mv_0, mv_1 = vectors
    if ref_0 < 0 and ref_1 < 0:
        ref_0 = ref_1 = np.int64(0)
    # colZeroFlag changes a vector only where an index is 0
    looks = (
        s.col_short_term and s.col_structure != COL_NONE and ((ref_0 == 0 and mv_0 != 0) or (ref_1 == 0 and mv_1 != 0))
    )
    for part in range(4):
        if not (quadrants >> part) & 1:
            continue
        ref_idx[mb * 8 + part] = ref_0
        ref_idx[mb * 8 + 4 + part] = ref_1
        x4, y4 = (part & 1) * 2, part & 2
        if looks and not s.inference:
            for i in range(4):
                block = 4 * (y4 + (i >> 1)) + x4 + (i & 1)
                still = col_ref_idx[mb * 4 + part] == 0
                vector = np.int64(col_mv[mb * 16 + block])
                still = still and abs(_mv_x(vector)) <= 1 and abs(vector >> 16) <= 1
                mv[mb * 32 + block] = 0 if still and ref_0 == 0 else mv_0
                mv[mb * 32 + 16 + block] = 0 if still and ref_1 == 0 else mv_1
            continue
        still = False
        if looks:
            other, block, quadrant, _ = _colocated_block(s, col_field, mb, x, y, is_field, part)
            if col_ref_idx[other * 4 + quadrant] == 0:
                vector = np.int64(col_mv[other * 16 + block])
                still = abs(_mv_x(vector)) <= 1 and abs(vector >> 16) <= 1
        _fill(mv, mb * 32, x4, y4, 2, 2, 0 if still and ref_0 == 0 else mv_0)
        _fill(mv, mb * 32 + 16, x4, y4, 2, 2, 0 if still and ref_1 == 0 else mv_1)


@kernel
def _direct_temporal(
    s, ids, scales, col_mv, col_ref_idx, col_ref_id, col_field, ref_idx, mv, mb, x, y, is_field, quadrants
):  # fmt: skip
    """Temporal direct prediction (8.4.1.2.3) of the quadrants in the bit mask `quadrants`."""
    variant = 0
    count = s.ref_count_0
    structure = 0  # of the references that this macroblock may name
    if s.mbaff and is_field:
        variant = 1 + (mb & 1)
        count *= 2
        structure = variant
    elif s.field_picture:
        structure = 1 + s.bottom_field
    base = variant * 2 * LIST_SIZE
    for part in range(4):
        if not (quadrants >> part) & 1:
            continue
        x4, y4 = (part & 1) * 2, part & 2
        other, corner, quadrant, vertical = np.int64(0), np.int64(0), np.int64(0), 0
        ref_0 = np.int64(0)
        known = False
        if s.col_structure != COL_NONE:
            other, corner, quadrant, vertical = _colocated_block(s, col_field, mb, x, y, is_field, part)
            known = col_ref_idx[other * 4 + quadrant] >= 0
        if known:
            wanted = np.int64(col_ref_id[other * 4 + quadrant])
            if structure == 0:
                wanted &= ~3  # the frame of a field
            elif wanted & 3 == 0:
                wanted |= structure  # the field of a frame that has the current parity
            for i in range(count):
                if ids[base + i] == wanted:
                    ref_0 = i
                    break
        scale = np.int64(scales[base + ref_0])
        ref_idx[mb * 8 + part] = ref_0
        ref_idx[mb * 8 + 4 + part] = 0
        for i in range(4):
            block = 4 * (y4 + (i >> 1)) + x4 + (i & 1)
            vector_0 = np.int64(0)
            vector_1 = np.int64(0)
            if known:
                packed = np.int64(col_mv[other * 16 + (corner if s.inference else block)])
                mv_x, mv_y = _mv_x(packed), packed >> 16
                if vertical == 1:
                    mv_y = (mv_y + (1 if mv_y < 0 else 0)) >> 1
                elif vertical == 2:
                    mv_y *= 2
                if scale == NO_SCALE:
                    vector_0 = np.int64(_pack(mv_x, mv_y))
                else:
                    x_0 = (scale * mv_x + 128) >> 8
                    y_0 = (scale * mv_y + 128) >> 8
                    vector_0 = np.int64(_pack(x_0, y_0))
                    vector_1 = np.int64(_pack(x_0 - mv_x, y_0 - mv_y))
            mv[mb * 32 + block] = vector_0
            mv[mb * 32 + 16 + block] = vector_1


@kernel
def _partitions(
    cache_ref, cache_mv, sub_type, ref_idx, mv, mvd, mb, shape, lst, mixed
):  # fmt: skip
    """Vectors of one list of an INTER_* macroblock: prediction plus difference, partition by partition.

    Direct quadrants already hold their vectors.
    """
    origin = lst * _CACHE + _ORIGIN
    base = (mb * 2 + lst) * 16
    refs = (mb * 2 + lst) * 4
    if shape == INTER_16X16:
        ref = np.int64(ref_idx[refs])
        if ref >= 0:
            predicted = _predict(cache_ref, cache_mv, origin, 4, ref, shape, 0, mixed)
            difference = np.int64(mvd[base])
            packed = _pack(predicted + difference, (predicted >> 16) + (difference >> 16))
            for i in range(16):
                mv[base + i] = packed
        return
    if shape != INTER_8X8:
        for part in range(2):
            x = 2 * part if shape == INTER_8X16 else 0
            y = 2 * part if shape == INTER_16X8 else 0
            width = 2 if shape == INTER_8X16 else 4
            height = 2 if shape == INTER_16X8 else 4
            at = origin + 8 * y + x
            ref = np.int64(ref_idx[refs + y + (x >> 1)])
            packed = np.int32(0)
            if ref >= 0:
                predicted = _predict(cache_ref, cache_mv, at, width, ref, shape, part, mixed)
                difference = np.int64(mvd[base + 4 * y + x])
                packed = _pack(predicted + difference, (predicted >> 16) + (difference >> 16))
                _fill(mv, base, x, y, width, height, packed)
            if part == 0:
                for row in range(height):
                    for column in range(width):
                        cache_ref[at + 8 * row + column] = ref
                        cache_mv[at + 8 * row + column] = packed
        return
    for row in range(4):
        for column in range(4):
            cache_ref[origin + 8 * row + column] = _NOT_AVAILABLE
    for part in range(4):
        x0, y0 = (part & 1) * 2, part & 2
        ref = np.int64(ref_idx[refs + part])
        sub = sub_type[mb * 4 + part]
        if sub == SUB_DIRECT or ref < 0:
            for i in range(4):
                at = origin + 8 * (y0 + (i >> 1)) + x0 + (i & 1)
                cache_ref[at] = max(ref, _INTRA)
                cache_mv[at] = mv[base + 4 * (y0 + (i >> 1)) + x0 + (i & 1)] if ref >= 0 else 0
            continue
        width = 2 if sub <= 1 else 1
        height = 2 if sub == 0 or sub == 2 else 1
        for y in range(y0, y0 + 2, height):
            for x in range(x0, x0 + 2, width):
                at = origin + 8 * y + x
                predicted = _predict(cache_ref, cache_mv, at, width, ref, shape, part, mixed)
                difference = np.int64(mvd[base + 4 * y + x])
                packed = _pack(predicted + difference, (predicted >> 16) + (difference >> 16))
                _fill(mv, base, x, y, width, height, packed)
                for row in range(height):
                    for column in range(width):
                        cache_ref[at + 8 * row + column] = ref
                        cache_mv[at + 8 * row + column] = packed


@kernel
def derive_motion(s, m, t, col, nb, cache_ref, cache_mv, ref_pic):
    """Fill mv and ref_idx of all inter macroblocks of one slice, and `ref_pic`.

    s        : MotionSlice
    m        : `Macroblocks`, all arrays flat; mv and mvd as int32 with x in the low half
    t, col   : MotionTables, ColocatedMotion (of RefPicList1[0])
    nb, cache_ref, cache_mv : scratch: int64[NEIGHBOURS_SIZE], int32[80], int32[80]; cache_ref starts out as -2
    ref_pic  : int32[n * 8], out: identity (MotionTables.ids) of the picture each quadrant refers to, [mb][list][quadrant];
               -1 where the list is not used. Intra macroblocks too.
    """
    m_type, slice_of, field_of, sub_type = m.mb_type, m.slice_id, m.field, m.sub_type
    ref_idx, mv, mvd = m.ref_idx, m.mv, m.mvd
    ids, scales = t.ids, t.scale
    col_mv, col_ref_idx, col_ref_id, col_field = col.mv, col.ref_idx, col.ref_id, col.field
    width = s.mb_width
    mbaff = s.mbaff
    lists = 2 if s.is_b else 1
    for mb in range(s.first_mb, s.first_mb + s.count):
        kind = m_type[mb]
        if kind <= I_PCM:
            for i in range(mb * 8, mb * 8 + 8):
                ref_pic[i] = -1
            continue
        place = mb >> 1 if mbaff else mb
        mb_x, mb_y = place % width, place // width
        is_field = field_of[mb] != 0
        mixed = 0
        # neighbours
        if mbaff:
            find_pairs(nb, mb & ~1, width, slice_of, s.slice_id)
            find_neighbours_mbaff(nb, mb, field_of)
            pair = mb & ~1
            other = pair - 2 * width - 2
            left_above = other if mb_x > 0 and other >= 0 and slice_of[other] == s.slice_id else np.int64(-1)
            other = pair - 2 * width + 2
            right_above = other if mb_x + 1 < width and other >= 0 and slice_of[other] == s.slice_id else np.int64(-1)
            for lst in range(lists):
                mixed = _load_list_mbaff(
                    cache_ref, cache_mv, lst, nb, ref_idx, mv, field_of, mb, left_above, right_above
                )
        else:
            find_neighbours(nb, mb, mb_x, width, slice_of, s.slice_id)
            other = mb - width - 1
            left_above = other if mb_x > 0 and other >= 0 and slice_of[other] == s.slice_id else np.int64(-1)
            other = mb - width + 1
            right_above = other if mb_x + 1 < width and other >= 0 and slice_of[other] == s.slice_id else np.int64(-1)
            for lst in range(lists):
                _load_list(cache_ref, cache_mv, lst, nb, ref_idx, mv, left_above, right_above)

        if kind == P_SKIP:
            at = _ORIGIN
            packed = np.int64(0)
            ref_a, ref_b = cache_ref[at - 1], cache_ref[at - 8]
            still_a = ref_a == _NOT_AVAILABLE or (ref_a == 0 and cache_mv[at - 1] == 0)
            still_b = ref_b == _NOT_AVAILABLE or (ref_b == 0 and cache_mv[at - 8] == 0)
            if not still_a and not still_b:
                packed = _predict(cache_ref, cache_mv, at, 4, 0, INTER_16X16, 0, mixed)
            for i in range(16):
                mv[mb * 32 + i] = packed
            for i in range(4):
                ref_idx[mb * 8 + i] = 0
                ref_idx[mb * 8 + 4 + i] = -1
        else:
            quadrants = 0
            if kind == B_SKIP or kind == B_DIRECT_16X16:
                quadrants = 15
            elif kind == INTER_8X8 and s.is_b:
                for part in range(4):
                    if sub_type[mb * 4 + part] == SUB_DIRECT:
                        quadrants |= 1 << part
            if quadrants:
                if s.spatial:
                    _direct_spatial(
                        s, col_mv, col_ref_idx, col_field, cache_ref, cache_mv, ref_idx, mv, mb, mb_x, mb_y, is_field,
                        quadrants,
                    )  # fmt: skip
                else:
                    _direct_temporal(
                        s, ids, scales, col_mv, col_ref_idx, col_ref_id, col_field, ref_idx, mv, mb, mb_x, mb_y,
                        is_field, quadrants,
                    )  # fmt: skip
            if quadrants != 15:
                for lst in range(lists):
                    _partitions(cache_ref, cache_mv, sub_type, ref_idx, mv, mvd, mb, kind, lst, mixed)
        base = (1 + (mb & 1)) * 2 * LIST_SIZE if mbaff and is_field else 0
        for lst in range(2):
            for i in range(4):
                ref = np.int64(ref_idx[mb * 8 + lst * 4 + i])
                ref_pic[mb * 8 + lst * 4 + i] = ids[base + lst * LIST_SIZE + ref] if ref >= 0 else -1


@kernel
def store_motion(m, ref_pic, mb_count, out):
    """Leave the picture's motion behind for direct prediction of later ones. out: ColocatedMotion of this picture."""
    m_type, field_of, ref_idx, mv = m.mb_type, m.field, m.ref_idx, m.mv
    out_mv, out_ref_idx, out_ref_id, out_field = out.mv, out.ref_idx, out.ref_id, out.field
    for mb in range(mb_count):
        out_field[mb] = field_of[mb]
        for part in range(4):
            lst = 0 if ref_idx[mb * 8 + part] >= 0 else 1
            ref = np.int64(ref_idx[mb * 8 + 4 * lst + part])
            if m_type[mb] <= I_PCM or m_type[mb] > B_DIRECT_16X16:
                ref = np.int64(-1)
            out_ref_idx[mb * 4 + part] = ref
            if ref >= 0:
                out_ref_id[mb * 4 + part] = ref_pic[mb * 8 + 4 * lst + part]
                first = 4 * (part & 2) + 2 * (part & 1)
                for i in range(4):
                    block = first + 4 * (i >> 1) + (i & 1)
                    out_mv[mb * 16 + block] = mv[(mb * 2 + lst) * 16 + block]
