"""Bit reading (H.264 7.2, 9.1) and the arithmetic decoder (9.3.1.2, 9.3.3.2), one bit at a time."""

from asic_model.codecs.h264.tables import RANGE_TAB_LPS, table


class Bits:
    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position

    def read(self, count: int) -> int:
        value = 0
        for _ in range(count):
            byte = self.data[self.position >> 3] if self.position >> 3 < len(self.data) else 0
            value = value << 1 | (byte >> (7 - (self.position & 7)) & 1)
            self.position += 1
        return value

    def align(self) -> None:
        self.position = (self.position + 7) // 8 * 8

    def ue(self) -> int:
        zeros = 0
        while not self.read(1):
            zeros += 1
            assert zeros < 33, "broken Exp-Golomb code"
        return (1 << zeros) - 1 + self.read(zeros)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def prefix_code(self, codes: dict[str, str]) -> str:
        """Key of the one code that comes next."""
        start = self.position
        bits = ""
        by_code = {code: key for key, code in codes.items()}
        while bits not in by_code:
            bits += str(self.read(1))
            assert len(bits) < 20, f"no such code at bit {start}"
        return by_code[bits]

    def more_rbsp_data(self) -> bool:
        end = len(self.data.rstrip(b"\0"))
        last = self.data[end - 1]
        return self.position < end * 8 - 1 - ((last & -last).bit_length() - 1)


class Arithmetic:
    """9.3.1.2, 9.3.3.2: one bit at a time."""

    def __init__(self, bits: Bits, init_table: int, qp: int) -> None:
        self.bits = bits
        self.contexts = []
        for slope, offset in table("table_9_12_to_9_33_cabac_mn")[init_table]:
            pre = min(max(1, ((slope * min(max(0, qp), 51)) >> 4) + offset), 126)
            self.contexts.append([63 - pre, 0] if pre <= 63 else [pre - 64, 1])
        self.start()
        self.bins = 0

    def start(self) -> None:
        self.range, self.offset = 510, self.bits.read(9)

    def decision(self, ctx: int) -> int:
        self.bins += 1
        state, mps = self.contexts[ctx]
        lps_range = int(RANGE_TAB_LPS[state, self.range >> 6 & 3])
        self.range -= lps_range
        if self.offset >= self.range:
            value = 1 - mps
            self.offset -= self.range
            self.range = lps_range
            self.contexts[ctx] = [table("table_9_45_transIdxLPS")[state], 1 - mps if state == 0 else mps]
        else:
            value = mps
            self.contexts[ctx][0] = table("table_9_45_transIdxMPS")[state]
        while self.range < 256:
            self.range <<= 1
            self.offset = self.offset << 1 | self.bits.read(1)
        return value

    def bypass(self) -> int:
        self.bins += 1
        self.offset = self.offset << 1 | self.bits.read(1)
        if self.offset >= self.range:
            self.offset -= self.range
            return 1
        return 0

    def terminate(self) -> int:
        self.bins += 1
        self.range -= 2
        if self.offset >= self.range:
            return 1
        while self.range < 256:
            self.range <<= 1
            self.offset = self.offset << 1 | self.bits.read(1)
        return 0

    def exp_golomb(self, k: int) -> int:
        value = 0
        while self.bypass():
            value += 1 << k
            k += 1
            assert k < 32, "broken Exp-Golomb suffix"
        for shift in reversed(range(k)):
            value += self.bypass() << shift
        return value
