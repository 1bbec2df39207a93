"""Cycles of the inter prediction engine."""

import numpy as np
from pydantic import Field

from asic_model.kernel_cache import kernel
from asic_model.section import Section


class InterPredictionConfig(Section):
    """A separable six-tap filter fed with rows of reference samples, and a bilinear one for chroma beside it."""

    samples_per_cycle: int = Field(8, ge=4, le=64, multiple_of=4, description="luma samples filtered in a cycle")
    partition_cycles: int = Field(4, ge=0, le=32, description="cycles to set up one partition from one list")
    latency_cycles: int = Field(10, ge=1, le=64, description="first reference row in to first predicted row out")


@kernel
def filter_samples(y_qpel, block_width, block_height):
    """Samples that pass the horizontal filter for one partition from one list: five more rows if y is fractional."""
    return block_width * (block_height + 5) if y_qpel & 3 else block_width * block_height


def cycles(cfg: InterPredictionConfig, work: np.ndarray) -> np.ndarray:
    """Decode: int64[n] cycles of predicting each macroblock's partitions one after another.

    Work fields: `inter_prediction_partitions`, blocks predicted (a bi-predicted partition counts twice), and
    `inter_prediction_samples`, the sum of their `filter_samples`. Rows enter at `samples_per_cycle`; the vertical
    filter keeps up. Chroma has its own filter, half as many samples, and hides behind luma; so does the averaging or
    weighting of two lists.
    """
    partitions = work["inter_prediction_partitions"].astype(np.int64)
    samples = work["inter_prediction_samples"].astype(np.int64)
    busy = -(-samples // cfg.samples_per_cycle) + partitions * cfg.partition_cycles + cfg.latency_cycles
    return np.where(partitions > 0, busy, 0)
