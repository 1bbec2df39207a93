"""Cycles of the transform engine."""

import numpy as np
from pydantic import Field

from asic_model.codecs.h264.macroblock import I_4X4, I_8X8
from asic_model.section import Section


class TransformConfig(Section):
    """Forward and inverse pipelines, side by side, both fed with 4x4 blocks (an 8x8 block counts as four)."""

    blocks_per_cycle: int = Field(1, ge=1, le=16, description="4x4 blocks that each pipeline accepts in a cycle")
    latency_cycles: int = Field(9, ge=1, le=64, description="residual in to reconstructed samples out, one block")
    latency_8x8_cycles: int = Field(
        17, ge=1, le=64, description="the same of an 8x8 block, from its first sample to its last"
    )
    dc_cycles: int = Field(4, ge=0, le=32, description="cycles that a macroblock's DC blocks add (Intra16x16, chroma)")


def _pipelined(blocks: np.ndarray, blocks_per_cycle: int) -> np.ndarray:
    return -(-blocks.astype(np.int64) // blocks_per_cycle)


def cycles(cfg: TransformConfig, work: np.ndarray) -> np.ndarray:
    """Encode: int64[n] cycles from the first residual block to the last reconstructed one.

    Blocks stream through the forward pipeline while the inverse pipeline works behind it, so the longer of the two
    counts, plus the latency of one block and the DC blocks. In Intra4x4 (Intra8x8) each of 16 (4) luma blocks needs
    its neighbour's reconstruction: the latency is paid block by block, and only trials and chroma stream.
    """
    mb_type = work["mb_type"]
    forward = _pipelined(work["transform_blocks"], cfg.blocks_per_cycle)
    inverse = _pipelined(work["transform_coded_blocks"], cfg.blocks_per_cycle)
    waits = np.where(mb_type == I_4X4, 16 * cfg.latency_cycles, cfg.latency_cycles)
    waits = np.where(mb_type == I_8X8, 4 * cfg.latency_8x8_cycles, waits)
    busy = np.maximum(forward, inverse) + waits + cfg.dc_cycles
    return np.where(work["transform_blocks"] > 0, busy, 0).astype(np.int64)


def inverse_cycles(cfg: TransformConfig, work: np.ndarray) -> np.ndarray:
    """Decode: int64[n] cycles from the first levels to the last residual block; only coded blocks enter."""
    coded = work["transform_coded_blocks"]
    busy = _pipelined(coded, cfg.blocks_per_cycle) + cfg.latency_cycles + cfg.dc_cycles
    return np.where(coded > 0, busy, 0).astype(np.int64)
