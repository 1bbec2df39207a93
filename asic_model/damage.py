"""What faults do to device memory and to what cores put out (`faults.py` says which there are and when they strike).

A word with an error that ECC cannot correct stays so until it is written whole; a job that reads it fails.
"""

from dataclasses import replace

import numpy as np

from asic_model.bus import FIRMWARE_AREA_BYTES, Bus
from asic_model.cores.result import CoreResult
from asic_model.descriptors import Status
from asic_model.executor import Executor
from asic_model.faults import ECC_WORD_BYTES, Fault, Faults
from asic_model.registers import map as regs
from asic_model.ticket import Ticket, failed_result


class Damage:
    """The damage in one chip."""

    def __init__(self, memory: np.ndarray, executor: Executor, bus: Bus, faults: Faults) -> None:
        self._memory = memory
        self._executor = executor
        self._bus = bus
        self._faults = faults
        self._poisoned: dict[int, int] = {}  # words with errors that ECC cannot correct: address, mask

    def outcome(self, ticket: Ticket, faults: tuple[Fault, ...]) -> CoreResult | None:
        """What the core does in place of the job's own result, None when it does just that."""
        read = [area for area in ticket.areas if not area.write]
        for address in self._poisoned:
            if any(area.address <= address < area.address + area.size_bytes for area in read):
                self._bus.count_up(regs.ECC_UNCORRECTED)
                return failed_result(Status.MEMORY_ERROR, address // 64 & 0xFFFFFFFF)
        found: CoreResult | None = None
        for fault in faults:
            if fault.kind == "slow_core":
                found = found or ticket.result()
                found = replace(found, cycles=found.cycles * fault.factor)
            elif fault.kind == "engine_hang":
                found = found or ticket.result()
                units = max(1, min(fault.macroblock, len(found.cycles)))
                requests = found.requests[found.requests["unit"] < units]
                found = replace(found, cycles=found.cycles[:units], requests=requests)
        for area in ticket.areas:
            if area.write:
                self.heal(area.address, area.size_bytes)
        return found

    def spoil(self, ticket: Ticket, result: CoreResult) -> None:
        """Change one byte of what the job put out; jobs that start from now on read it so."""
        written = [area for area in ticket.areas if area.write]
        out = next((area for area in written if area.field == "out_address"), written[0] if written else None)
        if out is not None:
            place = out.address + (result.output_bytes or out.size_bytes) // 2
            self._executor.settle_started(place)
            self._memory[place] ^= 0x10

    def heal(self, address: int, size: int) -> None:
        """A write covers words with errors."""
        if self._poisoned:
            for word in [one for one in self._poisoned if address <= one and one + ECC_WORD_BYTES <= address + size]:
                self._flip(word, self._poisoned.pop(word))

    def flip_bits(self, fault: Fault) -> None:
        """A fault of kind bit_flip strikes a word of device memory."""
        address = fault.address // ECC_WORD_BYTES * ECC_WORD_BYTES
        if not FIRMWARE_AREA_BYTES <= address < self._memory.size:
            return
        if self._faults.ecc and fault.bits == 1:
            self._bus.count_up(regs.ECC_CORRECTED)
            return
        mask = 0x01 if fault.bits == 1 else 0x81
        self._flip(address, mask)
        if self._faults.ecc:
            self._poisoned[address] = mask

    def _flip(self, address: int, mask: int) -> None:
        """Turn bits of a byte over. Jobs that are known already read the byte as it was."""
        self._executor.settle(address, 1, True)
        self._memory[address] ^= mask

    @property
    def any_words(self) -> bool:
        """Whether any word has an error that is not corrected."""
        return bool(self._poisoned)
