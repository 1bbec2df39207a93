"""Register map of the chip: byte addresses, fields, enumerations.

Made by `python -m asic_model.registers.generate` from asic_model/registers/tasic.rdl; do not edit.

In arrays (`QUEUES_*`, `CORES_*`) the address is that of element 0; add `n * QUEUES_STRIDE`.
"""

from enum import IntEnum
from typing import NamedTuple


class Field(NamedTuple):
    """A bit field of a 32-bit register."""

    low: int
    width: int

    @property
    def mask(self) -> int:
        return ((1 << self.width) - 1) << self.low

    def get(self, word: int) -> int:
        """The field's value in the register value `word`."""
        return (word >> self.low) & ((1 << self.width) - 1)

    def put(self, value: int, word: int = 0) -> int:
        """`word` with the field set to `value`."""
        if value >> self.width:
            raise ValueError(f"{value} does not fit {self.width} bits")
        return word & ~self.mask | value << self.low


class Register(NamedTuple):
    """What a register is: `write_mask` bits are stored, `clear_mask` bits are cleared by writing 1."""

    name: str
    reset: int
    write_mask: int
    clear_mask: int
    host_write: bool


class FirmwareState(IntEnum):
    RESET = 0
    BOOT = 1
    RUN = 2
    FAULT = 3


class Negotiation(IntEnum):
    NONE = 0
    ACCEPTED = 1
    REFUSED = 2
    NO_FEATURE = 3


class QueueState(IntEnum):
    STOPPED = 0
    RUNNING = 1
    BAD_VERSION = 2
    BAD_RING = 3
    BAD_INDEX = 4
    DRAINING = 5


class CoreKind(IntEnum):
    NONE = 0
    ENCODE = 1
    SCALE = 2
    DECODE = 3


SIZE_BYTES = 0x1000
FUNCTIONS_COUNT = 12
FUNCTIONS_STRIDE = 0x020
QUEUES_COUNT = 16
QUEUES_STRIDE = 0x040
CORES_COUNT = 32
CORES_STRIDE = 0x040

# Constant: 'TASC', least significant byte first.
ID = 0x000
ID_MAGIC = Field(0, 32)

# Version of this register map. A different major number means: do not touch anything else.
INTERFACE_VERSION = 0x004
INTERFACE_VERSION_MINOR = Field(0, 16)
INTERFACE_VERSION_MAJOR = Field(16, 16)

# What this chip can do.
FEATURES = 0x008
FEATURES_CAN_ENCODE = Field(0, 1)
FEATURES_CAN_SCALE = Field(1, 1)
FEATURES_CAN_DECODE = Field(2, 1)
FEATURES_FUNCTIONAL = Field(3, 1)

# How many of each.
CAPACITY = 0x00C
CAPACITY_ENCODE_CORES = Field(0, 8)
CAPACITY_SCALE_CORES = Field(8, 8)
CAPACITY_DECODE_CORES = Field(16, 8)
CAPACITY_QUEUES = Field(24, 8)

# Device memory.
MEMORY_SIZE = 0x010
MEMORY_SIZE_MIB = Field(0, 32)

# Bytes at the bottom of device memory that belong to the firmware. The host may read them (log), writes are
# dropped.
FIRMWARE_AREA = 0x014
FIRMWARE_AREA_BYTES = Field(0, 32)

# Version of the running firmware, written by it.
FIRMWARE_VERSION = 0x018
FIRMWARE_VERSION_PATCH = Field(0, 8)
FIRMWARE_VERSION_MINOR = Field(8, 8)
FIRMWARE_VERSION_MAJOR = Field(16, 16)

# What the firmware is doing. The hardware writes FAULT when the control processor traps.
FIRMWARE_STATUS = 0x01C
FIRMWARE_STATUS_STATE = Field(0, 8)

# Counts turns of the firmware's loop, at least one each 1000 us while it lives.
FIRMWARE_HEARTBEAT = 0x020
FIRMWARE_HEARTBEAT_COUNT = Field(0, 32)

# Descriptor versions that the firmware understands, written by it.
DESCRIPTOR_VERSIONS = 0x024
DESCRIPTOR_VERSIONS_OLDEST = Field(0, 16)
DESCRIPTOR_VERSIONS_NEWEST = Field(16, 16)

# Descriptor version that the host speaks. Queues cannot be enabled before the firmware accepted it.
HOST_VERSION = 0x028
HOST_VERSION_VERSION = Field(0, 16)

# The firmware's answer to host_version.
NEGOTIATION = 0x02C
NEGOTIATION_VERSION = Field(0, 16)
NEGOTIATION_ANSWER = Field(16, 8)

# Control.
CONTROL = 0x030
CONTROL_RESET = Field(0, 1)

# Events that happened; write 1 to clear. The host event line is the OR of status AND enable.
EVENT_STATUS = 0x034
EVENT_STATUS_COMPLETION = Field(0, 1)
EVENT_STATUS_STATE = Field(1, 1)
EVENT_STATUS_FAULT = Field(2, 1)
EVENT_STATUS_QUEUE = Field(3, 1)

# Which events raise the host event line.
EVENT_ENABLE = 0x038
EVENT_ENABLE_EVENTS = Field(0, 4)

# Firmware: write 1 to set the same bits of event_status.
EVENT_SET = 0x03C
EVENT_SET_COMPLETION = Field(0, 1)
EVENT_SET_STATE = Field(1, 1)
EVENT_SET_FAULT = Field(2, 1)
EVENT_SET_QUEUE = Field(3, 1)
EVENT_SET_FUNCTION = Field(4, 8)

# RISC-V mcause of the trap that stopped the firmware.
FAULT_CAUSE = 0x040
FAULT_CAUSE_CAUSE = Field(0, 32)

# Program counter of the trapped instruction.
FAULT_PC = 0x044
FAULT_PC_PC = Field(0, 32)

# RISC-V mtval of the trap: offending address or instruction.
FAULT_VALUE = 0x048
FAULT_VALUE_VALUE = Field(0, 32)

# Free-running counter of control clock ticks, low half. Reading it latches the high half.
TIME_LOW = 0x04C
TIME_LOW_TICKS = Field(0, 32)

# High half of the counter, as of the last read of time_low.
TIME_HIGH = 0x050
TIME_HIGH_TICKS = Field(0, 32)

# Period of the control clock: the unit of all stamps.
CLOCK_PERIOD = 0x054
CLOCK_PERIOD_PS = Field(0, 32)

# The firmware's log: a ring of 64-byte records (LOG_RECORD) in device memory.
LOG_BASE = 0x058
LOG_BASE_ADDRESS = Field(0, 32)

# Records in the log ring, a power of two.
LOG_SIZE = 0x05C
LOG_SIZE_RECORDS = Field(0, 32)

# Records ever written to the log.
LOG_COUNT = 0x060
LOG_COUNT_COUNT = Field(0, 32)

# How many sessions the firmware can hold, and how many are open.
SESSIONS = 0x064
SESSIONS_OPEN = Field(0, 16)
SESSIONS_MOST = Field(16, 16)

# Sessions that this chip is configured for.
SESSION_LIMIT = 0x068
SESSION_LIMIT_MOST = Field(0, 32)

# Largest picture that the cores take.
PICTURE_LIMIT = 0x06C
PICTURE_LIMIT_WIDTH = Field(0, 16)
PICTURE_LIMIT_HEIGHT = Field(16, 16)

# Luma samples a second that encode sessions may ask for, all together.
ENCODE_RATE_LIMIT = 0x070
ENCODE_RATE_LIMIT_KILOSAMPLES = Field(0, 32)

# What the firmware can do beyond the basic protocol, written by it.
FIRMWARE_FEATURES = 0x074
FIRMWARE_FEATURES_PRIORITY = Field(0, 1)
FIRMWARE_FEATURES_DEADLINE = Field(1, 1)
FIRMWARE_FEATURES_WATCHDOG = Field(2, 1)
FIRMWARE_FEATURES_TRANSLATION = Field(3, 1)
FIRMWARE_FEATURES_CORE_SELECT = Field(4, 1)

# Features that the host needs, bits as in firmware_features. Write it before host_version.
HOST_FEATURES = 0x078
HOST_FEATURES_BITS = Field(0, 32)

# Cores out of service, one bit each: they get no job but those that name them. The firmware adds cores that
# hung; the host writes the whole mask.
CORES_OUT = 0x07C
CORES_OUT_BITS = Field(0, 32)

# Write 1: reset a core. A job that it runs is tried again, or ends as TIMED_OUT.
CORE_RESET = 0x080
CORE_RESET_BITS = Field(0, 32)

# Resets of the whole chip since power-on.
RESET_COUNT = 0x084
RESET_COUNT_COUNT = Field(0, 32)

# Of encode_rate_limit, what no session reserved.
ENCODE_RATE_LEFT = 0x088
ENCODE_RATE_LEFT_KILOSAMPLES = Field(0, 32)

# Which function this reader is: 0 has the whole chip, others a window of its memory and one queue.
FUNCTION = 0x08C
FUNCTION_INDEX = Field(0, 8)

# Commands that passed validation.
COMMANDS_ACCEPTED = 0x100
COMMANDS_ACCEPTED_COUNT = Field(0, 32)

# Commands refused by validation.
COMMANDS_REJECTED = 0x104
COMMANDS_REJECTED_COUNT = Field(0, 32)

# Jobs that a core finished with status OK or CORRUPT_INPUT (damage that was concealed).
JOBS_FINISHED = 0x108
JOBS_FINISHED_COUNT = Field(0, 32)

# Jobs that a core finished with another status.
JOBS_FAILED = 0x10C
JOBS_FAILED_COUNT = Field(0, 32)

# Instructions retired by the control processor, low half.
INSTRUCTIONS_LOW = 0x110
INSTRUCTIONS_LOW_COUNT = Field(0, 32)

# High half.
INSTRUCTIONS_HIGH = 0x114
INSTRUCTIONS_HIGH_COUNT = Field(0, 32)

# KiB read from device memory by all clients.
MEMORY_READ_KIB = 0x118
MEMORY_READ_KIB_COUNT = Field(0, 32)

# KiB written to device memory by all clients.
MEMORY_WRITE_KIB = 0x11C
MEMORY_WRITE_KIB_COUNT = Field(0, 32)

# Host writes to registers or memory that the host may not write.
HOST_WRITES_DROPPED = 0x120
HOST_WRITES_DROPPED_COUNT = Field(0, 32)

# Jobs that were given to a core again.
JOBS_RETRIED = 0x124
JOBS_RETRIED_COUNT = Field(0, 32)

# Jobs that the watchdog ended for good.
JOBS_TIMED_OUT = 0x128
JOBS_TIMED_OUT_COUNT = Field(0, 32)

# Jobs that finished after their deadline.
DEADLINES_MISSED = 0x12C
DEADLINES_MISSED_COUNT = Field(0, 32)

# Commands refused because an address left the window of their function.
ACCESS_VIOLATIONS = 0x130
ACCESS_VIOLATIONS_COUNT = Field(0, 32)

# Jobs ended by the memory guard of a core: an address behind the block left the window.
CORE_VIOLATIONS = 0x134
CORE_VIOLATIONS_COUNT = Field(0, 32)

# Single-bit errors of device memory that ECC corrected.
ECC_CORRECTED = 0x138
ECC_CORRECTED_COUNT = Field(0, 32)

# Errors of device memory that ECC could only report.
ECC_UNCORRECTED = 0x13C
ECC_UNCORRECTED_COUNT = Field(0, 32)

# Times that the host link went down: writes that were on their way then are lost.
LINK_DROPS = 0x140
LINK_DROPS_COUNT = Field(0, 32)

# Reading stalls the control processor until `pending` is not zero or the timer expired, then gives `pending`.
WAIT_PENDING = 0x200
WAIT_PENDING_PENDING = Field(0, 8)

# What waits for the firmware; write 1 to clear.
PENDING = 0x204
PENDING_DOORBELL = Field(0, 1)
PENDING_CORE = Field(1, 1)
PENDING_TIMER = Field(2, 1)
PENDING_HOST_VERSION = Field(3, 1)
PENDING_CONTROL = Field(4, 1)

# Cores that finished, one bit each; write 1 to clear.
CORES_DONE = 0x208
CORES_DONE_BITS = Field(0, 32)

# Timer: sets `pending.timer` so many ticks after it is written; 0 stops it.
TIMER = 0x20C
TIMER_TICKS = Field(0, 32)

# Mover between device memory and the control processor's memory: device address, low half.
MOVER_DEVICE_LOW = 0x210
MOVER_DEVICE_LOW_ADDRESS = Field(0, 32)

# Device address, high half.
MOVER_DEVICE_HIGH = 0x214
MOVER_DEVICE_HIGH_ADDRESS = Field(0, 32)

# Address in the control processor's memory, a multiple of 4.
MOVER_LOCAL = 0x218
MOVER_LOCAL_ADDRESS = Field(0, 32)

# Starts the move; the write is held until the move is done. Outside either memory, or no multiple of 4:
# nothing moves, mover_status is 1.
MOVER_GO = 0x21C
MOVER_GO_BYTES = Field(0, 16)
MOVER_GO_WRITE = Field(16, 1)

# How the last move ended.
MOVER_STATUS = 0x220
MOVER_STATUS_REFUSED = Field(0, 1)

# Announces a job block that will not change any more, so that its fetch can begin before a core is free:
# address, low half.
PREFETCH_LOW = 0x224
PREFETCH_LOW_ADDRESS = Field(0, 32)

# Announces a job block: high half and kind; the write announces.
PREFETCH_HIGH = 0x228
PREFETCH_HIGH_ADDRESS = Field(0, 16)
PREFETCH_HIGH_FUNCTION = Field(16, 8)
PREFETCH_HIGH_KIND = Field(24, 8)

# Queues whose tail or completion head was written, one bit each; write 1 to clear.
DOORBELLS = 0x22C
DOORBELLS_BITS = Field(0, 16)

# Switches the function on. Only function 0 writes here and below; the window must not change while its queue
# runs.
FUNCTIONS_CONTROL = 0x240
FUNCTIONS_CONTROL_ENABLE = Field(0, 1)
FUNCTIONS_CONTROL_PRIORITY = Field(1, 2)

# Window of device memory: the function's address 0 is here.
FUNCTIONS_WINDOW_BASE = 0x244
FUNCTIONS_WINDOW_BASE_BASE = Field(0, 32)

# Size of the window.
FUNCTIONS_WINDOW_SIZE = 0x248
FUNCTIONS_WINDOW_SIZE_SIZE = Field(0, 32)

# Sessions that the function may have open.
FUNCTIONS_SESSION_LIMIT = 0x24C
FUNCTIONS_SESSION_LIMIT_MOST = Field(0, 16)

# Encode rate that the function may reserve.
FUNCTIONS_ENCODE_RATE_LIMIT = 0x250
FUNCTIONS_ENCODE_RATE_LIMIT_KILOSAMPLES = Field(0, 32)

# The function's event_status.
FUNCTIONS_EVENT_STATUS = 0x254
FUNCTIONS_EVENT_STATUS_EVENTS = Field(0, 4)

# The function's event_enable.
FUNCTIONS_EVENT_ENABLE = 0x258
FUNCTIONS_EVENT_ENABLE_EVENTS = Field(0, 4)

# Accesses and addresses of this function that left its window: by the host link, by commands, by jobs on
# cores.
FUNCTIONS_VIOLATIONS = 0x25C
FUNCTIONS_VIOLATIONS_COUNT = Field(0, 32)

# Enables the queue. The firmware reads base, size and completion base when it sees the change.
QUEUES_CONTROL = 0x400
QUEUES_CONTROL_ENABLE = Field(0, 1)
QUEUES_CONTROL_SIZE_LOG2 = Field(1, 4)
QUEUES_CONTROL_PRIORITY = Field(5, 2)

# What the firmware says about the queue.
QUEUES_STATUS = 0x404
QUEUES_STATUS_STATE = Field(0, 8)

# Command ring in device memory, low half.
QUEUES_BASE_LOW = 0x408
QUEUES_BASE_LOW_ADDRESS = Field(0, 32)

# Command ring, high half.
QUEUES_BASE_HIGH = 0x40C
QUEUES_BASE_HIGH_ADDRESS = Field(0, 32)

# Completion ring in device memory, low half.
QUEUES_COMPLETION_BASE_LOW = 0x410
QUEUES_COMPLETION_BASE_LOW_ADDRESS = Field(0, 32)

# Completion ring, high half.
QUEUES_COMPLETION_BASE_HIGH = 0x414
QUEUES_COMPLETION_BASE_HIGH_ADDRESS = Field(0, 32)

# Doorbell: commands ever put on the ring by the host. Write it after the records.
QUEUES_TAIL = 0x418
QUEUES_TAIL_INDEX = Field(0, 32)

# Commands ever taken from the ring by the firmware: their slots are free again.
QUEUES_HEAD = 0x41C
QUEUES_HEAD_INDEX = Field(0, 32)

# Completions ever put on the ring by the firmware.
QUEUES_COMPLETION_TAIL = 0x420
QUEUES_COMPLETION_TAIL_INDEX = Field(0, 32)

# Completions ever taken by the host: their slots are free again.
QUEUES_COMPLETION_HEAD = 0x424
QUEUES_COMPLETION_HEAD_INDEX = Field(0, 32)

# What this core is.
CORES_KIND = 0x800
CORES_KIND_KIND = Field(0, 8)

# Job block in device memory, low half.
CORES_JOB_LOW = 0x804
CORES_JOB_LOW_ADDRESS = Field(0, 32)

# Job block, high half.
CORES_JOB_HIGH = 0x808
CORES_JOB_HIGH_ADDRESS = Field(0, 32)

# Write 1 to start the job. Ignored while busy.
CORES_START = 0x80C
CORES_START_START = Field(0, 1)

# State and outcome.
CORES_STATUS = 0x810
CORES_STATUS_BUSY = Field(0, 1)
CORES_STATUS_RESULT = Field(1, 8)

# Detail of the last job's status.
CORES_DETAIL = 0x814
CORES_DETAIL_DETAIL = Field(0, 32)

# Bytes that the last job put out.
CORES_OUTPUT_BYTES = 0x818
CORES_OUTPUT_BYTES_BYTES = Field(0, 32)

# When the last job started, low half.
CORES_STARTED_LOW = 0x81C
CORES_STARTED_LOW_TICKS = Field(0, 32)

# High half.
CORES_STARTED_HIGH = 0x820
CORES_STARTED_HIGH_TICKS = Field(0, 32)

# When the last job finished, low half.
CORES_FINISHED_LOW = 0x824
CORES_FINISHED_LOW_TICKS = Field(0, 32)

# High half.
CORES_FINISHED_HIGH = 0x828
CORES_FINISHED_HIGH_TICKS = Field(0, 32)

# Ticks that this core was busy, low half.
CORES_BUSY_TICKS = 0x82C
CORES_BUSY_TICKS_TICKS = Field(0, 32)

# Function in whose window the job's addresses are; written before start.
CORES_FUNCTION = 0x830
CORES_FUNCTION_INDEX = Field(0, 8)

# Write 1 to reset the core. The job that it runs ends with result CORE_RESET: a hung one at once, another one
# when its memory traffic has run out.
CORES_RESET = 0x834
CORES_RESET_RESET = Field(0, 1)

# By address; in arrays, of element 0.
REGISTERS: dict[int, Register] = {
    ID: Register("id", 0x43534154, 0x000, 0x000, False),
    INTERFACE_VERSION: Register("interface_version", 0x10001, 0x000, 0x000, False),
    FEATURES: Register("features", 0x000, 0x000, 0x000, False),
    CAPACITY: Register("capacity", 0x000, 0x000, 0x000, False),
    MEMORY_SIZE: Register("memory_size", 0x000, 0x000, 0x000, False),
    FIRMWARE_AREA: Register("firmware_area", 0x000, 0x000, 0x000, False),
    FIRMWARE_VERSION: Register("firmware_version", 0x000, 0xFFFFFFFF, 0x000, False),
    FIRMWARE_STATUS: Register("firmware_status", 0x000, 0x0FF, 0x000, False),
    FIRMWARE_HEARTBEAT: Register("firmware_heartbeat", 0x000, 0xFFFFFFFF, 0x000, False),
    DESCRIPTOR_VERSIONS: Register("descriptor_versions", 0x000, 0xFFFFFFFF, 0x000, False),
    HOST_VERSION: Register("host_version", 0x000, 0xFFFF, 0x000, True),
    NEGOTIATION: Register("negotiation", 0x000, 0xFFFFFF, 0x000, False),
    CONTROL: Register("control", 0x000, 0x000, 0x000, True),
    EVENT_STATUS: Register("event_status", 0x000, 0x000, 0x00F, True),
    EVENT_ENABLE: Register("event_enable", 0x000, 0x00F, 0x000, True),
    EVENT_SET: Register("event_set", 0x000, 0x000, 0x000, False),
    FAULT_CAUSE: Register("fault_cause", 0x000, 0x000, 0x000, False),
    FAULT_PC: Register("fault_pc", 0x000, 0x000, 0x000, False),
    FAULT_VALUE: Register("fault_value", 0x000, 0x000, 0x000, False),
    TIME_LOW: Register("time_low", 0x000, 0x000, 0x000, False),
    TIME_HIGH: Register("time_high", 0x000, 0x000, 0x000, False),
    CLOCK_PERIOD: Register("clock_period", 0x000, 0x000, 0x000, False),
    LOG_BASE: Register("log_base", 0x000, 0xFFFFFFFF, 0x000, False),
    LOG_SIZE: Register("log_size", 0x000, 0xFFFFFFFF, 0x000, False),
    LOG_COUNT: Register("log_count", 0x000, 0xFFFFFFFF, 0x000, False),
    SESSIONS: Register("sessions", 0x000, 0xFFFFFFFF, 0x000, False),
    SESSION_LIMIT: Register("session_limit", 0x000, 0x000, 0x000, False),
    PICTURE_LIMIT: Register("picture_limit", 0x000, 0x000, 0x000, False),
    ENCODE_RATE_LIMIT: Register("encode_rate_limit", 0x000, 0x000, 0x000, False),
    FIRMWARE_FEATURES: Register("firmware_features", 0x000, 0x01F, 0x000, False),
    HOST_FEATURES: Register("host_features", 0x000, 0xFFFFFFFF, 0x000, True),
    CORES_OUT: Register("cores_out", 0x000, 0xFFFFFFFF, 0x000, True),
    CORE_RESET: Register("core_reset", 0x000, 0xFFFFFFFF, 0x000, True),
    RESET_COUNT: Register("reset_count", 0x000, 0x000, 0x000, False),
    ENCODE_RATE_LEFT: Register("encode_rate_left", 0x000, 0xFFFFFFFF, 0x000, False),
    FUNCTION: Register("function", 0x000, 0x000, 0x000, False),
    COMMANDS_ACCEPTED: Register("commands_accepted", 0x000, 0xFFFFFFFF, 0x000, False),
    COMMANDS_REJECTED: Register("commands_rejected", 0x000, 0xFFFFFFFF, 0x000, False),
    JOBS_FINISHED: Register("jobs_finished", 0x000, 0xFFFFFFFF, 0x000, False),
    JOBS_FAILED: Register("jobs_failed", 0x000, 0xFFFFFFFF, 0x000, False),
    INSTRUCTIONS_LOW: Register("instructions_low", 0x000, 0x000, 0x000, False),
    INSTRUCTIONS_HIGH: Register("instructions_high", 0x000, 0x000, 0x000, False),
    MEMORY_READ_KIB: Register("memory_read_kib", 0x000, 0x000, 0x000, False),
    MEMORY_WRITE_KIB: Register("memory_write_kib", 0x000, 0x000, 0x000, False),
    HOST_WRITES_DROPPED: Register("host_writes_dropped", 0x000, 0x000, 0x000, False),
    JOBS_RETRIED: Register("jobs_retried", 0x000, 0xFFFFFFFF, 0x000, False),
    JOBS_TIMED_OUT: Register("jobs_timed_out", 0x000, 0xFFFFFFFF, 0x000, False),
    DEADLINES_MISSED: Register("deadlines_missed", 0x000, 0xFFFFFFFF, 0x000, False),
    ACCESS_VIOLATIONS: Register("access_violations", 0x000, 0xFFFFFFFF, 0x000, False),
    CORE_VIOLATIONS: Register("core_violations", 0x000, 0x000, 0x000, False),
    ECC_CORRECTED: Register("ecc_corrected", 0x000, 0x000, 0x000, False),
    ECC_UNCORRECTED: Register("ecc_uncorrected", 0x000, 0x000, 0x000, False),
    LINK_DROPS: Register("link_drops", 0x000, 0x000, 0x000, False),
    WAIT_PENDING: Register("wait_pending", 0x000, 0x000, 0x000, False),
    PENDING: Register("pending", 0x000, 0x000, 0x01F, False),
    CORES_DONE: Register("cores_done", 0x000, 0x000, 0xFFFFFFFF, False),
    TIMER: Register("timer", 0x000, 0xFFFFFFFF, 0x000, False),
    MOVER_DEVICE_LOW: Register("mover_device_low", 0x000, 0xFFFFFFFF, 0x000, False),
    MOVER_DEVICE_HIGH: Register("mover_device_high", 0x000, 0xFFFFFFFF, 0x000, False),
    MOVER_LOCAL: Register("mover_local", 0x000, 0xFFFFFFFF, 0x000, False),
    MOVER_GO: Register("mover_go", 0x000, 0x1FFFF, 0x000, False),
    MOVER_STATUS: Register("mover_status", 0x000, 0x000, 0x000, False),
    PREFETCH_LOW: Register("prefetch_low", 0x000, 0xFFFFFFFF, 0x000, False),
    PREFETCH_HIGH: Register("prefetch_high", 0x000, 0xFFFFFFFF, 0x000, False),
    DOORBELLS: Register("doorbells", 0x000, 0x000, 0xFFFF, False),
    FUNCTIONS_CONTROL: Register("functions.control", 0x000, 0x007, 0x000, True),
    FUNCTIONS_WINDOW_BASE: Register("functions.window_base", 0x000, 0xFFFFFFFF, 0x000, True),
    FUNCTIONS_WINDOW_SIZE: Register("functions.window_size", 0x000, 0xFFFFFFFF, 0x000, True),
    FUNCTIONS_SESSION_LIMIT: Register("functions.session_limit", 0x000, 0xFFFF, 0x000, True),
    FUNCTIONS_ENCODE_RATE_LIMIT: Register("functions.encode_rate_limit", 0x000, 0xFFFFFFFF, 0x000, True),
    FUNCTIONS_EVENT_STATUS: Register("functions.event_status", 0x000, 0x000, 0x000, False),
    FUNCTIONS_EVENT_ENABLE: Register("functions.event_enable", 0x000, 0x000, 0x000, False),
    FUNCTIONS_VIOLATIONS: Register("functions.violations", 0x000, 0xFFFFFFFF, 0x000, False),
    QUEUES_CONTROL: Register("queues.control", 0x000, 0x07F, 0x000, True),
    QUEUES_STATUS: Register("queues.status", 0x000, 0x0FF, 0x000, False),
    QUEUES_BASE_LOW: Register("queues.base_low", 0x000, 0xFFFFFFFF, 0x000, True),
    QUEUES_BASE_HIGH: Register("queues.base_high", 0x000, 0xFFFFFFFF, 0x000, True),
    QUEUES_COMPLETION_BASE_LOW: Register("queues.completion_base_low", 0x000, 0xFFFFFFFF, 0x000, True),
    QUEUES_COMPLETION_BASE_HIGH: Register("queues.completion_base_high", 0x000, 0xFFFFFFFF, 0x000, True),
    QUEUES_TAIL: Register("queues.tail", 0x000, 0xFFFFFFFF, 0x000, True),
    QUEUES_HEAD: Register("queues.head", 0x000, 0xFFFFFFFF, 0x000, False),
    QUEUES_COMPLETION_TAIL: Register("queues.completion_tail", 0x000, 0xFFFFFFFF, 0x000, False),
    QUEUES_COMPLETION_HEAD: Register("queues.completion_head", 0x000, 0xFFFFFFFF, 0x000, True),
    CORES_KIND: Register("cores.kind", 0x000, 0x000, 0x000, False),
    CORES_JOB_LOW: Register("cores.job_low", 0x000, 0xFFFFFFFF, 0x000, False),
    CORES_JOB_HIGH: Register("cores.job_high", 0x000, 0xFFFFFFFF, 0x000, False),
    CORES_START: Register("cores.start", 0x000, 0x000, 0x000, False),
    CORES_STATUS: Register("cores.status", 0x000, 0x000, 0x000, False),
    CORES_DETAIL: Register("cores.detail", 0x000, 0x000, 0x000, False),
    CORES_OUTPUT_BYTES: Register("cores.output_bytes", 0x000, 0x000, 0x000, False),
    CORES_STARTED_LOW: Register("cores.started_low", 0x000, 0x000, 0x000, False),
    CORES_STARTED_HIGH: Register("cores.started_high", 0x000, 0x000, 0x000, False),
    CORES_FINISHED_LOW: Register("cores.finished_low", 0x000, 0x000, 0x000, False),
    CORES_FINISHED_HIGH: Register("cores.finished_high", 0x000, 0x000, 0x000, False),
    CORES_BUSY_TICKS: Register("cores.busy_ticks", 0x000, 0x000, 0x000, False),
    CORES_FUNCTION: Register("cores.function", 0x000, 0x0FF, 0x000, False),
    CORES_RESET: Register("cores.reset", 0x000, 0x000, 0x000, False),
}
