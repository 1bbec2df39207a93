"""Steps at once: all are done, as many at a time as asked for, and the first error ends it."""

import threading
import time

import pytest

from benchmarks.density.side_by_side import Step, side_by_side


@pytest.mark.parametrize("at_once", [1, 2, 9])
def test_every_step_begins_and_ends(at_once: int) -> None:
    done: list[int] = []
    steps = [Step(str(n), 1.0, lambda n=n: done.append(n)) for n in range(5)]  # type: ignore[misc]
    said = [(step.words, ended) for step, ended in side_by_side(steps, at_once)]
    assert sorted(done) == list(range(5))
    assert sorted(said) == sorted((str(n), ended) for n in range(5) for ended in (False, True))


def test_two_run_at_once() -> None:
    """Both wait for each other: one at a time they would not end."""
    both = threading.Barrier(2, timeout=30)
    list(side_by_side([Step("a", 1.0, lambda: both.wait() and None), Step("b", 1.0, lambda: both.wait() and None)], 2))


@pytest.mark.parametrize("at_once", [1, 2])
def test_an_error_is_raised_and_nothing_more_begins(at_once: int) -> None:
    begun: list[int] = []

    def step(n: int) -> None:
        begun.append(n)
        if n == 0:
            raise ValueError("no")
        time.sleep(0.05)

    steps = [Step(str(n), 1.0, lambda n=n: step(n)) for n in range(50)]  # type: ignore[misc]
    with pytest.raises(ValueError, match="no"):
        list(side_by_side(steps, at_once))
    time.sleep(0.2)
    assert len(begun) < 10
