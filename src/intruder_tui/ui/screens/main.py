"""The main screen: one selection, one definition, and the widgets that show them."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.definition import LARGEST_K, Definition, Side
from intruder_tui.engine.protocol import Event, Finished
from intruder_tui.engine.session import PENDING, Session, State
from intruder_tui.ui import clipboard, keys, subject, telling
from intruder_tui.ui.badges import Badges
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import Jumped
from intruder_tui.ui.options import UiOptions
from intruder_tui.ui.pace import Pace
from intruder_tui.ui.saving import Shown
from intruder_tui.ui.scope import Scope
from intruder_tui.ui.widgets.footer import FooterLine
from intruder_tui.ui.widgets.header import HeaderLine
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.pane import MatrixPane
from intruder_tui.ui.widgets.side import SidePane
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.ui.widgets.tree import LayerTree

REST = 0.3
"""Seconds the cursor rests on a matrix before it is asked for."""
SETTLE = 0.1
"""Seconds between two repaints of the totals while answers come in."""
BEAT = 1.0
"""Seconds between two steps of the one slow mark."""
EPS_STEP = 0.05
CHUNK = 16
"""Rows looked up in the cache between two chances for a key to be heard."""


class MainScreen(Screen[None]):
    """Tree, views and lines over one of the sessions."""

    AUTO_FOCUS = "#tree"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-medium"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (24, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [*keys.MAIN]

    def __init__(self, sessions: list[Session], options: UiOptions, look: Look, log: str) -> None:
        super().__init__()
        self._sessions = sessions
        self._look = look
        self._log = log
        self._at = 0
        self._definition = options.definition
        self._badges = Badges(sessions[0], options.definition, look.glyphs)
        self._selected: dict[int, str] = {}
        self._follow_worst = options.select == "worst"
        self._pace = Pace()
        self._computing: set[str] = set()
        self._resting: Timer | None = None
        self._beat: Timer | None = None
        self._settling = False

    def compose(self) -> ComposeResult:
        """Header, findings, tree beside pane, footer."""
        yield HeaderLine(self._look)
        yield Line(id="findings", ellipsis=self._look.glyphs.ellipsis)
        with Horizontal(id="body"):
            yield SidePane(self._look)
            yield MatrixPane(self._look)
        yield FooterLine(self._look)

    # What is in front ----------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The session in front."""
        return self._sessions[self._at]

    @property
    def definition(self) -> Definition:
        """Side, k and eps in force."""
        return self._definition

    @property
    def selected(self) -> str | None:
        """The selected row's name."""
        return self._selected.get(self._at)

    @property
    def view(self) -> View:
        """The view in front."""
        return self._pane.view

    def shown(self) -> Shown | None:
        """What the pane shows, for a snapshot; None where a pairing has no rows."""
        return self._pane.shown()

    @property
    def _side(self) -> SidePane:
        return self.query_one(SidePane)

    @property
    def _pane(self) -> MatrixPane:
        return self.query_one(MatrixPane)

    def on_mount(self) -> None:
        """Fill the tree, select the first matrix; looking into the cache waits for the first paint."""
        self._beat = self.set_interval(BEAT, self._tick, pause=True)
        self._open_session()
        self.call_after_refresh(self._prime)

    def _open_session(self) -> None:
        session = self.session
        self._badges = Badges(session, self._definition, self._look.glyphs)
        self._side.tell(session, self._badges)
        first = next(iter(session.default_names or [row.name for row in session.pairing.rows]), None)
        wanted = self.selected or first
        if wanted is not None:
            self._select(wanted)
        self._tell_totals()

    def _prime(self) -> None:
        """Look up a few rows in the cache, then let keys be heard."""
        session = next((s for s in (self.session, *self._sessions) if not s.primed), None)
        if session is None:
            if self._follow_worst:
                self.session.scan()
                self._settle(self.session.default_names)
            return
        found = session.prime(CHUNK)
        if found:
            self._pane.changed()
        if session is self.session and found:
            self._settle(found)
        self.call_later(self._prime)

    def _select(self, name: str) -> None:
        """Make a row the subject of every view, and put the tree's cursor on it."""
        self._selected[self._at] = name
        self._side.reveal(name)
        self._tell_subject()

    def _tell_subject(self) -> None:
        name = self.selected
        if name is None:
            return
        before = self.session.state(name)
        one = subject.subject(self.session, name, self._definition)
        self._pane.tell(one, Scope(self._sessions, self._at, self._definition, name), self._log)
        if self.session.state(name) is not before:
            self._side.layer_tree.changed([name])

    def _tell_totals(self) -> None:
        position = (self._at + 1, len(self._sessions))
        header = telling.header_state(self.session, self._definition, position, self._pace)
        self.query_one(HeaderLine).tell(header)
        findings = telling.findings(self.session, self._definition, self._look)
        self.query_one("#findings", Line).show(findings)

    # What the engine says ------------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """Apply an engine's event to the session it belongs to; on the interface's thread."""
        if isinstance(event, Finished):
            self._pace.finished(event.seconds)
        for session in self._sessions:
            changed = session.apply(event)
            if changed:
                self._pane.changed()
            if session is self.session:
                self._refine(changed)
                self._settle(changed)

    def _settle(self, changed: list[str]) -> None:
        """Repaint what changed: rows and the subject now, sums and sentence a little later."""
        session = self.session
        self._side.layer_tree.changed(changed)
        if self.selected in changed:
            self._tell_subject()
        self._computing.difference_update(changed)
        self._computing.update(name for name in changed if session.state(name) is State.COMPUTING)
        if self._beat is not None:
            (self._beat.resume if self._computing else self._beat.pause)()
        if not self._settling:
            self._settling = True
            self.set_timer(SETTLE, self._settled)

    def _settled(self) -> None:
        self._settling = False
        self._tell_totals()
        totals = self.session.totals(self._definition)
        if self._follow_worst and not totals.pending and totals.answered:
            self._follow_worst = False
            worst = self.session.strongest(self._definition)
            if worst is not None:
                self._select(worst[0])

    def _tick(self) -> None:
        """One step of the slow mark on the rows that compute."""
        self._badges.phase = 1 - self._badges.phase
        self._side.layer_tree.changed(self._computing)

    # What the person does ------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Keys never go to what a narrow screen has hidden."""
        self.call_after_refresh(self._refocus)

    def _refocus(self) -> None:
        if not self.is_mounted or not self.query(LayerTree):
            return  # not composed yet, or being taken down
        if self.focused is None or not self.focused.is_on_screen:
            target = self._side.layer_tree if self._side.display else self._pane.target
            target.focus(scroll_visible=False)

    def on_key(self, event: events.Key) -> None:
        """Whoever presses a key decides what is selected from then on."""
        self._follow_worst = False

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Other keys matter here."""
        self.query_one(FooterLine).tell()

    @on(LayerTree.Highlighted)
    def _row_highlighted(self, event: LayerTree.Highlighted) -> None:
        if event.name != self.selected:
            self._selected[self._at] = event.name
            self._tell_subject()
        self._stop_resting()
        self._resting = self.set_timer(REST, self._rested)

    def _stop_resting(self) -> None:
        if self._resting is not None:
            self._resting.stop()
            self._resting = None

    def _rested(self) -> None:
        name = self.selected
        if name is None or self.session.row(name).kind is not RowKind.MATRIX:
            return
        if self.session.state(name) in (State.IDLE, State.QUEUED):
            self._request(name)
        self._refine([name])

    def _refine(self, changed: list[str]) -> None:
        """The values behind the bounds of the matrix in front are wanted as soon as it has bounds."""
        if self.selected is not None and self.selected in changed:
            self.session.refine(self.selected)

    @on(LayerTree.Chosen)
    def _row_chosen(self, event: LayerTree.Chosen) -> None:
        self._stop_resting()
        self._request(event.name)
        if self.has_class("-drawer"):
            self.action_drawer()

    @on(Jumped)
    def _matrix_chosen(self, event: Jumped) -> None:
        self._stop_resting()
        self._select(event.name)
        self._request(event.name)

    def _request(self, name: str) -> None:
        self.session.request(name)
        self._settle([name])

    def go_to(self, name: str) -> None:
        """Make a row the selected one, and ask for it as if the cursor had come to rest on it."""
        self._select(name)
        self._stop_resting()
        self._resting = self.set_timer(REST, self._rested)

    def action_next_intruder(self, step: int) -> None:
        """Go to the next matrix that holds intruders, round the end."""
        names = self.session.default_names
        found = [name for name in names if self.session.count(name, self._definition)]
        if not found:
            self.notify("No intruders found yet; a analyses all matrices.", markup=False)
            return
        order = {row.name: place for place, row in enumerate(self.session.pairing.rows)}
        here = order.get(self.selected or "", -1)
        after = [name for name in found if (order[name] - here) * step > 0]
        self._select((after or found)[0 if step > 0 else -1])

    def action_eps(self, step: int) -> None:
        """Change eps by a step."""
        eps = round(min(1.0, max(0.0, self._definition.eps + step * EPS_STEP)), 2)
        self._define(replace(self._definition, eps=eps))

    def action_k(self, step: int) -> None:
        """Change k by one."""
        self._define(replace(self._definition, k=min(LARGEST_K, max(1, self._definition.k + step))))

    def action_side(self) -> None:
        """Switch between left and right vectors."""
        other = Side.RIGHT if self._definition.side is Side.LEFT else Side.LEFT
        self._define(replace(self._definition, side=other))

    def _define(self, definition: Definition) -> None:
        if definition == self._definition:
            return
        self._definition = definition
        for session in self._sessions:
            session.definition = definition
        self._badges = Badges(self.session, definition, self._look.glyphs)
        self._side.recount(self._badges)
        self._tell_subject()
        self._tell_totals()

    def action_scan(self) -> None:
        """Ask for every matrix; again: take back what is not done."""
        session = self.session
        states = {session.state(name) for name in session.default_names}
        if State.IDLE not in states and states & PENDING:
            session.cancel_all()
        else:
            session.scan()
        self._settle(session.default_names)

    def action_view(self, place: int) -> None:
        """Bring a view to the front."""
        self._pane.turn(list(View)[place])

    def action_next_view(self) -> None:
        """Bring the next view to the front."""
        views = list(View)
        self._pane.turn(views[(views.index(self.view) + 1) % len(views)])

    def action_measure(self) -> None:
        """Switch what the map or the sweep shows."""
        if not self._pane.measure():
            self.notify("m switches the measure of the map (6) and the part of the sweep (5).", markup=False)

    def action_next_tuned(self) -> None:
        """Show the next tuned checkpoint; the matrix stays the same where it has it."""
        name = self.selected
        self._at = (self._at + 1) % len(self._sessions)
        if name is not None and any(row.name == name for row in self.session.pairing.rows):
            self._selected[self._at] = name
        self._computing.clear()
        self._open_session()

    def action_copy(self) -> None:
        """Copy what the cursor is on."""
        clipboard.send(self.app, self._pane.copied())

    def action_copy_table(self) -> None:
        """Copy the intruder table."""
        clipboard.send(self.app, self._pane.copied_table())

    def action_drawer(self) -> None:
        """Show or hide the tree; on a narrow screen it takes the pane's place."""
        if self.has_class("-narrow"):
            opened = self.toggle_class("-drawer").has_class("-drawer")
        else:
            opened = not self.toggle_class("-closed").has_class("-closed")
        target = self._side.layer_tree if opened else self._pane.target
        self.call_after_refresh(target.focus)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the filter's line a slash is a letter."""
        return action != "filter" or not isinstance(self.focused, Input)

    def action_filter(self) -> None:
        """Ask for words that names must contain."""
        self.remove_class("-closed")
        self.set_class(self.has_class("-narrow"), "-drawer")
        self._side.ask()

    def action_back(self) -> None:
        """Show all rows again; with no filter, close the drawer."""
        if self._side.clear():
            self._side.layer_tree.focus()
        elif self._pane.close_vector():
            return
        elif self.has_class("-drawer"):
            self.action_drawer()
