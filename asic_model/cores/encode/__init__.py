from asic_model.cores.encode.account import STAGES, EncodeCoreConfig
from asic_model.cores.encode.core import cost, run
from asic_model.cores.encode.job import EncodeJob

__all__ = ["STAGES", "EncodeCoreConfig", "EncodeJob", "cost", "run"]
