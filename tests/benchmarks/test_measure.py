"""The benchmarks' yardsticks: bytes of slices, quality of decoded frames, the peer's stream."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmarks import made_clips, measure
from benchmarks.measure import Clip


def made_clip(frames: int = 4) -> Clip:
    """A drifting texture, 64x48."""
    y, x = np.mgrid[0:48, 0:64]
    pictures = []
    for index in range(frames):
        luma = (128 + 60 * np.sin((x + 2 * index) / 5) * np.cos(y / 7)).astype(np.uint8)
        pictures.append(np.concatenate([luma, np.full((24, 64), 128, np.uint8)]))
    return Clip("made", 64, 48, Fraction(25), pictures)


def test_slice_bytes_leave_parameter_sets_and_comments_out() -> None:
    """SPS, PPS and SEI do not count; an IDR slice of 5 bytes and a slice of 3 do, with 4 bytes of start code each."""
    stream = b"\0\0\0\1\x67aa\0\0\0\1\x68b\0\0\1\x06comment\0\0\1\x65\x88\x80\x01\x02\0\0\0\1\x41\x9a\x03"
    assert [unit[0] & 31 for unit in measure.nal_units(stream)] == [7, 8, 6, 5, 1]
    assert measure.slice_bytes(stream) == (4 + 5) + (4 + 3)


def test_x264_through_the_yardstick() -> None:
    """Lower QP: more bytes, better picture; the decoded frames are as many as went in."""
    clip = made_clip()
    fine, coarse = measure.encode_x264(clip, 15), measure.encode_x264(clip, 40)
    assert fine.slice_bytes > coarse.slice_bytes
    assert len(fine.stream) > fine.slice_bytes  # parameter sets and x264's comment
    better, worse = (measure.compare(clip, measure.decode(e.stream)) for e in (fine, coarse))
    assert better.psnr_luma_db > worse.psnr_luma_db + 5
    assert better.ssim_luma > worse.ssim_luma


def test_equal_frames_count_as_100_db() -> None:
    clip = made_clip(2)
    assert measure.compare(clip, clip.frames) == measure.Quality(100.0, 100.0, 1.0)


def test_psnr_by_hand() -> None:
    """One luma sample in 3072 off by 16: MSE 1/12, 10 log10(255**2 * 12) = 58.92 dB."""
    clip = made_clip(1)
    changed = clip.frames[0].copy()
    changed[3, 5] ^= 16
    assert measure.compare(clip, [changed]).psnr_luma_db == pytest.approx(58.9227, abs=1e-3)


def test_lost_frames_are_an_error() -> None:
    clip = made_clip(2)
    with pytest.raises(SystemExit, match="2 frames in, 1 decoded"):
        measure.compare(clip, clip.frames[:1])


def test_an_unknown_clip_is_named() -> None:
    with pytest.raises(SystemExit, match="no_such_clip"):
        measure.find_clip("no_such_clip")


def test_the_statement_says_where_and_when() -> None:
    said = measure.statement()
    for word in ("processors", "Python", "numba", "commit", "UTC"):
        assert word in said


def test_text_scrolls_by_twelve_samples_and_is_the_same_again() -> None:
    """Pictures 60 to 74 are moved; all that differs between two still ones is the cursor of 11 x 18 samples."""
    clip = made_clips.read("screen", 64, (352, 288))
    assert (clip.width, clip.height, len(clip.frames)) == (352, 288, 64)
    again = made_clips.read("screen", 64, (352, 288))
    assert all(np.array_equal(a, b) for a, b in zip(clip.frames, again.frames, strict=True))
    luma = [frame[:288].astype(int) for frame in clip.frames]
    assert np.count_nonzero(luma[31] - luma[30]) <= 2 * 11 * 18
    moved = luma[61][:276] - luma[60][12:]
    assert np.count_nonzero(moved) <= 2 * 11 * 18 < np.count_nonzero(luma[61] - luma[60])


def test_a_short_clip_is_played_back_and_forth(tmp_path: Path) -> None:
    """Three frames of Y4M, 16, 32 and 48: filled to eight they are 1 2 3 2 1 2 3 2, at the size that is asked for."""
    path = tmp_path / "short.y4m"
    frames = b"".join(b"FRAME\n" + bytes([luma]) * (32 * 16) + bytes([128]) * (32 * 8) for luma in (16, 32, 48))
    path.write_bytes(b"YUV4MPEG2 W32 H16 F25:1 Ip A1:1 C420\n" + frames)
    clip = measure.read_clip(str(path), 8, size=(64, 48), fill=True)
    assert (clip.width, clip.height) == (64, 48)
    assert [int(frame[20, 20]) for frame in clip.frames] == [16, 32, 48, 32, 16, 32, 48, 32]
    assert len(measure.read_clip(str(path), 8).frames) == 3


def test_mixtures_by_hand() -> None:
    """A quarter of the way from 16 to 235 is 70.75; all of it is 235."""
    black, white = (made_clips.flat((16, 16), luma) for luma in (16, 235))
    assert made_clips.mixed(black, white, 0.25)[0, 0] == 71
    assert made_clips.mixed(black, white, 1.0)[0, 0] == 235
