"""Cycles of a stage as somebody's RTL was measured to take them, in place of the engine's own law.

`tasic rtl check --timing FILE` writes such a table for a foreign block, `--timing-from FILE` of the commands loads it.
A table names the stage that it replaces and a linear law over the work record:

    cycles of a macroblock = constant + sum of per[field] * work[field], rounded up

`stage: core` stands for a whole encoder: its cycles are counted in mode_decision, the other stages take none.
"""

import json
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError, field_validator

from asic_model.section import Section
from asic_model.work import ENCODE_WORK

FORMAT = 1
KIND = "tasic-timing"
MAX_BYTES = 1 << 20
CORE = "core"
# What can be replaced in an encode core: its stages, intra prediction inside mode decision, or all of it.
STAGES = (
    "motion_search", "fractional_search", "mode_decision", "intra_prediction", "transform", "deblock", "entropy", CORE,
)  # fmt: skip


class TimingError(ValueError):
    """A timing table cannot be used; the message names file, field, value and what is allowed."""


class StageTiming(Section):
    """One stage's law, and the block that it was measured on."""

    block: str = Field("", max_length=200, description="the block that was measured")
    constant: float = Field(0.0, ge=0, le=1e7, description="cycles of every macroblock [cycles]")
    per: dict[str, float] = Field({}, description="cycles for each unit of a field of the work record [cycles]")
    not_covered: str = Field("", max_length=1000, description="work of the stage that nobody measured, in words")
    inter_only: bool = Field(False, description="macroblocks that were not searched take no cycles")

    @field_validator("per")
    @classmethod
    def _known_fields(cls, value: dict[str, float]) -> dict[str, float]:
        for name, cycles in value.items():
            if name not in (ENCODE_WORK.names or ()):
                raise ValueError(f"{name!r} is no field of the work record: {', '.join(ENCODE_WORK.names or ())}")
            if not 0 <= cycles <= 1e6:
                raise ValueError(f"{name}: {cycles} cycles are not within 0..1000000")
        return value


def known_stages(value: dict[str, StageTiming]) -> dict[str, StageTiming]:
    """Validator of a configuration's tables by stage."""
    for name in value:
        if name not in STAGES:
            raise ValueError(f"{name!r} is no stage: {', '.join(STAGES)}")
    return value


def cycles(timing: StageTiming, work: np.ndarray) -> np.ndarray:
    """int64[n] cycles of each macroblock of the work record."""
    found = np.full(len(work), timing.constant, np.float64)
    for name, each in timing.per.items():
        found += each * work[name].astype(np.float64)
    if timing.inter_only:
        searched = work["motion_search_coarse"].astype(np.int64) + work["motion_search_fine"] > 0
        found = np.where(searched, found, 0.0)
    # A sum of products like 24 * (96 / 24) must not round up to the next cycle.
    return np.ceil(found - 1e-6).astype(np.int64)


def load(path: Path) -> tuple[str, StageTiming]:
    """Return (stage, law) of a table file. Raises TimingError."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise TimingError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        data = json.loads(text) if len(text) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise TimingError(f"{path}: is no timing table (`tasic rtl check --timing FILE` writes one)")
    if data.get("format") != FORMAT:
        raise TimingError(f"{path}: format: {data.get('format')!r} is not understood; this program reads {FORMAT}")
    stage = data.get("stage")
    if stage not in STAGES:
        raise TimingError(f"{path}: stage: {stage!r} is not one of {', '.join(STAGES)}")
    law = data.get("law")
    if not isinstance(law, dict):
        raise TimingError(f"{path}: law: is missing")
    try:
        parts = data.get("not_covered", [])
        said = {
            "block": str(data.get("block", ""))[:200],
            "not_covered": ", ".join(map(str, parts))[:1000] if isinstance(parts, list) else "",
        }
        return stage, StageTiming.model_validate_json(json.dumps({**law, **said}))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, ("law", *first["loc"])))
        reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"].lower()
        raise TimingError(f"{path}: {field}: {str(first['input'])[:80]} is not allowed ({reason})") from None
