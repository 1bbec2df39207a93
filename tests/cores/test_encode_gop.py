"""Are B pictures right? FFmpeg's decoder reproduces the core's own reconstruction, in display order, bit for bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264.macroblock import B_DIRECT_16X16, B_SKIP
from tests.cores.encoding import CONTENT, check_against_ffmpeg, flat, natural
from tests.cores.gop_encoding import encode_gop

NAMES = (
    "b_frames", "b_ref_mode", "references", "references_l1", "direct_temporal", "weighted", "entropy", "slices", "gop",
    "effort", "transform_8x8",
)  # fmt: skip
TOOLS = (
    (1, "disabled", 1, 1, 0, 0, 1, 1, 250, 0, 1),
    (2, "middle", 2, 1, 0, 2, 1, 1, 5, 1, 1),
    (3, "middle", 2, 1, 1, 2, 1, 2, 250, 1, 1),
    (3, "middle", 4, 2, 0, 2, 0, 1, 250, 2, 1),
    (3, "disabled", 3, 2, 1, 0, 0, 2, 7, 0, 0),
    (7, "each", 4, 2, 0, 2, 1, 1, 250, 2, 1),
    (7, "each", 1, 1, 1, 0, 0, 1, 9, 1, 0),
    (5, "each", 2, 2, 1, 2, 1, 3, 250, 2, 0),
)
SIZES = ((48, 34), (98, 66), (66, 98))
QPS = (14, 27, 38, 49)
GRID = [
    (content, {**dict(zip(NAMES, tools, strict=True)), "qp": QPS[(c + q + t) % 4], "size": SIZES[(c + q + t) % 3]})
    for c, content in enumerate(CONTENT)
    for t, tools in enumerate(TOOLS)
    for q in range(4)
]


def _check(content: str, options: dict, count: int, seed: int = 0, cuts: tuple[int, ...] = ()) -> None:
    options = dict(options)
    width, height = options.pop("size")
    options["slices"] = min(options.get("slices", 1), -(-height // 16))
    stream, reconstructions, _ = encode_gop(CONTENT[content](width, height, count, seed), cuts=cuts, **options)
    check_against_ffmpeg(stream, reconstructions, f"{content} {width}x{height} {options}")


@pytest.mark.parametrize("number", range(0, len(GRID), 5))
def test_ffmpeg_reproduces_the_reconstruction(number):
    """A fifth of the grid by default: every content, tool set, QP and size."""
    content, options = GRID[number]
    _check(content, options, 10)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(GRID)))
def test_ffmpeg_reproduces_the_reconstruction_everywhere(number):
    content, options = GRID[number]
    _check(content, options, 19, seed=1, cuts=(6,))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    content=st.sampled_from(sorted(CONTENT)), size=st.tuples(st.integers(8, 36), st.integers(8, 36)),
    count=st.integers(1, 12), cuts=st.sets(st.integers(1, 11), max_size=2), qp=st.integers(0, 51),
    qp_b=st.integers(-3, 6), b_frames=st.integers(1, 7), b_ref_mode=st.sampled_from(("disabled", "middle", "each")),
    references=st.integers(1, 4), references_l1=st.integers(1, 2), direct_temporal=st.integers(0, 1),
    weighted=st.integers(0, 3), tools_off=st.integers(0, 4095), entropy=st.integers(0, 1),
    slices=st.integers(1, 3), gop=st.integers(1, 14),
    effort=st.integers(0, 2), transform_8x8=st.integers(0, 1), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_parameters(content, size, count, cuts, seed, **options):
    """Any structure, any tools, any size from 16x16 on."""
    _check(content, {**options, "size": (2 * size[0], 2 * size[1])}, count, seed, tuple(cuts))


@pytest.mark.parametrize("entropy", [0, 1])
def test_a_fade_is_predicted_with_weights(entropy):
    """Content that darkens to half in eight pictures: FFmpeg weights as the core does, and it takes far fewer bits."""
    still = natural(160, 96, 1)[0]
    pictures = [
        tuple(np.uint8(plane * (1 - n / 16) + 8 * n * (k > 0)) for k, plane in enumerate(still)) for n in range(9)
    ]
    sizes = []
    for weighted in (0, 1):
        stream, reconstructions, _ = encode_gop(
            pictures, b_frames=0, qp=24, entropy=entropy, weighted=weighted, transform_8x8=1
        )
        check_against_ffmpeg(stream, reconstructions, f"fade, weighted {weighted}")
        sizes.append(len(stream))
    assert sizes[1] < 0.8 * sizes[0]


@pytest.mark.parametrize("direct_temporal", [0, 1])
def test_still_pictures_are_b_skip(direct_temporal):
    """Equal flat pictures: direct prediction is exact, every macroblock of the B pictures is skipped."""
    picture = flat(64, 64, 1)[0]
    _, reconstructions, results = encode_gop([picture] * 5, direct_temporal=direct_temporal)
    for header, result in results[2:]:
        assert header.slice_type == 1
        assert (result.work["mb_type"] == B_SKIP).all()
    assert all((one[0] == reconstructions[0][0]).all() for one in reconstructions)


def test_steady_motion_is_predicted_directly_and_from_both_sides():
    """Content that moves evenly: most macroblocks of B pictures are skipped or direct, and they cost less than P's."""
    pictures = natural(160, 96, 9)
    _, _, results = encode_gop(pictures, qp=27, effort=2, transform_8x8=1)
    bits = {0: [], 1: []}
    direct = macroblocks = 0
    for header, result in results[1:]:
        bits[header.slice_type].append(int(result.counters["bits"]))
        if header.slice_type == 1:
            kinds = result.work["mb_type"]
            direct += int(((kinds == B_SKIP) | (kinds == B_DIRECT_16X16)).sum())
            macroblocks += len(kinds)
    assert direct > macroblocks // 4
    assert max(bits[1]) < min(bits[0])
