"""Rate-distortion curves, and the CPU preset that compresses as the chip does."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks import measure
from benchmarks.bd_rate import bd_rate
from benchmarks.density import clips, encoders, vmaf
from benchmarks.density.clips import CannotJudge, SourceClip
from benchmarks.density.cpu import machine
from benchmarks.density.store import Store

METRICS = {"psnr": "luma PSNR", "ssim": "luma SSIM", "vmaf": "VMAF"}


@dataclass(frozen=True)
class Point:
    """One encode of a clip: rate of its coded pictures and quality against the source, means over pictures."""

    qp: int
    kbit_per_s: float
    psnr: float
    ssim: float
    vmaf: float | None = None  # where a build of it is at hand


Curve = Sequence[Point]


@dataclass(frozen=True)
class Match:
    """Where on the scale of CPU presets the chip's compression stands, and the speed there.

    kind        "between": interpolated; "none as good": every preset needs more bits than the chip, `lower` is the
                nearest; "all better": even the fastest needs fewer bits, `lower` is the fastest
    lower,upper names of the neighbours, the faster one first (equal where nothing was interpolated)
    at          0..1 from lower to upper
    bd_percent  bits that the CPU needs beyond the chip's there: 0 between neighbours, above 0 "none as good"
    """

    kind: str
    lower: str
    upper: str
    at: float
    mpix_per_s: float
    bd_percent: float

    @property
    def words(self) -> str:
        if self.kind == "between":
            return f"between {self.lower} and {self.upper} ({self.at:.0%} of the way)"
        if self.kind == "none as good":
            return f"no preset: the best, {self.lower}, needs {self.bd_percent:+.1f} % bits"
        return f"no preset: even {self.lower} needs {-self.bd_percent:.1f} % fewer bits than the chip"


def software_curve(
    clip: SourceClip, planes: list[np.ndarray], encoder: str, preset: str, qps: Sequence[int], store: Store
) -> list[Point]:
    """Encode the clip at every QP with a software encoder, decode with FFmpeg, compare with the source."""
    points = []
    for qp in qps:
        versions = {name: value for name, value in machine().items() if name in ("av", "libavcodec")}
        key = {"what": "point", "clip": clip.digest, "encoder": encoder, "preset": preset, "qp": qp, **versions}
        key["vmaf"] = vmaf.program() is not None
        known = store.get(key)
        if known is None:
            packets = encoders.encode(encoder, preset, qp, clips.as_video_frames(planes), clip.rate)
            stream = b"".join(packets)
            size = measure.slice_bytes(stream) if encoder == "x264" else len(stream)
            decoded = [
                np.ascontiguousarray(frame.to_ndarray(format="yuv420p")) for frame in encoders.decode(encoder, packets)
            ]
            known = asdict(make_point(clip, planes, qp, size, decoded))
            store.put(key, known)
        points.append(Point(**known))
    return points


def make_point(
    clip: SourceClip, planes: list[np.ndarray], qp: int, size_bytes: int, decoded: list[np.ndarray]
) -> Point:
    """Compare decoded pictures with the source."""
    reference = measure.Clip(clip.name, clip.width, clip.height, clip.rate, planes)
    quality = measure.compare(reference, decoded)
    kbit_per_s = size_bytes * 8 / clip.seconds / 1000
    score = vmaf.score(planes, decoded, clip.width, clip.height)
    return Point(qp, kbit_per_s, quality.psnr_luma_db, quality.ssim_luma, score)


def difference(anchor: Curve, test: Curve, metric: str, method: str) -> float:
    """BD-rate of `test` against `anchor` in percent. Raises CannotJudge where the curves have no answer."""
    if any(getattr(point, metric) is None for point in (*anchor, *test)):
        raise CannotJudge(f"{METRICS[metric]} was not measured")
    try:
        return bd_rate(
            [(point.kbit_per_s, getattr(point, metric)) for point in anchor],
            [(point.kbit_per_s, getattr(point, metric)) for point in test],
            method,
        )
    except ValueError as error:
        raise CannotJudge(f"BD-rate by {METRICS[metric]}: {error}") from None


def match(differences: Mapping[str, float], speeds: Mapping[str, float]) -> Match:
    """Find the CPU preset that needs as many bits as the chip.

    differences  by preset, BD-rate against the chip in percent: above 0 the preset needs more bits than the chip
    speeds       by preset, Mpix a second and core
    Only presets count that no faster one beats in bits. Between neighbours, log speed is linear in BD-rate.
    """
    front: list[str] = []
    for preset in sorted(differences, key=lambda name: -speeds[name]):
        if not front or differences[preset] < differences[front[-1]]:
            front.append(preset)
    if not front:
        raise CannotJudge("no CPU preset was measured")
    first, last = front[0], front[-1]
    if differences[first] <= 0:
        return Match("all better", first, first, 0.0, speeds[first], differences[first])
    if differences[last] > 0:
        return Match("none as good", last, last, 0.0, speeds[last], differences[last])
    upper = next(index for index, preset in enumerate(front) if differences[preset] <= 0)
    fast, slow = front[upper - 1], front[upper]
    at = differences[fast] / (differences[fast] - differences[slow])
    log_speed = (1 - at) * math.log(speeds[fast]) + at * math.log(speeds[slow])
    return Match("between", fast, slow, at, math.exp(log_speed), 0.0)
