"""Streams of the adapter's language: how a field goes over ports, in and out."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from rtl_tests.foreign.words import (
    Driven,
    Expression,
    Fields,
    Lanes,
    Name,
    Numbers,
    Part,
    PerSize,
    Watched,
    expand,
    expression,
    hdl,
)  # fmt: skip


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
    inside: Literal["raster", "transposed", "zigzag", "inverse_zigzag"] = Field("raster", description="order in a tile")
    take: PerSize | None = Field(None, description="elements that go over the ports, from the first; by size")
    per_beat: PerSize | None = Field(None, description="elements a beat, by size if they differ")
    lanes: Lanes | None = Field(
        None, description='lanes that a beat\'s elements take, by size if they differ; "0..3 8..11" counts'
    )
    pitch: PerSize | None = Field(None, description="lanes from a row to the next, by size; a beat takes what fits")
    columns: Numbers | None = Field(None, description="columns of each row that go over the ports, in this order")

    @field_validator("address", "enable")
    @classmethod
    def _ishdl(cls, value: str | None) -> str | None:
        return None if value is None else hdl(value)

    @property
    def fields(self) -> list[str]:
        return [self.field] if isinstance(self.field, str) else self.field or []

    def port_names(self) -> list[str]:
        """Data ports with `{a..b}` counted out."""
        found: list[str] = []
        for text in [self.ports] if isinstance(self.ports, str) else self.ports:
            found += expand(text)
        return found


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
    beats: Expression | None = Field(
        None, description="beats that `set` and `strobe` alone make up, an expression over fields, in place of `field`"
    )
    writes: list[dict[Name, Expression]] = Field([], max_length=4096, description="beats written out, port by port")
    depth: int = Field(4096, ge=1, le=1 << 24, description="ram: words")

    @field_validator("x", "y")
    @classmethod
    def _place_ishdl(cls, value: str) -> str:
        return hdl(value)

    @field_validator("consumed")
    @classmethod
    def _consumed_ishdl(cls, value: str | None) -> str | None:
        return None if value is None else hdl(value)

    @field_validator("set", "strobe")
    @classmethod
    def _set_parses(cls, value: dict[str, Any]) -> dict[str, Any]:
        for each in value.values():
            expression(each)
        return value

    @field_validator("beats")
    @classmethod
    def _beats_parses(cls, value: int | str | None) -> int | str | None:
        return None if value is None else expression(value)

    @field_validator("writes")
    @classmethod
    def _writes_parse(cls, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for each in value:
            for text in each.values():
                expression(text)
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
        if self.beats is not None and not self.set and not self.strobe:
            raise ValueError("`beats` needs `set` or `strobe`: what stands on the ports")
        if self.beats is not None and (self.ports or self.kind not in ("valid", "valid_ready")):
            raise ValueError("`beats` belongs to kinds valid and valid_ready without `ports`")
        if bool(self.field) + bool(self.writes) + bool(self.written_by) + (self.beats is not None) != 1:
            raise ValueError("one of `field` (with `ports`), `writes`, `beats` and `written_by`")
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
    words: Watched | None = Field(
        None, description="read, bits: words that there are, an expression over ports, at done"
    )
    hold_cycles: int = Field(0, ge=0, le=1000, description="hold: cycles from done to the sample")
    fill: int | None = Field(None, description="ram: value of words that were never written")

    @field_validator("length")
    @classmethod
    def _length_ishdl(cls, value: str | None) -> str | None:
        return None if value is None else hdl(value)

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
        if (self.kind == "read" and self.field == "bits") != (self.words is not None):
            raise ValueError("`words` belongs to kind read with field bits, and is needed there")
        if self.length is not None and self.kind in ("ram", "read"):
            raise ValueError(f"`length` does not belong to kind {self.kind}")
        if self.latency == "unknown" and self.kind != "latency":
            raise ValueError(f"only kind latency looks for its latency, not {self.kind}")
        return self

    @property
    def cycles(self) -> int:
        """The latency, 0 while it is unknown."""
        return 0 if self.latency == "unknown" else self.latency
