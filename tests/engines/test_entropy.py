"""The entropy engine writes streams that say exactly what the macroblock record says.

Two judges: the plain-Python parser of tests/oracle/slice_data.py, which gives every syntax element back, and FFmpeg,
which must decode without a complaint and show the samples that are known without any prediction.
"""

import io
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264 import macroblock as m
from asic_model.codecs.h264.levels import HIGH, MAIN
from asic_model.codecs.h264.macroblock import Macroblocks
from asic_model.codecs.h264.nal import NAL_IDR_SLICE, NAL_SLICE, START_CODE, header_byte, parse_nal
from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.slice_header import SLICE_B, SLICE_I, SLICE_P, SliceHeader, write_slice_header
from asic_model.engines.entropy import (
    OUTPUT_FULL,
    EntropyConfig,
    SliceParameters,
    UncodableMacroblock,
    cycles,
    entropy_scratch,
    pad_picture,
    write_slice,
)
from asic_model.work import encode_work
from tests.oracle import motion
from tests.oracle.random_syntax import random_macroblocks
from tests.oracle.slice_data import Mb, Slice, parse_slice_data


def slice_parameters(case: dict[str, Any], first: int, count: int) -> SliceParameters:
    return SliceParameters(
        first_mb=first,
        mb_count=count,
        mb_width=case["mb_width"],
        slice_type=case["slice_type"],
        qp=case["qp"],
        cabac=int(case["cabac"]),
        cabac_init_idc=case["cabac_init_idc"],
        num_ref_idx_l0=case["refs"][0],
        num_ref_idx_l1=case["refs"][1],
        transform_8x8_mode=int(case["transform_8x8"]),
        field=int(case["field"]),
        monochrome=int(case["monochrome"]),
    )


def oracle_slice(p: SliceParameters, mb_limit: int) -> Slice:
    return Slice(
        mb_width=p.mb_width,
        first_mb=p.first_mb,
        slice_type=p.slice_type,
        qp=p.qp,
        cabac=bool(p.cabac),
        cabac_init_idc=p.cabac_init_idc,
        refs=(p.num_ref_idx_l0, p.num_ref_idx_l1),
        transform_8x8_mode=bool(p.transform_8x8_mode),
        field=bool(p.field),
        monochrome=bool(p.monochrome),
        mb_limit=mb_limit,
    )


CASES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1 << 30),
        "mb_width": st.integers(1, 6),
        "mb_height": st.integers(1, 4),
        "slice_type": st.sampled_from([SLICE_P, SLICE_B, SLICE_I]),
        "slices": st.integers(1, 3),
        "cabac": st.booleans(),
        "cabac_init_idc": st.integers(0, 2),
        "qp": st.integers(0, 51),
        "refs": st.tuples(st.integers(1, 5), st.integers(1, 3)),
        "transform_8x8": st.booleans(),
        "magnitude": st.sampled_from([1, 20, 2063, 32767]),
        "span": st.sampled_from([3, 60, 8000]),
        "monochrome": st.booleans(),
        "field": st.booleans(),
        "header_bits": st.integers(1, 40),
    }
)


def make_picture(case: dict[str, Any], *, derived: bool = True) -> tuple[Macroblocks, list[tuple[int, int]]]:
    keys = ("slice_type", "slices", "qp", "refs", "transform_8x8", "magnitude", "span", "monochrome")
    return random_macroblocks(
        np.random.default_rng(case["seed"]),
        case["mb_width"],
        case["mb_height"],
        derived=derived,
        **{key: case[key] for key in keys},
    )


def first_difference(mbs: Macroblocks, p: SliceParameters, mb: int, got: Mb) -> str:
    """Empty when the parsed macroblock says what the record says."""

    def differs(name: str, want: Any, have: Any) -> str:
        return "" if np.array_equal(want, have) else f"macroblock {mb}, {name}: record {want}, stream {have}"

    kind = int(mbs.mb_type[mb])
    found = differs("mb_type", kind, got.mb_type)
    if found or kind in (m.P_SKIP, m.B_SKIP):
        return found or differs("qp", mbs.qp[mb], got.qp)
    if kind == m.I_PCM:
        size = 256 if p.monochrome else 384
        return differs("samples", mbs.levels[mb].reshape(-1)[:size], list(got.samples))
    cbp = int(mbs.cbp[mb])
    pairs: list[tuple[str, Any, Any]] = [
        ("cbp", cbp, got.cbp),
        ("qp", mbs.qp[mb], got.qp),
        ("transform_8x8", bool(mbs.transform_8x8[mb]), got.transform_8x8),
    ]
    if kind <= m.I_16X16:
        pairs.append(("intra_mode", mbs.intra_mode[mb], got.intra_mode))
        pairs.append(("chroma_mode", 0 if p.monochrome else mbs.chroma_mode[mb], got.chroma_mode))
    elif kind != m.B_DIRECT_16X16:
        if kind == m.INTER_8X8:
            pairs.append(("sub_type", mbs.sub_type[mb], got.sub_type))
        for lst in range(2):
            coded = [not got.direct(quadrant) for quadrant in range(4)]
            refs = np.where(coded, mbs.ref_idx[mb, lst], -1)
            pairs.append((f"ref_idx list {lst}", refs, got.ref_idx[lst]))
            pairs.append((f"mvd list {lst}", mbs.mvd[mb, lst], got.mvd[lst]))
    rows = [row for row in range(16) if cbp >> (row // 4) & 1]
    rows += [m.LEVELS_LUMA_DC] * (kind == m.I_16X16)
    rows += [m.LEVELS_CB_DC, m.LEVELS_CR_DC] * (cbp >> 4 > 0) + list(range(19, 27)) * (cbp >> 4 > 1)
    for row in rows:
        if got.transform_8x8 and row < 16:
            have = got.levels.get(row // 4 * 4, [0] * 64)[row % 4 * 16 :][:16]
        else:
            have = got.levels.get(row, [0] * 16)
        want = mbs.levels[mb, row].copy()
        if row >= m.LEVELS_CB_AC or (row < 16 and kind == m.I_16X16):
            want[0] = 0
        if row in (m.LEVELS_CB_DC, m.LEVELS_CR_DC):
            want[4:] = 0
        pairs.append((f"levels row {row}", want, have))
    return next(filter(None, (differs(*pair) for pair in pairs)), "")


def vector_difference(mbs: Macroblocks, p: SliceParameters, mb: int, got: Mb) -> str:
    """Empty when prediction (the oracle's) plus mvd (the stream's) is the record's vector, for every partition."""
    shapes = {m.INTER_16X16: [(0, 0, 4, 4)], m.INTER_16X8: [(0, 0, 4, 2), (0, 2, 4, 2)]}
    shapes[m.INTER_8X16] = [(0, 0, 2, 4), (2, 0, 2, 4)]
    shapes[m.INTER_8X8] = []
    for quadrant in range(4):
        width, height = {0: (2, 2), 1: (2, 1), 2: (1, 2), 3: (1, 1), 4: (0, 0)}[got.sub_type[quadrant]]
        x, y = quadrant % 2 * 2, quadrant // 2 * 2
        if width:
            shapes[m.INTER_8X8] += [
                (x + i, y + j, width, height) for j in range(0, 2, height) for i in range(0, 2, width)
            ]
    for lst in range(2):
        for x, y, width, height in shapes.get(got.mb_type, []):
            ref = int(mbs.ref_idx[mb, lst, y // 2 * 2 + x // 2])
            if ref >= 0:
                predicted = motion.predict(mbs, p.mb_width, mb, lst, x, y, width, height, ref)
                have = tuple(a + b for a, b in zip(predicted, got.mvd[lst][y * 4 + x], strict=True))
                want = tuple(int(v) for v in mbs.mv[mb, lst, y * 4 + x])
                if have != want:
                    return f"macroblock {mb}, list {lst}, partition at {x}, {y}: vector {want}, stream says {have}"
    return ""


@settings(max_examples=80, deadline=None)
@given(CASES)
def test_the_stream_parses_back_to_the_record(case: dict[str, Any]) -> None:
    """All types, partitions, coders, magnitudes up to level_prefix 20, any header length in bits."""
    mbs, slices = make_picture(case)
    count = mbs.mb_type.size
    scratch, work = entropy_scratch(count), encode_work(count)
    out = np.zeros(count * 8192 + 4096, np.uint8)
    bits = case["header_bits"]
    header = np.random.default_rng(case["seed"]).bytes((bits + 7) // 8)
    for first, size in slices:
        p = slice_parameters(case, first, size)
        end = write_slice(mbs, p, scratch, work, header, bits, header_byte(2, NAL_SLICE), out, 0, out.size)
        assert end > 5
        unit = parse_nal(out[4:end].tobytes())
        rbsp = unit.rbsp
        assert (unit.nal_ref_idc, unit.nal_unit_type) == (2, NAL_SLICE)
        head = int.from_bytes(header, "big") >> (-bits % 8)
        assert int.from_bytes(rbsp[: (bits + 7) // 8], "big") >> (-bits % 8) == head, "the header is copied"
        parsed, position = parse_slice_data(rbsp, bits, oracle_slice(p, first + size))
        assert sorted(parsed) == list(range(first, first + size))
        assert (position + 7) // 8 == len(rbsp)
        for mb, got in parsed.items():
            assert not first_difference(mbs, p, mb, got)
            assert not vector_difference(mbs, p, mb, got)
        slice_bits = int(work["entropy_bits"][first : first + size].sum())
        assert 0 <= position - bits - slice_bits <= 16, "header, data, alignment and the end make the slice"


def make_stream(
    case: dict[str, Any], pictures: list[tuple[Macroblocks, list[tuple[int, int]]]], *, deblock: int = 1
) -> bytes:
    """An Annex B stream: the first picture IDR, each picture's slice type as in `case` (the first one I)."""
    extended = case["transform_8x8"] or case["magnitude"] > 2000 or case["monochrome"]
    sps = Sps(profile_idc=HIGH if extended else MAIN, level_idc=40, max_num_ref_frames=max(case["refs"]))
    sps.chroma_format_idc = 0 if case["monochrome"] else 1
    sps.log2_max_pic_order_cnt_lsb_minus4 = 4
    sps.set_size(16 * case["mb_width"], 16 * case["mb_height"])
    pps = Pps(entropy_coding_mode_flag=case["cabac"], deblocking_filter_control_present_flag=True)
    pps.has_extension = pps.transform_8x8_mode_flag = case["transform_8x8"]
    stream = START_CODE + sps.to_nal() + START_CODE + pps.to_nal(chroma_format_idc=sps.chroma_format_idc)
    count = case["mb_width"] * case["mb_height"]
    scratch, work, out = entropy_scratch(count), encode_work(count), np.zeros(count * 8192 + 4096, np.uint8)
    for number, (mbs, slices) in enumerate(pictures):
        kind = case["slice_type"] if number else SLICE_I
        for first, size in slices:
            header = SliceHeader(
                nal_unit_type=NAL_SLICE if number else NAL_IDR_SLICE,
                first_mb_in_slice=first,
                slice_type=kind,
                frame_num=number % 16,
                pic_order_cnt_lsb=2 * number,
                num_ref_idx_l0_active_minus1=case["refs"][0] - 1,
                num_ref_idx_l1_active_minus1=case["refs"][1] - 1,
                cabac_init_idc=case["cabac_init_idc"],
                slice_qp_delta=case["qp"] - 26,
                disable_deblocking_filter_idc=deblock,
            )
            coded, bits = write_slice_header(header, sps, pps)
            p = slice_parameters({**case, "slice_type": kind}, first, size)
            end = write_slice(
                mbs, p, scratch, work, coded, bits, header_byte(1, header.nal_unit_type), out, 0, out.size
            )
            stream += out[:end].tobytes()
    return stream


def ffmpeg_decode(stream: bytes) -> tuple[list[av.VideoFrame], list[str]]:
    """Frames, and what FFmpeg complained of (references that random pictures do not have left out)."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as logs, av.open(io.BytesIO(stream), format="h264") as container:
            container.streams.video[0].thread_count = 1
            frames = list(container.decode(video=0))
    finally:
        av.logging.set_level(before)
    about = ("eference", "timestamp")
    return frames, [
        text for level, _, text in logs if level <= av.logging.WARNING and not any(w in text for w in about)
    ]


@settings(max_examples=40, deadline=None)
@given(CASES)
def test_ffmpeg_decodes_random_syntax_without_complaint(case: dict[str, Any]) -> None:
    """An I picture and two of the drawn type; no derived motion in B pictures, which would need real references."""
    case = {**case, "field": False, "magnitude": min(case["magnitude"], 2063), "span": min(case["span"], 1000)}
    first = make_picture({**case, "slice_type": SLICE_I})
    others = [make_picture({**case, "seed": case["seed"] + i}, derived=False) for i in (1, 2)]
    frames, complaints = ffmpeg_decode(make_stream(case, [first, *others]))
    assert not complaints
    assert len(frames) == 3


PLAIN: dict[str, Any] = {
    "mb_width": 5,
    "mb_height": 3,
    "slice_type": SLICE_P,
    "slices": 1,
    "cabac": True,
    "cabac_init_idc": 0,
    "qp": 26,
    "refs": (1, 1),
    "transform_8x8": False,
    "magnitude": 20,
    "span": 60,
    "monochrome": False,
    "field": False,
}


def pcm_picture(rng: np.random.Generator, mb_width: int, mb_height: int) -> tuple[Macroblocks, list[np.ndarray]]:
    """A picture of I_PCM macroblocks and its planes."""
    mbs = m.allocate(mb_width * mb_height)
    mbs.slice_id[:] = 0
    mbs.mb_type[:] = m.I_PCM
    mbs.qp[:] = 26
    planes = [rng.integers(0, 256, (mb_height * size, mb_width * size)) for size in (16, 8, 8)]
    for mb in range(mb_width * mb_height):
        y, x = divmod(mb, mb_width)
        parts = [
            plane[y * size : (y + 1) * size, x * size : (x + 1) * size].reshape(-1)
            for plane, size in zip(planes, (16, 8, 8), strict=True)
        ]
        mbs.levels[mb].reshape(-1)[:384] = np.concatenate(parts)
    return mbs, planes


def frame_planes(frame: av.VideoFrame) -> list[np.ndarray]:
    return [
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    ]


@pytest.mark.parametrize("cabac", [True, False])
@pytest.mark.parametrize("zeros", [False, True])
def test_pcm_skipped_and_empty_pictures_show_the_samples_they_must(cabac: bool, zeros: bool) -> None:
    """I_PCM gives its samples; a P picture of P_Skip, and one of 16x16 with zero vectors, repeat them.

    Zero samples fill the stream with emulation prevention bytes.
    """
    case = {**PLAIN, "cabac": cabac}
    count = case["mb_width"] * case["mb_height"]
    pcm, planes = pcm_picture(np.random.default_rng(3), case["mb_width"], case["mb_height"])
    if zeros:
        pcm.levels[:] = 0
        planes = [np.zeros_like(plane) for plane in planes]
    skipped = m.allocate(count)
    skipped.slice_id[:], skipped.mb_type[:], skipped.qp[:], skipped.ref_idx[:, 0] = 0, m.P_SKIP, 26, 0
    still = m.allocate(count)
    still.slice_id[:], still.mb_type[:], still.qp[:], still.ref_idx[:, 0] = 0, m.INTER_16X16, 26, 0
    pictures = [(picture, [(0, count)]) for picture in (pcm, skipped, still)]
    frames, complaints = ffmpeg_decode(make_stream(case, pictures))
    assert not complaints
    assert len(frames) == 3
    for frame in frames:
        for have, want in zip(frame_planes(frame), planes, strict=True):
            np.testing.assert_array_equal(have, want)


@pytest.mark.parametrize("cabac", [True, False])
def test_a_full_buffer_is_reported_and_never_written_past(cabac: bool) -> None:
    case = {**PLAIN, "seed": 5, "cabac": cabac, "header_bits": 20}
    mbs, slices = make_picture(case)
    count = mbs.mb_type.size
    work, out = encode_work(count), np.full(1 << 18, 0xA5, np.uint8)
    p = slice_parameters(case, *slices[0])
    end = write_slice(mbs, p, entropy_scratch(count), work, b"abc", 20, 0x41, out, 7, out.size)
    expected = out[7:end].copy()
    for limit in (0, 7, 11, 12, 13, 40, (end + 7) // 2, end - 2, end - 1):
        out[:] = 0xA5
        result = write_slice(mbs, p, entropy_scratch(count), work, b"abc", 20, 0x41, out, 7, limit)
        assert result == OUTPUT_FULL
        assert (out[max(limit, 7) :] == 0xA5).all()
    out[:] = 0xA5
    assert write_slice(mbs, p, entropy_scratch(count), work, b"abc", 20, 0x41, out, 7, end) == end
    np.testing.assert_array_equal(out[7:end], expected)
    small = entropy_scratch(count, capacity_bytes=1000)
    assert write_slice(mbs, p, small, work, b"abc", 20, 0x41, out, 7, out.size) == OUTPUT_FULL


def test_records_that_no_stream_can_say_are_refused() -> None:
    def attempt(change: Any, slice_type: int = SLICE_P) -> None:
        mbs = m.allocate(4)
        mbs.slice_id[:], mbs.mb_type[:], mbs.qp[:], mbs.ref_idx[:, 0] = 0, m.P_SKIP, 26, 0
        change(mbs)
        for cabac in (0, 1):
            p = SliceParameters(0, 4, 2, slice_type, 26, cabac)
            write_slice(mbs, p, entropy_scratch(4), encode_work(4), b"a", 8, 0x41, np.zeros(9999, np.uint8), 0, 9999)

    attempt(lambda mbs: None)
    with pytest.raises(UncodableMacroblock, match=r"macroblock 2 .* qp differs"):
        attempt(lambda mbs: mbs.qp.__setitem__(2, 27))
    with pytest.raises(UncodableMacroblock, match=r"macroblock 3 .* 8\.4\.1\.1"):
        attempt(lambda mbs: mbs.mv.__setitem__(3, 4))
    with pytest.raises(UncodableMacroblock, match="does not exist in this slice"):
        attempt(lambda mbs: None, SLICE_I)
    with pytest.raises(UncodableMacroblock, match="does not exist in this slice"):
        attempt(lambda mbs: mbs.mb_type.__setitem__(1, m.B_SKIP))
    with pytest.raises(UncodableMacroblock, match="pattern bits"):
        attempt(lambda mbs: (mbs.mb_type.__setitem__(1, m.I_16X16), mbs.cbp.__setitem__(1, 3)))


def test_cycles_follow_bins_and_output_width() -> None:
    """Arithmetic by hand: ceil(bins / rate) or ceil(bits / width), whichever is more, plus the fixed parts."""
    work = encode_work(3)
    work["entropy_bins"] = (2, 101, 10)
    work["entropy_bits"] = (1, 60, 3080)  # the last one: I_PCM
    work["slice_start"] = (1, 0, 0)
    cfg = EntropyConfig(cabac_bins_per_cycle=2, output_bits_per_cycle=32, overhead_cycles=8, slice_cycles=100)
    assert cycles(cfg, work).tolist() == [1 + 8 + 100, 51 + 8, 97 + 8]
    cfg = EntropyConfig(cavlc_codewords_per_cycle=1, cavlc_overhead_cycles=3)
    assert cycles(cfg, work, cabac=False).tolist() == [2 + 3, 101 + 3, 97 + 3]


def test_zero_words_bring_a_picture_below_its_bin_limit() -> None:
    """7.4.2.10 by hand: 4 macroblocks and 100 bytes allow 4 * 96 + 100 * 32 / 3 = 1450.7 bins."""
    work, out = encode_work(4), np.full(400, 9, np.uint8)
    work["entropy_bins"] = (1000, 400, 50, 0)
    assert pad_picture(work, out, 10, 110, 400) == 110
    work["entropy_bins"][3] = 1
    assert pad_picture(work, out, 10, 110, 400) == 113, "one word for one bin too many"
    work["entropy_bins"][3] = 100  # 1550: 110 bytes are due
    assert pad_picture(work, out, 10, 110, 400) == 122
    assert out[110:123].tolist() == [0, 0, 3] * 4 + [9]
    assert pad_picture(work, out, 10, 110, 121) == OUTPUT_FULL
    assert nal_still_parses(out[110:122].tobytes())


def nal_still_parses(padding: bytes) -> bool:
    """FFmpeg decodes a picture with zero words behind its last slice."""
    case = {**PLAIN, "seed": 1, "slice_type": SLICE_I}
    frames, complaints = ffmpeg_decode(make_stream(case, [make_picture(case)]) + padding)
    return len(frames) == 1 and not complaints
