"""CABAC slices: the macroblock layer over `binarization` and `arithmetic` (H.264 7.3.4, 7.3.5, 9.3).

As in hardware the binariser and the arithmetic coder are two stages with a queue between them: a macroblock's bins go
to `symbols`, then through `arithmetic.encode_symbols`.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CAT_CHROMA_AC,
    CAT_CHROMA_DC,
    CAT_I16_AC,
    CAT_I16_DC,
    CAT_LUMA_4X4,
    CAT_LUMA_8X8,
    CTX_CODED_BLOCK_FLAG,
    CTX_MB_SKIP_B,
    CTX_MB_SKIP_P,
    CTX_TERMINATE,
    CTX_TRANSFORM_8X8,
    NEXT_STATE,
    initial_states,
)
from asic_model.codecs.h264.macroblock import (
    B_DIRECT_16X16,
    B_SKIP,
    I_4X4,
    I_8X8,
    I_16X16,
    I_PCM,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    LEVELS_CB_AC,
    LEVELS_CB_DC,
    LEVELS_LUMA_DC,
    P_SKIP,
    SUB_4X4,
    SUB_4X8,
    SUB_8X4,
    SUB_8X8,
    SUB_DIRECT,
)
from asic_model.codecs.h264.motion_prediction import MotionField
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y
from asic_model.engines.entropy.arithmetic import encode_symbols, flush
from asic_model.engines.entropy.binarization import (
    B_SUB_TYPES,
    B_TYPES,
    CHROMA_MODES,
    INTRA_MODES,
    INTRA_TYPES,
    P_SUB_TYPES,
    P_TYPES,
    put_bin,
    put_block,
    put_cbp,
    put_partition_mvd,
    put_qp_delta,
    put_ref_idx,
    put_string,
)
from asic_model.engines.entropy.elements import (
    B_SUB_TYPE,
    BLOCK_INDEX,
    FAULT_QP,
    FAULT_SKIP_MV,
    OUTPUT_FULL,
    TRANSFORM_8X8_BIT,
    UNCODABLE,
    b_mb_type,
    clear_differences,
    i_mb_type,
    intra_mode_element,
    may_use_8x8,
    neighbour_available,
    prediction_code,
    set_differences,
    skip_fault,
    type_fault,
)
from asic_model.kernel_cache import inlined, kernel
from asic_model.simd.bits import nonzero_mask_16, nonzero_mask_64

_ALL_CODED = (1 << 27) - 1


@kernel
def _refers_beyond_first(ref_idx, mb_types, sub_type, other, lst, quadrant):
    """condTermFlag of ref_idx (9.3.3.1.1.6): the neighbour's index is above 0 and was coded, not derived."""
    if other < 0 or ref_idx[other, lst, quadrant] <= 0:
        return 0
    mb_type = mb_types[other]
    if mb_type in (B_SKIP, B_DIRECT_16X16):
        return 0
    return 0 if mb_type == INTER_8X8 and sub_type[other, quadrant] == SUB_DIRECT else 1


@kernel
def _put_motion(sym, n, mb_types, sub_type, ref_idx, mvd, mb, left_mb, up_mb, b_slice, refs_l0, refs_l1):
    """Sub-macroblock types, reference indices and vector differences of an inter macroblock."""
    mb_type = mb_types[mb]
    lists = 2 if b_slice else 1
    if mb_type == INTER_8X8:
        for quadrant in range(4):
            sub = np.int64(sub_type[mb, quadrant])
            if b_slice:
                code = np.int64(B_SUB_TYPE[sub, max(0, prediction_code(ref_idx, mb, quadrant))])
                n = put_string(sym, n, B_SUB_TYPES, code, 0)
            else:
                n = put_string(sym, n, P_SUB_TYPES, sub, 0)
    # 8x8 quadrants that begin a partition
    step = 4 if mb_type == INTER_16X16 else (2 if mb_type == INTER_16X8 else 1)
    end = 2 if mb_type == INTER_8X16 else 4
    for lst in range(lists):
        if (refs_l1 if lst else refs_l0) > 1:
            for quadrant in range(0, end, step):
                ref = np.int64(ref_idx[mb, lst, quadrant])
                if ref < 0 or (mb_type == INTER_8X8 and sub_type[mb, quadrant] == SUB_DIRECT):
                    continue
                other = mb if quadrant & 1 else left_mb
                inc = _refers_beyond_first(ref_idx, mb_types, sub_type, other, lst, quadrant ^ 1)
                other = mb if quadrant & 2 else up_mb
                inc += 2 * _refers_beyond_first(ref_idx, mb_types, sub_type, other, lst, quadrant ^ 2)
                n = put_ref_idx(sym, n, ref, inc)
    for lst in range(lists):
        for quadrant in range(0, end, step):
            if ref_idx[mb, lst, quadrant] < 0:
                continue
            sub = np.int64(sub_type[mb, quadrant]) if mb_type == INTER_8X8 else SUB_8X8
            if sub == SUB_DIRECT:
                continue
            x, y = (quadrant & 1) * 2, quadrant & 2
            for part in range(4):  # sub-macroblock partitions that begin at 4x4 block `part` of the quadrant
                begins = part == 0 or sub == SUB_4X4 or (part == 1 and sub == SUB_4X8) or (part == 2 and sub == SUB_8X4)
                if begins:
                    n = put_partition_mvd(sym, n, mvd, mb, left_mb, up_mb, lst, x + (part & 1), y + (part >> 1))
    return n


@kernel
def _put_coded_block(sym, n, block, first, count, flags, field, cat):
    """coded_block_flag, and the block when it is set. Returns (n, flag).

    flags : transBlockA's flag in bit 0, transBlockB's in bit 1
    """
    mask = (nonzero_mask_16(block, 0) >> first) & ((1 << count) - 1)
    flag = 1 if mask != 0 else 0
    n = put_bin(sym, n, CTX_CODED_BLOCK_FLAG[cat] + flags, flag)
    if flag:
        n = put_block(sym, n, block, first, count, mask, field, cat)
    return n, flag


@inlined
def _put_residual(sym, n, levels, mb, field, i16, eights, cbp, left, up):
    """All residual blocks of a macroblock. Returns (n, its `coded` bits).

    left, up : `coded` bits of the neighbours, as 9.3.3.1.1.9 sees unavailable ones
    """
    coded = np.int64(0)
    first = 1 if i16 else 0
    cat = CAT_I16_AC if i16 else CAT_LUMA_4X4
    for k in range(27):
        # in coding order: luma DC, luma 0..15, Cb DC, Cr DC, Cb AC 0..3, Cr AC 0..3; `bit`: the block's in `coded`
        begin, count, kind = 0, 16, cat
        if k == 0:
            if not i16:
                continue
            row, bit, kind = LEVELS_LUMA_DC, 24, CAT_I16_DC
            flags = ((left >> 24) & 1) | ((up >> 23) & 2)
        elif k <= 16:
            row = bit = k - 1
            if not (cbp >> (row >> 2)) & 1:
                continue
            if eights:
                if row & 3 == 0:
                    quad = levels[mb, row : row + 4].reshape(64)
                    n = put_block(sym, n, quad, 0, 64, nonzero_mask_64(quad, 0), field, CAT_LUMA_8X8)
                    coded |= 15 << row
                continue
            x, y = np.int64(BLOCK_X[row]), np.int64(BLOCK_Y[row])
            near_left = np.int64(BLOCK_INDEX[y * 4 + ((x - 1) & 3)])
            near_up = np.int64(BLOCK_INDEX[((y - 1) & 3) * 4 + x])
            flags = (((coded if x else left) >> near_left) & 1) | ((((coded if y else up) >> near_up) & 1) << 1)
            begin, count = first, 16 - first
        elif k <= 18:
            if not cbp >> 4:
                continue
            row, bit, count, kind = k - 17 + LEVELS_CB_DC, k + 8, 4, CAT_CHROMA_DC
            flags = ((left >> bit) & 1) | (((up >> bit) & 1) << 1)
        else:
            if not cbp >> 5:
                continue
            # 0..3 of a plane in raster order: the left neighbour differs in bit 0, the upper one in bit 1
            row, bit, begin, count, kind = k - 19 + LEVELS_CB_AC, k - 3, 1, 15, CAT_CHROMA_AC
            flags = ((coded if bit & 1 else left) >> (bit ^ 1)) & 1
            flags |= (((coded if bit & 2 else up) >> (bit ^ 2)) & 1) << 1
        n, flag = _put_coded_block(sym, n, levels[mb, row], begin, count, flags, field, kind)
        coded |= flag << bit
    return n, coded


@kernel
def _is_skip(mb_type):
    return mb_type in (P_SKIP, B_SKIP)


@kernel
def _put_mb_type(sym, n, mb_types, ref_idx, mb, left_mb, up_mb, slice_type, mode, cbp):
    """mb_type in any slice; mode: Intra16x16PredMode."""
    mb_type = np.int64(mb_types[mb])
    intra = mb_type <= I_PCM
    inc = 0
    if slice_type == 0:
        order = mb_type - INTER_16X16
        n = put_string(sym, n, P_TYPES, np.int64(4) if intra else order, 0)
    elif slice_type == 1:
        if left_mb >= 0:
            inc += 0 if mb_types[left_mb] in (B_SKIP, B_DIRECT_16X16) else 1
        if up_mb >= 0:
            inc += 0 if mb_types[up_mb] in (B_SKIP, B_DIRECT_16X16) else 1
        n = put_string(sym, n, B_TYPES, np.int64(23) if intra else b_mb_type(ref_idx, mb, mb_type), inc)
        inc = 0
    else:
        if left_mb >= 0:
            inc += 0 if mb_types[left_mb] in (I_4X4, I_8X8) else 1
        if up_mb >= 0:
            inc += 0 if mb_types[up_mb] in (I_4X4, I_8X8) else 1
    if intra:
        number = i_mb_type(mb_type, mode, cbp)
        n = put_string(sym, n, INTRA_TYPES, number + (0 if slice_type == 2 else 26 * (1 + slice_type)), inc)
    return n


@inlined
def _put_macroblock(mbs, p, s, sym, mb, qp, after_delta):
    """Bins of one macroblock to `sym`, end_of_slice_flag left aside. Returns (count or UNCODABLE, qp, after_delta).

    qp, after_delta : QPY of the previous macroblock, and whether it sent a difference
    """
    n = 0
    mb_types = mbs.mb_type
    left_mb = mb - 1
    if mb % p.mb_width == 0 or not neighbour_available(mbs.slice_id, mb, left_mb):
        left_mb = -1
    up_mb = mb - p.mb_width
    if not neighbour_available(mbs.slice_id, mb, up_mb):
        up_mb = -1
    mb_type = np.int64(mb_types[mb])
    cbp = np.int64(mbs.cbp[mb])
    intra = mb_type <= I_PCM
    motion = MotionField(mbs.slice_id, mbs.ref_idx, mbs.mv)
    s.fault[0] = mb
    s.fault[1] = type_fault(mb_type, cbp, mbs.transform_8x8[mb] != 0, p.slice_type, p.transform_8x8_mode)
    if s.fault[1]:
        return UNCODABLE, qp, after_delta

    if p.slice_type != 2:
        clear_differences(mbs.mvd, mb, 2 if p.slice_type == 1 else 1)
        inc = 0
        if left_mb >= 0 and not _is_skip(mb_types[left_mb]):
            inc += 1
        if up_mb >= 0 and not _is_skip(mb_types[up_mb]):
            inc += 1
        skipped = _is_skip(mb_type)
        n = put_bin(sym, n, (CTX_MB_SKIP_B if p.slice_type == 1 else CTX_MB_SKIP_P) + inc, 1 if skipped else 0)
        if skipped:
            s.coded[mb] = 0
            s.cbp[mb] = 0
            if mbs.qp[mb] != qp:
                s.fault[1] = FAULT_QP
            elif mb_type == P_SKIP and skip_fault(motion, p.mb_width, mb):
                s.fault[1] = FAULT_SKIP_MV
            return UNCODABLE if s.fault[1] else n, qp, 0

    mode = np.int64(mbs.intra_mode[mb, 0])
    n = _put_mb_type(sym, n, mb_types, mbs.ref_idx, mb, left_mb, up_mb, p.slice_type, mode, cbp)
    if mb_type == I_PCM:
        s.coded[mb] = _ALL_CODED
        s.cbp[mb] = 47
        return n, qp, 0

    eights = mb_type == I_8X8 or (not intra and mbs.transform_8x8[mb] != 0 and cbp & 15 != 0)
    own_8x8 = 1 << TRANSFORM_8X8_BIT if eights else 0
    inc_8x8 = np.int64(0)
    if left_mb >= 0:
        inc_8x8 += (np.int64(s.coded[left_mb]) >> TRANSFORM_8X8_BIT) & 1
    if up_mb >= 0:
        inc_8x8 += (np.int64(s.coded[up_mb]) >> TRANSFORM_8X8_BIT) & 1
    if intra:
        if mb_type != I_16X16:
            if p.transform_8x8_mode:
                n = put_bin(sym, n, CTX_TRANSFORM_8X8 + inc_8x8, 1 if eights else 0)
            for block in range(0, 16, 4 if eights else 1):
                code = intra_mode_element(mb_types, mbs.intra_mode, p.constrained_intra, mb, left_mb, up_mb, block)
                n = put_string(sym, n, INTRA_MODES, code + 1, 0)
        if not p.monochrome:
            inc = 0
            if left_mb >= 0 and mb_types[left_mb] < I_PCM and mbs.chroma_mode[left_mb]:
                inc += 1
            if up_mb >= 0 and mb_types[up_mb] < I_PCM and mbs.chroma_mode[up_mb]:
                inc += 1
            n = put_string(sym, n, CHROMA_MODES, np.int64(mbs.chroma_mode[mb]), inc)
    elif mb_type != B_DIRECT_16X16:
        b_slice = p.slice_type == 1
        set_differences(motion, mbs.mvd, mbs.sub_type, p.mb_width, mb, mb_type, 2 if b_slice else 1)
        refs_l0, refs_l1 = p.num_ref_idx_l0, p.num_ref_idx_l1
        n = _put_motion(
            sym, n, mb_types, mbs.sub_type, mbs.ref_idx, mbs.mvd, mb, left_mb, up_mb, b_slice, refs_l0, refs_l1
        )

    s.cbp[mb] = cbp
    if mb_type != I_16X16:
        left_cbp = np.int64(s.cbp[left_mb]) if left_mb >= 0 else np.int64(15)
        up_cbp = np.int64(s.cbp[up_mb]) if up_mb >= 0 else np.int64(15)
        n = put_cbp(sym, n, cbp, left_cbp, up_cbp, p.monochrome)
        ask_8x8 = not intra and cbp & 15 != 0 and p.transform_8x8_mode != 0
        if ask_8x8 and may_use_8x8(mb_type, mbs.sub_type, mb, p.direct_8x8_inference):
            n = put_bin(sym, n, CTX_TRANSFORM_8X8 + inc_8x8, 1 if eights else 0)
        if cbp == 0:
            s.coded[mb] = own_8x8
            if mbs.qp[mb] != qp:
                s.fault[1] = FAULT_QP
            return UNCODABLE if s.fault[1] else n, qp, 0
    delta = np.int64(mbs.qp[mb]) - qp
    delta = delta - 52 if delta > 25 else (delta + 52 if delta < -26 else delta)
    n = put_qp_delta(sym, n, delta, after_delta)
    missing = np.int64(_ALL_CODED if intra else 0)
    left = np.int64(s.coded[left_mb]) if left_mb >= 0 else missing
    up = np.int64(s.coded[up_mb]) if up_mb >= 0 else missing
    n, coded = _put_residual(sym, n, mbs.levels, mb, p.field, mb_type == I_16X16, eights, cbp, left, up)
    s.coded[mb] = coded | own_8x8
    return n, np.int64(mbs.qp[mb]), 1 if delta else 0


@kernel
def write_slice_data_cabac(mbs, p, s, work, position):
    """slice_data() of one slice to s.rbsp from byte `position` on (7.3.4), rbsp_slice_trailing_bits included.

    Returns the position after the last byte, OUTPUT_FULL or UNCODABLE (reason in s.fault). Fills entropy_bins and
    entropy_bits of `work`, one row a macroblock of the picture.
    """
    initial_states(s.states, 0 if p.slice_type == 2 else 1 + p.cabac_init_idc, p.qp)
    out = s.rbsp
    low, rng, queue = np.int64(0), np.int64(510), np.int64(0)
    position = np.int64(position)
    qp = np.int64(p.qp)
    after_delta = 0
    for mb in range(p.first_mb, p.first_mb + p.mb_count):
        begin = position * 8 + queue
        sym, n = s.symbols, s.kept[mb, 1]
        if n:
            sym = s.bins[s.kept[mb, 0] :]
            qp, after_delta = s.kept[mb, 2], s.kept[mb, 3]
        else:
            n, qp, after_delta = _put_macroblock(mbs, p, s, sym, mb, qp, after_delta)
            if n < 0:
                return np.int64(n)
        last = mb == p.first_mb + p.mb_count - 1
        if position + 2 * n + 800 > out.size:
            return np.int64(OUTPUT_FULL)
        bins = n + 1
        if mbs.mb_type[mb] == I_PCM:
            low, rng, queue, position = encode_symbols(sym, n, s.states, low, rng, queue, out, position)
            position, _ = flush(low, queue, out, position)
            for i in range(256 if p.monochrome else 384):
                out[position + i] = np.uint8(mbs.levels[mb, i >> 4, i & 15])
            position += 256 if p.monochrome else 384
            low, rng, queue = np.int64(0), np.int64(510), np.int64(0)
            n = 0
        sym[n] = CTX_TERMINATE << 1 | (1 if last else 0)
        low, rng, queue, position = encode_symbols(sym, n + 1, s.states, low, rng, queue, out, position)
        work[mb]["entropy_bins"] = min(bins, 65535)
        work[mb]["entropy_bits"] = min(position * 8 + queue - begin, 65535)
    position, _ = flush(low, queue, out, position)
    return position


@inlined
def _follow_macroblock(mbs, p, s, mb, qp, after_delta):
    """`follow_macroblocks`, one of them."""
    place = s.kept[s.kept.shape[0] - 1, 0]
    fits = place + s.symbols.size <= s.bins.size
    sym = s.bins[place:] if fits else s.symbols
    n, next_qp, next_after = _put_macroblock(mbs, p, s, sym, mb, qp, after_delta)
    if n < 0:
        return qp, after_delta
    if fits:
        s.kept[mb, 0], s.kept[mb, 1], s.kept[mb, 2], s.kept[mb, 3] = place, n, next_qp, next_after
        s.kept[s.kept.shape[0] - 1, 0] = place + n + 1
    states = s.states
    for i in range(n):
        symbol = np.int64(sym[i])
        ctx = symbol >> 1
        states[ctx] = NEXT_STATE[np.int64(states[ctx]) << 1 | (symbol & 1)]
    return next_qp, next_after


@kernel
def follow_macroblocks(mbs, p, s, begin, end, qp, after_delta):
    """Let s.states follow the bins of macroblocks begin <= mb < end without coding them, as a rate estimator does, and
    keep the bins for `write_slice_data_cabac`, which makes those that it does not find.

    Macroblocks of a slice come in order, the first after `initial_states`; qp, after_delta: SliceQPY and 0 for the
    first, then what this returns. A macroblock that contradicts itself is passed over.
    """
    for mb in range(begin, end):
        qp, after_delta = _follow_macroblock(mbs, p, s, mb, qp, after_delta)
    return qp, after_delta
