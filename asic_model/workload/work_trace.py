"""Work traces: what every job of a run did, without the samples, in one file.

    trace = read(Path("clip.work"))
    trace.jobs["units"]; trace.work(0); trace.fields(0)

A job is its kind, the fields of its block, its work record and its facts (what `cost` needs besides), so a trace
carries jobs of any kind of core, and their cycles and memory requests on any chip follow from it. Beside the jobs
stands the log of the host's calls, with which `playback` repeats the run on the chip that it was recorded on.

The file: 8 bytes MAGIC; version, bytes of the index, bytes of the data (little-endian u32, u32, u64); the index's
SHA-256 (32 bytes); the index; the data. The index is JSON, deflated: `meta`, and for each array its dtype, shape, place
and SHA-256. Arrays of records are stored field by field, since a field resembles itself, and deflated.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from asic_model.descriptors import Kind
from asic_model.work import DECODE_WORK, ENCODE_WORK, SCALE_WORK
from asic_model.workload.errors import TraceError

MAGIC = b"TASICWRK"
VERSION = 1
_HEAD = struct.Struct("<IIQ")
_MOST_INDEX_BYTES = 64 << 20
_MOST_ARRAY_BYTES = 8 << 30

WORK_TYPES: dict[Kind, np.dtype] = {
    Kind.ENCODE: ENCODE_WORK,
    Kind.SCALE: SCALE_WORK,
    Kind.DECODE: DECODE_WORK,
}

# One job, in order of start.
JOB = np.dtype(
    [
        ("kind", "u1"),  # descriptors.Kind
        ("status", "u1"),
        ("core", "u1"),  # row among all cores of the recorded chip
        ("detail", "u4"),
        ("output_bytes", "u4"),
        ("session", "u4"),  # the firmware's number; jobs of one session run one at a time, in order
        ("picture", "i4"),  # number of the upload that had to be there, from 0; -1: none
        ("units", "i4"),  # rows of the work record
        ("start_ps", "i8"),
        ("end_ps", "i8"),
    ]
)

# One call of the host.
CALL = np.dtype([("what", "u1"), ("address", "u8"), ("value", "u8"), ("kept", "i8")])
READ32, WRITE32, MEMORY_READ, MEMORY_WRITE, WAIT = range(5)

# One upload that jobs read: bytes moved, and when.
UPLOAD = np.dtype([("at_ps", "i8"), ("size", "u8")])


@dataclass
class WorkTrace:
    """One recorded run.

    meta     facts about the run: "chip" (name), "config" (the whole description), "end_ps", "source", ...
    jobs     JOB[n]
    calls    CALL[...], the host's; `kept` is the offset of a write's bytes in `contents`, -1 where only the size counts
    uploads  UPLOAD[...], pictures or streams that came over the host link
    """

    meta: dict[str, Any]
    jobs: np.ndarray = field(default_factory=lambda: np.zeros(0, JOB))
    calls: np.ndarray = field(default_factory=lambda: np.zeros(0, CALL))
    contents: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    uploads: np.ndarray = field(default_factory=lambda: np.zeros(0, UPLOAD))
    job_fields: list[dict[str, int]] = field(default_factory=list)
    job_work: list[np.ndarray] = field(default_factory=list)
    job_facts: list[dict[str, np.ndarray]] = field(default_factory=list)
    job_counters: list[dict[str, int]] = field(default_factory=list)
    job_after: list[list[int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.jobs)

    def kind(self, number: int) -> Kind:
        return Kind(int(self.jobs["kind"][number]))

    def fields(self, number: int) -> dict[str, int]:
        """Fields of the job's block, by name."""
        return self.job_fields[number]

    def work(self, number: int) -> np.ndarray:
        """The job's work record, one row a unit."""
        return self.job_work[number]

    def facts(self, number: int) -> dict[str, np.ndarray]:
        """What the kind's `cost` needs besides; `tiles`: sizes of the written picture's compressed tiles."""
        return self.job_facts[number]

    def counters(self, number: int) -> dict[str, int]:
        return self.job_counters[number]

    def after(self, number: int) -> list[int]:
        """Jobs whose output this one reads."""
        return self.job_after[number]

    # ------------------------------------------------------------------------------------------------------ file

    def write(self, stream: BinaryIO) -> None:
        """Write the file."""
        index: dict[str, Any] = {"meta": self.meta, "arrays": {}, "counters": self.job_counters, "kinds": {}}
        blobs: list[bytes] = []
        place = 0
        for name, array in self._arrays(index):
            packed = zlib.compress(_columns(array), 6)
            index["arrays"][name] = {
                "dtype": _describe(array.dtype),
                "shape": list(array.shape),
                "place": place,
                "bytes": len(packed),
                "sha256": hashlib.sha256(packed).hexdigest(),
            }
            blobs.append(packed)
            place += len(packed)
        text = zlib.compress(json.dumps(index, sort_keys=True, separators=(",", ":")).encode(), 9)
        stream.write(MAGIC + _HEAD.pack(VERSION, len(text), place) + hashlib.sha256(text).digest() + text)
        for blob in blobs:
            stream.write(blob)

    def _arrays(self, index: dict[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
        yield "jobs", self.jobs
        yield "calls", self.calls
        yield "contents", self.contents
        yield "uploads", self.uploads
        yield "after_counts", np.array([len(each) for each in self.job_after], np.int32)
        yield "after", np.array([job for each in self.job_after for job in each], np.int32)
        for kind in (Kind.ENCODE, Kind.SCALE, Kind.DECODE):
            mine = np.flatnonzero(self.jobs["kind"] == kind)
            if not mine.size:
                continue
            names = sorted(self.job_fields[mine[0]])
            index["kinds"][kind.name.lower()] = names
            yield (
                f"fields.{kind.name.lower()}",
                np.array([[self.job_fields[n][name] for name in names] for n in mine], np.int64),
            )
            yield f"work.{kind.name.lower()}", np.concatenate([self.job_work[n] for n in mine])
        for name in sorted({name for facts in self.job_facts for name in facts}):
            have = [n for n, facts in enumerate(self.job_facts) if name in facts]
            parts = [self.job_facts[n][name] for n in have]
            shapes = np.array([(n, *part.shape, *(1,) * (2 - part.ndim)) for n, part in zip(have, parts, strict=True)])
            yield f"facts.{name}.shapes", shapes.astype(np.int32)
            yield f"facts.{name}", np.concatenate([part.ravel() for part in parts])


def read(path: Path) -> WorkTrace:
    """Read a work trace. Raises TraceError: not one, of another version, cut short, damaged (and where)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from None
    return parse(data, str(path))


def parse(data: bytes, name: str = "trace") -> WorkTrace:
    """Return the trace that `data` holds; `name` is its name in messages."""
    head = len(MAGIC) + _HEAD.size + 32
    if data[: len(MAGIC)] != MAGIC:
        raise TraceError(f"{name}: is no work trace (it does not begin with {MAGIC.decode()})")
    if len(data) < head:
        raise TraceError(f"{name}: is cut short: {len(data)} bytes, the head alone has {head}")
    version, index_bytes, data_bytes = _HEAD.unpack_from(data, len(MAGIC))
    if version != VERSION:
        age = "older" if version < VERSION else "newer"
        raise TraceError(
            f"{name}: is of version {version}, {age} than version {VERSION}, which is read; record it again"
        )
    whole = head + index_bytes + data_bytes
    if len(data) != whole:
        raise TraceError(f"{name}: is cut short or has a tail: {len(data)} bytes, {whole} expected")
    text = data[head : head + index_bytes]
    if hashlib.sha256(text).digest() != data[head - 32 : head]:
        raise TraceError(f"{name}: is damaged: the index's checksum does not fit")
    try:
        index = json.loads(_inflate(text, _MOST_INDEX_BYTES))
        return _build(index, memoryview(data)[head + index_bytes :], name)
    except TraceError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, zlib.error, MemoryError) as error:
        raise TraceError(f"{name}: contradicts itself: {error}") from None


def _build(index: dict[str, Any], data: memoryview, name: str) -> WorkTrace:
    arrays = {key: _array(entry, data, f"{name}: {key}") for key, entry in index["arrays"].items()}
    jobs = _expect(arrays["jobs"], JOB, f"{name}: jobs")
    trace = WorkTrace(
        meta=index["meta"],
        jobs=jobs,
        calls=_expect(arrays["calls"], CALL, f"{name}: calls"),
        contents=arrays["contents"],
        uploads=_expect(arrays["uploads"], UPLOAD, f"{name}: uploads"),
    )
    count = len(jobs)
    trace.job_fields = [{} for _ in range(count)]
    trace.job_work = [np.zeros(0, ENCODE_WORK)] * count
    trace.job_facts = [{} for _ in range(count)]
    trace.job_counters = index["counters"]
    ends = np.cumsum(arrays["after_counts"])
    trace.job_after = [part.tolist() for part in np.split(arrays["after"], ends[:-1])] if count else []
    if len(trace.job_counters) != count or len(trace.job_after) != count:
        raise TraceError(f"{name}: contradicts itself: {count} jobs, {len(trace.job_counters)} rows of counters")
    for kind_name, names in index["kinds"].items():
        kind = Kind[kind_name.upper()]
        mine = np.flatnonzero(jobs["kind"] == kind)
        rows = arrays[f"fields.{kind_name}"]
        work = _expect(arrays[f"work.{kind_name}"], WORK_TYPES[kind], f"{name}: work.{kind_name}")
        units = jobs["units"][mine]
        if len(rows) != len(mine) or int(units.sum()) != len(work) or units.min(initial=0) < 0:
            raise TraceError(f"{name}: contradicts itself: rows of {kind_name} jobs")
        for number, values, part in zip(
            mine.tolist(), rows.tolist(), np.split(work, np.cumsum(units)[:-1]), strict=True
        ):
            trace.job_fields[number] = dict(zip(names, values, strict=True))
            trace.job_work[number] = part
    for key, values in arrays.items():
        if key.startswith("facts.") and not key.endswith(".shapes"):
            shapes = arrays[f"{key}.shapes"].tolist()
            place = 0
            for number, high, wide in shapes:
                part = values[place : place + high * wide]
                flat = key.removeprefix("facts.")
                trace.job_facts[number][flat] = part.reshape(high, wide) if flat == "tiles" else part
                place += high * wide
            if place != len(values):
                raise TraceError(f"{name}: contradicts itself: {key}")
    return trace


def _expect(array: np.ndarray, dtype: np.dtype, what: str) -> np.ndarray:
    """`array` with the fields of `dtype`: extra ones are dropped, a missing one is refused by name."""
    if array.dtype == dtype:
        return array
    missing = [name for name in dtype.names or () if name not in (array.dtype.names or ())]
    if missing:
        raise TraceError(f"{what}: lacks field {missing[0]!r}, which this version needs; record it again")
    out = np.zeros(len(array), dtype)
    for name in dtype.names or ():
        out[name] = array[name]
    return out


def _array(entry: dict[str, Any], data: memoryview, what: str) -> np.ndarray:
    packed = data[entry["place"] : entry["place"] + entry["bytes"]]
    if hashlib.sha256(packed).hexdigest() != entry["sha256"]:
        raise TraceError(f"{what}: is damaged: the checksum does not fit")
    dtype = (
        np.dtype([(str(f), str(t), tuple(s)) if s else (str(f), str(t)) for f, t, s in entry["dtype"]])
        if isinstance(entry["dtype"], list)
        else np.dtype(str(entry["dtype"]))
    )
    if dtype.hasobject:
        raise TraceError(f"{what}: holds objects")
    shape = tuple(int(size) for size in entry["shape"])
    size = dtype.itemsize * int(np.prod(shape, dtype=object)) if shape else dtype.itemsize
    if not 0 <= size <= _MOST_ARRAY_BYTES:
        raise TraceError(f"{what}: says it is {size} bytes long")
    raw = _inflate(packed, size)
    if len(raw) != size:
        raise TraceError(f"{what}: is {len(raw)} bytes long, {size} expected")
    if dtype.names is None:
        return np.frombuffer(raw, dtype).reshape(shape)
    out = np.zeros(shape, dtype)
    place = 0
    for name in dtype.names:
        column = out[name]
        out[name] = np.frombuffer(raw, column.dtype, column.size, place).reshape(column.shape)
        place += column.size * column.dtype.itemsize
    return out


def _inflate(packed: bytes | memoryview, most: int) -> bytes:
    """Inflate at most `most` bytes: a foreign file must not fill the memory."""
    unpacker = zlib.decompressobj()
    return unpacker.decompress(packed, most + 1)


def _columns(array: np.ndarray) -> bytes:
    if array.dtype.names is None:
        return np.ascontiguousarray(array).tobytes()
    return b"".join(np.ascontiguousarray(array[name]).tobytes() for name in array.dtype.names)


def _describe(dtype: np.dtype) -> Any:
    if dtype.names is None:
        return dtype.str
    found = []
    for name in dtype.names:
        base, shape = dtype[name].base, dtype[name].shape
        found.append([name, base.str, list(shape)])
    return found


def summary(trace: WorkTrace) -> Iterable[str]:
    """Lines that say what a trace holds."""
    meta = trace.meta
    yield f"recorded on {meta.get('chip', '?')}, {meta.get('end_ps', 0) / 1e9:.3f} ms of its time"
    for kind in WORK_TYPES:
        mine = trace.jobs["kind"] == kind
        if mine.any():
            yield f"{kind.name.lower()}: {int(mine.sum())} jobs, {int(trace.jobs['units'][mine].sum())} units"
