"""The help: every number of the view in front, the marks, the keys as they are bound now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.keys import format_key
from textual.screen import ModalScreen
from textual.widgets import Static

from intruder_tui.definition import Definition
from intruder_tui.ui.look import Look
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.views.glossary import Entry, definition_in_force, marks, view_entries
from intruder_tui.views.sentence import FORGETTING


class Sheet(VerticalScroll):
    """A scrolling sheet over the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "Down", show=False, id="sheet.down"),
        Binding("up,k", "scroll_up", "Up", show=False, id="sheet.up"),
        Binding("g,home", "scroll_home", "Top", show=False, id="sheet.first"),
        Binding("G,end", "scroll_end", "End", show=False, id="sheet.last"),
    ]

    def __init__(self, content: RenderableType, look: Look) -> None:
        super().__init__(Static(content, markup=False), classes="sheet")
        look.dress(self)


class HelpScreen(ModalScreen[None]):
    """What the numbers mean, and which keys there are."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close", show=False, id="help.close"),
    ]

    def __init__(self, look: Look, definition: Definition, view: View) -> None:
        super().__init__()
        self._look = look
        self._definition = definition
        self._view = view

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield Sheet(self.content(), self._look)

    def content(self) -> RenderableType:
        """The help as a renderable."""
        look, glyphs = self._look, self._look.glyphs
        return Group(
            self._part("In force now", definition_in_force(self._definition, glyphs)),
            self._part(f"{self._view.value}", view_entries(self._view.value, glyphs)),
            self._part("What it may mean", [("inference", FORGETTING)]),
            self._part("Marks in the tree", marks(glyphs)),
            self._part("Keys", self._keys()),
            Text("Escape closes this.", look.tones.muted),
        )

    def _part(self, head: str, entries: Iterable[Entry]) -> RenderableType:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(no_wrap=True, min_width=16)
        table.add_column()
        for term, words in entries:
            table.add_row(Text(term, self._look.tones.strong), Text(words, self._look.tones.muted))
        return Group(Text(head, self._look.tones.active), table, Text())

    def _keys(self) -> list[Entry]:
        """Keys of the main screen and of the widget that had the focus, as bound now."""
        below = (
            self.app.screen_stack[-1] if self.app.screen_stack[-1] is not self else self.app.screen_stack[-2]
        )
        entries: dict[str, list[str]] = {}
        for active in below.active_bindings.values():
            binding = active.binding
            if not binding.id or not binding.description:
                continue
            keys = entries.setdefault(binding.description, [])
            keys.append(binding.key_display or format_key(binding.key))
        rows = [(" ".join(keys), words) for words, keys in entries.items()]
        return [("tab", "To the next pane"), *rows]
