"""Reference pictures as the searches read them: padded luma at whole and half positions, and at 1/4 resolution.

Making them costs as much as coding a few hundred macroblocks, so they are kept between jobs. A kept picture is used
only if the samples in device memory still equal those it was made from, so it can never be stale, whoever wrote the
memory in between; what device memory says is what counts.
"""

import threading
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from asic_model.engines.fractional_search import ReferencePlanes
from asic_model.engines.inter_prediction import half_sample_planes
from asic_model.engines.motion_search import GUARD_BYTES, PAD_PX, Plane, decimate
from asic_model.kernel_cache import kernel
from asic_model.memory.frame_compression import KnownTiles, tile_bytes
from asic_model.memory.surface import Surface
from asic_model.simd.compare import unequal

KEPT = 12  # pictures


class ReferencePicture(NamedTuple):
    """One reference; arrays are never written again once made."""

    luma: ReferencePlanes
    quarter: Plane


_tiles: OrderedDict[tuple[int, int, int], tuple[np.ndarray, np.ndarray]] = OrderedDict()  # samples, sizes
_kept: OrderedDict[tuple[int, int, int], ReferencePicture] = OrderedDict()
_lock = threading.Lock()


def quarter_plane(luma: Plane, width: int, height: int, pad: int) -> Plane:
    """Return the picture at 1/4 resolution with pad / 4 samples of the padding; `luma` has `pad` samples of it."""
    columns, rows = (width + 2 * pad) // 4, (height + 2 * pad) // 4
    data = np.zeros(columns * rows + GUARD_BYTES, np.uint8)
    decimate(luma.data, luma.offset - pad * luma.stride - pad, luma.stride, columns, rows, data, 0, columns)
    return Plane(data, pad // 4 * columns + pad // 4, columns)


def _view(memory: np.ndarray, surface: Surface) -> np.ndarray:
    """Luma of a surface as uint8[height, width]."""
    rows = memory[surface.address : surface.address + surface.pitch * surface.height]
    return rows.reshape(surface.height, surface.pitch)[:, : surface.width]


def make_reference(memory: np.ndarray, surface: Surface) -> ReferencePicture:
    """Pad the luma that stands at `surface`, filter its half positions and shrink it."""
    width, height = surface.width, surface.height
    stride = width + 2 * PAD_PX
    plane_bytes = stride * (height + 2 * PAD_PX)
    data = np.empty(4 * plane_bytes + GUARD_BYTES, np.uint8)
    data[4 * plane_bytes :] = 0
    offset = PAD_PX * stride + PAD_PX
    data[:plane_bytes].reshape(-1, stride)[PAD_PX : PAD_PX + height, PAD_PX : PAD_PX + width] = _view(memory, surface)
    half_sample_planes(data, offset, stride, plane_bytes, width, height, PAD_PX, np.empty(width + 32, np.int16))
    luma = ReferencePlanes(data, offset, stride, plane_bytes)
    return ReferencePicture(luma, quarter_plane(Plane(data, offset, stride), width, height, PAD_PX))


@kernel
def _same_rows(a, a_offset, a_stride, b, b_offset, b_stride, width, rows):
    """Whether `rows` rows of `width` bytes are equal in both arrays."""
    whole = width & ~15
    for row in range(rows):
        at, other = a_offset + row * a_stride, b_offset + row * b_stride
        if unequal(a, at, b, other, width >> 4):
            return False
        for x in range(whole, width):
            if a[at + x] != b[other + x]:
                return False
    return True


@kernel
def _same_bytes(a, b, b_offset):
    """Whether `a` stands in `b` at `b_offset`, looked at in pieces of 4 KiB."""
    rest = a.size & 4095
    return _same_rows(a, 0, 0, b, b_offset, 0, rest, 1) and _same_rows(
        a, rest, 4096, b, b_offset + rest, 4096, 4096, a.size >> 12
    )


def reference_picture(memory: np.ndarray, surface: Surface) -> ReferencePicture:
    """Return the reference that stands at `surface` (coded size), made now or kept from before."""
    key = (surface.address, surface.width, surface.height)
    with _lock:
        kept = _kept.get(key)
    if kept is not None:
        luma = kept.luma
        if _same_rows(
            luma.data, luma.offset, luma.stride, memory, surface.address, surface.pitch, surface.width, surface.height
        ):
            with _lock:
                if key in _kept:
                    _kept.move_to_end(key)
            return kept
    made = make_reference(memory, surface)
    with _lock:
        _kept[key] = made
        _kept.move_to_end(key)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return made


def stored_tiles(memory: np.ndarray | KnownTiles, surface: Surface, keep: bool = True) -> np.ndarray:
    """`tile_bytes` of a picture, made now or (like references) kept from before and compared with the samples.

    keep : it will be asked for again: it is a reference
    """
    if isinstance(memory, KnownTiles):
        return tile_bytes(memory, surface)
    key = (surface.address, surface.width, surface.height)
    size = surface.size_bytes
    with _lock:
        kept = _tiles.get(key)
    if kept is not None and _same_bytes(kept[0], memory, surface.address):
        return kept[1]
    sizes = tile_bytes(memory, surface)
    if keep:
        sizes.flags.writeable = False
        with _lock:
            _tiles[key] = (memory[surface.address : surface.address + size].copy(), sizes)
            _tiles.move_to_end(key)
            while len(_tiles) > KEPT:
                _tiles.popitem(last=False)
    return sizes
