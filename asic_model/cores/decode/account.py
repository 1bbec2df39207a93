"""What a picture cost: the work record, cycles by stage, memory requests; and the core's configuration."""

import math

import numpy as np
from pydantic import Field

from asic_model.codecs.h264.decode_records import MOTION_MB_BYTES
from asic_model.codecs.h264.macroblock import I_4X4, I_8X8, I_16X16, I_PCM
from asic_model.cores.decode.job import BOTTOM, FRAME, DecodeJob
from asic_model.cores.decode.reconstruct import FETCH_FIELDS, FIGURES, PARTITIONS, SAMPLES
from asic_model.engines import deblock, inter_prediction, parse, transform
from asic_model.engines.deblock import DeblockConfig
from asic_model.engines.inter_prediction import InterPredictionConfig
from asic_model.engines.intra_prediction import IntraPredictionConfig
from asic_model.engines.parse import ParseConfig
from asic_model.engines.parse.layout import STAT_BINS, STAT_BITS, STAT_BLOCKS, STAT_LEVELS, STATS
from asic_model.engines.transform import TransformConfig
from asic_model.memory import traffic
from asic_model.memory.frame_compression import KnownTiles, tile_bytes
from asic_model.memory.reference_cache import RECTANGLE, ReferenceCacheConfig, reads
from asic_model.memory.surface import Surface, surface
from asic_model.section import Section
from asic_model.work import decode_work

STAGES = ("parse", "residual", "prediction", "reconstruct", "deblock")
PARSE, RESIDUAL, PREDICTION, RECONSTRUCT, DEBLOCK = range(5)
MACROBLOCK_SAMPLES = 384
WRITE_GROUP_MBS = 8  # macroblocks whose finished rows leave together, 128 bytes a luma row
# What hardware moves of a macroblock's motion where direct prediction looks at the four corners only: vectors and
# picture numbers. The buffer itself is larger (`decode_records.motion_bytes`).
PACKED_MOTION_BYTES = 32


class DecodeCoreConfig(Section):
    """Engines and on-chip memory of one decode core.

    Levels, vectors and modes wait between `parse` and the rest in a buffer: the pipeline's FIFO depth.
    """

    parse: ParseConfig = ParseConfig()
    transform: TransformConfig = TransformConfig()
    intra_prediction: IntraPredictionConfig = IntraPredictionConfig()
    inter_prediction: InterPredictionConfig = InterPredictionConfig()
    deblock: DeblockConfig = DeblockConfig()
    reference_cache: ReferenceCacheConfig = ReferenceCacheConfig(capacity_kib=256, tile_width=128, tile_height=8)
    frame_compression: bool = Field(False, description="references are stored losslessly compressed")
    # 12 at most: no macroblock in less than 32 cycles, on which the chip's event loop relies
    samples_per_cycle: float = Field(
        8, ge=0.5, le=12, description="prediction plus residual, mean samples put out in a cycle"
    )


def work_record(
    job: DecodeJob, mb_type: np.ndarray, stats: np.ndarray, figures: np.ndarray, edges: np.ndarray,
    starts: tuple[int, ...], stream_bytes: int,
) -> np.ndarray:  # fmt: skip
    """Gather DECODE_WORK[n] from the columns that the kernels filled."""
    work = decode_work(job.mb_count)
    stats, figures = stats.reshape(-1, STATS), figures.reshape(-1, FIGURES)
    work["mb_type"] = mb_type
    work["parse_bins"] = np.minimum(stats[:, STAT_BINS], 65535)
    bits = stats[:, STAT_BITS].astype(np.int64)
    if starts:  # what no macroblock has taken, headers and damage, stands before the slices
        first = np.asarray(starts)
        work["slice_start"][first] = 1
        rest = max(8 * stream_bytes - int(bits.sum()), 0)
        if len(first) == 1:
            bits[first[0]] += rest
        else:
            np.add.at(bits, first, np.diff(np.linspace(0, rest, len(first) + 1).astype(np.int64)))
    work["parse_bits"] = bits
    work["parse_levels"] = stats[:, STAT_LEVELS]
    work["transform_coded_blocks"] = stats[:, STAT_BLOCKS]
    work["inter_prediction_partitions"] = figures[:, PARTITIONS]
    work["inter_prediction_samples"] = figures[:, SAMPLES]
    work["deblock_edges"] = edges
    return work


def stage_cycles(cfg: DecodeCoreConfig, work: np.ndarray, cabac: bool, filtered: bool) -> np.ndarray:
    """Return int64[n, stages]."""
    cycles = np.zeros((len(work), len(STAGES)), np.int64)
    cycles[:, PARSE] = parse.cycles(cfg.parse, work, cabac)
    cycles[:, RESIDUAL] = transform.inverse_cycles(cfg.transform, work)
    cycles[:, PREDICTION] = inter_prediction.cycles(cfg.inter_prediction, work)
    cycles[:, RECONSTRUCT] = reconstruct_cycles(cfg, work["mb_type"])
    if filtered:
        cycles[:, DEBLOCK] = deblock.cycles(cfg.deblock, work)
    return cycles


def reconstruct_cycles(cfg: DecodeCoreConfig, mb_type: np.ndarray) -> np.ndarray:
    """int64[n] cycles of intra prediction and of adding residuals.

    Samples pass at `samples_per_cycle`. A block of Intra4x4 (Intra8x8) is predicted from the one before, so the
    predictor's latency is paid 16 (4) times; Intra16x16 and chroma pay it once.
    """
    steps = np.zeros(256, np.int64)
    steps[I_4X4], steps[I_8X8], steps[I_16X16], steps[I_PCM] = 17, 5, 2, 0
    latency = cfg.intra_prediction.latency_cycles
    return math.ceil(MACROBLOCK_SAMPLES / cfg.samples_per_cycle) + latency * steps[mb_type]


def _field(place: Surface, structure: int) -> Surface:
    """Rows of one field as a surface of their own."""
    if structure == FRAME:
        return place
    second = int(structure == BOTTOM)
    return place._replace(
        height=place.height // 2,
        address=place.address + second * place.pitch,
        pitch=2 * place.pitch,
        cb_address=place.cb_address + second * place.chroma_pitch,
        cr_address=place.cr_address + second * place.chroma_pitch,
        chroma_pitch=2 * place.chroma_pitch,
    )


def memory_requests(
    memory: np.ndarray | KnownTiles,
    cfg: DecodeCoreConfig,
    job: DecodeJob,
    work: np.ndarray,
    fetches: np.ndarray,
    reference_addresses: tuple[int, ...],
    colocated_address: int,
) -> np.ndarray:
    """Return the REQUEST rows of the picture.

    fetches : int32, rectangles of reference samples (FETCH_FIELDS each), in the order they were wanted
    reference_addresses : surfaces that rectangles number
    colocated_address   : motion buffer that direct prediction looks at, 0: none
    """
    rows = job.mb_count // job.mb_width
    compress = cfg.frame_compression and job.structure == FRAME
    written = _field(job.surface, job.structure)
    if compress:
        tiles_out = tile_bytes(memory, job.surface)
        out = traffic.picture(written, job.mb_width, rows, DEBLOCK, "reconstruction", True, tiles_out)
        if job.mbaff:  # units go by pairs
            row, column = out["unit"] // job.mb_width, out["unit"] % job.mb_width
            out["unit"] = 2 * ((row >> 1) * job.mb_width + column) + (row & 1)
        parts = [(out, 0)]
    else:
        template = traffic.picture_template(
            written, job.mb_width, rows, DEBLOCK, "reconstruction", True, WRITE_GROUP_MBS, bool(job.mbaff)
        )
        parts = [(template, written.address)]
    parts.append((traffic.stream(work["parse_bits"], job.stream_address, PARSE, write=False), 0))
    if fetches.size:
        wanted = fetches.view(RECTANGLE)
        unit = wanted["unit"]
        if (unit[1:] < unit[:-1]).any():
            wanted = wanted[np.argsort(unit, kind="stable")]
        pictures = [surface(job.width, job.height, address) for address in reference_addresses]
        tiles = [tile_bytes(memory, picture) for picture in pictures] if compress else None
        parts.append((reads(cfg.reference_cache, pictures, wanted, PREDICTION, tiles), 0))
    motion = PACKED_MOTION_BYTES if job.direct_8x8_inference else MOTION_MB_BYTES
    for address, stage, write in ((colocated_address, PREDICTION, False), (job.motion_address, RECONSTRUCT, True)):
        if address:
            parts.append((traffic.per_unit_template(job.mb_count, motion, stage, write, "motion"), address))
    return traffic.gather(parts, job.mb_count, len(STAGES))


assert RECTANGLE.itemsize == 4 * FETCH_FIELDS
