"""The exchange rate between distortion and bits: lambda by QP, and what a motion vector difference costs.

lambda_motion = 2^((QP - 12) / 6) weighs bits against SAD and SATD; lambda_mode = 0.85 * 2^((QP - 12) / 3) weighs them
against SSD (the reference model's choice, JVT-O079). Both are integers, as an engine holds them.
"""

import numpy as np

MOTION_LAMBDA_BITS = 4
MODE_LAMBDA_BITS = 8
RATE_BITS = 8  # rates in mode decision are in 1/256 bit


def _table(base: float, slope: float, scale: int) -> np.ndarray:
    table = np.array([max(1, round(scale * base * 2 ** ((qp - 12) / slope))) for qp in range(52)], np.int32)
    table.flags.writeable = False
    return table


# [qp], in units of 1/16
MOTION_LAMBDA = _table(1.0, 6.0, 1 << MOTION_LAMBDA_BITS)
# [qp], in units of 1/256
MODE_LAMBDA = _table(0.85, 3.0, 1 << MODE_LAMBDA_BITS)

VECTOR_SPAN = 1 << 14  # differences of -VECTOR_SPAN .. VECTOR_SPAN - 1 quarter samples have an entry


def _signed_golomb_bits() -> np.ndarray:
    """uint8[2 * VECTOR_SPAN]: length of se(v) (9.1.1) of value i - VECTOR_SPAN."""
    value = np.arange(-VECTOR_SPAN, VECTOR_SPAN, dtype=np.int64)
    code = np.where(value > 0, 2 * value - 1, -2 * value) + 1
    bits = (2 * np.floor(np.log2(code)).astype(np.int64) + 1).astype(np.uint8)
    bits.flags.writeable = False
    return bits


VECTOR_BITS = _signed_golomb_bits()
