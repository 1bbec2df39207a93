"""What `tasic simulate` does behind its options."""

from pathlib import Path
from typing import Any

import click

from asic_model.config import ChipConfig
from asic_model.workload import host, playback, streams, work_trace
from asic_model.workload import workload as workloads
from asic_model.workload.simulation import Placed, Simulation
from asic_model.workload.simulation_report import report as simulation_report
from cli import report_files
from cli.console import warn
from cli.options import timing_changes
from cli.recording import clip_recorder
from cli.worker_pool import worker_pool
from driver.backends.model import load
from driver.errors import InvalidConfig
from driver.media.output_file import OutputFile


def _write_trace(path: str | None, fabric: Any, timeline: Any = None) -> None:
    if path is None:
        return
    from asic_model import trace

    with OutputFile(path) as file:
        for text in trace.lines(fabric, timeline=timeline):
            file.write(text.encode())


def play_trace(path: Path, options: dict[str, Any]) -> None:
    """A recorded run: exactly, or as so many live streams."""
    config = load(options["chip"], timing_changes(options["timing_from"], warn))
    trace = work_trace.read(path)
    if options["chips"] != 1:
        raise InvalidConfig("option --chips: a trace is played on one chip; a workload may name it as its source")
    if options["streams"] is None and not playback.differences(trace, config):
        _play_back(path, trace, config, options)
        return
    stream = streams.from_trace(trace, config, detail=options["detail"])
    placed = [Placed(stream)] * (options["streams"] or 1)
    simulation = Simulation(
        config, placed, seed=options["seed"] or 0, detail=options["detail"], trace=options["trace"] is not None
    )
    outcome = simulation.run(options["duration"] or 1.0)
    record = simulation_report(config, outcome, {"source": {"path": str(path)}, "workload": stream.name})
    _write_trace(options["trace"], outcome.fabric)
    _finish([record], options)


def _play_back(path: Path, trace: work_trace.WorkTrace, config: ChipConfig, options: dict[str, Any]) -> None:
    from asic_model import stats

    played = playback.play(trace, config, timeline=options["trace"] is not None)
    record = stats.report(config, played.chip.fabric, played.chip.stats(), {"source": {"path": str(path)}})
    _write_trace(options["trace"], played.chip.fabric, played.chip.timeline)
    report_files.write_record(record, options["report"])
    if not options["quiet"] and report_files.PRINT not in options["report"]:
        click.echo(
            f"{played.jobs} jobs played back, equal to the recording to the picosecond: "
            f"{record['elapsed_ps'] / 1e9:.3f} ms of the chip's time"
        )
        for kind, section in record["cores"].items():
            click.echo(f"{kind}: {section['units']:,} units, {section['cycles_per_unit']:.1f} cycles each")


def run_workload(name: str, options: dict[str, Any]) -> None:
    """A described workload, on one chip or on several."""
    config = load(options["chip"], timing_changes(options["timing_from"], warn))
    workload = workloads.load(name)
    if options["streams"] is not None:
        from asic_model.workload.capacity import shares

        counts = shares([session.count for session in workload.sessions], options["streams"])
        sessions = [s.model_copy(update={"count": n}) for s, n in zip(workload.sessions, counts, strict=True) if n]
        workload = workload.model_copy(update={"sessions": tuple(sessions)})
    changes = {"seed": options["seed"], "duration_s": options["duration"]}
    workload = workload.model_copy(update={key: value for key, value in changes.items() if value is not None})
    folder = str(Path(name).parent) if Path(name).suffix in (".yaml", ".yml") else "."
    if options["chips"] == 1:
        placed = workloads.place(
            workload, config, detail=options["detail"], folder=Path(folder),
            record=clip_recorder(options["chip"], options["quiet"]),
        )  # fmt: skip
        simulation = Simulation(
            config, placed, seed=workload.seed, warm_up_s=workload.warm_up_s, detail=options["detail"],
            trace=options["trace"] is not None,
        )  # fmt: skip
        outcome = simulation.run(workload.duration_s)
        _write_trace(options["trace"], outcome.fabric)
        records = [simulation_report(config, outcome, {"workload": workload.name})]
    else:
        if options["trace"] is not None:
            raise InvalidConfig("option --trace: of one chip only; leave --chips out")
        if options["jobs"] > 1:
            with worker_pool(options["jobs"]) as pool:
                records = host.simulate_host(
                    workload, config, options["chips"], detail=options["detail"], folder=folder, executor=pool
                )
        else:
            records = host.simulate_host(workload, config, options["chips"], detail=options["detail"], folder=folder)
    _finish(records, options)


def _finish(records: list[dict[str, Any]], options: dict[str, Any]) -> None:
    """Reports of the first chip; a summary of all."""
    record = records[0]
    if len(records) > 1:
        record = {**record, "host": host.summary(records)}
    report_files.write_record(record, options["report"])
    if options["quiet"] or report_files.PRINT in options["report"]:
        return
    from asic_model.workload.explain import explain

    if len(records) > 1:
        total = record["host"]
        click.echo(
            f"{total['chips']} chips, {total['streams']} streams: {total['frames_s']:.0f} frames/s, "
            f"{total['pixels_out_s'] / 1e6:,.0f} million luma samples a second out, "
            f"{total['late_share']:.2%} late or dropped"
        )
    simulation = record["simulation"]
    latency = simulation.get("latency_ms", {})
    for kind in simulation["kinds"]:
        click.echo(
            f"{kind['name']}: {kind['streams']} streams, {kind['frames_s']:.1f} frames/s, {kind['late']} late, "
            f"{kind['dropped']} dropped, p99 {kind.get('p99_ms', 0):.1f} ms"
        )
    if latency:
        click.echo(f"latency ms: median {latency['p50']:.2f}, 99 % {latency['p99']:.2f}, longest {latency['max']:.2f}")
    for name, share in sorted(simulation["limits"].items(), key=lambda item: -item[1]):
        click.echo(f"  {name:12} {'#' * round(40 * min(1.0, share)):40} {share:6.1%}")
    for line in explain(record)[:4]:
        click.echo(line)
