"""Inter prediction engine: motion-compensated samples (H.264 8.4.2).

blocks  any partition at any position, weighted and bi-prediction: what a decoder does, and the encoder's chroma
planes  half-sample planes of a whole reference: what an encoder's search looks at, with identical results
timing  configuration and cycles

RTL twin: rtl_tests/rtl/inter_prediction/.
"""

from asic_model.engines.inter_prediction.blocks import (
    SCRATCH,
    average_prediction,
    implicit_weight,
    predict_chroma,
    predict_luma,
    weight_prediction,
    weight_prediction_bi,
)
from asic_model.engines.inter_prediction.planes import (
    CENTRE,
    HORIZONTAL,
    MINIMUM_PAD_PX,
    VERTICAL,
    WHOLE,
    half_sample_planes,
    pad_plane,
    predict_luma_from_planes,
)
from asic_model.engines.inter_prediction.timing import InterPredictionConfig, cycles, filter_samples

__all__ = [
    "CENTRE",
    "HORIZONTAL",
    "MINIMUM_PAD_PX",
    "SCRATCH",
    "VERTICAL",
    "WHOLE",
    "InterPredictionConfig",
    "average_prediction",
    "cycles",
    "filter_samples",
    "half_sample_planes",
    "implicit_weight",
    "pad_plane",
    "predict_chroma",
    "predict_luma",
    "predict_luma_from_planes",
    "weight_prediction",
    "weight_prediction_bi",
]
