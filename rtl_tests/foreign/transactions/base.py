"""What all transactions have in common: vectors, fields, and the comparison of answers."""

import difflib
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from rtl_tests.foreign import hints
from rtl_tests.foreign.description import Adapter
from rtl_tests.foreign.sources import AdapterFault

Fields = dict[str, Any]


@dataclass
class Vector:
    """One transaction: what goes in, what has to come out. Scalars are ints, blocks are arrays."""

    op: str
    kind: str
    size: int
    fields: Fields
    expected: dict[str, Any]  # field -> array, or a string of bits
    origin: str = "random"
    planes: dict[str, np.ndarray] = field(default_factory=dict)  # what memory ports serve
    reference: Any = None  # what `judge` compares with where there is more than one right answer

    def __str__(self) -> str:
        scalars = " ".join(
            f"{name}={value}" for name, value in self.fields.items() if not isinstance(value, np.ndarray)
        )
        return f"{self.op} {self.kind} {self.size} ({self.origin}) {scalars}"


class Transaction:
    """Base: `operations` says what can be asked, `vectors` asks it, `judge` looks at an answer.

    Arrays of `fields` can be an input's `field`; scalars can be used in `config`, `set` and `tie`-like expressions.
    """

    name: ClassVar[str]
    operations: ClassVar[dict[str, dict[str, dict[str, tuple[int, ...]]]]]  # standard -> op -> kind -> sizes
    options: ClassVar[dict[str, tuple[Any, str]]] = {}  # name -> default, meaning
    bounds: ClassVar[tuple[str, ...]] = ()  # fields that `domain` may narrow
    planes: ClassVar[tuple[str, ...]] = ()
    copies: ClassVar[tuple[tuple[str, str], ...]] = ()  # (to, from), before each transaction
    engine: ClassVar[str]  # stage of the model that a timing table replaces

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.option = {name: default for name, (default, _) in self.options.items()}
        for name, value in adapter.options.items():
            if name not in self.options:
                near = difflib.get_close_matches(name, self.options, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"{self.name} has {', '.join(self.options) or 'none'}"
                raise AdapterFault(f"options.{name}: unknown; {hint}")
            default = self.options[name][0]
            # A share may be a whole number, n for 1/n.
            if type(value) is not type(default) and not (default in ("1/3", "1/6") and type(value) is int):
                raise AdapterFault(
                    f"options.{name}: {value!r} is not a {type(default).__name__} ({self.options[name][1]})"
                )
            self.option[name] = value
        for name in adapter.domain:
            if name not in self.bounds:
                near = difflib.get_close_matches(name, self.bounds, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"{self.name} has {', '.join(self.bounds) or 'none'}"
                raise AdapterFault(f"domain.{name}: no such bound; {hint}")
        self._before: dict[str, np.ndarray] = {}  # the answers to the last vector that was judged
        self.asked = self._asked()

    def _asked(self) -> list[tuple[str, str, int]]:
        known = self.operations.get(self.adapter.block.standard)
        if known is None:
            raise AdapterFault(
                f"block.standard: {self.name} knows {', '.join(self.operations)}, not {self.adapter.block.standard!r}"
            )
        found = []
        for op, kinds in self.adapter.supports.items():
            for kind, sizes in self._known(known, op, "supports").items() if not kinds else kinds.items():
                allowed = self._known(self._known(known, op, "supports"), kind, f"supports.{op}")
                for size in sizes:
                    if size not in allowed:
                        raise AdapterFault(
                            f"supports.{op}.{kind}: no size {size}; allowed: {', '.join(map(str, allowed))}"
                        )
                    found.append((op, kind, size))
        if not found:
            raise AdapterFault("supports: nothing is asked of the block")
        return found

    @staticmethod
    def _known(table: dict[str, Any], name: str, where: str) -> Any:
        if name not in table:
            near = difflib.get_close_matches(name, table, 1)
            raise AdapterFault(
                f"{where}: no {name!r}; {f'did you mean {near[0]!r}?' if near else ''} known: {', '.join(table)}"
            )
        return table[name]

    def bound(self, name: str, low: int, high: int) -> tuple[int, int]:
        """Legal range of a field: the transaction's own, narrowed by the adapter's `domain`."""
        bound = self.adapter.domain.get(name)
        if bound is None:
            return low, high
        found = (
            max(low, bound.min if bound.min is not None else low),
            min(high, bound.max if bound.max is not None else high),
        )
        if found[0] > found[1]:
            raise AdapterFault(f"domain.{name}: {found[0]}..{found[1]} is empty; the transaction allows {low}..{high}")
        return found

    def vectors(self, rng: np.random.Generator) -> list[Vector]:
        """Corners first, then random vectors, spread over all that the block supports."""
        found = []
        for op, kind, size in self.asked:
            found += [self.made(vector, "corner") for vector in self.corners(op, kind, size)]
        for n in range(self.adapter.vectors):
            found.append(self.random(rng, *self.asked[n % len(self.asked)]))
        return found

    @staticmethod
    def made(vector: Vector, origin: str) -> Vector:
        vector.origin = origin
        return vector

    def corners(self, op: str, kind: str, size: int) -> list[Vector]:
        raise NotImplementedError

    def random(self, rng: np.random.Generator, op: str, kind: str, size: int) -> Vector:
        raise NotImplementedError

    def judge(self, vector: Vector, answer: dict[str, Any]) -> str | None:
        """None if `answer` is right, else the first difference in words, with a hint where there is one."""
        for name, expected in vector.expected.items():
            if name not in answer:
                continue
            found = answer[name]
            if isinstance(expected, str):
                text, hint = self.bits_differ(expected, found), hints.bits_hint(expected, found)
            else:
                text = self._arrays_differ(expected, found)
                hint = (
                    self.other_reading(vector, name, found)
                    or hints.array_hint(expected, found, self._before.get(name), self.adapter.tolerance.max_abs or 0)
                    if text
                    else None
                )  # fmt: skip
                self._before[name] = expected
            if text:
                return f"{name}: {text}{f' ({hint})' if hint else ''}"
        return None

    def other_reading(self, vector: Vector, name: str, found: np.ndarray) -> str | None:
        """What an answer that is wrong would be the right one to, in words that name field or option."""
        return None

    def start_judging(self) -> None:
        """Called before the vectors of a run are judged."""
        self._before.clear()

    def judge_sum(self) -> str | None:
        """What is wrong with all answers together, after each alone was right."""
        return None

    def figures(self) -> dict[str, float]:
        """Further figures of a run, for the report."""
        return {}

    def bits_differ(self, expected: str, found: str) -> str | None:
        """The first difference of two strings of bits."""
        return bits_differ(expected, found)

    def _arrays_differ(self, expected: np.ndarray, found: np.ndarray) -> str | None:
        allowed = self.adapter.tolerance.max_abs or 0
        wrong = np.argwhere(np.abs(expected - found) > allowed)
        if not len(wrong):
            return None
        at = tuple(int(n) for n in wrong[0])
        place = ", ".join(map(str, at))
        return (
            f"element [{place}] is {int(found[at])}, expected {int(expected[at])}"
            f"{f' (within {allowed})' if allowed else ''}; {len(wrong)} of {expected.size} differ"
        )

    def per_unit(self, size: int) -> tuple[float, str]:
        """Transactions in a macroblock (H.264) or a 64x64 CTU (HEVC), and that unit's name."""
        raise NotImplementedError

    def not_covered(self) -> list[str]:
        """Work of the model's stage (an H.264 encode core) that was not asked of the block, in words."""
        raise NotImplementedError

    def foreign_standard(self) -> list[str]:
        """For `not_covered`: the model's stage codes H.264."""
        standard = self.adapter.block.standard
        return [] if standard == "h264" else [f"H.264 (it was asked for {standard})"]

    def timing(self, cycles: float, vectors: list[Vector]) -> dict[str, Any]:
        """The law that a timing table gives the model: see asic_model/timing_table.py. `cycles` of one transaction."""
        raise NotImplementedError


def bits_differ(expected: str, found: str) -> str | None:
    """Compare bit strings; what follows the expected bits has to be filling zeros of less than a word."""
    if found.startswith(expected) and not found[len(expected) :].strip("0") and len(found) - len(expected) < 64:
        return None
    same = next(
        (n for n, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), min(len(expected), len(found))
    )
    return (
        f"bit {same} of {len(expected)}: ...{found[max(0, same - 8) : same + 16]} came, "
        f"...{expected[max(0, same - 8) : same + 16]} was expected ({len(found)} bits came)"
    )


def share(option: int | str, name: str) -> tuple[int, int]:
    """Numerator and denominator of an option that is a share of one: 3 and "1/3" are a third."""
    match = re.fullmatch(r"(\d{1,9})/([1-9]\d{0,9})", str(option) if isinstance(option, str) else f"1/{option}")
    if match is None:
        raise AdapterFault(f"options.{name}: {option!r} is not a share; allowed: n for 1/n, or text like 682/2048")
    return int(match[1]), int(match[2])


def unit_of(standard: str) -> tuple[int, str]:
    """Luma samples on a side of what throughput is counted in."""
    return (64, "CTU") if standard == "hevc" else (16, "macroblock")
