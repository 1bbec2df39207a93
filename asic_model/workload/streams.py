"""Streams: what one session of a workload asks of a chip, picture by picture, ready to be played many times.

A stream is a loop of pictures; each comes over the host link (samples, or the coded stream where the chip decodes)
and becomes jobs. Jobs stand in lanes, the firmware's sessions: those of one lane run one at a time, in order, so all
that a job waits for is "so many jobs of that lane are done".
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from asic_model.config import ChipConfig
from asic_model.cores import prepared
from asic_model.cores.prepared import Prepared
from asic_model.cores.registry import core_types
from asic_model.cores.result import CoreResult
from asic_model.descriptors import Kind, regions
from asic_model.workload.errors import WorkloadError
from asic_model.workload.playback import Replayer
from asic_model.workload.work_trace import WorkTrace

DETAILS = ("macroblock", "group")
SECTIONS = {Kind.ENCODE: "encode", Kind.SCALE: "scale", Kind.DECODE: "decode"}


@dataclass(eq=False)
class Task:
    """One job of a picture.

    lane     which of the stream's lanes it stands in
    waits    (lane, jobs of that lane in this loop that must be done)
    samples  luma samples of the picture that it codes, decodes or reads
    back     of which picture it is a part: so many before the one that it comes with (B pictures wait for later ones)
    """

    job: Prepared
    lane: int
    waits: tuple[tuple[int, int], ...]
    output_bytes: int  # that the host fetches
    samples: int
    back: int = 0


@dataclass(eq=False)
class PictureWork:
    """What one picture of the source costs.

    tasks  jobs that can be given when it has come; those of B pictures before it are among them
    """

    upload_bytes: int
    tasks: list[Task]


@dataclass(eq=False)
class Stream:
    """One kind of stream: its pictures are played in a loop.

    lanes         kind of core of each lane ("encode", "scale", "decode")
    memory_bytes  of device memory that its surfaces and buffers take
    span_bytes    all its addresses lie below
    """

    name: str
    lanes: tuple[str, ...]
    pictures: list[PictureWork]
    fps: float
    memory_bytes: int
    span_bytes: int
    rate_controlled: bool = False
    pixels_out: int = 0  # luma samples that a picture's encode jobs put out, mean
    results: list[tuple[str, CoreResult]] = field(default_factory=list)  # unprepared, for fitting
    demand_errors: dict[str, tuple[float, float]] = field(default_factory=dict)  # of rates, by kind; none: recorded

    @cached_property
    def parts(self) -> list[int]:
        """Jobs that make each picture, those among them that come with later pictures."""
        found = [0] * len(self.pictures)
        for number, picture in enumerate(self.pictures):
            for task in picture.tasks:
                found[number - task.back] += 1
        return found

    @cached_property
    def reorder(self) -> int:
        """Pictures that a picture waits for, at most."""
        return max((task.back for picture in self.pictures for task in picture.tasks), default=0)

    @cached_property
    def jobs_in_lane(self) -> list[int]:
        """Jobs that one loop of pictures puts into each lane."""
        return [sum(t.lane == lane for p in self.pictures for t in p.tasks) for lane in range(len(self.lanes))]

    def rate(self, kind: str) -> float:
        """Core cycles a second that a stream asks of cores of a kind, memory never waited for."""
        cycles = sum(
            float(task.job.played_cycles.max(initial=0))
            for picture in self.pictures
            for task in picture.tasks
            if self.lanes[task.lane] == kind
        )
        return cycles / max(1, len(self.pictures)) * self.fps

    def bytes_asked(self, kind: str | None = None, way: int | None = None) -> float:
        """Bytes that cores ask memory for, a second: all cores or a kind's; both ways, read (0) or written (1)."""
        asked = sum(
            int((task.job.asked if way is None else task.job.asked[:, way]).sum())
            for picture in self.pictures
            for task in picture.tasks
            if kind in (None, self.lanes[task.lane])
        )
        return asked / max(1, len(self.pictures)) * self.fps

    def jobs_s(self, kind: str) -> float:
        """Jobs a second on cores of a kind."""
        count = sum(self.lanes[t.lane] == kind for p in self.pictures for t in p.tasks)
        return count / max(1, len(self.pictures)) * self.fps

    def link_bytes_s(self) -> tuple[float, float]:
        """Bytes a second over the host link: up, down."""
        scale = self.fps / max(1, len(self.pictures))
        up = sum(picture.upload_bytes for picture in self.pictures)
        down = sum(task.output_bytes for picture in self.pictures for task in picture.tasks)
        return up * scale, down * scale


def prepare(result: CoreResult, config: ChipConfig, section: str, detail: str) -> Prepared:
    """One job in the chosen detail: every macroblock, or groups of them."""
    joined = getattr(config, section).pipeline
    return prepared.macroblocks(result, joined) if detail == "macroblock" else prepared.groups(result, joined)


def from_trace(trace: WorkTrace, config: ChipConfig, *, detail: str = "group", fps: float | None = None) -> Stream:
    """Return the recorded run as a stream on `config`: its cycles and requests by that chip's laws.

    Raises WorkloadError when the trace has no pictures, or asks for a kind of core that the chip lacks.
    """
    if detail not in DETAILS:
        raise WorkloadError(f"detail: {detail!r} is not offered; one of {', '.join(DETAILS)}")
    types = core_types(config)
    replayer = Replayer(trace, types)
    lanes: dict[tuple[int, int], int] = {}
    kinds: list[str] = []
    counts: list[int] = []
    place: dict[int, tuple[int, int]] = {}  # job -> lane, number in it
    pictures: list[PictureWork] = [PictureWork(int(size), []) for size in trace.uploads["size"]]
    results = []
    order: dict[tuple[int, int], int] = {}  # (lane, picture) -> largest order count of the pictures coded then
    counts_of: list[tuple[Task, int, int]] = []
    areas: set[tuple[int, int]] = set()
    for number in range(len(trace)):
        kind, row = trace.kind(number), trace.jobs[number]
        section = SECTIONS[kind]
        result = replayer.result(number)
        results.append((section, result))
        key = int(kind), int(row["session"])
        if key not in lanes:
            lanes[key] = len(kinds)
            kinds.append(section)
            counts.append(0)
        lane = lanes[key]
        waits: dict[int, int] = {}
        for other in trace.after(number):
            other_lane, nth = place[other]
            if other_lane != lane:
                waits[other_lane] = max(waits.get(other_lane, 0), nth + 1)
        place[number] = lane, counts[lane]
        counts[lane] += 1
        fields = trace.fields(number)
        for area in regions(kind, fields):
            areas.add((area.address, area.size_bytes))
        if row["picture"] >= 0:
            came = int(row["picture"])
            task = Task(
                prepare(result, config, section, detail),
                lane,
                tuple(sorted(waits.items())),
                int(row["output_bytes"]) if kind is Kind.ENCODE else 0,
                fields["width"] * fields["height"],
            )
            pictures[came].tasks.append(task)
            if kind is Kind.ENCODE:
                # B pictures come with the anchor that they wait for; order counts are two a picture.
                order[lane, came] = max(order.get((lane, came), fields["poc"]), fields["poc"])
                counts_of.append((task, came, fields["poc"]))
    owners = {id(task): came - (order[task.lane, came] - count) // 2 for task, came, count in counts_of}
    # Uploads that are no picture of their own (QP maps) fall out.
    wanted = {max(0, owners[id(task)]) for task, _, _ in counts_of}
    wanted |= {number for number, picture in enumerate(pictures) if picture.tasks}
    if not wanted:
        raise WorkloadError("the trace has no pictures: nothing was uploaded and worked on")
    place_of = {number: new for new, number in enumerate(sorted(wanted))}
    for task, came, _ in counts_of:
        task.back = place_of[came] - place_of[max(0, owners[id(task)])]
    pictures = [pictures[number] for number in sorted(wanted)]
    ends = [address + size for address, size in areas]
    out = sum(t.samples for p in pictures for t in p.tasks if kinds[t.lane] == "encode")
    return Stream(
        name=str(trace.meta.get("source_name", trace.meta.get("chip", "trace"))),
        lanes=tuple(kinds),
        pictures=pictures,
        fps=float(fps or trace.meta.get("fps", 30.0)),
        memory_bytes=_covered(sorted(areas)),
        span_bytes=max(ends),
        rate_controlled=bool(trace.meta.get("bit_rate")),
        pixels_out=out // len(pictures),
        results=results,
    )


def _covered(areas: list[tuple[int, int]]) -> int:
    """Bytes that areas cover, each counted once; sorted by address."""
    total = end = 0
    for address, size in areas:
        begin = max(address, end)
        total += max(0, address + size - begin)
        end = max(end, address + size)
    return total


def displacements(streams: list[Stream], capacity_bytes: int, seed: int) -> np.ndarray:
    """Where each stream's addresses are moved to, int64[n], whole 4 KiB: anywhere in memory, by `seed`."""
    random = np.random.default_rng(seed)
    room = np.array([max(1, (capacity_bytes - stream.span_bytes) >> 12) for stream in streams])
    return (random.random(len(streams)) * room).astype(np.int64) << 12
