"""Filtering of one edge of a macroblock (H.264 8.7.2.2 to 8.7.2.4).

Upright edges lie between columns, edges across between rows; `offset` is that of the first sample behind the edge.
With the doubled stride of a field the same kernels filter field pictures and the field rows of MBAFF frames.
"""

import numpy as np

from asic_model.codecs.h264.tables import DEBLOCK_ALPHA, DEBLOCK_BETA, DEBLOCK_TC0
from asic_model.kernel_cache import kernel
from asic_model.simd.deblock import (
    chroma_across,
    chroma_across_strong,
    chroma_upright,
    chroma_upright_strong,
    filter_chroma_sample,
    filter_luma_sample,
    luma_across,
    luma_across_strong,
    luma_upright,
    luma_upright_strong,
)

# tC0 by indexA and strength 0..3 (Table 8-17), flat; strength 0 is not filtered
TC0 = np.hstack([np.zeros((52, 1), np.uint8), DEBLOCK_TC0]).astype(np.uint8).ravel()


@kernel
def edge_index(qp_p, qp_q, filter_offset):
    """indexA or indexB from the QPs on both sides and FilterOffsetA or FilterOffsetB (8.7.2.2)."""
    return min(max(((qp_p + qp_q + 1) >> 1) + filter_offset, 0), 51)


@kernel
def filter_luma_edge(plane, offset, stride, upright, strong, strengths, strengths_offset, index_a, index_b):
    """Filter 16 samples of a luma edge: strength 4 throughout if `strong`, else four strengths of 0 to 3."""
    alpha, beta = np.int64(DEBLOCK_ALPHA[index_a]), np.int64(DEBLOCK_BETA[index_b])
    if alpha == 0 or beta == 0:
        return
    if upright:
        if strong:
            luma_upright_strong(plane, offset, stride, alpha, beta)
        else:
            luma_upright(plane, offset, stride, strengths, strengths_offset, alpha, beta, TC0, 4 * index_a)
    elif strong:
        luma_across_strong(plane, offset, stride, alpha, beta)
    else:
        luma_across(plane, offset, stride, strengths, strengths_offset, alpha, beta, TC0, 4 * index_a)


@kernel
def filter_chroma_edge(plane, offset, stride, upright, strong, strengths, strengths_offset, index_a, index_b):
    """Filter 8 samples of a 4:2:0 chroma edge, as `filter_luma_edge`; each strength covers two samples."""
    alpha, beta = np.int64(DEBLOCK_ALPHA[index_a]), np.int64(DEBLOCK_BETA[index_b])
    if alpha == 0 or beta == 0:
        return
    if upright:
        if strong:
            chroma_upright_strong(plane, offset, stride, alpha, beta)
        else:
            chroma_upright(plane, offset, stride, strengths, strengths_offset, alpha, beta, TC0, 4 * index_a)
    elif strong:
        chroma_across_strong(plane, offset, stride, alpha, beta)
    else:
        chroma_across(plane, offset, stride, strengths, strengths_offset, alpha, beta, TC0, 4 * index_a)


@kernel
def filter_samples(plane, offset, along, step, count, luma, strength, index_a, index_b):
    """Filter `count` samples of an edge with one strength (0..4), `along` apart, the sides `step` apart.

    For edges in other pieces than quarters: left edges of MBAFF pairs.
    """
    alpha, beta = np.int64(DEBLOCK_ALPHA[index_a]), np.int64(DEBLOCK_BETA[index_b])
    if strength == 0 or alpha == 0 or beta == 0:
        return
    tc0 = np.int64(0)
    if strength < 4:
        tc0 = np.int64(TC0[4 * index_a + strength])
    for i in range(count):
        if luma:
            filter_luma_sample(plane, offset + i * along, step, strength, alpha, beta, tc0)
        else:
            filter_chroma_sample(plane, offset + i * along, step, strength, alpha, beta, tc0)
