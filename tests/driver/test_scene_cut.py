"""Scene cuts by the driver: ratios by arithmetic from flat and chequered pictures; cuts, fades, flashes, motion, noise.

The rule: a picture is seen in means of 8x8 samples; the best displaced difference to the picture before, over the
difference of each 4x4 block of means to its own mean plus 4 steps a mean, must pass the threshold's share and be more
than 1.5 times what it was one picture ago.
"""

import numpy as np
import pytest

from driver.scene_cut import SceneCut

HEIGHT, WIDTH = 64, 96  # two by three blocks of 4x4 means


def cuts(pictures: list[np.ndarray], threshold: int = 40) -> list[int]:
    looks = SceneCut(threshold)
    return [number for number, luma in enumerate(pictures) if looks.add(luma)]


def flat(level: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH), level, np.uint8)


def chequered(low: int, high: int) -> np.ndarray:
    """Squares of 8x8: means alternate, and the mean of a block is half way."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] // 8
    return np.where((x + y) % 2, high, low).astype(np.uint8)


@pytest.mark.parametrize(("level", "expected"), [(102, []), (103, [1])])
def test_flat_pictures_jump_by_three_steps(level: int, expected: list[int]) -> None:
    """Without texture the share is difference / 4: at threshold 40 more than 0.6 * 4 = 2.4 steps are a cut."""
    assert cuts([flat(100), flat(level)]) == expected


@pytest.mark.parametrize(
    ("threshold", "level", "expected"), [(0, 255, []), (100, 101, [1]), (1, 103, []), (1, 104, [1])]
)
def test_thresholds(threshold: int, level: int, expected: list[int]) -> None:
    """0 is never; 100 any change; 1 asks for 0.99 * 4 = 3.96 steps."""
    assert cuts([flat(100), flat(level)], threshold) == expected


@pytest.mark.parametrize(("steps", "expected"), [(14, []), (15, [1])])
def test_texture_is_what_a_change_is_weighed_against(steps: int, expected: list[int]) -> None:
    """Means of 80 and 120 differ from their block's by 20: 0.6 * (20 + 4) = 14.4 steps brighter are the limit."""
    first = chequered(80, 120)
    assert cuts([first, first + np.uint8(steps)]) == expected


def test_the_first_picture_and_a_still_one_are_no_cuts() -> None:
    assert cuts([chequered(0, 255)] * 5) == []


def test_a_cut_between_scenes_and_back() -> None:
    """Each change is one cut: the picture after it is like the one before."""
    rng = np.random.default_rng(2)
    a, b = (np.kron(rng.integers(0, 256, (8, 12)), np.ones((8, 8))).astype(np.uint8) for _ in range(2))
    assert cuts([a, a, a, b, b, b, a, a]) == [3, 6]


def test_motion_by_a_mean_is_found() -> None:
    """Displaced by 8 samples the picture is the same but for a column at the edge."""
    rng = np.random.default_rng(5)
    wide = np.kron(rng.integers(0, 256, (8, 40)), np.ones((8, 8))).astype(np.uint8)
    assert cuts([wide[:, 8 * n : 8 * n + WIDTH] for n in range(20)]) == []


def test_a_fade_is_no_row_of_cuts() -> None:
    """To black over 25 pictures: each change is 4 % of the level, about as large as the last one."""
    rng = np.random.default_rng(5)
    scene = np.kron(rng.integers(60, 200, (8, 12)), np.ones((8, 8)))
    assert cuts([(scene * (25 - n) / 25).astype(np.uint8) for n in range(26)]) == []


def test_a_flash_is_seen_once() -> None:
    """One white picture is a cut, 155 steps on no texture; the way back is as many on the scene's: no second one."""
    scene = chequered(80, 120)
    assert cuts([scene, scene, flat(255), scene, scene]) == [2]


def test_noise_is_no_cut() -> None:
    """Means of four samples with a deviation of 10 differ by 5.6 on average; 0.6 * (50 + 4) would be a cut."""
    rng = np.random.default_rng(7)
    scene = chequered(60, 160).astype(float)
    assert cuts([np.clip(scene + rng.normal(0, 10, scene.shape), 0, 255).astype(np.uint8) for _ in range(10)]) == []


@pytest.mark.parametrize("shape", [(16, 96), (64, 16), (31, 31)])
def test_pictures_smaller_than_a_block_are_never_cuts(shape: tuple[int, int]) -> None:
    assert cuts([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)]) == []


def test_a_change_of_size_begins_anew() -> None:
    looks = SceneCut(40)
    assert not looks.add(flat(0))
    assert not looks.add(np.full((128, 128), 255, np.uint8))
    assert looks.add(np.zeros((128, 128), np.uint8))
