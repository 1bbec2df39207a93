"""Inter prediction of one partition: luma and chroma from one or two references, weighted (H.264 8.4.2)."""

import numpy as np

from asic_model.cores.decode.vectors import LIST_SIZE, VARIANTS
from asic_model.engines.inter_prediction import (
    SCRATCH,
    average_prediction,
    predict_chroma,
    predict_luma,
    weight_prediction,
    weight_prediction_bi,
)
from asic_model.kernel_cache import inlined, kernel

WEIGHT_NONE, WEIGHT_EXPLICIT, WEIGHT_IMPLICIT = 0, 1, 2

# `planes` of a slice, int64[VARIANTS * 2 * LIST_SIZE * PLANE_COLUMNS], [variant][list][entry]: byte addresses of the
# first rows of the frame or field, vertical chroma vector offset in eighths of a sample (Table 8-9), buffer number
P_LUMA, P_CB, P_CR, P_PARITY, P_SLOT = range(5)
PLANE_COLUMNS = 5
# `weighting` of a slice, int16: explicit [list][entry][component](weight, offset), then implicit w1
# [variant][list 0 entry][list 1 entry]
IMPLICIT = 2 * LIST_SIZE * 6
WEIGHTING_SIZE = IMPLICIT + VARIANTS * LIST_SIZE * LIST_SIZE

# `scratch`: what the engine needs for blocks that reach outside, then the second list's prediction, rows of 16
SECOND = SCRATCH
SCRATCH_SIZE = SCRATCH + 16 * 16


@kernel
def _combine(mem, at, stride, scratch, width, height, plain, w0, w1, offsets, log2_denominator):
    """Bi-prediction of one component in place. offsets: o0 + o1, of which (o0 + o1 + 1) >> 1 is added."""
    if plain:
        average_prediction(mem, at, stride, scratch, SECOND, 16, width, height)
    else:
        weight_prediction_bi(mem, at, stride, scratch, SECOND, 16, width, height, w0, w1, offsets, 0, log2_denominator)


@kernel
def _weights(weighting, weights, variant, ref_0, ref_1, component, log2_denominator):
    """(w0, w1, o0 + o1, logWD) of a partition's references; of one list alone the other's weight means nothing."""
    if weights == WEIGHT_IMPLICIT:
        w1 = np.int64(32)
        if ref_0 >= 0 and ref_1 >= 0:
            w1 = np.int64(weighting[IMPLICIT + (variant * LIST_SIZE + ref_0) * LIST_SIZE + ref_1])
        return 64 - w1, w1, np.int64(0), np.int64(5)
    shift = 1 if variant else 0  # field macroblocks of a frame take the frame's weights
    w0 = w1 = np.int64(1) << log2_denominator
    offsets = np.int64(0)
    if ref_0 >= 0:
        at = (ref_0 >> shift) * 6 + 2 * component
        w0 = np.int64(weighting[at])
        offsets += np.int64(weighting[at + 1])
    if ref_1 >= 0:
        at = (LIST_SIZE + (ref_1 >> shift)) * 6 + 2 * component
        w1 = np.int64(weighting[at])
        offsets += np.int64(weighting[at + 1])
    return w0, w1, offsets, np.int64(log2_denominator)


@inlined
def predict_partition(
    mem, scratch, planes, weighting, weights, luma_log2, chroma_log2, variant, plane_width, plane_height, pitch,
    chroma_pitch, has_chroma, luma, cb, cr, stride, chroma_stride, x_qpel, y_qpel, width, height,
    ref_0, mv_0, ref_1, mv_1,
):  # fmt: skip
    """Predict `width` x `height` luma samples and their chroma in place.

    plane_*, pitch, chroma_pitch : of the references (fields: half as high, pitches doubled)
    luma, cb, cr                 : addresses of the partition in the picture, rows `stride`, `chroma_stride` apart
    x_qpel, y_qpel               : its position in quarter samples (that of chroma in eighths is the same number)
    """
    both = ref_0 >= 0 and ref_1 >= 0
    first_is_1 = ref_0 < 0
    ref = ref_1 if first_is_1 else ref_0
    mv = mv_1 if first_is_1 else mv_0
    at_0 = ((variant * 2 + (1 if first_is_1 else 0)) * LIST_SIZE + ref) * PLANE_COLUMNS
    x_0, y_0 = x_qpel + ((mv & 0xFFFF) ^ 0x8000) - 0x8000, y_qpel + (mv >> 16)
    at_1 = ((variant * 2 + 1) * LIST_SIZE + ref_1) * PLANE_COLUMNS
    x_1, y_1 = x_qpel + ((mv_1 & 0xFFFF) ^ 0x8000) - 0x8000, y_qpel + (mv_1 >> 16)
    predict_luma(
        mem,
        luma,
        stride,
        mem,
        planes[at_0 + P_LUMA],
        pitch,
        plane_width,
        plane_height,
        x_0,
        y_0,
        width,
        height,
        scratch,
    )
    if both:
        predict_luma(
            scratch, SECOND, 16, mem, planes[at_1 + P_LUMA], pitch, plane_width, plane_height, x_1, y_1, width, height,
            scratch,
        )  # fmt: skip
    weighted = weights == WEIGHT_EXPLICIT or (weights == WEIGHT_IMPLICIT and both)
    if weighted:
        w0, w1, offsets, log2 = _weights(weighting, weights, variant, ref_0, ref_1, 0, luma_log2)
        plain = w0 == w1 and offsets == 0 and w0 == 1 << log2
        if both:
            _combine(mem, luma, stride, scratch, width, height, plain, w0, w1, offsets, log2)
        elif not plain:
            weight_prediction(mem, luma, stride, width, height, w1 if first_is_1 else w0, offsets, log2)
    elif both:
        average_prediction(mem, luma, stride, scratch, SECOND, 16, width, height)
    if not has_chroma:
        return
    width, height = width >> 1, height >> 1
    plane_width, plane_height = plane_width >> 1, plane_height >> 1
    y_0 += planes[at_0 + P_PARITY]
    for plane in range(2):
        at = cr if plane else cb
        predict_chroma(
            mem, at, chroma_stride, mem, planes[at_0 + P_CB + plane], chroma_pitch, plane_width, plane_height, x_0, y_0,
            width, height, scratch,
        )  # fmt: skip
        if both:
            predict_chroma(
                scratch, SECOND, 16, mem, planes[at_1 + P_CB + plane], chroma_pitch, plane_width, plane_height, x_1,
                y_1 + planes[at_1 + P_PARITY], width, height, scratch,
            )  # fmt: skip
        if weighted:
            w0, w1, offsets, log2 = _weights(weighting, weights, variant, ref_0, ref_1, 1 + plane, chroma_log2)
            plain = w0 == w1 and offsets == 0 and w0 == 1 << log2
            if both:
                _combine(mem, at, chroma_stride, scratch, width, height, plain, w0, w1, offsets, log2)
            elif not plain:
                weight_prediction(mem, at, chroma_stride, width, height, w1 if first_is_1 else w0, offsets, log2)
        elif both:
            average_prediction(mem, at, chroma_stride, scratch, SECOND, 16, width, height)
