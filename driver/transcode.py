"""One decoded stream, several coded ones: each picture goes over the host link once, whatever the number of rungs."""

from collections.abc import Iterable, Iterator
from typing import Any

from driver.device import Device
from driver.errors import EndOfStream, TryAgain
from driver.media.picture import Picture
from driver.media.sink import EncodedPacket
from driver.options import EncoderConfig, PlannedRung
from driver.session import EncodeSession, LadderScaler, Session, check_limits, check_picture, scaled_aspect
from driver.surfaces import Uploader


class TranscodeSession(Session):
    """A ladder: upload once, one scale job for all sizes, one encode session a rung. Packets come with their rung."""

    def __init__(
        self, device: Device, config: EncoderConfig, rungs: list[PlannedRung], *, width: int, height: int,
        quality: bool = False,
    ) -> None:  # fmt: skip
        """`width` x `height` is the source's size; `config` says how to code, its aspect ratio is the source's; sizes
        and bit rates come from the rungs."""
        check_limits(device, width, height)
        super().__init__(device)
        self.config, self.rungs = config, rungs
        self.width, self.height = size = (width, height)
        self.encoders: list[EncodeSession] = []
        others = [(rung.width, rung.height) for rung in rungs if (rung.width, rung.height) != size]
        try:
            self._source_pool = self._pool(width, height, config.queue_depth + 1, "source")
            self._uploader = Uploader(width, height)
            siting = config.chroma_location if config.chroma_location in (1, 2) else 0
            self._scaler = LadderScaler(self, width, height, others, config.queue_depth, siting) if others else None
            for rung in rungs:
                aspect = scaled_aspect(config.sample_aspect_ratio, *size, rung.width, rung.height)
                rung_config = config.replace(
                    width=rung.width, height=rung.height, bit_rate=rung.bit_rate, sample_aspect_ratio=aspect
                )
                self.encoders.append(
                    EncodeSession(device, rung_config, queue=self.queue, upload=False, quality=quality)
                )
        except BaseException:
            self.close()
            raise

    @property
    def in_flight(self) -> int:
        return sum(encoder.in_flight for encoder in self.encoders)

    @property
    def has_room(self) -> bool:
        pools = [self._source_pool, *(self._scaler.pools if self._scaler else ())]
        return all(pool.idle for pool in pools) and all(encoder.has_room for encoder in self.encoders)

    def send_frame(self, picture: Picture | None, timeout_us: int = 0) -> None:
        """Upload one picture and submit its scale and encode jobs with one doorbell; None: no more will come.

        Raises TryAgain when there is no room and none came free in `timeout_us`.
        """
        self._check_open()
        if picture is None:
            self._draining = True
            return
        if self._draining:
            raise EndOfStream("the session is draining: no picture after send_frame(None)")
        check_picture(picture, self.width, self.height)
        if not self.has_room:
            self.device.wait_until(lambda: self.has_room or self._first_error(), timeout_us, what="a free slot")
            self._check_open()
        with self.device.lock:
            source = self._source_pool.acquire()
            self._uploader.upload(self.device.backend, source.layout, picture)
            outputs, fences = self._scaler.submit(source) if self._scaler else ([], [])
            # the scale jobs of one session complete in order: the last one's fence stands for all
            wait = (self._scaler.number, fences[-1].sequence) if self._scaler else (0, 0)
            scaled = iter(outputs)
            for rung, encoder in zip(self.rungs, self.encoders, strict=True):
                times = (picture.pts, picture.duration, picture.time_base)
                if (rung.width, rung.height) == (self.width, self.height):
                    encoder.submit(source.hold(), *times)
                else:
                    encoder.submit(next(scaled), *times, *wait)
            source.release()
            self.queue.ring()

    def _first_error(self) -> bool:
        for encoder in self.encoders:
            self._error = self._error or encoder._error
        return self._error is not None

    def _next_ready(self) -> tuple[int, EncodedPacket] | None:
        for number, encoder in enumerate(self.encoders):
            packet = encoder.ready_packet()
            if packet is not None:
                return number, packet
        return None

    def receive_packet(self, timeout_us: int | None = 0) -> tuple[int, EncodedPacket]:
        """Return (number of the rung, packet) of a finished picture; in order within each rung."""
        ready = self._next_ready()
        if ready is None:
            self._first_error()
            self._check_open()
            if not self.in_flight:
                if self._draining:
                    raise EndOfStream("all packets were received")
                raise TryAgain("no picture is on its way")
            self.device.wait_until(
                lambda: any(encoder._ready for encoder in self.encoders) or self._first_error() or not self.in_flight,
                timeout_us, what="a packet",
            )  # fmt: skip
            self._check_open()
            ready = self._next_ready()
            if ready is None:
                raise EndOfStream("all packets were received") if self._draining else TryAgain("nothing on its way")
        return ready

    def transcode(self, pictures: Iterable[Picture]) -> Iterator[tuple[int, EncodedPacket]]:
        """Code all pictures at all sizes, keeping the chip busy; yield (rung, packet)."""
        for picture in pictures:
            while not self.has_room:
                yield self.receive_packet(timeout_us=None)
            self.send_frame(picture)
        yield from self.drain()

    def drain(self) -> Iterator[tuple[int, EncodedPacket]]:
        """No more pictures will come: yield the packets that are left."""
        self.send_frame(None)
        while True:
            try:
                yield self.receive_packet(timeout_us=None)
            except EndOfStream:
                return

    def close(self) -> None:
        """Close the rungs, then the ladder."""
        for encoder in self.encoders:
            encoder.close()
        super().close()

    def stats(self) -> list[dict[str, Any]]:
        """Figures by rung."""
        return [
            {"rung": rung.label, "bit_rate": rung.bit_rate, **encoder.stats()}
            for rung, encoder in zip(self.rungs, self.encoders, strict=True)
        ]
