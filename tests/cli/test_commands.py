"""The command line as people use it: what works gives the right files, what cannot is one line and an exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cli.main import run
from tests.driver.clips import damage, write_clip

CHIP = "tiny"


def frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def sound(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [p.pts * p.time_base for p in container.demux(audio=0) if p.size]


def failing(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must fail and return its one line."""
    code = run([str(argument) for argument in arguments])
    err = capfd.readouterr().err
    assert code in (1, 2), (code, err)
    lines = [line for line in err.splitlines() if not line.startswith("tasic: compiling kernels")]
    assert len(lines) == 1, err
    assert lines[0].startswith("tasic: ")
    assert "Traceback" not in err
    assert "defect" not in err
    return lines[0]


# ------------------------------------------------------------------------------------------------- what works


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".264"])
def test_transcode_keeps_every_picture_time_and_the_audio(tmp_path: Path, suffix: str) -> None:
    spans = [40, 20, 60, 40, 40, 33, 47, 40, 80, 40]
    write_clip(tmp_path / "in.mkv", durations=spans, audio=True)
    out = tmp_path / f"out{suffix}"
    assert run(["transcode", str(tmp_path / "in.mkv"), str(out), "--chip", CHIP, "-qp", "20", "-q"]) == 0
    found = frames(out)
    assert len(found) == len(spans)
    for before, after in zip(frames(tmp_path / "in.mkv"), found, strict=True):
        error = (before.astype(int) - after) ** 2
        assert 10 * np.log10(255**2 / error.mean()) > 36  # QP 20; a picture in the wrong place is far below
    if suffix == ".264":
        return
    wanted, got = times(tmp_path / "in.mkv"), times(out)
    shift = got[0] - wanted[0]
    assert all(abs(b - a - shift) <= Fraction(1, 1000) for a, b in zip(wanted, got, strict=True))
    assert all(
        abs(b - a - shift) <= Fraction(2, 1000) for a, b in zip(sound(tmp_path / "in.mkv"), sound(out), strict=True)
    )


def test_rotation_aspect_colour_and_odd_size_reach_the_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_clip(
        tmp_path / "in.mp4", width=66, height=50, count=4, rotation=90, aspect=Fraction(4, 3), colour=(9, 16, 9, 2)
    )
    assert run(["transcode", str(tmp_path / "in.mp4"), str(tmp_path / "out.mp4"), "--chip", CHIP, "-q"]) == 0
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (66, 50)
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        assert frame.rotation == 90
        assert (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range) == (9, 16, 9, 2)
    write_clip(tmp_path / "odd.mkv", width=65, height=49, count=2, codec="ffv1")
    assert run(["transcode", str(tmp_path / "odd.mkv"), str(tmp_path / "odd.mp4"), "--chip", CHIP, "-q"]) == 0
    assert "odd size 65x49" in capfd.readouterr().err
    assert frames(tmp_path / "odd.mp4")[0].shape == (75, 66)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".264"])
def test_the_stated_range_reaches_the_output(tmp_path: Path, levels: int, suffix: str) -> None:
    """1: limited, 2: full (AVCOL_RANGE); also where nothing else of the colours is stated."""
    write_clip(tmp_path / "in.mkv", count=2, colour=(2, 2, 2, levels))
    out = tmp_path / f"out{suffix}"
    assert run(["transcode", str(tmp_path / "in.mkv"), str(out), "--chip", CHIP, "-q"]) == 0
    with av.open(str(out)) as container:
        assert next(container.decode(video=0)).color_range == levels


def test_a_missed_bit_rate_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two pictures of noise cannot be coded in 1 kbit; the warning names output, rate and target."""
    noise = np.random.default_rng(1).integers(0, 256, (2, 72, 64), np.uint8)
    (tmp_path / "in.yuv").write_bytes(noise.tobytes())
    words = ["encode", str(tmp_path / "in.yuv"), str(tmp_path / "out.264"), "-s", "64x48", "--chip", CHIP, "-q"]
    assert run([*words, "-b:v", "12k"]) == 0
    size = 8 * (tmp_path / "out.264").stat().st_size / (2 / 25)
    assert f"out.264: {size / 1000:.0f} kbit/s over 2 picture(s), 12 kbit/s were asked for" in capfd.readouterr().err
    assert run([*words, "-b:v", "1k", "-bufsize", "1k"]) == 0  # 900 bits before the first picture
    assert "the decoder's buffer runs empty at 2 of 2 picture(s): maxrate or bufsize" in capfd.readouterr().err


def test_ladder_names_sizes_and_aspect(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "in.mp4", width=160, height=96, count=5, audio=True)
    out = tmp_path / "out.mp4"
    ladder = ["--ladder", "1080p,48p@100k,64x64"]
    report = tmp_path / "r.json"
    command = [
        "transcode",
        str(tmp_path / "in.mp4"),
        str(out),
        *ladder,
        "--chip",
        CHIP,
        "--report",
        str(report),
        "--quality",
        "--decode",
        "host",
    ]
    assert run(command) == 0
    assert "never scaled up" in capfd.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "in.mp4", "out_48p.mp4", "out_64x64.mp4", "out_96p.mp4", "r.json",
    ]  # fmt: skip
    sizes = {"48p": (80, 48), "64x64": (64, 64), "96p": (160, 96)}
    for label, (width, height) in sizes.items():
        with av.open(str(tmp_path / f"out_{label}.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height) == (width, height)
            # the display aspect ratio stays 160:96 whatever the rung
            assert Fraction(width, height) * (stream.sample_aspect_ratio or 1) == Fraction(160, 96)
            assert len(list(container.decode(video=0))) == 5
            assert len(container.streams.audio) == 1
    record = json.loads(report.read_text())
    assert record["run"]["frames"] == 5
    assert record["run"]["source"]["decoded"] == "on the host"
    # each source picture went over the link once: 5 surfaces of 160x96 (pitches 192 and 128), and little besides
    surface = 192 * 96 + 2 * 128 * 48
    assert 5 * surface < record["host_link"]["host_write_bytes"] < 5 * surface + 40_000


def test_quality_on_chip_is_that_of_the_decoded_stream(tmp_path: Path) -> None:
    """Under rate control jobs are announced late: the comparison must still see the picture after it was coded."""
    write_clip(tmp_path / "in.mkv", width=96, height=64, count=8, codec="ffv1")
    report = tmp_path / "r.json"
    command = ["transcode", str(tmp_path / "in.mkv"), str(tmp_path / "out.mkv"), "-b:v", "200k", "--quality", "-q"]
    assert run([*command, "--chip", CHIP, "--report", str(report)]) == 0
    squares = [
        ((a[:64].astype(int) - b[:64]) ** 2).mean()
        for a, b in zip(frames(tmp_path / "in.mkv"), frames(tmp_path / "out.mkv"), strict=True)
    ]
    expected = 10 * np.log10(255**2 / np.mean(squares))
    assert json.loads(report.read_text())["run"]["outputs"][0]["quality"]["psnr_y_db"] == pytest.approx(expected, 1e-9)


def test_encode_reconstruction_is_what_ffmpeg_decodes(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.y4m", width=80, height=48, count=7, codec="wrapped_avframe")
    command = ["encode", str(tmp_path / "in.y4m"), str(tmp_path / "out.264"), "--recon", str(tmp_path / "r.y4m")]
    assert run([*command, "-g", "3", "-refs", "3", "-slices", "2", "--chip", CHIP, "-q"]) == 0
    decoded, recon = frames(tmp_path / "out.264"), frames(tmp_path / "r.y4m")
    assert len(decoded) == 7
    assert all(np.array_equal(a, b) for a, b in zip(decoded, recon, strict=True))


def test_ffmpeg_reads_profile_rate_and_cropping_from_the_bare_stream(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.y4m", width=70, height=50, count=4, codec="wrapped_avframe", rate=Fraction(30000, 1001))
    for options, profile in (
        ([], "High"),
        (["-profile:v", "main"], "Main"),
        (["-profile:v", "baseline"], "Constrained Baseline"),
    ):
        out = tmp_path / "out.264"
        assert run(["encode", str(tmp_path / "in.y4m"), str(out), *options, "--chip", CHIP, "-q"]) == 0
        with av.open(str(out)) as container:
            stream = container.streams.video[0]
            assert (stream.profile, stream.width, stream.height) == (profile, 70, 50)
            assert stream.codec_context.framerate == Fraction(30000, 1001)
            assert bool(stream.codec_context.has_b_frames) == (profile != "Constrained Baseline")


def test_scale_to_several_sizes_raw_and_y4m(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.y4m", width=96, height=64, count=3, codec="wrapped_avframe")
    sizes = ["-s", "48x32", "-s", "32x64"]
    for suffix in ("y4m", "yuv"):
        assert (
            run(["scale", str(tmp_path / "in.y4m"), str(tmp_path / f"o.{suffix}"), *sizes, "--chip", CHIP, "-q"]) == 0
        )
    assert [f.shape for f in frames(tmp_path / "o_48x32.y4m")] == [(48, 48)] * 3
    raw = np.fromfile(tmp_path / "o_32x64.yuv", np.uint8)
    assert np.array_equal(raw.reshape(3, 96, 32), np.stack(frames(tmp_path / "o_32x64.y4m")))
    again = ["scale", str(tmp_path / "o_32x64.yuv"), str(tmp_path / "b.yuv"), "--input-size", "32x64", "-s", "32x64"]
    assert run([*again, "--chip", CHIP, "-q"]) == 0
    assert (tmp_path / "b.yuv").read_bytes() == (tmp_path / "o_32x64.yuv").read_bytes()


def test_same_input_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.mp4", count=6, audio=True)
    made = []
    for threads in ("1", "4"):
        folder = tmp_path / f"with-{threads}"
        folder.mkdir()
        command = [
            "transcode",
            str(tmp_path / "in.mp4"),
            str(folder / "out.mp4"),
            "--ladder",
            "48p,32x24",
            "--seed",
            "3",
        ]
        assert run([*command, "--chip", CHIP, "-threads", threads, "--report", str(folder / "r.json"), "-q"]) == 0
        record = json.loads((folder / "r.json").read_text())
        del record["run"]
        made.append((json.dumps(record), *((folder / f"out_{n}.mp4").read_bytes() for n in ("48p", "32x24"))))
    assert made[0] == made[1]


def test_a_corrupt_middle_is_concealed_and_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "good.mkv", options={"bf": "0", "g": "1"})
    damage(tmp_path / "good.mkv", tmp_path / "bad.mkv", (5, 6))
    report = tmp_path / "r.json"
    command = ["transcode", str(tmp_path / "bad.mkv"), str(tmp_path / "out.mp4"), "--chip", CHIP]
    assert run([*command, "--report", str(report)]) == 0
    assert times(tmp_path / "out.mp4") == times(tmp_path / "good.mkv")
    record = json.loads(report.read_text())
    assert record["run"]["source"]["concealed"] == 2
    assert any("2 concealed" in line for line in record["run"]["warnings"])
    assert "2 concealed" in capfd.readouterr().err


# --------------------------------------------------------------------------------------------- what cannot work


def test_bad_inputs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "good.mp4", count=3)
    whole = (tmp_path / "good.mp4").read_bytes()
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(1).bytes(5000))
    with av.open(str(tmp_path / "sound.m4a"), "w") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        silence.sample_rate = 48000
        out.mux(stream.encode(silence))
        out.mux(stream.encode(None))
    out_file = tmp_path / "out.mp4"
    out_file.write_bytes(b"what was there before")
    for name, words in (
        ("missing.mp4", "no such file"), ("empty.mp4", "empty"), ("cut.mp4", "damaged"), ("noise.mp4", "damaged"),
        ("sound.m4a", "no video stream"), ("folder", "is a folder"),
    ):  # fmt: skip
        line = failing(capfd, "transcode", tmp_path / name, out_file, "--chip", CHIP)
        assert words in line
        assert name in line
    assert out_file.read_bytes() == b"what was there before"
    assert not list(tmp_path.glob(".*part"))


def test_absurd_sizes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "huge.y4m").write_bytes(b"YUV4MPEG2 W65520 H65520 F25:1 C420\nFRAME\n" + bytes(1000))
    line = failing(capfd, "encode", tmp_path / "huge.y4m", tmp_path / "o.264")
    assert "Picture size 65520x65520 is invalid" in line  # FFmpeg's words: it does not even open it
    (tmp_path / "wide.y4m").write_bytes(b"YUV4MPEG2 W8200 H16 F25:1 C420\nFRAME\n" + bytes(8200 * 24))
    assert "8200x16 is larger than 8192x8192" in failing(capfd, "encode", tmp_path / "wide.y4m", tmp_path / "o.264")
    (tmp_path / "small.y4m").write_bytes(b"YUV4MPEG2 W8 H8 F25:1 C420\nFRAME\n" + bytes(96))
    assert "smaller than 16x16" in failing(capfd, "encode", tmp_path / "small.y4m", tmp_path / "o.264")
    (tmp_path / "none.y4m").write_bytes(b"YUV4MPEG2 W0 H0 F25:1 C420\nFRAME\n")
    assert "none.y4m" in failing(capfd, "encode", tmp_path / "none.y4m", tmp_path / "o.264")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-crf", "23", "-b:v", "1M"], "option crf: does not go with b:v"),
        (["-preste", "fast"], "did you mean -preset?"),
        (["--ladderr", "720p"], "did you mean --ladder?"),
        (["-preset", "quick"], "option preset: 'quick' is not offered; one of fast, medium, slow"),
        (["-c:v", "hevc"], "option c:v: 'hevc' is not offered; one of h264"),
        (["-qp", "52"], "option qp: 52 is outside 0..51"),
        (["-qp", "many"], "option qp: 'many' is not a whole number"),
        (["-qp", "30", "-b:v", "1M"], "option qp: does not go with b:v"),
        (["-qp", "30", "--ladder", "360p@1M,180p@300k"], "option qp: every rung of the ladder has a bit rate"),
        (["-b:v", "2X"], "option b:v: '2X' is not a bit rate"),
        (["-g", "0"], "option g: 0 is outside 1..65535 pictures"),
        (["-level", "9"], "option level"),
        (["-level", "1", "-refs", "4", "--ladder", "360p"], "level"),
        (["-profile:v", "baseline", "-coder", "cabac"], "option coder: cabac needs"),
        (["--ladder", "720q"], "rung '720q'"),
        (["--ladder", "8p"], "outside 16"),
        (["--ladder", ","], "no rung"),
        (["-s", "99"], "option -s"),
        (["--frames", "0"], "option frames:v: 0 is below 1"),
        (["--frames", "abc"], "option frames:v: 'abc' is not a whole number"),
        (["--threads", "999"], "option threads: 999 is outside 1..256"),
        (["--chip", ""], "option chip: is empty"),
        (["--report", ""], "option --report: ''"),
        (["--chip", "vcux"], "did you mean 'vcu'?"),
        (["--chip", "no/chip.yaml"], "no/chip.yaml"),
        (["--report", "r.pdf"], "one of .html, .json, .txt"),
        (["--report", "no/such/r.json"], "does not exist"),
        (["third.mp4"], "3 file(s) given"),
    ],
)
def test_bad_options(tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], words: str) -> None:
    write_clip(tmp_path / "in.mp4", width=640, height=360, count=1)
    line = failing(capfd, "transcode", tmp_path / "in.mp4", tmp_path / "out.mp4", *options)
    assert words in line
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encode", "in.yuv", "out.264", "-s", "64x"], "option size: '64x' is not a size"),
        (["encode", "in.yuv", "out.264", "-s", "64x48", "-r", "0"], "option rate: 0 is outside 1/1000..1000 frames/s"),
        (["encode", "in.yuv", "out.264", "-s", "64x48", "-r", "abc"], "option rate: 'abc' is not a number"),
        (["encode", "in.yuv", "out.264", "-s", "640x480"], "10000 bytes are less than one picture of 640x480 (460800"),
        (["encode", "in.yuv", "out.264", "-s", "9999x9999"], "is larger than"),
        (["encode", "", "out.264"], "the name of the input is empty"),
        (["transcode", "in.yuv", ""], "the name of the output is empty"),
        (["scale", "in.yuv", "", "-s", "64x48"], "the name of the output is empty"),
        (["scale", "in.yuv", "o.y4m", "-s", "8x8", "--input-size", "64x48"], "option s: width 64 to 8 is not possible"),
    ],
)
def test_bad_raw_inputs_and_empty_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.yuv").write_bytes(bytes(10_000))
    assert said in failing(capfd, *words)
    assert [p.name for p in tmp_path.iterdir()] == ["in.yuv"]


def test_the_rest_after_whole_raw_pictures_is_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """10000 bytes are two pictures of 64x48 (4608 bytes each) and 784 more."""
    (tmp_path / "in.yuv").write_bytes(bytes(10_000))
    words = ["encode", str(tmp_path / "in.yuv"), str(tmp_path / "out.264"), "-s", "64x48", "--chip", CHIP, "-q"]
    assert run(words) == 0
    assert "the last 784 bytes are no whole picture of 64x48: left out" in capfd.readouterr().err
    assert len(frames(tmp_path / "out.264")) == 2


def test_no_command_shows_the_help_and_version_is_an_option_too(capfd: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["chips"]):
        assert run(words) == 2
        assert len(capfd.readouterr().err.splitlines()) > 5
    assert run(["--version"]) == 0
    assert capfd.readouterr().out.startswith("tasic ")


def test_bad_outputs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "in.mp4", count=1)
    for name, words in (
        ("no/such/out.mp4", "does not exist"), ("out.mp5", "did you mean .mp4"), ("out", "no suffix"),
        ("in.mp4", "is the input itself"),
    ):  # fmt: skip
        assert words in failing(capfd, "transcode", tmp_path / "in.mp4", tmp_path / name, "--chip", CHIP)
    assert len(frames(tmp_path / "in.mp4")) == 1


def test_bad_chip_file_is_named_with_line_and_near_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from importlib import resources

    text = resources.files("asic_model.chips").joinpath("tiny.yaml").read_text()
    write_clip(tmp_path / "in.mp4", count=1)
    (tmp_path / "c.yaml").write_text(text.replace("core_mhz:", "core_mhx:", 1))
    line = failing(capfd, "transcode", tmp_path / "in.mp4", tmp_path / "o.mp4", "--chip", tmp_path / "c.yaml")
    assert "core_mhx" in line
    assert "core_mhz" in line
    assert run(["chips", "validate", str(tmp_path / "c.yaml")]) == 1


# ------------------------------------------------------------------------------------- interrupts, full disks


def tasic(*arguments: object, **options: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]


def test_help_is_quick_and_imports_no_numba() -> None:
    code = "import sys; from cli.main import run; run(['--help']); print('numba' in sys.modules or 'av' in sys.modules)"
    best = 9.0
    for _ in range(3):
        began = time.process_time(), os.times().children_user + os.times().children_system
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        best = min(best, os.times().children_user + os.times().children_system - began[1])
    assert done.stdout.splitlines()[-1] == "False"
    assert best <= 0.3, f"{best:.2f} s of processor time"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_work_leaves_no_half_file(tmp_path: Path, number: signal.Signals) -> None:
    write_clip(tmp_path / "in.mp4", width=320, height=240, count=400)
    out = tmp_path / "out.mp4"
    out.write_bytes(b"old")
    # Kernels first: the signal shall strike the work, not their compilation.
    short = tasic("transcode", tmp_path / "in.mp4", tmp_path / "short.mp4", "-q", "--frames", "6")
    said = short.communicate(timeout=400)[1]
    assert short.returncode == 0, said
    (tmp_path / "short.mp4").unlink()
    job = tasic("transcode", tmp_path / "in.mp4", out, "-q")
    limit = time.monotonic() + 240
    while not list(tmp_path.glob(".out.mp4.*part")) and time.monotonic() < limit and job.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    job.send_signal(number)
    err = job.communicate(timeout=120)[1]
    assert job.returncode == 128 + number, err
    assert "Traceback" not in err
    assert out.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_does_not_wait_for_the_compiler(tmp_path: Path, number: signal.Signals) -> None:
    """With no kernel in the store a run compiles for half a minute and more; ended here after 0.02 to 0.14 s."""
    write_clip(tmp_path / "in.mp4", width=160, height=96, count=20)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    environment.pop("TASIC_QUIET_COMPILE", None)
    job = tasic("transcode", tmp_path / "in.mp4", tmp_path / "out.mp4", "-q", env=environment)
    assert job.stderr is not None
    assert "compiling kernels" in job.stderr.readline()
    time.sleep(3.0)
    assert job.poll() is None
    began = time.monotonic()
    job.send_signal(number)
    err = job.communicate(timeout=120)[1]
    assert time.monotonic() - began < 5.0
    assert job.returncode == 128 + number, err
    assert "Traceback" not in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4", "kernels"]


@pytest.mark.parametrize("suffix", [".mp4", ".264", ".mkv"])
def test_a_full_disk_keeps_the_old_file(tmp_path: Path, suffix: str) -> None:
    """A file size limit makes writes fail as a full disk does: in the middle, with an error from the system."""
    write_clip(tmp_path / "in.mp4", width=160, height=96, count=20)
    out = tmp_path / f"out{suffix}"
    out.write_bytes(b"old")

    # the first run, without a limit, fills the kernel cache, which could not be written under it
    code = """
import resource, signal, sys
from cli.main import run
source, first, out = sys.argv[1:]
options = ["-qp", "10", "-q", "--chip", "tiny"]
assert run(["transcode", source, first, *options]) == 0
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
sys.exit(run(["transcode", source, out, *options]))
"""
    first = tmp_path / f"first{suffix}"
    job = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "in.mp4"), str(first), str(out)], capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    err = job.stderr
    first.unlink()
    assert job.returncode == 1, err
    assert "File too large" in err
    assert "Traceback" not in err
    assert out.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["in.mp4", f"out{suffix}"])


def test_read_only_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    write_clip(tmp_path / "in.mp4", count=1)
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    assert "no permission" in failing(capfd, "transcode", tmp_path / "in.mp4", folder / "o.mp4", "--chip", CHIP)


def test_the_small_commands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "in.mp4", count=2, audio=True)
    assert run(["version"]) == 0
    assert run(["chips", "list"]) == 0
    assert run(["chips", "show", "vcu"]) == 0
    assert run(["chips", "validate", "edge"]) == 0
    assert run(["doctor"]) == 0
    assert run(["info", CHIP]) == 0
    assert run(["info", str(tmp_path / "in.mp4")]) == 0
    out = capfd.readouterr().out
    for words in ("tasic 0.", "vcu", "clocks.core_mhz", "edge: good", "firmware image", "encode cores", "64x48", "aac"):
        assert words in out


# ------------------------------------------------------------------------------------------------------- RTL


def test_timing_table_changes_the_stage_and_says_so(tmp_path: Path) -> None:
    """1000 cycles of deblocking a macroblock, as a table says: the report has them, and where they come from."""
    write_clip(tmp_path / "in.mkv", durations=[40, 40])
    table = {
        "kind": "tasic-timing",
        "format": 1,
        "stage": "deblock",
        "block": "slow_filter",
        "law": {"constant": 1000.0},
        "not_covered": ["chroma edges", "boundary strengths"],
    }
    (tmp_path / "slow.json").write_text(json.dumps(table))
    command = ["transcode", str(tmp_path / "in.mkv"), str(tmp_path / "out.264"), "--chip", CHIP, "-q"]
    report = tmp_path / "report.json"
    assert run([*command, "--timing-from", str(tmp_path / "slow.json"), "--report", str(report)]) == 0
    found = json.loads(report.read_text())
    stages = {stage["name"]: stage for stage in found["cores"]["encode"]["stages"]}
    assert stages["deblock"]["cycles_mean"] == 1000
    assert stages["deblock"]["timing_not_covered"] == "chroma edges, boundary strengths"
    said = [line for line in found["run"]["warnings"] if "deblock was not measured with chroma edges" in line]
    assert len(said) == 1
    assert (stages["deblock"]["exactness"], stages["deblock"]["timing_from"]) == ("measured on RTL", "slow_filter")
    assert "timing_from" not in stages["transform"]


def test_mistakes_with_rtl_are_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Timing tables, adapters and engines that cannot be used are named."""
    write_clip(tmp_path / "in.mkv", durations=[40])
    (tmp_path / "t.json").write_text("{}")
    line = failing(capfd, "transcode", tmp_path / "in.mkv", tmp_path / "o.264", "--timing-from", tmp_path / "t.json")
    assert "option --timing-from" in line
    assert "is no timing table" in line
    assert "cannot be read" in failing(capfd, "rtl", "check", "--adapter", tmp_path / "none.yaml")
    (tmp_path / "a.yaml").write_text("adapter: 1\ntop: x\nblok: {}\n")
    assert "rtl check" in failing(capfd, "rtl", "check", "--adaptor", tmp_path / "a.yaml")
    assert "did you mean 'transform'?" in failing(capfd, "rtl", "run", "transfrom")


def test_two_passes_from_one_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Both passes' pictures are there once, nothing else is left; what goes with it not is named."""
    write_clip(tmp_path / "in.mkv", width=96, height=64, count=20, codec="ffv1", audio=True)
    before = set(tmp_path.iterdir())
    words = ["transcode", str(tmp_path / "in.mkv"), str(tmp_path / "out.mkv"), "--chip", CHIP, "-q", "-b:v", "100k"]
    assert run([*words, "--two-pass"]) == 0
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out.mkv"}
    assert len(frames(tmp_path / "out.mkv")) == 20
    assert "option pass: does not go with --two-pass" in failing(capfd, *words, "--two-pass", "-pass", "1")
    assert "needs a mean bit rate" in failing(capfd, *words[:-2], "--two-pass")


def test_options_of_other_encoders(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "in.mp4", width=64, height=64, count=3)
    for name, words in (("own", "-crf 30 -bf 0 -rc-lookahead 0"), ("nvenc", "-rc vbr -cq 30 -b:v 0 -tune ll")):
        options = words.split()
        code = run(["encode", str(tmp_path / "in.mp4"), str(tmp_path / f"{name}.264"), "--chip", CHIP, "-q", *options])
        assert code == 0, capfd.readouterr().err
    assert (tmp_path / "own.264").read_bytes() == (tmp_path / "nvenc.264").read_bytes()
    said = failing(capfd, "encode", tmp_path / "in.mp4", tmp_path / "no.264", "-surfaces", "8")
    assert "unknown option -surfaces: use -async_depth" in said
