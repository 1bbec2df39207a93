"""A job made ready for the fabric: checked, packed, summed, once, however often and wherever it is then played.

`macroblocks` keeps every unit and stage as the core's laws have them: exact. `groups` joins neighbouring units, for
runs of thousands of streams: a group is one step that lasts as long as the pipeline takes to let its units go when
memory never makes it wait, and its requests, joined where they touch, go to the memory model as they are. What is given
up is the order of requests within a group, and waiting of single units for memory; docs/throughput.md has the error.
"""

from dataclasses import dataclass

import numpy as np

from asic_model.config import PipelineConfig
from asic_model.cores import pipeline
from asic_model.cores.result import CLIENTS, REQUEST, CoreResult
from asic_model.kernel_cache import kernel

GROUP_UNITS = 32


@dataclass(eq=False)
class Prepared:
    """What `Fabric.begin` takes.

    stages       names of the core's stages
    units        steps of the pipeline that is played: units, or groups of them
    played       stages of the pipeline that is played: all, or one for groups
    work         int64[units * played + 1, 2], see `pipeline`
    uses         int64[played], which stages read or write
    requests     int64[n, 4], see `pipeline`; addresses are those of the job, R_BUSY is left to the fabric
    asked        int64[clients, 2], bytes read and written
    played_cycles int64[played], sum over units
    cycles       int64[work_units, stages], of the core's laws, for statistics
    """

    stages: tuple[str, ...]
    units: int
    played: int
    work: np.ndarray
    uses: np.ndarray
    requests: np.ndarray
    asked: np.ndarray
    played_cycles: np.ndarray
    cycles: np.ndarray
    lockstep: bool
    fifo_depth: int
    prefetch: int
    write_units: int

    @property
    def work_units(self) -> int:
        return len(self.cycles)


def macroblocks(result: CoreResult, joined: PipelineConfig) -> Prepared:
    """Prepare a job unit by unit. Raises ValueError where cycles and requests do not fit each other."""
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
    work, uses, packed, asked = _pack(cycles, key, requests)
    return Prepared(
        stages=result.stages,
        units=units,
        played=stages,
        work=work,
        uses=uses,
        requests=packed,
        asked=asked,
        played_cycles=cycles.sum(axis=0),
        cycles=cycles,
        lockstep=joined.mode == "lockstep",
        fifo_depth=joined.fifo_depth,
        prefetch=joined.prefetch_units,
        write_units=joined.write_units,
    )


def _pack(cycles: np.ndarray, key: np.ndarray, requests: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return (work, uses, packed requests, bytes asked) of sorted requests; `key`: slot of each."""
    slots = cycles.size
    work = np.zeros((slots + 1, 2), np.int64)
    work[:slots, 0] = cycles.ravel()
    work[1:, 1] = np.cumsum(np.bincount(key, minlength=slots)[:slots]) << 2
    is_write = requests["write"] != 0
    work[key[~is_write], 1] |= pipeline.HAS_READS
    work[key[is_write], 1] |= pipeline.HAS_WRITES
    uses = np.bitwise_or.reduce((work[:slots, 1] & 3).reshape(cycles.shape), axis=0)
    write = is_write.astype(np.int64)
    packed = np.zeros((requests.size, 4), np.int64)
    packed[:, pipeline.R_ADDRESS] = requests["address"]
    packed[:, pipeline.R_SIZE_PITCH] = requests["size"] | requests["pitch"].astype(np.int64) << pipeline.PITCH_SHIFT
    client = requests["client"].astype(np.int64) << pipeline.CLIENT_SHIFT
    packed[:, pipeline.R_ROWS] = requests["rows"] | client | write << pipeline.WRITE_SHIFT
    asked = np.zeros((len(CLIENTS), 2), np.int64)
    size = requests["size"].astype(np.int64) * requests["rows"]
    for way in (0, 1):
        chosen = write == way
        counted = np.bincount(requests["client"][chosen], weights=size[chosen], minlength=len(CLIENTS))
        asked[:, way] = counted.astype(np.int64)
    return work, uses, packed, asked


def groups(result: CoreResult, joined: PipelineConfig, group_units: int = GROUP_UNITS) -> Prepared:
    """Prepare a job in groups of `group_units` units; jobs of few units are left as they are."""
    whole = macroblocks(result, joined)
    units = whole.units
    if units <= 8 * group_units:
        return whole
    left = _leave_cycles(whole.cycles, whole.lockstep, whole.fifo_depth)
    last = np.minimum(np.arange(group_units, units + group_units, group_units), units) - 1
    cycles = np.diff(left[last], prepend=0).reshape(-1, 1)
    requests = _join(np.ascontiguousarray(result.requests, REQUEST), group_units)
    work, uses, packed, asked = _pack(cycles, requests["unit"].astype(np.int64), requests)
    return Prepared(
        stages=result.stages,
        units=len(cycles),
        played=1,
        work=work,
        uses=uses,
        requests=packed,
        asked=asked,
        played_cycles=cycles.sum(axis=0),
        cycles=whole.cycles,
        lockstep=False,
        fifo_depth=1,
        prefetch=max(1, joined.prefetch_units // group_units),
        write_units=max(1, joined.write_units // group_units),
    )


@kernel
def _leave_cycles(cycles: np.ndarray, lockstep: bool, depth: int) -> np.ndarray:
    """int64[units]: when each unit leaves the last stage, in cycles from the job's start, memory never waited for."""
    units, stages = cycles.shape
    out = np.zeros(units, np.int64)
    if lockstep:
        now = 0
        for slot in range(units + stages - 1):
            longest = 0
            for stage in range(stages):
                unit = slot - stage
                if 0 <= unit < units:
                    longest = max(longest, cycles[unit, stage])
            now += longest
            if slot >= stages - 1:
                out[slot - stages + 1] = now
        return out
    free = np.zeros(stages, np.int64)
    started = np.zeros((stages, depth), np.int64)
    for unit in range(units):
        at = 0
        for stage in range(stages):
            start = max(at, free[stage])
            at = start + cycles[unit, stage]
            if stage + 1 < stages and unit >= depth:
                at = max(at, started[stage + 1, unit % depth])
            started[stage, unit % depth] = start
            free[stage] = at
        out[unit] = at
    return out


def _join(requests: np.ndarray, group_units: int) -> np.ndarray:
    """Requests by group (in `unit`), pieces that touch side by side or one below the other made one."""
    group = requests["unit"] // group_units
    order = np.lexsort(
        (requests["address"], requests["rows"], requests["pitch"], requests["client"], requests["write"], group)
    )
    rows = requests[order]
    rows["unit"], rows["stage"] = group[order], 0
    for down in (False, True):
        if len(rows) < 2:
            break
        a, b = rows[:-1], rows[1:]
        same = (a["unit"] == b["unit"]) & (a["write"] == b["write"]) & (a["client"] == b["client"])
        if down:
            reach = a["rows"].astype(np.uint64) * a["pitch"]
            same &= (a["size"] == b["size"]) & (a["pitch"] == b["pitch"]) & (a["address"] + reach == b["address"])
            same &= a["pitch"] > 0
        else:
            flat = (a["rows"] == 1) & (b["rows"] == 1)
            same &= (a["rows"] == b["rows"]) & (flat | (a["pitch"] == b["pitch"]))
            same &= a["address"] + a["size"] == b["address"]
        first = np.concatenate(([True], ~same))
        run = np.cumsum(first) - 1
        name = "rows" if down else "size"
        sums = np.bincount(run, weights=rows[name]).astype(np.int64)
        if down and sums.max(initial=0) > 0xFFFF:
            break
        rows = rows[first]
        rows[name] = sums
    return rows
