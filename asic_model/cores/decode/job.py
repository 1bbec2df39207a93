"""The decode core's job: one picture (a frame or a field), all state in device memory.

The driver parses headers and keeps the decoded picture buffer; the core gets slice data and what it needs to know
about each slice, in the manner of "stateless" decoders. Beside the job's own fields there is one parameter block in
device memory, at `parameters_address` (layouts: `codecs.h264.decode_records`):

    SLICE[slice_count]          one record a slice, in the order of the stream
    MATRICES[matrix_count]      scaling matrices that slices point to
    REFERENCE[reference_count]  pictures that reference lists point to

What a picture leaves behind for direct prediction of later ones stands in its motion buffer (`motion_bytes`).
"""

from dataclasses import dataclass, fields

import numpy as np

from asic_model.codecs.h264.decode_records import (
    BOTTOM,
    FRAME,
    LIST_SIZE,
    MATRICES,
    MAX_REFERENCES,
    MOTION_ALIGNMENT,
    NO_ENTRY,
    REFERENCE,
    SLICE,
    SLICE_SCALARS,
    TOP,
    motion_bytes,
)
from asic_model.kernel_cache import kernel
from asic_model.memory.surface import Surface, surface

__all__ = [
    "BOTTOM", "FIELD_NUMBER", "FRAME", "MATRICES", "NO_ENTRY", "REFERENCE", "SLICE", "SLICE_SCALARS", "TOP",
    "DecodeJob", "bad_field", "bad_parameters", "motion_bytes",
]  # fmt: skip
MAX_SIDE = 16384


@dataclass(frozen=True)
class DecodeJob:
    """One picture to decode. Addresses and sizes in bytes of device memory, picture sizes in luma samples.

    Pictures stand at their coded size, `surface(width, height, out_address)`; a field fills every other row.
    """

    width: int  # of the frame, whole macroblocks
    height: int
    out_address: int
    parameters_address: int
    stream_address: int
    stream_bytes: int
    slice_count: int
    matrix_count: int = 1
    reference_count: int = 0
    motion_address: int = 0  # of this frame's motion buffer; 0: not wanted, nothing will refer to it
    structure: int = FRAME
    mbaff: int = 0  # MbaffFrameFlag
    chroma: int = 1  # 0: monochrome
    direct_8x8_inference: int = 1
    bypass: int = 0  # qpprime_y_zero_transform_bypass_flag
    number: int = 1  # identity of this frame, as in REFERENCE
    poc_top: int = 0
    poc_bottom: int = 0
    conceal_reference: int = NO_ENTRY  # REFERENCE record from which lost macroblocks are copied
    seed: int = 0

    @property
    def surface(self) -> Surface:
        return surface(self.width, self.height, self.out_address)

    @property
    def mb_width(self) -> int:
        return self.width // 16

    @property
    def mb_count(self) -> int:
        """PicSizeInMbs."""
        return self.mb_width * (self.height // 16) // (1 if self.structure == FRAME else 2)

    @property
    def parameters_bytes(self) -> int:
        return (
            self.slice_count * SLICE.itemsize
            + self.matrix_count * MATRICES.itemsize
            + self.reference_count * REFERENCE.itemsize
        )


FIELD_NUMBER = {item.name: number for number, item in enumerate(fields(DecodeJob))}

_LIMITS = {
    "width": (16, MAX_SIDE),
    "height": (16, MAX_SIDE),
    "stream_bytes": (1, 1 << 28),
    "slice_count": (1, 1 << 18),
    "matrix_count": (1, 255),
    "reference_count": (0, MAX_REFERENCES),
    "structure": (TOP, FRAME),
    "mbaff": (0, 1),
    "chroma": (0, 1),
    "direct_8x8_inference": (0, 1),
    "bypass": (0, 1),
    "number": (0, (1 << 28) - 1),
    "poc_top": (-(1 << 31), (1 << 31) - 1),
    "poc_bottom": (-(1 << 31), (1 << 31) - 1),
    "conceal_reference": (NO_ENTRY, MAX_REFERENCES - 1),
}

_SLICE_LIMITS = {
    "kind": (0, 2),
    "qp": (0, 51),
    "cabac": (0, 1),
    "cabac_init_idc": (0, 2),
    "ref_count": (0, LIST_SIZE),
    "transform_8x8": (0, 1),
    "constrained_intra": (0, 1),
    "direct_spatial": (0, 1),
    "weights": (0, 2),
    "luma_log2_denominator": (0, 7),
    "chroma_log2_denominator": (0, 7),
    "deblock_disable": (0, 2),
    "deblock_alpha": (-12, 12),
    "deblock_beta": (-12, 12),
    "cb_qp_offset": (-12, 12),
    "cr_qp_offset": (-12, 12),
    "ref_structure": (0, FRAME),
    "weight": (-128, 128),
}
# Elements of a SLICE record that are limited: offset, bytes, signed, count; and their limits
_ELEMENTS = [name for name in SLICE.names or () if name in _SLICE_LIMITS or name in ("ref", "first_mb", "matrices")]


def _layout(name: str) -> tuple[int, int, int, int]:
    kind, offset = SLICE.fields[name][:2] if SLICE.fields else (SLICE, 0)
    count = int(np.prod(kind.shape, dtype=int))
    return offset, kind.base.itemsize, int(kind.base.kind == "i"), count


_LAYOUT = np.array([_layout(name) for name in _ELEMENTS], np.int64)
_LIMIT = np.array([_SLICE_LIMITS.get(name, (NO_ENTRY if name == "ref" else 0, 0)) for name in _ELEMENTS], np.int64)
_REF, _FIRST_MB, _MATRICES = (_ELEMENTS.index(name) for name in ("ref", "first_mb", "matrices"))


@kernel
def _outside(records: np.ndarray, layout: np.ndarray, limits: np.ndarray) -> bool:
    """Whether any element of uint8[n, itemsize] records is outside of its limits."""
    for i in range(records.shape[0]):
        for field in range(layout.shape[0]):
            at, size = layout[field, 0], layout[field, 1]
            for _ in range(layout[field, 3]):
                value = np.int64(0)
                for byte in range(size):
                    value |= np.int64(records[i, at + byte]) << (8 * byte)
                if layout[field, 2] and value >> (8 * size - 1):
                    value -= np.int64(1) << (8 * size)
                if value < limits[field, 0] or value > limits[field, 1]:
                    return True
                at += size
    return False


def bad_field(job: DecodeJob, memory_bytes: int) -> str | None:
    """Return the name of the first field that this core cannot work with, or None."""
    for name, (low, high) in _LIMITS.items():
        if not low <= getattr(job, name) <= high:
            return name
    if job.width % 16:
        return "width"
    if job.height % (32 if job.structure != FRAME or job.mbaff else 16):
        return "height"
    if job.mbaff and job.structure != FRAME:
        return "mbaff"
    if job.mbaff and not job.direct_8x8_inference:
        return "direct_8x8_inference"
    if job.conceal_reference >= job.reference_count:
        return "conceal_reference"
    regions = (
        ("out_address", job.out_address, job.surface.size_bytes),
        ("parameters_address", job.parameters_address, job.parameters_bytes),
        ("stream_address", job.stream_address, job.stream_bytes),
        ("motion_address", job.motion_address, motion_bytes(job.width, job.height)),
    )
    if job.motion_address % MOTION_ALIGNMENT:
        return "motion_address"
    for name, address, size in regions:
        if not 0 <= address <= memory_bytes - size:
            return name
    return None


def bad_parameters(job: DecodeJob, slices: np.ndarray, references: np.ndarray, memory_bytes: int) -> bool:
    """Whether a record of the parameter block is outside its range."""
    limits = _LIMIT.copy()
    limits[_REF, 1] = job.reference_count - 1
    limits[_FIRST_MB, 1] = job.mb_count // (2 if job.mbaff else 1) - 1
    limits[_MATRICES, 1] = job.matrix_count - 1
    if _outside(slices.view(np.uint8).reshape(len(slices), -1), _LAYOUT, limits):
        return True
    ends = slices["data_offset"].astype(np.int64) + slices["data_bytes"]
    if (ends > job.stream_bytes).any() or (slices["first_bit"] > 8 * slices["data_bytes"].astype(np.int64)).any():
        return True
    limit = LIST_SIZE if job.structure != FRAME else LIST_SIZE // 2
    if (slices["ref_count"] > limit).any():
        return True
    needs = np.array([[1, 0], [1, 1], [0, 0]])[slices["kind"]]
    if (slices["ref_count"] < needs).any():
        return True
    size = job.surface.size_bytes
    if references.size:
        if references["address"].max() > memory_bytes - size:
            return True
        if references["motion_address"].max() > memory_bytes - motion_bytes(job.width, job.height):
            return True
        if references["number"].max() >= 1 << 28 or (references["motion_address"] % MOTION_ALIGNMENT).any():
            return True
    return False
