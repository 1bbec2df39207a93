"""Writes rtl/deblock/deblock_tables_pkg.sv: thresholds and chroma QPs, from the model's tables.

python -m rtl_tests.deblock.package [--check]
"""

import sys

from asic_model.codecs.h264.tables import DEBLOCK_ALPHA, DEBLOCK_BETA, QP_CHROMA
from asic_model.engines.deblock.edges import TC0
from rtl_tests.constants import RTL, command_line, package, rom

TARGET = RTL / "deblock" / "deblock_tables_pkg.sv"


def render() -> str:
    """Return the package's text."""
    return package(
        "deblock_tables_pkg",
        "rtl_tests.deblock.package",
        [
            rom("ALPHA", 8, DEBLOCK_ALPHA, "[indexA]"),
            rom("BETA", 5, DEBLOCK_BETA, "[indexB]"),
            rom("TC0", 5, TC0, "[4 * indexA + strength], strength 0 to 3"),
            rom("QP_CHROMA", 6, QP_CHROMA, "[qPI]: QPC"),
        ],
    )


if __name__ == "__main__":
    sys.exit(command_line(TARGET, render))
