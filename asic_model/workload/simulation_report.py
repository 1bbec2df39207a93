"""The report of a simulation: the chip's own (`asic_model.stats`), and in `simulation` what streams got."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from asic_model import error_bars, stats
from asic_model.config import ChipConfig
from asic_model.cores.fabric import KINDS
from asic_model.error_bars import ErrorBar
from asic_model.workload.simulation import Outcome, decides

HISTOGRAM_BINS = 40


def report(config: ChipConfig, outcome: Outcome, run: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the record of one chip's simulation, JSON-able, the same for the same simulation."""
    fabric = outcome.fabric
    elapsed_ps = max(1, fabric.now_ps)
    counted = {
        "now_ps": fabric.now_ps,
        "jobs": {kind: {"samples": outcome.samples[kind]} for kind in KINDS if outcome.samples[kind]},
        "host_link": {"host_write_bytes": outcome.link_bytes[0], "host_read_bytes": outcome.link_bytes[1]},
        "control": {"awake_ps": outcome.firmware_busy_ps, "idle_ps": max(0, elapsed_ps - outcome.firmware_busy_ps)},
    }
    record = stats.report(config, fabric, counted, run)
    record["simulation"] = simulation(config, outcome)
    return record


def simulation(config: ChipConfig, outcome: Outcome) -> dict[str, Any]:
    """What streams got: counts, latencies, limits, bandwidth over time."""
    latencies = np.sort(np.concatenate([np.array(s.latencies) for s in outcome.streams] or [np.zeros(0)])) * 1e3
    limits = dict(outcome.limits)
    bound = stats.efficiency_bound(config, outcome.fabric.memory())
    limits["memory"] = min(1.0, limits["memory"] / max(bound, 1e-9))
    decided = decides(config, limits)
    seconds = outcome.fabric.now_ps * 1e-12
    found: dict[str, Any] = {
        "chip": config.name,
        "streams": len(outcome.streams),
        "duration_s": outcome.duration_s,
        "finished": sum(s.finished for s in outcome.streams),
        "dropped": sum(s.dropped for s in outcome.streams),
        "late": sum(s.late + s.unfinished for s in outcome.streams),
        "late_share": outcome.late_share,
        "frames_s": outcome.frames_s,
        "macroblocks": outcome.macroblocks,
        "pixels_out_s": outcome.pixels_out / max(seconds, 1e-12),
        "limits": limits,
        "waits": outcome.waits,
        "set_aside": [name for name in limits if name not in decided],
        "error": error_bar(config, outcome, decided).record(),
        "kinds": _kinds(outcome),
        "bandwidth": [[round(at, 6), value] for at, value in outcome.bandwidth],
        "detail": outcome.detail,
        "memory_stretch": outcome.memory_stretch,
    }
    if latencies.size:
        found["latency_ms"] = {
            name: float(latencies[min(latencies.size - 1, int(share * latencies.size))])
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
        }
        counts, edges = np.histogram(latencies, HISTOGRAM_BINS, (0.0, float(latencies[-1]) * 1.0001))
        found["latency_histogram"] = {"edges_ms": edges.tolist(), "pictures": counts.tolist()}
    return found


def error_bar(config: ChipConfig, outcome: Outcome, used: Mapping[str, float]) -> ErrorBar:
    """Error of what the chip carries of these streams; `used`: share of each resource in use."""
    carried = {name: len(outcome.streams) / share for name, share in used.items() if share > 0}
    cycles = error_bars.stage_cycles_of(outcome.fabric.stages)
    demand = error_bars.demand_of(outcome.demand_errors)
    return error_bars.of_limits(config, carried, cycles, grouped=outcome.detail == "group", demand=demand)


def _kinds(outcome: Outcome) -> list[dict[str, Any]]:
    """One row a kind of stream."""
    by_name: dict[str, list[Any]] = defaultdict(list)
    for stream in outcome.streams:
        by_name[stream.name.rpartition("#")[0]].append(stream)
    rows = []
    for name, group in by_name.items():
        latencies = np.sort(np.concatenate([np.array(s.latencies) for s in group])) * 1e3
        row: dict[str, Any] = {
            "name": name,
            "streams": len(group),
            "finished": sum(s.finished for s in group),
            "dropped": sum(s.dropped for s in group),
            "late": sum(s.late + s.unfinished for s in group),
            "frames_s": sum(s.finished for s in group) / outcome.duration_s,
        }
        if latencies.size:
            row["p50_ms"] = float(latencies[latencies.size // 2])
            row["p99_ms"] = float(latencies[min(latencies.size - 1, int(0.99 * latencies.size))])
        rows.append(row)
    return rows
