"""The decode core's account: every job adds up, and time follows the work record as its laws say."""

from pathlib import Path

import numpy as np

from asic_model.codecs.h264.macroblock import I_4X4, I_16X16, P_SKIP
from asic_model.cores.decode import DecodeCoreConfig, DecodeJob, run
from asic_model.cores.decode.account import STAGES, reconstruct_cycles
from asic_model.cores.result import CLIENTS, STATUS_BAD_FIELD, STATUS_OK, CoreResult
from asic_model.engines.parse import ParseConfig, cycles
from asic_model.work import decode_work
from driver.backends.core import CoreTarget
from driver.decode import H264Decoder


def results_of(path: Path) -> list[CoreResult]:
    target = CoreTarget(keep_results=True)
    decoder = H264Decoder(target)
    for part in (decoder.feed(path.read_bytes()), decoder.flush()):
        for frame in part:
            decoder.release(frame)
    return target.results


def test_parse_cycles_follow_the_bins() -> None:
    """10 bins at 2 a cycle and 8 fixed: 13; the first macroblock of a CABAC slice pays for its contexts."""
    work = decode_work(2)
    work["parse_bins"] = 10
    work["slice_start"][0] = 1
    cfg = ParseConfig(bins_per_cycle=2.0, codewords_per_cycle=1.0, macroblock_cycles=8, slice_cycles=1024)
    assert cycles(cfg, work, True).tolist() == [13 + 1024, 13]
    assert cycles(cfg, work, False).tolist() == [18, 18]


def test_reconstruction_pays_latency_for_each_dependent_block() -> None:
    """384 samples at 8 a cycle are 48; latency 6 is paid 17, 2 and 0 times."""
    found = reconstruct_cycles(DecodeCoreConfig(), np.array([I_4X4, I_16X16, P_SKIP], np.uint8))
    assert found.tolist() == [48 + 17 * 6, 48 + 2 * 6, 48]


def test_every_job_adds_up(media: Path) -> None:
    """Bits of all macroblocks are the stream's; every sample is written once; requests name units there are."""
    for name in ("cabac_b_64x64.es", "mbaff_b_128x128.es", "cabac_mslice_idc2.264"):
        for result in results_of(media / "h264_micro" / name):
            assert result.status == STATUS_OK
            assert result.stages == STAGES
            units = result.counters["macroblocks"]
            assert result.cycles.shape == (units, len(STAGES))
            assert (result.cycles.max(axis=1) >= 32).all(), "the event loop counts on it"
            assert result.work["parse_bits"].sum() == result.counters["bits"]
            rows = result.requests
            assert (np.diff(rows["unit"].astype(np.int64) * 256 + rows["stage"]) >= 0).all()
            assert rows["unit"].max() < units
            moved = rows["size"].astype(np.int64) * rows["rows"]
            written = moved[rows["client"] == CLIENTS.index("reconstruction")].sum()
            assert written == units * 384
            assert moved[rows["client"] == CLIENTS.index("stream")].sum() == result.counters["bits"] // 8


def test_jobs_are_stateless(media: Path) -> None:
    """The same stream gives the same cycles and requests, whatever the core did before."""
    path = media / "h264_micro/bframe_temporal_64x64.es"
    first = results_of(path)
    results_of(media / "h264_micro/mbaff_b_128x128.es")
    for one, two in zip(first, results_of(path), strict=True):
        assert np.array_equal(one.cycles, two.cycles)
        assert np.array_equal(one.requests, two.requests)


def test_bad_fields_are_refused_before_anything_is_touched() -> None:
    memory = np.zeros(1 << 20, np.uint8)
    good = {"width": 64, "height": 64, "out_address": 0, "parameters_address": 1 << 16, "stream_address": 1 << 17}
    good |= {"stream_bytes": 16, "slice_count": 1}
    bad = {"width": 65, "height": 8, "structure": 0, "mbaff": 2, "out_address": 1 << 20, "slice_count": 1 << 19}
    bad |= {"motion_address": 33, "conceal_reference": 0, "stream_address": -1}
    for name, value in bad.items():
        result = run(memory, DecodeJob(**{**good, name: value}), DecodeCoreConfig())
        assert result.status == STATUS_BAD_FIELD, name
    assert not memory.any()
