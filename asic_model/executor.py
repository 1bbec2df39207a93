"""Runs the functional part of jobs on host threads, in an order that the threads cannot change.

A job is foreseen when the host submits it (`lookahead.py`), or else announced by the firmware once its block is final;
its pixels may then be computed long before the simulated start, since a job's result does not depend on time. What it
does depend on is device memory. So each job is compared with those known before it: where one writes what the other
reads or writes, the later one waits for the earlier one. With that, and with host accesses waiting likewise, memory
holds the same bytes whatever the threads do.

With one thread nothing runs ahead: a job is computed when its result is asked for, on the caller's thread.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from asic_model.cores.estimate import estimate
from asic_model.cores.registry import CoreType, all_regions, build_job
from asic_model.cores.result import CoreResult
from asic_model.descriptors import BLOCK_BYTES, Kind, Region, unpack_job

Compute = Callable[[], CoreResult]


class Ticket:
    """One announced job. `result()` waits for it."""

    def __init__(self, kind: Kind, fields: dict[str, int], areas: list[Region], compute: Compute) -> None:
        self.kind = kind
        self.fields = fields
        self.areas = areas
        self.waits_for: list[Ticket] = []  # earlier jobs that must be computed first
        self.pooled = False  # a thread will compute it
        self._compute = compute
        self._outcome: CoreResult | BaseException | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()

    @property
    def done(self) -> bool:
        return self._done.is_set()

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
        if self.pooled:
            self._done.wait()
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
        return any(
            (write or area.write) and area.address < address + size and address < area.address + area.size_bytes
            for area in self.areas
        )


class Executor:
    """The functional part of all cores of a chip. Called from the chip's own thread only."""

    def __init__(self, memory: np.ndarray, types: dict[Kind, CoreType], threads: int, functional: bool = True) -> None:
        self._memory = memory
        self._types = types
        self._functional = functional  # False: estimates instead of pixels
        self._announced: dict[int, Ticket] = {}  # by address of the job block, until taken
        self._foreseen: dict[bytes, list[Ticket]] = {}  # by block, until the firmware announces it
        self._under_way: list[Ticket] = []  # maybe not done, oldest first
        self._pool = ThreadPoolExecutor(threads, "tasic-core") if threads > 1 else None
        self._lock = threading.Lock()
        self._followers: dict[Ticket, list[Ticket]] = {}
        self._missing: dict[Ticket, int] = {}

    def foresee(self, block: bytes) -> Ticket:
        """The host submitted this job block: unless the firmware refuses it, it will run as it stands."""
        ticket = self._enter(block)
        self._foreseen.setdefault(block, []).append(ticket)
        return ticket

    def refused(self, block: bytes, ticket: Ticket) -> None:
        """The firmware refused a job that was foreseen: nobody will ask for it."""
        waiting = self._foreseen.get(block, [])
        if ticket in waiting:
            waiting.remove(ticket)
            if not waiting:
                del self._foreseen[block]

    def announce(self, address: int) -> Ticket:
        """The firmware says that the job block at `address` is final: its job may be computed from now on."""
        block = self._memory[address : address + BLOCK_BYTES].tobytes()
        foreseen = self._foreseen.get(block)
        if foreseen:
            ticket = foreseen.pop(0)
            if not foreseen:
                del self._foreseen[block]
        else:
            ticket = self._enter(block)
        self._announced[address] = ticket
        return ticket

    def _enter(self, block: bytes) -> Ticket:
        """Make a job known: find what it must wait for, let a thread have it."""
        kind, fields = unpack_job(block)
        core = self._types[kind]
        job = build_job(core, fields)
        areas = all_regions(self._memory, kind, fields)

        def compute() -> CoreResult:
            if self._functional:
                return core.run(self._memory, job, core.config)
            return estimate(kind, job, core.config, areas)

        ticket = Ticket(kind, fields, areas, compute)
        self._under_way = [other for other in self._under_way if not other.done]
        ticket.waits_for = [
            other
            for other in self._under_way
            if any(other.touches(area.address, area.size_bytes, area.write) for area in ticket.areas)
        ]
        self._under_way.append(ticket)
        if self._pool is not None:
            self._queue(ticket)
        return ticket

    def take(self, address: int) -> Ticket:
        """The job at `address` starts on a core: its ticket, announced before or now."""
        ticket = self._announced.pop(address, None)
        if ticket is None:
            ticket = self.announce(address)
            del self._announced[address]
        return ticket

    def settle(self, address: int, size: int, write: bool) -> None:
        """Wait for announced jobs that an access from outside would meet."""
        for ticket in self._under_way:
            if not ticket.done and ticket.touches(address, size, write):
                ticket.finish()

    def drain(self) -> None:
        """Finish what runs; what nobody waits for is forgotten."""
        for ticket in self._under_way:
            ticket.finish()
        self._under_way.clear()
        self._announced.clear()
        self._foreseen.clear()

    def close(self) -> None:
        """Stop the threads. Jobs that did not begin are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    # ---------------------------------------------------------------------------------------------------- threads

    def _queue(self, ticket: Ticket) -> None:
        """Hand the job to the pool as soon as all that it waits for is done."""
        ticket.pooled = True
        with self._lock:
            missing = [other for other in ticket.waits_for if other in self._followers]
            self._followers[ticket] = []
            self._missing[ticket] = len(missing)
            for other in missing:
                self._followers[other].append(ticket)
        if not missing:
            self._submit(ticket)

    def _submit(self, ticket: Ticket) -> None:
        assert self._pool is not None
        self._pool.submit(self._work, ticket)

    def _work(self, ticket: Ticket) -> None:
        ticket.compute()
        with self._lock:
            free = []
            for follower in self._followers.pop(ticket):
                self._missing[follower] -= 1
                if self._missing[follower] == 0:
                    free.append(follower)
            del self._missing[ticket]
        for follower in free:
            self._submit(follower)
