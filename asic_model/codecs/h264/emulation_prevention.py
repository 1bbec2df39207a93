"""Emulation prevention (H.264 7.4.1.1) as a kernel: the output stage of the encoder (input: `parse.bitstream`)."""

import numpy as np

from asic_model.kernel_cache import kernel


@kernel
def escape_into(rbsp, size, out, position, limit):
    """Copy `rbsp[:size]` to `out` from `position` on, inserting emulation prevention bytes.

    rbsp, out : uint8[:]
    Returns the position after the last byte, or -1 when that would pass `limit` (then out[limit:] is untouched and
    what stands before it is no stream).
    """
    zeros = 0
    if position + size <= limit - size // 2 - 1:  # cannot overflow: at most one byte more for every two
        for i in range(size):
            value = rbsp[i]
            if zeros == 2 and value <= 3:
                out[position] = 3
                position += 1
                zeros = 0
            out[position] = value
            position += 1
            zeros = zeros + 1 if value == 0 else 0
    else:
        for i in range(size):
            value = rbsp[i]
            escaped = zeros == 2 and value <= 3
            if position + 1 + escaped > limit:
                return np.int64(-1)
            if escaped:
                out[position] = 3
                position += 1
                zeros = 0
            out[position] = value
            position += 1
            zeros = zeros + 1 if value == 0 else 0
    if zeros:  # cabac_zero_word at the very end
        if position >= limit:
            return np.int64(-1)
        out[position] = 3
        position += 1
    return np.int64(position)
