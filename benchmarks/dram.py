"""The memory model against published simulators, and the fast model against the burst-accurate one.

    python -m benchmarks.dram                                                          the published tables
    python -m benchmarks.dram --trace FILE --standard LPDDR5-6400 --channels 2 ...     a trace of yours

Replays the traces of reference/dram (`TASIC_REFERENCE`) on the configurations of its tables, and judges each figure:
inside the interval that the published simulators span on that configuration, or so far from the nearer one.
"""

import argparse
import os
import re
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from asic_model.memory.dram import controller, fast
from asic_model.memory.dram.mapping import ORDERS, order_of
from asic_model.memory.timings import STANDARDS, Timing
from benchmarks import dram_traces

PROJECT_DIR = Path(__file__).resolve().parent.parent
EFFICIENCY_TOLERANCE = 0.05
LATENCY_TOLERANCE = 0.10
MOST_QUEUED = 4096


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


# Rows of the two published tables: `DDR4`, `DDR4-2rank`, `LPDDR5-2ch`, beside an order by Ramulator's name;
# `LPDDR4-3200 x16 2ch 1rank` and `DDR4-3200 1rank rochrababgco`, DRAMsim3's order with two letters a field.
_RAMULATOR = re.compile(r"(LP)?DDR(\d)(?:-(\d)rank)?(?:-(\d)ch)?")
_RATES = {"DDR4": "DDR4-3200", "DDR5": "DDR5-4800", "LPDDR4": "LPDDR4-3200", "LPDDR5": "LPDDR5-6400"}
_DRAMSIM = re.compile(r"((?:LP)?DDR\d-\d+)(?: x\d+)?(?: (\d)ch)?(?: (\d)rank)?(?: ([a-z]+))?")


def reference_dir() -> Path:
    """Folder with the published figures and traces (`TASIC_REFERENCE`, by default ../shared/reference)."""
    return Path(os.environ.get("TASIC_REFERENCE") or PROJECT_DIR.parent / "shared" / "reference")


def published(folder: Path) -> dict[Case, Published]:
    """Read the two tables of `folder`/dram/README.md."""
    found: dict[Case, Published] = {}
    for line in (folder / "dram" / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 8 and re.fullmatch(r"[\d.]+", cells[3]) and (row := _RAMULATOR.fullmatch(cells[0])):
            low_power, generation, ranks, channels = row.groups()
            timing = STANDARDS[_RATES[f"{low_power or ''}DDR{generation}"]]
            case = Case(timing, int(ranks or 1), int(channels or 1), cells[1], cells[2], False)
            entry = found.setdefault(case, Published())
            entry.efficiency["Ramulator 2.1"], entry.latency_ns["Ramulator 2.1"] = float(cells[3]), float(cells[4])
        elif len(cells) == 5 and re.fullmatch(r"[\d.]+", cells[3]) and (row := _DRAMSIM.fullmatch(cells[0])):
            name, channels, ranks, fields = row.groups()
            order = _order(fields, int(ranks or 1)) if fields else "RoBaRaCoCh"
            if name not in STANDARDS or order is None:
                raise SystemExit(f"{folder}/dram/README.md: {cells[0]!r}: no such standard or order of address bits")
            # Where both simulators speak of a configuration they share a case, played with shared queues.
            shared = Case(STANDARDS[name], int(ranks or 1), int(channels or 1), order, cells[1], False)
            case = shared if shared in found else replace(shared, bank_queues=True)
            entry = found.setdefault(case, Published())
            entry.efficiency["DRAMsim3"], entry.latency_ns["DRAMsim3"] = float(cells[3]), float(cells[4])
    return found


def _order(spelled: str, ranks: int) -> str | None:
    """Name of an order of address bits that may be spelled (`rochrababgco`); what has no bits says nothing."""
    wanted = order_of(spelled)
    if wanted is None:
        return None
    silent = {"Ch"} | ({"Ra"} if ranks == 1 else set())
    for name, order in ORDERS.items():
        if name != "MOP4CLXOR" and [f for f in order if f not in silent] == [f for f in wanted if f not in silent]:
            return name
    return spelled


def trace(folder: Path, name: str, burst_bytes: int, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return (addresses int64[n], is_write uint8[n]) of a trace."""
    found = dram_traces.read(folder / "dram" / f"{name}_{burst_bytes}.ram.gz", limit)
    return found.addresses, found.is_write


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="transactions of each trace to play (default: all)")
    one = parser.add_argument_group("one trace instead of the tables (docs/memory.md)")
    one.add_argument("--trace", type=Path, metavar="FILE", help="LD/ST, DRAMsim3 or Ramulator 1 lines, or .gz")
    one.add_argument("--standard", choices=sorted(STANDARDS), default="DDR4-3200", help="default DDR4-3200")
    one.add_argument("--timing", action="append", default=[], metavar="nRCD=24", help="another figure of the standard")
    one.add_argument("--channels", type=int, default=1, metavar="N", help="a power of two (default 1)")
    one.add_argument("--ranks", type=int, default=1, metavar="N", help="a power of two (default 1)")
    one.add_argument("--mapping", default="RoBaRaCoCh", metavar="ORDER", help=f"{', '.join(ORDERS)}, or rochrababgco")
    one.add_argument(
        "--interleave", type=int, metavar="BYTES", help="consecutive bytes in one channel (default: a burst)"
    )
    one.add_argument("--queue", type=int, default=32, metavar="N", help="reads that a channel holds (default 32)")
    one.add_argument("--write-queue", type=int, default=32, metavar="N", help="writes that it holds (default 32)")
    one.add_argument(
        "--bank-queues", type=int, default=0, metavar="N", help="DRAMsim3's queues, so deep (default: shared)"
    )
    one.add_argument("--transaction", type=int, metavar="BYTES", help="of a line of the trace (default: a burst)")
    one.add_argument("--no-refresh", action="store_true")
    one.add_argument("--timed", action="store_true", help="requests come no earlier than their lines' clocks")
    one.add_argument("--expect-efficiency", metavar="LOW[,HIGH]", help="published; 5 % beyond is exit code 1")
    one.add_argument("--expect-latency", metavar="LOW[,HIGH]", help="published, in ns; 10 % beyond is exit code 1")
    options = parser.parse_args()
    if options.trace is not None:
        try:
            return play_one(options)
        except dram_traces.TraceError as error:
            print(error, file=sys.stderr)
            return 1
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
    errors, costs = [], []
    for case, said in published(folder).items():
        key = case.trace, case.timing.burst_bytes
        if key not in traces:
            traces[key] = trace(folder, *key, options.limit)
        began = time.process_time()
        result = play(case, *traces[key])
        costs.append((time.process_time() - began) / traces[key][0].size * 1e9)
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
    print(
        f"controller: {min(costs[1:]):.0f} to {max(costs[1:]):.0f} ns of host time a burst, "
        f"mean {np.mean(costs[1:]):.0f}; the first case, which loads kernels, left out"
    )
    print(f"fast model: mean error {np.mean(np.abs(errors)):.1%}, largest {max(errors, key=abs):+.1%}")
    return int(misses > 0)


def play_one(options: argparse.Namespace) -> int:
    """Play one trace on the configuration that the options describe; 1 where it is not what was expected."""
    timing = dram_traces.with_figures(STANDARDS[options.standard], options.timing)
    order = options.mapping
    if order_of(order) is None:
        raise dram_traces.TraceError(
            f"--mapping {order}: is not one of {', '.join(ORDERS)}, nor an order of ro, co, ba, bg, ra, ch"
        )
    size = options.transaction or timing.burst_bytes
    interleave = options.interleave or timing.burst_bytes
    for name, value in (
        ("channels", options.channels), ("ranks", options.ranks), ("transaction", size), ("interleave", interleave),
    ):  # fmt: skip
        if value < 1 or value & (value - 1):
            raise dram_traces.TraceError(f"--{name} {value}: is not a power of two")
    if not timing.burst_bytes <= interleave <= timing.row_bytes:
        raise dram_traces.TraceError(
            f"--interleave {interleave}: is not in {timing.burst_bytes}..{timing.row_bytes}, a burst to a row"
        )
    for name, value, least, most in (
        ("queue", options.queue, 1, MOST_QUEUED), ("write-queue", options.write_queue, 1, MOST_QUEUED),
        ("bank-queues", options.bank_queues, 0, MOST_QUEUED),
        ("limit", 1 if options.limit is None else options.limit, 1, sys.maxsize),
    ):  # fmt: skip
        if not least <= value <= most:
            raise dram_traces.TraceError(f"--{name} {value}: is not in {least}..{most}")
    addresses, is_write, clock = dram_traces.bursts(
        dram_traces.read(options.trace, options.limit), size, timing.burst_bytes
    )
    if options.timed and (np.diff(clock) < 0).any():
        raise dram_traces.TraceError(f"{options.trace}: --timed: clocks of its lines do not ascend")
    configured = {
        "channels": options.channels, "ranks": options.ranks, "order": order, "interleave_bytes": interleave,
        "queue_depth": options.queue, "write_queue_depth": options.write_queue, "refresh": not options.no_refresh,
    }  # fmt: skip
    configured_exact = configured | {"bank_queue_depth": options.bank_queues}
    controller.run(timing, addresses[:100], is_write[:100], **configured_exact)  # loads
    began = time.process_time()
    result = controller.run(
        timing, addresses, is_write, not_before=clock if options.timed else None, **configured_exact
    )
    host_ns = (time.process_time() - began) / addresses.size * 1e9
    value = result.bus_clocks / (result.clocks * options.channels)
    waited = result.read_latency / max(1, result.reads) * timing.tCK_ps / 1000
    print(
        f"{options.trace.name}: {addresses.size:,} bursts on {options.channels} x {timing.name}, {options.ranks} "
        f"ranks, {order}, queues of {options.bank_queues or options.queue}{' a bank' if options.bank_queues else ''}\n"
        f"bus efficiency {value:.3f}, mean read latency {waited:.0f} ns; rows: {result.row_hits:,} hits, "
        f"{result.row_misses:,} misses, {result.row_conflicts:,} conflicts; {host_ns:.0f} ns of host time a burst"
    )
    if not options.timed:
        play_one_fast(timing, addresses, is_write, options.channels, value, configured)
    outside = 0
    for name, wanted, found, allowed in (
        ("efficiency", options.expect_efficiency, value, EFFICIENCY_TOLERANCE),
        ("latency", options.expect_latency, waited, LATENCY_TOLERANCE),
    ):
        if wanted is not None:
            try:
                said = {str(n): float(text) for n, text in enumerate(wanted.split(","))}
            except ValueError:
                raise dram_traces.TraceError(f"--expect-{name} {wanted}: is no number, or two with a comma") from None
            away = distance(found, said)
            outside += abs(away) > allowed
            print(f"{name}: {away:+.1%} from what was published{', outside' if abs(away) > allowed else ''}")
    return int(outside > 0)


def play_one_fast(
    timing: Timing, addresses: np.ndarray, is_write: np.ndarray, channels: int, exact: float, configured: dict[str, Any]
) -> None:
    """The same on the fast model, beside the controller's efficiency."""
    model = fast.memory(timing, **configured)
    fast.play(model.table, model.state.copy(), addresses[:100], is_write[:100], timing.burst_bytes, 32)
    began = time.process_time()
    end_ps, _, _ = fast.play(model.table, model.state, addresses, is_write, timing.burst_bytes, 32 * channels)
    quick_ns = (time.process_time() - began) / addresses.size * 1e9
    quick = addresses.size * timing.burst_bytes / (end_ps * 1e-12 * timing.peak_bytes_s * channels)
    print(f"fast model: efficiency {quick:.3f} ({quick / exact - 1:+.1%}), {quick_ns:.0f} ns of host time a burst")


def _pair(said: dict[str, float], form: str) -> str:
    return " / ".join(format(value, form) for value in said.values())


if __name__ == "__main__":
    sys.exit(main())
