"""Small programs for the control processor, put together word by word: what a bench wants the firmware's side to do."""

from asic_model.mcu import MMIO_BASE

# x1: address, x2: value, x3: where the next result goes
ADDRESS, VALUE, RESULT = 1, 2, 3
RESULTS = 0x8000  # results begin here in the processor's memory
TRAPS = {  # what stops the processor, by name: instruction words
    "illegal": (0xFFFFFFFF,),
    "breakpoint": (0x00100073,),
    "call": (0x00000073,),
    "load_misaligned": (0x00102083,),  # lw x1, 1(x0)
    "store_misaligned": (0x00002123 | 0 << 20,),  # sw x0, 2(x0)
    "half_misaligned": (0x00101083,),  # lh x1, 1(x0)
}


class Program:
    """Words of a program that runs from address 0; each read leaves a word of results."""

    def __init__(self) -> None:
        self.words: list[int] = []
        self.results = 0
        self._load(RESULT, RESULTS)

    def _load(self, register: int, value: int) -> None:
        """Two instructions, whatever the value is: lui, addi."""
        low = value & 0xFFF
        high = (value - (low - 0x1000 if low & 0x800 else low)) & 0xFFFFFFFF
        self.words += [high | register << 7 | 0x37, low << 20 | register << 15 | register << 7 | 0x13]

    def write(self, address: int, value: int) -> None:
        """A register of the chip."""
        self._load(ADDRESS, MMIO_BASE + address)
        self._load(VALUE, value)
        self.words.append(VALUE << 20 | ADDRESS << 15 | 2 << 12 | 0x23)

    def read(self, address: int) -> int:
        """Read a register into the results; return its number among them."""
        self._load(ADDRESS, MMIO_BASE + address)
        self.words.append(ADDRESS << 15 | 2 << 12 | VALUE << 7 | 0x03)
        self.words.append(VALUE << 20 | RESULT << 15 | 2 << 12 | 0x23)
        self.words.append(4 << 20 | RESULT << 15 | RESULT << 7 | 0x13)
        self.results += 1
        return self.results - 1

    def load(self, address: int) -> None:
        """Read from anywhere."""
        self._load(ADDRESS, address)
        self.words.append(ADDRESS << 15 | 2 << 12 | VALUE << 7 | 0x03)

    def store(self, address: int, size_log2: int = 2) -> None:
        """Write x2 anywhere."""
        self._load(ADDRESS, address)
        self.words.append(VALUE << 20 | ADDRESS << 15 | size_log2 << 12 | 0x23)

    def jump(self, address: int) -> None:
        self._load(ADDRESS, address)
        self.words.append(ADDRESS << 15 | 0x67)

    def stop(self) -> bytes:
        """End in a loop; return the image."""
        self.words.append(0x6F)
        return self.image()

    def image(self) -> bytes:
        return b"".join(word.to_bytes(4, "little") for word in self.words)
