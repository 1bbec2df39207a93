"""Macroblocks without trials: each choice is made once, by SATD and codeword lengths, and coded once.

What the RTL of the encode core does (rtl_tests/rtl/encode_core/). I slices: Intra16x16's SATD bounds Intra4x4, whose
blocks are coded as they are chosen; where their costs pass the bound the macroblock is coded as Intra16x16. P slices:
the best vector of 16x16 or that of P_Skip, whichever has the smaller SATD and rate; P_Skip where it leaves no level; as
in I slices where Intra16x16's SATD undercuts it. Levels come from a dead zone, rates are CAVLC's whatever the coder.
"""

import numpy as np

from asic_model.codecs.h264.macroblock import INTER_16X16
from asic_model.codecs.h264.motion_prediction import MotionField, predict_mv, skip_mv
from asic_model.descriptors import Tool
from asic_model.engines.fractional_search import FractionalScratch, refine, satd_at
from asic_model.engines.lagrangian import MOTION_LAMBDA_BITS
from asic_model.engines.mode_decision.inter import code_inter, motion_rate, predict, set_vector
from asic_model.engines.mode_decision.intra import choose_16x16, choose_chroma, finish_intra, try_4x4, try_16x16
from asic_model.engines.mode_decision.state import NEVER
from asic_model.engines.motion_search import WHOLE
from asic_model.kernel_cache import kernel

# What Intra4x4 must save over Intra16x16: flags and levels cost it more
I16_AHEAD_BITS = 8
# What Intra16x16 must save over a prediction from another picture
INTRA_AHEAD_BITS = 8
_INTRA_IN_INTER = int(Tool.INTRA_IN_INTER)


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


@kernel
def decide_single_pass_inter(t, motion, references, whole):
    """Decide and code a macroblock of a P slice; return its slot. It becomes P_Skip on commitment where it has the
    skip's vector and no level.

    whole : int16[references, n, 9, 2], vectors of motion_search
    """
    field = MotionField(motion.slice_id, motion.ref_idx, motion.mv)
    planes = references.search[0]
    left, top = 16 * t.mb_x, 16 * t.mb_y
    predicted_x, predicted_y = predict_mv(field, motion.mb_width, t.mb, 0, 0, 0, 4, 4, 0)
    positions = refine(
        t.source, 0, 16, planes, left, top, whole[0, t.mb], 1 << WHOLE, predicted_x, predicted_y, t.lambda_motion,
        t.vectors[0], t.vector_costs[0], FractionalScratch(t.search_best[0], t.search_lines), 0,
    )  # fmt: skip
    x, y = np.int64(t.vectors[0, WHOLE, 0]), np.int64(t.vectors[0, WHOLE, 1])
    t.skip_x, t.skip_y = skip_mv(field, motion.mb_width, t.mb)
    least = np.int64(t.vector_costs[0, WHOLE])
    if t.low_x <= t.skip_x <= t.high_x and t.low_y <= t.skip_y <= t.high_y:
        # no bits: its SATD alone
        satd = np.int64(satd_at(t.source, 0, 16, planes, left, top, t.skip_x, t.skip_y))
        if satd <= least:
            x, y, least = t.skip_x, t.skip_y, satd
    intra = np.int64(-1)
    if not t.tools_off & _INTRA_IN_INTER:
        _, satd = choose_16x16(t, 0)
        if satd + ((t.lambda_motion * INTRA_AHEAD_BITS) >> MOTION_LAMBDA_BITS) < least:
            intra = decide_single_pass(t)
        else:
            t.intra_blocks = 0
    t.satd_blocks = 16 * positions  # the skip's SATD comes from a unit of its own, beside the fractional search
    if intra >= 0:
        return intra
    slot = np.int64(0)
    for quadrant in range(4):
        t.ref_idx[slot, 0, quadrant] = 0
        t.sub_type[slot, quadrant] = 0
    set_vector(t, slot, 0, 0, 0, 4, 4, x, y)
    predict(t, slot, INTER_16X16, references)
    code_inter(t, slot, INTER_16X16, motion_rate(t, motion, slot, INTER_16X16), 0, -1)
    return slot
