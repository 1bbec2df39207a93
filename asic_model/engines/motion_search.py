"""Motion search: whole-sample search of every macroblock in bounded windows of the reference pictures.

Two levels. At 1/4 resolution all positions of the window are compared on 4x4 averages, and the best few that are
no neighbours of each other become centres (`centres` 0: this level is left out). At full resolution a handful of
predictors and a small square around each centre are compared on all 256 samples; one pass over a candidate serves nine
partitions (16x16, two 16x8, two 8x16, four 8x8), as an adder tree gives them all for nothing.

What a candidate costs besides its SAD, lambda times the bits of its difference to a predicted vector, uses what a
pipeline can know: vectors found by this engine in the macroblock row above, and the co-located vectors of the picture
before. The macroblock to the left is still under way when this one starts, so nothing is taken from it.

RTL twin: rtl_tests/rtl/motion_search/. Bench: rtl_tests/motion_search/.
"""

from typing import NamedTuple

import numpy as np
from pydantic import Field

from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS, VECTOR_BITS, VECTOR_SPAN
from asic_model.kernel_cache import kernel
from asic_model.section import Section
from asic_model.simd.blocks import copy_16xn
from asic_model.simd.search import NEVER_16, add_rates, sad_4x4_window, smallest, try_candidate

# Partitions in the order of all arrays here.
WHOLE = 0
UPPER, LOWER = 1, 2
LEFT, RIGHT = 3, 4
QUADRANT = 5  # 5..8 in raster order
PARTITIONS = 9

BORDER_PX = 24  # a macroblock may be predicted from at most this far beyond the edge of the coded picture
PAD_PX = 32  # samples that a padded reference repeats on each side: BORDER_PX + fraction + filter taps, rounded up
GUARD_BYTES = 256  # vector loads run on behind the last sample

_FAR = 1 << 30
_PREDICTORS = 5  # steps of the search that try one candidate each
_CANDIDATES_MAX = 1000  # numbers of candidates fit INDEX_BITS of `try_candidate`


class Plane(NamedTuple):
    """Samples in flat memory: (x, y) is data[offset + y * stride + x]."""

    data: np.ndarray  # uint8[...]
    offset: int
    stride: int


class SearchSettings(NamedTuple):
    """What the kernel needs of configuration and effort; all int."""

    range_x: int  # whole samples
    range_y: int
    centres: int
    radius: int
    radius_parts: int  # 0: quadrants get no squares of their own
    temporal: int  # 1: co-located vectors are candidates
    lambda_motion: int  # MOTION_LAMBDA[qp]
    enough: int = -1  # the search ends with the predictors where one of them costs this or less


@kernel
def decimate(source, source_offset, source_stride, width, height, target, target_offset, target_stride):
    """Write the rounded means of 4x4 samples; width and height are those of the target."""
    for y in range(height):
        row = source_offset + 4 * y * source_stride
        for x in range(width):
            total = np.int32(8)
            for j in range(4):
                at = row + j * source_stride + 4 * x
                total += (
                    np.int32(source[at])
                    + np.int32(source[at + 1])
                    + np.int32(source[at + 2])
                    + np.int32(source[at + 3])
                )
            target[target_offset + y * target_stride + x] = total >> 4


@kernel
def _median(a, b, c):
    return max(min(a, b), min(max(a, b), c))


@kernel
def _compare_quarters(
    current, reference, settings, mb_x, mb_y, high_x, high_y, predicted_x, predicted_y, column_rates, row_rates, coarse
):  # fmt: skip
    """Cost of all positions of the window at 1/4 resolution into `coarse`, row by row.

    current, reference : Plane at 1/4 resolution; column_rates, row_rates : scratch
    Returns (x and y of the first position, in quarters of the resolution, columns and rows that count).
    """
    groups = settings.range_x // 32
    columns, rows = 16 * groups, settings.range_y // 2
    never = NEVER_16 << (MOTION_LAMBDA_BITS + 4)
    # The window moves inwards at the picture's edges.
    start_x = max(-settings.range_x // 4, -((16 * mb_x + BORDER_PX) // 4))
    start_x = min(start_x, (high_x >> 2) - columns + 1)
    start_x = max(start_x, -((16 * mb_x + BORDER_PX) // 4))
    start_y = max(-settings.range_y // 4, -((16 * mb_y + BORDER_PX) // 4))
    start_y = min(start_y, (high_y >> 2) - rows + 1)
    start_y = max(start_y, -((16 * mb_y + BORDER_PX) // 4))
    rows_here = min(rows, (high_y >> 2) - start_y + 1)
    columns_here = min(columns, (high_x >> 2) - start_x + 1)
    sad_4x4_window(
        current.data, current.offset + 4 * mb_y * current.stride + 4 * mb_x, current.stride,
        reference.data, reference.offset + (4 * mb_y + start_y) * reference.stride + 4 * mb_x + start_x,
        reference.stride, groups, rows_here, coarse,
    )  # fmt: skip
    for dx in range(columns):
        bits = np.int64(VECTOR_BITS[VECTOR_SPAN + 4 * (4 * (start_x + dx) - predicted_x)])
        column_rates[dx] = settings.lambda_motion * bits if dx < columns_here else never
    for dy in range(rows_here):
        bits = np.int64(VECTOR_BITS[VECTOR_SPAN + 4 * (4 * (start_y + dy) - predicted_y)])
        row_rates[dy] = settings.lambda_motion * bits
    # a 4x4 average stands for 16 samples
    add_rates(coarse, groups, rows_here, column_rates, row_rates, MOTION_LAMBDA_BITS + 4)
    return start_x, start_y, columns_here, rows_here


@kernel
def search_row(
    mb_y,
    mb_width,
    mb_height,
    current,
    current_quarter,
    reference,
    reference_quarter,
    colocated,
    settings,
    mv,
    cost,
    work,
):
    """Search one macroblock row in one reference.

    current, reference, *_quarter : Plane; the reference planes are padded by PAD_PX (PAD_PX / 4)
    colocated : int16[n, 2]     vectors of the picture before, quarter samples; read when settings.temporal
    mv        : int16[n, 9, 2]  result, whole samples, (x, y); the row above must be there already
    cost      : int32[n, 9]     result, SAD + lambda * bits
    work      : ENCODE_WORK[n]  candidates are added
    """
    groups = settings.range_x // 32  # of 16 positions 4 samples apart: 2 * range_x / 4 / 16
    columns = groups * 16
    rows = settings.range_y // 2
    coarse = np.empty(columns * rows, np.int16)
    column_rates = np.empty(columns, np.int32)
    row_rates = np.empty(rows, np.int32)
    best = np.empty(16, np.int32)
    block = np.empty(256, np.uint8)
    # [y][x]: column of the last macroblock that tried this vector, + 1. Who comes again changes nothing: of equals the
    # first one wins.
    span_x = 2 * settings.range_x + 1
    seen = np.zeros((2 * settings.range_y + 1) * span_x, np.int16)
    tried_x = np.empty(_CANDIDATES_MAX + 1, np.int64)
    tried_y = np.empty(_CANDIDATES_MAX + 1, np.int64)
    square_x = np.empty(16, np.int64)
    square_y = np.empty(16, np.int64)
    part_x = np.empty(4, np.int64)
    part_y = np.empty(4, np.int64)
    width, height = 16 * mb_width, 16 * mb_height
    rate_lambda = settings.lambda_motion

    for mb_x in range(mb_width):
        mb = mb_y * mb_width + mb_x
        at = current.offset + 16 * mb_y * current.stride + 16 * mb_x
        copy_16xn(block, 0, 16, current.data, at, current.stride, 16)
        # Positions that the window and the padding allow.
        low_x = max(-settings.range_x, -16 * mb_x - BORDER_PX)
        high_x = min(settings.range_x, width - 16 * mb_x - 16 + BORDER_PX)
        low_y = max(-settings.range_y, -16 * mb_y - BORDER_PX)
        high_y = min(settings.range_y, height - 16 * mb_y - 16 + BORDER_PX)

        # Predicted vector: median of the row above, else the co-located one.
        above = mb - mb_width
        time_x = time_y = np.int64(0)
        if settings.temporal:
            time_x, time_y = (np.int64(colocated[mb, 0]) + 2) >> 2, (np.int64(colocated[mb, 1]) + 2) >> 2
        predicted_x, predicted_y = time_x, time_y
        if mb_y > 0:
            up_x, up_y = np.int64(mv[above, WHOLE, 0]), np.int64(mv[above, WHOLE, 1])
            predicted_x, predicted_y = up_x, up_y
            if mb_x + 1 < mb_width:
                side_x, side_y = np.int64(mv[above + 1, WHOLE, 0]), np.int64(mv[above + 1, WHOLE, 1])
                if settings.temporal:
                    predicted_x, predicted_y = _median(up_x, side_x, time_x), _median(up_y, side_y, time_y)
                elif mb_x > 0:
                    predicted_x = _median(up_x, side_x, np.int64(mv[above - 1, WHOLE, 0]))
                    predicted_y = _median(up_y, side_y, np.int64(mv[above - 1, WHOLE, 1]))

        # Full resolution: predictors one by one, squares around the centres, around the best place so far if it is
        # none of them, and small ones where the quadrants' best places are.
        for p in range(16):
            best[p] = 0x7FFFFFFF
        count = 0
        squares = 0
        rows_here = columns_here = np.int64(0)
        start_x = start_y = np.int64(0)
        for step in range(10 + settings.centres):
            radius = 0
            if step == _PREDICTORS and best[WHOLE] >> 10 <= settings.enough:
                break
            if step == _PREDICTORS and settings.centres:
                start_x, start_y, columns_here, rows_here = _compare_quarters(
                    current_quarter, reference_quarter, settings, mb_x, mb_y, high_x, high_y, predicted_x, predicted_y,
                    column_rates, row_rates, coarse,
                )  # fmt: skip
                work[mb].motion_search_coarse += rows_here * columns_here
            if step == 0:
                x, y = np.int64(0), np.int64(0)
            elif step == 1:
                x, y = predicted_x, predicted_y
            elif step == 2:
                x, y = time_x, time_y
            elif step <= 4:
                side = above + step - 3  # above, above right
                if mb_y == 0 or (step == 4 and mb_x + 1 == mb_width):
                    continue
                x, y = np.int64(mv[side, WHOLE, 0]), np.int64(mv[side, WHOLE, 1])
            elif step < 5 + settings.centres:
                packed = smallest(coarse, 0, rows_here * groups)
                if packed >> 16 == NEVER_16:
                    continue
                at = packed & 0xFFFF
                row, column = at // columns, at % columns
                for j in range(max(row - 1, 0), min(row + 2, rows_here)):
                    for i in range(max(column - 1, 0), min(column + 2, columns)):
                        coarse[j * columns + i] = NEVER_16
                x, y = 4 * (start_x + column), 4 * (start_y + row)
                radius = settings.radius
            elif step == 5 + settings.centres:
                winner = best[WHOLE] & 1023
                x, y = tried_x[winner], tried_y[winner]
                radius = settings.radius
            else:
                part = step - 6 - settings.centres
                if part == 0:  # all four before the first of their squares: an array in a pipeline waits once
                    for p in range(4):
                        winner = best[QUADRANT + p] & 1023
                        part_x[p], part_y[p] = tried_x[winner], tried_y[winner]
                x, y = part_x[part], part_y[part]
                radius = settings.radius_parts
            x, y = min(max(x, low_x), high_x), min(max(y, low_y), high_y)
            if radius == 0:
                if step >= _PREDICTORS:
                    continue
                place = (y + settings.range_y) * span_x + settings.range_x + x
                if seen[place] != mb_x + 1:
                    seen[place] = mb_x + 1
                    bits = np.int64(VECTOR_BITS[VECTOR_SPAN + 4 * (y - predicted_y)])
                    bits += np.int64(VECTOR_BITS[VECTOR_SPAN + 4 * (x - predicted_x)])
                    tried_x[count], tried_y[count] = x, y
                    at = reference.offset + (16 * mb_y + y) * reference.stride + 16 * mb_x + x
                    try_candidate(
                        block, 0, 16, reference.data, at, reference.stride,
                        (rate_lambda * bits) >> MOTION_LAMBDA_BITS, count, best,
                    )  # fmt: skip
                count += 1
                continue
            known = False
            for k in range(squares):
                known = known or (square_x[k] == x and square_y[k] == y)
            if known:
                continue
            square_x[squares], square_y[squares] = x, y
            squares += 1
            for j in range(max(y - radius, low_y), min(y + radius, high_y) + 1):
                rate_y = np.int64(VECTOR_BITS[VECTOR_SPAN + 4 * (j - predicted_y)])
                at = reference.offset + (16 * mb_y + j) * reference.stride + 16 * mb_x
                place = (j + settings.range_y) * span_x + settings.range_x
                for i in range(max(x - radius, low_x), min(x + radius, high_x) + 1):
                    if seen[place + i] != mb_x + 1:
                        seen[place + i] = mb_x + 1
                        bits = rate_y + np.int64(VECTOR_BITS[VECTOR_SPAN + 4 * (i - predicted_x)])
                        tried_x[count], tried_y[count] = i, j
                        try_candidate(
                            block, 0, 16, reference.data, at + i, reference.stride,
                            (rate_lambda * bits) >> MOTION_LAMBDA_BITS, count, best,
                        )  # fmt: skip
                    count += 1
        work[mb].motion_search_fine += count
        for p in range(PARTITIONS):
            winner = best[p] & 1023
            mv[mb, p, 0], mv[mb, p, 1] = tried_x[winner], tried_y[winner]
            cost[mb, p] = best[p] >> 10


class MotionSearchConfig(Section):
    """Window and size of the motion search engine."""

    range_x: int = Field(64, ge=32, le=512, multiple_of=32, description="search range to each side [samples]")
    range_y: int = Field(32, ge=16, le=248, multiple_of=8, description="search range up and down [samples]")
    centres: int = Field(2, ge=1, le=8, description="places refined at full resolution, medium effort [places]")
    radius: int = Field(2, ge=1, le=4, description="square searched around each of them [samples]")
    radius_parts: int = Field(1, ge=0, le=4, description="square searched around each quadrant's best place [samples]")
    ends_early: bool = Field(
        True, description="a search whose predictors hold one that is good enough, as the effort has it, ends with them"
    )
    lanes: int = Field(1024, ge=64, le=16384, description="absolute differences per cycle [samples]")
    latency_cycles: int = Field(16, ge=1, le=256, description="adder tree and comparison, each level [cycles]")


@kernel
def _cycles(coarse, fine, lanes, latency_cycles, found):
    """`cycles` into found int64[n]."""
    for mb in range(found.size):
        spent = (16 * np.int64(coarse[mb]) + lanes - 1) // lanes + (256 * np.int64(fine[mb]) + lanes - 1) // lanes
        found[mb] = spent + 2 * latency_cycles if fine[mb] else 0


def cycles(cfg: MotionSearchConfig, work: np.ndarray) -> np.ndarray:
    """Clock cycles of each macroblock, int64[n].

    One array of `lanes` subtractors serves both levels in turn: a position takes 16 of them at 1/4 resolution, 256 at
    full resolution. The second level starts when the first has named its winners, so both latencies count.
    """
    found = np.empty(len(work), np.int64)
    _cycles(work["motion_search_coarse"], work["motion_search_fine"], cfg.lanes, cfg.latency_cycles, found)
    return found
