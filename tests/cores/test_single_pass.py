"""I pictures without trials, as the RTL of the encode core decides: FFmpeg decodes them to the core's reconstruction.

rtl_tests/encode_core holds the RTL to the same bytes and cycles.
"""

import numpy as np
import pytest

from asic_model.codecs.h264.macroblock import I_4X4, I_16X16
from asic_model.config import load_chip
from asic_model.cores.encode.account import MODE_DECISION
from asic_model.cores.encode.core import Recording
from asic_model.descriptors import Tool
from tests.cores import encoding


def code(pictures, **fields):
    recordings: list[Recording] = []
    config = load_chip("tiny").encode.core
    fields = {"gop": 1, "tools_off": int(Tool.TRIALS), "config": config, "recordings": recordings} | fields
    return *encoding.encode(pictures, **fields), recordings


@pytest.mark.parametrize("entropy", [0, 1])
@pytest.mark.parametrize("qp", [10, 27, 51])
@pytest.mark.parametrize("content", sorted(encoding.CONTENT))
def test_ffmpeg_decodes_the_reconstruction(content, qp, entropy):
    pictures = encoding.CONTENT[content](70, 50, 1, seed=qp)
    stream, reconstructions, _, recordings = code(pictures, qp=qp, entropy=entropy, slices=2, chroma_qp_offset=3)
    encoding.check_against_ffmpeg(stream, reconstructions, f"{content}, QP {qp}")
    assert set(recordings[0].mbs.mb_type) <= {I_4X4, I_16X16}


def test_the_coder_changes_nothing_but_the_stream():
    """No choice looks at contexts: CABAC and CAVLC code the same levels."""
    pictures = encoding.natural(64, 48, 1)
    (one,), (other,) = (code(pictures, entropy=entropy)[-1] for entropy in (0, 1))
    for field in ("mb_type", "intra_mode", "chroma_mode", "cbp", "levels"):
        assert np.array_equal(getattr(one.mbs, field), getattr(other.mbs, field)), field


def test_intra_4x4_waits_for_its_neighbour():
    """A macroblock inside the picture, all nine modes in each block: 16 * (4 + 9 + 2 + 9) of Intra4x4, then both passes
    of chroma, 4 + 8 + 10, 2 + 9, 8 + 10, and 4 around them: 439 cycles, as RTL takes."""
    _, _, results, recordings = code(encoding.natural(80, 64, 1, seed=2), qp=27)
    full = (recordings[0].mbs.mb_type == I_4X4) & (recordings[0].work["intra_prediction_blocks"] == 144)
    full &= np.arange(20) % 5 > 0
    assert full.any()
    assert set(results[0].cycles[full, MODE_DECISION]) == {439}


def test_a_picture_may_mix_with_p_pictures():
    """P pictures are decided with trials as ever."""
    stream, reconstructions, results, _ = code(encoding.natural(64, 48, 3), gop=0)
    encoding.check_against_ffmpeg(stream, reconstructions, "I, P, P")
    assert results[1].counters["inter"] + results[1].counters["skipped"] > 0
