"""Builds the memory requests of a picture's regular traffic: pictures in and out, streams, data a macroblock.

Pieces are as wide as a line of memory (64 bytes: four macroblocks across), since a core that moved 16 bytes at a
time would waste half of every burst. The irregular part, reference reads, stands in `reference_cache`.
"""

from functools import lru_cache

import numpy as np

from asic_model.cores.result import CLIENTS, REQUEST
from asic_model.kernel_cache import kernel
from asic_model.memory.frame_compression import HEADER_LINE_BYTES, HEADER_LINE_TILES, TILE_BYTES
from asic_model.memory.surface import Surface

LINE_BYTES = 64
GROUP_MBS = 4  # macroblocks whose luma row fills a line
TEMPLATES = 32  # pictures and fields of units whose requests are kept, to be moved to where the next ones stand


@kernel
def _extent(rows):
    """(units, stages) that rows name, and whether they are in order already."""
    units = stages = 0
    former = np.int64(0)
    in_order = True
    for i in range(rows.size):
        unit, stage = np.int64(rows[i].unit), np.int64(rows[i].stage)
        units, stages = max(units, unit + 1), max(stages, stage + 1)
        in_order = in_order and former <= (unit << 8 | stage)
        former = unit << 8 | stage
    return units, stages, in_order


@kernel
def _count(rows, stages, first):
    """Add to first[slot + 1] how many rows each slot (unit and stage) has."""
    for i in range(rows.size):
        first[rows[i].unit * stages + rows[i].stage + 1] += 1


@kernel
def _place(rows, stages, first, out, offset):
    """Put rows, their addresses moved by `offset`, to out[first[slot]] on; `first` moves on."""
    for i in range(rows.size):
        slot = rows[i].unit * stages + rows[i].stage
        at = first[slot]
        out[at] = rows[i]
        out[at].address = np.int64(rows[i].address) + offset
        first[slot] = at + 1


def gather(parts: list[tuple[np.ndarray, int]], units: int, stages: int) -> np.ndarray:
    """Return all requests of `parts` in order of unit and stage, equals as they come; units and stages bound them.

    parts : (REQUEST array, bytes by which its addresses move)
    """
    first = np.zeros(units * stages + 1, np.int64)
    for rows, _ in parts:
        _count(rows, stages, first)
    np.cumsum(first, out=first)
    out = np.empty(int(first[-1]), REQUEST)
    for rows, offset in parts:
        _place(rows, stages, first, out, offset)
    return out


def join(*parts: np.ndarray) -> np.ndarray:
    """Return all requests of `parts` (REQUEST arrays) in the order that a CoreResult has them: by unit, then stage."""
    # As bytes: numpy would copy records field by field.
    whole = np.concatenate([np.zeros(0, np.uint8), *(part.view(np.uint8) for part in parts)]).view(REQUEST)
    units, stages, in_order = _extent(whole)
    return whole if in_order else gather([(whole, 0)], units, stages)


def _moved(template: np.ndarray, address: int) -> np.ndarray:
    """Requests of a template that was made for address 0."""
    out = template.copy()
    out["address"] += np.uint64(address)
    return out


def requests(
    unit: np.ndarray, stage: int, client: str, write: bool, address: np.ndarray, size: np.ndarray | int,
    rows: np.ndarray | int = 1, pitch: int = 0,
) -> np.ndarray:  # fmt: skip
    """Return REQUEST[...] from columns; those of no bytes are left out."""
    found = np.zeros(len(unit), REQUEST)
    found["unit"], found["stage"], found["client"], found["write"] = unit, stage, CLIENTS.index(client), write
    found["address"], found["size"], found["rows"], found["pitch"] = address, size, rows, pitch
    return found[(found["size"] > 0) & (found["rows"] > 0)]


def picture(
    surface: Surface,
    mb_width: int,
    mb_height: int,
    stage: int,
    client: str,
    write: bool,
    compressed: np.ndarray | None = None,
    group_mbs: int = GROUP_MBS,
) -> np.ndarray:
    """Read or write all samples of `surface` once, macroblock by macroblock in raster order.

    Groups of `group_mbs` macroblocks share their requests: a read belongs to the first of them, a write to the last.
    Compressed tiles are four macroblocks wide.
    `compressed`: bytes of each tile from `frame_compression.tile_bytes`, where the picture is stored compressed.
    """
    if compressed is None:
        template = picture_template(surface, mb_width, mb_height, stage, client, write, group_mbs)
        return _moved(template, surface.address)
    tiles = -(-mb_width // GROUP_MBS) * mb_height
    out = np.zeros(2 * tiles, REQUEST)
    clients = CLIENTS.index(client), CLIENTS.index("intermediate")
    return out[: _compressed_picture(compressed, surface.address, mb_width, mb_height, stage, *clients, write, out)]


@kernel
def _compressed_picture(sizes, address, mb_width, mb_height, stage, client, header_client, write, out):
    """A picture's tiles in raster order, and after the last (read: before the first) of a line of lengths that line.

    sizes : uint16[tiles_y, tiles_x]; out: REQUEST[...], zeros. Returns how many were put there.
    """
    across = -(-mb_width // GROUP_MBS)
    count = 0
    for mb_y in range(mb_height):
        for column in range(across):
            tile = mb_y * across + column
            unit = mb_y * mb_width + GROUP_MBS * column
            header = column % HEADER_LINE_TILES == 0
            if write:
                unit = mb_y * mb_width + min(GROUP_MBS * column + GROUP_MBS, mb_width) - 1
                header = column % HEADER_LINE_TILES == HEADER_LINE_TILES - 1 or column == across - 1
            for part in range(2 if header else 1):
                size = HEADER_LINE_BYTES if part else np.int64(sizes[mb_y, column])
                if size == 0:
                    continue
                row = out[count]
                row.unit, row.stage, row.write, row.rows, row.size = unit, stage, write, 1, size
                row.client = header_client if part else client
                first = tile // HEADER_LINE_TILES * HEADER_LINE_TILES if part else tile
                row.address = address + first * TILE_BYTES
                count += 1
    return count


def _groups(mb_width: int, mb_height: int, write: bool, group_mbs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups of macroblocks side by side: the unit that moves each, its column and its row."""
    across = -(-mb_width // group_mbs)
    group = np.arange(across * mb_height)
    column, row = group % across, group // across
    last = np.minimum(group_mbs * column + group_mbs, mb_width) - 1
    return row * mb_width + (last if write else group_mbs * column), column, row


def picture_template(
    surface: Surface,
    mb_width: int,
    mb_height: int,
    stage: int,
    client: str,
    write: bool,
    group_mbs: int = GROUP_MBS,
    pairs: bool = False,
) -> np.ndarray:
    """Requests of a picture that is not compressed, as if it stood at address 0; not to be written to.

    pairs : units are numbered by MBAFF macroblock pairs
    """
    place = surface._replace(
        address=0, cb_address=surface.cb_address - surface.address, cr_address=surface.cr_address - surface.address
    )
    return _plain_picture(place, mb_width, mb_height, stage, client, write, group_mbs, pairs)


@lru_cache(maxsize=TEMPLATES)
def _plain_picture(
    surface: Surface, mb_width: int, mb_height: int, stage: int, client: str, write: bool, group_mbs: int, pairs: bool
) -> np.ndarray:
    unit, column, row = _groups(mb_width, mb_height, write, group_mbs)
    if pairs:
        unit = 2 * ((row >> 1) * mb_width + unit % mb_width) + (row & 1)
    parts = []
    planes = (
        (surface.address, surface.pitch, surface.width, surface.height, 16),
        (surface.cb_address, surface.chroma_pitch, surface.chroma_width, surface.chroma_height, 8),
        (surface.cr_address, surface.chroma_pitch, surface.chroma_width, surface.chroma_height, 8),
    )
    for address, pitch, width, height, block in planes:
        x, y = group_mbs * block * column, block * row
        size = np.clip(width - x, 0, group_mbs * block)
        rows = np.clip(height - y, 0, block)
        parts.append(requests(unit, stage, client, write, address + y * pitch + x, size, rows, pitch))
    return join(*parts)


@kernel
def _stream_lines(bits, total, address, stage, client, write, out):
    """Lines of a stream of `total` bytes, out REQUEST[lines], zeros.

    A line that is written leaves with the unit that fills it or ends the stream; one that is read is fetched for the
    unit that first looks at it.
    """
    line, put = 0, np.int64(0)
    for unit in range(bits.size):
        put += np.int64(bits[unit])
        end = (put + 7) // 8
        while line < out.size:
            begin = line * LINE_BYTES
            behind = min(begin + LINE_BYTES, total)
            if (end < behind) if write else (end <= begin):
                break
            row = out[line]
            row.unit, row.stage, row.client, row.write, row.rows = unit, stage, client, write, 1
            row.size, row.address = behind - begin, address + begin
            line += 1


def stream(bits: np.ndarray, address: int, stage: int, write: bool = True, client: str = "stream") -> np.ndarray:
    """Requests of a bitstream: `bits` of each unit, back to back from `address`, line by line."""
    total = (int(bits.sum(dtype=np.int64)) + 7) // 8
    found = np.zeros(-(-total // LINE_BYTES), REQUEST)
    _stream_lines(bits, total, address, stage, CLIENTS.index(client), write, found)
    return found


def per_unit(units: int, unit_bytes: int, address: int, stage: int, write: bool, client: str) -> np.ndarray:
    """Requests of `unit_bytes` for each of `units` units, back to back from `address`, line by line."""
    return _moved(per_unit_template(units, unit_bytes, stage, write, client), address)


@lru_cache(maxsize=TEMPLATES)
def per_unit_template(units: int, unit_bytes: int, stage: int, write: bool, client: str) -> np.ndarray:
    """`per_unit` at address 0; not to be written to."""
    return stream(np.full(units, 8 * unit_bytes), 0, stage, write, client)
