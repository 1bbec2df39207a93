"""Sessions against a double of the chip: protocol, back-pressure, memory, and every way a device can fail."""

import threading
from fractions import Fraction

import numpy as np
import pytest

from asic_model.descriptors import Command, Status
from asic_model.registers import map as regs
from driver.device import Device
from driver.errors import (
    BadJob,
    CapacityExceeded,
    DeviceLost,
    EndOfStream,
    FirmwareHang,
    FirmwareVersionMismatch,
    InvalidConfig,
    OutputOverflow,
    QueueFull,
    SessionClosed,
    TryAgain,
    UnsupportedInput,
)
from driver.media.picture import Picture, as_picture, blank_picture
from driver.options import EncoderConfig, PlannedRung, ScalerConfig
from driver.scale_session import scaled_aspect
from tests.driver.fake_chip import FakeChip

CONFIG = EncoderConfig(width=64, height=48, qp=30, gop_size=5, ref_count=2, b_count=0, queue_depth=3)


def picture(number: int, width: int = 64, height: int = 48) -> Picture:
    made = blank_picture(width, height)
    made.y[:] = number % 256
    made.pts = 10 * number
    return made


def opened(**options: object) -> tuple[FakeChip, Device]:
    chip = FakeChip(**options).boot()  # type: ignore[arg-type]
    return chip, Device(chip, "fake")


def planar(number: int) -> np.ndarray:
    """uint8[72, 64]: 64x48 in 4:2:0, Y then Cb then Cr."""
    made = np.full((72, 64), 128, np.uint8)
    made[:48] = number % 256
    made[48:60], made[60:] = 30, 200
    return made


def test_arrays_are_pictures_at_the_session_rate() -> None:
    """Planes arrive where they belong, times count pictures at 25 a second."""
    _, device = opened()
    with device, device.open_encoder(CONFIG) as encoder:
        packets = list(encoder.encode(planar(i) for i in range(4)))
        assert [p.pts * p.time_base for p in packets] == [Fraction(i, 25) for i in range(4)]
    made = as_picture(planar(7), 64, 48, 3, Fraction(25))
    assert [int(plane[0, 0]) for plane in (made.y, made.cb, made.cr)] == [7, 30, 200]
    assert [plane.shape for plane in (made.y, made.cb, made.cr)] == [(48, 64), (24, 32), (24, 32)]


def test_nv12_arrays_give_the_stream_of_their_planes() -> None:
    """FFmpeg's own conversion of a picture to NV12 codes to the same bytes as the picture."""
    import av

    rng = np.random.default_rng(4)
    planes = rng.integers(0, 256, (72, 64), np.uint8)
    nv12 = av.VideoFrame.from_ndarray(planes, format="yuv420p").reformat(format="nv12").to_ndarray()
    assert nv12.shape == planes.shape
    assert not np.array_equal(nv12, planes)
    streams = []
    with Device.open("model:tiny") as device:
        for frame, pix_fmt in ((planes, "yuv420p"), (nv12, "nv12")):
            with device.open_encoder(EncoderConfig(width=64, height=48, qp=10, pix_fmt=pix_fmt)) as encoder:
                streams.append(b"".join(packet.data for packet in encoder.encode([frame])))
    assert streams[0] == streams[1]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((72, 64), np.uint16), "frame.dtype: uint16, must be uint8"),
        (np.zeros((48, 64), np.uint8), r"frame.shape: \(48, 64\), must be \(72, 64\)"),
        (np.zeros((3, 48, 64), np.uint8), "frame.shape"),
        ([1, 2, 3], "frame: list, must be a Picture or an array"),
        (blank_picture(32, 48), "frame: a picture of 32x48 in a session of 64x48"),
        (
            Picture(
                np.zeros((48, 64), np.uint8),
                np.zeros((48, 64), np.uint8),
                np.zeros((24, 32), np.uint8),
                0,
                1,
                Fraction(1),
            ),
            r"frame.cb: uint8\[48, 64\], must be uint8\[24, 32\]",
        ),
    ],
)
def test_frames_that_do_not_fit_are_named(frame: object, words: str) -> None:
    _, device = opened()
    with device:
        rungs = [PlannedRung("48p", 64, 48, None)]
        scaling = ScalerConfig(width=64, height=48, sizes=((32, 24),))
        for session in (
            device.open_encoder(CONFIG), device.open_scaler(scaling),
            device.open_transcoder(CONFIG, rungs, width=64, height=48),
        ):  # fmt: skip
            with session, pytest.raises(InvalidConfig, match=words):
                session.send_frame(frame)  # type: ignore[attr-defined]


def test_packets_come_in_order_with_times_types_and_parameter_sets() -> None:
    chip, device = opened()
    with device, device.open_encoder(CONFIG) as encoder:
        packets = list(encoder.encode(picture(i) for i in range(12)))
    assert [p.pts for p in packets] == [10 * i for i in range(12)]
    assert [p.is_keyframe for p in packets] == [i % 5 == 0 for i in range(12)]
    assert all(p.data.startswith(b"\x00\x00\x00\x01\x67") == p.is_keyframe for p in packets)
    assert [job["frame_num"] for job in chip.jobs] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert [job["idr_pic_id"] for job in chip.jobs] == [0] * 5 + [1] * 5 + [0] * 2
    assert [job["ref_count"] for job in chip.jobs] == [0, 1, 2, 2, 2, 0, 1, 2, 2, 2, 0, 1]
    assert [job["qp"] for job in chip.jobs] == [27, 30, 30, 30, 30, 27, 30, 30, 30, 30, 27, 30]
    assert packets[0].latency_ps == 500 * 1000  # 500 ticks of 1000 ps, from the completion's stamps


def test_references_are_the_pictures_before_and_never_the_one_written() -> None:
    chip, device = opened()
    with device, device.open_encoder(CONFIG) as encoder:
        list(encoder.encode(picture(i) for i in range(20)))
    written: list[int] = []
    for job in chip.jobs:
        wanted = [] if job["idr"] else written[-1 : -1 - job["ref_count"] : -1]
        assert [job[f"ref_address_{i}"] for i in range(job["ref_count"])] == wanted
        assert job["recon_address"] not in wanted
        written.append(job["recon_address"])


def test_blocks_and_records_are_written_before_the_doorbell() -> None:
    chip, device = opened()
    with device, device.open_encoder(CONFIG) as encoder:
        chip.log.clear()
        encoder.send_frame(picture(0))
        # the picture (rows of 64 bytes: 48 of luma, twice 24 of chroma), the block, the record, then the bell
        assert chip.log == [f"write {64 * 48 + 2 * 64 * 24}", "write 256", "write 64", "doorbell"]
        encoder.flush()


def test_send_and_receive_never_wait_longer_than_asked() -> None:
    chip, device = opened(job_us=1000)
    with device, device.open_encoder(CONFIG) as encoder:
        with pytest.raises(TryAgain, match="no picture"):
            encoder.receive_packet()
        for i in range(CONFIG.queue_depth):
            encoder.send_frame(picture(i))
        began = chip.now_us
        with pytest.raises(TryAgain) as caught:
            encoder.send_frame(picture(3))
        assert isinstance(caught.value, BlockingIOError)
        assert caught.value.retryable
        with pytest.raises(TryAgain):
            encoder.receive_packet(timeout_us=300)
        assert chip.now_us - began <= 300
        assert encoder.receive_packet(timeout_us=10_000).pts == 0
        fence = encoder.send_frame(picture(3))
        assert fence is not None
        assert not fence.done
        with pytest.raises(TryAgain):
            fence.wait(100)
        fence.wait()
        assert fence.done
        encoder.send_frame(None)
        assert [encoder.receive_packet(None).pts for _ in range(3)] == [10, 20, 30]
        with pytest.raises(EndOfStream) as ended:
            encoder.receive_packet()
        assert isinstance(ended.value, EOFError)
        with pytest.raises(EndOfStream):
            encoder.send_frame(picture(4))


def test_an_unread_session_takes_no_more_pictures() -> None:
    _, device = opened()
    with device, device.open_encoder(CONFIG) as encoder:
        for i in range(CONFIG.queue_depth):
            encoder.send_frame(picture(i))
        encoder.flush()
        with pytest.raises(TryAgain, match="receive them first"):
            encoder.send_frame(picture(9), timeout_us=1000)


def test_memory_is_flat_and_all_given_back() -> None:
    chip, device = opened()
    with device:
        with device.open_encoder(CONFIG) as encoder:
            before = device.allocator.free_bytes
            list(encoder.encode(picture(i) for i in range(300)))
            assert device.allocator.free_bytes == before
            assert encoder._recon_pool.idle == encoder._recon_pool.count - CONFIG.references
        free = device.allocator.free_bytes
        assert free == device.allocator.total_bytes - 256 * (64 + 64 + 256)  # the rings of one queue stay
        assert not chip.open
    assert chip.closed


def test_sessions_of_one_device_do_not_mix() -> None:
    chip, device = opened()
    with device:
        encoders = [device.open_encoder(CONFIG) for _ in range(6)]
        for i in range(10):
            for encoder in encoders:
                encoder.send_frame(picture(i))
            for encoder in encoders:
                assert encoder.receive_packet(None).pts == 10 * i
        assert len({e.queue.number for e in encoders}) == 4
    assert not chip.open  # closing the device closes its sessions


def test_sessions_in_threads() -> None:
    _, device = opened()
    results: dict[int, list[int]] = {}

    def work(number: int) -> None:
        with device.open_encoder(CONFIG) as encoder:
            results[number] = [p.pts for p in encoder.encode(picture(i) for i in range(40))]

    with device:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    assert results == {n: [10 * i for i in range(40)] for n in range(4)}


def test_rings_wrap_and_indices_run_past_32_bits() -> None:
    chip, device = opened()
    with device:
        queue = device.queue(0)
        start = 0xFFFFFFF0
        queue._tail = queue._head = queue._completion_head = start
        for address in (regs.QUEUES_TAIL, regs.QUEUES_HEAD, regs.QUEUES_COMPLETION_TAIL, regs.QUEUES_COMPLETION_HEAD):
            chip.registers[address] = start
        fences = []
        for _ in range(3):
            while queue.room:
                fences.append(queue.stage(Command.NOP))
            with pytest.raises(QueueFull):
                queue.stage(Command.NOP)
            queue.ring()
            fences[-1].wait()
            assert all(fence.done for fence in fences)
        assert len(fences) == 3 * queue.size
        assert queue._tail == (start + 3 * queue.size) & 0xFFFFFFFF


@pytest.mark.parametrize("before", [0, 1, 31, 32, 33, 200, 255, 256, 257, 300])
def test_a_ring_can_be_filled_whatever_the_firmware_was_told_of_completions(before: int) -> None:
    """It is told of completions in groups, since each telling wakes it; `room` never counts on more than it knows."""
    with Device.open("null:tiny") as device:
        queue = device.queue(0)
        for _ in range(before):
            queue.stage(Command.NOP)
            queue.ring()
            device.wait_until(lambda: not queue.outstanding)
        told = device.backend.read32(queue.register(regs.QUEUES_COMPLETION_HEAD))
        assert before - told < 32
        fences = [queue.stage(Command.NOP) for _ in range(queue.size)]
        with pytest.raises(QueueFull):
            queue.stage(Command.NOP)
        queue.ring()
        fences[-1].wait()
        assert all(fence.done for fence in fences)


def test_ladder_uploads_once_and_fences_the_encodes() -> None:
    chip, device = opened()
    rungs = [PlannedRung("48p", 64, 48, None), PlannedRung("32p", 42, 32, 100_000), PlannedRung("16p", 32, 16, None)]
    config = CONFIG.replace(sample_aspect_ratio=Fraction(4, 3))
    with device, device.open_transcoder(config, rungs, width=64, height=48) as session:
        chip.log.clear()
        session.send_frame(picture(0))
        assert chip.log.count("doorbell") == 1
        assert chip.log.count(f"write {64 * 48 + 2 * 64 * 24}") == 1
        scale, *encodes = chip.commands[-4:]
        assert scale["type"] == Command.SCALE
        assert [c["wait_session"] for c in encodes] == [0, scale["session"], scale["session"]]
        assert [c["wait_sequence"] for c in encodes] == [0, scale["sequence"], scale["sequence"]]
        job = chip.jobs[0]
        assert (job["output_count"], job["out0_width"], job["out1_height"]) == (2, 42, 16)
        assert chip.jobs[1]["src_address"] == job["src_address"]  # the top rung codes the upload itself
        assert [chip.jobs[2]["src_address"], chip.jobs[3]["src_address"]] == [job["out0_address"], job["out1_address"]]
        got = list(session.transcode(picture(i) for i in range(1, 30)))
        for rung in range(3):
            assert [p.pts for number, p in got if number == rung] == [10 * i for i in range(30)]
        # the display aspect ratio, 64:48 x 4:3, is that of every rung
        for encoder in session.encoders:
            made = encoder.config
            assert made.sample_aspect_ratio * Fraction(made.width, made.height) == Fraction(64, 48) * Fraction(4, 3)


def test_many_sizes_take_several_scale_jobs() -> None:
    chip, device = opened()
    sizes = tuple((64 - 2 * i, 48) for i in range(6))
    with device, device.open_scaler(ScalerConfig(width=64, height=48, sizes=sizes)) as scaler:
        made = list(scaler.scale(picture(i) for i in range(9)))
    assert [job["output_count"] for job in chip.jobs[:2]] == [4, 2]
    assert [[(p.width, p.height) for p in one] for one in made] == [list(sizes)] * 9
    assert [one[0].pts for one in made] == [10 * i for i in range(9)]


def test_force_keyframe_and_reconfigure() -> None:
    chip, device = opened()
    with device, device.open_encoder(CONFIG.replace(gop_size=1000)) as encoder:
        for i in range(3):
            encoder.send_frame(picture(i))
        for _ in range(3):
            encoder.receive_packet(None)
        encoder.force_keyframe()
        encoder.reconfigure(qp=40)
        encoder.send_frame(picture(3))
        assert encoder.receive_packet(None).is_keyframe
        assert chip.jobs[-1]["qp"] == 37
        encoder.reconfigure(bit_rate=500_000)
        assert chip.commands[-1]["type"] == Command.RECONFIGURE


# ------------------------------------------------------------------------------------------------ what fails


def test_a_job_that_fails_fails_the_session_and_names_why() -> None:
    def full(number: int, _job: dict[str, int]) -> tuple[int, int]:
        return (Status.OUTPUT_FULL, 0) if number == 3 else (0, 0)

    _, device = opened(verdict=full)
    with device, pytest.raises(OutputOverflow), device.open_encoder(CONFIG) as encoder:
        list(encoder.encode(picture(i) for i in range(10)))


def test_a_refused_field_is_named() -> None:
    _, device = opened(verdict=lambda _n, _job: (Status.BAD_FIELD, 0))
    with device, pytest.raises(BadJob, match=r"width.*16\.\.4096") as caught, device.open_encoder(CONFIG) as encoder:
        list(encoder.encode([picture(0)]))
    assert isinstance(caught.value, ValueError)
    assert caught.value.info["field"] == "width"


def test_no_session_left_says_so_and_gives_memory_back() -> None:
    _, device = opened(sessions=2)
    with device:
        kept = [device.open_encoder(CONFIG), device.open_encoder(CONFIG)]
        free = device.allocator.free_bytes
        with pytest.raises(CapacityExceeded, match="all sessions are open"):
            device.open_encoder(CONFIG)
        assert free - device.allocator.free_bytes <= 256 * (64 + 64 + 256)  # a third queue's rings
        kept[0].close()
        device.open_encoder(CONFIG).close()


def test_no_memory_says_needed_free_and_total() -> None:
    _, device = opened(memory_mib=2)
    config = EncoderConfig(width=640, height=480)
    with device:
        with pytest.raises(CapacityExceeded, match=r"\d+ bytes needed, \d+ of \d+ free"):
            device.open_encoder(config)
        with device.open_encoder(CONFIG) as encoder:
            assert len(list(encoder.encode([picture(0)]))) == 1


def test_a_trap_is_a_lost_device() -> None:
    chip, device = opened()
    with pytest.raises(DeviceLost, match="cause 5, pc 0x1234"), device, device.open_encoder(CONFIG) as encoder:
        encoder.send_frame(picture(0))
        chip.trap()
        encoder.receive_packet(None)
    assert chip.closed


def test_a_silent_firmware_is_a_hang_not_a_wait_for_ever() -> None:
    chip, device = opened()
    device.recovery = "none"
    with pytest.raises(FirmwareHang, match="not turned its loop"), device, device.open_encoder(CONFIG) as encoder:
        encoder.send_frame(picture(0))
        chip.silent = True
        encoder.receive_packet(None)
    assert chip.now_us < 1_000_000


def test_a_job_that_never_ends_meets_its_deadline() -> None:
    chip, device = opened(job_us=10**9)
    device.recovery = "none"
    with pytest.raises(FirmwareHang, match="did not complete"), device, device.open_encoder(CONFIG) as encoder:
        encoder.send_frame(picture(0))
        encoder.receive_packet(None)
    assert 60_000_000 <= chip.now_us < 61_000_000


def test_a_stopped_queue_is_noticed() -> None:
    chip, device = opened(job_us=10**9)
    with pytest.raises(DeviceLost, match="an index left its ring"), device, device.open_encoder(CONFIG) as encoder:
        encoder.send_frame(picture(0))
        chip.registers[regs.QUEUES_STATUS] = int(regs.QueueState.BAD_INDEX)
        chip.registers[regs.EVENT_STATUS] |= regs.EVENT_STATUS_QUEUE.mask
        encoder.receive_packet(None)


def test_versions_that_differ() -> None:
    chip = FakeChip(version=7).boot()
    with pytest.raises(FirmwareVersionMismatch, match=r"7\.\.7, this driver 1"):
        Device(chip, "fake")
    other = FakeChip().boot()
    other.registers[regs.INTERFACE_VERSION] = 2 << 16
    with pytest.raises(FirmwareVersionMismatch, match="register map version 2"):
        Device(other, "fake")
    nothing = FakeChip()
    nothing.registers[regs.ID] = 0xFFFFFFFF
    with pytest.raises(DeviceLost, match="0xffffffff"):
        Device(nothing, "fake")
    with pytest.raises(FirmwareHang, match="the firmware to start"):
        Device(FakeChip(), "fake")


def test_wrong_pictures_and_closed_sessions() -> None:
    _, device = opened()
    with device:
        encoder = device.open_encoder(CONFIG)
        with pytest.raises(InvalidConfig, match="32x32 in a session of 64x48"):
            encoder.send_frame(picture(0, 32, 32))
        encoder.close()
        encoder.close()
        with pytest.raises(SessionClosed):
            encoder.send_frame(picture(0))
        with pytest.raises(UnsupportedInput, match="larger than this chip"):
            device.open_scaler(ScalerConfig(width=8000, height=48, sizes=((1000, 48),)))
    with pytest.raises(SessionClosed):
        device.queue(0)


def test_uploaded_bytes_are_the_picture() -> None:
    chip, device = opened()
    rng = np.random.default_rng(3)
    one = Picture(
        rng.integers(0, 256, (48, 64), np.uint8), rng.integers(0, 256, (24, 32), np.uint8),
        rng.integers(0, 256, (24, 32), np.uint8), 0, 1, Fraction(1, 25),
    )  # fmt: skip
    with device, device.open_encoder(CONFIG) as encoder:
        encoder.send_frame(one)
        at = chip.jobs[0]["src_address"]
        memory = np.frombuffer(bytes(chip.memory[at : at + 64 * 48 + 2 * 64 * 24]), np.uint8)
        assert np.array_equal(memory[: 64 * 48].reshape(48, 64), one.y)
        assert np.array_equal(memory[64 * 48 : 64 * 72].reshape(24, 64)[:, :32], one.cb)
        assert np.array_equal(memory[64 * 72 :].reshape(24, 64)[:, :32], one.cr)
        encoder.flush()


def test_an_aspect_that_nobody_stated_stays_unstated_until_it_changes() -> None:
    assert scaled_aspect(None, 1280, 720, 640, 360) is None
    assert scaled_aspect(None, 1280, 720, 854, 480) == Fraction(1280 * 480, 720 * 854)
    assert scaled_aspect(Fraction(4, 3), 1280, 720, 640, 720) == Fraction(8, 3)
