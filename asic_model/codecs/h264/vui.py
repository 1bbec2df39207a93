"""Video usability information and HRD parameters (H.264 Annex E), parsed and written by one description."""

from dataclasses import dataclass, field

from asic_model.codecs.h264.bits import BitCoder

EXTENDED_SAR = 255
# Table E-1: aspect_ratio_idc -> (width, height)
SAMPLE_ASPECT_RATIOS = (
    (0, 0), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33), (18, 11),
    (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip


@dataclass
class HrdParameters:
    """hrd_parameters() (E.1.2); lists have cpb_cnt_minus1 + 1 entries."""

    cpb_cnt_minus1: int = 0
    bit_rate_scale: int = 0
    cpb_size_scale: int = 0
    bit_rate_value_minus1: list[int] = field(default_factory=lambda: [0])
    cpb_size_value_minus1: list[int] = field(default_factory=lambda: [0])
    cbr_flag: list[bool] = field(default_factory=lambda: [False])
    initial_cpb_removal_delay_length_minus1: int = 23
    cpb_removal_delay_length_minus1: int = 23
    dpb_output_delay_length_minus1: int = 23
    time_offset_length: int = 24

    def bit_rate(self, index: int = 0) -> int:
        """BitRate in bits a second (E-37)."""
        return (self.bit_rate_value_minus1[index] + 1) << (6 + self.bit_rate_scale)

    def cpb_size(self, index: int = 0) -> int:
        """CpbSize in bits (E-38)."""
        return (self.cpb_size_value_minus1[index] + 1) << (4 + self.cpb_size_scale)


@dataclass
class Vui:
    """vui_parameters() (E.1.1) under the standard's names; defaults are what absence means."""

    aspect_ratio_info_present_flag: bool = False
    aspect_ratio_idc: int = 0
    sar_width: int = 0
    sar_height: int = 0
    overscan_info_present_flag: bool = False
    overscan_appropriate_flag: bool = False
    video_signal_type_present_flag: bool = False
    video_format: int = 5
    video_full_range_flag: bool = False
    colour_description_present_flag: bool = False
    colour_primaries: int = 2
    transfer_characteristics: int = 2
    matrix_coefficients: int = 2
    chroma_loc_info_present_flag: bool = False
    chroma_sample_loc_type_top_field: int = 0
    chroma_sample_loc_type_bottom_field: int = 0
    timing_info_present_flag: bool = False
    num_units_in_tick: int = 0
    time_scale: int = 0
    fixed_frame_rate_flag: bool = False
    nal_hrd: HrdParameters | None = None
    vcl_hrd: HrdParameters | None = None
    low_delay_hrd_flag: bool = False
    pic_struct_present_flag: bool = False
    bitstream_restriction_flag: bool = False
    motion_vectors_over_pic_boundaries_flag: bool = True
    max_bytes_per_pic_denom: int = 2
    max_bits_per_mb_denom: int = 1
    log2_max_mv_length_horizontal: int = 15
    log2_max_mv_length_vertical: int = 15
    max_num_reorder_frames: int = 16  # absent: MaxDpbFrames, or 0 for the intra profiles (E.2.1)
    max_dec_frame_buffering: int = 16

    def sample_aspect_ratio(self) -> tuple[int, int]:
        """Return (width, height) of one sample; (0, 0) when unspecified."""
        if not self.aspect_ratio_info_present_flag:
            return 0, 0
        if self.aspect_ratio_idc == EXTENDED_SAR:
            return (self.sar_width, self.sar_height) if self.sar_width and self.sar_height else (0, 0)
        if self.aspect_ratio_idc < len(SAMPLE_ASPECT_RATIOS):
            return SAMPLE_ASPECT_RATIOS[self.aspect_ratio_idc]
        return 0, 0

    def set_sample_aspect_ratio(self, width: int, height: int) -> None:
        """Signal width:height, by its index where Table E-1 has it."""
        self.aspect_ratio_info_present_flag = True
        if (width, height) in SAMPLE_ASPECT_RATIOS:
            self.aspect_ratio_idc = SAMPLE_ASPECT_RATIOS.index((width, height))
        else:
            self.aspect_ratio_idc, self.sar_width, self.sar_height = EXTENDED_SAR, width, height


def _hrd_syntax(c: BitCoder, s: HrdParameters) -> HrdParameters:
    s.cpb_cnt_minus1 = c.ue("cpb_cnt_minus1", s.cpb_cnt_minus1, 0, 31)
    s.bit_rate_scale = c.u("bit_rate_scale", 4, s.bit_rate_scale)
    s.cpb_size_scale = c.u("cpb_size_scale", 4, s.cpb_size_scale)
    count = s.cpb_cnt_minus1 + 1
    if c.reading:
        s.bit_rate_value_minus1, s.cpb_size_value_minus1, s.cbr_flag = [0] * count, [0] * count, [False] * count
    for i in range(count):
        s.bit_rate_value_minus1[i] = c.ue("bit_rate_value_minus1", s.bit_rate_value_minus1[i])
        s.cpb_size_value_minus1[i] = c.ue("cpb_size_value_minus1", s.cpb_size_value_minus1[i])
        s.cbr_flag[i] = c.flag("cbr_flag", s.cbr_flag[i])
    for name in (
        "initial_cpb_removal_delay_length_minus1",
        "cpb_removal_delay_length_minus1",
        "dpb_output_delay_length_minus1",
        "time_offset_length",
    ):
        setattr(s, name, c.u(name, 5, getattr(s, name)))
    return s


def _optional_hrd(c: BitCoder, name: str, hrd: HrdParameters | None) -> HrdParameters | None:
    return _hrd_syntax(c, hrd or HrdParameters()) if c.flag(name, hrd is not None) else None


def vui_syntax(c: BitCoder, s: Vui) -> Vui:
    """Parse into or write from `s`."""
    s.aspect_ratio_info_present_flag = c.flag("aspect_ratio_info_present_flag", s.aspect_ratio_info_present_flag)
    if s.aspect_ratio_info_present_flag:
        s.aspect_ratio_idc = c.u("aspect_ratio_idc", 8, s.aspect_ratio_idc)
        if s.aspect_ratio_idc == EXTENDED_SAR:
            s.sar_width = c.u("sar_width", 16, s.sar_width)
            s.sar_height = c.u("sar_height", 16, s.sar_height)
    s.overscan_info_present_flag = c.flag("overscan_info_present_flag", s.overscan_info_present_flag)
    if s.overscan_info_present_flag:
        s.overscan_appropriate_flag = c.flag("overscan_appropriate_flag", s.overscan_appropriate_flag)
    s.video_signal_type_present_flag = c.flag("video_signal_type_present_flag", s.video_signal_type_present_flag)
    if s.video_signal_type_present_flag:
        s.video_format = c.u("video_format", 3, s.video_format)
        s.video_full_range_flag = c.flag("video_full_range_flag", s.video_full_range_flag)
        s.colour_description_present_flag = c.flag("colour_description_present_flag", s.colour_description_present_flag)
        if s.colour_description_present_flag:
            s.colour_primaries = c.u("colour_primaries", 8, s.colour_primaries)
            s.transfer_characteristics = c.u("transfer_characteristics", 8, s.transfer_characteristics)
            s.matrix_coefficients = c.u("matrix_coefficients", 8, s.matrix_coefficients)
    s.chroma_loc_info_present_flag = c.flag("chroma_loc_info_present_flag", s.chroma_loc_info_present_flag)
    if s.chroma_loc_info_present_flag:
        for name in ("chroma_sample_loc_type_top_field", "chroma_sample_loc_type_bottom_field"):
            setattr(s, name, c.ue(name, getattr(s, name), 0, 5))
    s.timing_info_present_flag = c.flag("timing_info_present_flag", s.timing_info_present_flag)
    if s.timing_info_present_flag:
        # 0 is forbidden, yet streams with it exist and play: left to the reader of the rate
        s.num_units_in_tick = c.u("num_units_in_tick", 32, s.num_units_in_tick)
        s.time_scale = c.u("time_scale", 32, s.time_scale)
        s.fixed_frame_rate_flag = c.flag("fixed_frame_rate_flag", s.fixed_frame_rate_flag)
    s.nal_hrd = _optional_hrd(c, "nal_hrd_parameters_present_flag", s.nal_hrd)
    s.vcl_hrd = _optional_hrd(c, "vcl_hrd_parameters_present_flag", s.vcl_hrd)
    if s.nal_hrd or s.vcl_hrd:
        s.low_delay_hrd_flag = c.flag("low_delay_hrd_flag", s.low_delay_hrd_flag)
    s.pic_struct_present_flag = c.flag("pic_struct_present_flag", s.pic_struct_present_flag)
    s.bitstream_restriction_flag = c.flag("bitstream_restriction_flag", s.bitstream_restriction_flag)
    if s.bitstream_restriction_flag:
        s.motion_vectors_over_pic_boundaries_flag = c.flag(
            "motion_vectors_over_pic_boundaries_flag", s.motion_vectors_over_pic_boundaries_flag
        )
        for name, high in (
            ("max_bytes_per_pic_denom", 16),
            ("max_bits_per_mb_denom", 16),
            ("log2_max_mv_length_horizontal", 16),
            ("log2_max_mv_length_vertical", 16),
            ("max_num_reorder_frames", 16),
            ("max_dec_frame_buffering", 16),
        ):
            setattr(s, name, c.ue(name, getattr(s, name), 0, high))
    return s
