"""The control path as RTL: register block, host bridge, mover, firmware on PicoRV32, and the ordinary driver on top.

The model's chip (asic_model/chip.py, bus.py, mcu.py) is the reference: same registers, same memory, same faults, and
its time beside the RTL's. The cores behind the ports are served by the model (cores.py).
"""

import cocotb
import numpy as np
from cocotb.task import bridge
from cocotb.triggers import ClockCycles, FallingEdge

from asic_model.bus import EVENT_ALL
from asic_model.chip import Chip
from asic_model.descriptors import Command
from asic_model.mcu import MMIO_BASE
from asic_model.registers import map as regs
from driver.backends.rtl import attached
from driver.device import Device
from driver.options import EncoderConfig
from driver.selftest import pattern, self_test
from rtl_tests.accuracy import Record
from rtl_tests.control.device import CONFIG, SimulatedDevice
from rtl_tests.control.host_link import HostLink
from rtl_tests.control.program import RESULTS, TRAPS, Program
from rtl_tests.handshake import rerun

RUN = int(regs.FirmwareState.RUN)
DATA = 1 << 20  # device memory that the programs move
DATA_BYTES = 1 << 17
LOCAL, LOCAL_BYTES = 0x10000, 0xF000  # where they move it in the processor's memory
# How far the model's time of a step may be off: the bursts of a move, the bus's turns.
STEP_CYCLES, STEP_SHARE = 6, 0.03
SHARE = 0.05  # of what the driver sees
# Registers that tell time or count what the two sides do at their own pace.
OWN_PACE = {
    regs.TIME_LOW, regs.TIME_HIGH, regs.INSTRUCTIONS_LOW, regs.INSTRUCTIONS_HIGH, regs.FIRMWARE_HEARTBEAT,
    regs.MEMORY_READ_KIB, regs.MEMORY_WRITE_KIB,
}  # fmt: skip


class OnModel:
    """The model's chip with an image of our own."""

    def __init__(self, image: bytes) -> None:
        self.chip = Chip(CONFIG, image=image, host_threads=1)

    def run(self, address: int, value: int, timeout_us: int = 2000) -> None:
        for _ in range(timeout_us // 5):
            if self.chip.read32(address) == value:
                return
            self.chip.wait(5)
        raise AssertionError(f"model: register {address:#x} is {self.chip.read32(address):#x}, not {value:#x}")


def differences(rtl, model, what):
    """Say where two arrays of words differ first."""
    wrong = np.flatnonzero(np.asarray(rtl) != np.asarray(model))
    for at in wrong:
        found, expected = int(rtl[at]), int(model[at])
        raise AssertionError(f"{what} {at}: RTL {found:#x}, model {expected:#x}; {wrong.size} differ; {rerun()}")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def host_reaches_what_it_may(dut):
    """Every address, written and read by the host with pauses, holds what the model's bus holds."""
    device = SimulatedDevice(dut)
    image = Program().stop()
    await device.start(image)
    model = OnModel(image).chip
    await ClockCycles(dut.clk, 50)
    addresses = [a for a in range(0, regs.SIZE_BYTES, 4) if a not in (regs.CONTROL, regs.EVENT_STATUS)]
    device.rng.shuffle(addresses)
    for address in addresses:
        value = int(device.rng.integers(1 << 32))
        await device.write(address, value, pause=int(device.rng.integers(3)))
        model.write32(address, value)
    await device.write(regs.EVENT_ENABLE, 0, strobe=3)  # a part of a register: dropped
    for address in range(0, regs.SIZE_BYTES, 4):
        if address in OWN_PACE:
            continue
        found = await device.read(address, pause=int(device.rng.integers(3)))
        expected = model.read32(address) + (address == regs.HOST_WRITES_DROPPED)
        assert found == expected, f"register {address:#05x}: RTL {found:#x}, model {expected:#x}; {rerun()}"


def move(program, device, local, size, write):
    """Let the mover copy, to device memory if `write`."""
    program.write(regs.MOVER_DEVICE_LOW, device & 0xFFFFFFFF)
    program.write(regs.MOVER_DEVICE_HIGH, device >> 32)
    program.write(regs.MOVER_LOCAL, local)
    program.write(regs.MOVER_GO, size | write << 16)


def random_program(rng):
    """Moves, plain registers, events and the timer, each between two stamps of the time.

    Returns (program, kinds of the steps).
    """
    program, kinds = Program(), []
    move(program, DATA, LOCAL, LOCAL_BYTES, write=0)  # the processor's memory holds anything at power-on
    for _ in range(60):
        kind = str(rng.choice(["move", "refused", "registers", "timer", "empty"], p=[0.5, 0.15, 0.2, 0.1, 0.05]))
        kinds.append(kind)
        program.read(regs.TIME_LOW)
        if kind in ("move", "refused", "empty"):
            words = int(rng.choice([1, 3, 16, 64, 300, 1025])) if kind == "move" else int(rng.integers(1, 20))
            size, write = 4 * words if kind != "empty" else 0, int(rng.integers(2))
            device = DATA + 4 * int(rng.integers((DATA_BYTES - size) // 4))
            local = LOCAL + 4 * int(rng.integers((LOCAL_BYTES - size) // 4))
            if kind == "refused":
                wrong = int(rng.integers(5))
                device = [device + 2, device, device, CONFIG.memory.capacity_bytes - size + 4, 1 << 40][wrong]
                local = [local, local + 1, CONFIG.control.memory_kib * 1024 - size + 4, local, local][wrong]
            move(program, device, local, size, write)
            program.read(regs.MOVER_STATUS)
        elif kind == "registers":
            for _ in range(4):
                address = int(rng.choice([regs.LOG_COUNT, regs.SESSIONS, regs.QUEUES_HEAD, regs.CORES_JOB_LOW,
                                          regs.FUNCTIONS_VIOLATIONS, regs.CORES_FUNCTION, 0x3FC]))  # fmt: skip
                program.write(address, int(rng.integers(1 << 32)))
                program.read(address)
        else:
            program.write(regs.TIMER, int(rng.integers(1, 300)))
            program.read(regs.WAIT_PENDING)
            program.write(regs.PENDING, 0xFF)
            program.read(regs.PENDING)
        program.read(regs.TIME_LOW)
    # results to device memory, then say that it is done
    move(program, DATA + DATA_BYTES, RESULTS, 4 * program.results, write=1)
    program.write(regs.EVENT_SET, 0xF)
    program.write(regs.FIRMWARE_STATUS, RUN)
    return program, kinds


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def programs_run_as_on_the_model(dut):
    """Random moves, refusals, registers and timers: same results, same memory; time of each step beside the model's."""
    device = SimulatedDevice(dut)
    record = Record("control", "programs_run_as_on_the_model")
    record.bins("step", ("move", "refused", "registers", "timer", "empty"))
    program, kinds = random_program(device.rng)
    image = program.stop()
    device.memory[DATA : DATA + DATA_BYTES] = device.rng.integers(0, 256, DATA_BYTES, dtype=np.uint8)
    model = OnModel(image)
    model.chip.memory[DATA : DATA + DATA_BYTES] = device.memory[DATA : DATA + DATA_BYTES]
    await device.start(image)
    await device.wait_register(regs.FIRMWARE_STATUS, RUN, 5000)
    model.run(regs.FIRMWARE_STATUS, RUN, 5000)
    differences(device.memory[DATA : DATA + DATA_BYTES], model.chip.memory[DATA : DATA + DATA_BYTES], "byte of memory")
    found, expected = (
        memory[DATA + DATA_BYTES :][: 4 * program.results].view("<u4") for memory in (device.memory, model.chip.memory)
    )
    at = 0
    for kind in kinds:
        results = {"move": 1, "refused": 1, "empty": 1, "registers": 4, "timer": 2}[kind]
        differences(found[at + 1 : at + 1 + results], expected[at + 1 : at + 1 + results], f"result of step {kind}")
        rtl, law = (int(words[at + 1 + results]) - int(words[at]) for words in (found, expected))
        record.cycles(model=law, rtl=rtl)
        assert abs(law - rtl) <= STEP_CYCLES + STEP_SHARE * rtl, (
            f"step {kind} took {rtl} cycles, the model says {law}; {rerun()}"
        )
        record.hit("step", kind)
        at += results + 2
    assert await device.read(regs.EVENT_STATUS) == EVENT_ALL
    assert not int(dut.event_o.value)
    await device.write(regs.EVENT_ENABLE, EVENT_ALL)
    await FallingEdge(dut.clk)
    assert int(dut.event_o.value)
    for bit in range(4):
        await device.write(regs.EVENT_STATUS, 1 << bit)
        assert await device.read(regs.EVENT_STATUS) == EVENT_ALL & ~((2 << bit) - 1)
    await FallingEdge(dut.clk)
    assert not int(dut.event_o.value)
    assert not record.open_bins(), f"steps never met: {record.open_bins()}"
    record.write()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def traps_are_reported(dut):
    """Each way to stop the processor: cause, address and value as on the model; a reset of the chip starts it again."""
    device = SimulatedDevice(dut)
    images = {}
    for name, words in TRAPS.items():
        program = Program()
        program.words += words
        images[name] = program.stop()
    for name, act in (
        ("load_fault", lambda program: program.load(0x5000_0000)),
        ("store_fault", lambda program: program.store(0x9000_0000)),
        ("byte_of_a_register", lambda program: program.store(0x4000_0100, 0)),
        ("fetch_fault", lambda program: program.jump(0x2_0000)),
    ):
        program = Program()
        act(program)
        images[name] = program.stop()
    first = True
    for name, image in images.items():
        if first:
            await device.start(image)
            first = False
        else:
            device.image = image
            await device.write(regs.CONTROL, regs.CONTROL_RESET.mask)
        await device.wait_register(regs.FIRMWARE_STATUS, int(regs.FirmwareState.FAULT))
        model = OnModel(image)
        model.run(regs.FIRMWARE_STATUS, int(regs.FirmwareState.FAULT))
        for address in (regs.FAULT_CAUSE, regs.FAULT_PC, regs.FAULT_VALUE, regs.EVENT_STATUS):
            rtl, expected = await device.read(address), model.chip.read32(address)
            if address == regs.FAULT_VALUE and "misaligned" in name:
                expected &= ~3  # the bus carries words only
            assert rtl == expected, f"{name}: register {address:#05x}: RTL {rtl:#x}, model {expected:#x}"
    assert await device.read(regs.RESET_COUNT) == len(images) - 1


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_in_an_access(dut):
    """The chip is reset in any cycle of a program that does nothing but access registers: the access under way is
    finished, as the bus asks, and the program starts again."""
    device = SimulatedDevice(dut)
    program, resets = Program(), 24
    begin = 4 * len(program.words)
    program.write(regs.FIRMWARE_STATUS, RUN)
    for value in range(8):
        program.write(regs.SESSIONS, value)
        program.load(MMIO_BASE + regs.SESSIONS)
    program.jump(begin)
    await device.start(program.image())
    for _ in range(resets):
        await device.wait_register(regs.FIRMWARE_STATUS, RUN)
        await ClockCycles(dut.clk, int(device.rng.integers(1, 60)))
        await device.write(regs.CONTROL, regs.CONTROL_RESET.mask)
    await device.wait_register(regs.FIRMWARE_STATUS, RUN)
    assert await device.read(regs.RESET_COUNT) == resets, f"not every reset was heard; {rerun()}"


CODING = EncoderConfig(width=96, height=64, qp=30, gop_size=3, preset="fast")
PICTURES = 4  # I, P, P, I


def encode(device, act=None):
    """A session of its own; `act` is called when its first job is on the ring. Returns the stream."""
    with device.open_encoder(CODING) as encoder:
        packets = []
        for number in range(PICTURES):
            encoder.send_frame(pattern(number))
            if act is not None and number == 0:
                act()
            while (packet := encoder.ready_packet()) is not None:
                packets.append(packet)
        encoder.flush()
        while len(packets) < PICTURES:
            packets.append(encoder.receive_packet(None))
    return b"".join(packet.data for packet in packets)


def drive(device):
    """What a user's program does.

    Returns (self-test's results, stream, ticks that each core was busy, ticks that 40 commands without a job took).
    """
    results = [(result.core, result.kind, result.reason) for result in self_test(device)]
    stream = encode(device)
    busy = [core.busy_ticks for core in device.telemetry().cores]
    queue, pauses = device.queue(0), np.random.default_rng(1).integers(0, 40, 40) / 10
    began = device.telemetry().ticks
    for pause in pauses:  # the firmware is anywhere in its loop when they ring
        with device.lock:
            fence = queue.stage(Command.NOP)
            queue.ring()
        device.backend.wait(float(pause))
        fence.wait()
    return results, stream, busy, device.telemetry().ticks - began


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def driver_works_as_on_the_model(dut):
    """The blocking driver opens the device: self-test, encode sessions, doorbells at any time, a hung core, a reset."""
    device = SimulatedDevice(dut)
    record = Record("control", "driver_works_as_on_the_model")
    await device.start()
    link = HostLink(device)

    def host():
        with attached(link), Device.open("rtl") as opened:
            ran = drive(opened)

            def hang():
                device.cores.hang.add(0)
                link.wait(200)
                opened.reset_core(0)

            retried = encode(opened, hang)
            counters = opened.telemetry().counters
            assert (counters["jobs_retried"], counters["jobs_timed_out"]) == (1, 0), counters
            again = encode(opened, lambda: opened.reset())
            assert opened.backend.read32(regs.RESET_COUNT) == 1
            return ran, retried, again

    (results, stream, busy, commands), retried, again = await bridge(host)()
    with Device.open("model:tiny", host_threads=1) as opened:
        expected_results, expected, law, commands_law = drive(opened)
    assert results == expected_results
    assert [reason for _, _, reason in results] == [""] * 3, results
    for name, found in (
        ("a session", stream),
        ("a session whose core hung", retried),
        ("a session over a reset", again),
    ):
        assert found == expected, f"the stream of {name} is not the model's: {len(found)}, {len(expected)} bytes"
    for core, (rtl, model) in enumerate(zip(busy, law, strict=True)):
        dut._log.info("core %d (served) busy for %d ticks, on the model for %d", core, rtl, model)
        assert abs(model - rtl) <= SHARE * rtl
    dut._log.info("40 commands took %d ticks, on the model %d", commands, commands_law)
    record.cycles(model=commands_law, rtl=commands)
    assert abs(commands_law - commands) <= SHARE * commands
    record.write()
