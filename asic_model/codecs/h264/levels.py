"""Levels of H.264 (Annex A, Table A-1): limits, and the choice of the smallest level that holds a stream."""

from typing import NamedTuple

from asic_model.codecs.h264.bits import SyntaxFault, check

BASELINE = 66
MAIN = 77
EXTENDED = 88
HIGH = 100
HIGH_10 = 110
HIGH_422 = 122
HIGH_444 = 244
CAVLC_444 = 44

LEVEL_1B = 9  # our number for level 1b; how a stream says it depends on the profile (see `level_fields`)


class Level(NamedTuple):
    """One row of Table A-1. Bit rates and buffers in units of cpbBrVclFactor (1000, High 1250) bits."""

    level_idc: int  # ten times the level's number; 9 for 1b
    max_mbps: int  # macroblocks a second
    max_fs: int  # macroblocks a frame
    max_dpb_mbs: int  # macroblocks in the decoded picture buffer
    max_br: int
    max_cpb: int
    max_vmv: int  # vertical vectors in -max_vmv .. max_vmv - 0.25 luma frame samples
    min_cr: int  # minimum compression ratio
    max_mvs_per_2mb: int  # 0: no limit

    @property
    def name(self) -> str:
        return "1b" if self.level_idc == LEVEL_1B else f"{self.level_idc // 10}.{self.level_idc % 10}"


LEVELS = tuple(
    Level(*row)
    for row in (
        (10, 1485, 99, 396, 64, 175, 64, 2, 0),
        (LEVEL_1B, 1485, 99, 396, 128, 350, 64, 2, 0),
        (11, 3000, 396, 900, 192, 500, 128, 2, 0),
        (12, 6000, 396, 2376, 384, 1000, 128, 2, 0),
        (13, 11880, 396, 2376, 768, 2000, 128, 2, 0),
        (20, 11880, 396, 2376, 2000, 2000, 128, 2, 0),
        (21, 19800, 792, 4752, 4000, 4000, 256, 2, 0),
        (22, 20250, 1620, 8100, 4000, 4000, 256, 2, 0),
        (30, 40500, 1620, 8100, 10000, 10000, 256, 2, 32),
        (31, 108000, 3600, 18000, 14000, 14000, 512, 4, 16),
        (32, 216000, 5120, 20480, 20000, 20000, 512, 4, 16),
        (40, 245760, 8192, 32768, 20000, 25000, 512, 4, 16),
        (41, 245760, 8192, 32768, 50000, 62500, 512, 2, 16),
        (42, 522240, 8704, 34816, 50000, 62500, 512, 2, 16),
        (50, 589824, 22080, 110400, 135000, 135000, 512, 2, 16),
        (51, 983040, 36864, 184320, 240000, 240000, 512, 2, 16),
        (52, 2073600, 36864, 184320, 240000, 240000, 512, 2, 16),
        (60, 4177920, 139264, 696320, 240000, 240000, 8192, 2, 16),
        (61, 8355840, 139264, 696320, 480000, 480000, 8192, 2, 16),
        (62, 16711680, 139264, 696320, 800000, 800000, 8192, 2, 16),
    )
)

_BR_FACTOR = {HIGH: 1250, HIGH_10: 3000, HIGH_422: 4000, HIGH_444: 4000, CAVLC_444: 4000}  # cpbBrVclFactor, A.3.3


def br_factor(profile_idc: int) -> int:
    """Return cpbBrVclFactor: bits in one unit of `max_br` and `max_cpb`."""
    return _BR_FACTOR.get(profile_idc, 1000)


def level(level_idc: int) -> Level:
    """Return the limits of one level (9: 1b). Raises SyntaxFault for a number that Table A-1 lacks."""
    for row in LEVELS:
        if row.level_idc == level_idc:
            return row
    raise SyntaxFault("level_idc", level_idc, ", ".join(str(row.level_idc) for row in LEVELS))


def level_fields(row: Level, profile_idc: int) -> tuple[int, bool]:
    """Return (level_idc, constraint_set3_flag) as an SPS says it (7.4.2.1.1: 1b is 11 with set3 below High)."""
    if row.level_idc != LEVEL_1B:
        return row.level_idc, False
    return (11, True) if profile_idc in (BASELINE, MAIN, EXTENDED) else (9, False)


def max_dpb_frames(row: Level, mb_width: int, mb_height: int) -> int:
    """Return MaxDpbFrames (A.3.1 h) for frames of mb_width x mb_height macroblocks."""
    return min(row.max_dpb_mbs // (mb_width * mb_height), 16)


def choose_level(
    mb_width: int,
    mb_height: int,
    frames_per_second: float = 0.0,
    dpb_frames: int = 1,
    bits_per_second: int = 0,
    cpb_bits: int = 0,
    profile_idc: int = MAIN,
    vertical_mv: int = 0,
) -> Level:
    """Return the smallest level that allows the stream (A.3.1, A.3.2). Zero leaves a quantity out.

    mb_width, mb_height : frame size in macroblocks
    dpb_frames          : frames the decoder must keep (max_dec_frame_buffering)
    vertical_mv         : largest vertical vector in luma samples
    Raises SyntaxFault naming the quantity that no level allows.
    """
    check("mb_width", mb_width, 1, 1 << 16)
    check("mb_height", mb_height, 1, 1 << 16)
    size = mb_width * mb_height
    factor = br_factor(profile_idc)
    reason = ("frame size in macroblocks", size, LEVELS[-1].max_fs)
    for row in LEVELS:
        limits = (
            ("frame size in macroblocks", size, row.max_fs),
            ("squared frame width or height in macroblocks", max(mb_width, mb_height) ** 2, 8 * row.max_fs),
            ("macroblocks a second", round(size * frames_per_second), row.max_mbps),
            ("frames in the decoded picture buffer", dpb_frames, max_dpb_frames(row, mb_width, mb_height)),
            ("bits a second", bits_per_second, row.max_br * factor),
            ("bits in the coded picture buffer", cpb_bits, row.max_cpb * factor),
            ("vertical motion vector", vertical_mv, row.max_vmv),
        )
        broken = [item for item in limits if item[1] > item[2]]
        if not broken:
            return row
        reason = broken[0]
    raise SyntaxFault(reason[0], reason[1], f"at most {reason[2]} (level {LEVELS[-1].name})")
