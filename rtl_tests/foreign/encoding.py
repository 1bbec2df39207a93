"""Vectors as the wrapper reads them: configuration words, beats of each input, beats to expect, bytes of memories."""

from typing import Any

import numpy as np

from rtl_tests.foreign import axi_regions, expressions
from rtl_tests.foreign.description import Packed
from rtl_tests.foreign.layout import mask
from rtl_tests.foreign.plan import InputPlan, OutputPlan, Plan
from rtl_tests.foreign.simulate import Vectors
from rtl_tests.foreign.sources import AdapterFault
from rtl_tests.foreign.transactions import Transaction, Vector
from rtl_tests.foreign.transactions.frame_encode import FrameEncode


def as_array(value: Any) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else np.array([value])


def expected_of(out: OutputPlan, vector: Vector) -> Any:
    """What an output has to show: text of bits, or an array for each of its fields."""
    found = [vector.expected[name] for name in out.stream.fields]
    return found[0] if found and isinstance(found[0], str) else found


def beats_of(out: OutputPlan, vector: Vector) -> int:
    return out.layout.beats_for([vector.expected[name].shape for name in out.stream.fields], vector.size)


def scalars(vector: Vector) -> dict[str, int]:
    return {name: int(value) for name, value in vector.fields.items() if isinstance(value, (int, np.integer))}


def shapes_of(vector: Vector) -> dict[str, tuple[int, ...]]:
    """Shapes of the answers, those of reconstructed planes among them."""
    found = {name: value.shape for name, value in vector.expected.items() if isinstance(value, np.ndarray)}
    if "source_y" in vector.planes:  # a frame
        width, height = vector.fields["width"], vector.fields["height"]
        half = height // 2, width // 2
        kinds = {"y": (height, width), "u": half, "v": half, "uv": (half[0], width)}
        found |= {f"reconstruction_{kind}": shape for kind, shape in kinds.items()}
    return found


class Encoder:
    """Vectors of a transaction on the ports of a plan. Raises AdapterFault for what the ports cannot carry."""

    def __init__(self, plan: Plan, transaction: Transaction) -> None:
        self.plan, self.transaction, self.adapter = plan, transaction, plan.adapter

    def encode(self, vectors: list[Vector]) -> Vectors:
        plan = self.plan
        found = Vectors(streamed=self.adapter.control is None)
        found.config_width = sum(plan.ports[name].width for name in self.adapter.config)
        for each in plan.inputs:
            plane = each.stream.kind == "samples" and each.layout is not None
            found.inputs[each.name] = []
            found.widths[each.name] = max(16, each.layout.lanes[0].width) if plane and each.layout else each.width
        for out in plan.outputs:
            found.outputs[out.name] = []
        self._planes(vectors, found)
        for name in self.adapter.axi:
            found.axi[name] = [axi_regions.image(self.adapter, name, vector, scalars(vector), shapes_of(vector))
                               for vector in vectors]  # fmt: skip
        for vector in vectors:
            if self.adapter.config:
                found.config.append(self._config_word(vector))
            for each in plan.inputs:
                if each.stream.written_by is not None:
                    continue
                if each.stream.kind == "bit_window":
                    found.widths[each.name] = each.stream.depth
                    bits = str(vector.fields[each.stream.fields[0]])
                    if len(bits) > each.stream.depth:
                        raise AdapterFault(f"inputs.{each.name}.depth: {len(bits)} bits do not fit {each.stream.depth}")
                    word = int((bits + "0" * each.stream.depth)[: each.stream.depth], 2)
                    found.inputs[each.name].append([word])
                else:
                    found.inputs[each.name].append(self._beats(each, vector))
            for out in plan.outputs:
                expected = expected_of(out, vector)
                unknown = isinstance(expected, str) or out.stream.kind == "ram"
                count = 1 if out.stream.kind == "hold" else -1 if unknown else beats_of(out, vector)
                found.outputs[out.name].append(count)
        return found

    def _config_word(self, vector: Vector) -> int:
        word = at = 0
        for name, value in self.adapter.config.items():
            port = self.plan.ports[name]
            where = f"config.{name}"
            if isinstance(value, Packed):
                total = sum(member.width for member in value.members)
                if total != port.width:
                    raise AdapterFault(f"{where}: the members have {total} bits, the port {port.width}")
                packed = 0
                for member in value.members if value.first == "high" else value.members[::-1]:
                    number = expressions.evaluate(member.value, scalars(vector))
                    packed = packed << member.width | mask(number, member.width, where)
            else:
                packed = mask(expressions.evaluate(value, scalars(vector)), port.width, where)
            word |= packed << at
            at += port.width
        return word

    def _beats(self, plan: InputPlan, vector: Vector) -> list[int]:
        stream = plan.stream
        if stream.writes:
            names = list(stream.writes[0])
            return [
                self._extra(plan, vector, {name: each[name] for name in names}, n)
                for n, each in enumerate(stream.writes)
            ]
        if stream.beats is not None:
            count = expressions.evaluate(stream.beats, scalars(vector))
            if not 0 <= count <= 1 << 16:
                raise AdapterFault(f"inputs.{plan.name}.beats: {count} is not within 0..65536")
            return [self._extra(plan, vector, stream.set, n) for n in range(count)]
        values = [as_array(vector.fields[name]) for name in stream.fields]
        if plan.layout is None:
            count = sum(each.size for each in values)
            taken = stream.take.get(vector.size, count) if isinstance(stream.take, dict) else stream.take or count
            return [self._extra(plan, vector, stream.set, n) for n in range(min(count, taken))]
        if stream.kind == "samples":
            return self._plane(plan, values[0])
        beats = plan.layout.pack(values, vector.size)
        if stream.kind == "hold" and len(beats) != 1:
            raise AdapterFault(
                f"inputs.{plan.name}: {len(beats)} beats for the lanes there are, kind hold has one (`take`, `width`, "
                "`lanes`)"
            )
        if stream.kind == "ram" and len(beats) > stream.depth:
            raise AdapterFault(f"inputs.{plan.name}.depth: {len(beats)} words do not fit {stream.depth}")
        if not stream.set and not stream.strobe:
            return beats
        parts = plan.layout.parts([each.shape for each in values], vector.size)
        return [
            beat | self._extra(plan, vector, stream.set, n, parts[n]) << plan.layout.width
            for n, beat in enumerate(beats)
        ]

    def _plane(self, plan: InputPlan, field: np.ndarray) -> list[int]:
        """Rows, columns and the elements of a field that the block addresses by place."""
        assert plan.layout is not None
        where, width = f"inputs.{plan.name}", plan.layout.lanes[0].width
        if field.ndim != 2:
            raise AdapterFault(f"{where}.field: {plan.stream.field} has no rows and columns, kind samples needs them")
        if field.size > plan.stream.depth:
            raise AdapterFault(f"{where}.depth: {field.size} samples do not fit {plan.stream.depth}")
        return [*field.shape, *(mask(int(value), width, where) for value in field.ravel())]

    def _extra(self, plan: InputPlan, vector: Vector, ports: dict[str, Any], beat: int, part: int = 0) -> int:
        word = at = 0
        ports = ports | plan.stream.strobe
        fields = {name: (value.ravel()[beat % value.size] if isinstance(value, np.ndarray) else value)
                  for name, value in vector.fields.items() if not isinstance(value, str)}  # fmt: skip
        fields |= {"beat": beat, "part": part}
        for port in (*plan.extra, *plan.strobes):
            number = expressions.evaluate(ports[port.name], fields)
            word |= mask(number, port.width, f"inputs.{plan.name}.{port.name}") << at
            at += port.width
        return word

    def _planes(self, vectors: list[Vector], found: Vectors) -> None:
        if not self.adapter.memory_ports:
            return
        names = self.plan.planes
        sizes = self.transaction.plane_sizes() if isinstance(self.transaction, FrameEncode) else {}
        for name in names:
            if name not in sizes:
                sizes[name] = max(((each.planes[name].shape[1], each.planes[name].shape[0]) for each in vectors
                                   if name in each.planes), default=(16, 16))  # fmt: skip
        base = 0
        bases = {}
        for name in names:
            bases[name] = base
            found.planes.append((base, *sizes[name]))
            base += -(-(sizes[name][0] * sizes[name][1] + 16) // 16) * 16
        if base > self.plan.store_bytes:
            raise AdapterFault(f"memory_ports: planes of {base} bytes do not fit the wrapper's {self.plan.store_bytes}")
        for vector in vectors:
            pieces = []
            for name, plane in vector.planes.items():
                width, height = sizes[name]
                whole = np.pad(plane, ((0, height - plane.shape[0]), (0, width - plane.shape[1])), mode="edge")
                pieces.append((bases[name], whole.astype(np.uint8).tobytes()))
            found.images.append(pieces)
