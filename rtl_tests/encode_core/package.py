"""Writes rtl/mode_decision/mode_decision_pkg.sv: rates of mode decision, from the model's tables.

python -m rtl_tests.encode_core.package [--check]
"""

import sys

from asic_model.engines.lagrangian import MOTION_LAMBDA
from asic_model.engines.mode_decision.levels import LEVEL_MAX
from asic_model.engines.mode_decision.single_pass import I16_AHEAD_BITS, INTRA_AHEAD_BITS
from rtl_tests.constants import RTL, command_line, package, rom, scalar

TARGET = RTL / "mode_decision" / "mode_decision_pkg.sv"


def render() -> str:
    """Return the package's text."""
    return package(
        "mode_decision_pkg",
        "rtl_tests.encode_core.package",
        [
            rom("LAMBDA", 11, MOTION_LAMBDA, "[QP]: SATD a bit, 1/16"),
            scalar("I16_AHEAD_BITS", I16_AHEAD_BITS),
            scalar("INTRA_AHEAD_BITS", INTRA_AHEAD_BITS),
            scalar("LEVEL_MAX", LEVEL_MAX),
        ],
    )


if __name__ == "__main__":
    sys.exit(command_line(TARGET, render))
