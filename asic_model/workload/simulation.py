"""Many streams on one chip, in simulated time, without pixels.

    outcome = simulate(config, [Placed(stream, Arrival("live"))] * 40, duration_s=1.0)
    outcome.late_share, outcome.limits

Cores, memory and on-chip network are the fabric's, with all their contention. The firmware is a server that takes each
job's cycles (`firmware_cost`), with the firmware's own policy: an idle core takes the next ready session round robin.
The host link is a server each way. The host's own work (demultiplexing, decoding on the host) takes no time.

Everything is an event on one clock of integer picoseconds; equal times go by order of scheduling. Randomness (phases,
jitter, places in memory) comes from the seed, so the same call gives the same outcome.
"""

import bisect
import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asic_model.config import CHANGED, ChipConfig
from asic_model.cores.fabric import KINDS, Fabric
from asic_model.workload import firmware_cost
from asic_model.workload.errors import WorkloadError
from asic_model.workload.memory_fit import memory_stretch
from asic_model.workload.streams import PictureWork, Stream, Task, displacements

PS_PER_S = 10**12
PS_PER_MS = 10**9


@dataclass(frozen=True)
class Arrival:
    """When pictures come, and what is expected of them.

    kind         live: at the stream's rate; file: as soon as there is room
    deadline_ms  from arrival to the last output's last byte on the host; 0: two picture periods, and those that a
                 picture waits for others (B pictures)
    jitter_ms    each live picture is late by up to so much, evenly spread
    drop_after   live pictures that wait on the host; one more is dropped
    """

    kind: str = "live"
    deadline_ms: float = 0.0
    jitter_ms: float = 0.0
    drop_after: int = 8


@dataclass(frozen=True)
class Placed:
    """One stream with its arrivals. `priority`: sessions of a higher one are served first, by the host's order."""

    stream: Stream
    arrival: Arrival = Arrival()
    priority: int = 0
    queue_depth: int = 4  # pictures in flight, besides those that wait for others


def decides(config: ChipConfig, carried: Mapping[str, float]) -> dict[str, float]:
    """The limits that stop a chip: all but a number of sessions that its description assumes.

    How many sessions there may be is the size of a table in the firmware, no figure of the hardware. It decides where
    a source says how many they are, or where the caller changed it.
    """
    source = config.sources.get("limits.sessions")
    assumed = source is not None and source.mark == "assumption" and source.text != CHANGED
    return {name: value for name, value in carried.items() if name != "sessions" or not assumed}


@dataclass
class StreamOutcome:
    """What one stream got. Latencies in seconds, of pictures that were finished after the warm-up."""

    name: str
    arrived: int = 0
    finished: int = 0
    dropped: int = 0
    late: int = 0
    unfinished: int = 0  # past their deadline at the end
    latencies: list[float] = field(default_factory=list)


@dataclass
class Outcome:
    """What a simulation showed.

    limits  share of each resource that was used, by name: "encode", "scale", "decode", "memory", "noc", "link up", ...
    waits   by kind of core: share of their running time beyond what the jobs take with idle memory
    """

    duration_s: float
    streams: list[StreamOutcome]
    limits: dict[str, float]
    waits: dict[str, float]
    macroblocks: int  # units of encode and decode jobs, and input macroblocks of scale jobs
    pixels_out: int
    jobs: int
    samples: dict[str, int]  # luma samples of finished jobs, by kind of core
    bandwidth: list[tuple[float, float]]  # (seconds, bytes a second), memory buses
    fabric: Fabric
    firmware_busy_ps: int
    link_bytes: tuple[int, int]
    detail: str
    memory_stretch: float
    demand_errors: list[dict[str, tuple[float, float]]]  # of each kind of stream, see `Stream`

    @property
    def judged(self) -> int:
        """Pictures whose deadline can be judged."""
        return sum(len(s.latencies) + s.dropped + s.unfinished for s in self.streams)

    @property
    def late_share(self) -> float:
        """Share of judged pictures that were late, dropped or left over."""
        return sum(s.late + s.dropped + s.unfinished for s in self.streams) / max(1, self.judged)

    def latency(self, percentile: float) -> float:
        """Seconds within which that share (0..1) of all finished pictures came back."""
        every = np.sort(np.concatenate([np.array(s.latencies) for s in self.streams] or [np.zeros(0)]))
        return float(every[min(len(every) - 1, int(percentile * len(every)))]) if every.size else 0.0

    @property
    def frames_s(self) -> float:
        return sum(s.finished for s in self.streams) / self.duration_s


class _Lane:
    __slots__ = ("busy", "done", "kind", "live", "number", "priority", "queue")

    def __init__(self, kind: str, number: int, live: "_Live", priority: int) -> None:
        self.kind, self.number, self.live, self.priority = kind, number, live, priority
        self.queue: deque[tuple[Task, int, _Picture | None]] = deque()  # with the loop, and whose part it is
        self.busy = False
        self.done = 0


class _Picture:
    __slots__ = ("arrival_ps", "before", "left", "loop", "work")

    def __init__(self, work: PictureWork, parts: int, arrival_ps: int, loop: int, before: list["_Picture"]) -> None:
        self.work, self.arrival_ps, self.loop = work, arrival_ps, loop
        self.left = parts
        self.before = before  # the pictures before it that may wait for it, the last one first


class _Live:
    """One stream under way."""

    def __init__(self, placed: Placed, number: int, displacement: int) -> None:
        self.placed, self.stream, self.displacement = placed, placed.stream, displacement
        self.lanes: list[_Lane] = []
        self.waiting: deque[_Picture] = deque()
        self.in_flight = 0
        self.next_picture = 0
        self.flying: list[_Picture] = []
        self.recent: deque[_Picture] = deque(maxlen=max(1, placed.stream.reorder))
        self.depth = placed.queue_depth + placed.stream.reorder  # pictures in flight
        self.loops = 0  # rounds through the stream's pictures that have begun before this one
        self.outcome = StreamOutcome(f"{placed.stream.name}#{number}")
        period_ps = PS_PER_S / placed.stream.fps
        self.deadline_ps = round(placed.arrival.deadline_ms * PS_PER_MS) or round((2 + self.stream.reorder) * period_ps)
        self.first_ps = 0
        self.arrivals = 0


class Simulation:
    """One chip with its streams. `run` once."""

    def __init__(
        self, config: ChipConfig, placed: list[Placed], *, seed: int = 0, warm_up_s: float = 0.1,
        detail: str = "group", trace: bool = False,
    ) -> None:  # fmt: skip
        if not placed:
            raise WorkloadError("no streams to simulate")
        for each in placed:
            if each.arrival.kind not in ("live", "file"):
                raise WorkloadError(f"arrival: {each.arrival.kind!r} is not offered; one of live, file")
            for kind in set(each.stream.lanes):
                if not getattr(config, kind).cores:
                    raise WorkloadError(f"{each.stream.name}: needs {kind} cores, and {config.name} has none")
        self.config = config
        self._random = np.random.default_rng(seed)
        self._warm_ps = round(warm_up_s * PS_PER_S)
        self.fabric = Fabric(config, trace=trace, sample_ps=PS_PER_MS)
        self._detail = detail
        self._stretch = memory_stretch(config, [each.stream for each in placed]) if detail == "group" else 1.0
        self.fabric.stretch_memory(self._stretch)
        places = displacements([each.stream for each in placed], config.memory.capacity_bytes, seed)
        self._live = [_Live(each, n, int(place)) for n, (each, place) in enumerate(zip(placed, places, strict=True))]
        count = 0
        for live in self._live:
            for kind in live.stream.lanes:
                live.lanes.append(_Lane(kind, count, live, live.placed.priority))
                count += 1
        self._rows = {k: [row for row, core in enumerate(self.fabric.cores) if core.kind == k] for k in KINDS}
        self._idle = {kind: list(reversed(rows)) for kind, rows in self._rows.items()}
        self._ready: dict[str, list[tuple[int, int, _Lane]]] = {kind: [] for kind in KINDS}
        self._turn = dict.fromkeys(KINDS, 0)
        self._running: dict[int, tuple[_Lane, Task, _Picture | None]] = {}
        self._events: list[tuple[int, int, Any, tuple[Any, ...]]] = []
        self._count = 0
        self._firmware_free = self.firmware_busy_ps = 0
        self._link_free = [0, 0]
        self._link_busy = [0, 0]
        self._link_bytes = [0, 0]
        self._cycle_ps = config.clocks.control_ps
        self._job_ps = {
            (kind, controlled): firmware_cost.job_cycles(kind, controlled, config.control) * self._cycle_ps
            for kind in KINDS
            for controlled in (False, True)
        }
        self._now = 0
        self._macroblocks = self._pixels_out = self._jobs = 0
        self._samples = dict.fromkeys(KINDS, 0)
        self._began_ps: dict[int, int] = {}  # by core
        self._ran_ps = dict.fromkeys(KINDS, 0)  # jobs that ended: how long they took,
        self._alone_ps = dict.fromkeys(KINDS, 0)  # and how long they take with idle memory
        self._sampled_bytes = 0
        self._bandwidth: list[tuple[float, float]] = []

    # ---------------------------------------------------------------------------------------------------- running

    def run(self, duration_s: float) -> Outcome:
        """Simulate `duration_s` seconds after the warm-up."""
        end_ps = self._warm_ps + round(duration_s * PS_PER_S)
        for live in self._live:
            period_ps = PS_PER_S / live.stream.fps
            live.first_ps = int(self._random.random() * period_ps)
            if live.placed.arrival.kind == "live":
                # A live stream has been running for long: it is anywhere in its loop, so that not all code I pictures
                # at once. What came before counts as done.
                live.next_picture = int(self._random.random() * len(live.stream.pictures))
                for picture in live.stream.pictures[: live.next_picture]:
                    for task in picture.tasks:
                        live.lanes[task.lane].done += 1
                self._at(live.first_ps, self._arrive, live)
            else:
                self._at(live.first_ps, self._feed, live)
        step_ps = max(PS_PER_MS, (end_ps - self._warm_ps) // 200)
        self._at(step_ps, self._sample, step_ps)
        while True:
            at = self._events[0][0] if self._events else end_ps
            ended = self.fabric.advance(min(at, end_ps))
            if ended:
                for core, ps in ended:
                    self._now = ps
                    self._core_ended(core)
                continue
            if at > end_ps or not self._events:
                break
            self._now, _, action, arguments = heapq.heappop(self._events)
            action(*arguments)
        return self._outcome(end_ps, duration_s)

    def _at(self, ps: int, action: Any, *arguments: Any) -> None:
        self._count += 1
        heapq.heappush(self._events, (ps, self._count, action, arguments))

    def _firmware(self, cost_ps: int) -> int:
        """The firmware does something as soon as it can; when it is done."""
        begin = max(self._now, self._firmware_free)
        self._firmware_free = begin + cost_ps
        self.firmware_busy_ps += cost_ps
        return self._firmware_free

    def _sample(self, step_ps: int) -> None:
        memory = self.fabric.memory()
        moved = memory["read_bytes"] + memory["write_bytes"]
        self._bandwidth.append((self._now / PS_PER_S, (moved - self._sampled_bytes) / step_ps * PS_PER_S))
        self._sampled_bytes = moved
        self._at(self._now + step_ps, self._sample, step_ps)

    # --------------------------------------------------------------------------------------------------- pictures

    def _arrive(self, live: _Live) -> None:
        """A live picture is there; the next one follows."""
        live.arrivals += 1
        arrival = live.placed.arrival
        nominal = live.first_ps + round(live.arrivals * PS_PER_S / live.stream.fps)
        late = int(self._random.random() * arrival.jitter_ms * PS_PER_MS) if arrival.jitter_ms else 0
        self._at(max(self._now, nominal + late), self._arrive, live)
        live.outcome.arrived += 1
        if len(live.waiting) >= arrival.drop_after:
            # The newest is dropped; the stream's loop goes on, so that what follows is what would have followed.
            live.outcome.dropped += self._now >= self._warm_ps
            return
        live.waiting.append(self._next(live))
        self._send(live)

    def _next(self, live: _Live) -> _Picture:
        number = live.next_picture
        picture = _Picture(
            live.stream.pictures[number], live.stream.parts[number], self._now, live.loops, [*reversed(live.recent)]
        )
        live.recent.append(picture)
        live.next_picture += 1
        if live.next_picture == len(live.stream.pictures):
            live.next_picture, live.loops = 0, live.loops + 1
        return picture

    def _feed(self, live: _Live) -> None:
        """A file gives its next pictures as long as there is room."""
        while live.in_flight < live.depth:
            live.outcome.arrived += 1
            live.waiting.append(self._next(live))
            self._send(live)

    def _send(self, live: _Live) -> None:
        """Upload what waits, as far as the stream's buffers allow."""
        while live.waiting and live.in_flight < live.depth:
            picture = live.waiting.popleft()
            live.in_flight += 1
            live.flying.append(picture)
            begin, end = self._link(0, picture.work.upload_bytes)
            if picture.work.upload_bytes:
                self._at(begin, self._transfer, live, picture.work.upload_bytes, True, end - begin)
            self._at(end + self.config.host_link.latency_ns * 1000, self._uploaded, live, picture)

    def _link(self, way: int, size: int) -> tuple[int, int]:
        """Begin and end of a transfer of `size` bytes, up (0) or down (1)."""
        begin = max(self._now, self._link_free[way])
        duration = -(-size * 1_000_000 // self.config.host_link.bandwidth_mb_s)
        self._link_free[way] = begin + duration
        self._link_busy[way] += duration
        self._link_bytes[way] += size
        return begin, begin + duration

    def _transfer(self, live: _Live, size: int, write: bool, duration_ps: int) -> None:
        self.fabric.transfer("host", live.displacement, size, write, self._now, duration_ps)

    def _uploaded(self, live: _Live, picture: _Picture) -> None:
        """The doorbell rings: the firmware takes the picture's jobs."""
        at = self._now
        controlled = live.stream.rate_controlled
        for task in picture.work.tasks:
            cost = self._job_ps[live.stream.lanes[task.lane], controlled]
            at = self._firmware(round(firmware_cost.TAKE_SHARE * cost))
        self._at(at, self._taken, live, picture)

    def _taken(self, live: _Live, picture: _Picture) -> None:
        for task in picture.work.tasks:
            # Pictures from before the simulation began have nobody who waits for them.
            owner = picture if not task.back else None
            if 0 < task.back <= len(picture.before):
                owner = picture.before[task.back - 1]
            live.lanes[task.lane].queue.append((task, picture.loop, owner))
        picture.before = []
        if not picture.left:  # of a source that is sampled, decoded on the host: nothing is to be done with it
            self._came_back(live, picture)
        for lane in live.lanes:
            self._look(lane)

    # ------------------------------------------------------------------------------------------------------- jobs

    def _look(self, lane: _Lane) -> None:
        """Make a lane ready whose first job can start."""
        if lane.busy or not lane.queue:
            return
        task, loop, _ = lane.queue[0]
        lanes, in_a_loop = lane.live.lanes, lane.live.stream.jobs_in_lane
        if any(lanes[other].done < jobs + loop * in_a_loop[other] for other, jobs in task.waits):
            return
        lane.busy = True
        bisect.insort(self._ready[lane.kind], (-lane.priority, lane.number, lane))
        self._dispatch(lane.kind)

    def _dispatch(self, kind: str) -> None:
        """Idle cores take ready sessions: highest priority, then round robin."""
        ready, idle = self._ready[kind], self._idle[kind]
        while ready and idle:
            first = ready[0][0]
            place = bisect.bisect_left(ready, (first, self._turn[kind]))
            if place == len(ready) or ready[place][0] != first:
                place = 0
            _, number, lane = ready.pop(place)
            self._turn[kind] = number + 1
            task, _, picture = lane.queue.popleft()
            core = idle.pop()
            self._running[core] = lane, task, picture
            cost = self._job_ps[kind, lane.live.stream.rate_controlled]
            self._at(self._firmware(round(firmware_cost.START_SHARE * cost)), self._start, core)

    def _start(self, core: int) -> None:
        lane, task, _ = self._running[core]
        self._began_ps[core] = self._now
        self.fabric.begin(core, task.job, self._now, displacement=lane.live.displacement)

    def _core_ended(self, core: int) -> None:
        lane, task, _ = self._running[core]
        self._jobs += 1
        self._macroblocks += task.job.work_units if lane.kind != "scale" else task.samples // 256
        self._samples[lane.kind] += task.samples
        self._ran_ps[lane.kind] += self._now - self._began_ps[core]
        self._alone_ps[lane.kind] += int(task.job.played_cycles.max(initial=0)) * self.config.clocks.core_ps
        cost = self._job_ps[lane.kind, lane.live.stream.rate_controlled]
        self._at(self._firmware(round(firmware_cost.COMPLETE_SHARE * cost)), self._completed, core)

    def _completed(self, core: int) -> None:
        lane, task, picture = self._running.pop(core)
        self._idle[lane.kind].append(core)
        lane.busy = False
        lane.done += 1
        live = lane.live
        if lane.kind == "encode":
            self._pixels_out += task.samples
        if task.output_bytes:
            begin, end = self._link(1, task.output_bytes)
            self._at(begin, self._transfer, live, task.output_bytes, False, end - begin)
            self._at(end + 2 * self.config.host_link.latency_ns * 1000, self._part_done, live, picture)
        else:
            self._part_done(live, picture)
        self._dispatch(lane.kind)
        for other in live.lanes:
            self._look(other)

    def _part_done(self, live: _Live, picture: _Picture | None) -> None:
        if picture is None:
            return
        picture.left -= 1
        if not picture.left:
            self._came_back(live, picture)

    def _came_back(self, live: _Live, picture: _Picture) -> None:
        live.in_flight -= 1
        live.flying.remove(picture)
        outcome = live.outcome
        if self._now >= self._warm_ps:
            outcome.finished += 1
            latency = self._now - picture.arrival_ps
            outcome.latencies.append(latency / PS_PER_S)
            outcome.late += live.placed.arrival.kind == "live" and latency > live.deadline_ps
        if live.placed.arrival.kind == "live":
            self._send(live)
        else:
            self._feed(live)

    # ---------------------------------------------------------------------------------------------------- outcome

    def _outcome(self, end_ps: int, duration_s: float) -> Outcome:
        self.fabric.check()
        for live in self._live:
            if live.placed.arrival.kind == "live":
                left = [*live.waiting, *live.flying]
                overdue = [p for p in left if end_ps - p.arrival_ps > live.deadline_ps]
                live.outcome.unfinished = len(overdue)
        memory = self.fabric.memory()
        limits = {
            kind: self._busy_ps(kind, end_ps) / (len(rows) * end_ps)
            for kind, rows in self._rows.items()
            if any(lane.kind == kind for live in self._live for lane in live.lanes)
        }
        # Each core has a port of its own, which reads and writes side by side; the fullest kind and way counts.
        port_bytes_s = self.config.noc.width_bits / 8 * PS_PER_S / self.config.clocks.noc_ps
        moved = {(kind, way): 0 for kind in KINDS for way in ("read", "write")}
        for owner, clients in self.fabric.traffic().items():
            if (kind := owner.rstrip("0123456789")) in self._rows:
                for way in ("read", "write"):
                    moved[kind, way] += sum(each[way] for each in clients.values())
        limits["noc"] = max(
            size * PS_PER_S / (port_bytes_s * len(self._rows[kind]) * end_ps)
            for (kind, _), size in moved.items()
            if self._rows[kind]
        )
        limits["memory"] = memory["bus_busy_ps"] / (self.config.memory.channels * end_ps)
        limits["link up"], limits["link down"] = (min(1.0, busy / end_ps) for busy in self._link_busy)
        limits["firmware"] = min(1.0, self.firmware_busy_ps / end_ps)
        sessions = sum(len(live.lanes) for live in self._live)
        limits["sessions"] = sessions / self.config.limits.sessions
        used = sum(live.stream.memory_bytes for live in self._live)
        limits["memory size"] = used / self.config.memory.capacity_bytes
        return Outcome(
            duration_s=duration_s,
            streams=[live.outcome for live in self._live],
            limits=limits,
            waits={kind: max(0.0, 1 - self._alone_ps[kind] / ran) for kind, ran in self._ran_ps.items() if ran},
            macroblocks=self._macroblocks,
            pixels_out=self._pixels_out,
            jobs=self._jobs,
            samples=dict(self._samples),
            bandwidth=self._bandwidth,
            fabric=self.fabric,
            firmware_busy_ps=self.firmware_busy_ps,
            link_bytes=(self._link_bytes[0], self._link_bytes[1]),
            detail=self._detail,
            memory_stretch=self._stretch,
            demand_errors=[
                each.demand_errors for each in {id(live.stream): live.stream for live in self._live}.values()
            ],
        )

    def _busy_ps(self, kind: str, end_ps: int) -> int:
        """Time that cores of a kind ran jobs, those under way included."""
        total = int(self.fabric.active_ps[self._rows[kind]].sum())
        return total + sum(end_ps - start for core, start in self.fabric.under_way() if core in self._rows[kind])


def simulate(
    config: ChipConfig, placed: list[Placed], *, duration_s: float = 1.0, warm_up_s: float = 0.1, seed: int = 0,
    detail: str = "group", trace: bool = False,
) -> Outcome:  # fmt: skip
    """Run streams on one chip for `duration_s` simulated seconds after a warm-up; see `Simulation`."""
    return Simulation(config, placed, seed=seed, warm_up_s=warm_up_s, detail=detail, trace=trace).run(duration_s)
