"""Energy: what a run cost, part by part, from counted events and the constants of the chip description.

Dynamic energy is counted events times a constant each (stage cycles, bits moved, rows opened, bits over the link,
control cycles); what the chip burns by being on is `static_w` times the elapsed time. Constants carry their sources
in the description (`power:`). All results are joules of the simulated chip and approximate by nature.
"""

from collections.abc import Mapping

from asic_model.config import PowerConfig

# The part that encode_pj_per_stage_cycle comes from has so many gates and stages: what a gate takes in a busy cycle.
ISLPED18_GATES, ISLPED18_STAGES = 2_880_000, 5
# Area of published parts, for orientation only; nothing is computed from it. mm2 as published, node in nm.
PUBLISHED_AREA = {
    "HEVC encoder 4K30, 5 stages, 117 KB SRAM": (1.96, 28, "ISLPED18"),
    "H.264/H.265 encoder 4K": (0.76, 10, "10nm"),
    "HEVC decoder 4K30": (1.77, 40, "MITdec"),
    "MSVP, whole chip": (112.0, None, "MSVP-semi (analyst's estimate)"),
}


def die_temperature_c(power: PowerConfig, watts: float) -> float:
    """Temperature of the die that burns `watts` for long: thermal resistance alone, no heat capacity, no throttling."""
    return power.ambient_c + power.thermal_resistance_k_w * watts


def energy(
    power: PowerConfig,
    *,
    stage_cycles: Mapping[str, Mapping[str, int]],
    memory: Mapping[str, int],
    link_bytes: int,
    control_cycles: int,
    elapsed_ps: int,
    encode_gates: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return joules by part.

    stage_cycles  {"encode": {"motion_search": busy cycles, ...}, ...}
    memory        Fabric.memory(): bytes read and written on the buses, row misses and conflicts
    encode_gates  of stages whose RTL was counted (area.py): they take energy by the gate, not an equal share
    """
    per_cycle = {
        "encode": power.encode_pj_per_stage_cycle,
        "decode": power.decode_pj_per_stage_cycle,
        "scale": power.scale_pj_per_stage_cycle,
    }
    per_gate = power.encode_pj_per_stage_cycle * ISLPED18_STAGES / ISLPED18_GATES
    counted = {("encode", stage): gates * per_gate for stage, gates in (encode_gates or {}).items()}
    parts = {
        f"{kind}.{stage}": 1e-12 * cycles * counted.get((kind, stage), per_cycle[kind])
        for kind, stages in stage_cycles.items()
        for stage, cycles in stages.items()
    }
    moved_bits = 8 * (memory["read_bytes"] + memory["write_bytes"])
    parts["memory.transfer"] = 1e-12 * moved_bits * power.dram_pj_per_bit
    opened = memory["row_misses"] + memory["row_conflicts"]
    parts["memory.activate"] = 1e-12 * opened * power.dram_activate_pj
    parts["host_link"] = 1e-12 * 8 * link_bytes * power.host_link_pj_per_bit
    parts["control"] = 1e-12 * control_cycles * power.control_pj_per_cycle
    parts["static"] = power.static_w * elapsed_ps * 1e-12
    return parts
