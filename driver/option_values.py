"""Values of options as users type them: bit rates, ratios, sizes, switches; what is none raises ValueError."""

import difflib
from fractions import Fraction

from asic_model.descriptors import Tool


def parse_rate(text: str | int) -> int:
    """Return bits a second from `2M`, `500k`, `2.5M` or a plain number (SI multiples, as in FFmpeg)."""
    raw = str(text).strip()
    scale = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}.get(raw[-1:].lower(), 0)
    try:
        return round(Fraction(raw[:-1] if scale else raw) * (scale or 1))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{raw!r} is not a bit rate; write 2M, 500k or 2000000") from None


def parse_fraction(text: "str | int | float | Fraction") -> Fraction:
    """Return a rate or ratio from `30000/1001`, `16:9`, `29.97` or a number."""
    try:
        return Fraction(text.replace(":", "/")) if isinstance(text, str) else Fraction(text).limit_denominator(1 << 20)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is not a number or a ratio such as 30000/1001") from None


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) in samples from `1280x720`."""
    width, cross, height = text.lower().partition("x")
    if not cross or not width.isdecimal() or not height.isdecimal():
        raise ValueError(f"{text!r} is not a size such as 1280x720")
    return int(width), int(height)


def parse_integer(text: "str | int | float") -> int:
    """Return a whole number from its digits or from a number without fraction."""
    try:
        number = int(text)
        if isinstance(text, str) or number == text:
            return number
        raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{text!r} is not a whole number") from None


def parse_tools(text: "str | int") -> int:
    """Return the bit set of `direct,shapes`; a number is one already."""
    if isinstance(text, int):
        return text
    found = 0
    for word in filter(None, (part.strip().upper().replace("-", "_") for part in text.split(","))):
        if word not in Tool.__members__:
            known = [name.lower() for name in Tool.__members__]
            raise ValueError(f"{word.lower()!r} is not one of {', '.join(known)}{near(word.lower(), known)}")
        found |= Tool[word]
    return found


def parse_flag(text: "str | int | bool") -> bool:
    """Return whether an option is on."""
    if str(text).lower() in ("1", "true", "yes", "on"):
        return True
    if str(text).lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{text!r} is neither 0 nor 1")


def near(word: str, known: "list[str] | tuple[str, ...]") -> str:
    """Return `; did you mean X?` for the known word next to `word`, or nothing."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""
