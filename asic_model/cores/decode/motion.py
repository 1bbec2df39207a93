"""Motion vectors and reference indices of one slice, from the parsed differences (H.264 8.4.1).

What coded syntax leaves open is derived here: predicted vectors, P_Skip, and direct prediction, with co-located
pictures of every coding structure; frame, field and MBAFF pictures.

`codecs.h264.motion_prediction` is the same prediction for pictures without MBAFF, one partition at a time; here a whole
slice runs over packed vectors, and macroblocks of more than one partition over a small cache of what surrounds them.
"""

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
from asic_model.cores.decode.direct import direct_spatial, direct_temporal
from asic_model.cores.decode.neighbour_cache import (
    cached_neighbours,
    load_list,
    load_list_mbaff,
    macroblock_neighbours,
)
from asic_model.cores.decode.vectors import (
    CACHE,
    LIST_SIZE,
    NOT_AVAILABLE,
    ORIGIN,
    UNUSED,
    fill,
    fill_16,
    median_mv,
    pack,
    predict,
)
from asic_model.engines.parse.neighbours import find_neighbours, find_neighbours_mbaff, find_pairs
from asic_model.kernel_cache import kernel


@kernel
def _add(predicted, difference):
    """Vector plus difference, both packed."""
    return pack(predicted + difference, (predicted >> 16) + (difference >> 16))


@kernel
def _partitions(
    cache_ref, cache_mv, sub_type, ref_idx, mv, mvd, mb, shape, lst, mixed
):  # fmt: skip
    """Vectors of one list of an INTER_* macroblock: prediction plus difference, partition by partition.

    Direct quadrants already hold their vectors.
    """
    origin = lst * CACHE + ORIGIN
    base = (mb * 2 + lst) * 16
    refs = (mb * 2 + lst) * 4
    if shape == INTER_16X16:
        ref = np.int64(ref_idx[refs])
        if ref >= 0:
            predicted = predict(cache_ref, cache_mv, origin, 4, ref, shape, 0, mixed)
            packed = _add(predicted, np.int64(mvd[base]))
            fill_16(mv, base, packed)
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
                predicted = predict(cache_ref, cache_mv, at, width, ref, shape, part, mixed)
                packed = _add(predicted, np.int64(mvd[base + 4 * y + x]))
                fill(mv, base, x, y, width, height, packed)
            if part == 0:
                for row in range(height):
                    for column in range(width):
                        cache_ref[at + 8 * row + column] = ref
                        cache_mv[at + 8 * row + column] = packed
        return
    for row in range(4):
        for column in range(4):
            cache_ref[origin + 8 * row + column] = NOT_AVAILABLE
    for part in range(4):
        x0, y0 = (part & 1) * 2, part & 2
        ref = np.int64(ref_idx[refs + part])
        sub = sub_type[mb * 4 + part]
        if sub == SUB_DIRECT or ref < 0:
            for i in range(4):
                at = origin + 8 * (y0 + (i >> 1)) + x0 + (i & 1)
                cache_ref[at] = max(ref, UNUSED)
                cache_mv[at] = mv[base + 4 * (y0 + (i >> 1)) + x0 + (i & 1)] if ref >= 0 else 0
            continue
        width = 2 if sub <= 1 else 1
        height = 2 if sub == 0 or sub == 2 else 1
        for y in range(y0, y0 + 2, height):
            for x in range(x0, x0 + 2, width):
                at = origin + 8 * y + x
                predicted = predict(cache_ref, cache_mv, at, width, ref, shape, part, mixed)
                packed = _add(predicted, np.int64(mvd[base + 4 * y + x]))
                fill(mv, base, x, y, width, height, packed)
                for row in range(height):
                    for column in range(width):
                        cache_ref[at + 8 * row + column] = ref
                        cache_mv[at + 8 * row + column] = packed


@kernel
def _available(slice_of, slice_id, there, mb):
    """`mb` if it is in the picture (`there`) and belongs to the slice, else -1."""
    return mb if there and mb >= 0 and slice_of[mb] == slice_id else np.int64(-1)


@kernel
def derive_motion(s, m, t, col, nb, cache_ref, cache_mv, ref_pic, uniform):
    """Fill mv and ref_idx of all inter macroblocks of one slice, and `ref_pic`.

    s        : MotionSlice
    m        : `Macroblocks`, all arrays flat; mv and mvd as int32 with x in the low half
    t, col   : MotionTables, ColocatedMotion (of RefPicList1[0])
    nb, cache_ref, cache_mv : scratch: int64[NEIGHBOURS_SIZE], int32[80], int32[80]; cache_ref starts out as -2
    ref_pic  : int32[n * 8], out: identity (MotionTables.ids) of the picture each quadrant refers to,
               [mb][list][quadrant], -1 where the list is not used; filled if s.keep
    uniform  : uint8[n], out: 1 if the macroblock has one vector a list
    """
    m_type, slice_of, field_of, sub_type = m.mb_type, m.slice_id, m.field, m.sub_type
    ref_idx, mv, mvd = m.ref_idx, m.mv, m.mvd
    ids, scales = t.ids, t.scale
    col_mv, col_ref_idx, col_ref_id, col_field = col.mv, col.ref_idx, col.ref_id, col.field
    width, slice_id = s.mb_width, s.slice_id
    mbaff = s.mbaff != 0
    lists = 2 if s.is_b else 1
    place = s.first_mb >> 1 if mbaff else s.first_mb
    mb_x, mb_y = place % width, place // width
    for mb in range(s.first_mb, s.first_mb + s.macroblocks):
        kind = m_type[mb]
        if kind > I_PCM:
            is_field = field_of[mb] != 0
            direct = kind == B_SKIP or kind == B_DIRECT_16X16
            quadrants = 15 if direct else 0  # predicted direct
            if kind == INTER_8X8 and s.is_b:
                for part in range(4):
                    if sub_type[mb * 4 + part] == SUB_DIRECT:
                        quadrants |= 1 << part
            mixed = 0
            left = above = above_left = above_right = np.int64(-1)
            if mbaff:
                pair = mb & ~1
                find_pairs(nb, pair, width, slice_of, slice_id)
                find_neighbours_mbaff(nb, mb, field_of)
                above_left = _available(slice_of, slice_id, mb_x > 0, pair - 2 * width - 2)
                above_right = _available(slice_of, slice_id, mb_x + 1 < width, pair - 2 * width + 2)
                for lst in range(lists):
                    mixed = load_list_mbaff(
                        cache_ref, cache_mv, lst, nb, ref_idx, mv, field_of, mb, above_left, above_right
                    )
                near_0 = cached_neighbours(cache_ref, cache_mv, 0)
                near_1 = cached_neighbours(cache_ref, cache_mv, 1)
            else:
                left = _available(slice_of, slice_id, mb_x > 0, mb - 1)
                above = _available(slice_of, slice_id, True, mb - width)
                above_left = _available(slice_of, slice_id, mb_x > 0, mb - width - 1)
                above_right = _available(slice_of, slice_id, mb_x + 1 < width, mb - width + 1)
                near_0 = macroblock_neighbours(ref_idx, mv, 0, left, above, above_left, above_right)
                near_1 = near_0
                if s.is_b:
                    near_1 = macroblock_neighbours(ref_idx, mv, 1, left, above, above_left, above_right)

            if kind == P_SKIP:
                ref_a, mv_a, ref_b, mv_b, ref_c, mv_c = near_0
                packed = np.int64(0)
                still_a = ref_a == NOT_AVAILABLE or (ref_a == 0 and mv_a == 0)
                still_b = ref_b == NOT_AVAILABLE or (ref_b == 0 and mv_b == 0)
                if not still_a and not still_b:
                    packed = median_mv(ref_a, mv_a, ref_b, mv_b, ref_c, mv_c, 0)
                fill_16(mv, mb * 32, packed)
                for i in range(4):
                    ref_idx[mb * 8 + i] = 0
                uniform[mb] = 1
            elif quadrants:
                if s.spatial:
                    uniform[mb] = direct_spatial(
                        s, col_mv, col_ref_idx, col_field, near_0, near_1, ref_idx, mv, mb, mb_x, mb_y, is_field,
                        quadrants,
                    )  # fmt: skip
                else:
                    direct_temporal(
                        s, ids, scales, col_mv, col_ref_idx, col_ref_id, col_field, ref_idx, mv, mb, mb_x, mb_y,
                        is_field, quadrants,
                    )  # fmt: skip
                    uniform[mb] = 0
            else:
                uniform[mb] = 1 if kind == INTER_16X16 else 0
            if kind == INTER_16X16:
                for lst in range(lists):
                    ref = np.int64(ref_idx[mb * 8 + 4 * lst])
                    if ref >= 0:
                        ref_a, mv_a, ref_b, mv_b, ref_c, mv_c = near_1 if lst else near_0
                        base = mb * 32 + 16 * lst
                        predicted = median_mv(ref_a, mv_a, ref_b, mv_b, ref_c, mv_c, ref)
                        fill_16(mv, base, _add(predicted, np.int64(mvd[base])))
            elif INTER_16X16 < kind <= INTER_8X8:
                if not mbaff:
                    find_neighbours(nb, mb, mb_x, width, slice_of, slice_id)
                    for lst in range(lists):
                        load_list(cache_ref, cache_mv, lst, nb, ref_idx, mv, above_left, above_right)
                for lst in range(lists):
                    _partitions(cache_ref, cache_mv, sub_type, ref_idx, mv, mvd, mb, kind, lst, mixed)
            if s.keep:
                base = (1 + (mb & 1)) * 2 * LIST_SIZE if mbaff and is_field else 0
                for lst in range(2):
                    for i in range(4):
                        ref = np.int64(ref_idx[mb * 8 + lst * 4 + i])
                        ref_pic[mb * 8 + lst * 4 + i] = ids[base + lst * LIST_SIZE + ref] if ref >= 0 else -1
        if not mbaff or mb & 1:
            mb_x += 1
            if mb_x == width:
                mb_x = 0
                mb_y += 1


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
