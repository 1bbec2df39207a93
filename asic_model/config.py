"""The chip's configuration: a YAML description becomes one validated, frozen `ChipConfig`.

    config = load_chip("vcu")                      # or a path to a .yaml file
    config = with_changes(config, {"encode.cores": 4, "memory.frame_compression": False})

Each figure carries its source (`config.sources`, by dotted path); see `chips/reader.py` for how a file says so.
"""

import difflib
import functools
import json
import typing
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from asic_model.chips.reader import MARKS, MAX_BYTES, ConfigError, Description, Problem, Source, read
from asic_model.cores.decode import DecodeCoreConfig
from asic_model.cores.encode import EncodeCoreConfig
from asic_model.cores.scale import ScaleCoreConfig
from asic_model.memory.timings import STANDARDS, Timing
from asic_model.section import Section

SCHEMA_VERSION = 1
DEFAULT_CHIP = "vcu"
CHANGED = "changed by the caller"
SHARES_REFERENCES = ("encode", "decode")  # kinds of cores that read reference pictures


def Figure(low: float, high: float, description: str, **extra: Any) -> Any:  # noqa: N802 - reads as a declaration
    """A field with its range and unit; `description` ends in the unit in brackets."""
    return Field(ge=low, le=high, description=description, **extra)


class ClockConfig(Section):
    """Clock domains. Each period is an integer number of picoseconds; time is counted in those."""

    core_mhz: float = Figure(10, 5000, "encode, decode and scale cores [MHz]")
    control_mhz: float = Figure(1, 5000, "control processor [MHz]")
    noc_mhz: float = Figure(10, 5000, "on-chip network [MHz]")

    @property
    def core_ps(self) -> int:
        return round(1e6 / self.core_mhz)

    @property
    def control_ps(self) -> int:
        return round(1e6 / self.control_mhz)

    @property
    def noc_ps(self) -> int:
        return round(1e6 / self.noc_mhz)


class PipelineConfig(Section):
    """How the stages of a core are joined, and how far its memory traffic runs ahead and behind."""

    mode: Literal["fifo", "lockstep"] = Field(
        description="fifo: stages decoupled by bounded FIFOs; lockstep: all stages step together, slot by slot"
    )
    fifo_depth: int = Figure(1, 64, "units that wait between two stages, fifo mode [macroblocks or tiles]")
    prefetch_units: int = Figure(1, 64, "units whose reads may be under way before their stage starts [units]")
    write_units: int = Figure(1, 64, "units whose writes may be under way before the stage must wait [units]")


class EncodeConfig(Section):
    """Encode cores."""

    cores: int = Figure(1, 64, "encode cores [cores]")
    pipeline: PipelineConfig
    core: EncodeCoreConfig = Field(default=EncodeCoreConfig(), description="engines of one core")


class ScaleConfig(Section):
    """Scaler cores."""

    cores: int = Figure(0, 64, "scaler cores [cores]")
    pipeline: PipelineConfig
    core: ScaleCoreConfig = Field(default=ScaleCoreConfig(), description="engines of one core")


class DecodeConfig(Section):
    """Decode cores."""

    cores: int = Figure(0, 64, "decode cores [cores]")
    pipeline: PipelineConfig
    core: DecodeCoreConfig = Field(default=DecodeCoreConfig(), description="engines of one core")


class MemoryConfig(Section):
    """Device memory and its controllers, one a channel."""

    standard: Literal[tuple(STANDARDS)] = Field(description="memory standard and data rate")  # type: ignore[valid-type]
    channels: int = Figure(1, 64, "channels of the standard's width [channels]")
    ranks: int = Figure(1, 4, "ranks a channel [ranks]")
    capacity_mib: int = Figure(16, 1 << 18, "usable device memory [MiB]")
    mapping: Literal["RoBaRaCoCh", "RoRaBaCoCh", "RoCoRaBaCh", "MOP4CLXOR"] = Field(
        description="address bits from the top: Ro row, Ba bank, Ra rank, Co column, Ch channel"
    )
    interleave_bytes: int = Figure(32, 4096, "consecutive bytes in one channel, a power of two [bytes]")
    page: Literal["open", "closed"] = Field(description="open: rows stay open until a conflict; closed: precharge")
    queue_depth: int = Figure(1, 256, "reads that one controller holds [bursts]")
    write_queue_depth: int = Figure(1, 256, "writes that one controller holds [bursts]")
    refresh: bool = Field(description="all-bank refresh every nREFI")
    frame_compression: bool = Field(description="lossless compression of reference pictures in device memory")

    @property
    def timing(self) -> Timing:
        return STANDARDS[self.standard]

    @property
    def capacity_bytes(self) -> int:
        return self.capacity_mib << 20

    @property
    def peak_bytes_s(self) -> int:
        """Bytes a second of all channels."""
        return self.timing.peak_bytes_s * self.channels

    @model_validator(mode="after")
    def _fits(self) -> "MemoryConfig":
        if self.interleave_bytes & (self.interleave_bytes - 1):
            raise ValueError(f"interleave_bytes: {self.interleave_bytes} is not a power of two")
        timing = self.timing
        if not timing.burst_bytes <= self.interleave_bytes <= timing.row_bytes:
            raise ValueError(
                f"interleave_bytes: {self.interleave_bytes} does not lie between a burst ({timing.burst_bytes}) "
                f"and a row ({timing.row_bytes}) of {timing.name}"
            )
        devices = timing.bytes * self.ranks * self.channels
        if self.capacity_bytes > devices:
            raise ValueError(
                f"capacity_mib: {self.capacity_mib} MiB do not fit {self.channels} channels x {self.ranks} ranks of "
                f"{timing.name}, {devices >> 20} MiB"
            )
        return self


class NocConfig(Section):
    """On-chip network between cores and memory controllers."""

    width_bits: int = Figure(32, 2048, "data path of one core's port [bits]")
    latency_cycles: int = Figure(0, 1000, "one way, arbitration included [NoC cycles]")


class HostLinkConfig(Section):
    """Link to the host (PCI Express): one direction each way."""

    bandwidth_mb_s: int = Figure(1, 1_000_000, "payload bytes a second, each direction [10^6 B/s]")
    latency_ns: int = Figure(0, 1_000_000, "first byte of a transfer, one way [ns]")
    mmio_latency_ns: int = Figure(0, 1_000_000, "register access from the host, round trip for reads [ns]")


class ControlConfig(Section):
    """The control processor: cycles of each instruction class, at `clocks.control_mhz`."""

    memory_kib: int = Figure(16, 4096, "its own code and data memory [KiB]")
    alu_cycles: int = Figure(1, 100, "add, logic, compare, lui, auipc [cycles]")
    shift_cycles: int = Figure(1, 100, "shifts, by no bits where they are done in steps [cycles]")
    shift_stride: int = Figure(
        0, 32, "a shift moves so many bits a cycle, the last ones one by one; 0: all at once [bits]", default=0
    )
    load_cycles: int = Figure(1, 100, "load from its own memory [cycles]")
    store_cycles: int = Figure(1, 100, "store to its own memory [cycles]")
    branch_cycles: int = Figure(1, 100, "branch, not taken [cycles]")
    branch_taken_cycles: int = Figure(1, 100, "branch, taken [cycles]")
    jump_cycles: int = Figure(1, 100, "jal [cycles]")
    jump_register_cycles: int = Figure(0, 100, "jalr; 0: as jal [cycles]", default=0)
    multiply_cycles: int = Figure(1, 100, "multiply [cycles]")
    divide_cycles: int = Figure(1, 200, "divide, remainder [cycles]")
    system_cycles: int = Figure(1, 100, "csr access, fence, traps [cycles]")
    mmio_cycles: int = Figure(1, 1000, "access to a register of the chip [cycles]")


class LimitConfig(Section):
    """What the firmware refuses beyond: three separate limits, besides memory."""

    sessions: int = Figure(1, 65536, "open sessions [sessions]")
    encode_mpix_s: float = Figure(1, 1_000_000, "luma samples a second granted to encode sessions [10^6/s]")
    max_width: int = Figure(16, 16384, "picture width [luma samples]")
    max_height: int = Figure(16, 16384, "picture height [luma samples]")


class PowerConfig(Section):
    """Energy constants. Dynamic energy follows the work; `static_w` burns always."""

    encode_pj_per_stage_cycle: float = Figure(0, 10_000, "one busy cycle of one encode stage [pJ]")
    decode_pj_per_stage_cycle: float = Figure(0, 10_000, "one busy cycle of one decode stage [pJ]")
    scale_pj_per_stage_cycle: float = Figure(0, 10_000, "one busy cycle of one scaler stage [pJ]")
    dram_pj_per_bit: float = Figure(0, 1000, "a bit moved to or from device memory, interface included [pJ]")
    dram_activate_pj: float = Figure(0, 100_000, "opening and closing one row [pJ]")
    host_link_pj_per_bit: float = Figure(0, 1000, "a bit over the host link [pJ]")
    control_pj_per_cycle: float = Figure(0, 10_000, "one cycle of the control processor, awake [pJ]")
    static_w: float = Figure(0, 1000, "leakage, clock trees, PHYs and regulators of the idle chip [W]")
    ambient_c: float = Figure(-40, 100, "air at the heat sink [degrees Celsius]", default=35.0)
    thermal_resistance_k_w: float = Figure(0, 100, "from the die through the heat sink to that air [K/W]", default=2.0)
    process_nm: int = Figure(1, 250, "node that the dynamic constants belong to [nm]")


class ChipConfig(Section):
    """One chip, whole. Frozen; every figure of it has a range, a unit and (in `sources`) an origin."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="the chip's name, one lower-case word")
    description: str = Field(max_length=2000, description="what chip this stands for")
    clocks: ClockConfig
    encode: EncodeConfig
    scale: ScaleConfig
    decode: DecodeConfig
    memory: MemoryConfig
    noc: NocConfig
    host_link: HostLinkConfig
    control: ControlConfig
    limits: LimitConfig
    power: PowerConfig
    sources: Annotated[Mapping[str, Source], Field(exclude=True, repr=False)] = {}

    @model_validator(mode="before")
    @classmethod
    def _one_compression(cls, values: Any) -> Any:
        """`memory.frame_compression` is the one switch; the cores that share the pictures take it from there."""
        try:
            switch = values["memory"]["frame_compression"]
            for kind in SHARES_REFERENCES:
                core = values[kind].setdefault("core", {})
                if core.setdefault("frame_compression", switch) != switch:
                    raise ValueError(
                        f"{kind}.core.frame_compression: {core['frame_compression']} contradicts "
                        f"memory.frame_compression, {switch}; leave it out"
                    )
        except (TypeError, KeyError, AttributeError):
            pass  # not the shape of a description: the fields' own checks say so
        return values


# ---------------------------------------------------------------------------------------------------- loading


def list_chips() -> list[str]:
    """Names of the chips that come with the package, sorted."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("asic_model.chips").iterdir()
        if entry.name.endswith(".yaml")
    )


def load_chip(name_or_path: str | Path = DEFAULT_CHIP) -> ChipConfig:
    """Return the chip called `name_or_path`, or described by that file. Raises ConfigError with every problem."""
    text, file = _chip_text(str(name_or_path))
    return parse_chip(text, file)


def _chip_text(name: str) -> tuple[bytes, str]:
    """The description's bytes, and its name in messages."""
    names = list_chips()
    if name in names:
        return resources.files("asic_model.chips").joinpath(f"{name}.yaml").read_bytes(), f"{name}.yaml"
    path = Path(name)
    if path.suffix not in (".yaml", ".yml") and "/" not in name:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(
            [Problem(name, 0, "", f"no such chip; {hint}known: {', '.join(names)}; or give a .yaml file")]
        )
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1), name
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError([Problem(name, 0, "", f"cannot be read: {reason}")]) from None


@functools.lru_cache(maxsize=16)
def parse_chip(text: bytes, file: str = "chip.yaml") -> ChipConfig:
    """Return the chip that `text` describes; the same object for the same text. Raises ConfigError, nothing else."""
    description = read(text, file)
    return _build(description)


def with_changes(config: ChipConfig, changes: Mapping[str, Any], reason: str = CHANGED) -> ChipConfig:
    """Return `config` with some figures replaced, by dotted path; all checks run again."""
    description = Description(
        file=config.name, values=config.model_dump(mode="json"), sources=dict(config.sources), lines={}
    )
    for kind in SHARES_REFERENCES:
        description.values[kind]["core"].pop("frame_compression")  # follows memory.frame_compression
    for path, value in changes.items():
        *sections, last = path.split(".")
        node = description.values
        for name in sections:
            child = node.setdefault(name, {})
            if not isinstance(child, dict):
                raise ConfigError([Problem(config.name, 0, path, f"{name!r} is a figure, not a section")])
            node = child
        node[last] = value
        description.sources[path] = Source("assumption", reason)
    return _build(description)


def _build(description: Description) -> ChipConfig:
    values = description.values
    try:
        text = json.dumps(values, allow_nan=False)
        config = ChipConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError([_explain(description, detail) for detail in error.errors()]) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError([Problem(description.file, 0, "", str(error))]) from None
    sources = {path: description.sources.get(path, _DEFAULT_SOURCE) for path in figures(config)}
    for kind in SHARES_REFERENCES:
        sources[f"{kind}.core.frame_compression"] = sources["memory.frame_compression"]
    return config.model_copy(update={"sources": sources})


_DEFAULT_SOURCE = Source("assumption", "the model's default")


def figures(config: BaseModel, prefix: str = "") -> dict[str, Any]:
    """All figures of a section as {dotted path: value}, in the order of declaration."""
    found: dict[str, Any] = {}
    for name in type(config).model_fields:
        if not prefix and name in ("name", "description", "sources"):
            continue
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            found.update(figures(value, f"{prefix}{name}."))
        elif not isinstance(value, dict):  # tables measured elsewhere bring their own origin
            found[f"{prefix}{name}"] = value
    return found


def field_info(path: str, model: type[BaseModel] = ChipConfig) -> FieldInfo | None:
    """The declaration of the figure at a dotted path: range (`metadata`), unit (`description`)."""
    info = None
    for name in path.split("."):
        info = model.model_fields.get(name) if model else None
        if info is None:
            return None
        model = info.annotation if _is_section(info.annotation) else None  # type: ignore[assignment]
    return info


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


# --------------------------------------------------------------------------------------------------- messages


def _explain(description: Description, detail: Any) -> Problem:
    """Turn pydantic's finding into a line that names file, field, value and what is allowed."""
    location = [str(part) for part in detail["loc"]]
    path = ".".join(location)
    kind, value = detail["type"], detail.get("input")
    info = field_info(path)
    allowed = f"; needed: {_allowed(info)}" if info else ""
    if kind == "extra_forbidden":
        message = _unknown_field(location)
    elif kind == "missing":
        message = f"is missing{allowed}"
    elif kind == "value_error":
        message = str(detail["ctx"]["error"])
    elif isinstance(value, dict):
        message = f"is a section where one figure stands{allowed}"
    elif info and _is_section(info.annotation):
        message = f"is {value!r}, but this is a section with fields of its own"
    elif isinstance(value, str) and info and _is_number(info):
        message = f"{value[:80]!r} is text, not a number{allowed}"
    else:
        message = f"{str(value)[:80]} is not allowed{allowed}"
        if isinstance(value, str) and info:
            near = difflib.get_close_matches(value, [str(v) for v in typing.get_args(info.annotation)], 1, 0.4)
            message += f"; did you mean {near[0]!r}?" if near else ""
    return Problem(description.file, _line(description, location), path, message)


def _line(description: Description, location: list[str]) -> int:
    """Line of the figure, or of the nearest section around it."""
    for length in range(len(location), 0, -1):
        line = description.lines.get(".".join(location[:length]))
        if line:
            return line
    return 0


def _unknown_field(location: list[str]) -> str:
    model: Any = ChipConfig
    for name in location[:-1]:
        info = model.model_fields.get(name)
        model = info.annotation if info else model
    known = [name for name in model.model_fields if name != "sources"] if _is_section(model) else []
    near = difflib.get_close_matches(location[-1], known, 1)
    if near:
        info = model.model_fields[near[0]]
        return f"unknown field; did you mean {near[0]!r} ({_allowed(info)})?"
    return f"unknown field; known here: {', '.join(known)}"


def _is_number(info: FieldInfo) -> bool:
    return info.annotation in (int, float)


def _allowed(info: FieldInfo) -> str:
    """'integer 1..64, encode cores [cores]'."""
    parts = []
    if typing.get_origin(info.annotation) is Literal:
        parts.append("one of " + ", ".join(map(str, typing.get_args(info.annotation))))
    elif info.annotation is bool:
        parts.append("true or false")
    elif _is_number(info):
        bounds = {
            name: getattr(entry, name) for entry in info.metadata for name in ("ge", "gt", "le", "lt")
            if getattr(entry, name, None) is not None
        }  # fmt: skip
        low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
        kind = "integer" if info.annotation is int else "number"
        parts.append(f"{kind} {low:g}..{high:g}" if low is not None and high is not None else kind)
    elif _is_section(info.annotation):
        parts.append("a section")
    if info.description:
        parts.append(info.description)
    return ", ".join(parts)


# ----------------------------------------------------------------------------------------------------- schema


def json_schema() -> dict[str, Any]:
    """JSON schema of a chip description file, for editors: every figure plain or as {value, mark, source}."""
    schema = ChipConfig.model_json_schema(mode="validation")
    schema["properties"].pop("sources", None)
    definitions = schema.setdefault("$defs", {})
    definitions.pop("Source", None)
    for name, section in [("", schema), *definitions.items()]:
        if section.get("type") != "object":
            continue
        for field, leaf in section["properties"].items():
            if "$ref" not in leaf and "allOf" not in leaf and not (name == "" and field in ("name", "description")):
                section["properties"][field] = {"anyOf": [leaf, _figure_schema(leaf)]}
        section["properties"]["assumption"] = {"type": "string", "description": "why the plain figures here are so"}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = f"tasic chip description, version {SCHEMA_VERSION}"
    return schema


def _figure_schema(leaf: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"value": leaf, "mark": {"enum": list(MARKS)}, "source": {"type": "string"}},
        "required": ["value", "mark", "source"],
        "additionalProperties": False,
    }
