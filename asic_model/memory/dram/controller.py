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
NONE, ACTIVATE, PRECHARGE, READ, WRITE = 0, 1, 2, 3, 4

# Planes of the queues' entries
Q_BANK, Q_ROW, Q_KEY, Q_WRITE, Q_ARRIVE, Q_COUNTED, Q_ORDER = 0, 1, 2, 3, 4, 5, 6
Q_FIELDS = 7

# Planes of a bank's state
B_ROW, B_ACT, B_PRE, B_COL, B_HITS, B_ACTIVE, B_HALF, B_RCD = 0, 1, 2, 3, 4, 5, 6, 7
B_FIELDS = 8

# Planes of a group's state: earliest activate, read, write
G_ACT, G_READ, G_WRITE = 0, 1, 2

# Planes of a rank's state; the last four activates follow
R_ACT, R_READ, R_WRITE, R_REFRESH, R_DUE, R_FAW = 0, 1, 2, 3, 4, 5
R_FIELDS = 10


@kernel
def _next_command(bank, row, write):
    """The command that a request for `row` needs next."""
    if bank[B_ROW] == row:
        return WRITE if write else READ
    return ACTIVATE if bank[B_ROW] < 0 else PRECHARGE


@kernel
def _earliest(c, command, bank, group, rank):
    """The clock from which on all distances to former commands have passed."""
    if command == ACTIVATE:
        return max(max(bank[B_ACT], group[G_ACT]), max(rank[R_ACT], rank[R_FAW] + c.FAW))
    if command == PRECHARGE:
        return bank[B_PRE]
    if command == READ:
        return max(bank[B_COL], max(group[G_READ], rank[R_READ]))
    return max(bank[B_COL], max(group[G_WRITE], rank[R_WRITE]))


@kernel
def _issue(c, p, command, row, b, banks, groups, ranks, now):
    """Note what a command to bank `b` (of all ranks of one channel) forbids from now on."""
    bank = banks[b]
    g = b // p.banks
    r = g // p.groups
    if command == ACTIVATE:
        bank[B_ROW] = row
        bank[B_HITS] = 0
        bank[B_COL] = now + c.RCD
        if c.AAD:  # ACT-1; columns wait for ACT-2
            bank[B_HALF] = now + c.AAD
            bank[B_RCD] = now + c.RCD
            bank[B_COL] = FAR
        bank[B_PRE] = max(bank[B_PRE], now + c.RAS)
        bank[B_ACT] = now + c.RC
        groups[g, G_ACT] = now + c.RRD_L
        ranks[r, R_ACT] = now + c.RRD_S
        for i in range(3):
            ranks[r, R_FAW + i] = ranks[r, R_FAW + i + 1]
        ranks[r, R_FAW + 3] = now
    elif command == PRECHARGE:
        bank[B_ROW] = -1
        bank[B_ACT] = max(bank[B_ACT], now + c.RP)
    elif command == READ:
        bank[B_HITS] += 1
        bank[B_PRE] = max(bank[B_PRE], now + c.RTP)
        groups[g, G_READ] = max(groups[g, G_READ], now + c.CCD_L)
        for other in range(p.ranks):
            if other == r:
                ranks[other, R_READ] = max(ranks[other, R_READ], now + c.CCD_S)
                ranks[other, R_WRITE] = max(ranks[other, R_WRITE], now + c.CL + c.BL + c.RTW - c.CWL)
            else:
                ranks[other, R_READ] = max(ranks[other, R_READ], now + c.BL + c.CS)
                ranks[other, R_WRITE] = max(ranks[other, R_WRITE], now + c.CL + c.BL + c.CS - c.CWL)
    else:
        bank[B_HITS] += 1
        bank[B_PRE] = max(bank[B_PRE], now + c.CWL + c.BL + c.WR)
        groups[g, G_WRITE] = max(groups[g, G_WRITE], now + c.CCD_L)
        groups[g, G_READ] = max(groups[g, G_READ], now + c.CWL + c.BL + c.WTR_L)
        for other in range(p.ranks):
            if other == r:
                ranks[other, R_WRITE] = max(ranks[other, R_WRITE], now + c.CCD_S)
                ranks[other, R_READ] = max(ranks[other, R_READ], now + c.CWL + c.BL + c.WTR_S)
            else:
                ranks[other, R_WRITE] = max(ranks[other, R_WRITE], now + c.BL + c.CS)
                ranks[other, R_READ] = max(ranks[other, R_READ], now + c.CWL + c.BL + c.CS - c.CL)


@kernel
def _remove(queue, count, at):
    """Close the gap of entry `at`; entries stay in order of arrival."""
    for i in range(at, count - 1):
        for k in range(Q_FIELDS):
            queue[i, k] = queue[i + 1, k]
    return count - 1


@kernel
def _append(queue, count, entry):
    for k in range(Q_FIELDS):
        queue[count, k] = entry[k]
    return count + 1


@kernel
def _oldest_ready(c, p, queue, count, banks, groups, ranks, now, guard, wake):
    """Oldest entry whose next command may be issued; -1 if none. `guard`: do not close rows opened for others.

    `wake` int64[1]: lowered to the clock from which on an entry that was looked at could go, if that is earlier.
    """
    for i in range(count):
        b = queue[i, Q_BANK]
        command = _next_command(banks[b], queue[i, Q_ROW], queue[i, Q_WRITE])
        if guard and command == PRECHARGE and banks[b, B_ACTIVE] > 0:
            continue
        g = b // p.banks
        clock = _earliest(c, command, banks[b], groups[g], ranks[g // p.groups])
        if clock <= now:
            return i
        wake[0] = min(wake[0], clock)
    return -1


@kernel
def _first_in_bank_queue(c, p, queue, count, b, banks, groups, ranks, now, wake):
    """First entry of a bank's queue that may go on; -1 if none. `wake` as in `_oldest_ready`."""
    g = b // p.banks
    for i in range(count):
        command = _next_command(banks[b], queue[i, Q_ROW], queue[i, Q_WRITE])
        clock = _earliest(c, command, banks[b], groups[g], ranks[g // p.groups])
        if clock > now:
            wake[0] = min(wake[0], clock)
            continue
        if command == PRECHARGE:
            if i:
                continue  # an older one wants this bank
            hit = False
            for j in range(1, count):
                hit = hit or queue[j, Q_ROW] == banks[b, B_ROW]
            if hit and banks[b, B_HITS] < ROW_HIT_LIMIT:
                continue
        if command == WRITE:
            earlier = False  # a read of the same burst goes first
            for j in range(i):
                earlier = earlier or queue[j, Q_KEY] == queue[i, Q_KEY]
            if earlier:
                continue
        return i
    return -1


@kernel
def _second_half(banks, now, urgent):
    """Issue the ACT-2 that is due first, if any is waiting (`urgent`: only one at its deadline); 1 if one was."""
    first = -1
    for b in range(banks.shape[0]):
        if banks[b, B_HALF] and (first < 0 or banks[b, B_HALF] < banks[first, B_HALF]):
            first = b
    if first < 0 or (urgent and banks[first, B_HALF] > now):
        return 0
    banks[first, B_HALF] = 0
    banks[first, B_COL] = max(banks[first, B_RCD], now + 1)
    return 1


@kernel
def _refresh(c, p, banks, ranks, now):
    """Take a refresh that is due one command further; 1 when a command was issued, 2 when that was the refresh."""
    per_rank = p.groups * p.banks
    for r in range(p.ranks):
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
            return 1
        if now < last_activate:
            return 0
        for b in range(r * per_rank, (r + 1) * per_rank):
            banks[b, B_ACT] = now + c.RFC
        ranks[r, R_DUE] -= 1
        return 2
    return 0


@kernel
def simulate(c, p, channel, bank, row, key, is_write):
    """Play a trace. All arrays int64[n], one entry a burst; `key` tells bursts apart.

    Returns int64[9], the fields of Result.
    """
    all_banks = p.ranks * p.groups * p.banks
    banks = np.zeros((p.channels, all_banks, B_FIELDS), np.int64)
    groups = np.zeros((p.channels, p.ranks * p.groups, 3), np.int64)
    ranks = np.zeros((p.channels, p.ranks, R_FIELDS), np.int64)
    banks[:, :, B_ROW] = -1
    ranks[:, :, R_FAW:] = -FAR
    for r in range(p.ranks):
        ranks[:, r, R_REFRESH] = c.REFI
    reads = np.zeros((p.channels, p.queue_depth + 1, Q_FIELDS), np.int64)
    writes = np.zeros((p.channels, p.write_depth + 1, Q_FIELDS), np.int64)
    active = np.zeros((p.channels, all_banks + 1, Q_FIELDS), np.int64)
    waiting = np.zeros((p.channels, all_banks, max(p.bank_depth, 1) + 1, Q_FIELDS), np.int64)
    n_reads = np.zeros(p.channels, np.int64)
    n_writes = np.zeros(p.channels, np.int64)
    n_active = np.zeros(p.channels, np.int64)
    n_waiting = np.zeros((p.channels, all_banks), np.int64)
    n_in_banks = np.zeros(p.channels, np.int64)
    write_mode = np.zeros(p.channels, np.int64)
    draining = np.zeros(p.channels, np.int64)  # per bank: writes still to move
    turn = np.zeros(p.channels, np.int64)
    entry = np.zeros(Q_FIELDS, np.int64)
    out = np.zeros(9, np.int64)
    total = bank.size
    offered = 0
    served = 0
    now = np.int64(0)
    last = np.int64(0)
    # Per bank: nothing in its queue can go before. Commands to other banks only make it later; an ACT-2 (AAD) may make
    # it earlier, so memories that have it look at every clock.
    bank_wake = np.zeros((p.channels, all_banks), np.int64)
    own = np.zeros(1, np.int64)
    wake = np.zeros(1, np.int64)
    quiet = False  # nothing happened in the last clock: nothing will, before `wake`
    while served < total:
        now = max(now + 1, wake[0]) if quiet else now + 1
        quiet = not c.AAD
        wake[0] = FAR
        # The requester.
        for _ in range(OFFERS_PER_CLOCK):
            if offered == total:
                break
            ch = channel[offered]
            forwarded = False
            if not is_write[offered]:
                for i in range(n_writes[ch]):
                    forwarded = forwarded or writes[ch, i, Q_KEY] == key[offered]
            entry[Q_BANK] = bank[offered]
            entry[Q_ROW] = row[offered]
            entry[Q_KEY] = key[offered]
            entry[Q_WRITE] = is_write[offered]
            entry[Q_ARRIVE] = now
            entry[Q_COUNTED] = 0
            entry[Q_ORDER] = offered
            if forwarded:
                out[1] += 1
                out[3] += 1
                served += 1
            elif is_write[offered]:
                if n_writes[ch] == p.write_depth:
                    break
                n_writes[ch] = _append(writes[ch], n_writes[ch], entry)
            else:
                if n_reads[ch] == p.queue_depth:
                    break
                n_reads[ch] = _append(reads[ch], n_reads[ch], entry)
            offered += 1
            quiet = False
        for ch in range(p.channels):
            if p.refresh:
                for r in range(p.ranks):
                    wake[0] = min(wake[0], ranks[ch, r, R_REFRESH])
                    if now >= ranks[ch, r, R_REFRESH]:
                        ranks[ch, r, R_REFRESH] += c.REFI
                        ranks[ch, r, R_DUE] += 1
            due = False
            for r in range(p.ranks):
                due = due or ranks[ch, r, R_DUE] > 0
            quiet = quiet and not due
            if p.bank_depth:
                # Move one transaction into its bank's queue.
                idle = n_in_banks[ch] == 0
                ending = offered == total and n_reads[ch] == 0
                if draining[ch] == 0 and (
                    n_writes[ch] >= p.write_depth or (idle and (n_writes[ch] > WRITE_IDLE_DRAIN or ending))
                ):
                    draining[ch] = n_writes[ch]
                    quiet = False
                is_draining = draining[ch] > 0
                source = writes[ch] if is_draining else reads[ch]
                held = n_writes[ch] if is_draining else n_reads[ch]
                for i in range(held):
                    b = source[i, Q_BANK]
                    if n_waiting[ch, b] < p.bank_depth:
                        n_waiting[ch, b] = _append(waiting[ch, b], n_waiting[ch, b], source[i])
                        n_in_banks[ch] += 1
                        bank_wake[ch, b] = 0
                        quiet = False
                        if is_draining:
                            n_writes[ch] = _remove(writes[ch], held, i)
                            draining[ch] -= 1
                        else:
                            n_reads[ch] = _remove(reads[ch], held, i)
                        break
            # One command.
            if c.AAD and _second_half(banks[ch], now, True):
                continue
            queue = active[ch]
            count = n_active[ch]
            place = 0  # 0 active, 1 reads, 2 writes, 3 a bank's queue
            chosen = -1
            b = np.int64(0)
            if not p.bank_depth:
                chosen = _oldest_ready(c, p, queue, count, banks[ch], groups[ch], ranks[ch], now, False, wake)
            if chosen < 0 and due:
                step = _refresh(c, p, banks[ch], ranks[ch], now)
                bank_wake[ch] = 0
                out[8] += step == 2
                if step or not p.bank_depth:
                    if not step and c.AAD:
                        _second_half(banks[ch], now, False)
                    continue
            if chosen < 0 and not p.bank_depth:
                if write_mode[ch]:
                    if n_writes[ch] < p.write_low and n_reads[ch]:
                        write_mode[ch] = 0
                        quiet = False
                elif n_writes[ch] > p.write_high or n_reads[ch] == 0:
                    write_mode[ch] = 1
                    quiet = False
                place = 2 if write_mode[ch] else 1
                queue = writes[ch] if write_mode[ch] else reads[ch]
                count = n_writes[ch] if write_mode[ch] else n_reads[ch]
                chosen = _oldest_ready(c, p, queue, count, banks[ch], groups[ch], ranks[ch], now, True, wake)
            if p.bank_depth:
                place = 3
                for _ in range(all_banks):
                    turn[ch] = turn[ch] + 1 if turn[ch] + 1 < all_banks else 0
                    b = turn[ch]
                    if n_waiting[ch, b] == 0 or ranks[ch, b // (p.groups * p.banks), R_DUE] > 0:
                        continue
                    if not c.AAD and now < bank_wake[ch, b]:
                        wake[0] = min(wake[0], bank_wake[ch, b])
                        continue
                    queue = waiting[ch, b]
                    count = n_waiting[ch, b]
                    own[0] = FAR
                    chosen = _first_in_bank_queue(
                        c, p, queue, count, b, banks[ch], groups[ch], ranks[ch], now, own
                    )  # fmt: skip
                    if chosen < 0:
                        bank_wake[ch, b] = own[0]
                        wake[0] = min(wake[0], own[0])
                    if chosen >= 0:
                        break
            if chosen < 0:
                if c.AAD:
                    _second_half(banks[ch], now, False)
                continue
            quiet = False
            for k in range(Q_FIELDS):
                entry[k] = queue[chosen, k]
            b = entry[Q_BANK]
            command = _next_command(banks[ch, b], entry[Q_ROW], entry[Q_WRITE])
            if not entry[Q_COUNTED]:
                queue[chosen, Q_COUNTED] = 1
                entry[Q_COUNTED] = 1
                out[5 if command == ACTIVATE else (6 if command == PRECHARGE else 4)] += 1
            _issue(c, p, command, entry[Q_ROW], b, banks[ch], groups[ch], ranks[ch], now)
            bank_wake[ch, b] = 0
            if command in (READ, WRITE):
                served += 1
                out[7] += c.BL
                if command == READ:
                    out[1] += 1
                    out[3] += now + c.CL + c.BL - entry[Q_ARRIVE]
                    last = max(last, now + c.CL + c.BL)
                else:
                    out[2] += 1
                    last = max(last, now + c.CWL + c.BL)
                if place == 0:
                    banks[ch, b, B_ACTIVE] -= 1
            if command in (READ, WRITE) or (command == ACTIVATE and place in (1, 2)):
                if place == 0:
                    n_active[ch] = _remove(active[ch], count, chosen)
                elif place == 1:
                    n_reads[ch] = _remove(reads[ch], count, chosen)
                elif place == 2:
                    n_writes[ch] = _remove(writes[ch], count, chosen)
                else:
                    n_waiting[ch, b] = _remove(waiting[ch, b], count, chosen)
                    n_in_banks[ch] -= 1
                if command == ACTIVATE:
                    n_active[ch] = _append(active[ch], n_active[ch], entry)
                    banks[ch, b, B_ACTIVE] += 1
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
        write_low=int(WRITE_LOW * write_depth),
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
) -> Result:
    """Play bursts at `addresses` (int64[n], bytes) and return what it took."""
    m: Mapping = mapping(order, timing, channels, ranks, interleave_bytes or timing.burst_bytes)
    at = places(m, addresses)
    p = policy(timing, channels, ranks, queue_depth, write_queue_depth, bank_queue_depth, refresh)
    key = addresses >> m.burst_shift
    out = simulate(clocks(timing), p, at.channel, at.bank, at.row, key, is_write.astype(np.int64))
    return Result(*map(int, out))
