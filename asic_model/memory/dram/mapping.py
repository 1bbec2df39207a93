"""Address mapping: which channel, rank, bank group, bank, row and column a byte address stands in.

A mapping is an order of bit fields, from the top: Ro row, Ba bank, Bg bank group, Ra rank, Co column, Ch channel.
The lowest column bits stand below `Ch`, so that `interleave_bytes` consecutive bytes share a channel and a row.
"""

from typing import NamedTuple

import numpy as np

from asic_model.memory.timings import Timing

# From the top. RoBaRaCoCh, MOP4CLXOR and ChRaBaRoCo are Ramulator's, RoCoRaBaCh one of DRAMsim3's. Any other order of
# the six fields may be spelled out (`order_of`).
ORDERS = {
    "RoBaRaCoCh": ("Ro", "Ba", "Bg", "Ra", "Co", "Ch"),
    "RoRaBaCoCh": ("Ro", "Ra", "Ba", "Bg", "Co", "Ch"),
    "RoCoRaBaCh": ("Ro", "Co", "Ra", "Ba", "Bg", "Ch"),
    "ChRaBaRoCo": ("Ch", "Ra", "Bg", "Ba", "Ro", "Co"),  # of the comparison only; chips have one of the others
    "MOP4CLXOR": ("Ro", "Co", "Ba", "Bg", "Ra", "Ch"),
}
MOP_BURSTS = 4  # MOP4CLXOR: consecutive bursts that stay in one row


class Mapping(NamedTuple):
    """Shifts and masks of each field, in bits of a byte address."""

    burst_shift: int
    chunk_bytes: int  # aligned bytes that always share channel, bank and row
    low_bits: int  # column bits below the channel
    column_shift: int
    column_mask: int
    channel_shift: int
    channel_mask: int
    rank_shift: int
    rank_mask: int
    group_shift: int
    group_mask: int
    bank_shift: int
    bank_mask: int
    row_shift: int
    row_mask: int
    xor: int  # 1: rank, group, bank and row, in this order, are XORed with the column's bits from the lowest on
    rank_bits: int
    group_bits: int
    bank_bits: int


class Places(NamedTuple):
    """Where bursts stand, int64[n] each. Banks count over rank, bank group and bank of their channel."""

    channel: np.ndarray
    rank: np.ndarray
    group: np.ndarray  # counts over rank and bank group
    bank: np.ndarray
    row: np.ndarray
    column: np.ndarray  # in bursts


def order_of(name: str) -> tuple[str, ...] | None:
    """Fields from the top of an order that is named, or spelled like `rochrababgco`; None if it is neither.

    Bank groups that a spelling leaves out stand below the banks, as Ramulator's do.
    """
    if name in ORDERS:
        return ORDERS[name]
    fields = [name[at : at + 2].title() for at in range(0, len(name), 2)]
    if "Bg" not in fields and "Ba" in fields:
        fields.insert(fields.index("Ba") + 1, "Bg")
    return tuple(fields) if sorted(fields) == sorted(("Ro", "Co", "Ba", "Bg", "Ra", "Ch")) else None


def bits_of(count: int) -> int:
    """Bits that number `count` things; `count` is a power of two."""
    return count.bit_length() - 1


def mapping(name: str, timing: Timing, channels: int, ranks: int, interleave_bytes: int) -> Mapping:
    """Return the mapping called `name` (`order_of`) of a memory; channels, ranks and interleave are powers of two."""
    order = order_of(name)
    if order is None:
        raise ValueError(f"order: {name!r} is none of {', '.join(ORDERS)}, and does not spell Ro Co Ba Bg Ra Ch")
    burst_shift = bits_of(timing.burst_bytes)
    low_bytes = MOP_BURSTS * timing.burst_bytes if name == "MOP4CLXOR" else interleave_bytes
    low_bits = bits_of(low_bytes) - burst_shift
    widths = {
        "Ch": bits_of(channels),
        "Ra": bits_of(ranks),
        "Bg": bits_of(timing.bank_groups),
        "Ba": bits_of(timing.banks),
        "Co": bits_of(timing.row_bytes) - burst_shift - low_bits,
        "Ro": bits_of(timing.rows),
    }
    shifts = {}
    at = burst_shift + low_bits
    for field in reversed(order):
        shifts[field] = at
        at += widths[field]
    whole_row = next(field for field in reversed(order) if widths[field]) == "Co"  # nothing stands among its bytes
    xor = name == "MOP4CLXOR"
    chunk_bytes = timing.burst_bytes if xor else timing.row_bytes if whole_row else low_bytes
    masks = {field: (1 << width) - 1 for field, width in widths.items()}
    return Mapping(
        burst_shift=burst_shift,
        chunk_bytes=chunk_bytes,
        low_bits=low_bits,
        column_shift=shifts["Co"],
        column_mask=masks["Co"],
        channel_shift=shifts["Ch"],
        channel_mask=masks["Ch"],
        rank_shift=shifts["Ra"],
        rank_mask=masks["Ra"],
        group_shift=shifts["Bg"],
        group_mask=masks["Bg"],
        bank_shift=shifts["Ba"],
        bank_mask=masks["Ba"],
        row_shift=shifts["Ro"],
        row_mask=masks["Ro"],
        xor=int(xor),
        rank_bits=widths["Ra"],
        group_bits=widths["Bg"],
        bank_bits=widths["Ba"],
    )


def places(m: Mapping, addresses: np.ndarray) -> Places:
    """Return where each of `addresses` (int64[n], bytes) stands. Beyond the memory the top row bit wraps."""
    low = (addresses >> m.burst_shift) & ((1 << m.low_bits) - 1)
    column = (((addresses >> m.column_shift) & m.column_mask) << m.low_bits) | low
    rank = (addresses >> m.rank_shift) & m.rank_mask
    group = (addresses >> m.group_shift) & m.group_mask
    bank = (addresses >> m.bank_shift) & m.bank_mask
    if m.xor:
        rank = rank ^ (column & m.rank_mask)
        group = group ^ ((column >> m.rank_bits) & m.group_mask)
        bank = bank ^ ((column >> (m.rank_bits + m.group_bits)) & m.bank_mask)
    row = (addresses >> m.row_shift) & m.row_mask
    if m.xor:
        row = row ^ (column >> (m.rank_bits + m.group_bits + m.bank_bits))
    group = group | (rank << m.group_bits)
    bank = bank | (group << m.bank_bits)
    return Places((addresses >> m.channel_shift) & m.channel_mask, rank, group, bank, row, column)
