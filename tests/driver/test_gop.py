"""Order, numbers and references of pictures, by hand and against the decoder's picture buffer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264.dpb import Dpb
from asic_model.codecs.h264.parameter_sets import Sps
from asic_model.codecs.h264.slice_header import DecRefPicMarking, SliceHeader
from asic_model.codecs.h264.vui import Vui
from driver.gop import LOG2_MAX_FRAME_NUM, LOG2_MAX_POC_LSB, PictureHeader, PictureOrder, hierarchy_depth


def coded(order: PictureOrder, count: int, cuts: tuple[int, ...] = ()) -> list[PictureHeader]:
    headers = [header for number in range(count) for header in order.add(number, number in cuts)]
    return [*headers, *order.flush()]


def test_three_b_pictures_with_the_middle_one_as_reference() -> None:
    """I0 P4 B2 b1 b3 P8 B6 b5 b7, and the two that are left: P10 b9."""
    headers = coded(PictureOrder(250, 1, 3, "middle"), 11)
    assert [header.token for header in headers] == [0, 4, 2, 1, 3, 8, 6, 5, 7, 10, 9]
    assert [header.slice_type for header in headers] == [2, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1]
    assert [header.reference for header in headers] == [
        True,
        True,
        True,
        False,
        False,
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    assert [header.frame_num for header in headers] == [0, 1, 2, 3, 3, 3, 4, 5, 5, 5, 6]
    assert [header.poc for header in headers] == [2 * header.token for header in headers]
    lists = [[[kept.token for kept in entries] for entries in header.lists] for header in headers]
    assert lists[1:5] == [[[0], []], [[0], [4]], [[0], [2]], [[2], [4]]]
    # P8: the decoder starts from the reference coded last, which is B2; the list begins with P4 and says so
    assert (lists[5], headers[5].modify) == ([[4], []], 1)


def test_idr_pictures_close_their_groups_and_cuts_begin_with_i_pictures() -> None:
    headers = coded(PictureOrder(20, 1, 2, "disabled"), 30, cuts=(1, 10))
    by_number = {header.token: header for header in headers}
    assert [number for number, header in sorted(by_number.items()) if header.idr] == [0, 10]
    assert [number for number, header in sorted(by_number.items()) if header.slice_type == 2] == [0, 1, 10]
    position = [header.token for header in headers].index(10)
    assert {header.token for header in headers[:position]} == set(range(10))


def test_numbering_over_long_runs() -> None:
    """frame_num counts modulo MaxFrameNum within a coded video sequence (7.4.3); IDR ids of neighbours differ."""
    headers = coded(PictureOrder(gop_size=1000, references=4), 2500)
    assert [i for i, header in enumerate(headers) if header.idr] == [0, 1000, 2000]
    for i, header in enumerate(headers):
        assert header.frame_num == (i % 1000) % (1 << LOG2_MAX_FRAME_NUM)
        assert len(header.lists[0]) == (0 if header.idr else min(i % 1000, 4))
    assert [headers[i].idr_pic_id for i in (0, 1000, 2000)] == [0, 1, 0]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    count=st.integers(1, 60), gop=st.integers(1, 400), references=st.integers(1, 4), b_frames=st.integers(0, 7),
    mode=st.sampled_from(("disabled", "middle", "each")), references_l1=st.integers(1, 2),
    cuts=st.sets(st.integers(0, 59), max_size=6), forced=st.integers(0, 59),
)  # fmt: skip
def test_a_decoder_finds_the_same_lists(count, gop, references, b_frames, mode, references_l1, cuts, forced) -> None:
    """The decoded picture buffer of the decoder, fed with the headers, has the planned references in the planned order,
    keeps every picture that is still needed, and puts all pictures out in display order."""
    order = PictureOrder(gop, references, b_frames, mode, references_l1)
    sps = Sps(
        level_idc=51, log2_max_frame_num_minus4=LOG2_MAX_FRAME_NUM - 4,
        pic_order_cnt_type=0 if b_frames else 2, log2_max_pic_order_cnt_lsb_minus4=LOG2_MAX_POC_LSB - 4,
        max_num_ref_frames=order.capacity,
    )  # fmt: skip
    sps.set_size(64, 64)
    sps.vui = Vui(
        bitstream_restriction_flag=True, max_num_reorder_frames=hierarchy_depth(b_frames, mode),
        max_dec_frame_buffering=order.capacity,
    )  # fmt: skip
    dpb = Dpb()
    dpb.configure(sps)
    shown: list[int] = []
    headers = []
    for number in range(count):
        if number == forced:
            order.force_idr()
        headers += list(order.add(number, number in cuts))
    headers += list(order.flush())
    assert sorted(header.token for header in headers) == list(range(count))
    for header in headers:
        slice_header = SliceHeader(
            nal_unit_type=5 if header.idr else 1, nal_ref_idc=header.fields["nal_ref_idc"],
            slice_type=header.slice_type, frame_num=header.frame_num, idr_pic_id=header.idr_pic_id,
            pic_order_cnt_lsb=header.fields["poc_lsb"],
            num_ref_idx_l0_active_minus1=max(len(header.lists[0]) - 1, 0),
            num_ref_idx_l1_active_minus1=max(len(header.lists[1]) - 1, 0),
            dec_ref_pic_marking=DecRefPicMarking(
                adaptive_ref_pic_marking_mode_flag=bool(header.unmark),
                operations=[(1, difference) for difference in header.unmark],
            ),
        )  # fmt: skip
        frame, out = dpb.begin(slice_header)
        shown += [one.data for one in out]
        frame.data = header.token
        if header.slice_type != 2 and not header.modify & 1:
            found = [[entry[0].data for entry in entries] for entries in dpb.lists(slice_header)]
            wanted = [[kept.token for kept in entries] for entries in header.lists]
            assert found == wanted
        shown += [one.data for one in dpb.end()]
    shown += [one.data for one in dpb.flush()]
    assert shown == list(range(count))


@pytest.mark.parametrize(
    ("b_frames", "mode", "depth"), [(0, "each", 0), (1, "each", 1), (3, "middle", 2), (7, "each", 3)]
)
def test_depth(b_frames: int, mode: str, depth: int) -> None:
    assert hierarchy_depth(b_frames, mode) == depth
