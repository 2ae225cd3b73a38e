"""The left pane: the layer tree and the words that filter it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from intruder_tui.engine.session import Session
from intruder_tui.ui.badges import Badges
from intruder_tui.ui.look import Look
from intruder_tui.ui.widgets.tree import LayerTree


class SidePane(Vertical):
    """Rows of one session whose names hold all the words of the filter."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="side")
        self._look = look
        self._session: Session | None = None
        self._badges: Badges | None = None
        self._words = ""
        self._names: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        """The tree, and the filter's line below it."""
        yield LayerTree(self._look)
        yield Input(placeholder="words of a name", id="filter")

    @property
    def layer_tree(self) -> LayerTree:
        """The layer tree."""
        return self.query_one(LayerTree)

    @property
    def box(self) -> Input:
        """The line the filter's words are written in."""
        return self.query_one("#filter", Input)

    def tell(self, session: Session, badges: Badges) -> None:
        """Show the rows of a session; the filter stays."""
        self._session, self._badges = session, badges
        self._fill()

    def recount(self, badges: Badges) -> None:
        """Another definition: the same rows with other badges."""
        self._badges = badges
        self.layer_tree.recount(badges)

    def reveal(self, name: str) -> None:
        """Put the cursor on a row; a filter that hides it is dropped."""
        if name not in self._names:
            self.clear()
        self.layer_tree.reveal(name)

    def ask(self) -> None:
        """Open the filter's line."""
        self.box.add_class("-open")
        self.screen.set_focus(self.box, scroll_visible=False)

    def clear(self) -> bool:
        """Show all rows again; False when there was no filter."""
        box = self.box
        filtered = box.has_class("-open") or bool(self._words)
        box.remove_class("-open")
        with box.prevent(Input.Changed):
            box.value = ""
        self._filter("")
        return filtered

    @on(Input.Changed, "#filter")
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._filter(event.value)

    @on(Input.Submitted, "#filter")
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            self.clear()
        self.layer_tree.focus()

    def _filter(self, words: str) -> None:
        if words.split() != self._words.split():
            self._words = words
            self._fill()

    def _fill(self) -> None:
        if self._session is None or self._badges is None:
            return
        words = self._words.lower().split()
        rows = self._session.pairing.rows
        names = [row.name for row in rows if all(word in row.name.lower() for word in words)]
        self._names = frozenset(names)
        before = self.layer_tree.row
        self.layer_tree.fill(self._session, names, self._badges)
        if before in self._names and before is not None:
            self.layer_tree.reveal(before)
