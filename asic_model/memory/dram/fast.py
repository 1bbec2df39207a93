"""The fast memory model: one step for each row chunk (consecutive bytes of one row), in picoseconds.

It shares timing table, mapping and policy with the burst-accurate controller (`controller.py`) and keeps its main
effects: row hits, misses and conflicts, bank parallelism, activate rate, data-bus occupancy and same-group spacing,
read/write turnaround with batched writes, bounded look-ahead, refresh. What it gives up: the order inside the queue.
Bus and bank groups are counted as work (each chunk adds its bursts), so a chunk that waits for its bank does not hold
up the ones behind it, as first-ready scheduling would have it. `benchmarks/dram.py` prints the error of this against
the controller.
"""

from typing import NamedTuple

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.memory.dram.mapping import Mapping, mapping, place
from asic_model.memory.timings import Timing

NEVER = 1 << 62
WRITE_HIGH = 0.8  # of the write queue: start to drain
WRITE_LOW = 0.2  # of the write queue: stop

# Columns of State.channel
BUS_FREE, LAST_READ_END, LAST_WRITE_END, LAST_RANK, ACTIVATE_SLOT, NEXT_REFRESH = 0, 1, 2, 3, 4, 5
WRITES_HELD, WRITES_HEAD, WRITES_COUNT = 6, 7, 8
CHANNEL_FIELDS = 9

# Columns of State.bank
OPEN_ROW, COLUMN_READY, PRECHARGE_OK, ACTIVATE_OK = 0, 1, 2, 3
BANK_FIELDS = 4

# Columns of State.counters, one row a channel
READ_BURSTS, WRITE_BURSTS, ROW_HITS, ROW_MISSES, ROW_CONFLICTS = 0, 1, 2, 3, 4
REFRESHES, TURNAROUNDS, BUS_BUSY_PS, READ_LATENCY_PS, READ_CHUNKS = 5, 6, 7, 8, 9
COUNTERS = (
    *("read_bursts", "write_bursts", "row_hits", "row_misses", "row_conflicts"),
    *("refreshes", "turnarounds", "bus_busy_ps", "read_latency_ps", "read_chunks"),
)


class Table(NamedTuple):
    """What never changes: the mapping, and the timing in picoseconds."""

    map: Mapping
    channels: int
    banks: int  # of one channel, all ranks
    burst_ps: int
    group_burst_ps: int  # bursts of one bank group follow no closer (nCCD_L)
    read_ps: int  # nCL
    write_ps: int  # nCWL
    activate_ps: int  # nRCD
    precharge_ps: int  # nRP
    open_ps: int  # nRAS
    activate_slot_ps: int  # mean distance of activates: the larger of nRRD_S and nFAW / 4
    write_to_read_ps: int  # nWTR_S + nCL: end of write data to read data
    read_to_write_ps: int
    rank_switch_ps: int
    read_to_precharge_ps: int
    write_to_precharge_ps: int
    refresh_ps: int
    refresh_interval_ps: int  # 0: no refresh
    look_ahead_ps: int  # bus time of a full read queue: no bank is prepared earlier than this before its data
    write_high: int  # bursts
    write_low: int
    closed_page: int


class State(NamedTuple):
    """What changes: int64 arrays, one row a channel (or bank)."""

    channel: np.ndarray  # [channels, CHANNEL_FIELDS]
    bank: np.ndarray  # [channels * banks, BANK_FIELDS]
    group_free: np.ndarray  # [channels, groups] ps: earliest data of the next burst of this bank group
    writes: np.ndarray  # [channels, depth, 4] bank, row, bursts, group of held writes, a ring
    counters: np.ndarray  # [channels, len(COUNTERS)]


def table(
    timing: Timing,
    *,
    channels: int = 1,
    ranks: int = 1,
    order: str = "RoBaRaCoCh",
    interleave_bytes: int = 256,
    queue_depth: int = 32,
    write_queue_depth: int = 32,
    refresh: bool = True,
    closed_page: bool = False,
) -> Table:
    """Return the table of a memory: timing in picoseconds, policy as numbers."""
    ck = timing.tCK_ps
    return Table(
        map=mapping(order, timing, channels, ranks, interleave_bytes),
        channels=channels,
        banks=ranks * timing.bank_groups * timing.banks,
        burst_ps=timing.nBL * ck,
        group_burst_ps=timing.nCCD_L * ck,
        read_ps=timing.nCL * ck,
        write_ps=timing.nCWL * ck,
        activate_ps=timing.nRCD * ck,
        precharge_ps=timing.nRP * ck,
        open_ps=timing.nRAS * ck,
        activate_slot_ps=max(timing.nRRD_S, -(-timing.nFAW // 4)) * ck,
        write_to_read_ps=(timing.nWTR_S + timing.nCL) * ck,
        read_to_write_ps=timing.nRTW * ck,
        rank_switch_ps=timing.nCS * ck,
        read_to_precharge_ps=timing.nRTP * ck,
        write_to_precharge_ps=timing.nWR * ck,
        refresh_ps=(timing.nRFC + timing.nRP) * ck,
        refresh_interval_ps=timing.nREFI * ck if refresh else 0,
        look_ahead_ps=queue_depth * timing.nBL * ck,
        write_high=max(1, int(write_queue_depth * WRITE_HIGH)),
        write_low=int(write_queue_depth * WRITE_LOW),
        closed_page=int(closed_page),
    )


def state(t: Table) -> State:
    """Return the state of an idle memory at time 0."""
    groups = 1 << (t.map.rank_bits + t.map.group_bits)
    depth = 2 * t.write_high + t.map.chunk_bytes // (1 << t.map.burst_shift) + 2
    fresh = State(
        channel=np.zeros((t.channels, CHANNEL_FIELDS), np.int64),
        bank=np.zeros((t.channels * t.banks, BANK_FIELDS), np.int64),
        group_free=np.zeros((t.channels, groups), np.int64),
        writes=np.zeros((t.channels, depth, 4), np.int64),
        counters=np.zeros((t.channels, len(COUNTERS)), np.int64),
    )
    fresh.bank[:, OPEN_ROW] = -1
    fresh.channel[:, LAST_WRITE_END] = -NEVER
    fresh.channel[:, LAST_READ_END] = -NEVER
    fresh.channel[:, NEXT_REFRESH] = t.refresh_interval_ps if t.refresh_interval_ps else NEVER
    return fresh


@kernel
def _refresh(t, s, c, at_ps):
    """Take the refreshes of channel `c` that are due by `at_ps` (or by the time the bus is free)."""
    channel = s.channel[c]
    missed = (at_ps - channel[NEXT_REFRESH]) // t.refresh_interval_ps
    if missed > 1:  # a long idle time: all but the last leave no trace
        s.counters[c, REFRESHES] += missed - 1
        channel[NEXT_REFRESH] += (missed - 1) * t.refresh_interval_ps
    while channel[NEXT_REFRESH] <= max(at_ps, channel[BUS_FREE]):
        done = max(channel[NEXT_REFRESH], channel[BUS_FREE]) + t.refresh_ps
        channel[BUS_FREE] = done
        for b in range(c * t.banks, (c + 1) * t.banks):
            s.bank[b, OPEN_ROW] = -1
            s.bank[b, ACTIVATE_OK] = max(s.bank[b, ACTIVATE_OK], done)
        channel[NEXT_REFRESH] += t.refresh_interval_ps
        s.counters[c, REFRESHES] += 1


@kernel
def _serve(t, s, c, bank_index, group, row, bursts, write, at_ps):
    """Move `bursts` bursts of one row over the bus of channel `c`, asked for at `at_ps`; return when they are there."""
    channel = s.channel[c]
    counters = s.counters[c]
    if channel[NEXT_REFRESH] <= max(at_ps, channel[BUS_FREE]):
        _refresh(t, s, c, at_ps)
    bank = s.bank[c * t.banks + bank_index]
    prepare = max(at_ps, channel[BUS_FREE] - t.look_ahead_ps)
    if bank[OPEN_ROW] == row:
        counters[ROW_HITS] += bursts
    else:
        counters[ROW_HITS] += bursts - 1
        if bank[OPEN_ROW] < 0:
            counters[ROW_MISSES] += 1
            activate = max(prepare, bank[ACTIVATE_OK])
        else:
            counters[ROW_CONFLICTS] += 1
            activate = max(prepare, bank[PRECHARGE_OK]) + t.precharge_ps
        slot = max(prepare, channel[ACTIVATE_SLOT] + t.activate_slot_ps)
        channel[ACTIVATE_SLOT] = slot
        activate = max(activate, slot)
        bank[OPEN_ROW] = row
        bank[COLUMN_READY] = activate + t.activate_ps
        bank[PRECHARGE_OK] = activate + t.open_ps
    column = max(prepare, bank[COLUMN_READY])
    command_to_data = t.write_ps if write else t.read_ps
    busy = bursts * t.burst_ps
    rank = bank_index // (t.banks >> t.map.rank_bits)
    bus = max(channel[BUS_FREE], at_ps + command_to_data)
    if rank != channel[LAST_RANK]:
        bus += t.rank_switch_ps
        channel[LAST_RANK] = rank
    group_bus = max(s.group_free[c, group], at_ps + command_to_data)
    first = max(column + command_to_data, bus, group_bus)
    channel[BUS_FREE] = bus + busy
    s.group_free[c, group] = group_bus + bursts * t.group_burst_ps
    done = first + (bursts - 1) * t.group_burst_ps + t.burst_ps
    if write:
        channel[LAST_WRITE_END] = max(channel[LAST_WRITE_END], done)
        counters[WRITE_BURSTS] += bursts
        bank[PRECHARGE_OK] = max(bank[PRECHARGE_OK], done + t.write_to_precharge_ps)
    else:
        channel[LAST_READ_END] = max(channel[LAST_READ_END], done)
        counters[READ_BURSTS] += bursts
        counters[READ_LATENCY_PS] += done - at_ps
        counters[READ_CHUNKS] += 1
        last_command = done - t.burst_ps - t.read_ps
        bank[PRECHARGE_OK] = max(bank[PRECHARGE_OK], last_command + t.read_to_precharge_ps)
    counters[BUS_BUSY_PS] += busy
    if t.closed_page:
        bank[OPEN_ROW] = -1
        bank[ACTIVATE_OK] = bank[PRECHARGE_OK] + t.precharge_ps
    return done


@kernel
def _drain(t, s, c, keep_bursts, at_ps, until_ps):
    """Put held writes of channel `c` on the bus, oldest first, until `keep_bursts` stay or `until_ps` is reached.

    Reads that are under way finish first; the first read afterwards waits for the turnaround.
    """
    channel = s.channel[c]
    depth = s.writes.shape[1]
    s.counters[c, TURNAROUNDS] += 1
    channel[BUS_FREE] = max(channel[BUS_FREE], channel[LAST_READ_END] + t.read_to_write_ps)
    while channel[WRITES_COUNT] and channel[WRITES_HELD] > keep_bursts and channel[BUS_FREE] < until_ps:
        head = channel[WRITES_HEAD]
        held = s.writes[c, head]
        _serve(t, s, c, held[0], held[3], held[1], held[2], 1, max(at_ps, channel[BUS_FREE] - t.look_ahead_ps))
        channel[WRITES_HEAD] = head + 1 if head + 1 < depth else 0
        channel[WRITES_COUNT] -= 1
        channel[WRITES_HELD] -= held[2]
    channel[BUS_FREE] = max(channel[BUS_FREE], channel[LAST_WRITE_END] + t.write_to_read_ps)


@kernel
def access(t, s, address, size, write, at_ps):
    """Read or write `size` bytes at `address`, asked for at `at_ps`; return when the last byte is there (or taken).

    Reads come back with their data. Writes are taken as soon as the write queue has room, and go to the memory in
    batches, or when the bus is idle.
    """
    m = t.map
    finished = at_ps
    end = address + size
    while address < end:
        chunk_end = min(end, (address & ~(m.chunk_bytes - 1)) + m.chunk_bytes)
        bursts = ((chunk_end - 1) >> m.burst_shift) - (address >> m.burst_shift) + 1
        p = place(m, address)
        channel = s.channel[p.channel]
        if channel[WRITES_COUNT] and channel[BUS_FREE] < at_ps and not write:
            _drain(t, s, p.channel, 0, channel[BUS_FREE], at_ps - t.write_to_read_ps)
        if write:
            tail = channel[WRITES_HEAD] + channel[WRITES_COUNT]
            depth = s.writes.shape[1]
            held = s.writes[p.channel, tail if tail < depth else tail - depth]
            held[0] = p.bank
            held[1] = p.row
            held[2] = bursts
            held[3] = p.group
            channel[WRITES_COUNT] += 1
            channel[WRITES_HELD] += bursts
            if channel[WRITES_HELD] > t.write_high:
                # Taken when the batch that makes room for it begins.
                finished = max(finished, channel[BUS_FREE] - t.look_ahead_ps)
                _drain(t, s, p.channel, t.write_low, at_ps, NEVER)
        else:
            finished = max(finished, _serve(t, s, p.channel, p.bank, p.group, p.row, bursts, 0, at_ps))
        address = chunk_end
    return finished


@kernel
def flush(t, s, at_ps):
    """Write out what the write queues still hold; return when the last bus is free."""
    last = at_ps
    for c in range(t.channels):
        if s.channel[c, WRITES_COUNT]:
            _drain(t, s, c, 0, at_ps, NEVER)
        last = max(last, s.channel[c, BUS_FREE])
    return last


@kernel
def play(t, s, addresses, writes, size, outstanding):
    """Play a trace of accesses of `size` bytes, issued as fast as `outstanding` reads in flight allow.

    addresses int64[n], writes uint8[n]. Returns (time of the last, sum of read latencies, reads), ps.
    """
    ring = np.zeros(outstanding, np.int64)
    n_reads = 0
    latency = 0
    now = 0
    for i in range(addresses.size):
        if writes[i]:
            now = max(now, access(t, s, addresses[i], size, 1, now))
        else:
            now = max(now, ring[n_reads % outstanding])
            done = access(t, s, addresses[i], size, 0, now)
            ring[n_reads % outstanding] = done
            n_reads += 1
            latency += done - now
    return flush(t, s, now), latency, n_reads
