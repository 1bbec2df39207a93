"""QCIF I pictures through the RTL and through the model, CPU time of both in one process.

`python -m benchmarks.rtl_speed` runs this, twice: `alone`, in Verilator with a memory of its own
(`encode_core_alone.sv`), no Python in a cycle; `served`, as `tasic rtl run encode_core` does, with the bench's memory.
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
from rtl_tests.encode_core.job import job_word
from rtl_tests.encode_core.picture import IDLE, LIMIT_CYCLES_MB, Memory, Picture
from rtl_tests.handshake import Bench, Sink, Source

PLACE_BYTES = 1 << 18  # a picture's source, reconstruction and stream
REPEATS = 50  # of the model


def pictures():
    """(memory before, memory after, jobs): the clip's first pictures, one after another, as the model codes them."""
    count = int(os.environ["TASIC_RTL_PICTURES"])
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


def model_seconds(before, after, jobs):
    """CPU time of a picture in the model, its cycles and traffic too: the least of REPEATS rounds through them all."""
    core = load_chip("tiny").encode.core
    rounds = []
    for _ in range(REPEATS):
        memory = before.copy()
        began = time.process_time()
        for job in jobs:
            run(memory, job, core)
        rounds.append((time.process_time() - began) / len(jobs))
    assert np.array_equal(memory, after)
    return min(rounds)


def tell(model, rtl, cycles):
    times = {"model_s": model, "rtl_s": rtl, "cycles": cycles, "clip": clips.source_name()}
    Path(os.environ["TASIC_RTL_SPEED"]).write_text(json.dumps(times), encoding="utf-8")


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def alone(dut):
    """Both code the pictures to the same bytes; the times go into the file TASIC_RTL_SPEED names."""
    before, after, jobs = pictures()
    model = model_seconds(before, after, jobs)
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
    tell(model, rtl, cycles // len(jobs))


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def served(dut):
    """The same with the memory, the job and the answer in the bench's hands."""
    before, after, jobs = pictures()
    model = model_seconds(before, after, jobs)
    bench = Bench(dut)
    await bench.reset(IDLE)
    memory = Memory(dut, before.copy())
    done = []
    began = time.process_time()
    for number, job in enumerate(jobs, 1):
        limit = LIMIT_CYCLES_MB * job.mb_width * job.mb_height
        source = Source(dut, "job", [{"": job_word(job)}])
        sink = Sink(dut, "done", ("status", "bytes", "cycles"), done.append)
        await bench.run([source], [memory, sink], lambda number=number: len(done) == number, limit)
    rtl = (time.process_time() - began) / len(jobs)
    assert np.array_equal(memory.data, after), f"byte {np.flatnonzero(memory.data != after)[0]:#x} is not the model's"
    tell(model, rtl, sum(fields["cycles"] for fields in done) // len(jobs))
