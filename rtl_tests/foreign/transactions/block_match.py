"""Block matching: a block and a window of the reference give a vector and its cost.

A search is judged by the cost that it returns, never by the vector alone: which of two equal candidates wins is the
designer's. `tolerance.cost: optimal` (default) asks for the smallest cost in the window, `consistent` only that the
cost belongs to the vector (searches that skip candidates), with `tolerance.sad_excess_percent` for how far they may
stay behind in sum. Vectors of the 4x4 parts of a block (`mv_x_4x4`, `mv_y_4x4`) are judged by the SAD of the whole: at
most the smallest of one vector, or with `consistent` by the sum. `sad` and `satd` ask for the distance of two blocks,
without a search.
"""

from typing import Any

import numpy as np

from rtl_tests.foreign.sources import AdapterFault
from rtl_tests.foreign.transactions.base import Transaction, Vector, unit_of


def sad_surface(current: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Sum of absolute differences of every position, int64[rows, columns]."""
    height, width = current.shape
    rows, columns = window.shape[0] - height + 1, window.shape[1] - width + 1
    found = np.zeros((rows, columns), np.int64)
    for y in range(height):
        for x in range(width):
            found += np.abs(window[y : y + rows, x : x + columns] - current[y, x])
    return found


def satd(difference: np.ndarray, side: int, scaled: Any) -> int:
    """Sum of absolute Hadamard coefficients of all `side` x `side` blocks, each scaled as reference encoders do."""
    matrix = np.array([[1]])
    while len(matrix) < side:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    shift = side // 4 if scaled else 0
    total = 0
    for y in range(0, len(difference), side):
        for x in range(0, len(difference), side):
            block = np.abs(matrix @ difference[y : y + side, x : x + side] @ matrix).sum()
            total += (int(block) + (1 << shift >> 1)) >> shift
    return total


def _sums(values: np.ndarray, side: int) -> np.ndarray:
    """Sums of all `side` x `side` blocks."""
    count = len(values) // side
    return values.reshape(count, side, count, side).sum((1, 3))


class BlockMatch(Transaction):
    name = "block_match"
    engine = "motion_search"
    planes = ("current", "window")
    operations = {  # noqa: RUF012
        standard: {
            "search": {"sad": (4, 8, 16, 32, 64)}, "sad": {"block": (4, 8, 16, 32, 64)},
            "satd": {"block": (4, 8, 16, 32, 64)},
        } for standard in ("h264", "hevc", "mpeg2", "none")
    }  # fmt: skip
    options = {  # noqa: RUF012
        "range_x": (8, "whole samples: vectors of -range_x..range_x"),
        "range_y": (8, "whole samples"),
        "exclude_last": (False, "vectors end one before +range_x and +range_y"),
        "absolute": (False, "mv_x and mv_y count from the window's corner, not from its middle"),
        "satd_block": (4, "satd: side of the Hadamard transforms, 4 or 8"),
        "satd_scaled": (True, "satd: (sum + 1) >> 1 of each 4x4, (sum + 2) >> 2 of each 8x8; else the plain sum"),
    }

    found_sad = 0  # sums over the searches judged
    least_sad = 0

    def start_judging(self) -> None:
        super().start_judging()
        self.found_sad = self.least_sad = 0

    def figures(self) -> dict[str, float]:
        """How far a search that skips candidates stays behind."""
        if not self.least_sad or self.tolerates_excess is None:
            return {}
        return {"SAD over the smallest in percent": 100 * (self.found_sad / self.least_sad - 1)}

    @property
    def tolerates_excess(self) -> float | None:
        """Percent, None where the smallest cost itself is asked for."""
        if self.adapter.tolerance.cost != "consistent":
            return None
        limit = self.adapter.tolerance.sad_excess_percent
        return float("inf") if limit is None else limit

    def judge_sum(self) -> str | None:
        excess = self.figures().get("SAD over the smallest in percent", 0.0)
        limit = self.tolerates_excess
        if limit is None or excess <= limit:
            return None
        return f"the SADs found exceed the smallest by {excess:.1f} % in sum, tolerance.sad_excess_percent is {limit:g}"

    def _vector(self, size: int, current: np.ndarray, window: np.ndarray) -> Vector:
        range_x, range_y = int(self.option["range_x"]), int(self.option["range_y"])
        surface = sad_surface(current.astype(np.int64), window.astype(np.int64))
        fields = {
            "current": current.astype(np.int64), "window": window.astype(np.int64), "size": size, "range_x": range_x,
            "range_y": range_y,
        }  # fmt: skip
        # The shape of the answers only: `judge` looks at the surface.
        expected = {"mv_x": np.zeros(1, np.int64), "mv_y": np.zeros(1, np.int64), "cost": np.zeros(1, np.int64)}
        expected |= {name: np.zeros((size // 4, size // 4), np.int64) for name in ("mv_x_4x4", "mv_y_4x4")}
        planes = {"current": current.astype(np.uint8), "window": window.astype(np.uint8)}
        return Vector("search", "sad", size, fields, expected, planes=planes, reference=surface)

    def _window_shape(self, size: int) -> tuple[int, int]:
        less = int(bool(self.option["exclude_last"]))
        return size + 2 * int(self.option["range_y"]) - less, size + 2 * int(self.option["range_x"]) - less

    def _pair(self, op: str, size: int, current: np.ndarray, candidate: np.ndarray) -> Vector:
        """Two blocks and their distance; no search."""
        difference = current.astype(np.int64) - candidate.astype(np.int64)
        fields = {
            "current": current.astype(np.int64), "candidate": candidate.astype(np.int64), "difference": difference,
            "size": size, "log2_size": size.bit_length() - 1,
        }  # fmt: skip
        if op == "satd":
            side = int(self.option["satd_block"])
            if side not in (4, 8) or side > size:
                raise AdapterFault(f"options.satd_block: {side} is not allowed; 4 or 8, at most the size {size}")
            return Vector(
                op, "block", size, fields, {"satd": np.array([satd(difference, side, self.option["satd_scaled"])])}
            )
        absolute = np.abs(difference)
        expected = {"sad": np.array([absolute.sum()]), "sad_4x4": _sums(absolute, 4)}
        if size >= 8:
            expected["sad_8x8"] = _sums(absolute, 8)
        return Vector(op, "block", size, fields, expected)

    def corners(self, op: str, kind: str, size: int) -> list[Vector]:
        if op != "search":
            flat = np.ones((size, size), np.int64)
            checks = np.where(np.indices((size, size)).sum(0) % 2, 255, 0)
            pairs = ((0, 0), (255, 0), (0, 255), (17, 16))
            return [self._pair(op, size, a * flat, b * flat) for a, b in pairs] + [
                self._pair(op, size, checks, 255 - checks)
            ]
        shape = self._window_shape(size)
        found = [
            self._vector(size, np.full((size, size), a), np.full(shape, b)) for a, b in ((0, 0), (255, 0), (0, 255))
        ]
        rng = np.random.default_rng(7)
        for y, x in ((0, 0), (0, shape[1] - size), (shape[0] - size, 0), (shape[0] - size, shape[1] - size)):
            window = rng.integers(0, 256, shape)
            found.append(self._vector(size, window[y : y + size, x : x + size].copy(), window))
        return found

    def random(self, rng: np.random.Generator, op: str, kind: str, size: int) -> Vector:
        if op != "search":
            spread = int(rng.choice([3, 30, 255]))
            current = rng.integers(0, 256, (size, size))
            near = np.clip(current + rng.integers(-spread, spread + 1, (size, size)), 0, 255)
            return self._pair(op, size, current, near)
        shape = self._window_shape(size)
        smooth = rng.integers(0, 256, (shape[0] // 4 + 2, shape[1] // 4 + 2)).repeat(4, 0).repeat(4, 1)
        window = np.clip(smooth[: shape[0], : shape[1]] + rng.integers(-12, 13, shape), 0, 255)
        y, x = int(rng.integers(shape[0] - size + 1)), int(rng.integers(shape[1] - size + 1))
        noise = int(rng.choice([0, 4, 40]))
        current = np.clip(window[y : y + size, x : x + size] + rng.integers(-noise, noise + 1, (size, size)), 0, 255)
        return self._vector(size, current, window)

    def judge(self, vector: Vector, answer: dict[str, Any]) -> str | None:
        if vector.op != "search":
            return super().judge(vector, answer)
        surface = vector.reference
        best = int(surface.min())
        cost = int(answer["cost"].ravel()[0]) if "cost" in answer else None
        if "mv_x" in answer and "mv_y" in answer:
            mv_x, mv_y = int(answer["mv_x"].ravel()[0]), int(answer["mv_y"].ravel()[0])
            shift_x, shift_y = (
                (0, 0) if self.option["absolute"] else (vector.fields["range_x"], vector.fields["range_y"])
            )
            row, column = mv_y + shift_y, mv_x + shift_x
            if not (0 <= row < surface.shape[0] and 0 <= column < surface.shape[1]):
                return f"vector ({mv_x}, {mv_y}) lies outside the {surface.shape[1]}x{surface.shape[0]} positions"
            own = int(surface[row, column])
            if cost is not None and own != cost:
                return f"cost: {cost} was given for vector ({mv_x}, {mv_y}), whose SAD is {own}"
            cost = own
        if "mv_x_4x4" in answer and "mv_y_4x4" in answer:
            found = self._divided(vector, answer)
            if isinstance(found, str):
                return found
            cost = found
        if cost is None:
            return "neither a vector nor a cost came out"
        self.found_sad += cost
        self.least_sad += best
        whole = "mv_x_4x4" not in answer
        if self.adapter.tolerance.cost != "consistent" and (cost != best if whole else cost > best):
            at = np.argwhere(surface == best)[0]
            return f"cost: {cost}, the smallest is {best} at row {at[0]}, column {at[1]} of the positions"
        if cost < best and whole:
            return f"cost: {cost} is smaller than the smallest SAD, {best}"
        return None

    def _divided(self, vector: Vector, answer: dict[str, Any]) -> int | str:
        """SAD of a block whose 4x4 parts have a vector each, or what is wrong with one."""
        window, current = vector.fields["window"], vector.fields["current"]
        shift = (0, 0) if self.option["absolute"] else (vector.fields["range_y"], vector.fields["range_x"])
        total = 0
        for row, column in np.ndindex(answer["mv_x_4x4"].shape):
            mv_y, mv_x = int(answer["mv_y_4x4"][row, column]), int(answer["mv_x_4x4"][row, column])
            y, x = 4 * row + mv_y + shift[0], 4 * column + mv_x + shift[1]
            if not (0 <= y <= window.shape[0] - 4 and 0 <= x <= window.shape[1] - 4):
                return f"vector ({mv_x}, {mv_y}) of block [{row}, {column}] lies outside the window"
            part = current[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            total += int(np.abs(window[y : y + 4, x : x + 4] - part).sum())
        return total

    def per_unit(self, size: int) -> tuple[float, str]:
        side, unit = unit_of(self.adapter.block.standard)
        return (side / size) ** 2, unit

    def not_covered(self) -> list[str]:
        sizes = {size for _, _, size in self.asked}
        found = ["macroblocks of 16x16"] * (16 not in sizes)
        if all(op != "search" for op, _, _ in self.asked):
            return [*self.foreign_standard(), *found, "the search (two blocks were compared)"]
        return [
            *self.foreign_standard(), *found,
            f"vectors beyond {self.option['range_x']}x{self.option['range_y']} samples", "several reference pictures",
        ]  # fmt: skip

    def timing(self, cycles: float, vectors: list[Vector]) -> dict[str, Any]:
        count, _ = self.per_unit(vectors[0].size)
        scale = 16 if self.adapter.block.standard == "hevc" else 1  # the record's rows are macroblocks
        return {"constant": cycles * count / scale, "inter_only": True}
