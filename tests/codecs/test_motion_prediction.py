"""Vector prediction against the slow twin in tests/oracle/motion.py, for every shape, position, list and border."""

import numpy as np
import pytest

from asic_model.codecs.h264.motion_prediction import motion_field, predict_mv, skip_mv
from tests.oracle import motion
from tests.oracle.random_syntax import random_macroblocks

SHAPES = [(x, y, w, h) for w, h in ((4, 4), (4, 2), (2, 4), (2, 2)) for x in range(0, 4, w) for y in range(0, 4, h)]
SHAPES += [(x, y, w, h) for w, h in ((2, 1), (1, 2), (1, 1)) for x in range(0, 4, w) for y in range(0, 4, h)]


@pytest.mark.parametrize("mb_width", [1, 2, 5])
@pytest.mark.parametrize("slice_type", [0, 1])
def test_predictions_are_the_twins(mb_width: int, slice_type: int) -> None:
    rng = np.random.default_rng(mb_width)
    for slices in (1, 3):
        mbs, _ = random_macroblocks(
            rng, mb_width, 4, slice_type=slice_type, slices=slices, refs=(3, 2), span=6, skip_share=0.1
        )
        field = motion_field(mbs)
        for mb in range(mbs.mb_type.size):
            assert tuple(skip_mv(field, mb_width, mb)) == motion.predict_skip(mbs, mb_width, mb)
            for lst in range(2):
                for shape in SHAPES:
                    for ref in range(3):
                        have = tuple(predict_mv(field, mb_width, mb, lst, *shape, ref))
                        want = motion.predict(mbs, mb_width, mb, lst, *shape, ref)
                        assert have == want, f"macroblock {mb}, list {lst}, partition {shape}, reference {ref}"
