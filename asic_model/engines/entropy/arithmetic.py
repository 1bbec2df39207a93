"""The arithmetic coder of CABAC (H.264 9.3.4.2): symbols in, bytes out.

A symbol is uint16: ctxIdx << 1 | bin, with CTX_BYPASS for bypass bins and CTX_TERMINATE for terminating ones. All
three take the same branchless step. The standard's codILow keeps its 9 bits at the low end of `low`, and the bits
that it has put out stay above them, `queue` of them, until 32 go to the buffer at once; a carry out of those is
added to the bytes already there, instead of the standard's bitsOutstanding counter. The bytes are the same.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import NEXT_STATE, RANGE_LPS
from asic_model.kernel_cache import kernel

# [range]: shifts that bring a range of 2..510 back to 256 or more (RenormE)
_RENORM_SHIFT = np.array([9 - max(1, value.bit_length()) for value in range(512)], np.uint8)


@kernel
def _carry(out, position):
    """Add one to the big-endian number that ends before `position`."""
    position -= 1
    while out[position] == 255:
        out[position] = 0
        position -= 1
    out[position] += np.uint8(1)


@kernel
def encode_symbols(symbols, count, states, low, rng, queue, out, position):
    """Code symbols[:count]; return the new (low, rng, queue, position).

    states : uint8[CONTEXTS], updated
    low, rng, queue : the coder, (0, 510, 0) at the start of a slice and after I_PCM samples
    out    : uint8[:], at least 2 * count + 8 bytes of room behind `position` (a bin shifts out 8 bits at most)
    """
    for i in range(count):
        symbol = np.int64(symbols[i])
        ctx = symbol >> 1
        state = np.int64(states[ctx])
        bypass = state >> 7
        states[ctx] = NEXT_STATE[state << 1 | (symbol & 1)]
        # a bypass bin halves the doubled range: both halves are the range itself, without renormalisation
        lps = np.int64(RANGE_LPS[((state & 126) << 1) | ((rng >> 6) & 3)])
        lps = rng if bypass else lps
        mps = (rng << bypass) - lps
        low <<= bypass
        least = (symbol ^ state) & 1
        low += mps if least else 0
        rng = lps if least else mps
        shift = np.int64(_RENORM_SHIFT[rng])
        rng <<= shift
        low <<= shift
        queue += shift + bypass
        if queue >= 32:
            queue -= 32
            top = low >> (9 + queue)
            low &= (np.int64(1) << (9 + queue)) - 1
            if top >> 32:
                _carry(out, position)
            out[position] = np.uint8((top >> 24) & 255)
            out[position + 1] = np.uint8((top >> 16) & 255)
            out[position + 2] = np.uint8((top >> 8) & 255)
            out[position + 3] = np.uint8(top & 255)
            position += 4
    return low, rng, queue, position


@kernel
def flush(low, queue, out, position):
    """Finish after a terminating bin of 1 (EncodeFlush, 9.3.4.5) and fill up to the byte with zeros.

    The last bit written is a one: rbsp_stop_one_bit at the end of a slice. Returns (position, bits written).
    """
    bits = queue + 2
    value = (low >> 7) | 1
    if value >> bits:
        _carry(out, position)
    fill = -bits & 7
    value <<= fill
    size = (bits + fill) >> 3
    for i in range(size):
        out[position + i] = np.uint8((value >> (8 * (size - 1 - i))) & 255)
    return position + size, bits
