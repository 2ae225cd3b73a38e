"""One similarity map, line by line, as rich segments: columns tuned, rows base, intruder columns outlined.

With a colour ramp a character cell carries two values, one above the other (an upper half block whose
background is the lower value); without one, a sign of growing weight stands for a value. The same lines serve
the screen, a pipe and the exports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from rich.segment import Segment
from rich.style import Style

from intruder_tui.definition import Verdict
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.grid import Grid
from intruder_tui.views.palette import COLOURMAP, ColourMode, Ramp, Tones, ramp, tones
from intruder_tui.views.segments import merged

ROOMY = (6, 6)
"""Columns and half lines of a cell from which its value is written in it."""
TELLING = 0.1
"""Smaller values are not written: their colour says as much."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a value is drawn: `width` columns, `height` half lines (1 or an even number)."""

    width: int
    height: int


def fit(rows: int, columns: int, width: int, lines: int) -> Scale:
    """The largest scale at which rows x columns values fit into `width` columns and `lines` lines.

    Where even the smallest does not fit it is the smallest: the caller scrolls or pools.
    """
    for height, widest in ((16, 20), (12, 15), (10, 13), (8, 10), (6, 9), (4, 7), (2, 5)):
        if rows * height <= 2 * lines and columns * max(2, height // 2) <= width:
            return Scale(min(widest, width // columns), height)
    return Scale(2 if columns * 2 <= width else 1, 1)


@lru_cache(maxsize=4096)
def _pair_style(colours: Ramp, top: int, bottom: int) -> Style:
    if top == bottom:
        return Style(bgcolor=colours.colours[top])
    return Style(color=colours.colours[top], bgcolor=colours.colours[bottom])


@lru_cache(maxsize=256)
def _written(colours: Ramp, level: int) -> Style:
    return Style(color=colours.contrast(level), bgcolor=colours.colours[level])


@dataclass(frozen=True, eq=False)
class Painter:
    """Draws one grid line by line.

    Attributes:
        grid: the values.
        marks: [C] a verdict per column, None for one that is not examined; empty where nothing is known yet.
        scale: size of a value; half lines need a colour ramp, otherwise every value takes whole lines.
        mode: a resolved colour mode.
        colourmap: one of `palette.COLOURMAPS`.
        annotated: the line i = j is drawn, and values are written into cells with room for them.
    """

    grid: Grid
    marks: tuple[Verdict | None, ...]
    scale: Scale
    mode: ColourMode
    glyphs: Glyphs = UNICODE
    colourmap: str = COLOURMAP
    annotated: bool = False

    @cached_property
    def ramp(self) -> Ramp | None:
        """The colour ramp; None where signs stand for values."""
        return ramp(self.mode, self.colourmap) if self.mode.ramp and self.glyphs.half else None

    @cached_property
    def tones(self) -> Tones:
        """Styles beside the ramp."""
        return tones(self.mode)

    @cached_property
    def levels(self) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """Levels of the values, -1 where not known."""
        if self.ramp is not None:
            return self.ramp.levels(self.grid.values)
        count = len(self.glyphs.ramp)
        values = np.nan_to_num(self.grid.values, nan=0.0)
        levels = np.clip((values * count).astype(np.int64), 0, count - 1)
        return np.where(np.isnan(self.grid.values), -1, levels)

    @property
    def height(self) -> int:
        """Half lines a value takes."""
        return self.scale.height if self.ramp is not None else max(2, self.scale.height)

    @property
    def lines(self) -> int:
        """Lines of the map itself."""
        return (self.grid.shape[0] * self.height + 1) // 2

    @property
    def width(self) -> int:
        """Columns of the map itself."""
        return self.grid.shape[1] * self.scale.width

    def looks_like(self, other: Painter) -> bool:
        """Whether both draw the same."""
        ours, theirs = self.grid, other.grid
        return (self.marks, self.scale, self.mode, self.colourmap, self.glyphs) == (
            other.marks,
            other.scale,
            other.mode,
            other.colourmap,
            other.glyphs,
        ) and all(
            np.array_equal(a, b, equal_nan=True)
            for a, b in (
                (ours.values, theirs.values),
                (ours.row_edges, theirs.row_edges),
                (ours.column_edges, theirs.column_edges),
            )
        )

    def lines_of(self, row: int) -> range:
        """The map lines on which a grid row is drawn."""
        return range(row * self.height // 2, ((row + 1) * self.height - 1) // 2 + 1)

    def line(self, line: int, cursor: tuple[int, int] | None = None) -> list[Segment]:
        """One line of the map; `cursor` is (row, column) of the grid.

        Neighbours that look alike are merged into one segment, which is what keeps a frame small.
        """
        rows = self.rows_on(line)
        top = self.levels[rows[0]]
        bottom = self.levels[rows[-1]]
        middle = next((row for row in rows if self.middle(row) == line), None)
        segments: list[Segment] = []
        for column in range(self.grid.shape[1]):
            at_cursor = cursor is not None and cursor[1] == column and cursor[0] in rows
            outlined = bool(self.marks) and self.marks[column] is Verdict.INTRUDER
            if at_cursor and cursor is not None:
                segments.extend(self._cursor_cell(line, cursor, rows, int(top[column]), int(bottom[column])))
            else:
                sign = self._sign(middle, column) if middle is not None and len(rows) == 1 else ""
                segments.extend(
                    self._cell(int(top[column]), int(bottom[column]), outlined, middle is not None, sign)
                )
        return merged(segments)

    def rows_on(self, line: int) -> Sequence[int]:
        """The grid rows that are drawn on a map line, one or two."""
        last = self.grid.shape[0] - 1
        return sorted({min(half // self.height, last) for half in (2 * line, 2 * line + 1)})

    def middle(self, row: int) -> int:
        """The line on which a row's number stands."""
        lines = self.lines_of(row)
        return lines[(len(lines) - 1) // 2]

    def _sign(self, row: int, column: int) -> str:
        """What is written in a cell: its value where there is room, else a stroke where i = j."""
        value, width = float(self.grid.values[row, column]), self.scale.width
        if not self.annotated or np.isnan(value):
            return ""
        if self.ramp is not None and width >= ROOMY[0] and self.height >= ROOMY[1] and value >= TELLING:
            return f"{value:.2f}"
        same = self.grid.row_edges[row] == self.grid.column_edges[column]
        pooled = self.grid.pooled or width < 3
        return self.glyphs.diagonal if same and not pooled else ""

    def _cell(self, top: int, bottom: int, outlined: bool, middle: bool, sign: str = "") -> list[Segment]:
        width = self.scale.width
        if top < 0 and bottom < 0:
            idle = self.glyphs.idle if middle and width > 1 else ""
            return [Segment(idle.center(width), self.tones.muted)]
        if self.ramp is None:
            text, style = self.glyphs.ramp[max(top, bottom)] * width, self.tones.text
            if sign and max(top, bottom) == 0:
                text, style = sign.center(width), self.tones.muted
        else:
            top, bottom = (bottom if top < 0 else top), (top if bottom < 0 else bottom)
            text = (" " if top == bottom else self.glyphs.half) * width
            style = _pair_style(self.ramp, top, bottom)
            if sign:
                text, style = sign.center(width), _written(self.ramp, top)
        if not outlined or width < 2:
            return [Segment(text, style)]
        edge = self.tones.accent
        if self.ramp is not None:
            edge += Style(bgcolor=self.ramp.colours[max(top, bottom)])
        inner = Segment(text[1:-1], style)
        return [Segment(self.glyphs.edges[0], edge), inner, Segment(self.glyphs.edges[1], edge)]

    def _cursor_cell(
        self, line: int, cursor: tuple[int, int], rows: Sequence[int], top: int, bottom: int
    ) -> list[Segment]:
        width, (row, column) = self.scale.width, cursor
        if self.ramp is None or (top < 0 and bottom < 0):
            (cell,) = self._cell(top, bottom, False, True)
            reverse = Style(reverse=True)
            if width < 3:
                return [Segment(cell.text, reverse)]
            # A full block turned round would look like an empty cell.
            return [Segment("[", reverse), Segment(cell.text[1:-1], cell.style), Segment("]", reverse)]
        if len(rows) > 1:
            other = bottom if row == rows[0] else top
            colour = self.tones.cursor.color
            kept = self.ramp.colours[max(other, 0)]
            style = Style(color=colour, bgcolor=kept) if row == rows[0] else Style(color=kept, bgcolor=colour)
            return [Segment(self.glyphs.half * width, style)]
        style = Style(color=self.ramp.contrast(top), bgcolor=self.ramp.colours[top], bold=True)
        taken = self.lines_of(row)
        if width == 1:
            return [Segment("×", style)]
        if len(taken) == 1:
            inner = f"{float(self.grid.values[row, column]):.2f}" if self.annotated and width >= 6 else ""
            return [Segment("[" + inner.center(width - 2) + "]", style)]
        corners, across, (left, right) = self.glyphs.corners, self.glyphs.across, ("│", "│")
        if line == taken[0]:
            text = corners[0] + across * (width - 2) + corners[1]
        elif line == taken[-1]:
            text = corners[2] + across * (width - 2) + corners[3]
        else:
            inner = self._sign(row, column) if line == self.middle(row) and width >= ROOMY[0] else ""
            text = left + inner.center(width - 2) + right
        return [Segment(text, style)]
