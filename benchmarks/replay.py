"""Replay: macroblocks a second without pixels, error of groups, linear cost, a host of 20 chips, cost of timing.

Records a clip on the chip, then plays its work: exactly (`macroblock`) and in groups (`group`), on one host thread,
memory model on. `--host` adds 200 live streams on 20 chips on two processes, `--sweep` a sweep on one process and on
two, `--timing` what time costs a functional run.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from asic_model.config import ChipConfig, load_chip, with_changes
from asic_model.workload import host, playback, sweep
from asic_model.workload import workload as workloads
from asic_model.workload.simulation import Arrival, Placed, simulate
from asic_model.workload.streams import from_trace
from asic_model.workload.work_trace import WorkTrace
from benchmarks import measure
from driver.device import Device
from driver.media.source import Source
from driver.options import EncoderConfig, parse_ladder, plan_ladder


def record(clip: str, frames: int, chip: str, preset: str) -> WorkTrace:
    """A recorded ladder of three rungs."""
    with Source(str(measure.find_clip(clip)), limit=frames) as source:
        rungs, _ = plan_ladder(parse_ladder("1080p,720p,480p"), source.width, source.height)
        config = EncoderConfig(
            width=rungs[0].width, height=rungs[0].height, fps=source.frame_rate, preset=preset
        )  # fmt: skip
        with Device.open(f"model:{chip}", record=True) as device:
            with device.open_transcoder(config, rungs, width=source.width, height=source.height) as session:
                for _ in session.transcode(source.pictures_only()):
                    pass
            backend: Any = device.backend
            trace: WorkTrace = backend.work_trace({"fps": float(source.frame_rate)})
            return trace


def speed(trace: WorkTrace, chip: str, streams: int, duration_s: float) -> None:
    """Both details, with and without frame compression."""
    print(f"\n{'':34}{'macroblocks':>12}{'CPU s':>8}{'M/s':>7}{'encode used':>13}{'memory used':>13}")
    for compression in (True, False):
        config = with_changes(load_chip(chip), {"memory.frame_compression": compression})
        used = {}
        for detail in ("macroblock", "group"):
            stream = from_trace(trace, config, detail=detail, fps=30)
            simulate(config, [Placed(stream)], duration_s=0.02, warm_up_s=0.01, detail=detail)
            began = time.process_time()
            outcome = simulate(
                config, [Placed(stream, Arrival("file"))] * streams, duration_s=duration_s, warm_up_s=0.0, detail=detail
            )
            spent = time.process_time() - began
            used[detail] = outcome.frames_s
            print(
                f"{'compressed' if compression else 'uncompressed':14}{detail:20}{outcome.macroblocks:12,}{spent:8.2f}"
                f"{outcome.macroblocks / spent / 1e6:7.2f}{outcome.limits['encode']:13.3f}"
                f"{outcome.limits['memory']:13.3f}"
            )
        print(f"{'':14}pictures a second, group over macroblock: {used['group'] / used['macroblock'] - 1:+.2%}")


def decades(trace: WorkTrace, chip: str) -> None:
    """Cost over three decades of macroblocks."""
    config = load_chip(chip)
    stream = from_trace(trace, config, fps=30)
    print(f"\n{'simulated s':>12}{'macroblocks':>14}{'CPU s':>9}{'ns a macroblock':>17}")
    simulate(config, [Placed(stream)], duration_s=0.01)  # fits the memory, once
    for duration_s in (0.01, 0.1, 1.0, 10.0):
        began = time.process_time()
        outcome = simulate(config, [Placed(stream)] * 10, duration_s=duration_s, warm_up_s=0.0)
        spent = time.process_time() - began
        print(f"{duration_s:12g}{outcome.macroblocks:14,}{spent:9.2f}{spent / outcome.macroblocks * 1e9:17.0f}")


def twenty_chips(chip: str, duration_s: float) -> None:
    """200 live streams, one 1080p30 output each, on 20 chips and two processes."""
    text = (
        f"duration_s: {duration_s}\nwarm_up_s: 0.05\nsessions:\n"
        "  - count: 200\n    decode: chip\n    ladder: [1080p@4M]\n"
        "    source: {width: 1920, height: 1080, fps: 30, bit_rate: 6M}\n"
    )
    workload, config = workloads.parse(text.encode()), load_chip(chip)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        host.simulate_host(workload.model_copy(update={"duration_s": 0.01}), config, 2, executor=pool)  # starts them
        began = time.monotonic()
        parts = host.share(workload, 20)
        waiting = [pool.submit(_timed_chip, part, config, seed) for seed, part in enumerate(parts)]
        done = [each.result() for each in waiting]
        wall = time.monotonic() - began
    records, spent = [record for record, _ in done], sum(seconds for _, seconds in done)
    found = host.summary(records)
    simulated = duration_s + 0.05
    print(
        f"\n20 chips, {found['streams']} streams 1080p30, {found['frames_s']:.0f} frames/s, "
        f"{found['late_share']:.2%} late: {simulated:g} s simulated in {wall:.1f} s on two processes, "
        f"1/{wall / simulated:.1f} of real time (goal: faster than 1/20); {spent:.1f} CPU s of both, "
        f"1/{spent / 2 / simulated:.1f} were they alone on the machine"
    )


def sweep_scaling(folder: Path) -> None:
    """A sweep on one process and on two, the second from a cold start too."""
    (folder / "w.yaml").write_text(
        "sessions:\n  - {source: {width: 640, height: 384, fps: 30}, ladder: [640x384@1M], gop: 8}\n"
    )
    (folder / "space.yaml").write_text(
        "workload: w.yaml\nmode: random\nsamples: 120\nmeasure: {kind: simulate, streams: 10, duration_s: 0.2}\n"
        "axes: {encode.cores: [2, 4, 8, 10], clocks.core_mhz: {low: 400, high: 1000}}\n"
    )
    space = sweep.load(folder / "space.yaml")
    taken, spent = [], []
    for workers in (1, 2):
        before = _children_s()
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(_warm, range(2 * workers)))
            began = time.monotonic()
            rows = list(sweep.run(space, folder / f"{workers}.jsonl", pool, workers))
            taken.append(time.monotonic() - began)
        spent.append(_children_s() - before)
    same = (folder / "1.jsonl").read_bytes() == (folder / "2.jsonl").read_bytes()
    print(
        f"\nsweep of {len(rows)} points: {taken[0]:.1f} s on one process, {taken[1]:.1f} s on two, "
        f"{taken[0] / taken[1]:.2f} times (goal 1.8 with two processors free); {spent[0]:.1f} and {spent[1]:.1f} "
        f"CPU s with the starts; same bytes: {same}"
    )


def _children_s() -> float:
    """CPU seconds of processes that this one started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _warm(_number: int) -> None:
    """Load what a worker needs."""
    text = "sessions:\n  - {source: {width: 160, height: 96, fps: 30}, gop: 2}\nduration_s: 0.02\n"
    host.simulate_chip(workloads.parse(text.encode()), load_chip("vcu"), "group", ".", 0)


def _timed_chip(workload: workloads.WorkloadConfig, config: ChipConfig, seed: int) -> tuple[dict[str, Any], float]:
    began = time.process_time()
    record = host.simulate_chip(workload, config, "group", ".", seed)
    return record, time.process_time() - began


def timing(clip: str, chip: str, frames: int) -> None:
    """CPU time of a functional run by what it is spent on; one host thread."""
    from asic_model.chip import Chip
    from asic_model.cores.fabric import Fabric
    from asic_model.cores.registry import core_types
    from asic_model.mcu import Processor

    spent = dict.fromkeys(("core", "cost", "fabric", "firmware"), 0.0)

    def timed(name: str, function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent[name] += time.perf_counter() - began

        return call

    import asic_model.cores.encode.core as encode_core

    fabric: Any = Fabric
    processor: Any = Processor
    kept = encode_core.cost, fabric.start, fabric.advance, fabric.transfer, processor.run
    encode_core.cost = timed("cost", kept[0])
    fabric.start, fabric.advance, fabric.transfer = (timed("fabric", each) for each in kept[1:4])
    processor.run = timed("firmware", kept[4])
    try:
        from driver.encode_session import EncodeSession

        config = load_chip(chip)
        types = {kind: core._replace(run=timed("core", core.run)) for kind, core in core_types(config).items()}
        with Source(str(measure.find_clip(clip)), limit=frames) as source:
            encoder = EncoderConfig(width=source.width, height=source.height, fps=source.frame_rate)
            pictures = list(source.pictures_only())
            for turn in range(2):  # the first compiles, or loads
                for name in spent:
                    spent[name] = 0.0
                backend = Chip(config, host_threads=1, types=types)
                began = time.perf_counter()
                with Device(backend) as device, EncodeSession(device, encoder) as session:
                    for _ in session.encode(pictures if turn else pictures[:2]):
                        pass
                whole = time.perf_counter() - began
    finally:
        encode_core.cost, fabric.start, fabric.advance, fabric.transfer, processor.run = kept
    pixels = spent["core"] - spent["cost"]
    time_model = spent["cost"] + spent["fabric"]
    print(
        f"\nfunctional run, {len(pictures)} pictures {source.width}x{source.height}, one host thread, {whole:.2f} s: "
        f"pixels {pixels:.2f} s; cycles and requests {spent['cost']:.2f} s, fabric and memory {spent['fabric']:.2f} s, "
        f"firmware {spent['firmware']:.2f} s, rest {whole - spent['core'] - spent['fabric'] - spent['firmware']:.2f} s"
    )
    print(f"timing over pixels: {time_model / pixels:+.1%} (goal: at most +20 %)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", default="aosp_crowd", help="beginning of a file name (default aosp_crowd)")
    parser.add_argument("--frames", type=int, default=8, help="recorded pictures (default 8)")
    parser.add_argument("--chip", default="vcu")
    parser.add_argument("--preset", default="slow")
    parser.add_argument("--streams", type=int, default=10, help="streams at once (default 10)")
    parser.add_argument("--duration", type=float, default=0.3, help="simulated seconds of each run (default 0.3)")
    parser.add_argument("--decades", action="store_true", help="cost over three decades of macroblocks")
    parser.add_argument("--host", action="store_true", help="200 streams on 20 chips, two processes")
    parser.add_argument("--timing", action="store_true", help="what time costs a functional run")
    parser.add_argument("--sweep", action="store_true", help="a sweep on one process and on two")
    options = parser.parse_args()
    print(measure.statement())
    trace = record(options.clip, options.frames, options.chip, options.preset)
    began = time.process_time()
    played = playback.play(trace, load_chip(options.chip))
    spent = time.process_time() - began
    units = int(trace.jobs["units"][trace.jobs["kind"] != 2].sum())
    print(
        f"exact playback with firmware: {played.jobs} jobs, {units:,} macroblocks, every start and end equal; "
        f"{units / spent / 1e6:.2f} M macroblocks a CPU second, costs of jobs included"
    )
    speed(trace, options.chip, options.streams, options.duration)
    if options.decades:
        decades(trace, options.chip)
    if options.host:
        twenty_chips(options.chip, 0.5)
    if options.sweep:
        with tempfile.TemporaryDirectory() as folder:
            sweep_scaling(Path(folder))
    if options.timing:
        timing("sam2_01_dog", options.chip, 24)


if __name__ == "__main__":
    main()
