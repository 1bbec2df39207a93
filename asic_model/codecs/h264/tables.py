"""The numeric tables of H.264 as frozen arrays, under the standard's own table numbers.

`h264_tables.json` beside this file is the source; nothing here is typed a second time.
"""

import json
from importlib.resources import files
from typing import Any

import numpy as np


def _load() -> dict[str, Any]:
    text = files("asic_model.codecs.h264").joinpath("h264_tables.json").read_text(encoding="utf-8")
    return json.loads(text)


_TABLES = _load()


def table(name: str) -> Any:
    """Return the values of table `name` as nested lists or dictionaries. Raises KeyError for an unknown name."""
    entry = _TABLES[name]
    return entry.get("values", entry)


def _frozen(values: Any, dtype: type) -> np.ndarray:
    array: np.ndarray = np.ascontiguousarray(values, dtype=dtype)
    array.flags.writeable = False
    return array


ZIGZAG_4X4 = _frozen(table("figure_8_8_scan_4x4")["zigzag"], np.uint8)  # [scan position] -> raster index
FIELD_SCAN_4X4 = _frozen(table("figure_8_8_scan_4x4")["field"], np.uint8)
ZIGZAG_8X8 = _frozen(table("figure_8_9_scan_8x8")["zigzag"], np.uint8)
FIELD_SCAN_8X8 = _frozen(table("figure_8_9_scan_8x8")["field"], np.uint8)
QP_CHROMA = _frozen(table("table_8_15_QPc"), np.uint8)  # [qPI 0..51] -> QPC
DEBLOCK_ALPHA = _frozen(table("table_8_16_alpha"), np.uint8)  # [indexA]
DEBLOCK_BETA = _frozen(table("table_8_16_beta"), np.uint8)  # [indexB]
DEBLOCK_TC0 = _frozen(table("table_8_17_tC0"), np.uint8)  # [indexA][bS - 1]
CABAC_MN = _frozen(table("table_9_12_to_9_33_cabac_mn"), np.int16)  # [I, idc 0, 1, 2][ctxIdx][m, n]
# [pStateIdx][qCodIRangeIdx]; the file lists the rows from pStateIdx 63 down
RANGE_TAB_LPS = _frozen(table("table_9_44_rangeTabLPS")[::-1], np.uint8)
TRANS_IDX_LPS = _frozen(table("table_9_45_transIdxLPS"), np.uint8)
TRANS_IDX_MPS = _frozen(table("table_9_45_transIdxMPS"), np.uint8)
NORM_ADJUST_4X4 = _frozen(table("normAdjust4x4"), np.int32)  # [QP % 6][position class]
NORM_ADJUST_8X8 = _frozen(table("normAdjust8x8"), np.int32)
# 6.4.3: offset of luma 4x4 block blkIdx inside its macroblock, in 4x4 blocks
BLOCK_X = _frozen([0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3], np.uint8)
BLOCK_Y = _frozen([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3], np.uint8)
