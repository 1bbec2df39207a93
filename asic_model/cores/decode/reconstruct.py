"""Samples of one slice: prediction plus residual, macroblock by macroblock, into the picture in device memory.

Frame, field and MBAFF macroblocks differ only in where their rows stand (first row, stride) and which planes they are
predicted from. Deblocking follows over the whole picture: intra prediction looks at samples before it (8.3, 8.7).
"""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.macroblock import (
    I_8X8,
    I_16X16,
    I_PCM,
    INTER_8X16,
    INTER_16X8,
    LEVELS_CB_DC,
    LEVELS_LUMA_DC,
    LEVELS_ROWS,
)
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
from asic_model.cores.decode.vectors import LIST_SIZE
from asic_model.engines import intra_prediction as intra
from asic_model.engines.inter_prediction import (
    average_prediction,
    filter_samples,
    predict_chroma,
    predict_luma,
    weight_prediction,
    weight_prediction_bi,
)
from asic_model.engines.parse.neighbours import (
    ABOVE,
    LEFT,
    LEFT_PAIR,
    find_neighbours,
    find_neighbours_mbaff,
    find_pairs,
)
from asic_model.engines.transform import (
    INTER_Y,
    INTER_Y_8X8,
    INTRA_Y,
    INTRA_Y_8X8,
    add_block_4x4,
    add_block_8x8,
    add_chroma,
    add_luma_4x4,
    add_luma_8x8,
    add_luma_16x16,
    bypass_block_4x4,
    bypass_block_8x8,
    bypass_chroma,
    bypass_luma_16x16,
    chroma_qp,
    offset_of_levels,
)
from asic_model.kernel_cache import kernel

WEIGHT_NONE, WEIGHT_EXPLICIT, WEIGHT_IMPLICIT = 0, 1, 2

# Columns of `figures`, int32[n, FIGURES]: work of each macroblock
PARTITIONS = 0  # blocks predicted from one list
SAMPLES = 1  # luma samples through the filter
FIGURES = 2

# Columns of `fetches`, int32[..., 6]: rectangles of reference samples, as memory.reference_cache.RECTANGLE
FETCH_FIELDS = 6

# [y]: bit x + 1 is set when block (x + 1, y - 1) of the same macroblock comes before block (x, y)
_ABOVE_RIGHT_CODED = np.array([0, 0b01010, 0b01110, 0b01010], np.int64)


class Geometry(NamedTuple):
    """Where the picture stands: byte addresses of its first luma and chroma rows (of a field: the field's own)."""

    luma: int
    cb: int
    cr: int
    pitch: int  # bytes from one row of the *frame* to the next
    chroma_pitch: int
    width: int  # coded size of the frame in luma samples
    height: int
    mb_width: int
    field_picture: int
    mbaff: int
    chroma: int  # 0: monochrome


class SliceSamples(NamedTuple):
    """What reconstruction of one slice depends on."""

    slice_id: int
    first_mb: int
    macroblocks: int
    constrained_intra: int
    cb_qp_offset: int
    cr_qp_offset: int
    bypass: int  # qpprime_y_zero_transform_bypass_flag
    weights: int  # WEIGHT_*
    luma_log2_denominator: int
    chroma_log2_denominator: int


class ReferenceTables(NamedTuple):
    """Reference lists for prediction, flat arrays [VARIANTS, 2, LIST_SIZE] as in `motion`.

    luma, cb, cr  int64  byte address of the first row of the frame or field
    slot          int32  buffer number, for traffic
    parity        int8   vertical chroma vector offset, eighths of a sample (Table 8-9)
    explicit      int16  [2, LIST_SIZE, 3, 2]: weight and offset of luma, Cb, Cr
    implicit      int16  [VARIANTS, LIST_SIZE, LIST_SIZE]: w1 of (list 0 entry, list 1 entry)
    """

    luma: np.ndarray
    cb: np.ndarray
    cr: np.ndarray
    slot: np.ndarray
    parity: np.ndarray
    explicit: np.ndarray
    implicit: np.ndarray


class Scratch(NamedTuple):
    """Buffers of one core. samples: the second list's prediction, 16 rows of 16, then chroma 8 of 8; patch: see P's."""

    samples: np.ndarray  # uint8[16 * 16]
    patch: np.ndarray  # uint8[inter_prediction.SCRATCH]
    coefs: np.ndarray  # int16[transform.SCRATCH]
    line: np.ndarray  # uint8[intra_prediction.LINE]
    predictions: np.ndarray  # uint8[intra_prediction.PREDICTIONS]
    nb: np.ndarray  # int64[NEIGHBOURS_SIZE]


@kernel
def _combine(mem, at, stride, samples, width, height, weights, w0, w1, o0, o1, log2_denominator):
    """Bi-prediction of one component in place."""
    if weights == WEIGHT_NONE or (w0 == w1 and o0 + o1 == 0 and w0 == 1 << log2_denominator):
        average_prediction(mem, at, stride, samples, 0, 16, width, height)
    else:
        weight_prediction_bi(mem, at, stride, samples, 0, 16, width, height, w0, w1, o0, o1, log2_denominator)


@kernel
def _partition(
    mem, samples, patch, geometry, tables_luma, tables_cb, tables_cr, parity, explicit, implicit,
    weights, luma_log2, chroma_log2, variant, is_field, luma, cb, cr, stride, chroma_stride, x_px, y_px, x4, y4,
    width, height, ref_0, mv_0, ref_1, mv_1,
):  # fmt: skip
    """Predict one partition, `width` x `height` luma samples at 4x4 block (x4, y4) of its macroblock.

    luma, cb, cr : addresses of the macroblock; x_px, y_px: its position in the frame or field
    Returns the luma samples filtered.
    """
    picture_height = geometry.height >> 1 if is_field else geometry.height
    pitch, chroma_pitch = geometry.pitch, geometry.chroma_pitch
    if is_field:
        pitch *= 2
        chroma_pitch *= 2
    at = luma + 4 * y4 * stride + 4 * x4
    cb_at = cb + 2 * y4 * chroma_stride + 2 * x4
    cr_at = cr + 2 * y4 * chroma_stride + 2 * x4
    x, y = 4 * (x_px + 4 * x4), 4 * (y_px + 4 * y4)
    both = ref_0 >= 0 and ref_1 >= 0
    filtered = np.int64(0)
    # weights of this pair of references: rows of `explicit` for field macroblocks are those of the frame
    shift = 1 if variant else 0
    w0 = w1 = 1 << luma_log2
    o0 = o1 = np.int64(0)
    if weights == WEIGHT_EXPLICIT:
        if ref_0 >= 0:
            w0 = np.int64(explicit[(ref_0 >> shift) * 6])
            o0 = np.int64(explicit[(ref_0 >> shift) * 6 + 1])
        if ref_1 >= 0:
            w1 = np.int64(explicit[(LIST_SIZE + (ref_1 >> shift)) * 6])
            o1 = np.int64(explicit[(LIST_SIZE + (ref_1 >> shift)) * 6 + 1])
    elif weights == WEIGHT_IMPLICIT and both:
        w1 = np.int64(implicit[(variant * LIST_SIZE + ref_0) * LIST_SIZE + ref_1])
        w0 = 64 - w1
    for lst in range(2):
        ref = ref_1 if lst else ref_0
        if ref < 0:
            continue
        mv = mv_1 if lst else mv_0
        mv_x, mv_y = ((mv & 0xFFFF) ^ 0x8000) - 0x8000, mv >> 16
        entry = (variant * 2 + lst) * LIST_SIZE + ref
        filtered += filter_samples(mv_y, width, height)
        second = lst == 1 and both
        if second:
            predict_luma(
                samples, 0, 16, mem, tables_luma[entry], pitch, geometry.width, picture_height, x + mv_x, y + mv_y,
                width, height, patch,
            )  # fmt: skip
            _combine(mem, at, stride, samples, width, height, weights, w0, w1, o0, o1,
                     5 if weights == WEIGHT_IMPLICIT else luma_log2)  # fmt: skip
        else:
            predict_luma(
                mem, at, stride, mem, tables_luma[entry], pitch, geometry.width, picture_height, x + mv_x, y + mv_y,
                width, height, patch,
            )  # fmt: skip
    if weights == WEIGHT_EXPLICIT and not both:
        weight, offset = (w0, o0) if ref_0 >= 0 else (w1, o1)
        if weight != 1 << luma_log2 or offset:
            weight_prediction(mem, at, stride, width, height, weight, offset, luma_log2)
    if not geometry.chroma:
        return filtered
    for plane in range(2):
        at = cr_at if plane else cb_at
        if weights == WEIGHT_EXPLICIT:
            w0 = w1 = 1 << chroma_log2
            o0 = o1 = np.int64(0)
            if ref_0 >= 0:
                w0 = np.int64(explicit[(ref_0 >> shift) * 6 + 2 + 2 * plane])
                o0 = np.int64(explicit[(ref_0 >> shift) * 6 + 3 + 2 * plane])
            if ref_1 >= 0:
                w1 = np.int64(explicit[(LIST_SIZE + (ref_1 >> shift)) * 6 + 2 + 2 * plane])
                o1 = np.int64(explicit[(LIST_SIZE + (ref_1 >> shift)) * 6 + 3 + 2 * plane])
        for lst in range(2):
            ref = ref_1 if lst else ref_0
            if ref < 0:
                continue
            mv = mv_1 if lst else mv_0
            mv_x, mv_y = ((mv & 0xFFFF) ^ 0x8000) - 0x8000, mv >> 16
            entry = (variant * 2 + lst) * LIST_SIZE + ref
            mv_y += np.int64(parity[entry])
            address = tables_cr[entry] if plane else tables_cb[entry]
            if lst == 1 and both:
                predict_chroma(
                    samples, 0, 16, mem, address, chroma_pitch, geometry.width >> 1, picture_height >> 1, x + mv_x,
                    y + mv_y, width >> 1, height >> 1, patch,
                )  # fmt: skip
                _combine(mem, at, chroma_stride, samples, width >> 1, height >> 1, weights, w0, w1, o0, o1,
                         5 if weights == WEIGHT_IMPLICIT else chroma_log2)  # fmt: skip
            else:
                predict_chroma(
                    mem, at, chroma_stride, mem, address, chroma_pitch, geometry.width >> 1, picture_height >> 1,
                    x + mv_x, y + mv_y, width >> 1, height >> 1, patch,
                )  # fmt: skip
        if weights == WEIGHT_EXPLICIT and not both:
            weight, offset = (w0, o0) if ref_0 >= 0 else (w1, o1)
            if weight != 1 << chroma_log2 or offset:
                weight_prediction(mem, at, chroma_stride, width >> 1, height >> 1, weight, offset, chroma_log2)
    return filtered


@kernel
def _note_fetch(fetches, count, mb, slot, x, y, width, height):
    """Add one rectangle of reference samples, interpolation margin included; forget it if there is no room."""
    if count * FETCH_FIELDS + FETCH_FIELDS <= fetches.size:
        at = count * FETCH_FIELDS
        fetches[at] = mb
        fetches[at + 1] = slot
        fetches[at + 2] = x
        fetches[at + 3] = y
        fetches[at + 4] = width
        fetches[at + 5] = height
        return count + 1
    return count


@kernel
def _intra_available(nb, m_type, slice_of, field_of, slice_id, constrained, mbaff, mb, mb_x, mb_width):
    """Neighbours that intra prediction of `mb` may use, bits of `intra_prediction`; nb is set (6.4.9, 8.3.1.2)."""
    flags = 0
    left, above = nb[LEFT], nb[ABOVE]
    bottom = mbaff and mb & 1
    is_field = field_of[mb] != 0
    if left >= 0:
        if not constrained:
            flags = intra.LEFT
        elif mbaff and (field_of[nb[LEFT_PAIR]] != 0) != is_field:
            upper = m_type[nb[LEFT_PAIR]] <= I_PCM
            lower = m_type[nb[LEFT_PAIR] + 1] <= I_PCM
            if is_field:  # upper half beside the top, lower half beside the bottom frame macroblock
                flags = (intra.LEFT_UPPER if upper else 0) | (intra.LEFT_LOWER if lower else 0)
            elif upper and lower:
                flags = intra.LEFT
        elif m_type[left] <= I_PCM:
            flags = intra.LEFT
    if above >= 0 and (not constrained or m_type[above] <= I_PCM):
        flags |= intra.TOP
    # above right and above left
    if mbaff:
        pair = mb & ~1
        right = pair - 2 * mb_width + 2
        corner = pair - 2 * mb_width - 2
        there = right >= 0 and mb_x + 1 < mb_width and slice_of[right] == slice_id and (is_field or not bottom)
        right = right + (0 if there and is_field and not bottom and field_of[right] != 0 else 1)
        if there and (not constrained or m_type[right] <= I_PCM):
            flags |= intra.TOP_RIGHT
        if bottom and not is_field:
            corner = nb[LEFT_PAIR]
            there = corner >= 0
            if there and field_of[corner] != 0:
                corner += 1
        else:
            there = corner >= 0 and mb_x > 0 and slice_of[corner] == slice_id
            corner = corner + (0 if there and is_field and not bottom and field_of[corner] != 0 else 1)
        if there and (not constrained or m_type[corner] <= I_PCM):
            flags |= intra.CORNER
    else:
        right = mb - mb_width + 1
        if right >= 0 and mb_x + 1 < mb_width and slice_of[right] == slice_id:
            if not constrained or m_type[right] <= I_PCM:
                flags |= intra.TOP_RIGHT
        corner = mb - mb_width - 1
        if corner >= 0 and mb_x > 0 and slice_of[corner] == slice_id:
            if not constrained or m_type[corner] <= I_PCM:
                flags |= intra.CORNER
    return flags


@kernel
def _block_available(flags, x, y):
    """Neighbours of 4x4 block (x, y) of a macroblock whose own are `flags`."""
    found = 0
    if x > 0 or flags & (intra.LEFT_UPPER if y < 2 else intra.LEFT_LOWER):
        found = intra.LEFT
    if y > 0 or flags & intra.TOP:
        found |= intra.TOP
    if y > 0:
        if (_ABOVE_RIGHT_CODED[y] >> (x + 1)) & 1:
            found |= intra.TOP_RIGHT
    elif flags & (intra.TOP if x < 3 else intra.TOP_RIGHT):
        found |= intra.TOP_RIGHT
    if x > 0:
        if y > 0 or flags & intra.TOP:
            found |= intra.CORNER
    elif y > 0:
        if flags & (intra.LEFT_UPPER if y < 3 else intra.LEFT_LOWER):
            found |= intra.CORNER
    elif flags & intra.CORNER:
        found |= intra.CORNER
    return found


@kernel
def _intra_luma(
    mem, at, stride, levels, intra_mode, total_coeff, mb, kind, cbp, flags, bypass, qp, is_field, quantiser, coefs,
    line, predictions,
):  # fmt: skip
    """Luma of an Intra4x4, 8x8 or 16x16 macroblock, prediction and residual. Returns the modes that were impossible."""
    wrong = 0
    if kind == I_16X16:
        mode = np.int64(intra_mode[mb * 16])
        if not (intra.ALLOWED_16X16[flags] >> mode) & 1:
            mode = np.int64(intra.DC_16X16)
            wrong += 1
        intra.predict_16x16(mem, at, stride, mode, mem, at, stride, at - stride - 1, flags)
        if bypass:
            direction = 1 if mode == intra.VERTICAL_16X16 else (2 if mode == intra.HORIZONTAL_16X16 else 0)
            bypass_luma_16x16(mem, at, stride, levels, mb, coefs, is_field, direction)
        else:
            add_luma_16x16(mem, at, stride, levels, mb, coefs, quantiser, qp, is_field, cbp & 15)
        return wrong
    if kind == I_8X8:
        for quadrant in range(4):
            x, y = (quadrant & 1) * 2, quadrant & 2
            have = _block_available(flags, x, y)
            if x or y:  # of the 8x8 block, not of its first 4x4 block
                have = have & ~intra.TOP_RIGHT
                if quadrant == 2 or (quadrant == 1 and flags & intra.TOP_RIGHT):
                    have |= intra.TOP_RIGHT
            mode = np.int64(intra_mode[mb * 16 + quadrant * 4])
            if not (intra.ALLOWED_4X4[have] >> mode) & 1:
                mode = np.int64(intra.DC)
                wrong += 1
            block = at + 4 * y * stride + 4 * x
            dc = intra.gather_8x8(line, mem, block, stride, block - stride - 1, have)
            intra.predict_8x8(mem, block, stride, mode, line, dc, predictions)
            if (cbp >> quadrant) & 1:
                if bypass:
                    direction = 1 if mode == intra.VERTICAL else (2 if mode == intra.HORIZONTAL else 0)
                    bypass_block_8x8(mem, block, stride, levels, mb, quadrant, coefs, is_field, direction)
                else:
                    first = offset_of_levels(mb, 4 * quadrant)
                    add_block_8x8(mem, block, stride, levels, first, coefs, quantiser, INTRA_Y_8X8, qp, is_field)
        return wrong
    for index in range(16):
        x, y = np.int64(BLOCK_X[index]), np.int64(BLOCK_Y[index])
        have = _block_available(flags, x, y)
        mode = np.int64(intra_mode[mb * 16 + index])
        if not (intra.ALLOWED_4X4[have] >> mode) & 1:
            mode = np.int64(intra.DC)
            wrong += 1
        block = at + 4 * y * stride + 4 * x
        dc = intra.gather_4x4(line, mem, block, stride, block - stride - 1, have)
        intra.predict_4x4(mem, block, stride, mode, line, dc, predictions)
        if (cbp >> (index >> 2)) & 1 and total_coeff[mb, index]:
            if bypass:
                direction = 1 if mode == intra.VERTICAL else (2 if mode == intra.HORIZONTAL else 0)
                bypass_block_4x4(mem, block, stride, levels, mb, index, coefs, is_field, direction)
            else:
                first = offset_of_levels(mb, index)
                add_block_4x4(mem, block, stride, levels, first, coefs, quantiser, INTRA_Y, qp, is_field)
    return wrong


@kernel
def _bypass_inter(mem, at, stride, levels, mb, cbp, eight, is_field, coefs):
    """Lossless luma residual of an inter macroblock."""
    for index in range(16):
        if (cbp >> (index >> 2)) & 1:
            x, y = np.int64(BLOCK_X[index]), np.int64(BLOCK_Y[index])
            if not eight:
                bypass_block_4x4(mem, at + 4 * y * stride + 4 * x, stride, levels, mb, index, coefs, is_field, 0)
            elif index & 3 == 0:
                bypass_block_8x8(mem, at + 4 * y * stride + 4 * x, stride, levels, mb, index >> 2, coefs, is_field, 0)


@kernel
def _pcm(mem, at, stride, cb, cr, chroma_stride, chroma, levels, mb):
    first = mb * LEVELS_ROWS * 16
    for y in range(16):
        for x in range(16):
            mem[at + y * stride + x] = levels[first + 16 * y + x]
    if chroma:
        for y in range(8):
            for x in range(8):
                mem[cb + y * chroma_stride + x] = levels[first + 256 + 8 * y + x]
                mem[cr + y * chroma_stride + x] = levels[first + 320 + 8 * y + x]


@kernel
def _clear_levels(levels, mb, kind, cbp):
    """Leave zeros where this macroblock's levels stood."""
    first = mb * LEVELS_ROWS * 16
    if kind == I_PCM:
        levels[first : first + 384] = 0
        return
    for quadrant in range(4):
        if (cbp >> quadrant) & 1:
            levels[first + 64 * quadrant : first + 64 * quadrant + 64] = 0
    if kind == I_16X16:
        levels[first + 16 * LEVELS_LUMA_DC : first + 16 * LEVELS_LUMA_DC + 16] = 0
    if cbp & 0x20:
        levels[first + 16 * LEVELS_CB_DC : first + 16 * LEVELS_ROWS] = 0
    elif cbp & 0x10:
        levels[first + 16 * LEVELS_CB_DC : first + 16 * LEVELS_CB_DC + 32] = 0


@kernel
def reconstruct_slice(
    mem, geometry, s, m, total_coeff, uniform, tables, quantiser, scratch, figures, fetches, fetch_count
):  # fmt: skip
    """Reconstruct the macroblocks of one slice.

    mem         : uint8, device memory
    m           : `Macroblocks`, flat, vectors packed; total_coeff: the same uint8[n, 24] in two dimensions
    uniform     : uint8[n], 1 where a macroblock has one vector a list (`motion`)
    tables      : ReferenceTables; every index that the record holds is below the entries filled in
    figures     : int32[n * FIGURES], set for these macroblocks
    fetches     : int32[...], rectangles from entry `fetch_count` on
    Returns (rectangles in fetches, intra modes replaced because their neighbours are missing).
    """
    m_type, slice_of, field_of, m_qp, m_cbp = m.mb_type, m.slice_id, m.field, m.qp, m.cbp
    m_eight, intra_mode, chroma_mode = m.transform_8x8, m.intra_mode, m.chroma_mode
    ref_idx, mv, levels = m.ref_idx, m.mv, m.levels
    samples, patch, coefs, line = scratch.samples, scratch.patch, scratch.coefs, scratch.line
    predictions, nb = scratch.predictions, scratch.nb
    t_luma, t_cb, t_cr, t_slot, t_parity = tables.luma, tables.cb, tables.cr, tables.slot, tables.parity
    explicit, implicit = tables.explicit, tables.implicit
    width, mbaff = geometry.mb_width, geometry.mbaff
    wrong = 0
    for mb in range(s.first_mb, s.first_mb + s.macroblocks):
        place = mb >> 1 if mbaff else mb
        mb_x, mb_y = place % width, place // width
        is_field = np.int64(field_of[mb])
        stride, chroma_stride = geometry.pitch, geometry.chroma_pitch
        first_row, y_px, variant = 16 * mb_y, 16 * mb_y, 0
        if mbaff:
            bottom = mb & 1
            if is_field:
                first_row, y_px, variant = 32 * mb_y + bottom, 16 * mb_y, 1 + bottom
            else:
                first_row = y_px = 32 * mb_y + 16 * bottom
        elif is_field:
            first_row = 32 * mb_y
        # of a field picture rows are counted in the frame from the field's first
        luma = geometry.luma + first_row * stride + 16 * mb_x
        chroma_row = first_row >> 1
        if mbaff and is_field:
            chroma_row = 16 * mb_y + (mb & 1)
        cb = geometry.cb + chroma_row * chroma_stride + 8 * mb_x
        cr = geometry.cr + chroma_row * chroma_stride + 8 * mb_x
        if is_field:
            stride *= 2
            chroma_stride *= 2
        kind, cbp, qp = m_type[mb], np.int64(m_cbp[mb]), np.int64(m_qp[mb])
        bypass = s.bypass != 0 and qp == 0
        figures[mb * FIGURES + PARTITIONS] = 0
        figures[mb * FIGURES + SAMPLES] = 0

        if kind == I_PCM:
            _pcm(mem, luma, stride, cb, cr, chroma_stride, geometry.chroma, levels, mb)
            _clear_levels(levels, mb, kind, cbp)
            continue
        if kind <= I_16X16:
            if mbaff:
                find_pairs(nb, mb & ~1, width, slice_of, s.slice_id)
                find_neighbours_mbaff(nb, mb, field_of)
            else:
                find_neighbours(nb, mb, mb_x, width, slice_of, s.slice_id)
            flags = _intra_available(
                nb, m_type, slice_of, field_of, s.slice_id, s.constrained_intra, mbaff, mb, mb_x, width
            )
            wrong += _intra_luma(
                mem, luma, stride, levels, intra_mode, total_coeff, mb, kind, cbp, flags, bypass, qp, is_field,
                quantiser, coefs, line, predictions,
            )  # fmt: skip
            if geometry.chroma:
                mode = np.int64(chroma_mode[mb])
                if not (intra.ALLOWED_CHROMA[flags] >> mode) & 1:
                    mode = np.int64(intra.DC_CHROMA)
                    wrong += 1
                for plane in range(2):
                    at = cr if plane else cb
                    intra.predict_chroma(
                        mem, at, chroma_stride, mode, mem, at, chroma_stride, at - chroma_stride - 1, flags
                    )
        else:
            if uniform[mb]:
                shape = 0
            elif kind == INTER_16X8:
                shape = 1
            elif kind == INTER_8X16:
                shape = 2
            else:
                shape = 3
            parts = 1 if shape == 0 else (4 if shape == 3 else 2)
            filtered = np.int64(0)
            partitions = 0
            for part in range(parts):
                x4, y4, columns, rows = 0, 0, 4, 4
                if shape == 1:
                    y4, rows = 2 * part, 2
                elif shape == 2:
                    x4, columns = 2 * part, 2
                elif shape == 3:
                    x4, y4, columns, rows = (part & 1) * 2, part & 2, 2, 2
                quadrant = y4 + (x4 >> 1)
                ref_0 = np.int64(ref_idx[mb * 8 + quadrant])
                ref_1 = np.int64(ref_idx[mb * 8 + 4 + quadrant])
                first = 4 * y4 + x4
                sub_columns, sub_rows = columns, rows
                if shape == 3:  # as large as the vectors allow
                    base_0, base_1 = mb * 32 + first, mb * 32 + 16 + first
                    across = True
                    down = True
                    if ref_0 >= 0:
                        across = mv[base_0] == mv[base_0 + 1] and mv[base_0 + 4] == mv[base_0 + 5]
                        down = mv[base_0] == mv[base_0 + 4] and mv[base_0 + 1] == mv[base_0 + 5]
                    if ref_1 >= 0:
                        across = across and mv[base_1] == mv[base_1 + 1] and mv[base_1 + 4] == mv[base_1 + 5]
                        down = down and mv[base_1] == mv[base_1 + 4] and mv[base_1 + 1] == mv[base_1 + 5]
                    sub_columns = 2 if across else 1
                    sub_rows = 2 if down else 1
                for y in range(y4, y4 + rows, sub_rows):
                    for x in range(x4, x4 + columns, sub_columns):
                        mv_0 = np.int64(mv[mb * 32 + 4 * y + x])
                        mv_1 = np.int64(mv[mb * 32 + 16 + 4 * y + x])
                        filtered += _partition(
                            mem, samples, patch, geometry, t_luma, t_cb, t_cr, t_parity, explicit, implicit,
                            s.weights, s.luma_log2_denominator, s.chroma_log2_denominator, variant, is_field,
                            luma, cb, cr, stride, chroma_stride, 16 * mb_x, y_px, x, y,
                            4 * sub_columns, 4 * sub_rows, ref_0, mv_0, ref_1, mv_1,
                        )  # fmt: skip
                        for lst in range(2):
                            ref = ref_1 if lst else ref_0
                            if ref < 0:
                                continue
                            partitions += 1
                            vector = mv_1 if lst else mv_0
                            slot = t_slot[(variant * 2 + lst) * LIST_SIZE + ref]
                            left = 16 * mb_x + 4 * x + ((((vector & 0xFFFF) ^ 0x8000) - 0x8000) >> 2) - 2
                            top = y_px + 4 * y + (vector >> 18) - 2
                            rows_px = 4 * sub_rows + 5
                            if is_field:
                                top *= 2
                                rows_px *= 2
                            fetch_count = _note_fetch(
                                fetches, fetch_count, mb, slot, left, top, 4 * sub_columns + 5, rows_px
                            )
            figures[mb * FIGURES + PARTITIONS] = partitions
            figures[mb * FIGURES + SAMPLES] = filtered
            if cbp & 15:
                if bypass:
                    _bypass_inter(mem, luma, stride, levels, mb, cbp, m_eight[mb], is_field, coefs)
                elif m_eight[mb]:
                    add_luma_8x8(mem, luma, stride, levels, mb, coefs, quantiser, INTER_Y_8X8, qp, is_field, cbp & 15)
                else:
                    add_luma_4x4(
                        mem, luma, stride, levels, total_coeff, mb, coefs, quantiser, INTER_Y, qp, is_field, cbp & 15
                    )
        if cbp & 0x30:
            for plane in range(2):
                at = cr if plane else cb
                if bypass:
                    direction = 0
                    if kind <= I_16X16:
                        mode = np.int64(chroma_mode[mb])
                        direction = (
                            1 if mode == intra.VERTICAL_CHROMA else (2 if mode == intra.HORIZONTAL_CHROMA else 0)
                        )
                    bypass_chroma(mem, at, chroma_stride, levels, mb, plane, coefs, is_field, direction)
                else:
                    offset = s.cr_qp_offset if plane else s.cb_qp_offset
                    add_chroma(
                        mem, at, chroma_stride, levels, mb, plane, coefs, quantiser, chroma_qp(qp, offset),
                        0 if kind <= I_16X16 else 1, is_field, cbp >> 4,
                    )  # fmt: skip
        if cbp or kind == I_16X16:
            _clear_levels(levels, mb, kind, cbp)
    return fetch_count, wrong
