"""Groups of pictures: which type each picture has, in which order they are coded, and what refers to what.

Pictures come in display order. Between two anchors (I or P) stand up to `b_frames` B pictures, coded after the anchor
that follows them; with `b_ref_mode` the middle one (or every one that has B pictures on both sides) is a reference of
the others. An IDR picture closes the group before it. The decoder's picture buffer is mirrored here, so lists, marking
and numbers of the slice headers are facts, not hopes (H.264 8.2.4, 8.2.5).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

SLICE_P, SLICE_B, SLICE_I = range(3)
LOG2_MAX_FRAME_NUM = 8
LOG2_MAX_POC_LSB = 8
# Fields of the job block for each entry of list 0 and list 1: its order count, its frame_num.
_REFERENCE_FIELDS = tuple(
    tuple((f"{prefix}_poc_{number}", f"{prefix}_frame_num_{number}") for number in range(most))
    for prefix, most in (("ref", 4), ("ref_l1", 2))
)
B_REF_MODES = ("disabled", "middle", "each")


@dataclass(slots=True, eq=False)
class Kept:
    """A reference picture as the decoder keeps it. `token` is the caller's."""

    token: Any
    poc: int
    frame_num: int
    level: int  # 0 anchor, 1.. B picture


@dataclass(slots=True, eq=False)
class PictureHeader:
    """One picture in coding order: its place in the stream, and what it refers to."""

    token: Any
    slice_type: int
    idr: bool
    level: int  # 0 anchor; B pictures: depth in the hierarchy, from 1 on
    reference: bool
    frame_num: int
    idr_pic_id: int
    poc: int
    lists: tuple[tuple[Kept, ...], tuple[Kept, ...]] = ((), ())
    modify: int = 0  # bit 0, 1: list 0, 1 is not the one that the decoder starts from
    unmark: tuple[int, ...] = ()  # difference_of_pic_nums_minus1 of pictures to forget
    reordering: bool = False  # the session has B pictures: order counts are coded

    @property
    def fields(self) -> dict[str, int]:
        """The fields of the job block that follow from it; addresses are the session's."""
        lists = self.lists
        found = {
            "slice_type": self.slice_type,
            "idr": int(self.idr),
            "nal_ref_idc": (3 if self.slice_type == SLICE_I else 2) if self.reference else 0,
            "frame_num": self.frame_num,
            "idr_pic_id": self.idr_pic_id,
            "poc": self.poc,
            "poc_lsb": self.poc % (1 << LOG2_MAX_POC_LSB) if self.reordering else 0,
            "log2_max_frame_num": LOG2_MAX_FRAME_NUM,
            "log2_max_poc_lsb": LOG2_MAX_POC_LSB if self.reordering else 0,
            "ref_count": len(lists[0]),
            "ref_l1_count": len(lists[1]),
            "modify_lists": self.modify,
            "unmark_count": len(self.unmark),
        }
        if self.unmark:
            found |= {f"unmark_{number}": value for number, value in enumerate(self.unmark)}
        for names, entries in zip(_REFERENCE_FIELDS, lists, strict=True):
            for (poc, frame_num), kept in zip(names, entries, strict=False):
                found[poc], found[frame_num] = kept.poc, kept.frame_num
        return found


def hierarchy_depth(b_frames: int, b_ref_mode: str) -> int:
    """Levels of B pictures: as many pictures a decoder must hold back, and how deep references go."""
    if b_frames == 0:
        return 0
    if b_frames == 1 or b_ref_mode == "disabled":
        return 1
    return 2 if b_ref_mode == "middle" else b_frames.bit_length()


def buffered_references(references: int, b_frames: int, b_ref_mode: str) -> int:
    """max_num_ref_frames: what P pictures may use, and what the hierarchy of B pictures needs."""
    depth = hierarchy_depth(b_frames, b_ref_mode)
    return max(references, 1 + depth if depth else 1)


@dataclass
class PictureOrder:
    """Gives each picture its type, its place in coding order and its references."""

    gop_size: int
    references: int
    b_frames: int = 0
    b_ref_mode: str = "middle"
    references_l1: int = 1
    _waiting: list[Any] = field(default_factory=list)  # displayed after the last anchor, not yet coded
    _kept: list[Kept] = field(default_factory=list)
    _since_idr: int = 0  # pictures displayed since the last IDR picture, that one included
    _coded_references: int = 0  # since then
    _idr_count: int = 0
    _forced: bool = True

    @property
    def waiting(self) -> int:
        """Pictures that were given and are not coded yet."""
        return len(self._waiting)

    @property
    def waiting_tokens(self) -> tuple[Any, ...]:
        """Their tokens."""
        return tuple(self._waiting)

    @property
    def until_idr(self) -> int:
        """Pictures that can be given before one becomes an IDR picture by the group's length."""
        return 0 if self._forced else self.gop_size - self._since_idr - len(self._waiting)

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The reference pictures after the one coded last."""
        return tuple(self._kept)

    @property
    def capacity(self) -> int:
        """Reference pictures that the decoder keeps."""
        return buffered_references(self.references, self.b_frames, self.b_ref_mode)

    def force_idr(self) -> None:
        """Make the next picture an IDR picture."""
        self._forced = True

    def add(self, token: Any, cut: bool = False) -> Iterator[PictureHeader]:
        """Give the next picture in display order; yield the pictures that can be coded now.

        cut : it has little in common with the one before. It becomes an I picture, an IDR picture if the last one is
              at least a tenth of the group away.
        """
        if self._forced or self._since_idr + len(self._waiting) >= self.gop_size:
            idr = True
        else:
            idr = cut and self._since_idr + len(self._waiting) >= max(1, self.gop_size // 10)
        if idr:
            yield from self.flush()
            yield self._start(token)
        elif cut:
            yield from self.flush()
            yield self._anchor(token, SLICE_I)
        else:
            self._waiting.append(token)
            if len(self._waiting) > self.b_frames:
                yield from self.flush()

    def flush(self) -> Iterator[PictureHeader]:
        """Code what waits: its last picture becomes the anchor."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            first = self._since_idr
            yield self._anchor(waiting[-1], SLICE_P, len(waiting))
            yield from self._between([(token, 2 * (first + number)) for number, token in enumerate(waiting[:-1])], 1)

    def _start(self, token: Any) -> PictureHeader:
        self._forced = False
        self._since_idr, self._coded_references = 1, 1
        self._idr_count += 1
        self._kept = [Kept(token, 0, 0, 0)]
        # 7.4.3: neighbouring IDR pictures differ in idr_pic_id
        return PictureHeader(
            token, SLICE_I, True, 0, True, 0, (self._idr_count - 1) % 2, 0, reordering=self.b_frames > 0
        )

    def _anchor(self, token: Any, slice_type: int, advance: int = 1) -> PictureHeader:
        poc = 2 * (self._since_idr + advance - 1)
        self._since_idr += advance
        return self._code(token, slice_type, poc, 0, True)

    def _between(self, pictures: list[tuple[Any, int]], level: int) -> Iterator[PictureHeader]:
        """The B pictures between two coded ones: (token, order count)."""
        if not pictures:
            return
        parent = self.b_ref_mode != "disabled" and len(pictures) > 1 and (level == 1 or self.b_ref_mode == "each")
        if not parent:
            for token, poc in pictures:
                yield self._code(token, SLICE_B, poc, level, False)
            return
        middle = (len(pictures) - 1) // 2
        token, poc = pictures[middle]
        yield self._code(token, SLICE_B, poc, level, True)
        yield from self._between(pictures[:middle], level + 1)
        yield from self._between(pictures[middle + 1 :], level + 1)

    def _code(self, token: Any, slice_type: int, poc: int, level: int, reference: bool) -> PictureHeader:
        frame_num = self._coded_references % (1 << LOG2_MAX_FRAME_NUM)
        lists, modify = self._lists(slice_type, poc, frame_num)
        unmark: tuple[int, ...] = ()
        if reference:
            unmark = self._make_room(frame_num)
            self._kept.append(Kept(token, poc, frame_num, level))
            self._coded_references += 1
        return PictureHeader(
            token,
            slice_type,
            False,
            level,
            reference,
            frame_num,
            (self._idr_count - 1) % 2,
            poc,
            lists,
            modify,
            unmark,
            self.b_frames > 0,
        )

    def _picture_number(self, kept: Kept, frame_num: int) -> int:
        """FrameNumWrap (8-27)."""
        return kept.frame_num - (1 << LOG2_MAX_FRAME_NUM if kept.frame_num > frame_num else 0)

    def _lists(
        self, slice_type: int, poc: int, frame_num: int
    ) -> tuple[tuple[tuple[Kept, ...], tuple[Kept, ...]], int]:
        """The nearest pictures first. Those of B pictures are how the decoder starts anyway (8.2.4.2.3)."""
        before = sorted((kept for kept in self._kept if kept.poc < poc), key=lambda kept: -kept.poc)
        if slice_type == SLICE_I:
            return ((), ()), 0
        wanted = tuple(before[: self.references])
        if slice_type == SLICE_B:
            after = sorted((kept for kept in self._kept if kept.poc > poc), key=lambda kept: kept.poc)
            return (wanted, tuple(after[: self.references_l1])), 0
        initial = sorted(self._kept, key=lambda kept: -self._picture_number(kept, frame_num))
        return (wanted, ()), int(wanted != tuple(initial[: len(wanted)]))

    def _make_room(self, frame_num: int) -> tuple[int, ...]:
        """Forget the pictures that lie furthest back until one more fits; say which, if the decoder would not."""
        if len(self._kept) < self.capacity:
            return ()
        slides = min(self._kept, key=lambda kept: self._picture_number(kept, frame_num))
        oldest = min(self._kept, key=lambda kept: kept.poc)
        self._kept.remove(oldest)
        if oldest is slides:
            return ()
        return (frame_num - self._picture_number(oldest, frame_num) - 1,)
