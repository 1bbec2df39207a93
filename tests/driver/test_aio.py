"""The driver for asyncio: same streams, sessions at once, the loop goes on, cancelled tasks leave a good session."""

import asyncio
import contextlib

from driver import aio
from driver.device import Device
from driver.errors import EndOfStream
from driver.options import EncoderConfig, PlannedRung, ScalerConfig
from tests.driver.test_device import clip

CONFIG = EncoderConfig(width=80, height=48, preset="fast", gop_size=4)


def test_two_sessions_and_a_ticking_loop() -> None:
    with Device.open("model:tiny") as device, device.open_encoder(CONFIG) as encoder:
        wanted = [packet.data for packet in encoder.encode(clip(6))]

    async def coded(device: aio.AsyncDevice) -> list[bytes]:
        async with device.open_encoder(CONFIG) as encoder:
            return [packet.data async for packet in encoder.encode(clip(6))]

    async def main() -> tuple[list[list[bytes]], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        async with aio.open_device("model:tiny") as device:
            ticking = asyncio.create_task(tick())
            found = await asyncio.gather(coded(device), coded(device))
            ticking.cancel()
            return list(found), ticks

    found, ticks = asyncio.run(main())
    assert found == [wanted, wanted]
    assert ticks > 0


def test_producer_and_consumer_tasks() -> None:
    async def main() -> list[int]:
        async with aio.open_device("null:tiny") as device, device.open_encoder(CONFIG) as encoder:

            async def produce() -> None:
                for picture in clip(9):
                    await encoder.send_frame(picture)
                await encoder.send_frame(None)

            producer = asyncio.create_task(produce())
            out = []
            try:
                while True:
                    out.append((await encoder.receive_packet()).pts)
            except EndOfStream:
                await producer
            return sorted(out)

    assert asyncio.run(main()) == list(range(9))


def test_a_cancelled_wait_leaves_the_session_good() -> None:
    async def main() -> int:
        async with aio.open_device("null:tiny") as device, device.open_encoder(CONFIG) as encoder:
            waiting = asyncio.create_task(encoder.receive_packet())
            await asyncio.sleep(0.02)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return len([packet async for packet in encoder.encode(clip(5))])

    assert asyncio.run(main()) == 5


def test_scaling() -> None:
    config = ScalerConfig(width=80, height=48, sizes=((40, 24), (20, 16)))

    async def main() -> list[tuple[int, ...]]:
        async with aio.open_device("model:tiny") as device, device.open_scaler(config) as scaler:
            return [tuple(one.width for one in sizes) async for sizes in scaler.scale(clip(6))]

    assert asyncio.run(main()) == [(40, 20)] * 6


def test_a_cancelled_task_loses_no_packet() -> None:
    """`wait_for` cancels what it waits for, at any moment of a step: every packet comes once, in its order."""

    async def work() -> list[bytes]:
        found = []
        async with aio.open_device("model:tiny") as device, device.open_encoder(CONFIG) as encoder:
            for picture in clip(12):
                sending = asyncio.create_task(encoder.send_frame(picture))
                while not sending.done():
                    with contextlib.suppress(TimeoutError):
                        found.append((await asyncio.wait_for(encoder.receive_packet(), 0.0005)).data)
            await device.run(encoder.session.send_frame, None)
            while True:
                try:
                    found.append((await asyncio.wait_for(encoder.receive_packet(), 0.0005)).data)
                except TimeoutError:
                    continue
                except EndOfStream:
                    return found

    with Device.open("model:tiny") as device, device.open_encoder(CONFIG) as encoder:
        wanted = [packet.data for packet in encoder.encode(clip(12))]
    assert asyncio.run(work()) == wanted


def test_two_tasks_that_receive_share_the_packets() -> None:
    async def work() -> int:
        async with aio.open_device("model:tiny") as device, device.open_encoder(CONFIG) as encoder:
            found: list[int] = []

            async def receive() -> None:
                while True:
                    try:
                        found.append((await encoder.receive_packet()).pts)
                    except EndOfStream:
                        return

            tasks = [asyncio.create_task(receive()) for _ in range(2)]
            for picture in clip(8):
                await encoder.send_frame(picture)
            await device.run(encoder.session.send_frame, None)
            await asyncio.gather(*tasks)
            assert sorted(found) == list(range(8))
            return len(found)

    assert asyncio.run(work()) == 8


def test_decoder_and_ladder() -> None:
    """The same streams and pictures as without asyncio, two ladders and two decoders at once; who stops early holds
    no picture."""
    rungs = [PlannedRung("48p", 80, 48, None), PlannedRung("24p", 40, 24, None)]

    def streams(pairs: list[tuple[int, bytes]]) -> list[bytes]:
        return [b"".join(data for number, data in pairs if number == n) for n in range(2)]

    with Device.open("model:tiny") as device:
        with device.open_transcoder(CONFIG, rungs, width=80, height=48) as session:
            wanted = streams([(n, packet.data) for n, packet in session.transcode(clip(6))])
        with device.open_decoder() as decoder:
            pictures = [bytes(picture.download().y) for picture in decoder.decode([wanted[0]])]
    assert len(pictures) == 6

    async def ladder(device: aio.AsyncDevice) -> list[bytes]:
        async with device.open_transcoder(CONFIG, rungs, width=80, height=48) as session:
            return streams([(n, packet.data) async for n, packet in session.transcode(clip(6))])

    async def decode(device: aio.AsyncDevice, stop: int) -> list[bytes]:
        found: list[bytes] = []
        async with (
            device.open_decoder(frames_in_flight=2) as decoder,
            contextlib.aclosing(decoder.decode([wanted[0]])) as decoded,
        ):
            async for picture in decoded:
                found.append(bytes((await device.run(picture.download)).y))
                if len(found) == stop:
                    break
        return found

    async def main() -> tuple[list[list[bytes]], list[list[bytes]]]:
        async with aio.open_device("model:tiny") as device:
            free = device.device.allocator.free_bytes
            ladders = await asyncio.gather(ladder(device), ladder(device))
            decoded = await asyncio.gather(decode(device, 99), decode(device, 3))
            queues = sum(span.size for queue in device.device.queues.values() for span in queue._spans)
            assert device.device.allocator.free_bytes == free - queues
            return ladders, decoded

    ladders, decoded = asyncio.run(main())
    assert ladders == [wanted, wanted]
    assert decoded == [pictures, pictures[:3]]
