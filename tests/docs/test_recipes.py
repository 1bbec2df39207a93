"""The code on docs/recipes.md runs as it stands."""

import re
import shlex
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner

from cli.main import tasic

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.S)
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
    exec(compile(PYTHON[number], f"recipes.md, block {number}", "exec"), {"__name__": "recipe"})


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
    assert len(COMMANDS) == 2
