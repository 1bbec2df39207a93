"""Deblocking of one edge (H.264 8.7.2.3, 8.7.2.4; HEVC 8.7.2.5): samples on both sides, strength and thresholds.

size: samples along the edge. HEVC decides once for four lines of luma. Fields: `samples`, int[size, 8] with p3 p2 p1 p0
q0 q1 q2 q3 a line; `p` and `q`, int[size, 4] with the sample next to the edge first; scalars `bs`, `chroma`, `qp`; for
H.264 `index_a`, `index_b`, `alpha`, `beta`, `tc0`; for HEVC `beta`, `tc`, and `qp_c` (QpC).

macroblock (H.264): all edges of a 16x16 luma or 8x8 chroma block, left to right, then top to bottom, one QP. Fields
`area`, int[size + 4, size + 4] with four columns and rows of the neighbours, or its parts `macroblock`, `left` and
`above`; `bs_vertical`, `bs_horizontal`, int[4, 4]: edge, quarter of the edge, in luma's numbers (chroma: 0 and 2).
"""

from typing import Any

import numpy as np

from asic_model.codecs.h264.tables import DEBLOCK_ALPHA, DEBLOCK_BETA, DEBLOCK_TC0
from asic_model.engines.deblock.edges import filter_samples
from rtl_tests.foreign.sources import AdapterFault
from rtl_tests.foreign.transactions.base import Transaction, Vector

# HEVC table 8-12, without the zeros in front: beta' from Q = 16, tc' from Q = 18.
_HEVC_BETA = (0,) * 16 + tuple(range(6, 19)) + tuple(range(20, 65, 2))
_HEVC_TC = (
    (0,) * 18 + (1,) * 9 + (2,) * 4 + (3,) * 4 + (4,) * 3 + (5, 5, 6, 6, 7, 8, 9, 10, 11, 13, 14, 16, 18, 20, 22, 24)
)  # fmt: skip
_HEVC_QPC = (29, 30, 31, 32, 33, 33, 34, 34, 35, 35, 36, 36, 37, 37)  # table 8-10, from 30


def hevc_qp_c(qp: int) -> int:
    """QpC of 4:2:0 (table 8-10)."""
    return qp if qp < 30 else _HEVC_QPC[qp - 30] if qp < 44 else qp - 6


def hevc_luma(samples: np.ndarray, beta: int, tc: int, top: int) -> np.ndarray:
    """Four lines p3..q3 of a luma edge: decisions of 8.7.2.5.3, filters of 8.7.2.5.7; `top` is the largest sample."""
    s = samples.astype(np.int64)
    p, q = s[:, 3::-1], s[:, 4:]
    bend = np.abs(p[:, 2] - 2 * p[:, 1] + p[:, 0]), np.abs(q[:, 2] - 2 * q[:, 1] + q[:, 0])
    dp, dq = bend[0][0] + bend[0][3], bend[1][0] + bend[1][3]
    if dp + dq >= beta:
        return s
    flat = [
        2 * (bend[0][k] + bend[1][k]) < beta >> 2
        and abs(p[k, 3] - p[k, 0]) + abs(q[k, 0] - q[k, 3]) < beta >> 3
        and abs(p[k, 0] - q[k, 0]) < (5 * tc + 1) >> 1
        for k in (0, 3)
    ]
    side = (beta + (beta >> 1)) >> 3
    new = s.copy()
    for k in range(4):
        (p0, p1, p2, p3), (q0, q1, q2, q3) = map(int, p[k]), map(int, q[k])
        if all(flat):
            strong = (
                (2 * p3 + 3 * p2 + p1 + p0 + q0 + 4) >> 3, (p2 + p1 + p0 + q0 + 2) >> 2,
                (p2 + 2 * p1 + 2 * p0 + 2 * q0 + q1 + 4) >> 3, (p1 + 2 * p0 + 2 * q0 + 2 * q1 + q2 + 4) >> 3,
                (p0 + q0 + q1 + q2 + 2) >> 2, (p0 + q0 + q1 + 3 * q2 + 2 * q3 + 4) >> 3,
            )  # fmt: skip
            new[k, 1:7] = np.clip(strong, s[k, 1:7] - 2 * tc, s[k, 1:7] + 2 * tc)
            continue
        delta = (9 * (q0 - p0) - 3 * (q1 - p1) + 8) >> 4
        if abs(delta) >= 10 * tc:
            continue
        delta = max(-tc, min(tc, delta))
        new[k, 3], new[k, 4] = p0 + delta, q0 - delta
        half = tc >> 1
        if dp < side:
            new[k, 2] = p1 + max(-half, min(half, (((p2 + p0 + 1) >> 1) - p1 + delta) >> 1))
        if dq < side:
            new[k, 5] = q1 + max(-half, min(half, (((q2 + q0 + 1) >> 1) - q1 - delta) >> 1))
    return np.clip(new, 0, top)


def hevc_chroma(samples: np.ndarray, tc: int, top: int) -> np.ndarray:
    """Lines p3..q3 of a chroma edge, of which p0 and q0 change (8.7.2.5.8)."""
    s = samples.astype(np.int64)
    delta = np.clip((((s[:, 4] - s[:, 3]) << 2) + s[:, 2] - s[:, 5] + 4) >> 3, -tc, tc)
    s[:, 3], s[:, 4] = np.clip(s[:, 3] + delta, 0, top), np.clip(s[:, 4] - delta, 0, top)
    return s


class Deblock(Transaction):
    name = "deblock"
    engine = "deblock"
    bounds = ("bs", "qp")
    operations = {  # noqa: RUF012
        "h264": {
            "edge": {"luma": (1, 4, 8, 16), "chroma": (1, 2, 4, 8)},
            "macroblock": {"luma": (16,), "chroma": (8,)},
        },
        "hevc": {"edge": {"luma": (4,), "chroma": (1, 2, 4, 8)}},
    }
    options = {  # noqa: RUF012
        "bit_depth": (8, "HEVC: bits of a sample, 8..12"),
        "offsets": (True, "H.264: index_a and index_b are asked apart (FilterOffsetA, B); false: both are qp"),
    }

    @property
    def _depth(self) -> int:
        depth = int(self.option["bit_depth"])
        if not 8 <= depth <= 12 or (depth != 8 and self.adapter.block.standard != "hevc"):
            raise AdapterFault(f"options.bit_depth: {depth} is not allowed; 8..12 for hevc, 8 for h264")
        return depth

    def _strengths(self) -> tuple[int, int]:
        return self.bound("bs", 0, 2 if self.adapter.block.standard == "hevc" else 4)

    def _hevc(self, kind: str, size: int, samples: np.ndarray, bs: int, qp: int) -> Vector:
        """`samples` on the scale of 8 bits."""
        up = self._depth - 8
        samples, top = samples.astype(np.int64) << up, (256 << up) - 1
        qp_c = hevc_qp_c(qp)
        beta = _HEVC_BETA[qp] << up
        tc = _HEVC_TC[max(0, min(53, (qp if kind == "luma" else qp_c) + 2 * (max(bs, 1) - 1)))] << up
        after = samples
        if kind == "luma" and bs > 0:
            after = hevc_luma(samples, beta, tc, top)
        elif kind == "chroma" and bs == 2:
            after = hevc_chroma(samples, tc, top)
        fields = {
            "samples": samples, "p": samples[:, 3::-1].copy(), "q": samples[:, 4:].copy(), "size": size, "bs": bs,
            "qp": qp, "qp_c": qp_c, "beta": beta, "tc": tc, "chroma": int(kind == "chroma"),
        }  # fmt: skip
        expected = {"samples": after, "p": after[:, 3::-1].copy(), "q": after[:, 4:].copy()}
        return Vector("edge", kind, size, fields, expected)

    def _vector(self, kind: str, size: int, samples: np.ndarray, bs: int, index_a: int, index_b: int) -> Vector:
        if self.adapter.block.standard == "hevc":
            return self._hevc(kind, size, samples, bs, index_a)
        plane = np.zeros(8 * size + 256, np.uint8)
        plane[: 8 * size] = samples.astype(np.uint8).ravel()
        filter_samples(plane, 4, 8, 1, size, kind == "luma", bs, index_a, index_b)
        after = plane[: 8 * size].reshape(size, 8).astype(np.int64)
        fields = {
            "samples": samples.astype(np.int64), "p": samples[:, 3::-1].astype(np.int64).copy(),
            "q": samples[:, 4:].astype(np.int64).copy(), "size": size, "bs": bs, "index_a": index_a, "index_b": index_b,
            "qp": index_a, "alpha": int(DEBLOCK_ALPHA[index_a]), "beta": int(DEBLOCK_BETA[index_b]),
            "tc0": int(DEBLOCK_TC0[index_a][bs - 1]) if 1 <= bs <= 3 else 0, "chroma": int(kind == "chroma"),
        }  # fmt: skip
        expected = {"samples": after, "p": after[:, 3::-1].copy(), "q": after[:, 4:].copy()}
        return Vector("edge", kind, size, fields, expected)

    def _macroblock(self, kind: str, size: int, area: np.ndarray, strengths: np.ndarray, index: int) -> Vector:
        """`strengths`: int[direction, edge, quarter], vertical edges first."""
        side, quarter = size + 4, size // 4
        plane = np.zeros(side * side + 256, np.uint8)
        plane[: side * side] = area.astype(np.uint8).ravel()
        for direction, (along, step) in enumerate(((side, 1), (1, side))):
            for edge in range(4) if kind == "luma" else (0, 2):
                for n in range(4):
                    offset = 4 * side + 4 + edge * quarter * step + n * quarter * along
                    strength = int(strengths[direction, edge, n])
                    filter_samples(plane, offset, along, step, quarter, kind == "luma", strength, index, index)
        after = plane[: side * side].reshape(side, side).astype(np.int64)
        parts = {"area": (slice(None), slice(None)), "macroblock": (slice(4, None), slice(4, None)),
                 "left": (slice(4, None), slice(0, 4)), "above": (slice(0, 4), slice(4, None))}  # fmt: skip
        fields = {name: area.astype(np.int64)[part].copy() for name, part in parts.items()} | {
            "bs_vertical": strengths[0].copy(), "bs_horizontal": strengths[1].copy(), "size": size, "index_a": index,
            "index_b": index, "qp": index, "alpha": int(DEBLOCK_ALPHA[index]), "beta": int(DEBLOCK_BETA[index]),
            "chroma": int(kind == "chroma"),
        }  # fmt: skip
        return Vector("macroblock", kind, size, fields, {name: after[part].copy() for name, part in parts.items()})

    def corners(self, op: str, kind: str, size: int) -> list[Vector]:
        if op == "macroblock":
            ramp = np.add.outer(np.arange(size + 4) // 4, np.arange(size + 4) // 4) * 4 + 60
            intra = np.full((2, 4, 4), 3)
            intra[:, 0] = 4
            least, most = self.bound("qp", 0, 51)
            indices = sorted({min(max(each, least), most) for each in (20, 36, 51)})
            return [self._macroblock(kind, size, ramp, bs, index)
                    for bs in (0 * intra, intra, np.ones_like(intra)) for index in indices]  # fmt: skip
        step = np.tile(np.array([100, 100, 100, 100, 104, 104, 104, 104]), (size, 1))
        flat, cliff = np.full((size, 8), 77), np.tile(np.array([0, 0, 0, 0, 255, 255, 255, 255]), (size, 1))
        low, high = self._strengths()
        least, most = self.bound("qp", 0, 51)
        return [
            self._vector(kind, size, samples, bs, index, index)
            for samples in (step, flat, cliff, 255 - step)
            for bs in range(low, high + 1)
            for index in sorted({min(max(each, least), most) for each in (0, 15, 16, 40, 51)})
        ]

    def random(self, rng: np.random.Generator, op: str, kind: str, size: int) -> Vector:
        least, most = self.bound("qp", 0, 51)
        if op == "macroblock":
            tiles = rng.integers(0, int(rng.choice([6, 16])), (size // 4 + 1, size // 4 + 1)).repeat(4, 0).repeat(4, 1)
            area = np.clip(int(rng.integers(20, 220)) + tiles + rng.integers(-2, 3, tiles.shape), 0, 255)
            # an intra macroblock has 3 inside and 4 at its edge; an inter one 0..2, and 4 beside an intra neighbour
            bs = np.full((2, 4, 4), 3) if rng.random() < 0.3 else rng.integers(0, 3, (2, 4, 4))
            bs[:, 0] = 4 if bs[0, 1, 0] == 3 else bs[:, 0]
            return self._macroblock(kind, size, area, bs, int(rng.integers(least, most + 1)))
        spread = int(rng.choice([2, 5, 12, 128]))
        base = int(rng.integers(0, 256))
        jump = int(rng.integers(-12, 13))
        samples = base + rng.integers(-spread, spread + 1, (size, 8)) + np.array([0, 0, 0, 0, 1, 1, 1, 1]) * jump
        low, high = self._strengths()
        if self.adapter.block.standard == "hevc" and rng.random() < 0.5:
            # smooth on both sides of a small step, as the strong filter wants it
            samples = (
                base + rng.integers(-1, 2, (size, 8)) + np.array([0, 0, 0, 0, 1, 1, 1, 1]) * int(rng.integers(-5, 6))
            )
        index_a, index_b = (int(rng.integers(least, most + 1)) for _ in "ab")
        index_b = index_b if self.option["offsets"] else index_a
        return self._vector(kind, size, np.clip(samples, 0, 255), int(rng.integers(low, high + 1)), index_a, index_b)

    def per_unit(self, size: int) -> tuple[float, str]:
        if self.adapter.block.standard == "hevc":
            # edges of an 8x8 grid: 2 * 8 * 64 lines of luma a CTU, 2 planes * 2 * 4 * 32 of chroma
            return (2 * 8 * 64 if self.asked[0][1] == "luma" else 2 * 2 * 4 * 32) / size, "CTU, all edges of this kind"
        if self.asked[0][0] == "macroblock":
            return 1.0, f"macroblock, {self.asked[0][1]}"
        return 48 * 4 / size, "macroblock, all edges"

    def not_covered(self) -> list[str]:
        kinds = {kind for _, kind, _ in self.asked}
        found = [f"{kind} edges" for kind in ("luma", "chroma") if kind not in kinds]
        return [*self.foreign_standard(), *found, "boundary strengths (they were given)"]

    def timing(self, cycles: float, vectors: list[Vector]) -> dict[str, Any]:
        """Segments of four samples, 48 a macroblock: the block filters them all. HEVC: a CTU's on 16 macroblocks."""
        if vectors[0].op == "macroblock":
            return {"constant": cycles}
        if self.adapter.block.standard == "hevc":
            return {"constant": self.per_unit(1)[0] * cycles / float(np.mean([vector.size for vector in vectors])) / 16}
        return {"constant": 48 * cycles / float(np.mean([vector.size / 4 for vector in vectors]))}
