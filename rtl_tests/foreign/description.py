"""The adapter's language: one YAML file says how a foreign block is built, driven and judged.

    adapter = load_adapter(Path("block.yaml"))     # raises ConfigError: file, line, field, value, what is allowed

docs/rtl_check.md explains each field with examples; `json_schema()` is for editors.
"""

import difflib
import json
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from asic_model.chips.reader import MAX_BYTES, MAX_SCALAR_CHARS, ConfigError, Problem, compose, plain_scalar
from rtl_tests.foreign import expressions

ADAPTER_VERSION = 1
TRANSACTIONS = (
    "block_transform", "block_match", "intra_predict", "residual_code", "deblock", "frame_encode",
)  # fmt: skip
# Names that the issue and the engines use, and the transaction that each stands for.
ALIASES = {
    "transform": "block_transform", "motion_search": "block_match", "intra_prediction": "intra_predict",
    "cavlc": "residual_code", "cabac": "residual_code", "entropy": "residual_code", "bitstream": "frame_encode",
}  # fmt: skip
IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_$]{0,127}$"
RULES = ("UNDRIVEN", "PINMISSING", "MODDUP", "MULTIDRIVEN", "LATCH")

Name = Annotated[str, Field(pattern=IDENTIFIER)]
Count = Annotated[int, Field(ge=0, le=1 << 20)]


class Part(BaseModel):
    """Base of every section."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _expression(text: int | str) -> int | str:
    """An arithmetic expression over fields; checked here, evaluated for each transaction."""
    expressions.parse(text)
    return text


def _hdl(text: str) -> str:
    """An expression over the block's outputs that goes into the wrapper."""
    if not re.fullmatch(r"[A-Za-z0-9_$ '\[\]{}()+\-*/%<>=!&|^~?:,.]{1,500}", text):
        raise ValueError(f"{text!r} is not an expression over ports (one line of names, numbers and operators)")
    return text


Expression = Annotated[int | str, Field(union_mode="left_to_right")]
PerSize = int | dict[int, int]
Lanes = list[int] | dict[int, list[int]]


class Block(Part):
    """What the block is."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="one lower-case word; names builds and tables")
    standard: Literal["h264", "hevc", "jpeg", "mpeg2", "none"] = Field(description="whose arithmetic it follows")
    transaction: Literal[TRANSACTIONS] = Field(description="what is asked of it")  # type: ignore[valid-type]
    licence: str = Field("", max_length=200, description="the block's licence, for the record")
    redistributable: bool = Field(False, description="whether the sources may be passed on")
    description: str = Field("", max_length=2000, description="for the reader")

    @field_validator("transaction", mode="before")
    @classmethod
    def _alias(cls, value: Any) -> Any:
        return ALIASES.get(value, value) if isinstance(value, str) else value


class Overlay(Part):
    """A change of one source file, made in a scratch copy."""

    file: str = Field(description="source or include file, relative to the adapter")
    replace: list[str] = Field(min_length=2, max_length=2, description="[regular expression, text]")
    count: int = Field(1, ge=1, le=10_000, description="matches that there have to be, no more and no fewer")
    why: str = Field(min_length=1, max_length=500, description="what the change is for")

    @field_validator("replace")
    @classmethod
    def _compiles(cls, value: list[str]) -> list[str]:
        try:
            re.compile(value[0], re.MULTILINE)
        except re.error as error:
            raise ValueError(f"{value[0]!r} is not a regular expression: {error}") from None
        return value


class Sources(Part):
    """Files of the block, relative to the adapter."""

    files: list[str] = Field(min_length=1, max_length=2000, description='files, globs, or "@list.f"')
    exclude: list[str] = Field([], description="globs taken out again")
    incdirs: list[str] = Field([], description="include folders")
    defines: dict[Name, int | str | bool] = Field({}, description="macros; true defines without a value")
    parameters: dict[Name, int | str] = Field({}, description="parameters of the top, as literals")
    overlay: list[Overlay] = Field([], max_length=200, description="patches applied to scratch copies")
    stubs: list[str] = Field([], description="files that stand in for missing modules")


class Waiver(Part):
    """A finding of the build that is accepted."""

    rule: Literal[RULES] = Field(description="Verilator's name of it")  # type: ignore[valid-type]
    why: str = Field(min_length=1, max_length=500, description="why it is harmless here")


class Simulator(Part):
    """Arguments of one simulator."""

    args: list[str] = Field([], max_length=100, description="further arguments")
    use: Literal["auto", "never"] = Field("auto", description="auto: where it is installed")


class Tool(Part):
    """How the sources are built."""

    language: Literal["1364-1995", "1364-2001", "1364-2005", "1800-2012", "1800-2017"] = Field(
        "1800-2017", description="language of .v files"
    )
    timing: bool = Field(False, description="honour # delays instead of leaving them out")
    verilator: Simulator = Simulator()
    icarus: Simulator = Simulator()
    waive: list[Waiver] = Field([], description="findings that are accepted, with the reason")


class Clock(Part):
    """The block's clock."""

    port: Name
    edge: Literal["rising", "falling"] = "rising"


class Reset(Part):
    """The block's reset, given once before the first transaction."""

    port: Name
    active: Literal["low", "high"] = Field(description="level that resets")
    asynchronous: bool = Field(False, alias="async", description="takes effect without a clock edge")
    cycles: int = Field(5, ge=1, le=10_000, description="cycles that it is held")


class Record(Part):
    """One member of a packed record on a port."""

    value: Expression
    width: int = Field(ge=1, le=512)

    _check = field_validator("value")(_expression)


class Packed(Part):
    """A port made of members, the first in the most significant place unless `first: low`."""

    members: list[Record] = Field(min_length=1, max_length=256)
    first: Literal["low", "high"] = "high"


class Start(Part):
    """How a transaction is begun."""

    port: Name
    style: Literal["pulse", "level", "fall"] = Field(
        "pulse", description="pulse: high for a cycle; level: high until done; fall: taken on the falling edge"
    )


class Done(Part):
    """How the block says that a transaction is finished."""

    port: Name
    style: Literal["pulse", "level", "fall"] = Field(
        "pulse", description="pulse: high for a cycle; level: 1 is idle, it falls and rises again; fall: busy, falls"
    )


class Control(Part):
    """One transaction at a time, between start and done. Without this section transactions stream."""

    start: Start | None = None
    done: Done | None = Field(None, description="absent: done when all outputs have come")
    setup_cycles: int = Field(1, ge=0, le=10_000, description="cycles that configuration stands before start")
    data_cycles: int = Field(1, ge=0, le=10_000, description="cycles from start to the inputs' first beat")
    recovery_cycles: int = Field(2, ge=0, le=100_000, description="cycles after done before anything changes")


class Stream(Part):
    """Ports that carry one field of the transaction, and how."""

    field: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]{0,31}$", description="field of the transaction")
    valid: Name | None = Field(None, description="1 while the beat stands")
    ready: Name | None = Field(None, description="1 when the other side takes the beat")
    address: str | None = Field(None, description="ram, read: address, an expression over ports")
    enable: str | None = Field(None, description="ram: access enable, an expression over ports")
    latency: int = Field(0, ge=0, le=10_000, description="cycles; ram and pull: request to data; latency: in to out")
    ports: str | list[str] = Field([], description="data ports, in the order of lanes; i_{0..15} counts")
    width: int | None = Field(None, ge=1, le=4096, description="bits of one element")
    signed: bool | None = Field(None, description="two's complement")
    first: Literal["low", "high"] | None = Field(
        None, description="where lane 0 of a packed port stands; absent: as the port's range runs"
    )
    order: Literal["raster", "transposed", "zigzag", "inverse_zigzag"] = "raster"
    take: int | None = Field(None, ge=1, le=1 << 20, description="elements that go over the ports, from the first")
    per_beat: PerSize | None = Field(None, description="elements a beat, by size if they differ")
    lanes: Lanes | None = Field(None, description="lanes that a beat's elements take, by size if they differ")

    @field_validator("address", "enable")
    @classmethod
    def _is_hdl(cls, value: str | None) -> str | None:
        return None if value is None else _hdl(value)

    def port_names(self) -> list[str]:
        """Data ports with `{a..b}` counted out."""
        found: list[str] = []
        for text in [self.ports] if isinstance(self.ports, str) else self.ports:
            found += expand(text)
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


class Input(Stream):
    """A field that goes into the block."""

    kind: Literal["hold", "valid", "valid_ready", "pull", "ram", "bit_window"] = Field(
        description="hold: stands from start to done; valid: a beat a cycle; valid_ready: until taken; "
        "pull: after a request; ram: the block addresses it; bit_window: a sliding window of a bit string"
    )
    request: Name | None = Field(None, description="pull: the block's request")
    burst: PerSize | None = Field(None, description="pull: beats a request; absent: the block takes one a cycle")
    consumed: str | None = Field(None, description="bit_window: bits taken, an expression over ports")
    gap: int = Field(0, ge=0, le=10_000, description="cycles between two beats")
    bubbles: bool | None = Field(None, description="whether beats may pause at random; absent: with valid_ready only")
    before_start: bool = Field(False, description="sent before start is given")
    set: dict[Name, Expression] = Field({}, description="further ports of each beat: expressions, `beat` counts from 0")
    writes: list[dict[Name, Expression]] = Field([], max_length=4096, description="beats written out, port by port")
    depth: int = Field(4096, ge=1, le=1 << 24, description="ram: words")

    @field_validator("consumed")
    @classmethod
    def _consumed_is_hdl(cls, value: str | None) -> str | None:
        return None if value is None else _hdl(value)

    @field_validator("set")
    @classmethod
    def _set_parses(cls, value: dict[str, Any]) -> dict[str, Any]:
        for each in value.values():
            _expression(each)
        return value

    @field_validator("writes")
    @classmethod
    def _writes_parse(cls, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for each in value:
            for text in each.values():
                _expression(text)
        if len({tuple(each) for each in value}) > 1:
            raise ValueError("every write names the same ports in the same order")
        return value

    @model_validator(mode="after")
    def _belongs(self) -> "Input":
        needed = {"valid": ["valid"], "valid_ready": ["valid", "ready"], "pull": ["request"], "ram": ["address"],
                  "bit_window": ["consumed"]}  # fmt: skip
        for name in needed.get(self.kind, []):
            if getattr(self, name) is None and not (name == "valid" and self.kind == "valid"):
                raise ValueError(f"kind {self.kind} needs `{name}`")
        if bool(self.field) == bool(self.writes):
            raise ValueError("either `field` (with `ports`) or `writes`, not both")
        if self.field and not self.ports and not self.set:
            raise ValueError("`ports` is missing (or `set`, where expressions make all of a beat)")
        if not self.ports and self.kind in ("ram", "bit_window"):
            raise ValueError(f"kind {self.kind} needs `ports`")
        return self


class Output(Stream):
    """A field that comes out of the block."""

    kind: Literal["hold", "valid", "valid_ready", "latency", "ram", "read"] = Field(
        description="hold: stands at done; valid: a beat a cycle; valid_ready: until taken; latency: so many cycles "
        "after the input's first beat; ram: the block writes it; read: the wrapper reads the block's memory after done"
    )
    after: str | None = Field(None, description="latency: name of the input that it follows; absent: the first")
    length: str | None = Field(None, description="bits of the beat that count, an expression over ports")
    align: Literal["low", "high"] = Field("low", description="with `length`: which end of the beat they stand at")
    hold_cycles: int = Field(0, ge=0, le=1000, description="hold: cycles from done to the sample")
    fill: int | None = Field(None, description="ram: value of words that were never written")

    @field_validator("length")
    @classmethod
    def _length_is_hdl(cls, value: str | None) -> str | None:
        return None if value is None else _hdl(value)

    @model_validator(mode="after")
    def _belongs(self) -> "Output":
        needed = {
            "valid": ["valid"],
            "valid_ready": ["valid", "ready"],
            "ram": ["address", "enable"],
            "read": ["address"],
        }
        for name in needed.get(self.kind, []):
            if getattr(self, name) is None:
                raise ValueError(f"kind {self.kind} needs `{name}`")
        if not self.field or not self.ports:
            raise ValueError("`field` and `ports` are needed")
        return self


class Transfer(Part):
    """One command of a memory port: a rectangle of a plane, in or out."""

    when: str = Field("1'b1", description="which command this is, an expression over ports")
    direction: Literal["in", "out"] = Field(description="in: into the block")
    plane: str = Field(pattern=r"^[a-z][a-z_]{0,31}$", description="plane of the transaction")
    x: str = Field("0", description="first sample's column, an expression over ports")
    y: str = Field("0", description="first sample's row")
    width: int = Field(ge=1, le=4096, description="samples of a row")
    height: int = Field(ge=1, le=4096, description="rows")

    @field_validator("when", "x", "y")
    @classmethod
    def _is_hdl(cls, value: str) -> str:
        return _hdl(value)


class MemoryPort(Part):
    """External memory behind commands: start with parameters, a burst in or out, done."""

    start: Start
    done: Name | None = Field(None, description="pulsed when the burst is over")
    commands: list[Transfer] = Field(min_length=1, max_length=32)
    samples: int = Field(8, ge=1, le=256, description="samples a beat")
    first: Literal["low", "high"] = Field("high", description="where a beat's first sample stands")
    data_in: Name | None = Field(None, description="port of data into the block")
    data_out: Name | None = Field(None, description="port of data out of the block")
    valid: Name | None = Field(None, description="1 with each beat into the block")
    enable: Name | None = Field(None, description="1 with each read of the block's buffer")
    address: Name | None = Field(None, description="beat number, to the block")
    read_latency: int = Field(1, ge=0, le=16, description="cycles from enable to data_out; 0 is show-ahead")
    latency: int = Field(0, ge=0, le=100_000, description="cycles from the command to the first beat")
    beat_gap: int = Field(0, ge=0, le=1000, description="cycles between beats")
    done_gap: int = Field(1, ge=0, le=1000, description="cycles from the last beat to done")


class Bound(Part):
    """Legal values of a field."""

    min: int | None = None
    max: int | None = None


class Tolerance(Part):
    """How far an answer may be off."""

    max_abs: int | None = Field(None, ge=0, le=1 << 30, description="largest difference of a value")
    cost: Literal["optimal", "consistent"] | None = Field(
        None, description="block_match: the cost has to be the smallest there is, or only that of the vector"
    )
    min_psnr_db: float | None = Field(None, ge=0, le=100, description="frame_encode: luma of each decoded picture")


class KnownBug(Part):
    """A deviation that somebody has looked into."""

    where: str = Field(max_length=500)
    effect: str = Field(max_length=500)
    clause: str = Field("", max_length=200)
    waive: dict[str, int | str] = Field(
        {}, description="fields and values: vectors that match them all may differ without failing the check"
    )


class Expect(Part):
    """Claims about time that are checked."""

    cycles_max: float | None = Field(None, gt=0, description="cycles of a transaction, at most, on average")
    interval_max: float | None = Field(None, gt=0, description="cycles between transactions, streamed, on average")


class Adapter(Part):
    """One adapter, whole."""

    adapter: Literal[1] = Field(description="version of this language")
    block: Block
    top: Name = Field(description="module to instantiate")
    sources: Sources
    tool: Tool = Tool()
    clock: Clock | None = Field(None, description="absent: combinational")
    reset: Reset | None = None
    tie: dict[Name, int | str] = Field({}, description="inputs that never change; text is a Verilog literal")
    config: dict[Name, Expression | Packed] = Field({}, description="inputs that stand during a transaction")
    control: Control | None = Field(None, description="absent: transactions stream one behind the other")
    supports: dict[str, dict[str, list[int]]] = Field(description="{operation: {kind: [sizes]}}: what is asked")
    options: dict[str, int | str | bool] = Field({}, description="further figures of the transaction")
    inputs: dict[Name, Input] = Field({}, max_length=64)
    outputs: dict[Name, Output] = Field({}, max_length=64)
    memory_ports: dict[Name, MemoryPort] = Field({}, max_length=8)
    domain: dict[str, Bound] = Field({}, description="stimulus that the block is made for")
    tolerance: Tolerance = Tolerance()
    expect: Expect = Expect()
    timeout_cycles: int = Field(100_000, ge=10, le=1 << 30, description="cycles without progress that fail the run")
    vectors: int = Field(500, ge=1, le=1_000_000, description="random vectors, besides corners")
    known_bugs: list[KnownBug] = []

    @field_validator("config")
    @classmethod
    def _config_parses(cls, value: dict[str, Any]) -> dict[str, Any]:
        for each in value.values():
            if not isinstance(each, Packed):
                _expression(each)
        return value

    @model_validator(mode="after")
    def _fits(self) -> "Adapter":
        if not self.outputs and not self.memory_ports:
            raise ValueError("a block without `outputs` cannot be judged")
        if self.control is None:
            if self.clock is not None:
                held = [name for name, each in self.inputs.items() if each.kind in ("hold", "ram", "bit_window")]
                held += [name for name, each in self.outputs.items() if each.kind in ("hold", "ram", "read")]
                if held:
                    raise ValueError(f"{held[0]}: this kind needs a `control` section (when does a transaction end?)")
            if self.config:
                raise ValueError(
                    "`config` needs a `control` section; in streams give such ports under an input's `set`"
                )
        elif self.clock is None:
            raise ValueError("`control` needs a `clock`")
        for name, each in self.outputs.items():
            if each.after is not None and each.after not in self.inputs:
                raise ValueError(f"outputs.{name}.after: no input {each.after!r}; one of {', '.join(self.inputs)}")
        return self


# ---------------------------------------------------------------------------------------------------- loading


def load_adapter(path: Path) -> Adapter:
    """Return the adapter that the file holds. Raises ConfigError with every problem, by line and field."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError([Problem(str(path), 0, "", f"cannot be read: {reason}")]) from None
    return parse_adapter(text, path.name)


def parse_adapter(text: bytes, file: str = "adapter.yaml") -> Adapter:
    """Return the adapter that `text` describes. Raises ConfigError (and nothing else, for any bytes)."""
    root = compose(text, file)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError([Problem(file, 1, "", "an adapter is a mapping (`adapter: 1`, `block: ...`)")])
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    values = _values(root, "", file, lines, problems)
    if problems:
        raise ConfigError(problems)
    try:
        return Adapter.model_validate(values)
    except ValidationError as error:
        raise ConfigError([_explain(detail, file, lines) for detail in error.errors()]) from None
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise ConfigError([Problem(file, 0, "", " ".join(str(error).split())[:300])]) from None


def _values(node: yaml.Node, path: str, file: str, lines: dict[str, int], problems: list[Problem]) -> Any:
    """Plain values of a node; `lines` learns where each stands."""
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if isinstance(node, yaml.ScalarNode):
        if len(node.value) > MAX_SCALAR_CHARS:
            problems.append(Problem(file, line, path, f"is longer than {MAX_SCALAR_CHARS} characters"))
            return None
        return plain_scalar(node.value, node.style)
    if isinstance(node, yaml.SequenceNode):
        return [_values(each, f"{path}.{n}", file, lines, problems) for n, each in enumerate(node.value)]
    found: dict[Any, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(file, line, path, "a field's name is one word"))
            continue
        name = plain_scalar(key.value, key.style)
        name = name if isinstance(name, int) and not isinstance(name, bool) else key.value
        here = f"{path}.{name}" if path else str(name)
        if name in found:
            problems.append(Problem(file, key.start_mark.line + 1, here, "is given twice"))
            continue
        lines[here] = key.start_mark.line + 1
        found[name] = _values(value, here, file, lines, problems)
    return found


def _explain(detail: Any, file: str, lines: Mapping[str, int]) -> Problem:
    location = [str(part) for part in detail["loc"]]
    # Alternatives of a union appear in the location under their types' names, which are no fields of the file.
    shown = [part for part in location if re.fullmatch(r"[\w.-]+", part) and part not in _UNION_PARTS]
    path = ".".join(shown)
    kind, value = detail["type"], detail.get("input")
    field, section = _declaration(shown)
    note = f"; needed: {_allowed(field)}" if field is not None else ""
    if kind == "extra_forbidden":
        known = sorted(section.model_fields) if section is not None else []
        near = difflib.get_close_matches(location[-1], known, 1)
        message = f"unknown field; did you mean {near[0]!r}?" if near else f"unknown field; known: {', '.join(known)}"
    elif kind == "missing":
        message = f"is missing{note}"
    elif kind == "value_error":
        message = str(detail["ctx"]["error"])
    else:
        message = f"{_short(value)} is not allowed ({detail['msg'].lower()}){note}"
        choices = [str(choice) for choice in _choices(field.annotation)] if field is not None else []
        near = difflib.get_close_matches(str(value), [*choices, *(ALIASES if "transaction" in shown else ())], 1, 0.4)
        message += f"; did you mean {near[0]!r}?" if near else ""
    at = shown
    while at and ".".join(at) not in lines:
        at = at[:-1]
    return Problem(file, lines.get(".".join(at), 0), path, message)


_UNION_PARTS = frozenset(("int", "str", "bool", "Packed", "function-after", "literal"))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _declaration(location: list[str]) -> tuple[Any, Any]:
    """Field and section at a place in the adapter, None where there is none."""
    section: Any = Adapter
    field = None
    for part in location:
        if section is None:
            return None, None
        names = {(info.alias or name): info for name, info in section.model_fields.items()}
        if part in names:
            field = names[part]
            inner = [each for each in _flat(field.annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
            holder, section = section, inner[0] if inner else None
            if part == location[-1]:
                return field, holder
        elif part != location[-1] or field is None:
            continue  # a key of a mapping, or a place in a list
        else:
            return None, section
    return field, section


def _flat(annotation: Any) -> list[Any]:
    found = [annotation]
    for each in typing.get_args(annotation):
        found += _flat(each) if not isinstance(each, (int, str)) else []
    return found


def _choices(annotation: Any) -> list[Any]:
    found: list[Any] = []
    for each in _flat(annotation):
        if typing.get_origin(each) is Literal:
            found += typing.get_args(each)
    return found


def _allowed(field: Any) -> str:
    parts = []
    choices = _choices(field.annotation)
    if choices:
        parts.append("one of " + ", ".join(map(str, choices)))
    bounds = {name: getattr(entry, name) for entry in field.metadata for name in ("ge", "gt", "le", "lt")
              if getattr(entry, name, None) is not None}  # fmt: skip
    if bounds:
        parts.append(f"{bounds.get('ge', bounds.get('gt', ''))}..{bounds.get('le', bounds.get('lt', ''))}")
    if field.description:
        parts.append(field.description)
    return ", ".join(parts) or "see docs/rtl_check.md"


def json_schema() -> str:
    """JSON schema of the adapter's language, for editors."""
    return json.dumps(Adapter.model_json_schema(), indent=1)
