"""Cycles of the deblocking engine."""

import numpy as np
from pydantic import Field

from asic_model.section import Section

ALL_SEGMENTS = 48  # 4-sample pieces of edges in a macroblock: 32 of luma, 16 of chroma


class DeblockConfig(Section):
    """A filter for 4-sample pieces of edges, with a transposing buffer between upright and horizontal edges."""

    segments_per_cycle: int = Field(1, ge=1, le=8, description="4-sample pieces of edges filtered in a cycle")
    macroblock_cycles: int = Field(20, ge=0, le=128, description="cycles to load, transpose and drain one macroblock")
    skip_idle: bool = Field(False, description="pieces with strength 0 take no cycle (else every piece takes its turn)")


def cycles(cfg: DeblockConfig, work: np.ndarray) -> np.ndarray:
    """int64[n] cycles of each macroblock: strengths come ahead of the filter, pieces pass it one after another.

    Without `skip_idle` the time is the same for every macroblock, filtered or not, as in fixed-schedule filters.
    """
    if not cfg.skip_idle:
        segments = np.full(len(work), ALL_SEGMENTS, np.int64)
    else:
        segments = work["deblock_edges"].astype(np.int64)
    return -(-segments // cfg.segments_per_cycle) + cfg.macroblock_cycles
