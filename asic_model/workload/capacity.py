"""Capacity: the most concurrent real-time streams that a chip holds, what binds, and what would bind next.

    found = capacity("live_ladder", "vcu")
    found.streams, found.binds, found.next_limit, found.limits["memory"].streams

A number of streams holds when the chosen share of pictures comes back inside its deadline, dropped and overdue ones
counted as late. The search simulates: it begins at the bound that the resources' figures give and bisects.

A number of sessions that a chip's description merely assumes does not decide (`simulation.decides`); answers say where
it would have stopped.

This is the interface for other searches: `capacity` takes names, paths or configurations, prints nothing, and
returns one typed result.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from asic_model import error_bars, stats
from asic_model.config import ChipConfig, load_chip
from asic_model.error_bars import ErrorBar, Term
from asic_model.workload import firmware_cost
from asic_model.workload import workload as workloads
from asic_model.workload.errors import WorkloadError
from asic_model.workload.explain import binding
from asic_model.workload.simulation import Arrival, Outcome, Placed, decides, simulate
from asic_model.workload.streams import Stream
from asic_model.workload.workload import RecordClip, WorkloadConfig

PATIENCE_MS = 250.0  # deadline of streams that are files, not live, besides what their pictures wait for others
FULL = 0.9  # of a resource: it binds
MOST_STREAMS = 4096


@dataclass(frozen=True)
class Limit:
    """One resource. `streams`: how many it would carry, by its use at capacity; `used`: its share in use there."""

    name: str
    streams: float
    used: float


@dataclass(frozen=True)
class Trial:
    """One simulated number of streams."""

    streams: int
    late_share: float
    p50_ms: float
    p99_ms: float
    holds: bool


@dataclass
class Capacity:
    """What a search found.

    streams       most concurrent streams, all kinds of the mix together
    binds         the resource that stops one more: a name of `limits`, or "deadline" where none is full
    next_limit    the resource that would stop it next, and at how many streams
    pixels_out_s  luma samples a second put out at capacity
    error         relative error bar of `streams` and `pixels_out_s`: engines against RTL, memory, firmware, carried
                  through to what binds; and that streams are whole
    set_aside     limits that did not decide, and the streams at which they would have stopped
    """

    scenario: str
    chip: str
    percentile: float
    streams: int
    binds: str
    next_limit: tuple[str, float]
    limits: dict[str, Limit]
    trials: list[Trial]
    pixels_out_s: float
    frames_s: float
    error: ErrorBar
    set_aside: dict[str, float]
    outcome: Outcome | None = field(repr=False, default=None)

    def explain(self) -> str:
        """One sentence."""
        if not self.streams:
            return f"{self.chip} does not hold one stream of {self.scenario}: {self.binds} binds"
        other, at = self.next_limit
        how = f"{self.limits[self.binds].used:.0%} used" if self.binds in self.limits else "no resource is full"
        return (
            f"{self.chip} holds {self.streams} streams of {self.scenario} with {self.percentile:.1%} of pictures "
            f"in time; {self.binds} binds ({how}), next would be {other} at about {at:.0f} streams; "
            f"error {self.error.low:+.0%} to {self.error.high:+.0%} ({self.error.terms[0].why})"
            + "".join(
                f"; an assumed number of {name} would have stopped it at {at:.0f}"
                for name, at in self.set_aside.items()
                if at < self.streams + 1
            )
        )


def shares(counts: list[int], total: int) -> list[int]:
    """Divide `total` streams in the proportion of `counts`, largest remainders first."""
    whole = sum(counts)
    exact = [total * count / whole for count in counts]
    found = [int(value) for value in exact]
    order = sorted(range(len(counts)), key=lambda n: (found[n] - exact[n], n))
    for n in order[: total - sum(found)]:
        found[n] += 1
    return found


def bounds(config: ChipConfig, mix: list[tuple[Stream, float]]) -> dict[str, float]:
    """Streams that each resource alone would carry, for a mix of (stream, share of all streams)."""
    total = sum(share for _, share in mix)

    def mean(figure: Callable[[Stream], float]) -> float:
        return sum(figure(stream) * share for stream, share in mix) / total

    found: dict[str, float] = {}
    for kind in ("encode", "scale", "decode"):
        asked = mean(lambda stream, kind=kind: stream.rate(kind))  # type: ignore[misc]
        if asked:
            found[kind] = getattr(config, kind).cores * 1e12 / config.clocks.core_ps / asked
    up, down = mean(lambda s: s.link_bytes_s()[0]), mean(lambda s: s.link_bytes_s()[1])
    link = config.host_link.bandwidth_mb_s * 1e6
    found["memory"] = config.memory.peak_bytes_s / max(1.0, mean(Stream.bytes_asked) + up + down)
    port = config.noc.width_bits / 8 * 1e12 / config.clocks.noc_ps
    found["noc"] = min(  # a core's port reads and writes side by side
        getattr(config, kind).cores * port / max(1.0, mean(lambda stream, k=kind, w=way: stream.bytes_asked(k, w)))  # type: ignore[misc]
        for kind in found
        if kind != "memory"
        for way in (0, 1)
    )
    found["link up"], found["link down"] = link / max(1.0, up), link / max(1.0, down)
    control = mean(
        lambda s: sum(
            s.jobs_s(kind) * firmware_cost.job_cycles(kind, s.rate_controlled, config.control)
            for kind in ("encode", "scale", "decode")
        )
    )
    found["firmware"] = 1e12 / config.clocks.control_ps / max(1.0, control)
    found["sessions"] = config.limits.sessions / max(1e-9, mean(lambda s: len(s.lanes)))
    found["memory size"] = config.memory.capacity_bytes / max(1.0, mean(lambda s: s.memory_bytes))
    return found


def live(placed: Placed) -> Placed:
    """The stream in real time: files get their own rate, and some patience."""
    arrival = placed.arrival
    if arrival.kind == "live":
        return placed
    patience_ms = PATIENCE_MS + 1e3 * placed.stream.reorder / placed.stream.fps
    return replace(placed, arrival=Arrival("live", arrival.deadline_ms or patience_ms, arrival.jitter_ms, 64))


def capacity(
    scenario: str | Path | WorkloadConfig, chip: str | Path | ChipConfig, *, percentile: float = 0.99,
    deadline_ms: float | None = None, duration_s: float = 0.5, warm_up_s: float = 0.2, seed: int = 0,
    detail: str = "group", record: RecordClip | None = None, progress: Callable[[Trial], None] | None = None,
) -> Capacity:  # fmt: skip
    """Find the most concurrent real-time streams of `scenario` on `chip`.

    scenario    a mix of the package, a workload file, or a workload; its counts say in which proportion streams grow
    percentile  0.5..1: share of pictures that must be inside their deadline
    deadline_ms instead of the workload's own
    duration_s  simulated time that is judged, after `warm_up_s`; at least twice the longest deadline

    Raises WorkloadError (a bad workload, a chip that lacks a kind of core) and ConfigError (a bad chip).
    """
    if not 0.5 <= percentile <= 1:
        raise WorkloadError(f"percentile: {percentile} is not in 0.5..1")
    workload = scenario if isinstance(scenario, WorkloadConfig) else workloads.load(scenario)
    config = chip if isinstance(chip, ChipConfig) else load_chip(chip)
    single = workload.model_copy(
        update={"sessions": tuple(s.model_copy(update={"count": 1}) for s in workload.sessions)}
    )
    folder = Path(scenario).parent if isinstance(scenario, str | Path) else None
    kinds = [live(each) for each in workloads.place(single, config, detail=detail, folder=folder, record=record)]
    if deadline_ms is not None:
        kinds = [replace(kind, arrival=replace(kind.arrival, deadline_ms=deadline_ms)) for kind in kinds]
    longest_ms = max(kind.arrival.deadline_ms or 1e3 * (2 + kind.stream.reorder) / kind.stream.fps for kind in kinds)
    duration_s = max(duration_s, 2 * longest_ms / 1000)  # else nothing could be seen to be late
    counts = [session.count for session in workload.sessions]
    carried = bounds(config, [(kind.stream, count) for kind, count in zip(kinds, counts, strict=True)])
    trials: dict[int, tuple[Trial, Outcome]] = {}

    def holds(total: int) -> bool:
        if total not in trials:
            placed = [kind for kind, n in zip(kinds, shares(counts, total), strict=True) for _ in range(n)]
            outcome = simulate(config, placed, duration_s=duration_s, warm_up_s=warm_up_s, seed=seed, detail=detail)
            late = outcome.late_share
            made = Trial(
                total, late, 1e3 * outcome.latency(0.5), 1e3 * outcome.latency(0.99),
                outcome.judged > 0 and late <= 1 - percentile + 1e-12,
            )  # fmt: skip
            trials[total] = made, outcome
            if progress is not None:
                progress(made)
        return trials[total][0].holds

    most = min(MOST_STREAMS, int(min(decides(config, carried).values()) + 1e-9))
    low, high = 0, most + 1  # holds, does not hold
    if most >= 1 and holds(most):
        low = most
    else:
        high = max(1, most)
        guess = int(0.9 * most)
        while high - low > 1:
            middle = guess if low < guess < high else (low + high) // 2
            guess = -1
            if holds(middle):
                low = middle
            else:
                high = middle
    found = trials[low][1] if low else None
    return _result(config, workload, percentile, low, carried, found, [trial for trial, _ in trials.values()])


def _result(
    config: ChipConfig, workload: WorkloadConfig, percentile: float, streams: int, carried: dict[str, float],
    outcome: Outcome | None, trials: list[Trial],
) -> Capacity:  # fmt: skip
    used = dict(outcome.limits) if outcome else {}
    if outcome is not None and used.get("memory"):
        bound = stats.efficiency_bound(config, outcome.fabric.memory())
        used["memory"] = min(1.0, used["memory"] / max(bound, 1e-9))
        # As it was used at capacity: cores that wait for memory carry less than their cycles alone would let them.
        carried = {
            name: streams / used[name] if used.get(name) and name not in ("sessions", "memory size") else value
            for name, value in carried.items()
        }
    limits = {name: Limit(name, value, used.get(name, 0.0)) for name, value in carried.items()}
    decided = decides(config, carried)
    if outcome is not None:
        order = [limits[name] for name in binding({name: used.get(name, 0.0) for name in decided}, outcome.waits)]
    else:
        order = sorted((limits[name] for name in decided), key=lambda limit: limit.streams)
    tightest = order[0]
    # Cores that are full because they wait are not named: what they wait for is, and need not look full itself.
    full = max(used.get(name, 0.0) for name in decided) >= FULL or tightest.streams < streams + 1
    binds = tightest.name if full or not streams else "deadline"
    following = [limit for limit in order if limit.name != binds]
    return Capacity(
        scenario=workload.name,
        chip=config.name,
        percentile=percentile,
        streams=streams,
        binds=binds,
        next_limit=(following[0].name, following[0].streams),
        limits=limits,
        trials=sorted(trials, key=lambda trial: trial.streams),
        pixels_out_s=outcome.pixels_out / (outcome.duration_s + trial_warm_up(outcome)) if outcome else 0.0,
        frames_s=outcome.frames_s if outcome else 0.0,
        error=_error(config, streams, decided, outcome),
        set_aside={name: value for name, value in carried.items() if name not in decided},
        outcome=outcome,
    )


def _error(config: ChipConfig, streams: int, carried: Mapping[str, float], outcome: Outcome | None) -> ErrorBar:
    """Error bar of a number of streams that was searched: one more than fits is the resolution."""
    if outcome is None:
        return ErrorBar(0.0, 0.0, ())
    cycles = error_bars.stage_cycles_of(outcome.fabric.stages)
    demand = error_bars.demand_of(outcome.demand_errors)
    bar = error_bars.of_limits(config, carried, cycles, grouped=outcome.detail == "group", demand=demand)
    whole = Term("whole streams", 0.0, 1 / streams, "streams are whole")
    return ErrorBar(bar.low, (1 + bar.high) * (1 + whole.high) - 1, (*bar.terms, whole))


def trial_warm_up(outcome: Outcome) -> float:
    """Seconds that were simulated before anything counted."""
    return outcome.fabric.now_ps * 1e-12 - outcome.duration_s
