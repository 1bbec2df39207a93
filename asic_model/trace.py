"""A run's timeline as Chrome trace JSON, which the Perfetto UI, chrome://tracing and Speedscope open.

One process a core with one track for its jobs and one for each stage (from the job's first start in the stage to its
last leave; how long it was busy stands in the arguments), one for the control processor, and counters of the memory.
Tracks are numbered from 1, since viewers drop track 0, and slices of one track never overlap, since viewers drop
those too: times are cut to whole nanoseconds at both ends, which keeps neighbours apart.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from asic_model.cores.fabric import Fabric, JobSpan, MemorySample

CONTROL_PROCESS = 1
MEMORY_PROCESS = 2
FIRST_CORE_PROCESS = 3
JOBS_TRACK = 1
FIRST_STAGE_TRACK = 2


def events(fabric: Fabric, awake: Iterable[tuple[int, int]] = ()) -> Iterator[dict[str, Any]]:
    """The trace events of a fabric that was made with `trace=True`.

    awake  (start, end) in ps of the control processor's times of work, in order
    """
    yield from _named(CONTROL_PROCESS, "control processor", ["firmware"])
    yield from _named(MEMORY_PROCESS, "memory", [])
    process_of = {core: FIRST_CORE_PROCESS + row for row, core in enumerate(fabric.cores)}
    for row, core in enumerate(fabric.cores):
        if fabric.stage_names[row]:
            yield from _named(process_of[core], str(core), ["jobs", *fabric.stage_names[row]])
    for start_ps, end_ps in awake:
        yield _slice(CONTROL_PROCESS, 1, "awake", start_ps, end_ps, {})
    for span in sorted(fabric.spans, key=lambda span: (span.start_ps, fabric.cores.index(span.core))):
        yield from _job(process_of[span.core], span)
    yield from _counters(fabric.samples)


def _named(process: int, name: str, tracks: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield {"ph": "M", "name": "process_name", "pid": process, "tid": 1, "args": {"name": name}}
    yield {"ph": "M", "name": "process_sort_index", "pid": process, "tid": 1, "args": {"sort_index": process}}
    for number, track in enumerate(tracks, 1):
        yield {"ph": "M", "name": "thread_name", "pid": process, "tid": number, "args": {"name": track}}
        yield {"ph": "M", "name": "thread_sort_index", "pid": process, "tid": number, "args": {"sort_index": number}}


def _job(process: int, span: JobSpan) -> Iterator[dict[str, Any]]:
    what = {"units": span.units, "ps": span.end_ps - span.start_ps}
    yield _slice(process, JOBS_TRACK, f"job {span.job}", span.start_ps, span.end_ps, what)
    for number, (name, first_ps, last_ps, busy_ps) in enumerate(
        zip(span.stages, span.stage_first_ps, span.stage_last_ps, span.stage_busy_ps, strict=True), FIRST_STAGE_TRACK
    ):
        lasts = last_ps - first_ps
        busy = {"busy_ps": busy_ps, "busy_share": round(busy_ps / lasts, 4) if lasts else 0.0}
        yield _slice(process, number, name, first_ps, last_ps, busy)


def _counters(samples: Sequence[MemorySample]) -> Iterator[dict[str, Any]]:
    """Rates over the time before each sample, drawn from its beginning."""
    start_ps = 0
    for sample in samples:
        lasts_s = (sample.at_ps - start_ps) * 1e-12
        rates = {
            "read": round(sample.read_bytes / lasts_s / 1e9, 3),
            "write": round(sample.write_bytes / lasts_s / 1e9, 3),
        }
        place = {"ph": "C", "pid": MEMORY_PROCESS, "tid": 1, "ts": start_ps // 1000 / 1000}
        yield {**place, "name": "traffic [GB/s]", "args": rates}
        start_ps = sample.at_ps


def _slice(process: int, track: int, name: str, start_ps: int, end_ps: int, what: dict[str, Any]) -> dict[str, Any]:
    """A complete event; `ts` and `dur` are microseconds with three decimals."""
    start_ns, end_ns = start_ps // 1000, end_ps // 1000
    return {
        "ph": "X", "pid": process, "tid": track, "name": name,
        "ts": start_ns / 1000, "dur": (end_ns - start_ns) / 1000, "args": what,
    }  # fmt: skip


def write(path: str | Path, fabric: Fabric, awake: Iterable[tuple[int, int]] = ()) -> None:
    """Write the timeline to `path`, an event a line."""
    about = {"chip": fabric.config.name, "simulated_ps": fabric.now_ps, "time": "simulated, not the host's"}
    with Path(path).open("w", encoding="utf-8") as out:
        out.write('{"displayTimeUnit":"ns","otherData":' + json.dumps(about) + ',"traceEvents":[\n')
        separator = ""
        for event in events(fabric, awake):
            out.write(separator + json.dumps(event, separators=(",", ":")))
            separator = ",\n"
        out.write("\n]}\n")
