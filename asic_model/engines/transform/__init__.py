"""Transform engine: residual to levels and back (H.264 8.5), in both directions the same inverse.

quantiser     tables of scaling factors and forward multipliers
blocks        single 4x4 and 8x8 blocks, DC blocks
macroblocks   whole macroblocks over the level layout
bypass        lossless
timing        configuration and cycles
"""

from asic_model.engines.transform.blocks import (
    SCRATCH,
    add_block_4x4,
    add_block_8x8,
    forward_block_4x4,
    forward_block_8x8,
    forward_chroma_dc,
    forward_luma_dc,
    inverse_chroma_dc,
    inverse_luma_dc,
    offset_of_levels,
    quantise_4x4,
    quantise_8x8,
)
from asic_model.engines.transform.bypass import (
    HORIZONTAL,
    PLAIN,
    VERTICAL,
    bypass_block_4x4,
    bypass_block_8x8,
    bypass_chroma,
    bypass_luma_16x16,
)
from asic_model.engines.transform.macroblocks import (
    add_chroma,
    add_luma_4x4,
    add_luma_8x8,
    add_luma_16x16,
    forward_chroma,
    forward_luma_4x4,
    forward_luma_8x8,
    forward_luma_16x16,
)
from asic_model.engines.transform.quantiser import (
    INTER_CB,
    INTER_CR,
    INTER_Y,
    INTER_Y_8X8,
    INTRA_CB,
    INTRA_CR,
    INTRA_Y,
    INTRA_Y_8X8,
    Quantiser,
    chroma_qp,
    quantiser,
)
from asic_model.engines.transform.timing import TransformConfig, cycles, inverse_cycles

__all__ = [
    "HORIZONTAL",
    "INTER_CB",
    "INTER_CR",
    "INTER_Y",
    "INTER_Y_8X8",
    "INTRA_CB",
    "INTRA_CR",
    "INTRA_Y",
    "INTRA_Y_8X8",
    "PLAIN",
    "SCRATCH",
    "VERTICAL",
    "Quantiser",
    "TransformConfig",
    "add_block_4x4",
    "add_block_8x8",
    "add_chroma",
    "add_luma_4x4",
    "add_luma_8x8",
    "add_luma_16x16",
    "bypass_block_4x4",
    "bypass_block_8x8",
    "bypass_chroma",
    "bypass_luma_16x16",
    "chroma_qp",
    "cycles",
    "forward_block_4x4",
    "forward_block_8x8",
    "forward_chroma",
    "forward_chroma_dc",
    "forward_luma_4x4",
    "forward_luma_8x8",
    "forward_luma_16x16",
    "forward_luma_dc",
    "inverse_chroma_dc",
    "inverse_cycles",
    "inverse_luma_dc",
    "offset_of_levels",
    "quantise_4x4",
    "quantise_8x8",
    "quantiser",
]
