"""Vector primitives of intra prediction (H.264 8.3).

A block's neighbours stand in one line: from the lowest left sample up to the corner, then along the row above. Every
sample of a directional mode is a sample of this line, or of it filtered by (1, 1) or by (1, 2, 1): `DIRECTIONS` says
which, so that a mode is one permutation of three short vectors.
"""

from typing import Any

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.simd.emit import Emitter, Vector, primitive

MODES = 9
DC = 2
_RAW, _PAIR, _TRIPLE = 0, 1, 2  # the line itself; (k + [k+1] + 1) >> 1; ([k-1] + 2k + [k+1] + 2) >> 2


def corner_index(size: int) -> int:
    """Place of p[-1, -1] in the line of a block of `size`; p[-1, y] stands y + 1 before it, p[x, -1] x + 1 behind.

    The line starts with the lowest left sample once more and ends with the last one above once more.
    """
    return size + 1


def line_lanes(size: int) -> int:
    return 16 if size == 4 else 32


def _direction(mode: int, size: int, x: int, y: int) -> tuple[int, int]:
    """(filter, line index) of sample (x, y): 8.3.1.2.x and 8.3.2.2.x in one form."""
    corner = corner_index(size)
    top, left = corner + 1, corner - 1  # of p[0, -1] and p[-1, 0]
    if mode == 0:  # vertical
        return _RAW, top + x
    if mode in (1, DC):  # horizontal; DC is filled in elsewhere
        return _RAW, left - y
    if mode == 3:  # diagonal down left
        return _TRIPLE, top + x + y + 1
    if mode == 4:  # diagonal down right
        return _TRIPLE, corner + x - y
    if mode == 5:  # vertical right
        z, along = 2 * x - y, corner + x - (y >> 1)
        if z >= 0:
            return (_TRIPLE if z & 1 else _PAIR), along
        return _TRIPLE, corner if z == -1 else left - (y - 2 * x - 2)
    if mode == 6:  # horizontal down
        z, down = 2 * y - x, y - (x >> 1)
        if z >= 0:
            return (_TRIPLE, corner - down) if z & 1 else (_PAIR, left - down)
        return _TRIPLE, corner if z == -1 else top + x - 2 * y - 2
    if mode == 7:  # vertical left
        return (_TRIPLE, top + x + (y >> 1) + 1) if y & 1 else (_PAIR, top + x + (y >> 1))
    z, down = x + 2 * y, y + (x >> 1)  # horizontal up
    if z > 2 * size - 3:
        return _PAIR, left - size  # the lowest left sample and itself
    return (_TRIPLE if z & 1 else _PAIR), left - down - 1


def _directions(size: int) -> np.ndarray:
    """int64[mode, size * size]: filter * lanes + line index, samples in raster order."""
    lanes = line_lanes(size)
    table = np.empty((MODES, size * size), np.int64)
    for mode in range(MODES):
        for raster in range(size * size):
            kind, index = _direction(mode, size, raster % size, raster // size)
            table[mode, raster] = kind * lanes + index
    return table


DIRECTIONS_4X4 = _directions(4)
DIRECTIONS_8X8 = _directions(8)


def _smoothed(line: Vector) -> tuple[Vector, Vector]:
    """Pairs and triples of a line of bytes; the outermost lanes are not used."""
    lanes = line.lanes
    wide = line.widen_unsigned(16)
    after = wide.shuffle([min(k + 1, lanes - 1) for k in range(lanes)])
    before = wide.shuffle([max(k - 1, 0) for k in range(lanes)])
    return ((wide + after + 1) >> 1).narrow(8), ((before + wide + wide + after + 2) >> 2).narrow(8)


def _predictions_emission(size: int) -> Any:
    table = DIRECTIONS_4X4 if size == 4 else DIRECTIONS_8X8
    lanes = line_lanes(size)

    def emission(emitter: Emitter, dst: Any, dst_offset: Any, line: Any, line_offset: Any, dc: Any) -> None:
        raw = line.load(line_offset, lanes)
        pair, triple = _smoothed(raw)
        for mode in range(MODES):
            if mode == DC:
                block = emitter.splat(dc, size * size, 8)
            else:
                kinds = sorted({int(entry) // lanes for entry in table[mode]})
                sources = [(raw, pair, triple)[kind] for kind in kinds]
                order = [kinds.index(int(entry) // lanes) * lanes + int(entry) % lanes for entry in table[mode]]
                block = sources[0].shuffle(order, sources[1] if len(sources) == 2 else None)
            dst.store(emitter.add(dst_offset, mode * size * size), block)

    return emission


@kernel
def _predictions(dst, dst_offset, line, line_offset, dc, size):
    area, lanes = size * size, 16 if size == 4 else 32
    for mode in range(MODES):
        for i in range(area):
            entry = DIRECTIONS_4X4[mode, i] if size == 4 else DIRECTIONS_8X8[mode, i]
            kind, at = entry // lanes, line_offset + entry % lanes
            if mode == DC:
                value = np.int64(dc)
            elif kind == _RAW:
                value = np.int64(line[at])
            elif kind == _PAIR:
                value = (np.int64(line[at]) + np.int64(line[at + 1]) + 1) >> 1
            else:
                value = (np.int64(line[at - 1]) + 2 * np.int64(line[at]) + np.int64(line[at + 1]) + 2) >> 2
            dst[dst_offset + mode * area + i] = value


@primitive(_predictions_emission(4), results=0)
def intra_4x4_predictions(dst, dst_offset, line, line_offset, dc):
    """All nine Intra4x4 predictions, 16 samples in raster order each, from a line of 16 samples; `dc` fills mode 2."""
    _predictions(dst, dst_offset, line, line_offset, dc, 4)


@primitive(_predictions_emission(8), results=0)
def intra_8x8_predictions(dst, dst_offset, line, line_offset, dc):
    """All nine Intra8x8 predictions, 64 samples in raster order each, from a filtered line of 32 samples."""
    _predictions(dst, dst_offset, line, line_offset, dc, 8)


def _smooth_emission(emitter: Emitter, dst: Any, dst_offset: Any, line: Any, line_offset: Any) -> None:
    dst.store(dst_offset, _smoothed(line.load(line_offset, 32))[1])


@primitive(_smooth_emission, results=0)
def smooth_line(dst, dst_offset, line, line_offset):
    """Filter a line of 32 samples with (1, 2, 1); the first and last lane count themselves as their neighbours."""
    for k in range(32):
        before, here = np.int64(line[line_offset + max(k - 1, 0)]), np.int64(line[line_offset + k])
        dst[dst_offset + k] = (before + 2 * here + np.int64(line[line_offset + min(k + 1, 31)]) + 2) >> 2


def _gradient_emission(width: int) -> Any:
    def emission(emitter, dst, dst_offset, dst_stride, start, across, down, rows):
        first = emitter.splat(start, width, 16)
        first = first + emitter.splat(across, width, 16) * emitter.constant(range(width), 16)
        with emitter.rows(rows) as y:
            values = first + emitter.splat(emitter.mul(down, y), width, 16)
            dst.store(emitter.row(dst_offset, dst_stride, y), (values >> 5).to_samples())

    return emission


@kernel
def _gradient(dst, dst_offset, dst_stride, start, across, down, width, rows):
    for y in range(rows):
        for x in range(width):
            dst[dst_offset + y * dst_stride + x] = min(max((start + across * x + down * y) >> 5, 0), 255)


@primitive(_gradient_emission(16), results=0)
def gradient_16xn(dst, dst_offset, dst_stride, start, across, down, rows):
    """Sample (x, y) = Clip1((start + across * x + down * y) >> 5) of 16 x `rows`; sums stay within 16 bits."""
    _gradient(dst, dst_offset, dst_stride, start, across, down, 16, rows)


@primitive(_gradient_emission(8), results=0)
def gradient_8xn(dst, dst_offset, dst_stride, start, across, down, rows):
    """As `gradient_16xn`, 8 x `rows` samples."""
    _gradient(dst, dst_offset, dst_stride, start, across, down, 8, rows)


def _sum_emission(count: int) -> Any:
    def emission(emitter: Emitter, samples: Any, offset: Any) -> Any:
        return samples.load(offset, count).widen_unsigned(32).sum()

    return emission


@kernel
def _sum(samples, offset, count):
    total = 0
    for i in range(offset, offset + count):
        total += np.int64(samples[i])
    return total


@primitive(_sum_emission(16))
def sum_16(samples, offset):
    """Sum of 16 samples in a row."""
    return _sum(samples, offset, 16)


@primitive(_sum_emission(4))
def sum_4(samples, offset):
    """Sum of 4 samples in a row."""
    return _sum(samples, offset, 4)
