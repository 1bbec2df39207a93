"""`tasic transcode` with the chip's decoder: the same streams as with the host's, only the bitstream goes down."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cli.main import run
from tests.cli.test_commands import failing, frames, sound, times
from tests.driver.clips import damage, write_clip

CHIP = "tiny"
B_PICTURES = {"bf": "3", "b_strategy": "0", "refs": "3"}
SPANS = [40, 20, 60, 40, 40, 33, 47, 40, 80, 40, 20, 20, 50, 40]


def transcode(source: Path, out: Path, *options: str) -> int:
    return run(["transcode", str(source), str(out), "--chip", CHIP, "-qp", "24", "-q", *options])


def packets(path: Path) -> list[tuple[int, Any, bytes]]:
    with av.open(str(path)) as container:
        return [(p.stream_index, p.pts, bytes(p)) for p in container.demux() if p.size]


@pytest.mark.parametrize(
    ("suffix", "shape"),
    [
        (".mp4", {"durations": SPANS, "audio": True}),  # variable rate
        (".mkv", {"count": 10, "rotation": 90, "audio": True}),
        (".ts", {"count": 8, "width": 98, "height": 50, "colour": (1, 1, 1, 1)}),  # cropped
        (".264", {"count": 8, "format": "h264"}),
    ],
)
def test_the_outputs_are_those_of_the_hosts_decoder(tmp_path: Path, suffix: str, shape: dict[str, Any]) -> None:
    """Every byte and every time, of the rung at the source's size and of a scaled one, picture and sound."""
    source = tmp_path / f"in{suffix}"
    write_clip(source, options=B_PICTURES, **shape)
    records = {}
    for where in ("chip", "host"):
        report = tmp_path / f"{where}.json"
        ladder = ["--ladder", "360p,32p", "--quality", "--report", str(report)]
        assert transcode(source, tmp_path / f"{where}.mp4", *ladder, "--decode", where) == 0
        records[where] = json.loads(report.read_text())
        assert records[where]["run"]["source"]["decoded"] == f"on the {where}"
    found = sorted(p.name.removeprefix("chip_") for p in tmp_path.glob("chip_*.mp4"))
    assert len(found) == 2
    for name in found:
        assert packets(tmp_path / f"chip_{name}") == packets(tmp_path / f"host_{name}")
    assert records["chip"]["run"]["outputs"][0]["quality"] == records["host"]["run"]["outputs"][0]["quality"]
    # what went down: the bitstream and what says how to read it, at most 3 kB a picture, instead of its surface
    count = records["chip"]["run"]["frames"]
    assert count == records["host"]["run"]["frames"]
    with av.open(str(source)) as container:
        stream_bytes = sum(p.size for p in container.demux(video=0))
    down = records["chip"]["host_link"]["host_write_bytes"]
    assert stream_bytes < down
    surfaces = records["host"]["host_link"]["host_write_bytes"] - down
    assert surfaces > 0
    assert "decode" in records["chip"]["cores"]
    assert "decode" not in records["host"]["cores"]
    decode = records["chip"]["run"]["decode"]
    assert sum(figures["pictures"] for figures in decode["by_type"].values()) == count


def test_auto_takes_the_chip_where_it_can_and_says_why_not(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "h264.mkv", count=3)
    write_clip(tmp_path / "mpeg4.mkv", count=3, codec="mpeg4")
    write_clip(tmp_path / "deep.mkv", count=3, pix_fmt="yuv420p10le")
    for name, words in (
        ("h264", None),
        ("mpeg4", "decoding on the host: the chip decodes H.264, the input is mpeg4"),
        ("deep", "decoding on the host: not supported: 10-bit luma"),
    ):
        command = ["transcode", str(tmp_path / f"{name}.mkv"), str(tmp_path / "out.mp4"), "--chip", CHIP]
        assert run(command) == 0
        said = capfd.readouterr()
        assert f"decoded on the {'chip' if words is None else 'host'}" in said.out.replace("\n", " ")
        assert "decoding on the host" not in said.err if words is None else words in said.err
        assert len(frames(tmp_path / "out.mp4")) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pix_fmt": "yuv420p10le"}, "10-bit luma, 10-bit chroma samples"),
        ({"pix_fmt": "yuv422p"}, "chroma format 4:2:2"),
        ({"codec": "mpeg4"}, "the input is mpeg4"),
    ],
)
def test_the_chip_alone_refuses_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: dict[str, Any], words: str
) -> None:
    write_clip(tmp_path / "in.mkv", count=3, **options)
    line = failing(capfd, "transcode", tmp_path / "in.mkv", tmp_path / "out.mp4", "--chip", CHIP, "--decode", "chip")
    assert "cannot be decoded on the chip" in line
    assert words in line
    assert not (tmp_path / "out.mp4").exists()


def test_a_stream_that_turns_undecodable_begins_again_on_the_host(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ten pictures of 4:2:0, then ten of 4:2:2: all twenty are in the output; --decode chip refuses."""
    write_clip(tmp_path / "a.264", format="h264", count=10)
    write_clip(tmp_path / "b.264", format="h264", count=10, pix_fmt="yuv422p")
    both = tmp_path / "both.264"
    both.write_bytes((tmp_path / "a.264").read_bytes() + (tmp_path / "b.264").read_bytes())
    report = tmp_path / "r.json"
    assert transcode(both, tmp_path / "out.mp4", "--report", str(report)) == 0
    assert "beginning again, decoding on the host: not supported: chroma format 4:2:2" in capfd.readouterr().err
    assert len(frames(tmp_path / "out.mp4")) == 20
    record = json.loads(report.read_text())
    assert record["run"]["source"]["decoded"] == "on the host"
    assert "4:2:2" in record["run"]["source"]["host_decode_reason"]
    line = failing(capfd, "transcode", both, tmp_path / "x.mp4", "--chip", CHIP, "--decode", "chip", "-q")
    assert "4:2:2" in line


def test_interlaced_is_deinterlaced_on_the_host_or_woven_on_the_chip(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "in.mkv", height=64, count=6, options={"x264-params": "interlaced=1:tff=1"})
    assert transcode(tmp_path / "in.mkv", tmp_path / "auto.mp4") == 0
    assert "deinterlaced" in capfd.readouterr().err
    assert transcode(tmp_path / "in.mkv", tmp_path / "chip.mp4", "--decode", "chip") == 0
    said = capfd.readouterr().err
    assert "woven" in said
    assert "is deinterlaced" not in said
    assert times(tmp_path / "auto.mp4") == times(tmp_path / "chip.mp4")


def test_a_new_size_in_mid_stream_is_scaled_on_the_chip(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, width, height in (("a", 128, 64), ("b", 64, 32), ("c", 128, 64)):
        write_clip(tmp_path / f"{name}.264", format="h264", width=width, height=height, count=5)
    both = tmp_path / "abc.264"
    both.write_bytes(b"".join((tmp_path / f"{name}.264").read_bytes() for name in "abc"))
    for where in ("chip", "host"):
        options = ["--ladder", "360p,48p", "--decode", where, "-qp", "10"]
        assert transcode(both, tmp_path / f"{where}.mp4", *options) == 0
        assert "changes to 64x32 mid-stream: scaled to the first one" in capfd.readouterr().err
    for label, size in (("64p", (128, 64)), ("48p", (96, 48))):
        chip, host = frames(tmp_path / f"chip_{label}.mp4"), frames(tmp_path / f"host_{label}.mp4")
        assert len(chip) == len(host) == 15
        assert {frame.shape for frame in chip} == {(size[1] * 3 // 2, size[0])}
        # the host's scaler has another filter: close, not equal
        assert all(np.abs(a[: size[1]].astype(int) - b[: size[1]]).mean() < 12 for a, b in zip(chip, host, strict=True))


def test_damage_is_concealed_counted_and_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A packet without any slice, and bytes flipped inside of others: no picture lost, sound and times as they were."""
    write_clip(tmp_path / "in.mkv", width=160, height=96, durations=SPANS, audio=True, options={"bf": "0", "g": "7"})
    damage(tmp_path / "in.mkv", tmp_path / "lost.mkv", (5,), 160, 96)
    report = tmp_path / "r.json"
    out = tmp_path / "out.mp4"
    assert transcode(tmp_path / "lost.mkv", out, "--decode", "chip", "--report", str(report)) == 0
    assert "1 lost picture(s) by the last good one" in capfd.readouterr().err
    assert len(frames(out)) == len(SPANS)
    assert [round(1000 * t) for t in times(out)] == [sum(SPANS[:n]) for n in range(len(SPANS))]
    source = json.loads(report.read_text())["run"]["source"]
    assert source["concealed"] >= 1
    assert source["decode_errors"] >= 1


def test_sound_stays_beside_the_pictures(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", durations=SPANS, audio=True, options=B_PICTURES)
    assert transcode(tmp_path / "in.mp4", tmp_path / "out.mp4", "--decode", "chip") == 0
    assert sound(tmp_path / "out.mp4") == sound(tmp_path / "in.mp4")
    assert times(tmp_path / "out.mp4") == times(tmp_path / "in.mp4")
