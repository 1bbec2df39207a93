"""QCIF I pictures through the RTL and through the model, CPU time of both in one process.

`python -m benchmarks.rtl_speed` runs this. Verilator runs with a memory of its own (`encode_core_alone.sv`): no Python
in a cycle.
"""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge

from asic_model.config import load_chip
from asic_model.cores.encode import run
from rtl_tests import clips
from rtl_tests.encode_core.bench_encode_core import Picture
from rtl_tests.encode_core.job import job_word
from rtl_tests.handshake import Bench

PLACE_BYTES = 1 << 18  # a picture's source, reconstruction and stream
REPEATS = 10  # of the model


def pictures(count):
    """(memory before, memory after, jobs): the clip's first pictures, one after another, as the model codes them."""
    found = [Picture(planes, qp=27, out_capacity=1 << 16) for planes in clips.pictures(count)]
    before, after = (np.zeros(count * PLACE_BYTES, np.uint8) for _ in range(2))
    jobs = []
    for number, picture in enumerate(found):
        base = number * PLACE_BYTES
        before[base : base + picture.memory.size] = picture.memory
        after[base : base + picture.memory.size] = picture.expected
        moved = {name: base + getattr(picture.job, name) for name in ("src_address", "recon_address", "out_address")}
        jobs.append(replace(picture.job, **moved))
    return before, after, jobs


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def speed(dut):
    """Both code the pictures to the same bytes; the times go into the file TASIC_RTL_SPEED names."""
    before, after, jobs = pictures(int(os.environ["TASIC_RTL_PICTURES"]))
    core = load_chip("tiny").encode.core
    model = []
    for _ in range(REPEATS):
        memory = before.copy()
        began = time.process_time()
        for job in jobs:
            run(memory, job, core)
        model.append((time.process_time() - began) / len(jobs))
    assert np.array_equal(memory, after)

    memory_file = Path(os.environ["TASIC_RTL_MEMORY"])
    memory_file.write_text("".join(f"{int(word):016x}\n" for word in before.view("<u8")), encoding="ascii")
    bench = Bench(dut)
    await bench.reset(("job_valid_i", "load_i", "save_i"))
    dut.load_i.value = 1
    dut.done_ready_i.value = 1
    cycles = 0
    began = time.process_time()
    for job in jobs:
        dut.job_i.value = job_word(job)
        dut.job_valid_i.value = 1
        await FallingEdge(dut.clk)
        dut.job_valid_i.value = 0
        await RisingEdge(dut.done_valid_o)
        cycles += int(dut.done_cycles_o.value)
        await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
    rtl = (time.process_time() - began) / len(jobs)
    dut.save_i.value = 1
    await FallingEdge(dut.clk)
    text = memory_file.read_text(encoding="ascii")
    words = [int(line, 16) for line in text.split() if not line.startswith(("@", "/"))]
    found = np.array(words, "<u8").view(np.uint8)[: after.size]
    assert np.array_equal(found, after), f"byte {np.flatnonzero(found != after)[0]:#x} is not the model's"
    times = {"model_s": min(model), "rtl_s": rtl, "cycles": cycles // len(jobs), "clip": clips.source_name()}
    Path(os.environ["TASIC_RTL_SPEED"]).write_text(json.dumps(times), encoding="utf-8")
