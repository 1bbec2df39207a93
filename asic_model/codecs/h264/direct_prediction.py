"""Direct prediction of B macroblocks from the macroblock record (H.264 8.4.1.2), for frames with direct_8x8_inference.

The encoder's side. The decoder derives the same motion in `asic_model.cores.decode.direct`, on packed vectors and with
fields; both are held to other people's streams.
"""

from typing import NamedTuple

import numpy as np

from asic_model.codecs.h264.motion_prediction import median_mv, neighbour_motion
from asic_model.kernel_cache import kernel

NO_PICTURE = -(1 << 15)  # `picture` where nothing is referred to


class Colocated(NamedTuple):
    """Motion of the first picture of list 1: of each 8x8 quadrant, at the macroblock's corner (8.4.1.2.1).

    mv       int16[n, 4, 2]  vector of list 0, or of list 1 where list 0 is not used
    ref_idx  int8[n, 4]      its reference index, -1 intra
    picture  int16[n, 4]     order count of the picture that it refers to, modulo 2^16
    """

    mv: np.ndarray
    ref_idx: np.ndarray
    picture: np.ndarray


class DirectPictures(NamedTuple):
    """What temporal prediction needs of the slice's lists.

    picture  int16[4]  order counts of list 0, modulo 2^16; NO_PICTURE behind its end
    scale    int64[4]  DistScaleFactor of (list 0 entry, first of list 1); NO_SCALE: the vector is taken as it is
    """

    picture: np.ndarray
    scale: np.ndarray


NO_SCALE = 1 << 20


def scale_factor(current: int, poc_0: int, poc_1: int) -> int:
    """DistScaleFactor (8-201, 8-202) of a picture between two references, NO_SCALE where they are alike."""
    td = min(max(poc_1 - poc_0, -128), 127)
    if td == 0:
        return NO_SCALE
    tb = min(max(current - poc_0, -128), 127)
    tx = int((16384 + abs(td) // 2) / td)
    return min(max((tb * tx + 32) >> 6, -1024), 1023)


@kernel
def _least_reference(a, b, c):
    """MinPositive of the three neighbours' reference indices (8-184 to 8-186), -1 where there is none."""
    least = np.int64(-1)
    for ref in (a[0], b[0], c[0]):
        if ref >= 0 and (least < 0 or ref < least):
            least = np.int64(ref)
    return least


@kernel
def spatial_direct(motion, mb_width, mb, colocated, refs, vectors):
    """Spatial direct prediction (8.4.1.2.2) of all four quadrants.

    refs    : int64[2, 4]     result, [list][quadrant]
    vectors : int64[2, 4, 2]  result
    """
    for lst in range(2):
        a, b, c = neighbour_motion(motion, mb_width, mb, lst, 0, 0, 4)
        ref = _least_reference(a, b, c)
        x = y = np.int64(0)
        if ref >= 0:
            x, y = median_mv(a, b, c, ref)
        for quadrant in range(4):
            refs[lst, quadrant] = ref
            vectors[lst, quadrant, 0], vectors[lst, quadrant, 1] = x, y
    if refs[0, 0] < 0 and refs[1, 0] < 0:
        for lst in range(2):
            for quadrant in range(4):
                refs[lst, quadrant] = 0
        return
    for quadrant in range(4):
        still = (
            colocated.ref_idx[mb, quadrant] == 0
            and -1 <= colocated.mv[mb, quadrant, 0] <= 1
            and -1 <= colocated.mv[mb, quadrant, 1] <= 1
        )
        if still:
            for lst in range(2):
                if refs[lst, quadrant] == 0:
                    vectors[lst, quadrant, 0] = vectors[lst, quadrant, 1] = 0


@kernel
def temporal_direct(mb, colocated, pictures, refs, vectors):
    """Temporal direct prediction (8.4.1.2.3) of all four quadrants; arrays as in `spatial_direct`.

    Returns False where the picture that the co-located block refers to is not in list 0: no stream may say so.
    """
    for quadrant in range(4):
        refs[1, quadrant] = 0
        if colocated.ref_idx[mb, quadrant] < 0:
            refs[0, quadrant] = 0
            for lst in range(2):
                vectors[lst, quadrant, 0] = vectors[lst, quadrant, 1] = 0
            continue
        ref = np.int64(-1)
        for i in range(4):
            if ref < 0 and pictures.picture[i] == colocated.picture[mb, quadrant]:
                ref = np.int64(i)
        if ref < 0:
            return False
        refs[0, quadrant] = ref
        scale = np.int64(pictures.scale[ref])
        for axis in range(2):
            col = np.int64(colocated.mv[mb, quadrant, axis])
            value = col if scale == NO_SCALE else (scale * col + 128) >> 8
            vectors[0, quadrant, axis] = value
            vectors[1, quadrant, axis] = value - col if scale != NO_SCALE else 0
    return True
