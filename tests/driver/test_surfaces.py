"""Uploading: the bytes of a surface are Y, Cb, Cr, whether the planes stand so already or are brought together."""

from fractions import Fraction

import numpy as np
import pytest

from asic_model.memory.surface import surface
from driver.media.picture import Picture
from driver.surfaces import Uploader

WIDTH, HEIGHT = 128, 32  # pitches of 128 and 64: nothing lies between rows
BYTES = WIDTH * HEIGHT * 3 // 2


class Written:
    """Stands in for a backend: keeps what was written."""

    def memory_write(self, address: int, data: np.ndarray) -> None:
        self.address, self.data = address, data


def planes_of(whole: np.ndarray, order: str) -> dict[str, np.ndarray]:
    """Planes of uint8[BYTES] that follow luma in `order`, 'uv' or 'vu'."""
    y = whole[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    chroma = whole[WIDTH * HEIGHT :].reshape(2, HEIGHT // 2, WIDTH // 2)
    return {"y": y, "cb": chroma[order.index("u")], "cr": chroma[order.index("v")]}


def upload(planes: dict[str, np.ndarray]) -> Written:
    written = Written()
    picture = Picture(planes["y"], planes["cb"], planes["cr"], 0, 1, Fraction(1, 25))
    Uploader(WIDTH, HEIGHT).upload(written, surface(WIDTH, HEIGHT, 8192), picture)  # type: ignore[arg-type]
    return written


@pytest.mark.parametrize("shape", [(BYTES,), (HEIGHT * 3 // 2, WIDTH)])
def test_planes_that_stand_as_in_a_surface_are_not_copied(shape: tuple[int, ...]) -> None:
    whole = np.random.default_rng(1).integers(0, 256, BYTES, np.uint8).reshape(shape)
    written = upload(planes_of(whole.reshape(-1), "uv"))
    assert written.address == 8192
    assert np.shares_memory(written.data, whole)
    assert bytes(written.data) == whole.tobytes()


@pytest.mark.parametrize("kind", ["apart", "vu", "reversed", "within a larger one", "strided"])
def test_other_planes_are_brought_together(kind: str) -> None:
    rng = np.random.default_rng(2)
    whole = rng.integers(0, 256, BYTES, np.uint8)
    planes = planes_of(whole, "uv")
    if kind == "apart":
        planes = {name: plane.copy() for name, plane in planes.items()}
    elif kind == "vu":
        planes = planes_of(whole, "vu")
    elif kind == "reversed":
        planes["y"] = planes["y"][::-1]
    elif kind == "within a larger one":
        planes = planes_of(rng.integers(0, 256, BYTES + 64, np.uint8)[64:], "uv")
    else:
        planes["cb"] = rng.integers(0, 256, (HEIGHT // 2, WIDTH), np.uint8)[:, ::2]
    expected = b"".join(np.ascontiguousarray(planes[name]).tobytes() for name in ("y", "cb", "cr"))
    written = upload(planes)
    assert bytes(written.data) == expected
    assert not np.shares_memory(written.data, whole)


def test_rows_with_padding_are_brought_together() -> None:
    """100 samples across stand 128 bytes apart in a surface."""
    width = 100
    y = np.full((HEIGHT, width), 7, np.uint8)
    chroma = np.full((HEIGHT // 2, width // 2), 9, np.uint8)
    written = Written()
    picture = Picture(y, chroma, chroma, 0, 1, Fraction(1, 25))
    Uploader(width, HEIGHT).upload(written, surface(width, HEIGHT), picture)  # type: ignore[arg-type]
    rows = np.asarray(written.data)[: 128 * HEIGHT].reshape(HEIGHT, 128)
    assert (rows[:, :width] == 7).all()
    assert not rows[:, width:].any()
