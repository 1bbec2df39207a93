"""A whole study: every clip by every encoder, the match, and what it is worth; one JSON-able result.

Speeds are measured alone, in two turns; between them curves and capacities are worked out side by side. Each step is
stored as it is done: a study that was stopped goes on where it stopped.
"""

import datetime
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.density import budget, chip, claims, clips, cost, cpu, curves, vbench, vmaf
from benchmarks.density.budget import Shape, Work
from benchmarks.density.clips import CannotJudge, SourceClip
from benchmarks.density.cost import Assumptions, Speeds
from benchmarks.density.curves import Curve, Point
from benchmarks.density.side_by_side import Step, side_by_side
from benchmarks.density.store import Store
from driver.options import PlannedRung, Rung, plan_ladder

SCHEMA, SCHEMA_VERSION = "tasic-density", 2
# Adjacent presets whose speed and compression bracket what a chip does; the quick set spans the same range.
PRESETS = {
    "x264": ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"),
    "x265": ("ultrafast", "superfast", "veryfast", "fast", "medium"),
    "svt-av1": ("12", "10", "8", "6"),
}
QUICK_PRESETS = {
    "x264": ("superfast", "veryfast", "fast", "medium"),
    "x265": ("ultrafast", "veryfast", "medium"),
    "svt-av1": ("12", "10", "8"),
}
QPS = (22, 27, 32, 37)
SPEED_QP = 27
BREAK_EVENS = ("chip_price", "core_speed", "chips_per_server", "chip_power", "electricity_price")
TARGET_SAVING = 0.95

Say = Callable[[str, float, float], None]  # what is being done; seconds of work done and in all, as estimated


@dataclass(frozen=True)
class Plan:
    """What is asked.

    repeats  of each speed, by each worker and turn
    quick    cut to a budget of time; `fixed_frames`, `fixed_presets`: asked for as they are, not to be cut
    """

    clips: tuple[str, ...]
    frames: int
    chip: str
    chip_presets: tuple[str, ...]
    encoder: str
    presets: tuple[str, ...]
    ladder: tuple[Rung, ...]
    metric: str = "psnr"
    method: str = "pchip"
    qps: tuple[int, ...] = QPS
    repeats: int = 3
    seed: int = 0
    accept_noise: bool = False
    assumptions: Path | None = None
    quick: bool = False
    fixed_frames: bool = False
    fixed_presets: bool = False


@dataclass
class ClipStudy:
    """One clip with what was found."""

    source: SourceClip
    rungs: list[PlannedRung]
    warnings: list[str] = field(default_factory=list)  # about the ladder
    turns: dict[str, list[cpu.Turn]] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    chip_curves: dict[str, Curve] = field(default_factory=dict)
    capacity: dict[str, chip.Capacity] = field(default_factory=dict)

    @property
    def speeds(self) -> dict[str, cpu.Speed]:
        return {preset: cpu.combine(turns) for preset, turns in self.turns.items()}

    @property
    def work(self) -> Work:
        output = sum(rung.width * rung.height for rung in self.rungs) / 1e6
        return Work(self.source.width * self.source.height / 1e6, output, self.source.frames)


@dataclass(frozen=True)
class Cut:
    """The plan as it is carried out, what it leaves out, and how long it should take."""

    plan: Plan
    opened: list[ClipStudy]
    left_out: list[str]
    estimated_s: float


def run(plan: Plan, store: Store, say: Say) -> dict[str, Any]:
    """Do the study. Raises CannotJudge, TooNoisy, BadAssumption or what the driver raises; nothing is guessed."""
    began = time.monotonic()
    assumptions = cost.load(plan.assumptions)
    cut = prepare(plan, store)
    first, second = ([*turns_of(cut, store, number)] for number in range(cpu.TURNS))
    at_once = len(os.sched_getaffinity(0))
    carry_out([(first, 1), ([*_between(cut, store)], at_once), (second, 1)], say)
    return _result(cut, assumptions, time.monotonic() - began)


def carry_out(phases: Sequence[tuple[Sequence[Step], int]], say: Say) -> None:
    """Do the steps of one phase after another, so many of each at once."""
    total, done = sum(step.seconds for steps, _ in phases for step in steps), 0.0
    for steps, at_once in phases:
        for step, ended in side_by_side(steps, at_once):
            done += step.seconds if ended else 0
            say(step.words, done, total)


def noisy(spread: float, share: float) -> bool:
    return spread > cpu.MOST_SPREAD or share < cpu.LEAST_SHARE


def _open(plan: Plan, name: str, store: Store) -> ClipStudy:
    source = clips.open_clip(name, plan.frames, store.folder)
    rungs, warnings = plan_ladder(
        plan.ladder or (Rung(None, (source.width, source.height), None),), source.width, source.height
    )
    return ClipStudy(source, rungs, warnings)


def prepare(plan: Plan, store: Store) -> Cut:
    """Open the clips; cut a quick study to its budget of time. Another one is left as it is."""
    opened = [_open(plan, name, store) for name in plan.clips]
    full = Shape(len(opened), max(each.source.frames for each in opened), plan.presets, plan.repeats)
    works = [each.work for each in opened]
    processors = len(os.sched_getaffinity(0))
    sizes = plan.encoder, len(plan.chip_presets), len(plan.qps), processors
    shape = full
    if plan.quick:
        shape = budget.fit(
            works, full, *sizes, may_cut_frames=not plan.fixed_frames, may_cut_presets=not plan.fixed_presets
        )
    kept = [
        ClipStudy(clips.shorten(each.source, min(each.source.frames, shape.frames)), each.rungs, each.warnings)
        for each in opened[: shape.clips]
    ]
    left_out = budget.left_out(full, shape, [each.source.name for each in opened])
    estimated = budget.study_s(works, shape, *sizes)
    return Cut(replace(plan, presets=shape.presets), kept, left_out, estimated)


def turns_of(cut: Cut, store: Store, number: int) -> Iterator[Step]:
    """One turn of every speed."""
    plan = cut.plan

    def speed(each: ClipStudy, preset: str) -> None:
        clip, sizes = each.source, tuple((rung.width, rung.height) for rung in each.rungs)
        job = cpu.CpuJob(clip.path, clip.frames, clip.rate, plan.encoder, preset, SPEED_QP, sizes)
        found = cpu.turn(job, number, clip.digest, store, repeats=plan.repeats, accept_noise=plan.accept_noise)
        each.turns.setdefault(preset, []).append(found)

    for each in cut.opened:
        for preset in plan.presets:
            words = f"{each.source.name}: speed of {plan.encoder} {preset}, turn {number + 1}"
            yield Step(
                words, budget.turn_s(each.work, plan.encoder, preset, plan.repeats), partial(speed, each, preset)
            )


def _between(cut: Cut, store: Store) -> Iterator[Step]:
    """Curves and capacities: nothing here is a measurement of time. The longest come first."""
    plan = cut.plan

    def capacity(each: ClipStudy, preset: str) -> None:
        each.capacity[preset] = chip.capacity(each.source, each.rungs, plan.chip, preset, SPEED_QP, store)

    def coded(each: ClipStudy, planes: Any, preset: str, qp: int) -> None:
        points[each.source.digest, preset, qp] = chip.point(each.source, planes(), plan.chip, preset, qp, store)
        found = [points.get((each.source.digest, preset, qp)) for qp in plan.qps]
        if all(found):
            each.chip_curves[preset] = [point for point in found if point is not None]

    def software(each: ClipStudy, planes: Any, preset: str) -> None:
        each.curves[preset] = curves.software_curve(each.source, planes(), plan.encoder, preset, plan.qps, store)

    points: dict[tuple[str, str, int], Point] = {}
    steps = []
    for each in cut.opened:
        planes, name, work = clips.Frames(each.source), each.source.name, each.work
        for preset in plan.chip_presets:
            steps.append(
                Step(
                    f"{name}: capacity of {plan.chip} {preset}",
                    budget.capacity_s(work),
                    partial(capacity, each, preset),
                )
            )
            for qp in plan.qps:
                steps.append(
                    Step(
                        f"{name}: compression of {plan.chip} {preset}", budget.chip_point_s(work),
                        partial(coded, each, planes, preset, qp),
                    )
                )  # fmt: skip
        for preset in plan.presets:
            seconds = budget.software_curve_s(work, plan.encoder, preset, len(plan.qps))
            steps.append(
                Step(
                    f"{name}: compression of {plan.encoder} {preset}", seconds, partial(software, each, planes, preset)
                )
            )
    yield from sorted(steps, key=lambda step: -step.seconds)


def _result(cut: Cut, assumptions: Assumptions, took_s: float) -> dict[str, Any]:
    plan, opened = cut.plan, cut.opened
    rows = [_clip_result(plan, each) for each in opened]
    speeds = [speed for each in opened for speed in each.speeds.values()]
    spread, share = max(speed.spread for speed in speeds), min(speed.share for speed in speeds)
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "plan": {**asdict(plan), "assumptions": str(plan.assumptions) if plan.assumptions else None},
        "time": {
            "budget_s": budget.MOST_S if plan.quick else None,
            "estimated_s": cut.estimated_s,
            "took_s": took_s,
            "left_out": cut.left_out,
        },
        "machine": cpu.machine(),
        "versions": versions(),
        "date": date(),
        "noise": {"spread": spread, "share": share, "too_noisy": noisy(spread, share)},
        "clips": rows,
        "presets": {preset: _preset_result(plan, rows, assumptions, preset) for preset in plan.chip_presets},
        "assumptions": {name: asdict(item) for name, item in assumptions.items()},
        "claims": [asdict(claim) for claim in claims.check_all()],
    }


def _clip_result(plan: Plan, each: ClipStudy) -> dict[str, Any]:
    source, speeds = each.source, {preset: found.mpix_per_s for preset, found in each.speeds.items()}
    matches, differences = {}, {}
    for preset, anchor in each.chip_curves.items():
        try:
            differences[preset] = {
                name: curves.difference(anchor, each.curves[name], plan.metric, plan.method) for name in plan.presets
            }
        except CannotJudge as error:
            raise CannotJudge(f"{source.name}: {error}") from None
        found = curves.match(differences[preset], speeds)
        matches[preset] = {**asdict(found), "words": found.words}
    return {
        "name": source.name,
        "generated": source.name == clips.GENERATED,
        "width": source.width,
        "height": source.height,
        "rate": float(source.rate),
        "frames": source.frames,
        "content": source.content,
        "warnings": each.warnings,
        "rungs": [[rung.width, rung.height] for rung in each.rungs],
        "speeds": {preset: {**asdict(found), "spread": found.spread} for preset, found in each.speeds.items()},
        "curves": {preset: [asdict(point) for point in curve] for preset, curve in each.curves.items()},
        "chip_curves": {preset: [asdict(point) for point in curve] for preset, curve in each.chip_curves.items()},
        "bd_percent": differences,
        "match": matches,
        "capacity": {preset: asdict(found) for preset, found in each.capacity.items()},
        "vbench": {preset: _vbench(plan, each, preset) for preset in plan.chip_presets},
    }


def _vbench(plan: Plan, each: ClipStudy, chip_preset: str) -> list[dict[str, Any]]:
    """Chip and CPU presets against the reference: the slowest CPU preset, one core; the chip as one whole."""

    def transcode(speed: float, curve: Curve) -> vbench.Transcode:
        point = next((each for each in curve if each.qp == SPEED_QP), curve[len(curve) // 2])
        return vbench.Transcode(speed, point.kbit_per_s, point.psnr)

    real_time = sum(rung.width * rung.height for rung in each.rungs) * float(each.source.rate) / 1e6
    name = plan.presets[-1]
    reference = transcode(each.speeds[name].mpix_per_s, each.curves[name])
    chip_speed = each.capacity[chip_preset].mpix_per_s
    new = {f"{plan.chip} {chip_preset}": transcode(chip_speed, each.chip_curves[chip_preset])}
    for preset in plan.presets:
        new[f"{plan.encoder} {preset}"] = transcode(each.speeds[preset].mpix_per_s, each.curves[preset])
    rows = []
    for label, found in new.items():
        ratios = vbench.ratios(reference, found, real_time)
        rows.append({"transcoder": label, "s": ratios.s, "b": ratios.b, "q": ratios.q, **vbench.scores(ratios)})
    return rows


def _preset_result(plan: Plan, rows: Sequence[dict[str, Any]], assumptions: Assumptions, preset: str) -> dict[str, Any]:
    """The chip preset over all clips: geometric means of speeds, errors at their largest."""
    chip_speed = _geometric([row["capacity"][preset]["mpix_per_s"] for row in rows])
    core_speed = _geometric([row["match"][preset]["mpix_per_s"] for row in rows])
    core_error = max(max(found["spread"] / 2 for found in row["speeds"].values()) for row in rows)
    capacities = [row["capacity"][preset] for row in rows]
    low, high = min(found["low"] for found in capacities), max(found["high"] for found in capacities)
    speeds = Speeds(chip_speed, core_speed, low, high, core_error)
    ratio = chip_speed / core_speed
    kinds = {row["match"][preset]["kind"] for row in rows}
    even = {name: cost.break_even(assumptions, speeds, name, "cost_saved", TARGET_SAVING) for name in BREAK_EVENS}
    return {
        "speeds": asdict(speeds),
        "equal_compression": kinds == {"between"},
        "unequal_by_percent": [row["match"][preset]["bd_percent"] for row in rows],
        "chip_over_core": ratio,
        "chip_over_core_range": [ratio * (1 + low) / (1 + core_error), ratio * (1 + high) / (1 - core_error)],
        "results": {name: asdict(found) for name, found in cost.monte_carlo(assumptions, speeds, plan.seed).items()},
        "tornado": [
            {**asdict(swing), "width": swing.width} for swing in cost.tornado(assumptions, speeds, "cost_saved")
        ],
        "break_even": even,
        "break_even_software": _break_even_software(rows, even["core_speed"], core_speed),
    }


def _break_even_software(rows: Sequence[dict[str, Any]], needed: float | None, matched: float) -> dict[str, Any] | None:
    """The software that would make the saving true: its speed in words of the presets measured, and how many times
    slower than the matching one that is; None where no speed does."""
    if needed is None:
        return None
    speeds = {preset: _geometric([row["speeds"][preset]["mpix_per_s"] for row in rows]) for preset in rows[0]["speeds"]}
    order = sorted(speeds, key=lambda preset: -speeds[preset])
    slower = [preset for preset in order if speeds[preset] < needed]
    if slower == order:
        words = f"any preset measured does ({order[0]} and slower)"
    elif slower:
        words = f"{slower[0]} or slower ones do"
    else:
        words = f"none measured does: one slower than {order[-1]} ({speeds[order[-1]]:.1f} Mpix/s)"
    return {"mpix_per_s": needed, "times_slower": matched / needed, "presets": words}


def _geometric(values: Sequence[float]) -> float:
    return math.exp(statistics.mean(map(math.log, values)))


def date() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def versions() -> dict[str, str]:
    """Of what decides a figure; `chip` is of everything that decides a stream or a capacity."""
    found = {"chip": chip.version(), "python": platform.python_version(), "vmaf": vmaf.version()}
    for name in ("tasic", "av", "numpy", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
