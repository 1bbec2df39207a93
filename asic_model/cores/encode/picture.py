"""The macroblock loop of one picture: motion search a row ahead, then decision after decision."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.cabac_contexts import initial_states
from asic_model.codecs.h264.macroblock import I_16X16, I_PCM
from asic_model.engines.entropy.cabac import follow_macroblocks
from asic_model.engines.mode_decision.bipredictive import decide_bipredictive, try_direct
from asic_model.engines.mode_decision.commit import commit
from asic_model.engines.mode_decision.decide import decide_inter, decide_intra, try_skip
from asic_model.engines.mode_decision.inter import Motion
from asic_model.engines.mode_decision.load import begin, surround
from asic_model.engines.mode_decision.rate import set_bin_costs
from asic_model.engines.mode_decision.state import LIST_1, SLICE_P, SLOT_SKIP, T_RATE
from asic_model.engines.motion_search import PARTITIONS, WHOLE, search_row
from asic_model.kernel_cache import inlined, kernel
from asic_model.simd.compare import ssd_16xn

I_PCM_RATE = 3200 << 8  # 1/256 bit: A.3.1 (j), what an I_PCM macroblock takes at most
LIMIT_RUN_MBS = 8  # so often a picture with a limit looks at what it has spent
CONTEXT_LAG_MBS = 8  # the entropy engine is this far behind mode decision when a row begins


class SearchResults(NamedTuple):
    """What motion_search found.

    vectors int16[references, n, 9, 2]  whole samples
    costs   int32[references, n, 9]     SAD + lambda * bits
    """

    vectors: np.ndarray
    costs: np.ndarray


def search_results(references: int, count: int) -> SearchResults:
    """Return arrays for `count` macroblocks, not cleared."""
    shape = (max(references, 1), count, PARTITIONS)
    return SearchResults(np.empty((*shape, 2), np.int16), np.empty(shape, np.int32))


class PictureParameters(NamedTuple):
    """Scalars of the picture; all int."""

    mb_width: int
    mb_height: int
    slice_type: int
    cabac: int
    context_table: int  # row of CABAC_MN: 0 I, 1 + cabac_init_idc
    qp: int
    chroma_offset: int
    transform_8x8: int
    references: int  # of list 0
    references_l1: int
    direct_temporal: int
    max_bits: int  # 0: no limit


@kernel
def _begin_picture(p, t):
    t.slice_type, t.cabac, t.transform_8x8 = p.slice_type, p.cabac, p.transform_8x8
    t.ref_counts[0], t.ref_counts[1] = p.references, p.references_l1


@inlined
def _begin_row(p, t, entropy, scratch, mbs, slice_of_row, work, mb_y, followed, followed_qp, after_delta):
    """Rates of a row: contexts from the start of its slice, or as the entropy engine has left them so far.

    Returns (macroblocks whose bins the contexts have seen, QP and whether it changed, of the last of them).
    """
    row_start = mb_y * p.mb_width
    if mb_y == 0 or slice_of_row[mb_y] != slice_of_row[mb_y - 1]:
        work[row_start].slice_start = 1
        initial_states(scratch.states, p.context_table, p.qp)
        set_bin_costs(t.costs, scratch.states)
        return np.int64(row_start), np.int64(p.qp), 0
    if p.cabac:
        end = np.int64(row_start - CONTEXT_LAG_MBS)
        if followed < end:
            followed_qp, after_delta = follow_macroblocks(
                mbs, entropy, scratch, followed, end, followed_qp, after_delta
            )  # fmt: skip
            followed = end
        set_bin_costs(t.costs, scratch.states)
    return np.int64(followed), np.int64(followed_qp), after_delta


@inlined
def _search_list(
    p, lst, mb_y, current, source_quarter, references, quarters, temporal, stretch, settings, search, work
):
    """Search a macroblock row in all references of a list.

    The first one is searched in full. Where objects are in the others follows from where they are in it: there its
    vector, stretched to the distance in time, is the candidate, and the level at 1/4 resolution is left out.
    """
    for ref in range(p.references_l1 if lst else p.references):
        place = lst * LIST_1 + ref
        if ref:
            first = search.vectors[lst * LIST_1]
            for mb in range(mb_y * p.mb_width, (mb_y + 1) * p.mb_width):
                for axis in range(2):
                    vector = (4 * np.int64(first[mb, WHOLE, axis]) * np.int64(stretch[place])) >> 8
                    temporal[place, mb, axis] = min(max(vector, -2048), 2047)
        search_row(
            mb_y, p.mb_width, p.mb_height, current, source_quarter, references.search[place], quarters[place],
            temporal[place], settings[1 if ref else 0], search.vectors[place], search.costs[place], work,
        )  # fmt: skip


@inlined
def _begin_macroblock(p, t, q, settings, mbs, source, slice_of_row, qp_map, coarser, mb, previous_qp):
    mbs.slice_id[mb] = slice_of_row[mb // p.mb_width]
    qp = np.int64(p.qp) + coarser
    if qp_map.size:
        qp += np.int64(qp_map[mb])
    qp = min(max(qp, 0), 51)
    begin(t, q, settings, mbs, source, mb, p.mb_width, p.mb_height, qp, previous_qp, p.chroma_offset)


@kernel
def _macroblock_rate(t, slot):
    """Estimated bits of the macroblock that was chosen, 1/256 bit."""
    return t.result[slot, T_RATE] if slot >= 0 else np.int64(I_PCM_RATE)


@kernel
def _coarsen(p, coarser, spent, run_spent, mb):
    """QP steps that the next macroblocks are coarser than asked for, so that the picture keeps to its limit.

    spent, run_spent : estimated so far, and in the last LIMIT_RUN_MBS macroblocks, 1/256 bit
    mb               : macroblocks so far, a multiple of LIMIT_RUN_MBS

    A step takes an eighth off the bits (2^(-1/6) = 0.89, less of the vectors' share). A sixteenth of the limit stays
    for the estimate's error; two with CAVLC, whose levels are chosen by CABAC's rates. One step back a run when
    there is room again.
    """
    if p.max_bits == 0 or mb == 0:
        return coarser
    left = ((np.int64(p.max_bits) * (14 + p.cabac)) << 4) - spent  # 1/256 bit: 256 x 15/16
    need = run_spent * (p.mb_width * p.mb_height - mb) // LIMIT_RUN_MBS
    if need <= left:
        if coarser > 0 and need * 5 <= left * 4:
            coarser -= 1
        return coarser
    while need > left and coarser < 51:
        need = (need * 7) >> 3
        coarser += 1
    return coarser


@inlined
def _account(t, mbs, work, mb):
    """What the macroblock has spent goes into its work record."""
    row = work[mb]
    row.mb_type = mbs.mb_type[mb]
    row.fractional_search_blocks = min(t.satd_blocks, 65535)
    row.intra_prediction_blocks = min(t.intra_blocks, 65535)
    row.mode_decision_trials = min(t.trials, 255)
    row.transform_blocks = min(t.transform_blocks, 65535)
    coded_blocks = 0
    if (mbs.cbp[mb] or mbs.mb_type[mb] == I_16X16) and mbs.mb_type[mb] != I_PCM:
        for block in range(24):
            coded_blocks += mbs.total_coeff[mb, block] > 0
    row.transform_coded_blocks = coded_blocks
    row.inter_prediction_x = mbs.mv[mb, 0, 0, 0]
    row.inter_prediction_y = mbs.mv[mb, 0, 0, 1]
    row.inter_prediction_ref = mbs.ref_idx[mb, 0, 0]


@kernel
def code_picture(
    p, t, q, settings, search_settings, entropy, scratch, mbs, levels, words, coded, references, quarters, search,
    source, source_quarter, current, recon, slice_of_row, qp_map, temporal, stretch, colocated, direct, work,
):  # fmt: skip
    """Decide and reconstruct (not deblocked) all macroblocks of an I or P picture.

    p              : PictureParameters
    t              : mode_decision's record; q: Quantiser with flat scaling lists
    settings       : mode_decision Settings; search_settings: two motion_search SearchSettings, for
                     the first reference of a list and for the others
    entropy        : SliceParameters as if the picture were one slice; scratch: EntropyScratch to follow the contexts
    levels         : mbs.levels seen flat; words: mode_decision `vector_words` of mbs
    references     : mode_decision References; quarters: tuple of their Planes at 1/4 resolution
    source         : Samples at coded size; current, source_quarter: its luma and that at 1/4 resolution as Plane
    recon          : Samples, the reconstructed picture
    slice_of_row   : int32[mb_height]
    qp_map         : int8[n] offsets, or int8[0]
    temporal       : int16[places, n, 2], see `motion.temporal_vectors`
    stretch        : int64[places], see `lists.ReferenceLists`
    colocated, direct : Colocated and DirectPictures, read in B pictures
    """
    _begin_picture(p, t)
    motion = Motion(mbs.slice_id, mbs.ref_idx, mbs.mv, mbs.mvd, mbs.mb_type, mbs.sub_type, p.mb_width)
    previous_qp = followed_qp = np.int64(p.qp)
    after_delta = 0
    followed = np.int64(0)
    coarser = spent = run_spent = np.int64(0)
    for mb_y in range(p.mb_height):
        followed, followed_qp, after_delta = _begin_row(
            p, t, entropy, scratch, mbs, slice_of_row, work, mb_y, followed, followed_qp, after_delta
        )
        if mb_y == 0 or slice_of_row[mb_y] != slice_of_row[mb_y - 1]:
            previous_qp = np.int64(p.qp)
        if p.slice_type == SLICE_P:
            _search_list(
                p, 0, mb_y, current, source_quarter, references, quarters, temporal, stretch, search_settings, search,
                work,
            )  # fmt: skip
        for mb in range(mb_y * p.mb_width, (mb_y + 1) * p.mb_width):
            if mb % LIMIT_RUN_MBS == 0:
                coarser = _coarsen(p, coarser, spent, run_spent, mb)
                run_spent = np.int64(0)
            _begin_macroblock(p, t, q, settings, mbs, source, slice_of_row, qp_map, coarser, mb, previous_qp)
            slot, skipped, negligible = np.int64(SLOT_SKIP), False, False
            if p.slice_type == SLICE_P:
                skipped, negligible = try_skip(t, settings, motion, references, search.costs)
            if not skipped:
                surround(t, mbs, coded, recon)
                if p.slice_type == SLICE_P:
                    slot = decide_inter(
                        t, settings, motion, references, search.vectors, search.costs, negligible
                    )  # fmt: skip
                else:
                    slot = decide_intra(t, settings)
            previous_qp = commit(t, slot, previous_qp, mbs, levels, words, motion, coded, recon)
            rate = _macroblock_rate(t, slot)
            spent, run_spent = spent + rate, run_spent + rate
            _account(t, mbs, work, mb)


@kernel
def code_bipredictive_picture(
    p, t, q, settings, search_settings, entropy, scratch, mbs, levels, words, coded, references, quarters, search,
    source, source_quarter, current, recon, slice_of_row, qp_map, temporal, stretch, colocated, direct, work,
):  # fmt: skip
    """As `code_picture`, for a B picture. A kernel of its own: who codes no B pictures does not compile it."""
    _begin_picture(p, t)
    motion = Motion(mbs.slice_id, mbs.ref_idx, mbs.mv, mbs.mvd, mbs.mb_type, mbs.sub_type, p.mb_width)
    previous_qp = followed_qp = np.int64(p.qp)
    after_delta = 0
    followed = np.int64(0)
    coarser = spent = run_spent = np.int64(0)
    for mb_y in range(p.mb_height):
        followed, followed_qp, after_delta = _begin_row(
            p, t, entropy, scratch, mbs, slice_of_row, work, mb_y, followed, followed_qp, after_delta
        )
        if mb_y == 0 or slice_of_row[mb_y] != slice_of_row[mb_y - 1]:
            previous_qp = np.int64(p.qp)
        for lst in range(2):
            _search_list(
                p, lst, mb_y, current, source_quarter, references, quarters, temporal, stretch, search_settings,
                search, work,
            )  # fmt: skip
        for mb in range(mb_y * p.mb_width, (mb_y + 1) * p.mb_width):
            if mb % LIMIT_RUN_MBS == 0:
                coarser = _coarsen(p, coarser, spent, run_spent, mb)
                run_spent = np.int64(0)
            _begin_macroblock(p, t, q, settings, mbs, source, slice_of_row, qp_map, coarser, mb, previous_qp)
            slot = np.int64(SLOT_SKIP)
            skipped, negligible = try_direct(
                t, settings, motion, references, search.costs, colocated, direct, p.direct_temporal
            )
            if not skipped:
                surround(t, mbs, coded, recon)
                slot = decide_bipredictive(
                    t, settings, motion, references, search.vectors, search.costs, negligible
                )  # fmt: skip
            previous_qp = commit(t, slot, previous_qp, mbs, levels, words, motion, coded, recon)
            rate = _macroblock_rate(t, slot)
            spent, run_spent = spent + rate, run_spent + rate
            _account(t, mbs, work, mb)


@kernel
def squared_error(memory, offset, stride, source, source_offset, source_stride, width, height):
    """Sum of squared differences of two planes of `width` x `height` samples."""
    total = np.int64(0)
    whole_x, whole_y = width & ~15, height & ~15
    for y in range(0, whole_y, 16):
        at, other = offset + y * stride, source_offset + y * source_stride
        for x in range(0, whole_x, 16):
            total += ssd_16xn(memory, at + x, stride, source, other + x, source_stride, 16)
    for y in range(height):
        at, other = offset + y * stride, source_offset + y * source_stride
        for x in range(whole_x if y < whole_y else 0, width):
            difference = np.int64(memory[at + x]) - np.int64(source[other + x])
            total += difference * difference
    return total
