"""The decode core against the conformance streams and decoders' own test streams of the media folder.

One line a stream: exact (the MD5 of all frames in output order is the published one, or FFmpeg's where none is
published), refused (with the reason), or differs. Streams that FFmpeg itself reports as damaged have no truth: they are
decoded and what was concealed is shown.
"""

import hashlib

from benchmarks import measure
from driver.backends.core import CoreTarget
from driver.decode import H264Decoder
from driver.errors import UnsupportedInput

FOLDERS = ("h264_conformance", "h264_micro", "h264_other")


def expectations() -> list[tuple[str, str, str]]:
    """(folder/file, MD5, what vouches for it) of each row of the folder's INDEX.md."""
    found = []
    folder = ""
    for line in (measure.media_dir() / "INDEX.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            folder = line[3:].split("/")[0]
        cells = [cell.strip() for cell in line.split("|")]
        if folder in FOLDERS and len(cells) > 10 and cells[9].startswith("`"):
            found.append((f"{folder}/{cells[1]}", cells[9].strip("`"), cells[10]))
    return found


def decode(name: str) -> tuple[str, int, dict[str, int]]:
    """(MD5 of all frames, frames, what was damaged and concealed)."""
    target = CoreTarget()
    decoder = H264Decoder(target)
    digest = hashlib.md5()
    frames = 0
    for part in (decoder.feed((measure.media_dir() / name).read_bytes()), decoder.flush()):
        for frame in part:
            for plane in target.planes(frame):
                digest.update(plane.tobytes())
            decoder.release(frame)
            frames += 1
    counts = {**decoder.counters, **target.counters}
    wanted = ("damaged_slices", "impossible_modes", "concealed", "bad_", "before_start")
    return digest.hexdigest(), frames, {key: n for key, n in counts.items() if n and key.startswith(wanted)}


def main() -> None:
    parser = measure.parser("conformance", __doc__)
    parser.add_argument("--only", default="", help="streams whose name contains this")
    arguments = parser.parse_args()
    print(measure.statement(), end="\n\n")
    totals: dict[str, int] = {}
    for name, md5, truth in expectations():
        if arguments.only not in name:
            continue
        try:
            found, frames, damage = decode(name)
            if found == md5:
                verdict = "exact"
            else:
                verdict = "differs" if truth in ("published", "ffmpeg only") else "no truth"
            text = f"{frames} frames" + (f", {damage}" if damage else "")
        except UnsupportedInput as error:
            verdict, text = "refused", str(error)
        totals[verdict] = totals.get(verdict, 0) + 1
        print(f"{verdict:9} {name:58} {truth[:11]:11} {text}", flush=True)
    print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in sorted(totals.items())))


if __name__ == "__main__":
    main()
