"""One picture on the host, as the chip takes it: planar 4:2:0, 8 bits, even size."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass(slots=True)
class Picture:
    """Samples and time of one picture.

    y       uint8[height, width]           C-contiguous rows, any row stride
    cb, cr  uint8[height / 2, width / 2]
    pts     presentation time in units of `time_base` (seconds)
    """

    y: np.ndarray
    cb: np.ndarray
    cr: np.ndarray
    pts: int
    duration: int
    time_base: Fraction

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])


def even_planes(y: np.ndarray, cb: np.ndarray, cr: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return planes whose luma has even sides: the last column and row replicated where the size is odd.

    4:2:0 chroma of an odd size already covers the replicated samples: (n + 1) / 2 of them.
    """
    rows, columns = y.shape[0] % 2, y.shape[1] % 2
    if rows or columns:
        y = np.pad(y, ((0, rows), (0, columns)), mode="edge")
    return y, cb, cr


def blank_picture(width: int, height: int, time_base: Fraction = Fraction(1, 25)) -> Picture:
    """Return a grey picture (128 in all planes) at time 0."""
    chroma = (height // 2, width // 2)
    return Picture(
        np.full((height, width), 128, np.uint8), np.full(chroma, 128, np.uint8), np.full(chroma, 128, np.uint8),
        0, 1, time_base,
    )  # fmt: skip
