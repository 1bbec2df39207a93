"""Many streams on one chip: conservation, limits that bind, detail, order, the same outcome every time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asic_model.config import load_chip, with_changes
from asic_model.cores import prepared
from asic_model.cores.fabric import Fabric
from asic_model.cores.result import REQUEST, CoreResult
from asic_model.trace import events
from asic_model.workload import host, workload
from asic_model.workload.errors import WorkloadError
from asic_model.workload.simulation import Arrival, Outcome, Placed, simulate
from asic_model.workload.simulation_report import report
from asic_model.workload.streams import Stream, from_trace
from asic_model.workload.synthetic import Output, Spec, build
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.options import EncoderConfig
from tests.workload.recording import moving_pictures, recorded_run

SMALL = Spec("small", 320, 192, 30.0, (Output(320, 192, 4e5), Output(160, 96, 1e5)), gop=8, decode="chip")
PROJECT = Path(__file__).resolve().parent.parent.parent


def small_stream(chip: str = "vcu", detail: str = "group", **changes: object) -> Stream:
    return build(Spec(**{**SMALL.__dict__, **changes}), load_chip(chip), detail)  # type: ignore[arg-type]


def test_live_streams_within_the_chip_lose_nothing() -> None:
    """0.5 s at 30 pictures a second are 15 pictures a stream, give or take the phase; each is two encode jobs."""
    stream = small_stream()
    outcome = simulate(load_chip("vcu"), [Placed(stream)] * 6, duration_s=0.5, warm_up_s=0.1)
    assert outcome.late_share == 0
    assert all(14 <= s.finished <= 16 and not s.dropped for s in outcome.streams)
    finished = sum(s.finished for s in outcome.streams)
    # Jobs: decode, scale, two encodes a picture; the warm-up's 3 pictures come on top.
    assert finished * 4 <= outcome.jobs <= (finished + 6 * 5) * 4
    assert 0 < outcome.latency(0.5) <= outcome.latency(0.99) < 2 / 30


def test_what_cores_ask_for_is_served_and_counted_once() -> None:
    stream = small_stream()
    outcome = simulate(load_chip("vcu"), [Placed(stream)] * 2, duration_s=0.2)
    served = sum(
        moved["read"] + moved["write"]
        for owner, clients in outcome.fabric.traffic().items()
        if owner != "other"
        for moved in clients.values()
    )
    a_picture = sum(int(task.job.asked.sum()) for task in stream.pictures[1].tasks)
    pictures = outcome.jobs / 4
    assert served == pytest.approx(a_picture * pictures, rel=0.15)  # I pictures read no references


def test_too_many_streams_are_late_and_the_full_resource_says_so() -> None:
    """One encode core at 12 MHz: the encode cores are what is full, and pictures are dropped."""
    config = with_changes(load_chip("vcu"), {"encode.cores": 1, "clocks.core_mhz": 12})
    stream = build(SMALL, config)
    outcome = simulate(config, [Placed(stream, Arrival(drop_after=3))] * 12, duration_s=0.5)
    assert outcome.late_share > 0.2
    assert outcome.limits["encode"] > 0.97
    assert sum(s.dropped for s in outcome.streams) > 0
    assert max(outcome.limits, key=lambda name: outcome.limits[name]) == "encode"


def test_files_go_as_fast_as_the_chip() -> None:
    """A file's stream is never idle: the same chip does more pictures of it than of a live one."""
    stream = small_stream()
    live = simulate(load_chip("vcu"), [Placed(stream)], duration_s=0.2)
    file = simulate(load_chip("vcu"), [Placed(stream, Arrival("file"))], duration_s=0.2)
    assert file.frames_s > 3 * live.frames_s


def test_a_higher_priority_is_served_first() -> None:
    config = with_changes(load_chip("vcu"), {"encode.cores": 1, "clocks.core_mhz": 12})
    stream = build(SMALL, config)
    placed = [Placed(stream, priority=int(n == 0)) for n in range(12)]
    outcome = simulate(config, placed, duration_s=0.5)
    first, others = outcome.streams[0], outcome.streams[1:]
    assert first.late == 0
    assert np.mean(first.latencies) < 0.75 * min(np.mean(s.latencies) for s in others if s.latencies)


def uneven_job(units: int = 600) -> CoreResult:
    """Two stages of random length; each unit reads a line and writes one."""
    random = np.random.default_rng(3)
    cycles = random.integers(40, 400, (units, 2))
    rows = np.zeros(2 * units, REQUEST)
    rows["unit"] = np.repeat(np.arange(units), 2)
    rows["stage"], rows["write"] = np.tile([0, 1], units), np.tile([0, 1], units)
    rows["rows"], rows["size"], rows["pitch"] = 16, 64, 2048
    rows["address"] = 64 * (rows["unit"] % 32) + 2048 * 16 * (rows["unit"] // 32) + (rows["write"] << 24)
    return CoreResult(0, 0, 0, ("one", "two"), cycles, rows, np.zeros(units))


@pytest.mark.parametrize("mode", ["fifo", "lockstep"])
def test_groups_take_as_long_as_their_units_when_memory_is_idle(mode: str) -> None:
    """The group's step is the time its units need in the pipeline; bytes stay the same to the last one."""
    config = with_changes(load_chip("vcu"), {"encode.pipeline.mode": mode})
    times, traffic = [], []
    for make in (prepared.macroblocks, prepared.groups):
        fabric = Fabric(config)
        fabric.begin(0, make(uneven_job(), config.encode.pipeline), 0)
        (end,) = fabric.advance(1 << 60)
        times.append(end[1])
        traffic.append(fabric.traffic()["encode0"])
    assert traffic[0] == traffic[1]
    assert times[1] == pytest.approx(times[0], rel=0.02)


def test_detail_changes_little() -> None:
    """Grouped against exact, the same streams: cores' use within 3 %."""
    outcomes: list[Outcome] = []
    for detail in ("macroblock", "group"):
        stream = build(Spec("s", 640, 384, 30.0, (Output(640, 384, 1e6),), gop=8), load_chip("vcu"), detail)
        outcomes.append(simulate(load_chip("vcu"), [Placed(stream)] * 12, duration_s=0.2, detail=detail))
    exact, grouped = outcomes
    assert grouped.limits["encode"] == pytest.approx(exact.limits["encode"], rel=0.03)
    assert grouped.limits["memory"] == pytest.approx(exact.limits["memory"], rel=0.15)


def test_a_trace_becomes_a_stream_on_any_chip() -> None:
    trace, _ = recorded_run("vcu", count=5)
    for chip in ("vcu", "msvp"):
        stream = from_trace(trace, load_chip(chip), fps=30)
        assert len(stream.pictures) == 5
        assert sorted(stream.lanes) == ["encode", "encode", "scale"]
        outcome = simulate(load_chip(chip), [Placed(stream)] * 3, duration_s=0.2)
        assert outcome.late_share == 0


def test_b_pictures_wait_for_the_one_after_them() -> None:
    """Three B pictures at 30 a second on an idle chip: a picture waits 100, 67, 33 or 0 ms for its anchor.

    Sampled at the end of each group of four; the default deadline of two periods counts from there.
    """
    stream = small_stream(b_frames=3, gop=17)
    assert (stream.reorder, set(stream.parts), len(stream.pictures)) == (3, {4}, 17)
    outcome = simulate(load_chip("vcu"), [Placed(stream)] * 4, duration_s=1.0, warm_up_s=0.2)
    assert outcome.late_share == 0
    waited = np.sort(np.concatenate([s.latencies for s in outcome.streams])) * 30
    counts = np.bincount(np.round(waited).astype(int))
    assert len(counts) == 4
    assert counts[1:] == pytest.approx(waited.size * 4 / 17, rel=0.2)  # 4 whole groups of the 17 pictures
    assert counts[0] == pytest.approx(waited.size * 5 / 17, rel=0.2)  # their anchors, and the I picture
    assert all(27 <= s.finished <= 33 and not s.dropped for s in outcome.streams)  # whole groups


def test_b_pictures_cost_their_own_tables_and_read_two_lists() -> None:
    stream = small_stream(b_frames=3, gop=17, preset="medium", references=2, decode="host", outputs=SMALL.outputs[:1])
    plain = small_stream(b_frames=0, gop=17, preset="medium", references=2, decode="host", outputs=SMALL.outputs[:1])
    jobs = {len(picture.tasks) for picture in stream.pictures}
    assert jobs == {0, 1, 4}  # an I picture, or an anchor with three B pictures
    assert sum(len(p.tasks) for p in stream.pictures) == sum(len(p.tasks) for p in plain.pictures) == 17
    asked = [[int(task.job.asked[:, 0].sum()) for p in each.pictures for task in p.tasks] for each in (stream, plain)]
    assert np.mean(asked[0]) > np.mean(asked[1])  # three references instead of two


def test_a_trace_of_one_output_keeps_every_picture() -> None:
    """With B pictures most uploads are the last one of no job; each picture is still one picture with one job."""
    with Device.open("model:vcu", record=True) as device:
        config = EncoderConfig(width=96, height=64, qp=30, gop_size=9, preset="fast", scene_cut=0)
        with EncodeSession(device, config) as session:
            for _ in session.encode(moving_pictures(9, 96, 64)):
                pass
        backend: Any = device.backend
        stream = from_trace(backend.work_trace({"fps": 30}), load_chip("vcu"))
    assert stream.parts == [1] * 9
    assert [len(picture.tasks) for picture in stream.pictures] == [1, 0, 0, 0, 4, 0, 0, 0, 4]
    assert [task.back for task in stream.pictures[4].tasks] == [0, 2, 3, 1]
    outcome = simulate(load_chip("vcu"), [Placed(stream)], duration_s=0.5)
    assert outcome.frames_s == pytest.approx(30, abs=4)
    assert outcome.late_share == 0


def test_a_chip_without_the_cores_is_refused() -> None:
    config = with_changes(load_chip("vcu"), {"decode.cores": 0})
    with pytest.raises(WorkloadError, match="decode: chip needs decode cores; vcu has none"):
        build(SMALL, config)


_SCRIPT = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from asic_model.config import load_chip
from asic_model.workload import host, workload
load = workload.parse(open(sys.argv[1], "rb").read())
with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    print(json.dumps(host.simulate_host(load, load_chip("vcu"), 2, executor=pool)))
"""


def test_the_same_bytes_whatever_runs_it(tmp_path: Path) -> None:
    """Threads, folder, hash seed and process do not show in a report."""
    text = (
        "seed: 7\nduration_s: 0.05\nwarm_up_s: 0.02\nsessions:\n"
        "  - {count: 5, source: {width: 160, height: 96, fps: 60}, ladder: [160x96@200k, 80x48@50k], gop: 4}\n"
    )
    here = host.simulate_host(workload.parse(text.encode()), load_chip("vcu"), 2)
    for number, (threads, hash_seed) in enumerate((("1", "0"), ("3", "12345"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "w.yaml").write_text(text)
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(PROJECT)}
        ran = subprocess.run(
            [sys.executable, "-c", _SCRIPT, "w.yaml", threads],
            cwd=folder, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert ran.stdout.strip() == json.dumps(here)


def test_the_report_adds_up_where_some_jobs_are_played_in_groups() -> None:
    """A large output in groups and a small one exactly, on one core: stages are busy with both."""
    config = with_changes(load_chip("vcu"), {"encode.cores": 1})
    outputs = (Output(640, 384, 1e6), Output(160, 96, 1e5))  # 960 macroblocks: groups; 60: not
    stream = build(Spec("two", 640, 384, 30, outputs, gop=4), config)
    record = report(config, simulate(config, [Placed(stream)] * 8, duration_s=0.2))
    encode = record["cores"]["encode"]
    cycles = {stage["name"]: stage["cycles_mean"] for stage in encode["stages"]}
    for stage in encode["stages"]:
        shares = stage["busy_share"], stage["waiting_share"], stage["idle_share"]
        assert sum(shares) == pytest.approx(1)
        assert min(shares) >= 0
        # The same units went through all stages: a stage's busy time is its cycles' share of a unit's.
        expected = encode["utilization"] * min(1, cycles[stage["name"]] / encode["cycles_per_unit"])
        assert stage["busy_share"] == pytest.approx(expected, rel=1e-3), stage["name"]
        assert not any(key.startswith("stall") for key in stage)
    assert sum(stage["bottleneck_share"] for stage in encode["stages"]) == pytest.approx(1)
    assert not {"memory_bottleneck_share", "latency_cycles_p50", "latency_cycles_p99"} & set(encode)
    scale = record["cores"]["scale"]  # 60 tiles a picture: played one by one
    assert sum(s["bottleneck_share"] for s in scale["stages"]) + scale["memory_bottleneck_share"] == pytest.approx(1)
    for stage in scale["stages"]:
        assert sum(stage[f"{part}_share"] for part in FIVE) == pytest.approx(1)


def test_the_timeline_names_the_track_that_a_slice_is_on() -> None:
    """Large outputs in groups and small ones not, on one core: each slice stands on the track of its name."""
    config = with_changes(load_chip("vcu"), {"encode.cores": 1})
    outputs = (Output(640, 384, 1e6), Output(160, 96, 1e5))
    stream = build(Spec("two", 640, 384, 30, outputs, gop=4), config)
    made = list(events(simulate(config, [Placed(stream)] * 4, duration_s=0.2, trace=True).fabric))
    names = {(each["pid"], each["tid"]): each["args"]["name"] for each in made if each["name"] == "thread_name"}
    on: dict[str, set[str]] = {}
    for each in made:
        if each["ph"] == "X":
            on.setdefault(names[each["pid"], each["tid"]], set()).add(each["name"].split(" ")[0])
    assert on.pop("jobs") == {"job"}
    assert {"group", "motion_search", "horizontal"} <= set(on)
    assert all(slices == {track} for track, slices in on.items())


FIVE = ("busy", "stall_input", "stall_memory", "stall_output", "idle")


def test_the_report_adds_up() -> None:
    outcome = simulate(load_chip("vcu"), [Placed(small_stream())] * 3, duration_s=0.1)
    record = report(load_chip("vcu"), outcome)
    part = record["simulation"]
    assert part["finished"] == sum(part["latency_histogram"]["pictures"]) == sum(k["finished"] for k in part["kinds"])
    assert set(part["limits"]) >= {"encode", "scale", "decode", "memory", "firmware", "sessions", "memory size"}
    assert all(0 <= share <= 1 for share in part["limits"].values())
    encode = record["cores"]["encode"]
    assert encode["stages"]
    assert all(0 <= stage["busy_share"] <= 1 for stage in encode["stages"])
    json.dumps(record, allow_nan=False)
