"""Memory of the host: peak resident size of a 1080p encode through the chip, and whether it grows with the frames.

Each figure comes from a process of its own, which decodes the clip again and again as it goes along, so that no frame
is kept. A first process compiles the kernels into an empty cache, which the others use. Goals: below 1.5 GB at 1080p,
and flat in the number of frames.
"""

import itertools
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from benchmarks import measure

CLIP = "aosp_crowd"


def endless(path: str) -> Iterator[np.ndarray]:
    """Yield the frames of a clip as planar 4:2:0, from the start again after the last."""
    while True:
        with av.open(path) as container:
            for frame in container.decode(video=0):
                planar = frame.reformat(frame.width // 2 * 2, frame.height // 2 * 2, "yuv420p")
                yield np.ascontiguousarray(planar.to_ndarray())


def encode(name: str, frames: int, chip: str, qp: int) -> None:
    """Encode `frames` frames in this process and print its peak resident size [KiB]."""
    from benchmarks import model
    from driver.device import Device
    from driver.encode_session import EncodeSession

    clip = measure.read_clip(name, 1)
    source = itertools.islice(endless(str(measure.find_clip(name))), frames)
    with (
        Device.open(f"model:{chip}", host_threads=1) as device,
        EncodeSession(device, model.configure(clip, qp)) as session,
    ):
        size = sum(len(packet.data) for packet in session.encode(model.pictures(source, Fraction(clip.rate))))
    print(clip.width, clip.height, size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> None:
    parser = measure.parser("memory_use", __doc__)
    parser.add_argument("--clip", default=CLIP, help=f"file, or beginning of a name in the test media (default {CLIP})")
    parser.add_argument("--frames", type=int, nargs="+", default=[8, 32, 96], help="lengths (default 8 32 96)")
    parser.add_argument("--qp", type=int, default=27, help="QP (default 27)")
    parser.add_argument("--chip", default="vcu", help="chip description (default vcu)")
    parser.add_argument(
        "--here", type=int, metavar="N", help="encode N frames in this process and print the raw figures"
    )
    arguments = parser.parse_args()
    if arguments.here:
        encode(arguments.clip, arguments.here, arguments.chip, arguments.qp)
        return
    print(measure.statement(), "\n")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for frames in [1, *arguments.frames]:
            command = [sys.executable, "-m", "benchmarks.memory_use", "--here", str(frames)]
            command += ["--clip", arguments.clip, "--chip", arguments.chip, "--qp", str(arguments.qp)]
            done = subprocess.run(
                command, cwd=measure.PROJECT_DIR, env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            width, height, size, peak_kib = map(int, done.stdout.split())
            peaks.append(peak_kib / 1024)
            what = "compiling kernels" if len(peaks) == 1 else f"{size} bytes of stream"
            print(f"{width}x{height}, {frames:4} frames ({what}): peak {peaks[-1]:.0f} MiB", flush=True)
    del peaks[0]
    grown = (peaks[-1] - peaks[0]) / (arguments.frames[-1] - arguments.frames[0]) if len(peaks) > 1 else 0.0
    print(f"growth from the shortest to the longest run: {grown:+.2f} MiB a frame")


if __name__ == "__main__":
    main()
