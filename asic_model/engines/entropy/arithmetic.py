"""The arithmetic coder of CABAC (H.264 9.3.4.2): symbols in, bytes out.

A symbol is uint16: ctxIdx << 1 | bin, with CTX_BYPASS for bypass bins and CTX_TERMINATE for terminating ones. All
three take the same step, which compiles to selects. The standard's codILow keeps its 9 bits at the low end of `low`;
the bits that it has put out stay above them, `queue` of them, until 32 go to the buffer at once. A carry out of those
is added to the bytes already there, instead of the standard's bitsOutstanding counter. The bytes are the same.
"""

import numpy as np

from asic_model.codecs.h264.cabac_contexts import LPS_RANGES, NEXT_STATE
from asic_model.kernel_cache import kernel

# [LPS range]: shifts that bring it back to 256 or more (RenormE); a range after an MPS needs one at most
_LPS_SHIFT = np.array([9 - value.bit_length() for value in range(256)], np.uint8)


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
        # A bypass bin doubles `low` and adds the range for a one; the range stays. Its LPS range is 0 here, which makes
        # the range of the MPS the range itself.
        lps = (LPS_RANGES[state] >> ((rng >> 3) & 24)) & 255
        mps = rng - lps
        least = (symbol ^ state) & 1
        low = (low << bypass) + (mps & -least)
        if least & (bypass ^ 1):
            shift = np.int64(_LPS_SHIFT[lps])
            rng = lps << shift
            low <<= shift
        else:
            shift = (mps >> 8) ^ 1
            rng = mps << shift
            low <<= shift
            shift += bypass
        queue += shift
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
