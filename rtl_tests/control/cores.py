"""Cores at the control RTL's ports, served by the model: its answer, and its time by the model's clock of the cores.

This side of the core ports is not RTL. A job's pixels are computed when it starts, its end comes when the fabric of
the model (pipeline, network, memory, contention of the cores) says so. A core that is RTL is an `Engine`: it is given
every job, and what it refuses is the model's.
"""

from typing import Any, Protocol

import cocotb
import numpy as np
from cocotb.triggers import Event, FallingEdge, First, Timer
from cocotb.utils import get_sim_time

from asic_model.bus import WINDOW_UNIT_BYTES
from asic_model.config import ChipConfig
from asic_model.cores.fabric import Fabric
from asic_model.cores.registry import core_types
from asic_model.cores.result import CoreResult
from asic_model.descriptors import BLOCK_BYTES, Status
from asic_model.executor import Executor, Window, failed_result


def now_ps() -> int:
    return int(get_sim_time("ps"))


class Engine(Protocol):
    """A core that is RTL."""

    async def run(self, address: int, base: int) -> CoreResult | None:
        """The job of the block at `address`, in the window at `base`: status, detail and bytes count. None: refused."""


class ServedCores:
    """All cores of a chip.

    served  : jobs by kind that the model answered
    engines : RTL by core
    on_rtl  : jobs by kind that were done there
    hang    : cores whose next job never ends
    """

    def __init__(self, dut: Any, config: ChipConfig, memory: np.ndarray, windows: Any) -> None:
        """windows : function number -> (base, size) of its window, in the registers' units"""
        self._dut, self._memory, self._windows = dut, memory, windows
        self._types = core_types(config)
        self._executor = Executor(memory, self._types, threads=1)
        self.fabric = Fabric(config)
        self._running: dict[int, CoreResult] = {}
        self._ended: list[tuple[int, CoreResult]] = []
        self._changed = Event()
        self.hang: set[int] = set()
        self._hung: set[int] = set()
        self.served: dict[str, int] = {}
        self.engines: dict[int, Engine] = {}
        self.on_rtl: dict[str, int] = {}

    def idle(self) -> None:
        """Inputs of the control RTL while no job ends."""
        dut = self._dut
        dut.core_start_ready_i.value = 0
        dut.core_done_i.value = 0
        dut.core_result_i.value = dut.core_detail_i.value = dut.core_bytes_i.value = 0

    def start(self) -> None:
        cocotb.start_soon(self._take())
        cocotb.start_soon(self._reset())
        cocotb.start_soon(self._end())

    async def _take(self) -> None:
        """Take jobs from the ports."""
        dut = self._dut
        while True:
            if not int(dut.core_start_valid_o.value):
                await dut.core_start_valid_o.value_change
            await FallingEdge(dut.clk)
            offered = int(dut.core_start_valid_o.value)
            for core in range(len(self.fabric.cores)):
                if offered >> core & 1:
                    self._begin(core)
            dut.core_start_ready_i.value = offered
            await FallingEdge(dut.clk)
            dut.core_start_ready_i.value = 0

    def _begin(self, core: int) -> None:
        dut = self._dut
        address = int(dut.core_job_o.value) >> (64 * core) & (1 << 64) - 1
        function = int(dut.core_function_o.value) >> (8 * core) & 0xFF
        if function:
            base, size = (WINDOW_UNIT_BYTES * value for value in self._windows(function))
        else:
            base, size = 0, self._memory.size
        assert address + BLOCK_BYTES <= self._memory.size
        if core in self.engines:
            cocotb.start_soon(self._on_engine(core, address, Window(base, size)))
        else:
            self._serve(core, address, Window(base, size))

    def _serve(self, core: int, address: int, window: Window) -> None:
        kind = self.fabric.cores[core].kind
        self.served[kind] = self.served.get(kind, 0) + 1
        if core in self.hang:
            self.hang.remove(core)
            self._hung.add(core)
            return
        result = self._executor.take(address, window).result()
        self._running[core] = result
        self.fabric.start(core, result, now_ps())
        self._changed.set()

    async def _on_engine(self, core: int, address: int, window: Window) -> None:
        result = await self.engines[core].run(address, window.base)
        if result is None:
            self._serve(core, address, window)
            return
        kind = self.fabric.cores[core].kind
        self.on_rtl[kind] = self.on_rtl.get(kind, 0) + 1
        self._ended.append((core, result))
        self._changed.set()

    async def _reset(self) -> None:
        """A core that hangs ends its job when it is reset; another one lets its traffic run out first."""
        dut = self._dut
        while True:
            await dut.core_reset_o.value_change
            resets = int(dut.core_reset_o.value)
            for core in range(len(self.fabric.cores)):
                if resets >> core & 1:
                    reset = failed_result(Status.CORE_RESET, 0)
                    if core in self._hung:
                        self._hung.remove(core)
                        self._ended.append((core, reset))
                        self._changed.set()
                    elif core in self._running:
                        self._running[core] = reset

    async def _end(self) -> None:
        """Report ends of jobs at their time."""
        dut = self._dut
        while True:
            bound = self.fabric.next_finish_lower_bound() if self._running else None
            if not self._ended:
                self._changed.clear()
                if bound is None:
                    await self._changed.wait()
                elif bound > now_ps():
                    await First(self._changed.wait(), Timer(bound - now_ps(), "ps"))
                else:
                    await Timer(1, "ns")
                if self._running:
                    for core, _ in self.fabric.advance(now_ps()):
                        self._ended.append((core, self._running.pop(core)))
            if self._ended:
                ended, self._ended = self._ended, []
                await FallingEdge(dut.clk)
                done, result, detail, size = 0, 0, 0, 0
                for core, outcome in ended:
                    done |= 1 << core
                    result |= int(outcome.status) << 8 * core
                    detail |= int(outcome.detail) << 32 * core
                    size |= int(outcome.output_bytes) << 32 * core
                dut.core_result_i.value, dut.core_detail_i.value, dut.core_bytes_i.value = result, detail, size
                dut.core_done_i.value = done
                await FallingEdge(dut.clk)
                dut.core_done_i.value = 0
