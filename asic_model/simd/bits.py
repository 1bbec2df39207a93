"""Bit tricks as primitives: masks of non-zero levels, bit lengths, how many bits residuals take."""

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


def _group_bits_emission(emitter, samples, at, up, first, groups):
    builder = emitter.builder
    total = cgutils.alloca_once_value(builder, emitter.i64(0))
    with emitter.rows(groups) as group:
        step = emitter.mul(group, 16)
        here, above = emitter.add(at, step), emitter.add(up, step)
        x, a, b, c = (
            samples.load(place, 16).widen_unsigned(16)
            for place in (here, emitter.add(here, -1), above, emitter.add(above, -1))
        )
        # The first sample has no neighbour to the left: it is predicted from the one above, in the first row from 128.
        corner = builder.extract_element(b.value, emitter.i64(0))
        start = builder.select(builder.trunc(first, I1), ir.Constant(ir.IntType(16), 128), corner)
        a = emitter.choose(group, a, a._new(builder.insert_element(a.value, start, emitter.i64(0))))
        c = emitter.choose(group, c, c._new(builder.insert_element(c.value, corner, emitter.i64(0))))
        b, c = emitter.choose(first, a, b), emitter.choose(first, a, c)
        difference = x - (a + b - c).max(a.min(b)).min(a.max(b))
        folded = (difference << 1) ^ (difference >> 15)
        every = builder.zext(folded._call("vector.reduce.or", result=ir.IntType(16)), I64)
        needed = emitter.smaller(_bit_length_emission(emitter, every), 8)
        bits = emitter.add(emitter.mul(needed, 16), 4)
        builder.store(builder.add(builder.load(total), bits), total)
    return builder.load(total)


@primitive(_group_bits_emission)
def group_bits(samples, at, up, first, groups):
    """Bits of a row of 16 * `groups` samples at `at` as frame compression codes them, the row above at `up`.

    Each sample is predicted by the median of left, up and left + up - upper left; residuals are folded (0, -1, 1, -2,
    2 ...), and 16 of them take as many bits each as the largest, 8 at most, and 4 bits that say how many.
    first : 1: the row is the first, there is none above it
    """
    total = 0
    for group in range(groups):
        every = np.int64(0)
        for x in range(16 * group, 16 * group + 16):
            b = np.int64(samples[up + x])
            a, c = (np.int64(samples[at + x - 1]), np.int64(samples[up + x - 1])) if x else (b, b)
            if first:
                a = a if x else np.int64(128)
                b = c = a
            difference = np.int64(samples[at + x]) - min(max(a + b - c, min(a, b)), max(a, b))
            every |= (difference << 1) ^ (difference >> 63)
        needed = 0
        while every >> needed:
            needed += 1
        total += 4 + 16 * min(needed, 8)
    return total
