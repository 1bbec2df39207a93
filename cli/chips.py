"""`tasic chips`: the chip descriptions that come with the package, and those that people write."""

import sys

import click

from cli.options import Command


@click.group()
def chips() -> None:
    """List, show and check chip descriptions."""


@chips.command("list", cls=Command)
def list_command() -> None:
    """Names and one line on each chip."""
    from asic_model.config import list_chips, load_chip

    for name in list_chips():
        config = load_chip(name)
        click.echo(f"{name:8} {config.description.strip()}")


@chips.command(cls=Command)
@click.argument("chip", metavar="NAME|FILE.yaml")
def show(chip: str) -> None:
    """Every figure of a chip with its unit and source."""
    from asic_model.config import field_info, figures
    from driver.backends.model import load

    config = load(chip)
    for path, value in figures(config).items():
        info = field_info(path)
        text = (info.description or "") if info is not None else ""
        source = config.sources.get(path)
        click.echo(f"{path:40} {value!s:>12}  {text}{f'  ({source.mark}: {source.text})' if source else ''}")


@chips.command(cls=Command)
@click.argument("chip", metavar="NAME|FILE.yaml")
def validate(chip: str) -> None:
    """Check a chip description; name every problem, with its line and the nearest right word."""
    from asic_model.chips.reader import ConfigError
    from asic_model.config import load_chip

    try:
        config = load_chip(chip)
    except ConfigError as error:
        for problem in error.problems:
            print(f"tasic: {problem}", file=sys.stderr)
        raise click.exceptions.Exit(1) from None
    click.echo(f"{chip}: good ({config.name})")
