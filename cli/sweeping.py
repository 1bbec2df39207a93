"""What `tasic sweep` and `tasic fleet` do behind their options."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from asic_model.workload import sweep as sweeps
from cli.console import Progress
from cli.worker_pool import worker_pool
from driver.errors import InvalidConfig


@contextmanager
def pool(jobs: int | None, dask: str | None = None) -> Iterator[tuple[Executor | None, int]]:
    """An executor and its workers; None: here."""
    if dask is not None:
        try:
            from dask.distributed import Client
        except ImportError:
            raise InvalidConfig("option --dask: dask is not installed; pip install 'tasic[dask]'") from None
        with Client(dask) as client:
            yield client.get_executor(), max(1, len(client.scheduler_info()["workers"]))
        return
    workers = jobs or os.cpu_count() or 1
    if workers == 1:
        yield None, 1
        return
    with worker_pool(workers) as executor:
        yield executor, workers


def run(space_path: str, output: str, jobs: int | None, dask: str | None, quiet: bool) -> None:
    """Run a sweep, then print what it found."""
    space = sweeps.load(space_path)
    path = Path(output)
    if not path.parent.is_dir():
        raise InvalidConfig(f"{output}: no such folder")
    total = len(sweeps.points(space))
    before = len(sweeps.read_rows(path, space))
    if before and not quiet:
        click.echo(f"{output}: {before} rows are there; going on", err=True)
    with pool(jobs, dask) as (executor, workers), Progress(total - before, "measuring", quiet) as progress:
        for _ in sweeps.run(space, path, executor, workers):
            progress.advance()
    if not quiet:
        _print(space, sweeps.read_rows(path, space))


def _print(space: sweeps.SpaceConfig, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    last = max(row["round"] for row in rows)
    able = [row for row in rows if row["round"] == last]
    measured = {name for row in able for name in row.get("metrics", {})}
    objectives: dict[str, str] = {name: way for name, way in space.objectives.items() if name in measured}
    front = sweeps.pareto(able, objectives)
    failed = sum("error" in row for row in rows)
    if not objectives:
        console.print(f"{len(rows)} rows, {failed} of chips that cannot be; no objective was measured, so no front")
        return
    console.print(f"{len(rows)} rows, {failed} of chips that cannot be; Pareto front of {', '.join(objectives)}:")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in [*space.axes, *objectives]:
        table.add_column(name, justify="right")
    name, way = next(iter(objectives.items()))
    for row in sorted(front, key=lambda row: row["metrics"][name], reverse=way == "max")[:40]:
        values = [str(row["values"][path]) for path in space.axes]
        table.add_row(*values, *(f"{row['metrics'][metric]:.4g}" for metric in objectives))
    console.print(table)
    if space.sensitivity_percent:
        console.print(f"\n{space.sensitivity_percent:g} % more of ... buys streams (of {space.chip}, by its bounds):")
        for found in sweeps.sensitivity(space):
            console.print(f"  {found['resource']:18} {found['more']:+.2f}")


def run_fleet(path: str, jobs: int | None, output: str | None, quiet: bool) -> None:
    """Run a fleet's day, write and print it."""
    from asic_model.workload import fleet
    from driver.media.output_file import check_target, write_text

    if output is not None:
        check_target(output)
    config = fleet.load(path)
    if config.verify:
        with pool(jobs) as (executor, _):
            found = fleet.simulate(config, executor)
    else:
        found = fleet.simulate(config)
    record = found.record()
    if output is not None:
        write_text(output, json.dumps(record, indent=1) + "\n")
    if quiet:
        return
    click.echo(
        f"{record['chips']} chips, {config.hours:g} hours: {record['arrivals']} sessions came, at most "
        f"{record['peak_sessions']} at once; {record['rejected']} were refused, {record['moved']} moved on failures, "
        f"{record['lost']} lost"
    )
    click.echo(f"{record['failures']} failures, availability of chips {record['availability']:.3%}")
    if record["rejected_by"]:
        words = ", ".join(f"{name} ({count})" for name, count in record["rejected_by"].items())
        click.echo(f"refused for want of: {words}")
    for row in record["hourly"]:
        worst = max(row["used"], key=lambda name: row["used"][name])
        share = row["used"][worst]
        click.echo(
            f"  {row['hour']:3}:00 {'#' * round(40 * share):40} {share:6.1%} of {worst}, {row['sessions']} sessions"
            + (f", {row['chips_down']} chips down" if row["chips_down"] else "")
        )
    for row in record["verified"]:
        click.echo(f"chip {row['chip']} at the peak, simulated: {row['streams']} streams, {row['late_share']:.2%} late")
