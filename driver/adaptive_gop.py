"""Adaptive groups: how many B pictures stand before the next anchor, by what the pictures would cost.

The pictures behind an anchor are tried as a group of each length: the last one predicted from the anchor, B pictures
between them as `PictureOrder` would place them. A group's cost is set against that of the same pictures as P pictures,
each from the one before. Where the longest group has the least share, it is taken. Else all ways to divide the pictures
of two longest groups are weighed, and the first group of the cheapest one is taken: what suits a group alone may leave
the next one badly placed, and pictures that a source coded better than others are worth being anchors. A B picture is
worth the more, the coarser pictures are coded: its cost counts less at high QPs. Costs are those of the first pass on
the chip (asic_model/engines/first_pass.py), whole numbers, so a choice is the same everywhere.
"""

from collections.abc import Sequence
from functools import cache

from driver.gop import PictureOrder

# What a B picture's cost counts, in sixteenths, where the longest group is judged and where divisions are: it is coded
# coarser, and nothing or little is predicted from it. By the least QP of P pictures that it holds for.
B_SHARES = ((27, 13, 12), (20, 14, 13), (0, 15, 14))
# What a P picture counts that is a group of its own: costs of source pictures at half size do not see what a row of
# them codes again and again, noise and the error of the picture before.
P_ALONE = 19
_GROUPS = 2  # longest ones that are weighed together
_ALL_UP_TO = 4  # beyond that only the longest group is tried
# A picture and what it is compared with: its number, that of the picture before, and of the one after.
Comparison = tuple[int, int, int | None]


@cache
def group_shape(length: int, b_ref_mode: str) -> tuple[Comparison, ...]:
    """The comparisons of a group of `length` pictures behind picture 0, its anchor's first."""
    order = PictureOrder(length + 1, 1, length - 1, b_ref_mode)
    headers = [header for number in range(length + 1) for header in order.add(number)][1:]
    return tuple(
        (header.token, before[0].token, after[0].token if after else None)
        for header in headers
        for before, after in (header.lists,)
    )


class GroupLengths:
    """Chooses one group after the other. The owner makes the comparisons that `missing` names, and tells their costs.

    Pictures are called by their numbers in display order.
    """

    def __init__(self, b_frames: int, b_ref_mode: str) -> None:
        self._b_ref_mode = b_ref_mode
        self.longest = b_frames + 1
        self._lengths = [*range(1, min(self.longest, _ALL_UP_TO) + 1)]
        if self.longest > _ALL_UP_TO:
            self._lengths.append(self.longest)
        self.horizon = _GROUPS * self.longest  # pictures that are looked at, if no I picture comes before
        self._costs: dict[Comparison, int] = {}
        self._anchor = self._count = 0
        self._closed = False
        _, self._share_alone, self._share = B_SHARES[-1]

    def begin(self, anchor: int, singles: Sequence[int], closed: bool, qp: int) -> None:
        """The next group stands behind picture `anchor`.

        singles : cost of each picture behind it, predicted from the one before it; `horizon` of them at most
        closed  : the last one must be an anchor, as an I picture or nothing follows
        qp      : about that of P pictures
        """
        _, self._share_alone, self._share = next(shares for shares in B_SHARES if qp >= shares[0])
        self._anchor, self._count, self._closed = anchor, len(singles), closed
        self._costs = {key: cost for key, cost in self._costs.items() if key[1] >= anchor}
        self._costs |= {(anchor + n, anchor + n - 1, None): cost for n, cost in enumerate(singles, start=1)}

    def _shape(self, start: int, length: int) -> list[Comparison]:
        """The comparisons of a group behind the `start`-th picture after the anchor."""
        first = self._anchor + start
        return [
            (first + number, first + before, None if after is None else first + after)
            for number, before, after in group_shape(length, self._b_ref_mode)
        ]

    def _groups(self, everywhere: bool) -> list[tuple[int, int]]:
        """(start, length) of the groups that are tried: behind the anchor, or behind every picture."""
        starts = range(self._count if everywhere else 1)
        return [(start, length) for start in starts for length in self._lengths if start + length <= self._count]

    def missing(self) -> list[Comparison]:
        """Comparisons to make next, one of a picture at most: a comparison takes the place of the picture's last one.

        Those of the longest group behind the anchor come last, as it is the likeliest.
        """
        for everywhere in (False, True):
            if everywhere and self._longest_is_best():
                break
            groups = self._groups(everywhere)
            likeliest = self._shape(*self._groups(False)[-1])
            found: dict[int, Comparison] = {}
            for group in groups:
                for comparison in self._shape(*group):
                    if comparison not in self._costs and found.get(comparison[0], likeliest[0]) in likeliest:
                        found[comparison[0]] = comparison
            if found:
                return list(found.values())
        return []

    def tell(self, comparison: Comparison, cost: int) -> None:
        self._costs[comparison] = cost

    def _cost(self, start: int, length: int, b_share: int) -> int:
        """Of a group, in sixteenths."""
        anchor, *between = (self._costs[comparison] for comparison in self._shape(start, length))
        return (16 if between else P_ALONE) * anchor + b_share * sum(between)

    def _single(self, count: int) -> int:
        """Of the first pictures, each predicted from the one before."""
        first = self._anchor
        return sum(self._costs[first + number, first + number - 1, None] for number in range(1, count + 1))

    def _longest_is_best(self) -> bool:
        *others, longest = [length for _, length in self._groups(False)]
        cost, single = self._cost(0, longest, self._share_alone), self._single(longest)
        return all(cost * self._single(n) <= self._cost(0, n, self._share_alone) * single for n in others)

    def length(self) -> int:
        """Pictures of the group; of equal ones the longest. Nothing is missing."""
        if self._longest_is_best():
            return self._groups(False)[-1][1]
        # By pictures divided so far: (least cost, length of the last group)
        best: list[tuple[int, int]] = [(0, 0)]
        for end in range(1, self._count + 1):
            ways = [(best[end - n][0] + self._cost(end - n, n, self._share), -n) for n in self._lengths if n <= end]
            cost, length = min(ways)
            best.append((cost, -length))
        end = self._count
        if not self._closed:
            # It may end with any group that reaches the last pictures: the least share wins, of equal ones the last.
            for other in range(self._count - 1, max(0, self._count - self.longest), -1):
                if best[other][0] * self._single(end) < best[end][0] * self._single(other):
                    end = other
        while end > best[end][1]:
            end -= best[end][1]
        return end
