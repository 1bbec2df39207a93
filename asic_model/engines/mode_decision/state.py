"""What the kernels of mode decision share: one record with the registers and buffers of the macroblock at work.

A structured record, not a tuple of arrays: it goes from kernel to kernel as one pointer. `t` in all kernels.
"""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.macroblock import LEVELS_ROWS
from asic_model.engines.mode_decision.rate import COSTS
from asic_model.engines.motion_search import PARTITIONS

SLOTS = 4  # in which a macroblock is coded on trial
SLOT_SKIP = 3  # the one that holds the prediction of P_Skip or B_Skip
LEVELS_SLOT = LEVELS_ROWS * 16
SAMPLES = 384  # luma 16 x 16 at stride 16, Cb at 256 and Cr at 320 at stride 8
OTHER = SLOTS * SAMPLES  # in `prediction`: scratch of bi-prediction, two macroblocks
CB, CR = 256, 320
NEVER = 1 << 60  # a cost
LIST_1 = 4  # place of the first reference of list 1 in arrays of references; list 0 stands before it
REFERENCES = 6
SLICE_P, SLICE_B, SLICE_I = range(3)

# The window: the macroblock's surroundings in the reconstructed picture, in which intra trials work.
WINDOW_STRIDE, WINDOW_CHROMA_STRIDE = 48, 32
WINDOW_Y = 64  # offset of the macroblock's first sample; the row above and the column to the left stand around it
WINDOW_CB, WINDOW_CR = 880, 1168
WINDOW_BYTES = 1472

# Counts of non-zero levels around and inside the macroblock, -1 where unavailable: luma at 5 * (y + 1) + x + 1,
# chroma behind it at 3 * (y + 1) + x + 1.
COUNTS_CB, COUNTS_CR, COUNTS = 25, 34, 43

# Columns of `result`, the outcome of a trial
(
    T_TYPE,
    T_COST,  # (SSD << 8) + lambda * rate
    T_RATE,  # 1/256 bit
    T_SSD,
    T_CBP,
    T_DC,  # bits 0..2: coded_block_flag of luma DC, Cb DC, Cr DC
    T_CHROMA_MODE,
    T_I16_MODE,
    T_8X8,  # transform_size_8x8_flag
    T_MOTION_RATE,  # of types, references and vectors
    T_CHROMA,  # chroma part of the pattern, rate and DC flags: they outlive a change of the luma
    T_CHROMA_RATE,
    T_CHROMA_DC,
    TRIAL_FIELDS,
) = range(14)

INTER, INTRA = 0, 1  # rows of `weight`
LUMA, CHROMA = 0, 1  # its columns, rows of `factor`, `dc_factor` and `scale`

MACROBLOCK = np.dtype(
    [
        ("mb", "i8"),
        ("mb_x", "i8"),
        ("mb_y", "i8"),
        ("left", "i8"),  # addresses of neighbours in the same slice, -1: not available
        ("up", "i8"),
        ("up_right", "i8"),
        ("up_left", "i8"),
        ("available", "i8"),  # the same as bits of intra_prediction
        ("qp", "i8"),
        ("qp_chroma", "i8"),
        ("qp_changed", "i8"),  # 1: coding a residual sends a mb_qp_delta that is not 0
        ("lambda_mode", "i8"),  # MODE_LAMBDA
        ("lambda_motion", "i8"),  # MOTION_LAMBDA
        ("tools_off", "i8"),
        ("single_pass", "i8"),
        ("dead_zone", "i8", 2),  # inter, intra; 0: levels by rate and distortion
        ("weight", "i8", (2, 2)),  # of rate in the choice of levels
        ("skip_ssd", "i8"),  # a skip without residual whose SSD is below this is not searched further
        ("zero_ssd", "i8", 2),  # luma, chroma: an 8x8 block whose SSD is below this has no level worth coding
        ("slice_type", "i8"),  # SLICE_P, SLICE_B, SLICE_I
        ("cabac", "i8"),
        ("transform_8x8", "i8"),  # transform_8x8_mode_flag
        ("transform_inc", "i8"),  # ctxIdxInc of transform_size_8x8_flag
        ("ref_counts", "i8", 2),  # active entries of the lists
        ("left_cbp", "i8"),  # coded_block_pattern of the neighbours as CABAC sees it
        ("up_cbp", "i8"),
        ("left_dc", "i8"),  # as T_DC, -1: not available
        ("up_dc", "i8"),
        ("skip_inc", "i8"),  # ctxIdxInc of mb_skip_flag, mb_type in I slices, intra_chroma_pred_mode
        ("type_inc", "i8"),
        ("chroma_inc", "i8"),
        ("left_modes", "i8", 4),  # Intra4x4PredMode as 8.3.1.1 sees it, -1: not available
        ("up_modes", "i8", 4),
        ("skip_x", "i8"),  # vector of P_Skip
        ("skip_y", "i8"),
        ("low_x", "i8"),  # vectors whose block stays within the padding, quarter samples
        ("high_x", "i8"),
        ("low_y", "i8"),
        ("high_y", "i8"),
        ("trials", "i8"),  # what the work record wants to know
        ("satd_blocks", "i8"),
        ("intra_blocks", "i8"),
        ("transform_blocks", "i8"),
        ("recorded", "i8"),  # slot whose motion the macroblock's record holds, -1: none
        # search
        ("vectors", "i4", (REFERENCES, PARTITIONS, 2)),
        ("vector_costs", "i4", (REFERENCES, PARTITIONS)),
        ("vector_rates", "i4", (REFERENCES, PARTITIONS)),  # share of the rate in them
        ("chosen", "i8", (2, PARTITIONS)),  # best reference of each partition, by list
        ("part_list", "i8", PARTITIONS),  # B: how a partition is predicted: 0 list 0, 1 list 1, 2 both, 3 direct
        ("part_cost", "i8", PARTITIONS),  # its SATD and rate
        ("direct_valid", "i8"),
        ("direct_ref", "i8", (2, 4)),  # [list][quadrant]
        ("direct_vector", "i8", (2, 4, 2)),
        ("search_best", "i4", (REFERENCES, 4, 16)),  # see FractionalScratch
        ("search_lines", "i2", 256),
        ("sub_cost", "i8", (4, 4)),  # SATD and rate of each quadrant by sub_mb_type; 0: not searched
        ("sub_vector", "i8", (4, 4, 4, 2)),  # [quadrant][sub_mb_type][part]
        # trials
        ("result", "i8", (SLOTS, TRIAL_FIELDS)),
        ("ref_idx", "i8", (SLOTS, 2, 4)),  # [list][quadrant], -1: list not used
        ("vector", "i8", (SLOTS, 2, 16, 2)),  # [list][4x4 block in raster order]
        ("sub_type", "i8", (SLOTS, 4)),
        ("intra_mode", "i8", (SLOTS, 16)),  # by blkIdx
        ("total", "u1", (SLOTS, 24)),  # levels that are not zero
        ("counts", "i8", COUNTS),
        ("levels", "i2", SLOTS * LEVELS_SLOT + 16),  # rows as in codecs.h264.macroblock
        ("coefs", "i2", 512),
        ("samples", "u1", SLOTS * SAMPLES),  # reconstruction
        ("prediction", "u1", (SLOTS + 2) * SAMPLES),  # behind the slots' two that bi-prediction works in
        ("source", "u1", SAMPLES),
        ("window", "u1", WINDOW_BYTES),
        ("line", "u1", 128),  # scratch of intra and inter prediction
        ("predictions", "u1", 640),
        ("patch", "u1", 768),
        ("intra_costs", "i4", 16),
        # tables at the macroblock's QP, luma and chroma
        ("table_qp", "i8"),
        ("factor", "i4", 32),  # forward multipliers, scan order
        ("dc_factor", "i4", 32),  # that of DC sixteen times
        ("scale", "i4", 32),  # LevelScale4x4 << (QP / 6)
        ("factor_8x8", "i4", 64),  # the same of luma 8x8 blocks
        ("scale_8x8", "i4", 64),
        ("costs", "i4", COSTS),  # see `set_bin_costs`
    ],
    align=True,
)


def macroblock_state() -> np.record:
    """Return a cleared record for one job."""
    state: np.record = np.zeros(1, MACROBLOCK).view(np.recarray)[0]
    state.table_qp = -1
    state.ref_idx[:] = -1
    return state


class Samples(NamedTuple):
    """Three planes in one flat array: luma at `y`, chroma at `u` and `v`, byte offsets and strides."""

    data: np.ndarray
    y: int
    u: int
    v: int
    stride: int
    chroma_stride: int


class Settings(NamedTuple):
    """What the kernels need of configuration and effort; all int. Margins and weights in 1/16."""

    partitions: int  # bit set of shapes: 1 16x8, 2 8x16, 4 8x8
    shape_margin: int  # shapes are refined when their SAD cost is within this of 16x16's
    inter_margin: int  # shapes are coded on trial when their SATD cost is within this of the best one's
    intra_margin: int  # intra is looked at when its SATD is within this of the best inter cost
    intra_trial_margin: (
        int  # Intra8x8 and 4x4 are tried when Intra16x16 costs at most this share of the best inter trial
    )
    skip_sad: (
        int  # a skip without residual is not searched further when its SAD is within this of the search's best cost
    )
    early_skip: int  # 1: skip at once when it leaves no residual and the search agrees; 0: never
    skip_energy: int  # and without asking the search when its SSD is below this, 1/16 squared quantiser steps
    weight_inter: int  # rate against distortion in the choice of levels
    weight_intra: int
    mode_lambda: int  # lambda of mode decision
    zero_energy: int  # 8x8 blocks of less energy, in 1/16 squared quantiser steps, are taken as zero untransformed
    both_transforms: int  # 1: inter macroblocks are coded with the other transform size too
    sub_partitions: int  # 1: quadrants of P macroblocks are split where 8x8 is coded on trial
    # Choice of levels by dead zone: what rounds a level up, 1/256 step, or -n: exactly 1/n, as in the transform's RTL;
    # 0: by rate and distortion
    dead_zone_inter: int = 0
    dead_zone_intra: int = 0
    tools_off: int = 0  # bit set of descriptors.Tool
    single_pass: int = 0  # 1: no trials, `single_pass.py`


class Coded(NamedTuple):
    """What later macroblocks need to know of earlier ones, beside `Macroblocks`: written on commitment.

    pattern uint8[n]   coded_block_pattern as neighbours see it (skip 0, I_PCM 47)
    dc      uint8[n]   bits 0..2: coded_block_flag of luma DC, Cb DC, Cr DC
    """

    pattern: np.ndarray
    dc: np.ndarray
