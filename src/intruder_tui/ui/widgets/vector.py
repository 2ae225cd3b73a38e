"""One tuned vector against the base's vectors, below the table it was chosen from or in its place."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message

from intruder_tui.studies.cosines import Cosines
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import CosinesWanted, CursorMoved
from intruder_tui.ui.subject import Subject
from intruder_tui.ui.widgets.picture import Picture
from intruder_tui.views.vector import VectorPlot, profile


class VectorPicture(Picture, can_focus=False):
    """The plot of one tuned vector; `remark` stands below it where not every base vector is shown."""

    def __init__(self, look: Look, *, id: str) -> None:
        super().__init__(look, id=id)
        self._subject: Subject | None = None
        self._whole: Cosines | None = None
        self.remark = ""
        self.tuned = 0

    def tell(self, one: Subject, tuned: int, whole: Cosines | None, remark: str = "") -> None:
        """Show a tuned vector of a subject; `whole` has its cosine with every base vector."""
        self._subject, self._whole, self.remark = one, whole, remark
        self.tuned = min(max(0, tuned), max(0, held(one) - 1))
        if self.display:
            self.repaint()

    def drawn(self, width: int, lines: int) -> RenderableType:
        """The plot."""
        one = self._subject
        if one is None or one.result is None or not held(one):
            return self.waiting()
        shown = profile(one.result, self.tuned, one.definition, self._whole)
        eps, mode, glyphs = one.definition.eps, self._look.mode, self._look.glyphs
        if not self.remark:
            return VectorPlot(shown, eps, mode, glyphs, lines)
        words = Text(self.remark, self._look.tones.muted)
        room = len(words.wrap(self.app.console, max(1, width)))
        return Group(VectorPlot(shown, eps, mode, glyphs, lines - room), words)


class VectorView(VectorPicture, can_focus=True):
    """The plot in the table's place; left and right go through the examined vectors."""

    HELP_NAME = "vector"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,down,j", "move(1)", "Next tuned vector", show=False, id="vector.next"),
        Binding("left,h,up,k", "move(-1)", "Previous tuned vector", show=False, id="vector.previous"),
        Binding("g,home", "go(0)", "First tuned vector", show=False, id="vector.first"),
        Binding("G,end", "go(-1)", "Last tuned vector", show=False, id="vector.last"),
        Binding("W", "compute", CosinesWanted.WORDS, show=False, id="vector.compute"),
        Binding("escape,enter", "close", "Back to the table", show=False, id="vector.close"),
    ]

    class Closed(Message):
        """Back to the table."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="vector")

    def action_move(self, step: int) -> None:
        """Show the next or the previous one."""
        self._go(self.tuned + step)

    def action_go(self, which: int) -> None:
        """Show the first or the last one."""
        self._go(0 if which == 0 else self._held - 1)

    def action_compute(self) -> None:
        """Ask for the cosines with every base vector, or take that back."""
        self.post_message(CosinesWanted())

    def action_close(self) -> None:
        """Back to the table."""
        self.post_message(self.Closed())

    @property
    def _held(self) -> int:
        return 0 if self._subject is None else held(self._subject)

    def _go(self, tuned: int) -> None:
        tuned = min(max(0, tuned), max(0, self._held - 1))
        if tuned != self.tuned:
            self.tuned = tuned
            self.repaint()
            self.post_message(CursorMoved(tuned))


def held(one: Subject) -> int:
    """How many examined tuned vectors a subject's result holds on the side in force."""
    if one.result is None or not one.viewable:
        return 0
    return min(one.places, len(one.result.side(one.definition.side).lower))
