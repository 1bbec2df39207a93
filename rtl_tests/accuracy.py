"""What a bench measured: the model's cycles beside the RTL's, vector by vector, and which named bins it has met.

In a bench:

    record = Record("deblock", "random_macroblocks")
    record.bins("strength", ["0", "1", "2", "3", "4"])       # what has to occur
    ...
    record.hit("strength", bs)
    record.cycles(model=cycles(config, work), rtl=counted)   # once a vector
    record.write()

`write` leaves one JSON file; `rtl_tests.simulator.run` collects those of a bench that passed, `benchmarks/accuracy`
prints the table. Outside a run of the simulator nothing is written.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil, floor, inf
from pathlib import Path

FOLDER_VARIABLE = "TASIC_RTL_RECORDS"
FORMAT = 1


@dataclass
class Record:
    """The record of one test of one engine's bench."""

    engine: str
    test: str
    errors: Counter[int] = field(default_factory=Counter)  # (model - RTL) cycles -> vectors
    rtl_cycles: int = 0  # all vectors together
    model_cycles: int = 0
    coverage: dict[str, Counter[str]] = field(default_factory=dict)

    def cycles(self, *, model: int, rtl: int) -> None:
        """One vector took `rtl` cycles where the model says `model`."""
        self.errors[int(model) - int(rtl)] += 1
        self.rtl_cycles += int(rtl)
        self.model_cycles += int(model)

    def bins(self, group: str, names: Iterable[object]) -> None:
        """Declare bins of a coverage group; each counts as open until it was hit."""
        self.coverage.setdefault(group, Counter()).update({str(name): 0 for name in names})

    def hit(self, group: str, name: object, count: int = 1) -> None:
        """`name` occurred. Raises KeyError if the group has no such bin: a misspelt bin would never close."""
        if str(name) not in self.coverage[group]:
            raise KeyError(f"coverage group {group!r} of {self.engine} has no bin {name!r}")
        self.coverage[group][str(name)] += count

    def open_bins(self) -> list[str]:
        return [f"{group}.{name}" for group, bins in self.coverage.items() for name, hits in bins.items() if not hits]

    def write(self) -> None:
        """Leave the record for the table."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if not folder:
            return
        text = json.dumps(
            {
                "format": FORMAT,
                "engine": self.engine,
                "test": self.test,
                "seed": int(os.environ.get("COCOTB_RANDOM_SEED", 0)),
                "errors": sorted(self.errors.items()),
                "rtl_cycles": self.rtl_cycles,
                "model_cycles": self.model_cycles,
                "coverage": self.coverage,
            }
        )
        (Path(folder) / f"{self.test}.record.json").write_text(text, encoding="utf-8")


def collect(source: Path, target: Path, bench: str | None = None) -> None:
    """Move the records of a finished run to where they are kept: one file an engine, test and seed.

    bench : kept under this name, as an engine in another size has a line of its own
    """
    for path in sorted(source.glob("*.record.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        if bench is not None:
            data["engine"] = bench
            path.write_text(json.dumps(data), encoding="utf-8")
        folder = target / data["engine"]
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / f"{data['test']}-{data['seed']}.json"
        shutil.move(path, place.with_suffix(f".{os.getpid()}"))
        place.with_suffix(f".{os.getpid()}").replace(place)


@dataclass
class Line:
    """One engine's line of the table: all tests and seeds together."""

    engine: str
    vectors: int
    mean_error: float  # of |model - RTL|, cycles
    p99_error: int
    max_error: int
    total_error: float  # (model - RTL) / RTL of all cycles together
    open_bins: list[str]
    bins: int


def summary(folder: Path) -> list[Line]:
    """The table's lines, by engine. Raises ValueError for a record of another format."""
    lines = []
    for engine in sorted(path for path in folder.glob("*") if path.is_dir()):
        errors: Counter[int] = Counter()
        coverage: dict[str, Counter[str]] = {}
        rtl = model = 0
        for path in sorted(engine.glob("*.json")):
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.get("format") != FORMAT:
                raise ValueError(f"{path}: format {data.get('format')}, this program reads {FORMAT}")
            for error, count in data["errors"]:
                errors[abs(error)] += count
            rtl, model = rtl + data["rtl_cycles"], model + data["model_cycles"]
            for group, bins in data["coverage"].items():
                coverage.setdefault(group, Counter()).update(bins)
        vectors = sum(errors.values())
        bins = [(f"{group}.{name}", hits) for group, each in coverage.items() for name, hits in each.items()]
        lines.append(
            Line(
                engine=engine.name,
                vectors=vectors,
                mean_error=sum(error * count for error, count in errors.items()) / max(1, vectors),
                p99_error=_percentile(errors, 0.99),
                max_error=max(errors, default=0),
                total_error=(model - rtl) / max(1, rtl),
                open_bins=[name for name, hits in bins if not hits],
                bins=len(bins),
            )
        )
    return lines


def errors_of_tests(folder: Path) -> dict[str, dict[str, float]]:
    """{engine: {"test, seed N": (model - RTL) / RTL of its cycles, summed}} of the tests that counted cycles."""
    found: dict[str, dict[str, float]] = {}
    for path in sorted(folder.glob("*/*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["rtl_cycles"]:
            test = f"{data['test']}, seed {data['seed']}"
            found.setdefault(data["engine"], {})[test] = data["model_cycles"] / data["rtl_cycles"] - 1
    return found


def beyond(folder: Path, claims: Mapping[str, tuple[float, float]]) -> list[str]:
    """Tests whose cycles, summed, are off by more than is claimed of their engine (lowest, highest), half a tenth of a
    percent for rounding; one sentence each."""
    found = []
    for engine, tests in errors_of_tests(folder).items():
        low, high = claims.get(engine, (-inf, inf))
        for test, error in tests.items():
            if not low - 0.0005 <= error <= high + 0.0005:
                found.append(f"{engine}, {test}: {error:+.2%}, claimed {low:+.2%} to {high:+.2%}")
    return found


def record_errors(folder: Path, path: Path) -> None:
    """Enter what the benches recorded in the table that the model reads: by engine, lowest and highest error of a
    test's cycles, widened to tenths of a percent. Engines that have no record keep their line."""
    known = json.loads(path.read_text(encoding="utf-8"))["engines"] if path.exists() else {}
    tests = errors_of_tests(folder)
    for line in summary(folder):
        if line.vectors:
            errors = tests[line.engine].values()
            known[line.engine] = {
                "vectors": line.vectors,
                "max_error_cycles": line.max_error,
                "low": floor(1000 * min(errors)) / 1000,
                "high": ceil(1000 * max(errors)) / 1000,
            }
    table = {
        "made_by": "python -m benchmarks.accuracy --record",
        "date": datetime.now(UTC).date().isoformat(),
        "engines": dict(sorted(known.items())),
    }
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _percentile(errors: Counter[int], share: float) -> int:
    """Smallest error that at least `share` of the vectors do not exceed."""
    seen, wanted = 0, share * sum(errors.values())
    for error in sorted(errors):
        seen += errors[error]
        if seen >= wanted:
            return error
    return 0
