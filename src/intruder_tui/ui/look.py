"""How things are drawn in this run: signs, colour mode, styles. Decided once, when the app starts."""

from __future__ import annotations

from dataclasses import dataclass

from intruder_tui.ui.options import UiOptions
from intruder_tui.views.glyphs import Glyphs, glyphs
from intruder_tui.views.palette import ColourMode, Tones, resolve, tones


@dataclass(frozen=True, slots=True)
class Look:
    """Signs, a resolved colour mode, and the mode's styles."""

    glyphs: Glyphs
    mode: ColourMode
    tones: Tones


def look(options: UiOptions, color_system: str | None, *, no_color: bool, ansi: bool) -> Look:
    """The look for a terminal; in an `ansi` theme words take the terminal's own sixteen colours."""
    mode = resolve(ColourMode(options.colour), color_system, no_color=no_color)
    words = ColourMode.FEW if ansi and mode.ramp else mode
    return Look(glyphs(ascii_only=options.ascii), mode, tones(words))
