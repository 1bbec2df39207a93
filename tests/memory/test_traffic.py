"""What a core asks of memory: every sample once, no more than is needed again, and compressed tiles decode again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.memory import frame_compression, traffic
from asic_model.memory.reference_cache import RECTANGLE, ReferenceCacheConfig, reads, search_windows
from asic_model.memory.surface import Surface, surface
from tests.oracle import frame_compression as oracle

sizes = st.tuples(st.integers(1, 12), st.integers(1, 8)).map(lambda mbs: (16 * mbs[0], 16 * mbs[1]))


def touched(requests: np.ndarray, size_bytes: int) -> np.ndarray:
    """How often each byte is moved, int[size_bytes]."""
    count = np.zeros(size_bytes, int)
    for row in requests:
        for i in range(int(row["rows"])):
            at = int(row["address"]) + i * int(row["pitch"])
            count[at : at + int(row["size"])] += 1
    return count


def samples(picture: Surface) -> np.ndarray:
    """bool[size_bytes]: bytes that are samples, not padding of the pitch."""
    held = np.zeros(picture.size_bytes, bool)
    planes = (
        (picture.address, picture.pitch, picture.width, picture.height),
        (picture.cb_address, picture.chroma_pitch, picture.chroma_width, picture.chroma_height),
        (picture.cr_address, picture.chroma_pitch, picture.chroma_width, picture.chroma_height),
    )
    for address, pitch, width, height in planes:
        for y in range(height):
            held[address + y * pitch : address + y * pitch + width] = True
    return held


def moved(requests: np.ndarray) -> int:
    return int((requests["size"].astype(int) * requests["rows"]).sum())


def in_order(requests: np.ndarray) -> bool:
    key = requests["unit"].astype(int) * 256 + requests["stage"]
    return bool((np.diff(key) >= 0).all())


@given(sizes, st.booleans(), st.integers(0, 8), st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_a_picture_is_moved_once(size: tuple[int, int], write: bool, cut_x: int, cut_y: int) -> None:
    """Each sample once, padding never, for all sizes (odd ones too) and both directions."""
    width, height = size[0] - cut_x, size[1] - cut_y
    picture = surface(width, height)
    found = traffic.picture(picture, size[0] // 16, size[1] // 16, 3, "source", write)
    assert (touched(found, picture.size_bytes) == samples(picture)).all()
    assert in_order(found)
    assert (found["write"] == write).all()
    # A group of four macroblocks is read with its first and written with its last.
    column = found["unit"] % (size[0] // 16)
    last = size[0] // 16 - 1
    assert ((column % 4 == (3 if write else 0)) | (column == last)).all()


def test_a_stream_leaves_line_by_line() -> None:
    """300 bits a unit, 10 units: 3000 bits = 375 bytes = 5 lines of 64 and one of 55.

    64 bytes are 512 bits: full with unit 1 (600), 128 with unit 3 (1200), ...; the rest goes with the last unit.
    """
    found = traffic.stream(np.full(10, 300), 4096, 6)
    assert found["unit"].tolist() == [1, 3, 5, 6, 8, 9]
    assert found["size"].tolist() == [64] * 5 + [55]
    assert found["address"].tolist() == [4096 + 64 * i for i in range(6)]
    read = traffic.stream(np.full(10, 300), 0, 0, write=False)
    assert read["unit"].tolist() == [0, 1, 3, 5, 6, 8]  # fetched with the unit that first looks at the line
    assert traffic.stream(np.zeros(4, int), 0, 0).size == 0


@given(sizes, st.integers(0, 2), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_a_large_store_loads_every_sample_once(size: tuple[int, int], range_x: int, range_y: int) -> None:
    """A band as wide as the picture and as high as the window: level D, each sample of each reference once."""
    width, height = size
    mb_width, mb_height = width // 16, height // 16
    pictures = [surface(width, height, 1 << 20), surface(width, height, 2 << 20)]
    centres = np.zeros((mb_width * mb_height, 2), int)
    windows = search_windows(mb_width, mb_height, centres, centres, 16 * range_x, 8 * range_y)
    found = reads(ReferenceCacheConfig(capacity_kib=4096), pictures, windows, 1)
    count = touched(found, 4 << 20)
    for picture in pictures:
        part = count[picture.address : picture.address + picture.size_bytes]
        assert (part == samples(surface(width, height))).all()
    assert in_order(found)


def naive_misses(rectangles: np.ndarray, width: int, height: int, tile: tuple[int, int], held: int) -> list[tuple]:
    """(unit, reference, tile row, tile column) in order of fetch, with a list as first-in-first-out store."""
    store: list[tuple[int, int, int]] = []
    missed = []
    for r in rectangles.tolist():
        unit, reference, x, y, w, h = r
        columns = [min(max(x + i, 0), width - 1) // tile[0] for i in range(w)]
        rows = [min(max(y + i, 0), height - 1) // tile[1] for i in range(h)]
        for ty in range(min(rows), max(rows) + 1):
            for tx in range(min(columns), max(columns) + 1):
                if (reference, ty, tx) not in store:
                    if len(store) == held:
                        store.pop(0)
                    store.append((reference, ty, tx))
                    missed.append((unit, reference, ty, tx))
    return missed


@given(st.integers(0, 1 << 32), st.sampled_from([1, 3, 8, 40]), st.sampled_from([(16, 4), (32, 8), (64, 16)]))
@settings(max_examples=60, deadline=None)
def test_the_store_is_first_in_first_out(seed: int, capacity_kib: int, tile: tuple[int, int]) -> None:
    """Random blocks, partly outside the picture: fetched bytes are those of the naive store's misses."""
    rng = np.random.default_rng(seed)
    width, height = 200, 120
    rectangles = np.zeros(30, RECTANGLE)
    rectangles["unit"] = np.arange(30) // 2
    rectangles["reference"] = rng.integers(0, 2, 30)
    rectangles["x"], rectangles["y"] = rng.integers(-60, 260, 30), rng.integers(-60, 180, 30)
    rectangles["width"], rectangles["height"] = rng.integers(1, 60, 30), rng.integers(1, 40, 30)
    cfg = ReferenceCacheConfig(capacity_kib=capacity_kib, tile_width=tile[0], tile_height=tile[1])
    pictures = [surface(width, height, 0), surface(width, height, 1 << 20)]
    found = reads(cfg, pictures, rectangles, 2)
    misses = naive_misses(rectangles, width, height, tile, cfg.tiles)
    expected = 0
    for _, _, ty, tx in misses:
        w, h = min(tile[0], width - tx * tile[0]), min(tile[1], height - ty * tile[1])
        expected += w * h + 2 * ((w + 1) // 2) * ((h + 1) // 2)
    assert moved(found) == expected
    per_unit = np.bincount(found["unit"], minlength=15) > 0
    assert set(np.flatnonzero(per_unit)) == {unit for unit, *_ in misses}


def test_a_small_store_loads_windows_over_and_over() -> None:
    """1920x1088, window 64+64 x 32+32: a band needs 315 KiB and some slack, 40 KiB hold one window only."""
    picture = [surface(1920, 1088)]
    centre = np.zeros((120 * 68, 1), int)
    windows = search_windows(120, 68, centre, centre, 64, 32)
    band = reads(ReferenceCacheConfig(capacity_kib=480), picture, windows, 0)
    window = reads(ReferenceCacheConfig(capacity_kib=40), picture, windows, 0)
    assert moved(band) == 1920 * 1088 * 3 // 2
    assert 5 * moved(band) < moved(window)


# -------------------------------------------------------------------------------------------------- compression


def random_picture(seed: int, width: int, height: int, noise: float) -> tuple[np.ndarray, Surface]:
    """Soft gradients with noise, in device memory."""
    rng = np.random.default_rng(seed)
    picture = surface(width, height, 4096)
    memory = rng.integers(0, 256, picture.address + picture.size_bytes, dtype=np.uint8)
    for address, pitch, w, h in (
        (picture.address, picture.pitch, width, height),
        (picture.cb_address, picture.chroma_pitch, picture.chroma_width, picture.chroma_height),
        (picture.cr_address, picture.chroma_pitch, picture.chroma_width, picture.chroma_height),
    ):
        y, x = np.mgrid[:h, :w]
        values = 128 + 60 * np.sin(x / 37 + seed) + 40 * np.cos(y / 23) + rng.normal(0, noise, (h, w))
        memory[address : address + pitch * h].reshape(h, pitch)[:, :w] = np.clip(values, 0, 255)
    return memory, picture


@given(st.integers(0, 1 << 32), st.integers(1, 140), st.integers(1, 40), st.sampled_from([0.0, 2.0, 20.0, 200.0]))
@settings(max_examples=25, deadline=None)
def test_tiles_are_as_long_as_the_slow_coder_makes_them(seed: int, width: int, height: int, noise: float) -> None:
    """The twin writes real bits and reads them back to the same samples; the model counts the same bytes."""
    memory, picture = random_picture(seed, width, height, noise)
    found = frame_compression.tile_bytes(memory, picture)
    for ty in range(found.shape[0]):
        for tx in range(found.shape[1]):
            assert found[ty, tx] == oracle.tile_bytes(memory, picture, tx, ty)


def test_flat_pictures_shrink_to_the_fields_and_noise_is_stored_raw() -> None:
    """Flat: the first sample's group of each plane takes 4 + 16 * n bits, all others 4 bits each."""
    picture = surface(64, 16)
    memory = np.full(picture.size_bytes, 128, np.uint8)
    # 64 groups of luma and 2 * 16 of chroma, 4 bits each, all residuals 0: 48 bytes, two bursts of 32
    assert frame_compression.tile_bytes(memory, picture).tolist() == [[64]]
    noise = np.random.default_rng(0).integers(0, 256, picture.size_bytes, dtype=np.uint8)
    assert frame_compression.tile_bytes(noise, picture).tolist() == [[frame_compression.TILE_BYTES]]


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_compressed_traffic_is_the_tiles_and_their_lengths(noise: float) -> None:
    memory, picture = random_picture(1, 320, 160, noise)
    tiles = frame_compression.tile_bytes(memory, picture)
    written = traffic.picture(picture, 20, 10, 5, "reconstruction", True, tiles)
    centre = np.zeros((200, 1), int)
    windows = search_windows(20, 10, centre, centre, 64, 32)
    read = reads(ReferenceCacheConfig(capacity_kib=1024), [picture], windows, 1, [tiles])
    lines = -(-tiles.size // frame_compression.HEADER_LINE_TILES)
    for found in (written, read):
        assert moved(found[found["client"] != 5]) == tiles.sum()
        headers = found[found["client"] == 5]
        assert lines <= len(headers) <= lines + tiles.shape[0]
        assert (headers["size"] == 64).all()
        assert in_order(found)
    assert tiles.sum() < 0.7 * 320 * 160 * 1.5
