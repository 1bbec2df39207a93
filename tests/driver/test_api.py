"""The driver's other calls: query, best device, surfaces that stay, select, telemetry, log, limits, features."""

import select
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from asic_model.registers import map as regs
from driver.device import Device
from driver.errors import (
    CapacityExceeded,
    EndOfStream,
    FirmwareVersionMismatch,
    InvalidConfig,
    LinkDown,
    SessionClosed,
    TryAgain,
)
from driver.media.picture import blank_picture
from driver.options import EncoderConfig, PlannedRung, ScalerConfig
from driver.query import open_best
from driver.session import State
from driver.telemetry import utilization
from tests.driver.test_device import clip

CONFIG = EncoderConfig(width=80, height=48, preset="fast")


def test_query_says_what_and_why():
    with Device.open("null:tiny") as device:
        same = device.query(CONFIG)
        assert same.config == CONFIG
        assert same.reasons == ()
        found = device.query({"width": 1921, "height": 1081, "-qp": 99, "g": 0, "async_depth": 4})
        assert (found.config.width, found.config.height) == (1920, 1080)
        assert (found.config.qp, found.config.gop_size) == (51, 1)
        assert len(found.reasons) == 4
        assert any("qp 99 becomes 51" in reason for reason in found.reasons)
        found = device.query({"width": 5000, "height": 2304})
        assert found.config.width == 4096
        assert any("becomes 4096" in reason for reason in found.reasons)
        with pytest.raises(InvalidConfig, match="unknown option gopp"):
            device.query({"width": 64, "height": 64, "gopp": 3})
        with pytest.raises(InvalidConfig, match="height is missing"):
            device.query({"width": 64})
    with Device.open("null:tiny", changes={"memory.capacity_mib": 64}) as device:
        big = EncoderConfig(width=1920, height=1080, queue_depth=16)
        found = device.query(big)
        assert found.config.queue_depth < 16
        assert "device memory" in found.reasons[0]
        device.open_encoder(found.config).close()  # what query promises can be opened
        with pytest.raises(CapacityExceeded):
            device.query(EncoderConfig(width=4096, height=2304))


def test_open_best_takes_the_device_with_the_least_load():
    with Device.open("null:tiny") as one, Device.open("null:tiny") as two:
        first = open_best(CONFIG, devices=[one, two])
        second = open_best(CONFIG, devices=[one, two])
        assert (first.device, second.device) == (one, two)
        assert open_best(CONFIG, "first", [two, one]).device is two
        assert open_best(CONFIG, "least_instance", [two, one]).device is one
        with pytest.raises(InvalidConfig, match="policy"):
            open_best(CONFIG, "best", [one])
    session = open_best(CONFIG, devices=["null:tiny"])
    device = session.device
    session.close()
    assert device._closed


def test_open_best_goes_on_where_there_is_room():
    with Device.open("null:tiny", changes={"limits.sessions": 1}) as small, Device.open("null:tiny") as large:
        open_best(CONFIG, "first", [small])
        assert open_best(CONFIG, "first", [small, large]).device is large
        with pytest.raises(CapacityExceeded) as caught:
            open_best(CONFIG, "first", [small])
        assert caught.value.info == {"limit": "sessions", "needed": 1, "free": 0, "total": 1, "of_client": False}


def test_the_encode_rate_is_reserved_and_given_back():
    config = EncoderConfig(width=1280, height=720, fps=30, realtime=True)
    with Device.open("null:tiny") as device:  # 62.208 Mpixel/s: two of 27.648
        sessions = [device.open_encoder(config) for _ in range(2)]
        with pytest.raises(CapacityExceeded, match="encode rate") as caught:
            device.open_encoder(config)
        assert caught.value.info["needed"] == 27648
        assert caught.value.info["free"] == 62208 - 2 * 27648
        assert caught.value.info["total"] == 62208
        sessions[0].close()
        device.open_encoder(config).close()


def test_rate_control_stays_within_qmin_and_qmax():
    """Without pixels pictures take no bits, so that rate control goes as fine as it may."""
    line = "-s 64x48 -r 30 -b:v 20M -bf 0"
    found = {}
    with Device.open("null:tiny") as device:
        for more in ("", " -qmin 35 -qmax 40"):
            with device.open_encoder(EncoderConfig.from_ffmpeg(line + more)) as encoder:
                found[more] = [packet.qp for packet in encoder.encode(blank_picture(64, 48) for _ in range(20))]
    assert min(found[""]) < 20
    assert min(found[" -qmin 35 -qmax 40"]) == 35
    assert max(found[" -qmin 35 -qmax 40"]) <= 40


def test_surfaces_stay_on_the_device():
    """A picture is uploaded once and coded twice; what is scaled on the chip is coded without coming back."""
    with Device.open("model:tiny") as device:
        with device.open_encoder(CONFIG) as encoder:
            plain = [packet.data for packet in encoder.encode(clip(2))]
        with device.surfaces(80, 48, count=2) as pool:
            surfaces = [pool.acquire() for _ in range(2)]
            with pytest.raises(TryAgain):
                pool.acquire()
            assert pool.low_water == 0
            for surface, picture in zip(surfaces, clip(2), strict=True):
                surface.upload(picture)
                assert (surface.download().y == picture.y).all()
            written = device.backend.chip._counts["host_write_bytes"]  # type: ignore[attr-defined]
            for _ in range(2):
                with device.open_encoder(CONFIG) as encoder:
                    for number, surface in enumerate(surfaces):
                        encoder.send_surface(surface, pts=number)
                    assert [packet.data for packet in encoder.encode([])] == plain
            moved = device.backend.chip._counts["host_write_bytes"] - written  # type: ignore[attr-defined]
            assert moved < surfaces[0].layout.size_bytes  # commands and blocks only
            for surface in surfaces:
                surface.release()
            with pool.acquire() as surface:
                assert surface.holders == 1
            assert pool.idle == 2


def test_select_wakes_when_a_packet_is_there():
    with Device.open("model:tiny") as device, device.open_encoder(CONFIG) as encoder:
        descriptor = encoder.fileno()
        assert encoder.fileno() == descriptor
        assert select.select([descriptor], [], [], 0)[0] == []
        out = []
        pictures = iter(clip(6))
        sent = True
        while sent or encoder.state is not State.EOS:
            while sent and encoder.has_room:
                picture = next(pictures, None)
                sent = picture is not None
                encoder.send_frame(picture)
            assert select.select([encoder], [], [], 30)[0], "nothing came in 30 s"
            while True:
                try:
                    out.append(encoder.receive_packet())
                except (TryAgain, EOFError):
                    break
            encoder.update_bell()
        assert sorted(packet.pts for packet in out) == list(range(6))


def test_states():
    device = Device.open("null:tiny")
    encoder = device.open_encoder(CONFIG)
    states = [encoder.state]
    encoder.send_frame(clip(1)[0])
    states.append(encoder.state)
    encoder.send_frame(None)
    states.append(encoder.state)
    encoder.receive_packet(timeout_us=None)
    states.append(encoder.state)
    encoder.close()
    states.append(encoder.state)
    device.close()
    assert states == [State.OPEN, State.RUNNING, State.DRAINING, State.EOS, State.CLOSED]


def test_telemetry_utilization_and_log():
    with Device.open("null:tiny") as device:
        before = device.telemetry()
        assert device.utilization() == {"encode": 0.0, "scale": 0.0, "decode": 0.0} or set(device.utilization())
        with device.open_encoder(CONFIG) as encoder:
            list(encoder.encode(clip(8)))
            assert device.telemetry().sessions == 1
        after = device.telemetry()
        load = utilization(before, after)
        assert 0.0 < load["encode"] <= 1.0
        assert load["scale"] == 0.0
        assert after.counters["jobs_finished"] == 8
        assert after.heartbeat > before.heartbeat
        assert after.as_dict()["counters"]["jobs_failed"] == 0
        log = device.dump_firmware_log()
        assert [entry.code for entry in log][:3] == ["BOOT", "VERSION", "QUEUE_STATE"]
        assert "firmware 1.1.0 on 1 encode, 1 scale" in log[0].text
        assert "ACCEPTED" in log[1].text
        assert any("opened on queue 0: encode, 80x48" in entry.text for entry in log)
        assert [entry.index for entry in log] == list(range(len(log)))
        assert all(a.seconds <= b.seconds for a, b in pairwise(log))


def test_features_that_are_missing_are_named():
    with Device.open("null:tiny", features=regs.FIRMWARE_FEATURES_WATCHDOG.mask) as device:
        assert device.caps.firmware_features == 0b11111
        assert device.firmware_version == "1.1.0"
    with pytest.raises(FirmwareVersionMismatch, match="does not offer 0x100000"):
        Device.open("null:tiny", features=1 << 20)


def test_bad_options_are_named():
    with pytest.raises(InvalidConfig, match="recovery"):
        Device.open("null:tiny", recovery="maybe")
    with Device.open("null:tiny") as device:
        with pytest.raises(InvalidConfig, match="'meltdown' is not one of"):
            device.inject(kind="meltdown")
        with pytest.raises(InvalidConfig, match="core 99"):
            device.reset_core(99)
        with pytest.raises(InvalidConfig, match=r"outside 0\.\.3"):
            device.set_priority(0, 9)
    with pytest.raises(InvalidConfig, match=r"none\.yaml"):
        Device.open("null:tiny", faults="none.yaml")


def test_a_closed_device_and_session_say_so() -> None:
    device = Device.open("null:tiny")
    encoder = device.open_encoder(EncoderConfig(width=64, height=64))
    encoder.close()
    for call in (encoder.flush, encoder.force_keyframe, encoder.fileno, encoder.receive_packet):
        with pytest.raises(SessionClosed):
            call()
    device.close()
    for call in (
        device.telemetry, device.utilization, device.dump_firmware_log, device.reset, device.self_test,
        lambda: device.surfaces(64, 64), lambda: device.reset_core(0), lambda: device.set_cores_out({0}),
        lambda: device.inject(kind="removal"), lambda: device.open_encoder(EncoderConfig(width=64, height=64)),
    ):  # fmt: skip
        with pytest.raises(SessionClosed, match="null:tiny is closed"):
            call()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("null:tiny", {"hots_threads": 2}, "unknown option hots_threads of backend null; did you mean host_threads?"),
        ("remote:/nowhere", {"seed": 2}, "unknown option seed of backend remote"),
        ("null:tiny", {"host_threads": 0}, "option host_threads: 0 is outside 1..256"),
        ("null:tiny", {"host_threads": 1.5}, "option host_threads: 1.5 is not a whole number"),
        ("null:tiny", {"seed": "x"}, "option seed: 'x' is not a whole number"),
        (None, {}, "a device's name is text such as model:vcu, not None"),
    ],
)
def test_what_a_device_cannot_be_opened_with(name: str, options: dict, words: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        Device.open(name, **options)
    assert words in str(caught.value)


def test_cores_that_are_not_there() -> None:
    with Device.open("null:tiny") as device:
        for core in (-1, 99, True, "0"):
            with pytest.raises(InvalidConfig, match="is not one of 0"):
                device.set_cores_out({core})  # type: ignore[arg-type]
            with pytest.raises(InvalidConfig, match="is not one of 0"):
                device.reset_core(core)  # type: ignore[arg-type]


def test_nothing_reads_the_log_of_a_device_that_is_gone() -> None:
    with pytest.raises(LinkDown), Device.open("null:tiny") as device:
        device.inject(kind="removal")
        device.dump_firmware_log()


def _wrong_arguments() -> list[tuple[str, Callable[[Device], object]]]:
    rung = PlannedRung("a", 64, 48, None)
    config = EncoderConfig(width=64, height=48)
    return [
        ("width: 0 is outside 2..8192, even", lambda d: d.surfaces(0, 64)),
        ("height: 63 is outside 2..8192, even", lambda d: d.surfaces(64, 63)),
        ("count: -1 is outside 1..4096", lambda d: d.surfaces(64, 64, -1)),
        ("width: 'a' is not a whole number", lambda d: d.surfaces("a", 64)),  # type: ignore[arg-type]
        ("queue 4 is not one of 0..3", lambda d: d.queue(4)),
        ("queue -1 is not one of 0..3", lambda d: d.set_priority(-1, 0)),
        ("config: NoneType, must be EncoderConfig", lambda d: d.open_encoder(None)),  # type: ignore[arg-type]
        ("config: dict, must be ScalerConfig", lambda d: d.open_scaler({})),  # type: ignore[arg-type]
        ("config: NoneType, must be EncoderConfig", lambda _: open_best(None)),  # type: ignore[arg-type]
        ("extradata: int, must be bytes", lambda d: d.open_decoder(5)),  # type: ignore[arg-type]
        ("unknown option frames_in_fligt; did you mean frames_in_flight?", lambda d: d.open_decoder(frames_in_fligt=3)),
        ("frames_in_flight: 0 is outside 1..1024", lambda d: d.open_decoder(frames_in_flight=0)),
        ("frames_in_flight: 2.5 is not a whole number", lambda d: d.open_decoder(frames_in_flight=2.5)),
        (
            "unknown option qualty; did you mean quality?",
            lambda d: d.open_transcoder(config, [rung], width=64, height=48, qualty=True),
        ),
        ("options: int, must be a mapping from names", lambda d: d.query(3)),  # type: ignore[arg-type]
        ("options: NoneType, must be a mapping", lambda _: EncoderConfig.from_options(None)),  # type: ignore[arg-type]
        ("options: the name 3 is no text", lambda _: EncoderConfig.from_options({3: 4})),  # type: ignore[dict-item]
        ("No closing quotation", lambda _: EncoderConfig.from_ffmpeg("-g '3")),
        ("options: int, must be text", lambda _: EncoderConfig.from_ffmpeg(3)),  # type: ignore[arg-type]
        ("rungs: 0, must be 1..8", lambda d: d.open_transcoder(config, [], width=64, height=48)),
        ("rungs: 9, must be 1..8", lambda d: d.open_transcoder(config, [rung] * 9, width=64, height=48)),
        (
            "width 64 to 640 is not possible",
            lambda d: d.open_transcoder(config, [PlannedRung("b", 640, 480, None)], width=64, height=48),
        ),
        ("option sizes: 'a' is not a width", lambda _: ScalerConfig(width=64, height=48, sizes="ab")),  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize(("words", "call"), _wrong_arguments())
def test_arguments_that_make_no_sense_are_refused_by_name(words: str, call: Callable[[Device], object]) -> None:
    with Device.open("null:tiny") as device:
        free = device.allocator.free_bytes
        with pytest.raises(InvalidConfig) as caught:
            call(device)
        assert words in str(caught.value)
        assert device.allocator.free_bytes == free
        assert not device.sessions


@pytest.mark.parametrize("data", ["x", 3, [1, 2]])
def test_a_packet_that_is_no_bytes_leaves_the_decoder_as_it_was(data: object) -> None:
    with Device.open("null:tiny") as device, device.open_decoder() as decoder:
        with pytest.raises(InvalidConfig, match="must be bytes"):
            decoder.send_packet(data)  # type: ignore[arg-type]
        decoder.send_packet(bytearray(b"\0\0\0\1"))
        decoder.send_packet(None)
        with pytest.raises(EndOfStream):
            decoder.receive_frame()


def test_surfaces_of_another_device_are_refused() -> None:
    config = EncoderConfig(width=64, height=48)
    with (
        Device.open("null:tiny") as mine,
        Device.open("null:tiny") as other,
        other.surfaces(64, 48) as pool,
        pool.acquire() as surface,
        mine.open_encoder(config) as encoder,
    ):
        with pytest.raises(InvalidConfig, match="surface: it is on another device"):
            encoder.send_surface(surface, 0)
        with pytest.raises(InvalidConfig, match="a picture of 32x32 in a session of 64x48"):
            surface.upload(blank_picture(32, 32))
        surface.upload(np.zeros((72, 64), np.uint8))
        assert encoder.in_flight == 0
