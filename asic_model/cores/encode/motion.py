"""Co-located motion in device memory: what one picture leaves for the search of the next.

A record of MOTION_BYTES for each macroblock in raster order, little-endian: four vectors (x, y, int16, quarter
samples) of the 8x8 quadrants, then their four reference indices (int8, -1 intra), then zeros.
"""

import numpy as np

from asic_model.codecs.h264.macroblock import Macroblocks
from asic_model.cores.encode.job import MOTION_BYTES

RECORD = np.dtype({"names": ["mv", "ref_idx"], "formats": [("<i2", (4, 2)), ("i1", 4)], "itemsize": MOTION_BYTES})
_QUADRANT_BLOCKS = (0, 2, 8, 10)  # first 4x4 block of each quadrant, raster order


def read(memory: np.ndarray, address: int, count: int) -> np.ndarray:
    """Return int16[count, 2], the vector of each macroblock's first quadrant; zeros where `address` is 0."""
    if not address:
        return np.zeros((count, 2), np.int16)
    records = memory[address : address + count * MOTION_BYTES].view(RECORD)
    return np.ascontiguousarray(records["mv"][:, 0])


def write(memory: np.ndarray, address: int, mbs: Macroblocks) -> None:
    """Put the motion of a picture at `address`."""
    records = np.zeros(len(mbs.mb_type), RECORD)
    records["mv"] = mbs.mv[:, 0, _QUADRANT_BLOCKS]
    records["ref_idx"] = mbs.ref_idx[:, 0]
    raw = records.view(np.uint8)
    memory[address : address + raw.size] = raw
