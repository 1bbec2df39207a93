"""What the driver adds to the cores' slices: parameter sets. Without B pictures coding order is output order, and order
counts are left out (pic_order_cnt_type 2).
"""

from fractions import Fraction

from asic_model.codecs.h264 import levels
from asic_model.codecs.h264.bits import SyntaxFault
from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.vui import Vui
from driver.errors import InvalidConfig
from driver.gop import LOG2_MAX_FRAME_NUM, LOG2_MAX_POC_LSB, hierarchy_depth
from driver.hrd import hrd_parameters
from driver.options import EncoderConfig

START_CODE = b"\x00\x00\x00\x01"
PROFILE_IDC = {"baseline": levels.BASELINE, "main": levels.MAIN, "high": levels.HIGH}
# constraint_set0 and set1: Constrained Baseline; set1 alone: also decodable as Main (7.4.2.1.1)
CONSTRAINT_FLAGS = {"baseline": 0xC0, "main": 0x40, "high": 0}
CONSTRAINT_SET3 = 0x10


def _level(config: EncoderConfig) -> levels.Level:
    """Return the level asked for, or the lowest that Table A-1 allows for size, rate, references and bit rate."""
    mb_width, mb_height = -(-config.width // 16), -(-config.height // 16)
    try:
        lowest = levels.choose_level(
            mb_width, mb_height, float(config.fps), config.buffered_references,
            config.max_rate or config.bit_rate or 0, config.buffer_size or 0,
            PROFILE_IDC[config.profile],
        )  # fmt: skip
    except SyntaxFault as error:
        raise InvalidConfig(f"no H.264 level holds {config.width}x{config.height} at {config.fps}: {error}") from None
    if config.level == "auto":
        return lowest
    names = {row.name: row for row in levels.LEVELS}
    wanted = names.get(config.level) or names.get(f"{config.level[:-1]}.{config.level[-1:]}")
    if wanted is None:
        raise InvalidConfig(f"option level: {config.level!r} is not one of {', '.join(names)}", option="level")
    if levels.LEVELS.index(wanted) < levels.LEVELS.index(lowest):
        raise InvalidConfig(
            f"option level: {wanted.name} is too low for {config.width}x{config.height} at {config.fps} frames/s; "
            f"it needs {lowest.name}",
            option="level",
        )
    return wanted


def parameter_sets(config: EncoderConfig, vui: Vui | None = None) -> bytes:
    """Return SPS and PPS with start codes (Annex B). `vui`: as `vui_parameters` gives it."""
    level = _level(config)
    level_idc, set3 = levels.level_fields(level, PROFILE_IDC[config.profile])
    sps = Sps(
        profile_idc=PROFILE_IDC[config.profile],
        constraint_flags=CONSTRAINT_FLAGS[config.profile] | (CONSTRAINT_SET3 if set3 else 0),
        level_idc=level_idc,
        log2_max_frame_num_minus4=LOG2_MAX_FRAME_NUM - 4,
        pic_order_cnt_type=0 if config.b_frames else 2,
        log2_max_pic_order_cnt_lsb_minus4=LOG2_MAX_POC_LSB - 4,
        max_num_ref_frames=config.buffered_references,
        vui=vui_parameters(config) if vui is None else vui,
    )
    sps.set_size(config.width, config.height)
    pps = Pps(
        entropy_coding_mode_flag=config.cabac,
        weighted_pred_flag=config.weighted_p,
        weighted_bipred_idc=2 if config.weighted_b else 0,
        chroma_qp_index_offset=config.chroma_qp_offset,
        deblocking_filter_control_present_flag=True,
        has_extension=config.transform_8x8,
        transform_8x8_mode_flag=config.transform_8x8,
        second_chroma_qp_index_offset=config.chroma_qp_offset,
    )
    return START_CODE + sps.to_nal() + START_CODE + pps.to_nal()


def vui_parameters(config: EncoderConfig) -> Vui:
    """Return the video usability information of a session's streams."""
    vui = Vui(
        timing_info_present_flag=True,
        # E.2.1: a tick is a field's time, so a frame takes two; the rate is nominal, times are the container's
        num_units_in_tick=config.fps.denominator,
        time_scale=2 * config.fps.numerator,
        bitstream_restriction_flag=True,
        max_num_reorder_frames=hierarchy_depth(config.b_frames, config.b_ref_mode),
        max_dec_frame_buffering=config.buffered_references,
        nal_hrd=hrd_parameters(config),
    )
    vui.fixed_frame_rate_flag = vui.nal_hrd is not None
    aspect = (config.sample_aspect_ratio or Fraction(0)).limit_denominator(65535)
    if 0 < aspect.numerator <= 65535:
        vui.set_sample_aspect_ratio(aspect.numerator, aspect.denominator)
    described = (config.color_primaries, config.color_trc, config.colorspace) != (2, 2, 2)
    vui.video_signal_type_present_flag = described or config.full_range is not None
    vui.video_full_range_flag = bool(config.full_range)
    vui.colour_description_present_flag = described
    vui.colour_primaries, vui.transfer_characteristics = config.color_primaries, config.color_trc
    vui.matrix_coefficients = config.colorspace
    if config.chroma_location is not None:
        vui.chroma_loc_info_present_flag = True
        vui.chroma_sample_loc_type_top_field = vui.chroma_sample_loc_type_bottom_field = config.chroma_location
    return vui
