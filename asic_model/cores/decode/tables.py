"""Reference lists of one slice as the kernels want them: planes, identities, distances, weights."""

import numpy as np

from asic_model.cores.decode.inter import (
    IMPLICIT,
    P_CB,
    P_CR,
    P_LUMA,
    P_PARITY,
    P_SLOT,
    PLANE_COLUMNS,
    WEIGHT_IMPLICIT,
    WEIGHTING_SIZE,
)
from asic_model.cores.decode.reconstruct import ReferenceTables
from asic_model.cores.decode.vectors import LIST_SIZE, NO_SCALE, VARIANTS, MotionTables
from asic_model.engines.inter_prediction import implicit_weight
from asic_model.kernel_cache import kernel

_ENTRIES = VARIANTS * 2 * LIST_SIZE

# Columns of the reference array, int64[references, REFERENCE_COLUMNS]
R_LUMA, R_CB, R_CR, R_NUMBER, R_POC_TOP, R_POC_BOTTOM, R_LONG_TERM, R_SLOT = range(8)
REFERENCE_COLUMNS = 8


def allocate() -> tuple[MotionTables, ReferenceTables]:
    """Return cleared tables."""
    motion = MotionTables(np.zeros(_ENTRIES, np.int32), np.zeros(_ENTRIES, np.int16))
    reference = ReferenceTables(
        planes=np.zeros(_ENTRIES * PLANE_COLUMNS, np.int64), weighting=np.zeros(WEIGHTING_SIZE, np.int16)
    )
    return motion, reference


@kernel
def _distance_scale(current, poc_0, poc_1):
    """DistScaleFactor (8-197..8-202), or NO_SCALE where both references are equally far."""
    tb = min(max(current - poc_0, -128), 127)
    td = min(max(poc_1 - poc_0, -128), 127)
    if td == 0:
        return np.int64(NO_SCALE)
    tx = (16384 + (abs(td) >> 1)) // abs(td)
    if td < 0:
        tx = -tx
    return min(max((tb * tx + 32) >> 6, -1024), 1023)


@kernel
def fill_tables(
    references, entries, structures, counts, mbaff, structure, poc_top, poc_bottom, pitch, chroma_pitch, weights,
    motion, out,
):  # fmt: skip
    """Fill the tables of one slice.

    references          : int64[n * REFERENCE_COLUMNS]
    entries, structures : int64[2 * LIST_SIZE], rows of `references` and which part of the picture; all valid
    counts              : entries of list 0 and, in the second byte, of list 1
    structure           : of the current picture: 1 top, 2 bottom, 3 frame
    motion, out         : MotionTables and ReferenceTables; the explicit weights of out.weighting are the caller's
    """
    ids, scales = motion.ids, motion.scale
    planes, weighting = out.planes, out.weighting
    pocs = np.zeros(VARIANTS * 2 * LIST_SIZE, np.int64)
    long_term = np.zeros(VARIANTS * 2 * LIST_SIZE, np.int64)
    variants = VARIANTS if mbaff else 1
    for variant in range(variants):
        current = min(poc_top, poc_bottom)
        here = structure  # parity of what is predicted
        if variant:
            here = variant
        if here == 1:
            current = poc_top
        elif here == 2:
            current = poc_bottom
        for lst in range(2):
            count = ((counts >> (8 * lst)) & 0xFF) * (2 if variant else 1)
            for i in range(count):
                entry = lst * LIST_SIZE + (i >> 1 if variant else i)
                part = structures[entry]
                if variant:
                    part = here if i & 1 == 0 else 3 - here
                row = entries[entry] * REFERENCE_COLUMNS
                at = (variant * 2 + lst) * LIST_SIZE + i
                second = 1 if part == 2 else 0
                column = at * PLANE_COLUMNS
                planes[column + P_LUMA] = references[row + R_LUMA] + second * pitch
                planes[column + P_CB] = references[row + R_CB] + second * chroma_pitch
                planes[column + P_CR] = references[row + R_CR] + second * chroma_pitch
                planes[column + P_SLOT] = references[row + R_SLOT]
                planes[column + P_PARITY] = 0
                if here != 3 and part != here:
                    planes[column + P_PARITY] = -2 if here == 1 else 2
                ids[at] = references[row + R_NUMBER] * 4 + (0 if part == 3 else part)
                pocs[at] = min(references[row + R_POC_TOP], references[row + R_POC_BOTTOM])
                if part == 1:
                    pocs[at] = references[row + R_POC_TOP]
                elif part == 2:
                    pocs[at] = references[row + R_POC_BOTTOM]
                long_term[at] = references[row + R_LONG_TERM]
        factor = 2 if variant else 1
        first_0 = variant * 2 * LIST_SIZE
        first_1 = first_0 + LIST_SIZE
        count_0, count_1 = (counts & 0xFF) * factor, (counts >> 8) * factor
        if count_1:
            for i in range(count_0):
                if long_term[first_0 + i]:
                    scales[first_0 + i] = NO_SCALE
                else:
                    scales[first_0 + i] = _distance_scale(current, pocs[first_0 + i], pocs[first_1])
            if weights == WEIGHT_IMPLICIT:
                for i in range(count_0):
                    for j in range(count_1):
                        at = IMPLICIT + (variant * LIST_SIZE + i) * LIST_SIZE + j
                        weighting[at] = implicit_weight(
                            current,
                            pocs[first_0 + i],
                            pocs[first_1 + j],
                            long_term[first_0 + i] | long_term[first_1 + j],
                        )
