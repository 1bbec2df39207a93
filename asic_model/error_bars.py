"""Error bars of throughput: how far a rate of the model may be from the machine that it describes, and why.

    bar = error_bars.of_limits(config, limits, stage_cycles)     # or `Capacity.error`, `report["simulation"]["error"]`
    bar.low, bar.high            # relative: -0.15, +0.08
    bar.terms                    # each resource's own, with its reason, the one that decides `low` first

A rate is that of its slowest resource, so errors go through a minimum, not through a sum: each resource's bound is
moved by its own error, and the smallest of them before and after is compared. Inside a core the slowest stage does the
same. Thus a stage that is far from being the slowest adds nothing, and an uncertain one close behind it does.

Where errors come from: engines, from the RTL benches (`rtl_checks`); memory, from the fast model beside the
burst-accurate controller, and that beside published simulators (`benchmarks/dram`); firmware, from its own counts;
synthetic work, from the recorded pictures that it was fitted on.
"""

from collections.abc import Iterable, Mapping
from math import hypot
from typing import Any, NamedTuple

from asic_model.config import ChipConfig
from asic_model.cores.fabric import StageStats
from asic_model.rtl_checks import RTL_CHECKS
from asic_model.timing_table import CORE

# An engine without an RTL bench that recorded its cycles: an assumption, the error that predictions of published
# chips are held to (docs/published.md).
UNCHECKED = 0.15
# What the burst-accurate controller carries of what the fast model does, on streams, tiles and the encoder-like mix
# (`python -m benchmarks.dram`): on LPDDR in row-bank-column order, and elsewhere. The controller itself is within 5 %
# of published simulators.
MEMORY_USUAL, MEMORY_OTHER = (-0.09, 0.0), (-0.15, 0.20)
CONTROLLER = 0.05
GROUPED = 0.08  # what grouped playback carries too much where memory binds (docs/throughput.md)
FIRMWARE = 0.05  # counts of cycles a job beside what is assumed: `python -m benchmarks.firmware_cost`


class Term(NamedTuple):
    """Error of one resource's bound: what it carries lies within `low`..`high` of the model's, relative."""

    name: str
    low: float
    high: float
    why: str


class ErrorBar(NamedTuple):
    """A rate lies within `low`..`high` of the model's, relative; `terms` say why, the one that decides `low` first."""

    low: float
    high: float
    terms: tuple[Term, ...]

    def record(self) -> dict[str, Any]:
        """As reports carry it."""
        return {"low": self.low, "high": self.high, "terms": [term._asdict() for term in self.terms]}


def of_stage(config: ChipConfig, kind: str, stage: str) -> Term:
    """Error of the rate of one engine, were it alone: cycles of the model over those of RTL, less one."""
    tables = config.encode.core.timing if kind == "encode" else {}
    table = tables.get(stage) or tables.get(CORE)
    if table is not None:
        return Term(stage, 0.0, 0.0, f"law measured on RTL of {table.block or 'a foreign block'}")
    check = RTL_CHECKS.get(stage) if kind == "encode" else None
    if check is None:
        return Term(stage, -UNCHECKED, UNCHECKED, f"no RTL: {UNCHECKED:.0%} assumed")
    low, high = check.total_error
    return Term(stage, min(0.0, low), max(0.0, high), f"RTL bench {check.bench}, at the sizes of `tiny`")


def of_cores(config: ChipConfig, kind: str, stage_cycles: Mapping[str, float]) -> Term:
    """Error of the rate of cores of a kind; `stage_cycles`: cycles of each stage over the same work."""
    stages = {name: cycles for name, cycles in stage_cycles.items() if cycles > 0}
    if not stages:
        return Term(kind, 0.0, 0.0, "no work")
    errors = {name: of_stage(config, kind, name) for name in stages}
    slowest = max(stages.values())
    worst = max(stages, key=lambda name: stages[name] / (1 + errors[name].low))
    low = slowest * (1 + errors[worst].low) / stages[worst] - 1
    high = slowest / max(cycles / (1 + errors[name].high) for name, cycles in stages.items()) - 1
    return Term(kind, low, high, f"{kind} core, {worst}: {errors[worst].why}")


def of_memory(config: ChipConfig, grouped: bool = True) -> Term:
    """Error of the bandwidth that memory carries."""
    memory = config.memory
    usual = memory.standard.startswith("LPDDR") and memory.mapping in ("RoBaRaCoCh", "RoRaBaCoCh")
    low, high = MEMORY_USUAL if usual else MEMORY_OTHER
    why = f"a controller carries {low:+.0%} to {high:+.0%} of this model, and is {CONTROLLER:.0%} from published ones"
    if grouped:
        low, why = -hypot(low, GROUPED), f"{why}; groups of macroblocks, {GROUPED:.1%}"
    return Term("memory", -hypot(low, CONTROLLER), hypot(high, CONTROLLER), why)


def of_resource(
    config: ChipConfig, name: str, stage_cycles: Mapping[str, Mapping[str, float]], grouped: bool = True
) -> Term:
    """Error of one named limit of a capacity; `stage_cycles`: by kind of core, then by stage."""
    if name in stage_cycles:
        return of_cores(config, name, stage_cycles[name])
    if name == "memory":
        return of_memory(config, grouped)
    if name == "firmware":
        return Term(name, -FIRMWARE, FIRMWARE, "cycles a job as counted on the firmware")
    return Term(name, 0.0, 0.0, "a figure of the chip's description, no model in between")


def of_limits(
    config: ChipConfig, limits: Mapping[str, float], stage_cycles: Mapping[str, Mapping[str, float]], *,
    grouped: bool = True, demand: Mapping[str, tuple[float, float]] | None = None,
) -> ErrorBar:  # fmt: skip
    """Error of the rate that the smallest of `limits` sets; each says what a resource carries, in streams or the like.

    stage_cycles  by kind of core, then by stage: cycles over the same work (`stage_cycles_of`)
    grouped       the run was played in groups of macroblocks
    demand        by resource: how far rates may be off because what the work asks for is a model too
    """
    if not limits:
        return ErrorBar(0.0, 0.0, ())
    terms = {name: of_resource(config, name, stage_cycles, grouped) for name in limits}
    for name, (low, high) in (demand or {}).items():
        if name in terms:
            own = terms[name]
            why = f"{own.why}; synthetic pictures, {low:+.0%} to {high:+.0%}"
            terms[name] = Term(name, -hypot(own.low, low), hypot(own.high, high), why)
    smallest = min(limits.values())
    moved = {name: value * (1 + terms[name].low) for name, value in limits.items()}
    low = min(moved.values()) / smallest - 1
    high = min(value * (1 + terms[name].high) for name, value in limits.items()) / smallest - 1
    return ErrorBar(low, high, tuple(sorted(terms.values(), key=lambda term: moved[term.name])))


def demand_of(errors: Iterable[Mapping[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """The widest of several streams' errors, by kind of core."""
    found: dict[str, tuple[float, float]] = {}
    for each in errors:
        for kind, (low, high) in each.items():
            before = found.get(kind, (0.0, 0.0))
            found[kind] = min(before[0], low), max(before[1], high)
    return found


def stage_cycles_of(stages: Mapping[str, Mapping[str, StageStats]]) -> dict[str, dict[str, float]]:
    """Cycles of each stage of each kind of core that worked, from `Fabric.stages`."""
    return {
        kind: {name: float(spent.cycles_sum) for name, spent in each.items()}
        for kind, each in stages.items()
        if any(spent.cycles_sum for spent in each.values())
    }
