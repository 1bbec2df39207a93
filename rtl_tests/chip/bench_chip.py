"""The driver's encode jobs run on RTL: control path, firmware on PicoRV32, encode core. The streams are the model's.

The encode core's RTL is started with every encode job's block, reads it, and does it or refuses it; what it refuses is
the model's, as are the jobs of the other cores (rtl_tests/control). The bench serves its memory port.
"""

import io
from dataclasses import replace
from typing import Any

import av
import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge

from asic_model.config import load_chip
from asic_model.cores.encode.job import FIELD_NUMBER
from asic_model.cores.result import CoreResult
from asic_model.descriptors import Status
from asic_model.executor import failed_result
from driver.backends.rtl import attached
from driver.device import Device
from driver.options import EncoderConfig
from driver.selftest import pattern, self_test
from rtl_tests.accuracy import Record
from rtl_tests.control.device import SimulatedDevice
from rtl_tests.control.host_link import HostLink
from rtl_tests.encode_core.picture import Memory
from rtl_tests.encode_core_device.bench_encode_core_device import IDLE
from rtl_tests.handshake import Bench, Source, rerun

# What the RTL core does of the model's: I pictures, and P pictures of one reference, decided in a single pass.
INTRA = EncoderConfig(width=96, height=64, qp=30, gop_size=1, preset="fast", profile="main", tools_off="trials")
INTER = replace(INTRA, gop_size=30, ref_count=1, b_count=0, weightp=False, tools_off="trials,shapes")
PICTURES = 3
LIMIT_CYCLES = 1_000_000  # of one job
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
    """The encode core's RTL behind core port 0. `refused`: jobs that it left to the model, by field."""

    def __init__(self, dut: Any, memory: Any) -> None:
        self._ports = Ports(dut)
        self._memory = memory
        for name in IDLE:
            getattr(self._ports, name).value = 0
        self.cycles = 0  # of the jobs that it did
        self.refused: dict[str, int] = {}

    async def run(self, address: int, base: int) -> CoreResult | None:
        ports = self._ports
        bench = Bench(ports)
        ports.job_i.value, ports.base_i.value = address, base
        ends: list[int] = []
        source = Source(ports, "start", [{}])
        memory = Memory(ports, self._memory, READ_CYCLES)
        await bench.run([source], [memory], lambda: bool(ends), LIMIT_CYCLES, [(ports.done_o, ends)])
        status, detail = int(ports.result_o.value), int(ports.detail_o.value)
        if status == Status.BAD_FIELD:
            field = list(FIELD_NUMBER)[detail]
            self.refused[field] = self.refused.get(field, 0) + 1
            return None
        self.cycles += ends[0] - source.taken_at[0]
        return replace(failed_result(status, detail), output_bytes=int(ports.bytes_o.value))


def encode(device, coding):
    """An ordinary session; returns (stream, ticks that core 0 was busy with it)."""
    before = device.telemetry().cores[0].busy_ticks
    with device.open_encoder(coding) as encoder:
        packets = encoder.encode(pattern(number) for number in range(PICTURES))
        stream = b"".join(packet.data for packet in packets)
    return stream, device.telemetry().cores[0].busy_ticks - before


def sessions(device):
    return [encode(device, coding) for coding in (INTRA, INTER)]


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def driver_encodes_on_rtl(dut):
    """Self-test, then a session of I pictures and one of an I picture and P pictures: the encode core's RTL codes each,
    the streams are the model's."""
    device = SimulatedDevice(dut)
    record = Record("chip", "driver_encodes_on_rtl")
    cocotb.start_soon(Clock(dut.core_clk, load_chip("tiny").clocks.core_ps, unit="ps").start())
    core = EncodeCore(dut, device.memory)
    device.cores.engines[0] = core
    await device.start()
    link = HostLink(device)

    def host():
        with attached(link), Device.open("rtl") as opened:
            results = self_test(opened)
            refused = sum(core.refused.values())
            return results, refused, sessions(opened)

    results, refused, coded = await bridge(host)()
    with Device.open("model:tiny", host_threads=1) as opened:
        expected = sessions(opened)
    assert not [result.reason for result in results if result.reason], results
    # of the self-test's jobs the core refuses each for what it cannot do, of the sessions' none
    assert refused == device.cores.served["encode"] == sum(core.refused.values()) > 0, (core.refused, refused)
    assert device.cores.on_rtl == {"encode": 2 * PICTURES}, (device.cores.on_rtl, core.refused)
    dut._log.info("%d core cycles; refused: %s; served: %s", core.cycles, core.refused, device.cores.served)
    for name, (stream, ticks), (wanted, law) in zip(("I", "I and P"), coded, expected, strict=True):
        what = f"{name} pictures"
        assert stream == wanted, f"{what}: not the model's stream: {len(stream)}, {len(wanted)} bytes; {rerun()}"
        with av.open(io.BytesIO(stream), format="h264") as container:
            assert len(list(container.decode(video=0))) == PICTURES
        dut._log.info("%s: core 0 busy for %d ticks, on the model %d", what, ticks, law)
        record.cycles(model=law, rtl=ticks)
        assert abs(law - ticks) <= SHARE * ticks, (
            f"{what}: core 0 busy for {ticks} ticks, on the model {law}; {rerun()}"
        )
    record.write()
