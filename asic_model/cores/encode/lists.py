"""The reference lists of a job: pictures as the searches read them, distances in time, weights."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.direct_prediction import NO_PICTURE, DirectPictures, scale_factor
from asic_model.cores.encode.job import REFERENCES_L1_MAX, REFERENCES_MAX, SLICE_B, EncodeJob
from asic_model.engines.inter_prediction import implicit_weight
from asic_model.engines.mode_decision.state import LIST_1, REFERENCES

IMPLICIT_B = 2


class ReferenceLists(NamedTuple):
    """What a slice's lists mean for prediction.

    numbers  int16[2, 4]     [list][reference]: the same number for the same picture
    implicit int64[4, 2]     weight of list 1 in bi-prediction, 1/64
    weighted int64[6]        places (list 1 from LIST_1 on) whose predictions are weighted
    weights  int64[6, 3, 3]  [place][component] -> weight, offset, log2 of the denominator
    stretch  int64[6]        distance of a place from the picture to that of the first one of its list, 1/256
    direct   DirectPictures
    """

    numbers: np.ndarray
    implicit: np.ndarray
    weighted: np.ndarray
    weights: np.ndarray
    stretch: np.ndarray
    direct: DirectPictures


def picture_number(poc: int) -> int:
    """An order count as 16 bits of a motion record hold it."""
    return ((poc + 32768) & 65535) - 32768


def reference_lists(memory: np.ndarray, job: EncodeJob) -> ReferenceLists:
    """Derive them from the job and the pictures in memory."""
    lists = job.lists
    found: dict[int, int] = {}
    numbers = np.zeros((2, REFERENCES_MAX), np.int16)
    for lst, entries in enumerate(lists):
        for number, reference in enumerate(entries):
            numbers[lst, number] = found.setdefault(reference.surface.address, len(found))
    implicit = np.full((REFERENCES_MAX, REFERENCES_L1_MAX), 32, np.int64)
    picture = np.full(REFERENCES_MAX, NO_PICTURE, np.int16)
    scale = np.zeros(REFERENCES_MAX, np.int64)
    if job.slice_type == SLICE_B:
        for number, reference in enumerate(lists[0]):
            picture[number] = picture_number(reference.poc)
            scale[number] = scale_factor(job.poc, reference.poc, lists[1][0].poc)
            if job.weighted & IMPLICIT_B:
                for other, second in enumerate(lists[1]):
                    implicit[number, other] = implicit_weight(job.poc, reference.poc, second.poc, 0)
    weighted = np.zeros(REFERENCES, np.int64)
    weights = np.zeros((REFERENCES, 3, 3), np.int64)
    weights[:] = (32, 0, 5)
    stretch = np.full(REFERENCES, 256, np.int64)
    for lst, entries in enumerate(lists):
        for number, reference in enumerate(entries):
            distance = job.poc - entries[0].poc
            if distance:
                stretch[lst * LIST_1 + number] = 256 * (job.poc - reference.poc) // distance
    return ReferenceLists(numbers, implicit, weighted, weights, stretch, DirectPictures(picture, scale))
