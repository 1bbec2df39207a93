"""Slow twin of the fabric: every stage of every core is a process of a small discrete-event simulation.

FIFOs are queues that hold `fifo_depth` units, a stage waits for what it needs and passes its unit on when there is
room; nothing here knows the formulas of asic_model.cores.pipeline. Memory is a function that the caller gives.
"""

import heapq
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Event:
    """Something that happens once; processes wait for it."""

    happened: bool = False
    waiting: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """cycles[unit][stage]; reads and writes: (unit, stage) -> list of (address, size), in order."""

    cycles: list[list[int]]
    reads: dict[tuple[int, int], list[tuple[int, int]]]
    writes: dict[tuple[int, int], list[tuple[int, int]]]
    start_ps: int
    period_ps: int


@dataclass(frozen=True)
class Rules:
    lockstep: bool
    fifo_depth: int
    prefetch_units: int
    write_units: int


# access(core, write, pieces, at_ps) -> when the last piece is back (or taken)
Access = Callable[[int, bool, list[tuple[int, int]], int], int]


class Simulation:
    """Runs all jobs to their ends. `starts` and `leaves`: {(core, stage, unit): ps}; `ends`: {core: ps}."""

    def __init__(self, jobs: dict[int, Job], rules: Rules, access: Access) -> None:
        self.rules, self.access = rules, access
        self.now = 0
        self.starts: dict[tuple[int, int, int], int] = {}
        self.leaves: dict[tuple[int, int, int], int] = {}
        self.ends: dict[int, int] = {}
        self._events: list[tuple[int, int, Any]] = []  # time, number, process
        self._number = 0
        # memory operations that are ready: (time, core, stage, write, process)
        self._memory: list[tuple[int, int, int, int, Any]] = []
        for core, job in jobs.items():
            self._add(core, job)
        self._run()

    def _add(self, core: int, job: Job) -> None:
        units, stages = len(job.cycles), len(job.cycles[0])
        table = lambda: [[Event() for _ in range(units)] for _ in range(stages)]  # noqa: E731
        state = {"entered": table(), "fetched": table(), "started": table(), "left": table()}
        back: dict[tuple[int, int], int] = {}
        for stage in range(stages):
            self._at(job.start_ps, self._prefetch(core, job, stage, state, back))
            self._at(job.start_ps, self._stage(core, job, stage, state, back))
        self.ends[core] = job.start_ps

    def _prefetch(self, core: int, job: Job, stage: int, state: Any, back: Any) -> Iterator[Any]:
        for unit in range(len(job.cycles)):
            pieces = job.reads.get((unit, stage))
            if pieces:
                if stage:
                    yield state["entered"][stage][unit]
                if unit >= self.rules.prefetch_units:
                    yield state["started"][stage][unit - self.rules.prefetch_units]
                back[unit, stage] = yield ("memory", core, stage, False, pieces)
            else:
                back[unit, stage] = 0
            yield ("fire", state["fetched"][stage][unit])

    def _stage(self, core: int, job: Job, stage: int, state: Any, back: Any) -> Generator[Any, Any, None]:
        units, stages = len(job.cycles), len(job.cycles[0])
        taken = [0] * units
        for unit in range(units):
            if stage:
                yield state["entered"][stage][unit]
            if self.rules.lockstep:
                for other in range(stages):
                    before = unit + stage - 1 - other
                    if 0 <= before < units:
                        yield state["left"][other][before]
            yield state["fetched"][stage][unit]
            yield ("until", back[unit, stage])
            self.starts[core, stage, unit] = self.now
            yield ("fire", state["started"][stage][unit])
            yield ("until", self.now + job.cycles[unit][stage] * job.period_ps)
            pieces = job.writes.get((unit, stage))
            if pieces:
                taken[unit] = yield ("memory", core, stage, True, pieces)
            behind = unit - self.rules.fifo_depth
            if not self.rules.lockstep and stage + 1 < stages and behind >= 0:
                yield state["started"][stage + 1][behind]
            if unit >= self.rules.write_units:
                yield ("until", taken[unit - self.rules.write_units])
            self.leaves[core, stage, unit] = self.now
            self.ends[core] = max(self.ends[core], self.now, *taken)
            yield ("fire", state["left"][stage][unit])
            if stage + 1 < stages:
                yield ("fire", state["entered"][stage + 1][unit])

    def _at(self, time: int, process: Any, value: Any = None) -> None:
        self._number += 1
        heapq.heappush(self._events, (time, self._number, (process, value)))

    def _resume(self, process: Any, value: Any) -> None:
        """Run a process until it has to wait."""
        while True:
            try:
                wish = process.send(value)
            except StopIteration:
                return
            value = None
            if isinstance(wish, Event):
                if not wish.happened:
                    wish.waiting.append(process)
                    return
            elif wish[0] == "fire":
                wish[1].happened = True
                for waiter in wish[1].waiting:
                    self._at(self.now, waiter)
                wish[1].waiting.clear()
            elif wish[0] == "until":
                if wish[1] > self.now:
                    self._at(wish[1], process)
                    return
            else:
                _, core, stage, write, pieces = wish
                self._memory.append((self.now, core, stage, int(write), (process, pieces)))
                return

    def _run(self) -> None:
        while self._events or self._memory:
            at = self._events[0][0] if self._events else None
            # All that happens at a time without memory comes before the memory operations of that time.
            if self._memory and (at is None or min(self._memory)[0] < at):
                chosen = min(self._memory, key=lambda entry: entry[:4])
                self._memory.remove(chosen)
                time, core, _, write, (process, pieces) = chosen
                self.now = time
                self._resume(process, self.access(core, bool(write), pieces, time))
                continue
            time, _, (process, value) = heapq.heappop(self._events)
            self.now = time
            self._resume(process, value)
