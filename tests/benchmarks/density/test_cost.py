"""Servers, power and money: arithmetic by hand, ranges, and assumptions that make no sense."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.density import cost
from benchmarks.density.cost import Assumption, Assumptions, BadAssumption, Speeds

FIXED = {
    "years": 3.0, "electricity_price": 0.1, "pue": 1.5, "utilization": 0.5,
    "cpu_server_price": 10_000.0, "cpu_server_cores": 50.0, "cpu_server_scaling": 0.8, "cpu_server_power": 500.0,
    "cpu_server_idle_share": 0.2, "chip_host_price": 8_000.0, "chip_host_power": 300.0, "chips_per_server": 20.0,
    "chip_price": 600.0, "chip_power": 10.0,
}  # fmt: skip


def fixed(**changes: tuple[float, float, float]) -> Assumptions:
    defaults = cost.load()
    entries = {}
    for name, item in defaults.items():
        value, low, high = changes.get(name, (FIXED[name],) * 3)
        entries[name] = Assumption(value, low, high, item.unit, "test")
    return Assumptions(**entries)


def test_by_hand() -> None:
    """CPU: 50 x 0.8 x 25 = 1000 Mpix/s; 500 W x (0.5 + 0.5 x 0.2) = 300 W; 26,298 h x 0.3 kW x 1.5 x 0.1 = 1183.41 USD.
    Chip: 20 x 500 = 10,000 Mpix/s; (300 + 200) W x 0.6 = 300 W; the same energy. TCO 11,183.41 and 21,183.41 USD."""
    found = cost.evaluate(FIXED, 500.0, 25.0)
    assert found["servers_replaced"] == pytest.approx(10)
    assert found["kilowatts_saved"] == pytest.approx((10 * 300 - 300) * 1.5 / 1000)
    assert found["perf_per_tco"] == pytest.approx(10 * 11_183.41 / 21_183.41)
    assert found["cost_saved"] == pytest.approx(1 - 21_183.41 / 111_834.1)
    assert found["cpu_tco"] == pytest.approx(11_183.41 / 500 * 62.208)
    assert found["chip_tco"] == pytest.approx(21_183.41 / 5_000 * 62.208)


def test_without_ranges_every_percentile_is_the_value() -> None:
    for found in cost.monte_carlo(fixed(), Speeds(500, 25), seed=3, samples=100).values():
        assert found.p5 == pytest.approx(found.value)
        assert found.p95 == pytest.approx(found.value)


def test_percentiles_of_one_range_are_the_triangular_distribution_s() -> None:
    """Chip speed enters linearly, so with only chips_per_server from 8 to 20 (peak 20) the servers replaced follow it:
    F(x) = ((x - 8) / 12)^2, the median is 8 + 12 / sqrt 2 = 16.485 chips."""
    found = cost.monte_carlo(fixed(chips_per_server=(20.0, 8.0, 20.0)), Speeds(500, 25), seed=1)["servers_replaced"]
    assert found.p50 == pytest.approx((8 + 12 / np.sqrt(2)) / 2, rel=0.01)
    assert found.p5 == pytest.approx((8 + 12 * np.sqrt(0.05)) / 2, rel=0.02)
    assert found.p95 == pytest.approx((8 + 12 * np.sqrt(0.95)) / 2, rel=0.01)


def test_the_chip_s_error_bar_reaches_ratios_and_money() -> None:
    """Uniform from 500 x 0.8 to 500 x 1.1 Mpix/s: 20 chips over 1000 Mpix/s, 8 to 11 servers, 5 % at 8.15, 95 % 10.85;
    the cost saved is 1 - 21,183.41 / (servers x 11,183.41)."""
    speeds = Speeds(500, 25, chip_low=-0.2, chip_high=0.1)
    found = cost.monte_carlo(fixed(), speeds, seed=1)
    assert found["servers_replaced"].value == pytest.approx(10)
    assert found["servers_replaced"].p5 == pytest.approx(8.15, rel=0.005)
    assert found["servers_replaced"].p95 == pytest.approx(10.85, rel=0.005)
    assert found["cost_saved"].p5 == pytest.approx(1 - 21_183.41 / (8.15 * 11_183.41), abs=0.002)
    assert found["cost_saved"].p95 == pytest.approx(1 - 21_183.41 / (10.85 * 11_183.41), abs=0.002)
    swing = cost.tornado(fixed(), speeds, "servers_replaced")[0]
    assert (swing.name, swing.at_low, swing.at_high) == ("chip_speed", pytest.approx(8), pytest.approx(11))


def test_same_seed_same_figures() -> None:
    assumptions, speeds = cost.load(), Speeds(2000, 30, -0.1, 0.1, 0.05)
    assert cost.monte_carlo(assumptions, speeds, 7) == cost.monte_carlo(assumptions, speeds, 7)
    assert cost.monte_carlo(assumptions, speeds, 7) != cost.monte_carlo(assumptions, speeds, 8)


def test_tornado_moves_one_assumption_at_a_time_widest_first() -> None:
    rows = cost.tornado(fixed(chip_price=(600.0, 300.0, 900.0), pue=(1.5, 1.4, 1.6)), Speeds(500, 25), "cost_saved")
    assert [row.name for row in rows[:2]] == ["chip_price", "pue"]
    assert rows[0].at_low == pytest.approx(1 - 15_183.41 / 111_834.1)  # 20 x 300 USD less than by hand above
    assert rows[0].at_high == pytest.approx(1 - 27_183.41 / 111_834.1)
    assert all(row.width == 0 for row in rows[2:])
    assert [row.width for row in rows] == sorted((row.width for row in rows), reverse=True)


@pytest.mark.parametrize("name", ["chip_price", "core_speed", "chip_speed", "electricity_price"])
def test_break_even_is_where_the_target_is_met(name: str) -> None:
    speeds, target = Speeds(500, 25), 0.85
    found = cost.break_even(fixed(), speeds, name, "cost_saved", target)
    assert found is not None
    values, chip, core = dict(FIXED), speeds.chip_mpix_per_s, speeds.core_mpix_per_s
    if name == "core_speed":
        core = found
    elif name == "chip_speed":
        chip = found
    else:
        values[name] = found
    assert cost.evaluate(values, chip, core)["cost_saved"] == pytest.approx(target, abs=1e-6)


def test_break_even_that_no_value_reaches() -> None:
    """Even free chips leave the host's price: 9183.41 + ... of 111,834 USD is above 5 %."""
    assert cost.break_even(fixed(), Speeds(500, 25), "chip_price", "cost_saved", 0.95) is None


def test_defaults_have_ranges_and_sources() -> None:
    for name, item in cost.load().items():
        assert item.low <= item.value <= item.high, name
        assert item.source, name
        assert item.unit, name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chip_prise: 5", "chip_prise: no such assumption, did you mean chip_price?"),
        ("chip_price: -5", "chip_price.value: -5 USD, allowed are 0 to 1e+07"),
        ("chip_price: {value: 5, low: 9, high: 3}", "must be in this order"),
        ("chip_price: {value: 5, low: 1, high: .nan}", "chip_price.high: nan is no number"),
        ("chip_price: {value: 5, unit: EUR}", "chip_price.unit: 'EUR', must be 'USD'"),
        ("chip_price: {value: 5, hi: 7}", "chip_price.hi: unknown"),
        ("chip_price: cheap", "chip_price: 'cheap' is neither a number"),
        ("chip_price: true", "chip_price: True is neither a number"),
        ("pue: 0.5", "pue.value: 0.5 ratio, allowed are 1 to 5"),
        ("utilization: 1.5", "utilization.value: 1.5 ratio, allowed are 0.01 to 1"),
        ("- 1", "a mapping of assumptions is expected"),
        ("a: [", "no YAML"),
    ],
)
def test_nonsense_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(BadAssumption) as caught:
        cost.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_replaces_only_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("chip_price: {value: 700, low: 600, high: 800}\n")
    mine, defaults = cost.load(path), cost.load()
    assert (mine.chip_price.value, mine.chip_price.low, mine.chip_price.high) == (700, 600, 800)
    assert mine.pue == defaults.pue
