"""Speed of decoding on the host: frames a second of the model beside FFmpeg's decoder, one thread each, in one run.

The model's side is headers, picture buffer, the decode core with its work record, and (unless --no-fabric) the fabric
that plays every job against the memory model. FFmpeg's side is PyAV with thread_count 1. Turn by turn, CPU seconds of
the process; the ratio is taken within a turn. Goal: 0.25 on 720p and 1080p CABAC streams with B pictures.

Also printed: what decoding cost on the chip, cycles a macroblock by stage and picture type.
"""

import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from asic_model.config import load_chip
from asic_model.cores.fabric import Fabric
from asic_model.cores.result import CoreResult
from benchmarks import measure
from driver.backends.core import CoreTarget
from driver.decode import DecodedFrame, H264Decoder

CLIPS = (
    "small_bunny_1080p_60fps.mp4", "facenet_video.mp4", "VID_1920x1080_cabac", "VID_1280x720_cabac", "sam2_01_dog.mp4",
    "sintel_trailer-720p.mp4",
)  # fmt: skip


class TimedTarget(CoreTarget):
    """A core alone in a fabric: each job is played to its end."""

    fabric: Fabric | None = None
    at_ps = 0

    def decode(self, fields: dict[str, int], parameters: bytes, stream: bytes) -> CoreResult:
        result = super().decode(fields, parameters, stream)
        if self.fabric is not None:
            core = self.fabric.core("decode", 0)
            self.fabric.start(core, result, self.at_ps)
            while not (ended := self.fabric.advance(self.at_ps + 10**12)):
                self.at_ps += 10**12
            self.at_ps = ended[0][1]
        return result


def packets(path: Path) -> tuple[list[bytes], bytes | None, str]:
    """Packets of the first video stream, its extradata, and a description."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        data = [bytes(packet) for packet in container.demux(video) if packet.size]
        seconds = float(len(data) / (video.average_rate or 25))
        rate = 8 * sum(map(len, data)) / seconds / 1e6
        return data, video.codec_context.extradata, f"{video.width}x{video.height}, {rate:.1f} Mbit/s"


def model(
    data: list[bytes], extradata: bytes | None, chip: str | None, keep: bool = False
) -> tuple[float, TimedTarget]:
    """(CPU seconds, the target) of decoding all packets."""
    target = TimedTarget(keep_results=keep)
    if chip:
        target.fabric = Fabric(load_chip(chip))
    started = time.process_time()
    decoder = H264Decoder(target, extradata)

    def take(frames: Iterator[DecodedFrame]) -> None:
        for frame in frames:
            decoder.release(frame)

    for packet in data:
        take(decoder.feed(packet))
    take(decoder.flush())
    return time.process_time() - started, target


def ffmpeg(path: Path, count: int) -> float:
    """CPU seconds of FFmpeg for the first `count` packets."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.thread_count = 1
        held = [packet for _, packet in zip(range(count), container.demux(video), strict=False)]
        started = time.process_time()
        for packet in held:
            packet.decode()
        return time.process_time() - started


def cycles_table(results: list[CoreResult]) -> str:
    """Mean cycles a macroblock by stage, pictures grouped by bits a macroblock."""
    lines = [
        f"{'bits/MB':>10} {'pictures':>8} " + " ".join(f"{stage:>11}" for stage in results[0].stages) + "     slowest"
    ]
    bits = np.array([result.counters["bits"] / result.counters["macroblocks"] for result in results])
    edges = np.quantile(bits, [0, 0.25, 0.5, 0.75, 1])
    for low, high in itertools.pairwise(edges):
        chosen = [r for r, b in zip(results, bits, strict=True) if low <= b <= high]
        means = np.mean([r.cycles.mean(axis=0) for r in chosen], axis=0)
        slowest = np.mean([r.cycles.max(axis=1).mean() for r in chosen])
        lines.append(
            f"{low:4.0f}..{high:4.0f} {len(chosen):8} "
            + " ".join(f"{mean:11.1f}" for mean in means)
            + f" {slowest:11.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = measure.parser("decode_speed", __doc__)
    parser.add_argument("--clip", action="append", help=f"beginning of a file name; again for more (default {CLIPS})")
    parser.add_argument("--frames", type=int, default=120, help="packets of each clip (default 120)")
    parser.add_argument("--runs", type=int, default=3, help="turns (default 3)")
    parser.add_argument("--chip", default="vcu", help="chip whose fabric plays the jobs (default vcu)")
    parser.add_argument("--no-fabric", action="store_true", help="core and work record only")
    arguments = parser.parse_args()
    print(measure.statement())
    chip = None if arguments.no_fabric else arguments.chip
    for name in arguments.clip or CLIPS:
        path = measure.find_clip(name)
        data, extradata, text = packets(path)
        data = data[: arguments.frames]
        model(data[:8], extradata, chip)  # compiles, or loads, the kernels
        print(f"\n{path.name}, {text}, {len(data)} frames")
        ratios = []
        for turn in range(arguments.runs):
            ours, _ = model(data, extradata, chip)
            theirs = ffmpeg(path, len(data))
            ratios.append(theirs / ours)
            print(
                f"turn {turn + 1}: model {len(data) / ours:.1f} frames/s, FFmpeg {len(data) / theirs:.1f}; "
                f"ratio {ratios[-1]:.3f}",
                flush=True,
            )
        print(f"ratio: {statistics.median(ratios):.3f}")
        _, target = model(data, extradata, None, keep=True)
        print(cycles_table(target.results))


if __name__ == "__main__":
    main()
