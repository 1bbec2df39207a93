"""Residual of a macroblock's component, coded and restored as H.264 does: 4x4 transforms, DC coefficients apart.

blocks       16x16 or 8x8 samples in blocks of 4x4, each with its own DC (inter, Intra4x4)
intra_16x16  luma: DC coefficients go through a 4x4 Hadamard transform (8.5.2)
chroma       8x8 samples of Cb or Cr: DC coefficients go through a 2x2 one (8.5.4); `qp` is chroma's own
"""

from typing import Any

import numpy as np

KINDS = {"blocks": (8, 16), "intra_16x16": (16,), "chroma": (8,)}


def code_component(
    arithmetic: Any, kind: str, residual: np.ndarray, qp: int, intra: int
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """(levels, DC levels, restored residual). `arithmetic` has the steps of one block (BlockTransform).

    levels : int64, as `residual`; 0 in the place of DC coefficients that go apart
    DC     : int64[n, n], a level for each block, or None
    """
    across = range(0, len(residual), 4)
    places = [(slice(y, y + 4), slice(x, x + 4)) for y in across for x in across]
    coefficients, levels, restored = np.zeros_like(residual), np.zeros_like(residual), np.zeros_like(residual)
    for place in places:
        coefficients[place] = arithmetic.forward("core", residual[place])
        levels[place] = arithmetic.quantise("core", coefficients[place], qp, intra)
    dc = None
    if kind != "blocks":
        levels[::4, ::4] = 0
        dc = arithmetic.answer("forward_quantise", "hadamard", coefficients[::4, ::4], qp, intra)
    scaled = np.zeros_like(residual)
    for place in places:
        scaled[place] = arithmetic.scale("core", levels[place], qp)
    if dc is not None:
        scaled[::4, ::4] = arithmetic.restored("hadamard", dc, qp)
    for place in places:
        restored[place] = arithmetic.inverse("core", scaled[place])
    return levels, dc, restored
