"""The code on docs/recipes.md and docs/bmf.md runs as it stands, that on other pages with what it says it has."""

import importlib.util
import re
import shlex
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner

from cli.main import tasic
from driver.options import EncoderConfig
from tests.driver import bmf_double
from tests.driver.test_device import clip
from tests.driver.test_serve import served

PAGES = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.S)


PAGE = (PAGES / "recipes.md").read_text(encoding="utf-8")
PYTHON, BMF = blocks("recipes.md"), blocks("bmf.md")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a small in.mp4, as the page says."""
    monkeypatch.chdir(tmp_path)
    with av.open("in.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(6):
            planar = np.full((144, 128), 100, np.uint8)
            planar[20:60, 10 * number : 10 * number + 30] = 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planar, format="yuv420p")))
        container.mux(stream.encode(None))
    return tmp_path


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python(folder, number):
    run("recipes.md", number)


def run(page: str, number: int, **given) -> dict:
    """Run a block of a page; what it left."""
    names = {"__name__": "recipe", **given}
    exec(compile(blocks(page)[number], f"{page}, block {number}", "exec"), names)
    return names


@pytest.mark.parametrize("library", ["double", "real"])
def test_bmf_encoder(folder, monkeypatch, library):
    choose(library, monkeypatch)
    (folder / "out.264").write_bytes(run("bmf.md", 0)["stream"])
    with av.open("out.264", format="h264") as container:
        assert sum(1 for _ in container.decode(video=0)) == 6


@pytest.mark.parametrize("library", ["double", "real"])
def test_bmf_ladder(folder, monkeypatch, library):
    choose(library, monkeypatch)
    run("bmf.md", 1)
    for number in range(2):
        with av.open(f"small{number}.mp4") as container:
            assert [frame.width for frame in container.decode(video=0)] == [32] * 6


def choose(library: str, monkeypatch) -> None:
    if library == "double":
        bmf_double.install(monkeypatch)
    elif importlib.util.find_spec("bmf") is None:
        pytest.skip("BMF does not import here: docs/bmf.md says how to get it")


def test_driver_page(capsys):
    run("driver.md", 0, pictures=[picture_of_720p()])
    assert capsys.readouterr().out.startswith("0 True ")


def picture_of_720p():
    return np.full((1080, 1280), 90, np.uint8)


def test_serve_page(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    config = EncoderConfig(width=80, height=48, preset="fast")
    with served(tmp_path / "tasic" / "tasic0.sock"):
        names = run("serve.md", 0, config=config, pictures=clip(3))
    assert len(names["packets"]) == 3


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(folder, line):
    words = shlex.split(line)
    assert words[0] == "tasic"
    result = CliRunner().invoke(tasic, words[1:])
    assert result.exit_code == 0, result.output
    made = [path for path in folder.glob("*.mp4") if path.name != "in.mp4"]
    assert made
    for path in made:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 6


def test_the_page_has_them_all():
    assert len(PYTHON) == 4
    assert len(BMF) == 2
    assert [len(blocks(page)) for page in ("driver.md", "serve.md")] == [1, 1]
    assert len(COMMANDS) == 2
