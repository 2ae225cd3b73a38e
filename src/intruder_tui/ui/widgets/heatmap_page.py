"""The heatmap with its legend, and below it in words what its cursor is on."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from intruder_tui.engine.desk import Desk
from intruder_tui.ui import readout
from intruder_tui.ui.look import Look
from intruder_tui.ui.subject import Subject
from intruder_tui.ui.widgets.heatmap import HeatmapMap
from intruder_tui.ui.widgets.line import Line
from intruder_tui.views.heatmap import legend
from intruder_tui.views.margins import GUTTER


class HeatmapPage(Vertical):
    """Shows a subject's similarities."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="heatmap")
        self._look = look
        self._subject: Subject | None = None
        self._desk: Desk | None = None

    def compose(self) -> ComposeResult:
        """Map, legend, read-out."""
        yield HeatmapMap(self._look)
        yield Line(id="legend", ellipsis=self._look.glyphs.ellipsis)
        yield Line(id="readout", ellipsis=self._look.glyphs.ellipsis)

    @property
    def map(self) -> HeatmapMap:
        """The map."""
        return self.query_one(HeatmapMap)

    @property
    def said(self) -> str:
        """The words below the map."""
        return self.query_one("#readout", Line).text

    @property
    def window(self) -> str:
        """Where the map's window is; "" for the leading k x k."""
        apart, to = self.map.apart, self._look.glyphs.to
        if apart is None:
            return ""
        if self.map.whole:
            return "all vectors"
        base, tuned = (f"{ranks.start}{to}{ranks.stop - 1}" for ranks in apart)
        return f"tuned {tuned}   base {base}"

    def feed(self, one: Subject, desk: Desk | None) -> None:
        """Give the map what is known of a subject."""
        anew = self._subject is None or self._subject.name != one.name
        self._subject, self._desk = one, desk
        self.map.tell(readout.fields(one, desk), one.places, one.definition.eps, anew=anew)

    def tell(self, one: Subject, desk: Desk | None) -> None:
        """Show a subject; `desk` has, or could be asked for, every cosine of it."""
        self.feed(one, desk)
        self.map.remark = readout.remark(one, self.map.fields, desk, self._look)
        self._tell_legend()
        self.read_out()

    def read_out(self) -> None:
        """Say what the cursor is on."""
        if self._subject is not None:
            shown = self.map
            words = readout.read_out(
                self._subject, shown.fields, shown.cursor, shown.block, shown.values(), self._look
            )
            self.query_one("#readout", Line).show(words)

    def on_heatmap_map_arranged(self, event: HeatmapMap.Arranged) -> None:
        """Another side, another window: the words under the map follow."""
        event.stop()
        if self._subject is not None:
            self.tell(self._subject, self._desk)

    def on_heatmap_map_too_narrow(self, event: HeatmapMap.TooNarrow) -> None:
        """Said in the read-out's place, until there is something to read out again."""
        event.stop()
        self.query_one("#readout", Line).show(Text(event.words, self._look.tones.warning))

    def on_resize(self, event: events.Resize) -> None:
        """The legend takes the width there is."""
        self._tell_legend()

    def _tell_legend(self) -> None:
        one, look = self._subject, self._look
        text = Text(no_wrap=True)
        if one is not None and one.result is not None:
            width = max(20, self.size.width - GUTTER - 2)
            text.append(" " * GUTTER)
            for segment in legend(look.mode, one.definition.eps, look.glyphs, width, look.colourmap):
                text.append(segment.text, segment.style)
        self.query_one("#legend", Line).show(text)
