"""Cycles of the transform engine."""

import numpy as np
from pydantic import Field

from asic_model.codecs.h264.macroblock import B_DIRECT_16X16, B_SKIP, I_4X4, I_8X8, I_16X16, I_PCM, P_SKIP
from asic_model.kernel_cache import kernel
from asic_model.section import Section


class TransformConfig(Section):
    """One pipeline from residual to reconstruction, fed with 4x4 blocks (an 8x8 block counts as four)."""

    blocks_per_cycle: int = Field(1, ge=1, le=16, description="4x4 blocks that the pipeline accepts in a cycle")
    latency_cycles: int = Field(9, ge=1, le=64, description="residual in to reconstructed samples out, one block")
    latency_8x8_cycles: int = Field(
        17, ge=1, le=64, description="the same of an 8x8 block, from its first sample to its last"
    )
    dc_cycles: int = Field(4, ge=0, le=32, description="decode: cycles that a macroblock's DC blocks add")


def _pipelined(blocks: np.ndarray, blocks_per_cycle: int) -> np.ndarray:
    return -(-blocks.astype(np.int64) // blocks_per_cycle)


# By type of macroblock: blocks that are no trials (luma, eight of chroma, DC blocks), and what has trials only.
_TYPES = B_DIRECT_16X16 + 1
_OWN = np.full(_TYPES, 16 + 8 + 2)
_OWN[I_16X16] = 16 + 8 + 3
_TRIALS_ONLY = np.isin(np.arange(_TYPES), (P_SKIP, B_SKIP, I_PCM))


def _last_pass_cycles(cfg: TransformConfig) -> dict[str, int]:
    """Cycles from the first block of the chosen mode to its last reconstructed one, by kind of macroblock.

    A block enters the cycle after what it needs has left. Blocks whose DC is coded apart (chroma, Intra16x16) pass
    twice, the DC block between; what waits leaves its place to others.
    """

    def last(blocks: int) -> int:
        """When the last of `blocks` enters, the first at 0."""
        return -(-blocks // cfg.blocks_per_cycle) - 1

    latency, step = cfg.latency_cycles, cfg.latency_cycles + 1
    chroma = last(8) + 2 * step + last(4)  # first pass, DC, second pass of the second plane: the last entry
    return {
        "streamed": max(last(16 + 8 + 2 + 8), chroma) + latency,
        "intra_16x16": last(16) + 2 * step + last(16 + 8) + latency,
        "intra_4x4": 15 * step + latency,
        "intra_8x8": max(3 * (cfg.latency_8x8_cycles + 1) + cfg.latency_8x8_cycles, chroma + latency),
    }


@kernel
def _cycles(mb_type, transform_blocks, blocks_per_cycle, latency_cycles, whole, found):
    """`cycles` into found int64[n]; whole int64[types]: `_last_pass_cycles` by type of macroblock."""
    for mb in range(found.size):
        kind, blocks = np.int64(mb_type[mb]), np.int64(transform_blocks[mb])
        own = _OWN[kind]
        if blocks == 0:
            found[mb] = 0
        elif _TRIALS_ONLY[kind] or blocks < own:
            found[mb] = (blocks + blocks_per_cycle - 1) // blocks_per_cycle - 1 + latency_cycles
        else:
            found[mb] = (blocks - own + blocks_per_cycle - 1) // blocks_per_cycle + whole[kind]


def cycles(cfg: TransformConfig, work: np.ndarray) -> np.ndarray:
    """Encode: int64[n] cycles from the first residual block to the last reconstructed one.

    Trials stream ahead of the mode that is chosen. Its own blocks stream too, but for Intra4x4 (Intra8x8), where each
    of 16 (4) luma blocks needs its neighbour's reconstruction, and for DC blocks, which need all of theirs; chroma
    fills the gaps. A macroblock that is skipped (or I_PCM) has trials only.
    """
    law = _last_pass_cycles(cfg)
    whole = np.full(_TYPES, law["streamed"], np.int64)
    whole[[I_4X4, I_8X8, I_16X16]] = law["intra_4x4"], law["intra_8x8"], law["intra_16x16"]
    found = np.empty(len(work), np.int64)
    _cycles(work["mb_type"], work["transform_blocks"], cfg.blocks_per_cycle, cfg.latency_cycles, whole, found)
    return found


def inverse_cycles(cfg: TransformConfig, work: np.ndarray) -> np.ndarray:
    """Decode: int64[n] cycles from the first levels to the last residual block; only coded blocks enter."""
    coded = work["transform_coded_blocks"]
    busy = _pipelined(coded, cfg.blocks_per_cycle) + cfg.latency_cycles + cfg.dc_cycles
    return np.where(coded > 0, busy, 0).astype(np.int64)
