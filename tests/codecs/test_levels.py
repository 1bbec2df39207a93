"""Level choice against the limits of Table A-1, and well-known operating points."""

from itertools import pairwise

import pytest

from asic_model.codecs.h264.bits import SyntaxFault
from asic_model.codecs.h264.levels import (
    BASELINE,
    HIGH,
    LEVEL_1B,
    LEVELS,
    MAIN,
    choose_level,
    level,
    level_fields,
    max_dpb_frames,
)


@pytest.mark.parametrize(
    ("width", "height", "rate", "name"),
    [(176, 144, 15, "1.0"), (352, 288, 30, "1.3"), (720, 576, 25, "3.0"), (1280, 720, 30, "3.1"),
     (1280, 720, 60, "3.2"), (1920, 1088, 30, "4.0"), (1920, 1088, 60, "4.2"), (3840, 2160, 30, "5.1"),
     (3840, 2160, 60, "5.2"), (4096, 2304, 25, "5.1"), (7680, 4320, 60, "6.1")],
)  # fmt: skip
def test_known_operating_points(width: int, height: int, rate: float, name: str) -> None:
    assert choose_level(-(-width // 16), -(-height // 16), rate).name == name


def test_dpb_and_bit_rate_raise_the_level() -> None:
    """1080p: level 4.0 keeps 32768 / 8160 = 4 frames; 20 Mbit/s are its limit in Main, 25 in High."""
    assert max_dpb_frames(level(40), 120, 68) == 4
    assert choose_level(120, 68, 30, dpb_frames=4).name == "4.0"
    assert choose_level(120, 68, 30, dpb_frames=5).name == "5.0"
    assert choose_level(120, 68, 30, bits_per_second=20_000_000).name == "4.0"
    assert choose_level(120, 68, 30, bits_per_second=20_000_001).name == "4.1"
    assert choose_level(120, 68, 30, bits_per_second=25_000_000, profile_idc=HIGH).name == "4.0"
    assert choose_level(11, 9, 15, bits_per_second=100_000).level_idc == LEVEL_1B


def test_what_no_level_allows_is_named() -> None:
    with pytest.raises(SyntaxFault, match=r"macroblocks a second: .*level 6\.2"):
        choose_level(120, 68, 5000)
    with pytest.raises(SyntaxFault, match="squared frame width"):
        choose_level(1056, 1)
    with pytest.raises(SyntaxFault, match="level_idc: 14"):
        level(14)


def test_level_1b_is_said_as_the_profile_wants() -> None:
    assert level_fields(level(LEVEL_1B), BASELINE) == (11, True)
    assert level_fields(level(LEVEL_1B), MAIN) == (11, True)
    assert level_fields(level(LEVEL_1B), HIGH) == (9, False)
    assert level_fields(level(40), MAIN) == (40, False)


def test_limits_grow_with_the_level() -> None:
    for low, high in pairwise(LEVELS[1:]):
        assert all(a <= b for a, b in zip(low[1:5], high[1:5], strict=True)), high.name
