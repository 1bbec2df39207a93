"""What the firmware's work on one job costs the control processor, for runs that do not execute it instruction by
instruction.

Counted on the firmware itself (`python -m benchmarks.firmware_cost` prints the counts again, and how far this is from
them). A job is taken from its ring and validated, started when a core is free,
and completed; the shares of these three are an assumption, their sum is counted.
"""

from asic_model.config import ControlConfig

# Cycles a job on `vcu`'s control processor: registers and moves of records included.
ENCODE_CYCLES = 6_270
RATE_CONTROL_CYCLES = 3_250  # more, where the firmware chooses the QP
SCALE_CYCLES = 4_550
DECODE_CYCLES = 5_740
TAKE_SHARE, START_SHARE, COMPLETE_SHARE = 0.5, 0.15, 0.35

# Shares of instruction classes in the firmware's work, and what `vcu` takes for each.
_MIX = {
    "alu_cycles": (0.46, 1), "shift_cycles": (0.05, 1), "load_cycles": (0.19, 2), "store_cycles": (0.08, 1),
    "branch_cycles": (0.07, 1), "branch_taken_cycles": (0.07, 3), "jump_cycles": (0.05, 2),
    "multiply_cycles": (0.01, 3), "divide_cycles": (0.01, 34), "mmio_cycles": (0.01, 12),
}  # fmt: skip


# Where a shift is done in steps it takes so many, at 4 bits a step; so many of the jumps go to registers.
_SHIFT_STEPS, _REGISTER_JUMPS = 4.0, 0.2


def _cycles(control: ControlConfig, name: str) -> float:
    """Of an average instruction of a class."""
    cycles = float(getattr(control, name))
    if name == "shift_cycles" and control.shift_stride:
        cycles += _SHIFT_STEPS
    if name == "jump_cycles" and control.jump_register_cycles:
        cycles += _REGISTER_JUMPS * (control.jump_register_cycles - cycles)
    return cycles


def slowness(control: ControlConfig) -> float:
    """Cycles of an average instruction, relative to the control processor that the counts were taken on."""
    here = sum(share * _cycles(control, name) for name, (share, _) in _MIX.items())
    return here / sum(share * cycles for share, cycles in _MIX.values())


def job_cycles(kind: str, rate_controlled: bool, control: ControlConfig) -> int:
    """Control cycles of one job of a kind of core ("encode", "scale", "decode"), from ring to completion."""
    plain = {"encode": ENCODE_CYCLES, "scale": SCALE_CYCLES, "decode": DECODE_CYCLES}[kind]
    more = RATE_CONTROL_CYCLES if rate_controlled and kind == "encode" else 0
    return round((plain + more) * slowness(control))
