"""`tasic fleet`: hosts, cards and chips over a day."""

import click

from cli.options import Command


@click.command(cls=Command)
@click.argument("path", metavar="FLEET.yaml")
@click.option("-o", "--output", metavar="OUT.json", help="The whole outcome.")
@click.option("--jobs", type=click.IntRange(1, 1024), metavar="N", help="Processes for chips simulated in full [all].")
@click.option("-q", "--quiet", is_flag=True, help="No summary.")
def fleet(path: str, output: str | None, jobs: int | None, quiet: bool) -> None:
    """Pack sessions that come and go onto a fleet's chips for a day, with failures; say what was refused and why."""
    from cli.sweeping import run_fleet

    run_fleet(path, jobs, output, quiet)
