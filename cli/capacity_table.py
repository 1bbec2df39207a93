"""What `tasic capacity` does behind its options: one search, or a table of searches."""

from pathlib import Path
from typing import Any

import click

from asic_model.workload import workload as workloads
from asic_model.workload.capacity import Capacity, Trial
from asic_model.workload.capacity import capacity as search
from asic_model.workload.simulation_report import report as simulation_report
from asic_model.workload.workload import WorkloadConfig
from cli import report_files
from cli.capacity import DEADLINES_MS, PRESETS
from cli.recording import clip_recorder
from driver.backends.model import load
from driver.errors import InvalidConfig


def _with_preset(workload: WorkloadConfig, preset: str) -> WorkloadConfig:
    sessions = [s.model_copy(update={"preset": preset, "references": None}) for s in workload.sessions]
    return workload.model_copy(update={"sessions": tuple(sessions)})


def single_outputs(workload: WorkloadConfig) -> WorkloadConfig:
    """The same outputs, each in a session of its own that takes the source again."""
    sessions = [
        session.model_copy(update={"ladder": (output,), "name": f"{session.name}_{output.height}p"})
        for session in workload.sessions
        for output in session.ladder or (None,)
        if output is not None
    ]
    if not sessions:
        raise InvalidConfig("option --vary outputs: the scenario has no ladder")
    return workload.model_copy(update={"sessions": tuple(sessions), "name": f"{workload.name}, single"})


def run(options: dict[str, Any]) -> None:
    """Search, print, write."""
    config = load(options["chip"])
    name = options["scenario"]
    workload = workloads.load(name)
    quiet = options["quiet"] or report_files.PRINT in options["report"]

    def tell(trial: Trial) -> None:
        if not quiet:
            held = "holds" if trial.holds else f"{trial.late_share:.1%} late"
            click.echo(f"  {trial.streams:5} streams: {held}, p99 {trial.p99_ms:.1f} ms", err=True)

    def find(which: WorkloadConfig, deadline_ms: float | None = options["deadline"]) -> Capacity:
        return search(
            which, config, percentile=options["percentile"] / 100, deadline_ms=deadline_ms,
            duration_s=options["duration"], seed=options["seed"], detail=options["detail"],
            record=clip_recorder(options["chip"], True), progress=tell,
        )  # fmt: skip

    if Path(name).suffix in (".yaml", ".yml"):
        workload = _absolute(workload, Path(name).parent)
    vary = options["vary"]
    if vary == "preset":
        found = {preset: find(_with_preset(workload, preset)) for preset in PRESETS}
    elif vary == "deadline":
        found = {f"{ms:g} ms": find(workload, ms) for ms in DEADLINES_MS}
    elif vary == "outputs":
        found = {"several outputs": find(workload), "one output": find(single_outputs(workload))}
    else:
        found = {workload.name: find(workload)}
    _print(found, vary, quiet, options["quiet"])
    if options["report"]:
        best = max(found.values(), key=lambda each: each.streams)
        if best.outcome is None:
            raise InvalidConfig("option --report: not one stream holds, there is no run to report")
        record = simulation_report(config, best.outcome, {"workload": best.scenario})
        record["capacity"] = {"varied": vary, "rows": [_row(key, each) for key, each in found.items()]}
        report_files.write_record(record, options["report"])


def _absolute(workload: WorkloadConfig, folder: Path) -> WorkloadConfig:
    """Names of traces as they are found from here."""
    sessions = []
    for session in workload.sessions:
        if session.source.trace is not None:
            source = session.source.model_copy(update={"trace": str(folder / session.source.trace)})
            session = session.model_copy(update={"source": source})
        sessions.append(session)
    return workload.model_copy(update={"sessions": tuple(sessions)})


def _row(key: str, found: Capacity) -> dict[str, Any]:
    return {
        "name": key,
        "streams": found.streams,
        "binds": found.binds,
        "next": found.next_limit[0],
        "next_streams": found.next_limit[1],
        "pixels_out_s": found.pixels_out_s,
        "error": found.error.record(),
        "limits": {limit.name: {"streams": limit.streams, "used": limit.used} for limit in found.limits.values()},
    }


def _print(found: dict[str, Capacity], vary: str | None, no_table: bool, only_number: bool) -> None:
    if only_number:
        for each in found.values():
            click.echo(each.streams)
        return
    if no_table:
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head, side in (
        (vary or "scenario", "left"), ("streams", "right"), ("Mpix/s out", "right"), ("binds", "left"),
        ("next", "left"), ("at streams", "right"), ("error", "right"),
    ):  # fmt: skip
        table.add_column(head, justify=side)  # type: ignore[arg-type]
    for key, each in found.items():
        table.add_row(
            key, str(each.streams), f"{each.pixels_out_s / 1e6:,.0f}", each.binds, each.next_limit[0],
            f"{each.next_limit[1]:.0f}", f"{each.error.low:+.0%} to {each.error.high:+.0%}",
        )  # fmt: skip
    console.print(table)
    first = next(iter(found.values()))
    if vary is None:
        console.print("\nstreams that each resource would carry, by its use at capacity:")
        for limit in sorted(first.limits.values(), key=lambda each: each.streams):
            console.print(f"  {limit.name:12} {limit.streams:9.0f}   {limit.used:6.1%}")
        console.print(f"\n{first.explain()}.")
    if vary == "outputs":
        several, one = found.values()
        if one.pixels_out_s:
            ratio = several.pixels_out_s / one.pixels_out_s
            console.print(f"several outputs of one decoded source put out {ratio:.2f} times the samples")
