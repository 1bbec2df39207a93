"""Reports are drawn whole: text fits the terminal, HTML is well formed, self-contained and escaped."""

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from cli import report_html, report_text
from cli.report_view import Bar, Bars, Chapter, Document, KeyFigure, KeyFigures, Table, Words

DOCUMENT = Document(
    "a<b> & c.mp4",
    "3 frames",
    [
        Chapter(
            "Summary",
            [
                Words(["It took 4 ms."]),
                KeyFigures([KeyFigure("8.4", "ms/frame", "encode core")]),
                Bars(
                    ("busy", "idle"),
                    [
                        Bar("fetch", (0.25, 0.75), "25 %", group="encode0"),
                        Bar("entropy", (1.0, 0.0), "100 %", marks=(("median", 0.5), ("99 %", 0.9))),
                    ],
                    full=1.0,
                    tones=("a", "e"),
                ),
                Table(("part", "pJ"), [("motion_search", "12.5")], right=frozenset({1})),
            ],
            note="How to read it.",
        )
    ],
    "the end",
)
VOID = {"meta", "rect", "line", "br"}


class Nesting(HTMLParser):
    """Checks that every element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID or (tag in ("rect", "line") and not self.get_starttag_text().endswith("/>")):  # type: ignore[union-attr]
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag]
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_html_is_well_formed_and_says_everything() -> None:
    page = report_html.render(DOCUMENT)
    parser = Nesting()
    parser.feed(page)
    assert parser.open == []
    said = " ".join(parser.words)
    for text in ("a<b> & c.mp4", "How to read it.", "8.4", "ms/frame", "encode0", "25 %", "motion_search", "the end"):
        assert text in said, text


def test_html_needs_nothing_from_outside() -> None:
    page = report_html.render(DOCUMENT)
    assert not re.search(r"https?:|//|src=|<script|<link|@import|url\(", page)


def test_lengths_of_bars_are_their_shares() -> None:
    page = report_html.render(DOCUMENT)
    assert '<rect x="0.000%" width="25.000%"' in page
    assert '<rect x="25.000%" width="75.000%"' in page
    assert '<line x1="50.000%"' in page


@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_fits_the_terminal_and_says_everything(width: int) -> None:
    out = io.StringIO()
    report_text.render(DOCUMENT, Console(file=out, width=width, force_terminal=False))
    lines = out.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    text = "\n".join(lines)
    for word in ("a<b> & c.mp4", "How to read it.", "8.4", "encode0", "motion_search", "12.5", "the end"):
        assert word in text, word


def test_parts_of_a_bar_add_up_to_its_length() -> None:
    """Three thirds of 10 columns: rounding ends, not lengths, leaves no gap."""
    row = Bar("", (1 / 3, 1 / 3, 1 / 3), "")
    assert sum(report_text._columns(row, 1.0, 10)) == 10


def test_scale_covers_bars_and_marks() -> None:
    chart = Bars(("x",), [Bar("a", (3.0,), ""), Bar("b", (1.0,), "", marks=(("99 %", 7.0),))])
    assert chart.scale == 7.0
    assert Bars(("x",), [Bar("a", (0.0,), "")]).scale == 1.0
