"""What is asked of a foreign block, by the name that adapters use."""

from rtl_tests.foreign.transactions.base import Transaction, Vector
from rtl_tests.foreign.transactions.block_match import BlockMatch
from rtl_tests.foreign.transactions.block_transform import BlockTransform
from rtl_tests.foreign.transactions.deblock import Deblock
from rtl_tests.foreign.transactions.frame_encode import FrameEncode
from rtl_tests.foreign.transactions.intra_predict import IntraPredict
from rtl_tests.foreign.transactions.residual_code import ResidualCode

TRANSACTIONS: dict[str, type[Transaction]] = {
    "block_transform": BlockTransform,
    "block_match": BlockMatch,
    "intra_predict": IntraPredict,
    "residual_code": ResidualCode,
    "deblock": Deblock,
    "frame_encode": FrameEncode,
}

__all__ = ["TRANSACTIONS", "Transaction", "Vector"]
