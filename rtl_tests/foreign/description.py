"""The adapter's language: one YAML file says how a foreign block is built, driven and judged.

docs/rtl_check.md explains each field with examples; `json_schema()` is for editors. reading.py loads a file.
"""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

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
RULES = ("UNDRIVEN", "PINMISSING", "MODDUP", "MULTIDRIVEN", "LATCH", "SELRANGE")

Name = Annotated[str, Field(pattern=IDENTIFIER)]
# An input of one bit that the wrapper drives; "!" in front: active low.
Driven = Annotated[str, Field(pattern=r"^!?[A-Za-z_][A-Za-z0-9_$]{0,127}$")]
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


def _fields(value: str | list[str] | None) -> str | list[str] | None:
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


Expression = Annotated[int | str, Field(union_mode="left_to_right")]
# Signals that the wrapper looks at: outputs of the block, or an expression over them (`!empty`, `vld & last`).
Watched = Annotated[str, AfterValidator(_hdl)]
PerSize = int | dict[int, int]
Numbers = Annotated[list[int] | str, AfterValidator(ranges)]
Lanes = Numbers | dict[int, Numbers]
Fields = Annotated[str | list[str] | None, AfterValidator(_fields)]


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


class Undefined(Part):
    """What bits read that no driver or index defines: `x` of the language."""

    value: Literal["random", "zero"] = "random"
    why: str = Field(min_length=1, max_length=500, description="why the block may rely on it")


class Tool(Part):
    """How the sources are built."""

    language: Literal["1364-1995", "1364-2001", "1364-2005", "1800-2012", "1800-2017"] = Field(
        "1800-2017", description="language of .v files"
    )
    timing: bool = Field(False, description="honour # delays instead of leaving them out")
    verilator: Simulator = Simulator()
    icarus: Simulator = Simulator()
    waive: list[Waiver] = Field([], description="findings that are accepted, with the reason")
    undefined: Undefined | None = Field(
        None, description="what undefined bits read in Verilator; absent: random. zero leaves Icarus out, which keeps x"
    )


class Clock(Part):
    """The block's clock."""

    port: Name
    edge: Literal["rising", "falling"] = "rising"
    also: list[Driven] = Field([], max_length=16, description="further ports of the same clock; ! in front: inverted")


class Reset(Part):
    """The block's reset, given before the first transaction."""

    port: Name
    active: Literal["low", "high"] = Field(description="level that resets")
    asynchronous: bool = Field(False, alias="async", description="takes effect without a clock edge")
    cycles: int = Field(5, ge=1, le=10_000, description="cycles that it is held")
    also: list[Driven] = Field([], max_length=16, description="further resets; ! in front: active low")
    each: bool = Field(False, description="given before every transaction (needs a `control` section)")


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
    """How a transaction, or a command of the block's, is begun."""

    port: Watched = Field(description="control: an input, ! in front: active low; memory_ports: an expression")
    style: Literal["pulse", "level", "fall"] = Field(
        "pulse", description="pulse: high for a cycle; level: high until done; fall: taken on the falling edge"
    )


class Done(Part):
    """How the block says that a transaction is finished."""

    port: Watched
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

    field: Fields = Field(None, description="field of the transaction; of a list, one behind the other")
    address: str | None = Field(None, description="ram, read: address, an expression over ports")
    enable: str | None = Field(None, description="ram: access enable, an expression over ports")
    ports: str | list[str] = Field([], description="data ports, in the order of lanes; i_{0..15} counts")
    width: int | None = Field(None, ge=1, le=4096, description="bits of one element")
    signed: bool | None = Field(None, description="two's complement")
    first: Literal["low", "high"] | None = Field(
        None, description="where lane 0 of a packed port stands; absent: as the port's range runs"
    )
    order: Literal["raster", "transposed", "zigzag", "inverse_zigzag", "zscan"] = "raster"
    tile: int | None = Field(None, ge=1, le=64, description="a field goes in squares of this side, those in `order`")
    take: int | None = Field(None, ge=1, le=1 << 20, description="elements that go over the ports, from the first")
    per_beat: PerSize | None = Field(None, description="elements a beat, by size if they differ")
    lanes: Lanes | None = Field(
        None, description='lanes that a beat\'s elements take, by size if they differ; "0..3 8..11" counts'
    )
    pitch: PerSize | None = Field(None, description="lanes from a row to the next, by size; a beat takes what fits")
    columns: Numbers | None = Field(None, description="columns of each row that go over the ports, in this order")

    @field_validator("address", "enable")
    @classmethod
    def _is_hdl(cls, value: str | None) -> str | None:
        return None if value is None else _hdl(value)

    @property
    def fields(self) -> list[str]:
        return [self.field] if isinstance(self.field, str) else self.field or []

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

    kind: Literal["hold", "valid", "valid_ready", "pull", "ram", "samples", "bit_window"] = Field(
        description="hold: stands from start to done; valid: a beat a cycle; valid_ready: until taken; "
        "pull: after a request; ram: the block addresses it; samples: the same by column and row; "
        "bit_window: a sliding window of a bit string"
    )
    valid: Driven | None = Field(None, description="1 while the beat, or the word asked for, stands; !: active low")
    ready: Watched | None = Field(None, description="1 when the block takes the beat, an expression over ports")
    latency: int = Field(0, ge=0, le=10_000, description="ram, samples, pull: cycles from request to data")
    x: str = Field("0", description="samples: column of the first element, an expression over ports")
    y: str = Field("0", description="samples: its row")
    rectangle: list[int] | None = Field(
        None, min_length=2, max_length=2, description="samples: columns and rows of a beat; absent: one row"
    )
    request: Watched | None = Field(None, description="pull: the block's request, an expression over ports")
    burst: PerSize | None = Field(None, description="pull: beats a request; absent: the block takes one a cycle")
    consumed: str | None = Field(None, description="bit_window: bits taken, an expression over ports")
    gap: int = Field(0, ge=0, le=10_000, description="cycles between two beats")
    bubbles: bool | None = Field(None, description="whether beats may pause at random; absent: with valid_ready only")
    before_start: bool = Field(False, description="sent before start is given")
    after: str | None = Field(None, description="input whose beats of this transaction come first; ports may be shared")
    idle: Literal["random", "zero", "hold"] = Field("random", description="data while no beat stands")
    set: dict[Name, Expression] = Field({}, description="further ports of each beat: expressions, `beat` counts from 0")
    strobe: dict[Name, Expression] = Field(
        {}, description="as `set`, but 0 while no beat stands: valids by kind of beat"
    )
    written_by: str | None = Field(
        None, description="ram: output of kind ram whose words are read, in place of `field`"
    )
    writes: list[dict[Name, Expression]] = Field([], max_length=4096, description="beats written out, port by port")
    depth: int = Field(4096, ge=1, le=1 << 24, description="ram: words")

    @field_validator("x", "y")
    @classmethod
    def _place_is_hdl(cls, value: str) -> str:
        return _hdl(value)

    @field_validator("consumed")
    @classmethod
    def _consumed_is_hdl(cls, value: str | None) -> str | None:
        return None if value is None else _hdl(value)

    @field_validator("set", "strobe")
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
        needed = {"valid_ready": ["ready"], "pull": ["request"], "ram": ["address"], "bit_window": ["consumed"]}
        for name in needed.get(self.kind, []):
            if getattr(self, name) is None:
                raise ValueError(f"kind {self.kind} needs `{name}`")
        if self.kind == "valid_ready" and not self.valid and not self.strobe:
            raise ValueError("kind valid_ready needs `valid` (or `strobe`)")
        if self.written_by is not None and self.kind != "ram":
            raise ValueError(f"`written_by` belongs to kind ram, not {self.kind}")
        if bool(self.field) + bool(self.writes) + bool(self.written_by) != 1:
            raise ValueError("one of `field` (with `ports`), `writes` and `written_by`")
        if self.field and not self.ports and not self.set and not self.strobe:
            raise ValueError("`ports` is missing (or `set`, where expressions make all of a beat)")
        if self.kind != "samples" and (self.rectangle is not None or self.x != "0" or self.y != "0"):
            raise ValueError(f"`x`, `y` and `rectangle` belong to kind samples, not {self.kind}")
        if self.rectangle is not None and not all(1 <= side <= 1024 for side in self.rectangle):
            raise ValueError(f"rectangle: {self.rectangle} is not [columns, rows], each 1..1024")
        if self.kind == "samples" and not isinstance(self.field, str):
            raise ValueError("kind samples takes one field")
        if not self.ports and self.kind in ("ram", "samples", "bit_window"):
            raise ValueError(f"kind {self.kind} needs `ports`")
        for label in ("after", "strobe"):
            if getattr(self, label) and self.kind not in ("valid", "valid_ready"):
                raise ValueError(f"`{label}` belongs to kinds valid and valid_ready, not {self.kind}")
        if self.valid and self.kind in ("hold", "bit_window"):
            raise ValueError(f"`valid` does not belong to kind {self.kind}")
        if self.kind == "bit_window" and not isinstance(self.field, str):
            raise ValueError("a bit_window takes one field")
        return self


class Output(Stream):
    """A field that comes out of the block."""

    kind: Literal["hold", "valid", "valid_ready", "latency", "ram", "read"] = Field(
        description="hold: stands at done; valid: a beat a cycle; valid_ready: until taken; latency: so many cycles "
        "after the input's first beat; ram: the block writes it; read: the wrapper reads the block's memory after done"
    )
    valid: Watched | None = Field(None, description="1 while a beat stands, an expression over ports")
    ready: Driven | None = Field(None, description="1 when the wrapper takes the beat; ! in front: active low (full)")
    latency: Annotated[int, Field(ge=0, le=4000)] | Literal["unknown"] = Field(
        0, description="latency: cycles from in to out; unknown: looked for; read: address to data"
    )
    after: str | None = Field(None, description="latency: name of the input that it follows; absent: the first")
    length: str | None = Field(None, description="bits of the beat that count, an expression over ports")
    align: Literal["low", "high"] = Field("low", description="with `length`: which end of the beat they stand at")
    reversed: bool = Field(
        False, description="bits: the lowest bit of each element (port, or `width` bits) is the first"
    )
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
        if not self.ports or not (self.field or self.kind == "ram"):
            raise ValueError("`field` and `ports` are needed (kind ram without `field` is a memory that nobody judges)")
        if self.latency == "unknown" and self.kind != "latency":
            raise ValueError(f"only kind latency looks for its latency, not {self.kind}")
        return self

    @property
    def cycles(self) -> int:
        """The latency, 0 while it is unknown."""
        return 0 if self.latency == "unknown" else self.latency


class Transfer(Part):
    """One command of a memory port: a rectangle of a plane, in or out."""

    when: str = Field("1'b1", description="which command this is, an expression over ports")
    direction: Literal["in", "out"] = Field(description="in: into the block")
    plane: str = Field(pattern=r"^[a-z][a-z_]{0,31}$", description="plane of the transaction")
    x: str = Field("0", description="first sample's column, an expression over ports")
    y: str = Field("0", description="first sample's row")
    width: Annotated[int, Field(ge=1, le=4096)] | str = Field(description="samples of a row; text: over ports")
    height: Annotated[int, Field(ge=1, le=4096)] | str = Field(description="rows; text: an expression over ports")
    tile: list[int] | None = Field(
        None, min_length=2, max_length=2,
        description="[columns, rows]: the rectangle goes in tiles of this size, those in raster order",
    )  # fmt: skip
    samples: int | None = Field(None, ge=1, le=256, description="samples a beat, where fewer than the port has")
    first_beat: int | str = Field(0, description="`address` of the command's first beat; text: over ports")

    @field_validator("when", "x", "y", "width", "height", "first_beat")
    @classmethod
    def _is_hdl(cls, value: int | str) -> int | str:
        return _hdl(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _tiles_fit(self) -> "Transfer":
        for side, tile in zip((self.width, self.height), self.tile or (), strict=False):
            if tile < 1 or (isinstance(side, int) and side % tile):
                raise ValueError(f"tile: {self.tile} does not divide {self.width}x{self.height}")
        return self


class MemoryPort(Part):
    """External memory behind commands: start with parameters, a burst in or out, done."""

    start: Start
    done: Driven | None = Field(None, description="pulsed when the burst is over; ! in front of a port: active low")
    commands: list[Transfer] = Field(min_length=1, max_length=32)
    samples: int = Field(8, ge=1, le=256, description="samples a beat")
    first: Literal["low", "high"] = Field("high", description="where a beat's first sample stands")
    lanes: Annotated[list[int] | str | None, AfterValidator(lambda value: value and ranges(value))] = Field(
        None, description='places of a beat\'s samples from the low end, instead of `first`: "3..0 7..4"'
    )
    data_in: Name | None = Field(None, description="port of data into the block")
    data_out: Name | None = Field(None, description="port of data out of the block")
    valid: Driven | None = Field(None, description="1 with each beat into the block")
    enable: Driven | None = Field(None, description="1 with each read of the block's buffer")
    address: Name | None = Field(None, description="beat number, to the block")
    read_latency: int = Field(1, ge=0, le=16, description="cycles from enable to data_out; 0 is show-ahead")
    latency: int = Field(0, ge=0, le=100_000, description="cycles from the command to the first beat")
    beat_gap: int = Field(0, ge=0, le=1000, description="cycles between beats")
    done_gap: int = Field(1, ge=0, le=1000, description="cycles from the last beat to done")

    @model_validator(mode="after")
    def _beats_fit(self) -> "MemoryPort":
        if self.lanes is not None and sorted(ranges(self.lanes)) != list(range(self.samples)):
            raise ValueError(f"lanes: {self.lanes} are not the places 0..{self.samples - 1} of `samples`, each once")
        for command in self.commands:
            if command.samples is not None and command.samples > self.samples:
                raise ValueError(f"commands: {command.samples} samples a beat, the port has {self.samples}")
        return self


class Reply(Part):
    """An answer to a request that carries no data: a grant, "window is loaded"."""

    request: Watched = Field(description="the block's request, an expression over ports")
    style: Literal["pulse", "level", "fall"] = Field(
        "pulse", description="pulse: each rising edge is answered by one pulse; fall: each falling edge; level: the "
        "answer follows the request"
    )  # fmt: skip
    port: Driven = Field(description="the answer")
    latency: int = Field(1, ge=1, le=4000, description="cycles from request to answer")


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
    sad_excess_percent: float | None = Field(
        None, ge=0, le=1000, description="block_match: by how much the SADs found may exceed the smallest, in sum"
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
    replies: dict[Name, Reply] = Field({}, max_length=16, description="requests that are answered without data")
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
                held = [
                    name for name, each in self.inputs.items() if each.kind in ("hold", "ram", "samples", "bit_window")
                ]
                held += [name for name, each in self.outputs.items() if each.kind in ("hold", "ram", "read")]
                if held:
                    raise ValueError(f"{held[0]}: this kind needs a `control` section (when does a transaction end?)")
            if self.config:
                raise ValueError(
                    "`config` needs a `control` section; in streams give such ports under an input's `set`"
                )
        elif self.clock is None:
            raise ValueError("`control` needs a `clock`")
        if self.reset is not None and self.reset.each and self.control is None:
            raise ValueError("`reset.each` needs a `control` section (when does a transaction end?)")
        for name, each in self.outputs.items():
            if each.after is not None and each.after not in self.inputs:
                raise ValueError(f"outputs.{name}.after: no input {each.after!r}; one of {', '.join(self.inputs)}")
        for name, stream in self.inputs.items():
            self._order(name, stream)
        return self

    def _order(self, name: str, stream: Input) -> None:
        if stream.after is not None:
            if self.control is None:
                raise ValueError(f"inputs.{name}.after needs a `control` section (streams run side by side)")
            earlier = [each for each in self.inputs if self.inputs[each].kind in ("valid", "valid_ready")]
            earlier = earlier[: earlier.index(name)]
            if stream.after not in earlier:
                raise ValueError(
                    f"inputs.{name}.after: {stream.after!r} is no stream above it; one of "
                    f"{', '.join(earlier) or 'none'}"
                )
        if stream.written_by is not None:
            stores = [each for each, out in self.outputs.items() if out.kind == "ram"]
            if stream.written_by not in stores:
                raise ValueError(
                    f"inputs.{name}.written_by: no output of kind ram {stream.written_by!r}; one of "
                    f"{', '.join(stores) or 'none'}"
                )


def json_schema() -> str:
    """JSON schema of the adapter's language, for editors."""
    return json.dumps(Adapter.model_json_schema(), indent=1)
