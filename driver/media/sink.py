"""Writing: packets of one encoded video, with the source's audio, into mp4, mkv, ts or a raw stream."""

import contextlib
import io
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from driver.errors import InvalidConfig, OutputError
from driver.media.output_file import OutputFile
from driver.media.source import AudioPacket, Source
from driver.option_values import near

# Suffix -> FFmpeg's name of the format; raw streams are written as they are.
FORMATS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts", ".m2ts": "mpegts",
    ".264": "", ".h264": "", ".avc": "",
}  # fmt: skip
RAW = ""
# MPEG-TS has stream types for these (ISO/IEC 13818-1, ETSI TS 101 154); FFmpeg's muxer does not list what it takes.
MPEGTS_AUDIO = frozenset(("aac", "aac_latm", "mp2", "mp3", "ac3", "eac3", "dts", "truehd", "opus"))
# Tags that describe the input's container or what wrote it, not its content: FFmpeg makes them, they stay behind.
OWN_METADATA = frozenset((
    "major_brand", "minor_version", "compatible_brands", "encoder", "duration", "bps", "number_of_frames",
    "number_of_bytes", "handler_name", "vendor_id", "rotate", "variant_bitrate",
))  # fmt: skip
MOV_FORMATS = ("mp4", "mov")
MAX_MOVIE_TIMESCALE = 10_000_000


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One coded picture: whole NAL units with start codes, SPS and PPS before an IDR picture.

    pts, dts and duration are in units of `time_base` (seconds).
    """

    data: bytes
    pts: int
    dts: int
    duration: int
    time_base: Fraction
    is_keyframe: bool
    qp: int = 0
    latency_ps: int = 0  # from submission to completion, on the chip's clock

    @property
    def latency(self) -> Fraction:
        """`latency_ps` in seconds."""
        return Fraction(self.latency_ps, 10**12)


def _content_tags(tags: dict[str, str]) -> dict[str, str]:
    """Leave out what the container says about itself; `-eng` and the like after a key is its language."""
    return {
        key: value for key, value in tags.items()
        if key.lower().partition("-")[0] not in OWN_METADATA and not key.startswith("_STATISTICS")
    }  # fmt: skip


def format_of(path: str) -> str:
    """Return FFmpeg's format name for the suffix of `path`, "" for a raw stream; refuse unknown suffixes."""
    if not path:
        raise InvalidConfig("the name of the output is empty")
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        known = list(FORMATS)
        raise InvalidConfig(
            f"{path}: cannot tell the format from {suffix or 'no suffix'!r}; "
            f"one of {', '.join(known)}{near(suffix, known)}"
        )
    return FORMATS[suffix]


class Sink:
    """One output file. It takes its final name in `commit()`; `discard()` leaves what was there before."""

    def __init__(self, path: str, source: Source | None = None) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.bytes = 0  # video, without the container
        self._format = format_of(path)
        self._source = source
        self._file = OutputFile(path)
        self._container: Any = None
        self._video: Any = None
        self._audio: dict[int, Any] = {}
        self._waiting: list[AudioPacket] = []  # audio that came before the first picture
        self._start: bytes | None = None

    def write_video(self, packet: EncodedPacket) -> None:
        """Append one coded picture; the first must be an IDR picture with its parameter sets."""
        self.bytes += len(packet.data)
        try:
            if self._format == RAW:
                self._file.write(packet.data)
                return
            if self._container is None:
                self._open(packet)
                for early in self._waiting:
                    self._mux_audio(early)
                self._waiting.clear()
            out = av.Packet(packet.data)
            out.stream = self._video
            out.time_base = packet.time_base
            out.pts, out.dts, out.duration = packet.pts, packet.dts, packet.duration
            out.is_keyframe = packet.is_keyframe
            self._container.mux(out)
        except (OSError, av.error.FFmpegError) as error:
            raise self._failure(error) from None

    def write_audio(self, packet: AudioPacket) -> None:
        """Append one audio packet of the source, unchanged."""
        if self._format == RAW:
            return
        try:
            if self._container is None:
                self._waiting.append(packet)
            else:
                self._mux_audio(packet)
        except (OSError, av.error.FFmpegError) as error:
            raise self._failure(error) from None

    def _open(self, first: EncodedPacket) -> None:
        # FFmpeg reads size, profile, level, aspect and colour from the stream itself
        with av.open(io.BytesIO(first.data), format="h264") as probe:
            # bitexact: no random identifiers, no version of the library, so the same input gives the same bytes
            options = {"fflags": "+bitexact", **self._mov_options(first.time_base)}
            container = av.open(self._file, "w", format=self._format, options=options)
            self._container = container
            self._video = container.add_stream_from_template(probe.streams.video[0])
        source = self._source
        self._video.time_base = first.time_base
        if source is None:
            return
        if source.display_matrix is not None:
            self._video.set_display_matrix(source.display_matrix)
            if self._format == "mpegts" and source.rotation:
                self.warnings.append(f"{self.path}: MPEG-TS carries no rotation ({source.rotation} degrees lost)")
        container.metadata.update(_content_tags(source.metadata))
        self._video.metadata.update(_content_tags(source.video_metadata))
        self._video.disposition = source.video_disposition
        with contextlib.suppress(ValueError, NotImplementedError):  # a container without chapters
            container.set_chapters(source.chapters)
        for number, stream in enumerate(source.audio):
            self._add_audio(number, stream)

    def _mov_options(self, time_base: Fraction) -> dict[str, str]:
        """Count a movie's edits in units that video and audio share, else their start is rounded to milliseconds."""
        if self._format not in MOV_FORMATS:
            return {}
        audio = self._source.audio if self._source is not None else []
        scale = math.lcm(time_base.denominator, *(stream.time_base.denominator for stream in audio))
        return {"movie_timescale": str(scale if scale <= MAX_MOVIE_TIMESCALE else time_base.denominator)}

    def _add_audio(self, number: int, stream: Any) -> None:
        codec = stream.codec_context.codec
        name = codec.canonical_name
        taken = MPEGTS_AUDIO if self._format == "mpegts" else self._container.supported_codecs
        if not taken & {name, codec.name}:
            self.warnings.append(f"{self.path}: {self._format} cannot carry {name} audio: left out (use .mkv)")
            return
        copy = self._container.add_stream_from_template(stream)
        copy.time_base = stream.time_base
        copy.metadata.update(_content_tags(dict(stream.metadata)))
        copy.disposition = stream.disposition
        self._audio[number] = copy

    def _mux_audio(self, packet: AudioPacket) -> None:
        stream = self._audio.get(packet.stream)
        if stream is None:
            return
        out = av.Packet(packet.data)
        out.stream = stream
        out.time_base = packet.time_base
        out.pts, out.dts, out.duration = packet.pts, packet.dts, packet.duration
        out.is_keyframe = True
        for side in packet.side_data:
            out.set_sidedata(side)
        self._container.mux(out)

    def _failure(self, error: Exception) -> OutputError:
        cause = self._file.error or error
        return OutputError(f"{self.path}: {getattr(cause, 'strerror', None) or cause}")

    def finish(self) -> None:
        """Write the container's tail and flush everything to disk, still beside the target."""
        try:
            if self._container is not None:
                self._container.close()
        except (OSError, av.error.FFmpegError) as error:
            failure = self._failure(error)
            self.discard()
            raise failure from None
        self._file.finish()

    def publish(self) -> None:
        """Put the finished file under its final name."""
        self._file.publish()

    def commit(self) -> None:
        """`finish()` and `publish()`."""
        self.finish()
        self.publish()

    def discard(self) -> None:
        """Drop the file; what stood under its name before stays."""
        if self._container is not None:
            with contextlib.suppress(OSError, av.error.FFmpegError):  # the tail has nowhere to go
                self._container.close()
            self._container = None
        self._file.discard()
