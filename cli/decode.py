"""`tasic decode`: an H.264 stream through the chip's decode cores, into samples or their checksums."""

from typing import TYPE_CHECKING, Any

import click

from cli.options import Command, chip_option, threads_option
from cli.own_device import device_options, open_device

if TYPE_CHECKING:
    from driver.decode_session import DecodedPicture
    from driver.media.h264_file import H264File


@click.command(cls=Command)
@click.argument("source_path", metavar="IN")
@click.argument("output", metavar="[OUT.yuv|OUT.y4m]", required=False)
@click.option("--md5", "md5", is_flag=True, help="Print MD5=..., of all samples in output order.")
@click.option(
    "--frame-md5",
    "frame_md5",
    metavar="FILE|-",
    help="MD5 of every frame in the format of FFmpeg's framemd5; - prints.",
)
@chip_option
@device_options
@click.option(
    "--report", metavar="FILE|-", multiple=True, help="What the chip did, as .html, .json or .txt; - prints it."
)
@click.option("--trace", metavar="FILE", help="Timeline of the chip for ui.perfetto.dev.")
@click.option(
    "--frames", "-frames:v", "--frames:v", "frames", type=click.IntRange(1), metavar="N", help="Stop after N."
)
@threads_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary.")
def decode(source_path: str, output: str | None, **options: Any) -> None:
    """Decode IN (H.264: a raw stream, or in mp4, mkv, ts ...) to OUT as planar 4:2:0, cropped, in output order.

    Monochrome video has chroma 128, as FFmpeg writes it; both fields of an interlaced frame stay in it.
    """
    from contextlib import ExitStack

    from cli import job, report_files
    from cli.console import Progress, Warner
    from driver.errors import BadMedia, InvalidConfig, UnsupportedInput
    from driver.media.h264_file import H264File
    from driver.media.planar import check_suffix

    listed = options["frame_md5"]
    if output is None and not options["md5"] and listed is None:
        raise InvalidConfig("nothing to do: name an output (.yuv, .y4m), or ask for --md5 or --frame-md5")
    if output is not None:
        check_suffix(output)
    names = [name for name in (output, listed if listed != "-" else None) if name is not None]
    job.check_distinct(source_path, names)
    report_files.check(options["report"], options["trace"], source_path, names)
    quiet, limit, warner = options["quiet"], options["frames"], Warner()
    with ExitStack() as stack:
        file = stack.enter_context(H264File(source_path))
        device = stack.enter_context(open_device(options))
        with ExitStack() as work:
            writer = work.enter_context(_Writer(file, output, md5=options["md5"], frame_md5=listed, warner=warner))
            progress = work.enter_context(Progress(limit or file.frame_count, "decoding", quiet))
            decoder = work.enter_context(device.open_decoder(file.extradata))
            begin_ps = device.now_ps()
            packets = ((packet.data, packet) for packet in file.packets())
            try:
                for picture in decoder.decode(packets):
                    if picture.pts.discard:
                        continue
                    writer.write(picture)
                    progress.advance()
                    if progress.frames == limit:
                        break
            except UnsupportedInput as refused:
                raise UnsupportedInput(f"{source_path}: {refused}") from None
            chip_seconds = (device.now_ps() - begin_ps) * 1e-12
            stats = decoder.stats()
            if not progress.frames:
                raise BadMedia(f"{source_path}: not one picture could be decoded{_found(stats)}")
        warner(file.warnings)
        damage = _found(stats)
        if damage:
            warner(f"the input is damaged{damage}")
        if options["md5"]:
            print(f"MD5={writer.md5}")
        rate = writer.rate
        source = {
            "path": source_path, "codec": "h264", "width": writer.size[0], "height": writer.size[1],
            "frame_rate": float(rate), "frames": progress.frames, "decoded": job.CHIP,
        }  # fmt: skip
        result = job.JobResult(
            [], progress.frames, progress.seconds, chip_seconds, source, job.CHIP, stats, list(warner.lines)
        )
        report_files.write(device, result, options["report"], options["trace"], quiet=True)
        if not quiet and "-" not in (*options["report"], listed):
            _summary(result)


def _found(stats: dict[str, Any]) -> str:
    """Damage in words, "" when there is none."""
    words = []
    if stats["concealed_macroblocks"]:
        words.append(
            f"{stats['concealed_macroblocks']} macroblock(s) of {stats['damaged_pictures']} picture(s) concealed"
        )
    for name, what in (("bad_nals", "NAL unit"), ("bad_parameter_sets", "parameter set"), ("bad_headers", "slice")):
        if stats[name]:
            words.append(f"{stats[name]} {what}(s) dropped")
    return f": {', '.join(words)}" if words else ""


def _summary(result: Any) -> None:
    kinds = [f"{figures['pictures']} {letter}" for letter, figures in result.decode["by_type"].items()]
    print(
        f"{result.frames} frames of {result.source['width']}x{result.source['height']} ({', '.join(kinds)} pictures): "
        f"{result.chip_seconds * 1e3:.1f} ms of the chip's time "
        f"({result.frames / max(result.chip_seconds, 1e-12):.0f} frames/s), {result.host_seconds:.1f} s here "
        f"({result.frames / max(result.host_seconds, 1e-9):.1f} frames/s)"
    )


class _Writer:
    """What becomes of the pictures: samples in a file, a checksum of all, a list of checksums."""

    def __init__(self, file: "H264File", output: str | None, *, md5: bool, frame_md5: str | None, warner: Any) -> None:
        import hashlib
        from contextlib import ExitStack

        self._file, self._output, self._warner = file, output, warner
        self._digest = hashlib.md5(usedforsecurity=False) if md5 else None
        self._list, self._lines = frame_md5, ""
        self._planar: Any = None
        self._stack = ExitStack()
        self.size = (0, 0)
        self.count = 0

    @property
    def md5(self) -> str:
        return self._digest.hexdigest() if self._digest is not None else ""

    def _begin(self, picture: "DecodedPicture") -> None:
        """The first picture says size, rate, aspect and range."""
        from fractions import Fraction

        from driver.media.planar import PlanarWriter

        vui, file = picture.sps.vui, self._file
        self.size = picture.width, picture.height
        told = None
        if vui is not None and vui.timing_info_present_flag and vui.num_units_in_tick and vui.time_scale:
            told = Fraction(vui.time_scale, 2 * vui.num_units_in_tick)  # E.2.1: a tick is a field's time
        self.rate = file.frame_rate or told or Fraction(25)
        self._tick = file.time_base or 1 / self.rate
        aspect = file.sample_aspect_ratio
        if aspect is None and vui is not None and all(vui.sample_aspect_ratio()):
            aspect = Fraction(*vui.sample_aspect_ratio())
        self._line(
            f"#format: frame checksums\n#version: 2\n#hash: MD5\n#software: tasic\n"
            f"#tb 0: {self._tick.numerator}/{self._tick.denominator}\n#media_type 0: video\n#codec_id 0: rawvideo\n"
            f"#dimensions 0: {picture.width}x{picture.height}\n"
            f"#sar 0: {f'{aspect.numerator}/{aspect.denominator}' if aspect else '0/1'}\n"
            "#stream#, dts,        pts, duration,     size, hash\n"
        )
        if self._output is not None:
            scan = "p" if not picture.interlaced else "t" if picture.top_field_first else "b"
            full = vui is not None and vui.video_full_range_flag
            self._planar = self._stack.enter_context(
                PlanarWriter(self._output, *self.size, self.rate, aspect, full, scan)
            )

    def write(self, picture: "DecodedPicture") -> None:
        import hashlib

        import numpy as np

        from driver.errors import InvalidConfig

        if not self.count:
            self._begin(picture)
        if (picture.width, picture.height) != self.size:
            if self._output is not None and self._output.lower().endswith(".y4m"):
                raise InvalidConfig(
                    f"{self._output}: frame {self.count} is {picture.width}x{picture.height}, the first ones are "
                    f"{self.size[0]}x{self.size[1]}: a .y4m has one size, write .yuv (each frame at its own)"
                )
            self._warner(f"the size changes to {picture.width}x{picture.height} mid-stream: each frame keeps its own")
        samples = picture.download()
        if self._planar is not None:
            self._planar.write(samples)
        if self._digest is not None or self._list is not None:
            data = b"".join(np.ascontiguousarray(p).tobytes() for p in (samples.y, samples.cb, samples.cr))
            if self._digest is not None:
                self._digest.update(data)
            if self._list is not None:
                packet, timed = picture.pts, self._file.time_base is not None
                pts = packet.pts if timed and packet.pts is not None else self.count
                duration = packet.duration if timed and packet.duration else 1
                digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
                self._line(f"0, {pts:10d}, {pts:10d}, {duration:8d}, {len(data):8d}, {digest}\n")
        self.count += 1

    def _line(self, text: str) -> None:
        if self._list == "-":
            print(text, end="")
        elif self._list is not None:
            self._lines += text

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        from driver.media.output_file import write_text

        self._stack.__exit__(kind, value, trace)
        if kind is None and self._list not in (None, "-"):
            write_text(str(self._list), self._lines)
