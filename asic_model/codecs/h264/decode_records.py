"""Records of the decode core's parameter block in device memory: what the driver says about slices and references.

Little-endian, packed. `DecodeJob` (the core) and `H264Decoder` (the driver) share these layouts.
"""

import numpy as np

TOP, BOTTOM, FRAME = 1, 2, 3  # structure of a picture; also masks of its fields
LIST_SIZE = 32
MAX_REFERENCES = 33  # 16 frames, their second fields, and one to conceal with
NO_ENTRY = -1
MOTION_ALIGNMENT = 64  # bytes

SLICE = np.dtype(
    [
        ("data_offset", "<u4"),  # of the NAL unit's payload (behind its header) from stream_address
        ("data_bytes", "<u4"),
        ("first_bit", "<u4"),  # of slice_data() in the payload without emulation prevention bytes
        ("first_mb", "<u4"),  # first_mb_in_slice
        ("kind", "u1"),  # slice_type % 5: 0 P, 1 B, 2 I
        ("qp", "u1"),  # SliceQPY
        ("cabac", "u1"),  # entropy_coding_mode_flag
        ("cabac_init_idc", "u1"),
        ("ref_count", "u1", (2,)),  # num_ref_idx_lX_active_minus1 + 1
        ("transform_8x8", "u1"),  # transform_8x8_mode_flag
        ("constrained_intra", "u1"),  # constrained_intra_pred_flag
        ("direct_spatial", "u1"),  # direct_spatial_mv_pred_flag
        ("weights", "u1"),  # 0 default, 1 explicit, 2 implicit
        ("luma_log2_denominator", "u1"),
        ("chroma_log2_denominator", "u1"),
        ("deblock_disable", "u1"),  # disable_deblocking_filter_idc
        ("matrices", "u1"),  # number of the MATRICES record
        ("deblock_alpha", "i1"),  # FilterOffsetA
        ("deblock_beta", "i1"),  # FilterOffsetB
        ("cb_qp_offset", "i1"),  # chroma_qp_index_offset
        ("cr_qp_offset", "i1"),  # second_chroma_qp_index_offset
        ("ref", "i1", (2, LIST_SIZE)),  # RefPicListX: number of the REFERENCE record, NO_ENTRY: missing
        ("ref_structure", "u1", (2, LIST_SIZE)),  # FRAME, TOP or BOTTOM
        ("weight", "<i2", (2, LIST_SIZE, 3, 2)),  # explicit weight and offset of luma, Cb, Cr
    ]
)
SLICE_SCALARS = [name for name in SLICE.names or () if not SLICE[name].shape]

MATRICES = np.dtype(
    [
        ("intra_inter_4x4", "u1", (6, 16)),  # weightScale4x4 in raster order: intra Y, Cb, Cr, inter Y, Cb, Cr
        ("intra_inter_8x8", "u1", (2, 64)),
    ]
)

REFERENCE = np.dtype(
    [
        ("address", "<u8"),  # of its surface
        ("motion_address", "<u8"),  # 0: none
        ("number", "<u4"),  # identity of the frame, never used twice within a session
        ("poc", "<i4", (2,)),  # TopFieldOrderCnt, BottomFieldOrderCnt
        ("long_term", "u1"),
        ("as_fields", "u1"),  # coded as two field pictures
        ("mbaff", "u1"),
        ("fields", "u1"),  # fields that have been decoded, mask
    ]
)

MOTION_MB_BYTES = 64 + 16 + 4 + 1  # vectors, picture numbers, indices, field flag of one macroblock


def motion_bytes(width: int, height: int) -> int:
    """Size of the motion buffer of a frame of `width` x `height` luma samples, whole macroblocks."""
    return (width // 16) * (height // 16) * MOTION_MB_BYTES
