"""`fileno()` for sessions: a descriptor that is readable while something can be received without waiting.

Simulated time passes only in calls to the device, so somebody has to make them while a program sits in `select` or in
an event loop: one thread a device, started with the first `fileno()`, lets time pass while jobs are in flight. From
then on simulated times depend on how fast the program is; what comes out does not.
"""

import os
import threading
from typing import TYPE_CHECKING, Any

from driver.errors import TasicError, TryAgain

if TYPE_CHECKING:
    from driver.device import Device

STEP_US = 500
REST_SECONDS = 0.005


class Bell:
    """A pipe that is readable while it is rung."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._rung = False
        self._lock = threading.Lock()
        self._closed = False

    def fileno(self) -> int:
        return self._read

    def set(self, rung: bool) -> None:
        """Ring it, or make it silent."""
        with self._lock:
            if rung == self._rung or self._closed:
                return
            if rung:
                os.write(self._write, b"!")
            else:
                os.read(self._read, 16)
            self._rung = rung

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._read)
                os.close(self._write)


class Pump:
    """Lets a device's time pass while sessions with a bell have work in flight."""

    def __init__(self, device: "Device") -> None:
        self._device = device
        self._sessions: list[Any] = []
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"{device.name}-pump", daemon=True)
        self._thread.start()

    def add(self, session: Any) -> None:
        with self._device.lock:
            self._sessions.append(session)
        self.wake()

    def remove(self, session: Any) -> None:
        with self._device.lock:
            if session in self._sessions:
                self._sessions.remove(session)

    def wake(self) -> None:
        """There may be work."""
        self._wake.set()

    def stop(self) -> None:
        self._stopped = True
        self.wake()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def _step(self, working: list[Any]) -> None:
        try:
            self._device.wait_until(lambda: any(one.can_receive for one in working), STEP_US)
        except TryAgain:
            pass
        except TasicError as error:
            for one in working:
                one.fail(error)

    def _run(self) -> None:
        while not self._stopped:
            with self._device.lock:
                sessions = list(self._sessions)
                working = [one for one in sessions if one.in_flight and not one.can_receive]
            if working and not self._stopped:
                self._step(working)
            for one in sessions:
                one.update_bell()
            if not working:
                self._wake.wait(REST_SECONDS if sessions else None)
                self._wake.clear()
