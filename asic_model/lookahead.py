"""Sees from the host's doorbells which jobs will come, so that their pixels are computed before the chip gets there.

The chip is played only as far as the host looks: posted writes wait until the host reads or waits. A job that stands
on a ring is known by then, and as far as its pixels go, so is all it needs: a job's result does not depend on time,
and its inputs belong to the device from the doorbell on. So it is made known to the executor at once. When the
firmware has judged it, the block that it hands to a core is the same, and the result is there or under way.

Left to the firmware are jobs of sessions whose QP it chooses (rate control, constant quality), jobs that it might
refuse, and with them all that comes after them: later jobs of the session, and jobs whose fence waits for that session.
A command that ends well as another job than the one foreseen is a defect of this file, and said so. What a refused
job would have written is undefined by the protocol (the buffers are the device's until the completion), so a wrong
guess does no harm beyond them. Guesses depend on the host's calls alone, never on threads.
"""

from collections.abc import Callable

import numpy as np

from asic_model import descriptors
from asic_model.bus import FIRMWARE_AREA_BYTES, WINDOW_AREA_BYTES, function_of
from asic_model.core_jobs import ChipError
from asic_model.descriptors import BLOCK_BYTES, JOB_COMMANDS, RECORD_BYTES, Command, Kind, Status
from asic_model.executor import Executor
from asic_model.registers import map as regs
from asic_model.ticket import Ticket, Window

_KINDS: dict[int, Kind] = {int(command): kind for command, kind in JOB_COMMANDS.items()}


class Lookahead:
    """Follows the host's register writes and the firmware's completions; makes jobs known to `executor`.

    windows      says where a function's addresses are
    when_rung    is told (queue, sequence) of every command that a doorbell shows
    """

    def __init__(
        self, memory: np.ndarray, executor: Executor, kinds: set[Kind], windows: Callable[[int], Window],
        when_rung: Callable[[int, int], None] | None = None,
    ) -> None:  # fmt: skip
        self._memory = memory
        self._executor = executor
        self._kinds = kinds
        self._windows = windows
        self._when_rung = when_rung
        self.forget()

    def forget(self) -> None:
        """The chip was reset."""
        self._written: dict[int, int] = {}  # what the host wrote last, by register
        self._rings: list[tuple[int, int, int]] | None = []  # see `_ring_table`; None: look again
        # Sessions being opened, by (queue, sequence), and open ones, by number: queue, kind, under rate control?
        self._opening: dict[tuple[int, int], tuple[int, int, bool]] = {}
        self._sessions: dict[int, tuple[int, int, bool]] = {}
        # foreseen jobs by (queue, sequence)
        self._jobs: dict[tuple[int, int], tuple[bytes, Window, Ticket]] = {}
        # Jobs left to the firmware and not completed, by session: what comes after them must be left to it too.
        self._left: dict[int, set[tuple[int, int]]] = {}

    def host_wrote(self, address: int, value: int) -> None:
        """The host wrote a register; a doorbell shows new commands."""
        former = self._written.get(address, 0)
        self._written[address] = value
        queue, offset = divmod(address - regs.QUEUES_CONTROL, regs.QUEUES_STRIDE)
        if not 0 <= queue < regs.QUEUES_COUNT or offset == regs.QUEUES_COMPLETION_HEAD - regs.QUEUES_CONTROL:
            return
        if offset != regs.QUEUES_TAIL - regs.QUEUES_CONTROL:
            self._rings = None
            if offset == 0 and (former ^ value) & regs.QUEUES_CONTROL_ENABLE.mask:
                self._forget_queue(queue)
            return
        base, size = self._ring(queue, regs.QUEUES_BASE_LOW)
        count = value - former & 0xFFFFFFFF
        if not 0 < count <= size or not 0 <= base <= self._memory.size - size * RECORD_BYTES:
            return
        for index in range(former, former + count):
            place = base + index % size * RECORD_BYTES
            command = descriptors.COMMAND.unpack(self._memory[place : place + RECORD_BYTES].tobytes())
            if self._when_rung is not None:
                self._when_rung(queue, command["sequence"])
            self._look(queue, command)

    def _forget_queue(self, queue: int) -> None:
        """A queue is stopped or begins anew: none of the commands on its ring will run, and their sequence numbers,
        even the very same blocks, may come again and mean other pictures."""
        for key in [key for key in self._jobs if key[0] == queue]:
            self._executor.refused(*self._jobs.pop(key))
        for key in [key for key in self._opening if key[0] == queue]:
            del self._opening[key]
        for session in [number for number, known in self._sessions.items() if known[0] == queue]:
            del self._sessions[session]
        for session, left in list(self._left.items()):
            left -= {key for key in left if key[0] == queue}
            if not left:
                del self._left[session]

    def firmware_wrote(self, address: int, record: bytes) -> tuple[int, dict[str, int]] | None:
        """The firmware wrote a record to device memory: completions tell which sessions there are.

        Returns (queue, fields) of a completion.
        """
        for queue, base, size_bytes in self._ring_table():
            if base <= address < base + size_bytes and queue >= 0:
                done = descriptors.unpack_completion(record)
                session = self._opening.pop((queue, done["sequence"]), None)
                if session is not None and done["status"] == Status.OK:
                    self._sessions[done["session"]] = session
                left = self._left.get(done["session"])
                if left is not None:
                    left.discard((queue, done["sequence"]))
                    if not left:
                        del self._left[done["session"]]
                job = self._jobs.pop((queue, done["sequence"]), None)
                if job is not None and done["status"] >= Status.BAD_VERSION:
                    self._executor.refused(*job)
                elif job is not None and done["status"] == Status.OK and self._executor.is_foreseen(*job):
                    # What later jobs were computed from is then not what was asked for.
                    raise ChipError(f"queue {queue}: command {done['sequence']} ran another job than the one foreseen")
                return queue, done
        return None

    def _ring(self, queue: int, low: int) -> tuple[int, int]:
        """(address in device memory, records) of a ring as the host set it up last."""
        offset = queue * regs.QUEUES_STRIDE
        high = low + regs.QUEUES_BASE_HIGH - regs.QUEUES_BASE_LOW
        control = self._written.get(regs.QUEUES_CONTROL + offset, 0)
        address = self._written.get(low + offset, 0) | self._written.get(high + offset, 0) << 32
        address += self._windows(function_of(queue)).base
        return address, 1 << regs.QUEUES_CONTROL_SIZE_LOG2.get(control)

    def _ring_table(self) -> list[tuple[int, int, int]]:
        """(queue, address, bytes) of each completion ring, (-1, address, bytes) of each command ring."""
        if self._rings is None:
            self._rings = []
            for queue in range(regs.QUEUES_COUNT):
                if self._written.get(regs.QUEUES_CONTROL + queue * regs.QUEUES_STRIDE, 0):
                    for low, name in ((regs.QUEUES_COMPLETION_BASE_LOW, queue), (regs.QUEUES_BASE_LOW, -1)):
                        base, size = self._ring(queue, low)
                        self._rings.append((name, base, size * RECORD_BYTES))
        return self._rings

    def _look(self, queue: int, command: dict[str, int]) -> None:
        """Take note of sessions; announce a job that will surely run as it stands."""
        address, kind = command["block_address"], _KINDS.get(command["type"], Kind.NONE)
        window = self._windows(function_of(queue))
        if not window.holds(address, BLOCK_BYTES):
            return
        address += window.base
        block = self._memory[address : address + BLOCK_BYTES].tobytes()
        known = self._sessions.get(command["session"])
        if command["type"] in (Command.OPEN_SESSION, Command.RECONFIGURE):
            fields = descriptors.SESSION_BLOCK.unpack(block)
            # as the firmware's `rate_active` has it
            controlled = bool(fields["bit_rate"] or fields["max_rate"] or fields["quality_qp"])
            if command["type"] == Command.OPEN_SESSION:
                self._opening[queue, command["sequence"]] = (queue, fields["kind"], controlled)
            elif known is not None:
                # Once under rate control, a session's jobs stay the firmware's.
                self._sessions[command["session"]] = (*known[:2], known[2] or controlled)
        elif command["type"] == Command.CLOSE_SESSION:
            self._sessions.pop(command["session"], None)
        elif kind in self._kinds:
            key = queue, command["sequence"]
            follows = command["session"] in self._left or command["wait_session"] in self._left
            if follows or known != (queue, kind, False) or not self._is_legal(kind, block, window):
                self._left.setdefault(command["session"], set()).add(key)
            elif key not in self._jobs:
                self._jobs[key] = (block, window, self._executor.foresee(block, window))

    def _is_legal(self, kind: Kind, block: bytes, window: Window) -> bool:
        """Whether the job stays within bounds: in its fields' ranges, in memory, off the firmware's area and rings."""
        layout = descriptors.JOB_BLOCKS[kind]
        fields = layout.unpack(block)
        if fields["kind"] != kind or not all(f.low <= fields[f.name] <= f.high for f in layout.fields):
            return False
        areas = descriptors.regions(kind, fields)
        least = WINDOW_AREA_BYTES if window.base else FIRMWARE_AREA_BYTES
        if any(a.address < least or not window.holds(a.address, a.size_bytes) for a in areas):
            return False
        if window.base:
            areas = [area._replace(address=area.address + window.base) for area in areas]
        taken = [(area.address, area.size_bytes) for area in areas]
        taken += [(base, size_bytes) for _, base, size_bytes in self._ring_table()]
        return not any(
            area.write and i != j and area.address < base + size and base < area.address + area.size_bytes
            for i, area in enumerate(areas)
            for j, (base, size) in enumerate(taken)
        )
