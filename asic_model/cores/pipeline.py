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

from asic_model.cores.result import CLIENTS
from asic_model.kernel_cache import inlined, kernel
from asic_model.memory.dram.fast import NEVER, T_LINK_BYTES, T_LINK_LATENCY, T_LINK_PERIOD, access, access_rows

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
# it leaves; the start of the job's first unit, ps; and whether any unit reads or writes there (HAS_...)
NEXT_READ = 16
NEXT_START = NEXT_READ + MAX_STAGES
NEXT_DONE = NEXT_START + MAX_STAGES
NEXT_LEAVE = NEXT_DONE + MAX_STAGES
STAGE_FIRST = NEXT_LEAVE + MAX_STAGES
USES = STAGE_FIRST + MAX_STAGES
# ... then counters that outlive the job. Of each stage ps busy, stalled by cause; units bounded by each stage and by
# memory; bytes served of each client, read and written
ACCOUNT = USES + MAX_STAGES
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
LOAD_DONE, LOAD_CYCLES, LOAD_PLACE, LOAD_CLIENT, LOAD_ORDER = range(5)

# `work`: int64[cores, slots + 1, 2], slot = unit * stages + stage: cycles, and number of its first request times 4 plus
# flags; the slot after the last one closes the last.
HAS_READS, HAS_WRITES = 1, 2

# `requests`: int64[cores, n, 4]; R_BUSY: time of a piece on the network, ps
R_ADDRESS, R_SIZE_PITCH, R_ROWS, R_BUSY = range(4)
PITCH_SHIFT = 32  # of R_SIZE_PITCH
CLIENT_SHIFT, WRITE_SHIFT = 16, 24  # of R_ROWS

# `dma`: int64[DMA_STREAMS, D_FIELDS], transfers in the background
D_LEFT, D_ADDRESS, D_NEXT, D_STEP, D_WRITE, D_CLIENT = range(6)
D_FIELDS = 6
DMA_STREAMS = 64
DMA_PIECE_BYTES = 4096


@kernel
def load(t, f, work, requests, asked, core, cycles, wanted):
    """Check a job and put it in place for a core: its row of `f` has its clock and FIFOs, the pools are large enough.

    cycles int64[units, stages], wanted REQUEST[n] sorted by unit, then stage; asked int64[cores + 1, clients, 2] counts
    the bytes. Returns the number of what is wrong (LOAD_...), before anything is changed.
    """
    units, stages = cycles.shape
    for unit in range(units):
        for stage in range(stages):
            if cycles[unit, stage] < 0:
                return LOAD_CYCLES
    former = np.int64(0)
    unsorted = False
    for i in range(wanted.size):
        r = wanted[i]
        if r.unit < 0 or r.unit >= units or r.stage >= stages:
            return LOAD_PLACE
        if r.client >= len(CLIENTS):
            return LOAD_CLIENT
        slot = np.int64(r.unit) * stages + r.stage
        unsorted = unsorted or slot < former
        former = slot
    if unsorted:
        return LOAD_ORDER
    row, slots, packed, mine = f[core], work[core], requests[core], asked[core]
    row[UNITS] = units
    row[STAGES] = stages
    for stage in range(stages):
        row[USES + stage] = 0
    i = 0
    for unit in range(units):
        for stage in range(stages):
            slot = unit * stages + stage
            uses = 0
            first = i
            while i < wanted.size and wanted[i].unit == unit and wanted[i].stage == stage:
                r = wanted[i]
                size, rows, client = np.int64(r.size), np.int64(r.rows), np.int64(r.client)
                write = 1 if r.write else 0
                uses |= HAS_WRITES if write else HAS_READS
                packed[i, R_ADDRESS] = np.int64(r.address)
                packed[i, R_SIZE_PITCH] = size | np.int64(r.pitch) << PITCH_SHIFT
                packed[i, R_ROWS] = rows | client << CLIENT_SHIFT | write << WRITE_SHIFT
                packed[i, R_BUSY] = (size + t[T_LINK_BYTES] - 1) // t[T_LINK_BYTES] * t[T_LINK_PERIOD]
                mine[client, write] += size * rows
                i += 1
            slots[slot, 0] = cycles[unit, stage]
            slots[slot, 1] = first << 2 | uses
            row[USES + stage] |= uses
    slots[units * stages, 1] = i << 2
    return LOAD_DONE


@kernel
def count_cycles(cycles, stage, histogram):
    """Add the cycles of a column to a histogram, the last bin holds all beyond; return their sum."""
    total = np.int64(0)
    last = histogram.size - 1
    for unit in range(cycles.shape[0]):
        spent = cycles[unit, stage]
        total += spent
        histogram[min(spent, last)] += 1
    return total


@kernel
def _issue(t, s, row, slots, requests, slot, write, now_ps):
    """Issue the reads (or writes) of a slot from `now_ps` on; return when all are back (or taken)."""
    latency = t[T_LINK_LATENCY]
    port = row[PORT + write]
    finished = now_ps
    for r in range(slots[slot, 1] >> 2, slots[slot + 1, 1] >> 2):
        kind = requests[r, R_ROWS]
        rows = kind & 0xFFFF
        if (kind >> WRITE_SHIFT) & 1 != write or rows == 0:
            continue
        size = requests[r, R_SIZE_PITCH] & 0xFFFFFFFF
        pitch = requests[r, R_SIZE_PITCH] >> PITCH_SHIFT
        busy = requests[r, R_BUSY]
        issue = max(now_ps, port)
        port = issue + rows * busy
        back = access_rows(t, s, requests[r, R_ADDRESS], size, pitch, rows, write, issue + latency, busy)
        finished = max(finished, back + latency + busy)
        row[SERVED + 2 * ((kind >> CLIENT_SHIFT) & 0xFF) + write] += size * rows
    row[PORT + write] = port
    return finished


@kernel
def _history(stage, unit):
    """Place of a unit's times in a stage, in a core's row."""
    return HISTORY + 4 * (stage * RING + (unit & (RING - 1)))


@kernel
def _slot_before_is_over(row, stage, unit):
    """Lock-step: whether all units of the slot before that of `unit` in `stage` have left their stages."""
    # Slot unit + stage follows slot unit + stage - 1, whose units are unit + stage - 1 - other of each stage.
    for other in range(row[STAGES]):
        before = unit + stage - 1 - other
        if 0 <= before < row[UNITS] and row[NEXT_LEAVE + other] <= before:
            return False
    return True


@inlined
def _start(row, slots, stage, unit):
    """Start a unit: it has left the stage before, its reads are issued, the stage is free."""
    times = _history(stage, unit)
    free = row[_history(stage, unit - 1) + H_LEAVE] if unit else row[START]
    ready = max(free, row[_history(stage - 1, unit) + H_LEAVE] if stage else row[START])
    if row[LOCKSTEP]:
        for other in range(row[STAGES]):
            before = unit + stage - 1 - other
            if 0 <= before < row[UNITS]:
                ready = max(ready, row[_history(other, before) + H_LEAVE])
    start = ready
    if slots[unit * row[STAGES] + stage, 1] & HAS_READS:
        start = max(start, row[times + H_READS])
    row[times + H_START] = start
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


@inlined
def _leave(row, slots, stage, unit):
    """Let the unit in a stage go on: its writes are issued, the next FIFO has room."""
    times = _history(stage, unit)
    spent = slots[unit * row[STAGES] + stage, 0] * row[PERIOD]
    finish = row[times + H_START] + spent
    leave = finish
    if not row[LOCKSTEP] and stage + 1 < row[STAGES] and unit >= row[FIFO_DEPTH]:
        leave = max(leave, row[_history(stage + 1, unit - row[FIFO_DEPTH]) + H_START])
    held = np.int64(0)  # by the write queue
    if row[USES + stage] & HAS_WRITES:
        former = unit - row[WRITE_UNITS]
        if former >= 0 and slots[former * row[STAGES] + stage, 1] & HAS_WRITES:
            held = max(held, row[_history(stage, former) + H_WRITES] - leave)
            leave += held
    row[times + H_LEAVE] = leave
    account = ACCOUNT + 4 * stage
    row[account + BUSY] += spent
    row[account + STALL_MEMORY] += held
    row[account + STALL_OUTPUT] += leave - finish - held
    flight = FLIGHT + 3 * (unit & (IN_FLIGHT - 1))
    # Of equals the earlier stage counts, and work before memory.
    longest = row[flight + F_LONGEST]
    if spent > longest or (spent == longest and row[flight + F_PLACE] == BY_MEMORY):
        longest = spent
        row[flight + F_LONGEST] = spent
        row[flight + F_PLACE] = stage
    if held > longest:
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
    at = row[_history(stage - 1, unit) + H_LEAVE] if stage else row[START]  # it stands at the door
    if before >= 0:
        at = max(at, row[_history(stage, before) + H_START])
    return at


@kernel
def _next_read(row, slots, stage, unit):
    """First unit from `unit` on that reads in a stage."""
    units, stages = row[UNITS], row[STAGES]
    if not row[USES + stage] & HAS_READS:
        return units
    while unit < units and not slots[unit * stages + stage, 1] & HAS_READS:
        unit += 1
    return unit


@kernel
def _carry(row, slots, going):
    """Carry a core's pipeline as far as it goes without memory, and note its next point that touches memory.

    going : mask of the stages in which something may have become possible
    """
    stages, units, depth, lockstep = row[STAGES], row[UNITS], row[FIFO_DEPTH], row[LOCKSTEP]
    while going:
        for stage in range(stages):
            if not (going >> stage) & 1:
                continue
            going &= ~(1 << stage)
            first_start, first_leave = row[NEXT_START + stage], row[NEXT_LEAVE + stage]
            unit = first_leave  # the one in the stage, or the next to enter it
            started = first_start
            while True:
                if started == unit:
                    if unit >= units or row[NEXT_READ + stage] <= unit:
                        break
                    if stage and row[NEXT_LEAVE + stage - 1] <= unit:
                        break
                    if lockstep and not _slot_before_is_over(row, stage, unit):
                        break
                    _start(row, slots, stage, unit)
                    started += 1
                    row[NEXT_START + stage] = started
                if row[NEXT_DONE + stage] == unit:
                    if slots[unit * stages + stage, 1] & HAS_WRITES:
                        break
                    row[NEXT_DONE + stage] = started
                if not lockstep and stage + 1 < stages and unit >= depth:
                    if row[NEXT_START + stage + 1] <= unit - depth:
                        break
                _leave(row, slots, stage, unit)
                unit += 1
                row[NEXT_LEAVE + stage] = unit
            if unit != first_leave:
                going |= (1 << stages) - 1 if lockstep else 1 << (stage + 1)
            if started != first_start and stage and row[NEXT_LEAVE + stage - 1] < row[NEXT_START + stage - 1]:
                going |= 1 << (stage - 1)  # it may wait for room
        going &= (1 << stages) - 1
    key = NEVER
    for stage in range(stages):
        uses = row[USES + stage]
        if uses & HAS_READS:
            at = _read_time(row, stage)
            if at < key:
                key = at
                row[KEY_KIND] = KIND_READ
                row[KEY_STAGE] = stage
        if uses & HAS_WRITES:
            unit = row[NEXT_DONE + stage]
            if unit < row[NEXT_START + stage]:
                at = row[_history(stage, unit) + H_START] + slots[unit * stages + stage, 0] * row[PERIOD]
                if at < key:
                    key = at
                    row[KEY_KIND] = KIND_WRITE
                    row[KEY_STAGE] = stage
    if key == NEVER:
        last = row[_history(stages - 1, units - 1) + H_LEAVE] if units else row[START]
        row[END] = max(last, row[LAST_WRITE])
        key = row[END]
        row[KEY_KIND] = KIND_END
    row[KEY] = key


@kernel
def _step(t, s, row, slots, requests):
    """Perform the next memory point of a core and carry on."""
    stage = row[KEY_STAGE]
    if row[KEY_KIND] == KIND_READ:
        unit = row[NEXT_READ + stage]
        done = _issue(t, s, row, slots, requests, unit * row[STAGES] + stage, 0, row[KEY])
        row[_history(stage, unit) + H_READS] = done
        row[NEXT_READ + stage] = _next_read(row, slots, stage, unit + 1)
    else:
        unit = row[NEXT_DONE + stage]
        done = _issue(t, s, row, slots, requests, unit * row[STAGES] + stage, 1, row[KEY])
        row[_history(stage, unit) + H_WRITES] = done
        row[NEXT_DONE + stage] = unit + 1
        row[LAST_WRITE] = max(row[LAST_WRITE], done)
    _carry(row, slots, 1 << stage)


@kernel
def begin(f, work, core):
    """Put a job whose fields, work and requests are in place into motion."""
    row = f[core]
    for stage in range(MAX_STAGES):
        row[NEXT_START + stage] = 0
        row[NEXT_DONE + stage] = 0
        row[NEXT_LEAVE + stage] = 0
        row[STAGE_FIRST + stage] = row[START]
    for stage in range(row[STAGES]):
        row[NEXT_READ + stage] = _next_read(row, work[core], stage, 0)
    row[ACTIVE] = 1
    row[LAST_WRITE] = 0
    row[PORT] = 0
    row[PORT + 1] = 0
    _carry(row, work[core], (1 << row[STAGES]) - 1)


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
        other = until_ps + 1  # when something else than `best` is next; of cores at one time the lower one goes first
        for core in range(f.shape[0] - 1):
            if f[core, ACTIVE]:
                if f[core, KEY] < at:
                    if best >= 0:
                        other = min(other, at)
                    at = f[core, KEY]
                    best = core
                else:
                    other = min(other, f[core, KEY] + 1)
        stream = -1
        for d in range(DMA_STREAMS):
            if dma[d, D_LEFT] > 0:
                if dma[d, D_NEXT] < at:
                    at = dma[d, D_NEXT]
                    stream = d
                other = min(other, dma[d, D_NEXT] + 1)
        if stream >= 0:
            _stream(t, s, f, dma[stream])
            continue
        if best < 0:
            return -1
        row, slots, wanted = f[best], work[best], requests[best]
        while row[KEY_KIND] != KIND_END and row[KEY] < other:
            _step(t, s, row, slots, wanted)
        if row[KEY_KIND] == KIND_END and row[KEY] < other:
            row[ACTIVE] = 0
            return best
