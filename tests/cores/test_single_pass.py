"""I and P pictures without trials, as the RTL of the encode core decides: FFmpeg decodes them to the core's
reconstruction.

rtl_tests/encode_core holds the RTL to the same bytes and cycles.
"""

import numpy as np
import pytest

from asic_model.codecs.h264.macroblock import I_4X4, I_16X16, INTER_16X16, P_SKIP
from asic_model.config import load_chip
from asic_model.cores.encode.account import FRACTIONAL_SEARCH, MODE_DECISION, MOTION_SEARCH, TRANSFORM
from asic_model.cores.encode.core import Recording
from asic_model.cores.encode.effort import SINGLE_PASS_P
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
    """P pictures are decided with trials where shapes may be chosen."""
    stream, reconstructions, results, _ = code(encoding.natural(64, 48, 3), gop=0)
    encoding.check_against_ffmpeg(stream, reconstructions, "I, P, P")
    assert results[1].counters["inter"] + results[1].counters["skipped"] > 0


@pytest.mark.parametrize("entropy", [0, 1])
@pytest.mark.parametrize("qp", [10, 27, 51])
@pytest.mark.parametrize("content", sorted(encoding.CONTENT))
def test_ffmpeg_decodes_p_pictures(content, qp, entropy):
    pictures = encoding.CONTENT[content](70, 50, 3, seed=qp)
    fields = {"qp": qp, "entropy": entropy, "slices": 2, "chroma_qp_offset": 3, "gop": 0}
    stream, reconstructions, _, recordings = code(pictures, tools_off=int(SINGLE_PASS_P), **fields)
    encoding.check_against_ffmpeg(stream, reconstructions, f"{content}, QP {qp}")
    for recording in recordings[1:]:
        assert set(recording.mbs.mb_type) <= {P_SKIP, INTER_16X16, I_4X4, I_16X16}


def test_intra_macroblocks_where_nothing_predicts():
    """Noise is no other picture's: intra all over; not where they are left out."""
    pictures = encoding.noise(64, 48, 2)
    *_, recordings = code(pictures, gop=0, tools_off=int(SINGLE_PASS_P))
    assert set(recordings[1].mbs.mb_type) <= {I_4X4, I_16X16}
    *_, recordings = code(pictures, gop=0, tools_off=int(SINGLE_PASS_P | Tool.INTRA_IN_INTER))
    assert set(recordings[1].mbs.mb_type) <= {P_SKIP, INTER_16X16}


def test_the_coder_changes_nothing_but_the_stream_of_p_pictures():
    pictures = encoding.natural(64, 48, 3)
    one, other = (code(pictures, entropy=entropy, gop=0, tools_off=int(SINGLE_PASS_P))[-1] for entropy in (0, 1))
    for a, b in zip(one, other, strict=True):
        for field in ("mb_type", "mv", "cbp", "levels"):
            assert np.array_equal(getattr(a.mbs, field), getattr(b.mbs, field)), field


def test_the_effort_changes_nothing():
    """Whatever the effort: one search, that of medium."""
    pictures = encoding.natural(64, 48, 3)
    streams = {code(pictures, effort=effort, gop=0, tools_off=int(SINGLE_PASS_P))[0] for effort in range(3)}
    assert len(streams) == 1


def test_a_picture_that_stands_still_is_skipped():
    """Its prediction is what the macroblock became before: nothing is left to code at the same QP."""
    picture = encoding.flat(64, 48, 1)[0]
    *_, recordings = code([picture, picture], gop=0, tools_off=int(SINGLE_PASS_P))
    assert (recordings[1].mbs.mb_type == P_SKIP).all()
    assert not recordings[1].mbs.mv.any()


def test_p_macroblocks_take_one_after_the_other():
    """Both searches, then 36 for source, neighbours and commands, 13 + 16 + 9 for luma, 24 + 10, 2 + 9 and 8 + 10 for
    chroma, as RTL takes: with 17 positions of 16 blocks, two a cycle, and two drains of 22, 180 + 137."""
    _, _, results, recordings = code(encoding.natural(80, 64, 2, seed=2), gop=0, tools_off=int(SINGLE_PASS_P))
    work, cycles = recordings[1].work, results[1].cycles
    search = -(-work["motion_search_coarse"].astype(int) // 16) + work["motion_search_fine"] + 2 * 3
    assert np.array_equal(cycles[:, MODE_DECISION], search + 180 + 137)
    assert not cycles[:, [MOTION_SEARCH, FRACTIONAL_SEARCH, TRANSFORM]].any()


def test_two_references_are_decided_with_trials():
    pictures = encoding.natural(64, 48, 3)
    *_, recordings = code(pictures, gop=0, references=2, tools_off=int(SINGLE_PASS_P))
    assert (recordings[2].work["mode_decision_trials"] > 0).all()
    assert not recordings[1].work["mode_decision_trials"].any()
