"""Asking a daemon how it is, without being one of its clients."""

from pathlib import Path
from typing import Any

from driver.backends.remote import connect
from driver.serve.protocol import Op, ask_json

ANSWER_SECONDS = 30.0  # a daemon that takes longer is stuck


def _ask(path: str | Path, op: Op, values: dict[str, Any]) -> dict[str, Any]:
    sock = connect(str(path))
    try:
        sock.settimeout(ANSWER_SECONDS)
        return ask_json(sock, op, values)
    finally:
        sock.close()


def status(path: str | Path) -> dict[str, Any]:
    """Return what the daemon says about device, clients and firmware (driver/serve/daemon.py: Daemon.status).

    Raises NoSuchDevice when none listens at `path`, NotPermitted when this user may not ask, DeviceLost when it does
    not answer.
    """
    return _ask(path, Op.STATUS, {})


def inject(path: str | Path, fault: dict[str, Any]) -> None:
    """Put a fault into a daemon's model (asic_model/faults.py); for the daemon's own user only."""
    _ask(path, Op.INJECT, fault)


def reset(path: str | Path) -> None:
    """Reset a daemon's device: its clients' sessions go on (driver/recovery.py); for the daemon's own user only."""
    _ask(path, Op.RESET, {})
