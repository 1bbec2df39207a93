"""The decoder buffer's check: x264's streams pass, what breaks the buffer is found, small cases by hand."""

from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asic_model.codecs.h264 import hrd, sei
from asic_model.codecs.h264.nal import START_CODE, parse_nal, split_annex_b
from asic_model.codecs.h264.parameter_sets import Sps, parse_sps
from asic_model.codecs.h264.vui import HrdParameters, Vui

CBR = "bitrate=1000:vbv-maxrate=1000:vbv-bufsize=800:nal-hrd=cbr:keyint=40"
VBR = "bitrate=800:vbv-maxrate=1000:vbv-bufsize=800:nal-hrd=vbr:keyint=40"
TIGHT = "bitrate=800:vbv-maxrate=1000:vbv-bufsize=300:nal-hrd=vbr:keyint=40:bframes=0"


@lru_cache(maxsize=None)
def x264(parameters: str, count: int = 100) -> tuple[bytes, ...]:
    """Packets of a clip that is calm and noisy in turn: the buffer is used from end to end."""
    width, height = 320, 240
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base = Fraction(25), Fraction(1, 25)
    context.options = {"preset": "veryfast", "x264-params": f"{parameters}:threads=1"}
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:height, 0:width]
    packets = []
    for t in range(count):
        noise = rng.normal(0, 40 if t // 30 % 2 else 3, (height, width))
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        planes[:height] = np.clip(128 + 60 * np.sin((x + 3 * t) / 9) + 40 * np.cos((y - 2 * t) / 7) + noise, 0, 255)
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts = t
        packets += context.encode(frame)
    return tuple(bytes(packet) for packet in [*packets, *context.encode(None)])


def with_hrd(stream: bytes, *, bit_rate: int = 1_000_000, cpb_bits: int = 800_000) -> bytes:
    """The stream with another declaration in its SPS, both in steps of 64 and 16 bits."""
    out = bytearray()
    for begin, end in split_annex_b(stream):
        unit = stream[begin:end]
        if unit[0] & 31 == 7:
            sps: Sps = parse_sps(parse_nal(unit).rbsp)
            assert sps.vui is not None
            declared = sps.vui.nal_hrd
            assert declared is not None
            declared.bit_rate_scale = declared.cpb_size_scale = 0
            declared.bit_rate_value_minus1, declared.cpb_size_value_minus1 = [bit_rate // 64 - 1], [cpb_bits // 16 - 1]
            unit = sps.to_nal()
        out += START_CODE + unit
    return bytes(out)


@pytest.mark.parametrize(("parameters", "cbr"), [(CBR, True), (VBR, False), (TIGHT, False)])
def test_streams_of_x264_are_clean(parameters: str, cbr: bool) -> None:
    packets = x264(parameters)
    units = hrd.split_access_units(b"".join(packets))
    assert [unit.nal_bits for unit in units] == [8 * len(packet) for packet in packets]
    found = hrd.check(units)
    assert found.problems == []
    assert (found.bit_rate, found.cbr, found.units) == (1_000_000, cbr, 100)
    assert 0 <= found.low_bits < found.peak_bits <= found.cpb_bits


def test_a_slower_channel_underflows() -> None:
    found = hrd.check(hrd.split_access_units(with_hrd(b"".join(x264(TIGHT)), bit_rate=600_000)))
    assert {problem.kind for problem in found.problems} >= {"underflow"}


def test_a_smaller_buffer_overflows() -> None:
    stream = with_hrd(b"".join(x264(VBR)), cpb_bits=400_000)
    assert "overflow" in {problem.kind for problem in hrd.check(hrd.split_access_units(stream)).problems}


def test_constant_rate_without_its_filler_is_found() -> None:
    """CBR streams hold filler data so that bits never stop; without it the initial delays no longer fit."""
    stream = b"".join(x264(CBR))
    kept = [stream[begin:end] for begin, end in split_annex_b(stream)]
    bare = b"".join(START_CODE + unit for unit in kept if unit[0] & 31 != 12)
    assert len(bare) < len(stream)
    problems = hrd.check(hrd.split_access_units(bare)).problems
    assert {problem.kind for problem in problems} & {"initial delay", "overflow"}


def test_a_picture_that_grew_is_named() -> None:
    packets = list(x264(TIGHT))
    packets[50] += START_CODE + b"\x0c" + b"\xff" * 40_000 + b"\x80"  # a filler data NAL unit of 320,000 bits
    found = hrd.check(hrd.split_access_units(b"".join(packets)))
    assert found.problems[0].unit == 50
    assert found.problems[0].kind == "underflow"


def test_without_a_declaration_there_is_no_verdict() -> None:
    with pytest.raises(hrd.NoHrd, match="declares no NAL HRD"):
        hrd.check(hrd.split_access_units(b"".join(x264("qp=30"))))
    with pytest.raises(hrd.NoHrd, match="declares no VCL HRD"):
        hrd.check(hrd.split_access_units(b"".join(x264(CBR))), vcl=True)
    with pytest.raises(hrd.NoHrd, match="no CPB 1"):
        hrd.check(hrd.split_access_units(b"".join(x264(CBR))), schedule=1)


def timed_units(sizes: list[int], delay: int, *, cbr: bool, rate: int, buffer: int) -> list[hrd.AccessUnit]:
    """Access units one second apart: tick 0.5 s, cpb_removal_delay 2 each, one buffering period."""
    vui = Vui(timing_info_present_flag=True, num_units_in_tick=1, time_scale=2)
    vui.nal_hrd = HrdParameters(
        bit_rate_value_minus1=[rate // 64 - 1], cpb_size_value_minus1=[buffer // 16 - 1], cbr_flag=[cbr]
    )
    sps = Sps(vui=vui)
    units = []
    for index, bits in enumerate(sizes):
        unit = hrd.AccessUnit(index, nal_bits=bits, sps=sps, pic_timing=sei.PicTiming(2 * index))
        if index == 0:
            unit.buffering_period = sei.BufferingPeriod(nal=[(delay, 0)])
        units.append(unit)
    return units


def test_fullness_by_hand() -> None:
    """6400 bit/s, initial delay 1 s. Arrivals: 0..0.5 s (3200 bits), 0.5..2 s (9600), 2..2.25 s (1600).
    Removals at 1, 2, 3 s. At 1 s: 3200 + 3200 = 6400 bits before, 3200 after; at 2 s: 9600, 0; at 3 s: 1600, 0."""
    found = hrd.check(timed_units([3200, 9600, 1600], 90_000, cbr=True, rate=6400, buffer=9600))
    assert (found.peak_bits, found.low_bits, found.problems) == (9600, 0, [])
    assert found.average_bit_rate == pytest.approx((3200 + 9600 + 1600) / 3)


def test_one_bit_more_underflows_and_a_smaller_buffer_overflows() -> None:
    late = hrd.check(timed_units([3200, 9601, 1600], 90_000, cbr=True, rate=6400, buffer=9600))
    assert [(problem.unit, problem.kind) for problem in late.problems] == [(1, "underflow")]
    small = hrd.check(timed_units([3200, 9600, 1600], 90_000, cbr=True, rate=6400, buffer=9584))
    assert [(problem.unit, problem.kind) for problem in small.problems] == [(1, "overflow")]


def test_variable_rate_waits() -> None:
    """At variable rate no bit arrives more than the initial delay before its removal: the third picture's at 2 s."""
    found = hrd.check(timed_units([640, 640, 640], 90_000, cbr=False, rate=6400, buffer=640))
    assert (found.peak_bits, found.problems) == (640, [])
    ahead = hrd.check(timed_units([640, 640, 640], 90_000, cbr=True, rate=6400, buffer=640))
    assert ahead.problems[0].kind == "overflow"  # at constant rate all 1920 bits are there after 0.3 s


def test_leaky_bucket_by_hand() -> None:
    """1000 bits at first, 100 bit/s, one picture a second: 1000 - 600 = 400; + 100 - 600 = -100: underflow."""
    units = [hrd.AccessUnit(index, nal_bits=600) for index in range(3)]
    found = hrd.check_leaky_bucket(units, [Fraction(0), Fraction(1), Fraction(2)], 100, 1000, 1000)
    assert [(problem.unit, problem.kind) for problem in found.problems] == [(1, "underflow"), (2, "underflow")]
    assert found.low_bits == -600


@given(
    st.lists(st.integers(1, 3000), min_size=2, max_size=20), st.integers(1, 180_000),
    st.integers(1, 200), st.booleans(),
)  # fmt: skip
def test_against_a_clock_that_steps(sizes: list[int], delay: int, rate64: int, cbr: bool) -> None:
    """A simulation at every instant at which anything happens agrees on peak and low."""
    rate = rate64 * 64
    found = hrd.check(timed_units(sizes, delay, cbr=cbr, rate=rate, buffer=1 << 20))
    removals = [Fraction(delay, 90_000) + index for index in range(len(sizes))]
    arrivals, at = [], Fraction(0)
    for index, bits in enumerate(sizes):
        begin = at if cbr or not index else max(at, removals[index] - Fraction(delay, 90_000))
        at = begin + Fraction(bits, rate)
        arrivals.append((begin, at))

    def arrived(time: Fraction) -> Fraction:
        parts = ((time - begin) * rate for begin, _ in arrivals)
        return sum((min(max(part, Fraction(0)), bits) for part, bits in zip(parts, sizes, strict=True)), Fraction(0))

    before = [arrived(time) - sum(sizes[:index]) for index, time in enumerate(removals)]
    assert found.peak_bits == max(before)
    assert found.low_bits == min(fullness - bits for fullness, bits in zip(before, sizes, strict=True))
    late = [index for index, (_, end) in enumerate(arrivals) if end > removals[index]]
    assert [problem.unit for problem in found.problems if problem.kind == "underflow"] == late


@given(
    st.integers(1, (1 << 24) - 1), st.integers(0, (1 << 24) - 1), st.integers(0, (1 << 24) - 1),
    st.integers(0, (1 << 24) - 1), st.booleans(), st.integers(0, 8),
)  # fmt: skip
def test_messages_come_back(delay: int, offset: int, removal: int, output: int, struct: bool, pic_struct: int) -> None:
    vui = Vui(nal_hrd=HrdParameters(), pic_struct_present_flag=struct)
    period = sei.BufferingPeriod(3, [(delay, offset)])
    timing = sei.PicTiming(removal, output, pic_struct if struct else 0)
    nal = parse_nal(sei.sei_nal(vui, period, timing))
    found = dict(sei.messages(nal.rbsp))
    assert sei.sequence_of(found[sei.BUFFERING_PERIOD]) == 3
    assert sei.parse_buffering_period(found[sei.BUFFERING_PERIOD], vui) == period
    assert sei.parse_pic_timing(found[sei.PIC_TIMING], vui) == timing


@given(st.binary(max_size=60))
def test_any_bytes_give_messages_or_a_fault(data: bytes) -> None:
    try:
        for _, payload in sei.messages(data):
            assert payload in data
    except ValueError:
        pass
