"""`tasic capacity`: how many streams a chip holds in real time, and what limits it."""

from typing import Any

import click

from cli.options import Command, chip_option

DEADLINES_MS = (20.0, 33.0, 50.0, 100.0, 200.0, 500.0)
PRESETS = ("fast", "medium", "slow")


@click.command(cls=Command)
@click.option("--scenario", required=True, metavar="MIX|WORKLOAD.yaml", help="Which streams; counts are proportions.")
@chip_option
@click.option(
    "--percentile", type=click.FloatRange(50, 100), default=99.0, metavar="P",
    help="Pictures that must be in time [99 %].",
)  # fmt: skip
@click.option("--deadline", type=click.FloatRange(0.1, 60_000), metavar="MS", help="Instead of the workload's own.")
@click.option("--duration", type=click.FloatRange(0.01, 1000), default=0.5, metavar="S", help="Judged [0.5].")
@click.option(
    "--vary", type=click.Choice(["preset", "deadline", "outputs"]),
    help="A table: every preset, several deadlines, or several outputs a session against one.",
)  # fmt: skip
@click.option("--detail", type=click.Choice(["group", "macroblock"]), default="group", help="As in simulate [group].")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, metavar="N", help="Of phases and places [0].")
@click.option("--report", metavar="FILE|-", multiple=True, help="Table, and the chip at capacity.")
@click.option("-q", "--quiet", is_flag=True, help="Only the number.")
def capacity(**options: Any) -> None:
    """Find the most concurrent real-time streams of a scenario on a chip, what binds, and what would bind next."""
    from cli import report_files
    from cli.capacity_table import run

    report_files.check(options["report"], None)
    run(options)
