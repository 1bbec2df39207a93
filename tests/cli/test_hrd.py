"""`tasic hrd` as people use it: exit codes, containers, buffers of one's own, one line for what cannot be judged."""

import json
from pathlib import Path

import av
import pytest

from cli.main import run
from tests.codecs.test_hrd import CBR, TIGHT, x264
from tests.driver.clips import write_clip


def test_a_clean_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.264").write_bytes(b"".join(x264(CBR)))
    assert run(["hrd", str(tmp_path / "a.264")]) == 0
    assert "clean" in capsys.readouterr().out
    assert run(["hrd", str(tmp_path / "a.264"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["bit_rate"], found["access_units"], found["problems"]) == (1_000_000, 100, [])


def test_a_buffer_that_is_too_small_is_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.264").write_bytes(b"".join(x264(TIGHT)))
    assert run(["hrd", str(tmp_path / "a.264"), "-maxrate", "1M", "-bufsize", "300k"]) == 0
    assert run(["hrd", str(tmp_path / "a.264"), "-maxrate", "300k", "-bufsize", "300k"]) == 1
    assert "underflow" in capsys.readouterr().out


def test_mp4_counts_the_same_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.264").write_bytes(b"".join(x264(TIGHT)))
    with av.open(str(tmp_path / "a.264")) as source, av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if packet.size:
                packet.stream, packet.pts, packet.dts = stream, index, index
                out.mux(packet)
    assert run(["hrd", str(tmp_path / "a.mp4"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["access_units"] == 100


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("plain.mp4", [], "declares no NAL HRD"),
        ("absent.264", [], "No such file"),
        ("audio.mp4", [], "no video"),
        ("text.264", [], "no access units"),
        ("text.mp4", [], "text.mp4"),
        ("plain.mp4", ["-maxrate", "1M"], "go together"),
        ("plain.mp4", ["-maxrate", "fast", "-bufsize", "1M"], "option -maxrate"),
        ("plain.mp4", ["-maxrate", "5", "-bufsize", "1M"], "at least 1000"),
    ],
)
def test_what_cannot_be_judged_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, options: list[str], message: str
) -> None:
    write_clip(tmp_path / "plain.mp4", count=4)
    write_clip(tmp_path / "both.mp4", count=4, audio=True)
    with av.open(str(tmp_path / "both.mp4")) as source, av.open(str(tmp_path / "audio.mp4"), "w") as out:
        sound = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = sound
                out.mux(packet)
    for text in ("text.264", "text.mp4"):
        (tmp_path / text).write_text("no stream at all")
    assert run(["hrd", str(tmp_path / name), *options]) in (1, 2)
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert "defect" not in err
