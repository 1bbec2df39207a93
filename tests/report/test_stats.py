"""Report and timeline say what the fabric counted, with a definition for every figure."""

import fnmatch
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asic_model import area, power, stats, trace
from asic_model.config import load_chip, with_changes
from asic_model.cores.fabric import Fabric
from asic_model.cores.result import CoreResult
from asic_model.memory import traffic
from asic_model.memory.surface import surface

STAGES = ("fetch", "search", "entropy")


def picture(seed: int, width: int = 320, height: int = 192) -> CoreResult:
    """A job of an encode core: source in, reconstruction out, a stream."""
    mb_width, mb_height = width // 16, height // 16
    units = mb_width * mb_height
    rng = np.random.default_rng(seed)
    requests = traffic.join(
        traffic.picture(surface(width, height, 0), mb_width, mb_height, 0, "source", False),
        traffic.picture(surface(width, height, 1 << 20), mb_width, mb_height, 1, "reconstruction", True),
        traffic.stream(rng.integers(0, 400, units), 2 << 20, 2),
    )
    cycles = rng.integers(20, 300, (units, 3))
    return CoreResult(0, 0, 0, STAGES, cycles, requests, np.zeros(units))


@pytest.fixture(scope="module")
def fabric() -> Fabric:
    """Three cores, two pictures each, traced."""
    made = Fabric(with_changes(load_chip("vcu"), {"encode.cores": 3}), trace=True, sample_ps=10_000_000)
    left = {0: 2, 1: 2, 2: 2}
    for core in left:
        made.start(core, picture(core), 0)
    while any(left.values()):
        for core, end_ps in made.advance(1 << 60):
            left[core] -= 1
            if left[core]:
                made.start(core, picture(core + 10), end_ps)
    return made


def report_of(fabric: Fabric) -> dict[str, Any]:
    samples = 6 * 320 * 192
    counted = {
        "now_ps": fabric.now_ps,
        "jobs": {"encode": {"jobs": 6, "failed": 0, "samples": samples, "bits": 1234}},
        "host_link": {"host_read_bytes": 1000, "host_write_bytes": 3000, "host_reads": 1, "host_writes": 2},
        "control": {"instructions": 10, "awake_ps": 2_500_000},
    }
    return stats.report(fabric.config, fabric, counted, {"command": "test"})


def test_report_is_plain_json_and_the_same_each_time(fabric: Fabric) -> None:
    report = report_of(fabric)
    assert json.loads(json.dumps(report)) == report
    assert json.dumps(report) == json.dumps(report_of(fabric))
    assert (report["schema"], report["schema_version"]) == ("tasic-report", 1)
    assert report["run"] == {"command": "test"}


def test_shares_of_time_add_up(fabric: Fabric) -> None:
    section = report_of(fabric)["cores"]["encode"]
    names = ("busy_share", "stall_input_share", "stall_memory_share", "stall_output_share", "idle_share")
    for stage in section["stages"]:
        assert sum(stage[name] for name in names) == pytest.approx(1)
        assert all(0 <= stage[name] <= 1 for name in names)
    shares = [stage["bottleneck_share"] for stage in section["stages"]]
    assert sum(shares) + section["memory_bottleneck_share"] == pytest.approx(1)


def test_cycle_figures_are_those_of_the_work(fabric: Fabric) -> None:
    cycles = np.concatenate([picture(seed).cycles for seed in (0, 1, 2, 10, 11, 12)])
    for column, stage in enumerate(report_of(fabric)["cores"]["encode"]["stages"]):
        ordered = np.sort(cycles[:, column])
        assert stage["cycles_mean"] == pytest.approx(ordered.mean())
        assert stage["cycles_p50"] == ordered[int(np.ceil(0.50 * ordered.size)) - 1]
        assert stage["cycles_p99"] == ordered[int(np.ceil(0.99 * ordered.size)) - 1]


def test_capacity_is_cores_times_rate(fabric: Fabric) -> None:
    """A core that takes c cycles a macroblock at 800 MHz does 800e6 / c; 2160p60 needs 1 944 000 a second."""
    section = report_of(fabric)["cores"]["encode"]
    rate = 3 * 800e6 / section["cycles_per_unit"]
    assert section["capacity"]["macroblocks_s"] == pytest.approx(rate)
    assert section["capacity"]["streams"]["2160p60"] == pytest.approx(rate / 1_944_000)
    assert section["capacity"]["streams"]["1080p30"] == pytest.approx(rate / (120 * 68 * 30))
    assert section["capacity"]["fps"] == pytest.approx(rate / 240)


def test_bytes_a_pixel_are_the_requests(fabric: Fabric) -> None:
    memory = report_of(fabric)["memory"]
    assert memory["bytes_per_px_by_client"]["source"] == 1.5
    assert memory["bytes_per_px_by_client"]["reconstruction"] == 1.5
    total = sum(entry["read"] + entry["write"] for entry in memory["clients"].values())
    assert memory["bytes_per_px"] == pytest.approx(total / (6 * 320 * 192))
    assert memory["bytes"] >= total - fabric.memory()["held_write_bytes"] - 1


def test_energy_is_counts_times_constants() -> None:
    """1000 stage cycles at 58.9 pJ, 100 bytes at 8 pJ a bit, 3 rows at 2 nJ, 5 bytes over the link, 1 us at 5 W."""
    joules = power.energy(
        load_chip("vcu").power,
        stage_cycles={"encode": {"search": 1000}},
        memory={"read_bytes": 60, "write_bytes": 40, "row_misses": 1, "row_conflicts": 2},
        link_bytes=5,
        control_cycles=7,
        elapsed_ps=1_000_000,
    )
    assert joules == pytest.approx(
        {
            "encode.search": 1000 * 58.9e-12,
            "memory.transfer": 800 * 8e-12,
            "memory.activate": 3 * 2e-9,
            "host_link": 40 * 6e-12,
            "control": 7 * 15e-12,
            "static": 5e-6,
        }
    )


def test_counted_stages_take_energy_by_the_gate() -> None:
    """A fifth of the published part's 2.88 M gates is the stage that its 58.9 pJ are the mean of; twice that, twice."""
    nothing = dict.fromkeys(("read_bytes", "write_bytes", "row_misses", "row_conflicts"), 0)
    joules = power.energy(
        load_chip("vcu").power,
        stage_cycles={"encode": {"transform": 1000, "deblock": 1000, "entropy": 1000}},
        memory=nothing,
        link_bytes=0,
        control_cycles=0,
        elapsed_ps=0,
        encode_gates={"transform": 2.88e6 / 5, "deblock": 2 * 2.88e6 / 5},
    )
    found = [joules[f"encode.{stage}"] for stage in ("transform", "deblock", "entropy")]
    assert found == pytest.approx([58.9e-9, 2 * 58.9e-9, 58.9e-9])


def test_gates_are_of_stages_with_the_sizes_of_the_rtl() -> None:
    """All four counted stages of `tiny`; with another latency the transform is another engine."""
    tiny = load_chip("tiny")
    stages = area.encode_stages(tiny)
    assert set(stages) == set(area.ENGINES)
    assert stages["deblock"].sram_bits == area.table()["engines"]["deblock"]["sram_bits"] > 0
    assert "transform" not in area.encode_stages(with_changes(tiny, {"encode.core.transform.latency_cycles": 12}))


def paths(node: Any, prefix: str = "") -> list[str]:
    """Dotted paths of all numbers; list entries by their name."""
    if isinstance(node, dict):
        return [path for key, value in node.items() for path in paths(value, f"{prefix}{key}.")]
    if isinstance(node, list):
        return [path for entry in node for path in paths(entry, f"{prefix}{entry.get('name', '*')}.")]
    is_number = isinstance(node, int | float) and not isinstance(node, bool)
    return [prefix.rstrip(".")] if is_number else []


def test_every_defined_metric_is_reported(fabric: Fabric) -> None:
    """No definition without its figure in a full run."""
    report = report_of(fabric)
    report.pop("metrics")
    found = paths(report)
    in_groups = {"cores.*.stages.*.waiting_share"}  # tests/workload/test_simulation.py
    for pattern in stats.METRICS.keys() - in_groups:
        assert fnmatch.filter(found, pattern) or fnmatch.filter(found, pattern + ".*"), pattern
    for metric in stats.METRICS.values():
        assert metric.unit
        assert metric.formula
        assert metric.source
        assert metric.exactness in (stats.EXACT, stats.CHECKED, stats.APPROXIMATE)


def test_timeline_has_named_tracks_and_no_overlaps(fabric: Fabric, tmp_path: Path) -> None:
    """What viewers drop silently: track 0, and slices that overlap on one track."""
    awake = [(0, 1_500), (1_500, 7_777), (9_000, 12_345)]
    trace.write(tmp_path / "a.json", fabric, awake)
    trace.write(tmp_path / "b.json", fabric, awake)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    found = json.loads((tmp_path / "a.json").read_text())["traceEvents"]
    named = {(e["pid"], e["tid"]) for e in found if e["name"] == "thread_name"}
    slices = [e for e in found if e["ph"] == "X"]
    assert min(e["tid"] for e in found) == 1
    assert {(e["pid"], e["tid"]) for e in slices} <= named
    for track in named:
        mine = sorted((round(e["ts"] * 1000), round(e["dur"] * 1000)) for e in slices if (e["pid"], e["tid"]) == track)
        for (start, lasts), (following, _) in itertools.pairwise(mine):
            assert start + lasts <= following
    assert len(slices) == 3 + 6 * (1 + len(STAGES))


def test_timeline_and_report_agree_on_busy_time(fabric: Fabric) -> None:
    found = list(trace.events(fabric))
    for stage in STAGES:
        shown = sum(e["args"]["busy_ps"] for e in found if e["ph"] == "X" and e["name"] == stage)
        assert shown == sum(fabric.account(core)[stage]["busy"] for core in range(3))


def test_memory_counters_add_up_to_the_traffic(fabric: Fabric) -> None:
    """Samples hold all bytes up to the last one."""
    sampled = sum(sample.read_bytes + sample.write_bytes for sample in fabric.samples)
    counted = fabric.memory()
    assert 0 < sampled <= counted["read_bytes"] + counted["write_bytes"]
    assert [sample.at_ps for sample in fabric.samples] == [10_000_000 * (i + 1) for i in range(len(fabric.samples))]
