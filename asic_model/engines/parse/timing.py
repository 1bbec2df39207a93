"""Cycles of the parse engine."""

import numpy as np
from pydantic import Field

from asic_model.section import Section


class ParseConfig(Section):
    """One decoder of bins for CABAC and one of codewords for CAVLC; either feeds the level buffer."""

    bins_per_cycle: float = Field(1.0, ge=0.25, le=8, description="CABAC bins decoded in a cycle, on average")
    codewords_per_cycle: float = Field(1.0, ge=0.25, le=4, description="CAVLC codewords decoded in a cycle, on average")
    macroblock_cycles: int = Field(8, ge=0, le=128, description="neighbour data in and out, one macroblock [cycles]")
    slice_cycles: int = Field(1024, ge=0, le=8192, description="start of a slice, contexts set one a cycle [cycles]")


def cycles(cfg: ParseConfig, work: np.ndarray, cabac: bool) -> np.ndarray:
    """int64[n] cycles of each macroblock.

    A bin depends on the one before it, so the loop of range, offset and context state sets the pace: one bin a cycle
    in common designs, more where several steps are chained or bypass bins go in groups. CAVLC codewords depend on each
    other through their lengths. Vectors and levels leave at the pace of the codes that make them. The contexts of
    CABAC are set while the slice header is read by the driver's side, but no two slices overlap: `slice_cycles`.
    """
    codes = work["parse_bins"].astype(np.int64)
    rate = cfg.bins_per_cycle if cabac else cfg.codewords_per_cycle
    busy = np.ceil(codes / rate).astype(np.int64) + cfg.macroblock_cycles
    return busy + np.where(work["slice_start"] != 0, cfg.slice_cycles if cabac else 0, 0)
