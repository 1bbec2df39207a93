"""The burst-accurate controller: every command of every burst, clock by clock.

It is the yardstick of the fast model: same timing table, same mapping, and a scheduler as published simulators have
it. One command a clock and channel. Two queue organisations:

    shared     one read and one write queue; of the mode's queue the oldest request whose next command (precharge,
               activate, read, write) may be issued now goes first; a request whose row was opened for it leaves the
               queue and is served before all others; writes are sent in batches between two watermarks
    per bank   reads wait in a transaction queue, writes in a write buffer, and both move into a short queue of each
               bank; the banks take turns; a row is closed only when nothing older wants this bank and nothing hits the
               open row (or it has been hit often enough); a full write buffer is emptied as a whole

Requests are read or write bursts in order of issue; the requester offers the next one as soon as the last was taken.
A read of an address that a write is waiting for gets its data from there.
"""

from typing import NamedTuple

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.memory.dram.mapping import Mapping, mapping, places
from asic_model.memory.timings import Timing

FAR = 1 << 60
OFFERS_PER_CLOCK = 4
WRITE_HIGH, WRITE_LOW = 0.8, 0.2  # watermarks of the shared write queue
ROW_HIT_LIMIT = 4  # per bank: hits after which an open row may be closed in spite of waiting ones
WRITE_IDLE_DRAIN = 8  # per bank: writes held that are sent when nothing else is to do


class Policy(NamedTuple):
    """Numbers that the kernel needs besides timing."""

    channels: int
    ranks: int
    groups: int  # of one rank
    banks: int  # of one group
    queue_depth: int
    write_depth: int
    write_high: int
    write_low: int
    bank_depth: int  # 0: shared queues
    refresh: int


class Clocks(NamedTuple):
    """Timing as plain ints, for the kernel; names as in `timings.Timing`."""

    BL: int
    CL: int
    CWL: int
    RCD: int
    RP: int
    RAS: int
    RC: int
    CCD_S: int
    CCD_L: int
    RRD_S: int
    RRD_L: int
    FAW: int
    WTR_S: int
    WTR_L: int
    RTP: int
    WR: int
    RTW: int
    CS: int
    RFC: int
    REFI: int
    AAD: int


class Result(NamedTuple):
    """What a trace took. Times in clocks."""

    clocks: int
    reads: int
    writes: int
    read_latency: int  # sum over reads, entry to last data
    row_hits: int
    row_misses: int
    row_conflicts: int
    bus_clocks: int  # data on the bus, all channels
    refreshes: int


# Commands
ACTIVATE, PRECHARGE, READ, WRITE = 1, 2, 3, 4

# Planes of a bank's state. Those that end in WAKE are bounds: none of its requests can have a read, a write, a row
# command (activate, precharge), or a row command that closes no row opened for others, before. Commands to other banks
# only make it later, so a bound holds until this bank changes.
B_ROW, B_ACT, B_PRE, B_COL, B_HITS, B_ACTIVE, B_HALF, B_RCD, B_GROUP, B_RANK = range(10)
B_READ_WAKE, B_WRITE_WAKE, B_ROW_WAKE, B_GUARDED_WAKE, B_QUEUE_WAKE = range(10, 15)
B_FIELDS = 15

# Planes of a group's state: earliest activate, read, write
G_ACT, G_READ, G_WRITE = 0, 1, 2

# Planes of a rank's state; the last four activates follow
R_ACT, R_READ, R_WRITE, R_REFRESH, R_DUE, R_FAW = 0, 1, 2, 3, 4, 5
R_FIELDS = 10

# Planes of a channel's state: entries in its queues; whether the shared queues send writes; per bank: writes still to
# move, the bank whose turn it was, whether nothing that waits has room; ACT-2 outstanding; the clock before which
# nothing happens in it
C_READS, C_WRITES, C_ACTIVE, C_IN_BANKS, C_WRITE_MODE, C_DRAINING, C_TURN, C_NO_ROOM, C_HALVES, C_NEXT = range(10)
C_FIELDS = 10

# Planes of a request's state
S_ARRIVE, S_COUNTED = 0, 1

KEY_BUCKETS = 256  # of the held writes' keys: most reads find theirs empty


@kernel
def _next_command(is_open, row, write):
    """The command that a request for `row` needs next, where row `is_open` (-1: none) is open."""
    if is_open == row:
        return WRITE if write else READ
    return ACTIVATE if is_open < 0 else PRECHARGE


@kernel
def _earliest(c, command, b, banks, groups, ranks):
    """The clock from which on all distances to former commands have passed."""
    g, r = banks[b, B_GROUP], banks[b, B_RANK]
    if command == READ:
        return max(banks[b, B_COL], max(groups[g, G_READ], ranks[r, R_READ]))
    if command == WRITE:
        return max(banks[b, B_COL], max(groups[g, G_WRITE], ranks[r, R_WRITE]))
    if command == PRECHARGE:
        return banks[b, B_PRE]
    return max(max(banks[b, B_ACT], groups[g, G_ACT]), max(ranks[r, R_ACT], ranks[r, R_FAW] + c.FAW))


@kernel
def _wake_bank(banks, b):
    """What was known of the bank's requests holds no longer."""
    banks[b, B_READ_WAKE] = 0
    banks[b, B_WRITE_WAKE] = 0
    banks[b, B_ROW_WAKE] = 0
    banks[b, B_GUARDED_WAKE] = FAR if banks[b, B_ROW] >= 0 and banks[b, B_ACTIVE] > 0 else 0
    banks[b, B_QUEUE_WAKE] = 0


@kernel
def _issue(c, p, command, row, b, banks, groups, ranks, now):
    """Note what a command to bank `b` forbids from now on."""
    g, r = banks[b, B_GROUP], banks[b, B_RANK]
    first = r // p.ranks * p.ranks  # rank of the channel
    if command == ACTIVATE:
        banks[b, B_ROW] = row
        banks[b, B_HITS] = 0
        banks[b, B_COL] = now + c.RCD
        if c.AAD:  # ACT-1; columns wait for ACT-2
            banks[b, B_HALF] = now + c.AAD
            banks[b, B_RCD] = now + c.RCD
            banks[b, B_COL] = FAR
        banks[b, B_PRE] = max(banks[b, B_PRE], now + c.RAS)
        banks[b, B_ACT] = now + c.RC
        groups[g, G_ACT] = now + c.RRD_L
        ranks[r, R_ACT] = now + c.RRD_S
        for i in range(3):
            ranks[r, R_FAW + i] = ranks[r, R_FAW + i + 1]
        ranks[r, R_FAW + 3] = now
    elif command == PRECHARGE:
        banks[b, B_ROW] = -1
        banks[b, B_ACT] = max(banks[b, B_ACT], now + c.RP)
    elif command == READ:
        banks[b, B_HITS] += 1
        banks[b, B_PRE] = max(banks[b, B_PRE], now + c.RTP)
        groups[g, G_READ] = max(groups[g, G_READ], now + c.CCD_L)
        for other in range(first, first + p.ranks):
            if other == r:
                ranks[other, R_READ] = max(ranks[other, R_READ], now + c.CCD_S)
                ranks[other, R_WRITE] = max(ranks[other, R_WRITE], now + c.CL + c.BL + c.RTW - c.CWL)
            else:
                ranks[other, R_READ] = max(ranks[other, R_READ], now + c.BL + c.CS)
                ranks[other, R_WRITE] = max(ranks[other, R_WRITE], now + c.CL + c.BL + c.CS - c.CWL)
    else:
        banks[b, B_HITS] += 1
        banks[b, B_PRE] = max(banks[b, B_PRE], now + c.CWL + c.BL + c.WR)
        groups[g, G_WRITE] = max(groups[g, G_WRITE], now + c.CCD_L)
        groups[g, G_READ] = max(groups[g, G_READ], now + c.CWL + c.BL + c.WTR_L)
        for other in range(first, first + p.ranks):
            if other == r:
                ranks[other, R_WRITE] = max(ranks[other, R_WRITE], now + c.CCD_S)
                ranks[other, R_READ] = max(ranks[other, R_READ], now + c.CWL + c.BL + c.WTR_S)
            else:
                ranks[other, R_WRITE] = max(ranks[other, R_WRITE], now + c.BL + c.CS)
                ranks[other, R_READ] = max(ranks[other, R_READ], now + c.CWL + c.BL + c.CS - c.CL)


@kernel
def _remove(queues, line, count, at):
    """Close the gap of entry `at`; entries stay in order of arrival."""
    for i in range(at, count - 1):
        queues[line, i] = queues[line, i + 1]


@kernel
def _oldest_ready(c, queues, line, count, bank, row, is_write, banks, groups, ranks, now, guard):
    """Oldest entry whose next command may be issued; -1 if none. `guard`: do not close rows opened for others.

    Also returns the clock before which none of those that were looked at can go.
    """
    wake = FAR
    row_plane = B_GUARDED_WAKE if guard else B_ROW_WAKE
    for i in range(count):
        q = queues[line, i]
        b = bank[q]
        plane = B_READ_WAKE + is_write[q] if banks[b, B_ROW] == row[q] else row_plane
        clock = banks[b, plane]
        if clock <= now:
            clock = _earliest(c, _next_command(banks[b, B_ROW], row[q], is_write[q]), b, banks, groups, ranks)
            if clock <= now:
                return i, wake
            banks[b, plane] = clock
        wake = min(wake, clock)
    return -1, wake


@kernel
def _first_in_bank_queue(c, queues, count, b, row, key, is_write, banks, groups, ranks, now):
    """First entry of a bank's queue that may go on; -1 if none, and the clock as `_oldest_ready` gives it."""
    wake = FAR
    is_open = banks[b, B_ROW]
    reads_from = _earliest(c, READ, b, banks, groups, ranks)
    writes_from = _earliest(c, WRITE, b, banks, groups, ranks)
    rows_from = _earliest(c, ACTIVATE if is_open < 0 else PRECHARGE, b, banks, groups, ranks)
    for i in range(count):
        q = queues[b, i]
        command = _next_command(is_open, row[q], is_write[q])
        clock = reads_from if command == READ else writes_from if command == WRITE else rows_from
        if clock > now:
            wake = min(wake, clock)
            continue
        if command == PRECHARGE:
            if i:
                continue  # an older one wants this bank
            hit = False
            for j in range(1, count):
                hit = hit or row[queues[b, j]] == is_open
            if hit and banks[b, B_HITS] < ROW_HIT_LIMIT:
                continue
        if command == WRITE:
            earlier = False  # a read of the same burst goes first
            for j in range(i):
                earlier = earlier or key[queues[b, j]] == key[q]
            if earlier:
                continue
        return i, wake
    return -1, wake


@kernel
def _second_half(banks, first_bank, last_bank, now, urgent):
    """Issue the ACT-2 that is due first, if any is waiting (`urgent`: only one at its deadline); 1 if one was."""
    first = -1
    for b in range(first_bank, last_bank):
        if banks[b, B_HALF] and (first < 0 or banks[b, B_HALF] < banks[first, B_HALF]):
            first = b
    if first < 0 or (urgent and banks[first, B_HALF] > now):
        return 0
    banks[first, B_HALF] = 0
    banks[first, B_COL] = max(banks[first, B_RCD], now + 1)
    _wake_bank(banks, first)
    return 1


@kernel
def _refresh(c, p, ch, banks, ranks, now):
    """Take a refresh that is due one command further; 1 when a command was issued, 2 when that was the refresh."""
    per_rank = p.groups * p.banks
    for r in range(ch * p.ranks, (ch + 1) * p.ranks):
        if not ranks[r, R_DUE]:
            continue
        last_precharge = np.int64(0)
        last_activate = np.int64(0)
        is_open = False
        for b in range(r * per_rank, (r + 1) * per_rank):
            if banks[b, B_ACTIVE] > 0:
                return 0
            if banks[b, B_ROW] >= 0:
                is_open = True
                last_precharge = max(last_precharge, banks[b, B_PRE])
            last_activate = max(last_activate, banks[b, B_ACT])
        if is_open:
            if now < last_precharge:
                return 0
            for b in range(r * per_rank, (r + 1) * per_rank):
                banks[b, B_ROW] = -1
                banks[b, B_ACT] = max(banks[b, B_ACT], now + c.RP)
                _wake_bank(banks, b)
            return 1
        if now < last_activate:
            return 0
        for b in range(r * per_rank, (r + 1) * per_rank):
            banks[b, B_ACT] = now + c.RFC
            _wake_bank(banks, b)
        ranks[r, R_DUE] -= 1
        return 2
    return 0


@kernel
def _move(p, ch, channels, reads, writes, waiting, n_waiting, bank, key, keys, banks, ending):
    """Per bank: move one transaction of channel `ch` into its bank's queue; 1 if anything changed."""
    state = channels[ch]
    changed = 0
    idle = state[C_IN_BANKS] == 0
    if state[C_DRAINING] == 0 and (
        state[C_WRITES] >= p.write_depth
        or (idle and (state[C_WRITES] > WRITE_IDLE_DRAIN or (ending and state[C_READS] == 0)))
    ):
        state[C_DRAINING] = state[C_WRITES]
        state[C_NO_ROOM] = 0
        changed = int(state[C_WRITES] > 0)
    if state[C_NO_ROOM]:
        return changed
    plane = C_WRITES if state[C_DRAINING] > 0 else C_READS
    source = writes if state[C_DRAINING] > 0 else reads
    for i in range(state[plane]):
        q = source[ch, i]
        b = bank[q]
        if n_waiting[b] < p.bank_depth:
            waiting[b, n_waiting[b]] = q
            n_waiting[b] += 1
            banks[b, B_QUEUE_WAKE] = 0
            state[C_IN_BANKS] += 1
            _remove(source, ch, state[plane], i)
            state[plane] -= 1
            if plane == C_WRITES:
                state[C_DRAINING] -= 1
                keys[ch, key[q] % KEY_BUCKETS] -= 1
            return 1
    state[C_NO_ROOM] = 1
    return changed


@kernel
def _forwarded(writes, ch, count, key, q):
    """Whether a write of the burst that request `q` reads is held."""
    found = False
    for i in range(count):
        found = found or key[writes[ch, i]] == key[q]
    return found


@kernel
def simulate(c, p, channel, bank, row, key, is_write, not_before):
    """Play a trace. All arrays int64[n], one entry a burst; banks count over all channels, `key` tells bursts apart.

    not_before  clock before which a burst is not offered; int64[0]: all as fast as they are taken

    Queues hold numbers of bursts. Returns int64[9], the fields of Result.
    """
    per_channel = p.ranks * p.groups * p.banks
    banks = np.zeros((p.channels * per_channel, B_FIELDS), np.int64)
    groups = np.zeros((p.channels * p.ranks * p.groups, 3), np.int64)
    ranks = np.zeros((p.channels * p.ranks, R_FIELDS), np.int64)
    channels = np.zeros((p.channels, C_FIELDS), np.int64)
    banks[:, B_ROW] = -1
    for b in range(len(banks)):
        banks[b, B_GROUP] = b // p.banks
        banks[b, B_RANK] = b // p.banks // p.groups
    ranks[:, R_FAW:] = -FAR
    ranks[:, R_REFRESH] = c.REFI
    reads = np.zeros((p.channels, p.queue_depth + 1), np.int64)
    writes = np.zeros((p.channels, p.write_depth + 1), np.int64)
    keys = np.zeros((p.channels, KEY_BUCKETS), np.int64)
    active = np.zeros((p.channels, per_channel + 1), np.int64)
    waiting = np.zeros((len(banks), max(p.bank_depth, 1) + 1), np.int64)
    n_waiting = np.zeros(len(banks), np.int64)
    state = np.zeros((bank.size, 2), np.int64)
    out = np.zeros(9, np.int64)
    total = bank.size
    offered = 0
    served = 0
    now = np.int64(0)
    last = np.int64(0)
    taken = True  # by the last clock, from the requester: it may have more
    refused = -1  # the request that found no room
    while served < total:
        nearest = FAR
        if not_before.size and offered < total and not_before[offered] > now:
            nearest = not_before[offered]
        for ch in range(p.channels):
            nearest = min(nearest, channels[ch, C_NEXT])
        now = now + 1 if taken else max(now + 1, nearest)
        taken = False
        # The requester.
        for _ in range(OFFERS_PER_CLOCK):
            if offered == total:
                break
            q = offered
            if not_before.size and not_before[q] > now:
                break
            ch = channel[q]
            if is_write[q]:
                held = channels[ch, C_WRITES]
                if held == p.write_depth:
                    break
                writes[ch, held] = q
                channels[ch, C_WRITES] += 1
                keys[ch, key[q] % KEY_BUCKETS] += 1
            # Held writes become fewer while a request waits: one that was refused is not forwarded later.
            elif (
                q != refused
                and keys[ch, key[q] % KEY_BUCKETS]
                and _forwarded(writes, ch, channels[ch, C_WRITES], key, q)
            ):
                out[1] += 1
                out[3] += 1
                served += 1
            else:
                held = channels[ch, C_READS]
                if held == p.queue_depth:
                    refused = q
                    break
                reads[ch, held] = q
                channels[ch, C_READS] += 1
            state[q, S_ARRIVE] = now
            channels[ch, C_NO_ROOM] = 0
            channels[ch, C_NEXT] = now
            offered += 1
            taken = True
        if taken and offered == total:
            channels[:, C_NEXT] = now  # what is held may go now
        for ch in range(p.channels):
            if now < channels[ch, C_NEXT]:
                continue
            channels[ch, C_NEXT] = now + 1
            first_bank, last_bank = ch * per_channel, (ch + 1) * per_channel
            wake = FAR
            due = False
            if p.refresh:
                for r in range(ch * p.ranks, (ch + 1) * p.ranks):
                    if now >= ranks[r, R_REFRESH]:
                        ranks[r, R_REFRESH] += c.REFI
                        ranks[r, R_DUE] += 1
                    wake = min(wake, ranks[r, R_REFRESH])
                    due = due or ranks[r, R_DUE] > 0
            quiet = not due
            if p.bank_depth and _move(
                p, ch, channels, reads, writes, waiting, n_waiting, bank, key, keys, banks, offered == total
            ):
                quiet = False
            # One command.
            halves = channels[ch, C_HALVES]
            if halves and _second_half(banks, first_bank, last_bank, now, True):
                channels[ch, C_HALVES] -= 1
                continue
            chosen = -1
            queue = active  # with the line of it: the channel's, or the bank's
            line = ch
            place = C_ACTIVE
            if not p.bank_depth:
                chosen, clock = _oldest_ready(
                    c, active, ch, channels[ch, C_ACTIVE], bank, row, is_write, banks, groups, ranks, now, False
                )  # fmt: skip
                wake = min(wake, clock)
            if chosen < 0 and due:
                step = _refresh(c, p, ch, banks, ranks, now)
                if p.bank_depth:
                    for b in range(first_bank, last_bank):
                        banks[b, B_QUEUE_WAKE] = 0
                out[8] += step == 2
                if step or not p.bank_depth:
                    if not step and halves:
                        channels[ch, C_HALVES] -= _second_half(banks, first_bank, last_bank, now, False)
                    continue
            if chosen < 0 and not p.bank_depth:
                if channels[ch, C_WRITE_MODE]:
                    if channels[ch, C_WRITES] < p.write_low and channels[ch, C_READS]:
                        channels[ch, C_WRITE_MODE] = 0
                        quiet = False
                elif channels[ch, C_WRITES] > p.write_high or channels[ch, C_READS] == 0:
                    channels[ch, C_WRITE_MODE] = 1
                    quiet = False
                place = C_WRITES if channels[ch, C_WRITE_MODE] else C_READS
                queue = writes if channels[ch, C_WRITE_MODE] else reads
                chosen, clock = _oldest_ready(
                    c, queue, ch, channels[ch, place], bank, row, is_write, banks, groups, ranks, now, True
                )  # fmt: skip
                wake = min(wake, clock)
            if p.bank_depth:
                place = C_IN_BANKS
                queue = waiting
                turn = channels[ch, C_TURN]
                for _ in range(per_channel):
                    turn = turn + 1 if turn + 1 < per_channel else 0
                    b = first_bank + turn
                    if n_waiting[b] == 0:
                        continue
                    clock = banks[b, B_QUEUE_WAKE]
                    if now < clock:
                        wake = min(wake, clock)
                        continue
                    if due and ranks[banks[b, B_RANK], R_DUE] > 0:
                        continue
                    chosen, clock = _first_in_bank_queue(
                        c, waiting, n_waiting[b], b, row, key, is_write, banks, groups, ranks, now
                    )  # fmt: skip
                    if chosen >= 0:
                        line = b
                        break
                    banks[b, B_QUEUE_WAKE] = clock
                    wake = min(wake, clock)
                channels[ch, C_TURN] = turn
            if chosen < 0:
                if halves:
                    channels[ch, C_HALVES] -= _second_half(banks, first_bank, last_bank, now, False)
                elif quiet:
                    channels[ch, C_NEXT] = wake
                continue
            q = queue[line, chosen]
            b = bank[q]
            command = _next_command(banks[b, B_ROW], row[q], is_write[q])
            if not state[q, S_COUNTED]:
                state[q, S_COUNTED] = 1
                out[5 if command == ACTIVATE else (6 if command == PRECHARGE else 4)] += 1
            _issue(c, p, command, row[q], b, banks, groups, ranks, now)
            if not p.bank_depth:  # rows that were opened for somebody
                if command == ACTIVATE and place != C_ACTIVE:
                    banks[b, B_ACTIVE] += 1
                elif command >= READ and place == C_ACTIVE:
                    banks[b, B_ACTIVE] -= 1
            _wake_bank(banks, b)
            if command == ACTIVATE and c.AAD:
                channels[ch, C_HALVES] += 1
            if command == READ or command == WRITE:
                served += 1
                out[7] += c.BL
                if command == READ:
                    out[1] += 1
                    out[3] += now + c.CL + c.BL - state[q, S_ARRIVE]
                    last = max(last, now + c.CL + c.BL)
                else:
                    out[2] += 1
                    last = max(last, now + c.CWL + c.BL)
            elif command == PRECHARGE or place == C_ACTIVE or place == C_IN_BANKS:
                continue  # the request stays where it is
            # It leaves its queue: served, or its row is being opened for it.
            if place == C_IN_BANKS:
                _remove(waiting, b, n_waiting[b], chosen)
                n_waiting[b] -= 1
                channels[ch, C_NO_ROOM] = 0
            else:
                _remove(queue, ch, channels[ch, place], chosen)
                if place == C_WRITES:
                    keys[ch, key[q] % KEY_BUCKETS] -= 1
            channels[ch, place] -= 1
            if command == ACTIVATE:
                active[ch, channels[ch, C_ACTIVE]] = q
                channels[ch, C_ACTIVE] += 1
    out[0] = max(now, last)
    return out


def policy(
    timing: Timing, channels: int, ranks: int, queue_depth: int, write_depth: int, bank_depth: int, refresh: bool
) -> Policy:
    """Return the policy's numbers; `bank_depth` 0 chooses shared queues."""
    return Policy(
        channels=channels,
        ranks=ranks,
        groups=timing.bank_groups,
        banks=timing.banks,
        queue_depth=queue_depth,
        write_depth=write_depth,
        write_high=int(WRITE_HIGH * write_depth),
        write_low=max(1, int(WRITE_LOW * write_depth)),
        bank_depth=bank_depth,
        refresh=int(refresh),
    )


def clocks(timing: Timing) -> Clocks:
    """Return the timing's clocks as the kernel takes them."""
    return Clocks(*(getattr(timing, f"n{name}") for name in Clocks._fields))


def run(
    timing: Timing,
    addresses: np.ndarray,
    is_write: np.ndarray,
    *,
    channels: int = 1,
    ranks: int = 1,
    order: str = "RoBaRaCoCh",
    interleave_bytes: int | None = None,
    queue_depth: int = 32,
    write_queue_depth: int = 32,
    bank_queue_depth: int = 0,
    refresh: bool = True,
    not_before: np.ndarray | None = None,
) -> Result:
    """Play bursts at `addresses` (int64[n], bytes) and return what it took.

    not_before  int64[n]: clock before which a burst is not offered, ascending; None: as fast as they are taken
    """
    m: Mapping = mapping(order, timing, channels, ranks, interleave_bytes or timing.burst_bytes)
    at = places(m, addresses)
    p = policy(timing, channels, ranks, queue_depth, write_queue_depth, bank_queue_depth, refresh)
    key = addresses >> m.burst_shift
    bank = at.channel * (ranks * timing.bank_groups * timing.banks) + at.bank
    earliest = np.zeros(0, np.int64) if not_before is None else not_before.astype(np.int64)
    out = simulate(clocks(timing), p, at.channel, bank, at.row, key, is_write.astype(np.int64), earliest)
    return Result(*map(int, out))
