"""A report as text for the terminal: the same blocks, bars from block characters."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from cli.report_view import Bar, Bars, Block, Chapter, Document, KeyFigures, Plot, Table, Words

COLOURS = {
    "a": "blue", "b": "yellow", "c": "red", "d": "magenta",
    "e": "bright_black", "f": "green", "g": "cyan", "h": "white",
}  # fmt: skip
# Without colours (a file, a pipe) the shapes still tell the parts apart.
SHAPES = {"a": "█", "b": "▒", "c": "▓", "d": "▚", "e": "░", "f": "▤", "g": "▥", "h": "▧"}
BAR_COLUMNS = 34


def _columns(row: Bar, scale: float, columns: int) -> list[int]:
    """Return the characters of each part: ends are rounded, not lengths, so that the whole has its true length."""
    ends = [round(columns * min(1.0, sum(row.parts[: i + 1]) / scale)) for i in range(len(row.parts))]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def _bar(row: Bar, chart: Bars, columns: int) -> Text:
    text = Text()
    for tone, width in zip(chart.tones, _columns(row, chart.scale, columns), strict=False):
        text.append(SHAPES[tone] * width, style=COLOURS[tone])
    text.append(" " * (columns - len(text)))
    marked = text.plain
    for letter, (_, at) in zip("│┃", row.marks, strict=False):
        place = min(columns - 1, round(columns * at / chart.scale))
        marked = marked[:place] + letter + marked[place + 1 :]
    if marked != text.plain:
        spans = text.spans
        text = Text(marked, spans=spans)
        for place, letter in enumerate(marked):
            if letter in "│┃":
                text.stylize("bold default", place, place + 1)
    return text


def _legend(chart: Bars) -> Text:
    text = Text()
    for tone, name in zip(chart.tones, chart.series, strict=False):
        if not name:
            continue
        text.append(f"{SHAPES[tone]} ", style=COLOURS[tone])
        text.append(f"{name}  ", style="dim")
    for letter, name in zip("│┃", dict.fromkeys(n for row in chart.rows for n, _ in row.marks), strict=False):
        text.append(f"{letter} {name}  ", style="dim")
    return text


def _bars(chart: Bars, width: int) -> list[RenderableType]:
    labels = max((len(row.label) for row in chart.rows), default=0)
    values = max((len(row.text) for row in chart.rows), default=0)
    columns = max(8, min(BAR_COLUMNS, width - labels - values - 8))
    drawn: list[RenderableType] = []
    for group, rows in groupby(chart.rows, key=lambda row: row.group):
        if group:
            drawn.append(Text(group, style="italic"))
        grid = RichTable.grid(padding=(0, 1))
        grid.add_column(no_wrap=True, min_width=labels)
        grid.add_column(no_wrap=True, min_width=columns)
        grid.add_column(justify="right", no_wrap=True, min_width=values)
        for row in rows:
            grid.add_row(row.label, _bar(row, chart, columns), row.text)
        drawn.append(grid)
    legend = _legend(chart)
    return [*drawn, legend] if legend.plain else drawn


def _table(table: Table) -> RichTable:
    shown = RichTable(box=None, pad_edge=False, header_style="dim", show_header=any(table.head))
    for index, name in enumerate(table.head):
        shown.add_column(name, justify="right" if index in table.right else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(str(text)) for text in row))
    return shown


STEPS = " ▁▂▃▄▅▆▇█"


def _line(name: str, points: Sequence[tuple[float, float]], plot: Plot, width: int) -> Text:
    """A line as a row of blocks; a dot as its figures."""
    if len(points) == 1 or plot.log:
        ends = points if len(points) < 3 else (points[0], points[-1])
        return Text(f"{name}: " + ", ".join(f"{x:.3g} {plot.x_label}: {y:.3g} {plot.y_label}" for x, y in ends))
    columns = max(8, min(60, width - 40))
    highest = max(y for _, y in points) or 1.0
    last = max(x for x, _ in points) or 1.0
    heights = [0.0] * columns
    for x, y in points:
        place = min(columns - 1, int(columns * x / last))
        heights[place] = max(heights[place], y)
    drawn = "".join(STEPS[round(8 * height / highest)] for height in heights)
    return Text(f"{drawn}  {name}, at most {highest:.3g} {plot.y_label}")


def _block(block: Block, width: int) -> list[RenderableType]:
    match block:
        case Words():
            return [Text(paragraph) for paragraph in block.paragraphs]
        case KeyFigures():
            grid = RichTable.grid(padding=(0, 1))
            grid.add_column(justify="right")
            for figure in block.figures:
                grid.add_row(Text(figure.value, style="bold"), Text(figure.unit), Text(figure.label, style="dim"))
            return [grid]
        case Bars():
            return _bars(block, width)
        case Table():
            return [_table(block)]
        case Plot():
            return [_line(line.name, line.points, block, width) for line in block.lines]


def _chapter(console: Console, chapter: Chapter) -> None:
    console.print()
    console.print(Text(chapter.title, style="bold"))
    if chapter.note:
        console.print(Padding(Text(chapter.note, style="dim"), (0, 0, 0, 2)))
    for block in chapter.blocks:
        for drawn in _block(block, console.width):
            console.print(Padding(drawn, (0, 0, 0, 2)))


def render(document: Document, console: Console) -> None:
    """Print the document on `console`."""
    console.print(Text(document.title, style="bold"))
    console.print(Text(document.subtitle, style="dim"))
    for chapter in document.chapters:
        if not chapter.detail:
            _chapter(console, chapter)
    if document.footer:
        console.print()
        console.print(Text(document.footer, style="dim"))
