"""The blocking calls of a backend on the device in the simulation: what the driver opens as `rtl`.

Called on the thread of cocotb's `bridge`; each call lets the simulator go on until it is done. The link's latencies are
those of the chip description, as the model has them.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from cocotb.task import resume
from cocotb.triggers import Timer

from rtl_tests.control.device import CONFIG, SimulatedDevice

LINK = CONFIG.host_link


async def _pass_ps(duration_ps: int) -> None:
    if duration_ps > 0:
        await Timer(duration_ps, "ps")


class HostLink:
    """Registers, memory, one event (`driver.backends.Backend`)."""

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device
        self.reads = self.writes = 0
        self._read: Callable[[int], int] = _blocking(self._read_register)
        self._write: Callable[[int, int], None] = _blocking(self._write_register)
        self.memory_read: Callable[[int, int], bytes] = _blocking(self._read_memory)
        self.memory_write: Callable[[int, Any], None] = _blocking(self._write_memory)
        self.wait: Callable[[float], bool] = _blocking(self._wait)

    def read32(self, address: int) -> int:
        self.reads += 1
        return self._read(address)

    def write32(self, address: int, value: int) -> None:
        self.writes += 1
        self._write(address, value)

    def close(self) -> None:
        """The device stays as long as the simulation."""

    async def _read_register(self, address: int) -> int:
        await _pass_ps(LINK.mmio_latency_ns * 500)
        value = await self._device.read(address)
        await _pass_ps(LINK.mmio_latency_ns * 500)
        return value

    async def _write_register(self, address: int, value: int) -> None:
        await _pass_ps(LINK.mmio_latency_ns * 500)
        await self._device.write(address, value)

    def _transfer_ps(self, size: int) -> int:
        return -(-size * 1_000_000 // LINK.bandwidth_mb_s)

    async def _read_memory(self, address: int, size: int) -> bytes:
        await _pass_ps(LINK.latency_ns * 1000)
        data = self._device.memory[address : address + size].tobytes()
        await _pass_ps(LINK.latency_ns * 1000 + self._transfer_ps(size))
        return data

    async def _write_memory(self, address: int, data: Any) -> None:
        await _pass_ps(LINK.latency_ns * 1000 + self._transfer_ps(len(memoryview(data).cast("B"))))
        await self._device.memory_write(address, data)

    async def _wait(self, timeout_us: float) -> bool:
        if not await self._device.wait_event(timeout_us):
            return False
        await _pass_ps(LINK.latency_ns * 1000)
        return True


def _blocking(call: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    return resume(call)  # type: ignore[arg-type]
