"""Playback: a recorded run once more on the chip that it was recorded on, without pixels, exact to the picosecond.

The host's calls are made again in their order; firmware, fabric and memory run as they always do; only the cores' work
comes from the trace, its cycles and memory requests made anew by the cores' own laws, and the plans of the first pass,
which the firmware reads. So every cycle count must come
out as in the full run, and is compared with it: `play` raises when one does not.

A chip that differs in anything would see other times, and its host would have called otherwise: it is refused. What
the recorded work costs on another chip is a simulation (`simulation`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from asic_model.chip import Chip
from asic_model.config import ChipConfig, figures
from asic_model.cores.registry import CoreType, build_job, core_types
from asic_model.cores.result import REQUEST, CoreResult
from asic_model.descriptors import Kind
from asic_model.memory.frame_compression import KnownTiles
from asic_model.ticket import Ticket
from asic_model.workload import work_trace
from asic_model.workload.errors import TraceError
from asic_model.workload.recorder import written_picture
from asic_model.workload.work_trace import WorkTrace


class Replayer:
    """Turns jobs of a trace, in their order, into results on a chip: cycles and requests by the cores' own laws."""

    def __init__(self, trace: WorkTrace, types: dict[Kind, CoreType]) -> None:
        self._trace = trace
        self._types = types
        self._tiles = KnownTiles()

    def result(self, number: int) -> CoreResult:
        """What job `number` hands to the chip. Jobs are asked for in order: later ones read what earlier ones wrote."""
        trace = self._trace
        kind = trace.kind(number)
        core = self._types.get(kind)
        if core is None or core.cost is None:
            raise TraceError(f"job {number}: the chip has no {kind.name.lower()} core")
        row, work, facts = trace.jobs[number], trace.work(number), trace.facts(number)
        job = build_job(core, trace.fields(number))
        picture = written_picture(kind, job)
        if picture is not None and "tiles" in facts:
            self._tiles.keep(picture, facts["tiles"])
        if len(work):
            cycles, requests = core.cost(self._tiles, job, core.config, work, facts)
        else:
            cycles, requests = np.zeros((0, len(core.stages)), np.int64), np.zeros(0, REQUEST)
        return CoreResult(
            status=int(row["status"]),
            detail=int(row["detail"]),
            output_bytes=int(row["output_bytes"]),
            stages=core.stages,
            cycles=cycles,
            requests=requests,
            work=work,
            counters=trace.counters(number),
            facts=facts,
        )


class _Watcher:
    """Gives the chip the recorded work, and compares times."""

    def __init__(self, trace: WorkTrace, replayer: Replayer) -> None:
        self._trace, self._replayer = trace, replayer
        self.next = 0
        self.memory: np.ndarray | None = None  # of the chip
        self._running: dict[int, int] = {}

    def started(self, core: int, ticket: Ticket, at_ps: int) -> CoreResult | None:
        number = self.next
        if number >= len(self._trace):
            raise TraceError(f"playback starts a job beyond the {len(self._trace)} of the trace, at {at_ps} ps")
        row = self._trace.jobs[number]
        for name, found, recorded in (
            ("kind", int(ticket.kind), int(row["kind"])),
            ("core", core, int(row["core"])),
            ("start_ps", at_ps, int(row["start_ps"])),
        ):
            if found != recorded:
                _differs(number, f"{name} is {found}, was {recorded}")
        if ticket.fields != self._trace.fields(number):
            _differs(number, "fields of the block")
        self.next += 1
        self._running[core] = number
        plan = self._trace.facts(number).get("plan")
        if plan is not None and self.memory is not None:
            address = ticket.fields["out_address"]
            self.memory[address : address + plan.size] = plan
        return self._replayer.result(number)

    def ended(self, core: int, end_ps: int, _result: CoreResult) -> None:
        number = self._running.pop(core)
        recorded = int(self._trace.jobs["end_ps"][number])
        if end_ps != recorded:
            _differs(number, f"end_ps is {end_ps}, was {recorded}")

    def completed(self, completion: dict[str, int]) -> None:
        pass


def _differs(number: int, what: str) -> None:
    raise TraceError(f"playback differs from the recording: job {number}: {what}")


@dataclass
class Played:
    """A playback's outcome: the chip as it stands at the end, and jobs played."""

    chip: Chip
    jobs: int


def differences(trace: WorkTrace, config: ChipConfig) -> list[str]:
    """Figures of the chip description in which `config` differs from the recorded chip: "path: here, recorded"."""
    recorded = ChipConfig.model_validate(trace.meta["config"])
    then = figures(recorded)
    return [
        f"{path}: {value}, recorded {then.get(path)}"
        for path, value in figures(config).items()
        if then.get(path) != value
    ]


def play(trace: WorkTrace, config: ChipConfig, *, timeline: bool = False) -> Played:
    """Repeat the recorded run on `config`, which must be the recorded chip.

    Raises TraceError when the chip differs, or when any job starts or ends at another time than recorded.
    """
    differ = differences(trace, config)
    if differ:
        raise TraceError(f"the trace was recorded on another chip ({differ[0]}{', ...' if len(differ) > 1 else ''})")
    types = core_types(config)
    watcher = _Watcher(trace, Replayer(trace, types))
    blind = {kind: core._replace(run=_no_work(core)) for kind, core in types.items()}
    chip = Chip(
        config, host_threads=1, seed=int(trace.meta.get("seed", 0)), trace=timeline, types=blind, watcher=watcher
    )
    watcher.memory = chip.memory
    _make_calls(chip, trace)
    if watcher.next != len(trace) or chip.now_ps != trace.meta["end_ps"]:
        raise TraceError(
            f"playback differs from the recording: {watcher.next} of {len(trace)} jobs, "
            f"{chip.now_ps} ps at the end, was {trace.meta['end_ps']}"
        )
    return Played(chip, watcher.next)


def _no_work(core: CoreType) -> Any:
    """Stands in for the pixels: nothing is computed, the watcher gives the outcome when the job starts."""
    nothing = CoreResult(
        0, 0, 0, core.stages, np.zeros((0, len(core.stages)), np.int64), np.zeros(0, REQUEST),
        np.zeros(0, work_trace.WORK_TYPES[core.kind]),
    )  # fmt: skip
    return lambda _memory, _job, _config: nothing


def _make_calls(chip: Chip, trace: WorkTrace) -> None:
    contents = trace.contents
    blank = np.zeros(0, np.uint8)
    for what, address, value, kept in trace.calls.tolist():
        if what == work_trace.READ32:
            chip.read32(address)
        elif what == work_trace.WRITE32:
            chip.write32(address, value)
        elif what == work_trace.MEMORY_READ:
            chip.memory_read(address, value)
        elif what == work_trace.MEMORY_WRITE:
            if kept >= 0:
                chip.memory_write(address, contents[kept : kept + value])
            else:
                if blank.size < value:
                    blank = np.zeros(value, np.uint8)
                chip.memory_write(address, blank[:value])
        elif what == work_trace.WAIT:
            chip.wait(value)
        else:
            raise TraceError(f"call {what} is none that a host makes")
