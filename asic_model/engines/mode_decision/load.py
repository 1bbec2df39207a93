"""Start of a macroblock: source, neighbours and tables at its QP go into the record; surroundings where it is coded.

A skip needs no more of its neighbours than their motion and whether they are skipped. What coding on trial needs of
them is loaded where something is to be coded (`surround`): nine of ten macroblocks may do without.
"""

import numpy as np

from asic_model.codecs.h264.macroblock import B_DIRECT_16X16, B_SKIP, I_4X4, I_8X8, I_PCM, P_SKIP
from asic_model.engines.intra_prediction import CORNER, LEFT, TOP, TOP_RIGHT
from asic_model.engines.lagrangian import MODE_LAMBDA, MOTION_LAMBDA
from asic_model.engines.mode_decision.levels import LAMBDA_STEPS
from asic_model.engines.mode_decision.residual import BLOCK_OF_RASTER
from asic_model.engines.mode_decision.state import (
    CB,
    CHROMA,
    COUNTS_CB,
    COUNTS_CR,
    CR,
    INTER,
    INTRA,
    LUMA,
    SLICE_B,
    WINDOW_CB,
    WINDOW_CHROMA_STRIDE,
    WINDOW_CR,
    WINDOW_STRIDE,
    WINDOW_Y,
)
from asic_model.engines.motion_search import BORDER_PX
from asic_model.engines.transform.quantiser import INTRA_CB, INTRA_Y, INTRA_Y_8X8, chroma_qp
from asic_model.kernel_cache import inlined, kernel
from asic_model.simd.blocks import copy_8xn, copy_16xn

# [qp]: squared quantiser step, 1/16: Qstep = 0.625 * 2^(QP / 6)
STEP_SQUARED = np.array([round(16 * 0.625**2 * 2 ** (qp / 3)) for qp in range(52)], np.int64)
_CHROMA_WEIGHT = np.array([round(LAMBDA_STEPS * 2 ** (steps / 3)) for steps in range(-12, 40)], np.int64)


@kernel
def _load_tables(t, q):
    """Multipliers and scales at the macroblock's QP. Flat scaling lists: all six are alike."""
    for plane in range(2):
        qp = t.qp_chroma if plane else t.qp
        first_list = INTRA_CB if plane else INTRA_Y
        factor, scale = (first_list * 6 + qp % 6) * 16, (first_list * 52 + qp) * 16
        for i in range(16):
            t.factor[16 * plane + i] = q.factor_4x4[factor + i]
            t.dc_factor[16 * plane + i] = q.factor_4x4[factor]
            t.scale[16 * plane + i] = q.scale_4x4[scale + i]
    factor, scale = (INTRA_Y_8X8 * 6 + t.qp % 6) * 64, (INTRA_Y_8X8 * 52 + t.qp) * 64
    for i in range(64):
        t.factor_8x8[i] = q.factor_8x8[factor + i]
        t.scale_8x8[i] = q.scale_8x8[scale + i]


@inlined
def _load_source(t, source, mb_x, mb_y):
    """Source samples."""
    y, u, v = (
        source.y + 16 * (mb_y * source.stride + mb_x),
        source.u + 8 * (mb_y * source.chroma_stride + mb_x),
        source.v + 8 * (mb_y * source.chroma_stride + mb_x),
    )
    copy_16xn(t.source, 0, 16, source.data, y, source.stride, 16)
    copy_8xn(t.source, CB, 8, source.data, u, source.chroma_stride, 8)
    copy_8xn(t.source, CR, 8, source.data, v, source.chroma_stride, 8)


@inlined
def _load_window(t, recon):
    """The window's row above and column to the left."""
    data = recon.data
    for plane in range(3):
        if plane == 0:
            at, origin, stride, step, size = recon.y, WINDOW_Y, recon.stride, WINDOW_STRIDE, 16
        else:
            at, origin = (recon.u, WINDOW_CB) if plane == 1 else (recon.v, WINDOW_CR)
            stride, step, size = recon.chroma_stride, WINDOW_CHROMA_STRIDE, 8
        at += size * (t.mb_y * stride + t.mb_x)
        if t.mb_y > 0:
            if plane == 0:
                copy_16xn(t.window, origin - step, 0, data, at - stride, 0, 1)
                copy_8xn(t.window, origin - step + 16, 0, data, at - stride + 16, 0, 1)
            else:
                copy_8xn(t.window, origin - step, 0, data, at - stride, 0, 1)
            t.window[origin - step - 1] = data[at - stride - 1]
        if t.mb_x > 0:
            for row in range(size):
                t.window[origin + row * step - 1] = data[at + row * stride - 1]


@inlined
def begin(t, q, settings, mbs, source, mb, mb_width, mb_height, qp, previous_qp, chroma_offset):
    """Load a macroblock; slice_id[mb] must be set. `surround` must follow before anything of it is coded."""
    slice_id = mbs.slice_id
    own = slice_id[mb]
    mb_x, mb_y = mb % mb_width, mb // mb_width
    t.mb, t.mb_x, t.mb_y = mb, mb_x, mb_y
    above = mb - mb_width
    t.left = mb - 1 if mb_x > 0 and slice_id[mb - 1] == own else -1
    t.up = above if mb_y > 0 and slice_id[above] == own else -1
    t.up_right = above + 1 if mb_y > 0 and mb_x + 1 < mb_width and slice_id[above + 1] == own else -1
    t.up_left = above - 1 if mb_y > 0 and mb_x > 0 and slice_id[above - 1] == own else -1
    t.available = (
        (LEFT if t.left >= 0 else 0)
        | (TOP if t.up >= 0 else 0)
        | (TOP_RIGHT if t.up_right >= 0 else 0)
        | (CORNER if t.up_left >= 0 else 0)
    )
    _load_source(t, source, mb_x, mb_y)
    t.qp, t.qp_chroma = qp, chroma_qp(qp, chroma_offset)
    t.qp_changed = 1 if qp != previous_qp else 0
    if qp != t.table_qp:
        t.table_qp = qp
        _load_tables(t, q)
        t.lambda_mode, t.lambda_motion = (MODE_LAMBDA[qp] * settings.mode_lambda) >> 4, MOTION_LAMBDA[qp]
        t.tools_off, t.single_pass = settings.tools_off, settings.single_pass
        t.dead_zone[INTER], t.dead_zone[INTRA] = settings.dead_zone_inter, settings.dead_zone_intra
        t.skip_ssd = (STEP_SQUARED[qp] * settings.skip_energy) >> 8
        t.zero_ssd[LUMA] = (STEP_SQUARED[qp] * settings.zero_energy) >> 8
        t.zero_ssd[CHROMA] = (STEP_SQUARED[t.qp_chroma] * settings.zero_energy) >> 8
        chroma = _CHROMA_WEIGHT[min(max(qp - t.qp_chroma + 12, 0), 51)]
        t.weight[INTER, LUMA] = (LAMBDA_STEPS * settings.weight_inter) >> 4
        t.weight[INTER, CHROMA] = (chroma * settings.weight_inter) >> 4
        t.weight[INTRA, LUMA] = (LAMBDA_STEPS * settings.weight_intra) >> 4
        t.weight[INTRA, CHROMA] = (chroma * settings.weight_intra) >> 4
    t.skip_inc = 0
    for side in range(2):
        other = t.up if side else t.left
        if other >= 0 and mbs.mb_type[other] != P_SKIP and mbs.mb_type[other] != B_SKIP:
            t.skip_inc += 1
    t.low_x, t.low_y = 4 * (-16 * mb_x - BORDER_PX) - 3, 4 * (-16 * mb_y - BORDER_PX) - 3
    t.high_x = 4 * (16 * (mb_width - mb_x - 1) + BORDER_PX) + 3
    t.high_y = 4 * (16 * (mb_height - mb_y - 1) + BORDER_PX) + 3
    t.trials = t.satd_blocks = t.intra_blocks = t.transform_blocks = 0
    t.recorded = -1


@kernel
def _surround(t, recon, mb_types, transforms, chroma_modes, intra_modes, total, patterns, dcs):
    """`surround` with the arrays that it needs alone."""
    _load_window(t, recon)
    t.type_inc = t.chroma_inc = t.transform_inc = 0
    for side in range(2):
        other = t.up if side else t.left
        cbp, dc = np.int64(15), np.int64(-1)
        kind = np.int64(-1)
        if other >= 0:
            kind = np.int64(mb_types[other])
            if t.slice_type == SLICE_B:
                t.type_inc += 0 if kind == B_SKIP or kind == B_DIRECT_16X16 else 1
            else:
                t.type_inc += 0 if kind == I_4X4 or kind == I_8X8 else 1
            t.transform_inc += transforms[other]
            t.chroma_inc += 1 if kind < I_PCM and chroma_modes[other] else 0
            cbp, dc = np.int64(patterns[other]), np.int64(dcs[other])
        for i in range(4):
            mode = np.int64(-1 if other < 0 else 2)
            if side:
                if kind == I_4X4 or kind == I_8X8:
                    mode = np.int64(intra_modes[other, BLOCK_OF_RASTER[12 + i]])
                t.up_modes[i] = mode
            else:
                if kind == I_4X4 or kind == I_8X8:
                    mode = np.int64(intra_modes[other, BLOCK_OF_RASTER[4 * i + 3]])
                t.left_modes[i] = mode
        if side:
            t.up_cbp, t.up_dc = cbp, dc
        else:
            t.left_cbp, t.left_dc = cbp, dc
    counts = t.counts
    for i in range(4):
        counts[5 * (i + 1)] = np.int64(total[t.left, BLOCK_OF_RASTER[4 * i + 3]]) if t.left >= 0 else -1
        counts[i + 1] = np.int64(total[t.up, BLOCK_OF_RASTER[12 + i]]) if t.up >= 0 else -1
    for component in range(2):
        at = COUNTS_CR if component else COUNTS_CB
        for i in range(2):
            block = 16 + 4 * component + i
            counts[at + 3 * (i + 1)] = np.int64(total[t.left, block + i + 1]) if t.left >= 0 else -1
            counts[at + i + 1] = np.int64(total[t.up, block + 2]) if t.up >= 0 else -1


@inlined
def surround(t, mbs, coded, recon):
    """Load what coding on trial needs of the neighbours: samples, modes, counts of levels, what contexts depend on."""
    _surround(
        t, recon, mbs.mb_type, mbs.transform_8x8, mbs.chroma_mode, mbs.intra_mode, mbs.total_coeff, coded.pattern,
        coded.dc,
    )  # fmt: skip
