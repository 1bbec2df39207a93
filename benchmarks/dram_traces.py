"""Memory traces of published simulators, and the configurations that they were played on, in their own words.

    trace = read(Path("mix4_64.ram.gz"))
    timing = with_figures(STANDARDS["DDR4-3200"], ["nRCD=24", "nRP=24"])

Formats, told apart line by line, words in either case, commas as good as blanks; blank lines and what follows `#`, `//`
or `;` are skipped, `.gz` is unpacked:

    LD 0x12345678             Ramulator 2, load/store traces (ST: a store)
    0x12345678 READ 120       DRAMsim3 (WRITE: a write) and DRAMSim2 (P_MEM_RD, P_FETCH, P_MEM_WR, BOFF); the clock
    0x12345678 R              Ramulator 1 (W: a write)
    12 0x12345678 0x2345      Ramulator's instruction traces: instructions before it, address read, address written

An address with 0x, or with a letter in it, is hexadecimal. One without is decimal as Ramulator has it, and hexadecimal
in lines with a clock, as DRAMsim3 has it. The clock counts with `timed`, else requests come as fast as they are taken.
"""

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asic_model.memory.timings import Timing

READS = ("LD", "READ", "R", "P_MEM_RD", "P_FETCH", "P_IO_RD", "P_LOCK_RD", "IFETCH")
WRITES = ("ST", "WRITE", "W", "P_MEM_WR", "P_IO_WR", "P_LOCK_WR", "BOFF")
KINDS = dict.fromkeys(READS, 0) | dict.fromkeys(WRITES, 1)
MOST_CLOCK = 1 << 60
POWERS_OF_TWO = ("burst_bytes", "bank_groups", "banks", "row_bytes", "rows")
MAY_BE_ZERO = ("nRTW", "nCS", "nAAD")
MOST_CLOCKS = 1 << 16
MOST_SIZE = 1 << 30


class Trace(NamedTuple):
    """What a trace asks for."""

    addresses: np.ndarray  # int64[n], bytes
    is_write: np.ndarray  # uint8[n]
    clock: np.ndarray  # int64[n]: when each comes, where its lines say so; else 0


class TraceError(ValueError):
    """A trace or a configuration cannot be used; the message names place, value and what is allowed."""


def read(path: Path, limit: int | None = None) -> Trace:
    """Return a trace, its first `limit` transactions."""
    found: list[tuple[int, int, int]] = []
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
            for number, line in enumerate(stream, 1):
                words = _words(line)
                if not words:
                    continue
                if limit is not None and len(found) >= limit:
                    break
                try:
                    found += _transactions(words)
                except ValueError as error:
                    raise TraceError(
                        f"{path}: line {number}: {line.strip()[:60]!r} is no transaction: {error}; "
                        "write `LD 0x40`, `0x40 READ 7` or `0x40 R`"
                    ) from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not found:
        raise TraceError(f"{path}: has no transactions")
    table = np.array(found[:limit], np.int64)
    return Trace(table[:, 0].copy(), table[:, 1].astype(np.uint8), table[:, 2].copy())


def _words(line: str) -> list[str]:
    """What a line says, comments aside."""
    for mark in ("#", "//", ";"):
        line = line.partition(mark)[0]
    return line.replace(",", " ").split()


def _transactions(words: list[str]) -> list[tuple[int, int, int]]:
    """(address, 1 for a write, clock) of each transaction of one line. Raises ValueError: what is wrong with it."""
    if words[0].upper() in KINDS:
        if len(words) != 2:
            raise ValueError(f"{len(words) - 1} words behind {words[0]}, one address expected")
        return [(_address(words[1]), KINDS[words[0].upper()], 0)]
    if len(words) < 2:
        raise ValueError("one word alone")
    kind = words[1].upper()
    if kind in KINDS:
        if len(words) > 3:
            raise ValueError(f"{words[3]!r} behind the clock")
        if len(words) == 2:
            return [(_address(words[0]), KINDS[kind], 0)]
        if not words[2].isdecimal() or int(words[2]) > MOST_CLOCK:
            raise ValueError(f"{words[2]!r} is no clock")
        return [(_address(words[0], 16), KINDS[kind], int(words[2]))]
    if words[0].isdecimal() and len(words) <= 3 and words[1][0].isdigit():
        return [(_address(word), write, 0) for write, word in enumerate(words[1:])]
    raise ValueError(f"{words[1]!r} is none of {', '.join(KINDS)}")


def _address(word: str, base: int = 10) -> int:
    text = word.lower().removeprefix("0x")
    if text != word.lower() or not text.isdecimal():
        base = 16
    if not text or not all(letter in "0123456789abcdef" for letter in text):
        raise ValueError(f"{word!r} is no address")
    value = int(text, base)
    if value >= 1 << 62:
        raise ValueError(f"address {word} is beyond 62 bits")
    return value


def bursts(trace: Trace, transaction_bytes: int, burst_bytes: int) -> Trace:
    """Divide transactions into whole bursts."""
    each = max(1, transaction_bytes // burst_bytes)
    first = trace.addresses // burst_bytes * burst_bytes
    addresses = (first[:, None] + burst_bytes * np.arange(each)).ravel()
    return Trace(addresses, np.repeat(trace.is_write, each), np.repeat(trace.clock, each))


def with_figures(timing: Timing, figures: Iterable[str]) -> Timing:
    """`timing` with some figures replaced, each written `nRCD=24`; nRC follows from nRAS and nRP unless given."""
    changes: dict[str, int] = {}
    for text in figures:
        name, _, value = text.partition("=")
        if name not in timing._fields or name in ("name", "source"):
            raise TraceError(f"--timing {text}: {name!r} is no figure; one of {', '.join(timing._fields[1:-1])}")
        if not value.isdecimal():
            raise TraceError(f"--timing {text}: {value!r} is not a whole number")
        least, most = int(name not in MAY_BE_ZERO), MOST_CLOCKS if name.startswith("n") else MOST_SIZE
        if not least <= int(value) <= most:
            raise TraceError(f"--timing {text}: {value} is not in {least}..{most}")
        if name in POWERS_OF_TWO and int(value) & (int(value) - 1):
            raise TraceError(f"--timing {text}: {value} is not a power of two")
        changes[name] = int(value)
    made = timing._replace(**changes)  # type: ignore[arg-type]
    if made.burst_bytes > made.row_bytes:
        raise TraceError(f"--timing: burst_bytes {made.burst_bytes} is beyond row_bytes {made.row_bytes}")
    return made if "nRC" in changes else made._replace(nRC=made.nRAS + made.nRP)
