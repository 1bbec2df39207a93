"""The macroblock layer (H.264 7.3.5), common to both coders."""

from typing import Any

from asic_model.codecs.h264 import macroblock as m
from tests.oracle.slice_data.bits import Bits
from tests.oracle.slice_data.records import B_SUB_TYPES, B_TYPES, BLOCK_AT, BLOCK_XY, P_TYPES, Mb, Slice


class Parser:
    """Macroblock layer, common to both coders; each coder brings the readers of the single elements."""

    mb_type: Any
    sub_mb_type: Any
    pcm: Any
    transform_flag: Any
    rem_intra_mode: Any
    chroma_mode: Any
    ref_idx: Any
    mvd: Any
    qp_delta: Any
    coded_block_pattern: Any
    block: Any
    block_8x8: Any

    def __init__(self, s: Slice, bits: Bits) -> None:
        self.s, self.bits = s, bits
        self.mbs: dict[int, Mb] = {}  # of this slice
        self.mb = 0
        self.first_references = False

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
        predictions: Any = (-1, -1)
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
