"""Mode decision: how each macroblock is coded, by rate-distortion cost of trials.

state      registers, working arrays, slots of trials
rate       what syntax elements cost
levels     rate-distortion optimised quantisation
residual   coding a residual on trial
intra      choice and trial of intra modes
inter      prediction and motion rate of inter candidates
load       start of a macroblock
candidates which inter shapes, fractional search of their partitions
trial      what the trials of all slice types share
single_pass  I and P slices without trials, as the RTL of the encode core decides
decide     I and P slices
bipredictive  B slices
commit     end of a macroblock: record and reconstructed picture

RTL twin: rtl_tests/rtl/mode_decision/. Bench: rtl_tests/mode_decision/.
"""

import numpy as np
from pydantic import Field

from asic_model.codecs.h264.macroblock import I_16X16
from asic_model.engines.intra_prediction import IntraPredictionConfig
from asic_model.engines.transform import TransformConfig
from asic_model.kernel_cache import kernel
from asic_model.section import Section

__all__ = ["ModeDecisionConfig", "cycles", "single_pass_cycles", "single_pass_inter_cycles"]


class ModeDecisionConfig(Section):
    """Size of the mode decision engine."""

    blocks_per_cycle: int = Field(
        4, ge=1, le=32, description="4x4 blocks of a trial per cycle: transform, levels, rate, distortion [blocks]"
    )
    trial_cycles: int = Field(24, ge=0, le=256, description="fill and comparison of one trial [cycles]")
    overhead_cycles: int = Field(16, ge=0, le=256, description="neighbour data in, decision out [cycles]")


@kernel
def _cycles(blocks, trials, blocks_per_cycle, trial_cycles, overhead_cycles, found):
    """`cycles` into found int64[n]."""
    for mb in range(found.size):
        spent = (np.int64(blocks[mb]) + blocks_per_cycle - 1) // blocks_per_cycle
        found[mb] = spent + np.int64(trials[mb]) * trial_cycles + overhead_cycles


def cycles(cfg: ModeDecisionConfig, work: np.ndarray) -> np.ndarray:
    """Clock cycles of each macroblock, int64[n].

    A trial passes its 24 blocks (27 with DC blocks) through one pipeline of transform, choice of levels, rate and
    distortion, `blocks_per_cycle` at a time; trials follow one another, and each pays the pipeline's fill once.
    """
    found = np.empty(len(work), np.int64)
    _cycles(
        work["transform_blocks"], work["mode_decision_trials"], cfg.blocks_per_cycle, cfg.trial_cycles,
        cfg.overhead_cycles, found,
    )  # fmt: skip
    return found


# The single pass in RTL (rtl_tests/rtl/mode_decision/)
_SATD_CYCLES = 2
_START_CYCLES = 4  # neighbours in, results out
_COMPARE_CYCLES = 2  # registers on the way from the last mode of chroma to the choice


def single_pass_cycles(
    prediction: IntraPredictionConfig, transform: TransformConfig, work: np.ndarray, mb_width: int, begun: bool = False
) -> np.ndarray:
    """The same where macroblocks are decided in one pass, int64[n], of whole pictures.

    begun : the macroblock has begun, and the modes of 16x16 and chroma are known: intra macroblocks of P pictures

    Each 4x4 block waits for the reconstruction of the one before: predictor, its modes one a cycle, SATD, transform.
    Modes of 16x16 and chroma are compared beside it, and a macroblock that becomes Intra16x16 waits for their end.
    Blocks whose DC is coded apart pass the transform twice, the DC blocks between.
    """
    blocks, predicted = work["transform_blocks"].astype(np.int64), work["intra_prediction_blocks"].astype(np.int64)
    whole = work["mb_type"] == I_16X16
    through = transform.latency_cycles + 1
    choice = prediction.latency_cycles + _SATD_CYCLES

    def apart(count: int, dc: int) -> int:
        """Both passes of `count` blocks, and `dc` DC blocks between."""
        return (prediction.latency_cycles + count + through) + (dc + transform.latency_cycles) + (count + through)

    chroma, luma = apart(8, 2), apart(16, 1)
    coded = blocks - 10 - np.where(whole, 17, 0)  # 4x4 blocks coded before the choice fell
    small = predicted + coded * (choice + transform.latency_cycles) + np.where(whole, choice, 0)
    index = np.arange(len(work))
    beside = (index % mb_width > 0).astype(np.int64) + (index >= mb_width)
    modes = np.where(beside == 2, 4, beside + 1)
    large = 24 * modes + choice + _COMPARE_CYCLES
    start = _START_CYCLES + ((index % mb_width == 0) & (index > 0))  # a row begins with one more read of the line above
    if begun:
        start, large = np.zeros_like(start), np.zeros_like(large)
    return start + chroma + np.where(whole, np.maximum(small + 1, large) + luma, small)


# P macroblocks of the single pass (rtl_tests/rtl/mode_decision/mode_decision_inter.sv)
_LOAD_CYCLES = 28  # neighbours' vectors, 16 source blocks and their last rows to the searches
_HANDOVER_CYCLES = 8  # commands and results between searches, choice, luma, chroma
_LUMA_AHEAD_CYCLES = 13  # rows before the first block, and the filter
_CHROMA_CYCLES = 24  # both components' rows, and the filter


def single_pass_inter_cycles(
    prediction: IntraPredictionConfig, transform: TransformConfig, work: np.ndarray, mb_width: int
) -> np.ndarray:
    """What macroblocks of a P picture take beside their two searches, which follow one another, int64[n].

    Prediction and transform of luma, then of chroma, whose blocks pass the transform twice; or what an intra macroblock
    takes. The reference's samples are there: they come in a row ahead.
    """
    through = transform.latency_cycles + 1
    luma = _LUMA_AHEAD_CYCLES + 16 + transform.latency_cycles
    chroma = (_CHROMA_CYCLES + through) + (2 + transform.latency_cycles) + (8 + through)
    intra = single_pass_cycles(prediction, transform, work, mb_width, begun=True)
    return _LOAD_CYCLES + _HANDOVER_CYCLES + np.where(work["mb_type"] <= I_16X16, intra, luma + chroma)
