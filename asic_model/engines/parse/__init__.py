"""Parse engine: slice data, CAVLC or CABAC, into the macroblock record (H.264 7.3.4, 7.3.5, 9.2, 9.3).

bitstream      the slice as words, fixed-length and Exp-Golomb codes
arithmetic     the arithmetic decoder
cabac_syntax   binarisations and contexts of the macroblock layer
residual       transform levels of a block, both entropy codes
neighbours     neighbouring macroblocks, with and without MBAFF
slice_data     the kernel: a whole slice
timing         configuration and cycles

RTL twin: rtl_tests/rtl/parse/.
"""

from asic_model.engines.parse.timing import ParseConfig, cycles

__all__ = ["ParseConfig", "cycles"]
