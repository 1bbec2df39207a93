"""`tasic transcode`: a media file through the chip, into one output or a ladder."""

from typing import Any

import click

from cli.options import (
    Command,
    chip_option,
    encoder_options,
    encoder_values,
    threads_option,
    timing_changes,
    timing_option,
)
from cli.own_device import device_options, open_device


@click.command(cls=Command)
@click.option("-i", "input_option", metavar="IN", help="Input, as FFmpeg spells it; the same as the first argument.")
@click.argument("files", nargs=-1, metavar="[IN] OUT", required=True)
@encoder_options
@click.option(
    "--ladder", "-ladder", metavar="RUNGS", help="Several outputs, e.g. 1080p,720p@2M,360p: OUT_1080p.mp4 ..."
)
@click.option("-s", "--size", "size", metavar="WxH", help="Size of the one output; never larger than the input.")
@click.option(
    "--decode", type=click.Choice(("auto", "chip", "host")), default="auto",
    help="Where the input is decoded; auto: on the chip where it can, else by FFmpeg on the host, saying why [auto].",
)  # fmt: skip
@chip_option
@device_options
@click.option(
    "--report", metavar="FILE|-", multiple=True, help="What the chip did, as .html, .json or .txt; - prints it."
)
@click.option("--trace", metavar="FILE", help="Timeline of the chip for ui.perfetto.dev.")
@click.option(
    "--frames", "-frames:v", "--frames:v", "frames", type=click.IntRange(1), metavar="N", help="Stop after N."
)
@click.option("--quality/--no-quality", default=False, help="PSNR and SSIM of every picture, computed on the chip.")
@click.option(
    "--two-pass", is_flag=True, help="Read the input twice: first to learn what its pictures take. Needs -b:v."
)
@timing_option
@threads_option
@click.option(
    "-y", "overwrite", is_flag=True, help="Accepted for FFmpeg's sake: outputs are always replaced, when done."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary.")
def transcode(input_option: str | None, files: tuple[str, ...], overwrite: bool, **options: Any) -> None:
    """Transcode IN to OUT (.mp4, .mkv, .ts, .mov or raw .264) through the chip.

    Video becomes H.264; audio and times are carried over. The chip decodes H.264, scales and encodes; FFmpeg decodes
    all else on the host.
    """
    paths = [*([input_option] if input_option is not None else []), *files]
    if len(paths) != 2:
        raise click.UsageError(f"one input and one output are needed, {len(paths)} file(s) given")
    if options.pop("two_pass"):
        run_twice(paths[0], paths[1], options)
    else:
        run(paths[0], paths[1], options)


def run_twice(source_path: str, output: str, options: dict[str, Any]) -> None:
    """Both passes, with a log and outputs of the first one that nobody sees."""
    import tempfile
    from pathlib import Path

    from cli.console import note
    from driver.errors import InvalidConfig

    for name in ("pass_number", "passlogfile"):
        if options[name] is not None:
            shown = name.partition("_")[0]
            raise InvalidConfig(f"option {shown}: does not go with --two-pass, which sees to both passes", option=shown)
    if "://" in source_path or source_path == "-":
        raise InvalidConfig(f"option two-pass: {source_path} cannot be read twice", option="two-pass")
    with tempfile.TemporaryDirectory() as folder:
        first = {
            **options, "pass_number": "1", "passlogfile": str(Path(folder) / "pass"), "report": (), "trace": None,
            "quality": False,
        }  # fmt: skip
        if not options["quiet"]:
            note("first pass of two")
        second = {**first, "pass_number": "2"} | {name: options[name] for name in ("report", "trace", "quality")}
        run(source_path, str(Path(folder) / f"first{Path(output).suffix}"), first)
        run(source_path, output, second)


def run(source_path: str, output: str, options: dict[str, Any]) -> None:
    """The command behind its options (also the demo's)."""
    from contextlib import ExitStack

    from cli import job, report_files
    from cli.console import Warner, note
    from driver.errors import InvalidConfig, UnsupportedInput
    from driver.media.sink import format_of
    from driver.media.source import Source
    from driver.option_values import parse_size
    from driver.options import Rung, parse_ladder

    values = encoder_values(options)
    quiet, warner = options["quiet"], Warner()
    if options["ladder"] and options["size"]:
        raise InvalidConfig("option -s: does not go with --ladder")
    ladder = parse_ladder(options["ladder"]) if options["ladder"] else ()
    if options["size"]:
        try:
            ladder = (Rung(None, parse_size(options["size"]), None),)
        except ValueError as error:
            raise InvalidConfig(f"option -s: {error}") from None
    format_of(output)
    report_files.check(options["report"], options["trace"])
    paths: list[str] = []
    mode, why = options["decode"], ""
    while True:
        with ExitStack() as stack:
            source = stack.enter_context(Source(source_path, limit=options["frames"]))
            config, rungs, warnings = job.plan(source, values, ladder)
            paths = job.output_paths(output, rungs, bool(options["ladder"]))
            job.check_outputs(source_path, paths)
            report_files.check(options["report"], options["trace"], source_path, paths)
            changes = timing_changes(options.get("timing_from", ()), warner)
            device = stack.enter_context(open_device(options, seed=config.seed, changes=changes))
            if mode != "host":
                why = job.chip_refusal(device, source, weave=mode == "chip")
            if mode == "chip" and why:
                raise UnsupportedInput(f"{source_path}: cannot be decoded on the chip: {why}")
            on_chip = mode != "host" and not why
            if mode == "auto" and not on_chip and not quiet:
                note(f"decoding on the host: {why}")
            if on_chip:
                source.use_chip()
                if values.get("scene_cut") not in (None, "0") and not config.lookahead:
                    warnings.append("option sc_threshold: no effect, the driver does not see what the chip decodes")
            warner([*source.warnings, *warnings])
            try:
                result = job.transcode(
                    device,
                    source,
                    config,
                    rungs,
                    paths,
                    quality=options["quality"],
                    quiet=quiet,
                    warner=warner,
                    on_chip=on_chip,
                    weave=mode == "chip",
                )
            except job.HostDecodeNeeded as refused:
                if mode == "chip" or not job.can_begin_again(source_path, paths):
                    raise UnsupportedInput(f"{source_path}: cannot be decoded on the chip: {refused}") from None
                mode, why = "host", str(refused)
                note(f"beginning again, decoding on the host: {why}")
                continue
            if why:
                result.source["host_decode_reason"] = why
            report_files.write(device, result, options["report"], options["trace"], quiet=quiet)
            return
