"""Writes rtl/encode_core/encode_core_block_pkg.sv: the encode core's job block, from `asic_model.descriptors`.

python -m rtl_tests.encode_core_device.package [--check]
"""

import struct
import sys

from asic_model.cores.encode.effort import SINGLE_PASS_P
from asic_model.cores.encode.job import FIELD_NUMBER, SLICE_I, SLICE_P
from asic_model.cores.encode.syntax import WEIGHTED_P
from asic_model.cores.result import STATUS_BAD_FIELD
from asic_model.descriptors import BLOCK_BYTES, ENCODE_BLOCK, EncodeMode, Kind, Tool
from rtl_tests.constants import RTL, command_line, package, scalar

TARGET = RTL / "encode_core" / "encode_core_block_pkg.sv"


def _record() -> str:
    """The block as a packed structure, byte 0 lowest."""
    lines, position = [], 0
    for field in sorted(ENCODE_BLOCK.fields, key=lambda field: ENCODE_BLOCK.offsets[field.name]):
        offset, size = ENCODE_BLOCK.offsets[field.name], struct.calcsize(field.code)
        if offset != position:
            raise ValueError(f"encode_block.{field.name}: a hole before byte {offset}")
        sign = "signed " if field.code.islower() else ""
        lines.append(f"    logic {sign}[{8 * size - 1}:0] {field.name};\n")
        position = offset + size
    lines.append(f"    logic [{8 * (BLOCK_BYTES - position) - 1}:0] reserved;\n")
    return f"  typedef struct packed {{\n{''.join(reversed(lines))}  }} job_block_t;\n"


def render() -> str:
    """Return the package's text."""
    return package(
        "encode_core_block_pkg",
        "rtl_tests.encode_core_device.package",
        [
            _record(),
            "  // numbers of the fields in `detail` of BAD_FIELD\n",
            *(scalar(f"FIELD_{name.upper()}", number) for name, number in FIELD_NUMBER.items()),
            scalar("STATUS_BAD_FIELD", STATUS_BAD_FIELD),
            scalar("KIND_ENCODE", Kind.ENCODE),
            scalar("MODE_ENCODE", EncodeMode.ENCODE),
            scalar("SLICE_P", SLICE_P),
            scalar("SLICE_I", SLICE_I),
            scalar("WEIGHTED_P", WEIGHTED_P),
            scalar("TRIALS", Tool.TRIALS),
            scalar("SINGLE_PASS_P", SINGLE_PASS_P),
            scalar("INTRA_IN_INTER", Tool.INTRA_IN_INTER),
            scalar("COARSE_SEARCH", Tool.COARSE_SEARCH),
            scalar("BLOCK_BYTES", BLOCK_BYTES),
        ],
    )


if __name__ == "__main__":
    sys.exit(command_line(TARGET, render))
