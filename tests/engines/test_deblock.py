"""Deblocking: whole pictures of random macroblocks equal the standard, all controls; edges; cycles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264 import macroblock as m
from asic_model.engines import deblock
from asic_model.work import encode_work
from tests.oracle import deblock as oracle

WIDTH, HEIGHT = 3, 3  # macroblocks
COUNT = WIDTH * HEIGHT
STRIDE, CHROMA_STRIDE = 16 * WIDTH + 7, 8 * WIDTH + 9
seeds = st.integers(0, 2**32 - 1)


def random_macroblocks(rng: np.random.Generator, lists: int, slices: int) -> m.Macroblocks:
    """Macroblocks of all kinds with few references and vectors a step apart, so that every strength occurs."""
    mbs = m.allocate(COUNT)
    kinds = [m.I_4X4, m.I_16X16, m.I_PCM] + 7 * [m.P_SKIP, m.INTER_16X16, m.INTER_8X8]
    mbs.mb_type[:] = rng.choice(kinds, COUNT)
    mbs.slice_id[:] = np.sort(rng.integers(0, slices, COUNT))
    mbs.qp[:] = rng.integers(20, 52, COUNT) if rng.integers(2) else 51
    mbs.cbp[:] = rng.integers(0, 48, COUNT)
    mbs.transform_8x8[:] = rng.integers(0, 2, COUNT)
    mbs.total_coeff[:] = rng.integers(1, 17, (COUNT, 24)) * (rng.random((COUNT, 24)) < 0.2)
    mbs.ref_idx[:, 0] = rng.integers(-1 if lists == 2 else 0, 2, (COUNT, 4))
    if lists == 2:
        mbs.ref_idx[:, 1] = rng.integers(-1, 2, (COUNT, 4))
        mbs.ref_idx[:, 1][mbs.ref_idx[:, 0] < 0] = rng.integers(0, 2)
    mbs.mv[:] = rng.integers(-3, 4, mbs.mv.shape) * rng.choice([0, 1, 2, 700])
    mbs.mv[rng.integers(COUNT)] = 8191
    return mbs


def random_slices(rng: np.random.Generator, count: int) -> deblock.Slices:
    slices = deblock.allocate_slices(count)
    slices.disable[:] = rng.choice([0, 0, 1, 2], count)
    for offsets in (slices.alpha_offset, slices.beta_offset):
        offsets[:] = 2 * rng.integers(-6, 7, count) if rng.integers(2) else 0
    slices.cb_offset[:], slices.cr_offset[:] = rng.integers(-12, 13, (2, count))
    slices.pictures[:] = rng.integers(0, 3, slices.pictures.shape)
    return slices


def smooth_picture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Flat memory with steps that the filter takes for artefacts, and some that it must not."""
    noise = rng.integers(-4, 5, size).cumsum() * rng.choice([0, 1]) + rng.integers(-6, 7, size) + rng.integers(0, 256)
    return np.clip(noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("lists", [1, 2])
@settings(max_examples=25, deadline=None)
@given(seed=seeds, field=st.booleans(), chroma=st.booleans(), slices=st.integers(1, 4))
def test_pictures_equal_the_standard(lists: int, seed: int, field: bool, chroma: bool, slices: int) -> None:
    rng = np.random.default_rng(seed)
    mbs, table = random_macroblocks(rng, lists, slices), random_slices(rng, slices)
    if rng.integers(4) == 0:
        mbs.slice_id[rng.integers(COUNT)] = -1
    factor = 2 if field else 1
    rows, chroma_rows = 16 * HEIGHT * factor, 8 * HEIGHT * factor
    cb = STRIDE * rows + 11
    cr = cb + CHROMA_STRIDE * chroma_rows + 5
    data = smooth_picture(rng, cr + CHROMA_STRIDE * chroma_rows + 20)
    first = field * int(rng.integers(2))  # which field
    places = [
        (first * STRIDE, factor * STRIDE, 16),
        (cb + first * CHROMA_STRIDE, factor * CHROMA_STRIDE, 8),
        (cr + first * CHROMA_STRIDE, factor * CHROMA_STRIDE, 8),
    ][: 3 if chroma else 1]
    twins = [
        [[int(v) for v in data[at + y * step : at + y * step + size * WIDTH]] for y in range(size * HEIGHT)]
        for at, step, size in places
    ]
    pieces = oracle.deblock(twins, oracle.Context(mbs, table, WIDTH, field))
    expected = data.copy()
    for (at, step, _), plane in zip(places, twins, strict=True):
        for y, line in enumerate(plane):
            expected[at + y * step : at + y * step + len(line)] = line
    cb_at, cr_at = cb + first * CHROMA_STRIDE, cr + first * CHROMA_STRIDE
    planes = deblock.Planes(
        data, first * STRIDE, factor * STRIDE, cb_at, cr_at, factor * CHROMA_STRIDE, int(chroma)
    )  # fmt: skip
    edges = np.full(COUNT, 99, np.uint8)
    scratch = deblock.allocate_scratch(COUNT)
    deblock.deblock_picture(planes, mbs, table, scratch, WIDTH, HEIGHT, int(field), lists, edges)
    np.testing.assert_array_equal(data, expected)
    if chroma:
        assert edges.tolist() == pieces


def test_strengths_of_every_kind_occur() -> None:
    """The random pictures above are worth something: strengths 0 to 4 all occur in them."""
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(5):
        mbs, table = random_macroblocks(rng, 2, 1), random_slices(rng, 1)
        c = oracle.Context(mbs, table, WIDTH, False)
        for mb in range(1, COUNT):
            for y in range(4):
                seen.add(oracle.strength(c, mb - 1, (3, y), mb, (0, y), True, True))
                seen.add(oracle.strength(c, mb, (1, y), mb, (2, y), False, True))
    assert seen == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("luma", [True, False])
@settings(max_examples=40, deadline=None)
@given(seed=seeds, index_a=st.integers(16, 51), index_b=st.integers(16, 51), strength=st.integers(0, 4))
def test_edges(upright: bool, luma: bool, seed: int, index_a: int, index_b: int, strength: int) -> None:
    """One edge through `filter_*_edge` and through `filter_samples` against the standard."""
    rng = np.random.default_rng(seed)
    data = smooth_picture(rng, 32 * 32) if rng.integers(2) else rng.integers(0, 256, 1024, np.uint8)
    count = 16 if luma else 8
    strengths = np.full(4, strength, np.uint8) if strength == 4 else rng.integers(0, 4, 4).astype(np.uint8)
    offset, along, step = 32 * 7 + 9, *((32, 1) if upright else (1, 32))
    expected = data.copy()
    reach = 4 if luma else 2
    for k in range(count):
        at = offset + k * along
        spots_p, spots_q = [at - step * (i + 1) for i in range(reach)], [at + step * i for i in range(reach)]
        p = [int(data[s]) for s in spots_p] + [0] * (4 - reach)
        q = [int(data[s]) for s in spots_q] + [0] * (4 - reach)
        oracle.filter_samples(p, q, int(strengths[k * 4 // count]), index_a, index_b, luma)
        expected[spots_p], expected[spots_q] = p[:reach], q[:reach]
    ours = data.copy()
    edge = deblock.filter_luma_edge if luma else deblock.filter_chroma_edge
    edge(ours, offset, 32, upright, strength == 4, strengths, 0, index_a, index_b)
    np.testing.assert_array_equal(ours, expected)
    ours = data.copy()
    for quarter in range(4):
        start, size = offset + quarter * (count // 4) * along, count // 4
        deblock.filter_samples(ours, start, along, step, size, luma, int(strengths[quarter]), index_a, index_b)
    np.testing.assert_array_equal(ours, expected)


def test_cycles() -> None:
    work = encode_work(2)
    work["deblock_edges"] = [48, 5]
    fixed = deblock.DeblockConfig(segments_per_cycle=2, macroblock_cycles=7, skip_idle=False)
    assert deblock.cycles(fixed, work).tolist() == [31, 31]
    skipping = deblock.DeblockConfig(segments_per_cycle=2, macroblock_cycles=7, skip_idle=True)
    assert deblock.cycles(skipping, work).tolist() == [31, 10]
