"""The intruder table: one row for every examined tuned vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from rich.table import Table
from rich.text import Text

from intruder_tui.definition import Definition, Verdict
from intruder_tui.results import MatrixResult, Similarity
from intruder_tui.views import numbers
from intruder_tui.views.floors import floor_of
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones

MOST_ROWS = 500
"""A table of thousands of rows freezes the screen; the JSON export holds them all."""

MIXING = 0.5
"""An intruder with more than this share of its energy near its own rank is marked as perhaps mixed."""
BOUND = "bound"
"""The tier of what is only known to lie in an interval."""
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
        update_share: share of its energy in dW's column (row) space; None where unknown or without meaning.
        window_share: share of its energy within the base vectors of nearly its own rank; None where unknown.
        tier: how best(j) was had: the name of a method that gives values, or "bound".
        participation: how many base vectors it is effectively made of; None where unknown.
        cluster: (how many tied base vectors, its overlap with their span); None where no cluster does better
            than the best single vector.
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
    tier: str
    update_share: float | None = None
    window_share: float | None = None
    participation: float | None = None
    cluster: tuple[int, float] | None = None

    @property
    def mixing(self) -> bool:
        """Whether it may be neighbours mixed among themselves rather than a new direction: an inference."""
        return (
            self.verdict is Verdict.INTRUDER and self.window_share is not None and self.window_share > MIXING
        )

    @property
    def words(self) -> str:
        """The verdict, and the doubt where there is one."""
        return f"{self.verdict.value}, mixing?" if self.mixing else self.verdict.value


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
                tier=result.tier.value if similarity.exact(j) else BOUND,
                **_made_of(similarity, j),
            )
        )
    return rows


class _MadeOf(TypedDict, total=False):
    update_share: float | None
    window_share: float | None
    participation: float | None
    cluster: tuple[int, float] | None


def _made_of(similarity: Similarity, j: int) -> _MadeOf:
    """What lies behind vector j's match; nothing where only bounds are known."""
    traits = similarity.traits
    if traits is None:
        return {}
    share, size = float(traits.update_share[j]), int(traits.cluster_size[j])
    return {
        "update_share": None if math.isnan(share) else share,
        "window_share": float(traits.window_share[j]),
        "participation": float(traits.participation[j]),
        "cluster": (size, float(similarity.overlap[j])) if size > 1 else None,
    }


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
