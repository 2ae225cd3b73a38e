"""Words on other grounds: every view draws for a dark one, in the few tones of `views.palette`."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as Background
from textual.filter import LineFilter
from textual.theme import Theme

from intruder_tui.ui.look import Look
from intruder_tui.views.palette import ColourMode, tones

_Key = tuple[int, ...]


class Ground(LineFilter):
    """In light themes darker tones stand for those of the views, in `ansi` ones the terminal's own colours.

    Pictures made of half cells keep their colours: there they are values.
    """

    def __init__(self, theme: Theme, look: Look) -> None:
        drawn = tones(look.mode)
        mode = ColourMode.FEW if theme.ansi and look.mode.ramp else look.mode
        wanted = tones(mode, light=not theme.dark)
        pairs = (
            (drawn.accent, wanted.accent),
            (drawn.cursor, wanted.cursor),
            (drawn.muted, wanted.muted),
            (drawn.warning, wanted.warning),
        )
        self._picture = look.glyphs.half
        self._others = {
            _key(old.color): Style(color=new.color)
            for old, new in pairs
            if old.color is not None and new.color is not None and old.color != new.color
        }
        self._suited = lru_cache(1024)(self._of)
        super().__init__(enabled=bool(self._others))

    def apply(self, segments: list[Segment], background: Background) -> list[Segment]:
        """The same line in the tones of the theme."""
        picture = self._picture
        return [
            segment
            if segment.style is None or (picture and picture in segment.text)
            else Segment(segment.text, self._suited(segment.style), segment.control)
            for segment in segments
        ]

    def _of(self, style: Style) -> Style:
        other = None if style.color is None else self._others.get(_key(style.color))
        return style if other is None else style + other


def _key(colour: Color) -> _Key:
    """One key for a colour, whether it is told by its number or in 24 bits; one of the sixteen is itself."""
    if colour.triplet is not None:
        return tuple(colour.triplet)
    number = colour.number or 0
    return (number,) if number < 16 else tuple(colour.get_truecolor())
