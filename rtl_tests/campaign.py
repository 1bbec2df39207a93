"""Runs benches one after another and says how each went."""

import difflib
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rtl_tests.simulator import BENCHES, Bench, BenchFault, build_base
from rtl_tests.simulator import run as run_bench


def chosen(engines: Sequence[str], known: Mapping[str, Bench] = BENCHES) -> list[Bench]:
    """The benches of the named engines, all if none is named. Raises BenchFault for an unknown name."""
    found = []
    for name in engines or sorted(known):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise BenchFault(
                f"no bench {name!r}; {f'did you mean {near[0]!r}? ' if near else ''}known: {', '.join(sorted(known))}"
            )
        found.append(known[name])
    return found


def run_benches(
    engines: Sequence[str], *, seed: int, waves: bool, coverage: bool, tests: str | None, verbose: bool
) -> Iterator[tuple[str, bool]]:
    """Yield (line, passed) for each bench."""
    for bench in chosen(engines):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            log = None if verbose else Path(folder) / "log"
            try:
                passed = run_bench(bench, seed=seed, waves=waves, coverage=coverage, tests=tests, log=log)
            except BenchFault as error:
                yield f"{bench.engine}: FAIL\n{_assertions(log)}{error}", False
                continue
        kept = [
            f"{build_base()}/{bench.engine}-seed{seed}.{suffix}"
            for suffix, wanted in (("vcd", waves), ("dat", coverage))
            if wanted
        ]
        where = f"; {', '.join(kept)}" if kept else ""
        yield f"{bench.engine}: pass, {passed} tests, seed {seed}, {time.monotonic() - began:.1f} s{where}", True


def _assertions(log: Path | None) -> str:
    """The first differences that the benches printed: the lines of failed assertions."""
    if log is None or not log.exists():
        return ""
    lines = re.findall(
        r"^.*(?:AssertionError|Assertion failed|%Error).*$", log.read_text(errors="replace"), re.MULTILINE
    )
    return "".join(f"  {' '.join(line.split())[:400]}\n" for line in lines[:5])
