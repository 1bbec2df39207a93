"""One decoded stream, several coded ones: each picture goes over the host link once, whatever the number of rungs."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from driver.decode_session import DecodedPicture, DecodeSession
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.errors import EndOfStream, InvalidConfig, TryAgain, UnsupportedInput
from driver.media.picture import Picture, as_picture
from driver.media.sink import EncodedPacket
from driver.options import MAX_RUNGS, EncoderConfig, PlannedRung, ScalerConfig
from driver.scale_session import LadderScaler, scaled_aspect
from driver.scene_cut import SceneCut
from driver.session import Session, check_limits, check_type
from driver.surfaces import PooledSurface, SurfacePool, Uploader


class TranscodeSession(Session):
    """A ladder: upload once, one scale job for all sizes, one encode session a rung. Packets come with their rung."""

    def __init__(
        self, device: Device, config: EncoderConfig, rungs: list[PlannedRung], *, width: int, height: int,
        quality: bool = False, decode: bool = False, extradata: bytes | None = None,
    ) -> None:  # fmt: skip
        """`width` x `height` is the source's size; `config` says how to code, its aspect ratio is the source's; sizes
        and bit rates come from the rungs. `decode`: the chip decodes too (`decoder`; pictures come by `send_decoded`,
        none is uploaded); `extradata` is the container's.
        """
        check_type("config", config, EncoderConfig)
        check_type("rungs", rungs, Sequence)
        if not 1 <= len(rungs) <= MAX_RUNGS:
            raise InvalidConfig(f"rungs: {len(rungs)}, must be 1..{MAX_RUNGS}", option="rungs")
        for rung in rungs:
            check_type("rungs", rung, PlannedRung)
        check_limits(device, width, height)
        scaled = tuple((rung.width, rung.height) for rung in rungs if (rung.width, rung.height) != (width, height))
        if scaled:
            ScalerConfig(width=width, height=height, sizes=scaled)  # refuses what the scaler cannot do
        super().__init__(device)
        self.config, self.rungs = config, rungs
        self.width, self.height = size = (width, height)
        self._sent = 0
        self.encoders: list[EncodeSession] = []
        others = [(rung.width, rung.height) for rung in rungs if (rung.width, rung.height) != size]
        try:
            rung_configs = []
            for rung in rungs:
                aspect = scaled_aspect(config.sample_aspect_ratio, *size, rung.width, rung.height)
                rung_configs.append(
                    config.replace(
                        width=rung.width,
                        height=rung.height,
                        sample_aspect_ratio=aspect,
                        **config.at_rate(rung.bit_rate),
                    )
                )
            # Pictures that rate control looks ahead, or that wait to become B pictures, keep their surfaces.
            depth = self._depth = max(each.held_pictures for each in rung_configs)
            # Where all rungs look ahead, the chip finds the cuts.
            host_looks = not all(each.lookahead for each in rung_configs)
            self._scene_cut = SceneCut(config.scene_cut if host_looks else 0)
            self.decoder: DecodeSession | None = None
            self._source_pool: SurfacePool | None = None
            if decode:
                # one more than are under way: the last one is kept, to be shown again where a picture is lost
                in_flight = depth + 2
                self.decoder = DecodeSession(device, extradata, frames_in_flight=in_flight, queue=self.queue)
                self.decoder._dependents.append(self)
            else:
                self._source_pool = self._pool(width, height, depth + 1, "source")
                self._uploader = Uploader(width, height)
            self._siting = config.chroma_location if config.chroma_location in (1, 2) else 0
            self._scaler: LadderScaler | None = None
            if others:
                self._scaler = LadderScaler(self, width, height, others, depth, self._siting)
            self._fitter: LadderScaler | None = None  # for pictures that are not of the first one's size
            for rung_config in rung_configs:
                leader = self.encoders[0] if self.encoders and not host_looks else None
                encoder = EncodeSession(
                    device, rung_config, queue=self.queue, upload=False, quality=quality, leader=leader
                )
                self.encoders.append(encoder)
                self._dependents.append(encoder)
        except BaseException:
            self.close()
            raise

    @property
    def in_flight(self) -> int:
        return sum(encoder.in_flight for encoder in self.encoders)

    @property
    def has_room(self) -> bool:
        pools = [pool for scaler in (self._scaler, self._fitter) if scaler is not None for pool in scaler.pools]
        if self._source_pool is not None:
            pools.append(self._source_pool)
        return all(pool.idle for pool in pools) and all(encoder.has_room for encoder in self.encoders)

    def send_frame(self, frame: Picture | np.ndarray | None, timeout_us: int = 0) -> None:
        """Upload one picture and submit its scale and encode jobs with one doorbell; None: no more will come.

        An array is uint8[height * 3 / 2, width]: Y, Cb, Cr; its time follows from `config.fps`. Raises InvalidConfig
        for frames that do not fit,  TryAgain when there is no room and none came free in `timeout_us`.
        """
        self._check_open()
        if frame is None:
            self._draining = True
            for encoder in self.encoders:
                encoder.send_frame(None)
            return
        if self._draining:
            raise EndOfStream("the session is draining: no picture after send_frame(None)")
        if self._source_pool is None:
            raise InvalidConfig("this session takes its pictures from the chip's decoder")
        picture = as_picture(frame, self.width, self.height, self._sent, self.config.fps, self.config.pix_fmt)
        self._wait_for_room(timeout_us)
        with self.device.lock:
            source = self._source_pool.acquire()
            self._uploader.upload(self.device.backend, source.layout, picture)
            cut = self._scene_cut.add(picture.y)
            self._submit(source, (0, 0), self._scaler, picture.pts, picture.duration, picture.time_base, cut)
            self._sent += 1
            source.release()

    def send_decoded(
        self, picture: DecodedPicture, pts: int, duration: int, time_base: Fraction, timeout_us: int = 0
    ) -> None:
        """Submit the jobs of a picture of `decoder`, which wait for it on the chip; the caller's hold stays his.

        A picture of another size than the session's is scaled to the rungs from its own. Raises TryAgain when there is
        no room and none came free in `timeout_us`.
        """
        self._check_open()
        if self._draining:
            raise EndOfStream("the session is draining: no picture after send_frame(None)")
        scaler = self._scaler
        if (picture.width, picture.height) != (self.width, self.height):
            scaler = self._fitting(picture.width, picture.height)
        self._wait_for_room(timeout_us)
        with self.device.lock:
            self._submit(picture, picture.wait_fields, scaler, pts, duration, time_base)

    def _fitting(self, width: int, height: int) -> LadderScaler:
        """The scaler from a size that came in mid-stream to all rungs; one serves all such sizes."""
        sizes = [(rung.width, rung.height) for rung in self.rungs]
        for rung_width, rung_height in sizes:
            for name, side, wanted in (("width", width, rung_width), ("height", height, rung_height)):
                if not side <= wanted * 8 or not wanted <= side * 4:
                    raise UnsupportedInput(
                        f"the size changes to {width}x{height} mid-stream: {name} {side} to {wanted} is more than the "
                        "scaler does (1/8 to 4 times)",
                        width=width, height=height,
                    )  # fmt: skip
        if self._fitter is None:
            limits = self.device.capabilities
            largest = limits.max_width, limits.max_height
            self._fitter = LadderScaler(self, *largest, sizes, self._depth, self._siting)
        return self._fitter

    def _wait_for_room(self, timeout_us: int) -> None:
        if not self.has_room:
            self.device.wait_until(lambda: self.has_room or self._first_error(), timeout_us, what="a free slot")
            self._check_open()

    def _submit(
        self, source: PooledSurface, wait: tuple[int, int], scaler: LadderScaler | None, pts: int, duration: int,
        time_base: Fraction, cut: bool = False,
    ) -> None:  # fmt: skip
        """Stage the jobs of one picture, which wait for `wait` (session, sequence), and ring. `cut`: it begins a scene;
        of pictures that the chip decodes nobody knows."""
        outputs, fences = scaler.submit(source, *wait) if scaler else ([], [])
        # the scale jobs of one session complete in order: the last one's fence stands for all
        scaled_wait = (scaler.number, fences[-1].sequence) if scaler else (0, 0)
        scaled = iter(outputs)
        whole = (source.width, source.height) == (self.width, self.height)
        for rung, encoder in zip(self.rungs, self.encoders, strict=True):
            if whole and (rung.width, rung.height) == (self.width, self.height):
                encoder.submit(source.hold(), pts, duration, time_base, *wait, cut)
            else:
                encoder.submit(next(scaled), pts, duration, time_base, *scaled_wait, cut)
        self.queue.ring()

    def _first_error(self) -> bool:
        for part in (self.decoder, *self.encoders):
            if part is not None:
                self._error = self._error or part._error
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

    def transcode(self, pictures: Iterable[Picture | np.ndarray]) -> Iterator[tuple[int, EncodedPacket]]:
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
        with contextlib.ExitStack() as stack:  # one that fails leaves none of the others open
            stack.callback(super().close)
            for part in reversed(self._parts()):
                stack.callback(part.close)

    def abandon(self) -> None:
        """Close without asking a device that does not answer."""
        for part in self._parts():
            part.abandon()
        super().abandon()

    def _parts(self) -> list[Session]:
        decoder = getattr(self, "decoder", None)
        return [*self.encoders, *([decoder] if decoder is not None else [])]

    def stats(self) -> list[dict[str, Any]]:
        """Figures by rung."""
        return [
            {"rung": rung.label, "bit_rate": rung.bit_rate, **encoder.stats()}
            for rung, encoder in zip(self.rungs, self.encoders, strict=True)
        ]
