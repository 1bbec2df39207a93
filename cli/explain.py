"""`tasic explain` and `tasic compare`: a report in plain words, two reports side by side."""

from typing import Any

import click

from cli.options import Command


def _load(path: str) -> dict[str, Any]:
    """A report as .json; refused by name when it is none."""
    import json
    from pathlib import Path

    from asic_model import stats
    from driver.errors import InvalidConfig

    try:
        record = json.loads(Path(path).read_text())
    except OSError as error:
        raise InvalidConfig(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise InvalidConfig(f"{path}: is no JSON; reports to explain are written with --report FILE.json") from None
    if not isinstance(record, dict) or record.get("schema") != stats.SCHEMA:
        raise InvalidConfig(f"{path}: is no report of tasic (schema {stats.SCHEMA!r} is missing)")
    if record.get("schema_version") != stats.SCHEMA_VERSION:
        version = record.get("schema_version")
        raise InvalidConfig(f"{path}: report of version {version}, {stats.SCHEMA_VERSION} is read here")
    return record


@click.command(cls=Command)
@click.argument("report", metavar="REPORT.json")
def explain(report: str) -> None:
    """Say in plain words why the chip is not faster."""
    from asic_model.workload.explain import explain as words
    from driver.errors import InvalidConfig

    record = _load(report)
    try:
        lines = list(words(record))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidConfig(f"{report}: is not whole: {error}") from None
    for line in lines:
        click.echo(line)


@click.command(cls=Command)
@click.argument("before", metavar="A.json")
@click.argument("after", metavar="B.json")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 100),
    default=0.0,
    metavar="PERCENT",
    help="Change allowed [0].",
)
@click.option(
    "--allow", multiple=True, metavar="PATH=PERCENT", help="Another tolerance for figures whose path begins so."
)
@click.option("-q", "--quiet", is_flag=True, help="Only the exit code.")
def compare(before: str, after: str, tolerance: float, allow: tuple[str, ...], quiet: bool) -> int:
    """Compare two reports; exit code 1 when a figure moved by more than its tolerance.

    What a run says about itself (part `run`, host times) is left out.
    """
    from asic_model.workload.explain import compare as moved
    from driver.errors import InvalidConfig

    own = {}
    for each in allow:
        path, equals, percent = each.partition("=")
        try:
            own[path] = float(percent) / 100
        except ValueError:
            equals = ""
        if not equals or not path or own.get(path, -1) < 0:
            raise InvalidConfig(f"option --allow: {each!r} is not PATH=PERCENT, e.g. memory.=2.5")
    found = moved(_load(before), _load(after), tolerance / 100, own)
    if not quiet:
        for path, a, b, change in found:
            click.echo(f"{path}: {a} -> {b}" + (f" ({change:+.2%})" if abs(change) != float("inf") else ""))
        if not found:
            click.echo("no figure moved beyond its tolerance")
    return int(bool(found))
