"""Intra prediction written down from H.264 8.3 with plain Python ints: the slow twin of `engines.intra_prediction`.

Neighbours come as a function p(x, y) that returns a sample or None where it is not available.
"""

from collections.abc import Callable

Neighbours = Callable[[int, int], int | None]
Block = list[list[int]]


def _directional(p: Callable[[int, int], int], mode: int, n: int) -> Block:
    """8.3.1.2.4-9 (n = 4) and 8.3.2.2.5-10 (n = 8)."""
    pred = [[0] * n for _ in range(n)]
    for y in range(n):
        for x in range(n):
            if mode == 3:
                if x == n - 1 and y == n - 1:
                    v = (p(2 * n - 2, -1) + 3 * p(2 * n - 1, -1) + 2) >> 2
                else:
                    v = (p(x + y, -1) + 2 * p(x + y + 1, -1) + p(x + y + 2, -1) + 2) >> 2
            elif mode == 4:
                if x > y:
                    v = (p(x - y - 2, -1) + 2 * p(x - y - 1, -1) + p(x - y, -1) + 2) >> 2
                elif x < y:
                    v = (p(-1, y - x - 2) + 2 * p(-1, y - x - 1) + p(-1, y - x) + 2) >> 2
                else:
                    v = (p(0, -1) + 2 * p(-1, -1) + p(-1, 0) + 2) >> 2
            elif mode == 5:
                z, h = 2 * x - y, x - (y >> 1)
                if z >= 0 and z % 2 == 0:
                    v = (p(h - 1, -1) + p(h, -1) + 1) >> 1
                elif z >= 0:
                    v = (p(h - 2, -1) + 2 * p(h - 1, -1) + p(h, -1) + 2) >> 2
                elif z == -1:
                    v = (p(-1, 0) + 2 * p(-1, -1) + p(0, -1) + 2) >> 2
                else:
                    v = (p(-1, y - 2 * x - 1) + 2 * p(-1, y - 2 * x - 2) + p(-1, y - 2 * x - 3) + 2) >> 2
            elif mode == 6:
                z, h = 2 * y - x, y - (x >> 1)
                if z >= 0 and z % 2 == 0:
                    v = (p(-1, h - 1) + p(-1, h) + 1) >> 1
                elif z >= 0:
                    v = (p(-1, h - 2) + 2 * p(-1, h - 1) + p(-1, h) + 2) >> 2
                elif z == -1:
                    v = (p(-1, 0) + 2 * p(-1, -1) + p(0, -1) + 2) >> 2
                else:
                    v = (p(x - 2 * y - 1, -1) + 2 * p(x - 2 * y - 2, -1) + p(x - 2 * y - 3, -1) + 2) >> 2
            elif mode == 7:
                h = x + (y >> 1)
                if y % 2 == 0:
                    v = (p(h, -1) + p(h + 1, -1) + 1) >> 1
                else:
                    v = (p(h, -1) + 2 * p(h + 1, -1) + p(h + 2, -1) + 2) >> 2
            else:
                z, h = x + 2 * y, y + (x >> 1)
                if z > 2 * n - 3:
                    v = p(-1, n - 1)
                elif z == 2 * n - 3:
                    v = (p(-1, n - 2) + 3 * p(-1, n - 1) + 2) >> 2
                elif z % 2 == 0:
                    v = (p(-1, h) + p(-1, h + 1) + 1) >> 1
                else:
                    v = (p(-1, h) + 2 * p(-1, h + 1) + p(-1, h + 2) + 2) >> 2
            pred[y][x] = v
    return pred


def _square(p: Neighbours, mode: int, n: int) -> Block | None:
    """Intra4x4 and Intra8x8 from neighbours whose row above right is already substituted; None: not allowed."""

    def need(x: int, y: int) -> int:
        value = p(x, y)
        assert value is not None, (mode, x, y)
        return value

    left, top, corner = p(-1, 0) is not None, p(0, -1) is not None, p(-1, -1) is not None
    log2 = n.bit_length() - 1
    if mode == 2:
        above = sum(need(x, -1) for x in range(n)) if top else 0
        beside = sum(need(-1, y) for y in range(n)) if left else 0
        if top and left:
            value = (above + beside + n) >> (log2 + 1)
        elif top or left:
            value = (above + beside + n // 2) >> log2
        else:
            value = 128
        return [[value] * n for _ in range(n)]
    if mode == 0:
        return [[need(x, -1) for x in range(n)] for _ in range(n)] if top else None
    if mode == 1:
        return [[need(-1, y)] * n for y in range(n)] if left else None
    if (mode in (3, 7) and not top) or (mode == 8 and not left):
        return None
    if mode in (4, 5, 6) and not (left and top and corner):
        return None
    return _directional(need, mode, n)


def _with_top_right(p: Neighbours, n: int) -> Neighbours:
    """8.3.1.2, 8.3.2.2: p[n - 1, -1] stands in for an unavailable row above right."""

    def substituted(x: int, y: int) -> int | None:
        if y == -1 and x >= n and p(x, y) is None:
            return p(n - 1, -1)
        return p(x, y)

    return substituted


def intra_4x4(p: Neighbours, mode: int) -> Block | None:
    return _square(_with_top_right(p, 4), mode, 4)


def intra_8x8(p: Neighbours, mode: int) -> Block | None:
    return _square(filter_8x8(_with_top_right(p, 8)), mode, 8)


def filter_8x8(p: Neighbours) -> Neighbours:
    """8.3.2.2.1, reference sample filtering."""
    out: dict[tuple[int, int], int] = {}
    corner = p(-1, -1)
    if p(0, -1) is not None:
        t = [p(x, -1) or 0 for x in range(16)]
        out[0, -1] = (3 * t[0] + t[1] + 2) >> 2 if corner is None else (corner + 2 * t[0] + t[1] + 2) >> 2
        for x in range(1, 15):
            out[x, -1] = (t[x - 1] + 2 * t[x] + t[x + 1] + 2) >> 2
        out[15, -1] = (t[14] + 3 * t[15] + 2) >> 2
    if corner is not None:
        t0, l0 = p(0, -1), p(-1, 0)
        if t0 is None and l0 is None:
            out[-1, -1] = corner
        elif t0 is None or l0 is None:
            out[-1, -1] = (3 * corner + (l0 if t0 is None else t0) + 2) >> 2  # type: ignore[operator]
        else:
            out[-1, -1] = (t0 + 2 * corner + l0 + 2) >> 2
    if p(-1, 0) is not None:
        s = [p(-1, y) or 0 for y in range(8)]
        out[-1, 0] = (3 * s[0] + s[1] + 2) >> 2 if corner is None else (corner + 2 * s[0] + s[1] + 2) >> 2
        for y in range(1, 7):
            out[-1, y] = (s[y - 1] + 2 * s[y] + s[y + 1] + 2) >> 2
        out[-1, 7] = (s[6] + 3 * s[7] + 2) >> 2
    return lambda x, y: out.get((x, y))


def _gradient(p: Callable[[int, int], int], n: int, slope: int) -> Block:
    """8.3.3.4 and 8.3.4.4 (4:2:0)."""
    half = n // 2
    h = sum((i + 1) * (p(half + i, -1) - p(half - 2 - i, -1)) for i in range(half))
    v = sum((i + 1) * (p(-1, half + i) - p(-1, half - 2 - i)) for i in range(half))
    b, c = (slope * h + 32) >> 6, (slope * v + 32) >> 6
    a = 16 * (p(-1, n - 1) + p(n - 1, -1))
    return [
        [min(max((a + b * (x - half + 1) + c * (y - half + 1) + 16) >> 5, 0), 255) for x in range(n)] for y in range(n)
    ]


def _known(p: Neighbours) -> Callable[[int, int], int]:
    def need(x: int, y: int) -> int:
        value = p(x, y)
        assert value is not None
        return value

    return need


def intra_16x16(p: Neighbours, mode: int) -> Block | None:
    need = _known(p)
    top = p(0, -1) is not None
    left = all(p(-1, y) is not None for y in range(16))
    if mode == 0:
        return [[need(x, -1) for x in range(16)] for _ in range(16)] if top else None
    if mode == 1:
        return [[need(-1, y)] * 16 for y in range(16)] if left else None
    if mode == 2:
        total = sum(need(x, -1) for x in range(16)) * top if top else 0
        total += sum(need(-1, y) for y in range(16)) if left else 0
        value = (total + 16) >> 5 if top and left else (total + 8) >> 4 if top or left else 128
        return [[value] * 16 for _ in range(16)]
    return _gradient(need, 16, 5) if top and left and p(-1, -1) is not None else None


def chroma(p: Neighbours, mode: int) -> Block | None:
    """8.3.4 for 4:2:0."""
    need = _known(p)
    top = p(0, -1) is not None
    left = all(p(-1, y) is not None for y in range(8))
    if mode == 2:
        return [[need(x, -1) for x in range(8)] for _ in range(8)] if top else None
    if mode == 1:
        return [[need(-1, y)] * 8 for y in range(8)] if left else None
    if mode == 3:
        return _gradient(need, 8, 34) if top and left and p(-1, -1) is not None else None
    pred = [[0] * 8 for _ in range(8)]
    for y0 in (0, 4):
        for x0 in (0, 4):
            above = sum(need(x0 + i, -1) for i in range(4)) if top else None
            beside = sum(need(-1, y0 + i) for i in range(4)) if p(-1, y0) is not None else None
            if x0 == y0 and above is not None and beside is not None:
                value = (above + beside + 4) >> 3
            elif above is None and beside is None:
                value = 128
            else:
                order = [above, beside] if x0 > 0 and y0 == 0 else [beside, above]
                value = (next(s for s in order if s is not None) + 2) >> 2
            for y in range(4):
                for x in range(4):
                    pred[y0 + y][x0 + x] = value
    return pred
