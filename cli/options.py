"""FFmpeg-style options on click commands: `-c:v h264`, `-b:v 2M`, `-preset fast`, and the same with two dashes."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import click

from driver.borrowed_options import REFUSED, TAKEN
from driver.option_values import near
from driver.options import EncoderConfig

# Fields of EncoderConfig that come from the source, not from the command line.
FROM_SOURCE = frozenset((
    "width", "height", "fps", "sample_aspect_ratio", "color_primaries", "color_trc", "colorspace", "full_range",
    "pix_fmt", "hw_index",
))  # fmt: skip
# FFmpeg options that people try here, and what to use instead.
ELSEWHERE = {
    "vf": "use --ladder or -s", "filter:v": "use --ladder or -s",
    "r": "the rate is the input's",
    "an": "audio is always carried over", "c:a": "audio is always carried over",
    "acodec": "audio is always carried over", "ss": "the whole input is taken",
    "t": "use -frames:v", "hwaccel": "use --decode chip", **REFUSED,
}  # fmt: skip
# Names of other encoders that mean something here; which device to take is said elsewhere.
BORROWED = tuple(name for name in TAKEN if name != "gpu")


class Command(click.Command):
    """A command whose words with one dash are whole options, never bundles of letters; an unknown one is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {name: parameter for parameter in self.params for name in (*parameter.opts, *parameter.secondary_opts)}
        skip = False
        for word in args:
            if skip:
                skip = False
                continue
            if word == "--":
                break
            name = word.partition("=")[0] if word.startswith("--") else word
            parameter = known.get(name)
            if isinstance(parameter, click.Option):
                skip = not parameter.is_flag and "=" not in word
            elif word.startswith("-") and word not in ("-", "--help", "-h"):
                raise click.UsageError(f"unknown option {name}{_advice(name, known)}", ctx)
        return super().parse_args(ctx, args)


def _advice(name: str, known: Iterable[str]) -> str:
    plain = name.lstrip("-")
    if plain in ELSEWHERE:
        return f": {ELSEWHERE[plain]}"
    return near(name, list(known))


def _declarations(names: Iterable[str], field: str) -> list[str]:
    """Both spellings of each name, and the field's own name with two dashes."""
    spellings: list[str] = []
    for name in names:
        spellings += [f"-{name}", f"--{name}"] if len(name) > 1 else [f"-{name}"]
    spellings.append("--" + field.replace("_", "-"))
    return [*dict.fromkeys(spellings), field]


def encoder_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for every field of EncoderConfig that a user may set. Values arrive as text, or None."""
    for item in reversed(dataclasses.fields(EncoderConfig)):
        if item.name in FROM_SOURCE:
            continue
        about = item.metadata
        bounds = f"{about['low']}..{about['high']}" if about["low"] is not None else ", ".join(about["choices"])
        default = "" if item.default is None else f"default {item.default}"
        notes = "; ".join(part for part in (bounds, about["unit"], default) if part)
        function = click.option(
            *_declarations(about["names"], item.name),
            metavar="VALUE",
            help=f"{about['text'][:1].upper()}{about['text'][1:]}{f' [{notes}]' if notes else ''}.",
        )(function)
    for name in BORROWED:
        function = click.option(f"-{name}", f"--{name}", _parameter(name), metavar="VALUE", hidden=True)(function)
    return function


def _parameter(name: str) -> str:
    """Python's name of a borrowed option."""
    return "borrowed_" + name.replace("-", "__")


def encoder_values(options: dict[str, Any]) -> dict[str, Any]:
    """Take the encoder's options that were given out of a command's keyword arguments."""
    names = [item.name for item in dataclasses.fields(EncoderConfig) if item.name not in FROM_SOURCE]
    given = {name: options.pop(name, None) for name in names}
    given |= {name: options.pop(_parameter(name), None) for name in BORROWED}
    return {name: value for name, value in given.items() if value is not None}


def _named(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not value:
        raise click.BadParameter("is empty; give a name of `tasic chips list`, or a description")
    return value


def chip_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--chip",
        default="vcu",
        callback=_named,
        metavar="NAME|FILE.yaml",
        help="Chip: a name of `tasic chips list`, or a description [vcu].",
    )(function)


def threads_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-threads", "--threads", "threads", type=click.IntRange(1, 256), metavar="N",
        help="Host threads that compute pixels [all processors]; results do not depend on it.",
    )(function)  # fmt: skip


def timing_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--timing-from", "timing_from", metavar="FILE", multiple=True,
        help="Cycles of an engine as `tasic rtl check` measured them on other RTL; once for each engine.",
    )(function)  # fmt: skip


def timing_changes(files: Iterable[str], warn: Callable[[str], None]) -> dict[str, Any]:
    """Changes of the chip that `--timing-from` asks for, as backends take them. Raises InvalidConfig.

    warn: is told of work that a table's block was not measured with.
    """
    from pathlib import Path

    from asic_model.timing_table import TimingError, load
    from driver.errors import InvalidConfig

    tables: dict[str, Any] = {}
    for file in files:
        try:
            stage, timing = load(Path(file))
        except TimingError as error:
            raise InvalidConfig(f"option --timing-from: {error}") from None
        if stage in tables:
            raise InvalidConfig(f"option --timing-from: {file}: a table for {stage} was given already")
        if timing.not_covered:
            beyond = timing.not_covered
            warn(f"option --timing-from: {file}: {stage} was not measured with {beyond}; the law stands for it")
        tables[stage] = timing.model_dump()
    return {"encode.core.timing": tables} if tables else {}
