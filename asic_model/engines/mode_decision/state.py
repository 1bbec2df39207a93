"""What the kernels of mode decision share: the registers of one macroblock, working arrays, slots of trials."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.cabac_contexts import CONTEXTS
from asic_model.codecs.h264.macroblock import LEVELS_ROWS
from asic_model.engines.transform.quantiser import Quantiser

# Registers of the current macroblock, indices into an int64 array.
(
    R_MB,  # address
    R_MB_X,
    R_MB_Y,
    R_LEFT,  # address of the neighbour, -1 where it is not available
    R_UP,
    R_UP_RIGHT,
    R_UP_LEFT,
    R_QP,
    R_QP_CB,
    R_QP_CR,
    R_LAMBDA,  # MODE_LAMBDA
    R_LAMBDA_MOTION,
    R_WEIGHT,  # LAMBDA_STEPS for luma, Cb and Cr
    R_WEIGHT_CB,
    R_WEIGHT_CR,
    R_P_SLICE,  # 1 in P slices
    R_CABAC,
    R_REFERENCES,
    R_EFFORT,
    R_LEFT_CBP,  # coded_block_pattern of the neighbours as CABAC sees it
    R_UP_CBP,
    R_LEFT_DC,  # bits 0..2: coded_block_flag of luma DC, Cb DC, Cr DC; -1: not available
    R_UP_DC,
    R_SKIP_INC,  # ctxIdxInc of mb_skip_flag, mb_type (I), intra_chroma_pred_mode
    R_TYPE_INC,
    R_CHROMA_INC,
    R_QP_CHANGED,  # 1: coding a residual sends a mb_qp_delta that is not 0
    R_SKIP_X,  # vector of P_Skip
    R_SKIP_Y,
    R_SKIP_ALLOWED,
    R_LOW_X,  # vectors the padding allows, quarter samples
    R_HIGH_X,
    R_LOW_Y,
    R_HIGH_Y,
    R_AVAILABLE,  # intra neighbours, bits of intra_prediction
    R_TRIALS,  # counters of the work record
    R_SATD_BLOCKS,
    R_INTRA_BLOCKS,
    R_TRANSFORM_BLOCKS,
    REGISTERS,
) = range(40)

# A trial's outcome, indices into `Trials.result[slot]`
(T_TYPE, T_COST, T_RATE, T_SSD, T_CBP, T_DC, T_CHROMA_MODE, T_I16_MODE, T_CODED_BLOCKS, TRIAL_FIELDS) = range(10)

SLOTS = 4
SLOT_SKIP = 3  # holds the prediction of P_Skip
LEVELS_SLOT = LEVELS_ROWS * 16
SAMPLES = 384  # luma 16 x 16 at stride 16, Cb at 256 and Cr at 320 at stride 8
NEVER = 1 << 60

# Counts of non-zero levels around and inside the macroblock, -1 where unavailable: luma at 5 * (y + 1) + x + 1,
# chroma behind it at 3 * (y + 1) + x + 1.
COUNTS_LUMA, COUNTS_CB, COUNTS_CR, COUNTS = 0, 25, 34, 43


class Samples(NamedTuple):
    """Three planes in one flat array: luma at `y`, chroma at `u` and `v`, byte offsets and strides."""

    data: np.ndarray
    y: int
    u: int
    v: int
    stride: int
    chroma_stride: int


class Trials(NamedTuple):
    """Slots in which macroblocks are coded on trial.

    levels     int16[SLOTS * 432]   flat, rows as in `codecs.h264.macroblock`
    total      uint8[SLOTS, 24]     non-zero levels
    samples    uint8[SLOTS * 384]   reconstruction
    prediction uint8[SLOTS * 384]
    result     int64[SLOTS, TRIAL_FIELDS]
    ref_idx    int64[SLOTS, 4]      by quadrant
    vector     int64[SLOTS, 16, 2]  by 4x4 block, raster order
    sub_type   int64[SLOTS, 4]
    intra_mode int64[SLOTS, 16]
    coefs      int16[512]           scratch
    counts     int64[COUNTS]        see above
    costs      int32[2 * CONTEXTS]  bin costs
    dc_factor  int32[6 * 16]        forward multiplier of DC sixteen times, by QP % 6
    line, predictions               scratch of intra_prediction
    intra_costs int32[16]           SATD by mode of one block
    """

    levels: np.ndarray
    total: np.ndarray
    samples: np.ndarray
    prediction: np.ndarray
    result: np.ndarray
    ref_idx: np.ndarray
    vector: np.ndarray
    sub_type: np.ndarray
    intra_mode: np.ndarray
    coefs: np.ndarray
    counts: np.ndarray
    costs: np.ndarray
    dc_factor: np.ndarray
    line: np.ndarray
    predictions: np.ndarray
    intra_costs: np.ndarray


def trials(quantiser: Quantiser) -> Trials:
    """Return working arrays for one job; `quantiser` has flat scaling lists."""
    dc_factor = np.repeat(quantiser.factor_4x4.reshape(2, 6, 6, 16)[0, 0, :, 0], 16)
    return Trials(
        levels=np.zeros(SLOTS * LEVELS_SLOT + 16, np.int16),
        total=np.zeros((SLOTS, 24), np.uint8),
        samples=np.zeros(SLOTS * SAMPLES, np.uint8),
        prediction=np.zeros(SLOTS * SAMPLES, np.uint8),
        result=np.zeros((SLOTS, TRIAL_FIELDS), np.int64),
        ref_idx=np.zeros((SLOTS, 4), np.int64),
        vector=np.zeros((SLOTS, 16, 2), np.int64),
        sub_type=np.zeros((SLOTS, 4), np.int64),
        intra_mode=np.zeros((SLOTS, 16), np.int64),
        coefs=np.zeros(512, np.int16),
        counts=np.zeros(COUNTS, np.int64),
        costs=np.zeros(2 * CONTEXTS, np.int32),
        dc_factor=np.ascontiguousarray(dc_factor, np.int32),
        line=np.zeros(128, np.uint8),
        predictions=np.zeros(9 * 64 + 64, np.uint8),
        intra_costs=np.zeros(16, np.int32),
    )


class Coded(NamedTuple):
    """What later macroblocks need to know of earlier ones, beside `Macroblocks`: written on commitment.

    pattern uint8[n]   coded_block_pattern as neighbours see it (skip 0, I_PCM 47)
    dc      uint8[n]   bits 0..2: coded_block_flag of luma DC, Cb DC, Cr DC
    """

    pattern: np.ndarray
    dc: np.ndarray


class Settings(NamedTuple):
    """What the kernels need of configuration and effort; all int."""

    references: int  # searched
    partitions: int  # bit set of shapes: 1 16x8, 2 8x16, 4 8x8, 8 8x4, 16 4x8, 32 4x4
    inter_margin: int  # shapes within this many 1/16 of the best one's SATD cost are coded on trial
    intra_margin: int  # intra is looked at when its SATD cost is within this many 1/16 of the best inter one's
    early_skip: int  # 1: a macroblock whose P_Skip prediction leaves no residual is skipped at once
