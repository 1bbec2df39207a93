"""What the parse kernels hand around: one vector of integers, and the codes of what can go wrong in a slice.

A vector instead of many scalars keeps calls between kernels cheap: every array costs seven machine words a call.
"""

# Entries of the state vector, int64[STATE_SIZE].
RANGE = 0  # codIRange, 256..510 between bins
VALUE = 1  # codIOffset with BITS more bits of the stream below it
BITS = 2  # bits of VALUE below the 9 of codIOffset, never negative between bins
POSITION = 3  # bit of the RBSP that is loaded next (CABAC) or read next (CAVLC)
END = 4  # position of rbsp_stop_one_bit
LAST_WORD = 5  # highest index at which a pair of words may be loaded
BINS = 6  # bins or codewords so far
ERROR = 7  # first fault, 0 while there is none
STATE_SIZE = 8

# Faults of slice data. The macroblock at which a slice broke off is reported beside them.
OK = 0
DATA_ENDS = 1  # syntax runs beyond the last bit of the slice
BAD_CODE = 2  # a codeword that no table has
BAD_VALUE = 3  # a syntax element outside its range
OVERLAP = 4  # the slice reaches a macroblock that an earlier slice has brought
TOO_LONG = 5  # more macroblocks than the picture has
FAULTS = ("ok", "data ends", "bad codeword", "value out of range", "overlap", "too many macroblocks")
