"""Moving: from matrix to matrix, from checkpoint to checkpoint, between the tree and the pane; marks."""

from __future__ import annotations

from textual import events, on
from textual.timer import Timer
from textual.widgets import Input

from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.engine.session import Session
from intruder_tui.findings.ledger import State
from intruder_tui.ui import telling
from intruder_tui.ui.history import History
from intruder_tui.ui.look import Look
from intruder_tui.ui.marks import marked, plain
from intruder_tui.ui.messages import Jumped
from intruder_tui.ui.options import UiOptions
from intruder_tui.ui.ranking import Order
from intruder_tui.ui.screens.scanning import Scanning
from intruder_tui.ui.widgets.footer import FooterLine
from intruder_tui.ui.widgets.side import SidePane
from intruder_tui.ui.widgets.tree import LayerTree

REST = 0.3
"""Seconds the cursor rests on a matrix before it is asked for."""


class Navigation(Scanning):
    """Which matrix is selected, and where the keys go."""

    def __init__(self, sessions: list[Session], options: UiOptions, look: Look, log: str) -> None:
        super().__init__(sessions, options, look, log)
        self._resting: Timer | None = None
        self._history = History()

    def on_key(self, event: events.Key) -> None:
        """Whoever presses a key decides what is selected from then on."""
        self._follow_worst = False

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
        self._history.visit(name)
        if self.session.state(name) in (State.IDLE, State.QUEUED):
            self._request(name)
        self._refine([name])

    @on(LayerTree.Chosen)
    def _row_chosen(self, event: LayerTree.Chosen) -> None:
        self._stop_resting()
        self._request(event.name)
        if self.has_class("-drawer"):
            self.action_drawer()

    @on(Jumped)
    def _matrix_chosen(self, event: Jumped) -> None:
        self._leap(event.name)
        self._stop_resting()
        self._request(event.name)

    def go_to(self, name: str) -> None:
        """Make a row the selected one, and ask for it as if the cursor had come to rest on it."""
        self._leap(name)

    def _leap(self, name: str) -> None:
        """Go somewhere at once: where one was and where one goes are both visits."""
        if self.selected is not None:
            self._history.visit(self.selected)
        self._history.visit(name)
        self._rest_on(name)

    def _rest_on(self, name: str) -> None:
        self._select(name)
        self._stop_resting()
        self._resting = self.set_timer(REST, self._rested)

    def action_visited(self, step: int) -> None:
        """Go back to the matrix before this one, or forward again."""
        here = self.selected
        if here is not None:
            self._history.visit(here)
        known = {row.name for row in self.session.pairing.rows}
        while (name := self._history.step(step)) is not None:
            if name in known and name != here:
                self._rest_on(name)
                return
        self.notify(f"No matrix was visited {'before' if step < 0 else 'after'} this one.", markup=False)

    def action_next_intruder(self, step: int) -> None:
        """Go to the next matrix that holds intruders, round the end."""
        names = self.session.default_names
        found = [name for name in names if self.session.count(name, self._definition)]
        if found:
            self._next_of(found, step)
        else:
            self.notify(telling.no_intruder(self.session, self._definition, self._look), markup=False)

    def _next_of(self, found: list[str], step: int) -> None:
        """Go to the next of these rows in the model's order, round the end; among those the filter leaves."""
        found = [name for name in found if self._side.shows(name)] or found
        order = {row.name: place for place, row in enumerate(self.session.pairing.rows)}
        here = order.get(self.selected or "", -1)
        after = [name for name in found if (order[name] - here) * step > 0]
        self._leap((after or found)[0 if step > 0 else -1])

    def action_mark(self) -> None:
        """Mark the selected row, or take its mark off."""
        tree = self._side.layer_tree
        name = tree.row if tree.has_focus else self.selected
        if name is None:
            self.notify("The cursor is on no matrix: nothing is marked.", markup=False)
            return
        self._marks.symmetric_difference_update({name})
        self._side.marked(name)

    def action_next_marked(self, step: int) -> None:
        """Go to the next marked row, round the end."""
        found = marked(self.session, self._marks)
        if found:
            self._next_of(found, step)
        else:
            self.notify(self._nothing_marked, markup=False)

    def action_copy_marked(self) -> None:
        """Copy the marked rows with what is known of them."""
        text = plain(self.session, self._marks, self._definition, self._look.glyphs)
        self._clipboard.send(self.app, text, self._nothing_marked)

    @property
    def _nothing_marked(self) -> str:
        return f"Nothing is marked; {self._key('mark')} marks the matrix in front."

    def action_order(self) -> None:
        """Take the tree's next order, as the values are now."""
        orders = list(Order)
        self.take_order(orders[(orders.index(self._side.order) + 1) % len(orders)])

    def take_order(self, order: Order) -> None:
        """Put the tree into an order; the cursor stays on its matrix."""
        self._side.sort(order, self.selected)
        if not self._side.display:
            self.notify(f"The tree is {order.value}.", markup=False)

    def action_renew(self) -> None:
        """Take order and filter of the tree anew, as the values are now."""
        self._side.renew(self.selected)

    def action_next_tuned(self) -> None:
        """Show the next tuned checkpoint; the matrix stays the same where it has it."""
        if len(self._sessions) == 1:
            self.notify("Only one tuned checkpoint is open.", markup=False)
            return
        name = self.selected
        self._at = (self._at + 1) % len(self._sessions)
        if name is not None and self.session.has(name):
            self._selected[self._at] = name
        self._computing.clear()
        self._open_session()

    def action_filter(self) -> None:
        """Ask for words that names must match, and for states."""
        self.remove_class("-closed")
        self.set_class(self.has_class("-narrow"), "-drawer")
        self._side.ask()

    @on(SidePane.FilterRead)
    def _filter_read(self, event: SidePane.FilterRead) -> None:
        self.query_one(FooterLine).tell(event.trouble)

    def action_back(self) -> None:
        """Show all rows again; with no filter, close the drawer."""
        if self._side.clear(self.selected):
            self._side.layer_tree.focus()
        elif self._pane.close_vector():
            return
        elif self.has_class("-drawer"):
            self.action_drawer()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the filter's line a slash is a letter."""
        return action != "filter" or not isinstance(self.focused, Input)

    def action_drawer(self) -> None:
        """Show or hide the tree; on a narrow screen it takes the pane's place."""
        if self.has_class("-narrow"):
            opened = self.toggle_class("-drawer").has_class("-drawer")
        else:
            opened = not self.toggle_class("-closed").has_class("-closed")
        target = self._side.layer_tree if opened else self._pane.target
        self.call_after_refresh(target.focus)

    def on_resize(self, event: events.Resize) -> None:
        """Keys never go to what a narrow screen has hidden."""
        self.call_after_refresh(self._refocus)

    def _refocus(self) -> None:
        if not self.is_mounted or not self.query(LayerTree):
            return  # not composed yet, or being taken down
        if isinstance(self.focused, Input) and self._side.display:
            return  # opened just now, and not laid out yet
        if self.focused is None or not self.focused.is_on_screen:
            target = self._side.layer_tree if self._side.display else self._pane.target
            target.focus(scroll_visible=False)
