"""The macroblock loop of one picture: motion search a row ahead, then decision after decision."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.cabac_contexts import CONTEXTS, initial_states
from asic_model.engines.lagrangian import MOTION_LAMBDA
from asic_model.engines.mode_decision.decide import begin, commit, decide_inter, decide_intra
from asic_model.engines.mode_decision.inter import Motion
from asic_model.engines.mode_decision.rate import set_bin_costs
from asic_model.engines.mode_decision.state import (
    R_CABAC,
    R_EFFORT,
    R_INTRA_BLOCKS,
    R_P_SLICE,
    R_REFERENCES,
    R_SATD_BLOCKS,
    R_TRANSFORM_BLOCKS,
    R_TRIALS,
    REGISTERS,
    T_SSD,
)
from asic_model.engines.motion_search import SearchSettings, search_row
from asic_model.kernel_cache import kernel

INTER_TYPES_FROM = 4  # mb_type codes below are intra


class SearchArrays(NamedTuple):
    """Results of the searches.

    whole   int16[references, n, 9, 2]  whole-sample vectors
    cost    int32[references, n, 9]     their SAD costs
    vectors int32[references, 9, 2]     fractional search, current macroblock
    costs   int32[references, 9]
    chosen  int64[9]                    best reference by partition
    best    int32[2, 16]                scratch
    """

    whole: np.ndarray
    cost: np.ndarray
    vectors: np.ndarray
    costs: np.ndarray
    chosen: np.ndarray
    best: np.ndarray


def search_arrays(references: int, count: int) -> SearchArrays:
    """Return arrays for `count` macroblocks."""
    references = max(references, 1)
    return SearchArrays(
        whole=np.zeros((references, count, 9, 2), np.int16),
        cost=np.zeros((references, count, 9), np.int32),
        vectors=np.zeros((references, 9, 2), np.int32),
        costs=np.zeros((references, 9), np.int32),
        chosen=np.zeros(9, np.int64),
        best=np.zeros((2, 16), np.int32),
    )


class PictureParameters(NamedTuple):
    """Scalars of the picture; all int."""

    mb_width: int
    mb_height: int
    p_slice: int
    cabac: int
    context_table: int  # row of CABAC_MN: 0 I, 1 + cabac_init_idc
    qp: int
    chroma_offset: int
    references: int
    effort: int


@kernel
def code_picture(
    p, t, q, settings, search_settings, mbs, levels, coded, references, quarters, search, source, source_quarter,
    current, recon, slice_of_row, qp_map, colocated, work,
):  # fmt: skip
    """Decide and reconstruct (not deblocked) all macroblocks.

    p              : PictureParameters
    settings       : mode_decision Settings; search_settings: motion_search SearchSettings
    levels         : mbs.levels seen flat
    references     : mode_decision References; quarters: tuple of their Planes at 1/4 resolution
    source         : Samples at coded size; current, source_quarter: its luma and that at 1/4 resolution as Plane
    recon          : Samples, the reconstructed picture
    slice_of_row   : int32[mb_height]
    qp_map         : int8[n] offsets, or int8[0]
    colocated      : int16[n, 2], see motion_search
    """
    registers = np.zeros(REGISTERS, np.int64)
    registers[R_P_SLICE], registers[R_CABAC] = p.p_slice, p.cabac
    registers[R_REFERENCES], registers[R_EFFORT] = p.references, p.effort
    motion = Motion(mbs.slice_id, mbs.ref_idx, mbs.mv, mbs.mvd, p.mb_width)
    states = np.empty(CONTEXTS, np.uint8)
    initial_states(states, p.context_table, p.qp)
    set_bin_costs(t.costs, states)
    scratch = np.empty(32 * 24, np.uint8)
    previous_qp = np.int64(p.qp)
    for mb_y in range(p.mb_height):
        if mb_y == 0 or slice_of_row[mb_y] != slice_of_row[mb_y - 1]:
            previous_qp = np.int64(p.qp)
            work[mb_y * p.mb_width].slice_start = 1
        if p.p_slice:
            for ref in range(p.references):
                search_row(
                    mb_y, p.mb_width, p.mb_height, current, source_quarter, references.luma[ref], quarters[ref],
                    colocated, search_settings, search.whole[ref], search.cost[ref], work,
                )  # fmt: skip
        for mb_x in range(p.mb_width):
            mb = mb_y * p.mb_width + mb_x
            mbs.slice_id[mb] = slice_of_row[mb_y]
            qp = np.int64(p.qp)
            if qp_map.size:
                qp = min(max(qp + np.int64(qp_map[mb]), 0), 51)
            begin(registers, t, mbs, motion, coded, mb, p.mb_width, p.mb_height, qp, previous_qp, p.chroma_offset)
            source_y = source.y + 16 * mb_y * source.stride + 16 * mb_x
            source_u = source.u + 8 * mb_y * source.chroma_stride + 8 * mb_x
            source_v = source.v + 8 * mb_y * source.chroma_stride + 8 * mb_x
            if p.p_slice:
                slot = decide_inter(
                    t, registers, q, settings, mbs, motion, references, scratch, search.whole, search, source.data,
                    source_y, source_u, source_v, source.stride, source.chroma_stride, recon,
                )  # fmt: skip
            else:
                slot = decide_intra(
                    t, registers, q, mbs, source.data, source_y, source_u, source_v, source.stride,
                    source.chroma_stride, recon,
                )  # fmt: skip
            previous_qp = commit(
                t, registers, slot, previous_qp, mbs, levels, motion, coded, source.data, source_y, source_u,
                source_v, source.stride, source.chroma_stride, recon,
            )  # fmt: skip
            row = work[mb]
            row.mb_type = mbs.mb_type[mb]
            row.fractional_search_blocks = min(registers[R_SATD_BLOCKS], 65535)
            row.intra_prediction_blocks = min(registers[R_INTRA_BLOCKS], 65535)
            row.mode_decision_trials = min(registers[R_TRIALS], 255)
            row.transform_blocks = min(registers[R_TRANSFORM_BLOCKS], 65535)
            row.inter_prediction_x = mbs.mv[mb, 0, 0, 0]
            row.inter_prediction_y = mbs.mv[mb, 0, 0, 1]
            row.inter_prediction_ref = mbs.ref_idx[mb, 0, 0]
