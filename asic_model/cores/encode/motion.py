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
from asic_model.descriptors import FIRST_PASS_RECORD_BYTES
from asic_model.engines.first_pass import RECORD as FIRST_PASS_RECORD
from asic_model.engines.mode_decision.state import LIST_1, REFERENCES
from asic_model.kernel_cache import kernel

RECORD = np.dtype(
    {
        "names": ["mv", "ref_idx", "picture"],
        "formats": [("<i2", (4, 2)), ("i1", 4), ("<i2", 4)],
        "offsets": [0, 16, 20],
        "itemsize": MOTION_BYTES,
    }
)


def read(memory: np.ndarray, address: int, count: int) -> Colocated:
    """Return the motion at `address`; that of an intra picture where it is 0."""
    if not address:
        return Colocated(
            np.zeros((count, 4, 2), np.int16), np.full((count, 4), -1, np.int8), np.zeros((count, 4), np.int16)
        )
    records = memory[address : address + count * MOTION_BYTES].view(RECORD)
    return Colocated(*(np.ascontiguousarray(records[name]) for name in ("mv", "ref_idx", "picture")))


@kernel
def _fill(records: np.ndarray, ref_idx: np.ndarray, mv: np.ndarray, pictures: np.ndarray) -> None:
    """Records of a picture; pictures: int16[2, 128], order counts by list and index."""
    for mb in range(len(records)):
        record = records[mb]
        for quadrant in range(4):
            lst = 0 if ref_idx[mb, 0, quadrant] >= 0 else 1
            index = np.int64(ref_idx[mb, lst, quadrant])
            block = 3 * (quadrant & 1) + 12 * (
                quadrant >> 1
            )  # at the macroblock's corner (direct_8x8_inference_flag 1)
            for axis in range(2):
                record.mv[quadrant, axis] = mv[mb, lst, block, axis] if index >= 0 else 0
            record.ref_idx[quadrant] = index
            record.picture[quadrant] = pictures[lst, index] if index >= 0 else NO_PICTURE


def write(memory: np.ndarray, address: int, mbs: Macroblocks, job: EncodeJob) -> None:
    """Put the motion of a picture at `address`."""
    records = np.zeros(len(mbs.mb_type), RECORD)
    pictures = np.full((2, 128), NO_PICTURE, np.int16)
    for lst, entries in enumerate(job.lists):
        for number, reference in enumerate(entries):
            pictures[lst, number] = picture_number(reference.poc)
    _fill(records, mbs.ref_idx, mbs.mv, pictures)
    raw = records.view(np.uint8)
    memory[address : address + raw.size] = raw


@kernel
def _stretch(
    mv: np.ndarray, ref_idx: np.ndarray, picture: np.ndarray, own: np.ndarray, poc: int, found: np.ndarray
) -> None:
    """Vectors of quadrant 0, each stretched from its own span to the distance of a picture at `poc` from the current
    one, into found int16[n, 2]."""
    for mb in range(len(found)):
        span = own[1] - np.int64(picture[mb, 0])  # modulo 2^16
        span = ((span + 32768) & 65535) - 32768
        usable = ref_idx[mb, 0] >= 0 and span != 0
        for axis in range(2):
            scaled = np.int64(mv[mb, 0, axis]) * (own[0] - poc) // span if usable else np.int64(0)
            found[mb, axis] = min(max(scaled, -2048), 2047)


def put_first_pass_vectors(memory: np.ndarray, job: EncodeJob, found: np.ndarray) -> None:
    """Put the vectors that the first pass found in place of those for the first reference of each list, into what
    `temporal_vectors` returned. At half size they are half as long."""
    count = len(found[0])
    end = job.vectors_address + count * FIRST_PASS_RECORD_BYTES
    vectors = memory[job.vectors_address : end].view(FIRST_PASS_RECORD)["mv"].astype(np.int32)
    for lst, entries in enumerate(job.lists):
        if entries:
            found[lst * LIST_1] = np.clip(2 * vectors[:, lst], -2048, 2047)


def temporal_vectors(colocated: Colocated, job: EncodeJob) -> np.ndarray:
    """Return int16[places, n, 2]: where the co-located motion points in each reference, quarter samples.

    A co-located vector spans the distance from its picture to the one that it refers to; it is stretched to the
    distance of the reference, in B slices (8.4.1.2.3 does the same), and taken as it is in P slices.
    """
    count = len(colocated.mv)
    found = np.zeros((REFERENCES, count, 2), np.int16)
    if job.slice_type != SLICE_B:
        found[: max(job.ref_count, 1)] = colocated.mv[:, 0]
        return found
    own = np.array([job.poc, job.lists[1][0].poc])
    for lst, entries in enumerate(job.lists):
        for number, reference in enumerate(entries):
            place = lst * LIST_1 + number
            _stretch(colocated.mv, colocated.ref_idx, colocated.picture, own, reference.poc, found[place])
    return found
