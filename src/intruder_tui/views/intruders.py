"""The intruder table: one row for every examined tuned vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.table import Table
from rich.text import Text

from intruder_tui.definition import Definition, Verdict
from intruder_tui.findings.intruders import IntruderRow, intruder_rows
from intruder_tui.results import MatrixResult
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones

MOST_ROWS = 500
"""A table of thousands of rows freezes the screen; the JSON export holds them all."""
GAP = 2
"""Columns between two cells, and around the table's first and last."""
DROPPED = (
    "tier",
    "sigma base",
    "made of",
    "cluster",
    "shift",
    "window",
    "in dW",
    "base i",
    "sigma",
    "mark",
)
"""Columns that a narrow table does without, the least important first."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The table as text: names and heads of its columns, and a tuple of cells per row in the same order."""

    names: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What the rows are sorted by: the name of a column, smallest first unless `descending`."""

    column: str = "j"
    descending: bool = False

    def turned(self) -> Order:
        """The same column the other way round."""
        return replace(self, descending=not self.descending)


_KEYS: dict[str, Callable[[IntruderRow], tuple[float | str, ...] | None]] = {
    "mark": lambda row: (list(Verdict).index(row.verdict),),
    "j": lambda row: (row.j,),
    "sigma": lambda row: (row.sigma,),
    "best": lambda row: (row.upper, row.lower),
    "base i": lambda row: None if row.match is None else (row.match,),
    "sigma base": lambda row: None if row.sigma_match is None else (row.sigma_match,),
    "shift": lambda row: None if row.shift is None else (row.shift,),
    "in dW": lambda row: None if row.update_share is None else (row.update_share,),
    "window": lambda row: None if row.window_share is None else (row.window_share,),
    "made of": lambda row: None if row.participation is None else (row.participation,),
    "cluster": lambda row: None if row.cluster is None else (row.cluster[1],),
    "tier": lambda row: (row.tier,),
    "verdict": lambda row: (list(Verdict).index(row.verdict), row.mixing),
}


def ordered(rows: Sequence[IntruderRow], order: Order) -> list[IntruderRow]:
    """The rows in an order: equal ones by rank, those without a value last in either direction."""
    key = _KEYS[order.column]
    known = [(value, row) for row in rows if (value := key(row)) is not None]
    ranked = sorted(known, key=lambda pair: pair[1].j)
    ranked.sort(key=lambda pair: pair[0], reverse=order.descending)
    return [row for _, row in ranked] + [row for row in rows if key(row) is None]


def cells(
    rows: list[IntruderRow],
    eps: float,
    glyphs: Glyphs = UNICODE,
    *,
    width: int | None = None,
    order: Order | None = None,
) -> Cells:
    """Format the rows, with an arrow at the column of their `order`.

    With a `width` the least important columns are left out until the rest fits. Columns that nothing is known
    for are left out in any case: what a vector is made of comes with its exact value, a cluster only where
    one does better than a single vector.
    """
    shared = numbers.exponent([row.sigma for row in rows] + [row.sigma_match or 0.0 for row in rows])
    factor, dash = numbers.power(shared, glyphs), glyphs.dash
    sigmas = numbers.column([row.sigma for row in rows], shared)
    matched = iter(numbers.column([row.sigma_match for row in rows if row.sigma_match is not None], shared))

    def share(value: float | None) -> str:
        return dash if value is None else numbers.percent(value)

    columns = {
        "mark": ("", [mark(row.verdict, glyphs) for row in rows]),
        "j": ("j", [str(row.j) for row in rows]),
        "sigma": (f"{glyphs.sigma} tuned{factor}", sigmas),
        "best": (
            "best |cos|",
            [numbers.cosine(row.lower, row.upper, eps=eps, glyphs=glyphs) for row in rows],
        ),
        "base i": ("base i", [dash if row.match is None else str(row.match) for row in rows]),
        "sigma base": (
            f"{glyphs.sigma} base{factor}",
            [dash if row.sigma_match is None else next(matched) for row in rows],
        ),
        "shift": (
            "shift",
            [dash if row.shift is None else f"{row.shift:+d}" if row.shift else "0" for row in rows],
        ),
    }
    if any(row.window_share is not None for row in rows):
        columns |= {
            "in dW": ("in dW", [share(row.update_share) for row in rows]),
            "window": ("window", [share(row.window_share) for row in rows]),
            "made of": (
                "made of",
                [dash if row.participation is None else f"{row.participation:.0f}" for row in rows],
            ),
        }
    if any(row.cluster is not None for row in rows):
        columns["cluster"] = ("cluster", [_cluster(row, glyphs) for row in rows])
    columns["tier"] = ("tier", [row.tier for row in rows])
    columns["verdict"] = ("verdict", [row.words for row in rows])
    if order is not None and order.column in columns:
        head, texts = columns[order.column]
        columns[order.column] = (f"{head} {glyphs.down if order.descending else glyphs.up}", texts)
    for name in DROPPED:
        if width is None or _width(columns) <= width:
            break
        columns.pop(name, None)
        if name == "sigma base" and "sigma" in columns:
            # Without it the other singular value needs no further name.
            columns["sigma"] = (columns["sigma"][0].replace(" tuned", ""), sigmas)
    heads = tuple(head for head, _ in columns.values())
    rest = tuple(zip(*(texts for _, texts in columns.values()), strict=True))
    return Cells(tuple(columns), heads, rest)


def _cluster(row: IntruderRow, glyphs: Glyphs) -> str:
    """ "3: 0.98": the overlap with the span of three tied base vectors."""
    return glyphs.dash if row.cluster is None else f"{row.cluster[0]}: {row.cluster[1]:.2f}"


def _width(columns: Mapping[str, tuple[str, list[str]]]) -> int:
    return sum(max(map(len, [head, *texts])) + GAP for head, texts in columns.values())


def mark(verdict: Verdict, glyphs: Glyphs) -> str:
    """The sign of a verdict."""
    return {
        Verdict.INTRUDER: glyphs.intruder,
        Verdict.MATCHED: glyphs.none,
    }.get(verdict, glyphs.undecided)


def intruder_table(
    result: MatrixResult,
    definition: Definition,
    *,
    mode: ColourMode = ColourMode.TRUECOLOR,
    glyphs: Glyphs = UNICODE,
    most: int = MOST_ROWS,
    width: int | None = None,
    order: Order | None = None,
) -> Table:
    """The rows as a rich table; with a `width` the least important columns give way until the rest fits."""
    rows = intruder_rows(result, definition, most)
    if order is not None:
        rows = ordered(rows, order)
    text = cells(rows, definition.eps, glyphs, width=width, order=order)
    tone = tones(mode)
    table = Table(box=None, padding=(0, 1), header_style=tone.muted, pad_edge=False)
    for head in text.heads:
        table.add_column(Text(head), justify="left" if leftward(head) else "right", no_wrap=True)
    for row, line in zip(rows, text.rows, strict=True):
        style = tone.accent if row.verdict is Verdict.INTRUDER else tone.text
        table.add_row(*(Text(cell, style) for cell in line))
    return table


def leftward(head: str) -> bool:
    """Whether a column holds words rather than numbers."""
    return head == "" or head.startswith(("verdict", "tier"))


def plain_table(text: Cells) -> str:
    """The table as tab-separated lines, for the clipboard."""
    return "\n".join("\t".join(cell.strip() for cell in line) for line in (text.heads, *text.rows))
