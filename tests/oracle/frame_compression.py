"""Slow twin of memory.frame_compression: really codes a tile into bits, decodes it again, and says how long it is."""

from typing import Any

TILE_WIDTH, TILE_HEIGHT = 64, 16


def _predict(done: list[list[int]], x: int, y: int) -> int:
    """Median of left, upper and left + upper - upper left (ITU-T T.87 A.4.2); edges of the tile as the model's."""
    if y == 0:
        return done[0][x - 1] if x else 128
    if x == 0:
        return done[y - 1][0]
    a, b, c = done[y][x - 1], done[y - 1][x], done[y - 1][x - 1]
    return sorted((a, b, a + b - c))[1]


def encode(block: list[list[int]]) -> str:
    """Bits of a block of samples."""
    bits = ""
    for y, row in enumerate(block):
        folded = []
        for x, sample in enumerate(row):
            r = sample - _predict(block, x, y)
            folded.append(2 * r if r >= 0 else -2 * r - 1)
        for first in range(0, len(folded), 16):
            group = folded[first : first + 16]
            width = max(value.bit_length() for value in group)
            bits += format(min(width, 8), "04b")
            for i, value in enumerate(group):
                # where a residual needs nine bits, the group's samples go out as they are
                bits += format(row[first + i], "08b") if width >= 8 else (format(value, f"0{width}b") if width else "")
    return bits


def decode(bits: str, width: int, height: int) -> list[list[int]]:
    """The samples that `encode` coded."""
    done: list[list[int]] = []
    at = 0
    for y in range(height):
        done.append([])
        for first in range(0, width, 16):
            size = int(bits[at : at + 4], 2)
            at += 4
            for x in range(first, min(first + 16, width)):
                value = int(bits[at : at + size], 2) if size else 0
                at += size
                if size == 8:
                    done[y].append(value)
                else:
                    r = value // 2 if value % 2 == 0 else -(value + 1) // 2
                    done[y].append(_predict(done, x, y) + r)
    assert at == len(bits)
    return done


def tile_bytes(memory: Any, picture: Any, tx: int, ty: int) -> int:
    """Stored bytes of a tile: the shorter of coded and raw, in whole bursts of 32 bytes."""
    width = min(TILE_WIDTH, picture.width - tx * TILE_WIDTH)
    height = min(TILE_HEIGHT, picture.height - ty * TILE_HEIGHT)
    bits = raw = 0
    for address, pitch, half in (
        (picture.address, picture.pitch, 0),
        (picture.cb_address, picture.chroma_pitch, 1),
        (picture.cr_address, picture.chroma_pitch, 1),
    ):
        w, h = (width + half) >> half, (height + half) >> half
        x0, y0 = tx * TILE_WIDTH >> half, ty * TILE_HEIGHT >> half
        block = [[int(memory[address + (y0 + y) * pitch + x0 + x]) for x in range(w)] for y in range(h)]
        coded = encode(block)
        assert decode(coded, w, h) == block
        bits += len(coded)
        raw += w * h
    stored = min((bits + 7) // 8, raw)
    return (stored + 31) // 32 * 32
