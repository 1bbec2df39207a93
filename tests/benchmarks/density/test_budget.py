"""Quick studies fit their budget: what is cut first, what is never cut, and that it is said."""

import pytest

from benchmarks.density import budget
from benchmarks.density.budget import Shape, Work, fit, left_out, study_s
from benchmarks.density.encoders import ENCODERS

PRESETS = ("superfast", "veryfast", "fast", "medium")
HD = Work(1280 * 720 / 1e6, 1280 * 720 / 1e6, 48)
UHD = Work(3840 * 2160 / 1e6, 3840 * 2160 / 1e6, 48)
FREE = {"may_cut_frames": True, "may_cut_presets": True}
SIZES = ("x264", 1, 4, 2)  # encoder, chip presets, rate points, processors


def test_by_hand() -> None:
    """One turn of medium, 2 repeats and the warm-up: 48 pictures of 0.9216 Mpix at 250 Mpix/s and at 33."""
    assert budget.turn_s(HD, "x264", "medium", 2) == pytest.approx(1 + 3 * 48 * 0.9216 * (1 / 250 + 1 / 33))
    assert budget.chip_point_s(HD) == pytest.approx(48 * 0.9216 * (1 / 12 + 1 / 250))


def test_one_720p_clip_is_measured_whole() -> None:
    full = Shape(1, 48, PRESETS, 2)
    assert fit([HD], full, *SIZES, **FREE) == full


def test_pictures_go_first_then_presets_then_clips() -> None:
    found = [fit([HD] * count, Shape(count, 48, PRESETS, 2), *SIZES, **FREE) for count in range(1, 12)]
    order = [(shape.frames < 48, len(shape.presets) < 4, shape.clips < count) for count, shape in enumerate(found, 1)]
    assert order == sorted(order)
    assert {(False, False, False), (True, False, False), (True, True, False), (True, True, True)} <= set(order)
    for count, shape in enumerate(found, 1):
        assert study_s([HD] * count, shape, *SIZES) <= budget.PLANNED_S
        assert shape.presets[0] == "superfast"
        assert shape.presets[-1] == "medium"


def test_what_was_asked_for_is_not_cut() -> None:
    shape = fit([UHD] * 3, Shape(3, 48, PRESETS, 2), *SIZES, may_cut_frames=False, may_cut_presets=False)
    assert shape == Shape(1, 48, PRESETS, 2)
    assert study_s([UHD], shape, *SIZES) > budget.PLANNED_S  # one clip is the least: it takes what it takes


def test_more_processors_more_pictures() -> None:
    many = fit([HD] * 4, Shape(4, 48, PRESETS, 2), "x264", 1, 4, 16, **FREE)
    few = fit([HD] * 4, Shape(4, 48, PRESETS, 2), "x264", 1, 4, 1, **FREE)
    assert (many.clips, many.frames) > (few.clips, few.frames)


def test_what_is_left_out_is_said() -> None:
    full, cut = Shape(3, 48, PRESETS, 2), Shape(1, 24, ("superfast", "medium"), 2)
    assert left_out(full, full, ["a", "b", "c"]) == []
    assert left_out(full, cut, ["a", "b", "c"]) == [
        "pictures of each clip: 24 of 48", "presets veryfast, fast", "clips b, c",
    ]  # fmt: skip


def test_every_preset_has_a_cost() -> None:
    for name, encoder in ENCODERS.items():
        assert [budget.turn_s(HD, name, preset, 1) > 0 for preset in encoder.presets]
