"""`tasic sweep`: many chips and workloads, one row each, resumable."""

import click

from cli.options import Command


@click.command(cls=Command)
@click.argument("space", metavar="SPACE.yaml")
@click.option("-o", "--output", required=True, metavar="OUT.jsonl", help="Rows; an unfinished file is taken up again.")
@click.option("--jobs", type=click.IntRange(1, 1024), metavar="N", help="Processes [all processors].")
@click.option("--dask", metavar="ADDRESS", help="Dask scheduler to run on instead (pip install 'tasic[dask]').")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no front.")
def sweep(space: str, output: str, jobs: int | None, dask: str | None, quiet: bool) -> None:
    """Measure every point of SPACE and print the Pareto front.

    A run that was stopped, or killed, goes on where it was when called again.
    """
    from cli.sweeping import run

    run(space, output, jobs, dask, quiet)
