"""Writes rtl/entropy/entropy_tables_pkg.sv: contexts, bin strings and code tables of the model's entropy engine.

python -m rtl_tests.entropy.package [--check]
"""

import sys

import numpy as np

from asic_model.codecs.h264 import cabac_contexts as contexts
from asic_model.codecs.h264.tables import CABAC_MN
from asic_model.engines.entropy import binarization, codes
from asic_model.engines.entropy.elements import B_PAIR_TYPE, B_SUB_TYPE
from rtl_tests.constants import RTL, command_line, package, rom, scalar

TARGET = RTL / "entropy" / "entropy_tables_pkg.sv"
SYMBOL_W = 12  # ctxIdx << 1 | bin
INIT_CONTEXTS = 8  # contexts initialised in a cycle


def _strings(rows: np.ndarray) -> list[int]:
    """Each bin string as one word: count in the four highest bits, then the symbols, first symbol lowest."""
    words = []
    for row in rows:
        word = int(row[0]) << (8 * SYMBOL_W)
        for i in range(int(row[0])):
            word |= int(row[1 + i]) << (SYMBOL_W * i)
        words.append(word)
    return words


def _codes(table: np.ndarray) -> list[int]:
    """value << 8 | length, as 16 bits of value and 5 of length."""
    return [(int(code) >> 8) << 5 | (int(code) & 31) for code in table.ravel()]


def _initialisation() -> list[int]:
    """[table][group of 8 contexts]: m and n as bytes, context 0 lowest."""
    words = []
    for group in CABAC_MN.reshape(-1, INIT_CONTEXTS, 2):
        word = 0
        for i, (m, n) in enumerate(group):
            word |= ((int(m) & 255) << 8 | (int(n) & 255)) << (16 * i)
        words.append(word)
    return words


def render() -> str:
    """Return the package's text."""
    names = [name for name in dir(contexts) if name.startswith("CTX_") and isinstance(getattr(contexts, name), int)]
    strings = 4 + 8 * SYMBOL_W
    residual = [
        rom(name, 11, np.ravel(getattr(contexts, name)), meaning)
        for name, meaning in (
            ("CTX_CODED_BLOCK_FLAG", "[ctxBlockCat]"),
            ("CTX_SIGNIFICANT", "[6 * field + ctxBlockCat]"),
            ("CTX_LAST", "[6 * field + ctxBlockCat]"),
            ("CTX_ABS_LEVEL", "[ctxBlockCat]"),
        )
    ]
    return package(
        "entropy_tables_pkg",
        "rtl_tests.entropy.package",
        [
            *(scalar(name, getattr(contexts, name)) for name in names),
            *residual,
            rom("SIGNIFICANT_INC", 4, binarization._SIGNIFICANT_INC[1:].ravel(), "[63 * field + scan position], 8x8"),
            rom("LAST_INC", 4, binarization._LAST_INC[1], "[scan position], 8x8"),
            rom("INTRA_TYPES", strings, _strings(binarization.INTRA_TYPES), "[26 * (I, P, B) + mb_type]: bins"),
            rom("P_TYPES", strings, _strings(binarization.P_TYPES), "16x16, 16x8, 8x16, 8x8, intra prefix"),
            rom("B_TYPES", strings, _strings(binarization.B_TYPES), "number of Table 7-14, 23 intra prefix"),
            rom("P_SUB_TYPES", strings, _strings(binarization.P_SUB_TYPES), "number of Table 7-17"),
            rom("B_SUB_TYPES", strings, _strings(binarization.B_SUB_TYPES), "number of Table 7-18"),
            rom("INTRA_MODES", strings, _strings(binarization.INTRA_MODES), "0 flag 1, else 1 + rem_intra_pred_mode"),
            rom("CHROMA_MODES", strings, _strings(binarization.CHROMA_MODES), "intra_chroma_pred_mode"),
            rom("B_PAIR_TYPE", 5, B_PAIR_TYPE.ravel(), "[3 * first prediction + second]: mb_type of 16x8"),
            rom("B_SUB_TYPE", 4, B_SUB_TYPE.ravel(), "[3 * sub_type + prediction]: sub_mb_type"),
            rom(
                "LPS_RANGES", 32, contexts.LPS_RANGES[: 2 * 64 : 2], "[pStateIdx]: rangeTabLPS, qCodIRangeIdx 0 lowest"
            ),
            rom("NEXT_STATE", 7, contexts.NEXT_STATE[: 4 * 64], "[pStateIdx, valMPS, bin]: next pStateIdx and valMPS"),
            rom("INITIAL", 16 * INIT_CONTEXTS, _initialisation(), "[128 * table + group]: eight contexts' m and n"),
            rom("COEFF_TOKEN", 21, _codes(codes.COEFF_TOKEN), "[68 * column + 4 * TotalCoeff + TrailingOnes]"),
            rom("TOTAL_ZEROS", 21, _codes(codes.TOTAL_ZEROS), "[16 * TotalCoeff + total_zeros]"),
            rom("TOTAL_ZEROS_DC", 21, _codes(codes.TOTAL_ZEROS_CHROMA_DC), "[4 * TotalCoeff + total_zeros], chroma DC"),
            rom("RUN_BEFORE", 21, _codes(codes.RUN_BEFORE), "[15 * min(zerosLeft, 7) + run_before]"),
            rom("CBP_CODE_NUM", 6, codes.CBP_CODE_NUM.ravel(), "[96 * monochrome + 48 * inter + pattern]: codeNum"),
        ],
    )


if __name__ == "__main__":
    sys.exit(command_line(TARGET, render))
