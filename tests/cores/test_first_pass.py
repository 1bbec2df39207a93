"""First-pass jobs of the encode core: what they leave in device memory, what they cost, what they refuse."""

from dataclasses import replace

import numpy as np
import pytest

from asic_model.cores.encode import core, first_pass
from asic_model.cores.encode.account import EncodeCoreConfig
from asic_model.cores.encode.job import FIELD_NUMBER, SLICE_B, SLICE_P, EncodeJob, bad_field
from asic_model.cores.estimate import estimate
from asic_model.cores.result import STATUS_BAD_FIELD
from asic_model.descriptors import PLAN_ENTRY, PLAN_HEADER, EncodeMode, Kind, first_pass_layout
from asic_model.engines import first_pass as engine
from asic_model.memory.surface import surface

WIDTH, HEIGHT, COUNT = 96, 80, 5
LAYOUT = first_pass_layout(WIDTH, HEIGHT)
MACROBLOCKS = 6 * 5
CONFIG = EncodeCoreConfig()


def page(address: int) -> int:
    return -(-address // 4096) * 4096


SOURCE, SOURCE_STEP = 4096, page(surface(WIDTH, HEIGHT).size_bytes)
HALF, HALF_STEP = SOURCE + COUNT * SOURCE_STEP, page(LAYOUT.half_bytes)
AREA = HALF + COUNT * HALF_STEP
PLAN = page(AREA + COUNT * LAYOUT.slot_bytes)
STREAM_BYTES = 65536
RECON = PLAN + STREAM_BYTES


def filled() -> np.ndarray:
    """Memory with five pictures of a still texture under a little noise."""
    memory = np.zeros(PLAN + 4096, np.uint8)
    rng = np.random.default_rng(4)
    texture = rng.normal(128, 40, (HEIGHT + 20, WIDTH + 20))
    texture = (texture[:-2, :-2] + texture[1:-1, 1:-1] + texture[2:, 2:]) / 3
    for number in range(COUNT):
        place = surface(WIDTH, HEIGHT, SOURCE + number * SOURCE_STEP)
        rows = memory[place.address : place.address + place.pitch * HEIGHT].reshape(HEIGHT, place.pitch)
        rows[:, :WIDTH] = (texture[:HEIGHT, :WIDTH] + rng.normal(0, 2, (HEIGHT, WIDTH))).clip(0, 255)
    return memory


def shrink(number: int) -> EncodeJob:
    fields = {"slice_type": SLICE_P, "ref_count": 1, "ref_address_0": HALF + (number - 1) * HALF_STEP} if number else {}
    return EncodeJob(
        width=WIDTH, height=HEIGHT, src_address=SOURCE + number * SOURCE_STEP, recon_address=HALF + number * HALF_STEP,
        out_address=AREA + number * LAYOUT.slot_bytes, out_capacity=LAYOUT.slot_bytes, idr=0, qp=18,
        mode=EncodeMode.SHRINK, **fields,
    )  # fmt: skip


def look(number: int, before: int, after: int) -> EncodeJob:
    return replace(
        shrink(number), mode=EncodeMode.LOOK, src_address=HALF + number * HALF_STEP, recon_address=0,
        slice_type=SLICE_B, ref_count=1, ref_address_0=HALF + before * HALF_STEP, ref_l1_count=1,
        ref_l1_address_0=HALF + after * HALF_STEP,
    )  # fmt: skip


def hand_on(**fields: int) -> EncodeJob:
    given = {
        "width": WIDTH, "height": HEIGHT, "src_address": 0, "recon_address": AREA, "slots": COUNT, "out_address": PLAN,
        "out_capacity": 4096, "plan_count": COUNT, "idr": 0, "tree_strength": 32, "mode": EncodeMode.HAND_ON,
    }  # fmt: skip
    return EncodeJob(**given | fields)


def write_plan(memory: np.ndarray, measured: int = 0) -> None:
    """Pictures 0, 4, 2, 1, 3 in coding order: an I, a P, and three B pictures of which the first is a reference."""
    entries = ((0, 0, 255, 255), (1, 4, 0, 255), (2, 2, 0, 4), (3, 1, 0, 2), (3, 3, 2, 4))
    text = PLAN_HEADER.pack(count=COUNT, measured=measured) + b"".join(
        PLAN_ENTRY.pack(picture_class=kind, slot=slot, ref=ref, ref_l1=ref_l1, cost=7)
        for kind, slot, ref, ref_l1 in entries
    )
    memory[PLAN : PLAN + len(text)] = np.frombuffer(text, np.uint8)


def entries(memory: np.ndarray) -> list[dict[str, int]]:
    at = range(PLAN + 64, PLAN + 64 + 16 * COUNT, 16)
    return [PLAN_ENTRY.unpack(memory[place : place + 16].tobytes()) for place in at]


def run_all(memory: np.ndarray) -> list:
    results = [core.run(memory, shrink(number), CONFIG) for number in range(COUNT)]
    results += [core.run(memory, look(*numbers), CONFIG) for numbers in ((2, 0, 4), (1, 0, 2), (3, 2, 4))]
    write_plan(memory)
    return [*results, core.run(memory, hand_on(), CONFIG)]


def qp_map(memory: np.ndarray, slot: int) -> np.ndarray:
    at = AREA + slot * LAYOUT.slot_bytes + LAYOUT.qp_map
    return memory[at : at + MACROBLOCKS].view(np.int8)


def test_a_group_is_planned() -> None:
    memory = filled()
    results = run_all(memory)
    assert all(result.status == 0 for result in results)
    summaries = [
        memory[at : at + first_pass.SUMMARY.itemsize].view(first_pass.SUMMARY)[0]
        for at in range(AREA, AREA + COUNT * LAYOUT.slot_bytes, LAYOUT.slot_bytes)
    ]
    assert summaries[0]["best"] == summaries[0]["intra"]
    assert all(summary["best"] < summary["intra"] / 3 for summary in summaries[1:])
    assert all(summary["macroblocks"] == MACROBLOCKS for summary in summaries)
    found = entries(memory)
    # What others refer to is finer: I, P, and the B picture that is a reference; the other two are worth nothing more.
    offsets = [entry["offset"] for entry in found]
    assert max(offsets[:3]) < 0
    assert offsets[3:] == [0, 0]
    at = [AREA + slot * LAYOUT.slot_bytes for slot in (0, 4, 2, 1, 3)]
    worth = [memory[a + LAYOUT.worth : a + LAYOUT.variance].view(np.uint32).sum(dtype=int) for a in at]
    assert worth[0] > worth[1] > worth[2] > worth[3] == worth[4] == 0
    assert all(not qp_map(memory, slot).any() for slot in (1, 3))
    assert abs(qp_map(memory, 0).mean()) <= 0.5


def test_measured_costs_stay() -> None:
    memory = filled()
    run_all(memory)
    write_plan(memory, measured=1)
    core.run(memory, hand_on(), CONFIG)
    assert [entry["cost"] for entry in entries(memory)] == [7] * COUNT


def test_adaptive_quantisation_alone() -> None:
    """Without the tree the map is the variance's, strength one, within roundings."""
    memory = filled()
    run_all(memory)
    core.run(memory, hand_on(tree_strength=0, aq_strength=16), CONFIG)
    for number, slot in enumerate((0, 4, 2, 1, 3)):
        at = AREA + slot * LAYOUT.slot_bytes + LAYOUT.variance
        variance = memory[at : at + MACROBLOCKS].view(np.int8) / 8
        assert np.all(np.abs(qp_map(memory, slot) + entries(memory)[number]["offset"] - variance) <= 0.5)


def test_same_memory_same_answer() -> None:
    one, other = filled(), filled()
    first, second = run_all(one), run_all(other)
    assert np.array_equal(one, other)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.cycles, b.cycles)
        assert np.array_equal(a.requests, b.requests)


def test_cost_follows_from_job_and_work() -> None:
    """What playback asks for is what the run said; the estimate has the same shape."""
    memory = filled()
    jobs = [shrink(0), shrink(1), look(1, 0, 2), hand_on()]
    core.run(memory, shrink(2), CONFIG)
    for job in jobs:
        result = core.run(memory, job, CONFIG)
        cycles, requests = core.cost(np.zeros(0, np.uint8), job, CONFIG, result.work, {})
        assert np.array_equal(cycles, result.cycles)
        assert np.array_equal(requests, result.requests)
        assert cycles.sum() > 0
        guess = estimate(Kind.ENCODE, job, CONFIG)
        assert guess.cycles.shape == result.cycles.shape


def test_traffic_is_what_is_touched() -> None:
    """SHRINK reads the luma once and writes its half; HAND_ON stays in the records."""
    memory = filled()
    results = run_all(memory)
    requests = results[0].requests
    size = requests["size"].astype(int) * requests["rows"]
    assert size[requests["write"] == 0].sum() == WIDTH * HEIGHT
    records = MACROBLOCKS * 12
    assert 0 <= size[requests["write"] == 1].sum() - 48 * 48 - records < 64
    requests = results[-1].requests
    ends = requests["address"].astype(int) + requests["size"]
    assert requests["address"].min() >= AREA
    assert ends.max() <= AREA + COUNT * LAYOUT.slot_bytes


@pytest.mark.parametrize(
    ("job", "field"),
    [
        (replace(shrink(1), ref_count=2), "ref_count"),
        (replace(shrink(0), out_capacity=LAYOUT.slot_bytes - 1), "out_capacity"),
        (replace(shrink(0), recon_address=PLAN + 4096), "recon_address"),
        (replace(look(1, 0, 2), ref_l1_address_0=PLAN + 4096), "ref_l1_address_0"),
        (hand_on(out_capacity=64), "out_capacity"),
        (hand_on(slots=128), "recon_address"),
        (hand_on(mode=4), "mode"),
    ],
)
def test_bad_fields_are_named(job: EncodeJob, field: str) -> None:
    result = core.run(filled(), job, CONFIG)
    assert (result.status, result.detail) == (STATUS_BAD_FIELD, FIELD_NUMBER[field])


def vector_job(records: int, **fields: int) -> EncodeJob:
    """Picture 4 as a P picture of the source surface of picture 0."""
    return EncodeJob(
        width=WIDTH, height=HEIGHT, src_address=SOURCE + 4 * SOURCE_STEP, recon_address=RECON, out_address=PLAN,
        out_capacity=STREAM_BYTES, slice_type=SLICE_P, idr=0, nal_ref_idc=2, frame_num=1, qp=27, ref_count=1,
        ref_address_0=SOURCE, vectors_address=records, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(("effort", "coarse"), [(0, False), (1, False), (2, True)])
def test_search_begins_where_the_first_pass_found_it(effort: int, coarse: bool) -> None:
    """A displacement of (24, -12) that no neighbour knows: half-size records say (12, -6), 48 and -24 quarter samples.
    Nothing is searched at 1/4 resolution but for effort slow, and the prediction is as good as with that level; with
    records that say nothing it is found nowhere."""
    memory = np.zeros(RECON + SOURCE_STEP, np.uint8)
    rng = np.random.default_rng(4)
    texture = rng.normal(128, 40, (HEIGHT + 80, WIDTH + 80)).clip(0, 255)
    for number, (left, top) in ((0, (40, 40)), (4, (40 + 24, 40 - 12))):
        place = surface(WIDTH, HEIGHT, SOURCE + number * SOURCE_STEP)
        rows = memory[place.address : place.address + place.pitch * HEIGHT].reshape(HEIGHT, place.pitch)
        rows[:, :WIDTH] = texture[top : top + HEIGHT, left : left + WIDTH]
    told, silent = AREA, AREA + LAYOUT.slot_bytes
    records = memory[told : told + 12 * MACROBLOCKS].view(engine.RECORD)
    records["mv"][:, 0] = 48, -24
    sizes = {}
    for name, address in (("told", told), ("silent", silent), ("none", 0)):
        result = core.run(memory, vector_job(address, effort=effort), CONFIG)
        assert result.status == 0
        sizes[name] = result.output_bytes
        searched = result.work["motion_search_coarse"] > 0
        assert searched.any() == (coarse or name == "none")
        read = result.requests["address"]
        assert np.any((read >= address) & (read < address + 12 * MACROBLOCKS)) == (address > 0)
    assert sizes["told"] <= 1.02 * sizes["none"]
    if not coarse:
        assert sizes["silent"] > 1.3 * sizes["told"]


def test_vectors_beyond_memory_are_named() -> None:
    memory_bytes = RECON + SOURCE_STEP
    assert bad_field(vector_job(memory_bytes - 64), memory_bytes) == "vectors_address"
    assert bad_field(vector_job(memory_bytes - 12 * MACROBLOCKS), memory_bytes) is None
