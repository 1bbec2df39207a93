"""Gates of engines that have RTL, in place of assumptions: what a stage's cycle costs, and its area.

`gates.json` beside this file is the one source: `tasic rtl area --record` writes it from Yosys' counts. The RTL has the
sizes of the chip `tiny`; a stage of a chip with other sizes has no entry here and keeps what its description assumes.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from asic_model.config import ChipConfig, load_chip

TABLE = Path(__file__).with_name("gates.json")
# RTL modules of a stage; what stands inside of one and is a stage of its own counts there only.
ENGINES = {
    "mode_decision": ("mode_decision",),
    "motion_search": ("motion_search",),
    "fractional_search": ("fractional_search",),
    "transform": ("transform", "transform_8x8"),
    "deblock": ("deblock",),
    "entropy": ("entropy",),
}
SIZES = "tiny"


class Area(NamedTuple):
    """Of one stage: NAND2 equivalents, flip-flops included, and SRAM beside them."""

    gates: float
    sram_bits: int


def table() -> dict[str, Any]:
    """The recorded counts: `engines` by name, with the date and the tool."""
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=1)
def _recorded() -> Mapping[str, Area]:
    engines = table()["engines"]
    return {
        stage: Area(sum(map(_gates, names)), sum(engines[name]["sram_bits"] for name in names))
        for stage, names in ENGINES.items()
        if all(name in engines for name in names)
    }


def _gates(name: str) -> float:
    """Gates of an engine without the stages inside of it."""
    engines = table()["engines"]
    inside = engines[name].get("parts", {})
    stages = {part: number for part, number in inside.items() if any(part in names for names in ENGINES.values())}
    return float(engines[name]["gates"] - sum(engines[part]["gates"] * number for part, number in stages.items()))


@lru_cache(maxsize=1)
def _sizes() -> Any:
    return load_chip(SIZES).encode.core


def encode_stages(config: ChipConfig) -> dict[str, Area]:
    """Area of the encode stages whose engine has the sizes of the RTL."""
    core = config.encode.core
    if not config.encode.cores:
        return {}
    return {stage: area for stage, area in _recorded().items() if getattr(core, stage) == getattr(_sizes(), stage)}
