"""Which devices there are, and the ways to say which one is meant.

| address | device |
|---|---|
| `model:vcu`, `null:my_chip.yaml` | a chip of that description, in this process |
| `model:vcu:1` | another one: devices of one chip are told apart by their index, 0 unless said |
| `remote:PATH`, `remote:` | the daemon at that socket; the first one of this user |
| `tasic0`, `/dev/tasic0` | the daemon whose socket has that name |
| a UUID, `ffff:01:00.0` | the device that `devices()` lists with it |

Nothing here is on a bus: UUIDs are made from addresses (so they stay the same), and the PCI domain `ffff` of daemons'
devices is one that no machine has.
"""

import os
import re
import socket
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from driver.backends import BACKENDS, NOT_BY_CHIP
from driver.errors import NoSuchDevice

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "tasic")
_INDEXED = re.compile(r"(?P<base>(?:model|null):.*[^:]):(?P<index>\d{1,4})")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BDF = re.compile(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]")


@dataclass(frozen=True)
class DeviceInfo:
    """A device that can be opened: `Device.open(info.name)`, or by `uuid` or `pci_bdf`.

    index   : among the devices of the same backend and chip; of daemons among all of this user's
    pci_bdf : "" for devices in this process
    """

    name: str
    backend: str
    chip: str
    index: int = 0
    pci_bdf: str = ""

    @property
    def uuid(self) -> str:
        """Made from the address: the same device has the same one at any time."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.name}:{self.index}" if self.backend != "remote" else self.name))


def devices() -> list[DeviceInfo]:
    """Return the devices that can be opened: those of running daemons, then every chip description on every backend."""
    from asic_model.config import list_chips

    kinds = [kind for kind in BACKENDS if kind not in NOT_BY_CHIP]
    return served_devices() + [DeviceInfo(f"{kind}:{chip}", kind, chip) for kind in kinds for chip in list_chips()]


def socket_folder() -> Path:
    """Where `tasic serve` puts its sockets unless it is told otherwise: one folder a user."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "tasic" if base else Path(tempfile.gettempdir()) / f"tasic-{os.getuid()}"


def served_devices() -> list[DeviceInfo]:
    """Return the devices that running `tasic serve` daemons of this user offer."""
    paths = [path for path in sorted(socket_folder().glob("*.sock")) if path.is_socket()]
    return [
        DeviceInfo(f"remote:{path}", "remote", path.stem, index, f"ffff:{index + 1:02x}:00.0")
        for index, path in enumerate(paths)
        if _somebody_listens(path)
    ]


def _somebody_listens(path: Path) -> bool:
    """Whether a socket is more than what a killed daemon left."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            pass  # many are being served, or this user may not use it
        return True


def is_address(text: str) -> bool:
    """Whether a device is meant, by any of its names; a chip's own name and a file's are none."""
    kind, colon, _ = text.partition(":")
    named = text.removeprefix("/dev/") in {info.chip for info in served_devices()}
    return bool((colon and kind in BACKENDS) or _BDF.fullmatch(text) or _UUID.fullmatch(text) or named)


def find(address: str) -> DeviceInfo:
    """The device that an address means; NoSuchDevice for one that is none, or of a device that is not there.

    Backends with a chip or socket behind a colon are not looked up: opening them says what is wrong.
    """
    kind, colon, chip = address.partition(":")
    if colon and kind in BACKENDS:
        indexed = _INDEXED.fullmatch(address)
        if indexed is not None:
            base = indexed["base"]
            return DeviceInfo(base, kind, base.partition(":")[2], int(indexed["index"]))
        served = [info for info in served_devices() if info.name == address] if kind == "remote" else []
        return served[0] if served else DeviceInfo(address, kind, chip)
    if kind in BACKENDS:
        return DeviceInfo(address, kind, "")
    if _BDF.fullmatch(address):
        known = {info.pci_bdf: info for info in served_devices()}
    elif _UUID.fullmatch(address):
        known = {info.uuid: info for info in devices()}
    else:
        known = {info.chip: info for info in served_devices()}
        if address.removeprefix("/dev/") not in known:
            return DeviceInfo(address, kind, chip)  # `open_backend` says which backends there are
    found = known.get(address.removeprefix("/dev/")) or known.get(address.lower())
    if found is None:
        raise NoSuchDevice(f"no device {address}: `tasic list` shows those that there are", name=address)
    return found
