"""Backends: what stands behind the driver. Each offers the same few calls and no more.

A backend is opened by name, `model:vcu`, `null:path/chip.yaml`, `remote:path/of/socket` or, inside of a simulation,
`rtl`: see `open_backend`.
"""

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from driver.errors import InvalidConfig, NoSuchDevice
from driver.option_values import near

# A backend may cut a longer transfer into pieces of this size, between which a link may go down and come back.
TRANSFER_BYTES_MOST = 8 << 20


class Backend(Protocol):
    """Registers, device memory, one event. Addresses are byte addresses; times are simulated."""

    def read32(self, address: int) -> int: ...

    def write32(self, address: int, value: int) -> None: ...

    def memory_read(self, address: int, size: int) -> bytes: ...

    def memory_write(self, address: int, data: Any) -> None: ...

    def wait(self, timeout_us: int) -> bool:
        """Let time pass until the event line is up (True) or `timeout_us` passed (False)."""

    def close(self) -> None: ...


def _made(kind: str, backend: Callable[..., Backend], chip: str, options: dict[str, Any]) -> Backend:
    """Open a backend; an option that it has not is refused by name."""
    known = list(inspect.signature(backend).parameters)[1:]
    for name in options:
        if name not in known:
            raise InvalidConfig(f"unknown option {name} of backend {kind}{near(name, known)}", option=name)
    return backend(chip, **options)


def _model(chip: str, **options: Any) -> Backend:
    from driver.backends.model import ModelBackend

    return _made("model", ModelBackend, chip, options)


def _null(chip: str, **options: Any) -> Backend:
    from driver.backends.null import NullBackend

    return _made("null", NullBackend, chip, options)


def _remote(chip: str, **options: Any) -> Backend:
    from driver.backends.remote import RemoteBackend

    return _made("remote", RemoteBackend, chip, options)


def _rtl(chip: str, **options: Any) -> Backend:
    from driver.backends.rtl import simulated

    if chip or options:
        raise InvalidConfig(f"rtl takes neither chip nor options ({chip or ', '.join(options)}): the bench built it")
    return simulated()


BACKENDS: dict[str, Callable[..., Backend]] = {"model": _model, "null": _null, "remote": _remote, "rtl": _rtl}
# Backends whose devices are not made by opening them.
NOT_BY_CHIP = ("remote", "rtl")


def open_backend(name: str, **options: Any) -> Backend:
    """Open `kind:chip`, e.g. `model:vcu`; `kind` alone takes the default chip."""
    kind, _, chip = name.partition(":")
    if kind not in BACKENDS:
        known = list(BACKENDS)
        raise NoSuchDevice(f"no backend {kind!r}; one of {', '.join(known)}{near(kind, known)}", name=name)
    return BACKENDS[kind](chip, **options)
