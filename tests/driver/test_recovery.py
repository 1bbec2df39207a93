"""Failure and recovery on the real chip model: what comes out is what would have come out, or an error with a name."""

import numpy as np
import pytest

from asic_model.registers import map as regs
from driver.device import Device
from driver.errors import DeviceLost, FirmwareHang, JobTimedOut, LinkDown, MemoryCorrupted, SessionReset, TasicError
from driver.options import EncoderConfig, PlannedRung
from driver.queue import Fence
from driver.session import State
from tests.driver.test_device import clip

CONFIG = EncoderConfig(width=80, height=48, qp=26, gop_size=6, ref_count=2, preset="fast")


def coded(device: Device, config: EncoderConfig = CONFIG, count: int = 12, *faults: tuple[int, dict]) -> bytes:
    """Code a clip; before picture n, put in the faults given for it."""
    with device.open_encoder(config) as encoder:
        out = []
        for number, picture in enumerate(clip(count)):
            for at, fault in faults:
                if at == number:
                    device.inject(**fault)
            while not encoder.has_room:
                out.append(encoder.receive_packet(timeout_us=None).data)
            encoder.send_frame(picture)
        encoder.send_frame(None)
        while encoder.state is not State.EOS:
            out.append(encoder.receive_packet(timeout_us=None).data)
    assert len(out) == count
    return b"".join(out)


@pytest.fixture(scope="module")
def wanted() -> bytes:
    with Device.open("model:tiny") as device:
        return coded(device)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "firmware_trap", "at_us": 3.0},
        {"kind": "firmware_stuck", "at_us": 50.0},
        {"kind": "engine_hang", "macroblock": 7},
        {"kind": "engine_hang", "macroblock": 3, "job": 2},
        {"kind": "slow_core", "factor": 50},
        {"kind": "lost_doorbell"},
        {"kind": "lost_doorbell", "job": 2},
        {"kind": "bit_flip", "address": 1 << 20, "bits": 1},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_the_stream_is_the_same_whatever_happens_on_the_way(wanted, fault):
    with Device.open("model:tiny") as device:
        assert coded(device, CONFIG, 12, (5, fault), (9, fault)) == wanted
        struck = device.backend.chip.faults.struck  # type: ignore[attr-defined]
        assert struck[fault["kind"]] >= 1
        assert (device.resets > 0) == (fault["kind"].startswith("firmware"))


def test_a_reset_by_hand_in_the_middle_loses_nothing(wanted):
    with Device.open("model:tiny") as device, device.open_encoder(CONFIG) as encoder:
        out = []
        for number, picture in enumerate(clip(12)):
            while not encoder.has_room:
                out.append(encoder.receive_packet(timeout_us=None).data)
            encoder.send_frame(picture)
            if number in (3, 9):
                in_flight = encoder.in_flight
                done = device.reset()
                assert (done.run_again, done.failed) == (in_flight, 0)
        out += [packet.data for packet in encoder.encode([])]
        assert b"".join(out) == wanted
        assert device.telemetry().counters["resets"] == device.resets == 2


def test_a_ladder_survives(wanted):
    """Scale and encode jobs with fences between them: all run again in their order."""
    config = EncoderConfig(width=80, height=48, qp=26, preset="fast")
    rungs = [PlannedRung("48p", 80, 48, None), PlannedRung("32p", 48, 32, None), PlannedRung("24p", 40, 24, None)]

    def run(faults: list[dict]) -> dict[int, bytes]:
        streams: dict[int, bytes] = {0: b"", 1: b"", 2: b""}
        with Device.open("model:tiny") as device:
            with device.open_transcoder(config, rungs, width=80, height=48) as session:
                for number, packet in session.transcode(clip(8)):
                    streams[number] += packet.data
                    if faults and len(streams[0]) > 100:
                        device.inject(**faults.pop())
            return streams

    assert run([{"kind": "firmware_trap"}, {"kind": "firmware_stuck", "at_us": 100.0}]) == run([])


def test_two_clients_of_one_chip_survive_its_reset(wanted):
    """The owner resets the chip under both: each notices, builds its queue and sessions up again, and goes on."""
    with Device.open("model:tiny", changes={"encode.cores": 2}) as owner:
        chip = owner.backend.chip  # type: ignore[attr-defined]
        clients = []
        for number in (1, 2):
            function = chip.function(number)
            function.enable((16 << 20) * number, 8 << 20)
            clients.append(Device(function, f"client{number}"))
        sessions = [client.open_encoder(CONFIG) for client in clients]
        out = [[], []]
        for number, picture in enumerate(clip(12)):
            for session, packets in zip(sessions, out, strict=True):
                while not session.has_room:
                    packets.append(session.receive_packet(timeout_us=None).data)
                session.send_frame(picture)
            if number in (4, 9):
                owner.reset()
        for session, packets in zip(sessions, out, strict=True):
            packets += [packet.data for packet in session.encode([])]
            session.close()
        assert [b"".join(packets) for packets in out] == [wanted, wanted]
        assert all(client.resets for client in clients)
        for client in clients:
            client.close()


def test_what_cannot_run_again_fails_by_name():
    with Device.open("model:tiny", recovery="fail") as device:
        with pytest.raises(SessionReset) as caught, device.open_encoder(CONFIG) as encoder:
            for picture in clip(3):
                encoder.send_frame(picture)
            device.inject(kind="firmware_trap")
            encoder.receive_packet(timeout_us=None)
        assert caught.value.retryable
        assert isinstance(caught.value, InterruptedError)
        assert coded(device)  # the device is as good as new
    with Device.open("model:tiny", recovery="none") as device, device.open_encoder(CONFIG) as encoder:
        encoder.send_frame(clip(1)[0])
        device.inject(kind="firmware_stuck")
        with pytest.raises(FirmwareHang, match="not turned its loop"):
            encoder.receive_packet(timeout_us=None)
        device.reset()
        assert encoder.receive_packet(timeout_us=None).is_keyframe


def test_a_firmware_that_traps_again_and_again_is_lost():
    with pytest.raises(DeviceLost, match="trapped"), Device.open("model:tiny") as device:
        encoder = device.open_encoder(CONFIG)
        encoder.send_frame(clip(1)[0])
        for n in range(100):
            device.inject(kind="firmware_trap", at_us=1.0 + 30.0 * n)
        encoder.receive_packet(timeout_us=None)


def test_a_link_that_drops_fails_what_was_in_flight(wanted):
    """Writes are lost silently on a link that is down, so nothing that was in flight may be believed."""
    with Device.open("model:tiny") as device:
        with pytest.raises((SessionReset, LinkDown)), device.open_encoder(CONFIG) as encoder:
            for picture in clip(3):
                encoder.send_frame(picture)
            device.inject(kind="link_drop", for_us=20_000)
            for _ in range(3):
                encoder.receive_packet(timeout_us=None)
        assert coded(device) == wanted


def test_a_device_that_is_gone_is_lost():
    with pytest.raises(DeviceLost), Device.open("model:tiny") as device:
        encoder = device.open_encoder(CONFIG)
        encoder.send_frame(clip(1)[0])
        device.inject(kind="removal")
        encoder.receive_packet(timeout_us=None)


def test_memory_that_ecc_cannot_correct_fails_the_job():
    with Device.open("model:tiny") as device:
        with pytest.raises(MemoryCorrupted, match="ECC cannot correct"), device.open_encoder(CONFIG) as encoder:
            source = encoder._source_pool._idle[0].layout.address
            picture = clip(1)[0]
            device.inject(kind="bit_flip", address=source, bits=2, at_us=0.0)
            device.backend.wait(1)
            encoder._uploader.upload = lambda *_: None  # the picture was there before the bits turned over
            encoder.send_frame(picture)
            encoder.receive_packet(timeout_us=None)
        assert device.telemetry().counters["ecc_uncorrected"] == 1


def test_errors_have_code_errno_retryable_info_and_a_builtin():
    import driver.errors as module

    builtins = (OSError, ValueError, RuntimeError, EOFError, BufferError, LookupError)
    seen = set()
    for name, kind in vars(module).items():
        if isinstance(kind, type) and issubclass(kind, TasicError) and kind is not TasicError:
            error = kind("text", figure=3)
            assert str(error) == "text"
            assert error.info == {"figure": 3}
            assert isinstance(error.errno, int)
            assert isinstance(error.retryable, bool)
            assert isinstance(error, builtins), name
            assert error.code not in seen, name
            seen.add(error.code)
    assert {"try_again", "capacity_exceeded", "firmware_hang", "session_reset", "access_violation"} <= seen
    assert module.TasicError.code == "error"
    assert regs.INTERFACE_VERSION == 4


def noise(seed: int, count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (72, 64), np.uint8) for _ in range(count)]


def test_the_next_client_of_a_function_gets_its_own_pictures():
    """Commands that a dead client left on its ring, foreseen and never run, name the same buffers by the same blocks as
    those of the client after it: what was foreseen of them may not be taken for the new ones' outcome."""
    config = EncoderConfig(width=64, height=48, preset="fast", queue_depth=8)
    with Device.open("model:tiny") as device, device.open_encoder(config) as encoder:
        wanted = [packet.data for packet in encoder.encode(noise(2, 8))]
    with Device.open("model:tiny", host_threads=2) as owner:
        chip = owner.backend.chip  # type: ignore[attr-defined]
        function = chip.function(1)
        function.enable(64 << 20, 8 << 20)
        dead = Device(function, "dead")
        session = dead.open_encoder(config)
        for picture in noise(1, 8):
            session.send_frame(picture)
        function.write32(regs.QUEUES_CONTROL, 0)
        dead.wait_register(lambda: function.read32(regs.QUEUES_STATUS) == regs.QueueState.STOPPED, "the queue to stop")
        function.disable()
        chip.scrub(64 << 20, 8 << 20)
        function.enable(64 << 20, 8 << 20)
        with Device(function, "next").open_encoder(config) as encoder:
            assert [packet.data for packet in encoder.encode(noise(2, 8))] == wanted


def test_a_session_that_is_being_closed_is_not_opened_again_by_a_reset():
    with Device.open("null:tiny") as device:
        free = device.allocator.free_bytes
        encoder = device.open_encoder(CONFIG)
        device.inject(kind="firmware_stuck")
        encoder.close()  # the driver notices, resets the chip, and the session is closed by that
        assert device.resets == 1
        assert not device.firmware_sessions
        assert regs.SESSIONS_OPEN.get(device.backend.read32(regs.SESSIONS)) == 0
        rings = sum(span.size for queue in device.queues.values() for span in queue._spans)
        assert device.allocator.free_bytes == free - rings


def test_what_could_not_be_closed_is_given_back_at_the_next_reset():
    """Memory that jobs may still write to belongs to nobody else until the device was reset."""
    with Device.open("null:tiny", recovery="none") as device:
        free = device.allocator.free_bytes
        rungs = [PlannedRung("48p", 80, 48, None), PlannedRung("24p", 40, 24, None)]
        session = device.open_transcoder(CONFIG, rungs, width=80, height=48)
        session.send_frame(clip(1)[0])
        held = device.allocator.free_bytes
        device.inject(kind="firmware_stuck")
        with pytest.raises(FirmwareHang):
            session.close()
        assert session.state is State.CLOSED
        assert device.allocator.free_bytes == held
        device.reset()
        rings = sum(span.size for queue in device.queues.values() for span in queue._spans)
        assert device.allocator.free_bytes == free - rings
        assert regs.SESSIONS_OPEN.get(device.backend.read32(regs.SESSIONS)) == 0


def test_no_packet_of_a_ladder_rests_on_a_scale_job_that_failed():
    rungs = [PlannedRung("48p", 80, 48, None), PlannedRung("24p", 40, 24, None)]
    numbers = []
    with (
        Device.open("model:tiny") as device,
        pytest.raises(JobTimedOut),
        device.open_transcoder(CONFIG, rungs, width=80, height=48) as session,
    ):
        kinds = [core.kind for core in device.telemetry().cores]
        device.inject(kind="engine_hang", core=kinds.index("scale"), probability=1.0)
        session.send_frame(clip(1)[0])
        while True:
            numbers.append(session.receive_packet(timeout_us=None)[0])
    assert numbers == [0]  # the rung that is coded from the upload itself


def test_a_session_that_failed_with_pictures_looked_ahead_closes_at_once():
    """Under a bit rate pictures wait for their plan; after a failure nobody codes them, so nobody waits for them."""
    config = CONFIG.replace(bit_rate=200_000)
    assert config.lookahead > 0
    with Device.open("model:tiny") as device:
        with pytest.raises(SessionReset), device.open_encoder(config) as encoder:
            for picture in clip(6):
                encoder.send_frame(picture)
            encoder.send_frame(None)
            device.inject(kind="link_drop", for_us=2_000)
            while True:
                encoder.receive_packet(timeout_us=None)
        assert device.now_ps() < 10**12  # a second
        assert device.telemetry().sessions == 0


def test_waiting_for_what_never_comes_ends(monkeypatch):
    """Resets are not repeated for ever: opening sessions again after one is no sign that the device works."""
    monkeypatch.setattr("driver.device.DEADLINE_US", 200_000)
    with Device.open("null:tiny") as device, device.open_encoder(CONFIG):
        with pytest.raises(FirmwareHang, match="the end of days"):
            device.wait_until(lambda: False, what="the end of days")
        assert device.resets == 3


def test_a_reset_that_fails_half_way_leaves_no_session_behind(monkeypatch):
    """The firmware stops again while sessions are being opened anew; the next reset opens each of them once."""
    with Device.open("null:tiny") as device, device.open_encoder(CONFIG) as encoder:
        wait, failed = Fence.wait, []

        def fails_once(fence, timeout_us=None):
            if device.recovering and not failed:
                failed.append(fence)
                raise FirmwareHang("null:tiny: once more")
            return wait(fence, timeout_us)

        device._recovering = True  # what `_recover` says of itself
        monkeypatch.setattr(Fence, "wait", fails_once)
        with pytest.raises(FirmwareHang, match="once more"):
            device.reset()
        device._recovering = False
        assert failed
        device.reset()
        assert len(list(encoder.encode(clip(3)))) == 3
        assert device.telemetry().sessions == 1
    assert encoder.state is State.CLOSED


@pytest.mark.parametrize("at_once", [True, False])
def test_a_wrong_picture_is_read_by_the_jobs_after_it(at_once):
    """A decode core that puts out one wrong sample: that picture is wrong in it alone, the pictures that refer to it
    carry it on, and none before. How many host threads there are makes no difference."""
    with Device.open("model:tiny") as device:
        with device.open_encoder(CONFIG.replace(b_count=0, ref_count=1, gop_size=9)) as encoder:
            still = clip(1) * 6  # all but the first are copied from the one before
            stream = b"".join(packet.data for packet in encoder.encode(still))
        with device.open_decoder() as decoder:
            right = [picture.download().y for picture in decoder.decode([stream])]

    def decoded(threads: int) -> list[np.ndarray]:
        fault = {"kind": "wrong_result", "core": 2, "job": 2}
        faults = [fault] if at_once else None
        with (
            Device.open("model:tiny", host_threads=threads, faults=faults) as device,
            device.open_decoder() as decoder,
        ):
            if not at_once:
                device.inject(**fault)
            return [picture.download().y for picture in decoder.decode([stream])]

    found = decoded(1)
    wrong = [int((a != b).sum()) for a, b in zip(found, right, strict=True)]
    assert wrong == [0, 0, 1, 1, 1, 1]
    assert int(found[2].astype(int).sum() - right[2].astype(int).sum()) in (16, -16)
    for threads in (2, 4):
        assert all((a == b).all() for a, b in zip(decoded(threads), found, strict=True))
