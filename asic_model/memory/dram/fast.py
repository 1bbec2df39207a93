"""The fast memory model: one step for each row chunk (consecutive bytes of one row), in picoseconds.

It shares timing table, mapping and policy with the burst-accurate controller (`controller.py`) and keeps its main
effects: row hits, misses and conflicts, bank parallelism, activate rate, data-bus occupancy and same-group spacing,
read/write turnaround with batched writes, bounded look-ahead, refresh. What it gives up: the order inside the queue.
Bus and bank groups are counted as work (each chunk adds its bursts), so a chunk that waits for its bank does not hold
up the ones behind it, as first-ready scheduling would have it. `benchmarks/dram.py` prints the error of this against
the controller.

Kernels take the memory as two flat int64 arrays, `t` (what never changes, T_...) and `s` (state; each channel has a
block that begins at `base`): passing a dozen arrays costs more than the work itself.
"""

from typing import NamedTuple

import numpy as np

from asic_model.kernel_cache import inlined, kernel
from asic_model.memory.dram.mapping import Mapping, mapping
from asic_model.memory.timings import Timing

NEVER = 1 << 62
WRITE_HIGH = 0.8  # of the write queue: start to drain
WRITE_LOW = 0.2  # of the write queue: stop

# Table `t`. Times in picoseconds.
(T_BURST_SHIFT, T_CHUNK_MASK, T_LOW_MASK, T_LOW_BITS, T_COLUMN_SHIFT, T_COLUMN_MASK, T_CHANNEL_SHIFT) = range(7)
(T_CHANNEL_MASK, T_RANK_SHIFT, T_RANK_MASK, T_GROUP_SHIFT, T_GROUP_MASK, T_BANK_SHIFT, T_BANK_MASK) = range(7, 14)
(T_ROW_SHIFT, T_ROW_MASK, T_XOR, T_RANK_BITS, T_GROUP_BITS, T_BANK_BITS) = range(14, 20)
(T_CHANNELS, T_BANKS, T_BLOCK, T_WRITES, T_WRITE_DEPTH, T_BANK_BASE) = range(20, 26)
T_BURST = 26  # data of one burst
T_GROUP_BURST = 27  # bursts of one bank group follow no closer (nCCD_L)
T_READ = 28  # nCL
T_WRITE = 29  # nCWL
T_ACTIVATE = 30  # nRCD
T_PRECHARGE = 31  # nRP
T_OPEN = 32  # nRAS
T_ACTIVATE_SLOT = 33  # mean distance of activates of a rank: the larger of nRRD_S and nFAW / 4
T_WRITE_TO_READ = 34  # end of write data to read data: nWTR_S + nCL
T_READ_TO_WRITE = 35
T_READ_TO_PRECHARGE = 36
T_WRITE_TO_PRECHARGE = 37
T_REFRESH = 38  # nRP + nRFC
T_REFRESH_INTERVAL = 39  # 0: no refresh
T_LOOK_AHEAD = 40  # bus time of a full read queue: no bank is prepared earlier than this before its data
T_WRITE_HIGH = 41  # bursts
T_WRITE_LOW = 42
T_CLOSED_PAGE = 43
T_LINK_LATENCY, T_LINK_PERIOD, T_LINK_BYTES = 44, 45, 46  # on-chip network, for the fabric
TABLE_FIELDS = 47

# Block of a channel in `s`: these, then for each rank its activate slot, for each group when its data path is free,
# for each bank BANK_FIELDS, then the ring of held writes, WRITE_FIELDS each.
BUS_FREE, NEXT_REFRESH, WRITES_HELD, WRITES_HEAD, WRITES_COUNT = 0, 1, 2, 3, 4
COUNTER = 5
(READ_BURSTS, WRITE_BURSTS, ROW_HITS, ROW_MISSES, ROW_CONFLICTS) = range(COUNTER, COUNTER + 5)
(REFRESHES, TURNAROUNDS, BUS_BUSY, READ_LATENCY, READ_CHUNKS) = range(COUNTER + 5, COUNTER + 10)
COUNTERS = (
    *("read_bursts", "write_bursts", "row_hits", "row_misses", "row_conflicts"),
    *("refreshes", "turnarounds", "bus_busy_ps", "read_latency_ps", "read_chunks"),
)
RANK_BASE = COUNTER + len(COUNTERS)
OPEN_ROW, COLUMN_READY, PRECHARGE_OK, ACTIVATE_OK = 0, 1, 2, 3
BANK_FIELDS = 4
W_BANK, W_GROUP, W_ROW, W_BURSTS = 0, 1, 2, 3
WRITE_FIELDS = 4


class Memory(NamedTuple):
    """One memory: how it is mapped, its table and its state."""

    map: Mapping
    table: np.ndarray  # int64[TABLE_FIELDS]
    state: np.ndarray  # int64[channels * block]

    @property
    def channels(self) -> np.ndarray:
        """The state as int64[channels, block]."""
        return self.state.reshape(int(self.table[T_CHANNELS]), -1)

    def counters(self) -> dict[str, int]:
        """Counters of all channels, summed."""
        sums = self.channels[:, COUNTER : COUNTER + len(COUNTERS)].sum(axis=0)
        return dict(zip(COUNTERS, map(int, sums), strict=True))


def memory(
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
    link_latency_ps: int = 0,
    link_period_ps: int = 0,
    link_bytes: int = 1,
) -> Memory:
    """Return an idle memory at time 0. Channels, ranks and interleave are powers of two."""
    m = mapping(order, timing, channels, ranks, interleave_bytes)
    ck = timing.tCK_ps
    groups = ranks * timing.bank_groups
    banks = groups * timing.banks
    bank_base = RANK_BASE + ranks + groups
    writes = bank_base + banks * BANK_FIELDS
    high = max(1, int(write_queue_depth * WRITE_HIGH))
    depth = high + 2
    block = writes + depth * WRITE_FIELDS
    t = np.zeros(TABLE_FIELDS, np.int64)
    t[:20] = (
        *(m.burst_shift, m.chunk_bytes - 1, (1 << m.low_bits) - 1, m.low_bits, m.column_shift, m.column_mask),
        *(m.channel_shift, m.channel_mask, m.rank_shift, m.rank_mask, m.group_shift, m.group_mask, m.bank_shift),
        *(m.bank_mask, m.row_shift, m.row_mask, m.xor, m.rank_bits, m.group_bits, m.bank_bits),
    )
    t[T_CHANNELS : T_BANK_BASE + 1] = channels, banks, block, writes, depth, bank_base
    t[T_BURST], t[T_GROUP_BURST] = timing.nBL * ck, timing.nCCD_L * ck
    t[T_READ], t[T_WRITE] = timing.nCL * ck, timing.nCWL * ck
    t[T_ACTIVATE], t[T_PRECHARGE], t[T_OPEN] = timing.nRCD * ck, timing.nRP * ck, timing.nRAS * ck
    t[T_ACTIVATE_SLOT] = max(timing.nRRD_S * ck, timing.nFAW * ck // 4)
    t[T_WRITE_TO_READ], t[T_READ_TO_WRITE] = (timing.nWTR_S + timing.nCL) * ck, timing.nRTW * ck
    t[T_READ_TO_PRECHARGE], t[T_WRITE_TO_PRECHARGE] = timing.nRTP * ck, timing.nWR * ck
    t[T_REFRESH] = (timing.nRFC + timing.nRP) * ck
    t[T_REFRESH_INTERVAL] = timing.nREFI * ck if refresh else 0
    t[T_LOOK_AHEAD] = queue_depth * timing.nBL * ck
    t[T_WRITE_HIGH], t[T_WRITE_LOW] = high, int(write_queue_depth * WRITE_LOW)
    t[T_CLOSED_PAGE] = closed_page
    t[T_LINK_LATENCY], t[T_LINK_PERIOD], t[T_LINK_BYTES] = link_latency_ps, link_period_ps, link_bytes
    fresh = Memory(m, t, np.zeros(channels * block, np.int64))
    blocks = fresh.channels
    blocks[:, bank_base : bank_base + banks * BANK_FIELDS : BANK_FIELDS] = -1  # OPEN_ROW
    blocks[:, RANK_BASE : RANK_BASE + ranks] = -NEVER
    blocks[:, NEXT_REFRESH] = t[T_REFRESH_INTERVAL] if refresh else NEVER
    return fresh


@kernel
def _refresh(t, s, base, at_ps):
    """Take the refreshes of a channel that are due by `at_ps` (or by the time its bus is free)."""
    missed = (at_ps - s[base + NEXT_REFRESH]) // t[T_REFRESH_INTERVAL]
    if missed > 1:  # a long idle time: all but the last leave no trace
        s[base + REFRESHES] += missed - 1
        s[base + NEXT_REFRESH] += (missed - 1) * t[T_REFRESH_INTERVAL]
    while s[base + NEXT_REFRESH] <= max(at_ps, s[base + BUS_FREE]):
        done = max(s[base + NEXT_REFRESH], s[base + BUS_FREE]) + t[T_REFRESH]
        s[base + BUS_FREE] = done
        for b in range(t[T_BANKS]):
            bank = base + t[T_BANK_BASE] + b * BANK_FIELDS
            s[bank + OPEN_ROW] = -1
            s[bank + ACTIVATE_OK] = max(s[bank + ACTIVATE_OK], done)
        s[base + NEXT_REFRESH] += t[T_REFRESH_INTERVAL]
        s[base + REFRESHES] += 1


@inlined
def _serve(t, s, base, bank_number, group, row, bursts, write, at_ps):
    """Move `bursts` bursts of one row over a channel's bus, asked for at `at_ps`; return when they are there."""
    bus_free = s[base + BUS_FREE]
    if s[base + NEXT_REFRESH] <= max(at_ps, bus_free):
        _refresh(t, s, base, at_ps)
        bus_free = s[base + BUS_FREE]
    bank = base + t[T_BANK_BASE] + bank_number * BANK_FIELDS
    rank = group >> t[T_GROUP_BITS]
    prepare = max(at_ps, bus_free - t[T_LOOK_AHEAD])
    s[base + ROW_HITS] += bursts
    if s[bank + OPEN_ROW] != row:
        s[base + ROW_HITS] -= 1
        if s[bank + OPEN_ROW] < 0:
            s[base + ROW_MISSES] += 1
            activate = max(prepare, s[bank + ACTIVATE_OK])
        else:
            s[base + ROW_CONFLICTS] += 1
            activate = max(prepare, s[bank + PRECHARGE_OK]) + t[T_PRECHARGE]
        slot = max(prepare, s[base + RANK_BASE + rank] + t[T_ACTIVATE_SLOT])
        s[base + RANK_BASE + rank] = slot
        activate = max(activate, slot)
        s[bank + OPEN_ROW] = row
        s[bank + COLUMN_READY] = activate + t[T_ACTIVATE]
        s[bank + PRECHARGE_OK] = activate + t[T_OPEN]
    command_to_data = t[T_WRITE] if write else t[T_READ]
    # Bus and group: work done in order of arrival, and never ahead of what was asked for.
    bus = max(bus_free, at_ps + command_to_data)
    group_path = base + RANK_BASE + 1 + t[T_RANK_MASK] + group
    group_bus = max(s[group_path], at_ps + command_to_data)
    first = max(max(prepare, s[bank + COLUMN_READY]) + command_to_data, max(bus, group_bus))
    s[base + BUS_FREE] = bus + bursts * t[T_BURST]
    s[group_path] = group_bus + bursts * t[T_GROUP_BURST]
    done = first + (bursts - 1) * t[T_GROUP_BURST] + t[T_BURST]
    if write:
        s[base + WRITE_BURSTS] += bursts
        closes = done + t[T_WRITE_TO_PRECHARGE]
    else:
        s[base + READ_BURSTS] += bursts
        s[base + READ_LATENCY] += done - at_ps
        s[base + READ_CHUNKS] += 1
        closes = done - t[T_BURST] - t[T_READ] + t[T_READ_TO_PRECHARGE]
    s[bank + PRECHARGE_OK] = max(s[bank + PRECHARGE_OK], closes)
    if t[T_CLOSED_PAGE]:
        s[bank + OPEN_ROW] = -1
        s[bank + ACTIVATE_OK] = s[bank + PRECHARGE_OK] + t[T_PRECHARGE]
    s[base + BUS_BUSY] += bursts * t[T_BURST]
    return done


@kernel
def _drain(t, s, base, keep_bursts, at_ps, until_ps):
    """Put held writes of a channel on its bus, oldest first, until `keep_bursts` stay or `until_ps` is reached.

    Reads that are under way keep their places on the bus; those that follow wait for the last write.
    """
    s[base + TURNAROUNDS] += 1
    ends = s[base + BUS_FREE]
    s[base + BUS_FREE] += t[T_READ_TO_WRITE]
    while s[base + WRITES_COUNT] and s[base + WRITES_HELD] > keep_bursts and s[base + BUS_FREE] < until_ps:
        head = s[base + WRITES_HEAD]
        held = base + t[T_WRITES] + head * WRITE_FIELDS
        asked_ps = max(at_ps, s[base + BUS_FREE] - t[T_LOOK_AHEAD])
        bursts = s[held + W_BURSTS]
        done = _serve(t, s, base, s[held + W_BANK], s[held + W_GROUP], s[held + W_ROW], bursts, 1, asked_ps)
        ends = max(ends, done)
        s[base + WRITES_HEAD] = head + 1 if head + 1 < t[T_WRITE_DEPTH] else 0
        s[base + WRITES_COUNT] -= 1
        s[base + WRITES_HELD] -= bursts
    s[base + BUS_FREE] = max(s[base + BUS_FREE], ends) + t[T_WRITE_TO_READ]


@kernel
def access_rows(t, s, address, size, pitch, rows, write, at_ps, step_ps):
    """Read or write `rows` pieces of `size` bytes, `pitch` apart, asked for at `at_ps` and every `step_ps` after it.

    Returns when the last byte of all is there (or taken). Reads come back with their data. Writes are taken as soon as
    the write queue has room, and go to the memory in batches, or when the bus is idle.
    """
    finished = at_ps
    for _ in range(rows):
        finished = max(finished, at_ps)
        end = address + size
        place = address
        while place < end:
            chunk_end = min(end, (place | t[T_CHUNK_MASK]) + 1)
            bursts = ((chunk_end - 1) >> t[T_BURST_SHIFT]) - (place >> t[T_BURST_SHIFT]) + 1
            # The address in its parts, as mapping.places() has them.
            base = ((place >> t[T_CHANNEL_SHIFT]) & t[T_CHANNEL_MASK]) * t[T_BLOCK]
            group = (place >> t[T_GROUP_SHIFT]) & t[T_GROUP_MASK]
            bank = (place >> t[T_BANK_SHIFT]) & t[T_BANK_MASK]
            rank = (place >> t[T_RANK_SHIFT]) & t[T_RANK_MASK]
            row = (place >> t[T_ROW_SHIFT]) & t[T_ROW_MASK]
            if t[T_XOR]:
                column = ((place >> t[T_COLUMN_SHIFT]) & t[T_COLUMN_MASK]) << t[T_LOW_BITS]
                column |= (place >> t[T_BURST_SHIFT]) & t[T_LOW_MASK]
                rank ^= column & t[T_RANK_MASK]
                group ^= (column >> t[T_RANK_BITS]) & t[T_GROUP_MASK]
                bank ^= (column >> (t[T_RANK_BITS] + t[T_GROUP_BITS])) & t[T_BANK_MASK]
                row ^= column >> (t[T_RANK_BITS] + t[T_GROUP_BITS] + t[T_BANK_BITS])
            group |= rank << t[T_GROUP_BITS]
            bank |= group << t[T_BANK_BITS]
            if write:
                tail = s[base + WRITES_HEAD] + s[base + WRITES_COUNT]
                if tail >= t[T_WRITE_DEPTH]:
                    tail -= t[T_WRITE_DEPTH]
                held = base + t[T_WRITES] + tail * WRITE_FIELDS
                s[held + W_BANK] = bank
                s[held + W_GROUP] = group
                s[held + W_ROW] = row
                s[held + W_BURSTS] = bursts
                s[base + WRITES_COUNT] += 1
                s[base + WRITES_HELD] += bursts
                if s[base + WRITES_HELD] > t[T_WRITE_HIGH]:
                    # Taken when the batch that makes room for it begins.
                    finished = max(finished, s[base + BUS_FREE] - t[T_LOOK_AHEAD])
                    _drain(t, s, base, t[T_WRITE_LOW], at_ps, NEVER)
            else:
                if s[base + WRITES_COUNT] and s[base + BUS_FREE] < at_ps - t[T_WRITE_TO_READ]:
                    _drain(t, s, base, 0, s[base + BUS_FREE], at_ps - t[T_WRITE_TO_READ])
                finished = max(finished, _serve(t, s, base, bank, group, row, bursts, 0, at_ps))
            place = chunk_end
        address += pitch
        at_ps += step_ps
    return finished


@kernel
def access(t, s, address, size, write, at_ps):
    """Read or write `size` bytes at `address`, asked for at `at_ps`; return as `access_rows`."""
    return access_rows(t, s, address, size, 0, 1, write, at_ps, 0)


@kernel
def flush(t, s, at_ps):
    """Write out what the write queues still hold; return when the last bus is free."""
    last = at_ps
    for base in range(0, s.size, t[T_BLOCK]):
        if s[base + WRITES_COUNT]:
            _drain(t, s, base, 0, at_ps, NEVER)
        last = max(last, s[base + BUS_FREE])
    return last


@kernel
def play(t, s, addresses, writes, size, outstanding):
    """Play a trace of accesses of `size` bytes, issued as fast as `outstanding` reads in flight allow.

    addresses int64[n], writes uint8[n]. Returns (time of the last, sum of read latencies, reads), ps.
    """
    slots = np.zeros(outstanding, np.int64)
    n_reads = 0
    latency = 0
    now = 0
    for i in range(addresses.size):
        if writes[i]:
            now = max(now, access(t, s, addresses[i], size, 1, now))
        else:
            free = np.argmin(slots)
            now = max(now, slots[free])
            slots[free] = access(t, s, addresses[i], size, 0, now)
            n_reads += 1
            latency += slots[free] - now
    return flush(t, s, now), latency, n_reads
