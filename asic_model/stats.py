"""The report of a run as one JSON-able structure, and the dictionary that says what each figure in it means.

    report = stats.report(config, fabric, chip.stats(), run={"command": ...})
    stats.METRICS["memory.bytes_per_px"].formula

docs/report.md lists the keys. A figure that was not measured is absent, never 0. `exactness` of a figure is one of

    exact                counted; another correct implementation counts the same
    checked against RTL  the RTL's bench asserts this very number
    approximate          the model's, within what `docs/time.md` says about it
    measured on RTL      by a law measured on the block that `timing_from` names (docs/rtl_check.md)
"""

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

import numpy as np

from asic_model import area, error_bars, power
from asic_model.config import ChipConfig, PowerConfig, load_chip
from asic_model.cores.fabric import KINDS, Fabric, StageStats
from asic_model.memory.dram import fast
from asic_model.rtl_checks import RTL_CHECKS
from asic_model.timing_table import CORE

SCHEMA = "tasic-report"
SCHEMA_VERSION = 1

EXACT, CHECKED, APPROXIMATE, MEASURED = "exact", "checked against RTL", "approximate", "measured on RTL"

# Real-time streams that a rate is expressed in: macroblocks a second (H.264 codes 1080 lines as 68 rows).
STREAMS = {"1080p30": 120 * 68 * 30, "2160p60": 240 * 135 * 60}

UNITS = {"encode": "macroblock", "decode": "macroblock", "scale": "tile"}


class Metric(NamedTuple):
    """What a figure means."""

    unit: str
    formula: str
    exactness: str
    source: str


_FABRIC = "fabric: cycle laws of the engines, memory model, FIFOs"
_CLOCK = "chip description, clocks"
_CONSTANTS = "counted events times the constants of the chip description, power; stages in `area` by their RTL's gates"

# Keys are paths into the report; `*` stands for any key or list entry.
METRICS: dict[str, Metric] = {
    "elapsed_ps": Metric("ps", "the host's clock at the end of the run, simulated", APPROXIMATE, _FABRIC),
    "cores.*.jobs": Metric("jobs", "jobs that ended (pictures)", EXACT, "fabric"),
    "cores.*.units": Metric("units", "macroblocks or tiles of these jobs", EXACT, "work records"),
    "cores.*.samples": Metric("luma samples", "width x height of each job, summed", EXACT, "jobs"),
    "cores.*.cycles_per_unit": Metric(
        "core cycles", "time that cores ran jobs / period / units: what a unit costs a core, all stalls included",
        APPROXIMATE, _FABRIC,
    ),
    "cores.*.stages.*.cycles_mean": Metric("core cycles", "mean of the engine's cycles over units", APPROXIMATE,
        "cycles(config, work) of the engine"),
    "cores.*.stages.*.cycles_p50": Metric("core cycles", "median over units", APPROXIMATE, "as cycles_mean"),
    "cores.*.stages.*.cycles_p99": Metric("core cycles", "99th percentile over units (16383: that or more)",
        APPROXIMATE, "as cycles_mean"),
    "cores.*.stages.*.bottleneck_share": Metric("1",
        "share of the units that spent longest in this stage; of runs in groups by the engines' cycles alone",
        APPROXIMATE, _FABRIC),
    "cores.*.memory_bottleneck_share": Metric("1", "share of the units that spent longest waiting for memory",
        APPROXIMATE, _FABRIC),
    "cores.*.stages.*.busy_share": Metric("1", "busy time / (cores x elapsed)", APPROXIMATE, _FABRIC),
    "cores.*.stages.*.stall_input_share": Metric("1", "waiting for the stage before / (cores x elapsed)", APPROXIMATE,
        _FABRIC),
    "cores.*.stages.*.stall_memory_share": Metric("1", "waiting for memory / (cores x elapsed)", APPROXIMATE, _FABRIC),
    "cores.*.stages.*.stall_output_share": Metric("1", "waiting for room in the next FIFO / (cores x elapsed)",
        APPROXIMATE, _FABRIC),
    "cores.*.stages.*.waiting_share": Metric("1",
        "of runs in groups, instead of the three stalls: a job runs and the stage waits, for whatever", APPROXIMATE,
        _FABRIC),
    "cores.*.stages.*.idle_share": Metric("1", "1 - busy - stalls: no job, or the stage is done with it", APPROXIMATE,
        _FABRIC),
    "cores.*.utilization": Metric("1", "time that cores ran jobs / (cores x elapsed)", APPROXIMATE, _FABRIC),
    "cores.*.latency_cycles_p50": Metric("core cycles",
        "from a unit's first start to leaving the last stage, median (65520: that or more)", APPROXIMATE, _FABRIC),
    "cores.*.latency_cycles_p99": Metric("core cycles", "the same, 99th percentile", APPROXIMATE, _FABRIC),
    "cores.*.capacity.macroblocks_s": Metric("macroblocks/s",
        "all cores of the kind at the measured cycles a macroblock: cores x clock / cycles_per_unit", APPROXIMATE,
        _CLOCK),
    "cores.*.capacity.fps": Metric("frames/s", "macroblocks_s / macroblocks of this run's mean picture", APPROXIMATE,
        _CLOCK),
    "cores.*.capacity.streams.*": Metric("streams", "macroblocks_s / macroblocks a second of such a stream",
        APPROXIMATE, _CLOCK),
    "cores.*.capacity.error.*": Metric("1",
        "low, high: what the rate may be off, relative: the slowest stages moved by their engines' errors",
        APPROXIMATE, "RTL benches (asic_model/rtl_checks.py); 15 % assumed of engines without one"),
    "cores.*.capacity.streams_within_memory.*": Metric("streams",
        "the same, cut to peak x efficiency_bound / bytes a macroblock of this run: an upper bound",
        APPROXIMATE, _FABRIC),
    "memory.peak_bytes_s": Metric("B/s", "channels x burst bytes / burst time", EXACT, "chip description, memory"),
    "memory.bytes": Metric("B", "bytes on the memory buses, whole bursts", APPROXIMATE, "memory model"),
    "memory.clients.*": Metric("B", "bytes asked for and served", EXACT, "requests of the cores, checked each job"),
    "memory.bytes_per_px": Metric("B/px", "bytes asked by encode cores / luma samples encoded", EXACT, "requests"),
    "memory.row_hit_share": Metric("1", "bursts that found their row open / bursts", APPROXIMATE, "memory model"),
    "memory.bus_share": Metric("1", "time that buses carried data / (channels x elapsed)", APPROXIMATE, "memory model"),
    "memory.efficiency_bound": Metric("1",
        "upper bound of the share of its peak that memory carries with this run's row hits, batches of writes, refresh",
        APPROXIMATE, "memory model; its error against published simulators: benchmarks/dram.py"),
    "memory.achieved_bytes_s": Metric("B/s", "memory.bytes / elapsed", APPROXIMATE, "memory model"),
    "memory.read_latency_ns": Metric("ns", "mean over row chunks, network not included", APPROXIMATE, "memory model"),
    "host_link.*_bytes": Metric("B", "bytes uploaded (write) and downloaded (read)", EXACT, "chip"),
    "control.instructions": Metric("instructions", "executed by the firmware", EXACT, "interpreter"),
    "control.awake_share": Metric("1", "time not waiting for an event / elapsed", APPROXIMATE,
        "cost of each instruction class, chip description"),
    "energy.joules.*": Metric("J", "by part", APPROXIMATE, _CONSTANTS),
    "energy.nj_per_px": Metric("nJ/px", "joules / luma samples encoded", APPROXIMATE, _CONSTANTS),
    "energy.watts": Metric("W", "joules / elapsed", APPROXIMATE, _CONSTANTS),
    "energy.die_celsius": Metric("degrees Celsius", "of the die at that power, in the long run", APPROXIMATE,
        "power.ambient_c + power.thermal_resistance_k_w x watts; no heat capacity"),
}  # fmt: skip


def report(
    config: ChipConfig, fabric: Fabric, counted: Mapping[str, Any], run: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the report of everything since power-on.

    counted  Chip.stats(): "now_ps", "jobs", "host_link", "control", ...
    run      what the caller knows about the run (command, input, streams, host seconds); kept as it is
    """
    fabric.check()
    elapsed_ps = max(int(counted.get("now_ps", 0)), fabric.now_ps)
    jobs = counted.get("jobs", {})
    cores = {
        kind: _cores(config, fabric, kind, jobs.get(kind, {}), elapsed_ps)
        for kind in KINDS
        if getattr(config, kind).cores and int(fabric.jobs_finished[_rows(fabric, kind)].sum())
    }
    memory = _memory(config, fabric, cores, elapsed_ps)
    for kind, section in cores.items():
        _limit_by_memory(kind, section, memory)
    control = _control(config, counted.get("control", {}), elapsed_ps)
    link = dict(counted.get("host_link", {}))
    areas = area.encode_stages(config)
    joules = power.energy(
        config.power,
        encode_gates={stage: found.gates for stage, found in areas.items()},
        stage_cycles=_stage_cycles(fabric),
        memory=fabric.memory(),
        link_bytes=sum(value for name, value in link.items() if name.endswith("_bytes")),
        control_cycles=int(control.get("awake_ps", 0)) // config.clocks.control_ps,
        elapsed_ps=elapsed_ps,
    )
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "chip": {
            "name": config.name,
            "description": config.description,
            "core_mhz": config.clocks.core_mhz,
            "cores": {kind: getattr(config, kind).cores for kind in KINDS},
            "memory": f"{config.memory.channels} x {config.memory.standard}",
            "frame_compression": config.memory.frame_compression,
        },
        "run": dict(run or {}),
        "elapsed_ps": elapsed_ps,
        "cores": cores,
        "memory": memory,
        "host_link": link,
        "control": control,
        "energy": _energy(config.power, joules, cores, elapsed_ps),
        "area": {
            "gates": {f"encode.{stage}": found.gates for stage, found in areas.items()},
            "sram_bits": {f"encode.{stage}": found.sram_bits for stage, found in areas.items()},
        },
        "metrics": {path: metric._asdict() for path, metric in METRICS.items()},
    }


def _unit_figures(fabric: Fabric, kind: str, bottlenecks: list[dict[str, int]], bounded: int) -> dict[str, float]:
    """What is known of single units where they were played one by one."""
    latency, width = fabric.latency_histogram(kind)
    return {
        "memory_bottleneck_share": sum(b.get("memory", 0) for b in bottlenecks) / bounded,
        "latency_cycles_p50": percentile(latency, 0.5) * width,
        "latency_cycles_p99": percentile(latency, 0.99) * width,
    }


def _rtl_bench(kind: str, stage: str, tables: Container[str]) -> dict[str, Any]:
    """What a bench asserts of a stage; benches run engines of encode cores, and laws, not tables."""
    known = kind == "encode" and stage in RTL_CHECKS and stage not in tables
    if not known:
        return {}
    check = RTL_CHECKS[stage]
    error = dict(zip(("low", "high"), check.total_error, strict=True))
    return {"rtl_bench": {"bench": check.bench, "whole": check.whole, "asserts": check.asserts, "total_error": error}}


def exactness_of(config: ChipConfig, kind: str, stage: str) -> str:
    """How exact the cycles of a stage are: checked only where a bench asserts the whole law for an engine so sized."""
    check, core = RTL_CHECKS.get(stage), config.encode.core
    if kind != "encode" or check is None or not check.whole or stage in core.timing:
        return APPROXIMATE
    return CHECKED if getattr(core, stage) == getattr(load_chip("tiny").encode.core, stage) else APPROXIMATE


def percentile(histogram: np.ndarray, share: float) -> int:
    """Smallest bin that has at least `share` of all entries at or below it; 0 of an empty histogram."""
    total = int(histogram.sum())
    return int(np.searchsorted(np.cumsum(histogram), share * total)) if total else 0


def _rows(fabric: Fabric, kind: str) -> list[int]:
    return [row for row, core in enumerate(fabric.cores) if core.kind == kind]


def _cores(config: ChipConfig, fabric: Fabric, kind: str, jobs: Mapping[str, int], elapsed_ps: int) -> dict[str, Any]:
    rows = _rows(fabric, kind)
    tables = config.encode.core.timing if kind == "encode" else {}
    if CORE in tables:  # all of the core's cycles are counted in one stage
        tables = {**tables, "mode_decision": tables[CORE]}
    units = int(fabric.units_finished[rows].sum())
    active_ps = int(fabric.active_ps[rows].sum())
    whole_ps = max(1, len(rows) * elapsed_ps)
    accounts = [fabric.account(row) for row in rows]
    slowest = fabric.slowest_of_groups(kind)
    bottlenecks = [fabric.bottleneck(row) for row in rows] if slowest is None else [slowest]
    bounded = max(1, sum(sum(b.values()) for b in bottlenecks))
    stages = []
    for name, spent in fabric.stages[kind].items():
        if slowest is None:
            sums = {
                cause: sum(account[name][cause] for account in accounts if name in account)
                for cause in ("busy", "stall_input", "stall_memory", "stall_output")
            }
        else:  # of jobs that ended, as `active_ps` is
            mean_ps = spent.cycles_sum * config.clocks.core_ps / max(1, spent.units)
            busy_ps = min(round(mean_ps * units), active_ps)
            sums = {"busy": busy_ps, "waiting": active_ps - busy_ps}
        stages.append(
            {
                "name": name,
                **_cycle_figures(spent),
                "bottleneck_share": sum(b.get(name, 0) for b in bottlenecks) / bounded,
                **{f"{cause}_share": value / whole_ps for cause, value in sums.items()},
                "idle_share": max(0.0, 1 - sum(sums.values()) / whole_ps),
                "exactness": MEASURED if name in tables else exactness_of(config, kind, name),
                **({"timing_from": tables[name].block} if name in tables else {}),
                **(
                    {"timing_not_covered": tables[name].not_covered}
                    if name in tables and tables[name].not_covered
                    else {}
                ),
                **_rtl_bench(kind, name, tables),
            }
        )
    cycles = active_ps / config.clocks.core_ps / max(1, units)
    section: dict[str, Any] = {
        "unit": UNITS[kind],
        "cores": len(rows),
        "jobs": int(fabric.jobs_finished[rows].sum()),
        "failed": int(jobs.get("failed", 0)),
        "units": units,
        "samples": int(jobs.get("samples", 256 * units)),
        "cycles_per_unit": cycles,
        "utilization": active_ps / whole_ps,
        **(_unit_figures(fabric, kind, bottlenecks, bounded) if slowest is None else {}),
        "stages": stages,
        "counters": {name: value for name, value in jobs.items() if name not in ("jobs", "failed", "units", "samples")},
        "per_core": [
            {
                "name": str(fabric.cores[row]),
                "jobs": int(fabric.jobs_finished[row]),
                "units": int(fabric.units_finished[row]),
                "utilization": int(fabric.active_ps[row]) / max(1, elapsed_ps),
            }
            for row in rows
        ],
    }
    if active_ps:
        # A scaler's rate counts the macroblocks of its input.
        macroblocks = units if UNITS[kind] == "macroblock" else section["samples"] / 256
        rate = len(rows) * macroblocks / (active_ps * 1e-12)
        section["capacity"] = {
            "macroblocks_s": rate,
            "fps": rate * section["jobs"] / max(1.0, macroblocks),
            "streams": {name: rate / needed for name, needed in STREAMS.items()},
            "error": _rate_error(config, kind, stages),
        }
    return section


def _rate_error(config: ChipConfig, kind: str, stages: list[dict[str, Any]]) -> dict[str, Any]:
    term = error_bars.of_cores(config, kind, {stage["name"]: stage["cycles_mean"] for stage in stages})
    return {"low": term.low, "high": term.high, "why": term.why}


def _cycle_figures(spent: StageStats) -> dict[str, float]:
    return {
        "cycles_mean": spent.cycles_sum / max(1, spent.units),
        "cycles_p50": percentile(spent.cycles_histogram, 0.5),
        "cycles_p99": percentile(spent.cycles_histogram, 0.99),
    }


def _stage_cycles(fabric: Fabric) -> dict[str, dict[str, int]]:
    return {
        kind: {name: spent.cycles_sum for name, spent in stages.items()}
        for kind, stages in fabric.stages.items()
        if stages
    }


def _memory(config: ChipConfig, fabric: Fabric, cores: Mapping[str, Any], elapsed_ps: int) -> dict[str, Any]:
    counters = fabric.memory()
    traffic = fabric.traffic()
    clients: dict[str, dict[str, int]] = {}
    by_kind: dict[str, dict[str, int]] = {}
    for owner, served in traffic.items():
        kind = owner.rstrip("0123456789")
        for client, moved in served.items():
            total = clients.setdefault(client, {"read": 0, "write": 0})
            for direction, size in moved.items():
                total[direction] += size
            mine = by_kind.setdefault(kind, {})
            mine[client] = mine.get(client, 0) + sum(moved.values())
    bursts = counters["read_bursts"] + counters["write_bursts"]
    moved_bytes = counters["read_bytes"] + counters["write_bytes"]
    section: dict[str, Any] = {
        "standard": config.memory.standard,
        "channels": config.memory.channels,
        "peak_bytes_s": config.memory.peak_bytes_s,
        "bytes": moved_bytes,
        "read_bytes": counters["read_bytes"],
        "write_bytes": counters["write_bytes"],
        "clients": clients,
        "by_kind": by_kind,
        "row_hits": counters["row_hits"],
        "row_misses": counters["row_misses"],
        "row_conflicts": counters["row_conflicts"],
        "refreshes": counters["refreshes"],
        "turnarounds": counters["turnarounds"],
    }
    if bursts:
        section["row_hit_share"] = counters["row_hits"] / bursts
        section["achieved_bytes_s"] = moved_bytes / max(1, elapsed_ps) * 1e12
        section["bus_share"] = counters["bus_busy_ps"] / max(1, config.memory.channels * elapsed_ps)
        section["efficiency_bound"] = efficiency_bound(config, counters)
    if counters["read_chunks"]:
        section["read_latency_ns"] = counters["read_latency_ps"] / counters["read_chunks"] / 1000
    if "encode" in cores and by_kind.get("encode"):
        samples = max(1, cores["encode"]["samples"])
        section["bytes_per_px"] = sum(by_kind["encode"].values()) / samples
        section["bytes_per_px_by_client"] = {name: size / samples for name, size in by_kind["encode"].items()}
    return section


def efficiency_bound(config: ChipConfig, counters: Mapping[str, int]) -> float:
    """Upper bound of the share of its peak that memory carries with this run's accesses (banks never collide).

    Bus time against what it takes from it: activates where their rate is the limit, one turnaround both ways for
    each batch that a full write queue sends, and nRFC + nRP of each nREFI.
    """
    memory, timing = config.memory, config.memory.timing
    bus_clocks = counters["bus_busy_ps"] / timing.tCK_ps
    activate_clocks = (counters["row_misses"] + counters["row_conflicts"]) * max(timing.nRRD_S, timing.nFAW / 4)
    batch = max(1.0, (fast.WRITE_HIGH - fast.WRITE_LOW) * memory.write_queue_depth)
    turnaround_clocks = timing.nRTW + timing.nWTR_S + timing.nCL
    clocks = max(bus_clocks, activate_clocks) + counters["write_bursts"] / batch * turnaround_clocks
    share = bus_clocks / max(1.0, clocks)
    return share * (1 - (timing.nRFC + timing.nRP) / timing.nREFI) if memory.refresh else share


def _limit_by_memory(kind: str, section: dict[str, Any], memory: Mapping[str, Any]) -> None:
    """Streams that memory carries too: capacity of the cores, cut to its bandwidth at this run's traffic."""
    moved = sum(memory["by_kind"].get(kind, {}).values())
    if "capacity" in section and moved:
        carried = memory["peak_bytes_s"] * memory["efficiency_bound"] * section["samples"] / 256 / moved
        rate = min(section["capacity"]["macroblocks_s"], carried)
        section["capacity"]["streams_within_memory"] = {name: rate / needed for name, needed in STREAMS.items()}


def _control(config: ChipConfig, counted: Mapping[str, Any], elapsed_ps: int) -> dict[str, Any]:
    section = dict(counted)
    if "awake_ps" in section:
        section["awake_share"] = section["awake_ps"] / max(1, elapsed_ps)
        section["control_mhz"] = config.clocks.control_mhz
    return section


def _energy(
    constants: PowerConfig, joules: Mapping[str, float], cores: Mapping[str, Any], elapsed_ps: int
) -> dict[str, Any]:
    total = sum(joules.values())
    section: dict[str, Any] = {"joules": {**joules, "total": total}}
    if elapsed_ps:
        section["watts"] = total / (elapsed_ps * 1e-12)
        section["die_celsius"] = power.die_temperature_c(constants, section["watts"])
    samples = cores.get("encode", {}).get("samples") or cores.get("decode", {}).get("samples")
    if samples:
        section["nj_per_px"] = {part: 1e9 * value / samples for part, value in section["joules"].items()}
    return section
