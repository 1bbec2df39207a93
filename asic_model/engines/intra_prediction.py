"""Intra prediction: samples of a block from its neighbours (H.264 8.3).

Gathering neighbours and predicting are separate. For 4x4 and 8x8 blocks `gather_*` lays the neighbours in a line (see
`asic_model.simd.intra`), uint8[LINE], and `predict_*` makes the block out of it. 16x16 and chroma blocks read the
plane. The column to the left and the row above stand at the block's own stride, which holds for frames, field pictures
(doubled stride) and the macroblocks of MBAFF frames alike; the corner has its own offset, because for the lower frame
macroblock of an MBAFF pair beside a field pair it lies elsewhere (Table 6-4).

`available` says which neighbours exist *and* may be used: with constrained_intra_pred the caller leaves out those of
inter macroblocks.

RTL twin: rtl_tests/rtl/intra_prediction/.
"""

import numpy as np
from pydantic import Field

from asic_model.codecs.h264.macroblock import I_4X4, I_8X8
from asic_model.kernel_cache import kernel
from asic_model.section import Section
from asic_model.simd.blocks import copy_4xn, copy_8xn, copy_16xn, fill_4xn, fill_8xn, fill_16xn
from asic_model.simd.intra import (
    gradient_8xn,
    gradient_16xn,
    intra_4x4_predictions,
    intra_8x8_predictions,
    smooth_line,
    sum_4,
    sum_16,
)

# Bits of `available`. The left column in two halves: MBAFF with constrained_intra_pred can offer one of them to chroma.
LEFT_UPPER, TOP, TOP_RIGHT, CORNER, LEFT_LOWER = 1, 2, 4, 8, 16
LEFT = LEFT_UPPER | LEFT_LOWER

# Intra4x4PredMode and Intra8x8PredMode (Tables 8-2, 8-3)
VERTICAL, HORIZONTAL, DC, DOWN_LEFT, DOWN_RIGHT = range(5)
VERTICAL_RIGHT, HORIZONTAL_DOWN, VERTICAL_LEFT, HORIZONTAL_UP = range(5, 9)
# Intra16x16PredMode (Table 8-4) and intra_chroma_pred_mode (Table 8-5)
VERTICAL_16X16, HORIZONTAL_16X16, DC_16X16, PLANE_16X16 = range(4)
DC_CHROMA, HORIZONTAL_CHROMA, VERTICAL_CHROMA, PLANE_CHROMA = range(4)

LINE = 96  # bytes of a line buffer: the line of 32, then room to filter it
PREDICTIONS = 9 * 64  # bytes of a buffer for all predictions of one block
_LEFT_4, _CORNER_4, _TOP_4 = 4, 5, 6  # places in the line of a 4x4 block: p[-1, 0], p[-1, -1], p[0, -1]
_LEFT_8, _CORNER_8, _TOP_8 = 8, 9, 10
# Neighbours that a mode needs, by mode
_NEEDS = np.array(
    [TOP, LEFT, 0, TOP, LEFT | TOP | CORNER, LEFT | TOP | CORNER, LEFT | TOP | CORNER, TOP, LEFT], np.int64
)
_NEEDS_16X16 = np.array([TOP, LEFT, 0, LEFT | TOP | CORNER], np.int64)
_NEEDS_CHROMA = np.array([0, LEFT, TOP, LEFT | TOP | CORNER], np.int64)


def _allowed(needs: np.ndarray) -> np.ndarray:
    return np.array(
        [sum(1 << mode for mode, need in enumerate(needs) if have & need == need) for have in range(32)], np.int64
    )


# [available] -> bit mask of the modes that may be used
ALLOWED_4X4 = _allowed(_NEEDS)  # and 8x8
ALLOWED_16X16 = _allowed(_NEEDS_16X16)
ALLOWED_CHROMA = _allowed(_NEEDS_CHROMA)


@kernel
def gather_4x4(line, plane, offset, stride, corner_offset, available):
    """Lay the 13 neighbours of the 4x4 block at `offset` into `line`; return the value of its DC mode (8.3.1.2.3).

    An unavailable row above right repeats p[3, -1]. Other unavailable samples are left undefined: no allowed mode
    looks at them.
    """
    top = left = np.int64(0)
    if available & TOP:
        copy_4xn(line, _TOP_4, 0, plane, offset - stride, 0, 1)
        top = sum_4(line, _TOP_4)
        if available & TOP_RIGHT:
            copy_4xn(line, _TOP_4 + 4, 0, plane, offset - stride + 4, 0, 1)
            line[_TOP_4 + 8] = line[_TOP_4 + 7]
        else:
            fill_4xn(line, _TOP_4 + 4, 0, np.int64(line[_TOP_4 + 3]), 1)
            line[_TOP_4 + 8] = line[_TOP_4 + 3]
    if available & CORNER:
        line[_CORNER_4] = plane[corner_offset]
    if available & LEFT_UPPER:
        at = offset - 1
        for y in range(4):
            sample = plane[at]
            line[_LEFT_4 - y] = sample
            left += sample
            at += stride
        line[0] = line[1]
    if available & TOP:
        if available & LEFT_UPPER:
            return (top + left + 4) >> 3
        return (top + 2) >> 2
    if available & LEFT_UPPER:
        return (left + 2) >> 2
    return np.int64(128)


@kernel
def predict_4x4(dst, dst_offset, dst_stride, mode, line, dc, predictions):
    """Write the 4x4 prediction of `mode` from a gathered line and its DC value; `predictions` is scratch."""
    intra_4x4_predictions(predictions, 0, line, 0, dc)
    copy_4xn(dst, dst_offset, dst_stride, predictions, 16 * mode, 4, 4)


@kernel
def predict_4x4_all(predictions, line, dc):
    """All nine predictions of a 4x4 block, 16 samples each, into `predictions`; only the allowed ones mean anything."""
    intra_4x4_predictions(predictions, 0, line, 0, dc)


@kernel
def gather_8x8(line, plane, offset, stride, corner_offset, available):
    """Lay the 25 neighbours of the 8x8 block at `offset` into `line`, filtered (8.3.2.2.1); return its DC value."""
    raw = 32  # the unfiltered line stands behind the result
    left_edge, corner, top = raw + _LEFT_8, raw + _CORNER_8, raw + _TOP_8
    if available & TOP:
        copy_8xn(line, top, 0, plane, offset - stride, 0, 1)
        if available & TOP_RIGHT:
            copy_8xn(line, top + 8, 0, plane, offset - stride + 8, 0, 1)
        else:
            fill_8xn(line, top + 8, 0, np.int64(line[top + 7]), 1)
        line[top + 16] = line[top + 15]
    if available & LEFT_UPPER:
        at = offset - 1
        for y in range(8):
            line[left_edge - y] = plane[at]
            at += stride
        line[raw] = line[raw + 1]
    if available & CORNER:
        line[corner] = plane[corner_offset]
        if not available & TOP:
            line[top] = line[corner]
        if not available & LEFT_UPPER:
            line[left_edge] = line[corner]
    elif available & TOP:
        line[corner] = line[top]
    smooth_line(line, 0, line, raw)
    if not available & CORNER and available & LEFT_UPPER:
        line[_LEFT_8] = (3 * np.int64(line[left_edge]) + np.int64(line[left_edge - 1]) + 2) >> 2
    line[0], line[_TOP_8 + 16] = line[1], line[_TOP_8 + 15]
    above = left = np.int64(0)
    for i in range(8):
        above += line[_TOP_8 + i]
        left += line[_LEFT_8 - i]
    if available & TOP:
        if available & LEFT_UPPER:
            return (above + left + 8) >> 4
        return (above + 4) >> 3
    if available & LEFT_UPPER:
        return (left + 4) >> 3
    return np.int64(128)


@kernel
def predict_8x8(dst, dst_offset, dst_stride, mode, line, dc, predictions):
    """Write the 8x8 prediction of `mode` from a gathered line and its DC value; `predictions` is scratch."""
    intra_8x8_predictions(predictions, 0, line, 0, dc)
    copy_8xn(dst, dst_offset, dst_stride, predictions, 64 * mode, 8, 8)


@kernel
def predict_8x8_all(predictions, line, dc):
    """All nine predictions of an 8x8 block, 64 samples each, into `predictions`."""
    intra_8x8_predictions(predictions, 0, line, 0, dc)


@kernel
def _column_sum(plane, offset, stride, rows):
    total = np.int64(0)
    for _ in range(rows):
        total += plane[offset]
        offset += stride
    return total


@kernel
def predict_16x16(dst, dst_offset, dst_stride, mode, plane, offset, stride, corner_offset, available):
    """Write the Intra16x16 prediction (8.3.3) of the macroblock at `offset` of `plane` to `dst`, also in place."""
    if mode == VERTICAL_16X16:
        copy_16xn(dst, dst_offset, dst_stride, plane, offset - stride, 0, 16)
    elif mode == HORIZONTAL_16X16:
        for y in range(16):
            fill_16xn(dst, dst_offset + y * dst_stride, 0, np.int64(plane[offset + y * stride - 1]), 1)
    elif mode == DC_16X16:
        with_left = available & LEFT == LEFT
        value = np.int64(128)
        if available & TOP:
            value = sum_16(plane, offset - stride)
            value = (value + _column_sum(plane, offset - 1, stride, 16) + 16) >> 5 if with_left else (value + 8) >> 4
        elif with_left:
            value = (_column_sum(plane, offset - 1, stride, 16) + 8) >> 4
        fill_16xn(dst, dst_offset, dst_stride, value, 16)
    else:
        above = offset - stride
        last_left, last_top = np.int64(plane[offset + 15 * stride - 1]), np.int64(plane[above + 15])
        corner = np.int64(plane[corner_offset])
        across, down = 8 * (last_top - corner), 8 * (last_left - corner)
        middle = offset + 7 * stride - 1
        for k in range(1, 8):
            across += k * (np.int64(plane[above + 7 + k]) - np.int64(plane[above + 7 - k]))
            down += k * (np.int64(plane[middle + k * stride]) - np.int64(plane[middle - k * stride]))
        b, c = (5 * across + 32) >> 6, (5 * down + 32) >> 6
        start = 16 * (last_left + last_top) - 7 * (b + c) + 16
        gradient_16xn(dst, dst_offset, dst_stride, start, b, c, 16)


@kernel
def _chroma_dc(top, has_top, left, has_left, prefer_top, prefer_left):
    """DC of one 4x4 chroma block from the sums above and to the left (8.3.4.1-3)."""
    if has_top and has_left and not prefer_top and not prefer_left:
        return (top + left + 4) >> 3
    if has_top and not (prefer_left and has_left):
        return (top + 2) >> 2
    if has_left:
        return (left + 2) >> 2
    return np.int64(128)


@kernel
def predict_chroma(dst, dst_offset, dst_stride, mode, plane, offset, stride, corner_offset, available):
    """Write the 8x8 prediction of one 4:2:0 chroma component (8.3.4) to `dst`, also in place."""
    if mode == VERTICAL_CHROMA:
        copy_8xn(dst, dst_offset, dst_stride, plane, offset - stride, 0, 8)
    elif mode == HORIZONTAL_CHROMA:
        for y in range(8):
            fill_8xn(dst, dst_offset + y * dst_stride, 0, np.int64(plane[offset + y * stride - 1]), 1)
    elif mode == DC_CHROMA:
        has_top = available & TOP != 0
        has_upper, has_lower = available & LEFT_UPPER != 0, available & LEFT_LOWER != 0
        top_0 = top_1 = upper = lower = np.int64(0)
        if has_top:
            top_0, top_1 = sum_4(plane, offset - stride), sum_4(plane, offset - stride + 4)
        if has_upper:
            upper = _column_sum(plane, offset - 1, stride, 4)
        if has_lower:
            lower = _column_sum(plane, offset + 4 * stride - 1, stride, 4)
        value = _chroma_dc(top_0, has_top, upper, has_upper, False, False)
        fill_4xn(dst, dst_offset, dst_stride, value, 4)
        value = _chroma_dc(top_1, has_top, upper, has_upper, True, False)
        fill_4xn(dst, dst_offset + 4, dst_stride, value, 4)
        value = _chroma_dc(top_0, has_top, lower, has_lower, False, True)
        fill_4xn(dst, dst_offset + 4 * dst_stride, dst_stride, value, 4)
        value = _chroma_dc(top_1, has_top, lower, has_lower, False, False)
        fill_4xn(dst, dst_offset + 4 * dst_stride + 4, dst_stride, value, 4)
    else:
        above = offset - stride
        last_left, last_top = np.int64(plane[offset + 7 * stride - 1]), np.int64(plane[above + 7])
        corner = np.int64(plane[corner_offset])
        across, down = 4 * (last_top - corner), 4 * (last_left - corner)
        middle = offset + 3 * stride - 1
        for k in range(1, 4):
            across += k * (np.int64(plane[above + 3 + k]) - np.int64(plane[above + 3 - k]))
            down += k * (np.int64(plane[middle + k * stride]) - np.int64(plane[middle - k * stride]))
        b, c = (34 * across + 32) >> 6, (34 * down + 32) >> 6
        start = 16 * (last_left + last_top) - 3 * (b + c) + 16
        gradient_8xn(dst, dst_offset, dst_stride, start, b, c, 8)


class IntraPredictionConfig(Section):
    """A predictor of 4x4 blocks; larger blocks pass through it in pieces."""

    blocks_per_cycle: int = Field(1, ge=1, le=32, description="4x4 blocks predicted and compared in a cycle")
    latency_cycles: int = Field(6, ge=1, le=64, description="neighbours in to first predicted samples out")


@kernel
def _cycles(mb_type, predicted, blocks_per_cycle, latency_cycles, found):
    """`cycles` into found int64[n]."""
    for mb in range(found.size):
        blocks, kind = np.int64(predicted[mb]), mb_type[mb]
        steps = 16 if kind == I_4X4 else (4 if kind == I_8X8 else 1)
        busy = (blocks + blocks_per_cycle - 1) // blocks_per_cycle + steps * latency_cycles
        found[mb] = busy if blocks else 0


def cycles(cfg: IntraPredictionConfig, work: np.ndarray) -> np.ndarray:
    """Encode: int64[n] cycles of choosing the intra modes of each macroblock.

    All modes of a block are predicted from one gathering of its neighbours. Intra4x4 (Intra8x8) gathers 16 (4) times
    and pays the latency each time, as a block's neighbours are its predecessors; 16x16 and chroma pay it once.
    """
    found = np.empty(len(work), np.int64)
    _cycles(work["mb_type"], work["intra_prediction_blocks"], cfg.blocks_per_cycle, cfg.latency_cycles, found)
    return found
