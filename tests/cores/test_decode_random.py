"""Random legal streams: the decoder and FFmpeg's show the same frames, in the same order."""

import io

import av
import numpy as np
import pytest

from driver.backends.core import CoreTarget
from driver.decode import H264Decoder
from tests.oracle.random_streams import random_stream


def _ffmpeg(data: bytes) -> list[list[np.ndarray]]:
    with av.open(io.BytesIO(data), format="h264") as container:
        video = container.streams.video[0]
        video.thread_count = 1
        return [
            [
                np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy()
                for plane in frame.planes
            ]
            for frame in container.decode(video)
        ]


def compare_with_ffmpeg(data: bytes, name: str) -> int:
    """Decode a raw stream with both; fails at the first difference. Returns the number of frames."""
    expected = _ffmpeg(data)
    target = CoreTarget()
    decoder = H264Decoder(target)
    number = 0
    for part in (decoder.feed(data), decoder.flush()):
        for frame in part:
            planes = target.planes(frame)[: 1 if frame.monochrome else 3]  # FFmpeg weights the chroma there is not
            for which, plane in enumerate(planes):
                theirs = expected[number][which]
                if not np.array_equal(plane, theirs):
                    y, x = np.argwhere(plane != theirs)[0]
                    pytest.fail(
                        f"{name} frame {number} plane {which} row {y} column {x}: {plane[y, x]}, FFmpeg {theirs[y, x]}"
                    )
            number += 1
            decoder.release(frame)
    assert number == len(expected), name
    assert target.counters["damaged_slices"] == 0, name
    return number


def test_random_streams_look_as_in_ffmpeg() -> None:
    for seed in range(60):
        compare_with_ffmpeg(random_stream(seed), f"seed {seed}")


@pytest.mark.slow
def test_2000_random_streams_look_as_in_ffmpeg() -> None:
    for seed in range(1000, 3000):
        compare_with_ffmpeg(random_stream(seed), f"seed {seed}")
