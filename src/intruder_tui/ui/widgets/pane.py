"""The right pane: tabs, the matrix's title, the view in front, and the finding in words."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from intruder_tui.engine.desk import Desk
from intruder_tui.studies.answers import StudyKind
from intruder_tui.ui import readout
from intruder_tui.ui import subject as words
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import CosinesWanted, CursorMoved, StudiesAsked
from intruder_tui.ui.scope import Scope
from intruder_tui.ui.subject import Subject
from intruder_tui.ui.widgets.compare import CompareView
from intruder_tui.ui.widgets.heatmap_page import HeatmapPage
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.model_map import MapView
from intruder_tui.ui.widgets.notice import Notice
from intruder_tui.ui.widgets.spectrum import SpectrumView
from intruder_tui.ui.widgets.sweep import SweepPane
from intruder_tui.ui.widgets.table import IntruderPage, IntruderTable
from intruder_tui.ui.widgets.tabs import PAGES, TARGETS, VECTOR, View, ViewTabs
from intruder_tui.ui.widgets.update import UpdateView
from intruder_tui.ui.widgets.vector import VectorView, held
from intruder_tui.views.field import Field

WHOLE: dict[View, type[SweepPane | MapView | CompareView]] = {
    View.SWEEP: SweepPane,
    View.MAP: MapView,
    View.COMPARE: CompareView,
}
"""Views of whole checkpoints: every answer changes them, and they stand whatever the matrix's state."""
LEAST_WAIT = 0.5
"""Seconds between two repaints of a whole checkpoint's view while answers come in."""
SHARE = 8
"""They wait at least this many times as long as the last repaint took."""


class MatrixPane(Vertical):
    """Shows one `Subject` through one `View`; map and table share the tuned vector under the cursor."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="pane")
        self._look = look
        self._subject: Subject | None = None
        self._scope: Scope | None = None
        self._view = View.HEATMAP
        self._vector = False
        self._log = ""
        self._stale = False
        self._cost = 0.0

    def compose(self) -> ComposeResult:
        """Tabs, title, views, finding."""
        yield ViewTabs(self._look)
        yield Line(id="title", ellipsis=self._look.glyphs.ellipsis)
        with ContentSwitcher(initial="heatmap", id="views"):
            yield HeatmapPage(self._look)
            yield IntruderPage(self._look)
            yield SpectrumView(self._look)
            yield UpdateView(self._look)
            yield SweepPane(self._look)
            yield MapView(self._look)
            yield CompareView(self._look)
            yield VectorView(self._look)
            yield Notice()
        yield Line(id="finding", ellipsis=self._look.glyphs.ellipsis)

    @property
    def view(self) -> View:
        """The view in front."""
        return self._view

    @property
    def target(self) -> Widget:
        """The widget of the view in front that takes keys."""
        return self.query_one(Notice) if self._noticed else self.query_one(f"#{TARGETS[self._page]}")

    @property
    def subject(self) -> Subject | None:
        """What is shown."""
        return self._subject

    @property
    def scope(self) -> Scope | None:
        """What lies around it."""
        return self._scope

    @property
    def vector(self) -> int | None:
        """The tuned vector whose plot is in front; None while none is."""
        return self.query_one(VectorView).tuned if self._page == VECTOR else None

    @property
    def fields(self) -> Sequence[Field]:
        """The sides of the map, or the side of the view in front; none where nothing is shown."""
        if self._view is View.HEATMAP:
            return self.query_one(HeatmapPage).map.fields
        return [] if self._subject is None else readout.fields(self._subject, self._desk)[:1]

    @property
    def said(self) -> str:
        """The words under the view, or why there is none."""
        found = self.query_one("#finding", Line).text
        if found or self._subject is None:
            return found
        return " ".join(words.notice(self._subject, self._look, self._log).plain.split())

    @property
    def _page(self) -> str:
        if self._vector and self._view is View.INTRUDERS and self._subject and held(self._subject):
            return VECTOR
        return PAGES[self._view]

    def tell(self, one: Subject, scope: Scope, log: str) -> None:
        """Show another subject, or the same one changed."""
        anew = scope.differs(self._scope)
        self._subject, self._scope, self._log = one, scope, log
        self.query_one("#finding", Line).show(words.finding(one, self._look))
        if self._view in WHOLE and not anew:
            self.changed()
        elif one.viewable or self._view in WHOLE:
            self._tell_view(one)
        if not one.viewable:
            self.query_one(Notice).tell(one.name, words.notice(one, self._look, log))
        self._tell_title(one)
        self._switch()

    def tell_time(self, one: Subject) -> None:
        """The same subject a little later: only its stage's time has changed."""
        self._subject = one
        self.query_one("#finding", Line).show(words.finding(one, self._look))

    def changed(self) -> None:
        """Answers came: a view of whole checkpoints follows a little later, however many come."""
        if self._view in WHOLE and not self._stale:
            self._stale = True
            self.set_timer(max(LEAST_WAIT, SHARE * self._cost), self._catch_up)

    def _catch_up(self) -> None:
        self._stale = False
        if self._view in WHOLE and self._subject is not None:
            self._tell_view(self._subject)

    def redraw(self) -> None:
        """Draw the view in front anew, as things look now; the others follow when they come to the front."""
        if self._subject is not None and (self._subject.viewable or self._view in WHOLE):
            self._tell_view(self._subject)

    def turn(self, view: View) -> None:
        """Bring another view to the front; keys follow where they were in a view before."""
        self._view, self._vector = view, False
        self.query_one(ViewTabs).tell(view)
        self._show_page()

    def measure(self) -> bool:
        """Show the map's next measure, or the sweep's other part; False in other views."""
        match self._view:
            case View.MAP:
                self.query_one(MapView).turn()
            case View.SWEEP:
                self.query_one(SweepPane).turn()
            case _:
                return False
        return True

    def close_vector(self) -> bool:
        """Go back from a vector's plot to the table; False when none is in front."""
        opened = self._page == VECTOR
        self._vector = False
        if opened:
            self._show_page()
        return opened

    def on_intruder_table_opened(self, event: IntruderTable.Opened) -> None:
        """Show one tuned vector against all base vectors."""
        event.stop()
        self._vector = True
        self._show_page()

    def on_vector_view_closed(self, event: VectorView.Closed) -> None:
        """Back to the table."""
        event.stop()
        self.close_vector()

    def _show_page(self) -> None:
        if self._subject is not None and not self._noticed:
            self._tell_view(self._subject)
        if self._subject is not None:
            self._tell_title(self._subject)
        self._switch()

    def _tell_title(self, one: Subject) -> None:
        """The matrix, and in the heatmap which window of it is shown."""
        mapped = self._view is View.HEATMAP and one.viewable
        window = self.query_one(HeatmapPage).window if mapped else ""
        self.query_one("#title", Line).show(words.title(one, self._look, window))

    def on_cursor_moved(self, event: CursorMoved) -> None:
        """One cursor for the map and the table."""
        event.stop()
        heatmap = self.query_one(HeatmapPage)
        if event.base is None:
            heatmap.map.cursor = (heatmap.map.cursor[0], event.tuned)
        if self._view is View.INTRUDERS and self._subject is not None:
            whole = readout.fields(self._subject, self._desk)[0].whole
            self.query_one(IntruderPage).plot(self._subject, event.tuned, whole)
        heatmap.read_out()
        if self._subject is not None:
            self._tell_title(self._subject)

    def _tell_view(self, one: Subject) -> None:
        match self._view:
            case View.HEATMAP:
                self.query_one(HeatmapPage).tell(one, self._desk)
            case View.INTRUDERS:
                self._tell_vectors(one, self.query_one(HeatmapPage).map.cursor[1])
            case View.SPECTRUM:
                self.query_one(SpectrumView).tell(one)
            case View.UPDATE:
                self.query_one(UpdateView).tell(one, self._desk)
            case _:
                self._tell_whole()

    def _tell_vectors(self, one: Subject, tuned: int) -> None:
        (field,) = readout.fields(one, self._desk)[:1]
        self.query_one(IntruderPage).tell(one, tuned, field.whole)
        if self._page == VECTOR:
            remark = readout.remark(one, [field], self._desk, self._look, "vector.compute")
            self.query_one(VectorView).tell(one, tuned, field.whole, remark)

    @property
    def _desk(self) -> Desk | None:
        return None if self._scope is None else self._scope.session.desk

    def on_cosines_wanted(self, event: CosinesWanted) -> None:
        """Ask for every cosine of the sides that are shown; those under way are taken back."""
        event.stop()
        one, desk = self._subject, self._desk
        if one is None or desk is None or not one.viewable or one.result is None:
            return
        sides = [field.side for field in self.fields if field.whole is None]
        running = [side for side in sides if desk.waiting(one.name, StudyKind.COSINES, side)]
        for side in running or sides:
            (desk.cancel if running else desk.request)(one.name, StudyKind.COSINES, side)
        self.post_message(StudiesAsked())

    def _tell_whole(self) -> None:
        if self._scope is None:
            return
        started = monotonic()
        self.query_one(WHOLE[self._view]).tell(self._scope)
        self._cost = monotonic() - started

    @property
    def _noticed(self) -> bool:
        """Whether there is nothing to show, and a notice says why."""
        one = self._subject
        return one is not None and not one.viewable and self._view not in WHOLE

    def _switch(self) -> None:
        """Bring the page to the front; keys follow where they were in another one."""
        switcher = self.query_one(ContentSwitcher)
        page = "notice" if self._noticed else self._page
        if page == switcher.current:
            return
        focused = self.screen.focused
        inside = focused is not None and self in focused.ancestors
        switcher.current = page
        if inside and self.target.can_focus:
            self.target.focus(scroll_visible=False)
