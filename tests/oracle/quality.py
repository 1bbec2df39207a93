"""Slow twins of engines/quality.py: the integer recipe sample by sample, and SSIM as published, in double precision."""

Picture = list[list[int]]


def sse(a: Picture, b: Picture) -> int:
    return sum((x - y) ** 2 for row_a, row_b in zip(a, b, strict=True) for x, y in zip(row_a, row_b, strict=True))


def windows(a: Picture, b: Picture) -> list[tuple[list[int], list[int]]]:
    """Return the 64 samples of both pictures in each 8x8 window, 4 apart."""
    height, width = len(a), len(a[0])
    return [
        (
            [a[y + j][x + i] for j in range(8) for i in range(8)],
            [b[y + j][x + i] for j in range(8) for i in range(8)],
        )
        for y in range(0, height // 4 * 4 - 7, 4)
        for x in range(0, width // 4 * 4 - 7, 4)
    ]


def ssim_integer(a: Picture, b: Picture) -> int:
    """Return the sum of SSIM over windows in Q20, as the engine rounds it."""
    total = 0
    for u, v in windows(a, b):
        s1, s2 = sum(u), sum(v)
        variances = 64 * sum(x * x + y * y for x, y in zip(u, v, strict=True)) - s1 * s1 - s2 * s2
        covariance = 64 * sum(x * y for x, y in zip(u, v, strict=True)) - s1 * s2
        luminance = ((2 * s1 * s2 + 26634) << 20) // (s1 * s1 + s2 * s2 + 26634)
        numerator = (2 * covariance + 235963) << 20
        structure = abs(numerator) // (variances + 235963) * (1 if numerator >= 0 else -1)
        total += luminance * structure >> 20
    return total


def ssim_published(a: Picture, b: Picture) -> float:
    """Return the mean SSIM after Wang et al. 2004, eq. 13, K1 = 0.01, K2 = 0.03, unbiased variances."""
    values = []
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    for u, v in windows(a, b):
        mu, mv = sum(u) / 64, sum(v) / 64
        vu = sum((x - mu) ** 2 for x in u) / 63
        vv = sum((y - mv) ** 2 for y in v) / 63
        cov = sum((x - mu) * (y - mv) for x, y in zip(u, v, strict=True)) / 63
        values.append((2 * mu * mv + c1) * (2 * cov + c2) / ((mu * mu + mv * mv + c1) * (vu + vv + c2)))
    return sum(values) / len(values)
