"""Fractional search: half- then quarter-sample refinement of the whole-sample vectors, by SATD.

Around each distinct whole-sample vector of a macroblock's partitions the engine compares nine positions half a sample
apart, then the eight quarter positions around the best of them. A position is compared once for the whole
macroblock, and the SATDs of its quadrants serve every partition that shares the centre: a macroblock whose partitions
agree costs one pass of 17 positions, one whose partitions all differ nine.

Samples at half positions are read from planes made by `inter_prediction` once per reference; hardware filters the same
window on the fly. Quarter samples are the rounded mean of two (H.264 8.4.2.2.1).

RTL twin: rtl_tests/rtl/fractional_search/. Bench: rtl_tests/fractional_search/.
"""

from typing import NamedTuple

import numpy as np
from pydantic import Field

from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS, VECTOR_BITS, VECTOR_SPAN
from asic_model.engines.motion_search import PARTITIONS, WHOLE
from asic_model.kernel_cache import kernel
from asic_model.section import Section
from asic_model.simd.search import INDEX_BITS, satd_16x16_quarters_average, satd_lines, try_fraction

# Planes of a reference: whole samples, half to the right ("b"), half below ("h"), both ("j"), as 8.4.2.2.1 names them.
_G, _B, _H, _J = range(4)
# [4 * (y & 3) + (x & 3)] -> (plane, x, y), (plane, x, y): the two samples whose mean stands there
_SOURCES = np.array(
    [
        [(_G, 0, 0), (_G, 0, 0)],
        [(_G, 0, 0), (_B, 0, 0)],
        [(_B, 0, 0), (_B, 0, 0)],
        [(_B, 0, 0), (_G, 1, 0)],
        [(_G, 0, 0), (_H, 0, 0)],
        [(_B, 0, 0), (_H, 0, 0)],
        [(_B, 0, 0), (_J, 0, 0)],
        [(_B, 0, 0), (_H, 1, 0)],
        [(_H, 0, 0), (_H, 0, 0)],
        [(_H, 0, 0), (_J, 0, 0)],
        [(_J, 0, 0), (_J, 0, 0)],
        [(_J, 0, 0), (_H, 1, 0)],
        [(_H, 0, 0), (_G, 0, 1)],
        [(_H, 0, 0), (_B, 0, 1)],
        [(_J, 0, 0), (_B, 0, 1)],
        [(_H, 1, 0), (_B, 0, 1)],
    ],
    np.int64,
)


class ReferencePlanes(NamedTuple):
    """Luma of one reference at whole and half positions, padded by PAD_PX: plane k is `plane_bytes * k` further on."""

    data: np.ndarray  # uint8[...]
    offset: int  # of sample (0, 0) of the picture in plane 0
    stride: int
    plane_bytes: int


class FractionalScratch(NamedTuple):
    """What `refine` works in.

    best  int32[4, 16]  best positions by partition: half and quarter samples around the whole macroblock's vector,
                        and around another one
    lines int16[256]    the macroblock, see `satd_lines`
    """

    best: np.ndarray
    lines: np.ndarray


def fractional_scratch() -> FractionalScratch:
    """Return cleared arrays."""
    return FractionalScratch(np.zeros((4, 16), np.int32), np.zeros(256, np.int16))


_HALF, _QUARTER, _HALF_OTHER, _QUARTER_OTHER = range(4)  # rows of `best`


@kernel
def source_offsets(planes, x, y):
    """Offsets in `planes.data` of the two blocks whose rounded mean is the prediction from (x, y), quarter samples."""
    kind = 4 * (y & 3) + (x & 3)
    base = planes.offset + (y >> 2) * planes.stride + (x >> 2)
    first, second = _SOURCES[kind, 0], _SOURCES[kind, 1]
    return (
        base + first[0] * planes.plane_bytes + first[2] * planes.stride + first[1],
        base + second[0] * planes.plane_bytes + second[2] * planes.stride + second[1],
    )


@kernel
def vector_rate(x, y, predicted_x, predicted_y, lambda_motion):
    """lambda * bits of a vector's difference to the predicted one, quarter samples."""
    bits = np.int64(VECTOR_BITS[VECTOR_SPAN + x - predicted_x]) + np.int64(VECTOR_BITS[VECTOR_SPAN + y - predicted_y])
    return (lambda_motion * bits) >> MOTION_LAMBDA_BITS


@kernel
def refine(
    current, current_offset, current_stride, planes, left_px, top_px, whole, wanted, predicted_x, predicted_y,
    lambda_motion, vectors, costs, scratch, again,
):  # fmt: skip
    """Refine the vectors of one macroblock in one reference; return the number of positions compared.

    left_px, top_px : the macroblock's position in the picture
    whole   : int16[9, 2]  whole-sample vectors by partition (motion_search order)
    wanted  : bit p set: refine partition p
    vectors : int32[9, 2]  result, quarter samples, (x, y)
    costs   : int32[9]     result, SATD + lambda * bits of the difference to the predicted vector
    scratch : FractionalScratch
    again   : 1: `scratch` is that of a call which wanted the whole macroblock alone, everything else being the same.
              What was compared then is not compared again, but counts: hardware keeps no such results.
    """
    positions = 0
    best, lines = scratch.best, scratch.lines
    if not again:
        satd_lines(current, current_offset, current_stride, lines)
    todo = wanted
    for p in range(PARTITIONS):
        if not (todo >> p) & 1:
            continue
        centre_x, centre_y = np.int64(whole[p, 0]), np.int64(whole[p, 1])
        members = 0
        for q in range(p, PARTITIONS):
            if (todo >> q) & 1 and whole[q, 0] == centre_x and whole[q, 1] == centre_y:
                members |= 1 << q
        todo &= ~members
        # Half samples. A position's number is 7 * (dy + 3) + dx + 3, its place in raster order.
        of_whole = whole[WHOLE, 0] == centre_x and whole[WHOLE, 1] == centre_y
        half_best = best[_HALF if of_whole else _HALF_OTHER]
        if not (again and of_whole):
            for lane in range(16):
                half_best[lane] = 0x7FFFFFFF
            for dy in range(-2, 3, 2):
                for dx in range(-2, 3, 2):
                    x, y = 4 * centre_x + dx, 4 * centre_y + dy
                    first, second = source_offsets(planes, 4 * left_px + x, 4 * top_px + y)
                    rate = vector_rate(x, y, predicted_x, predicted_y, lambda_motion)
                    try_fraction(lines, planes.data, first, second, planes.stride, rate, 7 * dy + dx + 24, half_best)
        positions += 9
        # Quarter samples, around each distinct winner among the members.
        whole_winner = half_best[WHOLE] & ((1 << INDEX_BITS) - 1)
        for q in range(p, PARTITIONS):
            if not (members >> q) & 1:
                continue
            winner = half_best[q] & ((1 << INDEX_BITS) - 1)
            ring_of_whole = of_whole and winner == whole_winner
            quarter_best = best[_QUARTER if ring_of_whole else _QUARTER_OTHER]
            if not (again and ring_of_whole):
                for lane in range(16):
                    quarter_best[lane] = half_best[lane]
                half_x, half_y = winner % 7 - 3, winner // 7 - 3
                for dy in range(half_y - 1, half_y + 2):
                    for dx in range(half_x - 1, half_x + 2):
                        if dx == half_x and dy == half_y:
                            continue
                        x, y = 4 * centre_x + dx, 4 * centre_y + dy
                        first, second = source_offsets(planes, 4 * left_px + x, 4 * top_px + y)
                        rate = vector_rate(x, y, predicted_x, predicted_y, lambda_motion)
                        try_fraction(
                            lines, planes.data, first, second, planes.stride, rate, 7 * dy + dx + 24, quarter_best
                        )
            positions += 8
            for r in range(q, PARTITIONS):
                if (members >> r) & 1 and (half_best[r] & ((1 << INDEX_BITS) - 1)) == winner:
                    members &= ~(1 << r)
                    number = quarter_best[r] & ((1 << INDEX_BITS) - 1)
                    vectors[r, 0] = 4 * centre_x + number % 7 - 3
                    vectors[r, 1] = 4 * centre_y + number // 7 - 3
                    costs[r] = quarter_best[r] >> INDEX_BITS
    return positions


@kernel
def satd_at(current, current_offset, current_stride, planes, left_px, top_px, x, y):
    """SATD of a macroblock against the prediction from one vector (x, y), quarter samples."""
    first, second = source_offsets(planes, 4 * left_px + x, 4 * top_px + y)
    a, b, c, d = satd_16x16_quarters_average(
        current, current_offset, current_stride, planes.data, first, second, planes.stride
    )
    return a + b + c + d


class FractionalSearchConfig(Section):
    """Size of the fractional search engine."""

    blocks_per_cycle: int = Field(
        16, ge=1, le=64, description="4x4 blocks interpolated, transformed and summed per cycle [blocks]"
    )
    latency_cycles: int = Field(24, ge=1, le=256, description="from the first sample in to the first cost out [cycles]")


@kernel
def _cycles(compared, blocks_per_cycle, latency_cycles, found):
    """`cycles` into found int64[n]."""
    for mb in range(found.size):
        blocks = np.int64(compared[mb])
        found[mb] = (blocks + blocks_per_cycle - 1) // blocks_per_cycle + 2 * latency_cycles if blocks else 0


def cycles(cfg: FractionalSearchConfig, work: np.ndarray) -> np.ndarray:
    """Clock cycles of each macroblock, int64[n].

    `blocks_per_cycle` interpolate-and-SATD units take 4x4 blocks of one position after the other. The quarter
    positions depend on the half positions' winner, so the pipeline drains twice in a macroblock.
    """
    found = np.empty(len(work), np.int64)
    _cycles(work["fractional_search_blocks"], cfg.blocks_per_cycle, cfg.latency_cycles, found)
    return found
