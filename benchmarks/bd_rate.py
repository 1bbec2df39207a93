"""Bjontegaard delta rate: how many more bits (in percent) a test encoder needs than an anchor at equal quality.

Both encoders are given as points (rate, quality). Log rate is interpolated over quality, the two curves are
integrated over the quality range that they share, and the mean difference of logs is turned back into a ratio
(G. Bjontegaard, VCEG-M33, 2001; piecewise cubics instead of one cubic as in JCTVC-A031 and later practice).

    python -m benchmarks.bd_rate "1000:40.1 620:37.4 380:34.6 230:31.8" "940:40.0 600:37.5 370:34.7 225:31.9"
"""

import argparse
import itertools
import math
from collections.abc import Sequence

Points = Sequence[tuple[float, float]]  # (rate, quality), rate in any unit above 0


def pchip_slopes(x: Sequence[float], y: Sequence[float]) -> list[float]:
    """Return the derivatives of the monotone piecewise cubic through (x, y) (Fritsch and Butland 1984).

    Inside: weighted harmonic mean of the neighbouring secants, 0 at a turn. Ends: the three-point formula, kept
    from overshooting as in Fritsch and Carlson 1980.
    """
    n = len(x)
    width = [x[i + 1] - x[i] for i in range(n - 1)]
    secant = [(y[i + 1] - y[i]) / width[i] for i in range(n - 1)]
    if n == 2:
        return [secant[0], secant[0]]
    slope = [0.0] * n
    for i in range(1, n - 1):
        if secant[i - 1] * secant[i] > 0:
            before, after = 2 * width[i] + width[i - 1], width[i] + 2 * width[i - 1]
            slope[i] = (before + after) / (before / secant[i - 1] + after / secant[i])

    def end(w0: float, w1: float, s0: float, s1: float) -> float:
        value = ((2 * w0 + w1) * s0 - w0 * s1) / (w0 + w1)
        if value * s0 <= 0:
            return 0.0
        if s0 * s1 < 0 and abs(value) > 3 * abs(s0):
            return 3 * s0
        return value

    slope[0] = end(width[0], width[1], secant[0], secant[1])
    slope[-1] = end(width[-1], width[-2], secant[-1], secant[-2])
    return slope


def akima_slopes(x: Sequence[float], y: Sequence[float]) -> list[float]:
    """Return the derivatives of Akima's piecewise cubic through (x, y) (Akima 1970), at least 3 points."""
    n = len(x)
    secant = [(y[i + 1] - y[i]) / (x[i + 1] - x[i]) for i in range(n - 1)]
    # Two secants more on either side, in a straight line of secants.
    left = [3 * secant[0] - 2 * secant[1], 2 * secant[0] - secant[1]]
    right = [2 * secant[-1] - secant[-2], 3 * secant[-1] - 2 * secant[-2]]
    m = left + secant + right
    slopes = []
    for i in range(n):
        before, after = abs(m[i + 3] - m[i + 2]), abs(m[i + 1] - m[i])
        total = before + after
        slopes.append((before * m[i + 1] + after * m[i + 2]) / total if total > 1e-12 else (m[i + 1] + m[i + 2]) / 2)
    return slopes


def integral(x: Sequence[float], y: Sequence[float], slope: Sequence[float], low: float, high: float) -> float:
    """Return the integral from `low` to `high` of the cubic Hermite spline with these values and slopes."""
    total = 0.0
    for i in range(len(x) - 1):
        begin, end = max(low, x[i]), min(high, x[i + 1])
        if begin >= end:
            continue
        h = x[i + 1] - x[i]
        secant = (y[i + 1] - y[i]) / h
        c2 = (3 * secant - 2 * slope[i] - slope[i + 1]) / h
        c3 = (slope[i] + slope[i + 1] - 2 * secant) / (h * h)

        def antiderivative(t: float, i: int = i, c2: float = c2, c3: float = c3) -> float:
            return t * (y[i] + t * (slope[i] / 2 + t * (c2 / 3 + t * c3 / 4)))

        total += antiderivative(end - x[i]) - antiderivative(begin - x[i])
    return total


def bd_rate(anchor: Points, test: Points, method: str = "pchip") -> float:
    """Return the mean difference in rate of `test` against `anchor` in percent; below 0: `test` needs fewer bits.

    Raises ValueError for fewer than 3 points, a rate of 0, equal or falling quality at rising rate, or no common range.
    """
    slopes = {"pchip": pchip_slopes, "akima": akima_slopes}[method]
    curves = []
    for name, points in (("anchor", anchor), ("test", test)):
        if len(points) < 3:
            raise ValueError(f"{name}: {len(points)} points, at least 3 are needed")
        ordered = sorted(points)
        if ordered[0][0] <= 0:
            raise ValueError(f"{name}: a rate of {ordered[0][0]}")
        quality = [float(q) for _, q in ordered]
        if any(b <= a for a, b in itertools.pairwise(quality)):
            raise ValueError(f"{name}: quality does not rise with rate: {ordered}")
        curves.append((quality, [math.log(rate) for rate, _ in ordered]))
    low = max(quality[0] for quality, _ in curves)
    high = min(quality[-1] for quality, _ in curves)
    if low >= high:
        raise ValueError(f"the curves share no quality range (anchor begins or ends beside {low:.3f}..{high:.3f})")
    area = [integral(quality, rate, slopes(quality, rate), low, high) for quality, rate in curves]
    return (math.exp((area[1] - area[0]) / (high - low)) - 1) * 100


def _points(text: str) -> list[tuple[float, float]]:
    try:
        pairs = [tuple(float(part) for part in pair.split(":")) for pair in text.replace(",", " ").split()]
        return [(rate, quality) for rate, quality in pairs]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of RATE:QUALITY") from None


def main() -> None:
    """Print the BD-rate of two curves given on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bd_rate", description=__doc__.split("\n\n")[0])
    parser.add_argument("anchor", type=_points, help="points of the anchor, RATE:QUALITY separated by blanks")
    parser.add_argument("test", type=_points, help="points of the encoder under test")
    parser.add_argument("--method", choices=("pchip", "akima"), default="pchip", help="interpolation (default pchip)")
    arguments = parser.parse_args()
    try:
        print(f"{bd_rate(arguments.anchor, arguments.test, arguments.method):+.2f} %")
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
