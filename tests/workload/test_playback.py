"""Playback without pixels equals the full run: every job's start and end, every figure of the report."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from asic_model import stats
from asic_model.config import load_chip, with_changes
from asic_model.descriptors import Kind
from asic_model.workload import playback
from asic_model.workload.errors import TraceError
from asic_model.workload.work_trace import WorkTrace, parse
from driver.device import Device
from tests.driver.clips import write_clip
from tests.workload.recording import recorded_run

PROJECT = Path(__file__).resolve().parent.parent.parent


def stored(trace: WorkTrace) -> WorkTrace:
    out = io.BytesIO()
    trace.write(out)
    return parse(out.getvalue())


@pytest.mark.parametrize("bit_rate", [None, 300_000])
def test_playback_equals_the_run_to_the_picosecond(bit_rate: int | None) -> None:
    """Through the file, at fixed QP and under the firmware's rate control; `play` compares each job itself."""
    trace, report = recorded_run("vcu", bit_rate=bit_rate)
    trace = stored(trace)
    # 5 pictures: one scale and two encode jobs each; under rate control first-pass jobs besides
    assert sum(trace.fields(number).get("mode", 0) == 0 for number in range(len(trace))) == 15
    assert (len(trace) > 15) == (bit_rate is not None)
    played = playback.play(trace, load_chip("vcu"))
    again = stats.report(load_chip("vcu"), played.chip.fabric, played.chip.stats())
    for name in ("cores", "memory", "energy"):
        # The report of the run was taken before the device closed its sessions; playback goes on to the same point.
        assert again[name] == report[name], name
    assert again["elapsed_ps"] == report["elapsed_ps"]


def test_dependencies_follow_the_data() -> None:
    """The smaller rung's jobs come after the scale job of their picture, P and B pictures after their references."""
    trace, _ = recorded_run("tiny", count=3)
    scales = [n for n in range(len(trace)) if trace.kind(n) is Kind.SCALE]
    assert [int(trace.jobs["picture"][n]) for n in scales] == [0, 1, 2]
    for number in range(len(trace)):
        if trace.kind(number) is not Kind.ENCODE:
            continue
        fields = trace.fields(number)
        producers = [trace.kind(n) for n in trace.after(number)]
        assert producers.count(Kind.SCALE) == (fields["width"] == 48)
        intra = fields["slice_type"] == 2
        assert (producers.count(Kind.ENCODE) == 0) == intra


def test_another_chip_is_refused_with_the_figure_that_differs() -> None:
    trace, _ = recorded_run("tiny", count=2)
    other = with_changes(load_chip("tiny"), {"memory.queue_depth": 7})
    with pytest.raises(TraceError, match=r"another chip \(memory\.queue_depth: 7, recorded "):
        playback.play(trace, other)


def test_a_trace_that_lies_about_time_is_found_out() -> None:
    trace, _ = recorded_run("tiny", count=2)
    trace.jobs["end_ps"][1] += 1
    with pytest.raises(TraceError, match="job 1: end_ps is"):
        playback.play(trace, load_chip("tiny"))


def test_a_decoding_run_plays_back_too(tmp_path: Path) -> None:
    """Decode jobs with B pictures: fields, slices and rectangles of reference samples come from the trace alone."""
    write_clip(tmp_path / "clip.mkv", width=98, height=50, count=8, options={"bf": "3", "b_strategy": "0", "refs": "2"})
    with av.open(str(tmp_path / "clip.mkv")) as container:
        video = container.streams.video[0]
        packets = [(bytes(packet), packet.pts) for packet in container.demux(video) if packet.size]
        extradata = video.codec_context.extradata
    with Device.open("model:vcu", record=True, host_threads=1) as device:
        with device.open_decoder(extradata) as decoder:
            pictures = sum(1 for _ in decoder.decode(packets))
        report = device.report() or {}
        backend: Any = device.backend
        trace = stored(backend.work_trace({}))
    assert pictures == 8
    assert [trace.kind(n) for n in range(len(trace))] == [Kind.DECODE] * 8
    assert any(trace.facts(n)["fetches"].size for n in range(8))
    played = playback.play(trace, load_chip("vcu"))
    again = stats.report(load_chip("vcu"), played.chip.fabric, played.chip.stats())
    assert again["cores"] == report["cores"]
    assert again["memory"] == report["memory"]


_SCRIPT = """
import hashlib, io, sys
from tests.workload.recording import recorded_run
trace, _ = recorded_run("tiny", count=4, threads=int(sys.argv[1]))
out = io.BytesIO()
trace.write(out)
print(hashlib.sha256(out.getvalue()).hexdigest())
"""


def test_a_functional_run_leaves_the_same_bytes_whatever_runs_it(tmp_path: Path) -> None:
    """The whole trace (times, work, contents, counters) over host threads, folders and hash seeds."""
    found = set()
    for threads, hash_seed in (("1", "0"), ("3", "4711")):
        folder = tmp_path / threads
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(PROJECT)}
        ran = subprocess.run(
            [sys.executable, "-c", _SCRIPT, threads],
            cwd=folder, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.add(ran.stdout.strip())
    assert len(found) == 1
