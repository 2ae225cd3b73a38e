"""The right pane: tabs, the matrix's title, the view in front, and the finding in words."""

from __future__ import annotations

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from intruder_tui.ui import subject as words
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import CursorMoved
from intruder_tui.ui.subject import Subject
from intruder_tui.ui.widgets.heatmap import HeatmapMap
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.pictures import SpectrumView, UpdateView
from intruder_tui.ui.widgets.table import IntruderTable
from intruder_tui.ui.widgets.tabs import View, ViewTabs
from intruder_tui.views.heatmap import legend
from intruder_tui.views.painter import GUTTER

PAGES = {
    View.HEATMAP: "heatmap",
    View.INTRUDERS: "intruders",
    View.SPECTRUM: "spectrum",
    View.UPDATE: "update",
}
TARGETS = {**PAGES, View.HEATMAP: "map"}


class MatrixPane(Vertical):
    """Shows one `Subject` through one `View`; map and table share the tuned vector under the cursor."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="pane")
        self._look = look
        self._subject: Subject | None = None
        self._view = View.HEATMAP
        self._log = ""

    def compose(self) -> ComposeResult:
        """Tabs, title, views, finding."""
        yield ViewTabs(self._look)
        yield Line(id="title", ellipsis=self._look.glyphs.ellipsis)
        with ContentSwitcher(initial="heatmap", id="views"):
            with Vertical(id="heatmap"):
                yield HeatmapMap(self._look)
                yield Line(id="legend", ellipsis=self._look.glyphs.ellipsis)
                yield Line(id="readout", ellipsis=self._look.glyphs.ellipsis)
            yield IntruderTable(self._look)
            yield SpectrumView(self._look)
            yield UpdateView(self._look)
            yield Static(id="notice", markup=False)
        yield Line(id="finding", ellipsis=self._look.glyphs.ellipsis)

    @property
    def view(self) -> View:
        """The view in front."""
        return self._view

    @property
    def target(self) -> Widget:
        """The widget of the view in front that takes keys."""
        return self.query_one(f"#{TARGETS[self._view]}")

    def tell(self, one: Subject, log: str) -> None:
        """Show another subject, or the same one changed."""
        self._subject, self._log = one, log
        self.query_one("#title", Line).show(words.title(one, self._look))
        self.query_one("#finding", Line).show(words.finding(one, self._look))
        if one.viewable:
            self._tell_view(one)
        else:
            self.query_one("#notice", Static).update(words.notice(one, self._look, log))
        self._switch()

    def turn(self, view: View) -> None:
        """Bring another view to the front; keys follow where they were in a view before."""
        focused = self.screen.focused
        had_focus = focused is not None and focused in self.walk_children()
        self._view = view
        self.query_one(ViewTabs).tell(view)
        if self._subject is not None and self._subject.viewable:
            self._tell_view(self._subject)
        self._switch()
        if had_focus and self.target.can_focus:
            self.target.focus(scroll_visible=False)

    def copied(self) -> str:
        """What `y` copies: the table's row, or the words under the view."""
        if self._subject is None:
            return ""
        if self._view is View.INTRUDERS and self._subject.viewable:
            return self.query_one(IntruderTable).plain_row
        if self._view is View.HEATMAP and self._subject.viewable:
            return f"{self._subject.name}\t" + self.query_one("#readout", Line).text.replace("\n", "\t")
        return f"{self._subject.name}\t{self.query_one('#finding', Line).text}"

    def copied_table(self) -> str:
        """What `Y` copies: the whole table."""
        table = self.query_one(IntruderTable)
        if self._subject is not None and self._subject.viewable:
            table.tell(self._subject)
            return table.plain
        return ""

    def on_cursor_moved(self, event: CursorMoved) -> None:
        """One cursor for the map and the table."""
        event.stop()
        heat = self.query_one(HeatmapMap)
        if event.base is None:
            heat.cursor = (heat.cursor[0], event.tuned)
        else:
            self.query_one(IntruderTable).point(event.tuned)
        self._tell_cursor()

    def on_resize(self, event: events.Resize) -> None:
        """The legend takes the width there is."""
        if self._subject is not None:
            self._tell_legend(self._subject)

    def _tell_view(self, one: Subject) -> None:
        match self._view:
            case View.HEATMAP:
                definition = one.definition
                side = None if one.result is None else one.result.side(definition.side)
                self.query_one(HeatmapMap).tell(side, one.places, definition.eps)
                self._tell_legend(one)
                self._tell_cursor()
            case View.INTRUDERS:
                table = self.query_one(IntruderTable)
                table.tell(one)
                table.point(self.query_one(HeatmapMap).cursor[1])
            case View.SPECTRUM:
                self.query_one(SpectrumView).tell(one)
            case View.UPDATE:
                self.query_one(UpdateView).tell(one)

    def _tell_legend(self, one: Subject) -> None:
        if one.result is None:
            self.query_one("#legend", Line).show(Text())
            return
        width = max(20, self.size.width - GUTTER - 2)
        segments = legend(self._look.mode, one.definition.eps, self._look.glyphs, width)
        self.query_one("#legend", Line).show(_text([Segment(" " * GUTTER), *segments]))

    def _tell_cursor(self) -> None:
        if self._subject is not None:
            cursor = self.query_one(HeatmapMap).cursor
            self.query_one("#readout", Line).show(words.read_out(self._subject, cursor, self._look))

    def _switch(self) -> None:
        viewable = self._subject is None or self._subject.viewable
        self.query_one(ContentSwitcher).current = PAGES[self._view] if viewable else "notice"


def _text(segments: list[Segment]) -> Text:
    text = Text(no_wrap=True)
    for segment in segments:
        text.append(segment.text, segment.style)
    return text
