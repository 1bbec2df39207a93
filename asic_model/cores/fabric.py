"""The fabric: plays the work of all cores against the clock, the memory channels and each other.

    fabric = Fabric(load_chip("vcu"))
    fabric.start(fabric.core("encode", 0), result, at_ps=now)       # a CoreResult
    for core, finished_ps in fabric.advance(until_ps): ...          # returns at the first job that ends

Nothing in here sees a pixel: a job is its cycles per unit and stage and its memory requests. Time is an integer
number of picoseconds. The pipeline's rules stand in `pipeline.py`. Each job's end checks what must always hold
(bytes asked = bytes served for each client, busy + stalls = elapsed for each stage); a breach raises InvariantError.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from asic_model.config import ChipConfig, PipelineConfig
from asic_model.cores import pipeline, steps
from asic_model.cores.prepared import Prepared
from asic_model.cores.result import CLIENTS, REQUEST, CoreResult
from asic_model.memory.dram import fast

KINDS = ("encode", "scale", "decode")
COUNTED_MOST = 4  # jobs whose cycles are kept to be recognised
CYCLE_BINS = 16384  # of the histograms of cycles a unit and stage; the last one holds everything beyond


class InvariantError(RuntimeError):
    """The time model contradicts itself: a defect of the model, never of its input."""


class Core(NamedTuple):
    """One core of the chip: its kind and its number among its kind."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}{self.number}"


@dataclass
class StageStats:
    """What one stage of one kind of core has spent, all jobs so far."""

    cycles_histogram: np.ndarray = field(default_factory=lambda: np.zeros(CYCLE_BINS, np.int64))
    cycles_sum: int = 0
    units: int = 0


class JobSpan(NamedTuple):
    """One finished job, for traces: when it ran, and when each stage was between its first and last unit."""

    core: Core
    job: int
    start_ps: int
    end_ps: int
    stages: tuple[str, ...]
    stage_first_ps: tuple[int, ...]
    stage_last_ps: tuple[int, ...]
    stage_busy_ps: tuple[int, ...]
    units: int


class MemorySample(NamedTuple):
    """Bytes moved and bus time since the former sample, for traces."""

    at_ps: int
    read_bytes: int
    write_bytes: int
    bus_busy_ps: int


@dataclass
class _Counted:
    """The cycles of a job that was counted, their sums, and how often it came again since."""

    kind: str
    stages: tuple[str, ...]
    cycles: np.ndarray
    sums: np.ndarray
    again: int = 0


class Fabric:
    """All cores of a chip and its memory, in time. Core numbers: encode cores first, then scale, then decode."""

    def __init__(self, config: ChipConfig, *, trace: bool = False, sample_ps: int = 100_000_000) -> None:
        """`trace` keeps a JobSpan of each job and a MemorySample every `sample_ps`."""
        self.config = config
        self.cores = tuple(Core(kind, number) for kind in KINDS for number in range(getattr(config, kind).cores))
        self.now_ps = 0
        self.spans: list[JobSpan] = []
        self.samples: list[MemorySample] = []
        self._stages: dict[str, dict[str, StageStats]] = {kind: {} for kind in KINDS}
        self._counted: deque[_Counted] = deque()  # jobs whose cycles are not in `_stages` yet
        self._begun: dict[Prepared, list[Any]] = {}  # kind, how often: not in `_stages` yet
        self._grouped: set[str] = set()  # kinds of core that played jobs in groups
        self._slowest: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
        self.jobs_finished = np.zeros(len(self.cores), np.int64)
        self.units_finished = np.zeros(len(self.cores), np.int64)
        self.active_ps = np.zeros(len(self.cores), np.int64)
        self.stage_names: list[tuple[str, ...]] = [()] * len(self.cores)
        self._trace = trace
        self._sample_ps = sample_ps
        self._next_sample_ps = sample_ps
        self._sampled = (0, 0, 0)
        memory = config.memory
        period_ps = config.clocks.noc_ps
        self._memory = fast.memory(
            memory.timing,
            channels=memory.channels,
            ranks=memory.ranks,
            order=memory.mapping,
            interleave_bytes=memory.interleave_bytes,
            queue_depth=memory.queue_depth,
            write_queue_depth=memory.write_queue_depth,
            refresh=memory.refresh,
            closed_page=memory.page == "closed",
            link_latency_ps=config.noc.latency_cycles * period_ps,
            link_period_ps=period_ps,
            link_bytes=config.noc.width_bits // 8,
        )
        rows = len(self.cores)
        self._fields = np.zeros((rows + 1, pipeline.FIELDS), np.int64)
        self._work = np.zeros((rows, 1, 2), np.int64)
        self._requests = np.zeros((rows, 0, 4), np.int64)
        self._dma = np.zeros((pipeline.DMA_STREAMS, pipeline.D_FIELDS), np.int64)
        self._asked = np.zeros((rows + 1, len(CLIENTS), 2), np.int64)
        self._work_units = np.zeros(rows, np.int64)
        self._account_before = np.zeros((rows, pipeline.MAX_STAGES, 4), np.int64)
        self._total_ps = np.zeros((rows, pipeline.MAX_STAGES), np.int64)

    # ------------------------------------------------------------------------------------------------- cores

    def core(self, kind: str, number: int) -> int:
        """Row of the core `number` of `kind` ("encode", "scale", "decode") among all cores of the chip."""
        return self.cores.index(Core(kind, number))

    def is_busy(self, core: int) -> bool:
        """Whether a job is running on `core`."""
        return bool(self._fields[core, pipeline.ACTIVE])

    def start(self, core: int, result: CoreResult, at_ps: int, clock_ps: int | None = None) -> None:
        """Let `core` begin the job that `result` describes at `at_ps`; `clock_ps`: its period (default: config's)."""
        if self.is_busy(core):
            raise ValueError(f"{self.cores[core]} is still busy with its former job")
        cycles = np.ascontiguousarray(result.cycles, np.int64)
        requests = np.ascontiguousarray(result.requests, REQUEST)
        units, stages = cycles.shape
        if stages != len(result.stages) or not 1 <= stages <= pipeline.MAX_STAGES:
            raise ValueError(f"cycles have {stages} columns for {len(result.stages)} stages (1..{pipeline.MAX_STAGES})")
        self._reserve(units * stages + 1, requests.size)
        self._load(core, cycles, requests)
        kind = self.cores[core].kind
        joined: PipelineConfig = getattr(self.config, kind).pipeline
        self._set_joints(core, joined.mode == "lockstep", joined.fifo_depth, joined.prefetch_units, joined.write_units)
        sums = self._count_cycles(kind, result.stages, cycles)
        self.stage_names[core], self._work_units[core] = result.stages, units
        self._set_off(core, sums, at_ps, clock_ps)

    def begin(
        self, core: int, job: Prepared, at_ps: int, clock_ps: int | None = None, displacement: int = 0
    ) -> None:  # fmt: skip
        """Let `core` begin a prepared job at `at_ps`; `displacement` [bytes] is added to its addresses."""
        if self.is_busy(core):
            raise ValueError(f"{self.cores[core]} is still busy with its former job")
        slots, count = job.units * job.played, len(job.requests)
        self._reserve(slots + 1, count)
        self._work[core, : slots + 1] = job.work
        requests, table = self._requests[core, :count], self._memory.table
        requests[:] = job.requests
        requests[:, pipeline.R_ADDRESS] += displacement
        words = -(-(requests[:, pipeline.R_SIZE_PITCH] & 0xFFFFFFFF) // table[fast.T_LINK_BYTES])
        requests[:, pipeline.R_BUSY] = words * table[fast.T_LINK_PERIOD]
        self._asked[core] += job.asked
        row = self._fields[core]
        row[pipeline.UNITS], row[pipeline.STAGES] = job.units, job.played
        row[pipeline.USES : pipeline.USES + job.played] = job.uses
        self._set_joints(core, job.lockstep, job.fifo_depth, job.prefetch, job.write_units)
        kind = self.cores[core].kind
        self._begun.setdefault(job, [kind, 0])[1] += 1
        self.stage_names[core] = job.stages if job.played == len(job.stages) else ("group",)
        if job.played < len(job.stages):
            self._grouped.add(kind)
        self._work_units[core] = job.work_units
        self._set_off(core, job.played_cycles, at_ps, clock_ps)

    def _set_joints(self, core: int, lockstep: bool, fifo_depth: int, prefetch: int, write_units: int) -> None:
        row = self._fields[core]
        row[pipeline.LOCKSTEP] = lockstep
        row[pipeline.FIFO_DEPTH] = fifo_depth
        row[pipeline.PREFETCH] = prefetch
        row[pipeline.WRITE_UNITS] = write_units

    def _set_off(self, core: int, cycles: np.ndarray, at_ps: int, clock_ps: int | None) -> None:
        """Start a job that is in place; `cycles` of each of its stages, summed."""
        period_ps = clock_ps or self.config.clocks.core_ps
        steps.set_off(self._fields, self._work, self._account_before, self._total_ps, core, cycles, at_ps, period_ps)

    def stretch_memory(self, factor: float) -> None:
        """Make bursts last `factor` times as long from now on: what joined requests are fitted by."""
        for name in (fast.T_BURST, fast.T_GROUP_BURST):
            self._memory.table[name] = round(int(self._memory.table[name]) * factor)

    def under_way(self) -> list[tuple[int, int]]:
        """(core, start in ps) of each job that is running."""
        rows = map(int, np.flatnonzero(self._fields[:-1, pipeline.ACTIVE]))
        return [(row, int(self._fields[row, pipeline.START])) for row in rows]

    def _reserve(self, slots: int, requests: int) -> None:
        """Make the pools large enough for a job of `slots` rows of work and `requests` requests."""
        for name, needed in (("_work", slots), ("_requests", requests)):
            pool = getattr(self, name)
            if needed > pool.shape[1]:
                larger = np.empty((pool.shape[0], needed * 5 // 4, pool.shape[2]), np.int64)
                for core in np.flatnonzero(self._fields[:-1, pipeline.ACTIVE]):
                    larger[core, : pool.shape[1]] = pool[core]
                setattr(self, name, larger)

    def _load(self, core: int, cycles: np.ndarray, requests: np.ndarray) -> None:
        """Put a job's work and requests in place; ValueError where they contradict themselves."""
        units, stages = cycles.shape
        fault = pipeline.load(
            self._memory.table, self._fields, self._work, self._requests, self._asked, core, cycles, requests
        )
        if fault == pipeline.LOAD_CYCLES:
            raise ValueError("cycles: a unit takes less than 0 cycles")
        if fault == pipeline.LOAD_PLACE:
            raise ValueError(f"requests: a row names a unit or stage outside {units} x {stages}")
        if fault == pipeline.LOAD_CLIENT:
            raise ValueError(f"requests: client {requests['client'].max()} is not one of {len(CLIENTS)}")
        if fault == pipeline.LOAD_ORDER:
            key = requests["unit"].astype(np.int64) * stages + requests["stage"]
            self._load(core, cycles, requests[np.argsort(key, kind="stable")])

    def _count_cycles(self, kind: str, stages: tuple[str, ...], cycles: np.ndarray) -> np.ndarray:
        """Add a job to the statistics of its stages; return the cycles of each.

        Jobs of chips without pixels share their arrays: the last are kept, and only how often they came is counted.
        """
        for kept in self._counted:
            if kept.cycles is cycles and kept.kind == kind:
                kept.again += 1
                return kept.sums
        sums = np.zeros(len(stages), np.int64)
        for column, name in enumerate(stages):
            stats = self._stages[kind].setdefault(name, StageStats())
            sums[column] = pipeline.count_cycles(cycles, column, stats.cycles_histogram)
            stats.cycles_sum += int(sums[column])
            stats.units += len(cycles)
        self._counted.append(_Counted(kind, stages, cycles, sums))
        if len(self._counted) > COUNTED_MOST:
            self._add_up(self._counted.popleft())
        return sums

    def _add_up(self, counted: "_Counted") -> None:
        """Add to the statistics what came again."""
        times, counted.again = counted.again, 0
        if times:
            self._count_times(counted.kind, counted.stages, counted.cycles, times)

    def _count_times(self, kind: str, stages: tuple[str, ...], cycles: np.ndarray, times: int) -> None:
        for column, name in enumerate(stages):
            once = np.zeros(CYCLE_BINS, np.int64)
            spent = int(pipeline.count_cycles(cycles, column, once))
            stats = self._stages[kind].setdefault(name, StageStats())
            stats.cycles_histogram += times * once
            stats.cycles_sum += times * spent
            stats.units += times * len(cycles)

    @property
    def stages(self) -> dict[str, dict[str, StageStats]]:
        """What each stage of each kind of core has spent, jobs that began included."""
        for job, (kind, times) in self._begun.items():
            self._count_times(kind, job.stages, job.cycles, times)
            slowest = np.bincount(job.cycles.argmax(axis=1), minlength=len(job.stages))
            counts = self._slowest[kind]
            for name, units in zip(job.stages, slowest, strict=True):
                counts[name] = counts.get(name, 0) + times * int(units)
        self._begun.clear()
        for counted in self._counted:
            self._add_up(counted)
        return self._stages

    # -------------------------------------------------------------------------------------------------- time

    def advance(self, until_ps: int) -> list[tuple[int, int]]:
        """Play time up to `until_ps`, or up to the first end of a job.

        Returns [] when `until_ps` was reached, else (core, finished_ps) of the job that ended (of all that ended in
        the same picosecond, lowest core first); `now_ps` is then that time, and nothing after it has been played.
        """
        while True:
            stop_ps = min(until_ps, self._next_sample_ps) if self._trace else until_ps
            finished: list[tuple[int, int]] = []
            while (core := self._advance(finished[0][1] if finished else stop_ps)) >= 0:
                finished.append((core, self._finish(core)))
            if finished:
                self.now_ps = max(self.now_ps, finished[0][1])
                return finished
            self.now_ps = max(self.now_ps, stop_ps)
            if self._trace and stop_ps == self._next_sample_ps:
                self._sample()
            if stop_ps >= until_ps:
                return []

    def play(
        self, moves: list[tuple[int, int, int, int, int, int]], until_ps: int
    ) -> tuple[list[tuple[int, int]], int]:
        """`advance`, with transfers on the way: (at_ps, number of the client, address, size, write, duration_ps).

        Returns what `advance` does, and how many of the transfers were made.
        """
        if self._trace or not moves:
            for made, (at_ps, client, address, size, write, duration_ps) in enumerate(moves):
                if finished := self.advance(at_ps):
                    return finished, made
                self.transfer(client, address, size, bool(write), at_ps, duration_ps)
            return self.advance(until_ps), len(moves)
        memory = self._memory
        core, made = steps.play(
            memory.table, memory.state, self._fields, self._work, self._requests, self._dma, self._asked,
            np.array(moves, np.int64), until_ps,
        )  # fmt: skip
        if core == steps.NO_STREAM:
            raise ValueError(f"more than {pipeline.DMA_STREAMS} transfers under way; advance time first")
        finished = []
        while core >= 0:
            finished.append((core, self._finish(core)))
            core = self._advance(finished[0][1])
        self.now_ps = max(self.now_ps, finished[0][1] if finished else until_ps)
        return finished, made

    def _advance(self, until_ps: int) -> int:
        memory = self._memory
        return pipeline.advance(
            memory.table, memory.state, self._fields, self._work, self._requests, self._dma, until_ps
        )

    def next_finish_lower_bound(self) -> int | None:
        """A time before which no running job can end, ps; None when all cores are idle."""
        bound = steps.lower_bound(self._fields, self._account_before, self._total_ps)
        return bound if bound >= 0 else None

    def _left(self, core: int, stage: int, unit: int) -> int:
        """When the unit before `unit` left a stage; the job's start before the first, ps."""
        row = self._fields[core]
        if unit == 0:
            return int(row[pipeline.START])
        slot = stage * pipeline.RING + ((unit - 1) & (pipeline.RING - 1))
        return int(row[pipeline.HISTORY + 4 * slot + pipeline.H_LEAVE])

    def _account(self, core: int) -> np.ndarray:
        """int64[MAX_STAGES, 4] copy: picoseconds of each stage, busy and stalled by cause."""
        first = pipeline.ACCOUNT
        return self._fields[core, first : first + 4 * pipeline.MAX_STAGES].reshape(-1, 4).copy()

    def _served(self, core: int) -> np.ndarray:
        """int64[clients, 2] view: bytes read and written."""
        first = pipeline.SERVED
        return self._fields[core, first : first + 2 * len(CLIENTS)].reshape(-1, 2)

    def transfer(
        self, client: int | str, address: int, size: int, write: bool, at_ps: int, duration_ps: int = 0
    ) -> int:
        """Move bytes between device memory and something that is no core (host, control processor); return when done.

        Short transfers (4 KiB) are served at once. Longer ones are played in the background in pieces of 4 KiB,
        paced to last `duration_ps` (the host link's time; 0: the on-chip network's), so that cores and transfer
        contend in time order; their end is then `at_ps + duration_ps` and the memory's latency.
        """
        number = CLIENTS.index(client) if isinstance(client, str) else client
        self._asked[-1, number, int(write)] += size
        table = self._memory.table
        latency_ps = int(table[fast.T_LINK_LATENCY])
        if size <= pipeline.DMA_PIECE_BYTES:
            self._served(-1)[number, int(write)] += size
            back = fast.access(table, self._memory.state, address, size, int(write), at_ps + latency_ps)
            return int(max(back + latency_ps, at_ps + duration_ps))
        pieces = -(-size // pipeline.DMA_PIECE_BYTES)
        duration_ps = duration_ps or -(-size // int(table[fast.T_LINK_BYTES])) * int(table[fast.T_LINK_PERIOD])
        rows = np.flatnonzero(self._dma[:, pipeline.D_LEFT] == 0)
        if not rows.size:
            raise ValueError(f"more than {pipeline.DMA_STREAMS} transfers under way; advance time first")
        self._dma[rows[0]] = size, address, at_ps + latency_ps, duration_ps // pieces, int(write), number
        return at_ps + duration_ps + 2 * latency_ps

    # ------------------------------------------------------------------------------------------ ends and checks

    def _finish(self, core: int) -> int:
        """Check and count the job that has just ended on `core`; return its end, ps."""
        if not steps.laws_hold(self._fields, self._account_before, self._total_ps, self._asked, core):
            self._check_job(core)
        row = self._fields[core]
        start_ps, end_ps = int(row[pipeline.START]), int(row[pipeline.END])
        self.jobs_finished[core] += 1
        self.units_finished[core] += self._work_units[core]
        self.active_ps[core] += end_ps - start_ps
        if self._trace:
            units, stages = int(row[pipeline.UNITS]), int(row[pipeline.STAGES])
            last = [self._left(core, stage, units) for stage in range(stages)]
            spent = (self._account(core) - self._account_before[core])[:stages]
            first = row[pipeline.STAGE_FIRST : pipeline.STAGE_FIRST + stages]
            self.spans.append(
                JobSpan(
                    core=self.cores[core],
                    job=int(self.jobs_finished[core]),
                    start_ps=start_ps,
                    end_ps=end_ps,
                    stages=self.stage_names[core],
                    stage_first_ps=tuple(map(int, first)),
                    stage_last_ps=tuple(map(int, last)),
                    stage_busy_ps=tuple(map(int, spent[:, pipeline.BUSY])),
                    units=units,
                )
            )
        return end_ps

    def _check_job(self, core: int) -> None:
        """Raise for the first law that does not hold for the job that has just ended on `core`."""
        row = self._fields[core]
        units, stages = int(row[pipeline.UNITS]), int(row[pipeline.STAGES])
        spent = (self._account(core) - self._account_before[core])[:stages]
        last = np.array([self._left(core, stage, units) for stage in range(stages)])
        self._hold(core, "busy + stalls = elapsed, each stage", spent.sum(axis=1), last - int(row[pipeline.START]))
        self._hold(core, "busy time = cycles x period", spent[:, pipeline.BUSY], self._total_ps[core, :stages])
        self._hold(core, "bytes asked = bytes served, read and written", self._asked[core], self._served(core))
        if spent.min(initial=0) < 0 or row[pipeline.END] < last.max():
            raise InvariantError(f"{self.cores[core]}: a stall or the job itself lasts less than nothing: {spent}")

    def _hold(self, core: int, law: str, one: np.ndarray, other: np.ndarray) -> None:
        if not np.array_equal(one, other):
            at = tuple(map(int, np.argwhere(one != other)[0]))
            raise InvariantError(f"{self.cores[core]}: {law}: {one[at]} is not {other[at]} at {at}")

    def check(self) -> None:
        """Check what must hold at any time: no bus busier than time, no core active longer than time."""
        channels = self._memory.channels
        end_ps = max(self.now_ps, int(channels[:, fast.BUS_FREE].max()))
        busy = channels[:, fast.BUS_BUSY]
        if busy.max() > end_ps:
            raise InvariantError(f"memory: a bus was busy for {busy.max()} ps of {end_ps} ps")
        if self.active_ps.max(initial=0) > self.now_ps:
            raise InvariantError(f"a core was active for {self.active_ps.max()} ps of {self.now_ps} ps")

    def _sample(self) -> None:
        now = self.memory()
        seen = now["read_bytes"], now["write_bytes"], now["bus_busy_ps"]
        delta = [new - old for new, old in zip(seen, self._sampled, strict=True)]
        self.samples.append(MemorySample(self._next_sample_ps, *delta))
        self._sampled = seen
        self._next_sample_ps += self._sample_ps

    # --------------------------------------------------------------------------------------------- statistics

    def account(self, core: int) -> dict[str, dict[str, int]]:
        """Picoseconds of each stage of `core`, finished jobs and the running one: busy, stalls by cause."""
        spent = self._account(core)
        return {
            name: dict(zip(pipeline.ACCOUNT_NAMES, map(int, spent[stage]), strict=True))
            for stage, name in enumerate(self.stage_names[core])
        }

    def bottleneck(self, core: int) -> dict[str, int]:
        """Units of `core` whose longest time was in this stage, or (`memory`) waiting for memory in any stage."""
        counts = self._fields[core, pipeline.BOTTLENECK : pipeline.BOTTLENECK + pipeline.MAX_STAGES + 1]
        found = {name: int(counts[stage]) for stage, name in enumerate(self.stage_names[core])}
        return {**found, "memory": int(counts[pipeline.BY_MEMORY])}

    def slowest_of_groups(self, kind: str) -> dict[str, int] | None:
        """Units of `kind` by the stage that takes them longest; None where no job was played in groups.

        In groups stages are not played one by one: what each waits for, and single units' latencies, are not known.
        """
        return dict(self._slowest[kind]) if self.stages[kind] and kind in self._grouped else None

    def latency_histogram(self, kind: str) -> tuple[np.ndarray, int]:
        """Units by cycles from the start of their first stage to leaving the last, all cores of `kind`; bin width."""
        rows = [row for row, core in enumerate(self.cores) if core.kind == kind]
        bins = self._fields[rows, pipeline.LATENCY : pipeline.LATENCY + pipeline.LATENCY_BINS]
        return bins.sum(axis=0), pipeline.LATENCY_BIN_CYCLES

    def traffic(self) -> dict[str, dict[str, dict[str, int]]]:
        """Bytes served so far: {"encode0": {"source": {"read": n, "write": n}, ...}, ..., "other": ...}."""
        owners = [*map(str, self.cores), "other"]
        return {
            owner: {
                client: {"read": int(read), "write": int(write)}
                for client, (read, write) in zip(CLIENTS, self._served(row), strict=True)
                if read or write
            }
            for row, owner in enumerate(owners)
        }

    def memory(self) -> dict[str, int]:
        """Counters of the memory, all channels: bursts, row hits, ... and bytes on its buses."""
        totals = self._memory.counters()
        burst = 1 << self._memory.map.burst_shift
        totals["read_bytes"] = totals["read_bursts"] * burst
        totals["write_bytes"] = totals["write_bursts"] * burst
        totals["held_write_bytes"] = int(self._memory.channels[:, fast.WRITES_HELD].sum()) * burst
        return totals
