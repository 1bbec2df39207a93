"""The density study as a document: on the terminal, as text, HTML, JSON or CSV."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cli import density_claims, report_html
from cli.report import number, percent
from cli.report_view import Bar, Bars, Block, Chapter, Document, KeyFigure, KeyFigures, Table, Words
from driver.errors import InvalidConfig
from driver.media.output_file import check_target, write_text

if TYPE_CHECKING:
    pass

SUFFIXES = (".html", ".json", ".csv", ".txt")
PRINT = "-"
METRIC_WORDS = {"psnr": "luma PSNR", "ssim": "luma SSIM", "vmaf": "VMAF"}
RESULT_WORDS = {
    "servers_replaced": ("CPU servers that one chip server replaces", ""),
    "kilowatts_saved": ("power saved a chip server, facility included", "kW"),
    "perf_per_tco": ("performance per TCO, times the CPU's", ""),
    "cost_saved": ("cost saved", ""),
    "chip_tco": ("TCO of a 1080p30 stream on the chip", "USD"),
    "cpu_tco": ("TCO of a 1080p30 stream on CPUs", "USD"),
}
Record = Mapping[str, Any]


class Steps:
    """What is being done, how far it is and how long it will take; on stderr, redrawn where that is a terminal."""

    def __init__(self, quiet: bool) -> None:
        self._bar: Any = None
        self._quiet = quiet or not sys.stderr.isatty()

    def __enter__(self) -> Self:
        if not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        return self

    def __call__(self, words: str, done: float, total: float) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=words, completed=done, total=total)

    def __exit__(self, _kind: type[BaseException] | None, _value: object, _trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()


def check(reports: Sequence[str]) -> None:
    """Refuse, before any work, a report that could not be written."""
    for path in reports:
        if path == PRINT:
            continue
        if Path(path).suffix.lower() not in SUFFIXES:
            raise InvalidConfig(f"option --report: {path}: one of {', '.join(SUFFIXES)}, or - to print it")
        check_target(path)


def write(record: Record, reports: Sequence[str]) -> None:
    """Write the study to every place asked for."""
    write_page(document(record), record, csv_rows(record), reports)


def write_repeats(record: Record, reports: Sequence[str]) -> None:
    """Write how two runs of the CPU side agree."""
    head = ("clip", "preset", "first", "second", "difference", "spread of turns", "share of a processor")
    rows = [
        [
            row["clip"], f"{record['encoder']} {row['preset']}", *(f"{rate:.2f}" for rate in row["mpix_per_s"]),
            f"{100 * row['difference']:.1f} %", percent(row["spread"]), percent(row["share"]),
        ]
        for row in record["rows"]
    ]  # fmt: skip
    words = ["The two runs agree within 5 %." if record["agree"] else "The two runs do not agree within 5 %."]
    if record["too_noisy"]:
        words.append("This machine was too noisy: so says each such run of itself.")
    elif not record["agree"]:
        words.append("No run saw noise of its own: the noise rule is too lenient for this machine.")
    words += [f"Left out for time: {line}." for line in record["left_out"]]
    machine = record["machine"]
    chapter = Chapter(
        "Two runs of the CPU side", [Words(words), Table(head, rows, frozenset(range(2, 7)))],
        f"Mpix/s a core; {record['repeats']} repeats a worker and turn, two turns a run, the runs' turns alternating.",
    )  # fmt: skip
    subtitle = f"{machine['processor']}, {machine['processors']} processors, {machine['clock_mhz']} MHz"
    page = Document("Does the CPU side repeat itself?", subtitle, [chapter], f"tasic density, {record['date']}")
    names = ["clip", "preset", "mpix_per_s", "difference", "spread", "share"]
    table: list[list[Any]] = [["clip", "preset", "first", "second", *names[3:]]]
    table += [
        [row["clip"], row["preset"], *row["mpix_per_s"], *(row[name] for name in names[3:])] for row in record["rows"]
    ]
    write_page(page, record, table, reports)


def write_page(page: Document, record: Record, rows: Sequence[Sequence[Any]], reports: Sequence[str]) -> None:
    from rich.console import Console

    from cli import report_text

    for path in reports:
        suffix = Path(path).suffix.lower()
        if path == PRINT:
            report_text.render(page, Console(highlight=False))
        elif suffix == ".json":
            write_text(path, json.dumps(record, indent=1, allow_nan=False, default=str) + "\n")
        elif suffix == ".html":
            write_text(path, report_html.render(page))
        else:
            out = io.StringIO()
            if suffix == ".csv":
                csv.writer(out).writerows(rows)
            else:
                report_text.render(page, Console(file=out, width=110, color_system=None))
            write_text(path, out.getvalue())


def csv_rows(record: Record) -> list[list[Any]]:
    """One row a clip, transcoder and rate point; speeds are of the transcoder, whatever the point."""
    plan = record["plan"]
    chips = [f"{plan['chip']} {preset}" for preset in plan["chip_presets"]]
    head = ["clip", "transcoder", "qp", "kbit_per_s", "psnr", "ssim", "vmaf", "mpix_per_s"]
    rows: list[list[Any]] = [[*head, *(f"bd_percent against {name}" for name in chips)]]
    for clip in record["clips"]:
        for preset, points in clip["chip_curves"].items():
            speed, name = clip["capacity"][preset]["mpix_per_s"], f"{plan['chip']} {preset}"
            own = [0.0 if name == each else "" for each in chips]
            rows += [_csv_row(clip["name"], name, point, speed, own) for point in points]
        for preset, points in clip["curves"].items():
            speed, name = clip["speeds"][preset]["mpix_per_s"], f"{plan['encoder']} {preset}"
            against = [clip["bd_percent"][each][preset] for each in plan["chip_presets"]]
            rows += [_csv_row(clip["name"], name, point, speed, against) for point in points]
    return rows


def _csv_row(clip: str, name: str, point: Record, speed: float, against: Sequence[Any]) -> list[Any]:
    measured = [point[key] for key in ("qp", "kbit_per_s", "psnr", "ssim", "vmaf")]
    return [clip, name, *("" if value is None else value for value in measured), speed, *against]


def document(record: Record) -> Document:
    """The study's page."""
    plan, machine = record["plan"], record["machine"]
    chapters: list[Chapter] = []
    for preset, found in record["presets"].items():
        chapters += _summary(record, preset, found)
    for clip in record["clips"]:
        chapters += _compression(record, clip)
    for preset, found in record["presets"].items():
        chapters += _money(preset, found)
    chapters += [_vbench(record), *density_claims.chapters(record["claims"]), *_inputs(record)]
    subtitle = (
        f"{plan['chip']} against {plan['encoder']} on {machine['processor']}, {machine['processors']} processors; "
        f"equal {METRIC_WORDS[plan['metric']]}"
    )
    return Document("Density against CPU transcoding", subtitle, chapters, f"tasic density, {record['date']}")


def _summary(record: Record, preset: str, found: Record) -> Iterator[Chapter]:
    plan, results, speeds = record["plan"], found["results"], found["speeds"]
    figures = []
    for name in ("servers_replaced", "cost_saved", "perf_per_tco", "kilowatts_saved"):
        value, unit, span = _spanned(name, results[name])
        figures.append(KeyFigure(value, unit, f"{RESULT_WORDS[name][0]}; {span}"))
    words = []
    for clip in record["clips"]:
        match = clip["match"][preset]
        words.append(
            f"{clip['name']}: the {plan['encoder']} preset that compresses as {plan['chip']} {preset} does is "
            f"{match['words']}; compared at {match['mpix_per_s']:.1f} Mpix/s a core."
        )
        if match["kind"] != "between":
            words.append(
                f"Not at equal compression: at that preset the CPU needs {match['bd_percent']:+.1f} % bits against the "
                "chip."
            )
        words += [f"{clip['name']}: {line}." for line in clip["warnings"]]
        if clip["generated"]:
            words.append("The clip is generated: its figures show that the command works, not how dense the chip is.")
    capacities = {clip["name"]: clip["capacity"][preset] for clip in record["clips"]}
    words += [
        f"One chip sustains {capacity['mpix_per_s']:.0f} Mpix/s ({capacity['streams']} streams of {name} live): "
        f"bound by {capacity['binds']}; error {signed(capacity['low'])} to {signed(capacity['high'])} "
        f"({capacity['terms'][0]['name']}: {capacity['terms'][0]['why']})."
        for name, capacity in capacities.items()
    ]
    for name, capacity in capacities.items():
        for limit, streams in capacity["set_aside"].items():
            if streams < capacity["streams"] + 1:
                words.append(f"{name}: an assumed number of {limit} would have stopped it at {streams:.0f} streams.")
    low, high = found["chip_over_core_range"]
    words.append(
        f"A chip does {found['chip_over_core']:.0f} times the pixels of a core, {low:.0f} to {high:.0f} by both errors "
        f"({speeds['chip_mpix_per_s']:.0f} against {speeds['core_mpix_per_s']:.1f} Mpix/s)."
    )
    noise = record["noise"]
    if noise["too_noisy"]:
        words.insert(
            0,
            f"This machine was too noisy to trust these speeds: two turns differ by up to {percent(noise['spread'])}, "
            f"a worker got as little as {percent(noise['share'])} of its processor.",
        )
    spent = record["time"]
    if spent["left_out"]:
        words.append(f"Left out to end in {spent['budget_s']:.0f} s: {'; '.join(spent['left_out'])}.")
    blocks: list[Block] = [KeyFigures(figures), Words(words)]
    yield Chapter(f"{plan['chip']} {preset}", blocks, "Value at the assumptions; in brackets 5th to 95th percentile.")


def _spanned(name: str, result: Record) -> tuple[str, str, str]:
    unit = RESULT_WORDS[name][1]
    if name == "cost_saved":
        return (
            percent_signed(result["value"]),
            unit,
            f"{percent_signed(result['p5'])} to {percent_signed(result['p95'])}",
        )
    return number(result["value"]), unit, f"{number(result['p5'])} to {number(result['p95'])}"


def signed(share: float) -> str:
    """A relative error."""
    return f"{100 * share:+.0f} %"


def percent_signed(share: float) -> str:
    """A share as percent that may be below 0."""
    return f"{100 * share:.0f} %" if abs(share) < 0.9 else f"{100 * share:.1f} %"


def _compression(record: Record, clip: Record) -> Iterator[Chapter]:
    plan = record["plan"]
    presets = list(clip["bd_percent"])
    head = ["preset", "Mpix/s a core", "spread", *(f"bits against chip {preset}" for preset in presets)]
    rows = [
        [
            name, f"{speed['mpix_per_s']:.1f}", percent(speed["spread"]),
            *(f"{clip['bd_percent'][preset][name]:+.1f} %" for preset in presets),
        ]
        for name, speed in clip["speeds"].items()
    ]  # fmt: skip
    sizes = ", ".join(f"{width}x{height}" for width, height in clip["rungs"])
    yield Chapter(
        f"{clip['name']}: {plan['encoder']} beside the chip",
        [Table(head, rows, frozenset(range(1, len(head))))],
        f"{clip['width']}x{clip['height']}, {clip['frames']} pictures, outputs {sizes}. Decode, scale, encode: one "
        f"thread a stream, all processors at work; BD-rate by {METRIC_WORDS[plan['metric']]} ({plan['method']}).",
    )
    points = []
    labels = {
        **{f"{plan['chip']} {preset}": curve for preset, curve in clip["chip_curves"].items()},
        **{f"{plan['encoder']} {preset}": curve for preset, curve in clip["curves"].items()},
    }
    for label, curve in labels.items():
        for point in curve:
            vmaf = point["vmaf"]
            points.append(
                [
                    label, str(point["qp"]), f"{point['kbit_per_s']:.0f}", f"{point['psnr']:.2f}",
                    f"{point['ssim']:.4f}", f"{vmaf:.1f}" if vmaf is not None else "-",
                ]
            )  # fmt: skip
    head = ["transcoder", "QP", "kbit/s", "PSNR-Y dB", "SSIM-Y", "VMAF"]
    yield Chapter(f"{clip['name']}: curves", [Table(head, points, frozenset(range(1, 6)))], detail=True)


def _money(preset: str, found: Record) -> Iterator[Chapter]:
    results, swings = found["results"], found["tornado"]
    rows = [
        [words, unit, *(_figure(name, results[name][key]) for key in ("value", "p5", "p50", "p95"))]
        for name, (words, unit) in RESULT_WORDS.items()
    ]
    yield Chapter(
        f"Servers, power and money, {preset}",
        [Table(("", "", "value", "5 %", "median", "95 %"), rows, frozenset(range(2, 6)))],
        "Percentiles over the assumptions' ranges and the speeds' errors, drawn 20,000 times from a seed.",
    )
    base = results["cost_saved"]["value"]
    low = min(0.0, *(min(swing["at_low"], swing["at_high"]) for swing in swings))
    bars = []
    for swing in swings:
        least, most = sorted((swing["at_low"], swing["at_high"]))
        bars.append(
            Bar(
                swing["name"], (least - low, most - least),
                f"{percent_signed(swing['at_low'])} .. {percent_signed(swing['at_high'])}",
                (("at all values", base - low),),
            )
        )  # fmt: skip
    yield Chapter(
        f"Which assumption matters, {preset}",
        [Bars(("", "cost saved, from its low to its high value"), bars, 1 - low, ("e", "a"))],
        "One assumption at a time through its range, all others at their values.",
    )
    even = [
        (name, number(value) if value is not None else "no value does") for name, value in found["break_even"].items()
    ]
    yield Chapter(
        f"What would make 95 % true, {preset}",
        [Table(("assumption", "must be"), even, frozenset((1,))), Words(_software_words(found["break_even_software"]))],
        "Each alone, all others at their values; core_speed in Mpix/s: a slower codec or preset at equal compression.",
    )


def _software_words(found: Record | None) -> list[str]:
    """Which preset, which codec would make it true."""
    from benchmarks.density.claims import load_published

    if found is None:
        return ["No speed of the software makes it true."]
    vp9 = load_published()["software_vp9_servers"].value
    reaches = "would do" if vp9 >= found["times_slower"] else "would not do"
    return [
        f"Preset: a chip that compresses as {found['presets']}, and is as fast. Codec: one whose software is "
        f"{found['times_slower']:.1f} times slower than the preset compared with, as fast on the chip; VP9, {vp9:g} "
        f"times as published, {reaches}."
    ]


def _figure(name: str, value: float) -> str:
    return percent_signed(value) if name == "cost_saved" else number(value)


def _vbench(record: Record) -> Chapter:
    names = ("upload", "live", "vod", "popular", "platform")
    rows = []
    for clip in record["clips"]:
        seen = set()
        for entries in clip["vbench"].values():
            for row in entries:
                if row["transcoder"] in seen:
                    continue
                seen.add(row["transcoder"])
                ratios = [f"{row[key]:.2f}" for key in ("s", "b", "q")]
                scores = [f"{row[name]:.2f}" if row[name] is not None else "-" for name in names]
                rows.append([clip["name"], row["transcoder"], *ratios, *scores])
    reference = f"{record['plan']['encoder']} {record['plan']['presets'][-1]}"
    return Chapter(
        "The five scenarios of vbench",
        [Table(("clip", "transcoder", "S", "B", "Q", *names), rows, frozenset(range(2, 10)))],
        f"Against {reference} on one core, at one QP; the chip as a whole chip, a software preset as one core. - : the "
        "scenario's constraint does not hold. Constraints and scores are those of vbench's own compare script.",
    )


def _inputs(record: Record) -> Iterator[Chapter]:
    rows = [
        [name, f"{item['value']:g}", f"{item['low']:g} .. {item['high']:g}", item["unit"], item["source"]]
        for name, item in record["assumptions"].items()
    ]
    yield Chapter(
        "Assumptions",
        [Table(("assumption", "value", "range", "unit", "source"), rows, frozenset((1, 2)))],
        "--assumptions FILE.yaml replaces them by name.",
        detail=True,
    )
    facts = {**record["machine"], **{f"version of {name}": value for name, value in record["versions"].items()}}
    rows = [[name.replace("_", " "), str(value)] for name, value in facts.items()]
    rows.append(["seconds taken, as estimated", "{took_s:.0f}, {estimated_s:.0f}".format(**record["time"])])
    yield Chapter("Where it was measured", [Table(("", ""), rows)], detail=True)
