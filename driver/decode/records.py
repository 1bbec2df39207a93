"""Parameter records of one decode job: slices, references, scaling matrices (codecs/h264/decode_records.py)."""

from dataclasses import dataclass

import numpy as np

from asic_model.codecs.h264.decode_records import (
    LIST_SIZE,
    MATRICES,
    MAX_REFERENCES,
    NO_ENTRY,
    REFERENCE,
)
from asic_model.codecs.h264.dpb import Frame, Reference
from asic_model.codecs.h264.parameter_sets import Pps, Sps, scaling_matrices
from asic_model.codecs.h264.slice_header import (
    SLICE_B,
    SliceHeader,
)
from driver.decode.surfaces import SurfaceSet

FLAT = b"\x10" * MATRICES.itemsize  # no scaling matrices: all weights 16


@dataclass
class CodedSlice:
    """A slice with its header parsed and its reference lists made."""

    header: SliceHeader
    pps: Pps
    payload: bytes  # behind the NAL header, with emulation prevention
    lists: list[list[Reference | None]]


class ReferenceTable:
    """REFERENCE records of one job."""

    def __init__(self, surfaces: SurfaceSet) -> None:
        self._surfaces = surfaces
        self.frames: list[Frame] = []
        self._numbers: dict[int, int] = {}

    def number(self, frame: Frame) -> int:
        """Number of the frame's record, a new one if there is room."""
        known = self._numbers.get(frame.number)
        if known is not None:
            return known
        if frame.surface < 0 or len(self.frames) >= MAX_REFERENCES:
            return NO_ENTRY
        self._numbers[frame.number] = len(self.frames)
        self.frames.append(frame)
        return len(self.frames) - 1

    def records(self) -> np.ndarray:
        rows = [
            (
                self._surfaces.surface_address(frame.surface),
                self._surfaces.motion_address(frame.surface) if frame.was_reference else 0,
                frame.number & ((1 << 28) - 1),
                frame.poc,
                frame.long_term != 0,
                frame.as_fields,
                frame.mbaff,
                frame.fields,
            )
            for frame in self.frames
        ]
        return np.array(rows, REFERENCE)


def fill_slice(
    record: np.void, item: CodedSlice, offset: int, table: ReferenceTable, matrices: list[bytes], sps: Sps
) -> None:
    """Write the SLICE record of one slice; its matrices are added to `matrices` unless there already."""
    header, pps = item.header, item.pps
    record["data_offset"], record["data_bytes"] = offset, len(item.payload)
    record["first_bit"], record["first_mb"] = header.header_bits, header.first_mb_in_slice
    record["kind"], record["qp"] = header.kind, header.slice_qp(pps)
    record["cabac"], record["cabac_init_idc"] = pps.entropy_coding_mode_flag, header.cabac_init_idc
    record["transform_8x8"] = pps.transform_8x8_mode_flag
    record["constrained_intra"] = pps.constrained_intra_pred_flag
    record["direct_spatial"] = header.direct_spatial_mv_pred_flag
    record["deblock_disable"] = header.disable_deblocking_filter_idc
    record["deblock_alpha"] = 2 * header.slice_alpha_c0_offset_div2
    record["deblock_beta"] = 2 * header.slice_beta_offset_div2
    record["cb_qp_offset"], record["cr_qp_offset"] = pps.chroma_qp_index_offset, pps.second_chroma_qp_index_offset
    data = _matrices(sps, pps)
    if data not in matrices:
        matrices.append(data)
    record["matrices"] = matrices.index(data)
    refs, structures, counts = record["ref"], record["ref_structure"], record["ref_count"]
    refs[:] = NO_ENTRY
    for number, entries in enumerate(item.lists):
        counts[number] = len(entries)
        for index, entry in enumerate(entries[:LIST_SIZE]):
            if entry is not None:
                refs[number, index] = table.number(entry[0])
                structures[number, index] = entry[1]
    if header.kind == SLICE_B and pps.weighted_bipred_idc == 2:
        record["weights"] = 2
    weights = header.pred_weight_table
    if weights is not None:
        record["weights"] = 1
        record["luma_log2_denominator"] = weights.luma_log2_weight_denom
        record["chroma_log2_denominator"] = weights.chroma_log2_weight_denom
        neutral = (1 << weights.luma_log2_weight_denom, 0), (1 << weights.chroma_log2_weight_denom, 0)
        for number in range(2):
            for index, luma in enumerate(weights.luma[number][:LIST_SIZE]):
                record["weight"][number, index, 0] = luma or neutral[0]
                chroma = weights.chroma[number][index] if weights.chroma[number] else None
                record["weight"][number, index, 1:] = chroma or (neutral[1], neutral[1])


def _matrices(sps: Sps, pps: Pps) -> bytes:
    """The MATRICES record of a slice's parameter sets."""
    if sps.scaling_lists is None and pps.scaling_lists is None:
        return FLAT
    small, large = scaling_matrices(sps, pps)
    record = np.zeros((), MATRICES)
    record["intra_inter_4x4"] = small
    record["intra_inter_8x8"] = large[:2]
    return record.tobytes()
