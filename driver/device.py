"""Devices: found by name, opened, handed out in sessions.

One device may serve several sessions, from one or several threads. Time on it is simulated: it passes only inside
`wait_until` and in transfers, so results do not depend on the speed of the host.
"""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from asic_model import descriptors
from asic_model.descriptors import Command, Kind
from asic_model.registers import map as regs
from driver.backends import BACKENDS, Backend, open_backend
from driver.errors import DeviceLost, FirmwareHang, FirmwareVersionMismatch, InvalidConfig, SessionClosed, TryAgain
from driver.queue import Fence, Queue, failure
from driver.surfaces import Allocator

if TYPE_CHECKING:
    from driver.decode_session import DecodeSession
    from driver.options import EncoderConfig, PlannedRung, ScalerConfig
    from driver.session import EncodeSession, ScaleSession
    from driver.transcode import TranscodeSession

INTERFACE_MAJOR = 1
# One step of waiting, and how long without a turn of the firmware's loop before it counts as hung.
WAIT_STEP_US = 2_000
HANG_US = 50_000
# A job that runs longer than this is stuck: 60 s of simulated time.
DEADLINE_US = 60_000_000


@dataclass(frozen=True)
class DeviceInfo:
    """A device that can be opened: `Device.open(info.name)`."""

    name: str
    backend: str
    chip: str


def devices() -> list[DeviceInfo]:
    """Return the devices that come with the package: every chip description on every backend."""
    from asic_model.config import list_chips

    return [DeviceInfo(f"{kind}:{chip}", kind, chip) for kind in BACKENDS for chip in list_chips()]


@dataclass(frozen=True)
class Capabilities:
    """What the chip says about itself."""

    encode_cores: int
    scale_cores: int
    decode_cores: int
    queues: int
    functional: bool
    memory_bytes: int
    max_width: int
    max_height: int
    max_sessions: int
    max_encode_kilosamples: int  # luma samples a second that all encode sessions may ask for, in thousands
    firmware_version: str
    clock_period_ps: int


class Device:
    """An opened device. Use as a context manager; closing it closes its sessions."""

    def __init__(self, backend: Backend, name: str = "device") -> None:
        self.backend = backend
        self.name = name
        self.lock = threading.RLock()
        self._queues: dict[int, Queue] = {}
        self._sessions: list[Any] = []
        self._next_queue = 0
        self._closed = False
        self._boot()
        self.capabilities = self._read_capabilities()
        start = regs.FIRMWARE_AREA_BYTES.get(backend.read32(regs.FIRMWARE_AREA))
        self.allocator = Allocator(start, self.capabilities.memory_bytes)

    @classmethod
    def open(cls, name: str, **options: Any) -> "Device":
        """Open `model:vcu`, `null:vcu`, or `model:path/to/chip.yaml`; options go to the backend (`seed=`)."""
        backend = open_backend(name, **options)
        try:
            return cls(backend, name)
        except BaseException:
            backend.close()
            raise

    # -- bringing up ----------------------------------------------------------------------------------------------

    def _boot(self) -> None:
        read = self.backend.read32
        if read(regs.ID) != regs.REGISTERS[regs.ID].reset:
            raise DeviceLost(f"{self.name}: no such chip behind these registers (id {read(regs.ID):#010x})")
        major = regs.INTERFACE_VERSION_MAJOR.get(read(regs.INTERFACE_VERSION))
        if major != INTERFACE_MAJOR:
            raise FirmwareVersionMismatch(
                f"{self.name}: register map version {major}, this driver knows {INTERFACE_MAJOR}", found=major
            )
        self.backend.write32(regs.EVENT_ENABLE, (1 << regs.EVENT_ENABLE_EVENTS.width) - 1)
        self.wait_register(lambda: self.firmware_state() is regs.FirmwareState.RUN, "the firmware to start")
        versions = read(regs.DESCRIPTOR_VERSIONS)
        wanted = descriptors.VERSION
        self.backend.write32(regs.HOST_VERSION, wanted)
        self.wait_register(
            lambda: regs.NEGOTIATION_VERSION.get(read(regs.NEGOTIATION)) == wanted, "the firmware's answer"
        )
        answer = regs.Negotiation(regs.NEGOTIATION_ANSWER.get(read(regs.NEGOTIATION)))
        if answer is not regs.Negotiation.ACCEPTED:
            oldest = regs.DESCRIPTOR_VERSIONS_OLDEST.get(versions)
            newest = regs.DESCRIPTOR_VERSIONS_NEWEST.get(versions)
            raise FirmwareVersionMismatch(
                f"{self.name}: the firmware speaks descriptor versions {oldest}..{newest}, this driver {wanted}",
                oldest=oldest, newest=newest, wanted=wanted,
            )  # fmt: skip

    def _read_capabilities(self) -> Capabilities:
        read = self.backend.read32
        capacity, picture, version = read(regs.CAPACITY), read(regs.PICTURE_LIMIT), read(regs.FIRMWARE_VERSION)
        return Capabilities(
            encode_cores=regs.CAPACITY_ENCODE_CORES.get(capacity),
            scale_cores=regs.CAPACITY_SCALE_CORES.get(capacity),
            decode_cores=regs.CAPACITY_DECODE_CORES.get(capacity),
            queues=regs.CAPACITY_QUEUES.get(capacity),
            functional=bool(regs.FEATURES_FUNCTIONAL.get(read(regs.FEATURES))),
            memory_bytes=regs.MEMORY_SIZE_MIB.get(read(regs.MEMORY_SIZE)) << 20,
            max_width=regs.PICTURE_LIMIT_WIDTH.get(picture),
            max_height=regs.PICTURE_LIMIT_HEIGHT.get(picture),
            max_sessions=regs.SESSION_LIMIT_MOST.get(read(regs.SESSION_LIMIT)),
            max_encode_kilosamples=regs.ENCODE_RATE_LIMIT_KILOSAMPLES.get(read(regs.ENCODE_RATE_LIMIT)),
            firmware_version=".".join(
                str(field.get(version))
                for field in (regs.FIRMWARE_VERSION_MAJOR, regs.FIRMWARE_VERSION_MINOR, regs.FIRMWARE_VERSION_PATCH)
            ),
            clock_period_ps=regs.CLOCK_PERIOD_PS.get(read(regs.CLOCK_PERIOD)),
        )

    # -- waiting --------------------------------------------------------------------------------------------------

    def firmware_state(self) -> regs.FirmwareState:
        return regs.FirmwareState(regs.FIRMWARE_STATUS_STATE.get(self.backend.read32(regs.FIRMWARE_STATUS)))

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
            self.backend.write32(regs.EVENT_STATUS, 1 << regs.EVENT_STATUS_COMPLETION.low)
            return sum(queue.collect() for queue in self._queues.values() if queue.outstanding)

    def wait_until(self, ready: Callable[[], bool], timeout_us: int | None = None, what: str = "the device") -> None:
        """Let simulated time pass until `ready()`.

        Raises TryAgain after `timeout_us`, DeviceLost when the firmware trapped, FirmwareHang when its heartbeat
        stands still or nothing completes for a minute of simulated time.
        """
        limit = DEADLINE_US if timeout_us is None else timeout_us
        waited_us = idle_us = 0
        beat = -1
        while not ready():
            with self.lock:  # released after each step: other threads' sessions want their turn
                if self.poll():
                    waited_us = waited_us if timeout_us is not None else 0
                    idle_us = 0
                    continue
                if waited_us >= limit:
                    if timeout_us is None:
                        raise FirmwareHang(f"{self.name}: {what} did not complete in {limit} us", waited_us=waited_us)
                    raise TryAgain(f"{what} is not done after {timeout_us} us", waited_us=waited_us)
                step_us = min(WAIT_STEP_US, limit - waited_us)
                if not self.backend.wait(step_us):
                    waited_us += step_us
                    idle_us += step_us
                    if idle_us >= HANG_US:
                        idle_us, beat = 0, self._check_alive(beat)
                elif not self.poll():
                    self._handle_events()
                    waited_us += 1  # an event that never goes away must not wait for ever

    def _check_alive(self, last_beat: int) -> int:
        self._raise_if_faulted()
        for queue in self._queues.values():
            queue.check()
        beat = self.backend.read32(regs.FIRMWARE_HEARTBEAT)
        if beat == last_beat:
            raise FirmwareHang(f"{self.name}: the firmware has not turned its loop for {HANG_US} us", heartbeat=beat)
        return beat

    def _handle_events(self) -> None:
        """An event that is not a completion: a trap, a stopped queue, or a change of state to take note of."""
        events = self.backend.read32(regs.EVENT_STATUS)
        self._raise_if_faulted()
        if regs.EVENT_STATUS_QUEUE.get(events):
            for queue in self._queues.values():
                queue.check()
        self.backend.write32(regs.EVENT_STATUS, events & ~regs.EVENT_STATUS_COMPLETION.mask)

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
            if self._closed:
                raise SessionClosed(f"{self.name} is closed")
            if number not in self._queues:
                self._queues[number] = Queue(self, number)
            return self._queues[number]

    def next_queue(self) -> Queue:
        """Return the queue for a new session: sessions take turns over the queues."""
        with self.lock:
            number = self._next_queue % self.capabilities.queues
            self._next_queue += 1
            return self.queue(number)

    def open_session(self, queue: Queue, kind: Kind, width: int, height: int, **fields: int) -> int:
        """Open a firmware session and return its number."""
        block = descriptors.pack_session(kind, width=width, height=height, **fields)
        completion = self.command(queue, Command.OPEN_SESSION, block=block)
        return completion["session"]

    def command(self, queue: Queue, command: Command, **fields: Any) -> dict[str, int]:
        """Send one command, wait for it, raise what it failed with."""
        with self.lock:
            fence: Fence = queue.stage(command, **fields)
            queue.ring()
            completion = fence.wait()
        error = failure(completion)
        if error is not None:
            raise error
        return completion

    # -- sessions -------------------------------------------------------------------------------------------------

    def open_encoder(self, config: "EncoderConfig") -> "EncodeSession":
        """Return a session that codes pictures of one size."""
        from driver.session import EncodeSession

        return EncodeSession(self, config)

    def open_decoder(self, extradata: bytes | None = None, **options: Any) -> "DecodeSession":
        """Return a session that decodes one H.264 stream; `extradata` is the container's (avcC, or parameter sets)."""
        from driver.decode_session import DecodeSession

        return DecodeSession(self, extradata, **options)

    def open_scaler(self, config: "ScalerConfig") -> "ScaleSession":
        """Return a session that scales pictures of one size to one or several others."""
        from driver.session import ScaleSession

        return ScaleSession(self, config)

    def open_transcoder(
        self, config: "EncoderConfig", rungs: "list[PlannedRung]", **options: Any
    ) -> "TranscodeSession":
        """Return a session that takes each picture once and codes it at every size of `rungs`."""
        from driver.transcode import TranscodeSession

        return TranscodeSession(self, config, rungs, **options)

    def register_session(self, session: Any) -> None:
        self._sessions.append(session)

    def forget_session(self, session: Any) -> None:
        if session in self._sessions:
            self._sessions.remove(session)

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

    def close(self) -> None:
        """Close the sessions, stop the queues, let the backend go."""
        with self.lock:
            if self._closed:
                return
            try:
                for session in list(self._sessions):
                    session.close()
                for queue in self._queues.values():
                    queue.close()
            finally:
                self._closed = True
                self._queues.clear()
                self.backend.close()

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            self.close()
            return
        # An interrupt may have struck in the middle of the backend's work, and a lost device answers nothing: no
        # orderly end is possible. After other errors one is tried, but the first error is what the user must see.
        if issubclass(kind, Exception) and not issubclass(kind, DeviceLost):
            with contextlib.suppress(Exception):
                self.close()
        self._closed = True
        self.backend.close()
