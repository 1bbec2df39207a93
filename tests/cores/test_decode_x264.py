"""What libx264 makes of its interlaced and unusual modes decodes as in FFmpeg: MBAFF in every combination of tools."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from asic_model.codecs.h264.nal import NAL_SPS, split_annex_b, unescape
from asic_model.codecs.h264.parameter_sets import parse_sps
from tests.cores.test_decode_random import compare_with_ffmpeg

WIDTH, HEIGHT, FRAMES = 96, 80, 14

BASE = {"keyint": 8, "ref": 4, "8x8dct": 1, "subme": 5, "me": "dia", "threads": 1, "qp": 26}
CASES = {
    "mbaff-cabac-temporal": {"tff": 1, "cabac": 1, "bframes": 3, "direct": "temporal", "weightb": 1},
    "mbaff-cabac-spatial": {"bff": 1, "cabac": 1, "bframes": 3, "direct": "spatial", "b-pyramid": "normal"},
    "mbaff-cavlc-temporal": {"tff": 1, "cabac": 0, "bframes": 2, "direct": "temporal", "partitions": "all"},
    "mbaff-cavlc-slices": {"tff": 1, "cabac": 0, "bframes": 0, "slices": 2, "constrained-intra": 1},
    "mbaff-cqm": {"tff": 1, "cabac": 1, "bframes": 1, "cqm": "jvt", "chroma-qp-offset": 5, "deblock": "3,-4"},
    "weighted": {"cabac": 1, "bframes": 3, "weightp": 2, "weightb": 1, "ref": 8, "open-gop": 1},
    "pyramid-no-deblock": {"cabac": 0, "bframes": 7, "b-pyramid": "normal", "ref": 16, "no-deblock": 1},
    "lossless": {"cabac": 1, "bframes": 2, "qp": 0},
    "lossless-cavlc-4x4": {"cabac": 0, "bframes": 1, "qp": 0, "8x8dct": 0},
}


def encode(options: dict[str, object]) -> bytes:
    """Annex B stream of a picture that moves, is noisy, and fades, with fields at different times."""
    rng = np.random.default_rng(7)
    base = rng.integers(0, 256, (40, 40)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    out = io.BytesIO()
    with av.open(out, "w", format="h264") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        text = ":".join(f"{name}={value}" for name, value in {**BASE, **options}.items())
        video.options = {"preset": "medium", "x264-params": text}
        for number in range(FRAMES):
            luma = np.zeros((HEIGHT, WIDTH), np.uint8)
            for field in range(2):
                x, y = 3 * number + 2 * field, 5 + 2 * (number % 4)
                luma[field::2] = base[y : y + HEIGHT, x : x + WIDTH][field::2]
            luma = (luma * (1 - 0.05 * (number % 8))).astype(np.uint8) // 2 + rng.integers(0, 20, luma.shape, np.uint8)
            chroma = luma[::2, ::2].reshape(-1, WIDTH)
            frame = av.VideoFrame.from_ndarray(np.vstack([luma, chroma, 255 - chroma]), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            for packet in video.encode(frame):
                container.mux(packet)
        for packet in video.encode(None):
            container.mux(packet)
    return out.getvalue()


@pytest.mark.parametrize("name", CASES)
def test_streams_of_libx264_look_as_in_ffmpeg(name: str) -> None:
    data = encode(CASES[name])
    units = [data[begin:end] for begin, end in split_annex_b(data)]
    sps = next(parse_sps(unescape(unit[1:])) for unit in units if unit[0] & 31 == NAL_SPS)
    assert sps.mb_adaptive_frame_field_flag == name.startswith("mbaff")
    assert sps.qpprime_y_zero_transform_bypass_flag == name.startswith("lossless")
    assert compare_with_ffmpeg(data, name) == FRAMES
