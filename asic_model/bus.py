"""The register block as the chip's buses see it: stored words, bits that hardware sets, who may write what.

Layout and access rights come from the generated map (`registers/map.py`); only registers with an effect stand here.
"""

from typing import ClassVar

import numpy as np

from asic_model.config import ChipConfig
from asic_model.cores.fabric import Fabric
from asic_model.cores.registry import CoreType
from asic_model.cores.result import CoreResult
from asic_model.descriptors import Kind
from asic_model.mcu import (
    CLEAR_WRITE,
    MOVE,
    MV_DEVICE_HIGH,
    MV_DEVICE_LOW,
    MV_LATENCY_PS,
    MV_LOCAL,
    MV_PENDING,
    MV_SIZE_MASK,
    MV_STATUS,
    MV_TICK_PS,
    MV_WRITE_BIT,
    PLAIN_READ,
    PLAIN_WRITE,
    QUIET_READ,
    READ_TIME,
    WAIT_READ,
    RegisterFile,
)
from asic_model.registers import map as regs
from asic_model.registers.map import Register

FIRMWARE_AREA_BYTES = 256 << 10  # of device memory, from address 0
WINDOW_AREA_BYTES = 4096  # of a function's window, likewise: its address 0 stays "none"
WINDOW_UNIT_BYTES = 64 << 10
OWN_QUEUES = 4  # of function 0; queue 3 + n is function n's
EVENT_ALL = regs.EVENT_ENABLE_EVENTS.mask
MASK32 = 0xFFFFFFFF
_SECTIONS = {"encode": Kind.ENCODE, "scale": Kind.SCALE, "decode": Kind.DECODE}


def _all_registers() -> dict[int, Register]:
    """Every register by address, those of arrays one by one."""
    found: dict[int, Register] = {}
    for address, register in regs.REGISTERS.items():
        count, stride = 1, 0
        if register.name.startswith("functions."):
            count, stride = regs.FUNCTIONS_COUNT, regs.FUNCTIONS_STRIDE
        elif register.name.startswith("queues."):
            count, stride = regs.QUEUES_COUNT, regs.QUEUES_STRIDE
        elif register.name.startswith("cores."):
            count, stride = regs.CORES_COUNT, regs.CORES_STRIDE
        for n in range(count):
            found[address + n * stride] = register
    return found


_REGISTERS = _all_registers()


def _knocks() -> dict[int, tuple[int, int]]:
    """What the firmware is told of the host's writes, by address: bits of `pending`, and of `doorbells`."""
    found = {
        regs.CORES_OUT: (regs.PENDING_CONTROL.mask, 0),
        regs.CORE_RESET: (regs.PENDING_CONTROL.mask, 0),
        regs.HOST_VERSION: (regs.PENDING_HOST_VERSION.mask, 0),
    }
    for queue in range(regs.QUEUES_COUNT):
        offset = queue * regs.QUEUES_STRIDE
        found[regs.QUEUES_CONTROL + offset] = regs.PENDING_CONTROL.mask, 0
        for address in (regs.QUEUES_TAIL, regs.QUEUES_COMPLETION_HEAD):
            found[address + offset] = regs.PENDING_DOORBELL.mask, 1 << queue
    return found


_KNOCKS = _knocks()
_DOORBELLS, _PENDING, _PENDING_CORE = regs.DOORBELLS >> 2, regs.PENDING >> 2, regs.PENDING_CORE.mask
_EVENTS_FOR_ALL = regs.EVENT_STATUS_STATE.mask | regs.EVENT_STATUS_FAULT.mask


def function_of(queue: int) -> int:
    """The function that a queue belongs to."""
    return 0 if queue < OWN_QUEUES else queue - OWN_QUEUES + 1


def function_register(function: int, address: int) -> int:
    """Address of a register of function 1..12."""
    return address + (function - 1) * regs.FUNCTIONS_STRIDE


# Places of event_status and event_enable of each function among the words.
_EVENT_WORDS = [(regs.EVENT_STATUS >> 2, regs.EVENT_ENABLE >> 2)] + [
    (function_register(n, regs.FUNCTIONS_EVENT_STATUS) >> 2, function_register(n, regs.FUNCTIONS_EVENT_ENABLE) >> 2)
    for n in range(1, regs.FUNCTIONS_COUNT + 1)
]
# Places of a core's registers among the words.
_CORE_WORDS = regs.CORES_STRIDE >> 2
_STATUS, _DETAIL, _OUTPUT_BYTES, _STARTED, _FINISHED, _BUSY_TICKS, _DONE = (
    address >> 2
    for address in (
        regs.CORES_STATUS, regs.CORES_DETAIL, regs.CORES_OUTPUT_BYTES, regs.CORES_STARTED_LOW, regs.CORES_FINISHED_LOW,
        regs.CORES_BUSY_TICKS, regs.CORES_DONE,
    )
)  # fmt: skip
assert regs.CORES_STARTED_HIGH == regs.CORES_STARTED_LOW + 4
assert regs.CORES_FINISHED_HIGH == regs.CORES_FINISHED_LOW + 4
# Reading these computes something; reads of those in `Bus.VOLATILE` first let the cores catch up.
_COMPUTED = (
    regs.WAIT_PENDING, regs.INSTRUCTIONS_LOW, regs.INSTRUCTIONS_HIGH, regs.MEMORY_READ_KIB, regs.MEMORY_WRITE_KIB,
    regs.HOST_WRITES_DROPPED,
)  # fmt: skip
# A reset of the chip leaves these: the counters of what happened to it, and which cores may be used.
_KEPT_IN_RESET = (regs.LINK_DROPS, regs.CORE_VIOLATIONS, regs.ECC_CORRECTED, regs.ECC_UNCORRECTED, regs.CORES_OUT)
# Writing ones to these clears bits and does nothing else.
_CLEARED_BY_FIRMWARE = (regs.PENDING, regs.DOORBELLS, regs.CORES_DONE)
# Writing these does something.
_EFFECTS = ("event_set", "event_enable", "timer", "mover_go", "prefetch_high", "cores.start", "cores.reset")


def _register_file() -> RegisterFile:
    """Which registers the control processor may read and write without the chip's help."""
    file = RegisterFile()
    file.access[:] = PLAIN_READ | PLAIN_WRITE  # where there is no register: 0, and nothing is written
    for address, register in _REGISTERS.items():
        word = address >> 2
        file.masks[word] = register.write_mask
        if address in _COMPUTED or address in Bus.VOLATILE:
            file.access[word] &= ~PLAIN_READ & 0xFF
        if register.name in _EFFECTS or register.clear_mask:
            file.access[word] &= ~PLAIN_WRITE & 0xFF
    file.access[regs.TIME_LOW >> 2] = READ_TIME | PLAIN_WRITE
    return file


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
        self.file = _register_file()
        self.file.mover[MV_PENDING] = regs.PENDING >> 2
        self._words = self.file.words.data  # reading a word of it is faster than of an array
        self._dropped = 0
        self.resets = 0
        self.reset()

    def let_run_on(self) -> None:
        """Let the control processor's model do what needs nobody else: clear bits, look what is pending."""
        file = self.file
        for address in _CLEARED_BY_FIRMWARE:
            file.access[address >> 2] |= CLEAR_WRITE
            file.masks[address >> 2] = _REGISTERS[address].clear_mask
        for address in self.VOLATILE:
            file.access[address >> 2] |= WAIT_READ if address == regs.WAIT_PENDING else QUIET_READ

    def let_move(self, memory: np.ndarray, latency_ps: int) -> None:
        """Let the control processor's model do the mover's work itself, in `memory`: nobody else must see it first."""
        mover = self.file.mover
        for at, value in (
            (MV_DEVICE_LOW, regs.MOVER_DEVICE_LOW >> 2),
            (MV_DEVICE_HIGH, regs.MOVER_DEVICE_HIGH >> 2),
            (MV_LOCAL, regs.MOVER_LOCAL >> 2),
            (MV_STATUS, regs.MOVER_STATUS >> 2),
            (MV_SIZE_MASK, regs.MOVER_GO_BYTES.mask),
            (MV_WRITE_BIT, regs.MOVER_GO_WRITE.low),
            (MV_LATENCY_PS, latency_ps),
            (MV_TICK_PS, self._tick_ps),
        ):
            mover[at] = value
        self.file.device = memory.view(np.uint32)
        self.file.access[regs.MOVER_GO >> 2] |= MOVE

    def reset(self) -> None:
        """Power-on values."""
        kept = {
            address: self.word(address)
            for address, register in _REGISTERS.items()
            if register.name.startswith("functions.") or address in _KEPT_IN_RESET
        }
        self.file.words[:] = 0
        for address, register in _REGISTERS.items():
            self.set_word(address, kept.get(address, register.reset))
        self.pending_ps = 0  # when `pending` last became other than 0
        self.event_ps = [0] * (regs.FUNCTIONS_COUNT + 1)  # when the event line of each function last went up
        self.timer_ps: int | None = None
        config, limits = self._config, self._config.limits
        counts = dict.fromkeys(Kind, 0)
        for number, core in enumerate(self._fabric.cores):
            kind = _SECTIONS[core.kind]
            if kind in self._types:
                counts[kind] += 1
                self.set_word(regs.CORES_KIND + number * regs.CORES_STRIDE, int(kind))
        features = sum(
            field.put(int(present))
            for field, present in (
                (regs.FEATURES_CAN_ENCODE, counts[Kind.ENCODE] > 0),
                (regs.FEATURES_CAN_SCALE, counts[Kind.SCALE] > 0),
                (regs.FEATURES_CAN_DECODE, counts[Kind.DECODE] > 0),
                (regs.FEATURES_FUNCTIONAL, self._functional),
            )
        )
        picture = regs.PICTURE_LIMIT_WIDTH.put(limits.max_width) | regs.PICTURE_LIMIT_HEIGHT.put(limits.max_height)
        capacity = (
            regs.CAPACITY_ENCODE_CORES.put(counts[Kind.ENCODE])
            | regs.CAPACITY_SCALE_CORES.put(counts[Kind.SCALE])
            | regs.CAPACITY_DECODE_CORES.put(counts[Kind.DECODE])
            | regs.CAPACITY_QUEUES.put(OWN_QUEUES)
        )
        for address, value in (
            (regs.FEATURES, features),
            (regs.CAPACITY, capacity),
            (regs.MEMORY_SIZE, config.memory.capacity_mib),
            (regs.FIRMWARE_AREA, FIRMWARE_AREA_BYTES),
            (regs.CLOCK_PERIOD, self._tick_ps),
            (regs.SESSION_LIMIT, limits.sessions),
            (regs.PICTURE_LIMIT, picture),
            (regs.ENCODE_RATE_LIMIT, min(MASK32, round(limits.encode_mpix_s * 1000))),
            (regs.RESET_COUNT, self.resets),
        ):
            self.set_word(address, value)

    # ------------------------------------------------------------------------------------------------ plain access

    def word(self, address: int) -> int:
        """A register's stored word, no effects."""
        return self._words[address >> 2]

    def set_word(self, address: int, value: int) -> None:
        """The hardware writes a register."""
        self._words[address >> 2] = value & MASK32

    def read(self, address: int, ticks: int, instructions: int) -> int:
        """A bus read, by host or firmware, at `ticks` of the control clock."""
        if address == regs.TIME_LOW:
            self.set_word(regs.TIME_HIGH, ticks >> 32)
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
        return self.word(address)

    def write(self, address: int, value: int, at_ps: int) -> None:
        """A bus write by the firmware, or by the host where it may."""
        register = _REGISTERS.get(address)
        if register is None:
            return
        words, at = self._words, address >> 2
        if address == regs.EVENT_SET:
            self._set_events(value, at_ps)
        elif address == regs.TIMER:
            self.timer_ps = at_ps + value * self._tick_ps if value else None
        elif register.clear_mask:
            words[at] &= ~(value & register.clear_mask)
            if address == regs.PENDING:
                self.pending_ps = at_ps
        else:
            mask = register.write_mask
            words[at] = words[at] & ~mask | value & mask
            if address == regs.EVENT_ENABLE and self.event_line(0):
                self.event_ps[0] = at_ps

    def host_write(self, address: int, value: int, at_ps: int) -> None:
        """A write over the host link: the bridge lets only some registers pass; some knock at the firmware's door."""
        register = _REGISTERS.get(address)
        if register is None or not register.host_write:
            self.drop_host_write()
            return
        self.write(address, value, at_ps)
        knock = _KNOCKS.get(address)
        if knock is not None:
            pending, doorbell = knock
            self._words[_DOORBELLS] |= doorbell
            self._set_pending(pending, at_ps)

    def drop_host_write(self) -> None:
        self._dropped += 1

    # ------------------------------------------------------------------------------------------- events and pending

    def _event_registers(self, function: int) -> tuple[int, int]:
        """Addresses of event_status and event_enable of a function."""
        if function == 0:
            return regs.EVENT_STATUS, regs.EVENT_ENABLE
        return (
            function_register(function, regs.FUNCTIONS_EVENT_STATUS),
            function_register(function, regs.FUNCTIONS_EVENT_ENABLE),
        )

    def event_line(self, function: int) -> bool:
        status, enable = _EVENT_WORDS[function]
        return self._words[status] & self._words[enable] != 0

    def _set_events(self, bits: int, at_ps: int) -> None:
        """`bits` as in event_set: state and fault reach every function, the others the one that is named."""
        one = regs.EVENT_SET_FUNCTION.get(bits)
        common = bits & _EVENTS_FOR_ALL
        functions = range(regs.FUNCTIONS_COUNT + 1) if common else (one,)
        for function in functions:
            if function <= regs.FUNCTIONS_COUNT:
                self._raise_events(function, bits & EVENT_ALL if function == one else common, at_ps)

    def _raise_events(self, function: int, bits: int, at_ps: int) -> None:
        words, (status, enable) = self._words, _EVENT_WORDS[function]
        before = words[status]
        words[status] = before | bits
        if bits & words[enable] and not before & words[enable]:
            self.event_ps[function] = at_ps

    def clear_events(self, function: int, bits: int) -> None:
        """A function writes its event_status."""
        status, _ = self._event_registers(function)
        self.set_word(status, self.word(status) & ~bits)

    def enable_events(self, function: int, bits: int, at_ps: int) -> None:
        """A function writes its event_enable."""
        _, enable = self._event_registers(function)
        self.set_word(enable, bits & EVENT_ALL)
        if self.event_line(function):
            self.event_ps[function] = at_ps

    @property
    def pending(self) -> int:
        return self._words[_PENDING]

    def _set_pending(self, bits: int, at_ps: int) -> None:
        words = self._words
        if not words[_PENDING]:
            self.pending_ps = at_ps
        words[_PENDING] |= bits

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
        for address, word in ((regs.FAULT_CAUSE, cause), (regs.FAULT_PC, pc), (regs.FAULT_VALUE, value)):
            self.set_word(address, word)
        self.set_word(regs.FIRMWARE_STATUS, int(regs.FirmwareState.FAULT))
        self._set_events(regs.EVENT_STATUS_FAULT.mask | regs.EVENT_STATUS_STATE.mask, at_ps)

    # -------------------------------------------------------------------------------------------------------- cores

    def core_kind(self, core: int) -> Kind:
        return Kind(self.word(regs.CORES_KIND + core * regs.CORES_STRIDE))

    def core_function(self, core: int) -> int:
        """Function in whose window the addresses of the core's job are."""
        return self.word(regs.CORES_FUNCTION + core * regs.CORES_STRIDE)

    def job_address(self, core: int) -> int:
        base = core * regs.CORES_STRIDE
        return self.word(regs.CORES_JOB_LOW + base) | self.word(regs.CORES_JOB_HIGH + base) << 32

    def core_started(self, core: int, at_ps: int) -> None:
        words, at, ticks = self._words, core * _CORE_WORDS, at_ps // self._tick_ps
        words[_STATUS + at] = regs.CORES_STATUS_BUSY.mask
        words[_STARTED + at], words[_STARTED + 1 + at] = ticks & MASK32, ticks >> 32

    def core_ended(self, core: int, end_ps: int, result: CoreResult) -> None:
        words, at = self._words, core * _CORE_WORDS
        ticks = -(-end_ps // self._tick_ps)  # seen with the next edge of the control clock
        started = words[_STARTED + at] | words[_STARTED + 1 + at] << 32
        words[_STATUS + at] = regs.CORES_STATUS_RESULT.put(result.status)
        words[_DETAIL + at] = result.detail & MASK32
        words[_OUTPUT_BYTES + at] = result.output_bytes & MASK32
        words[_FINISHED + at], words[_FINISHED + 1 + at] = ticks & MASK32, ticks >> 32
        words[_BUSY_TICKS + at] = words[_BUSY_TICKS + at] + ticks - started & MASK32
        words[_DONE] |= 1 << core
        self._set_pending(_PENDING_CORE, end_ps)

    def count_up(self, address: int, by: int = 1) -> None:
        """The hardware counts something."""
        self.set_word(address, self.word(address) + by)
