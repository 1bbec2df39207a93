"""The sessions that a device has open with its firmware.

They go by handles, which stay the same when a reset gives them other numbers. Each is kept with what it takes to open
it again (driver/recovery.py does), and what a session could not close stands here until the next reset.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asic_model import descriptors
from asic_model.descriptors import CapacityLimit, Command, Kind
from asic_model.registers import map as regs
from driver.errors import CapacityExceeded, DeviceLost, TasicError
from driver.queue import Queue, failure

if TYPE_CHECKING:
    from driver.device import Device


@dataclass
class FirmwareSession:
    """A session of the firmware, with what it takes to open it again after a reset."""

    queue: Queue
    block: bytes
    number: int  # what the firmware calls it now


class FirmwareSessions:
    """Those of one device; called under its lock, or taking it."""

    def __init__(self, device: "Device") -> None:
        self._device = device
        self._opened: dict[int, FirmwareSession] = {}  # by handle
        self._next_handle = 1
        self._leftovers: list[tuple[list[int], Callable[[], None]]] = []  # see `leave`

    def __len__(self) -> int:
        return len(self._opened)

    def items(self) -> list[tuple[int, FirmwareSession]]:
        """(handle, session) of each, in the order of opening."""
        return list(self._opened.items())

    def number(self, handle: int) -> int:
        """The firmware's number of a session, 0 for none."""
        opened = self._opened.get(handle)
        return opened.number if opened is not None else 0

    # -- opened and closed ----------------------------------------------------------------------------------------

    def open(self, queue: Queue, kind: Kind, width: int, height: int, **fields: int) -> int:
        """Open a session and return its handle.

        Raises CapacityExceeded, with `limit`, `needed`, `free` and `total` in its info.
        """
        block = descriptors.pack_session(kind, width=width, height=height, **fields)
        with self._device.lock:
            try:
                completion = self._device.command(queue, Command.OPEN_SESSION, block=block)
            except CapacityExceeded as error:
                raise self._explained(error, fields.get("reserve_kilosamples", 0)) from None
            return self._add(queue, block, completion)

    def _add(self, queue: Queue, block: bytes, completion: dict[str, int]) -> int:
        handle = self._next_handle
        self._next_handle += 1
        self._opened[handle] = FirmwareSession(queue, block, completion["session"])
        return handle

    def close(self, queue: Queue, handle: int) -> None:
        """Close a session; harmless when a reset has closed it already."""
        with self._device.lock:
            if handle not in self._opened:
                return
            try:
                self._device.command(queue, Command.CLOSE_SESSION, session=handle)
            except DeviceLost:
                raise
            except TasicError:
                self.forget(handle)  # the firmware knows of no such session
                raise

    def reconfigured(self, handle: int, block: bytes) -> None:
        """The firmware took another configuration."""
        if handle in self._opened:
            self._opened[handle].block = block

    def forget(self, handle: int) -> None:
        """The firmware closed it, or does not know it."""
        self._opened.pop(handle, None)

    def _explained(self, error: CapacityExceeded, kilosamples: int) -> CapacityExceeded:
        """What the chip refused, with the figures of the limit."""
        read = self._device.backend.read32
        own = error.info["detail"] in (CapacityLimit.FUNCTION_SESSIONS, CapacityLimit.FUNCTION_ENCODE_RATE)
        whose = "this client's" if own else "the chip's"
        if error.info["limit"] == "encode_rate":
            total = read(regs.ENCODE_RATE_LIMIT)
            reserved = sum(
                descriptors.SESSION_BLOCK.unpack(one.block)["reserve_kilosamples"] for one in self._opened.values()
            )
            free = total - reserved if own else read(regs.ENCODE_RATE_LEFT)
            needed, unit = kilosamples, "thousand luma samples a second"
        else:
            total = read(regs.SESSION_LIMIT) if own else regs.SESSIONS_MOST.get(read(regs.SESSIONS))
            opened = len(self._opened) if own else regs.SESSIONS_OPEN.get(read(regs.SESSIONS))
            needed, free, unit = 1, total - opened, "sessions"
        return CapacityExceeded(
            f"{error.message}: {needed} {unit} needed, {free} of {whose} {total} free",
            limit=error.info["limit"], needed=needed, free=free, total=total, of_client=own,
        )  # fmt: skip

    # -- over resets ----------------------------------------------------------------------------------------------

    def leave(self, handles: list[int], give_back: Callable[[], None]) -> None:
        """Take over what a session could not close: the firmware's sessions, and the memory that its jobs may still
        use. Both end at the next reset, with `give_back`."""
        with self._device.lock:
            self._leftovers.append((list(handles), give_back))

    def opened_in_vain(self, queue: Queue, block: bytes, completion: dict[str, int]) -> None:
        """A session was opened after the caller had gone."""
        if failure(completion) is None:
            self.leave([self._add(queue, block, completion)], lambda: None)

    def forget_leftovers(self) -> list[Callable[[], None]]:
        """The firmware was restarted: what sessions left behind is not opened again. Returns what gives memory back."""
        for handles, _ in self._leftovers:
            for handle in handles:
                self.forget(handle)
        calls = [give_back for _, give_back in self._leftovers]
        self._leftovers.clear()
        return calls

    def lost(self, handle: int, error: TasicError) -> None:
        """A session could not be opened again: whoever uses it fails."""
        self.forget(handle)
        self._device.fail_sessions(handle, error)

    def may_run_again(self, handle: int) -> bool:
        """Whether jobs of a session give the same when they run again; those of one that was left do not."""
        if handle and handle not in self._opened:
            return False
        return all(session.rerun_safe for session in self._device.sessions if session.uses(handle))
