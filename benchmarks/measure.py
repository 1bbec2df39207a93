"""What the benchmarks share: clips, the peer encoder, one yardstick for both sides, and a statement of where it ran."""

import argparse
import datetime
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import av
import numpy as np

from asic_model.engines.quality import compare_planes, psnr_db, ssim_mean
from asic_model.engines.scale import Plane

PROJECT_DIR = Path(__file__).resolve().parent.parent

# x264 at its own defaults (3 adaptive B pictures, 3 references, 8x8 transform, weighted prediction, trellis), tuned for
# what is measured, without what moves QP about.
X264_OPTIONS = {"preset": "medium", "tune": "psnr"}
X264_PARAMETERS = "aq-mode=0:mbtree=0"
X264_P_ONLY = X264_PARAMETERS + ":bframes=0:ref=1:8x8dct=0"  # beside `model.P_ONLY`


@dataclass(frozen=True)
class Clip:
    """Frames of one clip, planar 4:2:0 8 bits: uint8[height * 3 / 2, width] as PyAV lays them out, even sides."""

    name: str
    width: int
    height: int
    rate: Fraction
    frames: list[np.ndarray]

    @property
    def seconds(self) -> float:
        return float(len(self.frames) / self.rate)


@dataclass(frozen=True)
class Encoded:
    """What an encoder made of a clip: bytes of slice NAL units (headers and comments left out), stream, host time."""

    stream: bytes
    slice_bytes: int
    cpu_seconds: float  # of the process, all threads
    wall_seconds: float


@dataclass(frozen=True)
class Quality:
    """Means over frames."""

    psnr_luma_db: float
    psnr_chroma_db: float
    ssim_luma: float


def media_dir() -> Path:
    """Folder that holds the test media."""
    return Path(os.environ.get("TASIC_MEDIA") or PROJECT_DIR.parent / "shared" / "media")


def find_clip(name: str) -> Path:
    """Return the file called `name`: a path, or the beginning of a name in the test media or the demo's output."""
    if Path(name).is_file():
        return Path(name)
    folder = media_dir()
    files = [*sorted(folder.glob("*/*")), *sorted((PROJECT_DIR / "demo-output").glob("*"))]
    found = [path for path in files if path.name.startswith(name)]
    if not found:
        raise SystemExit(f"{name}: neither a file nor the beginning of a name in {folder} (set TASIC_MEDIA)")
    return found[0]


def read_clip(name: str, count: int, skip: int = 0, *, size: tuple[int, int] | None = None, fill: bool = False) -> Clip:
    """Decode `count` frames from frame `skip` on; sides are cut to even numbers of samples, or scaled to `size`.

    fill : play a clip that is too short back and forth
    """
    path = find_clip(name)
    frames = []
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = stream.average_rate or Fraction(25)
            for index, frame in enumerate(container.decode(stream)):
                if index >= skip + count:
                    break
                if index >= skip:
                    width, height = size or (frame.width // 2 * 2, frame.height // 2 * 2)
                    planar = frame.reformat(width, height, "yuv420p", interpolation="BICUBIC")
                    frames.append(np.ascontiguousarray(planar.to_ndarray()))
    except (av.FFmpegError, IndexError) as error:
        raise SystemExit(f"{path}: {error}") from None
    if not frames:
        raise SystemExit(f"{path}: no frames after frame {skip}")
    if fill:
        there_and_back = frames + frames[-2:0:-1]
        frames = [there_and_back[n % len(there_and_back)] for n in range(count)]
    height, width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
    return Clip(path.stem, width, height, Fraction(rate), frames)


def nal_units(stream: bytes) -> Iterator[bytes]:
    """Yield the NAL units of a byte stream (H.264 Annex B), without start codes."""
    at = stream.find(b"\0\0\1")
    while at >= 0:
        begin = at + 3
        at = stream.find(b"\0\0\1", begin)
        yield (stream[begin:at] if at >= 0 else stream[begin:]).rstrip(b"\0")


def slice_bytes(stream: bytes) -> int:
    """Count the bytes of slices, start codes included: x264's comment NAL alone would cost a short clip 700 bytes."""
    return sum(4 + len(unit) for unit in nal_units(stream) if unit and unit[0] & 31 in (1, 5))


class Stopwatch:
    """CPU seconds of this process and wall seconds of a `with` block."""

    def __enter__(self) -> "Stopwatch":
        self._begin = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu_seconds = time.process_time() - self._begin[0]
        self.wall_seconds = time.perf_counter() - self._begin[1]


def encode_x264(clip: Clip, qp: int, preset: str = "medium", parameters: str = X264_PARAMETERS) -> Encoded:
    """Encode with libx264 on one thread at fixed `qp` (x264's own offset between I and P pictures)."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = clip.width, clip.height, "yuv420p"
    context.framerate, context.time_base = clip.rate, 1 / clip.rate
    context.thread_count = 1
    context.options = {
        **X264_OPTIONS,
        "preset": preset,
        "x264-params": f"qp={qp}:threads=1:lookahead-threads=1:{parameters}".rstrip(":"),
    }
    frames = []
    for index, planes in enumerate(clip.frames):
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts = index
        frames.append(frame)
    packets = []
    context.open()
    with Stopwatch() as watch:
        for frame in frames:
            packets += context.encode(frame)
        packets += context.encode(None)
    stream = b"".join(bytes(packet) for packet in packets)
    return Encoded(stream, slice_bytes(stream), watch.cpu_seconds, watch.wall_seconds)


def decode(stream: bytes) -> list[np.ndarray]:
    """Decode an H.264 byte stream with FFmpeg: the pictures as a viewer gets them."""
    context = av.CodecContext.create("h264", "r")
    frames = []
    packets = [*context.parse(stream), *context.parse(b"")]
    for packet in [*packets, None]:
        frames += [np.ascontiguousarray(frame.to_ndarray(format="yuv420p")) for frame in context.decode(packet)]
    return frames


def compare(clip: Clip, decoded: Sequence[np.ndarray]) -> Quality:
    """Compare decoded frames with the clip's by the chip's own quality kernels (exact sums)."""
    if len(decoded) != len(clip.frames):
        raise SystemExit(f"{clip.name}: {len(clip.frames)} frames in, {len(decoded)} decoded")
    w, h = clip.width, clip.height
    planes = [Plane(0, w, w, h), Plane(w * h, w // 2, w // 2, h // 2), Plane(w * h * 5 // 4, w // 2, w // 2, h // 2)]
    rows = []
    for a, b in zip(clip.frames, decoded, strict=True):
        if b.shape != a.shape:
            raise SystemExit(f"{clip.name}: decoded frames are {b.shape[1]}x{b.shape[0] * 2 // 3}, not {w}x{h}")
        mem = np.concatenate([a.ravel(), b.ravel()])
        sums = [compare_planes(mem, p, p._replace(offset=p.offset + a.size)) for p in planes]
        # An equal picture counts as 100 dB, so that a mean exists.
        luma = min(psnr_db(int(sums[0][0]), w * h), 100.0)
        chroma = min(psnr_db(int(sums[1][0] + sums[2][0]), w * h // 2), 100.0)
        rows.append((luma, chroma, ssim_mean(int(sums[0][1]), int(sums[0][2]))))
    return Quality(*np.mean(rows, axis=0).tolist())


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str:
    """Return the checked-out commit."""
    command = ["git", "-C", str(PROJECT_DIR), "rev-parse", "--short=10", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def statement() -> str:
    """Return what a figure needs beside it: machine, load, versions, date."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "av"))
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{_processor()}, {os.cpu_count()} processors, load {load}; {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, {libraries}, libavcodec {codec}; commit {_commit()}; {now}"
    )


def parser(name: str, text: str | None) -> argparse.ArgumentParser:
    """Return the command line of benchmark `name`; its help is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
