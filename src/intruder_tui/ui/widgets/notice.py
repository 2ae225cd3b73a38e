"""What stands where a view would be: why there is nothing to show, and the key that tries again."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import Static

from intruder_tui.ui.messages import Jumped


class Notice(Static, can_focus=True):
    """Takes the keys that the view would have, so that what it says of Enter holds wherever they go."""

    HELP_NAME = "notice"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "ask", "Analyse the matrix", show=False, id="notice.enter"),
    ]

    def __init__(self) -> None:
        super().__init__(id="notice", markup=False)
        self._row = ""

    def tell(self, name: str, words: Text) -> None:
        """Say why nothing of the row `name` is shown."""
        self._row = name
        self.update(words)

    def action_ask(self) -> None:
        """Ask for the row."""
        self.post_message(Jumped(self._row))
