"""Small media files made with FFmpeg (PyAV), whose content the tests know."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def samples(index: int, width: int, height: int) -> np.ndarray:
    """uint8[height * 3 / 2, width] (I420, even size): a gradient that moves 2 samples a picture, plain chroma."""
    y, x = np.mgrid[0:height, 0:width]
    luma = (3 * (x + 2 * index) + 5 * y) % 256
    chroma = np.full((height // 2, width), 128)
    chroma[:, : width // 2] = 90 + index % 60
    return np.concatenate([luma, chroma]).astype(np.uint8)


def write_clip(
    path: Path, *, width: int = 64, height: int = 48, count: int = 12, rate: Fraction = Fraction(25),
    durations: list[int] | None = None, pix_fmt: str = "yuv420p", audio: bool = False, rotation: int = 0,
    aspect: Fraction | None = None, codec: str = "libx264", interlaced: bool = False,
    colour: tuple[int, int, int, int] | None = None, options: dict[str, str] | None = None, format: str | None = None,
) -> list[int]:  # fmt: skip
    """Write a clip and return its times in ms. `durations` (ms, one a picture): variable frame rate."""
    count = count if durations is None else len(durations)
    base = 1 / Fraction(rate) if durations is None else Fraction(1, 1000)
    if durations is None:
        times = [round(1000 * i / rate) for i in range(count)]
    else:
        times = [sum(durations[:i]) for i in range(count)]
    with av.open(str(path), "w", format=format) as out:
        settings = {"qp": "10", **(options or {})} if codec == "libx264" else dict(options or {})
        stream = out.add_stream(codec, rate=rate, options=settings)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.time_base = stream.codec_context.time_base = base
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if colour is not None:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = colour
        if rotation:
            stream.set_display_rotation(rotation)
        sound = out.add_stream("aac", rate=48000, layout="mono") if audio else None
        for index in range(count):
            even_w, even_h = width + width % 2, height + height % 2
            frame = av.VideoFrame.from_ndarray(samples(index, even_w, even_h), format="yuv420p")
            frame = frame.reformat(width=width, height=height, format=pix_fmt)
            frame.pts = times[index] if durations is not None else index
            frame.time_base = base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            total = round(48000 * (times[-1] + 40) / 1000)
            tone = (8000 * np.sin(np.arange(total) * 2 * np.pi * 440 / 48000)).astype(np.int16)
            for start in range(0, total, 1024):
                piece = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="s16", layout="mono")
                piece.sample_rate, piece.pts, piece.time_base = 48000, start, Fraction(1, 48000)
                out.mux(sound.encode(piece))
            out.mux(sound.encode(None))
    return times


def damage(path: Path, target: Path, packets: tuple[int, ...], width: int = 64, height: int = 48) -> None:
    """Copy the video of `path` to `target`, all bytes after the NAL header of the numbered packets zeroed."""
    with av.open(str(path)) as source, av.open(str(target), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for number, packet in enumerate(p for p in source.demux(stream) if p.size):
            data = bytes(packet)
            if number in packets:
                data = data[:4] + bytes(len(data) - 4)
            clone = av.Packet(data)
            clone.stream, clone.time_base = copy, packet.time_base
            clone.pts, clone.dts, clone.duration = packet.pts, packet.dts, packet.duration
            clone.is_keyframe = packet.is_keyframe
            out.mux(clone)
