"""Scale: separable polyphase resampling, one picture to another size, in exact integers.

Horizontal first, then vertical. The filter is a Lanczos kernel of `taps / 2` lobes. When a side is enlarged or kept
it spans `taps` samples; when it is reduced by r > 1 the kernel is stretched by r, so it spans `taps * r` samples
(64 for 8 taps at 1/8): the cut-off follows the output, and the engine makes `ceil(span / taps)` passes over its
multipliers instead of aliasing. docs/scale.md has the arithmetic and the measured responses.

Exact arithmetic, in order:

  position   (i + s) * in / out - s with s = 1/2 for centred samples and 1/4 for chroma that is co-sited with luma,
             rounded to 1/`phases` of an input sample, half up. Chroma uses the ratio of luma: odd sizes stay in place.
  weight     prototype ROM, 128 entries a lobe in Q16, linear interpolation to 2**-15 of a lobe (no rounding: Q24)
  coefficient  weights normalised so that their running sum, rounded half up to Q14, ends at exactly 1 << 14
  horizontal   uint8 * Q14, rounded half up to Q6: int16
  vertical     Q6 * Q14, rounded half up, clipped to 0..255

RTL twin: rtl_tests/rtl/scale/.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from asic_model.kernel_cache import kernel
from asic_model.section import Section

COEFFICIENT_BITS = 14  # coefficients of one phase sum to 1 << 14
MIDDLE_BITS = 6  # fraction bits between the passes
ROM_BITS = 16  # prototype values: 1.0 is 1 << 16
ROM_STEPS = 128  # prototype entries a lobe
INTERPOLATION_BITS = 8  # between two of its entries

REDUCE_LIMIT = 8  # in <= 8 * out
ENLARGE_LIMIT = 4  # out <= 4 * in
SIZE_MIN = 2
SIZE_MAX = 8192

# Where chroma samples stand between luma samples, in quarters of a chroma sample from its left (upper) edge.
SITING_CENTRED = 2
SITING_COSITED = 1

_BLOCK_ROWS = 32  # rows that the horizontal kernel filters side by side
_PI_BITS = 128
_PI = 0x3243F6A8885A308D313198A2E03707344  # floor(pi * 2**128)


def _sine(numerator: int, denominator: int) -> int:
    """Return sin(pi * numerator / denominator) in Q128, for numerator >= 0: Taylor series in integers."""
    numerator %= 2 * denominator
    negative = numerator > denominator
    if negative:
        numerator -= denominator
    if 2 * numerator > denominator:
        numerator = denominator - numerator
    angle = _PI * numerator // denominator
    square = angle * angle >> _PI_BITS
    term, total, n = angle, 0, 1
    while term:
        total += term
        term = -(term * square >> _PI_BITS) // ((n + 1) * (n + 2))
        if term in (0, -1):
            break
        n += 2
    return -total if negative else total


@lru_cache(maxsize=None)
def prototype(lobes: int) -> np.ndarray:
    """Return int64[lobes * ROM_STEPS + 2]: one side of the Lanczos kernel in Q16, rounded half up, and a closing 0.

    L(x) = sinc(x) sinc(x / lobes) = lobes sin(pi x) sin(pi x / lobes) / (pi x)**2. Zero at every whole x but 0.
    """
    rom = np.zeros(lobes * ROM_STEPS + 2, np.int64)
    rom[0] = 1 << ROM_BITS
    for j in range(1, lobes * ROM_STEPS):
        # x = j / ROM_STEPS
        above = lobes * _sine(j, ROM_STEPS) * _sine(j, ROM_STEPS * lobes) * ROM_STEPS**2 << ROM_BITS
        below = _PI * _PI * j * j
        rom[j] = (2 * above + below) // (2 * below)
    rom.flags.writeable = False
    return rom


class Axis(NamedTuple):
    """How one side of a plane is resampled.

    first         int32[out]           input sample under the first coefficient (may lie outside: edges replicate)
    phase         int32[out]           row of `coefficients`
    coefficients  int16[phases, span]  Q14
    """

    first: np.ndarray
    phase: np.ndarray
    coefficients: np.ndarray


def span(size_in: int, size_out: int, taps: int) -> int:
    """Return the input samples that one output sample is made of: `taps`, more when reducing; a multiple of 4."""
    return -(-max(taps, 2 * -(-taps * size_in // (2 * size_out))) // 4) * 4


@lru_cache(maxsize=256)
def coefficients(size_in: int, size_out: int, taps: int, phases: int) -> np.ndarray:
    """Return int16[phases, span]: row p weighs the samples around a position p / phases behind a whole sample."""
    rom = prototype(taps // 2)
    length = span(size_in, size_out, taps)
    one = ROM_STEPS << INTERPOLATION_BITS
    wide, narrow = max(size_in, size_out), size_out  # stretched by in / out when that is above 1
    # Distance of tap k from the position, in 1/phases of an input sample.
    distance = np.abs((np.arange(length) - length // 2 + 1) * phases - np.arange(phases)[:, None])
    at = np.minimum((2 * distance * narrow * one + phases * wide) // (2 * phases * wide), taps // 2 * one)
    entry, between = at >> INTERPOLATION_BITS, at & ((1 << INTERPOLATION_BITS) - 1)
    weight = rom[entry] * ((1 << INTERPOLATION_BITS) - between) + rom[entry + 1] * between
    total = weight.sum(1, keepdims=True)
    running = ((np.cumsum(weight, 1) << COEFFICIENT_BITS) * 2 + total) // (2 * total)
    table = np.diff(running, axis=1, prepend=0).astype(np.int16)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=256)
def axis(size_in: int, size_out: int, count: int, siting: int, taps: int, phases: int) -> Axis:
    """Return how `count` samples of one side are made when luma goes from `size_in` to `size_out` samples.

    siting  quarters of a sample: SITING_CENTRED or SITING_COSITED
    """
    scaled = (4 * np.arange(count, dtype=np.int64) + siting) * size_in - siting * size_out  # position * 4 * size_out
    position = (scaled * phases * 2 + 4 * size_out) // (8 * size_out)
    table = coefficients(size_in, size_out, taps, phases)
    first = position // phases - table.shape[1] // 2 + 1
    return Axis(first.astype(np.int32), (position % phases).astype(np.int32), table)


class Plane(NamedTuple):
    """One plane in device memory: byte offset and pitch, samples."""

    offset: int
    pitch: int
    width: int
    height: int


@kernel
def _filter_rows(mem: Any, src: Any, across: Any, middle: Any) -> None:
    """Filter all rows of plane `src` horizontally into middle, int16[src.height * len(across.first)], Q6.

    Works on _BLOCK_ROWS rows side by side, turned so that they are contiguous: one coefficient meets a vector of rows.
    """
    count = across.first.size
    length = across.coefficients.shape[1]
    start = across.first[0]
    columns = across.first[count - 1] + length - start
    turned = np.empty(columns * _BLOCK_ROWS, np.int16)
    total = np.empty(_BLOCK_ROWS, np.int32)
    group = 16
    ready = np.empty(group * _BLOCK_ROWS, np.int16)
    for top in range(0, src.height, _BLOCK_ROWS):
        rows = min(_BLOCK_ROWS, src.height - top)
        base = src.offset + top * src.pitch
        for x in range(columns):
            at = base + min(max(start + x, 0), src.width - 1)
            column = turned[x * _BLOCK_ROWS : (x + 1) * _BLOCK_ROWS]
            for r in range(rows):
                column[r] = mem[at + r * src.pitch]
            for r in range(rows, _BLOCK_ROWS):
                column[r] = 0
        for left in range(0, count, group):
            width = min(group, count - left)
            for i in range(width):
                at = (across.first[left + i] - start) * _BLOCK_ROWS
                phase = across.phase[left + i]
                for r in range(_BLOCK_ROWS):
                    total[r] = 1 << (COEFFICIENT_BITS - MIDDLE_BITS - 1)
                for k in range(0, length, 4):
                    c0 = np.int32(across.coefficients[phase, k])
                    c1 = np.int32(across.coefficients[phase, k + 1])
                    c2 = np.int32(across.coefficients[phase, k + 2])
                    c3 = np.int32(across.coefficients[phase, k + 3])
                    part = turned[at + k * _BLOCK_ROWS : at + (k + 4) * _BLOCK_ROWS]
                    for r in range(_BLOCK_ROWS):
                        total[r] += np.int32(
                            c0 * np.int32(part[r])
                            + c1 * np.int32(part[_BLOCK_ROWS + r])
                            + c2 * np.int32(part[2 * _BLOCK_ROWS + r])
                            + c3 * np.int32(part[3 * _BLOCK_ROWS + r])
                        )
                column = ready[i * _BLOCK_ROWS : (i + 1) * _BLOCK_ROWS]
                for r in range(_BLOCK_ROWS):
                    column[r] = np.int16(total[r] >> (COEFFICIENT_BITS - MIDDLE_BITS))
            for r in range(rows):
                out = middle[(top + r) * count + left : (top + r) * count + left + width]
                column = ready[r:]
                for i in range(width):
                    out[i] = column[i * _BLOCK_ROWS]


@kernel
def _filter_columns(mem: Any, dst: Any, rows_in: Any, down: Any, middle: Any) -> None:
    """Filter `middle`, int16[rows_in * dst.width] in Q6, vertically into plane `dst`."""
    length = down.coefficients.shape[1]
    width = dst.width
    total = np.empty(width, np.int32)
    shift = COEFFICIENT_BITS + MIDDLE_BITS
    for y in range(dst.height):
        phase = down.phase[y]
        first = down.first[y]
        for x in range(width):
            total[x] = 1 << (shift - 1)
        for k in range(0, length, 4):
            c0 = np.int32(down.coefficients[phase, k])
            c1 = np.int32(down.coefficients[phase, k + 1])
            c2 = np.int32(down.coefficients[phase, k + 2])
            c3 = np.int32(down.coefficients[phase, k + 3])
            m0 = middle[min(max(first + k, 0), rows_in - 1) * width :]
            m1 = middle[min(max(first + k + 1, 0), rows_in - 1) * width :]
            m2 = middle[min(max(first + k + 2, 0), rows_in - 1) * width :]
            m3 = middle[min(max(first + k + 3, 0), rows_in - 1) * width :]
            for x in range(width):
                total[x] += np.int32(
                    c0 * np.int32(m0[x]) + c1 * np.int32(m1[x]) + c2 * np.int32(m2[x]) + c3 * np.int32(m3[x])
                )
        row = mem[dst.offset + y * dst.pitch : dst.offset + y * dst.pitch + width]
        for x in range(width):
            row[x] = min(max(total[x] >> shift, 0), 255)


@kernel
def scale_plane(mem: Any, src: Any, dst: Any, across: Any, down: Any) -> None:
    """Resample plane `src` of `mem`, uint8[...], into plane `dst` of it. The planes do not overlap."""
    middle = np.empty(src.height * dst.width, np.int16)
    _filter_rows(mem, src, across, middle)
    _filter_columns(mem, dst, src.height, down, middle)


class ScaleConfig(Section):
    """The scale engine: two filter arrays, horizontal and vertical, and the line memory between them."""

    taps: int = Field(default=8, ge=8, le=16, multiple_of=4, description="multipliers of one filter lane [taps]")
    phases: int = Field(default=64, ge=32, le=256, multiple_of=32, description="positions between two samples")
    lanes: int = Field(default=8, ge=1, le=64, description="output samples in the making side by side, per direction")
    lines: int = Field(default=16, ge=8, le=64, multiple_of=8, description="input luma lines in one unit of work")
    line_memory_bytes: int = Field(
        default=196_608, ge=65_536, le=4_194_304, description="filtered lines held between the directions [bytes]"
    )
    pipeline_cycles: int = Field(default=9, ge=1, le=64, description="depth of one filter array [cycles]")


def cycles(cfg: ScaleConfig, work: np.ndarray) -> np.ndarray:
    """Return int64[units, 2]: cycles of the horizontal and the vertical array for each row of SCALE_WORK.

    An array of `lanes` x `taps` multipliers makes `lanes` neighbouring samples of one line in as many cycles as the
    filter's span has pieces of `taps`: cycles = lines * ceil(columns / lanes) * ceil(span / taps), summed over planes
    and outputs. A unit's lines follow each other without a gap; the array drains once a unit. Before the first unit
    the coefficient generator fills the tables, one coefficient a cycle and direction (`scale_tables`).
    """
    columns = -(-work["scale_columns"].astype(np.int64) // cfg.lanes)
    horizontal = work["scale_lines_in"] * columns * -(-work["scale_span_x"].astype(np.int64) // cfg.taps)
    vertical = work["scale_lines_out"] * columns * -(-work["scale_span_y"].astype(np.int64) // cfg.taps)
    busy = np.stack([horizontal.sum((1, 2)), vertical.sum((1, 2))], 1)
    return busy + np.where(busy > 0, cfg.pipeline_cycles, 0) + work["scale_tables"]
