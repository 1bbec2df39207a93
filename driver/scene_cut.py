"""Scene cuts: whether a picture has so little in common with the one before that it is better coded without it.

Both are looked at in means of 8x8 samples (of four of them). Each block of 4x4 means is predicted once from the picture
before (the best of a few displacements) and once from its own mean; where the first is hardly better than the second
over the whole picture, and much worse than it was one picture ago, a scene begins. This stands in for a first pass on
the chip: whoever has one gives `cut` to `EncodeSession.submit` himself.
"""

from collections.abc import Callable

import numpy as np

_CELL = 8  # samples that become one mean
_BLOCK = 4  # means of a block's side
_REACH = 1  # displacements, in means
_JUMP = 1.5
_NOISE = 4  # steps


def _block_sums(means: np.ndarray) -> np.ndarray:
    """int16[block rows, block columns]: 16 means of 255 at most fit."""
    rows = means[0::4] + means[1::4] + means[2::4] + means[3::4]
    return np.asarray(rows[:, 0::4] + rows[:, 1::4] + rows[:, 2::4] + rows[:, 3::4])


def _in_time(small: np.ndarray, before: np.ndarray) -> int:
    """Sum over the blocks of `small` of their least difference from a block of `before` up to _REACH away."""
    height, width = small.shape
    padded = np.pad(before, _REACH, mode="edge")
    best = _block_sums(np.abs(small - before))
    for y in range(2 * _REACH + 1):
        for x in range(2 * _REACH + 1):
            if (y, x) != (_REACH, _REACH):
                moved = padded[y : y + height, x : x + width]
                np.minimum(best, _block_sums(np.abs(small - moved)), out=best)
    return int(best.sum())


def _in_space(small: np.ndarray) -> float:
    """Sum of the differences of all means from their block's mean."""
    sums = _block_sums(small)
    blocks = small.reshape(sums.shape[0], _BLOCK, sums.shape[1], _BLOCK)
    return int(np.abs(16 * blocks - sums[:, None, :, None]).sum()) / 16  # 16 times each mean is its block's sum


class SceneCut:
    """Looks at luma planes in display order."""

    def __init__(self, threshold: int) -> None:
        """threshold: 0 (never) to 100, percent by which prediction in time must beat a block's own mean."""
        self._share = (100 - threshold) / 100 if threshold else None
        self._before: np.ndarray | None = None
        # difference in time to difference in space one picture ago, computed where somebody asks
        self._ratio: Callable[[], float] = lambda: 0.0

    def add(self, luma: np.ndarray) -> bool:
        """Return whether `luma` (uint8[height, width]) begins a scene; the first picture does not."""
        if self._share is None:
            return False
        side = _CELL * _BLOCK
        height, width = luma.shape[0] // side * side, luma.shape[1] // side * side
        if not height or not width:
            return False
        sparse = luma[2:height:4, 2:width:4].astype(np.int16)
        pairs = sparse[:, ::2] + sparse[:, 1::2]
        small = (pairs[::2] + pairs[1::2]) >> 2
        before, self._before = self._before, small
        if before is None or before.shape != small.shape:
            return False
        # A few steps a sample are noise or a change of light; what changes all the time is motion, no row of cuts.
        scale = _in_space(small) + _NOISE * small.size
        last, self._ratio = self._ratio, lambda: _in_time(small, before) / scale
        if int(np.abs(small - before).sum()) <= self._share * scale:  # no block moved: the best is no more than that
            return False
        ratio = self._ratio()
        self._ratio = lambda: ratio
        return ratio > self._share and ratio > _JUMP * last()
