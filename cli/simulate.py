"""`tasic simulate`: recorded or described streams on a chip or a host of chips, without pixels."""

from typing import Any

import click

from cli.options import Command, chip_option, timing_option


@click.command(cls=Command)
@click.argument("workload", metavar="WORKLOAD.yaml|MIX|TRACE.work")
@chip_option
@click.option("--streams", type=click.IntRange(1, 100_000), metavar="N", help="So many streams of a trace.")
@click.option("--chips", type=click.IntRange(1, 1000), default=1, metavar="N", help="Chips that share the streams [1].")
@click.option("--duration", type=click.FloatRange(0.001, 1e5), metavar="S", help="Simulated seconds that count.")
@click.option(
    "--detail", type=click.Choice(["group", "macroblock"]), default="group",
    help="group: macroblocks in groups of 32, fitted; macroblock: every one, exact [group].",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", help="Instead of the workload's own.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, metavar="N", help="Processes, one chip each [1].")
@click.option(
    "--report", metavar="FILE|-", multiple=True, help="What the chip did, as .html, .json or .txt; - prints it."
)
@click.option("--trace", metavar="FILE", help="Timeline of the (first) chip for ui.perfetto.dev.")
@timing_option
@click.option("-q", "--quiet", is_flag=True, help="No summary.")
def simulate(workload: str, **options: Any) -> None:
    """Play streams on a chip without touching a pixel.

    A TRACE on the chip that it was recorded on, without --streams, is played back exactly: every cycle is compared
    with the recording. On another chip, or with --streams, it loops as live streams. A WORKLOAD describes streams in
    YAML; a MIX is one that comes along (live_ladder, upload_multi, ...).
    """
    from pathlib import Path

    from asic_model.workload import work_trace
    from cli import report_files
    from cli.simulating import play_trace, run_workload

    report_files.check(options["report"], options["trace"])
    path = Path(workload)
    is_trace = False
    if path.is_file():
        with path.open("rb") as stream:
            is_trace = stream.read(len(work_trace.MAGIC)) == work_trace.MAGIC
    if is_trace or path.suffix == ".work":
        play_trace(path, options)
    else:
        run_workload(workload, options)
