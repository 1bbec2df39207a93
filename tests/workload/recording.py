"""Small runs on the whole chip, recorded: real pixels, real firmware, two rungs."""

from typing import Any

import numpy as np

from asic_model.workload.work_trace import WorkTrace
from driver.device import Device
from driver.media.picture import Picture, blank_picture
from driver.options import EncoderConfig, PlannedRung


def moving_pictures(count: int, width: int, height: int, seed: int = 1) -> list[Picture]:
    """Pictures of smoothed noise that slides two samples a picture."""
    random = np.random.default_rng(seed)
    wide = random.integers(0, 256, (height + 64, width + 64)).astype(np.float64)
    for _ in range(3):
        wide = (wide + np.roll(wide, 1, 0) + np.roll(wide, 1, 1) + np.roll(wide, (1, 1), (0, 1))) / 4
    found = []
    for number in range(count):
        made = blank_picture(width, height)
        made.y[:] = wide[number : number + height, 2 * number : 2 * number + width].astype(np.uint8)
        made.pts = number
        found.append(made)
    return found


def recorded_run(
    chip: str = "tiny", count: int = 5, width: int = 96, height: int = 64, bit_rate: int | None = None,
    threads: int = 1, **changes: Any,
) -> tuple[WorkTrace, dict[str, Any]]:  # fmt: skip
    """Code `count` pictures at two sizes; return the trace and the run's report."""
    config = EncoderConfig(width=width, height=height, qp=30, gop_size=4, bit_rate=bit_rate, preset="fast")
    rungs = [PlannedRung("full", width, height, bit_rate), PlannedRung("half", width // 2, height // 2, bit_rate)]
    with Device.open(f"model:{chip}", record=True, host_threads=threads, changes=changes) as device:
        with device.open_transcoder(config, rungs, width=width, height=height) as session:
            for _ in session.transcode(moving_pictures(count, width, height)):
                pass
        report = device.report() or {}
        backend: Any = device.backend
        return backend.work_trace({"source": "noise"}), report
