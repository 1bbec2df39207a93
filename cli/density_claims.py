"""Published claims as chapters of a report, and as a document of their own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cli.report import number
from cli.report_view import Bar, Bars, Chapter, Document, Table, Words

if TYPE_CHECKING:
    from benchmarks.density.claims import Claim, Figure

Record = Mapping[str, Any]


def write(claims: "Sequence[Claim]", figures: "Mapping[str, Figure]", reports: Sequence[str]) -> None:
    """Write the published claims alone."""
    from cli import density_report

    rows = [asdict(claim) for claim in claims]
    record = {
        "schema": "tasic-density-claims",
        "version": 1,
        "claims": rows,
        "figures": {name: asdict(figure) for name, figure in figures.items()},
    }
    sources = [
        (name, f"{figure.value:g} {figure.unit}", figure.provenance, figure.source) for name, figure in figures.items()
    ]
    parts = [
        *chapters(rows),
        Chapter(
            "Published figures that this rests on",
            [Table(("figure", "value", "provenance", "source"), sources, frozenset((1,)))],
            "A claim that rests on a recalled figure (from a paper, not re-read) is given no verdict.",
            detail=True,
        ),
    ]
    page = Document("The claim, checked", "Published claims recomputed from published figures", parts)
    table: list[list[Any]] = [
        ["claim", "published", "recomputed", "unit", "error", "role", "verdict", "condition", "derivation"]
    ]
    for row, claim in zip(rows, claims, strict=True):
        names = ("name", "published", "recomputed", "unit")
        rest = ("role", "verdict", "condition", "derivation")
        table.append([*(row[name] for name in names), claim.error, *(row[name] for name in rest)])
    density_report.write_page(page, record, table, reports)


def chapters(rows: Sequence[Record]) -> Iterator[Chapter]:
    """The table, the picture and the conditions."""
    table = [
        [
            row["name"], number(row["published"]), number(row["recomputed"]),
            f"{100 * (row['recomputed'] / row['published'] - 1):+.0f} %", row["role"], row["verdict"],
        ]
        for row in rows
    ]  # fmt: skip
    conditions = []
    for row in rows:
        if row["condition"]:
            said = row["verdict"] if row["verdict"].endswith(" if") else f"{row['verdict']},"
            conditions.append(f"{row['name']}: {said} {row['condition']}.")
    bars = []
    for row in rows:
        share = row["recomputed"] / row["published"]
        bars.append(Bar(row["name"], (min(share, 1.2),), row["verdict"], (("as published", 1.0),)))
    yield Chapter(
        "The claim, checked",
        [
            Bars(("share of the published figure that comes out",), bars, 1.2),
            Table(("claim", "published", "ours", "error", "", "verdict"), table, frozenset((1, 2, 3))),
            Words(conditions),
        ],
        "Recomputed from published figures. prediction: from figures independent of the claim; consistency: from the "
        "same table; fitted: the one free parameter, a chip's cost over its host's.",
    )
