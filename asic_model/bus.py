"""The register block as the chip's buses see it: stored words, bits that hardware sets, who may write what.

Layout and access rights come from the generated map (`registers/map.py`); only registers with an effect stand here.
"""

from typing import ClassVar

from asic_model.config import ChipConfig
from asic_model.cores.fabric import Fabric
from asic_model.cores.registry import CoreType
from asic_model.cores.result import CoreResult
from asic_model.descriptors import Kind
from asic_model.registers import map as regs
from asic_model.registers.map import Register

FIRMWARE_AREA_BYTES = 128 << 10  # of device memory, from address 0
EVENT_ALL = regs.EVENT_ENABLE_EVENTS.mask
MASK32 = 0xFFFFFFFF
_SECTIONS = {"encode": Kind.ENCODE, "scale": Kind.SCALE, "decode": Kind.DECODE}


def _all_registers() -> dict[int, Register]:
    """Every register by address, those of arrays one by one."""
    found: dict[int, Register] = {}
    for address, register in regs.REGISTERS.items():
        count, stride = 1, 0
        if register.name.startswith("queues."):
            count, stride = regs.QUEUES_COUNT, regs.QUEUES_STRIDE
        elif register.name.startswith("cores."):
            count, stride = regs.CORES_COUNT, regs.CORES_STRIDE
        for n in range(count):
            found[address + n * stride] = register
    return found


_REGISTERS = _all_registers()


class Bus:
    """Registers with their effects on each other. Times are passed in."""

    # Reading these shows what cores or the timer did meanwhile.
    VOLATILE: ClassVar[frozenset[int]] = frozenset(
        {regs.WAIT_PENDING, regs.PENDING, regs.CORES_DONE}
        | {a for a, r in _REGISTERS.items() if r.name in ("cores.status", "cores.busy_ticks")}
    )

    def __init__(self, config: ChipConfig, types: dict[Kind, CoreType], functional: bool, fabric: Fabric) -> None:
        self._config = config
        self._types = types
        self._functional = functional
        self._fabric = fabric
        self._tick_ps = config.clocks.control_ps
        self.accesses = 0  # of the control processor
        self._dropped = 0
        self.reset()

    def reset(self) -> None:
        """Power-on values."""
        self._words = {address: register.reset for address, register in _REGISTERS.items()}
        self.pending_ps = 0  # when `pending` last became other than 0
        self.event_ps = 0  # when the event line last went up
        self.timer_ps: int | None = None
        config, limits = self._config, self._config.limits
        counts = dict.fromkeys(Kind, 0)
        for number, core in enumerate(self._fabric.cores):
            kind = _SECTIONS[core.kind]
            if kind in self._types:
                counts[kind] += 1
                self._words[regs.CORES_KIND + number * regs.CORES_STRIDE] = int(kind)
        self._words[regs.FEATURES] = sum(
            field.put(int(present))
            for field, present in (
                (regs.FEATURES_CAN_ENCODE, counts[Kind.ENCODE] > 0),
                (regs.FEATURES_CAN_SCALE, counts[Kind.SCALE] > 0),
                (regs.FEATURES_CAN_DECODE, counts[Kind.DECODE] > 0),
                (regs.FEATURES_FUNCTIONAL, self._functional),
            )
        )
        self._words[regs.CAPACITY] = (
            regs.CAPACITY_ENCODE_CORES.put(counts[Kind.ENCODE])
            | regs.CAPACITY_SCALE_CORES.put(counts[Kind.SCALE])
            | regs.CAPACITY_DECODE_CORES.put(counts[Kind.DECODE])
            | regs.CAPACITY_QUEUES.put(regs.QUEUES_COUNT)
        )
        self._words[regs.MEMORY_SIZE] = config.memory.capacity_mib
        self._words[regs.FIRMWARE_AREA] = FIRMWARE_AREA_BYTES
        self._words[regs.CLOCK_PERIOD] = self._tick_ps
        self._words[regs.SESSION_LIMIT] = limits.sessions
        self._words[regs.PICTURE_LIMIT] = regs.PICTURE_LIMIT_WIDTH.put(limits.max_width)
        self._words[regs.PICTURE_LIMIT] |= regs.PICTURE_LIMIT_HEIGHT.put(limits.max_height)
        self._words[regs.ENCODE_RATE_LIMIT] = min(MASK32, round(limits.encode_mpix_s * 1000))

    # ------------------------------------------------------------------------------------------------ plain access

    def word(self, address: int) -> int:
        """A register's stored word, no effects."""
        return self._words[address]

    def set_word(self, address: int, value: int) -> None:
        """The hardware writes a register."""
        self._words[address] = value & MASK32

    def read(self, address: int, ticks: int, instructions: int) -> int:
        """A bus read, by host or firmware, at `ticks` of the control clock."""
        if address == regs.TIME_LOW:
            self._words[regs.TIME_HIGH] = ticks >> 32 & MASK32
            return ticks & MASK32
        if address == regs.WAIT_PENDING:
            return self.pending
        if address == regs.INSTRUCTIONS_LOW:
            return instructions & MASK32
        if address == regs.INSTRUCTIONS_HIGH:
            return instructions >> 32 & MASK32
        if address in (regs.MEMORY_READ_KIB, regs.MEMORY_WRITE_KIB):
            name = "read_bytes" if address == regs.MEMORY_READ_KIB else "write_bytes"
            return self._fabric.memory()[name] >> 10 & MASK32
        if address == regs.HOST_WRITES_DROPPED:
            return self._dropped & MASK32
        return self._words.get(address, 0)

    def write(self, address: int, value: int, at_ps: int) -> None:
        """A bus write by the firmware, or by the host where it may."""
        register = _REGISTERS.get(address)
        if register is None:
            return
        if address == regs.EVENT_SET:
            self._set_events(value, at_ps)
        elif address == regs.TIMER:
            self.timer_ps = at_ps + value * self._tick_ps if value else None
        elif register.clear_mask:
            self._words[address] &= ~(value & register.clear_mask)
            if address == regs.PENDING:
                self.pending_ps = at_ps
        else:
            before = self._words[address]
            self._words[address] = before & ~register.write_mask | value & register.write_mask
            if address == regs.EVENT_ENABLE and self.event_line:
                self.event_ps = at_ps

    def host_write(self, address: int, value: int, at_ps: int) -> None:
        """A write over the host link: the bridge lets only some registers pass; some knock at the firmware's door."""
        register = _REGISTERS.get(address)
        if register is None or not register.host_write:
            self.drop_host_write()
            return
        self.write(address, value, at_ps)
        name = register.name
        if name in ("queues.tail", "queues.completion_head"):
            self._set_pending(1 << (address - regs.QUEUES_CONTROL) // regs.QUEUES_STRIDE, at_ps)
        elif name == "queues.control":
            self._set_pending(regs.PENDING_QUEUE_CONTROL.mask, at_ps)
        elif address == regs.HOST_VERSION:
            self._set_pending(regs.PENDING_HOST_VERSION.mask, at_ps)

    def drop_host_write(self) -> None:
        self._dropped += 1

    # ------------------------------------------------------------------------------------------- events and pending

    @property
    def event_line(self) -> bool:
        return bool(self._words[regs.EVENT_STATUS] & self._words[regs.EVENT_ENABLE])

    def _set_events(self, bits: int, at_ps: int) -> None:
        before = self.event_line
        self._words[regs.EVENT_STATUS] |= bits & EVENT_ALL
        if self.event_line and not before:
            self.event_ps = at_ps

    @property
    def pending(self) -> int:
        return self._words[regs.PENDING]

    def _set_pending(self, bits: int, at_ps: int) -> None:
        if not self.pending:
            self.pending_ps = at_ps
        self._words[regs.PENDING] |= bits

    def fire_timer(self) -> None:
        """The timer's time has come."""
        assert self.timer_ps is not None
        self._set_pending(regs.PENDING_TIMER.mask, self.timer_ps)
        self.timer_ps = None

    def expire_timer(self, at_ps: int) -> None:
        """Fire the timer if its time is not after `at_ps`."""
        if self.timer_ps is not None and self.timer_ps <= at_ps:
            self.fire_timer()

    def set_fault(self, cause: int, pc: int, value: int, at_ps: int) -> None:
        """The control processor trapped."""
        self._words[regs.FAULT_CAUSE], self._words[regs.FAULT_PC], self._words[regs.FAULT_VALUE] = cause, pc, value
        self._words[regs.FIRMWARE_STATUS] = int(regs.FirmwareState.FAULT)
        self._set_events(regs.EVENT_STATUS_FAULT.mask | regs.EVENT_STATUS_STATE.mask, at_ps)

    # -------------------------------------------------------------------------------------------------------- cores

    def core_kind(self, core: int) -> Kind:
        return Kind(self._words[regs.CORES_KIND + core * regs.CORES_STRIDE])

    def job_address(self, core: int) -> int:
        base = core * regs.CORES_STRIDE
        return self._words[regs.CORES_JOB_LOW + base] | self._words[regs.CORES_JOB_HIGH + base] << 32

    def core_started(self, core: int, at_ps: int) -> None:
        base, ticks = core * regs.CORES_STRIDE, at_ps // self._tick_ps
        self._words[regs.CORES_STATUS + base] = regs.CORES_STATUS_BUSY.put(1)
        self._words[regs.CORES_STARTED_LOW + base] = ticks & MASK32
        self._words[regs.CORES_STARTED_HIGH + base] = ticks >> 32

    def core_ended(self, core: int, end_ps: int, result: CoreResult) -> None:
        base = core * regs.CORES_STRIDE
        ticks = -(-end_ps // self._tick_ps)  # seen with the next edge of the control clock
        words = self._words
        started = words[regs.CORES_STARTED_LOW + base] | words[regs.CORES_STARTED_HIGH + base] << 32
        words[regs.CORES_STATUS + base] = regs.CORES_STATUS_RESULT.put(result.status)
        words[regs.CORES_DETAIL + base] = result.detail & MASK32
        words[regs.CORES_OUTPUT_BYTES + base] = result.output_bytes & MASK32
        words[regs.CORES_FINISHED_LOW + base] = ticks & MASK32
        words[regs.CORES_FINISHED_HIGH + base] = ticks >> 32
        words[regs.CORES_BUSY_TICKS + base] = words[regs.CORES_BUSY_TICKS + base] + ticks - started & MASK32
        words[regs.CORES_DONE] |= 1 << core
        self._set_pending(regs.PENDING_CORE.mask, end_ps)
