"""From parsed macroblocks to the macroblock record: the way back from tests/oracle/slice_data.py (I and P slices)."""

from asic_model.codecs.h264 import macroblock as m
from asic_model.codecs.h264.macroblock import Macroblocks
from tests.oracle.motion import predict, predict_skip
from tests.oracle.slice_data import Mb

_SIZES = {m.SUB_8X8: (2, 2), m.SUB_8X4: (2, 1), m.SUB_4X8: (1, 2), m.SUB_4X4: (1, 1)}


def _partitions(mb: Mb) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height) in 4x4 blocks, in coding order."""
    if mb.mb_type != m.INTER_8X8:
        width = 2 if mb.mb_type == m.INTER_8X16 else 4
        height = 2 if mb.mb_type == m.INTER_16X8 else 4
        return [(x, y, width, height) for y in range(0, 4, height) for x in range(0, 4, width)]
    found = []
    for quadrant, sub in enumerate(mb.sub_type):
        width, height = _SIZES[sub]
        x, y = quadrant % 2 * 2, quadrant // 2 * 2
        found += [(x + i, y + j, width, height) for j in range(0, 2, height) for i in range(0, 2, width)]
    return found


def fill_record(mbs: Macroblocks, mb_width: int, slice_id: int, parsed: dict[int, Mb]) -> None:
    """Write the macroblocks of one slice into `mbs`; vectors are rebuilt with the oracle's prediction."""
    for address, mb in parsed.items():
        mbs.slice_id[address] = slice_id
        mbs.mb_type[address] = mb.mb_type
        mbs.qp[address] = mb.qp
        mbs.cbp[address] = mb.cbp
        mbs.transform_8x8[address] = mb.transform_8x8
        mbs.intra_mode[address] = mb.intra_mode
        mbs.chroma_mode[address] = mb.chroma_mode
        mbs.sub_type[address] = mb.sub_type
        mbs.ref_idx[address] = mb.ref_idx
        mbs.mv[address] = 0
        mbs.levels[address] = 0
        if mb.mb_type == m.I_PCM:
            mbs.levels[address].reshape(-1)[: len(mb.samples)] = list(mb.samples)
            continue
        for row, values in mb.levels.items():
            mbs.levels[address].reshape(-1)[row * 16 : row * 16 + len(values)] = values
        if mb.mb_type == m.P_SKIP:
            mbs.ref_idx[address, 0] = 0
            mbs.mv[address, 0] = predict_skip(mbs, mb_width, address)
        elif not mb.intra:
            for x, y, width, height in _partitions(mb):
                ref = mb.ref_idx[0][y // 2 * 2 + x // 2]
                predicted = predict(mbs, mb_width, address, 0, x, y, width, height, ref)
                for j in range(y, y + height):
                    for i in range(x, x + width):
                        mvd = mb.mvd[0][j * 4 + i]
                        mbs.mv[address, 0, j * 4 + i] = predicted[0] + mvd[0], predicted[1] + mvd[1]
