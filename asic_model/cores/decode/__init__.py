"""Decode core: H.264 pictures from slice data, in device memory.

job          the job and its checks
core         one job: slices, concealment, deblocking, accounting
motion       vectors from differences, direct prediction
tables       reference lists of a slice, for the kernels
reconstruct  prediction plus residual
conceal      lost macroblocks
account      work record, cycles, memory requests, configuration
"""

from asic_model.cores.decode.account import STAGES, DecodeCoreConfig
from asic_model.cores.decode.core import cost, run
from asic_model.cores.decode.job import DecodeJob

__all__ = ["STAGES", "DecodeCoreConfig", "DecodeJob", "cost", "run"]
