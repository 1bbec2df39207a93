"""Devices: found by name, opened, handed out in sessions.

One device may serve several sessions, from one or several threads. Time on it is simulated: it passes only inside
`wait_until` and in transfers, so results do not depend on the speed of the host.
"""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from asic_model.descriptors import Command
from asic_model.registers import map as regs
from driver.backends import Backend, open_backend
from driver.bring_up import Capabilities, CheckedBackend, boot, read_capabilities
from driver.enumeration import DeviceInfo, find
from driver.errors import (
    DeviceLost,
    FirmwareHang,
    InvalidConfig,
    LinkDown,
    NotPermitted,
    SessionClosed,
    TasicError,
    TryAgain,
)
from driver.firmware_sessions import FirmwareSessions
from driver.option_values import near
from driver.queue import Fence, Queue, failure
from driver.surfaces import Allocator, SurfacePool

if TYPE_CHECKING:
    from driver.decode_session import DecodeSession
    from driver.encode_session import EncodeSession
    from driver.options import EncoderConfig, PlannedRung, ScalerConfig
    from driver.scale_session import ScaleSession
    from driver.transcode import TranscodeSession

MASK32 = 0xFFFFFFFF
EVENT_COMPLETION = regs.EVENT_STATUS_COMPLETION.mask
# One step of waiting, and how long without a turn of the firmware's loop before it counts as hung.
WAIT_STEP_US = 2_000
HANG_US = 50_000
# A job that runs longer than this is stuck: 60 s of simulated time.
DEADLINE_US = 60_000_000
# Resets in a row, without a single completion between them, after which a device counts as lost.
RESETS_IN_A_ROW = 3
OPEN_ATTEMPTS = 4
MAX_SURFACE_PX, MAX_SURFACES = 8192, 4096  # of a pool that `Device.surfaces` gives out
RECOVERIES = ("rerun", "fail", "none")


_opened: "weakref.WeakSet[Device]" = weakref.WeakSet()


def _forget_after_fork() -> None:
    for device in list(_opened):
        device.forget_here()


os.register_at_fork(after_in_child=_forget_after_fork)


class Device:
    """An opened device. Use as a context manager; closing it closes its sessions.

    recovery : what happens when the firmware traps, hangs or is reset by the chip's owner while something is waited
               for: "rerun" resets the device and runs the jobs in flight again (driver/recovery.py), "fail" resets it
               and lets them fail with SessionReset, "none" raises DeviceLost at once; a chip that stands when it is
               opened is reset once, but for "none"
    function : 0 for the whole chip, else the number of the client that this is
    resets   : how often this object reset the device, or found it reset
    """

    def __init__(self, backend: Backend, name: str = "device", *, recovery: str = "rerun", features: int = 0) -> None:
        """features: bits of `firmware_features` without which the device is of no use."""
        if recovery not in RECOVERIES:
            raise InvalidConfig(f"option recovery: {recovery!r} is not one of {', '.join(RECOVERIES)}")
        self.backend: Backend = CheckedBackend(backend, self)
        _opened.add(self)
        self.name = name
        self.info = DeviceInfo(name, *name.partition(":")[::2])
        self.recovery = recovery
        self.lock = threading.RLock()
        self.queues: dict[int, Queue] = {}
        self.sessions: list[Any] = []
        self.firmware_sessions = FirmwareSessions(self)
        self.resets = 0
        self._features = features
        self._priorities: dict[int, int] = {}
        self._resets_in_a_row = 0
        self._recovering = False
        self._next_queue = 0
        self._closed = False
        self._pump: Any = None
        self._telemetry: Any = None
        for attempt in range(1, OPEN_ATTEMPTS + 1):
            self._link_drops = backend.read32(regs.LINK_DROPS)
            try:
                self.boot()
                self.function = regs.FUNCTION_INDEX.get(backend.read32(regs.FUNCTION))
                self.capabilities = read_capabilities(backend)
                start = regs.FIRMWARE_AREA_BYTES.get(backend.read32(regs.FIRMWARE_AREA))
                self.check_link()  # up all the while: what was read and written is sound
                break
            except LinkDown:
                if attempt == OPEN_ATTEMPTS:
                    raise
                backend.wait(WAIT_STEP_US)
            except DeviceLost:
                if recovery == "none" or self.resets or not self._is_whole_chip():
                    raise
                backend.write32(regs.CONTROL, regs.CONTROL_RESET.put(1))
                self.resets += 1
        self.allocator = Allocator(start, self.capabilities.memory_bytes)

    def _is_whole_chip(self) -> bool:
        """Whether there is a chip behind the registers, and all of it is this driver's."""
        read = self.backend.read32
        return read(regs.ID) == regs.REGISTERS[regs.ID].reset and read(regs.FUNCTION) == 0

    @classmethod
    def open(cls, name: str, *, recovery: str = "rerun", features: int = 0, **options: Any) -> "Device":
        """Open `model:vcu`, `null:vcu`, `model:path/to/chip.yaml`, `remote:/path/to/socket` of a `tasic serve`, or what
        else driver/enumeration.py knows: `tasic0`, an index, a UUID, a PCI address.

        Other options go to the backend (`seed=`, `faults=`).
        """
        if not isinstance(name, str):
            raise InvalidConfig(f"a device's name is text such as model:vcu, not {name!r}")
        info = find(name)
        backend = open_backend(info.name, **options)
        try:
            device = cls(backend, name, recovery=recovery, features=features)
        except BaseException:
            backend.close()
            raise
        device.info = info
        return device

    @property
    def index(self) -> int:
        """Among devices of the same chip; of daemons among all of this user's."""
        return self.info.index

    @property
    def uuid(self) -> str:
        return self.info.uuid

    @property
    def pci_bdf(self) -> str:
        """Where a daemon's device says it is; "" for one in this process."""
        return self.info.pci_bdf

    def boot(self) -> None:
        """Wait for the firmware, agree on version and features; after a reset, too."""
        boot(self, self._features)

    @property
    def caps(self) -> Capabilities:
        """Short for `capabilities`."""
        return self.capabilities

    @property
    def firmware_version(self) -> str:
        return self.capabilities.firmware_version

    # -- waiting --------------------------------------------------------------------------------------------------

    def firmware_state(self) -> regs.FirmwareState:
        word = self.backend.read32(regs.FIRMWARE_STATUS)
        if word == MASK32:
            raise LinkDown(f"{self.name}: the host link is down")
        return regs.FirmwareState(regs.FIRMWARE_STATUS_STATE.get(word))

    def wait_register(self, ready: Callable[[], bool], what: str, timeout_us: int = 1_000_000) -> None:
        """Let time pass until `ready()`, which looks at registers; FirmwareHang when it never is."""
        waited_us = 0
        while not ready():
            if waited_us >= timeout_us:
                self._raise_if_faulted()
                raise FirmwareHang(f"{self.name}: waited {waited_us} us for {what}", waited_us=waited_us)
            self.backend.write32(regs.EVENT_STATUS, 1 << regs.EVENT_STATUS_STATE.low)
            if ready():
                return
            self.backend.wait(WAIT_STEP_US)
            waited_us += WAIT_STEP_US

    def poll(self) -> int:
        """Take all completions that are there; return how many."""
        with self.lock:
            self.backend.write32(regs.EVENT_STATUS, EVENT_COMPLETION)
            busy = [queue for queue in self.queues.values() if queue.outstanding]
            if busy:
                self._raise_if_link_down()  # before anything that came over it is believed
            found = 0
            for queue in busy:
                found += queue.collect()
            if found and not self._recovering:  # what a reset itself sends proves nothing
                self._resets_in_a_row = 0
            return found

    def wait_until(self, ready: Callable[[], bool], timeout_us: int | None = None, what: str = "the device") -> None:
        """Let simulated time pass until `ready()`.

        Raises TryAgain after `timeout_us`, DeviceLost when the firmware trapped, FirmwareHang when its heartbeat
        stands still or nothing completes for a minute of simulated time; but `recovery` comes first.
        """
        while True:
            try:
                self._wait_until(ready, timeout_us, what)
                return
            except DeviceLost as error:
                self._recover(error)

    def _recover(self, error: DeviceLost) -> None:
        """Reset a device that stands, or raise `error`."""
        from driver.recovery import reset

        if self.recovery == "none" or self._recovering or self._closed or self._resets_in_a_row >= RESETS_IN_A_ROW:
            raise error
        self._resets_in_a_row += 1
        with self.lock:
            self._recovering = True
            try:
                reset(self, rerun=self.recovery == "rerun" and not isinstance(error, LinkDown))
                self.resets += 1
            except TasicError:
                raise error from None
            finally:
                self._recovering = False

    def _wait_until(self, ready: Callable[[], bool], timeout_us: int | None, what: str) -> None:
        limit = DEADLINE_US if timeout_us is None else timeout_us
        waited_us = idle_us = 0
        beat = -1
        while not ready():
            with self.lock:  # released after each step: other threads' sessions want their turn
                if ready():  # one of them took the completions
                    return
                # While completions are to be taken their event is up, and the wait is over at once.
                step_us = min(WAIT_STEP_US, limit - waited_us)
                is_up = step_us > 0 and self.backend.wait(step_us)
                if self.poll():
                    waited_us = waited_us if timeout_us is not None else 0
                    idle_us = 0
                elif is_up:
                    self._handle_events()
                    waited_us += 1  # an event that never goes away must not wait for ever
                elif waited_us >= limit:
                    if timeout_us is None:
                        raise FirmwareHang(f"{self.name}: {what} did not complete in {limit} us", waited_us=waited_us)
                    raise TryAgain(f"{what} is not done after {timeout_us} us", waited_us=waited_us)
                else:
                    waited_us += step_us
                    idle_us += step_us
                    if idle_us >= HANG_US:
                        idle_us, beat = 0, self._check_alive(beat)

    def _check_alive(self, last_beat: int) -> int:
        self._raise_if_link_down()
        self._raise_if_faulted()
        for queue in self.queues.values():
            queue.check()
            queue.ring()  # in case a doorbell was lost: harmless otherwise
        beat = self.backend.read32(regs.FIRMWARE_HEARTBEAT)
        if beat == last_beat:
            raise FirmwareHang(f"{self.name}: the firmware has not turned its loop for {HANG_US} us", heartbeat=beat)
        return beat

    def _handle_events(self) -> None:
        """An event that is not a completion: a trap, a stopped queue, or a change of state to take note of."""
        events = self.backend.read32(regs.EVENT_STATUS)
        self._raise_if_faulted()
        if regs.EVENT_STATUS_QUEUE.get(events) or regs.EVENT_STATUS_STATE.get(events):
            for queue in self.queues.values():
                queue.check()
        self.backend.write32(regs.EVENT_STATUS, events & ~regs.EVENT_STATUS_COMPLETION.mask)

    def _raise_if_link_down(self) -> None:
        drops = self.backend.read32(regs.LINK_DROPS)
        if drops != self._link_drops:
            raise LinkDown(f"{self.name}: the host link went down: what was on its way is lost", drops=drops)

    def link_drops(self) -> tuple[int, int]:
        """How often the link has gone down: as far as this driver has dealt with it, and by the chip's count."""
        return self._link_drops, self.backend.read32(regs.LINK_DROPS)

    def accept_link(self, drops: int) -> None:
        """What was lost on the link up to that count is dealt with."""
        self._link_drops = drops

    def check_link(self) -> None:
        """Raise LinkDown when the link is down or went down unnoticed."""
        self._raise_if_link_down()

    def _raise_if_faulted(self) -> None:
        if self.firmware_state() is regs.FirmwareState.FAULT:
            read = self.backend.read32
            cause, pc, value = read(regs.FAULT_CAUSE), read(regs.FAULT_PC), read(regs.FAULT_VALUE)
            raise DeviceLost(
                f"{self.name}: the firmware trapped (cause {cause}, pc {pc:#x}, value {value:#x})",
                cause=cause, pc=pc, value=value,
            )  # fmt: skip

    # -- commands -------------------------------------------------------------------------------------------------

    def queue(self, number: int) -> Queue:
        """Return queue `number`, enabled at first use."""
        with self.lock:
            self._check_open()
            self._check_queue(number)
            if number not in self.queues:
                self.queues[number] = Queue(self, number, self._priorities.get(number, 0))
            found = self.queues[number]
            if not found.enabled:
                try:
                    found.start()
                except DeviceLost as error:
                    self._recover(error)  # which enables all queues
            return found

    def _check_queue(self, number: int) -> None:
        most = self.capabilities.queues - 1
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
            raise InvalidConfig(f"queue {number!r} is not one of 0..{most}", option="queue", value=number)

    def _check_open(self) -> None:
        if self._closed:
            raise SessionClosed(f"{self.name} is closed")

    def next_queue(self) -> Queue:
        """Return the queue for a new session: sessions take turns over the queues."""
        with self.lock:
            number = self._next_queue % self.capabilities.queues
            self._next_queue += 1
            return self.queue(number)

    def set_priority(self, queue: int, priority: int) -> None:
        """Give a queue a priority, 0 (the default) to 3; before its first session is opened."""
        self._check_queue(queue)
        if not 0 <= priority <= 3:
            raise InvalidConfig(f"option priority: {priority} is outside 0..3")
        if queue in self.queues:
            raise InvalidConfig(f"queue {queue} is in use: its priority is fixed")
        self._priorities[queue] = priority

    def fail_sessions(self, handle: int, error: TasicError) -> None:
        """Whoever uses a firmware session fails."""
        for session in self.sessions:
            if session.uses(handle):
                session.fail(error)

    def command(self, queue: Queue, command: Command, **fields: Any) -> dict[str, int]:
        """Send one command, wait for it, raise what it failed with."""
        with self.lock:
            fence: Fence = queue.stage_when_free(command, **fields)
            queue.ring()
            try:
                completion = fence.wait()
            except BaseException:
                self.give_up(queue, fence, fields["block"] if command is Command.OPEN_SESSION else None)
                raise
        error = failure(completion)
        if error is not None:
            raise error
        if command is Command.CLOSE_SESSION:
            self.firmware_sessions.forget(fields["session"])
        elif command is Command.RECONFIGURE:
            self.firmware_sessions.reconfigured(fields["session"], fields["block"])
        return completion

    def give_up(self, queue: Queue, fence: Fence, session: bytes | None = None) -> None:
        """Nobody waits for a command any more; `session`: block of the one that it opens, if it does."""
        queue.give_up(fence)
        if session is not None:
            fence.callback = lambda late: self.firmware_sessions.opened_in_vain(queue, session, late)

    # -- sessions -------------------------------------------------------------------------------------------------

    def open_encoder(self, config: "EncoderConfig") -> "EncodeSession":
        """Return a session that codes pictures of one size."""
        from driver.encode_session import EncodeSession

        return EncodeSession(self, config)

    def open_decoder(self, extradata: bytes | None = None, **options: Any) -> "DecodeSession":
        """Return a session that decodes one H.264 stream; `extradata` is the container's (avcC, or parameter sets)."""
        from driver.decode_session import DecodeSession

        if extradata is not None and not isinstance(extradata, bytes | bytearray | memoryview):
            raise InvalidConfig(f"extradata: {type(extradata).__name__}, must be bytes", option="extradata")
        _check_known(options, "frames_in_flight", "queue")
        return DecodeSession(self, extradata, **options)

    def open_scaler(self, config: "ScalerConfig") -> "ScaleSession":
        """Return a session that scales pictures of one size to one or several others."""
        from driver.scale_session import ScaleSession

        return ScaleSession(self, config)

    def open_transcoder(
        self, config: "EncoderConfig", rungs: "list[PlannedRung]", **options: Any
    ) -> "TranscodeSession":
        """Return a session that takes each picture once and codes it at every size of `rungs`."""
        from driver.transcode import TranscodeSession

        _check_known(options, "width", "height", "decode", "extradata", "quality")
        return TranscodeSession(self, config, rungs, **options)

    def query(self, config: "EncoderConfig | dict[str, Any]") -> Any:
        """Say what would be adjusted so that this device can do it, and why: `Adjusted(config, reasons)`.

        `config`: an EncoderConfig, or options as users type them (`{"b:v": "5M", "width": 1921}`).
        """
        from driver.query import query

        return query(self, config)

    def surfaces(self, width: int, height: int, count: int = 4) -> SurfacePool:
        """Return a pool of `count` surfaces on the device; close it after use.

        `with pool.acquire() as surface:` then `surface.upload(picture)`, `session.send_frame(surface)`.
        """
        self._check_open()
        for name, value, low, high in (("width", width, 2, MAX_SURFACE_PX), ("height", height, 2, MAX_SURFACE_PX),
                                       ("count", count, 1, MAX_SURFACES)):  # fmt: skip
            if isinstance(value, bool) or not isinstance(value, int):
                raise InvalidConfig(f"{name}: {value!r} is not a whole number", option=name, value=value)
            if not low <= value <= high or (name != "count" and value % 2):
                even = "" if name == "count" else ", even"
                raise InvalidConfig(f"{name}: {value} is outside {low}..{high}{even}", option=name, value=value)
        return SurfacePool(self.allocator, width, height, count, "picture", self.backend)

    def register_session(self, session: Any) -> None:
        self.sessions.append(session)

    def forget_session(self, session: Any) -> None:
        if session in self.sessions:
            self.sessions.remove(session)
        if self._pump is not None:
            self._pump.remove(session)

    def pump(self) -> Any:
        """The thread that lets time pass for `fileno()`, started at first use (driver/notify.py)."""
        from driver.notify import Pump

        with self.lock:
            if self._pump is None:
                self._pump = Pump(self)
            return self._pump

    # -- recovery -------------------------------------------------------------------------------------------------

    def reset(self, *, rerun: bool = True) -> Any:
        """Restart chip and firmware; sessions go on. Jobs in flight run again, or fail with SessionReset (`rerun`).

        Returns how many of each (driver/recovery.py). A client resets its own queue only. Raises DeviceLost.
        """
        from driver.recovery import reset

        with self.lock:
            self._check_open()
            done = reset(self, rerun=rerun)
            self.resets += 1
            return done

    def reset_core(self, core: int) -> None:
        """Reset one core; the job that it runs starts again, there or on another core."""
        self._need_whole_chip("reset a core")
        self._check_core(core)
        self.backend.write32(regs.CORE_RESET, 1 << core)

    def _check_core(self, core: int) -> None:
        if isinstance(core, bool) or not isinstance(core, int) or not 0 <= core < self.core_count:
            raise InvalidConfig(f"core {core!r} is not one of 0..{self.core_count - 1}", option="core")

    @property
    def recovering(self) -> bool:
        """Whether the device is being reset just now."""
        return self._recovering

    @property
    def core_count(self) -> int:
        found = self.capabilities
        return found.encode_cores + found.scale_cores + found.decode_cores

    def cores_out(self) -> set[int]:
        """Cores that get no work: taken out by hand, by a self-test, or by the firmware after they hung."""
        word = self.backend.read32(regs.CORES_OUT)
        return {core for core in range(self.core_count) if word >> core & 1}

    def set_cores_out(self, cores: "set[int]") -> None:
        """Say which cores are to get no work; the others are in service again."""
        self._need_whole_chip("take cores out of service")
        for core in cores:
            self._check_core(core)
        self.backend.write32(regs.CORES_OUT, sum(1 << core for core in cores))
        self.backend.wait(0)

    def _need_whole_chip(self, what: str) -> None:
        self._check_open()
        if self.function:
            raise NotPermitted(f"{self.name}: only the owner of the whole chip can {what}")

    def self_test(self) -> Any:
        """Run short jobs with known answers on every core; cores that fail go out of service (driver/selftest.py)."""
        from driver.selftest import self_test

        self._need_whole_chip("test its cores")
        return self_test(self)

    def inject(self, **fault: Any) -> None:
        """Put a fault into the model (asic_model/faults.py): `device.inject(kind="engine_hang", core=0)`."""
        self._check_open()
        injector = getattr(self.backend, "inject", None)
        if injector is None:
            raise NotPermitted(f"{self.name}: faults are put in by whoever owns the model")
        injector(fault)

    # -- seeing it ------------------------------------------------------------------------------------------------

    def telemetry(self) -> Any:
        """Return what the device says about itself now (driver/telemetry.py: Telemetry)."""
        from driver.telemetry import read_telemetry

        self._check_open()
        return read_telemetry(self)

    def utilization(self) -> dict[str, float]:
        """Share of simulated time, 0..1, that the cores of each kind were busy since the last call (0 at the first)."""
        from driver.telemetry import utilization

        now = self.telemetry()
        before, self._telemetry = self._telemetry, now
        return utilization(before, now) if before is not None else dict.fromkeys((c.kind for c in now.cores), 0.0)

    def dump_firmware_log(self) -> list[Any]:
        """Return the firmware's log, decoded, oldest entry first (driver/telemetry.py: LogEntry)."""
        from driver.telemetry import read_log

        self._check_open()
        return read_log(self)

    # -- what the device did --------------------------------------------------------------------------------------

    def now_ps(self) -> int:
        """Simulated time since the device was switched on."""
        read = self.backend.read32
        ticks = read(regs.TIME_LOW) | read(regs.TIME_HIGH) << 32
        return ticks * self.capabilities.clock_period_ps

    def seconds(self, ticks: int) -> Fraction:
        """Convert stamps of completions to seconds."""
        return Fraction(ticks * self.capabilities.clock_period_ps, 10**12)

    def report(self, run: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the model's report of everything since power-on, None on a backend that keeps none."""
        report = getattr(self.backend, "report", None)
        return None if report is None else dict(report(run))

    def write_trace(self, path: str) -> None:
        """Write the model's timeline to `path`; the device must have been opened with `trace=True`."""
        writer = getattr(self.backend, "write_trace", None)
        if writer is None:
            raise InvalidConfig(f"{self.name} keeps no timeline")
        writer(path)

    def forget_here(self) -> None:
        """This process was forked from the one that opened the device, which goes on with it: here every call raises
        DeviceLost. Threads and locks of that one are not here."""
        self.lock = threading.RLock()
        self._pump = None
        backend: Any = self.backend
        backend.forget()

    def close(self) -> None:
        """Close the sessions, stop the queues, let the backend go."""
        with self.lock:
            if self._closed:
                return
            pump, self._pump = self._pump, None
        if pump is not None:
            pump.stop()
        with self.lock, contextlib.ExitStack() as stack:  # what fails keeps nothing else from its end; errors come out
            stack.callback(self.backend.close)
            stack.callback(self._forget_all)
            for part in reversed([*self.sessions, *self.queues.values()]):
                stack.callback(part.close)

    def _forget_all(self) -> None:
        self._closed = True
        self.queues.clear()

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            self.close()
            return
        # An interrupt may have struck in the middle of the backend's work, and a lost device answers nothing: no
        # orderly end is possible. After other errors one is tried, but the first error is what the user must see.
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.stop()
        if issubclass(kind, Exception) and not issubclass(kind, DeviceLost):
            with contextlib.suppress(Exception):
                self.close()
        self._closed = True
        self.backend.close()


def _check_known(options: dict[str, Any], *known: str) -> None:
    for name in options:
        if name not in known:
            raise InvalidConfig(f"unknown option {name}{near(name, list(known))}", option=name)
