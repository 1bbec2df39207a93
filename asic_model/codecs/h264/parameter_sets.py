"""Sequence and picture parameter sets (H.264 7.3.2.1, 7.3.2.2), parsed and written by one description.

Fields carry the standard's names. Everything the standard allows is read, whether or not a core of this chip can
decode it: refusing is the decoder's affair. Values outside the standard's ranges raise SyntaxFault.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from asic_model.codecs.h264.bits import BitCoder, BitReader, BitWriter, SyntaxFault, check
from asic_model.codecs.h264.nal import NAL_PPS, NAL_SPS, nal_bytes
from asic_model.codecs.h264.tables import ZIGZAG_4X4, ZIGZAG_8X8, table
from asic_model.codecs.h264.vui import Vui, vui_syntax

# Profiles whose SPS carries chroma format, bit depths and scaling matrices (7.3.2.1.1)
HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
MAX_FRAME_MBS = 139264  # Table A-1, level 6.2
MAX_SIDE_MBS = 1055  # A.3.1: Sqrt(MaxFS * 8)

# One scaling list as coded: None (not present: fall-back rule), () (the default list), or 16 or 64 weights in zig-zag
# order.
ScalingList = tuple[int, ...] | None


@dataclass
class Sps:
    """seq_parameter_set_data(). Defaults describe a progressive 4:2:0 8-bit Main stream of one macroblock."""

    profile_idc: int = 77
    constraint_flags: int = 0  # constraint_set0_flag (128) .. constraint_set5_flag (4) and two reserved bits
    level_idc: int = 10
    seq_parameter_set_id: int = 0
    chroma_format_idc: int = 1
    separate_colour_plane_flag: bool = False
    bit_depth_luma_minus8: int = 0
    bit_depth_chroma_minus8: int = 0
    qpprime_y_zero_transform_bypass_flag: bool = False
    scaling_lists: list[ScalingList] | None = None  # None: seq_scaling_matrix_present_flag 0
    log2_max_frame_num_minus4: int = 0
    pic_order_cnt_type: int = 0
    log2_max_pic_order_cnt_lsb_minus4: int = 0
    delta_pic_order_always_zero_flag: bool = False
    offset_for_non_ref_pic: int = 0
    offset_for_top_to_bottom_field: int = 0
    offset_for_ref_frame: list[int] = field(default_factory=list)
    max_num_ref_frames: int = 1
    gaps_in_frame_num_value_allowed_flag: bool = False
    pic_width_in_mbs_minus1: int = 0
    pic_height_in_map_units_minus1: int = 0
    frame_mbs_only_flag: bool = True
    mb_adaptive_frame_field_flag: bool = False
    direct_8x8_inference_flag: bool = True
    frame_cropping_flag: bool = False
    frame_crop_left_offset: int = 0
    frame_crop_right_offset: int = 0
    frame_crop_top_offset: int = 0
    frame_crop_bottom_offset: int = 0
    vui: Vui | None = None

    @property
    def chroma_array_type(self) -> int:
        return 0 if self.separate_colour_plane_flag else self.chroma_format_idc

    @property
    def mb_width(self) -> int:
        """PicWidthInMbs."""
        return self.pic_width_in_mbs_minus1 + 1

    @property
    def mb_height(self) -> int:
        """FrameHeightInMbs."""
        return (self.pic_height_in_map_units_minus1 + 1) * (1 if self.frame_mbs_only_flag else 2)

    @property
    def max_frame_num(self) -> int:
        return 1 << (self.log2_max_frame_num_minus4 + 4)

    @property
    def max_pic_order_cnt_lsb(self) -> int:
        return 1 << (self.log2_max_pic_order_cnt_lsb_minus4 + 4)

    def crop_units(self) -> tuple[int, int]:
        """CropUnitX, CropUnitY in luma samples (7-19 .. 7-22)."""
        x, y = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}[self.chroma_array_type]
        return x, y * (1 if self.frame_mbs_only_flag else 2)

    def crop_rectangle(self) -> tuple[int, int, int, int]:
        """Return (left, top, width, height) of the picture to show, in luma samples."""
        x, y = self.crop_units()
        left, top = x * self.frame_crop_left_offset, y * self.frame_crop_top_offset
        width = 16 * self.mb_width - left - x * self.frame_crop_right_offset
        height = 16 * self.mb_height - top - y * self.frame_crop_bottom_offset
        return left, top, width, height

    def set_size(self, width: int, height: int) -> None:
        """Code a `width` x `height` picture: whole macroblocks, cropped at the right and below.

        Progressive streams only; sizes must be whole crop units (even, for 4:2:0).
        """
        check("width", width, 1, 16 * MAX_SIDE_MBS)
        check("height", height, 1, 16 * MAX_SIDE_MBS)
        x, y = self.crop_units()
        if width % x or height % y:
            raise SyntaxFault("width x height", width if width % x else height, f"multiples of {x} x {y}")
        self.pic_width_in_mbs_minus1 = (width + 15) // 16 - 1
        self.pic_height_in_map_units_minus1 = (height + 15) // 16 - 1
        self.frame_crop_left_offset = self.frame_crop_top_offset = 0
        self.frame_crop_right_offset = (16 * self.mb_width - width) // x
        self.frame_crop_bottom_offset = (16 * self.mb_height - height) // y
        self.frame_cropping_flag = bool(self.frame_crop_right_offset or self.frame_crop_bottom_offset)

    def to_rbsp(self) -> bytes:
        writer = BitWriter()
        _sps_syntax(writer, self)
        writer.trailing_bits()
        return writer.data()

    def to_nal(self, nal_ref_idc: int = 3) -> bytes:
        """Return the NAL unit without framing."""
        return nal_bytes(nal_ref_idc, NAL_SPS, self.to_rbsp())


@dataclass
class SliceGroups:
    """Flexible macroblock order of a PPS (7.3.2.2); lists as the map type has them."""

    num_slice_groups_minus1: int = 1
    slice_group_map_type: int = 0
    run_length_minus1: list[int] = field(default_factory=list)
    top_left: list[int] = field(default_factory=list)
    bottom_right: list[int] = field(default_factory=list)
    slice_group_change_direction_flag: bool = False
    slice_group_change_rate_minus1: int = 0
    slice_group_id: list[int] = field(default_factory=list)  # pic_size_in_map_units_minus1 + 1 entries


@dataclass
class Pps:
    """pic_parameter_set_rbsp(). The last three fields exist in High profiles; their defaults are what absence means."""

    pic_parameter_set_id: int = 0
    seq_parameter_set_id: int = 0
    entropy_coding_mode_flag: bool = False
    bottom_field_pic_order_in_frame_present_flag: bool = False
    slice_groups: SliceGroups | None = None
    num_ref_idx_l0_default_active_minus1: int = 0
    num_ref_idx_l1_default_active_minus1: int = 0
    weighted_pred_flag: bool = False
    weighted_bipred_idc: int = 0
    pic_init_qp_minus26: int = 0
    pic_init_qs_minus26: int = 0
    chroma_qp_index_offset: int = 0
    deblocking_filter_control_present_flag: bool = False
    constrained_intra_pred_flag: bool = False
    redundant_pic_cnt_present_flag: bool = False
    has_extension: bool = False  # whether the fields below are in the stream
    transform_8x8_mode_flag: bool = False
    scaling_lists: list[ScalingList] | None = None  # None: pic_scaling_matrix_present_flag 0
    second_chroma_qp_index_offset: int = 0

    def to_rbsp(self, chroma_format_idc: int = 1) -> bytes:
        writer = BitWriter()
        _pps_syntax(writer, self, {self.seq_parameter_set_id: Sps(chroma_format_idc=chroma_format_idc)})
        writer.trailing_bits()
        return writer.data()

    def to_nal(self, nal_ref_idc: int = 3, chroma_format_idc: int = 1) -> bytes:
        """Return the NAL unit without framing."""
        return nal_bytes(nal_ref_idc, NAL_PPS, self.to_rbsp(chroma_format_idc))


def _scaling_list(c: BitCoder, weights: ScalingList, size: int) -> ScalingList:
    """scaling_list() (7.3.2.1.1.1) with its present flag; trailing repeats are cut short when writing."""
    if not c.flag("scaling_list_present_flag", weights is not None):
        return None
    if not c.reading:
        assert weights is not None
        check("scaling list length", len(weights) or size, size, size)
        coded = len(weights)
        while coded > 1 and weights[coded - 1] == weights[coded - 2]:
            coded -= 1
        for weight in weights:
            check("scaling list weight", weight, 1, 255)
        # a zero behind the weights: "all the rest repeats"; with no weights at all: the default list
        end = (0,) if coded < size else ()
        last = 8
        for weight in weights[:coded] + end:
            c.se("delta_scale", (weight - last + 128) % 256 - 128)
            last = weight
        return weights
    values: list[int] = []
    last = next_scale = 8
    for i in range(size):
        if next_scale:
            next_scale = (last + c.se("delta_scale", 0, -128, 127)) % 256
            if i == 0 and next_scale == 0:
                return ()
        last = next_scale or last
        values.append(last)
    return tuple(values)


def _scaling_matrix(c: BitCoder, lists: list[ScalingList] | None, name: str, count: int) -> list[ScalingList] | None:
    if not c.flag(name, lists is not None):
        return None
    lists = lists or [None] * count
    check(f"{name}: number of lists", len(lists), count, count)
    return [_scaling_list(c, weights, 16 if i < 6 else 64) for i, weights in enumerate(lists)]


def _sps_syntax(c: BitCoder, s: Sps) -> Sps:
    s.profile_idc = c.u("profile_idc", 8, s.profile_idc)
    s.constraint_flags = c.u("constraint_flags", 8, s.constraint_flags)
    s.level_idc = c.u("level_idc", 8, s.level_idc)
    s.seq_parameter_set_id = c.ue("seq_parameter_set_id", s.seq_parameter_set_id, 0, 31)
    if s.profile_idc in HIGH_PROFILES:
        s.chroma_format_idc = c.ue("chroma_format_idc", s.chroma_format_idc, 0, 3)
        if s.chroma_format_idc == 3:
            s.separate_colour_plane_flag = c.flag("separate_colour_plane_flag", s.separate_colour_plane_flag)
        s.bit_depth_luma_minus8 = c.ue("bit_depth_luma_minus8", s.bit_depth_luma_minus8, 0, 6)
        s.bit_depth_chroma_minus8 = c.ue("bit_depth_chroma_minus8", s.bit_depth_chroma_minus8, 0, 6)
        s.qpprime_y_zero_transform_bypass_flag = c.flag(
            "qpprime_y_zero_transform_bypass_flag", s.qpprime_y_zero_transform_bypass_flag
        )
        count = 12 if s.chroma_format_idc == 3 else 8
        s.scaling_lists = _scaling_matrix(c, s.scaling_lists, "seq_scaling_matrix_present_flag", count)
    s.log2_max_frame_num_minus4 = c.ue("log2_max_frame_num_minus4", s.log2_max_frame_num_minus4, 0, 12)
    s.pic_order_cnt_type = c.ue("pic_order_cnt_type", s.pic_order_cnt_type, 0, 2)
    if s.pic_order_cnt_type == 0:
        s.log2_max_pic_order_cnt_lsb_minus4 = c.ue(
            "log2_max_pic_order_cnt_lsb_minus4", s.log2_max_pic_order_cnt_lsb_minus4, 0, 12
        )
    elif s.pic_order_cnt_type == 1:
        s.delta_pic_order_always_zero_flag = c.flag(
            "delta_pic_order_always_zero_flag", s.delta_pic_order_always_zero_flag
        )
        s.offset_for_non_ref_pic = c.se("offset_for_non_ref_pic", s.offset_for_non_ref_pic)
        s.offset_for_top_to_bottom_field = c.se("offset_for_top_to_bottom_field", s.offset_for_top_to_bottom_field)
        count = c.ue("num_ref_frames_in_pic_order_cnt_cycle", len(s.offset_for_ref_frame), 0, 255)
        offsets = [0] * count if c.reading else s.offset_for_ref_frame
        s.offset_for_ref_frame = [c.se("offset_for_ref_frame", value) for value in offsets]
    s.max_num_ref_frames = c.ue("max_num_ref_frames", s.max_num_ref_frames, 0, 16)
    s.gaps_in_frame_num_value_allowed_flag = c.flag(
        "gaps_in_frame_num_value_allowed_flag", s.gaps_in_frame_num_value_allowed_flag
    )
    s.pic_width_in_mbs_minus1 = c.ue("pic_width_in_mbs_minus1", s.pic_width_in_mbs_minus1, 0, MAX_SIDE_MBS - 1)
    s.pic_height_in_map_units_minus1 = c.ue(
        "pic_height_in_map_units_minus1", s.pic_height_in_map_units_minus1, 0, MAX_SIDE_MBS - 1
    )
    s.frame_mbs_only_flag = c.flag("frame_mbs_only_flag", s.frame_mbs_only_flag)
    check("frame size in macroblocks", s.mb_width * s.mb_height, 1, MAX_FRAME_MBS)
    if not s.frame_mbs_only_flag:
        s.mb_adaptive_frame_field_flag = c.flag("mb_adaptive_frame_field_flag", s.mb_adaptive_frame_field_flag)
    s.direct_8x8_inference_flag = c.flag("direct_8x8_inference_flag", s.direct_8x8_inference_flag)
    if not s.frame_mbs_only_flag:
        check("direct_8x8_inference_flag", int(s.direct_8x8_inference_flag), 1, 1)  # 7.4.2.1.1
    s.frame_cropping_flag = c.flag("frame_cropping_flag", s.frame_cropping_flag)
    if s.frame_cropping_flag:
        x, y = s.crop_units()
        wide, high = 16 * s.mb_width // x - 1, 16 * s.mb_height // y - 1  # at least one crop unit stays
        s.frame_crop_left_offset = c.ue("frame_crop_left_offset", s.frame_crop_left_offset, 0, wide)
        wide -= s.frame_crop_left_offset
        s.frame_crop_right_offset = c.ue("frame_crop_right_offset", s.frame_crop_right_offset, 0, wide)
        s.frame_crop_top_offset = c.ue("frame_crop_top_offset", s.frame_crop_top_offset, 0, high)
        high -= s.frame_crop_top_offset
        s.frame_crop_bottom_offset = c.ue("frame_crop_bottom_offset", s.frame_crop_bottom_offset, 0, high)
    s.vui = vui_syntax(c, s.vui or Vui()) if c.flag("vui_parameters_present_flag", s.vui is not None) else None
    return s


def _slice_groups(c: BitCoder, s: SliceGroups) -> SliceGroups:
    s.slice_group_map_type = c.ue("slice_group_map_type", s.slice_group_map_type, 0, 6)
    groups = s.num_slice_groups_minus1 + 1
    map_type = s.slice_group_map_type
    if c.reading:
        s.run_length_minus1 = [0] * (groups if map_type == 0 else 0)
        s.top_left = [0] * (groups - 1 if map_type == 2 else 0)
        s.bottom_right = list(s.top_left)
    if map_type == 0:
        for i, value in enumerate(s.run_length_minus1):
            s.run_length_minus1[i] = c.ue("run_length_minus1", value, 0, MAX_FRAME_MBS - 1)
    elif map_type == 2:
        for i in range(groups - 1):
            s.top_left[i] = c.ue("top_left", s.top_left[i], 0, MAX_FRAME_MBS - 1)
            s.bottom_right[i] = c.ue("bottom_right", s.bottom_right[i], s.top_left[i], MAX_FRAME_MBS - 1)
    elif 3 <= map_type <= 5:
        s.slice_group_change_direction_flag = c.flag(
            "slice_group_change_direction_flag", s.slice_group_change_direction_flag
        )
        s.slice_group_change_rate_minus1 = c.ue(
            "slice_group_change_rate_minus1", s.slice_group_change_rate_minus1, 0, MAX_FRAME_MBS - 1
        )
    elif map_type == 6:
        count = c.ue("pic_size_in_map_units_minus1", len(s.slice_group_id) - 1, 0, MAX_FRAME_MBS - 1) + 1
        ids = [0] * count if c.reading else s.slice_group_id
        bits = (groups - 1).bit_length()
        s.slice_group_id = [c.u("slice_group_id", bits, value, 0, groups - 1) for value in ids]
    return s


def _pps_syntax(c: BitCoder, s: Pps, sequences: Mapping[int, Sps]) -> Pps:
    s.pic_parameter_set_id = c.ue("pic_parameter_set_id", s.pic_parameter_set_id, 0, 255)
    s.seq_parameter_set_id = c.ue("seq_parameter_set_id", s.seq_parameter_set_id, 0, 31)
    sps = sequences.get(s.seq_parameter_set_id)
    s.entropy_coding_mode_flag = c.flag("entropy_coding_mode_flag", s.entropy_coding_mode_flag)
    s.bottom_field_pic_order_in_frame_present_flag = c.flag(
        "bottom_field_pic_order_in_frame_present_flag", s.bottom_field_pic_order_in_frame_present_flag
    )
    groups = c.ue("num_slice_groups_minus1", s.slice_groups.num_slice_groups_minus1 if s.slice_groups else 0, 0, 7)
    if groups:
        s.slice_groups = _slice_groups(c, s.slice_groups or SliceGroups(num_slice_groups_minus1=groups))
    s.num_ref_idx_l0_default_active_minus1 = c.ue(
        "num_ref_idx_l0_default_active_minus1", s.num_ref_idx_l0_default_active_minus1, 0, 31
    )
    s.num_ref_idx_l1_default_active_minus1 = c.ue(
        "num_ref_idx_l1_default_active_minus1", s.num_ref_idx_l1_default_active_minus1, 0, 31
    )
    s.weighted_pred_flag = c.flag("weighted_pred_flag", s.weighted_pred_flag)
    s.weighted_bipred_idc = c.u("weighted_bipred_idc", 2, s.weighted_bipred_idc, 0, 2)
    depth_offset = 6 * (sps.bit_depth_luma_minus8 if sps else 6)
    s.pic_init_qp_minus26 = c.se("pic_init_qp_minus26", s.pic_init_qp_minus26, -26 - depth_offset, 25)
    s.pic_init_qs_minus26 = c.se("pic_init_qs_minus26", s.pic_init_qs_minus26, -26, 25)
    s.chroma_qp_index_offset = c.se("chroma_qp_index_offset", s.chroma_qp_index_offset, -12, 12)
    s.deblocking_filter_control_present_flag = c.flag(
        "deblocking_filter_control_present_flag", s.deblocking_filter_control_present_flag
    )
    s.constrained_intra_pred_flag = c.flag("constrained_intra_pred_flag", s.constrained_intra_pred_flag)
    s.redundant_pic_cnt_present_flag = c.flag("redundant_pic_cnt_present_flag", s.redundant_pic_cnt_present_flag)
    s.has_extension = c.more_rbsp_data() if isinstance(c, BitReader) else s.has_extension
    if s.has_extension:
        s.transform_8x8_mode_flag = c.flag("transform_8x8_mode_flag", s.transform_8x8_mode_flag)
        eights = 6 if sps and sps.chroma_format_idc == 3 else 2
        count = 6 + eights * s.transform_8x8_mode_flag
        s.scaling_lists = _scaling_matrix(c, s.scaling_lists, "pic_scaling_matrix_present_flag", count)
        s.second_chroma_qp_index_offset = c.se(
            "second_chroma_qp_index_offset", s.second_chroma_qp_index_offset, -12, 12
        )
    else:
        s.second_chroma_qp_index_offset = s.chroma_qp_index_offset
    return s


def parse_sps(rbsp: bytes) -> Sps:
    """Parse an SPS (or the SPS part of a subset SPS) from its RBSP."""
    return _sps_syntax(BitReader(rbsp), Sps())


def parse_pps(rbsp: bytes, sequences: Mapping[int, Sps] | None = None) -> Pps:
    """Parse a PPS from its RBSP.

    sequences : the SPS by number; the one referred to decides how many 8x8 scaling lists there are (4:4:4 has six)
    """
    return _pps_syntax(BitReader(rbsp), Pps(), sequences or {})


def _default_list(index: int) -> tuple[int, ...]:
    """Default list `index` (Tables 7-3, 7-4) in coding order."""
    if index < 6:
        raster = table("table_7_3_default_scaling_4x4")["intra" if index < 3 else "inter"]
        return tuple(raster[i] for i in ZIGZAG_4X4)
    raster = table("table_7_4_default_scaling_8x8")["inter" if index % 2 else "intra"]
    return tuple(raster[i] for i in ZIGZAG_8X8)


def _fall_back(lists: list[ScalingList], first: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Fill in absent lists (Table 7-2): `first` serves lists 0, 3, 6, 7, the others repeat an earlier one."""
    full: list[tuple[int, ...]] = []
    for i in range(12):
        weights = lists[i] if i < len(lists) else None
        if weights is None:
            weights = first[i] if i in (0, 3, 6, 7) else full[i - 1 if i < 6 else i - 2]
        full.append(weights or _default_list(i))
    return full


def scaling_matrices(sps: Sps, pps: Pps) -> tuple[list[list[int]], list[list[int]]]:
    """Return weightScale4x4[6][16] and weightScale8x8[6][64], in raster order, fall-back rules applied (8.5.9).

    4x4: intra Y, Cb, Cr, inter Y, Cb, Cr. 8x8: intra Y, inter Y, intra Cb, inter Cb, intra Cr, inter Cr.
    """
    defaults = [_default_list(i) for i in range(12)]
    lists = [(16,) * (16 if i < 6 else 64) for i in range(12)]
    if sps.scaling_lists is not None:
        lists = _fall_back(sps.scaling_lists, defaults)
    if pps.scaling_lists is not None:
        lists = _fall_back(pps.scaling_lists, lists if sps.scaling_lists is not None else defaults)
    matrices = []
    for i, weights in enumerate(lists):
        raster = [0] * len(weights)
        for position, weight in zip(ZIGZAG_4X4 if i < 6 else ZIGZAG_8X8, weights, strict=True):
            raster[position] = weight
        matrices.append(raster)
    return matrices[:6], matrices[6:]
