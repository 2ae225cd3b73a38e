"""The heatmap on the screen: a window of ranks that zooms and pans, repainted only where it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import CosinesWanted, CursorMoved
from intruder_tui.ui.widgets.canvas import MapCanvas
from intruder_tui.views.extent import Extent, leading
from intruder_tui.views.field import Field
from intruder_tui.views.panels import Panels, panels

BOTH = 70
"""Columns from which two maps stand beside each other."""
AMPLE = 120
"""Columns from which they do so unasked."""


class HeatmapMap(MapCanvas):
    """A window of the similarities of one side of a result, or of both sides beside each other."""

    HELP_NAME = "heatmap"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(0,-1)", "Previous tuned vector", show=False, id="map.left"),
        Binding("right,l", "move(0,1)", "Next tuned vector", show=False, id="map.right"),
        Binding("up,k", "move(-1,0)", "Previous base vector", show=False, id="map.up"),
        Binding("down,j", "move(1,0)", "Next base vector", show=False, id="map.down"),
        Binding("shift+left", "pan(0,-1)", "Half a window left", show=False, id="map.pan-left"),
        Binding("shift+right", "pan(0,1)", "Half a window right", show=False, id="map.pan-right"),
        Binding("shift+up,pageup", "pan(-1,0)", "Half a window up", show=False, id="map.pan-up"),
        Binding("shift+down,pagedown", "pan(1,0)", "Half a window down", show=False, id="map.pan-down"),
        Binding("g,home", "corner(0)", "Top left", show=False, id="map.first"),
        Binding("G,end", "corner(-1)", "Bottom right", show=False, id="map.last"),
        Binding("enter", "next_intruder", "Next intruder column", show=False, id="map.enter"),
        Binding("z", "zoom(-1)", "Zoom in", show=False, id="map.in"),
        Binding("Z", "zoom(1)", "Zoom out", show=False, id="map.out"),
        Binding("w", "whole", "Every vector, pooled by maximum, or k x k again", show=False, id="map.whole"),
        Binding("W", "compute", CosinesWanted.WORDS, show=False, id="map.compute"),
        Binding("U", "both", "U and V beside each other, or one", show=False, id="map.both"),
    ]

    class Arranged(Message):
        """Other sides or cells are shown: what lies around the map follows."""

    class TooNarrow(Message):
        """What was asked for has no room; `words` say how much it takes."""

        def __init__(self, words: str) -> None:
            self.words = words
            super().__init__()

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="map")
        self._fields: Sequence[Field] = ()
        self._k = 1
        self._eps = 0.5
        self._extent: Extent | None = None
        """None: the leading k x k, whatever k is."""
        self._both: bool | None = None
        """None: where there is ample room."""

    # What is shown -------------------------------------------------------------------------------

    def tell(self, fields: Sequence[Field], k: int, eps: float, *, anew: bool) -> None:
        """Show the side in force, the first of `fields`, and where both are wanted the other one too.

        Another k, or another matrix (`anew`), is shown from its leading k x k on; who looks at the whole
        matrix goes on doing so.
        """
        whole, k = self.whole, max(1, k)
        if anew or k != self._k:
            self._extent = None
        self._fields, self._k, self._eps = fields, k, eps
        if whole:
            self._extent = leading(self._count, self._count)
        self._rebuild()

    @property
    def whole(self) -> bool:
        """Whether every vector is shown, asked for by the person and not because k says so."""
        return self._extent == leading(self._count, self._count)

    @property
    def apart(self) -> tuple[range, range] | None:
        """The base and tuned vectors of the window, where it is not the leading k x k."""
        window = self._extent
        if window is None or window == leading(self._k, self._count):
            return None
        return range(window.top, window.top + window.span), range(window.left, window.left + window.span)

    @property
    def cursor(self) -> tuple[int, int]:
        """(base, tuned) under the cursor."""
        return self._cursor

    @cursor.setter
    def cursor(self, place: tuple[int, int]) -> None:
        last = self._count - 1
        base, tuned = (min(max(0, at), last) for at in place)
        if (base, tuned) == self._cursor:
            return
        old, self._cursor = self._cursor, (base, tuned)
        if self._panels is not None and self._panels.first.grid.covers(base, tuned):
            self._repaint_cursor(old)
        else:
            self.extent = self.extent.reaching(base, tuned, self._count)

    @property
    def extent(self) -> Extent:
        """The window."""
        return leading(self._k, self._count) if self._extent is None else self._extent

    @extent.setter
    def extent(self, extent: Extent) -> None:
        self._extent = None if extent == leading(self._k, self._count) else extent
        self._rebuild()

    @property
    def fields(self) -> Sequence[Field]:
        """The sides that are shown, in the order of their maps."""
        if self._panels is None:
            return self._fields[:1]
        by_side = {one.side: one for one in self._fields}
        return [by_side[side] for side in self._panels.sides]

    @property
    def both(self) -> bool:
        """Whether both sides are shown."""
        wanted = self.size.width >= AMPLE if self._both is None else self._both
        return wanted and self.size.width >= BOTH and len(self._fields) > 1

    @property
    def pooled(self) -> bool:
        """Whether a cell stands for several vectors."""
        return self._panels is not None and self._panels.first.grid.pooled

    @property
    def block(self) -> tuple[range, range]:
        """Base and tuned vectors of the cell under the cursor."""
        base, tuned = self._cursor
        if self._panels is None or not self._panels.first.grid.covers(base, tuned):
            return range(base, base + 1), range(tuned, tuned + 1)  # hidden: drawn anew once it is seen
        grid = self._panels.first.grid
        row, column = grid.row_of(base), grid.column_of(tuned)
        return (
            range(int(grid.row_edges[row]), int(grid.row_edges[row + 1])),
            range(int(grid.column_edges[column]), int(grid.column_edges[column + 1])),
        )

    def values(self) -> list[float | None]:
        """The value of the cell under the cursor in each map, None where it is not known."""
        if self._panels is None or not self._panels.first.grid.covers(*self._cursor):
            return [None] * len(self.fields)
        found = [float(painter.grid.values[self._cell(self._cursor)]) for painter in self._panels.painters]
        return [None if np.isnan(value) else value for value in found]

    @property
    def _count(self) -> int:
        return self._fields[0].size if self._fields else 1

    def _rebuild(self) -> None:
        if not self._fields or not self.size.width:
            return
        base, tuned = self._cursor
        self._cursor = min(base, self._count - 1), min(tuned, self._count - 1)
        if self._extent is None and not self.extent.holds(*self._cursor):
            last = self.extent.span - 1
            self._cursor = min(self._cursor[0], last), min(self._cursor[1], last)
        elif self._extent is not None:
            self._extent = self._extent.within(self._count).reaching(*self._cursor, self._count)
        before, self._panels = self._panels, self._drawn(self.extent)
        if before is None or (base, tuned) != self._cursor or not self._panels.looks_like(before):
            self.refresh()

    def _drawn(self, extent: Extent) -> Panels:
        room = self.size.width, self.size.height
        shown = sorted(self._fields, key=lambda one: str(one.side)) if self.both else self._fields[:1]
        look = self._look
        return panels(shown, extent, self._k, self._eps, room, look.mode, look.glyphs, look.colourmap)

    # Keys ----------------------------------------------------------------------------------------

    def action_move(self, down: int, right: int) -> None:
        """Move by one cell; beyond the window's edge the window follows."""
        if self._panels is not None:
            grid = self._panels.first.grid
            row, column = self._cell(self._cursor)
            base = _stepped(grid.row_edges, row, down) if down else self._cursor[0]
            tuned = _stepped(grid.column_edges, column, right) if right else self._cursor[1]
            self._go((base, tuned))

    def action_pan(self, down: int, right: int) -> None:
        """Move window and cursor by half a window."""
        extent = self.extent
        half = max(1, extent.span // 2)
        moved = Extent(extent.top + down * half, extent.left + right * half, extent.span).within(self._count)
        cursor = (self._cursor[0] + moved.top - extent.top, self._cursor[1] + moved.left - extent.left)
        self._show(moved, cursor)

    def action_zoom(self, step: int) -> None:
        """Show twice or half as many vectors around the cursor."""
        self._show(self.extent.zoomed(step, self._cursor, self._k, self._count), self._cursor)

    def action_whole(self) -> None:
        """Show all vectors, or the leading k again."""
        every = leading(self._count, self._count)
        self._show(leading(self._k, self._count) if self.extent == every else every, self._cursor)

    def action_compute(self) -> None:
        """Ask for every cosine, or take that back."""
        self.post_message(CosinesWanted())

    def action_both(self) -> None:
        """Show both sides, or the one in force."""
        if self.size.width < BOTH:
            keys = self._look.keys
            words = f"Both sides need {BOTH} columns and have {self.size.width}: {keys['side']} switches "
            self.post_message(self.TooNarrow(f"{words}between them, {keys['tree']} hides the tree."))
            return
        self._both = not self.both
        self._rebuild()
        self.post_message(self.Arranged())

    def action_corner(self, which: int) -> None:
        """Go to the first cell or the last one: of the leading k x k, in another window of all."""
        if which == 0:
            self._show(Extent(0, 0, self.extent.span), (0, 0))
        else:
            last = (self.extent.span if self._extent is None else self._count) - 1
            self._go((last, last))

    def action_next_intruder(self) -> None:
        """Go to the next column that is an intruder, round the end."""
        found = self._fields[0].intruders(self._k, self._eps) if self._fields else []
        if found:
            last = self.block[1].stop - 1
            self._go((self._cursor[0], next((j for j in found if j > last), found[0])))

    def _show(self, extent: Extent, cursor: tuple[int, int]) -> None:
        last = self._count - 1
        self._cursor = min(max(0, cursor[0]), last), min(max(0, cursor[1]), last)
        if not extent.holds(*self._cursor):
            self._cursor = (
                min(max(extent.top, self._cursor[0]), extent.top + extent.span - 1),
                min(max(extent.left, self._cursor[1]), extent.left + extent.span - 1),
            )
        self.extent = extent
        self.post_message(CursorMoved(self._cursor[1], self._cursor[0]))

    def _go(self, place: tuple[int, int]) -> None:
        self.cursor = place
        self.post_message(CursorMoved(self._cursor[1], self._cursor[0]))

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor there."""
        shown = self._panels
        if shown is None:
            return
        y, width = event.y - shown.head, shown.first.width
        starts = [shown.start(n) for n in range(len(shown.painters))]
        x = next((event.x - start for start in starts if start <= event.x < start + width), -1)
        if x < 0 or not 0 <= y < shown.first.lines:
            return
        rows = [r for r in range(shown.first.grid.shape[0]) if y in shown.first.lines_of(r)]
        column = x // shown.first.scale.width
        self._go((int(shown.first.grid.row_edges[rows[0]]), int(shown.first.grid.column_edges[column])))

    def on_resize(self, event: events.Resize) -> None:
        """Values grow and shrink with the space there is."""
        self._rebuild()
        self.post_message(self.Arranged())


def _stepped(edges: np.ndarray, at: int, step: int) -> int:
    """The first vector of the next cell; beyond the last cell the first vector there, before the first one
    the vector before it."""
    if at + step < 0:
        return int(edges[0]) - 1
    return int(edges[at + step]) if at + step < len(edges) else int(edges[-1])
