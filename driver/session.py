"""What all sessions share: a stream of pictures through the chip, with bounded buffers on both sides.

`send_frame` and `receive_packet` never wait longer than asked (TryAgain); the generators `encode`, `scale` and
`transcode` wrap them with the back-pressure inside. The device owns a picture's surfaces from the doorbell to the
completion; pools are sized at opening, so memory does not grow with the number of pictures.

encode_session.py, scale_session.py, decode_session.py; transcode.py puts them together.
"""

import contextlib
import enum
from types import TracebackType
from typing import Any, Self

from asic_model.descriptors import (
    Kind,
)
from driver.device import Device
from driver.errors import DeviceLost, InvalidConfig, SessionClosed, TasicError, UnsupportedInput
from driver.notify import Bell
from driver.queue import Queue, failure
from driver.surfaces import Span, SurfacePool


class State(enum.Enum):
    """Where a session is in its life, as in V4L2's stateful codecs."""

    OPEN = "open"  # nothing was sent yet
    RUNNING = "running"
    DRAINING = "draining"  # no more input will come, output may
    EOS = "eos"  # all output was received
    RESETTING = "resetting"  # the device is being reset under it
    FAILED = "failed"  # every call repeats the first error
    CLOSED = "closed"


class Session:
    """What all sessions share: closing, and the first error, which every later call repeats.

    rerun_safe : jobs in flight give the same when they run again after a reset
    """

    rerun_safe = True

    def __init__(self, device: Device, queue: Queue | None = None) -> None:
        self.device = device
        self.queue = queue or device.next_queue()
        self._error: TasicError | None = None
        self._closed = False
        self._draining = False
        self._firmware_sessions: list[int] = []
        self._pools: list[SurfacePool] = []
        self._spans: list[Span] = []
        self._bell: Bell | None = None
        self._dependents: list[Session] = []  # sessions that fail with this one
        self.owns_device = False  # `open_best` opened the device for this session: it goes with it
        self._began = False
        device.register_session(self)

    @property
    def in_flight(self) -> int:
        """Pictures that the device has and has not finished."""
        raise NotImplementedError

    @property
    def can_receive(self) -> bool:
        """Whether a call that receives would end at once: with a result, an error, or the end."""
        ready = bool(getattr(self, "_ready", False))
        return ready or self._error is not None or self._closed or (self._draining and not self.in_flight)

    @property
    def state(self) -> State:
        """Where the session is in its life."""
        if self._closed:
            return State.CLOSED
        if self._error is not None:
            return State.FAILED
        if self.device.recovering:
            return State.RESETTING
        if self._draining:
            return State.DRAINING if self.in_flight or getattr(self, "_ready", False) else State.EOS
        self._began = self._began or bool(self.in_flight or getattr(self, "frames", 0))
        return State.RUNNING if self._began else State.OPEN

    def fileno(self) -> int:
        """A descriptor that is readable while something can be received without waiting: for select, poll, asyncio.

        Starts a thread that lets the device's time pass while jobs are in flight (driver/notify.py).
        """
        self._check_open()
        if self._bell is None:
            self._bell = Bell()
            self.device.pump().add(self)
        else:
            self.device.pump().wake()
        return self._bell.fileno()

    @property
    def has_failed(self) -> bool:
        """Whether every call repeats an error."""
        return self._error is not None

    def update_bell(self) -> None:
        """Make the descriptor of `fileno` readable, or not."""
        if self._bell is not None:
            self._bell.set(self.can_receive)

    def uses(self, handle: int) -> bool:
        """Whether a firmware session is one of this session's."""
        return handle in self._firmware_sessions

    def fail(self, error: TasicError) -> None:
        """From now on every call raises `error`."""
        if self._error is None:
            self._error = error
            for session in self._dependents:
                session.fail(error)

    def _open_firmware_session(self, kind: Kind, width: int, height: int, **fields: int) -> int:
        number = self.device.firmware_sessions.open(self.queue, kind, width, height, **fields)
        self._firmware_sessions.append(number)
        return number

    def _pool(self, width: int, height: int, count: int, what: str) -> SurfacePool:
        pool = SurfacePool(self.device.allocator, width, height, count, what)
        self._pools.append(pool)
        return pool

    def _buffer(self, size: int, what: str) -> Span:
        span = self.device.allocator.allocate(size, what=what)
        self._spans.append(span)
        return span

    def _check_open(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closed:
            raise SessionClosed("the session is closed")

    def _failed(self, completion: dict[str, int], kind: Kind) -> bool:
        """Keep the first error of a completion; True when it has one."""
        error = failure(completion, kind)
        if error is not None:
            self.fail(error)
        return error is not None

    def flush(self) -> None:
        """Wait for everything in flight; finished packets stay to be received."""
        if self._closed:
            raise SessionClosed("the session is closed")
        self.device.wait_until(lambda: not self.in_flight or self._error is not None, what="the session")

    def close(self) -> None:
        """Let the device finish what it has, then give everything back. Harmless when closed already.

        When the device does not answer, memory that it may still use is given back at its next reset.
        """
        try:
            with self.device.lock:
                if self._closed:
                    return
                self._closed = True
            try:
                # not under the lock: other threads' sessions go on meanwhile
                self.device.wait_until(lambda: not self.in_flight, what="closing the session")
                for number in self._firmware_sessions:
                    self.device.firmware_sessions.close(self.queue, number)
            except BaseException:
                with self.device.lock:
                    self._leave()
                raise
            with self.device.lock:
                self._forget()
                self._give_back_memory()
        finally:
            if self.owns_device:
                self.device.close()

    def abandon(self) -> None:
        """Close without asking a device that does not answer."""
        with self.device.lock:
            if not self._closed:
                self._closed = True
                self._leave()

    def _leave(self) -> None:
        self._forget()
        self.device.firmware_sessions.leave(self._firmware_sessions, self._give_back_memory)

    def _forget(self) -> None:
        self.device.forget_session(self)
        if self._bell is not None:
            self._bell.close()

    def _give_back_memory(self) -> None:
        """The device uses nothing of it any more."""
        for pool in self._pools:
            pool.close()
        self.device.allocator.release(self._spans)
        self._spans = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _value: object, _trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        elif issubclass(kind, DeviceLost):
            self.abandon()
        elif issubclass(kind, Exception):
            # the first error is what the user must see; after an interrupt the device's own end cleans up
            with contextlib.suppress(Exception):
                self.close()


def check_type(name: str, value: Any, kind: type) -> None:
    """Raise InvalidConfig for an argument that is something else."""
    if not isinstance(value, kind):
        raise InvalidConfig(f"{name}: {type(value).__name__}, must be {kind.__name__}", option=name, value=value)


def check_limits(device: Device, width: int, height: int) -> None:
    """Raise UnsupportedInput when the chip's cores do not take pictures of that size."""
    limits = device.capabilities
    if width > limits.max_width or height > limits.max_height:
        raise UnsupportedInput(
            f"{width}x{height} is larger than this chip takes ({limits.max_width}x{limits.max_height})",
            width=width, height=height,
        )  # fmt: skip
