"""Bit tricks as primitives: masks of non-zero levels, bit lengths."""

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from asic_model.simd.emit import I1, I64, primitive


def _mask_emission(lanes):
    def emission(emitter, values, offset):
        return values.load(offset, lanes).differs(0).bits_i64()

    return emission


@primitive(_mask_emission(16))
def nonzero_mask_16(values, offset):
    """Bit i is set where values[offset + i] is not 0, i < 16; values: int16[:]."""
    mask = 0
    for i in range(16):
        if values[offset + i] != 0:
            mask |= 1 << i
    return mask


@primitive(_mask_emission(64))
def nonzero_mask_64(values, offset):
    """Bit i is set where values[offset + i] is not 0, i < 64, as a signed 64-bit integer; values: int16[:]."""
    mask = np.int64(0)
    for i in range(64):
        if values[offset + i] != 0:
            mask |= np.int64(1) << np.int64(i)
    return mask


def _bit_length_emission(emitter, value):
    kind = ir.FunctionType(I64, [I64, I1])
    function = cgutils.get_or_insert_function(emitter.builder.module, kind, "llvm.ctlz.i64")
    zeros = emitter.builder.call(function, [value, ir.Constant(I1, 0)])
    return emitter.builder.sub(ir.Constant(I64, 64), zeros)


@primitive(_bit_length_emission)
def bit_length(value):
    """Bits of `value` >= 0 without leading zeros; 0 for 0."""
    length = 0
    while value > 0:
        length += 1
        value >>= 1
    return length


@primitive(lambda emitter, value: emitter.count_ones(value))
def bit_count(value):
    """Ones of `value` >= 0."""
    count = 0
    while value > 0:
        count += value & 1
        value >>= 1
    return count
