"""`--trace`: a timeline beside the outputs, refused before the work when it cannot be written."""

import json
from pathlib import Path

import pytest

from cli.main import run
from tests.driver.clips import write_clip


def test_the_same_command_writes_the_same_timeline(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", count=3)
    made = []
    for name, threads in (("a", "1"), ("b", "4")):
        folder = tmp_path / name
        folder.mkdir()
        files = ["--report", str(folder / "r.json"), "--trace", str(folder / "t.json")]
        command = ["transcode", str(tmp_path / "in.mp4"), str(folder / "out.mp4"), "--chip", "tiny", "-q"]
        assert run([*command, "-threads", threads, *files]) == 0
        assert sorted(p.name for p in folder.iterdir()) == ["out.mp4", "r.json", "t.json"]
        made.append((folder / "t.json").read_bytes())
    assert made[0] == made[1]
    report = json.loads((tmp_path / "a" / "r.json").read_text())
    events = json.loads(made[0])["traceEvents"]
    jobs = [e for e in events if e["ph"] == "X" and "session" in e["args"]]
    assert len(jobs) == sum(section["jobs"] for section in report["cores"].values())


@pytest.mark.parametrize("command", ["transcode", "encode"])
@pytest.mark.parametrize(("target", "words"), [("no/t.json", "does not exist"), ("out.264", "same name")])
def test_what_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str, target: str, words: str
) -> None:
    write_clip(tmp_path / "in.mp4", count=1)
    files = [str(tmp_path / "in.mp4"), str(tmp_path / "out.264"), "--trace", str(tmp_path / target)]
    assert run([command, *files, "--chip", "tiny"]) == 1
    assert words in capfd.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]
