"""Reading and writing of syntax elements (H.264 7.2, 9.1), with every range checked in both directions.

`BitReader` and `BitWriter` share one interface, so a syntax structure is described once and the same function
parses and writes it: each method takes the element's name, its value (ignored by the reader) and its legal range,
and returns the value. `SyntaxFault` names the element, the value and the range.
"""

from typing import Protocol

MAX_UE = (1 << 32) - 2  # 7.4: ue(v) 0..2^32 - 2
MIN_SE, MAX_SE = -(1 << 31) + 1, (1 << 31) - 1


class SyntaxFault(ValueError):
    """A syntax element is outside its legal range, or the data ends inside it.

    field, value, allowed : what the message is made of; `value` is None where the data ended
    """

    def __init__(self, field: str, value: int | None, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(f"{field}: {'missing' if value is None else value}, allowed: {allowed}")


def check(field: str, value: int, low: int, high: int) -> int:
    """Return `value`, or raise SyntaxFault when it is not in low..high."""
    if not low <= value <= high:
        raise SyntaxFault(field, value, f"{low}..{high}" if low != high else str(low))
    return value


class BitCoder(Protocol):
    """What BitReader and BitWriter have in common."""

    reading: bool

    def u(self, field: str, bits: int, value: int, low: int = 0, high: int | None = None) -> int:
        """Unsigned integer of `bits` bits."""

    def flag(self, field: str, value: bool) -> bool:
        """One bit."""

    def ue(self, field: str, value: int, low: int = 0, high: int = MAX_UE) -> int:
        """Unsigned Exp-Golomb code (9.1)."""

    def se(self, field: str, value: int, low: int = MIN_SE, high: int = MAX_SE) -> int:
        """Signed Exp-Golomb code (9.1.1)."""


class BitReader:
    """Reads an RBSP (emulation prevention already removed) from its first bit on."""

    reading = True

    def __init__(self, data: bytes | bytearray | memoryview, position: int = 0) -> None:
        self.data = bytes(data)
        self.position = position  # in bits
        self.size = len(self.data) * 8

    def bits(self, field: str, count: int) -> int:
        """Return the next `count` bits as an unsigned integer."""
        if count == 0:
            return 0
        end = self.position + count
        if end > self.size:
            raise SyntaxFault(field, None, f"{count} more bits")
        last = (end + 7) >> 3
        window = int.from_bytes(self.data[self.position >> 3 : last], "big") >> (last * 8 - end)
        self.position = end
        return window & ((1 << count) - 1)

    def u(self, field: str, bits: int, value: int = 0, low: int = 0, high: int | None = None) -> int:
        return check(field, self.bits(field, bits), low, (1 << bits) - 1 if high is None else high)

    def flag(self, field: str, value: bool = False) -> bool:
        return bool(self.bits(field, 1))

    def _code_num(self, field: str) -> int:
        first = self.position >> 3
        window = self.data[first : first + 9]  # the longest code has 63 bits
        left = 8 * len(window) - (self.position & 7)
        value = int.from_bytes(window, "big") & ((1 << max(left, 0)) - 1)
        zeros = left - value.bit_length()
        if zeros > 31:
            raise SyntaxFault(field, None, "an Exp-Golomb code of at most 31 leading zeros")
        if not value or 2 * zeros + 1 > left:
            raise SyntaxFault(field, None, "more bits")
        self.position += 2 * zeros + 1
        return (value >> (left - 2 * zeros - 1)) - 1

    def ue(self, field: str, value: int = 0, low: int = 0, high: int = MAX_UE) -> int:
        return check(field, self._code_num(field), low, high)

    def se(self, field: str, value: int = 0, low: int = MIN_SE, high: int = MAX_SE) -> int:
        code = self._code_num(field)
        return check(field, (code + 1) >> 1 if code & 1 else -(code >> 1), low, high)

    def more_rbsp_data(self) -> bool:
        """Whether anything stands before the RBSP trailing bits (7.2)."""
        end = len(self.data.rstrip(b"\0"))
        if end == 0:
            return False
        last = self.data[end - 1]
        stop_bit = end * 8 - 1 - ((last & -last).bit_length() - 1)
        return self.position < stop_bit


class BitWriter:
    """Collects bits, most significant first."""

    reading = False

    def __init__(self) -> None:
        self._value = 0
        self.position = 0  # in bits

    def bits(self, value: int, count: int) -> None:
        """Append the `count` low bits of `value`."""
        self._value = (self._value << count) | (value & ((1 << count) - 1))
        self.position += count

    def u(self, field: str, bits: int, value: int, low: int = 0, high: int | None = None) -> int:
        check(field, value, low, (1 << bits) - 1 if high is None else high)
        self.bits(value, bits)
        return value

    def flag(self, field: str, value: bool) -> bool:
        self.bits(int(value), 1)
        return value

    def ue(self, field: str, value: int, low: int = 0, high: int = MAX_UE) -> int:
        check(field, value, low, high)
        self.bits(value + 1, 2 * (value + 1).bit_length() - 1)
        return value

    def se(self, field: str, value: int, low: int = MIN_SE, high: int = MAX_SE) -> int:
        check(field, value, low, high)
        code = 2 * value - 1 if value > 0 else -2 * value
        self.bits(code + 1, 2 * (code + 1).bit_length() - 1)
        return value

    def trailing_bits(self) -> None:
        """rbsp_trailing_bits (7.3.2.11): a one, then zeros up to the byte."""
        self.bits(1, 1)
        self.bits(0, -self.position % 8)

    def data(self) -> bytes:
        """Return the bits so far, zero-filled up to the byte."""
        fill = -self.position % 8
        return (self._value << fill).to_bytes((self.position + fill) // 8, "big")
