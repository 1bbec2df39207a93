"""Encode core: one picture from source samples to slices in device memory, and what it costs."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from asic_model.codecs.h264.macroblock import Macroblocks, allocate
from asic_model.cores.encode import first_pass, motion
from asic_model.cores.encode.account import STAGES, EncodeCoreConfig, counters, memory_requests, stage_cycles
from asic_model.cores.encode.effort import decision_settings, search_settings, single_pass
from asic_model.cores.encode.job import CABAC, FIELD_NUMBER, MOTION_BYTES, SLICE_B, SLICE_I, EncodeJob, bad_field
from asic_model.cores.encode.lists import ReferenceLists, reference_lists
from asic_model.cores.encode.picture import (
    PictureParameters,
    SearchResults,
    code_bipredictive_picture,
    code_picture,
    search_results,
)
from asic_model.cores.encode.reference import quarter_plane
from asic_model.cores.encode.search_references import search_references
from asic_model.cores.encode.syntax import slice_parameters, slice_rows, write_slices
from asic_model.cores.encode.weights import find_weights
from asic_model.cores.result import REQUEST, STATUS_BAD_FIELD, STATUS_OK, STATUS_OUTPUT_FULL, CoreResult, Facts
from asic_model.engines import deblock, entropy
from asic_model.engines.entropy import SliceParameters
from asic_model.engines.mode_decision.commit import vector_words
from asic_model.engines.mode_decision.state import REFERENCES, Coded, Samples, macroblock_state
from asic_model.engines.motion_search import GUARD_BYTES, Plane, SearchSettings
from asic_model.engines.transform import Quantiser, quantiser
from asic_model.memory.frame_compression import KnownTiles
from asic_model.work import encode_work


@dataclass(frozen=True)
class Recording:
    """What a picture left in the core's engines on its way: vectors for benches, recorded by `run`. All are copies."""

    job: EncodeJob
    parameters: SliceParameters  # of the picture as one slice
    mbs: Macroblocks
    work: np.ndarray
    source: Samples  # at coded size
    unfiltered: np.ndarray  # bytes of the reconstruction's surface before deblocking
    filtered: np.ndarray  # and after
    search: SearchResults  # of motion_search
    search_settings: SearchSettings  # of the first reference
    temporal: np.ndarray  # candidates from the co-located picture
    stream: bytes  # slices, with start codes


@lru_cache(maxsize=1)
def _quantiser() -> Quantiser:
    return quantiser()


def _may_stay(memory: np.ndarray, job: EncodeJob) -> bool:
    """Whether the source can be read where it stands: it has coded size, and nothing that the job writes meets it."""
    source = job.source
    begin, end = source.address, source.address + source.size_bytes
    recon = job.reconstruction
    written = (
        (recon.address, recon.size_bytes),
        (job.out_address, job.out_capacity),
        (job.motion_out_address, job.mb_width * job.mb_height * MOTION_BYTES if job.motion_out_address else 0),
    )
    return (
        (job.width, job.height) == (job.coded_width, job.coded_height)
        and end + GUARD_BYTES <= memory.size
        and all(address >= end or address + size <= begin for address, size in written)
    )


def _load_source(memory: np.ndarray, job: EncodeJob) -> Samples:
    """Copy the source to working memory at coded size, edges repeated."""
    width, height = job.coded_width, job.coded_height
    chroma_width, chroma_height = width // 2, height // 2
    data = np.empty(width * height * 3 // 2 + GUARD_BYTES, np.uint8)
    u, v = width * height, width * height + chroma_width * chroma_height
    surface = job.source
    for address, pitch, columns, rows, offset, coded_columns, coded_rows in (
        (surface.address, surface.pitch, job.width, job.height, 0, width, height),
        (surface.cb_address, surface.chroma_pitch, job.width // 2, job.height // 2, u, chroma_width, chroma_height),
        (surface.cr_address, surface.chroma_pitch, job.width // 2, job.height // 2, v, chroma_width, chroma_height),
    ):
        plane = data[offset : offset + coded_columns * coded_rows].reshape(coded_rows, coded_columns)
        plane[:rows, :columns] = memory[address : address + pitch * rows].reshape(rows, pitch)[:, :columns]
        plane[:rows, columns:] = plane[:rows, columns - 1 : columns]
        plane[rows:] = plane[rows - 1]
    data[width * height * 3 // 2 :] = 0
    return Samples(data, 0, u, v, width, chroma_width)


def _refused(name: str) -> CoreResult:
    return CoreResult(
        status=STATUS_BAD_FIELD,
        detail=FIELD_NUMBER[name],
        output_bytes=0,
        stages=STAGES,
        cycles=np.zeros((0, len(STAGES)), np.int64),
        requests=np.zeros(0, REQUEST),
        work=encode_work(0),
    )


def _deblock(memory: np.ndarray, job: EncodeJob, lists: ReferenceLists, mbs: Macroblocks, work: np.ndarray) -> None:
    """Filter the reconstruction in place."""
    if job.deblock_disable == 1:
        return
    slices = deblock.allocate_slices(job.slices)
    slices.disable[:] = job.deblock_disable
    slices.alpha_offset[:], slices.beta_offset[:] = 2 * job.deblock_alpha, 2 * job.deblock_beta
    slices.cb_offset[:] = slices.cr_offset[:] = job.chroma_qp_offset
    slices.pictures[:, :, : lists.numbers.shape[1]] = lists.numbers
    count = job.mb_width * job.mb_height
    recon = job.reconstruction
    planes = deblock.Planes(
        memory, recon.address, recon.pitch, recon.cb_address, recon.cr_address, recon.chroma_pitch, 1
    )
    edges = np.zeros(count, np.uint8)
    deblock.deblock_picture(
        planes,
        mbs,
        slices,
        deblock.allocate_scratch(count),
        job.mb_width,
        job.mb_height,
        0,
        2 if job.slice_type == SLICE_B else 1,
        edges,
    )
    work["deblock_edges"] = edges


def cost(
    memory: np.ndarray | KnownTiles, job: EncodeJob, cfg: EncodeCoreConfig, work: np.ndarray, _facts: Facts
) -> tuple[np.ndarray, np.ndarray]:
    """Return (cycles int64[n, stages], REQUEST rows) of a picture whose work record is known."""
    if job.mode:
        return first_pass.stage_cycles(cfg, job, work), first_pass.memory_requests(memory, cfg, job, work)
    return stage_cycles(cfg, job, work), memory_requests(memory, cfg, job, work)


def run(
    memory: np.ndarray, job: EncodeJob, cfg: EncodeCoreConfig, recordings: list[Recording] | None = None
) -> CoreResult:
    """Encode one picture; samples and slices are in `memory` (uint8[...]) when this returns.

    `recordings`, where there is one, gets what the engines saw and made.
    """
    name = bad_field(job, memory.size)
    if name is not None:
        return _refused(name)
    if job.mode:
        return first_pass.run(memory, job, cfg)
    count = job.mb_width * job.mb_height
    inter = job.slice_type != SLICE_I
    lists = reference_lists(memory, job)
    mbs = allocate(count, cleared_levels=False)
    surface = job.source
    if recordings is None and _may_stay(memory, job):
        source = Samples(
            memory, surface.address, surface.cb_address, surface.cr_address, surface.pitch, surface.chroma_pitch
        )
    else:
        source = _load_source(memory, job)
    current = Plane(source.data, source.y, source.stride)
    find_weights(memory, job, lists, source)
    references, quarters = search_references(memory, job, lists)
    current_quarter = quarter_plane(current, job.coded_width, job.coded_height, 0) if inter else quarters[0]
    surface = job.reconstruction
    recon = Samples(
        memory, surface.address, surface.cb_address, surface.cr_address, surface.pitch, surface.chroma_pitch
    )
    qp_map = np.zeros(0, np.int8)
    if job.qp_map_address:
        qp_map = memory[job.qp_map_address : job.qp_map_address + count].view(np.int8).copy()
    work = encode_work(count)
    rows = slice_rows(job.mb_height, job.slices)
    parameters = PictureParameters(
        mb_width=job.mb_width,
        mb_height=job.mb_height,
        slice_type=job.slice_type,
        cabac=int(job.entropy == CABAC and not single_pass(job)),  # one pass weighs codeword lengths
        context_table=1 + job.cabac_init_idc if inter else 0,
        qp=job.qp,
        chroma_offset=job.chroma_qp_offset,
        transform_8x8=job.transform_8x8,
        references=job.ref_count if inter else 0,
        references_l1=job.ref_l1_count if job.slice_type == SLICE_B else 0,
        direct_temporal=job.direct_temporal,
        max_bits=job.max_bits,
    )
    colocated = motion.read(memory, job.motion_in_address if inter else 0, count)
    code = code_bipredictive_picture if job.slice_type == SLICE_B else code_picture
    searches = search_settings(cfg.motion_search, job)
    search = search_results(REFERENCES if job.slice_type == SLICE_B else job.ref_count, count)
    temporal = motion.temporal_vectors(colocated, job)
    if job.vectors_address:
        motion.put_first_pass_vectors(memory, job, temporal)
    whole = slice_parameters(job, 0, count)
    scratch = entropy.entropy_scratch(count)
    code(
        parameters, macroblock_state(), _quantiser(), decision_settings(job), searches, whole,
        scratch, mbs, mbs.levels.reshape(-1), vector_words(mbs),
        Coded(np.zeros(count, np.uint8), np.zeros(count, np.uint8)), references, quarters, search, source,
        current_quarter, current, recon, rows, qp_map, temporal, lists.stretch, colocated, lists.direct, work,
    )  # fmt: skip
    place = slice(surface.address, surface.address + surface.size_bytes)
    unfiltered = memory[place].copy() if recordings is not None else memory[:0]
    _deblock(memory, job, lists, mbs, work)
    size = write_slices(memory, job, lists, mbs, scratch, rows, work)
    if job.motion_out_address:
        motion.write(memory, job.motion_out_address, mbs, job)
    if recordings is not None:
        stream = memory[job.out_address : job.out_address + max(size, 0)].tobytes()
        filtered = memory[place].copy()
        recordings.append(
            Recording(job, whole, mbs, work, source, unfiltered, filtered, search, searches[0], temporal, stream)
        )
    cycles, requests = cost(memory, job, cfg, work, {})
    return CoreResult(
        status=STATUS_OK if size >= 0 else STATUS_OUTPUT_FULL,
        detail=0,
        output_bytes=max(size, 0),
        stages=STAGES,
        cycles=cycles,
        requests=requests,
        work=work,
        counters=counters(job, source, memory, mbs, work, max(size, 0)),
    )
