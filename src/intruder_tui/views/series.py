"""A series of checkpoints drawn: curves over the steps, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.findings.series import Step, positions
from intruder_tui.views import naming, numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.plot import Curve, Plot

FOLLOWED = (
    "Every step's vectors are found anew: a line joins the steps' lowest best |cos|, not one identified "
    "vector. Results hold cosines with the base, and these don't tell whether two tuned vectors are the same."
)


@dataclass(frozen=True, eq=False)
class SeriesView:
    """A rich renderable: the lowest best cosine over the steps, the count over the steps, a table.

    The plots need two analysed steps and `lines` for themselves; the table always comes.
    """

    steps: Sequence[Step]
    definition: Definition
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 30

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Plots, table, and what a line does not mean."""
        tone = tones(self.mode)
        room = self.lines - len(self.steps) - 5
        analysed = [step for step in self.steps if step.certain is not None]
        if len(analysed) > 1 and room >= 7:
            upper = room * 3 // 5 if room >= 14 else room
            yield Text(f"lowest best |cos| of the top {self.definition.k}", tone.strong, no_wrap=True)
            yield self._cosines(upper - 1)
            if upper < room:
                yield Text("intruders", tone.strong)
                yield self._counts(room - upper - 1)
            yield Text()
        yield series_table(self.steps, self.definition, options.max_width, self.mode, self.glyphs)
        yield Text(FOLLOWED, tone.muted)

    def _axis(self) -> str:
        return "step" if positions(self.steps) == [float(s.step or 0) for s in self.steps] else "place"

    def _cosines(self, lines: int) -> Plot:
        spots = [step.lowest for step in self.steps]
        lower = np.array([np.nan if spot is None else spot.lower for spot in spots])
        upper = np.array([np.nan if spot is None else spot.upper for spot in spots])
        curve = Curve(
            "lowest best |cos|" + (" at most" if (upper > lower).any() else ""),
            np.array(positions(self.steps)),
            upper,
            points=True,
            style=tones(self.mode).accent,
        )
        eps = self.definition.eps
        level = (eps, f"{self.glyphs.eps} {eps:.2f}: below it an intruder")
        return Plot(
            [curve],
            self._axis(),
            (0.0, 1.0),
            level=level,
            whole_x=True,
            mode=self.mode,
            glyphs=self.glyphs,
            lines=lines,
        )

    def _counts(self, lines: int) -> Plot:
        counts = [(step.certain, step.possible) for step in self.steps]
        certain = np.array([np.nan if low is None else float(low) for low, _ in counts])
        possible = np.array([np.nan if high is None else float(high) for _, high in counts])
        curve = Curve(
            "intruders",
            np.array(positions(self.steps)),
            certain,
            possible,
            points=True,
            style=tones(self.mode).accent,
        )
        return Plot(
            [curve],
            self._axis(),
            whole_x=True,
            whole_y=True,
            mode=self.mode,
            glyphs=self.glyphs,
            lines=lines,
        )


GAP = 2
SPARED = ("σ", "update", "first j", "step", "at j")
"""Columns that go where there is little room, the first one first; a label mostly names its step."""
LABEL = "checkpoint"


def series_table(
    steps: Sequence[Step],
    definition: Definition,
    width: int,
    mode: ColourMode = ColourMode.TRUECOLOR,
    glyphs: Glyphs = UNICODE,
) -> Table:
    """A row a step: count, lowest best cosine with its rank and sigma, highest-ranking intruder.

    Labels leave out what all begin with, and are no column where the steps are left of them. Columns that
    `width` has no room for are left out: no number is cut.
    """
    tone = tones(mode)
    columns = {
        "step": [glyphs.dash if step.step is None else str(step.step) for step in steps],
        "count": [_count(step, glyphs) for step in steps],
        "lowest": [_lowest(step, definition, glyphs) for step in steps],
        "at j": [glyphs.dash if step.lowest is None else str(step.lowest.j) for step in steps],
        "σ": [_sigma(step, glyphs) for step in steps],
        "first j": [glyphs.dash if step.foremost is None else str(step.foremost.j) for step in steps],
        "update": [
            glyphs.dash if step.relative_norm is None else numbers.percent(step.relative_norm)
            for step in steps
        ],
    }
    labels = naming.stems([printable(step.label, 40) for step in steps])
    named = labels != columns["step"]
    spared = [head for head in SPARED if named or head != "step"]
    sizes = {head: max(len(head), *map(len, cells)) + GAP for head, cells in columns.items()}
    for head in spared:
        if len(LABEL) * named + sum(sizes.values()) > width:
            del columns[head], sizes[head]
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style=tone.muted)
    if named:
        table.add_column(LABEL, overflow="ellipsis", no_wrap=True, min_width=len(LABEL))
    for head in columns:
        table.add_column(glyphs.sigma if head == "σ" else head, justify="right", no_wrap=True)
    for place, step in enumerate(steps):
        style = tone.accent if step.certain else tone.text
        cells = [*labels[place : place + named], *(column[place] for column in columns.values())]
        table.add_row(*(Text(cell, style) for cell in cells))
    return table


def _count(step: Step, glyphs: Glyphs) -> str:
    if step.certain is None or step.possible is None:
        return glyphs.idle
    return f"{step.certain}{glyphs.undecided if step.possible > step.certain else ''}"


def _lowest(step: Step, definition: Definition, glyphs: Glyphs) -> str:
    lowest = step.lowest
    if lowest is None:
        return glyphs.dash
    return numbers.cosine(lowest.lower, lowest.upper, eps=definition.eps, glyphs=glyphs)


def _sigma(step: Step, glyphs: Glyphs) -> str:
    lowest = step.lowest
    return glyphs.dash if lowest is None or lowest.sigma is None else numbers.three_digits(lowest.sigma)
