"""The similarity heatmap as a rich renderable of any width, and its legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from intruder_tui.results import Similarity
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.grid import grid
from intruder_tui.views.painter import GUTTER, Painter, column_marks, fit, merged
from intruder_tui.views.palette import COLOURMAP, ColourMode, ramp, tones


def legend(
    mode: ColourMode, eps: float, glyphs: Glyphs = UNICODE, width: int = 60, colourmap: str = COLOURMAP
) -> list[Segment]:
    """One line that explains the colours or signs: the scale of |cos|, eps on it, the outline."""
    for cells, gap in ((20, 3), (10, 3), (10, 2), (10, 1)):
        segments = _legend(mode, eps, glyphs, cells, " " * gap, colourmap)
        if sum(map(Segment.get_line_length, segments)) <= width:
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
    ]


@dataclass(frozen=True, eq=False)
class Heatmap:
    """A rich renderable of the leading k x k similarities, pooled by maximum to the width and height at hand.

    Attributes:
        similarity: one side of a result.
        k, eps: the definition in force.
        lines: the most lines the map itself may take.
    """

    similarity: Similarity
    k: int
    eps: float
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 40
    colourmap: str = COLOURMAP

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Head, map, legend; every line ends in a newline."""
        room = max(10, options.max_width - GUTTER)
        known = min(self.k, len(self.similarity.block))
        if known == 0:
            yield Segment("only bounds are known: no similarities to draw", tones(self.mode).muted)
            yield Segment.line()
            return
        halves = self.mode.ramp and bool(self.glyphs.half)
        cells = grid(self.similarity.block, known, self.lines * (2 if halves else 1), room)
        scale = fit(*cells.shape, room, self.lines)
        marks = column_marks(self.similarity, self.eps, cells)
        painter = Painter(cells, marks, scale, self.mode, self.glyphs, self.colourmap)
        muted = painter.tones.muted
        yield from _line([Segment(f"{'tuned':>{GUTTER - 1}} ", muted)], painter.numbers())
        yield from _line([Segment(f"{'base':>{GUTTER - 1}} ", muted)], painter.tops())
        for line in range(painter.lines):
            yield from _line(painter.gutter(line), painter.line(line))
        yield from _line([Segment(" " * GUTTER)], painter.bottoms())
        yield from _line(
            [Segment(" " * GUTTER)], legend(self.mode, self.eps, self.glyphs, room, self.colourmap)
        )


def _line(gutter: Sequence[Segment], rest: Sequence[Segment]) -> list[Segment]:
    return [*gutter, *rest, Segment.line()]
