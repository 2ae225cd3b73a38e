"""The help: every number of the view in front, the marks, the keys as they are bound now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.ui.filtering import NOT, PREFIX, STATES
from intruder_tui.ui.keys import shown_keys
from intruder_tui.ui.look import Look
from intruder_tui.ui.studying import KEYS
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.views.glossary import Entry, definition_in_force, marks, view_entries
from intruder_tui.views.glyphs import Glyphs
from intruder_tui.views.sentence import FORGETTING

PARTS = {view: (view.value,) for view in View} | {
    View.INTRUDERS: ("Intruders", "Vector"),
    View.COMPARE: ("Compare", "Series"),
}
"""What a view is made of, by the glossary's names."""


class Drawn:
    """A renderable that is drawn once for each width: laying out and painting ask for it several times."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content
        self._lines: dict[int, list[list[Segment]]] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, without what a height at hand would cut or fill."""
        width = options.max_width
        if width not in self._lines:
            self._lines[width] = console.render_lines(self._content, options.update(height=None), pad=False)
        for line in self._lines[width]:
            yield from line
            yield Segment.line()


class Sheet(VerticalScroll):
    """A scrolling sheet over the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "Down", show=False, id="sheet.down"),
        Binding("up,k", "scroll_up", "Up", show=False, id="sheet.up"),
        Binding("g,home", "scroll_home", "Top", show=False, id="sheet.first"),
        Binding("G,end", "scroll_end", "End", show=False, id="sheet.last"),
    ]

    def __init__(self, content: RenderableType, look: Look, title: str, close: str) -> None:
        super().__init__(Static(Drawn(content), markup=False), classes="sheet")
        self.styles.scrollbar_gutter = "stable"  # else it is laid out for two widths
        self.border_title = Text(f" {title} ")
        keys = look.keys
        self.border_subtitle = Text(f" {close} closes   {keys['sheet.down']} {keys['sheet.up']} scroll ")
        look.dress(self)


class HelpScreen(ModalScreen[None]):
    """What the numbers mean, and which keys there are."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close", show=False, id="help.close"),
    ]

    def __init__(self, look: Look, definition: Definition, view: View, config: Path | None = None) -> None:
        super().__init__()
        self._config = config
        self._look = look
        self._definition = definition
        self._view = view

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield Sheet(self.content(), self._look, "Help", self._look.keys["help.close"])

    def content(self) -> RenderableType:
        """The help as a renderable."""
        look, glyphs = self._look, self._look.glyphs
        return Group(
            self._part("In force now", definition_in_force(self._definition, look.keys["side"], glyphs)),
            *(self._part(name, view_entries(name, look.keys, glyphs)) for name in PARTS[self._view]),
            self._part("What it may mean", [("inference", FORGETTING)]),
            self._part("Marks in the tree", [*marks(glyphs), *tree_marks(glyphs)]),
            self._part(f"Filter ({look.keys['filter']})", FILTER),
            self._part(f"Order ({look.keys['order']})", self._order()),
            self._part("What is computed first", computing(look.keys)),
            self._keys(),
        )

    def _part(self, head: str, entries: Iterable[Entry]) -> RenderableType:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(no_wrap=True, min_width=16)
        table.add_column()
        for term, words in entries:
            table.add_row(Text(term, self._look.tones.strong), Text(words, self._look.tones.muted))
        return Group(Text(head, self._look.tones.active), table, Text())

    @property
    def _below(self) -> Screen[Any]:
        """The screen that the help lies over, or will lie over."""
        stack = self.app.screen_stack
        return stack[-2] if stack[-1] is self else stack[-1]

    def _order(self) -> list[Entry]:
        renew = self._look.keys["renew"]
        return [
            (
                "by count",
                "matrices with intruders, most first; the others behind them in the model's order",
            ),
            (
                "by lowest cos",
                "the lowest best(j) of every analysed matrix, which stands on its row; bounds, marked "
                f"{self._look.glyphs.at_most.strip()}, are ordered by their upper end",
            ),
            ("by update", "Frobenius norm of dW over that of W0, largest first; it stands on the row"),
            (
                "nothing jumps",
                f"the order is taken when the key is pressed; once values have changed {renew} takes it anew",
            ),
        ]

    def _keys(self) -> RenderableType:
        """Keys of the main screen and of the widget that had the focus, as bound now, with their ids."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(no_wrap=True, min_width=16)
        table.add_column()
        table.add_column(no_wrap=True)
        strong, muted = self._look.tones.strong, self._look.tones.muted
        table.add_row(Text("tab", strong), Text("To the next pane", muted), Text())
        for one in shown_keys(self._below):
            table.add_row(
                Text(self._look.written(one.keys), strong), Text(one.words, muted), Text(one.id, muted)
            )
        path = f" of {printable(str(self._config), 400)}" if self._config else ""
        how = Text(f"Another key: the last word of its line, as in {EXAMPLE}, under [keys]{path}", muted)
        return Group(Text("Keys", self._look.tones.active), table, Text(), how, Text())


EXAMPLE = 'scan = "f5"'


def computing(keys: Mapping[str, str]) -> list[Entry]:
    """What the engine works on, and what stops it; `keys` as in `view_entries`."""
    scan, pause, compare = keys["scan"], keys["pause"], keys["view.compare"]
    asked = ", ".join(f"{keys[name]} in {view}" for name, view in KEYS.values())
    return [
        ("the order", "the matrix in front, its verdict and then its values; what was asked for; the scan"),
        ("asked for", f"{asked}: a factorisation each; the header tells its stage and time"),
        (
            "making way",
            "on a CPU the matrix in front interrupts what was asked for, once; it begins anew later",
        ),
        (
            f"{scan} analyses",
            f"every matrix of the checkpoint in front; in Compare ({compare}) of all of them",
        ),
        (f"{pause} pauses", "the scan alone; the matrix in front and what was asked for go on"),
        (f"{scan} stops", "everything, once every matrix has been asked for; before, it asks for the others"),
        ("failed", f"told at once; {keys['log']} lists it until it is asked for again"),
    ]


def tree_marks(glyphs: Glyphs) -> list[Entry]:
    """Signs of the tree that are no state."""
    return [(glyphs.marked.strip(), "marked by you")]


FILTER: list[Entry] = [
    ("words", "regular expressions, looked for anywhere in a name, whatever the case; all have to be found"),
    *((f"{PREFIX}{word}", meaning) for word, (meaning, _) in STATES.items()),
    (f"{NOT}word", "turns a word round; the beginning of a state is enough"),
    ("example", f"q_proj|k_proj {PREFIX}int {NOT}layers.0"),
    ("nothing jumps", "rows stay until enter is pressed in the line again, however their states change"),
]
