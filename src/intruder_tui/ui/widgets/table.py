"""The intruder table on the screen, and where there is room below it the vector its cursor is on."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import DataTable

from intruder_tui.definition import Verdict
from intruder_tui.findings.intruders import IntruderRow, intruder_rows
from intruder_tui.studies.cosines import Cosines
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import CursorMoved
from intruder_tui.ui.subject import Subject
from intruder_tui.ui.widgets.vector import VectorPicture
from intruder_tui.views.intruders import (
    MOST_ROWS,
    Cells,
    Order,
    cells,
    leftward,
    ordered,
    plain_table,
)

PLACES = 100
"""Most rows that wait, empty, for their values."""
PLOT = 26
"""Lines from which a vector's plot stands below the table."""


class IntruderTable(DataTable[Text]):
    """A row for every examined tuned vector; its cursor is the tuned vector the heatmap's cursor is on."""

    HELP_NAME = "table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor_down", "Next row", show=False, id="table.down"),
        Binding("up,k", "cursor_up", "Previous row", show=False, id="table.up"),
        Binding("left,h", "scroll_left", "Scroll left", show=False, id="table.left"),
        Binding("right,l", "scroll_right", "Scroll right", show=False, id="table.right"),
        Binding("g,home", "scroll_top", "First row", show=False, id="table.first"),
        Binding("G,end", "scroll_bottom", "Last row", show=False, id="table.last"),
        Binding("enter", "select_cursor", "One vector against the base's", show=False, id="table.enter"),
        Binding(
            "full_stop", "sort(1)", "Sort by the next column", show=False, key_display=".", id="table.sort"
        ),
        Binding(
            "comma",
            "sort(-1)",
            "Sort by the column before",
            show=False,
            key_display=",",
            id="table.sort-back",
        ),
        Binding("r", "reverse", "Sort the other way round", show=False, id="table.reverse"),
    ]

    class Opened(Message):
        """Enter was pressed on tuned vector `tuned`."""

        def __init__(self, tuned: int) -> None:
            self.tuned = tuned
            super().__init__()

    def __init__(self, look: Look) -> None:
        super().__init__(id="table", cursor_type="row", cursor_foreground_priority="renderable")
        self._look = look
        look.dress(self)
        self._cells = Cells((), (), ())
        self._rows: list[IntruderRow] = []
        self._subject: Subject | None = None
        self._sorted = Order()

    def tell(self, one: Subject) -> None:
        """Show a subject's rows, or as many empty places."""
        self._subject = one
        tuned = self.tuned
        eps, glyphs = one.definition.eps, self._look.glyphs
        if one.result is not None and one.viewable:
            self._rows = ordered(intruder_rows(one.result, one.definition, MOST_ROWS), self._sorted)
            self._cells = cells(self._rows, eps, glyphs, width=self._room, order=self._sorted)
        else:
            self._rows = []
            empty = cells([], eps, glyphs, width=self._room)
            waiting = (
                ("", str(j), *(glyphs.idle for _ in empty.heads[2:])) for j in range(min(one.places, PLACES))
            )
            self._cells = Cells(empty.names, empty.heads, tuple(waiting))
        with self.prevent(DataTable.RowHighlighted):
            self._fill()
            self.point(tuned)

    @property
    def tuned(self) -> int:
        """The tuned vector under the cursor."""
        return self._tuned_at(self.cursor_row)

    def point(self, tuned: int) -> None:
        """Put the cursor on a tuned vector."""
        ranks = [row.j for row in self._rows] or range(self.row_count)
        if tuned in ranks and self.cursor_row != ranks.index(tuned):
            self.move_cursor(row=ranks.index(tuned), animate=False)

    @property
    def order(self) -> Order:
        """What the rows are sorted by."""
        return self._sorted

    @order.setter
    def order(self, order: Order) -> None:
        self._sorted = order
        if self._subject is not None:
            self.tell(self._subject)

    def action_sort(self, step: int) -> None:
        """Sort by the next column that is shown."""
        names = [name for name in self._cells.names if name != "mark"]
        if names:
            at = names.index(self._sorted.column) if self._sorted.column in names else -(step > 0)
            self.order = Order(names[(at + step) % len(names)], self._sorted.descending)

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.order = self._sorted.turned()

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
        rows = ordered(intruder_rows(one.result, one.definition, MOST_ROWS), self._sorted)
        return plain_table(cells(rows, one.definition.eps, self._look.glyphs))

    def _tuned_at(self, row: int) -> int:
        return self._rows[row].j if row < len(self._rows) else row

    def _fill(self) -> None:
        kept = self.cursor_row
        tones = self._look.tones
        self.clear(columns=True)
        for place, head in enumerate(self._cells.heads):
            width = max([len(head), *(len(line[place]) for line in self._cells.rows)])
            style = tones.active if self._cells.names[place] == self._sorted.column else tones.muted
            text = Text(head, style, justify="left" if leftward(head) else "right")
            self.add_column(text, width=width or 1, key=self._cells.names[place])
        for place, line in enumerate(self._cells.rows):
            style = tones.muted if not self._rows else tones.text
            if self._rows and self._rows[place].verdict is Verdict.INTRUDER:
                style = tones.accent
            self.add_row(
                *(
                    Text(cell, style, justify="left" if leftward(head) else "right")
                    for head, cell in zip(self._cells.heads, line, strict=True)
                )
            )
        if self.row_count:
            self.move_cursor(row=min(kept, self.row_count - 1), animate=False)

    def on_resize(self, event: events.Resize) -> None:
        """A narrow table has fewer columns."""
        if self._subject is not None:
            self.tell(self._subject)

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """A click on a head sorts by it; another one turns the order round."""
        event.stop()
        column = event.column_key.value
        if column == self._sorted.column:
            self.action_reverse()
        elif column is not None and column != "mark":
            self.order = Order(column)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Tell which tuned vector is in front."""
        event.stop()
        if self.has_focus:
            self.post_message(CursorMoved(self._tuned_at(event.cursor_row)))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter opens a row that has values."""
        event.stop()
        if self._subject is not None and self._subject.result is not None:
            tuned = self._tuned_at(event.cursor_row)
            self.post_message(CursorMoved(tuned))
            self.post_message(self.Opened(tuned))


class IntruderPage(Vertical):
    """The table, and below it the vector under its cursor where there is room for both."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="intruders")
        self._look = look

    def compose(self) -> ComposeResult:
        """Table above, plot below."""
        yield IntruderTable(self._look)
        yield VectorPicture(self._look, id="preview")

    @property
    def table(self) -> IntruderTable:
        """The table."""
        return self.query_one(IntruderTable)

    def tell(self, one: Subject, tuned: int, whole: Cosines | None) -> None:
        """Show a subject, the cursor on a tuned vector."""
        self.table.tell(one)
        self.table.point(tuned)
        self.plot(one, tuned, whole)

    def plot(self, one: Subject, tuned: int, whole: Cosines | None) -> None:
        """Show a tuned vector below the table."""
        self.query_one(VectorPicture).tell(one, tuned, whole)

    def on_resize(self, event: events.Resize) -> None:
        """The plot comes and goes with the room."""
        self.set_class(event.size.height >= PLOT, "-roomy")
