"""Elements of a field on the lanes of beats: packing for the way in, the reverse for the way out.

A *lane* is one element's place in a beat: lanes are counted over the stream's ports in the order given. A packed port's
lane 0 stands in its low bits, unless its range ascends or the adapter says `first: high`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rtl_tests.foreign.description import Stream
from rtl_tests.foreign.sources import AdapterFault, Port


def order_of(name: str, shape: tuple[int, ...], zigzag: np.ndarray | None = None) -> np.ndarray:
    """Indices into the raveled field, in the order in which its elements go over the ports."""
    count = int(np.prod(shape))
    if name == "raster" or len(shape) != 2:
        if name == "transposed":
            raise AdapterFault(f"order: transposed needs a field with rows and columns, this one has {count} elements")
        return np.arange(count)
    raster = np.arange(count).reshape(shape)
    if name == "transposed":
        return raster.T.ravel()
    scan = zigzag_scan(shape)
    return scan if name == "zigzag" else np.argsort(scan)


def zigzag_scan(shape: tuple[int, ...]) -> np.ndarray:
    """Raster indices in zig-zag order (figure 8-8 of H.264 for 4x4 and 8x8), first step to the right."""
    rows, columns = shape
    found = []
    for line in range(rows + columns - 1):
        cells = [(y, line - y) for y in range(rows) if 0 <= line - y < columns]
        found += cells if line % 2 else cells[::-1]
    return np.array([y * columns + x for y, x in found])


@dataclass(frozen=True)
class Lane:
    """Bits of a beat that one element takes."""

    offset: int
    width: int


class Layout:
    """The lanes of one stream. A beat is an integer: the ports concatenated, the first in the lowest bits."""

    def __init__(self, name: str, stream: Stream, ports: list[Port]) -> None:
        self.name, self.stream, self.ports = name, stream, ports
        self.width = sum(port.width for port in ports)
        self.lanes: list[Lane] = []
        offset = 0
        for port in ports:
            element = stream.width or (port.width // port.entries if port.entries else port.width)
            if port.width % element:
                raise AdapterFault(
                    f"{name}.width: port {port.name} has {port.width} bits, not a multiple of {element}; "
                    f"allowed: {', '.join(str(n) for n in range(1, port.width + 1) if port.width % n == 0)}"
                )
            count = port.width // element
            lanes = [Lane(offset + n * element, element) for n in range(count)]
            # The wrapper hands unpacked arrays over with their first index lowest.
            falling = stream.first == "high" or (stream.first is None and port.ascending and not port.entries)
            self.lanes += lanes[::-1] if falling else lanes
            offset += port.width
        self.signed = ports[0].signed if stream.signed is None else stream.signed

    def per_beat(self, size: int) -> int:
        chosen = self.stream.per_beat
        if isinstance(chosen, dict):
            if size not in chosen:
                raise AdapterFault(f"{self.name}.per_beat: nothing for size {size}; given: {sorted(chosen)}")
            chosen = chosen[size]
        return chosen or len(self.lanes_for(size))

    def lanes_for(self, size: int) -> list[Lane]:
        chosen = self.stream.lanes
        if isinstance(chosen, dict):
            if size not in chosen:
                raise AdapterFault(f"{self.name}.lanes: nothing for size {size}; given: {sorted(chosen)}")
            chosen = chosen[size]
        if chosen is None:
            return self.lanes
        if any(not 0 <= n < len(self.lanes) for n in chosen):
            raise AdapterFault(
                f"{self.name}.lanes: {max(chosen)} is not a lane; the ports have 0..{len(self.lanes) - 1}"
            )
        return [self.lanes[n] for n in chosen]

    def beats_for(self, count: int, size: int) -> int:
        return -(-min(count, self.stream.take or count) // self._fitting(size))

    def _fitting(self, size: int) -> int:
        per_beat, lanes = self.per_beat(size), len(self.lanes_for(size))
        if per_beat > lanes:
            raise AdapterFault(f"{self.name}.per_beat: {per_beat} elements do not fit {lanes} lanes")
        return per_beat

    def pack(self, values: np.ndarray, size: int) -> list[int]:
        """Beats of a field. Raises AdapterFault for a value that its lane cannot hold."""
        order = order_of(self.stream.order, values.shape)
        flat = [int(value) for value in values.ravel()[order]][: self.stream.take]
        per_beat, lanes = self._fitting(size), self.lanes_for(size)
        beats = []
        for begin in range(0, len(flat), per_beat):
            word = 0
            for lane, value in zip(lanes, flat[begin : begin + per_beat], strict=False):
                low, high = (
                    (-(1 << (lane.width - 1)), (1 << (lane.width - 1)) - 1)
                    if self.signed
                    else (0, (1 << lane.width) - 1)
                )
                if not low <= value <= high:
                    raise AdapterFault(
                        f"{self.name}: {value} does not fit {lane.width} {'' if self.signed else 'un'}signed bits "
                        f"({low}..{high}); bound the stimulus under `domain`, or see `width` and `signed`"
                    )
                word |= (value & ((1 << lane.width) - 1)) << lane.offset
            beats.append(word)
        return beats

    def unpack(self, beats: list[int], shape: tuple[int, ...], size: int) -> np.ndarray:
        """int64 field of `shape` from its beats."""
        count = int(np.prod(shape))
        per_beat, lanes = self._fitting(size), self.lanes_for(size)
        flat: list[int] = []
        for word in beats:
            for lane in lanes[:per_beat]:
                value = (word >> lane.offset) & ((1 << lane.width) - 1)
                flat.append(value - (1 << lane.width) if self.signed and value >> (lane.width - 1) else value)
        found = np.zeros(count, np.int64)
        used = flat[: min(count, self.stream.take or count)]
        found[order_of(self.stream.order, shape)[: len(used)]] = used
        return found.reshape(shape)


def pack_bits(beat: int, width: int, length: int, align: str) -> str:
    """The `length` bits of a beat that count, first bit first."""
    bits = f"{beat:0{width}b}"
    return bits[:length] if align == "high" else bits[width - length :]


def mask(value: int, width: int, what: str) -> int:
    """`value` as `width` bits of two's complement or plain. Raises AdapterFault if it does not fit either."""
    if not -(1 << (width - 1)) <= value < (1 << width):
        raise AdapterFault(f"{what}: {value} does not fit {width} bits")
    return value & ((1 << width) - 1)


def fields_text(fields: dict[str, Any]) -> str:
    """Scalar fields for a message."""
    return " ".join(f"{name}={value}" for name, value in fields.items() if not isinstance(value, np.ndarray))
