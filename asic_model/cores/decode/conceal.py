"""Concealment: what stands where the stream was damaged.

A lost macroblock of a picture that has references is copied from the concealment reference, along the vector that the
macroblocks around it suggest ("motion"), or from the same place ("copy") where they suggest none. Without any
reference it becomes the mean of the samples that border it ("spatial"). Lost macroblocks look intra to direct
prediction and to deblocking, so the filter smooths their edges.
"""

import numpy as np

from asic_model.codecs.h264.macroblock import I_4X4, I_PCM, UNAVAILABLE
from asic_model.kernel_cache import kernel
from asic_model.simd.blocks import copy_8xn, copy_16xn

KIND_COPY, KIND_MOTION, KIND_SPATIAL = 0, 1, 2
KINDS = ("concealed_copy", "concealed_motion", "concealed_spatial")
CONCEALED_SLICE = 0  # slice number that concealed macroblocks get: its deblocking controls apply


@kernel
def _neighbour(mb, mb_x, mb_width, mb_count, mbaff, side):
    """Macroblock to the left, right, above or below (side 0 to 3), -1 outside; and its block that adjoins."""
    other = np.int64(-1)
    block = np.int64(0)
    step = 2 if mbaff else 1  # to the next column
    row = step * mb_width
    if side == 0:
        block = np.int64(7)
        if mb_x > 0:
            other = mb - step
    elif side == 1:
        block = np.int64(4)
        if mb_x + 1 < mb_width:
            other = mb + step
    elif side == 2:
        block = np.int64(13)
        other = mb - row
        if mbaff:  # above stands the pair's top macroblock, or the bottom one of the pair above
            other = mb - 1 if mb & 1 else mb - row + 1
    else:
        block = np.int64(1)
        other = mb + row
        if mbaff:
            other = mb + row - 1 if mb & 1 else mb + 1
    if other >= mb_count:
        other = np.int64(-1)
    return other, block


@kernel
def _suggested_vector(m_type, field_of, ref_idx, mv, mb, is_field, mb_x, mb_width, mb_count, mbaff):
    """Whole-sample vector (x, y) and whether there is one: mean of list 0 vectors of decoded neighbours.

    Between frame and field macroblocks of a frame, vertical vectors count twice or half.
    """
    x = y = votes = np.int64(0)
    for side in range(4):
        other, block = _neighbour(mb, mb_x, mb_width, mb_count, mbaff, side)
        if other < 0 or m_type[other] == UNAVAILABLE or m_type[other] <= I_PCM:
            continue
        quadrant = (block >> 3) * 2 + ((block >> 1) & 1)
        if ref_idx[other * 8 + quadrant] < 0:
            continue
        vector = np.int64(mv[other * 32 + block])
        down = vector >> 16
        if mbaff and (field_of[other] != 0) != is_field:
            down = down >> 1 if is_field else down * 2
        x += ((vector & 0xFFFF) ^ 0x8000) - 0x8000
        y += down
        votes += 1
    if votes == 0:
        return np.int64(0), np.int64(0), False
    return (x // votes + 2) >> 2, (y // votes + 2) >> 2, True


@kernel
def _copy_block(mem, to, from_, pitch, width, height, x, y, dx, dy, size):
    """Copy a block of `size` x `size` samples (16 or 8) at (x, y), displaced and clamped into the plane."""
    to += y * pitch + x
    x += dx
    y += dy
    if x >= 0 and y >= 0 and x + size <= width and y + size <= height:
        if size == 16:
            copy_16xn(mem, to, pitch, mem, from_ + y * pitch + x, pitch, 16)
        else:
            copy_8xn(mem, to, pitch, mem, from_ + y * pitch + x, pitch, 8)
        return
    for row in range(size):
        line = from_ + min(max(y + row, 0), height - 1) * pitch
        for column in range(size):
            mem[to + row * pitch + column] = mem[line + min(max(x + column, 0), width - 1)]


@kernel
def _fill_block(mem, base, pitch, width, height, x, y, size):
    """Fill a block with the mean of the samples that border it; 128 where there are none."""
    total = count = np.int64(0)
    for i in range(size):
        if y > 0:
            total += mem[base + (y - 1) * pitch + x + i]
            count += 1
        if x > 0:
            total += mem[base + (y + i) * pitch + x - 1]
            count += 1
    value = (total + (count >> 1)) // count if count else np.int64(128)
    for row in range(size):
        for column in range(size):
            mem[base + (y + row) * pitch + x + column] = value


@kernel
def conceal_picture(mem, geometry, m, ref_luma, ref_cb, ref_cr, has_reference, mb_count, stats):
    """Conceal all macroblocks that no slice has brought.

    ref_luma, ref_cb, ref_cr : first rows of the concealment reference (of its field, for a field picture)
    stats                    : int64[3], counts by kind, added to
    """
    m_type, slice_of, field_of, m_qp, m_cbp = m.mb_type, m.slice_id, m.field, m.qp, m.cbp
    ref_idx, mv, total_coeff, eight = m.ref_idx, m.mv, m.total_coeff, m.transform_8x8
    width = geometry.mb_width
    luma_width, luma_height = geometry.width, geometry.height
    pitch, chroma_pitch = geometry.pitch, geometry.chroma_pitch
    if geometry.field_picture:
        pitch *= 2
        chroma_pitch *= 2
        luma_height >>= 1
    mbaff = geometry.mbaff != 0
    for mb in range(mb_count):
        if slice_of[mb] >= 0:
            continue
        is_field = False
        step = np.int64(1)  # rows of the frame from one row to the next
        first = np.int64(0)
        if mbaff:
            pair = mb >> 1
            mb_x, mb_y = pair % width, 2 * (pair // width) + (mb & 1)
            # beside a field macroblock of its pair only the rows of its own field are missing
            is_field = slice_of[mb ^ 1] >= 0 and field_of[mb ^ 1] != 0
            if is_field:
                mb_y = pair // width
                step, first = np.int64(2), np.int64(mb & 1)
        else:
            mb_x, mb_y = mb % width, mb // width
        luma_rows, luma_pitch = luma_height // step, pitch * step
        chroma_rows, chroma_step = luma_rows >> 1, chroma_pitch * step
        if has_reference:
            dx, dy, moved = _suggested_vector(m_type, field_of, ref_idx, mv, mb, is_field, mb_x, width, mb_count, mbaff)
            shift = first * pitch
            _copy_block(
                mem, geometry.luma + shift, ref_luma + shift, luma_pitch, luma_width, luma_rows, 16 * mb_x, 16 * mb_y,
                dx, dy, 16,
            )  # fmt: skip
            if geometry.chroma:
                shift = first * chroma_pitch
                for plane in range(2):
                    to, from_ = (geometry.cr, ref_cr) if plane else (geometry.cb, ref_cb)
                    _copy_block(
                        mem, to + shift, from_ + shift, chroma_step, luma_width >> 1, chroma_rows, 8 * mb_x, 8 * mb_y,
                        dx >> 1, dy >> 1, 8,
                    )  # fmt: skip
            stats[KIND_MOTION if moved else KIND_COPY] += 1
        else:
            base = geometry.luma + first * pitch
            _fill_block(mem, base, luma_pitch, luma_width, luma_rows, 16 * mb_x, 16 * mb_y, 16)
            if geometry.chroma:
                for plane in range(2):
                    base = (geometry.cr if plane else geometry.cb) + first * chroma_pitch
                    _fill_block(mem, base, chroma_step, luma_width >> 1, chroma_rows, 8 * mb_x, 8 * mb_y, 8)
            stats[KIND_SPATIAL] += 1
    for mb in range(mb_count):
        if slice_of[mb] >= 0:
            continue
        slice_of[mb] = CONCEALED_SLICE
        m_type[mb] = I_4X4
        m_qp[mb] = 26
        m_cbp[mb] = 0
        eight[mb] = 0
        if geometry.mbaff:
            field_of[mb] = field_of[mb ^ 1] if slice_of[mb ^ 1] >= 0 else 0
        else:
            field_of[mb] = geometry.field_picture
        for i in range(mb * 24, mb * 24 + 24):
            total_coeff[i] = 0
        for i in range(mb * 8, mb * 8 + 8):
            ref_idx[i] = -1
