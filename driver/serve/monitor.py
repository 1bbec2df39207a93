"""Asking a daemon how it is, without being one of its clients."""

from pathlib import Path
from typing import Any

from driver.backends.remote import connect
from driver.serve.protocol import Op, ask_json


def status(path: str | Path) -> dict[str, Any]:
    """Return what the daemon says about device, clients and firmware (driver/serve/daemon.py: Daemon.status).

    Raises NoSuchDevice when none listens at `path`, NotPermitted when this user may not ask.
    """
    sock = connect(str(path))
    try:
        return ask_json(sock, Op.STATUS, {})
    finally:
        sock.close()


def inject(path: str | Path, fault: dict[str, Any]) -> None:
    """Put a fault into a daemon's model (asic_model/faults.py); for the daemon's own user only."""
    sock = connect(str(path))
    try:
        ask_json(sock, Op.INJECT, fault)
    finally:
        sock.close()


def reset(path: str | Path) -> None:
    """Reset a daemon's device: its clients' sessions go on (driver/recovery.py); for the daemon's own user only."""
    sock = connect(str(path))
    try:
        ask_json(sock, Op.RESET, {})
    finally:
        sock.close()
