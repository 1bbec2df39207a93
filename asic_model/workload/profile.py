"""Synthetic work: what a picture of given bits, motion and texture costs, by tables fitted from recorded runs.

A table belongs to one kind of core, slice type and (encode) effort. It has levels, mean bits a macroblock of recorded
pictures from few to many, and ranks: the macroblocks of a picture sorted by their bits and cut into equal parts; for
each level, rank and field of the work record it keeps the mean (of types: a sample). A synthetic picture lies between
two levels; which rank a macroblock gets comes from smooth noise: busy ones stand together as in real pictures.

    motion    mean length of the vectors [luma samples]; moves the search's counts by fitted exponents
    texture   0..1: how badly pictures compress without loss; 0.5 is the mean of the recorded ones at the same bits,
              0 and 1 two standard deviations to either side

`python -m benchmarks.fit_profiles` makes the tables (profile_tables.json) anew and prints how far synthetic pictures
are from recorded ones.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from asic_model.memory.frame_compression import ALIGNMENT_BYTES, TILE_BYTES, tile_grid
from asic_model.work import DECODE_WORK, ENCODE_WORK

RANKS = 12
LEVELS = 8
KINDS_KEPT = 8  # of a rank's macroblock types
EFFORTS = ("fast", "medium", "slow")
CATEGORIES = ("mb_type", "inter_prediction_ref")
# Fields that follow a picture's motion.
EFFORT_REFERENCES = {"fast": 1, "medium": 2, "slow": 4}  # that the tables were fitted with
REORDERED_REFERENCES = {"fast": 1, "medium": 2, "slow": 3}  # of B pictures, before them: one is kept behind them
REFERENCE_SHARE = 0.88  # of the searches' work, a reference: three cost 2.76 times one (measured, crowd 1080p)
MOVING = ("motion_search_coarse", "motion_search_fine", "fractional_search_blocks")
BITS = {"encode": "entropy_bits", "decode": "parse_bits"}
_WORK = {"encode": ENCODE_WORK, "decode": DECODE_WORK}
_LEFT_OUT = ("slice_start", "fetch_window_x", "fetch_window_y", "inter_prediction_x", "inter_prediction_y")


def fields(kind: str) -> list[str]:
    """Fields of the work record that tables carry."""
    return [name for name in _WORK[kind].names or () if name not in _LEFT_OUT]


@dataclass(frozen=True)
class Table:
    """One fitted table."""

    bits: np.ndarray  # float[levels], bits a macroblock, ascending
    motion: np.ndarray  # float[levels], mean vector length [luma samples]
    values: dict[str, np.ndarray]  # by field: float[levels, ranks]
    exponents: dict[str, float]  # of (1 + motion), by field


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    text = resources.files("asic_model.workload").joinpath("profile_tables.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


@lru_cache(maxsize=32)
def table(kind: str, slice_type: str, effort: str = "") -> Table:
    """Return the table of "encode" or "decode", slice type "I", "P" or "B" (encode), and effort (encode)."""
    entry = _document()["tables"][f"{kind} {slice_type} {effort}".strip()]
    return Table(
        np.array(entry["bits"]),
        np.array(entry["motion"]),
        {name: np.array(values) for name, values in entry["values"].items()},
        entry["exponents"],
    )


def source() -> str:
    """What the tables were fitted on."""
    return str(_document()["source"])


def error(kind: str, slice_type: str, effort: str = "") -> tuple[float, float]:
    """Mean and spread of (cycles of synthetic pictures / cycles of the recorded ones that were fitted) - 1."""
    found = _document()["errors"][f"{kind} {slice_type} {effort}".strip()]
    return float(found["mean"]), float(found["spread"])


def intra_ratio(bits_per_macroblock: float) -> float:
    """Bits of an I picture over bits of a P picture, where P pictures have so many bits a macroblock."""
    fit = _document()["intra_ratio"]
    return float(np.clip(fit["factor"] * max(bits_per_macroblock, 1.0) ** fit["exponent"], 1.0, 60.0))


def split_bits(mean_bits: float, gop: int, b_share: float = 0.0) -> dict[str, float]:
    """Bits a macroblock of pictures by type, where the mean over a GOP is `mean_bits`; `b_share`: of all but the I."""
    if gop <= 1:
        return {"I": mean_bits, "P": mean_bits, "B": mean_bits}
    ratio = float(_document()["bipredictive_ratio"])
    others = (gop - 1) * (1 - b_share + b_share * ratio)
    inter = mean_bits
    for _ in range(20):
        inter = mean_bits * gop / (intra_ratio(inter) + others)
    return {"I": inter * intra_ratio(inter), "P": inter, "B": inter * ratio}


def _ranks(mb_width: int, mb_height: int, random: np.random.Generator) -> np.ndarray:
    """int[n]: rank of each macroblock, equally many of each, neighbours alike."""
    noise = random.random((mb_height + 4, mb_width + 4))
    smooth = sum(noise[dy : dy + mb_height, dx : dx + mb_width] for dy in range(5) for dx in range(5))
    count = mb_width * mb_height
    order = np.argsort(np.asarray(smooth).ravel(), kind="stable")
    ranks = np.empty(count, np.int64)
    ranks[order] = np.arange(count) * RANKS // count
    return ranks


def work_record(
    kind: str, slice_type: str, mb_width: int, mb_height: int, *, bits: float, motion: float = 4.0, effort: str = "",
    references: int = 0, seed: int = 0,
) -> np.ndarray:  # fmt: skip
    """Return a picture's work record: `bits` a macroblock on average, vectors of `motion` luma samples.

    references : of list 0 that an encoder searches; 0: as many as the effort's own. B pictures search one more
    """
    fitted = table(kind, slice_type, effort)
    random = np.random.default_rng(seed)
    ranks = _ranks(mb_width, mb_height, random)
    at = np.interp(np.log(max(bits, 0.5)), np.log(np.maximum(fitted.bits, 0.5)), np.arange(len(fitted.bits)))
    low = int(at)
    high, part = min(low + 1, len(fitted.bits) - 1), float(at) - low
    usual = (1 - part) * fitted.motion[low] + part * fitted.motion[high]
    work = np.zeros(len(ranks), _WORK[kind])
    work["slice_start"][0] = 1
    chance = random.random(len(ranks))
    for name, values in fitted.values.items():
        if name in CATEGORIES:
            kinds = values[low if part < 0.5 else high]  # [ranks, KINDS_KEPT]
            work[name] = kinds[ranks, (chance * KINDS_KEPT).astype(np.int64)]
            continue
        mean = (1 - part) * values[low] + part * values[high]
        if name == BITS[kind]:
            mean = mean * bits / max(1e-9, mean.mean())
        if name in fitted.exponents:
            mean = mean * ((1 + motion) / (1 + usual)) ** fitted.exponents[name]
            own, more = references_of(slice_type, effort), int(slice_type == "B")
            mean = mean * _searching((references or own) + more) / _searching(own + more)
        limits = np.iinfo(work.dtype[name])
        work[name] = np.clip(np.floor(mean[ranks] + chance), limits.min, limits.max)
    return work


def references_of(slice_type: str, effort: str) -> int:
    """Pictures of list 0 that the tables of an effort were fitted with."""
    return (REORDERED_REFERENCES if slice_type == "B" else EFFORT_REFERENCES)[effort]


def _searching(references: int) -> float:
    """Work of the searches with so many references, over that with one."""
    return 1 + REFERENCE_SHARE * (references - 1)


def tile_sizes(width: int, height: int, *, bits: float, texture: float = 0.5, seed: int = 0) -> np.ndarray:
    """uint16[tiles_y, tiles_x]: compressed sizes of a reference picture, at `bits` a macroblock of its P pictures."""
    fit = _document()["tiles"]
    mean = fit["at_one_bit"] + fit["per_octave"] * np.log2(1 + bits) + 4 * (texture - 0.5) * fit["deviation"]
    random = np.random.default_rng(seed)
    grid = tile_grid(width, height)
    share = np.clip(mean + fit["within"] * random.standard_normal(grid), 0.05, 1.0)
    whole = np.ceil(share * TILE_BYTES / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    return np.minimum(whole, TILE_BYTES).astype(np.uint16)
