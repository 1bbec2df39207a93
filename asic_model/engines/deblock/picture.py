"""Deblocking of progressive frames and field pictures, macroblock after macroblock (H.264 8.7)."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.macroblock import I_PCM, UNAVAILABLE, Macroblocks
from asic_model.codecs.h264.tables import QP_CHROMA
from asic_model.engines.deblock.edges import edge_index, filter_chroma_edge, filter_luma_edge
from asic_model.kernel_cache import kernel
from asic_model.simd.deblock import coded_blocks, inter_strengths_b, inter_strengths_p

REFERENCES = 32  # entries of a reference list in `Slices.pictures`


class Planes(NamedTuple):
    """The picture to filter in place: byte offsets and strides in one flat array; a field has doubled strides."""

    data: np.ndarray  # uint8[...]
    luma: int
    luma_stride: int
    cb: int
    cr: int
    chroma_stride: int
    chroma: int  # 0: monochrome


class Slices(NamedTuple):
    """What the filter needs of each slice, indexed by `Macroblocks.slice_id`.

    disable       uint8[s]         disable_deblocking_filter_idc
    alpha_offset  int8[s]          FilterOffsetA = 2 * slice_alpha_c0_offset_div2
    beta_offset   int8[s]          FilterOffsetB
    cb_offset     int8[s]          chroma_qp_index_offset
    cr_offset     int8[s]          second_chroma_qp_index_offset
    pictures      int16[s, 2, 32]  [list][ref_idx] -> any number >= 0 that is the same for the same reference picture
                                   (in field decoding, the two fields of a frame are two pictures)
    """

    disable: np.ndarray
    alpha_offset: np.ndarray
    beta_offset: np.ndarray
    cb_offset: np.ndarray
    cr_offset: np.ndarray
    pictures: np.ndarray


def allocate_slices(count: int) -> Slices:
    """Return cleared rows for `count` slices."""
    alpha, beta, cb, cr = (np.zeros(count, np.int8) for _ in range(4))
    return Slices(np.zeros(count, np.uint8), alpha, beta, cb, cr, np.zeros((count, 2, REFERENCES), np.int16))


class Scratch(NamedTuple):
    """Working memory for pictures of up to n macroblocks; one owner."""

    pictures: np.ndarray  # int16[n * 8]: reference picture of each quadrant, [list][quadrant], -1 none
    coded: np.ndarray  # uint8[n * 16]: 4x4 block (raster order) whose transform block has levels
    strengths: np.ndarray  # uint8[32] of the macroblock at work: upright then across, [edge][quarter]


def allocate_scratch(count: int) -> Scratch:
    return Scratch(np.full(count * 8, -1, np.int16), np.zeros(count * 16, np.uint8), np.zeros(32, np.uint8))


class Syntax(NamedTuple):
    """What of `Macroblocks` the filter reads, as flat views."""

    mb_type: np.ndarray
    slice_id: np.ndarray
    qp: np.ndarray
    cbp: np.ndarray
    transform_8x8: np.ndarray
    ref_idx: np.ndarray
    mv: np.ndarray
    total_coeff: np.ndarray


@kernel
def _prepare(syntax, table, scratch, first, end):
    """Note reference pictures and coded blocks of inter macroblocks `first` .. `end` - 1 in `scratch`."""
    mb_type, slice_id, ref_idx = syntax.mb_type, syntax.slice_id, syntax.ref_idx
    cbp, transform_8x8, total_coeff = syntax.cbp, syntax.transform_8x8, syntax.total_coeff
    pictures, coded = scratch.pictures, scratch.coded
    for mb in range(first, end):
        if mb_type[mb] <= I_PCM or mb_type[mb] == UNAVAILABLE or slice_id[mb] < 0:
            continue
        row = np.int64(slice_id[mb]) * (2 * REFERENCES)
        for which in range(8):
            index = np.int64(ref_idx[8 * mb + which])
            pictures[8 * mb + which] = table[row + (which >> 2) * REFERENCES + index] if index >= 0 else -1
        coded_blocks(coded, 16 * mb, total_coeff, 24 * mb, cbp[mb], transform_8x8[mb])


@kernel
def _count_bits(mask):
    """Number of ones among the lowest 16 bits."""
    mask = (mask & 0x5555) + ((mask >> 1) & 0x5555)
    mask = (mask & 0x3333) + ((mask >> 2) & 0x3333)
    mask = (mask & 0x0F0F) + ((mask >> 4) & 0x0F0F)
    return (mask & 0xFF) + (mask >> 8)


@kernel
def _filter_luma(data, offset, stride, strengths, masks, strong, qp, qp_left, qp_top, alpha_offset, beta_offset):
    """The edges of one macroblock's luma; masks and strong: (upright, across)."""
    for direction in range(2):
        mask = masks[direction]
        outer = qp_top if direction else qp_left
        step = 4 * stride if direction else 4
        for edge in range(4):
            if (mask >> (4 * edge)) & 15:
                beside = qp if edge else outer
                index_a, index_b = edge_index(beside, qp, alpha_offset), edge_index(beside, qp, beta_offset)
                filter_luma_edge(
                    data, offset + edge * step, stride, direction == 0, edge == 0 and strong[direction],
                    strengths, 16 * direction + 4 * edge, index_a, index_b,
                )  # fmt: skip


@kernel
def _filter_chroma(data, offset, stride, strengths, masks, strong, qp, qp_left, qp_top, alpha_offset, beta_offset):
    """The edges of one chroma component: those that lie over luma edges 0 and 2, with their strengths."""
    for direction in range(2):
        mask = masks[direction]
        outer = qp_top if direction else qp_left
        step = 2 * stride if direction else 2
        for edge in range(0, 4, 2):
            if (mask >> (4 * edge)) & 15:
                beside = qp if edge else outer
                index_a, index_b = edge_index(beside, qp, alpha_offset), edge_index(beside, qp, beta_offset)
                filter_chroma_edge(
                    data, offset + edge * step, stride, direction == 0, edge == 0 and strong[direction],
                    strengths, 16 * direction + 4 * edge, index_a, index_b,
                )  # fmt: skip


@kernel
def _qp_chroma(qp, offset):
    return np.int64(QP_CHROMA[min(max(qp + offset, 0), 51)])


def deblock_rows(
    planes: Planes, mbs: Macroblocks, slices: Slices, scratch: Scratch,
    width_mbs: int, first_row: int, end_row: int, field_picture: int, lists: int, edges: np.ndarray,
) -> None:  # fmt: skip
    """Filter macroblock rows `first_row` .. `end_row` - 1 in place; rows before must have been filtered.

    mbs            `Macroblocks` of the picture, not MBAFF, all rows up to end_row complete
    field_picture  not 0 in a field: vectors count twice, strength 4 becomes 3 across rows
    lists          1 if no slice of the picture is a B slice, else 2
    edges          uint8[n], out: 4-sample pieces of edges with strength > 0, luma and chroma
    """
    syntax = Syntax(
        mbs.mb_type, mbs.slice_id, mbs.qp, mbs.cbp, mbs.transform_8x8,
        mbs.ref_idx.ravel(), mbs.mv.ravel(), mbs.total_coeff.ravel(),
    )  # fmt: skip
    _prepare(syntax, slices.pictures.ravel(), scratch, first_row * width_mbs, end_row * width_mbs)
    _filter_rows(planes, syntax, slices, scratch, width_mbs, first_row, end_row, field_picture, lists, edges)


@kernel
def _filter_rows(planes, syntax, slices, scratch, width_mbs, first_row, end_row, field_picture, lists, edges):
    data, strengths = planes.data, scratch.strengths
    mv, pictures, coded = syntax.mv, scratch.pictures, scratch.coded
    mb_type, slice_id, qp_of, transform_8x8 = syntax.mb_type, syntax.slice_id, syntax.qp, syntax.transform_8x8
    vertical_limit = 2 if field_picture else 4
    for y in range(first_row, end_row):
        for x in range(width_mbs):
            mb = y * width_mbs + x
            number = np.int64(slice_id[mb])
            edges[mb] = 0
            if number < 0 or slices.disable[number] == 1:
                continue
            own_slice = slices.disable[number] == 2
            left, top = mb - 1, mb - width_mbs
            if x == 0 or slice_id[left] < 0 or (own_slice and slice_id[left] != number):
                left = -1
            if y == 0 or slice_id[top] < 0 or (own_slice and slice_id[top] != number):
                top = -1
            strong_left = strong_top = False
            if mb_type[mb] <= I_PCM:
                strengths[:] = 3
                upright = across = np.int64(0xFFFF)
                strong_left, strong_top = True, field_picture == 0
            else:
                beside, above = left if left >= 0 else mb, top if top >= 0 else mb
                if lists == 1:
                    upright, across = inter_strengths_p(
                        strengths, 0, mv, pictures, coded, mb, beside, above, vertical_limit
                    )
                else:
                    upright, across = inter_strengths_b(
                        strengths, 0, mv, pictures, coded, mb, beside, above, vertical_limit
                    )
                if left >= 0 and mb_type[left] <= I_PCM:
                    upright |= 15
                    strong_left = True
                if top >= 0 and mb_type[top] <= I_PCM:
                    across |= 15
                    strong_top = field_picture == 0
                    strengths[16:20] = 3
            if left < 0:
                upright &= 0xFFF0
            if top < 0:
                across &= 0xFFF0
            if transform_8x8[mb]:
                upright, across = upright & 0x0F0F, across & 0x0F0F
            if not upright | across:
                continue
            edges[mb] = _count_bits(upright) + _count_bits(across)  # luma
            edges[mb] += _count_bits(upright & 0x0F0F) + _count_bits(across & 0x0F0F)  # Cb and Cr, two samples each
            masks, strong = (upright, across), (strong_left, strong_top)
            qp = np.int64(qp_of[mb]) if mb_type[mb] != I_PCM else np.int64(0)
            qp_left = qp_top = qp
            if left >= 0:
                qp_left = np.int64(qp_of[left]) if mb_type[left] != I_PCM else np.int64(0)
            if top >= 0:
                qp_top = np.int64(qp_of[top]) if mb_type[top] != I_PCM else np.int64(0)
            alpha_offset, beta_offset = np.int64(slices.alpha_offset[number]), np.int64(slices.beta_offset[number])
            offset, stride = planes.luma + 16 * (y * planes.luma_stride + x), planes.luma_stride
            _filter_luma(data, offset, stride, strengths, masks, strong, qp, qp_left, qp_top, alpha_offset, beta_offset)
            stride = planes.chroma_stride
            for component in range(2 if planes.chroma else 0):
                shift = np.int64(slices.cr_offset[number] if component else slices.cb_offset[number])
                offset = (planes.cr if component else planes.cb) + 8 * (y * stride + x)
                _filter_chroma(
                    data, offset, stride, strengths, masks, strong, _qp_chroma(qp, shift),
                    _qp_chroma(qp_left, shift), _qp_chroma(qp_top, shift), alpha_offset, beta_offset,
                )  # fmt: skip


def deblock_picture(
    planes: Planes, mbs: Macroblocks, slices: Slices, scratch: Scratch,
    width_mbs: int, height_mbs: int, field_picture: int, lists: int, edges: np.ndarray,
) -> None:  # fmt: skip
    """Filter a whole picture in place, as `deblock_rows`."""
    deblock_rows(planes, mbs, slices, scratch, width_mbs, 0, height_mbs, field_picture, lists, edges)
