"""Steps of work, several at once on threads: kernels and encoders let go of the interpreter while they work."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A piece of work with its name and about how many seconds it takes."""

    words: str
    seconds: float
    do: Callable[[], None]


def side_by_side(steps: Sequence[Step], at_once: int) -> Iterator[tuple[Step, bool]]:
    """Do the steps, `at_once` of them at a time; yield (step, False) as one begins and (step, True) as it ends.

    The first error of a step is raised here, and no further step begins. One at a time, they run on this thread.
    Threads are daemons: Ctrl-C does not wait for an encode that is under way.
    """
    if at_once == 1:
        for step in steps:
            yield step, False
            step.do()
            yield step, True
        return
    todo: queue.SimpleQueue[Step] = queue.SimpleQueue()
    said: queue.SimpleQueue[tuple[Step, bool, BaseException | None]] = queue.SimpleQueue()
    stop = threading.Event()
    for step in steps:
        todo.put(step)

    def work() -> None:
        while not stop.is_set():
            try:
                step = todo.get_nowait()
            except queue.Empty:
                return
            said.put((step, False, None))
            try:
                step.do()
            except BaseException as error:
                said.put((step, True, error))
                return
            said.put((step, True, None))

    try:
        for _ in range(min(at_once, len(steps))):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(2 * len(steps)):
            step, ended, error = said.get()
            if error is not None:
                raise error
            yield step, ended
    finally:
        stop.set()
