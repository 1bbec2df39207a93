"""vbench's scores by hand."""

import pytest

from benchmarks.density.vbench import Transcode, ratios, scores

REFERENCE = Transcode(mpix_per_s=20, kbit_per_s=1000, psnr_db=40)


def test_faster_at_more_bits() -> None:
    """S = 4, B = 0.8, Q = 1.02: upload 4.08, live (real time 60) 0.816, vod 3.2; popular needs B >= 1."""
    found = scores(ratios(REFERENCE, Transcode(80, 1250, 40.8), real_time=60))
    assert found["upload"] == pytest.approx(4.08)
    assert found["live"] == pytest.approx(0.816)
    assert found["vod"] == pytest.approx(3.2)
    assert found["popular"] is None
    assert found["platform"] is None


def test_better_and_slower() -> None:
    """S = 0.2, B = 1.25, Q = 1.01: popular 1.2625; too slow for live; below S = 0.1 not popular either."""
    found = scores(ratios(REFERENCE, Transcode(4, 800, 40.4), real_time=60))
    assert found["popular"] == pytest.approx(1.25 * 1.01)
    assert found["live"] is None
    assert scores(ratios(REFERENCE, Transcode(1.9, 800, 40.4), 60))["popular"] is None


def test_above_50_db_more_quality_is_not_seen() -> None:
    """52 dB against 51: Q counts as 1, for every scenario; at 50 dB it does not."""
    high = Transcode(20, 1000, 52)
    found = scores(ratios(high, Transcode(40, 800, 51), 1))
    assert found == {"upload": 2, "live": 1.25, "vod": 2.5, "popular": 1.25, "platform": 2}
    assert scores(ratios(high, Transcode(40, 800, 50), 1))["vod"] is None
    assert scores(ratios(REFERENCE, Transcode(40, 1000, 39), 1))["vod"] is None


def test_the_same_stream_faster_is_a_better_platform() -> None:
    assert scores(ratios(REFERENCE, Transcode(30, 1000, 40), 1))["platform"] == pytest.approx(1.5)
    assert scores(ratios(REFERENCE, Transcode(30, 1004, 40), 1))["platform"] == pytest.approx(1.5)
    assert scores(ratios(REFERENCE, Transcode(30, 1006, 40), 1))["platform"] is None  # B = 0.9940


def test_upload_refuses_more_than_five_times_the_bits() -> None:
    assert scores(ratios(REFERENCE, Transcode(80, 5000, 40), 1))["upload"] == pytest.approx(4)
    assert scores(ratios(REFERENCE, Transcode(80, 5001, 40), 1))["upload"] is None
