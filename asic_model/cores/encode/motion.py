"""Motion of a picture in device memory: what it leaves for the search and the direct prediction of others.

A record of MOTION_BYTES for each macroblock in raster order, little-endian: four vectors (x, y, int16, quarter
samples), of each 8x8 quadrant the one at the macroblock's corner (list 1's where list 0 is not used), then their
reference indices (int8, -1 intra), the order counts of the pictures referred to (int16, modulo 2^16), and zeros.
"""

import numpy as np

from asic_model.codecs.h264.direct_prediction import NO_PICTURE, Colocated
from asic_model.codecs.h264.macroblock import Macroblocks
from asic_model.cores.encode.job import MOTION_BYTES, SLICE_B, EncodeJob
from asic_model.cores.encode.lists import picture_number
from asic_model.engines.mode_decision.state import LIST_1, REFERENCES

RECORD = np.dtype(
    {
        "names": ["mv", "ref_idx", "picture"],
        "formats": [("<i2", (4, 2)), ("i1", 4), ("<i2", 4)],
        "offsets": [0, 16, 20],
        "itemsize": MOTION_BYTES,
    }
)
_CORNER_BLOCKS = (0, 3, 12, 15)  # of each quadrant, raster order (8.4.1.2.1, direct_8x8_inference_flag 1)


def read(memory: np.ndarray, address: int, count: int) -> Colocated:
    """Return the motion at `address`; that of an intra picture where it is 0."""
    if not address:
        return Colocated(
            np.zeros((count, 4, 2), np.int16), np.full((count, 4), -1, np.int8), np.zeros((count, 4), np.int16)
        )
    records = memory[address : address + count * MOTION_BYTES].view(RECORD)
    return Colocated(*(np.ascontiguousarray(records[name]) for name in ("mv", "ref_idx", "picture")))


def write(memory: np.ndarray, address: int, mbs: Macroblocks, job: EncodeJob) -> None:
    """Put the motion of a picture at `address`."""
    records = np.zeros(len(mbs.mb_type), RECORD)
    first = mbs.ref_idx[:, 0] >= 0
    vectors = mbs.mv[:, :, _CORNER_BLOCKS]
    records["mv"] = np.where(first[:, :, None], vectors[:, 0], vectors[:, 1])
    indices = np.where(first, mbs.ref_idx[:, 0], mbs.ref_idx[:, 1])
    records["ref_idx"] = indices
    records["mv"][indices < 0] = 0
    pictures = np.full((2, 128), NO_PICTURE, np.int16)
    for lst, entries in enumerate(job.lists):
        for number, reference in enumerate(entries):
            pictures[lst, number] = picture_number(reference.poc)
    records["picture"] = np.where(first, pictures[0][indices], pictures[1][indices])
    raw = records.view(np.uint8)
    memory[address : address + raw.size] = raw


def temporal_vectors(colocated: Colocated, job: EncodeJob) -> np.ndarray:
    """Return int16[places, n, 2]: where the co-located motion points in each reference, quarter samples.

    A co-located vector spans the distance from its picture to the one that it refers to; it is stretched to the
    distance of the reference, in B slices (8.4.1.2.3 does the same), and taken as it is in P slices.
    """
    count = len(colocated.mv)
    found = np.zeros((REFERENCES, count, 2), np.int16)
    vectors = colocated.mv[:, 0].astype(np.int64)
    if job.slice_type != SLICE_B:
        found[:] = vectors
        return found
    own = job.lists[1][0].poc
    span = own - colocated.picture[:, 0].astype(np.int64)  # modulo 2^16
    span = ((span + 32768) & 65535) - 32768
    usable = (colocated.ref_idx[:, 0] >= 0) & (span != 0)
    span = np.where(usable, span, 1)
    for lst, entries in enumerate(job.lists):
        for number, reference in enumerate(entries):
            distance = job.poc - reference.poc
            scaled = np.where(usable[:, None], vectors * distance // span[:, None], 0)
            found[lst * LIST_1 + number] = np.clip(scaled, -2048, 2047)
    return found
