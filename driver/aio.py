"""The driver for asyncio: the same sessions, awaited.

    async with aio.open_device("model:vcu") as device:
        async with device.open_encoder(config) as encoder:
            async for packet in encoder.encode(pictures):
                ...

Calls that let the device work run on one thread a device, one after the other, so the event loop goes on meanwhile and
several sessions of a device take turns. Waits are made in short steps of simulated time. A task may be cancelled at any
time: the session stays good, and what a step under way still receives is there for whoever receives next.
"""

import asyncio
import functools
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from driver.decode_session import DecodedPicture
from driver.device import Device
from driver.errors import EndOfStream, TryAgain
from driver.media.sink import EncodedPacket
from driver.options import EncoderConfig, PlannedRung, ScalerConfig

STEP_US = 1000

_T = TypeVar("_T")


class AsyncDevice:
    """A device whose calls are awaited. `device` is the driver's own."""

    def __init__(self, name: str, **options: Any) -> None:
        self._name, self._options = name, options
        self._thread = ThreadPoolExecutor(1, f"{name}-aio")
        self.device: Device

    async def run(self, call: Callable[..., _T], *arguments: Any, **more: Any) -> _T:
        """Make one call on the device's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: call(*arguments, **more))

    async def __aenter__(self) -> Self:
        self.device = await self.run(Device.open, self._name, **self._options)
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self.run(self.device.__exit__, *error)
        finally:
            self._thread.shutdown(wait=False)

    def open_encoder(self, config: EncoderConfig) -> "AsyncEncoder":
        """An encode session, opened on entering it."""
        return AsyncEncoder(self, lambda: self.device.open_encoder(config))

    def open_scaler(self, config: ScalerConfig) -> "AsyncScaler":
        """A scale session, opened on entering it."""
        return AsyncScaler(self, lambda: self.device.open_scaler(config))

    def open_decoder(self, extradata: bytes | None = None, **options: Any) -> "AsyncDecoder":
        """A decode session, opened on entering it."""
        return AsyncDecoder(self, lambda: self.device.open_decoder(extradata, **options))

    def open_transcoder(self, config: EncoderConfig, rungs: list[PlannedRung], **options: Any) -> "AsyncTranscoder":
        """A ladder, opened on entering it."""
        return AsyncTranscoder(self, lambda: self.device.open_transcoder(config, rungs, **options))


def open_device(name: str, **options: Any) -> AsyncDevice:
    """Return a device to be entered with `async with`; arguments as `Device.open`."""
    return AsyncDevice(name, **options)


class _AsyncSession:
    def __init__(self, device: AsyncDevice, opened: Callable[[], Any]) -> None:
        self._device, self._opened = device, opened
        self.session: Any = None
        self._receiving: asyncio.Future[Any] | None = None  # a step that nobody has the outcome of yet

    async def __aenter__(self) -> Self:
        self.session = await self._device.run(self._opened)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._device.run(self.session.__exit__, *error)

    async def _until(self, call: Callable[[int], _T]) -> _T:
        """Make a call that may raise TryAgain until it does not."""
        while True:
            try:
                return await self._device.run(call, STEP_US)
            except EndOfStream:
                raise
            except TryAgain:
                await asyncio.sleep(0)

    async def _received(self, call: Callable[[int], Any]) -> Any:
        """As `_until`, of a call that takes something out of the session: a task that is cancelled loses nothing."""
        while True:
            step = self._receiving
            if step is None:
                step = self._receiving = asyncio.ensure_future(self._device.run(call, STEP_US))
            try:
                await asyncio.shield(step)
            except TryAgain:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                raise
            except BaseException:
                if self._receiving is step:
                    self._receiving = None
                raise
            if self._receiving is step:  # or another task that waits for the same step took it
                self._receiving = None
                if step.exception() is None:
                    return step.result()

    async def _drained(self) -> AsyncIterator[Any]:
        """Say that no more pictures come; yield what is left."""
        await self._device.run(self.session.send_frame, None)
        while True:
            try:
                packet = await self._received(self.session.receive_packet)
            except EndOfStream:
                return
            yield packet


async def _each(items: "Iterable[Any] | AsyncIterable[Any]", *more: Any) -> AsyncIterator[Any]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
    for item in more:
        yield item


class AsyncEncoder(_AsyncSession):
    """`EncodeSession`, awaited."""

    async def send_frame(self, frame: Any) -> None:
        """Send one frame as soon as there is room; None: no more will come. Somebody must receive meanwhile."""
        await self._until(lambda step_us: self.session.send_frame(frame, step_us))

    async def receive_packet(self) -> EncodedPacket:
        """The next packet; EndOfStream when all were received."""
        while True:
            if self._receiving is not None or self.session.can_receive or self.session.in_flight:
                return await self._received(self.session.receive_packet)
            await asyncio.sleep(0.001)  # nothing is on its way: another task will send

    async def encode(self, frames: "Iterable[Any] | AsyncIterable[Any]") -> AsyncIterator[EncodedPacket]:
        """Code all frames, keeping the chip busy; yield the packets in coding order."""
        async for frame in _each(frames):
            while not self.session.has_room:
                yield await self._received(self.session.receive_packet)
            await self.send_frame(frame)
        async for packet in self._drained():
            yield packet


class AsyncTranscoder(_AsyncSession):
    """`TranscodeSession`, awaited."""

    async def transcode(self, frames: "Iterable[Any] | AsyncIterable[Any]") -> AsyncIterator[tuple[int, EncodedPacket]]:
        """Code all frames at all sizes, keeping the chip busy; yield (rung, packet)."""
        async for frame in _each(frames):
            while not self.session.has_room:
                yield await self._received(self.session.receive_packet)
            await self._until(functools.partial(self.session.send_frame, frame))
        async for packet in self._drained():
            yield packet


class AsyncDecoder(_AsyncSession):
    """`DecodeSession`, awaited."""

    async def decode(self, packets: "Iterable[Any] | AsyncIterable[Any]") -> AsyncIterator[DecodedPicture]:
        """Decode `packets`, bytes or (bytes, pts), and drain; yield each picture decoded, in output order.

        A picture is released when the next one is asked for; `hold()` keeps it. `await device.run(picture.download)`
        copies it to the host.
        """
        ahead: deque[DecodedPicture] = deque()  # the first one is the caller's while this generator stands at a yield
        call, session = self._device.run, self.session
        try:
            async for packet in _each(packets, None):
                data, pts = packet if isinstance(packet, tuple) else (packet, None)
                await call(session.send_packet, data, pts)
                while not await call(session.used_up):
                    while ahead and session.held >= session.frames_in_flight:
                        await self._until(ahead[0].wait)
                        yield ahead[0]
                        ahead.popleft().release()
                    ahead.append(await call(session.next_frame))
            while ahead:
                await self._until(ahead[0].wait)
                yield ahead[0]
                ahead.popleft().release()
        finally:  # whoever stops early holds none of them
            for picture in ahead:
                picture.release()


class AsyncScaler(_AsyncSession):
    """`ScaleSession`, awaited."""

    async def scale(self, frames: "Iterable[Any] | AsyncIterable[Any]") -> AsyncIterator[list[Any]]:
        """Scale all frames; yield each at all sizes, in order."""
        waiting = 0
        async for frame in _each(frames):
            if waiting >= self.session.config.queue_depth:
                yield await self._received(self.session.receive_frame)
                waiting -= 1
            await self._device.run(self.session.send_frame, frame)
            waiting += 1
        for _ in range(waiting):
            yield await self._received(self.session.receive_frame)
