"""What stands around a similarity map: column numbers and the ends of outlines, row numbers on the left."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style

from intruder_tui.definition import Verdict
from intruder_tui.views.painter import Painter
from intruder_tui.views.segments import merged

GUTTER = 7
"""Columns left of the map, for "tuned", "base" and the row numbers."""
HEAD = 2
"""Lines above the map: column numbers, tops of the outlines."""


def numbers(painter: Painter, cursor: int | None = None) -> list[Segment]:
    """The column numbers, over the map; one that has no room beside another is left out."""
    width, edges = painter.scale.width, painter.grid.column_edges
    step = _step(width, len(str(int(edges[-1] - 1))))
    cells: list[tuple[str, Style]] = [(" ", painter.tones.muted)] * painter.width
    shown = [*range(0, len(edges) - 1, step)]
    if cursor is not None and cursor in range(len(edges) - 1):
        shown = [cursor, *(c for c in shown if abs(c - cursor) >= step)]
    taken: set[int] = set()
    for column in shown:
        label = str(int(edges[column]))
        start = column * width + max(0, (width - len(label)) // 2)
        style = painter.tones.cursor if column == cursor else painter.tones.muted
        start = min(start, max(0, painter.width - len(label)))
        if not taken.isdisjoint(range(start - 1, start + len(label) + 1)):
            continue
        taken.update(range(start, start + len(label)))
        for place, sign in enumerate(label, start=start):
            if place < painter.width:
                cells[place] = (sign, style)
    return merged(Segment(sign, style) for sign, style in cells)


def tops(painter: Painter) -> list[Segment]:
    """The upper ends of the outlines of intruder columns, and a mark over undecided ones."""
    return _caps(painter, painter.glyphs.corners[0], painter.glyphs.corners[1], painter.glyphs.down)


def bottoms(painter: Painter) -> list[Segment]:
    """The lower ends of the outlines."""
    return _caps(painter, painter.glyphs.corners[2], painter.glyphs.corners[3], painter.glyphs.up)


def _caps(painter: Painter, left: str, right: str, thin: str) -> list[Segment]:
    width = painter.scale.width
    segments = []
    for mark in painter.marks or [None] * painter.grid.shape[1]:
        if mark is Verdict.INTRUDER:
            cap = left + painter.glyphs.across * (width - 2) + right if width > 1 else thin
            segments.append(Segment(cap, painter.tones.accent))
        elif mark is not None and mark.open:
            segments.append(Segment(painter.glyphs.undecided.center(width), painter.tones.muted))
        else:
            segments.append(Segment(" " * width, painter.tones.muted))
    return merged(segments)


def gutter(painter: Painter, line: int, cursor: int | None = None) -> list[Segment]:
    """The row number left of a map line; rows too thin for one each are numbered in steps."""
    rows = [row for row in painter.rows_on(line) if painter.middle(row) == line]
    if cursor is not None and cursor in rows:
        number: int | None = cursor
    else:
        step = 1 if painter.height > 1 else 10 if painter.grid.shape[0] > 20 else 4
        number = next((r for r in rows if r % step == 0), None)
    if number is None:
        return [Segment(" " * GUTTER, painter.tones.muted)]
    label = str(int(painter.grid.row_edges[number]))
    style = painter.tones.cursor if number == cursor else painter.tones.muted
    pad = Segment(" " * (GUTTER - 1 - len(label)), painter.tones.muted)
    return merged([pad, Segment(label, style), Segment(" ", painter.tones.muted)])


def _step(width: int, digits: int) -> int:
    steps = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    return next((step for step in steps if step * width >= digits + 1), steps[-1])
