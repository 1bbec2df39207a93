"""Says in plain words why a chip is not faster, from a report; and compares two reports."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

Record = Mapping[str, Any]

WORDS = {
    "encode": "the encode cores", "scale": "the scale cores", "decode": "the decode cores", "memory": "device memory",
    "noc": "the cores' ports on the on-chip network", "link up": "the host link, towards the chip",
    "link down": "the host link, towards the host",
    "firmware": "the control processor", "sessions": "the number of sessions",
    "memory size": "the size of device memory",
}  # fmt: skip
CURES = {
    "encode": "more encode cores, a higher clock or a faster preset",
    "scale": "more scale cores, wider ones (`scale.core.scale.lanes`), or fewer outputs",
    "decode": "more decode cores, or several outputs of one decoded stream",
    "memory": "more channels, faster memory, frame compression, or a larger reference store",
    "noc": "wider ports (`noc.width_bits`) or a faster network",
    "link up": "decoding on the chip, so that coded streams travel instead of samples",
    "link down": "lower bit rates or a wider link",
    "firmware": "a faster control processor, or larger pictures",
    "sessions": "a higher limit of sessions",
    "memory size": "more memory, or fewer pictures in flight",
}
FULL = 0.9


WAITING = 0.1  # share of their time that cores wait for memory from which on that, not they, is what binds


def binding(used: Mapping[str, float], waits: Mapping[str, float]) -> list[str]:
    """Names of limits, the one that binds first, then the fullest.

    Cores that are full because they wait are not what binds: what they wait for is, memory or their ports.
    """
    order = sorted(used, key=lambda name: -used[name])
    if order and waits.get(order[0], 0.0) > WAITING:
        cause = max((name for name in ("memory", "noc") if name in used), key=lambda name: used[name])
        order.remove(cause)
        order.insert(0, cause)
    return order


def explain(record: Record) -> list[str]:
    """Return sentences, most important first."""
    return [*_limits(record), *_stages(record), *_memory(record), *_idle(record)]


def _limits(record: Record) -> Iterator[str]:
    simulation = record.get("simulation")
    if not simulation:
        yield from _single(record)
        return
    aside = simulation.get("set_aside", [])
    limits = {name: used for name, used in simulation["limits"].items() if name not in aside}
    order = [(name, limits[name]) for name in binding(limits, simulation.get("waits", {}))]
    name, used = order[0]
    late = simulation["late_share"]
    state = "all pictures come back in time" if late == 0 else f"{late:.1%} of the pictures come late or are dropped"
    yield f"{simulation['chip']} with {simulation['streams']} streams: {state}."
    if max(limits.values()) >= FULL:  # cores that are full because they wait: of what they wait for
        yield f"What binds: {WORDS[name]}, {used:.0%} in use. What helps: {CURES[name]}."
    elif late:
        yield (
            f"Nothing is full on average, the most used is {WORDS[name]}, {used:.0%}: pictures wait for each other, or "
            "one alone takes longer than its deadline. What helps: faster cores, fewer streams, or a later deadline."
        )
    else:
        yield f"Nothing is full: the most used is {WORDS[name]}, {used:.0%}. More streams would fit."
    other, share = order[1]
    yield f"Next would be {WORDS[other]}, {share:.0%} in use."
    for each in aside:
        share = simulation["limits"][each]
        yield f"{_capital(WORDS[each])}, {share:.0%} of what is assumed, is not counted as a limit."
    if "error" in simulation:
        error = simulation["error"]
        if not error["low"] and not error["high"]:
            yield "That limit is a figure of the chip's description: it has no error bar."
            return
        yield (
            f"What the chip carries may be off by {error['low']:+.0%} to {error['high']:+.0%}; most uncertain of what "
            f"limits it: {WORDS[error['terms'][0]['name']]} ({error['terms'][0]['why']})."
        )


def _single(record: Record) -> Iterator[str]:
    """A run of one job at a time: how busy the cores were at all."""
    for kind, section in record.get("cores", {}).items():
        yield f"{_capital(WORDS[kind])} ran jobs for {section['utilization']:.0%} of the time."
    encode = record.get("cores", {}).get("encode")
    if encode and encode["utilization"] < 0.5 and encode["cores"] > 1:
        busy = encode["utilization"] * encode["cores"]
        yield (
            f"On average {busy:.1f} of {encode['cores']} encode cores had work: a stream's pictures follow each other. "
            "More streams at once, not a faster core, would use the rest."
        )


def _stages(record: Record) -> Iterator[str]:
    for kind, section in record.get("cores", {}).items():
        stages = [stage for stage in section["stages"] if stage["cycles_mean"] > 0]
        if not stages:
            continue
        slowest = max(stages, key=lambda stage: stage["cycles_mean"])
        cycles = section["cycles_per_unit"]
        unit = section["unit"]
        yield (
            f"A {unit} costs {_article(kind)} core {cycles:.0f} cycles; its slowest stage on average is "
            f"{slowest['name']} with {slowest['cycles_mean']:.0f}."
        )
        if cycles > 1.15 * slowest["cycles_mean"]:
            yield (
                f"The other {cycles - slowest['cycles_mean']:.0f} cycles are stages taking turns at being the slowest, "
                "and waiting: deeper FIFOs between stages or balanced stages would win some of them."
            )
        waits = section.get("memory_bottleneck_share", 0.0)
        if waits > 0.05:
            yield f"{waits:.0%} of the {unit}s of {kind} cores spent longest waiting for memory."


def _memory(record: Record) -> Iterator[str]:
    memory = record.get("memory", {})
    if "bus_share" not in memory or "efficiency_bound" not in memory:
        return
    share, bound = memory["bus_share"], memory["efficiency_bound"]
    yield (
        f"Memory carried data for {share:.0%} of the time; with these accesses about {bound:.0%} is the most that it "
        f"could ({memory['row_hit_share']:.0%} of the bursts found their row open)."
    )
    encode = record.get("cores", {}).get("encode")
    if encode and "bytes_per_px" in memory:
        yield f"Encoding moves {memory['bytes_per_px']:.1f} bytes a luma sample."


def _idle(record: Record) -> Iterator[str]:
    energy = record.get("energy", {})
    joules = energy.get("joules", {})
    if joules.get("total") and joules.get("static", 0) > 0.5 * joules["total"]:
        yield (
            f"{joules['static'] / joules['total']:.0%} of the energy is what the idle chip takes: a stream's share of "
            "it falls as more streams run."
        )


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# -------------------------------------------------------------------------------------------------------- comparing

LEFT_OUT = ("run.", "metrics.", "schema", "chip.description")


def flatten(record: Any, prefix: str = "") -> dict[str, Any]:
    """All figures of a report by dotted path; entries of lists by their `name`, or their place."""
    found: dict[str, Any] = {}
    if isinstance(record, Mapping):
        for name, value in record.items():
            found.update(flatten(value, f"{prefix}{name}."))
    elif isinstance(record, list | tuple):
        for place, value in enumerate(record):
            name = value["name"] if isinstance(value, Mapping) and "name" in value else place
            found.update(flatten(value, f"{prefix}{name}."))
    else:
        found[prefix.rstrip(".")] = record
    return {path: value for path, value in found.items() if not path.startswith(LEFT_OUT)}


def compare(
    before: Record, after: Record, tolerance: float, own: Mapping[str, float] | None = None
) -> list[tuple[str, Any, Any, float]]:
    """Return (path, before, after, relative change) of every figure that moved by more than its tolerance.

    tolerance  relative, of all figures; `own`: of figures whose path begins so, the longest beginning counts
    A figure that only one side has is listed with change infinity.
    """
    one, other = flatten(before), flatten(after)
    own = own or {}
    found = []
    for path in [*one, *(path for path in other if path not in one)]:
        a, b = one.get(path), other.get(path)
        allowed = tolerance
        for beginning in sorted(own, key=len):
            if path.startswith(beginning):
                allowed = own[beginning]
        if isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool):
            change = 0.0 if a == b else (b - a) / abs(a) if a else math.inf
        else:
            change = 0.0 if a == b and path in one and path in other else math.inf
        if abs(change) > allowed:
            found.append((path, a, b, change))
    return found
