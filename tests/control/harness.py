"""A small host for tests of the control path: fake cores and a queue in its plainest form, apart from the driver."""

from collections.abc import Callable
from dataclasses import make_dataclass
from typing import Any

import numpy as np

from asic_model import descriptors
from asic_model.chip import Chip
from asic_model.config import ChipConfig, load_chip, with_changes
from asic_model.cores.registry import CoreType
from asic_model.cores.result import REQUEST, CoreResult
from asic_model.descriptors import Command, Kind
from asic_model.memory.surface import surface
from asic_model.registers import map as regs

AREA = 256 << 10  # the firmware's, at the bottom of device memory
SECTIONS = {Kind.ENCODE: "encode", Kind.SCALE: "scale", Kind.DECODE: "decode"}


def fake_core(kind: Kind, cycles: Callable[[Any], int] = lambda job: 200, before: Any = None) -> CoreType:
    """A core that fills its output with bytes that depend on its input, one unit a macroblock, `cycles(job)` each."""
    names = [field.name for field in descriptors.JOB_BLOCKS[kind].body]
    job_class = make_dataclass(f"Fake{kind.name}", [(name, int) for name in names], frozen=True)

    def run(memory: np.ndarray, job: Any, _config: Any) -> CoreResult:
        if before is not None:
            before(job)
        units = -(-job.width // 16) * -(-job.height // 16)
        size = surface(job.width, job.height).size_bytes
        check = int(memory[job.src_address : job.src_address + size].astype(np.int64).sum() % 251)
        output_bytes = 0
        if kind is Kind.ENCODE:
            if job.ref_count:
                check += int(memory[job.ref_address_0 : job.ref_address_0 + size].astype(np.int64).sum() % 251)
            memory[job.recon_address : job.recon_address + size] = (check * 7 + 1) % 256
            output_bytes = min(max(4, units * 40 >> (job.qp // 6)), job.out_capacity)
            memory[job.out_address : job.out_address + output_bytes] = check % 256
        elif kind is Kind.SCALE:
            for i in range(job.output_count):
                address = getattr(job, f"out{i}_address")
                out = surface(getattr(job, f"out{i}_width"), getattr(job, f"out{i}_height"))
                memory[address : address + out.size_bytes] = (check + i) % 256
        requests = np.zeros(units, REQUEST)
        requests["unit"] = np.arange(units)
        requests["rows"], requests["size"], requests["pitch"] = 1, 384, 384
        requests["address"] = job.src_address + np.arange(units) * 384
        stages = ("fetch", "work")
        table = np.full((units, 2), cycles(job), np.int64)
        table[:, 0] = 16
        return CoreResult(0, 0, output_bytes, stages, table, requests, np.zeros(units), {"fakes": 1})

    return CoreType(kind, SECTIONS[kind], job_class, run, None)


def fake_chip(
    config: ChipConfig | None = None, *, cycles: Callable[[Any], int] = lambda job: 200, before: Any = None, **more: Any
) -> Chip:
    types = {kind: fake_core(kind, cycles, before) for kind in (Kind.ENCODE, Kind.SCALE)}
    return Chip(config or small_config(), types=types, **more)


def small_config(**changes: Any) -> ChipConfig:
    """The `tiny` chip with two encode cores."""
    return with_changes(load_chip("tiny"), {"encode.cores": 2, "memory.capacity_mib": 64, **changes})


class Host:
    """Drives one chip by its registers. Allocates device memory upwards and never frees it."""

    def __init__(self, chip: Chip, *, negotiate: bool = True) -> None:
        self.chip = chip
        self._next = AREA
        self.queues: dict[int, HostQueue] = {}
        self.until(lambda: chip.read32(regs.FIRMWARE_STATUS) == regs.FirmwareState.RUN)
        if negotiate:
            chip.write32(regs.HOST_VERSION, descriptors.VERSION)
            self.until(lambda: chip.read32(regs.NEGOTIATION) == 1 << 16 | descriptors.VERSION)
            chip.write32(regs.EVENT_ENABLE, 0xF)

    def until(self, condition: Callable[[], bool], limit: int = 4000) -> None:
        for _ in range(limit):
            if condition():
                return
            for _ in range(5):  # not `wait`, which ends at once while an event is up
                self.chip.read32(regs.ID)
        raise AssertionError("nothing happened")

    def allocate(self, size: int, alignment: int = 4096) -> int:
        address = -(-self._next // alignment) * alignment
        self._next = address + size
        return address

    def queue(self, number: int = 0, size_log2: int = 4) -> "HostQueue":
        self.queues[number] = HostQueue(self, number, size_log2)
        return self.queues[number]


class HostQueue:
    """One command queue and its completion ring."""

    def __init__(self, host: Host, number: int, size_log2: int) -> None:
        self.host, self.chip, self.number = host, host.chip, number
        self.size = 1 << size_log2
        self.base = host.allocate(64 * self.size, 64)
        self.completion_base = host.allocate(64 * self.size, 64)
        self.blocks = host.allocate(256 * self.size, 256)
        self.tail = self.taken = self.sequence = 0
        self.done: list[dict[str, int]] = []
        self.write(regs.QUEUES_BASE_LOW, self.base)
        self.write(regs.QUEUES_COMPLETION_BASE_LOW, self.completion_base)
        self.write(regs.QUEUES_CONTROL, size_log2 << regs.QUEUES_CONTROL_SIZE_LOG2.low | 1)
        host.until(lambda: self.read(regs.QUEUES_STATUS) != regs.QueueState.STOPPED)

    def read(self, address: int) -> int:
        return self.chip.read32(address + self.number * regs.QUEUES_STRIDE)

    def write(self, address: int, value: int) -> None:
        self.chip.write32(address + self.number * regs.QUEUES_STRIDE, value)

    def put(self, command: bytes, block: bytes | None = None) -> None:
        """Write one command record (and its block) without ringing the doorbell."""
        slot = self.tail % self.size
        if block is not None:
            self.chip.memory_write(self.blocks + slot * 256, block)
        self.chip.memory_write(self.base + slot * 64, command)
        self.tail = self.tail + 1 & 0xFFFFFFFF

    def ring(self) -> None:
        self.write(regs.QUEUES_TAIL, self.tail)

    def submit(self, command: Command, block: bytes | None = None, *, ring: bool = True, **fields: int) -> int:
        """Put a command, by default with its block in the block ring; returns its sequence number."""
        self.sequence += 1
        fields.setdefault("block_address", self.blocks + self.tail % self.size * 256 if block is not None else 0)
        self.put(descriptors.pack_command(command, self.sequence, **fields), block)
        if ring:
            self.ring()
        return self.sequence

    def collect(self) -> list[dict[str, int]]:
        """Take what stands on the completion ring."""
        tail = self.read(regs.QUEUES_COMPLETION_TAIL)
        found = []
        while self.taken != tail:
            place = self.completion_base + self.taken % self.size * 64
            record = descriptors.unpack_completion(self.chip.memory_read(place, 64))
            self.taken = self.taken + 1 & 0xFFFFFFFF
            assert record["index"] == self.taken
            found.append(record)
        if found:
            self.write(regs.QUEUES_COMPLETION_HEAD, self.taken)
            self.done += found
        return found

    def finish(self, count: int, timeout_us: int = 1_000_000) -> list[dict[str, int]]:
        """Wait for `count` completions and return them in order."""
        found: list[dict[str, int]] = []
        limit_ps = self.chip.now_ps + timeout_us * 1_000_000
        while len(found) < count:
            assert self.chip.now_ps < limit_ps, f"{len(found)} of {count} completions"
            self.chip.write32(regs.EVENT_STATUS, 0xF)
            found += self.collect()
            if len(found) < count:
                self.chip.wait(1000)
        return found

    def call(self, command: Command, block: bytes | None = None, **fields: int) -> dict[str, int]:
        """Submit one command and wait for its completion."""
        self.submit(command, block, **fields)
        return self.finish(1)[0]

    def open(self, kind: Kind, width: int = 64, height: int = 64, **fields: int) -> int:
        done = self.call(Command.OPEN_SESSION, descriptors.pack_session(kind, width=width, height=height, **fields))
        assert done["status"] == 0, done
        return done["session"]


class Encoder:
    """Buffers of one encode session, and the job blocks that use them."""

    def __init__(self, queue: HostQueue, width: int = 64, height: int = 64, **session: int) -> None:
        self.queue, self.width, self.height = queue, width, height
        self.session = queue.open(Kind.ENCODE, width, height, **session)
        size = surface(-(-width // 16) * 16, -(-height // 16) * 16).size_bytes
        allocate = queue.host.allocate
        self.source = allocate(size)
        self.recon = [allocate(size), allocate(size)]
        self.out = allocate(1 << 16, 64)
        self.pictures = 0

    def block(self, **changes: int) -> bytes:
        """The job block of the next picture: I first, then P."""
        intra = self.pictures == 0
        fields = {
            "width": self.width, "height": self.height, "src_address": self.source,
            "recon_address": self.recon[self.pictures % 2], "out_address": self.out, "out_capacity": 1 << 16,
            "ref_count": 0 if intra else 1, "ref_address_0": 0 if intra else self.recon[(self.pictures + 1) % 2],
            "slice_type": 2 if intra else 0, "idr": int(intra), "nal_ref_idc": 1,
            "frame_num": self.pictures % 16, "log2_max_frame_num": 4, "qp": 27, "slices": 1,
        } | changes  # fmt: skip
        self.pictures += 1
        return descriptors.pack_job(Kind.ENCODE, fields)

    def submit(self, *, wait_session: int = 0, wait_sequence: int = 0, ring: bool = True, **changes: int) -> int:
        return self.queue.submit(
            Command.ENCODE, self.block(**changes), ring=ring, session=self.session,
            wait_session=wait_session, wait_sequence=wait_sequence,
        )  # fmt: skip
