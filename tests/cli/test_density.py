"""`tasic density` as people use it: a quick study of generated content, the claims, and inputs that give no number."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.density import chip, cpu, curves, encoders
from benchmarks.density.curves import Point
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
    arguments += ["--accept-noise", "--repeats", "1", "--cache", str(tmp_path / "cache"), "--ladder", "720p,360p,180p"]
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
    # vbench's ratios: the whole chip against the slowest preset on one core, both at QP 27.
    reference, new = (
        next(point for point in clip[curves]["medium"] if point["qp"] == 27) for curves in ("curves", "chip_curves")
    )
    capacity = clip["capacity"]["medium"]
    scored = next(row for row in clip["vbench"]["medium"] if row["transcoder"] == "edge medium")
    assert scored["s"] == pytest.approx(capacity["mpix_per_s"] / clip["speeds"]["medium"]["mpix_per_s"])
    assert scored["b"] == pytest.approx(reference["kbit_per_s"] / new["kbit_per_s"])
    assert scored["q"] == pytest.approx(new["psnr"] / reference["psnr"])
    assert scored["upload"] == pytest.approx(scored["s"] * scored["q"])
    rows = list(csv.DictReader(files[2].open()))
    assert len(rows) == 4 * 3
    found_bits = {row["transcoder"]: float(row["bd_percent against edge medium"]) for row in rows}
    assert found_bits == pytest.approx(
        {"edge medium": 0.0, **{f"x264 {name}": bits for name, bits in clip["bd_percent"]["medium"].items()}}
    )
    assert {row["transcoder"] for row in rows} == {"edge medium", "x264 superfast", "x264 medium"}
    for file in (files[0], files[3]):
        text = file.read_text()
        assert "generated" in text
        assert "The claim, checked" in text
        assert "rung 720p is larger than the source (640x360): never scaled up" in " ".join(text.split())
    page = files[0].read_text()
    assert "<script" not in page
    assert not re.search(r"(src|href)=|url\(|@import", page)  # self-contained: nothing is fetched
    low, high = found["chip_over_core_range"]
    assert low == pytest.approx(found["chip_over_core"] * (1 + capacity["low"]) / (1 + speeds["core_error"]))
    assert high == pytest.approx(found["chip_over_core"] * (1 + capacity["high"]) / (1 - speeds["core_error"]))
    assert capacity["terms"][0]["why"]
    for name in ("plan", "machine", "versions", "assumptions", "noise", "time", "claims"):  # every input is in it
        assert record[name], name
    assert all(len(speed["turns"]) == 2 for speed in clip["speeds"].values())
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
    verdicts = {claim["verdict"] for claim in record["claims"]}
    assert verdicts <= {"holds", "holds only if", "does not hold", "no verdict"}
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
        (["--assumptions", "swapped.yaml"], "chip_power: low 20, value 10, high 5 must be in this order"),
        (["--assumptions", "absent.yaml"], "absent.yaml"),
        (["--clip", "audio.mp4"], "audio.mp4: no video in it"),
        (["--repeat-check", "--clip", "short.mp4"], "10 pictures are too few to judge by; at least 24"),
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
    (tmp_path / "swapped.yaml").write_text("chip_power: {value: 10, low: 20, high: 5}")
    write_audio(tmp_path / "audio.mp4")
    before = set(tmp_path.iterdir())
    assert message in failing(capfd, *arguments, "--cache", tmp_path / "short.cache")
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "short.cache"}


def test_a_machine_under_load_gives_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cpu, "measure", lambda job, repeats, patience: cpu.Turn(50.0, 0.5, [[(1.0, 2.0)]]))
    report = tmp_path / "d.json"
    said = failing(capfd, "--quick", "--cache", tmp_path / "cache", "--report", report)
    assert "a worker got 50% of its processor, 90% is needed: the machine is under load from others" in said
    assert not report.exists()


def test_an_encoder_that_is_missing_gives_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(encoders, "missing", lambda name: f"{name}: this build of FFmpeg has no libsvtav1")
    said = failing(capfd, "--encoder", "svt-av1", "--cache", tmp_path)
    assert said == "tasic: option --encoder: svt-av1: this build of FFmpeg has no libsvtav1"


def fake_study(monkeypatch: pytest.MonkeyPatch, chip_psnr: float, chip_rate: float) -> None:
    """Two CPU presets at 30 to 39 dB, of 100 and 50 Mpix/s, the slower one with 20 % fewer bits; a chip of 1000."""

    def measure(job: cpu.CpuJob, repeats: int, patience: int) -> cpu.Turn:
        return cpu.Turn(100.0 if job.preset == "superfast" else 50.0, 1.0, [[(1.0, 1.0)]])

    def point(qp: int, scale: float, shift: float) -> Point:
        return Point(qp, scale * 2 ** (-qp / 5), 64 - qp + shift, 0.9)

    def software(clip: object, planes: object, encoder: str, preset: str, qps: list[int], store: object) -> list[Point]:
        return [point(qp, 1000 if preset == "superfast" else 800, 0) for qp in qps]

    capacity = chip.Capacity(1000.0, 10, "encode", -0.1, 0.1, [{"name": "encode", "why": "bench"}], {}, "on the chip")
    monkeypatch.setattr(cpu, "measure", measure)
    monkeypatch.setattr(curves, "software_curve", software)
    monkeypatch.setattr(chip, "point", lambda clip, planes, name, preset, qp, store: point(qp, chip_rate, chip_psnr))
    monkeypatch.setattr(chip, "capacity", lambda *_: capacity)


def test_curves_that_do_not_overlap_give_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake_study(monkeypatch, chip_psnr=30, chip_rate=900)
    arguments = ["--cpu-presets", "superfast,medium", "--cache", tmp_path, "--report", tmp_path / "d.json"]
    assert "generated: BD-rate by luma PSNR: the curves share no quality range" in failing(capfd, *arguments)
    assert not (tmp_path / "d.json").exists()


@pytest.mark.parametrize(
    ("chip_rate", "words"),
    [
        (900, "is between superfast and medium (50% of the way); compared at 70.7 Mpix/s a core"),
        (700, "is no preset: the best, medium, needs +14.3 % bits; compared at 50.0 Mpix/s a core"),
        (1200, "is no preset: even superfast needs 16.7 % fewer bits than the chip; compared at 100.0 Mpix/s a core"),
    ],
)
def test_unequal_compression_is_said_and_by_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], chip_rate: float, words: str
) -> None:
    """Against 900: +11.1 % and -11.1 % bits, so half of the way: sqrt(100 x 50) Mpix/s."""
    fake_study(monkeypatch, chip_psnr=0, chip_rate=chip_rate)
    arguments = ["density", "--cpu-presets", "superfast,medium", "--cache", str(tmp_path), "--report"]
    assert run([*arguments, str(tmp_path / "d.txt")]) == 0, capfd.readouterr().err
    said = " ".join((tmp_path / "d.txt").read_text().split())
    assert words in said
    assert ("Not at equal compression" in said) == (chip_rate != 900)


def test_what_software_makes_95_percent_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """95 % is 20 times the performance per TCO; that grows as the software slows down, all else equal."""
    fake_study(monkeypatch, chip_psnr=0, chip_rate=900)
    (tmp_path / "dear.yaml").write_text("cpu_server_price: 100000")
    for prices, presets in (
        ([], "none measured does: one slower than medium (50.0 Mpix/s)"),
        (["dear.yaml"], "medium or slower ones do"),
    ):
        arguments = ["density", "--cpu-presets", "superfast,medium", "--cache", str(tmp_path)]
        for name in prices:
            arguments += ["--assumptions", str(tmp_path / name)]
        assert run([*arguments, "--report", str(tmp_path / "d.json"), "--report", str(tmp_path / "d.txt")]) == 0
        found = json.loads((tmp_path / "d.json").read_text())["presets"]["medium"]
        slower = found["break_even_software"]["times_slower"]
        assert slower == pytest.approx(20 / found["results"]["perf_per_tco"]["value"], rel=1e-6)
        said = " ".join((tmp_path / "d.txt").read_text().split())
        assert f"Preset: a chip that compresses as {presets}, and is as fast." in said
        assert f"is {slower:.1f} times slower" in said


@pytest.mark.parametrize(
    ("second", "verdict", "code"), [(51.0, "agree within 5 %", 0), (58.0, "do not agree within 5 %", 1)]
)
def test_repeat_check_compares_two_runs_whose_turns_alternate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    second: float, verdict: str, code: int,
) -> None:  # fmt: skip
    """First run 50, second `second` Mpix/s: 2 % apart agree, 14.8 % do not; nothing comes from the store."""
    begun = []

    def measure(job: cpu.CpuJob, repeats: int, patience: int) -> cpu.Turn:
        begun.append(job.preset)
        return cpu.Turn(second if (len(begun) - 1) // 2 % 2 else 50.0, 1.0, [[(1.0, 1.0)]])

    monkeypatch.setattr(cpu, "measure", measure)
    arguments = ["density", "--repeat-check", "--cpu-presets", "superfast,medium", "--cache", str(tmp_path / "cache")]
    for _ in range(2):
        begun.clear()
        assert run([*arguments, "--report", str(tmp_path / "r.json"), "--report", "-"]) == code
        out = capfd.readouterr()
        assert verdict in out.out
        assert (f"two runs of the CPU side differ by {100 * 8 / 54:.1f} %" in out.err) == bool(code)
        assert begun == ["superfast", "medium"] * 4
        record = json.loads((tmp_path / "r.json").read_text())
        assert record["agree"] == (not code)
        assert record["too_noisy"] is False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_measuring_ends_in_one_line_and_keeps_what_was_measured(tmp_path: Path, number: int) -> None:
    """The signal goes to the whole group, as from a terminal: no worker may have anything to say about it."""
    arguments = ["density", "--quick", "--accept-noise", "--cpu-presets", "superfast,veryslow", "--chip", "edge"]
    arguments += ["--cache", str(tmp_path / "cache"), "--report", str(tmp_path / "d.json")]
    command = [sys.executable, "-m", "cli.main", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(workers(process.pid)) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    time.sleep(1)  # the workers are loading or at work
    os.killpg(process.pid, number)
    if number == signal.SIGTERM:  # timeout(1) sends it to the command and to its group
        os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    lines = said.strip().splitlines()  # click ends the terminal's line first
    (line,) = [one for one in lines if not one.startswith("tasic: compiling kernels")]  # a cold cache says so
    assert line.startswith("tasic: interrupted: what was measured is kept in" if number == signal.SIGINT else "tasic: ")
    assert not (tmp_path / "d.json").exists()
    deadline = time.monotonic() + 20
    while workers(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not workers(process.pid)


def workers(group: int) -> list[int]:
    """Live processes of a group besides its leader."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != group:
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def write_audio(path: Path) -> None:
    """A second of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
