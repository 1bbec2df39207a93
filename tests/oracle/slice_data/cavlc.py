"""CAVLC and Exp-Golomb parsing (H.264 9.1, 9.2)."""

from asic_model.codecs.h264 import macroblock as m
from asic_model.codecs.h264.tables import table
from tests.oracle.slice_data.parser import Parser
from tests.oracle.slice_data.records import BLOCK_AT, BLOCK_XY, Mb


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
