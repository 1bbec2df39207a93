"""The cache of neighbouring vectors around one macroblock, with MBAFF's scaling done (H.264 6.4.12, 8.4.1.3.2)."""

import numpy as np

from asic_model.cores.decode.vectors import CACHE, LEFT_ABOVE, NOT_AVAILABLE, ORIGIN, UNUSED, pack
from asic_model.engines.parse.neighbours import ABOVE, LEFT, LEFT_PAIR, LEFT_ROW
from asic_model.kernel_cache import kernel


@kernel
def _put(cache_ref, cache_mv, at, ref_idx, mv, mb, lst, block, scaling):
    """Enter 4x4 block `block` (raster) of neighbour `mb` (-1: not there) into the cache.

    scaling : 0 as it is, 1 current is a field and the neighbour a frame macroblock, 2 the other way round (8.4.1.3.2)
    """
    if mb < 0:
        cache_ref[at] = NOT_AVAILABLE
        cache_mv[at] = 0
        return
    ref = np.int64(ref_idx[(mb * 2 + lst) * 4 + (block >> 3) * 2 + ((block >> 1) & 1)])
    if ref < 0:
        cache_ref[at] = UNUSED
        cache_mv[at] = 0
        return
    packed = np.int64(mv[(mb * 2 + lst) * 16 + block])
    if scaling == 1:
        y = packed >> 16
        ref *= 2
        packed = np.int64(pack(packed, (y + (1 if y < 0 else 0)) >> 1))  # towards zero
    elif scaling == 2:
        ref >>= 1
        packed = np.int64(pack(packed, (packed >> 16) * 2))
    cache_ref[at] = ref
    cache_mv[at] = packed


@kernel
def load_list(cache_ref, cache_mv, lst, nb, ref_idx, mv, above_left, above_right):
    """Fill the border of the cache for one list; frame and field pictures."""
    origin = lst * CACHE + ORIGIN
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
def load_list_mbaff(cache_ref, cache_mv, lst, nb, ref_idx, mv, field_of, mb, left_above_pair, right_above_pair):
    """Fill the border of the cache for one list; MBAFF (6.4.12.2). Returns 1 where the left pair is of another kind."""
    origin = lst * CACHE + ORIGIN
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
            _put(cache_ref, cache_mv, origin + 8 * i + LEFT_ABOVE, ref_idx, mv, other, lst, 4 * row + 3, scaling)
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
def block_motion(ref_idx, mv, mb, lst, block):
    """(reference index, vector) of 4x4 block `block` (raster) of macroblock `mb`, -1: not there."""
    if mb < 0:
        return np.int64(NOT_AVAILABLE), np.int64(0)
    ref = np.int64(ref_idx[(mb * 2 + lst) * 4 + (block >> 3) * 2 + ((block >> 1) & 1)])
    if ref < 0:
        return np.int64(UNUSED), np.int64(0)
    return ref, np.int64(mv[(mb * 2 + lst) * 16 + block])


@kernel
def macroblock_neighbours(ref_idx, mv, lst, left, above, above_left, above_right):
    """Neighbours A, B and C of a whole macroblock without MBAFF: (ref A, mv A, ref B, mv B, ref C, mv C)."""
    ref_a, mv_a = block_motion(ref_idx, mv, left, lst, 3)
    ref_b, mv_b = block_motion(ref_idx, mv, above, lst, 12)
    if above_right >= 0:
        ref_c, mv_c = block_motion(ref_idx, mv, above_right, lst, 12)
    else:
        ref_c, mv_c = block_motion(ref_idx, mv, above_left, lst, 15)
    return ref_a, mv_a, ref_b, mv_b, ref_c, mv_c


@kernel
def cached_neighbours(cache_ref, cache_mv, lst):
    """The same from the cache."""
    at = lst * CACHE + ORIGIN
    other = at - 4 if cache_ref[at - 4] != NOT_AVAILABLE else at - 9
    return (
        np.int64(cache_ref[at - 1]), np.int64(cache_mv[at - 1]), np.int64(cache_ref[at - 8]),
        np.int64(cache_mv[at - 8]), np.int64(cache_ref[other]), np.int64(cache_mv[other]),
    )  # fmt: skip
