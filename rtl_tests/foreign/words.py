"""Words of the adapter's language that its sections share: names, numbers counted out, expressions."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rtl_tests.foreign import expressions

IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_$]{0,127}$"

Name = Annotated[str, Field(pattern=IDENTIFIER)]
# An input of one bit that the wrapper drives; "!" in front: active low.
Driven = Annotated[str, Field(pattern=r"^!?[A-Za-z_][A-Za-z0-9_$]{0,127}$")]
Count = Annotated[int, Field(ge=0, le=1 << 20)]


class Part(BaseModel):
    """Base of every section."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def expression(text: int | str) -> int | str:
    """An arithmetic expression over fields; checked here, evaluated for each transaction."""
    expressions.parse(text)
    return text


def hdl(text: str) -> str:
    """An expression over the block's outputs that goes into the wrapper."""
    if not re.fullmatch(r"[A-Za-z0-9_$ '\[\]{}()+\-*/%<>=!&|^~?:,.]{1,500}", text):
        raise ValueError(f"{text!r} is not an expression over ports (one line of names, numbers and operators)")
    return text


def fields_of(value: str | list[str] | None) -> str | list[str] | None:
    for name in [value] if isinstance(value, str) else value or []:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
            raise ValueError(f"{name!r} is not a field's name (small letters, digits, _)")
    if isinstance(value, list) and not value:
        raise ValueError("an empty list names no field")
    return value


def ranges(text: list[int] | str) -> list[int]:
    """Numbers counted out: "0..3 8..11" -> 0 1 2 3 8 9 10 11; "1..7:2" -> 1 3 5 7."""
    if not isinstance(text, str):
        return text
    found: list[int] = []
    for word in text.replace(",", " ").split():
        match = re.fullmatch(r"(\d{1,6})(?:\.\.(\d{1,6})(?::([1-9]\d{0,5}))?)?", word)
        if match is None:
            raise ValueError(f"{text!r} is not a list of numbers and ranges (0..3 8 9, 1..7:2)")
        low, high, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        if abs(high - low) >= 1 << 16:
            raise ValueError(f"{word!r} counts more than 65536 numbers")
        found += range(low, high + 1, step) if high >= low else range(low, high - 1, -step)
    return found


def expand(text: str) -> list[str]:
    """'i_{0..3}' -> i_0 i_1 i_2 i_3; numbers keep leading zeros of the first: {00..15}."""
    match = re.search(r"\{(\d+)\.\.(\d+)\}", text)
    if match is None:
        return [text]
    low, high = int(match[1]), int(match[2])
    width = len(match[1]) if match[1].startswith("0") and len(match[1]) > 1 else 0
    step = 1 if high >= low else -1
    if abs(high - low) >= 4096:
        raise ValueError(f"{text!r} counts more than 4096 ports")
    numbers = range(low, high + step, step)
    return [name for n in numbers for name in expand(f"{text[: match.start()]}{n:0{width}d}{text[match.end() :]}")]


Expression = Annotated[int | str, Field(union_mode="left_to_right")]
# Signals that the wrapper looks at: outputs of the block, or an expression over them (`!empty`, `vld & last`).
Watched = Annotated[str, AfterValidator(hdl)]
_Positive = Annotated[int, Field(ge=1, le=1 << 20)]
PerSize = _Positive | dict[int, _Positive]
Numbers = Annotated[list[int] | str, AfterValidator(ranges)]
Lanes = Numbers | dict[int, Numbers]
Fields = Annotated[str | list[str] | None, AfterValidator(fields_of)]
