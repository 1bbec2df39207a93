"""What CAVLC and CABAC have in common: slice parameters, working arrays, and values derived from neighbours."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.macroblock import (
    B_DIRECT_16X16,
    B_SKIP,
    I_4X4,
    I_8X8,
    I_16X16,
    I_PCM,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    P_SKIP,
    SUB_4X8,
    SUB_8X4,
    SUB_8X8,
    SUB_DIRECT,
)
from asic_model.codecs.h264.motion_prediction import predict_mv, skip_mv
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
from asic_model.kernel_cache import kernel

# What the kernels return in place of a size
OUTPUT_FULL = -1
UNCODABLE = -2  # the macroblock record contradicts itself; `fault` in the scratch says which macroblock and why
FAULT_QP = 1  # qp differs from the previous macroblock's, and nothing is coded that could carry the difference
FAULT_TYPE = 2  # the macroblock type or its transform does not exist in this slice
FAULT_SKIP_MV = 3  # P_Skip with another vector than 8.4.1.1 says
FAULT_PATTERN = 4  # Intra16x16 with some luma bits of the coded block pattern only

TRANSFORM_8X8_BIT = 27  # in `coded` below

MAX_SYMBOLS = 32768  # bins of one macroblock: 408 levels of up to 46 bins, 64 differences of up to 39


class SliceParameters(NamedTuple):
    """What the entropy engine must know about a slice; all integers. Names as in the slice header and the PPS."""

    first_mb: int  # address of the slice's first macroblock
    mb_count: int
    mb_width: int  # PicWidthInMbs
    slice_type: int  # 0 P, 1 B, 2 I
    qp: int  # SliceQPY
    cabac: int = 0  # entropy_coding_mode_flag
    cabac_init_idc: int = 0
    num_ref_idx_l0: int = 1  # num_ref_idx_l0_active_minus1 + 1
    num_ref_idx_l1: int = 1
    transform_8x8_mode: int = 0
    direct_8x8_inference: int = 1
    constrained_intra: int = 0
    field: int = 0  # field picture: field contexts of significance maps
    monochrome: int = 0  # ChromaArrayType 0


class EntropyScratch(NamedTuple):
    """Working arrays of one engine; made once per picture size by `entropy_scratch`, reused for every slice.

    coded    uint32[n]      which blocks have levels: luma 4x4 in bits 0..15 by blkIdx, Cb AC 16..19, Cr AC 20..23,
                            luma DC 24, Cb DC 25, Cr DC 26 (CABAC contexts of coded_block_flag); bit 27:
                            transform_size_8x8_flag as sent or inferred
    nnz      uint8[n, 24]   levels of each block, as 9.2.1 counts them (CAVLC's nC)
    cbp      uint8[n]       coded_block_pattern as neighbours see it (skip 0, I_PCM 47)
    symbols  uint16[:]      bins of one macroblock
    bins     uint16[:]      those of the macroblocks that `follow_macroblocks` has seen, each with room for one more
    kept     int64[n + 1, 4]  where they stand there, how many there are (0: none), qp and after_delta behind them;
                            row n: where the next ones go
    codes    int64[:]       CAVLC codewords of one macroblock, value << 8 | length
    states   uint8[1025]    CABAC contexts
    rbsp     uint8[:]       the slice before emulation prevention
    fault    int64[2]       macroblock and reason of UNCODABLE
    """

    coded: np.ndarray
    nnz: np.ndarray
    cbp: np.ndarray
    symbols: np.ndarray
    bins: np.ndarray
    kept: np.ndarray
    codes: np.ndarray
    states: np.ndarray
    rbsp: np.ndarray
    fault: np.ndarray


_KEPT_BINS = 256  # of a macroblock, on average: pictures with more have the rest made once more


def entropy_scratch(count: int, capacity_bytes: int | None = None) -> EntropyScratch:
    """Return working arrays for pictures of `count` macroblocks.

    capacity_bytes : largest slice; the default, 1 KiB a macroblock and 64 KiB more, holds white noise at QP 0
    """
    return EntropyScratch(
        coded=np.zeros(count, np.uint32),
        nnz=np.zeros((count, 24), np.uint8),
        cbp=np.zeros(count, np.uint8),
        symbols=np.zeros(MAX_SYMBOLS, np.uint16),
        bins=np.empty(count * _KEPT_BINS + MAX_SYMBOLS, np.uint16),
        kept=np.zeros((count + 1, 4), np.int64),
        codes=np.zeros(4096, np.int64),
        states=np.zeros(1025, np.uint8),
        rbsp=np.empty(capacity_bytes or count * 1024 + 65536, np.uint8),
        fault=np.zeros(2, np.int64),
    )


# [raster 4x4 position] -> blkIdx
BLOCK_INDEX = np.array([0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15], np.uint8)

# [prediction of partition 0][of partition 1] -> mb_type of the 16x8 shape in B slices, 8x16 is one more (Table 7-14);
# predictions: 0 list 0, 1 list 1, 2 both
B_PAIR_TYPE = np.array([[4, 8, 12], [10, 6, 14], [16, 18, 20]], np.uint8)
# [sub_type][prediction] -> sub_mb_type in B slices (Table 7-18)
B_SUB_TYPE = np.array([[1, 2, 3], [4, 6, 8], [5, 7, 9], [10, 11, 12], [0, 0, 0]], np.uint8)


@kernel
def neighbour_available(slice_id, mb, other):
    """Whether macroblock `other` (an address before mb) belongs to the same slice as `mb`."""
    return other >= 0 and slice_id[other] == slice_id[mb]


@kernel
def prediction_code(ref_idx, mb, quadrant):
    """0: list 0, 1: list 1, 2: both."""
    return (1 if ref_idx[mb, 0, quadrant] >= 0 else 0) + (2 if ref_idx[mb, 1, quadrant] >= 0 else 0) - 1


@kernel
def i_mb_type(mb_type, mode, cbp):
    """mb_type of an intra macroblock in an I slice (Table 7-11); mode: Intra16x16PredMode."""
    if mb_type == I_PCM:
        return np.int64(25)
    if mb_type == I_16X16:
        return 1 + mode + 4 * (cbp >> 4) + (12 if cbp & 15 else 0)
    return np.int64(0)


@kernel
def b_mb_type(ref_idx, mb, mb_type):
    """mb_type of an inter macroblock in a B slice (Table 7-14)."""
    if mb_type == B_DIRECT_16X16:
        return np.int64(0)
    if mb_type == INTER_8X8:
        return np.int64(22)
    first = prediction_code(ref_idx, mb, 0)
    if mb_type == INTER_16X16:
        return np.int64(1 + first)
    second = prediction_code(ref_idx, mb, 3)
    return np.int64(B_PAIR_TYPE[first, second]) + (1 if mb_type == INTER_8X16 else 0)


@kernel
def may_use_8x8(mb_type, sub_type, mb, direct_8x8_inference):
    """Whether transform_size_8x8_flag may be sent for this inter macroblock (7.3.5), the pattern left aside."""
    if mb_type == B_DIRECT_16X16:
        return direct_8x8_inference != 0
    if mb_type == INTER_8X8:
        for quadrant in range(4):
            sub = sub_type[mb, quadrant]
            if sub == SUB_DIRECT:
                if not direct_8x8_inference:
                    return False
            elif sub != SUB_8X8:
                return False
    return True


@kernel
def _seen_intra_mode(mb_types, intra_mode, constrained, mb, other, block):
    """Intra4x4PredMode of block `block` in macroblock `other` as a neighbour of `mb`; -1: DC is predicted (8.3.1.1)."""
    if other != mb:
        if other < 0:
            return np.int64(-1)
        mb_type = mb_types[other]
        if mb_type not in (I_4X4, I_8X8):
            return np.int64(-1 if constrained and mb_type > I_PCM else 2)
    return np.int64(intra_mode[other, block])


@kernel
def intra_mode_element(mb_types, intra_mode, constrained, mb, left_mb, up_mb, block):
    """-1 for prev_intra_pred_mode_flag 1, else rem_intra_pred_mode, of luma 4x4 block `block` (8.3.1.1).

    For 8x8 blocks (8.3.2.1) give the first of their four 4x4 blocks: the neighbours that the standard picks are the
    ones next to it.
    """
    x, y = np.int64(BLOCK_X[block]), np.int64(BLOCK_Y[block])
    near_left = np.int64(BLOCK_INDEX[y * 4 + ((x - 1) & 3)])
    near_up = np.int64(BLOCK_INDEX[((y - 1) & 3) * 4 + x])
    left = _seen_intra_mode(mb_types, intra_mode, constrained, mb, mb if x else left_mb, near_left)
    up = _seen_intra_mode(mb_types, intra_mode, constrained, mb, mb if y else up_mb, near_up)
    predicted = np.int64(2) if left < 0 or up < 0 else min(left, up)
    mode = np.int64(intra_mode[mb, block])
    if mode == predicted:
        return np.int64(-1)
    return mode - (1 if mode > predicted else 0)


@kernel
def _set_difference(motion, mvd, mb_width, mb, lst, x, y, width, height):
    """Store mvd of one partition: its vector less the prediction, in all of its 4x4 blocks."""
    ref = np.int64(motion.ref_idx[mb, lst, (y >> 1) * 2 + (x >> 1)])
    if ref < 0:
        return
    predicted_x, predicted_y = predict_mv(motion, mb_width, mb, lst, x, y, width, height, ref)
    first = y * 4 + x
    mvd_x = np.int16(np.int64(motion.mv[mb, lst, first, 0]) - predicted_x)
    mvd_y = np.int16(np.int64(motion.mv[mb, lst, first, 1]) - predicted_y)
    for j in range(y, y + height):
        for i in range(x, x + width):
            mvd[mb, lst, j * 4 + i, 0] = mvd_x
            mvd[mb, lst, j * 4 + i, 1] = mvd_y


@kernel
def set_differences(motion, mvd, sub_type, mb_width, mb, mb_type, lists):
    """Fill mvd of an inter macroblock, which must be clear, where vectors are coded."""
    width = 2 if mb_type == INTER_8X16 else 4
    height = 2 if mb_type == INTER_16X8 else 4
    for lst in range(lists):
        if mb_type != INTER_8X8:
            for y in range(0, 4, height):
                for x in range(0, 4, width):
                    _set_difference(motion, mvd, mb_width, mb, lst, x, y, width, height)
            continue
        for quadrant in range(4):
            sub = np.int64(sub_type[mb, quadrant])
            if sub == SUB_DIRECT:
                continue
            sub_width = 2 if sub in (SUB_8X8, SUB_8X4) else 1
            sub_height = 2 if sub in (SUB_8X8, SUB_4X8) else 1
            top, left = quadrant & 2, (quadrant & 1) * 2
            for y in range(top, top + 2, sub_height):
                for x in range(left, left + 2, sub_width):
                    _set_difference(motion, mvd, mb_width, mb, lst, x, y, sub_width, sub_height)


@kernel
def clear_differences(mvd, mb, lists):
    for lst in range(lists):
        for block in range(16):
            mvd[mb, lst, block, 0] = 0
            mvd[mb, lst, block, 1] = 0


@kernel
def type_fault(mb_type, cbp, eights, slice_type, transform_8x8_mode):
    """0, or the fault of a macroblock that this slice cannot hold."""
    intra = mb_type <= I_PCM
    if mb_type == I_16X16 and (cbp & 15) % 15:
        return FAULT_PATTERN
    if not transform_8x8_mode and (mb_type == I_8X8 or (not intra and eights)):
        return FAULT_TYPE
    if not intra and (slice_type == 2 or mb_type > B_DIRECT_16X16):
        return FAULT_TYPE
    if slice_type == 0 and mb_type in (B_SKIP, B_DIRECT_16X16):
        return FAULT_TYPE
    if slice_type == 1 and mb_type == P_SKIP:
        return FAULT_TYPE
    return 0


@kernel
def skip_fault(motion, mb_width, mb):
    """Whether a P_Skip macroblock has other motion than 8.4.1.1 derives."""
    x, y = skip_mv(motion, mb_width, mb)
    return motion.mv[mb, 0, 0, 0] != x or motion.mv[mb, 0, 0, 1] != y or motion.ref_idx[mb, 0, 0] != 0
