"""Decoded picture buffer: picture order counts, reference lists, marking, output order (H.264 8.2, C.4).

Plain Python, one call a picture; it knows headers and numbers, no samples. A decoder calls `begin` with the first
slice header of each picture, `lists` for each P or B slice, and `end` when the picture is complete; frames come out of
`end`, `begin` and `flush` in output order. What a stream should not do (missing references, frame_num jumps without
gaps allowed) does not raise: lists hold None where a reference is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from asic_model.codecs.h264.levels import LEVELS
from asic_model.codecs.h264.parameter_sets import Sps
from asic_model.codecs.h264.slice_header import SLICE_B, SliceHeader

TOP, BOTTOM, FRAME = 1, 2, 3  # structure of a picture; also bit masks of its fields
MAX_FRAMES = 16


@dataclass(eq=False)
class Frame:
    """A frame, a complementary field pair or an unpaired field."""

    number: int  # counts frames of the session: an identity that is never used twice
    frame_num: int
    poc: list[int] = field(default_factory=lambda: [0, 0])  # TopFieldOrderCnt, BottomFieldOrderCnt
    fields: int = 0  # fields decoded so far, a mask
    short_term: int = 0  # fields marked "used for short-term reference"
    long_term: int = 0  # fields marked "used for long-term reference"
    long_term_idx: int = 0  # LongTermFrameIdx
    frame_num_wrap: int = 0
    as_fields: bool = False  # coded as field pictures
    mbaff: bool = False
    existing: bool = True  # False: stands for a gap in frame_num
    was_reference: bool = False  # its first picture had nal_ref_idc other than 0
    waits_for_output: bool = True
    surface: int = -1  # the caller's number of the buffer that holds the samples; -1: none
    data: object = None  # the caller's

    @property
    def order(self) -> int:
        """PicOrderCnt of the fields there are (8-1)."""
        if self.fields == FRAME:
            return min(self.poc)
        return self.poc[1] if self.fields == BOTTOM else self.poc[0]

    def order_of(self, structure: int) -> int:
        """PicOrderCnt of the frame or of one of its fields."""
        return self.order if structure == FRAME else self.poc[structure - 1]

    @property
    def reference(self) -> bool:
        return bool(self.short_term or self.long_term)


# A reference picture: a frame and which part of it (FRAME, TOP, BOTTOM)
Reference = tuple[Frame, int]


def _fields_in_turn(frames: list[Frame], parity: int, long_term: bool) -> Iterator[Reference]:
    """Fields of `frames`, alternating between parities, `parity` first (8.2.4.2.5)."""

    def of(wanted: int) -> list[Reference]:
        return [(f, wanted) for f in frames if (f.long_term if long_term else f.short_term) & wanted]

    same, other = of(parity), of(FRAME - parity)
    turns = min(len(same), len(other))
    for i in range(turns):
        yield same[i]
        yield other[i]
    if len(same) > turns:  # the one of this parity comes first, then whatever is left
        yield from same[turns:]
    else:
        yield from other[turns:]


class Dpb:
    """The buffer of one decoding session.

    frames   : all frames held, in decoding order, the current one excluded
    current  : the frame being decoded, None between pictures unless a second field may follow
    """

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.current: Frame | None = None
        self.capacity = 1
        self.reorder_depth = MAX_FRAMES
        self.gaps = 0  # frames invented for gaps in frame_num
        self._numbers = 0
        self._max_long_term_idx = -1  # MaxLongTermFrameIdx, -1: "no long-term frame indices"
        self._structure = FRAME
        self._header: SliceHeader | None = None
        self._sps = Sps()
        self._prev_ref_frame_num = 0
        self._prev_frame_num = 0
        self._prev_frame_num_offset = 0
        self._prev_poc_msb = 0
        self._prev_poc_lsb = 0
        self._frame_num_offset = 0

    # ---- sequence ----

    def configure(self, sps: Sps) -> None:
        """Take over the sizes of a newly activated SPS (A.3.1 item h, E.2.1)."""
        self._sps = sps
        frame_mbs = sps.mb_width * sps.mb_height
        level = next((row for row in LEVELS if row.level_idc == sps.level_idc), LEVELS[-1])
        capacity = min(level.max_dpb_mbs // frame_mbs, MAX_FRAMES)
        reorder = MAX_FRAMES
        if sps.vui is not None and sps.vui.bitstream_restriction_flag:
            capacity = sps.vui.max_dec_frame_buffering
            reorder = sps.vui.max_num_reorder_frames
        elif sps.profile_idc in (44, 86, 100, 110, 122, 244) and sps.constraint_flags & 0x10:
            capacity = reorder = 0  # intra profiles
        if sps.pic_order_cnt_type == 2:
            reorder = 0
        self.capacity = max(capacity, sps.max_num_ref_frames, 1)
        self.reorder_depth = min(reorder, self.capacity)

    def flush(self) -> list[Frame]:
        """Empty the buffer: all frames that still wait, in output order."""
        out = self._complete_field()
        waiting = sorted((f for f in self.frames if f.waits_for_output), key=lambda f: f.order)
        for frame in waiting:
            frame.waits_for_output = False
        self.frames.clear()
        return out + waiting

    # ---- pictures ----

    def begin(self, header: SliceHeader) -> tuple[Frame, list[Frame]]:
        """Start the picture that `header` (its first slice) belongs to.

        Returns (frame, frames to output before it); `frame.fields` tells whether this is a second field.
        """
        out: list[Frame] = []
        structure = (BOTTOM if header.bottom_field_flag else TOP) if header.field_pic_flag else FRAME
        if not self._pairs_with_current(header, structure):
            out += self._complete_field()
            if header.idr:
                # no_output_of_prior_pics_flag is not obeyed: nobody wants to lose frames of a transcode
                out += self.flush()
            else:
                out += self._fill_gap(header)
            self.current = self._new_frame(header.frame_num)
            self.current.as_fields = header.field_pic_flag
            self.current.mbaff = header.mbaff(self._sps)
            self.current.was_reference = header.nal_ref_idc != 0
        assert self.current is not None
        self._header = header
        self._structure = structure
        self._count_order(header, self.current, structure)
        return self.current, out

    def end(self) -> list[Frame]:
        """The current picture is decoded: mark it, store it, return what is to be output."""
        frame, header = self.current, self._header
        assert frame is not None
        assert header is not None
        structure = self._structure
        second = frame.fields != 0
        frame.fields |= structure
        out: list[Frame] = []
        reset = False
        if header.nal_ref_idc:
            reset = self._mark(header, frame, structure, second)
            if reset:
                out += self._empty_for_reset(frame)
        self._remember(header, frame, structure, reset)
        if not second:
            out += self._make_room(frame)
            self.frames.append(frame)
        if frame.fields == FRAME:
            self.current = None
            out += self._bump()
        return out

    def _complete_field(self) -> list[Frame]:
        """Close a first field whose second one did not come."""
        if self.current is None:
            return []
        self.current = None
        return self._bump()

    def _new_frame(self, frame_num: int) -> Frame:
        self._numbers += 1
        return Frame(self._numbers, frame_num)

    def _pairs_with_current(self, header: SliceHeader, structure: int) -> bool:
        frame = self.current
        return (
            frame is not None
            and structure != FRAME
            and frame.fields == FRAME - structure
            and frame.frame_num == header.frame_num
            and frame.was_reference == (header.nal_ref_idc != 0)
            and (not header.idr or self._starts_same_idr(header))
        )

    def _starts_same_idr(self, header: SliceHeader) -> bool:
        """Two IDR fields of one frame, which the standard does not know but encoders write."""
        former = self._header
        return former is not None and former.idr and former.idr_pic_id == header.idr_pic_id

    # ---- picture order count (8.2.1) ----

    def _count_order(self, header: SliceHeader, frame: Frame, structure: int) -> None:
        sps = self._sps
        if sps.pic_order_cnt_type == 0:
            top, bottom = self._order_type_0(header)
        else:
            if header.idr:
                self._frame_num_offset = 0
            else:
                wrapped = self._prev_frame_num > header.frame_num
                self._frame_num_offset = self._prev_frame_num_offset + (sps.max_frame_num if wrapped else 0)
            top, bottom = self._order_type_1(header) if sps.pic_order_cnt_type == 1 else self._order_type_2(header)
        if structure & TOP:
            frame.poc[0] = top
        if structure & BOTTOM:
            frame.poc[1] = bottom

    def _order_type_0(self, header: SliceHeader) -> tuple[int, int]:
        period = self._sps.max_pic_order_cnt_lsb
        msb, prev_lsb = (0, 0) if header.idr else (self._prev_poc_msb, self._prev_poc_lsb)
        lsb = header.pic_order_cnt_lsb
        if lsb < prev_lsb and prev_lsb - lsb >= period // 2:
            msb += period
        elif lsb > prev_lsb and lsb - prev_lsb > period // 2:
            msb -= period
        self._poc_msb = msb
        return msb + lsb, msb + lsb + header.delta_pic_order_cnt_bottom

    def _order_type_1(self, header: SliceHeader) -> tuple[int, int]:
        sps = self._sps
        cycle = sps.offset_for_ref_frame
        count = self._frame_num_offset + header.frame_num if cycle else 0
        if header.nal_ref_idc == 0 and count > 0:
            count -= 1
        expected = 0
        if count > 0:
            cycles, rest = divmod(count - 1, len(cycle))
            expected = cycles * sum(cycle) + sum(cycle[: rest + 1])
        if header.nal_ref_idc == 0:
            expected += sps.offset_for_non_ref_pic
        top = expected + header.delta_pic_order_cnt[0]
        bottom = top + sps.offset_for_top_to_bottom_field + header.delta_pic_order_cnt[1]
        if header.bottom_field_flag:
            bottom = expected + sps.offset_for_top_to_bottom_field + header.delta_pic_order_cnt[0]
        return top, bottom

    def _order_type_2(self, header: SliceHeader) -> tuple[int, int]:
        if header.idr:
            return 0, 0
        order = 2 * (self._frame_num_offset + header.frame_num) - (1 if header.nal_ref_idc == 0 else 0)
        return order, order

    def _remember(self, header: SliceHeader, frame: Frame, structure: int, reset: bool) -> None:
        """Keep what the next picture's numbers are derived from."""
        self._prev_frame_num = 0 if reset else header.frame_num
        self._prev_frame_num_offset = 0 if reset else self._frame_num_offset
        if header.nal_ref_idc:
            self._prev_ref_frame_num = 0 if reset else header.frame_num
            if self._sps.pic_order_cnt_type == 0:
                self._prev_poc_msb = 0 if reset else self._poc_msb
                self._prev_poc_lsb = header.pic_order_cnt_lsb
                if reset:
                    self._prev_poc_lsb = 0 if structure == BOTTOM else frame.poc[0]

    # ---- gaps in frame_num (8.2.5.2) ----

    def _fill_gap(self, header: SliceHeader) -> list[Frame]:
        out: list[Frame] = []
        period = self._sps.max_frame_num
        if header.frame_num == self._prev_ref_frame_num:
            return out
        expected = (self._prev_ref_frame_num + 1) % period
        missing = (header.frame_num - expected) % period
        if missing == 0 or (not self.frames and not self._sps.gaps_in_frame_num_value_allowed_flag):
            return out
        if not self._sps.gaps_in_frame_num_value_allowed_flag and missing > self._sps.max_num_ref_frames:
            return out  # a loss or damage, not a gap: keep the references there are
        first = (header.frame_num - min(missing, self.capacity)) % period  # older ones would slide out again
        while first != header.frame_num:
            frame = self._new_frame(first)
            frame.fields = FRAME
            frame.existing = False
            frame.waits_for_output = False
            self._slide_window(frame)
            frame.short_term = FRAME
            if self._sps.pic_order_cnt_type != 0:
                gap = SliceHeader(frame_num=first, nal_ref_idc=1)
                self._count_order(gap, frame, FRAME)
                self._prev_frame_num_offset = self._frame_num_offset
            self._prev_frame_num = first
            out += self._make_room(frame)
            self.frames.append(frame)
            self.gaps += 1
            first = (first + 1) % period
        self._prev_ref_frame_num = (header.frame_num - 1) % period
        return out

    # ---- reference lists (8.2.4) ----

    def _set_numbers(self, header: SliceHeader) -> None:
        """FrameNumWrap (8-27)."""
        for frame in self.frames:
            if frame.short_term:
                later = frame.frame_num > header.frame_num
                frame.frame_num_wrap = frame.frame_num - (self._sps.max_frame_num if later else 0)

    def lists(self, header: SliceHeader) -> list[list[Reference | None]]:
        """RefPicList0 and RefPicList1 of one slice, as long as num_ref_idx_active says; None: no such picture."""
        self._set_numbers(header)
        structure = self._structure
        initial = self._initial_b(structure) if header.kind == SLICE_B else [self._initial_p(structure), []]
        lists: list[list[Reference | None]] = []
        for number, count in enumerate((header.num_ref_idx_l0_active_minus1, header.num_ref_idx_l1_active_minus1)):
            if number and header.kind != SLICE_B:
                lists.append([])
                continue
            entries: list[Reference | None] = list(initial[number][: count + 1])
            entries += [None] * (count + 1 - len(entries))
            self._modify(entries, header.ref_pic_list_modification[number], header, structure)
            lists.append(entries)
        return lists

    def _initial_p(self, structure: int) -> list[Reference]:
        if structure == FRAME:
            short = [f for f in self.frames if f.short_term == FRAME]
            long = [f for f in self.frames if f.long_term == FRAME]
            short.sort(key=lambda f: -f.frame_num_wrap)
            long.sort(key=lambda f: f.long_term_idx)
            return [(f, FRAME) for f in short + long]
        short = sorted((f for f in self.frames if f.short_term), key=lambda f: -f.frame_num_wrap)
        return [*_fields_in_turn(short, structure, False), *self._long_term_fields(structure)]

    def _long_term_fields(self, structure: int) -> Iterator[Reference]:
        long = sorted((f for f in self.frames if f.long_term), key=lambda f: f.long_term_idx)
        return _fields_in_turn(long, structure, True)

    def _initial_b(self, structure: int) -> list[list[Reference]]:
        assert self.current is not None
        now = self.current.poc[structure - 1] if structure != FRAME else min(self.current.poc)
        lists: list[list[Reference]] = []
        ordered = self._sps.pic_order_cnt_type != 0  # else frames of a gap have no order
        if structure == FRAME:
            short = [f for f in self.frames if f.short_term == FRAME and (f.existing or ordered)]
            long = sorted((f for f in self.frames if f.long_term == FRAME), key=lambda f: f.long_term_idx)
        else:
            short = [f for f in self.frames if f.short_term and (f.existing or ordered)]
        before = sorted((f for f in short if f.order <= now), key=lambda f: -f.order)
        after = sorted((f for f in short if f not in before), key=lambda f: f.order)
        for frames in (before + after, after + before):
            if structure == FRAME:
                lists.append([(f, FRAME) for f in frames + long])
            else:
                lists.append([*_fields_in_turn(frames, structure, False), *self._long_term_fields(structure)])
        if len(lists[1]) > 1 and lists[0] == lists[1]:
            lists[1][0], lists[1][1] = lists[1][1], lists[1][0]
        return lists

    def _find_short(self, number: int, structure: int) -> Reference | None:
        """The short-term picture of PicNum `number` (8.2.4.1)."""
        for frame in self.frames:
            if structure == FRAME:
                if frame.short_term == FRAME and frame.frame_num_wrap == number:
                    return frame, FRAME
            elif frame.short_term and frame.frame_num_wrap == number >> 1:
                wanted = structure if number & 1 else FRAME - structure
                if frame.short_term & wanted:
                    return frame, wanted
        return None

    def _find_long(self, number: int, structure: int) -> Reference | None:
        """The long-term picture of LongTermPicNum `number`."""
        for frame in self.frames:
            if structure == FRAME:
                if frame.long_term == FRAME and frame.long_term_idx == number:
                    return frame, FRAME
            elif frame.long_term and frame.long_term_idx == number >> 1:
                wanted = structure if number & 1 else FRAME - structure
                if frame.long_term & wanted:
                    return frame, wanted
        return None

    def _modify(
        self, entries: list[Reference | None], operations: list[tuple[int, int]], header: SliceHeader, structure: int
    ) -> None:
        """ref_pic_list_modification (8.2.4.3), in place."""
        field_picture = structure != FRAME
        max_number = self._sps.max_frame_num * (2 if field_picture else 1)
        current = header.frame_num * 2 + 1 if field_picture else header.frame_num
        predicted = current
        for index, (operation, operand) in enumerate(operations):
            if operation == 2:
                picture = self._find_long(operand, structure)
            else:
                step = operand + 1
                predicted = (predicted + (step if operation == 1 else -step)) % max_number
                picture = self._find_short(predicted - (max_number if predicted > current else 0), structure)
            if picture is None or index >= len(entries):
                continue
            # put it at `index`, the others behind it, without its former place
            rest = [entry for entry in entries[index:] if entry != picture]
            entries[index:] = [picture, *rest][: len(entries) - index]

    # ---- marking (8.2.5) ----

    def _mark(self, header: SliceHeader, frame: Frame, structure: int, second: bool) -> bool:
        """dec_ref_pic_marking of the current picture. Returns whether operation 5 reset the session."""
        marking = header.dec_ref_pic_marking
        reset = False
        if header.idr:
            for other in self.frames:
                if other is not frame:
                    other.short_term = other.long_term = 0
            if marking.long_term_reference_flag:
                frame.long_term |= structure
                frame.long_term_idx = 0
                self._max_long_term_idx = 0
            else:
                frame.short_term |= structure
                self._max_long_term_idx = -1
            return False
        if marking.adaptive_ref_pic_marking_mode_flag:
            self._set_numbers(header)
            for operation in marking.operations:
                reset |= self._operate(operation, header, frame, structure)
        elif not (second and frame.short_term):
            self._slide_window(frame)
        if not frame.long_term & structure:
            frame.short_term |= structure
        if reset:
            # 8.2.1: the current picture counts from 0 on
            base = frame.order
            if structure & TOP:
                frame.poc[0] -= base
            if structure & BOTTOM:
                frame.poc[1] -= base
            frame.frame_num = 0
        elif not second:
            self._limit_references(frame)
        return reset

    def _limit_references(self, current: Frame) -> None:
        """Keep damaged streams within max_num_ref_frames: drop the oldest short-term, else any long-term frame."""
        limit = max(self._sps.max_num_ref_frames, 1)
        while True:
            held = [f for f in self.frames if f.reference and f is not current]
            if len(held) < limit:
                return
            short = [f for f in held if f.short_term]
            victim = min(short, key=lambda f: f.frame_num_wrap) if short else held[0]
            victim.short_term = victim.long_term = 0

    def _slide_window(self, current: Frame) -> None:
        """Sliding window (8.2.5.3)."""
        self._set_numbers(SliceHeader(frame_num=current.frame_num))
        held = [f for f in self.frames if f.reference and f is not current]
        while len(held) >= max(self._sps.max_num_ref_frames, 1):
            short = [f for f in held if f.short_term]
            if not short:
                return
            victim = min(short, key=lambda f: f.frame_num_wrap)
            victim.short_term = 0
            held.remove(victim)

    def _operate(self, operation: tuple[int, ...], header: SliceHeader, current: Frame, structure: int) -> bool:
        """One memory_management_control_operation (8.2.5.4). True for operation 5."""
        code = operation[0]
        number = (header.frame_num * 2 + 1 if structure != FRAME else header.frame_num) - 1
        if code == 1:
            picture = self._find_short(number - operation[1], structure)
            if picture:
                picture[0].short_term &= ~picture[1]
        elif code == 2:
            picture = self._find_long(operation[1], structure)
            if picture:
                picture[0].long_term &= ~picture[1]
        elif code == 3:
            picture = self._find_short(number - operation[1], structure)
            if picture:
                frame, part = picture
                self._free_long_term_idx(operation[2], frame)
                frame.short_term &= ~part
                frame.long_term |= part
                frame.long_term_idx = operation[2]
        elif code == 4:
            self._max_long_term_idx = operation[1] - 1
            for frame in self.frames:
                if frame.long_term and frame.long_term_idx > self._max_long_term_idx:
                    frame.long_term = 0
        elif code == 5:
            for frame in self.frames:
                if frame is not current:
                    frame.short_term = frame.long_term = 0
            current.short_term = current.long_term = 0
            self._max_long_term_idx = -1
            return True
        elif code == 6:
            self._free_long_term_idx(operation[1], current)
            current.short_term &= ~structure
            current.long_term |= structure
            current.long_term_idx = operation[1]
        return False

    def _free_long_term_idx(self, index: int, keep: Frame) -> None:
        """Unmark whatever frame but `keep` holds long-term index `index`; `keep` loses another index it had."""
        for frame in self.frames:
            if frame is not keep and frame.long_term and frame.long_term_idx == index:
                frame.long_term = 0
        if keep.long_term and keep.long_term_idx != index:
            keep.long_term = 0

    # ---- output (C.4) ----

    def _empty_for_reset(self, current: Frame) -> list[Frame]:
        """Operation 5 sends everything before the current picture out, as an IDR picture does."""
        waiting = sorted((f for f in self.frames if f.waits_for_output and f is not current), key=lambda f: f.order)
        for frame in waiting:
            frame.waits_for_output = False
        self.frames = [f for f in self.frames if f is current]
        return waiting

    def _release(self) -> None:
        self.frames = [f for f in self.frames if f.waits_for_output or f.reference or f is self.current]

    def _next_out(self) -> Frame | None:
        waiting = [f for f in self.frames if f.waits_for_output and f is not self.current]
        return min(waiting, key=lambda f: f.order) if waiting else None

    def _make_room(self, incoming: Frame) -> list[Frame]:
        """Bumping until the buffer has a place for `incoming` (C.4.5.3)."""
        out: list[Frame] = []
        self._release()
        while len(self.frames) >= self.capacity:
            frame = self._next_out()
            if frame is None:
                break  # references alone fill it: a damaged stream; marking limits how far this goes
            if not incoming.reference and incoming.order < frame.order:
                break  # C.4.5.2: it is the next to go out, as soon as it is complete
            frame.waits_for_output = False
            out.append(frame)
            self._release()
        return out

    def _bump(self) -> list[Frame]:
        """Let out what the stream's reordering depth no longer holds back."""
        out: list[Frame] = []
        while True:
            waiting = sum(f.waits_for_output for f in self.frames if f is not self.current)
            if waiting <= self.reorder_depth and len(self.frames) <= self.capacity:
                break
            frame = self._next_out()
            if frame is None:
                break
            frame.waits_for_output = False
            out.append(frame)
            self._release()
        self._release()
        return out
