"""Quality: PSNR and SSIM of a picture against its source, in integers, as sums that software turns into ratios.

SSE is exact. SSIM (Wang, Bovik, Sheikh, Simoncelli 2004) uses flat windows of 8x8 samples, 4 apart in both
directions, wholly inside the plane; a window is made of four 4x4 blocks, so each sample is read once:

  s1 = sum a, s2 = sum b, ss = sum a*a + b*b, s12 = sum a*b          over 64 samples
  variances = 64 ss - s1*s1 - s2*s2,  covariance = 64 s12 - s1*s2      (unbiased: times 64 * 63)
  luminance = ((2 s1 s2 + C1) << 20) / (s1*s1 + s2*s2 + C1)            rounded down
  structure = ((2 covariance + C2) << 20) / (variances + C2)           rounded towards zero
  ssim      = luminance * structure >> 20                              rounded down, Q20, in -1..1

C1 = (0.01 * 255)**2 * 64**2 and C2 = (0.03 * 255)**2 * 64 * 63, rounded. The roundings take at most 3 * 2**-20 off a
window. Terms fit 51 bits. Planes below 8x8 have no window.

RTL twin: rtl_tests/rtl/quality/.
"""

import math
from typing import Any

import numpy as np
from pydantic import Field

from asic_model.kernel_cache import kernel
from asic_model.section import Section

SSIM_BITS = 20
SSIM_C1 = 26_634  # 6.5025 * 4096 = 26634.24
SSIM_C2 = 235_963  # 58.5225 * 4032 = 235962.72
WINDOW_STEP = 4


@kernel
def _block_sums(row_a: Any, row_b: Any, pitch_a: Any, pitch_b: Any, width: Any, column: Any, sums: Any) -> None:
    """Sum 4 rows in blocks of 4 columns: sums int32[4, blocks] = a, b, a*a + b*b, a*b.

    column: int32[4, width], scratch
    """
    for k in range(4):
        column[k, :] = 0
    for r in range(4):
        a = row_a[r * pitch_a : r * pitch_a + width]
        b = row_b[r * pitch_b : r * pitch_b + width]
        s0, s1, s2, s3 = column[0], column[1], column[2], column[3]
        for x in range(width):
            va = np.int32(a[x])
            vb = np.int32(b[x])
            s0[x] += va
            s1[x] += vb
            s2[x] += np.int32(va * va + vb * vb)
            s3[x] += np.int32(va * vb)
    for k in range(4):
        wide = column[k]
        narrow = sums[k]
        for x in range(width // 4):
            narrow[x] = wide[4 * x] + wide[4 * x + 1] + wide[4 * x + 2] + wide[4 * x + 3]


@kernel
def compare_planes(mem: Any, a: Any, b: Any) -> Any:
    """Compare the first a.width x a.height samples of planes `a` and `b` of `mem`, uint8[...].

    Returns (sse, ssim sum in Q20, windows), three int64.
    """
    width, height = a.width, a.height
    sse = np.int64(0)
    for y in range(height):
        row_a = mem[a.offset + y * a.pitch : a.offset + y * a.pitch + width]
        row_b = mem[b.offset + y * b.pitch : b.offset + y * b.pitch + width]
        line = np.int32(0)  # 8192 * 255**2 < 2**31
        for x in range(width):
            difference = np.int32(np.int32(row_a[x]) - np.int32(row_b[x]))
            line += np.int32(difference * difference)
        sse += line
    ssim = np.int64(0)
    windows = np.int64(0)
    blocks = width // 4
    if blocks < 2 or height < 8:
        return sse, ssim, windows
    column = np.empty((4, width), np.int32)
    sums = np.empty((2, 4, blocks), np.int32)
    for by in range(height // 4):
        from_a = a.offset + by * 4 * a.pitch
        from_b = b.offset + by * 4 * b.pitch
        now = sums[by & 1]
        _block_sums(mem[from_a:], mem[from_b:], a.pitch, b.pitch, width, column, now)
        if by == 0:
            continue
        for k in range(4):
            above = sums[(by - 1) & 1, k]
            below = now[k]
            total = column[k]
            for x in range(blocks - 1):
                total[x] = above[x] + above[x + 1] + below[x] + below[x + 1]
        for x in range(blocks - 1):
            s1 = np.int64(column[0, x])
            s2 = np.int64(column[1, x])
            variances = 64 * np.int64(column[2, x]) - s1 * s1 - s2 * s2
            covariance = 64 * np.int64(column[3, x]) - s1 * s2
            luminance = ((2 * s1 * s2 + SSIM_C1) << SSIM_BITS) // (s1 * s1 + s2 * s2 + SSIM_C1)
            numerator = (2 * covariance + SSIM_C2) << SSIM_BITS
            magnitude = abs(numerator) // (variances + SSIM_C2)
            structure = magnitude if numerator >= 0 else -magnitude
            ssim += luminance * structure >> SSIM_BITS
        windows += blocks - 1
    return sse, ssim, windows


def psnr_db(sse: int, samples: int) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal pictures."""
    return 10 * math.log10(255 * 255 * samples / sse) if sse else math.inf


def ssim_mean(ssim: int, windows: int) -> float:
    """Return the mean SSIM of a plane from its Q20 sum; nan without windows."""
    return ssim / (windows << SSIM_BITS) if windows else math.nan


class QualityConfig(Section):
    """The quality engine: a difference array and an SSIM window unit, side by side."""

    lanes: int = Field(default=16, ge=4, le=64, multiple_of=4, description="samples compared in a cycle")
    window_cycles: int = Field(default=2, ge=1, le=64, description="cycles of the divider pair per SSIM window")
    pipeline_cycles: int = Field(default=26, ge=1, le=128, description="depth, dividers included [cycles]")


def cycles(cfg: QualityConfig, work: np.ndarray) -> np.ndarray:
    """Return int64[units]: cycles for each row of SCALE_WORK.

    Samples enter `lanes` a cycle; block sums go to the window unit, which takes `window_cycles` for each window.
    The two work side by side on a unit, so the slower one counts; the pipeline drains once a unit.
    """
    samples = -(-work["quality_samples"].astype(np.int64) // cfg.lanes)
    windows = work["quality_windows"].astype(np.int64) * cfg.window_cycles
    return np.maximum(samples, windows) + np.where(samples > 0, cfg.pipeline_cycles, 0)
