"""What came of a check: verdicts, times, the table for the model, and the report."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rtl_tests.foreign.description import Adapter
from rtl_tests.foreign.transactions import Transaction, Vector

TIMING_FORMAT = 1


@dataclass
class RunResult:
    """One simulation of all vectors."""

    simulator: str
    bubbles: int
    pressure: int
    checked: int = 0
    waived: int = 0
    failure: str | None = None  # the first difference
    transaction_cycles: list[int] = field(default_factory=list)  # start (or first beat in) to done (or last beat out)
    by_kind: dict[str, float] = field(default_factory=dict)  # mean of transaction_cycles, where several kinds are asked
    interval_cycles: float = 0.0  # of one transaction, back to back
    figures: dict[str, float] = field(default_factory=dict)


@dataclass
class Result:
    """The verdict on an adapter."""

    adapter: Adapter
    seed: int
    runs: list[RunResult] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    timing: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.failures


def timing_table(
    adapter: Adapter, transaction: Transaction, run: RunResult, vectors: list[Vector], seed: int
) -> dict[str, Any]:
    """The table that `--timing-from` loads."""
    cycles = run.interval_cycles
    law = transaction.timing(cycles, vectors)
    _, unit = transaction.per_unit(vectors[0].size)
    # Each transaction is a part of a unit; of several sizes the mean part counts.
    part = float(np.mean([1 / transaction.per_unit(vector.size)[0] for vector in vectors]))
    ordered = sorted(run.transaction_cycles)
    return {
        "format": TIMING_FORMAT,
        "kind": "tasic-timing",
        "block": adapter.block.name,
        "standard": adapter.block.standard,
        "transaction": adapter.block.transaction,
        "stage": transaction.engine,
        "law": law,
        "covers": sorted({f"{vector.op} {vector.kind} {vector.size}" for vector in vectors}),
        "not_covered": transaction.not_covered(),
        "measured": {
            "transactions": len(ordered),
            "cycles_min": ordered[0],
            "cycles_mean": float(np.mean(ordered)),
            "cycles_max": ordered[-1],
            "interval_cycles": cycles,
            "unit": unit,
            "cycles_per_unit": cycles / part,
            "cycles_by_kind": run.by_kind,
            "seed": seed,
        },
    }


def write_timing(result: Result, path: Path) -> None:
    """Write the timing table."""
    write_text(path, json.dumps(result.timing, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def report(result: Result) -> str:
    """What was checked and measured, in a few lines."""
    adapter = result.adapter
    head = f"{adapter.block.name}: {adapter.block.transaction} ({adapter.block.standard}), top {adapter.top}"
    lines = [head]
    for run in result.runs:
        verdict = "FAIL" if run.failure else "pass"
        pauses = ", random pauses" if run.bubbles or run.pressure else ""
        waived = f", {run.waived} known deviations" if run.waived else ""
        figures = "".join(f", {name} {value:.6g}" for name, value in run.figures.items())
        lines.append(f"  {run.simulator}{pauses}: {verdict}, {run.checked} vectors right{waived}{figures}")
    if result.timing:
        measured = result.timing["measured"]
        lines.append(
            f"  cycles a transaction: min {measured['cycles_min']}, mean {measured['cycles_mean']:.1f}, max "
            f"{measured['cycles_max']}; one every {measured['interval_cycles']:.1f}; "
            f"{measured['cycles_per_unit']:.1f} cycles a {measured['unit']}"
        )
        if len(measured["cycles_by_kind"]) > 1:
            kinds = ", ".join(f"{name} {cycles:.1f}" for name, cycles in measured["cycles_by_kind"].items())
            lines.append(f"  mean cycles: {kinds}")
        if result.timing["not_covered"]:
            lines.append(f"  its timing table does not cover: {', '.join(result.timing['not_covered'])}")
    lines += [f"  {text}" for text in (*result.notes, *result.failures)]
    lines.append("  PASS" if result.passed else "  FAIL")
    return "\n".join(lines)
