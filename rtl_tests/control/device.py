"""The device under test as a host sees it: registers over AXI4-Lite, memory behind AXI4, the event line.

What is RTL: everything in `rtl_tests/rtl/control/`, with the firmware's image on PicoRV32. What is served here: device
memory (an AXI4 memory of cocotbext-axi with the model's latency of the mover), the host link (its latencies and the
transfers of the host's data), and the cores (`cores.py`).
"""

import gc
import mmap
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, First, ReadWrite, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiRam

from asic_model.bus import FIRMWARE_AREA_BYTES
from asic_model.chip import FIRMWARE_IMAGE
from asic_model.config import load_chip
from asic_model.registers import map as regs
from rtl_tests.control.cores import ServedCores, now_ps

CONFIG = load_chip("tiny")


def memory_latency_ps() -> int:
    """What the model charges a move before its first word: network there and back, one read of a closed row."""
    timing = CONFIG.memory.timing
    network_ps = 2 * CONFIG.noc.latency_cycles * CONFIG.clocks.noc_ps
    return network_ps + (timing.nRCD + timing.nCL + timing.nBL) * timing.tCK_ps


class SimulatedDevice:
    """Coroutines for tests, and `memory`, what the AXI4 memory holds."""

    def __init__(self, dut: Any, *, latency_ps: int | None = None) -> None:
        gc.freeze()  # what the imports left is walked through in vain, again and again
        self.dut = dut
        self.rng = np.random.default_rng(cocotb.RANDOM_SEED)
        self._map = mmap.mmap(-1, CONFIG.memory.capacity_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
        self.memory = np.frombuffer(self._map, np.uint8)
        self.latency_ps = memory_latency_ps() if latency_ps is None else latency_ps
        self.cores = ServedCores(dut, CONFIG, self.memory, self._window)
        self._windows: dict[int, list[int]] = {}
        self.dropped = 0

    def _window(self, function: int) -> tuple[int, int]:
        base, size = self._windows.get(function, [0, 0])
        return base, size

    # ------------------------------------------------------------------------------------------------------- start

    async def start(self, image: bytes | None = None) -> None:
        """Clock, reset, memory, and the firmware's image."""
        dut = self.dut
        dut.rst_n.value = 0
        for name in (
            "s_axil_awvalid", "s_axil_wvalid", "s_axil_bready", "s_axil_arvalid", "s_axil_rready", "image_valid_i",
            "image_last_i", "dropped_i", "read_kib_i", "write_kib_i", "ecc_corrected_i", "ecc_uncorrected_i",
            "link_drops_i", "s_axil_wstrb", "s_axil_awaddr", "s_axil_araddr", "s_axil_wdata", "image_data_i",
        ):  # fmt: skip
            getattr(dut, name).value = 0
        self.cores.idle()
        await Timer(1, "ns")
        cocotb.start_soon(Clock(dut.clk, CONFIG.clocks.control_ps, unit="ps").start())
        self.ram = AxiRam(
            AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst_n, reset_active_level=False, mem=self._map,
            size=len(self._map),
        )  # fmt: skip
        for port in (self.ram.read_if, self.ram.write_if):
            port.log.setLevel("WARNING")
        self._delay(self.ram)
        await ClockCycles(dut.clk, 3)
        await FallingEdge(dut.clk)
        dut.rst_n.value = 1
        self.image = FIRMWARE_IMAGE.read_bytes() if image is None else image
        cocotb.start_soon(self._serve_image())
        self.cores.start()

    def _delay(self, ram: Any) -> None:
        """Let each burst wait for the memory: its first beat."""
        for port, name, offered in (
            (ram.read_if, "_read", self.dut.m_axi_arvalid),
            (ram.write_if, "_write", self.dut.m_axi_awvalid),
        ):
            setattr(port, name, self._delayed(getattr(port, name), offered))

    def _delayed(self, act: Any, offered: Any) -> Any:
        begun = False  # a burst whose first beat has not been served; the mover has one at a time

        async def watch() -> None:
            nonlocal begun
            while True:
                await RisingEdge(offered)
                begun = True

        async def delayed(address: int, data: Any) -> Any:
            nonlocal begun
            if begun and self.latency_ps:
                begun = False
                await Timer(self.latency_ps, "ps")
            return await act(address, data)

        cocotb.start_soon(watch())
        return delayed

    async def _serve_image(self) -> None:
        """Give the image, word by word, whenever the boot loader asks for it."""
        dut = self.dut
        while True:
            await FallingEdge(dut.clk)
            if not int(dut.image_ready_o.value):
                await RisingEdge(dut.image_ready_o)
                await FallingEdge(dut.clk)
            words = np.frombuffer(self.image + bytes(-len(self.image) % 4), "<u4").tolist()
            for number, word in enumerate(words):
                dut.image_valid_i.value = 1
                dut.image_data_i.value = word
                dut.image_last_i.value = int(number == len(words) - 1)
                await FallingEdge(dut.clk)
            dut.image_valid_i.value = 0

    # --------------------------------------------------------------------------------------------------- registers

    async def _pass_over(self, valid: Any, ready: Any) -> None:
        """One transfer of a channel that the host drives; called on a falling edge, returns on one."""
        valid.value = 1
        await ReadWrite()
        while not int(ready.value):
            await FallingEdge(self.dut.clk)
            await ReadWrite()
        await FallingEdge(self.dut.clk)
        valid.value = 0

    async def _answer(self, valid: Any, ready: Any, data: Any, pause: int) -> int:
        dut = self.dut
        await ReadWrite()
        while not int(valid.value):
            await FallingEdge(dut.clk)
            await ReadWrite()
        for _ in range(pause):
            await FallingEdge(dut.clk)
        ready.value = 1
        await ReadWrite()
        value = int(data.value)
        await FallingEdge(dut.clk)
        ready.value = 0
        return value

    async def read(self, address: int, pause: int = 0) -> int:
        """Read a register; `pause`: cycles before the host takes the answer."""
        dut = self.dut
        await FallingEdge(dut.clk)
        dut.s_axil_araddr.value = address
        await self._pass_over(dut.s_axil_arvalid, dut.s_axil_arready)
        return await self._answer(dut.s_axil_rvalid, dut.s_axil_rready, dut.s_axil_rdata, pause)

    async def write(self, address: int, value: int, pause: int = 0, strobe: int = 15) -> None:
        """Write a register; `pause`: cycles between address and data, and before the answer is taken."""
        dut = self.dut
        offset, register = divmod(address - regs.FUNCTIONS_WINDOW_BASE, regs.FUNCTIONS_STRIDE)
        if 0 <= offset < regs.FUNCTIONS_COUNT and register in (0, 4):
            self._windows.setdefault(offset + 1, [0, 0])[register // 4] = value
        await FallingEdge(dut.clk)
        dut.s_axil_awaddr.value = address
        dut.s_axil_awvalid.value = 1
        for _ in range(pause):
            await FallingEdge(dut.clk)
        dut.s_axil_wdata.value = value
        dut.s_axil_wstrb.value = strobe
        await self._pass_over(dut.s_axil_wvalid, dut.s_axil_wready)
        dut.s_axil_awvalid.value = 0
        await self._answer(dut.s_axil_bvalid, dut.s_axil_bready, dut.s_axil_bresp, pause)

    # ------------------------------------------------------------------------------------------------------ memory

    async def memory_write(self, address: int, data: Any) -> None:
        """The host's bytes arrive; those for the firmware's area are dropped and counted."""
        view = np.frombuffer(data, np.uint8)
        if address < FIRMWARE_AREA_BYTES:
            await FallingEdge(self.dut.clk)
            self.dut.dropped_i.value = 1
            await FallingEdge(self.dut.clk)
            self.dut.dropped_i.value = 0
            return
        self.memory[address : address + view.size] = view

    async def wait_event(self, timeout_us: float) -> bool:
        """Whether the event line is up within `timeout_us`."""
        dut = self.dut
        await ReadWrite()
        if not int(dut.event_o.value) and timeout_us > 0:
            await First(RisingEdge(dut.event_o), Timer(max(1, round(timeout_us * 1_000_000)), "ps"))
        return bool(int(dut.event_o.value))

    async def wait_register(self, address: int, value: int, timeout_us: float = 1000.0) -> None:
        """Poll a register until it is `value`; AssertionError after `timeout_us`."""
        limit_ps = now_ps() + round(timeout_us * 1_000_000)
        while (found := await self.read(address)) != value:
            assert now_ps() < limit_ps, f"register {address:#x} is {found:#x} after {timeout_us} us, not {value:#x}"
            await Timer(20 * CONFIG.clocks.control_ps, "ps")
