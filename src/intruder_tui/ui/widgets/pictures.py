"""The spectrum and the update's measures: rich renderables that fill the space they get."""

from __future__ import annotations

from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from intruder_tui.ui.look import Look
from intruder_tui.ui.subject import Subject
from intruder_tui.views.spectrum import Spectrum
from intruder_tui.views.update import update_view


class SpectrumView(Widget, can_focus=True):
    """Singular values of W0, W1 and dW."""

    HELP_NAME = "spectrum"

    def __init__(self, look: Look) -> None:
        super().__init__(id="spectrum")
        self._look = look
        self._subject: Subject | None = None

    def tell(self, one: Subject) -> None:
        """Show a subject."""
        self._subject = one
        self.refresh()

    def render(self) -> RenderableType:
        """The plot, or its place."""
        one = self._subject
        if one is None or one.result is None:
            return Text(self._look.glyphs.idle, self._look.tones.muted)
        return Spectrum(one.result, one.definition, self._look.mode, self._look.glyphs, self.size.height)


class UpdateView(VerticalScroll, can_focus=True):
    """Measures of the update."""

    HELP_NAME = "update"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "Down", show=False, id="update.down"),
        Binding("up,k", "scroll_up", "Up", show=False, id="update.up"),
        Binding("g,home", "scroll_home", "Top", show=False, id="update.first"),
        Binding("G,end", "scroll_end", "End", show=False, id="update.last"),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(Static(id="measures"), id="update")
        self._look = look
        look.dress(self)
        self._subject: Subject | None = None

    def tell(self, one: Subject) -> None:
        """Show a subject."""
        self._subject = one
        content: RenderableType = Text(self._look.glyphs.idle, self._look.tones.muted)
        if one.result is not None:
            content = update_view(
                one.result, width=self.size.width, mode=self._look.mode, glyphs=self._look.glyphs
            )
        self.query_one("#measures", Static).update(content)

    def on_resize(self, event: events.Resize) -> None:
        """Notes and bars appear where there is room."""
        if self._subject is not None:
            self.tell(self._subject)
