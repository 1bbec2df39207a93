"""The reference store of a core: on-chip memory that keeps the parts of reference pictures that are needed again.

An encoder slides its search windows over the references, a decoder fetches the blocks its vectors point at; both ask
for rectangles of samples, unit by unit. The store holds tiles, luma with their chroma, and replaces the oldest one
(first in, first out, as a sliding window does it). A rectangle's tiles that are not there are fetched.

What reuse comes out of it depends on the size alone: a store that holds a band as wide as the picture and as high as
the window loads every sample once a picture ("level D"), a smaller one loads each window's new columns, over and over
for each row of macroblocks ("level C").
"""

import numpy as np
from pydantic import Field, model_validator

from asic_model.cores.result import CLIENTS, REQUEST
from asic_model.kernel_cache import kernel
from asic_model.memory import frame_compression
from asic_model.memory.surface import Surface
from asic_model.section import Section

# One rectangle of luma samples that a unit wants of a reference (its chroma comes along). May lie outside the
# picture: samples beyond the edge repeat it and need no fetch of their own. Sorted by unit.
RECTANGLE = np.dtype([("unit", "i4"), ("reference", "i4"), ("x", "i4"), ("y", "i4"), ("width", "i4"), ("height", "i4")])
INTERPOLATION_BEFORE, INTERPOLATION_AFTER = 2, 3  # samples that the six-tap filter looks at (H.264 8.4.2.2.1)


class ReferenceCacheConfig(Section):
    """Size of the reference store."""

    capacity_kib: int = Field(ge=1, le=65536, description="samples held, luma and chroma, all references [KiB]")
    tile_width: int = Field(default=64, ge=16, le=128, description="luma samples of a tile across [samples]")
    tile_height: int = Field(default=16, ge=4, le=64, description="luma samples of a tile down [samples]")

    @property
    def tile_bytes(self) -> int:
        return self.tile_width * self.tile_height * 3 // 2

    @property
    def tiles(self) -> int:
        """Tiles that the store holds."""
        return max(1, self.capacity_kib * 1024 // self.tile_bytes)

    @model_validator(mode="after")
    def _powers_of_two(self) -> "ReferenceCacheConfig":
        for name in ("tile_width", "tile_height"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name}: {value} is not a power of two")
        return self


def search_windows(
    mb_width: int, mb_height: int, centre_x: np.ndarray, centre_y: np.ndarray, range_x: int, range_y: int
) -> np.ndarray:
    """Return RECTANGLE[...] of an encoder: for each macroblock and reference its window, interpolation included.

    centre_x, centre_y: int[n] or int[n, references], whole-sample displacement of the window from the macroblock;
    range_x, range_y: samples searched to each side.
    """
    count = mb_width * mb_height
    centre_x, centre_y = (np.asarray(c).reshape(count, -1) for c in (centre_x, centre_y))
    found = np.zeros(centre_x.shape, RECTANGLE)
    found["unit"] = np.arange(count)[:, None]
    found["reference"] = np.arange(centre_x.shape[1])
    found["x"] = 16 * (found["unit"] % mb_width) + centre_x - range_x - INTERPOLATION_BEFORE
    found["y"] = 16 * (found["unit"] // mb_width) + centre_y - range_y - INTERPOLATION_BEFORE
    found["width"] = 16 + 2 * range_x + INTERPOLATION_BEFORE + INTERPOLATION_AFTER
    found["height"] = 16 + 2 * range_y + INTERPOLATION_BEFORE + INTERPOLATION_AFTER
    return found.ravel()


@kernel
def _misses(rectangles, shift_x, shift_y, width, height, resident, fifo, runs):
    """Play rectangles through the store; return how many runs of missing tiles there are.

    resident uint8[references, tiles_y, tiles_x] and fifo int64[tiles held] are the store; runs int32[:, 5] takes
    (unit, reference, tile row, first tile, tiles) of each run of missing tiles side by side, as far as it reaches.
    """
    tiles_y, tiles_x = resident.shape[1], resident.shape[2]
    head = 0
    count = 0
    for i in range(rectangles.size):
        r = rectangles[i]
        x0 = min(max(r.x, 0), width - 1) >> shift_x
        x1 = min(max(r.x + r.width - 1, 0), width - 1) >> shift_x
        y0 = min(max(r.y, 0), height - 1) >> shift_y
        y1 = min(max(r.y + r.height - 1, 0), height - 1) >> shift_y
        for ty in range(y0, y1 + 1):
            running = False
            for tx in range(x0, x1 + 1):
                if resident[r.reference, ty, tx]:
                    running = False
                    continue
                oldest = fifo[head]
                if oldest >= 0:
                    plane = oldest // (tiles_y * tiles_x)
                    rest = oldest - plane * tiles_y * tiles_x
                    resident[plane, rest // tiles_x, rest % tiles_x] = 0
                fifo[head] = (r.reference * tiles_y + ty) * tiles_x + tx
                head = head + 1 if head + 1 < fifo.size else 0
                resident[r.reference, ty, tx] = 1
                if running:
                    if count <= runs.shape[0]:
                        runs[count - 1, 4] += 1
                    continue
                running = True
                if count < runs.shape[0]:
                    runs[count, 0] = r.unit
                    runs[count, 1] = r.reference
                    runs[count, 2] = ty
                    runs[count, 3] = tx
                    runs[count, 4] = 1
                count += 1
    return count


def reads(
    cfg: ReferenceCacheConfig,
    pictures: list[Surface],
    rectangles: np.ndarray,
    stage: int,
    compressed: list[np.ndarray] | None = None,
) -> np.ndarray:
    """Return the REQUEST rows, sorted by unit, that fetch what `rectangles` want and the store lacks.

    pictures: the references, all of one size. compressed: bytes of each reference's tiles
    (`frame_compression.tile_bytes`), where references are stored compressed; tiles are then 64x16, whatever `cfg` says.
    """
    if not pictures or not rectangles.size:
        return np.zeros(0, REQUEST)
    width, height = pictures[0].width, pictures[0].height
    tile_width = frame_compression.TILE_WIDTH if compressed else cfg.tile_width
    tile_height = frame_compression.TILE_HEIGHT if compressed else cfg.tile_height
    tiles_y, tiles_x = -(-height // tile_height), -(-width // tile_width)
    held = max(1, cfg.capacity_kib * 1024 // (tile_width * tile_height * 3 // 2))
    runs = np.empty((2 * len(pictures) * tiles_y * tiles_x + rectangles.size, 5), np.int32)
    shift_x, shift_y = tile_width.bit_length() - 1, tile_height.bit_length() - 1
    while True:
        resident = np.zeros((len(pictures), tiles_y, tiles_x), np.uint8)
        fifo = np.full(held, -1, np.int64)
        count = _misses(rectangles, shift_x, shift_y, width, height, resident, fifo, runs)
        if count <= len(runs):
            break
        runs = np.empty((count, 5), np.int32)
    if compressed:
        tiles = int(runs[:count, 4].sum())
        found = np.zeros(2 * tiles, REQUEST)
        addresses = np.array([picture.address for picture in pictures], np.int64)
        clients = CLIENTS.index("reference"), CLIENTS.index("intermediate")
        return found[: _compressed_requests(runs[:count], addresses, np.stack(compressed), stage, *clients, found)]
    places = np.array([(p.address, p.cb_address, p.cr_address) for p in pictures], np.int64)
    pitches = pictures[0].pitch, pictures[0].chroma_pitch
    found = np.empty(3 * count, REQUEST)
    _plain_requests(runs, places, shift_x, shift_y, width, height, *pitches, stage, CLIENTS.index("reference"), found)
    return found


@kernel
def _plain_requests(runs, places, shift_x, shift_y, width, height, pitch, chroma_pitch, stage, client, out):
    """Three requests a run, one each plane: out REQUEST[3 * runs]."""
    for i in range(out.size // 3):
        unit, reference, ty, tx, tiles = runs[i, 0], runs[i, 1], runs[i, 2], runs[i, 3], runs[i, 4]
        for plane in range(3):
            half = 1 if plane else 0
            x = np.int64(tx) << (shift_x - half)
            y = np.int64(ty) << (shift_y - half)
            row = out[3 * i + plane]
            row.unit = unit
            row.stage = stage
            row.client = client
            row.write = 0
            row.rows = min(1 << (shift_y - half), ((height + half) >> half) - y)
            row.size = min(np.int64(tiles) << (shift_x - half), ((width + half) >> half) - x)
            row.pitch = chroma_pitch if half else pitch
            row.address = places[reference, plane] + y * row.pitch + x


@kernel
def _compressed_requests(runs, addresses, sizes, stage, reference_client, header_client, out):
    """One request a tile (its slot's first bytes), and a line of lengths where a run enters a new one.

    sizes : uint16[references, tiles_y, tiles_x]; out: REQUEST[...], zeros. Returns how many were put there.
    """
    tiles_y, tiles_x = sizes.shape[1], sizes.shape[2]
    # A register for each row of tiles keeps the line of lengths that was looked at last.
    looked_at = np.full((addresses.size, tiles_y), -1, np.int64)
    count = 0
    for i in range(len(runs)):
        unit, reference, ty = np.int64(runs[i, 0]), np.int64(runs[i, 1]), np.int64(runs[i, 2])
        for tx in range(np.int64(runs[i, 3]), np.int64(runs[i, 3]) + np.int64(runs[i, 4])):
            tile = ty * tiles_x + tx
            line = tile // frame_compression.HEADER_LINE_TILES
            fresh = looked_at[reference, ty] != line
            looked_at[reference, ty] = line
            for header in range(2 if fresh else 1):
                row = out[count]
                row.unit, row.stage, row.rows = unit, stage, 1
                if header:
                    row.client, row.size = header_client, frame_compression.HEADER_LINE_BYTES
                    first = line * frame_compression.HEADER_LINE_TILES
                else:
                    row.client, row.size = reference_client, sizes[reference, ty, tx]
                    first = tile
                row.address = addresses[reference] + first * frame_compression.TILE_BYTES
                count += 1
    return count
