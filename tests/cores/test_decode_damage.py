"""Damaged streams: no exception but a refusal, no endless work, bounded memory, the same outcome every time."""

from pathlib import Path

import numpy as np
import pytest

from asic_model.codecs.h264.nal import START_CODE, escape, split_annex_b, unescape
from asic_model.codecs.h264.parameter_sets import parse_sps
from benchmarks.robustness import TIME_LIMIT_S, check, mutate, outcome, sources
from driver.backends.core import CoreTarget
from driver.decode import BELIEVED_MBS, H264Decoder


def test_mutated_streams(media: Path) -> None:
    """300 of the streams of `benchmarks.robustness`: within time and memory, and twice the same."""
    assert check(sources(media), 0, 300, 10, TIME_LIMIT_S)["faults"] == []


@pytest.mark.slow
def test_20000_mutated_streams(media: Path) -> None:
    assert check(sources(media), 1000, 20_000, 100, TIME_LIMIT_S)["faults"] == []


def test_a_seed_makes_one_stream(media: Path) -> None:
    """Mutations depend on the seed alone, and nearly all of them change something."""
    clean = sources(media)
    changed = 0
    for seed in range(60):
        one, two = (mutate(clean[0], clean[1], np.random.default_rng(seed)) for _ in range(2))
        assert one == two
        changed += one != clean[0]
    assert changed > 50


def with_size(data: bytes, mb_width: int, mb_height: int, level_idc: int) -> bytes:
    """The stream with another size and level in its SPS."""
    units = [data[begin:end] for begin, end in split_annex_b(data)]
    for at, unit in enumerate(units):
        if unit[0] & 31 == 7:
            sps = parse_sps(unescape(unit[1:]))
            sps.pic_width_in_mbs_minus1, sps.pic_height_in_map_units_minus1 = mb_width - 1, mb_height - 1
            sps.level_idc, sps.max_num_ref_frames = level_idc, 16
            units[at] = unit[:1] + escape(sps.to_rbsp())
    return b"".join(START_CODE + unit for unit in units)


def test_a_huge_size_needs_a_level_that_allows_it(media: Path) -> None:
    """8192x8192 at level 5.1 is a damaged SPS; 4096x2304 is believed and decoded with what there is."""
    data = (media / "h264_micro/cabac_b_8x8_128x128.es").read_bytes()
    assert "'macroblocks'" not in outcome(with_size(data, 512, 272, 51))
    assert f"'macroblocks', {6 * BELIEVED_MBS}" in outcome(with_size(data, 256, 144, 10))


def decoded(stream: bytes) -> tuple[list[np.ndarray], dict[str, int]]:
    """Luma of all frames, and the target's counters."""
    target = CoreTarget()
    decoder = H264Decoder(target)
    frames = []
    for iterator in (decoder.feed(stream), decoder.flush()):
        for frame in iterator:
            frames.append(target.planes(frame)[0].copy())
            decoder.release(frame)
    return frames, target.counters


def test_mbaff_macroblocks_are_concealed_along_their_neighbours_vectors(media: Path) -> None:
    """A P picture cut after half of its data: what is lost is counted by kind, the upper rows are as they were."""
    data = (media / "h264_micro/mbaff_p_128x128.es").read_bytes()
    units = [data[begin:end] for begin, end in split_annex_b(data)]
    clean, _ = decoded(data)
    slices = [at for at, unit in enumerate(units) if unit[0] & 31 == 1]
    at = slices[-1]  # nothing is predicted from the last one
    units[at] = units[at][: len(units[at]) // 2]
    damaged, counters = decoded(b"".join(START_CODE + unit for unit in units))
    assert len(damaged) == len(clean)
    lost = counters["concealed_copy"] + counters["concealed_motion"]
    assert counters["concealed_motion"] > 0
    assert counters["concealed_spatial"] == 0
    assert 8 <= lost < 64
    assert all(np.array_equal(one, two) for one, two in zip(clean[:-1], damaged[:-1], strict=True))
    whole_pairs = (64 - lost) // 16  # rows of macroblock pairs that are complete
    rows = 32 * whole_pairs - 4  # less what the deblocking of the rows below touches
    assert rows > 0
    assert np.array_equal(clean[-1][:rows], damaged[-1][:rows])
    difference = np.abs(clean[-1].astype(int) - damaged[-1])
    assert difference.mean() < 8, "concealment is nowhere near the picture"


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
