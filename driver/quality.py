"""PSNR and SSIM of what was coded, computed on the chip: one job of a scale core after each encode job."""

import math
import struct
from collections import deque
from typing import TYPE_CHECKING

from asic_model.descriptors import QUALITY_RESULT_BYTES, Command, Kind, pack_job
from driver.surfaces import PooledSurface, Span

if TYPE_CHECKING:
    from driver.session import Session

MODE_QUALITY = 1
# The sums at `result_address`, int64 each, in this order (asic_model/cores/scale.py: QUALITY_RESULT).
RESULT_FIELDS = (
    "sse_luma", "sse_cb", "sse_cr", "ssim_luma", "ssim_cb", "ssim_cr", "windows_luma", "windows_chroma",
    "samples_luma", "samples_chroma",
)  # fmt: skip
RESULT = struct.Struct(f"<{len(RESULT_FIELDS)}q")
SSIM_ONE = 1 << 20  # sums of SSIM are in Q20


def psnr_db(sse: int, samples: int) -> float | None:
    """Return the peak signal-to-noise ratio of 8-bit samples in dB, None for equal pictures (no noise at all)."""
    return 10 * math.log10(255 * 255 * samples / sse) if sse else None


class QualityMeter:
    """Compares each picture of a session with its reconstruction and adds the sums up."""

    def __init__(self, owner: "Session", coded_width: int, coded_height: int, depth: int) -> None:
        self._owner = owner
        self._coded = (coded_width, coded_height)
        self._number = owner._open_firmware_session(Kind.SCALE, coded_width, coded_height)
        self._results = deque(owner._buffer(QUALITY_RESULT_BYTES, "quality sums") for _ in range(depth))
        self._depth = depth
        self.frames = 0
        self.totals = dict.fromkeys(RESULT_FIELDS, 0)

    @property
    def in_flight(self) -> int:
        return self._depth - len(self._results)

    @property
    def room(self) -> int:
        """Pictures that can be submitted now."""
        return len(self._results)

    def submit(self, source: PooledSurface, reconstruction: PooledSurface, session: int, sequence: int) -> None:
        """Stage the comparison behind the encode job `sequence` of firmware session `session`."""
        result = self._results.popleft()
        job = {
            **source.source_fields,
            "mode": MODE_QUALITY,
            "ref_width": self._coded[0],
            "ref_height": self._coded[1],
            "ref_address": reconstruction.layout.address,
            "result_address": result.address,
        }
        fence = self._owner.queue.stage_when_free(
            Command.SCALE, session=self._number, block=pack_job(Kind.SCALE, job), wait_session=session,
            wait_sequence=sequence,
        )  # fmt: skip
        held = (source.hold(), reconstruction.hold())

        def completed(completion: dict[str, int]) -> None:
            if not self._owner._failed(completion, Kind.SCALE):
                self._add(result)
            self._results.append(result)
            for one in held:
                one.release()

        fence.callback = completed

    def _add(self, result: Span) -> None:
        values = RESULT.unpack(self._owner.device.backend.memory_read(result.address, RESULT.size))
        sums = dict(zip(RESULT_FIELDS, values, strict=True))
        for name, value in sums.items():
            self.totals[name] += value
        self.frames += 1

    def summary(self) -> dict[str, float] | None:
        """Return PSNR of the whole stream (from summed errors, dB) and mean SSIM, None before the first picture.

        A plane without any error has no PSNR: its key is absent.
        """
        total = self.totals
        if not total["samples_luma"]:
            return None
        found = {
            "psnr_y_db": psnr_db(total["sse_luma"], total["samples_luma"]),
            "psnr_cb_db": psnr_db(total["sse_cb"], total["samples_chroma"]),
            "psnr_cr_db": psnr_db(total["sse_cr"], total["samples_chroma"]),
            "ssim_y": total["ssim_luma"] / total["windows_luma"] / SSIM_ONE if total["windows_luma"] else 1.0,
        }
        return {name: value for name, value in found.items() if value is not None}
