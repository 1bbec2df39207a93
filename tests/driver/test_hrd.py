"""Streams under rate control keep to the decoder's buffer that they declare: the checker of Annex C says so, and FFmpeg
decodes them; the figures are not the encoder's own."""

from fractions import Fraction

import av
import numpy as np
import pytest

from asic_model.codecs.h264 import hrd
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.errors import InvalidConfig
from driver.options import EncoderConfig

WIDTH, HEIGHT = 128, 96
COUNT = 75


def content(kind: str, count: int = COUNT) -> list[np.ndarray]:
    """Planar pictures: calm, noisy, or calm with sudden noise in between."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    frames = []
    for t in range(count):
        noise = {"calm": 2, "noise": 40, "bursts": 40 if t % 30 >= 20 else 2}[kind]
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        luma = 128 + 50 * np.sin((x + 2 * t) / 9) + 40 * np.cos((y - t) / 7) + rng.normal(0, noise, (HEIGHT, WIDTH))
        planes[:HEIGHT] = np.clip(luma, 0, 255)
        frames.append(planes)
    return frames


def coded(kind: str, **options: object) -> tuple[bytes, list[int]]:
    config = EncoderConfig(width=WIDTH, height=HEIGHT, fps=Fraction(25), preset="fast", **options)
    with Device.open("model:tiny", host_threads=1) as device, EncodeSession(device, config) as session:
        packets = list(session.encode(content(kind)))
    return b"".join(packet.data for packet in packets), [packet.qp for packet in packets]


def pictures_in(stream: bytes) -> int:
    context = av.CodecContext.create("h264", "r")
    packets = [*context.parse(stream), *context.parse(b"")]
    return sum(len(context.decode(packet)) for packet in [*packets, None])


@pytest.mark.parametrize("b_count", [0, 3])
@pytest.mark.parametrize("kind", ["calm", "noise", "bursts"])
def test_constant_rate_is_clean_and_constant(kind: str, b_count: int) -> None:
    stream, _ = coded(kind, bit_rate=300_000, buffer_size=300_000, nal_hrd="cbr", b_count=b_count, gop_size=30)
    found = hrd.check(hrd.split_access_units(stream))
    assert found.problems == []
    assert found.cbr
    assert found.bit_rate == 300_000 // 64 * 64
    assert pictures_in(stream) == COUNT
    # What flowed in until the last picture is out is the rate times that time: no pause, no more.
    seconds = float(found.seconds) + 0.9
    assert len(stream) * 8 <= found.bit_rate * seconds + found.cpb_bits
    assert len(stream) * 8 >= found.bit_rate * seconds - found.cpb_bits


@pytest.mark.parametrize("b_count", [0, 2])
@pytest.mark.parametrize("kind", ["calm", "noise", "bursts"])
@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_variable_rate_is_clean(kind: str, seconds: float, b_count: int) -> None:
    stream, _ = coded(
        kind, bit_rate=250_000, max_rate=400_000, buffer_size=int(400_000 * seconds), nal_hrd="vbr", b_count=b_count
    )
    found = hrd.check(hrd.split_access_units(stream))
    assert found.problems == []
    assert not found.cbr
    assert pictures_in(stream) == COUNT


def test_constant_quality_is_capped() -> None:
    """QP 20 wherever the buffer lets it, coarser where it does not."""
    stream, qps = coded("bursts", qp=20, max_rate=500_000, buffer_size=250_000, nal_hrd="vbr", b_count=0)
    assert hrd.check(hrd.split_access_units(stream)).problems == []
    assert min(qps[1:]) == 20
    assert max(qps) > 20


def test_without_a_declaration_the_leaky_bucket_holds_too() -> None:
    stream, _ = coded("bursts", bit_rate=300_000, max_rate=300_000, buffer_size=200_000)
    units = hrd.split_access_units(stream)
    times = [Fraction(n, 25) for n in range(len(units))]
    assert hrd.check_leaky_bucket(units, times, 300_000, 200_000, 180_000).problems == []
    with pytest.raises(hrd.NoHrd):
        hrd.check(units)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"max_rate": 500_000}, "option maxrate: needs bufsize"),
        ({"buffer_size": 500_000}, "option bufsize: needs maxrate or b:v"),
        ({"bit_rate": 500_000, "max_rate": 400_000, "buffer_size": 10**6}, "option maxrate: 400000 is less than"),
        ({"bit_rate": 500_000, "nal_hrd": "vbr"}, "option nal-hrd: vbr needs maxrate and bufsize"),
        ({"bit_rate": 4 * 10**5, "max_rate": 5 * 10**5, "buffer_size": 10**6, "nal_hrd": "cbr"}, "cbr needs b:v"),
        ({"nal_hrd": "maybe"}, "nal-hrd"),
    ],
)
def test_options_that_contradict_each_other_are_named(options: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidConfig, match=name):
        EncoderConfig(width=WIDTH, height=HEIGHT, fps=Fraction(25), **options)


def test_the_level_holds_rate_and_buffer() -> None:
    """Table A-1, High profile: level 3.1 takes 17.5 Mbit/s and a buffer of 17.5 Mbit; 18 Mbit need level 3.2."""
    from driver.stream import parameter_sets

    levels = []
    for bits in (17_000_000, 18_000_000):
        config = EncoderConfig(
            width=1280, height=720, fps=Fraction(30), bit_rate=10**7, max_rate=10**7, buffer_size=bits
        )
        levels.append(parameter_sets(config)[7])  # level_idc: start code 4, NAL header, profile, constraints
    assert levels == [31, 32]
