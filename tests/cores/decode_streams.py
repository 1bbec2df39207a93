"""Streams of the media folder for the decoder's tests: what INDEX.md says of them, and decoding them."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from driver.backends.core import CoreTarget
from driver.decode import H264Decoder

H264_FOLDERS = ("h264_conformance", "h264_micro", "h264_other")


@dataclass(frozen=True)
class Stream:
    """One row of INDEX.md."""

    name: str  # folder/file
    md5: str
    frames: int
    truth: str

    def __str__(self) -> str:
        return self.name


def index(media: Path) -> dict[str, Stream]:
    """All rows by folder/file."""
    found: dict[str, Stream] = {}
    folder = ""
    for line in (media / "INDEX.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            folder = line[3:].split("/")[0]
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 10 and cells[9].startswith("`"):
            name = f"{folder}/{cells[1]}"
            found[name] = Stream(name, cells[9].strip("`"), int(cells[6]) if cells[6].isdigit() else 0, cells[10])
    return found


def decode_file(path: Path, on_frame: Callable[[list[np.ndarray]], None], limit: int | None = None) -> CoreTarget:
    """Decode a raw stream or the first video stream of a container on a core alone; planes of each frame in turn."""
    target = CoreTarget()

    def frames() -> Iterator[list[np.ndarray]]:
        if path.suffix in (".mp4", ".mov", ".MOV", ".ts", ".mkv"):
            with av.open(str(path)) as container:
                video = container.streams.video[0]
                decoder = H264Decoder(target, video.codec_context.extradata)
                unseen = set()  # times of packets before the edit list's first or behind its last: FFmpeg drops them
                for packet in container.demux(video):
                    if packet.is_discard:
                        unseen.add(packet.pts)
                    for frame in decoder.feed(bytes(packet), packet.pts) if packet.size else ():
                        if frame.pts not in unseen:
                            yield target.planes(frame)
                        decoder.release(frame)
        else:
            decoder = H264Decoder(target)
            for frame in decoder.feed(path.read_bytes()):
                yield target.planes(frame)
                decoder.release(frame)
        for frame in decoder.flush():
            yield target.planes(frame)
            decoder.release(frame)

    for number, planes in enumerate(frames()):
        if limit is not None and number >= limit:
            break
        on_frame(planes)
    return target


def md5_of(path: Path) -> tuple[str, int]:
    """(MD5 of all frames in output order, number of frames)."""
    digest = hashlib.md5()
    count = 0

    def add(planes: list[np.ndarray]) -> None:
        nonlocal count
        count += 1
        for plane in planes:
            digest.update(plane.tobytes())

    decode_file(path, add)
    return digest.hexdigest(), count


def ffmpeg_frames(path: Path) -> Iterator[list[np.ndarray]]:
    """Planes of FFmpeg's frames, one thread."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.thread_count = 1
        for frame in container.decode(video):
            yield [
                np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
                for plane in frame.planes
            ]
