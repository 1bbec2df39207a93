"""The fabric plays pipelines as its rules say, in time order, and checks its own books."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.config import ChipConfig, load_chip, with_changes
from asic_model.cores import pipeline
from asic_model.cores.fabric import Fabric, InvariantError
from asic_model.cores.result import CLIENTS, REQUEST, CoreResult
from asic_model.memory.dram import fast
from tests.oracle import pipeline as oracle

PERIOD_PS = 1000  # a round clock: 1 GHz


@lru_cache(maxsize=None)
def chip(mode: str = "fifo", fifo: int = 2, prefetch: int = 2, writes: int = 2, cores: int = 1) -> ChipConfig:
    return with_changes(
        load_chip("tiny"),
        {
            "clocks.core_mhz": 1000.0,
            "encode.cores": cores,
            "encode.pipeline.mode": mode,
            "encode.pipeline.fifo_depth": fifo,
            "encode.pipeline.prefetch_units": prefetch,
            "encode.pipeline.write_units": writes,
        },
    )


def result(cycles: list[list[int]], rows: list[tuple[int, ...]] = ()) -> CoreResult:
    """A job; rows are REQUEST tuples (unit, stage, client, write, rows, size, pitch, address)."""
    table = np.array(cycles, np.int64)
    names = tuple(f"stage{i}" for i in range(table.shape[1]))
    return CoreResult(0, 0, 0, names, table, np.array(list(rows), REQUEST), np.zeros(len(table)))


def run(fabric: Fabric, jobs: dict[int, CoreResult], start_ps: int = 0) -> dict[int, int]:
    for core, job in jobs.items():
        fabric.start(core, job, start_ps)
    ends: dict[int, int] = {}
    while len(ends) < len(jobs):
        ends.update(fabric.advance(1 << 60))
    return ends


def times(fabric: Fabric, core: int, stage: int, unit: int) -> tuple[int, int]:
    """(start, leave) of a unit; jobs here are shorter than the fabric's history."""
    at = pipeline.HISTORY + 4 * (stage * pipeline.RING + unit)
    row = fabric._fields[core]
    return int(row[at + pipeline.H_START]), int(row[at + pipeline.H_LEAVE])


def test_two_stages_overlap() -> None:
    """3 units of 10 + 4 cycles: the second stage works in the first one's shadow: 3 * 10 + 4 = 34 cycles."""
    fabric = Fabric(chip())
    assert run(fabric, {0: result([[10, 4]] * 3)}) == {0: 34 * PERIOD_PS}
    assert fabric.account(0)["stage1"] == {
        "busy": 12 * PERIOD_PS, "stall_input": 22 * PERIOD_PS, "stall_memory": 0, "stall_output": 0,
    }  # fmt: skip


def test_fifo_holds_back_a_fast_stage() -> None:
    """Stage 0 takes 1 cycle, stage 1 ten; the FIFO holds two units.

    Units 0, 1, 2 leave stage 0 at 1, 2, 3: unit 0 is in stage 1, units 1 and 2 wait. Unit 3 is done at 4, but leaves
    when unit 1 starts stage 1, at 11.
    """
    fabric = Fabric(chip(fifo=2))
    run(fabric, {0: result([[1, 10]] * 5)})
    assert [times(fabric, 0, 0, unit)[1] // PERIOD_PS for unit in range(5)] == [1, 2, 3, 11, 21]


def test_not_finished_a_picosecond_before_and_finished_then() -> None:
    fabric = Fabric(chip())
    fabric.start(0, result([[7]]), at_ps=500)
    assert fabric.next_finish_lower_bound() == 500 + 7 * PERIOD_PS
    assert fabric.advance(500 + 7 * PERIOD_PS - 1) == []
    assert fabric.is_busy(0)
    assert fabric.advance(500 + 7 * PERIOD_PS) == [(0, 500 + 7 * PERIOD_PS)]
    assert not fabric.is_busy(0)


def test_advance_returns_at_the_first_end() -> None:
    fabric = Fabric(chip(cores=3))
    for core, cycles in enumerate((9, 5, 5)):
        fabric.start(core, result([[cycles]]), 0)
    assert fabric.advance(1 << 40) == [(1, 5000), (2, 5000)]
    assert fabric.now_ps == 5000
    assert fabric.advance(1 << 40) == [(0, 9000)]
    assert fabric.next_finish_lower_bound() is None


def test_a_read_holds_its_stage_until_it_is_back() -> None:
    """One unit, one read of 32 bytes from an idle memory, at time 0.

    tiny: NoC of 8 bytes and 8 cycles at 5000 ps; LPDDR4-2400, closed row: nRCD 22, nCL 21, nBL 8 clocks of 833 ps
    (29 and 28 clocks of 625 ps, rounded up). There and back 2 * 40 ns, 32 bytes through the port 4 * 5 ns.
    """
    timing = chip().memory.timing
    memory_ps = (timing.nRCD + timing.nCL + timing.nBL) * timing.tCK_ps
    back_ps = 2 * 8 * 5000 + memory_ps + 4 * 5000
    fabric = Fabric(chip())
    ends = run(fabric, {0: result([[3]], [(0, 0, 0, 0, 1, 32, 0, 0)])})
    assert times(fabric, 0, 0, 0)[0] == back_ps
    assert ends == {0: back_ps + 3 * PERIOD_PS}
    assert fabric.account(0)["stage0"]["stall_memory"] == back_ps
    assert fabric.bottleneck(0) == {"stage0": 0, "memory": 1}


def test_reads_run_ahead_by_the_prefetch_window() -> None:
    """With a window of 2 the reads of unit 2 go out when unit 0 starts: a long stage hides them entirely."""
    rows = [(unit, 0, 1, 0, 1, 32, 0, 4096 * unit) for unit in range(4)]
    fabric = Fabric(chip(prefetch=2))
    run(fabric, {0: result([[400]] * 4, rows)})
    starts = [times(fabric, 0, 0, unit)[0] for unit in range(4)]
    assert [b - a for a, b in pairwise(starts)] == [400 * PERIOD_PS] * 3
    later = Fabric(chip(prefetch=1))
    run(later, {0: result([[1]] * 4, rows)})
    gaps = np.diff([times(later, 0, 0, unit)[0] for unit in range(4)])
    assert (gaps > 60_000).all()  # nothing runs ahead: each unit waits for its own round trip


def test_lockstep_is_the_sum_of_the_slots_maxima() -> None:
    cycles = np.random.default_rng(1).integers(1, 50, (20, 4))
    slots = [max(cycles[slot - stage, stage] for stage in range(4) if 0 <= slot - stage < 20) for slot in range(20 + 3)]
    assert run(Fabric(chip("lockstep")), {0: result(cycles.tolist())}) == {0: sum(slots) * PERIOD_PS}


def test_deep_fifos_approach_the_slowest_stage() -> None:
    """FIFO pipelines tend to max over stages of the sum, lock-step to the sum over slots of the max."""
    cycles = np.random.default_rng(2).integers(1, 100, (100, 5))
    decoupled = run(Fabric(chip(fifo=64)), {0: result(cycles.tolist())})[0]
    lockstep = run(Fabric(chip("lockstep")), {0: result(cycles.tolist())})[0]
    slowest = cycles.sum(axis=0).max() * PERIOD_PS
    assert slowest <= decoupled < 1.25 * slowest < lockstep


@st.composite
def workloads(draw: st.DrawFn) -> tuple[dict[int, CoreResult], dict[str, int | str]]:
    """One to three cores with small jobs that read and write a few rows of memory."""
    rules = {
        "mode": draw(st.sampled_from(["fifo", "lockstep"])),
        "fifo": draw(st.integers(1, 4)),
        "prefetch": draw(st.integers(1, 4)),
        "writes": draw(st.integers(1, 3)),
        "cores": 3,
    }
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    jobs = {}
    for core in range(draw(st.integers(1, 3))):
        units, stages = int(rng.integers(1, 30)), int(rng.integers(1, 5))
        cycles = rng.integers(0, draw(st.sampled_from([3, 60, 600])), (units, stages))
        count = int(rng.integers(0, 2 * units))
        rows = np.zeros(count, REQUEST)
        rows["unit"] = np.sort(rng.integers(0, units, count))
        rows["stage"] = rng.integers(0, stages, count)
        rows["client"] = rng.integers(0, len(CLIENTS), count)
        rows["write"] = rng.integers(0, 2, count)
        rows["rows"] = rng.integers(1, 4, count)
        rows["size"] = rng.integers(1, 200, count)
        rows["pitch"] = rng.integers(0, 4096, count)
        rows["address"] = rng.integers(0, 1 << 20, count)
        jobs[core] = result(cycles.tolist(), [tuple(row) for row in rows.tolist()])
    return jobs, rules


def twin(config: ChipConfig, jobs: dict[int, CoreResult]) -> oracle.Simulation:
    """The slow twin of a fabric that starts all `jobs` at time 0, on a memory of its own."""
    memory = Fabric(config)._memory
    latency_ps = config.noc.latency_cycles * config.clocks.noc_ps
    port = {(core, write): 0 for core in jobs for write in (False, True)}

    def access(core: int, write: bool, pieces: list[tuple[int, int]], at_ps: int) -> int:
        last = at_ps
        for address, size in pieces:
            busy = -(-size // (config.noc.width_bits // 8)) * config.clocks.noc_ps
            issue = max(at_ps, port[core, write])
            port[core, write] = issue + busy
            back = fast.access(memory.table, memory.state, address, size, int(write), issue + latency_ps)
            last = max(last, back + latency_ps + busy)
        return last

    described = {}
    for core, job in jobs.items():
        moved: tuple[dict, dict] = ({}, {})
        for row in job.requests:
            pieces = moved[int(row["write"])].setdefault((int(row["unit"]), int(row["stage"])), [])
            pieces += [(int(row["address"] + i * row["pitch"]), int(row["size"])) for i in range(int(row["rows"]))]
        described[core] = oracle.Job(job.cycles.tolist(), *moved, 0, config.clocks.core_ps)
    joined = config.encode.pipeline
    rules = oracle.Rules(joined.mode == "lockstep", joined.fifo_depth, joined.prefetch_units, joined.write_units)
    return oracle.Simulation(described, rules, access)


def stable(job: CoreResult) -> CoreResult:
    """The job with its requests in the order that the fabric puts them into."""
    keys = job.requests["unit"].astype(np.int64) * 256 + job.requests["stage"]
    order = np.argsort(keys, kind="stable")
    return CoreResult(0, 0, 0, job.stages, job.cycles, job.requests[order], job.work)


@given(workloads())
@settings(max_examples=150, deadline=None)
def test_equals_the_slow_twin(workload: tuple[dict[int, CoreResult], dict[str, int | str]]) -> None:
    """Every start and every leave of every unit, and the ends of all jobs, cores contending for one memory."""
    jobs, rules = workload
    jobs = {core: stable(job) for core, job in jobs.items()}
    config = chip(**rules)  # type: ignore[arg-type]
    fabric = Fabric(config)
    ends = run(fabric, jobs)
    slow = twin(config, jobs)
    for (core, stage, unit), start in slow.starts.items():
        found = times(fabric, core, stage, unit)
        assert found == (start, slow.leaves[core, stage, unit]), f"core {core} stage {stage} unit {unit}"
    assert ends == slow.ends


@given(workloads())
@settings(max_examples=60, deadline=None)
def test_bytes_and_time_are_conserved(workload: tuple[dict[int, CoreResult], dict[str, int | str]]) -> None:
    jobs, rules = workload
    fabric = Fabric(chip(**rules))  # type: ignore[arg-type]
    bounds_hold = True
    for core, job in jobs.items():
        fabric.start(core, job, 0)
    left = len(jobs)
    while left:
        bound = fabric.next_finish_lower_bound()
        ended = fabric.advance(1 << 60)
        assert bound is not None
        bounds_hold = bounds_hold and all(bound <= end for _, end in ended)
        left -= len(ended)
    assert bounds_hold
    fabric.check()
    for core, job in jobs.items():
        served = fabric.traffic()[f"encode{core}"]
        asked = (job.requests["size"].astype(int) * job.requests["rows"]).sum()
        assert sum(sum(entry.values()) for entry in served.values()) == asked
        busy = [entry["busy"] for entry in fabric.account(core).values()]
        assert busy == (job.cycles.sum(axis=0) * PERIOD_PS).tolist()
        assert sum(fabric.bottleneck(core).values()) == len(job.cycles)
    histogram, _ = fabric.latency_histogram("encode")
    assert histogram.sum() == sum(len(job.cycles) for job in jobs.values())


def test_the_same_work_gives_the_same_times_in_small_steps() -> None:
    """Advancing picosecond by picosecond, or in one go, plays the same."""
    rng = np.random.default_rng(3)
    rows = [(u, 0, 1, 0, 2, 64, 2048, int(rng.integers(0, 1 << 20))) for u in range(40)]
    rows += [(u, 1, 2, 1, 2, 64, 2048, int(rng.integers(0, 1 << 20))) for u in range(40)]
    job = stable(result(rng.integers(1, 100, (40, 2)).tolist(), rows))
    whole = run(Fabric(chip(cores=2)), {0: job, 1: job})
    fabric = Fabric(chip(cores=2), trace=True, sample_ps=7_777)
    for core in (0, 1):
        fabric.start(core, job, 0)
    steps: dict[int, int] = {}
    while len(steps) < 2:
        steps.update(fabric.advance(fabric.now_ps + 12_345))
    assert steps == whole


def test_transfers_of_the_host_are_counted_and_paced() -> None:
    fabric = Fabric(chip())
    done = fabric.transfer("host", 0, 1 << 20, True, at_ps=0, duration_ps=10**9)
    assert done >= 10**9
    fabric.advance(5 * 10**8)
    half = fabric.traffic()["other"]["host"]["write"]
    assert abs(half - (1 << 19)) <= pipeline.DMA_PIECE_BYTES
    fabric.advance(2 * 10**9)
    assert fabric.traffic()["other"] == {"host": {"read": 0, "write": 1 << 20}}


def test_refuses_work_that_makes_no_sense() -> None:
    fabric = Fabric(chip())
    with pytest.raises(ValueError, match="less than 0"):
        fabric.start(0, result([[-1]]), 0)
    with pytest.raises(ValueError, match="outside 1 x 1"):
        fabric.start(0, result([[1]], [(1, 0, 0, 0, 1, 32, 0, 0)]), 0)
    fabric.start(0, result([[1]]), 0)
    with pytest.raises(ValueError, match="busy"):
        fabric.start(0, result([[1]]), 0)


def test_a_breach_raises() -> None:
    fabric = Fabric(chip())
    fabric.start(0, result([[5]], [(0, 0, 0, 0, 1, 32, 0, 0)]), 0)
    fabric._served(0)[0, 0] += 1  # a byte out of nowhere
    with pytest.raises(InvariantError, match="bytes asked"):
        fabric.advance(1 << 60)
