"""A job that the chip knows of and whose outcome somebody will ask for, and the window that its addresses are in."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from asic_model.cores.result import REQUEST, CoreResult
from asic_model.descriptors import Kind, Region
from asic_model.latch import WAKE_S, Latch
from asic_model.work import ENCODE_WORK

Compute = Callable[[], CoreResult]
NO_FIELD = 255


class Window(NamedTuple):
    """Part of device memory that a function's addresses are in."""

    base: int
    size_bytes: int

    def holds(self, address: int, size: int) -> bool:
        """Whether `size` bytes at the window's own address are inside."""
        return address >= 0 and address + size <= self.size_bytes


def failed_result(status: int, detail: int) -> CoreResult:
    """What a core reports that gave a job up at once: one unit of one cycle, no traffic."""
    cycles = np.ones((1, 1), np.int64)
    return CoreResult(status, detail, 0, ("guard",), cycles, np.zeros(0, REQUEST), np.zeros(1, ENCODE_WORK))


def placed(result: CoreResult, window: Window) -> CoreResult:
    """The result with its traffic at addresses of device memory."""
    if window.base == 0 or not result.requests.size:
        return result
    requests = result.requests.copy()
    requests["address"] += np.uint64(window.base)
    return replace(result, requests=requests)


class Ticket:
    """One announced job. `result()` waits for it."""

    def __init__(self, kind: Kind, fields: dict[str, int], areas: list[Region], compute: Compute) -> None:
        self.kind = kind
        self.fields = fields
        self.shape: Mapping[str, int] = fields  # sizes; addresses may be those of another job
        self.areas = areas
        self._spans = [(area.address, area.address + area.size_bytes, area.write) for area in areas]
        self.waits_for: list[Ticket] = []  # earlier jobs that must be computed first
        self.pooled = False  # a thread will compute it; taken back when the threads end before they begin it
        self.started = False  # on a core, in simulated time
        self._compute = compute
        self._outcome: CoreResult | BaseException | None = None
        self._lock = threading.Lock()
        self._done = Latch()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for so long that another thread computes it; return whether it is done."""
        return self._done.wait(seconds)

    def compute(self) -> None:
        """Compute on this thread unless that was done; errors are kept for `result`."""
        with self._lock:
            if self._done.is_set():
                return
            try:
                self._outcome = self._compute()
            except BaseException as error:
                self._outcome = error
            self.waits_for = []
            self._done.set()

    def give(self, result: CoreResult) -> None:
        """Take the outcome from elsewhere instead of computing it."""
        with self._lock:
            self._outcome = result
            self.waits_for = []
            self._done.set()

    def result(self) -> CoreResult:
        """The outcome, computing it here when no thread does. Raises what the core raised."""
        self.finish()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome

    def finish(self) -> None:
        """Wait until it is computed, or compute it here when no thread does; errors wait for `result`."""
        while self.pooled and not self._done.wait(WAKE_S):
            pass
        waiting = [] if self.done else [self]
        while waiting:
            ticket = waiting[-1]
            before = [other for other in ticket.waits_for if not other.done]
            if before:
                waiting.extend(before)
            else:
                ticket.compute()
                waiting.pop()

    def touches(self, address: int, size: int, write: bool) -> bool:
        """Whether an access there must not happen at the same time as this job."""
        end = address + size
        for begin, behind, written in self._spans:  # noqa: SIM110 - a generator costs more than what it asks
            if begin < end and address < behind and (write or written):
                return True
        return False
