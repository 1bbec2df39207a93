"""The work record: what each engine spent on each macroblock, one structured row a macroblock.

Kernels fill it, `cycles(config, work)` of each engine turns it into time, nothing else does. Fields are
prefixed with the engine that they belong to.
"""

import numpy as np

ENCODE_WORK = np.dtype(
    [
        ("mb_type", "u1"),  # asic_model.codecs.h264.macroblock codes
        ("slice_start", "u1"),  # 1 on the first macroblock of a slice
        ("fetch_window_x", "i2"),  # whole-sample displacement of the search window's centre from the macroblock
        ("fetch_window_y", "i2"),
        ("motion_search_coarse", "u2"),  # candidate positions tried at the decimated levels, all references
        ("motion_search_fine", "u2"),  # candidate positions tried at full resolution, all references
        ("fractional_search_blocks", "u2"),  # 4x4 blocks interpolated and transformed (SATD), all positions
        ("intra_prediction_blocks", "u2"),  # 4x4 blocks predicted while choosing, all modes
        ("mode_decision_trials", "u1"),  # modes coded in full (transform, quantisation, distortion, rate)
        ("transform_blocks", "u2"),  # 4x4 blocks through transform and quantisation, all trials
        ("transform_coded_blocks", "u1"),  # 4x4 blocks with levels, hence inverse transformed
        ("inter_prediction_x", "i2"),  # quarter-sample vector of the first partition (reference traffic)
        ("inter_prediction_y", "i2"),
        ("inter_prediction_ref", "i1"),  # its reference index, -1 for intra
        ("deblock_edges", "u1"),  # 4-sample edge segments filtered (bS > 0), luma and chroma
        ("entropy_bins", "u2"),  # CABAC bins, or CAVLC codewords
        ("entropy_bits", "u2"),  # bits put out, before emulation prevention
        ("first_pass_lists", "u2"),  # first pass: lists along which macroblocks of a row handed on what they are worth
    ]
)


def encode_work(count: int) -> np.ndarray:
    """Return cleared rows for `count` macroblocks."""
    return np.zeros(count, ENCODE_WORK)


# One row a unit of the scale core: a group of input lines inside one stripe of columns. [output, plane].
SCALE_WORK = np.dtype(
    [
        ("fetch_bytes", "u4"),
        ("fetch_pieces", "u2"),  # separate rows that these bytes stand in
        ("scale_lines_in", "u2", (4, 3)),  # input lines filtered horizontally
        ("scale_lines_out", "u2", (4, 3)),  # output lines that this unit's input completes
        ("scale_columns", "u2", (4, 3)),  # output samples of one line inside the stripe
        ("scale_span_x", "u2", (4, 3)),  # filter spans [samples]
        ("scale_span_y", "u2", (4, 3)),
        ("scale_tables", "u4", (2,)),  # coefficients generated before this unit, horizontal and vertical
        ("quality_samples", "u4"),  # samples compared (SSE)
        ("quality_windows", "u4"),  # SSIM windows closed
        ("store_bytes", "u4"),
        ("store_pieces", "u2"),
    ]
)


DECODE_WORK = np.dtype(
    [
        ("mb_type", "u1"),  # asic_model.codecs.h264.macroblock codes; I_4X4 where the macroblock was concealed
        ("slice_start", "u1"),  # 1 on the first macroblock of a slice
        ("parse_bins", "u2"),  # CABAC bins, or CAVLC codewords
        ("parse_bits", "u4"),  # bits of the stream, headers counted with the first macroblock of a slice
        ("parse_levels", "u2"),  # transform levels other than 0
        ("transform_coded_blocks", "u1"),  # 4x4 blocks with levels (an 8x8 block counts as four, a DC block as one)
        ("inter_prediction_partitions", "u1"),  # blocks predicted, each list counts
        ("inter_prediction_samples", "u2"),  # luma samples through the filter
        ("deblock_edges", "u1"),  # 4-sample edge segments filtered (bS > 0), luma and chroma
    ]
)


def decode_work(count: int) -> np.ndarray:
    """Return cleared rows for `count` macroblocks."""
    return np.zeros(count, DECODE_WORK)
