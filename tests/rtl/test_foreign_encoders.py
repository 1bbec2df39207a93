"""Streams and samples that whole encoders and their loops are held to, worked out without any RTL."""

import av
import numpy as np
import pytest

from rtl_tests.foreign.description import Bound
from rtl_tests.foreign.sources import AdapterFault
from rtl_tests.foreign.transactions.block_transform import BlockTransform
from rtl_tests.foreign.transactions.deblock import Deblock
from rtl_tests.foreign.transactions.frame_encode import FrameEncode
from rtl_tests.foreign.transactions.intra_predict import IntraPredict, hevc_filtered, hevc_predict
from rtl_tests.foreign.transactions.residual_code import ResidualCode
from tests.rtl.test_foreign_arithmetic import adapter

SIZE = "{width: 64, height: 48, payload: slice_data}"


def pcm_slice(vector):
    """CAVLC slice data of I_PCM macroblocks (7.3.5): mb_type 25, in P slices behind mb_skip_run 0 and 5 more."""
    planes = [vector.planes[f"source_{kind}"] for kind in "yuv"]
    kind = "000011010" if vector.fields["intra"] else "1" + "000011111"  # ue(25); ue(0) ue(30)
    text = "0" * vector.fields["header_bits"]
    for y in range(0, planes[0].shape[0], 16):
        for x in range(0, planes[0].shape[1], 16):
            text += kind
            text += "0" * (-len(text) % 8)
            for plane, scale in zip(planes, (1, 2, 2), strict=True):
                part = plane[y // scale : (y + 16) // scale, x // scale : (x + 16) // scale]
                text += "".join(f"{sample:08b}" for sample in part.ravel())
    return text[vector.fields["header_bits"] :] + "1"


def test_h264_inter_slices_are_wrapped():
    """P pictures of I_PCM macroblocks behind our headers decode to the very samples; a wrong type does not."""
    transaction = FrameEncode(adapter("h264", "frame_encode", "{encode: {inter: [3]}}", SIZE))
    vectors = transaction.vectors(np.random.default_rng(2))
    assert [vector.fields["intra"] for vector in vectors] == [1, 0, 0]
    payloads = [pcm_slice(vector) for vector in vectors]
    failure, figures = transaction.judge_all(vectors, payloads, [])
    assert failure is None
    assert figures["psnr_db"] == 100
    failure, _ = transaction.judge_all(vectors, [*payloads[:2], payloads[2].replace("000011111", "000011110", 1)], [])
    assert failure is not None


def test_skipped_pictures_repeat_the_one_before():
    """mb_skip_run 12, ue 0001101, is a whole picture of 4x3 macroblocks: FFmpeg shows the intra picture again."""
    transaction = FrameEncode(adapter("h264", "frame_encode", "{encode: {inter: [3]}}", SIZE))
    vectors = transaction.vectors(np.random.default_rng(2))
    stream = transaction.stream(vectors, [pcm_slice(vectors[0]), "00011011", "00011011"])
    decoder = av.CodecContext.create("h264", "r")
    packets = [*decoder.parse(stream), *decoder.parse(b""), None]
    decoded = [frame.to_ndarray(format="yuv420p") for packet in packets for frame in decoder.decode(packet)]
    assert len(decoded) == 3
    assert all((picture[:48] == vectors[0].planes["source_y"]).all() for picture in decoded)


def test_a_sequence_has_the_frames_one_behind_the_other():
    """Planes stand on each other; a pixel's chroma is that of its 2x2 square."""
    options = "{width: 64, height: 48, sequence: true}"
    transaction = FrameEncode(adapter("h264", "frame_encode", "{encode: {intra: [2]}}", options))
    (vector,) = transaction.vectors(np.random.default_rng(2))
    first, second = vector.reference
    assert vector.fields["source_y"].shape == (96, 64)
    assert (vector.fields["source_y"][48:] == second.planes["source_y"]).all()
    assert (vector.fields["source_u_full"][:48:2, 1::2] == first.planes["source_u"]).all()
    assert (vector.fields["source_v_full"][49::2, ::2] == second.planes["source_v"]).all()
    assert transaction.per_unit(2)[0] == pytest.approx(1 / (2 * 12))


@pytest.mark.parametrize(("standard", "kind"), [("h264", "core"), ("hevc", "dct")])
def test_samples_are_prediction_and_residual(standard, kind):
    """original - prediction is the residual that is coded; what comes back is cut off at 0 and 255."""
    transaction = BlockTransform(adapter(standard, "transform", f"{{forward_quantise: {{{kind}: [4, 8]}}}}"))
    vectors = transaction.vectors(np.random.default_rng(4))
    cut = 0
    for vector in vectors:
        fields, expected = vector.fields, vector.expected
        assert (fields["original"] - fields["prediction"] == fields["block"]).all()
        assert fields["prediction"].min() >= 0
        assert fields["original"].min() >= 0
        assert max(fields["prediction"].max(), fields["original"].max()) <= 255
        whole = fields["prediction"] + expected["reconstruction"]
        cut += int(np.any((whole < 0) | (whole > 255)))
        assert (expected["samples"] == np.clip(whole, 0, 255)).all()
    assert cut > 5


def test_residuals_may_be_bounded():
    """`domain.residual` bounds what coefficients come from: dequantised levels of +-20 stay near that."""
    text = adapter("mpeg2", "transform", "{inverse: {dct: [8]}}")
    bounded = text.model_copy(update={"domain": {"residual": Bound(min=None, max=20)}})
    random = [
        vector for vector in BlockTransform(bounded).vectors(np.random.default_rng(1)) if vector.origin == "random"
    ]
    assert max(int(np.abs(vector.expected["block"]).max()) for vector in random) in (20, 21)


def test_neighbours_may_come_filtered():
    """The block sees the line of 8.4.4.2.3, and its answer is that of the unfiltered one."""
    transaction = IntraPredict(adapter("hevc", "intra_predict", "{predict: {luma: [16]}}", "{filtered: true}"))
    line = np.random.default_rng(5).integers(0, 256, 65)
    vector = transaction._vector("luma", 16, 34, line, 0)
    filtered = hevc_filtered(line, 16, 34, strong=False)
    assert (vector.fields["line"] == filtered).all()
    assert (vector.fields["above"] == filtered[33:]).all()
    assert (vector.expected["block"] == hevc_predict(line, 16, 34)).all()


def test_one_quantiser_for_both_thresholds():
    """Without `offsets` alpha and beta come from one index; `domain.qp` bounds it."""
    text = adapter("h264", "deblock", "{edge: {luma: [4]}}", "{offsets: false}")
    bounded = text.model_copy(update={"domain": {"qp": Bound(min=20, max=30)}})
    for vector in Deblock(bounded).vectors(np.random.default_rng(1)):
        assert vector.fields["index_a"] == vector.fields["index_b"]
        assert 20 <= vector.fields["qp"] <= 30


def test_bounds_have_names():
    """A bound that a transaction does not know is refused by name."""
    text = adapter("h264", "cavlc", "{cavlc_encode: {block: [4]}}")
    wrong = text.model_copy(update={"domain": {"ncs": Bound(min=0, max=3)}})
    with pytest.raises(AdapterFault, match=r"domain.ncs: no such bound; did you mean 'nc'"):
        ResidualCode(wrong)


def test_components_of_a_macroblock():
    """A flat residual of 10 at QP 24, by hand, and random ones at QP 4, a step of one, that come back nearly whole.

    Luma: each DC is 160, their Hadamard transform 16 * 160, halved 1280, and (1280 * 13107 + (1 << 20) / 3) >> 20 = 16;
    back 16 * 160 rounded by 4 is 640, and (640 + 32) >> 6 = 10. Chroma: 640 becomes a level of 8, (8 * 160 << 4) >> 5
    again 640.
    """
    kinds = "{forward_quantise: {intra_16x16: [16], chroma: [8], blocks: [8, 16]}}"
    transaction = BlockTransform(adapter("h264", "transform", kinds))
    for kind, size, level in (("intra_16x16", 16, 16), ("chroma", 8, 8)):
        expected = transaction._vector("forward_quantise", kind, size, np.full((size, size), 10), 24, 1).expected
        assert expected["dc"].ravel().tolist() == [level] + [0] * (size * size // 16 - 1)
        assert not expected["block"].any()
        assert (expected["reconstruction"] == 10).all()
    rng = np.random.default_rng(3)
    for kind, size in (("intra_16x16", 16), ("chroma", 8), ("blocks", 8), ("blocks", 16)):
        residual = rng.integers(-255, 256, (size, size))
        vector = transaction._vector("forward_quantise", kind, size, residual, 4, 1)
        assert np.abs(vector.expected["reconstruction"] - residual).max() <= 2
        assert bool(vector.expected["block"][::4, ::4].any()) == (kind == "blocks")
    first = transaction._vector("forward_quantise", "blocks", 16, rng.integers(-50, 50, (16, 16)), 26, 0)
    alone = transaction._vector("forward_quantise", "core", 4, first.fields["block"][4:8, 8:12], 26, 0)
    assert (first.expected["block"][4:8, 8:12] == alone.expected["block"]).all()


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        (SIZE, lambda text: text[:-1], "right with `trailing_bits: false` under options"),
        ("{width: 64, height: 48, payload: rbsp}", None, "right with `payload: annexb` under options"),
        (SIZE, lambda text: "", "frame 0: no bits came"),
    ],
)
def test_an_option_that_makes_a_stream_right_is_named(options, change, said):
    """Slice data without its stop bit; a whole stream taken for a NAL unit's inside; nothing at all."""
    transaction = FrameEncode(adapter("h264", "frame_encode", "{encode: {intra: [1]}}", options))
    vectors = transaction.vectors(np.random.default_rng(2))
    plain = FrameEncode(adapter("h264", "frame_encode", "{encode: {intra: [1]}}", SIZE))
    payload = pcm_slice(plain.vectors(np.random.default_rng(2))[0])
    if change is None:
        wrapped = plain.stream(plain.vectors(np.random.default_rng(2)), [payload])
        payload = "".join(f"{byte:08b}" for byte in wrapped)
    else:
        payload = change(payload)
    failure, _ = transaction.judge_all(vectors, [payload], [])
    assert failure is not None
    assert said in failure
