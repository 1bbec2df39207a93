"""The memory model against published simulators, and the fast model against the burst-accurate one.

Replays the traces of reference/dram (`TASIC_REFERENCE`) on the configurations of its tables, and judges each figure:
inside the interval that the published simulators span on that configuration, or so far from the nearer one.
"""

import argparse
import gzip
import os
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asic_model.memory.dram import controller, fast
from asic_model.memory.timings import STANDARDS, Timing

PROJECT_DIR = Path(__file__).resolve().parent.parent
EFFICIENCY_TOLERANCE = 0.05
LATENCY_TOLERANCE = 0.10


@dataclass(frozen=True)
class Case:
    """One configuration of a published table, with the model's equal of it."""

    timing: Timing
    ranks: int
    channels: int
    order: str
    trace: str
    bank_queues: bool  # queues as DRAMsim3 has them

    @property
    def name(self) -> str:
        extra = f" {self.ranks}rank" if self.ranks > 1 else ""
        extra += f" {self.channels}ch" if self.channels > 1 else ""
        return f"{self.timing.name}{extra} {self.order} {self.trace}"


@dataclass
class Published:
    """What the simulators said of one case: efficiency of the bus, read latency (ns), by simulator."""

    efficiency: dict[str, float] = field(default_factory=dict)
    latency_ns: dict[str, float] = field(default_factory=dict)


# Row names of the two published tables -> timing, ranks, channels, order.
_RAMULATOR = {
    "DDR4": ("DDR4-3200", 1),
    "DDR4-2rank": ("DDR4-3200", 2),
    "LPDDR5": ("LPDDR5-6400", 1),
}
_DRAMSIM = {
    "DDR4-3200 1rank rochrababgco": ("DDR4-3200", 1, 1, "RoBaRaCoCh"),
    "DDR4-3200 1rank rocorabachbg": ("DDR4-3200", 1, 1, "RoCoRaBaCh"),
    "LPDDR4-3200 x16 1ch 1rank": ("LPDDR4-3200", 1, 1, "RoBaRaCoCh"),
    "LPDDR4-3200 x16 2ch 1rank": ("LPDDR4-3200", 1, 2, "RoBaRaCoCh"),
}


def reference_dir() -> Path:
    """Folder with the published figures and traces (`TASIC_REFERENCE`, by default ../shared/reference)."""
    return Path(os.environ.get("TASIC_REFERENCE") or PROJECT_DIR.parent / "shared" / "reference")


def published(folder: Path) -> dict[Case, Published]:
    """Read the two tables of `folder`/dram/README.md."""
    found: dict[Case, Published] = {}
    for line in (folder / "dram" / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 8 and cells[0] in _RAMULATOR and re.fullmatch(r"[\d.]+", cells[3]):
            name, ranks = _RAMULATOR[cells[0]]
            case = Case(STANDARDS[name], ranks, 1, cells[1], cells[2], False)
            entry = found.setdefault(case, Published())
            entry.efficiency["Ramulator 2.1"], entry.latency_ns["Ramulator 2.1"] = float(cells[3]), float(cells[4])
        elif len(cells) == 5 and cells[0] in _DRAMSIM:
            name, ranks, channels, order = _DRAMSIM[cells[0]]
            # Where both simulators speak of a configuration they share a case, played with shared queues.
            shared = Case(STANDARDS[name], ranks, channels, order, cells[1], False)
            case = shared if shared in found else Case(STANDARDS[name], ranks, channels, order, cells[1], True)
            entry = found.setdefault(case, Published())
            entry.efficiency["DRAMsim3"], entry.latency_ns["DRAMsim3"] = float(cells[3]), float(cells[4])
    return found


def trace(folder: Path, name: str, burst_bytes: int, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return (addresses int64[n], is_write uint8[n]) of a trace."""
    with gzip.open(folder / "dram" / f"{name}_{burst_bytes}.ram.gz", "rt") as stream:
        rows = [line.split() for line in stream]
    rows = rows[:limit]
    addresses = np.array([int(address, 16) for _, address in rows], np.int64)
    return addresses, np.array([kind == "ST" for kind, _ in rows], np.uint8)


def play(case: Case, addresses: np.ndarray, is_write: np.ndarray) -> controller.Result:
    """Play a trace on the burst-accurate controller."""
    return controller.run(
        case.timing,
        addresses,
        is_write,
        channels=case.channels,
        ranks=case.ranks,
        order=case.order,
        bank_queue_depth=8 if case.bank_queues else 0,
    )


def play_fast(case: Case, addresses: np.ndarray, is_write: np.ndarray) -> tuple[float, float, float]:
    """Play a trace on the fast model; return (efficiency, row hit share, host ns a burst)."""
    model = fast.memory(
        case.timing,
        channels=case.channels,
        ranks=case.ranks,
        order=case.order,
        interleave_bytes=case.timing.burst_bytes,
    )
    outstanding = 32
    begin = time.process_time()
    end_ps, _, _ = fast.play(
        model.table, model.state, addresses, is_write, case.timing.burst_bytes, case.channels * outstanding
    )
    host_ns = (time.process_time() - begin) / addresses.size * 1e9
    moved = addresses.size * case.timing.burst_bytes
    counters = model.counters()
    hits = counters["row_hits"] / max(1, counters["read_bursts"] + counters["write_bursts"])
    return moved / (end_ps * 1e-12 * case.timing.peak_bytes_s * case.channels), hits, host_ns


def efficiency(case: Case, result: controller.Result) -> float:
    """Data on the buses / time, as DRAMsim3's bus-eff; equal to req-eff where every request is a burst."""
    return result.bus_clocks / (result.clocks * case.channels)


def latency_ns(case: Case, result: controller.Result) -> float:
    return result.read_latency / max(1, result.reads) * case.timing.tCK_ps / 1000


def distance(value: float, said: dict[str, float]) -> float:
    """Relative distance from the interval that the published figures span; 0 inside."""
    low, high = min(said.values()), max(said.values())
    return (value - high) / high if value > high else (value - low) / low if value < low else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, help="bursts of each trace to play (default: all)")
    options = parser.parse_args()
    folder = reference_dir()
    if not (folder / "dram" / "README.md").is_file():
        print(f"no published figures in {folder} (set TASIC_REFERENCE)", file=sys.stderr)
        return 1
    print(
        "bus efficiency and mean read latency (ns): published by Ramulator 2.1 / DRAMsim3, the controller's, distance\n"
        "from the published interval; then the fast model's efficiency, its error against the controller, host time\n"
    )
    head = f"{'':44}{'published':>17}{'model':>8}{'':>8}{'published':>15}{'model':>7}{'':>8}"
    print(f"{head}{'fast':>8}{'':>8}{'ns':>5}")
    misses = 0
    traces: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}
    errors = []
    for case, said in published(folder).items():
        key = case.trace, case.timing.burst_bytes
        if key not in traces:
            traces[key] = trace(folder, *key, options.limit)
        result = play(case, *traces[key])
        value, waited = efficiency(case, result), latency_ns(case, result)
        away, late = distance(value, said.efficiency), distance(waited, said.latency_ns)
        bad = abs(away) > EFFICIENCY_TOLERANCE or abs(late) > LATENCY_TOLERANCE
        misses += bad
        quick, _, host_ns = play_fast(case, *traces[key])
        errors.append(quick / value - 1)
        print(
            f"{case.name:44}{_pair(said.efficiency, '.3f'):>17}{value:8.3f}{away:+8.1%}"
            f"{_pair(said.latency_ns, '.0f'):>15}{waited:7.0f}{late:+8.1%}{quick:8.3f}{errors[-1]:+8.1%}{host_ns:5.0f}"
            f"{'  <-- outside' if bad else ''}"
        )
    print(f"\n{misses} outside {EFFICIENCY_TOLERANCE:.0%} efficiency or {LATENCY_TOLERANCE:.0%} latency")
    print(f"fast model: mean error {np.mean(np.abs(errors)):.1%}, largest {max(errors, key=abs):+.1%}")
    return int(misses > 0)


def _pair(said: dict[str, float], form: str) -> str:
    return " / ".join(format(value, form) for value in said.values())


if __name__ == "__main__":
    sys.exit(main())
