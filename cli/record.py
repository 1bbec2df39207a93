"""`tasic record`: a clip through the chip, its work kept in a trace."""

from typing import Any

import click

from cli.options import Command, chip_option, encoder_options, encoder_values, threads_option


@click.command(cls=Command)
@click.argument("source_path", metavar="IN")
@click.argument("output", metavar="OUT.work")
@encoder_options
@click.option("--ladder", "-ladder", metavar="RUNGS", help="Several outputs, e.g. 1080p,720p@2M,360p.")
@chip_option
@click.option(
    "--report", metavar="FILE|-", multiple=True, help="What the chip did, as .html, .json or .txt; - prints it."
)
@click.option(
    "--frames", "-frames:v", "--frames:v", "frames", type=click.IntRange(1), metavar="N", help="Stop after N."
)
@threads_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary.")
def record(source_path: str, output: str, **options: Any) -> None:
    """Transcode IN on the chip and keep what every job did in OUT.work, for `tasic simulate`; no video is written."""
    from cli import report_files
    from cli.recording import record_clip
    from driver.media.output_file import OutputFile, check_target
    from driver.options import parse_ladder

    check_target(output)
    report_files.check(options["report"], None, source_path, [output])
    values = encoder_values(options)
    ladder = parse_ladder(options["ladder"]) if options["ladder"] else ()
    trace, report = record_clip(
        source_path, values, ladder, options["chip"], limit=options["frames"], threads=options["threads"],
        quiet=options["quiet"],
    )  # fmt: skip
    with OutputFile(output) as file:
        trace.write(file)
    report_files.write_record(report, options["report"])
    if not options["quiet"] and report_files.PRINT not in options["report"]:
        from pathlib import Path

        from asic_model.workload.work_trace import summary

        for line in summary(trace):
            click.echo(line)
        click.echo(f"{output}: {Path(output).stat().st_size:,} bytes")
