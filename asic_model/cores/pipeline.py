"""The macroblock pipeline of all cores, in one kernel, in global time order.

Every core runs at most one job: units (macroblocks or tiles) through stages. Of unit k in stage s:

    enter   = leave[s-1][k]                                   (job's start for the first stage)
    reads   = issued when unit k - prefetch_units starts this stage, but not before the unit entered a later stage's
              input FIFO (its addresses are not known earlier)
    start   = max(enter, leave[s][k-1], reads come back)
    finish  = start + cycles[k][s]; writes are issued here
    leave   = max(finish, start[s+1][k - fifo_depth], writes of unit k - write_units taken)

In lock-step no unit of slot j = k + s starts before all units of slot j - 1 have left their stages, and a unit is
in the next stage without waiting in a FIFO.

Only the two points that touch memory (issue of reads, issue of writes) have to happen in time order across cores.
`advance` repeats: of all cores take the one whose next such point is earliest (ties: lowest core), perform it, and
carry the rest of that core's pipeline as far as it goes.
"""

from typing import NamedTuple

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.memory.dram.fast import NEVER, access

RING = 128  # units of history of each stage; more than any depth below
IN_FLIGHT = 1024  # units between first and last stage; more than MAX_STAGES * (deepest FIFO + 1)
MAX_STAGES = 12
LATENCY_BINS = 4096
LATENCY_BIN_CYCLES = 16
DMA_STREAMS = 64
DMA_PIECE_BYTES = 4096

# Columns of Fabric state `job`, one row a core
ACTIVE, UNITS, STAGES, START_PS, PERIOD_PS, LOCKSTEP, FIFO_DEPTH, PREFETCH, WRITE_UNITS = 0, 1, 2, 3, 4, 5, 6, 7, 8
KEY_PS, KEY_KIND, KEY_STAGE, READ_PORT_PS, WRITE_PORT_PS, LAST_WRITE_PS, END_PS = 9, 10, 11, 12, 13, 14, 15
JOB_FIELDS = 16
KIND_READ, KIND_WRITE, KIND_END = 0, 1, 2

# Planes of `history`
H_START, H_LEAVE, H_READS, H_WRITES = 0, 1, 2, 3
H_PLANES = 4

# Columns of `account`, picoseconds of one stage
BUSY, STALL_INPUT, STALL_MEMORY, STALL_OUTPUT = 0, 1, 2, 3
ACCOUNT = ("busy", "stall_input", "stall_memory", "stall_output")

# Columns of `traffic`, one row a core and client
ASKED_READ, ASKED_WRITE, SERVED_READ, SERVED_WRITE = 0, 1, 2, 3

# Columns of `dma`
D_LEFT, D_ADDRESS, D_NEXT_PS, D_STEP_PS, D_WRITE, D_CLIENT = 0, 1, 2, 3, 4, 5
D_FIELDS = 6


class Links(NamedTuple):
    """On-chip network: what lies between a core's port and the memory controllers."""

    latency_ps: int  # one way
    period_ps: int
    bytes_a_cycle: int


class Fabric(NamedTuple):
    """State of all cores' pipelines."""

    job: np.ndarray  # int64[cores, JOB_FIELDS]
    next_unit: np.ndarray  # int64[cores, MAX_STAGES] unit that each stage does next
    next_read: np.ndarray  # int64[cores, MAX_STAGES] unit whose reads are issued next
    history: np.ndarray  # int64[cores, MAX_STAGES, RING, H_PLANES] ps
    longest: np.ndarray  # int64[cores, IN_FLIGHT, 2] longest time of a unit, and where (MAX_STAGES: memory)
    first_start: np.ndarray  # int64[cores, IN_FLIGHT] when the unit started its first stage
    stage_first: np.ndarray  # int64[cores, MAX_STAGES] ps, start of the job's first unit in each stage
    account: np.ndarray  # int64[cores, MAX_STAGES, len(ACCOUNT)] ps
    bottleneck: np.ndarray  # int64[cores, MAX_STAGES + 1] units bounded by each stage, and by memory (last)
    latency: np.ndarray  # int64[cores, LATENCY_BINS]
    traffic: np.ndarray  # int64[cores + 1, clients, 4] bytes; last row: not a core (host, firmware)
    dma: np.ndarray  # int64[DMA_STREAMS, D_FIELDS]
    cycles: np.ndarray  # int64[cores, capacity] each job's cycles[units, stages], flat
    first: np.ndarray  # int64[cores, capacity + 1] first request of (unit, stage)
    flags: np.ndarray  # uint8[cores, capacity] of (unit, stage): 1 reads, 2 writes
    requests: np.ndarray  # REQUEST[cores, capacity]


@kernel
def _transfer(t, memory, links, f, core, request, now_ps):
    """Perform one request of `core` from `now_ps` on, piece by piece; return when its last byte has come or gone."""
    job = f.job[core]
    port = WRITE_PORT_PS if request.write else READ_PORT_PS
    size = np.int64(request.size)
    address = np.int64(request.address)
    cycles = (size + links.bytes_a_cycle - 1) // links.bytes_a_cycle
    busy = cycles * links.period_ps
    done = now_ps
    for _ in range(request.rows):
        issue = max(now_ps, job[port])
        job[port] = issue + busy
        back = access(t, memory, address, size, request.write, issue + links.latency_ps)
        done = max(done, back + links.latency_ps + busy)
        address += request.pitch
    column = SERVED_WRITE if request.write else SERVED_READ
    f.traffic[core, request.client, column] += size * request.rows
    return done


@kernel
def _issue(t, memory, links, f, core, stage, unit, write, now_ps):
    """Issue the reads (or writes) of a unit in a stage; return when all are done."""
    slot = unit * f.job[core, STAGES] + stage
    done = now_ps
    for r in range(f.first[core, slot], f.first[core, slot + 1]):
        if f.requests[core, r].write == write:
            done = max(done, _transfer(t, memory, links, f, core, f.requests[core, r], now_ps))
    return done


@kernel
def _has(f, core, stage, unit, flag):
    """Whether a unit reads (flag 1) or writes (flag 2) memory in a stage."""
    return f.flags[core, unit * f.job[core, STAGES] + stage] & flag


@kernel
def _enter(f, core, stage, unit):
    """When a unit stands at the door of a stage. Its former stage has let it go."""
    if stage:
        return f.history[core, stage - 1, unit & (RING - 1), H_LEAVE]
    return f.job[core, START_PS]


@kernel
def _free(f, core, stage, unit):
    """When a stage is free for `unit`: the unit before has left it."""
    if unit:
        return f.history[core, stage, (unit - 1) & (RING - 1), H_LEAVE]
    return f.job[core, START_PS]


@kernel
def _may_start(f, core, stage):
    """Whether all that bounds the next unit of a stage is known."""
    job = f.job[core]
    unit = f.next_unit[core, stage]
    stages = job[STAGES]
    if unit >= job[UNITS] or f.next_read[core, stage] <= unit:
        return False
    if stage and f.next_unit[core, stage - 1] <= unit:
        return False
    if job[LOCKSTEP]:
        # Slot unit + stage follows slot unit + stage - 1, whose units are unit - 1 + (stage - other) of each stage.
        for other in range(stages):
            before = unit + stage - 1 - other
            if 0 <= before < job[UNITS] and f.next_unit[core, other] <= before:
                return False
        return True
    behind = unit - job[FIFO_DEPTH]
    return not (stage + 1 < stages and behind >= 0 and f.next_unit[core, stage + 1] <= behind)


@kernel
def _start_ps(f, core, stage, unit):
    """When a unit starts in a stage, all its bounds being known."""
    start = max(_enter(f, core, stage, unit), _free(f, core, stage, unit))
    job = f.job[core]
    if job[LOCKSTEP]:
        for other in range(job[STAGES]):
            before = unit + stage - 1 - other
            if 0 <= before < job[UNITS]:
                start = max(start, f.history[core, other, before & (RING - 1), H_LEAVE])
    return start


@kernel
def _work_ps(f, core, stage, unit):
    return f.cycles[core, unit * f.job[core, STAGES] + stage] * f.job[core, PERIOD_PS]


@kernel
def _run_unit(f, core, stage, writes_done_ps):
    """Take the next unit through a stage; its writes, if any, were taken at `writes_done_ps` (0: none)."""
    job = f.job[core]
    unit = f.next_unit[core, stage]
    slot = unit & (RING - 1)
    history = f.history[core, stage]
    account = f.account[core, stage]
    free = _free(f, core, stage, unit)
    ready = _start_ps(f, core, stage, unit)
    start = max(ready, history[slot, H_READS])
    work = _work_ps(f, core, stage, unit)
    finish = start + work
    leave = finish
    if not job[LOCKSTEP] and stage + 1 < job[STAGES] and unit >= job[FIFO_DEPTH]:
        leave = max(leave, f.history[core, stage + 1, (unit - job[FIFO_DEPTH]) & (RING - 1), H_START])
    held_by_memory = 0
    if unit >= job[WRITE_UNITS]:
        taken = history[(unit - job[WRITE_UNITS]) & (RING - 1), H_WRITES]
        held_by_memory = max(0, taken - leave)
        leave += held_by_memory
    account[BUSY] += work
    account[STALL_INPUT] += ready - free
    account[STALL_MEMORY] += start - ready + held_by_memory
    account[STALL_OUTPUT] += leave - finish - held_by_memory
    history[slot, H_START] = start
    history[slot, H_LEAVE] = leave
    history[slot, H_WRITES] = writes_done_ps
    job[LAST_WRITE_PS] = max(job[LAST_WRITE_PS], writes_done_ps)
    if unit == 0:
        f.stage_first[core, stage] = start
    flight = unit & (IN_FLIGHT - 1)
    longest = f.longest[core, flight]
    if stage == 0:
        longest[0] = -1
        f.first_start[core, flight] = start
    if work > longest[0]:
        longest[0] = work
        longest[1] = stage
    waited = start - ready + held_by_memory
    if waited > longest[0]:
        longest[0] = waited
        longest[1] = MAX_STAGES
    if stage == job[STAGES] - 1:
        f.bottleneck[core, longest[1]] += 1
        cycles = (leave - f.first_start[core, flight]) // job[PERIOD_PS]
        f.latency[core, min(LATENCY_BINS - 1, cycles // LATENCY_BIN_CYCLES)] += 1
    f.next_unit[core, stage] = unit + 1


@kernel
def _read_ps(f, core, stage):
    """When the next reads of a stage are issued; NEVER while that is not known or none are left."""
    job = f.job[core]
    unit = f.next_read[core, stage]
    if unit >= job[UNITS]:
        return NEVER
    before = unit - job[PREFETCH]
    if before >= 0 and f.next_unit[core, stage] <= before:
        return NEVER
    if stage and f.next_unit[core, stage - 1] <= unit:
        return NEVER
    at = _enter(f, core, stage, unit)
    if before >= 0:
        at = max(at, f.history[core, stage, before & (RING - 1), H_START])
    return at


@kernel
def _carry(f, core):
    """Carry a core's pipeline as far as it goes without memory, and note its next point that touches memory."""
    job = f.job[core]
    stages = job[STAGES]
    moved = True
    while moved:
        moved = False
        for stage in range(stages):
            while f.next_read[core, stage] < job[UNITS] and not _has(f, core, stage, f.next_read[core, stage], 1):
                # No further ahead than the history reaches.
                if f.next_read[core, stage] > f.next_unit[core, stage] + RING // 2:
                    break
                f.history[core, stage, f.next_read[core, stage] & (RING - 1), H_READS] = 0
                f.next_read[core, stage] += 1
            while _may_start(f, core, stage) and not _has(f, core, stage, f.next_unit[core, stage], 2):
                _run_unit(f, core, stage, 0)
                moved = True
    job[KEY_PS] = NEVER
    for stage in range(stages):
        at = _read_ps(f, core, stage)
        if at < job[KEY_PS]:
            job[KEY_PS] = at
            job[KEY_KIND] = KIND_READ
            job[KEY_STAGE] = stage
        if _may_start(f, core, stage):
            unit = f.next_unit[core, stage]
            reads = f.history[core, stage, unit & (RING - 1), H_READS]
            at = max(_start_ps(f, core, stage, unit), reads) + _work_ps(f, core, stage, unit)
            if at < job[KEY_PS]:
                job[KEY_PS] = at
                job[KEY_KIND] = KIND_WRITE
                job[KEY_STAGE] = stage
    if job[KEY_PS] == NEVER:
        units = job[UNITS]
        last = f.history[core, stages - 1, (units - 1) & (RING - 1), H_LEAVE] if units else job[START_PS]
        job[END_PS] = max(last, job[LAST_WRITE_PS])
        job[KEY_PS] = job[END_PS]
        job[KEY_KIND] = KIND_END


@kernel
def _step(t, memory, links, f, core):
    """Perform the next memory point of a core and carry on."""
    job = f.job[core]
    stage = job[KEY_STAGE]
    if job[KEY_KIND] == KIND_READ:
        unit = f.next_read[core, stage]
        done = _issue(t, memory, links, f, core, stage, unit, 0, job[KEY_PS])
        f.history[core, stage, unit & (RING - 1), H_READS] = done
        f.next_read[core, stage] = unit + 1
    else:
        unit = f.next_unit[core, stage]
        done = _issue(t, memory, links, f, core, stage, unit, 1, job[KEY_PS])
        _run_unit(f, core, stage, done)
    _carry(f, core)


@kernel
def begin(f, core):
    """Put a job whose fields, cycles and requests are in place into motion."""
    f.next_unit[core] = 0
    f.next_read[core] = 0
    f.job[core, ACTIVE] = 1
    f.job[core, LAST_WRITE_PS] = 0
    f.job[core, READ_PORT_PS] = 0
    f.job[core, WRITE_PORT_PS] = 0
    _carry(f, core)


@kernel
def _stream(t, memory, f, s):
    """Move the next piece of background stream `s` (host upload or download)."""
    d = f.dma[s]
    size = min(d[D_LEFT], DMA_PIECE_BYTES)
    access(t, memory, d[D_ADDRESS], size, d[D_WRITE], d[D_NEXT_PS])
    column = SERVED_WRITE if d[D_WRITE] else SERVED_READ
    f.traffic[f.traffic.shape[0] - 1, d[D_CLIENT], column] += size
    d[D_ADDRESS] += size
    d[D_LEFT] -= size
    d[D_NEXT_PS] += d[D_STEP_PS]


@kernel
def advance(t, memory, links, f, until_ps):
    """Play everything up to `until_ps`, or to the first end of a job; return that job's core, else -1."""
    cores = f.job.shape[0]
    while True:
        best = -1
        at = until_ps + 1
        for core in range(cores):
            if f.job[core, ACTIVE] and f.job[core, KEY_PS] < at:
                at = f.job[core, KEY_PS]
                best = core
        stream = -1
        for s in range(DMA_STREAMS):
            if f.dma[s, D_LEFT] > 0 and f.dma[s, D_NEXT_PS] < at:
                at = f.dma[s, D_NEXT_PS]
                stream = s
        if stream >= 0:
            _stream(t, memory, f, stream)
        elif best < 0:
            return -1
        elif f.job[best, KEY_KIND] == KIND_END:
            f.job[best, ACTIVE] = 0
            return best
        else:
            _step(t, memory, links, f, best)
