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
        small = (sparse[::2, ::2] + sparse[1::2, ::2] + sparse[::2, 1::2] + sparse[1::2, 1::2]) >> 2
        before, self._before = self._before, small
        if before is None or before.shape != small.shape:
            return False
        blocks = small.reshape(small.shape[0] // _BLOCK, _BLOCK, small.shape[1] // _BLOCK, _BLOCK)
        own = np.abs(blocks - blocks.mean((1, 3), keepdims=True)).sum()
        padded = np.pad(before, _REACH, mode="edge")
        best = None
        for y in range(2 * _REACH + 1):
            for x in range(2 * _REACH + 1):
                moved = padded[y : y + small.shape[0], x : x + small.shape[1]]
                difference = np.abs(small - moved).reshape(blocks.shape).sum((1, 3))
                best = difference if best is None else np.minimum(best, difference)
        assert best is not None
        # A few steps a sample are noise or a change of light; what changes all the time is motion, no row of cuts.
        ratio = float(best.sum()) / (float(own) + _NOISE * small.size)
        last, self._ratio = self._ratio, ratio
        return ratio > self._share and ratio > _JUMP * last
