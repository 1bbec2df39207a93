"""Deblocking of MBAFF frames: macroblock pairs in frame or field mode beside each other (H.264 8.7, 8.7.1, 8.7.2.1).

Where neighbours are of the same kind the edges are those of `picture`. Three edges are not:

- left, kinds differ: each row of the macroblock meets another row of the pair to the left; strengths change every two
  samples and no strength is below 1
- top of a field macroblock under a frame pair: filtered in field rows, reaching into the lower frame macroblock
- top of a frame pair under a field pair: filtered twice, even rows against the top field, odd rows against the bottom
  field
"""

import numpy as np

from asic_model.codecs.h264.macroblock import I_PCM, UNAVAILABLE
from asic_model.engines.deblock.edges import edge_index, filter_chroma_edge, filter_luma_edge, filter_samples
from asic_model.engines.deblock.picture import REFERENCES, _count_bits, _filter_chroma, _filter_luma, _qp_chroma
from asic_model.kernel_cache import kernel
from asic_model.simd.deblock import coded_blocks, inter_strengths_b


@kernel
def _prepare(mbs, slices, scratch, count):
    """As `picture.prepare_macroblocks`; a field macroblock refers to fields: entry i is one of frame entry i >> 1."""
    mb_type, cbp, transform_8x8, ref_idx = mbs.mb_type, mbs.cbp, mbs.transform_8x8, mbs.ref_idx.ravel()
    slice_id, field_of, total_coeff = mbs.slice_id, mbs.field, mbs.total_coeff.ravel()
    pictures, coded, table = scratch.pictures, scratch.coded, slices.pictures.ravel()
    for mb in range(count):
        if mb_type[mb] <= I_PCM or mb_type[mb] == UNAVAILABLE or slice_id[mb] < 0:
            continue
        row = np.int64(slice_id[mb]) * (2 * REFERENCES)
        for which in range(8):
            index = np.int64(ref_idx[8 * mb + which])
            picture = np.int64(-1)
            if index >= 0 and field_of[mb]:
                picture = table[row + (which >> 2) * REFERENCES + (index >> 1)] + 1 + ((mb ^ index) & 1)
            elif index >= 0:
                picture = np.int64(table[row + (which >> 2) * REFERENCES + index])
            pictures[8 * mb + which] = picture
        coded_blocks(coded, 16 * mb, total_coeff, 24 * mb, cbp[mb], transform_8x8[mb])


@kernel
def _qp(mb_type, qp_of, mb):
    return np.int64(0) if mb_type[mb] == I_PCM else np.int64(qp_of[mb])


@kernel
def _mixed_left(planes, mbs, coded, mb, left_pair, luma, cb, cr, alpha_offset, beta_offset, cb_offset, cr_offset):
    """The left edge beside a pair of the other kind. luma, cb, cr: the macroblock's first samples."""
    data, mb_type, qp_of = planes.data, mbs.mb_type, mbs.qp
    is_field = mbs.field[mb] != 0
    qp = _qp(mb_type, qp_of, mb)
    # a field macroblock's rows stand every other row, and so do a frame macroblock's that meet one field
    luma_along, chroma_along = 2 * planes.luma_stride, 2 * planes.chroma_stride
    for i in range(8):
        if is_field:
            left = left_pair + (i >> 2)
            row, left_row = i >> 1, i & 3
            luma_at = luma + 2 * i * luma_along
            chroma_at = i * chroma_along
        else:
            left = left_pair + (i & 1)
            row, left_row = i >> 1, 2 * (mb & 1) + (i >> 2)
            luma_at = luma + (4 * (i >> 1) + (i & 1)) * planes.luma_stride
            chroma_at = i * planes.chroma_stride
        if mb_type[mb] <= I_PCM or mb_type[left] <= I_PCM:
            strength = 4
        else:
            strength = 2 if coded[16 * mb + 4 * row] or coded[16 * left + 4 * left_row + 3] else 1
        qp_left = _qp(mb_type, qp_of, left)
        index_a, index_b = edge_index(qp_left, qp, alpha_offset), edge_index(qp_left, qp, beta_offset)
        filter_samples(data, luma_at, luma_along, 1, 2, True, strength, index_a, index_b)
        if planes.chroma:
            for plane in range(2):
                offset = cr_offset if plane else cb_offset
                p, q = _qp_chroma(qp_left, offset), _qp_chroma(qp, offset)
                index_a, index_b = edge_index(p, q, alpha_offset), edge_index(p, q, beta_offset)
                at = (cr if plane else cb) + chroma_at
                filter_samples(data, at, chroma_along, 1, 1, False, strength, index_a, index_b)


@kernel
def _top_in_fields(
    planes, mbs, coded, strengths, mb, above_pair, luma, cb, cr, alpha_offset, beta_offset, cb_offset, cr_offset
):  # fmt: skip
    """The top edge of a frame macroblock under a field pair: each field's rows on their own."""
    data, mb_type, qp_of = planes.data, mbs.mb_type, mbs.qp
    qp = _qp(mb_type, qp_of, mb)
    for parity in range(2):
        above = above_pair + parity
        for i in range(4):
            if mb_type[mb] <= I_PCM or mb_type[above] <= I_PCM:
                strengths[16 + i] = 3
            else:
                strengths[16 + i] = 2 if coded[16 * mb + i] or coded[16 * above + 12 + i] else 1
        qp_above = _qp(mb_type, qp_of, above)
        index_a, index_b = edge_index(qp_above, qp, alpha_offset), edge_index(qp_above, qp, beta_offset)
        filter_luma_edge(
            data,
            luma + parity * planes.luma_stride,
            2 * planes.luma_stride,
            False,
            False,
            strengths,
            16,
            index_a,
            index_b,
        )
        if planes.chroma:
            for plane in range(2):
                offset = cr_offset if plane else cb_offset
                p, q = _qp_chroma(qp_above, offset), _qp_chroma(qp, offset)
                index_a, index_b = edge_index(p, q, alpha_offset), edge_index(p, q, beta_offset)
                at = (cr if plane else cb) + parity * planes.chroma_stride
                filter_chroma_edge(data, at, 2 * planes.chroma_stride, False, False, strengths, 16, index_a, index_b)


@kernel
def deblock_mbaff(planes, mbs, slices, scratch, width_mbs, mb_count, edges):
    """Filter an MBAFF frame in place.

    planes : of the frame (strides from row to row); mbs: `Macroblocks` in decoding order, pair by pair, complete
    edges  : uint8[n], out: 4-sample pieces of edges with strength > 0, luma and chroma
    """
    data, strengths = planes.data, scratch.strengths
    mv, pictures, coded = mbs.mv.ravel(), scratch.pictures, scratch.coded
    mb_type, slice_id, field_of, qp_of = mbs.mb_type, mbs.slice_id, mbs.field, mbs.qp
    transform_8x8 = mbs.transform_8x8
    _prepare(mbs, slices, scratch, mb_count)
    for mb in range(mb_count):
        number = np.int64(slice_id[mb])
        edges[mb] = 0
        if number < 0 or slices.disable[number] == 1:
            continue
        own_slice = slices.disable[number] == 2
        pair, bottom, is_field = mb >> 1, mb & 1, field_of[mb] != 0
        x, y = pair % width_mbs, pair // width_mbs
        left_pair, above_pair = (mb & ~1) - 2, (mb & ~1) - 2 * width_mbs
        if x == 0 or (own_slice and slice_id[left_pair] != number):
            left_pair = -1
        if y == 0 or (own_slice and slice_id[above_pair] != number):
            above_pair = -1
        # macroblocks beside and above as far as the edge is an ordinary one, -1: no edge or one of the others
        left = above = np.int64(-1)
        mixed_left = mixed_top = in_fields = False
        if left_pair >= 0:
            mixed_left = (field_of[left_pair] != 0) != is_field
            if not mixed_left:
                left = left_pair + bottom
        if bottom and not is_field:
            above = np.int64(mb - 1)
        elif above_pair >= 0:
            if is_field:
                mixed_top = field_of[above_pair] == 0
                above = above_pair + (1 if mixed_top else bottom)
            elif field_of[above_pair] != 0:
                in_fields = True
            else:
                above = above_pair + 1

        if mb_type[mb] <= I_PCM:
            strengths[:] = 3
            upright = across = np.int64(0xFFFF)
            strong_left, strong_top = True, not is_field
        else:
            beside, over = left if left >= 0 else mb, above if above >= 0 else mb
            upright, across = inter_strengths_b(
                strengths, 0, mv, pictures, coded, mb, beside, over, 2 if is_field else 4
            )
            strong_left = strong_top = False
            if left >= 0 and mb_type[left] <= I_PCM:
                upright |= 15
                strong_left = True
            if above >= 0:
                if mb_type[above] <= I_PCM:
                    across |= 15
                    strong_top = not is_field
                    strengths[16:20] = 3
                elif mixed_top:
                    across |= 15
                    for i in range(4):
                        strengths[16 + i] = 2 if coded[16 * mb + i] or coded[16 * above + 12 + i] else 1
        if left < 0:
            upright &= 0xFFF0
        if above < 0:
            across &= 0xFFF0
        if transform_8x8[mb]:
            upright, across = upright & 0x0F0F, across & 0x0F0F
        count = _count_bits(upright) + _count_bits(across)
        count += _count_bits(upright & 0x0F0F) + _count_bits(across & 0x0F0F)
        edges[mb] = count + (8 if mixed_left else 0) + (16 if in_fields else 0)

        stride, chroma_stride = planes.luma_stride, planes.chroma_stride
        row, chroma_row = 32 * y + (bottom if is_field else 16 * bottom), 16 * y + (bottom if is_field else 8 * bottom)
        luma = planes.luma + row * stride + 16 * x
        within = chroma_row * chroma_stride + 8 * x
        if is_field:
            stride *= 2
            chroma_stride *= 2
        alpha_offset, beta_offset = np.int64(slices.alpha_offset[number]), np.int64(slices.beta_offset[number])
        cb_offset, cr_offset = np.int64(slices.cb_offset[number]), np.int64(slices.cr_offset[number])
        qp = _qp(mb_type, qp_of, mb)
        qp_left = _qp(mb_type, qp_of, left) if left >= 0 else qp
        qp_top = _qp(mb_type, qp_of, above) if above >= 0 else qp
        if mixed_left:
            _mixed_left(
                planes, mbs, coded, mb, left_pair, luma, planes.cb + within, planes.cr + within, alpha_offset,
                beta_offset, cb_offset, cr_offset,
            )  # fmt: skip
        strong = (strong_left, strong_top)
        none = np.int64(0)
        for direction in range(2):
            masks = (none, across) if direction else (upright, none)
            if direction and in_fields:  # overwrites the strengths of edge 0, which this macroblock has not otherwise
                _top_in_fields(
                    planes, mbs, coded, strengths, mb, above_pair, luma, planes.cb + within, planes.cr + within,
                    alpha_offset, beta_offset, cb_offset, cr_offset,
                )  # fmt: skip
            _filter_luma(data, luma, stride, strengths, masks, strong, qp, qp_left, qp_top, alpha_offset, beta_offset)
            if planes.chroma:
                for plane in range(2):
                    offset = cr_offset if plane else cb_offset
                    at = (planes.cr if plane else planes.cb) + within
                    _filter_chroma(
                        data, at, chroma_stride, strengths, masks, strong, _qp_chroma(qp, offset),
                        _qp_chroma(qp_left, offset), _qp_chroma(qp_top, offset), alpha_offset, beta_offset,
                    )  # fmt: skip
