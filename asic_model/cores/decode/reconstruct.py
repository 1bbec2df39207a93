"""Samples of one slice: prediction plus residual, macroblock by macroblock, into the picture in device memory.

Frame, field and MBAFF macroblocks differ only in where their rows stand (first row, stride) and which planes they are
predicted from. Deblocking follows over the whole picture: intra prediction looks at samples before it (8.3, 8.7).
"""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.macroblock import (
    I_16X16,
    I_PCM,
    INTER_8X16,
    INTER_16X8,
    LEVELS_CB_DC,
    LEVELS_LUMA_DC,
    LEVELS_ROWS,
)
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
from asic_model.cores.decode.inter import P_SLOT, PLANE_COLUMNS, predict_partition
from asic_model.cores.decode.intra import intra_available, intra_luma
from asic_model.cores.decode.vectors import LIST_SIZE
from asic_model.engines import intra_prediction as intra
from asic_model.engines.inter_prediction import filter_samples
from asic_model.engines.parse.neighbours import find_neighbours, find_neighbours_mbaff, find_pairs
from asic_model.engines.transform import (
    INTER_Y,
    INTER_Y_8X8,
    add_chroma,
    add_luma_4x4,
    add_luma_8x8,
    bypass_block_4x4,
    bypass_block_8x8,
    bypass_chroma,
    chroma_qp,
)
from asic_model.kernel_cache import kernel

# Columns of `figures`, int32[n, FIGURES]: work of each macroblock
PARTITIONS = 0  # blocks predicted from one list
SAMPLES = 1  # luma samples through the filter
FIGURES = 2

# Columns of `fetches`, int32[..., 6]: rectangles of reference samples, as memory.reference_cache.RECTANGLE
FETCH_FIELDS = 6


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
    """Reference lists of a slice for prediction; layouts in `inter`."""

    planes: np.ndarray  # int64
    weighting: np.ndarray  # int16


class Scratch(NamedTuple):
    """Buffers of one core."""

    inter: np.ndarray  # uint8[inter.SCRATCH_SIZE]
    coefs: np.ndarray  # int16[transform.SCRATCH]
    line: np.ndarray  # uint8[intra_prediction.LINE]
    predictions: np.ndarray  # uint8[intra_prediction.PREDICTIONS]
    nb: np.ndarray  # int64[NEIGHBOURS_SIZE]


@kernel
def _note_fetch(fetches, count, mb, slot, x, y, mv, width, height, is_field):
    """Add the rectangle of reference samples of one partition, interpolation margin included.

    Rows of a field are counted in the frame. Forgotten if there is no room.
    """
    if count * FETCH_FIELDS + FETCH_FIELDS <= fetches.size:
        at = count * FETCH_FIELDS
        top = y + (mv >> 18) - 2
        rows = height + 5
        if is_field:
            top *= 2
            rows *= 2
        fetches[at] = mb
        fetches[at + 1] = slot
        fetches[at + 2] = x + ((((mv & 0xFFFF) ^ 0x8000) - 0x8000) >> 2) - 2
        fetches[at + 3] = top
        fetches[at + 4] = width + 5
        fetches[at + 5] = rows
        return count + 1
    return count


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
def _inter_macroblock(
    mem, scratch, planes, weighting, weights, luma_log2, chroma_log2, variant, plane_width, plane_height, pitch,
    chroma_pitch, has_chroma, luma, cb, cr, x_px, y_px, mb, kind, whole, is_field, ref_idx, mv, figures, fetches,
    fetch_count,
):  # fmt: skip
    """Predict an inter macroblock, partition by partition, in place. Returns the rectangles fetched so far.

    whole      : it has one vector a list
    x_px, y_px : its position in the frame or field; pitch, chroma_pitch: of its own rows and those it is predicted from
    """
    columns = 2 if kind == INTER_8X16 else 4
    rows = 2 if kind == INTER_16X8 else 4
    parts = 2
    if whole:
        columns = rows = 4
        parts = 1
    elif columns == 4 and rows == 4:
        columns = rows = 2
        parts = 4
    filtered = np.int64(0)
    partitions = 0
    for part in range(parts):
        x4 = 2 * (part & 1) if columns == 2 else 0
        y4 = part & 2 if parts == 4 else (2 * part if rows == 2 else 0)
        quadrant = y4 + (x4 >> 1)
        ref_0 = np.int64(ref_idx[mb * 8 + quadrant])
        ref_1 = np.int64(ref_idx[mb * 8 + 4 + quadrant])
        first = mb * 32 + 4 * y4 + x4
        step_x, step_y = columns, rows
        if parts == 4:  # as large as the vectors allow
            across = down = True
            if ref_0 >= 0:
                across = mv[first] == mv[first + 1] and mv[first + 4] == mv[first + 5]
                down = mv[first] == mv[first + 4] and mv[first + 1] == mv[first + 5]
            if ref_1 >= 0:
                second = first + 16
                across = across and mv[second] == mv[second + 1] and mv[second + 4] == mv[second + 5]
                down = down and mv[second] == mv[second + 4] and mv[second + 1] == mv[second + 5]
            step_x, step_y = 2 if across else 1, 2 if down else 1
        width, height = 4 * step_x, 4 * step_y
        for y in range(y4, y4 + rows, step_y):
            for x in range(x4, x4 + columns, step_x):
                at = mb * 32 + 4 * y + x
                mv_0, mv_1 = np.int64(mv[at]), np.int64(mv[at + 16])
                left, top = x_px + 4 * x, y_px + 4 * y
                within = 2 * y * chroma_pitch + 2 * x
                predict_partition(
                    mem, scratch, planes, weighting, weights, luma_log2, chroma_log2, variant, plane_width,
                    plane_height, pitch, chroma_pitch, has_chroma, luma + 4 * y * pitch + 4 * x, cb + within,
                    cr + within, pitch, chroma_pitch, 4 * left, 4 * top, width, height, ref_0, mv_0, ref_1, mv_1,
                )  # fmt: skip
                if ref_0 >= 0:
                    slot = planes[(2 * variant * LIST_SIZE + ref_0) * PLANE_COLUMNS + P_SLOT]
                    fetch_count = _note_fetch(fetches, fetch_count, mb, slot, left, top, mv_0, width, height, is_field)
                    filtered += filter_samples(mv_0 >> 16, width, height)
                    partitions += 1
                if ref_1 >= 0:
                    slot = planes[((2 * variant + 1) * LIST_SIZE + ref_1) * PLANE_COLUMNS + P_SLOT]
                    fetch_count = _note_fetch(fetches, fetch_count, mb, slot, left, top, mv_1, width, height, is_field)
                    filtered += filter_samples(mv_1 >> 16, width, height)
                    partitions += 1
    figures[mb * FIGURES + PARTITIONS] = partitions
    figures[mb * FIGURES + SAMPLES] = filtered
    return fetch_count


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
    coefs, line, predictions, nb = scratch.coefs, scratch.line, scratch.predictions, scratch.nb
    planes, weighting = tables.planes, tables.weighting
    width, mbaff = geometry.mb_width, geometry.mbaff
    wrong = 0
    place = s.first_mb >> 1 if mbaff else s.first_mb
    mb_x, mb_y = place % width - 1, place // width
    for mb in range(s.first_mb, s.first_mb + s.macroblocks):
        if not mbaff or not mb & 1 or mb == s.first_mb:
            mb_x += 1
            if mb_x == width:
                mb_x = 0
                mb_y += 1
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
            flags = intra_available(
                nb, m_type, slice_of, field_of, s.slice_id, s.constrained_intra, mbaff, mb, mb_x, width
            )
            wrong += intra_luma(
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
            fetch_count = _inter_macroblock(
                mem, scratch.inter, planes, weighting, s.weights, s.luma_log2_denominator, s.chroma_log2_denominator,
                variant, geometry.width, geometry.height >> 1 if is_field else geometry.height, stride, chroma_stride,
                geometry.chroma, luma, cb, cr, 16 * mb_x, y_px, mb, kind, uniform[mb] != 0, is_field, ref_idx, mv,
                figures, fetches, fetch_count,
            )  # fmt: skip
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
