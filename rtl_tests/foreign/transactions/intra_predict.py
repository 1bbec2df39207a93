"""Intra prediction: neighbours and a mode give a block.

H.264: modes of Intra4x4, 8x8 (reference filtering included), 16x16 and chroma (8.3), by the model's kernels, which
tests/engines holds to a twin written from the standard. HEVC: the 35 modes of 8.4.4.2, luma and 4:2:0 chroma,
neighbours complete.

`decide` gives the block too (`original`) and asks for a mode, its SAD (`cost`) and its prediction (`block`): the cost
has to be that mode's, and the smallest, or with `tolerance.cost: consistent` only the mode's own.
"""

from typing import Any

import numpy as np

from asic_model.engines import intra_prediction as engine
from rtl_tests.foreign.transactions.base import Transaction, Vector, unit_of

_ANGLE = (
    32, 26, 21, 17, 13, 9, 5, 2, 0, -2, -5, -9, -13, -17, -21, -26, -32, -26, -21, -17, -13, -9, -5, -2, 0, 2, 5, 9, 13,
    17, 21, 26, 32,
)  # fmt: skip


def hevc_filtered(line: np.ndarray, size: int, mode: int, strong: bool) -> np.ndarray:
    """8.4.4.2.3 over the line left-bottom ... corner ... above-right, 4 * size + 1 samples."""
    if mode == 1 or size == 4:
        return line
    distance = min(abs(mode - 26), abs(mode - 10))
    if distance <= {8: 7, 16: 1, 32: 0}[size]:
        return line
    corner = 2 * size
    first, last = line[0], line[-1]
    if (
        strong and size == 32
        and abs(line[corner] + last - 2 * line[corner + size]) < 8
        and abs(line[corner] + first - 2 * line[corner - size]) < 8
    ):  # fmt: skip
        found = line.copy()
        for i in range(1, 64):
            found[corner - i] = ((64 - i) * line[corner] + i * first + 32) >> 6
            found[corner + i] = ((64 - i) * line[corner] + i * last + 32) >> 6
        return found
    found = line.copy()
    found[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:] + 2) >> 2
    return found


def hevc_predict(line: np.ndarray, size: int, mode: int, strong: bool = False, *, chroma: bool = False) -> np.ndarray:
    """Prediction of 8.4.4.2.4 to 6 from unfiltered neighbours in one line; returns int64[size, size].

    Chroma (4:2:0): neighbours are not filtered, and edges of the block are not smoothed.
    """
    raw = line.astype(np.int64)
    used = raw if chroma else hevc_filtered(raw, size, mode, strong)
    corner = 2 * size
    above, left = used[corner + 1 :], used[corner - 1 :: -1]
    log2 = size.bit_length() - 1
    y, x = np.indices((size, size))
    if mode == 0:
        return (
            (size - 1 - x) * left[y] + (x + 1) * above[size] + (size - 1 - y) * above[x] + (y + 1) * left[size] + size
        ) >> (log2 + 1)
    if mode == 1:
        dc = int(above[:size].sum() + left[:size].sum() + size) >> (log2 + 1)
        found = np.full((size, size), dc, np.int64)
        if size < 32 and not chroma:
            found[0, 1:] = (above[1:size] + 3 * dc + 2) >> 2
            found[1:, 0] = (left[1:size] + 3 * dc + 2) >> 2
            found[0, 0] = (left[0] + 2 * dc + above[0] + 2) >> 2
        return found
    vertical = mode >= 18
    main, side = (above, left) if vertical else (left, above)
    angle = _ANGLE[mode - 2]
    reference = {0: used[corner]}
    reference.update({n + 1: main[n] for n in range(2 * size)})
    if angle < 0:
        inverse = round(8192 / angle)
        for n in range(-1, ((size * angle) >> 5) - 1, -1):
            reference[n] = (
                side[-1 + ((n * inverse + 128) >> 8)] if -1 + ((n * inverse + 128) >> 8) >= 0 else used[corner]
            )
    found = np.zeros((size, size), np.int64)
    for row in range(size):
        step, fraction = ((row + 1) * angle) >> 5, ((row + 1) * angle) & 31
        for column in range(size):
            at = column + step + 1
            found[row, column] = (
                ((32 - fraction) * reference[at] + fraction * reference[at + 1] + 16) >> 5
                if fraction
                else reference[at]
            )
    if angle == 0 and size < 32 and not chroma:
        found[:, 0] = np.clip(main[0] + ((side[:size] - used[corner]) >> 1), 0, 255)
    return found if vertical else found.T


class IntraPredict(Transaction):
    name = "intra_predict"
    engine = "intra_prediction"
    bounds = ("mode",)
    operations = {  # noqa: RUF012
        "h264": {"predict": {"luma": (4, 8, 16), "chroma": (8,)}, "decide": {"luma": (4, 8, 16)}},
        "hevc": {"predict": {"luma": (4, 8, 16, 32), "chroma": (4, 8, 16, 32)}},
    }
    options = {  # noqa: RUF012
        "availability": (True, "H.264: vectors without neighbours above or left are asked too"),
        "strong_smoothing": (False, "HEVC: strong_intra_smoothing_enabled_flag"),
        "filtered": (False, "HEVC: neighbours come filtered (8.4.4.2.3) for their mode and size"),
        "modes": ("", "modes that the block has, separated by spaces; empty: all"),
    }

    def _modes(self, kind: str, size: int) -> list[int]:
        count = 35 if self.adapter.block.standard == "hevc" else 9 if kind == "luma" and size < 16 else 4
        low, high = self.bound("mode", 0, count - 1)
        chosen = [int(word) for word in str(self.option["modes"]).split()]
        return [mode for mode in chosen or range(low, high + 1) if low <= mode <= high]

    def _vector(self, kind: str, size: int, mode: int, line: np.ndarray, available: int) -> Vector:
        """line: left bottom to top (2 * size), corner, above left to right (2 * size)."""
        corner = 2 * size
        left, above = line[corner - 1 :: -1].copy(), line[corner + 1 :].copy()
        fields: dict[str, Any] = {
            "size": size,
            "log2_size": size.bit_length() - 1,
            "mode": mode,
            "chroma": int(kind == "chroma"),
        }
        if self.adapter.block.standard == "hevc":
            strong = bool(self.option["strong_smoothing"])
            expected = hevc_predict(line, size, mode, strong, chroma=kind == "chroma")
            if self.option["filtered"] and kind == "luma":
                line = hevc_filtered(line, size, mode, strong)
                left, above = line[corner - 1 :: -1].copy(), line[corner + 1 :].copy()
            fields |= {"has_left": 1, "has_above": 1, "has_corner": 1, "has_above_right": 1}
            fields |= {"left": left, "above": above}
        else:
            expected = _h264(kind, size, mode, line, available)
            fields |= {
                "has_left": int(available & engine.LEFT == engine.LEFT), "has_above": int(available & engine.TOP > 0),
                "has_corner": int(available & engine.CORNER > 0),
                "has_above_right": int(available & engine.TOP_RIGHT > 0),
                "left": left[:size], "above": above[: 2 * size if kind == "luma" and size < 16 else size],
            }  # fmt: skip
        fields["corner"] = line[corner : corner + 1].copy()
        fields["line"] = line.copy()
        return Vector("predict", kind, size, fields, {"block": expected})

    def _decision(self, size: int, line: np.ndarray, available: int, original: np.ndarray) -> Vector:
        """A mode is looked for among those that `available` neighbours allow."""
        template = self._vector("luma", size, 2, line, available)
        table = engine.ALLOWED_4X4 if size < 16 else engine.ALLOWED_16X16
        candidates = {mode: _h264("luma", size, mode, line, available)
                      for mode in self._modes("luma", size) if table[available] >> mode & 1}  # fmt: skip
        fields = template.fields | {"original": original.astype(np.int64)}
        del fields["mode"]
        one = np.zeros(1, np.int64)
        shapes = {"mode": one, "cost": one, "block": np.zeros((size, size), np.int64)}
        return Vector("decide", "luma", size, fields, shapes, reference=candidates)

    def judge(self, vector: Vector, answer: dict[str, Any]) -> str | None:
        if vector.op != "decide":
            return super().judge(vector, answer)
        costs = {mode: int(np.abs(block - vector.fields["original"]).sum())
                 for mode, block in vector.reference.items()}  # fmt: skip
        if "mode" not in answer:
            return "no mode came out: an output with `field: mode` is needed"
        mode = int(answer["mode"].ravel()[0])
        if mode not in costs:
            return f"mode: {mode} is not one of those that the neighbours allow, {', '.join(map(str, costs))}"
        if "cost" in answer and int(answer["cost"].ravel()[0]) != costs[mode]:
            return f"cost: {int(answer['cost'].ravel()[0])} was given for mode {mode}, whose SAD is {costs[mode]}"
        if self.adapter.tolerance.cost != "consistent" and costs[mode] != min(costs.values()):
            best = min(costs, key=costs.__getitem__)
            return f"mode: {mode} has a SAD of {costs[mode]}, mode {best} one of {costs[best]}"
        if "block" in answer:
            text = self._arrays_differ(vector.reference[mode], answer["block"])
            return f"block: {text}" if text else None
        return None

    def _availabilities(self, kind: str, size: int, mode: int) -> list[int]:
        full = engine.LEFT | engine.TOP | engine.TOP_RIGHT | engine.CORNER
        if self.adapter.block.standard == "hevc" or not self.option["availability"]:
            return [full]
        table = engine.ALLOWED_4X4 if size < 16 and kind == "luma" else (
            engine.ALLOWED_CHROMA if kind == "chroma" else engine.ALLOWED_16X16)  # fmt: skip
        wanted = [0, engine.LEFT, engine.TOP, engine.TOP | engine.TOP_RIGHT, full & ~engine.TOP_RIGHT, full]
        return [each for each in wanted if table[each] >> mode & 1]

    def corners(self, op: str, kind: str, size: int) -> list[Vector]:
        if op == "decide":
            rng = np.random.default_rng(11)
            return [self.random(rng, op, kind, size) for _ in range(12)]
        ramp = np.arange(4 * size + 1) * 255 // (4 * size)
        lines = [np.full(4 * size + 1, 128), ramp, ramp[::-1], np.where(np.arange(4 * size + 1) % 2, 255, 0)]
        return [
            self._vector(kind, size, mode, line.astype(np.int64), available)
            for mode in self._modes(kind, size)
            for available in self._availabilities(kind, size, mode)
            for line in lines
        ]

    def random(self, rng: np.random.Generator, op: str, kind: str, size: int) -> Vector:
        if op == "decide":
            return self._random_decision(rng, size)
        mode = int(rng.choice(self._modes(kind, size)))
        spread = int(rng.choice([4, 32, 255]))
        base = int(rng.integers(0, 256))
        line = np.clip(base + rng.integers(-spread, spread + 1, 4 * size + 1), 0, 255).astype(np.int64)
        return self._vector(kind, size, mode, line, int(rng.choice(self._availabilities(kind, size, mode))))

    def _random_decision(self, rng: np.random.Generator, size: int) -> Vector:
        """A block near one of its predictions."""
        line = np.clip(int(rng.integers(256)) + np.cumsum(rng.integers(-9, 10, 4 * size + 1)), 0, 255).astype(np.int64)
        mode = int(rng.choice(self._modes("luma", size)))
        available = int(rng.choice(self._availabilities("luma", size, mode)))
        noise = int(rng.choice([0, 3, 20]))
        near = _h264("luma", size, mode, line, available) + rng.integers(-noise, noise + 1, (size, size))
        return self._decision(size, line, available, np.clip(near, 0, 255))

    def per_unit(self, size: int) -> tuple[float, str]:
        side, unit = unit_of(self.adapter.block.standard)
        return (side / size) ** 2, unit

    def not_covered(self) -> list[str]:
        asked = {(kind, size) for _, kind, size in self.asked}
        wanted = [("luma", 4), ("luma", 8), ("luma", 16), ("chroma", 8)]
        found = [f"{kind} {size}x{size}" for kind, size in wanted if (kind, size) not in asked]
        modes = str(self.option["modes"]).split()
        return self.foreign_standard() + found + ([f"other modes than {', '.join(modes)}"] if modes else [])

    def timing(self, cycles: float, vectors: list[Vector]) -> dict[str, Any]:
        mean = float(np.mean([vector.size**2 / 16 for vector in vectors]))
        return {"per": {"intra_prediction_blocks": cycles / mean}}


def _h264(kind: str, size: int, mode: int, line: np.ndarray, available: int) -> np.ndarray:
    """The model's prediction, int64[size, size]."""
    stride = 64
    corner = 2 * size
    plane = np.zeros(stride * 64 + 256, np.uint8)
    at = stride * 8 + 8  # of the block's first sample
    plane[at - stride : at - stride + 2 * size] = line[corner + 1 :]
    plane[at - stride - 1] = line[corner]
    for y in range(min(2 * size, 48)):
        plane[at + y * stride - 1] = line[corner - 1 - y]
    out = np.zeros(size * size + 64, np.uint8)
    if kind == "chroma":
        engine.predict_chroma(out, 0, 8, mode, plane, at, stride, at - stride - 1, available)
    elif size == 16:
        engine.predict_16x16(out, 0, 16, mode, plane, at, stride, at - stride - 1, available)
    else:
        buffer, scratch = np.zeros(engine.LINE, np.uint8), np.zeros(engine.PREDICTIONS, np.uint8)
        gather, predict = (
            (engine.gather_4x4, engine.predict_4x4) if size == 4 else (engine.gather_8x8, engine.predict_8x8)
        )
        dc = gather(buffer, plane, at, stride, at - stride - 1, available)
        predict(out, 0, size, mode, buffer, dc, scratch)
    return out[: size * size].reshape(size, size).astype(np.int64)
