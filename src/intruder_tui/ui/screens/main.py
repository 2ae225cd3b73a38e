"""The main screen: one selection, one definition, and the widgets that show them."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.definition import LARGEST_K, Definition, Side
from intruder_tui.engine.protocol import Event, Finished
from intruder_tui.engine.session import PENDING, Session, State
from intruder_tui.ui import subject as subjects
from intruder_tui.ui.badges import Badges
from intruder_tui.ui.look import Look
from intruder_tui.ui.options import UiOptions
from intruder_tui.ui.outline import short_name
from intruder_tui.ui.pace import Pace
from intruder_tui.ui.widgets.footer import FooterLine
from intruder_tui.ui.widgets.header import HeaderLine, HeaderState
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.pane import MatrixPane
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.ui.widgets.tree import LayerTree
from intruder_tui.views.sentence import Strongest, session_sentence

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
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (70, "-medium"),
        (100, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-low"),
        (24, "-short"),
        (30, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter the tree", key_display="/", id="filter"),
        Binding("escape", "clear_filter", "Clear the filter, close the drawer", show=False, id="back"),
        Binding("n", "next_intruder(1)", "Next matrix with intruders", id="next-intruder"),
        Binding("N", "next_intruder(-1)", "Previous matrix with intruders", id="previous-intruder"),
        Binding("left_square_bracket", "eps(-1)", "Lower ε", key_display="[", id="eps-down"),
        Binding("right_square_bracket", "eps(1)", "Raise ε", key_display="]", id="eps-up"),
        Binding("minus", "k(-1)", "Lower k", key_display="-", id="k-down"),
        Binding("plus,equals_sign", "k(1)", "Raise k", key_display="+", id="k-up"),
        Binding("u", "side", "Switch between U and V", id="side"),
        Binding("a", "scan", "Analyse all matrices, or stop", id="scan"),
        Binding("1", "view(0)", "Heatmap", show=False, id="view.heatmap"),
        Binding("2", "view(1)", "Intruders", show=False, id="view.intruders"),
        Binding("3", "view(2)", "Spectrum", show=False, id="view.spectrum"),
        Binding("4", "view(3)", "Update", show=False, id="view.update"),
        Binding("v", "next_view", "Next view", id="next-view"),
        Binding("c", "next_tuned", "Next tuned checkpoint", id="next-tuned"),
        Binding("y", "copy", "Copy the value or row", id="copy"),
        Binding("Y", "copy_table", "Copy the intruder table", id="copy-table"),
        Binding("b", "drawer", "Show or hide the tree", id="tree"),
    ]

    def __init__(self, sessions: list[Session], options: UiOptions, look: Look, log: str) -> None:
        super().__init__()
        self._sessions = sessions
        self._look = look
        self._log = log
        self._at = 0
        self._definition = options.definition
        self._badges = Badges(sessions[0], options.definition, look.glyphs)
        self._names: list[str] = []
        self._words = ""
        self._selected: dict[int, str] = {}
        self._follow_worst = options.select == "worst"
        self._pace = Pace()
        self._resting: Timer | None = None
        self._settling = False
        self._beat: Timer | None = None

    def compose(self) -> ComposeResult:
        """Header, findings, tree beside pane, footer."""
        yield HeaderLine(self._look)
        yield Line(id="findings", ellipsis=self._look.glyphs.ellipsis)
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield LayerTree(self._look)
                yield Input(placeholder="words of a name; Enter keeps, Escape clears", id="filter")
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
        return self.query_one(MatrixPane).view

    def on_mount(self) -> None:
        """Fill the tree, select the first matrix; looking into the cache waits for the first paint."""
        self._beat = self.set_interval(BEAT, self._tick, pause=True)
        self._fill_tree()
        self._open_session()
        self.call_after_refresh(self._prime)

    def _open_session(self) -> None:
        names = self.session.default_names
        first = names[0] if names else next((row.name for row in self.session.pairing.rows), None)
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
        if session is self.session and found:
            self._settle(found)
        self.call_later(self._prime)

    def _fill_tree(self) -> None:
        words = self._words.lower().split()
        rows = self.session.pairing.rows
        self._names = [row.name for row in rows if all(word in row.name.lower() for word in words)]
        self.query_one(LayerTree).fill(self.session, self._names, self._badges)

    def _select(self, name: str) -> None:
        """Make a row the subject of every view, and put the tree's cursor on it."""
        self._selected[self._at] = name
        self.query_one(LayerTree).reveal(name)
        self._tell_subject()

    def _tell_subject(self) -> None:
        name = self.selected
        if name is not None:
            pane = self.query_one(MatrixPane)
            pane.tell(subjects.subject(self.session, name, self._definition), self._log)

    def _tell_totals(self) -> None:
        session, definition, glyphs = self.session, self._definition, self._look.glyphs
        totals = session.totals(definition)
        strongest = None
        if (found := session.strongest(definition)) is not None:
            name, j = found
            summary = session.summary(name)
            assert summary is not None
            side = summary.side(definition.side)
            best = float(side.lower[j]), float(side.upper[j])
            strongest = Strongest(printable(short_name(name)), j, *best)
        pairing = session.pairing
        self.query_one(HeaderLine).tell(
            HeaderState(
                printable(pairing.base.label),
                printable(pairing.tuned.label),
                (self._at + 1, len(self._sessions)),
                definition,
                session.device,
                totals,
                self._pace.left(totals.pending),
            )
        )
        text = Text(session_sentence(totals, strongest, definition, glyphs))
        if session.broken:
            text = Text(
                f"Nothing can be computed: {printable(session.broken, 400)}", self._look.tones.warning
            )
        for note in pairing.notes:
            text.append(f"  {printable(note, 400)}", self._look.tones.muted)
        self.query_one("#findings", Line).show(text)

    # What the engine says ------------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """Apply an engine's event to the session it belongs to; on the interface's thread."""
        if isinstance(event, Finished):
            self._pace.finished(event.seconds)
        for session in self._sessions:
            changed = session.apply(event)
            if session is self.session:
                self._settle(changed)

    def _settle(self, changed: list[str]) -> None:
        """Repaint what changed: rows and the subject now, sums and sentence a little later."""
        self.query_one(LayerTree).changed(changed)
        if self.selected in changed:
            self._tell_subject()
        if self._beat is not None:
            computing = any(self.session.state(name) is State.COMPUTING for name in changed)
            if computing:
                self._beat.resume()
        if not self._settling:
            self._settling = True
            self.set_timer(SETTLE, self._settled)

    def _settled(self) -> None:
        self._settling = False
        self._tell_totals()
        totals = self.session.totals(self._definition)
        if not totals.pending and self._beat is not None:
            self._beat.pause()
        if self._follow_worst and not totals.pending and totals.answered:
            self._follow_worst = False
            worst = self.session.strongest(self._definition)
            if worst is not None:
                self._select(worst[0])

    def _tick(self) -> None:
        """One step of the slow mark on the rows that compute."""
        self._badges.phase = 1 - self._badges.phase
        names = [name for name in self._names if self.session.state(name) is State.COMPUTING]
        self.query_one(LayerTree).changed(names)

    # What the person does ------------------------------------------------------------------------

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
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST, self._rested)

    def _rested(self) -> None:
        name = self.selected
        if name is None or self.session.row(name).kind is not RowKind.MATRIX:
            return
        if self.session.state(name) in (State.IDLE, State.QUEUED):
            self._request(name)

    @on(LayerTree.Chosen)
    def _row_chosen(self, event: LayerTree.Chosen) -> None:
        self._request(event.name)
        if self.has_class("-drawer"):
            self.remove_class("-drawer")
            self.query_one(MatrixPane).target.focus()

    def _request(self, name: str) -> None:
        self.session.request(name)
        self._settle([name])

    def action_next_intruder(self, step: int) -> None:
        """Go to the next matrix that holds intruders, round the end."""
        names = self.session.default_names
        found = [name for name in names if self.session.count(name, self._definition)]
        if not found:
            self.notify("No intruders found yet; a analyses all matrices.", markup=False)
            return
        order = {name: place for place, name in enumerate(row.name for row in self.session.pairing.rows)}
        here = order.get(self.selected or "", -1)
        after = [name for name in found if (order[name] - here) * step > 0]
        name = (after or found)[0 if step > 0 else -1]
        if self._words and name not in self._names:
            self.action_clear_filter()
        self._select(name)

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
        self._badges = Badges(self.session, definition, self._look.glyphs)
        self.query_one(LayerTree).recount(self._badges)
        self._tell_subject()
        self._tell_totals()

    def action_scan(self) -> None:
        """Ask for every matrix; again: take back what has not begun."""
        session = self.session
        waiting = [name for name in session.default_names if session.state(name) in PENDING]
        if waiting:
            session.cancel_all()
        else:
            session.scan()
        self._settle(session.default_names)

    def action_view(self, place: int) -> None:
        """Bring a view to the front."""
        self.query_one(MatrixPane).turn(list(View)[place])

    def action_next_view(self) -> None:
        """Bring the next view to the front."""
        views = list(View)
        self.query_one(MatrixPane).turn(views[(views.index(self.view) + 1) % len(views)])

    def action_next_tuned(self) -> None:
        """Show the next tuned checkpoint; the matrix stays the same where it has it."""
        name = self.selected
        self._at = (self._at + 1) % len(self._sessions)
        if name is not None and any(row.name == name for row in self.session.pairing.rows):
            self._selected[self._at] = name
        self._badges = Badges(self.session, self._definition, self._look.glyphs)
        self._fill_tree()
        self._open_session()

    def action_copy(self) -> None:
        """Copy what the cursor is on."""
        self._copy(self.query_one(MatrixPane).copied())

    def action_copy_table(self) -> None:
        """Copy the intruder table."""
        self._copy(self.query_one(MatrixPane).copied_table())

    def _copy(self, text: str) -> None:
        if not text:
            self.notify("Nothing to copy here.", markup=False)
            return
        self.app.copy_to_clipboard(text)
        first, *more = text.splitlines()
        rest = f" and {len(more)} more lines" if more else ""
        self.notify(
            f"{first}{rest}", title="Sent to the terminal's clipboard (OSC 52)", markup=False, timeout=4
        )

    def action_drawer(self) -> None:
        """Show or hide the tree; on a narrow screen it takes the pane's place."""
        if self.has_class("-narrow"):
            self.toggle_class("-drawer")
            opened = self.has_class("-drawer")
        else:
            self.toggle_class("-closed")
            opened = not self.has_class("-closed")
        target = self.query_one(LayerTree) if opened else self.query_one(MatrixPane).target
        self.call_after_refresh(target.focus)

    def action_filter(self) -> None:
        """Ask for words that names must contain."""
        if self.has_class("-narrow") and not self.has_class("-drawer"):
            self.add_class("-drawer")
        self.remove_class("-closed")
        box = self.query_one("#filter", Input)
        box.add_class("-open")
        box.focus()

    def action_clear_filter(self) -> None:
        """Show all rows again; with no filter, close the drawer."""
        box = self.query_one("#filter", Input)
        if box.has_class("-open") or self._words:
            box.remove_class("-open")
            box.value = ""
            self._filter("")
            self.query_one(LayerTree).focus()
        elif self.has_class("-drawer"):
            self.action_drawer()

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        self._filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_kept(self, event: Input.Submitted) -> None:
        if not event.value.strip():
            event.input.remove_class("-open")
        self.query_one(LayerTree).focus()

    def _filter(self, words: str) -> None:
        if words == self._words:
            return
        self._words = words
        self._fill_tree()
        if self.selected in self._names:
            self.query_one(LayerTree).reveal(self.selected or "")
