"""Direct prediction: vectors of B_Skip, B_Direct_16x16 and direct sub-macroblocks (H.264 8.4.1.2)."""

import numpy as np

from asic_model.cores.decode.vectors import (
    COL_FIELDS,
    COL_FRAME,
    COL_NONE,
    LIST_SIZE,
    NO_SCALE,
    fill,
    fill_16,
    median_mv,
    mv_x,
    pack,
)
from asic_model.kernel_cache import kernel


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
def _lowest(a, b, c):
    """MinPositive of three reference indices (8-188); -1 if none is used."""
    ref = np.int64(-1)
    if a >= 0:
        ref = a
    if b >= 0 and (ref < 0 or b < ref):
        ref = b
    if c >= 0 and (ref < 0 or c < ref):
        ref = c
    return ref


@kernel
def _stands_still(col_mv, col_ref_idx, mb, block, quadrant):
    """colZeroFlag but for RefPicList1[0] being short-term."""
    if col_ref_idx[mb * 4 + quadrant] != 0:
        return False
    vector = np.int64(col_mv[mb * 16 + block])
    return abs(mv_x(vector)) <= 1 and abs(vector >> 16) <= 1


@kernel
def direct_spatial(s, col_mv, col_ref_idx, col_field, near_0, near_1, ref_idx, mv, mb, x, y, is_field, quadrants):
    """Spatial direct prediction (8.4.1.2.2) of the quadrants in the bit mask `quadrants`.

    near_0, near_1 : neighbours A, B, C of the macroblock in either list: (ref A, mv A, ref B, mv B, ref C, mv C)
    Returns 1 if all of it has one vector a list.
    """
    ref_0 = _lowest(near_0[0], near_0[2], near_0[4])
    ref_1 = _lowest(near_1[0], near_1[2], near_1[4])
    mv_0 = mv_1 = np.int64(0)
    if ref_0 >= 0:
        mv_0 = median_mv(near_0[0], near_0[1], near_0[2], near_0[3], near_0[4], near_0[5], ref_0)
    if ref_1 >= 0:
        mv_1 = median_mv(near_1[0], near_1[1], near_1[2], near_1[3], near_1[4], near_1[5], ref_1)
    if ref_0 < 0 and ref_1 < 0:
        ref_0 = ref_1 = np.int64(0)
    # colZeroFlag changes a vector only where an index is 0
    changes = (ref_0 == 0 and mv_0 != 0) or (ref_1 == 0 and mv_1 != 0)
    looks = changes and s.col_short_term != 0 and s.col_structure != COL_NONE
    base_0, base_1 = mb * 32, mb * 32 + 16
    if quadrants == 15 and not looks:
        for part in range(4):
            ref_idx[mb * 8 + part] = ref_0
            ref_idx[mb * 8 + 4 + part] = ref_1
        fill_16(mv, base_0, mv_0)
        fill_16(mv, base_1, mv_1)
        return 1
    still_0, still_1 = (np.int64(0) if ref_0 == 0 else mv_0), (np.int64(0) if ref_1 == 0 else mv_1)
    count = 0
    for part in range(4):
        if not (quadrants >> part) & 1:
            continue
        ref_idx[mb * 8 + part] = ref_0
        ref_idx[mb * 8 + 4 + part] = ref_1
        x4, y4 = (part & 1) * 2, part & 2
        if looks and not s.inference:
            for i in range(4):
                block = 4 * (y4 + (i >> 1)) + x4 + (i & 1)
                still = _stands_still(col_mv, col_ref_idx, mb, block, part)
                mv[base_0 + block] = still_0 if still else mv_0
                mv[base_1 + block] = still_1 if still else mv_1
            continue
        still = False
        if looks:
            other, block, quadrant, _ = _colocated_block(s, col_field, mb, x, y, is_field, part)
            still = _stands_still(col_mv, col_ref_idx, other, block, quadrant)
        count += 1 if still else 0
        fill(mv, base_0, x4, y4, 2, 2, still_0 if still else mv_0)
        fill(mv, base_1, x4, y4, 2, 2, still_1 if still else mv_1)
    return 1 if quadrants == 15 and s.inference and (count == 0 or count == 4) else 0


@kernel
def direct_temporal(
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
                col_x, col_y = mv_x(packed), packed >> 16
                if vertical == 1:
                    col_y = (col_y + (1 if col_y < 0 else 0)) >> 1  # towards zero
                elif vertical == 2:
                    col_y *= 2
                if scale == NO_SCALE:
                    vector_0 = np.int64(pack(col_x, col_y))
                else:
                    x_0 = (scale * col_x + 128) >> 8
                    y_0 = (scale * col_y + 128) >> 8
                    vector_0 = np.int64(pack(x_0, y_0))
                    vector_1 = np.int64(pack(x_0 - col_x, y_0 - col_y))
            mv[mb * 32 + block] = vector_0
            mv[mb * 32 + 16 + block] = vector_1
