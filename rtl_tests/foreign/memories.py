"""Memories of the adapter's language: external memory behind commands or AXI, requests that are answered."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from rtl_tests.foreign.words import Driven, Expression, Name, Part, Watched, expression, hdl, ranges

# Signals that the wrapper knows; others of a master are outputs that nobody needs (awcache, awprot, ...).
AXI_INPUTS = ("arready", "rid", "rdata", "rresp", "rlast", "rvalid", "awready", "wready", "bid", "bresp", "bvalid")
AXI_OUTPUTS = (
    "arid", "araddr", "arlen", "arsize", "arburst", "arvalid", "rready", "awid", "awaddr", "awlen", "awsize", "awburst",
    "awvalid", "wdata", "wstrb", "wlast", "wvalid", "bready",
)  # fmt: skip
AXI_SIGNALS = frozenset((*AXI_INPUTS, *AXI_OUTPUTS))


class Start(Part):
    """How a transaction, or a command of the block's, is begun."""

    port: Watched = Field(description="control: an input, ! in front: active low; memory_ports: an expression")
    style: Literal["pulse", "level", "fall"] = Field(
        "pulse", description="pulse: high for a cycle; level: high until done; fall: taken on the falling edge"
    )


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
    def _ishdl(cls, value: int | str) -> int | str:
        return hdl(value) if isinstance(value, str) else value

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


class Region(Part):
    """Where a field lies in an AXI memory."""

    field: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="field or answer of the transaction")
    direction: Literal["in", "out"] = Field(description="in: stands there before start; out: read after done")
    address: Expression = Field(description="byte address, an expression over fields")
    width: Literal[8, 16, 32, 64] = Field(8, description="bits of an element in memory")
    endian: Literal["little", "big"] = Field("little", description="bytes of an element, or of a word of `swap`")
    signed: bool = Field(False, description="two's complement, of elements read back")
    stride: int | None = Field(None, ge=1, le=1 << 16, description="bytes from a row to the next; absent: no gap")
    order: Literal["raster", "transposed", "zigzag", "inverse_zigzag", "zscan"] = "raster"
    tile: int | None = Field(None, ge=1, le=64, description="a field goes in squares of this side, those in `order`")
    inside: Literal["raster", "transposed", "zigzag", "inverse_zigzag"] = Field("raster", description="order in a tile")
    room: int = Field(1 << 16, ge=1, le=1 << 24, description="field bits: bytes that the stream may take")
    length: Watched | None = Field(None, description="field bits: bytes written, an expression over ports, at done")
    swap: Literal[1, 2, 4, 8] = Field(1, description="field bits: bytes of a word that stand the other way round")

    _check = field_validator("address")(expression)

    @model_validator(mode="after")
    def _bits_have_a_length(self) -> "Region":
        if self.field == "bits" and self.direction == "out" and self.length is None:
            raise ValueError("`length` is missing: how many bytes the block wrote, an expression over ports")
        if self.field != "bits" and (self.length is not None or self.swap != 1):
            raise ValueError("`length` and `swap` belong to the field bits")
        return self


class AxiMemory(Part):
    """The memory behind an AXI4 or AXI4-Lite master of the block."""

    prefix: str = Field(
        "", pattern=r"^[A-Za-z0-9_$]{0,100}$", description="what stands in front of araddr, rdata, ..., in any case"
    )
    suffix: str = Field("", pattern=r"^[A-Za-z0-9_$]{0,100}$", description="what may stand behind them")
    ports: dict[str, Name] = Field({}, description="signals whose ports have other names: {araddr: ra_o}")
    base: int = Field(0, ge=0, le=1 << 60, description="first byte address")
    size: int = Field(1 << 16, ge=64, le=1 << 26, description="bytes; an access outside fails the check")
    latency: int = Field(8, ge=0, le=100_000, description="cycles from an accepted address to its first beat")
    beat_gap: int = Field(0, ge=0, le=1000, description="cycles between the beats of a burst that is read")
    outstanding: int = Field(4, ge=1, le=64, description="bursts that wait, each way")
    shared_with: Name | None = Field(None, description="another one whose bytes these are")
    regions: dict[Name, Region] = Field({}, max_length=64)

    @model_validator(mode="after")
    def _one_place(self) -> "AxiMemory":
        if self.shared_with is not None and self.regions:
            raise ValueError("`regions` stand at the memory that is shared")
        unknown = sorted(self.ports.keys() - AXI_SIGNALS)
        if unknown:
            raise ValueError(f"ports: {unknown[0]!r} is no signal of AXI; those are {', '.join(sorted(AXI_SIGNALS))}")
        return self
