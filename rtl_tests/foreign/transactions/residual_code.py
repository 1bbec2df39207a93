"""Entropy coding: CAVLC of residual blocks, both ways, and the arithmetic coder of CABAC.

cavlc_encode  levels in scan order and nC -> bits. Sizes 16, 15 (AC) and 4 (chroma DC). Fields `total_coeff`,
              `trailing_ones`, `total_zeros`, `last_index` (place of the last level) for blocks that are told them
cavlc_decode  bits -> levels
cabac_encode  bins with their contexts -> bits up to the flush; size: bins of a run. Fields `bin`, `context` (ctxIdx),
              `bypass`, `terminate`, and `state`, `mps` of the context before the bin, one entry a bin. The coder of
              HEVC (9.3.4.3) is that of H.264; its contexts begin with random states, for blocks that are given them
"""

from typing import Any

import numpy as np

from asic_model.codecs.h264.cabac_contexts import CONTEXTS, CTX_BYPASS, CTX_TERMINATE, NEXT_STATE, initial_states
from asic_model.engines.entropy.arithmetic import encode_symbols, flush
from asic_model.engines.entropy.cavlc import put_block
from asic_model.engines.entropy.codes import TOKEN_COLUMN
from rtl_tests.foreign.transactions.base import Transaction, Vector

_KEPT_BITS = 32  # that a coder without a flush may hold back
_CONTEXTS_USED = 460  # of frame pictures without 4:4:4


def _trailing_ones(levels: np.ndarray) -> int:
    """Ones and minus ones from the last level back, at most three (9.2.1)."""
    count = 0
    for level in levels[levels != 0][::-1][:3]:
        if abs(int(level)) != 1:
            break
        count += 1
    return count


class ResidualCode(Transaction):
    name = "residual_code"
    engine = "entropy"
    bounds = ("coefficients", "nc")
    operations = {  # noqa: RUF012
        "h264": {
            "cavlc_encode": {"block": (4, 15, 16)},
            "cavlc_decode": {"block": (4, 15, 16)},
            "cabac_encode": {"bins": (8, 64, 256, 1024)},
        },
        "hevc": {"cabac_encode": {"bins": (8, 64, 256, 1024)}},
    }
    options = {  # noqa: RUF012
        "padded": (16, "levels that the block's ports carry, whatever the size"),
        "reverse": (False, "levels go highest frequency first"),
        "level_max": (2063, "largest level"),
        "first_bit": (False, "cabac_encode: the coder's very first bit, always 0, is written too"),
        "flush": (True, "cabac_encode: the last bits are written; false: up to 32 may stay in the coder"),
    }

    def _cavlc(self, op: str, size: int, levels: np.ndarray, nc: int) -> Vector:
        block, codes = np.zeros(64, np.int16), np.zeros(64, np.int64)
        block[:size] = levels
        column = 4 if size == 4 else int(TOKEN_COLUMN[nc])
        count, total = put_block(codes, 0, block, 1, 0, size, column)
        bits = "".join(f"{int(code) >> 8:0{int(code) & 255}b}" for code in codes[:count])
        padded = np.zeros(int(self.option["padded"]), np.int64)
        padded[:size] = levels
        if self.option["reverse"]:
            padded = padded[::-1].copy()
        fields: dict[str, Any] = {
            "size": size,
            "nc": -1 if size == 4 else nc,
            "nc_class": column,
            "total_coeff": int(total),
            "trailing_ones": _trailing_ones(levels),
            "last_index": int(np.flatnonzero(levels)[-1]) if total else 0,
            "total_zeros": int(np.flatnonzero(levels)[-1]) + 1 - int(total) if total else 0,
        }
        if op == "cavlc_encode":
            return Vector(
                op, "block", size, fields | {"coefficients": padded}, {"bits": bits, "length": np.array([len(bits)])}
            )
        return Vector(
            op, "block", size, fields | {"bits": bits}, {"coefficients": padded, "length": np.array([len(bits)])}
        )

    def _cabac(self, size: int, rng: np.random.Generator, skew: float) -> Vector:
        qp = int(rng.integers(0, 52))
        table = int(rng.integers(0, 4))
        states = np.zeros(CONTEXTS, np.uint8)
        initial_states(states, table, qp)
        hevc = self.adapter.block.standard == "hevc"
        if hevc:
            states[:CTX_TERMINATE] = rng.integers(0, 2 * 63, CTX_TERMINATE)
        contexts = rng.integers(0, CTX_TERMINATE if hevc else _CONTEXTS_USED, size)
        contexts[contexts == CTX_TERMINATE] = 275
        bypass = rng.random(size) < 0.15
        bins = np.zeros(size, np.int64)
        state, mps = np.zeros(size, np.int64), np.zeros(size, np.int64)
        # end_of_slice_flag: 0 between units, 1 at the end
        terminate = ((rng.random(size) < 0.03) & ~bypass).astype(np.int64)
        terminate[-1] = 1
        following = states.copy()
        symbols = np.zeros(size, np.uint16)
        for n in range(size):
            index = CTX_TERMINATE if terminate[n] else CTX_BYPASS if bypass[n] else int(contexts[n])
            now = int(following[index])
            state[n], mps[n] = (0, 0) if index == CTX_BYPASS else (now >> 1, now & 1)
            bins[n] = (
                int(n == size - 1)
                if terminate[n]
                else int(rng.random() < 0.5)
                if bypass[n]
                else (now & 1) ^ int(rng.random() > skew)
            )
            following[index] = NEXT_STATE[now << 1 | int(bins[n])]
            symbols[n] = index << 1 | int(bins[n])
        out = np.zeros(2 * size + 64, np.uint8)
        low, _, queue, position = encode_symbols(symbols, size, states, 0, 510, 0, out, 8)
        end, last = flush(low, queue, out, position)
        # The coder's very first bit is not written (9.3.4.2, firstBitFlag); `flush` ends with the stop bit.
        text = "".join(f"{byte:08b}" for byte in out[8:end])[: 8 * (position - 8) + last]
        text = "0" + text if self.option["first_bit"] else text
        fields = {
            "size": size, "qp": qp, "init_idc": table, "bin": bins, "context": contexts.astype(np.int64),
            "bypass": (bypass & (terminate == 0)).astype(np.int64), "terminate": terminate, "state": state, "mps": mps,
        }  # fmt: skip
        return Vector("cabac_encode", "bins", size, fields, {"bits": text})

    def bits_differ(self, expected: str, found: str) -> str | None:
        if not self.option["flush"]:
            expected = expected[: max(len(found), len(expected) - _KEPT_BITS)]
        return super().bits_differ(expected, found)

    def corners(self, op: str, kind: str, size: int) -> list[Vector]:
        if op == "cabac_encode":
            rng = np.random.default_rng(3)
            return [self._cabac(size, rng, skew) for skew in (1.0, 0.0, 0.5)]
        top = int(self.option["level_max"])
        levels = [
            np.zeros(size, np.int64),
            np.ones(size, np.int64),
            np.full(size, -1),
            np.full(size, top),
            np.full(size, -top),
        ]
        for position in (0, size - 1):
            for value in (1, -2, top):
                one = np.zeros(size, np.int64)
                one[position] = value
                levels.append(one)
        least, most = self.bound("nc", 0, 16)
        columns = (0,) if size == 4 else sorted({min(max(nc, least), most) for nc in (0, 2, 4, 8, 16)})
        return [self._cavlc(op, size, each, nc) for each in levels for nc in columns]

    def random(self, rng: np.random.Generator, op: str, kind: str, size: int) -> Vector:
        if op == "cabac_encode":
            return self._cabac(size, rng, float(rng.choice([0.95, 0.8, 0.5, 0.2])))
        spread = int(rng.choice([1, 2, 8, 64, int(self.option["level_max"])]))
        low, high = self.bound("coefficients", -int(self.option["level_max"]), int(self.option["level_max"]))
        levels = np.clip(rng.integers(-spread, spread + 1, size), low, high)
        levels = np.where(rng.random(size) < rng.choice([0.1, 0.4, 0.9]), levels, 0)
        least, most = self.bound("nc", 0, 16)
        return self._cavlc(op, size, levels, int(rng.integers(least, most + 1)))

    def per_unit(self, size: int) -> tuple[float, str]:
        if self.asked[0][0] == "cabac_encode":
            return 1.0, "run of bins"
        return (2.0, "macroblock, its chroma DC") if size == 4 else (24.0, "macroblock, all blocks coded")

    def not_covered(self) -> list[str]:
        ops = {op for op, _, _ in self.asked}
        if "cabac_encode" in ops:
            return [*self.foreign_standard(), "CAVLC", "binarisation and contexts (bins were given)"]
        found = ["coding (bits were read)"] * ("cavlc_encode" not in ops)
        found += [f"blocks of {size} levels" for size in (4, 15, 16) if size not in {size for _, _, size in self.asked}]
        return [*found, "CABAC", "syntax above residual blocks"]

    def timing(self, cycles: float, vectors: list[Vector]) -> dict[str, Any]:
        if vectors[0].op == "cabac_encode":
            return {"per": {"entropy_bins": cycles / float(np.mean([vector.size for vector in vectors]))}}
        codes = [vector.fields["total_coeff"] + 2 for vector in vectors]  # token, levels, zeros: as the record counts
        return {"per": {"entropy_bins": cycles / float(np.mean(codes))}}
