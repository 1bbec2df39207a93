"""Scene cuts: whether a picture has so little in common with the one before that it is better coded without it.

Both are looked at in means of 8x8 samples (of four of them). Each block of 4x4 means is predicted once from the picture
before (the best of a few displacements) and once from its own mean; where the first is hardly better than the second
over the whole picture, and much worse than it was one picture ago, a scene begins. This stands in for a first pass on
the chip: whoever has one gives `cut` to `EncodeSession.submit` himself.
"""

import numpy as np

_CELL = 8  # samples that become one mean
_BLOCK = 4  # means of a block's side
_REACH = 1  # displacements, in means
_JUMP = 1.5
_NOISE = 4  # steps


def _by_block(means: np.ndarray) -> np.ndarray:
    """int16[means of a block, blocks]."""
    rows, columns = means.shape[0] // _BLOCK, means.shape[1] // _BLOCK
    return means.reshape(rows, _BLOCK, columns, _BLOCK).transpose(1, 3, 0, 2).reshape(_BLOCK * _BLOCK, rows * columns)


def _sums(blocks: np.ndarray) -> np.ndarray:
    """Sum of each block; 16 means of 255 at most fit 16 bits."""
    return np.asarray(blocks.sum(0, dtype=np.int16))


class SceneCut:
    """Looks at luma planes in display order."""

    def __init__(self, threshold: int) -> None:
        """threshold: 0 (never) to 100, percent by which prediction in time must beat a block's own mean."""
        self._share = (100 - threshold) / 100 if threshold else None
        self._before: np.ndarray | None = None
        self._ratio = 0.0  # difference in time to difference in space, one picture ago

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
        blocks = _by_block(small)
        own = int(np.abs(16 * blocks - _sums(blocks)).sum()) / 16  # 16 times each mean is its block's sum
        padded = np.pad(before, _REACH, mode="edge")
        best = None
        for y in range(2 * _REACH + 1):
            for x in range(2 * _REACH + 1):
                moved = padded[y : y + small.shape[0], x : x + small.shape[1]]
                difference = _sums(_by_block(np.abs(small - moved)))
                best = difference if best is None else np.minimum(best, difference)
        assert best is not None
        # A few steps a sample are noise or a change of light; what changes all the time is motion, no row of cuts.
        ratio = float(best.sum()) / (float(own) + _NOISE * small.size)
        last, self._ratio = self._ratio, ratio
        return ratio > self._share and ratio > _JUMP * last
