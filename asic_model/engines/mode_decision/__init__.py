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
decide     I and P slices
bipredictive  B slices
commit     end of a macroblock: record and reconstructed picture

RTL twin: rtl_tests/rtl/mode_decision/. Bench: rtl_tests/mode_decision/.
"""

import numpy as np
from pydantic import Field

from asic_model.section import Section

__all__ = ["ModeDecisionConfig", "cycles"]


class ModeDecisionConfig(Section):
    """Size of the mode decision engine."""

    blocks_per_cycle: int = Field(
        4, ge=1, le=32, description="4x4 blocks of a trial per cycle: transform, levels, rate, distortion [blocks]"
    )
    trial_cycles: int = Field(24, ge=0, le=256, description="fill and comparison of one trial [cycles]")
    overhead_cycles: int = Field(16, ge=0, le=256, description="neighbour data in, decision out [cycles]")


def cycles(cfg: ModeDecisionConfig, work: np.ndarray) -> np.ndarray:
    """Clock cycles of each macroblock, int64[n].

    A trial passes its 24 blocks (27 with DC blocks) through one pipeline of transform, choice of levels, rate and
    distortion, `blocks_per_cycle` at a time; trials follow one another, and each pays the pipeline's fill once.
    """
    blocks = -(-work["transform_blocks"].astype(np.int64) // cfg.blocks_per_cycle)
    return blocks + work["mode_decision_trials"].astype(np.int64) * cfg.trial_cycles + cfg.overhead_cycles
