"""How much faster the model is than its RTL: the same QCIF I pictures through both, CPU time, in one process.

The encode core's RTL runs in Verilator with a memory of its own, so that no Python runs in a cycle; the model is warm.
Both must give the same bytes.
"""

import json
import tempfile
from pathlib import Path

from benchmarks import measure
from rtl_tests import simulator

BENCH = simulator.Bench(
    engine="encode_core_speed",
    top="encode_core_alone",
    sources=(*simulator.BENCHES["encode_core"].sources, "../encode_core/encode_core_alone.sv"),
    module="rtl_tests.encode_core.speed",
)


def main() -> None:
    parser = measure.parser("rtl_speed", __doc__)
    parser.add_argument("--pictures", type=int, default=2, choices=(1, 2, 3, 4), help="pictures of the clip [2]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        memory, times = Path(folder) / "memory", Path(folder) / "times"
        simulator.run(
            BENCH, seed=1, log=Path(folder) / "log", record=False,
            plusargs=(f"+memory={memory}",),
            environment={
                "TASIC_RTL_SPEED": str(times), "TASIC_RTL_MEMORY": str(memory),
                "TASIC_RTL_PICTURES": str(arguments.pictures),
            },
        )  # fmt: skip
        found = json.loads(times.read_text(encoding="utf-8"))
    print(measure.statement())
    print(f"{found['clip']}, 176x144, QP 27, CABAC, {arguments.pictures} I pictures; CPU time a picture")
    print(f"model      {1000 * found['model_s']:10.2f} ms")
    print(f"Verilator  {1000 * found['rtl_s']:10.2f} ms   {found['cycles']} cycles")
    print(f"ratio      {found['rtl_s'] / found['model_s']:10.0f}")


if __name__ == "__main__":
    main()
