"""Records what a chip does: every call of the host, every job with its work.

    recorder = Recorder(config)
    chip = Chip(config, types=recorder.types, watcher=recorder)
    recorder.attach(chip)              # the host calls recorder.read32, ... from now on
    ...
    trace = recorder.finish(meta)

The pixels are computed as always. One thing more is counted: the compressed sizes of every written reference picture,
without which a chip with frame compression could not play work that was recorded on one without.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from asic_model.chip import Chip
from asic_model.config import ChipConfig
from asic_model.cores.decode.job import FRAME
from asic_model.cores.registry import CoreType, core_types
from asic_model.cores.result import CoreResult
from asic_model.descriptors import EncodeMode, Kind, Region
from asic_model.memory.frame_compression import tile_bytes
from asic_model.memory.surface import Surface
from asic_model.ticket import Ticket
from asic_model.workload import work_trace
from asic_model.workload.work_trace import CALL, JOB, UPLOAD, WorkTrace

KEPT_BYTES = 16384  # contents of longer writes are pictures and streams, which playback needs not


def written_picture(kind: Kind, job: Any) -> Surface | None:
    """The reference picture that a job leaves in device memory, where it is stored in compressible tiles."""
    if kind is Kind.ENCODE:
        return job.reconstruction if job.mode == EncodeMode.ENCODE else None
    if kind is Kind.DECODE and job.structure == FRAME:
        return job.surface
    return None


def _counting_tiles(core: CoreType) -> Callable[[np.ndarray, Any, Any], CoreResult]:
    def run(memory: np.ndarray, job: Any, config: Any) -> CoreResult:
        result = core.run(memory, job, config)
        picture = written_picture(core.kind, job)
        if picture is None or not len(result.work):
            return result
        return replace(result, facts={**result.facts, "tiles": tile_bytes(memory, picture)})

    return run


class Recorder:
    """Stands between host and chip, and watches the chip's jobs."""

    def __init__(self, config: ChipConfig) -> None:
        self.config = config
        self.types = {kind: core._replace(run=_counting_tiles(core)) for kind, core in core_types(config).items()}
        self._chip: Chip | None = None
        self._calls: list[tuple[int, int, int, int]] = []
        self._contents: list[bytes] = []
        self._kept = 0
        self._uploads: list[tuple[int, int]] = []
        # Who wrote what last: (first byte, end, job or ~upload), not overlapping.
        self._writers: list[tuple[int, int, int]] = []
        self._jobs: list[dict[str, Any]] = []
        self._running: dict[int, int] = {}  # core -> job
        self._open: dict[tuple[int, int], int] = {}  # core and tick of start -> job

    def attach(self, chip: Chip) -> None:
        self._chip = chip

    # ------------------------------------------------------------------------------------------- the host's calls

    def _note(self, what: int, address: int, value: int, kept: int = -1) -> None:
        self._calls.append((what, address, value, kept))

    def read32(self, address: int) -> int:
        self._note(work_trace.READ32, address, 0)
        assert self._chip is not None
        return self._chip.read32(address)

    def write32(self, address: int, value: int) -> None:
        self._note(work_trace.WRITE32, address, value)
        assert self._chip is not None
        self._chip.write32(address, value)

    def memory_read(self, address: int, size: int) -> bytes:
        self._note(work_trace.MEMORY_READ, address, size)
        assert self._chip is not None
        return self._chip.memory_read(address, size)

    def memory_write(self, address: int, data: Any) -> None:
        assert self._chip is not None
        view = np.frombuffer(data, np.uint8)
        kept = -1
        if view.size <= KEPT_BYTES:
            kept = self._kept
            self._contents.append(view.tobytes())
            self._kept += view.size
        self._note(work_trace.MEMORY_WRITE, address, view.size, kept)
        self._chip.memory_write(address, data)
        self._wrote(address, address + view.size, ~len(self._uploads))
        self._uploads.append((self._chip.now_ps, view.size))

    def wait(self, timeout_us: float) -> bool:
        self._note(work_trace.WAIT, 0, round(timeout_us))
        assert self._chip is not None
        return self._chip.wait(timeout_us)

    # ------------------------------------------------------------------------------------------- the chip's jobs

    def started(self, core: int, ticket: Ticket, at_ps: int) -> CoreResult | None:
        number = len(self._jobs)
        after, uploads = self._producers(ticket.areas)
        picture = max([-1, *uploads, *(self._jobs[job]["upload"] for job in after)])
        self._jobs.append(
            {
                "kind": ticket.kind, "fields": dict(ticket.fields), "core": core, "start_ps": at_ps, "upload": picture,
                "own": max(uploads, default=-1), "after": after, "session": 0, "end_ps": -1, "result": None,
            }
        )  # fmt: skip
        for area in ticket.areas:
            if area.write:
                self._wrote(area.address, area.address + area.size_bytes, number)
        self._running[core] = number
        self._open[core, at_ps // self.config.clocks.control_ps] = number
        return None

    def ended(self, core: int, end_ps: int, result: CoreResult) -> None:
        job = self._jobs[self._running.pop(core)]
        job["end_ps"], job["result"] = end_ps, result

    def completed(self, completion: dict[str, int]) -> None:
        number = self._open.pop((completion["core"], completion["started"]), None)
        if number is not None:
            self._jobs[number]["session"] = completion["session"]

    def _wrote(self, begin: int, end: int, who: int) -> None:
        left = []
        for first, last, writer in self._writers:
            if last <= begin or first >= end:
                left.append((first, last, writer))
                continue
            if first < begin:
                left.append((first, begin, writer))
            if last > end:
                left.append((end, last, writer))
        left.append((begin, end, who))
        self._writers = left

    def _producers(self, areas: list[Region]) -> tuple[list[int], list[int]]:
        """Jobs and uploads that wrote what a job reads."""
        reads = [(area.address, area.address + area.size_bytes) for area in areas if not area.write]
        found = {who for first, last, who in self._writers if any(first < end and begin < last for begin, end in reads)}
        return sorted(who for who in found if who >= 0), sorted(~who for who in found if who < 0)

    # ---------------------------------------------------------------------------------------------------- outcome

    def finish(self, meta: dict[str, Any]) -> WorkTrace:
        """Return everything since power-on as a trace; jobs that have not ended are left out."""
        assert self._chip is not None
        # A picture that waits to be coded (B) is nobody's last upload, but its own job's.
        used = sorted({job[name] for job in self._jobs for name in ("upload", "own") if job[name] >= 0})
        number_of = {upload: number for number, upload in enumerate(used)}
        place: dict[int, int] = {}
        rows: list[tuple[int, ...]] = []
        ended: list[dict[str, Any]] = []
        for index, job in enumerate(self._jobs):
            result: CoreResult | None = job["result"]
            if result is None:
                continue
            place[index] = len(place)
            rows.append(
                (
                    int(job["kind"]), result.status, job["core"], result.detail, result.output_bytes, job["session"],
                    number_of.get(job["upload"], -1), len(result.work), job["start_ps"], job["end_ps"],
                )
            )  # fmt: skip
            ended.append(job)
        return WorkTrace(
            meta={
                **meta,
                "chip": self.config.name,
                "config": self.config.model_dump(mode="json"),
                "end_ps": self._chip.now_ps,
                "seed": self._chip.seed,
            },
            jobs=np.array(rows, JOB),
            calls=np.array(self._calls, CALL),
            contents=np.frombuffer(b"".join(self._contents), np.uint8),
            uploads=np.array([self._uploads[upload] for upload in used], UPLOAD),
            job_fields=[job["fields"] for job in ended],
            job_work=[job["result"].work for job in ended],
            job_facts=[job["result"].facts for job in ended],
            job_counters=[job["result"].counters for job in ended],
            job_after=[[place[other] for other in job["after"] if other in place] for job in ended],
        )
