"""Reading: whatever FFmpeg opens becomes even-sized 8-bit 4:2:0 pictures with times, and audio packets as they are."""

import heapq
import re
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import av.filter
import av.logging
import numpy as np

from driver.decode import stream_refusal
from driver.errors import BadMedia, UnsupportedInput
from driver.media.picture import Picture, even_planes
from driver.options import MAX_SIDE_PX, MIN_SIDE_PX

# The scaler takes sources of up to twice the encoder's side.
MAX_SOURCE_SIDE_PX = 2 * MAX_SIDE_PX
DEFAULT_RATE = Fraction(25)
# Formats whose planes are taken as they are; all others go through swscale to 4:2:0.
DIRECT = ("yuv420p", "yuvj420p", "nv12", "gray")
RANGE_LIMITED, RANGE_FULL = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
SPACE_UNSPECIFIED = 2  # Table E-5
SPACE_BT709 = 1
SPACE_RGB = 0
ELEMENTARY = ("h264", "hevc", "m4v", "mpegvideo")  # demuxers of streams without container
DAMAGE = re.compile("error|damaged|conceal|corrupt|invalid", re.IGNORECASE)  # in what a decoder logs
INTERLACED_NOTE = "interlaced input is deinterlaced (bwdif), one picture a frame"
# After the last video frame that is wanted, audio is read on for this long: interleaving may lag behind.
AUDIO_TAIL_SECONDS = 10


@dataclass(slots=True)
class CodedPacket:
    """Whole NAL units of video as the file holds them, for the chip's decoder; times are in the stream's time base."""

    data: bytes
    pts: int | None = None
    duration: int = 0
    discard: bool = False  # decoded, but not shown: an edit list says so

    @classmethod
    def of(cls, packet: Any) -> "CodedPacket":
        """Copy a PyAV packet."""
        return cls(bytes(packet), packet.pts, packet.duration or 0, packet.is_discard)


class AudioPacket:
    """One audio packet on its way from input to outputs, untouched; `stream` indexes `Source.audio`."""

    __slots__ = ("data", "dts", "duration", "pts", "side_data", "stream", "time_base")

    def __init__(self, packet: Any, stream: int) -> None:
        self.stream = stream
        self.data = bytes(packet)
        self.pts, self.dts, self.duration = packet.pts, packet.dts, packet.duration
        self.time_base: Fraction = packet.time_base
        self.side_data = list(packet.iter_sidedata())  # the first packet's says how many samples of priming to skip


class AudioGate:
    """Lets the audio of a job through: all of it, or where pictures are limited, what begins before their end.

    Containers interleave loosely, so with a limit a packet waits until a picture as late as it was shown.
    """

    def __init__(self, streams: int, limit: int | None) -> None:
        self._open = set(range(streams))
        self._left = limit
        self._shown = Fraction(-(1 << 62))  # end of the last picture, seconds
        self._waiting: deque[AudioPacket] = deque()

    @property
    def closed(self) -> bool:
        """Whether all pictures that are wanted were shown."""
        return self._left == 0

    @property
    def complete(self) -> bool:
        """Whether nothing more is wanted, audio included."""
        return self.closed and not self._open

    def is_past(self, seconds: Fraction) -> bool:
        """Whether a picture at `seconds`, after the last one, is so late that no wanted audio can follow."""
        return seconds > self._shown + AUDIO_TAIL_SECONDS

    def _is_early(self, packet: AudioPacket) -> bool:
        return self._left is None or packet.pts is None or packet.pts * packet.time_base < self._shown

    def audio(self, packet: AudioPacket) -> Iterator[AudioPacket]:
        """Yield the packet if it is known to be wanted."""
        if self._is_early(packet):
            yield packet
        elif self.closed:
            self._open.discard(packet.stream)
        else:
            self._waiting.append(packet)

    def picture(self, end_seconds: Fraction) -> Iterator[AudioPacket]:
        """A picture was shown until `end_seconds`: yield the packets that waited for it."""
        if self._left is None:
            return
        self._left -= 1
        self._shown = max(self._shown, end_seconds)
        waiting, self._waiting = self._waiting, deque()
        for packet in waiting:
            yield from self.audio(packet)

    def rest(self) -> Iterator[AudioPacket]:
        """The input ended before the limit: yield what still waits."""
        if not self.closed:
            yield from self._waiting


def open_container(path: str, raw_size: tuple[int, int] | None = None, rate: Fraction | None = None) -> Any:
    """Open the container or raise BadMedia with one line that says what is wrong."""
    if not path:
        raise BadMedia("the name of the input is empty")
    if "://" not in path:
        file = Path(path)
        if not file.exists():
            raise BadMedia(f"{path}: no such file")
        if file.is_dir():
            raise BadMedia(f"{path}: is a folder, not a file")
        if file.is_file() and not file.stat().st_size:
            raise BadMedia(f"{path}: the file is empty")
    former = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture(local=False) as log:
        try:
            if raw_size:
                options = {"video_size": f"{raw_size[0]}x{raw_size[1]}", "pixel_format": "yuv420p"}
                return av.open(path, format="rawvideo", options={**options, "framerate": str(rate or DEFAULT_RATE)})
            return av.open(path, metadata_errors="replace")
        except PermissionError:
            raise BadMedia(f"{path}: no permission to read it") from None
        except (av.error.FFmpegError, OSError, ValueError) as error:
            said = f" ({' '.join(log[-1][2].split())})" if log else ""
            if isinstance(error, av.error.InvalidDataError):
                why = "not a media file that FFmpeg knows, or damaged beyond opening"
            else:
                said = said or f" ({getattr(error, 'strerror', None) or error})"
                why = "FFmpeg cannot open it"
            raise BadMedia(f"{path}: {why}{said}") from None
        finally:
            av.logging.set_level(former)


def first_video(container: Any, path: str) -> Any:
    """Return the first video stream that is no cover picture; BadMedia says what there is instead."""
    streams = container.streams
    pictured = av.stream.Disposition.attached_pic
    for stream in streams.video:
        if not stream.disposition & pictured:
            return stream
    held = sorted({stream.type for stream in streams})
    raise BadMedia(f"{path}: has no video stream ({', '.join(held) or 'no stream at all'} only)")


@contextmanager
def _complaints() -> Iterator[list[Any]]:
    """Collect what FFmpeg logs as errors meanwhile; a damaged slice that it conceals shows nowhere else."""
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as logs:
            yield logs
    finally:
        av.logging.set_level(None)


class Source:
    """A media file opened for reading, its first picture already decoded.

    `items()` gives pictures (in presentation order) and audio packets; figures such as `concealed` and `warnings`
    are complete when it is exhausted.
    """

    def __init__(
        self,
        path: str,
        *,
        raw_size: tuple[int, int] | None = None,
        rate: Fraction | None = None,
        limit: int | None = None,
    ) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.pictures = 0
        self.concealed = 0  # pictures replaced by the last good one, or patched by FFmpeg
        self.decode_errors = 0  # packets and pictures that the decoder complained about
        self.retimed = 0  # pictures whose time did not lie after their predecessor's
        self.limit = limit
        self._whole_bytes = 0  # of a bare picture; 0: packets are what the container says
        if raw_size:
            self._check_raw(raw_size)
        self._container = open_container(path, raw_size, rate)
        try:
            self._select_streams()
            self._start()
        except BaseException:
            self._container.close()
            raise

    def _check_raw(self, size: tuple[int, int]) -> None:
        """Compare the file's length with whole pictures: what is left over at the end is no picture."""
        width, height = size
        self._check_size(width, height)
        self._whole_bytes = width * height + 2 * (-(-width // 2) * -(-height // 2))
        file = Path(self.path)
        if not file.is_file() or not file.stat().st_size:
            return
        held = file.stat().st_size
        if held < self._whole_bytes:
            raise BadMedia(
                f"{self.path}: {held} bytes are less than one picture of {width}x{height} ({self._whole_bytes} bytes)"
            )
        if held % self._whole_bytes:
            self.warnings.append(
                f"the last {held % self._whole_bytes} bytes are no whole picture of {width}x{height}: left out"
            )

    # -- opening --------------------------------------------------------------------------------------------------

    def _select_streams(self) -> None:
        streams = self._container.streams
        self._video = first_video(self._container, self.path)
        context = self._video.codec_context
        if context is None or context.codec is None:
            raise UnsupportedInput(f"{self.path}: FFmpeg has no decoder for its video")
        self._check_size(context.width, context.height)
        context.thread_type = "SLICE"  # with frame threads an error would come back with a later packet
        self.codec_name: str = context.codec.name
        self.audio = [stream for stream in streams.audio if stream.codec_context is not None]
        self._audio_index = {stream.index: number for number, stream in enumerate(self.audio)}
        self.chapters: list[Any] = self._container.chapters()
        left_out = (
            len(streams.subtitles) + len(streams.data) + len(streams.video) - 1 + len(streams.audio) - len(self.audio)
        )
        if left_out:
            self.warnings.append(f"{left_out} further stream(s) (subtitles, data, more video) left out")
        self.metadata: dict[str, str] = dict(self._container.metadata)
        self.video_disposition = self._video.disposition
        self.video_metadata: dict[str, str] = dict(self._video.metadata)

    def _check_size(self, width: int, height: int) -> None:
        """Refuse sizes that the chip cannot take; (0, 0) is a size that the container does not tell."""
        if max(width, height) > MAX_SOURCE_SIDE_PX:
            raise UnsupportedInput(
                f"{self.path}: {width}x{height} is larger than {MAX_SOURCE_SIDE_PX}x{MAX_SOURCE_SIDE_PX}"
            )
        if width and height and min(width, height) < MIN_SIDE_PX:
            raise UnsupportedInput(f"{self.path}: {width}x{height} is smaller than {MIN_SIDE_PX}x{MIN_SIDE_PX}")

    def _start(self) -> None:
        """Decode up to the first picture: it, not the container, says what the samples are."""
        self.time_base: Fraction = self._video.time_base or Fraction(1, 90000)
        # An elementary stream has no times: FFmpeg's demuxer counts at 25 a second, the stream's VUI knows better.
        self.untimed = self._container.format.name in ELEMENTARY
        told, guessed = self._video.average_rate, self._video.guessed_rate
        rate = (guessed or told if self.untimed else told or guessed) or DEFAULT_RATE
        self.frame_rate = Fraction(rate) if Fraction(1, 100) <= rate <= 480 else DEFAULT_RATE
        self.frame_ticks = max(1, round(1 / (self.frame_rate * self.time_base)))
        self._deinterlacer: Any = None
        self._failed: list[int] = []  # heap: times of packets that gave no picture
        self._last: Picture | None = None
        self._last_pts: int | None = None
        self._early: deque[AudioPacket] = deque()
        self._kept: list[Any] | None = []  # packets up to the first picture: the chip's decoder wants them again
        self._packets = self._demuxed()
        self._reader = self._decoded()
        first = None
        for item in self._reader:
            if isinstance(item, AudioPacket):
                self._early.append(item)
            else:
                first = item
                break
        if first is None:
            why = self.chip_refusal() if self.codec_name == "h264" else None
            raise BadMedia(f"{self.path}: not one picture could be decoded ({why or self.codec_name})")
        self._check_size(first.width, first.height)
        self._first_frame = first
        self._describe(first)

    def _describe(self, frame: Any) -> None:
        """Take size, aspect, colour and rotation from the first picture and note what will be converted."""
        self.source_width, self.source_height = frame.width, frame.height
        self.width, self.height = frame.width + frame.width % 2, frame.height + frame.height % 2
        if (self.width, self.height) != (frame.width, frame.height):
            self.warnings.append(
                f"odd size {frame.width}x{frame.height} is coded as {self.width}x{self.height}: "
                "last column or row repeated"
            )
        aspect = self._video.sample_aspect_ratio
        self.sample_aspect_ratio = Fraction(aspect) if aspect and Fraction(1, 65536) < aspect < 65536 else None
        self.pix_fmt = frame.format.name
        # yuvj formats are the full-range ones of old
        full = frame.color_range == RANGE_FULL or self.pix_fmt.startswith("yuvj")
        self.full_range = full or (False if frame.color_range == RANGE_LIMITED else None)  # None: not said
        self.color_primaries = int(frame.color_primaries) & 0xFF
        self.color_trc = int(frame.color_trc) & 0xFF
        self.colorspace = int(frame.colorspace) & 0xFF
        self.display_matrix: tuple[int, ...] | None = None
        for side in frame.side_data:
            if side.type.name == "DISPLAYMATRIX":
                self.display_matrix = tuple(int(v) for v in np.frombuffer(bytes(side), np.int32)[:9])
        self.rotation = int(frame.rotation)
        parts = frame.format.components
        depth = max((part.bits for part in parts), default=8)
        if self._is_rgb(frame):
            self.colorspace, self.full_range = SPACE_BT709, False
            self.warnings.append(f"{self.pix_fmt} input is converted to 8-bit 4:2:0 (BT.709)")
        elif depth > 8:
            self.warnings.append(f"{depth}-bit input ({self.pix_fmt}) is converted to 8-bit 4:2:0")
        elif self.pix_fmt not in DIRECT:
            self.warnings.append(f"{self.pix_fmt} input is converted to 4:2:0")
        self.frame_count: int | None = self._frames_expected()

    def _frames_expected(self) -> int | None:
        """Return how many pictures the container announces, None when it does not say: for the progress bar only."""
        count = self._video.frames or 0
        if not count and self._video.duration:
            count = round(self._video.duration * self.time_base * self.frame_rate)
        if not count and self._container.duration:
            count = round(Fraction(self._container.duration, av.time_base) * self.frame_rate)
        if self.limit is not None:
            return min(count, self.limit) if count else self.limit
        return count or None

    @staticmethod
    def _is_rgb(frame: Any) -> bool:
        return bool(frame.format.is_rgb) or frame.format.name.startswith("pal")

    # -- reading --------------------------------------------------------------------------------------------------

    def chip_refusal(self) -> str | None:
        """Return why the chip's decoder cannot take over from here, or None. Nothing may have been read yet."""
        if self.codec_name != "h264":
            return f"the chip decodes H.264, the input is {self.codec_name}"
        kept = [packet for packet in self._kept or () if packet.stream_index == self._video.index]
        return stream_refusal(self.extradata, (bytes(packet) for packet in kept))

    @property
    def interlaced(self) -> bool:
        """Whether an interlaced picture has come."""
        return self._deinterlacer is not None

    @property
    def extradata(self) -> bytes | None:
        """The container's parameter sets."""
        found: bytes | None = self._video.codec_context.extradata
        return found

    def use_chip(self) -> None:
        """The chip will decode: `coded_items()` is to be read instead of `items()`."""
        self._reader.close()
        self._early.clear()
        self._first_frame = self._deinterlacer = None
        self.decode_errors = self.concealed = 0  # of the look at the first picture
        if INTERLACED_NOTE in self.warnings:
            self.warnings.remove(INTERLACED_NOTE)

    def coded_items(self) -> Iterator[CodedPacket | AudioPacket]:
        """Yield video packets as they are and audio packets, from the first one on; after `use_chip()`."""
        kept, self._kept = self._kept or [], None
        for packet in chain(kept, self._packets):
            number = self._audio_index.get(packet.stream_index)
            yield CodedPacket.of(packet) if number is None else AudioPacket(packet, number)

    def items(self) -> Iterator[Picture | AudioPacket]:
        """Yield pictures and audio packets; at most `limit` pictures, and the audio up to their end."""
        self._kept = None
        yield from self._until_end(self._ordered())
        self._note_errors()

    def pictures_only(self) -> Iterator[Picture]:
        """Yield the pictures."""
        return (item for item in self.items() if isinstance(item, Picture))

    def _until_end(self, items: Iterator[Picture | AudioPacket]) -> Iterator[Picture | AudioPacket]:
        gate = AudioGate(len(self.audio), self.limit)
        for item in items:
            if isinstance(item, AudioPacket):
                yield from gate.audio(item)
            elif not gate.closed:
                yield item
                self.pictures += 1
                yield from gate.picture((item.pts + item.duration) * item.time_base)
            elif gate.is_past(item.pts * item.time_base):
                return
            if gate.complete:
                return
        yield from gate.rest()

    def _ordered(self) -> Iterator[Picture | AudioPacket]:
        """Yield the early audio, then pictures with lost ones filled in, each later than the one before."""
        yield from self._early
        self._early.clear()
        yield from self._with_repeats(self._first_frame)
        self._first_frame = None
        for item in self._reader:
            if isinstance(item, AudioPacket):
                yield item
            else:
                yield from self._with_repeats(item)
        while self._failed and self._last is not None:
            yield from self._repeat(heapq.heappop(self._failed))

    def _with_repeats(self, frame: Any) -> Iterator[Picture]:
        pts = self._pts_of(frame)
        while self._failed and self._failed[0] < pts:
            lost = heapq.heappop(self._failed)
            if self._last is not None:
                yield from self._repeat(lost)
        if self._failed and self._failed[0] == pts:
            heapq.heappop(self._failed)
        if frame.is_corrupt:
            self.decode_errors += 1
            if self._last is not None:
                yield from self._repeat(pts)
                return
        picture = self._picture(frame, pts)
        if self._last_pts is not None and pts <= self._last_pts:
            self.retimed += 1
            picture.pts = self._last_pts + 1
        self._last, self._last_pts = picture, picture.pts
        yield picture

    def _repeat(self, pts: int) -> Iterator[Picture]:
        """Conceal: the last good picture again, at the time of the lost one."""
        assert self._last is not None
        assert self._last_pts is not None
        if pts <= self._last_pts:
            return
        self.concealed += 1
        self._last_pts = pts
        good = self._last
        yield Picture(good.y, good.cb, good.cr, pts, self.frame_ticks, self.time_base)

    def _pts_of(self, frame: Any) -> int:
        """Return the frame's time in `time_base`; streams without times get the nominal rate."""
        if frame.pts is None or self.untimed:
            return 0 if self._last_pts is None else self._last_pts + self.frame_ticks
        if frame.time_base and frame.time_base != self.time_base:
            return round(frame.pts * frame.time_base / self.time_base)
        return int(frame.pts)

    def _decoded(self) -> Generator[Any, None, None]:
        """Yield decoded (and deinterlaced) frames and audio packets in file order."""
        context = self._video.codec_context
        for packet in self._packets:
            number = self._audio_index.get(packet.stream_index)
            if number is not None:
                yield AudioPacket(packet, number)
            else:
                yield from self._deinterlaced(self._decode(context, packet))
        yield from self._deinterlaced(self._decode(context, None))
        if self._deinterlacer is not None:
            self._deinterlacer.vpush(None)
            yield from self._pulled()

    def _demuxed(self) -> Generator[Any, None, None]:
        """Yield the packets of video and audio in file order."""
        packets = self._container.demux([self._video, *self.audio])
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self.warnings.append(f"the input breaks off: {error.strerror}")
                return
            if packet is None:
                return
            if packet.size and packet.size >= (self._whole_bytes or 1):
                if self._kept is not None:
                    self._kept.append(packet)
                yield packet

    def _decode(self, context: Any, packet: Any) -> list[Any]:
        try:
            with _complaints() as complaints:
                frames = list(context.decode(packet))
            # FFmpeg fills the damaged part of a picture and says so nowhere but in its log
            if any(DAMAGE.search(line) for _level, _name, line in complaints):
                self.decode_errors += 1
                self.concealed += 1
            return frames
        except (av.error.FFmpegError, EOFError):
            self.decode_errors += 1
            if packet is not None and packet.pts is not None and not packet.is_discard:
                heapq.heappush(self._failed, packet.pts)
            return []

    def _deinterlaced(self, frames: list[Any]) -> Iterator[Any]:
        """Pass progressive frames on; from the first interlaced one on all go through FFmpeg's `bwdif`."""
        for frame in frames:
            if self._deinterlacer is None and frame.interlaced_frame:
                self.warnings.append(INTERLACED_NOTE)
                self._deinterlacer = self._deinterlace_graph(frame)
                self._deinterlacer_size = (frame.width, frame.height, frame.format.name)
            if self._deinterlacer is None:
                yield frame
                continue
            if (frame.width, frame.height, frame.format.name) != self._deinterlacer_size:
                self._deinterlacer.vpush(None)
                yield from self._pulled()
                self._deinterlacer = self._deinterlace_graph(frame)
                self._deinterlacer_size = (frame.width, frame.height, frame.format.name)
            self._deinterlacer.vpush(frame)
            yield from self._pulled()

    def _deinterlace_graph(self, frame: Any) -> Any:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or self.time_base
        )
        bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = graph.add("buffersink")
        source.link_to(bwdif)
        bwdif.link_to(sink)
        graph.configure()
        return graph

    def _pulled(self) -> Iterator[Any]:
        while True:
            try:
                yield self._deinterlacer.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    # -- samples --------------------------------------------------------------------------------------------------

    def _picture(self, frame: Any, pts: int) -> Picture:
        if (frame.width, frame.height) != (self.source_width, self.source_height):
            note = f"the size changes to {frame.width}x{frame.height} mid-stream: scaled to the first one"
            if note not in self.warnings:
                self.warnings.append(note)
            frame = self._converted(frame, self.source_width, self.source_height)
        elif frame.format.name not in DIRECT:
            frame = self._converted(frame, frame.width, frame.height)
        name = frame.format.name
        y = _plane(frame.planes[0], frame.width, frame.height)
        half_width, half_height = (frame.width + 1) // 2, (frame.height + 1) // 2
        if name == "nv12":
            pairs = _plane(frame.planes[1], 2 * half_width, half_height)
            cb, cr = pairs[:, 0::2].copy(), pairs[:, 1::2].copy()
        elif name == "gray":
            cb = cr = np.full((half_height, half_width), 128, np.uint8)
        else:
            cb = _plane(frame.planes[1], half_width, half_height)
            cr = _plane(frame.planes[2], half_width, half_height)
        y, cb, cr = even_planes(y, cb, cr)
        return Picture(y, cb, cr, pts, self._duration_of(frame) or self.frame_ticks, self.time_base)

    def _duration_of(self, frame: Any) -> int:
        """Return the frame's duration in `time_base`; the deinterlacer's frames come in half as long units."""
        if frame.time_base and frame.time_base != self.time_base:
            return round(frame.duration * frame.time_base / self.time_base)
        return int(frame.duration)

    def _converted(self, frame: Any, width: int, height: int) -> Any:
        """Return the frame as 8-bit 4:2:0 of the range and matrix that the output announces."""
        levels = RANGE_FULL if self.full_range else RANGE_LIMITED
        if self._is_rgb(frame):
            return frame.reformat(width, height, "yuv420p", dst_colorspace=SPACE_BT709, dst_color_range=levels)
        return frame.reformat(width, height, "yuv420p", src_color_range=levels, dst_color_range=levels)

    def _note_errors(self) -> None:
        if self.decode_errors:
            self.warnings.append(
                f"{self.decode_errors} damaged packet(s) or picture(s): "
                f"{self.concealed} concealed by the last good picture or by the decoder"
            )
        self.note_retimed()

    def note_retimed(self) -> None:
        """Warn of times that went backwards."""
        if self.retimed:
            self.warnings.append(f"{self.retimed} picture(s) had a time before their predecessor's: moved after it")

    def close(self) -> None:
        self._reader.close()
        self._container.close()

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _plane(plane: Any, width: int, height: int) -> np.ndarray:
    """Return uint8[height, width] of an FFmpeg plane: a view when its rows are whole, else a view with its stride."""
    rows = np.frombuffer(plane, np.uint8)[: plane.line_size * height]
    return rows.reshape(height, plane.line_size)[:, :width]
