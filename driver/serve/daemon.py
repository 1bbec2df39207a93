"""The serving side of `tasic serve`: owns a device, gives each client a function of its chip, and cleans up after it.

One thread and one device a daemon. Simulated time passes while somebody waits for it: then the chip is played in short
steps, and between them every client's messages are taken, a few of each in turn, so that no client holds up another.

A client that goes, in whatever way, is scrubbed: its queue is stopped (what ran ends, what waited is aborted), its
sessions end with the queue, its memory is zeroed and given to others. The daemon also watches the chip. Firmware that
traps or stands still is reset, and the clients' drivers find their queues stopped and build up again. A device that is
removed ends the daemon: who waits for an answer gets DeviceLost, and so does who asks for one later.

The daemon never waits for a client, nor longer than a step for the chip, so it answers whatever clients and chip do
(docs/serve.md says who waits for what).
"""

import contextlib
import fcntl
import json
import mmap
import os
import pwd
import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from asic_model.bus import WINDOW_UNIT_BYTES, function_register
from asic_model.functions import Function
from asic_model.registers import map as regs
from driver.device import Device
from driver.errors import (
    CapacityExceeded,
    DeviceLost,
    InvalidConfig,
    LinkDown,
    NotPermitted,
    OutputError,
    TasicError,
)
from driver.serve.protocol import ANSWER, JSON_MOST, REQUEST, SHARED_BYTES, VERSION, Op, refusal
from driver.surfaces import Allocator, Span
from driver.telemetry import LogEntry, utilization

STEP_US = 200.0  # of simulated time between looks at the sockets
MESSAGES_A_TURN = 64  # of one client
WINDOW_ALIGNMENT = 1 << 20
OWN_BYTES = 16 << 20  # of device memory, for the daemon's own self-tests
WATCH_US = 50_000  # simulated time without a turn of the firmware's loop that counts as standing still
SETTLE_US = 1_000  # two of the firmware's heartbeats: its queues are what the host last wrote by then
CLOSING_SECONDS = 10.0
_ANSWER_NOTHING = ANSWER.pack(1, 0)


@dataclass
class _Client:
    """One connection."""

    sock: socket.socket
    pid: int
    uid: int
    name: str = "?"
    function: Function | None = None
    window: Span | None = None
    shared: mmap.mmap | None = None
    view: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    waits_until_ps: int | None = None
    since: float = field(default_factory=time.monotonic)

    @property
    def number(self) -> int:
        return self.function.number if self.function is not None else 0


@dataclass
class _Dying:
    """What a client that is gone had."""

    function: Function
    window: Span
    stopped_ps: int | None = None  # since when its queue has been seen stopped


class Daemon:
    """Serves one device on one socket.

    memory_mib   : device memory of a client that does not say how much it wants (default: an eighth)
    sessions     : most that one client may have open; kilosamples: most encode rate that it may reserve
    mode         : permissions of the socket: who may connect to it is who may use the device
    """

    def __init__(
        self, device: Device, path: str | Path, *, memory_mib: int = 0, sessions: int = 0, kilosamples: int = 0,
        mode: int = 0o600, say: Callable[[str], None] = lambda _text: None,
    ) -> None:  # fmt: skip
        if not hasattr(device.backend, "chip"):
            raise InvalidConfig(f"{device.name}: only a device that this process runs can be served (model, null)")
        self.device = device
        self.chip = device.backend.chip
        self.path = Path(path)
        self._say = say
        self._mode = mode
        total = device.capabilities.memory_bytes
        begin = -(-(self.chip.memory_floor + OWN_BYTES) // WINDOW_ALIGNMENT) * WINDOW_ALIGNMENT
        self._windows = Allocator(begin, total)
        own = device.allocator.allocate(total - begin, WINDOW_ALIGNMENT, "the clients' windows")
        if own.address != begin:
            self._windows = Allocator(own.address, own.address + own.size)
        default = (memory_mib << 20) or max(WINDOW_ALIGNMENT, self._windows.total_bytes // 8)
        self._default_bytes = default // WINDOW_ALIGNMENT * WINDOW_ALIGNMENT
        self._sessions = sessions or device.capabilities.max_sessions
        self._kilosamples = kilosamples or device.capabilities.max_encode_kilosamples
        self._clients: list[_Client] = []
        self._dying: list[_Dying] = []
        self._free = list(range(1, regs.FUNCTIONS_COUNT + 1))
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._beat, self._beat_ps = -1, 0
        self._reset_due = False  # a reset did not come to its end
        self.scrubbed = self.refused = 0
        self._began = time.monotonic()
        self._seen = self._now = device.telemetry()
        self._log: list[LogEntry] = []
        self._job_times = self.chip.watch_job_times()
        self._awake = self.chip.awake_ps, self.chip.now_ps
        self._lock_file: Any = None
        self._listener = self._listen()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)

    def _listen(self) -> socket.socket:
        """The socket, under its name; a name that a dead daemon left is taken over."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_file = self.path.with_suffix(".lock").open("w")
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"{self.path}: another daemon serves there") from None
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror or error}") from None
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            self.path.unlink(missing_ok=True)
            mask = os.umask(0o777 & ~self._mode)
            try:
                listener.bind(str(self.path))
            finally:
                os.umask(mask)
            self.path.chmod(self._mode)
            listener.listen(64)
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            raise OutputError(f"{self.path}: {error.strerror or error}") from None
        return listener

    # -- the loop -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler or another thread."""
        self._stopping = True
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"!")

    def run(self) -> None:
        """Serve until `stop`, or until the device is removed."""
        try:
            while not self._stopping and not self.removed:
                self._turn()
        finally:
            self._end()

    @property
    def removed(self) -> bool:
        """Whether the device is gone for good; nobody is served any more."""
        return self.chip.removed

    def _turn(self) -> None:
        busy = self._dying or any(client.waits_until_ps is not None for client in self._clients)
        for key, _ in self._selector.select(0 if busy else None):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj == self._wake_read:
                os.read(self._wake_read, 64)
            else:
                self._serve(key.data)
        self._advance()
        self._watch()

    def _advance(self) -> None:
        """Let time pass for those who wait, and tell them when their time has come."""
        waiting = [client for client in self._clients if client.waits_until_ps is not None]
        if not waiting and not self._dying:
            return
        limit_ps = min((client.waits_until_ps or 0 for client in waiting), default=self.chip.now_ps + (1 << 40))
        step_us = min(STEP_US, max(0.0, (limit_ps - self.chip.now_ps) / 1e6))
        self.chip.wait_any(step_us, [client.number for client in waiting])
        for client in waiting:
            raised = self.chip.event_is_up(client.number)
            if raised or self.chip.now_ps >= (client.waits_until_ps or 0):
                client.waits_until_ps = None
                self._answer(client, ANSWER.pack(1, int(raised)))
        self._bury()

    def _watch(self) -> None:
        """Take note of drops of the link; reset a chip whose firmware trapped or stands still while it is needed."""
        if self.chip.link_is_down:
            return
        self.device.accept_link(self.chip.peek(regs.LINK_DROPS))  # of the daemon's own nothing was on its way
        if not self._clients and not self._dying:
            return
        if not self._reset_due and not self._stands():
            return
        self._say("the firmware stands still or trapped: the chip is reset")
        with contextlib.suppress(TasicError):
            self._reset_chip()

    def _stands(self) -> bool:
        """Whether the firmware trapped, or has not turned its loop since the last look."""
        if self.chip.now_ps - self._beat_ps < WATCH_US * 1_000_000:
            return self.chip.peek(regs.FIRMWARE_STATUS) == regs.FirmwareState.FAULT
        before, self._beat, self._beat_ps = self._beat, self.chip.peek(regs.FIRMWARE_HEARTBEAT), self.chip.now_ps
        return self._beat == before

    def _reset_chip(self) -> None:
        """Reset the chip. Where that fails, for the link went down meanwhile, it is due again: a chip with which nobody
        agreed on a version serves no client."""
        self._reset_due = True
        try:
            self.device.reset()
        finally:
            self._beat, self._beat_ps = -1, self.chip.now_ps
        self._reset_due = False

    # -- clients --------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", credentials)
        client = _Client(sock, pid, uid)
        self._clients.append(client)
        self._selector.register(sock, selectors.EVENT_READ, client)

    def _serve(self, client: _Client) -> None:
        """Take some messages of a client."""
        if client.waits_until_ps is not None:  # it sends nothing now, but it may have died
            if self._has_hung_up(client):
                self._drop(client)
            return
        for _ in range(MESSAGES_A_TURN):
            if client.waits_until_ps is not None:
                return
            try:
                data = client.sock.recv(REQUEST.size + JSON_MOST)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if len(data) < REQUEST.size:
                self._drop(client)
                return
            try:
                self._handle(client, data)
            except TasicError as error:
                self.refused += 1
                self._answer(client, ANSWER.pack(0, 0) + json.dumps(refusal(error)).encode())
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
                self.refused += 1
                wrong = InvalidConfig(f"the daemon does not understand a message: {error}")
                self._answer(client, ANSWER.pack(0, 0) + json.dumps(refusal(wrong)).encode())
            if client not in self._clients:
                return

    @staticmethod
    def _has_hung_up(client: _Client) -> bool:
        try:
            return not client.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _handle(self, client: _Client, data: bytes) -> None:
        op, place, address, value = REQUEST.unpack_from(data)
        function = client.function
        if op == Op.STATUS:
            self._answer(client, _ANSWER_NOTHING + json.dumps(self.status()).encode())
        elif op == Op.INJECT:
            self._inject(client, json.loads(data[REQUEST.size :]))
        elif op == Op.RESET:
            self._reset(client)
        elif op == Op.HELLO:
            self._welcome(client, json.loads(data[REQUEST.size :]))
        elif function is None:
            self._drop(client)  # whoever does not say hello speaks another protocol
        elif op == Op.READ:
            _check_register(address)
            self._answer(client, ANSWER.pack(1, function.read32(address)))
        elif op == Op.WRITE:
            if address % 4 == 0 and address < regs.SIZE_BYTES and value < 1 << 32:
                function.write32(address, value)
        elif op == Op.READ_MEMORY:
            if value > SHARED_BYTES:
                raise InvalidConfig(f"{value} bytes do not fit the shared memory")
            client.view[:value] = np.frombuffer(function.memory_read(address, value), np.uint8)
            self._answer(client, _ANSWER_NOTHING)
        elif op == Op.WRITE_MEMORY:
            if place + value <= SHARED_BYTES:
                function.memory_write(address, client.view[place : place + value])
        elif op == Op.WAIT:
            if self.chip.event_is_up(function.number):
                self._answer(client, ANSWER.pack(1, 1))
            else:
                client.waits_until_ps = self.chip.now_ps + min(value, 1 << 40) * 1_000_000
        elif op == Op.SYNC:
            self._answer(client, _ANSWER_NOTHING)
        else:
            raise InvalidConfig(f"the daemon knows no operation {op}")

    def _answer(self, client: _Client, data: bytes, descriptors: list[int] | None = None) -> None:
        if self.removed:  # whatever was read is worth nothing
            gone = DeviceLost(f"{self.device.name} was removed")
            data, descriptors = ANSWER.pack(0, 0) + json.dumps(refusal(gone)).encode(), None
        try:
            if descriptors:
                socket.send_fds(client.sock, [data], descriptors)
            else:
                client.sock.send(data)
        except OSError:  # gone, or it does not read its answers
            self._drop(client)

    def _welcome(self, client: _Client, hello: dict[str, Any]) -> None:
        if client.function is not None:
            raise InvalidConfig("this client has said hello already")
        if hello.get("version") != VERSION:
            raise InvalidConfig(f"the daemon speaks protocol version {VERSION}, the client {hello.get('version')}")
        if not self._free:
            total = regs.FUNCTIONS_COUNT
            raise CapacityExceeded(
                f"the device has no function for another client: 1 needed, 0 of {total} free",
                limit="clients", needed=1, free=0, total=total,
            )  # fmt: skip
        wanted = int(hello.get("memory_bytes") or self._default_bytes)
        if wanted < 0:
            raise InvalidConfig(f"memory_bytes: {wanted} is less than nothing", option="memory_bytes")
        size = max(WINDOW_ALIGNMENT, -(-wanted // WINDOW_ALIGNMENT) * WINDOW_ALIGNMENT)
        window = self._windows.allocate(size, WINDOW_ALIGNMENT, "a client's window")
        assert window.address % WINDOW_UNIT_BYTES == 0
        function = self.chip.function(self._free[0])
        try:
            function.enable(
                window.address, size, sessions=min(self._sessions, 0xFFFF), kilosamples=self._kilosamples, priority=3
            )
        except ConnectionError as error:
            self._windows.release([window])
            raise LinkDown(str(error)) from None
        self._free.remove(function.number)
        handle = os.memfd_create("tasic-client", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(handle, SHARED_BYTES)
            # a client that made it smaller would end this process with SIGBUS
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
            client.shared = mmap.mmap(handle, SHARED_BYTES)
            client.view = np.frombuffer(client.shared, np.uint8)
            client.function, client.window = function, window
            client.name = str(hello.get("name", "?"))[:64]
            granted = {"function": function.number, "memory_bytes": size, "device": self.device.name}
            self._answer(client, _ANSWER_NOTHING + json.dumps(granted).encode(), [handle])
        finally:
            os.close(handle)
        self._say(f"client {function.number}: {client.name}, process {client.pid}, {size >> 20} MiB")

    def _reset(self, client: _Client) -> None:
        if client.uid not in (0, os.getuid()):
            raise NotPermitted("the device may be reset by the daemon's own user only")
        self._say("the device is reset: somebody asked for it")
        self._reset_chip()
        self._answer(client, _ANSWER_NOTHING + b"{}")

    def _inject(self, client: _Client, fault: dict[str, Any]) -> None:
        if client.uid not in (0, os.getuid()):
            raise NotPermitted("faults may be put in by the daemon's own user only")
        self.device.inject(**fault)
        self._answer(client, _ANSWER_NOTHING + b"{}")

    def _drop(self, client: _Client) -> None:
        """A client is gone: stop its queue; the rest follows when that has happened."""
        if client not in self._clients:
            return
        self._clients.remove(client)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.sock)
        client.sock.close()
        client.view = np.zeros(0, np.uint8)
        if client.shared is not None:
            client.shared.close()
        if client.function is not None and client.window is not None:
            client.function.write32(regs.QUEUES_CONTROL, 0)
            self._dying.append(_Dying(client.function, client.window))
            self._say(f"client {client.number} ({client.name}) is gone")

    def _bury(self) -> None:
        """Scrub those whose queue has stopped."""
        for entry in list(self._dying):
            function, window = entry.function, entry.window
            if function.read32(regs.QUEUES_STATUS) != regs.QueueState.STOPPED:
                entry.stopped_ps = None
                # a reset of the chip in between forgets that the queue was to stop
                if regs.QUEUES_CONTROL_ENABLE.get(function.read32(regs.QUEUES_CONTROL)):
                    function.write32(regs.QUEUES_CONTROL, 0)
                continue
            if entry.stopped_ps is None:
                entry.stopped_ps = self.chip.now_ps
            if self.chip.now_ps - entry.stopped_ps < SETTLE_US * 1_000_000:
                continue  # the firmware may not have seen yet what the client wrote last
            function.write32(regs.EVENT_ENABLE, 0)
            function.write32(regs.EVENT_STATUS, 0xF)
            try:
                function.disable()
            except ConnectionError:
                continue  # the link is down: its memory stays with it until that is over
            self.chip.scrub(window.address, window.size)
            self._windows.release([window])
            self._free.append(function.number)
            self._free.sort()
            self._dying.remove(entry)
            self.scrubbed += 1

    # -- seeing it ------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What monitors are told; `utilization` is since the last time that somebody asked.

        While the link is down, `link_up` says so, and telemetry and log are those of the last look before.
        """
        self._look()
        now = self._now
        load = utilization(self._seen, now)
        self._seen = now
        load["firmware"] = self._firmware_load()
        watts, joules, celsius = self._power()
        capabilities = self.device.capabilities
        clients = [
            {
                "function": client.number,
                "name": client.name,
                "pid": client.pid,
                "user": _user(client.uid),
                "memory_bytes": client.window.size if client.window else 0,
                "violations": self.chip.peek(function_register(client.number, regs.FUNCTIONS_VIOLATIONS)),
                "seconds": round(time.monotonic() - client.since, 3),
            }
            for client in self._clients
            if client.function is not None
        ]
        return {
            "device": self.device.name,
            "socket": str(self.path),
            "pid": os.getpid(),
            "simulated": True,
            "link_up": not self.chip.link_is_down,
            "functional": capabilities.functional,
            "uptime_seconds": round(time.monotonic() - self._began, 3),
            "firmware_version": capabilities.firmware_version,
            "utilization": load,
            "memory_bytes": capabilities.memory_bytes,
            "window_bytes_total": self._windows.total_bytes,
            "window_bytes_free": self._windows.free_bytes,
            "clients": clients,
            "clients_most": regs.FUNCTIONS_COUNT,
            "scrubbed": self.scrubbed,
            "dying": len(self._dying),
            "watts": watts,
            "joules": joules,
            "celsius": celsius,
            "faults": {name: count for name, count in self.chip.faults.struck.items() if count},
            "jobs": self._job_times.as_dict(),
            "queue_depth": self._queue_depths(),
            "telemetry": now.as_dict(),
            "log": [f"{entry.seconds:.6f}  {entry.text}" for entry in self._log],
        }

    def _look(self) -> None:
        """Read telemetry and log over the link."""
        with contextlib.suppress(LinkDown):
            self._now, self._log = self.device.telemetry(), self.device.dump_firmware_log()

    def _queue_depths(self) -> dict[str, int]:
        """Commands that were sent and not completed, of each queue that runs."""
        found = {}
        for queue in range(regs.QUEUES_COUNT):
            at, peek = queue * regs.QUEUES_STRIDE, self.chip.peek
            if peek(regs.QUEUES_STATUS + at) == regs.QueueState.RUNNING:
                found[str(queue)] = peek(regs.QUEUES_TAIL + at) - peek(regs.QUEUES_COMPLETION_TAIL + at) & 0xFFFFFFFF
        return found

    def _firmware_load(self) -> float:
        """Share of simulated time that the control processor was awake since the last look."""
        awake, now = self.chip.awake_ps, self.chip.now_ps
        before_awake, before = self._awake
        self._awake = awake, now
        return min(1.0, (awake - before_awake) / (now - before)) if now > before else 0.0

    def _power(self) -> tuple[float | None, float | None, float | None]:
        """Mean power and energy since power-on, and the die's temperature at that power; None where the model has no
        sound figure."""
        try:
            energy = (self.device.report() or {})["energy"]
        except (KeyError, RuntimeError, ZeroDivisionError):
            return None, None, None
        return energy.get("watts"), energy["joules"]["total"], energy.get("die_celsius")

    def _end(self) -> None:
        """Say goodbye: every client sees the end of its connection. Of a device that was removed nothing is left to
        give back."""
        for client in list(self._clients):
            if self.removed:
                self._answer(client, _ANSWER_NOTHING)  # what it finds when it calls next, if it does not wait now
            self._drop(client)
        limit = time.monotonic() + CLOSING_SECONDS
        while self._dying and not self.removed and time.monotonic() < limit:
            self._advance()
            self._watch()
        self._listener.close()
        self.path.unlink(missing_ok=True)
        descriptors = self._wake_read, self._wake_write
        self._wake_write = -1  # `stop` may still be called
        for descriptor in descriptors:
            os.close(descriptor)
        self._selector.close()
        self._lock_file.close()


def _check_register(address: int) -> None:
    if address % 4 or address >= regs.SIZE_BYTES:
        raise InvalidConfig(f"{address:#x} is no register address")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
