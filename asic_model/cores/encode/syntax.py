"""Slice headers of a job, and the writing of its slices."""

import numpy as np

from asic_model.codecs.h264.macroblock import Macroblocks
from asic_model.codecs.h264.nal import NAL_IDR_SLICE, NAL_SLICE, header_byte
from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.slice_header import DecRefPicMarking, PredWeightTable, SliceHeader, write_slice_header
from asic_model.cores.encode.job import CABAC, SLICE_B, SLICE_I, SLICE_P, EncodeJob
from asic_model.cores.encode.lists import ReferenceLists
from asic_model.engines import entropy
from asic_model.engines.entropy import EntropyScratch, SliceParameters

WEIGHTED_P, IMPLICIT_B = 1, 2  # bits of `weighted`


def slice_rows(mb_height: int, slices: int) -> np.ndarray:
    """int32[mb_height]: slice number of each macroblock row; rows are shared out evenly."""
    return (np.arange(mb_height, dtype=np.int32) * slices // mb_height).astype(np.int32)


def _modifications(job: EncodeJob) -> list[list[tuple[int, int]]]:
    """ref_pic_list_modification() that spells out the job's lists (8.2.4.3.1)."""
    largest = 1 << job.log2_max_frame_num
    result: list[list[tuple[int, int]]] = [[], []]
    for lst, entries in enumerate(job.lists):
        if not (job.modify_lists >> lst) & 1:
            continue
        predicted = job.frame_num
        for reference in entries:
            difference = (reference.frame_num - predicted) % largest
            # 0 stands for a whole turn: the same number again cannot be meant
            result[lst].append((1, difference - 1) if difference else (0, largest - 1))
            predicted = reference.frame_num
    return result


def _weight_table(job: EncodeJob, lists: ReferenceLists) -> PredWeightTable | None:
    if not (job.slice_type == SLICE_P and job.weighted & WEIGHTED_P):
        return None
    found = PredWeightTable(
        luma_log2_weight_denom=int(lists.weights[0, 0, 2]), chroma_log2_weight_denom=int(lists.weights[0, 1, 2])
    )
    for number in range(job.ref_count):
        luma, cb, cr = ((int(w), int(o)) for w, o, _ in lists.weights[number])
        plain = (1 << found.chroma_log2_weight_denom, 0)
        given = bool(lists.weighted[number])
        found.luma[0].append(luma if given and luma != (1 << found.luma_log2_weight_denom, 0) else None)
        found.chroma[0].append((cb, cr) if given and (cb, cr) != (plain, plain) else None)
    return found


def _slice_header(job: EncodeJob, lists: ReferenceLists, first_mb: int) -> tuple[bytes, int]:
    """Slice header bits. SPS and PPS are as the driver writes them: QP 26, one reference by default."""
    sps = Sps(
        log2_max_frame_num_minus4=job.log2_max_frame_num - 4,
        pic_order_cnt_type=0 if job.log2_max_poc_lsb else 2,
        log2_max_pic_order_cnt_lsb_minus4=max(job.log2_max_poc_lsb - 4, 0),
        pic_width_in_mbs_minus1=job.mb_width - 1,
        pic_height_in_map_units_minus1=job.mb_height - 1,
    )
    pps = Pps(
        entropy_coding_mode_flag=job.entropy == CABAC,
        deblocking_filter_control_present_flag=True,
        weighted_pred_flag=bool(job.weighted & WEIGHTED_P),
        weighted_bipred_idc=2 if job.weighted & IMPLICIT_B else 0,
    )
    unmarked = (job.unmark_0, job.unmark_1, job.unmark_2, job.unmark_3)[: job.unmark_count]
    header = SliceHeader(
        nal_unit_type=NAL_IDR_SLICE if job.idr else NAL_SLICE,
        nal_ref_idc=job.nal_ref_idc,
        first_mb_in_slice=first_mb,
        slice_type=job.slice_type,
        frame_num=job.frame_num,
        idr_pic_id=job.idr_pic_id,
        pic_order_cnt_lsb=job.poc_lsb,
        direct_spatial_mv_pred_flag=not job.direct_temporal,
        num_ref_idx_l0_active_minus1=max(job.ref_count - 1, 0) if job.slice_type != SLICE_I else 0,
        num_ref_idx_l1_active_minus1=max(job.ref_l1_count - 1, 0) if job.slice_type == SLICE_B else 0,
        ref_pic_list_modification=_modifications(job),
        pred_weight_table=_weight_table(job, lists),
        dec_ref_pic_marking=DecRefPicMarking(
            adaptive_ref_pic_marking_mode_flag=bool(unmarked), operations=[(1, number) for number in unmarked]
        ),
        cabac_init_idc=job.cabac_init_idc,
        slice_qp_delta=job.qp - 26,
        disable_deblocking_filter_idc=job.deblock_disable,
        slice_alpha_c0_offset_div2=job.deblock_alpha,
        slice_beta_offset_div2=job.deblock_beta,
    )
    return write_slice_header(header, sps, pps)


def slice_parameters(job: EncodeJob, first_mb: int, count: int) -> SliceParameters:
    """What the entropy engine must know about one slice."""
    return SliceParameters(
        first_mb=first_mb,
        mb_count=count,
        mb_width=job.mb_width,
        slice_type=job.slice_type,
        qp=job.qp,
        cabac=int(job.entropy == CABAC),
        cabac_init_idc=job.cabac_init_idc,
        transform_8x8_mode=job.transform_8x8,
        num_ref_idx_l0=max(job.ref_count, 1),
        num_ref_idx_l1=max(job.ref_l1_count, 1),
    )


def write_slices(
    memory: np.ndarray, job: EncodeJob, lists: ReferenceLists, mbs: Macroblocks, scratch: EntropyScratch,
    rows: np.ndarray, work: np.ndarray,
) -> int:  # fmt: skip
    """Write all slices; return the bytes written, -1 when they do not fit. `scratch` has the bins that are known."""
    position, limit = job.out_address, job.out_address + job.out_capacity
    nal_header = header_byte(job.nal_ref_idc, NAL_IDR_SLICE if job.idr else NAL_SLICE)
    for number in range(job.slices):
        own = np.flatnonzero(rows == number)
        parameters = slice_parameters(job, int(own[0]) * job.mb_width, len(own) * job.mb_width)
        header, bits = _slice_header(job, lists, parameters.first_mb)
        position = entropy.write_slice(
            mbs, parameters, scratch, work, header, bits, nal_header, memory, position, limit
        )
        if position < 0:
            return -1
    return position - job.out_address
