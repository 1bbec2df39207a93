"""Explicit weights of P pictures (H.264 8.4.2.3): found from the pictures themselves, where light changes as a whole.

A reference is weighted so that the mean and the spread of its samples become those of the picture. Every fourth
sample in both directions is looked at, without motion: where weighting does not bring the difference down by a tenth,
it is left out.
"""

import numpy as np

from asic_model.cores.encode.job import SLICE_P, EncodeJob
from asic_model.cores.encode.lists import ReferenceLists
from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.mode_decision.state import Samples
from asic_model.engines.motion_search import Plane

LOG2_DENOMINATOR = 5
WEIGHTED_P = 1  # bit of `weighted`
_STEP = 4
_GAIN = 0.9  # of the difference, that weighting must reach


def weigh(samples: np.ndarray, weight: int, offset: int) -> np.ndarray:
    """Return uint8 samples after 8-298 with LOG2_DENOMINATOR."""
    values = np.arange(256, dtype=np.int64)
    half = 1 << (LOG2_DENOMINATOR - 1)
    table = np.clip(((values * weight + half) >> LOG2_DENOMINATOR) + offset, 0, 255).astype(np.uint8)
    return np.take(table, samples)


def _plane(memory: np.ndarray, address: int, pitch: int, width: int, height: int, step: int) -> np.ndarray:
    rows = memory[address : address + pitch * height].reshape(height, pitch)
    return rows[step // 2 :: step, step // 2 : width : step]


def _fit(current: np.ndarray, reference: np.ndarray) -> tuple[int, int] | None:
    """(weight, offset) that make `reference` like `current`, None where that gains nothing."""
    one = 1 << LOG2_DENOMINATOR
    mean, mean_reference = float(current.mean()), float(reference.mean())
    spread, spread_reference = float(current.std()), float(reference.std())
    weight = round(one * spread / spread_reference) if spread_reference > 0.5 else one
    weight = min(max(weight, 1), 127)
    offset = min(max(round(mean - mean_reference * weight / one), -128), 127)
    if (weight, offset) == (one, 0):
        return None
    wanted = current.astype(np.int16)
    plain = np.abs(wanted - reference).sum(dtype=np.int64)
    weighted = np.abs(wanted - weigh(reference, weight, offset)).sum(dtype=np.int64)
    return (weight, offset) if weighted < _GAIN * plain - current.size / 8 else None


def find_weights(memory: np.ndarray, job: EncodeJob, lists: ReferenceLists, source: Samples) -> None:
    """Fill in `weighted` and `weights` of list 0 where the job allows it and it pays."""
    if job.slice_type != SLICE_P or not job.weighted & WEIGHTED_P:
        return
    width, height = job.coded_width, job.coded_height
    sides = (
        (width, height, source.y, source.stride),
        *((width // 2, height // 2, at, source.chroma_stride) for at in (source.u, source.v)),
    )
    for number, entry in enumerate(job.lists[0]):
        surface = entry.surface
        places = (
            (surface.address, surface.pitch),
            (surface.cb_address, surface.chroma_pitch),
            (surface.cr_address, surface.chroma_pitch),
        )
        for component, ((columns, rows, at, stride), (address, pitch)) in enumerate(zip(sides, places, strict=True)):
            current = _plane(source.data, at, stride, columns, rows, _STEP)
            found = _fit(current, _plane(memory, address, pitch, columns, rows, _STEP))
            if found is not None:
                lists.weights[number, component, :2] = found
                lists.weighted[number] = 1
            elif component == 0:
                break


def weighted_planes(luma: ReferencePlanes, quarter: Plane, weight: int, offset: int) -> tuple[ReferencePlanes, Plane]:
    """What the searches see of a weighted reference: each plane weighted, positions between them nearly exact."""
    return (
        luma._replace(data=weigh(luma.data, weight, offset)),
        quarter._replace(data=weigh(quarter.data, weight, offset)),
    )
