"""Nanoseconds of the sample kernels, called from a compiled loop on data in cache: least of several runs.

A call's time includes what the loop spends on it; wide enough to compare kernels, and one kernel with itself over time.
"""

import time
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
import numpy as np

from asic_model import simd
from asic_model.codecs.h264 import macroblock as m
from asic_model.engines import deblock, inter_prediction, intra_prediction, transform
from benchmarks import measure

STRIDE = 64
COMPARE = ("sad", "satd", "ssd")
WIDTH_MBS, HEIGHT_MBS = 40, 23  # of the pictures that deblocking and plane kernels see


def nanoseconds(function: Callable[..., Any], arguments: tuple[Any, ...], calls: int, runs: int, pure: bool) -> float:
    """CPU time of one call, the least of `runs` loops of `calls`."""
    names = ", ".join(f"a{i}" for i in range(len(arguments)))
    scope: dict[str, Any] = {"function": function}
    if pure:  # the first offset moves on and results are summed up, or LLVM would call once
        rest = ", ".join(f"a{i}" for i in range(2, len(arguments)))
        call = f"function(a0, a1 + (i & 7), {rest})"
        body = f"    total = 0\n    for i in range(calls):\n        total += {call}\n    return total"
    else:
        body = f"    for _ in range(calls):\n        function({names})"
    exec(f"def loop(calls, {names}):\n{body}", scope)
    loop = scope["loop"]
    if not isinstance(function, FunctionType):  # a whole picture is filtered from plain Python
        loop = numba.njit(nogil=True)(loop)
    loop(1, *arguments)
    best = float("inf")
    for _ in range(runs):
        start = time.process_time_ns()
        loop(calls, *arguments)
        best = min(best, (time.process_time_ns() - start) / calls)
    return best


def cases() -> list[tuple[str, Callable[..., Any], tuple[Any, ...], int]]:
    """(name, kernel, arguments, divisor of its time) of everything measured."""
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 256, 128 * STRIDE, np.uint8) for _ in range(2))
    out = np.zeros(128 * STRIDE, np.uint8)
    at = 20 * STRIDE + 20
    pair = (a, at, STRIDE, b, at + 3, STRIDE)
    found: list[tuple[str, Callable[..., Any], tuple[Any, ...], int]] = []
    for width in (16, 8, 4):
        for kind in ("sad", "satd", "ssd"):
            found.append((f"{kind} {width}x{width}", getattr(simd, f"{kind}_{width}xn"), (*pair, width), 1))
    found.append(("copy 16x16", simd.copy_16xn, (out, 0, STRIDE, a, at, STRIDE, 16), 1))
    found.append(("average 16x16", simd.average_16xn, (out, 0, STRIDE, *pair, 16), 1))

    tables = transform.quantiser()
    levels, total = np.zeros(m.LEVELS_ROWS * 16, np.int16), np.zeros((1, 24), np.uint8)
    coefs = np.zeros(transform.SCRATCH, np.int16)
    forward = (levels, total, 0, coefs, *pair, tables)
    back = (out, 0, STRIDE, levels)
    # levels for the inverse kernels: what the forward ones leave at QP 27
    transform.forward_luma_4x4(*forward, transform.INTER_Y, 27, 1, 0)
    transform.forward_chroma(levels, total, 0, 0, coefs, *pair, tables, 27, 1, 0)
    found += [
        ("forward and quantise luma 4x4, macroblock", transform.forward_luma_4x4, (*forward, 3, 27, 1, 0), 1),
        (
            "scale, inverse, add luma 4x4, macroblock", transform.add_luma_4x4,
            (*back, total, 0, coefs, tables, 3, 27, 0, 15), 1,
        ),
        ("forward and quantise luma 8x8, macroblock", transform.forward_luma_8x8, (*forward, 1, 27, 1, 0), 1),
        (
            "scale, inverse, add luma 8x8, macroblock", transform.add_luma_8x8,
            (*back, 0, coefs, tables, 1, 27, 0, 15), 1,
        ),
        ("forward and quantise Intra16x16 luma", transform.forward_luma_16x16, (*forward, 27, 0), 1),
        ("scale, inverse, add Intra16x16 luma", transform.add_luma_16x16, (*back, 0, coefs, tables, 27, 0, 15), 1),
        (
            "forward and quantise one chroma", transform.forward_chroma,
            (levels, total, 0, 0, coefs, *pair, tables, 27, 1, 0), 1,
        ),
        ("scale, inverse, add one chroma", transform.add_chroma, (*back, 0, 0, coefs, tables, 27, 1, 0, 2), 1),
        (
            "forward and quantise one 4x4", transform.forward_block_4x4,
            (levels, 0, coefs, *pair, tables, 0, 27, 0, 0), 1,
        ),
        ("scale, inverse, add one 4x4", transform.add_block_4x4, (*back, 0, coefs, tables, 0, 27, 0), 1),
    ]  # fmt: skip

    line, predictions = np.zeros(intra_prediction.LINE, np.uint8), np.zeros(intra_prediction.PREDICTIONS, np.uint8)
    here = (a, at, STRIDE, at - STRIDE - 1)
    found += [
        ("gather neighbours 4x4", intra_prediction.gather_4x4, (line, *here, 31), 1),
        ("predict one Intra4x4 mode", intra_prediction.predict_4x4, (out, 0, STRIDE, 5, line, 128, predictions), 1),
        ("predict all nine Intra4x4 modes", intra_prediction.predict_4x4_all, (predictions, line, 128), 1),
        ("gather and filter neighbours 8x8", intra_prediction.gather_8x8, (line, *here, 31), 1),
        ("predict one Intra8x8 mode", intra_prediction.predict_8x8, (out, 0, STRIDE, 5, line, 128, predictions), 1),
        ("predict all nine Intra8x8 modes", intra_prediction.predict_8x8_all, (predictions, line, 128), 1),
        ("predict Intra16x16 DC", intra_prediction.predict_16x16, (out, 0, STRIDE, 2, *here, 31), 1),
        ("predict Intra16x16 plane", intra_prediction.predict_16x16, (out, 0, STRIDE, 3, *here, 31), 1),
        ("predict chroma DC", intra_prediction.predict_chroma, (out, 0, STRIDE, 0, *here, 31), 1),
    ]

    scratch = np.zeros(inter_prediction.SCRATCH, np.uint8)
    for width in (16, 8, 4):
        # positions by their letters in Figure 8-4
        for label, x, y in zip("Gbheji", (80, 82, 80, 81, 82, 81), (80, 80, 82, 81, 82, 82), strict=True):
            place = (out, 0, STRIDE, a, 0, STRIDE, STRIDE, 64, x, y, width, width, scratch)
            found.append((f"luma {width}x{width} at {label}", inter_prediction.predict_luma, place, 1))
    place = (out, 0, STRIDE, a, 0, STRIDE, STRIDE, 64, -19, -18, 16, 16, scratch)
    found.append(("luma 16x16, partly outside", inter_prediction.predict_luma, place, 1))
    for width in (8, 4, 2):
        place = (out, 0, STRIDE, a, 0, STRIDE, STRIDE, 64, 83, 85, width, width, scratch)
        found.append((f"chroma {width}x{width}", inter_prediction.predict_chroma, place, 1))
    weigh = (out, 0, STRIDE, a, 0, STRIDE, 16, 16, 20, 44, 0, 0, 5)
    found.append(("weighted bi-prediction 16x16", inter_prediction.weight_prediction_bi, weigh, 1))

    count = WIDTH_MBS * HEIGHT_MBS
    picture_width, height, pad = 16 * WIDTH_MBS, 16 * HEIGHT_MBS, 32
    stride = picture_width + 2 * pad
    plane_bytes = stride * (height + 2 * pad)
    data = rng.integers(0, 256, 4 * plane_bytes, np.uint8)
    planes = (
        data,
        pad * stride + pad,
        stride,
        plane_bytes,
        picture_width,
        height,
        pad,
        np.zeros(picture_width + 32, np.int16),
    )
    found.append(("half-sample planes, a macroblock", inter_prediction.half_sample_planes, planes, count))

    smooth = np.clip(rng.integers(-5, 6, count * 384).cumsum() // 8 + 100, 0, 255).astype(np.uint8)
    for label, mb_type in (("P_Skip", m.P_SKIP), ("inter, half of the edges", m.INTER_16X16), ("intra", m.I_4X4)):
        for lists in (1, 2):
            mbs = m.allocate(count)
            mbs.mb_type[:], mbs.slice_id[:], mbs.qp[:] = mb_type, 0, 30
            mbs.ref_idx[:, 0] = 0
            if mb_type == m.INTER_16X16:
                mbs.mv[:] = np.repeat(rng.integers(-9, 10, (count, 1, 1, 2)), 16, axis=2)
                mbs.cbp[:] = rng.integers(0, 2, count) * rng.integers(0, 16, count)
                mbs.total_coeff[:] = rng.random((count, 24)) < 0.5
            where = deblock.Planes(smooth.copy(), 0, picture_width, count * 256, count * 320, picture_width // 2, 1)
            arguments = (
                where, mbs, deblock.allocate_slices(1), deblock.allocate_scratch(count),
                WIDTH_MBS, 0, HEIGHT_MBS, 0, lists, np.zeros(count, np.uint8),
            )  # fmt: skip
            found.append((f"deblock a macroblock, {label}, lists {lists}", deblock.deblock_rows, arguments, count))
    return found


def main() -> None:
    parser = measure.parser("kernels", __doc__)
    parser.add_argument("--only", default="", help="measure kernels whose name contains this")
    parser.add_argument("--runs", type=int, default=5, help="loops timed, of which the shortest counts")
    options = parser.parse_args()
    for name, function, arguments, divisor in cases():
        if options.only in name:
            calls = 20000 if divisor == 1 else 5
            time_ns = nanoseconds(function, arguments, calls, options.runs, name.startswith(COMPARE)) / divisor
            print(f"{time_ns:9.1f} ns  {name}", flush=True)
    print(measure.statement())


if __name__ == "__main__":
    main()
