"""Kernels are compiled once, never stale, and the cache survives other processes, damage and time."""

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asic_model.kernel_cache import sources, store

PROJECT_DIR = Path(__file__).resolve().parents[2]

# Two kernels, one below the other, and what was compiled to run them.
MODULE = """
from asic_model.kernel_cache import kernel

@kernel
def inner(values, scale):
    total = 0
    for value in values:
        total += value * scale
    return total

@kernel
def outer(values):
    return inner(values, 3) + {offset}
"""
PROGRAM = """
import numba, numpy as np
from numba.core import event
from numba import types

class Count(event.Listener):
    names = []
    def on_start(self, e):
        self.names.append(e.data["dispatcher"].py_func.__name__)
    def on_end(self, e):
        pass

event.register("numba:compile", Count())
import kernels
{code}
print(sorted(name for name in Count.names if name in ("inner", "outer")))
"""
CALL = "print(kernels.outer(np.arange(4)))"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kernels.py").write_text(MODULE.format(offset=100))
    return tmp_path


def run(folder: Path, code: str = CALL) -> list[str]:
    """Run the program in a process of its own; return its lines."""
    environment = {
        **os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": f"{PROJECT_DIR}:{folder}",
        "TASIC_QUIET_COMPILE": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(code=code)], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_compiled_once_and_again_when_the_text_changes(folder: Path) -> None:
    """3 * (0 + 1 + 2 + 3) + 100 = 118. A second process compiles nothing; an edit changes the answer."""
    assert run(folder) == ["118", "['inner', 'outer']"]
    assert run(folder) == ["118", "[]"]
    (folder / "kernels.py").write_text(MODULE.format(offset=200))
    assert run(folder) == ["218", "['inner', 'outer']"]


def test_a_caller_finds_callees_that_another_process_compiled(folder: Path) -> None:
    """Only `outer` is removed from the cache: it is compiled again, from the kept bitcode of `inner`."""
    run(folder)
    for file in (folder / "cache").glob("kernels.outer-*"):
        file.unlink()
    assert run(folder) == ["118", "['outer']"]


def test_a_callee_alone_is_called_from_python_and_from_foreign_code(folder: Path) -> None:
    """A kernel that others call has a Python entry on demand; plain numba functions may call kernels too."""
    code = "print(kernels.inner(np.arange(4), 5))\nprint(numba.njit(lambda a: kernels.outer(a) + 1)(np.arange(4)))"
    assert run(folder, code)[:2] == ["30", "119"]


def test_processes_side_by_side_do_not_do_the_same_work(folder: Path) -> None:
    """Three start at once: each kernel is compiled by one of them, and all give the answer."""
    environment = {
        **os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": f"{PROJECT_DIR}:{folder}",
        "TASIC_QUIET_COMPILE": "1",
    }  # fmt: skip
    words = [sys.executable, "-c", PROGRAM.format(code=CALL)]
    running = [subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = [process.communicate()[0].splitlines() for process in running]
    assert [lines[0] for lines in answers] == ["118"] * 3
    # `outer` is claimed first and `inner` inside of it, by the same process
    assert sorted(lines[1] for lines in answers) == ["['inner', 'outer']", "[]", "[]"]
    assert not list((folder / "cache").glob(".*"))


def test_damaged_files_are_compiled_again(folder: Path) -> None:
    run(folder)
    files = list((folder / "cache").iterdir())
    assert files
    for number, file in enumerate(files):
        file.write_bytes(file.read_bytes()[:100] if number % 2 else b"")
    assert run(folder) == ["118", "['inner', 'outer']"]
    assert run(folder) == ["118", "[]"]


def test_a_folder_that_takes_nothing_only_costs_time(folder: Path) -> None:
    (folder / "cache").write_text("a file, where a folder should be")
    assert run(folder) == ["118", "['inner', 'outer']"]


def put(folder: Path, name: str, size: int, age_seconds: float) -> Path:
    path = folder / name
    path.write_bytes(bytes(size))
    then = time.time() - age_seconds
    os.utime(path, (then, then))
    return path


def test_sweep_removes_the_unused_by_age_then_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100-byte files: past the age goes; beyond 250 bytes the longest unused goes; the last hour's stay."""
    monkeypatch.setattr(store, "cache_dir", lambda: tmp_path)
    old = put(tmp_path, "old.kernel", 100, 31 * store.DAY_SECONDS)
    part = put(tmp_path, ".left.kernel-part", 100, 40 * store.DAY_SECONDS)
    unused = put(tmp_path, "unused.kernel", 100, 3 * store.DAY_SECONDS)
    used = put(tmp_path, "used.kernel", 100, 2 * store.DAY_SECONDS)
    foreign = put(tmp_path, "another_program.nbi", 100, 99 * store.DAY_SECONDS)
    fresh = [put(tmp_path, f"fresh{number}.kernel", 100, 60) for number in range(2)]
    assert store.sweep(30 * store.DAY_SECONDS, 10_000) == 200
    assert not old.exists()
    assert not part.exists()
    assert store.sweep(30 * store.DAY_SECONDS, 350) == 100
    assert not unused.exists()
    assert used.exists()
    assert store.sweep(30 * store.DAY_SECONDS, 0) == 100  # the fresh ones are about to be loaded
    assert not used.exists()
    assert all(file.exists() for file in fresh)
    assert store.clear() == 200
    assert foreign.exists()


def test_use_renews_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "cache_dir", lambda: tmp_path)
    put(tmp_path, "one.kernel", 10, 29 * store.DAY_SECONDS)
    assert store.read("one") == bytes(10)
    assert store.sweep(store.DAY_SECONDS, 0) == 0
    assert store.read("none") is None


def test_imports_are_those_that_the_parser_finds() -> None:
    """Every module of the package: a missed import would leave old code in the store."""
    for path in sources.PACKAGE_DIR.rglob("*.py"):
        names = []
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                assert not node.level, f"{path}: relative import"
                names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        files = {file for file in map(sources._module_file, names) if file}
        assert set(sources._imports(path)) == files, path
