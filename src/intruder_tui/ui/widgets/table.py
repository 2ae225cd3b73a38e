"""The intruder table on the screen."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable

from intruder_tui.definition import Verdict
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import CursorMoved
from intruder_tui.ui.subject import Subject
from intruder_tui.views.intruders import Cells, IntruderRow, cells, intruder_rows, plain_table

PLACES = 100
"""Most rows that wait, empty, for their values."""


class IntruderTable(DataTable[Text]):
    """A row for every examined tuned vector; its cursor is the tuned vector the heatmap's cursor is on."""

    HELP_NAME = "table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor_down", "Next tuned vector", show=False, id="table.down"),
        Binding("up,k", "cursor_up", "Previous tuned vector", show=False, id="table.up"),
        Binding("left,h", "scroll_left", "Scroll left", show=False, id="table.left"),
        Binding("right,l", "scroll_right", "Scroll right", show=False, id="table.right"),
        Binding("g,home", "scroll_top", "First row", show=False, id="table.first"),
        Binding("G,end", "scroll_bottom", "Last row", show=False, id="table.last"),
        Binding("enter", "select_cursor", "One vector against the base's", show=False, id="table.enter"),
    ]

    class Opened(Message):
        """Enter was pressed on tuned vector `tuned`."""

        def __init__(self, tuned: int) -> None:
            self.tuned = tuned
            super().__init__()

    def __init__(self, look: Look) -> None:
        super().__init__(id="intruders", cursor_type="row", cursor_foreground_priority="renderable")
        self._look = look
        look.dress(self)
        self._cells = Cells((), ())
        self._subject: Subject | None = None

    def tell(self, one: Subject) -> None:
        """Show a subject's rows, or as many empty places."""
        self._subject = one
        rows: list[IntruderRow] = []
        if one.result is not None and one.viewable:
            rows = intruder_rows(one.result, one.definition)
            self._cells = cells(rows, one.definition.eps, self._look.glyphs, width=self._room)
        else:
            empty = cells([], one.definition.eps, self._look.glyphs, width=self._room)
            idle = self._look.glyphs.idle
            waiting = tuple(
                ("", str(j), *(idle for _ in empty.heads[2:])) for j in range(min(one.places, PLACES))
            )
            self._cells = Cells(empty.heads, waiting)
        self._fill(rows)

    def point(self, tuned: int) -> None:
        """Put the cursor on a tuned vector."""
        if self.cursor_row != tuned and tuned < self.row_count:
            self.move_cursor(row=tuned, animate=False)

    @property
    def _room(self) -> int | None:
        return self.scrollable_content_region.width or None

    @property
    def plain_row(self) -> str:
        """The row under the cursor as tab-separated text."""
        if not self._cells.rows:
            return ""
        row = self._cells.rows[min(self.cursor_row, len(self._cells.rows) - 1)]
        return "\t".join(cell.strip() for cell in row)

    @property
    def plain(self) -> str:
        """The whole table as tab-separated text."""
        one = self._subject
        if one is None or one.result is None or not one.viewable:
            return ""
        rows = intruder_rows(one.result, one.definition)
        return plain_table(cells(rows, one.definition.eps, self._look.glyphs))

    def _fill(self, rows: list[IntruderRow]) -> None:
        kept = self.cursor_row
        tones = self._look.tones
        self.clear(columns=True)
        for place, head in enumerate(self._cells.heads):
            width = max([len(head), *(len(line[place]) for line in self._cells.rows)])
            left = head in ("", "verdict")
            self.add_column(Text(head, tones.muted, justify="left" if left else "right"), width=width or 1)
        for place, line in enumerate(self._cells.rows):
            style = tones.muted if not rows else tones.text
            if rows and rows[place].verdict is Verdict.INTRUDER:
                style = tones.accent
            self.add_row(
                *(
                    Text(cell, style, justify="left" if at in (0, len(line) - 1) else "right")
                    for at, cell in enumerate(line)
                )
            )
        if self.row_count:
            self.move_cursor(row=min(kept, self.row_count - 1), animate=False)

    def on_resize(self, event: events.Resize) -> None:
        """A narrow table has fewer columns."""
        if self._subject is not None:
            self.tell(self._subject)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Tell which tuned vector is in front."""
        event.stop()
        if self.has_focus:
            self.post_message(CursorMoved(event.cursor_row))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter opens a row that has values."""
        event.stop()
        if self._subject is not None and self._subject.result is not None:
            self.post_message(CursorMoved(event.cursor_row))
            self.post_message(self.Opened(event.cursor_row))
