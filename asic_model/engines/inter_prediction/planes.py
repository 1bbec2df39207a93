"""Half-sample planes of a whole reference, for an encoder that looks at many positions (H.264 8.4.2.2.1).

Four padded planes of one stride in one flat uint8 array, `plane_bytes` apart: whole samples ("G"), half to the right
("b"), half below ("h"), and both ("j"). `offset` is that of sample (0, 0) in the first; the padding of each is the
caller's and at least MINIMUM_PAD_PX on every side.
"""

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.simd.blocks import average_4xn, average_8xn, average_16xn, copy_4xn, copy_8xn, copy_16xn
from asic_model.simd.filters import half_centre_row, half_horizontal_row, half_vertical_row, half_vertical_sums_row

WHOLE, HORIZONTAL, VERTICAL, CENTRE = range(4)
MINIMUM_PAD_PX = 8
_MARGIN = 4  # samples outside the picture that still differ from the edge's; farther ones repeat them

# [4 * yFrac + xFrac] -> (plane, x, y) twice: the samples whose rounded mean stands there (Table 8-12)
_POSITIONS = np.array(
    [
        [(WHOLE, 0, 0), (WHOLE, 0, 0)],
        [(WHOLE, 0, 0), (HORIZONTAL, 0, 0)],
        [(HORIZONTAL, 0, 0), (HORIZONTAL, 0, 0)],
        [(HORIZONTAL, 0, 0), (WHOLE, 1, 0)],
        [(WHOLE, 0, 0), (VERTICAL, 0, 0)],
        [(HORIZONTAL, 0, 0), (VERTICAL, 0, 0)],
        [(HORIZONTAL, 0, 0), (CENTRE, 0, 0)],
        [(HORIZONTAL, 0, 0), (VERTICAL, 1, 0)],
        [(VERTICAL, 0, 0), (VERTICAL, 0, 0)],
        [(VERTICAL, 0, 0), (CENTRE, 0, 0)],
        [(CENTRE, 0, 0), (CENTRE, 0, 0)],
        [(CENTRE, 0, 0), (VERTICAL, 1, 0)],
        [(VERTICAL, 0, 0), (WHOLE, 0, 1)],
        [(VERTICAL, 0, 0), (HORIZONTAL, 0, 1)],
        [(CENTRE, 0, 0), (HORIZONTAL, 0, 1)],
        [(VERTICAL, 1, 0), (HORIZONTAL, 0, 1)],
    ],
    np.int64,
)


@kernel
def pad_plane(data, offset, stride, x_first, x_end, y_first, y_end, width, height, pad):
    """Repeat the edges of columns x_first..x_end - 1, rows y_first..y_end - 1 outwards, `pad` beyond the picture.

    Coordinates count from sample (0, 0) of the picture of `width` x `height` at `offset`.
    """
    for y in range(y_first, y_end):
        line = offset + y * stride
        first, last = data[line + x_first], data[line + x_end - 1]
        data[line - pad : line + x_first] = first
        data[line + x_end : line + width + pad] = last
    length = width + 2 * pad
    source = offset + y_first * stride - pad
    for y in range(-pad, y_first):
        line = offset + y * stride - pad
        data[line : line + length] = data[source : source + length]
    source = offset + (y_end - 1) * stride - pad
    for y in range(y_end, height + pad):
        line = offset + y * stride - pad
        data[line : line + length] = data[source : source + length]


@kernel
def half_sample_planes(data, offset, stride, plane_bytes, width, height, pad, sums):
    """Pad the whole-sample plane and fill the three half-sample planes, padding included.

    data : uint8, 4 planes `plane_bytes` apart; the picture's samples stand in the first (`width`, `height` >= 16)
    pad  : samples of padding on each side, at least MINIMUM_PAD_PX; the stride holds width + 2 * pad
    sums : int16[width + 32] of scratch
    """
    pad_plane(data, offset, stride, 0, width, 0, height, width, height, pad)
    count = width + 2 * _MARGIN
    for y in range(-_MARGIN, height + _MARGIN):
        line = offset + y * stride - _MARGIN
        half_horizontal_row(data, line + HORIZONTAL * plane_bytes, data, line, count)
        half_vertical_row(data, line + VERTICAL * plane_bytes, data, line, stride, count)
        half_vertical_sums_row(sums, 0, data, line - 2, stride, count + 5)
        half_centre_row(data, line + CENTRE * plane_bytes, sums, 2, count)
    for plane in range(HORIZONTAL, CENTRE + 1):
        at = offset + plane * plane_bytes
        pad_plane(data, at, stride, -_MARGIN, width + _MARGIN, -_MARGIN, height + _MARGIN, width, height, pad)


@kernel
def predict_luma_from_planes(
    dst, dst_offset, dst_stride, data, offset, stride, plane_bytes, x_qpel, y_qpel, block_width, block_height
):  # fmt: skip
    """As `predict_luma` for positions whose samples (one more to the right and below) stand in the padded planes."""
    fraction = 4 * (y_qpel & 3) + (x_qpel & 3)
    at = offset + (y_qpel >> 2) * stride + (x_qpel >> 2)
    one = (
        at + _POSITIONS[fraction, 0, 0] * plane_bytes + _POSITIONS[fraction, 0, 1] + _POSITIONS[fraction, 0, 2] * stride
    )
    two = (
        at + _POSITIONS[fraction, 1, 0] * plane_bytes + _POSITIONS[fraction, 1, 1] + _POSITIONS[fraction, 1, 2] * stride
    )
    if one == two:
        if block_width == 16:
            copy_16xn(dst, dst_offset, dst_stride, data, one, stride, block_height)
        elif block_width == 8:
            copy_8xn(dst, dst_offset, dst_stride, data, one, stride, block_height)
        else:
            copy_4xn(dst, dst_offset, dst_stride, data, one, stride, block_height)
    elif block_width == 16:
        average_16xn(dst, dst_offset, dst_stride, data, one, stride, data, two, stride, block_height)
    elif block_width == 8:
        average_8xn(dst, dst_offset, dst_stride, data, one, stride, data, two, stride, block_height)
    else:
        average_4xn(dst, dst_offset, dst_stride, data, one, stride, data, two, stride, block_height)
