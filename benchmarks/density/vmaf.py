"""VMAF through an FFmpeg program that a Python package carries (`pip install tasic[vmaf]`); absent otherwise."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np


@lru_cache(maxsize=None)
def program() -> str | None:
    """Path of an FFmpeg program that has libvmaf, None where no package brings one."""
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    path = str(imageio_ffmpeg.get_ffmpeg_exe())
    listed = subprocess.run([path, "-hide_banner", "-filters"], capture_output=True, text=True, check=False).stdout
    return path if " libvmaf " in listed else None


def version() -> str:
    """First line of what the program says of itself."""
    path = program()
    if path is None:
        return "not installed"
    said = subprocess.run([path, "-hide_banner", "-version"], capture_output=True, text=True, check=False).stdout
    return said.partition("\n")[0] or "unknown"


def score(reference: Sequence[np.ndarray], distorted: Sequence[np.ndarray], width: int, height: int) -> float | None:
    """Mean VMAF (the program's default model) over pictures of planar 4:2:0; None where `program` is absent."""
    path = program()
    if path is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        inputs: list[str] = []
        for name, frames in (("distorted", distorted), ("reference", reference)):
            file = Path(folder, f"{name}.yuv")
            with file.open("wb") as out:
                for frame in frames:
                    out.write(frame.tobytes())
            inputs += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-i", str(file)]
        graph = "[0:v][1:v]libvmaf=log_fmt=json:log_path=vmaf.json"
        done = subprocess.run(
            [path, "-hide_banner", "-nostdin", *inputs, "-lavfi", graph, "-f", "null", "-"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"VMAF: {done.stderr.strip().splitlines()[-1:]}")
        pooled = json.loads(Path(folder, "vmaf.json").read_text())["pooled_metrics"]
        return float(pooled["vmaf"]["mean"])
