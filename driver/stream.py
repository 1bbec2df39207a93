"""What the driver adds to the cores' slices: parameter sets, picture types, frame numbers.

I and P pictures, in coding order = output order: pic_order_cnt_type 2, every picture a reference, sliding window.
"""

from dataclasses import dataclass
from fractions import Fraction

from asic_model.codecs.h264 import levels
from asic_model.codecs.h264.bits import SyntaxFault
from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.vui import Vui
from driver.errors import InvalidConfig
from driver.options import EncoderConfig

START_CODE = b"\x00\x00\x00\x01"
LOG2_MAX_FRAME_NUM = 8
LOG2_MAX_POC_LSB = 0  # pic_order_cnt_type 2: slices have no such field
SLICE_P = 0
SLICE_I = 2
# I pictures are the references of all that follows: 3 QP steps (a factor of 1.4) finer, as encoders commonly do.
I_QP_OFFSET = -3
PROFILE_IDC = {"baseline": levels.BASELINE, "main": levels.MAIN, "high": levels.HIGH}
# constraint_set0 and set1: Constrained Baseline; set1 alone: also decodable as Main (7.4.2.1.1)
CONSTRAINT_FLAGS = {"baseline": 0xC0, "main": 0x40, "high": 0}
CONSTRAINT_SET3 = 0x10


def _level(config: EncoderConfig) -> levels.Level:
    """Return the level asked for, or the lowest that Table A-1 allows for size, rate, references and bit rate."""
    mb_width, mb_height = -(-config.width // 16), -(-config.height // 16)
    try:
        lowest = levels.choose_level(
            mb_width, mb_height, float(config.fps), config.references, config.bit_rate or 0, 0,
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


def parameter_sets(config: EncoderConfig) -> bytes:
    """Return SPS and PPS with start codes (Annex B)."""
    level = _level(config)
    level_idc, set3 = levels.level_fields(level, PROFILE_IDC[config.profile])
    sps = Sps(
        profile_idc=PROFILE_IDC[config.profile],
        constraint_flags=CONSTRAINT_FLAGS[config.profile] | (CONSTRAINT_SET3 if set3 else 0),
        level_idc=level_idc,
        log2_max_frame_num_minus4=LOG2_MAX_FRAME_NUM - 4,
        pic_order_cnt_type=2,
        max_num_ref_frames=config.references,
        vui=_vui(config),
    )
    sps.set_size(config.width, config.height)
    pps = Pps(
        entropy_coding_mode_flag=config.cabac,
        chroma_qp_index_offset=config.chroma_qp_offset,
        deblocking_filter_control_present_flag=True,
        has_extension=config.transform_8x8,
        transform_8x8_mode_flag=config.transform_8x8,
        second_chroma_qp_index_offset=config.chroma_qp_offset,
    )
    return START_CODE + sps.to_nal() + START_CODE + pps.to_nal()


def _vui(config: EncoderConfig) -> Vui:
    vui = Vui(
        timing_info_present_flag=True,
        # E.2.1: a tick is a field's time, so a frame takes two; the rate is nominal, times are the container's
        num_units_in_tick=config.fps.denominator,
        time_scale=2 * config.fps.numerator,
        bitstream_restriction_flag=True,
        max_num_reorder_frames=0,
        max_dec_frame_buffering=config.references,
    )
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


@dataclass(frozen=True)
class PictureHeader:
    """What the job block says about one picture's place in the stream."""

    idr: bool
    frame_num: int
    idr_pic_id: int
    references: int  # how many of the pictures before it may be used

    @property
    def fields(self) -> dict[str, int]:
        return {
            "slice_type": SLICE_I if self.idr else SLICE_P,
            "idr": int(self.idr),
            "nal_ref_idc": 3 if self.idr else 2,
            "frame_num": self.frame_num,
            "idr_pic_id": self.idr_pic_id,
            "poc_lsb": 0,
            "log2_max_frame_num": LOG2_MAX_FRAME_NUM,
            "log2_max_poc_lsb": LOG2_MAX_POC_LSB,
        }


class PictureOrder:
    """Gives each picture its type and numbers: an IDR picture each `gop_size`, P pictures between."""

    def __init__(self, gop_size: int, references: int) -> None:
        self.gop_size = gop_size
        self._references = references
        self._since_idr = 0
        self._idr_count = 0
        self._forced = True

    def force_idr(self) -> None:
        """Make the next picture an IDR picture."""
        self._forced = True

    def next(self) -> PictureHeader:
        idr = self._forced or self._since_idr >= self.gop_size
        if idr:
            self._forced = False
            self._since_idr = 0
            self._idr_count += 1
        header = PictureHeader(
            idr=idr,
            frame_num=self._since_idr % (1 << LOG2_MAX_FRAME_NUM),
            # 7.4.3: neighbouring IDR pictures differ in idr_pic_id
            idr_pic_id=(self._idr_count - 1) % 2,
            references=0 if idr else min(self._since_idr, self._references),
        )
        self._since_idr += 1
        return header
