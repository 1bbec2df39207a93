"""Scale sessions: pictures in, the same pictures at other sizes out; and the scale jobs of a ladder."""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from asic_model.descriptors import (
    Command,
    Kind,
    job_template,
)
from driver.device import Device
from driver.errors import TryAgain
from driver.media.picture import Picture, as_picture
from driver.options import ScalerConfig
from driver.queue import Fence, Queue
from driver.session import Session, check_limits, check_type
from driver.surfaces import PooledSurface, Uploader, download

MAX_SCALE_OUTPUTS = 4
ARRAY_RATE = Fraction(25)  # frames/s of bare arrays in a session that has no rate


class ScaleSession(Session):
    """Pictures in, the same pictures at other sizes out, in order."""

    def __init__(self, device: Device, config: ScalerConfig, *, queue: Queue | None = None) -> None:
        check_type("config", config, ScalerConfig)
        check_limits(device, config.width, config.height)
        super().__init__(device, queue)
        self.config = config
        self._sent = 0
        self._flights: deque[tuple[Picture, list[Fence], list[PooledSurface]]] = deque()
        try:
            self.scaler = LadderScaler(self, config.width, config.height, config.sizes, config.queue_depth)
            self._source_pool = self._pool(config.width, config.height, config.queue_depth + 1, "source")
            self._uploader = Uploader(config.width, config.height)
        except BaseException:
            self.close()
            raise

    @property
    def in_flight(self) -> int:
        return sum(not fence.done for _, fences, _ in self._flights for fence in fences)

    def send_frame(self, frame: Picture | np.ndarray) -> None:
        """Upload one picture and submit its scale jobs; TryAgain when `queue_depth` pictures wait to be received.

        An array is uint8[height * 3 / 2, width]: Y, Cb, Cr. Raises InvalidConfig for frames that do not fit.
        """
        self._check_open()
        picture = as_picture(frame, self.config.width, self.config.height, self._sent, ARRAY_RATE)
        if len(self._flights) >= self.config.queue_depth:
            raise TryAgain(f"{len(self._flights)} pictures wait to be received")
        with self.device.lock:
            source = self._source_pool.acquire()
            self._uploader.upload(self.device.backend, source.layout, picture)
            outputs, fences = self.scaler.submit(source)
            source.release()
            self._flights.append((picture, fences, outputs))
            self._sent += 1
            self.queue.ring()

    def receive_frame(self, timeout_us: int | None = 0) -> list[Picture]:
        """Return the oldest picture at all sizes, in the order of `config.sizes`."""
        self._check_open()
        if not self._flights:
            raise TryAgain("no picture is on its way")
        picture, fences, outputs = self._flights[0]
        self.device.wait_until(lambda: all(fence.done for fence in fences), timeout_us, what="a scaled picture")
        self._check_open()
        self._flights.popleft()
        scaled = []
        for output in outputs:
            layout = output.layout
            scaled.append(
                download(
                    self.device.backend, layout, layout.width, layout.height, picture.pts, picture.duration,
                    picture.time_base,
                )
            )  # fmt: skip
            output.release()
        return scaled

    def scale(self, pictures: Iterable[Picture | np.ndarray]) -> Iterator[list[Picture]]:
        """Scale all pictures; yield each at all sizes, in order."""
        for picture in pictures:
            if len(self._flights) >= self.config.queue_depth:
                yield self.receive_frame(timeout_us=None)
            self.send_frame(picture)
        while self._flights:
            yield self.receive_frame(timeout_us=None)


_ADDRESSES = tuple(f"out{number}_address" for number in range(MAX_SCALE_OUTPUTS))


def _fixed_fields(sizes: list[tuple[int, int]], chroma_siting: int) -> dict[str, int]:
    """The fields of a scale job that all pictures share: those of its outputs, without their addresses."""
    found = {"mode": 0, "chroma_siting": chroma_siting, "output_count": len(sizes)}
    for number, (width, height) in enumerate(sizes):
        found |= {f"out{number}_width": width, f"out{number}_height": height}
    return found


class LadderScaler:
    """The scale jobs of one picture: up to four outputs a job, as many jobs as the sizes need."""

    def __init__(
        self, owner: Session, width: int, height: int, sizes: Iterable[tuple[int, int]], depth: int,
        chroma_siting: int = 0,
    ) -> None:  # fmt: skip
        self._owner = owner
        self.number = owner._open_firmware_session(Kind.SCALE, width, height)
        self.pools = [owner._pool(w, h, depth + 1, "scaled picture") for w, h in sizes]
        placed = list(sizes)
        self._templates = [
            job_template(
                Kind.SCALE,
                {"width": width, "height": height}
                | _fixed_fields(placed[first : first + MAX_SCALE_OUTPUTS], chroma_siting),
            )
            for first in range(0, len(placed), MAX_SCALE_OUTPUTS)
        ]

    def submit(
        self, source: PooledSurface, wait_session: int = 0, wait_sequence: int = 0
    ) -> tuple[list[PooledSurface], list[Fence]]:
        """Stage the jobs; return the output surfaces (held for the caller) and one fence a job."""
        outputs = [pool.acquire() for pool in self.pools]
        fences = []
        for number, template in enumerate(self._templates):
            group = outputs[number * MAX_SCALE_OUTPUTS : (number + 1) * MAX_SCALE_OUTPUTS]
            addresses = {name: output.layout.address for name, output in zip(_ADDRESSES, group, strict=False)}
            fence = self._owner.queue.stage_when_free(
                Command.SCALE, session=self.number, block=template.fill(source.source_fields | addresses),
                wait_session=wait_session, wait_sequence=wait_sequence,
            )  # fmt: skip
            held = [source.hold(), *(output.hold() for output in group)]

            def completed(completion: dict[str, int], held: list[PooledSurface] = held) -> None:
                self._owner._failed(completion, Kind.SCALE)
                for one in held:
                    one.release()

            fence.callback = completed
            fences.append(fence)
        return outputs, fences


def scaled_aspect(aspect: Fraction | None, width: int, height: int, new_width: int, new_height: int) -> Fraction | None:
    """Return the sample aspect ratio that keeps the display aspect ratio after scaling.

    None, the ratio that nobody stated, stays None where both sides were scaled alike and counts as 1 elsewhere.
    """
    change = Fraction(width * new_height, height * new_width)
    return None if aspect is None and change == 1 else (aspect or 1) * change
