"""Moving: from matrix to matrix, from checkpoint to checkpoint, between the tree and the pane."""

from __future__ import annotations

from textual import events, on
from textual.timer import Timer
from textual.widgets import Input

from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.engine.session import Session, State
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import Jumped
from intruder_tui.ui.options import UiOptions
from intruder_tui.ui.screens.scanning import Scanning
from intruder_tui.ui.widgets.tree import LayerTree

REST = 0.3
"""Seconds the cursor rests on a matrix before it is asked for."""


class Navigation(Scanning):
    """Which matrix is selected, and where the keys go."""

    def __init__(self, sessions: list[Session], options: UiOptions, look: Look, log: str) -> None:
        super().__init__(sessions, options, look, log)
        self._resting: Timer | None = None

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
        self._stop_resting()
        self._select(event.name)
        self._request(event.name)

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

    def action_next_tuned(self) -> None:
        """Show the next tuned checkpoint; the matrix stays the same where it has it."""
        name = self.selected
        self._at = (self._at + 1) % len(self._sessions)
        if name is not None and any(row.name == name for row in self.session.pairing.rows):
            self._selected[self._at] = name
        self._computing.clear()
        self._open_session()

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
        if self.focused is None or not self.focused.is_on_screen:
            target = self._side.layer_tree if self._side.display else self._pane.target
            target.focus(scroll_visible=False)
