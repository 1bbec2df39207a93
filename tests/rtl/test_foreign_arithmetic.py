"""Are the answers that foreign blocks are held to the standards' own? Values from the texts, or worked out by hand."""

import av
import numpy as np
import pytest

from asic_model.codecs.h264.cabac_contexts import CONTEXTS, CTX_TERMINATE, initial_states
from asic_model.engines import intra_prediction as engine
from asic_model.engines.entropy.arithmetic import encode_symbols, flush
from rtl_tests.foreign import hints
from rtl_tests.foreign.reading import parse_adapter
from rtl_tests.foreign.sources import AdapterFault
from rtl_tests.foreign.transactions.block_match import BlockMatch, satd
from rtl_tests.foreign.transactions.block_transform import BlockTransform, hevc_forward, hevc_inverse, hevc_matrix
from rtl_tests.foreign.transactions.deblock import Deblock, hevc_chroma, hevc_luma, hevc_qp_c
from rtl_tests.foreign.transactions.frame_encode import FrameEncode
from rtl_tests.foreign.transactions.intra_predict import IntraPredict, hevc_predict
from rtl_tests.foreign.transactions.residual_code import ResidualCode
from tests.rtl.test_foreign_language import GOOD


def adapter(standard, transaction, supports, options="{}"):
    text = GOOD.replace("standard: h264, transaction: transform", f"standard: {standard}, transaction: {transaction}")
    return parse_adapter(text.replace("{forward: {core: [4]}}", f"{supports}\noptions: {options}").encode())


def test_hevc_matrices_are_the_standards():
    """Rows printed in 8.6.4.2; smaller sizes are every second row of the next, cut in half (the text's own rule)."""
    assert hevc_matrix(4).tolist() == [[64, 64, 64, 64], [83, 36, -36, -83], [64, -64, -64, 64], [36, -83, 83, -36]]
    assert hevc_matrix(8)[1].tolist() == [89, 75, 50, 18, -18, -50, -75, -89]
    assert hevc_matrix(8)[3].tolist() == [75, -18, -89, -50, 50, 89, 18, -75]
    assert hevc_matrix(16)[1, :8].tolist() == [90, 87, 80, 70, 57, 43, 25, 9]
    assert hevc_matrix(16)[3, :8].tolist() == [87, 57, 9, -43, -80, -90, -70, -25]
    assert hevc_matrix(32)[1, :16].tolist() == [90, 90, 88, 85, 82, 78, 73, 67, 61, 54, 46, 38, 31, 22, 13, 4]
    assert hevc_matrix(32)[31, :4].tolist() == [4, -13, 22, -31]
    for size in (4, 8, 16):
        assert hevc_matrix(size).tolist() == hevc_matrix(2 * size)[::2, :size].tolist()
        half = hevc_matrix(size)[:, : size // 2]
        signs = np.where(np.arange(size) % 2, -1, 1)[:, None]
        assert (hevc_matrix(size)[:, size // 2 :] == signs * half[:, ::-1]).all()


def test_hevc_transform_of_a_flat_block():
    """Tens: 64 * 4 * 10 = 2560, halved 1280; 64 * 4 * 1280 = 327680, a 256th 1280. With 10 bits an eighth: 320, 320."""
    ten = np.full((4, 4), 10)
    for depth, dc in ((8, 1280), (10, 320)):
        coefficients = hevc_forward(ten, hevc_matrix(4), bit_depth=depth)
        assert coefficients[0, 0] == dc
        assert np.count_nonzero(coefficients) == 1
        assert (hevc_inverse(coefficients, hevc_matrix(4), depth) == 10).all()


def test_levels_and_what_they_stand_for():
    """forward_quantise of HEVC at QP 4: a DC of 1280 is a level of 1280 * 16384 >> 19, 40, and comes back as ten."""
    transaction = BlockTransform(adapter("hevc", "transform", "{forward_quantise: {dct: [4]}}"))
    vector = transaction._vector("forward_quantise", "dct", 4, np.full((4, 4), 10), 4, 1)
    # qbits = 14 + 4 // 6 + (15 - 8 - 2) = 19, factor of QP % 6 = 4 is 16384; 1280 * 16384 / 2**19 = 40, plus a third
    assert vector.expected["block"][0, 0] == (1280 * 16384 + (1 << 19) // 3) >> 19 == 40
    assert (vector.expected["reconstruction"] == 10).all()


def test_dc_levels():
    """Flat DC of 100: 1600, halved 800; at QP 24 (20 bits, 13107) a level of 10, and back by 8.5.10: 10 * 160 >> 2."""
    luma = BlockTransform(adapter("h264", "transform", "{forward_quantise: {hadamard: [2, 4]}}"))
    vector = luma._vector("forward_quantise", "hadamard", 4, np.full((4, 4), 100), 24, 1)
    assert vector.expected["block"][0, 0] == (800 * 13107 + (1 << 20) // 3) >> 20 == 10
    assert np.count_nonzero(vector.expected["block"]) == 1
    assert (vector.expected["reconstruction"] == (10 * 160 + 2) >> 2).all()
    # QP 42: scaled up by two instead (QP / 6 - 6 = 1)
    one = np.zeros((4, 4), np.int64)
    one[0, 0] = 10
    assert (luma.restored("hadamard", one, 42) == (10 * 160) << 1).all()
    # 2x2 of chroma, not halved: 400 * 13107 >> 20 with a third is 5; back by 8.5.11.2: (5 * 160 << 4) >> 5
    chroma = luma._vector("forward_quantise", "hadamard", 2, np.full((2, 2), 100), 24, 1)
    assert chroma.expected["block"].tolist() == [[(400 * 13107 + (1 << 20) // 3) >> 20, 0], [0, 0]] == [[5, 0], [0, 0]]
    assert (chroma.expected["reconstruction"] == 400).all()
    assert (luma.per_unit(4), luma.per_unit(2)) == ((1.0, "macroblock"), (2.0, "macroblock"))


def test_rows_alone():
    """One dimension twice, with a transposition between, is the whole; a rounded shift at the end of each."""
    rng = np.random.default_rng(3)
    for standard, kind, size, first, second in (
        ("hevc", "dct", 8, 2, 9),
        ("h264", "core", 4, 0, 0),
        ("h264", "core", 8, 0, 0),
    ):
        block = rng.integers(-255, 256, (size, size))
        whole = BlockTransform(adapter(standard, "transform", f"{{forward: {{{kind}: [{size}]}}}}"))
        passes = block
        for shift in (first, second):
            text = f"{{forward: {{{kind}_row: [{size}]}}}}"
            row = BlockTransform(adapter(standard, "transform", text, f"{{row_shift: {shift}}}"))
            passes = np.array([row.answer("forward", f"{kind}_row", line, 26, 0) for line in passes]).T
        assert (passes == whole.forward(kind, block)).all()
    assert row.per_unit(8)[0] == 6 * 2 * 8
    inverse = BlockTransform(adapter("hevc", "transform", "{inverse: {dct_row: [4]}}"))
    assert inverse.answer("inverse", "dct_row", np.array([0, 1, 0, 0]), 0, 0).tolist() == [83, 36, -36, -83]


def test_dead_zones_are_shares():
    """A third of a step, as text or as a number; 682/2048 is a little less: 21845 of 65536 against 21824."""
    for given, added in ((3, 2**16 // 3), ('"1/3"', 2**16 // 3), ('"682/2048"', 682 * 2**5)):
        options = f"{{dead_zone_intra: {given}}}"
        transaction = BlockTransform(adapter("h264", "transform", "{quantise: {core: [4]}}", options))
        # QP 6: 16 bits; the smallest coefficient at (0, 0) that becomes a level of one
        least = -(-(2**16 - added) // 13107)
        block = np.zeros((4, 4), np.int64)
        for value, level in ((least, 1), (least - 1, 0)):
            block[0, 0] = value
            assert transaction.quantise("core", block, 6, 1)[0, 0] == level


def test_hevc_luma_edge():
    """QP 37, bS 2: beta 36, tc of Q = 39 is 5. A step of 4 takes the strong filter, one of 20 the weak one."""
    transaction = Deblock(adapter("hevc", "deblock", "{edge: {luma: [4]}}"))

    def line(step):
        return np.tile([100] * 4 + [100 + step] * 4, (4, 1))

    strong = transaction._vector("luma", 4, line(4), 2, 37, 37)
    assert (strong.fields["beta"], strong.fields["tc"]) == (36, 5)
    # p2' = (200 + 300 + 100 + 100 + 104 + 4) >> 3, p1' = 406 >> 2, p0' = 816 >> 3, q0' = 824 >> 3, q1' = 414 >> 2
    assert strong.expected["samples"].tolist() == [[100, 101, 101, 102, 103, 103, 104, 104]] * 4
    # delta = (9 * 20 - 3 * 20 + 8) >> 4 = 8, cut to 5; p1 moves by min(2, 5 >> 1), q1 by max(-2, -5 >> 1)
    weak = transaction._vector("luma", 4, line(20), 2, 37, 37)
    assert weak.expected["samples"].tolist() == [[100, 100, 102, 105, 115, 118, 120, 120]] * 4
    assert transaction._vector("luma", 4, line(20), 0, 37, 37).expected["samples"].tolist() == line(20).tolist()
    # delta is (6 * step + 8) >> 4: 49 at 130, at 132 it is 50 and no longer below ten times tc
    assert transaction._vector("luma", 4, line(130), 2, 37, 37).expected["samples"].tolist() != line(130).tolist()
    assert transaction._vector("luma", 4, line(132), 2, 37, 37).expected["samples"].tolist() == line(132).tolist()


def test_hevc_edge_is_decided_by_its_outer_lines():
    """|p2 - 2 p1 + p0| of lines 0 and 3 counts: bent there the edge is left alone, bent inside it is not."""
    flat = np.tile([100, 100, 100, 100, 104, 104, 104, 104], (4, 1))
    for bent, same in ((0, True), (1, False)):
        samples = flat.copy()
        samples[bent, 2] = 150
        assert (hevc_luma(samples, 36, 5, 255) == samples).all() == same


def test_hevc_chroma_edge():
    """QP 37 is QpC 34; Q = 36, tc 4. delta = (16 - 4 + 4) >> 3 = 2. With ten bits (64 - 16 + 4) >> 3 = 6."""
    assert [hevc_qp_c(qp) for qp in (29, 30, 37, 43, 44, 51)] == [29, 29, 34, 37, 38, 45]
    line = np.array([[100, 100, 100, 100, 104, 104, 104, 104]])
    assert hevc_chroma(line, 4, 255).tolist() == [[100, 100, 100, 102, 102, 104, 104, 104]]
    for depth, after in ((8, 102), (10, 400 + 6)):
        transaction = Deblock(adapter("hevc", "deblock", "{edge: {chroma: [1]}}", f"{{bit_depth: {depth}}}"))
        vector = transaction._vector("chroma", 1, line, 2, 37, 37)
        assert vector.fields["tc"] == 4 << (depth - 8)
        assert vector.expected["samples"][0, 3] == after


@pytest.mark.parametrize(("kind", "size"), [("luma", 16), ("chroma", 8)])
def test_macroblock_edges(kind, size):
    """All edges are single edges in turn: vertical ones left to right, then horizontal ones top to bottom."""
    transaction = Deblock(adapter("h264", "deblock", f"{{macroblock: {{{kind}: [{size}]}}}}"))
    rng = np.random.default_rng(4)
    for _ in range(20):
        vector = transaction.random(rng, "macroblock", kind, size)
        area = vector.fields["area"].copy()
        index = vector.fields["qp"]
        quarter = size // 4
        for strengths in (vector.fields["bs_vertical"], vector.fields["bs_horizontal"]):
            for edge in range(4) if kind == "luma" else (0, 2):
                at = 4 + edge * quarter
                for n in range(4):
                    rows = slice(4 + n * quarter, 4 + (n + 1) * quarter)
                    part = np.zeros((quarter, 8), np.int64)
                    reach = min(4, area.shape[1] - at)
                    part[:, : 4 + reach] = area[rows, at - 4 : at + reach]
                    one = transaction._vector(kind, quarter, part, int(strengths[edge, n]), index, index)
                    area[rows, at - 4 : at + reach] = one.expected["samples"][:, : 4 + reach]
            area = area.T.copy()
        assert (vector.expected["area"] == area).all()
        assert (vector.expected["left"] == area[4:, :4]).all()
    assert transaction.per_unit(size) == (1.0, f"macroblock, {kind}")


def test_intra_decisions():
    """The mode with the smallest SAD, its cost and its prediction; with `consistent` any mode that is told rightly."""
    text = "{decide: {luma: [4]}}\ntolerance: {cost: COST}"
    for cost in ("optimal", "consistent"):
        transaction = IntraPredict(adapter("h264", "intra_predict", text.replace("COST", cost)))
        line = np.array([9, 9, 9, 9, 40, 30, 20, 10, 50, 60, 70, 80, 90, 90, 90, 90, 90])  # left bottom ... above right
        vertical = np.tile([60, 70, 80, 90], (4, 1))
        full = engine.LEFT | engine.TOP | engine.TOP_RIGHT | engine.CORNER
        vector = transaction._decision(4, line, full, vertical)
        right = {"mode": np.array([0]), "cost": np.array([0]), "block": vertical}
        assert transaction.judge(vector, right) is None
        # DC: (60 + 70 + 80 + 90 + 10 + 20 + 30 + 40 + 4) >> 3 = 50, off by 10, 20, 30, 40 in each row
        other = {"mode": np.array([2]), "cost": np.array([400]), "block": np.full((4, 4), 50)}
        assert (transaction.judge(vector, other) is None) == (cost == "consistent")
        assert "mode 2, whose SAD is 400" in (transaction.judge(vector, other | {"cost": np.array([401])}) or "")
        assert (
            "block: element [0, 0] is 60, expected 50" in (transaction.judge(vector, other | {"block": vertical}) or "")
            or cost == "optimal"
        )
        alone = transaction._decision(4, line, 0, vertical)
        assert "mode: 0 is not one of those that the neighbours allow, 2" in (transaction.judge(alone, right) or "")


def test_hevc_intra_chroma():
    """No smoothing of edges: DC and vertical are flat where luma's first row and column bend."""
    line = np.concatenate([np.full(16, 10), [10], np.full(16, 30)])
    assert (hevc_predict(line, 8, 1, chroma=True) == 20).all()
    assert hevc_predict(line, 8, 1)[0, 0] == (10 + 2 * 20 + 30 + 2) >> 2
    assert (hevc_predict(line, 8, 26, chroma=True) == 30).all()


def test_distances():
    """One sample differs by one: every Hadamard coefficient is one, 16 or 64 of them."""
    one = np.zeros((8, 8), np.int64)
    one[3, 5] = 1
    assert satd(one, 4, True) == (16 + 1) >> 1
    assert satd(one, 8, True) == (64 + 2) >> 2
    assert satd(one, 8, False) == 64
    transaction = BlockMatch(adapter("h264", "block_match", "{sad: {block: [8]}}"))
    vector = transaction._pair("sad", 8, 7 * one, one)
    assert vector.expected["sad"].tolist() == [6]
    assert vector.expected["sad_4x4"].tolist() == [[0, 6], [0, 0]]


def test_fields_of_a_block_of_levels():
    """0 3 0 -1 1 0 ...: three levels, two trailing ones, two zeros below the last level, at index 4."""
    transaction = ResidualCode(adapter("h264", "cavlc", "{cavlc_encode: {block: [16]}}"))
    levels = np.zeros(16, np.int64)
    levels[[1, 3, 4]] = 3, -1, 1
    fields = transaction._cavlc("cavlc_encode", 16, levels, 0).fields
    names = ("total_coeff", "trailing_ones", "total_zeros", "last_index")
    assert [fields[name] for name in names] == [3, 2, 2, 4]
    assert [transaction._cavlc("cavlc_encode", 16, 0 * levels, 0).fields[name] for name in names] == [0, 0, 0, 0]


def test_vectors_of_parts():
    """Each quarter of an 8x8 block moved by itself: no distance at all, where one vector leaves some."""
    transaction = BlockMatch(adapter("h264", "block_match", "{search: {sad: [8]}}", "{range_x: 2, range_y: 2}"))
    window = np.random.default_rng(5).integers(0, 256, (12, 12))
    mv = {"mv_x_4x4": np.array([[-2, 1], [0, 2]]), "mv_y_4x4": np.array([[0, -1], [2, 0]])}
    current = np.zeros((8, 8), np.int64)
    for row, column in np.ndindex(2, 2):
        y, x = 4 * row + 2 + mv["mv_y_4x4"][row, column], 4 * column + 2 + mv["mv_x_4x4"][row, column]
        current[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = window[y : y + 4, x : x + 4]
    vector = transaction._vector(8, current, window)
    assert transaction._divided(vector, mv) == 0
    assert transaction.judge(vector, mv) is None
    same = {name: np.zeros((2, 2), np.int64) for name in mv}
    assert "the smallest is" in (transaction.judge(vector, same) or "")
    outside = mv | {"mv_x_4x4": np.full((2, 2), 3)}
    assert "of block [0, 1] lies outside the window" in (transaction.judge(vector, outside) or "")


def test_hevc_header_options_are_checked():
    for options, said in (
        ("ctb: 24", "options.ctb: 24 is not allowed"),
        ("min_cb: 64, ctb: 16", "larger than ctb, 16"),
    ):
        with pytest.raises(AdapterFault, match=said):
            FrameEncode(
                adapter("hevc", "frame_encode", "{encode: {intra: [1]}}", f"{{payload: slice_data, {options}}}")
            )


@pytest.mark.parametrize("standard", ["h264", "hevc"])
def test_coder_options(standard):
    """The first bit is a zero in front; without a flush up to 32 bits may stay inside, but no wrong one may come."""
    plain = ResidualCode(adapter(standard, "cabac", "{cabac_encode: {bins: [64]}}"))
    more = ResidualCode(adapter(standard, "cabac", "{cabac_encode: {bins: [64]}}", "{first_bit: true}"))
    text = plain._cabac(64, np.random.default_rng(1), 0.5).expected["bits"]
    assert more._cabac(64, np.random.default_rng(1), 0.5).expected["bits"] == "0" + text
    held = ResidualCode(adapter(standard, "cabac", "{cabac_encode: {bins: [64]}}", "{flush: false}"))
    assert held.bits_differ(text, text[:-20]) is None
    assert held.bits_differ(text, text[:-33]) is not None
    assert held.bits_differ(text, text[:-21] + str(1 - int(text[-21]))) is not None
    assert plain.bits_differ(text, text[:-20]) is not None


def test_hints_name_what_is_wrong():
    block = np.arange(16).reshape(4, 4) - 3
    before = np.full((4, 4), 9)
    for found, said in (
        (block.T, "order: transposed"), (block[:, ::-1], "each row is reversed"), (block[::-1], "rows come last first"),
        (block.ravel()[::-1].reshape(4, 4), "elements are reversed"), (-block, "other sign"),
        (block + np.where(block < 0, 256, 0), "multiples of 256: `signed`"), (before, "the vector before"),
        (block << 2, "a factor of 4"),
    ):  # fmt: skip
        assert said in (hints.array_hint(block, found, before) or ""), said
    assert hints.array_hint(block, block + 1, before) is None
    bits = "1011000101101110"
    for found, said in (
        ("0" + bits, "first_bit"), (bits[:11], "5 are missing"), ("0100111010010001", "inverted"),
        ("1000110101110110", "bits of each byte"), ("0110111010110001", "bytes of each word of 2"),
    ):  # fmt: skip
        assert said in (hints.bits_hint(bits, found) or ""), said
    assert hints.bits_hint(bits, bits[:8] + "10010010") is None


PCM_OPTIONS = "payload: slice_data, ctb: 16, min_cb: 16, max_tb: 16, pcm: 16, qp: 26"


def hevc_pcm_picture(planes, side):
    """Slice data of an intra picture whose coding tree blocks of `side` samples are all PCM (7.3.8.5, 7.3.8.7): bits.

    A block is part_mode 1 (context 184: the only one used), pcm_flag 1, which ends the arithmetic code, its samples,
    and, coded anew, end_of_slice_segment_flag. The coder is the model's, of H.264, which is HEVC's.
    """
    state = int(hevc_initial_state(184, 26))
    height, width = planes[0].shape
    text = ""
    pending = []
    blocks = [(y, x) for y in range(0, height, side) for x in range(0, width, side)]
    for number, (y, x) in enumerate(blocks):
        states = np.zeros(CONTEXTS, np.uint8)
        initial_states(states, 0, 26)
        states[0] = state
        symbols = np.array([*pending, 0 << 1 | 1, CTX_TERMINATE << 1 | 1], np.uint16)
        out = np.zeros(64, np.uint8)
        low, _, queue, position = encode_symbols(symbols, len(symbols), states, 0, 510, 0, out, 8)
        end, last = flush(low, queue, out, position)
        text += "".join(f"{byte:08b}" for byte in out[8:end])[: 8 * (position - 8) + last]
        state = int(states[0])
        text += "0" * (-len(text) % 8)
        for plane, scale in zip(planes, (1, 2, 2), strict=True):
            part = plane[y // scale : (y + side) // scale, x // scale : (x + side) // scale]
            text += "".join(f"{sample:08b}" for sample in part.ravel())
        pending = [CTX_TERMINATE << 1 | int(number == len(blocks) - 1)]
    states = np.zeros(CONTEXTS, np.uint8)
    initial_states(states, 0, 26)
    out = np.zeros(64, np.uint8)
    low, _, queue, position = encode_symbols(np.array(pending, np.uint16), 1, states, 0, 510, 0, out, 8)
    end, last = flush(low, queue, out, position)
    return text + "".join(f"{byte:08b}" for byte in out[8:end])[: 8 * (position - 8) + last]


def hevc_initial_state(value, qp):
    """pStateIdx << 1 | valMps of a context whose initValue is given (9.3.2.2)."""
    slope, offset = (value >> 4) * 5 - 45, ((value & 15) << 3) - 16
    pre = min(126, max(1, ((slope * qp) >> 4) + offset))
    return (63 - pre) << 1 if pre <= 63 else (pre - 64) << 1 | 1


@pytest.mark.parametrize("size", [(64, 48), (56, 40)])
def test_hevc_slice_data_is_wrapped(size):
    """FFmpeg decodes bare slice data of PCM blocks behind our headers to the very samples; 56x40 is cropped."""
    width, height = size
    options = f"{{width: {width}, height: {height}, {PCM_OPTIONS}}}"
    transaction = FrameEncode(adapter("hevc", "frame_encode", "{encode: {intra: [2]}}", options))
    vectors = transaction.vectors(np.random.default_rng(2))
    payloads = []
    for vector in vectors:
        planes = [vector.planes[f"source_{kind}"] for kind in "yuv"]
        sides = (16, 8, 8)
        padded = [
            np.pad(plane, [(0, -length % side) for length in plane.shape], mode="edge")
            for plane, side in zip(planes, sides, strict=True)
        ]
        payloads.append(hevc_pcm_picture(padded, 16))
    failure, figures = transaction.judge_all(vectors, payloads, [])
    assert failure is None
    assert figures["psnr_db"] == 100
    failure, _ = transaction.judge_all(vectors, [payloads[0], "10"[int(payloads[1][0])] + payloads[1][1:]], [])
    assert failure is not None


def test_hevc_inter_header():
    """A picture of skipped blocks behind our header of a P slice decodes to a copy of the one before it."""
    options = f"{{width: 64, height: 48, {PCM_OPTIONS}, merge_candidates: 1}}"
    transaction = FrameEncode(adapter("hevc", "frame_encode", "{encode: {inter: [3]}}", options))
    vectors = transaction.vectors(np.random.default_rng(2))
    first = [vectors[0].planes[f"source_{kind}"] for kind in "yuv"]
    states = np.zeros(CONTEXTS, np.uint8)
    initial_states(states, 0, 26)
    states[:3] = [hevc_initial_state(value, 26) for value in (197, 185, 201)]  # cu_skip_flag of P slices, table 9-8
    # the context counts skipped neighbours, left and above
    blocks = [(y, x) for y in range(3) for x in range(4)]
    symbols = [each for n, (y, x) in enumerate(blocks)
               for each in (((y > 0) + (x > 0)) << 1 | 1, CTX_TERMINATE << 1 | int(n == len(blocks) - 1))]  # fmt: skip
    out = np.zeros(128, np.uint8)
    low, _, queue, position = encode_symbols(np.array(symbols, np.uint16), len(symbols), states, 0, 510, 0, out, 8)
    end, last = flush(low, queue, out, position)
    skipped = "".join(f"{byte:08b}" for byte in out[8:end])[: 8 * (position - 8) + last]
    stream = transaction.stream(vectors, [hevc_pcm_picture(first, 16), skipped, skipped])
    decoder = av.CodecContext.create("hevc", "r")
    decoder.options = {"err_detect": "explode"}
    packets = [*decoder.parse(stream), *decoder.parse(b""), None]
    decoded = [frame.to_ndarray(format="yuv420p") for packet in packets for frame in decoder.decode(packet)]
    assert len(decoded) == 3
    for picture in decoded:
        assert (picture[:48] == first[0]).all()
