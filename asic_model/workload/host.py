"""A host: several equal chips, each with its own share of the streams.

Chips share nothing in the model (each has its own memory and its own share of the host link), so each is a simulation
of its own, on any `concurrent.futures.Executor`; results do not depend on which.
"""

from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from asic_model.config import ChipConfig
from asic_model.workload import workload as workloads
from asic_model.workload.errors import WorkloadError
from asic_model.workload.simulation import Simulation
from asic_model.workload.simulation_report import report
from asic_model.workload.workload import WorkloadConfig


def share(workload: WorkloadConfig, chips: int) -> list[WorkloadConfig]:
    """Deal the streams out to the chips, one by one."""
    counts = [[0] * len(workload.sessions) for _ in range(chips)]
    turn = 0
    for number, session in enumerate(workload.sessions):
        for _ in range(session.count):
            counts[turn % chips][number] += 1
            turn += 1
    found = []
    for mine in counts:
        sessions = [s.model_copy(update={"count": n}) for s, n in zip(workload.sessions, mine, strict=True) if n]
        if sessions:
            found.append(workload.model_copy(update={"sessions": tuple(sessions)}))
    return found


def simulate_chip(
    workload: WorkloadConfig, config: ChipConfig, detail: str, folder: str, seed: int
) -> dict[str, Any]:  # fmt: skip
    """One chip's report: what a worker process does. `seed`: of phases and places; streams have the workload's."""
    placed = workloads.place(workload, config, detail=detail, folder=Path(folder))
    simulation = Simulation(config, placed, seed=seed, warm_up_s=workload.warm_up_s, detail=detail)
    return report(config, simulation.run(workload.duration_s), {"workload": workload.name})


def simulate_host(
    workload: WorkloadConfig, config: ChipConfig, chips: int, *, detail: str = "group", folder: str = ".",
    executor: Executor | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Simulate the workload on `chips` chips; return their reports in order (chips without streams have none)."""
    if chips < 1:
        raise WorkloadError(f"chips: {chips} is not at least 1")
    parts = share(workload, chips)
    seeds = [workload.seed + 7919 * chip for chip in range(len(parts))]
    if executor is None:
        return [simulate_chip(part, config, detail, folder, seed) for part, seed in zip(parts, seeds, strict=True)]
    waiting = [
        executor.submit(simulate_chip, part, config, detail, folder, seed)
        for part, seed in zip(parts, seeds, strict=True)
    ]
    return [each.result() for each in waiting]


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums over all chips."""
    parts = [record["simulation"] for record in records]
    judged = sum(part["finished"] + part["dropped"] for part in parts)
    return {
        "chips": len(parts),
        "streams": sum(part["streams"] for part in parts),
        "frames_s": sum(part["frames_s"] for part in parts),
        "pixels_out_s": sum(part["pixels_out_s"] for part in parts),
        "macroblocks": sum(part["macroblocks"] for part in parts),
        "late_share": sum(part["late"] + part["dropped"] for part in parts) / max(1, judged),
        "watts": sum(record["energy"].get("watts", 0.0) for record in records),
    }
