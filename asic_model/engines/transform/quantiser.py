"""Quantisation tables: scaling factors of the standard, and the encoder's multipliers derived from them.

All tables exist for both scans and stand in scan order, as the coefficients do (`asic_model.simd.transforms`).
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.tables import (
    FIELD_SCAN_4X4,
    FIELD_SCAN_8X8,
    NORM_ADJUST_4X4,
    NORM_ADJUST_8X8,
    QP_CHROMA,
    ZIGZAG_4X4,
    ZIGZAG_8X8,
)
from asic_model.kernel_cache import kernel

# Rows of the 4x4 scaling lists (7.4.2.1.1.1), and of the 8x8 ones.
INTRA_Y, INTRA_CB, INTRA_CR, INTER_Y, INTER_CB, INTER_CR = range(6)
INTRA_Y_8X8, INTER_Y_8X8 = range(2)

QP_COUNT = 52
SHIFT_4X4 = 15  # of a quantised coefficient, plus QP / 6
SHIFT_8X8 = 16

# One dimension of the transforms as rows of basis samples: 8.5.12.2 read as a matrix, 8.5.13 in eighths
_FORWARD_4 = ((1, 1, 1, 1), (2, 1, -1, -2), (1, -1, -1, 1), (1, -2, 2, -1))
_INVERSE_4: tuple[tuple[int | Fraction, ...], ...] = (
    (1, 1, 1, 1),
    (1, Fraction(1, 2), Fraction(-1, 2), -1),
    (1, -1, -1, 1),
    (Fraction(1, 2), -1, 1, Fraction(-1, 2)),
)
_BASIS_8 = (
    (8, 8, 8, 8, 8, 8, 8, 8),
    (12, 10, 6, 3, -3, -6, -10, -12),
    (8, 4, -4, -8, -8, -4, 4, 8),
    (10, -3, -12, -6, 6, 12, 3, -10),
    (8, -8, -8, 8, 8, -8, -8, 8),
    (6, -12, 3, 10, -10, -3, 12, -6),
    (4, -8, 8, -4, -4, 8, -8, 4),
    (3, -6, 10, -12, 12, -10, 6, -3),
)


class Quantiser(NamedTuple):
    """Tables of one picture parameter set and one choice of dead zones. Scan 0 is zig-zag, 1 field.

    factor_4x4  int32[2 * 6 * 6 * 16]   forward multiplier [scan][list][QP % 6][position], shift SHIFT_4X4 + QP / 6
    factor_8x8  int32[2 * 2 * 6 * 64]   the same of 8x8 blocks, shift SHIFT_8X8 + QP / 6
    scale_4x4   int32[2 * 6 * 52 * 16]  LevelScale4x4 << (QP / 6) [scan][list][QP][position]
    scale_8x8   int32[2 * 2 * 52 * 64]  LevelScale8x8 << (QP / 6)
    rounding    int32[2, 52]            dead-zone offset [0 intra, 1 inter][QP] at shift SHIFT_4X4 + QP / 6
    """

    factor_4x4: np.ndarray
    factor_8x8: np.ndarray
    scale_4x4: np.ndarray
    scale_8x8: np.ndarray
    rounding: np.ndarray


def norm_adjust_4x4(remainder: int, row: int, column: int) -> int:
    """normAdjust4x4(m, i, j), equation 8-315."""
    position = {0: 0, 2: 1, 1: 2}[row % 2 + column % 2]
    return int(NORM_ADJUST_4X4[remainder, position])


def norm_adjust_8x8(remainder: int, row: int, column: int) -> int:
    """normAdjust8x8(m, i, j), equation 8-318."""
    low, high = sorted(0 if i % 4 == 0 else 1 if i % 2 else 2 for i in (row, column))
    position = {(0, 0): 0, (1, 1): 1, (2, 2): 2, (0, 1): 3, (0, 2): 4, (1, 2): 5}[low, high]
    return int(NORM_ADJUST_8X8[remainder, position])


def _gain(size: int, row: int, column: int) -> Fraction:
    """What forward and then inverse transform make of coefficient (row, column), before the final shift by 6."""
    inner = []
    for index in (row, column):
        if size == 4:
            pairs = [(Fraction(f), Fraction(i)) for f, i in zip(_FORWARD_4[index], _INVERSE_4[index], strict=True)]
        else:
            pairs = [(Fraction(value, 8), Fraction(value, 8)) for value in _BASIS_8[index]]
        inner.append(sum((f * i for f, i in pairs), Fraction(0)))
    return inner[0] * inner[1]


def quantiser(
    scaling_4x4: np.ndarray | None = None,
    scaling_8x8: np.ndarray | None = None,
    intra_dead_zone: tuple[int, int] = (1, 3),
    inter_dead_zone: tuple[int, int] = (1, 6),
) -> Quantiser:
    """Build the tables.

    scaling_4x4      uint8[6, 16]  weightScale4x4 in raster order (None: flat 16), by INTRA_Y..INTER_CR
    scaling_8x8      uint8[2, 64]  weightScale8x8 in raster order (None: flat 16), intra then inter luma
    intra_dead_zone, inter_dead_zone  rounding offset as a fraction (numerator, denominator) of a quantisation step
    """
    weights_4 = np.full((6, 16), 16) if scaling_4x4 is None else np.asarray(scaling_4x4, np.int64).reshape(6, 16)
    weights_8 = np.full((2, 64), 16) if scaling_8x8 is None else np.asarray(scaling_8x8, np.int64).reshape(2, 64)
    tables = []
    for size, weights, norm_adjust, scans, shift, quantum_shift in (
        (4, weights_4, norm_adjust_4x4, (ZIGZAG_4X4, FIELD_SCAN_4X4), SHIFT_4X4, 4),
        (8, weights_8, norm_adjust_8x8, (ZIGZAG_8X8, FIELD_SCAN_8X8), SHIFT_8X8, 6),
    ):
        lists, area = weights.shape
        level_scale = np.empty((lists, 6, area), np.int64)
        factor = np.empty((lists, 6, area), np.int64)
        for index in range(area):
            row, column = divmod(index, size)
            gain = _gain(size, row, column)
            for remainder in range(6):
                norm = norm_adjust(remainder, row, column)
                for number in range(lists):
                    # level * quantum must be what the inverse needs: coefficient * 64 / gain
                    scale = int(weights[number, index]) * norm
                    quantum = Fraction(scale, 1 << quantum_shift)
                    level_scale[number, remainder, index] = scale
                    factor[number, remainder, index] = round(Fraction(64 << shift) / (gain * quantum))
        scale_by_qp = np.stack([level_scale[:, qp % 6] << (qp // 6) for qp in range(QP_COUNT)], axis=1)
        for values in (factor, scale_by_qp):
            scanned = np.stack([values[..., scan] for scan in scans])
            tables.append(scanned.astype(np.int32).ravel())
    rounding = np.array(
        [
            [(numerator << (SHIFT_4X4 + qp // 6)) // denominator for qp in range(QP_COUNT)]
            for numerator, denominator in (intra_dead_zone, inter_dead_zone)
        ],
        np.int32,
    )
    factor_4x4, scale_4x4, factor_8x8, scale_8x8 = tables
    return Quantiser(factor_4x4, factor_8x8, scale_4x4, scale_8x8, rounding)


@kernel
def chroma_qp(qp, offset):
    """QPC of luma `qp` (0..51) with chroma_qp_index_offset `offset` (8.5.8)."""
    return np.int64(QP_CHROMA[min(max(np.int64(qp) + offset, 0), 51)])
