"""How much faster the model is than its RTL: the same QCIF I pictures through both, CPU time, in one process.

Three ways: the encode core's RTL in Verilator with a memory of its own, no Python in a cycle, built for speed (C++ with
-O3, no assertions) and as the benches build it (-Os, as Verilator's makefile has it, with assertions); and as `tasic
rtl run` runs it, with the bench's memory. One thread each. The model is warm. All must give the same bytes.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import measure
from rtl_tests import simulator

SERVED = replace(simulator.BENCHES["encode_core"], module="rtl_tests.encode_core.speed")
ALONE = replace(
    SERVED,
    engine="encode_core_alone",
    top="encode_core_alone",
    sources=(*SERVED.sources, "../encode_core/encode_core_alone.sv"),
)
FAST = replace(
    ALONE,
    engine="encode_core_fast",
    build_args=("--no-assert", "--x-assign", "fast", "--x-initial", "fast", "-O3", "-CFLAGS", "-O3"),
)


def times(bench: simulator.Bench, test: str, pictures: int) -> dict[str, Any]:
    """What `rtl_tests.encode_core.speed` measured."""
    with tempfile.TemporaryDirectory() as folder:
        memory, found = Path(folder) / "memory", Path(folder) / "times"
        simulator.run(
            bench, seed=1, log=Path(folder) / "log", record=False, tests=f"{test}$",
            plusargs=(f"+memory={memory}",),
            environment={
                "TASIC_RTL_SPEED": str(found), "TASIC_RTL_MEMORY": str(memory), "TASIC_RTL_PICTURES": str(pictures),
            },
        )  # fmt: skip
        read: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
        return read


def main() -> None:
    parser = measure.parser("rtl_speed", __doc__)
    parser.add_argument("--pictures", type=int, default=2, choices=(1, 2, 3, 4), help="pictures of the clip [2]")
    arguments = parser.parse_args()
    rows = []
    for name, bench, test in (
        ("Verilator alone, built for speed", FAST, "alone"),
        ("Verilator alone", ALONE, "alone"),
        ("as the bench runs it", SERVED, "served"),
    ):
        found = times(bench, test, arguments.pictures)
        ratio = found["rtl_s"] / found["model_s"]
        rows.append(f"{name:34}{1e3 * found['rtl_s']:10.1f} ms{1e3 * found['model_s']:10.2f} ms{ratio:10.0f}")
    print(measure.statement())
    print(
        f"{found['clip']}, 176x144, QP 27, CABAC, {arguments.pictures} I pictures, {found['cycles']} cycles a picture"
    )
    print(f"{'CPU time a picture':34}{'RTL':>13}{'model':>13}{'ratio':>10}")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
