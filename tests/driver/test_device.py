"""Devices by name, and sessions on the real chip model: bit-exact against FFmpeg, several at once, without pixels."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

import driver
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.enumeration import devices
from driver.errors import InvalidConfig, NoSuchDevice
from driver.media.picture import Picture
from driver.options import EncoderConfig
from tests.driver.clips import samples


def clip(count: int, width: int = 80, height: int = 48) -> list[Picture]:
    made = []
    for index in range(count):
        planar = samples(index, width, height)
        chroma = planar[height:].reshape(2, height // 2, width // 2)
        made.append(Picture(planar[:height], chroma[0], chroma[1], index, 1, Fraction(1, 25)))
    return made


def decoded(stream: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(stream), format="h264") as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def planar(picture: Picture) -> np.ndarray:
    chroma = np.concatenate([picture.cb, picture.cr]).reshape(-1, picture.width)
    return np.concatenate([picture.y, chroma])


def test_rtl_outside_of_a_simulation():
    """The bench opens `rtl` (rtl_tests/control); elsewhere one line says so, and it is on no list."""
    with pytest.raises(NoSuchDevice, match="no RTL simulation runs in this process"):
        Device.open("rtl")
    with pytest.raises(InvalidConfig, match="neither chip nor options"):
        Device.open("rtl:tiny")
    assert not [found for found in devices() if found.backend == "rtl"]


def test_names() -> None:
    names = [info.name for info in driver.devices()]
    assert {"model:vcu", "null:vcu", "model:tiny"} <= set(names)
    with pytest.raises(NoSuchDevice, match=r"no backend 'modle'.*did you mean model") as caught:
        Device.open("modle:vcu")
    assert isinstance(caught.value, LookupError)
    with pytest.raises(InvalidConfig, match="did you mean 'tiny'"):
        Device.open("model:tinny")


def test_two_sessions_at_once_give_what_each_gives_alone() -> None:
    pictures = clip(8)
    configs = [
        EncoderConfig(width=80, height=48, qp=24, gop_size=4, ref_count=2, b_count=0),
        EncoderConfig(width=80, height=48, qp=36, profile="baseline", slices=3, loop_filter=False),
    ]
    alone = []
    for config in configs:
        with Device.open("model:tiny") as device, device.open_encoder(config) as encoder:
            alone.append(b"".join(packet.data for packet in encoder.encode(pictures)))
    together = [b"", b""]
    with Device.open("model:tiny") as device:
        sessions = [EncodeSession(device, config, keep_reconstruction=True) for config in configs]
        for picture in pictures:
            for session in sessions:
                session.send_frame(picture)
            for number, session in enumerate(sessions):
                together[number] += session.receive_packet(None).data
        made = [[planar(one) for one in session.reconstructions] for session in sessions]
    assert together == alone
    for stream, reconstructions in zip(alone, made, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(decoded(stream), reconstructions, strict=True))


def test_without_pixels_the_control_path_is_the_same() -> None:
    config = EncoderConfig(width=80, height=48, b_count=0)
    with Device.open("null:tiny") as device, device.open_encoder(config) as encoder:
        packets = list(encoder.encode(clip(6)))
        assert not device.capabilities.functional
        report = device.report()
    assert [p.pts for p in packets] == list(range(6))
    assert all(p.data.endswith(encoder._header) if p.is_keyframe else not p.data for p in packets)
    assert all(p.latency_ps > 0 for p in packets)
    assert report is not None
    assert report["cores"]["encode"]["jobs"] == 6
