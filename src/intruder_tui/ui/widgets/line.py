"""Lines of text that repaint only when they say something new."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static


class Line(Static):
    """A Static for one rich Text at a time; the same text again writes nothing to the terminal."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self._shown: Text | None = None

    @property
    def text(self) -> str:
        """What it says."""
        return self._shown.plain if self._shown else ""

    def show(self, text: Text, *, layout: bool = False) -> None:
        """Say `text`; `layout` when its height may differ."""
        if self._shown is not None and self._shown == text and self._shown.spans == text.spans:
            return
        self._shown = text
        self.update(text, layout=layout)
