"""`tasic rtl`: the benches of the engines' RTL, and the check of other people's."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from cli.options import Command


@click.group()
def rtl() -> None:
    """Run the RTL benches; check other people's RTL with the same vectors."""


@contextmanager
def _faults() -> Iterator[None]:
    """Failures of benches and adapters as lines on stderr and exit code 1."""
    from asic_model.chips.reader import ConfigError
    from rtl_tests.simulator import BenchFault

    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            print(f"tasic: {problem}", file=sys.stderr)
        raise click.exceptions.Exit(1) from None
    except BenchFault as error:
        print(f"tasic: {'; '.join(str(error).splitlines())}", file=sys.stderr)
        raise click.exceptions.Exit(1) from None


@rtl.command("list", cls=Command)
def list_command() -> None:
    """Engines that have RTL and a bench, and what they are built from."""
    with _faults():
        from rtl_tests.simulator import BENCHES

        for engine, bench in sorted(BENCHES.items()):
            click.echo(f"{engine:20} top {bench.top:20} {' '.join(bench.sources)}")


@rtl.command(cls=Command)
@click.argument("engines", nargs=-1, metavar="[ENGINE]...")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Seed of all random data."
)
@click.option("--waves", is_flag=True, help="Keep the waves: sim_build/ENGINE-seedN.vcd.")
@click.option("--coverage", is_flag=True, help="Keep line and toggle coverage: `tasic rtl coverage` prints it.")
@click.option("--tests", metavar="PATTERN", help="Tests whose names match the regular expression.")
@click.option("-v", "--verbose", is_flag=True, help="Show the simulator's output.")
def run(engines: tuple[str, ...], **options: Any) -> None:
    """Run the benches of ENGINE (all), built first where that is needed."""
    with _faults():
        from rtl_tests.campaign import run_benches

        failed = False
        for line, good in run_benches(engines, **options):
            click.echo(line, err=not good)
            failed = failed or not good
        if failed:
            raise click.exceptions.Exit(1)


@rtl.command(cls=Command)
@click.option("--adapter", required=True, metavar="FILE.yaml", help="Description of the block (docs/rtl_check.md).")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Seed of the random vectors."
)
@click.option("--vectors", type=click.IntRange(1, 10**6), metavar="N", help="Random vectors, instead of the adapter's.")
@click.option(
    "--simulator", type=click.Choice(("auto", "verilator", "icarus", "both")), default="auto", show_default=True,
    help="auto: Verilator, and a part in Icarus where it is installed.",
)  # fmt: skip
@click.option("--timing", metavar="FILE", help="Write the timing table that --timing-from of the other commands loads.")
@click.option("--waves", metavar="FILE.vcd", help="Write the waves of the first run.")
@click.option("--wrapper", metavar="FILE.sv", help="Write the wrapper that is built around the block, and stop.")
def check(adapter: str, timing: str | None, waves: str | None, wrapper: str | None, **options: Any) -> None:
    """Run our vectors on a foreign block: right or not, how fast, and a timing table for the model.

    The exit code is 0 for a block that passes, 1 for one that does not or cannot be built.
    """
    with _faults():
        from driver.media.output_file import check_target
        from rtl_tests.foreign import check as checking
        from rtl_tests.foreign import results

        for path in (timing, waves, wrapper):
            if path is not None:
                check_target(path)
        if wrapper is not None:
            results.write_text(Path(wrapper), checking.wrapper_text(Path(adapter)))
            return
        result = checking.check(Path(adapter), waves=Path(waves) if waves else None, **options)
        click.echo(results.report(result))
        if not result.passed:
            raise click.exceptions.Exit(1)
        if timing is not None:
            results.write_timing(result, Path(timing))


@rtl.command(cls=Command)
def schema() -> None:
    """JSON schema of adapters, for editors."""
    from rtl_tests.foreign.description import json_schema

    click.echo(json_schema())


@rtl.command(cls=Command)
@click.argument("engines", nargs=-1, metavar="[ENGINE]...")
@click.option("--record", is_flag=True, help="Enter the counts in the table that the model's energy is made from.")
def area(engines: tuple[str, ...], record: bool) -> None:
    """Gate counts, SRAM bits and logic depth of the engines, by Yosys, beside published gate counts."""
    with _faults():
        from asic_model.area import TABLE
        from rtl_tests import area as counting

        click.echo(counting.table(engines))
        if record:
            counting.record(engines, TABLE)


@rtl.command(cls=Command)
@click.argument("engines", nargs=-1, metavar="[ENGINE]...")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Seed of all random data."
)
def coverage(engines: tuple[str, ...], seed: int) -> None:
    """Line and toggle coverage of the benches, and which of their own bins are open."""
    with _faults():
        from rtl_tests.coverage import table

        click.echo(table(engines, seed))


@rtl.command(cls=Command)
@click.argument("engines", nargs=-1, metavar="[ENGINE]...")
@click.option(
    "--faults", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Faults seeded on each side."
)
@click.option("--side", type=click.Choice(("rtl", "model", "both")), default="both", show_default=True, help="Where.")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Which faults are chosen."
)
@click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Simulations at a time.")
def mutate(engines: tuple[str, ...], **options: Any) -> None:
    """Seed faults in the RTL and in the model's kernels, one at a time; print which of them the benches catch."""
    with _faults():
        from rtl_tests.mutation import campaign

        caught = 0.0
        for line, caught in campaign(engines, **options):  # noqa: B007 - the last one decides
            click.echo(line)
        if caught < 0.95:
            raise click.exceptions.Exit(1)
