"""The reference lists of a job: pictures as the searches read them, distances in time, weights."""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.direct_prediction import NO_PICTURE, DirectPictures, scale_factor
from asic_model.cores.encode.job import REFERENCES_L1_MAX, REFERENCES_MAX, SLICE_B, SLICE_I, EncodeJob
from asic_model.cores.encode.reference import ReferencePicture, reference_picture
from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.inter_prediction import implicit_weight
from asic_model.engines.mode_decision.inter import References
from asic_model.engines.mode_decision.state import LIST_1, REFERENCES
from asic_model.engines.motion_search import GUARD_BYTES, Plane

IMPLICIT_B = 2


class ReferenceLists(NamedTuple):
    """What a slice's lists mean for prediction.

    numbers  int16[2, 4]     [list][reference]: the same number for the same picture
    implicit int64[4, 2]     weight of list 1 in bi-prediction, 1/64
    weighted int64[6]        places (list 1 from LIST_1 on) whose predictions are weighted
    weights  int64[6, 3, 3]  [place][component] -> weight, offset, log2 of the denominator
    direct   DirectPictures
    """

    numbers: np.ndarray
    implicit: np.ndarray
    weighted: np.ndarray
    weights: np.ndarray
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
    return ReferenceLists(numbers, implicit, weighted, weights, DirectPictures(picture, scale))


def search_references(
    memory: np.ndarray, job: EncodeJob, lists: ReferenceLists
) -> tuple[References, tuple[Plane, ...]]:
    """The references as mode decision and motion search read them; places without a picture repeat another one."""
    reconstruction = job.reconstruction
    surfaces = [reconstruction] * REFERENCES
    if job.slice_type == SLICE_I:
        nothing = np.zeros(GUARD_BYTES, np.uint8)
        pictures = [ReferencePicture(ReferencePlanes(nothing, 0, 1, 1), Plane(nothing, 0, 1))] * REFERENCES
    else:
        first, second = ([reference.surface for reference in entries] for entries in job.lists)
        second = second or first
        for place in range(REFERENCES):
            own = first if place < LIST_1 else second
            surfaces[place] = own[min(place - (LIST_1 if place >= LIST_1 else 0), len(own) - 1)]
        made = {surface.address: reference_picture(memory, surface) for surface in dict.fromkeys(surfaces)}
        pictures = [made[surface.address] for surface in surfaces]
    chroma = np.array([[surface.cb_address, surface.cr_address] for surface in surfaces], np.int64)
    luma = tuple(picture.luma for picture in pictures)
    references = References(
        luma, luma, memory, chroma, reconstruction.chroma_pitch, job.coded_width // 2, job.coded_height // 2,
        lists.implicit, lists.weighted, lists.weights,
    )  # fmt: skip
    return references, tuple(picture.quarter for picture in pictures)
