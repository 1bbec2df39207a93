"""A fleet over a day: hosts of cards of chips, sessions that come and go, chips that fail.

    outcome = simulate(load("fleet.yaml"))

A session takes a share of every resource of one chip: what one stream asks, over what a chip has (`capacity.bounds`).
Sessions are placed one by one as they come, on a chip where every resource still fits: bin packing in as many
dimensions as there are resources, online, as the published scheduler of such hosts does it. A failed chip loses its
sessions, which are placed again elsewhere or lost. Nothing here knows a macroblock; a sample of the packed chips can be
simulated in full (`verify`), on the same executor, to see whether what was packed also keeps its deadlines.
"""

import heapq
import itertools
from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from asic_model.config import ChipConfig, load_chip
from asic_model.workload import capacity as capacities
from asic_model.workload import host
from asic_model.workload import workload as workloads
from asic_model.workload.errors import WorkloadError
from asic_model.workload.simulation import decides
from asic_model.workload.workload import WorkloadConfig, _Part, checked, read_yaml

HOURS = 24


class DemandConfig(_Part):
    """Sessions of one workload: how many come in each hour, and how long they stay."""

    workload: str = Field(description="mix, or file beside this one; its first session kind is one arrival")
    per_hour: float = Field(100, ge=0, le=1e6, description="mean arrivals an hour [sessions/h]")
    peak: float = Field(1.0, ge=1, le=2, description="busiest hour over mean hour; the day is a raised cosine")
    peak_hour: float = Field(20, ge=0, lt=24, description="when the peak is [h]")
    minutes: float = Field(30, gt=0, le=1440, description="mean length of a session, exponential [min]")


class FailureConfig(_Part):
    """Exponential times between failures; everything below what fails goes with it."""

    chip_mtbf_hours: float = Field(0, ge=0, description="of one chip; 0: never fails [h]")
    card_mtbf_hours: float = Field(0, ge=0, description="of one card [h]")
    host_mtbf_hours: float = Field(0, ge=0, description="of one host [h]")
    repair_hours: float = Field(4, gt=0, le=1000, description="until it is back, exponential [h]")


class FleetConfig(_Part):
    """A whole fleet and its day."""

    name: str = Field("fleet", max_length=64)
    description: str = Field("", max_length=4000)
    chip: str = Field("vcu", description="name or description of the chip")
    hosts: int = Field(1, ge=1, le=10_000)
    cards_per_host: int = Field(10, ge=1, le=64)
    chips_per_card: int = Field(2, ge=1, le=16)
    demand: tuple[DemandConfig, ...] = Field(min_length=1, max_length=100)
    failures: FailureConfig = FailureConfig()
    packing: Literal["best_fit", "first_fit", "spread"] = Field(
        "best_fit", description="best_fit: the fullest chip that fits; first_fit: the first; spread: the emptiest"
    )
    headroom: float = Field(0.1, ge=0, lt=1, description="share of each resource that is left free")
    hours: float = Field(24, gt=0, le=24 * 31, description="simulated [h]")
    seed: int = Field(0, ge=0, le=2**32 - 1)
    verify: int = Field(0, ge=0, le=1000, description="packed chips that are simulated in full at the peak [chips]")


@dataclass
class FleetOutcome:
    """What the day showed. `hourly`: per hour sessions, arrivals, rejected, chips down, use of each resource."""

    config: FleetConfig
    resources: list[str]
    arrivals: int = 0
    rejected: int = 0
    moved: int = 0
    lost: int = 0
    failures: int = 0
    peak_sessions: int = 0
    chip_hours_down: float = 0.0
    rejected_by: Counter[str] = field(default_factory=Counter)
    hourly: list[dict[str, Any]] = field(default_factory=list)
    verified: list[dict[str, Any]] = field(default_factory=list)

    @property
    def chips(self) -> int:
        return self.config.hosts * self.config.cards_per_host * self.config.chips_per_card

    def record(self) -> dict[str, Any]:
        """JSON-able, the same for the same fleet and seed."""
        return {
            "schema": "tasic-fleet",
            "schema_version": 1,
            "name": self.config.name,
            "chips": self.chips,
            "arrivals": self.arrivals,
            "rejected": self.rejected,
            "rejected_by": dict(sorted(self.rejected_by.items())),
            "moved": self.moved,
            "lost": self.lost,
            "failures": self.failures,
            "availability": 1 - self.chip_hours_down / max(1e-9, self.chips * self.config.hours),
            "peak_sessions": self.peak_sessions,
            "hourly": self.hourly,
            "verified": self.verified,
        }


def load(path: str | Path) -> FleetConfig:
    """Read a fleet. Raises WorkloadError with every problem."""
    name = str(path)
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise WorkloadError(f"{name}: {error.strerror or error}") from None
    config = checked(FleetConfig, read_yaml(text, name), name)
    demand = []
    for each in config.demand:
        if Path(each.workload).suffix in (".yaml", ".yml"):
            each = each.model_copy(update={"workload": str(Path(path).parent / each.workload)})
        demand.append(each)
    return config.model_copy(update={"demand": tuple(demand)})


class _Fleet:
    def __init__(self, config: FleetConfig, needs: np.ndarray, resources: list[str]) -> None:
        self.config, self.needs = config, needs
        self.out = FleetOutcome(config, resources)
        self.room = 1 - config.headroom
        self.used = np.zeros((self.out.chips, len(resources)))
        self.up = np.ones(self.out.chips, bool)
        self.on: list[dict[int, int]] = [{} for _ in range(self.out.chips)]  # session -> kind, by chip
        self.where: dict[int, int] = {}
        self.down_since = np.zeros(self.out.chips)
        self.down_count = np.zeros(self.out.chips, np.int64)  # things above or at the chip that have failed

    def place(self, session: int, kind: int) -> bool:
        """Put a session on a chip; False: on none does every resource fit."""
        need = self.needs[kind]
        fits = self.up & (self.used + need <= self.room + 1e-12).all(axis=1)
        if not fits.any():
            alone = (self.used + need <= self.room + 1e-12) & self.up[:, None]
            blocked = (~alone).sum(axis=0)
            self.out.rejected_by[self.out.resources[int(np.argmax(blocked))]] += 1
            return False
        candidates = np.flatnonzero(fits)
        if self.config.packing == "first_fit":
            chip = int(candidates[0])
        else:
            fullness = (self.used[candidates] + need).max(axis=1)
            pick = np.argmax(fullness) if self.config.packing == "best_fit" else np.argmin(fullness)
            chip = int(candidates[pick])
        self.used[chip] += need
        self.on[chip][session] = kind
        self.where[session] = chip
        self.out.peak_sessions = max(self.out.peak_sessions, len(self.where))
        return True

    def leave(self, session: int) -> None:
        chip = self.where.pop(session, None)
        if chip is not None:
            kind = self.on[chip].pop(session)
            self.used[chip] = np.maximum(self.used[chip] - self.needs[kind], 0.0)

    def fail(self, chips: range, now: float) -> None:
        """Chips go down; their sessions are placed again, or lost."""
        homeless: list[tuple[int, int]] = []
        for chip in chips:
            self.down_count[chip] += 1
            if self.up[chip]:
                self.up[chip] = False
                self.down_since[chip] = now
                homeless += self.on[chip].items()
                for session in self.on[chip]:
                    del self.where[session]
                self.on[chip] = {}
                self.used[chip] = 0.0
        for session, kind in homeless:
            if self.place(session, kind):
                self.out.moved += 1
            else:
                self.out.lost += 1

    def repair(self, chips: range, now: float) -> None:
        for chip in chips:
            self.down_count[chip] -= 1
            if not self.down_count[chip] and not self.up[chip]:
                self.up[chip] = True
                self.out.chip_hours_down += now - self.down_since[chip]


def needs(config: FleetConfig, chip: ChipConfig) -> tuple[np.ndarray, list[str]]:
    """float[kinds, resources]: what one session of each demand takes of one chip."""
    rows = []
    for demand in config.demand:
        workload = workloads.load(demand.workload)
        one = workload.model_copy(update={"sessions": (workload.sessions[0].model_copy(update={"count": 1}),)})
        placed = [capacities.live(each) for each in workloads.place(one, chip)]
        rows.append(decides(chip, capacities.bounds(chip, [(placed[0].stream, 1.0)])))
    names = sorted({name for row in rows for name in row})
    shares = np.array([[1 / row[name] if name in row else 0.0 for name in names] for row in rows])
    # Memory does not reach its peak: what such accesses can sustain stands in for it.
    shares[:, names.index("memory")] /= SUSTAINED
    return shares, names


SUSTAINED = 0.75  # of the memory's peak, with the accesses of encoders (docs/memory.md)


def simulate(config: FleetConfig, executor: Executor | None = None) -> FleetOutcome:
    """Simulate the fleet's day. Raises WorkloadError where a session does not fit an empty chip."""
    chip = load_chip(config.chip)
    shares, names = needs(config, chip)
    for demand, row in zip(config.demand, shares, strict=True):
        worst = int(np.argmax(row))
        if row[worst] > 1 - config.headroom:
            raise WorkloadError(
                f"demand: one session of {demand.workload} takes {row[worst]:.0%} of a chip's {names[worst]}, "
                f"and {1 - config.headroom:.0%} may be used"
            )
    fleet = _Fleet(config, shares, names)
    random = np.random.default_rng(config.seed)
    events: list[tuple[float, int, str, Any]] = []
    count = itertools.count()
    sessions = itertools.count()

    def at(hour: float, what: str, argument: Any) -> None:
        if hour <= config.hours:
            heapq.heappush(events, (hour, next(count), what, argument))

    for kind, demand in enumerate(config.demand):
        for _ in range(random.poisson(_present(demand))):  # how long each has been there does not matter
            session = next(sessions)
            if fleet.place(session, kind):
                at(float(random.exponential(demand.minutes / 60)), "leave", session)
    fleet.out.rejected_by.clear()  # those were refused the day before
    for kind, demand in enumerate(config.demand):
        if demand.per_hour:
            at(float(random.exponential(1 / (demand.per_hour * demand.peak))), "arrive", kind)
    per_card = config.chips_per_card
    per_host = per_card * config.cards_per_host
    for mtbf, size in (
        (config.failures.chip_mtbf_hours, 1),
        (config.failures.card_mtbf_hours, per_card),
        (config.failures.host_mtbf_hours, per_host),
    ):
        if mtbf:
            for first in range(0, fleet.out.chips, size):
                at(float(random.exponential(mtbf)), "fail", (range(first, first + size), mtbf))
    for hour in range(int(config.hours) + 1):
        at(hour, "look", hour)
    before = Counter[str]()
    peak = len(fleet.where), [dict(chip_sessions) for chip_sessions in fleet.on]
    while events:
        now, _, what, argument = heapq.heappop(events)
        if what == "arrive":
            demand = config.demand[argument]
            at(now + float(random.exponential(1 / (demand.per_hour * demand.peak))), "arrive", argument)
            if random.random() * demand.peak > _shape(demand, now):
                continue  # thinned: the rate of this hour is below the peak's
            fleet.out.arrivals += 1
            session = next(sessions)
            stay = float(random.exponential(demand.minutes / 60))
            if fleet.place(session, argument):
                at(now + stay, "leave", session)
                if len(fleet.where) > peak[0] and config.verify:
                    peak = len(fleet.where), [dict(chip_sessions) for chip_sessions in fleet.on]
            else:
                fleet.out.rejected += 1
        elif what == "leave":
            fleet.leave(argument)
        elif what == "fail":
            chips, mtbf = argument
            fleet.out.failures += 1
            fleet.fail(chips, now)
            repair = float(random.exponential(config.failures.repair_hours))
            heapq.heappush(events, (now + repair, next(count), "repair", chips))
            at(now + repair + float(random.exponential(mtbf)), "fail", argument)
        elif what == "repair":
            fleet.repair(chips=argument, now=min(now, config.hours))
        else:
            fleet.out.hourly.append(_look(fleet, argument, before))
    for number in np.flatnonzero(~fleet.up):
        fleet.out.chip_hours_down += config.hours - fleet.down_since[number]
    if config.verify:
        fleet.out.verified = _verify(config, chip, peak[1], executor)
    return fleet.out


def _shape(demand: DemandConfig, hour: float) -> float:
    """Rate at an hour over the mean rate: a raised cosine around the peak."""
    return 1 + (demand.peak - 1) * float(np.cos(2 * np.pi * (hour - demand.peak_hour) / HOURS))


def _present(demand: DemandConfig) -> float:
    """Sessions there at hour 0, on average: those of the days before that have not left, every day the same.

    The integral over s > 0 of the rate at hour -s times exp(-s / stay), `_shape` being a cosine.
    """
    stay = demand.minutes / 60
    turn, phase = 2 * np.pi * stay / HOURS, 2 * np.pi * demand.peak_hour / HOURS
    wave = (np.cos(phase) - turn * np.sin(phase)) / (1 + turn * turn)
    return float(demand.per_hour * stay * (1 + (demand.peak - 1) * wave))


def _look(fleet: _Fleet, hour: int, before: Counter[str]) -> dict[str, Any]:
    up = fleet.up
    mean = fleet.used[up].mean(axis=0) if up.any() else np.zeros(len(fleet.out.resources))
    row = {
        "hour": hour,
        "sessions": len(fleet.where),
        "arrivals": fleet.out.arrivals - before["arrivals"],
        "rejected": fleet.out.rejected - before["rejected"],
        "chips_down": int((~up).sum()),
        "used": {name: round(float(value), 4) for name, value in zip(fleet.out.resources, mean, strict=True)},
    }
    before["arrivals"], before["rejected"] = fleet.out.arrivals, fleet.out.rejected
    return row


def _verify(
    config: FleetConfig, chip: ChipConfig, on: list[dict[int, int]], executor: Executor | None
) -> list[dict[str, Any]]:
    """Simulate the fullest chips of the peak, each with the sessions that it held."""
    fullest = sorted(range(len(on)), key=lambda number: (-len(on[number]), number))[: config.verify]
    parts: list[tuple[int, WorkloadConfig]] = []
    for number in fullest:
        held = Counter(on[number].values())
        sessions = []
        for kind, times in sorted(held.items()):
            first = workloads.load(config.demand[kind].workload).sessions[0]
            sessions.append(first.model_copy(update={"count": times, "arrival": _in_real_time(first)}))
        if sessions:
            parts.append((number, WorkloadConfig(name=f"chip {number}", sessions=tuple(sessions), duration_s=0.3)))
    if executor is None:
        records = [host.simulate_chip(part, chip, "group", ".", config.seed) for _, part in parts]
    else:
        waiting = [executor.submit(host.simulate_chip, part, chip, "group", ".", config.seed) for _, part in parts]
        records = [each.result() for each in waiting]
    return [
        {
            "chip": number,
            "streams": record["simulation"]["streams"],
            "late_share": record["simulation"]["late_share"],
            "limits": record["simulation"]["limits"],
        }
        for (number, _), record in zip(parts, records, strict=True)
    ]


def _in_real_time(session: workloads.SessionConfig) -> workloads.ArrivalConfig:
    arrival = session.arrival
    if arrival.kind == "live":
        return arrival
    waiting_ms = 1e3 * session.b_frames * session.every / (session.source.fps or 30.0)
    deadline_ms = arrival.deadline_ms or capacities.PATIENCE_MS + waiting_ms
    return arrival.model_copy(update={"kind": "live", "deadline_ms": deadline_ms})
