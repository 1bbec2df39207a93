"""Sees from the host's doorbells which jobs will come, so that their pixels are computed before the chip gets there.

The chip is played only as far as the host looks: posted writes wait until the host reads or waits. A job that stands
on a ring is known by then, and as far as its pixels go, so is all it needs: a job's result does not depend on time,
and its inputs belong to the device from the doorbell on. So it is made known to the executor at once. When the
firmware has judged it, the block that it hands to a core is the same, and the result is there or under way.

Left to the firmware are jobs of sessions under rate control, whose QP it chooses, jobs that it might refuse, and with
them all that comes after them: later jobs of the session, and jobs whose fence waits for that session. What a refused
job would have written is undefined by the protocol (the buffers are the device's until the completion), so a wrong
guess does no harm beyond them. Guesses depend on the host's calls alone, never on threads.
"""

import numpy as np

from asic_model import descriptors
from asic_model.bus import FIRMWARE_AREA_BYTES
from asic_model.descriptors import BLOCK_BYTES, JOB_COMMANDS, RECORD_BYTES, Command, Kind, Status
from asic_model.executor import Executor, Ticket
from asic_model.registers import map as regs

_KINDS: dict[int, Kind] = {int(command): kind for command, kind in JOB_COMMANDS.items()}


class Lookahead:
    """Follows the host's register writes and the firmware's completions; makes jobs known to `executor`."""

    def __init__(self, memory: np.ndarray, executor: Executor, kinds: set[Kind]) -> None:
        self._memory = memory
        self._executor = executor
        self._kinds = kinds
        self.forget()

    def forget(self) -> None:
        """The chip was reset."""
        self._written: dict[int, int] = {}  # what the host wrote last, by register
        # Sessions being opened, by (queue, sequence), and open ones, by number: queue, kind, under rate control?
        self._opening: dict[tuple[int, int], tuple[int, int, bool]] = {}
        self._sessions: dict[int, tuple[int, int, bool]] = {}
        self._jobs: dict[tuple[int, int], tuple[bytes, Ticket]] = {}  # foreseen jobs by (queue, sequence)
        # Jobs left to the firmware and not completed, by session: what comes after them must be left to it too.
        self._left: dict[int, set[tuple[int, int]]] = {}

    def host_wrote(self, address: int, value: int) -> None:
        """The host wrote a register; a doorbell shows new commands."""
        former = self._written.get(address, 0)
        self._written[address] = value
        queue, offset = divmod(address - regs.QUEUES_CONTROL, regs.QUEUES_STRIDE)
        if not 0 <= queue < regs.QUEUES_COUNT or offset != regs.QUEUES_TAIL - regs.QUEUES_CONTROL:
            return
        base, size = self._ring(queue, regs.QUEUES_BASE_LOW)
        count = value - former & 0xFFFFFFFF
        if not 0 < count <= size or not 0 <= base <= self._memory.size - size * RECORD_BYTES:
            return
        for index in range(former, former + count):
            place = base + index % size * RECORD_BYTES
            self._look(queue, descriptors.COMMAND.unpack(self._memory[place : place + RECORD_BYTES].tobytes()))

    def firmware_wrote(self, address: int, record: bytes) -> tuple[int, dict[str, int]] | None:
        """The firmware wrote a record to device memory: completions tell which sessions there are.

        Returns (queue, fields) of a completion.
        """
        for queue in range(regs.QUEUES_COUNT):
            base, size = self._ring(queue, regs.QUEUES_COMPLETION_BASE_LOW)
            if base <= address < base + size * RECORD_BYTES:
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
                return queue, done
        return None

    def _ring(self, queue: int, low: int) -> tuple[int, int]:
        """(address, records) of a ring as the host set it up last."""
        offset = queue * regs.QUEUES_STRIDE
        high = low + regs.QUEUES_BASE_HIGH - regs.QUEUES_BASE_LOW
        control = self._written.get(regs.QUEUES_CONTROL + offset, 0)
        address = self._written.get(low + offset, 0) | self._written.get(high + offset, 0) << 32
        return address, 1 << regs.QUEUES_CONTROL_SIZE_LOG2.get(control)

    def _look(self, queue: int, command: dict[str, int]) -> None:
        """Take note of sessions; announce a job that will surely run as it stands."""
        address, kind = command["block_address"], _KINDS.get(command["type"], Kind.NONE)
        if not 0 <= address <= self._memory.size - BLOCK_BYTES:
            return
        block = self._memory[address : address + BLOCK_BYTES].tobytes()
        known = self._sessions.get(command["session"])
        if command["type"] in (Command.OPEN_SESSION, Command.RECONFIGURE):
            fields = descriptors.SESSION_BLOCK.unpack(block)
            controlled = fields["bit_rate"] != 0
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
            if follows or known != (queue, kind, False) or not self._is_legal(kind, block):
                self._left.setdefault(command["session"], set()).add(key)
            elif key not in self._jobs:
                self._jobs[key] = (block, self._executor.foresee(block))

    def _is_legal(self, kind: Kind, block: bytes) -> bool:
        """Whether the job stays within bounds: in its fields' ranges, in memory, off the firmware's area and rings."""
        layout = descriptors.JOB_BLOCKS[kind]
        fields = layout.unpack(block)
        if fields["kind"] != kind or not all(f.low <= fields[f.name] <= f.high for f in layout.fields):
            return False
        areas = descriptors.regions(kind, fields)
        if any(a.address < FIRMWARE_AREA_BYTES or a.address + a.size_bytes > self._memory.size for a in areas):
            return False
        taken = [(area.address, area.size_bytes) for area in areas]
        for queue in range(regs.QUEUES_COUNT):
            for low in (regs.QUEUES_BASE_LOW, regs.QUEUES_COMPLETION_BASE_LOW):
                base, size = self._ring(queue, low)
                taken.append((base, size * RECORD_BYTES))
        return not any(
            area.write and i != j and area.address < base + size and base < area.address + area.size_bytes
            for i, area in enumerate(areas)
            for j, (base, size) in enumerate(taken)
        )
