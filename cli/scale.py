"""`tasic scale`: pictures through the chip's scaler."""

from typing import Any

import click

from cli.options import Command, chip_option, threads_option
from cli.own_device import device_options, open_device


@click.command(cls=Command)
@click.argument("source_path", metavar="IN")
@click.argument("output", metavar="OUT.y4m")
@click.option("-s", "--size", "sizes", metavar="WxH", multiple=True, required=True, help="Size out; may be repeated.")
@click.option("--input-size", metavar="WxH", help="Size of a raw input (.yuv).")
@click.option("-r", "--rate", "rate", metavar="FPS", help="Frame rate of a raw input [25].")
@chip_option
@device_options
@click.option(
    "--frames", "-frames:v", "--frames:v", "frames", type=click.IntRange(1), metavar="N", help="Stop after N."
)
@threads_option
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def scale(source_path: str, output: str, sizes: tuple[str, ...], **options: Any) -> None:
    """Scale IN (.y4m, .yuv or whatever FFmpeg opens) to OUT.y4m or OUT.yuv.

    One size goes to OUT itself; several go to OUT_640x360.y4m and so on, from one pass of the scaler.
    """
    from contextlib import ExitStack
    from pathlib import Path

    from cli import job
    from cli.console import Progress, Warner
    from driver.errors import InvalidConfig
    from driver.media.planar import PlanarWriter, check_suffix
    from driver.media.source import Source
    from driver.option_values import parse_size
    from driver.options import ScalerConfig
    from driver.scale_session import scaled_aspect

    try:
        wanted = tuple(parse_size(size) for size in sizes)
    except ValueError as error:
        raise InvalidConfig(f"option -s: {error}") from None
    check_suffix(output)
    plain = Path(output)
    paths = [output]
    if len(wanted) > 1:
        paths = [str(plain.with_name(f"{plain.stem}_{w}x{h}{plain.suffix}")) for w, h in wanted]
    job.check_distinct(source_path, paths)
    raw = job.raw_input(source_path, options["input_size"], options["rate"])
    warner = Warner()
    with ExitStack() as stack:
        source = stack.enter_context(Source(source_path, limit=options["frames"], **raw))
        config = ScalerConfig(width=source.width, height=source.height, sizes=wanted)
        warner(source.warnings)
        device = stack.enter_context(open_device(options))
        writers = [
            stack.enter_context(
                PlanarWriter(
                    path,
                    *size,
                    source.frame_rate,
                    scaled_aspect(source.sample_aspect_ratio, source.width, source.height, *size),
                    bool(source.full_range),
                )
            )
            for path, size in zip(paths, wanted, strict=True)
        ]
        progress = stack.enter_context(Progress(source.frame_count, "scaling", options["quiet"]))
        session = stack.enter_context(device.open_scaler(config))
        for pictures in session.scale(source.pictures_only()):
            for writer, picture in zip(writers, pictures, strict=True):
                writer.write(picture)
            progress.advance()
    warner(source.warnings)
