"""Faults on demand: what goes wrong, where and when. The same plan and seed give the same run.

    faults:
      - {kind: engine_hang, core: 0, job: 3, macroblock: 17}
      - {kind: bit_flip, at_us: 2000, address: 0x500040, bits: 1}
      - {kind: slow_core, core: 1, factor: 20, probability: 0.1}
    seed: 7
    ecc: true

| kind | what happens | chosen by |
|---|---|---|
| engine_hang | the core stops at `macroblock` of the job and says nothing more until it is reset | job |
| wrong_result | one byte of what the job put out is changed, for later jobs, too; the core reports success | job |
| slow_core | every stage of the job takes `factor` times its cycles | job |
| bit_flip | `bits` bits of the 8-byte word at `address` are turned over; ECC corrects one, reports two | time |
| lost_doorbell | a doorbell of queue `queue` (-1: any) has no effect | doorbell |
| firmware_trap | the control processor fetches from nowhere and traps | time |
| firmware_stuck | the control processor turns in a circle: no heartbeat, no answers | time |
| link_drop | the host link is down for `for_us`: reads give all ones, writes are lost | time |
| removal | the link goes down and does not come back | time |

Chosen by job or doorbell: the `job`-th (from 0) that `core` (-1: any) starts after the fault was put in, or each one
with `probability`. Chosen by time: `at_us`, simulated, from when the fault was put in.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

KINDS_BY_JOB = ("engine_hang", "wrong_result", "slow_core")
KINDS_BY_TIME = ("bit_flip", "firmware_trap", "firmware_stuck", "link_drop", "removal")
KINDS = (*KINDS_BY_JOB, "lost_doorbell", *KINDS_BY_TIME)
ECC_WORD_BYTES = 8


class FaultError(ValueError):
    """A fault that cannot be: the message names field, value and what is allowed."""


@dataclass(frozen=True)
class Fault:
    """One fault; the module says what the fields mean."""

    kind: str
    core: int = -1
    job: int = 0
    probability: float = 0.0
    macroblock: int = 0
    factor: int = 10
    queue: int = -1
    at_us: float = 0.0
    for_us: float = 1000.0
    address: int = 0
    bits: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FaultError(f"fault kind: {self.kind!r} is not one of {', '.join(KINDS)}")
        for name, low, high in (
            ("core", -1, 31), ("job", 0, 1 << 31), ("probability", 0, 1), ("macroblock", 0, 1 << 20),
            ("factor", 1, 1000), ("queue", -1, 15), ("at_us", 0, 1e12), ("for_us", 0, 1e12), ("address", 0, 1 << 40),
            ("bits", 1, 2),
        ):  # fmt: skip
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise FaultError(f"fault {self.kind}, {name}: {value!r} is not in {low}..{high}")

    @classmethod
    def parse(cls, values: "Mapping[str, Any] | Fault") -> "Fault":
        """Build from a mapping; unknown fields are refused by name."""
        if isinstance(values, Fault):
            return values
        if not isinstance(values, Mapping) or "kind" not in values:
            raise FaultError(f"fault: {values!r} is no mapping with a `kind`")
        known = [item.name for item in fields(cls)]
        for name in values:
            if name not in known:
                raise FaultError(f"fault {values['kind']}: unknown field {name!r}; one of {', '.join(known)}")
        return cls(**values)


def load_faults(source: "str | Path | Mapping[str, Any] | Sequence[Any]") -> tuple[list[Fault], int, bool]:
    """Return (faults, seed, ecc) of a YAML file, or of what such a file would hold."""
    found: Any = source
    if isinstance(source, str | Path):
        try:
            found = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise FaultError(f"{source}: {' '.join(str(error).split())}") from None
    if isinstance(found, Sequence) and not isinstance(found, str):
        found = {"faults": found}
    if not isinstance(found, Mapping) or not set(found) <= {"faults", "seed", "ecc"}:
        raise FaultError("faults: a mapping with `faults`, `seed` and `ecc` is expected")
    seed, ecc = found.get("seed", 0), found.get("ecc", True)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise FaultError(f"faults, seed: {seed!r} is no integer")
    if not isinstance(ecc, bool):
        raise FaultError(f"faults, ecc: {ecc!r} is neither true nor false")
    return [Fault.parse(one) for one in found.get("faults") or []], seed, ecc


class _Armed:
    """A fault that waits for its moment."""

    def __init__(self, fault: Fault, seed: int, number: int, now_ps: int) -> None:
        self.fault = fault
        self.due_ps = now_ps + round(fault.at_us * 1_000_000)
        self.random = random.Random(f"{seed}/{number}/{fault.kind}")
        self._left = fault.job

    def strikes(self) -> bool:
        """Another job or doorbell that it could be meant for; whether this is the one."""
        if self.fault.probability:
            return self.random.random() < self.fault.probability
        self._left -= 1
        return self._left == -1

    @property
    def over(self) -> bool:
        return not self.fault.probability and self._left < 0


class Faults:
    """The faults that are armed in one chip."""

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0, ecc: bool = True) -> None:
        self.seed = seed
        self.ecc = ecc
        self._armed: list[_Armed] = []
        self._count = 0
        self.struck: dict[str, int] = dict.fromkeys(KINDS, 0)
        for fault in faults:
            self.add(fault, 0)

    def add(self, fault: Fault, now_ps: int) -> None:
        """Arm one more from now on."""
        self._armed.append(_Armed(fault, self.seed, self._count, now_ps))
        self._count += 1

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def of_job(self, core: int) -> list[Fault]:
        """A job starts on `core`: the faults that strike it."""
        if not self._armed:
            return []
        return self._strike([a for a in self._armed if a.fault.kind in KINDS_BY_JOB and a.fault.core in (-1, core)])

    def loses_doorbell(self, queue: int) -> bool:
        """A doorbell of `queue` rings: whether nobody hears it."""
        if not self._armed:
            return False
        heard = [a for a in self._armed if a.fault.kind == "lost_doorbell" and a.fault.queue in (-1, queue)]
        return bool(self._strike(heard))

    def _strike(self, armed: list[_Armed]) -> list[Fault]:
        found = [one.fault for one in armed if one.strikes()]
        for fault in found:
            self.struck[fault.kind] += 1
        self._armed = [one for one in self._armed if not (one in armed and one.over)]
        return found

    @property
    def any_armed(self) -> bool:
        return bool(self._armed)

    @property
    def any_spoils(self) -> bool:
        """Whether one is armed that changes what a job puts out."""
        return any(one.fault.kind == "wrong_result" for one in self._armed)

    @property
    def next_ps(self) -> int | None:
        """When the next fault by time is due."""
        due = [one.due_ps for one in self._armed if one.fault.kind in KINDS_BY_TIME]
        return min(due) if due else None

    def take_due(self, now_ps: int) -> list[Fault]:
        """The faults whose time has come, in order; they are disarmed."""
        due = [one for one in self._armed if one.fault.kind in KINDS_BY_TIME and one.due_ps <= now_ps]
        due.sort(key=lambda one: one.due_ps)
        self._armed = [one for one in self._armed if one not in due]
        for one in due:
            self.struck[one.fault.kind] += 1
        return [one.fault for one in due]
