"""Groups of pictures without a driver are those that the driver codes."""

import pytest

from asic_model.workload.gop_pattern import pattern, reach
from asic_model.workload.workload import DEFAULT_REFERENCES, SessionConfig
from driver.gop import PictureOrder
from driver.options import DEFAULT_B_FRAMES, PRESET_REFS


@pytest.mark.parametrize("b_frames", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("references", [1, 2, 3, 4])
def test_same_pictures_in_the_same_order_with_the_same_references(b_frames: int, references: int) -> None:
    """Two groups of 18 through the driver; the second one closes the first, as the pattern does by itself."""
    gop = 18
    order = PictureOrder(gop, references, b_frames, "middle", 1)
    theirs = []
    for number in range(gop + 1):
        for header in order.add(number):
            lists = tuple(tuple(kept.token for kept in entries) for entries in header.lists)
            theirs.append((header.token, "PBI"[header.slice_type], lists, header.reference))
    ours = [
        (step.number, step.kind, step.lists, step.reference)
        for group in pattern(gop, b_frames, references)
        for step in group
    ]
    assert ours == theirs[: len(ours)]
    assert [entry[0] for entry in theirs[len(ours) :]] == [gop]


def test_defaults_are_the_drivers() -> None:
    assert SessionConfig.model_fields["b_frames"].default == DEFAULT_B_FRAMES
    assert DEFAULT_REFERENCES == PRESET_REFS


def test_the_way_to_the_furthest_reference() -> None:
    """P pictures four apart, the middle B pictures kept: 4, then 6, 8 and 10 pictures back."""
    assert [reach(60, 3, references) for references in (1, 2, 3, 4)] == [4, 6, 8, 10]
    assert reach(60, 0, 4) == 4
