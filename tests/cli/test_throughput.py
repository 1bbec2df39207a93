"""record, simulate, capacity, sweep, fleet, explain, compare: what users see, good and bad."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import run
from tests.driver.clips import write_clip

PROJECT = Path(__file__).resolve().parent.parent.parent
WORKLOAD = (
    "sessions:\n  - {count: 3, source: {width: 160, height: 96, fps: 30}, ladder: [160x96@200k, 80x48@60k], gop: 4}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded clip, its report, and a workload."""
    folder = tmp_path_factory.mktemp("throughput")
    write_clip(folder / "clip.mp4", width=96, height=64, count=6)
    report = str(folder / "run.json")
    assert run(["record", str(folder / "clip.mp4"), str(folder / "clip.work"), "-q", "--report", report]) == 0
    (folder / "w.yaml").write_text(WORKLOAD)
    return folder


def test_a_recorded_clip_plays_back_with_the_same_figures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = str(folder / "played.json")
    assert run(["simulate", str(folder / "clip.work"), "--report", report]) == 0
    assert "equal to the recording to the picosecond" in capsys.readouterr().out
    # The recording's report was taken before the device was closed, as playback's: nothing moved.
    assert run(["compare", str(folder / "run.json"), report, "--allow", "control.=1", "--allow", "energy.=1"]) == 0


def test_a_trace_on_another_chip_is_a_simulation(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", str(folder / "clip.work"), "--chip", "msvp", "--duration", "0.2"]) == 0
    said = capsys.readouterr().out
    assert "clip.mp4: 1 streams" in said
    assert "0 late, 0 dropped" in said


def test_a_workload_makes_every_kind_of_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [folder / f"sim{suffix}" for suffix in (".html", ".json", ".txt")]
    trace = folder / "sim.trace"
    options = [word for name in names for word in ("--report", str(name))]
    assert run(["simulate", str(folder / "w.yaml"), "--duration", "0.1", *options, "--trace", str(trace)]) == 0
    page, text = names[0].read_text(), names[2].read_text()
    for title in ("Streams against limits", "Latency", "Roofline", "Memory bandwidth over time"):
        assert title in page
        assert title in text
    assert '<svg class="plot"' in page
    assert "http" not in page.replace("http-equiv", "")
    assert json.loads(trace.read_text())
    assert run(["explain", str(names[1])]) == 0
    assert "streams: all pictures come back in time." in capsys.readouterr().out


def test_compare_finds_what_moved_and_says_so_by_its_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((folder / "run.json").read_text())
    before["cores"]["encode"]["cycles_per_unit"] *= 1.03
    moved = folder / "moved.json"
    moved.write_text(json.dumps(before))
    assert run(["compare", str(folder / "run.json"), str(moved)]) == 1
    assert "cores.encode.cycles_per_unit" in capsys.readouterr().out
    assert run(["compare", str(folder / "run.json"), str(moved), "--tolerance", "5"]) == 0
    assert run(["compare", str(folder / "run.json"), str(moved), "--allow", "cores.encode.=4"]) == 0
    assert run(["compare", str(folder / "run.json"), str(moved), "--tolerance", "5", "--allow", "cores.=1"]) == 1


def test_capacity_prints_one_number_when_asked_to_be_quiet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--chip", "tiny", "--duration", "0.05", "-q"]
    assert run(["capacity", "--scenario", str(folder / "w.yaml"), *options]) == 0
    assert int(capsys.readouterr().out) > 0


def test_a_sweep_and_a_fleet_from_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "s.yaml").write_text(
        "workload: w.yaml\naxes: {encode.cores: [1, 2]}\nmeasure: {kind: bounds}\nobjectives: {streams: max}\n"
        "sensitivity_percent: 5\n"
    )
    rows = folder / "rows.jsonl"
    assert run(["sweep", str(folder / "s.yaml"), "-o", str(rows), "--jobs", "1"]) == 0
    assert len(rows.read_text().splitlines()) == 3
    assert "memory bandwidth" in capsys.readouterr().out
    (folder / "f.yaml").write_text("demand: [{workload: w.yaml, per_hour: 50}]\nhours: 3\n")
    assert run(["fleet", str(folder / "f.yaml"), "-o", str(folder / "day.json"), "-q"]) == 0
    assert json.loads((folder / "day.json").read_text())["rejected"] == 0


_EVERYTHING = """
import sys
from cli.main import run
jobs = sys.argv[1]
options = ["--duration", "0.05", "-q"]
assert run(["simulate", "w.yaml", *options, "--report", "simulate.json"]) == 0
assert run(["simulate", "w.yaml", *options, "--chips", "2", "--jobs", jobs, "--report", "host.json"]) == 0
assert run(["capacity", "--scenario", "w.yaml", "--chip", "tiny", *options, "--report", "capacity.json"]) == 0
assert run(["sweep", "s.yaml", "-o", "sweep.json", "--jobs", jobs, "-q"]) == 0
assert run(["fleet", "f.yaml", "-o", "fleet.json", "--jobs", jobs, "-q"]) == 0
"""


@pytest.mark.slow
def test_every_command_writes_the_same_bytes_whatever_runs_it(tmp_path: Path) -> None:
    """Two runs in two folders, with other hash seeds and numbers of processes."""
    written = []
    for name, hash_seed, jobs in (("a", "1", "1"), ("deeper/b", "999", "2")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "w.yaml").write_text(WORKLOAD)
        (folder / "s.yaml").write_text(
            "workload: w.yaml\naxes: {encode.cores: [1, 2]}\nmeasure: {kind: simulate, streams: 3, duration_s: 0.05}\n"
        )
        (folder / "f.yaml").write_text("demand: [{workload: w.yaml, per_hour: 50}]\nhours: 3\nverify: 1\n")
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(PROJECT)}
        command = [sys.executable, "-c", _EVERYTHING, jobs]
        subprocess.run(command, cwd=folder, env=environment, check=True, timeout=300)
        written.append({path.name: path.read_bytes() for path in folder.glob("*.json")})
    assert sorted(written[0]) == ["capacity.json", "fleet.json", "host.json", "simulate.json", "sweep.json"]
    for name, content in written[0].items():
        assert content == written[1][name], name


@pytest.mark.parametrize("what", ["preset", "deadline", "outputs"])
def test_capacity_as_a_table(folder: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every preset, deadlines from 20 to 500 ms, several outputs against one: a row each, in the report too."""
    report = str(folder / f"{what}.json")
    options = ["--chip", "tiny", "--duration", "0.05", "--vary", what, "--report", report]
    assert run(["capacity", "--scenario", str(folder / "w.yaml"), *options]) == 0
    rows = json.loads(Path(report).read_text())["capacity"]["rows"]
    names = {
        "preset": ["fast", "medium", "slow"],
        "deadline": ["20 ms", "33 ms", "50 ms", "100 ms", "200 ms", "500 ms"],
        "outputs": ["several outputs", "one output"],
    }
    assert [row["name"] for row in rows] == names[what]
    held = [row["streams"] for row in rows]
    assert held == sorted(held, reverse=what == "preset") or what == "outputs"  # slower holds less, later holds more
    assert all(row["error"]["low"] <= 0 <= row["error"]["high"] for row in rows)
    said = capsys.readouterr().out
    assert all(name in said for name in names[what])
    assert ("times the samples" in said) == (what == "outputs")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulate", "live_lader"], "did you mean live_ladder?"),
        (["simulate", "nothing.work"], "nothing.work: No such file"),
        (["simulate", "{}/clip.mp4"], "no such workload"),
        (["simulate", "{}/clip.work", "--chips", "2"], "option --chips: a trace is played on one chip"),
        (["capacity", "--scenario", "{}/w.yaml", "--chip", "vcuu"], "did you mean 'vcu'?"),
        (["explain", "{}/clip.work"], "is no JSON"),
        (["explain", "{}/w.json"], "No such file"),
        (["compare", "{}/run.json", "{}/run.json", "--allow", "x"], "'x' is not PATH=PERCENT"),
        (["sweep", "{}/w.yaml", "-o", "{}/x.jsonl"], "no such field"),
        (["fleet", "{}/w.yaml"], "no such field"),
    ],
)
def test_mistakes_are_one_line_and_a_code(
    folder: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run([word.replace("{}", str(folder)) for word in arguments])
    error = capsys.readouterr().err
    assert code == 1
    assert said in error
    assert error.count("\n") == 1
