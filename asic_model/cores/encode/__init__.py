from asic_model.cores.encode.core import EncodeCoreConfig, run
from asic_model.cores.encode.job import EncodeJob

__all__ = ["EncodeCoreConfig", "EncodeJob", "run"]
