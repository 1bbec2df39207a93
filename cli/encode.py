"""`tasic encode`: pictures in, one H.264 stream out, with the encoder's own reconstruction on request."""

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
@click.argument("source_path", metavar="IN.y4m")
@click.argument("output", metavar="OUT.264")
@encoder_options
@click.option("-s", "--size", "size", metavar="WxH", help="Size of a raw input (.yuv).")
@click.option("-r", "--rate", "rate", metavar="FPS", help="Frame rate of a raw input [25].")
@click.option("--recon", metavar="FILE.y4m", help="Write the reconstruction, which any decoder must reproduce exactly.")
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
@timing_option
@threads_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary.")
def encode(source_path: str, output: str, **options: Any) -> None:
    """Encode IN.y4m (or whatever FFmpeg opens) to OUT.264; other suffixes as in `tasic transcode`, without audio."""
    from contextlib import ExitStack

    from cli import job, report_files
    from cli.console import Progress, Warner
    from driver.encode_session import EncodeSession
    from driver.errors import InvalidConfig
    from driver.media.planar import PlanarWriter, check_suffix
    from driver.media.sink import Sink
    from driver.media.source import Source
    from driver.options import PlannedRung

    values = encoder_values(options)
    quiet, recon, warner = options["quiet"], options["recon"], Warner()
    job.check_outputs(source_path, [output])
    if recon is not None:
        check_suffix(recon)
        job.check_target(recon)
    report_files.check(options["report"], options["trace"], source_path, [output, *([recon] if recon else [])])
    raw = job.raw_input(source_path, options["size"], options["rate"])
    with ExitStack() as stack:
        source = stack.enter_context(Source(source_path, limit=options["frames"], **raw))
        config = job.encoder_config(source, values, source.width, source.height)
        warner(source.warnings)
        changes = timing_changes(options["timing_from"], warner)
        device = stack.enter_context(open_device(options, seed=config.seed, changes=changes))
        sinks = [Sink(output)]
        with ExitStack() as work:
            writer = None
            if recon is not None:
                writer = work.enter_context(
                    PlanarWriter(
                        recon,
                        config.width,
                        config.height,
                        config.fps,
                        config.sample_aspect_ratio,
                        bool(config.full_range),
                    )
                )
            work.enter_context(job.all_or_none(sinks))
            progress = work.enter_context(Progress(source.frame_count, "encoding", quiet))
            session = work.enter_context(
                EncodeSession(device, config, quality=options["quality"], keep_reconstruction=recon is not None)
            )
            begin_ps = device.now_ps()
            for packet in session.encode(source.pictures_only()):
                sinks[0].write_video(packet)
                while writer is not None and session.reconstructions:
                    writer.write(session.reconstructions.popleft())
                progress.advance()
            if not progress.frames:
                raise InvalidConfig(f"{source_path}: no pictures")
            chip_seconds = (device.now_ps() - begin_ps) * 1e-12
            rung = PlannedRung(f"{min(config.width, config.height)}p", config.width, config.height, config.bit_rate)
            stats = {"rung": rung.label, "bit_rate": rung.bit_rate, **session.stats(), "path": output}
        warner(source.warnings)
        stats["duration_seconds"] = float(source.pictures / config.fps)
        warner(job.missed_targets([stats]))
        result = job.JobResult(
            [stats],
            source.pictures,
            progress.seconds,
            chip_seconds,
            job.describe_source(source),
            job.HOST,
            warnings=list(warner.lines),
        )
        report_files.write(device, result, options["report"], options["trace"], quiet=quiet)
