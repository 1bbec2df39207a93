"""The fabric: plays the work of all cores against the clock, the memory channels and each other.

    fabric = Fabric(load_chip("vcu"))
    fabric.start(fabric.core("encode", 0), result, at_ps=now)       # a CoreResult
    for core, finished_ps in fabric.advance(until_ps): ...          # returns at the first job that ends

Nothing in here sees a pixel: a job is its cycles per unit and stage and its memory requests. Time is an integer
number of picoseconds. The pipeline's rules stand in `pipeline.py`. Each job's end checks what must always hold
(bytes asked = bytes served for each client, busy + stalls = elapsed for each stage); a breach raises InvariantError.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from asic_model.config import ChipConfig, PipelineConfig
from asic_model.cores import pipeline
from asic_model.cores.result import CLIENTS, REQUEST, CoreResult
from asic_model.memory.dram import fast

KINDS = ("encode", "scale", "decode")
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


class Fabric:
    """All cores of a chip and its memory, in time. Core numbers: encode cores first, then scale, then decode."""

    def __init__(self, config: ChipConfig, *, trace: bool = False, sample_ps: int = 100_000_000) -> None:
        """`trace` keeps a JobSpan of each job and a MemorySample every `sample_ps`."""
        self.config = config
        self.cores = tuple(Core(kind, number) for kind in KINDS for number in range(getattr(config, kind).cores))
        self.now_ps = 0
        self.spans: list[JobSpan] = []
        self.samples: list[MemorySample] = []
        self.stages: dict[str, dict[str, StageStats]] = {kind: {} for kind in KINDS}
        self.jobs_finished = np.zeros(len(self.cores), np.int64)
        self.units_finished = np.zeros(len(self.cores), np.int64)
        self.active_ps = np.zeros(len(self.cores), np.int64)
        self.stage_names: list[tuple[str, ...]] = [()] * len(self.cores)
        self._trace = trace
        self._sample_ps = sample_ps
        self._next_sample_ps = sample_ps
        self._sampled = (0, 0, 0)
        self._finished: list[tuple[int, int]] = []
        memory = config.memory
        self._table = fast.table(
            memory.timing,
            channels=memory.channels,
            ranks=memory.ranks,
            order=memory.mapping,
            interleave_bytes=memory.interleave_bytes,
            queue_depth=memory.queue_depth,
            write_queue_depth=memory.write_queue_depth,
            refresh=memory.refresh,
            closed_page=memory.page == "closed",
        )
        self._memory = fast.state(self._table)
        period_ps = config.clocks.noc_ps
        self._links = pipeline.Links(
            config.noc.latency_cycles * period_ps, period_ps, max(1, config.noc.width_bits // 8)
        )
        self._asked = np.zeros((len(self.cores) + 1, len(CLIENTS), 2), np.int64)
        self._account_before = np.zeros((len(self.cores), pipeline.MAX_STAGES, 4), np.int64)
        self._total_ps = np.zeros((len(self.cores), pipeline.MAX_STAGES), np.int64)
        self._state = _fabric_state(len(self.cores), units=0, requests=0)

    # ------------------------------------------------------------------------------------------------- cores

    def core(self, kind: str, number: int) -> int:
        """Row of the core `number` of `kind` ("encode", "scale", "decode") among all cores of the chip."""
        return self.cores.index(Core(kind, number))

    def is_busy(self, core: int) -> bool:
        """Whether a job is running, or its end has not been handed out yet."""
        return bool(self._state.job[core, pipeline.ACTIVE]) or any(core == done for done, _ in self._finished)

    def start(self, core: int, result: CoreResult, at_ps: int, clock_ps: int | None = None) -> None:
        """Let `core` begin the job that `result` describes at `at_ps`; `clock_ps` is the core's period."""
        if self.is_busy(core):
            raise ValueError(f"{self.cores[core]} is still busy with its former job")
        cycles = np.ascontiguousarray(result.cycles, np.int64)
        requests = np.ascontiguousarray(result.requests, REQUEST)
        units, stages = cycles.shape
        if stages != len(result.stages) or not 1 <= stages <= pipeline.MAX_STAGES:
            raise ValueError(f"cycles have {stages} columns for {len(result.stages)} stages (1..{pipeline.MAX_STAGES})")
        if units and cycles.min() < 0:
            raise ValueError("cycles: a unit takes less than 0 cycles")
        key = requests["unit"].astype(np.int64) * stages + requests["stage"]
        if requests.size:
            if requests["unit"].min() < 0 or requests["unit"].max() >= units or requests["stage"].max() >= stages:
                raise ValueError(f"requests: a row names a unit or stage outside {units} x {stages}")
            if requests["client"].max() >= len(CLIENTS):
                raise ValueError(f"requests: client {requests['client'].max()} is not one of {len(CLIENTS)}")
            if np.any(key[1:] < key[:-1]):
                order = np.argsort(key, kind="stable")
                key, requests = key[order], requests[order]
        self._reserve(units * stages, requests.size)
        state = self._state
        slots = units * stages
        state.cycles[core, :slots] = cycles.ravel()
        state.first[core, 0] = 0
        state.first[core, 1 : slots + 1] = np.cumsum(np.bincount(key, minlength=slots)[:slots])
        flags = state.flags[core]
        flags[:slots] = 0
        is_write = requests["write"] != 0
        flags[key[~is_write]] |= 1
        flags[key[is_write]] |= 2
        state.requests[core, : requests.size] = requests
        self._ask(core, requests, is_write)
        kind = self.cores[core].kind
        joined: PipelineConfig = getattr(self.config, kind).pipeline
        period_ps = clock_ps or self.config.clocks.core_ps
        job = state.job[core]
        job[pipeline.UNITS] = units
        job[pipeline.STAGES] = stages
        job[pipeline.START_PS] = at_ps
        job[pipeline.PERIOD_PS] = period_ps
        job[pipeline.LOCKSTEP] = joined.mode == "lockstep"
        job[pipeline.FIFO_DEPTH] = joined.fifo_depth
        job[pipeline.PREFETCH] = joined.prefetch_units
        job[pipeline.WRITE_UNITS] = joined.write_units
        self._account_before[core] = state.account[core]
        self._total_ps[core] = 0
        self._total_ps[core, :stages] = cycles.sum(axis=0) * period_ps
        self.stage_names[core] = result.stages
        self._count_cycles(kind, result.stages, cycles)
        pipeline.begin(state, core)

    def _reserve(self, slots: int, requests: int) -> None:
        """Make the pools large enough for a job of `slots` (unit, stage) pairs and `requests` rows."""
        state = self._state
        if slots > state.cycles.shape[1] or requests > state.requests.shape[1]:
            larger = _fabric_state(
                len(self.cores),
                max(slots, state.cycles.shape[1]) * 5 // 4,
                max(requests, state.requests.shape[1]) * 5 // 4,
            )
            for core in range(len(self.cores)):
                if state.job[core, pipeline.ACTIVE]:
                    used = state.job[core, pipeline.UNITS] * state.job[core, pipeline.STAGES]
                    held = state.first[core, used]
                    larger.cycles[core, :used] = state.cycles[core, :used]
                    larger.flags[core, :used] = state.flags[core, :used]
                    larger.first[core, : used + 1] = state.first[core, : used + 1]
                    larger.requests[core, :held] = state.requests[core, :held]
            self._state = state._replace(
                cycles=larger.cycles, flags=larger.flags, first=larger.first, requests=larger.requests
            )

    def _ask(self, core: int, requests: np.ndarray, is_write: np.ndarray) -> None:
        size = requests["size"].astype(np.int64) * requests["rows"]
        for write in (0, 1):
            chosen = is_write == bool(write)
            asked = np.bincount(requests["client"][chosen], weights=size[chosen], minlength=len(CLIENTS))
            self._asked[core, :, write] += asked.astype(np.int64)

    def _count_cycles(self, kind: str, stages: tuple[str, ...], cycles: np.ndarray) -> None:
        for column, name in enumerate(stages):
            stats = self.stages[kind].setdefault(name, StageStats())
            spent = cycles[:, column]
            stats.cycles_histogram += np.bincount(np.minimum(spent, CYCLE_BINS - 1), minlength=CYCLE_BINS)
            stats.cycles_sum += int(spent.sum())
            stats.units += spent.size

    # -------------------------------------------------------------------------------------------------- time

    def advance(self, until_ps: int) -> list[tuple[int, int]]:
        """Play time up to `until_ps`, or up to the first end of a job.

        Returns [] when `until_ps` was reached, else (core, finished_ps) of the job that ended (of all that ended in
        the same picosecond, lowest core first); `now_ps` is then that time, and nothing after it has been played.
        """
        if self._finished and self._finished[0][1] <= until_ps:
            done, self._finished = self._finished, []
            return done
        while True:
            stop_ps = min(until_ps, self._next_sample_ps) if self._trace else until_ps
            core = pipeline.advance(self._table, self._memory, self._links, self._state, stop_ps)
            if core >= 0:
                finished = [(core, self._finish(core))]
                end_ps = finished[0][1]
                while (core := pipeline.advance(self._table, self._memory, self._links, self._state, end_ps)) >= 0:
                    finished.append((core, self._finish(core)))
                self.now_ps = max(self.now_ps, end_ps)
                return finished
            self.now_ps = max(self.now_ps, stop_ps)
            if self._trace and stop_ps == self._next_sample_ps:
                self._sample()
            if stop_ps >= until_ps:
                return []

    def next_finish_lower_bound(self) -> int | None:
        """A time before which no running job can end, ps; None when all cores are idle."""
        bounds = [end for _, end in self._finished]
        state = self._state
        for core in np.flatnonzero(state.job[:, pipeline.ACTIVE]):
            job = state.job[core]
            bound = int(job[pipeline.KEY_PS])
            if job[pipeline.KEY_KIND] != pipeline.KIND_END:
                for stage in range(job[pipeline.STAGES]):
                    unit = state.next_unit[core, stage]
                    slot = (unit - 1) & (pipeline.RING - 1)
                    left = state.history[core, stage, slot, pipeline.H_LEAVE] if unit else job[pipeline.START_PS]
                    spent = state.account[core, stage, pipeline.BUSY] - self._account_before[core, stage, pipeline.BUSY]
                    bound = max(bound, int(left + self._total_ps[core, stage] - spent))
            bounds.append(bound)
        return min(bounds) if bounds else None

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
        links = self._links
        if size <= pipeline.DMA_PIECE_BYTES:
            column = pipeline.SERVED_WRITE if write else pipeline.SERVED_READ
            self._state.traffic[-1, number, column] += size
            begin_ps = at_ps + links.latency_ps
            back = fast.access(self._table, self._memory, address, size, int(write), begin_ps)
            return int(max(back + links.latency_ps, at_ps + duration_ps))
        pieces = -(-size // pipeline.DMA_PIECE_BYTES)
        duration_ps = duration_ps or -(-size // links.bytes_a_cycle) * links.period_ps
        step_ps = duration_ps // pieces
        rows = np.flatnonzero(self._state.dma[:, pipeline.D_LEFT] == 0)
        if not rows.size:
            raise ValueError(f"more than {pipeline.DMA_STREAMS} transfers under way; advance time first")
        self._state.dma[rows[0]] = (size, address, at_ps + links.latency_ps, step_ps, int(write), number)
        return at_ps + duration_ps + 2 * links.latency_ps

    # ------------------------------------------------------------------------------------------ ends and checks

    def _finish(self, core: int) -> int:
        """Check and count the job that has just ended on `core`; return its end, ps."""
        state = self._state
        job = state.job[core]
        start_ps, end_ps = int(job[pipeline.START_PS]), int(job[pipeline.END_PS])
        units, stages = int(job[pipeline.UNITS]), int(job[pipeline.STAGES])
        slot = (units - 1) & (pipeline.RING - 1)
        spent = state.account[core, :stages] - self._account_before[core, :stages]
        if units:
            lasted = state.history[core, :stages, slot, pipeline.H_LEAVE] - start_ps
            self._hold(core, "busy + stalls = elapsed, each stage", spent.sum(axis=1), lasted)
            self._hold(core, "busy time = cycles x period", spent[:, 0], self._total_ps[core, :stages])
        self._hold(core, "bytes read: asked = served", self._asked[core, :, 0], state.traffic[core, :, 2])
        self._hold(core, "bytes written: asked = served", self._asked[core, :, 1], state.traffic[core, :, 3])
        if spent.min(initial=0) < 0 or end_ps < start_ps:
            raise InvariantError(f"{self.cores[core]}: a stall or the job itself lasts less than nothing: {spent}")
        self.jobs_finished[core] += 1
        self.units_finished[core] += units
        self.active_ps[core] += end_ps - start_ps
        if self._trace:
            first = state.stage_first[core, :stages] if units else np.full(stages, start_ps)
            last = state.history[core, :stages, slot, pipeline.H_LEAVE] if units else first
            self.spans.append(
                JobSpan(
                    self.cores[core],
                    int(self.jobs_finished[core]),
                    start_ps,
                    end_ps,
                    self.stage_names[core],
                    tuple(map(int, first)),
                    tuple(map(int, last)),
                    tuple(map(int, spent[:, 0])),
                    units,
                )
            )
        return end_ps

    def _hold(self, core: int, law: str, one: np.ndarray, other: np.ndarray) -> None:
        if not np.array_equal(one, other):
            at = int(np.flatnonzero(one != other)[0])
            raise InvariantError(f"{self.cores[core]}: {law}: {one[at]} is not {other[at]} (column {at})")

    def check(self) -> None:
        """Check what must hold at any time: no bus busier than time, no core active longer than time."""
        busy = self._memory.counters[:, fast.BUS_BUSY_PS]
        end_ps = max(self.now_ps, int(self._memory.channel[:, fast.BUS_FREE].max()))
        if busy.max(initial=0) > end_ps:
            raise InvariantError(f"memory: a bus was busy for {busy.max()} ps of {end_ps} ps")
        if self.active_ps.max(initial=0) > self.now_ps:
            raise InvariantError(f"a core was active for {self.active_ps.max()} ps of {self.now_ps} ps")

    def _sample(self) -> None:
        burst = 1 << self._table.map.burst_shift
        counters = self._memory.counters.sum(axis=0)
        seen = (
            int(counters[fast.READ_BURSTS]) * burst,
            int(counters[fast.WRITE_BURSTS]) * burst,
            int(counters[fast.BUS_BUSY_PS]),
        )
        delta = [new - old for new, old in zip(seen, self._sampled, strict=True)]
        self.samples.append(MemorySample(self._next_sample_ps, *delta))
        self._sampled = seen
        self._next_sample_ps += self._sample_ps

    # --------------------------------------------------------------------------------------------- statistics

    def account(self, core: int) -> dict[str, dict[str, int]]:
        """Picoseconds of each stage of `core`, finished jobs and the running one: busy, stalls by cause."""
        names = self.stage_names[core]
        return {
            name: dict(zip(pipeline.ACCOUNT, map(int, self._state.account[core, stage]), strict=True))
            for stage, name in enumerate(names)
        }

    def bottleneck(self, core: int) -> dict[str, int]:
        """Units of `core` whose longest time was in this stage, or (`memory`) waiting for memory in any stage."""
        counts = self._state.bottleneck[core]
        found = {name: int(counts[stage]) for stage, name in enumerate(self.stage_names[core])}
        return {**found, "memory": int(counts[pipeline.MAX_STAGES])}

    def latency_histogram(self, kind: str) -> tuple[np.ndarray, int]:
        """Units by cycles from the start of their first stage to leaving the last, all cores of `kind`; bin width."""
        rows = [number for number, core in enumerate(self.cores) if core.kind == kind]
        return self._state.latency[rows].sum(axis=0), pipeline.LATENCY_BIN_CYCLES

    def traffic(self) -> dict[str, dict[str, dict[str, int]]]:
        """Bytes served so far: {"encode0": {"source": {"read": n, "write": n}, ...}, ..., "other": ...}."""
        owners = [*map(str, self.cores), "other"]
        return {
            owner: {
                client: {"read": int(served[2]), "write": int(served[3])}
                for client, served in zip(CLIENTS, self._state.traffic[row], strict=True)
                if served[2] or served[3]
            }
            for row, owner in enumerate(owners)
        }

    def memory(self) -> dict[str, int]:
        """Counters of the memory, all channels: bursts, row hits, ... and bytes on its buses."""
        totals = dict(zip(fast.COUNTERS, map(int, self._memory.counters.sum(axis=0)), strict=True))
        burst = 1 << self._table.map.burst_shift
        totals["read_bytes"] = totals["read_bursts"] * burst
        totals["write_bytes"] = totals["write_bursts"] * burst
        totals["held_write_bytes"] = int(self._memory.channel[:, fast.WRITES_HELD].sum()) * burst
        return totals


def _fabric_state(cores: int, units: int, requests: int) -> pipeline.Fabric:
    """Cleared state with pools for `units` (unit, stage) pairs and `requests` rows a core."""
    stages = pipeline.MAX_STAGES
    return pipeline.Fabric(
        job=np.zeros((cores, pipeline.JOB_FIELDS), np.int64),
        next_unit=np.zeros((cores, stages), np.int64),
        next_read=np.zeros((cores, stages), np.int64),
        history=np.zeros((cores, stages, pipeline.RING, pipeline.H_PLANES), np.int64),
        longest=np.zeros((cores, pipeline.IN_FLIGHT, 2), np.int64),
        first_start=np.zeros((cores, pipeline.IN_FLIGHT), np.int64),
        stage_first=np.zeros((cores, stages), np.int64),
        account=np.zeros((cores, stages, len(pipeline.ACCOUNT)), np.int64),
        bottleneck=np.zeros((cores, stages + 1), np.int64),
        latency=np.zeros((cores, pipeline.LATENCY_BINS), np.int64),
        traffic=np.zeros((cores + 1, len(CLIENTS), 4), np.int64),
        dma=np.zeros((pipeline.DMA_STREAMS, pipeline.D_FIELDS), np.int64),
        cycles=np.zeros((cores, units), np.int64),
        first=np.zeros((cores, units + 1), np.int64),
        flags=np.zeros((cores, units), np.uint8),
        requests=np.zeros((cores, requests), REQUEST),
    )
