"""The benchmarks' yardsticks: bytes of slices, quality of decoded frames, the peer's stream."""

from fractions import Fraction

import numpy as np
import pytest

from benchmarks import measure
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
