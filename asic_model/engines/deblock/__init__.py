"""Deblocking engine: the in-loop filter (H.264 8.7), the same in both directions.

edges    one edge: thresholds and sample filters
picture  boundary strengths and the order of edges, for progressive frames and field pictures
timing   configuration and cycles

RTL twin: rtl_tests/rtl/deblock/.
"""

from asic_model.engines.deblock.edges import edge_index, filter_chroma_edge, filter_luma_edge, filter_samples
from asic_model.engines.deblock.picture import (
    Planes,
    Scratch,
    Slices,
    allocate_scratch,
    allocate_slices,
    deblock_picture,
    deblock_rows,
)
from asic_model.engines.deblock.timing import ALL_SEGMENTS, DeblockConfig, cycles

__all__ = [
    "ALL_SEGMENTS",
    "DeblockConfig",
    "Planes",
    "Scratch",
    "Slices",
    "allocate_scratch",
    "allocate_slices",
    "cycles",
    "deblock_picture",
    "deblock_rows",
    "edge_index",
    "filter_chroma_edge",
    "filter_luma_edge",
    "filter_samples",
]
