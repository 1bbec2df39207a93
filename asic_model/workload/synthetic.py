"""Streams made from figures: the jobs that a driver's session would submit, with work from the fitted tables.

Surfaces, pools and order of jobs are those of the driver's sessions: one upload, one scale job for up to four sizes,
one encode job an output. Where the chip decodes, a decode job comes first, and the coded stream is what is uploaded.
"""

from dataclasses import dataclass, field

import numpy as np

from asic_model.codecs.h264.decode_records import motion_bytes
from asic_model.config import ChipConfig
from asic_model.cores.decode import DecodeJob
from asic_model.cores.encode import EncodeJob
from asic_model.cores.encode.job import MOTION_BYTES
from asic_model.cores.registry import CoreType, core_types
from asic_model.cores.result import CoreResult, Facts
from asic_model.cores.scale import ScaleJob
from asic_model.descriptors import Kind
from asic_model.memory.frame_compression import KnownTiles
from asic_model.memory.reference_cache import INTERPOLATION_AFTER, INTERPOLATION_BEFORE, RECTANGLE
from asic_model.memory.surface import surface
from asic_model.workload import gop_pattern, profile
from asic_model.workload.errors import WorkloadError
from asic_model.workload.gop_pattern import Step
from asic_model.workload.streams import PictureWork, Stream, Task, prepare

FIRST_ADDRESS = 1 << 20
PAGE = 4096
OUTPUTS_A_JOB = 4
SOURCE_GROUP = 4  # pictures of a source from one P picture to the next
# As the driver sizes its buffers (driver/encode_session.py): the worst picture of a stream.
STREAM_BYTES_PER_MB, STREAM_BYTES_MORE = 600, 8192
DEFAULT_BITS_PER_PIXEL = 0.08


@dataclass(frozen=True)
class Output:
    """One output: size in luma samples, bits a second."""

    width: int
    height: int
    bit_rate: float


@dataclass(frozen=True)
class Spec:
    """A synthetic stream.

    motion, texture  see `profile`
    bit_rate         of the coded source [bits/s]; used where the chip decodes
    b_frames         most B pictures in a row
    every            each so-many-th picture is scaled and coded, the others are only decoded
    decode           "chip" or "host"
    """

    name: str
    width: int
    height: int
    fps: float
    outputs: tuple[Output, ...]
    bit_rate: float = 0.0
    motion: float = 4.0
    texture: float = 0.5
    preset: str = "medium"
    gop: int = 60
    references: int = 1
    b_frames: int = 0
    decode: str = "host"
    every: int = 1
    queue_depth: int = 4
    rate_controlled: bool = True
    seed: int = 0


def coded(samples: int) -> int:
    return (samples + 15) & ~15


@dataclass
class _Pool:
    """Buffers of one size, taken in turn."""

    base: int
    size: int
    count: int

    def at(self, number: int) -> int:
        return self.base + number % self.count * self.size


@dataclass
class _Places:
    """A bump allocator over the stream's own addresses."""

    next: int = FIRST_ADDRESS
    held: int = 0  # bytes that the driver would hold for it
    pools: list[_Pool] = field(default_factory=list)

    def pool(self, size: int, count: int, held: int) -> _Pool:
        """`count` buffers to play with, of which the driver's session would hold `held`."""
        size = -(-size // PAGE) * PAGE
        made = _Pool(self.next, size, count)
        self.next += size * count
        self.held += size * held
        self.pools.append(made)
        return made


class _Builder:
    def __init__(self, spec: Spec, config: ChipConfig, detail: str) -> None:
        self.spec, self.config, self.detail = spec, config, detail
        self.types = core_types(config)
        self.tiles = KnownTiles()
        self.places = _Places()
        self.results: list[tuple[str, CoreResult]] = []
        self.pattern = gop_pattern.pattern(spec.gop, spec.b_frames, spec.references)
        # All pools turn with the same period, so that a few pictures stand for all: longer than the way to the furthest
        # reference, and whole groups of B pictures.
        group = spec.b_frames + 1
        far = gop_pattern.reach(spec.gop, spec.b_frames, spec.references)
        self.period = spec.references + spec.queue_depth + 1 if group == 1 else (far // group + 1) * group
        self.depth = spec.queue_depth + spec.b_frames  # pictures in flight, as the driver's sessions count them
        self.lanes: list[str] = []

    def core(self, kind: Kind, what: str) -> CoreType:
        if kind not in self.types:
            raise WorkloadError(
                f"{self.spec.name}: {what} needs {kind.name.lower()} cores; {self.config.name} has none"
            )
        return self.types[kind]

    def task(
        self, kind: Kind, job: object, work: np.ndarray, facts: dict[str, np.ndarray], lane: int,
        waits: tuple[tuple[int, int], ...], output_bytes: int, samples: int,
    ) -> Task:  # fmt: skip
        core = self.core(kind, kind.name.lower())
        assert core.cost is not None
        cycles, requests = core.cost(self.tiles, job, core.config, work, facts)
        result = CoreResult(0, 0, output_bytes, core.stages, cycles, requests, work)
        self.results.append((core.section, result))
        return Task(prepare(result, self.config, core.section, self.detail), lane, waits, output_bytes, samples)

    def lane(self, section: str) -> int:
        self.lanes.append(section)
        return len(self.lanes) - 1

    def build(self) -> Stream:
        spec = self.spec
        decodes = spec.decode == "chip"
        scaled = [o for o in spec.outputs if (o.width, o.height) != (spec.width, spec.height)]
        decode = _Decode(self) if decodes else None
        size = (coded(spec.width), coded(spec.height)) if decodes else (spec.width, spec.height)
        source = decode.pool if decode else self.places.pool(surface(*size).size_bytes, self.period, self.depth + 1)
        scale = _Scale(self, source, scaled) if scaled else None
        encoders = [_Encode(self, number, output, source) for number, output in enumerate(spec.outputs)]
        loop = spec.gop * spec.every
        pictures = []
        for number in range(loop):
            tasks: list[Task] = []
            upload = surface(spec.width, spec.height).size_bytes
            if decode is not None:
                made, upload = decode.picture(number)
                tasks.append(made)
            if number % spec.every == 0:
                nth = number // spec.every
                ready = ((decode.lane, number + 1),) if decode else ()
                scale_jobs = scale.picture(nth, ready) if scale else []
                tasks += scale_jobs
                done = ((scale.lane, (nth + 1) * len(scale_jobs)),) if scale else ()
                for encoder, output in zip(encoders, spec.outputs, strict=True):
                    direct = (output.width, output.height) == (spec.width, spec.height)
                    for step in self.pattern[nth]:
                        back = spec.every * (nth - step.number)
                        tasks.append(encoder.picture(step, ready if direct else done, back, scale, scaled))
            pictures.append(PictureWork(upload, tasks))
        out = sum(o.width * o.height for o in spec.outputs)
        return Stream(
            name=spec.name,
            lanes=tuple(self.lanes),
            pictures=pictures,
            fps=spec.fps,
            memory_bytes=self.places.held,
            span_bytes=self.places.next,
            rate_controlled=spec.rate_controlled,
            pixels_out=out // spec.every,
            results=self.results,
            demand_errors=self.demand_errors(),
        )

    def demand_errors(self) -> dict[str, tuple[float, float]]:
        """How far rates on such content may be off: the tables' mean error, and how much recorded content spreads."""
        steps = [step.kind for group in self.pattern for step in group]
        parts = {"encode": [profile.error("encode", kind, self.spec.preset) for kind in steps]}
        if self.spec.decode == "chip":
            parts["decode"] = [profile.error("decode", "P")]
        found = {}
        for kind, errors in parts.items():
            mean, spread = np.mean(errors, axis=0)
            found[kind] = float(min(0.0, mean) - spread), float(max(0.0, mean) + spread)
        return found


class _Decode:
    """One decode job a picture."""

    def __init__(self, builder: _Builder) -> None:
        self.b, spec = builder, builder.spec
        builder.core(Kind.DECODE, "decode: chip")
        self.width, self.height = coded(spec.width), coded(spec.height)
        count = self.width * self.height // 256
        # References, pictures in flight, one under way.
        held = spec.references + builder.depth + 2
        self.pool = builder.places.pool(surface(self.width, self.height).size_bytes, builder.period, held)
        self.motion = builder.places.pool(motion_bytes(self.width, self.height), builder.period, held)
        rate = spec.bit_rate or DEFAULT_BITS_PER_PIXEL * spec.width * spec.height * spec.fps
        self.bits = profile.split_bits(rate / spec.fps / count, 2 * spec.gop)  # tables of B pictures are P's
        room = count * STREAM_BYTES_PER_MB + STREAM_BYTES_MORE
        self.stream = builder.places.pool(room, builder.period, spec.queue_depth)
        self.parameters = builder.places.pool(PAGE, builder.period, spec.queue_depth)
        self.lane = builder.lane("decode")
        self.made: dict[tuple[bool, int], tuple[Task, int]] = {}

    def picture(self, number: int) -> tuple[Task, int]:
        """The job, and the bytes of its coded picture."""
        key = number == 0, number % self.b.period
        if key not in self.made:
            self.made[key] = self._make(*key)
        return self.made[key]

    def _make(self, intra: bool, slot: int) -> tuple[Task, int]:
        b, spec = self.b, self.b.spec
        across, down = self.width // 16, self.height // 16
        bits = self.bits["I" if intra else "P"]
        work = profile.work_record(
            "decode", "I" if intra else "P", across, down, bits=bits, motion=spec.motion, seed=spec.seed + slot
        )
        size = int(work["parse_bits"].sum(dtype=np.int64)) // 8
        job = DecodeJob(
            width=self.width, height=self.height, out_address=self.pool.at(slot),
            parameters_address=self.parameters.at(slot), stream_address=self.stream.at(slot), stream_bytes=size,
            slice_count=1, reference_count=0 if intra else 2, motion_address=self.motion.at(slot),
        )  # fmt: skip
        b.tiles.keep(
            surface(self.width, self.height, self.pool.at(slot)),
            profile.tile_sizes(
                self.width, self.height, bits=self.bits["P"], texture=spec.texture, seed=spec.seed + slot
            ),
        )
        wanted = np.zeros(0, RECTANGLE)
        if not intra:
            wanted = _fetches(work, across, spec.motion, spec.seed + slot)
        # Sources have B pictures, as most do: all but one in four look at the motion of another picture.
        colocated = self.motion.at(slot - 1) if not intra and slot % SOURCE_GROUP else 0
        facts: Facts = {
            "fetches": wanted.view(np.int32).ravel(),
            "references": np.array([self.pool.at(slot - 1), self.pool.at(slot - 2)], np.int64),
            "flags": np.array([1, 1, colocated], np.int64),
        }
        return b.task(Kind.DECODE, job, work, facts, self.lane, (), 0, spec.width * spec.height), size


MOST_PARTITIONS = 8  # of a macroblock, fetched one by one
NEIGHBOURS_PX = 1.0  # how far vectors of one macroblock's partitions lie apart, standard deviation [luma samples]


def _fetches(work: np.ndarray, across: int, motion: float, seed: int) -> np.ndarray:
    """Rectangles of reference samples: each partition's samples and what the six-tap filter looks at around them.

    The record says how many blocks were predicted and how many samples went through the filter, in the mean of like
    macroblocks: of those with more samples than a macroblock has, so many are predicted from a second picture too.
    Blocks are taken as equal squares. Vectors have that mean length and change slowly along a row.
    """
    random = np.random.default_rng(seed)
    samples = work["inter_prediction_samples"].astype(np.int64)
    predicted = np.flatnonzero(samples)
    count = len(predicted)
    moved = random.rayleigh(max(motion, 1e-3) / 1.2533, count)  # mean of a Rayleigh: sigma * sqrt(pi / 2)
    angle = np.cumsum(random.normal(0, 0.3, count))
    more = np.clip(samples[predicted] / 256 - 1, 0.0, 1.0)  # share that has two
    of_one_list = work["inter_prediction_partitions"][predicted] / (1 + more) + random.random(count)
    parts: np.ndarray = np.clip(of_one_list.astype(np.int64), 1, MOST_PARTITIONS)
    columns = np.ceil(np.sqrt(parts)).astype(np.int64)
    side = np.clip(np.round(np.sqrt(np.minimum(samples[predicted], 256) / parts)), 4, 16).astype(np.int64)
    found = []
    for reference, which in ((0, np.arange(count)), (1, np.flatnonzero(random.random(count) < more))):
        row = np.repeat(which, parts[which])
        nth = np.arange(len(row)) - np.repeat(np.cumsum(parts[which]) - parts[which], parts[which])
        wanted = np.zeros(len(row), RECTANGLE)
        wanted["unit"], wanted["reference"] = predicted[row], reference
        for name, origin, step, way in (
            ("x", 16 * (predicted[row] % across), nth % columns[row], np.cos(angle)),
            ("y", 16 * (predicted[row] // across), nth // columns[row], np.sin(angle)),
        ):
            vector = (moved * way)[row] + random.normal(0, NEIGHBOURS_PX, len(row)) * (parts[row] > 1)
            inside = np.minimum(step * side[row], 16 - side[row])
            wanted[name] = origin + inside + np.round(vector) - INTERPOLATION_BEFORE
        wanted["width"] = wanted["height"] = side[row] + INTERPOLATION_BEFORE + INTERPOLATION_AFTER
        found.append(wanted)
    both = np.concatenate(found)
    return both[np.argsort(both["unit"], kind="stable")]


class _Scale:
    """Scale jobs of one picture, up to four outputs each."""

    def __init__(self, builder: _Builder, source: _Pool, outputs: list[Output]) -> None:
        self.b, self.source, self.outputs = builder, source, outputs
        builder.core(Kind.SCALE, "scaling")
        held = builder.depth + 1
        self.pools = [builder.places.pool(surface(o.width, o.height).size_bytes, builder.period, held) for o in outputs]
        self.lane = builder.lane("scale")
        self.made: dict[tuple[int, tuple[tuple[int, int], ...]], list[Task]] = {}

    def picture(self, nth: int, ready: tuple[tuple[int, int], ...]) -> list[Task]:
        spec = self.b.spec
        slot = nth % self.b.period
        if (slot, ()) not in self.made:
            tasks = []
            for first in range(0, len(self.outputs), OUTPUTS_A_JOB):
                group = range(first, min(first + OUTPUTS_A_JOB, len(self.outputs)))
                places = {}
                for place, number in enumerate(group):
                    output = self.outputs[number]
                    places[f"out{place}_width"], places[f"out{place}_height"] = output.width, output.height
                    places[f"out{place}_address"] = self.pools[number].at(slot)
                job = ScaleJob(
                    width=spec.width, height=spec.height, src_address=self.source.at(nth * spec.every),
                    output_count=len(group), **places,
                )  # fmt: skip
                tasks.append(self.b.task(Kind.SCALE, job, np.zeros(0), {}, self.lane, (), 0, spec.width * spec.height))
            self.made[slot, ()] = tasks
        return [Task(t.job, t.lane, ready, 0, t.samples) for t in self.made[slot, ()]]


class _Encode:
    """One encode job a picture of one output."""

    def __init__(self, builder: _Builder, number: int, output: Output, source: _Pool) -> None:
        self.b, self.number, self.output, self.source = builder, number, output, source
        spec = builder.spec
        self.width, self.height = coded(output.width), coded(output.height)
        count = self.width * self.height // 256
        depth = min(spec.b_frames, 2)
        held = max(spec.references, 1 + depth) + builder.depth + 1
        self.recon = builder.places.pool(surface(self.width, self.height).size_bytes, builder.period, held)
        self.motion = builder.places.pool(count * MOTION_BYTES, builder.period, held)
        room = count * STREAM_BYTES_PER_MB + STREAM_BYTES_MORE
        self.stream = builder.places.pool(room, builder.period, builder.depth)
        rate = output.bit_rate or DEFAULT_BITS_PER_PIXEL * output.width * output.height * spec.fps / spec.every
        steps = [step for group in builder.pattern for step in group]
        b_share = sum(step.kind == "B" for step in steps) / max(1, len(steps) - 1)
        self.bits = profile.split_bits(rate * spec.every / spec.fps / count, spec.gop, b_share)
        self.lane = builder.lane("encode")
        self.made: dict[tuple[object, ...], Task] = {}
        for slot in range(builder.period):
            builder.tiles.keep(
                surface(self.width, self.height, self.recon.at(slot)),
                profile.tile_sizes(
                    self.width, self.height, bits=self.bits["P"], texture=spec.texture, seed=spec.seed + 31 * slot
                ),
            )

    def picture(
        self, step: Step, ready: tuple[tuple[int, int], ...], back: int, scale: _Scale | None, scaled: list[Output]
    ) -> Task:  # fmt: skip
        """The job of one picture; pictures of one type with references as far away, in the same buffers, are alike."""
        away = tuple(tuple(step.number - other for other in entries) for entries in step.lists)
        key = step.kind, away, step.reference, step.number % self.b.period
        if key not in self.made:
            self.made[key] = self._make(step, scale, scaled)
        made = self.made[key]
        return Task(made.job, self.lane, ready, made.output_bytes, made.samples, back)

    def _make(self, step: Step, scale: _Scale | None, scaled: list[Output]) -> Task:
        b, spec, output, nth = self.b, self.b.spec, self.output, step.number
        source = self.source.at(nth * spec.every)
        held = (spec.width, spec.height)
        if output in scaled:
            assert scale is not None
            source, held = scale.pools[scaled.index(output)].at(nth), (output.width, output.height)
        more = {}
        if spec.decode == "chip" and output not in scaled and (coded(held[0]), coded(held[1])) != held:
            more = {"src_surface_width": coded(held[0]), "src_surface_height": coded(held[1])}
        for prefix, entries in zip(("ref", "ref_l1"), step.lists, strict=True):
            more |= {f"{prefix}_address_{n}": self.recon.at(other) for n, other in enumerate(entries)}
        before, after = step.lists
        if before:
            more["motion_in_address"] = self.motion.at((after or before)[0])
        if step.reference:
            more["motion_out_address"] = self.motion.at(nth)
        job = EncodeJob(
            width=output.width, height=output.height, src_address=source, recon_address=self.recon.at(nth),
            out_address=self.stream.at(nth), out_capacity=self.stream.size, ref_count=len(before),
            ref_l1_count=len(after), slice_type="PBI".index(step.kind), idr=int(step.kind == "I"),
            nal_ref_idc=int(step.reference), effort=profile.EFFORTS.index(spec.preset), **more,
        )  # fmt: skip
        work = profile.work_record(
            "encode", step.kind, self.width // 16, self.height // 16, bits=self.bits[step.kind], motion=spec.motion,
            effort=spec.preset, references=len(before), seed=spec.seed + 101 * self.number + nth,
        )  # fmt: skip
        size = int(work["entropy_bits"].sum(dtype=np.int64)) // 8
        return b.task(Kind.ENCODE, job, work, {}, self.lane, (), size, output.width * output.height)


def build(spec: Spec, config: ChipConfig, detail: str = "group") -> Stream:
    """Return a synthetic stream on `config`. Raises WorkloadError where the chip lacks a kind of core it needs."""
    if spec.preset not in profile.EFFORTS:
        raise WorkloadError(f"{spec.name}: preset: {spec.preset!r} is not offered; one of {', '.join(profile.EFFORTS)}")
    limits = config.limits
    if spec.width > limits.max_width or spec.height > limits.max_height:
        raise WorkloadError(
            f"{spec.name}: {spec.width}x{spec.height} is larger than {config.name} takes "
            f"({limits.max_width}x{limits.max_height})"
        )
    return _Builder(spec, config, detail).build()
