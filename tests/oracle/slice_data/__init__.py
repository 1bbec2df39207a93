"""Slice data parser in plain Python, from the text of H.264 7.3.4, 7.3.5, 9.1, 9.2 and 9.3. Slow on purpose.

Frame and field pictures without MBAFF, 4:2:0 or monochrome, I, P and B slices, both entropy coders. It yields what
the stream says (differences, not vectors; intra prediction modes already derived) in the codes of `macroblock.py`.
"""

from itertools import pairwise

from tests.oracle.slice_data.bits import Bits
from tests.oracle.slice_data.cabac import Cabac
from tests.oracle.slice_data.cavlc import Cavlc
from tests.oracle.slice_data.parser import Parser
from tests.oracle.slice_data.records import Mb, Slice

__all__ = ["Mb", "Slice", "parse_slice_data"]


def parse_slice_data(rbsp: bytes, header_bits: int, s: Slice) -> tuple[dict[int, Mb], int]:
    """Return the macroblocks of one slice by address, and the position behind rbsp_stop_one_bit, in bits."""
    bits = Bits(rbsp, header_bits)
    parser: Parser = Cabac(s, bits) if s.cabac else Cavlc(s, bits)
    mbs = parser.parse()
    assert all(b == a + 1 for a, b in pairwise(mbs)), "macroblocks out of order"
    return mbs, bits.position
