"""What the steps of a study cost in host time, and what a quick study leaves out to end within its budget.

Costs are of a 2.6 GHz Xeon core with kernels compiled (docs/benchmarks.md). They decide what is measured, never what a
figure is: the same clips and options give the same plan on every machine with as many processors, so that a study
that was stopped goes on where it stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.density.clips import MIN_FRAMES

MOST_S = 180.0  # that a quick study may take
PLANNED_S = 140.0  # and that it is planned for: machines differ
_START_S = 8.0  # imports, kernels from their cache, reports
_WORKERS_S = 1.0  # processes of one turn
_SEARCH_S = 12.0  # the throughput simulation's search for one capacity
# Mpix a second and core.
_DECODE = 250.0
_CHIP, _CHIP_LADDER = 12.0, 9.0
_SOFTWARE = {
    "x264": {
        "ultrafast": 120.0, "superfast": 85.0, "veryfast": 65.0, "faster": 50.0, "fast": 40.0, "medium": 33.0,
        "slow": 18.0, "slower": 8.0, "veryslow": 5.0,
    },
    "x265": {
        "ultrafast": 30.0, "superfast": 22.0, "veryfast": 15.0, "faster": 15.0, "fast": 14.0, "medium": 11.0,
        "slow": 4.5, "slower": 1.5, "veryslow": 0.8,
    },
    "svt-av1": {
        "13": 45.0, "12": 40.0, "11": 28.0, "10": 18.0, "9": 11.0, "8": 7.0, "7": 5.0, "6": 3.8, "5": 2.2, "4": 1.2,
        "3": 0.6, "2": 0.3,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One clip's share of a study: pixels of one picture in and out, and how many pictures."""

    source_mpix: float
    output_mpix: float
    frames: int


def turn_s(work: Work, encoder: str, preset: str, repeats: int) -> float:
    """Seconds of one turn of one speed: every processor does the same."""
    once = work.frames * (work.source_mpix / _DECODE + work.output_mpix / _SOFTWARE[encoder][preset])
    return _WORKERS_S + (1 + repeats) * once


def software_curve_s(work: Work, encoder: str, preset: str, points: int) -> float:
    """CPU seconds of one preset's curve."""
    return points * work.frames * work.source_mpix * (1 / _SOFTWARE[encoder][preset] + 1 / _DECODE)


def chip_point_s(work: Work) -> float:
    """CPU seconds of one rate point on the chip."""
    return work.frames * work.source_mpix * (1 / _CHIP + 1 / _DECODE)


def capacity_s(work: Work) -> float:
    """CPU seconds of one capacity: the recorded transcode, then the search."""
    return work.frames * (work.source_mpix + work.output_mpix) / _CHIP_LADDER + _SEARCH_S


@dataclass(frozen=True)
class Shape:
    """What a study measures of each clip, and of how many clips."""

    clips: int
    frames: int
    presets: tuple[str, ...]
    repeats: int


def study_s(
    works: Sequence[Work], shape: Shape, encoder: str, chip_presets: int, points: int, processors: int
) -> float:
    """Seconds of a study of that shape: speeds one after the other, all else side by side."""
    alone, together, longest = 0.0, 0.0, 0.0
    for work in works[: shape.clips]:
        cut = Work(work.source_mpix, work.output_mpix, min(work.frames, shape.frames))
        alone += 2 * sum(turn_s(cut, encoder, preset, shape.repeats) for preset in shape.presets)
        curves = [software_curve_s(cut, encoder, preset, points) for preset in shape.presets]
        capacity = capacity_s(cut)
        together += sum(curves) + chip_presets * (points * chip_point_s(cut) + capacity)
        longest = max(longest, capacity, *curves)
    return _START_S + alone + max(longest, together / processors)


def fit(
    works: Sequence[Work], shape: Shape, encoder: str, chip_presets: int, points: int, processors: int, *,
    may_cut_frames: bool, may_cut_presets: bool,
) -> Shape:  # fmt: skip
    """The largest shape that ends within the budget: first pictures go, then presets, then clips from the last.

    Where not even the smallest does, it is the answer: the caller says how long it will take.
    """
    pictures = [shape.frames]
    if may_cut_frames:
        pictures += [n for n in (40, 32, MIN_FRAMES) if n < shape.frames]
    presets = [shape.presets]
    if may_cut_presets:
        # The middle ones go: the fastest and the slowest bracket the chip.
        presets += [(*shape.presets[:n], shape.presets[-1]) for n in range(len(shape.presets) - 2, 0, -1)]
    smaller = shape
    for count in range(shape.clips, 0, -1):
        for names in presets:
            for frames in pictures:
                smaller = Shape(count, frames, names, shape.repeats)
                if study_s(works, smaller, encoder, chip_presets, points, processors) <= PLANNED_S:
                    return smaller
    return smaller


def left_out(full: Shape, cut: Shape, names: Sequence[str]) -> list[str]:
    """What `cut` does not measure of `full`, one line a kind; `names` of the clips."""
    lines = []
    if cut.frames < full.frames:
        lines.append(f"pictures of each clip: {cut.frames} of {full.frames}")
    gone = [preset for preset in full.presets if preset not in cut.presets]
    if gone:
        lines.append(f"presets {', '.join(gone)}")
    if cut.clips < full.clips:
        lines.append(f"clips {', '.join(names[cut.clips :])}")
    return lines
