"""Damaged H.264 streams against the decoder: no crash, no hang, bounded memory, the same outcome every time.

Each seed makes one stream: it takes a source of the media folder and damages it as channels, files and faulty
writers do (bit flips, truncation, splices, units dropped, doubled or moved, bytes of headers, and fields of parameter
sets and slice headers set to other values and written again). What the decoder must do: end without an exception (a
refusal by name is fine), within the time limit, with no more than three times the memory that the undamaged streams
take. Seeds are independent of each other, so any one can be run alone (`--first 1234 --count 1`).

    python -m benchmarks.robustness                  # 20,000 streams
    NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=/tmp/checked python -m benchmarks.robustness --count 500
"""

import dataclasses
import hashlib
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from asic_model.codecs.h264 import parameter_sets, slice_header
from asic_model.codecs.h264.bits import BitWriter, SyntaxFault
from asic_model.codecs.h264.nal import (
    NAL_IDR_SLICE,
    NAL_PPS,
    NAL_SLICE,
    NAL_SPS,
    START_CODE,
    escape,
    split_annex_b,
    unescape,
)
from asic_model.codecs.h264.parameter_sets import Pps, Sps, parse_pps, parse_sps
from asic_model.codecs.h264.slice_header import parse_slice_header
from benchmarks import measure
from driver.backends.core import CoreTarget
from driver.decode import H264Decoder
from driver.errors import CapacityExceeded, UnsupportedInput

SOURCES = (
    "h264_micro/cabac_b_8x8_128x128.es", "h264_micro/mbaff_b_128x128.es", "h264_micro/bframe_temporal_64x64.es",
    "h264_micro/cabac_mslice_idc2.264", "h264_micro/cabac_ipcm_ip.264", "h264_micro/p_8x8_cavlc_128x128.es",
    "h264_micro/cabac_high_200x200_noisy.es", "h264_micro/cavlc_b4x4_spatial_direct_sub.h264",
    "h264_conformance/CVFI1_SVA_C.264", "h264_conformance/CAPA1_TOSHIBA_B.264", "h264_conformance/HCAFF1_HHI_B.264",
    "h264_conformance/FREXT01_JVC_D.264", "h264_conformance/FRExt_MMCO4_Sony_B.264", "h264_other/Zhling_1280x720.264",
)  # fmt: skip
SOURCE_BYTES = 24_000  # of a source that are used: whole units
TIME_LIMIT_S = 2.0
MEMORY_FACTOR = 3
KINDS = ("flips", "truncation", "splice", "bytes", "dropped", "doubled", "fields")
# Values that fields are set to, beside ones near the former one.
_EXTREMES = (0, 1, 2, 15, 16, 31, 32, 127, 255, 1023, 65535, (1 << 31) - 1, -1, -26, -128, -(1 << 31))


class _AnyWriter(BitWriter):
    """Writes values that the standard does not allow, as far as their codes can hold them."""

    def u(self, field: str, bits: int, value: int, low: int = 0, high: int | None = None) -> int:
        self.bits(value, bits)
        return value

    def ue(self, field: str, value: int, low: int = 0, high: int = 0) -> int:
        return super().ue(field, min(max(value, 0), (1 << 32) - 2))

    def se(self, field: str, value: int, low: int = 0, high: int = 0) -> int:
        return super().se(field, min(max(value, -(1 << 31) + 1), (1 << 31) - 1))


def sources(media: Path) -> list[bytes]:
    """The beginnings of all sources that are there, whole units."""
    found = []
    for name in SOURCES:
        data = (media / name).read_bytes()
        end = max((end for _, end in split_annex_b(data) if end <= SOURCE_BYTES), default=len(data))
        found.append(data[:end])
    return found


def _other_value(value: Any, rng: np.random.Generator) -> Any:
    """Another value of the type of `value`; lists lose, gain or change an entry."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        near = value + int(rng.integers(-3, 4))
        return near if rng.random() < 0.5 else int(rng.choice(_EXTREMES))
    if isinstance(value, list):
        out = list(value)
        if out and rng.random() < 0.5:
            at = int(rng.integers(len(out)))
            out[at] = _other_value(out[at], rng)
        elif out and rng.random() < 0.5:
            out.pop()
        else:
            out.append(out[-1] if out else int(rng.choice(_EXTREMES)))
        return out
    if isinstance(value, tuple):
        return tuple(_other_value(each, rng) if rng.random() < 0.5 else each for each in value)
    return value


def _change_field(record: Any, rng: np.random.Generator) -> None:
    """Set one field of a dataclass (or of one inside of it) to another value."""
    names = [field.name for field in dataclasses.fields(record)]
    name = names[rng.integers(len(names))]
    value = getattr(record, name)
    if dataclasses.is_dataclass(value):
        _change_field(value, rng)
    else:
        setattr(record, name, _other_value(value, rng))


def _bits_of(data: bytes, first: int) -> str:
    return f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"[first:] if data else ""


def _bytes_of(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


def _change_slice(unit: bytes, sequences: dict[int, Sps], pictures: dict[int, Pps], rng: np.random.Generator) -> bytes:
    """The slice with one field of its header changed, written again before the same slice data."""
    rbsp = unescape(unit[1:])
    header = parse_slice_header(rbsp[:1024], unit[0] & 31, (unit[0] >> 5) & 3, sequences, pictures)
    pps = pictures[header.pic_parameter_set_id]
    data = _bits_of(rbsp, header.header_bits)
    if pps.entropy_coding_mode_flag:
        data = data[-header.header_bits % 8 :]
    _change_field(header, rng)
    writer = _AnyWriter()
    slice_header._slice_syntax(writer, header, sequences, {**pictures, header.pic_parameter_set_id: pps})
    count = writer.position
    bits = _bits_of(writer.data(), 0)[:count]
    if pps.entropy_coding_mode_flag:
        bits += "1" * (-count % 8)
    return unit[:1] + escape(_bytes_of(bits + data))


def change_fields(data: bytes, rng: np.random.Generator) -> bytes:
    """Set fields of a parameter set or of slice headers to other values, legal or not, if their codes can hold them."""
    units = [data[begin:end] for begin, end in split_annex_b(data)]
    kinds = [unit[0] & 31 for unit in units]
    wanted = (NAL_SPS, NAL_PPS, NAL_SLICE, NAL_IDR_SLICE)
    places = [at for at, kind in enumerate(kinds) if kind in wanted]
    if rng.random() < 0.6:  # parameter sets are few but matter most
        places = [at for at in places if kinds[at] in (NAL_SPS, NAL_PPS)] or places
    for _ in range(rng.integers(1, 4)):
        chosen = places[rng.integers(len(places))]
        sequences: dict[int, Sps] = {}
        pictures: dict[int, Pps] = {}
        try:
            for unit in units[:chosen]:
                if unit[0] & 31 == NAL_SPS:
                    sps = parse_sps(unescape(unit[1:]))
                    sequences[sps.seq_parameter_set_id] = sps
                elif unit[0] & 31 == NAL_PPS:
                    pps = parse_pps(unescape(unit[1:]), sequences)
                    pictures[pps.pic_parameter_set_id] = pps
            unit = units[chosen]
            if kinds[chosen] == NAL_SPS:
                sps = parse_sps(unescape(unit[1:]))
                _change_field(sps, rng)
                writer = _AnyWriter()
                parameter_sets._sps_syntax(writer, sps)
                writer.trailing_bits()
                units[chosen] = unit[:1] + escape(writer.data())
            elif kinds[chosen] == NAL_PPS:
                pps = parse_pps(unescape(unit[1:]), sequences)
                _change_field(pps, rng)
                writer = _AnyWriter()
                parameter_sets._pps_syntax(writer, pps, sequences)
                writer.trailing_bits()
                units[chosen] = unit[:1] + escape(writer.data())
            else:
                units[chosen] = _change_slice(unit, sequences, pictures, rng)
        except (SyntaxFault, TypeError, IndexError, OverflowError, AttributeError, KeyError):
            continue  # cannot be written
    return b"".join(START_CODE + unit for unit in units)


def mutate(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Damage a stream in one of KINDS."""
    kind = KINDS[rng.integers(len(KINDS))]
    out = bytearray(data)
    if kind == "fields":
        return change_fields(data, rng)
    if kind == "flips":
        for at in rng.integers(0, len(out), rng.integers(1, 20)):
            out[at] ^= 1 << rng.integers(8)
    elif kind == "truncation":
        del out[rng.integers(1, len(out)) :]
    elif kind == "splice":
        cut, join = rng.integers(0, len(data)), rng.integers(0, len(other))
        out = bytearray(data[:cut] + other[join:])
    elif kind == "bytes":  # the first of a unit: headers, parameter sets
        places = list(split_annex_b(data))
        begin, end = places[rng.integers(len(places))]
        for _ in range(rng.integers(1, 4)):
            out[begin + rng.integers(0, min(12, end - begin))] = rng.integers(256)
    else:
        units = [data[begin:end] for begin, end in split_annex_b(data)]
        for _ in range(rng.integers(1, 4)):
            at = rng.integers(len(units))
            if kind == "dropped" and len(units) > 1:
                del units[at]
            else:
                units.insert(rng.integers(len(units) + 1), units[at])
        out = bytearray(b"".join(START_CODE + unit for unit in units))
    return bytes(out)


def damaged_stream(clean: list[bytes], seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return mutate(clean[rng.integers(len(clean))], clean[rng.integers(len(clean))], rng)


def outcome(data: bytes) -> str:
    """What decoding gives: a digest of frames and counters, or the refusal."""
    target = CoreTarget(memory_bytes=2 << 30)
    decoder = H264Decoder(target)
    digest = hashlib.md5()

    def take(frames: Any) -> None:
        for frame in frames:
            for plane in target.planes(frame):
                digest.update(plane.tobytes())
            decoder.release(frame)

    try:
        take(decoder.feed(data))
        take(decoder.flush())
    except (UnsupportedInput, CapacityExceeded) as error:
        return str(error)
    return f"{digest.hexdigest()} {sorted(decoder.counters.items())} {sorted(target.counters.items())}"


def _memory_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def check(clean: list[bytes], first: int, count: int, repeat_every: int, limit_s: float) -> dict[str, Any]:
    """Run seeds `first` .. `first + count` - 1 in this process. Returns faults, the slowest and what memory it took.

    The decoder is warm and the clean streams have been decoded before anything is measured.
    """
    for data in clean:
        outcome(data)
    clean_bytes = _memory_bytes()
    faults: list[str] = []
    slowest = (0.0, first)
    total = hashlib.md5()
    for seed in range(first, first + count):
        data = damaged_stream(clean, seed)
        started = time.thread_time()
        try:
            found = outcome(data)
        except Exception as error:
            faults.append(f"seed {seed}: {type(error).__name__}: {error}")
            continue
        spent = time.thread_time() - started
        slowest = max(slowest, (spent, seed))
        if spent > limit_s:
            faults.append(f"seed {seed}: {spent:.2f} s")
        if _memory_bytes() > MEMORY_FACTOR * clean_bytes:
            faults.append(f"seed {seed}: {_memory_bytes() >> 20} MiB, undamaged {clean_bytes >> 20} MiB")
            break  # the high-water mark stays
        if seed % repeat_every == 0 and outcome(data) != found:
            faults.append(f"seed {seed}: another outcome the second time")
        total.update(found.encode())
    return {
        "first": first, "count": count, "faults": faults, "slowest": slowest, "clean_bytes": clean_bytes,
        "peak_bytes": _memory_bytes(), "digest": total.hexdigest(),
    }  # fmt: skip


def _worker(arguments: tuple[list[bytes], int, int, int, float]) -> dict[str, Any]:
    return check(*arguments)


def main() -> None:
    parser = measure.parser("robustness", __doc__)
    parser.add_argument("--first", type=int, default=0, help="first seed (default 0)")
    parser.add_argument("--count", type=int, default=20_000, help="streams (default 20000)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--batch", type=int, default=500, help="streams a process runs before a new one starts")
    parser.add_argument("--limit", type=float, default=TIME_LIMIT_S, help="CPU seconds a stream may take (default 2)")
    arguments = parser.parse_args()
    print(measure.statement(), flush=True)
    clean = sources(measure.media_dir())
    end = arguments.first + arguments.count
    batches = [
        (clean, first, min(arguments.batch, end - first), 100, arguments.limit)
        for first in range(arguments.first, end, arguments.batch)
    ]
    faults: list[str] = []
    results = []
    # A new process for each batch: memory is a high-water mark; a crash costs one batch and is a fault.
    with multiprocessing.get_context("spawn").Pool(arguments.jobs, maxtasksperchild=1) as pool:
        for result in pool.imap(_worker, batches):
            results.append(result)
            faults += result["faults"]
            seconds, seed = result["slowest"]
            print(
                f"seeds {result['first']}..{result['first'] + result['count'] - 1}: {len(result['faults'])} faults, "
                f"slowest {seconds:.2f} s (seed {seed}), {result['peak_bytes'] >> 20} MiB "
                f"(undamaged {result['clean_bytes'] >> 20}), digest {result['digest'][:12]}",
                flush=True,
            )
    for fault in faults:
        print(fault)
    digest = hashlib.md5("".join(result["digest"] for result in results).encode()).hexdigest()
    slowest = max(result["slowest"] for result in results)
    peak = max(result["peak_bytes"] / result["clean_bytes"] for result in results)
    print(
        f"{arguments.count} streams: {len(faults)} faults; slowest {slowest[0]:.2f} CPU s (seed {slowest[1]}); "
        f"most memory {peak:.2f} of the undamaged streams'; digest {digest}"
    )
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
