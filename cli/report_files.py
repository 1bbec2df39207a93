"""Where a command's report and timeline go."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.job import JobResult, check_distinct
from cli.report import html_report, print_report, text_report
from driver.device import Device
from driver.errors import InvalidConfig
from driver.media.output_file import check_target, write_text

SUFFIXES = (".html", ".json", ".txt")
PRINT = "-"


def check(reports: Sequence[str], trace: str | None, source: str | None = None, outputs: Sequence[str] = ()) -> None:
    """Refuse, before any work, a report or timeline that could not be written, or that would replace another file."""
    for report in reports:
        if report != PRINT:
            if Path(report).suffix.lower() not in SUFFIXES:
                raise InvalidConfig(f"option --report: {report!r}: one of {', '.join(SUFFIXES)}, or - to print it")
            check_target(report)
    if trace is not None:
        check_target(trace)
    if source is not None:
        named = [report for report in reports if report != PRINT]
        check_distinct(source, [*outputs, *named, *([trace] if trace is not None else [])])


def write(device: Device, result: JobResult, reports: Sequence[str], trace: str | None, *, quiet: bool) -> None:
    """Write what was asked for; print the summary unless `quiet` or the whole report is printed."""
    write_record(device.report(run_facts(result)) or {}, reports)
    if trace is not None:
        device.write_trace(trace)
    if not quiet and PRINT not in reports:
        summary(result)


def write_record(record: Mapping[str, Any], reports: Sequence[str]) -> None:
    """Write a report in every form that was asked for, or print it."""
    for report in reports:
        suffix = Path(report).suffix.lower()
        if report == PRINT:
            print_report(record)
        elif suffix == ".json":
            write_text(report, json.dumps(record, indent=1, allow_nan=False) + "\n")
        else:
            write_text(report, html_report(record) if suffix == ".html" else text_report(record))


def run_facts(result: JobResult) -> dict[str, Any]:
    """What the report says about the run, besides what the chip counted. Only `host` is not reproducible."""
    return {
        "source": result.source,
        "outputs": [{key: value for key, value in rung.items() if value is not None} for rung in result.rungs],
        "frames": result.frames,
        "warnings": result.warnings,
        **({"decode": result.decode} if result.decode is not None else {}),
        "host": {"seconds": result.host_seconds, "frames_s": result.frames / max(result.host_seconds, 1e-9)},
    }


def summary(result: JobResult) -> None:
    """A short table on stdout: one row an output."""
    from rich.console import Console
    from rich.table import Table

    quality = any(rung["quality"] for rung in result.rungs)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("output", overflow="fold")
    for head in ("size", "frames", "kbit/s", "mean QP", *(("PSNR-Y dB", "SSIM-Y") if quality else ())):
        table.add_column(head, justify="right")
    for rung in result.rungs:
        rate = 8 * rung["bytes"] / max(rung["duration_seconds"], 1e-9) / 1000
        cells = [
            rung["path"], f"{rung['width']}x{rung['height']}", str(rung["frames"]), f"{rate:.0f}",
            f"{rung['mean_qp']:.1f}" if rung["mean_qp"] is not None else "-",
        ]  # fmt: skip
        if quality:
            found = rung["quality"] or {}
            psnr, ssim = found.get("psnr_y_db"), found.get("ssim_y")
            cells += [f"{psnr:.2f}" if psnr is not None else "lossless", f"{ssim:.4f}" if ssim is not None else "-"]
        table.add_row(*cells)
    console = Console()
    console.print(table)
    rate_chip = result.frames / max(result.chip_seconds, 1e-12)
    console.print(
        f"{result.frames} frames: {result.chip_seconds * 1e3:.1f} ms of the chip's time ({rate_chip:.0f} frames/s), "
        f"{result.host_seconds:.1f} s here ({result.frames / max(result.host_seconds, 1e-9):.1f} frames/s); "
        f"decoded {result.decoded}",
        highlight=False,
    )
