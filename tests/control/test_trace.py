"""The timeline that a chip keeps: nothing that viewers drop, and the same times and bytes as the statistics."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asic_model import trace
from asic_model.chip import Chip
from tests.control.harness import Encoder, Host, fake_chip

Traced = tuple[Chip, dict[str, Any], list[dict[str, Any]]]


def played(threads: int = 1) -> Chip:
    """Two sessions of four pictures on two cores, with a large transfer each way."""
    chip = fake_chip(host_threads=threads, trace=True)
    queue = Host(chip).queue()
    encoders = [Encoder(queue), Encoder(queue, 128, 64)]
    for _ in range(4):
        for encoder in encoders:
            encoder.submit()
    queue.finish(8)
    address = queue.host.allocate(1 << 16)
    chip.memory_write(address, bytes(1 << 16))
    chip.memory_read(address, 1 << 16)
    return chip


@pytest.fixture(scope="module")
def traced() -> Traced:
    chip = played()
    stats = chip.stats()
    return chip, stats, json.loads("".join(trace.lines(chip.fabric, timeline=chip.timeline)))["traceEvents"]


def slices(events: list[dict[str, Any]], track: str) -> list[dict[str, Any]]:
    named = {(e["pid"], e["tid"]) for e in events if e["name"] == "thread_name" and e["args"]["name"] == track}
    return [e for e in events if e["ph"] == "X" and (e["pid"], e["tid"]) in named]


def test_tracks_are_named_numbered_from_one_and_free_of_overlaps(traced: Traced) -> None:
    _, _, events = traced
    threads = {(e["pid"], e["tid"]) for e in events if e["name"] == "thread_name"}
    processes = {e["pid"] for e in events if e["name"] == "process_name"}
    assert min(e["tid"] for e in events) == 1
    assert {e["pid"] for e in events} <= processes
    ends: dict[tuple[int, int], int] = {}
    for event in (e for e in events if e["ph"] == "X"):  # written in order of time on each track
        track = event["pid"], event["tid"]
        assert track in threads
        start_ns = round(event["ts"] * 1000)
        assert start_ns >= ends.get(track, 0), event
        ends[track] = start_ns + round(event["dur"] * 1000)
    assert len(ends) == 1 + 2 + 2 * 3  # firmware, both ways of the link, jobs and two stages on two cores


def test_a_cores_jobs_last_as_long_as_the_statistics_say(traced: Traced) -> None:
    chip, stats, events = traced
    jobs = slices(events, "jobs")
    assert len(jobs) == stats["jobs"]["encode"]["jobs"] == 8
    for row, active_ps in enumerate(chip.fabric.active_ps):
        mine = [e for e in jobs if e["pid"] == trace.FIRST_CORE_PROCESS + row]
        assert sum(e["args"]["ps"] for e in mine) == active_ps
        # Cutting to nanoseconds moves each end by less than one.
        assert abs(sum(e["dur"] for e in mine) * 1e6 - active_ps) < 1000 * max(1, len(mine))
    for stage in ("fetch", "work"):
        shown = sum(e["args"]["busy_ps"] for e in slices(events, stage))
        assert shown == sum(chip.fabric.account(core)[stage]["busy"] for core in (0, 1))


def test_jobs_name_their_command(traced: Traced) -> None:
    """Each session's four pictures, in order, announced before they started."""
    _, _, events = traced
    found: dict[int, list[int]] = {}
    for job in sorted((e["args"] for e in slices(events, "jobs")), key=lambda what: what["started_ps"]):
        assert job["kind"] == "encode"
        assert job["queue"] == 0
        assert job["announced_ps"] <= job["started_ps"] < job["ended_ps"]
        found.setdefault(job["session"], []).append(job["sequence"])
    assert sorted(map(len, found.values())) == [4, 4]
    assert all(sequences == sorted(sequences) for sequences in found.values())


def test_firmware_and_link_agree_with_their_counters(traced: Traced) -> None:
    _, stats, events = traced
    assert sum(e["args"]["busy_ps"] for e in slices(events, "firmware")) == stats["control"]["awake_ps"]
    for track, counter in (("upload", "host_write_bytes"), ("download", "host_read_bytes")):
        assert sum(e["args"]["bytes"] for e in slices(events, track)) == stats["host_link"][counter] > 1 << 16


def test_arrows_join_the_jobs_of_a_session_in_order(traced: Traced) -> None:
    """Four jobs of each of two sessions: three arrows each, from a job's begin to the next one's."""
    _, _, events = traced
    begins = {(e["pid"], e["ts"]): e["args"] for e in slices(events, "jobs")}
    starts = {e["id"]: begins[e["pid"], e["ts"]] for e in events if e["ph"] == "s"}
    ends = {e["id"]: begins[e["pid"], e["ts"]] for e in events if e["ph"] == "f"}
    assert starts.keys() == ends.keys()
    assert len(starts) == 2 * 3
    for number, one in starts.items():
        assert one["session"] == ends[number]["session"]
        assert one["sequence"] < ends[number]["sequence"]


def test_the_last_link_counter_is_the_total(traced: Traced) -> None:
    _, stats, events = traced
    moved = [e["args"] for e in events if e["ph"] == "C" and e["name"] == "moved [bytes]"]
    link = stats["host_link"]
    assert moved[-1] == {"upload": link["host_write_bytes"], "download": link["host_read_bytes"]}


def test_the_last_memory_counter_is_the_total(traced: Traced) -> None:
    _, stats, events = traced
    served = [e["args"] for e in events if e["ph"] == "C" and e["name"] == "served [bytes]"]
    assert served[-1] == {"read": stats["memory"]["read_bytes"], "write": stats["memory"]["write_bytes"]}
    assert served == sorted(served, key=lambda values: (values["read"], values["write"]))


def test_same_bytes_whatever_the_threads(traced: Traced) -> None:
    chip, _, _ = traced
    other = played(threads=4)
    other.stats()
    assert "".join(trace.lines(chip.fabric, timeline=chip.timeline)) == "".join(
        trace.lines(other.fabric, timeline=other.timeline)
    )


def test_nothing_is_kept_unless_asked_and_tracing_changes_no_time() -> None:
    ends = []
    for asked in (False, True):
        chip = fake_chip(host_threads=1, trace=asked)
        queue = Host(chip).queue()
        encoder = Encoder(queue)
        for _ in range(3):
            encoder.submit()
        queue.finish(3)
        ends.append(chip.stats())
        assert (chip.timeline is not None) == bool(chip.fabric.spans) == asked
    assert ends[0] == ends[1]


def test_periods_stay_bounded_and_lose_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace.Periods, "MOST", 100)
    periods = trace.Periods(10)
    lasts = np.random.default_rng(1).integers(1, 50, (3000, 2))
    now_ps = 0
    for gap_ps, busy_ps in lasts.tolist():
        periods.add(now_ps + gap_ps, now_ps + gap_ps + busy_ps, 3)
        now_ps += gap_ps + busy_ps
    assert len(periods.found) <= 100
    assert sum(p.busy_ps for p in periods.found) == lasts[:, 1].sum()
    assert sum(p.runs for p in periods.found) == 3000
    assert sum(p.size_bytes for p in periods.found) == 9000
    assert all(a.end_ps + periods.gap_ps <= b.start_ps for a, b in zip(periods.found, periods.found[1:], strict=False))


def test_null_backend_writes_whole_files_and_refuses_what_it_did_not_keep(tmp_path: Path) -> None:
    from driver.backends.null import NullBackend
    from driver.errors import InvalidConfig, OutputError

    kept, not_kept = NullBackend("tiny", trace=True), NullBackend("tiny")
    Host(kept.chip)
    kept.write_trace(str(tmp_path / "a.json"))
    assert json.loads((tmp_path / "a.json").read_text())["otherData"]["chip"] == "tiny"
    with pytest.raises(InvalidConfig, match="trace=True"):
        not_kept.write_trace(str(tmp_path / "b.json"))
    with pytest.raises(OutputError):
        kept.write_trace(str(tmp_path / "no" / "c.json"))
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
