"""Answers: asking for them, taking them in as they come, repainting what they change."""

from __future__ import annotations

from textual import on
from textual.timer import Timer

from intruder_tui.checkpoint.names import printable
from intruder_tui.engine.jobs import Study
from intruder_tui.engine.protocol import Event, Failed, Finished, Stage
from intruder_tui.engine.session import Session
from intruder_tui.findings.ledger import State
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import StudiesAsked
from intruder_tui.ui.options import UiOptions
from intruder_tui.ui.screens.front import Front
from intruder_tui.ui.studying import key, label, matrix, under_way
from intruder_tui.ui.widgets.header import HeaderLine
from intruder_tui.ui.widgets.tabs import View

SETTLE = 0.1
"""Seconds between two repaints of the totals while answers come in."""
BEAT = 1.0
"""Seconds between two steps of the one slow mark."""
CHUNK = 16
"""Rows looked up in the cache between two chances for a key to be heard."""


class Scanning(Front):
    """Requests and events of the sessions."""

    def __init__(self, sessions: list[Session], options: UiOptions, look: Look, log: str) -> None:
        super().__init__(sessions, options, look, log)
        self._follow_worst = options.select == "worst"
        self._computing: set[str] = set()
        self._beat: Timer | None = None
        self._settling = False

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

    def take(self, event: Event) -> None:
        """Apply an engine's event to the session it belongs to; on the interface's thread."""
        match event:
            case Finished(job, _, seconds):
                self._pace.finished(job, seconds)
            case Stage(job, stage):
                self._stopwatch.entered(job if isinstance(job, Study) else job.name, stage)
            case Failed(Study() as study, reason):
                words = f"{label(study)} of {matrix(study)}: {printable(reason, 400)}"
                self.notify(words, title="Failed", severity="error", markup=False)
        for session in self._sessions:
            changed = session.apply(event)
            studied = [study.name for study in session.desk.apply(event)]
            if changed or studied:
                self._pane.changed()
            if session is self.session:
                self._refine(changed)
                self._settle(changed)
                if self.selected in studied:
                    self._tell_subject()
            if studied or (changed and session is not self.session):
                self._settle([])

    def _settle(self, changed: list[str]) -> None:
        """Repaint what changed: rows and the subject now, sums and sentence a little later."""
        session = self.session
        self._side.changed(changed)
        if self.selected in changed:
            self._tell_subject()
        self._computing.difference_update(changed)
        self._computing.update(name for name in changed if session.stage(name))
        if self._beat is not None:
            busy = self._computing or any(session.desk.pending() for session in self._sessions)
            (self._beat.resume if busy else self._beat.pause)()
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
                self._select(worst.name)

    def _tick(self) -> None:
        """One step of the slow mark on the rows that compute, and of the times that are shown."""
        self._badges.phase = 1 - self._badges.phase
        self._side.layer_tree.changed(self._computing)
        self.query_one(HeaderLine).run_down(self._pace.left(), under_way(self._sessions, self._stopwatch))
        if self.selected is not None and self.selected in self._computing:
            self._pane.tell_time(self._subject(self.selected))

    @on(StudiesAsked)
    def _studies_asked(self, event: StudiesAsked) -> None:
        """A view asked for studies, or took them back: everything around it says so at once."""
        self._tell_subject()
        self._settle([])

    def _request(self, name: str) -> None:
        self.session.request(name)
        self._settle([name])

    def _refine(self, changed: list[str]) -> None:
        """The values behind the bounds of the matrix in front are wanted as soon as it has bounds."""
        if self.selected is not None and self.selected in changed:
            self.session.refine(self.selected)

    def action_scan(self) -> None:
        """Ask for every matrix, in Compare of every checkpoint, or go on with a paused scan.

        Where all have been asked for: take back all that is not done, and where all is done say so.
        """
        scope = self._sessions if self.view is View.COMPARE else [self.session]
        states = {one.state(name) for one in scope for name in one.default_names}
        busy = any(one.pending() or one.desk.pending() for one in self._sessions)
        if State.IDLE not in states and busy and not self._paused:
            for one in self._sessions:
                one.cancel_all()
                one.desk.cancel_all()
        else:
            if not states & {State.IDLE, State.FAILED} and not busy:
                self.notify(self._nothing_left(), markup=False)
            self._hold(False)
            for one in sorted(scope, key=lambda one: one is not self.session):
                one.scan()
        self._settle(self.session.default_names)

    def _nothing_left(self) -> str:
        """That all is analysed, and where there may be more to analyse."""
        if len(self._sessions) == 1:
            return "Every matrix is analysed."
        if self.view is View.COMPARE:
            return f"Every matrix of all {len(self._sessions)} checkpoints is analysed."
        name = printable(self.session.pairing.tuned.label, 60)
        other, compare, scan = (self._key(name) for name in ("next-tuned", "view.compare", "scan"))
        return (
            f"Every matrix of {name} is analysed. {other} shows the next checkpoint; "
            f"in Compare ({compare}) {scan} analyses all {len(self._sessions)}."
        )

    def action_pause(self) -> None:
        """Keep back what nobody looks at, or let it go on."""
        if self._paused or any(session.pending() for session in self._sessions):
            self._hold(not self._paused)
        elif study := under_way(self._sessions, self._stopwatch):
            words = f"Only {label(study.study)} of {matrix(study.study)}: what you asked for is not paused"
            self.notify(f"{words}; {key(study.study, self._look)} stops it.", markup=False)
        else:
            words = f"Nothing is being computed; {self._key('scan')} analyses all matrices."
            self.notify(words, markup=False)

    def _hold(self, held: bool) -> None:
        if held == self._paused:
            return
        self._paused = held
        self._pace.forget()
        self.session.hold(held)
        self._tell_totals()
