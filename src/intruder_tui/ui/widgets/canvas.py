"""Similarity maps as lines of the screen: what stands in them where nothing is known, and their cursor."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from rich.console import Console
from rich.segment import Segment
from rich.text import Text
from textual.filter import LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from intruder_tui.ui.look import Look
from intruder_tui.views.margins import GUTTER
from intruder_tui.views.panels import Panels


class MapCanvas(Widget, can_focus=True):
    """Paints `Panels` and the cursor on them; which ones, and where it stands, is its heirs' matter."""

    def __init__(self, look: Look, *, id: str) -> None:
        super().__init__(id=id)
        self._look = look
        self._cursor = (0, 0)
        self._remark = ""
        self._panels: Panels | None = None

    @property
    def panels(self) -> Panels | None:
        """The maps as they are drawn; None before the first."""
        return self._panels

    @property
    def remark(self) -> str:
        """What stands where nothing is known."""
        return self._remark

    @remark.setter
    def remark(self, words: str) -> None:
        if words != self._remark:
            self._remark = words
            if self._unknown():
                self.refresh()

    def _cell(self, cursor: tuple[int, int]) -> tuple[int, int]:
        assert self._panels is not None
        grid = self._panels.first.grid
        return grid.row_of(cursor[0]), grid.column_of(cursor[1])

    def on_focus(self) -> None:
        """The cursor shows only where keys go."""
        self._repaint_cursor(self._cursor)

    def on_blur(self) -> None:
        """The cursor shows only where keys go."""
        self._repaint_cursor(self._cursor)

    def get_line_filters(self) -> list[LineFilter]:
        """All but what would translate colours that we chose."""
        return self._look.unfiltered(super().get_line_filters())

    def render_line(self, y: int) -> Strip:
        """A line of the maps, or of what stands where nothing is known."""
        own, width, shown = self.rich_style, self.size.width, self._panels
        if shown is None or y >= shown.lines:
            return Strip.blank(width, own)
        words = self._words(y)
        segments = (
            [Segment(words, self._look.tones.muted)]
            if words
            else shown.line(y, self._cell(self._cursor), shown=self.has_focus)
        )
        return Strip(segments).adjust_cell_length(width, own).apply_style(own)

    def _words(self, y: int) -> str:
        """The part of the remark on a line; it stands amid the lines on which nothing is known."""
        shown = self._panels
        if not self._remark or shown is None or not shown.head <= y < shown.head + shown.first.lines:
            return ""
        lines = self._unknown()
        if y - shown.head not in lines:
            return ""
        width = max(20, self.size.width - GUTTER - 2)
        words = _wrapped(self._remark, min(width, 72), self.app.console)
        first = shown.head + lines.start + max(0, (len(lines) - len(words)) // 2)
        if len(words) > len(lines) or y - first not in range(len(words)):
            return ""
        return " " * (GUTTER + 1) + words[y - first]

    def _unknown(self) -> range:
        """The last lines of the maps, on which nothing is known."""
        shown = self._panels
        if shown is None:
            return range(0)
        known = [~np.isnan(painter.grid.values).all(axis=1) for painter in shown.painters]
        last = max((int(np.flatnonzero(rows)[-1]) for rows in known if rows.any()), default=-1)
        first = 0 if last < 0 else shown.first.lines_of(last)[-1] + 1
        return range(first, shown.first.lines)

    def _repaint_cursor(self, old: tuple[int, int]) -> None:
        shown = self._panels
        if shown is None:
            return
        (row, column), (new_row, new_column) = self._cell(old), self._cell(self._cursor)
        lines = {shown.head + line for at in (row, new_row) for line in shown.first.lines_of(at)}
        if column != new_column:
            lines.add(shown.head - 2)
        # A region a line: between the two rows nothing changes.
        bounds = self.size.region
        regions = [Region(0, y, self.size.width, 1).intersection(bounds) for y in sorted(lines)]
        self.refresh(*(region for region in regions if region.area))


@lru_cache(maxsize=4)
def _wrapped(words: str, width: int, console: Console) -> list[str]:
    """Asked for anew by every line."""
    return [line.plain for line in Text(words).wrap(console, width)]
