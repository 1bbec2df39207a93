"""Surfaces: where the samples of one picture stand in device memory.

Planar 4:2:0, 8 bits: luma, then Cb, then Cr, each plane with its own pitch (H.264 6.2; I420 order).
"""

from functools import lru_cache
from typing import NamedTuple, Protocol

PITCH_ALIGNMENT_BYTES = 64
ADDRESS_ALIGNMENT_BYTES = 4096
_KEPT = 4096  # layouts; the same few surfaces are asked for many times a picture


class Surface(NamedTuple):
    """One picture in device memory: byte addresses and pitches, sizes in samples."""

    width: int
    height: int
    address: int  # of the first luma sample
    pitch: int  # bytes from one luma row to the next
    chroma_pitch: int
    cb_address: int
    cr_address: int
    size_bytes: int

    @property
    def chroma_width(self) -> int:
        return (self.width + 1) // 2

    @property
    def chroma_height(self) -> int:
        return (self.height + 1) // 2


def window(whole: Surface, left: int, top: int, width: int, height: int) -> Surface:
    """Return the `width` x `height` samples from (`left`, `top`), both even, of a surface as one of their own.

    Pitches stay the whole surface's; `size_bytes` too, since rows of the rest lie between.
    """
    return whole._replace(
        width=width,
        height=height,
        address=whole.address + top * whole.pitch + left,
        cb_address=whole.cb_address + top // 2 * whole.chroma_pitch + left // 2,
        cr_address=whole.cr_address + top // 2 * whole.chroma_pitch + left // 2,
    )


@lru_cache(maxsize=_KEPT)
def surface(width: int, height: int, address: int = 0) -> Surface:
    """Return the layout of a `width` x `height` picture at byte `address`: the one layout that all cores use."""
    pitch = -(-width // PITCH_ALIGNMENT_BYTES) * PITCH_ALIGNMENT_BYTES
    chroma_pitch = -(-((width + 1) // 2) // PITCH_ALIGNMENT_BYTES) * PITCH_ALIGNMENT_BYTES
    chroma_rows = (height + 1) // 2
    cb = address + pitch * height
    cr = cb + chroma_pitch * chroma_rows
    return Surface(width, height, address, pitch, chroma_pitch, cb, cr, cr + chroma_pitch * chroma_rows - address)


class HasSource(Protocol):
    """A job whose source may be a part of a larger surface: its last fields in the job block."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def src_address(self) -> int: ...
    @property
    def src_surface_width(self) -> int: ...
    @property
    def src_surface_height(self) -> int: ...
    @property
    def src_left(self) -> int: ...
    @property
    def src_top(self) -> int: ...


def source_surface(job: HasSource) -> Surface:
    """Return the surface that holds the job's source: as large as the source unless the job says otherwise."""
    if not job.src_surface_width:
        return surface(job.width, job.height, job.src_address)
    return surface(job.src_surface_width, job.src_surface_height, job.src_address)


def window_fault(job: HasSource) -> str | None:
    """Return the name of the field by which the job's source would leave its surface, or None."""
    whole_width, whole_height = job.src_surface_width, job.src_surface_height
    if whole_width and whole_width < job.width:
        return "src_surface_width"
    if (whole_height < job.height) if whole_width else whole_height:
        return "src_surface_height"
    if job.src_left % 2 or job.src_left > (whole_width - job.width if whole_width else 0):
        return "src_left"
    if job.src_top % 2 or job.src_top > (whole_height - job.height if whole_width else 0):
        return "src_top"
    return None
