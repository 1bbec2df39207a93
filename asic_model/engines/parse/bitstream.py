"""Bits of a slice: the RBSP as big-endian 32-bit words, and the fixed-length and Exp-Golomb codes (H.264 9.1)."""

import numpy as np

from asic_model.engines.parse.state import BAD_CODE, BINS, ERROR, LAST_WORD, POSITION
from asic_model.kernel_cache import kernel

# Leading zeros of a byte; 8 for zero.
_LEADING_ZEROS = np.array([8 - int(value).bit_length() for value in range(256)], np.uint8)

PADDING_WORDS = 4  # zero words behind the RBSP: a read may begin at the last data word and run one word on


def rbsp_words(rbsp: np.ndarray, words: np.ndarray) -> tuple[int, int]:
    """Pack `rbsp` (uint8, without emulation prevention) into `words` (uint32, first bit of the stream on top).

    `words` needs `rbsp.size // 4 + 1 + PADDING_WORDS` entries.
    Returns (index of the last word with data, position of rbsp_stop_one_bit or 0 when there is none).
    """
    size = rbsp.size
    whole = size // 4
    words[:whole] = rbsp[: whole * 4].view(">u4")
    tail = np.zeros(4, np.uint8)
    tail[: size - whole * 4] = rbsp[whole * 4 :]
    words[whole : whole + 1] = tail.view(">u4")
    words[whole + 1 : whole + 1 + PADDING_WORDS] = 0
    while size and not rbsp[size - 1]:  # trailing_zero_8bits and cabac_zero_words
        chunk = rbsp[max(0, size - 4096) : size]
        used = np.flatnonzero(chunk)
        size = size - chunk.size + (int(used[-1]) + 1 if used.size else 0)
    if not size:
        return whole, 0
    last = int(rbsp[size - 1])
    return whole, size * 8 - (last & -last).bit_length()


@kernel
def leading_zeros(value):
    """Zero bits above the highest one of a 32-bit value (32 for zero)."""
    if value >= 1 << 24:
        return np.int64(_LEADING_ZEROS[value >> 24])
    if value >= 1 << 16:
        return np.int64(_LEADING_ZEROS[value >> 16]) + 8
    if value >= 1 << 8:
        return np.int64(_LEADING_ZEROS[value >> 8]) + 16
    return np.int64(_LEADING_ZEROS[value]) + 24


@kernel
def peek(st, words):
    """Return the next 32 bits without moving; zeros behind the end of the data."""
    position = st[POSITION]
    word = min(position >> 5, st[LAST_WORD] + 1)
    pair = (np.int64(words[word]) << 32) | np.int64(words[word + 1])
    return (pair >> (32 - (position & 31))) & 0xFFFFFFFF


@kernel
def read_bits(st, words, count):
    """u(count), 1 <= count <= 32."""
    value = peek(st, words) >> (32 - count)
    st[POSITION] += count
    return value


@kernel
def read_ue(st, words):
    """ue(v). A code of more than 31 leading zeros sets BAD_CODE and gives 0."""
    st[BINS] += 1
    window = peek(st, words)
    zeros = leading_zeros(window)
    if zeros <= 15:
        st[POSITION] += 2 * zeros + 1
        return (window >> (31 - 2 * zeros)) - 1
    if zeros > 31:
        st[ERROR] = BAD_CODE
        return np.int64(0)
    st[POSITION] += zeros
    return read_bits(st, words, zeros + 1) - 1


@kernel
def read_se(st, words):
    """se(v)."""
    code = read_ue(st, words)
    if code & 1:
        return (code + 1) >> 1
    return -(code >> 1)


@kernel
def read_te(st, words, largest):
    """te(v) with cMax = `largest` (9.1.2)."""
    if largest == 1:
        st[BINS] += 1
        return np.int64(1) - read_bits(st, words, 1)
    return read_ue(st, words)
