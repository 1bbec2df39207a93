"""Residual decoding written down from H.264 8.5 with plain Python ints: the slow twin of `engines.transform`."""

from asic_model.codecs.h264.tables import table

V4 = table("normAdjust4x4")
V8 = table("normAdjust8x8")
SCAN_4 = [table("figure_8_8_scan_4x4")[kind] for kind in ("zigzag", "field")]
SCAN_8 = [table("figure_8_9_scan_8x8")[kind] for kind in ("zigzag", "field")]
Matrix = list[list[int]]


def wrap16(value: int) -> int:
    return (value + 32768) % 65536 - 32768


def unscan(levels: list[int], size: int, field: int) -> Matrix:
    """8.5.6, 8.5.7: list to matrix [row][column]."""
    scan = SCAN_4[field] if size == 4 else SCAN_8[field]
    matrix = [[0] * size for _ in range(size)]
    for position, level in enumerate(levels):
        matrix[scan[position] // size][scan[position] % size] = level
    return matrix


def level_scale_4x4(weights: list[int], m: int, i: int, j: int) -> int:
    """Equation 8-313 with 8-315; weights in raster order."""
    if i % 2 == 0 and j % 2 == 0:
        norm = V4[m][0]
    elif i % 2 == 1 and j % 2 == 1:
        norm = V4[m][1]
    else:
        norm = V4[m][2]
    return weights[4 * i + j] * norm


def level_scale_8x8(weights: list[int], m: int, i: int, j: int) -> int:
    """Equation 8-316 with 8-318."""
    if i % 4 == 0 and j % 4 == 0:
        norm = V8[m][0]
    elif i % 2 == 1 and j % 2 == 1:
        norm = V8[m][1]
    elif i % 4 == 2 and j % 4 == 2:
        norm = V8[m][2]
    elif (i % 4 == 0 and j % 2 == 1) or (i % 2 == 1 and j % 4 == 0):
        norm = V8[m][3]
    elif (i % 4 == 0 and j % 4 == 2) or (i % 4 == 2 and j % 4 == 0):
        norm = V8[m][4]
    else:
        norm = V8[m][5]
    return weights[8 * i + j] * norm


def scale_4x4(c: Matrix, weights: list[int], qp: int, dc: int | None = None) -> Matrix:
    """8.5.12.1; `dc` replaces position (0, 0) for Intra16x16 and chroma."""
    d = [[0] * 4 for _ in range(4)]
    for i in range(4):
        for j in range(4):
            scale = level_scale_4x4(weights, qp % 6, i, j)
            if qp >= 24:
                d[i][j] = (c[i][j] * scale) << (qp // 6 - 4)
            else:
                d[i][j] = (c[i][j] * scale + 2 ** (3 - qp // 6)) >> (4 - qp // 6)
    if dc is not None:
        d[0][0] = dc
    return [[wrap16(value) for value in row] for row in d]


def scale_8x8(c: Matrix, weights: list[int], qp: int) -> Matrix:
    """8.5.13.1."""
    d = [[0] * 8 for _ in range(8)]
    for i in range(8):
        for j in range(8):
            scale = level_scale_8x8(weights, qp % 6, i, j)
            if qp >= 36:
                d[i][j] = (c[i][j] * scale) << (qp // 6 - 6)
            else:
                d[i][j] = (c[i][j] * scale + 2 ** (5 - qp // 6)) >> (6 - qp // 6)
    return [[wrap16(value) for value in row] for row in d]


def inverse_4x4(d: Matrix) -> Matrix:
    """8.5.12.2, residual r."""

    def one(x: list[int]) -> list[int]:
        e = [x[0] + x[2], x[0] - x[2], (x[1] >> 1) - x[3], x[1] + (x[3] >> 1)]
        return [e[0] + e[3], e[1] + e[2], e[1] - e[2], e[0] - e[3]]

    rows = [one(row) for row in d]
    columns = [one([rows[i][j] for i in range(4)]) for j in range(4)]
    return [[(columns[j][i] + 32) >> 6 for j in range(4)] for i in range(4)]


def inverse_8x8(d: Matrix) -> Matrix:
    """8.5.13.2, residual r."""

    def one(x: list[int]) -> list[int]:
        a = [
            x[0] + x[4],
            -x[3] + x[5] - x[7] - (x[7] >> 1),
            x[0] - x[4],
            x[1] + x[7] - x[3] - (x[3] >> 1),
            (x[2] >> 1) - x[6],
            -x[1] + x[7] + x[5] + (x[5] >> 1),
            x[2] + (x[6] >> 1),
            x[3] + x[5] + x[1] + (x[1] >> 1),
        ]
        b = [
            a[0] + a[6],
            a[1] + (a[7] >> 2),
            a[2] + a[4],
            a[3] + (a[5] >> 2),
            a[2] - a[4],
            (a[3] >> 2) - a[5],
            a[0] - a[6],
            a[7] - (a[1] >> 2),
        ]
        return [b[0] + b[7], b[2] + b[5], b[4] + b[3], b[6] + b[1], b[6] - b[1], b[4] - b[3], b[2] - b[5], b[0] - b[7]]

    rows = [one(row) for row in d]
    columns = [one([rows[i][j] for i in range(8)]) for j in range(8)]
    return [[(columns[j][i] + 32) >> 6 for j in range(8)] for i in range(8)]


def luma_dc(levels: list[int], weights: list[int], qp: int, field: int) -> Matrix:
    """8.5.10: dcY as a matrix over the macroblock's 4x4 blocks in raster order."""
    c = unscan(levels, 4, field)
    h = [[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, -1, 1], [1, -1, 1, -1]]
    hc = [[sum(h[i][k] * c[k][j] for k in range(4)) for j in range(4)] for i in range(4)]
    f = [[sum(hc[i][k] * h[k][j] for k in range(4)) for j in range(4)] for i in range(4)]
    scale = level_scale_4x4(weights, qp % 6, 0, 0)
    if qp >= 36:
        return [[wrap16((value * scale) << (qp // 6 - 6)) for value in row] for row in f]
    return [[wrap16((value * scale + (1 << (5 - qp // 6))) >> (6 - qp // 6)) for value in row] for row in f]


def chroma_dc(levels: list[int], weights: list[int], qp: int) -> list[int]:
    """8.5.11 for 4:2:0: dcC by blkIdx."""
    a, b, c, d = levels[:4]
    f = [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d]
    scale = level_scale_4x4(weights, qp % 6, 0, 0)
    return [wrap16(((value * scale) << (qp // 6)) >> 5) for value in f]


def add_residual(prediction: Matrix, residual: Matrix) -> Matrix:
    """8.5.14 with Clip1."""
    return [
        [min(max(p + r, 0), 255) for p, r in zip(p_row, r_row, strict=True)]
        for p_row, r_row in zip(prediction, residual, strict=True)
    ]


def bypass(residual: Matrix, horizontal: bool) -> Matrix:
    """8.5.15: residuals summed up along the direction of prediction."""
    size = len(residual)
    if horizontal:
        return [[sum(residual[i][: j + 1]) for j in range(size)] for i in range(size)]
    return [[sum(residual[k][j] for k in range(i + 1)) for j in range(size)] for i in range(size)]


def block_position(index: int) -> tuple[int, int]:
    """6.4.3: (x, y) in samples of luma block `index`."""
    return 8 * (index // 4 % 2) + 4 * (index % 2), 8 * (index // 8) + 4 * (index // 2 % 2)
