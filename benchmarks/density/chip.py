"""The chip's side: its curves through the driver, and its capacity from the throughput simulation."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from asic_model.workload import capacity as throughput
from asic_model.workload.workload import ArrivalConfig, SessionConfig, SourceConfig, WorkloadConfig
from benchmarks import measure, model
from benchmarks.density import vmaf
from benchmarks.density.clips import CannotJudge, SourceClip
from benchmarks.density.curves import Point, make_point
from benchmarks.density.store import Store
from driver.device import Device
from driver.errors import UnsupportedInput
from driver.media.chip_reader import ChipReader, TimedPicture
from driver.media.source import Source
from driver.options import EncoderConfig, PlannedRung

_PACKAGES = ("asic_model", "driver", "firmware")
PATIENCE_MS = 1000.0  # a live stream's picture may take so long: throughput binds, not latency


@dataclass(frozen=True)
class Capacity:
    """What one chip sustains of a job: output Mpix a second, real-time streams of the clip, what binds.

    low, high what a chip so described may do lies within these of it, relative: its engines' errors against RTL, of
              memory and of firmware, carried through to what binds (asic_model/error_bars.py)
    terms     each resource's own error with its reason, the one that decides `low` first
    set_aside limits that are merely assumed and did not decide, with the streams at which they would have stopped
    decoded   "on the chip", or "on the host"
    """

    mpix_per_s: float
    streams: int
    binds: str
    low: float
    high: float
    terms: list[dict[str, Any]]
    set_aside: dict[str, float]
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


def point(clip: SourceClip, planes: list[np.ndarray], chip: str, preset: str, qp: int, store: Store) -> Point:
    """Encode the clip on the chip at one QP, decode with FFmpeg, compare with the source."""
    key = {"what": "chip", "clip": clip.digest, "chip": chip_key(chip), "preset": preset, "qp": qp}
    key |= {"version": version(), "vmaf": vmaf.program() is not None}
    known = store.get(key)
    if known is None:
        reference = measure.Clip(clip.name, clip.width, clip.height, clip.rate, planes)
        encoded = model.encode(reference, qp, chip=chip, preset=preset).encoded
        decoded = measure.decode(encoded.stream)
        known = asdict(make_point(clip, planes, qp, encoded.slice_bytes, decoded))
        store.put(key, known)
    return Point(**known)


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
        file = store.scratch(key)
        try:
            with file.open("wb") as out:
                trace.write(out)
            workload = WorkloadConfig(
                name=clip.name,
                sessions=(
                    SessionConfig(
                        name=clip.name,
                        source=SourceConfig(trace=str(file), fps=float(clip.rate)),
                        arrival=ArrivalConfig(kind="file", deadline_ms=PATIENCE_MS),
                    ),
                ),
            )
            found = throughput.capacity(workload, chip)
        finally:
            file.unlink(missing_ok=True)
        if not found.streams:
            raise CannotJudge(f"{chip}: {found.explain()}")
        output = sum(rung.width * rung.height for rung in rungs) * float(clip.rate) / 1e6
        known = {
            "mpix_per_s": found.streams * output,
            "streams": found.streams,
            "binds": found.binds,
            **found.error.record(),
            "set_aside": found.set_aside,
            "decoded": decoded,
        }
        store.put(key, known)
    return Capacity(**known)


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
