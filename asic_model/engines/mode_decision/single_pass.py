"""Intra macroblocks without trials: each choice is made once, by SATD and codeword lengths, and coded once.

What the RTL of the encode core does (rtl_tests/rtl/encode_core/). Intra16x16's SATD bounds Intra4x4, whose blocks are
coded as they are chosen; where their costs pass the bound the macroblock is coded as Intra16x16. Levels come from a
dead zone, rates are CAVLC's whatever the coder.
"""

import numpy as np

from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS
from asic_model.engines.mode_decision.intra import choose_16x16, choose_chroma, finish_intra, try_4x4, try_16x16
from asic_model.engines.mode_decision.state import NEVER
from asic_model.kernel_cache import kernel

# What Intra4x4 must save over Intra16x16: flags and levels cost it more
I16_AHEAD_BITS = 8


@kernel
def decide_single_pass(t):
    """Decide and code a macroblock of an I slice; return its slot.

    The work record gets the 4x4 predictions of Intra4x4 only: 16x16 and chroma pass a predictor of their own beside it.
    """
    mode, satd = choose_16x16(t, 0)
    t.intra_blocks = 0
    slot = np.int64(1)
    limit = satd - ((t.lambda_motion * I16_AHEAD_BITS) >> MOTION_LAMBDA_BITS)
    if not try_4x4(t, slot, limit, np.int64(NEVER)):
        slot = np.int64(0)
        try_16x16(t, slot, mode)
    predicted = t.intra_blocks
    finish_intra(t, slot, choose_chroma(t, slot), -1)
    t.intra_blocks = predicted
    return slot
