"""Slow twin of engines/scale.py: the arithmetic of docs/scale.md in Python integers and fractions, sample by sample."""

import math
from fractions import Fraction


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def lanczos(x: Fraction, lobes: int) -> int:
    """Return the prototype at x = j/128 in Q16. Doubles suffice: no value comes within 1e-9 of a rounding tie."""
    if x == 0:
        return 65536
    if x >= lobes or x.denominator == 1:
        return 0
    u = math.pi * float(x)
    return math.floor(65536 * lobes * math.sin(u) * math.sin(u / lobes) / (u * u) + 0.5)


def weight(distance: Fraction, lobes: int) -> Fraction:
    """Return the kernel at `distance` lobes: the prototype's entries joined by straight lines, 2**-15 apart."""
    at = half_up(abs(distance) * 2**15)
    if at >= lobes * 2**15:
        return Fraction(0)
    entry, between = divmod(at, 256)
    here, there = lanczos(Fraction(entry, 128), lobes), lanczos(Fraction(entry + 1, 128), lobes)
    return here + Fraction((there - here) * between, 256)


def filter_at(i: int, size_in: int, size_out: int, siting: Fraction, taps: int, phases: int) -> dict[int, int]:
    """Return {input sample: Q14 coefficient} of output sample i."""
    position = Fraction(half_up(((i + siting) * Fraction(size_in, size_out) - siting) * phases), phases)
    stretch = max(Fraction(size_in, size_out), Fraction(1))
    lobes = taps // 2
    reach = math.ceil(lobes * stretch)
    samples = range(math.floor(position) - reach, math.floor(position) + reach + 2)
    weights = [weight((k - position) / stretch, lobes) for k in samples]
    total = sum(weights)
    result, before, running = {}, 0, Fraction(0)
    for k, w in zip(samples, weights, strict=True):
        running += w
        now = half_up(running / total * 16384)
        if now != before:
            result[k] = now - before
        before = now
    return result


def scale_plane(
    plane: list[list[int]],
    luma_in: tuple[int, int],
    luma_out: tuple[int, int],
    size: tuple[int, int],
    siting: tuple[Fraction, Fraction] = (Fraction(1, 2), Fraction(1, 2)),
    taps: int = 8,
    phases: int = 64,
) -> list[list[int]]:
    """Return `plane` resampled to `size` (width, height) while luma goes from luma_in to luma_out (width, height)."""
    height, width = len(plane), len(plane[0])
    across = [filter_at(i, luma_in[0], luma_out[0], siting[0], taps, phases) for i in range(size[0])]
    down = [filter_at(j, luma_in[1], luma_out[1], siting[1], taps, phases) for j in range(size[1])]

    def inside(k: int, count: int) -> int:
        return min(max(k, 0), count - 1)

    middle = [[(sum(c * row[inside(k, width)] for k, c in f.items()) + 128) >> 8 for f in across] for row in plane]
    return [
        [
            min(max((sum(c * middle[inside(k, height)][x] for k, c in f.items()) + (1 << 19)) >> 20, 0), 255)
            for x in range(size[0])
        ]
        for f in down
    ]
