"""Is the encoder right? FFmpeg's decoder reproduces the core's own reconstruction bit for bit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264.macroblock import I_PCM
from tests.cores.encoding import CONTENT, check_against_ffmpeg, decode, encode, flat, natural, noise

SIZES = ((16, 16), (34, 18), (64, 48), (66, 50), (98, 130), (176, 144))
QPS = (0, 4, 12, 20, 27, 33, 40, 47, 51)


def grid() -> list[tuple[str, dict]]:
    """Combinations that differ from each other in every column: 4 contents x 9 QPs x 10 tool sets = 360."""
    combinations = []
    names = ("entropy", "slices", "references", "gop", "effort", "transform_8x8")
    tools = [
        dict(zip(names, values, strict=True))
        for values in (
            (0, 1, 1, 0, 1, 1),
            (1, 1, 1, 0, 1, 1),
            (0, 2, 1, 2, 0, 0),
            (1, 2, 1, 2, 0, 1),
            (0, 1, 3, 0, 2, 1),
            (1, 1, 3, 0, 2, 1),
            (1, 3, 2, 3, 1, 0),
            (0, 3, 4, 0, 1, 0),
            (1, 1, 4, 1, 2, 1),
            (1, 2, 2, 0, 2, 0),
        )
    ]
    for c, content in enumerate(CONTENT):
        for q, qp in enumerate(QPS):
            for t, tool in enumerate(tools):
                size = SIZES[(c + q + t) % len(SIZES)]
                slices = min(tool["slices"], -(-size[1] // 16))
                combinations.append((content, {**tool, "slices": slices, "qp": qp, "size": size}))
    return combinations


GRID = grid()


def _name(combination: tuple[str, dict]) -> str:
    content, options = combination
    return content + "-" + "-".join(f"{key}{value}" for key, value in options.items()).replace(" ", "")


def _check(content: str, options: dict, seed: int = 0, count: int = 4) -> None:
    options = dict(options)
    width, height = options.pop("size")
    stream, reconstructions, _ = encode(CONTENT[content](width, height, count, seed), **options)
    check_against_ffmpeg(stream, reconstructions, f"{content} {width}x{height} {options}")


def test_the_grid_is_as_large_as_it_says():
    assert len({_name(combination) for combination in GRID}) >= 300


@pytest.mark.parametrize("combination", GRID[::9], ids=_name)
def test_ffmpeg_reproduces_the_reconstruction(combination):
    """A ninth of the grid by default: it meets every content, QP, tool set and size."""
    _check(*combination)


@pytest.mark.slow
@pytest.mark.parametrize("combination", GRID, ids=_name)
def test_ffmpeg_reproduces_the_reconstruction_everywhere(combination):
    _check(*combination, seed=1, count=5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    content=st.sampled_from(sorted(CONTENT)),
    size=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    qp=st.integers(0, 51),
    entropy=st.integers(0, 1),
    references=st.integers(1, 4),
    gop=st.integers(0, 3),
    effort=st.integers(0, 2),
    deblocking=st.tuples(st.integers(0, 1), st.integers(-6, 6), st.integers(-6, 6)),
    chroma_qp_offset=st.integers(-12, 12),
    cabac_init_idc=st.integers(0, 2),
    transform_8x8=st.integers(0, 1),
    seed=st.integers(0, 99),
)
def test_any_parameters(
    content,
    size,
    qp,
    entropy,
    references,
    gop,
    effort,
    deblocking,
    chroma_qp_offset,
    cabac_init_idc,
    transform_8x8,
    seed,
):
    """Even sizes from 16x16 on, every QP, deblocking offsets, chroma QP offsets, context tables."""
    disable, alpha, beta = deblocking
    stream, reconstructions, _ = encode(
        CONTENT[content](2 * size[0], 2 * size[1], 3, seed),
        qp=qp,
        entropy=entropy,
        references=references,
        gop=gop,
        effort=effort,
        deblock_disable=disable,
        deblock_alpha=alpha,
        deblock_beta=beta,
        chroma_qp_offset=chroma_qp_offset,
        cabac_init_idc=cabac_init_idc,
        transform_8x8=transform_8x8,
    )
    check_against_ffmpeg(stream, reconstructions, f"{content} {size} qp {qp}")


@pytest.mark.parametrize("entropy", [0, 1])
def test_qp_may_change_with_every_macroblock(entropy):
    """Offsets of -12..12 around QP 27: mb_qp_delta, deblocking and chroma follow."""
    pictures = natural(96, 80, 3)
    offsets = np.random.default_rng(5).integers(-12, 13, 30)
    stream, reconstructions, results = encode(pictures, qp=27, entropy=entropy, qp_offsets=offsets)
    check_against_ffmpeg(stream, reconstructions, "qp map")
    plain, _, _ = encode(pictures, qp=27, entropy=entropy)
    assert stream != plain
    assert results[0].counters["qp_sum"] == 27 * 30 + int(offsets.sum())


@pytest.mark.parametrize("entropy", [0, 1])
def test_noise_at_qp_0_becomes_samples(entropy):
    """Coding full-range noise costs more than its 3072 bits a macroblock: I_PCM bounds the stream and is lossless."""
    pictures = noise(64, 64, 2)
    stream, reconstructions, results = encode(pictures, qp=0, entropy=entropy)
    check_against_ffmpeg(stream, reconstructions, "noise")
    assert (results[0].work["mb_type"] == I_PCM).all()
    assert all(np.array_equal(a, b) for a, b in zip(reconstructions[0], pictures[0], strict=True))
    assert len(stream) < 2 * 16 * (384 + 8) + 200


def test_a_still_picture_is_skipped():
    """The second of two equal flat pictures has no residual: every macroblock is P_Skip."""
    picture = flat(64, 64, 1)[0]
    _, reconstructions, results = encode([picture, picture], qp=27)
    assert results[1].counters["skipped"] == 16
    assert all(np.array_equal(a, b) for a, b in zip(*reconstructions, strict=True))


def test_two_threads_give_the_bytes_of_one():
    """Kernels share no state: jobs on several host threads give what they give alone, twice over."""
    sources = [natural(96, 80, 3, seed) for seed in range(4)]
    alone = [encode(pictures)[0] for pictures in sources]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda pictures: encode(pictures)[0], sources))
    assert together == alone


def test_distortion_falls_with_qp_and_bits_rise():
    """At each step of 10 in QP the stream shrinks and PSNR falls: the quantiser does what it says."""
    pictures = natural(176, 144, 3)
    sizes, errors = [], []
    for qp in (15, 25, 35, 45):
        stream, reconstructions, _ = encode(pictures, qp=qp)
        sizes.append(len(stream))
        pairs = zip(reconstructions, pictures, strict=True)
        errors.append(sum(float(((a[0].astype(int) - b[0]) ** 2).mean()) for a, b in pairs))
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)


def test_work_record_counts_what_was_written():
    """Bits of the macroblocks make the stream: headers and alignment add under 16 bytes a picture, escapes aside."""
    stream, _, results = encode(natural(96, 80, 2), qp=20)
    bits = sum(int(result.work["entropy_bits"].sum()) for result in results)
    written = sum(result.output_bytes for result in results)
    assert bits // 8 <= written <= bits // 8 + 2 * 16 + written // 256
    assert len(decode(stream)) == 2


@pytest.mark.parametrize("effort", [0, 1])
@pytest.mark.parametrize("entropy", [0, 1])
@pytest.mark.parametrize(("content", "qp"), [("noise", 12), ("natural", 8)])
def test_a_picture_keeps_to_its_limit(content: str, qp: int, entropy: int, effort: int) -> None:
    """Given half, a quarter and an eighth of the bits that it would take, a picture takes no more (macroblocks become
    coarser on the way), uses most of it, and is decoded as it was reconstructed."""
    pictures = CONTENT[content](176, 144, 2, 0)
    options = {"qp": qp, "entropy": entropy, "effort": effort, "transform_8x8": 1}
    _, _, free = encode(pictures, **options)
    for share in (2, 4, 8):
        limit = 8 * max(result.output_bytes for result in free) // share
        stream, reconstructions, results = encode(pictures, max_bits=limit, **options)
        sizes = [8 * result.output_bytes for result in results]
        assert max(sizes) <= limit
        assert max(sizes) >= limit // 2
        check_against_ffmpeg(stream, reconstructions, f"{content} limit {limit}")


def test_a_limit_that_is_far_off_changes_nothing() -> None:
    pictures = CONTENT["natural"](98, 66, 3, 0)
    assert encode(pictures, qp=27)[0] == encode(pictures, qp=27, max_bits=10**8)[0]


@pytest.mark.parametrize("kind", ["inter", "intra"])
def test_a_wider_dead_zone_leaves_fewer_levels(kind: str) -> None:
    """Each step of the dead zone (x264's scale: 0 rounds to the nearest, 21 and 11 are its usual ones) costs fewer bits
    than the one before, and the streams are decoded as they were reconstructed."""
    pictures = natural(96, 80, 3)
    bits = []
    for dead_zone in (0, 11, 21, 31):
        field = {f"dead_zone_{kind}": 1 + dead_zone}
        stream, reconstructions, results = encode(pictures, qp=24, **field)
        check_against_ffmpeg(stream, reconstructions, f"{kind} {dead_zone}")
        chosen = results[1:] if kind == "inter" else results[:1]
        bits.append(sum(result.output_bytes for result in chosen))
    assert bits[0] > bits[1] > bits[2] > bits[3]
