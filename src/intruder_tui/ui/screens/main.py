"""The main screen: its widgets, the settings of the view, and which view is in front."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from intruder_tui.definition import LARGEST_K, Side
from intruder_tui.ui import keys, taking
from intruder_tui.ui.screens.navigation import Navigation
from intruder_tui.ui.screens.scanning import BEAT
from intruder_tui.ui.widgets.footer import FooterLine
from intruder_tui.ui.widgets.header import HeaderLine
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.pane import MatrixPane
from intruder_tui.ui.widgets.side import SidePane
from intruder_tui.ui.widgets.tabs import View

EPS_STEP = 0.05


class MainScreen(Navigation):
    """Tree, views and lines over one of the sessions."""

    AUTO_FOCUS = "#tree"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-medium"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (24, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [*keys.MAIN]

    def compose(self) -> ComposeResult:
        """Header, findings, tree beside pane, footer."""
        yield HeaderLine(self._look)
        yield Line(id="findings", ellipsis=self._look.glyphs.ellipsis)
        with Horizontal(id="body"):
            yield SidePane(self._look, self._marks)
            yield MatrixPane(self._look)
        yield FooterLine(self._look)

    def on_mount(self) -> None:
        """Fill the tree, select the first matrix; looking into the cache waits for the first paint."""
        if not self.is_attached:  # told to end already: what was to be mounted in here may be missing
            return
        self._beat = self.set_interval(BEAT, self._tick, pause=True)
        self._open_session()
        self.call_after_refresh(self._prime)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Other keys matter here."""
        self.query_one(FooterLine).tell()

    def name_keys(self) -> None:
        """Other keys are in force: whatever names one says so."""
        self.query_one(FooterLine).tell()
        self._tell_totals()
        self._tell_subject()
        self._pane.redraw()

    def repaint(self) -> None:
        """Draw the view anew: it looks different now."""
        self._pane.redraw()

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
            keys = (self._key(name) for name in ("measure", "view.map", "view.sweep"))
            words = "{} switches the measure of the map ({}) and the part of the sweep ({}).".format(*keys)
            self.notify(words, markup=False)

    def action_copy(self) -> None:
        """Copy what the cursor is on."""
        self._clipboard.send(self.app, taking.copied(self._pane))

    def action_copy_sentence(self) -> None:
        """Copy all of the sentence below the view, whatever the cursor is on."""
        self._clipboard.send(self.app, taking.sentence(self._pane))

    def action_copy_table(self) -> None:
        """Copy the intruder table."""
        self._clipboard.send(self.app, taking.copied_table(self._pane, self._look))
