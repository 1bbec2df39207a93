"""CAVLC and Exp-Golomb coding of slices (H.264 7.3.4, 7.3.5, 9.1, 9.2).

As with CABAC there are two stages: a macroblock's codewords go to `codes` (value << 8 | length in bits), then through
`pack` to the stream. Functions called `put_*` append to `codes` from index `n` on and return the new index.
"""

import numpy as np

from asic_model.codecs.h264.macroblock import (
    B_DIRECT_16X16,
    B_SKIP,
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
from asic_model.engines.entropy.codes import (
    CBP_CODE_NUM,
    COEFF_TOKEN,
    RUN_BEFORE,
    TOKEN_COLUMN,
    TOTAL_ZEROS,
    TOTAL_ZEROS_CHROMA_DC,
)
from asic_model.engines.entropy.elements import (
    B_SUB_TYPE,
    BLOCK_INDEX,
    FAULT_QP,
    FAULT_SKIP_MV,
    OUTPUT_FULL,
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
from asic_model.kernel_cache import kernel
from asic_model.simd.bits import bit_count, bit_length, nonzero_mask_16


@kernel
def _put(codes, n, value, length):
    codes[n] = np.int64(value) << 8 | length
    return n + 1


@kernel
def _put_ue(codes, n, value):
    codes[n] = (np.int64(value) + 1) << 8 | (2 * bit_length(np.int64(value) + 1) - 1)
    return n + 1


@kernel
def _put_se(codes, n, value):
    return _put_ue(codes, n, 2 * value - 1 if value > 0 else -2 * value)


@kernel
def _put_level(codes, n, code, suffix_length):
    """level_prefix and level_suffix of levelCode (9.2.2.1)."""
    if suffix_length == 0:
        if code < 14:
            return _put(codes, n, 1, code + 1)
        if code < 30:
            return _put(codes, n, 16 | (code - 14), 19)
        rest = code - 30
    else:
        if code < 15 << suffix_length:
            suffix = code & ((1 << suffix_length) - 1)
            return _put(codes, n, 1 << suffix_length | suffix, (code >> suffix_length) + 1 + suffix_length)
        rest = code - (15 << suffix_length)
    if rest < 4096:
        return _put(codes, n, 4096 | rest, 28)
    # level_prefix above 15: profiles above Main and Extended only
    rest += 4096
    size = bit_length(rest) - 1
    n = _put(codes, n, 1, size + 4)
    return _put(codes, n, rest - (1 << size), size)


@kernel
def put_block(codes, n, block, stride, first, count, column):
    """residual_block_cavlc() (7.3.5.3.2) of `count` levels: block[first], block[first + stride], ...

    column : of COEFF_TOKEN; 4 means chroma DC. Returns (n, TotalCoeff).
    """
    if stride == 1:
        mask = (nonzero_mask_16(block, first & 48) >> (first & 15)) & ((1 << count) - 1)
    else:
        mask = np.int64(0)
        for i in range(count):
            mask |= np.int64(block[first + i * stride] != 0) << i
    total = bit_count(mask)
    if total == 0:
        codes[n] = COEFF_TOKEN[column, 0, 0]
        return n + 1, total
    rest = mask
    ones = 0
    signs = 0
    while rest and ones < 3:
        i = bit_length(rest) - 1
        level = block[first + i * stride]
        if level != 1 and level != -1:
            break
        signs = signs << 1 | (level < 0)
        ones += 1
        rest ^= np.int64(1) << i
    codes[n] = COEFF_TOKEN[column, total, ones]
    n += 1
    if ones:
        n = _put(codes, n, signs, ones)

    suffix_length = 1 if total > 10 and ones < 3 else 0
    known = 2 if ones < 3 else 0  # the first level behind fewer than three ones is no one
    while rest:
        i = bit_length(rest) - 1
        level = np.int64(block[first + i * stride])
        size = abs(level)
        n = _put_level(codes, n, 2 * size - 2 + (level < 0) - known, suffix_length)
        known = 0
        if suffix_length == 0:
            suffix_length = 1
        if suffix_length < 6 and size > 3 << (suffix_length - 1):
            suffix_length += 1
        rest ^= np.int64(1) << i

    i = bit_length(mask) - 1
    zeros = i + 1 - total
    if total < count:
        codes[n] = TOTAL_ZEROS_CHROMA_DC[total, zeros] if column == 4 else TOTAL_ZEROS[total, zeros]
        n += 1
    rest = mask
    while zeros > 0:
        rest ^= np.int64(1) << i
        if rest == 0:
            break
        following = bit_length(rest) - 1
        run = i - following - 1
        codes[n] = RUN_BEFORE[min(zeros, 7), run]
        n += 1
        zeros -= run
        i = following
    return n, total


@kernel
def pack(codes, count, acc, bits, out, position):
    """Append codes[:count] to the stream. Returns the new (acc, bits, position).

    acc, bits : up to 31 bits that wait for their byte
    out       : uint8[:], at least 4 * count + 4 bytes of room behind `position`
    """
    for i in range(count):
        code = codes[i]
        length = code & 255
        acc = acc << length | code >> 8
        bits += length
        if bits >= 32:
            bits -= 32
            word = acc >> bits
            out[position] = np.uint8((word >> 24) & 255)
            out[position + 1] = np.uint8((word >> 16) & 255)
            out[position + 2] = np.uint8((word >> 8) & 255)
            out[position + 3] = np.uint8(word & 255)
            position += 4
            acc &= (np.int64(1) << bits) - 1
    return acc, bits, position


@kernel
def drain(acc, bits, out, position):
    """Write the bits that wait, zero-filled to the byte; return the position behind them."""
    fill = -bits & 7
    acc <<= fill
    size = (bits + fill) >> 3
    for i in range(size):
        out[position + i] = np.uint8((acc >> (8 * (size - 1 - i))) & 255)
    return position + size


@kernel
def _put_ref_idx(codes, n, ref, count):
    """ref_idx, te(v) with `count` references active (9.1)."""
    if count > 2:
        return _put_ue(codes, n, ref)
    return _put(codes, n, 1 - np.int64(ref), 1)


@kernel
def _put_motion(codes, n, sub_type, ref_idx, mvd, mb, mb_type, b_slice, refs_l0, refs_l1):
    """Sub-macroblock types, reference indices and vector differences; 0 in refs_lX: no index is sent."""
    lists = 2 if b_slice else 1
    if mb_type == INTER_8X8:
        for quadrant in range(4):
            sub = np.int64(sub_type[mb, quadrant])
            if b_slice:
                sub = np.int64(B_SUB_TYPE[sub, max(0, prediction_code(ref_idx, mb, quadrant))])
            n = _put_ue(codes, n, sub)
    # 8x8 quadrants that begin a partition
    step = 4 if mb_type == INTER_16X16 else (2 if mb_type == INTER_16X8 else 1)
    end = 2 if mb_type == INTER_8X16 else 4
    for lst in range(lists):
        count = refs_l1 if lst else refs_l0
        if count > 1:
            for quadrant in range(0, end, step):
                ref = np.int64(ref_idx[mb, lst, quadrant])
                if ref >= 0 and not (mb_type == INTER_8X8 and sub_type[mb, quadrant] == SUB_DIRECT):
                    n = _put_ref_idx(codes, n, ref, count)
    for lst in range(lists):
        for quadrant in range(0, end, step):
            if ref_idx[mb, lst, quadrant] < 0:
                continue
            sub = np.int64(sub_type[mb, quadrant]) if mb_type == INTER_8X8 else SUB_8X8
            if sub == SUB_DIRECT:
                continue
            first = (quadrant & 2) * 4 + (quadrant & 1) * 2
            for part in range(4):  # sub-macroblock partitions that begin at 4x4 block `part` of the quadrant
                begins = part == 0 or sub == SUB_4X4 or (part == 1 and sub == SUB_4X8) or (part == 2 and sub == SUB_8X4)
                if begins:
                    block = first + (part & 1) + (part >> 1) * 4
                    n = _put_se(codes, n, np.int64(mvd[mb, lst, block, 0]))
                    n = _put_se(codes, n, np.int64(mvd[mb, lst, block, 1]))
    return n


@kernel
def _column(nnz, left, left_block, up, up_block):
    """Column of COEFF_TOKEN from nC (9.2.1); left, up: macroblocks of the neighbouring blocks, -1 where unavailable."""
    count = np.int64(0)
    if left >= 0:
        count = np.int64(nnz[left, left_block])
    if up >= 0:
        count += np.int64(nnz[up, up_block])
        if left >= 0:
            count = (count + 1) >> 1
    return np.int64(TOKEN_COLUMN[count])


@kernel
def _put_residual(codes, n, levels, nnz, mb, i16, eights, cbp, left_mb, up_mb):
    """All residual blocks of a macroblock; fills nnz[mb], which must be zero."""
    first = 1 if i16 else 0
    for k in range(27):
        # in coding order: luma DC, luma 0..15, Cb DC, Cr DC, Cb AC 0..3, Cr AC 0..3; `own`: the block's in `nnz`
        begin, stride, count, own = 0, 1, 16, -1
        if k <= 16:
            if k == 0 and not i16:
                continue
            block = max(k - 1, 0)
            x, y = np.int64(BLOCK_X[block]), np.int64(BLOCK_Y[block])
            near_left = np.int64(BLOCK_INDEX[y * 4 + ((x - 1) & 3)])
            near_up = np.int64(BLOCK_INDEX[((y - 1) & 3) * 4 + x])
            column = _column(nnz, mb if x else left_mb, near_left, mb if y else up_mb, near_up)
            values = levels[mb, LEVELS_LUMA_DC]
            if k > 0:
                if not (cbp >> (block >> 2)) & 1:
                    continue
                own = block
                values = levels[mb, block]
                begin, count = first, 16 - first
                if eights:  # every fourth of the 64 (7.3.5.3.1)
                    row = block & 12
                    values = levels[mb, row : row + 4].reshape(64)
                    begin, stride, count = block & 3, 4, 16
        elif k <= 18:
            if not cbp >> 4:
                continue
            values = levels[mb, k - 17 + LEVELS_CB_DC]
            count, column = 4, 4
        else:
            if not cbp >> 5:
                continue
            # 0..3 of a plane in raster order: the left neighbour differs in bit 0, the upper one in bit 1
            own = k - 3
            values = levels[mb, k - 19 + LEVELS_CB_AC]
            begin, count = 1, 15
            column = _column(nnz, mb if own & 1 else left_mb, own ^ 1, mb if own & 2 else up_mb, own ^ 2)
        n, total = put_block(codes, n, values, stride, begin, count, column)
        if own >= 0:
            nnz[mb, own] = total
    return n


@kernel
def _put_mb_type(codes, n, ref_idx, mb, mb_type, slice_type, mode, cbp):
    """mb_type in any slice. Returns (n, whether the type says that all references are 0).

    mode : Intra16x16PredMode
    """
    if mb_type <= I_PCM:
        before = 5 if slice_type == 0 else (23 if slice_type == 1 else 0)  # inter types of the slice
        return _put_ue(codes, n, before + i_mb_type(mb_type, mode, cbp)), False
    if slice_type == 1:
        return _put_ue(codes, n, b_mb_type(ref_idx, mb, mb_type)), False
    if mb_type != INTER_8X8:
        return _put_ue(codes, n, mb_type - INTER_16X16), False
    first = True
    for quadrant in range(4):
        first = first and ref_idx[mb, 0, quadrant] == 0
    return _put_ue(codes, n, 4 if first else 3), first


@kernel
def _put_macroblock(mbs, p, s, mb, qp, skip_run):
    """Codewords of one macroblock, mb_skip_run before it included. Returns (count or UNCODABLE, qp, skip_run).

    qp       : QPY of the previous macroblock
    skip_run : skipped macroblocks before this one that no codeword has counted yet
    """
    codes = s.codes
    n = 0
    left_mb = mb - 1
    if mb % p.mb_width == 0 or not neighbour_available(mbs.slice_id, mb, left_mb):
        left_mb = -1
    up_mb = mb - p.mb_width
    if not neighbour_available(mbs.slice_id, mb, up_mb):
        up_mb = -1
    mb_type = np.int64(mbs.mb_type[mb])
    cbp = np.int64(mbs.cbp[mb])
    intra = mb_type <= I_PCM
    motion = MotionField(mbs.slice_id, mbs.ref_idx, mbs.mv)
    s.fault[0] = mb
    s.fault[1] = type_fault(mb_type, cbp, mbs.transform_8x8[mb] != 0, p.slice_type, p.transform_8x8_mode)
    if s.fault[1]:
        return UNCODABLE, qp, skip_run
    for i in range(24):
        s.nnz[mb, i] = 16 if mb_type == I_PCM else 0
    if p.slice_type != 2:
        clear_differences(mbs.mvd, mb, 2 if p.slice_type == 1 else 1)
        if mb_type in (P_SKIP, B_SKIP):
            if mbs.qp[mb] != qp:
                s.fault[1] = FAULT_QP
            elif mb_type == P_SKIP and skip_fault(motion, p.mb_width, mb):
                s.fault[1] = FAULT_SKIP_MV
            return UNCODABLE if s.fault[1] else n, qp, skip_run + 1
        n = _put_ue(codes, n, skip_run)

    mode = np.int64(mbs.intra_mode[mb, 0])
    n, first_references = _put_mb_type(codes, n, mbs.ref_idx, mb, mb_type, p.slice_type, mode, cbp)
    if mb_type == I_PCM:
        return n, qp, 0

    eights = mb_type == I_8X8 or (not intra and mbs.transform_8x8[mb] != 0 and cbp & 15 != 0)
    if intra:
        if mb_type != I_16X16:
            if p.transform_8x8_mode:
                n = _put(codes, n, 1 if eights else 0, 1)
            for block in range(0, 16, 4 if eights else 1):
                code = intra_mode_element(mbs.mb_type, mbs.intra_mode, p.constrained_intra, mb, left_mb, up_mb, block)
                n = _put(codes, n, 1, 1) if code < 0 else _put(codes, n, code, 4)
        if not p.monochrome:
            n = _put_ue(codes, n, np.int64(mbs.chroma_mode[mb]))
    elif mb_type != B_DIRECT_16X16:
        b_slice = p.slice_type == 1
        set_differences(motion, mbs.mvd, mbs.sub_type, p.mb_width, mb, mb_type, 2 if b_slice else 1)
        refs_l0 = 0 if first_references else p.num_ref_idx_l0
        n = _put_motion(codes, n, mbs.sub_type, mbs.ref_idx, mbs.mvd, mb, mb_type, b_slice, refs_l0, p.num_ref_idx_l1)
    if mb_type != I_16X16:
        n = _put_ue(codes, n, np.int64(CBP_CODE_NUM[p.monochrome, 0 if intra else 1, cbp]))
        ask_8x8 = not intra and cbp & 15 != 0 and p.transform_8x8_mode != 0
        if ask_8x8 and may_use_8x8(mb_type, mbs.sub_type, mb, p.direct_8x8_inference):
            n = _put(codes, n, 1 if eights else 0, 1)
        if cbp == 0:
            if mbs.qp[mb] != qp:
                s.fault[1] = FAULT_QP
            return UNCODABLE if s.fault[1] else n, qp, 0
    delta = np.int64(mbs.qp[mb]) - qp
    delta = delta - 52 if delta > 25 else (delta + 52 if delta < -26 else delta)
    n = _put_se(codes, n, delta)
    n = _put_residual(codes, n, mbs.levels, s.nnz, mb, mb_type == I_16X16, eights, cbp, left_mb, up_mb)
    return n, np.int64(mbs.qp[mb]), 0


@kernel
def write_slice_data_cavlc(mbs, p, s, work, acc, bits, position):
    """slice_data() of one slice to s.rbsp from byte `position` on (7.3.4), rbsp_slice_trailing_bits included.

    acc, bits : bits of the slice header that do not fill a byte yet
    Returns the position after the last byte, OUTPUT_FULL or UNCODABLE (reason in s.fault). Fills entropy_bins (here:
    codewords) and entropy_bits of `work`, one row a macroblock of the picture.
    """
    out = s.rbsp
    codes = s.codes
    position = np.int64(position)
    acc, bits = np.int64(acc), np.int64(bits)
    qp = np.int64(p.qp)
    skip_run = np.int64(0)
    for mb in range(p.first_mb, p.first_mb + p.mb_count):
        begin = position * 8 + bits
        n, qp, skip_run = _put_macroblock(mbs, p, s, mb, qp, skip_run)
        if n < 0:
            return np.int64(n)
        if skip_run and mb == p.first_mb + p.mb_count - 1:
            n = _put_ue(codes, n, skip_run)
        if position + 4 * n + 800 > out.size:
            return np.int64(OUTPUT_FULL)
        acc, bits, position = pack(codes, n, acc, bits, out, position)
        if mbs.mb_type[mb] == I_PCM:
            position = drain(acc, bits, out, position)
            acc, bits = np.int64(0), np.int64(0)
            for i in range(256 if p.monochrome else 384):
                out[position + i] = np.uint8(mbs.levels[mb, i >> 4, i & 15])
            position += 256 if p.monochrome else 384
        work[mb]["entropy_bins"] = min(n, 65535)
        work[mb]["entropy_bits"] = min(position * 8 + bits - begin, 65535)
    codes[0] = 1 << 8 | 1  # rbsp_stop_one_bit
    acc, bits, position = pack(codes, 1, acc, bits, out, position)
    return drain(acc, bits, out, position)
