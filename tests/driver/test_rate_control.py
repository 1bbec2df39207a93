"""Rate control that looks ahead, through driver, firmware and cores: rates, buffers, scene cuts, constant quality.

Rates count whole streams; buffers are judged by the checker of Annex C.
"""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from asic_model.codecs.h264 import hrd
from driver.device import Device
from driver.encode_session import EncodeSession
from driver.errors import InvalidConfig
from driver.options import EncoderConfig

WIDTH, HEIGHT, RATE = 128, 96, Fraction(25)


def content(kind: str, count: int) -> list[np.ndarray]:
    """Planar pictures: motion; still; one scene after the other, much unlike; still with a scene that moves."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    frames = []
    for t in range(count):
        scene = {"moving": 0, "still": 0, "scenes": t // 20}[kind]
        shift = 0 if kind == "still" else 2 * t
        angle = 0.4 + scene
        across = (x + shift) * np.cos(angle) + y * np.sin(angle)
        luma = 128 + 50 * np.sin(across / (4 + scene % 3)) + 30 * np.cos((y - shift) / 7)
        luma = luma + rng.normal(0, 1 if kind == "still" else 3, luma.shape)
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = luma.clip(0, 255)
        frames.append(planes)
    return frames


def coded(frames: list[np.ndarray], chip: str = "tiny", **options: object) -> tuple[bytes, list]:
    config = EncoderConfig(width=WIDTH, height=HEIGHT, fps=RATE, **{"preset": "fast", **options})
    with Device.open(f"model:{chip}", host_threads=1) as device, EncodeSession(device, config) as session:
        packets = list(session.encode(frames))
    return b"".join(packet.data for packet in packets), packets


def rate_error(stream: bytes, count: int, rate: int) -> float:
    return len(stream) * 8 / (rate * float(count / RATE)) - 1


@pytest.mark.parametrize(
    ("kind", "count", "most"),
    [("moving", 25, 0.02), ("scenes", 25, 0.12), ("scenes", 50, 0.03), ("moving", 100, 0.02), ("scenes", 100, 0.02)],
)
def test_rate_is_met_on_short_clips(kind: str, count: int, most: float) -> None:
    """One, two and four seconds: the last pictures see the end come, so the sum is right. Five pictures before the end
    a new scene leaves nobody to learn from, and to pay: 12 % of one second."""
    stream, _ = coded(content(kind, count), bit_rate=300_000)
    assert abs(rate_error(stream, count, 300_000)) < most


def test_still_content_stays_below() -> None:
    """What needs no bits gets none: QP ends at its least, the rate far below, no buffer in the way."""
    still = [content("still", 1)[0]] * 60
    stream, packets = coded(still, bit_rate=500_000)
    assert -1 < rate_error(stream, 60, 500_000) < 0.01
    assert len(packets) == 60


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("average", {"bit_rate": 200_000, "max_rate": 300_000, "buffer_size": 300_000, "nal_hrd": "vbr"}),
        ("capped average", {"bit_rate": 250_000, "max_rate": 250_000, "buffer_size": 250_000, "nal_hrd": "vbr"}),
        ("constant rate", {"bit_rate": 250_000, "max_rate": 250_000, "buffer_size": 250_000, "nal_hrd": "cbr"}),
        ("capped quality", {"crf": 12, "max_rate": 250_000, "buffer_size": 250_000, "nal_hrd": "vbr"}),
        ("no delay", {"bit_rate": 250_000, "buffer_size": 250_000, "nal_hrd": "vbr", "rc_lookahead": 0}),
    ],
)  # fmt: skip
def test_buffer_of_a_second_is_kept(name: str, options: dict) -> None:
    """Every mode, a new scene each 20 pictures, a buffer that its rate fills in a second."""
    stream, _ = coded(content("scenes", 75), **options)
    verdict = hrd.check(hrd.split_access_units(stream))
    assert verdict.problems == [], name


@pytest.mark.parametrize("nal_hrd", ["vbr", "none"])
def test_a_buffer_that_no_qp_keeps_is_told(nal_hrd: str) -> None:
    """Noise at QP 51 takes more than 2 kbit/s: the session counts the pictures that the checker of Annex C finds."""
    rng = np.random.default_rng(5)
    frames = [rng.integers(0, 256, (HEIGHT * 3 // 2, WIDTH), np.uint8) for _ in range(12)]
    config = EncoderConfig(
        width=WIDTH, height=HEIGHT, fps=RATE, preset="fast", bit_rate=2_000, max_rate=2_000, buffer_size=2_000,
        nal_hrd=nal_hrd,
    )  # fmt: skip
    with Device.open("model:tiny", host_threads=1) as device, EncodeSession(device, config) as session:
        stream = b"".join(packet.data for packet in session.encode(frames))
        stats = session.stats()
    if nal_hrd == "vbr":
        problems = hrd.check(hrd.split_access_units(stream)).problems
        assert stats["buffer_underflows"] == sum(problem.kind == "underflow" for problem in problems) > 0
    else:  # 1,800 bits to begin with, 80 a picture
        fullness, late = 1_800, 0
        for unit in hrd.split_access_units(stream):
            late += unit.nal_bits > fullness
            fullness = min(fullness - unit.nal_bits + 80, 2_000)
        assert stats["buffer_underflows"] == late > 0


def test_scene_cuts_come_from_the_chip() -> None:
    """No picture is looked at by the host (`submit`, as from the decoder): I pictures stand where scenes begin."""
    config = EncoderConfig(width=WIDTH, height=HEIGHT, fps=RATE, preset="fast", bit_rate=500_000, gop_size=40)
    with Device.open("model:tiny", host_threads=1) as device, EncodeSession(device, config) as session:
        session._scene_cut = None  # type: ignore[assignment]  # asked, it would fail
        packets = list(session.encode(content("scenes", 75)))
    sizes = {packet.pts: len(packet.data) for packet in packets}
    assert [packet.pts for packet in packets if packet.is_keyframe] == [0, 20, 40, 60]
    assert len(sizes) == 75
    with (
        Device.open("model:tiny", host_threads=1) as device,
        EncodeSession(device, config.replace(scene_cut=0)) as session,
    ):
        packets = list(session.encode(content("scenes", 75)))
    assert [packet.pts for packet in packets if packet.is_keyframe] == [0, 40]


def test_constant_quality_follows_worth() -> None:
    """crf: 6 more is half the bits or less; without the tree P pictures stand at the very figure, I 3 below."""
    moving = content("moving", 50)
    sizes = [len(coded(moving, crf=crf)[0]) for crf in (20, 26)]
    assert 1.5 < sizes[0] / sizes[1] < 6
    without = coded(moving, crf=20, mbtree=False)[1]
    assert {packet.qp for packet in without} == {17, 20, 21, 22}


@pytest.mark.parametrize("host_threads", [1, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"crf": 23},
        {"crf": 23, "b_count": 0},
        {"crf": 30, "aq_mode": 1, "b_count": 0},
        {"crf": 23, "rc_lookahead": 0},
        {"crf": 23, "mbtree": False},
        {"crf": 18, "max_rate": 400_000, "buffer_size": 200_000},
        {"bit_rate": 400_000},
        {"bit_rate": 400_000, "rc_lookahead": 0},
        {"qp": 30, "rc_lookahead": 8},
    ],
    ids=lambda options: " ".join(f"{name}={value}" for name, value in options.items()),
)
def test_ffmpeg_decodes_the_reconstruction(options: dict[str, object], host_threads: int) -> None:
    """The firmware chooses the QP: what is computed before it has chosen must not be what later pictures refer to.
    In this noise some pictures get the QP that their job came with, and their references another."""
    rng = np.random.default_rng(3)
    frames = [np.clip(f + rng.normal(0, 15, f.shape), 0, 255).astype(np.uint8) for f in content("scenes", 30)]
    config = EncoderConfig(width=WIDTH, height=HEIGHT, fps=RATE, **options)  # type: ignore[arg-type]
    with (
        Device.open("model:tiny", host_threads=host_threads) as device,
        EncodeSession(device, config, keep_reconstruction=True) as session,
    ):
        stream = b"".join(packet.data for packet in session.encode(frames))
        reconstructions = list(session.reconstructions)
    with av.open(io.BytesIO(stream), format="h264") as container:
        decoded = [frame.to_ndarray() for frame in container.decode(video=0)]
    assert len(decoded) == len(reconstructions) == 30
    for number, (frame, reconstruction) in enumerate(zip(decoded, reconstructions, strict=True)):
        assert np.array_equal(frame[:HEIGHT], reconstruction.y), number
        assert np.array_equal(frame[HEIGHT : HEIGHT * 5 // 4].reshape(HEIGHT // 2, -1), reconstruction.cb), number
        assert np.array_equal(frame[HEIGHT * 5 // 4 :].reshape(HEIGHT // 2, -1), reconstruction.cr), number


def test_the_stream_does_not_depend_on_threads() -> None:
    frames = content("scenes", 50)
    first = coded(frames, "vcu", bit_rate=300_000, aq_mode=1)[0]
    config = EncoderConfig(width=WIDTH, height=HEIGHT, fps=RATE, preset="fast", bit_rate=300_000, aq_mode=1)
    with Device.open("model:vcu", host_threads=3) as device, EncodeSession(device, config) as session:
        assert b"".join(packet.data for packet in session.encode(frames)) == first


@pytest.mark.parametrize("lookahead", [0, 10])
def test_the_stream_does_not_depend_on_how_fast_the_chip_is(lookahead: int) -> None:
    """Cores and control processor at a fiftieth of their clocks: pictures come back after the next ones are chosen, not
    before."""
    frames = content("scenes", 50)
    config = EncoderConfig(
        width=WIDTH, height=HEIGHT, fps=RATE, preset="fast", bit_rate=300_000, rc_lookahead=lookahead,
        buffer_size=300_000,
    )  # fmt: skip
    streams, elapsed = [], []
    for core_mhz, control_mhz in ((800, 400), (16, 400), (800, 8)):
        changes = {"clocks.core_mhz": core_mhz, "clocks.control_mhz": control_mhz}
        with (
            Device.open("model:vcu", host_threads=1, changes=changes) as device,
            EncodeSession(device, config) as session,
        ):
            streams.append([(packet.qp, packet.data) for packet in session.encode(frames)])
            elapsed.append(device.report()["elapsed_ps"])
    assert min(elapsed[1:]) > 4 * elapsed[0]
    assert len({qp for qp, _ in streams[0]}) > 5
    assert streams[0] == streams[1] == streams[2]


def test_the_stream_does_not_depend_on_when_pictures_are_sent() -> None:
    """All at once, or each after the packet of the one before."""
    frames = content("scenes", 50)
    config = EncoderConfig(
        width=WIDTH, height=HEIGHT, fps=RATE, preset="fast", bit_rate=300_000, rc_lookahead=0, b_count=0,
    )  # fmt: skip
    with Device.open("model:tiny", host_threads=1) as device, EncodeSession(device, config) as session:
        at_once = [packet.data for packet in session.encode(frames)]
    with Device.open("model:tiny", host_threads=1) as device, EncodeSession(device, config) as session:
        singly = []
        for frame in frames:
            session.send_frame(frame)
            singly.append(session.receive_packet(timeout_us=None).data)
    assert singly == at_once


def test_an_i_picture_inside_a_scene_is_planned_at_its_intra_cost() -> None:
    """Its place is known by the group's length only, so the first look compared it with the picture before; its bits
    must be foreseen all the same: the buffer has room, and it is no worse than those before it."""
    frames = content("moving", 60)
    config = EncoderConfig(
        width=WIDTH, height=HEIGHT, fps=RATE, preset="fast", bit_rate=800_000, buffer_size=400_000, gop_size=40
    )
    with (
        Device.open("model:tiny", host_threads=1) as device,
        EncodeSession(device, config, keep_reconstruction=True) as session,
    ):
        list(session.encode(frames))
        errors = [
            float(np.mean((shown.y.astype(int) - frame[:HEIGHT]) ** 2))
            for shown, frame in zip(session.reconstructions, frames, strict=True)
        ]
    assert errors[40] < np.mean(errors[30:40]), errors


def test_forced_pictures_are_the_ones_named() -> None:
    config = EncoderConfig(width=WIDTH, height=HEIGHT, fps=RATE, preset="fast", bit_rate=300_000)
    packets = []
    with Device.open("model:tiny", host_threads=1) as device, EncodeSession(device, config) as session:
        for number, frame in enumerate(content("moving", 30)):
            if number == 13:
                session.force_keyframe()
            session.send_frame(frame)
        session.send_frame(None)
        packets = list(session.encode([]))
    assert [packet.pts for packet in packets if packet.is_keyframe] == [0, 13]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crf": 20, "bit_rate": 10**6}, "option crf: does not go with b:v"),
        ({"b_adapt": True}, "option b_strategy: 1 needs a chip that looks ahead"),
        ({"b_adapt": True, "bit_rate": 10**6, "rc_lookahead": 0}, "option b_strategy: 1 needs a chip that looks ahead"),
        ({"aq_mode": 1, "rc_lookahead": 10}, "option aq-mode: 1 needs rate control that looks ahead"),
        ({"aq_mode": 1}, "option aq-mode: 1 needs rate control that looks ahead"),
        ({"aq_mode": 1, "bit_rate": 10**6, "rc_lookahead": 0}, "option aq-mode: 1 needs rate control"),
        ({"aq_mode": 2, "bit_rate": 10**6}, "option aq-mode: 2 is outside 0..1"),
        ({"crf": 60}, "option crf: 60.0 is outside 0..51"),
    ],
)
def test_contradictions_are_named(options: dict, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        EncoderConfig(width=WIDTH, height=HEIGHT, **options)


def test_constant_qp_and_quality_contradict() -> None:
    with pytest.raises(InvalidConfig, match="option qp: does not go with crf"):
        EncoderConfig.from_options({"width": 64, "height": 64, "qp": 20, "crf": 20})


def uneven(count: int = 100) -> list[np.ndarray]:
    """Three quarters calm, then motion: what one pass spends too early two passes keep."""
    calm = content("still", count * 3 // 4)
    return calm + content("moving", count - len(calm))


def test_two_passes_meet_the_rate(tmp_path: Path) -> None:
    """Within 2 %, buffer kept, with fewer steps of QP than one pass needs; the log is the first pass's bits."""
    options = {
        "bit_rate": 200_000, "max_rate": 400_000, "buffer_size": 400_000, "nal_hrd": "vbr",
        "passlogfile": str(tmp_path / "log"),
    }  # fmt: skip
    first, packets = coded(uneven(), pass_number=1, **options)
    lines = (tmp_path / f"log-{WIDTH}x{HEIGHT}.log").read_text().splitlines()
    assert len(lines) == 1 + len(packets)
    assert [int(line.split()[1]) for line in lines[1:]] == [packet.qp for packet in packets]
    second, _ = coded(uneven(), pass_number=2, **options)
    assert second != first
    assert abs(rate_error(second, 100, 200_000)) < 0.02
    assert hrd.check(hrd.split_access_units(second)).problems == []


def test_two_passes_refuse_what_does_not_belong(tmp_path: Path) -> None:
    options = {"bit_rate": 200_000, "b_adapt": False, "passlogfile": str(tmp_path / "log")}
    with pytest.raises(InvalidConfig, match="option pass: 2 needs the log of a first pass"):
        coded(content("moving", 3), pass_number=2, **options)
    coded(content("moving", 12), pass_number=1, **options)
    with pytest.raises(InvalidConfig, match=r"option pass: .* is of another encode"):
        coded(content("moving", 12), pass_number=2, gop_size=5, **options)
    with pytest.raises(InvalidConfig, match="has 12 pictures, the source has more"):
        coded(content("moving", 20), pass_number=2, **options)
    path = tmp_path / f"log-{WIDTH}x{HEIGHT}.log"
    path.write_text(path.read_text() + "1 2\n")
    with pytest.raises(InvalidConfig, match="is damaged"):
        coded(content("moving", 12), pass_number=2, **options)


@pytest.mark.parametrize("options", [{"pass_number": 1}, {"pass_number": 1, "bit_rate": 10**6, "rc_lookahead": 0}])
def test_passes_need_a_rate(options: dict) -> None:
    with pytest.raises(InvalidConfig, match="option pass: 1 needs a mean bit rate"):
        EncoderConfig(width=WIDTH, height=HEIGHT, **options)


@pytest.mark.parametrize(("width", "height"), [(16, 16), (32, 16), (18, 16)])
def test_the_smallest_pictures(width: int, height: int) -> None:
    """One macroblock's record is 192 bytes; a job may state no less than 256 of room."""
    frames = [np.full((height * 3 // 2, width), 60 + 10 * number, np.uint8) for number in range(9)]
    config = EncoderConfig(width=width, height=height, fps=RATE, preset="fast", bit_rate=50_000)
    with Device.open("model:tiny", host_threads=1) as device, EncodeSession(device, config) as session:
        packets = list(session.encode(frames))
    with av.open(io.BytesIO(b"".join(packet.data for packet in packets)), format="h264") as container:
        decoded = [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]
    assert len(decoded) == len(frames)
    assert all(abs(int(found.mean()) - int(frame.mean())) <= 4 for found, frame in zip(decoded, frames, strict=True))
