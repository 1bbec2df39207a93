"""What a report shows, whichever way it is drawn: blocks of words, key figures, bars and tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """Paragraphs of plain text."""

    paragraphs: Sequence[str]


@dataclass(frozen=True)
class KeyFigure:
    """One figure that is looked at first."""

    value: str
    unit: str
    label: str


@dataclass(frozen=True)
class KeyFigures:
    figures: Sequence[KeyFigure]


@dataclass(frozen=True)
class Bar:
    """One row: `parts` are lengths in the order of the chart's series, `text` stands beside them.

    `marks` are single positions with names (a median, a percentile), on the same scale. A row may carry a `group`,
    which is shown once above the rows that share it.
    """

    label: str
    parts: Sequence[float]
    text: str
    marks: Sequence[tuple[str, float]] = ()
    group: str = ""


@dataclass(frozen=True)
class Bars:
    """Horizontal bars on one scale from 0 to `full` (0: the longest bar or mark). Colours follow `tones`."""

    series: Sequence[str]
    rows: Sequence[Bar]
    full: float = 0.0
    tones: Sequence[str] = field(default=("a", "b", "c", "d", "e", "f", "g", "h"))

    @property
    def scale(self) -> float:
        """Value at the right end."""
        ends = [max(sum(row.parts), *(at for _, at in row.marks), 0.0) for row in self.rows]
        return self.full or max(ends, default=0.0) or 1.0


@dataclass(frozen=True)
class Table:
    """Rows of text under headings; columns in `right` are numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Line:
    """Points joined by a line; a single point is drawn as a dot."""

    name: str
    points: Sequence[tuple[float, float]]
    tone: str = "a"


@dataclass(frozen=True)
class Plot:
    """Lines over two axes. `log`: both axes by powers of ten; else both begin at 0. `ticks` write values of an axis."""

    x_label: str
    y_label: str
    lines: Sequence[Line]
    log: bool = False
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()


Block = Words | KeyFigures | Bars | Table | Plot


@dataclass(frozen=True)
class Chapter:
    """One heading with what stands under it; `note` says how to read it. `detail`: not on the terminal."""

    title: str
    blocks: Sequence[Block]
    note: str = ""
    detail: bool = False


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    chapters: Sequence[Chapter]
    footer: str = ""
