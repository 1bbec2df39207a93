"""PSNR sums are exact and SSIM is the published measure within the engine's rounding."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.engines import quality
from asic_model.engines.scale import Plane
from asic_model.work import SCALE_WORK
from tests.oracle import quality as oracle

# Three roundings of 2**-20 a window (engines/quality.py), and C1, C2 rounded to whole numbers.
TOLERANCE = 8e-6


def compare(a: np.ndarray, b: np.ndarray) -> tuple[int, int, int]:
    """Compare two pictures that stand behind each other in memory, the second with a wider pitch."""
    height, width = a.shape
    wide = np.zeros((height, width + 5), np.uint8)
    wide[:, :width] = b
    mem = np.concatenate([a.ravel(), wide.ravel()])
    return quality.compare_planes(mem, Plane(0, width, width, height), Plane(a.size, width + 5, width, height))


def pair(height: int, width: int, seed: int, spread: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (height, width))
    b = np.clip(a + rng.integers(-spread, spread + 1, a.shape), 0, 255)
    return a.astype(np.uint8), b.astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 33), st.integers(2, 33), st.integers(0, 999), st.sampled_from([0, 1, 9, 255]))
def test_equals_its_twin(height: int, width: int, seed: int, spread: int) -> None:
    a, b = pair(height, width, seed, spread)
    sse, ssim, windows = compare(a, b)
    lists = a.tolist(), b.tolist()
    assert sse == oracle.sse(*lists)
    assert windows == len(oracle.windows(*lists))
    assert ssim == oracle.ssim_integer(*lists)


@pytest.mark.parametrize("spread", [1, 5, 40, 255])
def test_ssim_is_the_published_measure(spread: int) -> None:
    a, b = pair(40, 52, spread, spread)
    _, ssim, windows = compare(a, b)
    assert quality.ssim_mean(ssim, windows) == pytest.approx(
        oracle.ssim_published(a.tolist(), b.tolist()), abs=TOLERANCE
    )


def test_black_against_white_and_inverted_checks() -> None:
    """The extremes of every sum: nothing overflows, and inverted structure is negative."""
    black, white = np.zeros((16, 8192), np.uint8), np.full((16, 8192), 255, np.uint8)
    sse, ssim, windows = compare(black, white)
    assert sse == 255**2 * black.size
    assert quality.ssim_mean(ssim, windows) == pytest.approx(6.5025 / (255**2 + 6.5025), abs=TOLERANCE)
    checks = (np.indices((16, 64)).sum(0) % 2 * 255).astype(np.uint8)
    _, ssim, windows = compare(checks, 255 - checks)
    assert quality.ssim_mean(ssim, windows) == pytest.approx(
        oracle.ssim_published(checks.tolist(), (255 - checks).tolist()), abs=TOLERANCE
    )
    assert ssim < 0


def test_equal_pictures() -> None:
    a, _ = pair(24, 24, 3, 0)
    sse, ssim, windows = compare(a, a)
    assert (sse, ssim, windows) == (0, 25 << 20, 25)
    assert quality.psnr_db(0, 576) == math.inf
    assert quality.ssim_mean(ssim, windows) == 1


def test_psnr_by_hand() -> None:
    """SSE = samples: mean squared error 1, 10 log10(255**2) = 48.1308 dB."""
    assert quality.psnr_db(500, 500) == pytest.approx(48.1308, abs=1e-4)


def test_ssim_close_to_ffmpeg(media) -> None:  # type: ignore[no-untyped-def]
    """FFmpeg's `ssim` filter uses the same windows with constants rounded another way: within 1e-4."""
    import av

    with av.open(str(media / "clips" / "siti_foreman_cif.y4m")) as container:
        frames = [f for f, _ in zip(container.decode(video=0), range(2), strict=False)]
    graph = av.filter.Graph()
    sources = [graph.add_buffer(width=352, height=288, format="yuv420p", time_base="1/30") for _ in frames]
    ssim_filter, sink = graph.add("ssim"), graph.add("buffersink")
    for pad, source in enumerate(sources):
        source.link_to(ssim_filter, 0, pad)
    ssim_filter.link_to(sink)
    graph.configure()
    for source, frame in zip(sources, frames, strict=True):
        frame.pts = 0
        source.push(frame)
        source.push(None)
    expected = float(sink.pull().metadata["lavfi.ssim.Y"]) if hasattr(av.VideoFrame, "metadata") else None
    if expected is None:
        pytest.skip("this PyAV does not show frame metadata")
    a, b = (np.ascontiguousarray(f.to_ndarray()[:288]) for f in frames)
    _, ssim, windows = compare(a, b)
    assert quality.ssim_mean(ssim, windows) == pytest.approx(expected, abs=1e-4)


def test_cycles_of_a_known_unit() -> None:
    work = np.zeros(3, SCALE_WORK)
    work["quality_samples"] = [1000, 1000, 0]
    work["quality_windows"] = [10, 200, 0]
    cfg = quality.QualityConfig(lanes=16, window_cycles=2, pipeline_cycles=26)
    # ceil(1000 / 16) = 63 against 20, then against 400; an idle unit costs nothing.
    assert quality.cycles(cfg, work).tolist() == [63 + 26, 400 + 26, 0]
