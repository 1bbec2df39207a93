"""CABAC contexts (H.264 9.3.1.1, Table 9-34): index offsets, initial states and state transitions.

A context's state is one byte, pStateIdx << 1 | valMPS. Two indices beyond the standard's contexts let every bin go
through one and the same step of the arithmetic coder: `CTX_TERMINATE` (the standard's own 276) keeps pStateIdx 63,
whose LPS range is 2, and `CTX_BYPASS` stands for bypass bins.
"""

import numpy as np

from asic_model.codecs.h264.tables import CABAC_MN, RANGE_TAB_LPS, TRANS_IDX_LPS, TRANS_IDX_MPS
from asic_model.kernel_cache import kernel

CTX_MB_TYPE_I = 3
CTX_MB_SKIP_P = 11
CTX_MB_TYPE_P = 14
CTX_MB_TYPE_P_INTRA = 17  # suffix, intra macroblock in a P slice
CTX_SUB_MB_TYPE_P = 21
CTX_MB_SKIP_B = 24
CTX_MB_TYPE_B = 27
CTX_MB_TYPE_B_INTRA = 32
CTX_SUB_MB_TYPE_B = 36
CTX_MVD_X = 40
CTX_MVD_Y = 47
CTX_REF_IDX = 54
CTX_MB_QP_DELTA = 60
CTX_INTRA_CHROMA_MODE = 64
CTX_PREV_INTRA_MODE_FLAG = 68
CTX_REM_INTRA_MODE = 69
CTX_MB_FIELD = 70
CTX_CBP_LUMA = 73
CTX_CBP_CHROMA = 77
CTX_TERMINATE = 276
CTX_TRANSFORM_8X8 = 399
CTX_BYPASS = 1024
CONTEXTS = 1025

# Residual contexts by ctxBlockCat 0..5 (Tables 9-34 and 9-40): Intra16x16 DC, Intra16x16 AC, luma 4x4, chroma DC,
# chroma AC, luma 8x8. coded_block_flag of category 5 exists in 4:4:4 only.
CAT_I16_DC, CAT_I16_AC, CAT_LUMA_4X4, CAT_CHROMA_DC, CAT_CHROMA_AC, CAT_LUMA_8X8 = range(6)
CTX_CODED_BLOCK_FLAG = (85, 89, 93, 97, 101, 1012)
CTX_SIGNIFICANT = ((105, 120, 134, 149, 152, 402), (277, 292, 306, 321, 324, 436))  # [field][cat]
CTX_LAST = ((166, 181, 195, 210, 213, 417), (338, 353, 367, 382, 385, 451))
CTX_ABS_LEVEL = (227, 237, 247, 257, 266, 426)

STATE_TERMINATE = 63 << 1
STATE_BYPASS = 64 << 1


def _transitions() -> np.ndarray:
    """Next state by [state << 1 | bin]; the terminating and the bypass state keep themselves."""
    following = np.zeros(130 * 2, np.uint8)
    for state in range(130):
        idx, mps = state >> 1, state & 1
        for value in (0, 1):
            if idx >= 63:
                nxt = state
            elif value == mps:
                nxt = int(TRANS_IDX_MPS[idx]) << 1 | mps
            else:
                nxt = int(TRANS_IDX_LPS[idx]) << 1 | (mps ^ (idx == 0))
            following[state << 1 | value] = nxt
    following.flags.writeable = False
    return following


NEXT_STATE = _transitions()


def _lps_ranges() -> np.ndarray:
    """By state: the four entries of rangeTabLPS as bytes of one word, qCodIRangeIdx 0 the lowest; bypass: 0."""
    words = np.zeros(130, np.int64)
    for state in range(128):
        words[state] = sum(int(lps) << (8 * i) for i, lps in enumerate(RANGE_TAB_LPS[state >> 1]))
    words.flags.writeable = False
    return words


LPS_RANGES = _lps_ranges()


@kernel
def initial_states(states, table, qp):
    """Fill `states` (uint8[CONTEXTS]) for a slice (9.3.1.1).

    table : 0 for I slices, 1 + cabac_init_idc otherwise
    qp    : SliceQPY
    """
    clipped = min(max(qp, 0), 51)
    for ctx in range(1024):
        m = np.int64(CABAC_MN[table, ctx, 0])
        n = np.int64(CABAC_MN[table, ctx, 1])
        pre = min(max(((m * clipped) >> 4) + n, 1), 126)
        if pre <= 63:
            states[ctx] = (63 - pre) << 1
        else:
            states[ctx] = (pre - 64) << 1 | 1
    states[CTX_TERMINATE] = STATE_TERMINATE
    states[CTX_BYPASS] = STATE_BYPASS
