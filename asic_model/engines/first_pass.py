"""First pass: what the macroblocks of a picture would cost, and what they are worth to the pictures that refer to them.

A picture is looked at in half size, one 8x8 block a macroblock, by the search engines of the encode core: intra by the
8x8 predictions of five modes from source samples, inter by whole-sample search and quarter-sample refinement. All
costs are SATD.

Handing on goes through the pictures of a plan backwards. Of what a macroblock is worth (its intra cost, and what later
pictures have handed to it) the share that prediction takes from its reference, 1 - inter / intra, is handed to the
four macroblocks there that it was predicted from, by area. A macroblock worth w with intra cost i is then coded finer,
by `tree * log2((i + w) / i)` steps of QP: the macroblock tree of x264, in integers.

Units: costs are SATD of the half-size block; vectors quarter samples at half size; logarithms and QP offsets Q8.
"""

import numpy as np

from asic_model.engines.fractional_search import FractionalScratch, refine, source_offsets
from asic_model.engines.intra_prediction import CORNER, DC, DOWN_RIGHT, HORIZONTAL, LEFT, TOP, TOP_RIGHT, gather_8x8
from asic_model.engines.motion_search import PARTITIONS, QUADRANT, Plane, SearchSettings, search_row
from asic_model.kernel_cache import kernel
from asic_model.simd.bits import bit_length
from asic_model.simd.blocks import average_8xn
from asic_model.simd.compare import moments_16xn, satd_8xn
from asic_model.simd.intra import MODES, intra_8x8_predictions

# One macroblock. `inter`: 14 bits of the best cost of prediction in time, and above them which lists it uses.
RECORD = np.dtype([("intra", "<u2"), ("inter", "<u2"), ("mv", "<i2", (2, 2))])
COST_BITS = 14
COST_MOST = (1 << COST_BITS) - 1
LIST_0, LIST_1 = 1, 2

_REACH_STEP = 32  # range_x of the search comes in steps of so many samples
_INTRA_MODES = 5  # the first ones
_INTRA_PENALTY = 5  # what the mode costs, in SATD at lambda 1
_BLOCKS = 4  # 4x4 blocks of an 8x8 block
INTRA_BLOCKS = _INTRA_MODES * _BLOCKS  # predicted for a macroblock
_QUADRANTS = 15 << QUADRANT
# log2(1 + i / 64) and 256 * 2^(i / 6), i = -OFFSET_MOST..OFFSET_MOST
_LOG2 = np.array([round(256 * float(np.log2(1 + i / 64))) for i in range(64)], np.int64)
OFFSET_MOST = 30
_SCALES = np.array([round(256 * 2.0 ** (i / 6)) for i in range(-OFFSET_MOST, OFFSET_MOST + 1)], np.int64)
# Adaptive quantisation: 1.0397 * (log2(energy) - 14.427) steps of QP, in eighths, x264's mode 1
_AQ_SLOPE, _AQ_MIDDLE = round(1.0397 * 8 / 256 * 65536), round(14.427 * 256)


@kernel
def log2_q8(value):
    """256 * log2(value), value >= 1, to 6 bits of mantissa, interpolated by none: at most 1/64 off."""
    bits = bit_length(value) - 1
    mantissa = (value << 6) >> bits if bits <= 6 else value >> (bits - 6)
    return (bits << 8) + _LOG2[mantissa & 63]


@kernel
def shrink(source, offset, stride, width, height, half, half_stride, half_width, half_height):
    """Write the rounded means of 2x2 samples; what lies outside of the source repeats its edge."""
    for y in range(half_height):
        row = offset + min(2 * y, height - 2) * stride
        at = y * half_stride
        inside = min(half_width, width // 2)
        for x in range(inside):
            total = np.int32(source[row + 2 * x]) + np.int32(source[row + 2 * x + 1])
            total += np.int32(source[row + stride + 2 * x]) + np.int32(source[row + stride + 2 * x + 1])
            half[at + x] = (total + 2) >> 2
        for x in range(inside, half_width):
            half[at + x] = half[at + inside - 1]


@kernel
def variances(source, offset, stride, width, height, mb_width, mb_height, out):
    """int8[n]: QP offset of each macroblock by its luma's variance, in eighths; the last ones are moved inwards."""
    for mb_y in range(mb_height):
        for mb_x in range(mb_width):
            at = offset + min(16 * mb_y, height - 16) * stride + min(16 * mb_x, width - 16)
            total, squares = moments_16xn(source, at, stride, 16)
            energy = max(squares - ((total * total) >> 8), 1)
            offset_q3 = ((log2_q8(energy) - _AQ_MIDDLE) * _AQ_SLOPE) >> 16
            out[mb_y * mb_width + mb_x] = min(max(offset_q3, -127), 127)


@kernel
def _intra_cost(current, at, line, predictions, available):
    """Least SATD of the 8x8 predictions of five modes from source samples."""
    dc = gather_8x8(line, current.data, at, current.stride, at - current.stride - 1, available)
    intra_8x8_predictions(predictions, 0, line, 0, dc)
    best = np.int64(COST_MOST)
    for mode in range(_INTRA_MODES):
        above, left = mode != HORIZONTAL and mode != DC, mode == HORIZONTAL or mode == DOWN_RIGHT
        if (above and not available & TOP) or (left and not available & LEFT):
            continue
        best = min(best, satd_8xn(current.data, at, current.stride, predictions, 64 * mode, 8, 8) + _INTRA_PENALTY)
    return best


@kernel
def _predict(reference, x, y, out, offset):
    """Put the 8x8 prediction from (x, y), quarter samples of the picture, to `out`."""
    first, second = source_offsets(reference, x, y)
    average_8xn(
        out, offset, 8, reference.data, first, reference.stride, reference.data, second, reference.stride, 8
    )  # fmt: skip


@kernel
def look(
    current, current_quarter, references, quarters, lists, columns, rows, mb_width, mb_height, settings, lambda_motion,
    intra_too, records, work,
):  # fmt: skip
    """Find costs and vectors of all macroblocks.

    current        : Plane of the picture at half size, columns x rows units of 16x16 samples
    references     : (ReferencePlanes of list 0, of list 1); quarters: their Planes at 1/4 resolution
    lists          : bit 0, 1: list 0, 1 is there
    settings       : SearchSettings; lambda_motion: as in it
    intra_too      : 0: the records have their intra costs already
    records        : RECORD[mb_width * mb_height]
    work           : ENCODE_WORK[columns * rows]

    Returns (sum of intra costs, sum of best costs, macroblocks that are best intra).
    """
    units = columns * rows
    whole = np.zeros((2, units, PARTITIONS, 2), np.int16)
    whole_costs = np.zeros((2, units, PARTITIONS), np.int32)
    nothing = np.zeros((units, 2), np.int16)
    vectors = np.zeros((2, PARTITIONS, 2), np.int32)
    costs = np.zeros((2, PARTITIONS), np.int32)
    scratch = FractionalScratch(np.zeros((4, 16), np.int32), np.zeros(256, np.int16))
    line = np.zeros(96, np.uint8)
    predictions = np.zeros(64 * MODES + 64, np.uint8)
    pair = np.zeros(3 * 64 + 64, np.uint8)
    intra_sum = best_sum = intra_count = np.int64(0)
    for row in range(rows):
        for lst in range(2):
            if lists >> lst & 1:
                search_row(
                    row, columns, rows, current, current_quarter, Plane(
                        references[lst].data, references[lst].offset, references[lst].stride
                    ), quarters[lst], nothing, settings, whole[lst], whole_costs[lst], work,
                )  # fmt: skip
        for column in range(columns):
            unit = row * columns + column
            at = current.offset + 16 * row * current.stride + 16 * column
            blocks = np.int64(0)
            for lst in range(2):
                if lists >> lst & 1:
                    blocks += 16 * refine(
                        current.data, at, current.stride, references[lst], 16 * column, 16 * row, whole[lst, unit],
                        _QUADRANTS, 0, 0, lambda_motion, vectors[lst], costs[lst], scratch, 0,
                    )  # fmt: skip
            for quadrant in range(4):
                x, y = 2 * column + (quadrant & 1), 2 * row + (quadrant >> 1)
                if x >= mb_width or y >= mb_height:
                    continue
                record = records[y * mb_width + x]
                place = at + 8 * (quadrant >> 1) * current.stride + 8 * (quadrant & 1)
                if intra_too:
                    available = (LEFT if x else 0) | (TOP if y else 0) | (CORNER if x and y else 0)
                    available |= TOP_RIGHT if y and x + 1 < 2 * columns else 0
                    record.intra = _intra_cost(current, place, line, predictions, available)
                    work[unit].intra_prediction_blocks += INTRA_BLOCKS
                intra = np.int64(record.intra)
                p = QUADRANT + quadrant
                best, used = np.int64(COST_MOST), 0
                for lst in range(2):
                    if lists >> lst & 1 and costs[lst, p] < best:
                        best, used = np.int64(costs[lst, p]), LIST_0 << lst
                if lists == 3:
                    for lst in range(2):
                        _predict(
                            references[lst], 32 * x + vectors[lst, p, 0], 32 * y + vectors[lst, p, 1], pair, 64 * lst
                        )
                    average_8xn(pair, 128, 8, pair, 0, 8, pair, 64, 8, 8)
                    both = satd_8xn(current.data, place, current.stride, pair, 128, 8, 8)
                    # the second vector's bits
                    both += max(costs[0, p], costs[1, p]) - max(
                        satd_8xn(current.data, place, current.stride, pair, 0, 8, 8),
                        satd_8xn(current.data, place, current.stride, pair, 64, 8, 8),
                    )
                    blocks += 3 * _BLOCKS
                    if both < best:
                        best, used = both, LIST_0 | LIST_1
                if best >= intra:
                    best, used = intra, 0
                    intra_count += 1
                record.inter = min(best, COST_MOST) | used << COST_BITS
                for lst in range(2):
                    record.mv[lst, 0], record.mv[lst, 1] = vectors[lst, p, 0], vectors[lst, p, 1]
                intra_sum += intra
                best_sum += best
            work[unit].fractional_search_blocks = min(blocks, 65535)
    return intra_sum, best_sum, intra_count


@kernel
def _hand_to(worth, mb_width, mb_height, x, y, amount):
    """Share `amount` among the four macroblocks under the block at (x, y), in 1/32 of a macroblock."""
    left, top = x >> 5, y >> 5
    right_part, lower_part = x & 31, y & 31
    for down in range(2):
        for across in range(2):
            to_x, to_y = left + across, top + down
            area = (right_part if across else 32 - right_part) * (lower_part if down else 32 - lower_part)
            if area and 0 <= to_x < mb_width and 0 <= to_y < mb_height:
                at = to_y * mb_width + to_x
                worth[at] = min(np.int64(worth[at]) + ((amount * area + 512) >> 10), 0x7FFFFFFF)


@kernel
def hand_on(records, worth, variance, use_variance, reference, reference_l1, mb_width, mb_height, work):
    """Hand what a picture's macroblocks are worth to the pictures that they were predicted from.

    records, worth, variance : RECORD[n], uint32[n], int8[n] of the picture
    use_variance             : strength of adaptive quantisation, in sixteenths: coarser macroblocks are worth less
    reference, reference_l1  : uint32[n], what those of list 0 and list 1 are worth; uint32[0]: not to be counted
    work                     : ENCODE_WORK[mb_height]
    """
    for mb in range(records.size):
        used = np.int64(records[mb].inter) >> COST_BITS
        if used == 0:
            continue
        intra, best = np.int64(records[mb].intra), np.int64(records[mb].inter) & COST_MOST
        coarser = (np.int64(variance[mb]) * use_variance + 64) >> 7
        own = (intra * _SCALES[OFFSET_MOST - min(max(coarser, -OFFSET_MOST), OFFSET_MOST)]) >> 8
        amount = (np.int64(worth[mb]) + own) * (intra - best) // max(intra, 1)
        if used == LIST_0 | LIST_1:
            amount = (amount + 1) >> 1
        mb_x, mb_y = mb % mb_width, mb // mb_width
        for lst in range(2):
            target = reference_l1 if lst else reference
            if used >> lst & 1:
                work[mb_y].first_pass_lists += 1
                if target.size:
                    _hand_to(
                        target, mb_width, mb_height, 32 * mb_x + np.int64(records[mb].mv[lst, 0]),
                        32 * mb_y + np.int64(records[mb].mv[lst, 1]), amount,
                    )  # fmt: skip


@kernel
def finish(records, worth, variance, use_variance, tree, intra_only, qp_map):
    """Make the QP map of a picture whose worth is complete.

    tree       : steps of QP for a macroblock worth twice its intra cost, in sixteenths
    intra_only : an I picture: what prediction from the picture before would cost is of no use to it
    qp_map     : int8[n], offset from the picture's QP

    Returns (offset of the whole picture's QP, cost: sum of the best costs at the map's quantisers, the picture's at 1).
    """
    total = np.int64(0)
    for mb in range(records.size):
        intra = max(np.int64(records[mb].intra), 1)
        finer = ((log2_q8(intra + np.int64(worth[mb])) - log2_q8(intra)) * tree) >> 4
        coarser = np.int64(variance[mb]) * use_variance * 2  # eighths by sixteenths, in Q8
        offset = (coarser - finer + 128) >> 8
        offset = min(max(offset, -OFFSET_MOST), OFFSET_MOST)
        qp_map[mb] = offset
        total += offset
    count = np.int64(records.size)
    mean = (2 * total + count) // (2 * count)
    cost = np.int64(0)
    for mb in range(records.size):
        best = np.int64(records[mb].intra) if intra_only else np.int64(records[mb].inter) & COST_MOST
        cost += (best * _SCALES[OFFSET_MOST - np.int64(qp_map[mb])]) >> 8
        qp_map[mb] -= mean
    return mean, cost


def reach(range_x: int, range_y: int) -> tuple[int, int]:
    """The window at half size, whole samples: what the second pass reaches in its own, as near as the search has it.

    Costs that only a wider search finds would form groups, and plan quality, that the second pass cannot code.
    """
    return max(_REACH_STEP, range_x // 2 // _REACH_STEP * _REACH_STEP), range_y // 2


def settings_of(range_x: int, range_y: int, lambda_motion: int) -> SearchSettings:
    """What the search spends on a picture at half size, by the second pass's window."""
    half_x, half_y = reach(range_x, range_y)
    return SearchSettings(
        range_x=half_x, range_y=half_y, centres=1, radius=2, radius_parts=1, temporal=0, lambda_motion=lambda_motion
    )
