"""What jobs cost on a chip without pixels: the work record of an ordinary picture, through the cores' own cycle laws.

The scaler's work does not depend on pixels, so its estimate is exact. An encode job is given the mean work of natural
720p video at medium effort (measured at QP 27 on the chip's own encode core; bits halve every 6 QP). A decode job's
bits, picture type and references are its own; what they come to, bins, levels, edges, is the mean of six clips of
480p to 1080p at 1 to 10 Mbit/s, CABAC and CAVLC, on the decode core. First-pass jobs: the mean of two 720p clips.
Nothing is put out.
"""

from typing import Any

import numpy as np

from asic_model.cores.result import STATUS_OK, CoreResult
from asic_model.descriptors import Kind
from asic_model.work import decode_work, encode_work

# Means over macroblocks, `asic_model/work.py`: I, P and B pictures (B: the ratio to P on two clips).
_TYPICAL = {
    "motion_search_coarse": (0, 508, 1016),
    "motion_search_fine": (0, 54, 135),
    "fractional_search_blocks": (0, 640, 749),
    "intra_prediction_blocks": (238, 65, 16),
    "mode_decision_trials": (2, 4, 2),
    "transform_blocks": (53, 105, 56),
    "transform_coded_blocks": (20, 8, 2),
    "deblock_edges": (48, 28, 22),
    "entropy_bins": (446, 201, 86),
    "entropy_bits": (367, 167, 54),
}


def estimate(kind: Kind, job: Any, config: Any, parameters: bytes = b"") -> CoreResult:
    """Return what `job` would cost; `parameters` is a decode job's parameter block."""
    if kind is Kind.SCALE:
        from asic_model.cores import scale

        return scale.estimate(job, config)
    if kind is Kind.ENCODE:
        return _encode(job, config)
    return _decode(job, config, parameters)


def _encode(job: Any, config: Any) -> CoreResult:
    from asic_model.cores.encode import account
    from asic_model.cores.encode.job import SLICE_B, SLICE_P

    if job.mode:
        from asic_model.cores.encode import first_pass

        return first_pass.estimate(job, config)
    inter = {SLICE_P: 1, SLICE_B: 2}.get(job.slice_type, 0)
    work = encode_work(job.mb_width * job.mb_height)
    for name, values in _TYPICAL.items():
        work[name] = values[inter]
    finer = 2.0 ** ((27 - job.qp) / 6)
    for name in ("entropy_bins", "entropy_bits"):
        work[name] = min(4000, max(1, round(_TYPICAL[name][inter] * finer)))
    work["inter_prediction_ref"] = 0 if inter else -1
    # Without pixels there is nothing to compress: references count in full.
    plain = config.model_copy(update={"frame_compression": False})
    nothing = np.zeros(0, np.uint8)
    return CoreResult(
        status=STATUS_OK,
        detail=0,
        output_bytes=0,
        stages=account.STAGES,
        cycles=account.stage_cycles(plain, job, work),
        requests=account.memory_requests(nothing, plain, job, work),
        work=work,
    )


# Decode: by picture type, 4x4 blocks with levels saturate with the bits of a macroblock (`_coded_blocks`); partitions
# and filtered samples hardly depend on them; edges grow to all 48.
_PARTITIONS, _FILTERED = {"I": 0, "P": 1.2, "B": 1.7}, {"I": 0, "P": 290, "B": 445}
_EDGES, _EDGES_PER_BIT, _EDGES_MOST = {"I": 42, "P": 5, "B": 4}, 0.3, 48
_CABAC_BINS_PER_BIT, _CABAC_BINS, _CODEWORDS_PER_BIT = 1.15, 4, 0.47
_LEVELS_PER_BIT = 0.12


def _coded_blocks(bits: float, kind: str) -> float:
    return 17 * (1 - float(np.exp(-bits / (80 if kind == "I" else 160))))


def _decode(job: Any, config: Any, parameters: bytes) -> CoreResult:
    from asic_model.codecs.h264.decode_records import FRAME, MATRICES, NO_ENTRY, REFERENCE, SLICE
    from asic_model.codecs.h264.macroblock import I_4X4, I_8X8, INTER_16X16
    from asic_model.cores.decode import account
    from asic_model.memory.reference_cache import INTERPOLATION_AFTER, INTERPOLATION_BEFORE, RECTANGLE

    slices = np.frombuffer(parameters, SLICE, job.slice_count)
    skipped = job.slice_count * SLICE.itemsize + job.matrix_count * MATRICES.itemsize
    references = np.frombuffer(parameters, REFERENCE, job.reference_count, skipped)
    kind = "B" if (slices["kind"] == 1).any() else "P" if (slices["kind"] == 0).any() else "I"
    cabac = bool(slices["cabac"].any())
    count = job.mb_count
    bits = 8 * job.stream_bytes / count
    work = decode_work(count)
    work["mb_type"] = INTER_16X16 if kind != "I" else I_8X8 if slices["transform_8x8"].any() else I_4X4
    starts = slices["first_mb"].astype(np.int64) << job.mbaff
    work["slice_start"][starts[starts < count]] = 1
    bins = _CABAC_BINS_PER_BIT * bits + _CABAC_BINS if cabac else _CODEWORDS_PER_BIT * bits
    for name, mean in (
        ("parse_bits", bits),
        ("parse_bins", bins),
        ("parse_levels", _LEVELS_PER_BIT * bits),
        ("transform_coded_blocks", _coded_blocks(bits, kind)),
        ("inter_prediction_partitions", _PARTITIONS[kind]),
        ("inter_prediction_samples", _FILTERED[kind]),
        ("deblock_edges", min(_EDGES_MOST, _EDGES[kind] + _EDGES_PER_BIT * bits)),
    ):
        most = np.iinfo(work[name].dtype).max
        # whole numbers whose mean is the figure
        work[name] = np.minimum(np.diff((np.arange(count + 1) * mean).astype(np.int64)), most)
    # The co-located macroblock of one reference a list, with what the filter looks at around it.
    lists = {"I": 0, "P": 1, "B": 2}[kind] if len(references) else 0
    unit = np.repeat(np.arange(count), lists)
    fetches = np.zeros(count * lists, RECTANGLE)
    fetches["unit"] = unit
    fetches["reference"] = np.tile(np.arange(lists), count) % max(1, len(references))
    column, row = unit % job.mb_width, unit // job.mb_width
    if job.mbaff:
        column, row = unit // 2 % job.mb_width, unit // 2 // job.mb_width * 2 + unit % 2
    rows = 1 if job.structure == FRAME else 2  # a field's rows are every other one of the frame's
    around = INTERPOLATION_BEFORE + INTERPOLATION_AFTER
    fetches["x"], fetches["width"] = 16 * column - INTERPOLATION_BEFORE, 16 + around
    fetches["y"], fetches["height"] = rows * (16 * row - INTERPOLATION_BEFORE), rows * (16 + around)
    entry = int(slices["ref"][0, 1, 0]) if kind == "B" else NO_ENTRY
    colocated = int(references[entry]["motion_address"]) if 0 <= entry < len(references) else 0
    plain = config.model_copy(update={"frame_compression": False})
    nothing = np.zeros(0, np.uint8)
    return CoreResult(
        status=STATUS_OK,
        detail=0,
        output_bytes=0,
        stages=account.STAGES,
        cycles=account.stage_cycles(plain, work, cabac, bool((slices["deblock_disable"] != 1).any())),
        requests=account.memory_requests(
            nothing, plain, job, work, fetches.view(np.int32), tuple(references["address"].tolist()), colocated
        ),
        work=work,
        counters={"macroblocks": count, "bits": 8 * job.stream_bytes, "slices": job.slice_count},
    )
