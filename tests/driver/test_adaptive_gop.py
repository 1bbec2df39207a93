"""Adaptive groups: the choice against an enumeration of all divisions; sources that ask for certain anchors."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driver.adaptive_gop import Comparison, GroupLengths, group_shape
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.options import EncoderConfig, PlannedRung
from driver.transcode import TranscodeSession

WIDTH, HEIGHT, RATE = 128, 96, Fraction(25)


@pytest.mark.parametrize(
    ("length", "mode", "expected"),
    [
        (1, "middle", {(1, 0, None)}),
        (2, "middle", {(2, 0, None), (1, 0, 2)}),
        (3, "middle", {(3, 0, None), (1, 0, 3), (2, 1, 3)}),
        (4, "middle", {(4, 0, None), (2, 0, 4), (1, 0, 2), (3, 2, 4)}),
        (4, "disabled", {(4, 0, None), (1, 0, 4), (2, 0, 4), (3, 0, 4)}),
        (8, "each", {(8, 0, None), (4, 0, 8), (2, 0, 4), (1, 0, 2), (3, 2, 4), (6, 4, 8), (5, 4, 6), (7, 6, 8)}),
    ],
)
def test_shapes_are_the_hierarchy(length: int, mode: str, expected: set[Comparison]) -> None:
    shape = group_shape(length, mode)
    assert shape[0] == (length, 0, None)
    assert set(shape) == expected


class Costs(dict):  # type: ignore[type-arg]
    """Costs by comparison, drawn when they are asked for."""

    def __init__(self, seed: int, spread: float) -> None:
        self.rng, self.spread = np.random.default_rng(seed), spread

    def __missing__(self, comparison: Comparison) -> int:
        self[comparison] = int(1000 * self.spread ** self.rng.uniform(-1, 1))
        return self[comparison]


def choose(costs: Any, anchor: int, count: int, b_frames: int, closed: bool = False, qp: int = 18) -> int:
    lengths = GroupLengths(b_frames, "middle")
    lengths.begin(anchor, [costs[anchor + n, anchor + n - 1, None] for n in range(1, count + 1)], closed, qp)
    while missing := lengths.missing():
        assert len({comparison[0] for comparison in missing}) == len(missing)  # one of a picture at a time
        for comparison in missing:
            lengths.tell(comparison, costs[comparison])
    return lengths.length()


def divisions(count: int, longest: int) -> Iterator[tuple[int, ...]]:
    if count == 0:
        yield ()
    for first in range(1, min(count, longest) + 1):
        yield from ((first, *rest) for rest in divisions(count - first, longest))


def group_cost(costs: Any, start: int, length: int, b_share: int) -> int:
    """16 times the anchor's, 19 where it stands alone, `b_share` times the B pictures'."""
    anchor = 19 if length == 1 else 16
    return sum(
        (anchor if after is None else b_share) * costs[start + number, start + before, after and start + after]
        for number, before, after in group_shape(length, "middle")
    )


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from((1, 2, 3)), st.booleans(), st.sampled_from((1.05, 1.5)),
    st.sampled_from(((0, 15, 14), (19, 15, 14), (20, 14, 13), (26, 14, 13), (27, 13, 12), (51, 13, 12))),
)  # fmt: skip
def test_the_cheapest_division_is_taken(
    seed: int, b_frames: int, closed: bool, spread: float, shares: tuple[int, int, int]
) -> None:
    qp, share_alone, share_divided = shares
    costs, anchor, longest = Costs(seed, spread), 7, b_frames + 1
    count = 2 * longest
    found = choose(costs, anchor, count, b_frames, closed, qp)

    def single(n: int) -> int:
        return sum(costs[anchor + k, anchor + k - 1, None] for k in range(1, n + 1))

    alone = {n: Fraction(group_cost(costs, anchor, n, share_alone), single(n)) for n in range(1, longest + 1)}
    if alone[longest] == min(alone.values()):
        assert found == longest
        return
    ends = [count] if closed else range(count, count - longest, -1)
    share = {}
    for end in ends:
        for division in divisions(end, longest):
            starts = [anchor + sum(division[:n]) for n in range(len(division))]
            total = sum(group_cost(costs, s, n, share_divided) for s, n in zip(starts, division, strict=True))
            share[division] = Fraction(total, single(end))
    least = min(share.values())
    assert found in {division[0] for division, value in share.items() if value == least}


def test_still_pictures_take_the_longest_group_and_fast_ones_none() -> None:
    """All comparisons alike: (16 + 3 * 15) / (4 * 16) is the least share. Cost as the square of the distance: a group
    of four costs at least 16 for its anchor, four P pictures 4."""
    still = Costs(0, 1.0)
    assert [choose(still, 0, 2 * (b + 1), b) for b in (1, 2, 3, 7)] == [2, 3, 4, 8]

    class Fast(dict):  # type: ignore[type-arg]
        def __missing__(self, key: Comparison) -> int:
            number, before, after = key
            return 100 * (number - before) ** 2 if after is None else 100 * min(number - before, after - number) ** 2

    assert [choose(Fast(), 0, 2 * (b + 1), b) for b in (1, 2, 3, 7)] == [1, 1, 1, 1]


def test_a_good_anchor_beyond_the_first_group_is_waited_for() -> None:
    """Every fourth picture, from the sixth on, is predicted and predicts at half the cost: groups of 2 and 4, not 4."""

    class Lattice(dict):  # type: ignore[type-arg]
        def __missing__(self, key: Comparison) -> int:
            number, before, after = key
            good = [n for n in (number, before, after) if n is not None and n % 4 == 2]
            return 1000 - 250 * len(good) - (100 if after is not None else 0)

    assert choose(Lattice(), 0, 8, 3) == 2
    assert choose(Lattice(), 2, 8, 3) == 4


def lattice(count: int, first: int) -> list[np.ndarray]:
    """A still texture; pictures `first`, `first + 4`, ... (and 0) are clean, those between have errors of their own, as
    a source has them that was coded with three B pictures."""
    rng = np.random.default_rng(3)
    texture = rng.normal(128, 30, (HEIGHT, WIDTH))
    frames = []
    for number in range(count):
        clean = number % 4 == first % 4 or number == 0
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = (texture + rng.normal(0, 2 if clean else 6, texture.shape)).clip(0, 255)
        frames.append(planes)
    return frames


def types(frames: list[np.ndarray], **options: Any) -> str:
    """Picture types in display order; the decoder's pictures are the session's reconstructions."""
    config = EncoderConfig(width=WIDTH, height=HEIGHT, fps=RATE, **{"preset": "fast", "scene_cut": 0, **options})
    with (
        Device.open("model:tiny", host_threads=1) as device,
        EncodeSession(device, config, keep_reconstruction=True) as session,
    ):
        stream = b"".join(packet.data for packet in session.encode(frames))
        shown = list(session.reconstructions)
    context = av.CodecContext.create("h264", "r")
    decoded = [f for packet in [*context.parse(stream), *context.parse(b""), None] for f in context.decode(packet)]
    assert len(decoded) == len(frames)
    for number, (frame, picture) in enumerate(zip(decoded, shown, strict=True)):
        assert np.array_equal(frame.to_ndarray(format="yuv420p")[:HEIGHT], picture.y), number
    return "".join("?IPB"[int(frame.pict_type)] for frame in decoded)


@pytest.mark.parametrize("first", [2, 3, 4])
@pytest.mark.parametrize("options", [{"qp": 24, "rc_lookahead": 1}, {"bit_rate": 400_000, "rc_lookahead": 12}])
def test_anchors_stand_where_the_source_had_them(first: int, options: dict[str, Any]) -> None:
    found = types(lattice(first + 17, first), **options)
    expected = ["B"] * len(found)
    for number in range(first, len(found), 4):
        expected[number] = "P"
    assert found == "I" + "".join(expected)[1:]


def test_groups_end_at_i_pictures_and_at_the_end() -> None:
    """IDR pictures every 10: the anchor before one is the last picture of its group, whatever that costs."""
    found = types(lattice(24, 4), qp=18, rc_lookahead=1, gop_size=10)
    assert found[:20] == "IBBBPBBBPPIBPBBBPBBP"  # source anchors 0, 4, 8; 12, 16; pictures 9 and 19 must be anchors
    assert found[20] == "I"
    assert found[-1] == "P"


@pytest.mark.parametrize("options", [{"qp": 24, "rc_lookahead": 1}, {"bit_rate": 400_000, "rc_lookahead": 12}])
@pytest.mark.parametrize("bright", [{6}, {6, 7}, {8}, {21}, {21, 22}])
def test_a_flash_begins_no_scene(bright: set[int], options: dict[str, Any]) -> None:
    """One picture or two that have nothing in common with the rest: B pictures, as the scene goes on behind them."""
    frames = lattice(24, 4)
    flash = lattice(24, 4)
    rng = np.random.default_rng(8)
    for number in bright:
        flash[number][:HEIGHT] = np.kron(rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8)), np.ones((8, 8)))
    assert types(frames, **options, scene_cut=40).count("I") == 1
    found = types(flash, **options, scene_cut=40)
    assert {number for number, kind in enumerate(found) if kind == "I"} == {0}
    assert {found[number] for number in bright} == {"B"}


def test_a_scene_begins_where_the_one_before_does_not_return() -> None:
    """Of three pictures that have nothing in common with those before them, the third is too far to call it a flash."""
    frames = lattice(30, 4)
    other = [255 - frame[::-1] for frame in lattice(30, 4)]
    assert types(frames[:10] + other[10:13] + frames[13:], qp=24, rc_lookahead=1, scene_cut=40)[10] == "I"
    assert types(frames[:10] + other[10:], qp=24, rc_lookahead=1, scene_cut=40)[10] == "I"


def test_b_strategy_0_is_what_there_was() -> None:
    frames = lattice(18, 2)
    assert types(frames, qp=24) == types(frames, qp=24, rc_lookahead=1, b_adapt=False) == "IBBBPBBBPBBBPBBBPP"
    assert types(frames, qp=24, rc_lookahead=1, b_count=0) == "I" + "P" * 17


def ladder(frames: list[np.ndarray], **options: Any) -> tuple[list[str], int]:
    """(types of each rung in display order, first-pass jobs on the chip)."""
    config = EncoderConfig(width=WIDTH, height=HEIGHT, fps=RATE, preset="fast", qp=24, rc_lookahead=1, **options)
    rungs = [PlannedRung("96p", WIDTH, HEIGHT, None), PlannedRung("48p", 64, 48, None)]
    streams = [b"", b""]
    with (
        Device.open("model:tiny", host_threads=1) as device,
        TranscodeSession(device, config, rungs, width=WIDTH, height=HEIGHT) as session,
    ):
        for rung, packet in session.transcode(frames):
            streams[rung] += packet.data
        report = device.report()
    assert report is not None
    found = []
    for stream in streams:
        context = av.CodecContext.create("h264", "r")
        decoded = [f for packet in [*context.parse(stream), *context.parse(b""), None] for f in context.decode(packet)]
        found.append("".join("?IPB"[int(frame.pict_type)] for frame in decoded))
    return found, report["cores"]["encode"]["counters"]["first_pass"]


def test_the_rungs_of_a_ladder_have_the_same_types() -> None:
    """The first rung tries group lengths, for both: the second one's jobs are one SHRINK a picture. A scene begins at
    picture 13; 9 and 22 follow from the group's length."""
    other = [255 - frame for frame in lattice(13, 3)]
    frames = lattice(13, 3) + other
    (first, second), jobs = ladder(frames, gop_size=9)
    assert len(first) == len(frames)
    assert first == second
    assert [number for number, kind in enumerate(first) if kind == "I"] == [0, 9, 13, 22]
    assert 2 * len(frames) < jobs
    (_, _), without = ladder(frames, gop_size=9, b_adapt=False)
    assert without == 2 * len(frames)


def test_a_ladder_that_is_left_early_ends() -> None:
    """Closed with pictures that wait: nothing is begun for them any more."""
    config = EncoderConfig(width=WIDTH, height=HEIGHT, fps=RATE, preset="fast", bit_rate=300_000)
    rungs = [PlannedRung("96p", WIDTH, HEIGHT, 300_000), PlannedRung("48p", 64, 48, 100_000)]
    with (
        Device.open("model:tiny", host_threads=1) as device,
        TranscodeSession(device, config, rungs, width=WIDTH, height=HEIGHT) as session,
    ):
        for frame in lattice(45, 3):
            session.send_frame(frame)
        encoders = session.encoders
    assert all(not encoder.in_flight for encoder in encoders)
