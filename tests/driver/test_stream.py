"""Parameter sets say what was configured; levels and numbering keep the standard's limits."""

from fractions import Fraction

import pytest

from asic_model.codecs.h264.nal import parse_nal, split_annex_b
from asic_model.codecs.h264.parameter_sets import parse_sps
from driver.errors import InvalidConfig
from driver.options import EncoderConfig
from driver.quality import RESULT_FIELDS, psnr_db
from driver.stream import parameter_sets


def sps_of(config: EncoderConfig):  # type: ignore[no-untyped-def]
    data = parameter_sets(config)
    begin, end = next(iter(split_annex_b(data)))
    return parse_sps(parse_nal(data[begin:end]).rbsp)


@pytest.mark.parametrize(
    ("size", "fps", "level_idc"),
    # Table A-1 by hand: macroblocks a frame, a second, and 3 references for preset slow
    [((176, 144), 15, 10), ((352, 288), 30, 13), ((640, 480), 30, 30), ((1280, 720), 30, 31), ((1280, 720), 60, 32),
     ((1920, 1080), 30, 40), ((1920, 1080), 60, 42), ((3840, 2160), 30, 51), ((4096, 2304), 25, 51)],
)  # fmt: skip
def test_level_is_the_lowest_that_fits(size: tuple[int, int], fps: int, level_idc: int) -> None:
    assert sps_of(EncoderConfig(width=size[0], height=size[1], fps=fps)).level_idc == level_idc


def test_a_level_that_is_too_low_is_refused_with_the_one_needed() -> None:
    with pytest.raises(InvalidConfig, match=r"3\.0 is too low .* needs 3\.1"):
        parameter_sets(EncoderConfig(width=1280, height=720, level="3.0"))
    assert sps_of(EncoderConfig(width=64, height=64, level="41")).level_idc == 41


def test_fields_of_the_sequence() -> None:
    config = EncoderConfig(
        width=1278, height=714, fps=Fraction(30000, 1001), ref_count=3, b_count=0, sample_aspect_ratio=Fraction(7, 5),
        color_primaries=9, color_trc=16, colorspace=9, full_range=True, chroma_location=2,
    )  # fmt: skip
    sps = sps_of(config)
    assert sps.crop_rectangle() == (0, 0, 1278, 714)
    assert (sps.pic_order_cnt_type, sps.max_num_ref_frames, sps.frame_mbs_only_flag) == (2, 3, True)
    assert Fraction(sps.vui.time_scale, 2 * sps.vui.num_units_in_tick) == Fraction(30000, 1001)
    assert sps.vui.sample_aspect_ratio() == (7, 5)
    assert (sps.vui.max_num_reorder_frames, sps.vui.max_dec_frame_buffering) == (0, 3)
    assert sps.vui.chroma_sample_loc_type_top_field == 2
    vui = sps.vui
    assert (vui.colour_primaries, vui.transfer_characteristics, vui.matrix_coefficients) == (9, 16, 9)
    assert vui.video_full_range_flag


@pytest.mark.parametrize(
    ("b_frames", "mode", "reorder", "kept"),
    [(1, "middle", 1, 2), (3, "middle", 2, 3), (3, "disabled", 1, 2), (7, "each", 3, 4)],
)
def test_b_pictures_say_what_a_decoder_must_hold_back(b_frames: int, mode: str, reorder: int, kept: int) -> None:
    """Depth of the hierarchy, and two anchors with one reference of each level between them."""
    sps = sps_of(EncoderConfig(width=640, height=480, b_count=b_frames, b_ref_mode=mode, ref_count=1))
    assert sps.pic_order_cnt_type == 0
    assert (sps.vui.max_num_reorder_frames, sps.vui.max_dec_frame_buffering, sps.max_num_ref_frames) == (
        reorder,
        kept,
        kept,
    )


def test_quality_sums_stand_where_the_core_puts_them() -> None:
    from asic_model.cores.scale import QUALITY_RESULT

    assert tuple(QUALITY_RESULT.names or ()) == RESULT_FIELDS
    assert psnr_db(65025, 1) == 0.0  # one sample wrong by 255
    assert psnr_db(0, 100) is None
