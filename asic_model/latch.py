"""An event that signals cannot break."""

import threading
import time

WAKE_S = 1.0  # a waiter whose wake-up another one lost looks again


class Latch:
    """Set by one thread; others wait for it.

    As `threading.Event`, but for one thing: an Event's lock is taken by a function in Python, and an exception that a
    signal's handler raises between that and its `with` (Ctrl-C does so) leaves it taken for ever: the thread that sets
    the event then never returns. Here the one that sets takes no lock.
    """

    def __init__(self) -> None:
        self._set = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        """Let all go on that wait. By one thread at a time."""
        if not self._set:
            self._set = True
            self._lock.release()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is set, or for so long; return whether it is."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self._set:
            left = WAKE_S if end is None else min(WAKE_S, end - time.monotonic())
            if self._lock.acquire(timeout=max(left, 0)):
                self._lock.release()
            elif left <= 0:
                break
        return self._set
