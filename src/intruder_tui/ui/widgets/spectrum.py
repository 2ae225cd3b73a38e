"""The spectrum: a rich renderable that fills the space it gets."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text
from textual.widget import Widget

from intruder_tui.ui.look import Look
from intruder_tui.ui.subject import Subject
from intruder_tui.views.spectrum import Spectrum


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
