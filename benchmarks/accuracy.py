"""How near the model's cycle counts are to the RTL's: one line an engine, from what its bench recorded.

python -m benchmarks.accuracy [--seeds 1,2] [ENGINE ...]      runs the benches, then prints the table
python -m benchmarks.accuracy --recorded                      prints what earlier runs left

Engines off by more than asic_model/rtl_checks.py says are named, with exit code 1.
The error of a vector is |cycles(config, work) of the model - cycles counted in Verilator|.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from asic_model.rtl_checks import RTL_CHECKS
from benchmarks import measure
from rtl_tests import accuracy, simulator


def table(folder: Path) -> str:
    """The table as text."""
    lines = accuracy.summary(folder)
    if not lines:
        raise SystemExit(f"no records in {folder}: run the benches first")
    head = f"{'engine':20}{'vectors':>9}{'mean':>8}{'p99':>6}{'max':>6}{'total':>9}{'bins':>12}  open bins"
    rows = [head]
    for line in lines:
        bins = f"{line.bins - len(line.open_bins)}/{line.bins}" if line.bins else "-"
        opened = ", ".join(line.open_bins[:4]) + (" ..." if len(line.open_bins) > 4 else "")
        if line.vectors:
            figures = f"{line.mean_error:8.2f}{line.p99_error:6}{line.max_error:6}{line.total_error:+9.2%}"
        else:
            figures = f"{'-':>8}{'-':>6}{'-':>6}{'-':>9}"
        rows.append(f"{line.engine:20}{line.vectors:9}{figures}{bins:>12}  {opened}".rstrip())
    return "\n".join(rows)


def main() -> None:
    parser = measure.parser("accuracy", __doc__)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help="benches to run [all]")
    parser.add_argument("--seeds", default="1,2", help="seeds to run each bench with [1,2]")
    parser.add_argument("--recorded", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    if not arguments.recorded:
        shutil.rmtree(simulator.records_folder(), ignore_errors=True)
        for engine in arguments.engines or sorted(simulator.BENCHES):
            if engine not in simulator.BENCHES:
                raise SystemExit(f"{engine}: no such bench; one of {', '.join(sorted(simulator.BENCHES))}")
            for seed in map(int, arguments.seeds.split(",")):
                with tempfile.NamedTemporaryFile(suffix=".log") as log:
                    passed = simulator.run(simulator.BENCHES[engine], seed=seed, log=Path(log.name))
                print(f"{engine}: seed {seed}: {passed} tests passed", file=sys.stderr)
    print(measure.statement())
    print(table(simulator.records_folder()))
    claims = {check.bench: check.total_error for check in RTL_CHECKS.values() if check.total_error is not None}
    outside = accuracy.beyond(simulator.records_folder(), claims)
    for sentence in outside:
        print(f"outside of asic_model/rtl_checks.py: {sentence}")
    if outside:
        sys.exit(1)


if __name__ == "__main__":
    main()
