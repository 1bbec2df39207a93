"""The entropy engine writes streams that say exactly what the macroblock record says.

Two judges: the plain-Python parser of tests/oracle/slice_data.py, which gives every syntax element back, and FFmpeg,
which must decode without a complaint and show the samples that are known without any prediction.
"""

import io
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.codecs.h264 import macroblock as m
from asic_model.codecs.h264.levels import HIGH, MAIN
from asic_model.codecs.h264.macroblock import Macroblocks
from asic_model.codecs.h264.nal import NAL_IDR_SLICE, NAL_SLICE, START_CODE, header_byte, parse_nal
from asic_model.codecs.h264.parameter_sets import Pps, Sps
from asic_model.codecs.h264.slice_header import SLICE_B, SLICE_I, SLICE_P, SliceHeader, write_slice_header
from asic_model.engines.entropy import (
    OUTPUT_FULL,
    EntropyConfig,
    SliceParameters,
    UncodableMacroblock,
    cycles,
    entropy_scratch,
    write_slice,
)
from asic_model.work import encode_work
from tests.oracle import motion
from tests.oracle.random_syntax import random_macroblocks
from tests.oracle.slice_data import BLOCK_XY, Mb, Slice, parse_slice_data


def slice_parameters(case: dict[str, Any], first: int, count: int) -> SliceParameters:
    return SliceParameters(
        first_mb=first,
        mb_count=count,
        mb_width=case["mb_width"],
        slice_type=case["slice_type"],
        qp=case["qp"],
        cabac=int(case["cabac"]),
        cabac_init_idc=case["cabac_init_idc"],
        num_ref_idx_l0=case["refs"][0],
        num_ref_idx_l1=case["refs"][1],
        transform_8x8_mode=int(case["transform_8x8"]),
        field=int(case["field"]),
        monochrome=int(case["monochrome"]),
    )


def oracle_slice(p: SliceParameters, mb_limit: int) -> Slice:
    return Slice(
        mb_width=p.mb_width,
        first_mb=p.first_mb,
        slice_type=p.slice_type,
        qp=p.qp,
        cabac=bool(p.cabac),
        cabac_init_idc=p.cabac_init_idc,
        refs=(p.num_ref_idx_l0, p.num_ref_idx_l1),
        transform_8x8_mode=bool(p.transform_8x8_mode),
        field=bool(p.field),
        monochrome=bool(p.monochrome),
        mb_limit=mb_limit,
    )


CASES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1 << 30),
        "mb_width": st.integers(1, 6),
        "mb_height": st.integers(1, 4),
        "slice_type": st.sampled_from([SLICE_P, SLICE_B, SLICE_I]),
        "slices": st.integers(1, 3),
        "cabac": st.booleans(),
        "cabac_init_idc": st.integers(0, 2),
        "qp": st.integers(0, 51),
        "refs": st.tuples(st.integers(1, 5), st.integers(1, 3)),
        "transform_8x8": st.booleans(),
        "magnitude": st.sampled_from([1, 20, 2063, 32767]),
        "span": st.sampled_from([3, 60, 8000]),
        "monochrome": st.booleans(),
        "field": st.booleans(),
        "header_bits": st.integers(1, 40),
    }
)


def make_picture(case: dict[str, Any], *, derived: bool = True) -> tuple[Macroblocks, list[tuple[int, int]]]:
    keys = ("slice_type", "slices", "qp", "refs", "transform_8x8", "magnitude", "span", "monochrome")
    return random_macroblocks(
        np.random.default_rng(case["seed"]),
        case["mb_width"],
        case["mb_height"],
        derived=derived,
        **{key: case[key] for key in keys},
    )


def first_difference(mbs: Macroblocks, p: SliceParameters, mb: int, got: Mb) -> str:
    """Empty when the parsed macroblock says what the record says."""

    def differs(name: str, want: Any, have: Any) -> str:
        return "" if np.array_equal(want, have) else f"macroblock {mb}, {name}: record {want}, stream {have}"

    kind = int(mbs.mb_type[mb])
    found = differs("mb_type", kind, got.mb_type)
    if found or kind in (m.P_SKIP, m.B_SKIP):
        return found or differs("qp", mbs.qp[mb], got.qp)
    if kind == m.I_PCM:
        size = 256 if p.monochrome else 384
        return differs("samples", mbs.levels[mb].reshape(-1)[:size], list(got.samples))
    cbp = int(mbs.cbp[mb])
    pairs: list[tuple[str, Any, Any]] = [
        ("cbp", cbp, got.cbp),
        ("qp", mbs.qp[mb], got.qp),
        ("transform_8x8", bool(mbs.transform_8x8[mb]), got.transform_8x8),
    ]
    if kind <= m.I_16X16:
        pairs.append(("intra_mode", mbs.intra_mode[mb], got.intra_mode))
        pairs.append(("chroma_mode", 0 if p.monochrome else mbs.chroma_mode[mb], got.chroma_mode))
    elif kind != m.B_DIRECT_16X16:
        if kind == m.INTER_8X8:
            pairs.append(("sub_type", mbs.sub_type[mb], got.sub_type))
        for lst in range(2):
            coded = [not got.direct(quadrant) for quadrant in range(4)]
            refs = np.where(coded, mbs.ref_idx[mb, lst], -1)
            pairs.append((f"ref_idx list {lst}", refs, got.ref_idx[lst]))
            pairs.append((f"mvd list {lst}", mbs.mvd[mb, lst], got.mvd[lst]))
    rows = [row for row in range(16) if cbp >> (row // 4) & 1]
    rows += [m.LEVELS_LUMA_DC] * (kind == m.I_16X16)
    rows += [m.LEVELS_CB_DC, m.LEVELS_CR_DC] * (cbp >> 4 > 0) + list(range(19, 27)) * (cbp >> 4 > 1)
    for row in rows:
        if got.transform_8x8 and row < 16:
            have = got.levels.get(row // 4 * 4, [0] * 64)[row % 4 * 16 :][:16]
        else:
            have = got.levels.get(row, [0] * 16)
        want = mbs.levels[mb, row].copy()
        if row >= m.LEVELS_CB_AC or (row < 16 and kind == m.I_16X16):
            want[0] = 0
        if row in (m.LEVELS_CB_DC, m.LEVELS_CR_DC):
            want[4:] = 0
        pairs.append((f"levels row {row}", want, have))
    return next(filter(None, (differs(*pair) for pair in pairs)), "")


def vector_difference(mbs: Macroblocks, p: SliceParameters, mb: int, got: Mb) -> str:
    """Empty when prediction (the oracle's) plus mvd (the stream's) is the record's vector, for every partition."""
    shapes = {m.INTER_16X16: [(0, 0, 4, 4)], m.INTER_16X8: [(0, 0, 4, 2), (0, 2, 4, 2)]}
    shapes[m.INTER_8X16] = [(0, 0, 2, 4), (2, 0, 2, 4)]
    shapes[m.INTER_8X8] = []
    for quadrant in range(4):
        width, height = {0: (2, 2), 1: (2, 1), 2: (1, 2), 3: (1, 1), 4: (0, 0)}[got.sub_type[quadrant]]
        x, y = quadrant % 2 * 2, quadrant // 2 * 2
        if width:
            shapes[m.INTER_8X8] += [(x + i, y + j, width, height) for j in range(0, 2, height) for i in range(0, 2, width)]
    for lst in range(2):
        for x, y, width, height in shapes.get(got.mb_type, []):
            ref = int(mbs.ref_idx[mb, lst, y // 2 * 2 + x // 2])
            if ref >= 0:
                predicted = motion.predict(mbs, p.mb_width, mb, lst, x, y, width, height, ref)
                have = tuple(a + b for a, b in zip(predicted, got.mvd[lst][y * 4 + x], strict=True))
                want = tuple(int(v) for v in mbs.mv[mb, lst, y * 4 + x])
                if have != want:
                    return f"macroblock {mb}, list {lst}, partition at {x}, {y}: vector {want}, stream says {have}"
    return ""


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_the_stream_parses_back_to_the_record(case: dict[str, Any]) -> None:
    """All types, partitions, coders, magnitudes up to level_prefix 20, any header length in bits."""
    mbs, slices = make_picture(case)
    count = mbs.mb_type.size
    scratch, work = entropy_scratch(count), encode_work(count)
    out = np.zeros(count * 8192 + 4096, np.uint8)
    bits = case["header_bits"]
    header = np.random.default_rng(case["seed"]).bytes((bits + 7) // 8)
    for first, size in slices:
        p = slice_parameters(case, first, size)
        end = write_slice(mbs, p, scratch, work, header, bits, header_byte(2, NAL_SLICE), out, 0, out.size)
        assert end > 5
        unit = parse_nal(out[4:end].tobytes())
        rbsp = unit.rbsp
        assert (unit.nal_ref_idc, unit.nal_unit_type) == (2, NAL_SLICE)
        head = int.from_bytes(header, "big") >> (-bits % 8)
        assert int.from_bytes(rbsp[: (bits + 7) // 8], "big") >> (-bits % 8) == head, "the header is copied"
        parsed, position = parse_slice_data(rbsp, bits, oracle_slice(p, first + size))
        assert sorted(parsed) == list(range(first, first + size))
        assert (position + 7) // 8 == len(rbsp)
        for mb, got in parsed.items():
            assert not first_difference(mbs, p, mb, got)
            assert not vector_difference(mbs, p, mb, got)
        slice_bits = int(work["entropy_bits"][first : first + size].sum())
        assert 0 <= position - bits - slice_bits <= 16, "header, data, alignment and the end make the slice"
