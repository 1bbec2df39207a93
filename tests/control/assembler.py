"""A few lines of RV32IM assembler for the tests: fields to words, straight from the instruction formats."""


def r_type(funct7: int, rs2: int, rs1: int, funct3: int, rd: int, opcode: int = 0x33) -> int:
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def i_type(imm: int, rs1: int, funct3: int, rd: int, opcode: int = 0x13) -> int:
    return (imm & 0xFFF) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def s_type(imm: int, rs2: int, rs1: int, funct3: int) -> int:
    return (imm >> 5 & 0x7F) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 0x1F) << 7 | 0x23


def b_type(imm: int, rs2: int, rs1: int, funct3: int) -> int:
    high = (imm >> 12 & 1) << 31 | (imm >> 5 & 0x3F) << 25
    return high | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm >> 1 & 0xF) << 8 | (imm >> 11 & 1) << 7 | 0x63


def u_type(imm: int, rd: int, opcode: int = 0x37) -> int:
    return (imm & 0xFFFFF) << 12 | rd << 7 | opcode


def j_type(imm: int, rd: int) -> int:
    high = (imm >> 20 & 1) << 31 | (imm >> 1 & 0x3FF) << 21 | (imm >> 11 & 1) << 20 | (imm >> 12 & 0xFF) << 12
    return high | rd << 7 | 0x6F


def jalr(imm: int, rs1: int, rd: int) -> int:
    return i_type(imm, rs1, 0, rd, 0x67)


def load(imm: int, rs1: int, funct3: int, rd: int) -> int:
    return i_type(imm, rs1, funct3, rd, 0x03)


def shift(funct7: int, amount: int, rs1: int, funct3: int, rd: int) -> int:
    return r_type(funct7, amount, rs1, funct3, rd, 0x13)


ECALL, EBREAK, WFI, FENCE, FENCE_I = 0x00000073, 0x00100073, 0x10500073, 0x0FF0000F, 0x0000100F


def image(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in words)
