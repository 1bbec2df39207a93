"""The report of a run in words, bars and tables: on the terminal, as text, as one HTML file.

The record comes from `asic_model.stats.report` (docs/report.md names its keys). A figure that was not measured is
absent from the record and from the page. Of the `run` part these keys are shown where they are there:

  source    {path, width, height, frame_rate, decoded}      frames    int
  outputs   list of {path, width, height, frames, bytes, duration_seconds, mean_qp, quality: {psnr_y_db, ssim_y},
             buffer_underflows: pictures that the decoder's buffer had not got whole in time, with a buffer}
  host      {seconds, frames_s}                             warnings  list of str
  decode    {frames, by_type: {I, P, B: {pictures, macroblocks, bits, core_ps}}, damaged_pictures,
             concealed_macroblocks}: `driver.decode_session.DecodeSession.stats`
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import report_html
from cli.report_view import Bar, Bars, Block, Chapter, Document, KeyFigure, KeyFigures, Line, Plot, Table, Words

if TYPE_CHECKING:
    from rich.console import Console

Record = Mapping[str, Any]

CAUSES = (
    ("busy_share", "busy", "a"),
    ("stall_input_share", "waits for input", "b"),
    ("stall_memory_share", "waits for memory", "c"),
    ("stall_output_share", "waits for room behind", "d"),
    ("waiting_share", "waits", "b"),  # of runs in groups, where nobody knows for what
)
CLIENT_WORDS = {
    "source": "source pictures",
    "reference": "reference pictures",
    "reconstruction": "reconstructed pictures",
    "motion": "co-located motion",
    "stream": "streams",
    "intermediate": "intermediate data",
    "host": "host transfers",
    "control": "descriptors, firmware data",
}


def number(value: float, digits: int = 3) -> str:
    """Write a figure with `digits` significant digits, thousands separated: 1,234,567  45.6  0.0123."""
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    text = f"{value:#.{digits}g}"
    return text if "e" not in text else f"{value:.2e}"


def percent(share: float) -> str:
    """Write a share of 1 as percent: 45 %, 4.5 %, 0.4 %, <0.1 %."""
    value = 100 * share
    if value < 0.1:
        return "<0.1 %" if value > 0 else "0 %"
    return f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"


def scaled(value: float, unit: str) -> str:
    """Write a quantity with an SI prefix: 12.3 MB, 4.56 GB/s, 78.9 mJ."""
    for factor, prefix in (
        (1e12, "T"),
        (1e9, "G"),
        (1e6, "M"),
        (1e3, "k"),
        (1, ""),
        (1e-3, "m"),
        (1e-6, "µ"),
        (1e-9, "n"),
    ):
        if abs(value) >= factor * 0.9995:
            return f"{number(value / factor)} {prefix}{unit}"
    return f"{number(value / 1e-12)} p{unit}" if value else f"0 {unit}"


def duration(picoseconds: float) -> str:
    return scaled(picoseconds * 1e-12, "s")


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _stages(section: Record) -> Sequence[Record]:
    """Stages that had anything to do: a core may have stages that only some of its jobs use."""
    return [stage for stage in section["stages"] if stage["cycles_mean"] > 0]


def _kinds(record: Record) -> Iterator[tuple[str, Record]]:
    yield from record.get("cores", {}).items()


# ------------------------------------------------------------------------------------------------------- chapters


def _summary(record: Record) -> Chapter:
    chip, run, memory = record["chip"], record.get("run", {}), record.get("memory", {})
    cores = ", ".join(f"{_plural(count, f'{kind} core')}" for kind, count in chip["cores"].items() if count)
    says = [f"The chip {chip['name']} has {cores} at {chip['core_mhz']:g} MHz and {chip['memory']} memory."]
    keys: list[KeyFigure] = []
    main = record.get("cores", {}).get("encode") or next((section for _, section in _kinds(record)), None)
    kind = next((name for name, section in _kinds(record) if section is main), "")
    if main is not None:
        says.append(
            f"It worked {duration(record['elapsed_ps'])} of its own time on this run: "
            f"{_plural(main['jobs'], f'{kind} job')}, {_plural(main['units'], main['unit'])}, "
            f"with its {kind} cores in use for {percent(main['utilization'])} of that time."
        )
        if "seconds" in run.get("host", {}):
            says[-1] += f" Modelling that took this computer {number(run['host']['seconds'])} s."
        limits = sorted(((s["bottleneck_share"], s["name"]) for s in main["stages"]), reverse=True)[:2]
        words = " and ".join(f"{name} for {percent(share)}" for share, name in limits if share > 0)
        if words:
            waits = main.get("memory_bottleneck_share")
            says.append(
                f"A {main['unit']} costs an {kind} core {number(main['cycles_per_unit'])} cycles. "
                f"It spent longest in {words} of the {main['unit']}s"
                + (f"; memory came first for {percent(waits)}." if waits is not None else ".")
            )
        keys.append(KeyFigure(number(main["cycles_per_unit"]), "cycles", f"a {main['unit']}, {kind} core"))
        keys += _capacity_keys(main)
    if "bytes_per_px" in memory:
        keys.append(KeyFigure(number(memory["bytes_per_px"]), "B/px", "memory traffic of encoding"))
    energy = record.get("energy", {})
    if "nj_per_px" in energy:
        keys.append(KeyFigure(number(energy["nj_per_px"]["total"]), "nJ/px", "energy of the whole chip"))
    qualities = [output.get("quality") or {} for output in run.get("outputs", ())]
    if qualities and qualities[0].get("psnr_y_db") is not None:
        keys.append(KeyFigure(f"{qualities[0]['psnr_y_db']:.2f}", "dB", "luma PSNR, first output"))
    return Chapter("Summary", [Words(says), KeyFigures(keys)])


def _capacity_keys(section: Record) -> Iterator[KeyFigure]:
    capacity = section.get("capacity")
    if not capacity:
        return
    yield KeyFigure(number(capacity["fps"]), "frames/s", f"this run's pictures, {_plural(section['cores'], 'core')}")
    for name, streams in capacity["streams"].items():
        within = capacity.get("streams_within_memory", {}).get(name, streams)
        yield KeyFigure(number(min(streams, within)), "streams", f"of {name} in real time")


def _outputs(record: Record) -> Chapter | None:
    rows = []
    for output in record.get("run", {}).get("outputs", ()):
        quality = output.get("quality") or {}
        seconds = output.get("duration_seconds")
        psnr = "lossless" if quality else ""
        rows.append(
            [
                Path(output.get("path", "")).name,
                f"{output['width']}x{output['height']}",
                f"{output['frames']:,}",
                f"{output['bytes']:,}",
                number(output["bytes"] * 8 / seconds / 1000, 4) if seconds else "",
                f"{output['mean_qp']:.1f}" if output.get("mean_qp") is not None else "",
                f"{quality['psnr_y_db']:.2f}" if quality.get("psnr_y_db") is not None else psnr,
                f"{quality['ssim_y']:.4f}" if quality.get("ssim_y") is not None else "",
            ]
        )
    if not rows:
        return None
    head = ["output", "size", "frames", "bytes", "kbit/s", "mean QP", "PSNR-Y dB", "SSIM-Y"]
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    return Chapter(
        "Outputs",
        [
            Table(
                [head[i] for i in kept],
                [[row[i] for i in kept] for row in rows],
                right=frozenset(at for at, i in enumerate(kept) if i >= 2),
            )
        ],
    )


def _decoding(record: Record) -> Chapter | None:
    """What the driver counted of the chip's decode jobs, by picture type."""
    decode = record.get("run", {}).get("decode")
    if not decode or not decode["by_type"]:
        return None
    by_type: Mapping[str, Mapping[str, int]] = decode["by_type"]
    period_ps = 1e6 / record["chip"]["core_mhz"]
    rows = []
    whole = {key: sum(figures[key] for figures in by_type.values()) for key in next(iter(by_type.values()))}
    for letter, figures in (*by_type.items(), ("all", whole)):
        macroblocks = max(1, figures["macroblocks"])
        rows.append(
            [
                letter,
                f"{figures['pictures']:,}",
                number(figures["bits"] / max(1, figures["pictures"]) / 1000),
                number(figures["bits"] / macroblocks),
                number(figures["core_ps"] / period_ps / macroblocks),
            ]
        )
    blocks: list[Block] = []
    source = record.get("run", {}).get("source", {})
    if source.get("frame_rate") and decode.get("frames"):
        rate = whole["bits"] / decode["frames"] * source["frame_rate"]
        blocks.append(Words([f"The slices of the input have {scaled(rate, 'bit/s')} at its frame rate."]))
    head = ("pictures", "", "kbit a picture", "bits a macroblock", "cycles a macroblock")
    blocks.append(Table(head, rows, right=frozenset({1, 2, 3, 4})))
    if decode.get("concealed_macroblocks"):
        damaged = _plural(decode["damaged_pictures"], "picture")
        blocks.append(Words([f"{_plural(decode['concealed_macroblocks'], 'macroblock')} of {damaged} concealed."]))
    return Chapter(
        "Decoding",
        blocks,
        note="A field counts as a picture of half the macroblocks. Cycles: from the start of a job to its end, stalls "
        "included.",
    )


def _cycles(record: Record) -> Chapter | None:
    blocks: list[Block] = []
    for kind, section in _kinds(record):
        rows = [
            Bar(
                stage["name"],
                (stage["cycles_mean"],),
                f"{number(stage['cycles_mean'])} · {number(stage['cycles_p50'])} · {number(stage['cycles_p99'])}",
                marks=(("median", stage["cycles_p50"]), ("99th percentile", stage["cycles_p99"])),
                group=f"{kind}, cycles a {section['unit']}: mean · median · 99 %",
            )
            for stage in _stages(section)
        ]
        if rows:
            blocks.append(Bars(("mean",), rows))
    if not blocks:
        return None
    return Chapter(
        "Cycles by engine",
        blocks,
        note="What each engine needs when it never waits. Engines work at the same time on different macroblocks, so "
        "the slowest one sets the pace, not the sum.",
    )


def _bottlenecks(record: Record) -> Chapter | None:
    blocks: list[Block] = []
    for kind, section in _kinds(record):
        shares = [(stage["name"], stage["bottleneck_share"]) for stage in _stages(section)]
        if "memory_bottleneck_share" in section:
            shares.append(("memory", section["memory_bottleneck_share"]))
        rows = [
            Bar(name, (share,), percent(share), group=f"{kind}, share of the {section['unit']}s")
            for name, share in shares
        ]
        blocks.append(Bars(("",), rows, full=1.0))
    if not blocks:
        return None
    return Chapter("Bottleneck", blocks, note="Where each macroblock or tile spent the longest.")


def _occupation(record: Record) -> Chapter | None:
    blocks: list[Block] = []
    for kind, section in _kinds(record):
        running = section["utilization"]
        if running <= 0:
            continue
        rows = []
        causes = [cause for cause in CAUSES if all(cause[0] in stage for stage in _stages(section))]
        for stage in _stages(section):
            parts = [stage[key] / running for key, _, _ in causes]
            rows.append(
                Bar(
                    stage["name"],
                    (*parts, max(0.0, 1 - sum(parts))),
                    f"{percent(parts[0])} busy",
                    group=f"{kind}, while its cores ran jobs ({percent(running)} of the time)",
                )
            )
        names = tuple(name for _, name, _ in causes)
        blocks.append(Bars((*names, "idle"), rows, full=1.0, tones=(*(tone for _, _, tone in causes), "e")))
    if not blocks:
        return None
    return Chapter(
        "Busy, waiting, idle",
        blocks,
        note="Idle: before the first and after the last macroblock of a picture has passed the stage.",
    )


def _memory(record: Record) -> Chapter | None:
    memory = record.get("memory")
    if not memory or not memory.get("bytes"):
        return None
    blocks: list[Block] = []
    by_client = memory.get("bytes_per_px_by_client", {})
    if by_client:
        rows = [
            Bar(CLIENT_WORDS.get(name, name), (value,), f"{number(value)} B/px", group="encode, bytes a luma sample")
            for name, value in by_client.items()
            if value
        ]
        blocks.append(Bars(("",), rows))
    rows = [
        Bar(CLIENT_WORDS.get(name, name), (moved["read"], moved["write"]), scaled(sum(moved.values()), "B"))
        for name, moved in memory["clients"].items()
        if sum(moved.values())
    ]
    blocks.append(Bars(("read", "written"), [_grouped(row, "whole chip, bytes asked for") for row in rows]))
    facts = [
        ("peak", scaled(memory["peak_bytes_s"], "B/s"), f"{memory['channels']} channels of {memory['standard']}"),
        ("carried", scaled(memory["bytes"], "B"), "whole bursts"),
    ]
    if "achieved_bytes_s" in memory:
        share = memory["achieved_bytes_s"] / memory["peak_bytes_s"]
        facts.append(("mean rate", scaled(memory["achieved_bytes_s"], "B/s"), f"{percent(share)} of the peak"))
    for key, name, what in (
        ("row_hit_share", "row hits", "of the bursts found their row open"),
        ("bus_share", "buses busy", "of the time"),
        ("efficiency_bound", "efficiency bound", "of the peak is the most that these accesses could reach"),
        ("sustained_efficiency", "sustained", "of the peak when saturated with these accesses"),
    ):
        if key in memory:
            facts.append((name, percent(memory[key]), what))
    if "read_latency_ns" in memory:
        facts.append(("read latency", f"{number(memory['read_latency_ns'])} ns", "mean, on-chip network not included"))
    blocks.append(Table(("memory", "", ""), facts, right=frozenset({1})))
    return Chapter("Memory", blocks)


def _grouped(row: Bar, group: str) -> Bar:
    return Bar(row.label, row.parts, row.text, row.marks, group)


def _energy(record: Record) -> Chapter | None:
    energy = record.get("energy", {})
    per_px, joules = energy.get("nj_per_px"), energy.get("joules", {})
    values = per_px or joules
    parts = {name: value for name, value in values.items() if name not in ("total", "static") and value > 0}
    if not parts:
        return None
    dynamic = sum(parts.values())

    def amount(value: float) -> str:
        return f"{number(value)} nJ/px" if per_px else scaled(value, "J")

    words = f"{scaled(joules['total'], 'J')} in all"
    if "watts" in energy:
        words += f", {scaled(energy['watts'], 'W')} on average over the run"
    if per_px:
        words += f"; {number(per_px['total'])} nJ a luma sample coded"
    if values.get("static"):
        words += (
            f". {percent(values['static'] / values['total'])} of it ({amount(values['static'])}) the chip takes by "
            "being on: that share falls as more streams run. The bars are the rest, what the work itself took"
        )
    rows = [
        Bar(name.replace(".", " · ").replace("_", " "), (value,), f"{amount(value)} · {percent(value / dynamic)}")
        for name, value in parts.items()
    ]
    return Chapter(
        "Energy",
        [Words([f"{words}."]), Bars(("",), rows)],
        note="Counted events times constants of the chip description, where each constant has its source.",
    )


def _capacity(record: Record) -> Chapter | None:
    rows = []
    for kind, section in _kinds(record):
        capacity = section.get("capacity")
        if not capacity:
            continue
        for name, streams in capacity["streams"].items():
            within = capacity.get("streams_within_memory", {}).get(name)
            error = _span(capacity["error"]) if "error" in capacity else ""
            rows.append([kind, name, number(streams), error, number(within) if within is not None else ""])
    if not rows:
        return None
    return Chapter(
        "Streams that this makes",
        [Table(("cores", "stream", "by cycles", "error", "and memory"), rows, right=frozenset({2, 3, 4}))],
        note="All cores of a kind at the cycles measured in this run, with the error of the slowest engines against "
        "their RTL (15 % assumed where there is none); the last column also keeps within what memory can carry at this "
        "run's traffic.",
    )


def _span(error: Record) -> str:
    """Error bar in words."""
    return f"{error['low']:+.0%} to {error['high']:+.0%}"


LIMIT_WORDS = {
    "link up": "host link, up",
    "link down": "host link, down",
    "memory size": "memory size",
    "noc": "network ports",
}


def _streams(record: Record) -> Chapter | None:
    """What streams got, and how full each resource was."""
    part = record.get("simulation")
    if not part:
        return None
    says = [
        f"{_plural(part['streams'], 'stream')} for {number(part['duration_s'])} s: {part['finished']:,} pictures came "
        f"back, {number(part['frames_s'])} a second; {part['late']:,} late, {part['dropped']:,} dropped "
        f"({percent(part['late_share'])})."
    ]
    blocks: list[Any] = []
    if "error" in part:
        error = part["error"]
        says.append(f"What this chip carries of such streams may be off by {_span(error)}.")
        terms = [
            [LIMIT_WORDS.get(t["name"], t["name"]), f"{t['low']:+.1%}", f"{t['high']:+.1%}", t["why"]]
            for t in error["terms"] if t["low"] or t["high"]
        ]  # fmt: skip
        blocks = [Table(("error of", "low", "high", "because"), terms, right=frozenset({1, 2}))] if terms else []
    rows = [
        [kind["name"], str(kind["streams"]), number(kind["frames_s"]), str(kind["late"]), str(kind["dropped"]),
         number(kind.get("p50_ms", 0.0)), number(kind.get("p99_ms", 0.0))]
        for kind in part["kinds"]
    ]  # fmt: skip
    head = ("streams", "number", "frames/s", "late", "dropped", "median ms", "99 % ms")
    bars = [
        Bar(LIMIT_WORDS.get(name, name), (share,), percent(share))
        for name, share in sorted(part["limits"].items(), key=lambda item: -item[1])
    ]
    return Chapter(
        "Streams against limits",
        [Words(says), Table(head, rows, right=frozenset(range(1, 7))), Bars(("in use",), bars, full=1.0), *blocks],
        note="Memory: of what these accesses could reach. Sessions and memory size: taken by open streams; a number of "
        "sessions that the chip's description only assumes is no limit.",
    )


def _latency(record: Record) -> Chapter | None:
    part = record.get("simulation", {})
    histogram, times = part.get("latency_histogram"), part.get("latency_ms")
    if not histogram:
        return None
    edges, counts = histogram["edges_ms"], histogram["pictures"]
    points: list[tuple[float, float]] = []
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        points += [(left, count), (right, count)]
    marks = [Line(f"{name}: {number(times[name])} ms", [(times[name], 0), (times[name], max(counts))], tone)
             for name, tone in (("p50", "b"), ("p99", "c"))]  # fmt: skip
    return Chapter(
        "Latency",
        [Plot("ms from arrival to the last output's last byte", "pictures", [Line("pictures", points), *marks],
              x_ticks=_ticks(edges[-1], ""), y_ticks=_ticks(max(counts), ""))],
    )  # fmt: skip


def _bandwidth(record: Record) -> Chapter | None:
    samples = record.get("simulation", {}).get("bandwidth")
    if not samples:
        return None
    peak = record["memory"]["peak_bytes_s"]
    end = samples[-1][0]
    lines = [
        Line("memory traffic", [(at, value / 1e9) for at, value in samples]),
        Line("peak", [(0.0, peak / 1e9), (end, peak / 1e9)], "e"),
    ]
    bound = record["memory"].get("efficiency_bound")
    if bound:
        lines.append(
            Line("most that these accesses could reach", [(0.0, bound * peak / 1e9), (end, bound * peak / 1e9)], "b")
        )
    return Chapter(
        "Memory bandwidth over time",
        [Plot("s", "GB/s", lines, x_ticks=_ticks(end, ""), y_ticks=_ticks(peak / 1e9, ""))],
    )


def _ticks(most: float, unit: str) -> list[tuple[float, str]]:
    """Four values of an axis that begins at 0."""
    return [(most * part / 4, f"{number(most * part / 4)}{unit}") for part in range(5)]


def _roofline(record: Record) -> Chapter | None:
    """Macroblocks a second against macroblocks a byte: is it the cores, or the memory?"""
    encode, memory = record.get("cores", {}).get("encode"), record.get("memory", {})
    capacity = (encode or {}).get("capacity")
    if not encode or not capacity or not memory.get("bytes") or "efficiency_bound" not in memory:
        return None
    units, seconds = encode["units"], record["elapsed_ps"] * 1e-12
    per_kib = units / (memory["bytes"] / 1024)
    compute, achieved = capacity["macroblocks_s"], units / seconds
    roof = memory["peak_bytes_s"] * memory["efficiency_bound"] / 1024
    ridge = compute / roof
    low, high = min(per_kib, ridge) / 8, max(per_kib, ridge) * 8
    lines = [
        Line("what memory carries", [(low, low * roof), (ridge, compute)], "b"),
        Line("what encode cores do", [(ridge, compute), (high, compute)], "a"),
        Line("this run", [(per_kib, achieved)], "c"),
    ]
    side = "the encode cores" if per_kib > ridge else "memory"
    says = (
        f"At {number(per_kib)} macroblocks a KiB of traffic the roof is {side}: "
        f"{number(min(compute, per_kib * roof))} macroblocks a second; this run did {number(achieved)}."
    )
    ticks = [(value, number(value)) for value in (low, per_kib, ridge, high)]
    heights = [(value, f"{value / 1e6:.3g} M") for value in (low * roof, achieved, compute)]
    return Chapter(
        "Roofline",
        [Words([says]), Plot("macroblocks a KiB", "macroblocks a second", lines, True, ticks, heights)],
        note="All traffic of the chip counts, that of other cores and of the host too.",
    )


def _varied(record: Record) -> Chapter | None:
    part = record.get("capacity")
    if not part:
        return None
    rows = [
        [row["name"], str(row["streams"]), number(row["pixels_out_s"] / 1e6), row["binds"], row["next"],
         number(row["next_streams"]), _span(row["error"]) if "error" in row else ""]
        for row in part["rows"]
    ]  # fmt: skip
    bars = [Bar(row["name"], (float(row["streams"]),), f"{row['streams']} streams") for row in part["rows"]]
    head = (part["varied"] or "scenario", "streams", "Mpix/s out", "binds", "next", "at streams", "error")
    return Chapter("Capacity", [Table(head, rows, right=frozenset({1, 2, 5, 6})), Bars(("",), bars)])


def _control(record: Record) -> Chapter | None:
    rows = []
    control, link = record.get("control", {}), record.get("host_link", {})
    if "instructions" in control:
        rows.append(["firmware", f"{control['instructions']:,}", "instructions executed"])
    if "awake_share" in control:
        rows.append(["control processor", percent(control["awake_share"]), "of the time awake"])
    for key, what in (("host_write_bytes", "uploaded"), ("host_read_bytes", "downloaded")):
        if key in link:
            rows.append(["host link", scaled(link[key], "B"), what])
    return Chapter("Control and host link", [Table(("", "", ""), rows, right=frozenset({1}))]) if rows else None


def _warnings(record: Record) -> Chapter | None:
    warnings = record.get("run", {}).get("warnings", ())
    return Chapter("Warnings", [Words(list(warnings))]) if warnings else None


def _exactness(record: Record) -> Iterator[Chapter]:
    metrics = record.get("metrics", {})
    if not metrics:
        return
    kinds: dict[str, list[str]] = {}
    for path, metric in metrics.items():
        kinds.setdefault(metric["exactness"], []).append(path)
    checked = sorted({s["name"] for _, section in _kinds(record) for s in section["stages"] if "RTL" in s["exactness"]})
    says = [
        "Exact: streams and pictures (a standard decoder gives the same samples), counted bytes, macroblocks, jobs and "
        "instructions.",
        "Checked against RTL: " + (f"cycles of {', '.join(checked)}." if checked else "no engine of this run."),
        "Approximate: times, shares, rates and energy; they follow from the engines' cycle laws, the memory model and "
        "the constants of the chip description.",
    ]
    yield Chapter("How exact each figure is", [Words(says)])
    rows = [
        [path.removeprefix("cores.*."), metric["unit"], metric["formula"], metric["exactness"]]
        for path, metric in metrics.items()
    ]
    yield Chapter("Definitions", [Table(("figure", "unit", "what it is", "exactness"), rows)], detail=True)


def _subtitle(record: Record) -> str:
    run = record.get("run", {})
    source = run.get("source", {})
    if not source:
        return " ".join(record["chip"]["description"].split())
    parts = [f"{source['width']}x{source['height']}"] if source.get("width") else []
    if source.get("frame_rate"):
        parts.append(f"{source['frame_rate']:.5g} frames/s")
    if "frames" in run:
        parts.append(_plural(run["frames"], "frame"))
    outputs = run.get("outputs", ())
    if outputs:
        sizes = [f"{output['width']}x{output['height']}" for output in outputs]
        parts.append(f"to {', '.join(sizes)}")
    if source.get("decoded"):
        parts.append(f"decoded {source['decoded']}")
    return ", ".join(parts)


def document(record: Record) -> Document:
    """Put the record of `asic_model.stats.report` into words, bars and tables."""
    run, chip = record.get("run", {}), record["chip"]
    made = [
        _summary(record),
        _outputs(record),
        _decoding(record),
        _varied(record),
        _streams(record),
        _latency(record),
        _cycles(record),
        _bottlenecks(record),
        _occupation(record),
        _memory(record),
        _roofline(record),
        _bandwidth(record),
        _energy(record),
        _capacity(record),
        _control(record),
        _warnings(record),
        *_exactness(record),
    ]
    source = run.get("source", {})
    title = f"{Path(source['path']).name} on {chip['name']}" if source.get("path") else f"Report of {chip['name']}"
    return Document(
        title,
        _subtitle(record),
        [chapter for chapter in made if chapter],
        f"tasic, {record['schema']} version {record['schema_version']}",
    )


# ------------------------------------------------------------------------------------------------------------ out


def print_report(record: Record, console: "Console | None" = None) -> None:
    """Print the report on `console`, by default on stdout."""
    from rich.console import Console

    from cli import report_text

    report_text.render(document(record), console or Console(highlight=False))


def text_report(record: Record, width: int = 100) -> str:
    """Return the report as plain text without colours."""
    from rich.console import Console

    out = io.StringIO()
    print_report(record, Console(file=out, width=width, color_system=None))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def html_report(record: Record) -> str:
    """Return the report as one HTML page."""
    return report_html.render(document(record))
