"""Motion-compensated prediction of single blocks (H.264 8.4.2).

A reference plane is (array, offset, stride, width, height): byte offset and stride in a flat uint8 array, size in
samples. A field of a frame is the same array with its first row's offset, twice the stride and half the height.
Positions outside the plane repeat its edge (8-239, 8-240).

`scratch` is uint8[SCRATCH] of one owner, for blocks that reach outside.
"""

import numpy as np

from asic_model.kernel_cache import inlined, kernel
from asic_model.simd.blocks import average_2xn, average_4xn, average_8xn, average_16xn, copy_8xn, copy_16xn, fill_16xn
from asic_model.simd.interpolation import (
    chroma_2xn,
    chroma_4xn,
    chroma_8xn,
    luma_4xn,
    luma_8xn,
    luma_16xn,
    weight_2xn,
    weight_4xn,
    weight_8xn,
    weight_16xn,
)

_PATCH_STRIDE = 32
_PATCH = 32  # offset of a patch in scratch: room on both sides for copies in fixed sizes
_PIECE = 24  # samples copied at once
SCRATCH = _PATCH + _PATCH_STRIDE * 23  # bytes


@kernel
def _copy_clamped(patch, ref, offset, stride, width, height, x, y, columns, rows):
    """Copy the `columns` x `rows` samples at (x, y), coordinates clamped into the plane, to the patch in scratch."""
    first = min(max(-x, 0), columns)  # columns before this are left of the plane
    end = max(min(width - x, columns), 0)  # from this on right of it
    if width < _PIECE or (columns < 8 and first < end):
        for j in range(rows):
            line = offset + min(max(y + j, 0), height - 1) * stride
            for i in range(columns):
                patch[_PATCH + j * _PATCH_STRIDE + i] = ref[line + min(max(x + i, 0), width - 1)]
        return
    inside = first == 0 and end == columns
    for j in range(rows):
        # From the last row up where copies start before their row, so that what they spoil is written later
        row = rows - 1 - j if end < columns else j
        line = offset + min(max(y + row, 0), height - 1) * stride
        at = _PATCH + row * _PATCH_STRIDE
        if inside:  # two pieces that overlap
            if columns >= 16:
                copy_16xn(patch, at, 0, ref, line + x, 0, 1)
            else:
                copy_8xn(patch, at, 0, ref, line + x, 0, 1)
            copy_8xn(patch, at + columns - 8, 0, ref, line + x + columns - 8, 0, 1)
            continue
        fill_16xn(patch, at, 16, np.int64(ref[line if first else line + width - 1]), 2)
        if first < end:
            source = line if first else line + width - _PIECE
            target = at + first if first else at + end - _PIECE
            copy_16xn(patch, target, 0, ref, source, 0, 1)
            copy_8xn(patch, target + 16, 0, ref, source + 16, 0, 1)


@kernel
def _luma_block(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, block_width, block_height):
    if block_width == 16:
        luma_16xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, block_height)
    elif block_width == 8:
        luma_8xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, block_height)
    else:
        luma_4xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, fraction, block_height)


@inlined
def predict_luma(
    dst, dst_offset, dst_stride, ref, ref_offset, ref_stride, width, height, x_qpel, y_qpel, block_width, block_height,
    scratch,
):  # fmt: skip
    """Luma of one partition, 16, 8 or 4 wide and high, at (x_qpel, y_qpel) quarter samples of the plane (8.4.2.2.1).

    The position is absolute: 4 times the partition's own plus the motion vector.
    """
    x, y = np.int64(x_qpel) >> 2, np.int64(y_qpel) >> 2
    x_fraction, y_fraction = np.int64(x_qpel) & 3, np.int64(y_qpel) & 3
    fraction = 4 * y_fraction + x_fraction
    before_x, after_x = (2, 3) if x_fraction else (0, 0)
    before_y, after_y = (2, 3) if y_fraction else (0, 0)
    if (
        x >= before_x and x + block_width + after_x <= width and y >= before_y and y + block_height + after_y <= height
    ):  # fmt: skip
        at = ref_offset + y * ref_stride + x
        _luma_block(dst, dst_offset, dst_stride, ref, at, ref_stride, fraction, block_width, block_height)
    else:
        _copy_clamped(
            scratch, ref, ref_offset, ref_stride, width, height, x - 2, y - 2, block_width + 5, block_height + 5
        )
        at = _PATCH + 2 * _PATCH_STRIDE + 2
        _luma_block(dst, dst_offset, dst_stride, scratch, at, _PATCH_STRIDE, fraction, block_width, block_height)


@kernel
def _chroma_block(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, width, height):
    if width == 8:
        chroma_8xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, height)
    elif width == 4:
        chroma_4xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, height)
    else:
        chroma_2xn(dst, dst_offset, dst_stride, src, src_offset, src_stride, x_fraction, y_fraction, height)


@inlined
def predict_chroma(
    dst, dst_offset, dst_stride, ref, ref_offset, ref_stride, width, height, x_epel, y_epel, block_width, block_height,
    scratch,
):  # fmt: skip
    """One 4:2:0 chroma component of a partition, 8, 4 or 2 wide and high (8.4.2.2.2).

    The position is absolute in eighths of a chroma sample: 8 times the block's own plus the chroma vector (8.4.1.4:
    the luma vector, adjusted vertically by the caller where the fields' parities differ). The plane is the component's.
    """
    x, y = np.int64(x_epel) >> 3, np.int64(y_epel) >> 3
    x_fraction, y_fraction = np.int64(x_epel) & 7, np.int64(y_epel) & 7
    after_x, after_y = (1 if x_fraction else 0), (1 if y_fraction else 0)
    if x >= 0 and x + block_width + after_x <= width and y >= 0 and y + block_height + after_y <= height:
        at = ref_offset + y * ref_stride + x
        _chroma_block(
            dst, dst_offset, dst_stride, ref, at, ref_stride, x_fraction, y_fraction, block_width, block_height
        )
    else:
        _copy_clamped(scratch, ref, ref_offset, ref_stride, width, height, x, y, block_width + 1, block_height + 1)
        _chroma_block(
            dst, dst_offset, dst_stride, scratch, _PATCH, _PATCH_STRIDE,
            x_fraction, y_fraction, block_width, block_height,
        )  # fmt: skip


@kernel
def average_prediction(dst, dst_offset, dst_stride, other, other_offset, other_stride, width, height):
    """Default bi-prediction: dst = (dst + other + 1) >> 1 (8.4.2.3.1); width 16, 8, 4 or 2."""
    if width == 16:
        average_16xn(
            dst, dst_offset, dst_stride, dst, dst_offset, dst_stride, other, other_offset, other_stride, height
        )
    elif width == 8:
        average_8xn(dst, dst_offset, dst_stride, dst, dst_offset, dst_stride, other, other_offset, other_stride, height)
    elif width == 4:
        average_4xn(dst, dst_offset, dst_stride, dst, dst_offset, dst_stride, other, other_offset, other_stride, height)
    else:
        average_2xn(dst, dst_offset, dst_stride, dst, dst_offset, dst_stride, other, other_offset, other_stride, height)


@kernel
def _weigh(
    dst, dst_offset, dst_stride, other, other_offset, other_stride, weight, other_weight, rounding, shift, offset,
    width, height,
):  # fmt: skip
    if width == 16:
        weight_16xn(
            dst, dst_offset, dst_stride, other, other_offset, other_stride,
            weight, other_weight, rounding, shift, offset, height,
        )  # fmt: skip
    elif width == 8:
        weight_8xn(
            dst, dst_offset, dst_stride, other, other_offset, other_stride,
            weight, other_weight, rounding, shift, offset, height,
        )  # fmt: skip
    elif width == 4:
        weight_4xn(
            dst, dst_offset, dst_stride, other, other_offset, other_stride,
            weight, other_weight, rounding, shift, offset, height,
        )  # fmt: skip
    else:
        weight_2xn(
            dst, dst_offset, dst_stride, other, other_offset, other_stride,
            weight, other_weight, rounding, shift, offset, height,
        )  # fmt: skip


@kernel
def weight_prediction(dst, dst_offset, dst_stride, width, height, weight, offset, log2_denominator):
    """Explicit weighting of a block predicted from one list, in place (8-298, 8-299): w, o and logWD."""
    rounding = (np.int64(1) << log2_denominator) >> 1
    _weigh(
        dst, dst_offset, dst_stride, dst, dst_offset, dst_stride,
        weight, 0, rounding, log2_denominator, offset, width, height,
    )  # fmt: skip


@kernel
def weight_prediction_bi(
    dst, dst_offset, dst_stride, other, other_offset, other_stride, width, height,
    weight_0, weight_1, offset_0, offset_1, log2_denominator,
):  # fmt: skip
    """Weighted bi-prediction (8-300): `dst` holds the block from list 0 and gets the result, `other` that from list 1.

    Implicit weighting: the weights of `implicit_weight`, offsets 0, log2_denominator 5.
    """
    rounding, offset = np.int64(1) << log2_denominator, (offset_0 + offset_1 + 1) >> 1
    _weigh(
        dst, dst_offset, dst_stride, other, other_offset, other_stride,
        weight_0, weight_1, rounding, log2_denominator + 1, offset, width, height,
    )  # fmt: skip


@kernel
def implicit_weight(current_poc, poc_0, poc_1, long_term):
    """Implicit weight w1 of the list 1 reference, w0 = 64 - w1 (8.4.2.3.1).

    poc_0, poc_1 : picture order counts of the two references, of the current picture or, for a field macroblock of an
                   MBAFF frame, field; long_term : not 0 if either is a long-term reference
    """
    tb = min(max(current_poc - poc_0, -128), 127)
    td = min(max(poc_1 - poc_0, -128), 127)
    if td == 0 or long_term:
        return 32
    # "/" of the standard truncates towards zero; here numerators are positive and the sign is put back
    tx = (16384 + (abs(td) >> 1)) // abs(td)
    if td < 0:
        tx = -tx
    factor = min(max((tb * tx + 32) >> 6, -1024), 1023) >> 2
    if factor < -64 or factor > 128:
        return 32
    return factor
