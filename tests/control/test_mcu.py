"""The control processor does what RV32IM says: each instruction and random programs equal Unicorn."""

import random
import time

import pytest

from asic_model.config import load_chip
from asic_model.mcu import MMIO_BASE, STRIDE, Cause, Processor, Stop
from tests.control.assembler import (
    EBREAK,
    ECALL,
    FENCE,
    FENCE_I,
    WFI,
    b_type,
    i_type,
    image,
    j_type,
    jalr,
    load,
    r_type,
    s_type,
    shift,
    u_type,
)

unicorn = pytest.importorskip("unicorn")
from unicorn import UC_ARCH_RISCV, UC_MODE_RISCV32, Uc  # noqa: E402
from unicorn.riscv_const import UC_RISCV_REG_PC, UC_RISCV_REG_X0  # noqa: E402

MEMORY_BYTES = 1 << 17
DATA = 0x10000  # where random programs load and store
CORNERS = (0, 1, 2, 31, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF, 0xFFFFFFFE, 0x0000FFFF, 0xFFFF0000, 0x12345678)

REGISTER_OPS = {
    **{f"base{f3}": (0, f3) for f3 in range(8)},
    "sub": (0x20, 0),
    "sra": (0x20, 5),
    **{f"m{f3}": (1, f3) for f3 in range(8)},
}


@pytest.fixture(scope="module")
def config():
    return load_chip("tiny").control


def value(generator: random.Random) -> int:
    return generator.choice(CORNERS) if generator.random() < 0.4 else generator.getrandbits(32)


def processor_with(config, words, registers=None) -> Processor:
    processor = Processor(config)
    processor.load(image(words))
    for number, word in (registers or {}).items():
        processor.state[number] = word
    return processor


class Oracle:
    """Unicorn with the same memory and registers."""

    def __init__(self) -> None:
        self.uc = Uc(UC_ARCH_RISCV, UC_MODE_RISCV32)
        self.uc.mem_map(0, MEMORY_BYTES)

    def run(self, words, registers, count, data=b""):
        self.uc.mem_write(0, image(words) + bytes(4096))
        if data:
            self.uc.mem_write(DATA, data)
        for number in range(1, 32):
            self.uc.reg_write(UC_RISCV_REG_X0 + number, registers.get(number, 0))
        self.uc.reg_write(UC_RISCV_REG_PC, 0)
        self.uc.ctl_flush_tb()
        # The instruction is known not to jump to `until`, so `count` alone ends the run.
        self.uc.emu_start(0, MEMORY_BYTES - 4, count=count)
        found = [self.uc.reg_read(UC_RISCV_REG_X0 + number) for number in range(32)]
        return found, self.uc.reg_read(UC_RISCV_REG_PC)


def step(config, words, registers, count, data=b""):
    processor = processor_with(config, words, registers)
    if data:
        processor.write(DATA, data)
    processor.costs[:] = 1
    processor.costs[STRIDE] = 0
    assert processor.run(count) is Stop.LIMIT
    assert processor.instructions == count
    return [int(word) for word in processor.state[:32]], int(processor.state[32]), processor


@pytest.mark.parametrize("name", REGISTER_OPS)
def test_register_operations_equal_unicorn(config, name):
    """All R-type instructions on corner and random operands, rd = x0 and rd = rs1 included."""
    funct7, funct3 = REGISTER_OPS[name]
    generator = random.Random(name)
    oracle = Oracle()
    operands = [(a, b) for a in CORNERS for b in CORNERS] + [(value(generator), value(generator)) for _ in range(60)]
    words, registers = [], {}
    for first in range(0, len(operands), 6):
        words, registers = [], {}
        for slot, (a, b) in enumerate(operands[first : first + 6]):
            registers[4 * slot + 1], registers[4 * slot + 2] = a, b
            words.append(r_type(funct7, 4 * slot + 2, 4 * slot + 1, funct3, 4 * slot + 3))
        words += [r_type(funct7, 2, 1, funct3, 0), r_type(funct7, 2, 1, funct3, 1)]
        expected, pc = oracle.run(words, registers, len(words))
        found, found_pc, _ = step(config, words, registers, len(words))
        assert (found, found_pc) == (expected, pc), (name, registers)


@pytest.mark.parametrize("funct3", [0, 2, 3, 4, 6, 7])
def test_immediate_operations_equal_unicorn(config, funct3):
    generator = random.Random(funct3)
    oracle = Oracle()
    for _ in range(40):
        imm = generator.choice((-2048, -1, 0, 1, 2047, generator.randint(-2048, 2047)))
        words, registers = [i_type(imm, 1, funct3, 2)], {1: value(generator)}
        assert step(config, words, registers, 1)[:2] == oracle.run(words, registers, 1), (imm, registers)


@pytest.mark.parametrize(("funct7", "funct3"), [(0, 1), (0, 5), (0x20, 5)])
def test_immediate_shifts_equal_unicorn(config, funct7, funct3):
    generator = random.Random(funct7 + funct3)
    oracle = Oracle()
    for amount in range(32):
        words, registers = [shift(funct7, amount, 1, funct3, 2)], {1: value(generator)}
        assert step(config, words, registers, 1)[:2] == oracle.run(words, registers, 1)


def test_upper_immediates_and_jumps_equal_unicorn(config):
    """LUI, AUIPC, JAL, JALR: forward, backward, link register x0 and rd = rs1."""
    oracle = Oracle()
    nop = i_type(0, 0, 0, 0)
    programs = [
        ([u_type(0xFFFFF, 1), u_type(0x80000, 2, 0x17), u_type(1, 3, 0x17)], {}, 3),
        ([j_type(8, 1), nop, j_type(-4, 2)], {}, 3),
        ([nop] * 200 + [j_type(-800, 5)], {}, 202),
        ([j_type(0x7FC, 0)] + [nop] * 600, {}, 2),
        ([jalr(9, 1, 1), nop, nop, nop], {1: 3}, 2),
        ([nop, jalr(-4, 7, 0)], {7: 8}, 3),
    ]
    for words, registers, count in programs:
        assert step(config, words, registers, count)[:2] == oracle.run(words, registers, count), words


@pytest.mark.parametrize("funct3", [0, 1, 4, 5, 6, 7])
def test_branches_equal_unicorn(config, funct3):
    generator = random.Random(funct3)
    oracle = Oracle()
    nop = i_type(0, 0, 0, 0)
    pairs = [(a, b) for a in CORNERS[:8] for b in CORNERS[:8]] + [(value(generator), value(generator))] * 4
    for a, b in pairs:
        words = [nop, nop, b_type(generator.choice((-8, 8, 12)), 2, 1, funct3), nop, nop, nop]
        assert step(config, words, {1: a, 2: b}, 3)[:2] == oracle.run(words, {1: a, 2: b}, 3), (a, b)


@pytest.mark.parametrize("funct3", [0, 1, 2, 4, 5])
def test_loads_equal_unicorn(config, funct3):
    data = bytes(random.Random(5).randrange(256) for _ in range(64))
    oracle = Oracle()
    width = 1 << (funct3 & 3)
    for offset in range(0, 64, width):
        words, registers = [load(offset - 32, 1, funct3, 2)], {1: DATA + 32}
        assert step(config, words, registers, 1, data)[:2] == oracle.run(words, registers, 1, data)


@pytest.mark.parametrize("funct3", [0, 1, 2])
def test_stores_equal_unicorn(config, funct3):
    generator = random.Random(funct3)
    data = bytes(range(64))
    width = 1 << funct3
    for offset in range(0, 64, width):
        oracle = Oracle()
        words, registers = [s_type(offset - 32, 2, 1, funct3)], {1: DATA + 32, 2: value(generator)}
        oracle.run(words, registers, 1, data)
        processor = step(config, words, registers, 1, data)[2]
        assert processor.read(DATA, 64) == bytes(oracle.uc.mem_read(DATA, 64))


def random_program(generator: random.Random, length: int) -> list[int]:
    """Straight code with forward branches; x1 points to the data and is never written."""
    words = []
    for position in range(length):
        rd, rs1, rs2 = (generator.choice([0, *range(2, 32)]) for _ in range(3))
        room = length - position
        match generator.randrange(8):
            case 0 | 1 | 2:
                funct7, funct3 = generator.choice(list(REGISTER_OPS.values()))
                words.append(r_type(funct7, rs2, rs1, funct3, rd))
            case 3:
                words.append(i_type(generator.randint(-2048, 2047), rs1, generator.choice((0, 2, 3, 4, 6, 7)), rd))
            case 4:
                funct3 = generator.choice((0, 1, 2, 4, 5))
                words.append(load(generator.randrange(-512, 512) * 4, 1, funct3, rd))
            case 5:
                words.append(s_type(generator.randrange(-512, 512) * 4, rs2, 1, generator.randrange(3)))
            case 6:
                words.append(u_type(generator.getrandbits(20), rd, generator.choice((0x37, 0x17))))
            case _:
                skip = generator.randint(1, min(room, 8)) * 4
                if generator.random() < 0.2:
                    words.append(j_type(skip, rd))
                else:
                    words.append(b_type(skip, rs2, rs1, generator.choice((0, 1, 4, 5, 6, 7))))
    return words


@pytest.mark.parametrize("seed", range(25))
def test_random_programs_equal_unicorn(config, seed):
    """Registers, PC and memory after 400 random instructions, and the number of instructions executed."""
    generator = random.Random(seed)
    words = [*random_program(generator, 400), j_type(0, 0)]
    registers = {number: value(generator) for number in range(2, 32)} | {1: DATA + 4096}
    data = bytes(generator.randrange(256) for _ in range(8192))
    oracle = Oracle()
    expected, pc = oracle.run(words, registers, 420, data)
    found, found_pc, processor = step(config, words, registers, 420, data)
    assert (found, found_pc) == (expected, pc), seed
    assert processor.read(DATA, 8192) == bytes(oracle.uc.mem_read(DATA, 8192)), seed


NOP = i_type(0, 0, 0, 0)
TRAPS = {
    "zero word": ([0], {}, Cause.ILLEGAL_INSTRUCTION, 0),
    "all ones": ([0xFFFFFFFF], {}, Cause.ILLEGAL_INSTRUCTION, 0xFFFFFFFF),
    "compressed": ([0x00010001], {}, Cause.ILLEGAL_INSTRUCTION, 0x00010001),
    "csr": ([0xC0002573], {}, Cause.ILLEGAL_INSTRUCTION, 0xC0002573),
    "mret": ([0x30200073], {}, Cause.ILLEGAL_INSTRUCTION, 0x30200073),
    "slli with funct7": ([shift(0x20, 1, 1, 1, 1)], {}, Cause.ILLEGAL_INSTRUCTION, shift(0x20, 1, 1, 1, 1)),
    "op funct7": ([r_type(2, 1, 1, 0, 1)], {}, Cause.ILLEGAL_INSTRUCTION, r_type(2, 1, 1, 0, 1)),
    "and with sub bit": ([r_type(0x20, 1, 1, 7, 1)], {}, Cause.ILLEGAL_INSTRUCTION, r_type(0x20, 1, 1, 7, 1)),
    "load double": ([load(0, 0, 3, 1)], {}, Cause.ILLEGAL_INSTRUCTION, load(0, 0, 3, 1)),
    "store double": ([s_type(0, 0, 0, 3)], {}, Cause.ILLEGAL_INSTRUCTION, s_type(0, 0, 0, 3)),
    "branch 2": ([b_type(8, 0, 0, 2)], {}, Cause.ILLEGAL_INSTRUCTION, b_type(8, 0, 0, 2)),
    "ecall": ([ECALL], {}, Cause.ENVIRONMENT_CALL, 0),
    "ebreak": ([EBREAK], {}, Cause.BREAKPOINT, 0),
    "jump to half": ([jalr(2, 0, 1)], {}, Cause.FETCH_MISALIGNED, 2),
    "taken branch to half": ([b_type(6, 0, 0, 0)], {}, Cause.FETCH_MISALIGNED, 6),
    "load word misaligned": ([load(2, 0, 2, 1)], {}, Cause.LOAD_MISALIGNED, 2),
    "load half misaligned": ([load(1, 0, 1, 1)], {}, Cause.LOAD_MISALIGNED, 1),
    "store word misaligned": ([s_type(1, 0, 0, 2)], {}, Cause.STORE_MISALIGNED, 1),
    "load beyond": ([load(0, 1, 2, 2)], {1: 0x2000_0000}, Cause.LOAD_FAULT, 0x2000_0000),
    "load below zero": ([load(-4, 0, 2, 2)], {}, Cause.LOAD_FAULT, 0xFFFF_FFFC),
    "store beyond": ([s_type(0, 0, 1, 2)], {1: 0x8000_0000}, Cause.STORE_FAULT, 0x8000_0000),
    "register byte read": ([load(0, 1, 0, 2)], {1: MMIO_BASE}, Cause.LOAD_FAULT, MMIO_BASE),
    "register beyond": ([s_type(0, 0, 1, 2)], {1: MMIO_BASE + 0x1000}, Cause.STORE_FAULT, MMIO_BASE + 0x1000),
}


@pytest.mark.parametrize("name", TRAPS)
def test_traps(config, name):
    """mcause, mtval and PC of the instruction; no register changes."""
    words, registers, cause, trap_value = TRAPS[name]
    processor = processor_with(config, words, registers | {2: 77})
    before = processor.state[:32].copy()
    assert processor.run(100) is Stop.TRAP
    assert processor.fault == (cause, 0, trap_value)
    assert processor.instructions == 0
    assert (processor.state[:32] == before).all()


def test_jump_beyond_the_memory_is_a_fetch_fault(config):
    processor = processor_with(config, [jalr(0, 1, 0)], {1: 0x4000_0000})
    assert processor.run(100) is Stop.TRAP
    assert processor.fault == (Cause.FETCH_FAULT, 0x4000_0000, 0x4000_0000)


def test_branch_not_taken_to_half_does_not_trap(config):
    processor = processor_with(config, [b_type(6, 0, 0, 1), WFI])
    assert processor.run(100) is Stop.WAIT


def test_register_window(config):
    """A load waits for its word, a store hands out its word; both continue after the instruction."""
    words = [load(8, 1, 2, 5), s_type(12, 5, 1, 2), load(0, 1, 2, 0), WFI]
    processor = processor_with(config, words, {1: MMIO_BASE})
    assert processor.run(1000) is Stop.MMIO_LOAD
    assert processor.access[0] == 8
    processor.finish_load(0xDEADBEEF)
    assert processor.run(1000) is Stop.MMIO_STORE
    assert processor.access == (12, 0xDEADBEEF)
    assert processor.run(1000) is Stop.MMIO_LOAD
    processor.finish_load(5)
    assert processor.state[0] == 0
    assert processor.run(1000) is Stop.WAIT
    assert processor.instructions == 4


def test_cost_of_each_class(config):
    """Cycles are the sum of the configured costs, class by class."""
    words = [
        i_type(1, 0, 0, 1),  # alu
        FENCE,  # system
        FENCE_I,  # system
        shift(0, 1, 1, 1, 2),  # shift, by one bit
        load(0, 0, 2, 3),  # load
        s_type(256, 0, 0, 2),  # store
        b_type(8, 0, 1, 0),  # 1 == 0: not taken
        b_type(4, 0, 1, 1),  # 1 != 0: taken, to the next
        j_type(4, 0),  # jump
        r_type(1, 1, 1, 0, 4),  # multiply
        r_type(1, 1, 1, 4, 4),  # divide
        WFI,  # system
    ]
    processor = processor_with(config, words)
    assert processor.run(10_000) is Stop.WAIT
    expected = (
        config.alu_cycles
        + 3 * config.system_cycles
        + config.shift_cycles
        + (1 if config.shift_stride else 0)  # by one bit
        + config.load_cycles
        + config.store_cycles
        + config.branch_cycles
        + config.branch_taken_cycles
        + config.jump_cycles
        + config.multiply_cycles
        + config.divide_cycles
    )
    assert processor.cycles == expected


def test_shifts_in_steps_and_jumps_to_registers():
    """As PicoRV32's README has it: a shift takes 4 cycles to 14, by its amount; jal 3, jalr 6."""
    config = load_chip("tiny").control
    for amount, cycles in ((0, 4), (1, 5), (3, 7), (4, 5), (7, 8), (16, 8), (31, 14)):
        processor = processor_with(config, [shift(0, amount, 1, 1, 1), WFI])
        assert processor.run(1000) is Stop.WAIT
        assert processor.cycles - config.system_cycles == cycles
    processor = processor_with(config, [i_type(8, 0, 0, 1), 0x00008067, WFI])  # addi x1, x0, 8; jalr x0, x1
    assert processor.run(1000) is Stop.WAIT
    assert processor.cycles - config.system_cycles == config.alu_cycles + 6


def test_memory_from_outside_is_checked(config):
    processor = Processor(config)
    size = processor.memory.nbytes
    assert processor.write(size - 4, b"abcd")
    assert processor.read(size - 4, 4) == b"abcd"
    assert not processor.write(size - 3, b"abcd")
    assert processor.read(-1, 4) is None
    with pytest.raises(ValueError, match="firmware image"):
        processor.load(bytes(size + 1))


@pytest.mark.slow
def test_speed(config):
    """At least 50 million instructions a second on a loop of adds, shifts, loads and stores."""
    loop = [
        load(0x400, 0, 2, 3),
        r_type(0, 3, 2, 0, 2),
        shift(0, 3, 2, 1, 4),
        r_type(0, 4, 2, 4, 2),
        s_type(0x400, 2, 0, 2),
        b_type(-20, 0, 0, 0),
    ]
    processor = processor_with(config, loop, {2: 1})
    processor.costs[:] = 1
    processor.costs[STRIDE] = 0
    processor.run(1000)
    best = 0.0
    for _ in range(5):
        start = time.process_time()
        assert processor.run(processor.cycles + 20_000_000) is Stop.LIMIT
        best = max(best, 20 / (time.process_time() - start))
    print(f"{best:.0f} million instructions a second")
    assert best > 50
