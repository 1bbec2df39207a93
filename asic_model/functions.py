"""Functions: what one client sees of the chip, in the manner of PCIe virtual functions behind an IOMMU.

Function 0 is the chip itself (`Chip`'s own calls). Functions 1..12 have one queue each, their own events, and a window
of device memory; the host bridge translates what they do and drops what is not theirs, and counts it. The addresses in
their commands are translated by firmware and cores (asic_model/descriptors.py says the protocol). A driver runs on a
function as it does on a chip.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from asic_model.bus import OWN_QUEUES, WINDOW_AREA_BYTES, WINDOW_UNIT_BYTES, function_register
from asic_model.registers import map as regs
from asic_model.ticket import Window

if TYPE_CHECKING:
    from asic_model.chip import Chip

LINK_ATTEMPTS, LINK_REST_US = 200, 500
_QUEUE_NAMES = frozenset(("control", "base_low", "base_high", "completion_base_low", "completion_base_high", "tail",
                          "completion_head"))  # fmt: skip
_HIDDEN = frozenset((regs.LOG_BASE, regs.LOG_SIZE, regs.LOG_COUNT, regs.CORE_RESET, regs.HOST_WRITES_DROPPED))


class Function:
    """The calls of a backend, for function `number` of a chip."""

    def __init__(self, chip: "Chip", number: int) -> None:
        if not 1 <= number <= regs.FUNCTIONS_COUNT:
            raise ValueError(f"function {number} is not one of 1..{regs.FUNCTIONS_COUNT}")
        self.chip = chip
        self.number = number
        self._version = self._features = 0

    @property
    def now_ps(self) -> int:
        """The chip's clock."""
        return self.chip.now_ps

    # -- set up by whoever owns the chip --------------------------------------------------------------------------

    def enable(
        self, base: int, size_bytes: int, *, sessions: int = 0xFFFF, kilosamples: int = 0xFFFFFFFF, priority: int = 3
    ) -> None:
        """Give it a window (multiples of 64 KiB) and limits. Its queue must not be running.

        Raises ConnectionError when the host link stays down: nothing may be given out that was not set up whole.
        """
        if base % WINDOW_UNIT_BYTES or size_bytes % WINDOW_UNIT_BYTES:
            raise ValueError(f"a window's base and size are multiples of {WINDOW_UNIT_BYTES} bytes")
        self._set(
            (regs.FUNCTIONS_WINDOW_BASE, base // WINDOW_UNIT_BYTES),
            (regs.FUNCTIONS_WINDOW_SIZE, size_bytes // WINDOW_UNIT_BYTES),
            (regs.FUNCTIONS_SESSION_LIMIT, sessions),
            (regs.FUNCTIONS_ENCODE_RATE_LIMIT, kilosamples),
            (regs.FUNCTIONS_CONTROL, regs.FUNCTIONS_CONTROL_PRIORITY.put(priority, 1)),
        )
        self._version = self._features = 0

    def disable(self) -> None:
        """Take window and limits back; the queue must be stopped. Raises ConnectionError as `enable`."""
        self._set((regs.FUNCTIONS_CONTROL, 0), (regs.FUNCTIONS_WINDOW_SIZE, 0))

    def _set(self, *values: tuple[int, int]) -> None:
        """Write registers of the function and see that they stand: writes over a link that is down are lost."""
        for _ in range(LINK_ATTEMPTS):
            for address, value in values:
                self.chip.write32(function_register(self.number, address), value)
            if all(self.chip.read32(function_register(self.number, address)) == value for address, value in values):
                return
            self.chip.wait(LINK_REST_US)
        raise ConnectionError(f"function {self.number} cannot be set up: the host link is down")

    @property
    def queue_offset(self) -> int:
        """Of its queue's registers from those of queue 0."""
        return (OWN_QUEUES + self.number - 1) * regs.QUEUES_STRIDE

    # -- the client's calls ---------------------------------------------------------------------------------------

    def read32(self, address: int) -> int:
        """Read a register; takes the link's round trip."""
        value = self.chip.read32(self._source(address))
        window = self.chip.window(self.number)
        if address == regs.CAPACITY:
            return regs.CAPACITY_QUEUES.put(1, value)
        if address == regs.MEMORY_SIZE:
            return window.size_bytes >> 20
        if address == regs.FIRMWARE_AREA:
            return WINDOW_AREA_BYTES
        if address == regs.FUNCTION:
            return self.number
        if address == regs.HOST_VERSION:
            return self._version
        if address == regs.HOST_FEATURES:
            return self._features
        if address == regs.NEGOTIATION:
            return self._negotiation(value)
        if address in (regs.SESSION_LIMIT, regs.ENCODE_RATE_LIMIT):
            chips_own = self.chip.read32(address)
            return min(value, chips_own)
        return 0 if self._is_hidden(address) else value

    def _source(self, address: int) -> int:
        """The chip's register that stands behind one of the function's."""
        index, offset = divmod(address - regs.QUEUES_CONTROL, regs.QUEUES_STRIDE)
        if index == 0 and offset >= 0:
            return address + self.queue_offset
        index, offset = divmod(address - regs.FUNCTIONS_CONTROL, regs.FUNCTIONS_STRIDE)
        if index == 0 and offset >= 0:
            return function_register(self.number, address)
        mirrored = {
            regs.EVENT_STATUS: regs.FUNCTIONS_EVENT_STATUS,
            regs.EVENT_ENABLE: regs.FUNCTIONS_EVENT_ENABLE,
            regs.SESSION_LIMIT: regs.FUNCTIONS_SESSION_LIMIT,
            regs.ENCODE_RATE_LIMIT: regs.FUNCTIONS_ENCODE_RATE_LIMIT,
        }
        return function_register(self.number, mirrored[address]) if address in mirrored else address

    @staticmethod
    def _is_hidden(address: int) -> bool:
        """Registers of other functions, and of the control processor's own."""
        queue = (address - regs.QUEUES_CONTROL) // regs.QUEUES_STRIDE
        function = (address - regs.FUNCTIONS_CONTROL) // regs.FUNCTIONS_STRIDE
        own = regs.WAIT_PENDING <= address < regs.FUNCTIONS_CONTROL
        others = 1 <= queue < regs.QUEUES_COUNT or 1 <= function < regs.FUNCTIONS_COUNT
        return own or others or address in _HIDDEN

    def _negotiation(self, chips_own: int) -> int:
        """The bridge's answer: what function 0 and the firmware agreed on holds for all."""
        if not self._version:
            return 0
        agreed = regs.NEGOTIATION_VERSION.get(chips_own)
        answer = regs.NEGOTIATION_ANSWER.get(chips_own)
        if answer == regs.Negotiation.NONE:
            return 0  # function 0 is still at it, or about to begin again after a reset
        if answer != regs.Negotiation.ACCEPTED or self._version != agreed:
            answer = int(regs.Negotiation.REFUSED)
        elif self._features & ~self.chip.read32(regs.FIRMWARE_FEATURES):
            answer = int(regs.Negotiation.NO_FEATURE)
        return regs.NEGOTIATION_VERSION.put(self._version, regs.NEGOTIATION_ANSWER.put(answer))

    def write32(self, address: int, value: int) -> None:
        """Write a register; takes one way over the link. What is not the function's is dropped and counted."""
        register = regs.REGISTERS.get(address)
        name = register.name if register is not None else ""
        if name.startswith("queues.") and name[len("queues.") :] in _QUEUE_NAMES:
            if address == regs.QUEUES_CONTROL:
                most = regs.FUNCTIONS_CONTROL_PRIORITY.get(
                    self.chip.peek(function_register(self.number, regs.FUNCTIONS_CONTROL))
                )
                value = regs.QUEUES_CONTROL_PRIORITY.put(min(most, regs.QUEUES_CONTROL_PRIORITY.get(value)), value)
            self.chip.write32(address + self.queue_offset, value)
        elif address == regs.EVENT_STATUS:
            self.chip.function_events(self.number, clear=value)
        elif address == regs.EVENT_ENABLE:
            self.chip.function_events(self.number, enable=value)
        elif address == regs.HOST_VERSION:
            self._version = regs.HOST_VERSION_VERSION.get(value)
        elif address == regs.HOST_FEATURES:
            self._features = value
        else:
            self._violation()

    def memory_read(self, address: int, size: int) -> bytes:
        """Read the window over the link; outside of it there is nothing but zeros."""
        place = self._translate(address, size)
        return bytes(size) if place is None else self.chip.memory_read(place, size)

    def memory_write(self, address: int, data: Any) -> None:
        """Write the window over the link; what is meant for elsewhere is dropped and counted."""
        view = np.frombuffer(data, np.uint8)
        place = self._translate(address, view.size)
        if place is not None:
            self.chip.memory_write(place, view)

    def wait(self, timeout_us: float) -> bool:
        """Let time pass until an enabled event of this function is up, or `timeout_us` passed (False)."""
        return self.chip.wait(timeout_us, self.number)

    def close(self) -> None:
        """Nothing to do: whoever gave out the function takes it back."""

    def _translate(self, address: int, size: int) -> int | None:
        window: Window = self.chip.window(self.number)
        if size < 0 or address < WINDOW_AREA_BYTES or not window.holds(address, size):
            self._violation()
            return None
        return window.base + address

    def _violation(self) -> None:
        self.chip.count_violation(self.number)
