"""Where two curves cannot be compared there is no figure, and the mean is of the others."""

from benchmarks.compression import mean_difference, percent, rate_difference


def curve(rates, qualities):
    return [{"kbit_per_s": rate, "psnr_luma_db": quality} for rate, quality in zip(rates, qualities, strict=True)]


RATES = (1000.0, 500.0, 250.0, 125.0)


def test_no_figure_where_a_curve_turns_back():
    straight = curve(RATES, (40.0, 37.0, 34.0, 31.0))
    back = curve(RATES, (40.0, 41.0, 34.0, 31.0))
    assert rate_difference(straight, back, "psnr_luma_db") is None


def test_half_the_rate_is_half_the_rate():
    straight = curve(RATES, (40.0, 37.0, 34.0, 31.0))
    half = curve([rate / 2 for rate in RATES], (40.0, 37.0, 34.0, 31.0))
    found = rate_difference(straight, half, "psnr_luma_db")
    assert found is not None
    assert abs(found + 50) < 1e-6


def test_the_mean_leaves_out_what_is_missing():
    assert mean_difference([2.0, None, 4.0]) == 3.0
    assert mean_difference([None]) is None
    assert (percent(None, 6), percent(1.25, 6), percent(-3.0)) == ("  none", "  +1.2", "-3.0")
