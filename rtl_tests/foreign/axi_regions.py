"""Fields in the bytes of an AXI memory: where they are put before start, and how they are read back after done."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from rtl_tests.foreign import expressions
from rtl_tests.foreign.axi_agents import RULES
from rtl_tests.foreign.description import Adapter
from rtl_tests.foreign.layout import mask, order_of
from rtl_tests.foreign.memories import Region
from rtl_tests.foreign.sources import AdapterFault
from rtl_tests.foreign.transactions import Vector


def regions(adapter: Adapter, direction: str) -> Iterator[tuple[str, int, str, Region]]:
    """(memory, number of the region among those of its direction, label, region)."""
    for name, memory in adapter.axi.items():
        chosen = [(label, region) for label, region in memory.regions.items() if region.direction == direction]
        for number, (label, region) in enumerate(chosen):
            yield name, number, label, region


def _rows(region: Region, shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Indices into the raveled field in the order of memory, and elements of a row that `stride` counts for."""
    order = order_of(region.order, shape, region.tile, region.inside)
    return order, shape[1] if len(shape) == 2 and region.tile is None and region.order == "raster" else len(order)


def _size(region: Region, shape: tuple[int, ...]) -> int:
    """Bytes from the first to the last."""
    order, row = _rows(region, shape)
    each = region.width // 8
    return (len(order) // row - 1) * (region.stride or row * each) + row * each


def pack(region: Region, field: np.ndarray, where: str) -> list[tuple[int, bytes]]:
    """(offset, bytes) of each piece. Raises AdapterFault for a value that `width` cannot hold, a stride too small."""
    order, row = _rows(region, field.shape)
    each = region.width // 8
    values = [mask(int(value), region.width, where) for value in field.ravel()[order]]
    data = b"".join(value.to_bytes(each, region.endian) for value in values)
    if region.stride is None:
        return [(0, data)]
    if region.stride < row * each:
        raise AdapterFault(f"{where}.stride: a row has {row * each} bytes, {region.stride} is less")
    return [(n * region.stride, data[n * row * each : (n + 1) * row * each]) for n in range(len(order) // row)]


def unpack(region: Region, data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """int64 field of `shape` from the bytes of its region."""
    order, row = _rows(region, shape)
    each = region.width // 8
    stride = region.stride or row * each
    found = np.zeros(len(order), np.int64)
    for n, index in enumerate(order):
        at = n // row * stride + n % row * each
        found[index] = int.from_bytes(data[at : at + each], region.endian, signed=region.signed)
    return found.reshape(shape)


def bits(region: Region, data: bytes) -> str:
    """Bits of a stream, first bit first."""
    if region.swap > 1:
        data = data.ljust(-(-len(data) // region.swap) * region.swap, b"\0")
        data = b"".join(data[n : n + region.swap][::-1] for n in range(0, len(data), region.swap))
    return "".join(f"{byte:08b}" for byte in data)


def address_of(adapter: Adapter, name: str, label: str, region: Region, fields: dict[str, int], size: int) -> int:
    """Offset of a region in its memory. Raises AdapterFault where it does not fit."""
    memory = adapter.axi[name]
    address = expressions.evaluate(region.address, fields)
    if not memory.base <= address <= memory.base + memory.size - size:
        raise AdapterFault(
            f"axi.{name}.regions.{label}.address: {size} bytes at {address} do not fit; the memory has "
            f"{memory.base}..{memory.base + memory.size - 1} (base, size)"
        )
    return address - memory.base


def image(adapter: Adapter, name: str, vector: Vector, fields: dict[str, int], shapes: dict[str, Any]) -> str:
    """What one transaction is given in a memory: pieces of 16 bytes, -1, then address and bytes of each answer."""
    lines = []
    for owner, _, label, region in regions(adapter, "in"):
        if owner != name:
            continue
        field = vector.fields[region.field]
        where = f"axi.{name}.regions.{label}"
        if isinstance(field, str):
            text = field.ljust(-(-len(field) // (8 * region.swap)) * 8 * region.swap, "0")
            data = int(text, 2).to_bytes(len(text) // 8, "big") if text else b""
            whole = bits(region, data)
            pieces = [(0, int(whole, 2).to_bytes(len(whole) // 8, "big") if whole else b"")]
        else:
            array = field if isinstance(field, np.ndarray) else np.array([field])
            pieces = pack(region, array, where)
        begin = address_of(adapter, name, label, region, fields, max(at + len(data) for at, data in pieces))
        for at, data in pieces:
            for n in range(0, len(data), 16):
                # The rest goes byte by byte, not to clear what stands behind it.
                chunk = data[n : n + 16]
                if len(chunk) == 16:
                    lines.append(f"{begin + at + n}\n{chunk.hex()}\n")
                else:
                    lines += [f"{-2 - (begin + at + n + k)}\n{byte:02x}\n" for k, byte in enumerate(chunk)]
    lines.append("-1\n")
    for owner, _, label, region in regions(adapter, "out"):
        if owner == name:
            size = region.room if region.field == "bits" else _size(region, shapes[region.field])
            lines.append(f"{address_of(adapter, name, label, region, fields, size)} {size}\n")
    return "".join(lines)


def broken(adapter: Adapter, line: tuple[int, int, int, int]) -> str:
    """A broken rule in words."""
    number, transaction, rule, address = line
    name = list(adapter.axi)[number]
    memory = adapter.axi[name]
    what = f"axi memory {name}, transaction {transaction}: {RULES[rule]}, address {address:#x}"
    return f"{what} (it has {memory.base:#x}..{memory.base + memory.size - 1:#x})" if rule in (1, 2) else what
