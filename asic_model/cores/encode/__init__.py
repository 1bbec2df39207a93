from asic_model.cores.encode.account import EncodeCoreConfig
from asic_model.cores.encode.core import run
from asic_model.cores.encode.job import EncodeJob

__all__ = ["EncodeCoreConfig", "EncodeJob", "run"]
