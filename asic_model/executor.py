"""Runs the functional part of jobs on host threads, in an order that the threads cannot change.

A job is foreseen when the host submits it (`lookahead.py`), or else announced by the firmware once its block is final;
its pixels may then be computed long before the simulated start, since a job's result does not depend on time. What it
does depend on is device memory. So each job is compared with those known before it: where one writes what the other
reads or writes, the later one waits for the earlier one. With that, and with host accesses waiting likewise, memory
holds the same bytes whatever the threads do.

With one thread nothing runs ahead: a job is computed when its result is asked for, on the caller's thread.

A job's addresses are in the window of its function (`Window`): the core is given that part of device memory and no
other, and a job that names anything outside of it, directly or in its parameter block, ends as ACCESS_VIOLATION.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from asic_model import warm
from asic_model.cores.estimate import estimate
from asic_model.cores.registry import CoreType, all_regions, build_job, parameter_block
from asic_model.cores.result import REQUEST, CoreResult
from asic_model.descriptors import BLOCK_BYTES, Kind, Region, Status, unpack_job
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


# Fields of a job block that no estimate looks at, and the memory that kept estimates may take.
_NOT_IN_ESTIMATES = frozenset(("frame_num", "idr_pic_id", "poc_lsb", "seed", "number", "poc_top", "poc_bottom"))
ESTIMATE_BYTES_MOST = 64 << 20


def _placed(result: CoreResult, window: Window) -> CoreResult:
    """The result with its traffic at addresses of device memory."""
    if window.base == 0 or not result.requests.size:
        return result
    requests = result.requests.copy()
    requests["address"] += np.uint64(window.base)
    return replace(result, requests=requests)


class _Estimate(NamedTuple):
    """What a job of some shape costs, and in which of its areas each request is (None: in none, or in several)."""

    result: CoreResult
    bases: np.ndarray  # of the areas that it was made with
    area_of: np.ndarray | None
    size_bytes: int

    @classmethod
    def of(cls, result: CoreResult, areas: list[Region]) -> "_Estimate":
        bases = np.array([area.address for area in areas], np.int64)
        ends = bases + np.array([area.size_bytes for area in areas], np.int64)
        order = np.argsort(bases, kind="stable")
        addresses = result.requests["address"].astype(np.int64)
        apart = bool(np.all(ends[order][:-1] <= bases[order][1:]))
        place = np.searchsorted(bases[order], addresses, "right") - 1
        inside = apart and bool(np.all(place >= 0)) and bool(np.all(addresses < ends[order][place]))
        size = result.requests.nbytes + result.cycles.nbytes
        return cls(result, bases, order[place] if inside else None, size)

    def at(self, areas: list[Region], window: Window) -> CoreResult:
        """The same work on other buffers."""
        requests = self.result.requests.copy()
        if self.area_of is not None:
            moved = np.array([area.address for area in areas], np.int64) - self.bases + window.base
            requests["address"] += moved[self.area_of].astype(np.uint64)
        elif window.base:
            requests["address"] += np.uint64(window.base)
        return replace(self.result, requests=requests)


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
        # by window and block, until the firmware announces it
        self._foreseen: dict[tuple[Window, bytes], list[Ticket]] = {}
        self._under_way: list[Ticket] = []  # maybe not done, oldest first
        self._pool = ThreadPoolExecutor(threads, "tasic-core") if threads > 1 else None
        self._estimates: dict[tuple[object, ...], _Estimate] = {}
        self._estimate_bytes = 0
        self._lock = threading.Lock()
        self._followers: dict[Ticket, list[Ticket]] = {}
        self._missing: dict[Ticket, int] = {}

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
        kind, fields = unpack_job(block)
        warm.want(kind, fields, self._functional)
        core = self._types[kind]
        memory = self._memory[window.base : window.base + window.size_bytes]
        areas = all_regions(memory, kind, fields)
        if not all(window.holds(area.address, area.size_bytes) for area in areas):
            violation = failed_result(Status.ACCESS_VIOLATION, NO_FIELD)
            return Ticket(kind, fields, [], lambda: violation)
        if not self._functional:
            # Nothing is read or written later: nothing to wait for.
            parameters = parameter_block(memory, kind, fields)
            return Ticket(kind, fields, [], lambda: self._estimated(kind, fields, window, areas, parameters))
        job = build_job(core, fields)

        def compute() -> CoreResult:
            return _placed(core.run(memory, job, core.config), window)

        placed = [area._replace(address=area.address + window.base) for area in areas]
        ticket = Ticket(kind, fields, placed, compute)
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

    def _estimated(
        self, kind: Kind, fields: dict[str, int], window: Window, areas: list[Region], parameters: bytes
    ) -> CoreResult:
        """The estimate of a job. Jobs of the same shape share one, each request moved with the area that it is in."""
        key = (kind, parameters, *((value != 0) if "address" in name else value for name, value in fields.items()
                                   if name not in _NOT_IN_ESTIMATES))  # fmt: skip
        kept = self._estimates.pop(key, None)
        if kept is None:
            core = self._types[kind]
            kept = _Estimate.of(estimate(kind, build_job(core, fields), core.config, parameters), areas)
            self._estimate_bytes += kept.size_bytes
        self._estimates[key] = kept  # youngest last
        while self._estimate_bytes > ESTIMATE_BYTES_MOST and len(self._estimates) > 1:
            self._estimate_bytes -= self._estimates.pop(next(iter(self._estimates))).size_bytes
        if kept.area_of is None and [area.address for area in areas] != kept.bases.tolist():
            core = self._types[kind]
            return _placed(estimate(kind, build_job(core, fields), core.config, parameters), window)
        return kept.at(areas, window)

    def take(self, address: int, window: Window) -> Ticket:
        """The job at `address` starts on a core: its ticket, announced before or now."""
        ticket = self._announced.pop(address, None)
        if ticket is None:
            ticket = self.announce(address, window)
            del self._announced[address]
        return ticket

    def give_back(self, address: int, ticket: Ticket) -> None:
        """The job's core was reset; when the job starts again it has the outcome that it had before."""
        self._announced[address] = ticket

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
