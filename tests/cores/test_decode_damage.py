"""Damaged streams: no exception but a refusal, no endless work, the same outcome every time, all of it counted."""

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest

from asic_model.codecs.h264.nal import START_CODE, split_annex_b
from driver.backends.core import CoreTarget
from driver.decode import H264Decoder
from driver.errors import CapacityExceeded, UnsupportedInput

SOURCES = (
    "h264_micro/cabac_b_8x8_128x128.es", "h264_micro/mbaff_b_128x128.es", "h264_micro/bframe_temporal_64x64.es",
    "h264_micro/cabac_mslice_idc2.264", "h264_micro/cabac_ipcm_ip.264", "h264_micro/p_8x8_cavlc_128x128.es",
    "h264_micro/cabac_high_200x200_noisy.es", "h264_micro/cavlc_b4x4_spatial_direct_sub.h264",
)  # fmt: skip
TIME_LIMIT_S = 2.0


def mutate(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Damage a stream in one of the ways that channels and files do it."""
    out = bytearray(data)
    kind = rng.integers(6)
    if kind == 0:  # bit flips
        for at in rng.integers(0, len(out), rng.integers(1, 20)):
            out[at] ^= 1 << rng.integers(8)
    elif kind == 1:  # truncation
        del out[rng.integers(1, len(out)) :]
    elif kind == 2:  # splice
        cut, join = rng.integers(0, len(data)), rng.integers(0, len(other))
        out = bytearray(data[:cut] + other[join:])
    elif kind == 3:  # headers and parameter sets: the first bytes of a unit
        places = list(split_annex_b(data))
        begin, end = places[rng.integers(len(places))]
        for _ in range(rng.integers(1, 4)):
            out[begin + rng.integers(0, min(12, end - begin))] = rng.integers(256)
    else:  # units dropped, doubled or in another order
        units = [data[begin:end] for begin, end in split_annex_b(data)]
        for _ in range(rng.integers(1, 4)):
            at = rng.integers(len(units))
            if kind == 4 and len(units) > 1:
                del units[at]
            else:
                units.insert(rng.integers(len(units) + 1), units[at])
        out = bytearray(b"".join(START_CODE + unit for unit in units))
    return bytes(out)


def outcome(data: bytes) -> str:
    """What decoding gives: a digest of frames and counters, or the refusal."""
    target = CoreTarget(memory_bytes=1 << 30)
    decoder = H264Decoder(target)
    digest = hashlib.md5()

    def take(frames: object) -> None:
        for frame in frames:  # type: ignore[attr-defined]
            for plane in target.planes(frame):
                digest.update(plane.tobytes())
            decoder.release(frame)

    try:
        take(decoder.feed(data))
        take(decoder.flush())
    except (UnsupportedInput, CapacityExceeded) as error:
        return str(error)
    return f"{digest.hexdigest()} {sorted(decoder.counters.items())} {sorted(target.counters.items())}"


def _run(media: Path, first_seed: int, count: int, repeat_every: int) -> None:
    sources = [(media / name).read_bytes() for name in SOURCES]
    for data in sources:
        outcome(data)  # compile before the clock runs
    for seed in range(first_seed, first_seed + count):
        rng = np.random.default_rng(seed)
        data, other = sources[rng.integers(len(sources))], sources[rng.integers(len(sources))]
        damaged = mutate(data, other, rng)
        started = time.thread_time()
        try:
            first = outcome(damaged)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        assert time.thread_time() - started < TIME_LIMIT_S, f"seed {seed}"
        if seed % repeat_every == 0:
            assert outcome(damaged) == first, f"seed {seed}"


def test_mutated_streams(media: Path) -> None:
    _run(media, 0, 200, 10)


@pytest.mark.slow
def test_20000_mutated_streams(media: Path) -> None:
    _run(media, 1000, 20000, 100)


def test_lost_slices_are_concealed_and_counted(media: Path) -> None:
    """Without one of four slices of a P picture a quarter of its macroblocks is copied, the rest is as it was."""
    data = (media / "h264_micro/cabac_mslice_idc2.264").read_bytes()
    units = [data[begin:end] for begin, end in split_annex_b(data)]
    slices = [number for number, unit in enumerate(units) if unit[0] & 31 == 1]
    del units[slices[1]]
    target = CoreTarget()
    decoder = H264Decoder(target)
    stream = b"".join(START_CODE + unit for unit in units)
    frames = []
    for iterator in (decoder.feed(stream), decoder.flush()):
        for frame in iterator:
            frames.append(frame)
            decoder.release(frame)
    assert len(frames) == 6
    concealed = target.counters["concealed_copy"] + target.counters["concealed_motion"]
    assert concealed == 16  # 8 x 8 macroblocks in four slices
    assert target.counters["concealed_spatial"] == 0
