"""Does the CPU side repeat itself here? Two whole runs of it, their turns alternating, nothing taken from the store."""

import statistics
from dataclasses import replace
from typing import Any

from benchmarks.density import cpu
from benchmarks.density.store import Store
from benchmarks.density.study import ClipStudy, Plan, Say, carry_out, date, noisy, prepare, turns_of, versions

SCHEMA, SCHEMA_VERSION = "tasic-density-repeat", 1


def check(plan: Plan, store: Store, say: Say) -> dict[str, Any]:
    """Measure every speed twice and compare. Raises CannotJudge and TooNoisy as a study does."""
    cut = prepare(plan, store)
    runs = [replace(cut, opened=[ClipStudy(each.source, each.rungs) for each in cut.opened]) for _ in range(2)]
    fresh = Store(store.folder, fresh=True)
    carry_out(
        [([step for number in range(cpu.TURNS) for run in runs for step in turns_of(run, fresh, number)], 1)], say
    )
    rows = [
        compare(one.source.name, preset, one.speeds[preset], other.speeds[preset])
        for one, other in zip(runs[0].opened, runs[1].opened, strict=True)
        for preset in cut.plan.presets
    ]
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "encoder": plan.encoder,
        "repeats": plan.repeats,
        "left_out": cut.left_out,
        "machine": cpu.machine(),
        "versions": versions(),
        "date": date(),
        "rows": rows,
        **verdict(rows),
    }


def compare(clip: str, preset: str, one: cpu.Speed, other: cpu.Speed) -> dict[str, Any]:
    """One speed of both runs."""
    rates = [one.mpix_per_s, other.mpix_per_s]
    return {
        "clip": clip,
        "preset": preset,
        "mpix_per_s": rates,
        "difference": abs(rates[0] - rates[1]) / statistics.mean(rates),
        "spread": max(one.spread, other.spread),
        "share": min(one.share, other.share),
    }


def verdict(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """`agree`: every pair within 5 %. `too_noisy`: what the report of such a run says of its machine."""
    worst = max(row["difference"] for row in rows)
    return {
        "worst_difference": worst,
        "agree": worst <= cpu.MOST_SPREAD,
        "too_noisy": any(noisy(row["spread"], row["share"]) for row in rows),
    }
