"""The chip's side: its curves through the driver, and its capacity from the throughput simulation."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks import measure, model
from benchmarks.density.clips import SourceClip
from benchmarks.density.curves import Point, make_point
from benchmarks.density.store import Store

_PACKAGES = ("asic_model", "driver", "firmware")


@dataclass(frozen=True)
class Capacity:
    """What one chip sustains of a job: output Mpix a second, real-time streams of the clip, what binds.

    error   relative, of the cycles behind it (docs/density.md)
    """

    mpix_per_s: float
    streams: int
    binds: str
    error: float


@lru_cache(maxsize=None)
def version() -> str:
    """SHA-256 over everything that decides a stream: sources, chip descriptions, firmware image."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    for package in _PACKAGES:
        for file in sorted((root / package).rglob("*")):
            if file.suffix in (".py", ".yaml", ".bin", ".json"):
                digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def chip_key(chip: str) -> str:
    """A chip's name, or the content of its description where it is a file."""
    path = Path(chip)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else chip


def curve(
    clip: SourceClip, planes: list[np.ndarray], chip: str, preset: str, qps: Sequence[int], store: Store
) -> list[Point]:
    """Encode the clip on the chip at every QP, decode with FFmpeg, compare with the source."""
    reference = measure.Clip(clip.name, clip.width, clip.height, clip.rate, planes)
    points = []
    for qp in qps:
        key = {"what": "chip", "clip": clip.digest, "chip": chip_key(chip), "preset": preset, "qp": qp}
        key["version"] = version()
        known = store.get(key)
        if known is None:
            encoded = model.encode(reference, qp, chip=chip, preset=preset).encoded
            decoded = measure.decode(encoded.stream)
            known = asdict(make_point(clip, planes, qp, encoded.slice_bytes, decoded))
            store.put(key, known)
        points.append(Point(**known))
    return points
