"""The similarity heatmap as a rich renderable of any width, and its legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from intruder_tui.views.extent import Extent, leading
from intruder_tui.views.field import Field
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.margins import GUTTER, HEAD
from intruder_tui.views.palette import COLOURMAP, ColourMode, ramp, tones
from intruder_tui.views.panels import panels
from intruder_tui.views.segments import merged

NOWHERE = (-1, -1)
"""A cursor that is on no cell."""


def legend(
    mode: ColourMode, eps: float, glyphs: Glyphs = UNICODE, width: int = 60, colourmap: str = COLOURMAP
) -> list[Segment]:
    """One line that explains the colours or signs: the scale of |cos|, eps on it, the outline; then i = j, in
    what room is left."""
    for cells, gap in ((20, 3), (10, 3), (10, 2), (10, 1)):
        segments = _legend(mode, eps, glyphs, cells, " " * gap, colourmap)
        if sum(map(Segment.get_line_length, segments[:-1])) <= width:
            break
    while len(segments) > 1 and sum(map(Segment.get_line_length, segments)) > width:
        segments.pop()
    return merged(segment for part in segments for segment in part)


def _legend(
    mode: ColourMode, eps: float, glyphs: Glyphs, cells: int, gap: str, colourmap: str
) -> list[list[Segment]]:
    """The scale in `cells` cells, its end, eps, the outline: the most needed first."""
    tone = tones(mode)
    middles = (np.arange(cells) + 0.5) / cells
    at = min(int(eps * cells), cells - 1)
    segments = [Segment("|cos| 0 ", tone.muted)]
    bar = "│" if mode.ramp and glyphs.half else glyphs.setting
    if mode.ramp and glyphs.half:
        colours = ramp(mode, colourmap)
        for place, level in enumerate(colours.levels(middles)):
            style = Style(color=colours.contrast(int(level)), bgcolor=colours.colours[int(level)])
            segments.append(Segment(bar if place == at else " ", style))
    else:
        signs = glyphs.ramp
        for place, value in enumerate(middles):
            sign = signs[min(int(value * len(signs)), len(signs) - 1)]
            segments.append(Segment(bar if place == at else sign, tone.text))
    return [
        segments,
        [Segment(" 1", tone.muted)],
        [Segment(f"{gap}{bar} {glyphs.eps} {eps:.2f}", tone.muted)],
        [
            Segment(gap + glyphs.corners[0] + glyphs.corners[1], tone.accent),
            Segment(" intruder", tone.muted),
        ],
        [Segment(f"{gap}{glyphs.diagonal} i = j", tone.muted)],
    ]


@dataclass(frozen=True, eq=False)
class Heatmap:
    """A rich renderable of a window of the similarities, pooled by maximum to the width and height at hand.

    Attributes:
        fields: one side of a result, or both, which then stand beside each other.
        k, eps: the definition in force.
        lines: the most lines the map itself may take.
        extent: the window; None takes the leading k x k, as far as it is known.
    """

    fields: Sequence[Field]
    k: int
    eps: float
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 40
    colourmap: str = COLOURMAP
    extent: Extent | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Head, map, legend; every line ends in a newline."""
        known = min(one.reach for one in self.fields)
        if known == 0:
            yield Segment("only bounds are known: no similarities to draw", tones(self.mode).muted)
            yield Segment.line()
            return
        extent = self.extent or leading(min(self.k, known), self.fields[0].size)
        room = max(10, options.max_width - GUTTER)
        shown = panels(
            self.fields,
            extent,
            self.k,
            self.eps,
            (room + GUTTER, self.lines + HEAD + 1 + (len(self.fields) > 1)),
            self.mode,
            self.glyphs,
            self.colourmap,
        )
        for y in range(shown.lines):
            yield from shown.line(y, NOWHERE, shown=False)
            yield Segment.line()
        yield from merged(
            [
                Segment(" " * GUTTER),
                *legend(self.mode, self.eps, self.glyphs, room, self.colourmap),
            ]
        )
        yield Segment.line()
