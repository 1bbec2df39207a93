"""The order of pictures in a group, as the driver's sessions code them by default (driver/gop.py: B pictures between
anchors, the middle one a reference of the others), for streams that no driver codes.

    for step in pattern(gop=60, b_frames=3, references=2)[8]: ...    # coded when picture 8 has come
"""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Step:
    """One coded picture. Numbers count in display order from the group's I picture.

    lists      pictures of list 0 and list 1
    reference  others refer to it
    """

    number: int
    kind: str  # I, P or B
    lists: tuple[tuple[int, ...], tuple[int, ...]]
    reference: bool


class _Group:
    def __init__(self, b_frames: int, references: int) -> None:
        depth = min(b_frames, 2)  # of the hierarchy
        self.references, self.capacity = references, max(references, 1 + depth if depth else 1)
        self.kept: list[int] = []

    def code(self, number: int, kind: str, reference: bool) -> Step:
        before = sorted((other for other in self.kept if other < number), reverse=True)[: self.references]
        after = sorted(other for other in self.kept if other > number)[:1] if kind == "B" else []
        if reference:
            if len(self.kept) >= self.capacity:
                self.kept.remove(min(self.kept))
            self.kept.append(number)
        return Step(number, kind, ((), ()) if kind == "I" else (tuple(before), tuple(after)), reference)


@lru_cache(maxsize=64)
def pattern(gop: int, b_frames: int, references: int) -> tuple[tuple[Step, ...], ...]:
    """What is coded when each picture of a closed group has come, by its number in display order."""
    group = _Group(b_frames, references)
    found: list[tuple[Step, ...]] = [(group.code(0, "I", True),)]
    waiting: list[int] = []
    for number in range(1, gop):
        waiting.append(number)
        if len(waiting) <= b_frames and number + 1 < gop:
            found.append(())
            continue
        steps = [group.code(number, "P", True)]
        between, waiting = waiting[:-1], []
        if len(between) > 1:
            middle = between.pop((len(between) - 1) // 2)
            steps.append(group.code(middle, "B", True))
        steps += [group.code(other, "B", False) for other in between]
        found.append(tuple(steps))
    return tuple(found)


def reach(gop: int, b_frames: int, references: int) -> int:
    """The furthest distance in display order of a picture and one that it refers to."""
    steps = [step for group in pattern(gop, b_frames, references) for step in group]
    return max((abs(step.number - other) for step in steps for each in step.lists for other in each), default=1)
