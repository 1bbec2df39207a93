"""Reading media: every picture once, at its time, in the one format that the chip takes; damage never ends the job."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driver.errors import BadMedia, TasicError, UnsupportedInput
from driver.media.picture import Picture
from driver.media.source import AudioGate, AudioPacket, Source
from tests.driver.clips import damage, samples, write_clip


def pictures(path: Path, **options: object) -> tuple[Source, list[Picture]]:
    with Source(str(path), **options) as source:  # type: ignore[arg-type]
        return source, list(source.pictures_only())


def milliseconds(found: list[Picture]) -> list[int]:
    return [round(1000 * p.pts * p.time_base) for p in found]


def test_variable_frame_rate_keeps_every_time(tmp_path: Path) -> None:
    times = write_clip(tmp_path / "vfr.mkv", durations=[20, 40, 100, 20, 33, 47, 20, 40, 100, 20, 33, 47])
    _, found = pictures(tmp_path / "vfr.mkv")
    assert milliseconds(found) == times


def test_samples_are_those_of_the_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "raw.y4m", codec="wrapped_avframe", count=3)
    _, found = pictures(tmp_path / "raw.y4m")
    assert len(found) == 3
    for index, picture in enumerate(found):
        expected = samples(index, 64, 48)
        assert np.array_equal(picture.y, expected[:48])
        assert picture.cb.shape == picture.cr.shape == (24, 32)
        assert np.array_equal(np.stack([picture.cb, picture.cr]).ravel(), expected[48:].ravel())


def test_odd_size_repeats_the_last_column_and_row(tmp_path: Path) -> None:
    write_clip(tmp_path / "odd.y4m", width=63, height=47, codec="wrapped_avframe", count=1)
    source, found = pictures(tmp_path / "odd.y4m")
    assert (source.source_width, source.source_height) == (63, 47)
    assert (source.width, source.height) == (64, 48)
    assert np.array_equal(found[0].y[:, 63], found[0].y[:, 62])
    assert np.array_equal(found[0].y[47], found[0].y[46])
    assert found[0].cb.shape == (24, 32)
    assert any("odd size 63x47" in line for line in source.warnings)


@pytest.mark.parametrize(("pix_fmt", "word"), [("yuv420p10le", "10-bit"), ("yuv422p", "4:2:0"), ("yuv444p", "4:2:0")])
def test_other_formats_are_converted_with_a_warning(tmp_path: Path, pix_fmt: str, word: str) -> None:
    write_clip(tmp_path / "clip.mkv", pix_fmt=pix_fmt, count=2)
    source, found = pictures(tmp_path / "clip.mkv")
    assert any(word in line for line in source.warnings), source.warnings
    # QP 10 and two conversions stay within a few steps of the samples that went in
    error = np.abs(found[1].y.astype(int) - samples(1, 64, 48)[:48].astype(int))
    assert np.median(error) <= 2
    assert found[0].cb.shape == (24, 32)


def test_interlaced_input_is_deinterlaced_with_a_warning(tmp_path: Path) -> None:
    options = {"x264-params": "interlaced=1:tff=1"}
    times = write_clip(tmp_path / "field.mkv", options=options, height=64, count=10)
    source, found = pictures(tmp_path / "field.mkv")
    assert any("deinterlaced" in line for line in source.warnings)
    assert milliseconds(found) == times


def test_rotation_aspect_and_colour_are_read(tmp_path: Path) -> None:
    write_clip(tmp_path / "c.mp4", rotation=90, aspect=Fraction(4, 3), colour=(1, 1, 1, 2), count=2)
    source, _ = pictures(tmp_path / "c.mp4")
    assert source.rotation == 90
    assert source.display_matrix is not None
    assert source.sample_aspect_ratio == Fraction(4, 3)
    assert (source.color_primaries, source.color_trc, source.colorspace) == (1, 1, 1)
    assert source.full_range


def test_full_range_samples_are_not_squeezed(tmp_path: Path) -> None:
    write_clip(tmp_path / "j.mkv", pix_fmt="yuvj420p", count=1, options={"qp": "0"})
    source, found = pictures(tmp_path / "j.mkv")
    assert source.full_range
    assert int(found[0].y.max()) > 240


@pytest.mark.parametrize("lost", [(5,), (4, 5, 6), (11,)])
def test_a_lost_picture_is_the_last_good_one_again(tmp_path: Path, lost: tuple[int, ...]) -> None:
    options = {"bf": "0", "g": "1"}
    times = write_clip(tmp_path / "good.mkv", options=options)
    damage(tmp_path / "good.mkv", tmp_path / "bad.mkv", lost)
    _, good = pictures(tmp_path / "good.mkv")
    source, found = pictures(tmp_path / "bad.mkv")
    assert milliseconds(found) == times
    assert source.concealed == len(lost)
    assert any("damaged" in line for line in source.warnings)
    for index, picture in enumerate(found):
        origin = index if index not in lost else lost[0] - 1
        assert np.array_equal(picture.y, good[origin].y), index


def test_losses_with_reordered_pictures_keep_the_order(tmp_path: Path) -> None:
    times = write_clip(tmp_path / "b.mkv", options={"bf": "3", "b-adapt": "0"}, count=20)
    damage(tmp_path / "b.mkv", tmp_path / "bad.mkv", (6, 7))
    source, found = pictures(tmp_path / "bad.mkv")
    assert milliseconds(found) == times
    assert source.concealed >= 2


def test_frame_limit_also_ends_the_audio(tmp_path: Path) -> None:
    write_clip(tmp_path / "av.mp4", audio=True, count=25)
    with Source(str(tmp_path / "av.mp4"), limit=10) as source:
        items = list(source.items())
    sound = [item for item in items if isinstance(item, AudioPacket)]
    assert sum(isinstance(item, Picture) for item in items) == 10
    end = max((p.pts or 0) * p.time_base for p in sound)
    assert Fraction(35, 100) < end < Fraction(2, 5)  # 10 pictures at 25 a second are 0.4 s; packets are 21 ms


class Sound(NamedTuple):
    pts: int
    time_base: Fraction = Fraction(1, 1000)
    stream: int = 0


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 50), max_size=25), st.lists(st.booleans(), max_size=60), st.integers(1, 30))
def test_audio_of_a_limited_job_does_not_depend_on_the_interleaving(
    spans: list[int], turns: list[bool], limit: int
) -> None:
    """20 pictures of 40 ms and audio packets, merged anyhow: what begins before the end of the last wanted picture
    passes, in order; where the input ends first, all of it passes."""
    sounds = [Sound(sum(spans[:index])) for index in range(len(spans))]
    waiting, shown, passed = list(sounds), 0, []
    gate = AudioGate(1, limit)
    for turn in [*turns, *[True] * 20, *[False] * len(spans)]:
        if turn and shown < min(limit, 20):
            shown += 1
            passed += gate.picture(Fraction(40 * shown, 1000))  # type: ignore[arg-type]
        elif not turn and waiting:
            passed += gate.audio(waiting.pop(0))  # type: ignore[arg-type]
    passed += gate.rest()  # type: ignore[arg-type]
    assert passed == (sounds if limit > 20 else [sound for sound in sounds if sound.pts < 40 * limit])


def test_deinterlaced_pictures_last_one_frame(tmp_path: Path) -> None:
    """bwdif counts in units of half a frame; each picture of 25 a second lasts 40 ms, the last one too."""
    write_clip(tmp_path / "in.mkv", count=6, options={"x264-params": "interlaced=1:tff=1"})
    _, found = pictures(tmp_path / "in.mkv")
    assert [p.duration * p.time_base for p in found] == [Fraction(1, 25)] * 6


def test_size_change_is_scaled_to_the_first_size(tmp_path: Path) -> None:
    for name, width in (("a", 64), ("b", 96)):
        write_clip(tmp_path / f"{name}.264", width=width, count=4, options={"bf": "0"})
    (tmp_path / "ab.264").write_bytes((tmp_path / "a.264").read_bytes() + (tmp_path / "b.264").read_bytes())
    source, found = pictures(tmp_path / "ab.264")
    assert len(found) == 8
    assert {(p.width, p.height) for p in found} == {(64, 48)}
    assert any("size changes to 96x48" in line for line in source.warnings)
    assert all(b.pts > a.pts for a, b in pairwise(found))


def test_raw_planar_input(tmp_path: Path) -> None:
    data = np.stack([samples(i, 64, 48) for i in range(3)])
    (tmp_path / "clip.yuv").write_bytes(data.tobytes())
    _, found = pictures(tmp_path / "clip.yuv", raw_size=(64, 48), rate=Fraction(30))
    assert len(found) == 3
    assert np.array_equal(found[2].y, data[2, :48])
    assert [p.pts * p.time_base for p in found] == [0, Fraction(1, 30), Fraction(2, 30)]


def truncated_mp4(path: Path) -> None:
    write_clip(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # the index (moov) stands at the end


def audio_only(path: Path) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda path: None, BadMedia, "no such file"),
        (lambda path: path.mkdir(), BadMedia, "folder"),
        (lambda path: path.write_bytes(b""), BadMedia, "empty"),
        (lambda path: path.write_bytes(bytes(range(256)) * 40), BadMedia, "not a media file"),
        (truncated_mp4, BadMedia, "not a media file|damaged"),
        (audio_only, BadMedia, "no video stream"),
        (lambda path: write_clip(path, width=8, height=8, codec="mpeg4"), UnsupportedInput, "smaller than 16x16"),
    ],
)
def test_bad_input_is_one_line_that_names_the_file(tmp_path: Path, make, kind, words) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "in.mp4"
    make(path)
    with pytest.raises(kind, match=words) as caught:
        Source(str(path))
    assert "in.mp4" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, TasicError)


def test_all_pictures_undecodable_is_an_error(tmp_path: Path) -> None:
    write_clip(tmp_path / "good.mkv", options={"bf": "0"})
    damage(tmp_path / "good.mkv", tmp_path / "bad.mkv", tuple(range(12)))
    with pytest.raises(BadMedia, match="not one picture"):
        Source(str(tmp_path / "bad.mkv"))


def test_a_file_cut_in_the_middle_gives_what_is_there(tmp_path: Path) -> None:
    write_clip(tmp_path / "good.ts", options={"bf": "0"}, count=30)
    whole = (tmp_path / "good.ts").read_bytes()
    (tmp_path / "cut.ts").write_bytes(whole[: len(whole) // 2])
    _, found = pictures(tmp_path / "cut.ts")
    assert 5 < len(found) < 30


def test_an_elementary_stream_has_the_rate_of_its_vui(tmp_path: Path) -> None:
    """Raw H.264 carries no times; FFmpeg's demuxer would count 25 pictures a second."""
    write_clip(tmp_path / "raw.264", rate=Fraction(50), count=5, format="h264")
    source, found = pictures(tmp_path / "raw.264")
    assert source.frame_rate == 50
    assert milliseconds(found) == [0, 20, 40, 60, 80]


def test_damage_inside_a_slice_is_counted(tmp_path: Path) -> None:
    """Bits flipped in the middle of slices: FFmpeg patches the pictures and reports it in its log alone."""
    path = tmp_path / "damaged.mkv"
    write_clip(path, width=320, height=240, count=20, options={"qp": "20", "g": "5", "bf": "0"})
    intact, _ = pictures(path)
    assert (intact.decode_errors, intact.concealed) == (0, 0)
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 4, len(data) - 2000, len(data) // 12):
        data[place] ^= 0xFF
    path.write_bytes(data)
    source, found = pictures(path)
    assert source.decode_errors > 0
    assert source.concealed > 0
    assert any("concealed" in warning for warning in source.warnings)
    assert len(found) >= 18
