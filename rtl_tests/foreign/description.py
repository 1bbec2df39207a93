"""The adapter's language: one YAML file says how a foreign block is built, driven and judged.

docs/rtl_check.md explains each field with examples; `json_schema()` is for editors. reading.py loads a file.
"""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from rtl_tests.foreign.memories import AxiMemory, MemoryPort, Reply, Start
from rtl_tests.foreign.streams import Input, Output
from rtl_tests.foreign.words import Driven, Expression, Name, Part, Watched, expression

ADAPTER_VERSION = 1
TRANSACTIONS = (
    "block_transform", "block_match", "intra_predict", "residual_code", "deblock", "frame_encode",
)  # fmt: skip
# Names that the issue and the engines use, and the transaction that each stands for.
ALIASES = {
    "transform": "block_transform", "motion_search": "block_match", "intra_prediction": "intra_predict",
    "cavlc": "residual_code", "cabac": "residual_code", "entropy": "residual_code", "bitstream": "frame_encode",
}  # fmt: skip
RULES = ("UNDRIVEN", "PINMISSING", "MODDUP", "MULTIDRIVEN", "LATCH", "SELRANGE")


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


class Interface(Part):
    """A port of the block that is a SystemVerilog interface: signal `a` of port `s` is port `s_a` here."""

    type: Name = Field(description="the interface's name")
    modport: Name | None = Field(None, description="where the port names none")
    parameters: dict[Name, int | str] = Field({}, description="its parameters, as literals")
    ports: dict[Name, int | Name] = Field(
        {}, description="its own ports (clocks): plain ports of the block, or numbers"
    )
    count: int | None = Field(None, ge=1, le=64, description="elements, of an array of interfaces")


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


class OtherClock(Part):
    """A further clock of the block. Streams go with the first."""

    ratio: Annotated[int, Field(ge=1, le=64)] | str = Field(description="its frequency over `clock`'s: 2, 3/2, 1/4")
    phase: float = Field(0.0, ge=0, lt=1, description="of the first clock's period, from its rising edge to this one's")

    @field_validator("ratio")
    @classmethod
    def _is_ratio(cls, value: int | str) -> int | str:
        if isinstance(value, str) and not re.fullmatch(r"[1-9]\d?(/[1-9]\d?)?", value):
            raise ValueError(f"{value!r} is not a ratio (2, 3/2, 1/4: numbers of at most two digits)")
        return value

    @property
    def fraction(self) -> tuple[int, int]:
        """Numerator and denominator of the ratio."""
        top, _, bottom = str(self.ratio).partition("/")
        return int(top), int(bottom or 1)


class Reset(Part):
    """The block's reset, given before the first transaction."""

    port: Name
    active: Literal["low", "high"] = Field(description="level that resets")
    asynchronous: bool = Field(False, alias="async", description="takes effect without a clock edge")
    cycles: int = Field(5, ge=1, le=10_000, description="cycles that it is held")
    settle_cycles: int = Field(0, ge=0, le=1 << 20, description="cycles from its end to the first transaction")
    also: list[Driven] = Field([], max_length=16, description="further resets; ! in front: active low")
    each: bool = Field(False, description="given before every transaction (needs a `control` section)")


class Record(Part):
    """One member of a packed record on a port."""

    value: Expression
    width: int = Field(ge=1, le=512)

    _check = field_validator("value")(expression)


class Packed(Part):
    """A port made of members, the first in the most significant place unless `first: low`."""

    members: list[Record] = Field(min_length=1, max_length=256)
    first: Literal["low", "high"] = "high"


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
    ready: Watched | None = Field(None, description="start waits for this to be 1, an expression over ports")
    setup_cycles: int = Field(1, ge=0, le=10_000, description="cycles that configuration stands before start")
    data_cycles: int = Field(1, ge=0, le=10_000, description="cycles from start to the inputs' first beat")
    recovery_cycles: int = Field(2, ge=0, le=100_000, description="cycles after done before anything changes")


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
    interfaces: dict[Name, Interface] = Field({}, max_length=64, description="ports that are interfaces")
    clock: Clock | None = Field(None, description="absent: combinational")
    clocks: dict[Name, OtherClock] = Field({}, max_length=16, description="further clocks, by their ports")
    reset: Reset | None = None
    tie: dict[Name, int | str] = Field({}, description="inputs that never change; text is a Verilog literal")
    config: dict[Name, Expression | Packed] = Field({}, description="inputs that stand during a transaction")
    control: Control | None = Field(None, description="absent: transactions stream one behind the other")
    supports: dict[str, dict[str, list[int]]] = Field(description="{operation: {kind: [sizes]}}: what is asked")
    options: dict[str, int | str | bool] = Field({}, description="further figures of the transaction")
    inputs: dict[Name, Input] = Field({}, max_length=64)
    outputs: dict[Name, Output] = Field({}, max_length=64)
    memory_ports: dict[Name, MemoryPort] = Field({}, max_length=8)
    axi: dict[Name, AxiMemory] = Field({}, max_length=8, description="memories behind AXI masters of the block")
    replies: dict[Name, Reply] = Field({}, max_length=16, description="requests that are answered without data")
    domain: dict[str, Bound] = Field({}, description="stimulus that the block is made for")
    tolerance: Tolerance = Tolerance()
    expect: Expect = Expect()
    timeout_cycles: int = Field(100_000, ge=10, le=1 << 30, description="cycles without progress that fail the run")
    vectors: int = Field(500, ge=1, le=1_000_000, description="random vectors, besides corners")
    known_bugs: list[KnownBug] = Field([])

    @field_validator("config")
    @classmethod
    def _config_parses(cls, value: dict[str, Any]) -> dict[str, Any]:
        for each in value.values():
            if not isinstance(each, Packed):
                expression(each)
        return value

    @model_validator(mode="after")
    def _fits(self) -> "Adapter":
        if not self.outputs and not self.memory_ports and not self.axi:
            raise ValueError("a block without `outputs` cannot be judged")
        for name, memory in self.axi.items():
            if self.control is None:
                raise ValueError(f"axi.{name} needs a `control` section (when does a transaction end?)")
            owners = [each for each, other in self.axi.items() if other.shared_with is None]
            if memory.shared_with is not None and memory.shared_with not in owners:
                raise ValueError(
                    f"axi.{name}.shared_with: no memory {memory.shared_with!r}; one of {', '.join(owners) or 'none'}"
                )
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
        if self.clocks and self.clock is None:
            raise ValueError("`clocks` are further ones: `clock` is the one that streams go with")
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
