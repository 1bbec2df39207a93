"""The pictures of a job's reference lists as the searches and mode decision read them."""

import numpy as np

from asic_model.cores.encode.job import SLICE_I, EncodeJob
from asic_model.cores.encode.lists import ReferenceLists
from asic_model.cores.encode.reference import ReferencePicture, reference_picture
from asic_model.cores.encode.weights import weighted_planes
from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.mode_decision.inter import References
from asic_model.engines.mode_decision.state import LIST_1, REFERENCES
from asic_model.engines.motion_search import GUARD_BYTES, Plane


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
    seen = [(picture.luma, picture.quarter) for picture in pictures]
    for place in np.flatnonzero(lists.weighted).tolist():
        weight, offset, _ = (int(value) for value in lists.weights[place, 0])
        seen[place] = weighted_planes(*seen[place], weight, offset)
    references = References(
        luma, tuple(planes for planes, _ in seen), memory, chroma, reconstruction.chroma_pitch, job.coded_width // 2,
        job.coded_height // 2, lists.implicit, lists.weighted, lists.weights,
    )  # fmt: skip
    return references, tuple(quarter for _, quarter in seen)
