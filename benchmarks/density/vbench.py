"""The five scenarios of vbench (Lottarini et al., ASPLOS 2018): a new transcoder against a reference on one clip.

S = new / reference speed, B = reference / new rate, Q = new / reference PSNR, at least 1 above 50 dB, where more is not
seen. A scenario's constraint must hold, then its score counts; above 1 the new transcoder is better. Constraints and
scores are those of the benchmark's own script, code/compare.py; its clips last 5 s, its "live" is done in 5 s.
"""

from collections.abc import Callable
from dataclasses import dataclass

ENOUGH_DB = 50.0


@dataclass(frozen=True)
class Transcode:
    """What one transcoder did with a clip."""

    mpix_per_s: float
    kbit_per_s: float
    psnr_db: float


@dataclass(frozen=True)
class Ratios:
    """S, B and Q with what the constraints need besides. `real_time` in Mpix a second."""

    s: float
    b: float
    q: float
    new: Transcode
    real_time: float


@dataclass(frozen=True)
class Scenario:
    name: str
    constraint: str
    holds: Callable[[Ratios], bool]
    formula: str
    value: Callable[[Ratios], float]


SCENARIOS = (
    Scenario("upload", "B >= 0.2", lambda r: r.b >= 0.2, "S x Q", lambda r: r.s * r.q),
    Scenario("live", "real time", lambda r: r.new.mpix_per_s >= r.real_time, "B x Q", lambda r: r.b * r.q),
    Scenario("vod", "Q >= 1", lambda r: r.q >= 1, "S x B", lambda r: r.s * r.b),
    Scenario(
        "popular", "B >= 1, Q >= 1, S >= 0.1", lambda r: r.b >= 1 and r.q >= 1 and r.s >= 0.1, "B x Q",
        lambda r: r.b * r.q,
    ),
    Scenario("platform", "B >= 0.995, Q >= 0.995", lambda r: r.b >= 0.995 and r.q >= 0.995, "S", lambda r: r.s),
)  # fmt: skip


def ratios(reference: Transcode, new: Transcode, real_time: float) -> Ratios:
    """Compare two transcoders of one clip."""
    q = new.psnr_db / reference.psnr_db
    if new.psnr_db > ENOUGH_DB:
        q = max(q, 1.0)
    return Ratios(new.mpix_per_s / reference.mpix_per_s, reference.kbit_per_s / new.kbit_per_s, q, new, real_time)


def scores(found: Ratios) -> dict[str, float | None]:
    """Score by scenario; None where the constraint does not hold."""
    return {each.name: each.value(found) if each.holds(found) else None for each in SCENARIOS}
