"""Jobs of a chip without pixels: one estimate for all jobs of the same shape, moved to each job's own buffers.

A shape is a job block without its addresses and without the fields that no estimate looks at. What is computed from the
fields once, sizes of the buffers and the estimate itself, is kept by shape, so that a job costs no more than looking it
up. A decode job's estimate comes from its parameter block too, which is read at the announcement.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from asic_model import warm
from asic_model.cores.estimate import estimate
from asic_model.cores.registry import CoreType, all_regions, build_job, parameter_block
from asic_model.cores.result import CoreResult
from asic_model.descriptors import BLOCK_BYTES, ENCODE_BLOCK, JOB_BLOCKS, Kind, Region, Status, unpack_job
from asic_model.ticket import NO_FIELD, Ticket, Window, failed_result, placed

# Fields of a job block that no estimate looks at, and the memory that kept estimates may take.
_NOT_IN_ESTIMATES = frozenset((
    "frame_num", "idr_pic_id", "poc_lsb", "seed", "number", "poc_top", "poc_bottom", "poc",
    *(f"ref_poc_{n}" for n in range(4)), *(f"ref_frame_num_{n}" for n in range(4)),
    *(f"ref_l1_poc_{n}" for n in range(2)), *(f"ref_l1_frame_num_{n}" for n in range(2)),
))  # fmt: skip
ESTIMATE_BYTES_MOST = 64 << 20
_KIND_AT = ENCODE_BLOCK.offsets["kind"]


@cache
def _outline(kind: Kind) -> tuple[int, struct.Struct, int, tuple[str, ...]]:
    """Of a kind's job block: mask of what makes its shape; its addresses' structure, place and names."""
    layout = JOB_BLOCKS[kind]
    mask = bytearray(b"\xff" * BLOCK_BYTES)
    addresses = []
    for each in layout.body:
        if each.code == "Q" or each.name in _NOT_IN_ESTIMATES:
            at, size = layout.offsets[each.name], struct.calcsize(each.code)
            mask[at : at + size] = bytes(size)
        if each.code == "Q":
            addresses.append(each.name)
    places = [layout.offsets[name] for name in addresses]
    assert places == list(range(places[0], places[0] + 8 * len(places), 8)), "addresses stand together, in their order"
    return int.from_bytes(mask, "little"), struct.Struct(f"<{len(places)}Q"), places[0], tuple(addresses)


@dataclass(slots=True)
class _Shape:
    """What jobs of one shape share."""

    fields: Mapping[str, int]  # of the first of them
    indices: np.ndarray  # of its areas' addresses among the block's
    sizes: list[int]  # of its areas, bytes
    areas: list[Region]
    parameters: bytes
    result: CoreResult | None = None
    bases: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # of the areas that `result` was made with
    area_of: np.ndarray | None = None  # in which of the areas each request is; None: in none, or in several
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # of each request in its area
    size_bytes: int = 0

    def keep(self, result: CoreResult, areas: list[Region]) -> None:
        """Take note of the estimate that was made of a job with these areas."""
        bases = np.array([area.address for area in areas], np.int64)
        ends = bases + np.array([area.size_bytes for area in areas], np.int64)
        order = np.argsort(bases, kind="stable")
        addresses = result.requests["address"].astype(np.int64)
        apart = bool(np.all(ends[order][:-1] <= bases[order][1:]))
        place = np.searchsorted(bases[order], addresses, "right") - 1
        inside = apart and bool(np.all(place >= 0)) and bool(np.all(addresses < ends[order][place]))
        self.result, self.bases, self.area_of = result, bases, order[place] if inside else None
        if self.area_of is not None:
            self.offsets = addresses - bases[self.area_of]
        self.size_bytes = result.requests.nbytes + result.cycles.nbytes


class EstimatedTicket(Ticket):
    """A job whose outcome is an estimate: nothing is read or written, so there is nothing to wait for."""

    def __init__(self, owner: "Estimates", kind: Kind, block: bytes, window: Window, shape: _Shape) -> None:
        # not the lock and event of a job that threads compute
        self.kind, self.shape, self.areas, self.waits_for, self.pooled = kind, shape.fields, [], [], False
        self._owner, self._block, self._window, self._of = owner, block, window, shape
        self._outcome: CoreResult | BaseException | None = None

    @property
    def fields(self) -> Mapping[str, int]:  # type: ignore[override]
        return unpack_job(self._block)[1]

    @property
    def done(self) -> bool:
        return self._outcome is not None

    def give(self, result: CoreResult) -> None:
        self._outcome = result

    def finish(self) -> None:
        if self._outcome is None:
            self._outcome = self._owner.result(self.kind, self._block, self._window, self._of)


class Estimates:
    """The estimates of a chip's jobs, the youngest shapes kept."""

    def __init__(self, types: dict[Kind, CoreType]) -> None:
        self._types = types
        self._shapes: dict[tuple[object, ...], _Shape] = {}  # youngest last
        self._bytes = 0

    def ticket(self, block: bytes, window: Window, memory: np.ndarray) -> Ticket:
        """The ticket of a job; `memory` is the window's part of device memory."""
        kind = Kind(block[_KIND_AT])
        mask, addresses, place, names = _outline(kind)
        given = addresses.unpack_from(block, place)
        parameters = b""
        key: tuple[object, ...] = (int.from_bytes(block, "little") & mask, tuple(map(bool, given)))
        if kind is Kind.DECODE:
            fields = unpack_job(block)[1]
            areas = all_regions(memory, kind, fields)
            if not all(window.holds(area.address, area.size_bytes) for area in areas):
                return _violation(kind, fields)
            parameters = parameter_block(memory, kind, fields)
            key = (*key, parameters, *(area.address for area in areas))
        shape = self._shapes.pop(key, None)
        if shape is None:
            fields = unpack_job(block)[1]
            warm.want(kind, fields, False)
            areas = all_regions(memory, kind, fields)
            indices = [names.index(area.field) for area in areas] if kind is not Kind.DECODE else []
            shape = _Shape(fields, np.array(indices, np.int64), [area.size_bytes for area in areas], areas, parameters)
        self._shapes[key] = shape
        for index, size in zip(shape.indices.tolist(), shape.sizes, strict=False):
            if given[index] + size > window.size_bytes:
                return _violation(kind, unpack_job(block)[1])
        return EstimatedTicket(self, kind, block, window, shape)

    def result(self, kind: Kind, block: bytes, window: Window, shape: _Shape) -> CoreResult:
        """The estimate of a job of that shape, at its own addresses."""
        _, addresses, place, _ = _outline(kind)
        if kind is Kind.DECODE:
            at = np.array([area.address for area in shape.areas], np.int64)
        else:
            at = np.frombuffer(block, np.int64, addresses.size // 8, place)[shape.indices]
        if shape.result is None:
            shape.keep(self._estimate(kind, block, shape.parameters), [
                area._replace(address=int(address)) for area, address in zip(shape.areas, at, strict=True)
            ])  # fmt: skip
            self._trim(shape)
        kept = shape.result
        assert kept is not None
        if shape.area_of is None:
            return placed(
                kept if np.array_equal(at, shape.bases) else self._estimate(kind, block, shape.parameters), window
            )
        requests = kept.requests.copy()
        requests["address"] = (at + window.base).take(shape.area_of) + shape.offsets
        return CoreResult(
            kept.status, kept.detail, kept.output_bytes, kept.stages, kept.cycles, requests, kept.work, kept.counters,
            kept.facts,
        )  # fmt: skip

    def _estimate(self, kind: Kind, block: bytes, parameters: bytes) -> CoreResult:
        core = self._types[kind]
        return estimate(kind, build_job(core, unpack_job(block)[1]), core.config, parameters)

    def _trim(self, newest: _Shape) -> None:
        """Forget the oldest shapes when the estimates take too much memory."""
        self._bytes += newest.size_bytes
        while self._bytes > ESTIMATE_BYTES_MOST and len(self._shapes) > 1:
            self._bytes -= self._shapes.pop(next(iter(self._shapes))).size_bytes


def _violation(kind: Kind, fields: Mapping[str, int]) -> Ticket:
    outcome = failed_result(Status.ACCESS_VIOLATION, NO_FIELD)
    return Ticket(kind, dict(fields), [], lambda: outcome)
