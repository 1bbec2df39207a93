"""The arithmetic decoder of CABAC (H.264 9.3.1.2 and 9.3.3.2).

codIOffset is kept with up to 31 further bits of the stream below it (`VALUE`, `BITS`), so that the stream is
touched once in 32 bits; the comparisons and subtractions are those of the standard, scaled by 2^BITS.
A context is one byte: pStateIdx * 2 + valMPS.
"""

import numpy as np

from asic_model.codecs.h264.tables import CABAC_MN, RANGE_TAB_LPS, TRANS_IDX_LPS, TRANS_IDX_MPS
from asic_model.engines.parse.state import BINS, BITS, LAST_WORD, POSITION, RANGE, VALUE
from asic_model.kernel_cache import kernel

CONTEXTS = 1024

_states = np.arange(128)
# [state]: next state after the most and after the least probable symbol; pStateIdx 0 swaps valMPS on an LPS
_NEXT_MPS = (TRANS_IDX_MPS[_states >> 1] * 2 + (_states & 1)).astype(np.uint8)
_NEXT_LPS = (TRANS_IDX_LPS[_states >> 1] * 2 + ((_states & 1) ^ (_states < 2))).astype(np.uint8)
# [(state << 2) + qCodIRangeIdx]
_LPS_RANGE = np.repeat(RANGE_TAB_LPS, 2, axis=0).reshape(-1).copy()
# [range]: left shifts that bring a range back to 256 or more (9.3.3.2.2)
_RENORM = np.array([9 - int(value).bit_length() if value else 0 for value in range(512)], np.uint8)
_MN = np.ascontiguousarray(CABAC_MN.reshape(-1))


@kernel
def init_contexts(cx, table, qp):
    """Set all contexts for a slice (9.3.1.1). table: 0 for I, cabac_init_idc + 1 otherwise; qp: SliceQPY, 0..51."""
    for i in range(CONTEXTS):
        at = (table * CONTEXTS + i) * 2
        state = min(max(((np.int64(_MN[at]) * qp) >> 4) + np.int64(_MN[at + 1]), 1), 126)
        cx[i] = (63 - state) * 2 if state <= 63 else (state - 64) * 2 + 1


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
    lps = np.int64(_LPS_RANGE[(state << 2) + ((rng >> 6) & 3)])
    rng -= lps
    scaled = rng << bits
    if value < scaled:
        cx[index] = _NEXT_MPS[state]
        binary = state & 1
        if rng < 256:
            rng <<= 1
            bits -= 1
    else:
        value -= scaled
        cx[index] = _NEXT_LPS[state]
        binary = (state & 1) ^ 1
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
