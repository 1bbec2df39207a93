"""Slice data parser in plain Python, from the text of H.264 7.3.4, 7.3.5, 9.1, 9.2 and 9.3. Slow on purpose.

Frame and field pictures without MBAFF, 4:2:0 or monochrome, I, P and B slices, both entropy coders. It yields what
the stream says (differences, not vectors; intra prediction modes already derived) in the codes of `macroblock.py`.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from asic_model.codecs.h264 import macroblock as m
from asic_model.codecs.h264.tables import RANGE_TAB_LPS, table

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


class Bits:
    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position

    def read(self, count: int) -> int:
        value = 0
        for _ in range(count):
            byte = self.data[self.position >> 3] if self.position >> 3 < len(self.data) else 0
            value = value << 1 | (byte >> (7 - (self.position & 7)) & 1)
            self.position += 1
        return value

    def align(self) -> None:
        self.position = (self.position + 7) // 8 * 8

    def ue(self) -> int:
        zeros = 0
        while not self.read(1):
            zeros += 1
            assert zeros < 33, "broken Exp-Golomb code"
        return (1 << zeros) - 1 + self.read(zeros)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def prefix_code(self, codes: dict[str, str]) -> str:
        """Key of the one code that comes next."""
        start = self.position
        bits = ""
        by_code = {code: key for key, code in codes.items()}
        while bits not in by_code:
            bits += str(self.read(1))
            assert len(bits) < 20, f"no such code at bit {start}"
        return by_code[bits]

    def more_rbsp_data(self) -> bool:
        end = len(self.data.rstrip(b"\0"))
        last = self.data[end - 1]
        return self.position < end * 8 - 1 - ((last & -last).bit_length() - 1)


class Arithmetic:
    """9.3.1.2, 9.3.3.2: one bit at a time."""

    def __init__(self, bits: Bits, init_table: int, qp: int) -> None:
        self.bits = bits
        self.contexts = []
        for slope, offset in table("table_9_12_to_9_33_cabac_mn")[init_table]:
            pre = min(max(1, ((slope * min(max(0, qp), 51)) >> 4) + offset), 126)
            self.contexts.append([63 - pre, 0] if pre <= 63 else [pre - 64, 1])
        self.start()
        self.bins = 0

    def start(self) -> None:
        self.range, self.offset = 510, self.bits.read(9)

    def decision(self, ctx: int) -> int:
        self.bins += 1
        state, mps = self.contexts[ctx]
        lps_range = int(RANGE_TAB_LPS[state, self.range >> 6 & 3])
        self.range -= lps_range
        if self.offset >= self.range:
            value = 1 - mps
            self.offset -= self.range
            self.range = lps_range
            self.contexts[ctx] = [table("table_9_45_transIdxLPS")[state], 1 - mps if state == 0 else mps]
        else:
            value = mps
            self.contexts[ctx][0] = table("table_9_45_transIdxMPS")[state]
        while self.range < 256:
            self.range <<= 1
            self.offset = self.offset << 1 | self.bits.read(1)
        return value

    def bypass(self) -> int:
        self.bins += 1
        self.offset = self.offset << 1 | self.bits.read(1)
        if self.offset >= self.range:
            self.offset -= self.range
            return 1
        return 0

    def terminate(self) -> int:
        self.bins += 1
        self.range -= 2
        if self.offset >= self.range:
            return 1
        while self.range < 256:
            self.range <<= 1
            self.offset = self.offset << 1 | self.bits.read(1)
        return 0

    def exp_golomb(self, k: int) -> int:
        value = 0
        while self.bypass():
            value += 1 << k
            k += 1
            assert k < 32, "broken Exp-Golomb suffix"
        for shift in reversed(range(k)):
            value += self.bypass() << shift
        return value


class Parser:
    """Macroblock layer, common to both coders."""

    def __init__(self, s: Slice, bits: Bits) -> None:
        self.s, self.bits = s, bits
        self.mbs: dict[int, Mb] = {}  # of this slice
        self.mb = 0

    # neighbours (6.4.9 .. 6.4.11)
    def left(self) -> Mb | None:
        return self.mbs.get(self.mb - 1) if self.mb % self.s.mb_width else None

    def up(self) -> Mb | None:
        return self.mbs.get(self.mb - self.s.mb_width)

    def near(self, current: Mb, x: int, y: int, side: str) -> tuple[Mb | None, int, int]:
        """Macroblock and 4x4 block to the left ("a") of or above ("b") block (x, y)."""
        x, y = (x - 1, y) if side == "a" else (x, y - 1)
        if x < 0:
            return self.left(), 3, y
        if y < 0:
            return self.up(), x, 3
        return current, x, y

    def intra_modes(self, mb: Mb, constrained: bool = False) -> None:
        step = 4 if mb.mb_type == m.I_8X8 else 1
        for block in range(0, 16, step):
            rem = self.rem_intra_mode()
            x, y = BLOCK_XY[block]
            seen = []
            for side in "ab":
                other, ox, oy = self.near(mb, x, y, side)
                if other is None:
                    seen.append(-1)
                elif other.mb_type not in (m.I_4X4, m.I_8X8):
                    seen.append(2)
                else:
                    seen.append(other.intra_mode[BLOCK_AT[ox, oy]])
            predicted = 2 if -1 in seen else min(seen)
            mode = predicted if rem < 0 else rem + (rem >= predicted)
            mb.intra_mode[block : block + step] = [mode] * step

    def macroblock(self, qp: int) -> Mb:
        number = self.mb_type()
        base = {0: 5, 1: 23, 2: 0}[self.s.slice_type]
        mb = Mb(0, qp)
        predictions = (-1, -1)
        if number >= base:
            number -= base
            if number == 25:
                return self.pcm(qp)
            mb.mb_type = m.I_4X4 if number == 0 else m.I_16X16
            if number:
                mb.intra_mode = [(number - 1) % 4] * 16
                mb.cbp = (number - 1) // 4 % 3 << 4 | (15 if number >= 13 else 0)
        elif self.s.slice_type == 0:
            self.first_references = number == 4
            mb.mb_type, *predictions = P_TYPES[min(number, 3)]
        else:
            self.first_references = False
            mb.mb_type, *predictions = B_TYPES[number]
        self.mbs[self.mb] = mb
        if mb.mb_type == m.I_4X4:
            if self.s.transform_8x8_mode and self.transform_flag():
                mb.mb_type, mb.transform_8x8 = m.I_8X8, True
            self.intra_modes(mb)
        if mb.intra:
            if not self.s.monochrome:
                mb.chroma_mode = self.chroma_mode()
        elif mb.mb_type != m.B_DIRECT_16X16:
            self.motion(mb, predictions)
        if mb.mb_type != m.I_16X16:
            mb.cbp = self.coded_block_pattern(mb)
            plain = all(
                sub == m.SUB_8X8 or (sub == m.SUB_DIRECT and self.s.direct_8x8_inference) for sub in mb.sub_type
            )
            allowed = plain and (mb.mb_type != m.B_DIRECT_16X16 or self.s.direct_8x8_inference)
            if mb.cbp & 15 and self.s.transform_8x8_mode and not mb.intra and allowed:
                mb.transform_8x8 = bool(self.transform_flag())
        if mb.cbp or mb.mb_type == m.I_16X16:
            mb.qp = (qp + self.qp_delta() + 52) % 52
            self.residual(mb)
        return mb

    def motion(self, mb: Mb, predictions: Any) -> None:
        if mb.mb_type == m.INTER_8X8:
            predictions = []
            for quadrant in range(4):
                number = self.sub_mb_type()
                sub, prediction = B_SUB_TYPES[number] if self.s.slice_type == 1 else (number, 0)
                mb.sub_type[quadrant] = sub
                predictions.append(prediction)
            groups = [[0], [1], [2], [3]]
        else:
            groups = {m.INTER_16X16: [[0, 1, 2, 3]], m.INTER_16X8: [[0, 1], [2, 3]], m.INTER_8X16: [[0, 2], [1, 3]]}[
                mb.mb_type
            ]
        for lst in range(2):
            for group, prediction in zip(groups, predictions, strict=False):
                if prediction in (lst, 2):
                    coded = self.s.refs[lst] > 1 and not self.first_references
                    ref = self.ref_idx(mb, lst, group[0]) if coded else 0
                    for quadrant in group:
                        mb.ref_idx[lst][quadrant] = ref
        for lst in range(2):
            for group, prediction in zip(groups, predictions, strict=False):
                if prediction not in (lst, 2):
                    continue
                x, y = group[0] % 2 * 2, group[0] // 2 * 2
                if mb.mb_type == m.INTER_8X8:
                    width, height = {0: (2, 2), 1: (2, 1), 2: (1, 2), 3: (1, 1)}[mb.sub_type[group[0]]]
                    whole_w = whole_h = 2
                else:
                    whole_w = width = 2 if mb.mb_type == m.INTER_8X16 else 4
                    whole_h = height = 2 if mb.mb_type == m.INTER_16X8 else 4
                for j in range(y, y + whole_h, height):
                    for i in range(x, x + whole_w, width):
                        mvd = self.mvd(mb, lst, i, j)
                        for dj in range(height):
                            for di in range(width):
                                mb.mvd[lst][(j + dj) * 4 + i + di] = mvd

    def residual(self, mb: Mb) -> None:
        i16 = mb.mb_type == m.I_16X16
        if i16:
            self.block(mb, "i16dc", m.LEVELS_LUMA_DC, 0, 16, 0)
        for b8 in range(4):
            if mb.cbp >> b8 & 1:
                if mb.transform_8x8:
                    self.block_8x8(mb, b8)
                    continue
                for block in range(4 * b8, 4 * b8 + 4):
                    self.block(mb, "i16ac" if i16 else "luma", block, int(i16), 16, block)
        if mb.cbp >> 4:
            for plane in range(2):
                self.block(mb, "cdc", m.LEVELS_CB_DC + plane, 0, 4, plane)
        if mb.cbp >> 4 == 2:
            for block in range(8):
                self.block(mb, "cac", m.LEVELS_CB_AC + block, 1, 16, block)

    def parse(self) -> dict[int, Mb]:
        raise NotImplementedError

    def finish_pcm(self, qp: int) -> Mb:
        self.bits.align()
        mb = Mb(m.I_PCM, qp, cbp=47)
        mb.samples = bytes(self.bits.read(8) for _ in range(256 if self.s.monochrome else 384))
        mb.total_coeff = dict.fromkeys(range(24), 16)
        self.mbs[self.mb] = mb
        return mb


class Cavlc(Parser):
    def mb_type(self) -> int:
        return self.bits.ue()

    def sub_mb_type(self) -> int:
        return self.bits.ue()

    def pcm(self, qp: int) -> Mb:
        return self.finish_pcm(qp)

    def transform_flag(self) -> int:
        return self.bits.read(1)

    def rem_intra_mode(self) -> int:
        return -1 if self.bits.read(1) else self.bits.read(3)

    def chroma_mode(self) -> int:
        return self.bits.ue()

    def ref_idx(self, mb: Mb, lst: int, quadrant: int) -> int:
        return self.bits.ue() if self.s.refs[lst] > 2 else 1 - self.bits.read(1)

    def mvd(self, mb: Mb, lst: int, x: int, y: int) -> tuple[int, int]:
        return self.bits.se(), self.bits.se()

    def qp_delta(self) -> int:
        return self.bits.se()

    def coded_block_pattern(self, mb: Mb) -> int:
        rows = table("table_9_4_coded_block_pattern_me")
        rows = rows["chroma_format_0_or_3" if self.s.monochrome else "chroma_format_1_or_2"]
        return rows[self.bits.ue()][0 if mb.intra else 1]

    def nc_column(self, mb: Mb, kind: str, number: int) -> str:
        """9.2.1"""
        if kind == "cdc":
            return "nC==-1 (4:2:0 chroma DC)"
        counts = []
        for side in "ab":
            if kind == "cac":
                x, y = number % 2, number // 2 % 2
                x, y = (x - 1, y) if side == "a" else (x, y - 1)
                other = self.left() if x < 0 else self.up() if y < 0 else mb
                block = 16 + number // 4 * 4 + y % 2 * 2 + x % 2
            else:
                other, x, y = self.near(mb, *BLOCK_XY[number], side)
                block = BLOCK_AT[x, y]
            counts.append(None if other is None else other.total_coeff.get(block, 0))
        a, b = counts
        nc = (a + b + 1) >> 1 if a is not None and b is not None else (a or 0) + (b or 0)
        return "0<=nC<2" if nc < 2 else "2<=nC<4" if nc < 4 else "4<=nC<8" if nc < 8 else "8<=nC"

    def block(self, mb: Mb, kind: str, row: int, first: int, end: int, number: int) -> None:
        values, total = self.coefficients(mb, kind, number, end - first)
        mb.levels[row] = [0] * first + values + [0] * (16 - end)
        if kind in ("luma", "i16ac"):
            mb.total_coeff[number] = total
        elif kind == "cac":
            mb.total_coeff[16 + number] = total

    def block_8x8(self, mb: Mb, b8: int) -> None:
        values = [0] * 64
        for i in range(4):
            values[i::4], mb.total_coeff[4 * b8 + i] = self.coefficients(mb, "luma", 4 * b8 + i, 16)
        mb.levels[4 * b8] = values

    def coefficients(self, mb: Mb, kind: str, number: int, count: int) -> tuple[list[int], int]:
        """9.2: one block in scan order, TotalCoeff."""
        codes = table("table_9_5_coeff_token")[self.nc_column(mb, kind, number)]
        ones, total = map(int, self.bits.prefix_code(codes).split(","))
        levels: list[int] = []
        suffix_length = 1 if total > 10 and ones < 3 else 0
        for i in range(total):
            if i < ones:
                levels.append(1 - 2 * self.bits.read(1))
                continue
            prefix = 0
            while not self.bits.read(1):
                prefix += 1
                assert prefix < 32
            code = min(15, prefix) << suffix_length
            size = 4 if prefix == 14 and suffix_length == 0 else prefix - 3 if prefix >= 15 else suffix_length
            code += self.bits.read(size)
            if prefix >= 15 and suffix_length == 0:
                code += 15
            if prefix >= 16:
                code += (1 << (prefix - 3)) - 4096
            if i == ones and ones < 3:
                code += 2
            levels.append((code + 2) >> 1 if code % 2 == 0 else (-code - 1) >> 1)
            if suffix_length == 0:
                suffix_length = 1
            if abs(levels[-1]) > 3 << (suffix_length - 1) and suffix_length < 6:
                suffix_length += 1
        values = [0] * count
        if total:
            zeros = 0
            if total < count:
                name = "table_9_9a_total_zeros_chroma_dc_420" if count == 4 else "table_9_7_9_8_total_zeros_4x4"
                zeros = int(self.bits.prefix_code(table(name)[str(total)]))
            position = total + zeros - 1
            for i, level in enumerate(levels):
                values[position] = level
                run = 0
                if zeros and i < total - 1:
                    run = int(self.bits.prefix_code(table("table_9_10_run_before")[str(min(zeros, 7))]))
                zeros -= run
                position -= 1 + run
        return values, total

    def parse(self) -> dict[int, Mb]:
        s, qp = self.s, self.s.qp
        self.mb = s.first_mb
        more = True
        while more:
            if s.slice_type != 2:
                for _ in range(self.bits.ue()):
                    self.mbs[self.mb] = Mb(m.P_SKIP if s.slice_type == 0 else m.B_SKIP, qp)
                    self.mb += 1
                if not self.bits.more_rbsp_data():
                    break
            assert self.mb < s.mb_limit, "more macroblocks than the picture has"
            qp = self.macroblock(qp).qp
            self.mb += 1
            more = self.bits.more_rbsp_data()
        assert self.bits.read(1) == 1, "rbsp_stop_one_bit"
        return self.mbs


class Cabac(Parser):
    def __init__(self, s: Slice, bits: Bits) -> None:
        super().__init__(s, bits)
        while bits.position % 8:
            assert bits.read(1), "cabac_alignment_one_bit"
        self.a = Arithmetic(bits, 0 if s.slice_type == 2 else 1 + s.cabac_init_idc, s.qp)
        self.last_delta = 0

    def bin_string(self, strings: tuple[str, ...], contexts: Any) -> int:
        """Number of the string that comes next; contexts(bins so far) -> ctxIdx."""
        bins = ""
        while bins not in strings:
            bins += str(self.a.decision(contexts(bins)))
            assert len(bins) < 8
        return strings.index(bins)

    def mb_type(self) -> int:
        s = self.s
        if s.slice_type == 0:
            number = self.bin_string(P_TYPE_BINS, lambda b: 14 + (len(b) if len(b) < 2 else 3 if b[1] == "1" else 2))
            return number if number < 4 else 5 + self.intra_type(17, 0, suffix=True)
        if s.slice_type == 1:
            inc = sum(n is not None and n.mb_type not in (m.B_SKIP, m.B_DIRECT_16X16) for n in (self.left(), self.up()))
            number = self.bin_string(
                B_TYPE_BINS,
                lambda b: 27 + (inc if not b else 3 if len(b) == 1 else 5 - int(b[1]) if len(b) == 2 else 5),
            )
            return number if number < 23 else 23 + self.intra_type(32, 0, suffix=True)
        inc = sum(n is not None and n.mb_type not in (m.I_4X4, m.I_8X8) for n in (self.left(), self.up()))
        return self.intra_type(3, inc, suffix=False)

    def intra_type(self, offset: int, inc: int, suffix: bool) -> int:
        """Table 9-36."""
        if not self.a.decision(offset + inc):
            return 0
        if self.a.terminate():
            return 25
        luma = self.a.decision(offset + (1 if suffix else 3))
        chroma = self.a.decision(offset + (2 if suffix else 4))
        if chroma:
            chroma += self.a.decision(offset + (2 if suffix else 5))
        high = self.a.decision(offset + (3 if suffix else 6))
        low = self.a.decision(offset + (3 if suffix else 7))
        return 1 + 2 * high + low + 4 * chroma + 12 * luma

    def sub_mb_type(self) -> int:
        if self.s.slice_type == 0:
            return self.bin_string(P_SUB_BINS, lambda b: 21 + len(b))
        return self.bin_string(
            B_SUB_BINS, lambda b: 36 + (len(b) if len(b) < 2 else (2 if b[1] == "1" else 3) if len(b) == 2 else 3)
        )

    def pcm(self, qp: int) -> Mb:
        mb = self.finish_pcm(qp)
        mb.coded_block = {"all"}
        self.a.start()
        self.last_delta = 0
        return mb

    def transform_flag(self) -> int:
        return self.a.decision(399 + sum(n is not None and n.transform_8x8 for n in (self.left(), self.up())))

    def rem_intra_mode(self) -> int:
        if self.a.decision(68):
            return -1
        return sum(self.a.decision(69) << i for i in range(3))

    def chroma_mode(self) -> int:
        inc = sum(
            n is not None and n.intra and n.mb_type != m.I_PCM and n.chroma_mode != 0 for n in (self.left(), self.up())
        )
        if not self.a.decision(64 + inc):
            return 0
        return 1 + (self.a.decision(67) and 1 + self.a.decision(67))

    def ref_idx(self, mb: Mb, lst: int, quadrant: int) -> int:
        x, y = quadrant % 2 * 2, quadrant // 2 * 2
        inc = 0
        for weight, side in ((1, "a"), (2, "b")):
            other, ox, oy = self.near(mb, x, y, side)
            q = oy // 2 * 2 + ox // 2
            if other is not None and not other.direct(q) and other.ref_idx[lst][q] > 0:
                inc += weight
        value = 0
        while self.a.decision(54 + inc):
            value += 1
            inc = 4 if value == 1 else 5
            assert value < 32
        return value

    def mvd(self, mb: Mb, lst: int, x: int, y: int) -> tuple[int, int]:
        result = []
        for component, offset in ((0, 40), (1, 47)):
            total = 0
            for side in "ab":
                other, ox, oy = self.near(mb, x, y, side)
                if other is not None:
                    total += abs(other.mvd[lst][oy * 4 + ox][component])
            inc = 0 if total < 3 else 1 if total <= 32 else 2
            size = 0
            while size < 9 and self.a.decision(offset + (inc if size == 0 else min(size + 2, 6))):
                size += 1
            if size == 9:
                size += self.a.exp_golomb(3)
            result.append(-size if size and self.a.bypass() else size)
        return result[0], result[1]

    def qp_delta(self) -> int:
        inc = int(self.last_delta != 0)
        value = 0
        while self.a.decision(60 + inc):
            value += 1
            inc = 2 if value == 1 else 3
            assert value < 110
        self.last_delta = (value + 1) // 2 if value % 2 else -(value // 2)
        return self.last_delta

    def coded_block_pattern(self, mb: Mb) -> int:
        pattern = 0
        for b8 in range(4):
            inc = 0
            for weight, side in ((1, "a"), (2, "b")):
                other, ox, oy = self.near(mb, b8 % 2 * 2, b8 // 2 * 2, side)
                bits = pattern if other is mb else other.cbp if other else 15
                inc += weight * (not bits >> (oy // 2 * 2 + ox // 2) & 1)
            pattern |= self.a.decision(73 + inc) << b8
        if self.s.monochrome:
            return pattern
        chroma = [n.cbp >> 4 if n else 0 for n in (self.left(), self.up())]
        value = self.a.decision(77 + (chroma[0] > 0) + 2 * (chroma[1] > 0))
        if value:
            value += self.a.decision(77 + 4 + (chroma[0] == 2) + 2 * (chroma[1] == 2))
        return pattern | value << 4

    def coded_block_flag(self, mb: Mb, kind: str, number: int, cat: int) -> int:
        """9.3.3.1.1.9"""
        inc = 0
        for weight, side in ((1, "a"), (2, "b")):
            if kind == "cac":
                x, y = number % 2, number // 2 % 2
                x, y = (x - 1, y) if side == "a" else (x, y - 1)
                other = self.left() if x < 0 else self.up() if y < 0 else mb
                name = f"cac{number // 4 * 4 + y % 2 * 2 + x % 2}"
            elif kind in ("luma", "i16ac"):
                other, x, y = self.near(mb, *BLOCK_XY[number], side)
                name = f"luma{BLOCK_AT[x, y]}"
            else:
                other = self.left() if side == "a" else self.up()
                name = f"{kind}{number}"
            if other is None:
                inc += weight * mb.intra
            else:
                inc += weight * ("all" in other.coded_block or name in other.coded_block)
        return self.a.decision(85 + 4 * cat + inc)

    def block(self, mb: Mb, kind: str, row: int, first: int, end: int, number: int) -> None:
        cat = ("i16dc", "i16ac", "luma", "cdc", "cac").index(kind)
        mb.levels[row] = [0] * 16
        if self.coded_block_flag(mb, kind, number, cat):
            mb.coded_block.add(f"{'luma' if kind == 'i16ac' else kind}{number}")
            mb.levels[row][first:end] = self.coefficients(cat, end - first)

    def block_8x8(self, mb: Mb, b8: int) -> None:
        mb.coded_block |= {f"luma{block}" for block in range(4 * b8, 4 * b8 + 4)}
        mb.levels[4 * b8] = self.coefficients(5, 64)

    def coefficients(self, cat: int, count: int) -> list[int]:
        """Significance map and levels (7.3.5.3.3, 9.3.3.1.3)."""
        sig = ((277, 436) if self.s.field else (105, 402))[cat == 5] + (0, 15, 29, 44, 47, 0)[cat]
        last = ((338, 451) if self.s.field else (166, 417))[cat == 5] + (0, 15, 29, 44, 47, 0)[cat]
        absolute = (227, 237, 247, 257, 266, 426)[cat]
        incs = table("table_9_43_ctxIdxInc_8x8")
        positions = []
        for i in range(count - 1):
            sig_inc = incs["significant_field" if self.s.field else "significant_frame"][i] if cat == 5 else i
            last_inc = incs["last"][i] if cat == 5 else i
            if cat == 3:
                sig_inc = last_inc = min(i, 2)
            if self.a.decision(sig + sig_inc):
                positions.append(i)
                if self.a.decision(last + last_inc):
                    break
        else:
            positions.append(count - 1)
        values = [0] * count
        ones = greater = 0
        for i in reversed(positions):
            size = 1
            if self.a.decision(absolute + (0 if greater else min(4, 1 + ones))):
                size = 2
                inc = 5 + min(4 - (cat == 3), greater)
                while size < 15 and self.a.decision(absolute + inc):
                    size += 1
                if size == 15:
                    size += self.a.exp_golomb(0)
            ones += size == 1
            greater += size > 1
            values[i] = -size if self.a.bypass() else size
        return values

    def parse(self) -> dict[int, Mb]:
        s, qp = self.s, self.s.qp
        self.mb = s.first_mb
        while True:
            assert self.mb < s.mb_limit, "more macroblocks than the picture has"
            skip = 0
            if s.slice_type != 2:
                inc = sum(n is not None and not n.skipped for n in (self.left(), self.up()))
                skip = self.a.decision((11 if s.slice_type == 0 else 24) + inc)
            if skip:
                self.mbs[self.mb] = Mb(m.P_SKIP if s.slice_type == 0 else m.B_SKIP, qp)
                self.last_delta = 0
            else:
                mb = self.macroblock(qp)
                qp = mb.qp
                if not mb.cbp and mb.mb_type != m.I_16X16:
                    self.last_delta = 0
            self.mb += 1
            if self.a.terminate():
                break
        # the arithmetic decoder has read 9 bits ahead: the last of them is rbsp_stop_one_bit
        assert self.bits.data[(self.bits.position - 1) >> 3] >> (-self.bits.position % 8) & 1, "rbsp_stop_one_bit"
        return self.mbs


def parse_slice_data(rbsp: bytes, header_bits: int, s: Slice) -> tuple[dict[int, Mb], int]:
    """Return the macroblocks of one slice by address, and the position behind rbsp_stop_one_bit, in bits."""
    bits = Bits(rbsp, header_bits)
    parser: Parser = Cabac(s, bits) if s.cabac else Cavlc(s, bits)
    mbs = parser.parse()
    assert all(b == a + 1 for a, b in pairwise(mbs)), "macroblocks out of order"
    return mbs, bits.position
