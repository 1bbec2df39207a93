"""The CPU side, measured on this machine: transcoding as a server does it.

One stream is one thread of one process: decode, scale to every rung, encode every rung. As many processes as
processors run at once, each pinned to its own, so that caches and memory are as contended as on a loaded server. Each
warms up with one transcode, then goes on until all have their repeats: the load stays the same to the end.

The yardstick is output pixels per CPU second of a process. Others on the machine only ever add to it, so a worker's
figure is its fastest repeat, and a repeat that got less than LEAST_SHARE of its processor does not count. Every speed
is taken in two turns, minutes apart in a study: how far they differ says how well this machine repeats itself.

No kernels are imported here: the worker processes are FFmpeg only.
"""

import multiprocessing
import os
import platform
import signal
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import av

from benchmarks.density import encoders
from benchmarks.density.store import Store

# A repeat that got less of its processor than this was disturbed: it is no measurement.
LEAST_SHARE = 0.9
# Turns that differ by more than this, as (higher - lower) / mean, are noise.
MOST_SPREAD = 0.05
TURNS = 2
# Until a worker has its repeats undisturbed, it may try so many times as often.
PATIENCE = 3
_WORKER_TIMEOUT_S = 1800.0


class TooNoisy(RuntimeError):
    """The machine was in use by others; the text says how much."""


class WorkerFailed(RuntimeError):
    """An encoder or its process failed; the text has its words."""


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
class Turn:
    """One measurement of a job: output Mpix per CPU second of one core while all cores work.

    mpix_per_s  median over workers of each one's fastest repeat
    share       of its processor that a worker got: the least over the repeats that count
    runs        CPU and wall seconds of every repeat that counts, by worker
    """

    mpix_per_s: float
    share: float
    runs: list[list[tuple[float, float]]]


@dataclass(frozen=True)
class Speed:
    """Output Mpix per CPU second of one core: mean of the turns, its extremes, and how it was taken."""

    mpix_per_s: float
    lowest: float
    highest: float
    share: float
    processes: int
    repeats: int  # a worker and turn
    turns: list[Turn]

    @property
    def spread(self) -> float:
        """How far the turns differ: (highest - lowest) / mean."""
        return (self.highest - self.lowest) / self.mpix_per_s


def combine(turns: Sequence[Turn]) -> Speed:
    """The speed that the turns give together."""
    rates = [turn.mpix_per_s for turn in turns]
    repeats = min(len(runs) for turn in turns for runs in turn.runs)
    share = min(turn.share for turn in turns)
    return Speed(statistics.mean(rates), min(rates), max(rates), share, len(turns[0].runs), repeats, list(turns))


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


def _work(job: CpuJob, processor: int, channel: Connection) -> None:
    """A worker process: warm up, wait for the word, transcode until told to stop or left alone.

    Sends None when it is warm, then (CPU, wall) seconds a repeat, or a text that says what failed.
    """
    try:
        os.sched_setaffinity(0, {processor})
        transcode(job)
        channel.send(None)
        channel.recv()
        while not channel.poll():
            begin = time.process_time(), time.perf_counter()
            transcode(job)
            channel.send((time.process_time() - begin[0], time.perf_counter() - begin[1]))
    except (EOFError, BrokenPipeError):
        pass  # whoever asked is gone
    except Exception as error:
        channel.send(f"{type(error).__name__}: {error}")


class _Workers:
    """One worker a processor, from start to stop."""

    def __init__(self, job: CpuJob) -> None:
        self.job = job
        context = multiprocessing.get_context("spawn")
        self.channels: list[Any] = []
        self.processes = []
        # Ctrl-C reaches every process of the terminal: it is for this one, the workers inherit it blocked.
        resource_tracker.ensure_running()  # the first start would begin it, and unblock the signal again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for processor in sorted(os.sched_getaffinity(0)):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(job, processor, theirs), daemon=True)
                self.channels.append(ours)
                self.processes.append(process)
                process.start()
                theirs.close()  # so that the end of the worker is the end of the channel
        except BaseException:
            self.stop()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def receive(self) -> list[tuple[int, Any]]:
        """What workers sent, by number; waits for one. Raises WorkerFailed for one that failed or died."""
        name = f"{self.job.encoder} {self.job.preset}"
        ready = wait(self.channels, _WORKER_TIMEOUT_S)
        if not ready:
            raise WorkerFailed(f"{name}: no result in {_WORKER_TIMEOUT_S:.0f} s")
        found = []
        for channel in ready:
            number = self.channels.index(channel)
            try:
                item = self.channels[number].recv()
            except (EOFError, ConnectionError):
                self.processes[number].join(10)
                raise WorkerFailed(f"{name}: a worker ended with code {self.processes[number].exitcode}") from None
            if isinstance(item, str):
                raise WorkerFailed(f"{name}: {item}")
            found.append((number, item))
        return found

    def stop(self) -> None:
        for process in self.processes:
            if process.pid is not None:
                process.kill()
                process.join()
        for channel in self.channels:
            channel.close()


def measure(job: CpuJob, repeats: int = 3, patience: int = PATIENCE) -> Turn:
    """Run `job` on every processor at once, until each did it `repeats` times undisturbed or `patience` x that in all.

    Where the machine does not allow that, the least disturbed repeats count: `share` tells. Raises WorkerFailed.
    """
    workers = _Workers(job)
    try:
        warm = 0
        while warm < len(workers.channels):
            warm += len(workers.receive())
        for channel in workers.channels:
            channel.send("go")
        runs: list[list[tuple[float, float]]] = [[] for _ in workers.channels]
        while not all(_enough(each, repeats, patience) for each in runs):
            for number, run in workers.receive():
                runs[number].append(run)
    finally:
        workers.stop()
    counted = [_counted(each, repeats) for each in runs]
    fastest = [job.output_px / min(cpu for cpu, _ in each) / 1e6 for each in counted]
    share = min(cpu / wall for each in counted for cpu, wall in each)
    return Turn(statistics.median(fastest), share, counted)


def _undisturbed(runs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(cpu, wall) for cpu, wall in runs if cpu >= LEAST_SHARE * wall]


def _enough(runs: Sequence[tuple[float, float]], repeats: int, patience: int) -> bool:
    return len(_undisturbed(runs)) >= repeats or len(runs) >= patience * repeats


def _counted(runs: Sequence[tuple[float, float]], repeats: int) -> list[tuple[float, float]]:
    """The repeats of one worker that count: the undisturbed ones; where they are too few, those with most share."""
    good = _undisturbed(runs)
    if len(good) >= repeats:
        return good
    return sorted(runs, key=lambda run: -run[0] / run[1])[:repeats]


def turn(job: CpuJob, number: int, digest: str, store: Store, *, repeats: int = 3, accept_noise: bool = False) -> Turn:
    """Return turn `number` of `job`, measured or from `store`.

    digest  of the clip: file names do not identify content
    Raises TooNoisy when the machine was in use by others, unless noise is accepted; noise is not stored.
    """
    fields = {**asdict(job), "path": digest, "rate": str(job.rate)}
    key = {"what": "speed", "job": fields, "machine": machine(), "repeats": repeats, "turn": number}
    known = store.get(key)
    if known is not None:
        runs = [[(cpu, wall) for cpu, wall in each] for each in known["runs"]]
        return Turn(known["mpix_per_s"], known["share"], runs)
    found = measure(job, repeats, 1 if accept_noise else PATIENCE)
    if found.share >= LEAST_SHARE:
        store.put(key, asdict(found))
    elif not accept_noise:
        raise TooNoisy(
            f"{job.encoder} {job.preset}: a worker got {found.share:.0%} of its processor, {LEAST_SHARE:.0%} is "
            "needed: the machine is under load from others (stop them, or give --accept-noise)"
        )
    return found
