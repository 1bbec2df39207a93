"""BD-rate: closed forms, values of an independent implementation, and refusal of curves that have no answer."""

import math

import pytest

from benchmarks.bd_rate import akima_slopes, bd_rate, integral, pchip_slopes

ANCHOR = [(1000.0, 40.0), (500.0, 37.0), (250.0, 34.0), (125.0, 31.0)]
METHODS = ("pchip", "akima")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.2, 3.0])
def test_a_constant_factor_in_rate_is_the_answer(method: str, factor: float) -> None:
    test = [(rate * factor, quality) for rate, quality in ANCHOR]
    assert bd_rate(ANCHOR, test, method) == pytest.approx((factor - 1) * 100, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_straight_lines_in_log_rate(method: str) -> None:
    """Anchor: one octave every 3 dB. Test: 1 dB better at each of its rates, so 2**(-1/3) of the bits: -20.63 %."""
    test = [(rate, quality + 1) for rate, quality in ANCHOR]
    assert bd_rate(ANCHOR, test, method) == pytest.approx((2 ** (-1 / 3) - 1) * 100, abs=1e-9)


def test_only_the_shared_range_counts() -> None:
    """log2(rate / 125) is (q - 31) / 3 against (q - 33) / 2; over 33..40 that differs by (36.5 - 37) / 6 = -1/12."""
    test = [(125 * 2 ** ((q - 33) / 2), q) for q in (33.0, 36.0, 39.0, 42.0)]
    assert bd_rate(ANCHOR, test) == pytest.approx((2 ** (-1 / 12) - 1) * 100, abs=1e-9)


@pytest.mark.parametrize(("method", "expected"), [("pchip", 31.37987820239754), ("akima", 31.383988984341094)])
def test_a_published_pair_of_curves(method: str, expected: float) -> None:
    """The example pair that circulates with Bjontegaard scripts; expected: SciPy 1.17's PchipInterpolator and
    Akima1DInterpolator, integrated over 31.42..40.28 dB."""
    anchor = [(686.76, 40.28), (309.58, 37.18), (157.11, 34.24), (85.95, 31.42)]
    test = [(893.34, 40.39), (407.8, 37.21), (204.93, 34.17), (112.75, 31.24)]
    assert bd_rate(anchor, test, method) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("method", "expected"), [("pchip", -4.417485350589045), ("akima", -4.425245156997493)])
def test_a_second_published_pair(method: str, expected: float) -> None:
    """The test values of the reference package bjontegaard; expected: its own answer, version 1.3.0."""
    anchor = [(9487.76, 40.037), (4593.60, 38.615), (2486.44, 36.845), (1358.24, 34.851)]
    test = [(9787.80, 40.121), (4469.00, 38.651), (2451.52, 36.970), (1356.24, 34.987)]
    assert bd_rate(anchor, test, method) == pytest.approx(expected, abs=1e-9)


def test_reversing_the_roles_inverts_the_ratio() -> None:
    test = [(1100.0, 40.5), (530.0, 37.1), (270.0, 34.4), (120.0, 30.5)]
    forth, back = bd_rate(ANCHOR, test), bd_rate(test, ANCHOR)
    assert (1 + forth / 100) * (1 + back / 100) == pytest.approx(1)


def test_slopes_by_hand() -> None:
    """x = 0, 1, 3; y = 0, 1, 2: secants 1 and 1/2. Middle: weights 2*2+1 = 5 and 2+2*1 = 4, so 9/(5/1 + 4/0.5) = 9/13.
    Ends: ((2+2)*1 - 1*0.5)/3 = 7/6, ((4+1)*0.5 - 2*1)/3 = 1/6."""
    assert pchip_slopes([0, 1, 3], [0, 1, 2]) == pytest.approx([7 / 6, 9 / 13, 1 / 6])
    assert akima_slopes([0, 1, 2, 3], [0, 2, 4, 6]) == pytest.approx([2, 2, 2, 2])


def test_integral_of_a_cubic_is_exact() -> None:
    x = [0.0, 1.0, 2.5]
    area = integral(x, [v**3 for v in x], [3 * v * v for v in x], 0.5, 2.0)
    assert area == pytest.approx((2**4 - 0.5**4) / 4)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (ANCHOR[:2], "at least 3"),
        ([(r, q + 20) for r, q in ANCHOR], "share no quality range"),
        ([(100.0, 30.0), (200.0, 31.0), (300.0, 30.5)], "does not rise"),
        ([(0.0, 30.0), (200.0, 31.0), (300.0, 32.5)], "rate of 0"),
    ],
)
def test_curves_without_an_answer_are_refused(test: list[tuple[float, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bd_rate(ANCHOR, test)
    assert math.isfinite(bd_rate(ANCHOR, ANCHOR))
