"""A decode core on its own, without chip, firmware and simulated time: for tests and measurements of the core."""

import mmap
from dataclasses import dataclass, field

import numpy as np

from asic_model.codecs.h264.decode_records import motion_bytes
from asic_model.cores.decode import DecodeCoreConfig, DecodeJob, run
from asic_model.cores.result import STATUS_BAD_FIELD, CoreResult
from asic_model.memory.surface import ADDRESS_ALIGNMENT_BYTES, surface
from driver.decode import DecodedFrame
from driver.errors import BadJob, CapacityExceeded


def _aligned(size: int) -> int:
    return -(-size // ADDRESS_ALIGNMENT_BYTES) * ADDRESS_ALIGNMENT_BYTES


@dataclass
class CoreSurfaces:
    """Surfaces and motion buffers one behind the other."""

    owner: "CoreTarget"
    width: int
    height: int
    count: int
    base: int

    def __post_init__(self) -> None:
        self._surface_bytes = _aligned(surface(self.width, self.height).size_bytes)
        self._motion_bytes = _aligned(motion_bytes(self.width, self.height))

    def surface_address(self, number: int) -> int:
        return self.base + number * self._surface_bytes

    def motion_address(self, number: int) -> int:
        return self.base + self.count * self._surface_bytes + number * self._motion_bytes

    @property
    def end(self) -> int:
        return self.motion_address(self.count)

    def close(self) -> None:
        self.owner.sets.remove(self)


@dataclass
class CoreTarget:
    """Runs decode jobs at once, on the caller's thread; see `driver.decode.DecodeTarget`.

    memory_bytes : address space; pages are taken as they are written
    results      : the core's result of each job, if `keep_results`
    counters     : sums over all jobs
    """

    config: DecodeCoreConfig = field(default_factory=DecodeCoreConfig)
    memory_bytes: int = 2 << 30
    keep_results: bool = False
    results: list[CoreResult] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    sets: list[CoreSurfaces] = field(default_factory=list)
    memory: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        self.memory = np.frombuffer(mmap.mmap(-1, self.memory_bytes, flags=flags), np.uint8)

    def open_surfaces(self, width: int, height: int, count: int) -> CoreSurfaces:
        base = 0
        for other in sorted(self.sets, key=lambda each: each.base):  # first gap that is large enough
            if CoreSurfaces(self, width, height, count, base).end <= other.base:
                break
            base = other.end
        found = CoreSurfaces(self, width, height, count, base)
        if found.end > self.memory_bytes:
            raise CapacityExceeded(f"{count} surfaces of {width}x{height} do not fit the core's memory")
        self.sets.append(found)
        return found

    def decode(self, fields: dict[str, int], parameters: bytes, stream: bytes) -> CoreResult:
        """Run one job; parameter block and slice data stand behind all surfaces."""
        at = max((each.end for each in self.sets), default=0)
        data = at + _aligned(len(parameters))
        if data + len(stream) > self.memory_bytes:
            raise CapacityExceeded(f"{len(stream)} bytes of slice data do not fit the core's memory")
        self.memory[at : at + len(parameters)] = np.frombuffer(parameters, np.uint8)
        self.memory[data : data + len(stream)] = np.frombuffer(stream, np.uint8)
        result = run(self.memory, DecodeJob(**fields, parameters_address=at, stream_address=data), self.config)
        if result.status == STATUS_BAD_FIELD:
            raise BadJob(f"the decode core refused field {result.detail} of the job", field=result.detail)
        for name, value in result.counters.items():
            self.counters[name] = self.counters.get(name, 0) + value
        if self.keep_results:
            self.results.append(result)
        return result

    def planes(self, frame: DecodedFrame) -> list[np.ndarray]:
        """Luma, Cb and Cr of the visible picture, views of the core's memory."""
        place = surface(frame.coded_width, frame.coded_height, frame.surfaces.surface_address(frame.surface))
        left, top, width, height = frame.crop
        found = []
        for address, pitch, shift in (
            (place.address, place.pitch, 0),
            (place.cb_address, place.chroma_pitch, 1),
            (place.cr_address, place.chroma_pitch, 1),
        ):
            rows = self.memory[address : address + pitch * (place.height >> shift)].reshape(-1, pitch)
            end_y, end_x = (top + height + shift) >> shift, (left + width + shift) >> shift
            found.append(rows[top >> shift : end_y, left >> shift : end_x])
        return found
