"""A colour bar with ticks."""

from __future__ import annotations

import numpy as np

from intruder_tui.export.axes import SMALL, Scale
from intruder_tui.export.svg import ACCENT, INK, Svg, colour
from intruder_tui.views.palette import srgb

LEVELS = 64
"""Colours of a map."""
BAR = 10.0


def bar(
    svg: Svg,
    left: float,
    top: float,
    height: float,
    scale: Scale,
    name: str,
    colourmap: str,
    *,
    mark: float | None = None,
    flipped: bool = False,
) -> None:
    """A colour bar with ticks; `mark` is a threshold on it; a flipped one is brightest at its low end."""
    for step in range(LEVELS):
        place = (step + 0.5) / LEVELS
        rgb = srgb(np.array([1 - place if flipped else place]), colourmap)[0]
        y = top + height * (1 - (step + 1) / LEVELS)
        svg.rect(left, y, BAR, height / LEVELS + 0.2, fill=colour(rgb), shape_rendering="crispEdges")
    svg.rect(left, top, BAR, height, stroke=INK, stroke_width=0.6)
    for value, text in scale.ticks(6):
        y = top + height * (1 - scale.at(value))
        svg.line((left + BAR, y), (left + BAR + 3, y), stroke_width=0.7)
        svg.text(left + BAR + 5, y + 2.6, text, size=7)
    if mark is not None:
        y = top + height * (1 - scale.at(mark))
        svg.line((left - 3, y), (left + BAR + 3, y), stroke=ACCENT, stroke_width=1.2)
        svg.text(left - 4, y + 2.6, "ε", size=7, anchor="end", fill=ACCENT)
    svg.text(left + BAR + 34, top + height / 2, name, size=SMALL, anchor="middle", upright=True)
