"""`tasic density` as people use it: a quick study of generated content, the claims, and inputs that give no number."""

import csv
import json
from pathlib import Path

import pytest

from cli.main import run
from tests.driver.clips import write_clip


def failing(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    code = run(["density", *map(str, arguments)])
    err = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("tasic: compiling")]
    assert code in (1, 2), err
    assert len(err) == 1, err
    assert "defect" not in err[0]
    return err[0]


def test_quick_study_of_generated_content(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / f"d.{suffix}" for suffix in ("html", "json", "csv", "txt")]
    arguments = ["density", "--quick", "--chip", "edge", "--frames", "24", "--cpu-presets", "superfast,medium"]
    arguments += ["--accept-noise", "--repeats", "2", "--cache", str(tmp_path / "cache"), "--ladder", "360p,180p"]
    for file in files:
        arguments += ["--report", str(file)]
    assert run(arguments) == 0, capfd.readouterr().err
    record = json.loads(files[1].read_text())
    (clip,) = record["clips"]
    assert clip["generated"]
    assert clip["rungs"] == [[640, 360], [320, 180]]
    assert set(clip["speeds"]) == {"superfast", "medium"}
    assert all(len(curve) == 4 for curve in [*clip["curves"].values(), *clip["chip_curves"].values()])
    found = record["presets"]["medium"]
    speeds, assumed = found["speeds"], {name: item["value"] for name, item in record["assumptions"].items()}
    servers = assumed["chips_per_server"] * speeds["chip_mpix_per_s"]
    servers /= assumed["cpu_server_cores"] * assumed["cpu_server_scaling"] * speeds["core_mpix_per_s"]
    assert found["results"]["servers_replaced"]["value"] == pytest.approx(servers)
    rows = list(csv.DictReader(files[2].open()))
    assert len(rows) == 4 * 3
    assert {row["transcoder"] for row in rows} == {"edge medium", "x264 superfast", "x264 medium"}
    for file in (files[0], files[3]):
        text = file.read_text()
        assert "generated" in text
        assert "The claim, checked" in text
    assert "<script" not in files[0].read_text()
    # What was measured is kept: the second run takes it as it is.
    capfd.readouterr()
    assert run([*arguments[: arguments.index("--report")], "--report", str(tmp_path / "again.json")]) == 0
    again = json.loads((tmp_path / "again.json").read_text())
    if record["noise"]["share"] >= 0.9:
        assert again["clips"] == record["clips"]
    assert again["clips"][0]["chip_curves"] == clip["chip_curves"]


def test_claims_alone_need_no_measurement(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["density", "--claim", "--report", str(tmp_path / "c.json"), "--report", "-"]) == 0
    assert "holds only if" in capfd.readouterr().out
    record = json.loads((tmp_path / "c.json").read_text())
    assert {claim["verdict"] for claim in record["claims"]} <= {"holds", "holds only if", "does not hold"}
    assert all(claim["condition"] for claim in record["claims"] if claim["verdict"] == "holds only if")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clip", "short.mp4"], "10 pictures are too few to judge by; at least 24"),
        (["--clip", "absent.mp4"], "no such file"),
        (["--clip", "text.mp4"], "text.mp4"),
        (["--chip", "vcuu"], "vcuu"),
        (["--preset", "quick"], "preset"),
        (["--cpu-presets", "meduim,slow"], "'meduim' is no preset of x264; did you mean medium?"),
        (["--cpu-presets", "medium"], "at least 2 are needed"),
        (["--ladder", "720p@2M"], "leave the bit rates out"),
        (["--assumptions", "bad.yaml"], "chip_price.value: -1 USD"),
        (["--assumptions", "absent.yaml"], "absent.yaml"),
        (["--report", "x.pdf"], "one of .html, .json, .csv, .txt"),
        (["--report", "nowhere/x.html"], "does not exist"),
        (["--clp", "a"], "unknown option --clp"),
    ],
)
def test_what_gives_no_number_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "short.mp4", count=10)
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "bad.yaml").write_text("chip_price: -1")
    before = set(tmp_path.iterdir())
    assert message in failing(capfd, *arguments, "--cache", tmp_path / "short.cache")
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "short.cache"}
