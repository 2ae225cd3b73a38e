"""The update: its measures, and for a low-rank one the slider over its scaling."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.binding import Binding, BindingType

from intruder_tui.checkpoint.names import printable
from intruder_tui.engine.desk import Desk, Progress
from intruder_tui.studies.answers import Scalings, StudyKind
from intruder_tui.ui.keys import at_start
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import StudiesAsked
from intruder_tui.ui.subject import Subject
from intruder_tui.ui.widgets.picture import Picture
from intruder_tui.views.scalings import ScalingView
from intruder_tui.views.spectrum import Spectrum
from intruder_tui.views.update import update_view

HEAD = "What another scaling would lead to"
ASK = (
    "{ask}, or {smaller} and {larger}, compute it: {count} scalings from 0 to {most} times the adapter's own."
)
PLOT = (9, 14)
"""Lines of the plot: at least, and at most where there is room."""
SPECTRUM = "Singular values of dW"
MOST_SPECTRUM = 24
"""Lines of dW's spectrum where there is room for it; the Spectrum view has it at any size."""
MULTIPLE = 4
GRID = 33


class UpdateView(Picture):
    """Measures of dW, and under them the slider; asking for other scalings is left to the person."""

    HELP_NAME = "update"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "slide(-1)", "Smaller scaling", show=False, id="update.smaller"),
        Binding("right,l", "slide(1)", "Larger scaling", show=False, id="update.larger"),
        Binding("home", "own", "The adapter's own scaling", show=False, id="update.own"),
        Binding("enter", "ask", "Compute other scalings, or stop", show=False, id="update.ask"),
        Binding("down,j", "scroll_down", "Down", show=False, id="update.down"),
        Binding("up,k", "scroll_up", "Up", show=False, id="update.up"),
        Binding("g", "scroll_home", "Top", show=False, id="update.first"),
        Binding("G,end", "scroll_end", "End", show=False, id="update.last"),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="update")
        self._subject: Subject | None = None
        self._desk: Desk | None = None
        self._at: int | None = None
        self._slider = 0
        self._awaited = ""

    def tell(self, one: Subject, desk: Desk | None) -> None:
        """Show a subject; the slider stays on its multiple of the adapter's own scaling."""
        self._subject, self._desk = one, desk
        self.repaint()
        if self._awaited == one.name and self.known(one, desk) is not None:
            self._awaited = ""
            self._reveal()

    def known(self, one: Subject | None, desk: Desk | None) -> tuple[Scalings, int] | None:
        """What is known of a subject at other scalings, and the slider's place among them."""
        found = None if one is None or desk is None else desk.scalings(one.name)
        if found is None:
            return None
        return found, found.own if self._at is None else min(self._at, len(found.multiples) - 1)

    def drawn(self, width: int, lines: int) -> RenderableType:
        """The measures, the slider, and dW's spectrum where there is room."""
        one, look = self._subject, self._look
        if one is None or one.result is None:
            return self.waiting()
        above = update_view(one.result, width=width, mode=look.mode, glyphs=look.glyphs)
        options = self.app.console.options.update(width=width)
        self._slider = len(self.app.console.render_lines(above, options)) + 1
        parts = [above, Text(), Text(HEAD, look.tones.active)]
        known = self.known(one, self._desk)
        plot = min(PLOT[1], max(PLOT[0], lines - self._slider - 6))
        parts.append(
            self._why_not()
            if known is None
            else ScalingView(*known, one.definition, look.mode, look.glyphs, plot)
        )
        room = lines - len(self.app.console.render_lines(Group(*parts), options)) - 2
        if room >= PLOT[0] and len(one.result.update.sigma):
            spectrum = Spectrum(
                one.result, one.definition, look.mode, look.glyphs, min(room, MOST_SPECTRUM), names=("dW",)
            )
            parts += [Text(), Text(SPECTRUM, look.tones.active), spectrum]
        return Group(*parts)

    def action_slide(self, step: int) -> None:
        """Move the slider by one scaling; ask for them where they are not known."""
        known = self.known(self._subject, self._desk)
        if known is None:
            self._request()
            return
        scalings, at = known
        self._at = min(max(0, at + step), len(scalings.multiples) - 1)
        self.repaint()
        self._reveal()

    def action_own(self) -> None:
        """Back to the adapter's own scaling."""
        self._at = None
        self.repaint()

    def action_ask(self) -> None:
        """Ask for other scalings; what is under way is taken back."""
        one, desk = self._subject, self._desk
        if one is None or desk is None:
            return
        if desk.waiting(one.name, StudyKind.SCALINGS):
            desk.cancel(one.name, StudyKind.SCALINGS)
            self.post_message(StudiesAsked())
        else:
            self._request()

    def _request(self) -> None:
        one, desk = self._subject, self._desk
        if one is not None and one.result is not None and desk is not None:
            if desk.request(one.name, StudyKind.SCALINGS):
                self._awaited = one.name
                self.post_message(StudiesAsked())
            self.repaint()
            self._reveal()

    def _reveal(self) -> None:
        """Bring the slider into view."""
        self.reveal_part(self._slider, len(self._lines))

    def _why_not(self) -> Text:
        """What stands where the slider would: how far it is, why there is none, or how to ask for it."""
        one, desk, muted = self._subject, self._desk, self._look.tones.muted
        if one is None or desk is None:
            return Text()
        progress = desk.progress(one.name, StudyKind.SCALINGS)
        stage = desk.stage(one.name, StudyKind.SCALINGS)
        reason = printable(desk.reason(one.name, StudyKind.SCALINGS), 400)
        match progress:
            case Progress.QUEUED:
                return Text(f"{self._look.glyphs.idle} queued", muted)
            case Progress.COMPUTING:
                return Text(f"{self._look.glyphs.idle} {printable(stage, 100)}", muted)
            case Progress.FAILED:
                return Text(f"{reason[:1].upper()}{reason[1:]}.", muted)
        keys = {name: self._look.keys[f"update.{name}"] for name in ("ask", "smaller", "larger")}
        keys["ask"] = at_start(keys["ask"])
        return Text(ASK.format(**keys, count=GRID, most=MULTIPLE), muted)
