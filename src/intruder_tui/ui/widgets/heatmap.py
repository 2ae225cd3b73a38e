"""The heatmap on the screen: it scrolls under a fixed head and gutter, and repaints only what changed."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from intruder_tui.results import Floats, Similarity
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import CursorMoved
from intruder_tui.views.glyphs import Glyphs
from intruder_tui.views.grid import Grid, empty, grid
from intruder_tui.views.painter import GUTTER, HEAD, Painter, column_marks, fit
from intruder_tui.views.palette import ColourMode

LABEL_REACH = 6
"""Columns on each side of a moved cursor in which the numbers over the map may change."""


class HeatmapMap(ScrollView, can_focus=True):
    """The leading k x k similarities of one side of a result."""

    HELP_NAME = "heatmap"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(0,-1)", "Previous tuned vector", show=False, id="map.left"),
        Binding("right,l", "move(0,1)", "Next tuned vector", show=False, id="map.right"),
        Binding("up,k", "move(-1,0)", "Previous base vector", show=False, id="map.up"),
        Binding("down,j", "move(1,0)", "Next base vector", show=False, id="map.down"),
        Binding("g,home", "corner(0)", "Top left", show=False, id="map.first"),
        Binding("G,end", "corner(-1)", "Bottom right", show=False, id="map.last"),
        Binding("enter", "next_intruder", "Next intruder column", show=False, id="map.enter"),
        Binding(
            "z", "overview", "Fit a large map to the space, or show every vector", show=False, id="map.fit"
        ),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(id="map")
        self._look = look
        look.dress(self)
        self._k = 1
        self._eps = 0.5
        self._similarity: Similarity | None = None
        self._overview = False
        self._cursor = (0, 0)
        self._painter = self._paint(empty(1))

    # What is shown -------------------------------------------------------------------------------

    def tell(self, similarity: Similarity | None, k: int, eps: float) -> None:
        """Show a result's side, or, where there is none yet, the empty places of k vectors."""
        self._similarity, self._k, self._eps = similarity, max(1, k), eps
        self._rebuild()

    @property
    def cursor(self) -> tuple[int, int]:
        """(base, tuned) under the cursor."""
        return self._cursor

    @cursor.setter
    def cursor(self, place: tuple[int, int]) -> None:
        last = self._shown_k() - 1
        base, tuned = (min(max(0, at), last) for at in place)
        if (base, tuned) == self._cursor:
            return
        old, self._cursor = self._cursor, (base, tuned)
        self._repaint_cursor(old)
        self._scroll_to_cursor()

    @property
    def pooled(self) -> bool:
        """Whether a cell stands for several vectors."""
        return self._painter.grid.pooled

    def _shown_k(self) -> int:
        return int(self._painter.grid.row_edges[-1])

    def _block(self) -> Floats | None:
        return None if self._similarity is None or not len(self._similarity.block) else self._similarity.block

    def _rebuild(self) -> None:
        block = self._block()
        room = max(1, self.size.width - GUTTER), max(1, self.size.height - HEAD - 1)
        k = self._k if block is None else min(self._k, len(block))
        if block is None:
            k = min(k, 4 * room[1])
            cells = empty(k)
        elif self._overview:
            cells = grid(block, k, room[1] * (2 if self._halves() else 1), room[0])
        else:
            cells = grid(block, k)
        self._painter = self._paint(cells, room)
        if self._painter.scale.height == 1:
            # Whole lines are worth more than the line that holds the lower ends of the outlines.
            self._painter = self._paint(cells, (room[0], room[1] + 1))
        ends = self._painter.lines != room[1] + 1
        self._cursor = (min(self._cursor[0], k - 1), min(self._cursor[1], k - 1))
        self.virtual_size = Size(GUTTER + self._painter.width, HEAD + self._painter.lines + ends)
        self.refresh()
        self.call_after_refresh(self._scroll_to_cursor)

    def _halves(self) -> bool:
        return self._look.mode.ramp and bool(self._look.glyphs.half)

    def _paint(self, cells: Grid, room: tuple[int, int] = (1, 1)) -> Painter:
        scale = fit(*cells.shape, *room)
        marks = () if self._similarity is None else column_marks(self._similarity, self._eps, cells)
        glyphs: Glyphs = self._look.glyphs
        return Painter(cells, marks, scale, self._look.mode, glyphs)

    # Keys ----------------------------------------------------------------------------------------

    def action_move(self, down: int, right: int) -> None:
        """Move by one cell of the grid."""
        cells = self._painter.grid
        row, column = cells.row_of(self._cursor[0]), cells.column_of(self._cursor[1])
        row = min(max(0, row + down), cells.shape[0] - 1)
        column = min(max(0, column + right), cells.shape[1] - 1)
        base = int(cells.row_edges[row]) if down else self._cursor[0]
        tuned = int(cells.column_edges[column]) if right else self._cursor[1]
        self._go((base, tuned))

    def action_corner(self, which: int) -> None:
        """Go to the first or the last cell."""
        last = self._shown_k() - 1
        self._go((0, 0) if which == 0 else (last, last))

    def action_next_intruder(self) -> None:
        """Go to the next column that is an intruder, round the end."""
        if self._similarity is None:
            return
        found = [j for j in range(self._shown_k()) if self._similarity.upper[j] < self._eps]
        if found:
            self._go((self._cursor[0], next((j for j in found if j > self._cursor[1]), found[0])))

    def action_overview(self) -> None:
        """Switch between one cell a vector and the whole map pooled by maximum."""
        self._overview = not self._overview
        self._rebuild()
        self._go(self._cursor)

    def _go(self, place: tuple[int, int]) -> None:
        self.cursor = place
        self.post_message(CursorMoved(self._cursor[1], self._cursor[0]))

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor there."""
        painter = self._painter
        x = event.x - GUTTER + self.scroll_offset.x
        y = event.y - HEAD + self.scroll_offset.y
        if event.x < GUTTER or event.y < HEAD or x >= painter.width or y >= painter.lines:
            return
        row = min(2 * y // painter.height, painter.grid.shape[0] - 1)
        column = x // painter.scale.width
        self._go((int(painter.grid.row_edges[row]), int(painter.grid.column_edges[column])))

    # Painting ------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Choose the scale anew."""
        self._rebuild()

    def on_focus(self) -> None:
        """The cursor shows only where keys go."""
        self._repaint_cursor(self._cursor)

    def on_blur(self) -> None:
        """The cursor shows only where keys go."""
        self._repaint_cursor(self._cursor)

    def get_line_filters(self) -> list[LineFilter]:
        """With 256 colours our own choice of them must reach the terminal untranslated."""
        filters = list(super().get_line_filters())
        if self._look.mode is not ColourMode.MANY:
            return filters
        return [one for one in filters if not isinstance(one, ANSIToTruecolor)]

    def render_line(self, y: int) -> Strip:
        """Head lines and gutter stand still; the map scrolls under them."""
        painter, muted, own = self._painter, self._look.tones.muted, self.rich_style
        scroll = self.scroll_offset
        cells = painter.grid
        row, column = cells.row_of(self._cursor[0]), cells.column_of(self._cursor[1])
        if y == 0:
            first = [Segment(f"{'tuned':>{GUTTER - 1}} ", muted)]
            rest = painter.numbers(column)
        elif y == 1:
            first = [Segment(f"{'base':>{GUTTER - 1}} ", muted)]
            rest = painter.tops()
        else:
            line = y - HEAD + scroll.y
            if line < painter.lines:
                first = painter.gutter(line, row)
                rest = painter.line(line, (row, column) if self.has_focus else None)
            elif line == painter.lines:
                first, rest = [Segment(" " * GUTTER)], painter.bottoms()
            else:
                return Strip.blank(self.size.width, own)
        width = max(0, self.size.width - GUTTER)
        body = Strip(rest, painter.width).crop_extend(scroll.x, scroll.x + width, own)
        return Strip([*first, *body], GUTTER + width).apply_style(own)

    def _place(self, cursor: tuple[int, int]) -> Region:
        painter = self._painter
        row, column = painter.grid.row_of(cursor[0]), painter.grid.column_of(cursor[1])
        lines = painter.lines_of(row)
        x = GUTTER + column * painter.scale.width - self.scroll_offset.x
        return Region(x, HEAD + lines[0] - self.scroll_offset.y, painter.scale.width, len(lines))

    def _repaint_cursor(self, old: tuple[int, int]) -> None:
        left, came = self._place(old), self._place(self._cursor)
        regions = {left, came}
        for cursor, cell in ((old, left), (self._cursor, came)):
            if left.y != came.y:
                middle = self._painter.middle(self._painter.grid.row_of(cursor[0]))
                regions.add(Region(0, HEAD + middle - self.scroll_offset.y, GUTTER, 1))
            if left.x != came.x:
                regions.add(Region(cell.x - LABEL_REACH, 0, cell.width + 2 * LABEL_REACH, 1))
        bounds = self.size.region
        visible = [region.intersection(bounds) for region in regions]
        self.refresh(*(region for region in visible if region.area))

    def _scroll_to_cursor(self) -> None:
        cell = self._place(self._cursor)
        width, height = self.size.width - GUTTER, self.size.height - HEAD
        x, y = self.scroll_offset
        left, top = cell.x - GUTTER + x, cell.y - HEAD + y
        goal_x = left if left < x else left + cell.width - width if left + cell.width > x + width else x
        goal_y = top if top < y else top + cell.height - height if top + cell.height > y + height else y
        if (goal_x, goal_y) != (x, y):
            self.scroll_to(goal_x, goal_y, animate=False, immediate=True)
