"""A 1080p ladder end to end on the chip: every picture once, at its time, in all rungs, and the sound beside it.

Each picture carries its number as black and white squares, which survive coding and scaling: what a decoder finds in
the outputs says which picture it is. The short runs are part of the default tests; `-m slow` has ten seconds each.
"""

import json
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import pytest

from cli.main import run

WIDTH, HEIGHT = 1920, 1080
SQUARE, DIGITS = 120, 10  # 9 x 9 whole squares fit; the lowest row of them holds the number's bits
TICKS = 1000
LADDER = "1080p,720p@2M,360p@600k"
LABELS = ("1080p", "720p", "360p")


def marked(number: int, background: np.ndarray) -> np.ndarray:
    """I420 picture: moving texture with `number` in squares along the bottom."""
    planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    planes[:HEIGHT] = np.roll(background, (2 * number, 5 * number), (0, 1))
    for bit in range(DIGITS):
        left = SQUARE * bit
        planes[HEIGHT - SQUARE : HEIGHT, left : left + SQUARE] = 235 if number >> bit & 1 else 16
    return planes


def number_of(luma: np.ndarray) -> int:
    """The number in a decoded picture of any size."""
    height, width = luma.shape
    scale = width / WIDTH
    y = round(height - SQUARE * scale / 2)
    return sum(int(luma[y, round(SQUARE * (bit + 0.5) * scale)] > 128) << bit for bit in range(DIGITS))


def make_clip(path: Path, durations: list[int]) -> list[int]:
    """1080p at 5 Mbit/s with B pictures and sound; returns the pictures' times in ms."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    texture = 128 + 50 * np.sin(x / 41) * np.cos(y / 29) + rng.integers(-4, 5, (HEIGHT, WIDTH))
    background = np.clip(texture, 16, 235).astype(np.uint8)
    times = [0, *accumulate(durations[:-1])]
    with av.open(str(path), "w") as out:
        options = {"preset": "veryfast", "bf": "2", "b_strategy": "0", "refs": "2", "g": "30"}
        stream = out.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", 5_000_000
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        sound = out.add_stream("aac", rate=48000, layout="mono")
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(marked(number, background), format="yuv420p")
            frame.pts, frame.time_base = time, Fraction(1, TICKS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        total = 48 * sum(durations)
        tone = (8000 * np.sin(np.arange(total) * 2 * np.pi * 440 / 48000)).astype(np.int16)
        for start in range(0, total, 1024):
            piece = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="s16", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = 48000, start, Fraction(1, 48000)
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    return times


def found_in(path: Path) -> tuple[list[tuple[int, Fraction]], list[Fraction]]:
    """((number, time) of every picture shown, times of audio packets)."""
    with av.open(str(path)) as container:
        shown = []
        for frame in container.decode(video=0):
            luma = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
            shown.append((number_of(luma[: frame.height, : frame.width]), frame.pts * frame.time_base))
    with av.open(str(path)) as container:
        sound = [p.pts * p.time_base for p in container.demux(audio=0) if p.size]
    return shown, sound


def check(folder: Path, durations: list[int], suffix: str) -> None:
    source, report = folder / "in.mkv", folder / "r.json"
    times = make_clip(source, durations)
    _, sound = found_in(source)
    options = ["--ladder", LADDER, "-b:v", "5M", "-preset", "fast", "--decode", "chip", "--report", str(report), "-q"]
    assert run(["transcode", str(source), str(folder / f"out{suffix}"), *options]) == 0
    shortest = Fraction(min(durations), 1000)
    for label in LABELS:
        shown, heard = found_in(folder / f"out_{label}{suffix}")
        assert [number for number, _ in shown] == list(range(len(durations))), "lost, repeated or out of order"
        # containers have a start of their own: what counts is picture against sound
        offset = heard[0] - sound[0]
        assert len(heard) == len(sound)
        assert all(abs(a - b - offset) < shortest for a, b in zip(heard, sound, strict=True))
        assert all(
            abs(time - Fraction(wanted, 1000) - offset) < shortest
            for (_, time), wanted in zip(shown, times, strict=True)
        )
    record = json.loads(report.read_text())
    assert record["run"]["source"]["decoded"] == "on the chip"
    assert record["run"]["frames"] == len(durations)
    assert record["cores"]["decode"]["jobs"] == len(durations)
    # a 1080p surface has 1920 x 1080 x 1.5 bytes: none went down
    assert record["host_link"]["host_write_bytes"] < len(durations) * 1920 * 1080 * 1.5 / 20


CONSTANT = [33, 33, 34]
VARIABLE = [33, 17, 50, 33, 100, 20, 16, 41]


@pytest.mark.parametrize("spans", [CONSTANT, VARIABLE], ids=["constant", "variable"])
def test_short_run(tmp_path: Path, spans: list[int]) -> None:
    check(tmp_path, (spans * 4)[:10], ".mp4")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
@pytest.mark.parametrize("spans", [CONSTANT, VARIABLE], ids=["constant", "variable"])
def test_ten_seconds(tmp_path: Path, spans: list[int], suffix: str) -> None:
    check(tmp_path, (spans * 100)[:300], suffix)
