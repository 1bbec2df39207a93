"""Which engine's cycles are checked against RTL, by which bench, and how far: the one place that says so.

The report takes "checked against RTL" from here. An entry claims no more than its bench asserts: `whole` only where the
bench compares `cycles(config, work)` of the engine with the RTL's clock, macroblock by macroblock, and fails on any
difference. Benches run with the sizes of the chip `tiny`, in the encode core; other sizes are the law's word.

How far model and RTL were apart stands in `rtl_errors.json`, which `python -m benchmarks.accuracy --record` writes from
what the benches recorded; error bars of throughput (`error_bars`) are made of it.
`tests/rtl/test_rtl_checks.py` holds the entries to the benches.
"""

import json
from pathlib import Path
from typing import NamedTuple

ERRORS = Path(__file__).with_name("rtl_errors.json")


class RtlCheck(NamedTuple):
    """What a bench under rtl_tests/ asserts of one stage's time."""

    bench: str  # folder under rtl_tests/
    whole: bool  # all of `cycles(config, work)`, to the cycle
    asserts: str
    # (model - RTL) / RTL of a test's cycles, all vectors together: lowest, highest of the tests
    total_error: tuple[float, float]


def recorded() -> dict[str, tuple[float, float]]:
    """{engine: (lowest, highest) relative error of a test's cycles}, as recorded."""
    engines = json.loads(ERRORS.read_text(encoding="utf-8"))["engines"]
    return {name: (found["low"], found["high"]) for name, found in engines.items()}


_ERRORS = recorded()
RTL_CHECKS: dict[str, RtlCheck] = {
    stage: RtlCheck(stage, whole, asserts, _ERRORS[stage])
    for stage, whole, asserts in (
        (
            "transform",
            True,
            "each kind of macroblock exactly, alone and behind trials, fed in the law's order; Intra8x8 as four blocks "
            "in turn",
        ),
        (
            "motion_search",
            False,
            "each macroblock within 6 cycles, and a scan of the first level where nothing hides it",
        ),
        (
            "fractional_search",
            False,
            "each macroblock within 6 cycles, and 3 for each further centre of its partitions",
        ),
        ("deblock", True, "each macroblock exactly; frames and field pictures, no MBAFF"),
        ("entropy", False, "each macroblock of coded pictures within 8 cycles, a picture within 0.5 %; bytes exactly"),
    )
}
