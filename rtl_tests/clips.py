"""Vectors from clips: small pictures that the model's encode core codes, with what its engines saw on the way.

The clip is a crop of the test media where there is a media folder (TASIC_MEDIA, by default ../shared/media beside the
project), else generated texture in motion; `source_name()` says which, benches print it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from asic_model.codecs.h264.macroblock import Macroblocks
from asic_model.config import load_chip
from asic_model.cores.encode import EncodeJob
from asic_model.cores.encode.core import Recording
from asic_model.engines.entropy import SliceParameters
from tests.cores import encoding

WIDTH, HEIGHT = 176, 144
MEDIA_CLIP = "park_joy_720p50_60f.y4m"


@dataclass
class CodedPicture:
    """One picture of a clip as the model coded it. Planes are (Y, Cb, Cr), uint8, at coded size."""

    job: EncodeJob
    parameters: SliceParameters  # of the picture as one slice
    mbs: Macroblocks
    work: np.ndarray
    source: tuple[np.ndarray, ...]
    unfiltered: tuple[np.ndarray, ...]  # before deblocking
    filtered: tuple[np.ndarray, ...]
    search: dict[str, Any]  # of P pictures: settings, co-located vectors, results
    stream: bytes  # slices, with start codes


def media_folder() -> Path | None:
    folder = Path(os.environ.get("TASIC_MEDIA") or Path(__file__).resolve().parents[2] / "shared" / "media")
    return folder if folder.is_dir() else None


def _media_clip() -> Path | None:
    folder = media_folder()
    if folder is None:
        return None
    found = sorted(folder.rglob("*park_joy*")) + sorted(folder.rglob("*.y4m"))
    return found[0] if found else None


def has_media() -> bool:
    """Whether pictures come from a real clip."""
    return _media_clip() is not None


def source_name() -> str:
    clip = _media_clip()
    return clip.name if clip else "generated texture (no media folder)"


@lru_cache(maxsize=2)
def pictures(count: int) -> tuple[tuple[np.ndarray, ...], ...]:
    """`count` QCIF pictures in motion."""
    clip = _media_clip()
    if clip is None:
        return tuple(encoding.natural(WIDTH, HEIGHT, count, seed=5))
    import av

    found = []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            luma, chroma_u, chroma_v = (
                frame.reformat(width=WIDTH, height=HEIGHT, format="yuv420p").to_ndarray().reshape(-1),
            ) * 3
            area = WIDTH * HEIGHT
            found.append(
                (
                    luma[:area].reshape(HEIGHT, WIDTH).copy(),
                    chroma_u[area : area * 5 // 4].reshape(HEIGHT // 2, WIDTH // 2).copy(),
                    chroma_v[area * 5 // 4 :].reshape(HEIGHT // 2, WIDTH // 2).copy(),
                )
            )
            if len(found) == count:
                break
    return tuple(found)


def coded_pictures(
    *, cabac: int = 1, qp: int = 27, count: int = 2, effort: int = 1, clip: Any = None, **fields: int
) -> Iterator[CodedPicture]:
    """Code the first `count` pictures (I, P, ...) on the `tiny` chip's core and yield each with what was recorded."""
    recordings: list[Recording] = []
    config = load_chip("tiny").encode.core
    encoding.encode(
        list(clip or pictures(count)), qp=qp, entropy=cabac, effort=effort, config=config, recordings=recordings,
        **fields,
    )  # fmt: skip
    return map(_coded, recordings)


def _coded(recording: Recording) -> CodedPicture:
    job, source = recording.job, recording.source
    width, height = job.coded_width, job.coded_height
    place = job.reconstruction._replace(
        address=0,
        cb_address=job.reconstruction.cb_address - job.recon_address,
        cr_address=job.reconstruction.cr_address - job.recon_address,
    )
    shapes = ((source.y, height, width), (source.u, height // 2, width // 2), (source.v, height // 2, width // 2))
    return CodedPicture(
        job=job,
        parameters=recording.parameters,
        mbs=recording.mbs,
        work=recording.work,
        source=tuple(source.data[at : at + h * w].reshape(h, w) for at, h, w in shapes),
        unfiltered=encoding.planes(recording.unfiltered, place, width, height),
        filtered=encoding.planes(recording.filtered, place, width, height),
        search={
            "results": recording.search,
            "settings": recording.search_settings,
            "temporal": recording.temporal,
        },
        stream=recording.stream,
    )
