"""Published claims: recomputed by hand from the figures as published, and verdicts that follow the figures."""

from dataclasses import replace

import pytest

from benchmarks.density import claims
from benchmarks.density.claims import DOES_NOT, HOLDS, NO_VERDICT, ONLY_IF, Claim, check_all, load_published


def found(name: str, **changes: float) -> Claim:
    figures = load_published()
    for key, value in changes.items():
        figures[key] = replace(figures[key], value=value)
    return next(claim for claim in check_all(figures) if claim.name.startswith(name))


def test_every_figure_says_where_it_is_from() -> None:
    figures = load_published()
    assert {figure.provenance for figure in figures.values()} <= {"found", "recalled", "measured", "derived"}
    assert all(figure.source and figure.unit for figure in figures.values())
    assert all(set(claim.inputs) <= set(figures) for claim in check_all())


@pytest.mark.parametrize(
    ("name", "recomputed"),
    [
        # The CPU server from the other row: 14932 / 20.9 = 714.45 Mpix/s, 5973 / 8.4 = 711.07.
        ("VCU, 8 chips against 2-socket Skylake", 5973 / 714.45),
        ("VCU, 20 chips against 2-socket Skylake", 14932 / 711.07),
        ("the same from the real-time rate, 8 chips", 8 * 4977 / 7.4 / 714.45),
        ("the same from the real-time rate, 20 chips", 20 * 4977 / 7.4 / 711.07),
        ("VCU, 20 chips, VP9", 15306 * 4.64 / 711.07),
        # (8.4 / 4.4 - 1) / 8 = 0.11364 of a host's TCO for a chip
        ("VCU, 20 chips, performance per TCO, H.264", 20.9 / (1 + 20 * 0.1136364)),
        ("VCU, 8 chips, performance per TCO, VP9", 99.4 * 6122 / 15306 / (1 + 8 * 0.1136364)),
        ("VCU, 20 chips, performance per TCO, VP9", 99.4 / (1 + 20 * 0.1136364)),
    ],
)
def test_vcu_figures_come_out_within_15_percent(name: str, recomputed: float) -> None:
    claim = found(name)
    assert claim.recomputed == pytest.approx(recomputed, rel=1e-5)
    assert abs(claim.error) <= 0.15
    assert claim.verdict == HOLDS


def test_the_fitted_figure_is_called_so_is_the_only_one_and_is_given_no_verdict() -> None:
    (claim,) = [claim for claim in check_all() if claim.role == "fitted"]
    assert (claim.name, claim.verdict) == ("VCU, 8 chips, performance per TCO, H.264", NO_VERDICT)


def test_no_verdict_rests_on_a_recalled_figure() -> None:
    figures = load_published()
    assert "recalled" not in {figure.provenance for figure in figures.values()}
    figures["vcu20_h264"] = replace(figures["vcu20_h264"], provenance="recalled")
    for claim in check_all(figures):
        if "vcu20_h264" in claim.inputs:
            assert (claim.verdict, claim.condition) == (NO_VERDICT, "rests on recalled figures: vcu20_h264")
    assert sum(claim.verdict == NO_VERDICT for claim in check_all(figures)) == 4 + 1  # and the fitted one


def test_a_hundred_servers_hold_only_for_slow_software() -> None:
    name = "one server for over a hundred"
    assert found(name).verdict == ONLY_IF
    assert "149 Mpix/s" in found(name).condition  # 14932 / 100
    assert found(name, vcu20_vp9_ratio=30).verdict == DOES_NOT
    assert found(name, vcu20_h264_ratio=120).verdict == HOLDS
    assert found(name, vcu20_h264_ratio=120).condition == ""


def test_95_percent_need_20_times_the_performance_per_tco() -> None:
    claim = found("95 % less cost")
    assert claim.published == pytest.approx(20)
    assert claim.verdict == ONLY_IF
    assert found("95 % less cost", vcu20_vp9_perf_tco=10).verdict == DOES_NOT


def test_netint_servers() -> None:
    """80 x 62.208 Mpix/s = 4976.6; over ten servers of 32 cores 15.55 Mpix/s a core; at 35 a core 4.44 servers."""
    claim = found("10 x T408")
    assert claim.recomputed == pytest.approx(4976.64 / (32 * 35))
    assert "15.6 Mpix/s" in claim.condition


def test_a_figure_that_changes_changes_the_verdict() -> None:
    assert found("VCU, 8 chips against 2-socket Skylake", vcu8_h264=3200).verdict == DOES_NOT
    assert claims.TOLERANCE == 0.15
