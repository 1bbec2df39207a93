"""Vector primitives of the deblocking filter (H.264 8.7.2): one edge of a macroblock at a time, boundary strengths.

A luma edge has 16 samples, a 4:2:0 chroma edge 8; four strengths stand in `strengths[strengths_offset..]`, one for each
quarter of the edge. `across` edges lie between rows ("horizontal edges" of the standard), `upright` ones between
columns. `offset` is that of the first sample q0, behind the edge.

Normal edges have strengths 0 to 3, strong ones 4 everywhere; `limits` holds tC0 by strength (0..3) at `limits_offset`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.simd.emit import Emitter, Vector, primitive
from asic_model.simd.transforms import transpose


def _normal(taps: Sequence[Vector], strengths: Vector, tc0: Vector, alpha: Vector, beta: Vector, luma: bool) -> Any:
    """8.7.2.3. taps: p2 p1 p0 q0 q1 q2 (chroma p1 p0 q0 q1) as 16-bit lanes; returns them filtered."""
    if luma:
        p2, p1, p0, q0, q1, q2 = taps
    else:
        p1, p0, q0, q1 = taps
    filtered = (p0 - q0).abs().less(alpha).both((p1 - p0).abs().less(beta)).both((q1 - q0).abs().less(beta))
    filtered = filtered.both(strengths.differs(0))
    zero, one = tc0 - tc0, tc0 - tc0 + 1
    tc = tc0
    if luma:
        smooth_p, smooth_q = (p2 - p0).abs().less(beta), (q2 - q0).abs().less(beta)
        tc = tc + smooth_p.select(one, zero) + smooth_q.select(one, zero)
    else:
        tc = tc + 1
    delta = (((q0 - p0) << 2) + (p1 - q1) + 4) >> 3
    delta = filtered.select(delta.max(-tc).min(tc), zero)
    new_p0, new_q0 = (p0 + delta).clip(0, 255), (q0 - delta).clip(0, 255)
    if not luma:
        return [p1, new_p0, new_q0, q1]
    middle = (p0 + q0 + 1) >> 1
    step_p = ((p2 + middle - (p1 << 1)) >> 1).max(-tc0).min(tc0)
    step_q = ((q2 + middle - (q1 << 1)) >> 1).max(-tc0).min(tc0)
    new_p1 = p1 + filtered.both(smooth_p).select(step_p, zero)
    new_q1 = q1 + filtered.both(smooth_q).select(step_q, zero)
    return [p2, new_p1, new_p0, new_q0, new_q1, q2]


def _strong(taps: Sequence[Vector], alpha: Vector, beta: Vector, luma: bool) -> Any:
    """8.7.2.4. taps: p3 p2 p1 p0 q0 q1 q2 q3 (chroma p1 p0 q0 q1)."""
    if luma:
        p3, p2, p1, p0, q0, q1, q2, q3 = taps
    else:
        p1, p0, q0, q1 = taps
    gap = (p0 - q0).abs()
    filtered = gap.less(alpha).both((p1 - p0).abs().less(beta)).both((q1 - q0).abs().less(beta))
    weak_p, weak_q = ((p1 << 1) + p0 + q1 + 2) >> 2, ((q1 << 1) + q0 + p1 + 2) >> 2
    if not luma:
        return [p1, filtered.select(weak_p, p0), filtered.select(weak_q, q0), q1]
    small = gap.less((alpha >> 2) + 2)
    side = []
    for a3, a2, a1, a0, b0, b1, weak in ((p3, p2, p1, p0, q0, q1, weak_p), (q3, q2, q1, q0, p0, p1, weak_q)):
        deep = filtered.both(small).both((a2 - a0).abs().less(beta))
        core = a1 + a0 + b0
        new_0 = deep.select((a2 + (core << 1) + b1 + 4) >> 3, filtered.select(weak, a0))
        new_1 = deep.select((a2 + core + 2) >> 2, a1)
        new_2 = deep.select(((a3 << 1) + a2 * 3 + core + 4) >> 3, a2)
        side.append((new_0, new_1, new_2))
    (p0, p1, p2), (q0, q1, q2) = side
    return [p3, p2, p1, p0, q0, q1, q2, q3]


def _edge_emission(luma: bool, strong: bool, upright: bool) -> Any:
    count = 16 if luma else 8
    reach = (4 if strong or upright else 3) if luma else 2  # samples loaded on each side

    def emission(emitter: Emitter, plane: Any, offset: Any, stride: Any, *rest: Any) -> None:
        if strong:
            alpha, beta = rest
        else:
            strengths, strengths_offset, alpha, beta, limits, limits_offset = rest
        if upright:
            # Rows i and i + half side by side, so that transposing squares gives one vector a column
            half = count // 2
            start = emitter.add(offset, -reach)
            loaded = [plane.load(emitter.row(start, stride, y), 2 * reach) for y in range(count)]
            taps = transpose([loaded[y].join(loaded[y + half]) for y in range(half)])
        else:
            taps = [plane.load(emitter.row(offset, stride, y), count) for y in range(-reach, reach)]
        wide = [vector.widen_unsigned(16) for vector in taps]
        alpha_lanes, beta_lanes = emitter.splat(alpha, count, 16), emitter.splat(beta, count, 16)
        if strong:
            result = _strong(wide, alpha_lanes, beta_lanes, luma)
        else:
            quarters = [lane * 4 // count for lane in range(count)]
            strength = strengths.load(strengths_offset, 4).shuffle(quarters).widen_unsigned(16)
            table = limits.load(limits_offset, 4).widen_unsigned(16)
            tc0 = table.shuffle([1] * count)
            for value in (2, 3):
                tc0 = strength.less(value).select(tc0, table.shuffle([value] * count))
            core = wide[1:-1] if luma and reach == 4 else wide
            result = _normal(core, strength, tc0, alpha_lanes, beta_lanes, luma)
            if luma and reach == 4:
                result = [wide[0], *result, wide[-1]]
        samples = [vector.narrow(8) for vector in result]
        if upright:
            for y, line in enumerate(transpose(samples)):
                plane.store(emitter.row(start, stride, y), line.part(0, 2 * reach))
                plane.store(emitter.row(start, stride, y + half), line.part(2 * reach, 2 * reach))
        else:
            changed = range(1, 2 * reach - 1)  # the outermost samples never change
            for y in changed:
                plane.store(emitter.row(offset, stride, y - reach), samples[y])

    return emission


@kernel
def filter_luma_sample(plane, at, step, strength, alpha, beta, tc0):
    """Filter the eight samples across a luma edge around q0 at `at`, `step` apart; strength 1..4 (8.7.2.2-8.7.2.4)."""
    p0, p1, p2 = np.int64(plane[at - step]), np.int64(plane[at - 2 * step]), np.int64(plane[at - 3 * step])
    q0, q1, q2 = np.int64(plane[at]), np.int64(plane[at + step]), np.int64(plane[at + 2 * step])
    if not (abs(p0 - q0) < alpha and abs(p1 - p0) < beta and abs(q1 - q0) < beta):
        return
    smooth_p, smooth_q = abs(p2 - p0) < beta, abs(q2 - q0) < beta
    if strength < 4:
        tc = tc0 + smooth_p + smooth_q
        delta = min(max((((q0 - p0) << 2) + (p1 - q1) + 4) >> 3, -tc), tc)
        plane[at - step], plane[at] = min(max(p0 + delta, 0), 255), min(max(q0 - delta, 0), 255)
        middle = (p0 + q0 + 1) >> 1
        if smooth_p:
            plane[at - 2 * step] = p1 + min(max((p2 + middle - (p1 << 1)) >> 1, -tc0), tc0)
        if smooth_q:
            plane[at + step] = q1 + min(max((q2 + middle - (q1 << 1)) >> 1, -tc0), tc0)
        return
    small = abs(p0 - q0) < (alpha >> 2) + 2
    if small and smooth_p:
        p3 = np.int64(plane[at - 4 * step])
        plane[at - step] = (p2 + 2 * p1 + 2 * p0 + 2 * q0 + q1 + 4) >> 3
        plane[at - 2 * step] = (p2 + p1 + p0 + q0 + 2) >> 2
        plane[at - 3 * step] = (2 * p3 + 3 * p2 + p1 + p0 + q0 + 4) >> 3
    else:
        plane[at - step] = (2 * p1 + p0 + q1 + 2) >> 2
    if small and smooth_q:
        q3 = np.int64(plane[at + 3 * step])
        plane[at] = (p1 + 2 * p0 + 2 * q0 + 2 * q1 + q2 + 4) >> 3
        plane[at + step] = (p0 + q0 + q1 + q2 + 2) >> 2
        plane[at + 2 * step] = (2 * q3 + 3 * q2 + q1 + q0 + p0 + 4) >> 3
    else:
        plane[at] = (2 * q1 + q0 + p1 + 2) >> 2


@kernel
def filter_chroma_sample(plane, at, step, strength, alpha, beta, tc0):
    """Filter the four samples across a chroma edge around q0 at `at`; strength 1..4."""
    p0, p1 = np.int64(plane[at - step]), np.int64(plane[at - 2 * step])
    q0, q1 = np.int64(plane[at]), np.int64(plane[at + step])
    if not (abs(p0 - q0) < alpha and abs(p1 - p0) < beta and abs(q1 - q0) < beta):
        return
    if strength < 4:
        tc = tc0 + 1
        delta = min(max((((q0 - p0) << 2) + (p1 - q1) + 4) >> 3, -tc), tc)
        plane[at - step], plane[at] = min(max(p0 + delta, 0), 255), min(max(q0 - delta, 0), 255)
    else:
        plane[at - step], plane[at] = (2 * p1 + p0 + q1 + 2) >> 2, (2 * q1 + q0 + p1 + 2) >> 2


@kernel
def _luma_edge(plane, offset, along, step, strengths, strengths_offset, alpha, beta, limits, limits_offset):
    for i in range(16):
        strength = np.int64(strengths[strengths_offset + (i >> 2)])
        if strength:
            tc0 = np.int64(limits[limits_offset + strength])
            filter_luma_sample(plane, offset + i * along, step, strength, alpha, beta, tc0)


@kernel
def _chroma_edge(plane, offset, along, step, strengths, strengths_offset, alpha, beta, limits, limits_offset):
    for i in range(8):
        strength = np.int64(strengths[strengths_offset + (i >> 1)])
        if strength:
            tc0 = np.int64(limits[limits_offset + strength])
            filter_chroma_sample(plane, offset + i * along, step, strength, alpha, beta, tc0)


@primitive(_edge_emission(True, False, False), results=0)
def luma_across(plane, offset, stride, strengths, strengths_offset, alpha, beta, limits, limits_offset):
    """Normal filter of a luma edge between rows."""
    _luma_edge(plane, offset, 1, stride, strengths, strengths_offset, alpha, beta, limits, limits_offset)


@primitive(_edge_emission(True, False, True), results=0)
def luma_upright(plane, offset, stride, strengths, strengths_offset, alpha, beta, limits, limits_offset):
    """Normal filter of a luma edge between columns."""
    _luma_edge(plane, offset, stride, 1, strengths, strengths_offset, alpha, beta, limits, limits_offset)


@primitive(_edge_emission(False, False, False), results=0)
def chroma_across(plane, offset, stride, strengths, strengths_offset, alpha, beta, limits, limits_offset):
    """Normal filter of a chroma edge between rows."""
    _chroma_edge(plane, offset, 1, stride, strengths, strengths_offset, alpha, beta, limits, limits_offset)


@primitive(_edge_emission(False, False, True), results=0)
def chroma_upright(plane, offset, stride, strengths, strengths_offset, alpha, beta, limits, limits_offset):
    """Normal filter of a chroma edge between columns."""
    _chroma_edge(plane, offset, stride, 1, strengths, strengths_offset, alpha, beta, limits, limits_offset)


@primitive(_edge_emission(True, True, False), results=0)
def luma_across_strong(plane, offset, stride, alpha, beta):
    """Strength 4 filter of a luma edge between rows."""
    for i in range(16):
        filter_luma_sample(plane, offset + i, stride, 4, alpha, beta, 0)


@primitive(_edge_emission(True, True, True), results=0)
def luma_upright_strong(plane, offset, stride, alpha, beta):
    """Strength 4 filter of a luma edge between columns."""
    for i in range(16):
        filter_luma_sample(plane, offset + i * stride, 1, 4, alpha, beta, 0)


@primitive(_edge_emission(False, True, False), results=0)
def chroma_across_strong(plane, offset, stride, alpha, beta):
    """Strength 4 filter of a chroma edge between rows."""
    for i in range(8):
        filter_chroma_sample(plane, offset + i, stride, 4, alpha, beta, 0)


@primitive(_edge_emission(False, True, True), results=0)
def chroma_upright_strong(plane, offset, stride, alpha, beta):
    """Strength 4 filter of a chroma edge between columns."""
    for i in range(8):
        filter_chroma_sample(plane, offset + i * stride, 1, 4, alpha, beta, 0)


# Strengths of a macroblock: [direction][edge][quarter]; lane 4 * edge + quarter of a direction
_UPRIGHT = [4 * quarter + edge for edge in range(4) for quarter in range(4)]  # lane -> 4x4 block in raster order
_ACROSS = list(range(16))
_QUADRANTS = [2 * (block // 8) + (block % 4) // 2 for block in range(16)]


def _strengths_emission(lists: int) -> Any:
    def emission(
        emitter, out, out_offset, mv, pictures, coded, mb, left, top, vertical_limit
    ):  # fmt: skip
        def blocks(array: Any, number: Any, scale: int, extra: int, lanes: int) -> Vector:
            return array.load(emitter.add(emitter.mul(number, scale), extra), lanes)

        limit = emitter.splat(vertical_limit, 16, 16)
        masks = []
        for direction, (order, neighbour) in enumerate(((_UPRIGHT, left), (_ACROSS, top))):
            # block before lane's edge: inside the macroblock, or (index + 16) the neighbour's last column or row
            if direction == 0:
                before = [block - 1 if block % 4 else 16 + block + 3 for block in order]
            else:
                before = [block - 4 if block >= 4 else 16 + block + 12 for block in order]
            here, there = [], []
            for which in range(lists):
                vectors = blocks(mv, mb, 64, 32 * which, 32), blocks(mv, neighbour, 64, 32 * which, 32)
                ids = blocks(pictures, mb, 8, 4 * which, 4), blocks(pictures, neighbour, 8, 4 * which, 4)
                id_here = ids[0].shuffle([_QUADRANTS[block] for block in order])
                id_there = ids[0].shuffle([_QUADRANTS[b] if b < 16 else 4 + _QUADRANTS[b - 16] for b in before], ids[1])
                here.append([vectors[0].shuffle([2 * b + axis for b in order]) for axis in range(2)] + [id_here])
                there.append(
                    [vectors[0].shuffle([2 * b + axis for b in before], vectors[1]) for axis in range(2)] + [id_there]
                )

            def same(a: list[Vector], b: list[Vector]) -> Any:
                """Equal pictures, and vectors closer than the limits where a picture is used at all."""
                close = (a[0] - b[0]).abs().less(4).both((a[1] - b[1]).abs().less(limit))
                return a[2].differs(b[2]).invert().both(close.either(a[2].less(0)))

            alike = same(here[0], there[0])
            if lists == 2:
                crossed = same(here[0], there[1]).both(same(here[1], there[0]))
                alike = alike.both(same(here[1], there[1])).either(crossed)
            flags = blocks(coded, mb, 16, 0, 16), blocks(coded, neighbour, 16, 0, 16)
            with_levels = flags[0].shuffle(order).differs(0)
            with_levels = with_levels.either(flags[0].shuffle(before, flags[1]).differs(0))
            zero, one = emitter.zero(16, 8), emitter.constant([1] * 16, 8)
            strengths = with_levels.select(one + 1, alike.select(zero, one))
            out.store(emitter.add(out_offset, 16 * direction), strengths)
            masks.append(strengths.differs(0).bits_i64())
        return tuple(masks)

    return emission


@kernel
def _vectors_close(mv, a, b, limit):
    across, down = np.int64(mv[a]) - np.int64(mv[b]), np.int64(mv[a + 1]) - np.int64(mv[b + 1])
    return abs(across) < 4 and abs(down) < limit


@kernel
def _same_motion(mv, pictures, mb, block, other_mb, other_block, list_here, list_there, limit):
    here = pictures[mb * 8 + list_here * 4 + 2 * (block >> 3) + ((block & 3) >> 1)]
    there = pictures[other_mb * 8 + list_there * 4 + 2 * (other_block >> 3) + ((other_block & 3) >> 1)]
    if here != there:
        return False
    at, other_at = mb * 64 + list_here * 32 + 2 * block, other_mb * 64 + list_there * 32 + 2 * other_block
    return here < 0 or _vectors_close(mv, at, other_at, limit)


@kernel
def _strengths(out, out_offset, mv, pictures, coded, mb, left, top, vertical_limit, lists):
    upright = across = np.int64(0)
    for direction in range(2):
        for edge in range(4):
            for quarter in range(4):
                block = 4 * quarter + edge if direction == 0 else 4 * edge + quarter
                other, before = mb, block - (1 if direction == 0 else 4)
                if edge == 0:
                    other, before = (left, block + 3) if direction == 0 else (top, block + 12)
                if coded[mb * 16 + block] or coded[other * 16 + before]:
                    strength = 2
                else:
                    alike = _same_motion(mv, pictures, mb, block, other, before, 0, 0, vertical_limit)
                    if lists == 2:
                        alike = alike and _same_motion(mv, pictures, mb, block, other, before, 1, 1, vertical_limit)
                        alike = alike or (
                            _same_motion(mv, pictures, mb, block, other, before, 0, 1, vertical_limit)
                            and _same_motion(mv, pictures, mb, block, other, before, 1, 0, vertical_limit)
                        )
                    strength = 0 if alike else 1
                out[out_offset + 16 * direction + 4 * edge + quarter] = strength
                if strength and direction == 0:
                    upright |= np.int64(1) << (4 * edge + quarter)
                elif strength:
                    across |= np.int64(1) << (4 * edge + quarter)
    return upright, across


@primitive(_strengths_emission(1), results=2)
def inter_strengths_p(out, out_offset, mv, pictures, coded, mb, left, top, vertical_limit):
    """Boundary strengths 0..2 of an inter macroblock's 32 luma edge quarters (8.7.2.1), list 0 alone.

    out       uint8: 4 upright edges of 4 quarters at `out_offset`, then 4 across
    mv        int16[n * 2 * 16 * 2], `Macroblocks.mv.ravel()`
    pictures  int16[n * 2 * 4]  number of the picture that each quadrant refers to, -1: list not used
    coded     uint8[n * 16]     not 0: 4x4 block (raster order) whose transform block has levels
    mb, left, top   macroblock numbers; an edge towards an intra macroblock, or none, is the caller's to overwrite
    vertical_limit  4, or 2 in field macroblocks [quarter samples]

    Returns bit masks of the quarters that are not 0, upright and across.
    """
    return _strengths(out, out_offset, mv, pictures, coded, mb, left, top, vertical_limit, 1)


@primitive(_strengths_emission(2), results=2)
def inter_strengths_b(out, out_offset, mv, pictures, coded, mb, left, top, vertical_limit):
    """As `inter_strengths_p` with both lists."""
    return _strengths(out, out_offset, mv, pictures, coded, mb, left, top, vertical_limit, 2)


def _coded_emission(emitter, out, out_offset, total_coeff, total_offset, pattern, whole):
    counts = total_coeff.load(total_offset, 16)  # by blkIdx: quadrants are groups of four
    masked = emitter.splat(pattern, 16, 8) & emitter.constant([1 << (index // 4) for index in range(16)], 8)
    present = counts.differs(0).both(masked.differs(0))
    one = emitter.constant([1] * 16, 8)
    flags = present.select(one, one - 1)
    pair = flags.max(flags.shuffle([index ^ 1 for index in range(16)]))
    quadrant = pair.max(pair.shuffle([index ^ 2 for index in range(16)]))
    flags = emitter.choose(whole, quadrant, flags)
    raster = [0] * 16
    for index in range(16):
        x, y = 2 * (index // 4 % 2) + index % 2, 2 * (index // 8) + index // 2 % 2
        raster[4 * y + x] = index
    out.store(out_offset, flags.shuffle(raster))


@primitive(_coded_emission, results=0)
def coded_blocks(out, out_offset, total_coeff, total_offset, pattern, whole):
    """out[raster 4x4 block] = 1 where levels count: total_coeff (by blkIdx) not 0 in a quadrant that `pattern` marks.

    whole : not 0 with transform_size_8x8_flag; then a quadrant's blocks share what any of them has
    """
    for block in range(16):
        x, y = block & 3, block >> 2
        quadrant = 2 * (y >> 1) + (x >> 1)
        has = total_coeff[total_offset + 4 * quadrant + 2 * (y & 1) + (x & 1)] != 0
        if whole:
            has = False
            for index in range(4):
                has = has or total_coeff[total_offset + 4 * quadrant + index] != 0
        out[out_offset + block] = 1 if has and (pattern >> quadrant) & 1 else 0
