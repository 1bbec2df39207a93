"""Bits of a slice: the RBSP as big-endian 32-bit words, and the fixed-length and Exp-Golomb codes (H.264 9.1)."""

import numpy as np

from asic_model.engines.parse.state import BAD_CODE, BINS, ERROR, LAST_WORD, POSITION
from asic_model.kernel_cache import kernel

# Leading zeros of a byte; 8 for zero.
_LEADING_ZEROS = np.array([8 - int(value).bit_length() for value in range(256)], np.uint8)

PADDING_WORDS = 4  # zero words behind the RBSP: a read may begin at the last data word and run one word on


@kernel
def load_words(data, begin, end, words):
    """Pack the NAL unit's payload `data[begin:end]` into `words`, without emulation prevention bytes (7.4.1.1).

    data  : uint8[:]; words : uint32[(end - begin) // 4 + 1 + PADDING_WORDS or more], first bit of the stream on top
    Returns (index of the last word with data, position of rbsp_stop_one_bit or 0 when there is none).
    """
    zeros = 0
    count = np.int64(0)
    word = np.int64(0)
    last = np.int64(0)  # byte that is not zero, and its end: trailing zeros and cabac_zero_words do not count
    last_end = np.int64(0)
    for i in range(begin, end):
        value = np.int64(data[i])
        if value == 0:
            zeros += 1
        else:
            if zeros >= 2 and value == 3:
                zeros = 0
                continue
            zeros = 0
            last = value
            last_end = count + 1
        word = (word << 8) | value
        count += 1
        if count & 3 == 0:
            words[(count >> 2) - 1] = word
            word = np.int64(0)
    whole = count >> 2
    words[whole] = word << (8 * (4 - (count & 3))) if count & 3 else 0
    for i in range(PADDING_WORDS):
        words[whole + 1 + i] = 0
    stop = 8 * last_end
    if last_end:
        stop -= 1
        while not last & 1:
            last >>= 1
            stop -= 1
    return whole, stop


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
