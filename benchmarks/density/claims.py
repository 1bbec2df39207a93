"""Published claims, recomputed from stated inputs: does each hold, and under which condition?

A claim is a published figure; `recomputed` comes from other published figures by the arithmetic that `derivation`
states. One parameter is fitted where prices are not published: the cost of a chip, from one published ratio; the
others are predictions from it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

PUBLISHED = Path(__file__).with_name("published.yaml")
# A recomputed figure this near the published one confirms it.
TOLERANCE = 0.15
HOLDS, ONLY_IF, DOES_NOT, NO_VERDICT = "holds", "holds only if", "does not hold", "no verdict"


@dataclass(frozen=True)
class Figure:
    """One published figure."""

    value: float
    unit: str
    provenance: str
    source: str


@dataclass(frozen=True)
class Claim:
    """A claim with our figure beside it.

    published   the figure claimed, `recomputed` ours, both in `unit`; error = recomputed / published - 1
    role        "prediction"; "consistency": from figures of the same table, so no independent check; "fitted": the
                parameter was chosen so, the error is 0 by construction
    verdict     "no verdict" where it is fitted, or an input is recalled, not verified
    condition   what must be so for the claim to hold; empty where it holds or fails outright
    """

    name: str
    published: float
    recomputed: float
    unit: str
    role: str
    verdict: str
    condition: str
    derivation: str
    inputs: tuple[str, ...]

    @property
    def error(self) -> float:
        return self.recomputed / self.published - 1


def load_published() -> dict[str, Figure]:
    """The published figures by name."""
    return {name: Figure(**entry) for name, entry in yaml.safe_load(PUBLISHED.read_text()).items()}


def check_all(published: Mapping[str, Figure] | None = None) -> list[Claim]:
    """Recompute every claim."""
    figures = load_published() if published is None else published
    v = {name: figure.value for name, figure in figures.items()}
    found = [*_vcu_speed(v), *_vcu_cost(v), *_msvp(v), _netint(v), *_headline(v)]
    return [_judged(claim, figures) for claim in found]


def _judged(claim: Claim, figures: Mapping[str, Figure]) -> Claim:
    if claim.role == "fitted":
        return replace(claim, verdict=NO_VERDICT, condition="the one free parameter was chosen so")
    recalled = [name for name in claim.inputs if figures[name].provenance == "recalled"]
    if not recalled:
        return claim
    return replace(claim, verdict=NO_VERDICT, condition=f"rests on recalled figures: {', '.join(recalled)}")


def _compared(
    name: str, published: float, recomputed: float, derivation: str, inputs: tuple[str, ...], role: str = "prediction"
) -> Claim:
    near = abs(recomputed / published - 1) <= TOLERANCE
    return Claim(
        name, published, recomputed, "ratio", role, HOLDS if near else DOES_NOT, "", derivation, inputs
    )  # fmt: skip


def _vcu_speed(v: Mapping[str, float]) -> list[Claim]:
    """The CPU server's own rate was not found: it is the other row's, its chips' rate over their ratio."""
    claims = []
    offline = v["vcu_realtime"] / (2 * v["quality_mode_factor"])
    for chips, other in ((8, 20), (20, 8)):
        target = v[f"vcu{chips}_h264_ratio"]
        server, words = _server(v, other)
        inputs = (f"vcu{other}_h264", f"vcu{other}_h264_ratio")
        claims.append(
            _compared(
                f"VCU, {chips} chips against 2-socket Skylake, H.264", target, v[f"vcu{chips}_h264"] / server,
                f"{v[f'vcu{chips}_h264']:g} / {words} Mpix/s", (f"vcu{chips}_h264", *inputs), "consistency",
            )
        )  # fmt: skip
        claims.append(
            _compared(
                f"the same from the real-time rate, {chips} chips", target, chips * offline / server,
                f"{chips} x {v['vcu_realtime']:g} / (2 passes x {v['quality_mode_factor']:g}) / {words}",
                ("vcu_realtime", "quality_mode_factor", *inputs),
            )
        )  # fmt: skip
    server, words = _server(v, 8)
    claims.append(
        _compared(
            "VCU, 20 chips, VP9", v["vcu20_vp9_ratio"], v["vcu20_vp9"] * v["software_vp9_servers"] / server,
            f"{v['vcu20_vp9']:g} x {v['software_vp9_servers']:g} / {words} Mpix/s",
            ("vcu20_vp9", "software_vp9_servers", "vcu8_h264", "vcu8_h264_ratio"), "consistency",
        )
    )  # fmt: skip
    return claims


def _server(v: Mapping[str, float], chips: int) -> tuple[float, str]:
    """Mpix a second of the 2-socket Skylake, H.264, from a row of chips; and how."""
    rate, ratio = v[f"vcu{chips}_h264"], v[f"vcu{chips}_h264_ratio"]
    return rate / ratio, f"({rate:g} / {ratio:g})"


def chip_cost_share(v: Mapping[str, float]) -> float:
    """TCO of one VCU over the TCO of its host, so that 8 chips come out as published: the one fitted parameter."""
    return (v["vcu8_h264_ratio"] / v["vcu8_h264_perf_tco"] - 1) / 8


def _vcu_cost(v: Mapping[str, float]) -> list[Claim]:
    share = chip_cost_share(v)
    rows = []
    for chips, codec, role in ((8, "h264", "fitted"), (20, "h264", "prediction"), (8, "vp9", "prediction"),
                               (20, "vp9", "prediction")):  # fmt: skip
        ratio, words, inputs = _cost_ratio(v, chips, codec)
        name = f"vcu{chips}_{codec}_perf_tco"
        rows.append(
            _compared(
                f"VCU, {chips} chips, performance per TCO, {'VP9' if codec == 'vp9' else 'H.264'}", v[name],
                ratio / (1 + chips * share),
                f"{words} / (1 + {chips} x {share:.3f}), a chip's TCO over its host's from the 8-chip figure",
                (*inputs, "vcu8_h264_ratio", "vcu8_h264_perf_tco"), role,
            )
        )  # fmt: skip
    return rows


def _cost_ratio(v: Mapping[str, float], chips: int, codec: str) -> tuple[float, str, tuple[str, ...]]:
    """Throughput over the CPU server's, how, and from what; 8 chips in VP9 from 20, as their rates."""
    name = f"vcu{chips}_{codec}_ratio"
    if name in v:
        return v[name], f"{v[name]:g}", (name,)
    inputs = ("vcu20_vp9_ratio", "vcu8_vp9", "vcu20_vp9")
    whole, few, many = (v[each] for each in inputs)
    return whole * few / many, f"{whole:g} x {few:g} / {many:g}", inputs


def _conditional(
    name: str, published: float, recomputed: float, unit: str, condition: str, reachable: bool, derivation: str,
    inputs: tuple[str, ...],
) -> Claim:  # fmt: skip
    """A claim of at least `published`. Short of it, it holds only if `condition`; `reachable`: some published figure
    meets that."""
    holds = recomputed >= published * (1 - TOLERANCE)
    verdict = HOLDS if holds else ONLY_IF if reachable else DOES_NOT
    return Claim(
        name, published, recomputed, unit, "prediction", verdict, "" if holds else condition, derivation, inputs
    )  # fmt: skip


def _msvp(v: Mapping[str, float]) -> list[Claim]:
    base = v["msvp_rate"] / v["msvp_x264_ratio"]
    cores = base / v["core_x264_medium"]
    # Two published ratios of software H.264 over VP9: their geometric mean.
    software = math.sqrt(v["software_vp9_servers"] * v["software_vp9_slowdown"])
    return [
        _conditional(
            "MSVP against a CPU server, 9 times libx264", v["msvp_x264_ratio"],
            v["msvp_rate"] / (32 * v["core_x264_medium"]), "ratio",
            f"the software side does {base:.0f} Mpix/s: {cores:.1f} of today's cores at x264 medium, not a server; at "
            f"highest quality {v['msvp_rate_best'] / v['msvp_x264_ratio']:.0f} Mpix/s",
            v["core_x264_slow"] <= base, f"{v['msvp_rate']:g} Mpix/s over 32 cores at x264 medium",
            ("msvp_rate", "msvp_rate_best", "core_x264_medium", "core_x264_slow"),
        ),
        _compared(
            "MSVP, libvpx slower than libx264 (50 / 9)", v["msvp_vpx_ratio"] / v["msvp_x264_ratio"], software,
            f"geometric mean of {v['software_vp9_servers']:g} and {v['software_vp9_slowdown']:g}",
            ("msvp_vpx_ratio", "msvp_x264_ratio", "software_vp9_servers", "software_vp9_slowdown"),
        ),
    ]  # fmt: skip


def _netint(v: Mapping[str, float]) -> Claim:
    capacity = v["t408_server_streams"] * 1920 * 1080 * 30 / 1e6
    needed = capacity / v["t408_servers"] / 32
    return _conditional(
        "10 x T408 for up to ten CPU servers", v["t408_servers"], capacity / (32 * v["core_x264_medium"]), "servers",
        f"each of 32 cores encodes at most {needed:.1f} Mpix/s: slower than x264 medium ({v['core_x264_medium']:g}), "
        f"faster than veryslow ({v['core_x264_slow']:g})",
        v["core_x264_slow"] <= needed, f"{capacity:.0f} Mpix/s over 32 cores at x264 medium",
        ("t408_server_streams", "core_x264_medium", "core_x264_slow"),
    )  # fmt: skip


def _headline(v: Mapping[str, float]) -> list[Claim]:
    needed = v["vcu20_h264"] / v["claimed_servers"]
    server, _ = _server(v, 20)
    perf_per_tco = 1 / (1 - v["claimed_saving"])
    saved = {codec: 1 - 1 / v[f"vcu20_{codec}_perf_tco"] for codec in ("h264", "vp9")}
    return [
        _conditional(
            "one server for over a hundred CPU servers", v["claimed_servers"], v["vcu20_h264_ratio"], "servers",
            f"the CPU server does less than {needed:.0f} Mpix/s: a published one does {server:.0f} in H.264, "
            f"{v['vcu20_vp9'] / v['vcu20_vp9_ratio']:.0f} in VP9 ({v['vcu20_vp9_ratio']:g} servers): a slow modern "
            "codec, not H.264",
            v["vcu20_vp9_ratio"] >= v["claimed_servers"] * (1 - TOLERANCE),
            "20 VCU, the largest published server of such chips, H.264",
            ("vcu20_h264_ratio", "vcu20_vp9_ratio", "vcu20_h264", "vcu20_vp9"),
        ),
        _conditional(
            "95 % less cost: performance per TCO", perf_per_tco, v["vcu20_h264_perf_tco"], "ratio",
            f"performance per TCO is {perf_per_tco:.0f} times a CPU's: published are {v['vcu20_h264_perf_tco']:g} for "
            f"H.264 ({saved['h264']:.0%} less cost), {v['vcu20_vp9_perf_tco']:g} for VP9 ({saved['vp9']:.0%} less)",
            v["vcu20_vp9_perf_tco"] >= perf_per_tco, "20 VCU, H.264; 95 % less cost is 1 / (1 - 0.95)",
            ("vcu20_h264_perf_tco", "vcu20_vp9_perf_tco", "claimed_saving"),
        ),
    ]  # fmt: skip
