"""What driver and firmware cost: jobs a second and time a job on a chip without pixels.

    python -m benchmarks.jobs

Three kinds of commands on backend `null`: NOPs (driver, rings, firmware), scale jobs and encode jobs of 64x64 (and with
them core registers, the fabric's contention, surfaces and sessions). `wall` is what the clock on the wall says from the
first submission to the last completion; `cpu` is the process's own time, which other work on the machine disturbs less.
"""

import argparse
import time
from collections.abc import Callable

from asic_model.descriptors import Command
from driver.device import Device
from driver.media.picture import blank_picture
from driver.options import EncoderConfig, ScalerConfig


def nops(device: Device, count: int) -> None:
    """Commands that complete in the firmware, a ring full at a time."""
    queue = device.queue(0)
    left = count
    while left:
        batch = min(left, 64)
        with device.lock:
            fences = [queue.stage(Command.NOP) for _ in range(batch)]
            queue.ring()
        fences[-1].wait()
        left -= batch


def scales(device: Device, count: int) -> None:
    config = ScalerConfig(width=64, height=64, sizes=((32, 32),), queue_depth=16)
    with device.open_scaler(config) as scaler:
        picture = blank_picture(64, 64)
        for _ in scaler.scale(picture for _ in range(count)):
            pass


def encodes(device: Device, count: int) -> None:
    config = EncoderConfig.from_ffmpeg("-s 64x64 -async_depth 16 -g 1000 -bf 0 -sc_threshold 0")
    with device.open_encoder(config) as encoder:
        picture = blank_picture(64, 64)
        for _ in encoder.encode(picture for _ in range(count)):
            pass


KINDS: dict[str, Callable[[Device, int], None]] = {"nop": nops, "scale": scales, "encode": encodes}


def measure(count: int, chip: str) -> list[tuple[str, float, float, float]]:
    """(kind, jobs/s, wall us a job, cpu us a job), after a warm-up of a tenth."""
    found = []
    for kind, work in KINDS.items():
        with Device.open(f"null:{chip}") as device:
            work(device, max(100, count // 10))
            wall, cpu = time.perf_counter(), time.process_time()
            work(device, count)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            found.append((kind, count / wall, 1e6 * wall / count, 1e6 * cpu / count))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--chip", default="vcu")
    arguments = parser.parse_args()
    print(f"null:{arguments.chip}, {arguments.count} commands of each kind")
    for kind, rate, wall, cpu in measure(arguments.count, arguments.chip):
        print(f"  {kind:7} {rate:8.0f} a second   wall {wall:7.1f} us   cpu {cpu:7.1f} us")


if __name__ == "__main__":
    main()
