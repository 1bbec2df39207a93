"""Where decoded frames stand: what a target provides, and who holds which surface."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from asic_model.codecs.h264.dpb import Dpb, Frame
from asic_model.codecs.h264.parameter_sets import Sps


@dataclass(eq=False)
class DecodedFrame:
    """One frame in output order. Its surface stays untouched until `H264Decoder.release`."""

    surfaces: "SurfaceSet"
    surface: int  # its number there
    coded_width: int
    coded_height: int
    crop: tuple[int, int, int, int]  # left, top, width, height in luma samples: what is to be shown
    monochrome: bool
    pts: Any  # of the packet that brought its first slice
    key: bool  # IDR
    interlaced: bool
    top_field_first: bool
    sps: Sps  # sample aspect ratio, colour description and frame rate are in sps.vui
    outcome: list[Any] = field(default_factory=list)  # what the target returned for its one or two jobs


class SurfaceSet(Protocol):
    """Surfaces of one coded size, each with a motion buffer."""

    def surface_address(self, number: int) -> int: ...

    def motion_address(self, number: int) -> int: ...

    def close(self) -> None:
        """Nobody needs them any more."""


class DecodeTarget(Protocol):
    """What runs decode jobs."""

    def open_surfaces(self, width: int, height: int, count: int) -> SurfaceSet:
        """Provide `count` surfaces of the coded size. Former sets stay valid until they are closed."""

    def decode(self, fields: dict[str, int], parameters: bytes, stream: bytes) -> Any:
        """Run one job; `fields` lacks the addresses of stream and parameter block. Returns its outcome."""


class NoSurfaces:
    """Before the first SPS."""

    def surface_address(self, number: int) -> int:
        raise IndexError(number)

    motion_address = surface_address

    def close(self) -> None:
        pass


class Pool:
    """Who holds which surface of a set."""

    def __init__(self, surfaces: SurfaceSet, count: int) -> None:
        self.surfaces = surfaces
        self.count = count
        self._lent: set[int] = set()
        self._retired = False

    def take(self, dpb: Dpb, frame: Frame, last: Frame | None) -> int:
        """Return the number of a surface that neither the picture buffer nor the caller holds."""
        used = {f.surface for f in dpb.frames} | self._lent
        free = [number for number in range(self.count) if number not in used]
        if not free:
            raise RuntimeError(f"all {self.count} surfaces are held: release frames, or allow more in flight")
        if last is not None and last.surface in free and len(free) > 1:
            free.remove(last.surface)  # worth concealing from
        return free[0]

    def lend(self, number: int) -> None:
        self._lent.add(number)

    def give_back(self, number: int) -> None:
        self._lent.discard(number)
        self._close_if_done()

    def retire(self) -> None:
        """No more surfaces will be taken."""
        self._retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._retired and not self._lent:
            self.surfaces.close()
