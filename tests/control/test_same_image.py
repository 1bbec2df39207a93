"""The checked-in image makes the same register accesses and memory writes on the model's processor and on Unicorn."""

import numpy as np
import pytest

from asic_model import descriptors
from asic_model.config import load_chip
from asic_model.mcu import MMIO_BASE, Processor, Stop
from asic_model.registers import map as regs
from tests.control.scripted_chip import IMAGE_MEMORY, BusyChip, ScriptedChip

unicorn = pytest.importorskip("unicorn")


def on_model(image: bytes, scripted: type[ScriptedChip] = ScriptedChip) -> tuple[ScriptedChip, bytes]:
    processor = Processor(load_chip("tiny").control)
    processor.load(image)

    def write(address: int, data: bytes) -> None:
        assert processor.write(address, data)

    chip = scripted(lambda address, size: processor.read(address, size) or b"", write)
    while not chip.finished:
        stop = processor.run(processor.cycles + 10_000_000)
        offset, value = processor.access
        if stop is Stop.MMIO_LOAD:
            processor.finish_load(chip.read(offset))
        elif stop is Stop.MMIO_STORE:
            chip.write(offset, value)
        else:
            raise AssertionError((stop, processor.fault))
    chip.processor_cycles = processor.cycles
    return chip, processor.memory[: IMAGE_MEMORY // 4].astype(np.uint32).tobytes()


def on_unicorn(image: bytes, scripted: type[ScriptedChip]) -> tuple[ScriptedChip, bytes]:
    from unicorn.riscv_const import UC_RISCV_REG_PC

    uc = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
    uc.mem_map(0, IMAGE_MEMORY)
    uc.mem_write(0, image)
    chip = scripted(lambda address, size: bytes(uc.mem_read(address, size)), lambda a, data: uc.mem_write(a, data))
    frozen: list[bytes] = []

    def read(_uc, offset, _size, _data):
        if chip.finished:
            return 0
        value = chip.read(offset)
        if chip.finished:
            frozen.append(bytes(uc.mem_read(0, IMAGE_MEMORY)))
        return value

    def write(_uc, offset, _size, value, _data):
        if not chip.finished:
            chip.write(offset, value & 0xFFFFFFFF)

    uc.mmio_map(MMIO_BASE, regs.SIZE_BYTES, read, None, write, None)
    at = 0
    while not chip.finished:
        uc.emu_start(at, 0xFFFFFFFC, count=20_000)
        at = uc.reg_read(UC_RISCV_REG_PC)
    return chip, frozen[0]


def same_on_both(scripted: type[ScriptedChip]) -> ScriptedChip:
    """Run the image on both processors; accesses and memories must be equal."""
    from asic_model.chip import FIRMWARE_IMAGE

    image = FIRMWARE_IMAGE.read_bytes()
    ours, our_memory = on_model(image, scripted)
    theirs, their_memory = on_unicorn(image, scripted)
    for n, (one, other) in enumerate(zip(ours.trace, theirs.trace, strict=False)):
        assert one == other, f"access {n}: model {one}, Unicorn {other}"
    assert len(ours.trace) == len(theirs.trace) > 500
    assert ours.memory == theirs.memory
    assert our_memory == their_memory
    return ours


def test_same_trace_on_model_and_unicorn():
    ours = same_on_both(ScriptedChip)
    statuses = [ours.completion(n)["status"] for n in range(8)]
    assert sorted(statuses) == [0, 0, 0, 0, 0, 0, 0, descriptors.Status.BAD_VERSION]


def test_same_trace_of_a_busy_chip():
    """Rate control, priorities, fences, refusals, watchdog, a client's window, a queue that is stopped."""
    ours = same_on_both(BusyChip)
    assert len(ours.trace) > 6_000
    for name, least in (
        ("JOBS_FINISHED", 60), ("COMMANDS_REJECTED", 8), ("ACCESS_VIOLATIONS", 4), ("JOBS_RETRIED", 2),
        ("JOBS_TIMED_OUT", 2), ("DEADLINES_MISSED", 4),
    ):  # fmt: skip
        assert ours.words[getattr(regs, name)] >= least, name
    assert ours.words[regs.QUEUES_STATUS + regs.QUEUES_STRIDE] == regs.QueueState.STOPPED
