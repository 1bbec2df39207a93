"""Writes rtl/intra_prediction/intra_prediction_pkg.sv: directions and allowed modes, from the model's tables.

python -m rtl_tests.intra_prediction.package [--check]
"""

import sys

import numpy as np

from asic_model.engines.intra_prediction import ALLOWED_4X4, ALLOWED_16X16, ALLOWED_CHROMA
from asic_model.simd.intra import DIRECTIONS_4X4, DIRECTIONS_8X8, line_lanes
from rtl_tests.constants import RTL, command_line, package, rom

TARGET = RTL / "intra_prediction" / "intra_prediction_pkg.sv"
LANES = 32  # of the RTL's line, whatever the block's size


def _directions(table: np.ndarray, size: int) -> np.ndarray:
    """The table with `LANES` entries a filter."""
    return table // line_lanes(size) * LANES + table % line_lanes(size)


def render() -> str:
    """Return the package's text."""
    meaning = "[{} * mode + sample]: 32 * filter (none, pair, triple) + place in the line"
    allowed = np.concatenate([ALLOWED_4X4, ALLOWED_4X4, ALLOWED_16X16, ALLOWED_CHROMA])
    return package(
        "intra_prediction_pkg",
        "rtl_tests.intra_prediction.package",
        [
            rom("DIRECTIONS_4X4", 7, _directions(DIRECTIONS_4X4, 4).ravel(), meaning.format(16)),
            rom("DIRECTIONS_8X8", 7, _directions(DIRECTIONS_8X8, 8).ravel(), meaning.format(64)),
            rom("ALLOWED", 9, allowed, "[32 * kind + available]: mask of the modes that may be used"),
        ],
    )


if __name__ == "__main__":
    sys.exit(command_line(TARGET, render))
