"""H.264 streams as they are, for the chip's decoder: packets with their times, nothing decoded on the way.

A raw byte stream (Annex B) is read here, so it needs no more of FFmpeg's opinion than a container's index does.
"""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av.error

from asic_model.codecs.h264.nal import (
    NAL_DELIMITER,
    NAL_IDR_SLICE,
    NAL_PPS,
    NAL_SEI,
    NAL_SLICE,
    NAL_SPS,
    split_annex_b,
)
from driver.errors import BadMedia, UnsupportedInput
from driver.media.source import CodedPacket, first_video, open_container

READ_BYTES = 1 << 20
START_CODE = b"\0\0\1"
# NAL units that a stream may begin with, and whether their nal_ref_idc is 0 (7.4.1)
FIRST_UNITS = {NAL_SPS: False, NAL_PPS: False, NAL_IDR_SLICE: False, NAL_SEI: True, NAL_DELIMITER: True}


class H264File:
    """One stream: `extradata` and `packets()`; `time_base` is None for a raw stream, whose pictures have no times."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.extradata: bytes | None = None
        self.time_base: Fraction | None = None
        self.frame_rate: Fraction | None = None  # None: as the stream's VUI says
        self.sample_aspect_ratio: Fraction | None = None
        self.frame_count: int | None = None
        self.warnings: list[str] = []
        self._container: Any = None
        if not _is_byte_stream(path):
            self._open()

    def _open(self) -> None:
        self._container = open_container(self.path)
        try:
            self._video = first_video(self._container, self.path)
            name = self._video.codec_context.name if self._video.codec_context is not None else "unknown"
            if name != "h264":
                raise UnsupportedInput(f"{self.path}: the chip decodes H.264, the input is {name}")
            self.extradata = self._video.codec_context.extradata
            self.time_base = self._video.time_base
            rate = self._video.average_rate or self._video.guessed_rate
            self.frame_rate = Fraction(rate) if rate else None
            aspect = self._video.sample_aspect_ratio
            self.sample_aspect_ratio = Fraction(aspect) if aspect else None
            self.frame_count = self._video.frames or None
        except BaseException:
            self._container.close()
            raise

    def packets(self) -> Iterator[CodedPacket]:
        """Yield whole NAL units: a container's packets, or pieces of a raw stream."""
        if self._container is None:
            for piece in _pieces(self.path):
                yield CodedPacket(piece)
            return
        packets = self._container.demux(self._video)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self.warnings.append(f"the input breaks off: {error.strerror}")
                return
            if packet is None:
                return
            if packet.size:
                yield CodedPacket.of(packet)

    def __enter__(self) -> "H264File":
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._container is not None:
            self._container.close()


def _is_byte_stream(path: str) -> bool:
    """Whether a plain file begins like an H.264 byte stream."""
    with contextlib.suppress(OSError), open(path, "rb") as file:  # what is wrong with it is said when it is opened
        head = file.read(4096)
        if not Path(path).is_file() or not head.lstrip(b"\0").startswith(b"\1"):
            return False
        for begin, _ in split_annex_b(head):
            kind, reference = head[begin] & 31, head[begin] >> 5 & 3
            if head[begin] & 0x80:
                return False
            return kind == NAL_SLICE or (kind in FIRST_UNITS and FIRST_UNITS[kind] == (reference == 0))
    return False


def _pieces(path: str) -> Iterator[bytes]:
    """The byte stream in pieces that end before a start code."""
    try:
        with open(path, "rb") as file:
            held = b""
            while block := file.read(READ_BYTES):
                held += block
                end = held.rfind(START_CODE, 1)
                if end > 0:
                    yield held[:end]
                    held = held[end:]
            if held:
                yield held
    except OSError as error:
        raise BadMedia(f"{path}: {error.strerror or error}") from None
