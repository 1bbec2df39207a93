"""The user-space driver: devices, sessions, surfaces, media files.

import driver

with driver.Device.open("model:vcu") as device:
    with device.open_encoder(driver.EncoderConfig(width=1280, height=720, qp=27)) as encoder:
        for packet in encoder.encode(frames):
            ...
"""

from typing import TYPE_CHECKING, Any

from driver.errors import (
    AccessViolation,
    BadJob,
    BadMedia,
    CapacityExceeded,
    DeviceLost,
    EndOfStream,
    FirmwareHang,
    FirmwareVersionMismatch,
    InvalidConfig,
    JobFailed,
    JobTimedOut,
    LinkDown,
    MemoryCorrupted,
    NoSuchDevice,
    NotPermitted,
    OutputError,
    OutputOverflow,
    QueueFull,
    SessionClosed,
    SessionReset,
    TasicError,
    TryAgain,
    UnsupportedInput,
)
from driver.options import EncoderConfig, Rung, ScalerConfig, parse_ladder

if TYPE_CHECKING:
    from driver.device import Device
    from driver.enumeration import devices
    from driver.query import open_best

__all__ = [
    "AccessViolation",
    "BadJob",
    "BadMedia",
    "CapacityExceeded",
    "Device",
    "DeviceLost",
    "EncoderConfig",
    "EndOfStream",
    "FirmwareHang",
    "FirmwareVersionMismatch",
    "InvalidConfig",
    "JobFailed",
    "JobTimedOut",
    "LinkDown",
    "MemoryCorrupted",
    "NoSuchDevice",
    "NotPermitted",
    "OutputError",
    "OutputOverflow",
    "QueueFull",
    "Rung",
    "ScalerConfig",
    "SessionClosed",
    "SessionReset",
    "TasicError",
    "TryAgain",
    "UnsupportedInput",
    "devices",
    "open_best",
    "parse_ladder",
]


def __getattr__(name: str) -> Any:
    """Load the device on first use: options and errors stay importable in milliseconds."""
    if name == "Device":
        from driver.device import Device

        return Device
    if name == "devices":
        from driver.enumeration import devices

        return devices
    if name == "open_best":
        from driver.query import open_best

        return open_best
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
