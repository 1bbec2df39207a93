"""The decoded picture buffer: order counts, lists, marking and output as in H.264 8.2 and C.4, on small examples."""

from asic_model.codecs.h264.dpb import BOTTOM, FRAME, TOP, Dpb, Frame
from asic_model.codecs.h264.parameter_sets import Sps
from asic_model.codecs.h264.slice_header import SLICE_B, SLICE_I, SLICE_P, DecRefPicMarking, SliceHeader
from asic_model.codecs.h264.vui import Vui


def session(**changes: object) -> Dpb:
    """A buffer for 64x64 pictures at level 1, whose level allows 16 frames."""
    sps = Sps(pic_width_in_mbs_minus1=3, pic_height_in_map_units_minus1=3, max_num_ref_frames=4)
    for name, value in changes.items():
        setattr(sps, name, value)
    dpb = Dpb()
    dpb.configure(sps)
    return dpb


def picture(dpb: Dpb, **fields: object) -> tuple[Frame, list[Frame]]:
    """Decode one picture; returns it and what came out."""
    header = SliceHeader(**fields)  # type: ignore[arg-type]
    frame, out = dpb.begin(header)
    return frame, out + dpb.end()


def idr(dpb: Dpb) -> tuple[Frame, list[Frame]]:
    return picture(dpb, nal_unit_type=5, slice_type=SLICE_I)


def test_order_type_0_wraps_around() -> None:
    """lsb has 4 bits: 14 after 0 would be -2 backwards, 8 then 0 is 16 (8.2.1.1)."""
    dpb = session()
    idr(dpb)
    orders = [picture(dpb, frame_num=n, pic_order_cnt_lsb=lsb)[0].order for n, lsb in enumerate((6, 12, 2, 8), 1)]
    assert orders == [6, 12, 18, 24]


def test_order_type_1_follows_the_cycle() -> None:
    """Offsets 2, 4 a cycle: expected counts 2, 6, 8, 12; a picture that is no reference has one step less."""
    dpb = session(pic_order_cnt_type=1, offset_for_ref_frame=[2, 4], offset_for_non_ref_pic=-1)
    idr(dpb)
    assert [picture(dpb, frame_num=n)[0].order for n in (1, 2, 3)] == [2, 6, 8]
    assert picture(dpb, frame_num=4, nal_ref_idc=0)[0].order == 8 - 1


def test_order_type_2_is_decoding_order_across_a_wrap() -> None:
    dpb = session(pic_order_cnt_type=2)
    idr(dpb)
    numbers = [n % 16 for n in range(1, 19)]
    assert [picture(dpb, frame_num=n)[0].order for n in numbers] == [2 * n for n in range(1, 19)]


def test_sliding_window_keeps_the_latest() -> None:
    dpb = session()
    idr(dpb)
    for n in range(1, 7):
        picture(dpb, frame_num=n, pic_order_cnt_lsb=2 * n)
    dpb.begin(
        header := SliceHeader(slice_type=SLICE_P, frame_num=7, pic_order_cnt_lsb=14, num_ref_idx_l0_active_minus1=3)
    )
    assert [entry and entry[0].frame_num for entry in dpb.lists(header)[0]] == [6, 5, 4, 3]


def test_b_lists_go_both_ways_and_differ() -> None:
    """Orders 0, 8, 4 around 6: list 0 is 4, 0, 8, list 1 is 8, 4, 0 (8.2.4.2.3); one side only: the first two swap."""
    dpb = session()
    idr(dpb)
    picture(dpb, frame_num=1, pic_order_cnt_lsb=8)
    picture(dpb, frame_num=2, pic_order_cnt_lsb=4)
    header = SliceHeader(slice_type=SLICE_B, frame_num=3, pic_order_cnt_lsb=6, nal_ref_idc=0)
    header.num_ref_idx_l0_active_minus1 = header.num_ref_idx_l1_active_minus1 = 2
    dpb.begin(header)
    assert [[entry and entry[0].order for entry in entries] for entries in dpb.lists(header)] == [[4, 0, 8], [8, 4, 0]]
    dpb.end()
    header = SliceHeader(slice_type=SLICE_B, frame_num=3, pic_order_cnt_lsb=10, nal_ref_idc=0)
    header.num_ref_idx_l0_active_minus1 = header.num_ref_idx_l1_active_minus1 = 2
    dpb.begin(header)
    assert [[entry and entry[0].order for entry in entries] for entries in dpb.lists(header)] == [[8, 4, 0], [4, 8, 0]]


def test_modification_moves_a_picture_to_the_front() -> None:
    """abs_diff_pic_num_minus1 2 from frame_num 5 names 2 (8.2.4.3.1); missing pictures leave the list alone."""
    dpb = session()
    idr(dpb)
    for n in range(1, 5):
        picture(dpb, frame_num=n, pic_order_cnt_lsb=2 * n)
    header = SliceHeader(slice_type=SLICE_P, frame_num=5, pic_order_cnt_lsb=10, num_ref_idx_l0_active_minus1=3)
    header.ref_pic_list_modification = [[(0, 2)], []]
    dpb.begin(header)
    assert [entry and entry[0].frame_num for entry in dpb.lists(header)[0]] == [2, 4, 3, 1]
    header.ref_pic_list_modification = [[(0, 9)], []]
    assert [entry and entry[0].frame_num for entry in dpb.lists(header)[0]] == [4, 3, 2, 1]


def test_missing_references_are_none() -> None:
    dpb = session()
    idr(dpb)
    header = SliceHeader(slice_type=SLICE_P, frame_num=1, pic_order_cnt_lsb=2, num_ref_idx_l0_active_minus1=2)
    dpb.begin(header)
    first, *rest = dpb.lists(header)[0]
    assert first is not None
    assert rest == [None, None]


def test_long_term_pictures_stay_and_come_last() -> None:
    """Operation 3 makes frame 0 long-term index 1; it outlives the window and follows the short-term ones."""
    dpb = session()
    idr(dpb)
    marking = DecRefPicMarking(adaptive_ref_pic_marking_mode_flag=True, operations=[(4, 2), (3, 0, 1)])
    picture(dpb, frame_num=1, pic_order_cnt_lsb=2, dec_ref_pic_marking=marking)
    for n in range(2, 8):
        picture(dpb, frame_num=n, pic_order_cnt_lsb=2 * n % 16)
    header = SliceHeader(slice_type=SLICE_P, frame_num=8, pic_order_cnt_lsb=0, num_ref_idx_l0_active_minus1=3)
    dpb.begin(header)
    entries = [entry for entry in dpb.lists(header)[0] if entry is not None]
    assert [frame.frame_num for frame, _ in entries] == [7, 6, 5, 0]
    assert entries[-1][0].long_term == FRAME


def test_operation_5_restarts_numbers_and_empties_the_buffer() -> None:
    dpb = session()
    first, _ = idr(dpb)
    second, _ = picture(dpb, frame_num=1, pic_order_cnt_lsb=8)
    marking = DecRefPicMarking(adaptive_ref_pic_marking_mode_flag=True, operations=[(5,)])
    third, out = picture(dpb, frame_num=2, pic_order_cnt_lsb=12, dec_ref_pic_marking=marking)
    assert out == [first, second]
    assert (third.order, third.frame_num) == (0, 0)
    fourth, _ = picture(dpb, frame_num=1, pic_order_cnt_lsb=2)
    assert fourth.order == 2


def test_fields_alternate_in_lists() -> None:
    """A top field refers to fields of equal parity first: T1 B1 T0 B0 (8.2.4.2.5)."""
    dpb = session(frame_mbs_only_flag=False)
    for n in range(2):
        for bottom in (False, True):
            picture(
                dpb, nal_unit_type=5 if n == 0 and not bottom else 1, frame_num=n, field_pic_flag=True,
                bottom_field_flag=bottom, pic_order_cnt_lsb=4 * n + bottom, slice_type=SLICE_I,
            )  # fmt: skip
    header = SliceHeader(slice_type=SLICE_P, frame_num=2, field_pic_flag=True, pic_order_cnt_lsb=8)
    header.num_ref_idx_l0_active_minus1 = 3
    dpb.begin(header)
    entries = [(entry[0].frame_num, entry[1]) for entry in dpb.lists(header)[0] if entry is not None]
    assert entries == [(1, TOP), (1, BOTTOM), (0, TOP), (0, BOTTOM)]


def test_second_field_completes_the_frame() -> None:
    dpb = session(frame_mbs_only_flag=False)
    top, _ = picture(dpb, nal_unit_type=5, slice_type=SLICE_I, field_pic_flag=True)
    bottom, _ = picture(dpb, field_pic_flag=True, bottom_field_flag=True, pic_order_cnt_lsb=1)
    assert top is bottom
    assert top.fields == FRAME
    lone, _ = picture(dpb, frame_num=1, field_pic_flag=True, pic_order_cnt_lsb=4)
    other, _ = picture(dpb, frame_num=2, field_pic_flag=True, pic_order_cnt_lsb=8)
    assert lone is not other
    assert lone.fields == TOP


def test_gaps_fill_with_frames_that_do_not_exist() -> None:
    dpb = session(gaps_in_frame_num_value_allowed_flag=True)
    idr(dpb)
    picture(dpb, frame_num=3, pic_order_cnt_lsb=6)
    assert [(frame.frame_num, frame.existing) for frame in dpb.frames] == [(0, True), (1, False), (2, False), (3, True)]
    assert dpb.gaps == 2


def test_frames_leave_in_order_and_none_is_lost() -> None:
    """I P B B with one frame of reordering: each B leaves at once, each P when the next one comes."""
    vui = Vui(bitstream_restriction_flag=True, max_num_reorder_frames=1, max_dec_frame_buffering=4)
    dpb = session(vui=vui)
    _, out = idr(dpb)
    shown = [frame.order for frame in out]
    number = 1
    for group in range(3):
        for lsb, ref in ((6, 1), (2, 0), (4, 0)):
            order = (6 * group + lsb) % 16
            _, out = picture(dpb, frame_num=number, pic_order_cnt_lsb=order, nal_ref_idc=ref)
            shown += [frame.order for frame in out]
            number += ref
    shown += [frame.order for frame in dpb.flush()]
    assert shown == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
