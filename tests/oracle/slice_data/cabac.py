"""CABAC parsing (H.264 9.3)."""

from typing import Any

from asic_model.codecs.h264 import macroblock as m
from asic_model.codecs.h264.tables import table
from tests.oracle.slice_data.bits import Arithmetic, Bits
from tests.oracle.slice_data.parser import Parser
from tests.oracle.slice_data.records import (
    B_SUB_BINS,
    B_TYPE_BINS,
    BLOCK_AT,
    BLOCK_XY,
    P_SUB_BINS,
    P_TYPE_BINS,
    Mb,
    Slice,
)


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
