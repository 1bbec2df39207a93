"""Arithmetic over the fields of a transaction, as adapters write it: `qp - 12 * (size > 4)`, `log2(size)`.

Integers only; names are the transaction's scalar fields. Parsed by Python's own grammar, of which a small part is let
through: nothing is looked up, called or stored but what stands in the two tables below.
"""

import ast
import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

MAX_CHARS = 500
_VALUE_BITS = 512

_BINARY: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.LShift: operator.lshift, ast.RShift: operator.rshift,
}  # fmt: skip
_COMPARE: dict[type, Callable[[int, int], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., int]] = {
    "min": min, "max": max, "abs": abs, "log2": lambda value: max(1, value).bit_length() - 1,
}  # fmt: skip


class ExpressionError(ValueError):
    """An expression cannot be understood or computed; the message quotes it."""


@functools.lru_cache(maxsize=4096)
def _tree(text: str) -> ast.expr:
    if len(text) > MAX_CHARS:
        raise ExpressionError(f"an expression of {len(text)} characters; at most {MAX_CHARS}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{text!r} is not an expression") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is not int:
            raise ExpressionError(f"{text!r}: {node.value!r} is not an integer")
        if isinstance(node, ast.Call) and not (
            isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and not node.keywords
        ):
            raise ExpressionError(f"{text!r}: functions are {', '.join(FUNCTIONS)}")
        if not isinstance(node, _ALLOWED):
            raise ExpressionError(f"{text!r}: {type(node).__name__} has no meaning here (integers and operators)")
    return tree


_ALLOWED = (
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Constant, ast.Name, ast.Call, ast.Load,
    ast.USub, ast.UAdd, ast.Invert, ast.Not, ast.And, ast.Or, *_BINARY, *_COMPARE,
)  # fmt: skip


def parse(text: int | str) -> None:
    """Raises ExpressionError if `text` is no expression."""
    if isinstance(text, str):
        _tree(text)


def names(text: int | str) -> set[str]:
    """Fields that an expression reads."""
    if isinstance(text, int):
        return set()
    return {node.id for node in ast.walk(_tree(text)) if isinstance(node, ast.Name)} - FUNCTIONS.keys()


def evaluate(text: int | str, fields: Mapping[str, Any]) -> int:
    """The expression's value. Raises ExpressionError for an unknown field or a value out of bounds."""
    if isinstance(text, int):
        return int(text)
    try:
        value = int(_value(_tree(text), fields))
    except KeyError as error:
        known = ", ".join(sorted(map(str, fields)))
        raise ExpressionError(f"{text!r}: no field {error.args[0]!r}; there are {known}") from None
    except (ZeroDivisionError, OverflowError, ValueError, TypeError) as error:
        raise ExpressionError(f"{text!r}: {error}") from None
    return value


def _value(node: ast.expr, fields: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return int(fields[node.id])
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, fields), _value(node.right, fields)
        if (
            isinstance(node.op, (ast.LShift, ast.Mult))
            and abs(left).bit_length() + abs(right).bit_length() > _VALUE_BITS * 2
        ):
            raise OverflowError("the value is too large")
        if isinstance(node.op, ast.LShift) and right > _VALUE_BITS:
            raise OverflowError("the shift is too large")
        return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, fields)
        if isinstance(node.op, ast.Not):
            return int(not value)
        return ~value if isinstance(node.op, ast.Invert) else -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BoolOp):
        each = (_value(value, fields) for value in node.values)
        return int(all(each) if isinstance(node.op, ast.And) else any(each))
    if isinstance(node, ast.Compare):
        values = [_value(value, fields) for value in (node.left, *node.comparators)]
        return int(all(_COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, values, values[1:], strict=False)))
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, fields) else node.orelse, fields)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return FUNCTIONS[node.func.id](*(_value(value, fields) for value in node.args))
