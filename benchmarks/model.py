"""A clip through the whole chip: driver, rings, firmware on the control processor, cores, memory and time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from benchmarks.measure import Clip, Encoded, Stopwatch, slice_bytes
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.media.picture import Picture
from driver.options import EncoderConfig

# One I picture, then P pictures with one reference and 4x4 transforms: what `measure.X264_P_ONLY` asks of x264.
P_ONLY: dict[str, Any] = {"b_count": 0, "ref_count": 1, "dct8x8": False}


@dataclass(frozen=True)
class ModelRun:
    """The stream with its host time, and what the chip spent on it."""

    encoded: Encoded
    cycles_per_mb: float  # of the encode core, stalls included
    nj_per_px: float  # energy a luma sample, all parts


def pictures(frames: Iterable[np.ndarray], rate: Fraction) -> Iterator[Picture]:
    """Turn planar 4:2:0 arrays into pictures: views, nothing is copied."""
    for number, planar in enumerate(frames):
        width = planar.shape[1]
        height = planar.shape[0] * 2 // 3
        y = planar[:height]
        chroma = planar[height:].reshape(2, height // 2, width // 2)
        yield Picture(y, chroma[0], chroma[1], number, 1, 1 / rate)


def configure(clip: Clip, qp: int, preset: str = "medium", **options: Any) -> EncoderConfig:
    """Return the session's configuration: fixed QP, IDR every 250 pictures as in x264."""
    return EncoderConfig(width=clip.width, height=clip.height, fps=clip.rate, qp=qp, preset=preset, **options)


def encode(
    clip: Clip, qp: int, *, chip: str = "vcu", preset: str = "medium", host_threads: int = 1, **options: Any
) -> ModelRun:
    """Encode on a chip of its own. Host time counts from the first picture to the last packet: uploads, firmware and
    timing included, opening the device left out (as with x264's)."""
    config = configure(clip, qp, preset, **options)
    with (
        Device.open(f"model:{chip}", host_threads=host_threads) as device,
        EncodeSession(device, config) as session,
    ):
        with Stopwatch() as watch:
            stream = b"".join(packet.data for packet in session.encode(pictures(clip.frames, clip.rate)))
        report = device.report()
    assert report is not None
    return ModelRun(
        Encoded(stream, slice_bytes(stream), watch.cpu_seconds, watch.wall_seconds),
        float(report["cores"]["encode"]["cycles_per_unit"]),
        float(report["energy"]["nj_per_px"]["total"]),
    )
