"""The control processor: an RV32IM interpreter with a cycle cost per instruction class.

RTL twin: any RV32IM core; PicoRV32 is the one it is compared with. Semantics are those of the unprivileged RISC-V
specification, RV32I 2.1 and M 2.0, in machine mode without CSRs. Memory map:

    0x0000_0000  its own memory (`control.memory_kib`), the image is loaded at 0, execution starts there
    0x4000_0000  the chip's registers (asic_model/registers/map.py), word access only

There are no interrupts: the firmware reads register `wait_pending`, which stalls the bus until something happened.
Device memory is reached through the mover registers, which address all of it from a 32-bit processor. What would
trap on silicon stops the processor here (`TRAP`, with mcause and mtval), and the chip reports it to the host.
"""

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from asic_model.kernel_cache import inlined, kernel

if TYPE_CHECKING:
    from asic_model.config import ControlConfig

MMIO_BASE = 0x4000_0000
MMIO_BYTES = 0x1000

# Where things stand in the state vector, int64[STATE_WORDS]. Registers hold 0..2**32-1.
PC = 32
CYCLES = 33
INSTRUCTIONS = 34
ADDRESS = 35  # MMIO: byte offset in the register window
VALUE = 36  # MMIO store: the word
TARGET = 37  # MMIO load: number of the register that waits for the word
CAUSE = 38  # trap: mcause
TRAP_VALUE = 39  # trap: mtval
ACCESSES = 40  # register accesses so far
QUIET = 41  # cycles up to which no hardware changes a register (see QUIET_READ)
MOVES = 42  # moves made here and not yet taken by the chip
STATE_WORDS = 43

# What the interpreter may do with a register on its own, without the chip: bits of `RegisterFile.access`.
PLAIN_READ = 1  # reading gives the stored word
PLAIN_WRITE = 2  # writing stores the bits of the write mask
READ_TIME = 4  # reading gives the low half of the cycle count and stores the high half in the next register
CLEAR_WRITE = 8  # writing ones clears bits, as far as the write mask goes
QUIET_READ = 16  # reading gives the stored word while nothing can have changed it: up to `QUIET`
WAIT_READ = 32  # as QUIET_READ, of register `pending`, while that is not 0
MOVE = 64  # writing starts the mover, whose work is done here as far as it is in order

# The mover as `execute` does it, int64[MOVER_WORDS]: numbers of its registers; how its command word is read; times.
MV_DEVICE_LOW, MV_DEVICE_HIGH, MV_LOCAL, MV_STATUS, MV_PENDING = range(5)
MV_SIZE_MASK, MV_WRITE_BIT, MV_LATENCY_PS, MV_TICK_PS = range(5, 9)
MOVER_WORDS = 9
MOVES_MOST = 64  # between two stops


class Stop(IntEnum):
    """Why `execute` returned."""

    LIMIT = 0
    MMIO_LOAD = 1  # `TARGET` waits for the word at `ADDRESS`; PC stands after the load
    MMIO_STORE = 2  # `VALUE` goes to `ADDRESS`; PC stands after the store
    WAIT = 3  # WFI; PC stands after it
    TRAP = 4  # PC stands at the instruction


class Cause(IntEnum):
    """mcause of the privileged specification, as far as it can happen here."""

    FETCH_MISALIGNED = 0
    FETCH_FAULT = 1
    ILLEGAL_INSTRUCTION = 2
    BREAKPOINT = 3
    LOAD_MISALIGNED = 4
    LOAD_FAULT = 5
    STORE_MISALIGNED = 6
    STORE_FAULT = 7
    ENVIRONMENT_CALL = 11


# Instruction classes, in the order of the cost vector.
COST_FIELDS = (
    "alu_cycles",
    "shift_cycles",
    "load_cycles",
    "store_cycles",
    "branch_cycles",
    "branch_taken_cycles",
    "jump_cycles",
    "multiply_cycles",
    "divide_cycles",
    "system_cycles",
    "mmio_cycles",
    "jump_register_cycles",
    "shift_stride",
)
ALU, SHIFT, LOAD, STORE, BRANCH, TAKEN, JUMP, MULTIPLY, DIVIDE, SYSTEM, MMIO, JUMP_REGISTER, STRIDE = range(
    len(COST_FIELDS)
)

# What `decode` makes of an instruction. Groups stand in the order of funct3: ADD + 1 is SLL, and so on.
ILLEGAL, ADD, SLL, SLT, SLTU, XOR, SRL, OR, AND, SUB, SRA = range(11)
MUL, MULH, MULHSU, MULHU, DIV, DIVU, REM, REMU = range(11, 19)
LB, LH, LW, LBU, LHU = 19, 20, 21, 23, 24
SB, SH, SW = range(25, 28)
BEQ, BNE, BLT, BGE, BLTU, BGEU = 28, 29, 32, 33, 34, 35
LUI, AUIPC, JAL, JALR, FENCE, WFI, ECALL, EBREAK = range(36, 44)

_STOP_LIMIT, _STOP_MMIO_LOAD, _STOP_MMIO_STORE, _STOP_WAIT, _STOP_TRAP = (int(stop) for stop in Stop)
_STOPS = tuple(Stop)
_MASK = 0xFFFFFFFF
# The mover (rtl_tests/rtl/control/mover.sv): how it cuts a move, and what a burst takes beside the memory's latency and
# its words: the mover's own states (2 to read; 5 to write: first word fetched, its way through the queue, the answer)
# and the bus's turns around them.
BURST_BYTES, PAGE_BYTES = 1024, 4096
READ_TICKS, WRITE_TICKS = 5, 8


@inlined
def _in_order(state: Any, memory: Any, words: Any, mover: Any, device: Any, command: Any) -> Any:
    """Whether the mover can do what its command word says: within both memories, and by whole words."""
    size = command & mover[5]
    place = np.int64(words[mover[0]]) | np.int64(words[mover[1]]) << 32
    local = np.int64(words[mover[2]])
    whole = (size | place | local) & 3 == 0
    return whole and local + size <= memory.size * 4 and place + size <= device.size * 4 and state[42] < 64


@inlined
def move_time(place: Any, size: Any, write: Any, latency: Any, tick: Any) -> Any:
    """How long the mover takes, in the unit of `latency` (the memory's, a burst) and `tick` (the processor's).

    Bursts follow one another: of BURST_BYTES at most, none across a page of 4 KiB (AXI4). The processor's memory has
    one port of 32 bits, a word a tick.
    """
    time = (size >> 2) * tick
    while size > 0:
        burst = min(size, BURST_BYTES, PAGE_BYTES - (place & (PAGE_BYTES - 1)))
        size -= burst
        place += burst
        time += latency + (WRITE_TICKS if write else READ_TICKS) * tick
    return time


@inlined
def _move(state: Any, memory: Any, words: Any, mover: Any, device: Any, moves: Any, command: Any, cycles: Any) -> Any:
    """Copy between device memory and the processor's; return when the processor goes on."""
    size, write = command & mover[5], (command >> mover[6]) & 1
    place = np.int64(words[mover[0]]) | np.int64(words[mover[1]]) << 32
    here, there = np.int64(words[mover[2]]) >> 2, place >> 2
    for n in range(size >> 2):
        if write:
            device[there + n] = memory[here + n]
        else:
            memory[here + n] = device[there + n]
    words[mover[3]] = 0
    made = moves[state[42]]
    made[0], made[1], made[2], made[3] = cycles, place, size, write
    state[42] += 1
    return cycles + (move_time(place, size, write, mover[7], mover[8]) + mover[8] - 1) // mover[8]


@kernel
def decode(row: Any, word: Any) -> None:
    """Put an instruction's parts into `row`, uint32[4]: the word itself; what it does and on what; its immediate; its
    cost class. What does not write a register writes register 0, which is not written.

    The second word: bits 0..7 the operation, 8..12 rd, 13..17 rs1, 18..22 rs2, 23 whether the immediate is meant
    instead of rs2.
    """
    opcode, funct3, funct7 = word & 0x7F, (word >> 12) & 7, word >> 25
    rd, source, second, immediate = (word >> 7) & 31, (word >> 15) & 31, (word >> 20) & 31, 0
    signed_word = word - ((word & 0x80000000) << 1)
    op, cost, by_immediate = ILLEGAL, ALU, False
    if opcode == 0x13 or opcode == 0x33:  # OP-IMM, OP
        if opcode == 0x13:
            by_immediate = True
            immediate = signed_word >> 20
            if funct3 == 1 or funct3 == 5:  # only shifts have a funct7 among the immediates
                immediate &= 31
            else:
                funct7 = 0
        if funct7 == 0 or (funct7 == 0x20 and (funct3 == 0 or funct3 == 5)):
            op = ADD + funct3
            if funct7:
                op = SUB if funct3 == 0 else SRA
            if funct3 == 1 or funct3 == 5:
                cost = SHIFT
        elif funct7 == 1 and opcode == 0x33:  # M
            op = MUL + funct3
            cost = MULTIPLY if funct3 < 4 else DIVIDE
    elif opcode == 0x03:  # LOAD
        if funct3 != 3 and funct3 <= 5:
            op, cost, immediate = LB + funct3, LOAD, signed_word >> 20
    elif opcode == 0x23:  # STORE
        if funct3 <= 2:
            op, cost, immediate = SB + funct3, STORE, ((signed_word >> 25) << 5) | rd
        rd = 0
    elif opcode == 0x63:  # BRANCH
        if funct3 != 2 and funct3 != 3:
            op, cost = BEQ + funct3, BRANCH
            immediate = (
                ((signed_word >> 31) << 12) | ((word << 4) & 0x800) | ((word >> 20) & 0x7E0) | ((word >> 7) & 0x1E)
            )
        rd = 0
    elif opcode == 0x37:
        op, immediate = LUI, word & 0xFFFFF000
    elif opcode == 0x17:
        op, immediate = AUIPC, word & 0xFFFFF000
    elif opcode == 0x6F:
        op, cost = JAL, JUMP
        immediate = ((signed_word >> 31) << 20) | (word & 0xFF000) | ((word >> 9) & 0x800) | ((word >> 20) & 0x7FE)
    elif opcode == 0x67 and funct3 == 0:
        op, cost, immediate = JALR, JUMP_REGISTER, signed_word >> 20
    elif opcode == 0x0F and funct3 < 2:  # FENCE, FENCE.I: memory is in order and not cached
        op, cost, rd = FENCE, SYSTEM, 0
    elif word == 0x10500073:
        op, cost, rd = WFI, SYSTEM, 0
    elif word == 0x00000073:
        op = ECALL
    elif word == 0x00100073:
        op = EBREAK
    row[0] = np.uint32(word)
    row[1] = np.uint32(op | rd << 8 | source << 13 | second << 18 | int(by_immediate) << 23)
    row[2] = np.uint32(immediate & _MASK)
    row[3] = np.uint32(cost)


@kernel
def execute(
    state: Any, memory: Any, decoded: Any, costs: Any, words: Any, access: Any, masks: Any, mover: Any, device: Any,
    moves: Any, limit_cycles: Any,
) -> Any:  # fmt: skip
    """Run until `state[CYCLES]` reaches `limit_cycles` or something needs the chip; return a `Stop`.

    state   : int64[STATE_WORDS]  registers 0..31 (as unsigned), then as named above
    memory  : uint32[words]       the processor's own memory, little-endian words
    decoded : uint32[words, 4]    what `decode` made of each word when it was executed last; zeros before
    costs   : int64[13]           cycles by class, order of COST_FIELDS
    words   : uint32[1024]        the chip's registers, stored words
    access  : uint8[1024]         what may be done with each here: PLAIN_READ, ... MOVE
    masks   : uint32[1024]        bits that a write changes
    mover   : int64[MOVER_WORDS]  see MV_DEVICE_LOW
    device  : uint32[n]           device memory, for the mover
    moves   : int64[MOVES_MOST, 4]  moves made: cycles, device address, bytes, whether it wrote; `state[MOVES]` of them

    An instruction is done whole: the last one may end beyond `limit_cycles`.
    """
    pc = state[32]
    cycles = state[33]
    instructions = state[34]
    size = memory.shape[0] * 4
    stop = _STOP_LIMIT
    while cycles < limit_cycles:
        if pc >= size:
            stop, state[38], state[39] = _STOP_TRAP, 1, pc
            break
        at = pc >> 2
        if decoded[at, 0] != memory[at]:
            decode(decoded[at], np.int64(memory[at]))
        parts = np.int64(decoded[at, 1])
        immediate = np.int64(decoded[at, 2])
        cost: Any = np.int64(decoded[at, 3])
        rd: Any = (parts >> 8) & 31
        a = state[(parts >> 13) & 31]
        b = immediate if parts & 0x800000 else state[(parts >> 18) & 31]
        op = parts & 0xFF
        next_pc = pc + 4
        result = np.int64(0)
        moving = False

        if op == ADD:
            result = a + b
        elif op == SLL or op == SRL or op == SRA:
            steps = b & 31
            if costs[STRIDE]:
                cycles += steps // costs[STRIDE] + steps % costs[STRIDE]
            if op == SLL:
                result = a << steps
            else:
                result = (a - ((a & 0x80000000) << 1) if op == SRA else a) >> steps
        elif op == SLT:
            result = np.int64((a ^ 0x80000000) < (b ^ 0x80000000))
        elif op == SLTU:
            result = np.int64(a < b)
        elif op == XOR:
            result = a ^ b
        elif op == OR:
            result = a | b
        elif op == AND:
            result = a & b
        elif op == SUB:
            result = a - b
        elif op == LB or op == LH or op == LW or op == LBU or op == LHU:
            address = (a + immediate) & _MASK
            if address & ((1 << ((op - LB) & 3)) - 1):
                stop, state[38], state[39] = _STOP_TRAP, 4, address
                break
            if address < size:
                result = np.int64(memory[address >> 2]) >> ((address & 3) * 8)
                if op == LB:
                    result = ((result & 0xFF) ^ 0x80) - 0x80
                elif op == LH:
                    result = ((result & 0xFFFF) ^ 0x8000) - 0x8000
                elif op == LBU:
                    result = result & 0xFF
                elif op == LHU:
                    result = result & 0xFFFF
            elif 0x40000000 <= address < 0x40001000 and op == LW:
                cost = MMIO
                state[40] += 1
                register = (address - 0x40000000) >> 2
                may = access[register]
                if may & 1 or (may & 16 and cycles + costs[MMIO] <= state[41]):
                    result = np.int64(words[register])
                elif may & 32 and words[mover[4]] and cycles + costs[MMIO] <= state[41]:
                    result = np.int64(words[mover[4]])
                elif may & 4:
                    result = cycles + costs[MMIO]
                    words[register + 1] = np.uint32((result >> 32) & _MASK)
                else:
                    state[35] = address - 0x40000000
                    state[37] = rd
                    rd = 0
                    stop = _STOP_MMIO_LOAD
            else:
                stop, state[38], state[39] = _STOP_TRAP, 5, address
                break
        elif op == SB or op == SH or op == SW:
            b = state[(parts >> 18) & 31]
            address = (a + immediate) & _MASK
            if address & ((1 << (op - SB)) - 1):
                stop, state[38], state[39] = _STOP_TRAP, 6, address
                break
            if address < size:
                if op == SW:
                    memory[address >> 2] = np.uint32(b)
                else:
                    shift = (address & 3) * 8
                    mask = (0xFF if op == SB else 0xFFFF) << shift
                    old = np.int64(memory[address >> 2])
                    memory[address >> 2] = np.uint32((old & ~mask) | ((b << shift) & mask))
            elif 0x40000000 <= address < 0x40001000 and op == SW:
                cost = MMIO
                state[40] += 1
                register = (address - 0x40000000) >> 2
                may = access[register]
                if may & 2:
                    mask = np.int64(masks[register])
                    words[register] = np.uint32((np.int64(words[register]) & ~mask) | (b & mask))
                elif may & 8:
                    words[register] = np.uint32(np.int64(words[register]) & ~(b & np.int64(masks[register])))
                elif may & 64 and _in_order(state, memory, words, mover, device, b):
                    words[register] = np.uint32(b & np.int64(masks[register]))
                    moving = True
                else:
                    state[35] = address - 0x40000000
                    state[36] = b
                    stop = _STOP_MMIO_STORE
            else:
                stop, state[38], state[39] = _STOP_TRAP, 7, address
                break
        elif op == BEQ or op == BNE or op == BLT or op == BGE or op == BLTU or op == BGEU:
            if op == BEQ:
                taken = a == b
            elif op == BNE:
                taken = a != b
            elif op == BLT:
                taken = (a ^ 0x80000000) < (b ^ 0x80000000)
            elif op == BGE:
                taken = (a ^ 0x80000000) >= (b ^ 0x80000000)
            elif op == BLTU:
                taken = a < b
            else:
                taken = a >= b
            if taken:
                cost = TAKEN
                next_pc = (pc + immediate) & _MASK
        elif op == LUI:
            result = immediate
        elif op == AUIPC:
            result = pc + immediate
        elif op == JAL:
            result = next_pc
            next_pc = (pc + immediate) & _MASK
        elif op == JALR:
            result = next_pc
            next_pc = (a + immediate) & 0xFFFFFFFE
        elif op == MUL:
            result = a * b  # the low half is the same, signed or not
        elif op == MULH:
            result = ((a - ((a & 0x80000000) << 1)) * (b - ((b & 0x80000000) << 1))) >> 32
        elif op == MULHSU:
            result = ((a - ((a & 0x80000000) << 1)) * b) >> 32
        elif op == MULHU:
            # The unsigned product needs 64 bits: add up 16 x 32 bit halves.
            result = ((a >> 16) * b + (((a & 0xFFFF) * b) >> 16)) >> 16
        elif op == DIV or op == REM:
            signed_a = a - ((a & 0x80000000) << 1)
            signed_b = b - ((b & 0x80000000) << 1)
            if b == 0:
                result = np.int64(_MASK) if op == DIV else a
            else:
                # Division truncates; magnitudes of int32 fit, so -2**31 / -1 wraps back by the mask.
                quotient = abs(signed_a) // abs(signed_b)
                if (signed_a < 0) != (signed_b < 0):
                    quotient = -quotient
                result = quotient if op == DIV else signed_a - quotient * signed_b
        elif op == DIVU:
            result = a // b if b else np.int64(_MASK)
        elif op == REMU:
            result = a % b if b else a
        elif op == WFI:
            stop = _STOP_WAIT
        elif op == ECALL:
            stop, state[38], state[39] = _STOP_TRAP, 11, 0
            break
        elif op == EBREAK:
            stop, state[38], state[39] = _STOP_TRAP, 3, pc
            break
        elif op != FENCE:
            stop, state[38], state[39] = _STOP_TRAP, 2, np.int64(memory[at])
            break

        if next_pc & 3:
            stop, state[38], state[39] = _STOP_TRAP, 0, next_pc
            break
        if rd:
            state[rd] = result & _MASK
        pc = next_pc
        cycles += costs[cost]
        instructions += 1
        if moving:
            cycles = _move(state, memory, words, mover, device, moves, b, cycles)
        if stop != _STOP_LIMIT:
            break
    state[32] = pc
    state[33] = cycles
    state[34] = instructions
    return stop


class Fault(NamedTuple):
    """A trap that stopped the processor."""

    cause: int
    pc: int
    value: int


class RegisterFile:
    """Stored words of the register window, and which accesses have no effect beyond them."""

    def __init__(self) -> None:
        count = MMIO_BYTES // 4
        self.words = np.zeros(count, np.uint32)
        self.access = np.zeros(count, np.uint8)
        self.masks = np.zeros(count, np.uint32)
        self.mover = np.zeros(MOVER_WORDS, np.int64)
        self.device = np.zeros(0, np.uint32)


class Processor:
    """The control processor with its memory. Holds no clock: cycles count up, the chip says up to which it may run.

    `registers`: those that it may access without stopping; by default every access stops.
    """

    def __init__(self, config: "ControlConfig", registers: RegisterFile | None = None) -> None:
        self.registers = registers or RegisterFile()
        self.memory = np.zeros(config.memory_kib * 256, np.uint32)
        self.state = np.zeros(STATE_WORDS, np.int64)
        self._decoded = np.zeros((self.memory.size, 4), np.uint32)
        self._moves = np.zeros((MOVES_MOST, 4), np.int64)
        self.words = self._at = self.state.data  # reading a word of it is faster than of an array
        self._byte_view = self.memory.view(np.uint8).data
        self.costs = np.array([getattr(config, name) for name in COST_FIELDS], np.int64)
        if not self.costs[JUMP_REGISTER]:
            self.costs[JUMP_REGISTER] = self.costs[JUMP]

    @property
    def cycles(self) -> int:
        """Cycles since the start, stalls included."""
        return self._at[CYCLES]

    @property
    def instructions(self) -> int:
        return self._at[INSTRUCTIONS]

    @property
    def accesses(self) -> int:
        """Register accesses, those that did not stop included."""
        return self._at[ACCESSES]

    @property
    def fault(self) -> Fault:
        """The trap, after `run` returned TRAP."""
        return Fault(self._at[CAUSE], self._at[PC], self._at[TRAP_VALUE])

    @property
    def access(self) -> tuple[int, int]:
        """(byte offset in the register window, word stored) after an MMIO stop."""
        return self._at[ADDRESS], self._at[VALUE]

    def load(self, image: bytes) -> None:
        """Put `image` at address 0 and restart there; all else, registers and memory, becomes 0. Cycles go on."""
        if len(image) > self.memory.nbytes:
            raise ValueError(f"firmware image of {len(image)} bytes in {self.memory.nbytes} bytes of memory")
        kept = self.state[[CYCLES, INSTRUCTIONS, ACCESSES]]
        assert not self._at[MOVES], "moves that the chip has not taken"
        self.memory[:] = 0
        self.memory.view(np.uint8)[: len(image)] = np.frombuffer(image, np.uint8)
        self.state[:] = 0
        self.state[[CYCLES, INSTRUCTIONS, ACCESSES]] = kept

    def run(self, limit_cycles: int, quiet_cycles: int = 0) -> Stop:
        """Run up to `limit_cycles` (of `cycles`), or until the chip is needed.

        Up to `quiet_cycles` no hardware will change a register. `taken_moves` must be called after it.
        """
        file = self.registers
        self._at[QUIET] = quiet_cycles
        return _STOPS[
            execute(
                self.state, self.memory, self._decoded, self.costs, file.words, file.access, file.masks, file.mover,
                file.device, self._moves, limit_cycles,
            )
        ]  # fmt: skip

    def taken_moves(self) -> list[list[int]]:
        """The moves that the last run made by itself: [cycles, device address, bytes, whether it wrote]."""
        count = self._at[MOVES]
        if not count:
            return []
        self._at[MOVES] = 0
        found: list[list[int]] = self._moves[:count].tolist()
        return found

    def stall_until(self, cycles: int) -> None:
        """Let time pass without instructions, up to `cycles`."""
        if cycles > self._at[CYCLES]:
            self._at[CYCLES] = cycles

    def jump(self, pc: int) -> None:
        """Go on at `pc`, whatever stands there."""
        self._at[PC] = pc

    def finish_load(self, value: int) -> None:
        """Answer an MMIO_LOAD."""
        target = self._at[TARGET]
        if target:
            self._at[target] = value & _MASK

    def read(self, address: int, size: int) -> bytes | None:
        """`size` bytes of its memory; None where there is none."""
        if address < 0 or address + size > len(self._byte_view):
            return None
        return self._byte_view[address : address + size].tobytes()

    def write(self, address: int, data: bytes) -> bool:
        """Write its memory from outside (the mover); False where there is none."""
        if address < 0 or address + len(data) > len(self._byte_view):
            return False
        self._byte_view[address : address + len(data)] = data
        return True
