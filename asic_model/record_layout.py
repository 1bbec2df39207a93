"""Records of fixed size in device memory: their fields, where they stand, packing and unpacking.

Which records there are stands in descriptors.py.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

BLOCK_BYTES = 256  # of a job or session block, whose fields are numbered without the header's


@dataclass(frozen=True)
class Field:
    """One field: `code` as in the struct module (B b H h I i Q), inclusive range of legal values, meaning."""

    name: str
    code: str
    low: int
    high: int
    meaning: str


def make_field(name: str, code: str, meaning: str, low: int | None = None, high: int | None = None) -> Field:
    bits = 8 * struct.calcsize(code)
    signed = code.islower()
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return Field(name, code, least if low is None else low, most if high is None else high, meaning)


class Layout:
    """A record: its fields, largest first in memory after the header fields, which stand in the given order."""

    def __init__(self, name: str, size_bytes: int, header: Iterable[Field], fields: Iterable[Field]) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self.header = tuple(header)
        self.body = tuple(fields)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return self.header + self.body

    @property
    def numbered(self) -> tuple[Field, ...]:
        """The fields whose place is their number in `detail`: of a block the body, of a record all."""
        return self.body if self.size_bytes == BLOCK_BYTES else self.fields

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Byte offset by name. The body is sorted by size (stable), so that all is naturally aligned."""
        placed: dict[str, int] = {}
        position = 0
        for field in (*self.header, *sorted(self.body, key=lambda f: -struct.calcsize(f.code))):
            size = struct.calcsize(field.code)
            if position % size:
                raise ValueError(f"{self.name}.{field.name}: offset {position} is no multiple of {size}")
            placed[field.name] = position
            position += size
        if position > self.size_bytes:
            raise ValueError(f"{self.name}: {position} bytes of fields in {self.size_bytes}")
        return placed

    @cached_property
    def used_bytes(self) -> int:
        """Bytes up to the end of the last field; what follows is reserved."""
        return sum(struct.calcsize(field.code) for field in self.fields)

    @cached_property
    def whole(self) -> tuple[struct.Struct, tuple[str, ...]]:
        """All fields as one structure, and their names in its order."""
        code, position, names = "<", 0, []
        for field in sorted(self.fields, key=lambda f: self.offsets[f.name]):
            offset = self.offsets[field.name]
            code += f"{offset - position}x{field.code}"
            position = offset + struct.calcsize(field.code)
            names.append(field.name)
        return struct.Struct(f"{code}{self.size_bytes - position}x"), tuple(names)

    def pack(self, values: Mapping[str, int] | None = None, **more: int) -> bytes:
        """Return the record; fields not given are 0. Raises ValueError naming the field that does not fit."""
        values = {**(values or {}), **more}
        whole, names = self.whole
        if len(values) <= len(names):
            try:
                record = whole.pack(*(values.get(name, 0) for name in names))
            except struct.error:
                return self._pack_by_field(values)
            if values.keys() <= self.offsets.keys():
                return record
        return self._pack_by_field(values)

    def _pack_by_field(self, values: dict[str, int]) -> bytes:
        """As `pack`, naming what is wrong."""
        record = bytearray(self.size_bytes)
        for field in self.fields:
            value = values.pop(field.name, 0)
            try:
                struct.pack_into(f"<{field.code}", record, self.offsets[field.name], value)
            except struct.error:
                raise ValueError(f"{self.name}.{field.name}: {value} does not fit {field.code!r}") from None
        if values:
            raise ValueError(f"{self.name} has no field {', '.join(sorted(values))}")
        return bytes(record)

    def unpack(self, record: bytes) -> dict[str, int]:
        """Return all fields of a record by name."""
        if len(record) < self.size_bytes:
            raise ValueError(f"{self.name}: {len(record)} bytes, {self.size_bytes} needed")
        whole, names = self.whole
        return dict(zip(names, whole.unpack_from(record), strict=True))

    def template(self, values: Mapping[str, int]) -> "Template":
        """A record of which only some fields change from one time to the next; ranges are checked."""
        return Template(self, values)

    def number(self, name: str) -> int:
        """The field's number, as `detail` gives it."""
        return [field.name for field in self.numbered].index(name)

    def check(self, values: Mapping[str, int]) -> None:
        """Raise ValueError for the first field outside its range (the driver asks before it submits)."""
        for field in self.fields:
            value = values.get(field.name, 0)
            if not field.low <= value <= field.high:
                raise ValueError(f"{self.name}.{field.name}: {value} is not in {field.low}..{field.high}")


class Template:
    """A record with `values`; each `fill` changes some fields, for itself alone."""

    def __init__(self, layout: Layout, values: Mapping[str, int]) -> None:
        layout.check(values)
        self._layout = layout
        whole, names = layout.whole
        self._pack = whole.pack
        self._values = [values.get(name, 0) for name in names]
        ranges = {field.name: (field.low, field.high) for field in layout.fields}
        self._places = {name: (place, *ranges[name]) for place, name in enumerate(names)}

    def fill(self, values: Mapping[str, int]) -> bytes:
        """Return the record with these fields instead. Raises ValueError as `Layout.check` and `pack`."""
        filled, places = self._values.copy(), self._places
        for name, value in values.items():
            place, low, high = places[name] if name in places else self._no_field(name)
            if not low <= value <= high:
                raise ValueError(f"{self._layout.name}.{name}: {value} is not in {low}..{high}")
            filled[place] = value
        return self._pack(*filled)

    def _no_field(self, name: str) -> tuple[int, int, int]:
        raise ValueError(f"{self._layout.name} has no field {name}")
