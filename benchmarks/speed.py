"""Speed on the host: frames a second of the whole model, beside x264 on the same frames in the same run.

1. One encode on one host thread (timing, firmware and memory model included) and x264 medium on one thread, turn by
   turn. CPU seconds of the process, so that other work on the machine disturbs less; the ratio is taken within a turn.
2. One encode, then two at once on two host threads, turn by turn, in wall seconds: two chips in two Python threads,
   and two sessions of one chip that runs its cores on two threads, at constant QP and under rate control. x264 in two
   threads is the control: no interpreter stands between its threads, so what it gains is what the machine has to give
   at that moment.
"""

import statistics
import threading
from collections.abc import Callable
from typing import Any

from benchmarks import measure, model
from benchmarks.measure import Clip, Stopwatch
from driver.device import Device
from driver.encode_session import EncodeSession

CLIP = "sam2_01_dog"


def together(task: Callable[[], object]) -> float:
    """Return wall seconds of two runs of `task`, each in a thread of its own."""
    threads = [threading.Thread(target=task) for _ in range(2)]
    with Stopwatch() as watch:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return watch.wall_seconds


def two_sessions(clip: Clip, qp: int, *, chip: str, bit_rate: int | None = None, **options: Any) -> float:
    """Return wall seconds of two sessions of one chip with two host threads, under rate control with `bit_rate`."""
    config = model.configure(clip, qp, **options)
    if bit_rate is not None:
        config = config.replace(bit_rate=bit_rate)
    with (
        Device.open(f"model:{chip}", host_threads=2) as device,
        EncodeSession(device, config) as first,
        EncodeSession(device, config) as second,
        Stopwatch() as watch,
    ):
        runs = [session.encode(model.pictures(clip.frames, clip.rate)) for session in (first, second)]
        while runs:
            runs = [run for run in runs if next(run, None) is not None]
    return watch.wall_seconds


def main() -> None:
    parser = measure.parser("speed", __doc__)
    parser.add_argument("--clip", default=CLIP, help=f"file, or beginning of a name in the test media (default {CLIP})")
    parser.add_argument("--frames", type=int, default=32, help="frames of the clip (default 32)")
    parser.add_argument("--qp", type=int, default=27, help="QP of P pictures (default 27)")
    parser.add_argument("--runs", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--chip", default="vcu", help="chip description (default vcu)")
    parser.add_argument("--preset", default="medium", help="the chip's preset (default medium)")
    parser.add_argument("--bit-rate", type=int, default=3_000_000, help="of rate-controlled sessions (default 3000000)")
    parser.add_argument("--one", action="store_true", help="leave out the two encodes at once")
    parser.add_argument("--p-only", action="store_true", help="no B pictures, 1 reference, no 8x8 transform")
    arguments = parser.parse_args()
    clip = measure.read_clip(arguments.clip, arguments.frames)
    how: dict[str, Any] = {"chip": arguments.chip, "preset": arguments.preset}
    how |= model.P_ONLY if arguments.p_only else {}
    print(measure.statement())
    print(f"{clip.name}, {clip.width}x{clip.height}, {len(clip.frames)} frames, QP {arguments.qp}, {how}\n")
    short = Clip(clip.name, clip.width, clip.height, clip.rate, clip.frames[:2])
    model.encode(short, arguments.qp, **how)  # compiles, or loads, the kernels

    count = len(clip.frames)
    rates, peers, ratios, plain = [], [], [], []
    for turn in range(arguments.runs):
        ours = model.encode(clip, arguments.qp, **how).encoded
        theirs = measure.encode_x264(clip, arguments.qp, parameters="")
        bare = measure.encode_x264(clip, arguments.qp)
        rates.append(count / ours.cpu_seconds)
        peers.append(count / theirs.cpu_seconds)
        plain.append(count / bare.cpu_seconds)
        ratios.append(rates[-1] / peers[-1])
        print(
            f"turn {turn + 1}: model {rates[-1]:.2f} frames/s of CPU time ({count / ours.wall_seconds:.2f} of wall), "
            f"x264 medium {peers[-1]:.2f}, without B and with 1 reference {plain[-1]:.2f}; ratio {ratios[-1]:.3f}",
            flush=True,
        )
    print(f"\nmodel, one host thread: {statistics.median(rates):.2f} frames/s (best {max(rates):.2f})")
    print(f"x264 medium, one thread: {statistics.median(peers):.2f} frames/s (best {max(peers):.2f})")
    print(f"ratio: {statistics.median(ratios):.3f} (each turn: {', '.join(f'{r:.3f}' for r in ratios)})")
    if arguments.one:
        return
    print()
    names = ("two chips", "two sessions of one chip", "two rate-controlled sessions of one chip", "x264, the control")
    gains: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(arguments.runs):
        alone = model.encode(clip, arguments.qp, **how).encoded.wall_seconds
        control = measure.encode_x264(clip, arguments.qp, parameters="").wall_seconds
        gains[names[0]].append(2 * alone / together(lambda: model.encode(clip, arguments.qp, **how)))
        gains[names[1]].append(2 * alone / two_sessions(clip, arguments.qp, **how))
        rated = model.encode(clip, arguments.qp, **how, bit_rate=arguments.bit_rate).encoded.wall_seconds
        gains[names[2]].append(2 * rated / two_sessions(clip, arguments.qp, **how, bit_rate=arguments.bit_rate))
        gains[names[3]].append(2 * control / together(lambda: measure.encode_x264(clip, arguments.qp, parameters="")))
        print(f"turn {turn + 1}: " + ", ".join(f"{name} {gain[-1]:.2f}" for name, gain in gains.items()), flush=True)
    print("\ntwo encodes on two host threads, times the rate of one:")
    for name, gain in gains.items():
        print(f"  {name}: {statistics.median(gain):.2f} (best {max(gain):.2f})")


if __name__ == "__main__":
    main()
