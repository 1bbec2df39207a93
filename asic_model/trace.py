"""A run's timeline as Chrome trace JSON, which the Perfetto UI, chrome://tracing and Speedscope open.

Arrows go from each job to the next one of its session.

One process a core with one track for its jobs and one for each stage (from the job's first start in the stage to its
last leave; how long it was busy stands in the arguments), one for the control processor, one for the host link with a
track each way and a counter of bytes, and counters of the memory. Jobs carry queue, session and sequence of their
command.

Memory: a job is kept as long as the chip, about 1 kB; times of work and transfers at most `Periods.MOST` a track, in
ever coarser grain (`Periods`); a memory sample every simulated millisecond. Without `trace` nothing is kept.

Tracks are numbered from 1, since viewers drop track 0, and slices of one track never overlap, since viewers drop
those too: times are cut to whole nanoseconds at both ends, which keeps neighbours apart.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from asic_model.cores.fabric import Core, Fabric, JobSpan, MemorySample

CONTROL_PROCESS = 1
MEMORY_PROCESS = 2
LINK_PROCESS = 3
FIRST_CORE_PROCESS = 4
JOBS_TRACK = 1
FIRST_STAGE_TRACK = 2
SAMPLE_PS = 1_000_000_000  # a chip's memory samples


class Period(NamedTuple):
    """Some stretches of time that lie close together, drawn as one."""

    start_ps: int
    end_ps: int
    busy_ps: int  # without the gaps
    runs: int  # how many stretches
    size_bytes: int


class Periods:
    """Stretches of time in order. Those less than a gap apart become one; the gap doubles when there are too many."""

    MOST = 20_000

    def __init__(self, gap_ps: int) -> None:
        self.gap_ps = gap_ps
        self.found: list[Period] = []

    def add(self, start_ps: int, end_ps: int, size_bytes: int = 0) -> None:
        """Add one that begins no sooner than the last one ended."""
        self._join(Period(start_ps, end_ps, end_ps - start_ps, 1, size_bytes))
        while len(self.found) > self.MOST:
            self.gap_ps *= 2
            finer, self.found = self.found, []
            for period in finer:
                self._join(period)

    def _join(self, new: Period) -> None:
        if self.found and new.start_ps - self.found[-1].end_ps < self.gap_ps:
            last = self.found[-1]
            sums = (one + other for one, other in zip(last[2:], new[2:], strict=True))
            self.found[-1] = Period(last.start_ps, max(last.end_ps, new.end_ps), *sums)
        else:
            self.found.append(new)


@dataclass(slots=True)
class JobRecord:
    """What the chip knows of one job; the fabric's span of the same core and count has its times of work."""

    kind: str
    announced_ps: int | None  # when the firmware announced its block
    started_ps: int  # when the firmware started the core
    ended_ps: int | None = None  # when its end reached the core's registers
    command: tuple[int, int, int] | None = None  # queue, session, sequence; None until it completed
    submitted_ps: int | None = None  # when the doorbell showed the command
    fetched_ps: int | None = None  # when the firmware took it
    done_ps: int | None = None  # when the firmware wrote the completion


@dataclass(slots=True)
class Timeline:
    """What a chip collects while it runs with `trace=True`, besides the fabric's spans and samples."""

    tick_ps: int  # of the stamps in completions
    awake: Periods = field(default_factory=lambda: Periods(10_000_000))
    upload: Periods = field(default_factory=lambda: Periods(10_000_000))
    download: Periods = field(default_factory=lambda: Periods(10_000_000))
    jobs: dict[int, list[JobRecord]] = field(default_factory=dict)  # by core, in order of start
    _announced: dict[int, int] = field(default_factory=dict)  # by address of the job block
    _open: dict[tuple[int, int], JobRecord] = field(default_factory=dict)  # by core and tick of start
    _rung: dict[tuple[int, int], int] = field(default_factory=dict)  # by queue and sequence, until completed

    def announced(self, address: int, at_ps: int) -> None:
        self._announced[address] = at_ps

    def started(self, core: int, kind: str, address: int, at_ps: int) -> None:
        record = JobRecord(kind, self._announced.pop(address, None), at_ps)
        self.jobs.setdefault(core, []).append(record)
        self._open[core, at_ps // self.tick_ps] = record

    def ended(self, core: int, at_ps: int) -> None:
        self.jobs[core][-1].ended_ps = at_ps

    def rung(self, queue: int, sequence: int, at_ps: int) -> None:
        """A doorbell showed a command."""
        self._rung[queue, sequence] = at_ps

    def completed(self, queue: int, completion: dict[str, int], at_ps: int) -> None:
        """The firmware completed a command: now it is known whose the job was."""
        submitted_ps = self._rung.pop((queue, completion["sequence"]), None)
        record = self._open.pop((completion["core"], completion["started"]), None)
        if record is not None:
            record.command = queue, completion["session"], completion["sequence"]
            record.submitted_ps, record.done_ps = submitted_ps, at_ps
            record.fetched_ps = completion["submitted"] * self.tick_ps

    def forget(self) -> None:
        """The chip was reset: nobody completes what was under way."""
        self._announced.clear()
        self._open.clear()
        self._rung.clear()


def events(
    fabric: Fabric, awake: Iterable[tuple[int, int]] = (), timeline: Timeline | None = None
) -> Iterator[dict[str, Any]]:
    """The trace events of a fabric that was made with `trace=True`.

    awake     (start, end) in ps of the control processor's times of work, in order
    timeline  what the chip collected; its times of work take the place of `awake`
    """
    yield from _named(CONTROL_PROCESS, "control processor", ["firmware"])
    yield from _named(MEMORY_PROCESS, "memory", [])
    if timeline is not None:
        yield from _named(LINK_PROCESS, "host link", ["upload", "download"])
    process_of = {core: FIRST_CORE_PROCESS + row for row, core in enumerate(fabric.cores)}
    row_of = {core: row for row, core in enumerate(fabric.cores)}
    # A core that plays large jobs in groups and small ones not has tracks for both.
    tracks: dict[Core, dict[str, int]] = {core: {} for core in fabric.cores}
    for span in fabric.spans:
        for name in span.stages:
            tracks[span.core].setdefault(name, FIRST_STAGE_TRACK + len(tracks[span.core]))
    for row, core in enumerate(fabric.cores):
        if fabric.stage_names[row]:
            yield from _named(process_of[core], str(core), ["jobs", *(tracks[core] or fabric.stage_names[row])])
    for start_ps, end_ps in awake if timeline is None else ():
        yield _slice(CONTROL_PROCESS, 1, "awake", start_ps, end_ps, {})
    if timeline is not None:
        for period in timeline.awake.found:
            what = {"busy_ps": period.busy_ps, "runs": period.runs}
            yield _slice(CONTROL_PROCESS, 1, "awake", period.start_ps, period.end_ps, what)
        for track, (name, periods) in enumerate((("upload", timeline.upload), ("download", timeline.download)), 1):
            for period in periods.found:
                what = {"bytes": period.size_bytes, "transfers": period.runs, "busy_ps": period.busy_ps}
                yield _slice(LINK_PROCESS, track, name, period.start_ps, period.end_ps, what)
        yield from _link_counter(timeline)
    flows: dict[int, tuple[int, int]] = {}  # session -> process and start of its last job
    for number, span in enumerate(sorted(fabric.spans, key=lambda span: (span.start_ps, row_of[span.core])), 1):
        record = None if timeline is None else timeline.jobs[row_of[span.core]][span.job - 1]
        yield from _job(process_of[span.core], tracks[span.core], span, record)
        if record is not None and record.command is not None:
            session, here = record.command[1], (process_of[span.core], span.start_ps)
            if session in flows:
                yield from _flow(number, flows[session], here)
            flows[session] = here
    yield from _counters(fabric)


def _named(process: int, name: str, tracks: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield {"ph": "M", "name": "process_name", "pid": process, "tid": 1, "args": {"name": name}}
    yield {"ph": "M", "name": "process_sort_index", "pid": process, "tid": 1, "args": {"sort_index": process}}
    for number, track in enumerate(tracks, 1):
        yield {"ph": "M", "name": "thread_name", "pid": process, "tid": number, "args": {"name": track}}
        yield {"ph": "M", "name": "thread_sort_index", "pid": process, "tid": number, "args": {"sort_index": number}}


def _job(process: int, tracks: dict[str, int], span: JobSpan, record: JobRecord | None) -> Iterator[dict[str, Any]]:
    what: dict[str, Any] = {"units": span.units, "ps": span.end_ps - span.start_ps}
    name = f"job {span.job}"
    if record is not None:
        names = ("submitted_ps", "fetched_ps", "announced_ps", "started_ps", "ended_ps", "done_ps")
        times = {name: getattr(record, name) for name in names}
        what |= {"kind": record.kind, **{key: value for key, value in times.items() if value is not None}}
        if record.command is not None:
            queue, session, sequence = record.command
            what |= {"queue": queue, "session": session, "sequence": sequence}
            name = f"session {session} #{sequence}"
    yield _slice(process, JOBS_TRACK, name, span.start_ps, span.end_ps, what)
    for name, first_ps, last_ps, busy_ps in zip(
        span.stages, span.stage_first_ps, span.stage_last_ps, span.stage_busy_ps, strict=True
    ):
        lasts = last_ps - first_ps
        busy = {"busy_ps": busy_ps, "busy_share": round(busy_ps / lasts, 4) if lasts else 0.0}
        yield _slice(process, tracks[name], name, first_ps, last_ps, busy)


def _flow(number: int, one: tuple[int, int], other: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """An arrow from a job to the next one of its session: (process, start in ps) of both, where their slices begin."""
    for phase, (process, at_ps) in (("s", one), ("f", other)):
        event = {
            "ph": phase, "id": number, "cat": "session", "name": "next job", "pid": process, "tid": JOBS_TRACK,
            "ts": at_ps // 1000 / 1000,
        }  # fmt: skip
        yield event if phase == "s" else {**event, "bp": "e"}


def _link_counter(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Bytes over the host link so far, each way, at the end of each stretch of transfers."""
    moved = {"upload": 0, "download": 0}
    steps = [("upload", period) for period in timeline.upload.found]
    steps += [("download", period) for period in timeline.download.found]
    for way, period in sorted(steps, key=lambda step: (step[1].end_ps, step[0])):
        moved[way] += period.size_bytes
        counter = _counter("moved [bytes]", period.end_ps, dict(moved))
        yield {**counter, "pid": LINK_PROCESS}


def _counters(fabric: Fabric) -> Iterator[dict[str, Any]]:
    """Rates over the time before each sample, drawn from its beginning; and all bytes served, at its end."""
    start_ps = read_bytes = write_bytes = 0
    counted = fabric.memory()
    sampled = [sum(column) for column in zip(*(sample[1:] for sample in fabric.samples), strict=True)] or [0, 0, 0]
    names = ("read_bytes", "write_bytes", "bus_busy_ps")
    rest = (counted[name] - before for name, before in zip(names, sampled, strict=True))
    last = MemorySample(fabric.now_ps, *rest)  # what came after the last sample
    for sample in (*fabric.samples, last):
        lasts_s = (sample.at_ps - start_ps) * 1e-12
        if lasts_s > 0:
            rates = {
                "read": round(sample.read_bytes / lasts_s / 1e9, 3),
                "write": round(sample.write_bytes / lasts_s / 1e9, 3),
            }
            yield _counter("traffic [GB/s]", start_ps, rates)
        read_bytes, write_bytes = read_bytes + sample.read_bytes, write_bytes + sample.write_bytes
        yield _counter("served [bytes]", sample.at_ps, {"read": read_bytes, "write": write_bytes})
        start_ps = sample.at_ps


def _counter(name: str, at_ps: int, values: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "C", "pid": MEMORY_PROCESS, "tid": 1, "ts": at_ps // 1000 / 1000, "name": name, "args": values}


def _slice(process: int, track: int, name: str, start_ps: int, end_ps: int, what: dict[str, Any]) -> dict[str, Any]:
    """A complete event; `ts` and `dur` are microseconds with three decimals."""
    start_ns, end_ns = start_ps // 1000, end_ps // 1000
    return {
        "ph": "X", "pid": process, "tid": track, "name": name,
        "ts": start_ns / 1000, "dur": (end_ns - start_ns) / 1000, "args": what,
    }  # fmt: skip


def lines(fabric: Fabric, awake: Iterable[tuple[int, int]] = (), timeline: Timeline | None = None) -> Iterator[str]:
    """The file's text, an event a line."""
    about = {"chip": fabric.config.name, "simulated_ps": fabric.now_ps, "time": "simulated, not the host's"}
    yield '{"displayTimeUnit":"ns","otherData":' + json.dumps(about) + ',"traceEvents":[\n'
    separator = ""
    for event in events(fabric, awake, timeline):
        yield separator + json.dumps(event, separators=(",", ":"))
        separator = ",\n"
    yield "\n]}\n"


def write(path: str | Path, fabric: Fabric, awake: Iterable[tuple[int, int]] = ()) -> None:
    """Write the timeline of a fabric to `path`."""
    with Path(path).open("w", encoding="utf-8") as out:
        out.writelines(lines(fabric, awake))
