"""Backend `rtl`: the chip's control RTL inside of the simulation that this process runs.

A bench attaches what it has under test (`rtl_tests/control/`), the ordinary driver opens it by name: `rtl`. The calls
block the driver's thread while the simulator goes on (cocotb's `bridge` and `resume`), so a device of this kind exists
only while a bench runs.
"""

import contextlib
from collections.abc import Iterator

from driver.backends import Backend
from driver.errors import NoSuchDevice

_attached: list[Backend] = []


@contextlib.contextmanager
def attached(device: Backend) -> Iterator[None]:
    """`open_backend("rtl")` gives `device` inside."""
    _attached.append(device)
    try:
        yield
    finally:
        _attached.remove(device)


def simulated() -> Backend:
    """The device under test. Raises NoSuchDevice outside of a simulation."""
    if not _attached:
        raise NoSuchDevice("rtl: no RTL simulation runs in this process; benches open it: tasic rtl run control")
    return _attached[-1]
