"""One transcode job: a source, outputs, and the loop between them."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from cli.console import Progress, Warner
from driver.device import Device
from driver.errors import BadMedia, InvalidConfig, UnsupportedInput
from driver.media.chip_reader import ChipReader, TimedPicture
from driver.media.output_file import check_target
from driver.media.picture import Picture
from driver.media.sink import Sink, format_of
from driver.media.source import AudioPacket, Source
from driver.option_values import parse_fraction, parse_size
from driver.options import MAX_RATE, MIN_RATE, EncoderConfig, PlannedRung, Rung, plan_ladder, share_rate
from driver.transcode import TranscodeSession

CHIP, HOST = "on the chip", "on the host"
# A mean rate off its target by more than this factor is told.
RATE_TOLERANCE = 1.1
FINEST_QP_OF_NOTE = 12


class HostDecodeNeeded(UnsupportedInput):
    """The chip's decoder cannot do this input; FFmpeg on the host may."""


@dataclass
class JobResult:
    """What a job did, apart from what the chip says about itself."""

    rungs: list[dict[str, Any]]  # driver.transcode.TranscodeSession.stats(), with "path" and "duration_seconds"
    frames: int
    host_seconds: float
    chip_seconds: float
    source: dict[str, Any]
    decoded: str  # "on the chip", "on the host"
    decode: dict[str, Any] | None = None  # driver.decode_session.DecodeSession.stats()
    warnings: list[str] = field(default_factory=list)


def encoder_config(source: Source, values: dict[str, Any], width: int, height: int) -> EncoderConfig:
    """Return the encoder's configuration: time, aspect and colour from the source, the rest as the user said."""
    config: EncoderConfig = EncoderConfig.from_options(
        {
            **values,
            "width": width,
            "height": height,
            "fps": source.frame_rate,
            "sample_aspect_ratio": source.sample_aspect_ratio,
            "color_primaries": source.color_primaries,
            "color_trc": source.color_trc,
            "colorspace": source.colorspace,
            "full_range": source.full_range,
        }
    )
    return config


def plan(
    source: Source, values: dict[str, Any], ladder: tuple[Rung, ...]
) -> tuple[EncoderConfig, list[PlannedRung], list[str]]:
    """Decide sizes, rates and coding options; without a ladder there is one rung of the source's size."""
    if ladder:
        rungs, warnings = plan_ladder(ladder, source.width, source.height)
    else:
        rungs = [PlannedRung(f"{min(source.width, source.height)}p", source.width, source.height, None)]
        warnings = []
    if "qp" in values and all(rung.bit_rate is not None for rung in rungs):
        raise InvalidConfig("option qp: every rung of the ladder has a bit rate of its own", option="qp")
    config = encoder_config(source, values, rungs[0].width, rungs[0].height)
    return config, share_rate(rungs, config.bit_rate), warnings


def output_paths(path: str, rungs: list[PlannedRung], ladder: bool) -> list[str]:
    """Return one path a rung: OUT itself, or for a ladder OUT with the rung before its suffix (`out_720p.mp4`)."""
    if not ladder:
        return [path]
    plain = Path(path)
    return [str(plain.with_name(f"{plain.stem}_{rung.label}{plain.suffix}")) for rung in rungs]


def check_outputs(source: str, paths: list[str]) -> None:
    """Refuse, before any work, formats that are unknown and files that could not be written."""
    for path in paths:
        format_of(path)
    check_distinct(source, paths)


def check_distinct(source: str, paths: list[str]) -> None:
    """Refuse outputs that cannot be created, that are the input, or that are each other."""
    seen = set()
    for path in paths:
        target = check_target(path)
        if "://" not in source and target == Path(source).resolve():
            raise InvalidConfig(f"{path}: is the input itself")
        if target in seen:
            raise InvalidConfig(f"{path}: two outputs of the same name")
        seen.add(target)


def raw_input(path: str, size: str | None, rate: str | None) -> dict[str, Any]:
    """Return how to read bare planes; other files say their size themselves."""
    if Path(path).suffix.lower() != ".yuv":
        if size is not None or rate is not None:
            raise InvalidConfig(f"{path}: size and rate are given only for a raw input (.yuv)")
        return {}
    if size is None:
        raise InvalidConfig(f"{path}: a raw input needs its size, e.g. 1280x720")
    found: dict[str, Any] = {"rate": None}
    for option, text, read, name in (("size", size, parse_size, "raw_size"), ("rate", rate, parse_rate_hz, "rate")):
        if text is not None:
            try:
                found[name] = read(text)
            except ValueError as error:
                raise InvalidConfig(f"option {option}: {error}") from None
    return found


def parse_rate_hz(text: str) -> Fraction:
    """Return frames a second; the range is the encoder's."""
    rate = parse_fraction(text)
    if not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"{text} is outside {MIN_RATE}..{MAX_RATE} frames/s")
    return rate


def chip_refusal(device: Device, source: Source, *, weave: bool) -> str:
    """Return why the source cannot be decoded on the chip as far as is known before it is read, or ""."""
    limits = device.capabilities
    if not limits.decode_cores:
        return "this chip has no decode cores"
    if source.interlaced and not weave:
        return "the input is interlaced, and the chip does not deinterlace"
    return source.chip_refusal() or ""


def can_begin_again(source: str, paths: list[str]) -> bool:
    """Whether input and outputs are plain files: pipes have been read or written already."""
    outputs = [Path(path) for path in paths]
    return Path(source).is_file() and all(path.is_file() or not path.exists() for path in outputs)


@contextmanager
def all_or_none(sinks: list[Sink]) -> Iterator[list[Sink]]:
    """Publish every sink when the block ends well, otherwise none."""
    try:
        yield sinks
        for sink in sinks:
            sink.finish()
        for sink in sinks:
            sink.publish()
    except BaseException:
        for sink in sinks:
            sink.discard()
        raise


def transcode(
    device: Device, source: Source, config: EncoderConfig, rungs: list[PlannedRung], paths: list[str], *,
    quality: bool, quiet: bool, warner: Warner, on_chip: bool = False, weave: bool = False,
) -> JobResult:  # fmt: skip
    """Run the job; files appear under their names only when all of it went well.

    on_chip: the chip decodes, only the bitstream is uploaded. Raises HostDecodeNeeded where it finds that it cannot.
    weave: it takes interlaced pictures as they are.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        sinks: list[Sink] = []
        stack.enter_context(all_or_none(sinks))
        for path in paths:
            sinks.append(Sink(path, source))
        progress = stack.enter_context(Progress(source.frame_count, "transcoding", quiet))
        session = stack.enter_context(
            device.open_transcoder(
                config, rungs, width=source.width, height=source.height, quality=quality, decode=on_chip,
                extradata=source.extradata if on_chip else None,
            )
        )  # fmt: skip
        begin_ps = device.now_ps()
        _feed(session, source, sinks, progress, weave)
        session.flush()
        chip_seconds = (device.now_ps() - begin_ps) * 1e-12
        stats = session.stats()
        decode = session.decoder.stats() if session.decoder is not None else None
        for sink in sinks:
            warner(sink.warnings)
    warner(source.warnings)
    if not source.pictures:
        raise BadMedia(f"{source.path}: not one picture could be decoded on the chip")
    seconds = Fraction(source.pictures) / config.fps
    for rung, path in zip(stats, paths, strict=True):
        rung["path"] = path
        rung["duration_seconds"] = float(seconds)
    warner(missed_targets(stats))
    return JobResult(
        stats, source.pictures, time.monotonic() - began, chip_seconds, describe_source(source, on_chip),
        CHIP if on_chip else HOST, decode, list(warner.lines),
    )  # fmt: skip


def _feed(session: TranscodeSession, source: Source, sinks: list[Sink], progress: Progress, weave: bool) -> None:
    """Pictures (or the bitstream) down, packets up, audio past the chip."""
    last = len(sinks) - 1

    def store(rung: int, packet: Any) -> None:
        sinks[rung].write_video(packet)
        if rung == last:
            progress.advance()

    items: Iterator[Picture | TimedPicture | AudioPacket]
    if session.decoder is not None:
        items = _decoded_on_chip(ChipReader(source, session.decoder, weave=weave))
    else:
        items = source.items()
    for item in items:
        if isinstance(item, AudioPacket):
            for sink in sinks:
                sink.write_audio(item)
            continue
        while not session.has_room:
            store(*session.receive_packet(timeout_us=None))
        if isinstance(item, TimedPicture):
            try:
                session.send_decoded(item.picture, item.pts, item.duration, item.time_base)
            except UnsupportedInput as refused:
                raise HostDecodeNeeded(str(refused)) from None
        else:
            session.send_frame(item)
    for rung, packet in session.drain():
        store(rung, packet)


def _decoded_on_chip(reader: ChipReader) -> Iterator[TimedPicture | AudioPacket]:
    try:
        yield from reader.items()
    except UnsupportedInput as refused:
        raise HostDecodeNeeded(str(refused)) from None


def missed_targets(rungs: list[dict[str, Any]]) -> list[str]:
    """Return a warning for each output whose mean rate is far from the bit rate that was asked for, or whose pictures
    need more than the decoder's buffer holds, whatever their QP."""
    found = []
    for rung in rungs:
        if late := rung.get("buffer_underflows"):
            found.append(
                f"{rung['path']}: the decoder's buffer runs empty at {late} of {rung['frames']} picture(s): "
                "maxrate or bufsize is too small for them, or qmax too low"
            )
        wanted, seconds = rung["bit_rate"], rung["duration_seconds"]
        if not wanted or not seconds:
            continue
        rate = 8 * rung["bytes"] / seconds
        # at the finest QP there is nothing left to spend bits on
        below = rate < wanted / RATE_TOLERANCE and rung["mean_qp"] > FINEST_QP_OF_NOTE
        if rate > wanted * RATE_TOLERANCE or below:
            found.append(
                f"{rung['path']}: {rate / 1000:.0f} kbit/s over {rung['frames']} picture(s), "
                f"{wanted / 1000:.0f} kbit/s were asked for"
            )
    return found


def describe_source(source: Source, on_chip: bool = False) -> dict[str, Any]:
    """What the report says about the input."""
    return {
        "path": source.path,
        "codec": source.codec_name,
        "width": source.source_width,
        "height": source.source_height,
        "pixel_format": source.pix_fmt,
        "frame_rate": float(source.frame_rate),
        "frames": source.pictures,
        "concealed": source.concealed,
        "decode_errors": source.decode_errors,
        "decoded": CHIP if on_chip else HOST,
    }
