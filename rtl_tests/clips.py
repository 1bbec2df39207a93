"""Vectors from clips: small pictures that the model's encode core codes, with what its engines saw on the way.

The clip is a crop of the test media where there is a media folder (TASIC_MEDIA, by default ../shared/media beside the
project), else generated texture in motion; `source_name()` says which, benches print it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from asic_model.config import load_chip
from asic_model.cores.encode import core
from asic_model.engines.entropy import SliceParameters
from tests.cores import encoding

WIDTH, HEIGHT = 176, 144
MEDIA_CLIP = "park_joy_720p50_60f.y4m"


@dataclass
class CodedPicture:
    """One picture of a clip as the model coded it. Planes are (Y, Cb, Cr), uint8, at coded size."""

    job: Any  # EncodeJob
    parameters: SliceParameters  # of the picture as one slice
    mbs: Any  # Macroblocks
    work: np.ndarray
    source: tuple[np.ndarray, ...]
    unfiltered: tuple[np.ndarray, ...] = ()  # before deblocking
    filtered: tuple[np.ndarray, ...] = ()
    search: dict[str, Any] = field(default_factory=dict)  # of P pictures: settings, co-located vectors, results
    stream: bytes = b""  # slices, with start codes


def media_folder() -> Path | None:
    folder = Path(os.environ.get("TASIC_MEDIA") or Path(__file__).resolve().parents[2] / "shared" / "media")
    return folder if folder.is_dir() else None


def _media_clip() -> Path | None:
    folder = media_folder()
    if folder is None:
        return None
    found = sorted(folder.rglob("*park_joy*")) + sorted(folder.rglob("*.y4m"))
    return found[0] if found else None


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


def _planes(memory: np.ndarray, job: Any) -> tuple[np.ndarray, ...]:
    views = encoding._planes(memory, job.reconstruction, job.coded_width, job.coded_height)
    return tuple(view.copy() for view in views)


def coded_pictures(
    *, cabac: int = 1, qp: int = 27, count: int = 2, effort: int = 1, clip: Any = None, **fields: int
) -> Iterator[CodedPicture]:
    """Code the first `count` pictures (I, P, ...) on the `tiny` chip's core and yield each with what was recorded."""
    found: list[CodedPicture] = []
    code_picture, deblock, write_slices = core.code_picture, core._deblock, core.write_slices
    names = code_picture.py_func.__code__.co_varnames

    def note_search(*arguments: Any) -> None:
        code_picture(*arguments)
        found.append(_searched(dict(zip(names, arguments, strict=False))))

    def note_planes(memory: np.ndarray, job: Any, *rest: Any) -> None:
        found[-1].job = job
        found[-1].unfiltered = _planes(memory, job)
        deblock(memory, job, *rest)
        found[-1].filtered = _planes(memory, job)

    def note_slices(memory: np.ndarray, job: Any, *rest: Any) -> int:
        size = write_slices(memory, job, *rest)
        mbs = found[-1].mbs
        found[-1].mbs = type(mbs)(*(array.copy() for array in mbs))
        found[-1].work = rest[-1].copy()
        found[-1].stream = memory[job.out_address : job.out_address + size].tobytes()
        return size

    config = load_chip("tiny").encode.core
    with (
        mock.patch.object(core, "code_picture", note_search),
        mock.patch.object(core, "_deblock", note_planes),
        mock.patch.object(core, "write_slices", note_slices),
        mock.patch.object(encoding, "CONFIG", config),
    ):
        encoding.encode(list(clip or pictures(count)), qp=qp, entropy=cabac, effort=effort, **fields)
    yield from found


def _searched(arguments: dict[str, Any]) -> CodedPicture:
    """From what `code_picture` was called with."""
    p, source = arguments["p"], arguments["source"]
    height, width = 16 * p.mb_height, 16 * p.mb_width
    luma = source.data[source.y : source.y + width * height].reshape(height, width)
    chroma = [
        source.data[at : at + width * height // 4].reshape(height // 2, width // 2) for at in (source.u, source.v)
    ]
    return CodedPicture(
        job=None,
        parameters=arguments["entropy"],
        mbs=arguments["mbs"],
        work=arguments["work"],
        source=(luma.copy(), chroma[0].copy(), chroma[1].copy()),
        search={
            "results": arguments["search"],
            "settings": arguments["search_settings"][0],  # of the first reference
            "temporal": arguments["temporal"].copy(),
        },
    )
