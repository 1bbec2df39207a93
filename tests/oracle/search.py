"""Slow twins of the encoder's searches: plain Python integers, one sample at a time."""

from math import floor, log2


def vector_bits(difference: int) -> int:
    """Length of se(v), H.264 9.1.1: codeNum 2v - 1 or -2v, then 2 * floor(log2(codeNum + 1)) + 1 bits."""
    number = 2 * difference - 1 if difference > 0 else -2 * difference
    return 2 * floor(log2(number + 1)) + 1


def rate(x_qpel: int, y_qpel: int, predicted: tuple[int, int], lambda_motion: int) -> int:
    """lambda (in 1/16) times the bits of a difference in quarter samples."""
    return (lambda_motion * (vector_bits(x_qpel - predicted[0]) + vector_bits(y_qpel - predicted[1]))) >> 4


def sad(a: list[list[int]], b: list[list[int]]) -> int:
    return sum(abs(p - q) for row_a, row_b in zip(a, b, strict=True) for p, q in zip(row_a, row_b, strict=True))


def satd(a: list[list[int]], b: list[list[int]]) -> int:
    """Sum over 4x4 blocks of half the sum of absolute Hadamard coefficients."""
    total = 0
    for y0 in range(0, len(a), 4):
        for x0 in range(0, len(a[0]), 4):
            d = [[a[y0 + y][x0 + x] - b[y0 + y][x0 + x] for x in range(4)] for y in range(4)]
            block = 0
            for u in range(4):
                for v in range(4):
                    block += abs(sum(_SIGN[u][y] * _SIGN[v][x] * d[y][x] for y in range(4) for x in range(4)))
            total += block // 2
    return total


_SIGN = ((1, 1, 1, 1), (1, 1, -1, -1), (1, -1, -1, 1), (1, -1, 1, -1))
# x, y, width, height of the nine partitions, in the engines' order
PARTITIONS = (
    (0, 0, 16, 16), (0, 0, 16, 8), (0, 8, 16, 8), (0, 0, 8, 16), (8, 0, 8, 16),
    (0, 0, 8, 8), (8, 0, 8, 8), (0, 8, 8, 8), (8, 8, 8, 8),
)  # fmt: skip


class Picture:
    """Samples with edges repeated without end."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows, self.height, self.width = rows, len(rows), len(rows[0])

    def at(self, x: int, y: int) -> int:
        return self.rows[min(max(y, 0), self.height - 1)][min(max(x, 0), self.width - 1)]

    def block(self, x: int, y: int, width: int, height: int) -> list[list[int]]:
        return [[self.at(x + i, y + j) for i in range(width)] for j in range(height)]

    def quarter(self, x: int, y: int) -> int:
        """Rounded mean of the 4x4 samples at (4x, 4y)."""
        return (sum(self.at(4 * x + i, 4 * y + j) for j in range(4) for i in range(4)) + 8) >> 4


def median(a: int, b: int, c: int) -> int:
    return sorted((a, b, c))[1]


class _Macroblock:
    """Full-resolution candidates of one macroblock, in the order they were tried."""

    def __init__(self, current, reference, mb_x, mb_y, box, expected, lambda_motion):
        self.x, self.y = 16 * mb_x, 16 * mb_y
        self.block, self.reference = current.block(self.x, self.y, 16, 16), reference
        self.low_x, self.high_x, self.low_y, self.high_y = box
        self.expected, self.lambda_motion = expected, lambda_motion
        self.tried = []  # (vector, SADs of the quadrants)
        self.squares = []

    def inside(self, vector):
        return min(max(vector[0], self.low_x), self.high_x), min(max(vector[1], self.low_y), self.high_y)

    def visit(self, x, y, radius):
        for j in range(max(y - radius, self.low_y), min(y + radius, self.high_y) + 1):
            for i in range(max(x - radius, self.low_x), min(x + radius, self.high_x) + 1):
                other = self.reference.block(self.x + i, self.y + j, 16, 16)
                sads = []
                for qy in (0, 8):
                    for qx in (0, 8):
                        one, two = ([row[qx : qx + 8] for row in rows[qy : qy + 8]] for rows in (self.block, other))
                        sads.append(sad(one, two))
                self.tried.append(((i, j), sads))

    def square(self, vector, radius):
        """Visit the surroundings of a place, once."""
        centre = self.inside(vector)
        if radius and centre not in self.squares:
            self.squares.append(centre)
            self.visit(*centre, radius)

    def cost(self, number, p):
        (x, y), sads = self.tried[number]
        members = {0: (0, 1, 2, 3), 1: (0, 1), 2: (2, 3), 3: (0, 2), 4: (1, 3)}.get(p, (p - 5,))
        return sum(sads[q] for q in members) + rate(4 * x, 4 * y, self.expected, self.lambda_motion)

    def winner(self, p):
        """Number of the best candidate of a partition, the first one on a tie."""
        costs = [self.cost(number, p) for number in range(len(self.tried))]
        return costs.index(min(costs))


def search(
    current, reference, range_x, range_y, centres, radius, radius_parts, lambda_motion, colocated=None, enough=-1
):
    """Whole-sample search of every macroblock; returns ([mb][partition] -> (x, y), costs, candidates coarse, fine).

    colocated: [mb] -> vector in quarter samples of the picture before, or None.
    enough: a macroblock of which a predictor costs no more is not searched further.
    """
    border = 24
    mbs_x, mbs_y = current.width // 16, current.height // 16
    vectors, costs, coarse_counts, fine_counts = [], [], [], []
    for mb in range(mbs_x * mbs_y):
        mb_x, mb_y = mb % mbs_x, mb // mbs_x
        low_x, high_x = max(-range_x, -16 * mb_x - border), min(range_x, 16 * (mbs_x - mb_x - 1) + border)
        low_y, high_y = max(-range_y, -16 * mb_y - border), min(range_y, 16 * (mbs_y - mb_y - 1) + border)
        time = tuple((v + 2) >> 2 for v in colocated[mb]) if colocated else (0, 0)
        predicted = time
        above = [vectors[mb - mbs_x + k][0] if mb_y and 0 <= mb_x + k < mbs_x else None for k in (-1, 0, 1)]
        if mb_y:
            predicted = above[1]
            third = time if colocated else above[0]
            if above[2] is not None and third is not None:
                predicted = tuple(median(above[1][k], above[2][k], third[k]) for k in (0, 1))
        expected = (4 * predicted[0], 4 * predicted[1])

        box = (low_x, high_x, low_y, high_y)
        macroblock = _Macroblock(current, reference, mb_x, mb_y, box, expected, lambda_motion)
        for vector in ((0, 0), predicted, time, above[1], above[2]):
            if vector is not None:
                macroblock.visit(*macroblock.inside(vector), 0)
        coarse = {}
        over = macroblock.cost(macroblock.winner(0), 0) <= enough
        if not over:
            columns, rows = range_x // 2, range_y // 2
            edge_x, edge_y = -((16 * mb_x + border) // 4), -((16 * mb_y + border) // 4)
            first_x = max(min(max(-range_x // 4, edge_x), (high_x >> 2) - columns + 1), edge_x)
            first_y = max(min(max(-range_y // 4, edge_y), (high_y >> 2) - rows + 1), edge_y)
            count_x = min(columns, (high_x >> 2) - first_x + 1)
            count_y = min(rows, (high_y >> 2) - first_y + 1)
            own = [[current.quarter(4 * mb_x + i, 4 * mb_y + j) for i in range(4)] for j in range(4)]
            for y in range(first_y, first_y + count_y):
                for x in range(first_x, first_x + count_x):
                    other = [
                        [reference.quarter(4 * mb_x + x + i, 4 * mb_y + y + j) for i in range(4)] for j in range(4)
                    ]
                    bits = vector_bits(16 * x - expected[0]) + vector_bits(16 * y - expected[1])
                    coarse[y, x] = sad(own, other) + ((lambda_motion * bits) >> 8)
        coarse_counts.append(len(coarse))
        if not over:
            for _ in range(centres):
                if not coarse:
                    break
                y, x = min(coarse, key=lambda place: (coarse[place], place))
                for j in range(y - 1, y + 2):
                    for i in range(x - 1, x + 2):
                        coarse.pop((j, i), None)
                macroblock.square((4 * x, 4 * y), radius)
            macroblock.square(macroblock.tried[macroblock.winner(0)][0], radius)
            for place in [macroblock.tried[macroblock.winner(p)][0] for p in (5, 6, 7, 8)]:
                macroblock.square(place, radius_parts)
        fine_counts.append(len(macroblock.tried))
        best = [macroblock.winner(p) for p in range(9)]
        vectors.append([macroblock.tried[number][0] for number in best])
        costs.append([macroblock.cost(number, p) for p, number in enumerate(best)])
    return vectors, costs, coarse_counts, fine_counts


def _six(values: list[int]) -> int:
    return values[0] - 5 * values[1] + 20 * values[2] + 20 * values[3] - 5 * values[4] + values[5]


def _clip(value: int) -> int:
    return min(max(value, 0), 255)


def sample(picture: Picture, x_qpel: int, y_qpel: int) -> int:
    """Luma sample at a quarter position (H.264 8.4.2.2.1): whole and half samples, then means of two."""

    def half(x2: int, y2: int) -> int:
        """Sample at half-sample coordinates."""
        x, y = x2 >> 1, y2 >> 1
        if not x2 & 1 and not y2 & 1:
            return picture.at(x, y)
        if not y2 & 1:
            return _clip((_six([picture.at(x + k, y) for k in range(-2, 4)]) + 16) >> 5)
        if not x2 & 1:
            return _clip((_six([picture.at(x, y + k) for k in range(-2, 4)]) + 16) >> 5)
        lines = [_six([picture.at(x + i, y + j) for i in range(-2, 4)]) for j in range(-2, 4)]
        return _clip((_six(lines) + 512) >> 10)

    x_odd, y_odd = x_qpel & 1, y_qpel & 1
    x2, y2 = x_qpel >> 1, y_qpel >> 1
    if not x_odd and not y_odd:
        return half(x2, y2)
    if x_odd and not y_odd:
        return (half(x2, y2) + half(x2 + 1, y2) + 1) >> 1
    if y_odd and not x_odd:
        return (half(x2, y2) + half(x2, y2 + 1) + 1) >> 1
    # both odd: the diagonal neighbours of which one lies between whole samples across, the other down
    one = (x2, y2) if (x2 + y2) & 1 else (x2 + 1, y2)
    two = (x2 + 1, y2 + 1) if (x2 + y2) & 1 else (x2, y2 + 1)
    return (half(*one) + half(*two) + 1) >> 1


def refine(current, reference, mb_x, mb_y, whole, predicted, lambda_motion):
    """Fractional search of all nine partitions of one macroblock: half ring, then quarter ring. [(vector, cost)]."""
    block = current.block(16 * mb_x, 16 * mb_y, 16, 16)
    known: dict[tuple[int, int], list[list[int]]] = {}

    def cost(p: int, x: int, y: int) -> int:
        if (x, y) not in known:
            known[x, y] = [
                [sample(reference, 4 * (16 * mb_x + i) + x, 4 * (16 * mb_y + j) + y) for i in range(16)]
                for j in range(16)
            ]
        px, py, width, height = PARTITIONS[p]
        one = [row[px : px + width] for row in block[py : py + height]]
        two = [row[px : px + width] for row in known[x, y][py : py + height]]
        return satd(one, two) + rate(x, y, predicted, lambda_motion)

    found = []
    for p in range(9):
        cx, cy = 4 * whole[p][0], 4 * whole[p][1]
        halves = [(cx + dx, cy + dy) for dy in (-2, 0, 2) for dx in (-2, 0, 2)]
        best = min(halves, key=lambda place: (cost(p, *place), place[1], place[0]))
        around = [(best[0] + dx, best[1] + dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        best = min(around, key=lambda place: (cost(p, *place), place[1], place[0]))
        found.append((best, cost(p, *best)))
    return found
