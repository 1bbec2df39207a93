"""The user-space driver: devices, sessions, surfaces, media files.

import driver

with driver.Device.open("model:vcu") as device:
    with device.open_encoder(driver.EncoderConfig(width=1280, height=720, qp=27)) as encoder:
        for packet in encoder.encode(frames):
            ...
"""

from typing import TYPE_CHECKING, Any

from driver.errors import (
    BadJob,
    BadMedia,
    CapacityExceeded,
    DeviceLost,
    EndOfStream,
    FirmwareHang,
    FirmwareVersionMismatch,
    InvalidConfig,
    JobFailed,
    NoSuchDevice,
    OutputError,
    OutputOverflow,
    QueueFull,
    SessionClosed,
    TasicError,
    TryAgain,
    UnsupportedInput,
)
from driver.options import EncoderConfig, Rung, ScalerConfig, parse_ladder

if TYPE_CHECKING:
    from driver.device import Device, devices

__all__ = [
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
    "NoSuchDevice",
    "OutputError",
    "OutputOverflow",
    "QueueFull",
    "Rung",
    "ScalerConfig",
    "SessionClosed",
    "TasicError",
    "TryAgain",
    "UnsupportedInput",
    "devices",
    "parse_ladder",
]


def __getattr__(name: str) -> Any:
    """Load the device on first use: options and errors stay importable in milliseconds."""
    if name in ("Device", "devices"):
        from driver import device

        return getattr(device, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
