"""Motion vector prediction in plain Python, from the text of H.264 8.4.1.1 and 8.4.1.3 (progressive pictures)."""

from asic_model.codecs.h264.macroblock import Macroblocks

# 4x4 block at (column, row) -> rank in coding order when every quadrant is cut into 4x4
_RANK = {(x, y): (y // 2 * 2 + x // 2) * 4 + (y % 2 * 2 + x % 2) for x in range(4) for y in range(4)}

Neighbour = tuple[bool, int, tuple[int, int]]  # available, refIdx, mv


def _at(mbs: Macroblocks, mb_width: int, mb: int, lst: int, own_rank: int, x: int, y: int) -> Neighbour:
    """Block at (x, y) relative to the macroblock's first 4x4 block, in blocks; 6.4.11.7 and 6.4.12."""
    missing = (False, -1, (0, 0))
    if 0 <= x < 4 and 0 <= y < 4:
        if _RANK[x, y] >= own_rank:
            return missing
        other = mb
    else:
        if y > 3 or (y >= 0 and x > 3):
            return missing
        column, row = mb % mb_width + (x // 4), mb // mb_width + (y // 4)
        if not 0 <= column < mb_width or row < 0:
            return missing
        other = row * mb_width + column
        if mbs.slice_id[other] != mbs.slice_id[mb]:
            return missing
    x, y = x % 4, y % 4
    ref = int(mbs.ref_idx[other, lst, y // 2 * 2 + x // 2])
    if ref < 0:
        return True, -1, (0, 0)
    mv = mbs.mv[other, lst, y * 4 + x]
    return True, ref, (int(mv[0]), int(mv[1]))


def _abc(
    mbs: Macroblocks, mb_width: int, mb: int, lst: int, x: int, y: int, width: int
) -> tuple[Neighbour, Neighbour, Neighbour]:
    rank = _RANK[x, y]
    a = _at(mbs, mb_width, mb, lst, rank, x - 1, y)
    b = _at(mbs, mb_width, mb, lst, rank, x, y - 1)
    c = _at(mbs, mb_width, mb, lst, rank, x + width, y - 1)
    if not c[0]:
        c = _at(mbs, mb_width, mb, lst, rank, x - 1, y - 1)
    return a, b, c


def predict(
    mbs: Macroblocks, mb_width: int, mb: int, lst: int, x: int, y: int, width: int, height: int, ref: int
) -> tuple[int, int]:
    """mvpLX of a partition; sizes and positions in 4x4 blocks."""
    a, b, c = _abc(mbs, mb_width, mb, lst, x, y, width)
    if (width, height) == (4, 2):
        chosen = b if y == 0 else a
        if chosen[1] == ref:
            return chosen[2]
    if (width, height) == (2, 4):
        chosen = a if x == 0 else c
        if chosen[1] == ref:
            return chosen[2]
    if not b[0] and not c[0] and a[0]:
        b = c = a
    matches = [n for n in (a, b, c) if n[1] == ref]
    if len(matches) == 1:
        return matches[0][2]
    xs, ys = (sorted(n[2][i] for n in (a, b, c)) for i in (0, 1))
    return xs[1], ys[1]


def predict_skip(mbs: Macroblocks, mb_width: int, mb: int) -> tuple[int, int]:
    """Vector of P_Skip."""
    a, b, _ = _abc(mbs, mb_width, mb, 0, 0, 0, 4)
    for n in (a, b):
        if not n[0] or (n[1] == 0 and n[2] == (0, 0)):
            return 0, 0
    return predict(mbs, mb_width, mb, 0, 0, 0, 4, 4, 0)
