"""`tasic decode`: samples, checksums and their formats are FFmpeg's; what cannot be decoded is one line."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cli.main import run
from tests.cli.test_commands import failing, frames
from tests.driver.clips import write_clip

CHIP = "tiny"
B_PICTURES = {"bf": "3", "b_strategy": "0", "refs": "3"}


def decode(*arguments: object) -> int:
    return run(["decode", *(str(argument) for argument in arguments), "--chip", CHIP])


def test_samples_reach_yuv_and_y4m(tmp_path: Path) -> None:
    """Cropped (98 x 50), in output order; FFmpeg reads the .y4m with rate and aspect."""
    source = tmp_path / "in.mkv"
    write_clip(
        source, width=98, height=50, count=9, rate=Fraction(30000, 1001), aspect=Fraction(4, 3), options=B_PICTURES
    )
    expected = frames(source)
    assert decode(source, tmp_path / "out.yuv", "-q") == 0
    assert (tmp_path / "out.yuv").read_bytes() == b"".join(frame.tobytes() for frame in expected)
    assert decode(source, tmp_path / "out.y4m", "-q") == 0
    assert all(np.array_equal(a, b) for a, b in zip(frames(tmp_path / "out.y4m"), expected, strict=True))
    with av.open(str(tmp_path / "out.y4m")) as container:
        video = container.streams.video[0]
        assert video.average_rate == pytest.approx(30000 / 1001, rel=1e-3)
        assert video.sample_aspect_ratio == Fraction(4, 3)


def framemd5(path: Path, target: Path) -> list[str]:
    """FFmpeg's list for a file: its decoder, its framemd5 muxer, the file's own times."""
    with av.open(str(path)) as container, av.open(str(target), "w", format="framemd5") as out:
        video = container.streams.video[0]
        stream = out.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = video.time_base
        for frame in container.decode(video):
            packet = av.Packet(frame.to_ndarray(format="yuv420p").tobytes())
            packet.stream, packet.time_base = stream, video.time_base
            packet.pts = packet.dts = frame.pts
            packet.duration = frame.duration
            out.mux(packet)
    return target.read_text().splitlines()


def test_frame_md5_is_ffmpegs_list(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.mkv"
    write_clip(source, durations=[40, 20, 60, 40, 33, 47, 40, 80], options=B_PICTURES)
    expected = framemd5(source, tmp_path / "ffmpeg.txt")
    assert decode(source, "--frame-md5", tmp_path / "list.txt", "-q") == 0
    found = (tmp_path / "list.txt").read_text().splitlines()
    assert [line for line in found if not line.startswith("#")] == [
        line for line in expected if not line.startswith("#")
    ]
    for line in ("#format: frame checksums", "#version: 2", "#hash: MD5", "#tb 0: 1/1000", "#dimensions 0: 64x48"):
        assert line in found
        assert line in expected
    capfd.readouterr()
    assert decode(source, "--frame-md5", "-", "--frames", "3") == 0
    printed = capfd.readouterr().out.splitlines()
    assert printed == found[: len(printed)]
    assert len([line for line in printed if not line.startswith("#")]) == 3


def test_md5_of_all_samples(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Also of a raw stream, which FFmpeg does not open for us."""
    for name, more in (("in.mp4", {}), ("in.264", {"format": "h264"})):
        write_clip(tmp_path / name, count=7, options=B_PICTURES, **more)  # type: ignore[arg-type]
        expected = hashlib.md5(b"".join(frame.tobytes() for frame in frames(tmp_path / name))).hexdigest()
        assert decode(tmp_path / name, "--md5", "-q") == 0
        assert capfd.readouterr().out == f"MD5={expected}\n"


def test_report_has_cycles_by_picture_type(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "in.264", format="h264", count=8, options=B_PICTURES)
    report = tmp_path / "r.json"
    assert (
        decode(tmp_path / "in.264", "--md5", "--report", report, "--report", "-", "--trace", tmp_path / "t.json") == 0
    )
    out = capfd.readouterr().out
    assert "Decoding" in out
    assert "cycles a macroblock" in out
    record = json.loads(report.read_text())
    by_type = record["run"]["decode"]["by_type"]
    assert {letter: figures["pictures"] for letter, figures in by_type.items()} == {"I": 1, "P": 2, "B": 5}
    # the time that jobs held the core, by the completions' stamps and by the fabric's account (1 ns of a 1 GHz tick)
    held_ps = sum(figures["core_ps"] for figures in by_type.values())
    cores = record["cores"]["decode"]
    assert held_ps == pytest.approx(cores["utilization"] * cores["cores"] * record["elapsed_ps"], rel=0.02)
    assert "decode" in json.dumps(json.loads((tmp_path / "t.json").read_text()))


def test_a_new_size_in_mid_stream(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sizes = ((64, 48), (96, 64))
    for n, (width, height) in enumerate(sizes):
        write_clip(tmp_path / f"{n}.264", format="h264", width=width, height=height, count=3)
    both = tmp_path / "both.264"
    both.write_bytes(b"".join((tmp_path / f"{n}.264").read_bytes() for n in (0, 1)))
    assert decode(both, tmp_path / "out.yuv", "-q") == 0
    assert "changes to 96x64 mid-stream: each frame keeps its own" in capfd.readouterr().err
    expected = b"".join(frame.tobytes() for n in (0, 1) for frame in frames(tmp_path / f"{n}.264"))
    assert (tmp_path / "out.yuv").read_bytes() == expected
    line = failing(capfd, "decode", both, tmp_path / "out.y4m", "--chip", CHIP)
    assert "frame 3 is 96x64" in line
    assert not (tmp_path / "out.y4m").exists()


def test_interlaced_frames_are_whole(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mkv", height=64, count=4, options={"x264-params": "interlaced=1:tff=1"})
    assert decode(tmp_path / "in.mkv", tmp_path / "out.y4m", "-q") == 0
    found = frames(tmp_path / "out.y4m")
    assert all(np.array_equal(a, b) for a, b in zip(found, frames(tmp_path / "in.mkv"), strict=True))
    # no frame given to the encoder was marked "top field first"
    assert b" Ib " in (tmp_path / "out.y4m").read_bytes()[:80]


def test_damage_is_told_and_no_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "in.264", format="h264", width=160, height=96, count=8, options={"bf": "0"})
    data = bytearray((tmp_path / "in.264").read_bytes())
    at = data.index(b"\0\0\1\x65") + 60  # in the IDR picture's slice, which ends before its last macroblock then
    del data[at : data.index(b"\0\0\1", at) - 1]
    (tmp_path / "bad.264").write_bytes(data)
    assert decode(tmp_path / "bad.264", tmp_path / "out.yuv", "-q") == 0
    assert "the input is damaged:" in capfd.readouterr().err
    assert (tmp_path / "out.yuv").stat().st_size == 8 * 160 * 96 * 3 // 2


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        ({"pix_fmt": "yuv420p10le"}, "not supported: 10-bit luma"),
        ({"pix_fmt": "yuv422p"}, "not supported: chroma format 4:2:2"),
        ({"codec": "mpeg4"}, "the chip decodes H.264, the input is mpeg4"),
        (None, "not a media file"),
    ],
)
def test_refusals_are_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], clip: dict[str, Any] | None, words: str
) -> None:
    if clip is None:
        (tmp_path / "in.mkv").write_bytes(b"\0\0\1 no such thing" * 50)
    else:
        write_clip(tmp_path / "in.mkv", count=3, **clip)
    line = failing(capfd, "decode", tmp_path / "in.mkv", tmp_path / "out.yuv", "--chip", CHIP)
    assert words in line
    assert "in.mkv" in line
    assert not (tmp_path / "out.yuv").exists()


def test_wrong_usage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "in.264", format="h264", count=2)
    assert "nothing to do" in failing(capfd, "decode", tmp_path / "in.264")
    assert ".y4m or .yuv" in failing(capfd, "decode", tmp_path / "in.264", tmp_path / "out.mp4")
    assert "no such file" in failing(capfd, "decode", tmp_path / "none.264", "--md5")
    (tmp_path / "junk.264").write_bytes(b"\0\0\1\x67" + bytes(100))
    assert "not one picture" in failing(capfd, "decode", tmp_path / "junk.264", "--md5")
