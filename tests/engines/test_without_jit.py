"""The sample kernels give the same results as plain Python, and compiled with the scalar twins of the primitives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
KERNELS = ("transform", "intra_prediction", "inter_prediction", "deblock")


def run(engine: str, **environment: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(FOLDER / f"test_{engine}.py")]
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        cwd=FOLDER.parent.parent,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="already off")
@pytest.mark.parametrize("engine", KERNELS)
def test_without_jit(engine: str) -> None:
    run(engine, NUMBA_DISABLE_JIT="1")


@pytest.mark.slow
@pytest.mark.parametrize("engine", KERNELS)
def test_with_scalar_twins(engine: str, tmp_path: Path) -> None:
    run(engine, TASIC_NO_SIMD="1", NUMBA_CACHE_DIR=str(tmp_path))
