"""Surfaces: where the samples of one picture stand in device memory.

Planar 4:2:0, 8 bits: luma, then Cb, then Cr, each plane with its own pitch (H.264 6.2; I420 order).
"""

from typing import NamedTuple

PITCH_ALIGNMENT_BYTES = 64
ADDRESS_ALIGNMENT_BYTES = 4096


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


def surface(width: int, height: int, address: int = 0) -> Surface:
    """Return the layout of a `width` x `height` picture at byte `address`: the one layout that all cores use."""
    pitch = -(-width // PITCH_ALIGNMENT_BYTES) * PITCH_ALIGNMENT_BYTES
    chroma_pitch = -(-((width + 1) // 2) // PITCH_ALIGNMENT_BYTES) * PITCH_ALIGNMENT_BYTES
    chroma_rows = (height + 1) // 2
    cb = address + pitch * height
    cr = cb + chroma_pitch * chroma_rows
    return Surface(width, height, address, pitch, chroma_pitch, cb, cr, cr + chroma_pitch * chroma_rows - address)
