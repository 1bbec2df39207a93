"""Backend `remote`: a device that another process runs (`tasic serve`), through its Unix socket and shared memory."""

import contextlib
import errno
import json
import mmap
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from driver.backends import TRANSFER_BYTES_MOST
from driver.errors import DeviceLost, NoSuchDevice, NotPermitted, TasicError
from driver.serve.protocol import (
    ANSWER,
    JSON_MOST,
    REQUEST,
    SHARED_BYTES,
    VERSION,
    Op,
    answer_of,
    ask_json,
    receive,
    send,
)

CHUNK_BYTES = TRANSFER_BYTES_MOST
assert 2 * CHUNK_BYTES <= SHARED_BYTES


def connect(path: str) -> socket.socket:
    """Connect to a daemon's socket; NoSuchDevice when none listens there, NotPermitted when it may not be used."""
    if not path:
        from driver.enumeration import served_devices

        found = served_devices()
        if not found:
            raise NoSuchDevice("no daemon is running: start one with `tasic serve`", name="remote")
        path = found[0].name.partition(":")[2]
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        if error.errno in (errno.EACCES, errno.EPERM):
            raise NotPermitted(f"{path}: this user may not use the device") from None
        raise NoSuchDevice(f"{path}: no daemon listens there ({error.strerror or error})", name=path) from None
    except ValueError as error:
        sock.close()
        raise NoSuchDevice(f"{path}: {error}", name=path) from None
    return sock


class RemoteBackend:
    """The calls of a backend, sent to a daemon."""

    def __init__(self, path: str, *, memory_mib: int = 0, client: str = "") -> None:
        """memory_mib: device memory wanted (0: the daemon's default share). client: name that `tasic top` shows."""
        self._lock = threading.Lock()
        self._sock = connect(path)
        self._place = 0
        hello = {"version": VERSION, "memory_bytes": memory_mib << 20, "name": client or Path(sys.argv[0]).name}
        try:
            send(self._sock, REQUEST.pack(Op.HELLO, 0, 0, 0) + json.dumps(hello).encode())
            try:
                data, descriptors, _, _ = socket.recv_fds(self._sock, ANSWER.size + JSON_MOST, 1)
            except OSError as error:
                raise DeviceLost(f"the daemon is gone ({error.strerror or error})") from None
            if not data:
                raise DeviceLost("the daemon closed the connection")
            _, rest = answer_of(data)
            self.granted: dict[str, Any] = json.loads(rest)
            self._shared = mmap.mmap(descriptors[0], SHARED_BYTES)
            os.close(descriptors[0])
        except BaseException:
            self._sock.close()
            raise
        self._view = np.frombuffer(self._shared, np.uint8)

    def _ask(self, op: Op, address: int = 0, value: int = 0) -> int:
        try:
            send(self._sock, REQUEST.pack(op, 0, address, value))
            found, _ = answer_of(receive(self._sock))
        except TasicError:
            raise
        except BaseException:
            self.close()  # interrupted: the answer would be taken for that of the next request
            raise
        self._place = 0  # all that was sent before has been done
        return found

    def read32(self, address: int) -> int:
        with self._lock:
            return self._ask(Op.READ, address)

    def write32(self, address: int, value: int) -> None:
        with self._lock:
            send(self._sock, REQUEST.pack(Op.WRITE, 0, address, value))

    def memory_read(self, address: int, size: int) -> bytes:
        parts = []
        with self._lock:
            for begin in range(0, size, CHUNK_BYTES):
                count = min(CHUNK_BYTES, size - begin)
                self._ask(Op.READ_MEMORY, address + begin, count)
                parts.append(self._view[:count].tobytes())
        return b"".join(parts)

    def memory_write(self, address: int, data: Any) -> None:
        view = np.frombuffer(data, np.uint8)
        with self._lock:
            for begin in range(0, view.size, CHUNK_BYTES):
                piece = view[begin : begin + CHUNK_BYTES]
                if self._place + piece.size > SHARED_BYTES:
                    self._ask(Op.SYNC)
                self._view[self._place : self._place + piece.size] = piece
                send(self._sock, REQUEST.pack(Op.WRITE_MEMORY, self._place, address + begin, piece.size))
                self._place += -(-piece.size // 64) * 64

    def wait(self, timeout_us: int) -> bool:
        with self._lock:
            return bool(self._ask(Op.WAIT, 0, max(0, int(timeout_us))))

    def inject(self, fault: Any) -> None:
        """Put a fault into the daemon's model; for the daemon's own user only."""
        with self._lock:
            ask_json(self._sock, Op.INJECT, dict(fault))

    def let_go(self) -> None:
        """Close this process's copy of the connection, which another process goes on with."""
        with contextlib.suppress(OSError):
            self._sock.close()

    def close(self) -> None:
        """End the connection; a call that another thread is waiting in ends with DeviceLost."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # close alone leaves that thread in recv for ever
        with contextlib.suppress(OSError):
            self._sock.close()
