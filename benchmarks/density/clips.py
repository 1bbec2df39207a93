"""What is transcoded: a file, or a generated clip where none is given."""

import hashlib
import os
import threading
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

MIN_FRAMES = 24  # below, start-up and the one intra picture are most of what is measured
FLAT = 2.0  # standard deviation of luma below which a picture shows nothing
MOST_FLAT = 0.25  # of a clip's pictures
GENERATED = "generated"
_GENERATED_SIZE = (640, 360)
_GENERATED_RATE = Fraction(30)


class CannotJudge(ValueError):
    """There is no figure to give; the text says why."""


@dataclass(frozen=True)
class SourceClip:
    """The first `frames` pictures of a file.

    content  SHA-256 of the file's bytes
    flat     numbers of pictures that show nothing: black, or a plain card
    """

    name: str
    path: str
    width: int
    height: int
    rate: Fraction
    frames: int
    content: str
    flat: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """Of the pictures that are used: the file's bytes and how many pictures of it."""
        return hashlib.sha256(f"{self.content} {self.frames}".encode()).hexdigest()

    @property
    def seconds(self) -> float:
        return float(self.frames / self.rate)


def open_clip(name: str, limit: int, folder: Path) -> SourceClip:
    """Return the clip called `name`: a file, or `GENERATED`, which is made once in `folder`.

    Raises CannotJudge for a file without video, or with fewer than MIN_FRAMES pictures.
    """
    path = _generate(folder) if name == GENERATED else Path(name)
    if not path.is_file():
        raise CannotJudge(f"{name or repr(name)}: no such file")
    count, flat = 0, []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise CannotJudge(f"{name}: no video in it")
            stream = container.streams.video[0]
            width, height = stream.width // 2 * 2, stream.height // 2 * 2
            rate = Fraction(stream.average_rate or 25)
            for frame in container.decode(stream):
                if frame.to_ndarray(format="gray").std() < FLAT:
                    flat.append(count)
                count += 1
                if count == limit:
                    break
    except av.FFmpegError as error:
        raise CannotJudge(f"{name}: {error.strerror}") from None
    if count < MIN_FRAMES:
        raise CannotJudge(f"{name}: {count} pictures are too few to judge by; at least {MIN_FRAMES} are needed")
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return SourceClip(path.stem, str(path), width, height, rate, count, content, tuple(flat))


def shorten(clip: SourceClip, frames: int) -> SourceClip:
    """The first `frames` pictures of the clip. Raises CannotJudge where too many of them are flat: their quality does
    not fall with the rate."""
    flat = tuple(number for number in clip.flat if number < frames)
    if len(flat) > MOST_FLAT * frames:
        raise CannotJudge(
            f"{clip.name}: {len(flat)} of the first {frames} pictures are black or plain: nothing to judge compression "
            "by; cut the beginning off, or take more pictures (--frames)"
        )
    return replace(clip, frames=frames, flat=flat)


class Frames:
    """The clip's pictures, decoded when they are first asked for, by whichever thread."""

    def __init__(self, clip: SourceClip) -> None:
        self._clip = clip
        self._lock = threading.Lock()
        self._found: list[np.ndarray] | None = None

    def __call__(self) -> list[np.ndarray]:
        with self._lock:
            if self._found is None:
                self._found = frames(self._clip)
            return self._found


def frames(clip: SourceClip) -> list[np.ndarray]:
    """Decode the clip: planar 4:2:0, uint8[height * 3 / 2, width] each."""
    found: list[np.ndarray] = []
    with av.open(clip.path) as container:
        for frame in container.decode(container.streams.video[0]):
            found.append(np.ascontiguousarray(frame.reformat(clip.width, clip.height, "yuv420p").to_ndarray()))
            if len(found) == clip.frames:
                break
    return found


def _generate(folder: Path) -> Path:
    """Make the stand-in for a real clip: moving textures with film grain, coded finely by x264. Said to be generated
    wherever it is used: its figures say that the command works, not how dense a chip is."""
    path = folder / "generated.mp4"
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    width, height = _GENERATED_SIZE
    rng = np.random.default_rng(1)
    texture = rng.normal(0, 1, (height * 2, width * 2))
    for axis in (0, 1):  # smooth: natural pictures are not white noise
        for step in (1, 2, 4, 8, 16):
            texture = (texture + np.roll(texture, step, axis)) / 2
    texture *= 40 / texture.std()
    y, x = np.mgrid[0:height, 0:width]
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with av.open(str(partial), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=_GENERATED_RATE, options={"crf": "14", "threads": "1"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for t in range(60):
                background = texture[t : t + height, 2 * t : 2 * t + width]
                inside = (x - 80 - 5 * t) ** 2 + (y - height / 2 - 60 * np.sin(t / 9)) ** 2 < 70**2
                luma = np.where(inside, 150 + texture[:height, :width] * 0.7, 110 + background)
                luma = luma + rng.normal(0, 1.5, luma.shape)
                planes = np.full((height * 3 // 2, width), 128, np.uint8)
                planes[:height] = np.clip(luma, 16, 235)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
            container.mux(stream.encode(None))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def as_video_frames(planes: list[np.ndarray]) -> list[av.VideoFrame]:
    """Planar arrays as FFmpeg's frames."""
    return [av.VideoFrame.from_ndarray(each, "yuv420p") for each in planes]
