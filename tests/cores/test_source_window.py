"""A job's source as a part of a larger surface, as decoded pictures are: cropped by address, nothing else is read."""

from dataclasses import replace

import numpy as np
import pytest

from asic_model.cores import scale
from asic_model.cores.encode import EncodeCoreConfig, EncodeJob
from asic_model.cores.encode import run as encode
from asic_model.cores.encode.job import bad_field
from asic_model.cores.result import CLIENTS, STATUS_OK, CoreResult
from asic_model.memory.surface import Surface, surface, window
from tests.oracle import scale as oracle

MEBIBYTE = 1 << 20
MEMORY_BYTES = 16 * MEBIBYTE
WIDTH, HEIGHT, WHOLE = 70, 42, (96, 64)
PLACES = [(0, 0), (2, 6), (26, 22)]


def planes(memory: np.ndarray, place: Surface) -> list[np.ndarray]:
    """Views of a surface's (or window's) planes."""
    found = []
    for address, pitch, width, height in (
        (place.address, place.pitch, place.width, place.height),
        (place.cb_address, place.chroma_pitch, place.chroma_width, place.chroma_height),
        (place.cr_address, place.chroma_pitch, place.chroma_width, place.chroma_height),
    ):
        rows = np.lib.stride_tricks.as_strided(memory[address:], (height, width), (pitch, 1))
        found.append(rows)
    return found


def noise(left: int, top: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Memory with noise in a surface at 0, and copies of its window's planes cut out of whole planes."""
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    rng = np.random.default_rng(left + top)
    cut = []
    for number, plane in enumerate(planes(memory, surface(*WHOLE))):
        plane[:] = rng.integers(0, 256, plane.shape)
        x, y, w, h = (value >> (number > 0) for value in (left, top, WIDTH, HEIGHT))
        cut.append(plane[y : y + h, x : x + w].copy())
    return memory, cut


def fields(left: int, top: int) -> dict[str, int]:
    return {"src_surface_width": WHOLE[0], "src_surface_height": WHOLE[1], "src_left": left, "src_top": top}


def assert_reads_stay_inside(result: CoreResult, left: int, top: int) -> None:
    inside = np.zeros(MEMORY_BYTES, bool)
    for plane in planes(inside.view(np.uint8), window(surface(*WHOLE), left, top, WIDTH, HEIGHT)):
        plane[:] = 1
    for request in result.requests[result.requests["client"] == CLIENTS.index("source")]:
        for row in range(request["rows"]):
            begin = int(request["address"]) + row * int(request["pitch"])
            assert inside[begin : begin + int(request["size"])].all()


@pytest.mark.parametrize(("left", "top"), PLACES)
def test_scaler_scales_the_window(left: int, top: int) -> None:
    memory, cut = noise(left, top)
    job = scale.ScaleJob(
        WIDTH, HEIGHT, 0, output_count=1, out0_width=35, out0_height=50, out0_address=MEBIBYTE, **fields(left, top)
    )
    result = scale.run(memory, job, scale.ScaleCoreConfig())
    assert result.status == STATUS_OK
    expected = oracle.scale_plane(cut[0].tolist(), (WIDTH, HEIGHT), (35, 50), (35, 50))
    assert planes(memory, surface(35, 50, MEBIBYTE))[0].tolist() == expected
    assert_reads_stay_inside(result, left, top)


@pytest.mark.parametrize(("left", "top"), PLACES)
def test_quality_compares_the_window(left: int, top: int) -> None:
    memory, cut = noise(left, top)
    reference = planes(memory, surface(80, 48, MEBIBYTE))
    for plane in reference:
        plane[:] = 100
    job = scale.ScaleJob(
        WIDTH, HEIGHT, 0, mode=scale.MODE_QUALITY, ref_width=80, ref_height=48, ref_address=MEBIBYTE,
        result_address=2 * MEBIBYTE, **fields(left, top),
    )  # fmt: skip
    result = scale.run(memory, job, scale.ScaleCoreConfig())
    for name, plane in zip(("luma", "cb", "cr"), cut, strict=True):
        assert result.counters[f"sse_{name}"] == int(((plane.astype(int) - 100) ** 2).sum())
    assert_reads_stay_inside(result, left, top)


@pytest.mark.parametrize(("left", "top"), PLACES)
def test_encoder_codes_the_window(left: int, top: int) -> None:
    """The same stream as from a surface that holds nothing else."""
    memory, cut = noise(left, top)
    for plane, samples in zip(planes(memory, surface(WIDTH, HEIGHT, MEBIBYTE)), cut, strict=True):
        plane[:] = samples
    streams = []
    for source in ({"src_address": MEBIBYTE}, {"src_address": 0, **fields(left, top)}):
        job = EncodeJob(
            WIDTH, HEIGHT, recon_address=2 * MEBIBYTE, out_address=3 * MEBIBYTE, out_capacity=MEBIBYTE, **source
        )
        result = encode(memory, job, EncodeCoreConfig())
        assert result.status == STATUS_OK
        streams.append(memory[3 * MEBIBYTE :][: result.output_bytes].tobytes())
    assert streams[0] == streams[1]
    assert_reads_stay_inside(result, left, top)


@pytest.mark.parametrize(
    ("changes", "blamed"),
    [
        ({"src_surface_width": WIDTH - 2}, "src_surface_width"),
        ({"src_surface_height": HEIGHT - 2}, "src_surface_height"),
        ({"src_surface_width": 0}, "src_surface_height"),
        ({"src_surface_width": 0, "src_surface_height": 0, "src_left": 2}, "src_left"),
        ({"src_left": 1}, "src_left"),
        ({"src_left": 28}, "src_left"),  # 96 - 70 = 26
        ({"src_top": 24}, "src_top"),
    ],
)
def test_windows_outside_of_the_surface_are_refused_by_name(changes: dict[str, int], blamed: str) -> None:
    job = EncodeJob(WIDTH, HEIGHT, 0, recon_address=MEBIBYTE, out_address=0, out_capacity=1024, **fields(0, 0))
    assert bad_field(replace(job, **changes), MEMORY_BYTES) == blamed
    scaled = scale.ScaleJob(
        WIDTH, HEIGHT, 0, output_count=1, out0_width=35, out0_height=42, out0_address=MEBIBYTE, **fields(0, 0)
    )
    with pytest.raises(scale.BadJob, match=blamed):
        scale.check(replace(scaled, **changes), MEMORY_BYTES)
