"""Worker processes say nothing and stay nowhere when their command is stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import sys, threading, time
from cli.worker_pool import worker_pool

if __name__ == "__main__":
    if sys.argv[1] == "spawn":
        threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
    try:
        with worker_pool(2) as pool:
            waiting = [pool.submit(time.sleep, 300) for _ in range(4)]
            print("begun", flush=True)
            waiting[0].result()
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize(("start", "after_s"), [("fork", 0), ("fork", 1), ("spawn", 0), ("spawn", 0.1), ("spawn", 1.5)])
def test_ctrl_c_of_the_terminal_s_whole_group(tmp_path: Path, start: str, after_s: float) -> None:
    """While the workers load their modules, and while they work."""
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", start], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")
    assert nobody_is_left(process.pid)


def nobody_is_left(group: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_leave_when_their_command_is_killed(tmp_path: Path, start: str) -> None:
    """kill -9 of the command alone, which can tell nobody."""
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", start], stdout=subprocess.PIPE, text=True, start_new_session=True,
        env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(1)
    process.kill()
    process.wait(timeout=60)
    try:
        assert nobody_is_left(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
