"""Random legal H.264 streams: what no encoder would write, for decoders to agree on.

Frames and field pictures (PAFF), CAVLC and CABAC, slices, I P B, reordered reference lists, long-term references and
all marking operations, gaps in frame_num, explicit and implicit weighting, direct prediction, POC types 0 to 2, 8x8
transform, scaling lists, I_PCM, monochrome, cropping. Macroblocks come from `random_syntax`; the entropy
engine writes them. The picture buffer of `codecs.h264.dpb` serves to know what may be named; whether it is right is
told by the decoder on the other side. Not here: MBAFF, and lossless, whose random residuals would pass the samples'
range, where decoders differ.
"""

from typing import Any

import numpy as np

from asic_model.codecs.h264.dpb import Dpb, Frame
from asic_model.codecs.h264.nal import START_CODE
from asic_model.codecs.h264.parameter_sets import Pps, ScalingList, Sps
from asic_model.codecs.h264.slice_header import (
    DecRefPicMarking,
    PredWeightTable,
    SliceHeader,
    write_slice_header,
)
from asic_model.codecs.h264.vui import Vui
from asic_model.engines.entropy import SliceParameters, entropy_scratch, write_slice
from asic_model.work import encode_work
from tests.oracle.random_syntax import random_macroblocks

P, B, I = 0, 1, 2  # noqa: E741 - the standard's names
TOP, BOTTOM, FRAME = 1, 2, 3
HIGHEST_QP = 28  # beyond, random levels would pass 16 bits, which legal streams do not


class StreamMaker:
    """Writes one stream; every choice comes from the seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.out = bytearray()
        self.dpb = Dpb()
        self.frame_num = 0
        self.idr_pic_id = 0
        self.used: dict[int, set[int]] = {}  # frame number -> numbers of the frames that it refers to
        self._make_parameter_sets()

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, *values: Any) -> Any:
        return values[self.rng.integers(len(values))]

    # ---- parameter sets ----

    def _lists(self, count: int) -> list[ScalingList] | None:
        if not self.chance(0.3):
            return None
        found: list[ScalingList] = []
        for number in range(count):
            size = 16 if number < 6 else 64
            weights = tuple(int(w) for w in self.rng.integers(8, 33, size))
            found.append(self.pick(None, (), weights))
        return found

    def _make_parameter_sets(self) -> None:
        self.interlaced = self.chance(0.5)
        self.references = int(self.rng.integers(1, 6))
        sps = Sps(
            profile_idc=100,
            level_idc=40,
            chroma_format_idc=0 if self.chance(0.1) else 1,
            scaling_lists=self._lists(8),
            log2_max_frame_num_minus4=int(self.rng.integers(0, 3)),
            pic_order_cnt_type=self.pick(0, 0, 0, 1, 2),
            log2_max_pic_order_cnt_lsb_minus4=int(self.rng.integers(2, 5)),
            offset_for_ref_frame=[4, 6],
            offset_for_non_ref_pic=-1,
            offset_for_top_to_bottom_field=1,
            max_num_ref_frames=self.references,
            gaps_in_frame_num_value_allowed_flag=self.chance(0.3),
            pic_width_in_mbs_minus1=int(self.rng.integers(1, 5)),
            pic_height_in_map_units_minus1=int(self.rng.integers(1, 3))
            if self.interlaced
            else int(self.rng.integers(1, 5)),
            frame_mbs_only_flag=not self.interlaced,
            direct_8x8_inference_flag=self.interlaced or self.chance(0.5),
        )
        if self.chance(0.3):
            sps.frame_cropping_flag = True
            sps.frame_crop_right_offset, sps.frame_crop_top_offset = 3, 2
        self.eights = self.chance(0.6)
        if self.eights:  # the macroblocks of `random_syntax` have 8x8 transforms in direct partitions, too
            sps.direct_8x8_inference_flag = True
        capacity = 8
        sps.vui = Vui(
            bitstream_restriction_flag=True, max_num_reorder_frames=capacity, max_dec_frame_buffering=capacity
        )
        self.sps = sps
        weighted = self.pick(0, 1, 2)
        self.pps = Pps(
            entropy_coding_mode_flag=self.chance(0.6),
            bottom_field_pic_order_in_frame_present_flag=self.interlaced and self.chance(0.7),
            num_ref_idx_l0_default_active_minus1=int(self.rng.integers(0, 3)),
            weighted_pred_flag=weighted == 1,
            weighted_bipred_idc=weighted,
            pic_init_qp_minus26=-4,
            chroma_qp_index_offset=int(self.rng.integers(-6, 7)),
            deblocking_filter_control_present_flag=self.chance(0.8),
            has_extension=True,
            transform_8x8_mode_flag=self.eights,
            second_chroma_qp_index_offset=int(self.rng.integers(-6, 7)),
        )
        self.pps.scaling_lists = self._lists(8 if self.pps.transform_8x8_mode_flag else 6)
        for unit in (sps.to_nal(), self.pps.to_nal(chroma_format_idc=sps.chroma_format_idc)):
            self.out += START_CODE + unit
        self.dpb.configure(sps)

    # ---- reference lists ----

    def _names(self, header: SliceHeader, structure: int) -> list[tuple[tuple[int, int], Frame, int]]:
        """What list modification can name: ((kind 0 short, 2 long; number), frame, part)."""
        found = []
        for frame in self.dpb.frames:
            if not frame.existing:
                continue
            parts = (FRAME,) if structure == FRAME else (TOP, BOTTOM)
            for part in parts:
                if frame.short_term & part == part:
                    number = frame.frame_num_wrap
                    kind = 0
                elif frame.long_term & part == part:
                    number = frame.long_term_idx
                    kind = 2
                else:
                    continue
                if structure != FRAME:
                    number = 2 * number + (part == structure)
                found.append(((kind, number), frame, part))
        return found

    def _modification(
        self, wanted: list[tuple[int, int]], header: SliceHeader, structure: int
    ) -> list[tuple[int, int]]:
        """Commands that put pictures (as `_names` names them) to the front in this order (8.2.4.3)."""
        fields = structure != FRAME
        most = self.sps.max_frame_num * (2 if fields else 1)
        predicted = 2 * header.frame_num + 1 if fields else header.frame_num
        commands = []
        for kind, number in wanted:
            if kind == 2:
                commands.append((2, number))
                continue
            step = (number - predicted) % most
            if step == 0 or self.chance(0.5):
                commands.append((0, (most - step) % most - 1 if step else most - 1))
            else:
                commands.append((1, step - 1))
            predicted = number % most
        return commands

    def _weights(self, counts: tuple[int, int], kind: int) -> PredWeightTable:
        table = PredWeightTable(int(self.rng.integers(0, 7)), int(self.rng.integers(0, 7)))

        def pair() -> tuple[int, int]:
            return int(self.rng.integers(-30, 61)), int(self.rng.integers(-60, 61))

        for lst in range(2 if kind == B else 1):
            table.luma[lst] = [pair() if self.chance(0.6) else None for _ in range(counts[lst])]
            if self.sps.chroma_format_idc:
                table.chroma[lst] = [(pair(), pair()) if self.chance(0.6) else None for _ in range(counts[lst])]
        return table

    # ---- marking ----

    def _marking(self, header: SliceHeader, structure: int) -> DecRefPicMarking:
        """Memory management: at least as many frames freed as the new one needs."""
        marking = DecRefPicMarking()
        frames = [f for f in self.dpb.frames if f.reference]
        stuck = len(frames) >= self.references and not any(f.short_term for f in frames)  # nothing slides out
        if not stuck and not self.chance(0.35):
            return marking
        marking.adaptive_ref_pic_marking_mode_flag = True
        fields = structure != FRAME
        current = 2 * header.frame_num + 1 if fields else header.frame_num
        operations = marking.operations
        free = self.references - len(frames)
        long_term_allowed = self.references > 1

        def short_name(frame: Frame, part: int) -> int:
            number = 2 * frame.frame_num_wrap + (part == structure) if fields else frame.frame_num_wrap
            return current - number - 1

        parts = (TOP, BOTTOM) if fields else (FRAME,)
        for frame in list(self.rng.permutation(np.array(frames, object))):
            whole_short = frame.short_term == FRAME
            drop = free < 1 or self.chance(0.15)
            if drop:
                for part in parts:
                    if frame.short_term & part == part:
                        operations.append((1, short_name(frame, part)))
                    elif frame.long_term & part == part:
                        number = 2 * frame.long_term_idx + (part == structure) if fields else frame.long_term_idx
                        operations.append((2, number))
                    else:  # half of a frame in frame decoding cannot be named
                        break
                else:
                    free += 1
            elif whole_short and frame.existing and long_term_allowed and self.chance(0.4):
                taken = {f.long_term_idx for f in frames if f.long_term}
                spare = [
                    i
                    for i in range(self.references)
                    if i not in taken and not any(o[0] == 3 and o[2] == i for o in operations)
                ]
                if spare:
                    if self.dpb._max_long_term_idx < self.references - 1 and not any(o[0] == 4 for o in operations):
                        operations.append((4, self.references))
                    for part in parts:
                        operations.append((3, short_name(frame, part), spare[0]))
        if free < 1:
            return DecRefPicMarking()
        if not fields and long_term_allowed and self.chance(0.2):
            taken = {f.long_term_idx for f in frames if f.long_term} | {o[2] for o in operations if o[0] == 3}
            spare = [i for i in range(self.references) if i not in taken]
            if spare:
                if self.dpb._max_long_term_idx < self.references - 1 and not any(o[0] == 4 for o in operations):
                    operations.insert(0, (4, self.references))
                operations.append((6, spare[0]))
        return marking

    # ---- pictures ----

    def picture(self, kind: int, structure: int, reference: bool, poc: int, idr: bool, second: bool) -> None:
        """Write one frame or field. `poc` counts fields (two a frame)."""
        sps, pps, rng = self.sps, self.pps, self.rng
        header = SliceHeader(nal_unit_type=5 if idr else 1, nal_ref_idc=int(reference), slice_type=kind)
        header.frame_num = self.frame_num
        header.field_pic_flag = structure != FRAME
        header.bottom_field_flag = structure == BOTTOM
        header.idr_pic_id = self.idr_pic_id
        if sps.pic_order_cnt_type == 0:
            header.pic_order_cnt_lsb = (poc + second) % sps.max_pic_order_cnt_lsb  # fields in order of their time
            if pps.bottom_field_pic_order_in_frame_present_flag and structure == FRAME:
                header.delta_pic_order_cnt_bottom = 1
        current, _ = self.dpb.begin(header)
        available = [] if idr else self.dpb.lists(SliceHeader(
            frame_num=header.frame_num, slice_type=P, num_ref_idx_l0_active_minus1=31,
            field_pic_flag=header.field_pic_flag, bottom_field_flag=header.bottom_field_flag,
        ))[0]  # fmt: skip
        names = self._names(header, structure)
        usable = [entry for entry in available if entry is not None and entry[0].existing]
        if not usable:
            kind = header.slice_type = I
        counts = [0, 0]
        modifications: list[list[tuple[int, int]]] = [[], []]
        if kind != I:
            gaps = len(usable) != len([entry for entry in available if entry is not None])
            for lst in range(2 if kind == B else 1):
                if gaps or self.chance(0.5):
                    chosen = [
                        names[i] for i in rng.integers(0, len(names), min(int(rng.integers(1, 5)), 2 * len(names)))
                    ]
                    counts[lst] = len(chosen)
                    modifications[lst] = self._modification([name for name, _, _ in chosen], header, structure)
                else:
                    counts[lst] = int(rng.integers(1, len(usable) + 1))
            header.num_ref_idx_l0_active_minus1 = counts[0] - 1
            header.num_ref_idx_l1_active_minus1 = max(counts[1] - 1, 0)
            header.ref_pic_list_modification = modifications
        if kind == B and second and self.dpb.lists(header)[1][0][0] is current:
            # FFmpeg takes the first field's motion from the wrong place when it is co-located with the second's
            kind = header.slice_type = P
            header.pred_weight_table = None
            header.ref_pic_list_modification = [modifications[0], []]
        if kind == B:
            header.direct_spatial_mv_pred_flag = not self._temporal_is_legal(header)
        if kind != I and ((kind == P and pps.weighted_pred_flag) or (kind == B and pps.weighted_bipred_idc == 1)):
            header.pred_weight_table = self._weights((counts[0], counts[1]), kind)
        if reference and not idr and not second:
            self.dpb._set_numbers(header)
            header.dec_ref_pic_marking = self._marking(header, structure)
        elif idr:
            header.dec_ref_pic_marking.long_term_reference_flag = (
                self.references > 1 and structure == FRAME and self.chance(0.2)
            )
        named = {
            f.number
            for lists in (self.dpb.lists(header) if kind != I else [])
            for entry in lists
            if entry
            for f in (entry[0],)
        }
        self.used.setdefault(current.number, set()).update(named)
        self._write(header, kind, structure, (max(counts[0], 1), max(counts[1], 1)))
        self.dpb.end()

    def _temporal_is_legal(self, header: SliceHeader) -> bool:
        """Temporal direct prediction: all that the co-located picture refers to must stand in list 0."""
        lists = self.dpb.lists(header)
        col = lists[1][0]
        if col is None or not self.chance(0.7) or col[0].long_term:
            return False
        there = {entry[0].number for entry in lists[0] if entry is not None}
        whole = {
            number
            for number in there
            if sum(1 for e in lists[0] if e and e[0].number == number) >= (2 if header.field_pic_flag else 1)
        }
        return self.used.get(col[0].number, set()) <= whole and col[0].fields == FRAME

    def _write(self, header: SliceHeader, kind: int, structure: int, refs: tuple[int, int]) -> None:
        sps, pps, rng = self.sps, self.pps, self.rng
        mb_height = sps.mb_height // (1 if structure == FRAME else 2)
        qp = int(rng.integers(12, HIGHEST_QP))
        mbs, slices = random_macroblocks(
            rng, sps.mb_width, mb_height, slice_type=kind, slices=int(rng.integers(1, 4)), qp=qp, refs=refs,
            transform_8x8=pps.transform_8x8_mode_flag, magnitude=8, span=int(self.pick(6, 40, 120)),
            monochrome=sps.chroma_format_idc == 0,
        )  # fmt: skip
        np.minimum(mbs.qp, HIGHEST_QP, out=mbs.qp)
        count = sps.mb_width * mb_height
        work, scratch = encode_work(count), entropy_scratch(count)
        out = np.zeros(200_000, np.uint8)
        position = 0
        for first, length in slices:
            header.first_mb_in_slice = first
            header.slice_qp_delta = qp - 26 - pps.pic_init_qp_minus26
            header.cabac_init_idc = int(rng.integers(0, 3))
            if pps.deblocking_filter_control_present_flag:
                header.disable_deblocking_filter_idc = self.pick(0, 0, 1, 2)
                header.slice_alpha_c0_offset_div2 = int(rng.integers(-6, 7))
                header.slice_beta_offset_div2 = int(rng.integers(-6, 7))
                if header.disable_deblocking_filter_idc == 1:
                    header.slice_alpha_c0_offset_div2 = header.slice_beta_offset_div2 = 0
            data, bits = write_slice_header(header, sps, pps)
            parameters = SliceParameters(
                first_mb=first, mb_count=length, mb_width=sps.mb_width, slice_type=kind, qp=qp,
                cabac=int(pps.entropy_coding_mode_flag), cabac_init_idc=header.cabac_init_idc, num_ref_idx_l0=refs[0],
                num_ref_idx_l1=refs[1], transform_8x8_mode=int(pps.transform_8x8_mode_flag),
                direct_8x8_inference=int(sps.direct_8x8_inference_flag), field=int(structure != FRAME),
                monochrome=int(sps.chroma_format_idc == 0),
            )  # fmt: skip
            nal_header = header.nal_ref_idc << 5 | header.nal_unit_type
            position = write_slice(mbs, parameters, scratch, work, data, bits, nal_header, out, position, out.size)
            assert position > 0
        self.out += out[:position].tobytes()

    def frame(self, kind: int, reference: bool, poc: int, idr: bool = False) -> None:
        """One frame, or two fields, and the numbers of the next one."""
        if self.interlaced and self.chance(0.5):
            first = self.pick(TOP, TOP, BOTTOM) if self.sps.pic_order_cnt_type == 0 else TOP
            self.picture(kind, first, reference, poc, idr, False)
            self.picture(P if kind == I and self.chance(0.5) else kind, FRAME - first, reference, poc, False, True)
        else:
            self.picture(kind, FRAME, reference, poc, idr, False)
        if reference:
            step = 1
            if self.sps.gaps_in_frame_num_value_allowed_flag and self.chance(0.15):
                step = int(self.rng.integers(2, 4))
            self.frame_num = (self.frame_num + step) % self.sps.max_frame_num

    def sequence(self, frames: int) -> None:
        """An IDR picture and groups of an anchor with what is shown before it."""
        self.frame_num = 0
        self.used.clear()
        self.frame(I, True, 0, idr=True)
        self.frame_num = 1 % self.sps.max_frame_num
        self.idr_pic_id = (self.idr_pic_id + 1) % 16
        shown = 1
        while shown < frames:
            group = 1 if self.sps.pic_order_cnt_type else int(self.rng.integers(1, 4))
            anchor = self.pick(P, P, P, I) if group > 1 or self.sps.pic_order_cnt_type == 0 else self.pick(P, B, I)
            self.frame(anchor, True, 2 * (shown + group - 1))
            for place in self.rng.permutation(group - 1):
                self.frame(B, self.chance(0.4), 2 * (shown + int(place)))
            if self.sps.pic_order_cnt_type and self.chance(0.3) and self.sps.pic_order_cnt_type == 1:
                self.frame(self.pick(P, B), False, 0)
            shown += group


def random_stream(seed: int) -> bytes:
    """An Annex B stream of one or two sequences."""
    maker = StreamMaker(seed)
    maker.sequence(int(maker.rng.integers(3, 9)))
    if maker.chance(0.5):
        maker.sequence(int(maker.rng.integers(2, 5)))
    return bytes(maker.out)
