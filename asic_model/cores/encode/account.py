"""What a picture cost: cycles by stage, memory requests, counters; and the core's configuration."""

from functools import lru_cache
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from asic_model import timing_table
from asic_model.codecs.h264.macroblock import B_SKIP, I_4X4, I_8X8, I_16X16, I_PCM, P_SKIP, Macroblocks
from asic_model.cores.encode.effort import single_pass
from asic_model.cores.encode.job import CABAC, MOTION_BYTES, SLICE_I, SLICE_P, EncodeJob
from asic_model.cores.encode.picture import squared_error
from asic_model.cores.encode.reference import stored_tiles
from asic_model.descriptors import FIRST_PASS_RECORD_BYTES
from asic_model.engines import (
    deblock,
    entropy,
    fractional_search,
    intra_prediction,
    mode_decision,
    motion_search,
    transform,
)
from asic_model.engines.deblock import DeblockConfig
from asic_model.engines.entropy import EntropyConfig
from asic_model.engines.fractional_search import FractionalSearchConfig
from asic_model.engines.intra_prediction import IntraPredictionConfig
from asic_model.engines.mode_decision import ModeDecisionConfig
from asic_model.engines.mode_decision.state import Samples
from asic_model.engines.motion_search import MotionSearchConfig
from asic_model.engines.transform import TransformConfig
from asic_model.kernel_cache import kernel
from asic_model.memory import traffic
from asic_model.memory.frame_compression import KnownTiles
from asic_model.memory.reference_cache import ReferenceCacheConfig, reads, search_windows
from asic_model.section import Section
from asic_model.timing_table import CORE, StageTiming, known_stages

STAGES = ("fetch", "motion_search", "fractional_search", "mode_decision", "transform", "deblock", "entropy")
FETCH, MOTION_SEARCH, FRACTIONAL_SEARCH, MODE_DECISION, TRANSFORM, DEBLOCK, ENTROPY = range(7)
MACROBLOCK_BYTES = 384


class EncodeCoreConfig(Section):
    """Engines and on-chip memory of one encode core."""

    motion_search: MotionSearchConfig = MotionSearchConfig()
    fractional_search: FractionalSearchConfig = FractionalSearchConfig()
    intra_prediction: IntraPredictionConfig = IntraPredictionConfig()
    mode_decision: ModeDecisionConfig = ModeDecisionConfig()
    transform: TransformConfig = TransformConfig()
    deblock: DeblockConfig = DeblockConfig()
    entropy: EntropyConfig = EntropyConfig()
    reference_cache: ReferenceCacheConfig = ReferenceCacheConfig(capacity_kib=1024)
    frame_compression: bool = Field(False, description="references are stored losslessly compressed")
    timing: Annotated[dict[str, StageTiming], AfterValidator(known_stages)] = Field(
        {}, description="laws measured on other RTL, by stage, in place of the engines' own"
    )
    fetch_bytes_per_cycle: int = Field(16, ge=1, le=256, description="source samples unpacked per cycle [bytes]")


def stage_cycles(cfg: EncodeCoreConfig, job: EncodeJob, work: np.ndarray) -> np.ndarray:
    """Return int64[n, stages]. Trials of intra modes belong to mode decision, whichever engine takes longer."""
    cycles = np.zeros((len(work), len(STAGES)), np.int64)
    cycles[:, FETCH] = -(-MACROBLOCK_BYTES // cfg.fetch_bytes_per_cycle)
    if CORE in cfg.timing:
        cycles[:, MODE_DECISION] = timing_table.cycles(cfg.timing[CORE], work)
        return cycles
    if job.slice_type != SLICE_I:
        cycles[:, MOTION_SEARCH] = motion_search.cycles(cfg.motion_search, work)
        cycles[:, FRACTIONAL_SEARCH] = fractional_search.cycles(cfg.fractional_search, work)
    cycles[:, DEBLOCK] = deblock.cycles(cfg.deblock, work)
    cycles[:, ENTROPY] = entropy.cycles(cfg.entropy, work, job.entropy == CABAC)
    if single_pass(job) and job.slice_type == SLICE_P:
        # Searches, decision and transform take one macroblock at a time: the left neighbour's vector is the exact one.
        beside = mode_decision.single_pass_inter_cycles(cfg.intra_prediction, cfg.transform, work, job.mb_width)
        cycles[:, MODE_DECISION] = cycles[:, MOTION_SEARCH] + cycles[:, FRACTIONAL_SEARCH] + beside
        cycles[:, MOTION_SEARCH] = cycles[:, FRACTIONAL_SEARCH] = cycles[:, TRANSFORM] = 0
    elif single_pass(job):
        # The transform works inside the decision's loop: as a stage of its own it would count twice.
        cycles[:, MODE_DECISION] = mode_decision.single_pass_cycles(
            cfg.intra_prediction, cfg.transform, work, job.mb_width
        )
    else:
        cycles[:, MODE_DECISION] = mode_decision.cycles(cfg.mode_decision, work)
        cycles[:, TRANSFORM] = transform.cycles(cfg.transform, work)
    intra = intra_prediction.cycles(cfg.intra_prediction, work)
    for name, timing in cfg.timing.items():
        found = timing_table.cycles(timing, work)
        if name == "intra_prediction":
            intra = found
        else:
            cycles[:, STAGES.index(name)] = found
    cycles[:, MODE_DECISION] = np.maximum(cycles[:, MODE_DECISION], intra)
    if job.deblock_disable == 1:
        cycles[:, DEBLOCK] = 0
    return cycles


def memory_requests(
    memory: np.ndarray | KnownTiles, cfg: EncodeCoreConfig, job: EncodeJob, work: np.ndarray
) -> np.ndarray:
    """Return the REQUEST rows of the picture."""
    count = len(work)
    mb_width, mb_height = job.mb_width, job.mb_height
    compressed = None
    if cfg.frame_compression:
        compressed = stored_tiles(memory, job.reconstruction, job.nal_ref_idc > 0)
    # (requests, bytes by which their addresses move): templates are made once
    source = traffic.picture_template(job.source, mb_width, mb_height, FETCH, "source", False)
    parts = [(source, job.source.address)]
    if compressed is None:
        plain = traffic.picture_template(job.reconstruction, mb_width, mb_height, DEBLOCK, "reconstruction", True)
        parts.append((plain, job.reconstruction.address))
    else:
        tiles = traffic.picture(job.reconstruction, mb_width, mb_height, DEBLOCK, "reconstruction", True, compressed)
        parts.append((tiles, 0))
    parts.append((traffic.stream(work["entropy_bits"], 0, ENTROPY), job.out_address))
    if job.qp_map_address:
        parts.append((traffic.per_unit_template(count, 1, FETCH, False, "intermediate"), job.qp_map_address))
    if job.vectors_address:
        vectors = traffic.per_unit_template(count, FIRST_PASS_RECORD_BYTES, FETCH, False, "intermediate")
        parts.append((vectors, job.vectors_address))
    if job.slice_type != SLICE_I:
        surfaces = [reference.surface for entries in job.lists for reference in entries]
        windows = _windows(mb_width, mb_height, len(surfaces), cfg.motion_search.range_x, cfg.motion_search.range_y)
        stored = [stored_tiles(memory, surface) for surface in surfaces] if cfg.frame_compression else None
        parts.append((reads(cfg.reference_cache, surfaces, windows, MOTION_SEARCH, stored), 0))
        if job.motion_in_address:
            motion_in = traffic.per_unit_template(count, MOTION_BYTES, MOTION_SEARCH, False, "motion")
            parts.append((motion_in, job.motion_in_address))
    if job.motion_out_address:
        motion_out = traffic.per_unit_template(count, MOTION_BYTES, ENTROPY, True, "motion")
        parts.append((motion_out, job.motion_out_address))
    return traffic.gather(parts, count, len(STAGES))


@lru_cache(maxsize=traffic.TEMPLATES)
def _windows(mb_width: int, mb_height: int, references: int, range_x: int, range_y: int) -> np.ndarray:
    """Search windows of a picture, none displaced; not to be written to."""
    centre = np.zeros((mb_width * mb_height, references), np.int64)
    return search_windows(mb_width, mb_height, centre, centre, range_x, range_y)


# Columns of the work record that counters sum up
_SUMMED = (
    "motion_search_coarse", "motion_search_fine", "fractional_search_blocks", "intra_prediction_blocks",
    "mode_decision_trials", "transform_blocks", "entropy_bins",
)  # fmt: skip


@kernel
def _count(
    mb_type: np.ndarray,
    transform_8x8: np.ndarray,
    qp: np.ndarray,
    work: np.ndarray,
    kinds: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Add up: kinds int64[256] by mb_type; sums int64[9]: transform_8x8, qp, and _SUMMED."""
    for mb in range(len(work)):
        kinds[mb_type[mb]] += 1
        sums[0] += transform_8x8[mb]
        sums[1] += qp[mb]
        row = work[mb]
        sums[2] += row.motion_search_coarse
        sums[3] += row.motion_search_fine
        sums[4] += row.fractional_search_blocks
        sums[5] += row.intra_prediction_blocks
        sums[6] += row.mode_decision_trials
        sums[7] += row.transform_blocks
        sums[8] += row.entropy_bins


def counters(
    job: EncodeJob, source: Samples, memory: np.ndarray, mbs: Macroblocks, work: np.ndarray, size: int
) -> dict[str, int]:
    """Additive figures of the picture. Squared errors are over the visible picture."""
    recon = job.reconstruction
    width, height = job.width, job.height
    kinds, sums = np.zeros(256, np.int64), np.zeros(2 + len(_SUMMED), np.int64)
    _count(mbs.mb_type, mbs.transform_8x8, mbs.qp, work, kinds, sums)
    found = {
        "pictures": 1,
        "macroblocks": len(work),
        "bits": 8 * size,
        "sse_y": squared_error(memory, recon.address, recon.pitch, source.data, source.y, source.stride, width, height),
        "samples_y": width * height,
        "intra_4x4": kinds[I_4X4],
        "intra_8x8": kinds[I_8X8],
        "intra_16x16": kinds[I_16X16],
        "intra_pcm": kinds[I_PCM],
        "skipped": kinds[P_SKIP] + kinds[B_SKIP],
        "inter": kinds[B_SKIP + 1 : 255].sum(),
        "transform_8x8": sums[0],
        "qp_sum": sums[1],
    }
    for name, address, offset in (("sse_u", recon.cb_address, source.u), ("sse_v", recon.cr_address, source.v)):
        found[name] = squared_error(
            memory, address, recon.chroma_pitch, source.data, offset, source.chroma_stride, width // 2, height // 2
        )
    found.update(zip(_SUMMED, sums[2:], strict=True))
    return {name: int(value) for name, value in found.items()}
