"""The CPU side, measured on this machine: transcoding as a server does it.

One stream is one thread of one process: decode, scale to every rung, encode every rung. As many processes as
processors run at once, each pinned to its own, so that caches and memory are as contended as on a loaded server. Each
warms up with one transcode and repeats.

The yardstick is output pixels per CPU second of a process; its share of the processor says whether somebody else was
using the machine meanwhile. No kernels are imported here: the worker processes are FFmpeg only.
"""

import multiprocessing
import os
import platform
import queue
import statistics
import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from benchmarks.density import encoders
from benchmarks.density.store import Store

# A worker that got less of its processor than this was disturbed: its figures are no measurement.
LEAST_SHARE = 0.9
# Repeats that differ by more than this, as (highest - lowest) / median, are noise.
MOST_SPREAD = 0.05
_WORKER_TIMEOUT_S = 1800.0


class TooNoisy(RuntimeError):
    """The machine was in use by others; the text says how much."""


@dataclass(frozen=True)
class CpuJob:
    """One transcode: the first `frames` pictures of a file into `rungs` (width, height), all at one QP."""

    path: str
    frames: int
    rate: Fraction
    encoder: str
    preset: str
    qp: int
    rungs: tuple[tuple[int, int], ...]

    @property
    def output_px(self) -> int:
        return self.frames * sum(width * height for width, height in self.rungs)


@dataclass(frozen=True)
class Speed:
    """Output Mpix per CPU second of one core while all cores work: median, extremes, and how it was taken."""

    mpix_per_s: float
    lowest: float
    highest: float
    share: float  # the least share of its processor that a worker got
    processes: int
    repeats: int

    @property
    def spread(self) -> float:
        """(highest - lowest) / median."""
        return (self.highest - self.lowest) / self.mpix_per_s


def machine() -> dict[str, Any]:
    """What a figure of this machine depends on."""
    model, clock = platform.processor() or platform.machine(), None
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
            elif line.startswith("cpu MHz") and clock is None:
                clock = round(float(line.partition(":")[2]) / 100) * 100
    except (OSError, ValueError):
        pass
    libraries = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    return {
        "processor": model,
        "clock_mhz": clock,
        "processors": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "av": av.__version__,
        "libavcodec": libraries.get("libavcodec", "unknown"),
    }


def transcode(job: CpuJob) -> int:
    """Do the job once on this thread; return the bytes of all rungs."""
    written = 0
    contexts = [
        encoders.open_encoder(job.encoder, job.preset, job.qp, width, height, job.rate) for width, height in job.rungs
    ]
    with av.open(job.path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for index, frame in enumerate(container.decode(stream)):
            if index == job.frames:
                break
            for context, (width, height) in zip(contexts, job.rungs, strict=True):
                picture = frame.reformat(width, height, "yuv420p", interpolation="BICUBIC")
                picture.pts, picture.time_base = index, 1 / job.rate
                picture.pict_type = av.video.frame.PictureType.NONE
                written += sum(packet.size for packet in context.encode(picture))
    return written + sum(packet.size for context in contexts for packet in context.encode(None))


def _work(job: CpuJob, processor: int, repeats: int, barrier: Any, results: Any) -> None:
    """A worker process: warm up, wait for the others, repeat."""
    try:
        os.sched_setaffinity(0, {processor})
        transcode(job)
        barrier.wait()
        runs = []
        for _ in range(repeats):
            begin = time.process_time(), time.perf_counter()
            transcode(job)
            runs.append((time.process_time() - begin[0], time.perf_counter() - begin[1]))
        # Those that are done first keep their processor busy until all are: the load stays the same to the end.
        results.put(runs)
        barrier.wait()
    except Exception as error:
        results.put(f"{type(error).__name__}: {error}")
        barrier.abort()


def measure(job: CpuJob, repeats: int = 3) -> Speed:
    """Run `job` on every processor at once. Raises RuntimeError with the encoder's words when a worker fails."""
    processors = sorted(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(len(processors)), context.Queue()
    workers = [
        context.Process(target=_work, args=(job, number, repeats, barrier, results), daemon=True)
        for number in processors
    ]
    for worker in workers:
        worker.start()
    try:
        runs: list[tuple[float, float]] = []
        for _ in workers:
            try:
                found = results.get(timeout=_WORKER_TIMEOUT_S)
            except queue.Empty:
                raise RuntimeError(f"{job.encoder} {job.preset}: no result in {_WORKER_TIMEOUT_S:.0f} s") from None
            if isinstance(found, str):
                raise RuntimeError(f"{job.encoder} {job.preset}: {found}")
            runs += found
        for worker in workers:
            worker.join(10)
    finally:
        for worker in workers:
            worker.terminate()
    rates = [job.output_px / cpu / 1e6 for cpu, _ in runs]
    share = min(cpu / wall for cpu, wall in runs)
    return Speed(statistics.median(rates), min(rates), max(rates), share, len(processors), repeats)


def speed(
    job: CpuJob, digest: str, store: Store, *, repeats: int = 3, tries: int = 3, accept_noise: bool = False
) -> Speed:
    """Return the speed of `job`, measured or from `store`; a disturbed measurement is tried again.

    digest  of the clip: file names do not identify content
    Raises TooNoisy when every try was disturbed, unless noise is accepted.
    """
    fields = {**asdict(job), "path": digest, "rate": str(job.rate)}
    key = {"what": "speed", "job": fields, "machine": machine(), "repeats": repeats}
    known = store.get(key)
    if known is not None:
        return Speed(**known)
    best: Speed | None = None
    for _ in range(tries):
        found = measure(job, repeats)
        if best is None or (found.share >= LEAST_SHARE, -found.spread) > (best.share >= LEAST_SHARE, -best.spread):
            best = found
        if best.share >= LEAST_SHARE and best.spread <= MOST_SPREAD:
            break
    assert best is not None
    if best.share < LEAST_SHARE and not accept_noise:
        raise TooNoisy(
            f"{job.encoder} {job.preset}: a worker got {best.share:.0%} of its processor, {LEAST_SHARE:.0%} is needed: "
            "the machine is under load from others (stop them, or give --accept-noise)"
        )
    if best.share >= LEAST_SHARE:
        store.put(key, asdict(best))
    return best
