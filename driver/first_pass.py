"""The first pass of a session under rate control: pictures are looked at in half size before they are coded.

Every picture is shrunk and compared with the one before it (SHRINK); from that follow scene cuts. How many B pictures
stand before the next anchor is tried by comparisons (LOOK, driver/adaptive_gop.py). When a picture's place in the
stream is known, it is compared with the pictures that it will refer to (LOOK). When enough pictures are known, those
that come next are planned (HAND_ON): the chip hands costs back along references and leaves QP maps and a plan, by which
the firmware chooses QPs; at a constant QP nothing is planned. All of it are jobs of the chip's encode cores, in a
firmware session of its own. What is decided here (types, order) is decided by counts and results alone, never by when
they came. Of the outputs of one source, the first one decides types for all: what costs what hardly depends on the
size, and their key frames stand at the same pictures.
"""

import struct
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from asic_model.descriptors import (
    ENCODE_BLOCK,
    PICTURE_QP_OFFSET,
    PLAN_BYTES,
    PLAN_ENTRY,
    PLAN_HEADER,
    PLAN_USUAL,
    Command,
    EncodeMode,
    Kind,
    PictureClass,
    first_pass_layout,
    pack_job,
)
from driver.adaptive_gop import Comparison, GroupLengths
from driver.gop import SLICE_B, SLICE_I, SLICE_P, Kept, PictureHeader, PictureOrder
from driver.options import EncoderConfig
from driver.queue import Fence
from driver.surfaces import Span
from driver.two_pass import PassedPicture, PassLog, write_log

if TYPE_CHECKING:
    from driver.session import Session

# QP at which vectors are weighed against SATD: costs at half size do not know the picture's own.
_SEARCH_QP = 18
_LEAST_CAPACITY = next(field.low for field in ENCODE_BLOCK.fields if field.name == "out_capacity")
_NO_SLOT = 255
_MOST_STAGED = 32  # commands that one step stages at most: a group of eight pictures, each with its comparison
# Quarter steps of QP by class, with the macroblock tree and without.
TREE_BIAS = {PictureClass.I: -4, PictureClass.P: 0, PictureClass.B_REFERENCE: 4, PictureClass.B: 8}
PLAIN_BIAS = {kind: 4 * offset for kind, offset in PICTURE_QP_OFFSET.items()}
TREE_STRENGTH = 32  # two steps of QP for a macroblock worth twice its cost: x264's 5 * (1 - qcompress)
_SUMMARY = struct.Struct("<QQII")
_JUMP = 1.5  # a scene cut is so much worse predicted than the picture before
_FLASH_MOST = 2  # pictures that a flash lasts at most
# 256 * 2^(qp / 6); bits of a picture are about PLAN_USUAL / 65536 * cost / step
_STEPS = [round(256 * 2 ** (qp / 6)) for qp in range(52)]
_PAST_SHIFT = 6  # costs of the last 64 pictures or so say what QP the mean rate asks for


def picture_class(header: PictureHeader) -> PictureClass:
    if header.slice_type == SLICE_B:
        return PictureClass.B_REFERENCE if header.reference else PictureClass.B
    return PictureClass.I if header.slice_type == SLICE_I else PictureClass.P


@dataclass(slots=True, eq=False)
class Looked:
    """One picture in the first pass; `given` is the session's."""

    given: Any
    half: Span | None
    slot: int
    forced: bool  # to be an IDR picture
    fence: Fence | None = None
    summary: tuple[int, int] | None = None  # sums of intra and of best costs, beside the picture before
    cut: bool = False  # it begins a scene
    cut_is_sure: bool = False  # later pictures were asked whether it is a flash
    record: tuple[int, ...] = ()  # pictures, by number, that the record in its slot compares it with


@dataclass(slots=True)
class Planned:
    """A picture whose place is known."""

    header: PictureHeader
    kept: list[Kept]  # reference pictures behind it


@dataclass(slots=True)
class Plan:
    """Where a picture stands in a plan of the chip, for its encode job."""

    span: Span
    index: int
    qp_map: int  # address
    vectors: int  # likewise
    fence: Fence


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about the place of a picture."""

    cut: bool
    forced: bool
    ends_group: bool


class FirstPass:
    """Takes pictures in display order; gives groups of them back in coding order, planned.

    owner : the session, whose queue and memory are used
    order : decides types and places; tokens are the session's, with an attribute `looked`
    begin : whether so many pictures can be coded now
    code  : is called with each picture that can be coded, with its plan where there is one
    leader: another one that takes the same pictures, with the same group length and B pictures, and decides for this
    """

    def __init__(
        self, owner: "Session", config: EncoderConfig, order: PictureOrder, begin: Callable[[int], bool],
        code: Callable[[Planned, Plan | None], None], leader: "FirstPass | None" = None,
    ) -> None:  # fmt: skip
        self._owner, self._config, self._order = owner, config, order
        self._begin, self._code = begin, code
        self.depth = config.lookahead if config.plans else 0
        self._share = (100 - config.scene_cut) / 100 if config.scene_cut else None
        self._ratio = 0.0  # of best costs to intra costs, of the picture before
        self._layout = first_pass_layout(config.width, config.height)
        self.number = owner._open_firmware_session(Kind.ENCODE, config.width, config.height)
        held = config.held_pictures
        self._slots = deque(range(held + 1))
        self._slot_count = held + 1
        # A picture of one macroblock has a record smaller than the least room that a job may state.
        self._record_capacity = max(_LEAST_CAPACITY, self._layout.slot_bytes)
        records = (self._slot_count - 1) * self._layout.slot_bytes + self._record_capacity
        self._area = owner._buffer(records, "first-pass records")
        halves = held + config.buffered_references + 1
        self._halves = deque(owner._buffer(self._layout.half_bytes, "half-size picture") for _ in range(halves))
        self._plans = deque(owner._buffer(PLAN_BYTES, "a plan") for _ in range(held + 1))
        self._waiting: deque[Looked] = deque()  # in display order, looked at or under way
        self._holding: list[Looked] = []  # those whose half-size pictures are kept
        self._last: Looked | None = None
        self._anchor: Looked | None = None  # the last one whose place is known
        self._leader = leader
        self._family: list[FirstPass] = [] if leader is None else leader._family  # leader first
        self._family.append(self)
        self._told: deque[Decision] = deque()  # by the leader
        self._lengths = GroupLengths(config.b_frames, config.b_ref_mode) if config.adapts_b else None
        self._trials = 0  # comparisons for it under way
        self._past_cost = self._past_count = 0  # of pictures whose places are known, each from the one before; decaying
        self._known: deque[Planned] = deque()  # in coding order
        self._forced = False
        self._ended = False
        self._jobs = 0  # under way
        self._users: dict[int, int] = {}  # pictures that a plan is kept for, by its address
        self._advancing = False
        self._position = 0  # pictures planned so far, in coding order
        self._log = PassLog(config) if config.pass_number == 2 else None
        self._passed: list[PassedPicture] = []

    @property
    def held(self) -> int:
        """Pictures that were given and are not being coded."""
        return len(self._waiting) + self._order.waiting + len(self._known)

    @property
    def in_flight(self) -> int:
        """What must be waited for: jobs, and at the end all pictures, which a session that failed codes no more."""
        return self._jobs + (self.held if self._ended and not self._owner.has_failed else 0)

    def force_keyframe(self) -> None:
        self._forced = True

    # -- jobs -----------------------------------------------------------------------------------------------------

    def _stage(self, fields: dict[str, int], wait: tuple[int, int] = (0, 0)) -> Fence:
        size = {"width": self._config.width, "height": self._config.height}
        job = size | {"log2_max_frame_num": 4, "slices": 1} | fields
        fence = self._owner.queue.stage_when_free(
            Command.ENCODE, session=self.number, block=pack_job(Kind.ENCODE, job), wait_session=wait[0],
            wait_sequence=wait[1],
        )  # fmt: skip
        self._jobs += 1
        return fence

    def _slot_address(self, slot: int) -> int:
        return self._area.address + slot * self._layout.slot_bytes

    def _record_fields(self, looked: Looked) -> dict[str, int]:
        return {
            "qp": _SEARCH_QP,
            "out_address": self._slot_address(looked.slot),
            "out_capacity": self._record_capacity,
        }

    def add(self, given: Any, source: dict[str, int], wait: tuple[int, int]) -> None:
        """Stage the first look at the next picture (the caller rings). `source`: fields that say where it is."""
        looked = Looked(given, self._halves.popleft(), self._slots.popleft(), self._forced)
        assert looked.half is not None
        given.looked = looked
        self._forced = False
        fields = source | self._record_fields(looked) | {
            "mode": EncodeMode.SHRINK,
            "recon_address": looked.half.address,
            "slice_type": SLICE_I,
        }  # fmt: skip
        if self._last is not None:
            assert self._last.half is not None
            looked.record = (self._last.given.number,)
            fields |= {"slice_type": SLICE_P, "ref_count": 1, "ref_address_0": self._last.half.address}
        looked.fence = self._stage(fields, wait)
        looked.fence.callback = lambda completion: self._looked_at(looked, completion)
        self._last = looked
        self._waiting.append(looked)
        self._holding.append(looked)

    def _summary(self, looked: Looked) -> tuple[int, int]:
        record = self._owner.device.backend.memory_read(self._slot_address(looked.slot), _SUMMARY.size)
        intra, best, _, _ = _SUMMARY.unpack(record)
        return intra, best

    def _looked_at(self, looked: Looked, completion: dict[str, int]) -> None:
        self._jobs -= 1
        if self._owner._failed(completion, Kind.ENCODE):
            return
        looked.summary = self._summary(looked)
        if looked.given.number:
            looked.cut = self._is_cut(looked.summary)
        self.advance()

    def _compare(self, looked: Looked, references: list[Looked]) -> Fence:
        """Stage a comparison with one picture before, or with one before and one after."""
        assert looked.half is not None
        fields = self._record_fields(looked) | {
            "mode": EncodeMode.LOOK,
            "src_address": looked.half.address,
            "slice_type": SLICE_B if len(references) > 1 else SLICE_P,
        }
        for name, reference in zip(("ref", "ref_l1"), references, strict=False):
            assert reference.half is not None
            fields |= {f"{name}_count": 1, f"{name}_address_0": reference.half.address}
        looked.record = tuple(reference.given.number for reference in references)
        return self._stage(fields)

    def _done(self, completion: dict[str, int]) -> None:
        self._jobs -= 1
        if not self._owner._failed(completion, Kind.ENCODE):
            self.advance()

    def _is_cut(self, summary: tuple[int, int]) -> bool:
        """Whether a picture has little in common with the one before: predicted hardly better from it than within."""
        intra, best = summary
        ratio = best / intra if intra else 0.0
        last, self._ratio = self._ratio, ratio
        return self._share is not None and ratio > self._share and ratio > _JUMP * last

    # -- decisions ------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """No picture will come."""
        self._ended = True
        self.advance()

    def advance(self) -> None:
        """Go as far as what is known allows, for all outputs of the source: order, plans, coding; then ring.

        All, since a completion of one may be what another one waits for: room on the ring, or a decision.
        """
        for one in self._family:
            one._advance()

    def _advance(self) -> None:
        if self._advancing or self._owner.has_failed or (self._owner._closed and not self._ended):
            return
        self._advancing, moved = True, False
        try:
            while self._step():
                moved = True
        finally:
            self._advancing = False
        if moved:
            self._owner.queue.ring()

    def _step(self) -> bool:
        # From a completion's callback nobody can wait for slots: the next completion or picture tries again.
        if self._owner.queue.room_for(_MOST_STAGED) < _MOST_STAGED:
            return False
        if self._ready_group():
            return True
        if len(self._known) > self.depth:
            return False  # a group waits for its buffers
        decisions = self._decide()
        for decision in decisions:
            self._take_place(self._waiting.popleft(), decision)
        if decisions:
            self._release_halves()
            return True
        if self._ended and not self._waiting and self._order.waiting:
            for header in self._order.flush():
                self._place(header)
            return True
        return False

    def _decide(self) -> list[Decision]:
        """About the pictures that take their places next; none: it is not known yet."""
        if not self._waiting or self._waiting[0].summary is None:
            return []
        if self._leader is not None:
            return [self._told.popleft()] if self._told else []
        length = self._group_length()
        found = [
            Decision(looked.cut, looked.forced, self._lengths is not None and number == length)
            for number, looked in enumerate(islice(self._waiting, length), start=1)
        ]
        for follower in self._family[1:]:
            follower._told.extend(found)
        for looked in islice(self._waiting, length):
            if looked.summary is not None and not looked.cut:
                self._past_cost += looked.summary[1] - (self._past_cost >> _PAST_SHIFT)
                self._past_count += 256 - (self._past_count >> _PAST_SHIFT)
        return found

    def _expected_qp(self, singles: Sequence[int]) -> int:
        """About the QP of P pictures: as asked for, or as pictures of such costs take the mean rate.

        From what was seen up to the pictures that are decided about, never from bits that came back: a choice must not
        depend on when they did.
        """
        config = self._config
        if config.bit_rate is None:
            return round(config.crf) if config.crf is not None else config.qp
        cost = (self._past_cost + sum(singles)) * 256
        count = self._past_count + 256 * len(singles)
        picture_bits = max(1, config.bit_rate * config.fps.denominator // config.fps.numerator)
        step = cost * PLAN_USUAL[PictureClass.P] // (count * picture_bits) >> 8
        return min(bisect_left(_STEPS, step), 51)

    def _take_place(self, looked: Looked, decision: Decision) -> None:
        if decision.forced or looked.forced:
            self._order.force_idr()
        for header in self._order.add(looked.given, decision.cut):
            self._place(header)
        if decision.ends_group:
            for header in self._order.flush():
                self._place(header)

    def _group_length(self) -> int:
        """How many of the pictures that wait take their places next, up to an anchor; 0: it is not known yet."""
        if self._trials:
            return 0
        if self._lengths is None:
            return 1
        group: list[Looked] = []
        most, closed = self._lengths.horizon, False
        if self._order.until_idr <= most:
            most, closed = max(1, self._order.until_idr), True
        for looked in self._waiting:
            if looked.summary is None or len(group) == most:
                break
            if looked.cut and not looked.forced and not self._cut_is_sure(looked, len(group)):
                return 0
            if looked.cut or looked.forced:
                most, closed = max(1, len(group)), True
                if group:
                    break
            group.append(looked)
        if most == 1:
            return 1
        if len(group) < most:
            if not self._ended or len(group) < len(self._waiting):
                return 0
            closed = True
        return self._tried_length(self._lengths, group, closed)

    def _cut_is_sure(self, looked: Looked, place: int) -> bool:
        """Whether it is known that the picture at `place` of those that wait begins a scene, or does not any more.

        It does not where one that comes soon after it is predicted well from the picture before it: then it is a flash,
        and that one begins none either. B pictures suit a flash; an IDR picture would keep the scene from going on.
        """
        before = self._waiting[place - 1] if place else self._anchor
        if looked.cut_is_sure or before is None or before.half is None:
            return True
        later = list(islice(self._waiting, place + 1, place + 1 + _FLASH_MOST))
        if any(one.summary is None for one in later) or (len(later) < _FLASH_MOST and not self._ended):
            return False
        looked.cut_is_sure = True

        def told(completion: dict[str, int], number: int, one: Looked) -> None:
            self._jobs -= 1
            if self._owner._failed(completion, Kind.ENCODE):
                return
            self._trials -= 1
            assert one.summary is not None
            assert self._share is not None
            if self._summary(one)[1] <= self._share * one.summary[0]:
                for end in (looked, *later[:number]):
                    end.cut = False
            self.advance()

        for number, one in enumerate(later, start=1):
            self._trials += 1
            self._compare(one, [before]).callback = partial(told, number=number, one=one)
        if self._trials:
            self._owner.queue.ring()
        return not self._trials

    def _tried_length(self, lengths: GroupLengths, pictures: list[Looked], closed: bool) -> int:
        """The length of the next group among `pictures`; 0: comparisons are under way."""
        assert self._anchor is not None
        by_number = {looked.given.number: looked for looked in (self._anchor, *pictures)}
        singles = [looked.summary[1] for looked in pictures if looked.summary is not None]
        lengths.begin(self._anchor.given.number, singles, closed, self._expected_qp(singles))
        for comparison in lengths.missing():
            looked = by_number[comparison[0]]

            def told(completion: dict[str, int], comparison: Comparison = comparison, looked: Looked = looked) -> None:
                self._jobs -= 1
                if not self._owner._failed(completion, Kind.ENCODE):
                    self._trials -= 1
                    lengths.tell(comparison, self._summary(looked)[1])
                    self.advance()

            self._trials += 1
            self._compare(looked, [by_number[n] for n in comparison[1:] if n is not None]).callback = told
        if self._trials:
            self._owner.queue.ring()
            return 0
        return lengths.length()

    def _place(self, header: PictureHeader) -> None:
        """A picture's place is known: look at it with the pictures that it will refer to."""
        self._known.append(Planned(header, list(self._order.kept)))
        looked: Looked = header.token.looked
        if header.slice_type != SLICE_B:
            self._anchor = looked
        references = [entries[0].token.looked for entries in header.lists if entries]
        wanted = tuple(reference.given.number for reference in references)
        # An I picture is compared with none; the record may be of the right ones already.
        if self._config.plans and wanted and wanted != looked.record:
            self._compare(looked, references).callback = self._done

    def _release_halves(self) -> None:
        """Jobs run in order: a half-size picture that no job to come needs is free for the next one."""
        needed = {id(self._last), *(id(looked) for looked in self._waiting)}
        needed.update(id(kept.token.looked) for kept in self._order.kept)
        needed.update(id(token.looked) for token in self._order.waiting_tokens)
        for looked in [one for one in self._holding if id(one) not in needed]:
            assert looked.half is not None
            self._halves.append(looked.half)
            looked.half = None
            self._holding.remove(looked)

    def _ready_group(self) -> bool:
        """Plan and code the next pictures, up to the next one that is no B picture, if all is there; True when so."""
        complete = self._ended and not self._waiting and not self._order.waiting
        if not self._known or (len(self._known) <= self.depth and not complete):
            return False
        size = 1
        while size < len(self._known) and self._known[size].header.slice_type == SLICE_B:
            size += 1
        if not self._begin(size):
            return False
        if not self._config.plans:
            for _ in range(size):
                self._code(self._known.popleft(), None)
            return True
        window = [self._known[number] for number in range(min(self.depth, len(self._known)))]
        size = min(size, len(window))
        final = complete and len(self._known) <= self.depth
        for planned, plan in zip(window, self._plan(window, size, final), strict=False):
            self._known.popleft()
            self._code(planned, plan)
        return True

    def _plan(self, window: list[Planned], size: int, final: bool) -> Iterator[Plan]:
        """Stage the HAND_ON job of a window; yield the places of its first `size` pictures."""
        tree = self._config.mbtree
        bias = TREE_BIAS if tree else PLAIN_BIAS
        fields = {"final": int(final)}
        if self._log is not None:
            fields = self._log.header_fields(self._position + len(window))
        slots = {id(planned.header.token): planned.header.token.looked.slot for planned in window}
        entries = b""
        for number, planned in enumerate(window):
            header = planned.header
            found = [
                slots.get(id(entries[0].token), _NO_SLOT) if entries else _NO_SLOT for entries in header.lists
            ]  # fmt: skip
            kind = picture_class(header)
            cost = self._log.picture(self._position + number, kind).cost if self._log is not None else 0
            entries += PLAN_ENTRY.pack(
                cost=cost,
                bias=bias[kind], picture_class=int(kind), idr=int(header.idr), slot=header.token.looked.slot,
                ref=found[0], ref_l1=found[1],
            )  # fmt: skip
        span = self._plans.popleft()
        self._owner.device.backend.memory_write(span.address, PLAN_HEADER.pack(fields, count=len(window)) + entries)
        fence = self._stage(
            {
                "mode": EncodeMode.HAND_ON,
                "slice_type": SLICE_I,
                "recon_address": self._area.address,
                "slots": self._slot_count,
                "out_address": span.address,
                "out_capacity": PLAN_BYTES,
                "plan_count": len(window),
                "tree_strength": TREE_STRENGTH if tree else 0,
                "aq_strength": self._config.aq_sixteenths,
            }
        )
        fence.callback = self._done
        self._users[span.address] = size
        self._position += size
        for index in range(size):
            slot = self._slot_address(window[index].header.token.looked.slot)
            yield Plan(span, index, slot + self._layout.qp_map, slot + self._layout.records, fence)

    def coded(self, given: Any, plan: Plan | None, completion: dict[str, int]) -> None:
        """A picture's encode job is done: its record is free, and its plan when it was the last one's."""
        self._slots.append(given.looked.slot)
        if plan is not None:
            self._planned_coded(plan, completion)
        self.advance()

    def _planned_coded(self, plan: Plan, completion: dict[str, int]) -> None:
        if self._config.pass_number == 1:
            at = plan.span.address + PLAN_HEADER.size_bytes + plan.index * PLAN_ENTRY.size_bytes
            entry = PLAN_ENTRY.unpack(self._owner.device.backend.memory_read(at, PLAN_ENTRY.size_bytes))
            self._passed.append(
                PassedPicture(
                    entry["picture_class"], completion["qp"], entry["offset"], entry["bias"],
                    8 * completion["output_bytes"],
                )
            )  # fmt: skip
            if self._ended and not self.held and len(self._slots) == self._slot_count:
                write_log(self._config, self._passed)
        self._users[plan.span.address] -= 1
        if not self._users[plan.span.address]:
            del self._users[plan.span.address]
            self._plans.append(plan.span)
