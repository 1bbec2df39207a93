"""How the vector primitives are written: a value that records arithmetic as generic LLVM vector instructions.

`Vector` wraps an LLVM value of lanes of integers and overloads the operators; `Pointer` loads and stores lanes at an
element offset of a numba array, unaligned. What is recorded is target-neutral IR (`add <16 x i16>`, `llvm.abs`,
`llvm.vector.reduce.add`, `shufflevector`): LLVM picks SSE, AVX or NEON for the processor at hand.

`primitive` turns a plain function, the scalar twin, into such a primitive. The twin is what runs with
`NUMBA_DISABLE_JIT=1` or `TASIC_NO_SIMD=1`; tests hold the vector form to it (`TWINS`).
"""

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Union

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from asic_model.kernel_cache import kernel

SCALAR = bool(numba.config.DISABLE_JIT) or os.environ.get("TASIC_NO_SIMD", "0") not in ("", "0")

# primitive's name -> (vector form or None, scalar twin as plain Python)
TWINS: dict[str, tuple[Any, Callable[..., Any]]] = {}

I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
Operand = Union["Vector", int]


class Vector:
    """Lanes of signed integers of one width; all arithmetic wraps at that width."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    @property
    def lanes(self) -> int:
        return self.value.type.count

    @property
    def bits(self) -> int:
        return self.value.type.element.width

    def _other(self, other: Operand) -> Any:
        if isinstance(other, Vector):
            return other.value
        return ir.Constant(self.value.type, [other] * self.lanes)

    def _new(self, value: Any) -> "Vector":
        return Vector(self.builder, value)

    def __add__(self, other: Operand) -> "Vector":
        return self._new(self.builder.add(self.value, self._other(other)))

    def __sub__(self, other: Operand) -> "Vector":
        return self._new(self.builder.sub(self.value, self._other(other)))

    def __rsub__(self, other: int) -> "Vector":
        return self._new(self.builder.sub(self._other(other), self.value))

    def __mul__(self, other: Operand) -> "Vector":
        return self._new(self.builder.mul(self.value, self._other(other)))

    def __lshift__(self, other: Operand) -> "Vector":
        return self._new(self.builder.shl(self.value, self._other(other)))

    def __rshift__(self, other: Operand) -> "Vector":
        """Arithmetic shift: rounds towards minus infinity, as the standard's >>."""
        return self._new(self.builder.ashr(self.value, self._other(other)))

    def shift_right_unsigned(self, count: int) -> "Vector":
        return self._new(self.builder.lshr(self.value, self._other(count)))

    def __and__(self, other: Operand) -> "Vector":
        return self._new(self.builder.and_(self.value, self._other(other)))

    def __or__(self, other: Operand) -> "Vector":
        return self._new(self.builder.or_(self.value, self._other(other)))

    def __xor__(self, other: Operand) -> "Vector":
        return self._new(self.builder.xor(self.value, self._other(other)))

    def __neg__(self) -> "Vector":
        return 0 - self

    def _call(self, name: str, *extra: Any, result: Any = None, arguments: Sequence[Any] = ()) -> Any:
        own = self.value.type
        function_type = ir.FunctionType(result or own, [own, *(a.type for a in extra)])
        function = cgutils.get_or_insert_function(
            self.builder.module, function_type, f"llvm.{name}.v{self.lanes}i{self.bits}"
        )
        return self.builder.call(function, [self.value, *extra])

    def abs(self) -> "Vector":
        return self._new(self._call("abs", ir.Constant(I1, 0)))

    def max(self, other: Operand) -> "Vector":
        return self._new(self._call("smax", self._other(other)))

    def min(self, other: Operand) -> "Vector":
        return self._new(self._call("smin", self._other(other)))

    def max_unsigned(self, other: Operand) -> "Vector":
        return self._new(self._call("umax", self._other(other)))

    def min_unsigned(self, other: Operand) -> "Vector":
        return self._new(self._call("umin", self._other(other)))

    def distance(self, other: "Vector") -> "Vector":
        """|self - other| of unsigned lanes."""
        return self.max_unsigned(other) - self.min_unsigned(other)

    def clip(self, low: int, high: int) -> "Vector":
        return self.max(low).min(high)

    def less(self, other: Operand) -> "Mask":
        return Mask(self.builder, self.builder.icmp_signed("<", self.value, self._other(other)))

    def differs(self, other: Operand) -> "Mask":
        return Mask(self.builder, self.builder.icmp_signed("!=", self.value, self._other(other)))

    def sum(self) -> Any:
        """Sum of all lanes as a scalar LLVM value of the lanes' width (it wraps there)."""
        return self._call("vector.reduce.add", result=self.value.type.element)

    def _resize(self, operation: str, bits: int) -> "Vector":
        kind = ir.VectorType(ir.IntType(bits), self.lanes)
        return self._new(getattr(self.builder, operation)(self.value, kind))

    def widen_unsigned(self, bits: int) -> "Vector":
        return self._resize("zext", bits)

    def widen(self, bits: int) -> "Vector":
        return self._resize("sext", bits)

    def narrow(self, bits: int) -> "Vector":
        return self._resize("trunc", bits)

    def pair_sums(self) -> "Vector":
        """Sums of each two neighbours, unsigned, in lanes of twice the width."""
        wide = self.as_lanes(2 * self.bits)
        return (wide & ((1 << self.bits) - 1)) + wide.shift_right_unsigned(self.bits)

    def to_samples(self) -> "Vector":
        """Clip1: lanes limited to 0..255, as bytes."""
        return self.clip(0, 255).narrow(8)

    def average(self, other: "Vector") -> "Vector":
        """(self + other + 1) >> 1 of unsigned bytes."""
        total = self.widen_unsigned(16) + other.widen_unsigned(16) + 1
        return total.shift_right_unsigned(1).narrow(8)

    def shuffle(self, order: Sequence[int], other: "Vector | None" = None) -> "Vector":
        """Lane i of the result is lane order[i] of self, or of `other` from index `lanes` on."""
        second = other.value if other is not None else ir.Constant(self.value.type, ir.Undefined)
        mask = ir.Constant(ir.VectorType(I32, len(order)), list(order))
        return self._new(self.builder.shuffle_vector(self.value, second, mask))

    def join(self, other: "Vector") -> "Vector":
        """Own lanes, then the other's."""
        return self.shuffle(range(2 * self.lanes), other)

    def part(self, first: int, count: int) -> "Vector":
        return self.shuffle(range(first, first + count))

    def as_lanes(self, bits: int) -> "Vector":
        """The same bits read as lanes of another width."""
        kind = ir.VectorType(ir.IntType(bits), self.lanes * self.bits // bits)
        return self._new(self.builder.bitcast(self.value, kind))


class Mask(Vector):
    """Lanes of truth values."""

    def select(self, true: Vector, false: Vector) -> Vector:
        return Vector(self.builder, self.builder.select(self.value, true.value, false.value))

    def both(self, other: "Mask") -> "Mask":
        return Mask(self.builder, self.builder.and_(self.value, other.value))

    def either(self, other: "Mask") -> "Mask":
        return Mask(self.builder, self.builder.or_(self.value, other.value))

    def invert(self) -> "Mask":
        return Mask(self.builder, self.builder.not_(self.value))

    def bits_i64(self) -> Any:
        """The lanes as bits of an i64, lane 0 the lowest."""
        packed = self.builder.bitcast(self.value, ir.IntType(self.lanes))
        return packed if self.lanes == 64 else self.builder.zext(packed, I64)


class Pointer:
    """A numba array as flat memory; offsets count elements and must be inside it (nothing checks)."""

    def __init__(self, emitter: "Emitter", data: Any) -> None:
        self.emitter = emitter
        self.data = data

    @property
    def bits(self) -> int:
        return self.data.type.pointee.width

    def _at(self, offset: Any, lanes: int) -> Any:
        builder = self.emitter.builder
        element = self.data.type.pointee
        address = builder.gep(self.data, [self.emitter.i64(offset)])
        return builder.bitcast(address, ir.PointerType(ir.VectorType(element, lanes)))

    def load(self, offset: Any, lanes: int) -> Vector:
        builder = self.emitter.builder
        return Vector(builder, builder.load(self._at(offset, lanes), align=1))

    def store(self, offset: Any, value: Vector) -> None:
        self.emitter.builder.store(value.value, self._at(offset, value.lanes), align=1)


class Variable:
    """A vector that changes inside a loop."""

    def __init__(self, builder: Any, first: Vector) -> None:
        self.builder = builder
        self.slot = cgutils.alloca_once_value(builder, first.value)

    def get(self) -> Vector:
        return Vector(self.builder, self.builder.load(self.slot))

    def set(self, value: Vector) -> None:
        self.builder.store(value.value, self.slot)


class Emitter:
    """What an emitting function gets: constants, scalar arithmetic on offsets, loops."""

    def __init__(self, context: Any, builder: Any) -> None:
        self.context = context
        self.builder = builder

    def i64(self, value: Any) -> Any:
        return ir.Constant(I64, value) if isinstance(value, int) else value

    def add(self, a: Any, b: Any) -> Any:
        return self.builder.add(self.i64(a), self.i64(b))

    def mul(self, a: Any, b: Any) -> Any:
        return self.builder.mul(self.i64(a), self.i64(b))

    def divide(self, a: Any, b: int) -> Any:
        """a / b for a >= 0 and b a power of two."""
        return self.builder.lshr(self.i64(a), self.i64(b.bit_length() - 1))

    def nonzero(self, value: Any) -> Any:
        """1 where `value` is not 0, else 0."""
        return self.builder.zext(self.builder.icmp_signed("!=", self.i64(value), self.i64(0)), I64)

    def smaller(self, a: Any, b: Any) -> Any:
        a, b = self.i64(a), self.i64(b)
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def row(self, offset: Any, stride: Any, row: Any) -> Any:
        """Offset of row number `row` of a block."""
        return self.add(offset, self.mul(stride, row))

    def stack(self, vectors: Sequence[Vector]) -> Vector:
        """All vectors' lanes in one; their number is a power of two."""
        while len(vectors) > 1:
            vectors = [low.join(high) for low, high in zip(vectors[::2], vectors[1::2], strict=True)]
        return vectors[0]

    def constant(self, values: Sequence[int], bits: int) -> Vector:
        return Vector(self.builder, ir.Constant(ir.VectorType(ir.IntType(bits), len(values)), [int(v) for v in values]))

    def count_ones(self, bits: Any) -> Any:
        """Number of ones in an i64."""
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(I64, [I64]), "llvm.ctpop.i64")
        return self.builder.call(function, [bits])

    def splat(self, scalar: Any, lanes: int, bits: int) -> Vector:
        """A scalar LLVM value in all lanes."""
        kind = ir.IntType(bits)
        width = scalar.type.width
        if width > bits:
            scalar = self.builder.trunc(scalar, kind)
        elif width < bits:
            scalar = self.builder.sext(scalar, kind)
        one = self.builder.insert_element(
            ir.Constant(ir.VectorType(kind, lanes), ir.Undefined), scalar, ir.Constant(I32, 0)
        )
        return Vector(self.builder, one).shuffle([0] * lanes)

    def _x86(self, feature: str) -> bool:
        """Whether code is made for an x86 processor that has `feature`."""
        return f"+{feature}" in self.context.codegen()._tm_features and llvm.get_process_triple().startswith("x86")

    def _instruction(self, name: str, a: Vector, b: Vector, lanes: int, bits: int) -> Vector:
        """An instruction of the processor by its LLVM name, for what LLVM does not find in the general form."""
        kind = ir.FunctionType(ir.VectorType(ir.IntType(bits), lanes), [a.value.type] * 2)
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.x86.{name}")
        return Vector(self.builder, self.builder.call(function, [a.value, b.value]))

    def sad_groups(self, a: Vector, b: Vector) -> Vector:
        """Sums of |a - b| over each 8 lanes of unsigned bytes, 64 bits a sum; 32 lanes."""
        if self._x86("avx2"):
            return self._instruction("avx2.psad.bw", a, b, 4, 64)
        return a.distance(b).pair_sums().pair_sums().pair_sums()

    def sads_of_four(self, samples: Vector, four: Vector) -> Vector:
        """SADs of 4 bytes at 8 neighbouring positions in each half of 32 bytes, 16 lanes of 16 bits.

        four : the bytes, again and again
        """
        if self._x86("avx2"):
            kind = ir.FunctionType(ir.VectorType(ir.IntType(16), 16), [samples.value.type, four.value.type, I8])
            function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.x86.avx2.mpsadbw")
            return Vector(self.builder, self.builder.call(function, [samples.value, four.value, ir.Constant(I8, 0)]))
        total = None
        for k in range(4):
            near = samples.shuffle([half + k + i for half in (0, 16) for i in range(8)])
            distance = near.distance(four.shuffle([k] * 16)).widen_unsigned(16)
            total = distance if total is None else total + distance
        assert total is not None
        return total

    def sums_and_differences(self, samples: Vector) -> Vector:
        """Of each two neighbours the sum, in the lower half, and the difference, in the upper; 8 or 16 unsigned bytes
        become as many lanes of 16 bits."""
        lanes = samples.lanes
        names = {8: ("ssse3", "ssse3.pmadd.ub.sw.128"), 16: ("avx2", "avx2.pmadd.ub.sw")}
        feature, name = names[lanes]
        if self._x86(feature):
            signs = self.constant([1] * lanes + [1, -1] * (lanes // 2), 8)
            return self._instruction(name, samples.join(samples), signs, lanes, 16)
        pairs = samples.as_lanes(16)
        even, odd = pairs & 255, pairs.shift_right_unsigned(8)
        return (even + odd).join(even - odd)

    def zero(self, lanes: int, bits: int) -> Vector:
        return self.constant([0] * lanes, bits)

    def variable(self, first: Vector) -> Variable:
        return Variable(self.builder, first)

    def widen_scalar(self, value: Any) -> Any:
        return self.builder.sext(value, I64)

    @contextmanager
    def rows(self, count: Any) -> Iterator[Any]:
        """Loop `count` times; yields the index. LLVM unrolls it where the caller's count is a constant."""
        with cgutils.for_range(self.builder, self.i64(count)) as loop:
            yield loop.index

    def choose(self, condition: Any, true: Vector, false: Vector) -> Vector:
        """`true` where the i64 scalar `condition` is not 0, else `false`."""
        chosen = self.builder.icmp_signed("!=", condition, self.i64(0))
        return Vector(self.builder, self.builder.select(chosen, true.value, false.value))

    def switch(self, value: Any, cases: "dict[tuple[int, ...], Callable[[], None]]") -> None:
        """Emit `cases[key]()` to run where the i64 `value` is one of `key`; nothing runs for other values."""
        builder = self.builder
        end = builder.append_basic_block("end")
        branches = builder.switch(value, end)
        for keys, emission in cases.items():
            block = builder.append_basic_block("case")
            for key in keys:
                branches.add_case(self.i64(key), block)
            builder.position_at_end(block)
            emission()
            builder.branch(end)
        builder.position_at_end(end)

    @contextmanager
    def when(self, condition: Any) -> Iterator[None]:
        with self.builder.if_then(condition):
            yield


Emission = Callable[..., Any]


def primitive(emission: Emission, results: int = 1) -> Callable[[Callable[..., Any]], Any]:
    """Make the decorated function, a scalar twin, a vector primitive of the same signature.

    emission(emitter, *arguments) gets a `Pointer` for each array and an i64 LLVM value for each integer, and returns
    `results` scalar LLVM integers (a tuple when more than one), or None when `results` is 0.
    """

    def wrap(twin: Callable[..., Any]) -> Any:
        if SCALAR:
            TWINS[twin.__name__] = (None, twin)
            return kernel(twin)

        def definition(_typing_context: Any, *arguments: Any) -> Any:
            result: Any = types.none
            if results == 1:
                result = types.int64
            elif results:
                result = types.UniTuple(types.int64, results)  # type: ignore[attr-defined]

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                emitter = Emitter(context, builder)
                operands: list[Any] = []
                for kind, value in zip(signature.args, values, strict=True):
                    if isinstance(kind, types.Array):
                        operands.append(Pointer(emitter, context.make_array(kind)(context, builder, value).data))
                    else:
                        operands.append(context.cast(builder, value, kind, types.int64))
                outcome = emission(emitter, *operands)
                if not results:
                    return context.get_dummy_value()
                if results == 1:
                    return _as_i64(builder, outcome)
                return context.make_tuple(builder, result, [_as_i64(builder, each) for each in outcome])

            return result(*arguments), generate

        parameters = list(inspect.signature(twin).parameters.values())
        context_parameter = inspect.Parameter("_typing_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        definition.__signature__ = inspect.Signature([context_parameter, *parameters])  # type: ignore[attr-defined]
        definition.__name__ = twin.__name__
        definition.__doc__ = twin.__doc__
        vector = intrinsic(definition)
        TWINS[twin.__name__] = (vector, twin)
        return vector

    return wrap


def _as_i64(builder: Any, value: Any) -> Any:
    return value if value.type.width == 64 else builder.sext(value, I64)
