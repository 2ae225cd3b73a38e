"""The left pane: what the tree shows and in which order, the tree, and the line that filters it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input

from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.findings.ledger import PENDING
from intruder_tui.ui.badges import Badges
from intruder_tui.ui.filtering import Filter, FilterError, Ground, parse
from intruder_tui.ui.look import Look
from intruder_tui.ui.outline import outline, ranking
from intruder_tui.ui.ranking import Order, ranked, value
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.tree import LayerTree
from intruder_tui.views import numbers

MANY = 3000
"""With more rows than this the tree is filled once the typing stops."""
PAUSE = 0.15
"""Seconds without a key that are a stop."""
PLACEHOLDER = "q_proj  is:failed  -norm"


class SidePane(Vertical):
    """The rows of one session that pass the filter, in one of the orders.

    Rows are chosen and ordered when a person asks for it, never because answers come in.
    """

    class FilterRead(Message):
        """The filter's line changed; `trouble` says what can't be understood, "" where all can."""

        def __init__(self, trouble: str) -> None:
            self.trouble = trouble
            super().__init__()

    def __init__(self, look: Look, marks: Collection[str]) -> None:
        super().__init__(id="side")
        self._look = look
        self._marks = marks
        self._badges: Badges | None = None
        self._filter = Filter()
        self._typed = Filter()
        self._typing: Timer | None = None
        self._selected: str | None = None
        self._order = Order.MODEL
        self._names: frozenset[str] = frozenset()
        self._stale = False

    def compose(self) -> ComposeResult:
        """What is shown, the tree, and the filter's line below it."""
        yield Line(id="rows", ellipsis=self._look.glyphs.ellipsis)
        yield LayerTree(self._look, self._marks)
        yield Input(placeholder=PLACEHOLDER, id="filter")

    @property
    def layer_tree(self) -> LayerTree:
        """The layer tree."""
        return self.query_one(LayerTree)

    @property
    def box(self) -> Input:
        """The line the filter is written in."""
        return self.query_one("#filter", Input)

    @property
    def order(self) -> Order:
        """The order in force."""
        return self._order

    def tell(self, badges: Badges, selected: str | None) -> None:
        """Show the rows of a session; filter and order stay."""
        self._badges, self._selected = badges, selected
        self._refill(selected)

    def recount(self, badges: Badges) -> None:
        """Another definition: the same rows in the same places with other badges."""
        self._badges = badges
        self.layer_tree.recount(badges, self._figure())
        self._outdate(self._order in (Order.COUNT, Order.LOWEST) or self._filter.by_state)

    def changed(self, names: Iterable[str]) -> None:
        """Repaint these rows and their groups, where they are."""
        if self._badges is None:
            return
        names = list(names)
        self.layer_tree.changed(names)
        session = self._badges.session
        if self._order is not Order.MODEL or self._filter.by_state:
            self._outdate(any(session.state(name) not in PENDING for name in names))

    def marked(self, name: str) -> None:
        """A mark was set or taken away."""
        self.layer_tree.changed([name])
        self._outdate(self._filter.by_state)
        self._tell_rows()

    @property
    def first(self) -> str | None:
        """The first matrix that the filter leaves, else the first row; None where it leaves none."""
        if self._badges is None:
            return None
        rows = [row for row in self._badges.session.pairing.rows if row.name in self._names]
        return next((row.name for row in sorted(rows, key=lambda row: row.kind is not RowKind.MATRIX)), None)

    def shows(self, name: str) -> bool:
        """Whether the filter leaves a row."""
        return name in self._names

    def reveal(self, name: str) -> bool:
        """Put the cursor on a row; a filter that hides it is dropped, which is told by True."""
        self._selected = name
        hidden = name not in self._names
        if hidden:
            self.clear(name)
        self.layer_tree.reveal(name)
        return hidden

    def sort(self, order: Order, selected: str | None) -> None:
        """Take an order, as the values are now; the cursor stays on its matrix."""
        self._order = order
        self._refill(selected)

    def renew(self, selected: str | None) -> None:
        """Take filter and order anew."""
        self._refill(selected)

    # The filter ----------------------------------------------------------------------------------

    def ask(self) -> None:
        """Open the filter's line."""
        self.box.add_class("-open")
        self.screen.set_focus(self.box, scroll_visible=False)

    def clear(self, selected: str | None) -> bool:
        """Show all rows again; False when there was no filter."""
        box = self.box
        filtered = box.has_class("-open") or bool(self._filter.terms)
        box.remove_class("-open", "-bad")
        with box.prevent(Input.Changed):
            box.value = ""
        self._typed = Filter()
        self._take_typed(selected)
        return filtered

    @on(Input.Changed, "#filter")
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        try:
            self._typed = parse(event.value)
        except FilterError as error:
            self._tell_read(str(error))
            return
        self._tell_read("")
        self._stop_typing()
        if self._badges is None or len(self._badges.session.pairing.rows) <= MANY:
            self._take_typed(self._selected)
        else:
            self._typing = self.set_timer(PAUSE, lambda: self._take_typed(self._selected))

    def _tell_read(self, trouble: str) -> None:
        self.box.set_class(bool(trouble), "-bad")
        self.post_message(self.FilterRead(trouble))

    @on(Input.Submitted, "#filter")
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        if self.box.has_class("-bad"):
            return
        if not event.value.strip():
            self.clear(self._selected)
        else:
            self._take_typed(self._selected)
            if self._stale:
                self.renew(self._selected)
            if self._selected not in self._names and self.first is not None:
                self.layer_tree.reveal(self.first)
        self.layer_tree.focus()

    @on(LayerTree.Highlighted)
    def _selects(self, event: LayerTree.Highlighted) -> None:
        self._selected = event.name

    def _take_typed(self, selected: str | None) -> None:
        self._stop_typing()
        before = self._filter
        if self._typed == before:
            return
        self._filter = self._typed
        try:
            self._fill(selected)
        except FilterError as error:
            self._filter = before
            self._tell_read(str(error))

    def _stop_typing(self) -> None:
        if self._typing is not None:
            self._typing.stop()
            self._typing = None

    # What is shown -------------------------------------------------------------------------------

    def _refill(self, selected: str | None) -> None:
        """Fill the tree; a filter that takes too long for these rows is dropped."""
        try:
            self._fill(selected)
        except FilterError as error:
            self.clear(selected)
            self.notify(f"{error}: all rows are shown again.", title="Filter cleared", markup=False)

    def _fill(self, selected: str | None) -> None:
        badges = self._badges
        if badges is None:
            return
        session, definition, glyphs = badges.session, badges.definition, self._look.glyphs
        names = self._filter.kept(Ground(session, definition, self._marks))
        self._names = frozenset(names)
        if self._order is Order.MODEL:
            top = outline(names)
        else:
            top = ranking(*ranked(self._order, names, session, definition, glyphs))
        self.layer_tree.fill(top, badges, self._figure(), narrowed=bool(self._filter.terms))
        if selected in self._names and selected is not None:
            self.layer_tree.reveal(selected)
        else:
            self.layer_tree.cursor_line = -1  # it would stand on another row than the one in front
        self._stale = False
        self._tell_rows()

    def _figure(self) -> partial[str] | None:
        """What rows show beside their name in the order in force; None for the badge alone."""
        if self._badges is None or self._order in (Order.MODEL, Order.COUNT):
            return None
        return partial(self._text, self._order, self._badges)

    def _text(self, order: Order, badges: Badges, name: str) -> str:
        found = value(order, badges.session, name, badges.definition, self._look.glyphs)
        return "" if found is None else found.text

    def _outdate(self, stale: bool) -> None:
        if stale and not self._stale:
            self._stale = True
            self._tell_rows()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the line anew."""
        self._tell_rows()

    def _tell_rows(self) -> None:
        if self._badges is None:
            return
        tones = self._look.tones
        total, shown = len(self._badges.session.pairing.rows), len(self._names)
        rows = numbers.plural(total, "row")
        rows = f"{shown} of {rows}" if self._filter.terms else rows
        order = "" if self._order is Order.MODEL else self._order.value
        marks = f"{len(self._marks)} marked" if self._marks else ""
        renew = f"  {self._look.keys['renew']} renews" if self._stale else ""
        line = self.query_one("#rows", Line)
        for parts in ((rows, order, marks), (order, marks), (rows, order), (order,), (rows,)):
            words = ", ".join(part for part in parts if part)
            if words and len(words) + len(renew) <= line.content_size.width:
                break
        line.show(Text.assemble((words, tones.muted), (renew, tones.active), no_wrap=True))
