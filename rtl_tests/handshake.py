"""Drives and samples valid/ready ports: one loop a bench, falling edge, random bubbles and back-pressure.

A port that has offered keeps its offer until it is taken. `Source` and `Sink` name a port by prefix: `in_` has
`in_valid_i`, `in_ready_o` and fields `in_<field>_i`, or for a field named "" just `in_i`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadWrite, Timer

Fields = dict[str, int]


def pack(values: Any, width: int) -> int:
    """Entries of `width` bits, entry 0 lowest, as one integer."""
    word, mask = 0, (1 << width) - 1
    for i, value in enumerate(values):
        word |= (int(value) & mask) << (width * i)
    return word


def unpack(word: int, width: int, count: int, signed: bool) -> list[int]:
    """The reverse of `pack`."""
    values = [(word >> (width * i)) & ((1 << width) - 1) for i in range(count)]
    return [value - (1 << width) if signed and value >> (width - 1) else value for value in values]


def pack_record(fields: Sequence[tuple[int, int]]) -> int:
    """A packed struct: (value, width) from the highest field to the lowest."""
    word = 0
    for value, width in fields:
        word = word << width | (int(value) & ((1 << width) - 1))
    return word


class Source:
    """Offers `items` (fields by name) in order; `taken_at[i]` is the cycle in which item i was taken."""

    def __init__(self, dut: Any, prefix: str, items: Sequence[Fields], pause: float = 0.0):
        self.valid = getattr(dut, f"{prefix}_valid_i")
        self.ready = getattr(dut, f"{prefix}_ready_o")
        names = items[0].keys() if items else ()
        self.ports = {name: getattr(dut, f"{prefix}_{name}_i" if name else f"{prefix}_i") for name in names}
        self.items, self.pause = items, pause
        self.next, self.offered = 0, False
        self.taken_at: list[int] = []
        self.waited = 0  # cycles of the item on offer without an answer
        self.waits: list[int] = []  # of each item that was taken
        self.valid.value = 0

    @property
    def done(self) -> bool:
        return self.next == len(self.items)

    def drive(self, rng: np.random.Generator) -> None:
        if self.offered or self.next == len(self.items):
            return
        if self.pause and rng.random() < self.pause:
            return
        for name, value in self.items[self.next].items():
            self.ports[name].value = value
        self.valid.value = 1
        self.offered = True

    def sample(self, cycle: int) -> None:
        if not self.offered:
            return
        if int(self.ready.value):
            self.taken_at.append(cycle)
            self.waits.append(self.waited)
            self.next += 1
            self.offered = False
            self.waited = 0
        else:
            self.waited += 1

    def settle(self) -> None:
        """After a clock edge: withdraw valid if nothing more is offered."""
        if not self.offered:
            self.valid.value = 0


class Sink:
    """Takes items; `take(fields)` is called for each, `given_at[i]` is the cycle of item i."""

    def __init__(self, dut: Any, prefix: str, names: Sequence[str], take: Callable[[Fields], None], pause: float = 0.0):
        self.valid = getattr(dut, f"{prefix}_valid_o")
        self.ready = getattr(dut, f"{prefix}_ready_i")
        self.ports = {name: getattr(dut, f"{prefix}_{name}_o" if name else f"{prefix}_o") for name in names}
        self.take, self.pause = take, pause
        self.given_at: list[int] = []
        self.accepting = True
        self.ready.value = 1

    def drive(self, rng: np.random.Generator) -> None:
        if self.pause:
            accepting = rng.random() >= self.pause
            if accepting != self.accepting:
                self.accepting = accepting
                self.ready.value = int(accepting)

    def sample(self, cycle: int) -> None:
        if self.accepting and int(self.valid.value):
            self.given_at.append(cycle)
            self.take({name: int(port.value) for name, port in self.ports.items()})


class Bench:
    """Clock, reset and the loop. `rng` follows cocotb's seed."""

    def __init__(self, dut: Any):
        self.dut = dut
        self.rng = np.random.default_rng(cocotb.RANDOM_SEED)
        self.cycle = 0

    async def reset(self, idle: Sequence[str] = ()) -> None:
        """Start the clock and reset; `idle` names the inputs that must be 0 meanwhile."""
        dut = self.dut
        dut.rst_n.value = 0
        for name in idle:
            getattr(dut, name).value = 0
        await Timer(1, "ns")  # inputs are random before: no edge may see them out of reset
        cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
        await ClockCycles(dut.clk, 3)
        await FallingEdge(dut.clk)
        dut.rst_n.value = 1

    async def run(
        self,
        sources: Sequence[Source],
        sinks: Sequence[Sink],
        until: Callable[[], bool],
        limit: int,
        watch: Sequence[tuple[Any, list[int]]] = (),
    ) -> None:
        """Step cycles until `until()`; raise AssertionError after `limit` cycles.

        watch : (one-bit output, list that gets the cycles in which it was 1)
        """
        clk, rng = self.dut.clk, self.rng
        begin = self.cycle
        while not until():
            await FallingEdge(clk)
            for source in sources:
                source.settle()
                source.drive(rng)
            for sink in sinks:
                sink.drive(rng)
            await ReadWrite()
            for source in sources:
                source.sample(self.cycle)
            for sink in sinks:
                sink.sample(self.cycle)
            for port, cycles in watch:
                if int(port.value):
                    cycles.append(self.cycle)
            self.cycle += 1
            assert self.cycle - begin < limit, (
                f"no progress after {limit} cycles: {[source.next for source in sources]} items in; {rerun()}"
            )
        await FallingEdge(clk)  # the last transfers happen
        for source in sources:
            source.settle()


def rerun() -> str:
    return f"rerun with COCOTB_RANDOM_SEED={cocotb.RANDOM_SEED}"
