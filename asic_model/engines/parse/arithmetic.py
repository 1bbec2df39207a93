"""The arithmetic decoder of CABAC (H.264 9.3.1.2 and 9.3.3.2).

codIOffset is kept with up to 31 further bits of the stream below it (`VALUE`, `BITS`), so that the stream is
touched once in 32 bits; the comparisons and subtractions are those of the standard, scaled by 2^BITS.
Contexts are those of `codecs.h264.cabac_contexts`: one byte, pStateIdx * 2 + valMPS.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import LPS_RANGES, NEXT_STATE
from asic_model.engines.parse.state import BINS, BITS, LAST_WORD, POSITION, RANGE, VALUE
from asic_model.kernel_cache import kernel

# [range]: left shifts that bring a range back to 256 or more (9.3.3.2.2)
_RENORM = np.array([9 - int(value).bit_length() if value else 0 for value in range(512)], np.uint8)


@kernel
def _load(words, position, last_word):
    """32 bits from `position` on; zeros behind the end of the data."""
    word = min(position >> 5, last_word + 1)
    pair = (np.int64(words[word]) << 32) | np.int64(words[word + 1])
    return (pair >> (32 - (position & 31))) & 0xFFFFFFFF


@kernel
def init_engine(st, words):
    """Start the engine at bit st[POSITION] (9.3.1.2)."""
    st[RANGE] = 510
    st[VALUE] = _load(words, st[POSITION], st[LAST_WORD])
    st[BITS] = 32 - 9
    st[POSITION] += 32


@kernel
def consumed_bits(st):
    """Position of the first bit that the engine has not read in the standard's terms (9 bits ahead)."""
    return st[POSITION] - st[BITS]


@kernel
def decode_step(cx, words, index, rng, value, bits, position, last_word):
    """DecodeDecision on local state. Returns (bin, rng, value, bits, position)."""
    state = np.int64(cx[index])
    lps = (LPS_RANGES[state] >> ((rng >> 3) & 24)) & 0xFF
    rng -= lps
    scaled = rng << bits
    if value < scaled:
        binary = state & 1
        cx[index] = NEXT_STATE[(state << 1) + binary]
        if rng < 256:
            rng <<= 1
            bits -= 1
    else:
        value -= scaled
        binary = (state & 1) ^ 1
        cx[index] = NEXT_STATE[(state << 1) + binary]
        shift = np.int64(_RENORM[lps])
        rng = lps << shift
        bits -= shift
    if bits < 0:
        value = (value << 32) | _load(words, position, last_word)
        bits += 32
        position += 32
    return binary, rng, value, bits, position


@kernel
def bypass_step(words, rng, value, bits, position, last_word):
    """DecodeBypass on local state. Returns (bin, value, bits, position)."""
    bits -= 1
    if bits < 0:
        value = (value << 32) | _load(words, position, last_word)
        bits += 32
        position += 32
    scaled = rng << bits
    if value >= scaled:
        return np.int64(1), value - scaled, bits, position
    return np.int64(0), value, bits, position


@kernel
def decode_bin(st, cx, words, index):
    """DecodeDecision with context `index`."""
    binary, rng, value, bits, position = decode_step(
        cx, words, index, st[RANGE], st[VALUE], st[BITS], st[POSITION], st[LAST_WORD]
    )
    st[RANGE] = rng
    st[VALUE] = value
    st[BITS] = bits
    st[POSITION] = position
    st[BINS] += 1
    return binary


@kernel
def decode_bypass(st, words):
    """DecodeBypass."""
    binary, value, bits, position = bypass_step(words, st[RANGE], st[VALUE], st[BITS], st[POSITION], st[LAST_WORD])
    st[VALUE] = value
    st[BITS] = bits
    st[POSITION] = position
    st[BINS] += 1
    return binary


@kernel
def decode_terminate(st, words):
    """DecodeTerminate. After a 1 nothing is renormalised and `consumed_bits` stands behind the last bit written."""
    st[BINS] += 1
    rng = st[RANGE] - 2
    if st[VALUE] >= rng << st[BITS]:
        return np.int64(1)
    st[RANGE] = rng
    if rng < 256:
        st[RANGE] = rng << 1
        st[BITS] -= 1
        if st[BITS] < 0:
            st[VALUE] = (st[VALUE] << 32) | _load(words, st[POSITION], st[LAST_WORD])
            st[BITS] += 32
            st[POSITION] += 32
    return np.int64(0)
