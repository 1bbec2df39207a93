"""Inter prediction written down from H.264 8.4.2 with plain Python ints: twin of `engines.inter_prediction`."""

Plane = list[list[int]]


def clip1(value: int) -> int:
    return min(max(value, 0), 255)


def six(values: list[int]) -> int:
    a, b, c, d, e, f = values
    return a - 5 * b + 20 * c + 20 * d - 5 * e + f


def luma_sample(ref: Plane, x: int, y: int, x_fraction: int, y_fraction: int) -> int:
    """8.4.2.2.1 with the letters of Figure 8-4."""

    def at(dx: int, dy: int) -> int:
        return ref[min(max(y + dy, 0), len(ref) - 1)][min(max(x + dx, 0), len(ref[0]) - 1)]

    def b1(dy: int) -> int:
        return six([at(dx, dy) for dx in range(-2, 4)])

    def h1(dx: int) -> int:
        return six([at(dx, dy) for dy in range(-2, 4)])

    g, h_whole, m_whole = at(0, 0), at(1, 0), at(0, 1)
    b, s = clip1((b1(0) + 16) >> 5), clip1((b1(1) + 16) >> 5)
    h, m = clip1((h1(0) + 16) >> 5), clip1((h1(1) + 16) >> 5)
    j = clip1((six([b1(dy) for dy in range(-2, 4)]) + 512) >> 10)
    table = {
        (0, 0): g,
        (0, 1): (g + h + 1) >> 1,  # d
        (0, 2): h,
        (0, 3): (m_whole + h + 1) >> 1,  # n
        (1, 0): (g + b + 1) >> 1,  # a
        (1, 1): (b + h + 1) >> 1,  # e
        (1, 2): (h + j + 1) >> 1,  # i
        (1, 3): (h + s + 1) >> 1,  # p
        (2, 0): b,
        (2, 1): (b + j + 1) >> 1,  # f
        (2, 2): j,
        (2, 3): (j + s + 1) >> 1,  # q
        (3, 0): (b + h_whole + 1) >> 1,  # c
        (3, 1): (b + m + 1) >> 1,  # g
        (3, 2): (j + m + 1) >> 1,  # k
        (3, 3): (s + m + 1) >> 1,  # r
    }
    return table[x_fraction, y_fraction]


def luma(ref: Plane, x_qpel: int, y_qpel: int, width: int, height: int) -> Plane:
    return [
        [luma_sample(ref, (x_qpel >> 2) + i, (y_qpel >> 2) + j, x_qpel & 3, y_qpel & 3) for i in range(width)]
        for j in range(height)
    ]


def chroma(ref: Plane, x_epel: int, y_epel: int, width: int, height: int) -> Plane:
    """8.4.2.2.2."""
    xf, yf = x_epel & 7, y_epel & 7
    rows, columns = len(ref), len(ref[0])
    result = []
    for j in range(height):
        line = []
        for i in range(width):
            xs = [min(max((x_epel >> 3) + i + d, 0), columns - 1) for d in (0, 1)]
            ys = [min(max((y_epel >> 3) + j + d, 0), rows - 1) for d in (0, 1)]
            a, b, c, d = ref[ys[0]][xs[0]], ref[ys[0]][xs[1]], ref[ys[1]][xs[0]], ref[ys[1]][xs[1]]
            line.append(((8 - xf) * (8 - yf) * a + xf * (8 - yf) * b + (8 - xf) * yf * c + xf * yf * d + 32) >> 6)
        result.append(line)
    return result


def weighted(p: int, w: int, o: int, log_wd: int) -> int:
    """8-298, 8-299."""
    if log_wd >= 1:
        return clip1(((p * w + 2 ** (log_wd - 1)) >> log_wd) + o)
    return clip1(p * w + o)


def weighted_bi(p0: int, p1: int, w0: int, w1: int, o0: int, o1: int, log_wd: int) -> int:
    """8-300."""
    return clip1(((p0 * w0 + p1 * w1 + 2**log_wd) >> (log_wd + 1)) + ((o0 + o1 + 1) >> 1))


def implicit_weights(current: int, poc_0: int, poc_1: int, long_term: bool) -> tuple[int, int]:
    """8.4.2.3.1 with 8-197, 8-198, 8-201, 8-202."""

    def clip3(low: int, high: int, value: int) -> int:
        return min(max(value, low), high)

    def divide(a: int, b: int) -> int:
        """Integer division with truncation towards zero."""
        quotient = abs(a) // abs(b)
        return quotient if (a < 0) == (b < 0) else -quotient

    if poc_1 == poc_0 or long_term:
        return 32, 32
    tb, td = clip3(-128, 127, current - poc_0), clip3(-128, 127, poc_1 - poc_0)
    tx = divide(16384 + abs(divide(td, 2)), td)
    factor = clip3(-1024, 1023, (tb * tx + 32) >> 6)
    if factor >> 2 < -64 or factor >> 2 > 128:
        return 32, 32
    return 64 - (factor >> 2), factor >> 2
