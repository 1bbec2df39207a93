"""Playback without pixels equals the full run: every job's start and end, every figure of the report."""

import io

import pytest

from asic_model import stats
from asic_model.config import load_chip, with_changes
from asic_model.descriptors import Kind
from asic_model.workload import playback
from asic_model.workload.errors import TraceError
from asic_model.workload.work_trace import WorkTrace, parse
from tests.workload.recording import recorded_run


def stored(trace: WorkTrace) -> WorkTrace:
    out = io.BytesIO()
    trace.write(out)
    return parse(out.getvalue())


@pytest.mark.parametrize("bit_rate", [None, 300_000])
def test_playback_equals_the_run_to_the_picosecond(bit_rate: int | None) -> None:
    """Through the file, at fixed QP and under the firmware's rate control; `play` compares each job itself."""
    trace, report = recorded_run("vcu", bit_rate=bit_rate)
    trace = stored(trace)
    assert len(trace) == 15  # 5 pictures: one scale and two encode jobs each
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
