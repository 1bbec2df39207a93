"""What a device says about itself while it works: load, memory, counters, health, its firmware's log.

Everything is read from registers and device memory, so it is the same on every backend. All figures are of the
simulated chip: utilization is busy time by simulated time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asic_model import descriptors
from asic_model.descriptors import Kind, LogCode, Status
from asic_model.registers import map as regs
from driver.errors import LinkDown

if TYPE_CHECKING:
    from driver.device import Device

MASK32 = 0xFFFFFFFF
KIND_NAMES = {Kind.ENCODE: "encode", Kind.SCALE: "scale", Kind.DECODE: "decode"}
# Counters of the register map that are reported as they stand, name by register.
COUNTERS = {
    "commands_accepted": regs.COMMANDS_ACCEPTED,
    "commands_rejected": regs.COMMANDS_REJECTED,
    "jobs_finished": regs.JOBS_FINISHED,
    "jobs_failed": regs.JOBS_FAILED,
    "jobs_retried": regs.JOBS_RETRIED,
    "jobs_timed_out": regs.JOBS_TIMED_OUT,
    "deadlines_missed": regs.DEADLINES_MISSED,
    "access_violations": regs.ACCESS_VIOLATIONS,
    "core_violations": regs.CORE_VIOLATIONS,
    "ecc_corrected": regs.ECC_CORRECTED,
    "ecc_uncorrected": regs.ECC_UNCORRECTED,
    "link_drops": regs.LINK_DROPS,
    "resets": regs.RESET_COUNT,
    "host_writes_dropped": regs.HOST_WRITES_DROPPED,
}


@dataclass(frozen=True)
class CoreState:
    """One core of the chip."""

    number: int
    kind: str
    busy: bool
    in_service: bool
    busy_ticks: int  # modulo 2**32


@dataclass(frozen=True)
class Telemetry:
    """One look at a device. `ticks` are of the control clock, `clock_period_ps` long."""

    ticks: int
    clock_period_ps: int
    cores: tuple[CoreState, ...]
    sessions: int
    max_sessions: int
    encode_kilosamples_free: int
    memory_read_kib: int  # modulo 2**32, since power-on
    memory_write_kib: int
    heartbeat: int
    firmware_state: str
    counters: dict[str, int]
    instructions: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **{name: getattr(self, name) for name in (
                "ticks", "clock_period_ps", "sessions", "max_sessions", "encode_kilosamples_free", "memory_read_kib",
                "memory_write_kib", "heartbeat", "firmware_state", "instructions",
            )},
            "cores": [core.__dict__ for core in self.cores],
            "counters": dict(self.counters),
        }  # fmt: skip


def read_telemetry(device: "Device") -> Telemetry:
    """Read all of it; takes the link's time. Raises LinkDown when the link is down before the end."""
    with device.lock:
        read = device.backend.read32
        drops = read(regs.LINK_DROPS)
        low = read(regs.TIME_LOW)
        ticks = low | read(regs.TIME_HIGH) << 32
        out, sessions = read(regs.CORES_OUT), read(regs.SESSIONS)
        cores = []
        for number in range(regs.CORES_COUNT):
            base = number * regs.CORES_STRIDE
            kind = read(regs.CORES_KIND + base)
            if kind not in KIND_NAMES:
                break
            cores.append(
                CoreState(
                    number, KIND_NAMES[Kind(kind)], bool(regs.CORES_STATUS_BUSY.get(read(regs.CORES_STATUS + base))),
                    not out >> number & 1, read(regs.CORES_BUSY_TICKS + base),
                )
            )  # fmt: skip
        found = Telemetry(
            ticks=ticks,
            clock_period_ps=device.capabilities.clock_period_ps,
            cores=tuple(cores),
            sessions=regs.SESSIONS_OPEN.get(sessions),
            max_sessions=regs.SESSIONS_MOST.get(sessions),
            encode_kilosamples_free=read(regs.ENCODE_RATE_LEFT),
            memory_read_kib=read(regs.MEMORY_READ_KIB),
            memory_write_kib=read(regs.MEMORY_WRITE_KIB),
            heartbeat=read(regs.FIRMWARE_HEARTBEAT),
            firmware_state=device.firmware_state().name,
            counters={name: read(address) for name, address in COUNTERS.items()},
            instructions=read(regs.INSTRUCTIONS_LOW) | read(regs.INSTRUCTIONS_HIGH) << 32,
        )
        _check_steady(device, drops)
        return found


def _check_steady(device: "Device", drops: int) -> None:
    """Raise LinkDown unless the link has been up since that many drops were counted: what was read then is sound."""
    if drops == MASK32 or device.backend.read32(regs.LINK_DROPS) != drops:
        raise LinkDown(f"{device.name}: the host link went down while the device was looked at")


def utilization(before: Telemetry, after: Telemetry) -> dict[str, float]:
    """Share of the simulated time between two looks that the cores of each kind were busy, 0..1.

    The hardware counts a job's time when it ends, so one that began before `before` may count beyond the time between.
    """
    elapsed = after.ticks - before.ticks
    found: dict[str, float] = {}
    for kind in sorted({core.kind for core in after.cores}):
        pairs = [(a, b) for a, b in zip(after.cores, before.cores, strict=True) if a.kind == kind]
        busy = sum(a.busy_ticks - b.busy_ticks & MASK32 for a, b in pairs)
        found[kind] = min(1.0, busy / (elapsed * len(pairs))) if elapsed > 0 else 0.0
    return found


@dataclass(frozen=True)
class LogEntry:
    """One record of the firmware's log."""

    index: int
    seconds: float  # simulated, since power-on
    code: str
    text: str


_LOG_TEXTS = {
    LogCode.BOOT: "firmware {a_version} on {b} encode, {c} scale, {d} decode cores",
    LogCode.VERSION: "host speaks descriptor version {a}: {b_answer}",
    LogCode.QUEUE_STATE: "queue {a} is {b_state} (tail {c}, head {d})",
    LogCode.REJECTED: "queue {a}: command {b} refused: {c_status}, detail {d}",
    LogCode.SESSION_OPENED: "session {a:#x} opened on queue {b}: {c_kind}, {d_size}",
    LogCode.SESSION_CLOSED: "session {a:#x} closed after command {b}",
    LogCode.JOB_FAILED: "session {a:#x}: command {b} failed: {c_status}, detail {d}",
    LogCode.STRAY_CORE: "core {a} finished without a job",
    LogCode.WATCHDOG: "core {a} hung in session {b:#x}, command {c}, attempt {d}: reset",
    LogCode.CORES_OUT: "cores out of service: {a:#x} ({b_cause})",
    LogCode.VIOLATION: "queue {a}: command {b} names memory outside of its window (field {c})",
    LogCode.DEADLINE_MISSED: "session {a:#x}: command {b} was {c} ticks late",
}


def _name(enumeration: Any, value: int) -> str:
    known = {int(member): member.name for member in enumeration}
    return known.get(value, str(value))


def read_log(device: "Device") -> list[LogEntry]:
    """Decode the ring of the firmware's log, oldest entry first. Empty for clients, who have no log of their own.

    Raises LinkDown when the link is down before the end.
    """
    with device.lock:
        read = device.backend.read32
        drops = read(regs.LINK_DROPS)
        base, size, count = read(regs.LOG_BASE), read(regs.LOG_SIZE), read(regs.LOG_COUNT)
        _check_steady(device, drops)
        if not size:
            return []
        record_bytes = descriptors.RECORD_BYTES
        whole = device.backend.memory_read(base, size * record_bytes)
        _check_steady(device, drops)
    entries = []
    for index in range(max(0, count - size), count):
        at = index % size * record_bytes
        record = descriptors.LOG_RECORD.unpack(whole[at : at + record_bytes])
        if record["index"] != index & MASK32:
            continue  # overwritten while it was read
        a, b, c, d = (record[name] for name in "abcd")
        values = record | {
            "a_version": f"{a >> 16}.{a >> 8 & 255}.{a & 255}",
            "b_answer": _name(regs.Negotiation, b),
            "b_state": _name(regs.QueueState, b),
            "b_cause": {0: "by the host", 1: "by the watchdog"}.get(b, str(b)),
            "c_status": _name(Status, c),
            "c_kind": _name(Kind, c).lower(),
            "d_size": f"{d >> 16}x{d & 0xFFFF}",
        }
        code = _name(LogCode, record["code"])
        template = _LOG_TEXTS.get(LogCode(record["code"]) if code != str(record["code"]) else LogCode.BOOT)
        text = template.format(**values) if template and code != str(record["code"]) else f"{a} {b} {c} {d}"
        seconds = record["ticks"] * device.capabilities.clock_period_ps * 1e-12
        entries.append(LogEntry(index, seconds, code, text))
    return entries
