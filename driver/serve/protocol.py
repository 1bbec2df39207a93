"""Messages between a daemon and its clients: one datagram each on a Unix socket of type SOCK_SEQPACKET.

A client begins with HELLO and gets a function of the chip and a piece of shared memory; then it sends the calls of a
backend. READ, READ_MEMORY, WAIT, SYNC and the JSON requests are answered, one answer each, in order; WRITE and
WRITE_MEMORY are not, as posted writes over PCIe are not. Bytes of device memory never go over the socket: they stand in
the shared memory, and the message says where.
"""

import json
import socket
import struct
from enum import IntEnum
from typing import Any

from driver import errors
from driver.errors import DeviceLost, TasicError

VERSION = 1
REQUEST = struct.Struct("<BxxxIQQ")  # op, place in the shared memory, address, value or size or time [us]
ANSWER = struct.Struct("<BxxxxxxxQ")  # 1 good, 0 refused (JSON follows); value
JSON_MOST = 1 << 16
SHARED_BYTES = 16 << 20  # of one client


class Op(IntEnum):
    """What a request asks for."""

    HELLO = 1  # JSON: version, memory_bytes, name
    READ = 2
    WRITE = 3
    READ_MEMORY = 4
    WRITE_MEMORY = 5
    WAIT = 6
    SYNC = 7
    STATUS = 8  # JSON out; allowed before HELLO: a monitor is no client
    INJECT = 9  # JSON: a fault; for the daemon's own user only
    RESET = 10  # of the whole device; likewise


def refusal(error: TasicError) -> dict[str, Any]:
    """An error as it goes over the socket."""
    info = {name: value for name, value in error.info.items() if isinstance(value, int | float | str | bool)}
    return {"type": type(error).__name__, "message": error.message, "info": info}


def raise_refusal(found: dict[str, Any]) -> None:
    """The error on the other side, raised here."""
    kind = getattr(errors, str(found.get("type")), TasicError)
    if not (isinstance(kind, type) and issubclass(kind, TasicError)):
        kind = TasicError
    raise kind(str(found.get("message")), **found.get("info", {}))


def send(sock: socket.socket, data: bytes, descriptors: list[int] | None = None) -> None:
    """Send one message; DeviceLost when nobody is there."""
    try:
        if descriptors:
            socket.send_fds(sock, [data], descriptors)
        else:
            sock.send(data)
    except OSError as error:
        _raise_last_words(sock)
        raise DeviceLost(f"the daemon is gone ({error.strerror or error})") from None


def _raise_last_words(sock: socket.socket) -> None:
    """A connection broke: raise what the daemon refused with before it went, if it said so."""
    data = b""
    for _ in range(2):  # the first call may report the break itself
        try:
            data = sock.recv(ANSWER.size + JSON_MOST, socket.MSG_DONTWAIT)
        except OSError:
            continue
        break
    if len(data) >= ANSWER.size:
        answer_of(data)


def receive(sock: socket.socket) -> bytes:
    """The next message; DeviceLost at the end of the connection, or after the socket's time-out."""
    try:
        data = sock.recv(ANSWER.size + JSON_MOST)
    except TimeoutError:
        raise DeviceLost(f"the daemon does not answer within {sock.gettimeout():g} s") from None
    except OSError as error:
        _raise_last_words(sock)
        raise DeviceLost(f"the daemon is gone ({error.strerror or error})") from None
    if not data:
        raise DeviceLost("the daemon is gone")
    return data


def answer_of(data: bytes) -> tuple[int, bytes]:
    """(value, rest) of an answer; raises what the daemon refused with."""
    if len(data) < ANSWER.size:
        raise DeviceLost("the daemon speaks another protocol")
    good, value = ANSWER.unpack_from(data)
    rest = data[ANSWER.size :]
    if not good:
        try:
            found = json.loads(rest)
        except ValueError:
            raise DeviceLost("the daemon speaks another protocol") from None
        raise_refusal(found)
    return value, rest


def ask_json(sock: socket.socket, op: Op, values: dict[str, Any]) -> dict[str, Any]:
    """Send a JSON request, return the JSON answer."""
    send(sock, REQUEST.pack(op, 0, 0, 0) + json.dumps(values).encode())
    _, rest = answer_of(receive(sock))
    found: dict[str, Any] = json.loads(rest)
    return found
