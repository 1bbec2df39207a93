"""What the fabric does from one event to the next, one kernel call each: a job begins, time passes, a job ends.

Arrays are those of `pipeline.py`, and of the fabric's books: `asked` int64[cores + 1, clients, 2] bytes; `before`
int64[cores, MAX_STAGES, 4], each stage's account when its core's job began; `due_ps` int64[cores, MAX_STAGES], what the
job will keep it busy.
"""

from asic_model.cores.pipeline import (
    ACCOUNT,
    ACTIVE,
    BUSY,
    D_ADDRESS,
    D_CLIENT,
    D_LEFT,
    D_NEXT,
    D_STEP,
    D_WRITE,
    DMA_PIECE_BYTES,
    DMA_STREAMS,
    END,
    H_LEAVE,
    HISTORY,
    KEY,
    KEY_KIND,
    KIND_END,
    MAX_STAGES,
    NEXT_LEAVE,
    PERIOD,
    RING,
    SERVED,
    STAGES,
    START,
    UNITS,
    advance,
    begin,
)
from asic_model.kernel_cache import kernel
from asic_model.memory.dram.fast import T_LINK_BYTES, T_LINK_LATENCY, T_LINK_PERIOD, access

# `moves`: int64[n, 6], transfers that are no core's, in time order
M_AT, M_CLIENT, M_ADDRESS, M_SIZE, M_WRITE, M_DURATION = range(6)
NO_STREAM = -2  # more long transfers at once than there are streams


@kernel
def play(t, s, f, work, requests, dma, asked, moves, until_ps):
    """Play time up to `until_ps`, each of `moves` in its turn, or up to the first end of a job.

    Returns (core whose job ended or -1 or NO_STREAM, how many of the moves were made).
    """
    other = f.shape[0] - 1
    latency = t[T_LINK_LATENCY]
    for i in range(moves.shape[0]):
        move = moves[i]
        core = advance(t, s, f, work, requests, dma, move[M_AT])
        if core >= 0:
            return core, i
        size, client, write = move[M_SIZE], move[M_CLIENT], move[M_WRITE]
        asked[other, client, write] += size
        if size <= DMA_PIECE_BYTES:
            f[other, SERVED + 2 * client + write] += size
            access(t, s, move[M_ADDRESS], size, write, move[M_AT] + latency)
            continue
        stream = 0
        while stream < DMA_STREAMS and dma[stream, D_LEFT]:
            stream += 1
        if stream == DMA_STREAMS:
            return NO_STREAM, i
        pieces = (size + DMA_PIECE_BYTES - 1) // DMA_PIECE_BYTES
        duration = move[M_DURATION]
        if duration == 0:
            duration = (size + t[T_LINK_BYTES] - 1) // t[T_LINK_BYTES] * t[T_LINK_PERIOD]
        row = dma[stream]
        row[D_LEFT], row[D_ADDRESS], row[D_NEXT] = size, move[M_ADDRESS], move[M_AT] + latency
        row[D_STEP], row[D_WRITE], row[D_CLIENT] = duration // pieces, write, client
    return advance(t, s, f, work, requests, dma, until_ps), moves.shape[0]


@kernel
def set_off(f, work, before, due_ps, core, cycles, at_ps, period_ps):
    """Start a job that is in place; `cycles` of each of its stages, summed."""
    row = f[core]
    row[START] = at_ps
    row[PERIOD] = period_ps
    for stage in range(MAX_STAGES):
        for cause in range(4):
            before[core, stage, cause] = row[ACCOUNT + 4 * stage + cause]
        due_ps[core, stage] = cycles[stage] * period_ps if stage < cycles.size else 0
    begin(f, work, core)


@kernel
def _left(row, stage, unit):
    """When the unit before `unit` left a stage; the job's start before the first, ps."""
    if unit == 0:
        return row[START]
    return row[HISTORY + 4 * (stage * RING + ((unit - 1) & (RING - 1))) + H_LEAVE]


@kernel
def laws_hold(f, before, due_ps, asked, core):
    """Whether what must hold at a job's end does: see `Fabric._check_job`, which names what does not."""
    row = f[core]
    for stage in range(row[STAGES]):
        left = _left(row, stage, row[UNITS])
        spent = 0
        for cause in range(4):
            part = row[ACCOUNT + 4 * stage + cause] - before[core, stage, cause]
            if part < 0:
                return False
            spent += part
        busy = row[ACCOUNT + 4 * stage + BUSY] - before[core, stage, BUSY]
        if spent != left - row[START] or busy != due_ps[core, stage] or row[END] < left:
            return False
    for client in range(asked.shape[1]):
        for write in range(2):
            if asked[core, client, write] != row[SERVED + 2 * client + write]:
                return False
    return True


@kernel
def lower_bound(f, before, due_ps):
    """A time before which no running job can end, ps; -1 when all cores are idle."""
    least = -1
    for core in range(f.shape[0] - 1):
        row = f[core]
        if not row[ACTIVE]:
            continue
        bound = row[KEY]
        if row[KEY_KIND] != KIND_END:
            for stage in range(row[STAGES]):
                spent = row[ACCOUNT + 4 * stage + BUSY] - before[core, stage, BUSY]
                left = _left(row, stage, row[NEXT_LEAVE + stage])
                bound = max(bound, left + due_ps[core, stage] - spent)
        least = bound if least < 0 else min(least, bound)
    return least
