"""Code tables of CAVLC (H.264 Tables 9-4, 9-5, 9-7 to 9-10). A code is value << 8 | length in bits."""

import numpy as np

from asic_model.codecs.h264.tables import table


def _code(bits: str) -> int:
    return int(bits, 2) << 8 | len(bits)


def _coeff_token() -> np.ndarray:
    """[column: nC 0..1, 2..3, 4..7, 8.., chroma DC][TotalCoeff][TrailingOnes] -> code (Table 9-5)."""
    codes = np.zeros((5, 17, 4), np.int64)
    columns = ("0<=nC<2", "2<=nC<4", "4<=nC<8", "8<=nC", "nC==-1 (4:2:0 chroma DC)")
    for column, name in enumerate(columns):
        for key, bits in table("table_9_5_coeff_token")[name].items():
            ones, total = map(int, key.split(","))
            codes[column, total, ones] = _code(bits)
    return codes


def _nested(name: str, outer: int, inner: int) -> np.ndarray:
    codes = np.zeros((outer, inner), np.int64)
    for first, row in table(name).items():
        for second, bits in row.items():
            codes[int(first), int(second)] = _code(bits)
    return codes


def _cbp_code_num() -> np.ndarray:
    """[monochrome][inter][coded_block_pattern] -> codeNum (Table 9-4)."""
    numbers = np.zeros((2, 2, 48), np.uint8)
    for mono, name in enumerate(("chroma_format_1_or_2", "chroma_format_0_or_3")):
        for number, patterns in enumerate(table("table_9_4_coded_block_pattern_me")[name]):
            for inter, pattern in enumerate(patterns):
                numbers[mono, inter, pattern] = number
    return numbers


COEFF_TOKEN = _coeff_token()
TOTAL_ZEROS = _nested("table_9_7_9_8_total_zeros_4x4", 16, 16)  # [tzVlcIndex][total_zeros]
TOTAL_ZEROS_CHROMA_DC = _nested("table_9_9a_total_zeros_chroma_dc_420", 4, 4)
RUN_BEFORE = _nested("table_9_10_run_before", 8, 15)  # [min(zerosLeft, 7)][run_before]
CBP_CODE_NUM = _cbp_code_num()
TOKEN_COLUMN = np.array([0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3], np.uint8)  # [nC] -> column
