"""A short form of `python -m benchmarks.soak`: faults and a killed client; each result is good or an error."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_sessions_of_all_kinds_survive():
    command = [sys.executable, "-m", "benchmarks.soak", "--seconds", "12", "--clients", "2", "--sessions", "6",
               "--fault-every", "1", "--kill-every", "6", "--chip", "vcu"]  # fmt: skip
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "passed" in done.stdout
    assert " good" in done.stdout
