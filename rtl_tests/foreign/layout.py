"""Elements of a field on the lanes of beats: packing for the way in, the reverse for the way out.

A *lane* is one element's place in a beat: lanes are counted over the stream's ports in the order given. A packed port's
lane 0 stands in its low bits, unless its range ascends or the adapter says `first: high`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rtl_tests.foreign.sources import AdapterFault, Port
from rtl_tests.foreign.streams import Stream
from rtl_tests.foreign.words import ranges


def order_of(name: str, shape: tuple[int, ...], tile: int | None = None, inside: str = "raster") -> np.ndarray:
    """Indices into the raveled field, in the order in which its elements go over the ports."""
    count = int(np.prod(shape))
    if tile is not None and len(shape) == 2:
        rows, columns = shape
        if rows % tile or columns % tile:
            raise AdapterFault(f"tile: {tile} does not divide a field of {rows}x{columns}")
        # [tile row, tile column, row, column]
        tiles = np.arange(count).reshape(rows // tile, tile, columns // tile, tile).swapaxes(1, 2)
        across = (rows // tile, columns // tile)
        squares = tiles.reshape(across[0] * across[1], tile * tile)
        return squares[order_of(name, across)][:, order_of(inside, (tile, tile))].ravel()
    if name == "raster" or len(shape) != 2:
        if name == "transposed":
            raise AdapterFault(f"order: transposed needs a field with rows and columns, this one has {count} elements")
        return np.arange(count)
    raster = np.arange(count).reshape(shape)
    if name == "transposed":
        return raster.T.ravel()
    if name == "zscan":
        return zscan(shape)
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


def zscan(shape: tuple[int, ...]) -> np.ndarray:
    """Raster indices of a square in z-scan order, as blocks of a macroblock or a coding tree block go (H.264 6.4.3)."""
    side = shape[0]
    if shape != (side, side) or side & (side - 1):
        raise AdapterFault(f"order: zscan needs a square of 2, 4, 8, ..., not {'x'.join(map(str, shape))}")
    if side == 1:
        return np.zeros(1, np.int64)
    half = zscan((side // 2, side // 2))
    y, x = half // (side // 2), half % (side // 2)
    quarter = y * side + x
    return np.concatenate([quarter + (side // 2) * (dy * side + dx) for dy in (0, 1) for dx in (0, 1)])


@dataclass(frozen=True)
class Lane:
    """Bits of a beat that one element takes."""

    offset: int
    width: int


class Layout:
    """The lanes of one stream. A beat is an integer: the ports concatenated, the first in the lowest bits.

    A stream carries one field or several, one behind the other; `shapes` below are theirs.
    """

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
        self._orders: dict[tuple[tuple[int, ...], ...], list[tuple[int, int]]] = {}

    def _sized(self, label: str, size: int) -> Any:
        """A figure of the stream that may differ by size."""
        chosen = getattr(self.stream, label)
        if isinstance(chosen, dict):
            if size not in chosen:
                raise AdapterFault(f"{self.name}.{label}: nothing for size {size}; given: {sorted(chosen)}")
            return chosen[size]
        return chosen

    def elements(self, shapes: list[tuple[int, ...]], size: int) -> list[tuple[int, int]]:
        """(field's place in the stream, index into the raveled field) of all elements in the order of the ports."""
        key = tuple(shapes)
        if key not in self._orders:
            self._orders[key] = self._ordered(shapes)
        return self._orders[key][: self._sized("take", size)]

    def _ordered(self, shapes: list[tuple[int, ...]]) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for part, shape in enumerate(shapes):
            chosen, inner = np.arange(int(np.prod(shape))), shape
            if self.stream.columns is not None and len(shape) == 2:
                columns = ranges(self.stream.columns)
                if max(columns) >= shape[1]:
                    raise AdapterFault(
                        f"{self.name}.columns: {max(columns)} is not a column; there are 0..{shape[1] - 1}"
                    )
                chosen, inner = chosen.reshape(shape)[:, columns].ravel(), (shape[0], len(columns))
            found += [
                (part, int(index))
                for index in chosen[order_of(self.stream.order, inner, self.stream.tile, self.stream.inside)]
            ]
        return found

    def _beat(self, shapes: list[tuple[int, ...]], size: int) -> tuple[int, list[Lane]]:
        """Elements of a full beat, and the lanes that they take."""
        lanes, chosen = self.lanes, self._sized("lanes", size)
        if chosen is not None:
            chosen = ranges(chosen)
            if any(not 0 <= n < len(self.lanes) for n in chosen):
                raise AdapterFault(
                    f"{self.name}.lanes: {max(chosen)} is not a lane; the ports have 0..{len(self.lanes) - 1}"
                )
            lanes = [self.lanes[n] for n in chosen]
        pitch = self._sized("pitch", size)
        if pitch is not None:
            rows, row = shapes[0] if len(shapes[0]) == 2 else (1, shapes[0][0])
            row = len(ranges(self.stream.columns)) if self.stream.columns is not None else row
            row = rows if self.stream.order == "transposed" else row
            if row > min(pitch, len(lanes)):
                raise AdapterFault(
                    f"{self.name}.pitch: a row of {row} elements does not fit {min(pitch, len(lanes))} lanes"
                )
            lanes = [lane for begin in range(0, len(lanes) - row + 1, pitch) for lane in lanes[begin : begin + row]]
        per_beat = self._sized("per_beat", size) or len(lanes)
        if per_beat > len(lanes):
            raise AdapterFault(f"{self.name}.per_beat: {per_beat} elements do not fit {len(lanes)} lanes")
        return per_beat, lanes

    def beats_for(self, shapes: list[tuple[int, ...]], size: int) -> int:
        return -(-len(self.elements(shapes, size)) // self._beat(shapes, size)[0])

    def parts(self, shapes: list[tuple[int, ...]], size: int) -> list[int]:
        """For each beat, the place of the field that its first element belongs to."""
        per_beat = self._beat(shapes, size)[0]
        return [part for part, _ in self.elements(shapes, size)[::per_beat]]

    def pack(self, values: list[np.ndarray], size: int) -> list[int]:
        """Beats of the fields. Raises AdapterFault for a value that its lane cannot hold."""
        shapes = [each.shape for each in values]
        flat = [int(values[part].ravel()[index]) for part, index in self.elements(shapes, size)]
        per_beat, lanes = self._beat(shapes, size)
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

    def unpack(self, beats: list[int], size: int, expected: list[np.ndarray]) -> list[np.ndarray]:
        """int64 fields from their beats, shaped as `expected`; what does not go over the ports is taken as right."""
        shapes = [each.shape for each in expected]
        per_beat, lanes = self._beat(shapes, size)
        flat: list[int] = []
        for word in beats:
            for lane in lanes[:per_beat]:
                value = (word >> lane.offset) & ((1 << lane.width) - 1)
                flat.append(value - (1 << lane.width) if self.signed and value >> (lane.width - 1) else value)
        found = [each.astype(np.int64).ravel() for each in expected]
        for (part, index), value in zip(self.elements(shapes, size), flat, strict=False):
            found[part][index] = value
        return [each.reshape(shape) for each, shape in zip(found, shapes, strict=True)]


def beat_bits(layout: Layout, beat: int, length: int | None, align: str, reverse: bool) -> str:
    """The bits of a beat that count, first bit first: element by element as the lanes lie, each from its top bit."""
    parts = [f"{beat >> lane.offset & ((1 << lane.width) - 1):0{lane.width}b}" for lane in layout.lanes]
    bits = "".join(part[::-1] if reverse else part for part in parts)
    if length is None:
        return bits
    length = min(length, len(bits))
    return bits[:length] if align == "high" else bits[len(bits) - length :]


def mask(value: int, width: int, what: str) -> int:
    """`value` as `width` bits of two's complement or plain. Raises AdapterFault if it does not fit either."""
    if not -(1 << (width - 1)) <= value < (1 << width):
        raise AdapterFault(f"{what}: {value} does not fit {width} bits")
    return value & ((1 << width) - 1)


def fields_text(fields: dict[str, Any]) -> str:
    """Scalar fields for a message."""
    return " ".join(f"{name}={value}" for name, value in fields.items() if not isinstance(value, np.ndarray))
