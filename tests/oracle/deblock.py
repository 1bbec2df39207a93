"""The deblocking filter written down from H.264 8.7 with plain Python ints: the slow twin of `engines.deblock`.

A picture is three lists of rows; macroblocks are `Macroblocks` rows. Progressive frames and field pictures.
"""

from dataclasses import dataclass
from typing import Any

from asic_model.codecs.h264.macroblock import I_PCM
from asic_model.codecs.h264.tables import table

ALPHA, BETA, TC0 = table("table_8_16_alpha"), table("table_8_16_beta"), table("table_8_17_tC0")
QPC = table("table_8_15_QPc")
Plane = list[list[int]]


def clip3(low: int, high: int, value: int) -> int:
    return min(max(value, low), high)


@dataclass
class Context:
    mbs: Any
    slices: Any
    width_mbs: int
    field: bool


def block_index(x: int, y: int) -> int:
    """6.4.3 inverted: blkIdx of the 4x4 block at (x, y) in blocks."""
    return 8 * (y // 2) + 4 * (x // 2) + 2 * (y % 2) + x % 2


def has_levels(c: Context, mb: int, x: int, y: int) -> bool:
    """Whether the transform block at 4x4 block (x, y) has non-zero levels."""
    if not (int(c.mbs.cbp[mb]) >> (2 * (y // 2) + x // 2)) & 1:
        return False
    counts = [int(v) for v in c.mbs.total_coeff[mb]]
    if c.mbs.transform_8x8[mb]:
        first = 4 * (2 * (y // 2) + x // 2)
        return any(counts[first : first + 4])
    return counts[block_index(x, y)] > 0


def motion(c: Context, mb: int, x: int, y: int) -> list[tuple[int, int, int]]:
    """(reference picture, mvx, mvy) of each list in use."""
    found = []
    for which in range(2):
        index = int(c.mbs.ref_idx[mb, which, 2 * (y // 2) + x // 2])
        if index >= 0:
            picture = int(c.slices.pictures[int(c.mbs.slice_id[mb]), which, index])
            mvx, mvy = (int(v) for v in c.mbs.mv[mb, which, 4 * y + x])
            found.append((picture, mvx, mvy))
    return found


def far(c: Context, a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    limit = 2 if c.field else 4  # quarter frame samples
    return abs(a[1] - b[1]) >= 4 or abs(a[2] - b[2]) >= limit


def strength(
    c: Context, mb_p: int, p: tuple[int, int], mb_q: int, q: tuple[int, int], mb_edge: bool, upright: bool
) -> int:
    """8.7.2.1 without MBAFF and SP/SI; p, q: 4x4 blocks."""
    if c.mbs.mb_type[mb_p] <= I_PCM or c.mbs.mb_type[mb_q] <= I_PCM:
        return 4 if mb_edge and (upright or not c.field) else 3
    if has_levels(c, mb_p, *p) or has_levels(c, mb_q, *q):
        return 2
    a, b = motion(c, mb_p, *p), motion(c, mb_q, *q)
    if len(a) != len(b) or sorted(m[0] for m in a) != sorted(m[0] for m in b):
        return 1
    if len(a) == 1:
        return int(far(c, a[0], b[0]))
    if a[0][0] != a[1][0]:
        other = b if b[0][0] == a[0][0] else b[::-1]
        return int(far(c, a[0], other[0]) or far(c, a[1], other[1]))
    straight = far(c, a[0], b[0]) or far(c, a[1], b[1])
    crossed = far(c, a[0], b[1]) or far(c, a[1], b[0])
    return int(straight and crossed)


def filter_samples(p: list[int], q: list[int], bs: int, index_a: int, index_b: int, luma: bool) -> None:
    """8.7.2.2-4 in place on p[0..3], q[0..3]."""
    alpha, beta = ALPHA[index_a], BETA[index_b]
    if bs == 0 or abs(p[0] - q[0]) >= alpha or abs(p[1] - p[0]) >= beta or abs(q[1] - q[0]) >= beta:
        return
    a_p, a_q = abs(p[2] - p[0]), abs(q[2] - q[0])
    p0, p1, p2, q0, q1, q2 = *p[:3], *q[:3]
    if bs < 4:
        tc0 = TC0[index_a][bs - 1]
        tc = tc0 + (a_p < beta) + (a_q < beta) if luma else tc0 + 1
        delta = clip3(-tc, tc, (((q0 - p0) << 2) + (p1 - q1) + 4) >> 3)
        p[0], q[0] = clip3(0, 255, p0 + delta), clip3(0, 255, q0 - delta)
        if luma and a_p < beta:
            p[1] = p1 + clip3(-tc0, tc0, (p2 + ((p0 + q0 + 1) >> 1) - (p1 << 1)) >> 1)
        if luma and a_q < beta:
            q[1] = q1 + clip3(-tc0, tc0, (q2 + ((p0 + q0 + 1) >> 1) - (q1 << 1)) >> 1)
        return
    near = abs(p0 - q0) < (alpha >> 2) + 2
    if luma and a_p < beta and near:
        p[0] = (p2 + 2 * p1 + 2 * p0 + 2 * q0 + q1 + 4) >> 3
        p[1] = (p2 + p1 + p0 + q0 + 2) >> 2
        p[2] = (2 * p[3] + 3 * p2 + p1 + p0 + q0 + 4) >> 3
    else:
        p[0] = (2 * p1 + p0 + q1 + 2) >> 2
    if luma and a_q < beta and near:
        q[0] = (p1 + 2 * p0 + 2 * q0 + 2 * q1 + q2 + 4) >> 3
        q[1] = (p0 + q0 + q1 + q2 + 2) >> 2
        q[2] = (2 * q[3] + 3 * q2 + q1 + q0 + p0 + 4) >> 3
    else:
        q[0] = (2 * q1 + q0 + p1 + 2) >> 2


def deblock(planes: list[Plane], c: Context) -> list[int]:
    """Filter in place; return the pieces of edges with strength > 0 of each macroblock (chroma pairs count once)."""
    pieces = []
    for mb in range(len(c.mbs.mb_type)):
        pieces.append(0)
        number = int(c.mbs.slice_id[mb])
        if number < 0 or c.slices.disable[number] == 1:
            continue
        x_mb, y_mb = mb % c.width_mbs, mb // c.width_mbs

        def reachable(other: int, mb: int = mb, number: int = number) -> bool:
            same = c.mbs.slice_id[other] == c.mbs.slice_id[mb]
            return bool(c.mbs.slice_id[other] >= 0 and (c.slices.disable[number] == 0 or same))

        has_left = x_mb > 0 and reachable(mb - 1)
        has_top = y_mb > 0 and reachable(mb - c.width_mbs)
        for component, plane in enumerate(planes):
            luma = component == 0
            size = 16 if luma else 8
            for upright in (True, False):
                for edge in range(0, 16, 4):
                    if edge == 0 and not (has_left if upright else has_top):
                        continue
                    if luma and edge % 8 and c.mbs.transform_8x8[mb]:
                        continue
                    if not luma and edge % 8:
                        continue
                    for k in range(size):
                        along = k if luma else 2 * k  # luma coordinates
                        at = (edge, along) if upright else (along, edge)
                        q_block = (at[0] // 4, at[1] // 4)
                        other, p_block = mb, q_block
                        if upright:
                            other = mb - 1 if edge == 0 else mb
                            p_block = ((edge - 1) // 4 % 4, q_block[1])
                        else:
                            other = mb - c.width_mbs if edge == 0 else mb
                            p_block = (q_block[0], (edge - 1) // 4 % 4)
                        bs = strength(c, other, p_block, mb, q_block, edge == 0, upright)
                        if bs and component < 2 and along % 4 == 0:
                            pieces[mb] += 1
                        qps = [0 if c.mbs.mb_type[m] == I_PCM else int(c.mbs.qp[m]) for m in (other, mb)]
                        if not luma:
                            shift = int((c.slices.cb_offset if component == 1 else c.slices.cr_offset)[number])
                            qps = [QPC[clip3(0, 51, qp + shift)] for qp in qps]
                        average = (qps[0] + qps[1] + 1) >> 1
                        index_a = clip3(0, 51, average + int(c.slices.alpha_offset[number]))
                        index_b = clip3(0, 51, average + int(c.slices.beta_offset[number]))
                        x0, y0 = x_mb * size, y_mb * size
                        e = edge if luma else edge // 2
                        reach = 4 if luma else 2
                        if upright:
                            spots_p = [(y0 + k, x0 + e - 1 - i) for i in range(reach)]
                            spots_q = [(y0 + k, x0 + e + i) for i in range(reach)]
                        else:
                            spots_p = [(y0 + e - 1 - i, x0 + k) for i in range(reach)]
                            spots_q = [(y0 + e + i, x0 + k) for i in range(reach)]
                        p = [plane[r][s] for r, s in spots_p] + [0] * (4 - reach)
                        q = [plane[r][s] for r, s in spots_q] + [0] * (4 - reach)
                        filter_samples(p, q, bs, index_a, index_b, luma)
                        for spots, values in ((spots_p, p), (spots_q, q)):
                            for (r, s), value in zip(spots, values[:reach], strict=True):
                                plane[r][s] = value
    return pieces
