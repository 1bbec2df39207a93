"""Random legal macroblock records: what an encoder might decide, without pictures behind it."""

import itertools
from typing import Any

import numpy as np

from asic_model.codecs.h264.macroblock import (
    B_DIRECT_16X16,
    B_SKIP,
    I_4X4,
    I_8X8,
    I_16X16,
    I_PCM,
    INTER_8X8,
    INTER_8X16,
    INTER_16X8,
    INTER_16X16,
    LEVELS_CB_DC,
    LEVELS_LUMA_DC,
    P_SKIP,
    SUB_8X8,
    SUB_DIRECT,
    Macroblocks,
    allocate,
)
from tests.oracle.motion import predict_skip

INTRA_TYPES = (I_4X4, I_8X8, I_16X16, I_PCM)
P_TYPES = (P_SKIP, INTER_16X16, INTER_16X8, INTER_8X16, INTER_8X8)
B_TYPES = (B_SKIP, B_DIRECT_16X16, INTER_16X16, INTER_16X8, INTER_8X16, INTER_8X8)


def _levels(rng: np.random.Generator, size: int, density: float, magnitude: int) -> np.ndarray:
    """`size` levels: mostly zeros, then mostly ones, with a tail up to `magnitude`."""
    values = rng.geometric(0.6, size)
    large = rng.random(size) < 0.1
    values[large] = rng.integers(1, magnitude + 1, large.sum())
    values = np.minimum(values, magnitude) * rng.choice([-1, 1], size)
    return np.where(rng.random(size) < density, values, 0).astype(np.int16)


# prediction modes that need no neighbours, the left one, the upper one, all three (Tables 8-2, 8-4, 8-5)
_MODES_4X4 = ((2,), (1, 8), (0, 3, 7), (4, 5, 6))
_MODES_16X16 = ((2,), (1,), (0,), (3,))
_MODES_CHROMA = ((0,), (1,), (2,), (3,))


def _choose(rng: np.random.Generator, modes: tuple[tuple[int, ...], ...], left: bool, up: bool, corner: bool) -> int:
    legal = modes[0] + int(left) * modes[1] + int(up) * modes[2] + int(left and up and corner) * modes[3]
    return int(rng.choice(legal))


def _fill_intra(rng: np.random.Generator, mbs: Macroblocks, mb_width: int, mb: int, kind: int) -> None:
    column = mb % mb_width
    left = column > 0 and mbs.slice_id[mb - 1] == mbs.slice_id[mb]
    up = mb >= mb_width and mbs.slice_id[mb - mb_width] == mbs.slice_id[mb]
    corner = column > 0 and mb > mb_width and mbs.slice_id[mb - mb_width - 1] == mbs.slice_id[mb]
    if kind == I_16X16:
        mbs.intra_mode[mb] = _choose(rng, _MODES_16X16, left, up, corner)
    elif kind in (I_4X4, I_8X8):
        for block in range(16):
            x, y = block // 4 % 2 * 2 + block % 2, block // 8 * 2 + block // 2 % 2
            inside = (up if x else corner) if y == 0 else (left if x == 0 else True)
            mode = _choose(rng, _MODES_4X4, left or x > 0, up or y > 0, inside)
            mbs.intra_mode[mb, block] = mbs.intra_mode[mb, block - block % 4] if kind == I_8X8 and block % 4 else mode
        mbs.transform_8x8[mb] = kind == I_8X8
    mbs.chroma_mode[mb] = 0 if kind == I_PCM else _choose(rng, _MODES_CHROMA, left, up, corner)


def _fill_inter(
    rng: np.random.Generator, mbs: Macroblocks, mb: int, kind: int, refs: tuple[int, int], span: int, b_slice: bool
) -> None:
    """Partitions, references and vectors; `span`: largest vector component in quarter samples."""
    predictions = [rng.integers(0, 3) if b_slice else 0 for _ in range(4)]  # list 0, list 1, both
    groups: list[tuple[int, ...]]
    if kind == INTER_16X16:
        groups = [(0, 1, 2, 3)]
    elif kind == INTER_16X8:
        groups = [(0, 1), (2, 3)]
    elif kind == INTER_8X16:
        groups = [(0, 2), (1, 3)]
    else:
        groups = [(0,), (1,), (2,), (3,)]
        mbs.sub_type[mb] = rng.integers(0, 5 if b_slice and kind == INTER_8X8 else 4, 4)
    derived = kind in (B_SKIP, B_DIRECT_16X16)
    for number, group in enumerate(groups):
        for lst in range(2):
            if predictions[number] not in (lst, 2):
                continue
            for quadrant in group:
                mbs.ref_idx[mb, lst, quadrant] = rng.integers(0, refs[lst]) if quadrant == group[0] else 0
                mbs.ref_idx[mb, lst, quadrant] = mbs.ref_idx[mb, lst, group[0]]
            vector = rng.integers(-span, span + 1, 2)
            for quadrant in group:
                x, y = (quadrant & 1) * 2, (quadrant >> 1) * 2
                sub = mbs.sub_type[mb, quadrant] if kind == INTER_8X8 else SUB_8X8
                for j in range(2):
                    for i in range(2):
                        fresh = (
                            derived or sub == SUB_DIRECT or (sub == 1 and i == 0) or (sub == 2 and j == 0) or sub == 3
                        )
                        if fresh:
                            value = rng.integers(-span, span + 1, 2)
                        elif sub == 1:
                            value = mbs.mv[mb, lst, (y + j) * 4 + x]
                        elif sub == 2:
                            value = mbs.mv[mb, lst, y * 4 + x + i]
                        else:
                            value = vector
                        mbs.mv[mb, lst, (y + j) * 4 + x + i] = value


def _fill_residual(rng: np.random.Generator, mbs: Macroblocks, mb: int, magnitude: int, monochrome: bool) -> None:
    kind = mbs.mb_type[mb]
    density = rng.choice([0.0, 0.05, 0.3, 1.0])
    luma = (15 if rng.random() < 0.5 else 0) if kind == I_16X16 else int(rng.integers(0, 16))
    chroma = 0 if monochrome else int(rng.integers(0, 3))
    mbs.cbp[mb] = luma | chroma << 4
    mbs.levels[mb] = rng.integers(-5, 6, mbs.levels[mb].shape)  # what unset pattern bits hide
    for b8 in range(4):
        if luma >> b8 & 1:
            mbs.levels[mb, 4 * b8 : 4 * b8 + 4] = _levels(rng, 64, density, magnitude).reshape(4, 16)
            if mbs.transform_8x8[mb] and not mbs.levels[mb, 4 * b8 : 4 * b8 + 4].any():
                mbs.levels[mb, 4 * b8, 3] = 1
    if kind == I_16X16:
        mbs.levels[mb, LEVELS_LUMA_DC] = _levels(rng, 16, density, magnitude)
    if chroma:
        mbs.levels[mb, LEVELS_CB_DC : LEVELS_CB_DC + 2, :4] = _levels(rng, 8, density, magnitude).reshape(2, 4)
    if chroma == 2:
        mbs.levels[mb, LEVELS_CB_DC + 2 :] = _levels(rng, 128, density, magnitude).reshape(8, 16)


def random_macroblocks(
    rng: np.random.Generator,
    mb_width: int,
    mb_height: int,
    *,
    slice_type: int = 0,
    slices: int = 1,
    qp: int = 26,
    refs: tuple[int, int] = (1, 1),
    transform_8x8: bool = False,
    magnitude: int = 20,
    span: int = 100,
    monochrome: bool = False,
    derived: bool = True,
    skip_share: float = 0.3,
) -> tuple[Macroblocks, list[tuple[int, int]]]:
    """Return a picture of random records and its slices as (first macroblock, count).

    qp      : SliceQPY of every slice; macroblocks with residual wander from there
    derived : whether B slices may hold skipped and direct partitions (their motion is random, as syntax sees it)
    """
    count = mb_width * mb_height
    mbs = allocate(count)
    cuts: Any = np.sort(rng.choice(np.arange(1, count), min(slices, count) - 1, replace=False)) if slices > 1 else []
    bounds = [0, *(int(cut) for cut in cuts), count]
    types: Any = {0: P_TYPES, 1: B_TYPES if derived else B_TYPES[2:], 2: ()}[slice_type]
    for number, (begin, end) in enumerate(itertools.pairwise(bounds)):
        last_qp = qp
        for mb in range(begin, end):
            mbs.slice_id[mb] = number
            intra = slice_type == 2 or rng.random() < 0.25
            kind = int(rng.choice(INTRA_TYPES, p=(0.4, 0.25, 0.3, 0.05)) if intra else rng.choice(types))
            if kind == I_8X8 and not transform_8x8:
                kind = I_4X4
            if not intra and types[0] != INTER_16X16 and rng.random() < skip_share:
                kind = types[0]
            mbs.mb_type[mb] = kind
            mbs.qp[mb] = last_qp
            if kind == I_PCM:
                mbs.levels[mb].reshape(-1)[:384] = rng.integers(0, 256, 384)
                continue
            if intra:
                _fill_intra(rng, mbs, mb_width, mb, kind)
            elif kind == P_SKIP:
                mbs.ref_idx[mb, 0] = 0
                mbs.mv[mb, 0] = predict_skip(mbs, mb_width, mb)
                continue
            else:
                _fill_inter(rng, mbs, mb, kind, refs, span, slice_type == 1)
                if kind == B_SKIP:
                    continue
                whole = kind != INTER_8X8 or all(sub in (SUB_8X8, SUB_DIRECT) for sub in mbs.sub_type[mb])
                mbs.transform_8x8[mb] = transform_8x8 and whole and rng.random() < 0.5
            if rng.random() < 0.8:
                _fill_residual(rng, mbs, mb, magnitude, monochrome)
            if mbs.cbp[mb] & 15 == 0 and not intra:
                mbs.transform_8x8[mb] = 0
            if mbs.cbp[mb] or kind == I_16X16:
                last_qp = mbs.qp[mb] = int(np.clip(last_qp + rng.choice([0, 0, 1, -1, 25, -26]), 0, 51))
                if kind == I_16X16 and mbs.cbp[mb] == 0:
                    mbs.levels[mb, LEVELS_LUMA_DC] = _levels(rng, 16, 0.3, magnitude)
    return mbs, [(begin, end - begin) for begin, end in itertools.pairwise(bounds)]
