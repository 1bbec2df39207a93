"""Design-space exploration: many points of chip figures and workload figures, on any executor, resumable.

    space = load("space.yaml")
    for row in run(space, Path("out.jsonl"), executor, workers=2): ...

A point is a set of values of dotted paths: `encode.cores`, `memory.standard` change the chip, `workload.preset`
changes every session of the workload. What a point measures is `measure`: streams that its resources carry (`bounds`),
a simulation of so many streams, or a capacity search.

The output has one JSON row a point, in order of points, whatever the executor. Its first row holds the digest of the
space: a file of another space is refused. A run that was killed is taken up where its last whole row ends; a torn row
is cut off. Rows, once written, are never written again.
"""

import fcntl
import hashlib
import itertools
import json
import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from asic_model.chips.reader import ConfigError
from asic_model.config import ChipConfig, field_info, load_chip, with_changes
from asic_model.workload import capacity as capacities
from asic_model.workload import workload as workloads
from asic_model.workload.errors import WorkloadError
from asic_model.workload.simulation import Simulation, decides
from asic_model.workload.simulation_report import report
from asic_model.workload.workload import SessionConfig, WorkloadConfig, _Part, checked, read_yaml

WINDOW = 4  # points under way for each worker
MOST_POINTS = 1_000_000
OF_WORKLOAD = "workload."


class AxisConfig(_Part):
    """One axis: listed values, or a range that is divided (`steps`) or drawn from."""

    values: tuple[Any, ...] | None = Field(None, description="values, in order")
    low: float | None = Field(None, description="beginning of a range")
    high: float | None = Field(None, description="its end, included")
    steps: int | None = Field(None, ge=2, le=10_000, description="evenly spaced values of a range [values]")
    whole: bool = Field(False, description="round to whole numbers")

    @model_validator(mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return {"values": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one(self) -> "AxisConfig":
        if (self.values is None) == (self.low is None or self.high is None):
            raise ValueError("give a list of values, or low and high")
        if self.values is not None and not self.values:
            raise ValueError("the list of values is empty")
        for value in self.values or ():
            number = isinstance(value, int | float) and math.isfinite(value)
            if not number and not (isinstance(value, str) and value):
                raise ValueError(f"{value!r} is not a value; numbers, words, true and false are")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low: {self.low} is above high: {self.high}")
        return self

    def grid(self) -> list[Any]:
        if self.values is not None:
            return list(self.values)
        if self.steps is None:
            raise WorkloadError("axes: a range needs `steps` in a grid")
        return [self._rounded(value) for value in np.linspace(self.low or 0.0, self.high or 0.0, self.steps)]

    def draw(self, random: np.random.Generator) -> Any:
        if self.values is not None:
            return self.values[int(random.integers(0, len(self.values)))]
        if self.steps is not None:
            return self.grid()[int(random.integers(0, self.steps))]
        return self._rounded(random.uniform(self.low or 0.0, self.high or 0.0))

    def _rounded(self, value: float) -> Any:
        return round(value) if self.whole else round(float(value), 9)


class HalvingConfig(_Part):
    """Successive halving: all points shortly, the best part of them longer, and so on."""

    keep: float = Field(0.33, gt=0, lt=1, description="share that goes on to the next round")
    rounds: int = Field(3, ge=1, le=10, description="rounds; each simulates 1 / keep times as long as the one before")


class MeasureConfig(_Part):
    """What a point measures."""

    kind: Literal["bounds", "simulate", "capacity"] = Field("simulate", description="see docs/sweep.md")
    streams: int = Field(10, ge=1, le=4096, description="simulate: so many streams [streams]")
    duration_s: float = Field(0.1, gt=0, le=1000, description="simulated [s]")
    warm_up_s: float = Field(0.05, ge=0, le=100, description="before anything counts [s]")
    percentile: float = Field(0.99, ge=0.5, le=1, description="capacity: pictures in time")


class SpaceConfig(_Part):
    """A whole search."""

    name: str = Field("sweep", max_length=64)
    description: str = Field("", max_length=4000)
    chip: str = Field("vcu", description="the chip that points change")
    workload: str = Field("live_ladder", description="mix, or file beside this one")
    mode: Literal["grid", "random", "halving"] = "grid"
    samples: int = Field(100, ge=1, le=MOST_POINTS, description="random, halving: points drawn [points]")
    seed: int = Field(0, ge=0, le=2**32 - 1)
    axes: dict[str, AxisConfig] = Field(min_length=1, max_length=64)
    measure: MeasureConfig = MeasureConfig()
    halving: HalvingConfig = HalvingConfig()
    objectives: dict[str, Literal["max", "min"]] = Field(
        {"streams": "max", "nj_per_px": "min"}, description="metrics of the Pareto front; the first one ranks halving"
    )
    area_mm2: dict[str, float] = Field(
        {}, description="area of one unit of a chip figure, e.g. encode.cores: 2.0; their sum is metric area_mm2"
    )
    bd_rate_percent: dict[str, float] = Field({}, description="by preset; becomes metric bd_rate_percent")
    sensitivity_percent: float = Field(0, ge=0, le=50, description="0: none; else each resource by so much [%]")

    @model_validator(mode="after")
    def _paths(self) -> "SpaceConfig":
        for path in [*self.axes, *self.area_mm2]:
            if path.startswith(OF_WORKLOAD):
                name = path.removeprefix(OF_WORKLOAD)
                if name not in SessionConfig.model_fields or name in ("source", "ladder", "name"):
                    raise ValueError(f"axes: {path}: sessions have no figure {name!r}")
            elif field_info(path) is None:
                raise ValueError(f"axes: {path}: chips have no such figure (`tasic chips show` lists them)")
        return self


@dataclass(frozen=True)
class Point:
    """One point: its number, the round of halving, its values by path."""

    number: int
    round: int
    values: dict[str, Any]


def load(path: str | Path) -> SpaceConfig:
    """Read a space. Raises WorkloadError with every problem."""
    name = str(path)
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise WorkloadError(f"{name}: {error.strerror or error}") from None
    space = checked(SpaceConfig, read_yaml(text, name), name)
    if Path(space.workload).suffix in (".yaml", ".yml"):
        space = space.model_copy(update={"workload": str(Path(path).parent / space.workload)})
    for field, read in (("chip", load_chip), ("workload", workloads.load)):
        try:
            read(getattr(space, field))
        except (ConfigError, WorkloadError) as error:
            raise WorkloadError(f"{name}: {field}: {error}") from None
    return space


def points(space: SpaceConfig) -> list[Point]:
    """The points of the first round, in order."""
    if space.mode == "grid":
        grids = {path: axis.grid() for path, axis in space.axes.items()}
        count = int(np.prod([len(grid) for grid in grids.values()], dtype=object))
        if count > MOST_POINTS:
            raise WorkloadError(f"axes: the grid has {count} points, {MOST_POINTS} are the most")
        combined = itertools.product(*grids.values())
        return [Point(n, 0, dict(zip(grids, values, strict=True))) for n, values in enumerate(combined)]
    random = np.random.default_rng(space.seed)
    return [Point(n, 0, {path: axis.draw(random) for path, axis in space.axes.items()}) for n in range(space.samples)]


def digest(space: SpaceConfig) -> str:
    """What tells spaces apart: everything that a row depends on."""
    said = space.model_dump(mode="json", exclude={"description", "objectives", "sensitivity_percent"})
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


# ------------------------------------------------------------------------------------------------------- one point


def evaluate(space: SpaceConfig, point: Point) -> dict[str, Any]:
    """Measure one point: what a worker does. A point that no chip can be is a row with its error."""
    chip_changes = {path: value for path, value in point.values.items() if not path.startswith(OF_WORKLOAD)}
    session_changes = {
        path.removeprefix(OF_WORKLOAD): value for path, value in point.values.items() if path.startswith(OF_WORKLOAD)
    }
    row: dict[str, Any] = {"point": point.number, "round": point.round, "values": point.values}
    try:
        base = load_chip(space.chip)
        config = with_changes(base, chip_changes) if chip_changes else base
        workload = workloads.load(space.workload)
        if session_changes:
            sessions = tuple(
                SessionConfig.model_validate({**session.model_dump(), **session_changes})
                for session in workload.sessions
            )
            workload = workload.model_copy(update={"sessions": sessions})
        scale = (1 / space.halving.keep) ** point.round
        row["metrics"] = _measure(space, config, workload, scale)
    except (ConfigError, WorkloadError, ValueError) as error:
        row["error"] = " ".join(str(error).split())[:500]
    return row


def _measure(space: SpaceConfig, config: ChipConfig, workload: WorkloadConfig, scale: float) -> dict[str, float]:
    measure = space.measure
    metrics: dict[str, float] = {}
    outcome = None
    if measure.kind == "capacity":
        found = capacities.capacity(
            workload, config, percentile=measure.percentile, duration_s=measure.duration_s * scale,
            warm_up_s=measure.warm_up_s, seed=space.seed,
        )  # fmt: skip
        metrics["streams"] = found.streams
        metrics["pixels_out_s"] = found.pixels_out_s
        outcome = found.outcome
    else:
        single = workload.model_copy(
            update={"sessions": tuple(s.model_copy(update={"count": 1}) for s in workload.sessions)}
        )
        kinds = [capacities.live(each) for each in workloads.place(single, config)]
        counts = [session.count for session in workload.sessions]
        carried = capacities.bounds(config, [(k.stream, n) for k, n in zip(kinds, counts, strict=True)])
        metrics["streams"] = int(min(decides(config, carried).values()))
        if measure.kind == "simulate":
            shares = capacities.shares(counts, measure.streams)
            placed = [kind for kind, n in zip(kinds, shares, strict=True) for _ in range(n)]
            outcome = Simulation(config, placed, seed=space.seed, warm_up_s=measure.warm_up_s).run(
                measure.duration_s * scale
            )
    if outcome is not None:
        record = report(config, outcome)
        metrics["late_share"] = outcome.late_share
        metrics["p99_ms"] = 1e3 * outcome.latency(0.99)
        metrics["frames_s"] = outcome.frames_s
        metrics["watts"] = record["energy"].get("watts", 0.0)
        pixels = max(1, outcome.pixels_out)
        metrics["nj_per_px"] = record["energy"]["joules"]["total"] * 1e9 / pixels
        metrics["memory_used"] = record["simulation"]["limits"]["memory"]
    if space.area_mm2:
        metrics["area_mm2"] = sum(weight * float(_figure(config, path)) for path, weight in space.area_mm2.items())
        metrics["streams_per_mm2"] = metrics["streams"] / max(1e-9, metrics["area_mm2"])
    presets = {session.preset for session in workload.sessions}
    if space.bd_rate_percent and presets <= set(space.bd_rate_percent):
        metrics["bd_rate_percent"] = float(np.mean([space.bd_rate_percent[s.preset] for s in workload.sessions]))
    return metrics


def _figure(config: ChipConfig, path: str) -> Any:
    found: Any = config
    for name in path.split("."):
        found = getattr(found, name)
    return found


# ------------------------------------------------------------------------------------------------------------ all


def read_rows(path: Path, space: SpaceConfig) -> list[dict[str, Any]]:
    """Rows of an earlier run; cuts a torn last row off the file. Raises WorkloadError for a file of another space."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) != len(data):
        with path.open("r+b") as stream:
            stream.truncate(len(whole))
    rows = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            raise WorkloadError(f"{path}: line {number} is no JSON: not the output of a sweep") from None
    if rows and (not isinstance(rows[0], dict) or rows[0].get("space") != digest(space)):
        raise WorkloadError(f"{path}: belongs to another space; choose another output, or remove it")
    return rows[1:]


def run(space: SpaceConfig, path: Path, executor: Executor | None, workers: int = 1) -> Iterator[dict[str, Any]]:
    """Measure every point that `path` does not hold yet, append its row, and yield it; rows come in order.

    Raises WorkloadError for a file of another space, and where another process is writing the file.
    """
    current = points(space)
    rounds = space.halving.rounds if space.mode == "halving" else 1
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise WorkloadError(f"{path}: another sweep is writing it") from None
    try:
        rows = read_rows(path, space)
        done = {(row["round"], row["point"]): row for row in rows}
        if not path.stat().st_size:
            _append(descriptor, {"space": digest(space), "name": space.name, "points": len(current)})
        for number in range(rounds):
            open_points = [point for point in current if (number, point.number) not in done]
            for row in _rows(space, open_points, executor, workers):
                _append(descriptor, row)
                done[row["round"], row["point"]] = row
                yield row
            if number + 1 < rounds:
                ranked = _best(space, [done[number, point.number] for point in current])
                keep = max(1, int(len(current) * space.halving.keep))
                chosen = sorted(row["point"] for row in ranked[:keep])
                current = [Point(n, number + 1, done[number, n]["values"]) for n in chosen]
    finally:
        os.close(descriptor)


def _append(descriptor: int, row: dict[str, Any]) -> None:
    """One row, one write: a killed run leaves whole rows, and at most one torn one at the end."""
    os.write(descriptor, (json.dumps(row, sort_keys=True) + "\n").encode())


def _rows(
    space: SpaceConfig, waiting: Sequence[Point], executor: Executor | None, workers: int
) -> Iterator[dict[str, Any]]:
    if executor is None:
        for point in waiting:
            yield evaluate(space, point)
        return
    under_way: deque[Future[dict[str, Any]]] = deque()
    for point in waiting:
        under_way.append(executor.submit(evaluate, space, point))
        if len(under_way) >= WINDOW * workers:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _best(space: SpaceConfig, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows from best to worst by the first objective; failed ones last, equal ones by number."""
    name, way = next(iter(space.objectives.items()))
    sign = -1.0 if way == "max" else 1.0
    return sorted(rows, key=lambda row: (sign * row.get("metrics", {}).get(name, -sign * 1e300), row["point"]))


def pareto(rows: list[dict[str, Any]], objectives: dict[str, str]) -> list[dict[str, Any]]:
    """Rows that no other row beats in one objective without losing in another; equal ones all stay."""
    able = [row for row in rows if all(name in row.get("metrics", {}) for name in objectives)]
    values = np.array(
        [[row["metrics"][name] * (1 if way == "max" else -1) for name, way in objectives.items()] for row in able]
    ).reshape(len(able), len(objectives))
    front = []
    for number, row in enumerate(able):
        better = (values >= values[number]).all(axis=1) & (values > values[number]).any(axis=1)
        if not better.any():
            front.append(row)
    return front


# Figures that stand for resources; memory bandwidth is none, its burst times are scaled.
RESOURCES = {
    "core clock": "clocks.core_mhz", "control clock": "clocks.control_mhz", "host link": "host_link.bandwidth_mb_s",
    "sessions": "limits.sessions", "memory size": "memory.capacity_mib",
}  # fmt: skip


def sensitivity(space: SpaceConfig) -> list[dict[str, Any]]:
    """How many streams `sensitivity_percent` more of each resource buys, by the resources' bounds on the base chip."""
    config, workload = load_chip(space.chip), workloads.load(space.workload)
    kinds = [capacities.live(each) for each in workloads.place(workload, config)]
    mix = [(kind.stream, 1.0) for kind in kinds]
    more = 1 + space.sensitivity_percent / 100
    carried = decides(config, capacities.bounds(config, mix))
    before = min(carried.values())
    moved = {
        "core clock": ("encode", "scale", "decode"), "control clock": ("firmware",), "sessions": ("sessions",),
        "host link": ("link up", "link down"), "memory size": ("memory size",), "memory bandwidth": ("memory",),
        "network": ("noc",),
    }  # fmt: skip
    found = []
    for name, names in moved.items():
        after = min(value * (more if limit in names else 1.0) for limit, value in carried.items())
        found.append({"resource": name, "streams": before, "more": after - before})
    return sorted(found, key=lambda row: -row["more"])
