"""`--device` and `--faults`: a command on a device that runs already, or on a chip that fails."""

import hashlib
from pathlib import Path

import av
import numpy as np
import pytest

from cli.main import run
from tests.cli.test_commands import failing
from tests.driver.test_serve import served


@pytest.fixture
def clip(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with av.open("in.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(6):
            planar = np.full((96, 96), 90, np.uint8)
            planar[10:40, 8 * number : 8 * number + 30] = 210
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planar, format="yuv420p")))
        container.mux(stream.encode(None))
    return tmp_path


def made(name: str, *words: str) -> str:
    """Digest of what a command writes to `name`, the last of its words before the options."""
    assert run([*words, "-q"]) == 0
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def test_a_device_that_runs_already_gives_the_same(clip, capfd):
    path = clip / "d.sock"
    with served(path):
        for name, words in {
            "a.264": ("transcode", "in.mp4", "a.264", "-qp", "30"),
            "b.264": ("encode", "in.mp4", "b.264", "-qp", "30"),
            "c.yuv": ("decode", "in.mp4", "c.yuv"),
            "d.y4m": ("scale", "in.mp4", "d.y4m", "-s", "48x32"),
        }.items():
            own = made(name, *words, "--chip", "tiny")
            assert made(name, *words, "--device", f"remote:{path}") == own, words[0]
        for option, value in (("--trace", "t.json"), ("--report", "r.json"), ("--threads", "2")):
            said = failing(capfd, "transcode", "in.mp4", "e.264", "--device", f"remote:{path}", option, value)
            assert f"option {option[2:]}: of a chip of this command's own" in said
    assert "no daemon listens" in failing(capfd, "transcode", "in.mp4", "e.264", "--device", f"remote:{path}")
    assert not Path("e.264").exists()


@pytest.mark.parametrize(
    "fault",
    [
        "{kind: firmware_trap, at_us: 0}",  # before the driver has seen the chip at all
        "{kind: firmware_stuck, at_us: 100}",
        "{kind: firmware_trap, at_us: 2000}",
        "{kind: engine_hang, job: 3, macroblock: 5}",
        "{kind: slow_core, job: 2, factor: 30}",
        "{kind: lost_doorbell, job: 2}",
        "{kind: bit_flip, at_us: 500, address: 0x300000, bits: 1}",
    ],
)
def test_a_chip_that_recovers_gives_the_same(clip, fault):
    good = made("good.mp4", "transcode", "in.mp4", "good.mp4", "--chip", "tiny", "-qp", "30")
    Path("faults.yaml").write_text(f"faults: [{fault}]")
    words = ("transcode", "in.mp4", "bad.mp4", "--chip", "tiny", "-qp", "30", "--faults", "faults.yaml")
    assert made("bad.mp4", *words) == good


def test_a_chip_that_does_not_is_said_in_one_line(clip, capfd):
    for text, said in (
        ("faults: [{kind: removal, at_us: 0}]", "tiny"),
        ("faults: [{kind: meltdown}]", "'meltdown' is not one of engine_hang"),
        ("faults: [{kind: link_drop, when: 3}]", "unknown field 'when'"),
        ("{", "faults.yaml"),
    ):
        Path("faults.yaml").write_text(text)
        assert said in failing(capfd, "transcode", "in.mp4", "x.mp4", "--chip", "tiny", "--faults", "faults.yaml", "-q")
        assert not Path("x.mp4").exists()
