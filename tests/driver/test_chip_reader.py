"""Files read by way of the chip's decoder: the pictures and times that FFmpeg gives, and what happens to damage."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from driver.device import Device
from driver.errors import UnsupportedInput
from driver.media.chip_reader import WOVEN_NOTE, ChipReader, TimedPicture
from driver.media.source import AudioPacket, Source
from tests.driver.clips import damage, write_clip
from tests.driver.test_decode_session import planar

CHIP = "model:tiny"
SPANS = [20, 40, 100, 20, 33, 47, 20, 40, 100, 20, 33, 47]
B_PICTURES = {"bf": "3", "b_strategy": "0", "refs": "3"}


@contextmanager
def reading(path: Path, *, weave: bool = False, limit: int | None = None) -> Iterator[tuple[Source, ChipReader]]:
    with Source(str(path), limit=limit) as source, Device.open(CHIP) as device:
        assert source.chip_refusal() is None
        source.use_chip()
        with device.open_decoder(source.extradata, frames_in_flight=6) as decoder:
            yield source, ChipReader(source, decoder, weave=weave)


def read(path: Path, **options: object) -> tuple[Source, list[tuple[int, np.ndarray]]]:
    """(source, times in ms and samples)."""
    with reading(path, **options) as (source, reader):  # type: ignore[arg-type]
        found = [
            (round(1000 * item.pts * item.time_base), planar(item.picture.download()))
            for item in reader.items()
            if isinstance(item, TimedPicture)
        ]
    return source, found


def ffmpeg(path: Path) -> list[tuple[int, np.ndarray]]:
    with av.open(str(path)) as container:
        return [
            (
                round(1000 * frame.pts * frame.time_base) if frame.pts is not None else 0,
                frame.to_ndarray(format="yuv420p"),
            )
            for frame in container.decode(video=0)
        ]


def assert_equal(found: list[tuple[int, np.ndarray]], expected: list[tuple[int, np.ndarray]]) -> None:
    assert [time for time, _ in found] == [time for time, _ in expected]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_variable_frame_rate_with_reordering(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    write_clip(path, durations=SPANS, options=B_PICTURES, audio=True)
    source, found = read(path)
    assert_equal(found, ffmpeg(path))
    assert (source.pictures, source.concealed, source.warnings) == (12, 0, [])


def test_an_elementary_stream_has_the_nominal_rate(tmp_path: Path) -> None:
    path = tmp_path / "clip.264"
    write_clip(path, format="h264", count=6, options=B_PICTURES)
    _, found = read(path)
    assert [time for time, _ in found] == [0, 40, 80, 120, 160, 200]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, ffmpeg(path), strict=True))


def test_pictures_that_an_edit_list_hides_are_decoded_and_not_shown(tmp_path: Path) -> None:
    """The second half, from a picture that is no key picture: its references come before the cut."""
    write_clip(tmp_path / "in.mp4", count=12, options={**B_PICTURES, "g": "12"})
    with av.open(str(tmp_path / "in.mp4")) as source, av.open(str(tmp_path / "cut.mp4"), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size:
                # times before 0 become an edit list
                packet.pts, packet.dts = (t - round(5 / 25 / stream.time_base) for t in (packet.pts, packet.dts))
                packet.stream = copy
                out.mux(packet)
    expected = ffmpeg(tmp_path / "cut.mp4")
    assert len(expected) < 12, "FFmpeg shows them all: the clip tests nothing"
    _, found = read(tmp_path / "cut.mp4")
    assert_equal(found, expected)


@pytest.mark.parametrize("lost", [(5,), (5, 6), (9,)])
def test_a_lost_picture_is_the_last_good_one_again(tmp_path: Path, lost: tuple[int, ...]) -> None:
    """Packets without a slice in them: as many pictures, at their times, and the warning counts them."""
    times = write_clip(tmp_path / "in.mkv", durations=SPANS, options={"bf": "0"})
    damage(tmp_path / "in.mkv", tmp_path / "bad.mkv", lost)
    source, found = read(tmp_path / "bad.mkv")
    assert [time for time, _ in found] == times
    for number in lost:
        assert np.array_equal(found[number][1], found[number - 1][1])
    assert source.concealed >= len(lost)
    assert any(f"{len(lost)} lost picture(s)" in line for line in source.warnings)


def test_losses_with_reordered_pictures_keep_the_order(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mkv", durations=SPANS, options={**B_PICTURES, "g": "12"})
    damage(tmp_path / "in.mkv", tmp_path / "bad.mkv", (3, 7))
    _, found = read(tmp_path / "bad.mkv")
    assert len(found) == len(SPANS)
    assert all(a < b for (a, _), (b, _) in pairwise(found))


def test_damage_inside_slices_is_concealed_by_the_chip(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.264", format="h264", width=160, height=96, count=10, options={"bf": "0"})
    data = bytearray((tmp_path / "in.264").read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 40):
        data[at] ^= 0x55
    (tmp_path / "bad.264").write_bytes(data)
    source, found = read(tmp_path / "bad.264")
    assert len(found) == 10
    assert source.concealed >= 1
    assert any("by the chip" in line for line in source.warnings)


def test_frame_limit_also_ends_the_audio(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", count=25, audio=True, options=B_PICTURES)
    with reading(tmp_path / "clip.mp4", limit=10) as (source, reader):
        items = [
            round(1000 * item.pts * item.time_base) if isinstance(item, TimedPicture) else item
            for item in reader.items()
        ]
    assert [item for item in items if isinstance(item, int)] == [40 * n for n in range(10)]
    last = max(item.pts * item.time_base for item in items if isinstance(item, AudioPacket))
    assert 0.35 < last < 0.4  # 10 pictures at 25 a second are 0.4 s; packets are 21 ms
    assert source.pictures == 10


def interlaced_clip(path: Path) -> Path:
    write_clip(path, height=64, count=6, options={"x264-params": "interlaced=1:tff=1"})
    return path


def test_interlaced_pictures_are_woven_on_request_only(tmp_path: Path) -> None:
    """MBAFF with both fields in each frame: FFmpeg's frames without a deinterlacer."""
    path = interlaced_clip(tmp_path / "clip.mkv")
    source, found = read(path, weave=True)
    assert_equal(found, ffmpeg(path))
    assert source.warnings == [WOVEN_NOTE]
    with pytest.raises(UnsupportedInput, match="interlaced"):
        read(path)


def test_a_new_size_keeps_its_own_and_is_told(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.264", format="h264", width=64, count=3)
    write_clip(tmp_path / "b.264", format="h264", width=96, count=3)
    both = tmp_path / "both.264"
    both.write_bytes((tmp_path / "a.264").read_bytes() + (tmp_path / "b.264").read_bytes())
    source, found = read(both)
    expected = ffmpeg(tmp_path / "a.264") + ffmpeg(tmp_path / "b.264")
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))
    assert [line for line in source.warnings if "changes to 96x48" in line]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pix_fmt": "yuv420p10le"}, "10-bit"),
        ({"codec": "mpeg4"}, "the input is mpeg4"),
        ({"pix_fmt": "yuv444p"}, "4:4:4"),
    ],
)  # fmt: skip
def test_refusals_are_known_before_anything_is_read(tmp_path: Path, options: dict[str, str], words: str) -> None:
    write_clip(tmp_path / "clip.mkv", count=3, **options)  # type: ignore[arg-type]
    with Source(str(tmp_path / "clip.mkv")) as source:
        assert words in (source.chip_refusal() or "")
        assert len(list(source.pictures_only())) == 3
