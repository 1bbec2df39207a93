"""Jobs on the cores: from the firmware's start to the end that the registers show, and what the fabric is told of them.

The fabric plays cores and their memory traffic in time order, so what it must hear of (a job's start, a transfer of the
host or of the control processor) is kept until its time comes there. It needs an outcome only when time must pass a
point at which the job could have ended, and no job ends sooner than its floor (`FLOOR_CYCLES`): until then the result,
which host threads may still compute, is not waited for.
"""

import heapq
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from asic_model.bus import Bus, function_register
from asic_model.config import ChipConfig
from asic_model.cores.fabric import Fabric
from asic_model.cores.registry import CoreType
from asic_model.cores.result import CLIENTS, STATUS_CORRUPT_INPUT, STATUS_OK, CoreResult
from asic_model.damage import Damage
from asic_model.descriptors import Kind, Status
from asic_model.executor import Executor
from asic_model.faults import Fault, Faults
from asic_model.registers import map as regs
from asic_model.ticket import Ticket, Window, failed_result
from asic_model.trace import Timeline

# No encode or decode core finishes a macroblock in fewer core cycles: a job's end is never seen before its floor.
FLOOR_CYCLES = 32
# Transfers that wait for the fabric while no core works: beyond so many, all but so many are told.
AHEAD_MOST, AHEAD_LEFT = 48, 16
HOST, CONTROL = CLIENTS.index("host"), CLIENTS.index("control")
NEVER_PS = 1 << 62
COUNTED = ("jobs", "failed", "units", "output_bytes", "samples")  # of every kind of core; cores have more

_Told = tuple[int, int, str, tuple[Any, ...]]  # ps, number, what, arguments


class ChipError(RuntimeError):
    """The model contradicts itself: a defect of the model, never of its input."""


class Watcher(Protocol):
    """Sees a chip's jobs (`asic_model.workload`)."""

    def started(self, core: int, ticket: Ticket, at_ps: int) -> CoreResult | None:
        """A job starts on a core; what is returned, if anything, is taken as its outcome instead of computing one."""

    def ended(self, core: int, end_ps: int, result: CoreResult) -> None:
        """Its end reached the registers."""

    def completed(self, completion: dict[str, int]) -> None:
        """The firmware wrote a completion."""


class _Running(NamedTuple):
    """A job on a core."""

    ticket: Ticket
    result: CoreResult | None  # in place of the ticket's own
    start_ps: int
    floor_ps: int  # its end is not seen before
    address: int  # of its block
    faults: tuple[Fault, ...] = ()


class CoreJobs:
    """The jobs on a chip's cores. Times are passed in.

    window  says where a function's addresses are
    counts  what jobs of each kind did, summed up, by section of the chip description
    """

    def __init__(
        self, config: ChipConfig, types: dict[Kind, CoreType], bus: Bus, fabric: Fabric, executor: Executor,
        damage: Damage, faults: Faults, window: Callable[[int], Window], watcher: Watcher | None,
        timeline: Timeline | None,
    ) -> None:  # fmt: skip
        self._floor_ps = FLOOR_CYCLES * config.clocks.core_ps  # a macroblock
        self._types = types
        self._bus = bus
        self._fabric = fabric
        self._executor = executor
        self._damage = damage
        self._faults = faults
        self._window = window
        self._watcher = watcher
        self._timeline = timeline
        self._running: dict[int, _Running] = {}
        self._hung: dict[int, _Running] = {}  # cores that stand still in the middle of a job
        self._resetting: set[int] = set()  # cores whose job is only to run out
        self.quiet_ps = NEVER_PS  # up to here no core changes a register
        self._ahead: list[_Told] = []  # what the fabric has not been told yet, in time order
        self._ahead_count = 0
        self.counts: dict[str, dict[str, int]] = {}

    @property
    def any_running(self) -> bool:
        return bool(self._running)

    @property
    def any_to_spoil(self) -> bool:
        """Whether a fault is to change what a job puts out, one that runs or one that comes."""
        struck = (fault for running in self._running.values() for fault in running.faults)
        return self._faults.any_spoils or any(fault.kind == "wrong_result" for fault in struck)

    # ---------------------------------------------------------------------------------------- the firmware's doings

    def start(self, core: int, at_ps: int) -> None:
        """The firmware starts the job whose block the core's job registers name."""
        bus = self._bus
        if core in self._running or core in self._hung or bus.core_kind(core) == Kind.NONE:
            return
        address = bus.job_address(core)
        ticket = self._executor.take(address, self._window(bus.core_function(core)))
        if ticket.kind != bus.core_kind(core):
            raise ChipError(f"core {core} was given a job of kind {ticket.kind.name}")
        if self._watcher is not None:
            given = self._watcher.started(core, ticket, at_ps)
            if given is not None:
                ticket.give(given)
        floor_ps = at_ps
        if ticket.kind in (Kind.ENCODE, Kind.DECODE):
            macroblocks = -(-ticket.shape["width"] // 16) * -(-ticket.shape["height"] // 16)
            if ticket.shape.get("structure", 3) != 3:  # a field has half of the frame's
                macroblocks //= 2
            floor_ps += macroblocks * self._floor_ps
        faults = tuple(self._faults.of_job(core))
        altered = self._damage.outcome(ticket, faults) if faults or self._damage.any_words else None
        self._running[core] = _Running(ticket, altered, at_ps, floor_ps, address, faults)
        bus.core_started(core, at_ps)
        if self._timeline is not None:
            self._timeline.started(core, ticket.kind.name.lower(), address, at_ps)
        self.quiet_ps = min(self.quiet_ps, floor_ps)
        self._tell(at_ps, "start", core)

    def reset(self, core: int, at_ps: int) -> None:
        """The firmware resets a core: its job ends at once if the core hangs, else when its traffic has run out."""
        if core in self._hung:
            self._running[core] = self._hung.pop(core)
            self._resetting.add(core)
            self._end(core, at_ps)
        elif core in self._running:
            self._resetting.add(core)

    def forget_all(self) -> None:
        """The chip is being reset: no job's end shall be seen; call `next_end` until none runs, then `forgotten`."""
        self._resetting |= set(self._running)
        self._hung.clear()

    def forgotten(self) -> None:
        """Cores are free again."""
        self._resetting.clear()

    # ---------------------------------------------------------------------------------------------- time in the fabric

    def transfer(self, at_ps: int, client: int, address: int, size: int, write: bool, duration_ps: int) -> None:
        """Note a transfer of the host or of the control processor."""
        self._ahead_count = number = self._ahead_count + 1
        now_ps = self._fabric.now_ps
        if at_ps < now_ps:
            at_ps = now_ps
        # as `Fabric.play` takes it
        heapq.heappush(
            self._ahead, (at_ps, number, "transfer", (at_ps, client, address, size, int(write), duration_ps))
        )

    def control_moves(self, moves: list[list[int]], tick_ps: int) -> None:
        """Note moves of the control processor: [ticks, device address, bytes, whether it wrote]."""
        ahead, number, now_ps = self._ahead, self._ahead_count, self._fabric.now_ps
        for ticks, address, size, write in moves:
            number += 1
            at_ps = ticks * tick_ps
            if at_ps < now_ps:
                at_ps = now_ps
            heapq.heappush(ahead, (at_ps, number, "transfer", (at_ps, CONTROL, address, size, write, 0)))
        self._ahead_count = number

    def next_end(self, until_ps: int) -> bool:
        """Let the cores work up to the next end of a job, at most to `until_ps`; whether one ended."""
        if self.quiet_ps > until_ps:
            # Nothing contends: the fabric hears of transfers whenever it is next needed, or here if many wait.
            if not self._running and len(self._ahead) > AHEAD_MOST:
                self._tell_fabric(until_ps, AHEAD_LEFT)
            return False
        while True:
            moves = self._moves(until_ps)
            waiting = bool(self._ahead) and self._ahead[0][0] <= until_ps  # a start, or an end that was put off
            ended, made = self._fabric.play([move[3] for move in moves], self._ahead[0][0] if waiting else until_ps)
            for move in moves[made:]:
                heapq.heappush(self._ahead, move)
            if ended:
                if self._ended(ended):
                    return True
            elif not waiting:
                break
            elif self._apply(heapq.heappop(self._ahead)):
                return True
        self.quiet_ps = self._lower_bound()
        return False

    def settle(self, until_ps: int) -> None:
        """Tell the fabric all that it has not been told, while no core works, and bring it to `until_ps`."""
        if not self._running:
            self._tell_fabric(NEVER_PS)
            self._fabric.advance(until_ps)

    @property
    def host_bytes_ahead(self) -> int:
        """Bytes of the host's transfers that the fabric has not been told of."""
        return sum(move[3] for _, _, what, move in self._ahead if what == "transfer" and move[1] == HOST)

    def _tell(self, at_ps: int, what: str, *arguments: Any) -> None:
        """Note something that the fabric must hear of when its time comes there."""
        self._ahead_count += 1
        heapq.heappush(self._ahead, (max(at_ps, self._fabric.now_ps), self._ahead_count, what, arguments))

    def _moves(self, until_ps: int, keep: int = 0) -> list[_Told]:
        """Take the transfers that come next, up to `until_ps`, but for the last `keep`."""
        ahead, found = self._ahead, []
        left = len(ahead) - keep
        while left > 0 and ahead[0][0] <= until_ps and ahead[0][2] == "transfer":
            found.append(heapq.heappop(ahead))
            left -= 1
        return found

    def _tell_fabric(self, until_ps: int, keep: int = 0) -> None:
        """Tell the fabric of transfers while no core works."""
        moves = self._moves(until_ps, keep)
        if moves:
            self._fabric.play([move[3] for move in moves], moves[-1][0])

    def _lower_bound(self) -> int:
        """A time before which no job can be seen to end."""
        found = self._fabric.next_finish_lower_bound()
        bounds = [item[0] for item in self._ahead if item[2] == "end"]
        bounds += [self._running[item[3][0]].floor_ps for item in self._ahead if item[2] == "start"]
        return min(bounds if found is None else [*bounds, found])

    # ------------------------------------------------------------------------------------------------------- ends

    def _ended(self, ended: list[tuple[int, int]]) -> bool:
        """Jobs ended in the fabric; whether one is seen to. Ends that come before their floor are put off to it."""
        seen = False
        for core, end_ps in ended:
            floor_ps = self._running[core].floor_ps
            if end_ps < floor_ps:
                self._tell(floor_ps, "end", core)
            else:
                self._end(core, end_ps)
                seen = True
        return seen

    def _apply(self, item: _Told) -> bool:
        """Do one thing whose time has come, a start or an end that was put off; whether a job was seen to end."""
        at_ps, _, what, arguments = item
        if what == "start":
            (core,) = arguments
            running = self._running[core]
            self._fabric.start(core, running.result or running.ticket.result(), at_ps)
            return False
        self._end(arguments[0], at_ps)
        return True

    def _end(self, core: int, end_ps: int) -> None:
        """A job's end reaches the registers."""
        running = self._running.pop(core)
        if not self._running:
            self.quiet_ps = NEVER_PS
        result = running.result or running.ticket.result()
        if core in self._resetting:
            self._resetting.remove(core)
            self._executor.give_back(running.address, running.ticket)
            result = failed_result(Status.CORE_RESET, 0)
        elif running.faults:
            kinds = {fault.kind for fault in running.faults}
            if "engine_hang" in kinds:
                self._hung[core] = running
                return
            if "wrong_result" in kinds:
                self._damage.spoil(running.ticket, result)
                if not self.any_to_spoil:
                    self._executor.let_go()
        if result.status == Status.ACCESS_VIOLATION:
            self._bus.count_up(regs.CORE_VIOLATIONS)
            if function := self._bus.core_function(core):
                self._bus.count_up(function_register(function, regs.FUNCTIONS_VIOLATIONS))
        self._count(running.ticket, result)
        if self._watcher is not None:
            self._watcher.ended(core, end_ps, result)
        self._bus.core_ended(core, end_ps, result)
        if self._timeline is not None:
            self._timeline.ended(core, end_ps)

    def _count(self, ticket: Ticket, result: CoreResult) -> None:
        section = self._types[ticket.kind].section
        counters = self.counts.setdefault(
            section, {"jobs": 0, "failed": 0, "units": 0, "output_bytes": 0, "samples": 0}
        )
        counters["jobs"] += 1
        counters["failed"] += result.status not in (STATUS_OK, STATUS_CORRUPT_INPUT)
        counters["units"] += len(result.cycles)
        counters["output_bytes"] += result.output_bytes
        counters["samples"] += ticket.shape["width"] * ticket.shape["height"]
        for name, value in result.counters.items():
            counters[name] = counters.get(name, 0) + value
