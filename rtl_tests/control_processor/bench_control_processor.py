"""The firmware's image on PicoRV32: the model's register accesses, one by one, its memory at the end, and its time.

The model's processor runs the same image against the same scripted chip; its cycle costs are those of `tiny`, the chip
description that stands for this RTL.
"""

import json
import os

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from cocotb.utils import get_sim_time

from asic_model.chip import FIRMWARE_IMAGE
from tests.control.scripted_chip import IMAGE_MEMORY, BusyChip, ScriptedChip
from tests.control.test_same_image import on_model

PERIOD_NS = 2
ANSWER_CYCLES = 3  # what the register block takes (rtl_tests/control)


class Bench:
    """The device under test with the scripted chip on its register port."""

    def __init__(self, dut, scripted):
        self.dut = dut
        self.memory = dut.memory.words_q
        self.chip = scripted(self.read_local, self.write_local)

    def read_local(self, address, size):
        words = (int(self.memory[address // 4 + n].value) for n in range(size // 4))
        return b"".join(word.to_bytes(4, "little") for word in words)

    def write_local(self, address, data):
        for n in range(0, len(data), 4):
            self.memory[(address + n) // 4].value = int.from_bytes(data[n : n + 4], "little")

    async def start(self, image):
        dut = self.dut
        dut.rst_n.value = 0
        dut.register_ready_i.value = 0
        dut.local_valid_i.value = dut.local_write_i.value = dut.local_word_i.value = dut.local_data_i.value = 0
        dut.run_i.value = 1
        cocotb.start_soon(Clock(dut.clk, PERIOD_NS, "ns").start())
        for _ in range(4):
            await FallingEdge(dut.clk)
        self.write_local(0, image + bytes(-len(image) % 4))
        await FallingEdge(dut.clk)
        dut.rst_n.value = 1
        self.begin_ns = get_sim_time("ns")

    async def serve(self):
        """Answer register accesses until the script ends; drive and sample on the falling edge."""
        dut, chip = self.dut, self.chip
        while not chip.finished:
            if not dut.register_valid_o.value:
                await RisingEdge(dut.register_valid_o)
            for _ in range(ANSWER_CYCLES):
                await FallingEdge(dut.clk)
            offset = int(dut.register_address_o.value)
            if dut.register_write_o.value:
                chip.write(offset, int(dut.register_data_o.value))
            else:
                dut.register_data_i.value = chip.read(offset)
            dut.register_ready_i.value = 1
            await FallingEdge(dut.clk)
            dut.register_ready_i.value = 0


async def as_on_the_model(dut, scripted):
    """Same accesses in the same order, same device memory, same own memory; return (RTL's cycles, the model's)."""
    image = FIRMWARE_IMAGE.read_bytes()
    bench = Bench(dut, scripted)
    await bench.start(image)
    await bench.serve()
    cycles = round((get_sim_time("ns") - bench.begin_ns) / PERIOD_NS)
    assert not dut.fault_o.value
    model, memory = on_model(image, scripted)
    for n, (rtl, expected) in enumerate(zip(bench.chip.trace, model.trace, strict=False)):
        assert rtl == expected, f"access {n}: RTL {rtl}, model {expected}"
    assert len(bench.chip.trace) == len(model.trace)
    assert bench.chip.memory == model.memory
    # Words that the program never wrote hold what the RTL powered up with: compare the image and what follows it.
    assert bench.read_local(0, len(image) & ~3) == memory[: len(image) & ~3]
    ratio = model.processor_cycles / cycles
    dut._log.info("%d accesses, %d cycles; model %d cycles, %.3f of it", len(model.trace), cycles,
                  model.processor_cycles, ratio)  # fmt: skip
    assert len(bench.memory) == IMAGE_MEMORY // 4
    return cycles, model.processor_cycles


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def image_runs_as_on_the_model(dut):
    """A few sessions and jobs."""
    cycles, model_cycles = await as_on_the_model(dut, ScriptedChip)
    if path := os.environ.get("TASIC_BENCH_OUT"):
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"rtl_cycles": cycles, "model_cycles": model_cycles}, out)
    assert 0.97 < model_cycles / cycles < 1.03


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def image_runs_as_on_the_model_when_busy(dut):
    """Sessions under rate control, faults, refusals."""
    cycles, model_cycles = await as_on_the_model(dut, BusyChip)
    assert 0.97 < model_cycles / cycles < 1.03
