"""Same workload, same seed, same bytes: whatever the folder, the processes and the hash seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent

FILES = {
    "w.yaml": (
        "seed: 3\nduration_s: 0.05\nsessions:\n"
        "  - {count: 3, decode: chip, source: {width: 320, height: 192, fps: 30, bit_rate: 1M},\n"
        "     ladder: [320x192@400k, 160x96@100k], gop: 8, arrival: {kind: live, jitter_ms: 5}}\n"
    ),
    "space.yaml": (
        "chip: vcu\nworkload: w.yaml\nmode: random\nsamples: 6\nsensitivity_percent: 5\n"
        "axes: {encode.cores: [2, 4, 8], clocks.core_mhz: {low: 400, high: 1000}}\n"
        "measure: {kind: simulate, streams: 4, duration_s: 0.05}\nobjectives: {streams: max, nj_per_px: min}\n"
    ),
    "fleet.yaml": (
        "chip: vcu\nhosts: 2\ncards_per_host: 2\nchips_per_card: 2\nverify: 2\n"
        "demand: [{workload: live_ladder, per_hour: 300, peak: 1.8, peak_hour: 20, minutes: 45}]\n"
        "failures: {chip_mtbf_hours: 200, host_mtbf_hours: 500, repair_hours: 6}\n"
    ),
}
COMMANDS = {
    "simulate": ["simulate", "w.yaml", "--trace", "t.json", "--report", "r.json"],
    "simulate on chips": ["simulate", "w.yaml", "--chips", "2", "--report", "r.json", "--jobs", "JOBS"],
    "page": ["simulate", "w.yaml", "-q", "--report", "r.html"],
    "capacity": ["capacity", "--scenario", "w.yaml", "--chip", "tiny", "--report", "c.html"],
    "sweep": ["sweep", "space.yaml", "-o", "rows.jsonl", "--jobs", "JOBS"],
    "fleet": ["fleet", "fleet.yaml", "-o", "day.json", "--jobs", "JOBS"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_writes_the_same_bytes(tmp_path: Path, name: str) -> None:
    """One process and two, in folders of their own, with different hash seeds."""
    written = []
    for jobs, seed in (("1", "0"), ("2", "777")):
        folder = tmp_path / f"with {jobs}"
        folder.mkdir()
        for file, text in FILES.items():
            (folder / file).write_text(text)
        ran = subprocess.run(
            [sys.executable, "-m", "cli.main", *(jobs if word == "JOBS" else word for word in COMMANDS[name])],
            cwd=folder, env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(PROJECT)}, capture_output=True,
            text=True, timeout=300,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in FILES}
        assert found
        written.append((ran.stdout, found))
    assert written[0] == written[1]
