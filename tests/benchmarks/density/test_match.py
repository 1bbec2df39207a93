"""The CPU preset that compresses as the chip does: by hand, and never silently at unequal compression."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.density.clips import CannotJudge
from benchmarks.density.curves import Point, difference, match


def test_between_two_presets_log_speed_is_linear_in_bd_rate() -> None:
    """+20 % at 100 Mpix/s, -10 % at 50: zero is 2/3 of the way, 100^(1/3) * 50^(2/3) = 62.996."""
    found = match({"fast": 20.0, "slow": -10.0}, {"fast": 100.0, "slow": 50.0})
    assert (found.kind, found.lower, found.upper) == ("between", "fast", "slow")
    assert found.at == pytest.approx(2 / 3)
    assert found.mpix_per_s == pytest.approx(100 ** (1 / 3) * 50 ** (2 / 3))
    assert found.bd_percent == 0


def test_no_preset_as_good_says_by_how_much() -> None:
    found = match({"fast": 20.0, "slow": 5.0}, {"fast": 100.0, "slow": 50.0})
    assert (found.kind, found.lower, found.mpix_per_s, found.bd_percent) == ("none as good", "slow", 50.0, 5.0)
    assert "needs +5.0 % bits" in found.words


def test_all_presets_better_says_by_how_much() -> None:
    found = match({"fast": -3.0, "slow": -9.0}, {"fast": 100.0, "slow": 50.0})
    assert (found.kind, found.lower, found.mpix_per_s, found.bd_percent) == ("all better", "fast", 100.0, -3.0)
    assert "even fast needs 3.0 % fewer bits" in found.words


def test_a_preset_that_a_faster_one_beats_in_bits_does_not_count() -> None:
    """`odd` is slower than `fast` and needs more bits: the neighbours of zero are `fast` and `slow`."""
    found = match({"fast": 10.0, "odd": 14.0, "slow": -10.0}, {"fast": 90.0, "odd": 60.0, "slow": 40.0})
    assert (found.lower, found.upper) == ("fast", "slow")
    assert found.mpix_per_s == pytest.approx(math.sqrt(90.0 * 40.0))


@given(
    st.lists(st.tuples(st.floats(-60, 200), st.floats(0.1, 500)), min_size=1, max_size=8),
)
def test_the_speed_lies_within_the_presets(rows: list[tuple[float, float]]) -> None:
    names = [str(index) for index in range(len(rows))]
    speeds = {name: speed for name, (_, speed) in zip(names, rows, strict=True)}
    found = match({name: bits for name, (bits, _) in zip(names, rows, strict=True)}, speeds)
    low, high = sorted((speeds[found.lower], speeds[found.upper]))
    assert low * (1 - 1e-12) <= found.mpix_per_s <= high * (1 + 1e-12)
    assert (found.kind == "between") == (found.bd_percent == 0) or found.kind == "all better"


def _curve(scale: float, shift: float = 0.0) -> list[Point]:
    return [
        Point(qp, scale * rate, 30 + index + shift, 0.9)
        for index, (qp, rate) in enumerate([(37, 100.0), (32, 200.0), (27, 400.0)])
    ]


def test_curves_that_do_not_overlap_give_no_number() -> None:
    with pytest.raises(CannotJudge, match="share no quality range"):
        difference(_curve(1), _curve(1, shift=50), "psnr", "pchip")


def test_a_metric_that_was_not_measured_gives_no_number() -> None:
    with pytest.raises(CannotJudge, match="VMAF was not measured"):
        difference(_curve(1), _curve(1), "vmaf", "pchip")


def test_a_tenth_more_bits_is_ten_percent() -> None:
    assert difference(_curve(1), _curve(1.1), "psnr", "akima") == pytest.approx(10)
