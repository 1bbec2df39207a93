"""The driver's encode jobs run on RTL: control path, firmware on PicoRV32, encode core. The streams are the model's.

Encode jobs that `encode_core` can do (docs/rtl_encode_core.md) go there; the bench fetches the job block, packs the
core's job port and serves its memory port. All other jobs are the model's, as in rtl_tests/control.
"""

import io
from dataclasses import replace
from typing import Any

import av
import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge

from asic_model.config import load_chip
from asic_model.cores.result import CoreResult
from asic_model.executor import failed_result
from driver.backends.rtl import attached
from driver.device import Device
from driver.options import EncoderConfig
from driver.selftest import pattern, self_test
from rtl_tests.accuracy import Record
from rtl_tests.control.device import SimulatedDevice
from rtl_tests.control.host_link import HostLink
from rtl_tests.encode_core.job import job_word, refused_field
from rtl_tests.encode_core.picture import IDLE, LIMIT_CYCLES_MB, Memory
from rtl_tests.handshake import Bench, Sink, Source, rerun

# Intra pictures decided in a single pass: what the RTL core does of the model's.
CODING = EncoderConfig(width=96, height=64, qp=30, gop_size=1, preset="fast", profile="main", tools_off="trials")
PICTURES = 3
READ_CYCLES = (10, 40)
SHARE = 0.05  # of the core's time


class Ports:
    """The encode core's ports under the names that they have on the core itself."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self.clk = dut.core_clk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dut, f"encode_{name}")


class EncodeCore:
    """`encode_core` behind core port 0. `refused`: what it left to the model, by field."""

    def __init__(self, dut: Any, memory: Any) -> None:
        self._ports = Ports(dut)
        self._memory = memory
        for name in IDLE:
            getattr(self._ports, name).value = 0
        self.cycles = 0
        self.refused: dict[str, int] = {}

    def takes(self, job: Any) -> bool:
        field = refused_field(job)
        if field is not None:
            self.refused[field] = self.refused.get(field, 0) + 1
        return field is None

    async def run(self, job: Any) -> CoreResult:
        bench = Bench(self._ports)
        memory = Memory(self._ports, self._memory, READ_CYCLES)
        done: list[Any] = []
        source = Source(self._ports, "job", [{"": job_word(job)}])
        sink = Sink(self._ports, "done", ("status", "bytes", "cycles"), done.append)
        limit = 20000 + LIMIT_CYCLES_MB * job.mb_width * job.mb_height
        await bench.run([source], [memory, sink], lambda: bool(done), limit)
        self.cycles += done[0]["cycles"]
        return replace(failed_result(done[0]["status"], 0), output_bytes=done[0]["bytes"])


def encode(device):
    """An ordinary session; returns (stream, ticks that core 0 was busy with it)."""
    before = device.telemetry().cores[0].busy_ticks
    with device.open_encoder(CODING) as encoder:
        stream = b"".join(packet.data for packet in encoder.encode(pattern(number) for number in range(PICTURES)))
    return stream, device.telemetry().cores[0].busy_ticks - before


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def driver_encodes_on_rtl(dut):
    """Self-test, then a session of intra pictures: the encode core's RTL codes each, the stream is the model's."""
    device = SimulatedDevice(dut)
    record = Record("chip", "driver_encodes_on_rtl")
    cocotb.start_soon(Clock(dut.core_clk, load_chip("tiny").clocks.core_ps, unit="ps").start())
    core = EncodeCore(dut, device.memory)
    device.cores.engines[0] = core
    await device.start()
    link = HostLink(device)

    def host():
        with attached(link), Device.open("rtl") as opened:
            return self_test(opened), encode(opened)

    results, (stream, ticks) = await bridge(host)()
    with Device.open("model:tiny", host_threads=1) as opened:
        expected, law = encode(opened)
    assert not [result.reason for result in results if result.reason], results
    assert device.cores.on_rtl == {"encode": PICTURES}, (device.cores.on_rtl, core.refused)
    assert stream == expected, f"the RTL's stream is not the model's: {len(stream)}, {len(expected)} bytes; {rerun()}"
    with av.open(io.BytesIO(stream), format="h264") as container:
        assert len(list(container.decode(video=0))) == PICTURES
    dut._log.info("%d pictures on RTL, %d core cycles: core busy for %d ticks, on the model %d; served: %s",
                  PICTURES, core.cycles, ticks, law, device.cores.served)  # fmt: skip
    record.cycles(model=law, rtl=ticks)
    assert abs(law - ticks) <= SHARE * ticks, f"core 0 was busy for {ticks} ticks, on the model for {law}"
    record.write()
