"""Sweeps: grids, random points, halving; a killed run goes on with nothing lost and nothing done twice."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from asic_model.workload import sweep
from asic_model.workload.errors import WorkloadError
from asic_model.workload.sweep import SpaceConfig, pareto, points, run

PROJECT = Path(__file__).resolve().parent.parent.parent
SPACE = """
name: small
chip: vcu
workload: w.yaml
mode: {mode}
samples: {samples}
axes:
  encode.cores: [1, 2, 4]
  clocks.core_mhz: {{low: 100, high: 900, steps: {steps}, whole: true}}
measure: {{kind: {kind}, streams: 3, duration_s: 0.02, warm_up_s: 0.01}}
area_mm2: {{encode.cores: 2.0}}
"""
WORKLOAD = (
    "sessions:\n  - {source: {width: 64, height: 64, fps: 30}, ladder: [64x64@50k], gop: 2, queue_depth: 1,"
    " rate_control: false}\n"
)


def space_in(folder: Path, **values: object) -> SpaceConfig:
    said = {"mode": "grid", "samples": 6, "steps": 3, "kind": "simulate", **values}
    (folder / "w.yaml").write_text(WORKLOAD)
    (folder / "space.yaml").write_text(SPACE.format(**said))
    return sweep.load(folder / "space.yaml")


def test_a_grid_is_every_combination_in_order(tmp_path: Path) -> None:
    found = points(space_in(tmp_path))
    assert [p.values["encode.cores"] for p in found] == [1, 1, 1, 2, 2, 2, 4, 4, 4]
    assert [p.values["clocks.core_mhz"] for p in found[:3]] == [100, 500, 900]


def test_rows_do_not_depend_on_the_executor(tmp_path: Path) -> None:
    space = space_in(tmp_path)
    alone, pooled = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    list(run(space, alone, None))
    with ThreadPoolExecutor(2) as executor:
        list(run(space, pooled, executor, 2))
    assert alone.read_bytes() == pooled.read_bytes()
    rows = [json.loads(line) for line in alone.read_text().splitlines()]
    assert rows[0]["points"] == 9
    assert [row["point"] for row in rows[1:]] == list(range(9))
    assert rows[1]["metrics"]["area_mm2"] == 2.0


def test_a_torn_row_is_cut_off_and_measured_again(tmp_path: Path) -> None:
    space, path = space_in(tmp_path), tmp_path / "rows.jsonl"
    list(run(space, path, None))
    whole = path.read_bytes()
    path.write_bytes(whole[:-25])
    again = list(run(space, path, None))
    assert [row["point"] for row in again] == [8]
    assert path.read_bytes() == whole


def test_another_space_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    list(run(space_in(tmp_path), path, None))
    with pytest.raises(WorkloadError, match="belongs to another space"):
        list(run(space_in(tmp_path, steps=4), path, None))
    path.write_text("hello\n")
    with pytest.raises(WorkloadError, match="line 1 is no JSON"):
        list(run(space_in(tmp_path), path, None))


def test_halving_keeps_the_best(tmp_path: Path) -> None:
    """8 points, a third goes on: 8 + 2 + 1 rows, and who goes on has most streams."""
    space = space_in(tmp_path, mode="halving", samples=8, kind="bounds")
    rows = list(run(space, tmp_path / "rows.jsonl", None))
    by_round = {n: [row for row in rows if row["round"] == n] for n in range(3)}
    assert [len(by_round[n]) for n in range(3)] == [8, 2, 1]
    best = max(row["metrics"]["streams"] for row in by_round[0])
    assert by_round[2][0]["metrics"]["streams"] == best
    assert list(run(space, tmp_path / "rows.jsonl", None)) == []


def test_a_chip_that_cannot_be_is_a_row_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(WORKLOAD)
    (tmp_path / "s.yaml").write_text("workload: w.yaml\naxes: {encode.cores: [1, 100]}\nmeasure: {kind: bounds}\n")
    rows = list(run(sweep.load(tmp_path / "s.yaml"), tmp_path / "r.jsonl", None))
    assert "metrics" in rows[0]
    assert "encode.cores" in rows[1]["error"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chip: vcv\naxes: {encode.cores: [1]}\n", "s.yaml: chip: .*vcv"),
        ("workload: live_laddr\naxes: {encode.cores: [1]}\n", "s.yaml: workload: .*live_laddr"),
        ("workload: none.yaml\naxes: {encode.cores: [1]}\n", "s.yaml: workload: .*none.yaml"),
        ("axes: {encode.cores: [1, []]}\n", r"axes\.encode\.cores: \[\] is not a value"),
        ("axes: {encode.cores: [.nan]}\n", r"axes\.encode\.cores: nan is not a value"),
        ("axes: {encode.cores: [1, null]}\n", r"axes\.encode\.cores: None is not a value"),
        ("samples: yes\naxes: {encode.cores: [1]}\n", "samples: true is not a number"),
    ],
)
def test_a_space_that_cannot_be_is_refused_before_a_row(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(WorkloadError, match=said):
        sweep.load(tmp_path / "s.yaml")


def test_axes_that_no_chip_has_are_named(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("axes: {encode.coers: [1]}\n")
    with pytest.raises(WorkloadError, match=r"encode\.coers: chips have no such figure"):
        sweep.load(tmp_path / "s.yaml")
    (tmp_path / "s.yaml").write_text("axes: {workload.presett: [fast]}\n")
    with pytest.raises(WorkloadError, match="sessions have no figure 'presett'"):
        sweep.load(tmp_path / "s.yaml")


def test_the_front_is_what_nothing_beats() -> None:
    """By hand: (3, 5) loses to (3, 4); (1, 1), (2, 2) and (3, 4) each win somewhere; equal rows stay."""
    rows = [{"metrics": {"a": a, "b": b}} for a, b in ((1, 1), (2, 2), (3, 5), (3, 4), (2, 2))]
    front = pareto([*rows, {"error": "none"}], {"a": "max", "b": "min"})
    assert [(row["metrics"]["a"], row["metrics"]["b"]) for row in front] == [(1, 1), (2, 2), (3, 4), (2, 2)]


def killed_sweep(folder: Path, after_rows: list[int]) -> list[dict[str, object]]:
    """Run `tasic sweep` in a process group, kill it with SIGKILL after so many new rows each, let it end; return its
    rows."""
    path = folder / "rows.jsonl"
    command = [
        sys.executable, "-m", "cli.main", "sweep", str(folder / "space.yaml"), "-o", str(path), "--jobs", "2", "-q",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    wanted = 0
    for more in after_rows:
        wanted += more
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, start_new_session=True)
        limit = time.monotonic() + 300
        while time.monotonic() < limit and process.poll() is None:
            if path.exists() and path.read_bytes().count(b"\n") > wanted:
                break
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, timeout=1200)
    return [json.loads(line) for line in path.read_text().splitlines()]


def check_killed(folder: Path, rows: list[dict[str, object]], count: int) -> None:
    assert [row["point"] for row in rows[1:]] == list(range(count))
    undisturbed = folder / "whole.jsonl"
    list(run(sweep.load(folder / "space.yaml"), undisturbed, None))
    assert undisturbed.read_bytes() == (folder / "rows.jsonl").read_bytes()


def test_kill_9_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    space_in(tmp_path, steps=20, kind="bounds")
    check_killed(tmp_path, killed_sweep(tmp_path, [8]), 60)


def test_two_sweeps_do_not_write_one_file(tmp_path: Path) -> None:
    space_in(tmp_path, steps=2, kind="bounds")
    space = sweep.load(tmp_path / "space.yaml")
    first = run(space, tmp_path / "rows.jsonl", None)
    next(first)
    with pytest.raises(WorkloadError, match="another sweep is writing it"):
        next(run(space, tmp_path / "rows.jsonl", None))
    assert len(list(first)) == 5
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 7


@pytest.mark.slow
def test_a_thousand_points_survive_kill_9(tmp_path: Path) -> None:
    space_in(tmp_path, mode="random", samples=1000, kind="bounds")
    moments = np.random.default_rng().integers(1, 200, 5).tolist()  # other ones each time: printed where it fails
    print(f"killed after so many rows each: {moments}")
    check_killed(tmp_path, killed_sweep(tmp_path, moments), 1000)
