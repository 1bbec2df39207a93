"""The macroblock pipeline of all cores, in one kernel, in global time order.

Every core runs at most one job: units (macroblocks or tiles) through stages. Of unit k in stage s:

    enter   = leave[s-1][k]                                   (job's start for the first stage)
    reads   = issued when unit k - prefetch_units starts this stage, but not before unit k has left the stage before
              (its addresses are not known earlier)
    start   = max(enter, leave[s][k-1], reads come back)
    finish  = start + cycles[k][s]; writes are issued here
    leave   = max(finish, start[s+1][k - fifo_depth], writes of unit k - write_units taken)

In lock-step no unit of slot j = k + s starts before all units of slot j - 1 have left their stages, and a unit is
in the next stage without waiting in a FIFO.

Only the two points that touch memory (issue of reads, issue of writes) have to happen in time order across cores.
`advance` repeats: of all cores take the one whose next such point is earliest (ties: lowest core), perform it, and
carry the rest of that core's pipeline as far as it goes.

Kernels take plain int64 arrays: `t` and `s`, the memory (`memory.dram.fast`); `f`, one row of fields a core;
`work`, what each core's job does, and `requests`.
"""

import numpy as np

from asic_model.cores.result import CLIENTS, REQUEST
from asic_model.kernel_cache import kernel
from asic_model.memory.dram.fast import NEVER, T_LINK_BYTES, T_LINK_LATENCY, T_LINK_PERIOD, access

RING = 128  # units of history of each stage; more than any depth
IN_FLIGHT = 1024  # units between first and last stage; more than MAX_STAGES * (deepest FIFO + 1)
MAX_STAGES = 12
LATENCY_BINS = 4096
LATENCY_BIN_CYCLES = 16

# Row of a core in `f`: fields of its job ...
ACTIVE, UNITS, STAGES, START, PERIOD, LOCKSTEP, FIFO_DEPTH, PREFETCH, WRITE_UNITS = range(9)
KEY, KEY_KIND, KEY_STAGE = range(9, 12)  # its next point in time: ps, what, where
PORT, LAST_WRITE, END = 12, 14, 15  # read and write port are free (ps); last write taken; end of the job
# ... then of each stage the unit that comes next: its reads are issued, it starts, it is done (its writes are issued),
# it leaves; and the start of the job's first unit, ps
NEXT_READ = 16
NEXT_START = NEXT_READ + MAX_STAGES
NEXT_DONE = NEXT_START + MAX_STAGES
NEXT_LEAVE = NEXT_DONE + MAX_STAGES
STAGE_FIRST = NEXT_LEAVE + MAX_STAGES
# ... then counters that outlive the job. Of each stage ps busy, stalled by cause; units bounded by each stage and by
# memory; bytes served of each client, read and written
ACCOUNT = STAGE_FIRST + MAX_STAGES
BUSY, STALL_INPUT, STALL_MEMORY, STALL_OUTPUT = range(4)
ACCOUNT_NAMES = ("busy", "stall_input", "stall_memory", "stall_output")
BOTTLENECK = ACCOUNT + 4 * MAX_STAGES
BY_MEMORY = MAX_STAGES
SERVED = BOTTLENECK + MAX_STAGES + 1
LATENCY = SERVED + 2 * len(CLIENTS)  # histogram of cycles from a unit's first start to its last leave
# ... then rings: of units in flight the longest time in one place, that place, the first start; of each stage and
# unit start, leave, reads back, writes taken
FLIGHT = LATENCY + LATENCY_BINS
F_LONGEST, F_PLACE, F_FIRST = range(3)
HISTORY = FLIGHT + 3 * IN_FLIGHT
H_START, H_LEAVE, H_READS, H_WRITES = range(4)
FIELDS = HISTORY + 4 * RING * MAX_STAGES

KIND_READ, KIND_WRITE, KIND_END = range(3)

# `work`: int64[cores, slots + 1, 2], slot = unit * stages + stage: cycles, and number of its first request times 4 plus
# flags; the slot after the last one closes the last.
HAS_READS, HAS_WRITES = 1, 2

# `requests`: int64[cores, n, 3]
R_ADDRESS, R_SIZE_PITCH, R_ROWS = range(3)
PITCH_SHIFT = 32  # of R_SIZE_PITCH
CLIENT_SHIFT, WRITE_SHIFT = 16, 24  # of R_ROWS

# `dma`: int64[DMA_STREAMS, D_FIELDS], transfers in the background
D_LEFT, D_ADDRESS, D_NEXT, D_STEP, D_WRITE, D_CLIENT = range(6)
D_FIELDS = 6
DMA_STREAMS = 64
DMA_PIECE_BYTES = 4096


def pack_requests(requests: np.ndarray, out: np.ndarray) -> None:
    """Write REQUEST[n] to out, int64[n, 3]."""
    assert requests.dtype == REQUEST
    out[:, R_ADDRESS] = requests["address"]
    out[:, R_SIZE_PITCH] = requests["size"] | (requests["pitch"].astype(np.int64) << PITCH_SHIFT)
    kind = (requests["client"].astype(np.int64) << CLIENT_SHIFT) | (
        (requests["write"] != 0).astype(np.int64) << WRITE_SHIFT
    )
    out[:, R_ROWS] = requests["rows"] | kind


@kernel
def _issue(t, s, f, work, requests, core, stage, unit, write, now_ps):
    """Issue the reads (or writes) of a unit in a stage from `now_ps` on; return when all are back (or taken)."""
    row = f[core]
    slot = unit * row[STAGES] + stage
    latency = t[T_LINK_LATENCY]
    port = row[PORT + write]
    finished = now_ps
    for r in range(work[core, slot, 1] >> 2, work[core, slot + 1, 1] >> 2):
        kind = requests[core, r, R_ROWS]
        if (kind >> WRITE_SHIFT) & 1 != write:
            continue
        size = requests[core, r, R_SIZE_PITCH] & 0xFFFFFFFF
        pitch = requests[core, r, R_SIZE_PITCH] >> PITCH_SHIFT
        address = requests[core, r, R_ADDRESS]
        rows = kind & 0xFFFF
        busy = (size + t[T_LINK_BYTES] - 1) // t[T_LINK_BYTES] * t[T_LINK_PERIOD]
        for _ in range(rows):
            issue = max(now_ps, port)
            port = issue + busy
            back = access(t, s, address, size, write, issue + latency)
            finished = max(finished, back + latency + busy)
            address += pitch
        row[SERVED + 2 * ((kind >> CLIENT_SHIFT) & 0xFF) + write] += size * rows
    row[PORT + write] = port
    return finished


@kernel
def _history(stage, unit):
    """Place of a unit's times in a stage, in a core's row."""
    return HISTORY + 4 * (stage * RING + (unit & (RING - 1)))


@kernel
def _may_start(row, stage):
    """Whether the next unit of a stage can start, as far as that is known: it is there, the stage is free."""
    unit = row[NEXT_START + stage]
    if unit >= row[UNITS] or row[NEXT_READ + stage] <= unit or row[NEXT_LEAVE + stage] < unit:
        return False
    if stage and row[NEXT_LEAVE + stage - 1] <= unit:
        return False
    if row[LOCKSTEP]:
        # Slot unit + stage follows slot unit + stage - 1, whose units are unit + stage - 1 - other of each stage.
        for other in range(row[STAGES]):
            before = unit + stage - 1 - other
            if 0 <= before < row[UNITS] and row[NEXT_LEAVE + other] <= before:
                return False
    return True


@kernel
def _enter(row, stage, unit):
    """When a unit stands at the door of a stage. The stage before has let it go."""
    return row[_history(stage - 1, unit) + H_LEAVE] if stage else row[START]


@kernel
def _start(row, stage):
    """Start the next unit of a stage."""
    unit = row[NEXT_START + stage]
    times = _history(stage, unit)
    free = row[_history(stage, unit - 1) + H_LEAVE] if unit else row[START]
    ready = max(free, _enter(row, stage, unit))
    if row[LOCKSTEP]:
        for other in range(row[STAGES]):
            before = unit + stage - 1 - other
            if 0 <= before < row[UNITS]:
                ready = max(ready, row[_history(other, before) + H_LEAVE])
    start = max(ready, row[times + H_READS])
    row[times + H_START] = start
    row[NEXT_START + stage] = unit + 1
    account = ACCOUNT + 4 * stage
    row[account + STALL_INPUT] += ready - free
    row[account + STALL_MEMORY] += start - ready
    if unit == 0:
        row[STAGE_FIRST + stage] = start
    flight = FLIGHT + 3 * (unit & (IN_FLIGHT - 1))
    if stage == 0:
        row[flight + F_LONGEST] = -1
        row[flight + F_FIRST] = start
    if start - ready > row[flight + F_LONGEST]:
        row[flight + F_LONGEST] = start - ready
        row[flight + F_PLACE] = BY_MEMORY


@kernel
def _may_leave(row, stage):
    """Whether it is known when the unit in a stage leaves it: its writes are issued, the next FIFO's room is known."""
    unit = row[NEXT_LEAVE + stage]
    if row[NEXT_DONE + stage] <= unit:
        return False
    if row[LOCKSTEP] or stage + 1 == row[STAGES] or unit < row[FIFO_DEPTH]:
        return True
    return row[NEXT_START + stage + 1] > unit - row[FIFO_DEPTH]


@kernel
def _leave(row, stage, cycles):
    """Let the unit in a stage go on."""
    unit = row[NEXT_LEAVE + stage]
    times = _history(stage, unit)
    spent = cycles * row[PERIOD]
    finish = row[times + H_START] + spent
    leave = finish
    if not row[LOCKSTEP] and stage + 1 < row[STAGES] and unit >= row[FIFO_DEPTH]:
        leave = max(leave, row[_history(stage + 1, unit - row[FIFO_DEPTH]) + H_START])
    held = np.int64(0)  # by the write queue
    if unit >= row[WRITE_UNITS]:
        held = max(held, row[_history(stage, unit - row[WRITE_UNITS]) + H_WRITES] - leave)
        leave += held
    row[times + H_LEAVE] = leave
    row[NEXT_LEAVE + stage] = unit + 1
    account = ACCOUNT + 4 * stage
    row[account + BUSY] += spent
    row[account + STALL_MEMORY] += held
    row[account + STALL_OUTPUT] += leave - finish - held
    flight = FLIGHT + 3 * (unit & (IN_FLIGHT - 1))
    # Of equals the earlier stage counts, and work before memory.
    if spent > row[flight + F_LONGEST] or (spent == row[flight + F_LONGEST] and row[flight + F_PLACE] == BY_MEMORY):
        row[flight + F_LONGEST] = spent
        row[flight + F_PLACE] = stage
    if held > row[flight + F_LONGEST]:
        row[flight + F_LONGEST] = held
        row[flight + F_PLACE] = BY_MEMORY
    if stage == row[STAGES] - 1:
        row[BOTTLENECK + row[flight + F_PLACE]] += 1
        lasted = (leave - row[flight + F_FIRST]) // row[PERIOD]
        row[LATENCY + min(LATENCY_BINS - 1, lasted // LATENCY_BIN_CYCLES)] += 1


@kernel
def _read_time(row, stage):
    """When the next reads of a stage are issued; NEVER while that is not known, or none are left."""
    unit = row[NEXT_READ + stage]
    if unit >= row[UNITS]:
        return NEVER
    before = unit - row[PREFETCH]
    if before >= 0 and row[NEXT_START + stage] <= before:
        return NEVER
    if stage and row[NEXT_LEAVE + stage - 1] <= unit:
        return NEVER
    at = _enter(row, stage, unit)
    if before >= 0:
        at = max(at, row[_history(stage, before) + H_START])
    return at


@kernel
def _skip_reads(row, slots, stage):
    """Units without reads have them at once, but no further ahead than the history reaches."""
    unit = row[NEXT_READ + stage]
    end = min(row[UNITS], row[NEXT_START + stage] + RING // 2)
    while unit < end and not slots[unit * row[STAGES] + stage, 1] & HAS_READS:
        row[_history(stage, unit) + H_READS] = 0
        unit += 1
    row[NEXT_READ + stage] = unit


@kernel
def _carry(f, work, core):
    """Carry a core's pipeline as far as it goes without memory, and note its next point that touches memory."""
    row = f[core]
    slots = work[core]
    stages = row[STAGES]
    moved = True
    while moved:
        moved = False
        for stage in range(stages):
            going = True
            while going:
                going = False
                if row[NEXT_READ + stage] <= row[NEXT_START + stage]:
                    _skip_reads(row, slots, stage)
                if _may_start(row, stage):
                    _start(row, stage)
                    going = True
                unit = row[NEXT_DONE + stage]
                if unit < row[NEXT_START + stage] and not slots[unit * stages + stage, 1] & HAS_WRITES:
                    row[_history(stage, unit) + H_WRITES] = 0
                    row[NEXT_DONE + stage] = unit + 1
                    going = True
                if _may_leave(row, stage):
                    _leave(row, stage, slots[row[NEXT_LEAVE + stage] * stages + stage, 0])
                    going = True
                moved = moved or going
    row[KEY] = NEVER
    for stage in range(stages):
        _skip_reads(row, slots, stage)
        at = _read_time(row, stage)
        if at < row[KEY]:
            row[KEY] = at
            row[KEY_KIND] = KIND_READ
            row[KEY_STAGE] = stage
        unit = row[NEXT_DONE + stage]
        if unit < row[NEXT_START + stage]:
            at = row[_history(stage, unit) + H_START] + slots[unit * stages + stage, 0] * row[PERIOD]
            if at < row[KEY]:
                row[KEY] = at
                row[KEY_KIND] = KIND_WRITE
                row[KEY_STAGE] = stage
    if row[KEY] == NEVER:
        units = row[UNITS]
        last = row[_history(stages - 1, units - 1) + H_LEAVE] if units else row[START]
        row[END] = max(last, row[LAST_WRITE])
        row[KEY] = row[END]
        row[KEY_KIND] = KIND_END


@kernel
def _step(t, s, f, work, requests, core):
    """Perform the next memory point of a core and carry on."""
    row = f[core]
    stage = row[KEY_STAGE]
    if row[KEY_KIND] == KIND_READ:
        unit = row[NEXT_READ + stage]
        done = _issue(t, s, f, work, requests, core, stage, unit, 0, row[KEY])
        row[_history(stage, unit) + H_READS] = done
        row[NEXT_READ + stage] = unit + 1
    else:
        unit = row[NEXT_DONE + stage]
        done = _issue(t, s, f, work, requests, core, stage, unit, 1, row[KEY])
        row[_history(stage, unit) + H_WRITES] = done
        row[NEXT_DONE + stage] = unit + 1
        row[LAST_WRITE] = max(row[LAST_WRITE], done)
    _carry(f, work, core)


@kernel
def begin(f, work, core):
    """Put a job whose fields, work and requests are in place into motion."""
    row = f[core]
    for stage in range(MAX_STAGES):
        row[NEXT_READ + stage] = 0
        row[NEXT_START + stage] = 0
        row[NEXT_DONE + stage] = 0
        row[NEXT_LEAVE + stage] = 0
        row[STAGE_FIRST + stage] = row[START]
    row[ACTIVE] = 1
    row[LAST_WRITE] = 0
    row[PORT] = 0
    row[PORT + 1] = 0
    _carry(f, work, core)


@kernel
def _stream(t, s, f, d):
    """Move the next piece of a background transfer, row `d` of `dma`."""
    size = min(d[D_LEFT], DMA_PIECE_BYTES)
    access(t, s, d[D_ADDRESS], size, d[D_WRITE], d[D_NEXT])
    f[f.shape[0] - 1, SERVED + 2 * d[D_CLIENT] + d[D_WRITE]] += size
    d[D_ADDRESS] += size
    d[D_LEFT] -= size
    d[D_NEXT] += d[D_STEP]


@kernel
def advance(t, s, f, work, requests, dma, until_ps):
    """Play everything up to `until_ps`, or to the first end of a job; return that job's core, else -1.

    The last row of `f` is no core: it counts what host and control processor move.
    """
    while True:
        best = -1
        at = until_ps + 1
        for core in range(f.shape[0] - 1):
            if f[core, ACTIVE] and f[core, KEY] < at:
                at = f[core, KEY]
                best = core
        stream = -1
        for d in range(DMA_STREAMS):
            if dma[d, D_LEFT] > 0 and dma[d, D_NEXT] < at:
                at = dma[d, D_NEXT]
                stream = d
        if stream >= 0:
            _stream(t, s, f, dma[stream])
        elif best < 0:
            return -1
        elif f[best, KEY_KIND] == KIND_END:
            f[best, ACTIVE] = 0
            return best
        else:
            _step(t, s, f, work, requests, best)
