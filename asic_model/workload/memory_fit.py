"""How much slower memory is than joined requests make it look: fitted, for each chip and work, by exact playback.

Joining a group's requests (`cores.prepared.groups`) saves most of the host's time and loses the order in which rows
are opened, so a busy memory looks better than it is. One job of each core is played both ways with cores that take
no time, which leaves memory alone as the limit; the ratio of the two times stretches the memory's bus times in
grouped runs. What error is left is measured by `python -m benchmarks.replay` and stands in docs/throughput.md.
"""

from functools import lru_cache

import numpy as np

from asic_model.config import ChipConfig
from asic_model.cores import prepared
from asic_model.cores.fabric import Fabric
from asic_model.cores.prepared import Prepared
from asic_model.cores.result import CoreResult
from asic_model.workload.streams import Stream

JOBS = 12  # at most, played each way
UNITS = 1024  # of a job; the rest of a picture is like its beginning


def _cut(result: CoreResult) -> CoreResult:
    """The first units of a job."""
    if len(result.cycles) <= UNITS:
        return result
    return CoreResult(
        result.status, result.detail, result.output_bytes, result.stages, result.cycles[:UNITS],
        result.requests[result.requests["unit"] < UNITS], result.work[:UNITS],
    )  # fmt: skip


@lru_cache(maxsize=64)
def _stretch(description: str, results: tuple["_Same", ...]) -> float:
    config = ChipConfig.model_validate_json(description)
    joined = {kind: getattr(config, kind).pipeline for kind in ("encode", "scale", "decode")}
    jobs = [(each.section, _cut(each.result)) for each in results]
    exact = _time(config, [(kind, prepared.macroblocks(job, joined[kind])) for kind, job in jobs])
    quick = _time(config, [(kind, prepared.groups(job, joined[kind])) for kind, job in jobs])
    return max(1.0, exact / max(1, quick))


class _Same:
    """A job, equal to itself only: a key of the cache that holds on to what it names."""

    def __init__(self, section: str, result: CoreResult) -> None:
        self.section, self.result = section, result

    def __hash__(self) -> int:
        return id(self.result)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.result is self.result


def _time(config: ChipConfig, jobs: list[tuple[str, Prepared]]) -> int:
    """Simulated time of all jobs at once, as many as there are cores, memory the only limit."""
    fabric = Fabric(config)
    free = {kind: [r for r, core in enumerate(fabric.cores) if core.kind == kind] for kind, _ in jobs}
    random = np.random.default_rng(1)
    waiting = list(jobs)
    while waiting or any(fabric.is_busy(row) for row in range(len(fabric.cores))):
        for kind, job in list(waiting):
            if free[kind]:
                place = int(random.integers(0, max(1, config.memory.capacity_bytes >> 13))) << 12
                fabric.begin(free[kind].pop(), job, fabric.now_ps, 1, place)
                waiting.remove((kind, job))
        for core, _ in fabric.advance(1 << 60):
            free[fabric.cores[core].kind].append(core)
    return fabric.now_ps


def memory_stretch(config: ChipConfig, streams: list[Stream]) -> float:
    """Return by what the memory's bus times are to be multiplied in grouped runs of `streams`; at least 1."""
    every = list({id(stream): stream for stream in streams}.values())
    chosen: list[_Same] = []
    for stream in every:
        step = max(1, len(stream.results) * len(every) // JOBS)
        chosen += [_Same(section, result) for section, result in stream.results[::step]]
    return _stretch(config.model_dump_json(), tuple(chosen[: 2 * JOBS])) if chosen else 1.0
