"""How near the model's cycle counts are to the RTL's: one line an engine, from what its bench recorded.

python -m benchmarks.accuracy [--seeds 1,2] [ENGINE ...]      runs the benches, then prints the table
python -m benchmarks.accuracy --recorded                      prints what earlier runs left
... --record                                                  enters the errors in asic_model/rtl_errors.json

A bench that fails is named and the others go on; so are engines that are off by more than asic_model/rtl_errors.json
says. The exit code is 1 for both.
The error of a vector is |cycles(config, work) of the model - cycles counted in Verilator|.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from asic_model import rtl_checks
from benchmarks import measure
from rtl_tests import accuracy, simulator
from rtl_tests.campaign import chosen


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


def run_benches(engines: list[str], seeds: list[int]) -> list[str]:
    """Run the benches afresh; return what failed, one line each, with the command that runs it again."""
    shutil.rmtree(simulator.records_folder(), ignore_errors=True)
    failed = []
    for engine in engines:
        for seed in seeds:
            with tempfile.NamedTemporaryFile(suffix=".log") as log:
                try:
                    passed = simulator.run(simulator.BENCHES[engine], seed=seed, log=Path(log.name))
                except simulator.BenchFault as error:
                    failed.append("; ".join(str(error).splitlines()))
                    print(f"accuracy: {failed[-1]}", file=sys.stderr)
                else:
                    print(f"{engine}: seed {seed}: {passed} tests passed", file=sys.stderr)
    return failed


def main() -> None:
    parser = measure.parser("accuracy", __doc__)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help="benches to run [all]")
    parser.add_argument("--seeds", default="1,2", help="seeds to run each bench with [1,2]")
    parser.add_argument("--recorded", action="store_true", help="run nothing")
    parser.add_argument("--record", action="store_true", help="enter the errors in the table that the model reads")
    arguments = parser.parse_args()
    try:
        engines = [bench.engine for bench in chosen(arguments.engines)]
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
    except (simulator.BenchFault, ValueError) as error:
        raise SystemExit(f"accuracy: {error}") from None
    folder = simulator.records_folder()
    failed = [] if arguments.recorded else run_benches(engines, seeds)
    if failed and not folder.exists():
        sys.exit(1)
    print(measure.statement())
    print(table(folder))
    for sentence in failed:
        print(f"failed: {sentence}")
    if arguments.record and not failed:
        accuracy.record_errors(folder, rtl_checks.ERRORS)
        return
    outside = accuracy.beyond(folder, rtl_checks.recorded())
    for sentence in outside:
        print(f"outside of asic_model/rtl_errors.json: {sentence}")
    if failed or outside:
        sys.exit(1)


if __name__ == "__main__":
    main()
