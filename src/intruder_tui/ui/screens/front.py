"""What is in front: a session, a selected row, a definition; and telling them to the widgets."""

from __future__ import annotations

from textual.screen import Screen

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.engine.jobs import Work
from intruder_tui.engine.pace import Pace
from intruder_tui.engine.session import Session
from intruder_tui.ui import studying, subject, taking, telling
from intruder_tui.ui.badges import Badges
from intruder_tui.ui.clipboard import Clipboard
from intruder_tui.ui.look import Look
from intruder_tui.ui.options import UiOptions
from intruder_tui.ui.outline import short_name
from intruder_tui.ui.scope import Scope
from intruder_tui.ui.shown import Shown
from intruder_tui.ui.stopwatch import Stopwatch
from intruder_tui.ui.studying import under_way
from intruder_tui.ui.subject import Subject
from intruder_tui.ui.widgets.footer import FooterLine
from intruder_tui.ui.widgets.header import HeaderLine
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.pane import MatrixPane
from intruder_tui.ui.widgets.side import SidePane
from intruder_tui.ui.widgets.tabs import View


class Front(Screen[None]):
    """The state that every view shares; the widgets are composed by `MainScreen`."""

    def __init__(self, sessions: list[Session], options: UiOptions, look: Look, log: str) -> None:
        super().__init__()
        self._sessions = sessions
        self._look = look
        self._log = log
        self._at = 0
        self._definition = options.definition
        self._badges = Badges(sessions[0], options.definition, look.glyphs)
        self._selected: dict[int, str] = {}
        self._pace = Pace()
        self._stopwatch = Stopwatch()
        self._paused = False
        self._marks: set[str] = set()
        self._clipboard = Clipboard()

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

    @property
    def marks(self) -> set[str]:
        """Names of the marked matrices; of no checkpoint in particular."""
        return self._marks

    def shown(self) -> Shown | None:
        """What the pane shows, for a snapshot; None where a pairing has no rows."""
        return taking.gathered(self._pane, self._look)

    @property
    def _side(self) -> SidePane:
        return self.query_one(SidePane)

    @property
    def _pane(self) -> MatrixPane:
        return self.query_one(MatrixPane)

    def _open_session(self) -> None:
        session = self.session
        self._badges = Badges(session, self._definition, self._look.glyphs)
        self._side.tell(self._badges, self.selected)
        first = next(iter(session.default_names or [row.name for row in session.pairing.rows]), None)
        wanted = self.selected or first
        if wanted is not None and not self._side.shows(wanted):
            wanted = self._side.first or wanted  # a filter stays in force, whatever it hides here
        if wanted is not None:
            self._selected[self._at] = wanted
            if self._side.shows(wanted):
                self._side.reveal(wanted)
            self._tell_subject()
        self._tell_totals()

    def _select(self, name: str) -> None:
        """Make a row the subject of every view, and put the tree's cursor on it."""
        self._selected[self._at] = name
        if self._side.reveal(name):
            words = f"The filter hid {printable(short_name(name))}: all rows are shown again."
            self.notify(words, title="Filter cleared", markup=False)
        self._tell_subject()

    def _tell_subject(self) -> None:
        name = self.selected
        if name is None:
            return
        before = self.session.state(name)
        one = self._subject(name)
        self._pane.tell(one, Scope(self._sessions, self._at, self._definition, name), self._log)
        if self.session.state(name) is not before:
            self._side.layer_tree.changed([name])
        self.query_one(FooterLine).stop(studying.stoppable(self._sessions, name))

    def _subject(self, name: str) -> Subject:
        return subject.subject(self.session, name, self._definition, self._stopwatch.seconds(name))

    def _tell_totals(self) -> None:
        position = (self._at + 1, len(self._sessions))
        if not self._paused:
            asked: list[Work] = []
            for one in self._sessions:
                asked += [*one.pending(), *one.desk.pending()]
            self._pace.expect(asked)
        left, study = self._pace.left(), under_way(self._sessions, self._stopwatch)
        header = telling.header_state(
            self.session,
            self._definition,
            position,
            left,
            study,
            paused=self._paused,
            sessions=self._sessions,
        )
        self.query_one(HeaderLine).tell(header)
        findings = telling.findings(self.session, self._definition, self._look)
        self.query_one("#findings", Line).show(findings)

    def _key(self, name: str) -> str:
        """The key in force for the binding of that id."""
        return self._look.keys[name]

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
