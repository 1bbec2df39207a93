"""Bringing a device up: the firmware's start, what driver and firmware agree on, what the chip says about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asic_model import descriptors
from asic_model.registers import map as regs
from driver.backends import TRANSFER_BYTES_MOST, Backend
from driver.errors import DeviceLost, FirmwareVersionMismatch

if TYPE_CHECKING:
    from driver.device import Device

INTERFACE_MAJOR = 1
# Bits of `firmware_features`, by the name that a message gives them.
FEATURES = {
    "priorities": regs.FIRMWARE_FEATURES_PRIORITY.mask,
    "deadlines": regs.FIRMWARE_FEATURES_DEADLINE.mask,
    "a watchdog": regs.FIRMWARE_FEATURES_WATCHDOG.mask,
    "address translation": regs.FIRMWARE_FEATURES_TRANSLATION.mask,
    "jobs on a chosen core": regs.FIRMWARE_FEATURES_CORE_SELECT.mask,
}


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
    firmware_features: int  # bits of firmware_features in docs/registers.md


class CheckedBackend:
    """A backend whose memory is not believed where it reads as ones only: that is what a link that is down gives."""

    def __init__(self, backend: Backend, device: "Device") -> None:
        self._inner, self._device = backend, device
        self.read32: Callable[..., Any] = backend.read32
        self.write32: Callable[..., Any] = backend.write32
        self.memory_write: Callable[..., Any] = backend.memory_write
        self.wait: Callable[..., Any] = backend.wait
        self.close: Callable[[], None] = backend.close
        self._forgotten = False

    def forget(self) -> None:
        """This process was forked from the one that opened the device: only that one has it."""

        def gone(*_arguments: Any) -> Any:
            raise DeviceLost(f"{self._device.name}: opened before this process was forked; open it here anew")

        self.read32 = self.write32 = self.memory_write = self.wait = gone
        let_go = getattr(self._inner, "let_go", None)
        self.close = let_go if let_go is not None else lambda: None
        self._forgotten = True

    def memory_read(self, address: int, size: int) -> bytes:
        if self._forgotten:
            self.read32(address)
        with self._device.lock:  # nobody may take note of a drop between the two
            data = self._inner.memory_read(address, size)
            for begin in range(0, size, TRANSFER_BYTES_MOST):
                piece = data[begin : begin + TRANSFER_BYTES_MOST] if size > TRANSFER_BYTES_MOST else data
                if piece[:1] == piece[-1:] == b"\xff" and piece.count(0xFF) == len(piece):
                    self._device.check_link()
        return data

    def __getattr__(self, name: str) -> Any:
        """What only some backends have: `chip`, `report`, `inject`."""
        return getattr(self._inner, name)


def boot(device: "Device", features: int) -> None:
    """Wait for the firmware, agree on version and `features`; after a reset, too."""
    read = device.backend.read32
    if read(regs.ID) != regs.REGISTERS[regs.ID].reset:
        raise DeviceLost(f"{device.name}: no such chip behind these registers (id {read(regs.ID):#010x})")
    major = regs.INTERFACE_VERSION_MAJOR.get(read(regs.INTERFACE_VERSION))
    if major != INTERFACE_MAJOR:
        raise FirmwareVersionMismatch(
            f"{device.name}: register map version {major}, this driver knows {INTERFACE_MAJOR}", found=major
        )
    device.backend.write32(regs.EVENT_ENABLE, (1 << regs.EVENT_ENABLE_EVENTS.width) - 1)
    device.wait_register(lambda: device.firmware_state() is regs.FirmwareState.RUN, "the firmware to start")
    versions = read(regs.DESCRIPTOR_VERSIONS)
    wanted = descriptors.VERSION
    device.backend.write32(regs.HOST_FEATURES, features)
    device.backend.write32(regs.HOST_VERSION, wanted)
    device.wait_register(
        lambda: regs.NEGOTIATION_VERSION.get(read(regs.NEGOTIATION)) == wanted, "the firmware's answer"
    )
    answer = regs.NEGOTIATION_ANSWER.get(read(regs.NEGOTIATION))
    device.check_link()  # or all that was read may be ones, and what was written lost
    if answer == regs.Negotiation.NO_FEATURE:
        missing = features & ~read(regs.FIRMWARE_FEATURES)
        names = ", ".join(name for name, bit in FEATURES.items() if bit & missing) or f"{missing:#x}"
        raise FirmwareVersionMismatch(f"{device.name}: the firmware does not offer {names}", missing=missing)
    if answer != regs.Negotiation.ACCEPTED:
        oldest = regs.DESCRIPTOR_VERSIONS_OLDEST.get(versions)
        newest = regs.DESCRIPTOR_VERSIONS_NEWEST.get(versions)
        raise FirmwareVersionMismatch(
            f"{device.name}: the firmware speaks descriptor versions {oldest}..{newest}, this driver {wanted}",
            oldest=oldest, newest=newest, wanted=wanted,
        )  # fmt: skip


def read_capabilities(backend: Backend) -> Capabilities:
    """Ask the chip what it is."""
    read = backend.read32
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
        firmware_features=read(regs.FIRMWARE_FEATURES),
    )
