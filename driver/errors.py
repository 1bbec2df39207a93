"""Errors of the driver: one tree, and each also the builtin that a Python programmer would catch.

`code` is a stable word for programs, `errno` the nearest POSIX number, `retryable` says whether the same call
may succeed later, `info` holds the figures behind the sentence.
"""

import errno as _errno
from typing import Any, ClassVar


class TasicError(Exception):
    """Base of everything the driver raises on purpose. `str()` of it is one line that a user can act on."""

    code: ClassVar[str] = "error"
    errno: int = _errno.EIO
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **info: Any) -> None:
        super().__init__(message)
        self.message = message
        self.info = info

    def __str__(self) -> str:
        return self.message


class TryAgain(TasicError, BlockingIOError):
    """Nothing to give or to take at this moment: send another frame, or receive a packet first."""

    code = "try_again"
    errno = _errno.EAGAIN
    retryable = True


class QueueFull(TryAgain):
    """The command ring had no free slot in the time allowed; nothing was queued."""

    code = "queue_full"


class EndOfStream(TasicError, EOFError):
    """The session is drained: no packet will come any more."""

    code = "end_of_stream"
    errno = 0


class InvalidConfig(TasicError, ValueError):
    """An option is unknown, out of range, or does not go with another one; the message names it."""

    code = "invalid_config"
    errno = _errno.EINVAL


class UnsupportedInput(InvalidConfig):
    """The input is fine, but not for this chip: codec, size or sample format."""

    code = "unsupported_input"
    errno = _errno.ENOTSUP


class BadJob(InvalidConfig):
    """The firmware refused a job; `info['field']` names the field of the job block."""

    code = "bad_job"


class SessionClosed(TasicError, ValueError):
    """A call on a session or a device that was closed."""

    code = "session_closed"
    errno = _errno.EBADF


class AccessViolation(BadJob, PermissionError):
    """An address of a job is outside of the client's memory; nothing was read or written there."""

    code = "access_violation"
    errno = _errno.EACCES


class NotPermitted(TasicError, PermissionError):
    """Only whoever owns the whole device may do this, not one client of several; or the socket refuses the caller."""

    code = "not_permitted"
    errno = _errno.EPERM


class CapacityExceeded(TasicError, RuntimeError):
    """The device has no room for this.

    `info`: `limit` says which one (sessions, encode_rate, memory, clients), `needed` and `free` how much, `total`
    what there is at all, in the limit's unit (sessions, 1000 luma samples a second, bytes, clients).
    """

    code = "capacity_exceeded"
    errno = _errno.ENOSPC
    retryable = True


class OutputOverflow(TasicError, BufferError):
    """A picture did not fit its stream buffer."""

    code = "output_overflow"
    errno = _errno.ENOBUFS


class JobFailed(TasicError, RuntimeError):
    """A core reported a failure; `info` holds status and detail of the completion."""

    code = "job_failed"


class JobTimedOut(JobFailed, TimeoutError):
    """The chip's watchdog ended a job on every attempt; the session's later jobs may still succeed."""

    code = "job_timed_out"
    errno = _errno.ETIMEDOUT
    retryable = True


class MemoryCorrupted(JobFailed):
    """ECC found an error in device memory that it could not correct; `info['address']` is near it."""

    code = "memory_corrupted"
    retryable = True


class SessionReset(TasicError, InterruptedError):
    """The device was reset and this session's jobs in flight could not be run again; open the session again."""

    code = "session_reset"
    errno = _errno.EINTR
    retryable = True


class DeviceLost(TasicError, ConnectionError):
    """The device stopped answering; open it again."""

    code = "device_lost"
    errno = _errno.ENODEV


class FirmwareHang(DeviceLost, TimeoutError):
    """The firmware's heartbeat stopped, or a job passed its deadline."""

    code = "firmware_hang"
    errno = _errno.ETIMEDOUT


class LinkDown(DeviceLost):
    """The host link was down: what was on its way is lost. `Device.reset()` may bring the device back."""

    code = "link_down"
    errno = _errno.ENOLINK
    retryable = True


class FirmwareVersionMismatch(TasicError, RuntimeError):
    """Driver and firmware speak different versions of the descriptor format."""

    code = "firmware_version_mismatch"
    errno = _errno.EPROTO


class NoSuchDevice(TasicError, LookupError):
    """No backend or chip of that name; the message lists the ones there are."""

    code = "no_such_device"
    errno = _errno.ENODEV


class BadMedia(TasicError, ValueError):
    """A media file is missing something the job needs: a video stream, a picture, a known format."""

    code = "bad_media"
    errno = _errno.EINVAL


class OutputError(TasicError, OSError):
    """An output file could not be written; the file that was there before is untouched."""

    code = "output_error"
    errno = _errno.EIO
