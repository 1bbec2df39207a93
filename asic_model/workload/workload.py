"""Workloads: which streams there are, described in YAML and checked field by field.

    workload = load("live_ladder")             # a mix that comes with the package, or a path to a .yaml file
    placed = place(workload, config)           # streams on a chip, ready for `simulation`

docs/throughput.md has the fields. Every error names the file, the field, the value and what is allowed.
"""

import difflib
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from asic_model.config import ChipConfig
from asic_model.workload import streams, synthetic, work_trace
from asic_model.workload.errors import WorkloadError
from asic_model.workload.simulation import Arrival, Placed
from asic_model.workload.streams import Stream
from asic_model.workload.synthetic import Output, Spec

MOST_BYTES = 1 << 20
SIDES = {"2160p": (3840, 2160), "1440p": (2560, 1440), "1080p": (1920, 1080), "720p": (1280, 720), "540p": (960, 540),
         "480p": (854, 480), "360p": (640, 360), "240p": (426, 240), "144p": (256, 144)}  # fmt: skip
DEFAULT_REFERENCES = {"fast": 1, "medium": 2, "slow": 4}  # as the driver's presets have them


Model = TypeVar("Model", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """`yes` and `true` are no numbers."""
        if isinstance(value, bool) and info.field_name is not None:
            annotation = cls.model_fields[info.field_name].annotation
            kinds = {annotation, *get_args(annotation)}
            if bool not in kinds and kinds & {int, float}:
                raise ValueError(f"{str(value).lower()} is not a number")
        return value


def parse_rate(value: Any) -> float:
    """Bits a second from `5M`, `800k` or a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip()
    scale = {"k": 1e3, "m": 1e6, "g": 1e9}.get(text[-1:].lower(), 0.0)
    try:
        return float(text[:-1] if scale else text) * (scale or 1.0)
    except ValueError:
        raise ValueError(f"{text!r} is not a bit rate; write 5M, 800k or 5000000") from None


class SourceConfig(_Part):
    """What comes in: a clip, a recorded trace, or a synthetic profile (the figures themselves)."""

    clip: str | None = Field(None, description="media file; recorded on the chip before it is simulated")
    trace: str | None = Field(None, description="work trace, from `tasic record`")
    frames: int = Field(60, ge=1, le=100_000, description="pictures of a clip that are recorded [pictures]")
    width: int | None = Field(None, ge=32, le=8192, description="luma samples, even")
    height: int | None = Field(None, ge=32, le=8192, description="luma rows, even")
    fps: float | None = Field(None, gt=0, le=1000, description="pictures a second")
    bit_rate: float = Field(0, ge=0, le=2e9, description="of the coded source [bits/s]; 0: 0.08 bits a luma sample")
    motion: float = Field(4.0, ge=0, le=128, description="mean length of vectors [luma samples]")
    texture: float = Field(0.5, ge=0, le=1, description="0 smooth .. 1 hard to compress")

    _rate = field_validator("bit_rate", mode="before")(parse_rate)

    @model_validator(mode="after")
    def _one_kind(self) -> "SourceConfig":
        given = [name for name in ("clip", "trace") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError("clip and trace exclude each other")
        if not given and (self.width is None or self.height is None or self.fps is None):
            raise ValueError("give clip, trace, or width, height and fps of a synthetic source")
        for name in ("width", "height"):
            value = getattr(self, name)
            if value is not None and value % 2:
                raise ValueError(f"{name}: {value} is odd; 4:2:0 has even sizes")
        return self


class OutputConfig(_Part):
    """One output of a ladder."""

    width: int = Field(ge=16, le=4096, description="luma samples, even")
    height: int = Field(ge=16, le=2304, description="luma rows, even")
    bit_rate: float = Field(0, ge=0, le=8e8, description="[bits/s]; 0: 0.08 bits a luma sample")

    _rate = field_validator("bit_rate", mode="before")(parse_rate)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """`720p`, `720p@2M` and `1280x720@2M` are outputs too."""
        if not isinstance(value, str):
            return value
        size, at, rate = value.partition("@")
        if size.lower() in SIDES:
            width, height = SIDES[size.lower()]
        elif "x" in size and all(part.isdecimal() for part in size.split("x", 1)):
            width, height = map(int, size.split("x", 1))
        else:
            near = difflib.get_close_matches(size, SIDES, 1)
            raise ValueError(
                f"{value!r} is no output; write 1280x720@2M or one of {', '.join(SIDES)}"
                + (f"; did you mean {near[0]}?" if near else "")
            )
        return {"width": width, "height": height, **({"bit_rate": rate} if at else {})}


class ArrivalConfig(_Part):
    """When pictures come."""

    kind: Literal["live", "file"] = Field("live", description="live: at the source's rate; file: as fast as possible")
    deadline_ms: float = Field(
        0, ge=0, le=60_000, description="picture in to last byte out [ms]; 0: two pictures and waiting"
    )
    jitter_ms: float = Field(0, ge=0, le=10_000, description="each picture late by up to so much [ms]")
    drop_after: int = Field(8, ge=1, le=10_000, description="pictures that may wait on the host [pictures]")


class SessionConfig(_Part):
    """Streams of one kind."""

    name: str = Field("stream", min_length=1, max_length=64, description="their name in reports")
    count: int = Field(1, ge=1, le=100_000, description="so many of them")
    source: SourceConfig
    decode: Literal["chip", "host"] = Field("host", description="who decodes the source")
    ladder: tuple[OutputConfig, ...] = Field((), max_length=16, description="outputs; empty: the source's size")
    preset: Literal["fast", "medium", "slow"] = Field("medium", description="effort of the encoder")
    gop: int = Field(60, ge=1, le=600, description="distance of IDR pictures [pictures]")
    references: int | None = Field(None, ge=1, le=4, description="reference pictures; default by preset")
    b_frames: int = Field(3, ge=0, le=7, description="most B pictures in a row; they wait for the picture after them")
    rate_control: bool = Field(True, description="the firmware chooses the QP (costs the control processor more)")
    every: int = Field(1, ge=1, le=1000, description="each so-many-th picture is coded, the rest only decoded")
    arrival: ArrivalConfig = ArrivalConfig()
    priority: int = Field(0, ge=-100, le=100, description="higher ones are served first")
    queue_depth: int = Field(4, ge=1, le=16, description="pictures in flight [pictures]")


class WorkloadConfig(_Part):
    """A whole workload."""

    name: str = Field("workload", max_length=64, description="its name in reports")
    description: str = Field("", max_length=4000, description="what it stands for")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of everything random")
    duration_s: float = Field(1.0, gt=0, le=100_000, description="simulated after the warm-up [s]")
    warm_up_s: float = Field(0.1, ge=0, le=1000, description="simulated before anything counts [s]")
    sessions: tuple[SessionConfig, ...] = Field(min_length=1, max_length=1000, description="kinds of streams")


def mixes() -> list[str]:
    """Names of the mixes that come with the package."""
    folder = resources.files("asic_model.workload").joinpath("mixes")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(name_or_path: str | Path) -> WorkloadConfig:
    """Return a mix of the package, or the workload in a file. Raises WorkloadError with every problem."""
    name = str(name_or_path)
    if name in mixes():
        text = resources.files("asic_model.workload").joinpath("mixes", f"{name}.yaml").read_bytes()
        return parse(text, f"{name}.yaml")
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        near = difflib.get_close_matches(name, mixes(), 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise WorkloadError(f"{name}: no such workload; {hint}known: {', '.join(mixes())}; or give a .yaml file")
    try:
        with path.open("rb") as stream:
            return parse(stream.read(MOST_BYTES + 1), name)
    except OSError as error:
        raise WorkloadError(f"{name}: {error.strerror or error}") from None


def parse(text: bytes, file: str = "workload.yaml") -> WorkloadConfig:
    """Return the workload that `text` (YAML) describes; WorkloadError and nothing else for any bytes."""
    return checked(WorkloadConfig, read_yaml(text, file), file)


def read_yaml(text: bytes, file: str) -> Any:
    """Plain values of a YAML document."""
    if len(text) > MOST_BYTES:
        raise WorkloadError(f"{file}: is longer than {MOST_BYTES} bytes")
    try:
        return yaml.load(text.decode("utf-8-sig"), _Loader)
    except UnicodeDecodeError as error:
        raise WorkloadError(f"{file}: is not UTF-8 text (byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise WorkloadError(f"{file}:{mark.line + 1 if mark else 0}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise WorkloadError(f"{file}: cannot be read as YAML: {str(error).splitlines()[0]}") from None


class _Loader(yaml.SafeLoader):
    """No anchors and aliases: a short text must not become a large one. No key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not used here", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value}: is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def checked(model: type[Model], values: Any, file: str) -> Model:
    """Return `model` of `values`; WorkloadError lists every field that is wrong."""
    if not isinstance(values, dict):
        raise WorkloadError(f"{file}: is a mapping of fields (`name: ...`), not {type(values).__name__}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise WorkloadError("\n".join(_explain(model, values, detail, file) for detail in error.errors())) from None


def _explain(model: type[BaseModel], values: Any, detail: Any, file: str) -> str:
    place = ".".join(map(str, detail["loc"]))
    given = detail.get("input")
    message = str(detail["msg"]).removeprefix("Value error, ")
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = _fields_at(model, detail["loc"][:-1])
        near = difflib.get_close_matches(str(detail["loc"][-1]), known, 1)
        message = f"no such field; {f'did you mean {near[0]}? ' if near else ''}known: {', '.join(known)}"
    elif kind == "missing":
        message = "is missing"
    elif kind == "literal_error":
        allowed = [word.strip("' ") for word in str(detail["ctx"]["expected"]).replace(" or ", ",").split(",")]
        near = difflib.get_close_matches(str(given), allowed, 1)
        message = f"{given!r} is not offered; one of {', '.join(allowed)}{f'; did you mean {near[0]}?' if near else ''}"
    elif kind != "value_error":
        shown = repr(given)
        message = f"{shown if len(shown) < 60 else shown[:57] + '...'}: {message[0].lower()}{message[1:]}"
    return f"{file}: {place}: {message}" if place else f"{file}: {message}"


def _fields_at(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Names of the fields of the section at `path`."""
    found: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        annotation = found.model_fields[part].annotation
        arguments = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type)]
        found = next((a for a in (annotation, *arguments) if isinstance(a, type) and issubclass(a, BaseModel)), None)
        if found is None:
            return []
    return list(found.model_fields)


# ---------------------------------------------------------------------------------------------------------- placing

RecordClip = Callable[[SessionConfig], work_trace.WorkTrace]


def spec(session: SessionConfig, seed: int) -> Spec:
    """The synthetic stream that a session describes."""
    source = session.source
    assert source.width is not None
    assert source.height is not None
    assert source.fps is not None
    ladder = session.ladder or (OutputConfig(width=source.width, height=source.height),)
    return Spec(
        name=session.name,
        width=source.width,
        height=source.height,
        fps=source.fps,
        outputs=tuple(Output(o.width, o.height, o.bit_rate) for o in ladder),
        bit_rate=source.bit_rate,
        motion=source.motion,
        texture=source.texture,
        preset=session.preset,
        gop=session.gop,
        references=session.references or DEFAULT_REFERENCES[session.preset],
        b_frames=session.b_frames,
        decode=session.decode,
        every=session.every,
        queue_depth=session.queue_depth,
        rate_controlled=session.rate_control,
        seed=seed,
    )


def stream(
    session: SessionConfig, config: ChipConfig, *, seed: int = 0, detail: str = "group",
    folder: Path | None = None, record: RecordClip | None = None,
) -> Stream:  # fmt: skip
    """Return the stream of a session on a chip. `folder`: where relative names of traces begin; `record`: makes a
    trace of a clip, which needs the driver."""
    source = session.source
    if source.trace is not None or source.clip is not None:
        if source.trace is not None:
            trace = work_trace.read((folder or Path()) / source.trace)
        elif record is not None:
            trace = record(session)
        else:
            raise WorkloadError(f"{session.name}: source.clip: {source.clip} must be recorded first (`tasic record`)")
        made = streams.from_trace(trace, config, detail=detail, fps=source.fps)
        made.name = session.name
        return made
    return _built(spec(session, seed), config.model_dump_json(), detail)


@lru_cache(maxsize=32)
def _built(wanted: Spec, description: str, detail: str) -> Stream:
    """Synthetic streams are the same for the same figures: a host's chips share them."""
    return synthetic.build(wanted, ChipConfig.model_validate_json(description), detail)


def place(
    workload: WorkloadConfig, config: ChipConfig, *, detail: str = "group", folder: Path | None = None,
    record: RecordClip | None = None,
) -> list[Placed]:  # fmt: skip
    """Return every stream of the workload, ready to be simulated on `config`."""
    placed = []
    for number, session in enumerate(workload.sessions):
        made = stream(session, config, seed=workload.seed + 1009 * number, detail=detail, folder=folder, record=record)
        arrival = Arrival(**session.arrival.model_dump())
        placed += [Placed(made, arrival, session.priority, session.queue_depth)] * session.count
    return placed
