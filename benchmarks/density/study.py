"""A whole study: every clip by every encoder, the match, and what it is worth; one JSON-able result.

Each step is stored as it is done: a study that was stopped goes on where it stopped.
"""

import datetime
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.density import chip, claims, clips, cost, cpu, curves, vbench
from benchmarks.density.clips import SourceClip
from benchmarks.density.cost import Assumptions, Speeds
from benchmarks.density.curves import Curve
from benchmarks.density.store import Store
from driver.options import PlannedRung, Rung, plan_ladder

SCHEMA, SCHEMA_VERSION = "tasic-density", 1
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

Say = Callable[[str, int, int], None]  # what is being done, steps done, steps in all


@dataclass(frozen=True)
class Plan:
    """What is asked."""

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


@dataclass
class _Clip:
    """One clip with what was found."""

    source: SourceClip
    rungs: list[PlannedRung]
    speeds: dict[str, cpu.Speed] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    chip_curves: dict[str, Curve] = field(default_factory=dict)
    capacity: dict[str, chip.Capacity] = field(default_factory=dict)


def run(plan: Plan, store: Store, say: Say) -> dict[str, Any]:
    """Do the study. Raises CannotJudge, TooNoisy, BadAssumption or what the driver raises; nothing is guessed."""
    assumptions = cost.load(plan.assumptions)
    opened = [_open(plan, name, store) for name in plan.clips]
    steps = list(_steps(plan, opened, store))
    for number, (words, step) in enumerate(steps):
        say(words, number, len(steps))
        step()
    say("done", len(steps), len(steps))
    return _result(plan, opened, assumptions)


def _open(plan: Plan, name: str, store: Store) -> _Clip:
    source = clips.open_clip(name, plan.frames, store.folder)
    rungs, _warnings = plan_ladder(
        plan.ladder or (Rung(None, (source.width, source.height), None),), source.width, source.height
    )
    return _Clip(source, rungs)


def _steps(plan: Plan, opened: Sequence[_Clip], store: Store) -> Iterator[tuple[str, Callable[[], None]]]:
    for each in opened:
        sizes = tuple((rung.width, rung.height) for rung in each.rungs)
        source = each.source
        planes = clips.frames(source)

        def speed(preset: str, each: _Clip = each, sizes: Any = sizes) -> None:
            clip = each.source
            job = cpu.CpuJob(clip.path, clip.frames, clip.rate, plan.encoder, preset, SPEED_QP, sizes)
            each.speeds[preset] = cpu.speed(
                job, clip.digest, store, repeats=plan.repeats, accept_noise=plan.accept_noise
            )

        def software(preset: str, each: _Clip = each, planes: Any = planes) -> None:
            each.curves[preset] = curves.software_curve(each.source, planes, plan.encoder, preset, plan.qps, store)

        def coded(preset: str, each: _Clip = each, planes: Any = planes) -> None:
            each.chip_curves[preset] = chip.curve(each.source, planes, plan.chip, preset, plan.qps, store)

        def capacity(preset: str, each: _Clip = each) -> None:
            each.capacity[preset] = chip.capacity(each.source, each.rungs, plan.chip, preset, SPEED_QP, store)

        for preset in plan.presets:
            yield f"{source.name}: speed of {plan.encoder} {preset}", partial(speed, preset)
        for preset in plan.presets:
            yield f"{source.name}: compression of {plan.encoder} {preset}", partial(software, preset)
        for preset in plan.chip_presets:
            yield f"{source.name}: compression of {plan.chip} {preset}", partial(coded, preset)
            yield f"{source.name}: capacity of {plan.chip} {preset}", partial(capacity, preset)


def _result(plan: Plan, opened: Sequence[_Clip], assumptions: Assumptions) -> dict[str, Any]:
    rows = [_clip_result(plan, each) for each in opened]
    noisy = max(speed.spread for each in opened for speed in each.speeds.values())
    share = min(speed.share for each in opened for speed in each.speeds.values())
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "plan": {**asdict(plan), "assumptions": str(plan.assumptions) if plan.assumptions else None},
        "machine": cpu.machine(),
        "versions": _versions(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "noise": {"spread": noisy, "share": share, "too_noisy": noisy > cpu.MOST_SPREAD or share < cpu.LEAST_SHARE},
        "clips": rows,
        "presets": {preset: _preset_result(plan, rows, assumptions, preset) for preset in plan.chip_presets},
        "assumptions": {name: asdict(item) for name, item in assumptions.items()},
        "claims": [asdict(claim) for claim in claims.check_all()],
    }


def _clip_result(plan: Plan, each: _Clip) -> dict[str, Any]:
    source, speeds = each.source, {preset: found.mpix_per_s for preset, found in each.speeds.items()}
    matches, differences = {}, {}
    for preset, anchor in each.chip_curves.items():
        differences[preset] = {
            name: curves.difference(anchor, each.curves[name], plan.metric, plan.method) for name in plan.presets
        }
        found = curves.match(differences[preset], speeds)
        matches[preset] = {**asdict(found), "words": found.words}
    return {
        "name": source.name,
        "generated": source.name == clips.GENERATED,
        "width": source.width,
        "height": source.height,
        "rate": float(source.rate),
        "frames": source.frames,
        "digest": source.digest,
        "rungs": [[rung.width, rung.height] for rung in each.rungs],
        "speeds": {preset: {**asdict(found), "spread": found.spread} for preset, found in each.speeds.items()},
        "curves": {preset: [asdict(point) for point in curve] for preset, curve in each.curves.items()},
        "chip_curves": {preset: [asdict(point) for point in curve] for preset, curve in each.chip_curves.items()},
        "bd_percent": differences,
        "match": matches,
        "capacity": {preset: asdict(found) for preset, found in each.capacity.items()},
        "vbench": {preset: _vbench(plan, each, preset) for preset in plan.chip_presets},
    }


def _vbench(plan: Plan, each: _Clip, chip_preset: str) -> list[dict[str, Any]]:
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
    chip_error = max(row["capacity"][preset]["error"] for row in rows)
    speeds = Speeds(chip_speed, core_speed, chip_error, core_error)
    kinds = {row["match"][preset]["kind"] for row in rows}
    return {
        "speeds": asdict(speeds),
        "equal_compression": kinds == {"between"},
        "unequal_by_percent": [row["match"][preset]["bd_percent"] for row in rows],
        "chip_over_core": chip_speed / core_speed,
        "results": {name: asdict(found) for name, found in cost.monte_carlo(assumptions, speeds, plan.seed).items()},
        "tornado": [
            {**asdict(swing), "width": swing.width} for swing in cost.tornado(assumptions, speeds, "cost_saved")
        ],
        "break_even": {
            name: cost.break_even(assumptions, speeds, name, "cost_saved", TARGET_SAVING) for name in BREAK_EVENS
        },
    }


def _geometric(values: Sequence[float]) -> float:
    return math.exp(statistics.mean(map(math.log, values)))


def _versions() -> dict[str, str]:
    found = {}
    for name in ("tasic", "av", "numpy", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
