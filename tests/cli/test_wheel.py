"""Packaging: the wheel holds everything the command needs at run time, and works where the sources are not."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.driver.clips import write_clip

PROJECT = Path(__file__).resolve().parents[2]
PARTS = ("asic_model", "driver", "cli", "firmware", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources: building leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for part in PARTS:
        if (PROJECT / part).is_dir():
            shutil.copytree(PROJECT / part, folder / "src" / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / part, folder / "src" / part)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    subprocess.run([*command, str(folder / "src")], check=True, timeout=300)
    (found,) = folder.glob("tasic-*.whl")
    return found


def test_package_data_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    chips = {f"asic_model/chips/{path.name}" for path in (PROJECT / "asic_model/chips").glob("*.yaml")}
    assert len(chips) >= 4
    needed = chips | {
        "firmware/tasic.bin", "firmware/tasic.bin.sha256", "asic_model/codecs/h264/h264_tables.json",
        "cli/main.py", "driver/media/source.py", "driver/backends/model.py",
    }  # fmt: skip
    assert needed <= names, needed - names
    modules = {str(p.relative_to(PROJECT)) for part in PARTS[:4] for p in (PROJECT / part).rglob("*.py")}
    assert modules <= names, modules - names
    assert not {name for name in names if name.split("/")[0] in ("tests", "benchmarks", "rtl_tests", "docs")}


def test_the_installed_wheel_works_outside_the_sources(wheel: Path, tmp_path: Path) -> None:
    """Everything but the kernels, which would all be compiled again for another place: see the slow test."""
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(command, check=True, timeout=300)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import asic_model; "
        f"assert asic_model.__file__.startswith({str(site)!r}); from cli.main import run; "
        "sys.exit(run(['doctor']) or run(['chips', 'validate', 'vcu']) or run(['version']))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "vcu: good" in done.stdout
    assert "MISSING" not in done.stdout


@pytest.mark.slow
def test_pip_install_into_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True, timeout=120)
    subprocess.run([tmp_path / "env/bin/pip", "install", "--quiet", str(wheel)], check=True, timeout=900)
    write_clip(tmp_path / "in.mp4", count=2)
    for arguments in (["doctor"], ["transcode", "in.mp4", "out.mp4", "--chip", "tiny"]):
        subprocess.run([tmp_path / "env/bin/tasic", *arguments], cwd=tmp_path, check=True, timeout=900)
    assert (tmp_path / "out.mp4").stat().st_size > 500
