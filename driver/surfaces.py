"""Device memory from the host's side: who owns which bytes, and pictures going up and down."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from asic_model.memory.surface import ADDRESS_ALIGNMENT_BYTES, Surface, surface
from driver.backends import Backend
from driver.errors import CapacityExceeded, TryAgain
from driver.media.picture import Picture, as_picture


@dataclass(frozen=True, order=True)
class Span:
    """Bytes `address .. address + size - 1` of device memory."""

    address: int
    size: int


class Allocator:
    """First fit over device memory, neighbouring free spans joined again."""

    def __init__(self, start: int, end: int) -> None:
        self._free = [Span(start, end - start)]  # ascending, never touching each other
        self.total_bytes = end - start
        self._lock = threading.Lock()  # sessions are opened and closed from several threads

    @property
    def free_bytes(self) -> int:
        return sum(span.size for span in self._free)

    def allocate(self, size: int, alignment: int = ADDRESS_ALIGNMENT_BYTES, what: str = "a buffer") -> Span:
        """Return a span of `size` bytes, or raise CapacityExceeded saying needed, free and total."""
        with self._lock:
            for number, span in enumerate(self._free):
                address = -(-span.address // alignment) * alignment
                if address + size <= span.address + span.size:
                    rest = [
                        Span(span.address, address - span.address),
                        Span(address + size, span.address + span.size - address - size),
                    ]
                    self._free[number : number + 1] = [piece for piece in rest if piece.size]
                    return Span(address, size)
        raise CapacityExceeded(
            f"no device memory for {what}: {size} bytes needed, {self.free_bytes} of {self.total_bytes} free",
            limit="memory", needed=size, free=self.free_bytes, total=self.total_bytes,
        )  # fmt: skip

    def release(self, spans: Iterable[Span]) -> None:
        """Give spans back; each must have come from `allocate` and not been released since."""
        with self._lock:
            merged: list[Span] = []
            for span in sorted([*self._free, *spans]):
                if merged and merged[-1].address + merged[-1].size > span.address:
                    raise ValueError(f"span at {span.address:#x} released twice")
                if merged and merged[-1].address + merged[-1].size == span.address:
                    merged[-1] = Span(merged[-1].address, merged[-1].size + span.size)
                else:
                    merged.append(span)
            self._free = merged


class SurfaceOwner(Protocol):
    """Where a surface goes back to when nobody holds it any more."""

    @property
    def allocator(self) -> "Allocator": ...

    def give_back(self, returned: Any) -> None: ...


class PooledSurface:
    """One surface of a pool. Every user holds it once; the last `release()` gives it back.

    The picture in it is the whole surface, or for decoded pictures the part that is to be shown.
    """

    def __init__(self, pool: SurfaceOwner, layout: Surface, crop: tuple[int, int, int, int] | None = None) -> None:
        """crop: left, top, width, height of the picture in luma samples; None: all of the surface."""
        self._pool = pool
        self.layout = layout
        self.left, self.top, self.width, self.height = crop or (0, 0, layout.width, layout.height)
        self.holders = 0

    @cached_property
    def source_fields(self) -> dict[str, int]:
        """The fields of an encode or scale job that say where its source is."""
        fields = {"width": self.width, "height": self.height, "src_address": self.layout.address}
        if (self.width, self.height) != (self.layout.width, self.layout.height):
            fields |= {
                "src_surface_width": self.layout.width,
                "src_surface_height": self.layout.height,
                "src_left": self.left,
                "src_top": self.top,
            }
        return fields

    def __enter__(self) -> "PooledSurface":
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()

    def is_of(self, allocator: "Allocator") -> bool:
        """Whether it is in the device memory that `allocator` gives out."""
        return self._pool.allocator is allocator

    def upload(self, picture: Any) -> None:
        """Copy a picture of the surface's size from the host, as sessions take them (driver/media/picture.py); only
        while no job uses the surface."""
        backend = getattr(self._pool, "backend", None)
        if backend is None:
            raise ValueError("this surface belongs to a session")
        picture = as_picture(picture, self.layout.width, self.layout.height, 0, Fraction(25))
        Uploader(self.layout.width, self.layout.height).upload(backend, self.layout, picture)

    def download(self, pts: int = 0, duration: int = 1, time_base: Fraction = Fraction(1, 25)) -> Picture:
        """Copy the picture to the host; only when the jobs that write it have completed."""
        backend = getattr(self._pool, "backend", None)
        if backend is None:
            raise ValueError("this surface belongs to a session")
        return download(backend, self.layout, self.width, self.height, pts, duration, time_base, self.left, self.top)

    def hold(self) -> "PooledSurface":
        self.holders += 1
        return self

    def release(self) -> None:
        if self.holders <= 0:
            raise ValueError("surface released more often than held")
        self.holders -= 1
        if not self.holders:
            self._pool.give_back(self)


class SurfacePool:
    """A fixed number of surfaces of one size: memory does not grow with the number of pictures."""

    def __init__(
        self, allocator: Allocator, width: int, height: int, count: int, what: str, backend: Backend | None = None
    ) -> None:
        """backend: of the device, where the surfaces' user may copy pictures up and down himself."""
        self.what = what
        self.backend = backend
        self.count = count
        self.allocator = allocator
        self._spans: list[Span] = []
        self._idle: deque[PooledSurface] = deque()
        size = surface(width, height).size_bytes
        try:
            for _ in range(count):
                span = allocator.allocate(size, ADDRESS_ALIGNMENT_BYTES, f"{what} {width}x{height}")
                self._spans.append(span)
                self._idle.append(PooledSurface(self, surface(width, height, span.address)))
        except CapacityExceeded:
            self.close()
            raise
        self.low_water = count  # fewest that were ever idle

    @property
    def idle(self) -> int:
        return len(self._idle)

    def acquire(self) -> PooledSurface:
        """Return an idle surface, held once by the caller; TryAgain when all are in use."""
        if not self._idle:
            raise TryAgain(f"all {self.count} surfaces ({self.what}) are in use; receive packets first")
        taken = self._idle.popleft().hold()
        self.low_water = min(self.low_water, len(self._idle))
        return taken

    def give_back(self, returned: PooledSurface) -> None:
        self._idle.append(returned)

    def __enter__(self) -> "SurfacePool":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self.allocator.release(self._spans)
        self._spans = []
        self._idle.clear()


class Uploader:
    """Puts pictures into surfaces of one size, in one transfer each, through one staging buffer."""

    def __init__(self, width: int, height: int) -> None:
        layout = surface(width, height)
        self.width, self.height = width, height
        self._staging = np.zeros(layout.size_bytes, np.uint8)
        self._planes = plane_views(self._staging, layout)

    def upload(self, backend: Backend, target: Surface, picture: Picture) -> None:
        """Put `picture` into `target`. Planes that stand behind each other as in a surface go from where they are."""
        samples = self._in_one(picture)
        if samples is None:
            samples = self._staging
            for plane, given in zip(self._planes, (picture.y, picture.cb, picture.cr), strict=True):
                plane[:] = given
        backend.memory_write(target.address, samples)

    def _in_one(self, picture: Picture) -> np.ndarray | None:
        """The picture as uint8[size_bytes] where its planes stand as a surface's do, None where they do not."""
        whole = picture.y.base
        if not isinstance(whole, np.ndarray) or whole.dtype != np.uint8 or whole.nbytes != self._staging.size:
            return None
        begin = whole.__array_interface__["data"][0]
        if not whole.flags.c_contiguous:
            return None
        for plane, given in zip(self._planes, (picture.y, picture.cb, picture.cr), strict=True):
            offset = plane.__array_interface__["data"][0] - self._staging.__array_interface__["data"][0]
            stands = given.__array_interface__["data"][0] - begin
            if given.base is not whole or stands != offset or given.strides != plane.strides:
                return None
        return whole.reshape(-1)


def plane_views(memory: np.ndarray, layout: Surface) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return writable views (Y, Cb, Cr) of uint8[size_bytes] that holds a surface whose address is 0."""
    base = layout.address
    views = []
    for address, pitch, width, height in (
        (layout.address, layout.pitch, layout.width, layout.height),
        (layout.cb_address, layout.chroma_pitch, layout.chroma_width, layout.chroma_height),
        (layout.cr_address, layout.chroma_pitch, layout.chroma_width, layout.chroma_height),
    ):
        start = address - base
        views.append(memory[start : start + pitch * height].reshape(height, pitch)[:, :width])
    return views[0], views[1], views[2]


def download(
    backend: Backend, layout: Surface, width: int, height: int, pts: int = 0, duration: int = 1,
    time_base: Fraction = Fraction(1, 25), left: int = 0, top: int = 0,
) -> Picture:  # fmt: skip
    """Return the `width` x `height` samples of a surface from (`left`, `top`) on: cropping as the SPS says it."""
    memory = np.frombuffer(backend.memory_read(layout.address, layout.size_bytes), np.uint8)
    planes = []
    for number, plane in enumerate(plane_views(memory, layout)):
        half = int(number > 0)  # chroma covers odd last samples, too
        bottom, right = top + height + half >> half, left + width + half >> half
        planes.append(plane[top >> half : bottom, left >> half : right])
    return Picture(planes[0], planes[1], planes[2], pts, duration, time_base)
