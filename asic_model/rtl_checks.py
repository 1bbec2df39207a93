"""Which engine's cycles are checked against RTL, by which bench, and how far: the one place that says so.

The report takes "checked against RTL" from here. An entry claims no more than its bench asserts: `whole` only where the
bench compares `cycles(config, work)` of the engine with the RTL's clock, macroblock by macroblock, and fails on any
difference. Benches run with the sizes of the chip `tiny`, in the encode core; other sizes are the law's word.

`total_error`: (cycles of the model - cycles of RTL) / cycles of RTL over all vectors of a test, lowest and highest of
the tests that `python -m benchmarks.accuracy` ran, which names any test outside; error bars of throughput
(`error_bars`) are made of it.
`tests/rtl/test_rtl_checks.py` holds the entries to the benches.
"""

from typing import NamedTuple


class RtlCheck(NamedTuple):
    """What a bench under rtl_tests/ asserts of one stage's time."""

    bench: str  # folder under rtl_tests/
    whole: bool  # all of `cycles(config, work)`, to the cycle
    asserts: str
    total_error: tuple[float, float] | None  # lowest and highest, relative


RTL_CHECKS: dict[str, RtlCheck] = {
    "transform": RtlCheck(
        "transform",
        False,
        "one 4x4 block a cycle and the latency; not the cycles that DC blocks add to a macroblock",
        None,
    ),
    "motion_search": RtlCheck(
        "motion_search",
        False,
        "each macroblock within 8 cycles, and a scan of the first level where nothing hides it",
        (-0.001, 0.004),
    ),
    "fractional_search": RtlCheck(
        "fractional_search",
        False,
        "each macroblock within 6 cycles, and 3 for each further centre of its partitions",
        (-0.012, 0.002),
    ),
    "deblock": RtlCheck("deblock", True, "each macroblock exactly; frames and field pictures, no MBAFF", (0.0, 0.0)),
    "entropy": RtlCheck(
        "entropy",
        False,
        "each macroblock of coded pictures within 8 cycles, a picture within 0.5 %; bytes exactly",
        (-0.022, 0.0),
    ),
}
