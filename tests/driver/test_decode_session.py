"""Decode sessions on the model of the chip: FFmpeg's pictures, the protocol of packets and pictures, and memory."""

import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driver import decode_session
from driver.decode_session import DecodedPicture, DecodeSession, _StreamBuffer
from driver.device import Device
from driver.errors import BadJob, EndOfStream, SessionClosed, TryAgain, UnsupportedInput
from driver.media.picture import Picture
from driver.options import EncoderConfig, PlannedRung
from driver.surfaces import Span
from driver.transcode import TranscodeSession
from tests.driver.clips import write_clip

CHIP = "model:tiny"
Packet = tuple[bytes, int]


def demuxed(path: Path) -> tuple[bytes | None, list[Packet], list[tuple[int, np.ndarray]]]:
    """(extradata, packets with times, FFmpeg's pictures with times) of a file."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        packets = [(bytes(packet), packet.pts) for packet in container.demux(video) if packet.size]
        extradata = video.codec_context.extradata
    with av.open(str(path)) as container:
        frames = [(frame.pts, frame.to_ndarray(format="yuv420p")) for frame in container.decode(video=0)]
    return extradata, packets, frames


def planar(picture: Picture) -> np.ndarray:
    """The picture as PyAV's yuv420p array of the same size."""
    flat = np.concatenate([np.ascontiguousarray(plane).ravel() for plane in (picture.y, picture.cb, picture.cr)])
    return flat.reshape(-1, picture.width)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """B pictures, cropping (50 rows are coded as 64), a variable frame rate."""
    path = tmp_path_factory.mktemp("decode") / "clip.mkv"
    spans = [40, 20, 60, 40, 33, 47, 40, 80, 40, 20, 20, 40]
    write_clip(
        path, width=98, height=50, durations=spans, options={"bf": "3", "b_strategy": "0", "g": "8", "refs": "3"}
    )
    return path


def test_pictures_are_ffmpegs_in_order_with_their_times(clip: Path) -> None:
    extradata, packets, frames = demuxed(clip)
    with Device.open(CHIP) as device, device.open_decoder(extradata) as decoder:
        found = [(picture.pts, planar(picture.download())) for picture in decoder.decode(packets)]
        stats = decoder.stats()
    assert [pts for pts, _ in found] == [pts for pts, _ in frames]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, frames, strict=True))
    assert stats["frames"] == 12
    assert stats["concealed_macroblocks"] == 0
    by_type = stats["by_type"]
    assert list(by_type) == ["I", "P", "B"]
    assert sum(figures["pictures"] for figures in by_type.values()) == 12
    assert sum(figures["macroblocks"] for figures in by_type.values()) == 12 * 7 * 4
    # not faster than any macroblock can be (32 cycles), and all of it at the chip's clock
    assert all(figures["core_ps"] > 32 * 1000 * figures["macroblocks"] for figures in by_type.values())


def test_protocol_of_packets_and_pictures(clip: Path) -> None:
    """Nothing is lost to a call that comes too early; the end is said once all pictures were given."""
    extradata, packets, frames = demuxed(clip)
    with Device.open(CHIP) as device, device.open_decoder(extradata, frames_in_flight=2) as decoder:
        with pytest.raises(TryAgain, match="send a packet"):
            decoder.next_frame()
        held: list[DecodedPicture] = []
        count = refusals = 0
        feed: Iterator[Packet | tuple[None, int]] = iter([*packets, (None, 0)])
        packet = next(feed)
        while True:
            try:
                decoder.send_packet(*packet)
                packet = next(feed, (None, 0))
            except TryAgain:
                refusals += 1
            except EndOfStream:
                assert packet[0] is None
            try:
                held.append(decoder.receive_frame(timeout_us=1_000_000))
                count += 1
            except EndOfStream:
                break
            except TryAgain:
                if len(held) == 2:
                    held.pop(0).release()
        assert count == len(frames)
        assert refusals > 0
        for picture in held:
            picture.release()
        with pytest.raises(EndOfStream):
            decoder.send_packet(packets[0][0])
    with pytest.raises(SessionClosed):
        decoder.next_frame()


def test_a_picture_that_is_not_done_in_time_stays_the_next_one(clip: Path) -> None:
    extradata, packets, frames = demuxed(clip)
    with Device.open(CHIP) as device, device.open_decoder(extradata) as decoder:
        for data, pts in packets:
            decoder.send_packet(data, pts)
            try:
                decoder.receive_frame(timeout_us=0)
            except TryAgain as again:
                if "not done" in str(again):
                    break
        else:
            pytest.fail("every picture was done at once")
        picture = decoder.receive_frame(timeout_us=1_000_000)
        assert picture.done
        assert picture.pts == frames[0][0]
        picture.release()


def test_pictures_held_too_long_stop_the_decoder_and_nothing_else(clip: Path) -> None:
    extradata, packets, frames = demuxed(clip)
    with Device.open(CHIP) as device, device.open_decoder(extradata, frames_in_flight=3) as decoder:
        kept = []
        with pytest.raises(TryAgain, match="3 pictures are held, 3 allowed"):
            for picture in decoder.decode(packets):
                picture.hold()
                kept.append(picture)
        for picture, (pts, expected) in zip(kept, frames, strict=False):
            assert picture.pts == pts
            assert np.array_equal(planar(picture.download()), expected)
            picture.release()


def test_memory_comes_back_also_from_pictures_that_outlive_the_session(clip: Path) -> None:
    extradata, packets, _ = demuxed(clip)
    with Device.open(CHIP) as device:
        with device.open_encoder(EncoderConfig(width=64, height=48)):  # brings the queue up
            pass
        before = device.allocator.free_bytes
        decoder = device.open_decoder(extradata, queue=device.queue(0))
        kept = None
        for number, picture in enumerate(decoder.decode(packets)):
            if number == 5:
                kept = picture.hold()
        assert kept is not None
        decoder.close()
        assert device.allocator.free_bytes < before
        assert isinstance(kept, DecodedPicture)
        kept.release()
        assert device.allocator.free_bytes == before


def test_reset_goes_on_at_another_place(clip: Path) -> None:
    extradata, packets, frames = demuxed(clip)
    keys = [number for number, (data, _) in enumerate(packets) if data[4] & 31 in (5, 6, 7)]
    assert len(keys) >= 2
    with Device.open(CHIP) as device, device.open_decoder(extradata) as decoder:
        for data, pts in packets[:3]:
            decoder.send_packet(data, pts)
            with pytest.raises(TryAgain):
                while True:
                    decoder.next_frame().release()
        decoder.reset()
        found = [(picture.pts, planar(picture.download())) for picture in decoder.decode(packets[keys[-1] :])]
    first = packets[keys[-1]][1]
    expected = [(pts, samples) for pts, samples in frames if pts >= first]
    assert [pts for pts, _ in found] == [pts for pts, _ in expected]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))


def raw(path: Path, **options: object) -> bytes:
    write_clip(path, format="h264", **options)  # type: ignore[arg-type]
    return path.read_bytes()


WIDTHS = (64, 128) * 5


def sizes_of(decoder: DecodeSession, stream: bytes) -> list[tuple[int, int]]:
    return [(picture.width, picture.height) for picture in decoder.decode([stream])]


def test_a_new_size_takes_new_surfaces_and_gives_the_old_ones_back(tmp_path: Path) -> None:
    streams = [raw(tmp_path / f"{n}.264", width=w, height=48, count=4) for n, w in enumerate(WIDTHS)]
    with Device.open(CHIP) as device, device.open_decoder() as decoder:
        found = []
        lows = []
        for picture in decoder.decode([*streams]):
            found.append((picture.width, picture.height))
            lows.append(device.allocator.free_bytes)
    assert found == [(w, 48) for w in WIDTHS for _ in range(4)]
    # as many sets at a time as the pictures in flight span, however often the size changes
    assert min(lows[: len(lows) // 2]) == min(lows)


@pytest.mark.parametrize(
    ("pix_fmt", "words"), [("yuv420p10le", "10-bit luma"), ("yuv422p", "4:2:2"), ("yuv444p", "4:4:4")]
)
def test_what_the_chip_cannot_decode_is_refused_by_name(tmp_path: Path, pix_fmt: str, words: str) -> None:
    stream = raw(tmp_path / "clip.264", pix_fmt=pix_fmt, count=2)
    with Device.open(CHIP) as device, device.open_decoder() as decoder, pytest.raises(UnsupportedInput, match=words):
        sizes_of(decoder, stream)


def test_a_picture_larger_than_the_chip_is_refused(tmp_path: Path) -> None:
    stream = raw(tmp_path / "clip.264", width=4112, height=32, count=1)
    with (
        Device.open(CHIP) as device,
        device.open_decoder() as decoder,
        pytest.raises(UnsupportedInput, match="4112x32 is larger than this chip takes"),
    ):
        sizes_of(decoder, stream)


def test_sessions_side_by_side_give_what_each_gives_alone(clip: Path, tmp_path: Path) -> None:
    """Three decoders and an encoder on one device, their calls interleaved."""
    extradata, packets, frames = demuxed(clip)
    with Device.open(CHIP) as device:
        decoders = [device.open_decoder(extradata) for _ in range(3)]
        readers = [decoder.decode(packets) for decoder in decoders]
        encoder = device.open_encoder(EncoderConfig(width=98, height=50, qp=20))
        coded = 0
        for pts, expected in frames:
            for reader in readers:
                picture = next(reader)
                found = picture.download()
                assert picture.pts == pts
                assert np.array_equal(planar(found), expected)
            while not encoder.has_room:
                encoder.receive_packet(timeout_us=None)
                coded += 1
            encoder.send_frame(found)
        assert all(next(reader, None) is None for reader in readers)
        report = device.report()  # checks the invariants of the model
    assert report is not None
    assert report["cores"]["decode"]["jobs"] == 3 * 12
    assert report["cores"]["decode"]["failed"] == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_slice_data_larger_than_the_buffer(clip: Path, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Jobs wait for room in a buffer that holds one or two of them, and take memory of their own beyond it."""
    extradata, packets, frames = demuxed(clip)
    monkeypatch.setattr(decode_session, "STREAM_BUFFER_BYTES", 4096)
    with Device.open(CHIP, host_threads=threads) as device:
        with device.open_decoder(extradata) as decoder:
            found = [planar(picture.download()) for picture in decoder.decode(packets)]
            assert max(len(data) for data, _ in packets) > 2048
        assert all(np.array_equal(a, b) for a, (_, b) in zip(found, frames, strict=True))


def test_damage_is_concealed_counted_and_no_failure(clip: Path) -> None:
    extradata, packets, frames = demuxed(clip)
    spoilt = [(data[: len(data) // 2] + bytes(len(data) - len(data) // 2), pts) for data, pts in packets]
    with Device.open(CHIP) as device, device.open_decoder(extradata) as decoder:
        pictures = [(picture.pts, picture.concealed) for picture in decoder.decode(spoilt)]
        stats = decoder.stats()
        report = device.report()
    assert [pts for pts, _ in pictures] == [pts for pts, _ in frames]
    assert sum(concealed for _, concealed in pictures) == stats["concealed_macroblocks"] > 0
    assert stats["damaged_pictures"] == sum(concealed > 0 for _, concealed in pictures)
    assert report is not None
    assert report["cores"]["decode"]["failed"] == 0


def test_without_pixels_the_same_jobs_pass(clip: Path) -> None:
    """Backend null: order and times as with pixels; the work is estimated."""
    extradata, packets, frames = demuxed(clip)
    with Device.open("null:tiny") as device, device.open_decoder(extradata) as decoder:
        assert [picture.pts for picture in decoder.decode(packets)] == [pts for pts, _ in frames]
        report = device.report()
    assert report is not None
    assert report["cores"]["decode"]["jobs"] == 12
    assert report["cores"]["decode"]["cycles_per_unit"] > 32


def test_a_job_that_no_block_can_hold_takes_no_memory(clip: Path) -> None:
    """More matrices than the field has room for: refused before anything is taken; the session goes on."""
    extradata, packets, frames = demuxed(clip)
    with Device.open(CHIP) as device, device.open_decoder(extradata) as decoder:
        pictures = decoder.decode(packets)
        next(pictures)
        before = device.allocator.free_bytes
        fields = {"width": 112, "height": 64, "stream_bytes": 9, "slice_count": 1, "matrix_count": 300, "structure": 3}
        for _ in range(3):
            with pytest.raises(BadJob, match="matrix_count"):
                decoder.target.decode(fields, bytes(4096), bytes(3 << 20))
        assert device.allocator.free_bytes == before
        assert sum(1 for _ in pictures) == len(frames) - 1


def mutated(stream: bytes, seed: int) -> bytes:
    """Bits flipped, bytes set, pieces cut out or doubled."""
    r = random.Random(seed)
    data = bytearray(stream)
    for _ in range(r.choice((1, 3, 20))):
        at = r.randrange(len(data))
        match r.randrange(4):
            case 0:
                data[at] ^= 1 << r.randrange(8)
            case 1:
                data[r.randrange(60)] = r.randrange(256)  # parameter sets
            case 2:
                del data[at : at + r.randrange(1, 50)]
            case _:
                data[at:at] = data[at // 2 : at // 2 + r.randrange(1, 500)]
    return bytes(data)


@pytest.mark.parametrize("count", [25, pytest.param(1000, marks=pytest.mark.slow)])
def test_mutated_streams_neither_fail_nor_leak(tmp_path: Path, count: int) -> None:
    """Refusals by name aside, every stream passes the firmware and the core; all memory comes back each time."""
    streams = [
        raw(tmp_path / "a.264", count=6, options={"bf": "2", "b_strategy": "0", "refs": "3"}),
        raw(tmp_path / "b.264", height=64, count=4, options={"x264-params": "interlaced=1:tff=1"}),
        raw(tmp_path / "c.264", count=4, options={"coder": "vlc", "slices": "3"}),
    ]
    with Device.open(CHIP) as device:
        for number in range(device.capabilities.queues):
            device.queue(number)
        before = device.allocator.free_bytes
        for seed in range(count):
            try:
                with device.open_decoder() as decoder:
                    for picture in decoder.decode([mutated(streams[seed % 3], seed)]):
                        assert picture.width > 0
            except UnsupportedInput:
                pass
            assert device.allocator.free_bytes == before, f"seed {seed}"
        device.report()  # the model's invariants


def feed(session: TranscodeSession, stream: bytes | None, coded: list[int], time: int) -> int:
    """Send a raw stream (None: the end) and all its pictures on; return the time of the next picture."""
    decoder = session.decoder
    assert decoder is not None
    decoder.send_packet(stream)
    while True:
        try:
            picture = decoder.next_frame()
        except (TryAgain, EndOfStream):
            return time
        while not session.has_room:
            rung, _ = session.receive_packet(timeout_us=None)
            coded[rung] += 1
        session.send_decoded(picture, time, 1, Fraction(1, 25))
        picture.release()
        time += 1


def test_a_ladder_gives_its_memory_back(tmp_path: Path) -> None:
    """Decoder, scalers for two source sizes, encoders and quality: as much free as before, also after a refusal."""
    both = raw(tmp_path / "a.264", width=128, height=64, count=6) + raw(tmp_path / "b.264", count=6)
    other = raw(tmp_path / "c.264", width=128, height=64, pix_fmt="yuv422p", count=2)
    config = EncoderConfig(width=128, height=64, qp=30)
    rungs = [PlannedRung("64p", 128, 64, None), PlannedRung("32p", 64, 32, None)]
    with Device.open(CHIP) as device:
        for number in range(device.capabilities.queues):
            device.queue(number)
        before = device.allocator.free_bytes
        for refused in (False, True):
            coded = [0, 0]
            with device.open_transcoder(config, rungs, width=128, height=64, quality=True, decode=True) as session:
                time = feed(session, both, coded, 0)
                if refused:
                    with pytest.raises(UnsupportedInput, match="4:2:2"):
                        feed(session, other, coded, time)
                else:
                    time = feed(session, None, coded, time)
                    assert time == 12
                session.flush()
                for rung, _ in session.drain():
                    coded[rung] += 1
            assert coded[0] == coded[1] > 6
            assert device.allocator.free_bytes == before


@given(st.lists(st.one_of(st.integers(1, 70), st.none()), max_size=60))
def test_pieces_of_the_stream_buffer_never_overlap(steps: list[int | None]) -> None:
    """Random takes and returns of the oldest against the list of pieces held; refusal only where nothing fits."""
    size = 100
    buffer = _StreamBuffer(Span(1000, size))
    held: list[tuple[int, int]] = []
    for step in steps:
        if step is None:
            if held:
                held.pop(0)
                buffer.give_back()
            continue
        address = buffer.take(step)
        if address is None:
            # neither behind the newest piece nor before the oldest one is there room
            assert held
            last, first = held[-1][1], held[0][0]
            wrapped = held[-1][0] < first
            assert step > (first - last if wrapped else max(size - last, first))
            continue
        begin, end = address - 1000, address - 1000 + step
        assert 0 <= begin < end <= size
        assert all(end <= a or b <= begin for a, b in held)
        held.append((begin, end))
