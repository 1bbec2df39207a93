"""First-pass jobs of the encode core: SHRINK, LOOK and HAND_ON (`EncodeMode`), on the core's own engines.

A picture's first-pass record stands in a slot (`descriptors.first_pass_layout`): summary, costs and vectors, worth,
variance, QP map. SHRINK and LOOK fill one; HAND_ON works on all slots that its plan names, last picture first.
"""

import threading
from collections import OrderedDict

import numpy as np

from asic_model.codecs.h264.macroblock import I_8X8
from asic_model.cores.encode.account import STAGES, EncodeCoreConfig
from asic_model.cores.encode.job import EncodeJob
from asic_model.cores.encode.reference import ReferencePicture, make_reference, quarter_plane
from asic_model.cores.result import REQUEST, STATUS_OK, CoreResult
from asic_model.descriptors import (
    FIRST_PASS_RECORD_BYTES,
    FIRST_PASS_SUMMARY_BYTES,
    FIRST_PASS_WORTH_BYTES,
    PLAN_ENTRY,
    PLAN_HEADER,
    EncodeMode,
    FirstPassLayout,
    PictureClass,
    first_pass_layout,
)
from asic_model.engines import first_pass as engine
from asic_model.engines import fractional_search, intra_prediction, motion_search
from asic_model.engines.lagrangian import MOTION_LAMBDA
from asic_model.engines.motion_search import GUARD_BYTES, Plane
from asic_model.memory import traffic
from asic_model.memory.frame_compression import KnownTiles
from asic_model.memory.reference_cache import reads, search_windows
from asic_model.memory.surface import Surface, surface
from asic_model.work import encode_work

# What SHRINK and LOOK leave at the beginning of a slot.
SUMMARY = np.dtype([("intra", "<u8"), ("best", "<u8"), ("intra_macroblocks", "<u4"), ("macroblocks", "<u4")])
NO_SLOT = 255
KEPT = 8  # references at half size

_kept: OrderedDict[int, tuple[np.ndarray, ReferencePicture]] = OrderedDict()
_lock = threading.Lock()


def units(job: EncodeJob) -> tuple[int, int]:
    """Columns and rows of 16x16 samples at half size."""
    return -(-job.mb_width // 2), -(-job.mb_height // 2)


def half_surface(job: EncodeJob, address: int) -> Surface:
    """A picture at half size; only its luma is there."""
    columns, rows = units(job)
    return surface(16 * columns, 16 * rows, address)


def _luma(memory: np.ndarray, place: Surface) -> np.ndarray:
    rows = memory[place.address : place.address + place.pitch * place.height]
    return rows.reshape(place.height, place.pitch)[:, : place.width]


def _reference(memory: np.ndarray, place: Surface) -> ReferencePicture:
    """The picture as the searches read it, kept while device memory says the same."""
    luma = _luma(memory, place)
    with _lock:
        kept = _kept.get(place.address)
    if kept is not None and np.array_equal(kept[0], luma):
        return kept[1]
    made = make_reference(memory, place)
    with _lock:
        _kept[place.address] = luma.copy(), made
        _kept.move_to_end(place.address)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return made


def _slot(memory: np.ndarray, address: int, layout: FirstPassLayout, count: int) -> tuple[np.ndarray, ...]:
    """(summary, records, worth, variance, QP map) of a slot: views."""
    area = memory[address : address + layout.slot_bytes]
    return (
        area[: SUMMARY.itemsize].view(SUMMARY),
        area[layout.records : layout.worth].view(engine.RECORD),
        area[layout.worth : layout.variance].view(np.uint32),
        area[layout.variance : layout.variance + count].view(np.int8),
        area[layout.qp_map : layout.qp_map + count].view(np.int8),
    )


def _look(memory: np.ndarray, job: EncodeJob, cfg: motion_search.MotionSearchConfig) -> np.ndarray:
    """SHRINK and LOOK; return the work record."""
    columns, rows = units(job)
    count = job.mb_width * job.mb_height
    layout = first_pass_layout(job.width, job.height)
    summary, records, _, variance, _ = _slot(memory, job.out_address, layout, count)
    place = half_surface(job, job.recon_address if job.mode == EncodeMode.SHRINK else job.src_address)
    if job.mode == EncodeMode.SHRINK:
        source = job.source
        engine.shrink(
            memory, source.address, source.pitch, job.width, job.height, memory[place.address :], place.pitch,
            place.width, place.height,
        )  # fmt: skip
        engine.variances(
            memory, source.address, source.pitch, job.width, job.height, job.mb_width, job.mb_height, variance
        )
    data = np.zeros(place.width * place.height + GUARD_BYTES, np.uint8)
    data[: place.width * place.height].reshape(place.height, place.width)[:] = _luma(memory, place)
    current = Plane(data, 0, place.width)
    own = ReferencePicture(fractional_search.ReferencePlanes(data, 0, place.width, 0), current)
    pictures = [own, own]
    for lst, entries in enumerate(job.lists):
        if entries:
            pictures[lst] = _reference(memory, half_surface(job, entries[0].surface.address))
    rate_lambda = int(MOTION_LAMBDA[job.qp])
    work = encode_work(columns * rows)
    work["mb_type"] = I_8X8  # what the intra engine gathers neighbours for
    found = engine.look(
        current, quarter_plane(current, place.width, place.height, 0), (pictures[0].luma, pictures[1].luma),
        (pictures[0].quarter, pictures[1].quarter), job.ref_count | job.ref_l1_count << 1, columns, rows,
        job.mb_width, job.mb_height, engine.settings_of(cfg.range_x, cfg.range_y, rate_lambda), rate_lambda,
        int(job.mode == EncodeMode.SHRINK), records, work,
    )  # fmt: skip
    summary[0] = (*found, count)
    return work


def _hand_on(memory: np.ndarray, job: EncodeJob) -> np.ndarray:
    """HAND_ON; return the work record, a row for each row of macroblocks of each picture, first picture first."""
    count = job.mb_width * job.mb_height
    layout = first_pass_layout(job.width, job.height)
    work = encode_work(job.plan_count * job.mb_height)
    header = memory[job.out_address : job.out_address + PLAN_HEADER.size_bytes]
    measured = PLAN_HEADER.unpack(header.tobytes())["measured"]
    places = [
        job.out_address + PLAN_HEADER.size_bytes + number * PLAN_ENTRY.size_bytes for number in range(job.plan_count)
    ]
    entries = [PLAN_ENTRY.unpack(memory[at : at + PLAN_ENTRY.size_bytes].tobytes()) for at in places]
    inside = {entry["slot"] for entry in entries}
    slots = {
        number: _slot(memory, job.recon_address + number * layout.slot_bytes, layout, count)
        for number in inside
        if number < job.slots
    }
    nowhere = np.zeros(0, np.uint32)
    for slot in slots.values():
        slot[2][:] = 0
    for number in range(job.plan_count - 1, -1, -1):
        entry = entries[number]
        if entry["slot"] not in slots:
            continue
        _, records, worth, variance, qp_map = slots[entry["slot"]]
        intra_only = entry["picture_class"] == PictureClass.I
        if not intra_only:
            targets = [slots[entry[name]][2] if entry[name] in slots else nowhere for name in ("ref", "ref_l1")]
            engine.hand_on(
                records, worth, variance, job.aq_strength, *targets, job.mb_width, job.mb_height,
                work[number * job.mb_height : (number + 1) * job.mb_height],
            )  # fmt: skip
        offset, cost = engine.finish(
            records, worth, variance, job.aq_strength, job.tree_strength, int(intra_only), qp_map
        )
        found = {**entry, "offset": int(offset)}
        if not measured:
            found["cost"] = min(int(cost), 0xFFFFFFFF)
        memory[places[number] : places[number] + PLAN_ENTRY.size_bytes] = np.frombuffer(
            PLAN_ENTRY.pack(found), np.uint8
        )
    return work


def stage_cycles(cfg: EncodeCoreConfig, job: EncodeJob, work: np.ndarray) -> np.ndarray:
    """int64[units, stages].

    SHRINK and LOOK: the engines' own laws; the source at full size (1024 bytes a unit) or half (256) passes the fetch
    stage. HAND_ON: a macroblock and list a cycle, then a macroblock a cycle for the map.
    """
    cycles = np.zeros((len(work), len(STAGES)), np.int64)
    if job.mode == EncodeMode.HAND_ON:
        lists = work["first_pass_lists"].astype(np.int64)
        cycles[:, STAGES.index("mode_decision")] = np.maximum(lists, job.mb_width) + job.mb_width
        return cycles
    fetched = 1024 if job.mode == EncodeMode.SHRINK else 256
    cycles[:, STAGES.index("fetch")] = -(-fetched // cfg.fetch_bytes_per_cycle)
    cycles[:, STAGES.index("motion_search")] = motion_search.cycles(cfg.motion_search, work)
    cycles[:, STAGES.index("fractional_search")] = fractional_search.cycles(cfg.fractional_search, work)
    cycles[:, STAGES.index("mode_decision")] = intra_prediction.cycles(cfg.intra_prediction, work)
    return cycles


def memory_requests(
    memory: np.ndarray | KnownTiles, cfg: EncodeCoreConfig, job: EncodeJob, work: np.ndarray
) -> np.ndarray:
    """REQUEST rows. References at half size are never stored compressed."""
    fetch, search, decide = (STAGES.index(name) for name in ("fetch", "motion_search", "mode_decision"))
    if job.mode == EncodeMode.HAND_ON:
        return _hand_on_requests(job, work, decide)
    columns, rows = units(job)
    if job.mode == EncodeMode.SHRINK:
        place = half_surface(job, job.recon_address)
        parts = [
            _luma_requests(job.source, columns, rows, 32, fetch, False),
            _luma_requests(place, columns, rows, 16, decide, True),
        ]
    else:
        parts = [_luma_requests(half_surface(job, job.src_address), columns, rows, 16, fetch, False)]
    surfaces = [half_surface(job, entries[0].surface.address) for entries in job.lists if entries]
    if surfaces:
        centre = np.zeros((columns * rows, len(surfaces)), np.int64)
        reach = engine.reach(cfg.motion_search.range_x, cfg.motion_search.range_y)
        windows = search_windows(columns, rows, centre, centre, *reach)
        # one request in three is luma's
        parts.append(reads(cfg.reference_cache, surfaces, windows, search)[::3].copy())
    size = job.mb_width * job.mb_height * FIRST_PASS_RECORD_BYTES // (columns * rows)
    records = job.out_address + FIRST_PASS_SUMMARY_BYTES
    parts.append(traffic.per_unit(columns * rows, size, records, decide, True, "intermediate"))
    return traffic.join(*parts)


def _luma_requests(place: Surface, columns: int, rows: int, side: int, stage: int, write: bool) -> np.ndarray:
    """Luma of a picture once, in units of `side` x `side`; groups that fill a line of memory share their requests."""
    group = max(1, traffic.LINE_BYTES // side)
    across = -(-columns // group)
    index = np.arange(across * rows)
    column, row = index % across, index // across
    unit = row * columns + (np.minimum(group * column + group, columns) - 1 if write else group * column)
    x, y = group * side * column, side * row
    size, lines = np.clip(place.width - x, 0, group * side), np.clip(place.height - y, 0, side)
    client = "intermediate" if write or side == 16 else "source"
    return traffic.requests(unit, stage, client, write, place.address + y * place.pitch + x, size, lines, place.pitch)


def _hand_on_requests(job: EncodeJob, work: np.ndarray, stage: int) -> np.ndarray:
    """Row by row: costs, vectors, worth and variance in, the map out; along each list worth in and out again.

    The rows of references are taken to stand where the picture's own are: displaced, they are as many bytes.
    """
    layout = first_pass_layout(job.width, job.height)
    unit = np.arange(len(work))
    row = unit % job.mb_height
    # Which slots the plan names is not in the job: pictures take them in turn.
    slot = job.recon_address + (unit // job.mb_height % max(1, job.slots)) * layout.slot_bytes
    first = row * job.mb_width
    worth = slot + layout.worth + FIRST_PASS_WORTH_BYTES * first
    handed = work["first_pass_lists"].astype(np.int64) * FIRST_PASS_WORTH_BYTES
    parts = []
    for write, address, size in (
        (False, slot + layout.records + FIRST_PASS_RECORD_BYTES * first, job.mb_width * FIRST_PASS_RECORD_BYTES),
        (False, worth, job.mb_width * FIRST_PASS_WORTH_BYTES + handed),
        (False, slot + layout.variance + first, job.mb_width if job.aq_strength else 0),
        (True, worth, handed),
        (True, slot + layout.qp_map + first, job.mb_width),
    ):
        parts.append(traffic.requests(unit, stage, "intermediate", write, address, np.asarray(size)))
    return traffic.join(*parts)


# Means over units of 16x16 samples at half size, of each list searched, and of intra where that is looked at; lists
# along which a macroblock hands on.
_FINE, _FRACTIONAL, _LISTS = 34, 370, 1.3


def estimate(job: EncodeJob, cfg: EncodeCoreConfig) -> CoreResult:
    """What a legal job costs, pixels unseen."""
    if job.mode == EncodeMode.HAND_ON:
        work = encode_work(job.plan_count * job.mb_height)
        work["first_pass_lists"] = round(_LISTS * job.mb_width)
    else:
        columns, rows = units(job)
        work = encode_work(columns * rows)
        work["mb_type"] = I_8X8
        lists = job.ref_count + job.ref_l1_count
        half_x, half_y = engine.reach(cfg.motion_search.range_x, cfg.motion_search.range_y)
        work["motion_search_coarse"], work["motion_search_fine"] = lists * (half_x * half_y // 4), lists * _FINE
        work["fractional_search_blocks"] = lists * _FRACTIONAL
        if job.mode == EncodeMode.SHRINK:
            work["intra_prediction_blocks"] = 4 * engine.INTRA_BLOCKS
    requests = memory_requests(np.zeros(0, np.uint8), cfg, job, work) if len(work) else np.zeros(0, REQUEST)
    return CoreResult(STATUS_OK, 0, 0, STAGES, stage_cycles(cfg, job, work), requests, work)


def run(memory: np.ndarray, job: EncodeJob, cfg: EncodeCoreConfig) -> CoreResult:
    """Run a job that `job.bad_field` has nothing against."""
    if job.mode == EncodeMode.HAND_ON:
        work = _hand_on(memory, job)
        size = PLAN_HEADER.size_bytes + job.plan_count * PLAN_ENTRY.size_bytes
    else:
        work = _look(memory, job, cfg.motion_search)
        size = first_pass_layout(job.width, job.height).slot_bytes
    counters = {"first_pass": 1} | {
        f"first_pass_{name}": int(work[name].sum(dtype=np.int64))
        for name in ("motion_search_coarse", "motion_search_fine", "fractional_search_blocks")
    }
    cycles = stage_cycles(cfg, job, work)
    requests = memory_requests(memory, cfg, job, work) if len(work) else np.zeros(0, REQUEST)
    # The firmware reads the plan, so a run that is played back without pixels needs it.
    facts = {"plan": memory[job.out_address : job.out_address + size].copy()} if job.mode == EncodeMode.HAND_ON else {}
    return CoreResult(STATUS_OK, 0, size, STAGES, cycles, requests, work, counters, facts)
