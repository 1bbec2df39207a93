"""Deblocking of one edge (H.264 8.7.2.3, 8.7.2.4): samples on both sides, strength and thresholds.

size: samples along the edge. Fields: `samples`, int[size, 8] with p3 p2 p1 p0 q0 q1 q2 q3 a line; `p` and `q`,
int[size, 4] with the sample next to the edge first;
scalars `bs`, `index_a`, `index_b`, `alpha`, `beta`, `tc0`, `chroma`, `qp`.
"""

from typing import Any

import numpy as np

from asic_model.codecs.h264.tables import DEBLOCK_ALPHA, DEBLOCK_BETA, DEBLOCK_TC0
from asic_model.engines.deblock.edges import filter_samples
from rtl_tests.foreign.transactions.base import Transaction, Vector


class Deblock(Transaction):
    name = "deblock"
    engine = "deblock"
    operations = {"h264": {"edge": {"luma": (1, 4, 8, 16), "chroma": (1, 2, 4, 8)}}}  # noqa: RUF012

    def _vector(self, kind: str, size: int, samples: np.ndarray, bs: int, index_a: int, index_b: int) -> Vector:
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

    def corners(self, op: str, kind: str, size: int) -> list[Vector]:
        step = np.tile(np.array([100, 100, 100, 100, 104, 104, 104, 104]), (size, 1))
        flat, cliff = np.full((size, 8), 77), np.tile(np.array([0, 0, 0, 0, 255, 255, 255, 255]), (size, 1))
        low, high = self.bound("bs", 0, 4)
        return [
            self._vector(kind, size, samples, bs, index, index)
            for samples in (step, flat, cliff, 255 - step)
            for bs in range(low, high + 1)
            for index in (0, 15, 16, 40, 51)
        ]

    def random(self, rng: np.random.Generator, op: str, kind: str, size: int) -> Vector:
        spread = int(rng.choice([2, 5, 12, 128]))
        base = int(rng.integers(0, 256))
        jump = int(rng.integers(-12, 13))
        samples = base + rng.integers(-spread, spread + 1, (size, 8)) + np.array([0, 0, 0, 0, 1, 1, 1, 1]) * jump
        low, high = self.bound("bs", 0, 4)
        index_a, index_b = int(rng.integers(0, 52)), int(rng.integers(0, 52))
        return self._vector(kind, size, np.clip(samples, 0, 255), int(rng.integers(low, high + 1)), index_a, index_b)

    def per_unit(self, size: int) -> tuple[float, str]:
        return 48 * 4 / size, "macroblock, all edges"

    def timing(self, cycles: float, vectors: list[Vector]) -> dict[str, Any]:
        """Segments of four samples, 48 a macroblock: the block filters them all."""
        return {"constant": 48 * cycles / float(np.mean([vector.size / 4 for vector in vectors]))}
