"""Vector primitives of the residual transforms (H.264 8.5.12, 8.5.13) and of quantisation.

Coefficients stand in scan order (zig-zag, or field with `field` not 0), 16 or 64 int16 a block: quantisation and
scaling are lane by lane and only the transforms permute. "Quad" primitives do the four 4x4 blocks of an 8x8 area at
once, in the order of 6.4.3 (left to right, then down).

Forward transforms are exact in 16 bits for residuals of -255..255. Scaled coefficients are kept in 16 bits (they wrap;
conforming streams never get there), the inverse transforms compute in 32 bits and hence never wrap.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from asic_model.codecs.h264.tables import FIELD_SCAN_4X4, FIELD_SCAN_8X8, ZIGZAG_4X4, ZIGZAG_8X8
from asic_model.kernel_cache import kernel
from asic_model.simd.emit import Emitter, Pointer, Vector, primitive

SCANS_4X4 = np.stack([ZIGZAG_4X4, FIELD_SCAN_4X4]).astype(np.int64)  # [field][position] -> 4 * y + x
SCANS_8X8 = np.stack([ZIGZAG_8X8, FIELD_SCAN_8X8]).astype(np.int64)


def transpose(rows: Sequence[Vector]) -> list[Vector]:
    """Transpose the n x n matrices whose rows stand side by side in `rows` (n vectors of a multiple of n lanes)."""
    size, lanes = len(rows), rows[0].lanes
    result = list(rows)
    step = 1
    while step < size:
        following = list(result)
        for index in range(size):
            if index & step:
                continue
            one, two = result[index], result[index + step]
            low = [lane if not lane & step else lanes + lane - step for lane in range(lanes)]
            high = [lane + step if not lane & step else lanes + lane for lane in range(lanes)]
            following[index], following[index + step] = one.shuffle(low, two), one.shuffle(high, two)
        result = following
        step *= 2
    return result


def _forward_4(v: Sequence[Vector]) -> list[Vector]:
    """One dimension of the core transform."""
    outer, inner = v[0] + v[3], v[1] + v[2]
    outer_difference, inner_difference = v[0] - v[3], v[1] - v[2]
    return [
        outer + inner,
        outer_difference * 2 + inner_difference,
        outer - inner,
        outer_difference - inner_difference * 2,
    ]


def _inverse_4(v: Sequence[Vector]) -> list[Vector]:
    """One dimension of 8.5.12.2."""
    e, f = v[0] + v[2], v[0] - v[2]
    g, h = (v[1] >> 1) - v[3], v[1] + (v[3] >> 1)
    return [e + h, f + g, f - g, e - h]


def _forward_8(v: Sequence[Vector]) -> list[Vector]:
    sums = [v[i] + v[7 - i] for i in range(4)]
    differences = [v[i] - v[7 - i] for i in range(4)]
    even, middle = sums[0] + sums[3], sums[1] + sums[2]
    even_difference, middle_difference = sums[0] - sums[3], sums[1] - sums[2]
    d = differences
    a = d[1] + d[2] + (d[0] + (d[0] >> 1))
    b = d[0] - d[3] - (d[2] + (d[2] >> 1))
    c = d[0] + d[3] - (d[1] + (d[1] >> 1))
    e = d[1] - d[2] + (d[3] + (d[3] >> 1))
    return [
        even + middle,
        a + (e >> 2),
        even_difference + (middle_difference >> 1),
        b + (c >> 2),
        even - middle,
        c - (b >> 2),
        (even_difference >> 1) - middle_difference,
        (a >> 2) - e,
    ]


def _inverse_8(v: Sequence[Vector]) -> list[Vector]:
    """One dimension of 8.5.13."""
    a = [
        v[0] + v[4],
        v[5] - v[3] - v[7] - (v[7] >> 1),
        v[0] - v[4],
        v[1] + v[7] - v[3] - (v[3] >> 1),
        (v[2] >> 1) - v[6],
        v[7] - v[1] + v[5] + (v[5] >> 1),
        v[2] + (v[6] >> 1),
        v[3] + v[5] + v[1] + (v[1] >> 1),
    ]
    b0, b2, b4, b6 = a[0] + a[6], a[2] + a[4], a[2] - a[4], a[0] - a[6]
    b1, b7 = a[1] + (a[7] >> 2), a[7] - (a[1] >> 2)
    b3, b5 = a[3] + (a[5] >> 2), (a[3] >> 2) - a[5]
    return [b0 + b7, b2 + b5, b4 + b3, b6 + b1, b6 - b1, b4 - b3, b2 - b5, b0 - b7]


def _load_area(
    emitter: Emitter, block: Pointer, offset: Any, stride: Any, size: int, blocks: int, bits: int
) -> list[Vector]:
    """Rows of one block of `size`, or (blocks 4) rows of the 2 x 2 blocks of a double-size area side by side."""
    rows = []
    for y in range(size):
        samples = block.load(emitter.row(offset, stride, y), size if blocks == 1 else 2 * size)
        if blocks == 4:
            samples = samples.join(block.load(emitter.row(offset, stride, y + size), 2 * size))
        rows.append(samples.widen_unsigned(bits))
    return rows


def _forward_emission(size: int, blocks: int) -> Any:
    one_dimension = _forward_4 if size == 4 else _forward_8
    scans = SCANS_4X4 if size == 4 else SCANS_8X8

    def emission(emitter, coefs, coefs_offset, a, a_offset, a_stride, b, b_offset, b_stride, field):
        source = _load_area(emitter, a, a_offset, a_stride, size, blocks, 16)
        prediction = _load_area(emitter, b, b_offset, b_stride, size, blocks, 16)
        rows = one_dimension([s - p for s, p in zip(source, prediction, strict=True)])
        columns = emitter.stack(one_dimension(transpose(rows)))  # lane [column][block][row]
        orders = [
            [
                (position % size) * size * blocks + block * size + position // size
                for block in range(blocks)
                for position in scans[kind]
            ]
            for kind in range(2)
        ]
        coefs.store(coefs_offset, emitter.choose(field, columns.shuffle(orders[1]), columns.shuffle(orders[0])))

    return emission


def _inverse_emission(size: int, blocks: int) -> Any:
    one_dimension = _inverse_4 if size == 4 else _inverse_8
    scans = SCANS_4X4 if size == 4 else SCANS_8X8
    area = size * size

    def emission(emitter, dst, dst_offset, dst_stride, a, a_offset, a_stride, coefs, coefs_offset, field):
        lanes = area * blocks
        scanned = coefs.load(coefs_offset, lanes)
        orders = []
        for kind in range(2):
            position_of = {int(raster): position for position, raster in enumerate(scans[kind])}
            orders.append(
                [
                    block * area + position_of[y * size + x]
                    for x in range(size)
                    for block in range(blocks)
                    for y in range(size)
                ]
            )
        columns = emitter.choose(field, scanned.shuffle(orders[1]), scanned.shuffle(orders[0]))
        width = size * blocks
        wide = [columns.part(x * width, width).widen(32) for x in range(size)]
        rows = one_dimension(transpose(one_dimension(wide)))  # rows first, then columns, as the standard rounds
        prediction = _load_area(emitter, a, a_offset, a_stride, size, blocks, 32)
        for y in range(size):
            samples = (((rows[y] + 32) >> 6) + prediction[y]).to_samples()
            if blocks == 1:
                dst.store(emitter.row(dst_offset, dst_stride, y), samples)
            else:
                dst.store(emitter.row(dst_offset, dst_stride, y), samples.part(0, 2 * size))
                dst.store(emitter.row(dst_offset, dst_stride, y + size), samples.part(2 * size, 2 * size))

    return emission


@kernel
def _forward_4_scalar(v, at, step):
    outer, inner = v[at] + v[at + 3 * step], v[at + step] + v[at + 2 * step]
    outer_difference, inner_difference = v[at] - v[at + 3 * step], v[at + step] - v[at + 2 * step]
    v[at], v[at + step] = outer + inner, 2 * outer_difference + inner_difference
    v[at + 2 * step], v[at + 3 * step] = outer - inner, outer_difference - 2 * inner_difference


@kernel
def _inverse_4_scalar(v, at, step):
    p, q, r, s = v[at], v[at + step], v[at + 2 * step], v[at + 3 * step]
    e, f, g, h = p + r, p - r, (q >> 1) - s, q + (s >> 1)
    v[at], v[at + step], v[at + 2 * step], v[at + 3 * step] = e + h, f + g, f - g, e - h


@kernel
def _forward_8_scalar(v, at, step):
    s0, s1 = v[at] + v[at + 7 * step], v[at + step] + v[at + 6 * step]
    s2, s3 = v[at + 2 * step] + v[at + 5 * step], v[at + 3 * step] + v[at + 4 * step]
    d0, d1 = v[at] - v[at + 7 * step], v[at + step] - v[at + 6 * step]
    d2, d3 = v[at + 2 * step] - v[at + 5 * step], v[at + 3 * step] - v[at + 4 * step]
    a, b = d1 + d2 + d0 + (d0 >> 1), d0 - d3 - d2 - (d2 >> 1)
    c, e = d0 + d3 - d1 - (d1 >> 1), d1 - d2 + d3 + (d3 >> 1)
    v[at], v[at + 4 * step] = s0 + s3 + s1 + s2, s0 + s3 - s1 - s2
    v[at + 2 * step], v[at + 6 * step] = s0 - s3 + ((s1 - s2) >> 1), ((s0 - s3) >> 1) - s1 + s2
    v[at + step], v[at + 3 * step] = a + (e >> 2), b + (c >> 2)
    v[at + 5 * step], v[at + 7 * step] = c - (b >> 2), (a >> 2) - e


@kernel
def _inverse_8_scalar(v, at, step):
    p0, p1, p2, p3 = v[at], v[at + step], v[at + 2 * step], v[at + 3 * step]
    p4, p5, p6, p7 = v[at + 4 * step], v[at + 5 * step], v[at + 6 * step], v[at + 7 * step]
    a1, a3 = p5 - p3 - p7 - (p7 >> 1), p1 + p7 - p3 - (p3 >> 1)
    a5, a7 = p7 - p1 + p5 + (p5 >> 1), p3 + p5 + p1 + (p1 >> 1)
    a4, a6 = (p2 >> 1) - p6, p2 + (p6 >> 1)
    b0, b2, b4, b6 = p0 + p4 + a6, p0 - p4 + a4, p0 - p4 - a4, p0 + p4 - a6
    b1, b7, b3, b5 = a1 + (a7 >> 2), a7 - (a1 >> 2), a3 + (a5 >> 2), (a3 >> 2) - a5
    v[at], v[at + 7 * step] = b0 + b7, b0 - b7
    v[at + step], v[at + 6 * step] = b2 + b5, b2 - b5
    v[at + 2 * step], v[at + 5 * step] = b4 + b3, b4 - b3
    v[at + 3 * step], v[at + 4 * step] = b6 + b1, b6 - b1


@kernel
def _forward(coefs, coefs_offset, a, a_offset, a_stride, b, b_offset, b_stride, field, size):
    work = np.empty(size * size, np.int64)
    for y in range(size):
        for x in range(size):
            work[y * size + x] = np.int64(a[a_offset + y * a_stride + x]) - np.int64(b[b_offset + y * b_stride + x])
    for i in range(size):
        if size == 4:
            _forward_4_scalar(work, i, 4)
        else:
            _forward_8_scalar(work, i, 8)
    for i in range(size):
        if size == 4:
            _forward_4_scalar(work, 4 * i, 1)
        else:
            _forward_8_scalar(work, 8 * i, 1)
    for i in range(size * size):
        coefs[coefs_offset + i] = work[SCANS_4X4[field, i] if size == 4 else SCANS_8X8[field, i]]


@kernel
def _inverse_add(dst, dst_offset, dst_stride, a, a_offset, a_stride, coefs, coefs_offset, field, size):
    work = np.empty(size * size, np.int64)
    for i in range(size * size):
        work[SCANS_4X4[field, i] if size == 4 else SCANS_8X8[field, i]] = coefs[coefs_offset + i]
    for i in range(size):
        if size == 4:
            _inverse_4_scalar(work, 4 * i, 1)
        else:
            _inverse_8_scalar(work, 8 * i, 1)
    for i in range(size):
        if size == 4:
            _inverse_4_scalar(work, i, 4)
        else:
            _inverse_8_scalar(work, i, 8)
    for y in range(size):
        for x in range(size):
            value = np.int64(a[a_offset + y * a_stride + x]) + ((work[y * size + x] + 32) >> 6)
            dst[dst_offset + y * dst_stride + x] = min(max(value, 0), 255)


@primitive(_forward_emission(4, 1), results=0)
def forward_4x4(coefs, coefs_offset, a, a_offset, a_stride, b, b_offset, b_stride, field):
    """coefs (int16, 16 in scan order) = core transform of the 4x4 samples a - b."""
    _forward(coefs, coefs_offset, a, a_offset, a_stride, b, b_offset, b_stride, field, 4)


@primitive(_forward_emission(4, 4), results=0)
def forward_4x4_quad(coefs, coefs_offset, a, a_offset, a_stride, b, b_offset, b_stride, field):
    """coefs (int16, 4 x 16) = core transforms of the four 4x4 blocks of the 8x8 samples a - b."""
    for block in range(4):
        x, y = 4 * (block & 1), 4 * (block >> 1)
        at_a, at_b = a_offset + y * a_stride + x, b_offset + y * b_stride + x
        _forward(coefs, coefs_offset + 16 * block, a, at_a, a_stride, b, at_b, b_stride, field, 4)


@primitive(_forward_emission(8, 1), results=0)
def forward_8x8(coefs, coefs_offset, a, a_offset, a_stride, b, b_offset, b_stride, field):
    """coefs (int16, 64 in scan order) = 8x8 transform of the samples a - b."""
    _forward(coefs, coefs_offset, a, a_offset, a_stride, b, b_offset, b_stride, field, 8)


@primitive(_inverse_emission(4, 1), results=0)
def inverse_4x4_add(dst, dst_offset, dst_stride, a, a_offset, a_stride, coefs, coefs_offset, field):
    """dst = Clip1(a + inverse 4x4 transform of scaled `coefs`); dst may be a (8.5.12.2, 8.5.14)."""
    _inverse_add(dst, dst_offset, dst_stride, a, a_offset, a_stride, coefs, coefs_offset, field, 4)


@primitive(_inverse_emission(4, 4), results=0)
def inverse_4x4_quad_add(dst, dst_offset, dst_stride, a, a_offset, a_stride, coefs, coefs_offset, field):
    """The four 4x4 blocks of an 8x8 area, as `inverse_4x4_add`; `coefs` holds 4 x 16."""
    for block in range(4):
        x, y = 4 * (block & 1), 4 * (block >> 1)
        at_dst, at_a = dst_offset + y * dst_stride + x, a_offset + y * a_stride + x
        _inverse_add(dst, at_dst, dst_stride, a, at_a, a_stride, coefs, coefs_offset + 16 * block, field, 4)


@primitive(_inverse_emission(8, 1), results=0)
def inverse_8x8_add(dst, dst_offset, dst_stride, a, a_offset, a_stride, coefs, coefs_offset, field):
    """dst = Clip1(a + inverse 8x8 transform of scaled `coefs`); dst may be a (8.5.13, 8.5.14)."""
    _inverse_add(dst, dst_offset, dst_stride, a, a_offset, a_stride, coefs, coefs_offset, field, 8)


def _quantise_emission(count: int) -> Any:
    def emission(emitter, levels, levels_offset, coefs, coefs_offset, factor, factor_offset, rounding, shift):
        values = coefs.load(coefs_offset, count).widen(32)
        scaled = values.abs() * factor.load(factor_offset, count) + emitter.splat(rounding, count, 32)
        magnitude = scaled >> emitter.splat(shift, count, 32)
        sign = values >> 31
        quantised = ((magnitude ^ sign) - sign).narrow(16)
        levels.store(levels_offset, quantised)
        return emitter.count_ones(quantised.differs(0).bits_i64())

    return emission


@kernel
def _quantise(levels, levels_offset, coefs, coefs_offset, factor, factor_offset, rounding, shift, count):
    total = 0
    for i in range(count):
        value = np.int64(coefs[coefs_offset + i])
        level = (abs(value) * factor[factor_offset + i] + rounding) >> shift
        levels[levels_offset + i] = -level if value < 0 else level
        total += level != 0
    return total


@primitive(_quantise_emission(16))
def quantise_16(levels, levels_offset, coefs, coefs_offset, factor, factor_offset, rounding, shift):
    """levels = sign * ((|coef| * factor + rounding) >> shift) for 16 coefficients; return how many are not zero.

    Arrays are int16 levels and coefs, int32 factors, all seen flat. Products stay below 2^31.
    """
    return _quantise(levels, levels_offset, coefs, coefs_offset, factor, factor_offset, rounding, shift, 16)


@primitive(_quantise_emission(64))
def quantise_64(levels, levels_offset, coefs, coefs_offset, factor, factor_offset, rounding, shift):
    """As `quantise_16` for 64 coefficients."""
    return _quantise(levels, levels_offset, coefs, coefs_offset, factor, factor_offset, rounding, shift, 64)


def _counts_emission(emitter: Emitter, levels: Pointer, offset: Any) -> Any:
    present = levels.load(offset, 64).differs(0).bits_i64()
    every_fourth = int("0001" * 16, 2)
    return tuple(emitter.count_ones(emitter.builder.and_(present, emitter.i64(every_fourth << k))) for k in range(4))


@primitive(_counts_emission, results=4)
def interleaved_counts(levels, offset):
    """How many of 64 levels are not zero among those at positions 0, 4, 8 ..; 1, 5, 9 ..; 2, 6 ..; 3, 7 .."""
    a = b = c = d = 0
    for i in range(offset, offset + 64, 4):
        a += levels[i] != 0
        b += levels[i + 1] != 0
        c += levels[i + 2] != 0
        d += levels[i + 3] != 0
    return a, b, c, d


def _scale_emission(count: int, shift: int) -> Any:
    def emission(emitter, coefs, coefs_offset, levels, levels_offset, scale, scale_offset):
        product = levels.load(levels_offset, count).widen(32) * scale.load(scale_offset, count)
        coefs.store(coefs_offset, ((product + (1 << (shift - 1))) >> shift).narrow(16))

    return emission


@kernel
def _scale(coefs, coefs_offset, levels, levels_offset, scale, scale_offset, count, shift):
    for i in range(count):
        product = np.int64(levels[levels_offset + i]) * np.int64(scale[scale_offset + i])
        value = (product + (1 << (shift - 1))) >> shift
        coefs[coefs_offset + i] = ((value + 32768) & 65535) - 32768


@primitive(_scale_emission(16, 4), results=0)
def scale_16(coefs, coefs_offset, levels, levels_offset, scale, scale_offset):
    """Scaling of 4x4 levels (8.5.12.1): coefs = (level * scale + 8) >> 4, with scale = LevelScale4x4 << (qP / 6)."""
    _scale(coefs, coefs_offset, levels, levels_offset, scale, scale_offset, 16, 4)


@primitive(_scale_emission(64, 6), results=0)
def scale_64(coefs, coefs_offset, levels, levels_offset, scale, scale_offset):
    """Scaling of 8x8 levels (8.5.13.1): coefs = (level * scale + 32) >> 6, with scale = LevelScale8x8 << (qP / 6)."""
    _scale(coefs, coefs_offset, levels, levels_offset, scale, scale_offset, 64, 6)


def _scale_with_dc_emission(emitter, coefs, coefs_offset, levels, levels_offset, scale, scale_offset, dc):
    product = levels.load(levels_offset, 16).widen(32) * scale.load(scale_offset, 16)
    scaled = ((product + 8) >> 4).narrow(16)
    first = emitter.splat(dc, 16, 16)
    coefs.store(coefs_offset, scaled.shuffle([16, *range(1, 16)], first))


@primitive(_scale_with_dc_emission, results=0)
def scale_16_with_dc(coefs, coefs_offset, levels, levels_offset, scale, scale_offset, dc):
    """As `scale_16`, with the scaled value `dc` (16 bits) in place of the first."""
    _scale(coefs, coefs_offset, levels, levels_offset, scale, scale_offset, 16, 4)
    coefs[coefs_offset] = dc


# Place of luma 4x4 block (x, y) in the order of 6.4.3, by raster index 4 * y + x
_BLOCK_OF_RASTER = [8 * (y // 2) + 4 * (x // 2) + 2 * (y % 2) + x % 2 for y in range(4) for x in range(4)]


def _hadamard(v: Sequence[Vector]) -> list[Vector]:
    """One dimension of 8-321."""
    a, b, c, d = v[0] + v[1], v[0] - v[1], v[2] + v[3], v[2] - v[3]
    return [a + c, a - c, b - d, b + d]


def _luma_dc_emission(emitter, out, out_offset, levels, levels_offset, scale, field):
    scanned = levels.load(levels_offset, 16)
    orders = []
    for kind in range(2):
        position_of = {int(raster): position for position, raster in enumerate(SCANS_4X4[kind])}
        orders.append([position_of[raster] for raster in range(16)])
    matrix = emitter.choose(field, scanned.shuffle(orders[1]), scanned.shuffle(orders[0])).widen(32)
    rows = [matrix.part(4 * y, 4) for y in range(4)]
    sums = emitter.stack(transpose(_hadamard(transpose(_hadamard(rows)))))
    scaled = ((sums * emitter.splat(scale, 16, 32) + 32) >> 6).narrow(16)
    raster_of = {block: raster for raster, block in enumerate(_BLOCK_OF_RASTER)}
    out.store(out_offset, scaled.shuffle([raster_of[block] for block in range(16)]))


@kernel
def _hadamard_scalar(values, at, step):
    p, q, r, s = values[at], values[at + step], values[at + 2 * step], values[at + 3 * step]
    values[at], values[at + step] = p + q + r + s, p + q - r - s
    values[at + 2 * step], values[at + 3 * step] = p - q - r + s, p - q + r - s


@primitive(_luma_dc_emission, results=0)
def inverse_luma_dc_16(out, out_offset, levels, levels_offset, scale, field):
    """Scaled DC values of Intra16x16 (8.5.10) by blkIdx, from 16 levels in scan order; `scale` as in `scale_16`."""
    values = np.empty(16, np.int64)
    for i in range(16):
        values[SCANS_4X4[field, i]] = levels[levels_offset + i]
    for i in range(4):
        _hadamard_scalar(values, i, 4)
    for i in range(4):
        _hadamard_scalar(values, 4 * i, 1)
    for block in range(16):
        raster = 8 * (block // 8) + 4 * (block // 2 % 2) + 2 * (block // 4 % 2) + block % 2
        value = (values[raster] * scale + 32) >> 6
        out[out_offset + block] = ((value + 32768) & 65535) - 32768
