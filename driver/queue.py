"""One command queue: a ring of commands down, a ring of completions up, a doorbell, and fences for those who wait.

Indices run freely in 32 bits, slot = index mod size; asic_model/descriptors.py says the whole protocol. Job blocks
stand in their own ring beside the commands: block slot = command slot, so both are free again together.

What was staged and is not completed is remembered, so that it can be staged again after a reset (`restage`). Sessions
go by handles here: the device knows the firmware's number of each, which a reset changes. Sequence numbers never do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asic_model import descriptors
from asic_model.descriptors import BLOCK_BYTES, RECORD_BYTES, CapacityLimit, Command, Status
from asic_model.registers import map as regs
from driver.errors import (
    AccessViolation,
    BadJob,
    CapacityExceeded,
    DeviceLost,
    JobFailed,
    JobTimedOut,
    LinkDown,
    MemoryCorrupted,
    OutputOverflow,
    QueueFull,
    SessionReset,
    TasicError,
    UnsupportedInput,
)

if TYPE_CHECKING:
    from driver.device import Device

RING_LOG2 = 8
HEAD_STEP = 32  # completions that the firmware is told of together: each telling wakes it
MASK32 = 0xFFFFFFFF
QUEUE_STATE_REASONS = {
    regs.QueueState.STOPPED: "it is stopped",
    regs.QueueState.BAD_VERSION: "no descriptor version was agreed on",
    regs.QueueState.BAD_RING: "the firmware refuses its rings",
    regs.QueueState.BAD_INDEX: "an index left its ring",
    regs.QueueState.DRAINING: "it is being stopped",
}


class Fence:
    """The promise of one command's completion."""

    __slots__ = ("_device", "callback", "completion", "sequence", "session")

    def __init__(self, device: "Device", sequence: int, session: int) -> None:
        self._device = device
        self.sequence = sequence
        self.session = session
        self.completion: dict[str, int] | None = None
        self.callback: Callable[[dict[str, int]], None] | None = None  # called once, by the thread that collects

    @property
    def done(self) -> bool:
        return self.completion is not None

    def wait(self, timeout_us: int | None = None) -> dict[str, int]:
        """Let simulated time pass until the command completed; return its completion record.

        Raises TryAgain after `timeout_us` (None: no limit but the device's deadline), DeviceLost when it stopped.
        """
        self._device.wait_until(lambda: self.done, timeout_us, what=f"command {self.sequence}")
        assert self.completion is not None
        return self.completion


@dataclass(slots=True)
class Staged:
    """A command that has not completed, as it was given to `stage`."""

    fence: Fence
    command: Command
    block: bytes | None
    wait_session: int
    wait_sequence: int
    deadline_us: int
    core: int
    runs: int = 1
    given_up: bool = False  # whoever sent it waits no more: it is not run again


class Queue:
    """Queue `number` of a device. All calls come from the device, under its lock."""

    def __init__(self, device: "Device", number: int, priority: int = 0) -> None:
        self._device = device
        self._backend = device.backend
        self.number = number
        self.priority = priority
        self.size = 1 << RING_LOG2
        self._offset = number * regs.QUEUES_STRIDE
        self._spans = [
            device.allocator.allocate(self.size * RECORD_BYTES, RECORD_BYTES, "a command ring"),
            device.allocator.allocate(self.size * RECORD_BYTES, RECORD_BYTES, "a completion ring"),
            device.allocator.allocate(self.size * BLOCK_BYTES, BLOCK_BYTES, "job blocks"),
        ]
        self._commands, self._completions, self._blocks = (span.address for span in self._spans)
        # registers that every command needs
        self._tail_register, self._completion_tail_register, self._completion_head_register = map(
            self.register, (regs.QUEUES_TAIL, regs.QUEUES_COMPLETION_TAIL, regs.QUEUES_COMPLETION_HEAD)
        )
        self._tail = self._head = self._completion_head = self._told_head = 0
        self._sequence = 0
        self._staged: dict[int, Staged] = {}  # by sequence, in order
        self.enabled = False  # the firmware takes commands from these rings
        self._touched = False

    def register(self, address: int) -> int:
        """Address of one of this queue's registers."""
        return address + self._offset

    def start(self) -> None:
        """Enable the queue; what an attempt before that failed may have left behind is stopped first."""
        if self._touched and self.state() is not regs.QueueState.STOPPED:
            self._stop()
        self.enable()

    def enable(self) -> None:
        """Tell the firmware where the rings are and wait until it takes commands from them."""
        self._touched, self.enabled = True, False
        self._tail = self._head = self._completion_head = self._told_head = 0
        write = self._backend.write32
        for low, high, address in (
            (regs.QUEUES_BASE_LOW, regs.QUEUES_BASE_HIGH, self._commands),
            (regs.QUEUES_COMPLETION_BASE_LOW, regs.QUEUES_COMPLETION_BASE_HIGH, self._completions),
        ):
            write(self.register(low), address & MASK32)
            write(self.register(high), address >> 32)
        write(self.register(regs.QUEUES_TAIL), 0)
        write(self.register(regs.QUEUES_COMPLETION_HEAD), 0)
        control = regs.QUEUES_CONTROL_SIZE_LOG2.put(RING_LOG2, regs.QUEUES_CONTROL_ENABLE.put(1))
        control = regs.QUEUES_CONTROL_PRIORITY.put(self.priority, control)
        write(self.register(regs.QUEUES_CONTROL), control)
        self._device.wait_register(
            lambda: self.state() not in (regs.QueueState.STOPPED, regs.QueueState.DRAINING), f"queue {self.number}"
        )
        self.check()
        self.enabled = True

    def state(self) -> regs.QueueState:
        word = self._backend.read32(self.register(regs.QUEUES_STATUS))
        if word == MASK32:
            raise LinkDown("the host link is down")
        return regs.QueueState(regs.QUEUES_STATUS_STATE.get(word))

    def check(self) -> None:
        """Raise DeviceLost when the firmware stopped this queue."""
        state = self.state()
        if state is not regs.QueueState.RUNNING:
            raise DeviceLost(f"queue {self.number} does not run: {QUEUE_STATE_REASONS[state]}", queue=self.number)

    @property
    def room(self) -> int:
        """Free command slots, one at least if there is any: asks the device only when none is known to be free."""
        return self.room_for(1)

    def room_for(self, count: int) -> int:
        """Free command slots; asks the device when fewer than `count` are known to be free."""
        free = self.size - (self._tail - self._head & MASK32)
        if free < count:
            self._head = self._backend.read32(self.register(regs.QUEUES_HEAD))
            free = self.size - (self._tail - self._head & MASK32)
        # a completion slot is kept for every command, so the completion ring cannot stop the queue
        slots = self.size - len(self._staged)
        if slots - (self._completion_head - self._told_head & MASK32) < count:
            self._tell_head()
        return min(free, slots - (self._completion_head - self._told_head & MASK32))

    def stage(
        self, command: Command, *, session: int = 0, block: bytes | None = None, wait_session: int = 0,
        wait_sequence: int = 0, deadline_us: int = 0, core: int = 0,
    ) -> Fence:  # fmt: skip
        """Write one command and its block into the rings, behind the doorbell; `ring()` makes them visible.

        session, wait_session: handles, as `FirmwareSessions.open` gives them. deadline_us: when it should be done, from
        the doorbell on (0: no deadline). core: 1 + number of the core that must run it (0: any).
        """
        if self.room <= 0:
            raise QueueFull(f"queue {self.number} is full ({self.size} commands)", queue=self.number, size=self.size)
        self._sequence += 1
        fence = Fence(self._device, self._sequence, session)
        staged = Staged(fence, command, block, wait_session, wait_sequence, deadline_us, core)
        self._write(staged)
        self._staged[self._sequence] = staged
        return fence

    def stage_when_free(self, command: Command, **fields: Any) -> Fence:
        """As `stage`, but let time pass until a slot is free: other sessions may have filled the ring."""
        try:
            return self.stage(command, **fields)
        except QueueFull:
            self.ring()  # what is staged must run, or no slot comes free
            self._device.wait_until(lambda: self.room > 0, what=f"a slot of queue {self.number}")
        return self.stage(command, **fields)

    def give_up(self, fence: Fence) -> None:
        """Nobody waits for the command any more: it is not run again after a reset."""
        if fence.sequence in self._staged:
            self._staged[fence.sequence].given_up = True

    def _write(self, staged: Staged) -> None:
        """Put a command into the next slot."""
        slot = self._tail % self.size
        address = 0
        if staged.block is not None:
            address = self._blocks + slot * BLOCK_BYTES
            self._backend.memory_write(address, staged.block)
        fence, number = staged.fence, self._device.firmware_sessions.number
        # What has completed need not be waited for, and after a reset the firmware would not know it.
        waits = staged.wait_sequence if staged.wait_sequence in self._staged else 0
        record = descriptors.pack_sent(
            staged.command, fence.sequence, number(fence.session), number(staged.wait_session) if waits else 0, waits,
            address, fence.sequence, staged.deadline_us, staged.core,
        )  # fmt: skip
        self._backend.memory_write(self._commands + slot * RECORD_BYTES, record)
        self._tail = self._tail + 1 & MASK32

    def ring(self) -> None:
        """The doorbell: all staged commands belong to the firmware now."""
        self._backend.write32(self._tail_register, self._tail)

    def collect(self) -> int:
        """Take the completions that are there, call their fences back; return how many there were."""
        tail = self._backend.read32(self._completion_tail_register)
        waiting = tail - self._completion_head & MASK32
        if waiting > self.size:
            raise DeviceLost(f"queue {self.number}: {waiting} completions in a ring of {self.size}")
        count = 0
        while count < waiting:
            slot = self._completion_head % self.size
            piece = min(waiting - count, self.size - slot)  # up to the end of the ring, in one transfer
            records = self._backend.memory_read(self._completions + slot * RECORD_BYTES, piece * RECORD_BYTES)
            for at in range(0, piece * RECORD_BYTES, RECORD_BYTES):
                self._finish(descriptors.unpack_completion(records[at : at + RECORD_BYTES]))
            self._completion_head = self._completion_head + piece & MASK32
            count += piece
        if (self._completion_head - self._told_head & MASK32) >= HEAD_STEP:
            self._tell_head()
        return count

    def _tell_head(self) -> None:
        """Tell the firmware which completions were taken: their slots are free again."""
        self._backend.write32(self._completion_head_register, self._completion_head)
        self._told_head = self._completion_head

    def _finish(self, completion: dict[str, int]) -> None:
        staged = self._staged.pop(completion["user_data"], None)
        if staged is None:
            raise DeviceLost(f"queue {self.number}: completion of a command that nobody sent", completion=completion)
        try:
            self._settle(staged.fence, completion)
        except TasicError as error:  # its result could not be fetched: nobody else will say so
            self._device.fail_sessions(staged.fence.session, error)
            raise

    @staticmethod
    def _settle(fence: Fence, completion: dict[str, int]) -> None:
        fence.completion = completion
        # It holds what waits for the fence, which holds the fence: no circle for the garbage collector to find.
        callback, fence.callback = fence.callback, None
        if callback is not None:
            callback(completion)

    @property
    def outstanding(self) -> int:
        return len(self._staged)

    # -- after a reset --------------------------------------------------------------------------------------------

    def take_back(self, may_run: Callable[[int], bool], most_runs: int) -> list[Staged]:
        """The device forgot all commands: return those that can run again, in order; end the others as ABORTED.

        may_run   whether commands of a session (by handle) may run again
        most_runs how often one command may be given to the device at all
        Commands that wait for one that is aborted are aborted too; sessions are closed by the reset itself, so that
        those that were being closed are not opened again.
        """
        again: list[Staged] = []
        lost: set[tuple[int, int]] = set()
        former, self._staged = list(self._staged.values()), {}
        for staged in former:
            fence = staged.fence
            if staged.command is Command.CLOSE_SESSION:
                self._device.firmware_sessions.forget(fence.session)
                self._settle(fence, _completion(staged, descriptors.Status.OK))
            elif staged.given_up:
                self._settle(fence, _completion(staged, descriptors.Status.ABORTED))
            elif staged.command is Command.OPEN_SESSION:
                again.append(staged)
            elif (
                staged.runs >= most_runs
                or not may_run(fence.session)
                or (staged.wait_session, staged.wait_sequence) in lost
            ):
                lost.add((fence.session, fence.sequence))
                self._settle(fence, _completion(staged, descriptors.Status.ABORTED))
            else:
                again.append(staged)
        return again

    def abandon(self, commands: list[Staged]) -> None:
        """End commands that were taken back as ABORTED."""
        for staged in commands:
            if staged.fence.completion is None:
                self._settle(staged.fence, _completion(staged, descriptors.Status.ABORTED))

    def restage(self, commands: list[Staged]) -> None:
        """Put commands that were taken back on the ring again, with the numbers that they had."""
        for staged in commands:
            staged.runs += 1
            self._write(staged)
            self._staged[staged.fence.sequence] = staged
        if commands:
            self.ring()

    def close(self) -> None:
        """Stop the queue and give its memory back."""
        self._stop()
        self._device.allocator.release(self._spans)

    def _stop(self) -> None:
        self.enabled = False
        self._backend.write32(self.register(regs.QUEUES_CONTROL), 0)
        self._device.wait_register(lambda: self.state() is regs.QueueState.STOPPED, f"queue {self.number} to stop")


def _completion(staged: Staged, status: int) -> dict[str, int]:
    """The completion of a command that the device will not complete any more."""
    values = dict.fromkeys((field.name for field in descriptors.COMPLETION.fields), 0)
    sequence = staged.fence.sequence
    return values | {"type": int(staged.command), "status": int(status), "sequence": sequence, "user_data": sequence}


def failure(completion: dict[str, int], kind: descriptors.Kind | None = None) -> TasicError | None:
    """Return the error that a completion stands for, None when all is well."""
    status, detail = completion["status"], completion["detail"]
    if status == Status.OK:
        return None
    info = {"status": status, "detail": detail, "sequence": completion["sequence"]}
    if status == Status.BAD_FIELD:
        layout = descriptors.JOB_BLOCKS.get(kind) if kind is not None else None
        field = layout.body[detail] if layout and detail < len(layout.body) else None
        if field is None:
            return BadJob(f"the chip refuses field {detail} of a job", **info)
        return BadJob(f"the chip refuses {field.name}: legal is {field.low}..{field.high}", field=field.name, **info)
    if status == Status.OUTPUT_FULL:
        return OutputOverflow("a coded picture did not fit its stream buffer", **info)
    if status == Status.NO_CAPACITY:
        rate = detail in (CapacityLimit.ENCODE_RATE, CapacityLimit.FUNCTION_ENCODE_RATE)
        why = "the encode rate is granted already" if rate else "all sessions are open"
        limit = "encode_rate" if rate else "sessions"
        return CapacityExceeded(f"the chip takes no further session: {why}", limit=limit, **info)
    if status == Status.ACCESS_VIOLATION:
        layout = descriptors.JOB_BLOCKS.get(kind) if kind is not None else None
        name = layout.body[detail].name if layout and detail < len(layout.body) else "an address"
        return AccessViolation(f"{name} is outside of this client's memory", field=name, **info)
    if status == Status.TIMED_OUT:
        return JobTimedOut(f"a job did not end in its time, {detail} times; its core was reset", **info)
    if status == Status.MEMORY_ERROR:
        return MemoryCorrupted(f"ECC cannot correct device memory near {detail * 64:#x}", address=detail * 64, **info)
    if status == Status.ABORTED:
        return SessionReset("a job in flight was lost when its queue was stopped or the device reset", **info)
    if status == Status.NO_CORE:
        return UnsupportedInput("this chip has no core of that kind", **info)
    if status >= Status.BAD_VERSION:
        known = {int(member): member.name for member in Status}
        return BadJob(f"the firmware refuses a command: {known.get(status, status)} (detail {detail})", **info)
    return JobFailed(f"a core failed with status {status} (detail {detail})", **info)
