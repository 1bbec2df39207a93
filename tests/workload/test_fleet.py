"""A fleet's day: sessions are conserved, no resource is packed beyond its room, failures move or lose sessions."""

import math
from pathlib import Path

import pytest

from asic_model.workload import fleet
from asic_model.workload.errors import WorkloadError
from asic_model.workload.fleet import FleetConfig

WORKLOAD = "sessions:\n  - {source: {width: 320, height: 192, fps: 30}, ladder: [320x192@400k], gop: 8}\n"


def config(folder: Path, **changes: object) -> FleetConfig:
    (folder / "w.yaml").write_text(WORKLOAD)
    values = {
        "chip": "tiny", "hosts": 2, "cards_per_host": 2, "chips_per_card": 2, "hours": 6.0, "seed": 3,
        "demand": [{"workload": str(folder / "w.yaml"), "per_hour": 20.0, "minutes": 20.0}], **changes,
    }  # fmt: skip
    return FleetConfig.model_validate(values)


def test_a_fleet_with_room_refuses_nobody(tmp_path: Path) -> None:
    found = fleet.simulate(config(tmp_path))
    assert found.arrivals > 60
    assert found.rejected == found.lost == found.failures == 0
    assert found.record()["availability"] == 1.0
    assert len(found.hourly) == 7


def test_a_day_begins_as_it_ends(tmp_path: Path) -> None:
    """Every day the same: at hour 0 as many sessions as at hour 24, by a sum over the day before, minute by minute."""
    minutes, per_hour, peak, peak_hour = 180.0, 30.0, 1.8, 20.0
    demand = {
        "workload": str(tmp_path / "w.yaml"), "per_hour": per_hour, "minutes": minutes, "peak": peak,
        "peak_hour": peak_hour,
    }  # fmt: skip
    made = config(tmp_path, hosts=20, hours=24.0, demand=[demand])
    expected = 0.0
    for before in range(5 * 24 * 60):  # came so many minutes ago; exp(-minutes / stay) of them are still there
        rate = per_hour / 60 * (1 + (peak - 1) * math.cos(2 * math.pi * (-before / 60 - peak_hour) / 24))
        expected += rate * math.exp(-before / minutes)
    first, last = [], []
    for seed in range(12):
        found = fleet.simulate(made.model_copy(update={"seed": seed}))
        assert found.rejected == 0
        first.append(found.hourly[0]["sessions"])
        last.append(found.hourly[24]["sessions"])
    error = 4 * math.sqrt(expected / 12)  # Poisson: four standard errors of a mean of twelve days
    assert sum(first) / 12 == pytest.approx(expected, abs=error)
    assert sum(last) / 12 == pytest.approx(expected, abs=error)


def test_a_full_fleet_refuses_and_says_for_want_of_what(tmp_path: Path) -> None:
    demand = [{"workload": str(tmp_path / "w.yaml"), "per_hour": 2000.0, "minutes": 60.0}]
    found = fleet.simulate(config(tmp_path, hosts=1, cards_per_host=1, demand=demand))
    assert found.rejected > 0
    assert sum(found.rejected_by.values()) == found.rejected
    assert all(share <= 0.9 + 1e-9 for row in found.hourly for share in row["used"].values())


def test_failures_move_sessions_or_lose_them(tmp_path: Path) -> None:
    failures = {"chip_mtbf_hours": 4.0, "host_mtbf_hours": 20.0, "repair_hours": 1.0}
    found = fleet.simulate(config(tmp_path, failures=failures))
    assert found.failures > 0
    assert found.moved + found.lost > 0
    assert 0 < found.record()["availability"] < 1


@pytest.mark.parametrize("packing", ["best_fit", "first_fit", "spread"])
def test_the_same_seed_gives_the_same_day(tmp_path: Path, packing: str) -> None:
    one, other = (fleet.simulate(config(tmp_path, packing=packing)).record() for _ in range(2))
    assert one == other


def test_packed_chips_keep_their_deadlines(tmp_path: Path) -> None:
    """What fits by shares is simulated in full: the fullest chip of the peak is in time."""
    found = fleet.simulate(config(tmp_path, verify=1))
    assert len(found.verified) == 1
    assert found.verified[0]["late_share"] == 0


def test_a_session_larger_than_a_chip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("sessions:\n  - {source: {width: 640, height: 384, fps: 960}, gop: 8}\n")
    demand = [{"workload": str(tmp_path / "w.yaml")}]
    with pytest.raises(WorkloadError, match=r"takes \d+% of a chip's"):
        fleet.simulate(FleetConfig.model_validate({"chip": "tiny", "demand": demand}))
