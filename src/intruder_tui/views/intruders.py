"""The intruder table: one row for every examined tuned vector."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from intruder_tui.definition import Definition, Verdict
from intruder_tui.results import MatrixResult
from intruder_tui.views import numbers
from intruder_tui.views.floors import floor_of
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones

MOST_ROWS = 500
"""A table of thousands of rows freezes the screen; the JSON export holds them all."""


@dataclass(frozen=True, slots=True)
class IntruderRow:
    """What is known of tuned vector j.

    Attributes:
        j: its rank.
        sigma: its singular value in W1.
        lower, upper: bounds of best(j), equal where it is a value.
        match: argbest(j), the base vector it matches best; None where unknown.
        sigma_match: that vector's singular value in W0; None where unknown.
        shift: argbest(j) - j, how far down the base its best match lies; None where unknown.
        verdict: at the definition's eps.
        floor: best(j) of a random direction.
    """

    j: int
    sigma: float
    lower: float
    upper: float
    match: int | None
    sigma_match: float | None
    shift: int | None
    verdict: Verdict
    floor: float


def intruder_rows(result: MatrixResult, definition: Definition, most: int = MOST_ROWS) -> list[IntruderRow]:
    """Rows for j < min(k, stored limit, most), in order of rank."""
    similarity = result.side(definition.side)
    floor = floor_of(result.shape, definition.side)
    rows = []
    for j, verdict in enumerate(similarity.verdicts(definition)[:most]):
        match = int(similarity.index[j]) if similarity.index[j] >= 0 else None
        known = match is not None and match < len(result.sigma_base)
        rows.append(
            IntruderRow(
                j=j,
                sigma=float(result.sigma_tuned[j]),
                lower=float(similarity.lower[j]),
                upper=float(similarity.upper[j]),
                match=match,
                sigma_match=float(result.sigma_base[match]) if match is not None and known else None,
                shift=None if match is None else match - j,
                verdict=verdict,
                floor=floor,
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class Cells:
    """The table as text: heads, and a tuple of cells per row in the same order."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def cells(rows: list[IntruderRow], eps: float, glyphs: Glyphs = UNICODE, *, compact: bool = False) -> Cells:
    """Format the rows; a `compact` table has shorter heads, and no column for the base's singular values."""
    shared = numbers.exponent([row.sigma for row in rows] + [row.sigma_match or 0.0 for row in rows])
    factor = numbers.power(shared, glyphs)
    heads = (
        ("", "j", f"{glyphs.sigma}{factor}", "best |cos|", "base i", "shift", "verdict")
        if compact
        else (
            "",
            "j",
            f"{glyphs.sigma} tuned{factor}",
            "best |cos|",
            "base i",
            f"{glyphs.sigma} base{factor}",
            "shift",
            "verdict",
        )
    )
    sigmas = numbers.column([row.sigma for row in rows], shared)
    known = [row.sigma_match for row in rows if row.sigma_match is not None]
    matched = iter(numbers.column(known, shared))
    out = []
    for row, sigma in zip(rows, sigmas, strict=True):
        base = glyphs.dash if row.sigma_match is None else next(matched)
        out.append(
            (
                mark(row.verdict, glyphs),
                str(row.j),
                sigma,
                numbers.cosine(row.lower, row.upper, eps=eps, glyphs=glyphs),
                glyphs.dash if row.match is None else str(row.match),
                *(() if compact else (base,)),
                glyphs.dash if row.shift is None else f"{row.shift:+d}" if row.shift else "0",
                row.verdict.value,
            )
        )
    return Cells(heads, tuple(out))


def mark(verdict: Verdict, glyphs: Glyphs) -> str:
    """The sign of a verdict."""
    return {
        Verdict.INTRUDER: glyphs.intruder,
        Verdict.MATCHED: glyphs.none,
        Verdict.UNDECIDED: glyphs.undecided,
    }[verdict]


def intruder_table(
    result: MatrixResult,
    definition: Definition,
    *,
    mode: ColourMode = ColourMode.TRUECOLOR,
    glyphs: Glyphs = UNICODE,
    most: int = MOST_ROWS,
) -> Table:
    """The rows as a rich table."""
    rows = intruder_rows(result, definition, most)
    text = cells(rows, definition.eps, glyphs)
    tone = tones(mode)
    table = Table(box=None, padding=(0, 1), header_style=tone.muted, pad_edge=False)
    for head in text.heads:
        table.add_column(Text(head), justify="left" if head in ("", "verdict") else "right", no_wrap=True)
    for row, line in zip(rows, text.rows, strict=True):
        style = tone.accent if row.verdict is Verdict.INTRUDER else tone.text
        table.add_row(*(Text(cell, style) for cell in line))
    return table


def plain_table(text: Cells) -> str:
    """The table as tab-separated lines, for the clipboard."""
    return "\n".join("\t".join(cell.strip() for cell in line) for line in (text.heads, *text.rows))
