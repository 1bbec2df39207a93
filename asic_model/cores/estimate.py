"""What jobs cost on a chip without pixels: the work record of an ordinary picture, through the cores' own cycle laws.

The scaler's work does not depend on pixels, so its estimate is exact. An encode job is given the mean work of natural
720p video at medium effort (measured at QP 27 on the chip's own encode core; bits halve every 6 QP). A decode job is
given one unit a macroblock at 1 sample a cycle and its own stream's bytes. Nothing is put out.
"""

from typing import Any

import numpy as np

from asic_model.cores.result import CLIENTS, REQUEST, STATUS_OK, CoreResult
from asic_model.descriptors import Kind, Region
from asic_model.work import ENCODE_WORK, encode_work

# Means over macroblocks, `asic_model/work.py`: I pictures, P pictures.
_TYPICAL = {
    "motion_search_coarse": (0, 508),
    "motion_search_fine": (0, 54),
    "fractional_search_blocks": (0, 640),
    "intra_prediction_blocks": (238, 65),
    "mode_decision_trials": (2, 4),
    "transform_blocks": (53, 105),
    "transform_coded_blocks": (20, 8),
    "deblock_edges": (48, 28),
    "entropy_bins": (446, 201),
    "entropy_bits": (367, 167),
}


def estimate(kind: Kind, job: Any, config: Any, areas: list[Region]) -> CoreResult:
    """Return what `job` would cost; `areas` is what it reads and writes."""
    if kind is Kind.SCALE:
        from asic_model.cores import scale

        return scale.estimate(job, config)
    if kind is Kind.ENCODE:
        return _encode(job, config)
    return _plain(job, areas)


def _encode(job: Any, config: Any) -> CoreResult:
    from asic_model.cores.encode import account
    from asic_model.cores.encode.job import SLICE_P

    inter = job.slice_type == SLICE_P
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


def _plain(job: Any, areas: list[Region]) -> CoreResult:
    """One stage, 256 cycles a macroblock; every area is streamed once, in equal parts."""
    units = -(-job.width // 16) * -(-job.height // 16)
    parts = []
    for area in areas:
        size = -(-area.size_bytes // units)
        if size == 0 or size >= 1 << 32:
            continue
        rows = np.zeros(units, REQUEST)
        rows["unit"] = np.arange(units)
        rows["rows"], rows["size"], rows["pitch"], rows["write"] = 1, size, size, area.write
        rows["client"] = CLIENTS.index("reconstruction" if area.write else "stream")
        begin = np.minimum(np.arange(units) * size, max(0, area.size_bytes - size))
        rows["address"] = area.address + begin
        parts.append(rows)
    requests = np.concatenate(parts) if parts else np.zeros(0, REQUEST)
    order = np.argsort(requests["unit"], kind="stable")
    cycles = np.full((units, 1), 256, np.int64)
    return CoreResult(STATUS_OK, 0, 0, ("picture",), cycles, requests[order], np.zeros(units, ENCODE_WORK))
