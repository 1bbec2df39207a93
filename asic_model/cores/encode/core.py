"""Encode core: one picture from source samples to slices in device memory, and what it costs."""

from functools import lru_cache

import numpy as np

from asic_model.codecs.h264.macroblock import Macroblocks, allocate
from asic_model.codecs.h264.nal import NAL_IDR_SLICE, NAL_SLICE, header_byte
from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.slice_header import SliceHeader, write_slice_header
from asic_model.cores.encode import motion
from asic_model.cores.encode.account import STAGES, EncodeCoreConfig, counters, memory_requests, stage_cycles
from asic_model.cores.encode.job import (
    CABAC,
    EFFORT_FAST,
    EFFORT_MEDIUM,
    EFFORT_SLOW,
    FIELD_NUMBER,
    REFERENCES_MAX,
    SLICE_P,
    EncodeJob,
    bad_field,
)
from asic_model.cores.encode.picture import PictureParameters, code_picture, search_results
from asic_model.cores.encode.reference import ReferencePicture, quarter_plane, reference_picture
from asic_model.cores.result import REQUEST, STATUS_BAD_FIELD, STATUS_OK, STATUS_OUTPUT_FULL, CoreResult, Facts
from asic_model.engines import deblock, entropy
from asic_model.engines.entropy import SliceParameters
from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.lagrangian import MOTION_LAMBDA
from asic_model.engines.mode_decision.inter import References
from asic_model.engines.mode_decision.state import Coded, Samples, Settings, macroblock_state
from asic_model.engines.motion_search import GUARD_BYTES, MotionSearchConfig, Plane, SearchSettings
from asic_model.engines.transform import Quantiser, quantiser
from asic_model.memory.frame_compression import KnownTiles
from asic_model.work import encode_work


@lru_cache(maxsize=1)
def _quantiser() -> Quantiser:
    return quantiser()


# What each effort spends. Margins and weights were measured on natural clips (docs/mode_decision.md).
_EFFORTS = {
    EFFORT_FAST: Settings(
        references=1,
        partitions=7,
        shape_margin=17,
        inter_margin=16,
        intra_margin=24,
        early_skip=1,
        weight_inter=16,
        weight_intra=8,
        mode_lambda=14,
        both_transforms=0,
    ),
    EFFORT_MEDIUM: Settings(
        references=2,
        partitions=7,
        shape_margin=20,
        inter_margin=18,
        intra_margin=48,
        early_skip=1,
        weight_inter=16,
        weight_intra=8,
        mode_lambda=14,
        both_transforms=1,
    ),
    EFFORT_SLOW: Settings(
        references=4,
        partitions=7,
        shape_margin=32,
        inter_margin=24,
        intra_margin=48,
        early_skip=0,
        weight_inter=15,
        weight_intra=8,
        mode_lambda=14,
        both_transforms=1,
    ),
}
_CENTRES_EXTRA = {EFFORT_FAST: -1, EFFORT_MEDIUM: 0, EFFORT_SLOW: 2}


def _settings(effort: int, ref_count: int) -> Settings:
    settings = _EFFORTS[effort]
    return settings._replace(references=min(settings.references, ref_count))


def _search_settings(cfg: MotionSearchConfig, job: EncodeJob) -> SearchSettings:
    return SearchSettings(
        range_x=cfg.range_x,
        range_y=cfg.range_y,
        centres=max(1, cfg.centres + _CENTRES_EXTRA[job.effort]),
        radius=cfg.radius,
        radius_parts=0 if job.effort == EFFORT_FAST else cfg.radius_parts,
        temporal=int(job.motion_in_address != 0),
        lambda_motion=int(MOTION_LAMBDA[job.qp]),
    )


def slice_rows(mb_height: int, slices: int) -> np.ndarray:
    """int32[mb_height]: slice number of each macroblock row; rows are shared out evenly."""
    return (np.arange(mb_height, dtype=np.int32) * slices // mb_height).astype(np.int32)


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


def _slice_header(job: EncodeJob, first_mb: int, references: int) -> tuple[bytes, int]:
    """Slice header bits. SPS and PPS are as the driver writes them: QP 26, one reference by default."""
    sps = Sps(
        log2_max_frame_num_minus4=job.log2_max_frame_num - 4,
        pic_order_cnt_type=0 if job.log2_max_poc_lsb else 2,
        log2_max_pic_order_cnt_lsb_minus4=max(job.log2_max_poc_lsb - 4, 0),
        pic_width_in_mbs_minus1=job.mb_width - 1,
        pic_height_in_map_units_minus1=job.mb_height - 1,
    )
    pps = Pps(entropy_coding_mode_flag=job.entropy == CABAC, deblocking_filter_control_present_flag=True)
    header = SliceHeader(
        nal_unit_type=NAL_IDR_SLICE if job.idr else NAL_SLICE,
        nal_ref_idc=job.nal_ref_idc,
        first_mb_in_slice=first_mb,
        slice_type=job.slice_type,
        frame_num=job.frame_num,
        idr_pic_id=job.idr_pic_id,
        pic_order_cnt_lsb=job.poc_lsb,
        num_ref_idx_l0_active_minus1=max(references - 1, 0),
        cabac_init_idc=job.cabac_init_idc,
        slice_qp_delta=job.qp - 26,
        disable_deblocking_filter_idc=job.deblock_disable,
        slice_alpha_c0_offset_div2=job.deblock_alpha,
        slice_beta_offset_div2=job.deblock_beta,
    )
    return write_slice_header(header, sps, pps)


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


def _references(memory: np.ndarray, job: EncodeJob, count: int) -> tuple[References, tuple[Plane, ...]]:
    """The first `count` references as mode decision and motion search read them; kernels want four, so one repeats."""
    reconstruction = job.reconstruction
    surfaces = job.references[:count] or [reconstruction]
    if count:
        pictures = [reference_picture(memory, surface) for surface in surfaces]
    else:
        nothing = np.zeros(GUARD_BYTES, np.uint8)
        pictures = [ReferencePicture(ReferencePlanes(nothing, 0, 1, 1), Plane(nothing, 0, 1))]
    numbers = [min(index, len(pictures) - 1) for index in range(REFERENCES_MAX)]
    chroma = np.array([[surfaces[n].cb_address, surfaces[n].cr_address] for n in numbers], np.int64)
    luma = tuple(pictures[n].luma for n in numbers)
    references = References(
        luma, memory, chroma, reconstruction.chroma_pitch, job.coded_width // 2, job.coded_height // 2
    )
    return references, tuple(pictures[n].quarter for n in numbers)


def _deblock(memory: np.ndarray, job: EncodeJob, mbs: Macroblocks, work: np.ndarray) -> None:
    """Filter the reconstruction in place."""
    if job.deblock_disable == 1:
        return
    slices = deblock.allocate_slices(job.slices)
    slices.disable[:] = job.deblock_disable
    slices.alpha_offset[:], slices.beta_offset[:] = 2 * job.deblock_alpha, 2 * job.deblock_beta
    slices.cb_offset[:] = slices.cr_offset[:] = job.chroma_qp_offset
    slices.pictures[:] = np.arange(slices.pictures.shape[2])
    count = job.mb_width * job.mb_height
    recon = job.reconstruction
    planes = deblock.Planes(
        memory, recon.address, recon.pitch, recon.cb_address, recon.cr_address, recon.chroma_pitch, 1
    )
    edges = np.zeros(count, np.uint8)
    deblock.deblock_picture(
        planes, mbs, slices, deblock.allocate_scratch(count), job.mb_width, job.mb_height, 0, 1, edges
    )
    work["deblock_edges"] = edges


def _slice_parameters(job: EncodeJob, first_mb: int, count: int, references: int) -> SliceParameters:
    return SliceParameters(
        first_mb=first_mb,
        mb_count=count,
        mb_width=job.mb_width,
        slice_type=job.slice_type,
        qp=job.qp,
        cabac=int(job.entropy == CABAC),
        cabac_init_idc=job.cabac_init_idc,
        transform_8x8_mode=job.transform_8x8,
        num_ref_idx_l0=max(references, 1),
    )


def _write_slices(
    memory: np.ndarray, job: EncodeJob, mbs: Macroblocks, rows: np.ndarray, references: int, work: np.ndarray
) -> int:
    """Write all slices; return the bytes written, -1 when they do not fit."""
    scratch = entropy.entropy_scratch(len(work))
    position, limit = job.out_address, job.out_address + job.out_capacity
    nal_header = header_byte(job.nal_ref_idc, NAL_IDR_SLICE if job.idr else NAL_SLICE)
    for number in range(job.slices):
        own = np.flatnonzero(rows == number)
        parameters = _slice_parameters(job, int(own[0]) * job.mb_width, len(own) * job.mb_width, references)
        header, bits = _slice_header(job, parameters.first_mb, references)
        position = entropy.write_slice(
            mbs, parameters, scratch, work, header, bits, nal_header, memory, position, limit
        )
        if position < 0:
            return -1
    return position - job.out_address


def cost(
    memory: np.ndarray | KnownTiles, job: EncodeJob, cfg: EncodeCoreConfig, work: np.ndarray, _facts: Facts
) -> tuple[np.ndarray, np.ndarray]:
    """Return (cycles int64[n, stages], REQUEST rows) of a picture whose work record is known."""
    references = _settings(job.effort, job.ref_count if job.slice_type == SLICE_P else 0).references
    return stage_cycles(cfg, job, work), memory_requests(memory, cfg, job, references, work)


def run(memory: np.ndarray, job: EncodeJob, cfg: EncodeCoreConfig) -> CoreResult:
    """Encode one picture; samples and slices are in `memory` (uint8[...]) when this returns."""
    name = bad_field(job, memory.size)
    if name is not None:
        return _refused(name)
    count = job.mb_width * job.mb_height
    inter = job.slice_type == SLICE_P
    settings = _settings(job.effort, job.ref_count if inter else 0)
    quantiser = _quantiser()
    mbs = allocate(count)
    source = _load_source(memory, job)
    current = Plane(source.data, 0, source.stride)
    references, quarters = _references(memory, job, settings.references)
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
        p_slice=int(inter),
        cabac=int(job.entropy == CABAC),
        context_table=1 + job.cabac_init_idc if inter else 0,
        qp=job.qp,
        chroma_offset=job.chroma_qp_offset,
        transform_8x8=job.transform_8x8,
        references=settings.references,
        effort=job.effort,
    )
    code_picture(
        parameters, macroblock_state(), quantiser, settings, _search_settings(cfg.motion_search, job),
        _slice_parameters(job, 0, count, settings.references), entropy.entropy_scratch(count), mbs,
        mbs.levels.reshape(-1), Coded(np.zeros(count, np.uint8), np.zeros(count, np.uint8)), references, quarters,
        search_results(settings.references, count), source, current_quarter, current, recon, rows, qp_map,
        motion.read(memory, job.motion_in_address if inter else 0, count), work,
    )  # fmt: skip
    _deblock(memory, job, mbs, work)
    size = _write_slices(memory, job, mbs, rows, settings.references, work)
    if job.motion_out_address:
        motion.write(memory, job.motion_out_address, mbs)
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
