"""How things are drawn in this run: signs, colour mode, styles, colour map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual.filter import ANSIToTruecolor, LineFilter
from textual.scrollbar import ScrollBarRender
from textual.widget import Widget

from intruder_tui.ui.options import UiOptions
from intruder_tui.ui.plain import in_words
from intruder_tui.views.glyphs import Glyphs, glyphs
from intruder_tui.views.palette import COLOURMAP, ColourMode, Tones, resolve, tones


class AsciiScrollBar(ScrollBarRender):
    """A scroll bar without the blocks that draw parts of a cell."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


@dataclass(slots=True)
class Look:
    """Signs, a resolved colour mode, and the mode's styles.

    Everything that draws holds the same one; only `colourmap`, one of `palette.COLOURMAPS`, and `keys`, the
    key that words name for an action by its binding's id, ever change.
    """

    glyphs: Glyphs
    mode: ColourMode
    tones: Tones
    colourmap: str = COLOURMAP
    keys: dict[str, str] = field(default_factory=dict)

    def written(self, keys: str) -> str:
        """Keys as Textual writes them, with the signs there are."""
        return keys if self.glyphs.half else in_words(keys)

    def unfiltered(self, filters: Sequence[LineFilter]) -> list[LineFilter]:
        """What Textual may do to our lines: our choice of 256 colours must reach the terminal as it is."""
        if self.mode is not ColourMode.MANY:
            return list(filters)
        return [one for one in filters if not isinstance(one, ANSIToTruecolor)]

    def dress(self, widget: Widget) -> None:
        """Draw a scrolling widget's bars with the signs there are."""
        if not self.glyphs.half:
            # On the bars themselves, which Textual's documentation allows and its annotation does not: the
            # class's own attribute would change every app of the process.
            for bar in (widget.vertical_scrollbar, widget.horizontal_scrollbar):
                bar.renderer = AsciiScrollBar  # type: ignore[misc]


def look(options: UiOptions, color_system: str | None, *, no_color: bool) -> Look:
    """The look for a terminal."""
    mode = resolve(ColourMode(options.colour), color_system, no_color=no_color)
    return Look(glyphs(ascii_only=options.ascii), mode, tones(mode))
