"""Error bars go through the minimum of the resources, and of the stages inside a core."""

import pytest

from asic_model import error_bars
from asic_model.config import load_chip, with_changes
from asic_model.rtl_checks import RTL_CHECKS

VCU = load_chip("vcu")


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entropy's RTL takes up to 10 % more cycles than the model, deblocking's is exact, the others have no RTL."""
    known = {"entropy": (-0.1, 0.0), "deblock": (0.0, 0.0)}
    for stage, check in list(RTL_CHECKS.items()):
        if stage in known:
            monkeypatch.setitem(RTL_CHECKS, stage, check._replace(total_error=known[stage]))
        else:
            monkeypatch.delitem(RTL_CHECKS, stage)


def test_the_slowest_stage_decides() -> None:
    """Entropy takes 300 cycles, RTL 300 / 0.9: 10 % fewer pictures. The others are too fast to matter."""
    term = error_bars.of_cores(VCU, "encode", {"mode_decision": 100.0, "entropy": 300.0, "deblock": 200.0})
    assert (term.low, term.high) == (pytest.approx(-0.1), 0.0)
    assert "entropy: RTL bench entropy" in term.why


def test_an_uncertain_stage_behind_the_slowest_counts_as_far_as_it_could_overtake() -> None:
    """Deblocking, exact, 300 cycles. Mode decision, 290 cycles, could be 290 / 0.85 = 341: 300 / 341 - 1 = -12 %."""
    term = error_bars.of_cores(VCU, "encode", {"mode_decision": 290.0, "deblock": 300.0})
    assert term.low == pytest.approx(300 * 0.85 / 290 - 1)
    assert term.high == 0.0  # deblocking stays, however fast mode decision is
    assert "mode_decision: no RTL" in term.why


def test_a_decode_core_is_not_what_the_benches_ran() -> None:
    assert error_bars.of_stage(VCU, "decode", "deblock").low == -error_bars.UNCHECKED
    assert error_bars.of_stage(VCU, "encode", "deblock").low == 0


def test_a_foreign_blocks_table_is_its_own_rtl() -> None:
    table = {"encode.core.timing": {"mode_decision": {"block": "theirs", "constant": 100.0}}}
    assert error_bars.of_stage(with_changes(VCU, table), "encode", "mode_decision")[1:3] == (0.0, 0.0)


def test_the_smallest_limit_decides_and_hard_limits_have_no_error() -> None:
    """Sessions bind at 40; encode cores carry 44, perhaps 15 % less: 37.4 of 40. More than 40 never."""
    cycles = {"encode": {"mode_decision": 300.0}}
    bar = error_bars.of_limits(VCU, {"sessions": 40.0, "encode": 44.0, "link up": 1000.0}, cycles)
    assert bar.low == pytest.approx(44 * 0.85 / 40 - 1)
    assert bar.high == 0.0
    assert [term.name for term in bar.terms] == ["encode", "sessions", "link up"]
    assert error_bars.of_limits(VCU, {"sessions": 40.0, "encode": 400.0}, cycles)[:2] == (0.0, 0.0)


def test_what_the_work_asks_for_adds_in_squares() -> None:
    """15 % and 8 % that have nothing to do with each other: 17 %. A limit that is a figure stays one."""
    demand = error_bars.demand_of([{"encode": (-0.08, 0.02)}, {"encode": (-0.01, 0.08), "decode": (0.0, 0.0)}])
    bar = error_bars.of_limits(VCU, {"encode": 40.0, "sessions": 60.0}, {"encode": {"x": 9.0}}, demand=demand)
    assert bar[:2] == (pytest.approx(-0.17), pytest.approx(0.17))
    assert "synthetic pictures" in bar.terms[0].why
    assert bar.terms[1].low == 0.0
