"""A report as one HTML file: no script, no network, own SVG, readable on a phone and on paper.

Bars are SVG with lengths in percent, one small drawing a row, so text keeps its size on a narrow screen.
"""

import math
from collections.abc import Iterator
from html import escape
from itertools import groupby

from cli.report_view import Bar, Bars, Block, Chapter, Document, KeyFigures, Plot, Table, Words

STYLE = """
:root{--ink:#1b2430;--soft:#5d6b7c;--line:#dfe5ec;--paper:#fff;--ground:#f4f6f9;--accent:#1f5fbf;
--a:#2f6fd0;--b:#f0a63a;--c:#d9534f;--d:#8e6fc7;--e:#dde3ea;--f:#3aa17e;--g:#c77a9e;--h:#7b8794;--mark:#1b2430}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9f0;--soft:#9aa8b8;--line:#303a48;--paper:#1a212b;--ground:#12171e;
--accent:#7fb0ff;--a:#5b95ee;--b:#e0a348;--c:#df6b66;--d:#a58ad6;--e:#384453;--f:#4fb894;--g:#d08fb0;--h:#8b98a8;
--mark:#f4f7fb}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Liberation Sans",Arial,sans-serif}
main{max-width:960px;margin:0 auto;padding:28px 16px 40px}
header{margin-bottom:20px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
header p{margin:0;color:var(--soft)}
section{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin:0 0 16px}
h2{font-size:17px;margin:0 0 2px}
.note{color:var(--soft);font-size:13px;margin:0 0 12px;max-width:76ch}
section>p{margin:8px 0;max-width:76ch}
.keys{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:10px;margin:14px 0 4px}
.key{border:1px solid var(--line);border-radius:8px;padding:10px 12px}
.key b{display:block;font-size:24px;line-height:1.15;font-weight:650;font-variant-numeric:tabular-nums}
.key b small{font-size:13px;font-weight:500;color:var(--soft);margin-left:3px}
.key span{font-size:12.5px;color:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:12.5px;color:var(--soft);margin:8px 0}
.legend svg{width:10px;height:10px;margin-right:5px;vertical-align:-1px}
.legend .tick{width:3px;height:12px;vertical-align:-2px}
.bars{display:grid;grid-template-columns:minmax(96px,max-content) 1fr minmax(88px,max-content);gap:5px 12px;
grid-auto-flow:dense;align-items:center;margin:6px 0 12px;font-size:13.5px}
.bars .label{grid-column:1}.bars .bar{grid-column:2}.bars .value{grid-column:3}
.bars .group{grid-column:1/-1;font-weight:600;margin-top:8px}
.bars svg{width:100%;height:16px;display:block;overflow:visible}
.bars .value{text-align:right;font-variant-numeric:tabular-nums;color:var(--soft);white-space:nowrap}
.plot{width:100%;height:auto;display:block;margin:4px 0 10px}
.plot text{font-size:15px;fill:var(--soft)}.axis{color:var(--soft);font-size:12.5px;margin:4px 0 0!important}
.scroll{overflow-x:auto;margin:8px 0}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th{font-weight:600;text-align:left;color:var(--soft);font-size:12.5px}
th,td{padding:5px 14px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th:last-child,td:last-child{padding-right:0}
tr:last-child td{border-bottom:0}
.r{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
footer{color:var(--soft);font-size:12.5px;margin-top:6px}
@media(max-width:560px){main{padding:18px 10px}section{padding:14px}h1{font-size:22px}
.keys{grid-template-columns:1fr 1fr}
.bars{grid-template-columns:minmax(0,1fr) max-content;gap:1px 10px;grid-auto-flow:row}
.bars .value{grid-column:2}.bars .bar{grid-column:1/-1;margin-bottom:7px}}
@media print{:root{--ground:#fff}body{font-size:12px}main{max-width:none;padding:0}section{break-inside:avoid;
border-radius:0;border-width:1px 0 0;padding:10px 0;margin:0}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.scroll{overflow:visible}}
"""

MARK_TONES = ("b", "mark", "d", "f")


def _percent(value: float, scale: float) -> str:
    return f"{max(0.0, min(100.0, 100 * value / scale)):.3f}%"


def _bar(row: Bar, chart: Bars) -> str:
    scale = chart.scale
    drawn = ['<rect width="100%" height="16" rx="3" fill="var(--line)" opacity=".45"/>']
    before = 0.0
    for name, tone, part in zip(chart.series, chart.tones, row.parts, strict=False):
        if part > 0:
            drawn.append(
                f'<rect x="{_percent(before, scale)}" width="{_percent(part, scale)}" height="16" '
                f'fill="var(--{tone})"><title>{escape(name)}</title></rect>'
            )
        before += part
    for tone, (name, at) in zip(MARK_TONES, row.marks, strict=False):
        place = _percent(at, scale)
        drawn.append(
            f'<line x1="{place}" x2="{place}" y1="-2" y2="18" stroke="var(--{tone})" stroke-width="2">'
            f"<title>{escape(name)}</title></line>"
        )
    return f'<svg role="img" aria-label="{escape(row.label)}: {escape(row.text)}">{"".join(drawn)}</svg>'


def _legend(chart: Bars) -> str:
    entries = [
        f'<span><svg><rect width="10" height="10" rx="2" fill="var(--{tone})"/></svg>{escape(name)}</span>'
        for name, tone in zip(chart.series, chart.tones, strict=False)
        if name
    ]
    marks = dict.fromkeys(name for row in chart.rows for name, _ in row.marks)
    entries += [
        f'<span><svg class="tick"><rect width="3" height="12" fill="var(--{tone})"/></svg>{escape(name)}</span>'
        for tone, name in zip(MARK_TONES, marks, strict=False)
    ]
    return f'<div class="legend">{"".join(entries)}</div>' if len(entries) > 1 else ""


def _bars(chart: Bars) -> Iterator[str]:
    yield _legend(chart)
    yield '<div class="bars">'
    for group, rows in groupby(chart.rows, key=lambda row: row.group):
        if group:
            yield f'<div class="group">{escape(group)}</div>'
        for row in rows:
            yield f'<span class="label">{escape(row.label)}</span><span class="value">{escape(row.text)}</span>'
            yield f'<span class="bar">{_bar(row, chart)}</span>'
    yield "</div>"


def _table(table: Table) -> Iterator[str]:
    def cells(tag: str, row: object) -> str:
        texts = [str(text) for text in row]  # type: ignore[attr-defined]
        return "".join(
            f"<{tag}{' class=r' if i in table.right else ''}>{escape(text)}</{tag}>" for i, text in enumerate(texts)
        )

    yield '<div class="scroll"><table>'
    yield f"<thead><tr>{cells('th', table.head)}</tr></thead><tbody>" if any(table.head) else "<tbody>"
    for row in table.rows:
        yield f"<tr>{cells('td', row)}</tr>"
    yield "</tbody></table></div>"


PLOT_WIDTH, PLOT_HEIGHT = 600, 280
LEFT, BOTTOM, TOP, RIGHT = 78, 40, 10, 12  # margins


def _plot(plot: Plot) -> Iterator[str]:
    """One drawing that scales with the page; its letters are large enough for a phone."""
    xs = [x for line in plot.lines for x, _ in line.points] + [x for x, _ in plot.x_ticks]
    ys = [y for line in plot.lines for _, y in line.points] + [y for y, _ in plot.y_ticks]
    if plot.log:
        low_x, low_y = min(x for x in xs if x > 0), min(y for y in ys if y > 0)
    else:
        low_x = low_y = 0.0
    high_x, high_y = max(xs) or 1.0, max(ys) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = _part(x, low_x, high_x, plot.log), _part(y, low_y, high_y, plot.log)
        wide, high = PLOT_WIDTH - LEFT - RIGHT, PLOT_HEIGHT - TOP - BOTTOM
        return LEFT + across * wide, TOP + (1 - up) * high

    drawn = [
        f'<line x1="{LEFT}" x2="{PLOT_WIDTH - RIGHT}" y1="{PLOT_HEIGHT - BOTTOM}" y2="{PLOT_HEIGHT - BOTTOM}" '
        'stroke="var(--soft)"/>'
    ]
    for x, text in plot.x_ticks:
        place, _ = at(x, low_y)
        drawn.append(
            f'<text x="{place:.1f}" y="{PLOT_HEIGHT - BOTTOM + 17}" text-anchor="middle">{escape(text)}</text>'
        )
    for y, text in plot.y_ticks:
        _, place = at(low_x, y)
        drawn.append(
            f'<line x1="{LEFT}" x2="{PLOT_WIDTH - RIGHT}" y1="{place:.1f}" y2="{place:.1f}" stroke="var(--line)"/>'
            f'<text x="{LEFT - 6}" y="{place + 5:.1f}" text-anchor="end">{escape(text)}</text>'
        )
    for line in plot.lines:
        places = [at(x, y) for x, y in line.points if not plot.log or (x > 0 and y > 0)]
        if len(places) == 1:
            ((x, y),) = places
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="var(--{line.tone})"/>')
        else:
            joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            drawn.append(f'<polyline points="{joined}" fill="none" stroke="var(--{line.tone})" stroke-width="2"/>')
    middle = (LEFT + PLOT_WIDTH - RIGHT) / 2
    drawn.append(f'<text x="{middle}" y="{PLOT_HEIGHT - 6}" text-anchor="middle">{escape(plot.x_label)}</text>')
    legend = "".join(
        f'<span><svg><rect width="10" height="10" rx="2" fill="var(--{line.tone})"/></svg>{escape(line.name)}</span>'
        for line in plot.lines
        if line.name
    )
    yield f'<div class="legend">{legend}</div><p class="axis">{escape(plot.y_label)}</p>'
    label = f"{plot.y_label} over {plot.x_label}"
    yield (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}">'
        f"{''.join(drawn)}</svg>"
    )


def _part(value: float, low: float, high: float, log: bool) -> float:
    """Where a value stands between the ends of its axis, 0..1."""
    if log:
        return (math.log(max(value, low)) - math.log(low)) / max(1e-9, math.log(high) - math.log(low))
    return (value - low) / max(1e-12, high - low)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Words():
            yield from (f"<p>{escape(text)}</p>" for text in block.paragraphs)
        case KeyFigures():
            yield '<div class="keys">'
            for figure in block.figures:
                unit = f"<small>{escape(figure.unit)}</small>" if figure.unit else ""
                yield f'<div class="key"><b>{escape(figure.value)}{unit}</b><span>{escape(figure.label)}</span></div>'
            yield "</div>"
        case Bars():
            yield from _bars(block)
        case Table():
            yield from _table(block)
        case Plot():
            yield from _plot(block)


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"<section><h2>{escape(chapter.title)}</h2>"
    if chapter.note:
        yield f'<p class="note">{escape(chapter.note)}</p>'
    for block in chapter.blocks:
        yield from _block(block)
    yield "</section>"


def render(document: Document) -> str:
    """Return the whole page."""
    body = "\n".join(part for chapter in document.chapters for part in _chapter(chapter) if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{STYLE}</style></head>\n<body><main>\n"
        f"<header><h1>{escape(document.title)}</h1><p>{escape(document.subtitle)}</p></header>\n"
        f"{body}\n<footer>{escape(document.footer)}</footer>\n</main></body></html>\n"
    )
