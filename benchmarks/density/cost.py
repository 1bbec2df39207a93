"""Servers, power and money: from speeds and assumptions to what a chip server replaces, with ranges.

Total cost of ownership is price plus energy over the years; energy is power at load for the utilized share of time and
idle power for the rest, times the facility's overhead. Both sides do the same pixels a year.

Every assumption is a triangular distribution (low, value, high); a seeded Monte Carlo run gives percentiles, and moving
one assumption at a time through its range says which of them matters.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

DEFAULTS = Path(__file__).with_name("assumptions.yaml")
HOURS_A_YEAR = 8766.0
SAMPLES = 20_000


class BadAssumption(ValueError):
    """An assumption that makes no sense; names file, entry, value and what is allowed."""


@dataclass(frozen=True)
class Assumption:
    """A quantity with its range, unit and where it comes from."""

    value: float
    low: float
    high: float
    unit: str
    source: str


# What a value may be at all, by unit: (least, most). Prices of nothing and free power make every claim true.
_ALLOWED = {
    "year": (0.5, 20.0),
    "USD/kWh": (0.0, 5.0),
    "USD": (0.0, 1e7),
    "W": (0.1, 1e5),
    "core": (1.0, 4096.0),
    "chip": (1.0, 1024.0),
}
_RATIOS = {"pue": (1.0, 5.0), "utilization": (0.01, 1.0), "cpu_server_scaling": (0.05, 2.0)}
_RATIO = (0.0, 1.0)


@dataclass(frozen=True)
class Assumptions:
    """All of them, by name; see assumptions.yaml."""

    years: Assumption
    electricity_price: Assumption
    pue: Assumption
    utilization: Assumption
    cpu_server_price: Assumption
    cpu_server_cores: Assumption
    cpu_server_scaling: Assumption
    cpu_server_power: Assumption
    cpu_server_idle_share: Assumption
    chip_host_price: Assumption
    chip_host_power: Assumption
    chips_per_server: Assumption
    chip_price: Assumption
    chip_power: Assumption

    def items(self) -> list[tuple[str, Assumption]]:
        return [(item.name, getattr(self, item.name)) for item in fields(self)]

    def values(self) -> dict[str, float]:
        return {name: item.value for name, item in self.items()}


def load(path: Path | None = None) -> Assumptions:
    """Read the defaults, and the entries that the file at `path` replaces. Raises BadAssumption."""
    defaults = _read(DEFAULTS)
    entries = {name: _entry(DEFAULTS, name, raw, None) for name, raw in defaults.items()}
    if path is not None:
        for name, raw in _read(path).items():
            if name not in entries:
                near = difflib.get_close_matches(name, entries, 1)
                raise BadAssumption(f"{path}: {name}: no such assumption{f', did you mean {near[0]}?' if near else ''}")
            entries[name] = _entry(path, name, raw, entries[name])
    return Assumptions(**entries)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise BadAssumption(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError:
        raise BadAssumption(f"{path}: no text") from None
    if not isinstance(raw, dict):
        raise BadAssumption(f"{path}: a mapping of assumptions is expected")
    return {str(name): value for name, value in raw.items()}


def _entry(path: Path, name: str, raw: Any, default: Assumption | None) -> Assumption:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        raw = {"value": raw, "low": raw, "high": raw}
    if not isinstance(raw, dict):
        raise BadAssumption(f"{path}: {name}: {raw!r} is neither a number nor value, low and high")
    unknown = set(raw) - {"value", "low", "high", "unit", "source"}
    if unknown:
        field = sorted(map(str, unknown))[0]
        raise BadAssumption(f"{path}: {name}.{field}: unknown; value, low, high, unit and source are known")
    numbers: dict[str, float] = {}
    for field in ("value", "low", "high"):
        number = raw.get(field, raw.get("value"))
        if not isinstance(number, int | float) or isinstance(number, bool) or not np.isfinite(number):
            raise BadAssumption(f"{path}: {name}.{field}: {number!r} is no number")
        numbers[field] = float(number)
    unit = str(raw.get("unit", default.unit if default else ""))
    if default is not None and unit != default.unit:
        raise BadAssumption(f"{path}: {name}.unit: {unit!r}, must be {default.unit!r}")
    least, most = _ALLOWED[unit] if unit in _ALLOWED else _RATIOS.get(name, _RATIO)
    for field, number in numbers.items():
        if not least <= number <= most:
            raise BadAssumption(f"{path}: {name}.{field}: {number:g} {unit}, allowed are {least:g} to {most:g}")
    if not numbers["low"] <= numbers["value"] <= numbers["high"]:
        raise BadAssumption(
            f"{path}: {name}: low {numbers['low']:g}, value {numbers['value']:g}, high {numbers['high']:g} "
            "must be in this order"
        )
    return Assumption(**numbers, unit=unit, source=str(raw.get("source", "given on the command line")))


@dataclass(frozen=True)
class Speeds:
    """Output Mpix a second: of one chip, of one CPU core. Relative errors: the chip's from `chip_low` (below 0) to
    `chip_high`, the core's `core_error` to either side."""

    chip_mpix_per_s: float
    core_mpix_per_s: float
    chip_low: float = 0.0
    chip_high: float = 0.0
    core_error: float = 0.0


# What is computed, with its unit.
RESULTS = {
    "servers_replaced": "CPU servers a chip server",
    "kilowatts_saved": "kW a chip server",
    "cost_saved": "share of the CPU side's TCO",
    "perf_per_tco": "times the CPU side's",
    "chip_tco": "USD a real-time 1080p30 stream",
    "cpu_tco": "USD a real-time 1080p30 stream",
}
_STREAM_MPIX = 1920 * 1080 * 30 / 1e6


def evaluate(a: Mapping[str, Any], chip_mpix: Any, core_mpix: Any) -> dict[str, Any]:
    """Return RESULTS from plain numbers or arrays of samples."""
    hours = a["years"] * HOURS_A_YEAR
    energy_price = hours / 1000 * a["pue"] * a["electricity_price"]

    def mean_power(load_w: Any, idle_share: Any) -> Any:
        return load_w * (a["utilization"] + (1 - a["utilization"]) * idle_share)

    cpu_capacity = a["cpu_server_cores"] * a["cpu_server_scaling"] * core_mpix
    cpu_power = mean_power(a["cpu_server_power"], a["cpu_server_idle_share"])
    cpu_tco = a["cpu_server_price"] + cpu_power * energy_price
    chip_capacity = a["chips_per_server"] * chip_mpix
    load_w = a["chip_host_power"] + a["chips_per_server"] * a["chip_power"]
    chip_power = mean_power(load_w, a["cpu_server_idle_share"])
    chip_tco = a["chip_host_price"] + a["chips_per_server"] * a["chip_price"] + chip_power * energy_price
    replaced = chip_capacity / cpu_capacity
    perf_per_tco = replaced * cpu_tco / chip_tco
    return {
        "servers_replaced": replaced,
        "kilowatts_saved": (replaced * cpu_power - chip_power) * a["pue"] / 1000,
        "cost_saved": 1 - 1 / perf_per_tco,
        "perf_per_tco": perf_per_tco,
        "chip_tco": chip_tco / (chip_capacity * a["utilization"]) * _STREAM_MPIX,
        "cpu_tco": cpu_tco / (cpu_capacity * a["utilization"]) * _STREAM_MPIX,
    }


@dataclass(frozen=True)
class Range:
    """A result at the assumptions' values, and its 5th, 50th and 95th percentile over their ranges."""

    value: float
    p5: float
    p50: float
    p95: float


def monte_carlo(assumptions: Assumptions, speeds: Speeds, seed: int, samples: int = SAMPLES) -> dict[str, Range]:
    """Draw every assumption and both speeds (uniform within their errors); percentiles of each result."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, Any] = {}
    for name, item in assumptions.items():
        uniform = rng.random(samples)  # drawn for fixed entries too: one entry's range does not move the others' draws
        drawn[name] = _triangular(item, uniform)
    chip = speeds.chip_mpix_per_s * (1 + speeds.chip_low + (speeds.chip_high - speeds.chip_low) * rng.random(samples))
    core = speeds.core_mpix_per_s * (1 + speeds.core_error * (2 * rng.random(samples) - 1))
    sampled = evaluate(drawn, chip, core)
    plain = evaluate(assumptions.values(), speeds.chip_mpix_per_s, speeds.core_mpix_per_s)
    return {name: Range(float(plain[name]), *map(float, np.percentile(sampled[name], (5, 50, 95)))) for name in RESULTS}


def _triangular(item: Assumption, uniform: np.ndarray) -> np.ndarray:
    """Inverse of the triangular distribution function."""
    width = item.high - item.low
    if width == 0:
        return np.full(uniform.size, item.value)
    split = (item.value - item.low) / width
    rising = item.low + np.sqrt(uniform * width * (item.value - item.low))
    falling = item.high - np.sqrt((1 - uniform) * width * (item.high - item.value))
    return np.where(uniform < split, rising, falling)


@dataclass(frozen=True)
class Swing:
    """What one assumption does to a result, all others at their values."""

    name: str
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        return abs(self.at_high - self.at_low)


def tornado(assumptions: Assumptions, speeds: Speeds, result: str) -> list[Swing]:
    """One row an assumption and speed, the widest first; ties by name."""
    rows = []
    for name, item in assumptions.items():
        ends = [
            evaluate({**assumptions.values(), name: at}, speeds.chip_mpix_per_s, speeds.core_mpix_per_s)[result]
            for at in (item.low, item.high)
        ]
        rows.append(Swing(name, *map(float, ends)))
    errors = {
        "chip": (speeds.chip_low, speeds.chip_high),
        "core": (-speeds.core_error, speeds.core_error),
    }
    for name, both in errors.items():
        field = f"{name}_mpix_per_s"
        ends = []
        for error in both:
            moved = replace(speeds, **{field: getattr(speeds, field) * (1 + error)})
            ends.append(evaluate(assumptions.values(), moved.chip_mpix_per_s, moved.core_mpix_per_s)[result])
        rows.append(Swing(f"{name}_speed", *map(float, ends)))
    return sorted(rows, key=lambda row: (-row.width, row.name))


def break_even(assumptions: Assumptions, speeds: Speeds, name: str, result: str, target: float) -> float | None:
    """The value of one assumption (or of `core_speed`, `chip_speed` in Mpix/s) at which `result` equals `target`.

    All others stay at their values. None where no value does: the assumption alone cannot make it true.
    """

    def at(x: float) -> float:
        values, chip, core = assumptions.values(), speeds.chip_mpix_per_s, speeds.core_mpix_per_s
        if name == "core_speed":
            core = x
        elif name == "chip_speed":
            chip = x
        else:
            values[name] = x
        return float(evaluate(values, chip, core)[result]) - target

    if name in ("core_speed", "chip_speed"):
        low, high = 1e-3, 1e6
    else:
        item = getattr(assumptions, name)
        low, high = _ALLOWED[item.unit] if item.unit in _ALLOWED else _RATIOS.get(name, _RATIO)
        low = max(low, 1e-6)
    if at(low) * at(high) > 0:
        return None
    rises = at(high) > 0
    for _ in range(200):
        middle = (low + high) / 2
        if (at(middle) > 0) == rises:
            high = middle
        else:
            low = middle
    return (low + high) / 2
