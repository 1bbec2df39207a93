"""Transform levels of one block: residual_block_cabac and residual_block_cavlc (H.264 7.3.5.3.2, 7.3.5.3.1; 9.2, 9.3).

Levels are written in scan order into a flat int16 array that holds zeros; only non-zero levels are stored.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import (
    CAT_CHROMA_DC,
    CAT_LUMA_8X8,
    CTX_ABS_LEVEL,
    CTX_LAST,
    CTX_SIGNIFICANT,
)
from asic_model.codecs.h264.tables import table
from asic_model.engines.parse.arithmetic import bypass_step, decode_step
from asic_model.engines.parse.bitstream import leading_zeros, peek
from asic_model.engines.parse.state import (
    BAD_CODE,
    BAD_VALUE,
    BINS,
    BITS,
    ERROR,
    LAST_WORD,
    POSITION,
    RANGE,
    VALUE,
)
from asic_model.kernel_cache import kernel

_LARGEST_LEVEL = 32767

# ---- CABAC ----

_SIGNIFICANT = np.array(CTX_SIGNIFICANT, np.int16)  # [field][cat]
_LAST = np.array(CTX_LAST, np.int16)
_ABSOLUTE = np.array(CTX_ABS_LEVEL, np.int16)
_MAX_COEFFICIENTS = np.array([16, 15, 16, 4, 15, 64], np.int16)


def _increments() -> tuple[np.ndarray, np.ndarray]:
    """ctxIdxInc of significant_coeff_flag [field][cat][position] and of last_significant_coeff_flag [cat][position]."""
    eight = table("table_9_43_ctxIdxInc_8x8")
    significant = np.zeros((2, 6, 64), np.uint8)
    last = np.zeros((6, 64), np.uint8)
    significant[:, :, :] = last[:, :] = np.arange(64)
    significant[:, CAT_CHROMA_DC] = last[CAT_CHROMA_DC] = np.minimum(np.arange(64), 2)  # numDecod / NumC8x8, at most 2
    significant[0, CAT_LUMA_8X8, :63] = eight["significant_frame"]
    significant[1, CAT_LUMA_8X8, :63] = eight["significant_field"]
    last[CAT_LUMA_8X8, :63] = eight["last"]
    return significant.reshape(-1), last.reshape(-1)


_SIGNIFICANT_INC, _LAST_INC = _increments()


@kernel
def levels_cabac(st, cx, words, levels, base, cat, is_field, found):
    """Decode one block whose coded_block_flag is 1 (or inferred to be). Returns the number of non-zero levels.

    base  : entry of `levels` that takes scan position 0 of the block's syntax (AC blocks: their first AC position)
    found : int32[64], scratch: scan positions of the non-zero levels
    """
    rng, value, bits = st[RANGE], st[VALUE], st[BITS]
    position, last_word = st[POSITION], st[LAST_WORD]
    significant = np.int64(_SIGNIFICANT[is_field, cat])
    last = np.int64(_LAST[is_field, cat])
    significant_row = (is_field * 6 + cat) * 64
    last_row = cat * 64
    final = np.int64(_MAX_COEFFICIENTS[cat]) - 1
    count = 0
    bins = 0
    at = 0
    while at < final:
        context = significant + np.int64(_SIGNIFICANT_INC[significant_row + at])
        binary, rng, value, bits, position = decode_step(cx, words, context, rng, value, bits, position, last_word)
        bins += 1
        if binary:
            found[count] = at
            count += 1
            context = last + np.int64(_LAST_INC[last_row + at])
            binary, rng, value, bits, position = decode_step(cx, words, context, rng, value, bits, position, last_word)
            bins += 1
            if binary:
                break
        at += 1
    if at == final:  # the last position is significant if no other was the last
        found[count] = at
        count += 1

    absolute = np.int64(_ABSOLUTE[cat])
    most_greater = 4 - (1 if cat == CAT_CHROMA_DC else 0)
    ones = 0
    greater = 0
    for i in range(count - 1, -1, -1):
        context = absolute + (0 if greater else min(4, 1 + ones))
        binary, rng, value, bits, position = decode_step(cx, words, context, rng, value, bits, position, last_word)
        bins += 1
        level = 1
        if binary:
            level = 2
            context = absolute + 5 + min(most_greater, greater)
            while level < 15:
                binary, rng, value, bits, position = decode_step(
                    cx, words, context, rng, value, bits, position, last_word
                )
                bins += 1
                if not binary:
                    break
                level += 1
            if level == 15:  # suffix: Exp-Golomb of order 0
                order = 0
                while True:
                    binary, value, bits, position = bypass_step(words, rng, value, bits, position, last_word)
                    bins += 1
                    if not binary:
                        break
                    level += 1 << order
                    order += 1
                    if order > 15:
                        st[ERROR] = BAD_CODE
                        break
                while order:
                    order -= 1
                    binary, value, bits, position = bypass_step(words, rng, value, bits, position, last_word)
                    bins += 1
                    level += binary << order
                if level > _LARGEST_LEVEL:
                    st[ERROR] = BAD_VALUE
                    level = 1
            greater += 1
        else:
            ones += 1
        binary, value, bits, position = bypass_step(words, rng, value, bits, position, last_word)
        bins += 1
        levels[base + found[i]] = -level if binary else level
    st[RANGE] = rng
    st[VALUE] = value
    st[BITS] = bits
    st[POSITION] = position
    st[BINS] += bins
    return np.int64(count)


# ---- CAVLC ----


def _prefix_table(codes: dict[str, str], packed: dict[str, int]) -> np.ndarray:
    """Look-up [leading zeros * 8 + the 3 bits behind the first one] -> packed value * 32 + code length; 0: no code."""
    out = np.zeros(16 * 8, np.int32)
    for key, code in codes.items():
        zeros = len(code) - len(code.lstrip("0"))
        if "1" in code:
            rest = code[zeros + 1 :]
            rows = [zeros * 8 + (int(rest, 2) << (3 - len(rest)) if rest else 0) + i for i in range(8 >> len(rest))]
        else:  # a code of zeros alone: whatever follows
            rows = list(range(zeros * 8, 16 * 8))
        for row in rows:
            if out[row]:
                raise ValueError(f"code {code} of {key} collides")
            out[row] = packed[key] * 32 + len(code)
    return out


def _coeff_token() -> np.ndarray:
    """[column of Table 9-5: nC 0..1, 2..3, 4..7, chroma DC][prefix look-up]; value: TotalCoeff * 4 + TrailingOnes."""
    columns = table("table_9_5_coeff_token")
    names = ("0<=nC<2", "2<=nC<4", "4<=nC<8", "nC==-1 (4:2:0 chroma DC)")
    out = np.zeros((4, 16 * 8), np.int32)
    for i, name in enumerate(names):
        codes = columns[name]
        packed = {key: int(key.split(",")[1]) * 4 + int(key.split(",")[0]) for key in codes}
        out[i] = _prefix_table(codes, packed)
    return out.reshape(-1)


def _fixed_token() -> np.ndarray:
    """nC >= 8: the 6 bits of the code -> TotalCoeff * 4 + TrailingOnes, -1 where there is none."""
    out = np.full(64, -1, np.int32)
    for key, code in table("table_9_5_coeff_token")["8<=nC"].items():
        ones, total = map(int, key.split(","))
        out[int(code, 2)] = total * 4 + ones
    return out


def _direct_table(rows: dict[str, dict[str, str]], count: int, bits: int) -> np.ndarray:
    """[row 1..count][next `bits` bits] -> value * 16 + code length; 0: no code."""
    out = np.zeros((count + 1, 1 << bits), np.uint8)
    for row, codes in rows.items():
        if not row.isdigit() or int(row) > count:
            continue
        for key, code in codes.items():
            first = int(code, 2) << (bits - len(code))
            out[int(row), first : first + (1 << (bits - len(code)))] = int(key) * 16 + len(code)
    return out.reshape(-1)


_COEFF_TOKEN = _coeff_token()
_FIXED_TOKEN = _fixed_token()
_TOTAL_ZEROS = _direct_table(table("table_9_7_9_8_total_zeros_4x4"), 15, 9)
_TOTAL_ZEROS_CHROMA_DC = _direct_table(table("table_9_9a_total_zeros_chroma_dc_420"), 3, 3)
_RUN_BEFORE = _direct_table({k: v for k, v in table("table_9_10_run_before").items() if k in "123456"}, 6, 3)


@kernel
def _total_zeros(window, total, most):
    """total_zeros from the top of a 32-bit window, as value * 16 + code length."""
    if most == 4:
        return np.int64(_TOTAL_ZEROS_CHROMA_DC[total * 8 + (window >> 29)])
    return np.int64(_TOTAL_ZEROS[total * 512 + (window >> 23)])


@kernel
def levels_cavlc(st, words, levels, base, step, n_c, most, found):
    """Decode one residual_block_cavlc. Returns TotalCoeff.

    base, step : entry of `levels` for scan position 0, and entries from one position to the next
    n_c        : nC (9.2.1), -1 for chroma DC
    most       : maxNumCoeff: 4, 15 or 16
    found      : int32[64], scratch
    """
    window = peek(st, words)
    bins = 1
    if n_c >= 8:
        token = np.int64(_FIXED_TOKEN[window >> 26])
        length = 6
    else:
        column = 3 if n_c < 0 else (0 if n_c < 2 else (1 if n_c < 4 else 2))
        zeros = min(leading_zeros(window), 15)
        entry = np.int64(_COEFF_TOKEN[column * 128 + zeros * 8 + ((window >> (28 - zeros)) & 7)])
        token = entry >> 5 if entry else np.int64(-1)
        length = entry & 31
    total = token >> 2
    if token < 0 or total > most:
        st[ERROR] = BAD_CODE
        return np.int64(0)
    position = st[POSITION] + length
    if total == 0:
        st[POSITION] = position
        st[BINS] += 1
        return np.int64(0)

    ones = token & 3
    st[POSITION] = position
    window = peek(st, words)
    for i in range(ones):
        found[i] = 1 - 2 * ((window >> (31 - i)) & 1)
    st[POSITION] += ones
    bins += ones
    suffix_length = 1 if total > 10 and ones < 3 else 0
    for i in range(ones, total):
        window = peek(st, words)
        prefix = leading_zeros(window)
        if prefix > 25:
            st[ERROR] = BAD_CODE
            return np.int64(0)
        st[POSITION] += prefix + 1
        suffix_size = suffix_length
        if prefix == 14 and suffix_length == 0:
            suffix_size = 4
        elif prefix >= 15:
            suffix_size = prefix - 3
        code = min(prefix, 15) << suffix_length
        if suffix_size > 0:
            code += peek(st, words) >> (32 - suffix_size)
            st[POSITION] += suffix_size
        if prefix >= 15 and suffix_length == 0:
            code += 15
        if prefix >= 16:
            code += (1 << (prefix - 3)) - 4096
        if i == ones and ones < 3:
            code += 2
        level = (code + 2) >> 1
        if level > _LARGEST_LEVEL:
            st[ERROR] = BAD_VALUE
            return np.int64(0)
        found[i] = -level if code & 1 else level
        if suffix_length == 0:
            suffix_length = 1
        if level > (3 << (suffix_length - 1)) and suffix_length < 6:
            suffix_length += 1
        bins += 1

    zeros_left = np.int64(0)
    if total < most:
        entry = _total_zeros(peek(st, words), total, most)
        zeros_left = entry >> 4
        if entry == 0 or zeros_left + total > most:
            st[ERROR] = BAD_CODE
            return np.int64(0)
        st[POSITION] += entry & 15
        bins += 1
    at = base + (zeros_left + total - 1) * step
    levels[at] = found[0]
    for i in range(1, total):
        run = np.int64(0)
        if zeros_left > 0:
            window = peek(st, words)
            bins += 1
            if zeros_left <= 6:
                entry = np.int64(_RUN_BEFORE[zeros_left * 8 + (window >> 29)])
                run = entry >> 4
                st[POSITION] += entry & 15
            elif window >> 29:
                run = 7 - (window >> 29)
                st[POSITION] += 3
            else:
                run = leading_zeros(window) + 4
                st[POSITION] += run - 3
            if run > zeros_left:
                st[ERROR] = BAD_CODE
                return np.int64(0)
            zeros_left -= run
        at -= (1 + run) * step
        levels[at] = found[i]
    st[BINS] += bins
    return total
