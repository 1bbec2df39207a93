"""The scale core: jobs it refuses, what it moves, and that the pieces of a job add up to the whole."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.cores import scale as core
from asic_model.cores.result import CLIENTS, STATUS_BAD_FIELD, STATUS_OK
from asic_model.cores.scale import BadJob, ScaleCoreConfig, ScaleJob
from asic_model.memory.surface import Surface, surface
from tests.oracle import scale as oracle

MEBIBYTE = 1 << 20
MEMORY_BYTES = 64 * MEBIBYTE
CONFIG = ScaleCoreConfig()
HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)


def put(memory: np.ndarray, image: Surface, seed: int) -> list[np.ndarray]:
    """Fill a surface with noise; return its planes."""
    rng = np.random.default_rng(seed)
    planes = []
    for plane in core._planes(image):
        samples = rng.integers(0, 256, (plane.height, plane.width), np.uint8)
        for y in range(plane.height):
            memory[plane.offset + y * plane.pitch :][: plane.width] = samples[y]
        planes.append(samples)
    return planes


def get(memory: np.ndarray, image: Surface) -> list[list[list[int]]]:
    return [
        [memory[p.offset + y * p.pitch :][: p.width].tolist() for y in range(p.height)] for p in core._planes(image)
    ]


def ladder(width: int, height: int, sizes: list[tuple[int, int]], **fields: int) -> ScaleJob:
    """Return a job with its outputs at 8, 16, 24, 32 MiB."""
    for i, size in enumerate(sizes):
        fields |= {f"out{i}_width": size[0], f"out{i}_height": size[1], f"out{i}_address": 8 * MEBIBYTE * (i + 1)}
    return ScaleJob(width, height, 0, output_count=len(sizes), **fields)


@pytest.mark.parametrize("siting", [core.SITING_LEFT, core.SITING_CENTRE, core.SITING_TOP_LEFT])
def test_every_output_equals_the_twin_with_its_siting(siting: int) -> None:
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    planes = put(memory, surface(45, 31), 5)
    sizes = [(90, 62), (30, 21), (45, 31), (7, 5)]
    result = core.run(memory, ladder(45, 31, sizes, chroma_siting=siting), CONFIG)
    assert result.status == STATUS_OK
    chroma = {0: (QUARTER, HALF), 1: (HALF, HALF), 2: (QUARTER, QUARTER)}[siting]
    for i, size in enumerate(sizes):
        image = surface(*size, 8 * MEBIBYTE * (i + 1))
        small = image.chroma_width, image.chroma_height
        for plane, found in enumerate(get(memory, image)):
            expected = oracle.scale_plane(
                planes[plane].tolist(),
                (45, 31),
                size,
                small if plane else size,
                chroma if plane else (HALF, HALF),
            )
            assert found == expected, f"output {i}, plane {plane}"


def test_outputs_do_not_depend_on_each_other() -> None:
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    put(memory, surface(64, 48), 6)
    core.run(memory, ladder(64, 48, [(32, 24), (128, 96)]), CONFIG)
    both = get(memory, surface(128, 96, 16 * MEBIBYTE))
    core.run(memory, ladder(64, 48, [(128, 96)]), CONFIG)
    assert get(memory, surface(128, 96, 8 * MEBIBYTE)) == both


def test_nothing_outside_the_outputs_is_written() -> None:
    memory = np.full(MEMORY_BYTES, 77, np.uint8)
    put(memory, surface(50, 50), 7)
    before = memory.copy()
    core.run(memory, ladder(50, 50, [(33, 27)]), CONFIG)
    image = surface(33, 27, 8 * MEBIBYTE)
    for plane in core._planes(image):
        for y in range(plane.height):
            at = plane.offset + y * plane.pitch
            before[at : at + plane.width] = memory[at : at + plane.width]
    assert (before == memory).all()


sizes = st.integers(2, 300)


@settings(max_examples=60, deadline=None)
@given(
    width=sizes,
    height=sizes,
    ratios=st.lists(st.tuples(st.floats(0.13, 4), st.floats(0.13, 4)), min_size=1, max_size=4),
    line_memory=st.sampled_from([65_536, 196_608]),
)
def test_pieces_add_up(width: int, height: int, ratios: list[tuple[float, float]], line_memory: int) -> None:
    """Every output line of every column is counted once, and every output byte is written once, at its own address."""
    outputs = [
        (
            max(2, min(int(width * x), 4 * width), -(-width // 8)),
            max(2, min(int(height * y), 4 * height), -(-height // 8)),
        )
        for x, y in ratios
    ]
    cfg = ScaleCoreConfig(scale=CONFIG.scale.model_copy(update={"line_memory_bytes": line_memory}))
    job = ladder(width, height, outputs)
    core.check(job, MEMORY_BYTES)
    plan = core._scale_plan(core._without_addresses(job), cfg)
    written = plan.work["scale_lines_out"].astype(int) * plan.work["scale_columns"]
    for i, (w, h) in enumerate(outputs):
        assert written[:, i, 0].sum() == w * h
        assert written[:, i, 1].sum() == written[:, i, 2].sum() == ((w + 1) // 2) * ((h + 1) // 2)
        image = surface(w, h)
        seen = np.zeros(image.size_bytes, np.uint8)
        for row in plan.requests[(plan.surface == i + 1)]:
            for y in range(row["rows"]):
                at = int(row["address"]) + y * int(row["pitch"])
                seen[at : at + int(row["size"])] += 1
        expected = np.zeros_like(seen)
        for plane in core._planes(image):
            for y in range(plane.height):
                expected[plane.offset + y * plane.pitch :][: plane.width] = 1
        assert (seen == expected).all()
    assert (np.diff(plan.requests["unit"]) >= 0).all()
    assert (plan.cycles >= 0).all()


def test_each_input_sample_is_fetched_once_without_stripes() -> None:
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    result = core.run(memory, ladder(640, 360, [(320, 180), (640, 360)]), CONFIG)
    reads = result.requests[result.requests["write"] == 0]
    assert (reads["rows"].astype(int) * reads["size"]).sum() == 640 * 360 * 3 // 2
    assert {CLIENTS[c] for c in result.requests["client"]} == {"source", "reconstruction"}


def test_stripes_fit_the_line_memory_and_share_columns() -> None:
    job = ladder(1920, 1080, [(1920, 1080), (1280, 720), (640, 360)])
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    cfg = ScaleCoreConfig(scale=CONFIG.scale.model_copy(update={"line_memory_bytes": 65_536}))
    pieces = core.stripes(job, cfg.scale)
    # 8, 12 and 24 lines at 4 bytes a column (luma, and two half-wide chroma planes, 16 bits each).
    for stripe in pieces:
        assert sum(4 * n * (end - begin) for n, (begin, end) in zip((8, 12, 24), stripe, strict=True)) <= 65_536
    assert len(pieces) == 3
    reads = core.run(memory, job, cfg).requests
    reads = reads[reads["write"] == 0]
    fetched = (reads["rows"].astype(int) * reads["size"]).sum()
    # Outputs end their stripes on multiples of 16 columns each, so stripes overlap by that and the filter's span.
    assert 1920 * 1080 * 3 // 2 < fetched < 1920 * 1080 * 3 // 2 * 1.08


def test_sums_of_quality_reach_memory_and_counters() -> None:
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    a = put(memory, surface(50, 34), 1)
    b = put(memory, surface(64, 48, 8 * MEBIBYTE), 2)
    job = ScaleJob(
        50, 34, 0, mode=core.MODE_QUALITY, ref_width=64, ref_height=48, ref_address=8 * MEBIBYTE, result_address=4096
    )
    job = replace(job, result_address=16 * MEBIBYTE + 64)
    result = core.run(memory, job, CONFIG)
    found = memory[job.result_address :][: core.RESULT_BYTES].view(core.QUALITY_RESULT)[0]
    for name, plane in (("luma", 0), ("cb", 1), ("cr", 2)):
        h, w = a[plane].shape
        expected = int(((a[plane].astype(int) - b[plane][:h, :w]) ** 2).sum())
        assert found[f"sse_{name}"] == result.counters[f"sse_{name}"] == expected
    assert found["samples_luma"] == 50 * 34
    assert found["windows_luma"] == 11 * 7
    assert result.work["quality_windows"].sum() == 11 * 7 + 2 * 5 * 3
    assert result.work["quality_samples"].sum() == 50 * 34 + 2 * 25 * 17
    assert result.output_bytes == core.RESULT_BYTES


GOOD = ladder(640, 360, [(320, 180)])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 1),
        ("width", 8193),
        ("height", 0),
        ("src_address", 100),
        ("src_address", MEMORY_BYTES - 4096),
        ("mode", 2),
        ("chroma_siting", 3),
        ("output_count", 0),
        ("output_count", 5),
        ("out0_width", 79),  # 640 / 8 = 80
        ("out0_width", 2561),
        ("out0_height", 44),
        ("out0_height", 1441),
        ("out0_address", 12),
        ("out0_address", 4096),  # inside the source
        ("out0_address", 1 << 40),
    ],
)
def test_bad_jobs_are_refused_by_name(field: str, value: int) -> None:
    job = replace(GOOD, **{field: value})
    with pytest.raises(BadJob, match=field):
        core.check(job, MEMORY_BYTES)
    result = core.run(np.zeros(MEMORY_BYTES, np.uint8), job, CONFIG)
    assert (result.status, result.detail) == (STATUS_BAD_FIELD, core.FIELD_NUMBER[field])


@pytest.mark.parametrize(
    ("field", "value"),
    [("ref_width", 639), ("ref_height", 8193), ("ref_address", 5), ("result_address", 8), ("result_address", 1 << 40)],
)
def test_bad_quality_jobs_are_refused_by_name(field: str, value: int) -> None:
    good = ScaleJob(
        640, 360, 0, mode=1, ref_width=640, ref_height=368, ref_address=MEBIBYTE, result_address=2 * MEBIBYTE
    )
    core.check(good, MEMORY_BYTES)
    with pytest.raises(BadJob, match=field):
        core.check(replace(good, **{field: value}), MEMORY_BYTES)


def test_limits_themselves_are_accepted() -> None:
    core.check(ladder(640, 360, [(80, 45), (2560, 1440)]), MEMORY_BYTES)
