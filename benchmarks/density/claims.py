"""Published claims, recomputed from stated inputs: does each hold, and under which condition?

A claim is a published figure; `recomputed` comes from other published figures by the arithmetic that `derivation`
states. One parameter is fitted where prices are not published: the cost of a chip, from one published ratio; the
others are predictions from it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

PUBLISHED = Path(__file__).with_name("published.yaml")
# A recomputed figure this near the published one confirms it.
TOLERANCE = 0.15
HOLDS, ONLY_IF, DOES_NOT = "holds", "holds only if", "does not hold"


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
    return [*_vcu_speed(v), *_vcu_cost(v), *_msvp(v), _netint(v), *_headline(v)]


def _compared(
    name: str, published: float, recomputed: float, derivation: str, inputs: tuple[str, ...], role: str = "prediction"
) -> Claim:
    near = abs(recomputed / published - 1) <= TOLERANCE
    return Claim(
        name, published, recomputed, "ratio", role, HOLDS if near else DOES_NOT, "", derivation, inputs
    )  # fmt: skip


def _vcu_speed(v: Mapping[str, float]) -> list[Claim]:
    claims = []
    offline = v["vcu_realtime"] / (2 * v["quality_mode_factor"])
    for chips in (8, 20):
        target = v[f"vcu{chips}_h264_ratio"]
        claims.append(
            _compared(
                f"VCU, {chips} chips against 2-socket Skylake, H.264", target,
                chips * v["vcu_h264"] / v["skylake_h264"],
                f"{chips} x {v['vcu_h264']:g} / {v['skylake_h264']:g} Mpix/s", ("vcu_h264", "skylake_h264"),
                "consistency",
            )
        )  # fmt: skip
        claims.append(
            _compared(
                f"the same from the real-time rate, {chips} chips", target, chips * offline / v["skylake_h264"],
                f"{chips} x {v['vcu_realtime']:g} / (2 passes x {v['quality_mode_factor']:g}) / {v['skylake_h264']:g}",
                ("vcu_realtime", "quality_mode_factor", "skylake_h264"),
            )
        )  # fmt: skip
    claims.append(
        _compared(
            "VCU, 20 chips, VP9", v["vcu20_vp9_ratio"], 20 * v["vcu_vp9"] / v["skylake_vp9"],
            f"20 x {v['vcu_vp9']:g} / {v['skylake_vp9']:g} Mpix/s", ("vcu_vp9", "skylake_vp9"), "consistency",
        )
    )  # fmt: skip
    return claims


def chip_cost_share(v: Mapping[str, float]) -> float:
    """TCO of one VCU over the TCO of its host, so that 8 chips come out as published: the one fitted parameter."""
    return (v["vcu8_h264_ratio"] / v["vcu8_h264_perf_tco"] - 1) / 8


def _vcu_cost(v: Mapping[str, float]) -> list[Claim]:
    share = chip_cost_share(v)
    rows = []
    for name, chips, ratio, role in (
        ("vcu8_h264_perf_tco", 8, "vcu8_h264_ratio", "fitted"),
        ("vcu20_h264_perf_tco", 20, "vcu20_h264_ratio", "prediction"),
        ("vcu20_vp9_perf_tco", 20, "vcu20_vp9_ratio", "prediction"),
    ):
        codec = "VP9" if "vp9" in name else "H.264"
        rows.append(
            _compared(
                f"VCU, {chips} chips, performance per TCO, {codec}", v[name], v[ratio] / (1 + chips * share),
                f"{v[ratio]:g} / (1 + {chips} x {share:.3f}), a chip's TCO over its host's from the 8-chip figure",
                (ratio, "vcu8_h264_ratio", "vcu8_h264_perf_tco"), role,
            )
        )  # fmt: skip
    return rows


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
    software = math.sqrt(v["skylake_h264"] / v["skylake_vp9"] * v["software_vp9_slowdown"])
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
            f"geometric mean of {v['skylake_h264']:g} / {v['skylake_vp9']:g} and {v['software_vp9_slowdown']:g}",
            ("msvp_vpx_ratio", "msvp_x264_ratio", "skylake_h264", "skylake_vp9", "software_vp9_slowdown"),
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
    needed = 20 * v["vcu_h264"] / v["claimed_servers"]
    perf_per_tco = 1 / (1 - v["claimed_saving"])
    saved = {codec: 1 - 1 / v[f"vcu20_{codec}_perf_tco"] for codec in ("h264", "vp9")}
    return [
        _conditional(
            "one server for over a hundred CPU servers", v["claimed_servers"], v["vcu20_h264_ratio"], "servers",
            f"the CPU server does less than {needed:.0f} Mpix/s: in software {v['skylake_h264']:g} are published for "
            f"H.264, {v['skylake_vp9']:g} for VP9 ({v['vcu20_vp9_ratio']:g} servers): a slow modern codec, not H.264",
            v["vcu20_vp9_ratio"] >= v["claimed_servers"] * (1 - TOLERANCE),
            "20 VCU, the largest published server of such chips, H.264",
            ("vcu20_h264_ratio", "vcu20_vp9_ratio", "skylake_h264", "skylake_vp9", "vcu_h264"),
        ),
        _conditional(
            "95 % less cost: performance per TCO", perf_per_tco, v["vcu20_h264_perf_tco"], "ratio",
            f"performance per TCO is {perf_per_tco:.0f} times a CPU's: published are {v['vcu20_h264_perf_tco']:g} for "
            f"H.264 ({saved['h264']:.0%} less cost), {v['vcu20_vp9_perf_tco']:g} for VP9 ({saved['vp9']:.0%} less)",
            v["vcu20_vp9_perf_tco"] >= perf_per_tco, "20 VCU, H.264; 95 % less cost is 1 / (1 - 0.95)",
            ("vcu20_h264_perf_tco", "vcu20_vp9_perf_tco", "claimed_saving"),
        ),
    ]  # fmt: skip
