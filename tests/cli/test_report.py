"""The report says what the record says: words, figures and pages from records of real and of odd runs."""

import copy
from typing import Any

import numpy as np
import pytest

from asic_model import stats
from asic_model.config import load_chip
from asic_model.cores.fabric import Fabric
from asic_model.cores.result import REQUEST, CoreResult
from asic_model.cores.scale import ScaleCoreConfig, ScaleJob, run
from cli import report
from cli.report_view import Bars

RUN = {
    "source": {"path": "in/clip <1>.mp4", "width": 640, "height": 360, "frame_rate": 25.0, "decoded": "on the host"},
    "frames": 3,
    "host": {"seconds": 1.25, "frames_s": 2.4},
    "warnings": ["10-bit input: converted to 8 bits"],
    "outputs": [
        {
            "path": "out/a_360p.mp4", "width": 640, "height": 360, "frames": 3, "bytes": 30_000,
            "duration_seconds": 0.12,
            "mean_qp": 26.0, "quality": {"psnr_y_db": 41.234, "ssim_y": 0.98765},
        },
        {
            "path": "out/a_180p.mp4", "width": 320, "height": 180, "frames": 3, "bytes": 9_000,
            "duration_seconds": 0.12,
            "mean_qp": None, "quality": None,
        },
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """A scale job and an encode job of 920 macroblocks whose second stage is the slow one, on the tiny chip."""
    config = load_chip("tiny")
    fabric = Fabric(config)
    scaled = run(
        np.zeros(8 << 20, np.uint8),
        ScaleJob(640, 360, 0, output_count=1, out0_width=320, out0_height=180, out0_address=4 << 20),
        ScaleCoreConfig(),
    )
    requests = np.zeros(920, REQUEST)
    requests["unit"], requests["rows"], requests["size"] = np.arange(920), 1, 384
    requests["address"] = np.arange(920) * 384
    cycles = np.tile(np.array([100, 300, 200]), (920, 1))
    encoded = CoreResult(0, 0, 0, ("fetch", "motion_search", "entropy"), cycles, requests, np.zeros(920))
    for kind, result in (("scale", scaled), ("encode", encoded)):
        fabric.start(fabric.core(kind, 0), result, fabric.now_ps)
        while not fabric.advance(fabric.now_ps + 10**12):
            pass
    counted = {
        "now_ps": fabric.now_ps,
        "jobs": {"encode": {"samples": 640 * 360}, "scale": {"samples": 640 * 360}},
        "host_link": {"host_write_bytes": 345_600, "host_read_bytes": 39_000},
        "control": {"instructions": 12_345, "awake_ps": 10**8},
    }
    return stats.report(config, fabric, counted, RUN)


def bars(record: dict[str, Any], chapter: str) -> dict[str, str]:
    """Return label -> text of all bars of one chapter."""
    found = next(c for c in report.document(record).chapters if c.title == chapter)
    return {row.label: row.text for block in found.blocks if isinstance(block, Bars) for row in block.rows}


def test_cycles_and_bottleneck_are_the_records(record: dict[str, Any]) -> None:
    assert bars(record, "Cycles by engine")["motion_search"] == "300 · 300 · 300"
    assert bars(record, "Bottleneck")["motion_search"] == "100 %"
    assert bars(record, "Memory")["source pictures"]


def test_text_names_the_essentials(record: dict[str, Any]) -> None:
    text = report.text_report(record, 100)
    for said in (
        "clip <1>.mp4 on tiny", "3 frames", "640x360, 320x180", "41.23", "0.9877", "30,000", "2,000", "a_180p.mp4",
        "motion_search for 100 %", "of 1080p30 in real time", "B/px", "nJ/px", "12,345", "346 kB",
        "10-bit input: converted to 8 bits", "Approximate:", "took this computer 1.25 s",
    ):  # fmt: skip
        assert said in text, said
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text


def test_html_has_the_definition_of_every_figure(record: dict[str, Any]) -> None:
    page = report.html_report(record)
    assert "clip &lt;1&gt;.mp4 on tiny" in page
    for path in record["metrics"]:
        assert path.removeprefix("cores.*.") in page


def test_shares_of_time_fill_each_bar(record: dict[str, Any]) -> None:
    chapter = next(c for c in report.document(record).chapters if c.title == "Busy, waiting, idle")
    for block in chapter.blocks:
        assert isinstance(block, Bars)
        for row in block.rows:
            assert sum(row.parts) == pytest.approx(1, abs=1e-9), row.label


@pytest.mark.parametrize("missing", ["run", "memory", "energy", "control", "host_link", "metrics", "cores"])
def test_what_is_absent_from_the_record_is_absent_from_the_page(record: dict[str, Any], missing: str) -> None:
    less = {key: value for key, value in record.items() if key != missing}
    assert report.html_report(less)
    assert report.text_report(less)


def test_a_chip_that_did_nothing_has_a_report() -> None:
    config = load_chip("tiny")
    idle = stats.report(config, Fabric(config), {"now_ps": 0})
    text = report.text_report(idle)
    assert "The chip tiny has" in text
    assert "nan" not in text


def test_lossless_is_said_so(record: dict[str, Any]) -> None:
    changed = copy.deepcopy(record)
    changed["run"]["outputs"][0]["quality"] = {"psnr_y_db": None, "ssim_y": 1.0}
    assert "lossless" in report.text_report(changed)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (1.5, "1.50"), (45.67, "45.7"), (123.4, "123"), (1234567, "1,234,567")],
)
def test_numbers(value: float, text: str) -> None:
    assert report.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.0004, "<0.1 %"), (0.004, "0.4 %"), (0.0996, "10 %"), (0.456, "46 %"), (1, "100 %")],
)
def test_percents(share: float, text: str) -> None:
    assert report.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(12_300_000, "12.3 MB"), (999.7, "1.00 kB"), (0.0789, "78.9 mB"), (0, "0 B"), (5e-11, "50.0 pB")],
)
def test_quantities(value: float, text: str) -> None:
    assert report.scaled(value, "B") == text
