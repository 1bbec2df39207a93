"""Runs the functional part of jobs on host threads, in an order that the threads cannot change.

A job is foreseen when the host submits it (`lookahead.py`), or else announced by the firmware once its block is final;
its pixels may then be computed long before the simulated start, since a job's result does not depend on time. What it
does depend on is device memory. So each job is compared with those known before it: where one writes what the other
reads or writes, the later one waits for the earlier one. With that, and with host accesses waiting likewise, memory
holds the same bytes whatever the threads do.

With one thread nothing runs ahead: a job is computed when its result is asked for, on the caller's thread. The same
holds while a fault is to spoil what a job puts out (`hold`): jobs that start after that job's end must read it spoiled.

A job's addresses are in the window of its function (`Window`): the core is given that part of device memory and no
other, and a job that names anything outside of it, directly or in its parameter block, ends as ACCESS_VIOLATION.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from asic_model import warm
from asic_model.cores.registry import CoreType, all_regions, build_job
from asic_model.cores.result import CoreResult
from asic_model.descriptors import BLOCK_BYTES, Kind, Status, unpack_job
from asic_model.estimates import Estimates
from asic_model.kernel_cache import compiling
from asic_model.ticket import NO_FIELD, Ticket, Window, failed_result, placed

LOOK_S = 0.05  # how often the end of a chip looks whether what it waits for has begun to compile


class Executor:
    """The functional part of all cores of a chip. Called from the chip's own thread only."""

    def __init__(self, memory: np.ndarray, types: dict[Kind, CoreType], threads: int, functional: bool = True) -> None:
        self._memory = memory
        self._types = types
        self._estimates = None if functional else Estimates(types)  # instead of pixels
        self._announced: dict[int, Ticket] = {}  # by address of the job block, until taken
        # by window and block, until the firmware announces it
        self._foreseen: dict[tuple[Window, bytes], list[Ticket]] = {}
        self._under_way: list[Ticket] = []  # maybe not done, oldest first
        self._pool = ThreadPoolExecutor(threads, "tasic-core") if threads > 1 else None
        self._lock = threading.Lock()
        self._followers: dict[Ticket, list[Ticket]] = {}
        self._missing: dict[Ticket, int] = {}
        self._begun: set[Ticket] = set()  # on a thread now
        self._closed = False
        self._held = False

    def hold(self) -> None:
        """From now on compute each job when it starts; what is known already is computed as it stands."""
        self._held = True
        for ticket in self._under_way:
            ticket.finish()

    def let_go(self) -> None:
        """Jobs may run ahead again."""
        self._held = False

    def foresee(self, block: bytes, window: Window) -> Ticket:
        """The host submitted this job block: unless the firmware refuses it, it will run as it stands."""
        ticket = self._enter(block, window)
        self._foreseen.setdefault((window, block), []).append(ticket)
        return ticket

    def refused(self, block: bytes, window: Window, ticket: Ticket) -> None:
        """The firmware refused a job that was foreseen: nobody will ask for it."""
        waiting = self._foreseen.get((window, block), [])
        if ticket in waiting:
            waiting.remove(ticket)
            if not waiting:
                del self._foreseen[window, block]

    def is_foreseen(self, block: bytes, window: Window, ticket: Ticket) -> bool:
        """Whether the job was foreseen and no core was given it yet."""
        return ticket in self._foreseen.get((window, block), ())

    def announce(self, address: int, window: Window) -> Ticket:
        """The firmware says that the job block at `address` is final: its job may be computed from now on."""
        block = self._memory[address : address + BLOCK_BYTES].tobytes()
        foreseen = self._foreseen.get((window, block))
        if foreseen:
            ticket = foreseen.pop(0)
            if not foreseen:
                del self._foreseen[window, block]
        else:
            ticket = self._enter(block, window)
        self._announced[address] = ticket
        return ticket

    def _enter(self, block: bytes, window: Window) -> Ticket:
        """Make a job known: find what it must wait for, let a thread have it."""
        memory = self._memory[window.base : window.base + window.size_bytes]
        if self._estimates is not None:
            return self._estimates.ticket(block, window, memory)
        kind, fields = unpack_job(block)
        warm.want(kind, fields)
        core = self._types[kind]
        areas = all_regions(memory, kind, fields)
        if not all(window.holds(area.address, area.size_bytes) for area in areas):
            violation = failed_result(Status.ACCESS_VIOLATION, NO_FIELD)
            return Ticket(kind, fields, [], lambda: violation)
        job = build_job(core, fields)

        def compute() -> CoreResult:
            return placed(core.run(memory, job, core.config), window)

        if window.base:
            areas = [area._replace(address=area.address + window.base) for area in areas]
        ticket = Ticket(kind, fields, areas, compute)
        self._under_way = [other for other in self._under_way if not other.done]
        ticket.waits_for = [
            other
            for other in self._under_way
            if any(other.touches(area.address, area.size_bytes, area.write) for area in ticket.areas)
        ]
        self._under_way.append(ticket)
        ahead = all(other.done or other.pooled for other in ticket.waits_for)  # or a thread would compute it too early
        if self._pool is not None and not self._closed and not self._held and ahead:
            self._queue(ticket)
        return ticket

    def take(self, address: int, window: Window) -> Ticket:
        """The job at `address` starts on a core: its ticket, announced before or now."""
        ticket = self._announced.pop(address, None)
        if ticket is None:
            ticket = self.announce(address, window)
            del self._announced[address]
        ticket.started = True
        return ticket

    def give_back(self, address: int, ticket: Ticket) -> None:
        """The job's core was reset; when the job starts again it has the outcome that it had before."""
        self._announced[address] = ticket

    def settle(self, address: int, size: int, write: bool) -> None:
        """Wait for announced jobs that an access from outside would meet."""
        for ticket in self._under_way:
            if not ticket.done and ticket.touches(address, size, write):
                ticket.finish()

    def settle_started(self, address: int) -> None:
        """Wait for jobs that meet that byte and began before now, be it on a thread."""
        for ticket in self._under_way:
            if not ticket.done and (ticket.started or ticket.pooled) and ticket.touches(address, 1, True):
                ticket.finish()

    def drain(self) -> None:
        """Finish what runs; what nobody waits for is forgotten."""
        for ticket in self._under_way:
            ticket.finish()
        self._under_way.clear()
        self._announced.clear()
        self._foreseen.clear()

    def close(self) -> None:
        """Stop the threads. Jobs that did not begin are dropped, or computed by who waits for them; what compiles
        kernels is left alone."""
        if self._pool is None:
            return
        with self._lock:
            self._closed = True
            begun = list(self._begun)
            for ticket in self._followers:
                ticket.pooled = ticket in self._begun
        self._pool.shutdown(wait=False, cancel_futures=True)
        for ticket in begun:
            while not ticket.wait(LOOK_S) and not compiling():
                pass

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
        with self._lock:
            if self._closed:
                return
            self._begun.add(ticket)
        ticket.compute()
        with self._lock:
            self._begun.discard(ticket)
            free = []
            for follower in self._followers.pop(ticket):
                self._missing[follower] -= 1
                if self._missing[follower] == 0:
                    free.append(follower)
            del self._missing[ticket]
            if self._closed:
                return
            for follower in free:
                self._submit(follower)
