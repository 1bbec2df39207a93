"""Frame compression: how many bytes each tile of a reference picture takes when it is stored losslessly compressed.

A picture is cut into tiles of 64x16 luma samples with their chroma (32x8 twice), each compressed by itself, so that
any tile can be fetched alone. Every sample is predicted from its left, upper and upper-left neighbours inside the
tile (the median predictor of JPEG-LS, ITU-T T.87 A.4.2). The residuals of 16 samples in a row form a group: a
4-bit field says how many bits its largest residual needs, and each residual takes that many (significant-bit
truncation). A decompressor unpacks a whole group a cycle: nothing in it is serial.

A tile that does not shrink is stored as it is. Tiles keep their slots, so compression saves traffic, not space; one
16-bit entry a tile says its length, and is fetched with those of its neighbours, a line of 64 bytes at a time.

The model counts this from the picture's real samples. It stores samples as they are: only the traffic is that of the
compressed picture.
"""

import numpy as np

from asic_model.kernel_cache import kernel
from asic_model.memory.surface import Surface
from asic_model.simd.bits import group_bits

TILE_WIDTH = 64  # luma samples; one line of a tile is one line of memory
TILE_HEIGHT = 16
TILE_BYTES = TILE_WIDTH * TILE_HEIGHT * 3 // 2
GROUP = 16  # residuals that share a width
WIDTH_BITS = 4  # 0..8 bits a residual
ALIGNMENT_BYTES = 32  # a tile's length in memory: whole bursts
HEADER_LINE_TILES = 32  # 16-bit lengths in a line of 64 bytes
HEADER_LINE_BYTES = 64


@kernel
def _group_bits(residual, width):
    """Bits of the groups of residual[:width], int16, each folded: 0, -1, 1, -2, 2 ... is 0, 1, 2, 3, 4 ..."""
    bits = 0
    for x in range(0, width, GROUP):
        count = min(GROUP, width - x)
        every = np.int16(0)
        if count == GROUP:
            for i in range(GROUP):
                every |= residual[x + i]
        else:
            for i in range(count):
                every |= residual[x + i]
        needed = 0
        while every >> needed:
            needed += 1
        # A residual modulo 256 takes 8 bits at most: the sample's range is known to both sides.
        bits += WIDTH_BITS + count * min(needed, 8)
    return bits


@kernel
def _plane_bits(memory, offset, stride, x0, y0, width, height, residual):
    """Bits of the samples x0 <= x < x0 + width, y0 <= y < y0 + height of one plane, compressed by themselves.

    memory uint8[:] with the plane at byte `offset`; residual: int16[64] to work in.
    """
    bits = 0
    for y in range(y0, y0 + height):
        at = offset + y * stride + x0
        # Vectors begin a sample to the left, where memory's first plane has none.
        if width % GROUP == 0 and (at if y == y0 else at - stride) > 0:
            bits += group_bits(memory, at, at - stride if y > y0 else at, y == y0, width // GROUP)
            continue
        row = memory[at : at + width]
        if y == y0:
            left = np.int16(128)
            for x in range(width):
                sample = np.int16(row[x])
                difference = np.int16(sample - left)
                residual[x] = (difference << 1) ^ (difference >> 15)
                left = sample
        else:
            up = memory[at - stride : at - stride + width]
            difference = np.int16(np.int16(row[0]) - np.int16(up[0]))
            residual[0] = (difference << 1) ^ (difference >> 15)
            for x in range(1, width):
                a = np.int16(row[x - 1])
                b = np.int16(up[x])
                c = np.int16(up[x - 1])
                # median of a, b and a + b - c
                guess = min(max(np.int16(a + b - c), min(a, b)), max(a, b))
                difference = np.int16(np.int16(row[x]) - guess)
                residual[x] = np.int16(difference << 1) ^ np.int16(difference >> 15)
        bits += _group_bits(residual, width)
    return bits


@kernel
def _tile_bytes(memory, address, pitch, cb_address, cr_address, chroma_pitch, width, height, out):
    """Fill out[tiles_y, tiles_x] with the stored bytes of each tile."""
    residual = np.empty(TILE_WIDTH, np.int16)
    for ty in range(out.shape[0]):
        y = ty * TILE_HEIGHT
        rows = min(TILE_HEIGHT, height - y)
        for tx in range(out.shape[1]):
            x = tx * TILE_WIDTH
            columns = min(TILE_WIDTH, width - x)
            bits = _plane_bits(memory, address, pitch, x, y, columns, rows, residual)
            columns_c = (columns + 1) // 2
            rows_c = (rows + 1) // 2
            bits += _plane_bits(memory, cb_address, chroma_pitch, x // 2, y // 2, columns_c, rows_c, residual)
            bits += _plane_bits(memory, cr_address, chroma_pitch, x // 2, y // 2, columns_c, rows_c, residual)
            raw = columns * rows + 2 * columns_c * rows_c
            stored = min((bits + 7) // 8, raw)
            out[ty, tx] = (stored + ALIGNMENT_BYTES - 1) // ALIGNMENT_BYTES * ALIGNMENT_BYTES


def tile_grid(width: int, height: int) -> tuple[int, int]:
    """Tiles of a picture: (down, across)."""
    return -(-height // TILE_HEIGHT), -(-width // TILE_WIDTH)


class KnownTiles:
    """Stands in for device memory where the sizes of tiles are known and the samples are not (work traces)."""

    def __init__(self) -> None:
        self._sizes: dict[int, np.ndarray] = {}

    def keep(self, picture: Surface, sizes: np.ndarray) -> None:
        """`picture` now has tiles of these sizes, uint16[tiles_y, tiles_x]."""
        self._sizes[picture.address] = sizes

    def sizes(self, picture: Surface) -> np.ndarray:
        """Sizes of the picture's tiles; of one that nobody kept, as if it did not shrink."""
        found = self._sizes.get(picture.address)
        if found is None or found.shape != tile_grid(picture.width, picture.height):
            found = np.full(tile_grid(picture.width, picture.height), TILE_BYTES, np.uint16)
        return found


def tile_bytes(memory: np.ndarray | KnownTiles, picture: Surface) -> np.ndarray:
    """Return uint16[tiles_y, tiles_x]: stored bytes of each tile of `picture` in `memory` (uint8[:])."""
    if isinstance(memory, KnownTiles):
        return memory.sizes(picture)
    out = np.zeros(tile_grid(picture.width, picture.height), np.uint16)
    _tile_bytes(
        memory,
        picture.address,
        picture.pitch,
        picture.cb_address,
        picture.cr_address,
        picture.chroma_pitch,
        picture.width,
        picture.height,
        out,
    )
    return out
