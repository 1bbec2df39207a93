"""NAL framing, parameter sets and slice headers: what is written is read back, what others wrote is understood."""

import contextlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264 import nal
from asic_model.codecs.h264.bits import BitReader, BitWriter, SyntaxFault
from asic_model.codecs.h264.emulation_prevention import escape_into
from asic_model.codecs.h264.parameter_sets import (
    HIGH_PROFILES,
    Pps,
    SliceGroups,
    Sps,
    parse_pps,
    parse_sps,
    scaling_matrices,
)
from asic_model.codecs.h264.slice_header import (
    SLICE_B,
    SLICE_I,
    SLICE_P,
    SLICE_SI,
    SLICE_SP,
    DecRefPicMarking,
    PredWeightTable,
    SliceHeader,
    parse_slice_header,
    write_slice_header,
)
from asic_model.codecs.h264.vui import HrdParameters, Vui
from asic_model.engines.parse.bitstream import PADDING_WORDS, load_words

# mostly the bytes that matter
PAYLOADS = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 0x80, 255]), max_size=60).map(bytes)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["u", "ue", "se", "flag"]), st.integers(0, 1 << 20)), max_size=40))
def test_bits_come_back(elements: list[tuple[str, int]]) -> None:
    writer = BitWriter()
    for kind, value in elements:
        if kind == "u":
            writer.u("x", 21, value)
        elif kind == "ue":
            writer.ue("x", value)
        elif kind == "se":
            writer.se("x", value // 2 * (-1) ** value)
        else:
            writer.flag("x", bool(value & 1))
    writer.trailing_bits()
    reader = BitReader(writer.data() + b"\0\0")
    for kind, value in elements:
        assert reader.more_rbsp_data()
        if kind == "u":
            assert reader.u("x", 21) == value
        elif kind == "ue":
            assert reader.ue("x") == value
        elif kind == "se":
            assert reader.se("x") == value // 2 * (-1) ** value
        else:
            assert reader.flag("x") == bool(value & 1)
    assert not reader.more_rbsp_data()


def test_exp_golomb_codes_are_those_of_table_9_2() -> None:
    for value, code in ((0, "1"), (1, "010"), (2, "011"), (3, "00100"), (6, "00111"), (7, "0001000")):
        writer = BitWriter()
        writer.ue("x", value)
        assert f"{int.from_bytes(writer.data(), 'big'):0{len(writer.data()) * 8}b}"[: writer.position] == code
    for value, number in ((0, 0), (1, 1), (-1, 2), (2, 3), (-2, 4)):  # Table 9-3
        one, other = BitWriter(), BitWriter()
        one.se("x", value)
        other.ue("x", number)
        assert one.data() == other.data()


def test_faults_name_field_value_and_range() -> None:
    with pytest.raises(SyntaxFault, match=r"^profile: 300, allowed: 0\.\.255$"):
        BitWriter().u("profile", 8, 300)
    with pytest.raises(SyntaxFault, match="width: missing"):
        BitReader(b"\x01").ue("width")
    with pytest.raises(SyntaxFault, match="leading zeros"):
        BitReader(b"\0" * 9).ue("width")
    with pytest.raises(SyntaxFault) as caught:
        BitReader(b"\x80").u("x", 8, 0, 1, 5)
    assert (caught.value.field, caught.value.value, caught.value.allowed) == ("x", 128, "1..5")


@settings(deadline=None)
@given(PAYLOADS)
def test_emulation_prevention_hides_start_codes_and_comes_off(rbsp: bytes) -> None:
    escaped = nal.escape(rbsp)
    for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"):
        assert code not in escaped
    assert not escaped.endswith(b"\0")
    assert nal.unescape(escaped)[: len(rbsp)] == rbsp
    # the kernels do the same, and stop at the limit
    out = np.full(2 * len(rbsp) + 16, 0xA5, np.uint8)
    source = np.frombuffer(rbsp + b"\0", np.uint8)
    end = escape_into(source, len(rbsp), out, 3, out.size)
    assert out[3:end].tobytes() == escaped
    words = np.zeros(len(escaped) // 4 + 1 + PADDING_WORDS, np.uint32)
    last_word, stop = load_words(out, 3, end, words)
    plain = nal.unescape(escaped)
    assert words.astype(">u4").tobytes()[: len(plain)] == plain
    assert not words[last_word + 1 :].any()
    bits = "".join(f"{byte:08b}" for byte in plain)
    assert stop == max(bits.rfind("1"), 0)
    for limit in range(3, 3 + len(escaped)):
        out[:] = 0xA5
        assert escape_into(source, len(rbsp), out, 3, limit) == -1
        assert (out[limit:] == 0xA5).all()
    assert escape_into(source, len(rbsp), out, 3, 3 + len(escaped)) == 3 + len(escaped)


@settings(deadline=None)
@given(st.lists(PAYLOADS.filter(bool), max_size=6), st.sampled_from([1, 2, 4]))
def test_framing_gives_the_units_back(payloads: list[bytes], length_size: int) -> None:
    units = [nal.nal_bytes(1, 5, payload) for payload in payloads]
    annex_b = b"\0" + b"".join(
        (nal.START_CODE, b"\0\0\1")[i % 2] + unit + b"\0" * (i % 3) for i, unit in enumerate(units)
    )
    assert [annex_b[a:b] for a, b in nal.split_annex_b(annex_b)] == units
    avcc = b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in units)
    assert [avcc[a:b] for a, b in nal.split_avcc(avcc, length_size)] == units
    if units:
        with pytest.raises(SyntaxFault, match="nal_unit_length"):
            list(nal.split_avcc(avcc[:-1], length_size))


def test_avcc_records_come_back_and_cut_ones_are_refused() -> None:
    config = nal.AvcConfiguration(100, 0, 40, 4, [b"\x67abc", b"\x67d"], [b"\x68e"])
    record = config.to_bytes()
    assert nal.parse_avcc(record) == config
    for size in range(len(record) - 4):  # the last four bytes are the High extension
        with pytest.raises(SyntaxFault):
            nal.parse_avcc(record[:size])


U32 = st.integers(0, (1 << 32) - 1)
SE = st.integers(-(1 << 31) + 1, (1 << 31) - 1)
HRD = st.integers(0, 3).flatmap(
    lambda last: st.builds(
        HrdParameters,
        cpb_cnt_minus1=st.just(last),
        bit_rate_scale=st.integers(0, 15),
        cpb_size_scale=st.integers(0, 15),
        bit_rate_value_minus1=st.lists(st.integers(0, (1 << 32) - 2), min_size=last + 1, max_size=last + 1),
        cpb_size_value_minus1=st.lists(st.integers(0, (1 << 32) - 2), min_size=last + 1, max_size=last + 1),
        cbr_flag=st.lists(st.booleans(), min_size=last + 1, max_size=last + 1),
        time_offset_length=st.integers(0, 31),
    )
)
WEIGHTS = st.integers(1, 255)


def scaling_lists(count: int) -> st.SearchStrategy[Any]:
    def one(i: int) -> st.SearchStrategy[Any]:
        size = 16 if i < 6 else 64
        tail = st.tuples(st.lists(WEIGHTS, min_size=1, max_size=size), WEIGHTS)
        return st.one_of(st.none(), st.just(()), tail.map(lambda t: tuple((t[0] + [t[1]] * size)[:size])))

    return st.one_of(st.none(), st.tuples(*(one(i) for i in range(count))).map(list))


@st.composite
def vuis(draw: st.DrawFn) -> Vui:
    vui = Vui(
        nal_hrd=draw(st.none() | HRD),
        vcl_hrd=draw(st.none() | HRD),
        fixed_frame_rate_flag=draw(st.booleans()),
        timing_info_present_flag=True,
        num_units_in_tick=draw(U32),
        time_scale=draw(U32),
        pic_struct_present_flag=draw(st.booleans()),
    )
    if draw(st.booleans()):
        vui.set_sample_aspect_ratio(draw(st.integers(1, 65535)), draw(st.integers(1, 65535)))
    if draw(st.booleans()):
        vui.video_signal_type_present_flag = vui.colour_description_present_flag = True
        vui.colour_primaries, vui.matrix_coefficients, vui.video_format = 1, 9, 2
    if draw(st.booleans()):
        vui.chroma_loc_info_present_flag, vui.chroma_sample_loc_type_top_field = True, draw(st.integers(0, 5))
    if draw(st.booleans()):
        vui.bitstream_restriction_flag, vui.max_num_reorder_frames = True, draw(st.integers(0, 16))
        vui.max_dec_frame_buffering = draw(st.integers(0, 16))
    return vui


@st.composite
def sequence_sets(draw: st.DrawFn) -> Sps:
    sps = Sps(
        profile_idc=draw(st.sampled_from([66, 77, 88, *sorted(HIGH_PROFILES)])),
        constraint_flags=draw(st.integers(0, 255)),
        level_idc=draw(st.integers(0, 255)),
        seq_parameter_set_id=draw(st.integers(0, 31)),
        log2_max_frame_num_minus4=draw(st.integers(0, 12)),
        pic_order_cnt_type=draw(st.integers(0, 2)),
        max_num_ref_frames=draw(st.integers(0, 16)),
        gaps_in_frame_num_value_allowed_flag=draw(st.booleans()),
        pic_width_in_mbs_minus1=draw(st.integers(0, 200)),
        pic_height_in_map_units_minus1=draw(st.integers(0, 200)),
        frame_mbs_only_flag=draw(st.booleans()),
        direct_8x8_inference_flag=draw(st.booleans()),
        vui=draw(st.none() | vuis()),
    )
    sps.direct_8x8_inference_flag |= not sps.frame_mbs_only_flag  # 7.4.2.1.1
    if sps.profile_idc in HIGH_PROFILES:
        sps.chroma_format_idc = draw(st.integers(0, 3))
        sps.separate_colour_plane_flag = sps.chroma_format_idc == 3 and draw(st.booleans())
        sps.bit_depth_luma_minus8 = draw(st.integers(0, 6))
        sps.bit_depth_chroma_minus8 = draw(st.integers(0, 6))
        sps.qpprime_y_zero_transform_bypass_flag = draw(st.booleans())
        sps.scaling_lists = draw(scaling_lists(12 if sps.chroma_format_idc == 3 else 8))
    if sps.pic_order_cnt_type == 0:
        sps.log2_max_pic_order_cnt_lsb_minus4 = draw(st.integers(0, 12))
    elif sps.pic_order_cnt_type == 1:
        sps.delta_pic_order_always_zero_flag = draw(st.booleans())
        sps.offset_for_non_ref_pic = draw(SE)
        sps.offset_for_ref_frame = draw(st.lists(SE, max_size=5))
    if not sps.frame_mbs_only_flag:
        sps.mb_adaptive_frame_field_flag = draw(st.booleans())
    if draw(st.booleans()):
        sps.frame_cropping_flag = True
        sps.frame_crop_right_offset = draw(st.integers(0, 7))
        sps.frame_crop_top_offset = draw(st.integers(0, 7))
    return sps


@st.composite
def picture_sets(draw: st.DrawFn, sps: Sps) -> Pps:
    pps = Pps(
        pic_parameter_set_id=draw(st.integers(0, 255)),
        seq_parameter_set_id=sps.seq_parameter_set_id,
        entropy_coding_mode_flag=draw(st.booleans()),
        bottom_field_pic_order_in_frame_present_flag=draw(st.booleans()),
        num_ref_idx_l0_default_active_minus1=draw(st.integers(0, 15)),
        num_ref_idx_l1_default_active_minus1=draw(st.integers(0, 15)),
        weighted_pred_flag=draw(st.booleans()),
        weighted_bipred_idc=draw(st.integers(0, 2)),
        pic_init_qp_minus26=draw(st.integers(-26, 25)),
        chroma_qp_index_offset=draw(st.integers(-12, 12)),
        deblocking_filter_control_present_flag=draw(st.booleans()),
        constrained_intra_pred_flag=draw(st.booleans()),
        redundant_pic_cnt_present_flag=draw(st.booleans()),
        has_extension=draw(st.booleans()),
    )
    pps.second_chroma_qp_index_offset = pps.chroma_qp_index_offset
    if pps.has_extension:
        pps.transform_8x8_mode_flag = draw(st.booleans())
        eights = (6 if sps.chroma_format_idc == 3 else 2) * pps.transform_8x8_mode_flag
        pps.scaling_lists = draw(scaling_lists(6 + eights))
        pps.second_chroma_qp_index_offset = draw(st.integers(-12, 12))
    kind = draw(st.none() | st.integers(0, 6))
    if kind is not None:
        groups = SliceGroups(num_slice_groups_minus1=2, slice_group_map_type=kind)
        if kind == 0:
            groups.run_length_minus1 = [3, 0, 7]
        elif kind == 2:
            groups.top_left, groups.bottom_right = [0, 5], [4, 9]
        elif kind in (3, 4, 5):
            groups.slice_group_change_direction_flag, groups.slice_group_change_rate_minus1 = True, 12
        elif kind == 6:
            groups.slice_group_id = [0, 1, 2, 0]
        pps.slice_groups = groups
    return pps


@st.composite
def headers(draw: st.DrawFn, sps: Sps, pps: Pps) -> SliceHeader:
    kind = draw(st.sampled_from([SLICE_P, SLICE_B, SLICE_I, SLICE_SP, SLICE_SI]))
    idr = kind in (SLICE_I, SLICE_P) and draw(st.booleans())
    h = SliceHeader(
        nal_unit_type=5 if idr else 1,
        nal_ref_idc=draw(st.integers(1 if idr else 0, 3)),
        slice_type=kind + draw(st.sampled_from([0, 5])),
        pic_parameter_set_id=pps.pic_parameter_set_id,
        frame_num=0 if idr else draw(st.integers(0, sps.max_frame_num - 1)),
        field_pic_flag=not sps.frame_mbs_only_flag and draw(st.booleans()),
    )
    h.bottom_field_flag = h.field_pic_flag and draw(st.booleans())
    h.idr_pic_id = draw(st.integers(0, 65535)) if idr else 0
    both = pps.bottom_field_pic_order_in_frame_present_flag and not h.field_pic_flag
    if sps.pic_order_cnt_type == 0:
        h.pic_order_cnt_lsb = draw(st.integers(0, sps.max_pic_order_cnt_lsb - 1))
        h.delta_pic_order_cnt_bottom = draw(SE) if both else 0
    elif sps.pic_order_cnt_type == 1 and not sps.delta_pic_order_always_zero_flag:
        h.delta_pic_order_cnt = [draw(SE), draw(SE) if both else 0]
    if pps.redundant_pic_cnt_present_flag:
        h.redundant_pic_cnt = draw(st.integers(0, 127))
    lists = {SLICE_P: 1, SLICE_SP: 1, SLICE_B: 2}.get(kind, 0)
    h.direct_spatial_mv_pred_flag = draw(st.booleans()) if kind == SLICE_B else True
    override = draw(st.booleans())
    if lists:
        h.num_ref_idx_l0_active_minus1 = (
            draw(st.integers(0, 15)) if override else pps.num_ref_idx_l0_default_active_minus1
        )
    if lists == 2:
        h.num_ref_idx_l1_active_minus1 = (
            draw(st.integers(0, 15)) if override else pps.num_ref_idx_l1_default_active_minus1
        )
    counts = (h.num_ref_idx_l0_active_minus1 + 1, h.num_ref_idx_l1_active_minus1 + 1)
    for lst in range(lists):
        entry = st.tuples(st.integers(0, 2), st.integers(0, 15))
        h.ref_pic_list_modification[lst] = draw(st.lists(entry, max_size=min(4, counts[lst])))
    pair = st.tuples(st.integers(-128, 127), st.integers(-128, 127))
    if (pps.weighted_pred_flag and kind in (SLICE_P, SLICE_SP)) or (pps.weighted_bipred_idc == 1 and kind == SLICE_B):
        weights = PredWeightTable(luma_log2_weight_denom=draw(st.integers(0, 7)))
        for lst in range(lists):
            weights.luma[lst] = [draw(st.none() | pair) for _ in range(counts[lst])]
            chroma = st.none() | st.tuples(pair, pair)
            weights.chroma[lst] = [draw(chroma) if sps.chroma_array_type else None for _ in range(counts[lst])]
        if sps.chroma_array_type:
            weights.chroma_log2_weight_denom = draw(st.integers(0, 7))
        h.pred_weight_table = weights
    if h.nal_ref_idc and idr:
        h.dec_ref_pic_marking = DecRefPicMarking(draw(st.booleans()), draw(st.booleans()))
    elif h.nal_ref_idc and draw(st.booleans()):
        operations: list[tuple[int, ...]] = [(1, 5), (2, 3), (3, 0, 2), (4, 1), (5,), (6, 15)]
        h.dec_ref_pic_marking.adaptive_ref_pic_marking_mode_flag = True
        h.dec_ref_pic_marking.operations = draw(st.lists(st.sampled_from(operations), max_size=5))
    if pps.entropy_coding_mode_flag and lists:
        h.cabac_init_idc = draw(st.integers(0, 2))
    h.slice_qp_delta = draw(st.integers(0, 51)) - 26 - pps.pic_init_qp_minus26
    if kind == SLICE_SP:
        h.sp_for_switch_flag = draw(st.booleans())
    if pps.deblocking_filter_control_present_flag:
        h.disable_deblocking_filter_idc = draw(st.integers(0, 2))
        if h.disable_deblocking_filter_idc != 1:
            h.slice_alpha_c0_offset_div2 = draw(st.integers(-6, 6))
            h.slice_beta_offset_div2 = draw(st.integers(-6, 6))
    if pps.slice_groups and 3 <= pps.slice_groups.slice_group_map_type <= 5:
        h.slice_group_change_cycle = draw(st.integers(0, 1))
    return h


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_parameter_sets_and_headers_come_back(data: st.DataObject) -> None:
    """Written, escaped, unescaped and parsed, every field is what it was."""
    sps = data.draw(sequence_sets())
    pps = data.draw(picture_sets(sps))
    assert parse_sps(nal.parse_nal(sps.to_nal()).rbsp) == sps
    unit = nal.parse_nal(pps.to_nal(chroma_format_idc=sps.chroma_format_idc))
    assert parse_pps(unit.rbsp, {sps.seq_parameter_set_id: sps}) == pps
    header = data.draw(headers(sps, pps))
    written, bits = write_slice_header(header, sps, pps)
    sets = {sps.seq_parameter_set_id: sps}, {pps.pic_parameter_set_id: pps}
    parsed = parse_slice_header(written, header.nal_unit_type, header.nal_ref_idc, *sets)
    for item in fields(header):
        assert getattr(parsed, item.name) == getattr(header, item.name), item.name
    assert parsed.header_bits == bits
    with pytest.raises(SyntaxFault):
        parse_slice_header(written[: (bits - 1) // 8], header.nal_unit_type, header.nal_ref_idc, *sets)
    with pytest.raises(SyntaxFault, match=r"parameter_set_id: .*none received"):
        parse_slice_header(written, header.nal_unit_type, header.nal_ref_idc, sets[0], {})


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 3), st.sampled_from([1, 5]))
def test_any_bytes_parse_or_fault(data: bytes, nal_ref_idc: int, nal_unit_type: int) -> None:
    """Nothing but SyntaxFault ever leaves a parser, and nothing loops."""
    sps, pps = Sps(frame_mbs_only_flag=False), Pps(weighted_pred_flag=True, weighted_bipred_idc=1)
    for attempt in (
        lambda: parse_sps(b"\x64\x00\x28" + data),
        lambda: parse_sps(data),
        lambda: parse_pps(data, {0: sps}),
        lambda: parse_slice_header(data, nal_unit_type, nal_ref_idc, {0: sps}, {0: pps}),
        lambda: nal.parse_avcc(data),
        lambda: nal.parse_nal(data),
        lambda: list(nal.split_avcc(data, 2)),
    ):
        with contextlib.suppress(SyntaxFault):
            attempt()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seq_parameter_set_id": 32}, r"seq_parameter_set_id: 32, allowed: 0\.\.31"),
        ({"pic_order_cnt_type": 3}, "pic_order_cnt_type: 3"),
        ({"max_num_ref_frames": 17}, "max_num_ref_frames: 17"),
        ({"pic_width_in_mbs_minus1": 5000}, "pic_width_in_mbs_minus1: 5000"),
        ({"frame_cropping_flag": True, "frame_crop_right_offset": 8}, r"frame_crop_right_offset: 8, allowed: 0\.\.7"),
        ({"profile_idc": 100, "bit_depth_luma_minus8": 7}, "bit_depth_luma_minus8: 7"),
        ({"profile_idc": 100, "scaling_lists": [(0,) * 16] + [None] * 7}, "scaling list weight: 0"),
    ],
)
def test_writing_checks_the_same_ranges(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SyntaxFault, match=message):
        Sps(**change).to_rbsp()


@settings(deadline=None)
@given(st.integers(1, 600), st.integers(1, 600))
def test_sizes_are_cropped_to_the_sample(half_width: int, half_height: int) -> None:
    sps = Sps()
    sps.set_size(2 * half_width, 2 * half_height)
    assert parse_sps(sps.to_rbsp()).crop_rectangle() == (0, 0, 2 * half_width, 2 * half_height)
    with pytest.raises(SyntaxFault, match=r"width x height: .*multiples of 2 x 2"):
        sps.set_size(2 * half_width + 1, 2 * half_height)


def test_scaling_lists_fall_back_as_table_7_2_says() -> None:
    flat = scaling_matrices(Sps(), Pps())
    assert flat == ([[16] * 16] * 6, [[16] * 64] * 6)
    own = tuple(range(1, 17))
    sps = Sps(scaling_lists=[own, None, None, (), None, None, None, None])
    four, eight = scaling_matrices(sps, Pps())
    assert four[0] == four[1] == four[2]
    assert four[0][:4] == [1, 2, 6, 7]  # zig-zag order put back into rows
    assert four[3] == four[4]
    assert four[3][:4] == [10, 14, 20, 24]  # Default_4x4_Inter
    assert eight[0][:4] == [6, 10, 13, 16]  # Default_8x8_Intra
    assert eight[1][:4] == [9, 13, 15, 17]
    pps = Pps(scaling_lists=[None, None, None, own, None, None])
    four, _ = scaling_matrices(sps, pps)
    assert four[0][:4] == [1, 2, 6, 7], "fall-back rule B: the sequence's list"
    assert four[3] == four[4] == four[5] == four[0]
    four, _ = scaling_matrices(Sps(), pps)
    assert four[0][:4] == [6, 13, 20, 28], "fall-back rule A: the sequence has none"


# made invalid on purpose (spoilt parameter sets between good ones) or damaged (INDEX.md)
UNUSUAL = {"membrane_input-30-240p-vp-sps-pps.h264", "foreman_qcif.h264"}


def test_all_headers_of_the_media_parse(media: Path) -> None:
    """Every SPS, PPS and slice header of all H.264 streams; written again they parse to the same."""
    units = 0
    for path in sorted(media.glob("h264_*/*")):
        data = path.read_bytes()
        sequences: dict[int, Sps] = {}
        pictures: dict[int, Pps] = {}
        for begin, end in nal.split_annex_b(data):
            unit = nal.parse_nal(data[begin : min(end, begin + 2000)])
            try:
                if unit.nal_unit_type == nal.NAL_SPS:
                    sps = parse_sps(unit.rbsp)
                    assert parse_sps(sps.to_rbsp()) == sps
                    sequences[sps.seq_parameter_set_id] = sps
                elif unit.nal_unit_type == nal.NAL_PPS:
                    pps = parse_pps(unit.rbsp, sequences)
                    known = sequences.get(pps.seq_parameter_set_id, Sps())
                    assert parse_pps(pps.to_rbsp(known.chroma_format_idc), sequences) == pps
                    pictures[pps.pic_parameter_set_id] = pps
                elif unit.nal_unit_type in (nal.NAL_SLICE, nal.NAL_IDR_SLICE):
                    kinds = unit.nal_unit_type, unit.nal_ref_idc
                    header = parse_slice_header(unit.rbsp, *kinds, sequences, pictures)
                    pps = pictures[header.pic_parameter_set_id]
                    written, _ = write_slice_header(header, sequences[pps.seq_parameter_set_id], pps)
                    again = parse_slice_header(written, *kinds, sequences, pictures)
                    assert again == header
            except SyntaxFault:
                if path.name not in UNUSUAL:
                    raise
            units += 1
    assert units > 5000
