"""Similarity maps beside each other: the same window of one side, or of both, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment

from intruder_tui.definition import Side
from intruder_tui.views import margins
from intruder_tui.views.extent import Extent
from intruder_tui.views.field import Field, column_marks
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.margins import GUTTER, HEAD
from intruder_tui.views.painter import Painter, fit
from intruder_tui.views.palette import COLOURMAP, ColourMode
from intruder_tui.views.segments import merged

GAP = 3
"""Columns between two maps."""
SPACES = {Side.LEFT: "U, output space", Side.RIGHT: "V, input space"}


@dataclass(frozen=True, eq=False, slots=True)
class Panels:
    """One painter per side, all of one shape; cursors are (row, column) of their grids.

    Attributes:
        sides: which side each map shows.
        painters: what draws them.
        ends: whether a line below the maps holds the lower ends of the outlines.
    """

    sides: tuple[Side, ...]
    painters: tuple[Painter, ...]
    ends: bool

    @property
    def first(self) -> Painter:
        """The painter of the first map; rows, columns and scale are the same in all."""
        return self.painters[0]

    @property
    def head(self) -> int:
        """Lines above the maps; several have titles."""
        return HEAD + (len(self.painters) > 1)

    @property
    def lines(self) -> int:
        """All lines."""
        return self.head + self.first.lines + self.ends

    @property
    def width(self) -> int:
        """All columns."""
        return self.start(len(self.painters) - 1) + self.first.width

    def looks_like(self, other: Panels) -> bool:
        """Whether the lines of both are the same."""
        return (self.sides, self.ends) == (other.sides, other.ends) and all(
            ours.looks_like(theirs) for ours, theirs in zip(self.painters, other.painters, strict=True)
        )

    def start(self, number: int) -> int:
        """The column at which a map begins."""
        return GUTTER + number * (self.first.width + GAP)

    def line(self, y: int, cursor: tuple[int, int], *, shown: bool) -> list[Segment]:
        """A line: heads, gutter and maps; the cursor itself only where it is `shown`."""
        row, column = cursor
        titled = self.head - HEAD
        line = y - self.head
        muted = self.first.tones.muted
        blank = Segment(" " * GUTTER, muted)
        if y < titled:
            width = self.first.width
            titles = [
                [Segment(f"{SPACES[side]:<{width}}"[:width], self.first.tones.strong)] for side in self.sides
            ]
            return self._row([blank], titles)
        if y == titled:
            return self._row(
                [Segment(f"{'tuned':>{GUTTER - 1}} ", muted)],
                [margins.numbers(p, column) for p in self.painters],
            )
        if y == titled + 1:
            return self._row(
                [Segment(f"{'base':>{GUTTER - 1}} ", muted)], [margins.tops(p) for p in self.painters]
            )
        if line < self.first.lines:
            place = cursor if shown else None
            return self._row(
                margins.gutter(self.first, line, row), [p.line(line, place) for p in self.painters]
            )
        return self._row([blank], [margins.bottoms(p) for p in self.painters])

    def _row(self, gutter: list[Segment], maps: Sequence[list[Segment]]) -> list[Segment]:
        segments = [*gutter]
        for number, one in enumerate(maps):
            segments += [Segment(" " * GAP, self.first.tones.muted)] if number else []
            segments += one
        return merged(segments)


def panels(
    fields: Sequence[Field],
    extent: Extent,
    k: int,
    eps: float,
    room: tuple[int, int],
    mode: ColourMode,
    glyphs: Glyphs = UNICODE,
    colourmap: str = COLOURMAP,
) -> Panels:
    """Maps of a window, pooled and scaled so that together they fill `room` (columns, lines)."""
    width = max(1, (room[0] - GUTTER - GAP * (len(fields) - 1)) // len(fields))
    lines = max(1, room[1] - HEAD - (len(fields) > 1) - 1)
    halves = mode.ramp and bool(glyphs.half)
    # Whole lines are worth more than the line that holds the lower ends of the outlines.
    used = lines if extent.span <= lines else lines + 1
    cells = [one.cells(extent, used * 2 if halves else used, width) for one in fields]
    scale = fit(*cells[0].shape, width, used)
    painters = tuple(
        Painter(
            grid,
            column_marks(one, k, eps, grid) if one.similarity is not None or one.whole is not None else (),
            scale,
            mode,
            glyphs,
            colourmap,
            annotated=True,
        )
        for one, grid in zip(fields, cells, strict=True)
    )
    return Panels(tuple(one.side for one in fields), painters, painters[0].lines <= lines)
