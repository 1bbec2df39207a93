"""The chip's side: its curves through the driver, and its capacity from the throughput simulation."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from asic_model.workload import capacity as throughput
from asic_model.workload.workload import ArrivalConfig, SessionConfig, SourceConfig, WorkloadConfig
from benchmarks import measure, model
from benchmarks.density.clips import CannotJudge, SourceClip
from benchmarks.density.curves import Point, make_point
from benchmarks.density.store import Store
from driver.device import Device
from driver.errors import UnsupportedInput
from driver.media.chip_reader import ChipReader, TimedPicture
from driver.media.source import Source
from driver.options import EncoderConfig, PlannedRung

_PACKAGES = ("asic_model", "driver", "firmware")


# What the throughput model is held to against published chips (docs/published.md): a prediction's error.
MODEL_ERROR = 0.15
PATIENCE_MS = 1000.0  # a live stream's picture may take so long: throughput binds, not latency


@dataclass(frozen=True)
class Capacity:
    """What one chip sustains of a job: output Mpix a second, real-time streams of the clip, what binds.

    error     relative: the larger of the throughput model's and of the engines' against RTL, where benches were run
    decoded   "on the chip", or "on the host"
    """

    mpix_per_s: float
    streams: int
    binds: str
    error: float
    decoded: str


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


def capacity(clip: SourceClip, rungs: Sequence[PlannedRung], chip: str, preset: str, qp: int, store: Store) -> Capacity:
    """The most real-time copies of the transcode that the chip sustains, from a recorded run of it.

    Raises CannotJudge when the chip does not hold one.
    """
    sizes = [[rung.width, rung.height] for rung in rungs]
    key = {"what": "capacity", "clip": clip.digest, "chip": chip_key(chip), "preset": preset, "qp": qp, "rungs": sizes}
    key["version"] = version()
    known = store.get(key)
    if known is None:
        trace, decoded = _record(clip, rungs, chip, preset, qp)
        store.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=store.folder, suffix=".trace") as file:
            trace.write(file)
            file.flush()
            workload = WorkloadConfig(
                name=clip.name,
                sessions=(
                    SessionConfig(
                        name=clip.name,
                        source=SourceConfig(trace=file.name, fps=float(clip.rate)),
                        arrival=ArrivalConfig(kind="file", deadline_ms=PATIENCE_MS),
                    ),
                ),
            )
            found = throughput.capacity(workload, chip)
        if not found.streams:
            raise CannotJudge(f"{chip}: {found.explain()}")
        output = sum(rung.width * rung.height for rung in rungs) * float(clip.rate) / 1e6
        known = {
            "mpix_per_s": found.streams * output,
            "streams": found.streams,
            "binds": found.binds,
            "decoded": decoded,
        }
        store.put(key, known)
    return Capacity(error=max(MODEL_ERROR, *_rtl_errors(), 0.0), **known)


def _rtl_errors() -> list[float]:
    """Relative errors of the engines' cycles against RTL, as far as benches left records here."""
    from rtl_tests import accuracy, simulator

    folder = simulator.records_folder()
    return [abs(line.total_error) for line in accuracy.summary(folder) if line.vectors] if folder.is_dir() else []


def _record(clip: SourceClip, rungs: Sequence[PlannedRung], chip: str, preset: str, qp: int) -> tuple[Any, str]:
    """Transcode once on the model, decoded on the chip where it can; return (WorkTrace, where it was decoded)."""
    config = EncoderConfig(width=rungs[0].width, height=rungs[0].height, fps=clip.rate, qp=qp, preset=preset)
    for on_chip in (True, False):
        with Source(clip.path, limit=clip.frames) as source, Device.open(f"model:{chip}", record=True) as device:
            if on_chip:
                if not device.capabilities.decode_cores or source.interlaced or source.chip_refusal():
                    continue
                source.use_chip()
            try:
                _transcode(device, source, config, list(rungs), on_chip)
            except UnsupportedInput:
                if on_chip:
                    continue
                raise
            if source.pictures != clip.frames:
                raise CannotJudge(f"{clip.name}: {source.pictures} of {clip.frames} pictures came through the chip")
            backend: Any = device.backend
            meta = {"source_name": clip.name, "fps": float(clip.rate), "frames": clip.frames, "preset": preset}
            return backend.work_trace(meta), "on the chip" if on_chip else "on the host"
    raise AssertionError("the host decodes whatever FFmpeg opens")


def _transcode(device: Device, source: Source, config: EncoderConfig, rungs: list[PlannedRung], on_chip: bool) -> None:
    extradata = source.extradata if on_chip else None
    with device.open_transcoder(
        config, rungs, width=source.width, height=source.height, decode=on_chip, extradata=extradata
    ) as session:
        if session.decoder is None:
            for _ in session.transcode(source.pictures_only()):
                pass
            return
        for item in ChipReader(source, session.decoder).items():
            if not isinstance(item, TimedPicture):
                continue
            while not session.has_room:
                session.receive_packet(timeout_us=None)
            session.send_decoded(item.picture, item.pts, item.duration, item.time_base)
        for _ in session.drain():
            pass
