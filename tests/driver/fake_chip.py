"""A double of chip and firmware behind the backend's calls: it records, delays, and fails on purpose.

It follows docs/control.md as a peer of the driver: what the driver gets wrong on the rings shows up here as an
AssertionError. No pixels: an encode job's stream is a line of text that names the job.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from asic_model import descriptors
from asic_model.descriptors import BLOCK_BYTES, RECORD_BYTES, Command, Kind, Status
from asic_model.registers import map as regs

FIRMWARE_AREA = 1 << 20
Verdict = tuple[int, int]  # status, detail


class FakeChip:
    """Registers, memory and a firmware that takes one job at a time, `job_us` each."""

    def __init__(
        self, *, memory_mib: int = 64, job_us: int = 100, sessions: int = 8, version: int = descriptors.VERSION,
        verdict: Callable[[int, dict[str, int]], Verdict] = lambda _number, _job: (0, 0),
    ) -> None:  # fmt: skip
        self.memory = bytearray(memory_mib << 20)
        self.registers = {address: register.reset for address, register in regs.REGISTERS.items()}
        self.registers[regs.FEATURES] = 0xB
        self.registers[regs.CAPACITY] = 1 | 1 << 8 | 4 << 24
        self.registers[regs.MEMORY_SIZE] = memory_mib
        self.registers[regs.FIRMWARE_AREA] = FIRMWARE_AREA
        self.registers[regs.PICTURE_LIMIT] = 4096 | 4096 << 16
        self.registers[regs.SESSION_LIMIT] = sessions
        self.registers[regs.CLOCK_PERIOD] = 1000
        self.registers[regs.DESCRIPTOR_VERSIONS] = version | version << 16
        self.version, self.job_us, self.verdict = version, job_us, verdict
        self.now_us = 0
        self.commands: list[dict[str, int]] = []  # everything taken from a ring
        self.jobs: list[dict[str, int]] = []  # body of every job block
        self.log: list[str] = []
        self.busy: deque[tuple[int, int, dict[str, int], dict[str, int]]] = deque()  # (ends, queue, command, job)
        self.open: set[int] = set()
        self.trapped = self.silent = False
        self.closed = False
        self._next_session = 1
        self._finished: dict[int, int] = {}

    # -- the backend's calls --------------------------------------------------------------------------------------

    def read32(self, address: int) -> int:
        if address == regs.TIME_LOW:
            return self.now_us * 1000 & 0xFFFFFFFF
        return self.registers.get(address, 0)

    def write32(self, address: int, value: int) -> None:
        if address == regs.EVENT_STATUS:
            self.registers[address] &= ~value
            return
        if address == regs.CONTROL:  # this chip does not come back from a reset
            self.registers[regs.FIRMWARE_STATUS] = int(regs.FirmwareState.RESET)
            return
        self.registers[address] = value
        if address == regs.HOST_VERSION:
            answer = regs.Negotiation.ACCEPTED if value == self.version else regs.Negotiation.REFUSED
            self.registers[regs.NEGOTIATION] = value | int(answer) << 16
        queue, offset = divmod(address - regs.QUEUES_CONTROL, regs.QUEUES_STRIDE)
        if 0 <= queue < regs.QUEUES_COUNT:
            if offset == 0:
                state = regs.QueueState.RUNNING if value & 1 else regs.QueueState.STOPPED
                self.registers[regs.QUEUES_STATUS + queue * regs.QUEUES_STRIDE] = int(state)
            elif address - queue * regs.QUEUES_STRIDE == regs.QUEUES_TAIL:
                self.log.append("doorbell")
                self._take(queue)

    def memory_read(self, address: int, size: int) -> bytes:
        return bytes(self.memory[address : address + size])

    def memory_write(self, address: int, data: Any) -> None:
        raw = bytes(memoryview(data).cast("B"))
        assert FIRMWARE_AREA <= address <= len(self.memory) - len(raw)
        self.log.append(f"write {len(raw)}")
        self.memory[address : address + len(raw)] = raw

    def wait(self, timeout_us: int) -> bool:
        limit = self.now_us + timeout_us
        if not self.silent:
            self.registers[regs.FIRMWARE_HEARTBEAT] += 1
        while not self._event():
            if not self.busy or self.busy[0][0] > limit or self.silent or self.trapped:
                self.now_us = limit
                return False
            ends, queue, command, job = self.busy.popleft()
            self.now_us = max(self.now_us, ends)
            self._finish(queue, command, job)
        return True

    def close(self) -> None:
        self.closed = True

    # -- the firmware ---------------------------------------------------------------------------------------------

    def trap(self) -> None:
        """The control processor traps: the state says so and an event is raised."""
        self.trapped = True
        self.registers[regs.FIRMWARE_STATUS] = int(regs.FirmwareState.FAULT)
        self.registers[regs.FAULT_CAUSE], self.registers[regs.FAULT_PC] = 5, 0x1234
        self.registers[regs.EVENT_STATUS] |= regs.EVENT_STATUS_FAULT.mask

    def boot(self) -> "FakeChip":
        self.registers[regs.FIRMWARE_STATUS] = int(regs.FirmwareState.RUN)
        return self

    def _event(self) -> bool:
        return bool(self.registers[regs.EVENT_STATUS] & self.registers[regs.EVENT_ENABLE])

    def _queue(self, address: int, queue: int) -> int:
        return self.registers.get(address + queue * regs.QUEUES_STRIDE, 0)

    def _size(self, queue: int) -> int:
        return 1 << regs.QUEUES_CONTROL_SIZE_LOG2.get(self._queue(regs.QUEUES_CONTROL, queue))

    def _take(self, queue: int) -> None:
        head, tail = self._queue(regs.QUEUES_HEAD, queue), self._queue(regs.QUEUES_TAIL, queue)
        base = self._queue(regs.QUEUES_BASE_LOW, queue)
        assert (tail - head) & 0xFFFFFFFF <= self._size(queue)
        while head != tail:
            address = base + head % self._size(queue) * RECORD_BYTES
            command = descriptors.COMMAND.unpack(bytes(self.memory[address : address + RECORD_BYTES]))
            assert command["version"] == descriptors.VERSION
            self.commands.append(command)
            job: dict[str, int] = {}
            if command["type"] in (Command.ENCODE, Command.SCALE):
                assert command["session"] in self.open
                assert command["block_address"] % descriptors.BLOCK_ALIGNMENT_BYTES == 0
                at = command["block_address"]
                job = descriptors.unpack_job(bytes(self.memory[at : at + BLOCK_BYTES]))[1]
                self.jobs.append(job)
            start = max(self.now_us, self.busy[-1][0] if self.busy else 0)
            self.busy.append((start + (self.job_us if job else 1), queue, command, job))
            head = (head + 1) & 0xFFFFFFFF
        self.registers[regs.QUEUES_HEAD + queue * regs.QUEUES_STRIDE] = head

    def _finish(self, queue: int, command: dict[str, int], job: dict[str, int]) -> None:
        status, detail, size = 0, 0, 0
        session = command["session"]
        if command["type"] == Command.OPEN_SESSION:
            if len(self.open) >= self.registers[regs.SESSION_LIMIT]:
                status = Status.NO_CAPACITY
            else:
                session, self._next_session = self._next_session, self._next_session + 1
                self.open.add(session)
        elif command["type"] == Command.CLOSE_SESSION:
            self.open.remove(session)
        elif job:
            if command["wait_session"]:
                assert self._finished[command["wait_session"]] >= command["wait_sequence"], "fence of a later command"
            status, detail = self.verdict(len(self.jobs), job)
            if "out_address" in job and status == 0:
                text = f"job {command['sequence']} frame_num {job['frame_num']} idr {job['idr']};".encode()
                size = len(text)
                self.memory[job["out_address"] : job["out_address"] + size] = text
        if session:
            self._finished[session] = command["sequence"]
        self._complete(queue, command, session, int(status), detail, size, job.get("qp", 0))

    def _complete(
        self, queue: int, command: dict[str, int], session: int, status: int, detail: int, size: int, qp: int
    ) -> None:
        tail_at = regs.QUEUES_COMPLETION_TAIL + queue * regs.QUEUES_STRIDE
        tail = self.registers.get(tail_at, 0)
        used = (tail - self._queue(regs.QUEUES_COMPLETION_HEAD, queue)) & 0xFFFFFFFF
        assert used < self._size(queue), "the host let the completion ring overflow"
        record = descriptors.COMPLETION.pack(
            version=descriptors.VERSION, type=command["type"], status=status, sequence=command["sequence"],
            session=session, detail=detail, user_data=command["user_data"], output_bytes=size, qp=qp,
            index=(tail + 1) & 0xFFFFFFFF, submitted=1000 * self.now_us - 500, finished=1000 * self.now_us,
        )  # fmt: skip
        address = self._queue(regs.QUEUES_COMPLETION_BASE_LOW, queue) + tail % self._size(queue) * RECORD_BYTES
        self.memory[address : address + RECORD_BYTES] = record
        self.registers[tail_at] = (tail + 1) & 0xFFFFFFFF
        self.registers[regs.EVENT_STATUS] |= regs.EVENT_STATUS_COMPLETION.mask


def kind_of(command: dict[str, int]) -> Kind:
    return descriptors.JOB_COMMANDS[Command(command["type"])]
