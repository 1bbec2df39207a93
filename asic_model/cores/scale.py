"""Scale core: one picture in, up to four scaled ones out; or two pictures in, their PSNR and SSIM out.

  fetch -> horizontal -> vertical -> store         mode SCALE
  fetch -> quality -> store                        mode QUALITY

A unit of work is a group of `lines` input luma lines (and the chroma lines beside them) inside one stripe of columns.
Stripes are as wide as the line memory allows: filtered lines of all outputs wait there for the vertical filter. Each
input sample is fetched once a stripe for all outputs; neighbouring stripes share the columns under the filter.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from functools import lru_cache

import numpy as np
from pydantic import Field

from asic_model.cores.result import CLIENTS, REQUEST, STATUS_BAD_FIELD, STATUS_OK, CoreResult, Facts
from asic_model.engines import quality, scale
from asic_model.engines.quality import QualityConfig
from asic_model.engines.scale import ScaleConfig
from asic_model.memory.surface import (
    ADDRESS_ALIGNMENT_BYTES,
    Surface,
    source_surface,
    surface,
    window,
    window_fault,
)
from asic_model.section import Section
from asic_model.work import SCALE_WORK

MODE_SCALE = 0
MODE_QUALITY = 1

# ScaleJob.chroma_siting: where a chroma sample stands among its four luma samples.
SITING_LEFT = 0  # on the left column, between the rows: MPEG-2, H.264 default (chroma_sample_loc_type 0)
SITING_CENTRE = 1  # in the middle: JPEG, MPEG-1 (type 1)
SITING_TOP_LEFT = 2  # on the upper left sample: BT.2020 (type 2)

STAGES = ("fetch", "horizontal", "vertical", "quality", "store")
OUTPUTS_MAX = 4

# What mode QUALITY writes at `result_address`: sums that software turns into dB and means (engines/quality.py).
QUALITY_RESULT = np.dtype(
    [
        ("sse_luma", "<i8"),
        ("sse_cb", "<i8"),
        ("sse_cr", "<i8"),
        ("ssim_luma", "<i8"),  # sum over windows, Q20
        ("ssim_cb", "<i8"),
        ("ssim_cr", "<i8"),
        ("windows_luma", "<i8"),
        ("windows_chroma", "<i8"),  # of each chroma plane
        ("samples_luma", "<i8"),
        ("samples_chroma", "<i8"),  # of each chroma plane
    ]
)
RESULT_BYTES = QUALITY_RESULT.itemsize


@dataclass(frozen=True)
class ScaleJob:
    """One job of the scale core. Surfaces are `memory.surface.surface(width, height, address)`.

    SCALE: source `width` x `height` at `src_address` to `output_count` outputs; each side between 1/8 and 4 times.
    QUALITY: source against the first `width` x `height` samples of the `ref_width` x `ref_height` surface at
    `ref_address` (an encoder's reconstruction, stored at coded size); QUALITY_RESULT goes to `result_address`.
    The source may be a part of a larger surface.
    """

    width: int
    height: int
    src_address: int
    mode: int = MODE_SCALE
    chroma_siting: int = SITING_LEFT
    output_count: int = 0
    out0_width: int = 0
    out0_height: int = 0
    out0_address: int = 0
    out1_width: int = 0
    out1_height: int = 0
    out1_address: int = 0
    out2_width: int = 0
    out2_height: int = 0
    out2_address: int = 0
    out3_width: int = 0
    out3_height: int = 0
    out3_address: int = 0
    ref_width: int = 0
    ref_height: int = 0
    ref_address: int = 0
    result_address: int = 0
    src_surface_width: int = 0  # size of the surface that holds the source; 0: the source alone
    src_surface_height: int = 0
    src_left: int = 0  # where the source begins in it
    src_top: int = 0

    @property
    def source(self) -> Surface:
        return window(source_surface(self), self.src_left, self.src_top, self.width, self.height)

    def output(self, index: int) -> tuple[int, int, int]:
        """Return (width, height, address) of output `index`."""
        return (
            getattr(self, f"out{index}_width"),
            getattr(self, f"out{index}_height"),
            getattr(self, f"out{index}_address"),
        )


FIELD_NUMBER = {entry.name: number for number, entry in enumerate(fields(ScaleJob))}


class ScaleCoreConfig(Section):
    """One scale core."""

    scale: ScaleConfig = ScaleConfig()
    quality: QualityConfig = QualityConfig()
    bus_bytes: int = Field(default=32, ge=8, le=256, description="width of the core's memory port [bytes/cycle]")


class BadJob(ValueError):
    """A job that the core refuses. `field` is its name, `number` its place in ScaleJob."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.number = FIELD_NUMBER[field]


def _check_surface(field: str, image: Surface, memory_bytes: int) -> None:
    if image.address < 0 or image.address % ADDRESS_ALIGNMENT_BYTES:
        raise BadJob(field, f"{image.address:#x} is no multiple of {ADDRESS_ALIGNMENT_BYTES}")
    if image.address + image.size_bytes > memory_bytes:
        raise BadJob(field, f"{image.address:#x} + {image.size_bytes} bytes end beyond {memory_bytes} bytes of memory")


def _check_size(field: str, value: int) -> None:
    if not scale.SIZE_MIN <= value <= scale.SIZE_MAX:
        raise BadJob(field, f"{value} is outside {scale.SIZE_MIN}..{scale.SIZE_MAX} samples")


def check(job: ScaleJob, memory_bytes: int) -> None:
    """Raise BadJob, with the field and its legal range, for a job that the core cannot run."""
    _check_size("width", job.width)
    _check_size("height", job.height)
    outside = window_fault(job)
    if outside is not None:
        raise BadJob(outside, "the source leaves its surface")
    source = source_surface(job)
    _check_surface("src_address", source, memory_bytes)
    if job.mode == MODE_QUALITY:
        for name, value, least in (("ref_width", job.ref_width, job.width), ("ref_height", job.ref_height, job.height)):
            _check_size(name, value)
            if value < least:
                raise BadJob(name, f"{value} is less than the {least} samples to compare")
        _check_surface("ref_address", surface(job.ref_width, job.ref_height, job.ref_address), memory_bytes)
        if job.result_address % 64 or not 0 <= job.result_address <= memory_bytes - RESULT_BYTES:
            raise BadJob("result_address", f"{job.result_address:#x} is no multiple of 64 inside the memory")
        return
    if job.mode != MODE_SCALE:
        raise BadJob("mode", f"{job.mode} is neither {MODE_SCALE} (scale) nor {MODE_QUALITY} (quality)")
    if not SITING_LEFT <= job.chroma_siting <= SITING_TOP_LEFT:
        raise BadJob("chroma_siting", f"{job.chroma_siting} is outside {SITING_LEFT}..{SITING_TOP_LEFT}")
    if not 1 <= job.output_count <= OUTPUTS_MAX:
        raise BadJob("output_count", f"{job.output_count} is outside 1..{OUTPUTS_MAX}")
    taken = [source]
    for index in range(job.output_count):
        width, height, address = job.output(index)
        for side, size_in, size_out in (("width", job.width, width), ("height", job.height, height)):
            name = f"out{index}_{side}"
            _check_size(name, size_out)
            if size_out > size_in * scale.ENLARGE_LIMIT or size_in > size_out * scale.REDUCE_LIMIT:
                least, most = -(-size_in // scale.REDUCE_LIMIT), size_in * scale.ENLARGE_LIMIT
                raise BadJob(name, f"{size_out} is outside {least}..{most}, 1/8 to 4 times the input's {size_in}")
        image = surface(width, height, address)
        _check_surface(f"out{index}_address", image, memory_bytes)
        if any(
            image.address < other.address + other.size_bytes and other.address < image.address + image.size_bytes
            for other in taken
        ):
            raise BadJob(f"out{index}_address", f"{address:#x}: the surface overlaps another one of the job")
        taken.append(image)


def _planes(image: Surface) -> tuple[scale.Plane, scale.Plane, scale.Plane]:
    chroma = image.chroma_pitch, image.chroma_width, image.chroma_height
    return (
        scale.Plane(image.address, image.pitch, image.width, image.height),
        scale.Plane(image.cb_address, *chroma),
        scale.Plane(image.cr_address, *chroma),
    )


def _axes(size_in: int, size_out: int, siting: int, cfg: ScaleConfig) -> tuple[scale.Axis, scale.Axis]:
    """Return the axes of luma and of chroma for one side; `siting` is chroma's, in quarters of a sample."""
    luma = scale.axis(size_in, size_out, size_out, scale.SITING_CENTRED, cfg.taps, cfg.phases)
    chroma = scale.axis(size_in, size_out, (size_out + 1) // 2, siting, cfg.taps, cfg.phases)
    return luma, chroma


def _sitings(chroma_siting: int) -> tuple[int, int]:
    """Return chroma's siting across and down, in quarters of a chroma sample."""
    across = scale.SITING_CENTRED if chroma_siting == SITING_CENTRE else scale.SITING_COSITED
    down = scale.SITING_COSITED if chroma_siting == SITING_TOP_LEFT else scale.SITING_CENTRED
    return across, down


def _scale_pixels(memory: np.ndarray, job: ScaleJob, cfg: ScaleConfig) -> None:
    source = _planes(job.source)
    siting_across, siting_down = _sitings(job.chroma_siting)
    for index in range(job.output_count):
        width, height, address = job.output(index)
        target = _planes(surface(width, height, address))
        across = _axes(job.width, width, siting_across, cfg)
        down = _axes(job.height, height, siting_down, cfg)
        for plane in range(3):
            scale.scale_plane(memory, source[plane], target[plane], across[plane > 0], down[plane > 0])


def stripes(job: ScaleJob, cfg: ScaleConfig) -> list[list[tuple[int, int]]]:
    """Return the luma columns [begin, end) of each output in each stripe: as few stripes as the line memory allows.

    A stripe of an output needs span_y lines of luma and of both chroma planes (half as wide each) at 2 bytes a sample.
    """
    outputs = [job.output(index) for index in range(job.output_count)]
    spans = [scale.span(job.height, height, cfg.taps) for _, height, _ in outputs]
    for count in range(1, scale.SIZE_MAX // 16 + 1):
        steps = [-(-width // (16 * count)) * 16 for width, _, _ in outputs]
        if sum(4 * span * step for span, step in zip(spans, steps, strict=True)) <= cfg.line_memory_bytes:
            break
    return [
        [(min(s * step, width), min((s + 1) * step, width)) for step, (width, _, _) in zip(steps, outputs, strict=True)]
        for s in range(count)
    ]


@dataclass(frozen=True)
class _Plan:
    """What a job costs, whatever its pixels: the same for all pictures of a stream. `surface` numbers the addresses."""

    work: np.ndarray
    cycles: np.ndarray
    requests: np.ndarray  # `address` counts from the first byte of its surface
    surface: np.ndarray  # for each request, index into the job's list of surfaces


def _rows(
    units: np.ndarray, stage: str, client: str, write: int, rows: np.ndarray, size: int, pitch: int, address: np.ndarray
) -> np.ndarray:
    """Return one request a unit, `rows` pieces of `size` bytes each; units without rows have none."""
    some = rows > 0
    requests = np.zeros(int(some.sum()), REQUEST)
    requests["unit"], requests["rows"], requests["address"] = units[some], rows[some], address[some]
    requests["stage"], requests["client"], requests["write"] = STAGES.index(stage), CLIENTS.index(client), write
    requests["size"], requests["pitch"] = size, pitch
    return requests


def _finish(work: np.ndarray, parts: list[tuple[int, np.ndarray]], cfg: ScaleCoreConfig) -> _Plan:
    """Put requests into order, count their bytes into `work`, and turn the work into cycles."""
    requests = np.concatenate([part for _, part in parts])
    owner = np.concatenate([np.full(len(part), number) for number, part in parts])
    order = np.lexsort((requests["stage"], requests["unit"]))
    requests, owner = requests[order], owner[order]
    for name, write in (("fetch", 0), ("store", 1)):
        mine = requests[requests["write"] == write]
        np.add.at(work[f"{name}_bytes"], mine["unit"], mine["rows"].astype(np.uint32) * mine["size"])
        np.add.at(work[f"{name}_pieces"], mine["unit"], mine["rows"])
    table = np.zeros((len(work), len(STAGES)), np.int64)
    table[:, 1:3] = scale.cycles(cfg.scale, work)
    table[:, 3] = quality.cycles(cfg.quality, work)
    for stage, name in ((0, "fetch"), (4, "store")):
        # Whole bus words, and one more for each piece, which begins and ends anywhere.
        table[:, stage] = -(-work[f"{name}_bytes"].astype(np.int64) // cfg.bus_bytes) + work[f"{name}_pieces"]
    for array in (work, table, requests, owner):
        array.flags.writeable = False
    return _Plan(work, table, requests, owner)


@lru_cache(maxsize=64)
def _scale_plan(job: ScaleJob, cfg: ScaleCoreConfig) -> _Plan:
    """Plan a SCALE job. `job` has its addresses set to 0. Surface 0 is the source, 1.. are the outputs."""
    pieces = stripes(job, cfg.scale)
    group = cfg.scale.lines
    groups = -(-job.height // group)
    work = np.zeros(len(pieces) * groups, SCALE_WORK)
    parts: list[tuple[int, np.ndarray]] = []
    source = _planes(job.source)
    sitings = _sitings(job.chroma_siting)
    outputs = [job.output(index) for index in range(job.output_count)]
    across = [_axes(job.width, width, sitings[0], cfg.scale) for width, _, _ in outputs]
    down = [_axes(job.height, height, sitings[1], cfg.scale) for _, height, _ in outputs]
    for stripe, columns in enumerate(pieces):
        units = stripe * groups + np.arange(groups)
        for plane in range(3):
            lines = group >> (plane > 0)
            begin_line = np.arange(groups) * lines
            lines_in = np.clip(source[plane].height - begin_line, 0, lines)
            left, right = source[plane].width, 0  # columns of the input that this stripe's outputs look at
            for index, (width, height, _) in enumerate(outputs):
                begin, end = columns[index]
                if begin == end:
                    continue
                if plane:
                    begin, end = begin // 2, (end + 1) // 2
                x, y = across[index][plane > 0], down[index][plane > 0]
                span_x, span_y = x.coefficients.shape[1], y.coefficients.shape[1]
                left = min(left, max(int(x.first[begin]), 0))
                right = max(right, min(int(x.first[end - 1]) + span_x, source[plane].width))
                # An output line is complete with the group that brings the last input line under its filter.
                last = np.clip(y.first + span_y - 1, 0, source[plane].height - 1) // lines
                first_out = np.searchsorted(last, np.arange(groups))
                lines_out = np.searchsorted(last, np.arange(groups), side="right") - first_out
                at = work[units]
                at["scale_lines_in"][:, index, plane] = lines_in
                at["scale_lines_out"][:, index, plane] = lines_out
                at["scale_columns"][:, index, plane] = end - begin
                at["scale_span_x"][:, index, plane] = span_x
                at["scale_span_y"][:, index, plane] = span_y
                work[units] = at
                target = _planes(surface(width, height))[plane]
                address = target.offset + first_out * target.pitch + begin
                parts.append(
                    (
                        index + 1,
                        _rows(units, "store", "reconstruction", 1, lines_out, end - begin, target.pitch, address),
                    )
                )
            address = source[plane].offset + begin_line * source[plane].pitch + left
            parts.append((0, _rows(units, "fetch", "source", 0, lines_in, right - left, source[plane].pitch, address)))
    # Luma and chroma share a table: the ratio is the same.
    work["scale_tables"][0] = [sum(axes[0].coefficients.size for axes in side) for side in (across, down)]
    return _finish(work, parts, cfg)


@lru_cache(maxsize=64)
def _quality_plan(job: ScaleJob, cfg: ScaleCoreConfig) -> _Plan:
    """Plan a QUALITY job, addresses 0. Surface 0 is the source, 1 the reconstruction, 2 the result block."""
    group = cfg.scale.lines
    groups = -(-job.height // group)
    units = np.arange(groups)
    work = np.zeros(groups, SCALE_WORK)
    parts: list[tuple[int, np.ndarray]] = []
    images = job.source, surface(job.ref_width, job.ref_height)
    for plane in range(3):
        lines = group >> (plane > 0)
        size = _planes(images[0])[plane]
        rows = np.clip(size.height - units * lines, 0, lines)
        for number, image in enumerate(images):
            at = _planes(image)[plane]
            client = ("source", "reconstruction")[number]
            parts.append(
                (
                    number,
                    _rows(units, "fetch", client, 0, rows, size.width, at.pitch, at.offset + units * lines * at.pitch),
                )
            )
        work["quality_samples"] += (rows * size.width).astype(np.uint32)
        # A row of windows closes with the second of its two rows of blocks.
        closed = np.maximum((units * lines + rows) // 4 - 1, 0) - np.maximum(units * lines // 4 - 1, 0)
        work["quality_windows"] += (np.where(rows > 0, closed, 0) * max(size.width // 4 - 1, 0)).astype(np.uint32)
    ends = (units == groups - 1).astype(np.int64)
    parts.append((2, _rows(units, "store", "control", 1, ends, RESULT_BYTES, RESULT_BYTES, 0 * units)))
    return _finish(work, parts, cfg)


def _without_addresses(job: ScaleJob) -> ScaleJob:
    return ScaleJob(*(0 if f.name.endswith("_address") else v for f, v in zip(fields(job), astuple(job), strict=True)))


def _addresses(job: ScaleJob) -> Iterator[int]:
    yield job.src_address
    if job.mode == MODE_QUALITY:
        yield from (job.ref_address, job.result_address)
    else:
        yield from (job.output(index)[2] for index in range(job.output_count))


def _compare(memory: np.ndarray, job: ScaleJob) -> np.ndarray:
    """Return QUALITY_RESULT[1] of a QUALITY job."""
    source = _planes(job.source)
    coded = _planes(surface(job.ref_width, job.ref_height, job.ref_address))
    result = np.zeros(1, QUALITY_RESULT)
    for plane, name in enumerate(("luma", "cb", "cr")):
        sse, ssim, windows = quality.compare_planes(memory, source[plane], coded[plane])
        kind = "chroma" if plane else "luma"
        result[f"sse_{name}"], result[f"ssim_{name}"], result[f"windows_{kind}"] = sse, ssim, windows
        result[f"samples_{kind}"] = source[plane].width * source[plane].height
    return result


def _plan(job: ScaleJob, cfg: ScaleCoreConfig) -> _Plan:
    return (_quality_plan if job.mode == MODE_QUALITY else _scale_plan)(_without_addresses(job), cfg)


def _placed(job: ScaleJob, plan: _Plan) -> np.ndarray:
    """The plan's requests at the job's addresses."""
    requests = plan.requests.copy()
    requests["address"] += np.array(list(_addresses(job)), np.uint64)[plan.surface]
    return requests


def cost(
    _memory: object, job: ScaleJob, cfg: ScaleCoreConfig, _work: np.ndarray, _facts: Facts
) -> tuple[np.ndarray, np.ndarray]:
    """Return (cycles, REQUEST rows): both follow from the job alone."""
    plan = _plan(job, cfg)
    return plan.cycles, _placed(job, plan)


def estimate(job: ScaleJob, cfg: ScaleCoreConfig) -> CoreResult:
    """Return what `job`, which must be legal, costs; no pixel is touched."""
    plan = _plan(job, cfg)
    return CoreResult(STATUS_OK, 0, 0, STAGES, plan.cycles, _placed(job, plan), plan.work)


def run(memory: np.ndarray, job: ScaleJob, cfg: ScaleCoreConfig) -> CoreResult:
    """Run `job` on `memory`, uint8[...]: pixels are written, or the result block; return what it costs."""
    try:
        check(job, memory.size)
    except BadJob as refused:
        nothing = np.zeros((0, len(STAGES)), np.int64), np.zeros(0, REQUEST), np.zeros(0, SCALE_WORK)
        return CoreResult(STATUS_BAD_FIELD, refused.number, 0, STAGES, *nothing)
    if job.mode == MODE_QUALITY:
        plan = _quality_plan(_without_addresses(job), cfg)
        result = _compare(memory, job)
        memory[job.result_address : job.result_address + RESULT_BYTES] = result.view(np.uint8)
        counters = {name: int(result[name][0]) for name in QUALITY_RESULT.names or ()}
        output_bytes = RESULT_BYTES
    else:
        plan = _scale_plan(_without_addresses(job), cfg)
        _scale_pixels(memory, job, cfg.scale)
        sizes = [job.output(index)[:2] for index in range(job.output_count)]
        counters = {
            "samples_in": job.width * job.height,
            "samples_out": sum(width * height for width, height in sizes),
        }
        output_bytes = int(plan.work["store_bytes"].sum())
    return CoreResult(STATUS_OK, 0, output_bytes, STAGES, plan.cycles, _placed(job, plan), plan.work, counters)
