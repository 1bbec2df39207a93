"""Type tables of H.264 7.4.5, what headers say of a slice, and one parsed macroblock."""

from dataclasses import dataclass, field

from asic_model.codecs.h264 import macroblock as m

# Table 7-14: (type, prediction of partition 0, of partition 1); 0 list 0, 1 list 1, 2 both
B_TYPES = (
    (m.B_DIRECT_16X16, -1, -1),
    *((m.INTER_16X16, prediction, prediction) for prediction in (0, 1, 2)),
    *(
        (shape, first, second)
        for first, second in ((0, 0), (1, 1), (0, 1), (1, 0), (0, 2), (1, 2), (2, 0), (2, 1), (2, 2))
        for shape in (m.INTER_16X8, m.INTER_8X16)
    ),
    (m.INTER_8X8, -1, -1),
)
P_TYPES = ((m.INTER_16X16, 0, 0), (m.INTER_16X8, 0, 0), (m.INTER_8X16, 0, 0), (m.INTER_8X8, -1, -1))
# Table 7-18: (sub_type, prediction)
B_SUB_TYPES = (
    (m.SUB_DIRECT, -1), (m.SUB_8X8, 0), (m.SUB_8X8, 1), (m.SUB_8X8, 2), (m.SUB_8X4, 0), (m.SUB_4X8, 0), (m.SUB_8X4, 1),
    (m.SUB_4X8, 1), (m.SUB_8X4, 2), (m.SUB_4X8, 2), (m.SUB_4X4, 0), (m.SUB_4X4, 1), (m.SUB_4X4, 2),
)  # fmt: skip

# Bin strings of Table 9-37 (b), 9-38: position in the list is the number of the type; the last of B is the intra prefix
B_TYPE_BINS = (
    "0", "100", "101", "110000", "110001", "110010", "110011", "110100", "110101", "110110", "110111", "111110",
    "1110000", "1110001", "1110010", "1110011", "1110100", "1110101", "1110110", "1110111", "1111000", "1111001",
    "111111", "111101",
)  # fmt: skip
P_TYPE_BINS = ("000", "011", "010", "001", "1")
P_SUB_BINS = ("1", "00", "011", "010")
B_SUB_BINS = (
    "0", "100", "101", "11000", "11001", "11010", "11011", "111000", "111001", "111010", "111011", "11110", "11111",
)  # fmt: skip

BLOCK_XY = [(b // 4 % 2 * 2 + b % 2, b // 8 * 2 + b // 2 % 2) for b in range(16)]
BLOCK_AT = {xy: b for b, xy in enumerate(BLOCK_XY)}


@dataclass
class Slice:
    """What the headers say."""

    mb_width: int
    first_mb: int
    slice_type: int  # 0 P, 1 B, 2 I
    qp: int
    cabac: bool
    cabac_init_idc: int = 0
    refs: tuple[int, int] = (1, 1)
    transform_8x8_mode: bool = False
    direct_8x8_inference: bool = True
    field: bool = False
    monochrome: bool = False
    mb_field: bool = False
    mb_limit: int = 1 << 30  # macroblocks of the picture


@dataclass
class Mb:
    """One parsed macroblock."""

    mb_type: int
    qp: int
    cbp: int = 0
    transform_8x8: bool = False
    intra_mode: list[int] = field(default_factory=lambda: [2] * 16)
    chroma_mode: int = 0
    sub_type: list[int] = field(default_factory=lambda: [0] * 4)
    ref_idx: list[list[int]] = field(default_factory=lambda: [[-1] * 4, [-1] * 4])
    mvd: list[list[tuple[int, int]]] = field(default_factory=lambda: [[(0, 0)] * 16, [(0, 0)] * 16])
    levels: dict[int, list[int]] = field(default_factory=dict)  # row of Macroblocks.levels -> 16 (8x8: 64) entries
    samples: bytes = b""
    coded_block: set[str] = field(default_factory=set)  # CABAC: blocks whose coded_block_flag is (inferred) 1
    total_coeff: dict[int, int] = field(default_factory=dict)  # CAVLC: luma 0..15, Cb 16..19, Cr 20..23

    @property
    def intra(self) -> bool:
        return self.mb_type <= m.I_PCM

    @property
    def skipped(self) -> bool:
        return self.mb_type in (m.P_SKIP, m.B_SKIP)

    def direct(self, quadrant: int) -> bool:
        return self.mb_type in (m.B_SKIP, m.B_DIRECT_16X16) or (
            self.mb_type == m.INTER_8X8 and self.sub_type[quadrant] == m.SUB_DIRECT
        )
