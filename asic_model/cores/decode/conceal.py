"""Concealment: what stands where the stream was damaged.

A lost macroblock of a picture that has references is copied from the concealment reference, along the vector that the
macroblocks around it suggest ("motion"), or from the same place ("copy") where they suggest none. Without any
reference it becomes the mean of the samples that border it ("spatial"). Lost macroblocks look intra to direct
prediction and to deblocking, so the filter smooths their edges.
"""

import numpy as np

from asic_model.codecs.h264.macroblock import I_4X4, I_PCM, UNAVAILABLE
from asic_model.kernel_cache import kernel

KIND_COPY, KIND_MOTION, KIND_SPATIAL = 0, 1, 2
KINDS = ("concealed_copy", "concealed_motion", "concealed_spatial")
CONCEALED_SLICE = 0  # slice number that concealed macroblocks get: its deblocking controls apply


@kernel
def _suggested_vector(m_type, ref_idx, mv, mb, mb_x, mb_width, mb_count):
    """Whole-sample vector (x, y) and whether there is one: mean of list 0 vectors of decoded neighbours."""
    x = y = votes = np.int64(0)
    for side in range(4):
        other = np.int64(-1)
        if side == 0 and mb_x > 0:
            other, block = mb - 1, 7
        elif side == 1 and mb_x + 1 < mb_width:
            other, block = mb + 1, 4
        elif side == 2:
            other, block = mb - mb_width, 13
        else:
            other, block = mb + mb_width, 1
        if other < 0 or other >= mb_count or m_type[other] == UNAVAILABLE or m_type[other] <= I_PCM:
            continue
        quadrant = (block >> 3) * 2 + ((block >> 1) & 1)
        if ref_idx[other * 8 + quadrant] < 0:
            continue
        vector = np.int64(mv[other * 32 + block])
        x += ((vector & 0xFFFF) ^ 0x8000) - 0x8000
        y += vector >> 16
        votes += 1
    if votes == 0:
        return np.int64(0), np.int64(0), False
    return (x // votes + 2) >> 2, (y // votes + 2) >> 2, True


@kernel
def _copy_block(mem, to, from_, pitch, width, height, x, y, dx, dy, size):
    """Copy a block of `size` x `size` samples at (x, y), displaced and clamped into the plane."""
    for row in range(size):
        line = from_ + min(max(y + dy + row, 0), height - 1) * pitch
        at = to + (y + row) * pitch + x
        for column in range(size):
            mem[at + column] = mem[line + min(max(x + dx + column, 0), width - 1)]


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
    for mb in range(mb_count):
        if slice_of[mb] >= 0:
            continue
        if geometry.mbaff:
            pair = mb >> 1
            mb_x, mb_y = pair % width, 2 * (pair // width) + (mb & 1)
        else:
            mb_x, mb_y = mb % width, mb // width
        if has_reference:
            dx = dy = np.int64(0)
            moved = False
            if not geometry.mbaff:
                dx, dy, moved = _suggested_vector(m_type, ref_idx, mv, mb, mb_x, width, mb_count)
            _copy_block(mem, geometry.luma, ref_luma, pitch, luma_width, luma_height, 16 * mb_x, 16 * mb_y, dx, dy, 16)
            if geometry.chroma:
                for plane in range(2):
                    to, from_ = (geometry.cr, ref_cr) if plane else (geometry.cb, ref_cb)
                    _copy_block(
                        mem, to, from_, chroma_pitch, luma_width >> 1, luma_height >> 1, 8 * mb_x, 8 * mb_y, dx >> 1,
                        dy >> 1, 8,
                    )  # fmt: skip
            stats[KIND_MOTION if moved else KIND_COPY] += 1
        else:
            _fill_block(mem, geometry.luma, pitch, luma_width, luma_height, 16 * mb_x, 16 * mb_y, 16)
            if geometry.chroma:
                for plane in range(2):
                    base = geometry.cr if plane else geometry.cb
                    _fill_block(mem, base, chroma_pitch, luma_width >> 1, luma_height >> 1, 8 * mb_x, 8 * mb_y, 8)
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
            field_of[mb] = field_of[mb & ~1] if slice_of[mb & ~1] >= 0 and mb & 1 else 0
        else:
            field_of[mb] = geometry.field_picture
        for i in range(mb * 24, mb * 24 + 24):
            total_coeff[i] = 0
        for i in range(mb * 8, mb * 8 + 8):
            ref_idx[i] = -1
