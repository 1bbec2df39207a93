"""Explicit weights of P pictures (H.264 8.4.2.3): found from the pictures themselves, where light changes as a whole.

A reference is weighted so that the mean and the spread of its samples become those of the picture. Every fourth
sample in both directions is looked at, without motion: where weighting does not bring the difference down by a tenth,
it is left out.
"""

import math
from typing import NamedTuple

import numpy as np

from asic_model.cores.encode.job import SLICE_P, EncodeJob
from asic_model.cores.encode.lists import ReferenceLists
from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.inter_prediction import weight_prediction
from asic_model.engines.mode_decision.state import Samples
from asic_model.engines.motion_search import Plane
from asic_model.kernel_cache import kernel

LOG2_DENOMINATOR = 5
WEIGHTED_P = 1  # bit of `weighted`
_STEP = 4
_GAIN = 0.9  # of the difference, that weighting must reach


@kernel
def _weigh(samples: np.ndarray, weight: int, offset: int) -> None:
    """Weight them in place, by 16; GUARD_BYTES at their end need not be."""
    weight_prediction(samples, 0, 16, 16, samples.size >> 4, weight, offset, LOG2_DENOMINATOR)


@kernel
def _sums(samples: np.ndarray, at: int, pitch: int, width: int, height: int, sums: np.ndarray) -> None:
    """Put how many samples are looked at, their sum and the sum of their squares into sums[:3]."""
    number = total = squares = np.int64(0)
    for y in range(_STEP // 2, height, _STEP):
        row = at + y * pitch
        for x in range(_STEP // 2, width, _STEP):
            sample = np.int64(samples[row + x])
            number += 1
            total += sample
            squares += sample * sample
    sums[0], sums[1], sums[2] = number, total, squares


@kernel
def _differences(
    samples: np.ndarray, at: int, pitch: int, reference: np.ndarray, reference_at: int, reference_pitch: int,
    width: int, height: int, weight: int, offset: int, sums: np.ndarray,
) -> None:  # fmt: skip
    """Put the sums of absolute differences to the reference, and to what weighting makes of it, into sums[:2]."""
    table = np.empty(256, np.int64)
    for value in range(256):
        weighted = ((value * weight + (1 << (LOG2_DENOMINATOR - 1))) >> LOG2_DENOMINATOR) + offset
        table[value] = min(max(weighted, 0), 255)  # 8-298
    plain = weighted_sum = np.int64(0)
    for y in range(_STEP // 2, height, _STEP):
        row, other = at + y * pitch, reference_at + y * reference_pitch
        for x in range(_STEP // 2, width, _STEP):
            sample, from_reference = np.int64(samples[row + x]), np.int64(reference[other + x])
            plain += abs(sample - from_reference)
            weighted_sum += abs(sample - table[from_reference])
    sums[0], sums[1] = plain, weighted_sum


def _mean_and_spread(sums: np.ndarray) -> tuple[float, float]:
    number, total, squares = (int(value) for value in sums[:3])
    return total / number, math.sqrt(number * squares - total * total) / number


class _Samples(NamedTuple):
    """A plane in memory: uint8[...], where it begins, its pitch."""

    data: np.ndarray
    at: int
    pitch: int


def _fit(current: _Samples, reference: _Samples, width: int, height: int) -> tuple[int, int] | None:
    """(weight, offset) that make `reference` like `current`, None where that gains nothing."""
    one = 1 << LOG2_DENOMINATOR
    sums = np.empty(3, np.int64)
    _sums(*current, width, height, sums)
    (mean, spread), number = _mean_and_spread(sums), int(sums[0])
    _sums(*reference, width, height, sums)
    mean_reference, spread_reference = _mean_and_spread(sums)
    weight = round(one * spread / spread_reference) if spread_reference > 0.5 else one
    weight = min(max(weight, 1), 127)
    offset = min(max(round(mean - mean_reference * weight / one), -128), 127)
    if (weight, offset) == (one, 0):
        return None
    _differences(*current, *reference, width, height, weight, offset, sums)
    plain, weighted = int(sums[0]), int(sums[1])
    return (weight, offset) if weighted < _GAIN * plain - number / 8 else None


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
            current, reference = _Samples(source.data, at, stride), _Samples(memory, address, pitch)
            found = _fit(current, reference, columns, rows)
            if found is not None:
                lists.weights[number, component, :2] = found
                lists.weighted[number] = 1
            elif component == 0:
                break


def weighted_planes(luma: ReferencePlanes, quarter: Plane, weight: int, offset: int) -> tuple[ReferencePlanes, Plane]:
    """What the searches see of a weighted reference: each plane weighted, positions between them nearly exact."""
    luma, quarter = luma._replace(data=luma.data.copy()), quarter._replace(data=quarter.data.copy())
    for data in (luma.data, quarter.data):
        _weigh(data, weight, offset)
    return luma, quarter
