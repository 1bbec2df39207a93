"""The kinds of cores: job class, function and configuration of each, by the kind's number in the registers.

A core is a package or module under `asic_model.cores` that exports `<Kind>Job` (a frozen dataclass of integers, whose
fields are those of the kind's job block), `<Kind>CoreConfig` (a Section), `run(memory, job, config) -> CoreResult` and
`cost(memory, job, config, work, facts) -> (cycles, requests)`, the part of it that needs no pixels.
A chip without pixels takes the work from `estimate.py` instead of `run`.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from asic_model.config import ChipConfig
from asic_model.cores.result import CoreResult
from asic_model.descriptors import (
    DECODE_MATRICES_BYTES,
    DECODE_REFERENCE_BYTES,
    DECODE_SLICE_BYTES,
    Kind,
    Region,
    regions,
)

MODULES = {
    Kind.ENCODE: ("encode", "asic_model.cores.encode", "Encode"),
    Kind.SCALE: ("scale", "asic_model.cores.scale", "Scale"),
    Kind.DECODE: ("decode", "asic_model.cores.decode", "Decode"),
}


class CoreType(NamedTuple):
    """One kind of core. `section` is its name in the chip description."""

    kind: Kind
    section: str
    job_class: Callable[..., Any]
    run: Callable[[np.ndarray, Any, Any], CoreResult]
    config: Any
    cost: Callable[..., tuple[np.ndarray, np.ndarray]] | None = None  # of a job whose work is known
    stages: tuple[str, ...] = ()  # columns of its cycles


def core_types(config: ChipConfig) -> dict[Kind, CoreType]:
    """The kinds of cores that this chip has."""
    found: dict[Kind, CoreType] = {}
    for kind, (section_name, module_name, prefix) in MODULES.items():
        section = getattr(config, section_name)
        if section.cores == 0 or not _present(module_name, f"{prefix}CoreConfig"):
            continue
        module = importlib.import_module(module_name)
        found[kind] = CoreType(
            kind=kind,
            section=section_name,
            job_class=getattr(module, f"{prefix}Job"),
            run=module.run,
            config=_core_config(getattr(module, f"{prefix}CoreConfig"), section),
            cost=module.cost,
            stages=module.STAGES,
        )
    return found


def _present(module_name: str, export: str) -> bool:
    specification = importlib.util.find_spec(module_name)
    if specification is None or specification.origin is None:
        return False
    return hasattr(importlib.import_module(module_name), export)


def _core_config(core_config: Any, section: Any) -> Any:
    """The core's configuration: what the chip description says about the core, its own defaults for the rest."""
    whole = getattr(section, "core", None)
    if isinstance(whole, core_config):
        return whole
    said = {name: getattr(section, name) for name in core_config.model_fields if hasattr(section, name)}
    return core_config(**said)


def build_job(core: CoreType, fields: Mapping[str, int]) -> Any:
    """The job object that the core's `run` takes."""
    return core.job_class(**fields)


def parameter_block(memory: np.ndarray, kind: Kind, fields: Mapping[str, int]) -> bytes:
    """A decode job's slice, matrix and reference records; other kinds have none. The job's regions are legal."""
    if kind is not Kind.DECODE:
        return b""
    block = next(region for region in regions(kind, fields) if region.field == "parameters_address")
    return memory[block.address : block.address + block.size_bytes].tobytes()


def all_regions(memory: np.ndarray, kind: Kind, fields: Mapping[str, int]) -> list[Region]:
    """What a job reads and writes, with what it names indirectly: pictures in a decode job's parameter block."""
    found = regions(kind, fields)
    if kind is not Kind.DECODE:
        return found
    from asic_model.codecs.h264.decode_records import REFERENCE

    out = found[0]
    motion_bytes = next((r.size_bytes for r in found if r.field == "motion_address"), 0)
    begin = fields["parameters_address"] + fields["slice_count"] * DECODE_SLICE_BYTES
    begin += fields["matrix_count"] * DECODE_MATRICES_BYTES
    records = memory[begin : begin + fields["reference_count"] * DECODE_REFERENCE_BYTES].view(REFERENCE)
    for record in records:
        found.append(Region("reference", int(record["address"]), out.size_bytes, False))
        if record["motion_address"]:
            found.append(Region("reference_motion", int(record["motion_address"]), motion_bytes, False))
    return found
