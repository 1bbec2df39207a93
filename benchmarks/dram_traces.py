"""Memory traces of published simulators, and the configurations that they were played on, in their own words.

    addresses, is_write = read(Path("mix4_64.ram.gz"))
    timing = with_figures(STANDARDS["DDR4-3200"], ["nRCD=24", "nRP=24"])

Formats, told apart line by line; blank lines and comments (#) are skipped, `.gz` is unpacked:

    LD 0x12345678             Ramulator 2, load/store traces (ST: a store); decimal addresses too
    0x12345678 READ 120       DRAMsim3 (WRITE: a write); the cycle is ignored, requests come as fast as they are taken
    0x12345678 R              Ramulator 1 (W: a write)
"""

import gzip
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from asic_model.memory.timings import Timing

KINDS = {"LD": 0, "ST": 1, "READ": 0, "WRITE": 1, "R": 0, "W": 1}


class TraceError(ValueError):
    """A trace or a configuration cannot be used; the message names place, value and what is allowed."""


def read(path: Path, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return (addresses int64[n], is_write uint8[n]) of a trace, its first `limit` transactions."""
    addresses: list[int] = []
    writes: list[int] = []
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
            for number, line in enumerate(stream, 1):
                words = line.split()
                if not words or words[0].startswith("#"):
                    continue
                if limit is not None and len(addresses) >= limit:
                    break
                kind, address = _transaction(words)
                if kind is None or address is None:
                    raise TraceError(
                        f"{path}: line {number}: {line.strip()[:60]!r} is no transaction; "
                        "write `LD 0x40`, `0x40 READ 7` or `0x40 R`"
                    )
                addresses.append(address)
                writes.append(kind)
    except (OSError, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not addresses:
        raise TraceError(f"{path}: has no transactions")
    return np.array(addresses, np.int64), np.array(writes, np.uint8)


def _transaction(words: list[str]) -> tuple[int | None, int | None]:
    """(1 for a write, address) of one line; None where it has none."""
    if len(words) < 2:
        return None, None
    kind, text = (words[0], words[1]) if words[0].upper() in KINDS else (words[1], words[0])
    try:
        address = int(text, 0)
    except ValueError:
        return None, None
    return KINDS.get(kind.upper()), address if 0 <= address < 1 << 62 else None


def bursts(
    addresses: np.ndarray, is_write: np.ndarray, transaction_bytes: int, burst_bytes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Divide transactions into whole bursts."""
    each = max(1, transaction_bytes // burst_bytes)
    first = addresses // burst_bytes * burst_bytes
    return (first[:, None] + burst_bytes * np.arange(each)).ravel(), np.repeat(is_write, each)


def with_figures(timing: Timing, figures: Iterable[str]) -> Timing:
    """`timing` with some figures replaced, each written `nRCD=24`; nRC follows from nRAS and nRP unless given."""
    changes: dict[str, int] = {}
    for text in figures:
        name, _, value = text.partition("=")
        if name not in timing._fields or name in ("name", "source"):
            raise TraceError(f"--timing {text}: {name!r} is no figure; one of {', '.join(timing._fields[1:-1])}")
        if not value.isdecimal():
            raise TraceError(f"--timing {text}: {value!r} is not a whole number")
        changes[name] = int(value)
    made = timing._replace(**changes)  # type: ignore[arg-type]
    return made if "nRC" in changes else made._replace(nRC=made.nRAS + made.nRP)
