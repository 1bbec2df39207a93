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
from asic_model.codecs.h264.motion_prediction import MotionField, skip_mv
from asic_model.codecs.h264.tables import BLOCK_X, BLOCK_Y, table
from asic_model.engines.entropy.elements import (
    B_SUB_TYPE,
    BLOCK_INDEX,
    FAULT_QP,
    FAULT_SKIP_MV,
    OUTPUT_FULL,
    UNCODABLE,
    b_mb_type,
    bit_count,
    check_type,
    clear_differences,
    i16_mb_type,
    intra_mode_element,
    is_intra,
    may_use_8x8,
    neighbour_available,
    prediction_code,
    set_differences,
)
from asic_model.kernel_cache import kernel


def _code(bits: str) -> int:
    return int(bits, 2) << 8 | len(bits)


def _coeff_token() -> np.ndarray:
    """[column: nC 0..1, 2..3, 4..7, 8.., chroma DC][TotalCoeff][TrailingOnes] -> code (Table 9-5)."""
    codes = np.zeros((5, 17, 4), np.int64)
    columns = ("0<=nC<2", "2<=nC<4", "4<=nC<8", "8<=nC", "nC==-1 (4:2:0 chroma DC)")
    for column, name in enumerate(columns):
        for key, bits in table("table_9_5_coeff_token")[name].items():
            ones, total = map(int, key.split(","))
            codes[column, total, ones] = _code(bits)
    return codes


def _nested(name: str, outer: int, inner: int) -> np.ndarray:
    codes = np.zeros((outer, inner), np.int64)
    for first, row in table(name).items():
        for second, bits in row.items():
            codes[int(first), int(second)] = _code(bits)
    return codes


def _cbp_code_num() -> np.ndarray:
    """[monochrome][inter][coded_block_pattern] -> codeNum (Table 9-4)."""
    numbers = np.zeros((2, 2, 48), np.uint8)
    for mono, name in enumerate(("chroma_format_1_or_2", "chroma_format_0_or_3")):
        for number, patterns in enumerate(table("table_9_4_coded_block_pattern_me")[name]):
            for inter, pattern in enumerate(patterns):
                numbers[mono, inter, pattern] = number
    return numbers


COEFF_TOKEN = _coeff_token()
TOTAL_ZEROS = _nested("table_9_7_9_8_total_zeros_4x4", 16, 16)  # [tzVlcIndex][total_zeros]
TOTAL_ZEROS_CHROMA_DC = _nested("table_9_9a_total_zeros_chroma_dc_420", 4, 4)
RUN_BEFORE = _nested("table_9_10_run_before", 8, 15)  # [min(zerosLeft, 7)][run_before]
CBP_CODE_NUM = _cbp_code_num()
TOKEN_COLUMN = np.array([0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3], np.uint8)  # [nC] -> column
_BIT_LENGTH = np.array([value.bit_length() for value in range(256)], np.uint8)


@kernel
def bit_length(value):
    """Bits of a number below 2^32."""
    length = 0
    if value >= 65536:
        value >>= 16
        length = 16
    if value >= 256:
        value >>= 8
        length += 8
    return length + np.int64(_BIT_LENGTH[value])


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
def _put_mb_type_intra(codes, n, mbs, mb, cbp, offset):
    """mb_type of an intra macroblock; `offset`: number of inter types before them in this slice type."""
    mb_type = mbs.mb_type[mb]
    if mb_type == I_PCM:
        return _put_ue(codes, n, offset + 25)
    if mb_type == I_16X16:
        return _put_ue(codes, n, offset + i16_mb_type(mbs, mb, cbp))
    return _put_ue(codes, n, offset)


@kernel
def _put_mb_type_p(codes, n, mbs, p, mb):
    """mb_type in P slices (Table 7-13). Returns (n, whether the type says that all references are 0)."""
    mb_type = mbs.mb_type[mb]
    if mb_type != INTER_8X8:
        return _put_ue(codes, n, mb_type - INTER_16X16), False
    ref_idx = mbs.ref_idx[mb, 0]
    first = p.num_ref_idx_l0 > 1 and (ref_idx[0] | ref_idx[1] | ref_idx[2] | ref_idx[3]) == 0
    return _put_ue(codes, n, 4 if first else 3), first


@kernel
def _put_ref_idx(codes, n, ref, count):
    """ref_idx, te(v) with `count` references active (9.1)."""
    if count > 2:
        return _put_ue(codes, n, ref)
    return _put(codes, n, 1 - np.int64(ref), 1)


@kernel
def _put_partition_mvd(codes, n, mvd, mb, lst, x, y):
    n = _put_se(codes, n, np.int64(mvd[mb, lst, y * 4 + x, 0]))
    return _put_se(codes, n, np.int64(mvd[mb, lst, y * 4 + x, 1]))


@kernel
def _put_motion(codes, n, mbs, p, mb, first_references):
    """Sub-macroblock types, reference indices and vector differences of an inter macroblock."""
    mb_type = mbs.mb_type[mb]
    lists = 2 if p.slice_type == 1 else 1
    if mb_type == INTER_8X8:
        for quadrant in range(4):
            sub = np.int64(mbs.sub_type[mb, quadrant])
            if p.slice_type == 1:
                sub = np.int64(B_SUB_TYPE[sub, max(0, prediction_code(mbs.ref_idx, mb, quadrant))])
            n = _put_ue(codes, n, sub)
    # 8x8 quadrants that begin a partition
    step = 4 if mb_type == INTER_16X16 else (2 if mb_type == INTER_16X8 else 1)
    end = 2 if mb_type == INTER_8X16 else 4
    for lst in range(lists):
        count = p.num_ref_idx_l1 if lst else p.num_ref_idx_l0
        if count > 1 and not first_references:
            for quadrant in range(0, end, step):
                direct = mb_type == INTER_8X8 and mbs.sub_type[mb, quadrant] == SUB_DIRECT
                if mbs.ref_idx[mb, lst, quadrant] >= 0 and not direct:
                    n = _put_ref_idx(codes, n, mbs.ref_idx[mb, lst, quadrant], count)
    for lst in range(lists):
        for quadrant in range(0, end, step):
            if mbs.ref_idx[mb, lst, quadrant] < 0:
                continue
            sub = np.int64(mbs.sub_type[mb, quadrant]) if mb_type == INTER_8X8 else SUB_8X8
            if sub == SUB_DIRECT:
                continue
            x, y = (quadrant & 1) * 2, (quadrant >> 1) * 2
            n = _put_partition_mvd(codes, n, mbs.mvd, mb, lst, x, y)
            if sub in (SUB_4X8, SUB_4X4):
                n = _put_partition_mvd(codes, n, mbs.mvd, mb, lst, x + 1, y)
            if sub in (SUB_8X4, SUB_4X4):
                n = _put_partition_mvd(codes, n, mbs.mvd, mb, lst, x, y + 1)
            if sub == SUB_4X4:
                n = _put_partition_mvd(codes, n, mbs.mvd, mb, lst, x + 1, y + 1)
    return n


@kernel
def _put_intra_modes(codes, n, mbs, p, mb):
    """Luma prediction modes of an I_NxN macroblock."""
    for block in range(0, 16, 4 if mbs.mb_type[mb] == I_8X8 else 1):
        code = intra_mode_element(mbs, p, mb, block)
        n = _put(codes, n, 1, 1) if code < 0 else _put(codes, n, code, 4)
    return n


@kernel
def _column(nnz, mb, left_mb, up_mb, block, left_block, up_block, inside_left, inside_up):
    """Column of COEFF_TOKEN from nC (9.2.1)."""
    left = mb if inside_left else left_mb
    up = mb if inside_up else up_mb
    if left >= 0:
        if up >= 0:
            return TOKEN_COLUMN[(np.int64(nnz[left, left_block]) + np.int64(nnz[up, up_block]) + 1) >> 1]
        return TOKEN_COLUMN[nnz[left, left_block]]
    return TOKEN_COLUMN[nnz[up, up_block]] if up >= 0 else TOKEN_COLUMN[0]


@kernel
def _luma_column(nnz, mb, left_mb, up_mb, block):
    x, y = np.int64(BLOCK_X[block]), np.int64(BLOCK_Y[block])
    near_left = BLOCK_INDEX[y * 4 + ((x - 1) & 3)]
    near_up = BLOCK_INDEX[((y - 1) & 3) * 4 + x]
    return _column(nnz, mb, left_mb, up_mb, block, near_left, near_up, x > 0, y > 0)


@kernel
def _put_residual(codes, n, levels, nnz, mb, i16, eights, cbp, left_mb, up_mb):
    """All residual blocks of a macroblock; fills nnz[mb], which must be zero."""
    if i16:
        column = _luma_column(nnz, mb, left_mb, up_mb, 0)
        n, _ = put_block(codes, n, levels[mb, LEVELS_LUMA_DC], 1, 0, 16, column)
    first = 1 if i16 else 0
    for b8 in range(4):
        if not (cbp >> b8) & 1:
            continue
        quad = levels[mb, 4 * b8 : 4 * b8 + 4].reshape(64)
        for i in range(4):
            block = 4 * b8 + i
            column = _luma_column(nnz, mb, left_mb, up_mb, block)
            if eights:  # every fourth of the 64 (7.3.5.3.1)
                n, total = put_block(codes, n, quad, 4, i, 16, column)
            else:
                n, total = put_block(codes, n, quad, 1, 16 * i + first, 16 - first, column)
            nnz[mb, block] = total
    if cbp >> 4:
        for plane in range(2):
            n, _ = put_block(codes, n, levels[mb, LEVELS_CB_DC + plane], 1, 0, 4, 4)
    if cbp >> 5:
        for k in range(8):
            block = 16 + k
            column = _column(nnz, mb, left_mb, up_mb, block, block ^ 1, block ^ 2, k & 1 != 0, k & 2 != 0)
            n, total = put_block(codes, n, levels[mb, LEVELS_CB_AC + k], 1, 1, 15, column)
            nnz[mb, block] = total
    return n


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
    mb_type = mbs.mb_type[mb]
    intra = is_intra(mb_type)
    s.fault[0] = mb
    s.fault[1] = check_type(mbs, p, mb)
    if s.fault[1]:
        return UNCODABLE, qp, skip_run
    for i in range(24):
        s.nnz[mb, i] = 0
    if p.slice_type != 2:
        clear_differences(mbs, mb, 2 if p.slice_type == 1 else 1)
        if mb_type in (P_SKIP, B_SKIP):
            if mbs.qp[mb] != qp:
                s.fault[1] = FAULT_QP
                return UNCODABLE, qp, skip_run
            if mb_type == P_SKIP:
                x, y = skip_mv(MotionField(mbs.slice_id, mbs.ref_idx, mbs.mv), p.mb_width, mb)
                if mbs.mv[mb, 0, 0, 0] != x or mbs.mv[mb, 0, 0, 1] != y or mbs.ref_idx[mb, 0, 0] != 0:
                    s.fault[1] = FAULT_SKIP_MV
                    return UNCODABLE, qp, skip_run
            return n, qp, skip_run + 1
        n = _put_ue(codes, n, skip_run)

    cbp = np.int64(mbs.cbp[mb])
    first_references = False
    if intra:
        n = _put_mb_type_intra(codes, n, mbs, mb, cbp, 5 if p.slice_type == 0 else (23 if p.slice_type == 1 else 0))
    elif p.slice_type == 0:
        n, first_references = _put_mb_type_p(codes, n, mbs, p, mb)
    else:
        n = _put_ue(codes, n, b_mb_type(mbs, mb))
    if mb_type == I_PCM:
        for i in range(24):
            s.nnz[mb, i] = 16
        return n, qp, 0

    eights = mb_type == I_8X8 or (not intra and mbs.transform_8x8[mb] != 0 and cbp & 15 != 0)
    if intra:
        if mb_type != I_16X16:
            if p.transform_8x8_mode:
                n = _put(codes, n, 1 if eights else 0, 1)
            n = _put_intra_modes(codes, n, mbs, p, mb)
        if not p.monochrome:
            n = _put_ue(codes, n, mbs.chroma_mode[mb])
    elif mb_type != B_DIRECT_16X16:
        set_differences(mbs, p, mb)
        n = _put_motion(codes, n, mbs, p, mb, first_references)
    if mb_type != I_16X16:
        n = _put_ue(codes, n, CBP_CODE_NUM[p.monochrome, 0 if intra else 1, cbp])
        if not intra and cbp & 15 and p.transform_8x8_mode and may_use_8x8(mbs, p, mb):
            n = _put(codes, n, 1 if eights else 0, 1)
    if cbp == 0 and mb_type != I_16X16:
        if mbs.qp[mb] != qp:
            s.fault[1] = FAULT_QP
            return UNCODABLE, qp, 0
        return n, qp, 0
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
        work[mb].entropy_bins = min(n, 65535)
        work[mb].entropy_bits = min(position * 8 + bits - begin, 65535)
    codes[0] = 1 << 8 | 1  # rbsp_stop_one_bit
    acc, bits, position = pack(codes, 1, acc, bits, out, position)
    return drain(acc, bits, out, position)
