"""Transforms of residual blocks, both ways, with and without quantisation.

H.264: core transforms 4x4 and 8x8 and the Hadamard transforms of DC coefficients (8.5), with their own quantisation;
HEVC: DCT 4..32 and DST 4 (8.6.4.2); JPEG and MPEG-2: the 8x8 cosine transform, rounded, to be compared with a
tolerance.

Components of a macroblock, whose DC coefficients go apart: component_transform.py.

Kinds that end in `_row` are one dimension: a row of `size` elements, without rounding but for the option `row_shift`.

forward           residual -> coefficients. HEVC: intermediate shifts as in the reference encoder, rows first
inverse           coefficients -> residual
quantise          coefficients -> levels, dead zone 1/`dead_zone_intra` or 1/`dead_zone_inter` of a step
dequantise        levels -> scaled coefficients, flat scaling lists
forward_quantise  residual -> levels (`block`), and what they stand for (`reconstruction`: the residual again); with
                  `prediction` and `original` = prediction + residual, also `samples` = prediction + the residual again
dequantise_inverse  levels -> residual, and with `prediction` -> `samples`
"""

import zlib
from functools import lru_cache
from typing import Any

import numpy as np

from asic_model.codecs.h264.tables import NORM_ADJUST_4X4, NORM_ADJUST_8X8
from rtl_tests.foreign.sources import AdapterFault
from rtl_tests.foreign.transactions import component_transform
from rtl_tests.foreign.transactions.base import Transaction, Vector, share, unit_of

_OPS = ("forward", "inverse", "quantise", "dequantise", "forward_quantise", "dequantise_inverse")
_H264_4 = np.array([[1, 1, 1, 1], [2, 1, -1, -2], [1, -1, -1, 1], [1, -2, 2, -1]], np.int64)
_HADAMARD = {
    2: np.array([[1, 1], [1, -1]], np.int64),
    4: np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, -1, 1], [1, -1, 1, -1]], np.int64),
}
_H264_8 = np.array(
    [
        [8, 8, 8, 8, 8, 8, 8, 8],
        [12, 10, 6, 3, -3, -6, -10, -12],
        [8, 4, -4, -8, -8, -4, 4, 8],
        [10, -3, -12, -6, 6, 12, 3, -10],
        [8, -8, -8, 8, 8, -8, -8, 8],
        [6, -12, 3, 10, -10, -3, 12, -6],
        [4, -8, 8, -4, -4, 8, -8, 4],
        [3, -6, 10, -12, 12, -10, 6, -3],
    ],
    np.int64,
)
# 64 * sqrt(2) * cos(j * pi / 64) as HEVC rounds it (8.6.4.2), j = 0..32; the flat row takes entry 0
_HEVC = (
    64, 90, 90, 90, 89, 88, 87, 85, 83, 82, 80, 78, 75, 73, 70, 67, 64, 61, 57, 54, 50, 46, 43, 38, 36, 31, 25, 22, 18,
    13, 9, 4, 0,
)  # fmt: skip
_HEVC_DST = np.array([[29, 55, 74, 84], [74, 74, 0, -74], [84, -29, -74, 55], [55, -84, 74, -29]], np.int64)
_HEVC_QUANT = (26214, 23302, 20560, 18396, 16384, 14564)
_HEVC_SCALE = (40, 45, 51, 57, 64, 72)


@lru_cache(maxsize=8)
def hevc_matrix(size: int) -> np.ndarray:
    """transMatrix of 8.6.4.2 for a DCT of `size`, rows are basis functions."""
    found = np.zeros((size, size), np.int64)
    for k in range(size):
        for n in range(size):
            j = (k * 32 // size) * (2 * n + 1) % 128
            found[k, n] = (
                _HEVC[j] if j <= 32 else -_HEVC[64 - j] if j <= 64 else -_HEVC[j - 64] if j <= 96 else _HEVC[128 - j]
            )
    return found


def _shift(values: np.ndarray, bits: int) -> np.ndarray:
    return (values + (1 << bits >> 1)) >> bits


def hevc_forward(block: np.ndarray, matrix: np.ndarray, rows_first: bool = True, bit_depth: int = 8) -> np.ndarray:
    """Residual to coefficients as the reference encoder shifts them."""
    log2 = len(block).bit_length() - 1
    first, second = log2 - 1 + bit_depth - 8, log2 + 6
    if rows_first:
        return _shift(matrix @ _shift(block @ matrix.T, first), second)
    return _shift(_shift(matrix @ block, first) @ matrix.T, second)


def hevc_inverse(coefficients: np.ndarray, matrix: np.ndarray, bit_depth: int = 8) -> np.ndarray:
    """8.6.4.2: columns first, 16 bits between; the second shift (8.6.2, bdShift) leaves samples."""
    between = np.clip(_shift(matrix.T @ coefficients, 7), -32768, 32767)
    return _shift(between @ matrix, 20 - bit_depth)


def inverse_4_line(w: np.ndarray) -> np.ndarray:
    """One dimension of 8.5.12.2, along the first axis."""
    e = w[0] + w[2], w[0] - w[2], (w[1] >> 1) - w[3], w[1] + (w[3] >> 1)
    return np.array([e[0] + e[3], e[1] + e[2], e[1] - e[2], e[0] - e[3]])


def h264_inverse_4(c: np.ndarray) -> np.ndarray:
    """8.5.12.2 without the final rounding: rows, then columns."""
    return inverse_4_line(inverse_4_line(c.T).T)


def inverse_8_line(w: np.ndarray) -> np.ndarray:
    """One dimension of 8.5.13.2, along the first axis."""
    a = w[0] + w[4], -w[3] + w[5] - w[7] - (w[7] >> 1), w[0] - w[4], w[1] + w[7] - w[3] - (w[3] >> 1)
    b4, b5 = (w[2] >> 1) - w[6], -w[1] + w[7] + w[5] + (w[5] >> 1)
    b6, b7 = w[2] + (w[6] >> 1), w[3] + w[5] + w[1] + (w[1] >> 1)
    e = (a[0] + b6, a[2] + b4, a[2] - b4, a[0] - b6)
    f1, f3 = a[1] + (b7 >> 2), a[3] + (b5 >> 2)
    f5, f7 = (a[3] >> 2) - b5, b7 - (a[1] >> 2)
    return np.array([e[0] + f7, e[1] + f5, e[2] + f3, e[3] + f1, e[3] - f1, e[2] - f3, e[1] - f5, e[0] - f7])


def h264_inverse_8(c: np.ndarray) -> np.ndarray:
    """8.5.13.2 without the final rounding."""
    return inverse_8_line(inverse_8_line(c.T).T)


def forward_8_line(x: np.ndarray) -> np.ndarray:
    """One dimension of the 8x8 forward transform, along the first axis."""
    s = [x[n] + x[7 - n] for n in range(4)]
    d = [x[n] - x[7 - n] for n in range(4)]
    a0, a1, a2, a3 = s[0] + s[3], s[1] + s[2], s[0] - s[3], s[1] - s[2]
    a4 = d[1] + d[2] + (d[0] >> 1) + d[0]
    a5 = d[0] - d[3] - ((d[2] >> 1) + d[2])
    a6 = d[0] + d[3] - ((d[1] >> 1) + d[1])
    a7 = d[1] - d[2] + (d[3] >> 1) + d[3]
    even = (a0 + a1, a2 + (a3 >> 1), a0 - a1, (a2 >> 1) - a3)
    odd = (a4 + (a7 >> 2), a5 + (a6 >> 2), a6 - (a5 >> 2), (a4 >> 2) - a7)
    return np.array([value for pair in zip(even, odd, strict=True) for value in pair])


def h264_forward_8(block: np.ndarray) -> np.ndarray:
    """The usual integer butterflies of the encoder, with their halves: columns of the matrix over 8, truncated."""
    return forward_8_line(forward_8_line(block.T).T)


@lru_cache(maxsize=1)
def _cosine() -> np.ndarray:
    n = np.arange(8)
    basis = np.cos((2 * n[None, :] + 1) * n[:, None] * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    return basis


def _position_class_4() -> np.ndarray:
    y, x = np.indices((4, 4))
    return np.where((y % 2 == 0) & (x % 2 == 0), 0, np.where((y % 2 == 1) & (x % 2 == 1), 1, 2))


def _position_class_8() -> np.ndarray:
    y, x = np.indices((8, 8))
    found = np.full((8, 8), 5)
    found[(y % 4 == 0) & (x % 4 == 0)] = 0
    found[(y % 2 == 1) & (x % 2 == 1)] = 1
    found[(y % 4 == 2) & (x % 4 == 2)] = 2
    found[((y % 4 == 0) & (x % 2 == 1)) | ((y % 2 == 1) & (x % 4 == 0))] = 3
    found[((y % 4 == 0) & (x % 4 == 2)) | ((y % 4 == 2) & (x % 4 == 0))] = 4
    return found


_CLASS = {4: _position_class_4(), 8: _position_class_8()}
# Multipliers that every H.264 encoder prints, by QP % 6 and position class.
_FACTOR = {
    4: ((13107, 5243, 8066), (11916, 4660, 7490), (10082, 4194, 6554), (9362, 3647, 5825), (8192, 3355, 5243),
        (7282, 2893, 4559)),
    8: ((13107, 11428, 20972, 12222, 16777, 15481), (11916, 10826, 19174, 11058, 14980, 14290),
        (10082, 8943, 15978, 9675, 12710, 11985), (9362, 8228, 14913, 8931, 11984, 11259),
        (8192, 7346, 13159, 7740, 10486, 9777), (7282, 6428, 11570, 6830, 9118, 8640)),
}  # fmt: skip


class BlockTransform(Transaction):
    name = "block_transform"
    engine = "transform"
    bounds = ("block", "qp", "residual")
    operations = {  # noqa: RUF012 - declared ClassVar in the base
        "h264": {
            "forward": {"core": (4, 8), "hadamard": (2, 4), "core_row": (4, 8)},
            "inverse": {"core": (4, 8), "hadamard": (2, 4), "core_row": (4, 8)},
            **{op: {"core": (4, 8), "hadamard": (2, 4)} for op in _OPS[2:]},
            "forward_quantise": {"core": (4, 8), "hadamard": (2, 4), **component_transform.KINDS},
        },
        "hevc": {
            "forward": {"dct": (4, 8, 16, 32), "dst": (4,), "dct_row": (4, 8, 16, 32), "dst_row": (4,)},
            "inverse": {"dct": (4, 8, 16, 32), "dst": (4,), "dct_row": (4, 8, 16, 32), "dst_row": (4,)},
            **{op: {"dct": (4, 8, 16, 32), "dst": (4,)} for op in _OPS[2:]},
        },
        "jpeg": {"forward": {"dct": (8,)}, "inverse": {"dct": (8,)}},
        "mpeg2": {"forward": {"dct": (8,)}, "inverse": {"dct": (8,)}},
    }
    options = {  # noqa: RUF012
        "rounding": (True, "H.264 inverse: the final (x + 32) >> 6 is the block's"),
        "row_shift": (0, "one dimension: bits of a rounded shift to the right"),
        "rows_first": (True, "HEVC forward: which stage is rounded first"),
        "dead_zone_intra": ("1/3", "quantisation: share of a step that is added, intra: 3 or text, 682/2048"),
        "dead_zone_inter": ("1/6", "quantisation: the same, inter"),
        "bit_depth": (8, "HEVC: bits of a sample, 8..12; `qp` is without QpBdOffset"),
    }

    @property
    def bit_depth(self) -> int:
        depth = int(self.option["bit_depth"])
        if not 8 <= depth <= 12 or (depth != 8 and self.adapter.block.standard != "hevc"):
            raise AdapterFault(f"options.bit_depth: {depth} is not allowed; 8..12 for hevc, 8 for the others")
        return depth

    def _vector(self, op: str, kind: str, size: int, block: np.ndarray, qp: int, intra: int) -> Vector:
        fields = {
            "block": block.astype(np.int64), "size": size, "log2_size": size.bit_length() - 1, "qp": qp, "intra": intra,
            "inverse": int(op in ("inverse", "dequantise", "dequantise_inverse")), "dst": int(kind == "dst"),
            "hadamard": int(kind == "hadamard"), "operation": _OPS.index(op), "ones": np.ones((size, size), np.int64),
        }  # fmt: skip
        expected: dict[str, np.ndarray] = {}
        if kind in component_transform.KINDS:
            levels, dc, restored = component_transform.code_component(self, kind, block.astype(np.int64), qp, intra)
            expected = {"block": levels, "reconstruction": restored} | ({} if dc is None else {"dc": dc})
        else:
            expected["block"] = self.answer(op, kind, block.astype(np.int64), qp, intra)
        if op == "forward_quantise" and kind not in component_transform.KINDS:
            # What an encoder's loop goes on with: the residual that the levels stand for.
            expected["reconstruction"] = self.restored(kind, expected["block"], qp)
        if op in ("forward_quantise", "dequantise_inverse") and kind != "hadamard":
            fields |= self._predicted(op, block.astype(np.int64))
            residual = expected["reconstruction" if op == "forward_quantise" else "block"]
            expected["samples"] = np.clip(fields["prediction"] + residual, 0, (1 << self.bit_depth) - 1)
        return Vector(op, kind, size, fields, expected)

    def _predicted(self, op: str, block: np.ndarray) -> dict[str, np.ndarray]:
        """`prediction` to which the residual comes back; what was coded, `original`, where the block is a residual."""
        top = (1 << self.bit_depth) - 1
        rng = np.random.default_rng(zlib.crc32(block.tobytes()))
        if op != "forward_quantise":
            return {"prediction": rng.integers(0, top + 1, block.shape)}
        prediction = rng.integers(np.maximum(0, -block), np.minimum(top, top - block) + 1)
        return {"prediction": prediction, "original": prediction + block}

    def other_reading(self, vector: Vector, name: str, found: np.ndarray) -> str | None:
        """Another order of the two passes, no rounding, or another dead zone."""
        op, kind, qp, intra = vector.op, vector.kind, vector.fields["qp"], vector.fields["intra"]
        block = vector.fields["block"]
        if name != "block" or kind in component_transform.KINDS:
            return None
        if block.ndim == 2 and np.array_equal(self.answer(op, kind, block.T, qp, intra).T, found):
            return "the answer if columns come first: `order: transposed` at the input and here"
        kept = dict(self.option)
        zone = "dead_zone_intra" if intra else "dead_zone_inter"
        tried: list[tuple[str, Any]] = [("rounding", not kept["rounding"]), ("rows_first", not kept["rows_first"])]
        if "quantise" in op and not op.startswith("de"):
            tried += [(zone, text) for text in ("1/2", "1/3", "1/6", "0/1") if text != kept[zone]]
        try:
            for option, value in tried:
                self.option = {**kept, option: value}
                if np.array_equal(self.answer(op, kind, block, qp, intra), found):
                    return f"the answer with `{option}: {str(value).lower()}` under options"
        finally:
            self.option = kept
        return None

    def answer(self, op: str, kind: str, block: np.ndarray, qp: int, intra: int) -> np.ndarray:
        if kind.endswith("_row"):
            return _shift(self._row(op, kind, block), int(self.option["row_shift"]))
        if op == "forward":
            return self.forward(kind, block)
        if op == "inverse":
            return self.inverse(kind, block)
        if op == "quantise":
            return self.quantise(kind, block, qp, intra)
        if op == "dequantise":
            return self.scale(kind, block, qp)
        if op == "forward_quantise":
            coefficients = self.forward(kind, block)
            if kind == "hadamard" and len(block) == 4:
                coefficients = _shift(coefficients, 1)  # as encoders halve the DC coefficients of Intra16x16
            return self.quantise(kind, coefficients, qp, intra)
        return self.restored(kind, block, qp)

    def restored(self, kind: str, levels: np.ndarray, qp: int) -> np.ndarray:
        """Levels to residual; of DC levels the transform comes before the scaling (8.5.10, 8.5.11)."""
        if kind == "hadamard":
            return self.scale(kind, self.inverse(kind, levels), qp)
        return self.inverse(kind, self.scale(kind, levels, qp))

    def _row(self, op: str, kind: str, line: np.ndarray) -> np.ndarray:
        """One dimension: no rounding of its own."""
        size = len(line)
        if kind == "core_row":
            if op == "forward":
                return _H264_4 @ line if size == 4 else forward_8_line(line)
            return inverse_4_line(line) if size == 4 else inverse_8_line(line)
        matrix = _HEVC_DST if kind == "dst_row" else hevc_matrix(size)
        return matrix @ line if op == "forward" else matrix.T @ line

    def forward(self, kind: str, block: np.ndarray) -> np.ndarray:
        size, standard = len(block), self.adapter.block.standard
        if standard == "hevc":
            return hevc_forward(
                block,
                _HEVC_DST if kind == "dst" else hevc_matrix(size),
                bool(self.option["rows_first"]),
                self.bit_depth,
            )
        if standard != "h264":
            return np.rint(_cosine() @ block @ _cosine().T).astype(np.int64)
        if kind == "hadamard":
            return _HADAMARD[size] @ block @ _HADAMARD[size].T
        return _H264_4 @ block @ _H264_4.T if size == 4 else h264_forward_8(block)

    def inverse(self, kind: str, block: np.ndarray) -> np.ndarray:
        size, standard = len(block), self.adapter.block.standard
        if standard == "hevc":
            return hevc_inverse(block, _HEVC_DST if kind == "dst" else hevc_matrix(size), self.bit_depth)
        if standard != "h264":
            return np.rint(_cosine().T @ block @ _cosine()).astype(np.int64)
        if kind == "hadamard":
            return _HADAMARD[size] @ block @ _HADAMARD[size]
        raw = h264_inverse_4(block) if size == 4 else h264_inverse_8(block)
        return (raw + 32) >> 6 if self.option["rounding"] else raw

    def quantise(self, kind: str, coefficients: np.ndarray, qp: int, intra: int) -> np.ndarray:
        size, qp = len(coefficients), qp + 6 * (self.bit_depth - 8)
        name = "dead_zone_intra" if intra else "dead_zone_inter"
        part, whole = share(self.option[name], f"{name}")
        if self.adapter.block.standard == "hevc":
            shift = 14 + qp // 6 + 15 - self.bit_depth - (size.bit_length() - 1)
            factor: Any = _HEVC_QUANT[qp % 6]
        elif kind == "hadamard":
            shift, factor = 16 + qp // 6, _FACTOR[4][qp % 6][0]
        else:
            shift = 15 + qp // 6 + (size == 8)
            factor = np.array(_FACTOR[size])[qp % 6][_CLASS[size]]
        levels = (np.abs(coefficients) * factor + (part << shift) // whole) >> shift
        return np.sign(coefficients) * levels

    def scale(self, kind: str, levels: np.ndarray, qp: int) -> np.ndarray:
        size, qp = len(levels), qp + 6 * (self.bit_depth - 8)
        if self.adapter.block.standard == "hevc":
            shift = self.bit_depth + (size.bit_length() - 1) - 5
            return np.clip(_shift((levels * 16 * _HEVC_SCALE[qp % 6]) << (qp // 6), shift), -32768, 32767)
        if kind == "hadamard":
            scaled = levels * 16 * int(NORM_ADJUST_4X4[qp % 6][0])
            if size == 2:
                return (scaled << (qp // 6)) >> 5
            return scaled << (qp // 6 - 6) if qp >= 36 else _shift(scaled, 6 - qp // 6)
        if size == 4:
            return (levels * NORM_ADJUST_4X4.astype(np.int64)[qp % 6][_CLASS[4]]) << (qp // 6)
        return _shift((levels * 16 * NORM_ADJUST_8X8.astype(np.int64)[qp % 6][_CLASS[8]]) << (qp // 6), 6)

    def _range(self, op: str, kind: str) -> tuple[int, int]:
        """Values of the input block."""
        if op in ("forward", "forward_quantise"):
            wide = 16 * 255 if kind == "hadamard" else (1 << self.bit_depth) - 1
            return self.bound("block", -wide, wide)
        return self.bound("block", -32768, 32767) if op in ("inverse", "quantise") else self.bound("block", -2063, 2063)

    def corners(self, op: str, kind: str, size: int) -> list[Vector]:
        low, high = self._range(op, kind)
        if op == "inverse" and "block" not in self.adapter.domain:
            low, high = self._legal_peak(kind, size)
        shape = self._shape(kind, size)
        flat = np.full(shape, 1, np.int64)
        checks = np.where(np.indices(shape).sum(0) % 2, low, high)
        blocks = [0 * flat]
        if op in ("forward", "forward_quantise", "quantise"):
            blocks += [high * flat, low * flat, checks]
        for place in {(0, 0), (0, size - 1), (size - 1, 0), (size - 1, size - 1), (1, 0)}:
            one = 0 * flat
            one[place[: len(shape)]] = (
                high if op in ("forward", "forward_quantise", "quantise") else min(high, 64 if op == "inverse" else 4)
            )
            blocks.append(one)
        qps = (self.bound("qp", 0, 51)) if op not in ("forward", "inverse") else (26,)
        return [
            self._vector(op, kind, size, block, qp, n % 2) for n, block in enumerate(blocks) for qp in sorted(set(qps))
        ]

    @staticmethod
    def _shape(kind: str, size: int) -> tuple[int, ...]:
        return (size,) if kind.endswith("_row") else (size, size)

    def _legal_peak(self, kind: str, size: int) -> tuple[int, int]:
        top = np.full(self._shape(kind, size), (1 << self.bit_depth) - 1, np.int64)
        peak = int(np.abs(self._row("forward", kind, top) if kind.endswith("_row") else self.forward(kind, top)).max())
        return -peak, peak

    def random(self, rng: np.random.Generator, op: str, kind: str, size: int) -> Vector:
        """Residuals of all amplitudes; coefficients and levels are what such residuals become, so all are legal."""
        peak = 16 * 255 if kind == "hadamard" else (1 << self.bit_depth) - 1
        peak = self.bound("residual", -peak, peak)[1]
        amplitude = int(rng.choice([min(2, peak), min(16, peak), min(64, peak), peak]))
        shape = self._shape(kind, size)
        block = rng.integers(-amplitude, amplitude + 1, shape)
        if rng.random() < 0.2:
            block = np.where(rng.random(shape) < 0.15, block, 0)
        qp_low, qp_high = self.bound("qp", 0, 51)
        qp, intra = int(rng.integers(qp_low, qp_high + 1)), int(rng.integers(2))
        low, high = self._range(op, kind)
        if op in ("forward", "forward_quantise"):
            return self._vector(op, kind, size, np.clip(block, low, high), qp, intra)
        if kind.endswith("_row"):
            coefficients = self._row("forward", kind, block)
            return self._vector(op, kind, size, np.clip(coefficients, low, high), qp, intra)
        coefficients = self.forward(kind, block)
        if kind == "hadamard" and size == 4 and op != "inverse":
            coefficients = _shift(coefficients, 1)
        if op in ("inverse", "quantise"):
            if op == "inverse" and self.adapter.block.standard == "h264":
                # as scaled levels would be: in 1/64 of the residual's scale
                levels = self.quantise(kind, coefficients, qp, intra) if kind == "core" else coefficients
                coefficients = self.scale(kind, levels, qp) if kind == "core" else levels
            return self._vector(op, kind, size, np.clip(coefficients, low, high), qp, intra)
        levels = self.quantise(kind, coefficients, qp, intra)
        return self._vector(op, kind, size, np.clip(levels, low, high), qp, intra)

    def per_unit(self, size: int) -> tuple[float, str]:
        side, unit = unit_of(self.adapter.block.standard)
        if self.asked[0][1] == "hadamard":
            return (1.0 if size == 4 else 2.0), unit  # luma of Intra16x16; Cb and Cr
        if self.asked[0][1] in ("intra_16x16", "chroma"):
            return (1.0 if size == 16 else 2.0), unit
        return side * side * 1.5 / size**2 * self._lines(size), unit

    def _lines(self, size: int) -> int:
        """Transactions of a block: one, or the rows and then the columns."""
        return 2 * size if self.asked[0][1].endswith("_row") else 1

    def not_covered(self) -> list[str]:
        composed = {"forward_quantise": ("forward", "quantise"), "dequantise_inverse": ("dequantise", "inverse")}
        ops = {each for op, _, _ in self.asked for each in composed.get(op, (op,))}
        answers = {field for out in self.adapter.outputs.values() for field in out.fields}
        if "forward_quantise" in {op for op, _, _ in self.asked} and answers & {"reconstruction", "samples"}:
            ops |= {"dequantise", "inverse"}
        names = {"forward": "forward transforms", "quantise": "quantisation", "dequantise": "scaling",
                 "inverse": "inverse transforms"}  # fmt: skip
        found = [name for op, name in names.items() if op not in ops]
        sizes = {size for _, kind, size in self.asked if kind in ("core", "core_row", "dct", "dst")}
        sizes |= {4} if any(kind in component_transform.KINDS for _, kind, _ in self.asked) else set()
        found += [f"{size}x{size} blocks" for size in (4, 8) if size not in sizes]
        apart = {"hadamard", "intra_16x16", "chroma"}
        found += ["DC coefficients"] * (not any(kind in apart for _, kind, _ in self.asked))
        return self.foreign_standard() + found

    def timing(self, cycles: float, vectors: list[Vector]) -> dict[str, Any]:
        """Cycles of one block, spread over the 4x4 blocks that the work record counts."""
        mean = float(np.mean([vector.size**2 / 16 / self._lines(vector.size) for vector in vectors]))
        return {"per": {"transform_blocks": cycles / mean}}
